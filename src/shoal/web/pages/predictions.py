"""Predictions: all models with how good they are, and one with its scores, its evidence and a segment of any range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import Refused, ShoalError
from shoal.views import theme
from shoal.web.asked import ChartWidth, address, asked, changed, chart, chart_of
from shoal.web.audit import note
from shoal.web.errands import errands_of
from shoal.web.people import Person, may
from shoal.web.render import fragment, is_fragment, page
from shoal.web.tables import Column, listed
from shoal.web.telling import tell
from shoal.workspace.asked.predictions import condition

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(prefix="/predictions")
Viewer = Annotated[Person, Depends(may("view"))]
Editor = Annotated[Person, Depends(may("edit"))]
Text = Annotated[str, Query(max_length=300)]
COLUMNS = (
    Column("label", "Model", note="title"), Column("state", "State", "state"), Column("worth", "How good", note="behind"),
    Column("customers", "Learnt from", "count", term="n"), Column("fitted", "Fitted", "day"), Column("looks", "Looks ahead"),
)  # fmt: skip


@router.get("")
def every(request: Request, person: Viewer) -> Response:
    """All models."""
    if not is_fragment(request):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return page(request, "predictions/list.html", title="Predictions", here=here)
    rows = [_line(one) for one in asked(request, "models told")["models"]]
    listing = listed(request, "models", COLUMNS, rows, sort="place", label="models", search=("label", "title", "worth"))
    return fragment(request, "predictions/_list.html", listing=listing)


def _line(one: Mapping[str, Any]) -> dict[str, Any]:
    fitted = one.get("version")
    return {
        "label": one["name"].replace("_", " ").capitalize(), "title": one["title"][:1].upper() + one["title"][1:],
        "href": f"/predictions/{one['name']}", "state": ("scores", "good") if fitted else ("not fitted yet", ""),
        "worth": one.get("worth", ""), "behind": one.get("behind", ""), "customers": one.get("customers"),
        "fitted": one.get("fitted"), "looks": one["looks"],
    }  # fmt: skip


@router.get("/alarms")
def alarms(request: Request, person: Viewer) -> Response:
    """Models whose scores spread otherwise than at the fit."""
    found = asked(request, "models drifted")["drift"]
    return fragment(request, "predictions/_alarms.html", drift={name: moved for name, moved in found.items() if moved})


@router.get("/contracts")
def contracts(request: Request, person: Viewer) -> Response:
    """Who under contract stays how long."""
    if not is_fragment(request):
        return page(request, "predictions/contracts.html", title="Retention of contracts")
    return fragment(request, "predictions/_contracts.html", found=asked(request, "contracts told"))


@router.get("/contracts/charts/{name}.json")
def contracts_chart(request: Request, person: Viewer, name: str, width: ChartWidth = theme.WIDE) -> Response:
    """A chart of it."""
    return chart_of(request, "contracts told", name, width=width)


# ------------------------------------------------------------ one


@router.get("/{name}")
def model(request: Request, person: Viewer, name: str, score: Text = "") -> Response:
    """One model."""
    found = asked(request, "model", name=name)
    scores = [one for one in found["traits"] if one["numeric"]]
    chosen = next((one for one in scores if one["name"] == score), scores[0] if scores else None)
    choices = [(one["name"], one["name"].replace("_", " ")) for one in scores]
    return page(
        request, "predictions/model.html", title=name.replace("_", " ").capitalize(), found=found, scores=scores,
        chosen=chosen, choices=choices, errand=errands_of(request).of("fit", name),
    )  # fmt: skip


@router.get("/{name}/charts/{chart}.json")
def evidence(request: Request, person: Viewer, name: str, chart: str, width: ChartWidth = theme.WIDE) -> Response:
    """A chart of what the model rests on."""
    return chart_of(request, "model", chart, width=width, name=name)


@router.get("/{name}/spread.json")
def spread(request: Request, person: Viewer, name: str, score: Text, width: ChartWidth = theme.WIDE) -> Response:
    """How a score spreads over customers."""
    return chart(request, "model spread", width=width, name=name, trait=score)


@router.get("/{name}/backtest")
def trial(request: Request, person: Viewer, name: str) -> Response:
    """The chart of earlier dates, which takes its time."""
    return fragment(request, "predictions/_backtest.html", name=name)


@router.get("/{name}/backtest.json")
def backtest(request: Request, person: Viewer, name: str, width: ChartWidth = theme.WIDE) -> Response:
    """How it would have done at earlier dates."""
    return chart(request, "model backtest", width=width, name=name, periods=3)


@router.get("/{name}/drift")
def drift(request: Request, person: Viewer, name: str) -> Response:
    """Whether scores spread as they did at the fit."""
    found = asked(request, "models drifted")["drift"].get(name, [])
    return fragment(request, "predictions/_alarms.html", drift={name: found} if found else {})


@router.get("/{name}/value")
def value(request: Request, person: Viewer, name: str) -> Response:
    """Value by segment and by cohort."""
    return fragment(request, "predictions/_value.html", found=asked(request, "value told", name=name))


@router.get("/{name}/reasons")
def reasons(request: Request, person: Viewer, name: str, customer: Text = "") -> Response:
    """What one customer's scores rest on."""
    found, fault = None, ""
    if customer.strip():
        try:
            found = asked(request, "model reasons", name=name, customer=customer.strip())
        except ShoalError as error:
            fault = error.problem
    return fragment(request, "predictions/_reasons.html", found=found, fault=fault)


