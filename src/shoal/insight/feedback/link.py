"""What customers did after they answered, by what they answered: observed, not tried.

For each customer the newest answer that has the whole window behind it counts, and the window begins with that answer, so
that all are watched for equally long. As much time before the answer is shown beside it: who bought more before buys more
after, whatever they answered. The matched difference compares only customers who had ordered as often before, or nearly.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import ceil, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY, from_instant
from shoal.errors import Refused
from shoal.insight.feedback.asked import MICRO, NPS
from shoal.insight.feedback.scores import LEAST, LEVEL, SEEN
from shoal.stats.intervals import Interval, Moments, mean_difference, mean_interval, z_value
from shoal.stats.multiple import holm
from shoal.stats.student import t_quantile
from shoal.wording import counted, dated, noun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.feedback.asked import Question
    from shoal.insight.sales import Sales
    from shoal.sql.store import Store

    Floats = npt.NDArray[np.float64]

OUTCOMES = ("orders", "spend", "silent")
"""Orders and net spend in the window, and whether there was no order at all."""
_STRATA = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 19, 24, 30, 37, 46, 58)
"""Customers are matched by their orders before the answer: exactly up to 7, and within a quarter above. Wider classes
would leave the heavier buyers of a class on one side."""
_FIFTH = 0.2
_PAIR = 2


@dataclass(frozen=True, slots=True)
class Group:
    """Those who gave one kind of answer.

    Args:
        name: ``promoters``, ``passives``, ``detractors``; ``satisfied``, ``others``.
        n: customers.
        after: by outcome, the mean in the window after the answer, with its interval; none for fewer than two.
        before: by outcome, the mean in as long a window before it.
    """

    name: str
    n: int
    after: Mapping[str, Interval]
    before: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two groups on one outcome.

    Args:
        a: the first group.
        b: the second.
        outcome: one of ``OUTCOMES``.
        difference: mean of the first less mean of the second, with Welch's interval.
        matched: the same among customers who had ordered about as often before; None where too few can be matched.
        matched_n: customers that are in it.
        p: two-sided, of the matched difference where there is one, else of the plain one.
        adjusted: p after Holm's correction over all comparisons.
        needed: customers that it takes in each group to see a difference of a fifth of their mean, four times in five;
            None where nobody bought.
    """

    a: str
    b: str
    outcome: str
    difference: Interval
    matched: Interval | None
    matched_n: int
    p: float
    adjusted: float
    needed: int | None

    @property
    def differs(self) -> bool:
        """Whether chance doesn't explain it."""
        return self.adjusted <= LEVEL


@dataclass(frozen=True, slots=True)
class Link:
    """What customers did after they answered.

    Args:
        measure: ``nps`` or ``csat``.
        days: how long they were watched.
        answered: customers whose answer has the window behind it.
        too_new: customers whose answers are all newer than that.
        groups: by answer.
        too_small: groups with fewer than ten customers, which aren't compared.
        comparisons: what was compared.
        currency: of the spend.
    """

    measure: str
    days: int
    answered: int
    too_new: int
    groups: tuple[Group, ...]
    too_small: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    currency: str

    def sentences(self) -> list[str]:
        """The findings in words."""
        sizes = {group.name: group.n for group in self.groups}
        said = [self._sentence(c, min(sizes[c.a], sizes[c.b])) for c in self.comparisons]
        if self.too_small:
            listed = ", ".join(f"{name} ({sizes[name]})" for name in self.too_small)
            said.append(f"Too few to compare: {listed}; it takes {LEAST} at least.")
        if self.too_new:
            fewer = " Fewer days would take some of them in." if self.too_small else ""
            who = f"{counted(self.too_new, 'customer')} answered less than {counted(self.days, 'day')} ago"
            said.append(f"{who}, and {noun(self.too_new, 'isn', 'aren')}'t in it.{fewer}")
        said.append(
            "Nobody drew lots over who is content: this says what goes together, and nothing about what would follow if "
            "more of them were."
        )
        return said

    def _sentence(self, c: Comparison, n: int) -> str:
        figure = {"orders": _plain, "spend": self._money, "silent": _points}[c.outcome]
        what = {"orders": "orders", "spend": "spend", "silent": "customers without an order"}[c.outcome]
        gap = c.matched or c.difference
        among = "who had ordered about as often before" if c.matched else "as they are"
        if c.differs:
            more = "more" if gap.value > 0 else "less" if c.outcome == "spend" else "fewer"
            ends = sorted((abs(gap.low), abs(gap.high)))
            return (
                f"{c.a.capitalize()} against {c.b} {among}: {figure(abs(gap.value))} {more} {what} in "
                f"{counted(self.days, 'day')} ({figure(ends[0])} to {figure(ends[1])})."
            )
        said = (
            f"{c.a.capitalize()} against {c.b} {among}: no difference in {what} is shown "
            f"({figure(gap.low)} to {figure(gap.high)})."
        )
        if c.needed is not None and n < c.needed:
            said += f" To see a difference of a fifth takes about {c.needed:,} in each; the smaller has {n:,}."
        return said

    def _money(self, value: float) -> str:
        return f"{value:,.0f} {self.currency}"

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        groups = [
            {"name": g.name, "n": g.n, "after": {k: v._asdict() for k, v in g.after.items()}, "before": dict(g.before)}
            for g in self.groups
        ]
        comparisons = [
            asdict(c)
            | {
                "difference": c.difference._asdict(),
                "matched": c.matched and c.matched._asdict(),
                "differs": c.differs,
            }
            for c in self.comparisons
        ]
        return {
            "measure": self.measure,
            "days": self.days,
            "answered": self.answered,
            "too_new": self.too_new,
            "groups": groups,
            "too_small": list(self.too_small),
            "comparisons": comparisons,
            "says": self.sentences(),
        }


