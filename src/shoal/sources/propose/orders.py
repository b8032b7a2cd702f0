"""Orders: order lines, order headers, and purchases without a number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from shoal.lang.schema import Kind
from shoal.shapes import ORDER_COMPLETED, ORDER_REFUNDED
from shoal.sources.propose.draft import Draft, described, named, sql_name, sql_text
from shoal.sources.propose.meaning import snake, words
from shoal.sources.values import number_in

if TYPE_CHECKING:
    from shoal.sources.propose.context import Context
    from shoal.sources.propose.keys import Join
    from shoal.sources.propose.look import Look

_MOST_PROPERTIES = 15
_UNDONE = re.compile(r"cancel|refund|return|void|fail|declin|revers|chargeback", re.IGNORECASE)


@dataclass(slots=True)
class _Order:
    """What is known of the orders of a table.

    Args:
        look: the table whose rows are orders or their lines.
        draft: what is being made of it.
        order: the column of the order's number, None if there is none.
        customer: the column of the customer, here or looked up.
        at: the column of the time, here or looked up.
        grouped: whether several rows make an order.
        header: the table that the lines look their order up in.
        fetched: columns of the header that were looked up.
        money: properties that are money.
        properties: properties of the event.
        used: columns of the table that have their place.
        made: the derived amount of a line, if there is one.
    """

    look: Look
    draft: Draft
    order: str | None
    customer: str
    at: str
    grouped: bool
    header: Look | None = None
    fetched: dict[str, str] = field(default_factory=dict)
    money: list[str] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    made: str | None = None

    def per_line(self, column: str, context: Context) -> bool:
        """Whether a column differs between the lines of an order."""
        if not self.grouped or self.order is None:
            return False
        return column in self.look.columns and context.keys.depends(self.look, column, self.order) < 0.98

    def origin(self, column: str) -> tuple[Look, str]:
        """The table and column that a column, perhaps looked up, comes from."""
        if column in self.look.columns or self.header is None:
            return self.look, column
        return self.header, self.fetched[column]

    def whole(self, column: str) -> str | dict[str, str]:
        """The one value that a column has in an order, which some exports write in the first of its rows only."""
        return {"max": column} if self.grouped else column


def draft_orders(context: Context) -> None:
    """Make orders of the tables that hold them; lines before headers, which are then only looked up."""
    for look in [look for look in context.open if not names_events(context, look)]:
        number = order_column(look)
        if number and not context.keys.unique(look, number) and _has_goods(look):
            _draft_lines(context, look, number)
    for look in [look for look in context.open if not names_events(context, look)]:
        number = order_column(look)
        customer = context.customer(look)
        if number and customer and number != customer and look.means.when and context.keys.unique(look, number):
            _draft_rows(context, look, number, customer, "an order")
    for look in list(context.open):
        if _is_purchase_log(context, look):
            customer = context.customer(look)
            assert customer is not None
            order = _draft_rows(context, look, None, customer, "a purchase")
            context.ask(f"{look.shown} has no order number, so each of its rows counts as one order. Is that right?")
            _copies(context, order)


def names_events(context: Context, look: Look) -> bool:
    """Whether the rows are events of several kinds, purchases perhaps among them."""
    column = look.means.first("event")
    several = column is not None and len(pc.unique(look.known(column))) > 1
    return several and context.customer(look) is not None and bool(look.means.when)


def order_column(look: Look) -> str | None:
    """The column of the order's number; in Shopify's export it is called Name."""
    found = look.means.first("order")
    if found is None and "Name" in look.columns and any(words(c).startswith("lineitem ") for c in look.columns):
        return "Name"
    return found


def _has_goods(look: Look) -> bool:
    return look.means.first("product", "product name", "quantity", "price", "amount") is not None


def _is_purchase_log(context: Context, look: Look) -> bool:
    customer = context.customer(look)
    means = look.means
    paid = means.first("amount") or (means.first("price") and means.first("quantity"))
    spend = means.first("impressions", "clicks", "campaign", "nps", "csat")
    if customer is None or not means.when or not paid or spend or means.first("event", "order"):
        return False
    return not context.keys.unique(look, customer) and look.sample.num_rows > 1


def _draft_lines(context: Context, look: Look, number: str) -> None:
    customer = context.customer(look)
    at = look.means.when[0] if look.means.when else None
    header = next((j for j in context.keys.joins(look) if j.column == number and _is_header(context, j)), None)
    if header is None and not (customer and at):
        return
    draft = Draft(look, "order lines: the rows of one order number are one order")
    order = _Order(look, draft, number, customer or "", at or "", grouped=True)
    context.drafts[look.name] = draft
    if header is not None and not (customer and at):
        _use_header(context, order, header)
    order.used |= {number, order.customer, order.at}
    _amounts(context, order)
    items = _items(context, order)
    _others(context, order, items)
    _finish(context, order, items)
    _copies(context, order)


def _is_header(context: Context, join: Join) -> bool:
    return bool(join.parent.means.when) and context.customer(join.parent) is not None


def _use_header(context: Context, order: _Order, join: Join) -> None:
    header = join.parent
    customer = context.customer(header)
    assert customer is not None
    keys = {j.column for j in context.keys.joins(header)} - {customer}
    moments = {c for c, g in header.columns.items() if g.kind in (Kind.DATE, Kind.INSTANT)}
    take = {}
    for column in header.columns:
        personal = header.columns[column].looks in ("free text", "phone", "email", "url")
        if column != join.key and column not in keys and (column not in moments or column in header.means.when[:1]):
            if personal and column != customer:
                continue
            name = column if column not in order.look.columns else f"order_{column}"
            take[name] = column
    order.header = header
    order.fetched = take
    order.customer = order.customer or next(n for n, c in take.items() if c == customer)
    order.at = order.at or next(n for n, c in take.items() if c == header.means.when[0])
    context.reference(header, "order headers: the order lines look them up")
    context.look_up(order.draft, join, take)


def _draft_rows(context: Context, look: Look, number: str | None, customer: str, row: str) -> _Order:
    draft = Draft(look, f"a row is {row}")
    context.drafts[look.name] = draft
    order = _Order(look, draft, number, customer, look.means.when[0], grouped=False)
    order.used |= {customer, order.at} | ({number} if number else set())
    _amounts(context, order)
    items: dict[str, str] = {}
    if look.means.first("product") and look.means.first("quantity", "price"):
        items = _items(context, order)
    else:
        _listed_products(order)
    _others(context, order, items)
    _finish(context, order, items)
    return order


def _listed_products(order: _Order) -> None:
    """Products that stand in the row as a list of objects, as in JSON."""
    lists = [c for c, guess in order.look.columns.items() if guess.kind is Kind.OBJECTS]
    goods = next((c for c in lists if re.search(r"\b(line|item|product|article)", words(c))), None)
    order.properties |= ({"products": goods} if goods else {}) | named([c for c in lists if c != goods], {"products"})


def _amounts(context: Context, order: _Order) -> None:
    """Revenue, discount, tax, shipping and cost, from what there is."""
    means, header = order.look.means, order.header
    totals = [c for c in means.all("amount") if not order.per_line(c, context)]
    if header is not None:
        totals += [n for n, c in order.fetched.items() if c in header.means.all("amount")]
    per_line = [c for c in means.all("amount") if order.per_line(c, context)] if order.grouped else []
    quantity, price = means.first("quantity"), means.first("price")
    line: str | None = None
    if per_line:
        line = _best_amount(per_line)
        order.properties["revenue"] = {"sum": line}
    elif totals:
        order.properties["revenue"] = order.whole(_best_amount(totals))
    elif price:
        line = _line_total(order, price, quantity)
        order.properties["revenue"] = {"sum": line} if order.grouped else line
    else:
        context.ask(f"No amount of money was found in {order.look.shown}, so its orders have no revenue.")
        return
    order.money.append("revenue")
    order.used |= {line} if line else set()
    source = _source_of(order.properties["revenue"])
    order.used.add(source)
    context.ask(
        f"Revenue is {_said(order, source)}. Does it include tax and shipping? Say so under revenue: includes:."
    )
    _cost(context, order, line)
    _extras(context, order)


def _said(order: _Order, source: str) -> str:
    expression = order.draft.derive.get(source)
    if order.header is not None and source in order.fetched:
        return f"the column {order.fetched[source]} of {order.header.shown}"
    return f"{expression} of {order.look.shown}" if expression else f"the column {source} of {order.look.shown}"


def _source_of(take: Any) -> str:
    return str(next(iter(take.values()))) if isinstance(take, dict) else str(take)


def _best_amount(columns: list[str]) -> str:
    """The amount that the customer paid: the total rather than a subtotal or a due amount."""

    def rank(column: str) -> tuple[int, int]:
        text = words(column)
        lesser = bool(re.search(r"\b(sub|subtotal|due|outstanding|before|list|original|tax|refund\w*|balance)\b", text))
        return lesser, not re.search(r"\b(total|net|sales|revenue|paid|amount)\b", text)

    return min(columns, key=rank)


def _line_total(order: _Order, price: str, quantity: str | None) -> str:
    parts = [sql_name(c) for c in (quantity, price) if c]
    expression = " * ".join(parts)
    for column in order.look.means.all("discount"):
        guess = order.look.columns[column]
        if guess.low is not None and guess.high is not None and guess.low >= 0 and guess.high <= 1:
            expression += f" * (1 - {sql_name(column)})"
            order.used.add(column)
            break
    if expression == sql_name(price):
        return price
    order.used |= {c for c in (quantity, price) if c}
    order.made = order.draft.new_column("line_total", expression)
    return order.made


def _cost(context: Context, order: _Order, line: str | None) -> None:
    means = order.look.means
    profit, cost = means.first("profit"), means.first("cost")
    revenue = _source_of(order.properties["revenue"])
    if cost:
        quantity = means.first("quantity")
        unit = "unit" in words(cost) and quantity is not None
        expression = f"{sql_name(quantity or '')} * {sql_name(cost)}"
        source = order.draft.new_column("line_cost", expression) if unit else cost
    elif profit and (line or not order.grouped):
        source = order.draft.new_column("line_cost", f"{sql_name(revenue)} - {sql_name(profit)}")
    else:
        return
    order.used |= {c for c in (cost, profit) if c}
    order.properties["cost"] = {"sum": source} if order.grouped else source
    order.money.append("cost")
    context.cost[ORDER_COMPLETED] = "cost"


def _extras(context: Context, order: _Order) -> None:
    """Discount, tax and shipping as properties of the order."""
    for meaning in ("discount", "tax", "shipping"):
        columns = [c for c in order.look.means.all(meaning) if c not in order.used]
        if order.header is not None:
            columns += [n for n, c in order.fetched.items() if c in order.header.means.all(meaning)]
        for column in columns:
            name = meaning if len(columns) == 1 else words(column).replace(" ", "_")
            per_line = order.per_line(column, context)
            order.properties[name] = {"sum": column} if per_line else order.whole(column)
            order.used.add(column)
            fraction = column in order.look.columns and _is_fraction(order.look, column)
            if fraction:
                del order.properties[name]
                order.used.discard(column)
            else:
                order.money.append(name)


def _is_fraction(look: Look, column: str) -> bool:
    """Whether a discount is a share of the price, not an amount."""
    guess = look.columns[column]
    return (
        guess.high is not None and guess.low is not None and guess.low >= 0 and 0 < guess.high <= 1 and not guess.looks
    )


def _items(context: Context, order: _Order) -> dict[str, str]:
    """The fields of the order's products."""
    means = order.look.means
    product = means.first("product")
    joins = [j for j in context.keys.joins(order.look) if j.column not in (order.order, order.customer, order.at)]
    goods = next((j for j in joins if j.column == product), None)
    if product is None and joins:
        goods = joins[0]
        product = goods.column
    price = means.first("price")
    fields = {
        "product_id": product, "name": means.first("product name"), "quantity": means.first("quantity"), "price": price
    }  # fmt: skip
    items = {name: column for name, column in fields.items() if column}
    line = _source_of(order.properties.get("revenue", ""))
    if line and line not in order.fetched and line != price and (order.per_line(line, context) or line == order.made):
        items["amount"] = line
    if goods is not None:
        for name in context.describe(order.draft, goods):
            items.update(named([name], items))
    order.used |= set(items.values())
    return items


