"""What a leaf is judged by: the values that a person wants to see beside its truth, decoded for people."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from shoal.clock import from_instant, iso
from shoal.lang import nodes as n
from shoal.lang.places import METRES, SCALE, metres_between
from shoal.lang.schema import Kind
from shoal.lang.show import flat
from shoal.sql import terms as s
from shoal.sql.aggregates import InPeriods, share
from shoal.sql.emit.history import held, held_trait
from shoal.sql.emit.rank import threshold
from shoal.sql.emit.registry import value
from shoal.sql.moments import Column
from shoal.sql.rows import ROW
from shoal.sql.thresholds import ranks_of
from shoal.sql.values import Rational, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.sql.plan import Plan
    from shoal.sql.scopes import Scope
    from shoal.sql.values import Value

_LITERALS = (n.Number, n.Text, n.YesNo, n.Date, n.Instant)
_EPOCH = date(1970, 1, 1)
_PLACES = Decimal("0.000001")


@dataclass(frozen=True)
class Shown:
    """One value: its label (the text of the node, as a rule), its type and its columns."""

    label: str
    kind: Kind
    column: Column
    node: n.Node | None = None

    def read(self, columns: dict[str, list[Any]], row: int = 0) -> Any:
        """The value as people know it; None is missing."""
        raw = self.column.read(columns, row)
        if isinstance(self.node, n.Distance) and raw is not None:
            return _away(raw, self.node)
        return decoded(self.kind, raw)


def evidence(plan: Plan, leaf: n.Node, scope: Scope) -> list[Shown]:
    """The values to show beside a leaf."""
    shown = []
    for label, found in _values(leaf, scope):
        node = None
        if isinstance(leaf, n.Distance):
            node, label = leaf, f"distance of {label} in {leaf.unit}"
        shown.append(Shown(label, found.kind, Column(plan, found), node))
    return shown


def _values(leaf: n.Node, scope: Scope) -> Iterator[tuple[str, Value]]:
    for node in _sides(leaf):
        if not isinstance(node, _LITERALS):
            yield flat(node), value(node, scope)
    match leaf:
        case n.Held():
            yield "since", _held_since(leaf, scope)
        case n.DidFirst(events, _):
            yield f"first {flat(events)}", _earliest(events, scope)
        case n.Regularly():
            yield "periods with enough", _periods(leaf, scope)
        case n.Ranked() | n.Percentile():
            for rank in ranks_of(leaf):
                yield f"threshold {rank}", threshold(leaf, rank, scope)


def _sides(leaf: n.Node) -> list[n.Node]:
    """The values that a leaf compares."""
    match leaf:
        case n.Compare(left, _, right):
            return [left, right]
        case n.Between(inner, low, high):
            return [inner, low, high]
        case n.In(inner) | n.Match(inner) | n.Known(inner) | n.Ranked(inner) | n.Percentile(inner):
            return [inner]
        case n.When(trait) | n.Anniversary(trait) | n.Distance(trait) | n.Changed(trait):
            return [trait]
        case n.Held():
            return [n.Trait(held_trait(leaf))]
        case n.Did(events=events, window=window) | n.NotAfter(events=events, window=window):
            return [n.Aggregate("count", events, window=window)]
        case n.Sequence(first, _, window):
            return [n.Aggregate("count", first, window=window)]
    return []


def _held_since(leaf: n.Held, scope: Scope) -> Value:
    held(leaf, scope)
    provider = scope.plan.providers[leaf]
    return Scalar(
        Kind.INSTANT, s.when(provider.column("holds"), s.coalesce(provider.column("begun"), provider.column("first")))
    )


def _earliest(events: n.Events, scope: Scope) -> Value:
    return Scalar(Kind.INSTANT, share(scope.plan, events, None).measure("min", s.column("ts", ROW)))


def _periods(leaf: n.Regularly, scope: Scope) -> Value:
    key = ("periods", leaf.events, leaf.times, leaf.of_last, leaf.length)
    provider = scope.plan.provider(key, lambda name: InPeriods(scope.plan, name, leaf))
    return Rational(Fraction(1), s.coalesce(provider.column("periods"), s.integer(0)))


# ---------------------------------------------------------------- for people


def decoded(kind: Kind, raw: Any) -> Any:
    """A value as people know it: ``Decimal``, ``str``, ``bool``, ``date``, an aware ``datetime``, a list; None is missing."""
    if raw is None:
        return None
    match kind:
        case Kind.NUMBER:
            return _decimal(Fraction(raw))
        case Kind.DATE:
            return _EPOCH + timedelta(days=raw)
        case Kind.INSTANT:
            return from_instant(raw)
        case Kind.POINT:
            return _place(raw)
    return raw


def _decimal(number: Fraction) -> Decimal:
    """Exact where six places suffice, else rounded to six."""
    scaled = round(number * 10**6)
    return Decimal(scaled).scaleb(-6).quantize(_PLACES).normalize() + 0


def _place(raw: dict[str, int]) -> tuple[float, float]:
    """Latitude and longitude in degrees."""
    x, y, z = (raw[axis] / SCALE for axis in "xyz")
    return round(math.degrees(math.atan2(z, math.hypot(x, y))), 6), round(math.degrees(math.atan2(y, x)), 6)


def _away(raw: dict[str, int], node: n.Distance) -> Decimal:
    """How far away, in the unit of the node, to three places."""
    metres = metres_between((raw["x"], raw["y"], raw["z"]), node.latitude, node.longitude)
    return Decimal(f"{metres / float(METRES[node.unit]):.3f}")


def worded(shown: Any) -> str:
    """A decoded value in words."""
    if shown is None:
        return "missing"
    if isinstance(shown, bool):
        return "yes" if shown else "no"
    if isinstance(shown, Decimal):
        return f"{shown:f}"
    if isinstance(shown, datetime):
        from shoal.clock import to_instant

        return iso(to_instant(shown))
    return shown.isoformat() if isinstance(shown, date) else str(shown)
