"""Experiments: all of them, one with its verdict and health, its start and stop, and a new one planned and written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import yaml
from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import Refused, ShoalError
from shoal.lang.slug import slug_of
from shoal.views import theme
from shoal.web.asked import ChartWidth, address, asked, changed, chart_of
from shoal.web.audit import note
from shoal.web.people import Person, may
from shoal.web.render import fragment, is_fragment, page
from shoal.web.tables import Column, listed
from shoal.web.telling import tell

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(prefix="/experiments")
Viewer = Annotated[Person, Depends(may("view"))]
Editor = Annotated[Person, Depends(may("edit"))]
By = Annotated[str, Query(max_length=200)]
STATES = {"planned": ("planned", ""), "running": ("running", "good"), "stopped": ("over", "accent"),
          "elsewhere": ("ran elsewhere", "")}  # fmt: skip
VERDICTS = {"better": "good", "worse": "bad", "harm": "bad", "blocked": "bad", "undecided": "", "different": "warn"}
COLUMNS = (
    Column("name", "Experiment", note="hypothesis"), Column("state", "State", "state"), Column("arms", "Arms"),
    Column("judged_by", "Judged by"), Column("began", "Since"), Column("owner", "Owner"),
)  # fmt: skip
EXPOSURES = (
    ("", "The event Experiment Viewed, sent by the shop"),
    ("at start", "Everybody of the population, from the start on"),
    ("event", "Another event"),
)
PLANS = (
    ("fixed", "Once, at the end"), ("group sequential", "At some planned moments"), ("always valid", "At any moment"),
    ("bayesian", "As chances (Bayesian)"),
)  # fmt: skip
FIELDS = {"name": "", "hypothesis": "", "owner": "", "population": "", "arms": "control: 50%, treatment: 50%", "primary": "",
          "secondary": "", "guardrails": "", "minimum_effect": "5%", "plan": "fixed", "looks": "4", "days": "28",
          "exposure": "", "event": "", "layer": "", "share": ""}  # fmt: skip
"""The fields of a new experiment, with what stands there at first."""


# ------------------------------------------------------------ all


@router.get("")
def every(request: Request, person: Viewer) -> Response:
    """All experiments."""
    if not is_fragment(request):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return page(request, "experiments/list.html", title="Experiments", here=here)
    found = asked(request, "experiments told")
    rows = [_line(one) for one in found["experiments"]]
    listing = listed(
        request, "experiments", COLUMNS, rows, sort="-began", label="experiments",
        search=("name", "hypothesis", "owner", "slug", "judged_by"),
    )  # fmt: skip
    return fragment(request, "experiments/_list.html", listing=listing, faults=found["faults"], person=person)


def _line(one: Mapping[str, Any]) -> dict[str, Any]:
    arms = one.get("arms") or []
    return {
        "slug": one["slug"], "name": one["name"], "href": f"/experiments/{one['slug']}", "owner": one.get("owner", ""),
        "hypothesis": one.get("hypothesis", ""), "state": STATES[one["state"]], "judged_by": one["judged_by"],
        "arms": ", ".join(f"{name} {100 * weight:.4g} %" for name, weight in arms), "began": (one["started"] or "")[:10] or None,
    }  # fmt: skip


# ------------------------------------------------------------ a new one


@router.get("/new")
def new(request: Request, person: Editor) -> Response:
    """The form of a new experiment."""
    return _form(request, FIELDS, {})


@router.post("/new")
async def made(request: Request, person: Editor) -> Response:
    """Say what it takes, or write it."""
    given = {name: str(value) for name, value in (await request.form()).items()}
    typed = FIELDS | {name: given[name].replace("\r\n", "\n") for name in FIELDS if name in given}
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(_made, request, typed, save=given.get("do") == "save")


def _made(request: Request, typed: dict[str, str], *, save: bool) -> Response:
    slug, errors = slug_of(typed["name"]), _missing(typed)
    text = _text(typed)
    found = {} if errors else asked(request, "experiment draft", slug=slug, text=text, planned=not save)
    if found.get("fault"):
        errors = _placed(found["fault"])
    if errors:
        return _form(request, typed, errors, status=422)
    if not save:
        return _form(request, typed, {}, plan=found, text=text)
    try:
        changed(request, "write experiment", slug=slug, text=text)
    except Refused as refusal:
        return _form(request, typed, {"name": f"{refusal.problem} {refusal.fix or ''}".strip()}, status=422)
    note(request, "experiment written", slug)
    return tell(RedirectResponse(f"/experiments/{slug}", 303), f"It is written: experiments/{slug}.yaml.")


def _missing(typed: Mapping[str, str]) -> dict[str, str]:
    found = {}
    if not typed["name"].strip():
        found["name"] = "Give it a name."
    if not typed["primary"]:
        found["primary"] = "Choose the metric that decides."
    if typed["exposure"] == "event" and not typed["event"].strip():
        found["event"] = "Name the event that says who was exposed."
    return found


def _placed(fault: Mapping[str, Any]) -> dict[str, str]:
    """A fault of the text beside the field that it comes from."""
    said = " ".join(filter(None, (fault["problem"], fault["fix"])))
    return {fault["key"] if fault["key"] in FIELDS else "": said}


def _form(
    request: Request, typed: Mapping[str, str], errors: Mapping[str, str], *, status: int = 200,
    plan: Mapping[str, Any] | None = None, text: str = "",
) -> Response:  # fmt: skip
    return page(
        request, "experiments/new.html", title="New experiment", status=status, typed=typed, errors=errors, plan=plan, text=text,
        choices=asked(request, "experiment choices"), exposures=EXPOSURES, plans=PLANS, slug=slug_of(typed["name"] or "new"),
    )  # fmt: skip


def _text(typed: Mapping[str, str]) -> str:
    """The file that the form means."""
    held: dict[str, Any] = {
        "name": typed["name"].strip(), "hypothesis": typed["hypothesis"].strip(), "owner": typed["owner"].strip(),
        "population": typed["population"].strip(), "arms": _pairs(typed["arms"]), "primary": typed["primary"],
        "secondary": _words(typed["secondary"]), "guardrails": [_guardrail(one) for one in _words(typed["guardrails"])],
        "minimum_effect": _number(typed["minimum_effect"]), "plan": _plan(typed), "layer": typed["layer"].strip(),
        "share": _number(typed["share"]),
        "exposure": {"event": typed["event"].strip()} if typed["exposure"] == "event" else typed["exposure"],
    }  # fmt: skip
    kept = {key: value for key, value in held.items() if value not in ("", [], {}, None)}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=100)


def _plan(typed: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": typed["plan"]}
    if typed["plan"] == "group sequential":
        found["looks"] = _number(typed["looks"])
    if typed["days"].strip():
        found["days"] = _number(typed["days"])
    return found


def _words(text: str) -> list[str]:
    return [one.strip() for one in text.replace("\n", ",").split(",") if one.strip()]


def _pairs(text: str) -> dict[str, Any]:
    """``control: 50%, mail: 50%`` as YAML has it."""
    found = {}
    for one in _words(text):
        name, _, share = one.rpartition(":")
        found[(name or share).strip()] = _number(share)
    return found


def _guardrail(text: str) -> Any:
    """``nps: 2%``: a metric with how much worse may be borne; or its slug alone."""
    metric, colon, borne = text.partition(":")
    return {metric.strip(): _number(borne)} if colon else metric


def _number(text: str) -> int | float | str:
    """A number where it is one; else the text as it is, which the reader of files judges."""
    said = text.strip()
    for kind in (int, float):
        try:
            return kind(said)
        except ValueError:
            continue
    return said


# ------------------------------------------------------------ one


@router.get("/{slug}")
def experiment(request: Request, person: Viewer, slug: str, by: By = "") -> Response:
    """One experiment: its verdict where there is one, its plan where it hasn't begun."""
    found = asked(request, "experiment", slug=slug)
    return page(
        request, "experiments/experiment.html", title=found["name"], found=found, by=by, state=STATES[found["state"]],
        splits=[("", "Nothing"), *found["splits"].items()], part=address(f"/experiments/{slug}/result", by=by),
    )  # fmt: skip


