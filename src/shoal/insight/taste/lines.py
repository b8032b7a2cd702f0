"""What customers took, day by day: bought, viewed or given back, told by category, brand, product or attribute.

Each source of lines is read by the names in the workspace's rule for purchases. A customer, an item and a day make one
line of each part, however many pieces or views: two dozen eggs of one basket aren't a habit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.insight.purchases import item_list, named
from shoal.lang.schema import Kind
from shoal.shapes import ORDER_CANCELLED, ORDER_REFUNDED, PRODUCT_VIEWED
from shoal.sql.encode import local_day, quoted, text_of_millionths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from shoal.insight.models.asof import AsOf
    from shoal.sql.registry import EventType, Property

    Ints = npt.NDArray[np.int64]

CATEGORY, BRAND, PRODUCT = "category", "brand", "product"
MICRO = 1_000_000
BOUGHT, VIEWED, RETURNED = MICRO, MICRO // 5, -MICRO
"""What a day with the item counts in millionths of a purchase: five days of looking are worth one of buying."""
MOST_ATTRIBUTES = 3
BATCH = 200_000
EVERYBODY = "true"
_MOST_VALUES = 100
_OTHER = -1


@dataclass(frozen=True, slots=True)
class Part:
    """One event whose lines tell what was taken.

    Args:
        event: the event.
        items: its list of items, None where the event itself is one line.
        counts: what a day of it counts, in millionths of a purchase.
    """

    event: EventType
    items: Property | None
    counts: int

    @property
    def fields(self) -> Mapping[str, Any]:
        """What can tell: fields of the items, or properties of the event."""
        return self.event.properties if self.items is None else self.items.fields

    def select(self, known: AsOf, name: str, customer: int | None = None) -> str:
        """The SQL of (customer, ts, day, item, counts) of the lines of all customers, or of one."""
        whose = "" if customer is None else f" WHERE e.customer = {customer:d}"
        found, day = self.fields[name], local_day("e.ts", "e.offset_s")
        # The one field is taken out before lists are unrolled: a filter over rows with whole items copies all of them.
        value = (
            found.col if self.items is None else f"unnest(list_transform(e.{self.items.col}, lambda i: i.{found.col}))"
        )
        text = text_of_millionths("value") if found.kind is Kind.NUMBER else "value"
        return (
            f"SELECT customer, ts, day, CAST({text} AS VARCHAR) AS item, {self.counts} AS counts FROM ("
            f"SELECT e.customer, e.ts, {day} AS day, {value} AS value FROM ({known.event(self.event.name)}) e{whose})"
        )


def parts(known: AsOf) -> list[Part]:
    """The events whose lines tell what was bought, viewed and given back."""
    rule, events = known.rule, known.events
    found = []
    for name, counts in {rule.orders: BOUGHT, ORDER_REFUNDED: RETURNED, ORDER_CANCELLED: RETURNED}.items():
        if name in events:
            found.append(Part(events[name], item_list(events[name], rule.purchases), counts))
    if PRODUCT_VIEWED in events:
        found.append(Part(events[PRODUCT_VIEWED], None, VIEWED))
    return found


def field_of(part: Part, known: AsOf, way: str) -> str | None:
    """The field of a part that tells a way: by the rule for category, brand and product, else by its own name."""
    names = {CATEGORY: known.rule.purchases.category, BRAND: known.rule.purchases.brand}.get(way)
    if way == PRODUCT:
        told = known.rule.purchases.product
        return named(part.fields, told, Kind.TEXT) or named(part.fields, told, Kind.NUMBER)
    return named(part.fields, names or (way,), Kind.TEXT)


@dataclass(frozen=True, slots=True)
class Source:
    """What was taken, told in one way.

    Args:
        rows: the SQL of (customer, ts, day, item, counts), of the instants of a customer each item once; items are numbers in
            the order of their names.
        names: the SQL of (item, name).
    """

    rows: str
    names: str

    def places(self, items: Sequence[str]) -> str:
        """The SQL of (item, place) of names."""
        rows = ", ".join(f"({quoted(name)}, {place})" for place, name in enumerate(items)) or "(NULL, 0)"
        return f"SELECT item, place FROM (VALUES {rows}) AS named(name, place) JOIN ({self.names}) USING (name)"


def lines(known: AsOf, way: str, *, only: int | None = None, customer: int | None = None) -> Source | None:
    """What was taken up to the instant; None where no order tells. It is read from the events once for all instants.

    Args:
        known: the store as of an instant.
        way: category, brand, product, or the name of an attribute.
        only: only the part that counts so much, as ``BOUGHT``.
        customer: only what this customer took: to read it costs by that and not by the base.
    """
    told = [(part, name) for part in parts(known) if (name := field_of(part, known, way))]
    if not any(part.counts == BOUGHT for part, _ in told):
        return None

    def texts(first: AsOf) -> str:
        body = " UNION ALL ".join(part.select(first, name, customer) for part, name in told)
        return f"SELECT * FROM ({body}) WHERE item IS NOT NULL"

    def numbered(first: AsOf) -> str:
        # Each name is looked at once: to trim the text of each line took most of a fit.
        every = f"SELECT item AS name FROM ({texts(first)}) GROUP BY item"
        number = "CAST(row_number() OVER (ORDER BY name) AS INTEGER) AS item"
        return f"SELECT {number}, name FROM ({every}) WHERE trim(name) <> ''"

    whose = "" if customer is None else f" of {customer:d}"
    names = known.laid_out(f"names of {way}{whose}", numbered, dated=False)
    # Numbers alone are kept: to lay texts out costs more than to read the events a second time.
    rows = known.laid_out(
        f"lines by {way}{whose}",
        lambda first: (
            f"SELECT DISTINCT customer, ts, day, n.item, counts FROM ({texts(first)}) l JOIN ({names}) n "
            "ON n.name = l.item"
        ),
    )
    return Source(rows if only is None else f"SELECT * FROM ({rows}) WHERE counts = {only}", names)


def attributes(known: AsOf) -> list[str]:
    """Further fields of the items that tell a few kinds of goods, as ``department`` or ``colour``; by name, the first three."""
    orders = [part for part in parts(known) if part.counts == BOUGHT and part.items is not None]
    if not orders:
        return []
    part = orders[0]
    spoken = {field_of(part, known, way) for way in (CATEGORY, BRAND, PRODUCT)}
    spoken |= {name for name in part.fields if name.casefold() in known.rule.purchases.product}
    free = sorted(n for n, f in part.fields.items() if f.kind is Kind.TEXT and n not in spoken)
    kinds = _kinds(known, part, free) if free else []
    return [name for name, n in zip(free, kinds, strict=True) if 2 <= n <= _MOST_VALUES][:MOST_ATTRIBUTES]


def _kinds(known: AsOf, part: Part, names: Sequence[str]) -> list[int]:
    """How many values each field has."""
    assert part.items is not None
    counts = ", ".join(f"count(DISTINCT i.{part.fields[name].col}) AS n{i}" for i, name in enumerate(names))
    table = known.arrow(
        f"SELECT {counts} FROM (SELECT unnest({part.items.col}) AS i FROM ({known.event(part.event.name)}))"
    )
    return [int(table[f"n{i}"][0].as_py()) for i in range(len(names))]


@dataclass(frozen=True, slots=True)
class Taken:
    """How much of each item each customer took, as it still counts.

    Args:
        customers: keys, ascending; row i of the others is theirs.
        row: of each cell, the customer's place.
        column: of each cell, the item's place; −1 for all items that aren't named.
        amount: of each cell, in days of buying, above 0.
        latest: of each cell, its latest local date, days since 1970.
    """

    customers: npt.NDArray[np.int32]
    row: Ints
    column: Ints
    amount: npt.NDArray[np.float64]
    latest: Ints

    def matrix(self, items: int) -> Any:
        """CSR of customers × items; what isn't named is left out."""
        from scipy import sparse

        named_ = self.column >= 0
        cells = (self.amount[named_], (self.row[named_], self.column[named_]))
        return sparse.csr_matrix(cells, shape=(len(self.customers), items))

    @property
    def totals(self) -> npt.NDArray[np.float64]:
        """What each customer took in all, unnamed items with it."""
        held = np.bincount(self.row, weights=self.amount, minlength=len(self.customers))
        return held.astype(np.float64)


