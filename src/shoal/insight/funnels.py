"""Funnels: of those who took a first step, how many took the next ones, in how much time, and where the others went.

In order: each step comes strictly later than the one before, all of them within the time limit from the first. Of the first
steps that a customer took in the period, the one counts from which they came furthest (of several, the earliest), and each later
step is the earliest that follows. No choice of events would bring them further: the earliest next step leaves the most room for
those after it.

In any order: the steps are taken within the time limit from the earliest of them, which falls in the period; how many different
ones counts, not which. One event that answers to two steps takes both.
"""

from __future__ import annotations

import itertools
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.clock import SECOND
from shoal.errors import Refused
from shoal.insight.metrics.grouping import OTHER, UNKNOWN
from shoal.insight.next_events import next_events
from shoal.lang.schema import Kind
from shoal.sql.encode import quoted
from shoal.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from shoal.insight.models.asof import AsOf
    from shoal.insight.next_events import Instead
    from shoal.lang.nodes import Events
    from shoal.shapes import SessionRule

MOST_STEPS = 12
SHOWN_GROUPS = 12
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a funnel, of all customers or of a group.

    Args:
        name: as it is shown.
        customers: who came so far.
        overall: their share of those who entered, with its 95 % interval (Wilson).
        conversion: their share of those who took the step before; of the first, of those who entered: 1.
        seconds: the median time since the step before, of those who took this one; None where nobody did, and of the first.
        open: who took the step before, not this one, and still has time for it.
    """

    name: str
    customers: int
    overall: Interval
    conversion: Interval
    seconds: float | None
    open: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """A funnel over a period.

    Args:
        steps: of all customers, in their order.
        groups: the same by group, the largest first; the rest, and those of whom it isn't known, last.
        instead: what those who stopped after a step did next.
        start: the first instant of the period in which it is entered.
        end: the instant after its last.
        within: microseconds from the first step to the last.
        ordered: whether steps follow in order.
        over: whether the period had ended at the instant.
    """

    steps: tuple[Step, ...]
    groups: dict[str, tuple[Step, ...]]
    instead: tuple[Instead, ...]
    start: int
    end: int
    within: int
    ordered: bool
    over: bool

    @property
    def entered(self) -> int:
        """How many customers took the first step (in any order: one of them)."""
        return self.steps[0].customers

    @property
    def converted(self) -> Interval:
        """The share of them who took all steps."""
        return self.steps[-1].overall

    @property
    def finished(self) -> bool:
        """Whether its figures stay: the period is over, and nobody who could come further has time left."""
        return self.over and not any(step.open for step in self.steps)

    def rows(self) -> list[dict[str, Any]]:
        """A row a step, of all (``group`` None) and by group."""
        told = [(None, self.steps), *self.groups.items()]
        return [
            {
                "group": group, "step": at, "name": one.name, "customers": one.customers,
                "overall": one.overall.value, "overall_low": one.overall.low, "overall_high": one.overall.high,
                "conversion": one.conversion.value, "low": one.conversion.low, "high": one.conversion.high,
                "median_seconds": one.seconds, "open": one.open,
            }
            for group, steps in told
            for at, one in enumerate(steps, 1)
        ]  # fmt: skip

    def table(self) -> pa.Table:
        """``rows`` as a table."""
        import pyarrow as pa

        kinds = {"group": pa.string(), "name": pa.string()} | dict.fromkeys(("step", "customers", "open"), pa.int64())
        rows = self.rows()
        return pa.table({key: pa.array([row[key] for row in rows], kinds.get(key, pa.float64())) for key in rows[0]})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a funnel is asked for.

    Args:
        steps: what each step is, in the language's form.
        names: of the steps, as they are shown.
        start: the first instant of the period in which it is entered.
        end: the instant after its last.
        within: microseconds from the first step to the last.
        ordered: whether steps follow in order; else in any.
        among: a relation with the column ``customer``: only these; None for all.
        told: a property of the first step that tells groups apart (in order only).
        told_kind: its type.
        groups: a relation of ``customer``, each once, and ``value``, a text that tells groups apart.
        top: how many events are told of those who stopped, a step; 0 for none.
    """

    steps: Sequence[Events]
    names: Sequence[str]
    start: int
    end: int
    within: int
    ordered: bool = True
    among: str | None = None
    told: str | None = None
    told_kind: Kind = Kind.TEXT
    groups: str | None = None
    top: int = 5


