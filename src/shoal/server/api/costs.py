"""Cost KPIs and attribution over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from shoal.server.api.app import needs
from shoal.server.api.measures import Grain, told

router = APIRouter(prefix="/v1", tags=["measures"])
By = Literal["channel", "campaign"]
Model = Literal["last", "first", "linear", "position", "time-decay", "markov"]
From = Annotated[str | None, Query(alias="from", max_length=40, description="the first day")]
To = Annotated[str | None, Query(alias="to", max_length=40, description="the last day, included")]
When = Annotated[str | None, Query(max_length=40, description="an instant or a date; now by default")]


@router.get("/costs", summary="Spend against what came", dependencies=[needs("read")])
def costs(
    request: Request,
    by: By | None = None,
    grain: Grain | None = None,
    start: From = None,
    end: To = None,
    model: Model | None = None,
    as_of: When = None,
) -> dict[str, Any]:
    """Cost per acquisition, ROAS, marketing ROI, clicks, close rate and sales cycle, each with its definition."""
    return told(request, "costs", by=by, grain=grain, start=start, end=end, model=model, as_of=as_of)


@router.get("/attribution", summary="Which channels conversions are credited to", dependencies=[needs("read")])
def attribution(
    request: Request,
    model: Annotated[list[Model] | None, Query(max_length=10)] = None,
    by: By = "channel",
    days: Annotated[int | None, Query(ge=1, le=3660, description="a touch counts so long before a conversion")] = None,
    start: From = None,
    end: To = None,
    as_of: When = None,
) -> dict[str, Any]:
    """By channel and model, with intervals, removal effects and value per spend. Shared out, and not what a channel brought."""
    return told(request, "attribution", models=model or [], by=by, days=days, start=start, end=end, as_of=as_of)
