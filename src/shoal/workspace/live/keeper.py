"""The background writer: what entries of the log came to, into the store, in large batches.

A batch is one transaction with the position of its last entry; so after a crash the store says from which entry on the log
has to be read again.
"""

from __future__ import annotations

import json
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.customers.identity.tables import merges_of
from shoal.customers.identity.tables import write as write_identity
from shoal.customers.rows import EventRows, write_rows
from shoal.customers.writer import write_records
from shoal.live.changes import WHATS, Changes
from shoal.sql.layout import set_meta
from shoal.sql.store import registered
from shoal.workspace.live.issues import Issues
from shoal.workspace.live.scoring import prepare as prepare_scores
from shoal.workspace.live.scoring import write as write_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from shoal.lang.calendar import Zone
    from shoal.lang.schema import PropertyType
    from shoal.sql.store import Store
    from shoal.workspace.live.core import Applied

LOG_POSITION = "log_position"
LIVE_NOW = "live_now"
LIVE_DEFINITIONS = "live_definitions"
"""In ``meta``: the definitions in force at the last entry that the store has, as JSON. Files may have changed since."""
PAUSE = 2.0
"""Seconds between batches, unless one is full or awaited before: however few its rows are, each has its own cost."""
FULL = 50_000
"""Records that make a batch full."""
TOGETHER = 1_000_000
"""Changes of memberships that one statement writes at most."""


