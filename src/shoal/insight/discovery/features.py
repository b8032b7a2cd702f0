"""What micro-segments are made from: values of the segment language, so that what is found can be said and evaluated.

Each feature is an expression that a definition could compare (a trait, a count, a sum, a share of orders, the days since).
The engine works it out for every customer, and a rule on it is text that the same engine answers. Which features there
are follows from the data as of an instant; a fit keeps its list, so that later customers are measured alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shoal.clock import DAY
from shoal.insight.library.facts import spoken
from shoal.insight.lifecycle import measure_cycle
from shoal.insight.purchases import item_list, named
from shoal.insight.reach import ADDRESSES
from shoal.insight.sales import number_column
from shoal.lang.lex import name_text, quoted
from shoal.lang.schema import Kind
from shoal.shapes import ACCOUNT_ID, CAMPAIGN_SENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shoal.insight.models.asof import AsOf
    from shoal.sql.registry import EventType, Trait

Theme: TypeAlias = Literal["behaviour", "value", "lifecycle", "taste", "channel", "demographics"]
Unit: TypeAlias = Literal["count", "money", "days", "share", "number", "word", "yes/no"]
Place: TypeAlias = Literal["adjective", "tail"]

WINDOWS = (365, 180, 90, 28)
"""Days that behaviour is looked at over; the longest that fits into the history is taken."""
MOST_OTHER_EVENTS = 5
MOST_CATEGORIES = 8
MOST_BRANDS = 4
MOST_WORDS = 200
"""A text with more values than this names customers or addresses, and tells no groups."""
THEME_COUNTS_AS = 4
"""A theme of more columns than this counts as this many, or eight categories would drown two columns of value."""
_LEAST_SHARE, _MOST_SHARE = 0.02, 0.98
_DONE_TO = ("sent", "delivered", "bounced")
"""The last words of events that the house does, not the customer."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A column that groups are made from.

    Args:
        name: of the column, for people.
        theme: what it is about.
        text: the value in the segment language.
        unit: how its figures are written.
        says: begins a sentence of it, as ``Orders in 180 days``.
        high: what customers with much of it are called in a name, or empty.
        low: the same for little of it.
        place: where that stands in a name: before the noun or after it.
        high_from: the median from which on ``high`` is true in itself; below it ``softer_high`` is said.
        softer_high: what is true beside the others alone.
        low_to: the median up to which ``low`` is true in itself; above it ``softer_low`` is said.
        softer_low: what is true beside the others alone.
        cap: what lies above counts as this much. Time alone makes everyone older, and data that begin at some date say
            nothing of what was before; a bound of a rule lies below the cap, so that it means the same without one.
    """

    name: str
    theme: Theme
    text: str
    unit: Unit
    says: str
    high: str = ""
    low: str = ""
    place: Place = "adjective"
    high_from: float | None = None
    softer_high: str = ""
    low_to: float | None = None
    softer_low: str = ""
    cap: float | None = None

    def word(self, median: float, *, high: bool) -> str:
        """What a segment with such a median is called in a name, beside others with less of it (``high``) or more."""
        if high:
            return self.high if self.high_from is None or median >= self.high_from else self.softer_high
        return self.low if self.low_to is None or median <= self.low_to else self.softer_low

    @property
    def ages(self) -> bool:
        """Whether it moves by the passing of time alone, whatever customers do."""
        return self.unit == "days" and self.theme == "demographics"

    @property
    def is_category(self) -> bool:
        """Whether its values are words."""
        return self.unit in ("word", "yes/no")

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Span:
    """The time that features are taken from.

    Args:
        window: days of behaviour that they look back.
        horizon: days of what came after, which segments are tested on; 0 where the history is too short to part it.
    """

    window: int
    horizon: int


LEAST_HORIZON = 14


def span_of(known: AsOf, horizon: int) -> Span:
    """How far to look back, and how much to hold out, so that both of two looks a horizon apart see as long a past."""
    first = _first_event(known)
    history = 0 if first is None else (known.at - first) // DAY
    held_out = min(horizon, history // 4)
    held_out = held_out if held_out >= LEAST_HORIZON else 0
    return Span(next((w for w in WINDOWS if w <= history - held_out), WINDOWS[-1]), held_out)


def _first_event(known: AsOf) -> int | None:
    found = [f"SELECT min(ts) AS ts FROM ({known.event(name)})" for name in known.events]
    if not found:
        return None
    first = known.arrow(f"SELECT min(ts) AS ts FROM ({' UNION ALL '.join(found)})")["ts"][0].as_py()
    return None if first is None else int(first)


def features(known: AsOf, span: Span, without: Iterable[str] = ()) -> tuple[tuple[Feature, ...], tuple[str, ...]]:
    """The features that the data has, and what was left out, with the reason.

    Args:
        known: the store as of the fit.
        span: how far to look back.
        without: names of features, traits, events or themes to leave out.
    """
    left_out: list[str] = []
    asked = {name.casefold() for name in without}
    found = [*_of_orders(known, span), *_of_events(known, span), *_of_traits(known, left_out)]
    kept = []
    for feature in found:
        if asked & {feature.name.casefold(), feature.theme, feature.name.casefold().split(": ")[-1]}:
            left_out.append(f"{feature.name}: shoal.yaml leaves it out.")
        elif (fault := _fault(known, feature)) is not None:
            left_out.append(f"{feature.name}: the language can't compare it ({fault}).")
        else:
            kept.append(feature)
    return tuple(kept), tuple(left_out)


def weights(found: Iterable[Feature]) -> dict[str, float]:
    """What each column counts for: columns of a theme that has many share its weight."""
    columns = list(found)
    sizes: dict[str, int] = {}
    for feature in columns:
        sizes[feature.theme] = sizes.get(feature.theme, 0) + 1
    return {f.name: min(1.0, (THEME_COUNTS_AS / sizes[f.theme]) ** 0.5) for f in columns}


def _fault(known: AsOf, feature: Feature) -> str | None:
    """Why the language wouldn't take a comparison of it."""
    from shoal.errors import ShoalError
    from shoal.lang.check import check
    from shoal.lang.parse import parse

    test = {"word": '= "a"', "yes/no": "= yes"}.get(feature.unit, "> 0.123456")
    try:
        check(parse(f"{feature.text} {test}"), known.schema)
    except ShoalError as error:
        return error.problem.rstrip(".")
    return None


