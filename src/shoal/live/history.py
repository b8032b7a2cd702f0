"""When whom a segment was entered or left by: few customers of many, so only those are held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from shoal.live.table import Entry

if TYPE_CHECKING:
    import numpy.typing as npt

    Run = tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]

_MOST_LOOSE = 1 << 13
_FEW, _MOST_RUNS = 32, 8
"""So few are added one by one; so many runs stand beside each other at most."""


class Happened:
    """Instants by customer, of one segment and one kind of change."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.columns: dict[str, Any] = {}
        self.runs: tuple[Run, ...] = ()
        """Customers and instants in order, in a few runs."""
        self._late: dict[int, tuple[int, ...]] = {}
        self._many = 0

    def extend(self, rows: npt.NDArray[Any], ts: npt.NDArray[Any]) -> None:
        """Add the instants of many customers."""
        if not len(rows):
            return
        run = _in_order(rows.astype(np.int32), ts.astype(np.int64))
        runs = list(self.runs)
        while runs and len(runs[-1][0]) <= 2 * len(run[0]):
            run = _together(runs.pop(), run)
        self.runs = (*runs, run)

    def add(self, rows: npt.NDArray[Any], ts: npt.NDArray[Any]) -> None:
        """Add instants that are in order by customer; of few segments at once runs are merged, so that nobody waits long."""
        if len(rows) <= _FEW:
            for row, at in zip(rows.tolist(), ts.tolist(), strict=True):
                self.insert(row, at)
            return
        self.runs = (*self.runs, (rows.astype(np.int32), ts.astype(np.int64)))
        if len(self.runs) > _MOST_RUNS + crc32(self.name.encode()) % _MOST_RUNS:
            runs = list(self.runs)
            run = runs.pop()
            while runs and len(runs[-1][0]) <= 2 * len(run[0]):
                run = _together(runs.pop(), run)
            self.runs = (*runs, run)

    def insert(self, row: int, ts: int, mid: str = "", values: Any = None) -> None:
        """Add an instant."""
        self._late[row] = (*self._late.get(row, ()), ts)
        self._many += 1
        if self._many > _MOST_LOOSE:
            self._gather()

    def _gather(self) -> None:
        late, self._late, self._many = self._late, {}, 0
        if late:
            rows = [row for row, found in late.items() for _ in found]
            self.extend(np.array(rows, np.int32), np.array([ts for found in late.values() for ts in found], np.int64))

    def instants(self, row: int) -> list[int]:
        """A customer's, in order."""
        found = list(self._late.get(row, ()))
        for rows, ts in self.runs:
            low, high = np.searchsorted(rows, (row, row + 1))
            if high > low:
                found += ts[low:high].tolist()
        return sorted(found)

    def entries(self, row: int) -> list[Entry]:
        """A customer's, as entries."""
        return [Entry(ts, "", self, 0) for ts in self.instants(row)]  # type: ignore[arg-type]

    def has(self, row: int) -> bool:
        """Whether a customer has any."""
        return bool(self.instants(row))

    def customers(self) -> npt.NDArray[np.int32]:
        """All customers that have any."""
        return np.unique(self.arrays()[0])

    def clear(self, row: int) -> None:
        """Forget a customer's."""
        rows, ts = self.arrays()
        keep = rows != row
        self.runs = ((rows[keep], ts[keep]),)

    def late(self) -> dict[int, tuple[int, ...]]:
        """What stands loose beside ``runs``, whose arrays never change."""
        return self._late.copy()

    def arrays(self) -> Run:
        """Customers and instants, in order."""
        self._gather()
        if not self.runs:
            return np.empty(0, np.int32), np.empty(0, np.int64)
        if len(self.runs) > 1:
            self.runs = (_together(*self.runs),)
        return self.runs[0]

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return sum(rows.nbytes + ts.nbytes for rows, ts in self.runs) + 200 * len(self._late)


def _in_order(rows: npt.NDArray[np.int32], ts: npt.NDArray[np.int64]) -> Run:
    order = np.lexsort((ts, rows))
    return rows[order], ts[order]


def _together(*runs: Run) -> Run:
    return _in_order(np.concatenate([rows for rows, _ in runs]), np.concatenate([ts for _, ts in runs]))