def bought_after(known: AsOf, source: Source, items: Sequence[str], at: int, who: str = EVERYBODY) -> Taken:
    """On how many days each customer bought each of the named items, and others, after an instant.

    Args:
        known: the store as of the end.
        source: of ``lines``.
        items: names; cells bear their places.
        at: the instant; of its own day only what came after it counts.
        who: the SQL that holds for the customers that are asked for.
    """
    return _taken(
        known.arrow(
            f"SELECT customer, coalesce(n.place, {_OTHER}) AS place, CAST(count(*) AS DOUBLE) AS amount, "
            f"CAST(max(day) AS BIGINT) AS latest FROM (SELECT DISTINCT customer, item, day FROM ({source.rows}) "
            f"WHERE counts = {BOUGHT} AND ts > {at:d} AND {who}) LEFT JOIN ({source.places(items)}) n USING (item) "
            "GROUP BY customer, place ORDER BY customer, place"
        )
    )


def _taken(table: pa.Table) -> Taken:
    customer = np.asarray(table["customer"].to_numpy(), dtype=np.int32)
    starts = np.r_[True, customer[1:] != customer[:-1]] if len(customer) else np.zeros(0, dtype=bool)
    place, latest = (np.asarray(table[c].to_numpy(), dtype=np.int64) for c in ("place", "latest"))
    return Taken(
        customer[starts], np.cumsum(starts) - 1, place, np.asarray(table["amount"].to_numpy(), dtype=np.float64), latest
    )


