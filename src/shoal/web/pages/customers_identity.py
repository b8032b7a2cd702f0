"""How well customers are told apart: merges over time, refused ones, who may be one, largest clusters, ignored values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from shoal.server.api.app import live_of
from shoal.views import theme
from shoal.views.charts.identity import filled, merge_bars
from shoal.web.charts import ChartWidth, answer, empty
from shoal.web.masking import shown, shown_id
from shoal.web.pages.customers import link, said_kind, shown_value
from shoal.web.people import Person, may
from shoal.web.render import fragment, page
from shoal.workspace.customer_pages import identity_quality, merges_by_month

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    merges = list(zip(map(step, told.merges), _may_part(told.merges), strict=True))
    return fragment(
        request, "customers/_identity.html", told=told, merges=merges,
        refused=[(step(one), apart) for one, apart in told.refused], moved=[step(one) for one in told.moved],
        alike=[(one.trait, shown(person, one.trait, one.value), one.customers) for one in told.alike],
        named=lambda one: shown_id(person, one), open=lambda one: link(one) if shown_id(person, one) == one else "",
        said_kind=said_kind,
    )  # fmt: skip


def _may_part(merges: Sequence[Joined]) -> list[bool]:
    """Of steps, the newest first, which are merges that nothing has changed since."""
    seen: set[str | None] = set()
    found = []
    for one in merges:
        found.append(one.what == "merged" and one.other not in seen)
        seen.add(one.other)
    return found


@router.get("/merges.json")
def merges_chart(request: Request, person: Viewer, width: ChartWidth = theme.WIDE) -> Response:
    """The chart of merges by month."""
    months = merges_by_month(live_of(request))
    if not months:
        return empty("Nobody was merged yet. Merges come when a call bears identifiers of two customers.", width)
    rows = [{"month": month, "merges": many} for month, many in filled(months)]
    return answer(merge_bars(months, width=width), rows, {"month": "Month", "merges": "Merges"})
