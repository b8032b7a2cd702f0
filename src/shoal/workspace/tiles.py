"""The tiles of dashboards answered: each kind a function of a tile and of what the page is filtered by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused, ShoalError
from shoal.lang.lex import quoted
from shoal.views.dashboards import drilling
from shoal.views.dashboards.amounts import amount, change, interval, period_name
from shoal.views.dashboards.answers import OPENS, WHERE, Answer, Figure, Head
from shoal.views.dashboards.definition import LARGEST, SIZE_OF
from shoal.views.dashboards.markdown import to_html
from shoal.views.dashboards.periods import read_period
from shoal.views.words import listed as listed_names
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shoal.insight.metrics.grouping import Dimension
    from shoal.lang.nodes import CalendarUnit
    from shoal.views.dashboards.definition import Tile
    from shoal.workspace.metrics import Figured
    from shoal.workspace.opening import Workspace

_EPOCH = date(1970, 1, 1)
_LARGEST = 6
_NOBODY = "Nothing that customers did is known yet."
_LOAD = "Load files with shoal load, or send events with a key."


@dataclass(frozen=True)
class Frame:
    """What a tile is asked within.

    Args:
        ws: the workspace.
        segment: the slug of the segment whose members alone are looked at; empty for everyone.
        period: as it is written.
        width: of a chart, in pixels.
    """

    ws: Workspace
    segment: str
    period: str
    width: int

    @property
    def currency(self) -> str:
        """Of money."""
        return self.ws.config.currency

    @property
    def grain(self) -> CalendarUnit:
        """The length of a step of the period."""
        return read_period(self.period).grain

    @cached_property
    def name(self) -> str:
        """What the segment is called; empty for everyone.

        Raises:
            UnknownName: there is no such segment.
        """
        return self.ws.segments.known().find(self.segment).name if self.segment else ""

    @cached_property
    def reach(self) -> tuple[int, int]:
        """The oldest and the newest event up to now: of a period outside of these nothing was loaded, which isn't a bad one.

        Raises:
            Refused: there is no event.
        """
        from shoal.sql.registry import Registry

        now, store = self.ws.now(), self.ws.store
        events = Registry.load(store).events
        spans = "SELECT min(ts) AS a, max(ts) AS b FROM {} WHERE retired IS NULL AND ts <= " + str(now)
        body = " UNION ALL ".join(spans.format(event.table) for event in events.values())
        oldest, newest = store.rows(f"SELECT min(a), max(b) FROM ({body})")[0] if events else (None, None)
        if newest is None:
            raise Refused(_NOBODY, fix=_LOAD)
        orders = events.get(self.ws.config.revenue.orders)
        if orders is not None:
            # What was sent before the first order is no reason to draw months without any.
            oldest = store.rows(spans.format(orders.table))[0][0] or oldest
        return int(oldest), int(newest)

    @cached_property
    def dates(self) -> tuple[date, date]:
        """The first and the last local date that are looked at."""
        from shoal.lang.calendar import unit_start
        from shoal.sql.layout import zone_of

        span = read_period(self.period)
        oldest, newest = (zone_of(self.ws.store).day(at) for at in self.reach)
        if span.first is not None and span.last is not None:
            return span.first, span.last
        first = unit_start(newest, span.grain, span.count or 1)
        if first < oldest:
            # What the data doesn't cover from its beginning would be drawn as little or nothing.
            whole = unit_start(oldest, span.grain)
            whole = whole if whole == oldest else unit_start(oldest, span.grain, -1)
            first = whole if whole <= unit_start(newest, span.grain) else unit_start(oldest, span.grain)
        return _EPOCH + timedelta(days=first), _EPOCH + timedelta(days=newest)

    @property
    def between(self) -> dict[str, str]:
        """The same as doors of the workspace take them."""
        first, last = self.dates
        return {"start": first.isoformat(), "end": last.isoformat()}

    @property
    def latest(self) -> dict[str, str]:
        """The newest period that is over, and the one that goes on."""
        from shoal.lang.calendar import unit_start

        first, last = self.dates
        start = _EPOCH + timedelta(days=unit_start((last - _EPOCH).days, self.grain, 1))
        return {"start": max(first, start).isoformat(), "end": last.isoformat()}

    @property
    def words(self) -> str:
        """Whose it is, and when."""
        first, last = self.dates
        whose = f"members of {self.name}; " if self.segment else ""
        return f"{whose}{first.day} {first:%b %Y} to {last.day} {last:%b %Y}"


def answer(ws: Workspace, tile: Tile, *, segment: str, period: str, width: int) -> Answer:
    """A tile's answer; what the data lacks for it is told in it.

    Args:
        ws: the workspace.
        tile: which.
        segment: the page's; a tile's own comes first.
        period: the page's; a tile's own comes first.
        width: of a chart, in pixels.
    """
    from shoal.workspace.tile_journeys import funnel, places, retention, rfm, sankey
    from shoal.workspace.tile_tables import table_of

    kinds: dict[str, Callable[[Tile, Frame], Answer]] = {
        "figure": _figure, "line": _line, "bar": _bar, "table": lambda t, f: table_of(t, f) if "of" in t.asks else _table(t, f),
        "funnel": funnel, "retention": retention, "rfm": rfm, "map": places, "sankey": sankey, "text": _text,
    }  # fmt: skip
    frame = Frame(ws, tile.segment or segment, tile.period or period, width)
    try:
        found = kinds[tile.kind](tile, frame)
        return found if found.at else replace(found, at=ws.now())
    except ShoalError as error:
        return Answer(called(tile), missing=error.problem, fix=error.fix or "", at=ws.now())


def called(tile: Tile) -> str:
    """What a tile is called where its answer doesn't say it.

    >>> from shoal.views.dashboards.definition import Tile
    >>> called(Tile("figure", asks={"metric": "conversion-rate"})), called(Tile("rfm"))
    ('Conversion rate', 'RFM')
    """
    first = next((v for k, v in tile.asks.items() if k in ("metric", "metrics", "of", "live", "funnel")), None)
    said = first[0] if isinstance(first, tuple) else first
    named = {"rfm": "RFM", "sankey": "Flows"}.get(tile.kind, tile.kind.capitalize())
    return tile.title or (str(said).replace("-", " ").capitalize() if said else named)


def _text(tile: Tile, frame: Frame) -> Answer:
    return Answer(tile.title, html=to_html(tile.asks["text"]))


# ------------------------------------------------------------ metrics


def _figures(
    tile: Tile, frame: Frame, metrics: Sequence[str], by: str | None = None, *, latest: bool = False
) -> Figured:
    """Figures over the period; of its newest step alone where nothing else is shown."""
    ws = frame.ws
    segments = [frame.segment] if frame.segment else _segments(frame, tile.asks.get("segments", ()))
    return ws.metrics.figures(
        metrics, segments=segments, by=by, grain=frame.grain, everyone=not frame.segment,
        **(frame.latest if latest else frame.between),
    )  # fmt: skip


def _segments(frame: Frame, named: Sequence[str]) -> list[str]:
    """Slugs, with the largest in the place of that word."""
    found: dict[str, None] = {}
    known = frame.ws.segments.known()
    for name in named:
        if name != LARGEST:
            found[known.find(name).slug] = None
            continue
        evaluation = frame.ws.segments.evaluate()
        try:
            sizes = evaluation.sizes()
        finally:
            evaluation.close()
        if not sizes:
            raise Refused("There is no segment yet.", fix="Make one, or take one of the library.")
        found |= dict.fromkeys(sorted(sizes, key=lambda slug: (-sizes[slug], slug))[:_LARGEST])
    return list(found)


def _newest(rows: Sequence[dict[str, Any]]) -> date:
    """The first date of the newest whole period; of the newest at all where none is over."""
    found: date = max((row["period"] for row in rows if row["finished"]), default=max(row["period"] for row in rows))
    return found


def _reached(found: Figured) -> int | None:
    return max((at for at in found.reached.values() if at is not None), default=None)


def _rests(row: dict[str, Any]) -> str:
    return f"n = {row['n']:,} {row['n_is']}" if row["n"] is not None else ""


def _each(rows: Sequence[dict[str, Any]]) -> str:
    """On how many a figure rests; of several, from the least to the most."""
    known = sorted(row["n"] for row in rows if row["n"] is not None)
    if not known:
        return ""
    if len(known) == 1:
        return _rests(rows[0])
    return f"n = {known[0]:,} to {known[-1]:,} {rows[0]['n_is']} each"


def _figure(tile: Tile, frame: Frame) -> Answer:
    if "live" in tile.asks:
        return _live(tile, frame)
    found = _figures(tile, frame, [tile.asks["metric"]])
    metric, rows, currency = found.metrics[0], found.found.to_pylist(), frame.currency
    newest = _newest(rows)
    at = next(i for i, row in enumerate(rows) if row["period"] == newest)
    row, before = rows[at], rows[at - 1] if at else None
    said, good = change(metric, before["value"] if before else None, row["value"])
    whole = period_name(row["period"], row["ends"]) + ("" if row["finished"] else " so far")
    figure = Figure(
        metric.name, amount(metric, row["value"], currency), interval(metric, row, currency), said, good,
        f"{amount(metric, before['value'], currency)} in {period_name(before['period'], before['ends'])}" if before else "",
        *_watched(frame, metric.slug), [one["value"] for one in rows],
        where=drilling.of_metric(metric, row["period"], row["ends"], segment=frame.segment),
    )  # fmt: skip
    whose = f", {frame.name}" if frame.segment else ""
    return Answer(
        tile.title or metric.name, f"{whole}{whose}", figure, heads=_heads(metric.unit, "Period"),
        rows=[_row(metric, one, frame, {"name": period_name(one["period"], one["ends"])}) for one in rows],
        n=_rests(row), at=found.at, reached=_reached(found), definition=metric.definition,
    )  # fmt: skip


def _watched(frame: Frame, slug: str) -> tuple[str, str]:
    """How far the metric's target is, and its alert that goes on, in words; of everyone."""
    if frame.segment:
        return "", ""
    door = frame.ws.metrics.alerts()
    alert = next((one.sentence for one in door.listed() if one.metric == slug), "")
    if frame.ws.metrics.find(slug).target is None:
        return "", alert
    told = next((one for one in door.targets() if one.metric.slug == slug), None)
    return ("" if told is None else told.sentence), alert


