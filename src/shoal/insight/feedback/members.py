"""Who is in which segment, as arrays: for what is worked out a customer at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from shoal.insight.evaluation import Evaluation
    from shoal.sql.store import Store

    Keys = npt.NDArray[Any]
    Mask = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Members:
    """The customers of an evaluation, ascending, and for each segment one yes/no a customer."""

    customers: Keys
    masks: Mapping[str, Mask]

    def of(self, owners: Keys) -> dict[str, Mask]:
        """For each segment, whether each of these customers is in it; unknown ones are in none."""
        import numpy as np

        if not self.customers.size:
            return {slug: np.zeros(len(owners), dtype=bool) for slug in self.masks}
        place = np.minimum(np.searchsorted(self.customers, owners), len(self.customers) - 1)
        known = self.customers[place] == owners
        return {slug: mask[place] & known for slug, mask in self.masks.items()}


def members(store: Store, evaluation: Evaluation) -> Members:
    """Read an evaluation into arrays."""
    import numpy as np

    columns = "".join(f', coalesce("{column}", false) AS "{column}"' for column in evaluation.columns.values())
    table = store.arrow(f"SELECT customer{columns} FROM {evaluation.table} ORDER BY customer")
    masks = {
        slug: np.asarray(table[column].to_numpy(zero_copy_only=False), dtype=bool)
        for slug, column in evaluation.columns.items()
    }
    return Members(np.asarray(table["customer"].to_numpy()), masks)
