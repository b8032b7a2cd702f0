"""How much a customer's own few observations say against the base's: credibility in the sense of actuaries."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def strength(n: Floats, squares: Floats, own: Floats, grand: float) -> float:
    """How many observations of a customer's own weigh as much as the base (Bühlmann & Straub 1970), from sums.

    The variance within customers over the variance between them, both without bias. A customer's estimate is then
    (own sum + strength · mean of all) / (n + strength). For an observation that is one of several kinds, each kind is a
    coordinate that is 0 or 1, and the sums run over the coordinates as well.

    Args:
        n: observations of each customer, at least 1.
        squares: of each, the sum of the squared observations.
        own: of each, the squared sum of its observations over ``n``.
        grand: the squared sum of all observations over their number.

    Returns:
        A number above 0; infinity where customers don't differ more than chance makes them differ, or nobody was
        observed twice.
    """
    total, customers = float(n.sum()), len(n)
    spare = total - float((n * n).sum()) / total if total else 0.0
    if total <= customers or spare <= 0:
        return inf
    within = max(float((squares - own).sum()), 0.0) / (total - customers)
    between = (float(own.sum()) - grand - (customers - 1) * within) / spare
    # Where each customer always does the same, one observation says it all; a trace of doubt stays.
    return max(within / between, _LEAST) if between > 0 else inf


_LEAST = 0.01


def strength_of_counts(counts: NDArray[np.int64]) -> float:
    """``strength`` where each observation is of one kind: customers × kinds, each customer with at least one."""
    n = counts.sum(axis=1).astype(float)
    own = (counts.astype(float) ** 2).sum(axis=1) / n
    return strength(n, n, own, float((counts.sum(axis=0).astype(float) ** 2).sum() / n.sum()))
