"""``distance of location to (lat, lon) < R``: squared chords between unit vectors × 10⁹, in 64-bit integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.schema import Kind
from shoal.sql import terms as s
from shoal.sql.emit.registry import emits_condition
from shoal.sql.plan import refused
from shoal.sql.values import Scalar

if TYPE_CHECKING:
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql


@emits_condition(n.Distance)
def distance(node: n.Distance, scope: Scope) -> Sql:
    """The squared chord against the limit that stands for the radius."""
    from shoal.lang.places import chord_limit, unit_vector

    found = scope.trait(node.trait)
    if not isinstance(found, Scalar) or found.kind is not Kind.POINT:
        raise refused(f"the distance of {node.trait.name!r}", "Use a geo point.")
    squares: list[Sql] = []
    for axis, there in zip("xyz", unit_vector(node.latitude, node.longitude), strict=True):
        away = s.joined("-", s.call("struct_extract", found.sql, s.text(axis)), s.integer(there))
        squares.append(s.joined("*", away, away))
    limit = chord_limit(node.radius, node.unit)
    return s.compared(s.joined("+", *squares), node.op, s.integer(limit))
