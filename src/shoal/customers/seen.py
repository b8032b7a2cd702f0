"""Which message ids were acknowledged: the first copy of a message stays, others are dropped and counted.

Every id of the store is held as 8 bytes of its hash, in sorted runs; two ids of one hash are told apart by asking the
store, which happens once in many millions of messages, and for true copies.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

try:
    # A quarter of the time that the one of OpenSSL takes for a few bytes.
    from _md5 import md5  # type: ignore[import-not-found]
except ImportError:
    import hashlib

    md5 = partial(hashlib.md5, usedforsecurity=False)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    import numpy.typing as npt

    Hashes = npt.NDArray[np.uint64]

RUN = 1 << 17
"""So many ids are held as they are before they are sealed into a run of hashes."""


class Seen:
    """The message ids that are known.

    Args:
        stored: says which of some ids the store has.
    """

    def __init__(self, stored: Callable[[Sequence[str]], Collection[str]]) -> None:
        self._stored = stored
        self._fresh: dict[str, None] = {}
        self._hashes: list[Hashes] = []
        """Of the fresh ids, and of copies that came meanwhile."""
        self._rolled: dict[str, None] = {}
        self._rolled_hashes: list[Hashes] = []
        self._runs: list[Hashes] = []

    def fill(self, hashes: Hashes) -> None:
        """Take in the ids of the store, by what DuckDB's ``md5_number_lower`` makes of them."""
        if len(hashes):
            self._runs = _with_run(self._runs, np.sort(hashes))

    def add_all(self, messages: Sequence[str]) -> list[bool]:
        """Note ids; of each whether it is new. Of copies among them the first is."""
        fresh, rolled = self._fresh, self._rolled
        found = []
        for message in messages:
            new = message not in fresh and message not in rolled
            if new:
                fresh[message] = None
            found.append(new)
        hashes = _hashed(messages)
        self._hashes.append(hashes)
        if doubtful := self._doubtful(hashes, found):
            stored = self._stored([messages[i] for i in doubtful])
            for i in doubtful:
                if messages[i] in stored:
                    found[i] = False
                    del fresh[messages[i]]
        return found

    def _doubtful(self, hashes: Hashes, new: list[bool]) -> list[int]:
        """The places of ids that seem new, and whose hash is known."""
        found: set[int] = set()
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            found.update(i for i in np.flatnonzero(run[places] == hashes).tolist() if new[i])
        return sorted(found)

    @classmethod
    def of(
        cls, stored: Callable[[Sequence[str]], Collection[str]], texts: Sequence[str], runs: Iterable[Hashes]
    ) -> Seen:
        """The ids of ``texts`` and ``runs``."""
        found = cls(stored)
        found._fresh, found._hashes, found._runs = dict.fromkeys(texts), [_hashed(texts)], list(runs)
        return found

    def texts(self) -> list[str]:
        """The ids that are held as they are."""
        return [*self._rolled, *self._fresh]

    @property
    def runs(self) -> tuple[Hashes, ...]:
        """The hashes of the others, in sorted runs, which are only ever replaced by others."""
        return tuple(self._runs)

    def roll(self) -> bool:
        """Set aside the ids so far, where they are many: once all of them are in the store, ``seal``."""
        if len(self._fresh) < RUN or self._rolled:
            return False
        self._rolled, self._fresh = self._fresh, {}
        self._rolled_hashes, self._hashes = self._hashes, []
        return True

    def seal(self) -> None:
        """Keep only the hashes of the ids that were set aside; the store has them by now.

        This takes a while, and may be done on another thread than the one that adds.
        """
        if not self._rolled:
            return
        self._runs = _with_run(self._runs, np.sort(np.concatenate(self._rolled_hashes)))
        self._rolled, self._rolled_hashes = {}, []

    def __len__(self) -> int:
        return len(self._fresh) + len(self._rolled) + sum(map(len, self._runs))


def _with_run(runs: list[Hashes], run: Hashes) -> list[Hashes]:
    """The runs and one more; runs of like length become one, so that there are few."""
    runs = list(runs)
    while runs and len(runs[-1]) <= 2 * len(run):
        # What is sorted in two parts is merged by this sort in one pass.
        run = np.sort(np.concatenate([runs.pop(), run]), kind="stable")
    return [*runs, run]


def _hashed(messages: Sequence[str]) -> Hashes:
    digests = b"".join([md5(one.encode("utf-8", "surrogatepass")).digest() for one in messages])
    return np.frombuffer(digests, "<u8")[1::2].astype(np.uint64)
