"""An arm against the control: the effect with its interval and p-value, absolute or relative."""

from __future__ import annotations

from math import inf, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from shoal.errors import Refused
from shoal.stats.intervals import CONFIDENCE, z_value
from shoal.stats.student import t_cdf, t_quantile

if TYPE_CHECKING:
    from shoal.stats.experiments.arms import Estimate

Alternative: TypeAlias = Literal["two-sided", "greater", "less"]


class Effect(NamedTuple):
    """An effect.

    Args:
        value: treated less control; in relative form as a share of the control's size.
        low, high: ends of the interval; infinite on the open side of a one-sided test.
        se: its standard error.
        df: Welch's degrees of freedom; infinite where the interval is a normal one.
        p: of no effect.
        relative: whether it is in relative form.
    """

    value: float
    low: float
    high: float
    se: float
    df: float
    p: float
    relative: bool

    def excludes(self, point: float = 0.0) -> bool:
        """Whether ``point`` lies outside the interval."""
        return point < self.low or point > self.high


class Gap(NamedTuple):
    """The difference of two estimates, before a method makes an interval of it."""

    value: float
    se: float
    df: float
    n: int
    relative: bool


def gap(control: Estimate, treated: Estimate, *, relative: bool = False) -> Gap:
    """Treated less control, with its standard error and Welch's degrees of freedom.

    In relative form it is (treated − control) / |control|, by the delta method with the degrees of freedom of the absolute
    difference; ``can_be_relative`` says whether that may be trusted.

    Raises:
        Refused: both arms don't vary at all; or in relative form, the control is 0, or the treated arm is and doesn't vary.
    """
    va, vb = control.variance, treated.variance
    if va + vb <= 0:
        raise Refused(
            "The metric is the same for every unit of both arms: it has no variance.",
            fix="Choose another metric, or wait.",
        )
    df = (va + vb) ** 2 / (va**2 / (control.n - 1) + vb**2 / (treated.n - 1))
    value, variance = treated.value - control.value, va + vb
    if relative:
        if control.value == 0:
            raise Refused(
                "The control's figure is 0, so there is no relative effect.", fix="Look at the absolute effect."
            )
        base = abs(control.value)
        value, variance = value / base, vb / base**2 + va * treated.value**2 / base**4
        if variance <= 0:
            raise Refused(
                "The treated arm's figure is 0 for every unit: a relative effect has no error then.",
                fix="Look at the absolute effect, or wait.",
            )
    return Gap(value, sqrt(variance), df, control.n + treated.n, relative)


def can_be_relative(control: Estimate, confidence: float = CONFIDENCE) -> bool:
    """Whether the control's figure is surely not 0: near it a relative effect and its interval say nothing (Fieller 1954)."""
    return abs(control.value) > z_value(confidence) * sqrt(control.variance)


def welch(found: Gap, confidence: float = CONFIDENCE, alternative: Alternative = "two-sided") -> Effect:
    """The interval and p-value of Welch's test (1947, doi:10.2307/2332510), for one look at a size that was fixed before.

    >>> from shoal.stats.experiments.arms import Arm, mean
    >>> a, b = mean(Arm.of_share(14, 28)), mean(Arm.of_share(16, 30))
    >>> round(welch(gap(a, b, relative=True)).p, 5)
    0.80707
    """
    t = found.value / found.se
    below = t_cdf(t, found.df)
    if alternative == "two-sided":
        half = t_quantile((1 + confidence) / 2, found.df) * found.se
        return _effect(found, found.value - half, found.value + half, 2 * min(below, 1 - below))
    half = t_quantile(confidence, found.df) * found.se
    if alternative == "greater":
        return _effect(found, found.value - half, inf, 1 - below)
    return _effect(found, -inf, found.value + half, below)


def _effect(found: Gap, low: float, high: float, p: float) -> Effect:
    return Effect(found.value, low, high, found.se, found.df, p, found.relative)
