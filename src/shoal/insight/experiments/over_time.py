"""The effect over time: as customers came in, by the week that they came in, and by how long ago that was.

An effect that wears off with the days since the exposure is one of novelty; one that grows is learnt.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY, from_instant
from shoal.errors import Refused
from shoal.insight.experiments.effects import estimates
from shoal.insight.experiments.sums import cells, readings
from shoal.insight.experiments.telling import chance, difference
from shoal.stats.experiments.arms import Arm, mean
from shoal.stats.experiments.comparing import gap, welch
from shoal.stats.experiments.sequential import TUNING, always_valid
from shoal.stats.intervals import z_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shoal.insight.experiments.sums import Cells
    from shoal.insight.metrics.definition import Metric, Unit
    from shoal.insight.metrics.units import Columns, UnitValues
    from shoal.insight.models.asof import AsOf

WEEK = 7
LEAST_PERIODS, _MOST_PERIODS = 3, 8
_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Point:
    """An effect in the metric's unit.

    Args:
        arm: against the control.
        at: the day, week or period, counted from 0.
        n: customers of both arms.
        value, low, high: the effect.
    """

    arm: str
    at: int
    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Trend:
    """Whether an effect changes along a line.

    Args:
        arm: against the control.
        slope: the change a week, or a period.
        low, high: its interval of 95 %.
        p: of no change.
    """

    arm: str
    slope: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class OverTime:
    """The primary metric's effect over time.

    Args:
        metric: its slug.
        unit: of the effects.
        began: the first day, as an instant.
        cumulative: by the end of each day, of all who had come in; the band holds at all days together.
        weeks: of those who came in in each week, each interval taken alone.
        week_trends: whether later customers respond otherwise.
        periods: in each period since the exposure, each interval taken alone.
        period_days: how long such a period is; 0 where it wasn't looked at.
        period_trends: whether the effect wears off or grows: of the same customers in all periods.
        says: in words.
    """

    metric: str
    unit: Unit
    began: int
    cumulative: tuple[Point, ...]
    weeks: tuple[Point, ...]
    week_trends: tuple[Trend, ...]
    periods: tuple[Point, ...] = ()
    period_days: float = 0.0
    period_trends: tuple[Trend, ...] = ()
    says: str = ""

    def rows(self) -> list[dict[str, Any]]:
        """The cumulative effect as a chart takes it."""
        return [
            {
                "arm": p.arm, "at": from_instant(self.began + p.at * DAY).date().isoformat(), "value": p.value,
                "low": p.low, "high": p.high,
            }
            for p in self.cumulative
        ]  # fmt: skip


def cumulative(
    metric: Metric, arms: Sequence[str], cells: Cells, *, confidence: float, tuning: float = TUNING
) -> tuple[Point, ...]:
    """The effect of all who had come in by the end of each day, with a band that holds at all of them at once.

    Args:
        metric: what is measured.
        arms: names, the control first.
        cells: by arm and day.
        confidence: of the band.
        tuning: the sample size at which it is narrowest.
    """
    found = []
    for day in np.unique(cells.groups[:, 0]).tolist():
        which = cells.groups[:, 0] <= day
        if not cells.enough(len(arms), which):
            continue
        try:
            told = estimates(metric, cells.arms(len(arms), which)).used
        except Refused:
            continue
        for name, treated in zip(arms[1:], told[1:], strict=True):
            try:
                effect = always_valid(gap(told[0], treated), confidence, tuning)
            except Refused:
                continue
            found.append(Point(name, int(day), told[0].n + treated.n, effect.value, effect.low, effect.high))
    return tuple(found)


def by_period(metric: Metric, arms: Sequence[str], cells: Cells, step: int = 1) -> tuple[Point, ...]:
    """The effect of each period alone.

    Args:
        metric: what is measured.
        arms: names, the control first.
        cells: by arm and a whole number.
        step: how many of these numbers make a period, as 7 days a week.
    """
    found = []
    periods = cells.groups[:, 0] // step
    for period in np.unique(periods).tolist():
        which = periods == period
        if not cells.enough(len(arms), which):
            continue
        try:
            told = estimates(metric, cells.arms(len(arms), which)).used
            effects = [welch(gap(told[0], treated)) for treated in told[1:]]
        except Refused:
            continue
        for name, treated, effect in zip(arms[1:], told[1:], effects, strict=True):
            found.append(Point(name, int(period), told[0].n + treated.n, effect.value, effect.low, effect.high))
    return tuple(found)


def trends(points: Sequence[Point]) -> tuple[Trend, ...]:
    """The change from period to period where each has customers of its own: a straight line, weighted by precision."""
    found = []
    for arm in dict.fromkeys(one.arm for one in points):
        mine = [one for one in points if one.arm == arm]
        if len(mine) < 3:
            continue
        at, value = np.array([float(one.at) for one in mine]), np.array([one.value for one in mine])
        weight = (2 * z_value() / np.array([one.high - one.low for one in mine])) ** 2
        centred = at - weight @ at / weight.sum()
        about = float(weight @ centred**2)
        found.append(_trend(arm, float(weight @ (centred * value)) / about, about**-0.5))
    return tuple(found)


def _trend(arm: str, slope: float, se: float) -> Trend:
    from statistics import NormalDist

    half = z_value() * se
    return Trend(arm, slope, slope - half, slope + half, 2 * NormalDist().cdf(-abs(slope / se)))


# --------------------------------------------------------------------------- since the exposure


@contextmanager
def since_exposure(known: AsOf, metric: Metric, exposed: str) -> Iterator[tuple[str, UnitValues, int, float] | None]:
    """The metric of each customer in each period since the exposure.

    Args:
        known: the store.
        metric: what is measured; a quantile isn't.
        exposed: the relation of exposures.

    Yields:
        Rows (``k``, ``who``, ``arm``, ``period``) of those who have all periods behind them, the values, how many periods there
        are and how many days each takes; None where the time is too short.
    """
    from shoal.insight.metrics.units import of_units

    length, periods = _periods(known, exposed)
    if periods < LEAST_PERIODS or metric.how == "quantile":
        yield None
        return
    whole = f"(SELECT * FROM {exposed} WHERE t - begin + 1 >= {periods * length:d})"
    rows = (
        f"SELECT CAST(row_number() OVER () AS INTEGER) AS k, x.who, x.arm, p.period, x.begin + p.period * {length:d} AS begin, "
        f"x.begin + (p.period + 1) * {length:d} - 1 AS t FROM {whole} x, (SELECT unnest(range({periods})) AS period) p"
    )
    with known.temporary(f"{exposed}_periods", rows) as table, of_units(known, [metric], table) as values:
        yield table, values, periods, length / DAY


def _periods(known: AsOf, exposed: str) -> tuple[int, int]:
    """How long a period is, in microseconds, and how many most customers have behind them: weeks, or days where time is short."""
    (row,) = known.arrow(f"SELECT quantile_disc(t - begin + 1, 0.2) AS seen FROM {exposed}").to_pylist()
    seen = int(row["seen"] or 0)
    length = WEEK * DAY if seen >= LEAST_PERIODS * WEEK * DAY else DAY
    return length, min(seen // length, _MOST_PERIODS)


def in_periods(known: AsOf, metric: Metric, arms: Sequence[str], table: str, values: UnitValues) -> tuple[Point, ...]:
    """The effect in each period since the exposure."""
    read = readings(known, values, [metric])
    (found,) = cells(known, f"{table} e", values, read.values(), {"period": "e.period"})
    return by_period(metric, arms, found)


def wearing(
    known: AsOf, metric: Metric, arms: Sequence[str], table: str, values: UnitValues, periods: int
) -> tuple[Trend, ...]:
    """The change of the effect from period to period of the same customers: each one's own slope, compared between arms."""
    value = _straight(known, values, values.columns[metric.slug])
    if not value:
        return ()
    middle = (periods - 1) / 2
    about = sum((period - middle) ** 2 for period in range(periods))
    slopes = (
        f"SELECT e.who, e.arm, sum((e.period - {middle!r}) * {value}) / {about!r} AS slope "
        f"FROM {table} e JOIN {values.table} u ON u.k = e.k GROUP BY e.who, e.arm"
    )
    found = known.arrow(
        f"SELECT arm, count(*) AS n, avg(slope) AS mean, var_samp(slope) AS spread FROM ({slopes}) s GROUP BY arm"
    ).to_pylist()
    told = {int(row["arm"]): row for row in found if row["n"] > 1}
    trends = []
    for place, name in enumerate(arms):
        if place == 0 or not {0, place} <= set(told):
            continue
        try:
            between = gap(mean(_of(told[0])), mean(_of(told[place])))
        except Refused:
            continue
        trends.append(_trend(name, between.value, between.se))
    return tuple(trends)


