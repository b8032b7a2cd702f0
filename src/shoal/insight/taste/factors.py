"""Needs and interests: factors of what is bought or read together, as many as come again, named from their items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

MIN_ROWS = 50
# A factor that split halves agree on less than this isn't one that a refresh would find again.
STABLE = 0.8
_SAMPLE = 2_000
# A fit ends where a step explains no more than this share of the squares. A trial asks how factors compare, which is
# settled long before their last digits are.
_ROUGH, _FINE = 1e-5, 1e-7
_MOST_STEPS, _SWEEPS = 200, 4
_DENSE, _FEW_ITEMS = 10_000_000, 600
_REPEATS = 3


@dataclass(frozen=True)
class Trial:
    """One number of factors that was tried.

    Attributes:
        k: how many.
        stability: mean cosine of the factors that two disjoint halves of the rows give, matched one to one; 0 … 1.
        gain: the share of the squares that the last factor explains.
        gain_by_chance: the same where items are dealt out to rows at random (as many of each): the most of the draws.
    """

    k: int
    stability: float
    gain: float
    gain_by_chance: float

    @property
    def holds(self) -> bool:
        """Whether this many factors are stable and the last one explains more than chance would."""
        return self.stability >= STABLE and self.gain > self.gain_by_chance


@dataclass(frozen=True)
class Factor:
    """One need or interest.

    Attributes:
        name: its items that stand out most, joined.
        items: the items that set it apart, strongest first.
        lifts: how many times their share in the base each has within the factor.
        share: the share of rows that it is the main factor of; 0 … 1.
    """

    name: str
    items: tuple[str, ...]
    lifts: tuple[float, ...]
    share: float


@dataclass(frozen=True)
class Factors:
    """Factors with each row's part in them.

    Attributes:
        factors: by share, largest first.
        loadings: rows × factors; each row sums to 1, or to 0 where it has no item of any factor.
        main: each row's strongest factor, −1 for none.
        weights: factors × columns: what each is made of; each sums to 1.
        verdict: ``supported`` where a number of factors held against chance, else ``constructive``: a way to cut what
            has no parts of its own.
        trials: what was tried, by k.
    """

    factors: tuple[Factor, ...]
    loadings: NDArray[Any]
    main: NDArray[Any]
    weights: NDArray[Any]
    verdict: str
    trials: tuple[Trial, ...]


def factors(
    matrix: Any,
    names: ArrayLike,
    *,
    counts: Sequence[int] = range(2, 9),
    seed: int = 0,
    scale: bool = True,
    joiner: str = " + ",
) -> Factors:
    """Non-negative factors of a matrix (Lee & Seung 1999, doi:10.1038/44565), as many as are stable and beat chance.

    The number is the largest whose factors come again in split halves and whose last factor explains more than it does
    where items are dealt out at random (parallel analysis, Horn 1965, doi:10.1007/BF02289447). Where none holds, the
    most stable number is used and the verdict says ``constructive``.

    Args:
        matrix: rows × items, dense or sparse, not negative: purchases, reads, or words of texts.
        names: a name an item.
        counts: the numbers of factors to try.
        seed: of the draws; the same seed gives the same factors.
        scale: take the logarithm and give each item the same weight; False for a matrix that is weighted already.
        joiner: what stands between the items in a name.

    Raises:
        Refused: negative values, values that aren't numbers, or a name too many or too few.
        Refused: fewer than fifty rows that hold anything, or fewer items than the least number of factors needs.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    data, labels, tried = _checked(matrix, names, counts)
    if scale:
        data = _scaled(data)
    filled = np.flatnonzero(np.diff(data.indptr))
    random = np.random.default_rng(seed)
    sample = filled if len(filled) <= _SAMPLE else np.sort(random.choice(filled, _SAMPLE, replace=False))
    # Products of this size take several times the CPU on two threads, most of it in waiting for each other.
    with threadpool_limits(1, "blas"):
        trials = _trials(data[sample], tried, random, seed)
        held = [trial.k for trial in trials if trial.holds]
        k = max(held) if held else max(trials, key=lambda t: (t.stability, -t.k)).k
        loadings, weights, _ = _fit(_Data.of(data, k, seed), k, _FINE)
    return _named(loadings.T, weights, data, labels, trials, "supported" if held else "constructive", joiner)


