"""What would happen to a customer's memberships if something came, or if time went on; nothing of it is kept.

The customer is copied out of the engine, with whom they share accounts, and the copy goes on under the very code that the
log's entries go through. So what is foreseen is what happens, as long as nothing else comes: no other event, no newly
worked-out threshold of a rank, no new score.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec

from shoal.clock import DAY
from shoal.customers.identity.bearers import Bearers, GraphState
from shoal.customers.identity.graph import Identities
from shoal.customers.identity.rules import USER_ID
from shoal.customers.learning import Types
from shoal.customers.seen import Seen
from shoal.errors import Refused
from shoal.live.alone import alone
from shoal.workspace.live.core import Core
from shoal.workspace.live.entries import CALLS, TICK, encode_tick

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shoal.customers.tracking import Call
    from shoal.live.changes import Change
    from shoal.live.engine import Engine
    from shoal.live.why import Reason

    Earlier = Callable[[str, int], Reason]
    """The reason of a segment as it was just before an instant."""

MOST_CALLS = 20
"""So many calls are looked at together."""
FURTHEST = 5 * 366 * DAY
"""So far ahead the clock is moved at most."""
MOST_CHANGES = 500
"""After so many changes it isn't looked further ahead."""
_KIND = "what if"
_NO_LOCK: AbstractContextManager[Any] = nullcontext()


@dataclass(frozen=True, slots=True)
class Turned:
    """A condition of a segment that is another now than before the change.

    Args:
        sentence: in plain words.
        text: in the language.
        truth: whether it holds now.
        before: what it compared before, by the text of each value, as ``live.values`` has them.
        after: what it compares now.
    """

    sentence: str
    text: str
    truth: bool
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A membership that would change.

    Args:
        segment: its slug.
        name: of the segment.
        change: ``entered`` or ``left``.
        at: when.
        because: ``event NAME``, ``time`` …, as it would be published.
        turned: the conditions that make it so.
    """

    segment: str
    name: str
    change: str
    at: int
    because: str
    turned: tuple[Turned, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """A membership, and until when it would last if nothing more came; None for no end in sight."""

    segment: str
    name: str
    until: int | None


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What would happen.

    Args:
        customer: who stands for themselves.
        now: the instant from which it is looked.
        until: the instant up to which it was looked.
        before: their memberships at ``now``.
        after: those at ``until``.
        changes: in order.
        refused: why something of the calls wouldn't be taken.
        complete: whether it was looked up to where was asked; there are too many changes otherwise.
    """

    customer: str
    now: int
    until: int
    before: tuple[Standing, ...]
    after: tuple[Standing, ...]
    changes: tuple[Foreseen, ...]
    refused: tuple[str, ...] = ()
    complete: bool = True


@dataclass(slots=True)
class _Found:
    changes: list[Foreseen] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def foreseen(
    core: Core,
    customer: str,
    calls: Sequence[Call] = (),
    *,
    now: int,
    until: int | None = None,
    lock: AbstractContextManager[Any] = _NO_LOCK,
) -> WhatIf:
    """What would happen to a customer if calls came, one after the other, and time went on then.

    Args:
        core: of the workspace.
        customer: by any of their ids.
        calls: of them, whoever they name; each comes at its ``received``, at ``now`` where that is over.
        now: the instant from which it is looked.
        until: up to when time goes on; by default it ends with the last call.
        lock: held while the customer is copied, for some hundredths of a second; nobody may change the core then.

    Raises:
        UnknownName: there is no such customer.
        Refused: there are too many calls, or the end is too far ahead.
    """
    _check(calls, now, until)
    found = _Found()
    with lock:
        who = core.engine.state.people.ids[core.engine.row(customer)]
        copy = _copied(core, who)
        calls = _admitted(core, who, calls, found)
    engine = copy.engine
    # Whoever is due already changes by time, before anything that is asked of.
    _note(engine, who, engine.settle(), found, lambda slug, t: engine.why(slug, who, t - 1))
    _go_on(copy, who, max(now, engine.now), found)
    begun, before = engine.now, _standing(engine, who)
    for call in sorted(calls, key=lambda one: one.received):
        _go_on(copy, who, max(call.received, engine.now), found)
        _take(copy, who, msgspec.structs.replace(call, received=engine.now), found)
    if until is not None:
        _go_on(copy, who, max(until, engine.now), found)
    return WhatIf(
        who, begun, engine.now, before, _standing(engine, who), tuple(found.changes), tuple(found.refused),
        complete=not engine.behind,
    )  # fmt: skip


