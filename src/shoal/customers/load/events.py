"""Rows as events: which rows, whose, when, under which message id, with which properties; one row each, or grouped."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from shoal.clock import DAY
from shoal.customers.load import convert, faults, groups, rates, together
from shoal.customers.load.faults import Test
from shoal.customers.load.rows import ORIGIN, Column, Rows, either
from shoal.customers.load.staging import name
from shoal.customers.writer import objects_sql
from shoal.errors import ConfigError
from shoal.lang.schema import Kind, PropertyType
from shoal.sql.encode import local_day, offset_case, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.customers.load.rates import Money
    from shoal.sources.mapping import EventMap, Take
    from shoal.sql.registry import EventType, Registry
    from shoal.sql.store import Store

_EPOCH = date(1970, 1, 1)
EARLIEST, LATEST = ((date(year, 1, 1) - _EPOCH).days * DAY for year in (1900, 2200))
"""Instants outside this range are taken for faults."""
OFTEN = 3
"""From this many mappings on, a source's rows are judged together and kept in a table of their own."""


@dataclass(slots=True)
class EventPlan:
    """Rows that were judged and can be made into events.

    Args:
        map: the mapping.
        rows: the source's rows.
        relation: the rows, with the rate of money where there is one.
        lean: the same rows without looked-up columns, where the condition and the time don't need them.
        condition: which of them become events.
        message: the expression of the message id; NULL where the file and line stand for it.
        group: the expression of the group, None where each row is an event.
        number: of the mapping, over all sources.
        instant: the expression of the time.
        days: how many events there are on each day since 1970 (UTC), with the first and the last time on it.
        rated: whether money is multiplied by a rate.
        bits: where several mappings were judged together: the column of the word, and this mapping's bit in it.
        aside: the condition of the rows that are meant but were put aside; None where there are none.
    """

    map: EventMap
    rows: Rows
    relation: str
    lean: str
    condition: str
    message: str
    group: str | None
    number: int
    instant: str
    rated: bool = False
    bits: tuple[str, int] | None = None
    aside: str | None = None
    days: list[tuple[int, int, int, int]] = field(default_factory=list)
    columns: dict[str, tuple[PropertyType, str]] = field(default_factory=dict)

    @property
    def customer(self) -> str:
        """The expression of the customer: a whole number where the file has one, which joins faster than its text."""
        return self.rows.find(self.map.customer, self.map.place).whole

    @property
    def identified(self) -> bool:
        """Whether the events have message ids."""
        return self.message != "NULL"


def instant_of(rows: Rows, column: str, place: str) -> tuple[Column, str]:
    """A time column, and the expression of its instant."""
    found = rows.find(column, place)
    if found.kind not in (Kind.INSTANT, Kind.DATE):
        raise ConfigError(
            f"The column {column!r} holds {found.kind.value}, not times.",
            place=place,
            fix=f"Name another column, or write types: {{{column}: instant}}.",
        )
    return found, found.as_kind(Kind.INSTANT)


def time_tests(column: Column, instant: str) -> list[Test]:
    """A time must be there, be readable, and be possible; nothing is asked where the file itself says so."""
    dated = column.raw is not None and column.sql_type in ("TIMESTAMP", "DATE")
    if dated and column.complete and column.within(EARLIEST + 2 * DAY, LATEST - 2 * DAY):
        return []
    return [
        Test(f"NOT coalesce({column.known}, false)", "no-time", column.name),
        Test(f"({instant}) IS NULL", "bad-time", column.name),
        Test(f"({instant}) < {EARLIEST} OR ({instant}) >= {LATEST}", "impossible-date", column.name),
    ]


@dataclass(slots=True)
class Draft:
    """A mapping that was checked, and whose rows are still to be judged.

    Args:
        plan: its condition is that of the rows which the mapping means, faulty ones among them.
        meant: the same condition, which may be NULL for other rows.
        customer: the column of the customer.
        tests: the faults that a row may have.
        columns: all columns that its events need.
        in_base: whether the rows without looked-up columns have all that it needs.
    """

    plan: EventPlan
    meant: str
    customer: Column
    tests: list[Test]
    columns: list[Column]
    in_base: bool


