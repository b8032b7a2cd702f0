"""How often the data has what is suggested: counted once on a thread beside, and kept for a while.

Whoever types doesn't wait: what isn't counted within a moment is suggested without its number, and with it the next time.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import TYPE_CHECKING, Any

from shoal.clock import stopwatch
from shoal.insight.commonest import commonest, event_counts
from shoal.web.masking import is_personal, looks_personal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shoal.sql.store import Store

FRESH = 600.0
"""Seconds for which a count is kept."""
PATIENCE = 0.03
"""Seconds that whoever types waits for a count at most."""
_MOST = 500


class StoreCounts:
    """Counts of a store.

    Args:
        cursor: opens a connection of its own.
    """

    def __init__(self, cursor: Callable[[], Store]) -> None:
        self._cursor = cursor
        self._lock = Lock()
        self._kept: dict[object, tuple[float, Future[Any]]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="counts")

    def events(self) -> Mapping[str, int]:
        """How many events there are of each name."""
        found: Mapping[str, int] = self._asked("events", event_counts) or {}
        return found

    def values(self, name: str, event: str | None = None, items: str | None = None) -> Sequence[tuple[str, int]]:
        """The most frequent values; those that tell who somebody is aren't among them."""
        if is_personal(name):
            return ()
        found = self._asked((name, event, items), lambda store: commonest(store, name, event, items))
        return [one for one in found or () if not looks_personal(one[0])]

    def _asked(self, key: object, work: Callable[[Store], Any]) -> Any:
        """What was counted; None where it takes longer, or failed."""
        now = stopwatch()
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or now - kept[0] > FRESH:
                if len(self._kept) > _MOST:
                    self._kept.clear()
                kept = self._kept[key] = now, self._thread.submit(self._counted, work)
        wait([kept[1]], PATIENCE)
        return kept[1].result() if kept[1].done() and kept[1].exception() is None else None

    def _counted(self, work: Callable[[Store], Any]) -> Any:
        store = self._cursor()
        try:
            return work(store)
        finally:
            store.close()

    def close(self) -> None:
        """Count no more."""
        self._thread.shutdown(wait=True, cancel_futures=True)
