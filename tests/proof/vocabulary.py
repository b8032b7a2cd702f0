"""The small world that the proof draws from: a few names, few values for each, so that conditions are often true."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from .wire import EPOCH, MICROSECOND, UNITS, moment
from .zones import DAY, HOUR, day_start, local

Wire = dict[str, Any]

TRAITS: dict[str, str] = {
    "account_id": "text",
    "age": "number",
    "birthday": "date",
    "clv": "number",
    "country": "text",
    "interests": "list of text",
    "location": "geo point",
    "plan": "text",
    "renewal": "instant",
    "signed_up": "date",
    "subscribed": "yes/no",
    "account.employees": "number",
    "account.industry": "text",
    "account.since": "date",
}
EVENTS: dict[str, dict[str, Any]] = {
    "Order Completed": {
        "cart_id": "text",
        "coupon": "text",
        "due": "date",
        "gift": "yes/no",
        "paid_at": "instant",
        "products": {"brand": "text", "price": "number", "sale": "yes/no"},
        "revenue": "number",
        "tags": "list of text",
    },
    "Product Viewed": {"cart_id": "text", "category": "text", "price": "number"},
    "Email Opened": {"campaign": "text", "opened": "yes/no"},
    "App Opened": {},
    "Video Started": {"minutes": "number", "title": "text"},
    "Video Ended": {"minutes": "number", "title": "text"},
    "Star*": {"price": "number"},
}
EVENT_WEIGHTS = {
    "Order Completed": 8,
    "Product Viewed": 8,
    "Email Opened": 3,
    "App Opened": 3,
    "Video Started": 2,
    "Video Ended": 1,
    "Star*": 1,
}
LISTS = ("vip list", "staff", "blocked")
PURPOSES = {"email": "consent", "post": "legitimate-interest"}
ACCOUNTS = ("acme", "globex")
ZONES = (
    ("UTC", dt.date(2024, 2, 12)),
    ("Europe/London", dt.date(2024, 3, 16)),
    ("Europe/London", dt.date(2023, 10, 14)),
    ("America/New_York", dt.date(2023, 10, 20)),
    ("Asia/Beirut", dt.date(2024, 3, 15)),
    ("Asia/Beirut", dt.date(2023, 10, 12)),
    ("America/Havana", dt.date(2024, 2, 24)),
    ("Australia/Lord_Howe", dt.date(2024, 3, 25)),
    ("Africa/Nairobi", dt.date(2022, 12, 18)),
    ("Asia/Kolkata", dt.date(2023, 2, 12)),
    ("Pacific/Apia", dt.date(2011, 12, 14)),
    ("America/New_York", dt.date(2023, 2, 14)),
    ("America/New_York", dt.date(2023, 2, 14)),
)
SPAN = 32
"""Days that a drawn history lasts."""

DURATIONS = (
    (21_600, "second"),
    (360, "minute"),
    (24, "hour"),
    (1, "day"),
    (3, "day"),
    (72, "hour"),
    (1, "week"),
    (7, "day"),
    (12, "day"),
    (3, "week"),
)
"""Few lengths in many units, so that distances between events meet them."""
TEXTS: dict[str, tuple[str | None, ...]] = {
    "country": ("KE", "UG", "ke", "", None),
    "plan": ("free", "pro", "Pro", "", None),
    "cart_id": ("c1", "c1", "c2", "", None),
    "coupon": ("SAVE", "save", "straße", "", None),
    "category": ("shoes", "hats", "Shoes", "", None),
    "campaign": ("spring", "SPRING", "Çay", None),
    "title": ("Ärger", "ärger", "up", ""),
    "brand": ("Acme", "acme", "Zeta", "", None),
    "account.industry": ("Retail", "Food", "", None),
    "account_id": ("acme", "acme", "globex", None),
}
NUMBERS: dict[str, tuple[Decimal | None, ...]] = {
    "age": tuple(map(Decimal, ("17", "30", "30.5", "44"))) + (None,),
    "clv": tuple(map(Decimal, ("0", "10", "10", "20.25", "-3"))) + (None,),
    "revenue": tuple(map(Decimal, ("10", "25.5", "-10", "0", "0.000001"))) + (None,),
    "price": tuple(map(Decimal, ("5", "10", "20", "-5"))) + (None,),
    "minutes": tuple(map(Decimal, ("1", "2", "3.333333"))) + (None,),
    "account.employees": tuple(map(Decimal, ("5", "50", "30"))) + (None,),
}
LISTS_OF_TEXT: dict[str, tuple[list[str] | None, ...]] = {
    "interests": (["shoes", "hats"], ["Shoes"], ["hats", "hats"], [], [""], None),
    "tags": (["new", "sale"], ["sale", "sale"], ["NEW"], [], None),
}
PLACES: tuple[tuple[float, float] | None, ...] = (
    (-1.2864, 36.8172),
    (-1.2921, 36.8219),
    (51.5074, -0.1278),
    (0.0, 180.0),
    None,
)
PATTERNS = (
    "^s",
    "[se]$",
    "oe|at|r.",
    "^$",
    "[A-Z]",
    "a.e|p",
    "^(shoes|pro|KE)$",
    "KE?|^f",
    "ä|^c",
    "p{2}|r+",
    "o|e|K",
    ".",
    "[a-z]{2}",
)
PIECES = ("", "s", "S", "pro", "PRO", "hats", "ss", "SAVE", "K", "ä", "ß", "c")


@dataclass(frozen=True)
class Setting:
    """Where and when a drawn world lies."""

    zone: str
    first: dt.date

    @cached_property
    def start(self) -> int:
        """The instant at which its history begins."""
        return int(day_start(self.zone, self.first))

    @cached_property
    def end(self) -> int:
        """The instant at which it ends."""
        return self.start + SPAN * DAY

    @cached_property
    def marks(self) -> tuple[int, ...]:
        """Instants that many records share: every six hours, and the beginnings of the days."""
        grid = range(self.start, self.end, 6 * HOUR)
        days = [day_start(self.zone, self.first + dt.timedelta(days=i)) for i in range(SPAN)]
        return tuple(sorted({*grid, *map(int, days)}))

    @cached_property
    def anchors(self) -> tuple[int, ...]:
        """Instants that history and literals meet at."""
        days = [int(day_start(self.zone, date)) for date in self.dates[:-1]]
        return (*self.marks[5::13], *days, *self.turns, *(turn - 1 for turn in self.turns))

    @cached_property
    def turns(self) -> tuple[int, ...]:
        """The instants at which clocks are put forward or back; they are whole quarters of an hour."""
        steps = range(self.start, self.end, DAY // 96)
        ahead = [local(self.zone, at) - dt.timedelta(microseconds=at) for at in steps]
        return tuple(at for at, before, after in zip(steps[1:], ahead, ahead[1:], strict=False) if before != after)

    @cached_property
    def dates(self) -> tuple[dt.date, ...]:
        """Dates that traits, properties and literals share."""
        near = [self.first + dt.timedelta(days=i) for i in (2, 9, 13, 15, 17, 25, 34)]
        return (*near, dt.date(self.first.year, 12, 31))

    @cached_property
    def day_edges(self) -> tuple[int, ...]:
        """The first and the last instants of some of the dates, and those right before and after them."""
        days = [d + dt.timedelta(days=i) for d in (self.dates[1], self.dates[3]) for i in (0, 1)]
        return tuple(int(day_start(self.zone, day)) + i for day in days for i in (-1, 0))

    @cached_property
    def birthdays(self) -> tuple[dt.date, ...]:
        """Dates whose anniversary falls into the history, 29 February and a date yet to come among them."""
        year = self.first.year
        near = [self.first + dt.timedelta(days=i) for i in (5, 12, 20, 30)]
        old = [d.replace(year=1992) for d in near if (d.month, d.day) != (2, 29)]
        return (*old, dt.date(1992, 2, 29), dt.date(2000, 2, 29), near[1].replace(year=year + 1, day=10), near[2])

    def values(self, name: str, kind: Any) -> tuple[Any, ...]:
        """The few values of a trait or property."""
        if kind == "text":
            return TEXTS[name]
        if kind == "number":
            return NUMBERS[name]
        if kind == "yes/no":
            return (True, False, None)
        if kind == "list of text":
            return LISTS_OF_TEXT[name]
        if kind == "geo point":
            return PLACES
        if kind == "instant":
            return (*(EPOCH + m * MICROSECOND for m in (*self.marks[5::13], *self.day_edges)), None)
        assert kind == "date"
        return (*(self.birthdays if name == "birthday" else self.dates), None)


def node(kind: str, **fields: Any) -> Wire:
    """An object of the wire form."""
    return {"node": kind, **{name: value for name, value in fields.items() if value is not None}}


def literal(value: Any) -> Wire:
    """The wire form of a plain value."""
    if isinstance(value, bool):
        return node("yesno", value=value)
    if isinstance(value, str):
        return node("text", value=value)
    if isinstance(value, dt.datetime):
        return node("instant", value=value.isoformat())
    if isinstance(value, dt.date):
        return node("date", value=value.isoformat())
    return node("number", value=decimal_text(value))


def decimal_text(value: Decimal | int) -> str:
    """Plain digits, no exponent."""
    text = f"{Decimal(value):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(amount: int, unit: str) -> Wire:
    """The wire form of a duration."""
    return node("duration", amount=amount, unit=unit)


def micros(wire: Wire) -> int:
    """How long a duration in wire form is, in microseconds."""
    return int(wire["amount"]) * UNITS[wire["unit"]]


def at(text: str) -> int:
    """The instant of an ISO text, for tables of named cases."""
    return int(moment(dt.datetime.fromisoformat(text)))
