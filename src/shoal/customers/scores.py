"""Writing computed traits: by the customers' keys, for the whole base at once, and only where a value changed.

The doors of ``bulk`` take ids of people and must look for customers and messages that they don't know yet. What is
computed from the store itself has neither, so that a trait costs one pass over its values.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shoal.customers.identity import standing_for
from shoal.customers.profiles import current_values
from shoal.sql.layout import meta, set_meta
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    import pyarrow as pa

    from shoal.lang.schema import Kind
    from shoal.sql.registry import Trait
    from shoal.sql.store import Store


COMPUTED = "computed"
"""In the note of a trait: how it is computed."""
NOBODY = "SELECT CAST(NULL AS INTEGER) AS owner, NULL AS value WHERE false"
"""Values of nobody: to write them whole clears a trait."""
BY, TRAITS = "by", "traits"
"""In the note of a trait: who computes it, and who does where nothing stands there."""


def has_computed(store: Store, by: str = TRAITS) -> bool:
    """Whether a writer has written a trait yet."""
    notes = store.rows("SELECT note FROM traits WHERE score")
    return any(json.loads(note or "{}").get(BY, TRAITS) == by for (note,) in notes)


class Scores:
    """Writes computed traits at one instant, inside a transaction of the caller; call ``finish`` at its end.

    Args:
        store: the workspace's store.
        at: the instant that the values hold from.
        received: the clock's now.
        by: who writes; a trait that another one computes is refused, and is never cleared.
    """

    def __init__(self, store: Store, at: int, received: int, by: str = TRAITS) -> None:
        self._store, self._at, self._received, self._by = store, at, received, by
        self._registry = Registry.load(store)
        self._begin = self._line = int(meta(store)["api_line"])
        self._written: list[Trait] = []

    def refusal(self, name: str, kind: Kind) -> str | None:
        """Why a trait can't be written as computed, or None."""
        known = self._registry.trait(name)
        if known is None:
            return None
        if not known.score:
            return "A trait of this name comes from your data, and that one stays."
        if known.kind is not kind:
            return f"A trait of this name is {known.kind.value} in the store, and the computed one {kind.value}."
        other = self._writers().get(known.id, self._by)
        return None if other == self._by else f"A trait of this name is written by another: {other}."

    def _writers(self) -> dict[int, str]:
        """By trait who computes it."""
        notes = self._store.rows("SELECT id, note FROM traits WHERE score AND scope = 'customer' AND note IS NOT NULL")
        read = ((number, json.loads(note)) for number, note in notes)
        return {number: note.get(BY, TRAITS) for number, note in read if COMPUTED in note}

    def write(
        self, name: str, kind: Kind, values: str, says: str, note: Mapping[str, Any], *, whole: bool = True
    ) -> int:
        """Write where the value differs from the one in force, and clear it where there is none any more.

        Args:
            name: the trait's name; ``refusal`` must have nothing against it.
            kind: its type.
            values: SQL that gives (owner, value): a surviving customer's key and the stored form, one row an owner.
            says: how it is computed, for people; kept with the trait.
            note: what else is kept with it.
            whole: the values are of all customers; else customers who aren't among them keep what they have.

        Returns:
            How many customers got another value.
        """
        trait = self._noted(name, kind, says, note)
        return self._insert(trait, self._changes(trait, values, whole))

    def append(self, name: str, kind: Kind, values: str, says: str, note: Mapping[str, Any]) -> int:
        """Write rows that are known to be changes; arguments as of ``write``. A value that is NULL clears the trait.

        ``values`` has a third column, ``nth``: of two rows of one instant, which a merge may bring together, the one with
        the greater counts.
        """
        return self._insert(self._noted(name, kind, says, note), values, "nth")

    def changes(self, name: str, values: str, *, whole: bool, among: str | None = None) -> pa.Table:
        """What ``write`` would write: owner and value, a row a change. Nothing is written.

        Args:
            name: the trait's name.
            values: as for ``write``.
            whole: as for ``write``.
            among: a relation with the column ``owner``: only their values are looked at.
        """
        trait = self._registry.trait(name)
        if trait is None:
            return self._store.arrow(f"SELECT owner, value FROM ({values}) WHERE value IS NOT NULL")
        return self._store.arrow(self._changes(trait, values, whole, among))

    def _noted(self, name: str, kind: Kind, says: str, note: Mapping[str, Any]) -> Trait:
        """The trait, with how it is computed; one that is new is made."""
        trait = self._registry.ensure_trait(name, kind, score=True)
        text = json.dumps({COMPUTED: says, "at": self._at, BY: self._by, **note}, sort_keys=True)
        self._store.execute(
            "UPDATE traits SET note = ? WHERE id = ? AND note IS DISTINCT FROM ?", [text, trait.id, text]
        )
        return trait

    def _insert(self, trait: Trait, changes: str, order: str = "owner") -> int:
        # Sorted by owner, as all tables of traits are. A line for each row: two rows of one line would be one message;
        # and in an order that can be told, since it decides between customers who merge later.
        line = f"{self._line:d} + row_number() OVER (ORDER BY {order})"
        ((written,),) = self._store.rows(
            f"INSERT INTO {trait.table} (owner, ts, message_id, origin, received, load, value) "
            f"SELECT owner, {self._at:d}, NULL, {line}, {self._received:d}, 0, value "
            f"FROM ({changes}) ORDER BY owner"
        )
        self._line += written
        self._written.append(trait)
        return int(written)

    def _changes(self, trait: Trait, values: str, whole: bool, among: str | None = None) -> str:
        earlier = f"SELECT 1 FROM {trait.table} WHERE retired IS NULL AND ts <= {self._at:d} LIMIT 1"
        if not self._store.rows(earlier):
            return f"SELECT owner, value FROM ({values}) WHERE value IS NOT NULL"
        current = current_values(self._store, trait, self._at, among=among)
        return (
            f"SELECT coalesce(n.owner, c.owner) AS owner, n.value FROM ({values}) n "
            f"{'FULL' if whole else 'LEFT'} JOIN ({current}) c ON c.owner = n.owner "
            "WHERE n.value IS DISTINCT FROM c.value"
        )

    def finish(self, *, clear: bool = True) -> None:
        """Clear what isn't computed any more, and date those who stand for older customers back to their first value.

        Args:
            clear: whether what the same writer wrote before, and didn't now, is cleared.
        """
        for trait in self.left_over({trait.name for trait in self._written}) if clear else ():
            self._insert(trait, self._changes(trait, NOBODY, whole=True))
        if self._line == self._begin:
            return
        set_meta(self._store, "api_line", str(self._line))
        standing = standing_for(self._store)
        if standing is None:
            # Values come of events, and an event dates its customer; only the event of another can be older.
            return
        owners = " UNION ".join(
            f"SELECT owner FROM {trait.table} WHERE ts = {self._at:d} AND origin > {self._begin:d} "
            f"AND origin <= {self._line:d} AND owner IN (SELECT kept FROM {standing})"
            for trait in self._written
        )
        self._store.execute(
            f"UPDATE customers SET first_ts = {self._at:d}, received = least(received, {self._received:d}) "
            f"WHERE (first_ts IS NULL OR first_ts > {self._at:d}) AND key IN ({owners})"
        )

    def left_over(self, written: Container[str]) -> list[Trait]:
        """What the same writer wrote earlier and isn't among these names; a value of then would stand for ever."""
        mine = {number for number, by in self._writers().items() if by == self._by}
        return [t for t in self._registry.traits.values() if t.id in mine and t.name not in written]
