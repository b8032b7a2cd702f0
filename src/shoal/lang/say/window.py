"""Windows, and dates that fall in them: when, anniversary, days since and days until."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.literals import number_words
from shoal.lang.say.voice import denies, plural, says

if TYPE_CHECKING:
    from shoal.lang.nodes import CompareOp, Value
    from shoal.lang.say.voice import Voice

_HOW_MANY = {
    "=": "exactly",
    "!=": "a time other than",
    "<": "less than",
    "<=": "at most",
    ">": "more than",
    ">=": "at least",
}


def window_words(window: n.Window | None, voice: Voice) -> str:
    """The window with a space before it, or nothing."""
    return "" if window is None else f" {voice.say(window)}"


@says(n.Last)
def say_last(node: n.Last, voice: Voice) -> str:
    return f"in the last {_span(node.length)}"


@says(n.BeforeLast)
def say_before_last(node: n.BeforeLast, voice: Voice) -> str:
    return f"in the {_span(node.length)} before the last {_span(node.before)}"


@says(n.Since)
def say_since(node: n.Since, voice: Voice) -> str:
    return f"since {voice.say(node.start)}"


@says(n.Period)
def say_period(node: n.Period, voice: Voice) -> str:
    return f"from {voice.say(node.start)} up to but not including {voice.say(node.end)}"


@says(n.This)
def say_this(node: n.This, voice: Voice) -> str:
    return "today (so far)" if node.unit == "day" else f"this {node.unit} (so far)"


@says(n.LastCalendar)
def say_last_calendar(node: n.LastCalendar, voice: Voice) -> str:
    if node.unit == "day":
        return "yesterday" if node.amount == 1 else f"in the {node.amount:,} days before today"
    many = "" if node.amount == 1 else f"{node.amount:,} "
    return f"in the {many}calendar {node.unit}{'' if node.amount == 1 else 's'} before this {node.unit}"


@says(n.Next)
def say_next(node: n.Next, voice: Voice) -> str:
    return f"in the next {_span(node.length)}"


@says(n.When)
def say_when(node: n.When, voice: Voice) -> str:
    return f"{voice.say(node.trait)} falls {_falls(node.window, voice)}"


@denies(n.When)
def deny_when(node: n.When, voice: Voice) -> str:
    return f"{voice.say(node.trait)} does not fall {_falls(node.window, voice)} (or is unknown)"


@says(n.Anniversary)
def say_anniversary(node: n.Anniversary, voice: Voice) -> str:
    return f"the anniversary of {voice.say(node.trait)} is {_coming(node.days)}"


@denies(n.Anniversary)
def deny_anniversary(node: n.Anniversary, voice: Voice) -> str:
    trait = voice.say(node.trait)
    return f"the anniversary of {trait} is not {_coming(node.days)} (or {trait} is unknown)"


@says(n.DaysSince)
def say_days_since(node: n.DaysSince, voice: Voice) -> str:
    return f"the number of days since {voice.say(node.trait)}"


@says(n.DaysUntil)
def say_days_until(node: n.DaysUntil, voice: Voice) -> str:
    return f"the number of days until {voice.say(node.trait)}"


@says(n.DaysSinceEvent)
def say_days_since_event(node: n.DaysSinceEvent, voice: Voice) -> str:
    return f"the number of days since the {node.which} {voice.say(node.events)}"


def ago_words(left: Value, op: CompareOp, right: n.Number, voice: Voice) -> str | None:
    """``the last “App Opened” was more than 60 days ago``, or None where the value isn't a count of days."""
    if right.micro <= 0:
        return None
    amount = number_words(right.micro)
    days = f"{_HOW_MANY[op]} {amount} {'day' if amount == '1' else 'days'}"
    match left:
        case n.DaysSinceEvent(which, events):
            return f"the {which} {voice.say(events)} was {days} ago"
        case n.DaysSince(trait):
            return f"{voice.say(trait)} was {days} ago{_beyond(op, right, 'is still to come')}"
        case n.DaysUntil(trait):
            return f"{voice.say(trait)} is {days} ahead{_beyond(op, right, 'has passed')}"
    return None


def _beyond(op: CompareOp, right: n.Number, words: str) -> str:
    """Dates on the other side of now count as negative, so a bound from above holds for them too."""
    return f" (or {words})" if op in ("<", "<=", "!=") else ""


def _span(length: n.Duration) -> str:
    return length.unit if length.amount == 1 else plural(length.amount, length.unit)


def _falls(window: n.Window, voice: Voice) -> str:
    return f"between {voice.say(window.start)} and now" if isinstance(window, n.Since) else voice.say(window)


def _coming(days: int) -> str:
    return {1: "today", 2: "today or tomorrow"}.get(days, f"today or on one of the next {days - 1:,} days")
