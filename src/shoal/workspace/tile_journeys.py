"""Tiles of journeys and of where customers stand: funnels, retention, RFM, places, flows."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.insight import lifecycle
from shoal.insight import rfm as groups
from shoal.lang import nodes as n
from shoal.lang.show import show
from shoal.views import words as w
from shoal.views.charts.render import to_spec
from shoal.views.dashboards import drilling
from shoal.views.dashboards.answers import WHERE, Answer, Head
from shoal.views.dashboards.drilling import between, linked, narrowed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.insight.sales import Sales
    from shoal.views.dashboards.definition import Tile
    from shoal.workspace.journeys_told import Funnelled
    from shoal.workspace.tiles import Frame

_EPOCH = date(1970, 1, 1)
_PLACES, _CELL = 400, 0.25
"""So many places are drawn, the largest; customers within so many degrees are one place."""
_KM = 111.2
"""Kilometres of a degree of latitude."""


# ------------------------------------------------------------ funnels


def funnel(tile: Tile, frame: Frame) -> Answer:
    """Of those who took the first step, how many took the next ones."""
    asks: dict[str, Any] = dict(tile.asks) | frame.between
    steps = asks.pop("steps", None) or [asks.pop("funnel")]
    found = frame.ws.journeys.funnel(*steps, segment=frame.segment or None, **asks)
    conditions = _steps(found, frame)
    spec = to_spec(found.chart(frame.width))
    linked(spec, lambda row: conditions.get(row.get("step", 0), "") if row.get("group") is None else "")
    title, sub = _said(spec)
    rows = [
        {"name": row["name"], "group": row["group"], "customers": row["customers"], "overall": row["overall"],
         "interval": f"{w.share(row['overall_low'])} to {w.share(row['overall_high'])}", "conversion": row["conversion"],
         "hours": None if row["median_seconds"] is None else row["median_seconds"] / 3600,
         WHERE: "" if row["group"] is not None else conditions.get(row["step"], "")}
        for row in found.found.rows()
    ]  # fmt: skip
    heads = [
        Head("name", "Step"),
        *([Head("group", (found.by or "").capitalize())] if found.by else []),
        Head("customers", "Customers", "count"),
        Head("overall", "Of all", "share"),
        Head("interval", "95 % interval", "written"),
        Head("conversion", "Of the step before", "share"),
        Head("hours", "Median hours", "number"),
    ]
    note = (
        f"Opened, a step after the second looks for each step within {found.within} of the one before."
        if len(found.found.steps) > 2
        else ""
    )
    return Answer(
        tile.title or title, sub if not tile.title else f"{title}. {sub}", chart=spec, heads=heads, rows=rows,
        n=f"n = {found.found.entered:,} who entered", at=found.span.at, note=note,
    )  # fmt: skip


def _steps(found: Funnelled, frame: Frame) -> dict[int, str]:
    """By number of the step, the condition of those who came so far."""
    from shoal.lang.parse import parse
    from shoal.workspace.journeys import read_step

    window = between(found.span.first, found.span.last)
    schema = frame.ws.metrics.schema()
    events = [read_step(step.name, schema) for step in found.found.steps]
    pattern: Any = parse(f'did "a" then "b" within {found.within}')
    told = {}
    for last in range(1, len(events) + 1):
        taken = events[:last]
        if last == 1:
            node: Any = n.Did(taken[0], None, window)
        elif found.found.ordered:
            node = n.Sequence(taken[0], tuple(n.Step(one, pattern.steps[0].within) for one in taken[1:]), window)
        else:
            node = n.And(tuple(n.Did(one, None, window) for one in taken))
        told[last] = narrowed(show(node, width=10_000), frame.segment)
    return told


def _said(spec: Mapping[str, Any]) -> tuple[str, str]:
    """A chart's title and subtitle as texts."""
    title = spec.get("title") or {}
    found = (title.get(key) or "" for key in ("text", "subtitle"))
    first, second = (" ".join(part) if isinstance(part, list) else str(part) for part in found)
    return first, second


# ------------------------------------------------------------ retention


