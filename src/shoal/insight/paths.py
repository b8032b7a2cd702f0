"""Paths: what customers did one after the other, from a start or up to an end.

Each customer has one path: from the first event in the period that is the start (or their first event at all), or back from the
first that is the end. It goes on to the next event strictly later than the start, then in the order of time and, within an
instant, of message ids; what repeats itself is one step. It stops after so many steps, or where the time is over: by default
where a session would end, after a break longer than the gap.
"""

from __future__ import annotations

import itertools
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.insight.metrics.grouping import OTHER
from shoal.insight.pages import label, named_events, pages, plain_events, stream
from shoal.sql.encode import quoted
from shoal.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import Events
    from shoal.shapes import SessionRule

MOST_STEPS = 10
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What paths are asked for.

    Args:
        start: the first instant of the period in which a path's start (or end) lies.
        end: the instant after its last.
        anchor: the event that a path starts from, or leads to; None: from each customer's first event of the period.
        name: of the anchor, as it is shown.
        back: whether paths lead to the anchor.
        steps: how many steps after the start, or before the end.
        within: microseconds from the anchor; None: until a break longer than the gap of sessions.
        events: the events that are steps, wildcards too; empty: all.
        among: a relation with the column ``customer``: only these; None for all.
        top: how many paths are told; the rest is counted together.
        branches: how many steps are told apart at each place.
    """

    start: int
    end: int
    anchor: Events | None = None
    name: str = ""
    back: bool = False
    steps: int = 4
    within: int | None = None
    events: tuple[str, ...] = ()
    among: str | None = None
    top: int = 10
    branches: int = 6


@dataclass(frozen=True, slots=True)
class Path:
    """A path that customers took.

    Args:
        steps: in the order of time; shorter than asked where it stopped there (or, leading to an end, began there).
        customers: who took it.
        share: of all who have a path, with its 95 % interval (Wilson).
    """

    steps: tuple[str, ...]
    customers: int
    share: Interval


@dataclass(frozen=True, slots=True)
class Flow:
    """Customers who went from one step to the next.

    Args:
        place: of the step that they went from: 0 is the start; before an end −1 is the last step.
        source: what they did there; ``(other)`` stands for what few did, None before the first event.
        target: what they did next; None: nothing more.
        customers: how many.
    """

    place: int
    source: str | None
    target: str | None
    customers: int


@dataclass(frozen=True, slots=True)
class Paths:
    """The most common paths, and all of them step by step.

    Args:
        customers: who has one.
        paths: the most common, exactly.
        rest: customers whose paths aren't among them.
        kinds: how many different paths there are.
        flows: all paths, step by step; what few did is grouped.
        back: whether they lead to an end.
        start: the first instant of the period.
        end: the instant after its last.
        within: microseconds from the anchor; None: until a break longer than the gap of sessions.
    """

    customers: int
    paths: tuple[Path, ...]
    rest: int
    kinds: int
    flows: tuple[Flow, ...]
    back: bool
    start: int
    end: int
    within: int | None

    def rows(self) -> list[dict[str, Any]]:
        """A row a path, the most common first; the rest has no steps."""
        told = [
            {"path": list(one.steps), "customers": one.customers, "share": one.share.value, "low": one.share.low,
             "high": one.share.high}
            for one in self.paths
        ]  # fmt: skip
        if self.rest:
            value, low, high = wilson(self.rest, self.customers)
            told.append({"path": None, "customers": self.rest, "share": value, "low": low, "high": high})
        return told

    def table(self) -> pa.Table:
        """``rows`` as a table; ``path`` is a list of texts."""
        import pyarrow as pa

        kinds = {"path": pa.list_(pa.string()), "customers": pa.int64()}
        rows = self.rows()
        return pa.table({key: pa.array([row[key] for row in rows], kinds.get(key, pa.float64())) for key in rows[0]})

    def flow_table(self) -> pa.Table:
        """The flows, a row each: place, source, target, customers."""
        import pyarrow as pa

        kinds = {"place": pa.int64(), "source": pa.string(), "target": pa.string(), "customers": pa.int64()}
        return pa.table({key: pa.array([getattr(f, key) for f in self.flows], kind) for key, kind in kinds.items()})


def paths(known: AsOf, asked: Asked, rule: SessionRule) -> Paths:
    """The paths of a period.

    Args:
        known: the door to the store.
        asked: from where or to where, and how far.
        rule: says which property says a page, and after which break a session ends.

    Raises:
        Refused: no steps or too many, a period without length, an end without an event, or nobody has a path.
        UnknownName: an event that is to be a step isn't there.
        Unsupported: SQL can't evaluate the anchor's filter.
    """
    with _laid_out(known, asked, rule) as table:
        sequences = known.arrow(_sequences(table, asked)).to_pylist()
        flows = known.arrow(_flows(table, asked)).to_pylist()
    if not sequences:
        raise Refused(
            "Nobody did anything in this period that a path could start from.",
            fix="Take a longer period, or another event.",
        )
    return _told(asked, sequences, flows)


@contextmanager
def _laid_out(known: AsOf, asked: Asked, rule: SessionRule) -> Iterator[str]:
    """Each customer's path, as ``_taken`` gives it."""
    _hold(asked)
    with ExitStack() as stack:
        name, rows = f"paths_{next(_numbers)}", _rows(known, asked, rule)
        anchors = _anchors(known, asked, rows, stack)
        yield stack.enter_context(known.temporary(name, _taken(asked, rule, rows, anchors)))


