"""A segment among the micro-segments: whose persona it is, or which of them its members belong to."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from shoal.customers.profiles import current_values
from shoal.insight.discovery.keeping import SLUG, in_force
from shoal.sql.registry import Registry
from shoal.stats.effects import lift
from shoal.workspace.discovery import SLUG as FILE

if TYPE_CHECKING:
    from shoal.insight.discovery.record import MicroSegment
    from shoal.workspace.opening import Workspace


def personas(ws: Workspace, segment: str) -> dict[str, Any]:
    """The micro-segments that a segment's members belong to.

    Args:
        ws: the workspace.
        segment: name or slug.

    Returns:
        ``found`` (the instant at which micro-segments were found; None where there are none) and ``groups``, its own
        first, then the largest: each with id, name, slug, portrait and different (sentences), customers (members of the
        segment in it), share (of the members), others (share of everybody else), lift with low and high, and ``own``:
        whether the segment is that micro-segment.

    Raises:
        UnknownName: there is no such segment.
    """
    slug = ws.segments[segment].slug
    version = in_force(ws.store)
    if version is None:
        return {"found": None, "groups": []}
    counts = _counts(ws, slug)
    inside, outside = (sum(of_one[i] for of_one in counts.values()) for i in (0, 1))
    groups = [
        _group(one, counts.get(one.id, (0, 0)), (inside, outside), slug) for one in version.found.segments if inside
    ]
    kept = [one for one in groups if one["customers"]]
    return {"found": version.found.at, "groups": sorted(kept, key=lambda one: (not one["own"], -one["customers"]))}


def _counts(ws: Workspace, slug: str) -> dict[str, tuple[int, int]]:
    """By micro-segment how many members of the segment are in it, and how many others."""
    trait = Registry.load(ws.store).trait(SLUG)
    if trait is None:
        return {}
    found = ws.segments.evaluate([slug])
    try:
        test = f'coalesce(e."{found.columns[slug]}", false)'
        rows = ws.store.rows(
            f"SELECT v.value, count(CASE WHEN {test} THEN 1 END), count(CASE WHEN NOT {test} THEN 1 END) "
            f"FROM {found.table} e JOIN ({current_values(ws.store, trait, ws.now())}) v ON v.owner = e.customer "
            "WHERE v.value IS NOT NULL GROUP BY 1"
        )
    finally:
        found.close()
    return {value: (mine, others) for value, mine, others in rows}


def _group(one: MicroSegment, counts: tuple[int, int], sizes: tuple[int, int], slug: str) -> dict[str, Any]:
    (mine, others), (inside, outside) = counts, sizes
    times = lift((mine, inside), (others, outside)) if outside else None
    file = FILE.format(id=one.id)
    return {
        "id": one.id, "name": one.name, "slug": file, "own": file == slug,
        "portrait": [asdict(sentence)["text"] for sentence in one.persona.portrait],
        "different": [sentence.text for sentence in one.persona.different],
        "customers": mine, "share": mine / inside, "others": others / outside if outside else None,
        "lift": times and times._asdict(),
    }  # fmt: skip
