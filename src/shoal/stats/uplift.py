"""How well scores order units by what a treatment does to them: Qini, AUUC, and what it pays to treat the best.

One definition each, since libraries differ by a factor of three on the same rows:

- The **Qini curve** at k units, the best scored first, is Y₁(k) − Y₀(k) · n₁(k) / n₀(k): outcomes of the treated among them
  less those of as many untreated (Radcliffe 2007). Where nobody is untreated yet, nothing is taken off. Units of one score
  are taken together, on a straight line.
- The **Qini area** is the area between the curve and the straight line of treating at random, by the trapezoid rule, divided
  by n². ``normalised`` divides by the area of the best possible order instead.
- The **uplift curve** at k is (Y₁(k) / n₁(k) − Y₀(k) / n₀(k)) · k; the **AUUC** is its area divided by n².

They are worked out on units that no model was fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.errors import Refused
from shoal.stats.intervals import CONFIDENCE, Interval, z_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

DEFINITION = (
    "Qini: outcomes of the treated among the k best scored, less those of as many untreated; the area above treating at "
    "random, divided by n². AUUC: the area under the difference of both means times k, divided by n². On units that the "
    "model didn't see."
)
DRAWS = 500
GROUPS = 1_000
"""Units are dealt to so many groups at random, and groups are drawn: a million cost no more draws."""
STEPS = 200
"""The curve of a draw is read at so many points."""
_AT_ONCE = 50


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A curve over units, the best scored first.

    Args:
        units: how many are treated by each point; it begins at 0.
        gained: by treating those.
    """

    units: Floats
    gained: Floats

    @property
    def above_random(self) -> float:
        """The area between the curve and the straight line to its end."""
        area = float(np.trapezoid(self.gained, self.units))
        return area - float(self.units[-1]) * float(self.gained[-1]) / 2


class Ordered(NamedTuple):
    """How well an order is, as a figure.

    Args:
        qini: the Qini area, with the interval of the bootstrap over units.
        auuc: the area under the uplift curve.
        normalised: the Qini area as a share of the best possible.
        chance: how often an order at random has a Qini area as large.
        n: units.
    """

    qini: Interval
    auuc: float
    normalised: float
    chance: float
    n: int


class Point(NamedTuple):
    """A point of the Qini curve, per unit of all.

    Args:
        share: of all units that are treated, the best scored.
        gained: by treating those.
        low, high: between which it lies with the confidence, by how far it may be from ``random``.
        random: gained by treating as many at random.
    """

    share: float
    gained: float
    low: float
    high: float
    random: float


class Group(NamedTuple):
    """The effect among units of like score.

    Args:
        begin, end: of its place in the order, as shares of all.
        effect: the difference of both means in it, with its interval.
        n: units.
    """

    begin: float
    end: float
    effect: Interval
    n: int


class Value(NamedTuple):
    """What treating a share of all units is worth, per unit of all.

    Args:
        share: treated, the best scored.
        gain: over treating nobody, costs taken off.
        over_all: over treating everybody.
        over_random: over treating as many at random.
    """

    share: float
    gain: Interval
    over_all: Interval
    over_random: Interval


