"""For whom and when a question is asked, and which rows of the store may answer it.

One emitter serves two ways of asking. *Batch*: all customers at one instant, which stands in the SQL as a number.
*Moments*: many (customer, instant) pairs in a temporary table, for why and until when. Either way a relation of rows
has a column ``k``, the key of the one who is asked about: the customer, or the moment's number.
"""

from __future__ import annotations

from calendar import isleap
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlglot import exp

from shoal.lang import nodes as n
from shoal.lang.calendar import bounds, literal_instant, zone
from shoal.sql import terms as s

if TYPE_CHECKING:
    from shoal.lang.calendar import Zone
    from shoal.sql.terms import Sql

_EPOCH = date(1970, 1, 1)
_SLIDING = (n.Last, n.BeforeLast, n.Next)


@dataclass(frozen=True, slots=True)
class Begun(n.Since):
    """The window from the instant at which each of those who are asked about begins; it has no words in the language.

    Their table has it as the column ``begin``; ``start`` says nothing then.
    """

    start: n.Date | n.Instant = field(default=n.Instant(0))


@dataclass(frozen=True, slots=True)
class Preceding(n.BeforeLast):
    """The window of so many microseconds before each of those who are asked about begins; as ``Begun``, without words."""

    length: n.Duration = field(default=n.Duration(0, "day"))
    before: n.Duration = field(default=n.Duration(0, "day"))
    reach: int = 0


