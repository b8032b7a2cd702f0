"""What was: a trait held or changed, a segment entered or left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shoal.lang import nodes as n
from shoal.lang.tree import walk
from shoal.live.operators.compare import compare
from shoal.live.operators.window import turn
from shoal.live.registry import answer, answers, value
from shoal.live.scope import following
from shoal.live.state import ACCOUNT_ID, ACCOUNT_PREFIX
from shoal.live.values import FAR, Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.live.scope import Scope


def instants(trait: str, s: Scope) -> list[int]:
    """Every instant, those to come too, at which the value of a trait may change; in order."""
    if not trait.startswith(ACCOUNT_PREFIX):
        return sorted({e.ts for e in s.entries(s.state.traits.get(trait))})
    own = s.entries(s.state.traits.get(ACCOUNT_ID))
    found = {e.ts for e in own}
    table = s.state.account_traits.get(trait)
    for account in {e.get("value") for e in own} - {None}:
        row = s.state.accounts.known(account)
        if row is not None:
            found |= {e.ts for e in s.state.entries(table, row)}
    return sorted(found)


@answers(n.Held)
def held(node: n.Held, s: Scope) -> Answer:
    """True now, and without a break since t − W: between changes nothing moves."""
    begun, until, ever = _begun(node, s)
    if ever or begun is None:
        return Answer(ever, until)
    since = s.t - node.length.micros
    return Answer(begun <= since, until if begun <= since else min(until, begun + node.length.micros))


def held_since(node: n.Held, s: Scope) -> int | None:
    """Since when it has been true without a break; None where it isn't, or has been since ever."""
    return _begun(node, s)[0]


def _begun(node: n.Held, s: Scope) -> tuple[int | None, int, bool]:
    """When it began to be true, when the next change comes, and whether it has been true since ever."""
    trait = next(a.name for a in walk(node.condition) if isinstance(a, n.Trait))
    known = instants(trait, s)
    past = [u for u in known if u <= s.t]
    until = next((u for u in known if u > s.t), FAR)
    begun: int | None = None
    for u in reversed(past):
        if not answer(node.condition, replace(s, t=u)).truth:
            return begun, until, False
        begun = u
    # Never false since the first change; before it the value was missing.
    ever = answer(node.condition, replace(s, t=(past[0] if past else s.t) - 1)).truth
    return begun, until, ever


@answers(n.Changed)
def changed(node: n.Changed, s: Scope) -> Answer:
    """Such a change of value falls in the window."""
    truth, until = False, FAR
    for u in instants(node.trait.name, s):
        until = min(until, turn(node.window, u, s.t, s.zone), u if u > s.t else FAR)
        truth = truth or (_stands_in(node.window, u, s) and _changes(node, u, s))
    return Answer(truth, until)


def _changes(node: n.Changed, u: int, s: Scope) -> bool:
    before, after = (value(node.trait, replace(s, t=at)).value for at in (u - 1, u))
    if before == after:
        return False
    return _is(before, node.before, s) and _is(after, node.after, s)


def _is(found: Any, wanted: n.Literal_ | None, s: Scope) -> bool:
    return wanted is None or compare(found, "=", value(wanted, s).value, s).truth


def _stands_in(window: n.Window | None, x: int, s: Scope) -> bool:
    from shoal.lang.calendar import bounds

    low, high = bounds(window, s.t, s.zone)
    return (low is None or low <= x) and x < high


@answers(n.Entered, n.Left)
def entered_or_left(node: n.Entered | n.Left, s: Scope) -> Answer:
    """The recorded history of any of the customer's ids holds such a change in the window."""
    change = "entered" if isinstance(node, n.Entered) else "left"
    table = s.state.published.get((node.segment, change))
    found = [e.ts for row in s.state.people.members(s.row) for e in s.state.entries(table, row)]
    return _any_in(node.window, found, s)


def _any_in(window: n.Window | None, found: Iterable[int], s: Scope) -> Answer:
    truth, until = False, FAR
    for x in found:
        truth = truth or _stands_in(window, x, s)
        until = min(until, turn(window, x, s.t, s.zone))
    return Answer(truth, until)


__all__ = ["changed", "entered_or_left", "following", "held", "instants"]
