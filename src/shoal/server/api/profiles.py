"""One customer over HTTP, by any identifier: traits, memberships with since, until and why, recent events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from shoal.errors import UnknownName
from shoal.server.api.app import customer_of, live_of, needs
from shoal.workspace.live.profile import explanation, plain, profile

if TYPE_CHECKING:
    from shoal.server.service import Service
    from shoal.workspace.live import Live

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
Identifier = Annotated[
    str, Path(max_length=1000, description="a customer's id or any identifier; KIND:VALUE says which kind")
]


@router.get("/{identifier}", summary="A customer's profile", dependencies=[needs("read")])
def one(
    request: Request,
    identifier: Identifier,
    events: Annotated[int, Query(ge=0, le=1000, description="how many of the newest events")] = 20,
    why: Annotated[bool, Query(description="whether each membership says why")] = False,
) -> dict[str, Any]:
    """Traits, scores, accounts, identifiers, memberships with since and until, and the newest events."""
    live = live_of(request)
    return profile(live, _customer(live, identifier), events, why=why)


@router.get("/{identifier}/why/{slug}", summary="Why a customer is in or not", dependencies=[needs("read")])
def why(request: Request, identifier: Identifier, slug: Annotated[str, Path(max_length=200)]) -> dict[str, Any]:
    """The tree of the definition with the value and truth of each part, and until when."""
    live = live_of(request)
    customer = _customer(live, identifier)
    definition = live.catalogue.find(slug)
    with live.lock:
        return explanation(live.core.engine.why(definition.slug, customer))


@router.get("/{identifier}/export", summary="All that is kept of a person", dependencies=[needs("admin")])
def export(request: Request, identifier: Identifier) -> dict[str, Any]:
    """Everything that the workspace holds about a person, as they may ask for it."""
    live = live_of(request)
    customer = _customer(live, identifier)
    live.keeper.flush()
    with live.own:
        found: dict[str, Any] = plain(live.workspace.privacy.export(customer))
    return found


@router.delete("/{identifier}", summary="Erase a person", dependencies=[needs("admin")])
def forget(request: Request, identifier: Identifier) -> dict[str, Any]:
    """Erase a person from log, snapshots, store and memory for good; says how many rows were removed, by table."""
    service: Service = request.app.state.service
    done = service.forget(_customer(live_of(request), identifier))
    return {"removed": dict(done.erased.report)}


def _customer(live: Live, identifier: str) -> str:
    """Whom an identifier means.

    Raises:
        UnknownName: nobody bears it.
    """
    found = customer_of(live, identifier)
    if found is None:
        raise UnknownName("customer", identifier)
    return found
