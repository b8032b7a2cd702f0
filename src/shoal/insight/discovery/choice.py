"""How many groups the data support, and what a number of groups is worth.

The words are those of Dolnicar, Grün & Leisch (2018, doi 10.1007/978-981-10-8818-6):

- **natural**: there are gaps between the groups, they come back in other samples, and a cloud without groups has neither;
- **reproducible**: they come back and the data aren't one smooth cloud, but some groups touch without a gap;
- **constructive**: the data don't say that there are groups; they are made, which may still be useful.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from shoal.errors import Refused
from shoal.insight.discovery.indices import calinski_harabasz, davies_bouldin, distances, mixture_bic, silhouette
from shoal.insight.discovery.kmeans import Partition, cluster
from shoal.insight.discovery.null import Cloud, cloud
from shoal.insight.discovery.refit import Laid, Origin, partitions
from shoal.insight.discovery.separation import valleys
from shoal.insight.discovery.stability import STABLE, bootstrap

if TYPE_CHECKING:
    from shoal.insight.discovery.table import Bools, Floats, Matrix

Verdict: TypeAlias = Literal["natural", "reproducible", "constructive"]

# A difference this small says nothing, however sure it is: the cloud is only near to what the data could be. Of 20 tables
# without groups (k = 2 … 5) the most was .021, .039 and .16; of four groups whose centres lie 4 standard deviations apart
# (5 tables) the least was .081, .137 and .50: the bounds lie between. Groups 3 apart (.037, .050, .11) are on the border.
LEAST_SILHOUETTE = 0.02
LEAST_GAP = 0.05
LEAST_VALLEY = 0.3
_NULL_BOOTSTRAPS = 1
_STARTS = 2  # for the data and the draws alike, or the data would be looked at harder


@dataclass(frozen=True, slots=True)
class Settings:
    """What a search for micro-segments is to do.

    Args:
        fewest, most: the range of k to choose from; all of 2 … ``most`` are looked at.
        seed: of every draw.
        rows: the sample that evidence is worked out on.
        silhouette_rows: the part of it for silhouettes, whose cost grows with the square.
        draws: of the cloud without groups; the least p-value is 1 / (draws + 1).
        bootstraps: samples for stability.
        alpha: the p-value up to which the cloud is beaten.
        weights: what columns count for, where not 1.
    """

    fewest: int = 12
    most: int = 20
    seed: int = 0
    rows: int = 2000
    silhouette_rows: int = 1000
    draws: int = 19
    bootstraps: int = 10
    alpha: float = 0.05
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 2 <= self.fewest <= self.most:
            raise Refused(
                f"{self.fewest} to {self.most} isn't a range of numbers of groups.",
                fix="Ask for at least 2, and for no more than the most.",
            )
        if self.draws < 1 or 1 / (self.draws + 1) > self.alpha:
            raise Refused(
                f"{self.draws} draws can't show a p-value of {self.alpha:g}.",
                fix=f"Ask for at least {int(np.ceil(1 / self.alpha)) - 1} draws.",
            )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for k groups, beside what a cloud without groups gives.

    Args:
        k: how many groups.
        silhouette, calinski_harabasz, davies_bouldin, bic: of the data's partition.
        rand, jaccard: bootstrap stability: mean adjusted Rand index, and mean Jaccard of each group.
        valley: of each group, the shallowest gap to its neighbours (0 none, 1 empty).
        null_silhouette, null_rand: means over the draws without groups.
        gap: log of the draws' mean inertia over the data's (Tibshirani 2001, with the cloud in place of the box).
        p_silhouette, p_gap, p_valley: share of draws, the data counted as one, that do as well at this k.
        p: the same for the better of silhouette and gap, against the best of each draw over all k.
        verdict, reasons: what it comes to, in words.
        kinds: the same for each group.
    """

    k: int
    silhouette: float
    calinski_harabasz: float
    davies_bouldin: float
    bic: float
    rand: float
    jaccard: tuple[float, ...]
    valley: tuple[float, ...]
    null_silhouette: float
    null_rand: float
    gap: float
    p_silhouette: float
    p_gap: float
    p_valley: float
    p: float
    verdict: Verdict
    reasons: tuple[str, ...]
    kinds: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The evidence for each k, how many groups the data support, and the k chosen from the range that was asked for.

    Args:
        evidence: for k = 2 … most, ascending.
        supported_k: the most groups that are natural; 1 where no number is.
        k: the one chosen.
        reason: why it.
        partition: the sample's partition into k groups.
        chosen: the evidence for it. Where it isn't the fresh one, it isn't that of ``evidence`` for the same k.
        origin: whether the groups in force stay, moved or were adapted, or the groups are fresh.
        ended: whether k-means has come to its end with the partition; where it hasn't, it isn't to be run on.
    """

    evidence: tuple[Evidence, ...]
    supported_k: int
    k: int
    reason: str
    partition: Partition
    chosen: Evidence
    origin: Origin = "fresh"
    ended: bool = True


def choose(
    rows: Matrix, blocks: tuple[tuple[str, str, int], ...], settings: Settings, laid: Laid | None = None
) -> Choice:
    """Look at each number of groups on a sample, and at the same on draws without groups.

    Args:
        rows: the sample in the prepared space, in an order that means nothing.
        blocks: its columns, as in ``Plan.blocks``.
        settings: the range, the seed and how much work to do.
        laid: the groups in force on the sample; they give way only to what is materially better.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # Matrices here are small: threads would wait for each other longer than they work.
    with threadpool_limits(1):
        return _choose(rows, blocks, settings, laid)