def _others(context: Context, order: _Order, items: dict[str, str]) -> None:
    """Give the columns that are left a place: a trait, a property of the order, or a field of its products."""
    look = order.look
    traits: list[str] = []
    properties: list[str] = []
    order.used |= set(look.means.all("currency"))
    for column, guess in look.columns.items():
        if column in order.used or column in look.means.all("line") or _is_constant(look, column):
            continue
        if guess.kind in (Kind.DATE, Kind.INSTANT, Kind.OBJECTS) or guess.missing > 0.98 or guess.looks == "free text":
            continue
        if order.per_line(column, context):
            items.update(named([column], items))
        elif (
            guess.kind is not Kind.NUMBER
            and context.keys.depends(look, column, order.customer) >= 0.98
            and _comes_back(order)
        ):
            traits.append(column)
        else:
            properties.append(column)
    if order.header is not None:
        properties += [
            n for n, c in order.fetched.items() if n not in (order.customer, order.at) and n not in order.used
        ]
    fetched = [n for n in properties[:_MOST_PROPERTIES] if n not in look.columns]
    own = [n for n in properties[:_MOST_PROPERTIES] if n in look.columns]
    order.properties |= described(look, own, {*order.properties, "products", "order_id"})
    order.properties |= named(fetched, {*order.properties, "products", "order_id"})
    if traits:
        owner = {"customer": order.customer, "at": order.at}
        order.draft.traits.append(owner | {"take": described(look, traits)})


