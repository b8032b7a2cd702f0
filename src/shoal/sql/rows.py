"""The rows behind an ``Events`` node: one relation with ``k``, ``ts`` and the properties that are asked for.

A wildcard joins the tables of several event types; a property that one of them lacks is missing there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from shoal.clock import SECOND
from shoal.lang.references import event_names, is_wildcard
from shoal.lang.schema import Kind
from shoal.sql import terms as s
from shoal.sql.tables import PHYSICAL
from shoal.sql.values import Value, stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.lang import nodes as n
    from shoal.lang.schema import PropertyType
    from shoal.sql.plan import Plan, Provider
    from shoal.sql.registry import EventType, Property
    from shoal.sql.terms import Sql

ROW = "r"
"""The alias of a row in conditions on events."""
MESSAGE_ID = "mid"


def message_id(plan: Plan, tables: Iterable[str], alias: str) -> Sql:
    """A row's message id; where it bore none, the one made of its origin.

    Where no row of the tables bears one, the origin itself stands for it: its hexadecimal digits have the same order.
    """
    if not any(_bears_ids(plan, table) for table in tables):
        return s.column("origin", alias)
    made = s.call("printf", s.text("%016x"), s.column("origin", alias))
    return s.coalesce(s.column("message_id", alias), made)


def _bears_ids(plan: Plan, table: str) -> bool:
    key = ("bears ids", table)
    if key not in plan.memo:
        plan.memo[key] = bool(plan.store.rows(f"SELECT 1 FROM {table} WHERE message_id IS NOT NULL LIMIT 1"))
    found: bool = plan.memo[key]
    return found


def types_named(name: str, known: Mapping[str, EventType]) -> list[EventType]:
    """The event types that a name stands for; a wildcard takes none that was worked out, or rows would count twice."""
    found = [known[each] for each in event_names(name, known)]
    return [each for each in found if each.derived is None] if is_wildcard(name) else found


def in_order(plan: Plan, tables: Iterable[str], alias: str) -> Sql:
    """What puts rows in the order of ts, then message id (column ``mid``); one number where that suffices."""
    ts, mid = s.column("ts", alias), s.column(MESSAGE_ID, alias)
    if any(_bears_ids(plan, table) for table in tables):
        return s.call("row", ts, mid)
    return s.joined("+", s.joined("*", s.huge(ts), s.integer(2**63)), mid)


class EventRows:
    """The rows of an ``Events`` node up to the instant, before its filter. Columns are added as they are asked for."""

    def __init__(self, plan: Plan, events: n.Events, provider: Provider | None = None) -> None:
        self.plan = plan
        self.events = events
        self.provider = provider
        if events.of_account and provider is not None:
            from shoal.sql.accounts import colleagues

            pairs = colleagues(plan)
            provider.needs[pairs.name] = pairs
        known = plan.registry.events
        self.types = types_named(events.name, known)
        self._tables = [t.table for t in self.types]
        self._columns: dict[str, None] = {"ts": None}
        self._properties: dict[str, str] = {}
        self._fields: dict[str, dict[str, str]] = {}
        self._traits: dict[str, Provider] = {}
        self._low: int | None = None

    # ------------------------------------------------------------ columns

    @property
    def ts(self) -> Sql:
        """When the event was."""
        return s.column("ts", ROW)

    @property
    def order(self) -> Sql:
        """What orders events: ts, then message id."""
        self._columns[MESSAGE_ID] = None
        return in_order(self.plan, self._tables, ROW)

    @property
    def local(self) -> Sql:
        """The local time in microseconds."""
        self._columns["offset_s"] = None
        return s.joined(
            "+", s.column("ts", ROW), s.joined("*", s.cast(s.column("offset_s", ROW), "BIGINT"), s.integer(SECOND))
        )

    def property(self, name: str) -> Value:
        """A property as a value."""
        alias = self._properties.setdefault(name, f"v{len(self._properties)}")
        return stored(self.kind(name), s.column(alias, ROW), self._origin(name))

    def kind(self, name: str) -> Kind:
        """The type of a property, as the store has it or the schema declares it."""
        known = (p.kind for p in self._each(name))
        return next(known, None) or next((p.kind for p in self._declared(name)), Kind.TEXT)

    def field_kind(self, items: str, name: str) -> Kind:
        """The type of a field of the objects of a property."""
        known = (p.fields[name].kind for p in self._each(items) if name in p.fields)
        declared = (p.fields[name] for p in self._declared(items) if name in p.fields)
        return next(known, None) or next(declared, Kind.TEXT)

    def field(self, items: str, name: str, item: Sql) -> Value:
        """A field of an item of a list of objects."""
        fields = self._fields.setdefault(items, {})
        alias = fields.setdefault(name, f"i{len(fields)}")
        value = s.call("struct_extract", item, s.text(alias))
        return stored(self.field_kind(items, name), value, self._field_origin(items, name))

    def trait(self, provider: Provider) -> None:
        """Join the values of a trait of the one who is asked about, as the alias of their provider."""
        self._traits[provider.name] = provider
        if self.provider is not None:
            self.provider.needs[provider.name] = provider

    def _each(self, name: str) -> list[Property]:
        return [t.properties[name] for t in self.types if name in t.properties]

    def _declared(self, name: str) -> list[PropertyType]:
        known = self.plan.schema.events
        return [known[e][name] for e in event_names(self.events.name, known) if name in known[e]]

    # ------------------------------------------------------------ relation

    def query(self, columns: list[Sql], where: Sql | None = None) -> exp.Select:
        """``SELECT columns FROM the rows WHERE …``, the rows under the alias ``ROW``."""
        query = s.select(columns, s.sub(self._newest(), ROW))
        for provider in self._traits.values():
            on = s.compared(provider.column("k"), "=", s.column("k", ROW))
            query = s.joins(query, s.table(self.plan.table_of(provider), provider.name), on, left=True)
        return query if where is None or where == s.true() else query.where(where, copy=False)

    def since(self, low: int | None) -> None:
        """Promise that no row before ``low`` matters."""
        self._low = low

    def _newest(self) -> exp.Select:
        """The newest few, where the node asks for them."""
        count = self.events.newest
        if count is None:
            return self._all()
        self._columns[MESSAGE_ID] = None
        order = [s.column("ts", "a"), s.column(MESSAGE_ID, "a")]
        numbered = exp.Window(
            this=s.call("row_number"),
            partition_by=[s.column("k", "a")],
            order=exp.Order(expressions=[exp.Ordered(this=o, desc=True, nulls_first=False) for o in order]),
        )
        everything = exp.Column(this=exp.Star(), table=exp.to_identifier("a"))
        ranked = s.select([everything, s.named(numbered, "newness")], s.sub(self._all(), "a"))
        chosen = s.compared(s.column("newness", "b"), "<=", s.integer(count))
        return s.select([exp.Star()], s.sub(ranked, "b"), chosen)

    def _all(self) -> exp.Select:
        if not self.types:
            return self._nothing()
        first, *others = [self._of_type(t) for t in self.types]
        if not others:
            return first
        union: exp.Query = first
        for other in others:
            union = exp.union(union, other, distinct=False)
        return s.select([exp.Star()], s.sub(union, "u"))

    def _nothing(self) -> exp.Select:
        """No known event has the name: the right columns and no row."""
        columns = [s.named(s.null(_COLUMN_TYPES.get(c, "VARCHAR")), c) for c in self._columns]
        columns += [s.named(self._absent(name), alias) for name, alias in self._properties.items()]
        frame = self.plan.frame
        return s.select([*frame.carried("m"), *columns], s.table(frame.subjects, "m"), s.false())

    def _of_type(self, event: EventType) -> exp.Select:
        columns = [s.named(self._column(c), c) for c in self._columns]
        columns += [s.named(self._value(event, name), alias) for name, alias in self._properties.items()]
        where = self.plan.frame.in_force("e")
        if self._low is not None:
            where = s.all_of([where, s.compared(s.column("ts", "e"), ">=", s.integer(self._low))])
        if self.events.of_account:
            from shoal.sql.accounts import rows_of_colleagues

            return rows_of_colleagues(self.plan, event.table, columns, where)
        return self.plan.frame.rows(event.table, "customer", columns, where)

    def _column(self, name: str) -> Sql:
        return message_id(self.plan, self._tables, "e") if name == MESSAGE_ID else s.column(name, "e")

    def _value(self, event: EventType, name: str) -> Sql:
        found = event.properties.get(name)
        if found is None:
            return self._absent(name)
        wanted = self._fields.get(name)
        return s.column(found.col, "e") if wanted is None else self._items(found, wanted)

    def _absent(self, name: str) -> Sql:
        """NULL in the type of a property."""
        wanted = self._fields.get(name)
        if wanted is None:
            return s.null(PHYSICAL.get(self.kind(name), "BOOLEAN"))
        types = (f"{alias} {PHYSICAL[self.field_kind(name, field)]}" for field, alias in wanted.items())
        return s.null(f"STRUCT({', '.join(types)})[]")

    def _items(self, found: Property, wanted: dict[str, str]) -> Sql:
        """The list of objects with just the fields that are asked for, under the same names for every event type."""
        item = exp.to_identifier("o")
        fields: list[Sql] = []
        for name, alias in wanted.items():
            known = found.fields.get(name)
            value: Sql = s.null(PHYSICAL[self.field_kind(found.name, name)])
            if known is not None:
                value = s.call("struct_extract", exp.Column(this=item), s.text(known.col))
            fields.append(exp.PropertyEQ(this=exp.to_identifier(alias), expression=value))
        each = exp.Lambda(this=exp.Struct(expressions=fields), expressions=[item])
        return s.call("list_transform", s.column(found.col, "e"), each)

    # ------------------------------------------------------------ where values come from

    def _origin(self, name: str) -> tuple[exp.Query, ...]:
        if self.kind(name) not in (Kind.TEXT, Kind.TEXTS):
            return ()
        return tuple(
            s.select([s.named(s.column(t.properties[name].col), "value")], s.table(t.table))
            for t in self.types
            if name in t.properties
        )

    def _field_origin(self, items: str, name: str) -> tuple[exp.Query, ...]:
        found: list[exp.Query] = []
        for event in self.types:
            column = event.properties.get(items)
            if column is None or name not in column.fields:
                continue
            each = s.select([s.named(s.call("unnest", s.column(column.col)), "o")], s.table(event.table))
            value = s.call("struct_extract", s.column("o", "x"), s.text(column.fields[name].col))
            found.append(s.select([s.named(value, "value")], s.sub(each, "x")))
        return tuple(found)


_COLUMN_TYPES = {"ts": "BIGINT", "offset_s": "INTEGER"}
