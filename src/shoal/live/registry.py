"""Which operator answers which node. A file of ``operators`` registers its own when it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.lang.nodes import Node
    from shoal.live.scope import Scope
    from shoal.live.values import Answer, Valued

    Condition: TypeAlias = Callable[[Any, Scope], Answer]
    Value: TypeAlias = Callable[[Any, Scope], Valued]

F = TypeVar("F", bound="Callable[[Any, Scope], Any]")
CONDITIONS: dict[type[Node], Condition] = {}
VALUES: dict[type[Node], Value] = {}


def answers(*kinds: type[Node]) -> Callable[[F], F]:
    """Register the operator of conditions."""

    def register(operator: F) -> F:
        CONDITIONS.update(dict.fromkeys(kinds, operator))
        return operator

    return register


def values(*kinds: type[Node]) -> Callable[[F], F]:
    """Register the operator of values."""

    def register(operator: F) -> F:
        VALUES.update(dict.fromkeys(kinds, operator))
        return operator

    return register


def answer(node: Node, s: Scope) -> Answer:
    """The truth of a condition, and how long it is certain."""
    return CONDITIONS[type(node)](node, s)


def value(node: Node, s: Scope) -> Valued:
    """The value of a node, and how long it is certain."""
    return VALUES[type(node)](node, s)