def _choose(rows: Matrix, blocks: tuple[tuple[str, str, int], ...], settings: Settings, laid: Laid | None) -> Choice:
    search = _Search(rows, blocks, settings)
    evidence = tuple(search.evidence(search.found[k]) for k in search.ks)
    natural = [e.k for e in evidence if e.verdict == "natural"]
    supported = max(natural, default=1)
    k, reason = _pick(evidence, supported, settings)
    fresh = next(e for e in evidence if e.k == k)
    choice = Choice(evidence, supported, k, reason, search.found[k], fresh)
    return choice if laid is None else _settled(search, choice, laid)


class _Search:
    """The sample's partitions with what the draws without groups give at each k."""

    def __init__(self, rows: Matrix, blocks: tuple[tuple[str, str, int], ...], settings: Settings) -> None:
        self.rows, self.settings, self.ks = rows, settings, list(range(2, settings.most + 1))
        single = cloud(rows, blocks)
        self.smooth = single.smooth
        self.between = distances(rows[: settings.silhouette_rows])
        self.found = {k: cluster(rows, k, settings.seed, _STARTS) for k in self.ks}
        self.figures = np.array([_figures(rows, self.between, self.found[k], self.smooth) for k in self.ks])
        self.nulls, self.null_rands, self.null_jaccards = _nulls(single, self.ks, settings)

    def evidence(self, partition: Partition) -> Evidence:
        """What speaks for a partition of the sample; its k is one of those looked at."""
        at, figures = self.ks.index(partition.k), self.figures
        if partition is not self.found[partition.k]:
            figures = figures.copy()
            figures[at] = _figures(self.rows, self.between, partition, self.smooth)
        without_groups = self.null_rands[at], self.null_jaccards[at]
        against = _Against(figures, self.nulls)
        return _evidence(self.rows, partition, self.smooth, against, at, without_groups, self.settings)


_RANKS: tuple[Verdict, ...] = ("constructive", "reproducible", "natural")


def _settled(search: _Search, fresh: Choice, laid: Laid) -> Choice:
    """The groups in force, or what has become of them, unless there is something materially better."""
    allowed = range(search.settings.fewest, search.settings.most + 1)
    first: Evidence | None = None
    for origin, partition, ended in partitions(search.rows, laid, fresh.k, allowed, search.settings.seed):
        if partition.k not in allowed:
            continue
        mine = search.evidence(partition)
        first = first or mine
        if _material(mine, fresh.chosen) is None:
            reason = _stays(origin, laid.k, mine, fresh.chosen)
            return replace(
                fresh, k=partition.k, reason=reason, partition=partition, chosen=mine, origin=origin, ended=ended
            )
    return replace(fresh, reason=_gone(fresh, first))