@router.get("/{slug}/result")
def result(request: Request, person: Viewer, slug: str, by: By = "") -> Response:
    """The verdict, the health, the effects."""
    try:
        found, refused = asked(request, "experiment told", slug=slug, by=[by] if by else []), None
    except ShoalError as error:
        found, refused = None, error
    return fragment(
        request, "experiments/_result.html", found=found, refused=refused, slug=slug, kinds=VERDICTS,
        query=address("", by=by).removeprefix("?"),
    )  # fmt: skip


@router.get("/{slug}/charts/{name}.json")
def chart(
    request: Request, person: Viewer, slug: str, name: str, by: By = "", width: ChartWidth = theme.WIDE
) -> Response:  # fmt: skip
    """A chart of the result."""
    return chart_of(request, "experiment told", name, width=width, slug=slug, by=[by] if by else [])


@router.get("/{slug}/plan")
def plan(request: Request, person: Viewer, slug: str) -> Response:
    """How many customers it takes, and how long."""
    try:
        found, refused = asked(request, "experiment planned", slug=slug), ""
    except ShoalError as error:
        found, refused = None, " ".join(filter(None, (error.problem, error.fix)))
    return fragment(request, "experiments/_plan.html", plan=found, refused=refused)


@router.post("/{slug}/start")
def start(request: Request, person: Editor, slug: str) -> Response:
    """Begin it."""
    return _done(request, slug, "experiment started", "It runs: the arms are drawn from now on.", "start experiment")


@router.post("/{slug}/stop")
def stop(
    request: Request, person: Editor, slug: str, because: Annotated[str, Form(max_length=500)] = ""
) -> Response:  # fmt: skip
    """End it."""
    return _done(request, slug, "experiment stopped", "It is over.", "stop experiment", because=because.strip())


def _done(request: Request, slug: str, action: str, told: str, question: str, **said: Any) -> Response:
    answer = RedirectResponse(f"/experiments/{slug}", 303)
    try:
        changed(request, question, slug=slug, **said)
    except ShoalError as error:
        return tell(answer, " ".join(filter(None, (error.problem, error.fix))), bad=True)
    note(request, action, slug)
    return tell(answer, told)
