"""Events with their filters, what was done and how often, and the aggregates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.nodes import MICRO
from shoal.lang.references import is_wildcard, plain_event_name
from shoal.lang.say.literals import name_words, number_words
from shoal.lang.say.voice import denies, quoted, says, times
from shoal.lang.say.window import window_words
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from shoal.lang.nodes import CompareOp
    from shoal.lang.say.voice import Voice

TIMES_OP: dict[str, CompareOp] = {"at least": ">=", "at most": "<=", "exactly": "="}
_OPPOSITE: dict[CompareOp, CompareOp] = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_NOUNS = {
    "sum": "the total {of} of",
    "avg": "the average {of} of",
    "min": "the lowest {of} of",
    "max": "the highest {of} of",
    "first": "the first {of} of",
    "last": "the last {of} of",
    "most frequent": "the most frequent {of} of",
    "distinct": "the number of different values of {of} of",
    "active days": "the number of days with",
    "count": "the number of",
}
_DATED = {"min": "the earliest {of} of", "max": "the latest {of} of"}


@says(n.Events)
def say_events(node: n.Events, voice: Voice) -> str:
    return f"{event_words(node, voice)}{_whose(node)}"


@says(n.Did)
def say_did(node: n.Did, voice: Voice) -> str:
    return _did(node.events, node.window, *_asked(node.times), voice)


@denies(n.Did)
def deny_did(node: n.Did, voice: Voice) -> str:
    op, number = _asked(node.times)
    return _did(node.events, node.window, _OPPOSITE[op], number, voice)


@says(n.Times)
def say_times(node: n.Times, voice: Voice) -> str:
    return f"{node.op} {times(node.n)}"


@says(n.Aggregate)
def say_aggregate(node: n.Aggregate, voice: Voice) -> str:
    noun = _NOUNS[node.fn]
    if node.fn in _DATED and voice.kind(node) in (Kind.DATE, Kind.INSTANT):
        noun = _DATED[node.fn]
    return f"{noun.format(of=name_words(node.of or ''))} {voice.say(node.events)}{window_words(node.window, voice)}"


def event_words(events: n.Events, voice: Voice) -> str:
    """The event's name with its filter in brackets; whose events they are is left out."""
    name = quoted(plain_event_name(events.name))
    noun = f"any event beginning with {name}" if is_wildcard(events.name) else name
    where = None if events.where is None else voice.about(events.name).say(events.where)
    if events.newest is None:
        return noun if where is None else f"{noun} ({_filter(where)})"
    if where is None:
        return f"{noun} (only the newest{'' if events.newest == 1 else f' {events.newest:,}'})"
    few = "the newest, if" if events.newest == 1 else f"of the newest {events.newest:,}, those where"
    return f"{noun} ({few} {where})"


def _filter(where: str) -> str:
    """``where revenue is more than 5``, ``with an item in products whose …``."""
    is_there = "there is "
    return f"with {where.removeprefix(is_there)}" if where.startswith(is_there) else f"where {where}"


def count_words(events: n.Events, window: n.Window | None, op: CompareOp, number: n.Number, voice: Voice) -> str | None:
    """``did “App Opened” at least 3 times``, or None where the number isn't a number of times."""
    if number.micro % MICRO or number.micro < 0:
        return None
    return _did(events, window, op, number.micro // MICRO, voice)


def count_between_words(
    events: n.Events, window: n.Window | None, low: n.Number, high: n.Number, voice: Voice
) -> str | None:
    """``did “App Opened” between 2 and 4 times``, or None where the numbers aren't numbers of times."""
    if any(end.micro % MICRO or end.micro < 1 for end in (low, high)):
        return None
    often = f"between {number_words(low.micro)} and {number_words(high.micro)} times"
    return f"{_together(events)}did {event_words(events, voice)} {often}{window_words(window, voice)}"


def _whose(events: n.Events) -> str:
    return " by anyone in the account" if events.of_account else ""


def _together(events: n.Events) -> str:
    return "the account's customers together " if events.of_account else ""


def _asked(asked: n.Times | None) -> tuple[CompareOp, int]:
    return (">=", 1) if asked is None else (TIMES_OP[asked.op], asked.n)


def _did(events: n.Events, window: n.Window | None, op: CompareOp, number: int, voice: Voice) -> str:
    what, when = event_words(events, voice), window_words(window, voice)
    if (op, number) in ((">=", 1), (">", 0), ("!=", 0)):
        ever = "" if window else "ever "
        return f"{'anyone in the account ' if events.of_account else ''}{ever}did {what}{when}"
    if (op, number) in (("<", 1), ("<=", 0), ("=", 0)):
        if events.of_account:
            return f"no one in the account {'' if window else 'ever '}did {what}{when}"
        return f"no {what.removeprefix('any ')}{when}" if window else f"never did {what}"
    return f"{_together(events)}did {what} {_often(op, number)}{when}"


def _often(op: CompareOp, number: int) -> str:
    if op == "!=":
        return f"any number of times other than {number_words(number * MICRO)}"
    if op == "<":
        return f"fewer than {number_words(number * MICRO)} times"
    if op == ">":
        return "more than once" if number == 1 else f"more than {number_words(number * MICRO)} times"
    return {">=": "at least", "<=": "at most", "=": "exactly"}[op] + f" {times(number)}"
