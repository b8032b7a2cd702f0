"""What segments did, seen beside their features: what they bought, when, for how much, and who may be reached."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from shoal.clock import DAY
from shoal.insight.models.asof import MICRO
from shoal.insight.reach import ADDRESSES
from shoal.lang.calendar import WEEKDAYS
from shoal.lang.schema import Basis, Kind
from shoal.stats.effects import lift
from shoal.stats.intervals import CONFIDENCE, Interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.insight.discovery.table import Ints
    from shoal.insight.models.asof import AsOf

PARTS = (("at night", 0, 6), ("in the morning", 6, 12), ("in the afternoon", 12, 17), ("in the evening", 17, 24))
MOST_BOUGHT = 3
_BUYERS_AT_LEAST = 0.1


@dataclass(frozen=True, slots=True)
class Bought:
    """A category that a segment's customers buy more often than the others.

    Args:
        what: the category or brand.
        buyers: members who bought it in the window.
        share: of the members.
        others: of all other customers.
        lift: how many times as common, with an interval that holds over all categories and segments together; infinite
            where none of the others bought it.
    """

    what: str
    buyers: int
    share: float
    others: float
    lift: Interval


@dataclass(frozen=True, slots=True)
class Time:
    """When a segment orders most, beside the others.

    Args:
        when: a weekday, or a part of the day.
        orders: of the segment's.
        share: of the segment's orders.
        others: of all other orders.
    """

    when: str
    orders: int
    share: float
    others: float


@dataclass(frozen=True, slots=True)
class Way:
    """A way to reach a segment: a purpose that consent allows, or an address that is known."""

    by: str
    name: str
    customers: int
    share: float
    others: float


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of one segment within the window.

    Args:
        revenue: of all its customers; None where there are no orders.
        middle: the median of theirs, who bought nothing counted in; None likewise.
        revenue_share: of that of all segments.
        bought: what they buy more often than the others.
        times: when they order most.
        ways: how they may be reached.
    """

    revenue: float | None
    middle: float | None
    revenue_share: float | None
    bought: tuple[Bought, ...]
    times: tuple[Time, ...]
    ways: tuple[Way, ...]


def observed(
    known: AsOf, consents: AsOf, owners: Ints, places: Ints, k: int, window: int, purposes: Mapping[str, Basis]
) -> list[Observed]:
    """What is to be told of each of k segments.

    Args:
        known: the store as of the fit.
        consents: the store as of the instant whose consent counts.
        owners: keys of the customers.
        places: the segment of each, 0 … k − 1.
        k: how many segments.
        window: days to look back.
        purposes: the workspace's, with their basis.
    """
    import pyarrow as pa

    sizes = [int((places == i).sum()) for i in range(k)]
    members = pa.table({"customer": pa.array(owners, pa.int32()), "place": pa.array(places, pa.int32())})
    since = known.at - window * DAY
    with known.beside(members) as groups:
        money = _money(known, groups, k, since)
        bought = _bought(known, groups, sizes, since)
        times = _times(known, groups, k, since)
        ways = list(_ways(known, consents, groups, sizes, purposes))
    total = sum(m.total for m in money if m is not None)
    return [
        Observed(
            None if mine is None else mine.total,
            None if mine is None else mine.middle,
            None if mine is None or total <= 0 else mine.total / total,
            tuple(bought[i]),
            tuple(times[i]),
            tuple(way[i] for way in ways),
        )
        for i, mine in enumerate(money)
    ]


class _Money(NamedTuple):
    total: float
    middle: float


def _money(known: AsOf, groups: str, k: int, since: int) -> list[_Money | None]:
    """The revenue of each segment, and the median of its customers'."""
    if known.first_order is None:
        return [None] * k
    found = known.arrow(
        f"SELECT place, CAST(sum(spent) AS DOUBLE) / {MICRO} AS total, median(spent) / {MICRO} AS middle FROM ("
        f"SELECT g.place, coalesce(sum(s.revenue), 0) AS spent FROM {groups} g "
        f"LEFT JOIN {known.sales.table} s ON s.customer = g.customer AND s.ts > {since:d} GROUP BY g.place, g.customer) "
        "GROUP BY place"
    )
    of = {row["place"]: _Money(float(row["total"]), float(row["middle"])) for row in found.to_pylist()}
    return [of.get(i, _Money(0.0, 0.0)) for i in range(k)]


# ---------------------------------------------------------------- what


