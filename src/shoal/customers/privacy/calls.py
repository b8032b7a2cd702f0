"""Removing a person from what the log holds: tracking calls, and the bodies of commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from shoal.customers.identity.normalise import Normaliser
from shoal.customers.identity.rules import USER_ID
from shoal.customers.privacy.person import form_of
from shoal.customers.tracking import PREVIOUS_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.customers.identity.rules import IdentityRules
    from shoal.customers.privacy.person import Person
    from shoal.customers.tracking import Call

_KEEP = frozenset({"start", "define", "refresh"})
"""Commands that speak of no customer."""


@dataclass(frozen=True, slots=True)
class Traces:
    """By what a person's calls are known.

    Args:
        person: who.
        messages: the message ids of their rows, as ``forget.message_ids`` gives them.
        rules: of identity.
    """

    person: Person
    messages: frozenset[str]
    rules: IdentityRules


def without(calls: Sequence[Call], traces: Traces) -> Sequence[Call] | None:
    """Calls without those of a person; what others' calls say of them is taken out.

    Returns:
        The same sequence where nothing is to be removed; None where nothing is left.
    """
    normaliser = Normaliser(traces.rules)
    cleaned = [_cleaned(call, traces, normaliser) for call in calls]
    if all(new is old for new, old in zip(cleaned, calls, strict=True)):
        return calls
    return [call for call in cleaned if call is not None] or None


def _cleaned(call: Call, traces: Traces, normaliser: Normaliser) -> Call | None:
    person = traces.person
    said = {kind for kind, value in call.identifiers.items() if _is_theirs(kind, value, person, normaliser)}
    others = USER_ID in call.identifiers and USER_ID not in said
    if call.message_id in traces.messages or PREVIOUS_ID in said or (said and not others):
        return None
    identifiers = {kind: value for kind, value in call.identifiers.items() if kind not in said} if said else None
    properties, traits = _unsaid(call.properties, person), _unsaid(call.traits, person)
    if identifiers is None and properties is call.properties and traits is call.traits:
        return call
    return replace(call, identifiers=identifiers or call.identifiers, properties=properties, traits=traits)


def _is_theirs(kind: str, value: str, person: Person, normaliser: Normaliser) -> bool:
    if kind in (USER_ID, PREVIOUS_ID) and value.strip() in person.ids:
        return True
    form = form_of(USER_ID if kind == PREVIOUS_ID else kind, value, normaliser)
    return (kind, form) in person.values or (kind == PREVIOUS_ID and any(form == v for _, v in person.values))


def _unsaid(values: dict[str, Any] | None, person: Person) -> dict[str, Any] | None:
    """Properties or traits without the values that are an identifier of the person; the same dict where none is."""
    if values is None or not _says(values, person):
        return values
    return {name: _left(value, person) for name, value in values.items() if not _is_word(value, person)}


def _left(value: Any, person: Person) -> Any:
    if isinstance(value, dict):
        return {name: _left(inner, person) for name, inner in value.items() if not _is_word(inner, person)}
    if isinstance(value, list):
        return [_left(inner, person) for inner in value if not _is_word(inner, person)]
    return value


def _says(value: Any, person: Person) -> bool:
    if isinstance(value, dict):
        return any(_says(inner, person) for inner in value.values())
    if isinstance(value, list):
        return any(_says(inner, person) for inner in value)
    return _is_word(value, person)


def _is_word(value: Any, person: Person) -> bool:
    return isinstance(value, str) and value.strip().casefold() in person.texts


def without_in_command(what: str, body: Mapping[str, Any], traces: Traces) -> Mapping[str, Any] | None:
    """The body of a command without a person.

    Args:
        what: the command.
        body: its particulars; ``customers`` is a list of ids, ``rows`` has what belongs to each of them.
        traces: of the person.

    Returns:
        The same body where it doesn't name them; None where nothing is left of the command.
    """
    ids = set(traces.person.ids)
    if what in _KEEP:
        return body
    listed = body.get("customers")
    rest = [value for name, value in body.items() if name not in ("customers", "rows")]
    if any(isinstance(value, str) and (value in ids or _is_word(value, traces.person)) for value in rest):
        return None
    if isinstance(listed, list) and ids.intersection(listed):
        kept = [place for place, one in enumerate(listed) if one not in ids]
        left = {name: [body[name][place] for place in kept] for name in ("customers", "rows") if name in body}
        return {**body, **left} if kept else None
    return body
