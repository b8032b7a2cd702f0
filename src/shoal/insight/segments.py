"""Segments as a whole: the table that people manage them by, and the card that says how good they are."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from shoal.clock import from_instant
from shoal.insight.distinct import Difference, differences
from shoal.insight.evaluation import Without
from shoal.insight.overlap import Duplicate, Overlaps, duplicates, overlaps
from shoal.insight.reach import Reach, reachable
from shoal.insight.sales import open_sales
from shoal.insight.standing import unscored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from shoal.insight.evaluation import Evaluation
    from shoal.insight.sales import Sales
    from shoal.lang.nodes import Definition
    from shoal.lang.schema import Schema
    from shoal.shapes import RevenueRule
    from shoal.sql.store import Store

MANAGEABLE = 30
"""More segments than this are too many to treat differently; a warning says so."""
SUBSTANTIAL = 30
"""Fewer customers than this are too few to measure anything on."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a segment's customers brought: revenue net of refunds, orders, margin (None without cost data)."""

    size: int
    revenue: float
    orders: int
    margin: float | None


def contributions(store: Store, evaluation: Evaluation, sales: Sales) -> tuple[Contribution, dict[str, Contribution]]:
    """What everyone brought, and the customers of each segment, in one query."""
    tests = ["true", *(f'coalesce(e."{column}", false)' for column in evaluation.columns.values())]
    sums = ", ".join(
        f"sum(CASE WHEN {test} THEN 1 ELSE 0 END), sum(CASE WHEN {test} THEN c.revenue END), "
        f"sum(CASE WHEN {test} THEN c.orders END), sum(CASE WHEN {test} THEN c.margin END)"
        for test in tests
    )
    (row,) = store.rows(
        f"SELECT {sums} FROM {evaluation.table} e LEFT JOIN (SELECT customer, sum(revenue) AS revenue, "
        f"sum(CASE WHEN is_order THEN 1 ELSE 0 END) AS orders, {sales.margin()} AS margin FROM {sales.table} "
        "GROUP BY customer) c ON c.customer = e.customer"
    )
    found = [_contribution(*row[i : i + 4]) for i in range(0, len(row), 4)]
    return found[0], dict(zip(evaluation.columns, found[1:], strict=True))


def _contribution(size: int | None, revenue: int | None, orders: int | None, margin: int | None) -> Contribution:
    money = None if margin is None else int(margin) / 1e6
    return Contribution(int(size or 0), int(revenue or 0) / 1e6, int(orders or 0), money)


def segment_table(
    store: Store,
    evaluation: Evaluation,
    definitions: Mapping[str, Definition],
    rule: RevenueRule,
    *,
    previous: Evaluation | None = None,
    known_at: int | None = None,
) -> pa.Table:
    """One row a segment, in the order of the evaluation.

    Args:
        store: the workspace's store.
        evaluation: who is in which segment.
        definitions: the segments by slug, for their names.
        rule: what counts as revenue, as an order and as cost.
        previous: an earlier evaluation, for the change.
        known_at: the figures are of what had been received by then, as both evaluations are; None for all.

    Returns:
        Columns: slug, name, size (customers), share (of all customers), revenue (net of refunds, since the first
        order), revenue_share, orders, margin (NULL without cost data), margin_share, change (of the size since
        ``previous``; NULL where that didn't have the segment or couldn't know its size), unscored_before (the instant
        from which on something can be said, for a segment whose scores were first worked out after the evaluation;
        all figures are NULL then).
    """
    import pyarrow as pa

    with open_sales(store, rule, evaluation.at, known_at) as sales:
        everyone, by_slug = contributions(store, evaluation, sales)
    unknown = unscored(store, definitions, evaluation.at, known_at)
    before = previous.sizes() if previous is not None else {}
    if previous is not None:
        before = {
            slug: n for slug, n in before.items() if slug not in unscored(store, definitions, previous.at, known_at)
        }
    rows = [
        {"slug": slug, "name": definitions[slug].name, "unscored_before": from_instant(unknown[slug])}
        if slug in unknown
        else {
            "slug": slug,
            "name": definitions[slug].name if slug in definitions else slug,
            "size": found.size,
            "share": _share(found.size, everyone.size),
            "revenue": found.revenue,
            "revenue_share": _share(found.revenue, everyone.revenue),
            "orders": found.orders,
            "margin": found.margin,
            "margin_share": None if found.margin is None else _share(found.margin, everyone.margin or 0.0),
            "change": found.size - before[slug] if slug in before else None,
        }
        for slug, found in by_slug.items()
    ]
    types = (
        pa.string(),
        pa.string(),
        pa.int64(),
        *[pa.float64()] * 3,
        pa.int64(),
        pa.float64(),
        pa.float64(),
        pa.int64(),
        pa.timestamp("us", tz="UTC"),
    )
    return pa.Table.from_pylist(rows, schema=pa.schema(zip(_COLUMNS, types, strict=True)))


