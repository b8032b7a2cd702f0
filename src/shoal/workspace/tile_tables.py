"""Tables and bars of what isn't a metric: segments, campaigns, feedback, and how good the data is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.insight import lifecycle
from shoal.lang.lex import quoted
from shoal.views import words as w
from shoal.views.charts.render import to_spec
from shoal.views.dashboards import drilling
from shoal.views.dashboards.answers import OPENS, WHERE, Answer, Head
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.views.dashboards.definition import Tile
    from shoal.workspace.tiles import Frame

_ROWS = 10


def table_of(tile: Tile, frame: Frame) -> Answer:
    """A table of what ``of`` names."""
    made: dict[str, Callable[[Tile, Frame], Answer]] = {
        "segments": _segments, "campaigns": _campaigns, "feedback": _feedback, "topics": _topics, "sources": _sources,
        "quarantine": _quarantine, "events": _events, "alerts": _alerts,
    }  # fmt: skip
    if frame.segment and tile.asks["of"] not in ("segments", "feedback"):
        frame = type(frame)(frame.ws, "", frame.period, frame.width)
    return made[tile.asks["of"]](tile, frame)


def bars_of(tile: Tile, frame: Frame) -> Answer:
    """Bars of what ``of`` names."""
    from shoal.views.charts.tiles import value_bars

    title, sub, rows = (_segment_sizes if tile.asks["of"] == "segments" else _states)(frame)
    sub = f"{sub}; members of {frame.name}" if frame.segment else sub
    title = tile.title or title
    spec = to_spec(value_bars(rows, title=title, subtitle=sub, unit="count", width=frame.width))
    heads = [Head("name", "Name"), Head("value", "Customers", "count"), Head("share", "Share", "share")]
    return Answer(title, sub, chart=spec, heads=heads, rows=rows, n=f"{counted(len(rows), 'group')}")


def _segment_sizes(frame: Frame) -> tuple[str, str, list[dict[str, Any]]]:
    """How many customers are in each segment; of a segment's members, how many are in each other."""
    ws = frame.ws
    found = ws.segments.evaluate()
    try:
        total = found.base()
        columns = dict(found.columns)
        mine = f' WHERE "{columns[frame.segment]}"' if frame.segment else ""
        counts = ", ".join(f'count(CASE WHEN "{column}" THEN 1 END)' for column in columns.values())
        row = ws.store.rows(f"SELECT count(*), {counts} FROM {found.table}{mine}")[0] if columns else ()
    finally:
        found.close()
    if not columns:
        raise Refused("There is no segment yet.", fix="Make one, or take one of the library.")
    total = row[0] or total
    sizes = dict(zip(columns, row[1:], strict=True))
    kept = sorted((slug for slug in sizes if slug != frame.segment), key=lambda slug: (-sizes[slug], slug))[:12]
    rows = [
        {"name": ws.definitions[slug].name, "value": sizes[slug], "share": sizes[slug] / total if total else None, "low": None,
         "high": None, "said": f"{sizes[slug]:,}", OPENS: f"segment:{slug}",
         WHERE: drilling.narrowed(f"member of {quoted(slug)}", frame.segment)}
        for slug in kept
    ]  # fmt: skip
    return "Customers in each segment", "customers now; a customer may be in several", rows


def _states(frame: Frame) -> tuple[str, str, list[dict[str, Any]]]:
    """How many customers are in each state of the lifecycle."""
    from contextlib import ExitStack

    from shoal.workspace.tile_journeys import cycle_of, sales_of, standing_of, states_of

    with ExitStack() as stack:
        sales, members = sales_of(frame, stack)
        cycle = cycle_of(sales, frame)
        states = states_of(sales, cycle, sales.at, members)
        found = dict(sales.store.rows(f"SELECT state, count(*) FROM {states} GROUP BY state"))
    total = sum(found.values())
    if not total:
        raise Refused("There is no customer yet.", fix="Load files with shoal load, or send events with a key.")
    rows = [
        {"name": state, "value": found[state], "share": found[state] / total, "low": None, "high": None,
         "said": f"{found[state]:,} ({w.share(found[state] / total)})", WHERE: standing_of(state, False, cycle, frame)}
        for state in lifecycle.STATES if state in found
    ]  # fmt: skip
    sub = f"customers now; at risk after {cycle.active} days of silence, lapsed after {cycle.lapse}"
    return "Where customers stand", sub, rows


