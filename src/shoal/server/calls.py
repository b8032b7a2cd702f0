"""The calls of the Segment HTTP tracking API: their form on the wire, and what is kept of them.

Only the fields below are decoded; whatever else a library sends (``integrations``, ``channel``, ``_metadata`` …) is skipped
at the speed of the parser. Of ``context`` only what names a person, a consent or a page is looked at.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from shoal.customers.tracking import (
    ANONYMOUS_ID,
    DEVICE_ID,
    EMAIL,
    PAGE_VIEWED,
    PHONE,
    PREVIOUS_ID,
    SCREEN_VIEWED,
    USER_ID,
    Call,
    flat,
)
from shoal.server.faults import bad, undecodable
from shoal.server.when import happened, instant_of
from shoal.shapes import ACCOUNT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.server.plan import Plan


Id: TypeAlias = str | int | float | None
Time: TypeAlias = str | int | float | None

LONGEST_NAME = 200
LONGEST_ID = 500
LARGEST_ID = 2**63
UNDECODABLE = (ValueError, RecursionError)
"""What decoding bytes that anyone sent may raise: bad JSON, bad UTF-8, numbers of thousands of digits, deep nesting."""


class Named(msgspec.Struct, gc=False):
    """A thing of which the id counts, as ``context.device``."""

    id: Id = None


class PageContext(msgspec.Struct, gc=False):
    """``context.page``, of which the address counts."""

    url: str | None = None


class Consent(msgspec.Struct, gc=False, rename="camel"):
    """``context.consent``: what the sender's consent banner says."""

    category_preferences: dict[str, bool] | None = None


class ExternalId(msgspec.Struct, gc=False):
    """One of ``context.externalIds``."""

    id: Id = None
    type: str = ""
    collection: str = "users"
    encoding: str = "none"


class Context(msgspec.Struct, gc=False, rename="camel"):
    """What is looked at of ``context``."""

    traits: dict[str, Any] | None = None
    device: Named | None = None
    page: PageContext | None = None
    consent: Consent | None = None
    external_ids: list[ExternalId] | None = None
    ip: str | None = None
    user_agent: str | None = None


class Common(msgspec.Struct, gc=False, rename="camel", tag_field="type"):
    """The fields that all calls share."""

    user_id: Id = None
    anonymous_id: Id = None
    message_id: Id = None
    timestamp: Time = None
    original_timestamp: Time = None
    sent_at: Time = None
    write_key: str | None = None
    context: Context | None = None


class Track(Common, tag="track"):
    """Something that a customer did."""

    event: str = ""
    properties: dict[str, Any] | None = None


class Page(Common, tag="page"):
    """A page that was seen."""

    name: str | None = None
    category: str | None = None
    properties: dict[str, Any] | None = None


class Screen(Page, tag="screen"):
    """A screen of an app that was seen."""


class Identify(Common, tag="identify"):
    """Who a customer is, and what is known of them."""

    traits: dict[str, Any] | None = None


class Group(Common, tag="group"):
    """The account that a customer belongs to, and what is known of it."""

    group_id: Id = None
    traits: dict[str, Any] | None = None


class Alias(Common, tag="alias"):
    """Two ids of one customer."""

    previous_id: Id = None


Wire: TypeAlias = Track | Page | Screen | Identify | Group | Alias


class Envelope(msgspec.Struct, gc=False, rename="camel"):
    """What a request with many calls says of all of them."""

    sent_at: Time = None
    write_key: str | None = None
    context: msgspec.Raw | UnsetType = UNSET


class Batch(Envelope, kw_only=True):
    """Many calls in one request, all of a good form."""

    batch: list[Wire]


class Pieces(Envelope, kw_only=True):
    """Many calls in one request, each to be decoded by itself (``decode_item``): a bad one doesn't cost the others."""

    batch: list[msgspec.Raw]


KINDS: Mapping[str, type[Common]] = {
    "track": Track, "page": Page, "screen": Screen, "identify": Identify, "group": Group, "alias": Alias,
}  # fmt: skip
_single = {kind: msgspec.json.Decoder(shape) for kind, shape in KINDS.items()}
_any: msgspec.json.Decoder[Wire] = msgspec.json.Decoder(Wire)
_batch = msgspec.json.Decoder(Batch)
_pieces = msgspec.json.Decoder(Pieces)
_context = msgspec.json.Decoder(Context)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


# --------------------------------------------------------------------------- decoding


def decode_single(body: bytes, kind: str) -> Wire:
    """The one call of a request, of the kind that its path names.

    Raises:
        Refused: the body is no JSON, or no call of this kind.
    """
    try:
        return _decoded(_single[kind], body)
    except UNDECODABLE as error:
        raise undecodable(error) from None


