"""A guided first look: a few steps through the pages, each with a figure of this workspace and the page that it is on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response

from shoal.lang.say import say
from shoal.lang.show import flat
from shoal.server.api.app import live_of
from shoal.web.pages.segments_members import untils
from shoal.web.people import Person, may
from shoal.web.render import page

if TYPE_CHECKING:
    from shoal.lang.nodes import Definition
    from shoal.workspace.live import Live

router = APIRouter()


class Step(NamedTuple):
    """A step: what is seen there, where, and what it says of this workspace."""

    title: str
    said: str
    path: str
    words: str


class Example(NamedTuple):
    """A segment to look at, and one who is in it.

    Args:
        definition: of the segment.
        size: how many are in it.
        customer: one of them, the next to leave it by time alone where there is such a one.
        until: when that is; None where time alone doesn't end it.
    """

    definition: Definition
    size: int
    customer: str
    until: int | None


LOOKED_AT = 20
"""So many members are looked at for one whom time will take out of a segment."""


@router.get("/first-look")
def first_look(request: Request, person: Annotated[Person, Depends(may("view"))]) -> Response:
    """The steps."""
    live = live_of(request)
    with live.lock:
        customers = len(live.core.engine.standing())
    example = _example(live, customers)
    until = example.until if example else None
    steps = _steps(customers, example, person)
    return page(request, "overview/first_look.html", title="First look", steps=steps, until=until)


def _example(live: Live, customers: int) -> Example | None:
    """The segment that is nearest to a tenth of everyone; a sharper one says more than one that holds nearly all."""
    with live.lock:
        engine = live.core.engine
        known = {slug: size for slug in engine.plan.definitions if (size := engine.size(slug))}
        if not known:
            return None
        slug = min(known, key=lambda one: (abs(known[one] - customers / 10), one))
        definition, members = engine.plan.definitions[slug], engine.ids_of(engine.member_rows(slug)[:LOOKED_AT])
    ends = {member: end for member, end in untils(live, slug, members).items() if end is not None}
    customer = min(ends, key=lambda one: (ends[one], one)) if ends else members[0]
    return Example(definition, known[slug], customer, ends.get(customer))


def _steps(customers: int, example: Example | None, person: Person) -> list[Step]:
    everyone = Step(
        "Everyone, once", f"{customers:,} customers, each with one profile", "/customers", "Find a customer"
    )
    figures = Step(
        "What it comes to", "Figures with their intervals, down to whom they are of", "/dashboards", "Dashboards"
    )
    explore = Step(
        "What nobody asked yet", "RFM, lifecycle, cohorts, paths: any mark can become a segment", "/explore", "Explore"
    )
    found = [everyone, *(_of_segment(example, person) if example else _without_segment(person)), figures, explore]
    if person.may("admin"):
        found.append(
            Step("Not alone", "Invite those whom you work with; a role says what they see", "/people", "People")
        )
    return found


def _of_segment(example: Example, person: Person) -> list[Step]:
    definition, who = example.definition, f"/customers/{quote(example.customer, safe='')}"
    told = f"{definition.name}, {example.size:,} of them. {say(definition.where).rstrip('.')}"
    supposed = "Let this customer order, or let a month pass, and see what would change"
    found = [
        Step("A segment", told, f"/segments/{definition.slug}", "Look at it"),
        Step("Why, and until when", "One of them: each part of the answer with its value", who, "Look at one"),
        Step("What happens if", supposed, f"{who}/what-if", "Try it"),
    ]
    if person.may("edit"):
        where = f"/segments/new?where={quote(flat(definition.where), safe='')}"
        found.append(Step("One of your own", "Change it in the builder: sizes follow each change", where, "Build one"))
    return found


def _without_segment(person: Person) -> list[Step]:
    said = "There is none yet, or nobody is in one. Ready ones that fit your data come with their size"
    return [Step("A segment", said, "/segments/templates", "Templates")] if person.may("edit") else []
