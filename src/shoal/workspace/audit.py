"""Who changed what, and when: entries are only ever added. Instants are of the real clock.

A customer stands in an entry as the number under which the store keeps them, which nobody bears any more once they are erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoal.sql.store import Store

_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that somebody did.

    Args:
        seq: its number, from 1 on.
        at: when.
        person: the id of who; empty where it was nobody who is known, as in a failed attempt to sign in.
        action: what, as ``segment changed``.
        about: what it was done to, as the slug of a segment.
        customer: the store's number of the customer whom it was about.
        detail: more of it.
    """

    seq: int
    at: int
    person: str
    action: str
    about: str
    customer: int | None
    detail: str


class Audit:
    """The entries.

    Args:
        store: a connection that nobody else uses meanwhile.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()

    def note(
        self, person: str, action: str, about: str = "", detail: str = "", *, now: int, customer: str | None = None
    ) -> None:
        """Add an entry.

        Args:
            person: the id of who did it.
            action: what they did.
            about: to what; nothing of a customer may stand there.
            detail: more of it; nothing of a customer may stand there either.
            now: the instant of the real clock.
            customer: the id of the customer whom it was about.
        """
        with self._lock, self._store.transaction():
            self._store.execute(
                "INSERT INTO audit SELECT (SELECT coalesce(max(seq), 0) + 1 FROM audit), ?, ?, ?, ?, "
                "(SELECT key FROM customers WHERE id = ?), ?",
                [now, person, action, about[:_LONGEST], customer, detail[:_LONGEST]],
            )

    def entries(
        self, search: str = "", *, people: list[str] | None = None, before: int | None = None, most: int = 100
    ) -> list[Entry]:
        """Entries, the newest first.

        Args:
            search: words that stand in the action, in what it was done to or in the detail.
            people: ids of people whose entries are found too, whatever the words are.
            before: the number of an entry; only older ones are given.
            most: so many at most.
        """
        where, values = "seq < ?", [before or 1 << 62]
        parameters: list[object] = list(values)
        words = search.lower().split()
        if words:
            text = "lower(concat_ws(' ', action, about, detail))"
            where += (
                f" AND (list_contains(?::VARCHAR[], person) OR ({' AND '.join([f'contains({text}, ?)'] * len(words))}))"
            )
            parameters += [people or [], *words]
        with self._lock:
            rows = self._store.rows(
                f"SELECT seq, ts, person, action, about, who, detail FROM audit WHERE {where} ORDER BY seq DESC LIMIT ?",
                [*parameters, most],
            )
        return [Entry(*row) for row in rows]

    def customers(self, keys: set[int]) -> dict[int, str]:
        """The ids of customers by the store's numbers; those who were erased are left out."""
        if not keys:
            return {}
        with self._lock:
            rows = self._store.rows(
                "SELECT key, id FROM customers WHERE key IN (SELECT unnest(?::INTEGER[]))", [sorted(keys)]
            )
        return dict(rows)

    def close(self) -> None:
        """Release the connection."""
        self._store.close()
