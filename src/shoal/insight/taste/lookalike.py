"""Look-alikes of a segment: who outside is most like it, and how far one can reach before the likeness is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.stats.intervals import Interval, wilson
from shoal.stats.scoring import auc_interval
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MIN_SEED = 50
REACHES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
_FOLDS = 5
# Folds share what they learn from, which the interval's formula doesn't know: at 95 % more random segments pass than should.
_CONFIDENCE = 0.99
_BACKGROUND = 20_000


@dataclass(frozen=True)
class Reach:
    """One point of the curve: how many are reached, and how much of a seed that was held out is among them.

    Attributes:
        share: the share of customers outside the seed; 0 … 1.
        customers: how many that are.
        similarity: the least similarity among them; 0 … 1.
        recall: the share of the held-out seed that is at least as similar, with Wilson's interval.
        lift: recall over share: 1 is no better than picking at random.
    """

    share: float
    customers: int
    similarity: float
    recall: Interval
    lift: float


@dataclass(frozen=True)
class Lookalikes:
    """Customers like the seed.

    Attributes:
        customers: those outside the seed, most similar first; equal ones by id.
        similarity: theirs, 0 … 1; only for comparison, it isn't a probability.
        curve: similarity against reach.
        auc: how well a held-out seed is told from the rest (0.5 not at all), with its interval (99 %).
        different: whether the interval lies above 0.5; where it doesn't, the list is no better than chance.
        verdict: the same in words.
    """

    customers: NDArray[Any]
    similarity: NDArray[Any]
    curve: tuple[Reach, ...]
    auc: Interval
    different: bool
    verdict: str

    def nearest(self, n: int) -> NDArray[Any]:
        """The ids of the ``n`` most similar; none where the seed doesn't differ from the base."""
        return self.customers[:n] if self.different else self.customers[:0]


def lookalikes(
    customers: ArrayLike, features: Any, members: ArrayLike, *, seed: int = 0, min_seed: int = MIN_SEED
) -> Lookalikes:
    """Rank the customers outside a segment by their likeness to it.

    A logistic model tells members from others, of each a sample where there are many; members count as much as the rest.
    The curve comes from five folds of everyone: nobody is judged by a model that has seen them, so recall is what a
    held-out seed shows.

    Args:
        customers: unique ids; their order doesn't matter.
        features: customers × features, dense or sparse: affinities, traits. Finite numbers.
        members: whether each is in the segment.
        seed: of the folds and the sample.
        min_seed: refuse a smaller segment.

    Raises:
        Refused: lengths differ, ids come twice, or a feature isn't a finite number.
        Refused: the segment or the rest is smaller than ``min_seed``, or no feature varies.
    """
    import numpy as np

    ids, data, inside = _checked(customers, features, members, min_seed)
    random = np.random.default_rng(seed)
    fold = np.empty(len(ids), dtype=np.int64)
    for group in (np.flatnonzero(inside), np.flatnonzero(~inside)):
        fold[random.permutation(group)] = np.arange(len(group)) % _FOLDS
    held_out = np.empty(len(ids))
    for i in range(_FOLDS):
        held_out[fold == i] = _similarity(data, inside, np.flatnonzero(fold != i), random)[fold == i]
    similarity = _similarity(data, inside, np.arange(len(ids)), random)
    outside = np.flatnonzero(~inside)
    order = outside[np.lexsort((outside, -similarity[outside]))]
    auc = auc_interval(inside, held_out, _CONFIDENCE)
    different = auc.low > 0.5
    verdict = (
        f"A held-out member is more similar than another customer in {auc.value:.0%} of pairs."
        if different
        else "On these features the segment doesn't differ from the base: a look-alike of it would be a draw of lots."
    )
    return Lookalikes(
        ids[order], similarity[order], _curve(held_out, inside, similarity[order]), auc, different, verdict
    )


def _checked(customers: ArrayLike, features: Any, members: ArrayLike, least: int) -> tuple[Any, Any, Any]:
    """The three by ascending id, features brought to the same spread."""
    import numpy as np
    from scipy import sparse

    ids, inside = np.asarray(customers), np.asarray(members, dtype=bool)
    data = sparse.csr_matrix(features, dtype=float)
    if not len(ids) == len(inside) == data.shape[0]:
        raise Refused("Customers, features and members differ in length.")
    if len(np.unique(ids)) != len(ids):
        raise Refused("A customer comes twice.", fix="Give one row a customer.")
    if not np.isfinite(data.data).all():
        raise Refused("A feature is missing or infinite.", fix="Fill it, and add a feature that says so.")
    size, rest = int(inside.sum()), int((~inside).sum())
    if size < least:
        raise Refused(
            f"The segment has {counted(size, 'customer')}; a look-alike needs {least} at least, or it copies their accidents.",
            fix="Widen the segment.",
        )
    if rest < least:
        raise Refused(
            f"Only {counted(rest, 'customer')} {noun(rest, 'is', 'are')} outside the segment: there is nobody to find."
        )
    order = np.argsort(ids, kind="stable")
    data = data[order]
    mean = np.asarray(data.mean(axis=0)).ravel()
    spread = np.sqrt(np.maximum(np.asarray(data.multiply(data).mean(axis=0)).ravel() - mean**2, 0))
    varies = spread > 1e-9 * np.maximum(1.0, np.abs(mean))
    if not varies.any():
        raise Refused("No feature varies among the customers.", fix="Give features that tell customers apart.")
    scaled = sparse.csr_matrix(data[:, varies] @ sparse.diags(1 / spread[varies]))
    return ids[order], scaled, inside[order]


def _similarity(data: Any, inside: NDArray[Any], rows: NDArray[Any], random: Any) -> NDArray[Any]:
    """Similarity of everyone, by a model of ``rows``."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    members, others = (_some(rows[inside[rows] == side], random) for side in (True, False))
    taught = np.sort(np.r_[members, others])
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000)
    model.fit(data[taught], inside[taught])
    return np.asarray(model.predict_proba(data)[:, 1])


def _some(rows: NDArray[Any], random: Any) -> NDArray[Any]:
    """At most ``_BACKGROUND`` of the rows: more teach nothing new, and memory stays bounded."""
    import numpy as np

    return rows if len(rows) <= _BACKGROUND else np.sort(random.choice(rows, _BACKGROUND, replace=False))


def _curve(held_out: NDArray[Any], inside: NDArray[Any], similarity: NDArray[Any]) -> tuple[Reach, ...]:
    import numpy as np

    members, others = held_out[inside], np.sort(held_out[~inside])[::-1]
    points: list[Reach] = []
    for share in REACHES:
        n = max(1, round(share * len(others)))
        found = int(len(members) if n == len(others) else (members >= others[n - 1]).sum())
        recall = wilson(found, len(members))
        # Ties at the edge are reached too, so the share is what is really reached.
        reached = float((others >= others[n - 1]).mean())
        points.append(Reach(share, n, float(similarity[n - 1]), recall, recall.value / reached))
    return tuple(points)
