"""What taste is read from: customers, items, weights and ages, made into one sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

# A row counts for at most this many typical rows: one dear purchase isn't a habit.
CAP = 2.0


@dataclass(frozen=True)
class Interactions:
    """Who had to do with what, and how much of it still counts.

    Attributes:
        customers: the ids, ascending; row i of ``matrix`` is ``customers[i]``.
        items: the names, ascending; column j of ``matrix`` is ``items[j]``.
        matrix: CSR, positive; in typical rows (the median weight is 1, a row counts at most ``CAP``), decayed by age.
        unit: what one typical row weighs, in the unit of the weights that came in.
        future: rows left out because they lie after the moment of asking (a negative age).
        cancelled: cells left out because returns took back all of it, or time did.
    """

    customers: NDArray[Any]
    items: NDArray[Any]
    matrix: Any
    unit: float
    future: int
    cancelled: int


def interactions(
    customers: ArrayLike, items: ArrayLike, weights: ArrayLike, ages: ArrayLike, *, half_life: float
) -> Interactions:
    """One matrix of rows (customer, item, weight, age); the order of the rows doesn't matter.

    Args:
        customers: an id a row.
        items: a category, brand, attribute or product a row.
        weights: how much a row counts (1, a quantity, money); negative is a return and takes away.
        ages: days since it happened, at the moment of asking; rows with a negative age are left out and counted.
        half_life: days after which a row counts half; ``inf`` for no decay.

    Raises:
        Refused: lengths differ, a weight or an age isn't a finite number, or the half-life isn't positive.
        Refused: nothing is left.
    """
    import numpy as np
    from scipy import sparse

    who, what = np.asarray(customers), np.asarray(items)
    weight, age = np.asarray(weights, dtype=float), np.asarray(ages, dtype=float)
    if not len(who) == len(what) == len(weight) == len(age):
        raise Refused("Customers, items, weights and ages differ in length.", fix="Give one of each for every row.")
    if not (np.isfinite(weight).all() and np.isfinite(age).all()):
        raise Refused("A weight or an age is missing or infinite.", fix="Leave such rows out.")
    if not half_life > 0:
        raise Refused(f"A half-life of {half_life:g} days means nothing.", fix="Use a number of days above 0.")
    past = age >= 0
    if not (weight[past] > 0).any():
        raise Refused("There is nothing that counts for taste: no row with a positive weight that isn't in the future.")
    people, row = np.unique(who[past], return_inverse=True)
    names, column = np.unique(what[past], return_inverse=True)
    raw = weight[past]
    unit = float(np.median(raw[raw > 0]))
    value = np.clip(raw / unit, -CAP, CAP) * np.exp2(-age[past] / half_life)
    cell, total = _sums(row.astype(np.int64) * len(names) + column, value)
    keep = total > 0
    if not keep.any():
        raise Refused("Returns and time have taken back all purchases.", fix="Use a longer half-life.")
    matrix = sparse.csr_matrix(
        (total[keep], (cell[keep] // len(names), cell[keep] % len(names))), shape=(len(people), len(names))
    )
    return Interactions(people, names, matrix, unit, int((~past).sum()), int((~keep).sum()))


def _sums(cell: NDArray[np.int64], value: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The sum of each cell, added in an order that doesn't depend on the order of the rows."""
    import numpy as np

    order = np.lexsort((value, cell))
    cell, value = cell[order], value[order]
    starts = np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]])
    return cell[starts], np.add.reduceat(value, starts)
