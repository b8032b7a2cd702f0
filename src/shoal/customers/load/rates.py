"""Money in several currencies: each row with the rate of its currency on its day; none is guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.customers.load import faults
from shoal.customers.load.faults import Test
from shoal.customers.load.staging import name
from shoal.errors import ConfigError
from shoal.sql.encode import quoted

if TYPE_CHECKING:
    from shoal.customers.load.rows import Column, Rows
    from shoal.lang.calendar import Zone
    from shoal.sql.store import Store

RATE, AT = "__rate", "__at"
"""The columns of a row's rate, and of when it was."""


@dataclass(frozen=True, slots=True)
class Money:
    """What a load knows of currencies: the workspace's own, its zone, and whether there are rates."""

    currency: str
    zone: Zone
    rated: bool = False


def with_rates(
    store: Store, rows: Rows, currency: str, place: str, at: str, day: str, relation: str, money: Money
) -> tuple[str, bool, list[Test]]:
    """The rows with the rate of their currency on their day, and the faults that this brings.

    Args:
        store: the store.
        rows: the rows.
        currency: the column of the currency, or the code of all rows.
        place: of the mapping in ``shoal.yaml``.
        at: the expression of when a row was.
        day: that of its day, over the column ``AT``.
        relation: the name of the view to make.
        money: currencies.

    Returns:
        The relation, whether it has the column ``RATE``, and the tests of faults.

    Raises:
        ConfigError: there are no rates, and the currency is another one.
    """
    column = rows.find(currency, place) if rows.has(currency) else None
    if column is None and currency == money.currency:
        return rows.relation, False, []
    if not money.rated and column is None:
        raise ConfigError(
            f"Money in {currency} can't become {money.currency} without rates.",
            place=f"{place}.currency",
            fix="Name a file with the columns date, currency and rate, as rates: rates.csv",
        )
    code = f"upper({column.id})" if column else quoted(currency)
    store.execute(
        f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT __m.*, "
        f"CASE WHEN __code = {quoted(money.currency)} THEN 1 ELSE load_rates.rate END AS {RATE} "
        f"FROM (SELECT *, {day} AS __day FROM (SELECT *, {code} AS __code, {at} AS {AT} FROM {rows.relation})) "
        "AS __m ASOF LEFT JOIN load_rates ON __code = load_rates.currency AND __day >= load_rates.day"
    )
    tests = [Test(f"{RATE} IS NULL", "no-rate", column.name if column else currency)]
    return relation, True, ([faults.needs(column, "no-currency")] if column else []) + tests


def times_rate(column: Column) -> tuple[str, str]:
    """An amount times its row's rate, before it is rounded to millionths, with the type of that."""
    value = name(column.name)
    if column.raw is not None or not column.sql_type.startswith("DECIMAL"):
        value = f"CAST({column.physical} AS DECIMAL(38, 0)) * CAST(0.000001 AS DECIMAL(6, 6))"
    return f"CAST({value} AS DECIMAL(38, 9)) * CAST({RATE} AS DECIMAL(18, 9))", "DECIMAL(38,18)"
