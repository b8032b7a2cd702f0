"""What sessions of a period come to: how many, how engaged, and where they began."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.insight.sales import period_of
from shoal.insight.sessions import COLUMNS
from shoal.sql.encode import local_day
from shoal.stats.clustered import Sums, clustered_share
from shoal.stats.intervals import Interval

if TYPE_CHECKING:
    from datetime import date

    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import CalendarUnit

_SHARES = ("engaged", "single_page", "converted")


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """Figures of some sessions. Intervals take customers for independent, not their sessions.

    Args:
        sessions: how many.
        customers: whose they are.
        engaged: the share that is engaged.
        single_page: the share with one page view: the older bounce rate.
        converted: the share with a key event.
        page_views: the mean a session.
        seconds: the median time in the foreground.
    """

    sessions: int
    customers: int
    engaged: Interval
    single_page: Interval
    converted: Interval
    page_views: float
    seconds: float

    @property
    def bounced(self) -> Interval:
        """The share that isn't engaged: the bounce rate."""
        value, low, high = self.engaged
        return Interval(1 - value, 1 - high, 1 - low)

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        shares = {name: getattr(self, name) for name in ("engaged", "bounced", "single_page", "converted")}
        return {
            "sessions": self.sessions, "customers": self.customers, "page_views": self.page_views,
            "median_seconds": self.seconds, **{name: dict(one._asdict()) for name, one in shares.items()},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """The sessions that began in a period.

    Args:
        whole: all of them; None where there is none.
        periods: by the first date of each period of the calendar, in order.
        entries: by the page (or event) that they began with, the most common first.
    """

    whole: SessionFigures | None
    periods: dict[date, SessionFigures]
    entries: dict[str, SessionFigures]


def summary(
    known: AsOf, table: str, start: int, end: int, grain: CalendarUnit, top: int = 10, among: str | None = None
) -> SessionSummary:
    """Sum sessions up.

    Args:
        known: the door that the sessions were laid out from.
        table: of ``sessions.laid_out``.
        start: the first instant in which they began.
        end: the instant after the last.
        grain: the length of a period.
        top: so many entries are told.
        among: a relation with the column ``customer``: only theirs; None for all.
    """
    within = f" AND customer IN (SELECT customer FROM {among})" if among else ""
    columns = ", ".join(f"{COLUMNS[name]} AS {name}" for name in (*_SHARES, "page_views", "seconds", "entry"))
    period = period_of(grain, local_day("ts", "offset_s"))
    rows = f"SELECT customer, {period} AS period, {columns} FROM {table} WHERE ts >= {start} AND ts < {end}{within}"
    whole = _by(known, rows, "true")
    common = f"SELECT entry FROM ({rows}) r GROUP BY entry ORDER BY count(*) DESC, entry LIMIT {top}"
    entries = _by(known, f"SELECT * FROM ({rows}) r WHERE entry IN ({common})", "entry")
    order = sorted(entries, key=lambda name: (-entries[name].sessions, name))
    return SessionSummary(whole.get(True), _by(known, rows, "period"), {name: entries[name] for name in order})


def _by(known: AsOf, rows: str, key: str) -> dict[Any, SessionFigures]:
    """The figures of each group: sums over its customers, who count once whatever the number of their sessions."""
    marks = ", ".join(f"count(*) FILTER (WHERE {name}) AS {name}" for name in _SHARES)
    sums = ", ".join(
        f"CAST(sum({name}) AS BIGINT) AS {name}_y, CAST(sum(x * {name}) AS BIGINT) AS {name}_xy, "
        f"CAST(sum({name} * {name}) AS BIGINT) AS {name}_yy"
        for name in _SHARES
    )
    each = f"SELECT {key} AS g, customer, count(*) AS x, {marks} FROM ({rows}) s GROUP BY ALL"
    table = known.arrow(
        "SELECT g, n, x, xx, views, seconds, " + ", ".join(f"{n}_y, {n}_xy, {n}_yy" for n in _SHARES) + " FROM "
        f"(SELECT g, count(*) AS n, CAST(sum(x) AS BIGINT) AS x, CAST(sum(x * x) AS BIGINT) AS xx, {sums} FROM ({each}) e "
        f"GROUP BY g) a JOIN (SELECT {key} AS g, avg(page_views) / 1e6 AS views, median(seconds) / 1e6 AS seconds "
        f"FROM ({rows}) s GROUP BY g) b USING (g) ORDER BY g"
    )
    return {row["g"]: _figures(row) for row in table.to_pylist()}


def _figures(row: dict[str, Any]) -> SessionFigures:
    engaged, single_page, converted = (
        clustered_share(Sums(row["n"], row["x"], row[f"{name}_y"], row["xx"], row[f"{name}_xy"], row[f"{name}_yy"]))
        for name in _SHARES
    )
    views, seconds = float(row["views"]), float(row["seconds"])
    return SessionFigures(row["x"], row["n"], engaged, single_page, converted, views, seconds)