_COLUMNS = (
    "slug", "name", "size", "share", "revenue", "revenue_share", "orders", "margin", "margin_share", "change",
    "unscored_before",
)  # fmt: skip


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


# ------------------------------------------------------------ the card


@dataclass(frozen=True, slots=True)
class Quality:
    """How good the segments are, each and together.

    Args:
        at: the instant.
        names: display names by slug.
        everyone: what all customers brought.
        contributions: what each segment's customers brought.
        overlaps: of every pair, and who is in no segment.
        duplicates: segments that are nearly the same.
        differences: for each segment, what sets its customers apart, on variables not used to build it.
        reach: for each segment, how many can be reached by each channel and purpose.
        warnings: what should be mended, in words.
        unscored: segments that nothing can be said of at the instant, with the one from which on their scores are
            known; they are in none of the others.
    """

    at: int
    names: Mapping[str, str]
    everyone: Contribution
    contributions: Mapping[str, Contribution]
    overlaps: Overlaps
    duplicates: tuple[Duplicate, ...]
    differences: Mapping[str, list[Difference]]
    reach: Mapping[str, list[Reach]]
    warnings: tuple[str, ...]
    unscored: Mapping[str, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """A JSON-ready form."""
        segments = {
            slug: {
                "name": self.names[slug],
                **asdict(found),
                "share": _share(found.size, self.everyone.size),
                "revenue_share": _share(found.revenue, self.everyone.revenue),
                "differences": [asdict(d) | {"difference": d.difference._asdict()} for d in self.differences[slug]],
                "reach": [asdict(r) for r in self.reach[slug]],
            }
            for slug, found in self.contributions.items()
        }
        return {
            "at": self.at,
            "customers": self.everyone.size,
            "in_no_segment": self.overlaps.in_none,
            "coverage": self.overlaps.coverage,
            "segments": segments,
            "pairs": [asdict(pair) for pair in self.overlaps.pairs],
            "duplicates": [asdict(d) for d in self.duplicates],
            "warnings": list(self.warnings),
            "unscored": dict(self.unscored),
        }

    def lines(self) -> Iterator[str]:
        """The card as lines of text."""
        total, none = self.everyone.size, self.overlaps.in_none
        yield (
            f"{_counted(total, 'customer')}, {_counted(len(self.names), 'segment')}; "
            f"{none:,} ({100 * _share(none, total):.1f} %) in none."
        )
        yield from self.warnings
        overlapping = [pair for pair in self.overlaps.pairs if pair.both][:10]
        if overlapping:
            yield from ("", "Largest overlaps:")
        for pair in overlapping:
            a, b = self.names[pair.a], self.names[pair.b]
            yield (
                f"  {a} / {b}: {pair.both:,} in both, {100 * pair.share_of_a:.0f} % of {a}, "
                f"{100 * pair.share_of_b:.0f} % of {b}, "
                f"{pair.lift or 0:.1f} times chance"
            )
        if any(self.differences.values()):
            yield from ("", "What makes them different from all other customers:")
        for slug, found in self.differences.items():
            for difference in found:
                yield f"  {self.names[slug]}: {said(difference)}"


def said(difference: Difference) -> str:
    """A difference in words.

    >>> from shoal.stats.intervals import Interval
    >>> gap = Interval(0.2, 0.1, 0.3)
    >>> said(Difference("city", "Oslo", 0.3, 0.1, gap, Interval(3.0, 2.0, 4.5), 0.2, 50))
    'city Oslo is 30 % here and 10 % elsewhere: 3.0 times as common (2.0 to 4.5; n = 50)'
    """
    name = difference.label or difference.variable
    if difference.lift is None:
        gap, low, high = (_figure(v, "+") for v in difference.difference)
        here, elsewhere = _figure(difference.inside), _figure(difference.outside)
        return f"{name} is {here} here and {elsewhere} elsewhere: {gap} ({low} to {high}; n = {difference.n:,})"
    times = f"{difference.lift.value:.1f} times as common ({difference.lift.low:.1f} to {difference.lift.high:.1f}"
    return (
        f"{name} {difference.level} is {difference.inside * 100:.0f} % here and "
        f"{difference.outside * 100:.0f} % elsewhere: {times}; n = {difference.n:,})"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _figure(value: float, sign: str = "") -> str:
    """Three significant digits, and never a power of ten."""
    return f"{value:{sign},.0f}" if abs(value) >= 100 else f"{value:{sign}.3g}"


def quality(
    store: Store,
    evaluation: Evaluation,
    definitions: Mapping[str, Definition],
    schema: Schema,
    rule: RevenueRule,
    *,
    manageable: int = MANAGEABLE,
    consent_at: int | None = None,
) -> Quality:
    """Judge the segments of an evaluation.

    Args:
        store: the workspace's store.
        evaluation: who is in which segment.
        definitions: the segments by slug.
        schema: gives the purposes.
        rule: what counts as revenue.
        manageable: more segments than this bring a warning.
        consent_at: the instant whose consent counts; that of the evaluation by default.
    """
    asked = {slug: definitions[slug] for slug in evaluation.columns}
    unknown = unscored(store, asked, evaluation.at)
    evaluation = Without(evaluation, unknown)
    with open_sales(store, rule, evaluation.at) as sales:
        everyone, by_slug = contributions(store, evaluation, sales)
    found = overlaps(store, evaluation)
    twins = duplicates(found, {s: definitions[s] for s in evaluation.columns})
    return Quality(
        at=evaluation.at,
        names={slug: definitions[slug].name for slug in evaluation.columns},
        everyone=everyone,
        contributions=by_slug,
        overlaps=found,
        duplicates=tuple(twins),
        differences=differences(store, evaluation, definitions, rule),
        reach=reachable(store, evaluation, schema.purposes, consent_at),
        warnings=tuple(_warnings(found, twins, definitions, manageable)),
        unscored=unknown,
    )


def _warnings(
    found: Overlaps, twins: list[Duplicate], definitions: Mapping[str, Definition], manageable: int
) -> Iterator[str]:
    if len(found.sizes) > manageable:
        yield f"{len(found.sizes)} segments are too many to manage; {manageable} is a good limit. Remove or join some."
    for twin in twins:
        yield f"{definitions[twin.a].name} and {definitions[twin.b].name} are nearly the same: {twin.reason}"
    for slug, size in found.sizes.items():
        if size == 0:
            yield f"{definitions[slug].name} is empty."
        elif size < SUBSTANTIAL:
            yield f"{definitions[slug].name} has {_counted(size, 'customer')}: too few to measure anything on."
        elif size == found.base:
            yield f"{definitions[slug].name} holds everyone, so it tells nobody apart."
