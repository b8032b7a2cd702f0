"""What is known of customers at an instant, as columns to learn from: orders, events, what they buy, and traits.

All of it is read through ``AsOf``, so nothing here can be of a later instant than its. Which columns there are is settled
once, when a model is fitted (``Plan``), so that it finds the same ones whenever it scores.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.models.asof import MICRO, number
from shoal.insight.models.learning.encoding import LEAST_OF_A_WORD, MOST_WORDS
from shoal.insight.models.learning.table import NO_WORD, Numbers, Table, Words
from shoal.insight.purchases import discounted
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.learning.table import Column

    Rows = npt.NDArray[np.int64]

MOST_EVENTS = 12
MOST_TRAITS = 100
LEAST_CUSTOMERS = 20
WINDOWS = (30, 90, 365)
YES_OR_NO: tuple[str, ...] = ("no", "yes")

RECENCY = "days since the last order"
ANY_RECENCY = "days since the last event"
_FREQUENCY_DAYS = 90
TOP_CATEGORY = "category bought most"

_NO_FEATURE = {Kind.TEXTS: "lists aren't read", Kind.OBJECTS: "lists aren't read", Kind.POINT: "places aren't read"}
_LEFT_OUT = "it is to be left out"
_NOT_TRAITS = {"account_id": "it names an account"}


@dataclass(frozen=True, slots=True)
class TraitPlan:
    """A trait that is read.

    Args:
        name: the trait's name, which is the column's too.
        kind: its type.
        levels: of a text or yes/no, its common values, ascending; what else it may be counts as missing.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """The name of its column: a date is read as the days since it."""
        return f"days since {self.name}" if self.kind in (Kind.DATE, Kind.INSTANT) else self.name


@dataclass(frozen=True, slots=True)
class Plan:
    """Which columns are made.

    Args:
        windows: days back over which orders and events are counted. A window that is longer than the history means
            another thing at each cut, so there is none.
        long: whether there is a year of history: then what was in all is counted too.
        orders: whether there are orders.
        discount: whether orders say that they bore a discount.
        categories: the categories that most customers bought from, ascending; none where orders don't name them.
        events: names of event types, without those of orders and money.
        traits: the traits.
        dropped: traits and event types that aren't read, each with the reason.
    """

    windows: tuple[int, ...]
    long: bool
    orders: bool
    discount: bool
    categories: tuple[str, ...]
    events: tuple[str, ...]
    traits: tuple[TraitPlan, ...]
    dropped: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, known: AsOf, without: Collection[str] = (), *, since: int) -> Plan:
        """What is worth reading as of an instant.

        Args:
            known: the store as of then.
            without: names of traits and of event types to leave out.
            since: the first instant that is learnt at.

        Raises:
            Refused: for a name in ``without`` that is neither.
        """
        names = [*(t.name for t in known.traits), *known.events]
        for name in without:
            if name not in names and name not in known.schema.traits:
                raise Refused(
                    f"There is no trait or event {name!r} to leave out.", fix=f"There are: {', '.join(names)}."
                )
        traits, no_traits = _traits(known, without)
        events, no_events = _events(known, without)
        orders = known.first_order is not None and known.rule.orders not in without
        categories = _categories(known) if orders else ()
        history = _history(known, since)
        windows = tuple(w for w in WINDOWS if w <= max(history, WINDOWS[0]))
        long, discount = history >= WINDOWS[-1], orders and _some_discount(known)
        return cls(windows, long, orders, discount, categories, events, traits, (*no_traits, *no_events))

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Plan:
        """What ``document`` gave, through JSON."""
        traits = tuple(TraitPlan(t["name"], Kind(t["kind"]), tuple(t["levels"])) for t in document["traits"])
        whole: dict[str, Any] = {key: tuple(document[key]) for key in ("windows", "categories", "events")}
        whole |= {key: bool(document[key]) for key in ("long", "orders", "discount")}
        dropped = tuple((name, reason) for name, reason in document["dropped"])
        return cls(traits=traits, dropped=dropped, **whole)


def _history(known: AsOf, at: int) -> float:
    """Days from the first event of all until an instant."""
    firsts = [known.arrow(f"SELECT min(ts) AS ts FROM ({known.event(name)})")["ts"][0].as_py() for name in known.events]
    known_ones = [first for first in firsts if first is not None]
    return (at - min(known_ones)) / DAY if known_ones else 0.0


def recency(plan: Plan) -> str:
    """The column that stands for recency."""
    return RECENCY if plan.orders else ANY_RECENCY


def frequency(plan: Plan) -> str:
    """The column that stands for frequency."""
    return f"{'orders' if plan.orders else 'events'} in the last {_usual(plan)} days"


