"""The shapes of what Shoal keeps, and the standard names of events and properties.

Instants are microseconds since 1970 UTC. Values of properties and traits are plain Python: ``str``, ``int``, ``float``
or ``Decimal``, ``bool``, ``date``, aware ``datetime``, a list of ``str``, a list of ``dict``, a ``Point``; None is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

ORDER_COMPLETED = "Order Completed"
ORDER_REFUNDED = "Order Refunded"
"""Bears its ``revenue`` as a negative number, so that net revenue is the sum over both."""
ORDER_CANCELLED = "Order Cancelled"
PRODUCT_VIEWED = "Product Viewed"
SURVEY_ANSWERED = "Survey Answered"
"""Properties: ``survey``, ``nps`` (0–10), ``csat`` (1–5), ``answer`` (free text)."""
CAMPAIGN_SENT = "Campaign Sent"
"""Properties: ``campaign``, ``channel``."""

ACCOUNT_ID = "account_id"
"""The trait of a customer that names their account."""
ACCOUNT_PREFIX = "account."


class Point(NamedTuple):
    """A place on earth in degrees."""

    latitude: float
    longitude: float


Scalar: TypeAlias = str | int | float | Decimal | bool | date | datetime | Point | None
PropertyValue: TypeAlias = Scalar | list[str] | list[dict[str, Scalar]]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a customer did."""

    customer: str
    name: str
    ts: int
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    message_id: str | None = None
    received: int | None = None


@dataclass(frozen=True, slots=True)
class TraitChange:
    """A trait of a customer (or of an account) took a value; None clears it."""

    owner: str
    name: str
    value: PropertyValue
    ts: int
    message_id: str | None = None
    received: int | None = None
    scope: str = "customer"


@dataclass(frozen=True, slots=True)
class ConsentChange:
    """A customer gave, refused or withdrew consent for a purpose."""

    customer: str
    purpose: str
    granted: bool
    ts: int
    message_id: str | None = None
    received: int | None = None


@dataclass(frozen=True, slots=True)
class ListChange:
    """A customer was put on a list, or taken off it."""

    list: str
    customer: str
    added: bool
    ts: int
    received: int | None = None


@dataclass(frozen=True, slots=True)
class Merge:
    """Two customers turned out to be one: ``gone`` joins ``kept``; ``undone`` is when that was taken back."""

    kept: str
    gone: str
    received: int
    because: str = ""
    undone: int | None = None


@dataclass(frozen=True, slots=True)
class PurchaseRule:
    """Which properties of an order, or fields of its items, say what was bought, as ``purchases:`` in ``shoal.yaml`` says.

    Of each tuple the first name that is there counts, whatever its letter case; the defaults are the names that data
    usually bears, and an empty tuple means that nothing says it.

    Args:
        items: the list of objects that holds an order's items; where none of these is there, the only list.
        category: of what was bought.
        brand: of what was bought.
        product: its name, or else its number.
        amount: the money paid for it.
        price: of one piece, where there is no amount.
        quantity: how many pieces.
        discount: an amount taken off.
        coupon: the code of a coupon.
        channel: where the order was placed.
        store: the shop that took it.
    """

    items: tuple[str, ...] = ("products", "items", "lines")
    category: tuple[str, ...] = (
        "category", "product_category", "category_name", "department", "product_type", "genre",
    )  # fmt: skip
    brand: tuple[str, ...] = ("brand", "brand_name", "manufacturer", "vendor", "label")
    product: tuple[str, ...] = (
        "product", "product_name", "item_name", "name", "title", "description", "product_id", "item_id", "sku", "stock_code",
    )  # fmt: skip
    amount: tuple[str, ...] = ("revenue", "amount", "line_total", "total", "sales_value", "sales")
    price: tuple[str, ...] = ("price", "unit_price")
    quantity: tuple[str, ...] = ("quantity", "qty")
    discount: tuple[str, ...] = (
        "discount", "discounts", "discount_amount", "total_discount", "coupon_discount", "coupon_disc", "retail_disc",
    )  # fmt: skip
    coupon: tuple[str, ...] = ("coupon", "coupon_code", "promo_code", "voucher")
    channel: tuple[str, ...] = ("channel", "sales_channel", "order_channel", "platform")
    store: tuple[str, ...] = ("store", "store_id", "shop", "branch", "location")


@dataclass(frozen=True, slots=True)
class RevenueRule:
    """What counts as revenue, as ``revenue:`` in ``shoal.yaml`` says.

    Args:
        events: the event names that bear revenue, each with its property; refunds bear negative amounts.
        orders: the event name that counts as an order.
        cost: the event names that bear cost, each with its property; empty means "no cost data", and no margin is shown.
        includes: what of tax, shipping and discount is in the amounts, in words for the reader.
        currency: the workspace's currency.
        purchases: what says what was bought.
    """

    events: Mapping[str, str] = field(
        default_factory=lambda: {ORDER_COMPLETED: "revenue", ORDER_REFUNDED: "revenue", ORDER_CANCELLED: "revenue"}
    )
    orders: str = ORDER_COMPLETED
    cost: Mapping[str, str] = field(default_factory=dict)
    includes: Mapping[str, str] = field(default_factory=dict)
    currency: str = "USD"
    purchases: PurchaseRule = field(default_factory=PurchaseRule)

    @property
    def names(self) -> tuple[str, ...]:
        """All events that it names, each once: those that bear revenue, the order, and those that bear cost."""
        return tuple(dict.fromkeys((*self.events, self.orders, *self.cost)))


