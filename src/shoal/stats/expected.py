"""What a figure over periods would be, by its level, trend and season, with the noise that it has.

Each period is foretold from those before it alone, so that the errors of the past say how far the next one may lie off. The
model is a local linear trend with a season as regression (Harvey 1989, Forecasting, structural time series models, chapter
4; Durbin & Koopman 2012, chapter 4 for the filter). Holidays and faults of data don't bend it: what lies beyond 2.5 standard
errors is drawn in to them, what lies beyond 5 is left out (as Gelper, Fried & Croux 2010, doi:10.1002/for.1125, do), and
three such in a row on one side are a new level.

The noise of a figure is what its kind says at least: counts on the scale of Anscombe's root (1948, doi:10.2307/2332343),
shares on that of the angle, whose variance is 1 / (4n + 2) whatever the share is, means by their own standard error; all with
the overdispersion that the history shows. Sums whose values are all positive are looked at as logarithms, so that a season is
a factor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from math import ceil, pi, sqrt
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from shoal.errors import Refused
from shoal.stats.intervals import CONFIDENCE, Interval
from shoal.stats.local_trend import (
    LEFT_OUT,
    Course,
    filtered,
    first_told,
    grid,
    learnt_from,
    noise_shape,
    rough_noise,
    scored,
)
from shoal.stats.student import t_cdf, t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Kind: TypeAlias = Literal["sum", "count", "share", "mean"]
LEAST = {"day": 28, "week": 12, "month": 12, "quarter": 10, "year": 10}
"""So many periods before the one that is looked at are needed, by their length."""
MOST = {"day": 800, "week": 265, "month": 180, "quarter": 80, "year": 80}
"""So many are looked at: what was before says nothing of now."""
A_YEAR = {"day": 365.25, "week": 365.25 / 7, "month": 12.0, "quarter": 4.0}
_STILL = 1e-3
_DRAWS = 4000
_HARMONICS = {"day": 3, "week": 3}


@dataclass(frozen=True, slots=True)
class Series:
    """A figure in consecutive periods.

    Args:
        start: the first day of the first period.
        grain: the length of a period: day, week, month, quarter or year.
        kind: of the figure: a ``sum`` (of money, or anything else that is added), a ``count``, a ``share`` (0 to 1), or a
            ``mean`` (anything that has a standard error of its own).
        values: one a period; NaN where there is none.
        n: how many customers (or answers) stand behind each; needed for a share.
        errors: the standard error of each, for a mean; NaN where it isn't known.
    """

    start: date
    grain: str
    kind: Kind
    values: Floats
    n: Floats | None = None
    errors: Floats | None = None

    def days(self) -> list[date]:
        """The first day of each period."""
        return [stepped(self.start, self.grain, i) for i in range(len(self.values))]

    def newest(self, many: int) -> Series:
        """The last so many periods."""
        skip = max(0, len(self.values) - many)
        n = None if self.n is None else self.n[skip:]
        errors = None if self.errors is None else self.errors[skip:]
        return Series(stepped(self.start, self.grain, skip), self.grain, self.kind, self.values[skip:], n, errors)


def stepped(day: date, grain: str, steps: int) -> date:
    """The first day of the period that comes so many after the one that begins with ``day``.

    >>> stepped(date(2017, 11, 1), "month", 3), stepped(date(2017, 1, 2), "week", -1)
    (datetime.date(2018, 2, 1), datetime.date(2016, 12, 26))
    """
    if grain in ("day", "week"):
        return day + timedelta(days=steps * (7 if grain == "week" else 1))
    months = {"month": 1, "quarter": 3, "year": 12}[grain] * steps + day.year * 12 + day.month - 1
    return date(months // 12, months % 12 + 1, 1)


@dataclass(frozen=True, slots=True)
class Step:
    """One period beside what was to be expected of it.

    Args:
        period: its first day.
        value: what came; None where nothing did.
        expected: the middle of what was to be expected, and the ends within which it lies with the confidence; None in the
            first periods, from which the model learns.
        p: two-sided, of a value as far off; None as above.
    """

    period: date
    value: float | None
    expected: Interval | None
    p: float | None

    @property
    def outside(self) -> int:
        """1 above the interval, -1 below it, 0 inside (or where nothing was expected)."""
        if self.value is None or self.expected is None or not self.expected.excludes(self.value):
            return 0
        return 1 if self.value > self.expected.high else -1


@dataclass(frozen=True, slots=True)
class Outlook:
    """A series beside what was to be expected in each period, and what comes next.

    Args:
        series: what was looked at.
        steps: one a period.
        seasons: what was allowed for: ``weekday``, ``time of year``.
        left_out: how many periods of the history stood so far out that nothing was learnt from them.
        shifts: the periods from which on the level was another.
        tails: the degrees of freedom of the noise's t distribution; the fewer, the heavier its tails.
        confidence: of the intervals.
    """

    series: Series
    steps: tuple[Step, ...]
    seasons: tuple[str, ...]
    left_out: int
    shifts: tuple[date, ...]
    tails: float
    confidence: float
    _scale: _Scale = field(repr=False)
    _fit: _Fit = field(repr=False)

    @property
    def last(self) -> Step:
        """The newest period."""
        return self.steps[-1]

    def ahead(self, periods: int, *, n: float | None = None, seed: int = 0) -> Floats:
        """Draws of the periods to come: one row a draw, one column a period.

        Args:
            periods: how many.
            n: how many stand behind each; as lately by default.
            seed: of the draws.
        """
        return _drawn(self, periods, n, seed)

    def shape(self, before: int, after: int) -> Floats:
        """What the season alone makes of each of the last ``before`` periods and of ``after`` more, all at today's level."""
        design = _season(self.series, self.seasons, after)[len(self.series.values) - before :]
        n = float(np.median(_behind(self.series)[-12:])) if self.series.kind == "share" else None
        return np.asarray(self._scale.back(self._fit.state[0] + design @ self._fit.state[2:], n))


