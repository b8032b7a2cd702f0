"""Questions of the segment pages, as ``workspace.questions`` has them; what they need is imported when they are asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shoal.workspace.opening import Workspace
    from shoal.workspace.questions import Answer


def _histories(workspace: Workspace) -> dict[str, Any]:
    from shoal.workspace.segment_pages.courses import histories

    return histories(workspace)


def _course(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    from shoal.workspace.segment_pages.courses import course

    return course(workspace, **asked).document()


def _beside(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    from shoal.workspace.segment_pages.beside import beside

    return beside(workspace, **asked)


def _apart(workspace: Workspace, segment: str) -> dict[str, Any]:
    from shoal.workspace.segment_pages.apart import apart

    return {"differences": apart(workspace, segment)}


def _behaviour(workspace: Workspace, segment: str) -> dict[str, Any]:
    from shoal.workspace.segment_pages.apart import behaviour

    return behaviour(workspace, segment)


def _moves(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    from shoal.workspace.segment_pages.moves import moves

    return moves(workspace, **asked)


def _personas(workspace: Workspace, segment: str) -> dict[str, Any]:
    from shoal.workspace.segment_pages.personas import personas

    return personas(workspace, segment)


def _uses(workspace: Workspace, segment: str) -> dict[str, Any]:
    from shoal.workspace.segment_pages.uses import uses

    return {"uses": uses(workspace, segment)}


def _members(workspace: Workspace, segment: str, **asked: Any) -> dict[str, Any]:
    from shoal.workspace.segment_pages.listing import members

    return members(workspace, segment, **asked)


def _checks(workspace: Workspace, segment: str) -> dict[str, Any]:
    from shoal.workspace.segment_pages.checks import checks

    return checks(workspace, segment)


def _hand_out(workspace: Workspace, segment: str, path: str, **asked: Any) -> dict[str, Any]:
    """Write the members that may be reached to a file; whoever asked takes it from there."""
    out = workspace.segments.export(segment, Path(path), format="csv", **asked)
    reach = out.reach
    return {
        "rows": out.rows, "at": out.at, "purpose": reach.purpose, "members": reach.members, "reachable": reach.reachable,
        "withheld": dict(reach.withheld), "sentence": reach.sentence(),
    }  # fmt: skip


QUESTIONS: dict[str, Answer] = {
    "segment histories": _histories,
    "segment course": _course,
    "segment beside": _beside,
    "segment apart": _apart,
    "segment behaviour": _behaviour,
    "segment moves": _moves,
    "segment personas": _personas,
    "segment uses": _uses,
    "segment members": _members,
    "segment checks": _checks,
    "segment handed out": _hand_out,
}
