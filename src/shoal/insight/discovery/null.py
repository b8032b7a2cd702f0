"""Rows as they would be if there were no groups: one cloud with the columns' own shapes and correlations.

A column of numbers gets the nearest shape with a single mode (Silverman 1981, doi 10.1111/j.2517-6161.1981.tb01155.x:
the smallest bandwidth at which the density has one), so that skew and tails stay and gaps go. A column with many equal
values (counts, amounts that are mostly zero) keeps its values, because a step isn't a group. Where a column says beside it
which rows are missing, its shape is that of the known ones: what stands in for the others makes no step. Columns of numbers
keep their rank correlations through a Gaussian copula; categories are drawn for themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shoal.insight.discovery.table import Bools, Floats, Ints, Matrix

_BINS = 256
_BUMP = 0.05  # a mode lower than this share of the highest is noise
_TIED = 0.02  # a value that this share of rows has is a step
_STEPS = 0.1  # the share of rows on steps from which a column keeps its values


@dataclass(frozen=True, slots=True)
class Cloud:
    """What draws without groups are made from."""

    rows: Matrix
    widths: tuple[int, ...]
    bandwidths: tuple[float | None, ...]  # for each block: of a smooth column; None: keeps its values
    numeric: tuple[bool, ...]
    known: tuple[Bools, ...]  # for each block: the rows whose value isn't filled in
    root: Floats  # Cholesky factor of the rank correlations of numeric columns

    @property
    def smooth(self) -> Bools:
        """Which dimensions are smooth, so that a gap in them would mean something."""
        return np.repeat([b is not None for b in self.bandwidths], self.widths)

    def draw(self, seed: int, number: int) -> Matrix:
        """As many rows without groups as the cloud was made from."""
        rng = np.random.default_rng([seed, number, 77])
        n = len(self.rows)
        latent = rng.standard_normal((n, len(self.root))) @ self.root.T
        out = np.empty_like(self.rows)
        at = column = 0
        for width, numeric, bandwidth, known in zip(
            self.widths, self.numeric, self.bandwidths, self.known, strict=True
        ):
            block = self.rows[:, at : at + width]
            if numeric:
                values = block[:, 0].astype(np.float64)
                values[known] = _smoothed(block[known, 0], bandwidth, rng)
                values = np.sort(values)
                out[np.argsort(latent[:, column], kind="stable"), at] = values
                column += 1
            else:
                out[:, at : at + width] = block[rng.permutation(n)]
            at += width
        return out


def cloud(rows: Matrix, blocks: tuple[tuple[str, str, int], ...]) -> Cloud:
    """The cloud that ``rows`` would be without groups; ``blocks`` as in ``Plan.blocks``."""
    starts = np.cumsum([0, *(width for _, _, width in blocks)])
    numeric = tuple(kind == "number" for _, kind, _ in blocks)
    known = tuple(_known(rows, blocks, starts, i) for i in range(len(blocks)))
    bandwidths = tuple(
        critical_bandwidth(rows[there, at]) if number and not _stepped(rows[there, at]) else None
        for at, number, there in zip(starts[:-1], numeric, known, strict=True)
    )
    places = [at for at, number in zip(starts[:-1], numeric, strict=True) if number]
    return Cloud(rows, tuple(width for _, _, width in blocks), bandwidths, numeric, known, _root(rows[:, places]))


def _known(rows: Matrix, blocks: tuple[tuple[str, str, int], ...], starts: Ints, i: int) -> Bools:
    """The rows in which a block's column has a value, by the flag that follows it; all where there is none."""
    column, kind, _ = blocks[i]
    if kind == "number" and i + 1 < len(blocks) and blocks[i + 1][:2] == (column, "flag"):
        return np.asarray(rows[:, starts[i + 1]] == 0)
    return np.ones(len(rows), dtype=bool)


def critical_bandwidth(values: Matrix) -> float:
    """The smallest bandwidth of a Gaussian kernel at which the density of ``values`` has a single mode.

    Modes lower than a twentieth of the highest aren't counted: a lone value in a tail isn't a group.
    """
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return 0.0
    heights, _ = np.histogram(values, _BINS, (low, high))
    cell = (high - low) / _BINS
    least, most = 0.0, float(_BINS)
    for _ in range(20):
        middle = (least + most) / 2
        if _modes(heights, middle) > 1:
            least = middle
        else:
            most = middle
    return most * cell


def _modes(heights: np.typing.NDArray[np.integer], bandwidth: float) -> int:
    """Modes of a histogram smoothed by a Gaussian of ``bandwidth`` cells."""
    apart = np.arange(-_BINS // 4, len(heights) + _BINS // 4)[:, None] - np.arange(len(heights))
    density = np.exp(-0.5 * (apart / max(bandwidth, 1e-6)) ** 2) @ heights
    density = density[density > _BUMP * density.max()]
    rising = np.sign(np.diff(density))
    rising = rising[rising != 0]
    return int(((rising[:-1] > 0) & (rising[1:] < 0)).sum()) + int(len(rising) > 0 and rising[0] < 0)


def _smoothed(values: Matrix, bandwidth: float | None, rng: np.random.Generator) -> Floats:
    exact = values.astype(np.float64)
    if bandwidth is None:
        return exact
    mean, spread = float(exact.mean()), float(exact.var())
    drawn = exact[rng.integers(0, len(exact), len(exact))] + bandwidth * rng.standard_normal(len(exact))
    # The kernel adds its variance; shrinking keeps the column's own.
    return mean + (drawn - mean) / float(np.sqrt(1 + bandwidth**2 / spread)) if spread > 0 else exact


def _stepped(values: Matrix) -> bool:
    _, counts = np.unique(values, return_counts=True)
    if len(counts) <= 20:
        return True
    return float(counts[counts >= max(_TIED * len(values), 3)].sum()) >= _STEPS * len(values)


def _root(columns: Matrix) -> Floats:
    from scipy.stats import norm, rankdata

    if columns.shape[1] == 0:
        return np.zeros((0, 0))
    scores = norm.ppf((rankdata(columns, axis=0) - 0.5) / len(columns))
    spread = scores.std(axis=0)
    scores = (scores - scores.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    shared = scores.T @ scores / len(scores)
    # A little of the identity keeps columns that are copies of each other from making it singular.
    shared = 0.999 * shared + 0.001 * np.eye(len(shared))
    np.fill_diagonal(shared, 1.0)
    return np.asarray(np.linalg.cholesky(shared))
