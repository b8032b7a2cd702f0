"""Why memberships changed: of what came in with an entry, what touches the segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.live.plan import Touch
from shoal.shapes import ACCOUNT_PREFIX, ConsentChange, ListChange, TraitChange

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from shoal.live.batches import Events
    from shoal.live.changes import Changes
    from shoal.live.engine import Engine
    from shoal.live.plan import Plan
    from shoal.workspace.live.core import Applied

    Ints = npt.NDArray[np.int64]

MERGED = "merged"


def because_of(applied: Applied, changes: Changes, events: Events | None, engine: Engine) -> Changes:
    """The changes, each with its cause: ``event Order Placed``, ``trait plan``, ``consent email``, ``merged``.

    Of several things of one customer in one entry the last counts that the segment's definition names. A segment that
    changed through another one has the last thing of all.

    Args:
        applied: what the entry brought.
        changes: those that have no cause yet get one.
        events: those of the entry, as the engine took them.
        engine: that took them.
    """
    if not len(changes) or "" not in changes.causes:
        return changes
    plan = engine.plan
    if len(applied.events) == 1 and not applied.records and not plan.shared and changes.cause is None:
        return changes.because([_event(*applied.events)])
    things = _Things(applied, events, engine)
    causes = [*changes.causes, *(cause.text for cause in things.causes)]
    first, blank = len(changes.causes), changes.causes.index("")
    cause = changes.places_of_causes.copy()
    open_ = np.flatnonzero(cause == blank)
    rows = changes.rows[open_]
    begins, ends = np.searchsorted(things.rows, rows, "left"), np.searchsorted(things.rows, rows, "right")
    found = first + things.which[ends - 1] if len(things.rows) else np.zeros(len(rows), np.int64)
    strangers = begins == ends
    if strangers.any():
        found[strangers] = len(causes)
        causes.append(MERGED if applied.identity else _of_account(applied))
    several = np.flatnonzero(ends - begins > 1)
    numbers = changes.codes[open_][several] >> 2
    for place, slug in zip(several.tolist(), map(changes.slugs.__getitem__, numbers.tolist()), strict=True):
        which = things.which[begins[place] : ends[place]].tolist()
        named = (first + one for one in reversed(which) if slug in things.causes[one].segments)
        found[place] = next(named, found[place])
    cause[open_] = found
    return changes.because(causes, cause)


class _Cause(NamedTuple):
    """Something that came in, and the segments whose definitions name it."""

    text: str
    segments: frozenset[str]


def _event(name: str) -> str:
    return f"event {name}"


class _Things:
    """What came in, by customer, of each in the order of its kinds: events, then the rest as it came.

    ``rows`` of the customers in ascending order, and for each the place in ``causes`` of ``which`` it is.
    """

    def __init__(self, applied: Applied, events: Events | None, engine: Engine) -> None:
        plan, people = engine.plan, engine.state.people
        self.causes = [_Cause(_event(name), plan.touched_by(Touch("event", name))) for name in applied.events]
        which = np.repeat(np.arange(len(self.causes)), [len(rows) for rows in applied.events.values()])
        rows = np.empty(0, np.int64) if events is None else np.asarray(events.customers, np.int64)
        more: list[tuple[int, int]] = []
        known: dict[tuple[str, str], int] = {}
        for owner, kind, name in _others(applied):
            row = people.known(owner)
            if row is not None:
                more.append((row, self._place(known, plan, kind, name)))
        if more:
            others = np.array(more, np.int64)
            rows, which = np.concatenate((rows, others[:, 0])), np.concatenate((which, others[:, 1]))
        order = np.argsort(rows, kind="stable")
        self.rows: Ints = rows[order]
        self.which: Ints = which[order]

    def _place(self, known: dict[tuple[str, str], int], plan: Plan, kind: str, name: str) -> int:
        found = known.get((kind, name))
        if found is None:
            found = known[kind, name] = len(self.causes)
            self.causes.append(_Cause(f"{kind} {name}", plan.touched_by(Touch(kind, name))))
        return found


def _of_account(applied: Applied) -> str:
    """What was said of the account of whoever changed without a word of themselves."""
    names = [r.name for r in applied.records if isinstance(r, TraitChange) and r.scope == "account"]
    return f"trait {ACCOUNT_PREFIX}{names[-1]}" if names else ""


def _others(applied: Applied) -> Iterator[tuple[str, str, str]]:
    """Customer, kind and name of what isn't an event."""
    for record in applied.records:
        match record:
            case TraitChange(owner, name) if record.scope != "account":
                yield owner, "trait", name
            case ConsentChange(customer, purpose):
                yield customer, "consent", purpose
            case ListChange(name, customer):
                yield customer, "list", name
