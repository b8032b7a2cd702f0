"""What a tracking call means: the log's unit, its bytes, and the records that it becomes.

A ``Call`` is what a client library sent, cleaned once at the door (``flat``) and kept as plain JSON values. Types come
later, from the schema of the moment at which the call is applied: JSON has no dates, so an ISO text becomes a date only
where the schema says so, or where nothing is known of the property yet.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from shoal.clock import from_instant
from shoal.errors import StoreError
from shoal.lang import calendar
from shoal.lang.schema import Kind, PropertyType, Schema
from shoal.shapes import ACCOUNT_ID, ACCOUNT_PREFIX, ConsentChange, Event, Point, TraitChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Record: TypeAlias = Event | TraitChange | ConsentChange

PAGE_VIEWED = "Page Viewed"
SCREEN_VIEWED = "Screen Viewed"
USER_ID, ANONYMOUS_ID, PREVIOUS_ID = "user_id", "anonymous_id", "previous_id"
EMAIL, PHONE, DEVICE_ID = "email", "phone", "device_id"

VERSION = 1
DEEPEST = 6
"""How many objects may stand inside each other; what lies deeper is left out and marked."""
ACCOUNT_SUFFIX = "#account"
"""Ends the message id of an account's traits: a message id stands for records of one owner."""

_PLAIN = frozenset({str, int, float, bool, type(None)})
_PLACE = {"latitude", "longitude"}
_NO_SCHEMA = Schema()
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)")
RESERVED = {"createdAt": Kind.INSTANT, "created_at": Kind.INSTANT, "birthday": Kind.DATE}
"""Names whose type the Segment spec fixes."""
_MILLISECONDS_FROM = 100_000_000_000
"""A number from here on counts milliseconds since 1970 (as seconds it would be the year 5138)."""
_HUGE = 1e300


