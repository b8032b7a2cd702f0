"""Pilots and the scoreboard of campaigns as their pages show them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.workspace.opening import Workspace
    from shoal.workspace.questions import Answer

    Told = dict[str, Any]


def every(workspace: Workspace) -> Told:
    """All pilots with how far they are, and the faults of files."""
    return {
        "pilots": [one.document() for one in workspace.pilots.status()],
        "faults": {path: str(error) for path, error in workspace.pilots.catalogue().faults.items()},
    }


def one(workspace: Workspace, *, slug: str) -> Told:
    """One pilot: what it promises and how far it is."""
    (found,) = workspace.pilots.status(slug)
    names = {one.slug: one.name for one in workspace.metrics.catalogue().definitions.values()}
    segments = {one: workspace.definitions[one].name for one in found.pilot.segments if one in workspace.definitions}
    return found.document() | {"names": names, "of": segments}


def result(workspace: Workspace, *, slug: str) -> Told:
    """What came of a pilot, as the report has it."""
    from shoal.views.report import experiments
    from shoal.workspace.asked.sections import facts_of, told

    found = workspace.pilots.result(slug).found
    section = told(experiments.pilots(facts_of(workspace, tried=SimpleNamespace(pilots=[found]))))
    section["blocks"] = [block for block in section["blocks"] if block["kind"] != "head"][1:]
    return section | {"lead": "", "kind": found.verdict.kind, "says": found.verdict.says, "n": list(found.n)}


def board(workspace: Workspace) -> Told:
    """What each campaign brought, and which can't be measured."""
    from shoal.views.report import experiments
    from shoal.workspace.asked.sections import facts_of, told

    found = workspace.scoreboard().found
    return told(experiments.scoreboard(facts_of(workspace, tried=SimpleNamespace(board=found))))


def start(workspace: Workspace, *, slug: str) -> Told:
    """Record what a pilot promises, and draw its lots."""
    return workspace.pilots.start(slug).document()


QUESTIONS: Mapping[str, Answer] = {
    "pilots told": every,
    "pilot": one,
    "pilot told": result,
    "scoreboard told": board,
    "start pilot": start,
}