def _usual(plan: Plan) -> int:
    """The days over which frequency is counted."""
    return max(w for w in plan.windows if w <= _FREQUENCY_DAYS)


def features(known: AsOf, plan: Plan, rows: Rows | None = None) -> Table:
    """One row a customer, with what is known of them at the instant.

    Args:
        known: the store as of the instant.
        plan: which columns.
        rows: places in ``known.customers``; all by default.

    Returns:
        A table whose keys are those of the customers. Counts are 0 where there is nothing to count; what can't be said
        is missing.
    """
    reader = Reader(known, np.arange(len(known.customers)) if rows is None else rows)
    columns = [*_order_columns(reader, plan), *_category_columns(reader, plan), *_event_columns(reader, plan)]
    return Table.of(reader.keys(), [*columns, *(reader.trait(trait) for trait in plan.traits)])


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads columns of some customers as of an instant.

    Args:
        known: the store as of then.
        rows: places in ``known.customers``.
    """

    known: AsOf
    rows: Rows

    def keys(self) -> list[str]:
        """The key of each row."""
        return [str(key) for key in self.known.customers[self.rows].tolist()]

    def values(self, table: pa.Table, column: str, missing: float = np.nan) -> npt.NDArray[np.float64]:
        """A column of a query that gives ``customer`` once each, one value a row."""
        owners = np.asarray(table["customer"].to_numpy(), dtype=np.int32)
        found = np.asarray(table[column].to_numpy(zero_copy_only=False), dtype=np.float64)
        aligned: npt.NDArray[np.float64] = self.known.aligned(owners, found, missing)[self.rows]
        return np.where(np.isnan(aligned), missing, aligned)

    def codes(self, table: pa.Table, column: str, levels: Sequence[str]) -> Rows:
        """The place in ``levels`` of a text of a query that gives ``customer`` once each; −1 where it isn't there."""
        import pyarrow as pa
        import pyarrow.compute as pc

        owners = np.asarray(table["customer"].to_numpy(), dtype=np.int32)
        at = pc.index_in(table[column], pa.array(levels, pa.string()))
        found = np.asarray(pc.fill_null(at, NO_WORD).to_numpy(), dtype=np.int64)
        return np.asarray(self.known.aligned(owners, found, NO_WORD)[self.rows], dtype=np.int64)

    def trait(self, trait: TraitPlan) -> Column:
        """The values of a trait in force; all missing where there is no such trait of this type any more."""
        stored = self.known.registry.trait(trait.name)
        there = stored is not None and stored.kind is trait.kind
        query = (
            self.known.trait(stored) if stored is not None and there else "SELECT 0 AS owner, NULL AS value WHERE false"
        )
        if trait.levels:
            table = self.known.arrow(f"SELECT owner AS customer, {_word(trait.kind)} AS value FROM ({query})")
            return Words(trait.column, trait.levels, self.codes(table, "value", trait.levels))
        table = self.known.arrow(f"SELECT owner AS customer, {_plain(trait.kind, self.known)} AS value FROM ({query})")
        return Numbers(trait.column, self.values(table, "value"))


def _word(kind: Kind) -> str:
    """The SQL of a trait's value as a word."""
    return "CASE WHEN value THEN 'yes' WHEN NOT value THEN 'no' END" if kind is Kind.YESNO else "CAST(value AS VARCHAR)"


def _plain(kind: Kind, known: AsOf) -> str:
    """The SQL of a trait's value as a plain number; dates become the days that have passed since."""
    match kind:
        case Kind.DATE:
            return f"CAST({known.today} - value AS DOUBLE)"
        case Kind.INSTANT:
            return days_since("value", known)
    return number("value")


def days_since(ts: str, known: AsOf) -> str:
    """The SQL of the whole days from an instant to that of ``known``."""
    return f"CAST(floor(({known.at:d} - {ts}) / {DAY}.0) AS DOUBLE)"


def within(days: int, known: AsOf) -> str:
    """The SQL that a row's ts lies in the last ``days`` days."""
    return f"ts > {known.at - days * DAY:d}"


# ---------------------------------------------------------------- orders and what was bought