def retention(tile: Tile, frame: Frame) -> Answer:
    """Of those who came in a period, how many were back in each period after."""
    asks = {key: value for key, value in tile.asks.items() if key in ("born", "active", "mode")}
    start = frame.between["start"]
    found = frame.ws.journeys.cohorts(**asks, grain=frame.grain, segment=frame.segment or None, start=start)
    cells = found.found.found.to_pylist()
    if not any(row["age"] > 0 for row in cells):
        raise Refused(
            f"The first {frame.grain} after the first cohort isn't over yet.",
            fix="Look again after it, or take a longer period.",
        )
    cells = [row | {WHERE: _cohort(row, found, frame)} for row in cells]
    spec = (
        to_spec(found.chart(frame.width)) if tile.asks.get("as", "cells") == "cells" else _curves(cells, found, frame)
    )
    by_cell = {(row["cohort"].isoformat(), row["age"]): row[WHERE] for row in cells}
    linked(spec, lambda row: by_cell.get((str(row.get("cohort")), row.get("period", -1)), ""))
    title, sub = _said(spec)
    rows = [
        {"name": row["cohort"].isoformat(), "size": row["size"], "age": row["age"], "active": row["active"], "rate": row["rate"],
         "interval": f"{w.share(row['low'])} to {w.share(row['high'])}", "over": "" if row["finished"] else "not over yet",
         WHERE: row[WHERE]}
        for row in cells if row["age"] > 0
    ]  # fmt: skip
    heads = [
        Head("name", "Cohort from"),
        Head("size", "Customers", "count"),
        Head("age", f"{frame.grain.capitalize()}s after", "number"),
        Head("active", "Back", "count"),
        Head("rate", "Share", "share"),
        Head("interval", "95 % interval", "written"),
        Head("over", ""),
    ]
    size = sum({row["cohort"]: row["size"] for row in cells}.values())
    return Answer(
        tile.title or title, f"{title}. {sub}" if tile.title else sub, chart=spec, heads=heads, rows=rows,
        n=f"n = {size:,} customers in all cohorts", at=found.at, definition=found.found.definition,
    )  # fmt: skip


def _cohort(row: Mapping[str, Any], found: Any, frame: Frame) -> str:
    """Those of a cohort who were back in a period; empty where a trait's date makes the cohort."""
    from shoal.workspace.journeys import read_step

    schema = frame.ws.metrics.schema()
    born = found.born.removeprefix("a first ")
    if born == found.born:
        return ""
    first = n.DidFirst(read_step(born, schema), between(row["cohort"], _last(row["cohort"], frame)))
    back = n.Did(read_step(found.active, schema), None, between(row["month"], _last(row["month"], frame)))
    return narrowed(drilling.all_of([first, back] if row["age"] else [first]), frame.segment)


def _last(first: date, frame: Frame) -> date:
    """The last date of the period that begins on a date."""
    from shoal.lang.calendar import unit_start

    return _EPOCH + timedelta(days=unit_start((first - _EPOCH).days, frame.grain, -1) - 1)


def _curves(cells: Sequence[Mapping[str, Any]], found: Any, frame: Frame) -> dict[str, Any]:
    from shoal.views.charts.lines import retention_curves

    each = [
        {"cohort": row["cohort"].isoformat(), "period": row["age"], "rate": row["rate"], "low": row["low"], "high": row["high"]}
        for row in cells if row["age"] > 0 and row["finished"]
    ]  # fmt: skip
    pooled = [{"cohort": None, "period": row["age"]} | {key: row[key] for key in ("rate", "low", "high")}
              for row in found.found.pooled() if row["age"] > 0]  # fmt: skip
    if not pooled:
        raise Refused(f"No {frame.grain} after a cohort's own is over yet.", fix="Look again after it.")
    title = f"In the {frame.grain} after, {w.share(pooled[0]['rate'])} were back"
    sub = f"Share of those with {found.born} who were back with {found.active}; thick: all cohorts together"
    chart = retention_curves([*each, *pooled], title=title, subtitle=sub, width=frame.width)
    spec = to_spec(chart)
    _axis(spec, "months since the first order", f"{frame.grain}s since")
    return spec


