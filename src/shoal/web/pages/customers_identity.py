"""How well customers are told apart: merges over time, refused ones, who may be one, largest clusters, ignored values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from shoal.server.api.app import live_of
from shoal.web.masking import shown, shown_id
from shoal.web.pages.customers import link, said_kind, shown_value
from shoal.web.people import Person, may
from shoal.web.render import fragment, page
from shoal.workspace.customer_pages import identity_quality

if TYPE_CHECKING:
    from shoal.customers.story import Joined

router = APIRouter(prefix="/customers/identity")
Viewer = Annotated[Person, Depends(may("view"))]


@router.get("")
def identity(request: Request, person: Viewer) -> Response:
    """The page; what it tells comes a moment later."""
    return page(request, "customers/identity.html", title="Identity quality", until=live_of(request).core.engine.now)


@router.get("/found")
def found(request: Request, person: Viewer) -> Response:
    """What the page tells."""
    told = identity_quality(live_of(request))

    def step(one: Joined) -> dict[str, Any]:
        return {
            "what": one.what, "at": one.ts, "because": one.because, "seq": one.seq, "kind": said_kind(one.kind or ""),
            "value": "" if one.value is None else shown_value(person, one.kind or "", one.value),
            "customer": one.customer, "other": one.other,
        }  # fmt: skip

    return fragment(
        request, "customers/_identity.html", told=told, merges=[step(one) for one in told.merges],
        refused=[(step(one), apart) for one, apart in told.refused], moved=[step(one) for one in told.moved],
        alike=[(one.trait, shown(person, one.trait, one.value), one.customers) for one in told.alike],
        named=lambda one: shown_id(person, one), open=lambda one: link(one) if shown_id(person, one) == one else "",
        trend=[many for _, many in told.by_month], said_kind=said_kind,
    )  # fmt: skip
