"""Affinities: what a customer takes beyond what the base would, shrunk so that one purchase doesn't make a fan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.errors import Refused
from shoal.insight.taste.inputs import Interactions, interactions
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

HALF_LIFE_DAYS = 90.0
SMOOTHING = 2.0
MIN_CUSTOMERS = 10
_RISK = 0.05


class Taste(NamedTuple):
    """One affinity of one customer, with what it rests on.

    Attributes:
        customer: the id.
        item: the category, brand or attribute.
        lift: how many times as much as the base takes, shrunk towards 1.
        low: the lower end of the lift (one-sided, 95 %); the lift itself where that isn't above 1.
        observed: how much of it still counts, in typical purchases.
        expected: what it would be if the customer were like the base.
        fan: whether ``low`` is above 1.
    """

    customer: Any
    item: Any
    lift: float
    low: float
    observed: float
    expected: float
    fan: bool

    @property
    def reason(self) -> str:
        """The affinity in words, with its figures."""
        sure = f"surely above {self.low:.1f}" if self.fan else "which chance alone could give"
        return (
            f"{self.item}: {self.observed:.1f} recent purchases where the base would have {self.expected:.1f}; "
            f"{self.lift:.1f} times as much, {sure}"
        )


@dataclass(frozen=True)
class Affinities:
    """The affinities of all customers, sparse: what a customer never took has no cell.

    Attributes:
        base: the interactions they were read from.
        share: each item's share of the whole base, in the order of ``base.items``; sums to 1.
        lift: CSR of the shape of ``base.matrix``.
        low: the lower ends, the same cells; see ``leaning``.
        smoothing: the prior purchases, in typical purchases.
    """

    base: Interactions
    share: NDArray[Any]
    lift: Any
    low: Any
    smoothing: float

    def of(self, customer: Any, item: Any) -> float:
        """The lift of any pair; below 1 for what a customer could have taken and didn't.

        Raises:
            Refused: for a customer or an item that isn't in the base.
        """
        import numpy as np

        row, column = np.searchsorted(self.base.customers, customer), np.searchsorted(self.base.items, item)
        if row == len(self.base.customers) or self.base.customers[row] != customer:
            raise Refused(f"There are no purchases of customer {customer!r}.")
        if column == len(self.base.items) or self.base.items[column] != item:
            raise Refused(f"Nobody took {item!r}.")
        taken = float(self.base.matrix[row, column])
        expected = float(self.base.matrix[row].sum() * self.share[column])
        return (taken + self.smoothing) / (expected + self.smoothing)

    def top(self, n: int = 3, *, fans_only: bool = True) -> Iterator[Taste]:
        """The strongest affinities of each customer, strongest first; equal ones by name.

        Args:
            n: at most so many a customer.
            fans_only: only those whose lower end is above 1; a customer without any isn't listed.
        """
        import numpy as np

        lift, low, taken = self.lift, self.low.data, self.base.matrix
        spent = np.asarray(taken.sum(axis=1)).ravel()
        row = np.repeat(np.arange(lift.shape[0]), np.diff(lift.indptr))
        order = np.lexsort((lift.indices, -lift.data, row))
        order = order[(low[order] > 1) if fans_only else (lift.data[order] > 1)]
        first = np.r_[True, row[order][1:] != row[order][:-1]] if order.size else np.zeros(0, dtype=bool)
        starts = np.flatnonzero(first)
        rank = np.arange(order.size) - np.repeat(starts, np.diff(np.r_[starts, order.size]))
        for i in order[rank < n]:
            j, r = lift.indices[i], row[i]
            yield Taste(
                self.base.customers[r],
                self.base.items[j],
                float(lift.data[i]),
                float(low[i]),
                float(taken.data[i]),
                float(spent[r] * self.share[j]),
                bool(low[i] > 1),
            )


def affinities(
    customers: ArrayLike,
    items: ArrayLike,
    weights: ArrayLike,
    ages: ArrayLike,
    *,
    half_life: float = HALF_LIFE_DAYS,
    smoothing: float = SMOOTHING,
) -> Affinities:
    """Affinities of customers to categories, brands or attributes, normalised to the base.

    The lift of a customer for an item is (o + s) / (e + s): o is what still counts of it, e what it would be at the
    base's shares, s the smoothing. That is the mean of a gamma-Poisson model with a prior around 1 (DuMouchel 1999,
    doi:10.1080/00031305.1999.10474456), so one purchase of however rare an item gives at most 1 + 1 / s (a very dear
    one 1 + ``CAP`` / s), and the lower end is the 5 % quantile of that model.

    Args:
        customers: an id a row.
        items: what was taken.
        weights: how much a row counts; see ``interactions``.
        ages: days since, at the moment of asking.
        half_life: days after which a row counts half.
        smoothing: how many typical purchases the prior is worth; positive.

    Raises:
        Refused: arrays that can't be read, or a smoothing that isn't positive.
        Refused: fewer than ten customers or two items, so that there is no base to compare with.
    """
    import numpy as np
    from scipy import sparse

    if not smoothing > 0:
        raise Refused(f"A smoothing of {smoothing:g} purchases means nothing.", fix="Use a number above 0.")
    base = interactions(customers, items, weights, ages, half_life=half_life)
    taken = base.matrix
    if taken.shape[0] < MIN_CUSTOMERS or taken.shape[1] < 2:
        raise Refused(
            f"An affinity compares a customer with the base: {counted(taken.shape[0], 'customer')} and "
            f"{counted(taken.shape[1], 'item')} "
            f"are too few for that ({MIN_CUSTOMERS} and 2 at least)."
        )
    columns = np.asarray(taken.sum(axis=0)).ravel()
    share = columns / columns.sum()
    spent = np.asarray(taken.sum(axis=1)).ravel()
    expected = np.repeat(spent, np.diff(taken.indptr)) * share[taken.indices]
    lift, low = leaning(taken.data, expected, smoothing)

    def cells(values: NDArray[Any]) -> Any:
        return sparse.csr_matrix((values, taken.indices, taken.indptr), shape=taken.shape)

    return Affinities(base, share, cells(lift), cells(low), smoothing)


def leaning(
    taken: NDArray[Any], expected: NDArray[Any], smoothing: float = SMOOTHING
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The lift of each cell and its lower end (one-sided, 95 %); the formula is that of ``affinities``.

    Where the lift isn't above 1 it stands for its lower end too: that can't be above 1 either.

    Args:
        taken: what still counts, in typical purchases.
        expected: what it would be at the base's shares.
        smoothing: the prior, in typical purchases.
    """
    import numpy as np
    from scipy.special import gammaincinv

    lift = (taken + smoothing) / (expected + smoothing)
    low = np.minimum(lift, 1.0)
    above = lift > 1
    # The lower end decides only where the lift is above 1, and it is the dear part.
    low[above] = gammaincinv(taken[above] + smoothing, _RISK) / (expected[above] + smoothing)
    return lift, low
