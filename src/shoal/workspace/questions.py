"""Questions that may take long, each by name: what a server has answered in a process of its own.

An answer is what the command of the same name prints with ``--json``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from shoal.errors import UnknownName
from shoal.workspace.asked import PARTS
from shoal.workspace.customer_answers import QUESTIONS as OF_CUSTOMERS
from shoal.workspace.dashboards import QUESTIONS as OF_DASHBOARDS
from shoal.workspace.exploring import EXPLORED
from shoal.workspace.segment_pages.questions import QUESTIONS as OF_SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shoal.workspace.opening import Workspace

    Answer: TypeAlias = Callable[..., dict[str, Any]]


def answer(workspace: Workspace, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a question, JSON-ready.

    Args:
        workspace: where.
        name: one of ``QUESTIONS``.
        asked: its arguments.

    Raises:
        UnknownName: there is no such question.
        ShoalError: as the question's door raises it.
    """
    if name not in QUESTIONS:
        raise UnknownName("question", name, QUESTIONS)
    return QUESTIONS[name](workspace, **asked)


def _metrics(workspace: Workspace) -> dict[str, Any]:
    from shoal.workspace.metrics import described

    found = workspace.metrics.catalogue()
    return {
        "metrics": [described(one) | {"ships": one.slug in found.shipped} for one in found.definitions.values()],
        "lacking": dict(found.lacking),
        "faults": {slug: str(error) for slug, error in found.faults.items()},
    }


def _figures(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    return workspace.metrics.figures(**asked).document()


def _alerts(workspace: Workspace, *, everything: bool) -> dict[str, Any]:
    alerts = workspace.metrics.alerts()
    aimed = any(one.target is not None for one in workspace.metrics.catalogue().definitions.values())
    return {
        "alerts": [one.document() for one in alerts.listed(everything=everything)],
        "targets": [one.document() for one in alerts.targets()] if aimed else [],
    }


def _causes(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    return workspace.metrics.causes(**asked).document()


def _experiments(workspace: Workspace) -> dict[str, Any]:
    faults = workspace.experiments.catalogue().faults
    return {
        "experiments": [one.document() for one in workspace.experiments.standing()],
        "faults": {slug: str(error) for slug, error in faults.items()},
    }


def _plan(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    return workspace.experiments.plan(**asked).document()


def _result(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    return workspace.experiments.result(**asked).document()


def _pilots(workspace: Workspace) -> dict[str, Any]:
    found = workspace.pilots.status()
    return {
        "pilots": [one.document() for one in found],
        "faults": {slug: str(error) for slug, error in workspace.pilots.catalogue().faults.items()},
    }


def _pilot_result(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    return workspace.pilots.result(**asked).document()


def _scoreboard(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    return workspace.scoreboard(**asked).document()


def _costs(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    return workspace.costs(**asked).document()


def _attribution(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    return workspace.attribution(**asked).document()


def _uplift(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    return workspace.uplift(**asked).document()


def _funnel(workspace: Workspace, steps: list[str], **asked: Any) -> dict[str, Any]:
    return workspace.journeys.funnel(*steps, **asked).document()


def _library(workspace: Workspace) -> dict[str, Any]:
    from dataclasses import asdict

    fits, missing = workspace.segments.library()
    return {"fits": [asdict(one) for one in fits], "missing": missing}


def _holding(workspace: Workspace, conditions: list[str], at: int) -> dict[str, Any]:
    from shoal.workspace.holding import packed

    return {"holding": packed(workspace, conditions, at)}


QUESTIONS: dict[str, Answer] = {
    "library": _library,
    "holding": _holding,
    "metrics": _metrics,
    "figures": _figures,
    "alerts": _alerts,
    "causes": _causes,
    "experiments": _experiments,
    "experiment plan": _plan,
    "experiment result": _result,
    "pilots": _pilots,
    "pilot result": _pilot_result,
    "scoreboard": _scoreboard,
    "costs": _costs,
    "attribution": _attribution,
    "uplift": _uplift,
    "funnel": _funnel,
    **OF_DASHBOARDS,
    **EXPLORED,
    **PARTS,
    **OF_CUSTOMERS,
    **OF_SEGMENTS,
}
