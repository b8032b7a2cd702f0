"""The gallery of ready segments, each with its size on this data, and one's own drafts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from shoal.insight.library import CATEGORIES
from shoal.server.api.app import live_of
from shoal.web.pages.builder import KIND, Editor
from shoal.web.people import Person, may, now, service_of
from shoal.web.render import fragment, page

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(prefix="/segments")
Viewer = Annotated[Person, Depends(may("view"))]
ASKED_FOR = {
    "Abandoned cart": ("abandoned-cart",),
    "Win back": ("lapsed-vips", "lapsed", "lifecycle", "purchase-history"),
    "VIP": ("rfm-champions", "top-spenders", "rfm", "purchase-history"),
    "About to leave": ("at-risk", "lifecycle", "purchase-history"),
    "Second purchase": ("second-order-due", "one-time-buyers", "purchase-history"),
    "Birthday": ("birthday-soon",),
}
"""What is asked for most, each with the templates that answer it: the first that fits the data counts."""


@router.get("/templates")
def gallery(request: Request, person: Viewer) -> Response:
    """Ready segments to begin with; their sizes come a moment later."""
    live_of(request)
    service = service_of(request)
    if service.asking is not None:
        service.asking.expect()
    drafts = service.drafts.of(person.id, KIND) if person.may("edit") else []
    return page(request, "builder/templates.html", title="Templates", drafts=drafts, real=now())


@router.get("/templates/found")
def found(request: Request, person: Viewer) -> Response:
    """The templates that fit the data, and what the others lack."""
    live, asking = live_of(request), service_of(request).asking
    assert asking is not None
    told = asking.ask("library", {})
    by_category = {name: [one for one in told["fits"] if one["category"] == name] for name in CATEGORIES}
    by_slug = {one["slug"]: one for one in told["fits"]}
    asked_for = [(label, *_answering(slugs, by_slug, told["missing"])) for label, slugs in ASKED_FOR.items()]
    return fragment(
        request, "builder/_gallery.html", groups={name: found for name, found in by_category.items() if found},
        missing=_missing(told["missing"]), there=set(live.definitions), asked_for=asked_for,
    )  # fmt: skip


def _answering(
    slugs: tuple[str, ...], fits: Mapping[str, Any], missing: Mapping[str, str]
) -> tuple[dict[str, Any] | None, str]:
    """The first template that fits, or else what is missing for the first."""
    found = next((fits[slug] for slug in slugs if slug in fits), None)
    return found, next((missing[slug] for slug in slugs if slug in missing), "The data doesn't suffice for it.")


def _missing(reasons: dict[str, str]) -> list[tuple[str, list[str]]]:
    """The templates that the data doesn't suffice for, by the reason."""
    grouped: dict[str, list[str]] = {}
    for slug, reason in sorted(reasons.items()):
        grouped.setdefault(reason, []).append(slug.replace("-", " ").capitalize())
    return sorted(grouped.items())


@router.post("/drafts/{draft}/discard")
def discard(request: Request, person: Editor, draft: str) -> Response:
    """Let a draft go."""
    service_of(request).drafts.discard(draft, person.id)
    return RedirectResponse("/segments/templates", 303)