def _comes_back(order: _Order) -> bool:
    """Whether enough customers have several orders to tell what stays the same with a customer."""
    if order.customer not in order.look.columns:
        return False
    spread = order.order or order.at
    pairs = (
        order.look.sample.select([order.customer, spread]).drop_null().group_by([order.customer, spread]).aggregate([])
    )
    customers = pc.count_distinct(pairs.column(order.customer)).as_py()
    return bool(customers and pairs.num_rows >= 1.5 * customers)


def _is_constant(look: Look, column: str) -> bool:
    guess = look.columns[column]
    return len(guess.examples) < 2 and guess.missing < 0.02


def _finish(context: Context, order: _Order, items: dict[str, str]) -> None:
    """The events: completed orders, and refunds where there are any."""
    properties = ({"order_id": order.order} if order.order else {}) | order.properties
    event: dict[str, Any] = {"event": ORDER_COMPLETED}
    customer, at = (_in_all_rows(context, order, column) for column in (order.customer, order.at))
    event |= {"customer": customer, "at": at}
    if order.order:
        event["id"] = order.order
    if order.grouped:
        event["group"] = order.order
    currency = order.look.means.first("currency")
    if currency and order.money:
        event["currency"] = _in_all_rows(context, order, currency)
        _ask_for_rates(context, order.look, currency)
    if order.money:
        event["money"] = order.money
    event["properties"] = properties
    if items:
        event["items"] = {"products": items}
    order.draft.events = _with_refunds(context, order, event)
    context.moments.append(order.origin(order.at))
    context.customers.append(order.origin(order.customer))