def _made(
    tile: Tile, title: str, sub: str, heads: list[Head], rows: list[dict[str, Any]], what: str, note: str = ""
) -> Answer:
    shown = rows[: tile.asks.get("rows", _ROWS)]
    n = counted(len(rows), what) + (f", the first {len(shown)} shown" if len(shown) < len(rows) else "")
    return Answer(tile.title or title, sub, heads=heads, rows=shown, n=n, note=note)


def _segments(tile: Tile, frame: Frame) -> Answer:
    rows = [
        {"name": row["name"], "size": row["size"], "share": row["share"], "change": row["change"], "revenue": row["revenue"],
         OPENS: f"segment:{row['slug']}", WHERE: f"member of {quoted(row['slug'])}"}
        for row in frame.ws.segments.table().to_pylist() if row["slug"] != frame.segment
    ]  # fmt: skip
    if not rows:
        raise Refused("There is no segment yet.", fix="Make one, or take one of the library.")
    rows.sort(key=lambda row: -(row["size"] or 0))
    heads = [
        Head("name", "Segment"),
        Head("size", "Customers", "count"),
        Head("share", "Share", "share"),
        Head("change", "In 30 days", "signed"),
        Head("revenue", "Revenue", "money"),
    ]
    return _made(tile, "Segments", "members now, and what they brought since their first order", heads, rows, "segment")


def _campaigns(tile: Tile, frame: Frame) -> Answer:
    board = frame.ws.scoreboard().found
    rows = [
        {"name": row["name"], "exposed": row["exposed"], "value": row["value"],
         "interval": f"{w.money(row['low'], frame.currency)} to {w.money(row['high'], frame.currency)}", "spend": row["spend"],
         "why": ""}
        for row in board.rows()
    ]  # fmt: skip
    rows += [{"name": one.name, "exposed": one.customers, "value": None, "interval": "", "spend": None, "why": one.why}
             for one in board.unmeasured]  # fmt: skip
    if not rows:
        raise Refused("There is no campaign yet.", fix="Start an experiment or a pilot, or load what was sent.")
    heads = [
        Head("name", "Campaign"),
        Head("exposed", "Customers", "count"),
        Head("value", "Extra revenue", "money"),
        Head("interval", "95 % interval", "written"),
        Head("spend", "Spend", "money"),
        Head("why", "Why no figure"),
    ]
    title, sub = "What campaigns brought", "against those held out by lot; the rest can't be told from chance"
    return _made(tile, title, sub, heads, rows, "campaign", " ".join(board.says))


def _feedback(tile: Tile, frame: Frame) -> Answer:
    """NPS, or CSAT where there is no NPS, by segment."""
    from shoal.errors import ShoalError

    try:
        found, measure = frame.ws.feedback.nps(), "NPS"
    except ShoalError:
        found, measure = frame.ws.feedback.csat(), "CSAT"
    names = {slug: one.name for slug, one in frame.ws.definitions.items()}

    def said(value: float) -> str:
        return f"{value:+.0f}".replace("-", "−") if measure == "NPS" else w.share(value)

    rows = [
        {"name": "Everyone" if one.slug is None else names.get(one.slug, one.slug), "n": one.n, "value": said(one.estimate.value),
         "interval": f"{said(one.estimate.low)} to {said(one.estimate.high)}",
         **({} if one.slug is None else {OPENS: f"segment:{one.slug}", WHERE: f"member of {quoted(one.slug)}"})}
        for one in found.standings if one.n and (not frame.segment or one.slug in (None, frame.segment))
    ]  # fmt: skip
    heads = [
        Head("name", "Segment"),
        Head("value", measure, "written"),
        Head("interval", "95 % interval", "written"),
        Head("n", "Answers", "count"),
    ]
    return _made(tile, f"{measure} by segment", "of each customer's newest answer", heads, rows, "group")


def _topics(tile: Tile, frame: Frame) -> Answer:
    found = frame.ws.feedback.topics()
    rows = [
        {"name": one.name, "people": one.people, "unhappy": one.unhappy.value if one.known else None,
         "quote": one.quotes[0] if one.quotes else ""}
        for one in found.themes
    ]  # fmt: skip
    heads = [
        Head("name", "Topic"),
        Head("people", "People", "count"),
        Head("unhappy", "Unhappy", "share"),
        Head("quote", "One of them"),
    ]
    return _made(
        tile, "What they write about", f"{found.read:,} texts read", heads, rows, "topic", " ".join(found.notes())
    )


