"""The tracking plan over HTTP: what is in force, and what calls showed against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request

from shoal.server.api.app import live_of, needs

if TYPE_CHECKING:
    from shoal.server.plan import Plan
    from shoal.server.service import Service

router = APIRouter(prefix="/v1/plan", tags=["plan"])


@router.get("", summary="The tracking plan in force", dependencies=[needs("read")])
def in_force(request: Request) -> dict[str, Any]:
    """Its events and traits, and whether calls that don't fit are refused; ``written`` is false where there is no file."""
    live_of(request)
    service: Service = request.app.state.service
    held: Plan | None = request.app.state.collection.plan
    plan = None if held is None else held.tracking
    strict = service.strict or (plan is not None and plan.strict)
    if plan is None:
        return {"written": False, "strict": strict, "events": [], "traits": {}}
    traits = {name: kind.value for name, kind in plan.traits.items()}
    return {"written": True, "strict": strict, "events": list(plan.events), "traits": traits}


@router.get("/issues", summary="What calls showed against the plan", dependencies=[needs("read")])
def issues(request: Request) -> dict[str, Any]:
    """By event, property and problem: how often, first and last, and one sample; the most frequent first."""
    live = live_of(request)
    return {"issues": live.read(live.workspace.plan.issues)}
