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
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_ACCOUNT = "account."


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
    if node.name.startswith(_ACCOUNT):
        return f"the account's {name_words(node.name.removeprefix(_ACCOUNT))}"
    words = name_words(node.name)
    return words if voice.event is None else f"the customer's {words}"


@says(n.Property)
def say_property(node: n.Property, voice: Voice) -> str:
    return name_words(node.name)


@says(n.LocalTime)
def say_local_time(node: n.LocalTime, voice: Voice) -> str:
    return {"hour": "the hour of the day", "weekday": "the weekday", "date": "the date"}[node.part]
