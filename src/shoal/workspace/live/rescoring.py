"""Scores that follow a customer's own events: worked out anew a moment after an order, and put through the log.

A model whose scores have a closed form needs no run for that: its parameters stay as they were fitted, and an order
changes what they say of the customer. What time alone changes is left to the next run of the models.
"""

from __future__ import annotations

import logging
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING

from shoal.customers.identity.changes import Merged, Separated
from shoal.errors import ShoalError
from shoal.insight.models import versions
from shoal.insight.models.asof import AsOf
from shoal.workspace.live.scoring import changed, pieces
from shoal.workspace.models import is_event_driven, noted, own_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shoal.clock import Clock
    from shoal.insight.models.versions import Version
    from shoal.shapes import RevenueRule
    from shoal.sql.store import Store
    from shoal.workspace.live.core import Applied, Core
    from shoal.workspace.live.scoring import Scored

PAUSE = 1.0
"""Seconds between two looks at who has ordered."""
_logger = logging.getLogger("shoal.live")


class Rescoring:
    """Works on a store of its own (a cursor), on a thread of its own.

    Args:
        store: its connection; nobody else uses it.
        rule: which events say what was bought and for how much.
        clock: the workspace's.
        core: gives the state of now.
        flush: brings to the store what has taken effect.
        order: puts scores into the log.
    """

    def __init__(
        self,
        store: Store,
        rule: RevenueRule,
        clock: Clock,
        core: Callable[[], Core],
        flush: Callable[[], bool],
        order: Callable[[Scored], object],
    ) -> None:
        self._store, self._rule, self._clock = store, rule, clock
        self._core, self._flush, self._order = core, flush, order
        self._names: Collection[str] = {rule.orders, *rule.events, *rule.cost}
        self._waiting: set[str] = set()
        self._turn, self._stop = Lock(), Flag()
        self._thread = Thread(target=self._run, name="rescoring", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; who is still waited for is scored by the next run."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._store.close()

    def note(self, applied: Applied) -> None:
        """Remember who bought something, gave it back, or became one with another."""
        found = [c for name, rows in applied.events.items() if name in self._names for c in rows.customers]
        for change in applied.identity:
            if isinstance(change, Merged):
                found.append(change.kept)
            elif isinstance(change, Separated):
                found += (change.kept, change.gone)
        if found:
            with self._turn:
                self._waiting.update(found)

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            with self._turn:
                waiting, self._waiting = self._waiting, set()
            if not waiting:
                continue
            try:
                held = [v for v in versions.in_force(self._store) if is_event_driven(v)]
                if held:
                    self._score(held, waiting)
            except ShoalError:
                # The next order, or the next run, brings these scores up to date.
                _logger.exception("scores of %d customers weren't worked out", len(waiting))

    def _score(self, held: list[Version], customers: set[str]) -> None:
        if not self._flush():
            return
        at = self._clock.now()
        with AsOf(self._store, self._rule, self._core().schema, at) as whole, whole.only(customers) as known:
            for version in held:
                columns = own_scores(version, known)
                by, note = f"model {version.name}", noted(version)
                found, _ = changed(self._store, by, columns, at, note, whole=False, complete=False)
                for piece in pieces(found):
                    self._order(piece)