def _ask_for_rates(context: Context, look: Look, currency: str) -> None:
    """Say what money in several currencies needs."""
    codes = currencies(look, currency)
    if len(codes) > 1:
        shown = ", ".join(codes[:6]) + (" …" if len(codes) > 6 else "")
        context.ask(
            f"{look.shown} has money in several currencies ({shown}; most rows in {codes[0]}). The others are converted by the "
            "rates of their day: name a file with the columns date, currency and rate as rates:, or their rows wait in "
            "quarantine."
        )


def currencies(look: Look, column: str) -> list[str]:
    """The codes of a column of currencies, the most frequent first."""
    counted = pc.value_counts(pc.utf8_upper(pc.utf8_trim_whitespace(look.known(column).cast(pa.string())))).to_pylist()
    codes = {pair["values"]: pair["counts"] for pair in counted if re.fullmatch("[A-Z]{3}", pair["values"])}
    return sorted(codes, key=lambda code: (-codes[code], code))


def _with_refunds(context: Context, order: _Order, event: dict[str, Any]) -> list[dict[str, Any]]:
    """The event of completed orders, and that of refunds where a column, a prefix or a sign tells them."""
    done = _done(context, order)
    completed = _placed(event, done) if done else event
    refunded = order.look.means.first("refunded")
    if refunded:
        condition = f"{sql_name(refunded)} > 0" + (f" AND ({done})" if done else "")
        return [completed, _placed(_refund_column(order, event, refunded), condition)]
    negative = _negative_rows(order) if not done else []
    if not negative:
        return [completed]
    prefix = _prefix(order, negative)
    return (
        _refund_by_prefix(context, order, event, prefix, len(negative))
        if prefix
        else _refund_by_sign(context, order, event, len(negative))
    )


