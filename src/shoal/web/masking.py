"""Personal data is shown to those alone whose role needs to see it: the server leaves it out of the page, no style hides it.

Personal is what tells who somebody is or how to reach them: e-mail, telephone, names, addresses, birthdays, and whatever
looks like an e-mail address or a telephone number, wherever it stands. What somebody bought, and the city they live in, is
what segments are made of, and stays.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from shoal.insight.texts.words import redacted
from shoal.workspace.logs import masked as without_addresses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.workspace.people import Person

HIDDEN = "•••••"
_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_REACH = frozenset({
    "email", "mail", "phone", "telephone", "tel", "mobile", "cellphone", "msisdn", "fax", "whatsapp", "telegram", "twitter",
    "instagram", "facebook", "linkedin", "skype",
})  # fmt: skip
_WHO = frozenset({
    "address", "street", "postcode", "postal", "zip", "zipcode", "birthday", "birthdate", "birth", "dob", "born", "surname",
    "firstname", "lastname", "fullname", "nickname", "forename", "username", "passport", "ssn", "iban", "ip", "latitude",
    "longitude", "salutation", "signature",
})  # fmt: skip
_OF_NAMES = frozenset({"first", "last", "full", "given", "family", "middle", "maiden", "sur", "fore", "nick", "display",
                       "customer", "contact", "user", "legal"})  # fmt: skip
_NUMBERS = frozenset({
    "phone", "telephone", "tel", "mobile", "cellphone", "msisdn", "fax", "postcode", "postal", "zip", "zipcode", "ssn",
    "latitude", "longitude", "whatsapp",
})  # fmt: skip
"""Of names with these words a number is personal too; of others it counts something, as ``emails_sent`` does."""
_LONG = 60
"""Letters from which on a text is prose, of which only what is personal is blacked out."""


def masked(value: object) -> str:
    """What stands in the place of a value that isn't shown.

    >>> masked("ann@shop.example"), masked(None)
    ('•••••', '–')
    """
    return "–" if value is None else HIDDEN


def _words(name: str) -> list[str]:
    return [piece.lower() for piece in _PIECES.findall(name)]


def is_personal(name: str, value: object = "") -> bool:
    """Whether a trait, property or kind of identifier of this name holds what tells who somebody is.

    Args:
        name: as the data has it.
        value: one of its values: whether something is so, or how often, is never personal.

    >>> [
    ...     is_personal(name)
    ...     for name in ("E-Mail", "firstName", "name", "billing_address", "Date of birth", "phone_number")
    ... ]
    [True, True, True, True, True, True]
    >>> [is_personal(name) for name in ("plan", "product_name", "city", "address_changes_allowed", "membership")]
    [False, False, False, True, False]
    >>> is_personal("email_verified", True), is_personal("emails_sent", 12), is_personal("phone", 447400123456)
    (False, False, True)
    """
    if isinstance(value, bool):
        return False
    words = _words(name)
    joined = "".join(words)
    singular = {joined, *words, *(word.removesuffix("s") for word in words)}
    if not isinstance(value, str | date | datetime | list | tuple | dict) and value is not None:
        return not _NUMBERS.isdisjoint(singular)
    named = joined == "name" or ("name" in words and not _OF_NAMES.isdisjoint(words))
    return named or not singular.isdisjoint(_REACH | _WHO)


def looks_personal(text: str) -> bool:
    """Whether a text holds an e-mail address or a telephone number.

    >>> looks_personal("ann@shop.example"), looks_personal("+44 7400 123456"), looks_personal("C-1042")
    (True, True, False)
    """
    return without_addresses(text) != text


def shown(person: Person, name: str, value: Any) -> Any:
    """A value of a trait or property, for somebody to see.

    Args:
        person: who looks.
        name: of the trait, property or kind of identifier.
        value: as it is.
    """
    if person.sees_personal or value is None:
        return value
    if is_personal(name, value):
        return HIDDEN
    if isinstance(value, str):
        return redacted(value) if len(value) > _LONG else HIDDEN if looks_personal(value) else value
    if isinstance(value, dict):
        return {key: shown(person, str(key), one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [shown(person, name, one) for one in value]
    return value


def shown_all(person: Person, values: Mapping[str, Any]) -> dict[str, Any]:
    """Traits or properties by name, for somebody to see."""
    return {name: shown(person, name, value) for name, value in values.items()}


def shown_id(person: Person, customer: str) -> str:
    """The id of a customer, for somebody to see: some shops use the e-mail address as one."""
    return HIDDEN if not person.sees_personal and looks_personal(customer) else customer


def shown_text(person: Person, text: str) -> str:
    """What a customer wrote, for somebody to read: addresses, links and long numbers are blacked out."""
    return text if person.sees_personal else redacted(text)
