"""Every part of pages in every state, for who makes pages; what it shows is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from shoal.views import theme
from shoal.web import samples
from shoal.web.charts import ChartWidth, answer, empty
from shoal.web.glossary import GLOSSARY
from shoal.web.people import may
from shoal.web.render import fragment, page
from shoal.web.tables import Column, Listing, listed
from shoal.web.telling import tell

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(prefix="/style", dependencies=[Depends(may("admin"))])
COLUMNS = (
    Column("name", "Segment", note="why"),
    Column("size", "Customers", "live"),
    Column("change", "In 7 days", "signed"),
    Column("share", "Share", "bar", term="base"),
    Column("revenue", "Revenue", "money"),
    Column("trend", "Trend", "spark"),
    Column("state", "Worked out", "state", term="live"),
    Column("tags", "Tags", "tags"),
    Column("changed", "Changed", "day"),
)
TYPED = {"name": "Win back", "days": "60", "why": "", "condition": 'did "Order Completed"', "channel": "mail"}


@router.get("")
def style(request: Request) -> Response:
    """All parts."""
    return _page(request, TYPED, {})


@router.post("")
async def checked(request: Request) -> Response:
    """Send the form of the page: what is wrong comes back beside the field."""
    typed = {name: str(value) for name, value in (await request.form()).items()}
    errors = {}
    if not typed.get("name", "").strip():
        errors["name"] = "Give it a name."
    if not typed.get("days", "").isdecimal():
        errors["days"] = f"Write a whole number of days, as 30; “{typed.get('days', '')}” isn't one."
    if errors:
        return _page(request, TYPED | typed, errors, 422)
    return tell(
        RedirectResponse("/style#forms", 303), f"Nothing is kept of “{typed['name']}” here.", undo="/style/undo"
    )


def _page(request: Request, typed: Mapping[str, str], errors: Mapping[str, str], status: int = 200) -> Response:
    return page(
        request, "style/style.html", title="Parts of pages", status=status, listing=_listing(request), charts=samples.CHARTS,
        typed=typed, errors=errors, glossary=GLOSSARY, palette=_palette(),
    )  # fmt: skip


def _listing(request: Request) -> Listing:
    return listed(
        request, "segments", COLUMNS, samples.segments(), sort="-size", label="segments", search=("name", "why", "tags"),
        size=6,
    )  # fmt: skip


def _palette() -> Mapping[str, list[str]]:
    return {
        "Palette": list(theme.PALETTE),
        "Groups": list(theme.GROUPS.values()),
        "Sequential": list(theme.SEQUENTIAL),
        "Diverging": list(theme.DIVERGING),
    }


@router.get("/charts/{name}.json")
def chart(name: str, width: ChartWidth = theme.WIDE) -> Response:
    """The definition of one chart; ``empty`` is one of nothing."""
    if name == "empty":
        return empty("There is no order yet. Load files, or send events, and it is drawn here.", width)
    if name not in samples.CHARTS:
        raise HTTPException(404, "There is no such chart.")
    return answer(samples.CHARTS[name](width))


@router.get("/later")
def later(request: Request) -> Response:
    """What a lazy part is replaced by."""
    return fragment(request, "style/_later.html")


@router.post("/did")
def did(text: Annotated[str, Form()] = "The segment was archived.") -> Response:
    """Say that something was done, which can be undone."""
    return tell(Response(status_code=204), text, undo="/style/undo")


@router.post("/undo")
def undo() -> Response:
    """Say that it was undone."""
    return tell(Response(status_code=204), "It is as it was before.")
