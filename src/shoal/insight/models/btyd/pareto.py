"""Pareto/NBD: a customer may leave at any moment, at a rate of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Self

import numpy as np

from shoal.insight.models.btyd.likelihood import dot
from shoal.insight.models.btyd.refusals import USUAL, Needs
from shoal.insight.models.btyd.repeat import RepeatModel, ready
from shoal.insight.models.btyd.summary import Collapsed, Purchases, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shoal.insight.models.btyd.likelihood import Fit, Likelihood

NAMES = ("r", "alpha", "s", "beta")
# An integrand that has fallen by e^-40 adds nothing a float could hold.
FALL = 40.0
# The greatest exponent that is formed.
MOST = 600.0
# (greatest fall of the logarithm, nodes): exact to 1e-10 for each.
GRADES = ((1.0, 6), (8.0, 14), (np.inf, 48))
# Rows at a time, so that the nodes of all of them fit into the cache.
CHUNK = 2048


@dataclass(frozen=True)
class ParetoNBD(RepeatModel):
    """Pareto/NBD (Schmittlein, Morrison and Colombo 1987, doi 10.1287/mnsc.33.1.1).

    Rates of buying are gamma with shape ``r`` and rate ``alpha``, rates of leaving gamma with ``s`` and ``beta`` (both rates
    in the unit of time).
    """

    r: float
    alpha: float
    s: float
    beta: float
    unit: Unit = "weeks"
    fit: Fit | None = field(default=None, compare=False, repr=False)

    name = "Pareto/NBD"

    @classmethod
    def fitted(cls, purchases: Purchases, needs: Needs = USUAL, start: NDArray[np.float64] | None = None) -> Self:
        """Fit by maximum likelihood; see :meth:`RepeatModel.fitted`."""
        rows = ready(purchases, needs)
        age = dot(rows.weight, rows.age) / len(purchases)
        rate = dot(rows.weight, rows.frequency) / len(purchases) / age
        starts: list[list[float]] = [
            [0.5, 0.3 / rate, 0.6, age / 3],
            [2.0, 1 / rate, 1.5, 3 * age],
            [0.3, 0.1 / rate, 0.3, 1.0],
        ]
        fit = cls._searched(rows, NAMES, starts, start)
        r, alpha, s, beta = fit.parameters.values()
        return cls(r, alpha, s, beta, purchases.unit, fit)

    def with_values(self, values: NDArray[np.float64]) -> Self:
        """The same model with other parameters (r, alpha, s, beta)."""
        r, alpha, s, beta = values.tolist()
        return type(self)(r, alpha, s, beta, self.unit)

    def values(self) -> NDArray[np.float64]:
        """r, alpha, s, beta."""
        return np.array([self.r, self.alpha, self.s, self.beta])

    @classmethod
    def _objective(cls, rows: Collapsed) -> Likelihood:
        frequency, codes = np.unique(rows.frequency, return_inverse=True)
        counts = np.bincount(codes, weights=rows.weight)
        weight, size = rows.weight, float(rows.weight.sum())

        def likelihood(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            from scipy.special import digamma, gammaln

            r, alpha, s, beta = theta
            gone = _gone(theta, rows, slopes=True)
            power = rows.frequency + r
            age_r, age_s = alpha + rows.age, beta + rows.age
            stays = -power * np.log(age_r) - s * np.log(age_s)
            whole = np.logaddexp(stays, gone[0])
            height = float(dot(weight, whole) + counts @ gammaln(r + frequency))
            height += size * (r * np.log(alpha) + s * np.log(beta) - gammaln(r))
            left = weight * np.exp(gone[0] - whole)
            here = weight - left
            by_r = counts @ digamma(r + frequency) + size * (np.log(alpha) - digamma(r))
            by_r += dot(left, gone[1]) - dot(here, np.log(age_r))
            by_alpha = size * r / alpha + dot(left, gone[2]) - dot(here, power / age_r)
            by_s = size * np.log(beta) + dot(left, gone[3]) - dot(here, np.log(age_s))
            by_beta = size * s / beta + dot(left, gone[4]) - dot(here, s / age_s)
            return height, np.array([by_r, by_alpha, by_s, by_beta])

        return likelihood

    def _log_likelihood(self, rows: Collapsed) -> NDArray[np.float64]:
        from scipy.special import gammaln

        power = self.r + rows.frequency
        common = gammaln(power) - gammaln(self.r) + self.r * np.log(self.alpha) + self.s * np.log(self.beta)
        return np.asarray(common + np.logaddexp(self._stays(rows), _gone(self.values(), rows)[0]))

    def _stays(self, rows: Collapsed) -> NDArray[np.float64]:
        power = self.r + rows.frequency
        return np.asarray(-power * np.log(self.alpha + rows.age) - self.s * np.log(self.beta + rows.age))

    def _alive(self, rows: Collapsed) -> NDArray[np.float64]:
        from scipy.special import expit

        return np.asarray(expit(self._stays(rows) - _gone(self.values(), rows)[0]))

    def _expected(self, rows: Collapsed, horizon: float) -> NDArray[np.float64]:
        rate = (self.r + rows.frequency) / (self.alpha + rows.age)
        return self._alive(rows) * rate * self._stay(self.beta + rows.age, np.float64(horizon))

    def _stay(self, start: NDArray[np.float64] | float, time: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
        """How long somebody who is here stays on average, up to ``time``; s = 1 is its limit."""
        logs = np.log1p(time / start)
        less = (self.s - 1) * logs
        with np.errstate(invalid="ignore", divide="ignore"):
            part = np.where(np.abs(less) < 1e-12, 1.0, -np.expm1(-less) / less)
        return np.asarray(start * logs * part)

    def new(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected repeat purchases of a new customer up to ``time``."""
        return self.r / self.alpha * self._stay(self.beta, np.asarray(time, dtype=np.float64))

    def _discounted(self, rows: Collapsed, rate: float, horizon: float | None) -> NDArray[np.float64]:
        if horizon is not None:
            return super()._discounted(rows, rate, horizon)
        from scipy.special import hyperu

        ages, place = np.unique(rows.age, return_inverse=True)
        start = self.beta + ages
        # U(1, 2 - s, y) and the published Ψ(s, s; y) differ by y^(s-1) (Kummer's transformation).
        stay = start * hyperu(1.0, 2 - self.s, rate * start)
        if not np.all(np.isfinite(stay)):
            return super()._discounted(rows, rate, horizon)
        return np.asarray(self._alive(rows) * (self.r + rows.frequency) / (self.alpha + rows.age) * stay[place])

    def _active(self, rows: Collapsed, horizon: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._alive(rows) * self._comes(rows, horizon)

    def _comes(self, rows: Collapsed, horizon: NDArray[np.float64]) -> NDArray[np.float64]:
        """P(somebody who is here buys within the horizon), the integral of its density over log time."""
        power, buys, stays = self.r + rows.frequency, self.alpha + rows.age, self.beta + rows.age
        fall_r, fall_s = np.minimum(FALL / power, MOST), min(FALL / self.s, MOST)
        end = np.minimum(horizon, np.minimum(buys * np.expm1(fall_r), stays * np.expm1(fall_s)))
        least = np.minimum(buys, stays)
        reach = np.log1p(end / least)
        nodes, weights = np.polynomial.legendre.leggauss(32)
        total = np.zeros(len(power))
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            time = least * np.expm1(node * reach)
            total += weight * reach * (least + time) * self._density(power, buys, stays, time)
        return np.minimum(total, 1.0)

    def _density(
        self,
        power: NDArray[np.float64],
        buys: NDArray[np.float64],
        stays: NDArray[np.float64],
        time: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        fall = power * np.log1p(time / buys) + self.s * np.log1p(time / stays)
        return np.asarray(power / (buys + time) * np.exp(-fall))

    def _when(self, rows: Collapsed, horizon: float, share: float) -> NDArray[np.float64]:
        wanted = share * self._comes(rows, np.full(len(rows.age), horizon))
        low, high = np.zeros(len(rows.age)), np.full(len(rows.age), horizon)
        power, buys, stays = self.r + rows.frequency, self.alpha + rows.age, self.beta + rows.age
        # Somebody who never left would come by this time: a start that lies before the answer.
        time = np.minimum(buys * np.expm1(np.minimum(-np.log1p(-wanted) / power, MOST)), horizon)
        for _ in range(30):
            over = self._comes(rows, time) - wanted
            low, high = np.where(over < 0, time, low), np.where(over < 0, high, time)
            step = time - over / np.maximum(self._density(power, buys, stays, time), 1e-300)
            inside = (step > low) & (step < high)
            following = np.where(inside, step, (low + high) / 2)
            if np.all(np.abs(following - time) <= 1e-9 * (horizon + time)):
                break
            time = following
        return time

    def _counts(self, rows: Collapsed, horizon: float, most: int) -> NDArray[np.float64]:
        from scipy.special import gammaln

        power, buys, stays = self.r + rows.frequency, self.alpha + rows.age, self.beta + rows.age

        def bought(number: int, time: NDArray[np.float64]) -> NDArray[np.float64]:
            logs = gammaln(power + number) - gammaln(power) - gammaln(number + 1) - power * np.log1p(time / buys)
            with np.errstate(divide="ignore"):
                return np.asarray(np.exp(logs + (number * np.log(time / (buys + time)) if number else 0.0)))

        alive = self._alive(rows)
        found = np.zeros((len(rows.age), most + 1))
        end = np.full(len(rows.age), horizon)
        least = np.minimum(buys, stays)
        reach = np.log1p(end / least)
        nodes, weights = np.polynomial.legendre.leggauss(48)
        points = [
            (weight, least * np.expm1(node * reach)) for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True)
        ]
        for number in range(most + 1):
            found[:, number] = np.exp(-self.s * np.log1p(end / stays)) * bought(number, end)
            for weight, time in points:
                leaves = self.s / (stays + time) * np.exp(-self.s * np.log1p(time / stays))
                found[:, number] += weight * reach * (least + time) * leaves * bought(number, time)
        found *= alive[:, None]
        found[:, 0] += 1 - alive
        return found

    def simulate(self, age: NDArray[np.float64], seed: int) -> Purchases:
        """Draw a history for new customers of these ages."""
        random = np.random.default_rng(seed)
        size = len(age)
        rate = random.gamma(self.r, 1 / self.alpha, size)
        leave = np.maximum(random.gamma(self.s, 1 / self.beta, size), 1e-300)
        end = np.minimum(age, random.exponential(1.0, size) / leave)
        frequency = random.poisson(rate * end).astype(np.float64)
        # The last of n uniform moments is the n-th root of one uniform.
        last = random.random(size) ** (1 / np.maximum(frequency, 1.0))
        recency = np.where(frequency > 0, end * last, 0.0)
        frequency[recency == 0] = 0
        return Purchases(frequency, recency, np.asarray(age, dtype=np.float64), self.unit)


def _gone(theta: NDArray[np.float64], rows: Collapsed, *, slopes: bool = False) -> NDArray[np.float64]:
    """Log of s·∫ (α+τ)^-(r+x) (β+τ)^-(s+1) dτ from the last purchase to the end; with ``slopes``, its derivatives.

    This is the part of the likelihood in which the customer has left. The published form is a difference of two Gauss
    functions, which loses all digits for heavy buyers; the integral has none of that, and its derivatives are means over
    the same nodes. The variable is log(τ + the smaller of α and β), in which the integrand is smooth whatever the
    parameters.
    """
    r, alpha, s, beta = theta
    power = r + rows.frequency
    start = rows.recency
    fall_r, fall_s = np.minimum(FALL / power, MOST), min(FALL / (s + 1), MOST)
    end = np.minimum((alpha + start) * np.exp(fall_r) - alpha, (beta + start) * np.exp(fall_s) - beta)
    end = np.maximum(np.minimum(end, rows.age), start)
    drop = power * np.log((alpha + end) / (alpha + start)) + (s + 1) * np.log((beta + end) / (beta + start))
    found = np.empty((5 if slopes else 1, len(power)))
    below = -1.0
    for limit, number in GRADES:
        chosen = np.flatnonzero((drop > below) & (drop <= limit))
        below = limit
        rule = _rule(number)
        for place in range(0, len(chosen), CHUNK):
            part = chosen[place : place + CHUNK]
            found[:, part] = _integrals(theta, power[part], start[part], end[part], rule, slopes)
    return found


@cache
def _rule(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights on 0 … 1; kept, as a search for the maximum asks for the same few hundreds of times."""
    nodes, weights = np.polynomial.legendre.leggauss(number)
    return (nodes + 1) / 2, weights / 2


def _integrals(
    theta: NDArray[np.float64],
    power: NDArray[np.float64],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    rule: tuple[NDArray[np.float64], NDArray[np.float64]],
    slopes: bool,
) -> NDArray[np.float64]:
    _, alpha, s, beta = theta
    least = min(alpha, beta)
    nodes, weights = rule
    reach = np.log((least + end) / (least + start))
    logs = np.log(least + start) + nodes[:, None] * reach
    shifted = np.exp(logs)
    far = np.log(shifted + abs(alpha - beta))
    log_r, log_s = (logs, far) if alpha <= beta else (far, logs)
    top_r, top_s = np.log(alpha + start), np.log(beta + start)
    heights = np.exp(-power * (log_r - top_r) - (s + 1) * (log_s - top_s)) * shifted * weights[:, None]
    area = heights.sum(axis=0)
    with np.errstate(divide="ignore"):
        whole = np.log(s) - power * top_r - (s + 1) * top_s + np.log(reach) + np.log(area)
    if not slopes:
        return np.asarray(whole[None, :])

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.einsum("ij,ij->j", heights, values) / area)

    by_r, by_s = -mean(log_r), 1 / s - mean(log_s)
    by_alpha = -power * mean(np.exp(-log_r))
    by_beta = -(s + 1) * mean(np.exp(-log_s))
    return np.stack([whole, by_r, by_alpha, by_s, by_beta])