def _material(mine: Evidence, other: Evidence) -> str | None:
    """By what the other one is materially better, null-corrected; None where it isn't."""
    if _RANKS.index(other.verdict) > _RANKS.index(mine.verdict):
        return f"they are {other.verdict}"
    above = (other.silhouette - other.null_silhouette) - (mine.silhouette - mine.null_silhouette)
    if above >= LEAST_SILHOUETTE:
        return f"their silhouette lies {above:.3f} further above that of a cloud without groups"
    if other.gap - mine.gap >= LEAST_GAP:
        return f"their gap is {other.gap:.3f}, not {mine.gap:.3f}"
    return None


def _above(e: Evidence) -> str:
    return f"{e.silhouette - e.null_silhouette:.3f} and {e.gap:.3f}"


def _stays(origin: Origin, before: int, mine: Evidence, fresh: Evidence) -> str:
    what = {
        "kept": f"The {before} groups in force stay as they are",
        "moved": "The groups in force stay, with their centres where the customers are now",
        "adapted": f"The groups in force became {mine.k} by splitting or joining, as a fresh search takes {fresh.k}",
        "fresh": "",
    }[origin]
    return (
        f"{what}: {fresh.k} fresh groups aren't materially better (silhouette and gap above those of a cloud without "
        f"groups: {_above(mine)}; fresh ones {_above(fresh)})."
    )


def _gone(fresh: Choice, held: Evidence | None) -> str:
    if held is None:
        return fresh.reason
    why = _material(held, fresh.chosen)
    return fresh.reason if why is None else f"{fresh.reason} They replace the groups in force: {why}."


def _figures(rows: Matrix, between: Floats, partition: Partition, smooth: Bools) -> tuple[float, float, float]:
    """Silhouette, −log inertia and the least valley: more is better for each."""
    quality = silhouette(between, partition.labels[: len(between)])
    # Rows that are all equal to their centre have no logarithm.
    tight = -float(np.log(max(partition.inertia, 1e-9 * len(rows))))
    return quality, tight, float(valleys(rows, partition, smooth).min())


def _nulls(single: Cloud, ks: list[int], settings: Settings) -> tuple[Floats, Floats, Floats]:
    """For each draw and k the figures; for each k the draws' mean stability, and the best Jaccard of any of their groups."""
    figures = np.empty((settings.draws, len(ks), 3))
    rands, best = np.empty((settings.draws, len(ks))), np.empty((settings.draws, len(ks)))
    for draw in range(settings.draws):
        rows = single.draw(settings.seed, draw)
        between = distances(rows[: settings.silhouette_rows])
        for at, k in enumerate(ks):
            partition = cluster(rows, k, settings.seed, _STARTS)
            figures[draw, at] = _figures(rows, between, partition, single.smooth)
            stable = bootstrap(rows, partition, settings.seed + draw, _NULL_BOOTSTRAPS, 1)
            rands[draw, at], best[draw, at] = stable.rand, stable.jaccard.max()
    return figures, np.asarray(rands.mean(axis=0)), np.asarray(best.max(axis=0))


class _Against:
    """The data's figures (k × 3) held against the draws' (draw × k × 3)."""

    def __init__(self, data: Floats, draws: Floats) -> None:
        self.data, self.draws = data, draws
        self.mean = draws.mean(axis=0)
        spread = np.maximum(draws.std(axis=0, ddof=1), 1e-6)
        self.excess = data - self.mean
        self.p = (1 + (draws >= data - 1e-12).sum(axis=0)) / (1 + len(draws))
        # Over all k and both figures at once, so that looking often doesn't find something.
        best = ((draws - self.mean) / spread)[:, :, :2].max(axis=(1, 2))
        mine = (self.excess / spread)[:, :2].max(axis=1)
        self.joint = (1 + (best[:, None] >= mine).sum(axis=0)) / (1 + len(draws))