class Trial:
    """Outcomes of a randomised treatment, with the scores to be judged.

    Args:
        outcome: of each unit.
        treated: whether it was.
        score: of a model that was fitted on others; higher should respond more.

    Raises:
        Refused: lengths that differ, values that are missing, or an arm with fewer than two units.
    """

    def __init__(self, outcome: npt.ArrayLike, treated: npt.ArrayLike, score: npt.ArrayLike) -> None:
        self.outcome: Floats = np.asarray(outcome, dtype=np.float64)
        self.treated: Bools = np.asarray(treated).astype(bool)
        self.score: Floats = np.asarray(score, dtype=np.float64)
        self.n = len(self.outcome)
        if not len(self.treated) == len(self.score) == self.n:
            raise Refused("Outcome, treatment and score aren't of the same units.")
        if not (np.isfinite(self.outcome).all() and np.isfinite(self.score).all()):
            raise Refused(
                "An outcome or a score is missing or infinite.", fix="Score every unit, and count no outcome as 0."
            )
        if min(self.treated.sum(), self.n - self.treated.sum()) < 2:
            raise Refused("An arm has fewer than two units.", fix="Uplift needs treated and untreated ones.")
        self._order = np.argsort(-self.score, kind="stable")

    # ------------------------------------------------------------ curves

    def qini_curve(self) -> Curve:
        """Outcomes gained by treating the best scored.

        >>> Trial([1, 0, 1, 0], [1, 0, 1, 0], [4, 3, 2, 1]).qini_curve().gained.tolist()
        [0.0, 1.0, 1.0, 2.0, 2.0]
        """
        units, n1, n0, y1, y0 = self._running()
        return Curve(units, y1 - _divided(y0 * n1, n0))

    def uplift_curve(self) -> Curve:
        """The difference of both means among the best scored, times their number."""
        units, n1, n0, y1, y0 = self._running()
        return Curve(units, (_divided(y1, n1) - _divided(y0, n0)) * units)

    def _running(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """By the ends of ties: units, treated, untreated, and outcomes of both."""
        order = self._order
        treated, outcome, score = self.treated[order], self.outcome[order], self.score[order]
        ends = np.append(np.flatnonzero(score[1:] != score[:-1]), self.n - 1)
        columns = (np.ones(self.n), treated, ~treated, outcome * treated, outcome * ~treated)
        a, b, c, d, e = (np.concatenate([[0.0], np.cumsum(column)[ends]]) for column in columns)
        return a, b, c, d, e

    # ------------------------------------------------------------ figures

    def ordered(self, *, confidence: float = CONFIDENCE, draws: int = DRAWS, seed: int = 0) -> Ordered:
        """Qini and AUUC with their intervals, beside what an order at random has.

        Args:
            confidence: of the interval.
            draws: of the bootstrap, and of random orders.
            seed: of the draws.
        """
        curve = self.qini_curve()
        area = curve.above_random / self.n**2
        drawn = np.concatenate([_areas(running) for running in self._drawn(draws, seed)])
        # The curve of a draw is read at fewer points: by how much that moves the area is taken off.
        drawn += area - float(np.mean(drawn))
        low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
        up = float(np.trapezoid(self.uplift_curve().gained, curve.units)) / self.n**2
        best = self._best()
        return Ordered(
            Interval(area, float(low), float(high)), up, area / best if best > 0 else 0.0,
            self._chance(area, draws, seed + 1), self.n,
        )  # fmt: skip

    def points(
        self, many: int = 50, *, confidence: float = CONFIDENCE, draws: int = DRAWS, seed: int = 0
    ) -> list[Point]:
        """The Qini curve at even shares with a band of the bootstrap, for pictures.

        The band says how far from treating at random the order may be; how large the effect on all is, it leaves out. So it
        lies above the straight line where the order is better than chance.

        Args:
            many: points after the first one, at 0.
            confidence: of the band, at each point by itself.
            draws: of the bootstrap.
            seed: of the draws.
        """
        curve, shares = self.qini_curve(), np.linspace(0.0, 1.0, many + 1)
        gained = np.interp(shares * self.n, curve.units, curve.gained) / self.n
        random = shares * gained[-1]
        drawn = np.concatenate([_above(running, shares) for running in self._drawn(draws, seed)])
        low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
        moved = (gained - random) - drawn.mean(axis=0)
        columns = (shares, gained, random + low + moved, random + high + moved, random)
        return [Point(*map(float, row)) for row in zip(*columns, strict=True)]

    def _best(self) -> float:
        """The Qini area of an order that knows what became of everybody: responders by treatment first, harmed ones last."""
        ideal = np.where(self.treated, self.outcome, -self.outcome)
        return Trial(self.outcome, self.treated, ideal).qini_curve().above_random / self.n**2

    def _chance(self, area: float, draws: int, seed: int) -> float:
        """The share of random orders with an area as large; the order itself counts as one."""
        random, steps = np.random.default_rng(seed), min(STEPS, self.n)
        found = np.empty(draws)
        for i in range(draws):
            place = random.permutation(self.n) * steps // self.n
            found[i] = _areas(self._counted(place, steps)[None])[0]
        return float((1 + (found >= area).sum()) / (1 + draws))

    def _drawn(self, draws: int, seed: int) -> Iterator[Floats]:
        """Draws of units, some at once: random groups of them are drawn, each with all steps of the order."""
        random = np.random.default_rng(seed)
        steps, groups = min(STEPS, self.n), min(GROUPS, self.n)
        place = np.empty(self.n, np.int64)
        place[self._order] = np.arange(self.n) * steps // self.n
        # Units of one score share a step, as they share a point of the curve.
        ties, which = np.unique(self.score, return_inverse=True)
        last = np.zeros(len(ties), np.int64)
        np.maximum.at(last, which, place)
        at = (random.permutation(self.n) % groups) * steps + last[which]
        dealt = self._counted(at, groups * steps).reshape(groups, steps * 4)
        for begin in range(0, draws, _AT_ONCE):
            many = min(_AT_ONCE, draws - begin)
            drawn = random.integers(0, groups, (many, groups)) + np.arange(many)[:, None] * groups
            times = np.bincount(drawn.ravel(), minlength=many * groups).reshape(many, groups).astype(np.float64)
            yield (times @ dealt).reshape(many, steps, 4)

    def _counted(self, at: npt.NDArray[np.int64], places: int) -> Floats:
        """By place: treated, untreated, and outcomes of both."""
        columns = (self.treated, ~self.treated, self.outcome * self.treated, self.outcome * ~self.treated)
        return np.stack([np.bincount(at, weights=column, minlength=places) for column in columns], axis=-1)

    # ------------------------------------------------------------ groups and policies

    def groups(self, many: int = 10, confidence: float = CONFIDENCE) -> list[Group]:
        """The effect by parts of the order, the best scored first; those below 0 at the end are the sleeping dogs.

        Args:
            many: parts of equal size.
            confidence: of each interval.

        Raises:
            Refused: a part would have fewer than two units of an arm.
        """
        found = []
        for i, part in enumerate(np.array_split(self._order, many)):
            effect = _difference(self.outcome[part], self.treated[part], confidence)
            found.append(Group(i / many, (i + 1) / many, effect, len(part)))
        return found

    def value(self, share: float, *, worth: float = 1.0, cost: float = 0.0, confidence: float = CONFIDENCE) -> Value:
        """What it pays to treat the best scored share, by the effect among them.

        Args:
            share: of all units, above 0 and up to 1.
            worth: of one of the outcome.
            cost: of treating one unit.
            confidence: of each interval.

        Raises:
            Refused: a share outside (0, 1], or so small that an arm has fewer than two units in it.
        """
        if not 0 < share <= 1:
            raise Refused(f"A share lies above 0 and up to 1, not at {share:g}.")
        many = max(1, round(share * self.n))
        inside, outside = self._order[:many], self._order[many:]
        best = self._worth(inside, worth, cost, confidence)
        gain = _scaled(best, many / self.n)
        nothing = Interval(0.0, 0.0, 0.0)
        rest = self._worth(outside, worth, cost, confidence) if len(outside) else nothing
        over_all = _scaled(rest, -(self.n - many) / self.n)
        # Over random: a share of all is s · (s · best + (1 − s) · rest), so that what is gained is s · (1 − s) · (best − rest).
        s, z = many / self.n, z_value(confidence)
        half = sqrt(((best.high - best.low) / 2 / z) ** 2 + ((rest.high - rest.low) / 2 / z) ** 2) * z
        middle = s * (1 - s) * (best.value - rest.value)
        return Value(s, gain, over_all, Interval(middle, middle - s * (1 - s) * half, middle + s * (1 - s) * half))

    def _worth(self, part: npt.NDArray[np.int64], worth: float, cost: float, confidence: float) -> Interval:
        found = _difference(self.outcome[part], self.treated[part], confidence)
        return Interval(found.value * worth - cost, found.low * worth - cost, found.high * worth - cost)


def _areas(running: Floats) -> Floats:
    """Qini areas divided by n², of curves given by counts and outcomes of each step."""
    units, gained = _curves(running)
    width = np.diff(units, axis=1, prepend=0.0)
    before = np.concatenate([np.zeros((len(gained), 1)), gained[:, :-1]], axis=1)
    area = ((gained + before) / 2 * width).sum(axis=1) - units[:, -1] * gained[:, -1] / 2
    return np.asarray(area / units[:, -1] ** 2)


def _above(running: Floats, shares: Floats) -> Floats:
    """How far the curves lie above treating at random at some shares, per unit of all."""
    found = []
    for units, gained in zip(*_curves(running), strict=True):
        n = units[-1]
        there = np.interp(shares * n, np.append(0.0, units), np.append(0.0, gained))
        found.append((there - shares * gained[-1]) / n)
    return np.array(found)


def _curves(running: Floats) -> tuple[Floats, Floats]:
    """Units and what is gained by the end of each step, one row a curve."""
    n1, n0, y1, y0 = np.moveaxis(running.cumsum(axis=1), -1, 0)
    return n1 + n0, y1 - _divided(y0 * n1, n0)


def _divided(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _difference(outcome: Floats, treated: Bools, confidence: float) -> Interval:
    one, other = outcome[treated], outcome[~treated]
    if min(len(one), len(other)) < 2:
        raise Refused("A part of the order has fewer than two units of an arm.", fix="Take fewer or larger parts.")
    gap = float(one.mean() - other.mean())
    half = z_value(confidence) * sqrt(float(one.var(ddof=1)) / len(one) + float(other.var(ddof=1)) / len(other))
    return Interval(gap, gap - half, gap + half)


def _scaled(one: Interval, by: float) -> Interval:
    low, high = sorted((one.low * by, one.high * by))
    return Interval(one.value * by, low, high)
