"""The value of a trait now, for everyone at once and for one customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shoal.customers.identity import key_of
from shoal.customers.profiles import current_values, profile
from shoal.customers.writer import write_records
from shoal.shapes import Merge, TraitChange
from shoal.sql.registry import ACCOUNT, CUSTOMER, Registry

if TYPE_CHECKING:
    from shoal.sql.duck import DuckStore


def values(store: DuckStore, name: str, at: int, scope: str = CUSTOMER) -> dict[str, object]:
    trait = Registry.load(store).trait(name, scope)
    assert trait is not None
    owners = "accounts" if scope == ACCOUNT else "customers"
    query = f"SELECT id, value FROM ({current_values(store, trait, at)}) JOIN {owners} ON key = owner"
    return dict(store.rows(query))


def shown(store: DuckStore, customer: str, at: int) -> dict[str, object]:
    return {t.name: t.value for t in profile(store, key_of(store, customer), at).traits}


@pytest.mark.parametrize("named", [False, True])
def test_the_last_change_up_to_the_instant_holds(store: DuckStore, named: bool) -> None:
    """Breaks if a later change is read, if a clearing is passed over, or the order at one instant isn't the messages'."""
    names = iter("zdcba")  # At one instant the greater id is the later one, whatever came first.
    changes = [("a", "free", 1), ("a", "pro", 5), ("b", "free", 1), ("b", None, 2), ("c", "free", 5)]
    records = [TraitChange(who, "plan", value, ts, next(names) if named else None) for who, value, ts in changes]
    same = [TraitChange("d", "plan", "first", 3, "y" if named else None), TraitChange("d", "plan", "second", 3, None)]
    write_records(store, [*records, *same], zone="UTC", received=9)
    expected = {"a": "free", "b": None, "d": "first" if named else "second"}
    assert values(store, "plan", 4) == expected
    assert {who: shown(store, who, 4).get("plan") for who in "abd"} == expected
    assert values(store, "plan", 5) == {**expected, "a": "pro", "c": "free"}


def test_merged_customers_are_one_and_accounts_stay_apart(store: DuckStore) -> None:
    """Keys of customers and of accounts are the same numbers: a merge of customers mustn't join two accounts."""
    write_records(
        store,
        [
            TraitChange("kept", "plan", "free", 1),
            TraitChange("gone", "plan", "pro", 2),
            TraitChange("K", "industry", "Retail", 1, scope=ACCOUNT),
            TraitChange("G", "industry", "Banking", 2, scope=ACCOUNT),
            Merge("kept", "gone", received=0),
        ],
        zone="UTC",
        received=0,
    )
    assert store.rows("SELECT kept, gone FROM merges") == [(2, 1)]
    assert values(store, "plan", 9) == {"kept": "pro"}
    assert shown(store, "gone", 9) == {"plan": "pro"}
    assert values(store, "industry", 9, ACCOUNT) == {"K": "Retail", "G": "Banking"}
