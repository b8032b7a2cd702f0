"""Comparisons: two values, ranges, lists of values, what text and lists contain, what is known, items of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.missing import never_missing
from shoal.lang.say.bucket import bucket_words
from shoal.lang.say.events import count_between_words, count_words
from shoal.lang.say.literals import name_words
from shoal.lang.say.voice import denies, listed, says
from shoal.lang.say.window import ago_words
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from shoal.lang.nodes import CompareOp, Value
    from shoal.lang.say.voice import Voice

MIRRORED: dict[CompareOp, CompareOp] = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
OPPOSITE: dict[CompareOp, CompareOp] = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}

_NUMBER = {"<": "is less than", "<=": "is at most", ">": "is more than", ">=": "is at least"}
_TIME = {"<": "is before", "<=": "is on or before", ">": "is after", ">=": "is on or after"}
_INSTANT = {"<": "is before", "<=": "is at or before", ">": "is after", ">=": "is at or after"}
_TEXT = {"<": "sorts before", "<=": "is or sorts before", ">": "sorts after", ">=": "is or sorts after"}
_EQUAL = {"=": "is", "!=": "is not"}
_LITERAL_KIND = {n.Number: Kind.NUMBER, n.Text: Kind.TEXT, n.Date: Kind.DATE, n.Instant: Kind.INSTANT}

_LITERALS = n.Number | n.Text | n.Date | n.Instant | n.YesNo
_VERBS = {
    "contains": ("contains", "contain"),
    "starts with": ("starts with", "start with"),
    "ends with": ("ends with", "end with"),
    "matches": ("matches the pattern", "match the pattern"),
    "contains any of": ("contains at least one of", "contain any of"),
    "contains all of": ("contains all of", "contain all of"),
}


@says(n.Compare)
def say_compare(node: n.Compare, voice: Voice) -> str:
    left, op, right = _literal_right(node)
    known = _and_known([left, right], voice) if op == "!=" else ""
    return _special(left, op, right, voice) or f"{_plain(left, op, right, voice)}{known}"


@denies(n.Compare)
def deny_compare(node: n.Compare, voice: Voice) -> str:
    left, op, right = _literal_right(node)
    op = OPPOSITE[op]
    missing = or_unknown([left, right], voice)
    return f"{_special(left, op, right, voice, bare=True) or _plain(left, op, right, voice)}{missing}"


@says(n.Between)
def say_between(node: n.Between, voice: Voice) -> str:
    match node:
        case n.Between(n.Aggregate("count") as count, n.Number() as least, n.Number() as most):
            words = count_between_words(count.events, count.window, least, most, voice)
            if words:
                return words
    return f"{voice.say(node.value)} is between {voice.say(node.low)} and {voice.say(node.high)}"


@denies(n.Between)
def deny_between(node: n.Between, voice: Voice) -> str:
    low, high = voice.say(node.low), voice.say(node.high)
    missing = or_unknown([node.value, node.low, node.high], voice)
    return f"{voice.say(node.value)} is not between {low} and {high}{missing}"


@says(n.In)
def say_in(node: n.In, voice: Voice) -> str:
    known = _and_known([node.value], voice) if node.negated else ""
    return f"{_among(node, node.negated, voice)}{known}"


@denies(n.In)
def deny_in(node: n.In, voice: Voice) -> str:
    return f"{_among(node, not node.negated, voice)}{or_unknown([node.value], voice)}"


@says(n.Known)
def say_known(node: n.Known, voice: Voice) -> str:
    return _known(node.value, node.known, voice)


@denies(n.Known)
def deny_known(node: n.Known, voice: Voice) -> str:
    return _known(node.value, not node.known, voice)


@says(n.Match)
def say_match(node: n.Match, voice: Voice) -> str:
    return f"{voice.say(node.value)} {_VERBS[node.op][0]} {_operands(node, voice)}"


@denies(n.Match)
def deny_match(node: n.Match, voice: Voice) -> str:
    verb = _VERBS[node.op][1]
    return f"{voice.say(node.value)} does not {verb} {_operands(node, voice)}{or_unknown([node.value], voice)}"


@says(n.AnyItem)
def say_any(node: n.AnyItem, voice: Voice) -> str:
    return f"there is an {_item(node, voice)}"


@denies(n.AnyItem)
def deny_any(node: n.AnyItem, voice: Voice) -> str:
    return f"there is no {_item(node, voice)}"


def _item(node: n.AnyItem, voice: Voice) -> str:
    """``item in products whose brand is “Acme” and price is more than 10``."""
    first: n.Condition = node.where
    while isinstance(first, n.And | n.Or):
        first = first.parts[0]
    words = voice.say(node.where)
    mine = isinstance(_subject(first), n.Property) and not words.startswith("(")
    return f"item in {name_words(node.items)} {'whose' if mine else 'where'} {words}"


def _subject(node: n.Condition) -> Value | None:
    """What a comparison speaks of first."""
    if isinstance(node, n.Compare):
        return _literal_right(node)[0]
    return node.value if isinstance(node, n.Between | n.In | n.Known | n.Match) else None


def or_unknown(values: list[Value], voice: Voice) -> str:
    """What a negation adds: customers for whom the comparison can't be made are in as well."""
    return _missing_note(values, "or", voice)


