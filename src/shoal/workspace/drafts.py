"""Definitions in the making: kept for whom they are of, until they are saved or discarded.

Instants are of the real clock.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.sql.store import Store

MOST = 200
"""So many drafts are kept for one person."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A definition that isn't saved yet.

    Args:
        id: by which its maker comes back to it.
        person: the id of whose it is.
        kind: of what, as ``segment``.
        about: the slug of what it changes; empty for something new.
        document: what there is of it.
        created: when it was begun.
        changed: when it was kept last.
    """

    id: str
    person: str
    kind: str
    about: str
    document: Mapping[str, Any]
    created: int
    changed: int


class Drafts:
    """The drafts of a workspace.

    Args:
        store: a connection that nobody else uses meanwhile.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()

    def of(self, person: str, kind: str) -> list[Draft]:
        """Somebody's drafts, those that were changed last first."""
        return self._read("person = ? AND kind = ? ORDER BY changed DESC, id", [person, kind])

    def get(self, draft: str, person: str) -> Draft | None:
        """A draft of somebody's; None where it isn't there, or is somebody else's."""
        return next(iter(self._read("id = ? AND person = ?", [draft, person])), None)

    def _read(self, which: str, values: list[str]) -> list[Draft]:
        with self._lock:
            rows = self._store.rows(
                f"SELECT id, person, kind, about, document, created, changed FROM drafts WHERE {which}", values
            )
        return [Draft(row[0], row[1], row[2], row[3], json.loads(row[4]), row[5], row[6]) for row in rows]

    def keep(
        self, person: str, kind: str, about: str, document: Mapping[str, Any], now: int, draft: str | None = None
    ) -> str:
        """Keep a draft, a new one or one that was kept before; returns its id.

        Raises:
            Refused: they have too many already.
        """
        said = json.dumps(document, ensure_ascii=False)
        if draft is not None and self.get(draft, person) is not None:
            with self._lock:
                self._store.execute("UPDATE drafts SET document = ?, changed = ? WHERE id = ?", [said, now, draft])
            return draft
        if len(self.of(person, kind)) >= MOST:
            raise Refused(f"You have {MOST} drafts already.", fix="Discard those that you don't need.")
        made = secrets.token_urlsafe(8)
        with self._lock:
            self._store.execute(
                "INSERT INTO drafts (id, person, kind, about, document, created, changed) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [made, person, kind, about, said, now, now],
            )
        return made

    def discard(self, draft: str, person: str) -> None:
        """Let a draft of somebody's go."""
        with self._lock:
            self._store.execute("DELETE FROM drafts WHERE id = ? AND person = ?", [draft, person])

    def close(self) -> None:
        """Release the connection."""
        self._store.close()