def _live(tile: Tile, frame: Frame) -> Answer:
    """What changes as it happens: the figure of now, and the key by which the page keeps it fresh."""
    what = tile.asks["live"]
    if what.startswith(SIZE_OF):
        one = frame.ws.segments.known().find(what.removeprefix(SIZE_OF))
        evaluation = frame.ws.segments.evaluate([one.slug])
        try:
            size = evaluation.sizes()[one.slug]
        finally:
            evaluation.close()
        where = f"member of {quoted(one.slug)}"
        figure = Figure(one.name, f"{size:,}", live=f"segment:{one.slug}:size", where=where)
        return Answer(tile.title or one.name, "members now", figure)
    from shoal.insight.sales import base

    customers = frame.ws.store.rows(f"SELECT count(*) FROM {base(frame.ws.store, frame.ws.now())}")[0][0]
    known = {
        "customers": ("Customers", f"{customers:,}", "known now", "customers"),
        "events": ("Events", "–", "taken since the server started", "events"),
        "events a minute": ("Events a minute", "–", "taken in the last minute", "rate"),
        "delay": ("From event to segment", "–", "on average, since the server started", "delay"),
    }
    name, value, sub, key = known[what]
    return Answer(tile.title or name, sub, Figure(name, value, live=key))


def _row(
    metric: Any, row: dict[str, Any], frame: Frame, more: dict[str, Any], by: Dimension | None = None
) -> dict[str, Any]:
    """A row of a table: the figure, its interval, n, and the condition of its customers."""
    where = drilling.of_metric(
        metric, row["period"], row["ends"], segment=row["segment"] or "", by=by, group=row["group"]
    )
    return {
        **more, "value": row["value"], "interval": interval(metric, row, frame.currency), "n": row["n"], WHERE: where,
    }  # fmt: skip


