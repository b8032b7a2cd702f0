"""The page of a customer: who they are, what they are in and until when, what they did, and how all of that is known."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from shoal.customers import story
from shoal.customers.accounts import account
from shoal.customers.identity import key_of
from shoal.customers.profiles import group_of
from shoal.errors import ShoalError, UnknownName
from shoal.server.api.app import live_of
from shoal.server.asking import Busy
from shoal.shapes import ACCOUNT_ID
from shoal.web import person_story as told
from shoal.web.builder.reasons import lines
from shoal.web.masking import shown_id
from shoal.web.pages.customers import link, said_kind, shown_value
from shoal.web.pages.segments import colours
from shoal.web.people import Person, may, service_of
from shoal.web.render import fragment, page

if TYPE_CHECKING:
    from shoal.sql.store import Store
    from shoal.workspace.live import Live

router = APIRouter(prefix="/customers/{customer:path}")
Viewer = Annotated[Person, Depends(may("view"))]
MOST = 25
_KEPT_WORDS = 40


# ---------------------------------------------------------------- the frame of all pages of a customer


def standing(live: Live, customer: str) -> str:
    """Who stands for an id.

    Raises:
        UnknownName: there is no such customer.
    """
    with live.lock:
        people = live.core.engine.state.people
        return str(people.ids[live.core.engine.row(customer)])


def keys_of(store: Store, customer: str) -> list[int]:
    """The keys of a customer and of all who were merged into them."""
    return group_of(store, key_of(store, customer))


def frame(request: Request, person: Person, live: Live, customer: str, here: str = "") -> dict[str, Any]:
    """What the head of each of a customer's pages needs."""
    base = link(customer)
    tabs = [("Overview", base), ("How they were joined", f"{base}/identity"), ("What happens if", f"{base}/what-if")]
    return {
        "customer": customer, "name": shown_id(person, customer), "base": base, "here": f"{base}{here}", "tabs": tabs,
        "until": live.core.engine.now, "zone": live.workspace.config.zone,
    }  # fmt: skip


# ---------------------------------------------------------------- parts that come a moment later


@router.get("/known")
def known(request: Request, person: Viewer, customer: str) -> Response:
    """Traits with where they came from, scores, consent with its history, lists and accounts; warnings first."""
    live = live_of(request)
    at, zone = live.clock.now(), live.workspace.config.zone
    keys = live.read(lambda store: keys_of(store, customer))
    traits = live.read(lambda store: story.said(store, keys, at))
    words = live.read(lambda store: story.consented(store, keys, at))
    lists, since = live.read(lambda store: (story.listed(store, keys, at), story.since(store, keys)))
    named = [str(one.value) for one in traits if one.name == ACCOUNT_ID]
    accounts = live.read(lambda store: [account(store, one, at) for one in named])
    consents = told.standing_consent(words)
    first, scores = told.first_scores([one for one in traits if one.score], live.workspace.config.currency, zone)
    own = [(one, told.shown_words(person, one.name, one.value, zone)) for one in traits if not one.score]
    return fragment(
        request, "customers/_known.html", base=link(customer), single=len(keys) == 1, shown_id=lambda one: shown_id(person, one),
        traits=own, scores=scores, first=first,
        consents=consents, words=words[:_KEPT_WORDS], lists=lists, purposes=live.workspace.config.purposes,
        accounts=[
            (one.id, one.size, [(t.name, told.shown_words(person, t.name, t.value, zone)) for t in one.traits])
            for one in accounts
        ],
        warnings=told.warnings(traits, consents, lists, live.definitions), known_since=since, at=at,
    )  # fmt: skip


@router.get("/past")
def past(request: Request, person: Viewer, customer: str, trait: Annotated[str, Query(max_length=500)]) -> Response:
    """What was said of one trait before."""
    live = live_of(request)
    at, zone = live.clock.now(), live.workspace.config.zone
    found = live.read(lambda store: story.past(store, keys_of(store, customer), trait, at))
    rows = [
        (one, "cleared" if one.value is None else told.shown_words(person, trait, one.value, zone)) for one in found
    ]
    return fragment(request, "customers/_past.html", rows=rows, shown_id=lambda one: shown_id(person, one))