def _in_all_rows(context: Context, order: _Order, column: str) -> str:
    """A column, spread over all rows of its order where the export writes it in the first one only."""
    if not (order.grouped and order.order and column in order.look.columns):
        return column
    if not context.keys.patchy(order.look, column, order.order):
        return column
    name = f"order_{snake(column).removeprefix('order_')}"
    return order.draft.new_column(name, f"max({sql_name(column)}) OVER (PARTITION BY {sql_name(order.order)})")


def _done(context: Context, order: _Order) -> str | None:
    """The condition that leaves out orders whose status says that nothing came of them; None if there is none."""
    undone = _undone_status(order)
    if undone is None:
        return None
    status, words_ = undone
    column = sql_name(_in_all_rows(context, order, status))
    context.ask(f"Orders of {order.look.shown} with {status} {', '.join(words_)} don't count as orders. Is that right?")
    return f"{column} NOT IN ({', '.join(sql_text(w) for w in words_)}) OR {column} IS NULL"


def _refund_by_prefix(
    context: Context, order: _Order, event: dict[str, Any], prefix: str, many: int
) -> list[dict[str, Any]]:
    like = f"{sql_name(order.order or '')} LIKE {sql_text(prefix + '%')}"
    if order.order in order.look.columns:
        order.draft.types[order.order or ""] = "text"
    context.ask(
        f"{many:,} rows of the sample of {order.look.shown} have a negative amount, and their {order.order} "
        f"begins with {prefix}: they became refunds, which reduce revenue and don't count as orders. Is that right?"
    )
    refund = {**event, "event": ORDER_REFUNDED}
    return [_placed(event, like.replace(" LIKE ", " NOT LIKE ")), _placed(refund, like)]


def _refund_by_sign(context: Context, order: _Order, event: dict[str, Any], many: int) -> list[dict[str, Any]]:
    amount = sql_name(_source_of(order.properties["revenue"]))
    context.ask(
        f"{many:,} rows of the sample of {order.look.shown} have a negative amount: they became refunds, which reduce "
        "revenue and don't count as orders. Is that right?"
    )
    refund = {**event, "event": ORDER_REFUNDED}
    if order.order:
        refund["id"] = order.draft.new_column("refund_id", f"{sql_name(order.order)} || '-refund'")
    return [_placed(event, f"{amount} >= 0 OR {amount} IS NULL"), _placed(refund, f"{amount} < 0")]