class Keeper:
    """Writes to a store of its own (a cursor), on a thread of its own.

    Args:
        store: its connection; nobody else uses it.
        zone: the workspace's.
        types: of the properties of each event; they grow while it works.
        position: up to which the store has the log's entries.
        failed: told once of an error that stopped the writing.
    """

    def __init__(
        self,
        store: Store,
        zone: Zone,
        types: Mapping[str, Mapping[str, PropertyType]],
        position: int,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._store, self._zone, self.types, self._failed = store, zone, types, failed
        self._issues = Issues(store)
        self._waiting: list[Applied] = []
        self._records = 0
        self._state = Condition()
        self._closing = False
        self._flushing = False
        self._last = position
        self.stored = position
        """The position of the last entry that is in the store."""
        self._thread = Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Records that wait to be written."""
        return self._records

    def take(self, applied: Applied) -> None:
        """Take what an entry came to; those that the store has already are passed over."""
        if applied.position <= self.stored:
            return
        with self._state:
            self._waiting.append(applied)
            self._last = applied.position
            self._records += applied.size
            if self._records >= FULL:
                self._state.notify_all()

    def flush(self, timeout: float = 60.0) -> bool:
        """Write all that waits now; says whether it was done in time."""
        with self._state:
            target = self._last
            self._flushing = True
            self._state.notify_all()
            return self._state.wait_for(lambda: self.stored >= target or not self._thread.is_alive(), timeout)

    def close(self) -> None:
        """Write what waits, and end."""
        with self._state:
            self._closing = True
            self._state.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                with self._state:
                    self._state.wait_for(lambda: self._closing or self._flushing or self._records >= FULL, PAUSE)
                    batch, self._waiting = self._waiting, []
                    size, closing, self._flushing = self._records, self._closing, False
                if batch:
                    self._write(batch)
                    with self._state:
                        self.stored = batch[-1].position
                        self._records -= size
                        self._state.notify_all()
                    _let_go(batch)
                elif closing:
                    return
        except BaseException as error:
            self._failed(error)
            with self._state:
                self._state.notify_all()

    def _write(self, batch: Sequence[Applied]) -> None:
        """One transaction: who is who, records, changes of memberships, and how far the log is read."""
        store = self._store
        last = batch[-1]
        identity = [change for applied in batch for change in applied.identity]
        records: list[Any] = [*merges_of(identity), *(record for applied in batch for record in applied.records)]
        events: dict[str, EventRows] = {}
        for applied in batch:
            for name, rows in applied.events.items():
                events.setdefault(name, EventRows()).extend(rows)
        with store.transaction():
            write_identity(store, identity)
            write_rows(store, events, {name: dict(self.types[name]) for name in events}, zone=self._zone)
            scores = [scored for applied in batch for scored in applied.scores]
            prepare_scores(store, scores)
            if records:
                write_records(store, records, zone=self._zone, received=last.at)
            write_scores(store, scores, last.at)
            self._write_changes(batch)
            self._write_refused(batch)
            self._issues.write(issue for applied in batch for issue in applied.issues)
            set_meta(store, LOG_POSITION, str(last.position))
            set_meta(store, LIVE_NOW, str(last.at))
            if defined := [applied.definitions for applied in batch if applied.definitions is not None]:
                set_meta(store, LIVE_DEFINITIONS, json.dumps(defined[-1]))

    def _write_changes(self, batch: Sequence[Applied]) -> None:
        waiting: list[_Piece] = []
        for piece in _pieces(batch):
            many = sum(len(one.changes) for one in waiting) + len(piece.changes)
            if waiting and (many > TOGETHER or piece.changes.ids is not waiting[0].changes.ids):
                self._insert_changes(waiting)
                waiting = []
            waiting.append(piece)
        if waiting:
            self._insert_changes(waiting)

    def _insert_changes(self, pieces: Sequence[_Piece]) -> None:
        with registered(self._store, "incoming_changes", _table_of(pieces)) as relation:
            # Who has a consent or a place on a list and nothing else yet isn't a customer, and in no segment.
            self._store.execute(
                "INSERT INTO membership_changes SELECT i.seq, i.segment, c.key, i.what, i.ts, i.received, i.because "
                f"FROM {relation} i JOIN customers c ON c.id = i.id ORDER BY i.seq"
            )

    def _write_refused(self, batch: Sequence[Applied]) -> None:
        """What couldn't be taken, with its reason and its place in the log."""
        for applied in batch:
            for refused in applied.refused:
                self._store.execute(
                    "INSERT INTO quarantine SELECT coalesce(max(id), 0) + 1, 0, 'live', 'log', ?, ?, ?, ?, ?, NULL "
                    "FROM quarantine",
                    [applied.position, refused.code, refused.reason, refused.content, refused.received],
                )


def _let_go(batch: list[Applied]) -> None:
    """Free what was written, an entry at a time."""
    while batch:
        applied = batch.pop()
        for rows in applied.events.values():
            rows.let_go()


class _Piece(NamedTuple):
    """Changes of one entry: their numbers from the first on, and when the entry came."""

    changes: Changes
    first: int
    at: int


def _pieces(batch: Sequence[Applied]) -> Iterator[_Piece]:
    """The changes of entries, at most ``TOGETHER`` in a piece."""
    for applied in batch:
        for begin in range(0, len(applied.changes), TOGETHER):
            yield _Piece(applied.changes[begin : begin + TOGETHER], applied.numbers[begin], applied.at)


def _table_of(pieces: Sequence[_Piece]) -> pa.Table:
    """Changes of entries, texts as numbers of words."""
    import pyarrow as pa

    changes = Changes.joined([piece.changes for piece in pieces])
    sizes = [len(piece.changes) for piece in pieces]
    rows, whose = np.unique(changes.rows, return_inverse=True)
    words = {
        "id": (whose, changes.ids.texts(rows)),
        "segment": (changes.segments, changes.slugs),
        "what": (changes.whats, WHATS),
        "because": (changes.places_of_causes, changes.causes),
    }
    return pa.table({
        **{
            name: pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), pa.array(list(texts), pa.string()))
            for name, (places, texts) in words.items()
        },
        "ts": pa.array(np.ascontiguousarray(changes.at, np.int64)),
        "seq": pa.array(np.concatenate([np.arange(piece.first, piece.first + len(piece.changes)) for piece in pieces])),
        "received": pa.array(np.repeat(np.array([piece.at for piece in pieces], np.int64), sizes)),
    })  # fmt: skip
