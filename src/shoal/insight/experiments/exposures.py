"""Who takes part in an experiment's analysis: each customer once, in one arm, from the first exposure on.

Whoever can't be counted is left out with the reason, and the reasons are counted: an experiment that loses many of them, or
more in one arm, has a fault that no statistics mend.
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.clock import iso
from shoal.errors import Refused, Unsupported
from shoal.insight.experiments.definition import AtStart
from shoal.insight.experiments.sightings import arm_samples, assigned, in_span, sightings
from shoal.insight.experiments.state import hold
from shoal.sql.engine import SqlEngine
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.sightings import Sightings
    from shoal.insight.experiments.state import State
    from shoal.insight.models.asof import AsOf
    from shoal.sql.store import Store

_numbers = itertools.count(1)
REASONS = (
    "", "unknown arm", "before the start", "after the stop", "several arms", "held out", "not drawn", "other arm", "outside",
)  # fmt: skip
"""Why a customer is left out, in the order in which they are looked at; the first is of those who count."""
_WORDS = {
    "unknown arm": "{n} seen only in an arm that the experiment doesn't have",
    "before the start": "{n} exposed before the start",
    "after the stop": "{n} first exposed after the stop",
    "several arms": "{n} seen in several arms",
    "held out": "{n} exposed although they are held out",
    "not drawn": "{n} exposed although they are outside its part of the layer",
    "other arm": "{n} exposed to another arm than the one they were drawn into",
    "outside": "{n} outside the population when they were exposed",
    "stranger": "{n} in the file under an id that nobody is known by",
    "undated": "{n} in the file without an instant that can be read",
}


class Problem(NamedTuple):
    """Customers who are left out for one reason.

    Args:
        code: one of ``REASONS``, or ``stranger`` or ``undated`` of a file.
        n: how many.
        arms: of them by arm, where they have one.
        says: it in words.
    """

    code: str
    n: int
    arms: Mapping[str, int]
    says: str


@dataclass(frozen=True, slots=True)
class Exposures:
    """Who takes part.

    Args:
        table: a temporary relation: ``k`` INTEGER (unique), ``who`` INTEGER (surviving customer's key), ``arm`` SMALLINT (place
            among ``arms``), ``begin`` BIGINT (first exposure) and ``t`` BIGINT (the last instant at which metrics are counted).
        arms: names, the control first.
        counts: how many customers each arm has.
        problems: who is left out, the most first.
        begin: the first exposure; None where there is none.
        end: the last instant that is looked at: of the data, or of the stop.
        unfinished: how many have less than the whole window behind them.
        notes: what couldn't be looked at.
    """

    table: str
    arms: tuple[str, ...]
    counts: Mapping[str, int]
    problems: tuple[Problem, ...]
    begin: int | None
    end: int
    unfinished: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def total(self) -> int:
        """How many take part."""
        return sum(self.counts.values())

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "arms": dict(self.counts),
            "first": None if self.begin is None else iso(self.begin),
            "until": iso(self.end),
            "unfinished": self.unfinished,
            "left_out": [
                {"reason": one.code, "customers": one.n, "arms": dict(one.arms), "says": one.says}
                for one in self.problems
            ],
            "notes": list(self.notes),
        }


@contextmanager
def exposures(known: AsOf, experiment: Experiment, state: State) -> Iterator[Exposures]:
    """Lay out who takes part, as of the instant that is known; merged customers count as one.

    Args:
        known: the store as of an instant.
        experiment: the definition.
        state: how far it is.

    Yields:
        The exposures; their table is gone afterwards.

    Raises:
        Refused: it hasn't begun by then, or its definition was edited since.
        UnknownName: there is no such event, property, trait or column.
    """
    hold(experiment, state)
    low, high = _period(known, experiment, state)
    laid = _Laid(known, experiment, state, low, high)
    try:
        with sightings(known, experiment, state) as seen:
            yield laid.out(seen)
    finally:
        laid.close()


def _period(known: AsOf, experiment: Experiment, state: State) -> tuple[int | None, int]:
    """The first and the last instant of exposures; the first is None where others ran it."""
    if state.stage == "planned":
        raise Refused(
            f"{experiment.slug!r} hasn't begun yet.", fix=f"Begin it: shoal experiment start {experiment.slug}"
        )
    if state.started is not None and known.at < state.started:
        raise Refused(f"{experiment.slug!r} began at {iso(state.started)}, after the instant that is asked of.")
    return state.started, known.at if state.stopped is None else min(known.at, state.stopped)


class _Laid:
    """The tables of one answer."""

    def __init__(self, known: AsOf, experiment: Experiment, state: State, low: int | None, high: int) -> None:
        self._known, self._experiment, self._state = known, experiment, state
        self._low, self._high = low, high
        self._store: Store = known.engine.store
        number = next(_numbers)
        self._all, self._view = f"exposed_{number}_all", f"exposed_{number}"

    def out(self, seen: Sightings) -> Exposures:
        """Make them."""
        self._store.execute(f"CREATE TEMP TABLE {self._all} AS {self._judged(seen.rows)}")
        notes = self._hold_population()
        self._store.execute(
            f'CREATE TEMP VIEW {self._view} AS SELECT who AS k, who, arm, "begin", t FROM {self._all} WHERE reason = 0'
        )
        found = self._counted()
        arms = tuple(self._experiment.arms)
        counts = {name: found.get((0, place), (0, 0, None))[0] for place, name in enumerate(arms)}
        whole = [row for (reason, _), row in found.items() if reason == 0]
        return Exposures(
            table=self._view,
            arms=arms,
            counts=counts,
            problems=tuple(self._problems(found, seen)),
            begin=min((row[2] for row in whole if row[2] is not None), default=None),
            end=self._high,
            unfinished=sum(row[1] for row in whole),
            notes=notes,
        )

    def close(self) -> None:
        self._store.execute(f"DROP VIEW IF EXISTS {self._view}")
        self._store.execute(f"DROP TABLE IF EXISTS {self._all}")

    # ------------------------------------------------------------ one row a customer

    def _judged(self, rows: str) -> str:
        """Each customer who was seen, with the reason to leave them out, 0 for none."""
        inside = f"arm >= 0 AND ts <= {self._high:d}" + ("" if self._low is None else f" AND ts >= {self._low:d}")
        each = (
            'SELECT who, min(ts) AS first, max(arm) AS best, min(inside) AS "begin", min(held) AS low, max(held) AS high '
            f"FROM (SELECT who, ts, arm, CASE WHEN {inside} THEN ts END AS inside, CASE WHEN {inside} THEN arm END AS held "
            f"FROM ({rows}) s) r GROUP BY who"
        )
        window = self._experiment.window
        end = f"{self._high:d}" if window is None else f'least("begin" + {window - 1:d}, {self._high:d})'
        drawn = not self._experiment.elsewhere and not isinstance(self._experiment.exposure, AtStart)
        source, drawing = self._with_drawing(each) if drawn else (f"({each}) g", "ELSE 0")
        return (
            f'SELECT g.who, g.low AS arm, g."begin", CAST({end} AS BIGINT) AS t, '
            f"CAST(CASE {self._seen()}{drawing} END AS TINYINT) AS reason FROM {source}"
        )

    def _seen(self) -> str:
        early = "" if self._low is None else f"WHEN first < {self._low:d} THEN {_code('before the start')} "
        return (
            f"WHEN best < 0 THEN {_code('unknown arm')} {early}"
            f'WHEN "begin" IS NULL AND first > {self._high:d} THEN {_code("after the stop")} '
            f'WHEN "begin" IS NULL THEN {_code("unknown arm")} WHEN low <> high THEN {_code("several arms")} '
        )

    def _with_drawing(self, each: str) -> tuple[str, str]:
        """The customers with the arm that they were drawn into, and the cases that hold it against the one they were seen in.

        Who was merged since may have been drawn under the id of then, so an arm of any of their ids will do.
        """
        experiment, state = self._experiment, self._state
        drawn = state.assignment(experiment)
        source = (
            f"(SELECT g.*, c.id, {assigned(experiment, state, 'c.id')} AS drawn FROM ({each}) g "
            "JOIN customers c ON c.key = g.who) g"
        )
        alike = "drawn IS NOT DISTINCT FROM low"
        other = self._ids_of_then()
        if other is not None:
            source += f" LEFT JOIN ({other}) o ON o.kept = g.who"
            alike = f"({alike} OR (coalesce(o.arms, 0) >> low) & 1 = 1)"
        cases = [f"WHEN {alike} THEN 0"]
        cases += [f"WHEN {in_span(one.salt, one.span, 'id')} THEN {_code('held out')}" for one in drawn.holdouts]
        return source, " ".join([*cases, f"WHEN drawn IS NULL THEN {_code('not drawn')} ELSE {_code('other arm')}"])

    def _ids_of_then(self) -> str | None:
        """The arms that ids of merged-away customers were drawn into, as bits, by who stands for them now."""
        from shoal.customers.identity import standing_for

        standing = standing_for(self._store)
        if standing is None:
            return None
        drawn = assigned(self._experiment, self._state, "c.id")
        return (
            f"SELECT kept, bit_or(CAST(1 AS BIGINT) << drawn) AS arms FROM (SELECT s.kept, CAST({drawn} AS BIGINT) AS drawn "
            f"FROM {standing} s JOIN customers c ON c.key = s.gone) d WHERE drawn IS NOT NULL GROUP BY kept"
        )

    # ------------------------------------------------------------ the population

    def _hold_population(self) -> tuple[str, ...]:
        """Mark those who weren't in the population at the instant of their exposure; what they did after it is no reason."""
        population = self._experiment.population
        if population is None or isinstance(self._experiment.exposure, AtStart):
            return ()
        units = f'(SELECT who AS k, who, "begin", "begin" AS t FROM {self._all} WHERE reason = 0)'
        ((first,),) = self._store.rows(f'SELECT min("begin") FROM {self._all} WHERE reason = 0')
        if first is None:
            return ()
        try:
            with self._engine().columns({"held": population}, int(first), units=units) as found:
                self._store.execute(
                    f"UPDATE {self._all} SET reason = {_code('outside')} WHERE reason = 0 AND who IN "
                    f"(SELECT k FROM {found} WHERE NOT held)"
                )
        except Unsupported as refused:
            return (f"Nobody was held against the population at their exposure. {refused}",)
        return ()

    def _engine(self) -> SqlEngine:
        """The engine with the segments as they were at the start."""
        schema, derived = self._known.schema, self._known.engine.derived
        return SqlEngine(self._store, replace(schema, segments={**schema.segments, **self._state.segments}), derived)

    # ------------------------------------------------------------ counting

    def _counted(self) -> dict[tuple[int, int | None], tuple[int, int, int | None]]:
        """By reason and arm: customers, those whose window isn't over, and the first exposure."""
        window = self._experiment.window
        open_ = "0" if window is None else f'count(*) FILTER (t < "begin" + {window - 1:d})'
        rows = self._store.rows(
            f'SELECT reason, arm, count(*), {open_}, min("begin") FROM {self._all} GROUP BY reason, arm'
        )
        return {(int(reason), arm): (int(n), int(unfinished), first) for reason, arm, n, unfinished, first in rows}

    def _problems(
        self, found: Mapping[tuple[int, int | None], tuple[int, int, int | None]], seen: Sightings
    ) -> Iterator[Problem]:
        names = tuple(self._experiment.arms)
        problems = []
        for code in range(1, len(REASONS)):
            rows = {arm: row[0] for (reason, arm), row in found.items() if reason == code}
            if rows:
                several = REASONS[code] == "several arms"
                arms = {} if several else {names[arm]: n for arm, n in sorted(rows.items(), key=str) if arm is not None}
                problems.append(_problem(REASONS[code], sum(rows.values()), arms, self._more(REASONS[code])))
        for code_, n in (("stranger", seen.strangers), ("undated", seen.undated)):
            if n:
                problems.append(_problem(code_, n, {}, ""))
        yield from sorted(problems, key=lambda one: -one.n)

    def _more(self, code: str) -> str:
        if code != "unknown arm":
            return ""
        said = arm_samples(self._known, self._experiment)
        return f" ({', '.join(f'{text!r}' for text in said)})" if said else ""


def _problem(code: str, n: int, arms: Mapping[str, int], more: str) -> Problem:
    what = _WORDS[code].format(n=f"{counted(n, 'customer')} {noun(n, 'was', 'were')}")
    return Problem(code, n, arms, f"{what}{more}.")


def _code(reason: str) -> int:
    return REASONS.index(reason)
