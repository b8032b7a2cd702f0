"""A segment said in conditions on the original columns, with how well they say it.

A rule is one, two or three boxes (conditions joined by *and*) joined by *or*, searched for directly for the greatest F1; see
``boxes``. The search may ask the frozen groups about customers that don't exist (TREPAN: Craven & Shavlik 1996): where there are
few, pairs of near ones are crossed, column by column, and the groups say where such a customer would be. Precision, recall
and F1 come from customers that neither the search nor the crossing saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import ceil, floor
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from shoal.insight.discovery.boxes import Search, packed
from shoal.insight.discovery.table import Categories, Table
from shoal.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shoal.insight.discovery.model import Model
    from shoal.insight.discovery.table import Bools, Floats, Ints

Operator: TypeAlias = Literal["<=", ">", "in", "not in", "is missing", "is known"]

_ROWS = 10_000  # that a rule is searched on, crossed customers among them
_JUDGED = 30_000
_CROSSED = 8  # crossed customers for a real one, at most
_NEAR = 10
_CUTS = 24  # bounds of a column that are tried
_AROUND = 0.012  # of a quantile: any number so near will do, and the shortest one is taken
_OWN_CUTS = (0.02, 0.05, 0.1, 0.2, 0.8, 0.9, 0.95, 0.98)  # and of the members' own values
_LEVELS = 4  # levels that a condition names at most
_PLACES = 6  # decimals of a number in the segment language


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of one column.

    Args:
        column: the original column.
        op: the comparison, in the words of the segment language.
        value: a number for ``<=`` and ``>``, texts for ``in`` and ``not in``, None else.
        or_missing: whether a customer without a value meets it too. The language has two-valued logic: a comparison
            with a missing value is false, so this needs an ``or … is missing`` beside it.
    """

    column: str
    op: Operator
    value: float | tuple[str, ...] | None = None
    or_missing: bool = False

    def holds(self, table: Table) -> Bools:
        """Which rows meet it."""
        if self.column in table.numbers:
            values = np.asarray(table.numbers[self.column], dtype=np.float64)
            missing = ~np.isfinite(values)
            met = self._number(values, missing)
        else:
            column = table.categories[self.column]
            missing = column.codes < 0
            texts = self.value if isinstance(self.value, tuple) else ()
            inside = np.array([level in texts for level in column.levels] + [False])[column.codes]
            met = {"in": inside, "not in": ~inside & ~missing, "is missing": missing, "is known": ~missing}[self.op]
        return np.asarray(met | missing if self.or_missing else met)

    def _number(self, values: Floats, missing: Bools) -> Bools:
        if self.op in ("is missing", "is known"):
            return missing if self.op == "is missing" else ~missing
        bound = self.value if isinstance(self.value, float) else 0.0
        held = np.where(missing, 0.0, values)
        return np.asarray((held <= bound if self.op == "<=" else held > bound) & ~missing)


@dataclass(frozen=True, slots=True)
class Rule:
    """A segment in conditions: one of the branches holds, and in it every condition.

    Args:
        branches: at most three, each a conjunction. None at all where nothing tells the segment.
        precision: of the held-out customers that the rule names, the share that are members; None if it names none.
        recall: of the held-out members, the share that it names; None if there are none.
        rows: how many customers were held out.
    """

    branches: tuple[tuple[Condition, ...], ...]
    precision: float | None
    recall: float | None
    rows: int

    @property
    def fidelity(self) -> float:
        """The F1 of precision and recall; 0 where either is unknown or none."""
        p, r = self.precision or 0.0, self.recall or 0.0
        return 2 * p * r / (p + r) if p + r else 0.0

    @property
    def conditions(self) -> int:
        """How many conditions a reader has to hold in mind."""
        return sum(len(branch) for branch in self.branches)

    def holds(self, table: Table) -> Bools:
        """Which rows it names."""
        return _any(self.branches, table)


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of all groups, and the rows that they weren't made from."""

    rules: tuple[Rule, ...]
    judged: Ints