def _straight(known: AsOf, values: UnitValues, columns: Columns) -> str:
    """The SQL of a customer's value in a period; a ratio is a straight line near that of all."""
    value = f"coalesce(u.{columns.value}, 0)"
    if columns.per is None:
        return value
    (row,) = known.arrow(
        f"SELECT sum({columns.value}) / nullif(sum({columns.per}), 0) AS ratio, avg({columns.per}) AS per FROM {values.table}"
    ).to_pylist()
    if not row["per"]:
        return ""
    return f"(({value} - {float(row['ratio'])!r} * coalesce(u.{columns.per}, 0)) / {float(row['per'])!r})"


def _of(row: dict[str, Any]) -> Arm:
    return Arm(int(row["n"]), np.array([float(row["mean"])]), np.array([[float(row["spread"] or 0.0)]]))


def says(metric: Metric, weeks: Sequence[Trend], periods: Sequence[Trend], days: float) -> str:
    """What the trends say, without more than they do; nothing where the time was too short for any."""
    name = "week" if days >= WEEK else "day"
    told = [
        f"{one.arm}: the effect changes by {difference(one.slope, metric.unit)} a {name} since the exposure "
        f"(p {chance(one.p)}); it isn't settled, as with novelty."
        for one in periods
        if one.p < _LEVEL
    ]
    told += [
        f"{one.arm}: customers who came in later respond otherwise, by {difference(one.slope, metric.unit)} a week "
        f"(p {chance(one.p)})."
        for one in weeks
        if one.p < _LEVEL
    ]
    if not told and not weeks and not periods:
        return ""
    looked = "by the time since the exposure or " if days else ""
    return " ".join(told) or f"Nothing says that the effect changes {looked}by when customers came in."
