"""What speaks for and against using a segment: its size, how it moves, what its conditions name, whom it reaches."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY
from shoal.insight.overlap import DUPLICATE_FROM, overlaps
from shoal.insight.reach import reachable
from shoal.insight.segments import SUBSTANTIAL
from shoal.insight.unheard import unheard
from shoal.lang.check import doubts
from shoal.lang.parse import parse
from shoal.lang.references import event_names, references
from shoal.lang.rewrite.canonical import canonical
from shoal.lang.show import show
from shoal.sql.registry import Registry
from shoal.wording import noun
from shoal.workspace.segment_pages.courses import LATELY, published

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.overlap import Overlaps
    from shoal.lang.nodes import Definition
    from shoal.workspace.opening import Workspace

JUMP = 0.3
"""A change of the size by this share within a week is an alarm."""
SILENT = 90 * DAY
"""An event that a condition asks for and that hasn't come for so long is told."""
GOOD, WARN, BAD = "good", "warn", "bad"
_Check = tuple[str, str, str]


def checks(ws: Workspace, segment: str) -> dict[str, Any]:
    """The quality card of a segment.

    Args:
        ws: the workspace.
        segment: name or slug.

    Returns:
        ``checks``: each with what was looked at, its state (good, warn, bad) and what was found, in words; ``overlaps``: the
        segments that share members with it, the most alike first; ``reach``: by channel and by purpose how many.

    Raises:
        UnknownName: there is no such segment.
    """
    definition = ws.segments[segment]
    found = ws.segments.evaluate()
    try:
        shared = overlaps(ws.store, found)
        reach = reachable(ws.store, found, ws.schema.purposes, ws.moment())[definition.slug]
    finally:
        found.close()
    told = [*_sizes(ws, definition, shared), *_twins(ws, definition, shared), *_conditions(ws, definition)]
    return {
        "checks": [dict(zip(("what", "state", "found"), one, strict=True)) for one in told],
        "overlaps": [_overlap(definition.slug, pair) for pair in shared.pairs
                     if definition.slug in (pair.a, pair.b) and pair.both],
        "reach": [asdict(one) for one in reach],
    }  # fmt: skip


def _overlap(slug: str, pair: Any) -> dict[str, Any]:
    first = pair.a == slug
    return {
        "slug": pair.b if first else pair.a, "both": pair.both, "jaccard": pair.jaccard, "lift": pair.lift,
        "of_mine": pair.share_of_a if first else pair.share_of_b,
        "of_other": pair.share_of_b if first else pair.share_of_a,
    }  # fmt: skip


def _sizes(ws: Workspace, definition: Definition, shared: Overlaps) -> Iterator[_Check]:
    size = shared.sizes[definition.slug]
    if not size:
        yield "Size", BAD, "Nobody is in it."
    elif size == shared.base:
        yield "Size", WARN, "Everybody is in it, so it tells nobody apart."
    elif size < SUBSTANTIAL:
        verb = "is" if size == 1 else "are"
        said = f"{size:,} {noun(size, 'member')} {verb} too few to measure anything on; {SUBSTANTIAL} would do."
        yield "Size", WARN, said
    else:
        yield "Size", GOOD, f"{size:,} members are enough to measure on."
    course = published(ws, LATELY, definition.slug).get(definition.slug)
    points = course.points if course else ()
    before = points[-8].size if len(points) >= 8 else None
    if before is None:
        yield "Steadiness", WARN, "It is published for less than a week, so nothing is known of how it moves."
    elif abs(size - before) > JUMP * max(before, 1):
        yield (
            "Steadiness",
            BAD,
            f"It had {before:,} members a week ago and has {size:,} now: more than {JUMP:.0%} apart.",
        )
    else:
        yield "Steadiness", GOOD, f"It had {before:,} members a week ago and has {size:,} now."


def _twins(ws: Workspace, definition: Definition, shared: Overlaps) -> Iterator[_Check]:
    meant = canonical(definition.where), definition.always, definition.never
    same = [
        one.name for one in ws.definitions.values()
        if one.slug != definition.slug and (canonical(one.where), one.always, one.never) == meant
    ]  # fmt: skip
    near = [
        ws.definitions[pair.b if pair.a == definition.slug else pair.a].name
        for pair in shared.pairs
        if definition.slug in (pair.a, pair.b) and pair.jaccard >= DUPLICATE_FROM
    ]
    twins = list(dict.fromkeys([*same, *near]))
    if twins:
        yield "Of its own", WARN, f"Nearly the same as {', '.join(twins)}. One of them would do."
    else:
        yield "Of its own", GOOD, "No other segment has nearly the same members."


def _conditions(ws: Workspace, definition: Definition) -> Iterator[_Check]:
    text = show(definition.where)
    # Read anew, so that faults know their places in this very text.
    condition = parse(text)
    faults = [*doubts(condition, ws.schema, text=text), *unheard(ws.store, condition, ws.schema, text)]
    for fault in faults:
        yield "Conditions", WARN, fault.problem
    silent = list(_silent(ws, definition))
    for name, told in silent:
        yield "Conditions", WARN, f"It asks for the event “{name}”, {told}"
    if not faults and not silent:
        yield "Conditions", GOOD, "Every condition names something that the data has."


def _silent(ws: Workspace, definition: Definition) -> Iterator[tuple[str, str]]:
    """Events that a definition asks for and that don't come."""
    types = Registry.load(ws.store).events
    for name in sorted(references(definition).events):
        known = [types[one] for one in event_names(name, types)]
        newest = max((at for one in known if (at := _newest(ws, one.table)) is not None), default=None)
        if newest is None:
            yield name, "and none has come yet."
        elif newest < ws.now() - SILENT:
            yield name, f"and the last one came {(ws.now() - newest) // DAY:,} days ago."


def _newest(ws: Workspace, table: str) -> int | None:
    ((found,),) = ws.store.rows(f"SELECT max(ts) FROM {table} WHERE retired IS NULL")
    return None if found is None else int(found)
