"""What was: a trait held or changed, a segment entered or left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.schema import Kind
from shoal.lang.tree import walk
from shoal.sql import terms as s
from shoal.sql.emit.registry import condition, emits_condition
from shoal.sql.members import Published
from shoal.sql.plan import refused
from shoal.sql.scopes import OfValue
from shoal.sql.tables import PHYSICAL
from shoal.sql.timelines import Changes, HeldSince
from shoal.sql.traits import trait_kind, trait_origin
from shoal.sql.values import stored

if TYPE_CHECKING:
    from shoal.sql.plan import Plan
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql


@emits_condition(n.Held)
def held(node: n.Held, scope: Scope) -> Sql:
    """True now, and begun at least that long ago; what was never false began before all time, if missing fulfils it."""
    plan = scope.plan
    trait = held_trait(node)
    found = plan.provider(node, lambda name: HeldSince(plan, name, node, trait))
    at_first = _when_missing(plan, node, trait)
    since = plan.frame.shifted(scope.subject, -node.length.micros)
    long_enough = s.compared(s.coalesce(found.column("begun"), found.column("first")), "<=", since)
    if at_first:
        long_enough = s.any_of([found.column("always"), s.compared(found.column("begun"), "<=", since)])
    always = s.is_null(found.column("holds")) if at_first else s.false()
    return s.any_of([always, s.all_of([found.column("holds"), long_enough])])


def held_trait(node: n.Held) -> str:
    """The one trait that the condition speaks of."""
    names = {at.name for at in walk(node.condition) if isinstance(at, n.Trait)}
    if len(names) != 1:
        raise refused('"held" of several traits', "Ask each by itself, joined with and.")
    return names.pop()


def _when_missing(plan: Plan, node: n.Held, trait: str) -> bool:
    """Whether the condition is true of a missing value."""
    kind = trait_kind(plan, trait)
    value = stored(kind, s.null(PHYSICAL[kind]), trait_origin(plan, trait))
    truth = s.settled(condition(node.condition, OfValue(plan, value)))
    return bool(plan.store.rows(f"SELECT {s.sql_of(truth, plan.store)}")[0][0])


@emits_condition(n.Changed)
def changed(node: n.Changed, scope: Scope) -> Sql:
    """Such a change of value falls in the window."""
    plan = scope.plan
    if trait_kind(plan, node.trait.name) is Kind.OBJECTS:
        raise refused('"changed" of a list of objects', "Ask another trait.")
    return s.settled(plan.provider(node, lambda name: Changes(plan, name, node)).column("hit"))


@emits_condition(n.Entered, n.Left)
def entered_or_left(node: n.Entered | n.Left, scope: Scope) -> Sql:
    """The recorded history holds such a change in the window."""
    plan = scope.plan
    change = "entered" if isinstance(node, n.Entered) else "left"
    provider = plan.provider(node, lambda name: Published(plan, name, node.segment, change, node.window))
    return s.settled(provider.column("hit"))