def took(known: AsOf, asked: Asked, rule: SessionRule, path: Sequence[str]) -> list[int]:
    """The keys of those who took a path, no more and no less, ascending.

    Args:
        known: the door to the store.
        asked: from where or to where, and how far.
        rule: as for ``paths``.
        path: its steps in the order of time, as ``Path.steps`` has them.
    """
    along = list(path)[::-1] if asked.back else list(path)
    along += [None] * (asked.steps + 1 - len(along))  # type: ignore[list-item]
    tests = " AND ".join(f"s{at} {_is(step)}" for at, step in enumerate(along))
    with _laid_out(known, asked, rule) as table:
        return _keys(known, f"SELECT k FROM {table} WHERE {tests}")


def went(known: AsOf, asked: Asked, rule: SessionRule, flow: Flow) -> list[int]:
    """The keys of those who went from one step to the next at a place, ascending.

    Args:
        known: the door to the store.
        asked: from where or to where, and how far.
        rule: as for ``paths``.
        flow: as ``Paths.flows`` has it; its number of customers doesn't matter.
    """
    at = -flow.place - 1 if asked.back else flow.place
    here, there = (flow.target, flow.source) if asked.back else (flow.source, flow.target)
    with _laid_out(known, asked, rule) as table:
        grouped = ", ".join(f"{_named(one, table, asked)} AS {one}" for one in (f"s{at}", f"s{at + 1}"))
        tests = f"s{at} {_is(here)} AND s{at + 1} {_is(there)}"
        return _keys(known, f"SELECT k FROM (SELECT k, {grouped} FROM {table}) WHERE {tests}")


def _is(step: str | None) -> str:
    return "IS NULL" if step is None else f"= {quoted(step)}"


def _keys(known: AsOf, sql: str) -> list[int]:
    return [int(key) for key in known.arrow(f"{sql} ORDER BY k")["k"].to_pylist()]


def _hold(asked: Asked) -> None:
    if not 1 <= asked.steps <= MOST_STEPS:
        raise Refused(f"Paths have 1 to {MOST_STEPS} steps, not {asked.steps}.", fix="Ask for fewer steps.")
    if asked.end <= asked.start:
        raise Refused("The period ends before it begins.", fix="Give a start before the end.")
    if asked.back and asked.anchor is None:
        raise Refused("Paths that lead to an end need the event that it is.", fix="Name it.")


# ---------------------------------------------------------------- one path a customer


def _anchors(known: AsOf, asked: Asked, rows: str, stack: ExitStack) -> str:
    """A query of (``k``, ``t``): each customer with a path, and the instant from which it goes."""
    table = f"({rows}) r"
    if asked.anchor is not None:
        (table,) = stack.enter_context(known.occurrences([asked.anchor]))
    among = f" AND k IN (SELECT customer FROM {asked.among})" if asked.among else ""
    return f"SELECT k, min(ts) AS t FROM {table} WHERE ts >= {asked.start} AND ts < {asked.end}{among} GROUP BY k"


def _rows(known: AsOf, asked: Asked, rule: SessionRule) -> str:
    """The events that may be steps: ``k``, ``ts``, what orders those of an instant, and ``step``, as it is called."""
    events = named_events(known, asked.events) if asked.events else plain_events(known)
    step = label(pages(events, rule))
    return f"SELECT customer AS k, ts, message_id, origin, {step} AS step FROM ({stream(known, events, rule)}) e"


