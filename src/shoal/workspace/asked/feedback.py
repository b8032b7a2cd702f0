"""What customers say, as its page shows it: scores and moods by segment, topics, needs, and what was written."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.workspace.opening import Workspace
    from shoal.workspace.questions import Answer

    Told = dict[str, Any]


def heard(workspace: Workspace) -> Told:
    """The report's part on feedback."""
    from shoal.views.report import feedback
    from shoal.workspace.asked.sections import facts_of, told

    found = workspace.feedback.heard()
    names = {slug: definition.name for slug, definition in workspace.definitions.items()}
    section = told(feedback.feedback(facts_of(workspace, heard=found, quality=SimpleNamespace(names=names))))
    themes = () if found.themes is None else found.themes.themes
    verbatims = [[one.name, list(one.quotes)] for one in themes if one.quotes]
    return section | {"any": bool(found.scores) or found.moods is not None, "verbatims": verbatims}


QUESTIONS: Mapping[str, Answer] = {"feedback told": heard}
