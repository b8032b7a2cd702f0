"""What came of those who were drawn to get something, in orders and money, against those who were drawn not to.

Of every randomised campaign, wherever it is declared (an experiment, a pilot, ``trials:``), money is worked out here and nowhere
else: net revenue by the workspace's rule, from each customer's first exposure to the end of their window, nothing cut.
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.metrics.incremental import Return, incremental_conversions, of_effect, returned
from shoal.lang.nodes import MemberOf
from shoal.stats.experiments.arms import Arm, mean
from shoal.stats.experiments.comparing import Effect, gap, welch
from shoal.stats.experiments.sequential import always_valid
from shoal.stats.intervals import Interval, z_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.pilots.definition import Cost, Margin
    from shoal.stats.experiments.comparing import Gap

    Bools = npt.NDArray[np.bool_]

_numbers = itertools.count(1)
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Money:
    """What an arm brought beyond the control, of all customers or of a segment's.

    Args:
        segment: its slug; None is all.
        exposed: customers who were drawn to get it.
        holdout: customers who were drawn not to.
        conversions: how many more of the exposed ordered; None where nobody differs.
        revenue: what they spent more, in all; None likewise.
        each: the same per customer.
        margin: of that revenue; None where no margin is known.
        spend: what it cost; None where nobody said.
        back: against what it cost; None without.
        baseline_variance: of the holdout's mean revenue, which the arms of an experiment share.
        refused: why there is nothing to say.
    """

    segment: str | None
    exposed: int
    holdout: int
    conversions: Interval | None = None
    revenue: Interval | None = None
    each: Effect | None = None
    margin: Interval | None = None
    spend: float | None = None
    back: Return | None = None
    baseline_variance: float = 0.0
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """By what money is reckoned.

    Args:
        cost: of the campaign; None where nobody said.
        margin: the share of revenue, ``data``, or None.
        over: whether it is over: before, intervals hold at all moments together and are wider.
    """

    cost: Cost | None = None
    margin: Margin = None
    over: bool = True

    def effect(self, found: Gap) -> Effect:
        """The effect with the interval that may be read now."""
        return welch(found) if self.over else always_valid(found)


@dataclass(frozen=True, slots=True, eq=False)
class Came:
    """Sums of orders and money by arm and by which of some segments customers were in.

    Args:
        arms: names, the control first.
        segments: slugs.
        arm: of each cell, the place of its arm.
        inside: cells × segments.
        n: customers of each cell.
        sums: by name, of each cell: ``revenue``, ``margin`` and ``converted``, and the first two squared as ``…2``.
    """

    arms: tuple[str, ...]
    segments: tuple[str, ...]
    arm: npt.NDArray[np.int64]
    inside: Bools
    n: npt.NDArray[np.int64]
    sums: dict[str, npt.NDArray[np.float64]]

    def of(self, arm: str, terms: Terms, segment: str | None = None) -> Money:
        """What an arm brought, of all customers or of a segment's; fixed costs count for all only."""
        here = self._here(segment)
        mine, theirs = here & (self.arm == self.arms.index(arm)), here & (self.arm == 0)
        n, m = int(self.n[mine].sum()), int(self.n[theirs].sum())
        try:
            return self._money(segment, mine, theirs, (n, m), terms)
        except Refused as refusal:
            return Money(segment, n, m, refused=str(refusal))

    def _here(self, segment: str | None) -> Bools:
        if segment is None:
            return np.ones(len(self.arm), dtype=bool)
        return np.asarray(self.inside[:, self.segments.index(segment)], dtype=bool)

    def _money(self, segment: str | None, mine: Bools, theirs: Bools, sizes: tuple[int, int], terms: Terms) -> Money:
        n, m = sizes
        exposed, held = self.side("revenue", mine), self.side("revenue", theirs)
        each = terms.effect(gap(mean(held), mean(exposed)))
        revenue = of_effect(each, n, randomised=True)
        margin = self._margin(revenue, mine, theirs, n, terms)
        spend = None if terms.cost is None else terms.cost.of(n, fixed=segment is None)
        return Money(
            segment, n, m, self._conversions(mine, theirs, sizes, terms), revenue, each, margin, spend,
            returned(revenue, margin, spend) if spend else None, mean(held).variance,
        )  # fmt: skip

    def side(self, name: str, which: Bools) -> Arm:
        """The moments of a sum over some cells.

        Raises:
            Refused: for fewer than two customers.
        """
        return Arm.of_sums(
            int(self.n[which].sum()), [self.sums[name][which].sum()], [[self.sums[f"{name}2"][which].sum()]]
        )

    def _conversions(self, mine: Bools, theirs: Bools, sizes: tuple[int, int], terms: Terms) -> Interval | None:
        (n, m), (hits, held) = sizes, (float(self.sums["converted"][which].sum()) for which in (mine, theirs))
        if terms.over:
            return incremental_conversions((hits, n), (held, m), randomised=True)
        try:
            apart = gap(mean(Arm.of_share(held, m)), mean(Arm.of_share(hits, n)))
        except Refused:
            return None
        return of_effect(always_valid(apart), n, randomised=True)

    def _margin(self, revenue: Interval, mine: Bools, theirs: Bools, n: int, terms: Terms) -> Interval | None:
        if terms.margin is None:
            return None
        if terms.margin == "data":
            apart = gap(mean(self.side("margin", theirs)), mean(self.side("margin", mine)))
            return of_effect(terms.effect(apart), n, randomised=True)
        return Interval(*(end * terms.margin for end in revenue))


