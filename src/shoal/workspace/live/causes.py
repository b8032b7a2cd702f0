"""Why memberships changed: of what came in with an entry, what touches the segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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
    told: dict[str, list[_Cause]] = {}
    for owner, cause in _things(applied, plan):
        known = told.get(owner)
        if known is None:
            told[owner] = [cause]
        elif known[-1] is not cause:
            known.append(cause)
    found = []
    for change in changes:
        customer, segment, what, at, because = change
        if because:
            found.append(change)
            continue
        causes = told.get(customer)
        if causes is None:
            because = MERGED if applied.identity else _of_account(applied)
        else:
            because = causes[-1].text
            if len(causes) > 1:
                because = next((cause.text for cause in reversed(causes) if segment in cause.segments), because)
        found.append(Change(customer, segment, what, at, because))
    return found


class _Cause(NamedTuple):
    """Something that came in, and the segments whose definitions name it."""

    text: str
    segments: frozenset[str]


def _of_account(applied: Applied) -> str:
    """What was said of the account of whoever changed without a word of themselves."""
    names = [r.name for r in applied.records if isinstance(r, TraitChange) and r.scope == "account"]
    return f"trait {ACCOUNT_PREFIX}{names[-1]}" if names else ""


def _things(applied: Applied, plan: Plan) -> Iterator[tuple[str, _Cause]]:
    """What came in, in the order of its kinds: events, then the rest as it came."""
    known: dict[tuple[str, str], _Cause] = {}

    def cause(kind: str, name: str) -> _Cause:
        found = known.get((kind, name))
        if found is None:
            found = known[kind, name] = _Cause(f"{kind} {name}", plan.touched_by(Touch(kind, name)))
        return found

    for name, rows in applied.events.items():
        what = cause("event", name)
        for customer in rows.customers:
            yield customer, what
    for record in applied.records:
        match record:
            case TraitChange(owner, name) if record.scope != "account":
                yield owner, cause("trait", name)
            case ConsentChange(customer, purpose):
                yield customer, cause("consent", purpose)
            case ListChange(name, customer):
                yield customer, cause("list", name)