def _checked(matrix: Any, names: ArrayLike, counts: Sequence[int]) -> tuple[Any, NDArray[Any], list[int]]:
    import numpy as np
    from scipy import sparse

    data = sparse.csr_matrix(matrix, dtype=float)
    data.sum_duplicates()
    labels = np.asarray(names).astype(str)
    if len(labels) != data.shape[1]:
        raise Refused(f"There are {len(labels)} names for {data.shape[1]} items.")
    if not np.isfinite(data.data).all() or (data.data < 0).any():
        raise Refused("Factors need numbers that aren't negative.", fix="Leave out returns and missing values.")
    data.eliminate_zeros()
    rows, columns = int((np.diff(data.indptr) > 0).sum()), len(np.unique(data.indices))
    tried = sorted({int(k) for k in counts if 2 <= k < min(columns, rows // 4)})
    if rows < MIN_ROWS or not tried:
        raise Refused(
            f"{rows} rows with {columns} items are too few to find factors ({MIN_ROWS} rows, and more items than "
            "factors, at least)."
        )
    return data, labels, tried


def _scaled(data: Any) -> Any:
    """Log of what was taken, each item brought to the same length: else the best sellers would be the factors."""
    import numpy as np
    from scipy import sparse

    logged = data.copy()
    logged.data = np.log1p(logged.data)
    length = np.sqrt(np.asarray(logged.multiply(logged).sum(axis=0)).ravel())
    return sparse.csr_matrix(logged @ sparse.diags(1 / np.where(length > 0, length, 1.0)))


@dataclass(frozen=True)
class _Data:
    """A matrix with what every fit to it begins from.

    Attributes:
        cells: rows × items: dense where that is small, else CSR.
        squares: the sum of all squares.
        left: singular vectors, a row each, of the largest singular values.
        values: those, from the largest down.
        right: the vectors of the items.
    """

    cells: Any
    squares: float
    left: NDArray[Any]
    values: NDArray[Any]
    right: NDArray[Any]

    @classmethod
    def of(cls, data: Any, most: int, seed: int) -> _Data:
        """One decomposition serves all numbers of factors up to ``most``: the vectors of fewer are the first of those of more."""
        rows, columns = data.shape
        left, values, right = _vectors(data, min(most, rows, columns), seed)
        cells = data.toarray() if rows * columns <= _DENSE else data
        return cls(cells, float(data.multiply(data).sum()), left, values, right)


def _vectors(data: Any, most: int, seed: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The first singular vectors: by the products of items where they are few, else by random projection."""
    import numpy as np

    if data.shape[1] > _FEW_ITEMS:
        from sklearn.utils.extmath import randomized_svd

        left, values, right = randomized_svd(data, most, random_state=seed)
        return left.T, values, right
    squares, vectors = np.linalg.eigh(np.asarray((data.T @ data).todense()))
    right = vectors[:, ::-1][:, :most].T
    values = np.sqrt(np.maximum(squares[::-1][:most], 0.0))
    left = np.asarray(data @ right.T).T / np.maximum(values, 1e-12)[:, None]
    return left, values, right


def _begun(data: _Data, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where a fit begins: the positive or the negative part of each pair of vectors, whichever holds more (NNDSVD,
    Boutsidis & Gallopoulos 2008, doi:10.1016/j.patcog.2007.09.010)."""
    import numpy as np

    rows, items = np.zeros((k, data.left.shape[1])), np.zeros((k, data.right.shape[1]))
    for j in range(min(k, len(data.values))):
        sides = [(np.maximum(s * data.left[j], 0.0), np.maximum(s * data.right[j], 0.0)) for s in (1.0, -1.0)]
        sizes = [float(np.linalg.norm(x) * np.linalg.norm(y)) for x, y in sides]
        (x, y), size = (sides[0], sizes[0]) if sizes[0] > sizes[1] else (sides[1], sizes[1])
        if size > 0:
            scale = np.sqrt(data.values[j] * size)
            rows[j], items[j] = scale * x / np.linalg.norm(x), scale * y / np.linalg.norm(y)
    return rows, items


def _fit(data: _Data, k: int, tolerance: float = _ROUGH) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Non-negative factors by hierarchical least squares, several sweeps to a product with the data (Gillis & Glineur
    2012, doi:10.1162/NECO_a_00256): the products are what costs.

    Returns:
        Factors × rows, factors × items, and the share of the squares that they explain.
    """
    rows, items = _begun(data, k)
    before = explained = 0.0
    for _ in range(_MOST_STEPS):
        _swept(rows, (data.cells @ items.T).T, items @ items.T)
        cross, gram = (data.cells.T @ rows.T).T, rows @ rows.T
        _swept(items, cross, gram)
        left = float((items * cross).sum() * 2 - (gram * (items @ items.T)).sum())
        before, explained = explained, left / data.squares
        if explained - before <= tolerance:
            break
    return rows, items, explained


def _swept(part: NDArray[Any], cross: NDArray[Any], gram: NDArray[Any]) -> None:
    """Bring the rows of ``part`` nearer to the least squares with the other part, one after another."""
    import numpy as np

    for _ in range(_SWEEPS):
        for j in range(len(part)):
            if gram[j, j] > 0:
                part[j] = np.maximum(part[j] + (cross[j] - gram[j] @ part) / gram[j, j], 0.0)


def _trials(data: Any, tried: list[int], random: Any, seed: int) -> tuple[Trial, ...]:
    import numpy as np

    most = max(tried)
    split = [np.array_split(random.permutation(data.shape[0]), 2) for _ in range(_REPEATS)]
    halves = [[_Data.of(data[part], most, seed) for part in pair] for pair in split]
    nulls = [_Data.of(_dealt(data, random), most, seed) for _ in range(_REPEATS)]
    whole = _Data.of(data, most, seed)
    found: list[Trial] = []
    before, before_by_chance = 0.0, [0.0] * _REPEATS
    for k in tried:
        agreement = [_agreement(_fit(a, k)[1], _fit(b, k)[1]) for a, b in halves]
        explained, by_chance = _fit(whole, k)[2], [_fit(null, k)[2] for null in nulls]
        chance = max(now - then for now, then in zip(by_chance, before_by_chance, strict=True))
        found.append(Trial(k, float(np.mean(agreement)), explained - before, chance))
        before, before_by_chance = explained, by_chance
    return tuple(found)


def _dealt(data: Any, random: Any) -> Any:
    """The same items in the same amounts, each dealt to rows at random: what goes together is lost."""
    import numpy as np
    from scipy import sparse

    columns = sparse.csc_matrix(data)
    rows = [random.choice(data.shape[0], n, replace=False) for n in np.diff(columns.indptr)]
    return sparse.csc_matrix((columns.data, np.concatenate(rows), columns.indptr), shape=data.shape).tocsr()


def _agreement(a: NDArray[Any], b: NDArray[Any]) -> float:
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    def unit(x: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))

    cosine = unit(a) @ unit(b).T
    return float(cosine[linear_sum_assignment(-cosine)].mean())


def _named(
    loadings: NDArray[Any],
    weights: NDArray[Any],
    data: Any,
    labels: NDArray[Any],
    trials: tuple[Trial, ...],
    verdict: str,
    joiner: str,
) -> Factors:
    import numpy as np

    size = weights.sum(axis=1)
    part = loadings * size
    total = part.sum(axis=1, keepdims=True)
    part = np.divide(part, total, out=np.zeros_like(part), where=total > 0)
    main = np.where(total.ravel() > 0, part.argmax(axis=1), -1)
    held = np.bincount(main[main >= 0], minlength=len(size)) / len(main)
    order = np.lexsort((np.arange(len(size)), -held))
    place = np.empty(len(size) + 1, dtype=np.int64)
    place[order], place[-1] = np.arange(len(size)), -1
    inside = weights[order] / np.maximum(size[order, None], 1e-300)
    base = np.asarray(data.sum(axis=0)).ravel()
    lift = inside / np.where(base > 0, base / base.sum(), np.inf)
    described = tuple(_factor(inside[i], lift[i], labels, float(held[f]), joiner) for i, f in enumerate(order))
    return Factors(described, part[:, order], place[main], inside, verdict, trials)


def _factor(inside: NDArray[Any], lift: NDArray[Any], labels: NDArray[Any], share: float, joiner: str) -> Factor:
    """Items by their share in the factor times the log of their lift: neither best sellers nor rarities alone."""
    import numpy as np

    score = inside * np.log(np.maximum(lift, 1.0))
    best = [i for i in np.lexsort((labels, -score))[:8] if score[i] > 0]
    items = tuple(str(labels[i]) for i in best)
    name = joiner.join(items[:3]) if items else "nothing of its own"
    return Factor(name, items, tuple(float(lift[i]) for i in best), share)
