"""When whom a segment was entered or left by: few customers of many, so only those are held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.live.table import Entry

if TYPE_CHECKING:
    import numpy.typing as npt

_MOST_LOOSE = 1 << 16


class Happened:
    """Instants by customer, of one segment and one kind of change."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.columns: dict[str, Any] = {}
        self.rows: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self.ts: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._late: dict[int, tuple[int, ...]] = {}
        self._many = 0

    def extend(self, rows: npt.NDArray[Any], ts: npt.NDArray[Any]) -> None:
        """Add the instants of many customers."""
        self._pack()
        rows = np.concatenate((self.rows, rows.astype(np.int32)))
        ts = np.concatenate((self.ts, ts.astype(np.int64)))
        order = np.lexsort((ts, rows))
        self.rows, self.ts = rows[order], ts[order]

    def insert(self, row: int, ts: int, mid: str = "", values: Any = None) -> None:
        """Add an instant."""
        self._late[row] = (*self._late.get(row, ()), ts)
        self._many += 1
        if self._many > _MOST_LOOSE:
            self.extend(np.empty(0, np.int32), np.empty(0, np.int64))

    def _pack(self) -> None:
        late, self._late, self._many = self._late, {}, 0
        if late:
            rows = [row for row, found in late.items() for _ in found]
            self.extend(np.array(rows, np.int32), np.array([ts for found in late.values() for ts in found], np.int64))

    def instants(self, row: int) -> list[int]:
        """A customer's, in order."""
        low, high = np.searchsorted(self.rows, (row, row + 1)) if len(self.rows) else (0, 0)
        return sorted([*self.ts[low:high].tolist(), *self._late.get(row, ())])

    def entries(self, row: int) -> list[Entry]:
        """A customer's, as entries."""
        return [Entry(ts, "", self, 0) for ts in self.instants(row)]  # type: ignore[arg-type]

    def has(self, row: int) -> bool:
        """Whether a customer has any."""
        return bool(self.instants(row))

    def customers(self) -> npt.NDArray[np.int32]:
        """All customers that have any."""
        self._pack()
        return np.unique(self.rows)

    def clear(self, row: int) -> None:
        """Forget a customer's."""
        self._pack()
        keep = self.rows != row
        self.rows, self.ts = self.rows[keep], self.ts[keep]

    def late(self) -> dict[int, tuple[int, ...]]:
        """What stands loose beside ``rows`` and ``ts``, which are only ever replaced by others."""
        return self._late.copy()

    def arrays(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Customers and instants, in order."""
        self._pack()
        return self.rows, self.ts

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self.rows.nbytes + self.ts.nbytes + 200 * len(self._late)
