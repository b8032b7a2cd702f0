"""Pilots and the scoreboard over HTTP: read only, since a start is a decision that belongs to whoever keeps the workspace."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from shoal.server.api.app import needs
from shoal.server.api.measures import told

router = APIRouter(prefix="/v1", tags=["experiments"])
Slug = Annotated[str, Path(max_length=200)]
When = Annotated[str | None, Query(max_length=40, description="an instant or a date; now by default")]


@router.get("/pilots", summary="All pilots", dependencies=[needs("read")])
def pilots(request: Request) -> dict[str, Any]:
    """Each with what it promises, how far it is, and how its KPIs stood before the start; files with a fault."""
    return told(request, "pilots")


@router.get("/pilots/{slug}/result", summary="What came of a pilot", dependencies=[needs("read")])
def result(request: Request, slug: Slug, as_of: When = None) -> dict[str, Any]:
    """The verdict, each KPI against its goal, and money for all and by segment, against those held out by lot."""
    return told(request, "pilot result", name=slug, as_of=as_of)


@router.get("/scoreboard", summary="All campaigns side by side", dependencies=[needs("read")])
def scoreboard(request: Request, as_of: When = None) -> dict[str, Any]:
    """What each campaign brought beyond what would have come anyway, and which can't be measured, with the reason."""
    return told(request, "scoreboard", as_of=as_of)