def outlook(series: Series, *, confidence: float = CONFIDENCE) -> Outlook:
    """Foretell each period from those before it.

    Args:
        series: its last period is the one that is looked at; all have to be finished.
        confidence: of the intervals.

    Raises:
        Refused: too few periods have a value: ``LEAST`` before the last one.
    """
    series = series.newest(MOST[series.grain])
    there = np.flatnonzero(np.isfinite(series.values))
    history = len(there) - (len(series.values) - 1 in there)
    if history < LEAST[series.grain]:
        raise Refused(
            f"There are {history} {series.grain}s with a value; to say what the next one should be takes "
            f"{LEAST[series.grain]}.",
            fix="Wait, or look at shorter periods.",
        )
    series = series.newest(len(series.values) - int(there[0]))
    scale = _Scale.of(series)
    x, known = scale.forward(series)
    choices = _choices(series)
    # Held against each other over the same periods: those that the richest has left to foretell.
    common = max(_burnt(x, _season(series, seasons)) for seasons in choices)
    fits = [_fitted(x, known, series, seasons, scale, common) for seasons in choices]
    fit = min(fits, key=lambda f: f.criterion)
    return _told(series, scale, fit, confidence)


# ------------------------------------------------------------ scales


@dataclass(frozen=True, slots=True)
class _Scale:
    """The scale on which noise is alike, and what sampling alone makes of it there."""

    name: Literal["log", "root", "angle", "plain"]
    floored: bool
    tiny: float = 0.0
    """What stands for 0 and less on the scale of logarithms: far below anything there was."""

    @classmethod
    def of(cls, series: Series) -> _Scale:
        values = series.values[:-1][np.isfinite(series.values[:-1])]
        if series.kind == "share":
            return cls("angle", True)
        if series.kind == "mean":
            return cls("plain", series.errors is not None)
        if series.kind == "count":
            return cls("root", True) if (values >= 0).all() else cls("plain", False)
        middle = float(np.median(values))
        if (values > 0).all() and values.min() > middle / 1000:
            return cls("log", False, middle / 1e6)
        return cls("root" if (values >= 0).all() else "plain", False)

    def forward(self, series: Series) -> tuple[Floats, Floats]:
        """The values on the scale, and the variance that sampling alone gives each (NaN: not known)."""
        y = series.values
        unknown = np.full(len(y), np.nan)
        if self.name == "angle":
            n = _behind(series)
            hits = np.clip(y, 0, 1) * n
            return np.arcsin(np.sqrt((hits + 0.375) / (n + 0.75))), 1 / (4 * n + 2)
        if self.name == "log":
            return np.log(np.where(np.isfinite(y), np.maximum(y, self.tiny), np.nan)), unknown
        if self.name == "root":
            shift = 0.375 if self.floored else 0.0
            return np.sqrt(np.where(np.isfinite(y), np.maximum(y, 0), np.nan) + shift), np.full(
                len(y), 0.25
            ) if self.floored else unknown
        return y.copy(), unknown if series.errors is None else series.errors**2

    def back(self, x: Any, n: Any) -> Any:
        """A place on the scale as a value of the figure, of which so many stand behind it."""
        if self.name == "angle":
            return np.clip((np.sin(np.clip(x, 0, pi / 2)) ** 2 * (n + 0.75) - 0.375) / n, 0, 1)
        if self.name == "log":
            return np.exp(x)
        if self.name == "root":
            return np.maximum(np.maximum(x, 0) ** 2 - (0.375 if self.floored else 0.0), 0)
        return x