def _order_columns(reader: Reader, plan: Plan) -> Iterator[Column]:
    if not plan.orders:
        return
    known = reader.known
    counts = ", ".join(
        f"count(*) FILTER (WHERE is_order AND {within(w, known)}) AS n{w}, "
        f"CAST(coalesce(sum(revenue) FILTER (WHERE {within(w, known)}), 0) AS DOUBLE) / {MICRO} AS m{w}"
        for w in plan.windows
    )
    table = known.arrow(
        f"SELECT customer, count(*) FILTER (WHERE is_order) AS n, CAST(sum(revenue) AS DOUBLE) / {MICRO} AS m, "
        f"{days_since('max(ts) FILTER (WHERE is_order)', known)} AS since, "
        f"{days_since('min(ts) FILTER (WHERE is_order)', known)} AS first, "
        f"count(*) FILTER (WHERE NOT is_order AND revenue < 0) AS refunds, {counts} "
        f"FROM {known.sales.table} GROUP BY customer"
    )
    n, money = reader.values(table, "n", 0.0), reader.values(table, "m", 0.0)
    since, first = reader.values(table, "since"), reader.values(table, "first")
    gap = np.where(n > 1, (first - since) / np.maximum(n - 1, 1), np.nan)
    yield Numbers(RECENCY, since)
    yield Numbers("days between orders", gap)
    yield Numbers("days since the last order, in usual gaps", since / np.where(gap > 0, gap, np.nan))
    yield Numbers("spend an order", np.where(n > 0, money / np.maximum(n, 1), np.nan))
    yield Numbers("refunds an order", np.where(n > 0, reader.values(table, "refunds", 0.0) / np.maximum(n, 1), np.nan))
    if plan.long:
        yield Numbers("days since the first order", first)
        yield Numbers("orders in all", n)
        yield Numbers("spend in all", money)
    for w in plan.windows:
        yield Numbers(f"orders in the last {w} days", reader.values(table, f"n{w}", 0.0))
        yield Numbers(f"spend in the last {w} days", reader.values(table, f"m{w}", 0.0))
    if plan.discount:
        yield _discount_column(reader)


def _discount_column(reader: Reader) -> Column:
    known, test = reader.known, _discounted(reader.known)
    name = "share of orders with a discount"
    if test is None:
        return Numbers(name, np.full(len(reader.rows), np.nan))
    query = known.event(known.rule.orders)
    table = known.arrow(
        f"SELECT customer, CAST(count(*) FILTER (WHERE {test}) AS DOUBLE) / count(*) AS share "
        f"FROM ({query}) GROUP BY customer"
    )
    return Numbers(name, reader.values(table, "share"))


def _some_discount(known: AsOf) -> bool:
    """Whether any order bore a discount by then: that the data can say so may itself be news of later."""
    test = _discounted(known)
    return test is not None and _count(known, f"SELECT * FROM ({known.event(known.rule.orders)}) WHERE {test}") > 0


def _count(known: AsOf, query: str, what: str = "*") -> int:
    return int(known.arrow(f"SELECT count({what}) AS n FROM ({query})")["n"][0].as_py())


def _discounted(known: AsOf) -> str | None:
    event = known.events.get(known.rule.orders)
    return None if event is None else discounted(event, known.rule.purchases)


def _categories(known: AsOf) -> tuple[str, ...]:
    """The categories that most customers bought from, ascending by name."""
    return tuple(sorted(bought_most(known, MOST_WORDS)))


def bought_most(known: AsOf, most: int) -> list[str]:
    """The categories that most customers bought from, the most bought first; those of a handful are left out."""
    if known.lines is None or not known.lines.has_category:
        return []
    table = known.arrow(
        f"SELECT category, count(DISTINCT customer) AS n FROM {known.lines.table} WHERE category IS NOT NULL "
        f"GROUP BY category HAVING n >= {LEAST_CUSTOMERS} ORDER BY n DESC, category LIMIT {most:d}"
    )
    return [str(name) for name in table["category"].to_pylist()]


def _category_columns(reader: Reader, plan: Plan) -> Iterator[Column]:
    lines, days = reader.known.lines if plan.categories else None, plan.windows[-1]
    if not plan.categories:
        return
    source = "(SELECT 0 AS customer, '' AS category, 0 AS ts WHERE false)" if lines is None else lines.table
    table = reader.known.arrow(
        "SELECT customer, count(*) AS kinds, arg_max(category, (n, category)) AS top FROM (SELECT customer, category, "
        f"count(*) AS n FROM {source} WHERE category IS NOT NULL AND {within(days, reader.known)} "
        "GROUP BY customer, category) GROUP BY customer"
    )
    yield Numbers(f"categories bought in the last {days} days", reader.values(table, "kinds", 0.0))
    yield Words(TOP_CATEGORY, plan.categories, reader.codes(table, "top", plan.categories))


# ---------------------------------------------------------------- events


def _events(known: AsOf, without: Collection[str]) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """The event types of most customers, by name; and those that aren't read."""
    money = known.rule.names
    counts = {name: _count(known, known.event(name), "DISTINCT customer") for name in known.events if name not in money}
    # An event that nobody had by then isn't even named: that there is one is news of later.
    there = sorted((name for name, n in counts.items() if n), key=lambda name: (-counts[name], name))
    wanted = [name for name in there if name not in without]
    kept = [name for name in wanted[:MOST_EVENTS] if counts[name] >= LEAST_CUSTOMERS]
    few = f"fewer than {LEAST_CUSTOMERS} customers have it, or {MOST_EVENTS} events have more"
    dropped = [(name, _LEFT_OUT if name in without else few) for name in there if name not in kept]
    return tuple(sorted(kept)), dropped


