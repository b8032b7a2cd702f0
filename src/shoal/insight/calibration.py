"""Cut points that computed traits were made with: recorded once, frozen until someone recalibrates on purpose.

Scores that follow the data's own quantiles at every run never change their shares, so that "Champions grew by 10 %"
would mean nothing. Each calibration is a version in the store's ``definitions``, of the kind ``cutpoints``.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from shoal.errors import StatementError

if TYPE_CHECKING:
    from shoal.sql.store import Store

KIND = "cutpoints"
TRIES = 20
"""So often a number is asked for that somebody else takes at the same moment."""
_TAKEN = "constraint"
"""In what the database says of a number that is there already."""


def recorded(store: Store, slug: str) -> dict[str, Any] | None:
    """The calibration in force, or None where there was none yet."""
    rows = store.rows(
        "SELECT document, removed FROM definitions WHERE kind = ? AND slug = ? ORDER BY version DESC LIMIT 1",
        [KIND, slug],
    )
    if not rows or rows[0][1]:
        return None
    found: dict[str, Any] = json.loads(rows[0][0])
    return found


def record(store: Store, slug: str, document: dict[str, Any], received: int, kind: str = KIND) -> int:
    """Keep a calibration as a new version, and return its number; an unchanged one stays as it is.

    Whoever keeps another one at the same moment, on a connection of their own, gets the number before or behind; inside a
    transaction nobody else's can be seen, so that there the second one is refused.
    """
    text = json.dumps(document, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    for left in reversed(range(TRIES)):
        number, last = _newest(store, slug, kind)
        if last == digest:
            return number
        try:
            store.execute(
                "INSERT INTO definitions (kind, slug, version, document, hash, received) VALUES (?, ?, ?, ?, ?, ?)",
                [kind, slug, number + 1, text, digest, received],
            )
        except StatementError as error:
            if not left or _TAKEN not in error.reason.lower():
                raise
        else:
            break
    return number + 1


def _newest(store: Store, slug: str, kind: str) -> tuple[int, str | None]:
    """The newest version's number and hash; 0 where there is none."""
    rows = store.rows(
        "SELECT version, hash FROM definitions WHERE kind = ? AND slug = ? ORDER BY version DESC LIMIT 1", [kind, slug]
    )
    return rows[0] if rows else (0, None)


def history(store: Store, slug: str) -> list[tuple[int, int, dict[str, Any]]]:
    """Every calibration there was: (version, when it was recorded, the cut points)."""
    return [
        (version, received, json.loads(document))
        for version, received, document in store.rows(
            "SELECT version, received, document FROM definitions WHERE kind = ? AND slug = ? ORDER BY version",
            [KIND, slug],
        )
    ]