def days_of(source: Source, who: str = EVERYBODY) -> str:
    """The SQL of the lines with each customer, item and day once a part."""
    return f"SELECT DISTINCT customer, item, day, counts FROM ({source.rows}) WHERE {who}"


def decayed(known: AsOf, half_life: float) -> str:
    """The SQL of a day's worth in whole millionths: half after each half-life. Whole, so that no order of adding matters."""
    return f"CAST(round(counts * pow(2.0, (day - {known.today:d}) / {half_life:f})) AS BIGINT)"


def largest(known: AsOf, source: Source, half_life: float, most: int) -> tuple[list[str], list[float], float, int]:
    """The items that are taken most.

    Returns:
        Their names, what of each still counts, what counts in all, and how many items there are.
    """
    table = known.arrow(
        f"WITH taken AS (SELECT item, sum({decayed(known, half_life)}) AS taken FROM ({days_of(source)}) GROUP BY item "
        "HAVING taken > 0) SELECT name, CAST(taken AS DOUBLE) AS taken, CAST(sum(taken) OVER () AS DOUBLE) AS all_taken, "
        f"count(*) OVER () AS items FROM taken JOIN ({source.names}) USING (item) ORDER BY taken DESC, name LIMIT {most:d}"
    )
    if not table.num_rows:
        return [], [], 0.0, 0
    amounts = (np.asarray(table["taken"].to_numpy()) / MICRO).tolist()
    return table["name"].to_pylist(), amounts, float(table["all_taken"][0].as_py()) / MICRO, table["items"][0].as_py()


def one(customer: int) -> str:
    """The SQL that holds for one customer."""
    return f"customer = {customer:d}"