def _heads(unit: str, first: str, *more: Head) -> list[Head]:
    form = unit if unit in ("share", "money", "count") else "number"
    return [
        Head("name", first),
        *more,
        Head("value", "Value", form),
        Head("interval", "95 % interval", "written"),
        Head("n", "n", "count"),
    ]


def _line(tile: Tile, frame: Frame) -> Answer:
    by = tile.asks.get("by")
    found = _figures(tile, frame, tile.asks["metrics"], by)
    units = {metric.unit for metric in found.metrics}
    if len(units) > 1:
        names = " and ".join(metric.name for metric in found.metrics)
        raise Refused(f"{names} have different units.", fix="Give each unit a line of its own.")
    dimension, rows, metrics = _dimension(frame, by), found.found.to_pylist(), {m.slug: m for m in found.metrics}
    drawn, table = [], []
    for row in rows:
        metric = metrics[row["metric"]]
        line = _named(row, metrics, found, frame)
        said = _row(metric, row, frame, {"name": period_name(row["period"], row["ends"]), "line": line}, dimension)
        table.append(said)
        drawn.append({
            "month": row["period"].isoformat(), "line": line, "value": row["value"], "low": row["low"], "high": row["high"],
            "complete": row["finished"], WHERE: said[WHERE],
        })  # fmt: skip
    metric, lines = found.metrics[0], list(dict.fromkeys(row["line"] for row in drawn))
    title = tile.title or " and ".join(m.name for m in found.metrics)
    sub = f"{_unit(metric, frame)}, by {frame.grain}; {frame.words}; hollow: not over yet"
    chart = _lines(drawn, lines, title, sub, metric.unit, frame)
    newest = [row for row in rows if row["period"] == _newest(rows)]
    more = (Head("line", "Line"),) if len(lines) > 1 else ()
    return Answer(
        title, sub, chart=chart, heads=_heads(metric.unit, "Period", *more), rows=table, at=found.at, reached=_reached(found),
        n=_each(newest), definition=metric.definition,
    )  # fmt: skip


