"""Where a segment's members came from, and where those who left went, with the money that they brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.migration import IN_NONE, NOT_YET, of_segments
from shoal.insight.sales import open_sales
from shoal.insight.standing import unscored

if TYPE_CHECKING:
    from shoal.workspace.opening import Workspace


def moves(ws: Workspace, segment: str, days: int = 30) -> dict[str, Any]:
    """Who came into a segment and who left it between two instants, by today's definitions.

    A customer can be in several of the other segments; each counts for the smallest one that they are in.

    Args:
        ws: the workspace.
        segment: name or slug.
        days: how long ago the earlier instant is.

    Returns:
        ``before`` and ``now`` (instants), ``moves``: each with source, target, customers, revenue (net, between the two)
        and revenue_before (in as long a time before). Source and target are slugs, or words in ``words``.

    Raises:
        UnknownName: there is no such segment.
        Refused: nobody can say who was in it then.
    """
    slug, now = ws.segments[segment].slug, ws.now()
    before = now - days * DAY
    unknown = unscored(ws.store, ws.definitions, before)
    if slug in unknown:
        raise Refused(
            "It rests on scores or cut points that weren't worked out by then, so nobody can say who was in it.",
            fix="Take a shorter time.",
        )
    known = [one for one in ws.definitions if one not in unknown]
    then, after = ws.segments.evaluate(known, as_of=before), ws.segments.evaluate(known, as_of=now)
    try:
        sizes = after.sizes()
        order = [slug, *sorted((one for one in known if one != slug), key=lambda one: (sizes[one], one))]
        with open_sales(ws.store, ws.config.revenue, now) as sales:
            found = of_segments(sales, then, after, order).to_pylist()
    finally:
        then.close()
        after.close()
    mine = [row for row in found if slug in (row["source"], row["target"])]
    keys = ("source", "target", "customers", "revenue", "revenue_before")
    return {
        "before": before,
        "now": now,
        "moves": [{key: row[key] for key in keys} for row in mine],
        "words": {NOT_YET: "Not yet a customer", IN_NONE: "In none of the segments"},
    }