def _bought(known: AsOf, groups: str, sizes: Sequence[int], since: int) -> list[list[Bought]]:
    lines = known.lines if known.first_order is not None else None
    if lines is None or len(sizes) < 2:
        return [[] for _ in sizes]
    what = "category" if lines.has_category else "brand"
    if not (lines.has_category or lines.has_brand):
        return [[] for _ in sizes]
    found = known.arrow(
        f"SELECT place, {what} AS what, count(DISTINCT customer) AS buyers FROM {lines.table} "
        f"JOIN {groups} USING (customer) WHERE ts > {since:d} AND {what} IS NOT NULL AND {what} <> '' GROUP BY ALL"
    )
    counts: dict[str, dict[int, int]] = {}
    for place, name, buyers in zip(*(found[c].to_pylist() for c in ("place", "what", "buyers")), strict=True):
        counts.setdefault(name, {})[place] = buyers
    # One interval in twenty of hundreds would miss its mark: all of them together are to hold.
    confidence = 1 - (1 - CONFIDENCE) / max(len(counts) * len(sizes), 1)
    return [_most(counts, sizes, i, confidence) for i in range(len(sizes))]


def _most(counts: Mapping[str, Mapping[int, int]], sizes: Sequence[int], at: int, confidence: float) -> list[Bought]:
    rest = sum(sizes) - sizes[at]
    found = []
    for name, buyers in counts.items():
        mine = buyers.get(at, 0)
        other = sum(buyers.values()) - mine
        if mine < _BUYERS_AT_LEAST * sizes[at] or not rest:
            continue
        times = lift((mine, sizes[at]), (other, rest), confidence)
        if times.low > 1:
            found.append(Bought(name, mine, mine / sizes[at], other / rest, times))
    return sorted(found, key=lambda b: (-b.lift.low, b.what))[:MOST_BOUGHT]


# ---------------------------------------------------------------- when


def _times(known: AsOf, groups: str, k: int, since: int) -> list[list[Time]]:
    """The weekday, and the part of the day, in which a segment's share of orders stands out most."""
    if known.first_order is None:
        return [[] for _ in range(k)]
    found = known.arrow(
        # 1970-01-01 was a Thursday.
        f"SELECT place, (day + 3) % 7 AS weekday, hour, count(*) AS n FROM {known.sales.table} "
        f"JOIN {groups} USING (customer) WHERE is_order AND ts > {since:d} GROUP BY ALL"
    )
    rows = list(zip(*(found[c].to_pylist() for c in ("place", "weekday", "hour", "n")), strict=True))
    sides = [[(place, WEEKDAYS[day], n) for place, day, _, n in rows]]
    # A source of dates without a time says nothing of hours.
    if len({hour for _, _, hour, _ in rows}) > 1:
        sides.append([(place, _part(hour), n) for place, _, hour, n in rows])
    return [[t for side in sides if (t := _standing_out(side, i)) is not None] for i in range(k)]


def _part(hour: int) -> str:
    return next(name for name, low, high in PARTS if low <= hour < high)


def _standing_out(rows: Sequence[tuple[int, str, int]], at: int) -> Time | None:
    mine: Counter[str] = Counter()
    rest: Counter[str] = Counter()
    for place, when, n in rows:
        (mine if place == at else rest)[when] += n
    if not (mine and rest):
        return None
    all_mine, all_rest = mine.total(), rest.total()
    found = [Time(when, mine[when], mine[when] / all_mine, rest[when] / all_rest) for when in sorted({*mine, *rest})]
    return max(found, key=lambda t: t.share - t.others)


# ---------------------------------------------------------------- how


def _ways(
    known: AsOf, consents: AsOf, groups: str, sizes: Sequence[int], purposes: Mapping[str, Basis]
) -> Iterator[list[Way]]:
    for purpose, basis in purposes.items():
        if basis is Basis.NONE:
            continue
        unknown = "true" if basis is Basis.LEGITIMATE_INTEREST else "false"
        join = f"LEFT JOIN ({consents.consents(purpose)}) c ON c.customer = g.customer"
        yield _counted(known, groups, sizes, "purpose", purpose, join, f"coalesce(c.granted, {unknown})")
    traits = {t.name.casefold(): t for t in known.traits if t.kind is Kind.TEXT}
    for channel, names in ADDRESSES.items():
        trait = next((traits[n] for n in names if n in traits), None)
        if trait is not None:
            join = f"LEFT JOIN ({known.trait(trait)}) c ON c.owner = g.customer"
            yield _counted(known, groups, sizes, "address", channel, join, "coalesce(c.value, '') <> ''")


def _counted(known: AsOf, groups: str, sizes: Sequence[int], by: str, name: str, join: str, test: str) -> list[Way]:
    found = known.arrow(f"SELECT place, count(*) FILTER (WHERE {test}) AS n FROM {groups} g {join} GROUP BY place")
    of = dict(zip(found["place"].to_pylist(), found["n"].to_pylist(), strict=True))
    counts = [int(of.get(i, 0)) for i in range(len(sizes))]
    everyone, size = sum(counts), sum(sizes)
    return [
        Way(by, name, n, n / max(sizes[i], 1), (everyone - n) / max(size - sizes[i], 1)) for i, n in enumerate(counts)
    ]
