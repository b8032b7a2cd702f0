"""Values: the type of each, and what can't stand as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import did_you_mean, nearest
from shoal.lang import nodes as n
from shoal.lang.check.bounds import DIGITS, STORED, bound_of, parts
from shoal.lang.check.events import aggregate_faults, aggregate_kind, events_faults
from shoal.lang.check.scope import an, only, property_faults
from shoal.lang.references import ACCOUNT, depends_on_time
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from shoal.errors import DefinitionError
    from shoal.lang.check.scope import Faults, Scope
    from shoal.lang.nodes import Value

LITERALS = (n.Number, n.Text, n.YesNo, n.Date, n.Instant)
_LITERAL_KINDS: dict[type[n.Node], Kind] = {
    n.Number: Kind.NUMBER,
    n.Text: Kind.TEXT,
    n.YesNo: Kind.YESNO,
    n.Date: Kind.DATE,
    n.Instant: Kind.INSTANT,
}
_OVER_TIME = (n.DaysSince, n.DaysUntil, n.DaysSinceEvent)


def is_literal(value: n.Node) -> bool:
    """A literal, or a number with a minus before it."""
    return isinstance(value, LITERALS) or (isinstance(value, n.Negative) and isinstance(value.value, n.Number))


def kind_of(value: Value, scope: Scope) -> Kind | None:
    """The type of a value, or None where its name isn't known (which is a fault of its own)."""
    match value:
        case n.Trait(name):
            return scope.schema.traits.get(name)
        case n.Property(name):
            return only(scope.properties(name))
        case n.LocalTime(part):
            return {"hour": Kind.NUMBER, "weekday": Kind.TEXT, "date": Kind.DATE}[part]
        case n.Aggregate():
            return aggregate_kind(value, scope)
    return _LITERAL_KINDS.get(type(value), Kind.NUMBER)


def value_faults(value: Value, scope: Scope) -> Faults:
    """All that is wrong with a value and what stands below it."""
    match value:
        case n.Number(micro):
            if abs(micro) > STORED:
                yield scope.fault(value, "Numbers go from -1,000,000,000,000 to 1,000,000,000,000.")
        case n.Trait():
            yield from trait_faults(value, scope)
        case n.Property():
            yield from _property_value_faults(value, scope)
        case n.LocalTime(part):
            if scope.event is None or scope.items is not None:
                problem = f'"{part}" is the local time of an event.'
                yield scope.fault(value, problem, 'It stands in a filter, as did "App Opened" where hour >= 18.')
        case n.Aggregate():
            yield from aggregate_faults(value, scope)
        case n.DaysSinceEvent():
            yield from events_faults(value.events, scope)
        case n.DaysSince(trait) | n.DaysUntil(trait):
            yield from moment_faults(trait, scope)
        case n.Negative(inner):
            yield from _number_faults(inner, scope)
        case n.Arithmetic():
            yield from _arithmetic_faults(value, scope)


def trait_faults(trait: n.Trait, scope: Scope) -> Faults:
    """A trait that nobody knows; one of the account is looked for among those of accounts."""
    known = scope.schema.traits
    if trait.name in known:
        return
    if not trait.name.startswith(ACCOUNT) and scope.event is None and f"{ACCOUNT}{trait.name}" in known:
        yield scope.fault(
            trait, f'There is no trait "{trait.name}".', f'Accounts have it: write "{ACCOUNT}{trait.name}".'
        )
    else:
        yield scope.unknown(trait, "trait", trait.name, known)


def moment_faults(trait: n.Trait, scope: Scope) -> Faults:
    """Windows, ``days since``, ``days until`` and ``anniversary`` ask a date or an instant."""
    yield from trait_faults(trait, scope)
    kind = scope.schema.traits.get(trait.name)
    if kind is not None and kind not in (Kind.DATE, Kind.INSTANT):
        dated = sorted(name for name, k in scope.schema.traits.items() if k in (Kind.DATE, Kind.INSTANT))
        fix = did_you_mean(nearest(trait.name, dated)) or "Use a trait that is a date or an instant."
        yield scope.fault(trait, f'"{trait.name}" is {an(kind)}, and here stands a date or an instant.', fix)


def size_faults(value: Value, scope: Scope) -> Faults:
    """A value whose numerator or denominator alone could outgrow the digits there are."""
    for part in parts(value):
        if isinstance(part, n.Arithmetic) and not bound_of(part).fits:
            yield too_large(part, scope)
            return


def too_large(node: n.Node, scope: Scope) -> DefinitionError:
    """The error for arithmetic that can outgrow the digits there are."""
    return scope.fault(
        node,
        f"Worked out exactly, this can need more than {DIGITS} digits.",
        "Multiply or divide fewer values, or use literals with fewer digits.",
    )


def _property_value_faults(value: n.Property, scope: Scope) -> Faults:
    if scope.event is not None:
        yield from property_faults(value, value.name, scope)
        return
    problem = f'"{value.name}" is asked as a property, and properties are only known inside a filter.'
    yield scope.fault(value, problem, f'Write did "…" where {value.name} = …')


def _number_faults(value: Value, scope: Scope) -> Faults:
    yield from value_faults(value, scope)
    kind = kind_of(value, scope)
    if kind in (Kind.DATE, Kind.INSTANT):
        fix = "Use days since or days until to reckon with dates."
        yield scope.fault(value, f"Arithmetic needs numbers, and this is {an(kind)}.", fix)
    elif kind not in (None, Kind.NUMBER):
        yield scope.fault(value, f"Arithmetic needs numbers, and this is {an(kind)}.")


def _arithmetic_faults(value: n.Arithmetic, scope: Scope) -> Faults:
    yield from _number_faults(value.left, scope)
    yield from _number_faults(value.right, scope)
    if value.op in "*/" and depends_on_time(value.left) and depends_on_time(value.right) and not _ratio(value):
        yield scope.fault(
            value,
            "A product or quotient has at most one factor that changes with time.",
            "Multiply by a number or a trait. Only an aggregate may be divided by an aggregate.",
        )


def _ratio(value: n.Arithmetic) -> bool:
    """A quotient of aggregates: both sides change in steps, never steadily."""
    return value.op == "/" and not any(isinstance(part, _OVER_TIME) for part in parts(value))