def judge(store: Store, rows: Rows, maps: Sequence[EventMap], number: int, money: Money) -> list[EventPlan]:
    """Check mappings against their rows, and put those aside that can't become events.

    Args:
        store: the store.
        rows: the rows of a source.
        maps: its mappings.
        number: of the first one, over all sources.
        money: currencies.

    Raises:
        ConfigError: a column or expression can't be used.
    """
    drafts = [_draft(store, rows, map_, number + i, money) for i, map_ in enumerate(maps)]
    shared = [draft for draft in drafts if not draft.plan.rated]
    if len(shared) < OFTEN:
        shared = []
    else:
        together.take(store, rows, shared)
    for draft in drafts:
        plan = draft.plan
        if plan.bits is None:
            meant = plan.condition
            plan.condition = faults.sift(store, rows, plan.lean, meant, draft.tests)
            plan.aside = None if plan.condition == meant else f"({meant} AND NOT {plan.condition})"
        if plan.group:
            groups.sift_incomplete(store, plan)
            groups.sift_mixed(store, plan, draft.customer)
    plans = [draft.plan for draft in drafts]
    together.count_days(store, [plan for plan in plans if plan.bits and not plan.group])
    for plan in plans:
        if plan.group or plan.bits is None:
            _count_days(store, plan)
    return plans


def _count_days(store: Store, plan: EventPlan) -> None:
    plan.days = store.rows(
        f"SELECT ts // {DAY} AS day, min(ts), max(ts), count(*) FROM (SELECT {plan.instant} AS ts FROM {plan.lean} "
        f"WHERE {plan.condition}) GROUP BY day ORDER BY day"
    )


def _draft(store: Store, rows: Rows, map_: EventMap, number: int, money: Money) -> Draft:
    customer = rows.find(map_.customer, f"{map_.place}.customer")
    time, instant = instant_of(rows, map_.at, f"{map_.place}.at")
    meant = rows.meant(store, map_.when, f"{map_.place}.when", customer)
    tests = [faults.needs(customer, "no-customer"), *time_tests(time, instant)]
    if map_.id:
        tests.append(faults.needs(rows.find(map_.id, f"{map_.place}.id"), "no-id"))
    group = rows.find(map_.group, f"{map_.place}.group") if map_.group else None
    if group:
        tests.append(faults.needs(group, "no-group"))
    looked_up, used = rows.looked_up, _used(rows, map_)
    numbers = [c for c in used if c.kind is Kind.NUMBER and c not in looked_up]
    keys = [customer, time, *(rows.find(c, map_.place) for c in (map_.id, map_.group) if c)]
    relation = lean = rows.relation
    rated = False
    if map_.currency:
        relation, rated, more = _with_rates(store, rows, map_, instant, number, money)
        tests += more
        lean = relation
    elif rows.in_base(store, [*keys, *numbers], map_.when):
        lean = rows.base
    tests += [*faults.within(numbers), *(_summed(rows, map_) if group else [])]
    message, key = _message(rows, map_), group.id if group else None
    plan = EventPlan(map_, rows, relation, lean, either(meant), message, key, number, instant, rated)
    return Draft(plan, meant, customer, tests, [*keys, *used], rows.in_base(store, [*keys, *used], map_.when))


def _summed(rows: Rows, map_: EventMap) -> list[Test]:
    """The cells that a sum over a group is made of must be numbers, or it would be a part of the sum."""
    wanted = [take.column for take in map_.properties.values() if take.how == "sum"]
    found = [column for one in wanted for column in rows.sources_of(rows.find(one, map_.place))]
    texts = {c.name: c for c in found if c.kind is Kind.NUMBER and c.sql_type == "VARCHAR"}
    return [Test(f"({c.known} AND {c.physical} IS NULL)", "no-number", c.name) for c in texts.values()]


def _used(rows: Rows, map_: EventMap) -> list[Column]:
    """The columns that properties and items come from."""
    found = [rows.find(t.column, f"{map_.place}.properties.{p}") for p, t in map_.properties.items()]
    for prop, fields in map_.items.items():
        for field_, column in fields.items():
            place = f"{map_.place}.items.{prop}.{field_}"
            found.append(single(rows.find(column, place), place))
    return found


