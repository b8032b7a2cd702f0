"""Operators broken on purpose. Aggregates over events, sequences, and which events they are about."""

from __future__ import annotations

from .mutants import Mutant

ACCOUNTS = "shoal.sql.accounts"
AGGREGATES = "shoal.sql.aggregates"
CHAINS = "shoal.sql.chains"
EVENTS = "shoal.sql.emit.events"
FIRST = "shoal.sql.emit.first"
REGULAR = "shoal.sql.emit.regular"
ROWS = "shoal.sql.rows"

MUTANTS = (
    Mutant(
        "of account: what is right now doesn't count yet",
        "events of account",
        ACCOUNTS,
        '"e"), "<=", s.integer(frame.start)',
        '"e"), "<", s.integer(frame.start)',
    ),
    Mutant(
        "most frequent: ties go to the greatest at once",
        "value most frequent",
        AGGREGATES,
        's.column("times", "b"), s.column("latest", "b"), s.column("value", "b")',
        's.column("times", "b"), s.column("value", "b")',
    ),
    Mutant(
        "regularly asks for n + 1 events in a period",
        "regularly",
        AGGREGATES,
        '">=", s.integer(self._node.times)',
        '">", s.integer(self._node.times)',
    ),
    Mutant(
        "a window's first instant is out for measures",
        "did|value|compare",
        AGGREGATES,
        'return s.compared(ts, ">=", low)',
        'return s.compared(ts, ">", low)',
    ),
    Mutant(
        "most frequent: ties of value and time go to any",
        "value most frequent",
        AGGREGATES,
        's.column("latest", "b"), s.column("value", "b"))',
        's.column("latest", "b"))',
    ),
    Mutant(
        "regularly: periods begin a microsecond late",
        "regularly",
        AGGREGATES,
        "self.plan.frame.t(ROW), self.rows.ts)",
        "self.plan.frame.t(ROW), self.rows.ts, s.integer(-1))",
    ),
    Mutant(
        "without is ignored",
        "then without",
        CHAINS,
        "if step.without is not None:\n            between",
        "if False:\n            between",
    ),
    Mutant("then: an answer at exactly ts + W is late", "then", CHAINS, '"<=", latest', '"<", latest'),
    Mutant(
        "then not waits a microsecond too long",
        "then not",
        CHAINS,
        's.compared(deadline, "<=", ',
        's.compared(deadline, "<", ',
    ),
    Mutant(
        "a keyed absence is answered by any key",
        "then not with same",
        CHAINS,
        's.all_of([_same_k("a", "b"), *_same_keys(step), order])',
        's.all_of([_same_k("a", "b"), order])',
    ),
    Mutant("not after: a B at exactly ts − W is too old", "not after", CHAINS, '"<", since', '"<=", since'),
    Mutant(
        "then: an answer at the same instant counts",
        "then",
        CHAINS,
        's.column("ts", later), ">", s',
        's.column("ts", later), ">=", s',
    ),
    Mutant(
        "without: a C at B's own instant spoils",
        "then without",
        CHAINS,
        's.column("ts", "b"), ">", s.column("ts", "x")',
        's.column("ts", "b"), ">=", s.column("ts", "x")',
    ),
    Mutant(
        "without: a C at A's own instant spoils",
        "then without",
        CHAINS,
        's.column("ts", "x"), "<=", s.column("ts", "a")',
        's.column("ts", "x"), "<", s.column("ts", "a")',
    ),
    Mutant(
        "then not: a B at A's own instant answers",
        "then not",
        CHAINS,
        'order = s.compared(s.column("ts", "a"), "<", s',
        'order = s.compared(s.column("ts", "a"), "<=", s',
    ),
    Mutant(
        "then not: a B at exactly ts + W comes too late",
        "then not",
        CHAINS,
        's.column("ts", "b"), ">", deadline',
        's.column("ts", "b"), ">=", deadline',
    ),
    Mutant(
        "not after: a B at A's own instant spoils",
        "not after",
        CHAINS,
        's.column("ts", "a"), ">", s.column("ts", "b")',
        's.column("ts", "a"), ">=", s.column("ts", "b")',
    ),
    Mutant(
        "a count over no event is missing",
        "value count",
        EVENTS,
        'measure("count", s.integer(1))\n    return Rational(Fraction(1), s.coalesce(column, s.integer(0)))',
        'measure("count", s.integer(1))\n    return Rational(Fraction(1), column)',
    ),
    Mutant("a sum over no event is missing", "value sum", EVENTS, "s.coalesce(total, s.integer(0))", "total"),
    Mutant(
        "avg divides by all events",
        "value avg",
        EVENTS,
        'taken.measure("count", amount)',
        'taken.measure("count", s.integer(1))',
    ),
    Mutant(
        "days since first asks the last",
        "value days since event",
        EVENTS,
        '"min" if node.which == "first" else "max"',
        '"max"',
    ),
    Mutant("at most n is fewer than n", "did at most", EVENTS, '"at most": "<="', '"at most": "<"'),
    Mutant(
        "active days are days of UTC",
        "value active days",
        EVENTS,
        "s.floor_div(rows.local, DAY)",
        "s.floor_div(rows.ts, DAY)",
    ),
    Mutant(
        "a window's first instant is out for the newest event",
        "did|compare",
        EVENTS,
        's.compared(newest, ">=", low)',
        's.compared(newest, ">", low)',
    ),
    Mutant(
        "more than one is one at least",
        "compare >",
        EVENTS,
        '">": 0 <= limit.micro < MICRO}',
        '">": 0 <= limit.micro <= MICRO}',
    ),
    Mutant(
        "one at most is none",
        "compare <=|did at most",
        EVENTS,
        '"<=": 0 <= limit.micro < MICRO',
        '"<=": 0 <= limit.micro <= MICRO',
    ),
    Mutant("at least n is more than n", "did at least", EVENTS, '"at least": ">="', '"at least": ">"'),
    Mutant("exactly n is n or more", "did exactly", EVENTS, '"exactly": "="', '"exactly": ">="'),
    Mutant(
        "refunds are left out of a sum",
        "value sum",
        EVENTS,
        'total = taken.measure("sum", amount)',
        'total = taken.measure("sum", s.when(s.compared(amount, ">", s.integer(0)), amount))',
    ),
    Mutant(
        "days since an event: a microsecond short",
        "value days since event",
        EVENTS,
        "t(scope.subject), ts))",
        "t(scope.subject), ts, s.integer(1)))",
    ),
    Mutant(
        "of equal instants any event is the first",
        "value first",
        EVENTS,
        "_sql(found), taken.rows.order)",
        '_sql(found), s.column("ts", ROW))',
    ),
    Mutant("distinct counts lists, not their elements", "value distinct", EVENTS, "is Kind.TEXTS", "is Kind.OBJECTS"),
    Mutant("any asks for two items", "where any", EVENTS, 'found)), ">", s.integer(0))', 'found)), ">", s.integer(1))'),
    Mutant("did first asks the last", "did first", FIRST, 'measure("min", ', 'measure("max", '),
    Mutant(
        "regularly asks for more than k periods",
        "regularly",
        REGULAR,
        '">=", s.integer(node.periods)',
        '">", s.integer(node.periods)',
    ),
    Mutant(
        "equal instants go by receipt, not by message id",
        "value last",
        ROWS,
        'return s.coalesce(s.column("message_id", alias), made)',
        "return made",
    ),
    Mutant("last n picks one too few", "events newest", ROWS, '"newness", "b"), "<="', '"newness", "b"), "<"'),
    Mutant(
        "the first instant that matters is left out",
        "did|value|then|not after",
        ROWS,
        's.column("ts", "e"), ">=", s.integer(self._low)',
        's.column("ts", "e"), ">", s.integer(self._low)',
    ),
    Mutant(
        "last n: of equal instants any",
        "events newest",
        ROWS,
        'order = [s.column("ts", "a"), s.column(MESSAGE_ID, "a")]',
        'order = [s.column("ts", "a")]',
    ),
)
