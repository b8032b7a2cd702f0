"""Rules of attribution: the weight of each touch in its path. Weights of a path add up to 1."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from shoal.insight.attribution.paths import Paths

    Floats = npt.NDArray[np.float64]

HALF_LIFE = 7.0
"""Days after which a touch counts half, for time decay."""
ENDS = 0.4
"""What the first and the last touch get each, by position; the others share the rest."""
_REST = 1 - 2 * ENDS


def rules(half_life: float = HALF_LIFE) -> Mapping[str, Callable[[Paths], Floats]]:
    """The rules by name.

    Args:
        half_life: days, for time decay.
    """
    return {
        "last": _last, "first": _first, "linear": _linear, "position": _position,
        "time-decay": partial(_decayed, half_life=half_life),
    }  # fmt: skip


def _last(paths: Paths) -> Floats:
    found = np.zeros(len(paths.channel))
    found[paths.begins[1:][paths.lengths > 0] - 1] = 1.0
    return found


def _first(paths: Paths) -> Floats:
    found = np.zeros(len(paths.channel))
    found[paths.begins[:-1][paths.lengths > 0]] = 1.0
    return found


def _linear(paths: Paths) -> Floats:
    return np.asarray(1.0 / paths.lengths[paths.path])


def _position(paths: Paths) -> Floats:
    """40 % to each end and 20 % between; of two touches half each, and one has all."""
    length = paths.lengths[paths.path]
    ends = _first(paths) + _last(paths)
    middle = np.where(length > 2, _REST / np.maximum(length - 2, 1), 0.0)
    each = np.where(length > 2, ENDS, 1.0 / length)
    return np.where(ends > 0, each, middle)


def _decayed(paths: Paths, half_life: float) -> Floats:
    if not half_life > 0:
        raise Refused(f"A half-life is above 0 days, not {half_life:g}.")
    filled = np.flatnonzero(paths.lengths > 0)
    base = np.zeros(len(paths.begins) - 1)
    base[filled] = np.minimum.reduceat(paths.age, paths.begins[:-1][filled])
    # Against the newest touch of the path: weights of old paths don't vanish.
    weights = 0.5 ** ((paths.age - base[paths.path]) / half_life)
    return np.asarray(weights / np.bincount(paths.path, weights=weights, minlength=len(base))[paths.path])
