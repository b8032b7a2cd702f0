"""Operators broken on purpose. Values of traits over time, comparisons and arithmetic."""

from __future__ import annotations

from .mutants import Mutant

BUCKET = "shoal.sql.emit.bucket"
COMPARE = "shoal.sql.emit.compare"
HISTORY = "shoal.sql.emit.history"
PLACE = "shoal.sql.emit.place"
MATCHING = "shoal.lang.matching"
TERMS = "shoal.sql.terms"
TIMELINES = "shoal.sql.timelines"
TRAITS = "shoal.sql.traits"
VALUES = "shoal.sql.values"

MUTANTS = (
    Mutant("fourteen digits of the hash", "value bucket", BUCKET, "_DIGITS = 15", "_DIGITS = 14"),
    Mutant(
        "not in holds for the missing", "not in", COMPARE, "s.all_of([found.known, s.not_(chosen)])", "s.not_(chosen)"
    ),
    Mutant(
        "between: the low end is out",
        "between",
        COMPARE,
        'compare(found, ">=", value(node.low',
        'compare(found, ">", value(node.low',
    ),
    Mutant(
        "between: the high end is out",
        "between",
        COMPARE,
        'compare(found, "<=", value(node.high',
        'compare(found, "<", value(node.high',
    ),
    Mutant(
        "Monday is a Tuesday", "where", COMPARE, 's.joined("+", day, s.integer(3))', 's.joined("+", day, s.integer(4))'
    ),
    Mutant(
        "contains all of is contains any of",
        "match contains all of",
        COMPARE,
        '"list_has_any" if op == "contains any of" else "list_has_all"',
        '"list_has_any"',
    ),
    Mutant(
        "held: not yet at exactly W",
        "held",
        HISTORY,
        'found.column("first")), "<=", since',
        'found.column("first")), "<", since',
    ),
    Mutant(
        "held: what was never written isn't missing yet",
        "held",
        HISTORY,
        's.is_null(found.column("holds")) if at_first else s.false()',
        "s.false()",
    ),
    Mutant(
        "held: as missing, not yet at exactly W",
        "held",
        HISTORY,
        's.any_of([found.column("always"), s.compared(found.column("begun"), "<=", since)])',
        's.any_of([found.column("always"), s.compared(found.column("begun"), "<", since)])',
    ),
    Mutant("a distance in two dimensions", "distance", PLACE, 'zip("xyz"', 'zip("xyx"'),
    Mutant(
        "contains in a list looks inside the elements",
        "match contains|where match contains",
        MATCHING,
        'op == "starts with" or whole',
        'op == "starts with"',
    ),
    Mutant(
        "not of a missing value is missing",
        "where not",
        TERMS,
        "return exp.Not(this=wrapped(settled(condition)))",
        "return exp.Not(this=wrapped(condition))",
    ),
    Mutant(
        "changed: the first value is no change",
        "changed",
        TIMELINES,
        "return exp.NullSafeNEQ(this=one, expression=other)",
        'return s.compared(one, "!=", other)',
    ),
    Mutant(
        "held: the same value written again begins anew",
        "held",
        TIMELINES,
        's.call("max", after_false)',
        's.call("max", s.column("ts", "h"))',
    ),
    Mutant(
        "changed: from and to are confused",
        "changed",
        TIMELINES,
        '((node.before, "before"), (node.after, "value"))',
        '((node.before, "value"), (node.after, "before"))',
    ),
    Mutant(
        "null doesn't clear a trait",
        "is known",
        TRAITS,
        's.call("arg_max_null", s.column("value", "c"), order)',
        's.call("arg_max", s.column("value", "c"), order)',
    ),
    Mutant(
        "of equal instants the first change counts",
        "held|changed",
        TRAITS,
        's.call("arg_max_null", s.column("value", "c"), s.column("mid", "c"))',
        's.call("arg_min", s.column("value", "c"), s.column("mid", "c"))',
    ),
    Mutant(
        "an account's trait counts a microsecond late",
        "value account trait",
        TRAITS,
        's.column("ts", "e"), "<=", s.integer(frame.start)',
        's.column("ts", "e"), "<", s.integer(frame.start)',
    ),
    Mutant(
        "a divisor below zero turns the comparison round",
        "value /",
        VALUES,
        "_times(_times(left.num, right.den), sign)",
        "_times(left.num, right.den)",
    ),
    Mutant(
        "on a date: the next day's first instant is",
        "compare|where compare|in|not in|where in|where not in",
        VALUES,
        "return s.within(instant, begins, ends)",
        'return s.within(instant, begins, s.joined("+", ends, s.integer(1)))',
    ),
    Mutant(
        "not on a date: the next day's first instant isn't",
        "compare|where compare|in|not in|where in|where not in",
        VALUES,
        's.compared(instant, ">=", ends)])',
        's.compared(instant, ">", ends)])',
    ),
    Mutant(
        "up to a date: the next day's first instant is",
        "compare|where compare|in|not in|where in|where not in",
        VALUES,
        'return s.compared(instant, "<", ends)',
        'return s.compared(instant, "<=", ends)',
    ),
    Mutant(
        "after a date: the next day's first instant isn't",
        "compare|where compare|in|not in|where in|where not in",
        VALUES,
        'return s.compared(instant, ">=", ends)',
        'return s.compared(instant, ">", ends)',
    ),
    Mutant(
        "below a fraction: its whole part is out",
        "compare <|did at most",
        VALUES,
        'return s.compared(num, "<=", s.integer(whole))',
        'return s.compared(num, "<", s.integer(whole))',
    ),
    Mutant(
        "above a fraction: its whole part is in",
        "compare >|did at least",
        VALUES,
        'return s.compared(num, ">", s.integer(whole))',
        'return s.compared(num, ">=", s.integer(whole))',
    ),
    Mutant(
        "a minus doesn't turn the comparison round",
        "value negative",
        VALUES,
        "op = FLIPPED[op] if flip else op",
        "op = op",
    ),
    Mutant("a literal on the left: <= loses its equality", "compare <=", VALUES, '"<=": ">="', '"<=": ">"'),
    Mutant(
        "a quotient by 0 is endless",
        "value /",
        VALUES,
        's.call("nullif", s.huge(s.call("abs", right.num)), s.integer(0))',
        's.huge(s.call("abs", right.num))',
    ),
)