def _plain(value: float) -> str:
    return f"{value:.2f}"


def _points(value: float) -> str:
    return f"{100 * value:.0f} % points"


@dataclass(frozen=True, eq=False)
class _Watched:
    """For each customer the score, and each outcome after and before."""

    score: Floats
    after: Mapping[str, Floats]
    before: Mapping[str, Floats]


def link(store: Store, sales: Sales, asked: Question, days: int) -> Link:
    """Hold those who answered differently beside each other, by what they did in the days after their answer.

    Args:
        store: the workspace's store.
        sales: the orders up to an instant; answers up to as many days before it count.
        asked: the question.
        days: how long each is watched.

    Raises:
        Refused: nobody's answer has so many days behind it, there is no order, or the answers are of another scale.
    """
    asked.beyond(store, sales.at)
    until = sales.at - days * DAY
    ((first, answers, old),) = store.rows(
        f"SELECT min(ts), count(DISTINCT customer), count(DISTINCT CASE WHEN ts <= {until:d} THEN customer END) "
        f"FROM ({asked.answers(store, sales.at)})"
    )
    if not old:
        since = f" The first answer is of {dated(from_instant(int(first)))}." if first is not None else ""
        raise Refused(f"No answer has {counted(days, 'day')} behind it.{since}", fix="Take fewer days, or wait.")
    watched = _watch(store, sales, asked, until, days)
    if not watched.after["orders"].any() and not watched.before["orders"].any():
        raise Refused(f'Those who answered have no "{sales.rule.orders}" around it.', fix="Load orders first.")
    split = _split(watched.score, asked)
    groups = tuple(_group(name, mask, watched) for name, mask in split.items())
    small = tuple(group.name for group in groups if group.n < LEAST)
    able = [name for name in split if name not in small]
    found = _compare(watched, split, able)
    return Link(asked.measure, days, int(old), int(answers - old), groups, small, tuple(found), sales.rule.currency)


def _watch(store: Store, sales: Sales, asked: Question, until: int, days: int) -> _Watched:
    over, orders, money = (
        days * DAY,
        "count(CASE WHEN s.is_order AND {} THEN 1 END)",
        "sum(CASE WHEN {} THEN s.revenue END)",
    )
    after, before = "s.ts > a.ts", "s.ts <= a.ts"
    table = store.arrow(
        f"SELECT a.customer, any_value(a.score) AS score, {orders.format(after)} AS orders_after, "
        f"{orders.format(before)} AS orders_before, CAST(coalesce({money.format(after)}, 0) AS DOUBLE) AS spend_after, "
        f"CAST(coalesce({money.format(before)}, 0) AS DOUBLE) AS spend_before "
        f"FROM ({asked.newest(store, until)}) a LEFT JOIN {sales.table} s ON s.customer = a.customer "
        f"AND s.ts > a.ts - {over:d} AND s.ts <= a.ts + {over:d} GROUP BY a.customer ORDER BY a.customer"
    )
    column = {name: np.asarray(table[name].to_numpy(), dtype=np.float64) for name in table.column_names}
    sides = [
        {
            "orders": column[f"orders_{side}"],
            "spend": column[f"spend_{side}"] / MICRO,
            "silent": (column[f"orders_{side}"] == 0).astype(np.float64),
        }
        for side in ("after", "before")
    ]
    return _Watched(column["score"] / MICRO, *sides)