def total(parts: Sequence[Sequence[Money]]) -> Interval | None:
    """The revenue of several campaigns together, with the interval of their sum.

    Args:
        parts: of each experiment its arms, which share a holdout; experiments count as independent of each other.
    """
    found = [[one for one in arms if one.each is not None] for arms in parts]
    value = sum(one.exposed * one.each.value for arms in found for one in arms if one.each)
    variance = sum(_variance(arms) for arms in found)
    if not any(found):
        return None
    half = z_value() * sqrt(variance)
    return Interval(value, value - half, value + half)


def _variance(arms: Sequence[Money]) -> float:
    """Of the sum of arms that are held against the same holdout: its error counts once for all of them."""
    if not arms:
        return 0.0
    shared = arms[0].baseline_variance
    own = sum(one.exposed**2 * max(one.each.se**2 - shared, 0.0) for one in arms if one.each)
    return own + sum(one.exposed for one in arms) ** 2 * shared


# ------------------------------------------------------------ from the store


def came(known: AsOf, table: str, arms: Sequence[str], segments: Sequence[str] = ()) -> Came:
    """Sums of orders and money by arm and segment.

    Args:
        known: the store as of an instant.
        table: a relation of ``k``, ``who``, ``arm`` (a place in ``arms``), ``begin`` and ``t``, with a row at least; money
            counts from ``begin`` to ``t``, both included.
        arms: names, the control first.
        segments: slugs; who is in which is looked at the instant before ``begin``, so that nothing that came of it counts.
    """
    names = [f"s{i}" for i in range(len(segments))]
    with placed(known, table, segments) as parts:
        source = f"{table} u" + (f" JOIN {parts} p ON p.k = u.k" if parts else "")
        found = known.arrow(_sums(known.sales.table, source, names))
    held: dict[str, Any] = {name: found[name].to_numpy(zero_copy_only=False) for name in found.column_names}
    many = len(held["n"])
    inside = np.column_stack([held[name].astype(bool) for name in names]) if names else np.zeros((many, 0), bool)
    sums = {name: held[name].astype(np.float64) for name in _SUMS}
    return Came(tuple(arms), tuple(segments), held["arm"].astype(np.int64), inside, held["n"].astype(np.int64), sums)


_SUMS = ("revenue", "revenue2", "margin", "margin2", "converted")


def _sums(sales: str, source: str, names: Sequence[str]) -> str:
    each = (
        f"SELECT {', '.join(['u.k', 'u.arm', *(f'p.{name}' for name in names)])}, "
        f"CAST(coalesce(sum(s.revenue), 0) AS DOUBLE) / {_MICRO} AS revenue, "
        f"CAST(coalesce(sum(s.revenue - s.cost), 0) AS DOUBLE) / {_MICRO} AS margin, "
        "CAST(coalesce(bool_or(s.is_order), false) AS INTEGER) AS converted "
        f'FROM {source} LEFT JOIN {sales} s ON s.customer = u.who AND s.ts >= u."begin" AND s.ts <= u.t '
        f"GROUP BY {', '.join(['u.k', 'u.arm', *(f'p.{name}' for name in names)])}"
    )
    by = ", ".join(["arm", *names])
    return (
        f"SELECT {by}, count(*) AS n, sum(revenue) AS revenue, sum(revenue * revenue) AS revenue2, "
        f"sum(margin) AS margin, sum(margin * margin) AS margin2, sum(converted) AS converted FROM ({each}) e "
        f"GROUP BY {by} ORDER BY {by}"
    )


@contextmanager
def placed(known: AsOf, table: str, segments: Sequence[str]) -> Iterator[str | None]:
    """Who of some units was in which segments the instant before they began: a relation of ``k`` and ``s0``, ``s1`` …

    Yields:
        Its name; None where no segment is asked for.
    """
    if not segments:
        yield None
        return
    body = f'SELECT k, who, "begin" - 1 AS "begin", "begin" - 1 AS t FROM {table}'
    nodes = {f"s{i}": MemberOf(slug) for i, slug in enumerate(segments)}
    units = f"units_before_{next(_numbers)}"
    with known.temporary(units, body) as made, known.columns(nodes, units=made) as found:
        yield found