def decode_batch(body: bytes, most_bytes: int) -> Batch | Pieces:
    """A request with many calls: decoded at once, or in pieces where one is of a wrong form or larger than ``most_bytes``.

    Raises:
        Refused: the body is no JSON, or has no list ``batch``.
    """
    try:
        if len(body) > most_bytes:
            pieces = _pieces.decode(body)
            if any(size(raw) > most_bytes for raw in pieces.batch):
                return pieces
        return _batch.decode(body)
    except UNDECODABLE:
        try:
            return _pieces.decode(body)
        except UNDECODABLE as error:
            raise undecodable(error) from None


def size(raw: msgspec.Raw) -> int:
    """How many bytes a call takes."""
    return memoryview(raw).nbytes


def decode_item(raw: msgspec.Raw) -> Wire:
    """One call of a batch, of the kind that its ``type`` names.

    Raises:
        Refused: it is no call.
    """
    try:
        return _decoded(_any, raw)
    except UNDECODABLE as error:
        raise undecodable(error) from None


def decode_context(raw: msgspec.Raw | UnsetType) -> Context | None:
    """The context that a batch gives to all its calls; None where there is none that can be read."""
    try:
        return None if raw is UNSET else _context.decode(raw)
    except UNDECODABLE:
        return None


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes | msgspec.Raw) -> Wire:
    """Decode; a ``context`` of a form that nobody expects is left out, as what counts is beside it."""
    try:
        wire: Wire = decoder.decode(body)
    except msgspec.ValidationError as error:
        if "at `$.context" not in str(error):
            raise
        fields = _object.decode(body)
        fields.pop("context", None)
        wire = decoder.decode(msgspec.json.encode(fields))
    return wire


# --------------------------------------------------------------------------- what is kept


class Arrival(msgspec.Struct, gc=False):
    """What is known of a request and holds for each of its calls.

    Args:
        received: when it arrived, on the workspace's clock.
        ahead: how far in the future a call may lie, in microseconds.
        most_values: how many properties or traits a call may bear.
        sent: when the batch was sent, by the sender's clock.
        context: of the batch.
        ip: the sender's address, where it may be kept.
        plan: marks what it doesn't know.
        strict: refuses what the plan would mark.
    """

    received: int
    ahead: int
    most_values: int
    sent: int | None = None
    context: Context | None = None
    ip: str | None = None
    plan: Plan | None = None
    strict: bool = False


def kept(wire: Wire, arrival: Arrival) -> Call:
    """What is kept of a call.

    Raises:
        Refused: it names nobody, lacks what its kind needs, or breaks a strict plan.
    """
    marks: list[str] = []
    context = wire.context or arrival.context
    kind, name, values, group = _meaning(wire, context, arrival)
    if values:
        values = _flattened(values, kind, arrival.most_values, marks)
    identifiers = _identifiers(wire, context, values)
    plan = arrival.plan
    if plan is not None:
        found = plan.event(name, values) if name else plan.traits(values, account=group is not None)
        if found:
            if arrival.strict:
                raise plan.refusal(name, found)
            marks += found
    message = wire.message_id
    if type(message) is not str or not 0 < len(message) <= LONGEST_ID:
        # Fresh, not a hash of the call: two equal clicks are two, and without an id a copy can't be told from them.
        message = _id(message, "messageId") or os.urandom(16).hex()
    return Call(
        kind,
        identifiers,
        _time(wire, arrival, marks),
        message,
        arrival.received,
        name,
        (values or None) if name else None,
        None if name else (values or None),
        group,
        (context.consent.category_preferences or None) if context is not None and context.consent is not None else None,
        tuple(marks),
    )


def _flattened(values: dict[str, Any], kind: str, most: int, marks: list[str]) -> dict[str, Any]:
    values = flat(values, marks)
    if len(values) > most:
        place = "traits" if kind in ("identify", "group") else "properties"
        fix = f"Send at most {most}; a list of objects counts as one."
        raise bad("too-many-values", f"The call bears {len(values)} values.", place, fix)
    if kind == "identify":
        _leave_accounts_out(values, marks)
    return values


