"""The tracking plan: which events there are and which types their properties have, as the schema says."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.customers.tracking import RESERVED
from shoal.lang.schema import Kind
from shoal.shapes import ACCOUNT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shoal.lang.schema import Schema

UNKNOWN_EVENT = "unknown-event"
WRONG_TYPE = "wrong-type"


class Plan:
    """Marks what a schema doesn't know: an event of another name, a value of another type.

    A property that is new is no fault: its type is learned. A null is missing, and fits every type.
    """

    def __init__(self, schema: Schema) -> None:
        self._events = {
            name: {prop: _test(prop, known.kind) for prop, known in properties.items()}
            for name, properties in schema.events.items()
        }
        traits = {name: _test(name.removeprefix(ACCOUNT_PREFIX), kind) for name, kind in schema.traits.items()}
        self._customers = {name: test for name, test in traits.items() if not name.startswith(ACCOUNT_PREFIX)}
        self._accounts = {
            name.removeprefix(ACCOUNT_PREFIX): test for name, test in traits.items() if name.startswith(ACCOUNT_PREFIX)
        }

    def event(self, name: str, properties: Mapping[str, Any]) -> list[str]:
        """The marks of an event: ``unknown-event``, or ``wrong-type:PROPERTY`` for each."""
        tests = self._events.get(name)
        return [UNKNOWN_EVENT] if tests is None else _wrong(tests, properties)

    def traits(self, values: Mapping[str, Any], *, account: bool) -> list[str]:
        """The marks of traits: ``wrong-type:TRAIT`` for each."""
        return _wrong(self._accounts if account else self._customers, values)


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