def _axis(part: Any, old: str, new: str) -> None:
    """Call an axis what it counts here."""
    if isinstance(part, dict):
        for key, inner in part.items():
            if key == "title" and inner == old:
                part[key] = new
            else:
                _axis(inner, old, new)
    elif isinstance(part, list):
        for one in part:
            _axis(one, old, new)


# ------------------------------------------------------------ where customers stand


def sales_of(frame: Frame, stack: ExitStack) -> tuple[Sales, str | None]:
    """The orders up to now, and a relation of the members whose alone they are where a segment is asked for."""
    import pyarrow as pa

    from shoal.insight.sales import open_sales

    ws = frame.ws
    at = ws.now()
    if not frame.segment:
        return stack.enter_context(open_sales(ws.store, ws.config.revenue, at)), None
    definition = ws.segments.known().find(frame.segment)
    known = stack.enter_context(ws.models.as_of(None))
    mask = known.holds({definition.slug: definition})[definition.slug]
    members = stack.enter_context(known.beside(pa.table({"customer": pa.array(known.customers[mask], pa.int32())})))
    return stack.enter_context(open_sales(ws.store, ws.config.revenue, at, among=members)), members


def states_of(sales: Sales, cycle: lifecycle.Cycle, at: int, members: str | None) -> str:
    """A relation (customer, state) of the members at an instant, or of everyone."""
    from shoal.insight.sales import base

    people = base(sales.store, at)
    if members is not None:
        people = f"(SELECT customer FROM {people} WHERE customer IN (SELECT customer FROM {members}))"
    return lifecycle.states(sales, cycle, at, people)


def _cuts(frame: Frame) -> groups.CutPoints:
    """The cut points in force; where none were taken yet, those of all buyers of now."""
    from shoal.insight.sales import open_sales
    from shoal.insight.traits import cut_points

    found = cut_points(frame.ws.store)
    if found is not None:
        return found
    with open_sales(frame.ws.store, frame.ws.config.revenue, frame.ws.now()) as sales:
        return groups.calibrate(sales)


def rfm(tile: Tile, frame: Frame) -> Answer:
    """The grid of recency against frequency and money."""
    from shoal.insight.standing import rfm_cells
    from shoal.views.charts.grids import rfm_grid

    with ExitStack() as stack:
        (sales, _), cuts = sales_of(frame, stack), _cuts(frame)
        there = {(row["r"], row["fm"]): row for row in rfm_cells(sales, cuts).to_pylist()}
    if not there:
        raise Refused("There is no customer with an order.", fix="Load orders, and the grid shows them.")
    scored = {"rfm_r", "rfm_fm"} <= set(frame.ws.schema.traits)
    reached = range(1, 6) if cuts.bins == 5 else (1, 3, 5)
    rows = [
        {"r": r, "fm": fm, "group": groups.group(r, fm), "customers": there.get((r, fm), {}).get("customers", 0),
         "revenue": there.get((r, fm), {}).get("revenue", 0.0),
         **({WHERE: narrowed(f"rfm_r = {r} and rfm_fm = {fm}", frame.segment)} if scored else {})}
        for r in reached for fm in range(1, 6)
    ]  # fmt: skip
    buyers = sum(row["customers"] for row in rows)
    best = max(groups.GROUPS, key=lambda name: sum(row["revenue"] for row in rows if row["group"] == name))
    share = sum(row["customers"] for row in rows if row["group"] == best) / max(1, buyers)
    title = f"{best} bring the most: {w.share(share)} of buyers"
    whose = f"members of {frame.name} " if frame.segment else "buyers "
    sub = f"{whose.capitalize()}by how lately, how often and for how much they bought; scores of now"
    spec = to_spec(rfm_grid(rows, title=title, subtitle=sub, width=frame.width))
    heads = [
        Head("group", "Group"),
        Head("r", "Recency", "number"),
        Head("fm", "Frequency and money", "number"),
        Head("customers", "Customers", "count"),
        Head("revenue", "Revenue", "money"),
    ]
    return Answer(
        tile.title or title, f"{title}. {sub}" if tile.title else sub, chart=spec, heads=heads, rows=rows,
        n=f"n = {buyers:,} buyers", note=cuts.note,
    )  # fmt: skip


