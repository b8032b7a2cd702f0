"""Experiments over HTTP: which arms a customer is in, at once; what runs, plans and results, which may take long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from shoal.server.api.app import customer_of, live_of, needs
from shoal.server.api.measures import Names, told, told_anew

if TYPE_CHECKING:
    from shoal.server.service import Service

router = APIRouter(prefix="/v1", tags=["experiments"])
Slug = Annotated[str, Path(max_length=200)]
Who = Annotated[str, Path(max_length=1000, description="a customer's id or any identifier; KIND:VALUE says which kind")]


@router.get("/experiments", summary="All experiments", dependencies=[needs("read")])
def experiments(request: Request) -> dict[str, Any]:
    """Each with what it asks, how far it is, and what its file says otherwise than when it began."""
    return told(request, "experiments")


class Stopping(BaseModel):
    """Why an experiment is ended."""

    model_config = ConfigDict(extra="forbid")
    because: str = Field("", max_length=500, description="why, for people")


@router.post("/experiments/{slug}/start", summary="Begin an experiment", dependencies=[needs("write")])
def start(request: Request, slug: Slug) -> dict[str, Any]:
    """What is asked is fixed: from now on the arms are drawn, and the file mustn't change. Gives how far it is."""
    return told_anew(request, "start experiment", slug=slug)


@router.post("/experiments/{slug}/stop", summary="End an experiment", dependencies=[needs("write")])
def stop(request: Request, slug: Slug, body: Stopping | None = None) -> dict[str, Any]:
    """Nobody is assigned any more, and its part of the layer is free. Gives how far it is."""
    return told_anew(request, "stop experiment", slug=slug, because="" if body is None else body.because)


@router.get("/experiments/{slug}/plan", summary="How long an experiment takes", dependencies=[needs("read")])
def plan(request: Request, slug: Slug) -> dict[str, Any]:
    """How many customers it takes and how long, and what it can find, by what this workspace saw lately."""
    return told(request, "experiment plan", name=slug)


@router.get("/experiments/{slug}/result", summary="What an experiment shows", dependencies=[needs("read")])
def result(
    request: Request,
    slug: Slug,
    by: Names = None,
    as_of: Annotated[str | None, Query(max_length=40, description="an instant or a date; now by default")] = None,
) -> dict[str, Any]:
    """The verdict, the sizes of the arms, the effects by the plan, and by segment or trait where asked."""
    return told(request, "experiment result", name=slug, by=by or [], as_of=as_of)


@router.get("/experiments/{slug}/uplift", summary="Whom an experiment's treatments move", dependencies=[needs("read")])
def uplift(
    request: Request,
    slug: Slug,
    metric: Annotated[
        str | None, Query(max_length=200, description="the outcome; the primary metric by default")
    ] = None,
    arm: Annotated[str | None, Query(max_length=200, description="only this one against the control")] = None,
    value: Annotated[float | None, Query(description="what one of the outcome is worth; 1 by default")] = None,
    cost: Annotated[float, Query(description="of treating one customer")] = 0.0,
) -> dict[str, Any]:
    """The Qini curve against random, and what treating the best of the customers pays, on customers the models didn't see."""
    return told(request, "uplift", experiment=slug, metric=metric, arm=arm, worth=value, cost=cost)


@router.get("/profiles/{identifier}/arms", summary="A customer's arms", dependencies=[needs("read")])
def arms(request: Request, identifier: Who) -> dict[str, Any]:
    """By experiment that runs, the arm that the customer is in, or null with the reason.

    Whoever isn't known yet is drawn by the id itself: the arm stays the same when they become known by it. An experiment
    that begins or ends takes effect here within two seconds.
    """
    live = live_of(request)
    service: Service = request.app.state.service
    if service.arms is None:
        raise HTTPException(503, "The workspace isn't ready.", {"Retry-After": "1"})
    found = customer_of(live, identifier)
    return {"customer": found or identifier, "known": found is not None,
            "arms": service.arms.of(found or identifier, known=found is not None)}  # fmt: skip