def _taken(asked: Asked, rule: SessionRule, rows: str, anchors: str) -> str:
    """A row a customer: ``s0`` (where it starts or ends), ``s1`` … along the path, NULL where it stopped."""
    along = ">=" if asked.anchor is None else "<" if asked.back else ">"
    found = f"SELECT r.*, a.t FROM ({rows}) r JOIN ({anchors}) a ON a.k = r.k AND r.ts {along} a.t"
    named = asked.anchor is not None
    first = quoted(asked.name) if named else "NULL::VARCHAR"
    steps = _steps(found, asked, rule, first)
    columns = [
        f"{first} AS s0"
        if named and at == 0
        else f"any_value(f.step) FILTER (WHERE f.place = {at + (not named)}) AS s{at}"
        for at in range(asked.steps + 1)
    ]
    return f"SELECT a.k, {', '.join(columns)} FROM ({anchors}) a LEFT JOIN ({steps}) f ON f.k = a.k GROUP BY a.k"


def _order(asked: Asked) -> str:
    """Events along the path, within an instant by message id."""
    if asked.back:
        return "PARTITION BY k ORDER BY ts DESC, message_id DESC NULLS LAST, origin DESC"
    return "PARTITION BY k ORDER BY ts, message_id NULLS FIRST, origin"


def _steps(found: str, asked: Asked, rule: SessionRule, first: str) -> str:
    """The steps with their place, from 1, until the path's time is over; once where they repeat themselves."""
    order = _order(asked)
    over = "false" if asked.within is not None else f"abs(ts - lag(ts, 1, t) OVER w) > {rule.gap}"
    within = "" if asked.within is None else f" WHERE abs(ts - t) <= {asked.within}"
    marked = (
        f"SELECT k, step, {over} AS broken, step IS DISTINCT FROM lag(step, 1, {first}) OVER w AS fresh, "
        f"row_number() OVER w AS n FROM ({found}) f{within} WINDOW w AS ({order})"
    )
    counted = (
        "SELECT k, step, fresh, bool_or(broken) OVER r AS over, sum(CAST(fresh AS INTEGER)) OVER r AS place "
        f"FROM ({marked}) m WINDOW r AS (PARTITION BY k ORDER BY n ROWS UNBOUNDED PRECEDING)"
    )
    return f"SELECT k, step, place FROM ({counted}) c WHERE fresh AND NOT over AND place <= {asked.steps + 1}"


# ---------------------------------------------------------------- counting


def _columns(asked: Asked) -> list[str]:
    return [f"s{at}" for at in range(asked.steps + 1)]


def _sequences(table: str, asked: Asked) -> str:
    """The most common paths with their customers, how many kinds there are, and all customers."""
    columns = ", ".join(_columns(asked))
    return (
        f"SELECT *, count(*) OVER () AS kinds, CAST(sum(n) OVER () AS BIGINT) AS whole "
        f"FROM (SELECT {columns}, count(*) AS n FROM {table} GROUP BY ALL) g ORDER BY n DESC, {columns} LIMIT {asked.top}"
    )


def _flows(table: str, asked: Asked) -> str:
    """Customers by step and the step after it, what few did at a place as ``others``; who had stopped before is left out."""
    named = [f"{_named(at, table, asked)} AS {at}" for at in _columns(asked)]
    grouped = f"SELECT {', '.join(named)} FROM {table}"
    parts = [
        f"SELECT {at} AS place, s{at} AS a, s{at + 1} AS b, count(*) AS n FROM grouped WHERE s{at} IS NOT NULL GROUP BY ALL"
        for at in range(asked.steps)
    ]
    return f"WITH grouped AS MATERIALIZED ({grouped}) {' UNION ALL '.join(parts)} ORDER BY place, n DESC, a, b"


def _named(at: str, table: str, asked: Asked) -> str:
    """The step of a column, or that it is one of those that few took."""
    return (
        f"CASE WHEN {at} IS NULL OR {at} IN (SELECT {at} FROM {table} WHERE {at} IS NOT NULL GROUP BY {at} "
        f"ORDER BY count(*) DESC, {at} LIMIT {asked.branches}) THEN {at} ELSE '{OTHER}' END"
    )


def _told(asked: Asked, sequences: list[dict[str, Any]], flows: list[dict[str, Any]]) -> Paths:
    whole = int(sequences[0]["whole"])
    found = []
    for row in sequences:
        steps = tuple(row[column] for column in _columns(asked) if row[column] is not None)
        found.append(Path(steps[::-1] if asked.back else steps, int(row["n"]), wilson(int(row["n"]), whole)))
    rest = whole - sum(one.customers for one in found)
    told = tuple(_flow(asked, row) for row in flows)
    return Paths(
        whole, tuple(found), rest, int(sequences[0]["kinds"]), told, asked.back, asked.start, asked.end, asked.within
    )


def _flow(asked: Asked, row: dict[str, Any]) -> Flow:
    if asked.back:
        return Flow(-int(row["place"]) - 1, row["b"], row["a"], int(row["n"]))
    return Flow(int(row["place"]), row["a"], row["b"], int(row["n"]))