# ---------------------------------------------------------------- orders


def _of_orders(known: AsOf, span: Span) -> Iterator[Feature]:
    event = known.events.get(known.rule.orders)
    if event is None or known.first_order is None:
        return
    order, days = quoted(event.name), span.window
    yield Feature(
        "orders", "behaviour", f"count({order} in last {days} days)", "count", f"Orders in {days} days",
        "frequent", "occasional",
    )  # fmt: skip
    yield from _of_money(known, event, days)
    yield Feature(
        "days since last order", "lifecycle", f"days since last {order}", "days", "Days since the last order",
        "lapsed", "active", high_from=float(measure_cycle(known.sales).lapse), softer_high="less active",
    )  # fmt: skip
    yield Feature(
        "days since first order", "lifecycle", f"days since first {order}", "days", "Days since the first order",
        "long-standing", "new", low_to=days / 2, softer_low="newer", cap=float(days),
    )  # fmt: skip
    yield _share(
        "recent share", "lifecycle", order, f"in last {days // 3} days", days,
        f"Share of the orders of {days} days that fell in the last {days // 3}", ("growing", "slowing"), "adjective",
    )  # fmt: skip
    yield _share(
        "weekend share", "behaviour", order, f'where weekday in ("Saturday", "Sunday") in last {days} days', days,
        "Share of orders at weekends", ("at weekends", "on weekdays"), "tail",
    )  # fmt: skip
    yield _share(
        "evening share", "behaviour", order, f"where hour >= 17 in last {days} days", days,
        "Share of orders after five in the afternoon", ("in the evening", "by day"), "tail",
    )  # fmt: skip
    yield from _of_price(known, event, days)
    yield from _of_tastes(known, event, days)
    yield from _of_channels(known, event, days)


def _share(
    name: str, theme: Theme, order: str, part: str, days: int, says: str, words: tuple[str, str], place: Place
) -> Feature:
    """The orders of a part as a share of all in the window; missing without an order in it."""
    text = f"count({order} {part}) / count({order} in last {days} days)"
    return Feature(name, theme, text, "share", says, *words, place)


