"""The customers of the resident state: a row for each id, who stands for whom, and since when each exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shoal.live.columns import grown
from shoal.live.values import FAR

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt


class People:
    """Rows by id. A merged-away id keeps its row; who stands for it answers for both."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.first: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._rows: dict[str, int] = {}
        self._kept: dict[int, int] = {}
        self._members: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def fill(self, ids: Iterable[str], first: npt.NDArray[np.int64]) -> None:
        """Set all rows: their ids, and the earliest instant of anything of theirs (``FAR``: nothing yet)."""
        self.ids = list(ids)
        self._rows = {one: row for row, one in enumerate(self.ids)}
        self.first = first

    def row(self, customer: str) -> int:
        """The row of an id; a new one gets the next."""
        found = self._rows.get(customer)
        if found is None:
            found = self._rows[customer] = len(self.ids)
            self.ids.append(customer)
            self.first = grown(self.first, found + 1, FAR)
            self.first[found] = FAR
        return found

    def known(self, customer: str) -> int | None:
        """The row of an id, None where there is none."""
        return self._rows.get(customer)

    def seen(self, row: int, ts: int) -> None:
        """Something of this customer's happened at ``ts``."""
        if ts < self.first[row]:
            self.first[row] = ts

    # ------------------------------------------------------------ merges

    def survivor(self, row: int) -> int:
        """Who stands for a row: itself, where it wasn't merged away."""
        while row in self._kept:
            row = self._kept[row]
        return row

    def join(self, kept: int, gone: int) -> None:
        """``gone`` joins ``kept``."""
        self._kept[gone] = kept
        self._regroup()

    def separate(self, gone: int) -> None:
        """Take a merge back."""
        self._kept.pop(gone, None)
        self._regroup()

    def _regroup(self) -> None:
        self._members = {}
        for gone in self._kept:
            self._members.setdefault(self.survivor(gone), []).append(gone)

    def members(self, row: int) -> list[int]:
        """All rows that a survivor stands for, the own one first."""
        return [row, *self._members.get(row, ())]

    def gone(self, row: int) -> bool:
        """Whether a row was merged into another."""
        return row in self._kept

    @property
    def gone_rows(self) -> list[int]:
        """The rows that were merged into others."""
        return list(self._kept)

    def exists_from(self, row: int) -> int:
        """The earliest instant of anything of a survivor's."""
        if row not in self._members:
            return int(self.first[row])
        return min(int(self.first[one]) for one in self.members(row))

    def forget(self, row: int) -> str:
        """Erase an id; the row stays empty. Returns a name that nobody bears, which stands there now."""
        old = self.ids[row]
        self._rows.pop(old, None)
        self.ids[row] = ""
        self.first[row] = FAR
        self._kept.pop(row, None)
        self._regroup()
        return old
