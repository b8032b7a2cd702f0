"""PostgreSQL, against a real server: types, order, queries, and that the password is in no message."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from opening import table

from shoal.errors import SourceError
from shoal.sources import Format, discover, postgres, read

pytestmark = pytest.mark.postgres

SETUP = """
DROP SCHEMA IF EXISTS crm CASCADE;
DROP TABLE IF EXISTS orders, "Two Words";
CREATE TABLE orders (id int PRIMARY KEY, amount numeric, price numeric(10,2), day date, at timestamptz, naive timestamp,
    paid boolean, tags text[], payload jsonb, who uuid);
INSERT INTO orders SELECT i, i / 8.0, 19.99, '2020-02-29', '2020-01-01 12:00+03', '2020-01-01 12:00', i % 2 = 0,
    ARRAY['a', NULL, 'b'], '{"k": 1}', '00000000-0000-0000-0000-000000000001' FROM generate_series(3, 1, -1) AS i;
INSERT INTO orders (id, amount, day) VALUES (4, 'NaN', '2020-01-01'), (5, 1, 'infinity'), (6, NULL, NULL);
CREATE SCHEMA crm;
CREATE TABLE crm.people (email text);
CREATE TABLE "Two Words" ("a ""b" int);
"""


@pytest.fixture
def address(postgres_address):
    import psycopg

    with psycopg.connect(postgres_address, autocommit=True) as connection:
        connection.execute(SETUP)
    return postgres_address


def reading(address: str, **keys):
    (file,) = discover(address, Path("."))
    return read(file, Format(**keys))


def test_a_table_keeps_its_types_and_its_order(address):
    found = reading(address, table="orders")
    got = table(found).to_pylist()
    assert [r["id"] for r in got] == [1, 2, 3, 6]
    assert got[0] == {
        "id": 1,
        "amount": Decimal("0.125000"),
        "price": Decimal("19.990000"),
        "day": date(2020, 2, 29),
        "at": datetime(2020, 1, 1, 9, tzinfo=UTC),
        "naive": datetime(2020, 1, 1, 12),
        "paid": False,
        "tags": ["a", "b"],
        "payload": '{"k": 1}',
        "who": "00000000-0000-0000-0000-000000000001",
        "_line": 1,
    }
    assert got[3]["amount"] is None
    assert got[3]["_line"] == 6


def test_values_that_no_column_can_hold_are_rejected_rows(address):
    found = reading(address, table="orders")
    table(found)
    assert [(r.line, r.code) for r in found.rejects] == [(4, "value"), (5, "value")]
    assert "infinity" in found.rejects[1].reason


def test_a_query_and_a_long_result_through_the_servers_cursor(address, monkeypatch):
    monkeypatch.setattr(postgres, "_ROWS", 7)
    got = table(reading(address, query="SELECT i AS n FROM generate_series(1, 100) AS i;"))
    assert got.column("n").to_pylist() == got.column("_line").to_pylist() == list(range(1, 101))


def test_names_in_quotes_and_in_schemas(address):
    assert reading(address, table="Two Words").columns[0].name == 'a "b'
    assert reading(address, table="crm.people").columns[0].name == "email"
    (file,) = discover(address, Path("."))
    assert postgres.tables(file) == ["Two Words", "crm.people", "orders"]


def test_a_wrong_table_offers_the_nearest(address):
    with pytest.raises(SourceError, match=r"no table 'order'\. Did you mean \"orders\""):
        reading(address, table="order")
    with pytest.raises(SourceError, match="holds 3 tables"):
        reading(address)


def test_nothing_can_be_written(address):
    with pytest.raises(SourceError):
        table(reading(address, query="DELETE FROM orders RETURNING id"))
    assert table(reading(address, query="SELECT id FROM orders WHERE id < 4")).num_rows == 3


def test_the_password_is_in_no_message(address, monkeypatch):
    # Would break if the driver's message, or our own, repeated the address.
    wrong = address.replace("p%40ss", "s3cret%40")
    monkeypatch.setenv("SHOP_DB", wrong)
    (file,) = discover("${SHOP_DB}", Path("."))
    with pytest.raises(SourceError) as caught:
        read(file, Format(table="orders"))
    for text in (str(caught.value), repr(file), file.path, repr(caught.value.__cause__)):
        assert "s3cret" not in text
    assert "127.0.0.1" in str(caught.value)
    assert "password authentication failed" in str(caught.value)


def test_no_server_is_an_error_with_a_place():
    (file,) = discover("postgresql://me:hidden@127.0.0.1:9/shop?sslmode=disable", Path("."))
    with pytest.raises(SourceError) as caught:
        read(file, Format(table="orders"))
    assert caught.value.place == "postgresql://me@127.0.0.1:9/shop"
    assert "hidden" not in str(caught.value)


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(SourceError, match="environment variable NO_SUCH_SHOAL_DB is not set"):
        discover("${NO_SUCH_SHOAL_DB}", Path("."))
