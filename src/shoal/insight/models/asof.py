"""The store as it was at an instant: the only door through which models read it.

What lies after the instant can't be asked for, and one may only go back from it (``before``). So a model that learns what
came after a cut is given the store as of a later instant, and reads its features through a door that leads back to the
cut: no feature can come from the time that it is to foretell.
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal import wording
from shoal.clock import from_instant
from shoal.customers.identity import merged, standing_for
from shoal.customers.profiles import current_consents, current_values
from shoal.errors import Refused, UnknownName
from shoal.insight.purchases import open_purchases
from shoal.insight.sales import open_sales
from shoal.lang.schema import Kind
from shoal.sql.engine import SqlEngine
from shoal.sql.layout import zone_of
from shoal.sql.registry import CUSTOMER, Registry
from shoal.sql.store import registered
from shoal.sql.subjects import existing, survivors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    import numpy.typing as npt
    import pyarrow as pa

    from shoal.insight.models.btyd import Purchases
    from shoal.insight.purchases import Purchases as Lines
    from shoal.insight.sales import Sales
    from shoal.lang.calendar import Zone
    from shoal.lang.nodes import Definition, Events, Node
    from shoal.lang.schema import Schema
    from shoal.shapes import RevenueRule
    from shoal.sql.registry import EventType, Trait
    from shoal.sql.store import Store

    Keys = npt.NDArray[np.int32]
    Mask = npt.NDArray[np.bool_]

MICRO = 1_000_000
_numbers = itertools.count(1)


class AsOf:
    """The store as of an instant. Use it as a context manager, or ``close`` it: it lays out temporary tables.

    Args:
        store: the workspace's store.
        rule: what counts as revenue and as an order.
        schema: what definitions may name.
        at: the instant; rows with a later ts don't exist for who reads here.
        among: a relation with the column ``customer``: only these customers, merged-away keys of theirs included, are
            read; ``only`` makes one.
    """

    def __init__(self, store: Store, rule: RevenueRule, schema: Schema, at: int, among: str | None = None) -> None:
        self._store, self.rule, self.schema, self.at = store, rule, schema, at
        self._among = among
        self._outermost: AsOf = self
        self._derived: Mapping[str, EventType] = {}
        self._laid_out: dict[str, str] = {}
        self._opened: list[Any] = []
        self._histories: dict[bool, Purchases] = {}

    def __repr__(self) -> str:
        return f"AsOf({self.at})"

    def before(self, at: int) -> AsOf:
        """The same store as of an earlier instant, or of the same one; close it too.

        Raises:
            Refused: if the instant is a later one. Nothing leads on from an instant.
        """
        if at > self.at:
            raise Refused(
                "What came after an instant can't be read as of it: a feature would know what it is to foretell.",
                fix="Begin from the later instant, and go back from there.",
            )
        back = AsOf(self._store, self.rule, self.schema, at, self._among)
        back._outermost, back._derived = self._outermost, self._derived
        return back

    def with_events(self, derived: Mapping[str, EventType]) -> AsOf:
        """The same instant, and events that were worked out from others; close it too.

        Values and conditions may name them there and in what leads back from it: by ``ts`` as any event, but what a row says
        was worked out as of this instant, so models mustn't look at them. An event of the store of the same name stays what
        it is.

        Args:
            derived: by name, in temporary tables that stand until it is closed.
        """
        found = AsOf(self._store, self.rule, self.schema, self.at, self._among)
        found._outermost = self._outermost
        found._derived = {name: event for name, event in derived.items() if name not in self.registry.events}
        types = {name: {p: c.type for p, c in event.properties.items()} for name, event in found._derived.items()}
        found.schema = replace(self.schema, events={**self.schema.events, **types})
        return found

    @contextmanager
    def only(self, customers: Iterable[str]) -> Iterator[AsOf]:
        """The same instant for a few customers, by id: what is read costs by their number and not by the base's.

        Ids that nobody bears are passed over; a merged-away id stands for the customer that it was merged into.
        """
        import pyarrow as pa

        gone = survivors(self._store)
        ids = pa.table({"id": pa.array(sorted(set(customers)), pa.string())})
        with registered(self._store, "asked_ids", ids) as name:
            found = [key for (key,) in self._store.rows(f"SELECT key FROM customers SEMI JOIN {name} USING (id)")]
        kept = {gone.get(key, key) for key in found}
        every = sorted(kept | {key for key, into in gone.items() if into in kept})
        table = pa.table({"customer": pa.array(every, pa.int32())})
        with (
            registered(self._store, f"asked_{next(_numbers)}", table) as among,
            AsOf(self._store, self.rule, self.schema, self.at, among) as known,
        ):
            known._derived = self._derived
            yield known

    def close(self) -> None:
        """Drop what was laid out."""
        for one in self._opened:
            one.close()
        for table in self._laid_out.values():
            self._store.execute(f"DROP TABLE IF EXISTS {table}")
        self._laid_out.clear()
        self._opened.clear()
        self._histories.clear()
        for name in ("sales", "lines"):
            self.__dict__.pop(name, None)

    def __enter__(self) -> AsOf:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # ------------------------------------------------------------ who and when

    @cached_property
    def zone(self) -> Zone:
        """The workspace's time zone."""
        return zone_of(self._store)

    @property
    def today(self) -> int:
        """The local date of the instant, in days since 1970."""
        return int(self.zone.day(self.at))

    def dated(self, instant: int) -> str:
        """The local date of an instant, as it is read: ``31 December 2017``."""
        return wording.dated(from_instant(instant).astimezone(self.zone.rules))

    @property
    def closed_day(self) -> int:
        """The last local date that is over, in days since 1970."""
        return int(self.zone.day(self.at - 1)) - (self.zone.starts(int(self.zone.day(self.at))) != self.at)

    @cached_property
    def customers(self) -> Keys:
        """The keys of the customers who existed, ascending; merged ones as one."""
        source = existing(self.registry, standing_for(self._store), None)
        within = "" if self._among is None else f"AND k IN (SELECT customer FROM {self._among})"
        table = self.arrow(f"SELECT k FROM ({source}) e WHERE first_ts <= {self.at:d} {within} ORDER BY k")
        return np.asarray(table["k"].to_numpy(), dtype=np.int32)

    def rows(self, owners: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], Mask]:
        """The place of each owner in ``customers``, and whether they are there."""
        if not self.customers.size:
            return np.zeros(len(owners), dtype=np.int64), np.zeros(len(owners), dtype=bool)
        place = np.minimum(np.searchsorted(self.customers, owners), len(self.customers) - 1)
        return place, self.customers[place] == owners

    def aligned(self, owners: npt.NDArray[Any], values: npt.NDArray[Any], missing: Any = np.nan) -> npt.NDArray[Any]:
        """One value for each of ``customers``, from a value an owner; ``missing`` where there is none."""
        place, known = self.rows(owners)
        found = np.full(len(self.customers), missing, dtype=np.result_type(values.dtype, type(missing)))
        found[place[known]] = values[known]
        return found

    # ------------------------------------------------------------ reading

    @cached_property
    def registry(self) -> Registry:
        """Which events, properties and traits there are, with their physical columns."""
        return Registry.load(self._store).beside(self._derived)

    @property
    def engine(self) -> SqlEngine:
        """The SQL engine over what may be named here."""
        return SqlEngine(self._store, self.schema, self._derived)

    def event(self, name: str, *, placed: bool = False) -> str:
        """A query of an event's rows in force up to the instant: customer, ts, offset_s, and its properties' columns.

        Args:
            name: the event's.
            placed: with message_id and origin, which order rows of the same instant.

        Raises:
            UnknownName: there is no such event.
        """
        known = self.registry.events.get(name)
        if known is None:
            raise UnknownName("event", name, self.registry.events)
        order = ["message_id", "origin"] if placed else []
        columns = ", ".join(["customer", "ts", "offset_s", *order, *(p.col for p in known.properties.values())])
        within = "" if self._among is None else f" AND customer IN (SELECT customer FROM {self._among})"
        rows = f"SELECT {columns} FROM {known.table} WHERE retired IS NULL AND ts <= {self.at:d}{within}"
        return merged(self._store, rows)

    def trait(self, trait: Trait) -> str:
        """A query of (owner, value, since) of a customers' trait: the values in force at the instant, stored form."""
        return current_values(self._store, trait, self.at)

    def spend(self) -> str:
        """A query of what was spent on days that had begun: source, day, amount, channel, campaign, impressions, clicks."""
        columns = "source, day, amount, channel, campaign, impressions, clicks"
        # A day that begins with the instant has no time in it yet, and no event is known of it either.
        return f"SELECT {columns} FROM spend WHERE retired IS NULL AND day <= {int(self.zone.day(self.at - 1)):d}"

    @property
    def events(self) -> Mapping[str, EventType]:
        """Event types by name."""
        return self.registry.events

    @property
    def traits(self) -> list[Trait]:
        """The customers' own traits: no scores, and none without a type."""
        found = self.registry.traits.values()
        return [t for t in found if t.scope == CUSTOMER and not t.score and not t.unset]

    def arrow(self, sql: str) -> pa.Table:
        """Run a query that is made of ``event``, ``trait``, ``sales``, ``lines`` and ``spend``, and of no table by name."""
        return self._store.arrow(sql)

    def laid_out(self, key: str, body: Callable[[AsOf], str], *, dated: bool = True) -> str:
        """The SQL of the rows up to the instant of a query that costs much, run once for all doors that lead back from one.

        Args:
            key: of the query.
            body: gives it as of the outermost instant.
            dated: whether its rows bear ``ts``. What doesn't is as of the outermost instant, and may only name what rows are of.
        """
        first = self._outermost
        if key not in first._laid_out:
            name = f"laid_out_{next(_numbers)}"
            self._store.execute(f"CREATE TEMP TABLE {name} AS {body(first)}")
            first._laid_out[key] = name
        return f"SELECT * FROM {first._laid_out[key]}" + (f" WHERE ts <= {self.at:d}" if dated else "")

    @cached_property
    def sales(self) -> Sales:
        """The lines of orders and money up to the instant; see ``insight.sales``."""
        found = open_sales(self._store, self.rule, self.at, among=self._among)
        self._opened.append(found)
        return found

    @cached_property
    def lines(self) -> Lines | None:
        """What was bought up to the instant, with category and brand; None where no order says that."""
        found = open_purchases(self._store, self.rule, self.at, among=self._among)
        if found is not None:
            self._opened.append(found)
        return found

    def holds(self, definitions: Mapping[str, Definition]) -> dict[str, Mask]:
        """Who is in which segment at the instant: for each definition one yes/no for each of ``customers``."""
        found = self.engine.evaluate(definitions, self.at, drafts=True)
        try:
            columns = ", ".join(f'"{column}"' for column in found.columns.values())
            table = self.arrow(f"SELECT customer, {columns} FROM {found.table} ORDER BY customer")
        finally:
            found.close()
        owners = np.asarray(table["customer"].to_numpy(), dtype=np.int32)
        masks = (
            np.asarray(table[column].to_numpy(zero_copy_only=False), dtype=bool) for column in found.columns.values()
        )
        return {slug: self.aligned(owners, mask, False) for slug, mask in zip(found.columns, masks, strict=True)}

    def consents(self, purpose: str) -> str:
        """A query of (customer, granted): the newest word on a purpose at the instant."""
        return current_consents(self._store, purpose, self.at)

    @contextmanager
    def beside(self, table: pa.Table) -> Iterator[str]:
        """A table of the caller's own, to join in ``arrow`` under the name that comes back."""
        with registered(self._store, f"beside_{next(_numbers)}", table) as name:
            yield name

    def values(self, values: Mapping[str, Node]) -> pa.Table:
        """What each of ``customers`` has of some values of the language: ``k``, and a column a name; see ``SqlEngine``."""
        return self.engine.values(values, self.at)

    @contextmanager
    def columns(
        self, nodes: Mapping[str, Node], *, units: str | None = None, kept: tuple[str, ...] = ()
    ) -> Iterator[str]:
        """What each customer has of some values and conditions, as a temporary table of ``k`` and a column a node.

        Args:
            nodes: by column.
            units: a relation of rows with an instant of their own, none after this door's; see ``SqlEngine.columns``.
            kept: further columns of the units, which the view has too.

        Raises:
            Refused: a unit's instant is later than this door's.
        """
        at = self.at
        if units is not None:
            ((first, last),) = self._store.rows(f"SELECT min(t), max(t) FROM {units}")
            if last is not None and last > self.at:
                raise Refused(
                    "What came after an instant can't be read as of it.", fix="Take units that end before it."
                )
            at = self.at if first is None else int(first)
        with self.engine.columns(nodes, at, units=units, kept=kept) as table:
            yield table

    def occurrences(
        self, events: Sequence[Events], properties: Sequence[str | None] = ()
    ) -> AbstractContextManager[list[str]]:
        """When each customer did what some nodes ask for, up to the instant; see ``SqlEngine.occurrences``."""
        return self.engine.occurrences(events, self.at, properties)

    def days(self, events: Sequence[Events]) -> AbstractContextManager[list[str]]:
        """On which local dates each customer did what some nodes ask for, up to the instant; see ``SqlEngine.days``."""
        return self.engine.days(events, self.at)

    @contextmanager
    def temporary(self, name: str, body: str) -> Iterator[str]:
        """A temporary table of a query made of what else comes from here; it is gone afterwards."""
        self._store.execute(f"CREATE TEMP TABLE {name} AS {body}")
        try:
            yield name
        finally:
            self._store.execute(f"DROP TABLE IF EXISTS {name}")

    @contextmanager
    def viewed(self, name: str, body: str) -> Iterator[str]:
        """A temporary view of a query made of what else comes from here; it is gone afterwards."""
        self._store.execute(f"CREATE TEMP VIEW {name} AS {body}")
        try:
            yield name
        finally:
            self._store.execute(f"DROP VIEW IF EXISTS {name}")

    # ------------------------------------------------------------ purchases

    @cached_property
    def first_order(self) -> int | None:
        """The instant of the first order, None before it."""
        ((first,),) = self._store.rows(f"SELECT min(ts) FROM {self.sales.table} WHERE is_order")
        return None if first is None else int(first)

    def days_with_orders(self, *, margin: bool = False) -> tuple[Keys, npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Who bought on which local day for how much: one row a customer and day with an order.

        Args:
            margin: revenue less cost, of the lines whose cost is known.

        Returns:
            customers (keys), days (since 1970) and amounts (in the currency), ordered by customer and day. Refunds
            of a day are in its amount.
        """
        money = "sum(revenue - cost)" if margin else "sum(revenue)"
        table = self.arrow(
            f"SELECT customer, day, CAST(coalesce({money}, 0) AS DOUBLE) / {MICRO} AS amount FROM {self.sales.table} "
            "GROUP BY customer, day HAVING bool_or(is_order) ORDER BY customer, day"
        )
        return (
            np.asarray(table["customer"].to_numpy(), dtype=np.int32),
            np.asarray(table["day"].to_numpy(), dtype=np.int64),
            np.asarray(table["amount"].to_numpy(), dtype=np.float64),
        )

    def purchases(self, *, margin: bool = False) -> Purchases:
        """The purchase history of each buyer in weeks, up to the close of today.

        Raises:
            Refused: there is no order yet.
        """
        if margin not in self._histories:
            from shoal.insight.models.btyd import summarise

            who, day, amount = self.days_with_orders(margin=margin)
            if not who.size:
                raise Refused("There is no order yet.", fix="Load orders.")
            # A day whose refunds exceed its orders is a purchase without spend, not a refund.
            paid = np.maximum(amount, 0.0)
            self._histories[margin] = summarise(who, day, paid, end=self.today, unit="weeks")
        return self._histories[margin]


def number(values: str) -> str:
    """The SQL of a stored number as a plain one.

    >>> number("p3")
    'CAST(p3 AS DOUBLE) / 1000000'
    """
    return f"CAST({values} AS DOUBLE) / {MICRO}"


NUMERIC = {Kind.NUMBER, Kind.DATE, Kind.INSTANT}
"""Kinds whose stored form is a whole number."""
