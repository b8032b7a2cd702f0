"""Rows as traits and consent.

With ``at:`` each row is a change at that time; of several rows for one owner and time the last stands. Without it the rows
are a snapshot: a value that is new counts from when its owner was first seen, one that differs from the stored one from
now, and one that is gone is cleared now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.customers.load import faults
from shoal.customers.load.events import instant_of, single, time_tests
from shoal.customers.load.faults import Test
from shoal.customers.load.rows import ORIGIN, Column, Rows
from shoal.lang.schema import Kind
from shoal.shapes import ACCOUNT_ID
from shoal.sources.mapping import ConsentMap, EventMap, TraitMap
from shoal.sql.encode import quoted
from shoal.sql.tables import MESSAGE_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.sql.registry import Registry, Trait
    from shoal.sql.store import Store


@dataclass(frozen=True, slots=True)
class TraitPlan:
    """Rows that can be made into traits: the mapping, and the condition of the rows; and that of those put aside, if any."""

    map: TraitMap
    rows: Rows
    condition: str
    aside: str | None = None

    @property
    def owner(self) -> str:
        """The expression of whose rows they are."""
        return self.rows.find(self.map.owner, self.map.place).id


@dataclass(frozen=True, slots=True)
class ConsentPlan:
    """Rows that can be made into consent."""

    map: ConsentMap
    rows: Rows
    condition: str
    aside: str | None = None

    @property
    def owner(self) -> str:
        """The expression of whose rows they are."""
        return self.rows.find(self.map.customer, self.map.place).id


def account_map(map_: EventMap) -> TraitMap | None:
    """The trait that names the customer's account, where an event's mapping has ``account:``."""
    if map_.account is None:
        return None
    return TraitMap(map_.customer, "customer", {ACCOUNT_ID: map_.account}, map_.at, map_.when, map_.place)


def judge_traits(store: Store, rows: Rows, map_: TraitMap) -> TraitPlan:
    """Check a mapping of traits against its rows.

    Raises:
        ConfigError: a column or expression can't be used.
    """
    owner = rows.find(map_.owner, f"{map_.place}.{map_.scope}")
    places = {f"{map_.place}.take.{trait}": column for trait, column in map_.take.items()}
    taken = [single(rows.find(column, place), place) for place, column in places.items()]
    whose = owner if map_.scope == "customer" else None
    condition = rows.condition(store, map_.when, f"{map_.place}.when", whose)
    tests = [faults.needs(owner, f"no-{map_.scope}"), *_time(rows, map_.at, map_.place)]
    tests += faults.within(c for c in taken if c.kind is Kind.NUMBER)
    passed = faults.sift(store, rows, rows.relation, condition, tests)
    return TraitPlan(map_, rows, passed, None if passed == condition else f"({condition} AND NOT {passed})")


def judge_consent(store: Store, rows: Rows, map_: ConsentMap) -> ConsentPlan:
    """Check a mapping of consent against its rows; a row that says nothing of consent is left out.

    Raises:
        ConfigError: a column or expression can't be used.
    """
    customer = rows.find(map_.customer, f"{map_.place}.customer")
    granted = rows.find(map_.granted, f"{map_.place}.granted")
    taken = rows.condition(store, map_.when, f"{map_.place}.when", customer)
    condition = f"({taken} AND coalesce({granted.known}, false))"
    tests = [faults.needs(customer, "no-customer"), *_time(rows, map_.at, map_.place)]
    tests.append(Test(f"({granted.as_kind(Kind.YESNO)}) IS NULL", "bad-consent", granted.name))
    if map_.purpose_column:
        tests.append(faults.needs(rows.find(map_.purpose_column, f"{map_.place}.purpose"), "no-purpose"))
    passed = faults.sift(store, rows, rows.relation, condition, tests)
    return ConsentPlan(map_, rows, passed, None if passed == condition else f"({condition} AND NOT {passed})")


def _time(rows: Rows, at: str | None, place: str) -> list[Test]:
    return time_tests(*instant_of(rows, at, f"{place}.at")) if at else []


# ------------------------------------------------------------------- the relations


def build_trait(store: Store, plans: Sequence[TraitPlan], name: str, trait: Trait, relation: str) -> None:
    """Make the table of a trait's rows: ``owner_id, ts, message_id, origin, value``; ``ts`` is NULL in a snapshot."""
    parts = []
    for map_, rows, condition in ((p.map, p.rows, p.condition) for p in plans):
        column = rows.find(map_.take[name], f"{map_.place}.take.{name}")
        value = column.id if name == ACCOUNT_ID and trait.kind is Kind.TEXT else column.as_kind(trait.kind)
        parts.append(
            f"SELECT {rows.find(map_.owner, map_.place).id} AS owner_id, {_ts(rows, map_.at, map_.place)} AS ts, "
            f"{ORIGIN} AS origin, {value} AS value FROM {rows.relation} WHERE {condition}"
        )
    # The last row of a file stands, and the newest file's.
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {relation} AS SELECT owner_id, ts, CAST(NULL AS VARCHAR) AS message_id, "
        f"max(origin) AS origin, arg_max_null(value, origin) AS value FROM ({' UNION ALL '.join(parts)}) "
        "GROUP BY owner_id, ts"
    )


