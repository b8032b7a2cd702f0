"""The check against the tracking plan: which events there are, what they must bear, and of which types.

What ``tracking-plan.yaml`` doesn't say is taken from what the workspace has seen.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.config import PLAN_NAME
from shoal.customers.tracking import RESERVED
from shoal.errors import did_you_mean
from shoal.lang.schema import Kind
from shoal.server.faults import Refused, bad
from shoal.shapes import ACCOUNT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shoal.config import TrackingPlan
    from shoal.lang.schema import Schema

UNKNOWN_EVENT = "unknown-event"
WRONG_TYPE = "wrong-type"
MISSING = "missing"


class Plan:
    """Marks what doesn't fit: an event of another name, a value of another type, a required property that is missing.

    A property that is new is no fault: its type is learned. A null is missing, and fits every type.

    Args:
        schema: what the workspace has seen.
        tracking: the workspace's tracking plan; None where it has none, and then what was seen is the plan.
    """

    def __init__(self, schema: Schema, tracking: TrackingPlan | None = None) -> None:
        self.tracking = tracking
        self.strict = tracking is not None and tracking.strict
        """Whether the plan itself asks that what doesn't fit be refused."""
        planned = {} if tracking is None else tracking.events
        names = planned or schema.events
        self._events: dict[str, _Event] = {}
        for name in list(names):
            known = {prop: kind.kind for prop, kind in dict(schema.events.get(name, {})).items()}
            event = planned.get(name)
            known |= {} if event is None else {prop: kind.kind for prop, kind in event.properties.items()}
            tests = {prop: _test(prop, kind) for prop, kind in known.items()}
            self._events[name] = _Event(tests, () if event is None else event.required)
        self._spelt = {_bare(name): name for name in self._events}
        kinds = dict(schema.traits) | ({} if tracking is None else dict(tracking.traits))
        traits = {name: _test(name.removeprefix(ACCOUNT_PREFIX), kind) for name, kind in kinds.items()}
        self._customers = {name: test for name, test in traits.items() if not name.startswith(ACCOUNT_PREFIX)}
        self._accounts = {
            name.removeprefix(ACCOUNT_PREFIX): test for name, test in traits.items() if name.startswith(ACCOUNT_PREFIX)
        }

    def event(self, name: str, properties: Mapping[str, Any]) -> list[str]:
        """The marks of an event: ``unknown-event``, or ``wrong-type:PROPERTY`` and ``missing:PROPERTY`` for each."""
        event = self._events.get(name)
        if event is None:
            return [UNKNOWN_EVENT]
        found = _wrong(event.tests, properties) if properties else []
        for required in event.required:
            if properties.get(required) is None:
                found.append(f"{MISSING}:{required}")
        return found

    def traits(self, values: Mapping[str, Any], *, account: bool) -> list[str]:
        """The marks of traits: ``wrong-type:TRAIT`` for each."""
        return _wrong(self._accounts if account else self._customers, values)

    def refusal(self, name: str, marks: list[str]) -> Refused:
        """What a strict plan says to the sender of a call with these marks.

        Args:
            name: of the event; empty where the call is about traits.
            marks: what doesn't fit, at least one.
        """
        what, _, _ = marks[0].partition(":")
        names = [mark.partition(":")[2] for mark in marks if mark.startswith(f"{what}:")]
        if what == UNKNOWN_EVENT:
            # Not by likeness: many calls may be refused in a moment, and comparing with all names would hold up the rest.
            near = self._spelt.get(_bare(name))
            other = f"add it to {PLAN_NAME}" if self.tracking is not None else "send it once with the strict mode off"
            fix = f"{'Correct the name.' if near is None else did_you_mean([near])} If it is new, {other}."
            return bad(UNKNOWN_EVENT, f"The tracking plan has no event {name!r}.", "event", fix)
        place = f"{'properties' if name else 'traits'}.{names[0]}"
        if what == MISSING:
            problem = f"The tracking plan wants what the event lacks: {', '.join(names)}."
            return bad("missing-property", problem, place, "Send it with each such event.")
        problem = f"Not of the type that the tracking plan says: {', '.join(names)}."
        return bad(WRONG_TYPE, problem, place, "Send a value of the declared type.")


def _bare(name: str) -> str:
    """A name without what people write in different ways: ``order_completed`` is ``Order Completed``."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _wrong(tests: Mapping[str, _Test], values: Mapping[str, Any]) -> list[str]:
    found = []
    for name, value in values.items():
        test = tests.get(name)
        if test is None or value is None:
            continue
        if type(value) not in test.types or (test.more is not None and not test.more(value)):
            found.append(f"{WRONG_TYPE}:{name}")
    return found


def _test(name: str, kind: Kind) -> _Test:
    moment = kind in (Kind.DATE, Kind.INSTANT)
    return _NUMBER_OR_ISO if moment and name in RESERVED else _TESTS[kind]


def _is_iso(value: Any) -> bool:
    if type(value) is not str:
        return True
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: all(type(item) is kind for item in value)


class _Test(NamedTuple):
    """What a value must be: one of the types, and what is asked of it beyond."""

    types: frozenset[type]
    more: Callable[[Any], bool] | None = None


class _Event(NamedTuple):
    """What is asked of an event: the types of its properties, and those that must be there."""

    tests: Mapping[str, _Test]
    required: tuple[str, ...] = ()


_NUMBER_OR_ISO = _Test(frozenset({int, float, str}), _is_iso)
"""The reserved names take seconds and milliseconds since 1970 too."""
_ISO = _Test(frozenset({str}), _is_iso)
_TESTS: Mapping[Kind, _Test] = {
    Kind.TEXT: _Test(frozenset({str})),
    Kind.NUMBER: _Test(frozenset({int, float})),
    Kind.YESNO: _Test(frozenset({bool})),
    Kind.DATE: _ISO,
    Kind.INSTANT: _ISO,
    Kind.TEXTS: _Test(frozenset({list}), _is_list_of(str)),
    Kind.OBJECTS: _Test(frozenset({list}), _is_list_of(dict)),
    Kind.POINT: _Test(frozenset({dict})),
}
