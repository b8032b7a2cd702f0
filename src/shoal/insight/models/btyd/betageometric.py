"""BG/NBD and MBG/NBD: a customer may leave right after a purchase, with a probability of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from shoal.insight.models.btyd.likelihood import dot
from shoal.insight.models.btyd.refusals import USUAL, Needs
from shoal.insight.models.btyd.repeat import RepeatModel, ready
from shoal.insight.models.btyd.summary import Collapsed, Purchases, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shoal.insight.models.btyd.likelihood import Fit, Likelihood

NAMES = ("r", "alpha", "a", "b")
# So near to a pole (a = 1, or a + b + x = 1) the value is taken as the mean of both sides.
NEAR = 1e-4
# Above this a the Gauss function isn't asked.
STEEP = 30.0


@dataclass(frozen=True)
class BetaGeometric(RepeatModel):
    """BG/NBD (Fader, Hardie and Lee 2005, doi 10.1287/mksc.1040.0098): nobody leaves after the first purchase.

    Rates are gamma with shape ``r`` and rate ``alpha`` (in the unit of time); the probability to leave after a purchase is
    beta(``a``, ``b``).
    """

    r: float
    alpha: float
    a: float
    b: float
    unit: Unit = "weeks"
    fit: Fit | None = field(default=None, compare=False, repr=False)

    name = "BG/NBD"
    _shift = 0.0

    @classmethod
    def fitted(cls, purchases: Purchases, needs: Needs = USUAL, start: NDArray[np.float64] | None = None) -> Self:
        """Fit by maximum likelihood; see :meth:`RepeatModel.fitted`."""
        rows = ready(purchases, needs)
        rate = dot(rows.weight, rows.frequency) / dot(rows.weight, rows.age)
        starts: list[list[float]] = [
            [0.5, 0.25 / rate, 1.0, 2.5],
            [2.0, 1.0 / rate, 0.3, 3.0],
            [0.2, 0.1 / rate, 3.0, 9.0],
        ]
        fit = cls._searched(rows, NAMES, starts, start)
        r, alpha, a, b = fit.parameters.values()
        return cls(r, alpha, a, b, purchases.unit, fit)

    def with_values(self, values: NDArray[np.float64]) -> Self:
        """The same model with other parameters (r, alpha, a, b)."""
        r, alpha, a, b = values.tolist()
        return type(self)(r, alpha, a, b, self.unit)

    def values(self) -> NDArray[np.float64]:
        """r, alpha, a, b."""
        return np.array([self.r, self.alpha, self.a, self.b])

    @classmethod
    def _objective(cls, rows: Collapsed) -> Likelihood:
        shift = cls._shift
        frequency, codes = np.unique(rows.frequency, return_inverse=True)
        seen = np.ones(len(rows.age), dtype=bool) if shift else rows.frequency > 0
        counts = np.bincount(codes, weights=rows.weight)
        weight, size = rows.weight, float(rows.weight.sum())

        def likelihood(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            from scipy.special import digamma, expit, gammaln

            r, alpha, a, b = theta
            b = b + shift
            base = b - shift
            # What depends on the frequency alone is computed once for each frequency.
            common = gammaln(r + frequency) + gammaln(a + b) + gammaln(b + frequency) - gammaln(a + b + frequency)
            if shift:
                common += np.log(base / (a + base))
            height = float(counts @ common) - size * (gammaln(r) + gammaln(b) - r * np.log(alpha))
            power = rows.frequency + r
            log_age = np.log(alpha + rows.age)
            log_last = np.log(alpha + rows.recency)
            # Left against stayed, as a difference of logarithms: neither term is ever formed.
            margin = np.where(seen, np.log(a) - np.log(np.maximum(b + rows.frequency - 1, 1e-300)), -np.inf)
            margin = margin + power * (log_age - log_last)
            height += float(dot(weight, np.logaddexp(0.0, margin) - power * log_age))
            left = weight * expit(margin)
            ratio = log_age - log_last
            by_r = counts @ digamma(r + frequency) + size * (np.log(alpha) - digamma(r))
            by_r += dot(left, ratio) - dot(weight, log_age)
            inverse_age, inverse_last = 1 / (alpha + rows.age), 1 / (alpha + rows.recency)
            by_alpha = (
                size * r / alpha + dot(left, power * (inverse_age - inverse_last)) - dot(weight, power * inverse_age)
            )
            by_a = size * digamma(a + b) - counts @ digamma(a + b + frequency) + left.sum() / a
            by_b = by_a - left.sum() / a + counts @ digamma(b + frequency) - size * digamma(b)
            by_b -= dot(left, np.where(seen, 1 / np.maximum(b + rows.frequency - 1, 1e-300), 0.0))
            if shift:
                by_a -= size / (a + base)
                by_b += size * (1 / base - 1 / (a + base))
            return height, np.array([by_r, by_alpha, by_a, by_b])

        return likelihood

    def _margin(self, rows: Collapsed) -> NDArray[np.float64]:
        """The log of the odds that the customer has left."""
        power = self.r + rows.frequency
        stayed = self.b + self._shift + rows.frequency - 1
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.log(self.a) - np.log(stayed)
        odds = np.where((rows.frequency > 0) | (self._shift > 0), odds, -np.inf)
        return np.asarray(odds + power * (np.log(self.alpha + rows.age) - np.log(self.alpha + rows.recency)))

    def _log_likelihood(self, rows: Collapsed) -> NDArray[np.float64]:
        from scipy.special import betaln, gammaln

        stays = betaln(self.a, self.b + self._shift + rows.frequency) - betaln(self.a, self.b)
        power = self.r + rows.frequency
        bought = gammaln(power) - gammaln(self.r) + self.r * np.log(self.alpha) - power * np.log(self.alpha + rows.age)
        return np.asarray(stays + bought + np.logaddexp(0.0, self._margin(rows)))

    def _alive(self, rows: Collapsed) -> NDArray[np.float64]:
        from scipy.special import expit

        return np.asarray(expit(-self._margin(rows)))

    def _active(self, rows: Collapsed, horizon: NDArray[np.float64]) -> NDArray[np.float64]:
        # Nobody leaves between purchases, so whoever is here at the end is here until the next one.
        return self._alive(rows) * self._comes(rows, horizon)

    def _comes(self, rows: Collapsed, horizon: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(-np.expm1(-(self.r + rows.frequency) * np.log1p(horizon / (self.alpha + rows.age))))

    def _when(self, rows: Collapsed, horizon: float, share: float) -> NDArray[np.float64]:
        comes = share * self._comes(rows, np.full(len(rows.age), horizon))
        return np.asarray((self.alpha + rows.age) * np.expm1(-np.log1p(-comes) / (self.r + rows.frequency)))

    def _expected(self, rows: Collapsed, horizon: float) -> NDArray[np.float64]:
        ahead = _orders(
            self.r + rows.frequency,
            self.alpha + rows.age,
            self.a,
            self.b + self._shift + rows.frequency,
            np.full(len(rows.age), horizon),
        )
        return np.asarray(self._alive(rows) * ahead)

    def new(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected repeat purchases of a new customer up to ``time``."""
        times, place = np.unique(np.asarray(time, dtype=np.float64), return_inverse=True)
        one = np.ones(len(times))
        stays = self.b / (self.a + self.b) if self._shift else 1.0
        ahead = _orders(self.r * one, self.alpha * one, self.a, (self.b + self._shift) * one, times)
        return np.asarray(stays * ahead)[place]

    def _counts(self, rows: Collapsed, horizon: float, most: int) -> NDArray[np.float64]:
        from scipy.special import betaln, gammaln

        power, start = self.r + rows.frequency, self.alpha + rows.age
        stay = self.b + self._shift + rows.frequency
        alive = self._alive(rows)
        found = np.empty((len(rows.age), most + 1))
        fewer = np.zeros(len(rows.age))
        log_none = -power * np.log1p(horizon / start)
        log_part = np.log(horizon) - np.log(start + horizon) if horizon > 0 else np.full(len(start), -np.inf)
        for number in range(most + 1):
            step = number * log_part if number else 0.0
            poisson = np.exp(gammaln(power + number) - gammaln(power) - gammaln(number + 1) + log_none + step)
            stays = np.exp(betaln(self.a, stay + number) - betaln(self.a, stay))
            found[:, number] = stays * poisson
            if number:
                leaves = np.exp(betaln(self.a + 1, stay + number - 1) - betaln(self.a, stay))
                found[:, number] += leaves * np.maximum(1 - fewer, 0.0)
            found[:, number] *= alive
            fewer += poisson
        found[:, 0] += 1 - alive
        return found

    def simulate(self, age: NDArray[np.float64], seed: int) -> Purchases:
        """Draw a history for new customers of these ages."""
        random = np.random.default_rng(seed)
        size = len(age)
        rate = random.gamma(self.r, 1 / self.alpha, size)
        leave = random.beta(self.a, self.b, size)
        frequency, recency, clock = np.zeros(size), np.zeros(size), np.zeros(size)
        live = np.flatnonzero(
            (rate > 0) & ((random.random(size) >= leave) if self._shift else np.ones(size, dtype=bool))
        )
        while len(live):
            clock[live] += random.exponential(1 / rate[live])
            live = live[clock[live] <= age[live]]
            frequency[live] += 1
            recency[live] = clock[live]
            live = live[random.random(len(live)) >= leave[live]]
        # A purchase at the very moment of the first one is part of it.
        frequency[recency == 0] = 0
        return Purchases(frequency, recency, np.asarray(age, dtype=np.float64), self.unit)


