"""A local linear trend with a season as regression, filtered so that what stands out doesn't bend it.

See ``expected`` for what it is for. Several settings of how much level and slope move are run at once; the one whose errors
one period ahead are likeliest is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_DRAWN_IN, LEFT_OUT, _IN_A_ROW = 2.5, 5.0, 3
"""In standard errors: what lies beyond the first is drawn in to it, beyond the second is left out; so many are a new level."""
# E[min(Z², c²)] of a standard normal at c = 2.5: what the clipped mean square is divided by.
_CONSISTENT = 0.97785
_DIFFUSE = 1e4
_TAILS = (3.0, 4.0, 6.0, 10.0, 20.0, 60.0)


@dataclass(frozen=True, slots=True)
class Course:
    """What the filter says of each period, for each of several settings: errors and their variance in units of σ²."""

    error: Floats
    variance: Floats
    left_out: npt.NDArray[np.bool_]
    shifted: npt.NDArray[np.bool_]
    state: Floats
    unsure: Floats


def grid() -> Floats:
    """How much level and slope move a period, in units of the noise, and how much of the noise is the same in all periods."""
    return np.array([
        (level, slope, between)
        for level in (0.0, 0.003, 0.02, 0.1, 0.4)
        for slope in (0.0, 1e-4)
        for between in (0.0, 0.5, 1.0)
    ])  # fmt: skip


def learnt_from(error: Floats) -> npt.NDArray[np.bool_]:
    """All periods but the last, which is to be judged and has no say in how."""
    there = np.isfinite(error)
    there[:, -1] = False
    return there


def first_told(error: Floats, burnt: int) -> int:
    """The first period after so many that were there to learn from."""
    there = np.flatnonzero(np.isfinite(error))
    return int(there[burnt]) if len(there) > burnt else len(error) - 1


def rough_noise(x: Floats, lag: int) -> float:
    gaps = x[lag:] - x[:-lag]
    gaps = gaps[np.isfinite(gaps)]
    spread = 1.4826 * float(np.median(np.abs(gaps - np.median(gaps)))) / sqrt(2) if gaps.size else 0.0
    there = x[np.isfinite(x)]
    # More than half of all gaps may be the same: of a series that hardly moves, or counts hardly anything.
    return spread or float(there.std()) or max(abs(float(there[-1])), 1.0) * 1e-6


def filtered(x: Floats, design: Floats, weights: Floats, settings: Floats, sigma: Floats) -> Course:
    """The Kalman filter for several settings at once. Level and slope come first in the state, then the season.

    The last period is foretold and teaches nothing.

    Args:
        x: the series, in units of its noise by a rough guess; NaN where there is nothing.
        design: the season's columns, one row a period.
        weights: settings × periods: the variance of the noise, in units of the usual one.
        settings: one row a setting, as ``grid`` gives them.
        sigma: of each setting, the scale of noise by which what stands out is told.
    """
    many, states, periods = len(settings), 2 + design.shape[1], len(x)
    first = x[:-1][np.isfinite(x[:-1])]
    state = np.zeros((many, states))
    state[:, 0] = first[0]
    wide = max(float(first.std()), 1.0)
    unsure = np.zeros((many, states, states))
    unsure[:, 0, 0] = _DIFFUSE * wide**2
    unsure[:, 1, 1] = 1.0
    unsure[:, range(2, states), range(2, states)] = wide**2
    error, variance = np.full((many, periods), np.nan), np.full((many, periods), np.nan)
    left_out, shifted = np.zeros((many, periods), dtype=bool), np.zeros((many, periods), dtype=bool)
    run = np.zeros(many)
    row = np.zeros(states)
    row[0] = 1.0
    for t in range(periods):
        state[:, 0] += state[:, 1]
        unsure[:, 0, :] += unsure[:, 1, :]
        unsure[:, :, 0] += unsure[:, :, 1]
        unsure[:, 0, 0] += settings[:, 0]
        unsure[:, 1, 1] += settings[:, 1]
        row[2:] = design[t]
        reach = unsure @ row
        variance[:, t] = reach @ row + weights[:, t]
        if not np.isfinite(x[t]):
            # A placeholder would be a guess; the error stays unknown, and only the uncertainty grows.
            error[:, t] = np.nan
            continue
        error[:, t] = off = x[t] - state @ row
        if t == periods - 1:
            # What is judged teaches nothing.
            continue
        far = off / np.sqrt(variance[:, t]) / sigma
        run = np.where(np.abs(far) > _DRAWN_IN, np.where(np.sign(run) == np.sign(far), run, 0) + np.sign(far), 0)
        new = np.abs(run) >= _IN_A_ROW
        if new.any():
            unsure[new, 0, 0] += (10 * off[new]) ** 2
            reach = unsure @ row
            run = np.where(new, 0, run)
        shifted[:, t], left_out[:, t] = new, ~new & (np.abs(far) > LEFT_OUT)
        _update(state, unsure, reach, row, off, far, new, left_out[:, t], weights[:, t])
    return Course(error, variance, left_out, shifted, state, unsure)


def _update(
    state: Floats, unsure: Floats, reach: Floats, row: Floats, off: Floats, far: Floats,
    new: npt.NDArray[np.bool_], out: npt.NDArray[np.bool_], weight: Floats,
) -> None:  # fmt: skip
    """Learn from one period, in place."""
    total = reach @ row + weight
    drawn = np.where(new, 1.0, np.minimum(1.0, _DRAWN_IN / np.maximum(np.abs(far), 1e-12)))
    gain = np.where(out[:, None], 0.0, reach / total[:, None])
    state += gain * (off * drawn)[:, None]
    unsure -= gain[:, :, None] * reach[:, None, :]


def scored(course: Course, burnt: int) -> tuple[Floats, Floats]:
    """The scale of noise with each setting, and twice the negative log likelihood of a t distribution with it."""
    used = learnt_from(course.error) & (np.arange(course.error.shape[1]) >= first_told(course.error[0], burnt))
    keep = used[0]
    z = course.error[:, keep] / np.sqrt(course.variance[:, keep])
    scale = np.maximum(1.4826 * np.median(np.abs(z), axis=1), 1e-6)
    for _ in range(8):
        clipped = np.minimum(np.abs(z) / scale[:, None], _DRAWN_IN)
        scale = np.maximum(scale * np.sqrt((clipped**2).mean(axis=1) / _CONSISTENT), 1e-6)
    nu = 8.0
    kernel = (nu + 1) * np.log1p((z / scale[:, None]) ** 2 / nu)
    return scale, (kernel + np.log(course.variance[:, keep])).sum(axis=1) + 2 * keep.sum() * np.log(scale)


def noise_shape(calm: Floats) -> tuple[float, float]:
    """How heavy the tails of standardised noise are, and its scale: the t distribution that is most likely."""
    if len(calm) < 8:
        return _TAILS[-1], 1.0
    found = []
    for nu in _TAILS:
        width = _t_width(calm, nu)
        found.append((_t_loss(calm / width, nu) + len(calm) * log(width), -nu, width))
    # Heavy tails are believed where they are clearly likelier: few values often look so by chance.
    normal = found[-1]
    best = min(found)
    return (-best[1], best[2]) if normal[0] - best[0] > 2.0 else (-normal[1], normal[2])


def _t_width(z: Floats, nu: float) -> float:
    """The scale of a t distribution, by its own weights (Lange, Little & Taylor 1989)."""
    width2 = float((z**2).mean()) or 1e-12
    for _ in range(30):
        width2 = float(((nu + 1) / (nu + z**2 / width2) * z**2).mean()) or 1e-12
    return sqrt(width2)


def _t_loss(z: Floats, nu: float) -> float:
    constant = lgamma(nu / 2) - lgamma((nu + 1) / 2) + log(nu * pi) / 2
    return float(constant * len(z) + (nu + 1) / 2 * np.log1p(z**2 / nu).sum())