def _event_columns(reader: Reader, plan: Plan) -> Iterator[Column]:
    if not plan.events:
        return
    usual = _usual(plan)
    often, last = np.zeros(len(reader.rows)), np.full(len(reader.rows), np.nan)
    for name in plan.events:
        counts = _counted(reader, _rows_of(reader.known, name), plan.windows)
        often, last = often + counts[f"n{usual}"], np.fmin(last, counts["since"])
        yield Numbers(f'days since the last "{name}"', counts["since"])
        for w in plan.windows:
            yield Numbers(f'"{name}" in the last {w} days', counts[f"n{w}"])
        if plan.long:
            yield Numbers(f'"{name}" in all', counts["n"])
    if plan.orders:
        counts = _counted(reader, f"SELECT customer, ts FROM {reader.known.sales.table}", (usual,))
        often, last = often + counts[f"n{usual}"], np.fmin(last, counts["since"])
    yield Numbers(f"events in the last {usual} days", often)
    yield Numbers(ANY_RECENCY, last)


def _rows_of(known: AsOf, name: str) -> str:
    """A query of an event's rows; of none where the store has no such event any more."""
    return known.event(name) if name in known.events else "SELECT 0 AS customer, 0 AS ts WHERE false"


def _counted(reader: Reader, query: str, windows: Sequence[int]) -> dict[str, npt.NDArray[np.float64]]:
    known = reader.known
    counts = "".join(f", count(*) FILTER (WHERE {within(w, known)}) AS n{w}" for w in windows)
    table = known.arrow(
        f"SELECT customer, count(*) AS n, {days_since('max(ts)', known)} AS since{counts} FROM ({query}) GROUP BY customer"
    )
    found = {name: reader.values(table, name, 0.0) for name in ("n", *(f"n{w}" for w in windows))}
    return {**found, "since": reader.values(table, "since")}


# ---------------------------------------------------------------- traits


def _traits(known: AsOf, without: Collection[str]) -> tuple[tuple[TraitPlan, ...], list[tuple[str, str]]]:
    """The traits that are read, by name, and those that aren't."""
    found: list[TraitPlan] = []
    dropped: list[tuple[str, str]] = []
    for trait in sorted(known.traits, key=lambda t: t.name):
        query = known.trait(trait)
        if not _count(known, query, "value"):
            continue  # That there is such a trait is news of later.
        levels = YES_OR_NO if trait.kind is Kind.YESNO else _levels(known, query) if trait.kind is Kind.TEXT else ()
        reason = _LEFT_OUT if trait.name in without else _NOT_TRAITS.get(trait.name) or _NO_FEATURE.get(trait.kind)
        if reason is None and trait.kind is Kind.TEXT and not levels:
            reason = f"no value has {LEAST_OF_A_WORD} customers"
        if reason is None and len(found) == MOST_TRAITS:
            reason = f"{MOST_TRAITS} traits are read at most"
        if reason is None:
            found.append(TraitPlan(trait.name, trait.kind, levels))
        else:
            dropped.append((trait.name, reason))
    return tuple(found), dropped


def _levels(known: AsOf, query: str) -> tuple[str, ...]:
    table = known.arrow(
        f"SELECT value, count(*) AS n FROM ({query}) WHERE value IS NOT NULL GROUP BY value "
        f"HAVING n >= {LEAST_OF_A_WORD} ORDER BY n DESC, value LIMIT {MOST_WORDS}"
    )
    return tuple(sorted(str(value) for value in table["value"].to_pylist()))


def unchanged(known: AsOf, before: AsOf, plan: Plan) -> list[str]:
    """The traits that nobody who was there at an earlier instant has got or changed since.

    A file without dates counts from when a customer was first seen, so what it says of today seems to have been known
    all along. Such a trait may know what is to be foretold.

    Args:
        known: the store as of the later instant.
        before: as of the earlier one.
        plan: which traits are read.
    """
    return [t.name for t in plan.traits if before.customers.size and not _moved(known, before, t.name)]


def _moved(known: AsOf, before: AsOf, name: str) -> bool:
    stored = known.registry.trait(name)
    if stored is None:
        return True
    table = known.arrow(
        f"SELECT k.owner FROM ({known.trait(stored)}) k LEFT JOIN ({before.trait(stored)}) b ON b.owner = k.owner "
        "WHERE k.value IS DISTINCT FROM b.value"
    )
    _, there = before.rows(np.asarray(table["owner"].to_numpy(), dtype=np.int32))
    return bool(there.any())
