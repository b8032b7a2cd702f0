"""Which message ids were acknowledged: the first copy of a message stays, others are dropped and counted.

Every id of the store is held as 8 bytes of its hash, in sorted runs; two ids of one hash are told apart by asking the
store, which happens once in many millions of messages, and for true copies.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

RUN = 1 << 17
"""So many ids are held as they are before they are sealed into a run of hashes."""


class Seen:
    """The message ids that are known.

    Args:
        stored: says of an id whether the store has it.
    """

    def __init__(self, stored: Callable[[str], bool]) -> None:
        self._stored = stored
        self._fresh: dict[str, None] = {}
        self._rolled: dict[str, None] = {}
        self._runs: list[npt.NDArray[np.uint64]] = []

    def fill(self, ids: Iterable[str]) -> None:
        """Take in the ids of the store."""
        hashes = np.fromiter((_hash(one) for one in ids), np.uint64)
        if len(hashes):
            self._add_run(np.sort(hashes))

    def add(self, message: str) -> bool:
        """Note an id; False where it was known already."""
        return self.add_all((message,))[0]

    def add_all(self, messages: Sequence[str]) -> list[bool]:
        """Note ids; of each whether it is new. Of copies among them the first is."""
        fresh, rolled = self._fresh, self._rolled
        found = []
        for message in messages:
            new = message not in fresh and message not in rolled
            if new:
                fresh[message] = None
            found.append(new)
        if self._runs:
            wanted = np.fromiter(map(_hash, messages), np.uint64, len(messages))
            for run in self._runs:
                places = np.minimum(np.searchsorted(run, wanted), len(run) - 1)
                for i in np.flatnonzero(run[places] == wanted).tolist():
                    if found[i] and self._stored(messages[i]):
                        found[i] = False
                        del fresh[messages[i]]
        return found

    @classmethod
    def of(cls, stored: Callable[[str], bool], texts: Iterable[str], runs: Iterable[npt.NDArray[np.uint64]]) -> Seen:
        """The ids of ``texts`` and ``runs``."""
        found = cls(stored)
        found._fresh, found._runs = dict.fromkeys(texts), list(runs)
        return found

    def texts(self) -> list[str]:
        """The ids that are held as they are."""
        return [*self._rolled, *self._fresh]

    @property
    def runs(self) -> tuple[npt.NDArray[np.uint64], ...]:
        """The hashes of the others, in sorted runs, which are only ever replaced by others."""
        return tuple(self._runs)

    def roll(self) -> bool:
        """Set aside the ids so far, where they are many: once all of them are in the store, ``seal``."""
        if len(self._fresh) < RUN or self._rolled:
            return False
        self._rolled, self._fresh = self._fresh, {}
        return True

    def seal(self) -> None:
        """Keep only the hashes of the ids that were set aside; the store has them by now."""
        self._add_run(np.sort(np.fromiter(map(_hash, self._rolled), np.uint64, len(self._rolled))))
        self._rolled = {}

    def _add_run(self, run: npt.NDArray[np.uint64]) -> None:
        """Add a run; runs of like length become one, so that there are few."""
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]))
        self._runs.append(run)

    def __len__(self) -> int:
        return len(self._fresh) + len(self._rolled) + sum(map(len, self._runs))


def _hash(message: str) -> int:
    return int.from_bytes(blake2b(message.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
