"""Cells to physical values, on a real database.

Breaks when a number isn't exact, a date is read in the wrong order, or a local time on a DST night goes astray.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.clock import to_instant
from shoal.customers.load import convert, times
from shoal.customers.load.convert import Writing
from shoal.lang.calendar import zone
from shoal.lang.schema import Kind
from shoal.sql.duck import DuckStore

if TYPE_CHECKING:
    from collections.abc import Iterator

UTC_WRITING = Writing(zone("UTC"))
GERMAN = Writing(zone("UTC"), decimal=",", thousands=".", dates="day-first")
GROUPED = Writing(zone("UTC"), thousands=",")


@pytest.fixture(scope="module")
def store() -> Iterator[DuckStore]:
    with DuckStore.open(":memory:") as opened:
        yield opened


def value(store: DuckStore, cell: str, sql_type: str, kind: Kind, how: Writing = UTC_WRITING) -> Any:
    sql = convert.physical("x", sql_type, kind, how)
    return store.rows(f"SELECT {sql} FROM (SELECT CAST(? AS {sql_type}) AS x)", [cell])[0][0]


@pytest.mark.parametrize(
    ("text", "how", "micro"),
    [
        ("12", UTC_WRITING, 12_000_000),
        (" 12.5 ", UTC_WRITING, 12_500_000),
        ("-0.0000005", UTC_WRITING, 0),
        ("0.0000015", UTC_WRITING, 2),
        ("0.00000250000000001", UTC_WRITING, 3),
        ("1e3", UTC_WRITING, 1_000_000_000),
        ("€ 9.99", UTC_WRITING, 9_990_000),
        ("EUR 9.99", UTC_WRITING, 9_990_000),
        ("9.99 USD", UTC_WRITING, 9_990_000),
        ("(9.99)", UTC_WRITING, -9_990_000),
        ("9.99-", UTC_WRITING, -9_990_000),
        ("−9.99", UTC_WRITING, -9_990_000),
        ("1000000000000", UTC_WRITING, 10**18),
        ("1000000000000.0000001", UTC_WRITING, None),
        ("1,234", UTC_WRITING, None),
        ("1_000", UTC_WRITING, None),
        ("12abc", UTC_WRITING, None),
        ("nan", UTC_WRITING, None),
        ("1,234.5", GROUPED, 1_234_500_000),
        ("1,23,4", GROUPED, None),
        ("$1,234,567.891", GROUPED, 1_234_567_891_000),
        ("1.234,5", GERMAN, 1_234_500_000),
        ("1.234", GERMAN, 1_234_000_000),
        ("12.5", GERMAN, None),
        ("-12,5", GERMAN, -12_500_000),
        ("1.234.567,89 €", GERMAN, 1_234_567_890_000),
    ],
)
def test_numbers_as_people_write_them(store: DuckStore, text: str, how: Writing, micro: int | None) -> None:
    assert value(store, text, "VARCHAR", Kind.NUMBER, how) == micro


@settings(max_examples=200, deadline=None)
@given(number=st.floats(-1e12, 1e12, allow_nan=False))
def test_a_float_stands_for_its_shortest_text(store: DuckStore, number: float) -> None:
    expected = int((Decimal(repr(number)) * 10**6).to_integral_value("ROUND_HALF_EVEN"))
    assert value(store, repr(number), "DOUBLE", Kind.NUMBER) == expected


@settings(max_examples=200, deadline=None)
@given(number=st.decimals(-(10**12), 10**12, places=9))
def test_texts_and_decimals_round_half_to_even(store: DuckStore, number: Decimal) -> None:
    expected = int((number * 10**6).to_integral_value("ROUND_HALF_EVEN"))
    assert value(store, f"{number:f}", "VARCHAR", Kind.NUMBER) == expected
    assert value(store, f"{number:f}", "DECIMAL(38,9)", Kind.NUMBER) == expected


@pytest.mark.parametrize(
    ("cell", "sql_type", "micro"),
    [
        ("7", "INTEGER", 7_000_000),
        ("0.1", "FLOAT", 100_000),
        ("99999999999999", "BIGINT", None),
        ("5", "HUGEINT", 5_000_000),
    ],
)
def test_native_numbers(store: DuckStore, cell: str, sql_type: str, micro: int | None) -> None:
    assert value(store, cell, sql_type, Kind.NUMBER) == micro


@pytest.mark.parametrize(
    ("text", "dates", "day"),
    [
        ("2017-03-04", None, date(2017, 3, 4)),
        ("2017/3/4", None, date(2017, 3, 4)),
        ("20170304", None, date(2017, 3, 4)),
        ("4 March 2017", None, date(2017, 3, 4)),
        ("Mar 4, 2017", None, date(2017, 3, 4)),
        ("04-Mar-17", None, date(2017, 3, 4)),
        ("03/04/2017", None, None),
        ("03/04/2017", "day-first", date(2017, 4, 3)),
        ("3.4.17", "day-first", date(2017, 4, 3)),
        ("03/04/2017", "month-first", date(2017, 3, 4)),
        ("31/02/2017", "day-first", None),
        ("2017-02-30", None, None),
        ("infinity", None, None),
        ("epoch", None, None),
        ("04|03|2017", "%d|%m|%Y", date(2017, 3, 4)),
        ("2017-03-04", "%d|%m|%Y", None),
        ("1893-05-06", None, date(1893, 5, 6)),
    ],
)
def test_dates(store: DuckStore, text: str, dates: str | None, day: date | None) -> None:
    found = value(store, text, "VARCHAR", Kind.DATE, Writing(zone("UTC"), dates=dates))
    assert found == (None if day is None else (day - date(1970, 1, 1)).days)


@pytest.mark.parametrize(
    ("text", "dates", "moment"),
    [
        ("2017-01-05T10:20:30Z", None, datetime(2017, 1, 5, 10, 20, 30, tzinfo=UTC)),
        ("2017-01-05 10:20:30.5+02:00", None, datetime(2017, 1, 5, 8, 20, 30, 500_000, tzinfo=UTC)),
        ("2017/01/05 10:20 -0230", None, datetime(2017, 1, 5, 12, 50, tzinfo=UTC)),
        ("2017-01-05 10:20:30 UTC", None, datetime(2017, 1, 5, 10, 20, 30, tzinfo=UTC)),
        ("2017-01-05 10:20", None, datetime(2017, 1, 5, 9, 20, tzinfo=UTC)),
        ("2017-01-05 10:20:30 Europe/London", None, None),
        ("05/01/2017 3:04 PM", "day-first", datetime(2017, 1, 5, 14, 4, tzinfo=UTC)),
        ("05/01/2017, 15:04:05", "day-first", datetime(2017, 1, 5, 14, 4, 5, tzinfo=UTC)),
        ("Jan 5, 2017 15:04", None, datetime(2017, 1, 5, 14, 4, tzinfo=UTC)),
        ("5.1.2017 10:20 +0200", "%d.%m.%Y %H:%M %z", datetime(2017, 1, 5, 8, 20, tzinfo=UTC)),
        ("1483611600", None, datetime(2017, 1, 5, 10, 20, tzinfo=UTC)),
        ("1483611600000", None, datetime(2017, 1, 5, 10, 20, tzinfo=UTC)),
        ("1483611600000000", None, datetime(2017, 1, 5, 10, 20, tzinfo=UTC)),
        ("20170105", None, datetime(2017, 1, 4, 23, tzinfo=UTC)),
        ("soon", None, None),
    ],
)
def test_instants(store: DuckStore, text: str, dates: str | None, moment: datetime | None) -> None:
    found = value(store, text, "VARCHAR", Kind.INSTANT, Writing(zone("Africa/Lagos"), dates=dates))
    assert found == (None if moment is None else to_instant(moment))


def test_a_skipped_time_is_the_end_of_the_gap_and_a_double_one_its_first(store: DuckStore) -> None:
    london = Writing(zone("Europe/London"))
    skipped = value(store, "2017-03-26 01:30:00", "TIMESTAMP", Kind.INSTANT, london)
    assert skipped == to_instant(datetime(2017, 3, 26, 1, tzinfo=UTC))
    double = value(store, "2017-10-29 01:30:00", "TIMESTAMP", Kind.INSTANT, london)
    assert double == to_instant(datetime(2017, 10, 29, 0, 30, tzinfo=UTC))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["Europe/London", "America/St_Johns", "Pacific/Apia", "Africa/Cairo", "Asia/Kathmandu"]),
    moment=st.datetimes(datetime(1950, 1, 1), datetime(2060, 1, 1)),
)
def test_local_times_agree_with_the_standard_library(store: DuckStore, name: str, moment: datetime) -> None:
    local = moment.replace(tzinfo=ZoneInfo(name))
    back = local.astimezone(UTC).astimezone(ZoneInfo(name)).replace(tzinfo=None)
    sql = times.local_to_instant("x", zone(name))
    micros = to_instant(moment.replace(tzinfo=UTC))
    found = store.rows(f"SELECT {sql} FROM (SELECT CAST(? AS BIGINT) AS x)", [micros])[0][0]
    if back == moment:  # the time exists; the first of two is fold=0
        assert found == to_instant(local.replace(fold=0))
    else:
        assert zone(name).offset(found) != zone(name).offset(found - 1)


def test_a_date_as_an_instant_is_its_first_instant(store: DuckStore) -> None:
    found = value(store, "2017-06-01", "DATE", Kind.INSTANT, Writing(zone("Europe/London")))
    assert found == to_instant(datetime(2017, 5, 31, 23, tzinfo=UTC))


@pytest.mark.parametrize(("text", "truth"), [("Yes", True), ("0", False), (" TRUE ", True), ("maybe", None)])
def test_yes_and_no(store: DuckStore, text: str, truth: bool | None) -> None:
    assert value(store, text, "VARCHAR", Kind.YESNO) is truth


@pytest.mark.parametrize(
    ("cell", "sql_type", "shown"),
    [
        ("17850.0", "DOUBLE", "17850"),
        ("1.5", "DOUBLE", "1.5"),
        ("12", "INTEGER", "12"),
        ("1.50", "DECIMAL(9,2)", "1.5"),
        (" A1 ", "VARCHAR", "A1"),
    ],
)
def test_ids_look_alike_whatever_the_file_type(store: DuckStore, cell: str, sql_type: str, shown: str) -> None:
    sql = convert.id_of("x", sql_type)
    assert store.rows(f"SELECT {sql} FROM (SELECT CAST(? AS {sql_type}) AS x)", [cell]) == [(shown,)]


def test_expressions_see_exact_numbers(store: DuckStore) -> None:
    seen = convert.logical("x", Kind.NUMBER)
    rows = store.rows(f"SELECT {seen} * 3, typeof({seen}) FROM (SELECT CAST(333333 AS BIGINT) AS x)")
    assert rows == [(Decimal("0.999999"), "DECIMAL(38,6)")]


@pytest.mark.parametrize(
    ("cell", "sql_type", "beyond"),
    [
        ("2e12", "DOUBLE", True),
        ("nan", "DOUBLE", False),
        ("9999999999999", "VARCHAR", True),
        ("x", "VARCHAR", False),
        ("5", "VARCHAR", False),
    ],
)
def test_numbers_beyond_the_range_are_told_apart_from_nonsense(
    store: DuckStore, cell: str, sql_type: str, beyond: bool
) -> None:
    sql = convert.is_beyond("x", sql_type, UTC_WRITING)
    assert store.rows(f"SELECT {sql} FROM (SELECT CAST(? AS {sql_type}) AS x)", [cell]) == [(beyond,)]
