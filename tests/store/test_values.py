"""Values at the door: exact numbers, unit vectors, nothing coerced; bulk expressions agree with single values."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shoal.customers.values import MistypedError, beyond, encode, kind_of, millionths, point
from shoal.lang.schema import Kind
from shoal.shapes import Point
from shoal.sql.duck import DuckStore
from shoal.sql.encode import float_in_millionths, in_millionths, text_of_millionths

if TYPE_CHECKING:
    from collections.abc import Iterator

DECIMALS = st.decimals(-(10**12), 10**12, allow_nan=False, places=None).filter(lambda d: abs(d) <= 10**12)
SHORT = st.decimals(-(10**12), 10**12, allow_nan=False, places=12)
HALVES = st.integers(-(10**18), 10**18).map(lambda n: Decimal(2 * n + 1).scaleb(-7) * 5)


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckStore]:
    """A database to run expressions in."""
    with DuckStore.open(":memory:", threads=1) as made:
        yield made


@given(DECIMALS | HALVES.filter(lambda d: abs(d) <= 10**12))
@example(Decimal("0.0000005"))
@example(Decimal("0.0000015"))
@example(Decimal("-0.0000025"))
@example(Decimal("0.00000050000000000000000000000000000000000000000000000000000000000000000001"))
@example(Decimal(10**12))
def test_numbers_round_half_to_even(value: Decimal) -> None:
    """Breaks if any digit of a decimal is lost before rounding, or halves go up."""
    with localcontext() as context:
        context.prec = 200
        expected = (value * 10**6).to_integral_value(rounding=ROUND_HALF_EVEN)
    assert millionths(value) == expected


@given(st.floats(-1e12, 1e12))
@example(0.1)
@example(1.0000005)
@example(5e-7)
def test_a_float_stands_for_its_shortest_text(value: float) -> None:
    """Breaks if 1.0000005 is rounded by its binary value instead of by what was written."""
    assert millionths(value) == millionths(Decimal(repr(value)))


@pytest.mark.parametrize("value", [10**12 + 1, -1e13, Decimal("1000000000000.0000001"), math.inf, Decimal("-Infinity")])
def test_numbers_beyond_the_limit_are_refused(value: object) -> None:
    """Breaks if a number that overflows sums gets in."""
    with pytest.raises(OverflowError, match="beyond"):
        millionths(value)
    assert beyond(value)
    assert beyond([{"price": value}])
    assert beyond(10**12) is None


@pytest.mark.parametrize("value", [math.nan, Decimal("NaN"), Decimal("sNaN")])
def test_not_a_number_is_missing(value: object) -> None:
    """Breaks if NaN is stored, or rejects the whole record."""
    assert beyond(value) is None
    with pytest.raises(MistypedError):
        millionths(value)


@settings(deadline=None)
@given(st.lists(SHORT | HALVES.filter(lambda d: abs(d) <= 10**12), min_size=1))
def test_the_bulk_expression_for_text_agrees(engine: DuckStore, values: list[Decimal]) -> None:
    """Breaks if a file loaded in bulk and the same rows through the API differ in a millionth."""
    engine.register("texts", pa.table({"x": pa.array([f"{value:f}" for value in values], pa.string())}))
    found = engine.rows(f"SELECT {in_millionths('TRY_CAST(x AS DECIMAL(38, 18))')} FROM texts")
    assert [value for (value,) in found] == [millionths(value) for value in values]


@settings(deadline=None)
@given(st.lists(st.floats(-1e12, 1e12), min_size=1))
def test_the_bulk_expression_for_floats_agrees(engine: DuckStore, values: list[float]) -> None:
    """Breaks if the engine writes floats differently from Python."""
    engine.register("floats", pa.table({"x": pa.array(values, pa.float64())}))
    found = engine.rows(f"SELECT {float_in_millionths('x')} FROM floats")
    assert [value for (value,) in found] == [millionths(value) for value in values]


def test_the_bulk_expression_makes_the_impossible_missing(engine: DuckStore) -> None:
    """Breaks if one wild number stops a load."""
    engine.register("wild", pa.table({"x": [1e13, -math.inf, math.nan, None, 1e300]}))
    assert engine.rows(f"SELECT {float_in_millionths('x')} FROM wild") == [(None,)] * 5


@settings(deadline=None)
@given(st.lists(st.integers(-(10**18), 10**18), min_size=1))
def test_the_text_of_a_number_reads_back(engine: DuckStore, values: list[int]) -> None:
    """Breaks if turning a number into text, as re-typing does, loses something."""
    engine.register("numbers", pa.table({"x": pa.array(values, pa.int64())}))
    texts = [text for (text,) in engine.rows(f"SELECT {text_of_millionths('x')} FROM numbers")]
    assert [millionths(Decimal(text)) for text in texts] == values
    assert not any(text.endswith((".", ".0")) for text in texts)


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_points_lie_on_the_sphere(latitude: float, longitude: float) -> None:
    """Breaks if degrees are taken for radians, or the axes are swapped."""
    x, y, z = point(latitude, longitude)
    assert abs(math.sqrt(x * x + y * y + z * z) - 1e9) < 2
    assert abs(math.degrees(math.asin(max(-1, min(1, z / 1e9)))) - latitude) < 0.003
    if abs(latitude) < 89:
        assert abs(math.remainder(math.degrees(math.atan2(y, x)) - longitude, 360)) < 0.001


def test_points_off_the_earth_are_missing() -> None:
    """Breaks if swapped or broken coordinates become places."""
    assert point(0, 90) == (0, 10**9, 0)
    for place in (Point(91, 0), Point(0, 181), Point(math.nan, 0)):
        with pytest.raises(MistypedError):
            encode(place, Kind.POINT)


INSTANT = datetime(2020, 2, 29, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
FITS = {
    Kind.TEXT: "x",
    Kind.NUMBER: 1,
    Kind.YESNO: True,
    Kind.DATE: date(2020, 2, 29),
    Kind.INSTANT: INSTANT,
    Kind.TEXTS: ["x"],
    Kind.OBJECTS: [{"x": 1}],
    Kind.POINT: Point(0, 0),
}


def test_each_type_is_seen_as_itself() -> None:
    """Breaks if yes/no is learned as a number, or an instant as a date."""
    assert {kind: kind_of(value) for kind, value in FITS.items()} == {kind: kind for kind in FITS}
    assert [kind_of(value) for value in (None, [], (), object(), [1])] == [None] * 5


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.OBJECTS])
def test_nothing_is_coerced(kind: Kind) -> None:
    """Breaks if any value of one type is taken for another."""
    for other, value in FITS.items():
        if other is kind:
            encode(value, kind)
        else:
            with pytest.raises(MistypedError):
                encode(value, kind)
    assert encode(None, kind) is None


def test_instants_and_dates_are_counted_from_1970() -> None:
    """Breaks if an offset is dropped, or a time without a zone is guessed."""
    assert encode(INSTANT, Kind.INSTANT) == int(datetime(2020, 3, 1, 4, 30, tzinfo=UTC).timestamp()) * 10**6
    assert encode(date(1969, 12, 31), Kind.DATE) == -1
    with pytest.raises(MistypedError):
        encode(datetime(2020, 1, 1), Kind.INSTANT)


def test_empty_is_known_and_half_a_character_is_not_text() -> None:
    """Breaks if empty text becomes missing, or a lone surrogate stops a write."""
    assert encode("", Kind.TEXT) == ""
    assert encode([], Kind.TEXTS) == []
    with pytest.raises(MistypedError):
        encode("\ud83d", Kind.TEXT)
