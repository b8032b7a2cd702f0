"""Finding a customer by any identifier, and who came lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from shoal.server.api.app import live_of
from shoal.web.masking import HIDDEN, is_personal, shown, shown_id
from shoal.web.people import Person, may
from shoal.web.render import fragment, page
from shoal.web.tables import Column, listed
from shoal.workspace.customer_pages import MOST, lately, search

if TYPE_CHECKING:
    from shoal.workspace.customer_pages import Hit, Search
    from shoal.workspace.live import Live

router = APIRouter(prefix="/customers")
Viewer = Annotated[Person, Depends(may("view"))]
HITS = (Column("shown", "Customer"), Column("by", "Found by"), Column("value", "Value"))


def link(customer: str) -> str:
    """The address of a customer's page."""
    return f"/customers/{quote(customer, safe='')}"


@router.get("")
def find(request: Request, person: Viewer, q: Annotated[str, Query(max_length=1000)] = "") -> Response:
    """Search; one exact hit opens at once, an old id with a note. Nothing asked: who came lately."""
    live, text = live_of(request), q.strip()
    if not text:
        with live.lock:
            everyone, until = len(live.core.engine.standing()), live.core.engine.now
        return page(request, "customers/find.html", title="Customers", q="", everyone=everyone, until=until, found=None)
    found = search(live, text, whole=not person.sees_personal)
    if found.exact is not None:
        was = f"?was={quote(text.removeprefix('id:'), safe='')}" if found.merged else ""
        return RedirectResponse(link(found.exact) + was, 303)
    return _results(request, person, live, text, found)


def _results(request: Request, person: Person, live: Live, text: str, found: Search) -> Response:
    rows = [_row(person, hit) for hit in found.hits]
    near = [(shown_id(person, one), link(one)) for one in found.near if shown_id(person, one) == one]
    return page(
        request, "customers/find.html", title=f"Customers: {text}", q=text, found=found, near=near, most=MOST,
        erased=not rows and person.sees_personal and _is_erased(live, text), everyone=0, until=0,
        listing=listed(request, "hits", HITS, rows, sort="shown", label="customers"),
    )  # fmt: skip


def _row(person: Person, hit: Hit) -> dict[str, Any]:
    name = hit.by.removeprefix("trait ")
    told = shown_id(person, hit.customer)
    value = hit.value if hit.by != "id" else ""
    return {
        "shown": told, "by": said_kind(hit.by), "value": shown(person, name, value) if value else "",
        "href": _open(person, hit.customer),
    }  # fmt: skip


def said_kind(kind: str) -> str:
    """A kind of identifier, or a trait, as it is read.

    >>> said_kind("user_id"), said_kind("trait email"), said_kind("loyalty_card")
    ('user id', 'trait email', 'loyalty card')
    """
    return kind if kind.startswith("trait ") else kind.replace("_", " ")


def shown_value(person: Person, kind: str, value: str) -> str:
    """The value of an identifier, for somebody to see: addresses and numbers are personal, ids of browsers aren't."""
    if person.sees_personal:
        return value
    return HIDDEN if is_personal(kind, value) else shown_id(person, value)


def _is_erased(live: Live, text: str) -> bool:
    with live.own:
        return live.workspace.privacy.is_erased(text)


@router.get("/lately")
def who_came(request: Request, person: Viewer) -> Response:
    """Who did something last."""
    live = live_of(request)
    rows = [
        {"id": shown_id(person, one.customer), "href": _open(person, one.customer), "event": one.event, "ts": one.ts,
         "since": one.known_since}
        for one in lately(live)
    ]  # fmt: skip
    return fragment(request, "customers/_lately.html", rows=rows, now=live.core.engine.now)


def _open(person: Person, customer: str) -> str | None:
    """The address of a customer's page, where their id may be shown."""
    return link(customer) if shown_id(person, customer) == customer else None
