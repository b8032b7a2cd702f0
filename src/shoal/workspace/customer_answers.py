"""Long questions about one customer: what their scores rest on, and what to do next with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.workspace.opening import Workspace

MOST = 5
"""So many actions are told."""


def _reasons(workspace: Workspace, customer: str) -> dict[str, Any]:
    """By model that is in force, its scores' names and in sentences what the customer's scores rest on."""
    found: dict[str, Any] = {}
    for version in workspace.models.in_force():
        try:
            told = workspace.models.reasons(customer, version.name)[version.name]
        except Refused as refusal:
            told = (str(refusal),)
        found[version.name] = {"reasons": list(told), "fitted": version.fitted}
    return {"models": found}


def _actions(workspace: Workspace, segments: list[str]) -> dict[str, Any]:
    """The actions of some segments with the most at stake, one a segment and kind."""
    try:
        table = workspace.actions.table(segments).document()
    except Refused as refusal:
        return {"actions": [], "refused": str(refusal), "days": None}
    once = {(one["segment"], one["action"]): one for one in reversed(table["actions"])}
    return {"actions": list(reversed(once.values()))[:MOST], "refused": None, "days": table["days"]}


QUESTIONS: dict[str, Callable[..., dict[str, Any]]] = {"customer reasons": _reasons, "customer actions": _actions}
