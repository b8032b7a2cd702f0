"""Whether the intervals of experiments hold what they promise: ``python -m benchmarks.simulations [--runs N] [--seed N]``.

Each method is tried in regimes that were fixed before any was run: sizes, rates and skews as they come in practice. The table
has the share of intervals that held the truth, its Monte-Carlo error, and what became of it: regimes in which a method fails
are named as such, since they are why the product warns there. ``make simulations`` runs all with a fresh seed.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from dataclasses import dataclass
from functools import partial
from math import erf, exp, log, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.intervals_of_measures import measures
from benchmarks.intervals_of_worth import worths
from benchmarks.measure import surroundings
from shoal.errors import Refused
from shoal.stats.experiments.adjusting import cuped, cuped_ratio, post_stratified
from shoal.stats.experiments.arms import Arm, Estimate, mean, ratio
from shoal.stats.experiments.bayes import belief
from shoal.stats.experiments.comparing import gap, welch
from shoal.stats.experiments.heterogeneity import homogeneity, shrunk
from shoal.stats.experiments.quantiles import quantile, ranks
from shoal.stats.experiments.sequential import always_valid, at_look, classic
from shoal.stats.multiple import benjamini_hochberg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Random = np.random.Generator
    Draw = Callable[[Random, int], Floats]
    Once = Callable[[Random], bool]

RESULTS = Path(__file__).parent / "results" / "simulations.md"
RUNS = 1_000
LEAST = 50
"""With fewer experiments that had an answer nothing is said."""
NOMINAL = 0.95
MARGIN = 0.01
"""An asymptotic interval is to be within so much of what it promises."""
LIFT = 1.1
"""The treated arm of every regime with an effect has so many times the control's outcome."""


@dataclass(frozen=True, slots=True)
class Regime:
    """A method in one situation.

    Args:
        method: what is tried.
        situation: in words.
        n: units an arm, or in all where it says so.
        once: draws one experiment and says whether all was right.
        target: the share of experiments in which it should be.
        at_least: whether more is right as well: what promises a bound keeps it by exceeding it.
    """

    method: str
    situation: str
    n: int
    once: Once
    target: float = NOMINAL
    at_least: bool = False


class Held(NamedTuple):
    """What became of a regime: the share of experiments that came out right, of those that weren't refused."""

    regime: Regime
    runs: int
    share: float
    refused: int

    @property
    def error(self) -> float:
        """The Monte-Carlo error of the share."""
        return sqrt(max(self.share * (1 - self.share), 1 / max(1, self.runs)) / max(1, self.runs))

    @property
    def verdict(self) -> str:
        """``holds``; or by how much it is off beyond chance."""
        if self.runs < LEAST:
            return f"refused {self.refused:,} times" if self.refused else "too few runs"
        off = self.share - self.regime.target
        if off < -(MARGIN + 2 * self.error):
            return f"**fails by {-off:.1%}**"
        if off > MARGIN + 2 * self.error and not self.regime.at_least:
            return f"wider than needed by {off:.1%}"
        return "holds"


# --------------------------------------------------------------------------- outcomes


def normal(random: Random, n: int) -> Floats:
    """Even, as a survey's mean score."""
    return random.normal(5, 2, n)


def orders(random: Random, n: int, sigma: float = 1.0) -> Floats:
    """Order values."""
    return random.lognormal(4, sigma, n)


def revenue(random: Random, n: int, rate: float = 0.05, sigma: float = 1.0) -> Floats:
    """Revenue of a customer, of whom few buy."""
    return np.where(random.random(n) < rate, random.lognormal(4, sigma, n), 0.0)


# --------------------------------------------------------------------------- one experiment of each method


def _covers_mean(draw: Draw, true: float, n: int, random: Random, *, relative: bool = False) -> bool:
    control, treated = mean(Arm.of(draw(random, n))), mean(Arm.of(draw(random, n) * LIFT))
    found = welch(gap(control, treated, relative=relative))
    return not found.excludes(LIFT - 1 if relative else true * (LIFT - 1))


def _covers_share(rate: float, n: int, random: Random, *, relative: bool = False) -> bool:
    hits = random.binomial(n, [rate, rate * LIFT])
    if hits[0] == 0 or 0 in (hits.sum(), 2 * n - hits.sum()):
        raise Refused("Nobody did it.")
    control, treated = (mean(Arm.of_share(int(h), n)) for h in hits)
    return not welch(gap(control, treated, relative=relative)).excludes(LIFT - 1 if relative else rate * (LIFT - 1))