def _behind(series: Series) -> Floats:
    if series.n is None:
        raise ValueError("a share needs the number behind each period")
    return np.maximum(np.nan_to_num(series.n, nan=0.0), 1.0)


# ------------------------------------------------------------ seasons


def _choices(series: Series) -> list[tuple[str, ...]]:
    """The seasons that the history can bear; of several the one that foretells best is taken."""
    weekly: tuple[str, ...] = ("weekday",) if series.grain == "day" else ()
    a_year = A_YEAR.get(series.grain)
    if a_year is None or len(series.values) - 1 < 2 * a_year:
        return [weekly]
    return [weekly, (*weekly, "time of year")]


def _season(series: Series, seasons: Sequence[str], more: int = 0) -> Floats:
    """The columns of the regression, those of periods to come too."""
    days = [stepped(series.start, series.grain, i) for i in range(len(series.values) + more)]
    columns: list[Floats] = []
    if "weekday" in seasons:
        columns.append(_contrasts(np.array([d.weekday() for d in days]), 7))
    if "time of year" in seasons:
        columns.append(_time_of_year(days, series.grain))
    return np.hstack(columns) if columns else np.empty((len(days), 0))


def _contrasts(code: npt.NDArray[np.int64], many: int) -> Floats:
    """Each value's distance from the mean of all: the last is less the sum of the others."""
    hot = np.eye(many)[code]
    return np.asarray(hot[:, :-1] - hot[:, -1:])


