"""A segment said in conditions on the original columns, with how well they say it.

A shallow tree is grown on the membership (a surrogate), its best branches become conditions that a person can read, and
their precision and recall come from customers that the tree hasn't seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.insight.discovery.prepare import Plan
    from shoal.insight.discovery.table import Bools, Floats, Ints, Table

Operator: TypeAlias = Literal["<=", ">", "in", "not in", "is missing", "is known"]

_DEPTH = 4
_BRANCHES = 3
_ROWS = 30_000
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
        branches: at most three, each a conjunction. None at all where the tree finds nothing that tells the segment.
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


def rules(table: Table, plan: Plan, labels: Ints, k: int, seed: int, depth: int = _DEPTH) -> list[Rule]:
    """A rule for each of k groups.

    At most 30,000 customers are drawn to grow the trees and as many again to judge them.

    Args:
        table: the customers, in the order of ``labels``.
        plan: names the columns and levels that a rule may use.
        labels: groups, 0 … k − 1.
        k: how many.
        seed: of the draw.
        depth: of a tree, and so the most conditions of a branch before equal columns are joined.
    """
    order = np.random.default_rng([seed, 5]).permutation(table.size)
    cut = min(_ROWS, table.size * 2 // 3)
    grown, judged = np.sort(order[:cut]), np.sort(order[cut : cut + _ROWS])
    learnt, rows = table.take(grown), table.take(judged)
    features, meanings = _features(learnt, plan)
    out = []
    for i in range(k):
        branches = _branches(learnt, features, meanings, labels[grown] == i, depth)
        named, member = _any(branches, rows), labels[judged] == i
        both = int((named & member).sum())
        precision = both / int(named.sum()) if named.any() else None
        recall = both / int(member.sum()) if member.any() else None
        out.append(Rule(branches, precision, recall, len(judged)))
    return out


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a feature of the tree is in the table: a column, or one level of it."""

    column: str
    level: str | None
    values: Floats  # known ones, sorted; to choose a short bound between two of them
    missing: bool


def _features(table: Table, plan: Plan) -> tuple[np.typing.NDArray[np.float32], list[_Meaning]]:
    columns, meanings = [], []
    for number in plan.numbers:
        values = np.asarray(table.numbers[number.column], dtype=np.float64)
        known = np.isfinite(values)
        distinct = np.unique(values[known])
        # Ranks, so that a tree in single precision cuts between values as they are; −1 is missing.
        columns.append(np.where(known, np.searchsorted(distinct, values), -1))
        meanings.append(_Meaning(number.column, None, distinct, not bool(known.all())))
    for category in plan.categories:
        column = table.categories[category.column]
        place = {level: i for i, level in enumerate(column.levels)}
        missing = bool((column.codes < 0).any())
        for level in category.levels:
            columns.append(column.codes == place.get(level, -2))
            meanings.append(_Meaning(category.column, level, np.zeros(0), missing))
        if category.missing:
            columns.append(column.codes < 0)
            meanings.append(_Meaning(category.column, None, np.zeros(0), missing))
    return np.stack(columns, axis=1).astype(np.float32), meanings


def _branches(
    rows: Table, features: np.typing.NDArray[np.float32], meanings: list[_Meaning], member: Bools, depth: int
) -> tuple[tuple[Condition, ...], ...]:
    """Branches of the tree for as long as one more makes the rule truer to the members it was grown on."""
    from sklearn.tree import DecisionTreeClassifier

    if member.all() or not member.any():
        return ()
    least = max(5, int(0.02 * member.sum()))
    tree = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=least, class_weight="balanced", random_state=0)
    leaves = tree.fit(features, member).apply(features)
    hits, sizes = np.bincount(leaves, member), np.bincount(leaves)
    taken: list[int] = []
    best = 0.0
    for leaf in np.argsort(-hits / np.maximum(sizes, 1), kind="stable")[: _BRANCHES * 4].tolist():
        if len(taken) == _BRANCHES or hits[leaf] == 0:
            break
        trial = [*taken, leaf]
        score = 2 * hits[trial].sum() / (sizes[trial].sum() + member.sum())
        if score > best + 0.01:
            taken, best = trial, score
    paths = _paths(tree.tree_, meanings)
    return tuple(_plainer(_joined(paths[leaf]), rows) for leaf in taken if paths[leaf])