def _of_money(known: AsOf, event: EventType, days: int) -> Iterator[Feature]:
    revenue = known.rule.events.get(event.name)
    if revenue is None or number_column(event, revenue) is None:
        return
    of = f"{name_text(revenue)} of {quoted(event.name)} in last {days} days"
    yield Feature("spend", "value", f"sum({of})", "money", f"Spend in {days} days", "big-spending", "low-spending")
    yield Feature("order value", "value", f"avg({of})", "money", "Money per order", "big-basket", "small-basket")


def _of_price(known: AsOf, event: EventType, days: int) -> Iterator[Feature]:
    rule, order = known.rule.purchases, quoted(event.name)
    for kind, test in ((Kind.TEXT, "is known"), (Kind.NUMBER, "> 0"), (Kind.YESNO, "= yes")):
        coupon = named(event.properties, rule.coupon, kind)
        if coupon is not None:
            part = f"where {name_text(coupon)} {test} in last {days} days"
            says, words = "Share of orders with a coupon", ("with coupons", "without coupons")
            yield _share("coupon share", "value", order, part, days, says, words, "tail")
            break
    discount = named(event.properties, rule.discount, Kind.NUMBER)
    revenue = known.rule.events.get(event.name)
    if discount is not None and number_column(event, revenue) is not None:
        window = f"of {order} in last {days} days"
        text = f"sum({name_text(discount)} {window}) / sum({name_text(revenue or '')} {window})"
        yield Feature(
            "discount share",
            "value",
            text,
            "share",
            "Discount as a share of spend",
            "on offer",
            "at full price",
            "tail",
        )


def _of_channels(known: AsOf, event: EventType, days: int) -> Iterator[Feature]:
    rule = known.rule.purchases
    for what, names in (("channel", rule.channel), ("store", rule.store)):
        found = named(event.properties, names, Kind.TEXT)
        if found is not None and _few_words(known, event, found):
            text = f"most frequent({name_text(found)} of {quoted(event.name)} in last {days} days)"
            yield Feature(what, "channel", text, "word", f"Usual {what}", place="tail")


def _few_words(known: AsOf, event: EventType, name: str) -> bool:
    column = event.properties[name].col
    found = known.arrow(f"SELECT approx_count_distinct({column}) AS n FROM ({known.event(event.name)})")
    return bool(found["n"][0].as_py() <= MOST_WORDS)


# ---------------------------------------------------------------- taste


def _of_tastes(known: AsOf, event: EventType, days: int) -> Iterator[Feature]:
    """Shares of orders with a category or brand, of those that differ most between customers."""
    lines = known.lines
    if lines is None:
        return
    wanted = (
        ("category", known.rule.purchases.category, lines.has_category, MOST_CATEGORIES),
        ("brand", known.rule.purchases.brand, lines.has_brand, MOST_BRANDS),
    )
    for what, names, there, most in wanted:
        asks = _asks(known, event, names) if there else None
        for level in _telling(known, what, days, most) if asks is not None else ():
            yield _share(
                f"{what}: {level}", "taste", quoted(event.name),
                f"where {asks} in last {days} days".replace("{}", quoted(level)), days,
                f"Share of orders with {level}", (_of(what, level), ""), "tail",
            )  # fmt: skip


def _of(what: str, level: str) -> str:
    return f"of {level.lower()}" if what == "category" else f"of the {what} {level}"


def _asks(known: AsOf, event: EventType, names: tuple[str, ...]) -> str | None:
    """A filter for an order with a category, ``{}`` in its place: of its items where they say it, else of the order."""
    items = item_list(event, known.rule.purchases)
    if items is not None:
        field = named(items.fields, names, Kind.TEXT)
        if field is not None:
            return f"any {name_text(items.name)} ({name_text(field)} = {{}})"
    found = named(event.properties, names, Kind.TEXT)
    return None if found is None else f"{name_text(found)} = {{}}"


