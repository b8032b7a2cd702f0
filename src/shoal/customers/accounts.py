"""One account as people see it: what is known of it, and which customers belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.customers.identity import merged
from shoal.customers.profiles import TraitValue, current_values, decoded
from shoal.errors import UnknownName
from shoal.shapes import ACCOUNT_ID
from shoal.sql.registry import ACCOUNT, Registry
from shoal.sql.tables import MESSAGE_ID

if TYPE_CHECKING:
    from shoal.sql.store import Store


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of one account at an instant, and how many customers belong to it."""

    id: str
    at: int
    traits: list[TraitValue]
    size: int


def account(store: Store, account_id: str, at: int) -> Account:
    """An account at an instant.

    Raises:
        UnknownName: there is no such account.
    """
    rows = store.rows("SELECT key FROM accounts WHERE id = ?", [account_id])
    if not rows and not _belonging(store, account_id, at):
        raise UnknownName("account", account_id)
    traits = list(_traits(store, rows[0][0], at)) if rows else []
    return Account(account_id, at, traits, len(_belonging(store, account_id, at)))


def members(store: Store, account_id: str, at: int) -> list[str]:
    """The ids of the customers who belong to an account at an instant, in the order of their text."""
    return sorted(_belonging(store, account_id, at))


def known_accounts(store: Store, after: str = "", most: int = 1_000) -> list[str]:
    """The ids of accounts beyond one, in the order of their text."""
    rows = store.rows("SELECT id FROM accounts WHERE id > ? ORDER BY id LIMIT ?", [after, most])
    return [one for (one,) in rows]


def _belonging(store: Store, account_id: str, at: int) -> list[str]:
    trait = Registry.load(store).trait(ACCOUNT_ID)
    if trait is None:
        return []
    # Whoever ever belonged to it, and of those, whoever does now: most accounts are small.
    ever = merged(store, f"SELECT owner FROM {trait.table} WHERE retired IS NULL AND value = ?", "owner")
    rows = store.rows(
        f"SELECT c.id FROM ({current_values(store, trait, at)}) m JOIN customers c ON c.key = m.owner "
        f"WHERE m.value = ? AND m.owner IN ({ever})",
        [account_id, account_id],
    )
    return [one for (one,) in rows]


def _traits(store: Store, key: int, at: int) -> list[TraitValue]:
    found = []
    for trait in sorted(Registry.load(store).traits.values(), key=lambda t: t.name):
        if trait.scope != ACCOUNT:
            continue
        rows = store.rows(
            f"SELECT value, ts FROM {trait.table} WHERE owner = ? AND retired IS NULL AND ts <= ? "
            f"ORDER BY ts DESC, {MESSAGE_ID} DESC LIMIT 1",
            [key, at],
        )
        found += [
            TraitValue(trait.name, decoded(trait.kind, value), ts, "computed" if trait.score else "")
            for value, ts in rows
            if value is not None
        ]
    return found