def _evidence(
    rows: Matrix,
    partition: Partition,
    smooth: Bools,
    against: _Against,
    at: int,
    without_groups: tuple[float, float],
    settings: Settings,
) -> Evidence:
    null_rand, null_jaccard = without_groups
    stable = bootstrap(rows, partition, settings.seed, settings.bootstraps, _STARTS)
    deep = valleys(rows, partition, smooth)
    beats, reasons = _beats(against, at, settings.alpha)
    p_valley = float(against.p[at, 2])
    steady = [bool(j >= STABLE) for j in stable.jaccard]
    apart = [bool(v >= LEAST_VALLEY) and p_valley <= settings.alpha for v in deep]
    if not bool(smooth.any()):
        reasons.append("no column is smooth, so there is no line on which a gap would mean something")
    shaky, joined = steady.count(False), sum(v < LEAST_VALLEY for v in deep)
    reasons.append(
        f"bootstrap: adjusted Rand {stable.rand:.2f} (without groups {null_rand:.2f}); "
        + (f"{shaky} of {partition.k} groups have a Jaccard below {STABLE}" if shaky else "every group comes back")
    )
    reasons.append(
        f"{joined} of {partition.k} groups touch a neighbour with no gap between"
        if joined
        else f"a gap on each side of every group (p {p_valley:.2f})"
    )
    verdict = _word(beats, all(steady), all(apart))
    # In a partition that isn't stable as a whole, one group of it is more only if no group of any draw came back so well.
    own = steady
    if verdict == "constructive":
        own = [s and bool(j > null_jaccard) for j, s in zip(stable.jaccard, steady, strict=True)]
    kinds = tuple(_word(beats, s, a) for s, a in zip(own, apart, strict=True))
    return Evidence(
        partition.k,
        float(against.data[at, 0]),
        calinski_harabasz(rows, partition),
        davies_bouldin(rows, partition),
        mixture_bic(rows, partition, settings.seed),
        stable.rand,
        tuple(stable.jaccard.tolist()),
        tuple(deep.tolist()),
        float(against.mean[at, 0]),
        null_rand,
        float(against.excess[at, 1]),
        float(against.p[at, 0]),
        float(against.p[at, 1]),
        p_valley,
        float(against.joint[at]),
        verdict,
        tuple(reasons),
        kinds,
    )


def _beats(against: _Against, at: int, alpha: float) -> tuple[bool, list[str]]:
    quality, gap = against.excess[at, :2]
    sure = bool(against.joint[at] <= alpha)
    material = bool(quality >= LEAST_SILHOUETTE or gap >= LEAST_GAP)
    said = f"silhouette {against.data[at, 0]:.3f}, without groups {against.mean[at, 0]:.3f}; gap {gap:.3f}"
    if sure and material:
        return True, [f"{said}: more than a cloud without groups gives (p {against.joint[at]:.2f} over all k)"]
    why = (
        "too little of a difference to matter"
        if sure
        else f"no more than chance (p {against.joint[at]:.2f} over all k)"
    )
    return False, [f"{said}: {why}"]


def _word(beats: bool, steady: bool, apart: bool) -> Verdict:
    if not (beats and steady):
        return "constructive"
    return "natural" if apart else "reproducible"


def _pick(evidence: tuple[Evidence, ...], supported: int, settings: Settings) -> tuple[int, str]:
    """The k of the range: what is supported, else the best mean rank of five indices."""
    asked = [e for e in evidence if e.k >= settings.fewest]
    if supported >= settings.fewest:
        return supported, f"The data support {supported} groups."
    ranks = np.zeros(len(asked))
    for values in (
        [-e.silhouette for e in asked],
        [-e.calinski_harabasz for e in asked],
        [e.davies_bouldin for e in asked],
        [e.bic for e in asked],
        [-e.rand for e in asked],
    ):
        ranks += np.searchsorted(np.sort(values), values)
    k = asked[int(np.argmin(ranks))].k
    said = f"The data support {supported}" if supported > 1 else "The data support no groups of their own"
    return k, (
        f"{said}; of {settings.fewest} to {settings.most}, {k} has the best mean rank over silhouette, "
        "Calinski-Harabasz, Davies-Bouldin, BIC and bootstrap stability."
    )
