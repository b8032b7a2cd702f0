"""Removal effects: an absorbing Markov chain of first order over the channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import Refused

if TYPE_CHECKING:
    import numpy.typing as npt

    from shoal.insight.attribution.paths import Paths

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """How often paths began, went on and ended at each channel; the first axes are of draws, if there are several.

    Args:
        starts: paths that began at each channel.
        pairs: moves from a channel (second last axis) to another.
        converted: paths that converted right after each.
        ends: paths that ended there, converted or not.
    """

    starts: Floats
    pairs: Floats
    converted: Floats
    ends: Floats

    def effects(self) -> Floats:
        """The removal effect of each channel; NaN for all where no path converts.

        The chance to convert without a channel lacks what goes through it: the chance to ever come there, times that to
        convert from there. With N = (I − moves)⁻¹ these are (start·N)ⱼ / Nⱼⱼ and (N·ends)ⱼ (Kemeny & Snell 1960, chapter 3).
        """
        out = np.maximum(self.pairs.sum(axis=-1) + self.ends, 1e-300)
        moves = self.pairs / out[..., None]
        start = self.starts / np.maximum(self.starts.sum(axis=-1), 1e-300)[..., None]
        visits = np.linalg.inv(np.eye(moves.shape[-1]) - moves)
        come = np.einsum("...i,...ij->...j", start, visits) / np.einsum("...jj->...j", visits)
        convert = np.einsum("...ij,...j->...i", visits, self.converted / out)
        whole = np.einsum("...i,...i->...", start, convert)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(come * convert / np.where(whole > 0, whole, np.nan)[..., None])


def moves_of(paths: Paths, group: Ints | None = None, groups: int = 1) -> Moves:
    """Counted over all paths with a touch, or over each group of paths.

    Args:
        paths: of all customers.
        group: of each path; None for one of all.
        groups: how many there are; then the first axis is of groups.
    """
    many, filled = len(paths.names), paths.lengths > 0
    of_path = np.zeros(len(filled), np.int64) if group is None else group
    firsts, lasts = paths.channel[paths.begins[:-1][filled]], paths.channel[paths.begins[1:][filled] - 1]
    inner = np.ones(len(paths.channel), bool)
    inner[paths.begins[1:][filled] - 1] = False
    here = np.flatnonzero(inner)
    pair = paths.channel[here] * many + paths.channel[here + 1] if len(here) else here
    of, won = of_path[filled], paths.converted[filled]
    found = Moves(
        _counted(of, firsts, groups, many),
        _counted(of_path[paths.path[here]], pair, groups, many * many).reshape(groups, many, many),
        _counted(of[won], lasts[won], groups, many),
        _counted(of, lasts, groups, many),
    )
    return found if group is not None else Moves(found.starts[0], found.pairs[0], found.converted[0], found.ends[0])


def _counted(group: Ints, what: Ints, groups: int, many: int) -> Floats:
    counts = np.bincount(group * many + what, minlength=groups * many)
    return counts.reshape(groups, many).astype(np.float64)


def removal_effects(paths: Paths) -> Floats:
    """By how much fewer paths convert where a channel leads nowhere, as a share (Anderl, Becker, von Wangenheim & Schumann
    2016, doi:10.1016/j.ijresmar.2016.03.001).

    Returns:
        A share of each channel; they needn't add up to 1.

    Raises:
        Refused: no path with a touch converts.

    >>> from shoal.insight.attribution import Paths
    >>> removal_effects(Paths.of([(["C1", "C2", "C3"], 1.0), (["C1"], None), (["C2", "C3"], None)])).round(3).tolist()
    [0.5, 1.0, 1.0]
    """
    if not paths.touched.any():
        raise Refused("No path converts.", fix="Take a longer window.")
    return moves_of(paths).effects()
