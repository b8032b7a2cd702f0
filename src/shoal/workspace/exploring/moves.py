"""Who moved from where to where between two dates, with the revenue of each transition."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.errors import Refused, Unsupported
from shoal.insight import lifecycle, migration, rfm
from shoal.insight.traits import cut_points, cycle
from shoal.workspace.exploring.conditions import both, member
from shoal.workspace.exploring.ground import ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shoal.insight.lifecycle import Cycle
    from shoal.insight.migration import Sides
    from shoal.insight.sales import Sales
    from shoal.workspace.opening import Workspace

KINDS = ("lifecycle", "rfm", "segments")
USUAL_DAYS = 90
MOST_SEGMENTS = 8


def moves(
    workspace: Workspace, *, of: str = "lifecycle", segments: Sequence[str] = (), start: str | None = None,
    end: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The transitions between two dates.

    Args:
        workspace: where.
        of: ``lifecycle`` states, ``rfm`` groups, or ``segments``.
        segments: their names; a customer counts for the first that they are in.
        start: the earlier date, as it began; 90 days before the later one by default.
        end: the later date, as it began; now by default.

    Returns:
        ``rows``: source, target, customers, share (of the source's), revenue (between the two dates), revenue_before;
        ``after``: target, customers, where (None where no condition of now says who they are), and ``order`` of names.

    Raises:
        Refused: the dates are the wrong way round, no segment is named, or nobody has RFM scores.
        UnknownName: there is no such segment.
    """
    with _sides(workspace, of, segments, start, end) as (sales, before, sides, order):
        rows = migration.migration(sales, before, *sides).to_pylist()
        told = _texts(workspace, of, segments, sales) if end is None else {}
        at = sales.at
    names = _names(workspace, of, segments)
    for row in rows:
        row["mark"] = json.dumps([row["source"], row["target"]])
        row["source_name"], row["target_name"] = (names.get(row[key], row[key]) for key in ("source", "target"))
    sums: dict[str, int] = {}
    for row in rows:
        sums[row["target"]] = sums.get(row["target"], 0) + row["customers"]
    after = [
        {"target": target, "name": names.get(target, target), "customers": customers, "where": told.get(target)}
        for target, customers in sums.items()
    ]
    return {
        "as_of": clock.iso(at), "from": clock.iso(before), "to": clock.iso(at), "of": of, "n": sum(sums.values()),
        "rows": rows, "after": after, "order": [names.get(one, one) for one in order],
        "stayed": sum(row["customers"] for row in rows if row["source"] == row["target"]),
    }  # fmt: skip


def moved(workspace: Workspace, mark: str, *, of: str = "lifecycle", segments: Sequence[str] = (),
          start: str | None = None, end: str | None = None) -> list[str]:  # fmt: skip
    """The ids of those who went from one state to another: the mark is both as a JSON list."""
    try:
        source, target = json.loads(mark)
    except ValueError:
        raise Refused("No transition is named.", fix="Point at one on the page of migration.") from None
    with _sides(workspace, of, segments, start, end) as (sales, _, sides, _order):
        return ids(workspace, migration.movers(sales, *sides, str(source), str(target)))


@contextmanager
def _sides(
    workspace: Workspace, of: str, segments: Sequence[str], start: str | None, end: str | None
) -> Iterator[tuple[Sales, int, Sides, list[str]]]:
    """The orders, the earlier instant, where customers are at both, and the states from top to bottom."""
    with workspace.models.as_of(end) as known:
        before = known.at - USUAL_DAYS * clock.DAY if start is None else workspace.instant(start)
        if before >= known.at:
            raise Refused("The earlier date isn't before the later one.", fix="Take an earlier date.")
        sales = known.sales
        if of == "rfm":
            yield sales, before, migration.rfm_sides(sales, _cuts(workspace, sales), before), list(rfm.GROUPS)
        elif of == "lifecycle":
            sides = migration.lifecycle_sides(sales, _cycle(workspace, sales), before)
            yield sales, before, sides, list(lifecycle.STATES)
        elif of == "segments":
            with _evaluated(workspace, segments, before, known.at) as (slugs, sides):
                yield sales, before, sides, slugs
        else:
            raise Refused(f"Migration is between states of {', '.join(KINDS)}, not {of!r}.", fix="Take one of these.")


@contextmanager
def _evaluated(
    workspace: Workspace, segments: Sequence[str], before: int, at: int
) -> Iterator[tuple[list[str], Sides]]:
    if not 1 <= len(segments) <= MOST_SEGMENTS:
        raise Refused(
            f"Migration is between 1 to {MOST_SEGMENTS} segments, not {len(segments)}.",
            fix="Name those that matter; customers count for the first that they are in.",
        )
    slugs = _slugs(workspace, segments)
    then = workspace.segments.evaluate(slugs, as_of=before)
    try:
        now = workspace.segments.evaluate(slugs, as_of=at)
        try:
            yield slugs, migration.segment_sides(then, now, slugs)
        finally:
            now.close()
    finally:
        then.close()


def _slugs(workspace: Workspace, segments: Sequence[str]) -> list[str]:
    known = workspace.segments.known()
    return list(dict.fromkeys(known.find(one).slug for one in segments))


def _names(workspace: Workspace, of: str, segments: Sequence[str]) -> dict[str, str]:
    """The names of segments by slug; states and groups are their own names."""
    if of != "segments":
        return {}
    known = workspace.segments.known()
    return {found.slug: found.name for found in map(known.find, segments)}


def _cuts(workspace: Workspace, sales: Sales) -> rfm.CutPoints:
    try:
        return cut_points(workspace.store) or rfm.calibrate(sales)
    except Unsupported as error:
        raise Refused(error.problem, fix=error.fix) from None


def _cycle(workspace: Workspace, sales: Sales) -> Cycle:
    return cycle(workspace.store) or lifecycle.measure_cycle(sales)


def _texts(workspace: Workspace, of: str, segments: Sequence[str], sales: Sales) -> dict[str, str]:
    """Who is where now. RFM groups as traits are those of the last computation, not of now: they aren't the same."""
    if of == "lifecycle":
        known, order = _cycle(workspace, sales), workspace.config.revenue.orders
        return {state: lifecycle.where(state, known, order) for state in lifecycle.STATES}
    if of != "segments":
        return {}
    slugs = _slugs(workspace, segments)
    found = {slug: both(member(slug), *(f"not {member(one)}" for one in slugs[:at])) for at, slug in enumerate(slugs)}
    return found | {migration.IN_NONE: both(*(f"not {member(one)}" for one in slugs))}