def places(tile: Tile, frame: Frame) -> Answer:
    """Where customers are, by a trait that holds a place."""
    from shoal.customers.profiles import current_values
    from shoal.lang.schema import Kind
    from shoal.sql.registry import CUSTOMER, Registry
    from shoal.sql.views import decoded
    from shoal.views.charts.tiles import place_dots

    store, now = frame.ws.store, frame.ws.now()
    known = [
        t for t in Registry.load(store).traits.values() if t.kind is Kind.POINT and t.scope == CUSTOMER and not t.unset
    ]
    wanted = tile.asks.get("of")
    trait = next((t for t in known if wanted in (None, t.name)), None)
    if trait is None:
        what = f'There is no trait "{wanted}" that holds a place' if wanted else "No trait of customers holds a place"
        fix = (
            f"There are: {', '.join(t.name for t in known)}."
            if known
            else "Map two columns: location: [latitude, longitude]."
        )
        raise Refused(f"{what}.", fix=fix)
    with ExitStack() as stack:
        within = ""
        if frame.segment:
            definition = frame.ws.segments.known().find(frame.segment)
            evaluation = frame.ws.segments.evaluate([definition.slug])
            stack.callback(evaluation.close)
            column = evaluation.columns[definition.slug]
            within = f' AND owner IN (SELECT customer FROM {evaluation.table} WHERE "{column}")'
        body = (
            f"SELECT {decoded(Kind.POINT, 'value')} AS p FROM ({current_values(store, trait, now)}) "
            f"WHERE value IS NOT NULL{within}"
        )
        found = store.rows(
            f"SELECT round(p.latitude / {_CELL}) * {_CELL} AS a, round(p.longitude / {_CELL}) * {_CELL} AS b, count(*) AS n "
            f"FROM ({body}) GROUP BY ALL ORDER BY n DESC, a, b LIMIT {_PLACES}"
        )
    if not found:
        raise Refused(f"Nobody has a {trait.name}.", fix="Take another segment, or load places.")
    rows = [
        {"latitude": a, "longitude": b, "customers": count,
         WHERE: narrowed(f"distance of {show(n.Trait(trait.name))} to ({a:g}, {b:g}) < {_CELL * _KM / 2:.0f} km", frame.segment)}
        for a, b, count in found
    ]  # fmt: skip
    total = sum(row["customers"] for row in rows)
    title = (
        f"Most are near {rows[0]['latitude']:g}°, {rows[0]['longitude']:g}°: {w.share(rows[0]['customers'] / total)}"
    )
    sub = f"Customers by {trait.name}, a dot a place of {_CELL * _KM:.0f} km; its area is their number"
    spec = to_spec(place_dots(rows, title=title, subtitle=sub, width=frame.width))
    heads = [
        Head("latitude", "Latitude", "number"),
        Head("longitude", "Longitude", "number"),
        Head("customers", "Customers", "count"),
    ]
    note = "Opened, a dot looks around its middle: the corners of its place are left out."
    return Answer(
        tile.title or title, f"{title}. {sub}" if tile.title else sub, chart=spec, heads=heads, rows=rows,
        n=f"n = {total:,} customers with a place", note=note,
    )  # fmt: skip


# ------------------------------------------------------------ flows


def sankey(tile: Tile, frame: Frame) -> Answer:
    """Where customers went: between groups over the period, or from event to event."""
    if "between" in tile.asks:
        return _moves(tile, frame)
    asks: dict[str, Any] = {key: value for key, value in tile.asks.items() if key in ("after", "before", "steps")}
    found = frame.ws.journeys.paths(segment=frame.segment or None, **(asks | frame.between))
    spec = to_spec(found.chart(frame.width))
    known, window = set(frame.ws.metrics.schema().events), between(found.span.first, found.span.last)

    def where(row: dict[str, Any]) -> str:
        name = row.get("name") if "x2" in row else None
        return narrowed(show(n.Did(n.Events(name), None, window), width=10_000), frame.segment) if name in known else ""

    linked(spec, where)
    title, sub = _said(spec)
    rows = [
        {
            "name": " → ".join(row["path"]) if row["path"] else "All other paths",
            "customers": row["customers"],
            "share": row["share"],
        }
        for row in found.found.rows()
    ]
    heads = [Head("name", "Path"), Head("customers", "Customers", "count"), Head("share", "Share", "share")]
    return Answer(
        tile.title or title, f"{title}. {sub}" if tile.title else sub, chart=spec, heads=heads, rows=rows, at=found.span.at,
        n=f"n = {found.found.customers:,} customers",
    )  # fmt: skip


