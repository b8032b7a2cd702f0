"""Operators broken on purpose: small changes of the product's source, applied while it is imported anew.

Inside ``mutated`` the product's modules are compiled from changed source; nothing on disk changes, and the modules of
the other tests stay as they were. The proof has to notice every one of these.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType


@dataclass(frozen=True)
class Mutant:
    """One break: in a module, ``old`` (which stands there once) becomes ``new``.

    ``operator`` begins the names of the operators that it touches, as ``tally.operators`` gives them; only definitions
    that speak of one are evaluated again, to save time.
    """

    name: str
    operator: str
    module: str
    old: str
    new: str


CALENDAR = "shoal.lang.calendar"
EVENTS = "shoal.sql.emit.events"
CHAINS = "shoal.sql.chains"
AGGREGATES = "shoal.sql.aggregates"
MEMBERS = "shoal.sql.members"

MUTANTS = (
    Mutant(
        "last: in at exactly ts + W",
        "window last",
        CALENDAR,
        "return at - length.micros + 1, at + 1",
        "return at - length.micros, at + 1",
    ),
    Mutant(
        "before last: its newer end is out",
        "window before last",
        CALENDAR,
        "- length.micros + 1, at - before.micros + 1",
        "- length.micros + 1, at - before.micros",
    ),
    Mutant(
        # That the end itself is out, to the microsecond, is held by the named cases: few worlds have an event right there.
        "between: its end is forgotten",
        "window period",
        CALENDAR,
        "min(literal_instant(end, zone), at + 1)",
        "at + 1",
    ),
    Mutant("weeks begin on Sunday", "window", CALENDAR, "day - (day + 3) % 7", "day - (day + 4) % 7"),
    Mutant(
        "this day begins at midnight UTC",
        "window this",
        CALENDAR,
        "return zone.starts(unit_start(zone.day(at), unit)), at + 1",
        "return unit_start(at // DAY, unit) * DAY, at + 1",
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
        "equal instants go by receipt, not by message id",
        "value last",
        "shoal.sql.rows",
        'return s.coalesce(s.column("message_id", alias), made)',
        "return made",
    ),
    Mutant(
        "last n picks one too few", "events newest", "shoal.sql.rows", '"newness", "b"), "<="', '"newness", "b"), "<"'
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
        "regularly asks for more than k periods",
        "regularly",
        "shoal.sql.emit.regular",
        '">=", s.integer(node.periods)',
        '">", s.integer(node.periods)',
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
    Mutant("did first asks the last", "did first", "shoal.sql.emit.first", 'measure("min", ', 'measure("max", '),
    Mutant(
        "held: not yet at exactly W",
        "held",
        "shoal.sql.emit.history",
        'found.column("first")), "<=", since',
        'found.column("first")), "<", since',
    ),
    Mutant(
        "changed: the first value is no change",
        "changed",
        "shoal.sql.timelines",
        "return exp.NullSafeNEQ(this=one, expression=other)",
        'return s.compared(one, "!=", other)',
    ),
    Mutant(
        "null doesn't clear a trait",
        "is known",
        "shoal.sql.traits",
        's.call("arg_max_null", s.column("value", "c"), order)',
        's.call("arg_max", s.column("value", "c"), order)',
    ),
    Mutant(
        "not of a missing value is missing",
        "where not",
        "shoal.sql.terms",
        "return exp.Not(this=wrapped(settled(condition)))",
        "return exp.Not(this=wrapped(condition))",
    ),
    Mutant(
        "not in holds for the missing",
        "not in",
        "shoal.sql.emit.compare",
        "s.all_of([found.known, s.not_(chosen)])",
        "s.not_(chosen)",
    ),
    Mutant(
        "a divisor below zero turns the comparison round",
        "value /",
        "shoal.sql.values",
        "_times(_times(left.num, right.den), sign)",
        "_times(left.num, right.den)",
    ),
    Mutant("in top: the threshold itself is out", "in top", "shoal.sql.emit.rank", 'op = ">=" if', 'op = ">" if'),
    Mutant("a distance in two dimensions", "distance", "shoal.sql.emit.place", 'zip("xyz"', 'zip("xyx"'),
    Mutant("fourteen digits of the hash", "value bucket", "shoal.sql.emit.bucket", "_DIGITS = 15", "_DIGITS = 14"),
    Mutant(
        "any consent of a merged customer suffices", "consents to", MEMBERS, 's.call("bool_and", ', 's.call("bool_or", '
    ),
    Mutant("never is ignored", "never", "shoal.sql.trees", "found if self.never is None else", "found if True else"),
    Mutant(
        "merges that were taken back stay in force",
        "did",
        "shoal.sql.subjects",
        "FROM merges WHERE undone IS NULL ORDER",
        "FROM merges ORDER",
    ),
    Mutant(
        "what is received at K isn't known at K",
        "did",
        "shoal.sql.frame",
        '"received", alias), "<="',
        '"received", alias), "<"',
    ),
    Mutant(
        "an anniversary is looked for a day too far",
        "anniversary",
        "shoal.sql.frame",
        "end = first + timedelta(days=days - 1)",
        "end = first + timedelta(days=days)",
    ),
)


@contextmanager
def mutated(mutant: Mutant) -> Iterator[None]:
    """While inside, ``import shoal…`` gives modules of their own, one of them broken."""
    ours = _taken_out()
    finder = _Finder(mutant)
    sys.meta_path.insert(0, finder)
    sys.modules.update(_BROKEN.get(mutant.name, {}))
    try:
        importlib.import_module("shoal.sql.engine")  # first: it knows the order in which the others can be imported
        importlib.import_module(mutant.module)
        yield
    finally:
        sys.meta_path.remove(finder)
        _BROKEN.clear()
        _BROKEN[mutant.name] = _taken_out()
        sys.modules.update(ours)


_BROKEN: dict[str, dict[str, ModuleType]] = {}
"""The modules of the mutant that was inside last; importing them takes longer than catching most."""


def _taken_out() -> dict[str, ModuleType]:
    """All modules of the product, which the next import doesn't find any more."""
    names = [name for name in sys.modules if name == "shoal" or name.startswith("shoal.")]
    return {name: sys.modules.pop(name) for name in names}


class _Finder:
    """Finds the broken module, and leaves all others to the usual finders."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's spec with a loader that changes its source."""
        if name != self._mutant.module:
            return None
        spec = PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(name, spec.origin, self._mutant)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, mutant: Mutant) -> None:
        super().__init__(name, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        """The code of the changed source."""
        source = self.get_source(fullname) or ""
        if source.count(self._mutant.old) != 1:
            raise LookupError(f"mutant {self._mutant.name!r}: {self._mutant.old!r} isn't there once; mend the mutant")
        return compile(source.replace(self._mutant.old, self._mutant.new), self.path, "exec")
