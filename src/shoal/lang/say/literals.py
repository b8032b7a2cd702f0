"""Literals, names and durations: the smallest words."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from shoal.clock import from_instant
from shoal.lang import nodes as n
from shoal.lang.document import decimal_text
from shoal.lang.say.voice import plural, quoted, says

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import date

    from shoal.lang.say.voice import Voice

# Names whose letters stand for words; a reader who doesn't know them would stop there.
_KNOWN = {
    "rfm_r": "the RFM recency score",
    "rfm_f": "the RFM frequency score",
    "rfm_m": "the RFM money score",
    "rfm_fm": "the RFM frequency and money score",
    "rfm_cell": "the RFM cell",
    "rfm_segment": "the RFM group",
}
# Traits that Shoal computes, under names that are short for typing.
_COMPUTED = {
    "orders": "the number of orders",
    "value": "the net revenue so far",
    "aov": "the average order value",
    "first_order_at": "the first order",
    "last_order_at": "the last order",
    "tenure_days": "the number of days since the first order",
    "order_gap_days": "the usual number of days between orders",
    "rfm_recency_days": "the number of days since the last order",
    "discount_share": "the share of orders with a discount",
    "favourite_hour": "the favourite hour of the day",
}
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_ACCOUNT = "account."
_INTEREST = "interest_"


def number_words(micro: int) -> str:
    """A number of millionths with thousands separators.

    >>> number_words(-1_234_567_500_000)
    '-1,234,567.5'
    """
    whole, dot, part = decimal_text(abs(micro)).partition(".")
    return ("-" if micro < 0 else "") + f"{int(whole):,}" + dot + part


def name_words(name: str) -> str:
    """A trait's or property's name with spaces for underscores; unusual names are quoted as they are."""
    if name in _KNOWN:
        return _KNOWN[name]
    return name.replace("_", " ").strip() or quoted(name) if _PLAIN_NAME.match(name) else quoted(name)


def trait_words(name: str, scores: Container[str]) -> str:
    """A trait in words; what is computed has better ones than its name.

    >>> (
    ...     trait_words("aov", {"aov"}),
    ...     trait_words("aov", set()),
    ...     trait_words("interest_soft_drinks", {"interest_soft_drinks"}),
    ... )
    ('the average order value', 'aov', 'the share of soft drinks in what was bought')
    """
    if name.startswith(_ACCOUNT):
        return f"the account's {name_words(name.removeprefix(_ACCOUNT))}"
    if name not in scores:
        return name_words(name)
    if name.startswith(_INTEREST):
        return f"the share of {name_words(name.removeprefix(_INTEREST))} in what was bought"
    return _COMPUTED.get(name) or name_words(name)


def day_words(day: date) -> str:
    """``1 September 2017``."""
    return f"{day.day} {day:%B} {day.year}"


@says(n.Number)
def say_number(node: n.Number, voice: Voice) -> str:
    return number_words(node.micro)


@says(n.Text)
def say_text(node: n.Text, voice: Voice) -> str:
    return quoted(node.value)


@says(n.YesNo)
def say_yes_no(node: n.YesNo, voice: Voice) -> str:
    return "yes" if node.value else "no"


@says(n.Date)
def say_date(node: n.Date, voice: Voice) -> str:
    return day_words((from_instant(0) + timedelta(days=node.days)).date())


@says(n.Instant)
def say_instant(node: n.Instant, voice: Voice) -> str:
    moment = from_instant(node.micros)
    exact = "microseconds" if moment.microsecond else "seconds" if moment.second else "minutes"
    return f"{day_words(moment.date())} at {moment.time().isoformat(exact)} UTC"


@says(n.Duration)
def say_duration(node: n.Duration, voice: Voice) -> str:
    return plural(node.amount, node.unit)


@says(n.Trait)
def say_trait(node: n.Trait, voice: Voice) -> str:
    words = trait_words(node.name, voice.schema.scores if voice.schema else ())
    return (
        words
        if voice.event is None or node.name.startswith(_ACCOUNT)
        else f"the customer's {words.removeprefix('the ')}"
    )


@says(n.Property)
def say_property(node: n.Property, voice: Voice) -> str:
    return name_words(node.name)


@says(n.LocalTime)
def say_local_time(node: n.LocalTime, voice: Voice) -> str:
    return {"hour": "the hour of the day", "weekday": "the weekday", "date": "the date"}[node.part]