def _covers_capped(rate: float, sigma: float, n: int, random: Random) -> bool:
    """Against the difference of what is cut at the same place, as the figure is defined."""
    both = np.concatenate([revenue(random, n, rate, sigma), revenue(random, n, rate, sigma) * LIFT])
    top = float(np.quantile(both, 0.99))
    if top <= 0:
        raise Refused("Fewer than one in a hundred bought.")
    control, treated = (mean(Arm.of(np.minimum(part, top))) for part in (both[:n], both[n:]))
    true = rate * (LIFT * _limited(top / LIFT, sigma) - _limited(top, sigma))
    return not welch(gap(control, treated)).excludes(true)


def _limited(top: float, sigma: float) -> float:
    """The mean of an order value that is cut."""
    far = (log(top) - 4) / sigma
    return exp(4 + sigma * sigma / 2) * _phi(far - sigma) + top * (1 - _phi(far))


def _clustered(random: Random, n: int, lift: float = 1.0) -> tuple[Floats, Floats]:
    sessions = random.poisson(3, n) + 1
    return random.binomial(sessions, np.minimum(random.beta(1, 9, n) * lift, 1.0)).astype(float), sessions.astype(float)


def _covers_ratio(n: int, random: Random) -> bool:
    control, treated = (ratio(Arm.of(*_clustered(random, n, lift))) for lift in (1.0, LIFT))
    # A customer's rate and sessions are independent: the ratio of sums is the mean rate, cut off nowhere that matters.
    return not welch(gap(control, treated, relative=True)).excludes(LIFT - 1)


def _covers_median(sigma: float, n: int, random: Random) -> bool:
    found = []
    for lift in (1.0, LIFT):
        values = np.sort(orders(random, n, sigma) * lift)
        found.append(quantile(values[list(ranks(n, 0.5))].tolist(), n))
    return not welch(gap(*found)).excludes(exp(4) * (LIFT - 1))


def _covers_cuped(rho: float, n: int, random: Random) -> bool:
    arms = []
    for shift in (0.0, 0.1):
        before = random.normal(size=n)
        arms.append(Arm.of(rho * before + sqrt(1 - rho * rho) * random.normal(size=n) + shift, before))
    return not welch(gap(*cuped(arms).arms)).excludes(0.1)


def _covers_cuped_ratio(n: int, random: Random) -> bool:
    arms = []
    for lift in (1.0, LIFT):
        taste = random.beta(2, 18, n)
        now, before = random.poisson(3, n) + 1, random.poisson(3, n) + 1
        arms.append(Arm.of(random.binomial(now, taste * lift), now, random.binomial(before, taste), before))
    return not welch(gap(*cuped_ratio(arms).arms, relative=True)).excludes(LIFT - 1)


def _covers_strata(n: int, random: Random) -> bool:
    arms = []
    for shift in (0.0, 0.1):
        heavy = random.random(n) < 0.2
        values = random.normal(size=n) + 3 * heavy + shift
        arms.append({"light": Arm.of(values[~heavy]), "heavy": Arm.of(values[heavy])})
    return not welch(gap(*post_stratified(arms).arms)).excludes(0.1)


def _covers_belief(rate: float, n: int, random: Random) -> bool:
    hits = random.binomial(n, [rate, rate * LIFT])
    if 0 in hits or n in hits:
        raise Refused("Nobody did it, or everybody.")
    told = belief(gap(*(mean(Arm.of_share(int(h), n)) for h in hits), relative=True))
    return told.low <= LIFT - 1 <= told.high


def _watched(draw: Draw, n: int, looks: int, random: Random) -> Iterable[tuple[Estimate, Estimate]]:
    """Both arms at evenly spaced looks, without an effect."""
    values = np.stack([draw(random, n), draw(random, n)])
    at = (np.arange(1, looks + 1) * n) // looks
    sums, squares = np.cumsum(values, axis=1)[:, at - 1], np.cumsum(values * values, axis=1)[:, at - 1]
    for place, size in enumerate(at.tolist()):
        if size < 2:
            continue
        spread = np.maximum(squares[:, place] - sums[:, place] ** 2 / size, 0.0) / (size - 1)
        if spread.sum() > 0:
            one, other = (Estimate(float(sums[i, place] / size), float(spread[i] / size), size) for i in range(2))
            yield one, other