class Call(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A tracking call as the log keeps it. New fields go to the end, each with a default, so that older logs are read.

    Args:
        kind: ``track``, ``page``, ``screen``, ``identify``, ``group`` or ``alias``.
        identifiers: value by kind (``user_id``, ``anonymous_id``, ``previous_id``, ``email``, ``phone``, ``device_id``,
            or the type of an external id).
        ts: when it happened, on the workspace's clock.
        message_id: unique to the message.
        received: when it arrived, on the workspace's clock.
        name: of the event; empty for identify, group and alias.
        properties: of the event, flat.
        traits: of the customer (identify) or the account (group), flat; None clears.
        group: the account that a group call names.
        consents: granted by category, as the sender's consent banner says.
        marks: what was odd about it: ``unknown-event``, ``wrong-type:NAME``, ``shape:NAME``, ``clock``, ``context``.
    """

    kind: str
    identifiers: dict[str, str]
    ts: int
    message_id: str
    received: int
    name: str = ""
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    group: str | None = None
    consents: dict[str, bool] | None = None
    marks: tuple[str, ...] = ()


# --------------------------------------------------------------------------- the log's bytes

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Call])
_HEAD = bytes([VERSION])


def encode(calls: Sequence[Call]) -> bytes:
    """The calls as bytes for the log, a byte with the version first."""
    try:
        return _HEAD + _encoder.encode(calls)
    except OverflowError:
        # An integer of more than 64 bits. The store refuses any number beyond 10^12, so its digits needn't be kept.
        return _HEAD + _encoder.encode([_bounded(msgspec.to_builtins(call)) for call in calls])


def decode(payload: bytes) -> list[Call]:
    """The calls of an entry of the log.

    Raises:
        StoreError: the bytes are of another version, or are no calls.
    """
    if payload[:1] != _HEAD:
        found = payload[0] if payload else "none"
        raise StoreError(f"An entry of the log is of version {found}.", fix=f"This Shoal reads version {VERSION}.")
    try:
        return _decoder.decode(memoryview(payload)[1:])
    except (msgspec.DecodeError, ValueError) as error:
        raise StoreError(f"An entry of the log can't be read: {error}.", fix="Restore a backup.") from error


def readable(call: Call) -> str:
    """A call as JSON that a person reads, for quarantine."""
    fields = {name: getattr(call, name) for name in Call.__struct_fields__}
    return msgspec.json.encode({name: value for name, value in fields.items() if value not in (None, "", ())}).decode()


def _bounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _bounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_bounded(inner) for inner in value]
    if type(value) is int and not -(2**63) <= value < 2**63:
        return _HUGE if value > 0 else -_HUGE
    return value


# --------------------------------------------------------------------------- flat values


def flat(values: dict[str, Any], odd: list[str]) -> dict[str, Any]:
    """Properties or traits with nested objects written out: ``{"address": {"city": "Kisumu"}}`` is ``address.city``.

    Numbers and yes/no in a list become text, as the language knows lists of text only. An object of exactly ``latitude``
    and ``longitude`` stays whole: it is a point. Where nothing is nested the same dict comes back, uncopied.

    Args:
        values: as they were sent.
        odd: takes a mark ``shape:NAME`` for each value that no type fits, which is left out.
    """
    for value in values.values():
        if type(value) not in _PLAIN:
            break
    else:
        return values
    out: dict[str, Any] = {}
    _flatten(values, "", out, odd, 1)
    return out


def _flatten(values: Mapping[str, Any], prefix: str, out: dict[str, Any], odd: list[str], depth: int) -> None:
    for key, value in values.items():
        name = prefix + key
        kind = type(value)
        if kind in _PLAIN or (kind is dict and _is_place(value)):
            out[name] = value
        elif kind is dict and depth < DEEPEST:
            _flatten(value, f"{name}.", out, odd, depth + 1)
        elif kind is list and (items := _list(value)) is not None:
            out[name] = items
        else:
            odd.append(f"shape:{name}")


def _list(values: list[Any]) -> list[Any] | None:
    """A list of objects, each flat and of single values; or a list of text; None where the items are neither."""
    if not all(type(v) is dict or type(v) in _PLAIN for v in values):
        return None
    objects = [v for v in values if type(v) is dict]
    if not objects:
        return [_text(v) for v in values if v is not None]
    return [_item(v) for v in objects] if len(objects) == len(values) else None


def _item(value: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    _flatten(value, "", out, [], 1)
    return {name: inner for name, inner in out.items() if type(inner) in _PLAIN}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) >= 2**63:
        return repr(_HUGE)
    return value if isinstance(value, str) else repr(value)


def _is_place(value: dict[str, Any]) -> bool:
    if value.keys() != _PLACE:
        return False
    at = value["latitude"], value["longitude"]
    return all(type(v) in (int, float) for v in at) and abs(at[0]) <= 90 and abs(at[1]) <= 180


# --------------------------------------------------------------------------- records


def records(call: Call, customer: str, schema: Schema = _NO_SCHEMA) -> list[Record]:
    """The records that a call becomes for the customer whom identity resolved it to.

    An alias becomes none: it speaks of identity alone. A change of consent is given for each known purpose, also where it
    repeats what is known already.

    Args:
        call: as the log keeps it.
        customer: the customer's id.
        schema: the types and purposes known at this point of the log.
    """
    found: list[Record] = []
    if call.name:
        kinds = schema.events.get(call.name, {})
        properties = _typed_event(call.properties or {}, kinds, schema)
        found.append(Event(customer, call.name, call.ts, properties, call.message_id, call.received))
    elif call.kind == "identify":
        _traits(found, call, customer, schema)
    elif call.kind == "group" and call.group:
        joined = TraitChange(customer, ACCOUNT_ID, call.group, call.ts, call.message_id, call.received)
        found.append(joined)
        _account_traits(found, call, call.group, schema)
    for purpose, granted in (call.consents or {}).items():
        if purpose in schema.purposes:
            found.append(ConsentChange(customer, purpose, granted, call.ts, call.message_id, call.received))
    return found


def _typed_event(values: dict[str, Any], kinds: Mapping[str, PropertyType], schema: Schema) -> Mapping[str, Any]:
    """The properties with dates made from text. The dict itself where there is nothing to make: most events."""
    out: dict[str, Any] | None = None
    for name, value in values.items():
        kind = type(value)
        # A cheap test, here in the loop, spares nearly every value the dear one.
        if kind is str:
            if len(value) < 10 or value[4] != "-":
                continue
        elif kind in _PLAIN and name not in RESERVED:
            continue
        made = _typed_property(name, value, kinds.get(name), schema)
        if made is not value:
            out = dict(values) if out is None else out
            out[name] = made
    return values if out is None else out


def _typed_property(name: str, value: Any, known: PropertyType | None, schema: Schema) -> Any:
    if type(value) is list:
        return [_typed_item(i, known, schema) if type(i) is dict else i for i in value]
    return typed(name, value, known.kind if known else None, schema)


def _typed_item(item: dict[str, Any], known: PropertyType | None, schema: Schema) -> dict[str, Any]:
    fields = known.fields if known else {}
    return {name: typed(name, value, fields.get(name), schema) for name, value in item.items()}


def _traits(found: list[Record], call: Call, customer: str, schema: Schema) -> None:
    for name, value in (call.traits or {}).items():
        if name.startswith(ACCOUNT_PREFIX):
            continue
        for each in _cleared(name, schema.traits) if value is None else (name,):
            made = typed(each, value, schema.traits.get(each), schema)
            found.append(TraitChange(customer, each, made, call.ts, call.message_id, call.received))


def _account_traits(found: list[Record], call: Call, account: str, schema: Schema) -> None:
    message = call.message_id + ACCOUNT_SUFFIX
    for name, value in (call.traits or {}).items():
        kinds = schema.traits
        for full in _cleared(ACCOUNT_PREFIX + name, kinds) if value is None else (ACCOUNT_PREFIX + name,):
            each = full.removeprefix(ACCOUNT_PREFIX)
            made = typed(each, value, kinds.get(full), schema)
            found.append(TraitChange(account, each, made, call.ts, message, call.received, "account"))


def _cleared(name: str, known: Mapping[str, Kind]) -> list[str]:
    """What a null clears: the trait, or where it was an object the traits that its parts became."""
    parts = [trait for trait in known if trait.startswith(f"{name}.")]
    return [name, *parts] if name in known or not parts else parts


# --------------------------------------------------------------------------- types


def typed(name: str, value: Any, kind: Kind | None, schema: Schema) -> Any:
    """A JSON value as the type that is known of it, or that it shows; as it is where it isn't of that type.

    Args:
        name: of the property or trait: ``createdAt`` and ``birthday`` have a type of their own.
        value: a text, number, yes/no, None, list, or an object that stands for a point.
        kind: what the schema says; None where it doesn't know the name.
        schema: for the time zone in which a bare date begins.
    """
    if type(value) is dict:
        return Point(float(value["latitude"]), float(value["longitude"])) if _is_place(value) else value
    kind = kind or RESERVED.get(name)
    if type(value) is str:
        return _from_text(value, kind, schema)
    if type(value) in (int, float) and kind in (Kind.INSTANT, Kind.DATE) and name in RESERVED:
        return _from_number(value, kind)
    return value


def _from_text(text: str, kind: Kind | None, schema: Schema) -> str | date | datetime:
    if kind is None and _DATE.fullmatch(text):
        kind = Kind.DATE
    elif kind is None and _INSTANT.fullmatch(text):
        kind = Kind.INSTANT
    try:
        if kind is Kind.DATE:
            return datetime.fromisoformat(text).date()
        if kind is Kind.INSTANT:
            return _instant(text, schema.zone)
    except (ValueError, OverflowError):
        return text
    return text


def _instant(text: str, zone: str) -> datetime:
    """An ISO text as an instant; without an offset it is local time of the zone, a bare date its first instant."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        return moment
    rules = calendar.zone(zone)
    if _DATE.fullmatch(text):
        return from_instant(rules.starts((moment.date() - date(1970, 1, 1)).days))
    return moment.replace(tzinfo=rules.rules)


def _from_number(value: float, kind: Kind) -> float | date | datetime:
    seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return value
    return moment.date() if kind is Kind.DATE else moment