def _sources(tile: Tile, frame: Frame) -> Answer:
    from shoal.customers.quality import read_report

    report = read_report(frame.ws.store)
    if not report.measures:
        raise Refused("Nothing was measured yet.", fix="Run shoal load, and each source gets its score here.")
    rows = []
    for name, score in report.sources().items():
        measures = report.of(name)
        known = {
            key: measures[key].value if key in measures else None
            for key in ("rows", "duplicates", "quarantined", "freshness")
        }
        verdicts = {m.verdict for m in report.measures if m.source == name}
        worst = "stop" if "stop" in verdicts else "look at it" if "warn" in verdicts else "good"
        rows.append({"name": name, "score": score, **known, "verdict": worst})
    heads = [
        Head("name", "Source"),
        Head("score", "Score", "share"),
        Head("rows", "Rows", "count"),
        Head("duplicates", "Repeated", "share"),
        Head("quarantined", "Quarantined", "share"),
        Head("freshness", "Days old", "count"),
        Head("verdict", "Verdict"),
    ]
    heads = [
        head
        for head in heads
        if head.key in ("name", "score", "verdict") or any(row[head.key] is not None for row in rows)
    ]
    said = "validity × (1 + completeness) / 2 over the mapped columns, less bad rows"
    return _made(tile, "How good each source is", said, heads, rows, "source")


def _quarantine(tile: Tile, frame: Frame) -> Answer:
    rows = [
        {"name": row["source"], "reason": row["example"], "rows": row["rows"]} for row in frame.ws.data.quarantine_counts()
    ]  # fmt: skip
    heads = [Head("name", "Source"), Head("reason", "Reason, one of them"), Head("rows", "Rows", "count")]
    if not rows:
        return Answer(tile.title or "Rows put aside", "No row waits in quarantine.", n="0 rows")
    return _made(tile, "Rows put aside", "rows that couldn't be read; no figure counts them", heads, rows, "reason")


def _events(tile: Tile, frame: Frame) -> Answer:
    from shoal.lang import nodes as n
    from shoal.lang.show import show
    from shoal.sql.registry import Registry

    events = list(Registry.load(frame.ws.store).events.values())
    if not events:
        raise Refused("There is no event yet.", fix="Load files with shoal load, or send events with a key.")
    parts = [f"SELECT {e.id} AS id, count(*) AS n, count(DISTINCT customer) AS c, max(ts) AS newest FROM {e.table} "
             "WHERE retired IS NULL" for e in events]  # fmt: skip
    by_id = {row[0]: row[1:] for row in frame.ws.store.rows(" UNION ALL ".join(parts))}
    rows = [
        {"name": e.name, "events": by_id[e.id][0], "customers": by_id[e.id][1], "newest": by_id[e.id][2],
         WHERE: show(n.Did(n.Events(e.name)), width=10_000)}
        for e in events
    ]  # fmt: skip
    rows.sort(key=lambda row: -row["events"])
    heads = [
        Head("name", "Event"),
        Head("events", "Events", "count"),
        Head("customers", "Customers", "count"),
        Head("newest", "Newest", "when"),
    ]
    return _made(tile, "Events", "all that were loaded or taken", heads, rows, "event")


def _alerts(tile: Tile, frame: Frame) -> Answer:
    known = frame.ws.metrics.catalogue().definitions
    rows = [
        {"name": known[one.metric].name if one.metric in known else one.metric, "sentence": one.sentence, "raised": one.raised,
         "state": one.state}
        for one in frame.ws.metrics.alerts().listed()
    ]  # fmt: skip
    heads = [
        Head("name", "Metric"),
        Head("sentence", "What is out of order"),
        Head("raised", "Since", "when"),
        Head("state", "State"),
    ]
    if not rows:
        watched = any(one.alert is not None or one.target is not None for one in known.values())
        said = (
            "Nothing is out of order."
            if watched
            else "No metric is watched: write alert: or target: into a metric's file."
        )
        return Answer(tile.title or "Alerts", said, n="0 alerts")
    return _made(tile, "Alerts", "what is out of order now", heads, rows, "alert")