def single(column: Column, place: str) -> Column:
    """A column whose cells aren't lists of objects.

    Raises:
        ConfigError: they are.
    """
    if column.kind is Kind.OBJECTS:
        raise ConfigError(
            f"The column {column.name!r} holds lists of objects, which only a property of an event can take.",
            place=place,
            fix=f"Map it under properties:, or one of its values by derive:, as {column.name}[1].name.",
        )
    return column


def _message(rows: Rows, map_: EventMap) -> str:
    """The message id is source:value.

    Where two events of other names may come from the same row (one of them takes all rows), the later one takes its name
    along, to stay apart.
    """
    column = map_.id or map_.group
    if column is None:
        return "NULL"
    earlier = rows.spec.events[: rows.spec.events.index(map_)]
    shared = any((e.id or e.group) == column and e.event != map_.event and not (e.when and map_.when) for e in earlier)
    tail = f" || {quoted('#' + map_.event)}" if shared else ""
    return f"{quoted(rows.spec.name + ':')} || {rows.find(column, map_.place).id}{tail}"


def _with_rates(
    store: Store, rows: Rows, map_: EventMap, instant: str, number: int, money: Money
) -> tuple[str, bool, list[Test]]:
    """The rows with the rate of their currency on their local day, and the faults that this brings."""
    low, high = EARLIEST, (date(2100, 1, 1) - _EPOCH).days * DAY
    day = local_day(rates.AT, offset_case(money.zone, rates.AT, low, high))
    return rates.with_rates(
        store, rows, map_.currency or "", map_.place, instant, day, f"{rows.relation}_rated{number}", money
    )


# ------------------------------------------------------------------- the events


@dataclass(frozen=True, slots=True)
class _Value:
    """Where a property's value comes from: its type, and the expression of its physical form in each row."""

    type: PropertyType
    sql: str


def build(store: Store, plan: EventPlan, registry: Registry, relation: str) -> EventType:
    """Make the relation of events: ``customer_id, ts, message_id, origin`` and a column ``q0`` … per property.

    ``plan.columns`` then says which property each column holds. Inside the transaction of the load, since the types
    of new properties are made known.

    Args:
        store: the store.
        plan: what was judged.
        registry: the types that are known.
        relation: the name of the relation to make.
    """
    event = _make_known(plan, registry)
    plan.columns, shown = {}, []
    taken = {prop: take for prop, take in plan.map.properties.items() if prop in event.properties}
    for index, (prop, take) in enumerate(taken.items()):
        type_ = event.properties[prop].type
        shown.append(f"{_property(plan, prop, take, type_.kind, event)} AS q{index}")
        plan.columns[prop] = type_, f"q{index}"
    listed = [prop for prop in plan.map.items if prop in event.properties]
    for index, prop in enumerate(listed, start=len(shown)):
        shown.append(f"{_items(plan, prop, event)} AS q{index}")
        plan.columns[prop] = event.properties[prop].type, f"q{index}"
    place = plan.map.place
    customer = plan.rows.find(plan.map.customer, place).id
    instant = plan.instant
    extra = "".join(f", {column}" for column in shown)
    if plan.group is None:
        store.execute(
            f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT {customer} AS customer_id, "
            f"{plan.customer} AS customer_raw, {instant} AS ts, "
            f"{plan.message} AS message_id, {ORIGIN} AS origin{extra} FROM {plan.relation} WHERE {plan.condition}"
        )
    else:
        message = f"arg_min({plan.message}, {ORIGIN})"
        store.execute(
            f"CREATE OR REPLACE TEMP TABLE {relation} AS SELECT arg_min({customer}, {ORIGIN}) AS customer_id, "
            f"min({instant}) AS ts, {message} AS message_id, min({ORIGIN}) AS origin{extra} "
            f"FROM {plan.relation} WHERE {plan.condition} GROUP BY {', '.join(groups.keys_of(plan))}"
        )
    return event


