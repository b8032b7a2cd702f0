"""Why memberships changed: of what came in with an entry, what touches the segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.live.engine import Change
from shoal.live.plan import Touch
from shoal.shapes import ACCOUNT_PREFIX, ConsentChange, ListChange, TraitChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shoal.live.plan import Plan
    from shoal.workspace.live.core import Applied

MERGED = "merged"


def because_of(applied: Applied, changes: Sequence[Change], plan: Plan) -> list[Change]:
    """The changes, each with its cause: ``event Order Placed``, ``trait plan``, ``consent email``, ``merged``.

    Of several things of one customer in one entry the last counts that the segment's definition names. A segment that
    changed through another one has the last thing of all.
    """
    if not changes:
        return []
    told: dict[str, list[Touch]] = {}
    for owner, touch in _things(applied):
        known = told.get(owner)
        if known is None:
            told[owner] = [touch]
        elif touch not in known:
            known.append(touch)
    found = []
    for change in changes:
        if change.because:
            found.append(change)
            continue
        customer, segment, what, at, _ = change
        touches = told.get(customer)
        if touches is None:
            because = MERGED if applied.identity else _of_account(applied)
        else:
            touch = touches[-1]
            if len(touches) > 1:
                touch = next((t for t in reversed(touches) if segment in plan.touched_by(t)), touch)
            because = f"{touch.kind} {touch.name}"
        found.append(Change(customer, segment, what, at, because))
    return found


def _of_account(applied: Applied) -> str:
    """What was said of the account of whoever changed without a word of themselves."""
    names = [r.name for r in applied.records if isinstance(r, TraitChange) and r.scope == "account"]
    return f"trait {ACCOUNT_PREFIX}{names[-1]}" if names else ""


def _things(applied: Applied) -> Iterator[tuple[str, Touch]]:
    """What came in, in the order of its kinds: events, then the rest as it came."""
    for name, rows in applied.events.items():
        touch = Touch("event", name)
        for customer in rows.customers:
            yield customer, touch
    for record in applied.records:
        match record:
            case TraitChange(owner, name) if record.scope != "account":
                yield owner, Touch("trait", name)
            case ConsentChange(customer, purpose):
                yield customer, Touch("consent", purpose)
            case ListChange(name, customer):
                yield customer, Touch("list", name)
