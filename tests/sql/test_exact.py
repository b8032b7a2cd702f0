"""Numbers as SQL against fractions, and the zeros of polynomials: arithmetic that must not lose a digit."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.lang import calendar
from shoal.lang import nodes as n
from shoal.lang.places import chord_limit, unit_vector
from shoal.sql import terms as s
from shoal.sql.crossing import sign_changes
from shoal.sql.emit import CONDITIONS, VALUES
from shoal.sql.values import Rational, combined, compare

OPS = {"<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__", "=": "__eq__", "!=": "__ne__"}
factors = st.fractions(min_value=-1000, max_value=1000, max_denominator=1000)
integers = st.integers(-(10**6), 10**6)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database to work expressions out in."""
    found = duckdb.connect()
    yield found
    found.close()


def number(factor: Fraction, num: int | None, den: int | None) -> tuple[Rational, Fraction]:
    """A value as SQL and as a fraction."""
    sql = Rational(factor, None if num is None else s.integer(num), None if den is None else s.integer(den))
    return sql, factor * Fraction(1 if num is None else num, 1 if den is None else den)


@given(
    factors,
    integers | st.none(),
    st.integers(1, 1000),
    factors,
    integers | st.none(),
    st.sampled_from(sorted(OPS)),
    st.sampled_from("+-*/"),
)
def test_comparisons_and_arithmetic(
    connection: duckdb.DuckDBPyConnection,
    a: Fraction,
    x: int | None,
    d: int,
    b: Fraction,
    y: int | None,
    op: str,
    sign: str,
) -> None:
    """Comparing, and combining before, gives what exact fractions give; ÷ 0 is missing, so false."""
    left, one = number(a, x, d if x is not None else None)
    right, two = number(b, y, None)
    zone = calendar.zone("UTC")
    plain = compare(left, op, right, zone)
    assert _truth(connection, plain) == getattr(one, OPS[op])(two)
    whole = {"+": one + two, "-": one - two, "*": one * two, "/": one / two if two else None}[sign]
    mixed = compare(combined(left, sign, right), op, right, zone)
    assert _truth(connection, mixed) == (whole is not None and getattr(whole, OPS[op])(two))


def _truth(connection: duckdb.DuckDBPyConnection, condition: s.Sql) -> bool:
    return bool(connection.execute("SELECT " + s.settled(condition).sql(dialect="duckdb")).fetchone()[0])


@given(st.lists(st.integers(-30, 30), min_size=1, max_size=4), st.integers(1, 60))
def test_sign_changes(coefficients: list[int], span: int) -> None:
    """Between two neighbouring answers no whole number has another sign than its neighbour."""
    polynomial = tuple(Fraction(c) for c in coefficients)

    def sign(at: int) -> int:
        value = sum(c * at**power for power, c in enumerate(polynomial))
        return (value > 0) - (value < 0)

    found = sign_changes(polynomial, span)
    changing = {at for at in range(1, span + 1) if sign(at) != sign(at - 1)}
    assert changing <= found


def test_every_kind_of_value_and_condition_has_an_emitter() -> None:
    """A node that nobody emits is refused by name; here is all that is not emitted on its own."""
    import typing

    conditions = set(typing.get_args(n.Condition))
    assert conditions - set(CONDITIONS) == {n.MemberOf}
    assert set(typing.get_args(n.Value)) - set(VALUES) == set()


def test_places() -> None:
    """Against published distances: a quarter turn, and the limits of small and whole-earth radii."""
    assert unit_vector(90_000_000, 0) == (0, 0, 10**9)
    assert chord_limit(0, "m") == 0
    assert chord_limit(20_016_000_000, "km") == 4 * 10**18
    quarter = chord_limit(10_007_557_220, "km")
    assert abs(quarter - 2 * 10**18) < 10**11
    assert chord_limit(1_000_000, "km") == chord_limit(1_000_000_000, "m")
    assert chord_limit(1_000_000, "mi") == chord_limit(1_609_344_000, "m")


def test_another_database_is_refused_by_name() -> None:
    """A store whose dialect has no emitters raises before anything runs."""
    from shoal.errors import Unsupported
    from shoal.lang.schema import Schema
    from shoal.sql.duck import DuckStore
    from shoal.sql.engine import SqlEngine

    class Elsewhere(DuckStore):
        dialect = "oracle"

    with DuckStore.open(":memory:") as plain:
        SqlEngine(plain, Schema())
    with Elsewhere.open(":memory:") as store, pytest.raises(Unsupported, match="oracle"):
        SqlEngine(store, Schema())