def _telling(known: AsOf, what: str, days: int, most: int) -> list[str]:
    """The categories whose share of a customer's orders varies by more than the draw of so many orders does.

    With k of n orders, the variance of k/n is that of the customers' own shares and p(1 − p) / n of chance beside it
    (the method of moments for the beta-binomial). Rare ones and those that nearly all orders have are left out.
    """
    assert known.lines is not None
    rows = known.arrow(
        f"WITH lines AS (SELECT DISTINCT customer, ts, {what} AS level FROM {known.lines.table} "
        f"WHERE ts > {known.at - days * DAY:d} AND {what} IS NOT NULL AND {what} <> ''), "
        "orders AS (SELECT customer, count(DISTINCT ts) AS n FROM lines GROUP BY customer), "
        "hits AS (SELECT customer, level, count(*) AS k FROM lines GROUP BY customer, level), "
        "everyone AS (SELECT count(*) AS customers, sum(1.0 / n) AS inverse, sum(n) AS n FROM orders), "
        "levels AS (SELECT level, sum(k) AS k, sum(k / n) AS shares, sum((k / n) * (k / n)) AS squares, count(*) AS who "
        "FROM hits JOIN orders USING (customer) GROUP BY level) "
        "SELECT level FROM levels, everyone WHERE "
        f"who >= {_LEAST_SHARE} * customers AND levels.k <= {_MOST_SHARE} * everyone.n "
        "ORDER BY squares - 2 * shares * levels.k / everyone.n + customers * (levels.k / everyone.n) ** 2 "
        "- (levels.k / everyone.n) * (1 - levels.k / everyone.n) * inverse DESC, level "
        f"LIMIT {most:d}"
    )
    return [str(level) for level in rows["level"].to_pylist()]


# ---------------------------------------------------------------- other events and traits


def _of_events(known: AsOf, span: Span) -> Iterator[Feature]:
    """Counts of the commonest other events that customers do."""
    names = [n for n in known.events if n != known.rule.orders and n != CAMPAIGN_SENT and not _done_to(n)]
    if not names:
        return
    selects = (
        f"SELECT {at} AS place, count(*) AS n FROM ({known.event(name)}) WHERE ts > {known.at - span.window * DAY:d}"
        for at, name in enumerate(names)
    )
    counts = known.arrow(f"SELECT place FROM ({' UNION ALL '.join(selects)}) WHERE n > 0 ORDER BY n DESC, place")
    for at in counts["place"].to_pylist()[:MOST_OTHER_EVENTS]:
        name = names[at]
        yield Feature(
            name, "behaviour", f"count({quoted(name)} in last {span.window} days)", "count",
            f"{name} in {span.window} days", _who(known, name), "", "tail",
        )  # fmt: skip


def _who(known: AsOf, name: str) -> str:
    """What customers with many of an event are called.

    Names of events are mostly a thing and what was done with it: who had many "Product Viewed" often viewed products.
    """
    if name in known.rule.events:
        return "with returns"
    *thing, done = spoken(name).split()
    if thing and done.endswith("ed"):
        return f"who often {done} {' '.join(thing)}s"
    return f'with more "{name}"'


def _done_to(name: str) -> bool:
    return name.lower().split()[-1] in _DONE_TO if name.split() else False


def _of_traits(known: AsOf, left_out: list[str]) -> Iterator[Feature]:
    addresses = {name for names in ADDRESSES.values() for name in names}
    for trait in sorted(known.traits, key=lambda t: t.name):
        if trait.name == ACCOUNT_ID or trait.name.casefold() in addresses:
            continue
        if trait.kind is Kind.TEXT and _names_customers(known, trait):
            left_out.append(f"{trait.name}: more than {MOST_WORDS} values; it names customers or places.")
            continue
        found = _of_trait(trait)
        if found is None:
            left_out.append(f"{trait.name}: a {trait.kind.value} has no place among columns.")
        else:
            yield found


def _names_customers(known: AsOf, trait: Trait) -> bool:
    found = known.arrow(f"SELECT approx_count_distinct(value) AS n FROM ({known.trait(trait)})")
    return bool(found["n"][0].as_py() > MOST_WORDS)


def _of_trait(trait: Trait) -> Feature | None:
    name, text = spoken(trait.name), name_text(trait.name)
    head = name[:1].upper() + name[1:]
    match trait.kind:
        case Kind.TEXT:
            return Feature(trait.name, "demographics", text, "word", head, place="tail")
        case Kind.YESNO:
            return Feature(trait.name, "demographics", text, "yes/no", head, place="tail")
        case Kind.NUMBER:
            words = f"with high {name}", f"with low {name}"
            return Feature(trait.name, "demographics", text, "number", head, *words, place="tail")
        case Kind.DATE | Kind.INSTANT:
            words = f"({name} early)", f"({name} late)"
            return Feature(
                trait.name, "demographics", f"days since {text}", "days", f"Days since {name}", *words, place="tail"
            )
    return None
