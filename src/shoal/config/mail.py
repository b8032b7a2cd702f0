"""``mail:`` in ``shoal.yaml``: the mail server that takes what Shoal sends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shoal.config.server import port_of
from shoal.destinations.mail import PER_SECOND, PORTS, SECURITIES, MailSettings, address_of
from shoal.errors import MailRefused
from shoal.sources.section import Section

if TYPE_CHECKING:
    from pathlib import Path

_KNOWN = {"host", "port", "security", "user", "password", "from", "reply_to", "per_second", "ca"}
_VARIABLE = re.compile(r"\$\{\w+\}")


def mail_from(value: object, root: Path, place: str = "mail") -> MailSettings:
    """Read the section ``mail:``.

    Args:
        value: what stands there.
        root: the workspace's folder; the path ``ca`` is relative to it.
        place: the path of the section, which errors begin with.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    section = Section.of(value, place, _KNOWN)
    security = section.choice("security", SECURITIES, "starttls")
    user, password, ca = section.text("user"), _password(section), section.text("ca")
    if (user is None) != (password is None):
        section.fail("", "`user` and `password` go together.", "Write both, or neither.")
    if user and security == "none":
        section.fail("security", "A password would cross the net for all to read.", "Use starttls or tls.")
    answers = section.text("reply_to")
    return MailSettings(
        host=section.needed("host", "Name the mail server, as host: smtp.shop.example."),
        sender=_address(
            section, "from", section.needed("from", 'Name who writes, as from: "Shop <hello@shop.example>".')
        ),
        port=port_of(section, PORTS[security]),
        security=security,
        user=user,
        password=password,
        reply_to=None if answers is None else _address(section, "reply_to", answers),
        per_second=section.whole("per_second") or PER_SECOND,
        ca=None if ca is None else root / ca,
    )


def _password(section: Section) -> str | None:
    password = section.text("password")
    if password is not None and not _VARIABLE.fullmatch(password):
        # Its text isn't told: it may be the password.
        section.fail(
            "password", "A password doesn't belong in this file.", "Write password: ${SMTP_PASSWORD}, and set that."
        )
    return password


def _address(section: Section, key: str, text: str) -> str:
    try:
        address_of(text)
    except MailRefused as error:
        section.fail(key, error.problem, error.fix)
    return text
