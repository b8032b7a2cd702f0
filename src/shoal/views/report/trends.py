"""KPIs over time as small multiples, and how concentrated revenue is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from shoal.views import charts
from shoal.views import words as w
from shoal.views.report.overview import figure
from shoal.views.report.page import Figure, Hint, Section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.views.report.facts import Facts

_LEAST = 2
_RUN = 3


def kpis_over_time(facts: Facts) -> Section:
    """One small chart a KPI."""
    title = "KPIs over time"
    figures = list(_figures(facts))
    if not figures:
        hint = f"Two {facts.grain}s with orders are needed to draw a line. Load more orders and write the report again."
        return Section("kpis", title, "", (Hint(hint),))
    lead = (
        f"By {facts.grain}. A hollow dot is a {facts.grain} that isn't over; the shade is the 95{w.HARD}% interval, "
        "where the figure is an estimate. Mind the season: neighbouring periods differ for reasons of their own."
    )
    return Section("kpis", title, lead, tuple(figures))


def _figures(facts: Facts) -> Iterator[Figure]:
    by_kpi: dict[str, list[dict[str, Any]]] = {}
    for row in facts.kpis.to_pylist():
        by_kpi.setdefault(row["kpi"], []).append(row)
    for kpi, rows in by_kpi.items():
        known = [row for row in rows if row["value"] is not None]
        if len(known) >= _LEAST:
            yield _figure(facts, kpi, rows)


def _figure(facts: Facts, kpi: str, rows: list[dict[str, Any]]) -> Figure:
    drawn = [
        {"month": str(row["period"]), "complete": row["finished"]}
        | {key: row[key] for key in ("value", "low", "high", "n")}
        for row in rows
    ]
    title = finding(kpi, rows, facts.currency, facts.grain)
    name = kpi[0].upper() + kpi[1:]
    unit = facts.currency if rows[0]["unit"] == "money" else "share" if rows[0]["unit"] == "share" else rows[0]["n_is"]
    subtitle = (
        f"{name}, {unit}, by {facts.grain}" if unit not in (kpi, "active customers") else f"{name}, by {facts.grain}"
    )
    draw = partial(charts.kpi_lines, drawn, title=title, subtitle=subtitle, unit=rows[0]["unit"], grain=facts.grain)
    note = (
        ""
        if rows[0]["low"] is None
        else f"Each point rests on the {rows[0]['n_is']} of its {facts.grain}: n in the CSV."
    )
    return Figure(
        f"kpi-{kpi.split(',')[0].replace(' ', '-')}", lambda width: draw(width=width), drawn, title, note, half=True
    )


def finding(kpi: str, rows: list[dict[str, Any]], currency: str, grain: str) -> str:
    """What a KPI's line says.

    Amounts and counts: the mean of the last three finished periods against the three before. Estimates: the last
    finished period against the one three before it, called different only where their intervals don't meet.
    """
    name = kpi[0].upper() + kpi[1:]
    done = [row for row in rows if row["finished"] and row["value"] is not None]
    if not done:
        return f"{name}: no {grain} is over yet"
    last = done[-1]
    if last["low"] is not None:
        return _estimate(name, done, currency)
    if len(done) < 2 * _RUN:
        return f"{name}: {figure(last, currency)} in the last finished {grain}"
    recent, before = (sum(row["value"] for row in part) / _RUN for part in (done[-_RUN:], done[-2 * _RUN : -_RUN]))
    by = w.change(before, recent)
    if by is None:
        return f"{name}: {figure(last, currency)} in the last finished {grain}"
    return f"{name} {w.rose(by)} over {_RUN} {grain}s, against the {_RUN} before"


def _estimate(name: str, done: list[dict[str, Any]], currency: str) -> str:
    last, then = done[-1], done[-1 - _RUN] if len(done) > _RUN else done[0]
    now, was = figure(last, currency), figure(then, currency)
    if last is then:
        return f"{name}: {now}"
    if None in (then["low"], then["high"], last["high"]) or (
        last["low"] <= then["high"] and then["low"] <= last["high"]
    ):
        return f"{name}: {now}, within the noise of {was} before" if now != was else f"{name} stays at {now}"
    return f"{name} {'rose' if last['value'] > then['value'] else 'fell'} from {was} to {now}"


def concentration(facts: Facts) -> Section:
    """Who brings the revenue."""
    title = "Concentration of revenue"
    rows = facts.concentration.to_pylist()
    if len(rows) < 5 or rows[-1]["share"] is None:
        hint = "Load orders with revenue of at least five customers to see the curve."
        return Section("concentration", title, "", (Hint(hint),))
    total = rows[-1]["customers"]
    shares = [{"customers": r["customers"] / total, "revenue": r["share"]} for r in rows]
    half = next(row for row in rows if row["share"] >= 0.5)
    fifth = next(row for row in rows if row["percent"] >= 20)
    said = f"Half of all revenue comes from {w.share(half['customers'] / total)} of buyers"
    subtitle = f"Cumulative share of net revenue, {facts.currency}, all time, {w.many(total, 'buyer')}, best first"
    lead = (
        f"The best fifth ({w.many(fifth['customers'], 'customer')}) bring {w.share(fifth['share'])} of revenue. The dashed "
        "line is what it would be if all brought the same."
    )
    figure_ = Figure(
        "concentration-curve",
        lambda width: charts.concentration_curve(shares, title=said, subtitle=subtitle, width=width),
        rows, said, f"{w.many(total, 'buyer')}; refunds are deducted",
    )  # fmt: skip
    return Section("concentration", title, lead, (figure_,))