def _refund_column(order: _Order, event: dict[str, Any], refunded: str) -> dict[str, Any]:
    amount = order.draft.new_column("refund", f"-{sql_name(refunded)}")
    refund = {k: v for k, v in event.items() if k not in ("items", "money", "properties")} | {"event": ORDER_REFUNDED}
    if order.order:
        refund["id"] = order.draft.new_column("refund_id", f"{sql_name(order.order)} || '-refund'")
    take = {"min": amount} if order.grouped else amount
    refund |= {"money": ["revenue"], "properties": {"order_id": order.order, "revenue": take}}
    order.draft.types[refunded] = "number"
    return refund


def _placed(event: dict[str, Any], when: str) -> dict[str, Any]:
    """The event with its condition behind its name."""
    return {"event": event["event"], "when": when} | {k: v for k, v in event.items() if k != "event"}


def _undone_status(order: _Order) -> tuple[str, list[str]] | None:
    """The column that says which orders were cancelled or refunded, with its words for that."""
    for column in order.look.means.all("status"):
        values = [v for v in pc.unique(order.look.known(column)).to_pylist() if _UNDONE.search(str(v))]
        whole = [v for v in values if "partial" not in v.lower()]
        if whole and len(values) < 12:
            return column, sorted(whole)
    return None


def _negative_rows(order: _Order) -> list[int]:
    """The rows of the sample whose amount is below zero and whose customer is known."""
    source = _source_of(order.properties.get("revenue", ""))
    means = order.look.means
    columns = (
        [source] if source in order.look.columns else [c for c in (means.first("quantity"), means.first("price")) if c]
    )
    if not columns or source in order.fetched:
        return []
    total: Any = None
    for column in columns:
        values = numbers(order.look, column)
        total = values if total is None else pc.multiply(total, values)
    mask = pc.fill_null(pc.less(total, 0), False)
    if order.customer in order.look.columns:
        mask = pc.and_(mask, pc.is_valid(order.look.sample.column(order.customer)))
    return [int(i) for i in pc.indices_nonzero(mask).to_pylist()]


def numbers(look: Look, column: str) -> pa.ChunkedArray:
    """Numbers of a column as floating point, read the way they are written; null for what is none."""
    values, pattern = look.sample.column(column), look.columns[column].pattern
    if not pa.types.is_string(values.type):
        return values.cast(pa.float64())
    encoded = values.dictionary_encode().combine_chunks()
    texts = encoded.dictionary.to_pylist()
    read = pa.array([number_in(text, pattern.decimal or ".", pattern.thousands) for text in texts], pa.float64())
    return pa.chunked_array([read.take(encoded.indices)])


def _prefix(order: _Order, negative: list[int]) -> str | None:
    """The letters that the numbers of undone orders begin with, and no others do."""
    if order.order is None:
        return None
    texts = order.look.sample.column(order.order).cast(pa.string())
    undone = texts.take(pa.array(negative)).drop_null().to_pylist()
    letters = {m[0] for t in undone if (m := re.match(r"[A-Za-z]+", t))}
    if len(letters) != 1 or sum(t.startswith(min(letters)) for t in undone) < 0.98 * len(undone):
        return None
    prefix = letters.pop()
    with_prefix = pc.sum(pc.starts_with(texts, prefix)).as_py() or 0
    return prefix if with_prefix <= 1.25 * len(undone) + 5 else None


def _copies(context: Context, order: _Order) -> None:
    """Keep exact copies of rows, since two equal lines can be two products; and ask."""
    look = order.look
    if any(context.keys.unique(look, c) for c in look.columns):
        return
    order.draft.duplicates = "keep"
    copies = round(context.keys.repeats(look) * look.sample.num_rows)
    if copies == 1:
        context.ask(
            f"1 row of the sample of {look.shown} is an exact copy of another and counts like any other. "
            "If it is a fault of the export, write duplicates: drop."
        )
    elif copies:
        context.ask(
            f"{copies:,} rows of the sample of {look.shown} are exact copies of others and count like any other. "
            "If they are faults of the export, write duplicates: drop."
        )
