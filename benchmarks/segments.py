"""A seeded draw of mixed segments, as data: each can be written in Shoal's language and as a query of one's own.

A quarter of the leaves ask for traits, 45 % for at least k events in a window (half of those on priced events with an
amount above a limit), 15 % for a sum of amounts, 15 % for no event. A tree has one to four leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.generate import COUNTRIES, PLANS, PRICED, TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOWS = {1: 1, 3: 1, 7: 4, 14: 3, 30: 6, 60: 2, 90: 4, 180: 1, 365: 2, None: 2}
"""Days of a window (None: ever), each with its weight."""
COUNTED = dict(zip(TYPES, (5, 6, 4, 6, 5, 4, 4, 8, 2, 2, 4, 3), strict=True))
SUMMED = ("purchase", "purchase", "purchase", "add_to_cart", "product_view")
ABSENT = ("visit", "visit", "page_view", "purchase", "email_open", "login", "email_click")


@dataclass(frozen=True, slots=True)
class Among:
    """A trait is one of some words."""

    trait: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Age:
    """The age is at least, or under, a limit."""

    operator: str
    limit: int


@dataclass(frozen=True, slots=True)
class SignedUp:
    """Signed up in the last days."""

    days: int


@dataclass(frozen=True, slots=True)
class Measure:
    """``count`` or ``sum`` of the events of a name, with an amount above ``over``, in the last ``days`` (None: ever)."""

    fn: str
    event: str
    over: int | None
    days: int | None


@dataclass(frozen=True, slots=True)
class Behaved:
    """A measure compared with a limit."""

    measure: Measure
    operator: str
    limit: int


@dataclass(frozen=True, slots=True)
class All:
    """All parts hold."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part doesn't hold."""

    part: Tree


Leaf: TypeAlias = Among | Age | SignedUp | Behaved
Tree: TypeAlias = Leaf | All | Some | Not


def draw(count: int, seed: int = 7) -> list[Tree]:
    """So many segments; a longer draw begins with the shorter ones."""
    random = Random(seed)
    return [_tree(random) for _ in range(count)]


def _tree(random: Random) -> Tree:
    shape = random.random()
    if shape < 0.15:
        return _leaf(random)
    if shape < 0.65:
        return All(tuple(_leaf(random) for _ in range(random.choice([2, 3, 3, 4]))))
    if shape < 0.8:
        return Some((_leaf(random), _leaf(random)))
    either, other = Some((_leaf(random), _leaf(random))), _leaf(random)
    return All((either, Not(other) if random.random() < 0.5 else other, _leaf(random)))


def _leaf(random: Random) -> Leaf:
    sort = random.random()
    if sort < 0.25:
        return _trait(random)
    days = random.choices(list(WINDOWS), list(WINDOWS.values()))[0]
    if sort < 0.7:
        event = random.choices(list(COUNTED), list(COUNTED.values()))[0]
        over = random.choice([20, 50, 100, 200]) if event in PRICED and random.random() < 0.5 else None
        return Behaved(Measure("count", event, over, days), ">=", random.choice([1, 1, 2, 3, 3, 5, 10]))
    if sort < 0.85:
        amount = random.choice([50, 100, 250, 500, 1000])
        return Behaved(Measure("sum", random.choice(SUMMED), None, days), ">=", amount)
    return Behaved(Measure("count", random.choice(ABSENT), None, days or 30), "<", 1)


def _trait(random: Random) -> Leaf:
    sort = random.random()
    if sort < 0.4:
        return Among("country", tuple(sorted(random.sample(COUNTRIES, random.choice([1, 2, 3, 5])))))
    if sort < 0.65:
        return Among("plan", tuple(sorted(random.sample(list(PLANS), random.choice([1, 2])))))
    if sort < 0.85:
        return Age(random.choice([">=", "<"]), random.choice([25, 30, 40, 50, 60]))
    return SignedUp(random.choice([7, 30, 90, 365]))


def leaves(tree: Tree) -> Iterator[Leaf]:
    """The leaves of a tree."""
    match tree:
        case All(parts) | Some(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield tree


def written(tree: Tree) -> str:
    """The segment in Shoal's language."""
    match tree:
        case All(parts):
            return " and ".join(f"({written(part)})" for part in parts)
        case Some(parts):
            return " or ".join(f"({written(part)})" for part in parts)
        case Not(part):
            return f"not ({written(part)})"
        case Among(trait, words):
            return f"{trait} in ({', '.join(_quoted(word) for word in words)})"
        case Age(operator, limit):
            return f"age {operator} {limit}"
        case SignedUp(days):
            return f"signup in last {days} days"
        case Behaved(Measure("count", event, None, days), "<", 1):
            return f"not did {_quoted(event)}{_window(days)}"
        case Behaved(measure, operator, limit):
            return f"{_measure(measure)} {operator} {limit}"


def _measure(measure: Measure) -> str:
    what = _quoted(measure.event)
    if measure.over is not None:
        what += f" where amount > {measure.over}"
    if measure.fn == "sum":
        what = f"amount of {what}"
    return f"{measure.fn}({what}{_window(measure.days)})"


def _window(days: int | None) -> str:
    return "" if days is None else f" in last {days} days"


def _quoted(word: str) -> str:
    return f'"{word}"'