def _named(row: dict[str, Any], metrics: dict[str, Any], found: Figured, frame: Frame) -> str:
    parts = [metrics[row["metric"]].name] if len(metrics) > 1 else []
    if row["segment"] and not frame.segment:
        parts.append(found.segments[row["segment"]])
    if row["group"] is not None:
        parts.append(row["group"])
    return " · ".join(parts) or (frame.name or "Everyone")


def _lines(
    rows: list[dict[str, Any]], lines: list[str], title: str, sub: str, unit: str, frame: Frame
) -> dict[str, Any]:
    from shoal.views.charts.lines import kpi_lines
    from shoal.views.charts.render import to_spec
    from shoal.views.charts.tiles import several_lines

    said: dict[str, Any] = {"title": title, "subtitle": sub, "unit": unit, "width": frame.width}
    if len(lines) > 1:
        return to_spec(several_lines(rows, grain=frame.grain, **said))
    return to_spec(kpi_lines(rows, grain=frame.grain, **said))


def _unit(metric: Any, frame: Frame) -> str:
    said = {"money": frame.currency, "share": "per cent", "count": "number"}
    return said.get(metric.unit, str(metric.unit))


def _dimension(frame: Frame, by: str | None) -> Dimension | None:
    from shoal.insight.metrics.grouping import dimension

    return None if by is None else dimension(by, frame.ws.metrics.schema())


