"""Targets: what is reached so far, what the pace asks for, and what is to be expected by the date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.metrics.watching import Finding, begun, in_words, series_of, shown
from shoal.stats.expected import outlook, stepped
from shoal.stats.intervals import CONFIDENCE, Interval
from shoal.wording import dated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.watching import Point
    from shoal.insight.metrics.watching_reading import Target
    from shoal.stats.expected import Outlook

ON_TRACK, BEHIND, OPEN, REACHED, MISSED = "on track", "behind", "open", "reached", "missed"
_FAR = 400
"""So many periods ahead nothing is foretold any more."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a target is.

    Args:
        metric: which.
        target: what is to be reached.
        through: the last day that is in the figures.
        value: what is reached: the sum so far, or the figure of the newest period.
        pace: what would have to be reached by then.
        forecast: what is to be expected by the date, with its interval; None where nothing can be said.
        chance: of reaching the target, as it goes; None as above.
        verdict: ``on track`` and ``behind`` where the whole interval lies on one side of the target, ``open`` where it
            doesn't; ``reached`` or ``missed`` once the date is over.
        why: why there is no forecast.
        currency: of money.
    """

    metric: Metric
    target: Target
    through: date
    value: float
    pace: float
    forecast: Interval | None
    chance: float | None
    verdict: str
    why: str = ""
    currency: str = ""

    def _say(self, value: float) -> str:
        return shown(value, self.metric.unit, self.currency)

    @property
    def sentence(self) -> str:
        """The same in words."""
        aim = f"{self._say(self.target.value)} by {dated(self.target.by)}"
        if self.verdict in (REACHED, MISSED):
            return f"{self.metric.name}: the target of {aim} was {self.verdict}, with {self._say(self.value)}."
        so_far = (
            f"{self._say(self.value)} through {dated(self.through)}, where the pace asks for {self._say(self.pace)}"
        )
        if self.forecast is None:
            return f"{self.metric.name}: {self.verdict} for {aim}: {so_far}. {self.why}".rstrip()
        low, high = self._say(self.forecast.low), self._say(self.forecast.high)
        said = {ON_TRACK: "on track for", BEHIND: "behind", OPEN: "not decided yet for"}[self.verdict]
        return f"{self.metric.name}: {said} {aim}. {so_far}; as it goes, {low} to {high} by then."

    def finding(self) -> Finding:
        """What an alert is made of."""
        out = {BEHIND: True, MISSED: True, OPEN: None}.get(self.verdict, False)
        return Finding(
            self.metric.slug, None, "target", self.target.each or "day", self.through, out, self.value, self.forecast,
            self.target.value, worse=True, sentence=self.sentence if out else "",
        )  # fmt: skip

    def document(self) -> dict[str, Any]:
        """The same as a JSON-ready document."""
        ends = None if self.forecast is None else dict(zip(("value", "low", "high"), self.forecast, strict=True))
        return {
            "metric": self.metric.slug, "target": self.target.value, "since": str(self.target.since),
            "by": str(self.target.by), "each": self.target.each, "through": str(self.through), "value": self.value,
            "pace": self.pace, "forecast": ends, "chance": self.chance, "verdict": self.verdict, "why": self.why,
            "sentence": self.sentence,
        }  # fmt: skip


def each_of(target: Target) -> str:
    """The length of the periods whose figures a target needs."""
    return target.each or "day"


def progress(metric: Metric, target: Target, points: Sequence[Point], *, currency: str = "") -> Progress:
    """How far a target is.

    Args:
        metric: which.
        target: what is to be reached.
        points: finished periods of ``each_of(target)``, in order, from before the target began where there is data.
        currency: of money.

    Raises:
        Refused: no period of the target is finished yet.
    """
    points = [point for point in points if point.period <= target.by]
    inside = [point for point in points if point.ends >= target.since]
    if not inside:
        raise Refused(
            f"{metric.name}: the target begins on {dated(target.since)}, and nothing since then is finished.",
            fix="Wait.",
        )
    found, why = _outlook(metric, points, each_of(target))
    if target.each is None:
        return _total(metric, target, inside, found, why, currency)
    return _level(metric, target, points, inside, found, why, currency)


def _outlook(metric: Metric, points: Sequence[Point], each: str) -> tuple[Outlook | None, str]:
    try:
        return outlook(series_of(metric, begun(points), each)), ""
    except Refused as refusal:
        return None, f"No forecast: {refusal.problem}"


def _upward(metric: Metric, target: Target, start: float) -> bool:
    """Whether more is better: where the metric doesn't say, the way there does."""
    if metric.better != "neither":
        return metric.better == "higher"
    return target.value >= start