def batches(known: AsOf) -> Iterator[str]:
    """The SQL that holds for ``BATCH`` customers, and for the next ones, to all of them: so memory is bounded."""
    keys = known.customers
    for start in range(0, len(keys), BATCH):
        part = keys[start : start + BATCH]
        yield f"customer BETWEEN {int(part[0])} AND {int(part[-1])}"


def sample(known: AsOf) -> str:
    """The SQL that holds for everybody, or for a share of the customers where there are more than ``BATCH``."""
    parts_ = -(-len(known.customers) // BATCH)
    return f"hash(customer) % {parts_} = 0" if parts_ > 1 else EVERYBODY


def buyers(known: AsOf, source: Source) -> int:
    """How many customers took anything."""
    return int(known.arrow(f"SELECT count(DISTINCT customer) AS n FROM ({source.rows})")["n"][0].as_py())


def taken(known: AsOf, source: Source, items: Sequence[str], half_life: float, who: str = EVERYBODY) -> Taken:
    """What each customer took of the named items, and of all others together.

    Args:
        known: the store as of an instant.
        source: of ``lines``.
        items: names; cells bear their places.
        half_life: days after which a line counts half.
        who: the SQL that holds for the customers that are asked for.
    """
    return _taken(
        known.arrow(
            f"SELECT customer, coalesce(n.place, {_OTHER}) AS place, CAST(max(day) AS BIGINT) AS latest, "
            f"CAST(sum({decayed(known, half_life)}) AS DOUBLE) / {MICRO} AS amount "
            f"FROM ({days_of(source, who)}) LEFT JOIN ({source.places(items)}) n USING (item) "
            "GROUP BY customer, place HAVING amount > 0 ORDER BY customer, place"
        )
    )


def slugs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a name in letters, digits and _, and the item; of two that would be the same the first stays.

    >>> list(slugs(["FROZEN GROCERY", "Café & Tea", "frozen grocery"]))
    [('frozen_grocery', 'FROZEN GROCERY'), ('café_tea', 'Café & Tea')]
    """
    done: set[str] = set()
    for name in names:
        slug = "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
        if slug and slug not in done:
            done.add(slug)
            yield slug, name


def first_of(row: Ints, keys: tuple[npt.NDArray[Any], ...], most: Ints | int) -> Ints:
    """The places of the first cells of each row, in that order.

    Args:
        row: of each cell.
        keys: of each cell, smaller ones first, the weightiest key first.
        most: how many at most, of all rows or of each.
    """
    order = np.lexsort((*reversed(keys), row))
    ranked = row[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if order.size else np.zeros(0, dtype=np.int64)
    rank = np.arange(order.size) - np.repeat(starts, np.diff(np.r_[starts, order.size]))
    limit = most if isinstance(most, int) else most[ranked]
    found: Ints = order[rank < limit]
    return found


def fingerprint(*columns: npt.NDArray[Any] | Sequence[str]) -> str:
    """Of columns in an order that doesn't depend on how rows were stored."""
    digest = hashlib.sha256()
    for column in columns:
        digest.update(column.tobytes() if isinstance(column, np.ndarray) else "\0".join(column).encode())
    return digest.hexdigest()[:16]


def fingerprint_of_each(owner: npt.NDArray[Any], *columns: npt.NDArray[Any], words: Sequence[str] = ()) -> str:
    """Of what each owner holds, whoever they are: the same in any order of rows, and whichever keys customers bear.

    Args:
        owner: of each row, the place of its owner.
        columns: numbers, one a row.
        words: what else to take in, in its order.
    """
    from shoal.insight.models.learning.table import mixed

    rows = np.zeros(len(owner), dtype=np.uint64)
    for column in columns:
        wide = column.astype(np.float64 if column.dtype.kind == "f" else np.int64)
        rows = mixed(rows ^ wide.view(np.uint64))
    each = np.zeros(int(owner.max()) + 1 if len(owner) else 0, dtype=np.uint64)
    np.add.at(each, owner, rows)
    return fingerprint(np.sort(mixed(each)), words)
