"""Rows as spend: what a channel or campaign cost on a day. A line of spend belongs to no customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.clock import DAY
from shoal.customers.load import convert, faults, rates
from shoal.customers.load.events import EARLIEST, LATEST
from shoal.customers.load.faults import Test
from shoal.customers.load.rows import ORIGIN, Column, Rows
from shoal.lang.schema import Kind
from shoal.sql.encode import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shoal.customers.load.rates import Money
    from shoal.sources.mapping import SpendMap
    from shoal.sql.store import Store

_TEXTS, _COUNTS = ("channel", "campaign"), ("impressions", "clicks")


@dataclass(frozen=True, slots=True)
class SpendPlan:
    """Rows that can be made into spend.

    Args:
        map: the mapping.
        rows: the source's rows.
        relation: the rows, with the rate of money where there is one.
        condition: which of them become spend.
        rated: whether the amount is multiplied by a rate.
    """

    map: SpendMap
    rows: Rows
    relation: str
    condition: str
    rated: bool


def judge(store: Store, rows: Rows, map_: SpendMap, number: int, money: Money) -> SpendPlan:
    """Check a mapping of spend against its rows, and put those aside that can't be used.

    Args:
        store: the store.
        rows: the rows of a source.
        map_: the mapping.
        number: of the mapping in its source.
        money: currencies.

    Raises:
        ConfigError: a column or expression can't be used.
    """
    day, amount = rows.find(map_.day, f"{map_.place}.day"), rows.find(map_.amount, f"{map_.place}.amount")
    condition = rows.condition(store, map_.when, f"{map_.place}.when")
    date = day.as_kind(Kind.DATE)
    tests = [
        Test(f"NOT coalesce({day.known}, false)", "no-time", day.name),
        Test(f"({date}) IS NULL", "bad-time", day.name),
        Test(f"({date}) < {EARLIEST // DAY} OR ({date}) >= {LATEST // DAY}", "impossible-date", day.name),
        *faults.within([amount]),
        Test(f"({amount.as_kind(Kind.NUMBER)}) IS NULL", "no-amount", amount.name),
        *(_whole(column) for column in _columns(rows, map_, _COUNTS) if column is not None),
    ]
    _ = list(_columns(rows, map_, _TEXTS))
    relation, rated = rows.relation, False
    if map_.currency:
        view = f"{rows.relation}_spent{number}"
        relation, rated, more = rates.with_rates(store, rows, map_.currency, map_.place, date, rates.AT, view, money)
        tests += more
    return SpendPlan(map_, rows, relation, faults.sift(store, rows, relation, condition, tests), rated)


def _columns(rows: Rows, map_: SpendMap, keys: Sequence[str]) -> Iterator[Column | None]:
    """The columns of some keys of the mapping, None where it names none."""
    for key in keys:
        column = getattr(map_, key)
        yield rows.find(column, f"{map_.place}.{key}") if column else None


def _whole(column: Column) -> Test:
    """A count that is there must be one: half an impression is a column of something else."""
    number = column.as_kind(Kind.NUMBER)
    wrong = f"({number}) IS NULL OR ({number}) < 0 OR ({number}) % 1000000 <> 0"
    return Test(f"coalesce({column.known}, false) AND ({wrong})", "bad-count", column.name)


def build(store: Store, plans: Sequence[SpendPlan], relation: str) -> None:
    """Make the table of spend: ``source, day, amount, channel, campaign, impressions, clicks, origin``."""
    parts = " UNION ALL ".join(_part(plan) for plan in plans)
    store.execute(f"CREATE OR REPLACE TEMP TABLE {relation} AS {parts}")


def _part(plan: SpendPlan) -> str:
    rows, map_ = plan.rows, plan.map
    day, amount = rows.find(map_.day, map_.place), rows.find(map_.amount, map_.place)
    spent = convert.from_logical(*_rated(amount), Kind.NUMBER) if plan.rated else amount.as_kind(Kind.NUMBER)
    texts = ["CAST(NULL AS VARCHAR)" if c is None else c.id for c in _columns(rows, map_, _TEXTS)]
    counts = [
        "CAST(NULL AS BIGINT)" if c is None else f"{c.as_kind(Kind.NUMBER)} // 1000000"
        for c in _columns(rows, map_, _COUNTS)
    ]
    shown = zip(("channel", "campaign", "impressions", "clicks"), texts + counts, strict=True)
    return (
        f"SELECT {quoted(rows.spec.name)} AS source, {day.as_kind(Kind.DATE)} AS day, {spent} AS amount, "
        f"{', '.join(f'{sql} AS {name}' for name, sql in shown)}, {ORIGIN} AS origin FROM {plan.relation} "
        f"WHERE {plan.condition}"
    )


def _rated(amount: Column) -> tuple[str, str]:
    value, type_ = rates.times_rate(amount)
    return f"({value})", type_
