"""Identifiers in the one form that they are compared in; what identifies nobody is refused with a reason.

Normalising is idempotent: a value in its form stays as it is. ``graph`` relies on that, to find a known value at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import is_normalized, normalize

from shoal.customers.identity.rules import EMAIL, EVERY_KIND, PHONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shoal.customers.identity.rules import IdentityRules

LONGEST = 256
"""The most characters that an identifier may have; longer ones are tokens or texts in the wrong place."""

_TOO_LONG = f"it is longer than {LONGEST} characters"

PLACEHOLDERS = frozenset({
    "null", "(null)", "undefined", "none", "unknown", "nil", "nan", "n/a", "na", "0", "-", "anonymous", "guest", "true", "false",
    "[object object]", "00000000-0000-0000-0000-000000000000",
})  # fmt: skip
"""What programs write where they know nothing; compared without regard to letter case."""

EMAIL_BLOCKED = ("test@*", "noreply@*", "no-reply@*", "donotreply@*", "do-not-reply@*")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DOMAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z0-9-]*[a-z0-9]")


class Refused(NamedTuple):
    """Why a value identifies nobody."""

    because: str


class Normaliser:
    """Brings values to their form under a workspace's rules."""

    def __init__(self, rules: IdentityRules) -> None:
        self._region = rules.region
        self._any = rules.blocked.get(EVERY_KIND, ())
        self._blocked = {kind: _matcher((*patterns, *self._any)) for kind, patterns in rules.blocked.items()}
        self._blocked[EMAIL] = _matcher((*EMAIL_BLOCKED, *rules.blocked.get(EMAIL, ()), *self._any))
        self._otherwise = _matcher(self._any)

    def read(self, kind: str, value: object) -> str | Refused:
        """The form of a value, or why it is refused.

        Args:
            kind: as ``email``.
            value: as it came; a whole number is taken as its digits.
        """
        text = _text(value)
        if isinstance(text, Refused):
            return text
        if text.casefold() in PLACEHOLDERS:
            return Refused("it stands for an unknown value")
        form: str | Refused = text
        if kind == EMAIL:
            form = email(text)
        elif kind == PHONE:
            form = phone(text, self._region)
        return form if isinstance(form, Refused) else self._allowed(kind, form)

    def _allowed(self, kind: str, form: str) -> str | Refused:
        matches = self._blocked.get(kind, self._otherwise)
        if matches is not None and matches(_folded(form)):
            return Refused("it is blocked by the rules")
        return form if len(form) <= LONGEST else Refused(_TOO_LONG)


def _text(value: object) -> str | Refused:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return Refused("it is empty" if value is None else "it is not a text")
    if len(value) > 4 * LONGEST:
        return Refused(_TOO_LONG)
    text = value.strip()
    text = text if is_normalized("NFC", text) else normalize("NFC", text)
    if not text:
        return Refused("it is empty")
    if len(text) > LONGEST:
        return Refused(_TOO_LONG)
    return Refused("it holds control signs or is not valid Unicode") if _CONTROL.search(text) else text


def email(text: str) -> str | Refused:
    """An address with its name case-folded and its domain in lower-case ASCII. Dots and ``+tags`` count."""
    name, sign, domain = text.rpartition("@")
    if not sign or not name or len(text.split()) != 1:
        return Refused("it is not an e-mail address")
    domain = domain.rstrip(".").lower()
    if not domain.isascii():
        import idna

        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            return Refused("its domain can't exist")
    if not _DOMAIN.fullmatch(domain):
        return Refused("it is not an e-mail address")
    return f"{_folded(name)}@{domain}"


def _folded(text: str) -> str:
    # Composing may make a letter that folds again, so this goes on until nothing moves.
    while (form := normalize("NFC", text.casefold())) != text:
        text = form
    return text


def phone(text: str, region: str | None) -> str | Refused:
    """A number in E.164, as ``+447400123456``.

    Args:
        text: as people write it.
        region: the country of numbers without a country code; None refuses those.
    """
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        lacks = region is None and not text.startswith("+")
        return Refused("it has no country code and no region is set" if lacks else "it is not a phone number")
    if number.extension:
        return Refused("it has an extension, so others may be reached at it too")
    if not phonenumbers.is_valid_number(number):
        return Refused("it is not a phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _matcher(patterns: Iterable[str]) -> Callable[[str], object] | None:
    """A test of case-folded values against patterns in which ``*`` stands for anything."""
    parts = [".*".join(map(re.escape, re.split(r"\*+", _folded(p.strip())))) for p in patterns]
    return re.compile("|".join(parts), re.DOTALL).fullmatch if parts else None