def funnel(known: AsOf, asked: Asked, rule: SessionRule) -> Funnel:
    """Work a funnel out; steps after the period count up to the door's instant.

    Args:
        known: the door to the store.
        asked: the steps and the period.
        rule: says which property says a page, where the others went.

    Raises:
        Refused: fewer than two steps or too many, a period without length, or nobody entered.
        Unsupported: SQL can't evaluate a filter.
    """
    with _laid_out(known, asked) as best:
        rows = known.arrow(_counted(known, best, asked)).to_pylist()
        if not rows:
            raise Refused(
                "Nobody took the first step in this period.",
                fix="Take a longer period, or look at the step's filter.",
            )
        instead = next_events(known, best, len(asked.steps), rule, asked.top) if asked.top else ()
    everyone = next(row for row in rows if row["whole"])
    apart = {str(row["g"]): _steps(asked, row) for row in rows if not row["whole"]}
    steps, over = _steps(asked, everyone), asked.end <= known.at
    period = asked.start, asked.end, asked.within, asked.ordered
    return Funnel(steps, _sorted(apart), tuple(instead), *period, over)


@contextmanager
def _laid_out(known: AsOf, asked: Asked) -> Iterator[str]:
    """Each customer's best chain, as ``_best`` gives it."""
    _hold(asked)
    numbers = [None] * (len(asked.steps) - 1)
    with ExitStack() as stack:
        tables = stack.enter_context(known.occurrences(asked.steps, [asked.told, *numbers]))
        chains = _in_order(tables, asked) if asked.ordered else _in_any_order(tables, asked)
        name = f"funnel_{next(_numbers)}"
        yield stack.enter_context(known.temporary(name, _best(chains, asked, len(tables))))


def came_to(known: AsOf, asked: Asked, step: int, *, stopped: bool = False, group: str | None = None) -> list[int]:
    """The keys of those who came to a step, ascending.

    Args:
        known: the door to the store.
        asked: the steps and the period.
        step: which one, from 1.
        stopped: only those who came no further.
        group: only those of a group, as ``Funnel.groups`` names it; all by default.

    Raises:
        Refused: as ``funnel`` does, or where the group is made of several.
    """
    if group == OTHER:
        raise Refused("What is small is put together there.", fix="Name one of the larger groups.")
    within = "" if group is None else " AND g IS NULL" if group == UNKNOWN else f" AND g = {quoted(group)}"
    with _laid_out(known, asked) as best:
        rows = known.arrow(f"SELECT k FROM {best} WHERE depth {'=' if stopped else '>='} {step:d}{within} ORDER BY k")
    return [int(key) for key in rows["k"].to_pylist()]


def _hold(asked: Asked) -> None:
    if not 2 <= len(asked.steps) <= MOST_STEPS:
        raise Refused(f"A funnel has 2 to {MOST_STEPS} steps, not {len(asked.steps)}.", fix="Name each step once.")
    if asked.end <= asked.start:
        raise Refused("The period ends before it begins.", fix="Give a start before the end.")
    if asked.within <= 0:
        raise Refused("A funnel needs time.", fix="Say within how long, as 7 days.")
    if not asked.ordered and asked.told:
        raise Refused(
            "In any order there is no first step whose property could tell groups apart.", fix="Take a trait."
        )
    if not asked.ordered and len(set(asked.steps)) < len(asked.steps):
        raise Refused(
            "In any order one event would take two steps that are the same.", fix="Name each step once, or in order."
        )


# ---------------------------------------------------------------- chains


def _in_order(tables: Sequence[str], asked: Asked) -> str:
    """For each first step in the period the earliest chain from it: ``k``, ``t0``, ``t1`` …, NULL from where it breaks off."""
    shown = ", v" if asked.told else ""
    query = f"SELECT k, ts AS t0{shown} FROM {tables[0]} WHERE ts >= {asked.start} AND ts < {asked.end}{_among(asked)}"
    for at, table in enumerate(tables[1:], 1):
        query = (
            f"SELECT c.*, CASE WHEN b.ts <= c.t0 + {asked.within} THEN b.ts END AS t{at} "
            f"FROM ({query}) c ASOF LEFT JOIN {table} b ON c.k = b.k AND c.t{at - 1} < b.ts"
        )
    return query


def _in_any_order(tables: Sequence[str], asked: Asked) -> str:
    """For each event of a step in the period, when the steps were taken from it on: in the order of time, NULLs last."""
    anchors = " UNION ".join(
        f"SELECT k, ts AS a FROM {table} WHERE ts >= {asked.start} AND ts < {asked.end}{_among(asked)}"
        for table in tables
    )
    query = f"SELECT * FROM ({anchors}) u"
    for at, table in enumerate(tables):
        query = (
            f"SELECT c.*, CASE WHEN b.ts <= c.a + {asked.within} THEN b.ts END AS f{at} "
            f"FROM ({query}) c ASOF LEFT JOIN {table} b ON c.k = b.k AND c.a <= b.ts"
        )
    found = ", ".join(f"f{at}" for at in range(len(tables)))
    shown = ", ".join(f"took[{at + 1}] AS t{at}" for at in range(len(tables)))
    return (
        f"SELECT k, {shown} FROM (SELECT k, list_sort(list_filter([{found}], lambda x: x IS NOT NULL)) AS took "
        f"FROM ({query}) q) s"
    )