def _make_known(plan: EventPlan, registry: Registry) -> EventType:
    """See that the event's properties have columns; types that the mapping declares overrule stored ones."""
    place, rows = plan.map.place, plan.rows
    for declared in (False, True):
        types = {}
        for prop, take in plan.map.properties.items():
            column = rows.find(take.column, f"{place}.properties.{prop}")
            if declared <= column.declared and not (column.empty and take.how != "count"):
                types[prop] = _type(store_type=column, take=take)
        for prop, fields in plan.map.items.items():
            columns = {f: rows.find(c, f"{place}.items.{prop}.{f}") for f, c in fields.items()}
            found = {f: c.kind for f, c in columns.items() if not c.empty}
            if found and not declared:
                types[prop] = PropertyType(Kind.OBJECTS, found)
        event = registry.ensure_event(plan.map.event, types, declared=declared)
    return event


def _type(store_type: Column, take: Take) -> PropertyType:
    if take.how in ("sum", "count"):
        return PropertyType(Kind.NUMBER)
    fields = convert.object_fields(store_type.sql_type) if store_type.kind is Kind.OBJECTS else {}
    return PropertyType(store_type.kind, {f: convert.native_kind(t) or Kind.TEXT for f, t in fields.items()})


def _property(plan: EventPlan, prop: str, take: Take, kind: Kind, event: EventType) -> str:
    column = plan.rows.find(take.column, f"{plan.map.place}.properties.{prop}")
    if kind is Kind.OBJECTS:
        return _first(plan, _native_objects(column, prop, event))
    if take.how == "count":
        return f"count({column.physical}) * 1000000"
    exact = _exact(plan, prop, column)
    if take.how == "sum" and exact is not None:
        return convert.from_logical(f"sum({exact[0]})", exact[1], Kind.NUMBER)
    if exact is not None and prop in plan.map.money and plan.rated:
        value = convert.from_logical(f"({exact[0]})", exact[1], Kind.NUMBER)
    else:
        value = column.as_kind(kind)
    if take.how == "sum":
        total = f"sum({value})"
        return f"CASE WHEN abs({total}) <= 1000000000000000000 THEN CAST({total} AS BIGINT) END"
    return f"{take.how}({value})" if take.how in ("min", "max") else _first(plan, value)


def _exact(plan: EventPlan, prop: str, column: Column) -> tuple[str, str] | None:
    """The exact value of a number before it is rounded, with its type: derived decimals, and money times its rate."""
    rated = plan.rated and prop in plan.map.money
    decimal = column.raw is None and column.sql_type.startswith("DECIMAL")
    if not rated and not decimal:
        return None
    if not rated:
        return name(column.name), f"DECIMAL(38,{int(column.sql_type.rstrip(')').split(',')[1])})"
    return rates.times_rate(column)


def _first(plan: EventPlan, value: str) -> str:
    return value if plan.group is None else f"arg_min({value}, {ORIGIN})"


def _items(plan: EventPlan, prop: str, event: EventType) -> str:
    """The rows' columns as a list of objects, in the order of the file."""
    known = event.properties[prop]
    if known.kind is not Kind.OBJECTS:
        return "NULL"
    place = f"{plan.map.place}.items.{prop}"
    columns = {f: plan.rows.find(c, f"{place}.{f}") for f, c in plan.map.items[prop].items() if f in known.fields}
    packed = objects_sql(event, prop, {f: c.as_kind(known.fields[f].kind) for f, c in columns.items()})
    if plan.group is None:
        return f"[{packed}]"
    # Sorting the finished lists costs two thirds of an ordered aggregate.
    sorted_ = f"list_sort(list(struct_pack(o := {ORIGIN}, i := {packed})))"
    return f"list_transform({sorted_}, lambda __e: __e.i)"


def _native_objects(column: Column, prop: str, event: EventType) -> str:
    """A list of objects that the file holds as such."""
    known = event.properties[prop]
    inner = convert.object_fields(column.sql_type)
    fields = {f: convert.physical(f"__e.{name(f)}", t, known.fields[f].kind, column.writing) for f, t in inner.items()}
    return f"list_transform({column.raw}, lambda __e: {objects_sql(event, prop, fields)})"