def _verdict(forecast: Interval, aim: float, upward: bool) -> str:
    if not forecast.excludes(aim):
        return OPEN
    return ON_TRACK if (forecast.low > aim) == upward else BEHIND


def _interval(draws: np.ndarray[Any, Any]) -> Interval:
    low, middle, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, 0.5, (1 + CONFIDENCE) / 2])
    return Interval(float(middle), float(low), float(high))


def _total(
    metric: Metric, target: Target, inside: Sequence[Point], found: Outlook | None, why: str, currency: str
) -> Progress:
    """What days add up to: so far, and with what is to come."""
    through, so_far = inside[-1].ends, sum(point.value or 0.0 for point in inside)
    left, length = (target.by - through).days, (target.by - target.since).days + 1
    gone = length - left
    upward = metric.better != "lower"
    if left <= 0:
        verdict = REACHED if (so_far >= target.value) == upward or so_far == target.value else MISSED
        return Progress(metric, target, through, so_far, target.value, None, None, verdict, "", currency)
    share = gone / length
    if found is not None and target.pace == "seasonal" and left <= _FAR and gone <= len(found.series.values):
        weights = found.shape(gone, left)
        share = float(weights[:gone].sum() / weights.sum())
    pace = target.value * share
    if found is None or left > _FAR:
        why = why or "No forecast: the date is too far ahead."
        verdict = ON_TRACK if (so_far >= pace) == upward else BEHIND
        return Progress(metric, target, through, so_far, pace, None, None, verdict, why, currency)
    draws = so_far + found.ahead(left).sum(axis=1)
    forecast = _interval(draws)
    chance = float((draws >= target.value).mean() if upward else (draws <= target.value).mean())
    return Progress(
        metric, target, through, so_far, pace, forecast, chance, _verdict(forecast, target.value, upward), "", currency
    )


def _level(
    metric: Metric, target: Target, points: Sequence[Point], inside: Sequence[Point], found: Outlook | None, why: str,
    currency: str,
) -> Progress:  # fmt: skip
    """What the figure of one period is to be."""
    assert target.each is not None
    told = [point for point in inside if point.value is not None]
    if not told:
        raise Refused(f"{metric.name} has no value since {dated(target.since)}.", fix="Look at what it is made of.")
    newest, start = told[-1], told[0].value
    assert newest.value is not None
    assert start is not None
    upward = _upward(metric, target, start)
    left = _steps(newest.period, target.by, target.each)
    if newest.ends >= target.by:
        verdict = REACHED if newest.value == target.value or (newest.value > target.value) == upward else MISSED
        return Progress(metric, target, newest.ends, newest.value, target.value, None, None, verdict, "", currency)
    whole = max((target.by - told[0].ends).days, 1)
    pace = start + (target.value - start) * min(1.0, (newest.ends - told[0].ends).days / whole)
    if found is None or not 0 < left <= _FAR:
        why = why or f"No forecast: the date is in {in_words(newest.period, target.each)}."
        verdict = ON_TRACK if newest.value == pace or (newest.value > pace) == upward else BEHIND
        return Progress(metric, target, newest.ends, newest.value, pace, None, None, verdict, why, currency)
    draws = found.ahead(left)[:, -1]
    forecast = _interval(draws)
    chance = float((draws >= target.value).mean() if upward else (draws <= target.value).mean())
    return Progress(
        metric, target, newest.ends, newest.value, pace, forecast, chance, _verdict(forecast, target.value, upward), "",
        currency,
    )  # fmt: skip


def _steps(period: date, by: date, each: str) -> int:
    """How many periods after one the one is that holds a day."""
    steps = 0
    while steps <= _FAR and stepped(period, each, steps + 1) <= by:
        steps += 1
    return steps