def _check(calls: Sequence[Call], now: int, until: int | None) -> None:
    if len(calls) > MOST_CALLS:
        raise Refused(f"These are {len(calls)} events.", fix=f"Ask of at most {MOST_CALLS} together.")
    furthest = max([until or now, *(call.received for call in calls)])
    if furthest > now + FURTHEST:
        raise Refused("That is too far ahead.", fix=f"Move the clock by at most {FURTHEST // DAY:,} days.")


def _admitted(core: Core, customer: str, calls: Sequence[Call], found: _Found) -> list[Call]:
    """The calls as the copy takes them, without those from before the customer was erased."""
    kept = []
    for call in calls:
        if core.is_erased(msgspec.structs.replace(call, identifiers={USER_ID: customer})):
            found.refused.append("It is from before the customer was erased, and would be dropped.")
        else:
            kept.append(msgspec.structs.replace(call, identifiers={_KIND: customer}))
    return kept


def _copied(core: Core, customer: str) -> Core:
    """The customer's own core: it learns types and tells changes for itself."""
    types = Types(core.types.traits, core.types.events)
    schema = replace(core.schema, traits=types.traits, events=types.events)
    engine = alone(core.engine, customer, schema)
    return Core(engine, _known_as(customer), types, Seen(lambda messages: ()), schema)


def _known_as(customer: str) -> Identities:
    """A graph in which there is one customer, whom calls name by their id, whatever form it has."""
    bearers = Bearers([_KIND])
    made = bearers.create(0)
    bearers.link(bearers.codes[_KIND], customer, made)
    bearers.name(made, customer)
    return Identities(state=GraphState(bearers))


# ------------------------------------------------------------ going on


def _go_on(core: Core, customer: str, at: int, found: _Found) -> None:
    """Let time pass, until ``at`` or as far as changes are looked at."""
    engine = core.engine
    while (at > engine.now or engine.behind) and len(found.changes) < MOST_CHANGES:
        applied = core.apply(0, TICK, encode_tick(at))
        _note(engine, customer, applied.changes, found, lambda slug, t: engine.why(slug, customer, t - 1))


def _take(core: Core, customer: str, call: Call, found: _Found) -> None:
    engine = core.engine
    earlier = alone(engine, customer, engine.schema)
    applied = core.apply(0, CALLS, b"", [call])
    found.refused += [one.reason for one in applied.refused]
    _note(engine, customer, applied.changes, found, lambda slug, t: earlier.why(slug, customer, t))


def _note(engine: Engine, customer: str, changes: Sequence[Change], found: _Found, earlier: Earlier) -> None:
    """Add what changed of the customer, each with the conditions that turned."""
    for change in changes:
        if change.customer == customer:
            slug, at = change.segment, change.at
            turned = _turned(earlier(slug, at), engine.why(slug, customer, at))
            once = tuple({one.text: one for one in turned}.values())
            name = engine.plan.definitions[slug].name
            found.changes.append(Foreseen(slug, name, change.what, at, change.because, once))


def _turned(before: Reason, after: Reason) -> list[Turned]:
    """The conditions without parts whose truth is another than before; both are of one definition."""
    if before.truth == after.truth:
        return []
    if not after.parts or len(after.parts) != len(before.parts):
        return [Turned(after.sentence, after.text, after.truth, before.values, after.values)]
    inner = [turned for one, other in zip(before.parts, after.parts, strict=True) for turned in _turned(one, other)]
    return inner or [Turned(after.sentence, after.text, after.truth, before.values, after.values)]


def _standing(engine: Engine, customer: str) -> tuple[Standing, ...]:
    return tuple(
        Standing(slug, definition.name, engine.until(slug, customer))
        for slug, definition in engine.plan.definitions.items()
        if engine.is_member(slug, customer)
    )
