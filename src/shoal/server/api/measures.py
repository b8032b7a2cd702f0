"""Metrics and their figures over HTTP. They may take long: each is worked out in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request

from shoal.server.api.app import live_of, needs
from shoal.server.asking import Busy

if TYPE_CHECKING:
    from shoal.server.asking import Asking
    from shoal.server.service import Service

router = APIRouter(prefix="/v1", tags=["measures"])
Names = Annotated[list[str] | None, Query(max_length=50)]
Grain = Literal["day", "week", "month", "quarter", "year"]


def told(request: Request, question: str, /, **asked: Any) -> dict[str, Any]:
    """The answer to a long question.

    Raises:
        HTTPException: 429 where too many wait; 503 while the workspace starts.
    """
    try:
        return _asking(request).ask(question, asked)
    except Busy as busy:
        raise HTTPException(429, busy.problem, {"Retry-After": "5"}) from None


def told_anew(request: Request, question: str, /, **asked: Any) -> dict[str, Any]:
    """The answer to a question that changes something.

    Raises:
        HTTPException: 503 while the workspace starts.
    """
    return _asking(request).change(question, asked)


def _asking(request: Request) -> Asking:
    live_of(request)
    service: Service = request.app.state.service
    if service.asking is None:
        raise HTTPException(503, "The workspace isn't ready.", {"Retry-After": "1"})
    return service.asking


@router.get("/metrics", summary="All metrics", dependencies=[needs("read")])
def metrics(request: Request) -> dict[str, Any]:
    """Each with its definition; those that ship and don't stand on this data, with what it lacks; files with a fault."""
    return told(request, "metrics")


@router.get("/figures", summary="Figures of metrics", dependencies=[needs("read")])
def figures(
    request: Request,
    metric: Names = None,
    segment: Names = None,
    by: Annotated[
        str | None, Query(max_length=500, description='a trait, or a property as: store of "Order Completed"')
    ] = None,
    grain: Grain = "month",
    start: Annotated[str | None, Query(alias="from", max_length=40, description="a date in the first period")] = None,
    end: Annotated[str | None, Query(alias="to", max_length=40, description="a date in the last period")] = None,
    as_of: Annotated[str | None, Query(max_length=40, description="an instant or a date; now by default")] = None,
) -> dict[str, Any]:
    """By metric, its definition and its figures: everyone, each segment, each group, over the periods."""
    return told(
        request,
        "figures",
        metrics=metric or [],
        segments=segment or [],
        by=by,
        grain=grain,
        start=start,
        end=end,
        as_of=as_of,
    )


@router.get("/funnel", summary="How many go from step to step", dependencies=[needs("read")])
def funnel(
    request: Request,
    step: Annotated[
        list[str], Query(max_length=20, description='steps as `"Product Viewed" where price > 10`, or a funnel\'s name')
    ],
    within: Annotated[
        str | None, Query(max_length=40, description="from the first step to the last, as 7 days")
    ] = None,
    by: Annotated[str | None, Query(max_length=500)] = None,
    segment: Annotated[str | None, Query(max_length=200)] = None,
    start: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    end: Annotated[str | None, Query(alias="to", max_length=40)] = None,
) -> dict[str, Any]:
    """Each step with how many took it, of all and of the step before, how long it took, and where the others went."""
    return told(request, "funnel", steps=step, within=within, by=by, segment=segment, start=start, end=end)


@router.get("/alerts", summary="What was noticed of metrics", dependencies=[needs("read")])
def alerts(
    request: Request,
    everything: Annotated[bool, Query(alias="all", description="those that are over too")] = False,
) -> dict[str, Any]:
    """Alerts that are raised, and how far metrics are towards their targets. Alerts are raised by a check: job ``alerts``."""
    return told(request, "alerts", everything=everything)


@router.get("/metrics/{metric}/causes", summary="What a change of a metric is made of", dependencies=[needs("read")])
def causes(
    request: Request,
    metric: Annotated[str, Path(max_length=200)],
    by: Names = None,
    segment: Names = None,
    grain: Grain = "month",
    period: Annotated[
        str | None, Query(max_length=40, description="a day of the later period; the newest whole one")
    ] = None,
    against: Annotated[str | None, Query(max_length=40, description="a day of the earlier one; the one before")] = None,
) -> dict[str, Any]:
    """Which groups changed otherwise than all others, by more than chance; corrected for all that were looked at."""
    return told(
        request,
        "causes",
        metric=metric,
        by=by or [],
        segments=segment or [],
        grain=grain,
        period=period,
        against=against,
    )