def _moves(tile: Tile, frame: Frame) -> Answer:
    from shoal.insight import migration
    from shoal.sql.layout import zone_of
    from shoal.views.charts.flows import migration_flows

    by_rfm = tile.asks["between"] == "rfm"
    first, _ = frame.dates
    then = zone_of(frame.ws.store).starts((first - _EPOCH).days)
    with ExitStack() as stack:
        sales, members = sales_of(frame, stack)
        cycle = cycle_of(sales, frame)
        if by_rfm:
            table = migration.of_rfm(sales, _cuts(frame), then)
        else:
            left, right = (states_of(sales, cycle, at, members) for at in (then, sales.at))
            table = migration.migration(sales, then, left, right, migration.NOT_YET)
    moves = table.to_pylist()
    absent = (migration.NEVER_ORDERED, migration.NOT_YET)
    there = [move for move in moves if move["source"] not in absent]
    if not there:
        raise Refused(f"Nobody was a customer on {w.day(first)} yet.", fix="Take a shorter period.")
    stayed = sum(move["customers"] for move in there if move["source"] == move["target"]) / sum(
        m["customers"] for m in there
    )
    what = "RFM group" if by_rfm else "lifecycle state"
    dates = (w.day(first), w.day(sales.at, frame.ws.config.zone))
    title, sub = (
        f"{w.share(stayed)} are in the {what} they were in on {dates[0]}",
        f"Customers by {what}, {dates[0]} and {dates[1]}",
    )
    flows = [
        {"before": m["source"], "after": m["target"], "customers": m["customers"], "revenue": m["revenue"]}
        for m in moves
    ]
    order = [*(groups.GROUPS if by_rfm else lifecycle.STATES), *absent]
    order += sorted({name for m in moves for name in (m["source"], m["target"])} - set(order))
    spec = to_spec(migration_flows(flows, title=title, subtitle=sub, order=order, dates=dates, width=frame.width))
    linked(spec, lambda row: standing_of(row["name"], by_rfm, cycle, frame) if row.get("side") == "after" else "")
    heads = [
        Head("before", f"On {dates[0]}"),
        Head("after", f"On {dates[1]}"),
        Head("customers", "Customers", "count"),
        Head("revenue", "Revenue between", "money"),
    ]
    rows = [flow | {WHERE: standing_of(flow["after"], by_rfm, cycle, frame)} for flow in flows]
    return Answer(
        tile.title or title, f"{title}. {sub}" if tile.title else sub, chart=spec, heads=heads, rows=rows,
        n=f"n = {sum(m['customers'] for m in moves):,} customers",
        note="Part of every move is chance. Opened, the right side shows who is in the group now.",
    )  # fmt: skip


def cycle_of(sales: Sales, frame: Frame) -> lifecycle.Cycle:
    from shoal.insight.traits import cycle

    return cycle(frame.ws.store) or lifecycle.measure_cycle(sales)


def standing_of(name: str, by_rfm: bool, cycle: lifecycle.Cycle, frame: Frame) -> str:
    """The condition of a group or state of now; empty where none says it."""
    if by_rfm:
        scored = {"rfm_r", "rfm_fm"} <= set(frame.ws.schema.traits)
        return narrowed(groups.where(name), frame.segment) if scored and name in groups.GROUPS else ""
    if name not in lifecycle.STATES:
        return ""
    return narrowed(lifecycle.where(name, cycle, frame.ws.config.revenue.orders), frame.segment)


__all__ = ["funnel", "places", "retention", "rfm", "sankey"]
