"""How a node finds its words: the registry of phrases and of their negations, and what they share.

A phrase of a value is a noun ("the total revenue of “Order Completed”"), a phrase of a condition a clause without a
subject where the customer is meant ("did “App Opened” at least 3 times", "age is more than 30"). A condition may
register a negation of its own; it must say exactly what ``not`` means, so it names those whose value is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from shoal.lang import nodes as n
    from shoal.lang.schema import Kind, Schema

    Phrase: TypeAlias = Callable[[Any, "Voice"], str]

_SHORT = 70
"""Letters in two clauses that still read well without a comma between them."""
PHRASES: dict[type[n.Node], Phrase] = {}
"""The phrase of every class of node."""
DENIALS: dict[type[n.Node], Phrase] = {}
"""The phrase of ``not`` before a node, where there is a better one than "it isn't true that"."""


def says(*classes: type[n.Node]) -> Callable[[Phrase], Phrase]:
    """Register the phrase of some classes."""

    def register(phrase: Phrase) -> Phrase:
        PHRASES.update(dict.fromkeys(classes, phrase))
        return phrase

    return register


def denies(*classes: type[n.Node]) -> Callable[[Phrase], Phrase]:
    """Register the negation of some classes."""

    def register(phrase: Phrase) -> Phrase:
        DENIALS.update(dict.fromkeys(classes, phrase))
        return phrase

    return register


@dataclass(frozen=True, slots=True)
class Voice:
    """Says nodes, with display names and types out of the schema where there is one.

    Args:
        schema: the names and types there are, or None.
        event: in a filter, the event name.
    """

    schema: Schema | None = None
    event: str | None = None

    def say(self, node: n.Node) -> str:
        """The phrase of a node, in lower case where it begins with a word of ours."""
        return PHRASES[type(node)](node, self)

    def deny(self, node: n.Node) -> str:
        """The phrase of ``not node``."""
        denial = DENIALS.get(type(node))
        return denial(node, self) if denial else f"it isn't true that ({self.say(node)})"

    def about(self, event: str) -> Voice:
        """The voice in which the filter of these events is said."""
        return Voice(self.schema, event)

    def kind(self, value: n.Value) -> Kind | None:
        """The type of a value, as far as it is known."""
        from shoal.errors import DefinitionError
        from shoal.lang.check import type_of
        from shoal.lang.schema import Schema

        try:
            return type_of(value, self.schema or Schema(), self.event)
        except DefinitionError:
            return None

    def segment(self, slug: str) -> str:
        """A segment's display name, quoted."""
        definition = self.schema.segments.get(slug) if self.schema else None
        return quoted(definition.name if definition else slug)


def quoted(text: str) -> str:
    """Text as it is shown, so that its ends can be seen."""
    return f"“{text}”" if text else "“” (empty text)"


def plural(amount: int, word: str) -> str:
    """``1 day``, ``1,000 days``."""
    return f"{amount:,} {word}" + ("" if amount == 1 else "s")


def times(amount: int) -> str:
    """``once``, ``twice``, ``3 times``."""
    return {1: "once", 2: "twice"}.get(amount, f"{amount:,} times")


def listed(items: list[str], word: str) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"


def joined(parts: list[str], word: str) -> str:
    """Clauses joined by ``and`` or ``or``; commas part them unless they are two short and simple ones."""
    plain = len(parts) == 2 and sum(map(len, parts)) <= _SHORT and not any(map(_divided, parts))
    return (f" {word} " if plain else f", {word} ").join(parts)


def _divided(text: str) -> bool:
    """Whether ``and``, ``or`` or a comma stands in it outside brackets and quotes."""
    depth, outside = 0, []
    for letter in text:
        depth += letter in "(“"
        if depth == 0:
            outside.append(letter)
        depth -= letter in ")”" and depth > 0
    left = "".join(outside)
    return any(mark in left for mark in (" and ", " or ", ", "))
