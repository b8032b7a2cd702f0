"""What the store says of a live workspace: changes that were published, message ids, and definitions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from shoal.customers.bulk import message_tables
from shoal.lang.files import definition_from_document
from shoal.live.changes import Change
from shoal.sql.registry import Registry
from shoal.workspace.live.core import Numbered
from shoal.workspace.live.keeper import LIVE_DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.lang.nodes import Definition
    from shoal.sql.store import Store


def defined_in(said: Mapping[str, str]) -> dict[str, Definition] | None:
    """The definitions that were in force at the last entry that the store has; None where it doesn't say."""
    if LIVE_DEFINITIONS not in said:
        return None
    found = map(definition_from_document, json.loads(said[LIVE_DEFINITIONS]))
    return {definition.slug: definition for definition in found}


def newest_change(store: Store) -> int:
    """The number of the newest change that the store has; 0 where there is none."""
    ((last,),) = store.rows("SELECT coalesce(max(seq), 0) FROM membership_changes")
    return int(last)


def stored_changes(store: Store, seq: int, most: int) -> list[Numbered]:
    """The published changes after a number that the store has, at most so many (−1: all)."""
    rows = store.rows(
        "SELECT m.seq, c.id, m.segment, m.change, m.ts, m.because FROM membership_changes m "
        "JOIN customers c ON c.key = m.customer WHERE m.seq > ? ORDER BY m.seq LIMIT ?",
        [seq, most if most >= 0 else 1 << 62],
    )
    return [Numbered(number, Change(*rest)) for number, *rest in rows]


def stored_hashes(store: Store) -> npt.NDArray[np.uint64]:
    """The hashes of all message ids that the store has (see ``customers.seen``)."""
    found = store.arrow(f"SELECT md5_number_lower(message_id) AS hash FROM ({_messages(store)})")["hash"]
    return np.asarray(found.to_numpy(), np.uint64)


def stored_among(store: Store, messages: Sequence[str]) -> set[str]:
    """Which of some message ids the store has."""
    wanted = "message_id IN (SELECT unnest(CAST(? AS VARCHAR[])))"
    rows = store.rows(f"SELECT DISTINCT message_id FROM ({_messages(store)}) WHERE {wanted}", [list(messages)])
    return {found for (found,) in rows}


def _messages(store: Store) -> str:
    tables = [*message_tables(Registry.load(store)), "consents"]
    return " UNION ALL ".join(f"SELECT message_id FROM {table} WHERE message_id IS NOT NULL" for table in tables)