def _meaning(wire: Wire, context: Context | None, arrival: Arrival) -> tuple[str, str, dict[str, Any], str | None]:
    """The kind, the event's name, the properties or traits, and the account."""
    if type(wire) is Track:
        properties = wire.properties if wire.properties is not None else {}
        if arrival.ip is not None:
            _keep_ip(properties, arrival.ip, context)
        return "track", _event_name(wire.event), properties, None
    if isinstance(wire, Page):
        kind, event = ("screen", SCREEN_VIEWED) if type(wire) is Screen else ("page", PAGE_VIEWED)
        properties = _page_properties(wire, context)
        if arrival.ip is not None:
            _keep_ip(properties, arrival.ip, context)
        return kind, event, properties, None
    if type(wire) is Identify:
        # RudderStack's libraries put the traits of an identify into the context.
        under = context.traits if context is not None else None
        return "identify", "", {**under, **(wire.traits or {})} if under else wire.traits or {}, None
    if type(wire) is Group:
        group = _id(wire.group_id, "groupId")
        if not group:
            raise bad("no-group", "A group call names no account.", "groupId", "Send the account's id as groupId.")
        return "group", "", wire.traits or {}, group
    return "alias", "", {}, None


@lru_cache(maxsize=2_048)
def _event_name(name: str) -> str:
    """The name, looked at once for many calls."""
    if not name.strip():
        raise bad("no-event", "A track call names no event.", "event", 'Send its name, as "event": "Order Completed".')
    if len(name) > LONGEST_NAME:
        fix = f"Use at most {LONGEST_NAME} characters; what differs from call to call belongs in properties."
        raise bad("long-name", "The name of the event is too long.", "event", fix)
    return name


def _page_properties(wire: Page, context: Context | None) -> dict[str, Any]:
    properties = wire.properties if wire.properties is not None else {}
    if wire.name:
        properties["name"] = wire.name
    if wire.category:
        properties["category"] = wire.category
    if "url" not in properties and context is not None and context.page is not None and context.page.url:
        properties["url"] = context.page.url
    return properties


def _keep_ip(properties: dict[str, Any], peer: str, context: Context | None) -> None:
    properties["ip"] = (context.ip if context is not None else None) or peer


def _leave_accounts_out(traits: dict[str, Any], marks: list[str]) -> None:
    """A customer has no trait ``account.x``: in the language that is a trait of their account."""
    for name in [name for name in traits if name.startswith(ACCOUNT_PREFIX)]:
        del traits[name]
        marks.append(f"shape:{name}")


def _identifiers(wire: Wire, context: Context | None, values: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    user = wire.user_id
    if type(user) is not str or len(user) > LONGEST_ID:
        user = _id(user, "userId")
    if user:
        found[USER_ID] = user
    anonymous = wire.anonymous_id and _id(wire.anonymous_id, "anonymousId")
    if anonymous:
        found[ANONYMOUS_ID] = anonymous
    if type(wire) is Alias:
        if not (previous := _id(wire.previous_id, "previousId")):
            raise bad("no-previous-id", "An alias call names no earlier id.", "previousId", "Send it as previousId.")
        found[PREVIOUS_ID] = previous
    if not (user or anonymous):
        fix = "Send a userId, or an anonymousId for somebody who isn't known yet."
        raise bad("no-user", "The call names nobody.", "userId", fix)
    if type(wire) is Identify:
        _add_contacts(found, values)
    if context is not None and (context.traits or context.device is not None or context.external_ids):
        _add_context(found, context)
    return found


def _add_context(found: dict[str, str], context: Context) -> None:
    if context.traits:
        _add_contacts(found, context.traits)
    if context.device is not None and (device := _id(context.device.id, "context.device.id")):
        found[DEVICE_ID] = device
    for external in context.external_ids or ():
        value = _id(external.id, "context.externalIds")
        if value and external.type and (external.collection, external.encoding) == ("users", "none"):
            found.setdefault(external.type, value)


def _add_contacts(found: dict[str, str], traits: Mapping[str, Any]) -> None:
    for name in (EMAIL, PHONE):
        value = traits.get(name)
        if type(value) is str and value and len(value) <= LONGEST_ID:
            found.setdefault(name, value)


def _id(value: Id, place: str) -> str:
    """An id as text; empty where there is none. Some senders write ids as numbers."""
    if value is None:
        return ""
    if isinstance(value, str):
        text = value
    elif abs(value) < LARGEST_ID:
        text = str(int(value)) if value == int(value) else str(value)
    else:
        raise bad("long-id", "The id is a number beyond 64 bits.", place, "Send ids as text.")
    if len(text) > LONGEST_ID:
        raise bad("long-id", "The id is too long.", place, f"Use at most {LONGEST_ID} characters.")
    return text


def _time(wire: Wire, arrival: Arrival, marks: list[str]) -> int:
    given = wire.original_timestamp if wire.original_timestamp is not None else wire.timestamp
    if given is None:
        return arrival.received
    sent = instant_of(wire.sent_at) if wire.sent_at is not None else arrival.sent
    ts = happened(instant_of(given), sent, arrival.received, arrival.ahead)
    if ts is None:
        marks.append("clock")
        return arrival.received
    return ts
