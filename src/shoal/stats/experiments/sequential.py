"""Looking more than once: bounds for a few planned looks, and intervals that hold at every moment.

A p-value of one look is shown only at the end of a fixed plan; looked at daily it finds something in a third of experiments
without any effect. Both methods here keep the promised rate whenever the experiment is stopped.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from math import exp, inf, log, pi, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from shoal.errors import Refused
from shoal.stats.experiments.comparing import Effect
from shoal.stats.intervals import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shoal.stats.experiments.comparing import Gap

    Floats = npt.NDArray[np.float64]

Spending: TypeAlias = Literal["obrien-fleming", "pocock"]
TUNING = 5_000
"""The sample size at which an always-valid interval is to be narrowest; its promise holds at every size."""
MOST_LOOKS = 100
_NODES = 240
_FAR = 8.0
"""A bound of so many standard errors is as good as none."""
_normal = NormalDist()


# --------------------------------------------------------------------------- at every moment


def always_valid(found: Gap, confidence: float = CONFIDENCE, tuning: float = TUNING) -> Effect:
    """An asymptotic confidence sequence: it covers the effect at all sample sizes at once with the stated confidence.

    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (arXiv:2103.06476, equations 9 and 155), for the sum of both arms' units.

    Args:
        found: the difference, from ``gap``.
        confidence: over all times.
        tuning: about how many units it should be narrowest at.
    """
    alpha, n = 1 - confidence, found.n
    strength = n * _rho_squared(alpha, tuning)
    half = found.se * sqrt(2 * (strength + 1) / strength * log(sqrt(strength + 1) / alpha))
    z = found.value / found.se
    p = min(1.0, sqrt(strength + 1) * exp(-z * z * strength / (2 * (strength + 1))))
    return Effect(found.value, found.value - half, found.value + half, found.se, inf, p, found.relative)


def _rho_squared(alpha: float, tuning: float) -> float:
    return (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / tuning


def mixture_ratio(value: float, variance: float, spread: float) -> float:
    """The mixture sequential probability ratio of a difference against none (Robbins 1970; Johari et al. 2017,
    doi:10.1145/3097983.3097992): under no effect it exceeds 1/α at any time with chance α at most.

    Args:
        value: the difference.
        variance: of the difference.
        spread: the variance τ² of effects that are expected.

    >>> round(mixture_ratio(0.1, 0.002, 0.01), 5)
    3.27872
    """
    both = variance + spread
    return sqrt(variance / both) * exp(spread * value * value / (2 * variance * both))


# --------------------------------------------------------------------------- a few planned looks


class Plan(NamedTuple):
    """A group sequential plan.

    Args:
        times: of each look, the share of all units that are in by then; the last is 1.
        bounds: |z| that stops the experiment at each look.
        levels: the two-sided p-value that each bound is.
    """

    times: tuple[float, ...]
    bounds: tuple[float, ...]
    levels: tuple[float, ...]


@lru_cache(maxsize=128)
def classic(looks: int, alpha: float = 1 - CONFIDENCE, kind: Spending = "obrien-fleming") -> Plan:
    """Equally spaced looks with bounds of one form: all equal (Pocock 1977), or falling as 1/√t (O'Brien & Fleming 1979).

    Raises:
        Refused: for fewer than one look or more than 100.

    >>> [round(b, 3) for b in classic(3, 0.05, "pocock").bounds]
    [2.289, 2.289, 2.289]
    """
    times = _even(looks)
    shape = np.array([1.0 if kind == "pocock" else 1 / sqrt(t) for t in times])
    low, high = 0.5, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        crossed = sum(crossing(times, tuple(shape * middle)))
        low, high = (middle, high) if crossed > alpha else (low, middle)
    return _plan(times, tuple(float(bound) for bound in shape * high))


def spent(
    times: Sequence[float],
    alpha: float = 1 - CONFIDENCE,
    kind: Spending = "obrien-fleming",
    *,
    clock: Sequence[float] | None = None,
) -> Plan:
    """Bounds for looks at any times: at each as much of α is spent as a function of time says (Lan & DeMets 1983,
    doi:10.1093/biomet/70.3.659). Neither number nor times of later looks need be known.

    Args:
        times: of each look, how much of the information is in by then; only their ratios count where there is a ``clock``.
        alpha: over all looks.
        kind: of the function.
        clock: by which α is spent, where the whole of the information isn't known before, as the share of planned days
            (Lan & DeMets 1989, doi:10.2307/2531516); by default ``times``.

    Raises:
        Refused: times that don't rise, or lie outside (0, 1].

    >>> even = spent([0.5, 1.0]).bounds
    >>> [round(b, 6) for b in spent([0.4, 0.8], clock=[0.5, 1.0]).bounds] == [round(b, 6) for b in even]
    True
    """
    moments = tuple(float(t) for t in times)
    spending = moments if clock is None else tuple(float(t) for t in clock)
    _check(moments)
    _check(spending)
    return _spent(moments, spending, alpha, kind)


@lru_cache(maxsize=128)
def _spent(times: tuple[float, ...], clock: tuple[float, ...], alpha: float, kind: Spending) -> Plan:
    bounds: list[float] = []
    before = 0.0
    for place in range(len(times)):
        wanted = max(_spending(clock[place], alpha, kind) - before, 0.0)
        low, high = 0.0, _FAR
        for _ in range(50):
            middle = (low + high) / 2
            share = crossing(times[: place + 1], (*bounds, middle))[-1]
            low, high = (middle, high) if share > wanted else (low, middle)
        bounds.append(high)
        before += crossing(times[: place + 1], tuple(bounds))[-1]
    return _plan(times, tuple(bounds))


def _spending(time: float, alpha: float, kind: Spending) -> float:
    if kind == "pocock":
        return alpha * log(1 + (exp(1) - 1) * time)
    return 2 * (1 - _normal.cdf(_normal.inv_cdf(1 - alpha / 2) / sqrt(time)))


def crossing(times: Sequence[float], bounds: Sequence[float], drift: float = 0.0) -> list[float]:
    """The chance to cross two-sided bounds first at each look, by integration over what is still inside (Armitage,
    McPherson & Rowe 1969, doi:10.2307/2343787).

    Args:
        times: of each look as a share of the whole.
        bounds: |z| at each look.
        drift: the mean of z at time 1.

    >>> round(sum(crossing([0.5, 1.0], [1.96, 1.96])), 3)
    0.083
    """
    found: list[float] = []
    points: Floats = np.zeros(1)
    masses: Floats = np.ones(1)
    before = 0.0
    for time, bound in zip(times, bounds, strict=True):
        step = sqrt(time - before)
        edge = min(bound, _FAR) * sqrt(time)
        found.append(float(masses @ _outside(points, edge, step, drift * step * step)))
        at, weights = _nodes(edge)
        away = (at[:, None] - points[None, :] - drift * step * step) / step
        masses = weights * (np.exp(-0.5 * away * away) @ masses) / (step * sqrt(2 * pi))
        points, before = at, time
    return found


def _outside(points: Floats, edge: float, step: float, moved: float) -> Floats:
    above, below = (edge - points - moved) / step, (-edge - points - moved) / step
    return np.array([_normal.cdf(-a) + _normal.cdf(b) for a, b in zip(above.tolist(), below.tolist(), strict=True)])


def _nodes(edge: float) -> tuple[Floats, Floats]:
    at, weights = _unit_nodes()
    return at * edge, weights * edge


@lru_cache(maxsize=1)
def _unit_nodes() -> tuple[Floats, Floats]:
    at, weights = np.polynomial.legendre.leggauss(_NODES)
    return np.asarray(at, np.float64), np.asarray(weights, np.float64)


def inflation(plan: Plan, power: float, alpha: float = 1 - CONFIDENCE) -> float:
    """By how much the largest sample grows against one look at the end, for the same power."""
    low, high = 0.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        reached = sum(crossing(plan.times, plan.bounds, middle))
        low, high = (middle, high) if reached < power else (low, middle)
    fixed = _normal.inv_cdf(1 - alpha / 2) + _normal.inv_cdf(power)
    return (high / fixed) ** 2


def at_look(found: Gap, plan: Plan, look: int) -> Effect:
    """The effect at a planned look: the interval is the repeated one of its bound (Jennison & Turnbull 1989), which holds at
    all looks together; the p-value is the one to hold against ``plan.levels[look]``.

    Args:
        found: the difference at this look.
        plan: made before the start.
        look: counted from 0.
    """
    half = plan.bounds[look] * found.se
    p = 2 * _normal.cdf(-abs(found.value / found.se))
    return Effect(found.value, found.value - half, found.value + half, found.se, inf, p, found.relative)


def _plan(times: tuple[float, ...], bounds: tuple[float, ...]) -> Plan:
    return Plan(times, bounds, tuple(2 * _normal.cdf(-bound) for bound in bounds))


def _even(looks: int) -> tuple[float, ...]:
    if not 1 <= looks <= MOST_LOOKS:
        raise Refused(f"A plan has 1 to {MOST_LOOKS} looks, not {looks}.", fix="For more, plan it as always-valid.")
    return tuple((i + 1) / looks for i in range(looks))


def _check(times: tuple[float, ...]) -> None:
    if not times or times[0] <= 0 or times[-1] > 1 + 1e-12 or any(b <= a for a, b in itertools.pairwise(times)):
        raise Refused(
            "Times of looks rise, and lie above 0 and up to 1.", fix="Give each as the share of all planned units."
        )
