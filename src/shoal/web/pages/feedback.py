"""Feedback: how content customers are, by segment, what they write about, and what they miss."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from shoal.views import theme
from shoal.web.asked import ChartWidth, asked, chart_of
from shoal.web.people import Person, may
from shoal.web.render import fragment, is_fragment, page

router = APIRouter(prefix="/feedback")
Viewer = Annotated[Person, Depends(may("view"))]


@router.get("")
def feedback(request: Request, person: Viewer) -> Response:
    """What customers say."""
    if not is_fragment(request):
        return page(request, "feedback/feedback.html", title="Feedback")
    return fragment(request, "feedback/_feedback.html", found=asked(request, "feedback told"))


@router.get("/charts/{name}.json")
def chart(request: Request, person: Viewer, name: str, width: ChartWidth = theme.WIDE) -> Response:
    """A chart of it."""
    return chart_of(request, "feedback told", name, width=width)
