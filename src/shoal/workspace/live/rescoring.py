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
from shoal.workspace.live.scoring import changed
from shoal.workspace.models import for_everybody, is_event_driven, noted, own_scores

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
        models: the names of the workspace's models; others are left alone.
        order: puts scores into the log, unless the flag is set meanwhile.
        stored: the position of the last entry that the store has.
    """

    def __init__(
        self,
        store: Store,
        rule: RevenueRule,
        clock: Clock,
        core: Callable[[], Core],
        flush: Callable[[], bool],
        models: Collection[str],
        order: Callable[[Scored, Flag], None],
        stored: Callable[[], int],
    ) -> None:
        self._store, self._rule, self._clock, self._models = store, rule, clock, models
        self._core, self._flush, self._order, self._stored = core, flush, order, stored
        self._names: Collection[str] = frozenset(rule.names)
        self._waiting: dict[str, int] = {}
        self._position = 0
        self._known: dict[tuple[str, int], Version | None] = {}
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
        """Remember who bought something, gave it back, or became one with another; and from when on that can be read."""
        found = [
            pair
            for name, rows in applied.events.items()
            if name in self._names
            for pair in zip(rows.customers, rows.ts, strict=True)
        ]
        for change in applied.identity:
            if isinstance(change, Merged):
                found.append((change.kept, 0))
            elif isinstance(change, Separated):
                found += ((change.kept, 0), (change.gone, 0))
        if found:
            self._wait_for(found, applied.position)

    def _wait_for(self, found: Collection[tuple[str, int]], position: int) -> None:
        with self._turn:
            for customer, ts in found:
                self._waiting[customer] = max(ts, self._waiting.get(customer, 0))
            self._position = max(self._position, position)

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            try:
                self._look()
            except Exception:
                # Whatever it was, the thread goes on: the next order, or the next run, brings scores up to date.
                _logger.exception("scores weren't worked out")

    def _look(self) -> None:
        """Score who ordered, as far as the store has it and the order's time has come by our clock."""
        now = self._clock.now()
        with self._turn:
            ready = {customer for customer, ts in self._waiting.items() if ts <= now}
            position = self._position
        if not ready:
            return
        held = self._held()
        if held and not (self._flush() and self._stored() >= position):
            return
        with self._turn:
            for customer in ready:
                if self._waiting.get(customer, now + 1) <= now:
                    del self._waiting[customer]
        if held:
            self._score(held, ready)

    def _held(self) -> list[Version]:
        """The versions in force whose scores follow events; each is read once."""
        found = []
        for name, number in versions.chosen(self._store).items():
            if name not in self._models:
                continue
            if (name, number) not in self._known:
                self._known[name, number] = self._read(name, number)
            version = self._known[name, number]
            if version is not None:
                found.append(version)
        return found

    def _read(self, name: str, number: int) -> Version | None:
        try:
            version = versions.version(self._store, name, number)
            return version if is_event_driven(version) else None
        except ShoalError as error:
            _logger.warning("the scores of the model %s don't follow orders: %s", name, error)
            return None

    def _score(self, held: list[Version], customers: set[str]) -> None:
        at = self._clock.now()
        with AsOf(self._store, self._rule, self._core().schema, at) as whole, whole.only(customers) as known:
            for version in held:
                try:
                    columns = [for_everybody(score, known) for score in own_scores(version, known)]
                except ShoalError as error:
                    _logger.warning("%s says nothing of %d customers: %s", version.name, len(customers), error)
                    continue
                by, note = f"model {version.name}", noted(version)
                found = changed(self._store, by, columns, at, note, whole=False, complete=False)
                for piece in found.pieces():
                    self._order(piece, self._stop)