def _and_known(values: list[Value], voice: Voice) -> str:
    """What ``!=`` and ``not in`` add: customers for whom the comparison can't be made are out."""
    return _missing_note(values, "and", voice)


def _missing_note(values: list[Value], word: str, voice: Voice) -> str:
    open_ones = [value for value in values if not never_missing(value)]
    if not open_ones:
        return ""
    if len(open_ones) > 1:
        one, all_of = ("either", "both") if len(values) == 2 else ("one of them", "all of them")
        return f" (or {one} is unknown)" if word == "or" else f" (and {all_of} are known)"
    (value,) = open_ones
    missing, known = ("is unknown", "is known") if isinstance(value, n.Trait | n.Property) else _existence(value)
    state = missing if word == "or" else known
    subject = "" if value is values[0] else f"{voice.say(value)} "
    return f" ({word} {subject}{state})"


def _existence(value: Value) -> tuple[str, str]:
    if isinstance(value, n.DaysSinceEvent):
        return "it never happened", "it happened"
    if isinstance(value, n.Aggregate):
        return "there is none", "there is one"
    if isinstance(value, n.DaysSince | n.DaysUntil):
        return "the date is unknown", "the date is known"
    return "it can't be worked out", "it can be worked out"


def _literal_right(node: n.Compare) -> tuple[Value, CompareOp, Value]:
    """The same comparison with its literal on the right."""
    if isinstance(node.left, tuple(_LITERAL_KIND)) and not isinstance(node.right, tuple(_LITERAL_KIND)):
        return node.right, MIRRORED[node.op], node.left
    return node.left, node.op, node.right


def _special(left: Value, op: CompareOp, right: Value, voice: Voice, *, bare: bool = False) -> str | None:
    """Counts, days ago and random shares have words of their own; ``bare`` leaves out that the value is known."""
    if not isinstance(right, n.Number):
        return None
    if isinstance(left, n.Aggregate) and left.fn == "count":
        return count_words(left.events, left.window, op, right, voice)
    if isinstance(left, n.Bucket):
        return bucket_words(left, op, right)
    words = ago_words(left, op, right, voice)
    return words and words + (_and_known([left], voice) if op == "!=" and not bare else "")


def _plain(left: Value, op: CompareOp, right: Value, voice: Voice) -> str:
    return f"{voice.say(left)} {_verb(left, op, right, voice)} {voice.say(right)}"


def _verb(left: Value, op: CompareOp, right: Value, voice: Voice) -> str:
    if op in _EQUAL:
        return _EQUAL[op] if isinstance(right, _LITERALS) else {"=": "equals", "!=": "does not equal"}[op]
    kinds = [_LITERAL_KIND.get(type(right)), voice.kind(left), voice.kind(right)]
    kind = next((k for k in kinds if k is not None), Kind.NUMBER)
    return {Kind.DATE: _TIME, Kind.INSTANT: _INSTANT, Kind.TEXT: _TEXT}.get(kind, _NUMBER)[op]


def _among(node: n.In, negated: bool, voice: Voice) -> str:
    value, options = voice.say(node.value), [voice.say(option) for option in node.options]
    if len(options) == 1:
        return f"{value} is {'not ' if negated else ''}{options[0]}"
    if len(options) == 2:
        return f"{value} is {'neither' if negated else 'either'} {options[0]} {'nor' if negated else 'or'} {options[1]}"
    return f"{value} is {'none' if negated else 'one'} of {listed(options, 'or')}"


def _known(value: Value, known: bool, voice: Voice) -> str:
    if isinstance(value, n.DaysSinceEvent):
        return f"{'ever' if known else 'never'} did {voice.say(value.events)}"
    if isinstance(value, n.Trait | n.Property):
        return f"{voice.say(value)} is {'known' if known else 'unknown'}"
    return f"{voice.say(value)} {'exists' if known else 'does not exist'}"


def _operands(node: n.Match, voice: Voice) -> str:
    word = "and" if node.op == "contains all of" else "or"
    words = listed([voice.say(operand) for operand in node.operands], word)
    return f"{words} (ignoring case)" if node.ignoring_case else words