@dataclass
class Frame:
    """For whom, when, and with what knowledge.

    Args:
        subjects: the temporary table of those who are asked about: ``k``, ``who`` (the surviving customer's key),
            ``id`` and, for moments, ``t`` and what ``windows`` need; ``begin`` where ``Begun`` is asked.
        start: the instant of the batch, or the earliest instant of the moments.
        zone_name: the workspace's time zone.
        known_at: only what had been received by then; None for all.
        merged: the table (``gone``, ``kept``) of merged-away customers; None where there is none.
        moments: whether there are many instants.
        windows: calendar windows whose bounds the moments' table has as columns, in their order.
        begins: where ``Begun`` is asked, the earliest ``begin`` of all.
        kept: further columns of the subjects that stand beside their leaves.
    """

    subjects: str
    start: int
    zone_name: str
    known_at: int | None = None
    merged: str | None = None
    moments: bool = False
    windows: list[n.Node] = field(default_factory=list)
    begins: int | None = None
    kept: tuple[str, ...] = ()

    @property
    def zone(self) -> Zone:
        """The workspace's time zone."""
        return zone(self.zone_name)

    def t(self, alias: str) -> Sql:
        """The instant: a number, or the column of the relation ``alias``."""
        return s.column("t", alias) if self.moments else s.integer(self.start)

    def shifted(self, alias: str, by: int) -> Sql:
        """The instant plus ``by`` microseconds."""
        if not self.moments:
            return s.integer(self.start + by)
        return s.joined("+", s.column("t", alias), s.integer(by)) if by else s.column("t", alias)

    def bounds(self, window: n.Window | None, alias: str) -> tuple[Sql | None, Sql]:
        """The window as a half-open range of instants, its low end None for "from the beginning"."""
        if isinstance(window, Begun):
            return s.column("begin", alias), self.shifted(alias, 1)
        if isinstance(window, Preceding):
            return s.joined("-", s.column("begin", alias), s.integer(window.reach)), s.column("begin", alias)
        if not self.moments or isinstance(window, n.Since | n.Period | None):
            low, high = bounds(window, self.start, self.zone)
            begin = None if low is None else s.integer(low)
            return (begin, self._end(window, alias)) if self.moments else (begin, s.integer(high))
        if isinstance(window, _SLIDING):
            low, high = bounds(window, 0, self.zone)
            return (None if low is None else self.shifted(alias, low)), self.shifted(alias, high)
        name = self._carried(window)
        return s.column(f"{name}_low", alias), s.column(f"{name}_high", alias)

    def earliest(self, window: n.Window) -> int | None:
        """The instant before which no row is in the window, whoever is asked about; None where that isn't known."""
        if not self.moments:
            return bounds(window, self.start, self.zone)[0]
        if self.begins is None or not isinstance(window, Begun | Preceding):
            return None
        return self.begins - (window.reach if isinstance(window, Preceding) else 0)

    def _end(self, window: n.Window | None, alias: str) -> Sql:
        """Of windows whose ends are written out: the end or the instant itself, whichever is earlier."""
        now = self.shifted(alias, 1)
        if not isinstance(window, n.Period):
            return now
        return s.call("least", now, s.integer(literal_instant(window.end, self.zone)))

    def yearly(self, node: n.Anniversary, alias: str) -> list[tuple[Sql, Sql, Sql]]:
        """The dates that begin with today, as (year, first, last) with days of the year written month × 100 + day."""
        if not self.moments:
            spans = days_ahead(self.zone.day(self.start), node.days)
            return [(s.integer(year), s.integer(first), s.integer(last)) for year, first, last in spans]
        name = self._carried(node)
        return [
            (
                s.column(f"{name}_year{i}", alias),
                s.column(f"{name}_first{i}", alias),
                s.column(f"{name}_last{i}", alias),
            )
            for i in range(2)
        ]

    def _carried(self, window: n.Node) -> str:
        if window not in self.windows:
            self.windows.append(window)
        return f"w{self.windows.index(window)}"

    # ------------------------------------------------------------ rows

    def in_force(self, alias: str) -> Sql:
        """Which rows of a table with ``received`` and ``retired`` may be read."""
        retired = s.column("retired", alias)
        if self.known_at is None:
            return s.is_null(retired)
        later = s.any_of([s.is_null(retired), s.compared(retired, ">", s.integer(self.known_at))])
        return s.all_of([self.received(alias), later])

    def received(self, alias: str) -> Sql | None:
        """Which rows of a table with ``received`` alone may be read."""
        if self.known_at is None:
            return None
        return s.compared(s.column("received", alias), "<=", s.integer(self.known_at))

    def survivor(self, query: exp.Select, key: exp.Column) -> tuple[exp.Select, Sql]:
        """The query with the merges joined, and the surviving customer of ``key``."""
        if self.merged is None:
            return query, key
        on = s.compared(s.column("gone", "g"), "=", key)
        return s.joins(query, s.table(self.merged, "g"), on, left=True), s.coalesce(s.column("kept", "g"), key)

    def rows(self, table: str, owner: str, columns: list[exp.Alias], where: Sql | None) -> exp.Select:
        """The rows of a table (alias ``e``) up to the instant, as ``k``, in moments all their columns, and ``columns``.

        Args:
            table: a table with a customer's key and ``ts``.
            owner: the column of the key.
            columns: what to take of ``e``, ``ts`` among it.
            where: which rows may be read at all.
        """
        key = s.column(owner, "e")
        if not self.moments:
            query, who = self.survivor(s.select([], s.table(table, "e")), key)
            query = query.select(s.named(who, "k"), *columns, copy=False)
            return query.where(
                s.all_of([where, s.compared(s.column("ts", "e"), "<=", s.integer(self.start))]), copy=False
            )
        query, who = self.survivor(s.select([], s.table(table, "e")), key)
        query = query.select(s.named(who, "who"), *columns, copy=False)
        query = query if where is None else query.where(where, copy=False)
        names = [s.column(c.alias, "e") for c in columns]
        on = s.all_of(
            [
                s.compared(s.column("who", "e"), "=", s.column("who", "m")),
                s.compared(s.column("ts", "e"), "<=", s.column("t", "m")),
            ]
        )
        return s.joins(s.select([*self.carried("m"), *names], s.table(self.subjects, "m")), s.sub(query, "e"), on)

    def carried(self, alias: str) -> list[Sql]:
        """What every relation of rows hands on of the one who is asked about."""
        if not self.moments:
            return [s.column("k", alias)]
        return [exp.Column(this=exp.Star(), table=exp.to_identifier(alias))]


def days_ahead(today: int, days: int) -> list[tuple[int, int, int]]:
    """The dates from ``today`` on as one or two spans (year, first, last), days of the year as month × 100 + day.

    A span that ends on 28 February of a common year takes 29 February in, which falls on the 28th then.
    """
    first = _EPOCH + timedelta(days=today)
    end = first + timedelta(days=days - 1)
    spans = []
    for year in range(first.year, end.year + 1):
        low, high = max(first, date(year, 1, 1)), min(end, date(year, 12, 31))
        last = high.month * 100 + high.day
        spans.append((year, low.month * 100 + low.day, 229 if last == 228 and not isleap(year) else last))
    return spans