def _silent_fixed(draw: Draw, n: int, looks: int, random: Random) -> bool:
    """A test of one look, shown at each: what peeking costs."""
    found = [gap(*pair) for pair in _watched(draw, n, looks, random)]
    return all(abs(one.value) <= 1.959964 * one.se for one in found)


def _silent_always(draw: Draw, n: int, looks: int, random: Random) -> bool:
    return not any(always_valid(gap(*pair), tuning=n).excludes() for pair in _watched(draw, n, looks, random))


def _silent_planned(draw: Draw, n: int, looks: int, random: Random) -> bool:
    plan = classic(looks)
    return not any(at_look(gap(*pair), plan, i).excludes() for i, pair in enumerate(_watched(draw, n, looks, random)))


def _silent_homogeneity(groups: int, n: int, random: Random) -> bool:
    effects, errors = _groups(groups, n, 0.0, random)
    return homogeneity(effects, errors).p >= 0.05


def _groups(groups: int, n: int, spread: float, random: Random) -> tuple[Floats, Floats]:
    true = 0.1 + spread * random.normal(size=groups)
    values = random.normal(size=(groups, 2, n // 2))
    means, variances = values.mean(axis=2), values.var(axis=2, ddof=1)
    return means[:, 1] - means[:, 0] + true, np.sqrt(variances.sum(axis=1) / (n // 2))


def _covers_shrunk(groups: int, n: int, random: Random) -> bool:
    """Of one group, chosen at random before: across groups that is the promise."""
    true = 0.1 + 0.1 * random.normal(size=groups)
    noise = 2 / sqrt(n)
    found = shrunk(true + noise * random.normal(size=groups), np.full(groups, noise))
    which = int(random.integers(groups))
    return bool(found[which].low <= true[which] <= found[which].high)


def _true_discovery(groups: int, random: Random) -> bool:
    """Of the segments called different, one drawn at random: its being so is 1 − the false discovery rate."""
    different = np.arange(groups) < groups // 5
    z = random.normal(size=groups) + 3.0 * different
    p = np.array([2 * (1 - _phi(abs(v))) for v in z.tolist()])
    called = np.flatnonzero(benjamini_hochberg(p) <= 0.05)
    return bool(different[random.choice(called)]) if len(called) else True


def _phi(z: float) -> float:
    return (1 + erf(z / sqrt(2))) / 2


# --------------------------------------------------------------------------- the table of regimes

SIZES = (100, 1_000, 10_000)


def regimes() -> list[Regime]:
    """All that are tried, in the order of the table."""
    found: list[Regime] = []
    shapes: list[tuple[str, Draw, float]] = [
        ("even", normal, 5.0),
        ("order values, σ 1", orders, exp(4.5)),
        ("order values, σ 2", partial(orders, sigma=2.0), exp(6)),
        ("revenue, 5 % buy, σ 1", revenue, 0.05 * exp(4.5)),
        ("revenue, 1 % buy, σ 1.5", partial(revenue, rate=0.01, sigma=1.5), 0.01 * exp(4 + 1.125)),
    ]
    for what, draw, true in shapes:
        found += [Regime("Welch, mean", what, n, partial(_covers_mean, draw, true, n)) for n in SIZES]
    for what, draw, true in (shapes[0], shapes[3]):
        found += [
            Regime("Welch, relative", what, n, partial(_covers_mean, draw, true, n, relative=True)) for n in SIZES
        ]
    for rate, sigma in ((1.0, 2.0), (0.05, 1.0), (0.05, 2.0)):
        told = f"{rate:.0%} buy, σ {sigma:g}"
        found += [Regime("Welch, winsorised at 99 %", told, n, partial(_covers_capped, rate, sigma, n)) for n in SIZES]
    for rate in (0.5, 0.05, 0.005):
        found += [Regime("Welch, share", f"{rate:.1%}", n, partial(_covers_share, rate, n)) for n in SIZES]
    found += [
        Regime("Welch, share, relative", "5.0%", n, partial(_covers_share, 0.05, n, relative=True)) for n in SIZES
    ]
    found += [
        Regime("Ratio by the delta method", "clicks a session, 1–10 sessions", n, partial(_covers_ratio, n))
        for n in SIZES
    ]
    found += [Regime("Median", "order values, σ 1", n, partial(_covers_median, 1.0, n)) for n in SIZES]
    found += [Regime("CUPED", "ρ .7", n, partial(_covers_cuped, 0.7, n)) for n in SIZES]
    found += [Regime("CUPED, ratio", "clicks a session", n, partial(_covers_cuped_ratio, n)) for n in SIZES]
    found += [Regime("Post-stratified", "a heavy fifth", n, partial(_covers_strata, n)) for n in SIZES]
    found += [Regime("Bayes, flat prior, relative", "5.0%", n, partial(_covers_belief, 0.05, n)) for n in SIZES]
    for looks in (1, 5, 20, 1_000):
        told = "every ten units" if looks == 1_000 else f"{looks} look{'' if looks == 1 else 's'}"
        found.append(
            Regime(
                "A/A, a test of one look", told, 10_000, partial(_silent_fixed, normal, 10_000, looks), at_least=True
            )
        )
        found.append(
            Regime("A/A, always valid", told, 10_000, partial(_silent_always, normal, 10_000, looks), at_least=True)
        )
    found.append(
        Regime(
            "A/A, always valid",
            "revenue, 20 looks",
            10_000,
            partial(_silent_always, revenue, 10_000, 20),
            at_least=True,
        )
    )
    for looks in (5, 20):
        found.append(
            Regime("A/A, O'Brien-Fleming", f"{looks} looks", 10_000, partial(_silent_planned, normal, 10_000, looks))
        )
    found += [
        Regime("Homogeneity of segments", f"{k} equal segments", 400, partial(_silent_homogeneity, k, 400))
        for k in (4, 25, 100)
    ]
    for k in (5, 25, 100):
        found.append(
            Regime("Shrunk segment effects", f"{k} segments that differ", 400, partial(_covers_shrunk, k, 400))
        )
    found.append(
        Regime("Corrected segment effects", "100 segments, 20 differ", 0, partial(_true_discovery, 100), at_least=True)
    )
    found += [Regime(method, told, n, once) for method, told, n, once in (*measures(), *worths())]
    return found


def held(regime: Regime, runs: int, seed: int) -> Held:
    """Run one regime so many times; what the product refuses has no interval and isn't counted."""
    random = np.random.default_rng(seed)
    right = refused = 0
    for _ in range(runs):
        try:
            right += regime.once(random)
        except Refused:
            refused += 1
    answered = runs - refused
    return Held(regime, answered, right / answered if answered else 0.0, refused)


def page(found: Iterable[Held], seed: int) -> str:
    """The table as Markdown."""
    around = surroundings()
    rows = []
    for one in found:
        size = f"{one.regime.n:,}" if one.regime.n else ""
        told = f"{one.share:.1%} ± {one.error:.1%}" if one.runs else ""
        cells = (
            one.regime.method,
            one.regime.situation,
            size,
            f"{one.runs:,}",
            f"{one.regime.target:.0%}",
            told,
            one.verdict,
        )
        rows.append(f"| {' | '.join(cells)} |")
    head = (
        f"# Simulations of experiments\n\nCommit {around['commit']}, {around['date']}, seed {seed}. The share of experiments "
        "that came out right (an interval held the truth; nothing was found where nothing was), with its Monte-Carlo "
        "error. *Holds* is within one point of what is promised, beyond chance.\n\n"
        "| method | situation | units an arm | runs | promised | achieved | verdict |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | --- |\n"
    )
    return head + "\n".join(rows) + "\n"


def main() -> None:
    """Run all, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulations", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="of each regime (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="a fresh one unless given")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the page that is written")
    given = parser.parse_args()
    seed = secrets.randbelow(2**31) if given.seed is None else given.seed
    found = []
    for place, regime in enumerate(regimes()):
        # What goes through a thousand looks, or hundreds of draws, costs many times as much.
        runs = given.runs // 4 if "ten units" in regime.situation or regime.method == "Qini" else given.runs
        found.append(held(regime, max(10, runs), seed + place))
        last = found[-1]
        print(
            f"{regime.method}, {regime.situation}, n {regime.n}: {last.share:.1%}  {last.verdict}",
            file=sys.stderr,
            flush=True,
        )
    given.results.write_text(page(found, seed), encoding="utf-8")
    print(given.results.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