def _split(score: Floats, asked: Question) -> dict[str, npt.NDArray[np.bool_]]:
    top, middle = score >= asked.scale.top, score >= asked.scale.middle
    if asked.measure == NPS:
        return {"promoters": top, "passives": middle & ~top, "detractors": ~middle}
    return {"satisfied": top, "others": ~top}


def _group(name: str, mask: npt.NDArray[np.bool_], watched: _Watched) -> Group:
    n = int(mask.sum())
    if n < _PAIR:
        return Group(name, n, {}, {})
    after = {outcome: mean_interval(_moments(watched.after[outcome][mask])) for outcome in OUTCOMES}
    # Fewer than no orders there can't be; spend there can, by refunds.
    after["orders"] = after["orders"]._replace(low=max(0.0, after["orders"].low))
    before = {outcome: float(watched.before[outcome][mask].mean()) for outcome in OUTCOMES}
    return Group(name, n, after, before)


def _moments(values: Floats) -> Moments:
    return Moments(len(values), float(values.mean()), float(values.var(ddof=1)) if len(values) > 1 else 0.0)


def _compare(watched: _Watched, split: Mapping[str, npt.NDArray[np.bool_]], able: Sequence[str]) -> list[Comparison]:
    """The happiest group beside each other one, on each outcome."""
    first = next(iter(split))
    pairs = [(first, other) for other in able if other != first] if first in able else []
    stratum = np.digitize(watched.before["orders"], _STRATA)
    found = [
        _comparison(a, b, outcome, watched.after[outcome], split[a], split[b], stratum)
        for a, b in pairs
        for outcome in OUTCOMES
    ]
    adjusted = holm([c.p for c in found]).tolist()
    return [replace(c, adjusted=value) for c, value in zip(found, adjusted, strict=True)]


def _comparison(
    a: str,
    b: str,
    outcome: str,
    values: Floats,
    mine: npt.NDArray[np.bool_],
    theirs: npt.NDArray[np.bool_],
    stratum: npt.NDArray[Any],
) -> Comparison:
    first, second = _moments(values[mine]), _moments(values[theirs])
    plain = mean_difference(first, second)
    matched, n = _matched(values, mine, theirs, stratum)
    gap = matched or plain
    error = (gap.high - gap.low) / (2 * z_value())
    p = 2 * NormalDist().cdf(-abs(gap.value) / error) if error else float(gap.value == 0)
    return Comparison(a, b, outcome, plain, matched, n, p, p, _needed(first, second))


def _matched(
    values: Floats, mine: npt.NDArray[np.bool_], theirs: npt.NDArray[np.bool_], stratum: npt.NDArray[Any]
) -> tuple[Interval | None, int]:
    """The difference within strata, each weighed by what it can tell (n m / (n + m), as Mantel and Haenszel do)."""
    total = weights = variance = spread = 0.0
    n = 0
    for one in np.unique(stratum):
        here, there = values[mine & (stratum == one)], values[theirs & (stratum == one)]
        if min(len(here), len(there)) < _PAIR:
            continue
        weight = len(here) * len(there) / (len(here) + len(there))
        total += weight * (here.mean() - there.mean())
        for side in (here, there):
            part = weight**2 * side.var(ddof=1) / len(side)
            variance += part
            spread += part**2 / (len(side) - 1)
        weights += weight
        n += len(here) + len(there)
    if not weights or n < 2 * LEAST:
        return None, n
    # Welch and Satterthwaite's degrees of freedom: the variance of a small stratum is itself a guess.
    wide = t_quantile(0.975, variance**2 / spread) if spread else z_value()
    half, gap = wide * sqrt(variance) / weights, float(total / weights)
    return Interval(gap, gap - half, gap + half), n


def _needed(a: Moments, b: Moments) -> int | None:
    """n = 2 (1.96 + 0.84)² s² / d² in each group, where d is a fifth of the mean."""
    mean = (a.mean + b.mean) / 2
    spread = (a.variance + b.variance) / 2
    if mean <= 0 or not spread:
        return None
    return ceil(2 * SEEN**2 * spread / (_FIFTH * mean) ** 2)