def _ts(rows: Rows, at: str | None, place: str) -> str:
    return instant_of(rows, at, f"{place}.at")[1] if at else "CAST(NULL AS BIGINT)"


def spared(store: Store, plans: Sequence[TraitPlan] | Sequence[ConsentPlan], owners: str, relation: str) -> str:
    """SQL of the keys of owners with rows that were put aside: what is known of them stays; empty where there are none."""
    parts = [f"SELECT {p.owner} AS owner_id FROM {p.rows.relation} WHERE {p.aside}" for p in plans if p.aside]
    if not parts:
        return ""
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {relation} AS SELECT DISTINCT owner_id FROM ({' UNION ALL '.join(parts)})"
    )
    return f"SELECT o.key FROM {owners} AS o JOIN {relation} AS s ON s.owner_id = o.id"


def trait_kind(plan: TraitPlan, name: str) -> tuple[Kind, bool]:
    """The type of a trait's column, and whether the mapping declares it."""
    if name == ACCOUNT_ID:
        return Kind.TEXT, False
    column: Column = plan.rows.find(plan.map.take[name], f"{plan.map.place}.take.{name}")
    return column.kind, column.declared


def is_empty(plan: TraitPlan, name: str) -> bool:
    """Whether a trait's column holds nothing, so that nobody knows its type."""
    return plan.rows.find(plan.map.take[name], f"{plan.map.place}.take.{name}").empty


def current_trait(trait: Trait) -> str:
    """SQL of the newest value in force of a trait: ``owner_id, value, ts``."""
    owners = "accounts" if trait.scope == "account" else "customers"
    return (
        f"SELECT o.id AS owner_id, t.value, t.ts FROM {trait.table} AS t JOIN {owners} AS o ON o.key = t.owner "
        f"WHERE t.retired IS NULL QUALIFY row_number() OVER (PARTITION BY t.owner ORDER BY t.ts DESC, "
        f"{MESSAGE_ID} DESC) = 1"
    )


def first_seen(registry: Registry, scope: str) -> str:
    """SQL of when owners were first seen: ``owner_id, first_ts``. An account is seen with its first customer."""
    if scope != "account":
        return "SELECT id AS owner_id, first_ts FROM customers WHERE first_ts IS NOT NULL"
    link = registry.trait(ACCOUNT_ID)
    if link is None or link.kind is not Kind.TEXT:
        return "SELECT id AS owner_id, CAST(NULL AS BIGINT) AS first_ts FROM accounts WHERE false"
    return (
        f"SELECT t.value AS owner_id, min(c.first_ts) AS first_ts FROM {link.table} AS t "
        "JOIN customers AS c ON c.key = t.owner WHERE t.retired IS NULL GROUP BY t.value"
    )


def build_consents(store: Store, plans: Sequence[ConsentPlan], relation: str) -> None:
    """Make the table of consent: ``customer_id, owner_id, purpose, granted, ts, message_id, origin``.

    ``ts`` is NULL in a snapshot.
    """
    parts = []
    for map_, rows, condition in ((p.map, p.rows, p.condition) for p in plans):
        column = map_.purpose_column
        purpose = rows.find(column, map_.place).id if column else quoted(map_.purpose)
        granted = rows.find(map_.granted, map_.place).as_kind(Kind.YESNO)
        parts.append(
            f"SELECT {rows.find(map_.customer, map_.place).id} AS customer_id, {purpose} AS purpose, "
            f"{_ts(rows, map_.at, map_.place)} AS ts, {ORIGIN} AS origin, {granted} AS granted FROM {rows.relation} "
            f"WHERE {condition}"
        )
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {relation} AS SELECT customer_id, customer_id AS owner_id, purpose, ts, "
        "CAST(NULL AS VARCHAR) AS message_id, max(origin) AS origin, arg_max(granted, origin) AS granted "
        f"FROM ({' UNION ALL '.join(parts)}) GROUP BY customer_id, purpose, ts"
    )