def _time_of_year(days: Sequence[date], grain: str) -> Floats:
    if grain == "month":
        return _contrasts(np.array([d.month - 1 for d in days]), 12)
    if grain == "quarter":
        return _contrasts(np.array([(d.month - 1) // 3 for d in days]), 4)
    turn = 2 * pi * np.array([d.timetuple().tm_yday for d in days]) / 365.25
    waves = np.outer(turn, np.arange(1, _HARMONICS[grain] + 1))
    return np.hstack([np.sin(waves), np.cos(waves)])


# ------------------------------------------------------------ fitting


@dataclass(frozen=True, slots=True)
class _Fit:
    """The filter's course with the settings that foretell best. On the scale of the figure."""

    seasons: tuple[str, ...]
    criterion: float
    middle: Floats
    spread: Floats
    tails: float
    free: float
    left_out: npt.NDArray[np.bool_]
    shifted: npt.NDArray[np.bool_]
    burnt: int
    state: Floats
    unsure: Floats
    noise: float
    moves: tuple[float, float]
    between: float


def _burnt(x: Floats, design: Floats) -> int:
    """How many periods the model learns from before it is held against anything."""
    return int(min(design.shape[1] + 4, np.isfinite(x).sum() // 2))


def _fitted(x: Floats, known: Floats, series: Series, seasons: tuple[str, ...], scale: _Scale, common: int) -> _Fit:
    """Try the settings, and run the filter once more with the best and its own scale of noise."""
    design = _season(series, seasons)
    rough = rough_noise(x[:-1], 7 if "weekday" in seasons else 1)
    settings = grid()
    sampled = known[np.isfinite(known)]
    if not sampled.size:
        # Nothing is known of sampling: noise is alike everywhere.
        settings = settings[settings[:, 2] == 1.0]
    usual = float(np.median(sampled)) if sampled.size else 1.0
    relative = np.where(np.isfinite(known), known / usual, 1.0) if usual > 0 else np.ones(len(x))
    weights = settings[:, 2:] + (1 - settings[:, 2:]) * relative
    burnt = _burnt(x, design)
    course = filtered(x / rough, design, weights, settings, np.ones(len(settings)))
    scales, scores = scored(course, burnt)
    best = int(np.argmin(scores))
    chosen = settings[best : best + 1]
    course = filtered(x / rough, design, weights[best : best + 1], chosen, scales[best : best + 1])
    scales, _ = scored(course, burnt)
    _, scores = scored(course, common)
    return _settled(
        x,
        known,
        course,
        float(scales[0]),
        float(scores[0]),
        rough,
        seasons,
        chosen[0],
        scale.floored,
        burnt,
        scale.name != "log",
    )


def _settled(
    x: Floats, known: Floats, course: Course, sigma: float, score: float, rough: float, seasons: tuple[str, ...],
    setting: Floats, floored: bool, burnt: int, scaled: bool,
) -> _Fit:  # fmt: skip
    z = course.error[0] / np.sqrt(course.variance[0]) / sigma
    used = learnt_from(course.error)[0] & (np.arange(len(z)) >= first_told(course.error[0], burnt))
    calm = z[used & (np.abs(z) < LEFT_OUT)]
    tails, width = noise_shape(calm)
    # Two settings were chosen for the errors that they leave: level against noise, and the noise itself.
    noise = (sigma * width * rough) ** 2 * len(calm) / max(len(calm) - 2, 1)
    middle = x - course.error[0] * rough
    # A figure that never moved may move by a thousandth before anybody is told.
    spread = np.maximum(np.sqrt(course.variance[0] * noise), _STILL * (np.abs(middle) if scaled else 1.0))
    if floored:
        # An estimate can't be surer than what sampling alone makes of it.
        spread = np.maximum(spread, np.sqrt(np.nan_to_num(known, nan=0.0)))
    return _Fit(
        seasons, score, middle, spread, tails,
        max(len(calm) - 3.0, 3.0), course.left_out[0], course.shifted[0], first_told(course.error[0], burnt),
        course.state[0] * rough, course.unsure[0] * noise, noise, (setting[0], setting[1]), setting[2],
    )  # fmt: skip


# ------------------------------------------------------------ telling


def _told(series: Series, scale: _Scale, fit: _Fit, confidence: float) -> Outlook:
    # Rounded, so that quantiles are found again.
    freedom = round(1 / (1 / fit.tails + 1 / fit.free), 2)
    reach = t_quantile((1 + confidence) / 2, freedom)
    behind = _behind(series) if series.kind == "share" else None
    x, _ = scale.forward(series)
    days = series.days()
    low, middle, high = (scale.back(fit.middle + side * reach * fit.spread, behind) for side in (-1, 0, 1))
    steps = []
    for i, day in enumerate(days):
        value = float(series.values[i]) if np.isfinite(series.values[i]) else None
        if i < fit.burnt or value is None:
            steps.append(Step(day, value, None, None))
            continue
        z = (x[i] - fit.middle[i]) / fit.spread[i]
        expected = Interval(float(middle[i]), float(low[i]), float(high[i]))
        steps.append(Step(day, value, expected, min(1.0, 2 * t_cdf(-abs(float(z)), freedom))))
    shifts = tuple(day for day, new in zip(days, fit.shifted, strict=True) if new)
    left = int(fit.left_out[fit.burnt :].sum())
    return Outlook(series, tuple(steps), fit.seasons, left, shifts, fit.tails, confidence, scale, fit)


def _drawn(found: Outlook, periods: int, n: float | None, seed: int) -> Floats:
    """Paths of state and noise; on the scale of the noise, then back."""
    fit, series = found._fit, found.series
    random = np.random.default_rng(seed)
    design = _season(series, fit.seasons, periods)[len(series.values) :]
    state = random.multivariate_normal(fit.state, fit.unsure, size=_DRAWS, method="eigh")
    noise = np.full(periods, sqrt(fit.noise))
    if series.kind == "share":
        n = n or float(np.median(_behind(series)[-12:]))
        noise = np.maximum(noise, 1 / sqrt(4 * n + 2))
    out = np.empty((_DRAWS, periods))
    moves = [sqrt(move * fit.noise) for move in fit.moves]
    for t in range(periods):
        state[:, 1] += random.normal(0, moves[1], _DRAWS) if moves[1] else 0.0
        state[:, 0] += state[:, 1] + (random.normal(0, moves[0], _DRAWS) if moves[0] else 0.0)
        out[:, t] = state[:, 0] + state[:, 2:] @ design[t] + noise[t] * random.standard_t(max(fit.tails, 3.0), _DRAWS)
    return np.asarray(found._scale.back(out, n))


def needed(grain: str) -> str:
    """How much history it takes, in words.

    >>> needed("day")
    '28 days'
    """
    return f"{ceil(LEAST[grain])} {grain}s"
