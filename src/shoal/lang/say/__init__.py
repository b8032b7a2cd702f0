"""The plain-words sentence of every node: what the marketer reads is said from the same tree that runs.

One file a family of predicates, under the names that the emitters and operators of the engines bear too.

>>> from shoal.lang.nodes import Compare, Did, Duration, Events, Last, Not, Number, Trait
>>> say(Did(Events("Order Completed"), None, Last(Duration(30, "day"))))
'Did “Order Completed” in the last 30 days'
>>> say(Not(Compare(Trait("age"), "<=", Number(30_000_000))))
'Age is more than 30 (or is unknown)'
"""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say import (  # noqa: F401  each family registers its phrases
    arithmetic,
    bucket,
    compare,
    events,
    first,
    history,
    literals,
    logic,
    member,
    place,
    rank,
    regular,
    sequence,
    window,
)
from shoal.lang.say.literals import trait_words
from shoal.lang.say.voice import DENIALS, PHRASES, Voice

if TYPE_CHECKING:
    from shoal.lang.schema import Schema

__all__ = ["DENIALS", "PHRASES", "Voice", "say", "trait_words"]

_CONDITIONS = typing.get_args(n.Condition)


def say(node: n.Node, schema: Schema | None = None) -> str:
    """What a node means, in plain words, exactly.

    Args:
        node: a condition gives a sentence without its full stop; a value, window … a phrase.
        schema: gives segments their display names and dates their words; without it only the tree is known.
    """
    phrase = Voice(schema).say(node)
    return _capitalised(phrase) if isinstance(node, _CONDITIONS) else phrase


def _capitalised(phrase: str) -> str:
    """The first letter large, behind an opening bracket too."""
    start = 1 if phrase.startswith("(") else 0
    return phrase[:start] + phrase[start : start + 1].upper() + phrase[start + 1 :]
