"""Cut points that computed traits were made with: recorded once, frozen until someone recalibrates on purpose.

Scores that follow the data's own quantiles at every run never change their shares, so that "Champions grew by 10 %"
would mean nothing. Each calibration is a version in the store's ``definitions``, of the kind ``cutpoints``.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shoal.sql.store import Store

KIND = "cutpoints"


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
    """Keep a calibration as a new version, and return its number; an unchanged one stays as it is."""
    text = json.dumps(document, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    rows = store.rows(
        "SELECT version, hash FROM definitions WHERE kind = ? AND slug = ? ORDER BY version DESC LIMIT 1", [kind, slug]
    )
    version, last = rows[0] if rows else (0, None)
    if last == digest:
        return int(version)
    store.execute(
        "INSERT INTO definitions (kind, slug, version, document, hash, received) VALUES (?, ?, ?, ?, ?, ?)",
        [kind, slug, version + 1, text, digest, received],
    )
    return int(version) + 1


def history(store: Store, slug: str) -> list[tuple[int, int, dict[str, Any]]]:
    """Every calibration there was: (version, when it was recorded, the cut points)."""
    return [
        (version, received, json.loads(document))
        for version, received, document in store.rows(
            "SELECT version, received, document FROM definitions WHERE kind = ? AND slug = ? ORDER BY version",
            [KIND, slug],
        )
    ]
