"""The bulk doors of the store: whole relations of events, trait changes and consents, written by set-based SQL.

A relation is a table or view on the store's connection; a view is read up to four times, so stage what is costly to
compute. Rows without a customer, a time or an origin, or stamped outside the calendar (1800–2200), are counted as
rejected and not written. ``origin`` is ``file << 40 | line``. A message id that is known is a
duplicate: the stored copy stays.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY
from shoal.customers.corrections import ERASED_KEY
from shoal.errors import StoreError
from shoal.lang import calendar
from shoal.sql.encode import offset_case
from shoal.sql.layout import FIRST_DAY, LAST_DAY
from shoal.sql.registry import ACCOUNT, CUSTOMER, EventType, Registry, Trait

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.lang.calendar import Zone
    from shoal.lang.schema import Kind, PropertyType
    from shoal.sql.store import Store

EARLIEST, LATEST = (FIRST_DAY + 1) * DAY, LAST_DAY * DAY
"""Instants from the first to before the second can be stored: the calendar knows their local dates."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that can't be stored, and why."""

    record: Any
    reason: str


@dataclass(frozen=True, slots=True)
class WriteSummary:
    """What became of what was written.

    Args:
        written: rows that are in the store now.
        duplicates: dropped, since their message id was known.
        mistyped: values that weren't of their type and are missing.
        rejected: records or rows that were not stored.
        rejections: of records, which and why.
        customers: customers seen for the first time.
    """

    written: int = 0
    duplicates: int = 0
    mistyped: int = 0
    rejected: int = 0
    rejections: tuple[Rejection, ...] = ()
    customers: int = 0

    def __add__(self, other: WriteSummary) -> WriteSummary:
        return WriteSummary(
            self.written + other.written,
            self.duplicates + other.duplicates,
            self.mistyped + other.mistyped,
            self.rejected + other.rejected,
            self.rejections + other.rejections,
            self.customers + other.customers,
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What one look at a relation says: its rows, those that can be stored, those with a message id, their range."""

    rows: int
    good: int
    named: int
    low: int
    high: int


def write_events(
    store: Store,
    event: str,
    relation: str,
    columns: Mapping[str, tuple[PropertyType, str]],
    *,
    zone: Zone | str,
    received: int,
    load: int = 0,
) -> WriteSummary:
    """Write a relation of events of one type, in one transaction.

    Args:
        store: the store.
        event: the event's name.
        relation: a table or view with ``customer_id VARCHAR, ts BIGINT, message_id VARCHAR, origin BIGINT`` and what
            the expressions in ``columns`` name.
        columns: for each property its type and an expression over the relation in physical form (numbers in
            millionths …; objects by ``objects_sql``). Where the store holds another type already, the values are
            missing and counted.
        zone: the workspace's time zone.
        received: when these rows became known.
        load: the load that brought them.
    """
    rules = _zone(zone)
    with store.transaction():
        registry = Registry.load(store)
        kind = registry.ensure_event(event, {name: type_ for name, (type_, _) in columns.items()})
        values, mistyped = _event_values(store, registry, kind, relation, columns)
        facts = look_at(store, relation, "customer_id")
        if not facts.good:
            return WriteSummary(mistyped=mistyped, rejected=facts.rows)
        source = good_rows(relation, "customer_id", facts)
        if facts.named:
            source = _without_duplicates(store, source, _known(registry, None))
        new = admit(store, source, "customer_id", str(received))
        written = insert_events(
            store, kind, source, values, offset=offset_case(rules, "ts", facts.low, facts.high),
            received=str(received), load=load,
        )  # fmt: skip
        _forget_known(store)
        return _summary(facts, written, mistyped, new)


def write_traits(
    store: Store,
    name: str,
    kind: Kind,
    relation: str,
    *,
    received: int,
    load: int = 0,
    scope: str = CUSTOMER,
    score: bool = False,
) -> WriteSummary:
    """Write a relation of changes of one trait, in one transaction.

    Several traits may come under one message id if their rows bear the same origin: they are one message.

    Args:
        store: the store.
        name: the trait's name.
        kind: its type; where the store holds another, the values are missing and counted.
        relation: a table or view with ``owner_id VARCHAR, ts BIGINT, message_id VARCHAR, origin BIGINT`` and ``value``
            in physical form; a NULL value clears the trait.
        received: when these rows became known.
        load: the load that brought them.
        scope: ``customer``, or ``account``: then ``owner_id`` names accounts.
        score: a model or computation writes it.
    """
    with store.transaction():
        registry = Registry.load(store)
        trait = registry.ensure_trait(name, kind, scope, score=score)
        fits = trait.kind is kind
        value = "value" if fits else "NULL"
        mistyped = 0 if fits else _count(store, f"SELECT count(value) FROM {relation}")
        registry.count_mistyped_trait(trait, mistyped)
        facts = look_at(store, relation, "owner_id")
        if not facts.good:
            return WriteSummary(mistyped=mistyped, rejected=facts.rows)
        source = good_rows(relation, "owner_id", facts)
        if facts.named:
            source = _without_duplicates(store, source, _known(registry, trait))
        new = admit(store, source, "owner_id", str(received), scope)
        written = insert_trait(store, trait, source, value=value, received=str(received), load=load)
        _forget_known(store)
        return _summary(facts, written, mistyped, new)


def write_consents(store: Store, relation: str, *, received: int, load: int = 0) -> WriteSummary:
    """Write a relation of consents, in one transaction.

    Args:
        store: the store.
        relation: a table or view with ``customer_id VARCHAR, purpose VARCHAR, granted BOOLEAN, ts BIGINT,
            message_id VARCHAR, origin BIGINT``. A message id is unique for each purpose.
        received: when these rows became known.
        load: the load that brought them.
    """
    stated = "purpose IS NOT NULL AND granted IS NOT NULL"
    with store.transaction():
        facts = look_at(store, relation, "customer_id", stated)
        source = good_rows(relation, "customer_id", facts, stated)
        if facts.named:
            source = (
                f"(SELECT * FROM {source} WHERE message_id IS NULL OR (message_id, purpose) NOT IN (SELECT "
                "(message_id, purpose) FROM consents WHERE message_id IS NOT NULL AND retired IS NULL) QUALIFY "
                "message_id IS NULL OR row_number() OVER (PARTITION BY message_id, purpose ORDER BY origin) = 1)"
            )
        new = admit(store, source, "customer_id", str(received), dated=False)
        written = insert_consents(store, source, received=str(received), load=load)
        return _summary(facts, written, 0, new)


def objects_sql(event: EventType, name: str, fields: Mapping[str, str]) -> str:
    """The expression of one object of a list of objects, given the expression of each field in physical form.

    Raises:
        StoreError: a field isn't known; make it known with ``Registry.ensure_event`` first.
    """
    known = event.properties[name].fields
    unknown = [field for field in fields if field not in known]
    if unknown:
        raise StoreError(f"The objects of {name!r} have no field {unknown[0]!r}.", fix="Make it known first.")
    return "struct_pack(" + ", ".join(f"{known[field].col} := {sql}" for field, sql in fields.items()) + ")"


# ------------------------------------------------------------------- the steps, shared with the door for records


def look_at(store: Store, relation: str, owner: str, also: str = "true") -> Facts:
    """One look at a relation."""
    good = f"({_good(owner)}) AND ({also})"
    rows, fine, named, low, high = store.rows(
        f"SELECT count(*), coalesce(sum(CASE WHEN {good} THEN 1 ELSE 0 END), 0), count(message_id), "
        f"min(CASE WHEN {good} THEN ts END), max(CASE WHEN {good} THEN ts END) FROM {relation}"
    )[0]
    return Facts(rows, int(fine), named, low or 0, high or 0)


def good_rows(relation: str, owner: str, facts: Facts, also: str = "true") -> str:
    """The rows of a relation that can be stored."""
    if facts.good == facts.rows:
        return relation
    return f"(SELECT * FROM {relation} WHERE {_good(owner)} AND ({also}))"


def admit(store: Store, source: str, owner: str, received: str, scope: str = CUSTOMER, *, dated: bool = True) -> int:
    """Give the owners in a source their keys, and move the start of a customer's existence where it is earlier now.

    Returns:
        How many customers are new.
    """
    with admitted(store, source, owner, received, scope, dated=dated) as new:
        return new


@contextmanager
def admitted(
    store: Store, source: str, owner: str, received: str, scope: str = CUSTOMER, *, dated: bool = True
) -> Iterator[int]:
    """As ``admit``; inside, ``temp.arrivals`` has the owners of the source with their keys (``id``, ``key``)."""
    first = "min(ts)" if dated else "CAST(NULL AS BIGINT)"
    owners = "accounts" if scope == ACCOUNT else "customers"
    known = "NULL::BIGINT" if scope == ACCOUNT else "o.first_ts"
    # All owners are looked through once: of many customers that costs more than what is done with the few found.
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE arrivals AS SELECT a.*, o.key, {known} AS known_ts, o.received AS known_received "
        f"FROM (SELECT {owner} AS id, {first} AS first_ts, min({received}) AS received FROM {source} GROUP BY {owner}) "
        f"AS a LEFT JOIN {owners} AS o USING (id)"
    )
    fresh = _count(store, "SELECT count(*) FROM temp.arrivals WHERE key IS NULL")
    new = _admit_accounts(store) if scope == ACCOUNT else _admit_customers(store, fresh)
    if fresh:
        store.execute(
            f"UPDATE temp.arrivals SET key = o.key FROM {owners} AS o WHERE arrivals.key IS NULL AND o.id = arrivals.id"
        )
    yield new
    store.execute("DROP TABLE temp.arrivals")


_EARLIER = (
    "(a.first_ts < a.known_ts OR (a.known_ts IS NULL AND a.first_ts IS NOT NULL) OR a.received < a.known_received)"
)


def _admit_customers(store: Store, fresh: int) -> int:
    """Give the fresh ones keys, and move the start of those who were known; returns how many are new."""
    if _count(store, f"SELECT count(*) FROM temp.arrivals AS a WHERE a.key IS NOT NULL AND {_EARLIER}"):
        store.execute(
            "UPDATE customers SET first_ts = least(customers.first_ts, a.first_ts), "
            "received = least(customers.received, a.received) FROM temp.arrivals AS a "
            f"WHERE customers.key = a.key AND {_EARLIER}"
        )
    if not fresh:
        return 0
    return _count(
        store,
        "INSERT INTO customers SELECT greatest((SELECT coalesce(max(key), 0) FROM customers), "
        f"(SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = '{ERASED_KEY}')) "
        "+ row_number() OVER (ORDER BY id), id, first_ts, received FROM temp.arrivals WHERE key IS NULL",
    )


def _admit_accounts(store: Store) -> int:
    store.execute(
        "INSERT INTO accounts SELECT (SELECT coalesce(max(key), 0) FROM accounts) + row_number() OVER (ORDER BY id), "
        "id, received FROM temp.arrivals WHERE key IS NULL"
    )
    return 0


KEYS = "(SELECT key AS key_, id AS id_ FROM customers) ON id_ = customer_id"
"""The join that gives rows with a ``customer_id`` the key of their customer."""


def insert_events(
    store: Store,
    event: EventType,
    source: str,
    values: Mapping[str, str],
    *,
    offset: str,
    received: str,
    load: int,
    keys: str | None = KEYS,
    named: bool = True,
) -> int:
    """Insert a source's rows into an event's table, sorted by (customer, ts).

    Args:
        store: the store.
        event: the event type.
        source: rows that can be stored, free of duplicates, whose customers have keys.
        values: for each physical column an expression.
        offset: the zone's offset in seconds: an expression of ``ts``, or a column of the source.
        received: the time of receipt: a number, or a column of the source.
        load: the load.
        named: whether any row has a message id.
        keys: what to join for ``key_``; whole numbers as ids join faster than their texts; None where the source has it.

    Returns:
        How many rows there were.
    """
    names = "".join(f", {column}" for column in values)
    expressions = "".join(f", {expression} AS {column}" for column, expression in values.items())
    own = "".join(f", {column}" for column in (offset, received) if column.isidentifier())
    message = "message_id" if named else "NULL"
    joined = f"{source} JOIN {keys}" if keys else source
    # What is the same in all rows, or follows from the time, isn't carried through the sort.
    return _count(
        store,
        f"INSERT INTO {event.table} (customer, ts, offset_s, message_id, origin, received, load{names}) "
        f"SELECT key_, ts, {offset}, {message}, origin, {received}, {load}{names} FROM (SELECT key_, ts, origin"
        f"{', message_id' if named else ''}{own}{expressions} FROM {joined} ORDER BY key_, ts)",
    )


def insert_trait(store: Store, trait: Trait, source: str, *, value: str, received: str, load: int) -> int:
    """Insert a source's rows into a trait's table, sorted by (owner, ts)."""
    owners = "accounts" if trait.scope == ACCOUNT else "customers"
    return _count(
        store,
        f"INSERT INTO {trait.table} (owner, ts, message_id, origin, received, load, value) "
        f"SELECT key_, ts, message_id, origin, {received}, {load}, {value} "
        f"FROM {source} JOIN (SELECT key AS key_, id AS id_ FROM {owners}) ON id_ = owner_id ORDER BY key_, ts",
    )


def insert_consents(store: Store, source: str, *, received: str, load: int) -> int:
    """Insert a source's rows into the consents."""
    return _count(
        store,
        "INSERT INTO consents (customer, purpose, granted, ts, message_id, origin, received, load) "
        f"SELECT key_, purpose, granted, ts, message_id, origin, {received}, {load} "
        f"FROM {source} JOIN (SELECT key AS key_, id AS id_ FROM customers) ON id_ = customer_id ORDER BY key_, ts",
    )


def message_tables(registry: Registry) -> list[str]:
    """The tables whose message ids are unique in the workspace: those of events and traits."""
    return [e.table for e in registry.events.values()] + [t.table for t in registry.traits.values()]


def _summary(facts: Facts, written: int, mistyped: int, new: int) -> WriteSummary:
    return WriteSummary(written, facts.good - written, mistyped, facts.rows - facts.good, customers=new)


def _known(registry: Registry, trait: Trait | None) -> str:
    """SQL of (message_id, origin, apart) in force; ``apart`` marks other traits, where one message may go on."""
    other = {t.table for t in registry.traits.values()} - {trait.table} if trait else set()
    return " UNION ALL ".join(
        f"SELECT message_id, origin, {table in other} AS apart FROM {table} "
        "WHERE message_id IS NOT NULL AND retired IS NULL"
        for table in message_tables(registry)
    )


def _without_duplicates(store: Store, source: str, known: str) -> str:
    """The source without the rows whose message id is known, and of copies among themselves the first."""
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE known_messages AS SELECT DISTINCT r.message_id, r.origin FROM {source} AS r "
        f"JOIN ({known}) AS k ON k.message_id = r.message_id AND NOT (k.apart AND k.origin = r.origin)"
    )
    seen = _count(store, "SELECT count(*) FROM temp.known_messages")
    if seen:
        source = f"(SELECT * FROM {source} ANTI JOIN temp.known_messages USING (message_id, origin))"
    copies = store.rows(
        f"SELECT 1 FROM {source} WHERE message_id IS NOT NULL GROUP BY message_id HAVING count(*) > 1 LIMIT 1"
    )
    if copies:
        source = (
            f"(SELECT * FROM {source} QUALIFY message_id IS NULL OR "
            "row_number() OVER (PARTITION BY message_id ORDER BY origin) = 1)"
        )
    return source


def _forget_known(store: Store) -> None:
    store.execute("DROP TABLE IF EXISTS temp.known_messages")


def _event_values(
    store: Store,
    registry: Registry,
    event: EventType,
    relation: str,
    columns: Mapping[str, tuple[PropertyType, str]],
) -> tuple[dict[str, str], int]:
    """The expression of each physical column, and how many values weren't of the stored type."""
    values: dict[str, str] = {}
    mistyped = 0
    for name, (wanted, expression) in columns.items():
        known = event.properties[name]
        if known.kind is wanted.kind:
            values[known.col] = expression
        else:
            many = _count(store, f"SELECT count({expression}) FROM {relation}")
            registry.count_mistyped(event, name, many)
            mistyped += many
    return values, mistyped


def _good(owner: str) -> str:
    return (
        f"{owner} IS NOT NULL AND {owner} <> '' AND origin IS NOT NULL AND ts IS NOT NULL "
        f"AND ts >= {EARLIEST} AND ts < {LATEST}"
    )


def _zone(zone: Zone | str) -> Zone:
    return calendar.zone(zone) if isinstance(zone, str) else zone


def _count(store: Store, sql: str) -> int:
    """The number that a count, or an INSERT, answers with."""
    return int(store.rows(sql)[0][0])