@router.get("/timeline")
def timeline(
    request: Request,
    person: Viewer,
    customer: str,
    before: int | None = None,
    event: Annotated[str, Query(max_length=200)] = "",
    newest: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """Events, the newest first. With ``newest``, the mark of what is shown: 204 where nothing came since."""
    live = live_of(request)
    at, zone = live.clock.now(), live.workspace.config.zone
    keys = live.read(lambda store: keys_of(store, customer))
    found, further = live.read(
        lambda store: story.happened(store, keys, at, before=before, event=event or None, most=MOST)
    )
    mark = "-".join(f"{one.ts}.{one.received}" for one in found[:3]) or "none"
    if newest and newest == mark:
        return Response(status_code=204)
    names = live.read(lambda store: story.counted(store, keys, at)) if before is None else {}
    events = [(one, told.pairs(person, one, zone), told.items(person, one, zone)) for one in found]
    asked = f"event={quote(event)}"
    answer = fragment(
        request, "customers/_timeline.html", events=events, further=further, base=link(customer), names=names, event=event,
        mark=mark, before=before, asked=asked, now=at,
    )  # fmt: skip
    if request.headers.get("hx-trigger") == "event-filter":
        answer.headers["HX-Replace-Url"] = (
            f"{link(customer)}?{asked}#timeline" if event else f"{link(customer)}#timeline"
        )
    return answer


@router.get("/why/{slug}")
def why(request: Request, person: Viewer, customer: str, slug: str) -> Response:
    """Why they are in a segment, or not."""
    live = live_of(request)
    definition = live.catalogue.find(slug)
    with live.lock:
        reason = live.core.engine.why(definition.slug, customer)
    found = lines(reason, person, live.workspace.config.zone)
    return fragment(request, "customers/_why.html", lines=found, reason=reason)


@router.get("/changes")
def changes(request: Request, person: Viewer, customer: str) -> Response:
    """The published changes of their memberships, the newest first."""
    from shoal.insight.history import of_customer

    live = live_of(request)
    keys = live.read(lambda store: keys_of(store, customer))
    found = live.read(lambda store: [row for key in keys for row in of_customer(store, key)])
    found.sort(key=lambda row: row[2], reverse=True)
    names = {slug: one.name for slug, one in live.definitions.items()}
    rows = [(slug, names.get(slug), what, at, because) for slug, what, at, because in found[:MOST]]
    return fragment(request, "customers/_changes.html", rows=rows, more=len(found) - len(rows))


@router.get("/next")
def next_action(request: Request, person: Viewer, customer: str) -> Response:
    """What their scores rest on, what to do next with people like them, and the arms of experiments they are in."""
    live, service = live_of(request), service_of(request)
    with live.lock:
        engine = live.core.engine
        segments = [slug for slug in engine.plan.definitions if engine.is_member(slug, customer)]
    arms = {} if service.arms is None else service.arms.of(customer)
    pilots: dict[str, list[str]] = {}
    for slug, pilot in live.workspace.pilots.catalogue().definitions.items():
        pilots.setdefault(pilot.experiment or slug, []).append(pilot.name)
    models: dict[str, Any] = {}
    actions: dict[str, Any] = {"actions": [], "refused": None}
    problem = ""
    try:
        assert service.asking is not None
        models = service.asking.ask("customer reasons", {"customer": customer})["models"]
        actions = service.asking.ask("customer actions", {"segments": segments}) if segments else actions
    except Busy:
        raise
    except ShoalError as error:
        problem = error.problem
    return fragment(
        request, "customers/_next.html", models=models, actions=actions, arms=arms, pilots=pilots, problem=problem,
    )  # fmt: skip


@router.get("/identity")
def identity(request: Request, person: Viewer, customer: str) -> Response:
    """How a customer's identifiers were joined, as a picture and as a list; a merge can be taken back."""
    live = live_of(request)
    if (who := standing(live, customer)) != customer:
        return RedirectResponse(f"{link(who)}/identity", 303)
    keys = live.read(lambda store: keys_of(store, customer))
    joined = live.read(lambda store: story.joined(store, keys))
    merged = live.read(lambda store: story.merges(store, keys))
    borne = live.read(lambda store: story.borne(store, keys))
    because = {(one.kind, one.value): one.because for one in joined if one.what in ("linked", "repointed")}
    with live.lock:
        identifiers = live.core.identities.identifiers(customer)
    have = {(kind, value) for kind, value, _, _ in borne}
    rows = [
        (kind, shown_value(person, kind, value), owner, because.get((kind, value), ""))
        for kind, value, owner, _ in borne
    ]
    rows += [
        (kind, shown_value(person, kind, value), customer, "it is their id in files, or was said so")
        for kind, value in identifiers
        if (kind, value) not in have
    ]
    steps = [
        asdict(one)
        | {
            "value": "" if one.value is None else shown_value(person, one.kind or "", one.value),
            "customer": "" if one.customer is None else shown_id(person, one.customer),
            "other": "" if one.other is None else shown_id(person, one.other),
        }
        for one in joined
    ]
    picture = told.graph(person, customer, [(kept, gone, why) for kept, gone, _, why in merged], rows)
    return page(
        request, "customers/identity_of.html", title=f"{shown_id(person, customer)}: how they were joined", picture=picture,
        steps=list(reversed(steps)), merged=merged, rows=rows, said_kind=said_kind, shown_id=lambda one: shown_id(person, one),
        **frame(request, person, live, customer, "/identity"),
    )  # fmt: skip


# ---------------------------------------------------------------- the page


@router.get("")
def overview(
    request: Request,
    person: Viewer,
    customer: str,
    was: Annotated[str, Query(max_length=1000)] = "",
    event: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Who they are, and what they are in; the rest comes a moment later."""
    live = live_of(request)
    try:
        who = standing(live, customer)
    except UnknownName:
        return RedirectResponse(f"/customers?q={quote(customer, safe='')}", 303)
    if who != customer:
        return RedirectResponse(f"{link(who)}?was={quote(customer, safe='')}", 303)
    with live.lock:
        bars = told.memberships(live.core.engine, customer)
        identifiers = live.core.identities.identifiers(customer)
        old = live.core.identities.merged_ids(customer)
        everyone = len(live.core.engine.plan.definitions)
    return page(
        request, "customers/overview.html", title=shown_id(person, customer), was=shown_id(person, was) if was else "",
        event=event,
        bars=bars, colours=colours(live), segments=everyone, said_kind=said_kind, old=[shown_id(person, one) for one in old],
        identifiers=[(kind, shown_value(person, kind, value)) for kind, value in identifiers],
        **frame(request, person, live, customer),
    )  # fmt: skip