def _bar(tile: Tile, frame: Frame) -> Answer:
    from shoal.views.charts.render import to_spec
    from shoal.views.charts.tiles import value_bars

    if "of" in tile.asks:
        from shoal.workspace.tile_tables import bars_of

        return bars_of(tile, frame)
    by = tile.asks.get("by")
    found = _figures(tile, frame, [tile.asks["metric"]], by, latest=True)
    metric, dimension = found.metrics[0], _dimension(frame, by)
    every = found.found.to_pylist()
    newest = _newest(every)
    latest = [row for row in every if row["period"] == newest and (by is None or row["group"] is not None)]
    kept = [row for row in latest if row["value"] is not None]
    without = [_named(row, {metric.slug: metric}, found, frame) for row in latest if row["value"] is None]
    if not kept:
        raise Refused(f"Nothing of {metric.name} can be told apart.", fix="Take another period, or another breakdown.")
    rows = [_row(metric, row, frame, {"name": _named(row, {metric.slug: metric}, found, frame)}, dimension)
            | {"low": row["low"], "high": row["high"], "said": amount(metric, row["value"], frame.currency)}
            for row in sorted(kept, key=lambda row: -row["value"])]  # fmt: skip
    whole = period_name(newest, kept[0]["ends"])
    title = tile.title or f"{metric.name} by {by or 'segment'}"
    sub = f"{_unit(metric, frame)}, {whole}" + (f"; members of {frame.name}" if frame.segment else "")
    chart = to_spec(value_bars(rows, title=title, subtitle=sub, unit=metric.unit, width=frame.width))
    return Answer(
        title, sub, chart=chart, heads=_heads(metric.unit, (by or "Segment").capitalize()), rows=rows, at=found.at,
        reached=_reached(found), n=_each(kept),
        note=f"No figure for {listed_names(without)}." if without else "",
        definition=metric.definition,
    )  # fmt: skip


def _table(tile: Tile, frame: Frame) -> Answer:
    """Metrics one below the other, with the period before; of several segments side by side a row each."""
    catalogue = frame.ws.metrics.catalogue()
    missing = [name for name in tile.asks["metrics"] if name in catalogue.lacking]
    found = _figures(tile, frame, [name for name in tile.asks["metrics"] if name not in missing] or missing)
    rows, newest = found.found.to_pylist(), _newest(found.found.to_pylist())
    table = []
    for metric in found.metrics:
        mine = [row for row in rows if row["metric"] == metric.slug]
        for row in (one for one in mine if one["period"] == newest):
            earlier = [one for one in mine if one["period"] < newest and one["segment"] == row["segment"]]
            before = earlier[-1]["value"] if earlier else None
            table.append({
                "name": metric.name, "segment": found.segments.get(row["segment"], "Everyone"),
                "value": amount(metric, row["value"], frame.currency), "interval": interval(metric, row, frame.currency),
                "n": row["n"], "before": amount(metric, before, frame.currency),
                "change": change(metric, before, row["value"])[0],
                WHERE: drilling.of_metric(metric, row["period"], row["ends"], segment=row["segment"] or ""),
            })  # fmt: skip
    several = (Head("segment", "Segment"),) if len({row["segment"] for row in table}) > 1 else ()
    heads = [Head("name", "Metric"), *several, Head("value", "Value", "written"), Head("interval", "95 % interval", "written"),
             Head("n", "n", "count"), Head("before", "Before", "written"), Head("change", "Change", "written")]  # fmt: skip
    whole = period_name(newest, next(row["ends"] for row in rows if row["period"] == newest))
    whose = f"; members of {frame.name}" if frame.segment else ""
    said = f"{whole} against the {frame.grain} before{whose}"
    n = counted(len(found.metrics), "metric")
    note = "; ".join(f"no {name}: {catalogue.lacking[name]}" for name in missing)
    return Answer(
        tile.title or "Metrics", said, heads=heads, rows=table, at=found.at, reached=_reached(found), n=n, note=note
    )


__all__ = ["OPENS", "Frame", "answer"]
