"""Which function emits which node. A node that nobody claims is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from shoal.sql.plan import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.lang.nodes import Node
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql
    from shoal.sql.values import Rational, Value

    F = TypeVar("F", bound=Callable[..., Any])

CONDITIONS: dict[type[Node], Callable[[Any, Scope], Sql]] = {}
VALUES: dict[type[Node], Callable[[Any, Scope], Value]] = {}


def emits_condition(*kinds: type[Node]) -> Callable[[F], F]:
    """Register the emitter of conditions of these kinds."""

    def claim(function: F) -> F:
        CONDITIONS.update(dict.fromkeys(kinds, function))
        return function

    return claim


def emits_value(*kinds: type[Node]) -> Callable[[F], F]:
    """Register the emitter of values of these kinds."""

    def claim(function: F) -> F:
        VALUES.update(dict.fromkeys(kinds, function))
        return function

    return claim


def condition(node: Node, scope: Scope) -> Sql:
    """The condition as SQL; NULL means false.

    Raises:
        Unsupported: if SQL can't evaluate this node.
    """
    emitter = CONDITIONS.get(type(node))
    if emitter is None:
        raise refused(f'"{node.kind}" here', "Take it out of the definition.")
    return emitter(node, scope)


def value(node: Node, scope: Scope) -> Value:
    """The value as SQL; NULL means missing.

    Raises:
        Unsupported: if SQL can't evaluate this node.
    """
    emitter = VALUES.get(type(node))
    if emitter is None:
        raise refused(f'"{node.kind}" here', "Take it out of the definition.")
    return emitter(node, scope)


def number(node: Node, scope: Scope) -> Rational:
    """The value of a node that is a number."""
    from shoal.sql.values import Rational

    found = value(node, scope)
    if not isinstance(found, Rational):
        raise refused(f"arithmetic with a {found.kind}", "Use numbers.")
    return found