def rules(table: Table, model: Model, labels: Ints, k: int, seed: int) -> Rules:
    """A rule for each of k groups.

    They are searched on two thirds of the customers, at most 10,000, and judged on at most 30,000 others.

    Args:
        table: the customers, in the order of ``labels``.
        model: the frozen groups: names the columns and levels that a rule may use, and is asked about crossed customers.
            Its centres are in the order of the labels.
        labels: groups, 0 … k − 1.
        k: how many.
        seed: of the draws.
    """
    order = np.random.default_rng([seed, 5]).permutation(table.size)
    cut = min(_ROWS, table.size * 2 // 3)
    learnt, judged = np.sort(order[:cut]), np.sort(order[cut : cut + _JUDGED])
    seen, truth = _more(table.take(learnt), labels[learnt], model, seed)
    rows = table.take(judged)
    found = []
    for i in range(k):
        branches = _branches(seen, model, truth == i)
        named, member = _any(branches, rows), labels[judged] == i
        both = int((named & member).sum())
        precision = both / int(named.sum()) if named.any() else None
        recall = both / int(member.sum()) if member.any() else None
        found.append(Rule(branches, precision, recall, len(judged)))
    return Rules(tuple(found), judged)


def f1_interval(both: int, named: int, members: int) -> Interval:
    """F1 with its 95 % interval: 0 … 1 where there is neither a member nor anybody named.

    F1 = 2F* / (1 + F*), where F* is the share of members who are named among all who are either, a binomial proportion (Hand,
    Christen & Kirielle 2021, doi 10.1007/s10994-021-05964-1); so Wilson's interval of F* gives that of F1.

    >>> [round(v, 2) for v in f1_interval(40, 50, 60)]
    [0.73, 0.63, 0.81]
    """
    share, low, high = wilson(both, named + members - both)
    return Interval(*(2 * s / (1 + s) for s in (share, low, high)))


def _more(table: Table, labels: Ints, model: Model, seed: int) -> tuple[Table, Ints]:
    """The customers, and as many crossed ones beside them as make a search steady, each with its group."""
    times = min(_CROSSED, _ROWS // max(table.size, 1) - 1)
    if times < 1 or table.size <= _NEAR:
        return table, labels
    crossed = _crossed(table, model, times, seed)
    both = Table(
        np.arange(table.size + crossed.size),
        {name: np.concatenate([values, crossed.numbers[name]]) for name, values in table.numbers.items()},
        {
            name: Categories(np.concatenate([column.codes, crossed.categories[name].codes]), column.levels)
            for name, column in table.categories.items()
        },
    )
    return both, np.concatenate([labels, model.places(crossed)])


def _crossed(table: Table, model: Model, times: int, seed: int) -> Table:
    """Customers between two near ones: each value is that of the one or of the other."""
    from sklearn.neighbors import NearestNeighbors

    prepared = model.plan.apply(table)
    near = NearestNeighbors(n_neighbors=_NEAR + 1).fit(prepared).kneighbors(prepared, return_distance=False)
    rng = np.random.default_rng([seed, 6])
    first = np.tile(np.arange(table.size), times)
    a, b = table.take(first), table.take(near[first, rng.integers(1, _NEAR + 1, len(first))])
    return Table(
        np.arange(len(first)),
        {n: np.where(rng.random(len(first)) < 0.5, a.numbers[n], b.numbers[n]) for n in sorted(a.numbers)},
        {
            n: Categories(
                np.where(rng.random(len(first)) < 0.5, a.categories[n].codes, b.categories[n].codes),
                a.categories[n].levels,
            )
            for n in sorted(a.categories)
        },
    )


def _branches(rows: Table, model: Model, member: Bools) -> tuple[tuple[Condition, ...], ...]:
    """The boxes that tell a group."""
    if member.all() or not member.any():
        return ()
    asked = list(_conditions(rows, model, member))
    if not asked:
        return ()
    met = np.stack([packed(condition.holds(rows)) for condition in asked])
    _, kinds = np.unique([f"{c.column} {c.op}" for c in asked], return_inverse=True)
    # Who has no value is told by two comparisons, or by one that makes a reader stop.
    length = np.array([2.0 if c.or_missing or c.op == "is missing" else 1.0 for c in asked])
    found = Search(met, packed(member), kinds.astype(np.int64), length).rule()
    boxes = (sorted((asked[at] for at in box), key=lambda c: (c.column, c.op != ">")) for box in found.boxes)
    return tuple(tuple(box) for box in boxes)


def _conditions(rows: Table, model: Model, member: Bools) -> Iterator[Condition]:
    """All conditions that are tried; of two that name the same the plainer one comes first."""
    for number in model.plan.numbers:
        values = np.asarray(rows.numbers[number.column], dtype=np.float64)
        known = np.isfinite(values)
        bounds = _bounds(np.sort(values[known]), np.sort(values[known & member]))
        tests: list[tuple[Operator, float | tuple[str, ...]]] = [(op, v) for v in bounds for op in _BOTH]
        yield from _asked(number.column, tests, missing=not bool(known.all()))
    for category in model.plan.categories:
        column = rows.categories[category.column]
        sets = _sets(column, category.levels, member)
        yield from _asked(category.column, sets, missing=bool((column.codes < 0).any()))


_BOTH: tuple[Operator, Operator] = ("<=", ">")


def _asked(column: str, tests: list[tuple[Operator, float | tuple[str, ...]]], *, missing: bool) -> Iterator[Condition]:
    yield from (Condition(column, op, value) for op, value in tests)
    if missing:
        yield Condition(column, "is missing")
        yield Condition(column, "is known")
        yield from (Condition(column, op, value, or_missing=True) for op, value in tests)


def _bounds(known: Floats, mine: Floats) -> list[float]:
    """Short numbers near quantiles of all known values and of the members' own; both sorted."""
    if len(known) < 2 or known[0] == known[-1]:
        return []
    asked = [(known, q) for q in np.linspace(0.02, 0.98, _CUTS)]
    asked += [(mine, q) for q in _OWN_CUTS] if len(mine) > _NEAR else []
    found: set[float] = set()
    for values, q in asked:
        ends = np.clip(np.array([q - _AROUND, q + _AROUND]), 0, 1) * (len(values) - 1)
        low, high = values[ends.astype(np.int64)].tolist()
        if low < high:
            found.add(short(low, high))
        else:
            found.update(_beside(known, low))
    return sorted(found)


def _beside(known: Floats, tied: float) -> Iterator[float]:
    """Bounds on either side of a value that many have."""
    reach = int(_AROUND * len(known))
    first, last = int(np.searchsorted(known, tied, "left")), int(np.searchsorted(known, tied, "right"))
    if first > 0:
        yield short(float(known[max(0, first - 1 - reach)]), tied)
    if last < len(known):
        yield short(tied, float(known[min(len(known) - 1, last + reach)]))


def _sets(column: Categories, levels: tuple[str, ...], member: Bools) -> list[tuple[Operator, float | tuple[str, ...]]]:
    """The levels in which most, and those in which fewest are members: of two classes, the best sets are among these
    (Breiman et al. 1984, theorem 4.5)."""
    place = {level: i for i, level in enumerate(column.levels)}
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
    mine = np.bincount(column.codes[(column.codes >= 0) & member], minlength=len(column.levels))
    there = [level for level in levels if level in place and counts[place[level]]]
    there.sort(key=lambda level: (-mine[place[level]] / counts[place[level]], level))
    found: list[tuple[Operator, float | tuple[str, ...]]] = []
    for many in range(1, min(_LEVELS, len(there)) + 1):
        found.append(("in", tuple(sorted(there[:many]))))
        found.append(("not in", tuple(sorted(there[-many:]))))
    return found


def _all(conditions: Iterable[Condition], rows: Table) -> Bools:
    return reduce(np.logical_and, [c.holds(rows) for c in conditions], np.ones(rows.size, dtype=bool))


def short(low: float, high: float) -> float:
    """The number with the fewest decimals, near the middle, that parts ``low`` from ``high``: low ≤ it < high.

    >>> short(19.87, 23.1)
    20.0
    """
    middle = (low + high) / 2
    for places in range(-9, _PLACES + 1):
        step = 10.0**-places
        for value in (round(middle, places), floor(middle / step) * step, ceil(low / step) * step):
            neat = round(value, max(places, 0))
            if low <= neat < high:
                return float(neat)
    return low


def _any(branches: tuple[tuple[Condition, ...], ...], table: Table) -> Bools:
    named = np.zeros(table.size, dtype=bool)
    for branch in branches:
        named |= _all(branch, table)
    return named
