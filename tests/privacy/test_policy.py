"""Every table of the store is declared: as holding persons, as loose text, or as free of persons."""

from __future__ import annotations

import re

from tests.privacy.everywhere import Shop

from shoal.customers.privacy.policy import FREE, LOOSE, PERSONAL, held
from shoal.sql.duck import create_store
from shoal.sql.registry import Registry
from shoal.sql.tables import CREATE

CREATED = {re.match(r"CREATE TABLE (\w+)", statement)[1]: statement for statement in CREATE}  # type: ignore[index]


def test_every_table_is_declared_once() -> None:
    """Breaks when a new table is added to the layout and nobody says whether it holds persons."""
    declared = [*PERSONAL, *LOOSE, *FREE]
    assert sorted(declared) == sorted(CREATED)
    assert all(FREE.values()), "each with a reason"


def test_the_declared_columns_are_there() -> None:
    """Breaks when a column is renamed and the walk would fail in the middle of an erasure."""
    with create_store(":memory:", zone="UTC", now=0, threads=1) as store:
        for table, columns in PERSONAL.items():
            store.rows(f"SELECT {', '.join(columns)} FROM {table}")
        for table, column in LOOSE.items():
            store.rows(f"SELECT {column} FROM {table}")


def test_columns_that_look_like_a_customer_are_in_no_free_table() -> None:
    """Breaks when a table is called free of persons although a column of it says otherwise."""
    for table in [*FREE, *LOOSE]:
        names = set(re.findall(r"[(,] ?(\w+) [A-Z]", CREATED[table]))
        assert not names & {"customer", "customer_id", "owner", "kept", "gone", "other", "email", "phone"}, table


def test_tables_made_later_are_walked(shop: Shop) -> None:
    """Breaks when events or traits that came with the data are left out of the walk."""
    with shop.open() as ws:
        walked = {one.table for one in held(Registry.load(ws.store))}
        there = {name for (name,) in ws.store.rows("SELECT table_name FROM duckdb_tables() WHERE NOT temporary")}
    assert {t for t in there if t.startswith(("event_", "trait_")) and t != "event_types"} <= walked
    assert there - walked == {*LOOSE, *FREE}