def _among(asked: Asked) -> str:
    return f" AND k IN (SELECT customer FROM {asked.among})" if asked.among else ""


def _best(chains: str, asked: Asked, many: int) -> str:
    """Of each customer's chains the longest, of several the earliest: ``k``, ``t0`` …, ``depth``, ``g``, ``until``.

    ``still`` is until when some chain of theirs may go on.
    """
    depth = " + ".join(f"CAST(t{at} IS NOT NULL AS INTEGER)" for at in range(many))
    group = "NULL::VARCHAR"
    if asked.told:
        group = as_text(asked.told_kind, "v", stored=True)
    elif asked.groups:
        group = "g.value"
    joined = f"LEFT JOIN {asked.groups} g ON g.customer = c.k " if asked.groups else ""
    return (
        f"SELECT c.*, {group} AS g, t0 + {asked.within} AS until, max(t0) OVER (PARTITION BY k) + {asked.within} AS still "
        f"FROM (SELECT *, {depth} AS depth FROM ({chains}) h) c {joined}"
        "QUALIFY row_number() OVER (PARTITION BY k ORDER BY depth DESC, t0) = 1"
    )


def as_text(kind: Kind, value: str, *, stored: bool) -> str:
    """The SQL of a value as people read it.

    Args:
        kind: its type.
        value: the SQL of it.
        stored: whether a number is in millionths, as stored, and not a DOUBLE.
    """
    if kind is Kind.YESNO:
        return f"CASE WHEN {value} THEN 'yes' WHEN NOT {value} THEN 'no' END"
    if kind is Kind.NUMBER:
        number = f"CAST({value} AS DOUBLE) / 1000000" if stored else value
        return rf"regexp_replace(CAST({number} AS VARCHAR), '\.0$', '')"
    return f"CAST({value} AS VARCHAR)"


# ---------------------------------------------------------------- counting


def _counted(known: AsOf, best: str, asked: Asked) -> str:
    """A row of all and a row a group: ``n1`` … who took so many steps, ``m2`` … median times, ``o2`` … who still may."""
    columns = []
    for at in range(1, len(asked.steps) + 1):
        columns.append(f"count(*) FILTER (WHERE depth >= {at}) AS n{at}")
        if at > 1:
            columns.append(f"median(t{at - 1} - t{at - 2}) FILTER (WHERE depth >= {at}) AS m{at}")
            columns.append(f"count(*) FILTER (WHERE depth = {at - 1} AND still > {known.at}) AS o{at}")
    shown = ", ".join(columns)
    whole = f"SELECT true AS whole, NULL AS g, {shown} FROM {best} HAVING count(*) > 0"
    if not (asked.told or asked.groups):
        return whole
    sizes = (
        f"SELECT g, row_number() OVER (ORDER BY count(*) DESC, g) AS place FROM {best} WHERE g IS NOT NULL GROUP BY g"
    )
    name = f"CASE WHEN b.g IS NULL THEN '{UNKNOWN}' WHEN place > {SHOWN_GROUPS} THEN '{OTHER}' ELSE b.g END"
    apart = f"SELECT b.* EXCLUDE (g), {name} AS g FROM {best} b LEFT JOIN ({sizes}) s ON s.g = b.g"
    return f"{whole} UNION ALL SELECT false AS whole, g, {shown} FROM ({apart}) a GROUP BY g"


def _steps(asked: Asked, row: dict[str, Any]) -> tuple[Step, ...]:
    found = []
    first = before = int(row["n1"])
    for at, name in enumerate(_names(asked), 1):
        here = int(row[f"n{at}"])
        median = row.get(f"m{at}")
        seconds = None if median is None else float(median) / SECOND
        found.append(Step(name, here, wilson(here, first), wilson(here, before), seconds, int(row.get(f"o{at}", 0))))
        before = here
    return tuple(found)


def _names(asked: Asked) -> list[str]:
    if asked.ordered:
        return list(asked.names)
    many = len(asked.names)
    return [f"any {at} of {many}" if at < many else f"all {many}" for at in range(1, many + 1)]


def _sorted(groups: dict[str, tuple[Step, ...]]) -> dict[str, tuple[Step, ...]]:
    last = {OTHER: 1, UNKNOWN: 2}
    order = sorted(groups, key=lambda name: (last.get(name, 0), -groups[name][0].customers, name))
    return {name: groups[name] for name in order}