PERIODS = ("day", "week", "month", "quarter", "year")
"""In which contracts are counted."""
PERIOD_DAYS = {"week": 7, "month": 31, "quarter": 92, "year": 366}
"""Periods of the calendar in which customers can buy once, each with the most days that it can have."""


@dataclass(frozen=True, slots=True)
class ContractRule:
    """What says since when a customer is under contract and whether they left, as ``contracts:`` in ``shoal.yaml`` says.

    Either dates, or how long each stayed.

    Args:
        start: an event, or a trait with a date, that begins a contract.
        end: an event, or a trait with a date, that ends it.
        tenure: a trait with a number: for how many periods the customer has been, or was, under contract.
        left: a trait with yes or no, or a condition: whether they left.
        period: one of ``PERIODS``: how long a contract runs until it is renewed.
        by: a trait whose values are compared.
    """

    start: str = ""
    end: str = ""
    tenure: str = ""
    left: str = ""
    period: str = "month"
    by: str = ""


@dataclass(frozen=True, slots=True)
class SessionRule:
    """What makes a session, and an engaged one, as ``sessions:`` in ``shoal.yaml`` says; what isn't said is found by names.

    Args:
        events: the events that sessions are made of, wildcards too; empty: all that say a page or screen.
        pages: which of them are page views; empty: those whose name says so, else all.
        page: the property that says the page or screen; empty: the first of the usual names.
        gap: microseconds; what comes later after the event before begins a new session.
        seconds: in the foreground, from which on a session is engaged.
        page_views: from which on it is.
        key_events: one of which makes it engaged; empty: the order.
        foreground: the property that measures time in the foreground; empty: from the first event to the last.
        milliseconds: whether that property is in milliseconds, not seconds.
    """

    events: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    page: str = ""
    gap: int = 1_800_000_000
    seconds: int = 10
    page_views: int = 2
    key_events: tuple[str, ...] = ()
    foreground: str = ""
    milliseconds: bool = False


@dataclass(frozen=True, slots=True)
class FunnelRule:
    """A funnel that has a name, as ``funnels:`` in ``shoal.yaml`` says.

    Args:
        steps: events, each with its filter if it has one.
        within: the time from the first step to the last, as ``7 days``.
        by: what groups are told apart by: a trait, or a property of the first step; empty: nothing.
        any_order: whether steps may be taken in any order.
    """

    steps: tuple[str, ...]
    within: str = "30 days"
    by: str = ""
    any_order: bool = False


@dataclass(frozen=True, slots=True)
class FeedbackRule:
    """Where scores and words of customers stand, as ``feedback:`` in ``shoal.yaml`` says; what isn't said is found by names.

    Args:
        nps: by event, the property that holds the answer of 0 to 10.
        csat: by event, the property that holds the answer of 1 to 5.
        texts: by event, the properties that hold what customers wrote.
        words: what a word of the trade says of a mood, over the weights that ship: from -1 (bad) to 1 (good).
    """

    nps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    csat: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttributionRule:
    """What is credited with conversions, and how, as ``attribution:`` in ``shoal.yaml`` says.

    Args:
        touches: by event, its property that names the channel; None where the event is itself one.
        campaigns: by event, its property that names the campaign.
        conversion: the event; empty is an order.
        value: its property with the money; empty is that of ``revenue:``.
        days: a touch counts so long before a conversion.
        model: the one that cost KPIs use, a name of ``insight.attribution.MODELS``.
        half_life: days after which a touch counts half, for time decay.
    """

    touches: Mapping[str, str | None] = field(default_factory=dict)
    campaigns: Mapping[str, str | None] = field(default_factory=dict)
    conversion: str = ""
    value: str = ""
    days: int = 30
    model: str = "last"
    half_life: float = 7.0


@dataclass(frozen=True, slots=True)
class CostRule:
    """What cost KPIs rest on beside attribution, as ``costs:`` in ``shoal.yaml`` says.

    Args:
        channels: whose spend is to win customers; with no channel and no campaign all spend is.
        campaigns: likewise.
        lead: the event that makes somebody a lead; empty is the first touch.
        within: days within which a lead must have ordered to count as closed.
    """

    channels: tuple[str, ...] = ()
    campaigns: tuple[str, ...] = ()
    lead: str = ""
    within: int = 90


@dataclass(frozen=True, slots=True)
class Trial:
    """A campaign whose receivers were drawn by lot, as ``trials:`` in ``shoal.yaml`` says.

    Args:
        name: its name.
        event: the event that says who took part, and when: those who got nothing have one too.
        arm: its property that says which part they were drawn into.
        control: the arms that got nothing.
        treated: the arms that got it; empty: all others.
        action: what was done, a key of ``insight.actions.ACTIONS``.
        days: for so many days after it, orders are counted.
        only: by property of the event, its value: events of other values are no part of the trial.
    """

    name: str
    event: str
    arm: str
    control: tuple[str, ...]
    treated: tuple[str, ...]
    action: str
    days: int
    only: Mapping[str, str] = field(default_factory=dict)
