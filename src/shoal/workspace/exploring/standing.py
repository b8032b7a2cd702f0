"""Who came, stayed, came back and went silent by period, and cohorts by age: each figure with the text of its segment."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from shoal.lang.calendar import zone
from shoal.lang.schema import Kind
from shoal.workspace.exploring.conditions import after, among, between, both, did
from shoal.workspace.exploring.ground import sayable, slug_in
from shoal.workspace.journeys import read_step
from shoal.workspace.journeys_told import dated as dated_of

if TYPE_CHECKING:
    from shoal.insight.cohorts import Mode
    from shoal.lang.nodes import CalendarUnit, Events
    from shoal.workspace.opening import Workspace

STATES = {"retained": "Retained", "resurrected": "Resurrected", "new": "New", "dormant": "Dormant"}


def lifecycle(
    workspace: Workspace, *, active: str | None = None, grain: CalendarUnit = "month", segment: str | None = None
) -> dict[str, Any]:
    """Customers by state and period; see ``Journeys.lifecycle``.

    Returns:
        ``rows`` has one for each period and state: period (ISO date), state, customers, finished, where.
    """
    told = workspace.journeys.lifecycle(active, grain=grain, segment=segment).document()
    slug = slug_in(workspace, segment)
    event = read_step(active or workspace.config.revenue.orders, workspace.metrics.schema())
    rows, said = [], sayable(workspace, event)
    for period in told["periods"]:
        texts = _states(event, date.fromisoformat(period["period"]), grain)
        rows += [
            {"period": period["period"], "state": state, "customers": period[key], "finished": period["finished"],
             "where": among(slug, texts[key]) if said else None}
            for key, state in STATES.items() if period[key] is not None
        ]  # fmt: skip
    return told | {"rows": rows, "n": _ever(told["periods"])}


def _ever(periods: list[dict[str, Any]]) -> int:
    """How many were ever active: each was new once."""
    return int(sum(period["new"] for period in periods))


def _states(event: Events, first: date, grain: CalendarUnit) -> dict[str, str]:
    now, before = between(first, after(first, grain)), between(after(first, grain, -1), first)
    new = did(event, now, first=True)
    return {
        "new": new,
        "retained": both(did(event, now), did(event, before)),
        "resurrected": both(did(event, now), did(event, before, negated=True), f"not {new}"),
        "dormant": both(did(event, before), did(event, now, negated=True)),
    }


def cohorts(
    workspace: Workspace,
    *,
    born: str | None = None,
    active: str | None = None,
    grain: CalendarUnit = "month",
    mode: Mode = "on",
    ages: int | None = None,
    segment: str | None = None,
    start: str | None = None,
) -> dict[str, Any]:
    """Cohorts by age; see ``Journeys.cohorts``.

    Returns:
        The cells of ``Retained.document``, each with ``where``, and ``cohorts``: cohort, size, where.
    """
    found = workspace.journeys.cohorts(born, active, grain=grain, mode=mode, ages=ages, segment=segment, start=start)
    told = found.document()
    schema, order = workspace.metrics.schema(), workspace.config.revenue.orders
    slug, back = slug_in(workspace, segment), read_step(active or order, schema)
    # What the door takes for a trait is one here too.
    by_date = born is not None and schema.traits.get(born) in (Kind.DATE, Kind.INSTANT)
    origin = None if by_date else read_step(born or order, schema)
    today = dated_of(zone(workspace.config.zone).day(found.at))
    said = sayable(workspace, back, *([] if origin is None else [origin]))
    starts = {cell["cohort"]: _born(origin, str(born), cell["cohort"], grain, today) for cell in told["cells"]}
    for cell in told["cells"]:
        returned = _returned(back, date.fromisoformat(cell["month"]), grain, mode)
        cell["where"] = among(slug, both(starts[cell["cohort"]], returned)) if said else None
    sizes = {cell["cohort"]: cell["size"] for cell in told["cells"]}
    rows = [{"cohort": c, "size": size, "where": among(slug, starts[c]) if said else None} for c, size in sizes.items()]
    return told | {"cohorts": rows, "n": sum(sizes.values())}


def _born(origin: Events | None, trait: str, cohort: str, grain: CalendarUnit, today: date) -> str:
    from shoal.lang.lex import name_text

    first = date.fromisoformat(cohort)
    until = after(first, grain)
    if origin is not None:
        return did(origin, between(first, until), first=True)
    name = name_text(trait)
    last = f"{name} <= {today.isoformat()}" if until > today else f"{name} < {until.isoformat()}"
    return f"{name} >= {first.isoformat()} and {last}"


def _returned(back: Events, first: date, grain: CalendarUnit, mode: Mode) -> str:
    return did(back, f"since {first.isoformat()}" if mode == "on or after" else between(first, after(first, grain)))
