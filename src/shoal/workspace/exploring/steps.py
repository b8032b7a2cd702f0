"""Funnels and paths of a page, each figure with the text of its segment, or with the mark by which its customers are found.

Of a funnel the language can say who entered, who came to the second step and who stopped before it. Who came further did so
within a time from the *first* step, which no condition bounds, and paths say what happened in between: those customers are
found by their mark, and put on a list.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused, UnknownName
from shoal.insight.metrics.grouping import OTHER, UNKNOWN, dimension
from shoal.lang.schema import Kind
from shoal.workspace.exploring.conditions import among, between, both, did, equal, followed
from shoal.workspace.exploring.ground import ids, sayable, slug_in
from shoal.workspace.journeys import read_step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.lang.nodes import Events
    from shoal.workspace.journeys_told import Span
    from shoal.workspace.opening import Workspace

# ------------------------------------------------------------ funnels


def funnel(workspace: Workspace, *, steps: Sequence[str], **asked: Any) -> dict[str, Any]:
    """A funnel; see ``Journeys.funnel``.

    Returns:
        ``Funnelled.document``, where each step has ``where`` and ``mark``, and ``stopped`` and ``stopped_where`` of those
        who came no further; so have the steps of groups.
    """
    found = workspace.journeys.funnel(*steps, **asked)
    told = found.document() | {"n": found.found.entered, "said": found.words(), "within": found.within, "by": found.by}
    rule = workspace.config.funnels.get(steps[0]) if len(steps) == 1 else None
    written = list(rule.steps) if rule is not None else list(steps)
    read = [read_step(step, workspace.metrics.schema()) for step in written]
    slug = slug_in(workspace, asked.get("segment"))
    # Members are those of the period's end: of one that is over, no condition of now says who they were.
    now = slug is None or _reaches(workspace, found.span)
    can = now and found.found.ordered and sayable(workspace, *read)
    window = _window(found.span)
    texts = _texts(read, found.within, window) if can else {}
    for rows in (told["steps"], told["groups"]):
        _mark(rows, texts, lambda row: _group(workspace, found.by, row.get("group")), slug)
    return told | {"finding": _finding(found)}


def _finding(found: Any) -> str:
    from shoal.views.charts.journeys import funnel_says

    return funnel_says(found.found, found.by if found.by and found.found.groups else None)


def _reaches(workspace: Workspace, span: Span) -> bool:
    from shoal.lang.calendar import zone

    return zone(workspace.config.zone).day(span.at) <= (span.last - date(1970, 1, 1)).days


def _window(span: Span) -> str:
    return between(span.first, span.last + timedelta(days=1))


def _texts(read: Sequence[Events], within: str, window: str) -> dict[tuple[int, bool], str]:
    """The steps, and who stopped after them, that the language can say."""
    entered, second = did(read[0], window), followed(read[0], read[1], within, window)
    return {(1, False): entered, (2, False): second, (1, True): both(entered, f"not {second}")}


def _group(workspace: Workspace, by: str | None, group: str | None) -> str | None:
    """The text of a group; empty for everyone, None where it can't be said."""
    if group is None:
        return ""
    read = dimension(str(by), workspace.metrics.schema())
    if read.node is None or group == OTHER:
        return None
    if group == UNKNOWN:
        return f"{by} is missing"
    if read.kind is Kind.YESNO:
        return equal(read.name, group == "yes")
    return equal(read.name, float(group) if read.kind is Kind.NUMBER else group)


def _mark(rows: list[dict[str, Any]], texts: Mapping[tuple[int, bool], str], group: Any, slug: str | None) -> None:
    followers: dict[tuple[Any, int], int] = {(row.get("group"), row["step"]): row["customers"] for row in rows}
    for row in rows:
        step, name = row["step"], row.get("group")
        prefix = group(row)

        def text(key: tuple[int, bool], prefix: str | None = prefix) -> str | None:
            return None if prefix is None or key not in texts else among(slug, both(prefix, texts[key]))

        after = followers.get((name, step + 1))
        row["where"], row["mark"] = text((step, False)), None if name == OTHER else f"{step}"
        row["stopped"] = None if after is None else row["customers"] - after
        row["stopped_where"], row["stopped_mark"] = text((step, True)), None if name == OTHER else f"{step}-stopped"


# ------------------------------------------------------------ paths


def paths(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    """Paths; see ``Journeys.paths``.

    Returns:
        ``Pathed.document`` with ``said``, ``finding`` and ``where`` of all who have one, where the language can say it.
    """
    from shoal.views.charts.journeys import paths_say

    found = workspace.journeys.paths(**asked)
    anchor, slug = asked.get("after") or asked.get("before"), slug_in(workspace, asked.get("segment"))
    where = None
    if anchor and (slug is None or _reaches(workspace, found.span)):
        event = read_step(anchor, workspace.metrics.schema())
        where = among(slug, did(event, _window(found.span))) if sayable(workspace, event) else None
    return found.document() | {
        "n": found.found.customers, "said": found.words(), "finding": paths_say(found.found), "where": where,
        "back": found.found.back, "rest": found.found.rest,
    }  # fmt: skip


# ------------------------------------------------------------ who is in a mark


def came_to(workspace: Workspace, mark: str, *, steps: Sequence[str], **asked: Any) -> list[str]:
    """The ids of those in a step of a funnel: ``2``, or ``2-stopped`` for those who came no further, then ``:GROUP``."""
    told, _, group = mark.partition(":")
    step, _, stopped = told.partition("-")
    if not step.isdecimal() or stopped not in ("", "stopped"):
        raise UnknownName("step", mark, ())
    found = workspace.journeys.came_to(
        *steps, step=int(step), stopped=bool(stopped), group=group or None, **asked
    )  # fmt: skip
    return ids(workspace, found)


def took(workspace: Workspace, mark: str, **asked: Any) -> list[str]:
    """The ids of those who took a path (a JSON list of its steps), or a flow (place, source and target)."""
    import json

    from shoal.insight.paths import Flow

    try:
        read = json.loads(mark)
    except ValueError:
        read = None
    if isinstance(read, list) and read and all(isinstance(one, str) for one in read):
        return ids(workspace, workspace.journeys.took(path=read, **asked))
    if isinstance(read, dict) and isinstance(read.get("place"), int):
        flow = Flow(read["place"], read.get("source"), read.get("target"), 0)
        return ids(workspace, workspace.journeys.took(flow=flow, **asked))
    raise Refused("No path is named.", fix="Point at one on the page of paths.")