class ModifiedBetaGeometric(BetaGeometric):
    """MBG/NBD (Batislam, Denizel and Filiztekin 2007, doi 10.1016/j.ijresmar.2006.12.005).

    As BG/NBD, but a customer may leave after the first purchase too, so P(alive) of a one-time buyer isn't 1.
    """

    name = "MBG/NBD"
    _shift = 1.0


def _orders(
    power: NDArray[np.float64],
    start: NDArray[np.float64],
    a: float,
    stay: NDArray[np.float64],
    horizon: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Expected purchases of somebody who is here: rate gamma(power, start), leaving beta(a, stay).

    The published form has 2F1(power, stay; …), which overflows for heavy buyers. By Euler's transformation it becomes
    one with small parameters. At a = 1 and at a + stay = 1 it is 0/0: the mean of both sides stands for it.
    """
    if abs(a - 1) >= NEAR:
        return _off_one(power, start, a, stay, horizon)
    below, above = (_off_one(power, start, 1 + side, stay, horizon) for side in (-2 * NEAR, 2 * NEAR))
    return below + (above - below) * (a - 1 + 2 * NEAR) / (4 * NEAR)


def _off_one(
    power: NDArray[np.float64],
    start: NDArray[np.float64],
    a: float,
    stay: NDArray[np.float64],
    horizon: NDArray[np.float64],
) -> NDArray[np.float64]:
    poles = np.abs(a + stay - 1) < NEAR
    if not poles.any():
        return _by_euler(power, start, a, stay, horizon)
    away = np.where(poles, 2 * NEAR, 0.0)
    above, below = (_by_euler(power, start, a, stay + side, horizon) for side in (away, -away))
    return (above + below) / 2


def _by_euler(
    power: NDArray[np.float64],
    start: NDArray[np.float64],
    a: float,
    stay: NDArray[np.float64],
    horizon: NDArray[np.float64],
) -> NDArray[np.float64]:
    from scipy.special import hyp2f1

    if a > STEEP:
        return _by_mean(power, start, a, stay, horizon)
    part = horizon / (start + horizon)
    with np.errstate(over="ignore", invalid="ignore"):
        series = hyp2f1(a + stay - 1 - power, a - 1, a + stay - 1, part)
        found = (a + stay - 1) / (a - 1) * (1 - np.exp((a - 1) * np.log1p(-part)) * series)
    lost = ~np.isfinite(found)
    if lost.any():
        found[lost] = _by_mean(power[lost], start[lost], a, stay[lost], horizon[lost])
    return np.asarray(np.maximum(found, 0.0))


def _by_mean(
    power: NDArray[np.float64],
    start: NDArray[np.float64],
    a: float,
    stay: NDArray[np.float64],
    horizon: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The same as the mean over the chance to leave: at a steep law the series has terms that no float holds."""
    from scipy.special import betaincinv

    nodes, weights = np.polynomial.legendre.leggauss(64)
    levels, place = np.unique(stay, return_inverse=True)
    total = np.zeros(len(stay))
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        chance = np.maximum(betaincinv(a, levels, node), 1e-12)[place]
        total += weight * -np.expm1(-power * np.log1p(chance * horizon / start)) / chance
    return total
