"""What an analysis needs to know of an arm: how many, the means, and how its columns vary together.

Rows never leave the store: SQL gives counts, sums and sums of products, and every figure here is a smooth function of means,
so that its variance follows by the delta method. Columns are, in this order: the value; what it is per, for a ratio; and the
same value before the experiment began, for CUPED.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import Refused

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

LEAST = 2
"""With fewer units an arm has no variance."""


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """Sufficient statistics of an arm.

    Args:
        n: how many units (those that were assigned, not rows of theirs).
        means: of each column.
        covariance: of the columns of one unit, with n − 1 in the denominator.
    """

    n: int
    means: Floats
    covariance: Floats

    @classmethod
    def of(cls, *columns: npt.ArrayLike) -> Arm:
        """From values: one a unit in each column.

        Raises:
            Refused: for fewer than two units, or values that aren't finite.
        """
        data = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])
        _check(len(data))
        if not np.isfinite(data).all():
            raise Refused("A value of an arm is missing or infinite.", fix="Count units without the event as 0.")
        return cls(len(data), data.mean(axis=0), np.atleast_2d(np.cov(data, rowvar=False)))

    @classmethod
    def of_sums(cls, n: int, sums: npt.ArrayLike, products: npt.ArrayLike) -> Arm:
        """From sums: of each column, and of the products of each two.

        Raises:
            Refused: for fewer than two units.

        >>> Arm.of_sums(3, [6.0], [[14.0]]).covariance.tolist()
        [[1.0]]
        """
        _check(n)
        means = np.asarray(sums, dtype=np.float64) / n
        spread = np.asarray(products, dtype=np.float64) - n * np.outer(means, means)
        return cls(n, means, spread / (n - 1))

    @classmethod
    def of_share(cls, hits: float, n: int) -> Arm:
        """Of units that did something or didn't; the variance is that of the share, p(1 − p).

        Raises:
            Refused: for fewer than two units, or hits outside 0 … n.
        """
        _check(n)
        if not 0 <= hits <= n:
            raise Refused(f"{hits:g} of {n} units can't have done it.")
        share = hits / n
        return cls(n, np.array([share]), np.array([[share * (1 - share)]]))

    def __add__(self, other: Arm) -> Arm:
        """Both together (Chan, Golub & LeVeque 1983)."""
        n = self.n + other.n
        gap = other.means - self.means
        spread = (self.n - 1) * self.covariance + (other.n - 1) * other.covariance
        spread = spread + np.outer(gap, gap) * (self.n * other.n / n)
        return Arm(n, self.means + gap * (other.n / n), spread / (n - 1))

    def column(self, place: int) -> Arm:
        """One of its columns alone."""
        return Arm(self.n, self.means[place : place + 1], self.covariance[place : place + 1, place : place + 1])

    def swapped(self) -> Arm:
        """With its first two columns the other way round."""
        order = [1, 0, *range(2, len(self.means))]
        return Arm(self.n, self.means[order], self.covariance[np.ix_(order, order)])


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure of an arm.

    Args:
        value: the figure.
        variance: of the figure itself, over samples.
        n: units behind it.
    """

    value: float
    variance: float
    n: int


def mean(arm: Arm) -> Estimate:
    """The mean of the first column."""
    return Estimate(float(arm.means[0]), float(arm.covariance[0, 0]) / arm.n, arm.n)


def ratio(arm: Arm) -> Estimate:
    """The sum of the first column per sum of the second, by the delta method (Deng, Knoblich & Lu 2018, arXiv:1803.06336).

    A unit bears several rows of both, as sessions of a customer: rows aren't independent, units are.

    Raises:
        Refused: where the second column sums to zero.
    """
    value, slope = _ratio(arm)
    return Estimate(value, float(slope @ arm.covariance[:2, :2] @ slope) / arm.n, arm.n)


def _ratio(arm: Arm) -> tuple[float, Floats]:
    above, below = float(arm.means[0]), float(arm.means[1])
    if below == 0:
        raise Refused("What the ratio is per never happened in an arm.", fix="Choose another metric, or wait.")
    return above / below, np.array([1 / below, -above / below**2])


def linearised(arm: Arm, value: float) -> Arm:
    """A ratio's arm as one of means: each unit's first column less ``value`` times its second, and what else there is.

    Args:
        arm: with the ratio's two columns, then others, of which each further pair is of the same kind.
        value: the ratio around which it is a straight line.
    """
    rest = len(arm.means) - 2
    turn = np.zeros((1 + rest, len(arm.means)))
    turn[0, :2] = 1.0, -value
    turn[1:, 2:] = np.eye(rest)
    return Arm(arm.n, turn @ arm.means, turn @ arm.covariance @ turn.T)


def _check(n: int) -> None:
    if n < LEAST:
        raise Refused(
            f"An arm with {n} unit{'' if n == 1 else 's'} has no variance.", fix="Wait for more, or leave it out."
        )
