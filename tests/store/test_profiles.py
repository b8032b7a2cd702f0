"""The value of a trait now, for everyone at once and for one customer."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from shoal.customers.identity import key_of
from shoal.customers.profiles import current_values, profile, rows_with_traits
from shoal.customers.writer import write_records
from shoal.lang.schema import Kind, Schema
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


def test_values_go_out_of_the_house_in_everyday_types(store: DuckStore) -> None:
    """Breaks if numbers leave as millionths, instants without their zone, or places as unit vectors."""
    values_ = {
        "spent": (Kind.NUMBER, 12.5),
        "born": (Kind.DATE, date(1990, 2, 3)),
        "seen": (Kind.INSTANT, datetime(2020, 1, 2, 3, tzinfo=UTC)),
        "plan": (Kind.TEXT, "pro"),
    }
    write_records(store, [TraitChange("a", n, v, 1) for n, (_, v) in values_.items()], zone="UTC", received=0)
    point = Registry.load(store).ensure_trait("home", Kind.POINT)
    store.execute(
        f"INSERT INTO {point.table} (owner, ts, origin, received, load, value) "
        "VALUES (1, 1, 1, 0, 0, {'x': 0, 'y': 1000000000, 'z': 0})"
    )
    names = [*values_, "home"]
    schema = Schema({name: kind for name, (kind, _) in values_.items()} | {"home": Kind.POINT}, {})
    query = rows_with_traits(store, "SELECT key AS customer FROM customers", names, schema, 9)
    (row,) = store.arrow(query).to_pylist()
    assert row.pop("home") == {"latitude": 0, "longitude": 90}
    assert row == {"customer_id": "a", **{name: value for name, (_, value) in values_.items()}}