@router.get("/{name}/segment")
def segment(request: Request, person: Viewer, name: str, score: Text, low: Text = "", high: Text = "") -> Response:
    """A new segment of a range of a score."""
    ends = []
    for said in (low, high):
        try:
            ends.append(
                float(said.strip().removesuffix("%")) / (100 if said.strip().endswith("%") else 1)
                if said.strip()
                else None
            )
        except ValueError:
            answer = RedirectResponse(address(f"/predictions/{name}", score=score), 303)
            return tell(answer, f"“{said}” is no number. Write it as 0.8, or as 80%.", bad=True)
    known = {one["name"] for one in asked(request, "model", name=name)["traits"]}
    if score not in known or ends == [None, None]:
        answer = RedirectResponse(address(f"/predictions/{name}", score=score), 303)
        return tell(answer, "Say from where, or up to where, the score is to reach.", bad=True)
    return RedirectResponse(address("/segments/new", where=condition(score, *ends)), 303)


# ------------------------------------------------------------ changing


@router.post("/{name}/fit")
def fit(request: Request, person: Editor, name: str) -> Response:
    """Fit it anew, in a process of its own."""
    asked(request, "model", name=name)
    answer = RedirectResponse(f"/predictions/{name}", 303)
    try:
        errands_of(request).start("fit", name)
    except Refused as refusal:
        return tell(answer, str(refusal), bad=True)
    note(request, "model fitted anew", name)
    return answer


@router.get("/{name}/fit")
def fitting(request: Request, person: Viewer, name: str) -> Response:
    """How far the fit is."""
    found = errands_of(request).of("fit", name)
    answer = fragment(request, "predictions/_fitting.html", errand=found, where=f"/predictions/{name}/fit")
    if found is not None and not found.runs:
        # The page shows the old fit still.
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/{name}/use")
def use(request: Request, person: Editor, name: str, version: Annotated[int, Form(ge=1)]) -> Response:
    """Let another version score."""
    answer = RedirectResponse(f"/predictions/{name}", 303)
    try:
        changed(request, "use model", name=name, version=version)
    except ShoalError as error:
        return tell(answer, error.problem, bad=True)
    note(request, "model version chosen", name, str(version))
    return tell(answer, f"Version {version} scores from the next run on.")