def _plainer(way: tuple[Condition, ...], rows: Table) -> tuple[Condition, ...]:
    """Without what the other conditions rule out already: a whole condition, or its "or missing"."""
    kept = list(way)
    for condition in sorted(way, key=lambda c: c.op not in ("is known", "is missing")):
        at = kept.index(condition)
        others = _all([c for i, c in enumerate(kept) if i != at], rows)
        now = others & condition.holds(rows)
        strict = replace(condition, or_missing=False)
        if len(kept) > 1 and np.array_equal(others, now):
            kept.pop(at)
        elif condition.or_missing and np.array_equal(others & strict.holds(rows), now):
            kept[at] = strict
    return tuple(kept)


def _all(conditions: Iterable[Condition], rows: Table) -> Bools:
    return reduce(np.logical_and, [c.holds(rows) for c in conditions], np.ones(rows.size, dtype=bool))


def _paths(tree: Any, meanings: list[_Meaning]) -> dict[int, list[Condition]]:
    """The conditions on the way to each leaf."""
    found: dict[int, list[Condition]] = {}
    stack: list[tuple[int, list[Condition]]] = [(0, [])]
    while stack:
        node, way = stack.pop()
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left < 0:
            found[node] = way
            continue
        meaning, bound = meanings[int(tree.feature[node])], float(tree.threshold[node])
        low, high = _sides(meaning, bound)
        stack += [(left, [*way, low]), (right, [*way, high])]
    return found


def _sides(meaning: _Meaning, bound: float) -> tuple[Condition, Condition]:
    name = meaning.column
    if meaning.level is not None:
        texts = (meaning.level,)
        return Condition(name, "not in", texts, or_missing=meaning.missing), Condition(name, "in", texts)
    if len(meaning.values) == 0:
        return Condition(name, "is known"), Condition(name, "is missing")
    if bound < 0:
        return Condition(name, "is missing"), Condition(name, "is known")
    place = floor(bound)
    value = short(float(meaning.values[place]), float(meaning.values[place + 1]))
    return Condition(name, "<=", value, or_missing=meaning.missing), Condition(name, ">", value)


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


def _joined(way: list[Condition]) -> tuple[Condition, ...]:
    """One condition for each column and direction: the tighter bound, the levels together."""
    joined: dict[tuple[str, Operator], Condition] = {}
    for condition in way:
        key = (condition.column, condition.op)
        joined[key] = _both(joined[key], condition) if key in joined else condition
    return tuple(_without_idle(joined))


def _both(a: Condition, b: Condition) -> Condition:
    if isinstance(a.value, float) and isinstance(b.value, float):
        tight = min(a.value, b.value) if a.op == "<=" else max(a.value, b.value)
        return Condition(a.column, a.op, tight, a.or_missing and b.or_missing)
    if a.op == "not in" and isinstance(a.value, tuple) and isinstance(b.value, tuple):
        return Condition(a.column, a.op, tuple(sorted({*a.value, *b.value})), a.or_missing and b.or_missing)
    return a


def _without_idle(joined: dict[tuple[str, Operator], Condition]) -> list[Condition]:
    """Leave out what another condition of the column says already, and missing where it is ruled out."""
    out = []
    for (column, op), condition in joined.items():
        others = {o for c, o in joined if c == column and o != op}
        if (op == "is known" and others & {">", "in"}) or (op == "not in" and "in" in others):
            continue
        excluded = bool(others & {">", "in", "is known"})
        if op == "is known" and others & {"<=", "not in"}:
            continue
        out.append(Condition(column, op, condition.value, condition.or_missing and not excluded))
    return out


def _any(branches: tuple[tuple[Condition, ...], ...], table: Table) -> Bools:
    named = np.zeros(table.size, dtype=bool)
    for branch in branches:
        named |= _all(branch, table)
    return named
