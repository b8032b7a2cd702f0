"""Cross-origin requests: which pages may send, and what a browser is told of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers: TypeAlias = list[tuple[bytes, bytes]]

_USUAL = b"authorization, content-type, content-encoding, x-retry-count, anonymousid"
_ASKED = re.compile(rb"[A-Za-z0-9, _-]{1,500}")
_VARY = (b"vary", b"origin")
_FIXED: Headers = [
    # Without it a page can't read when to come again after a 429.
    (b"access-control-expose-headers", b"retry-after"),
    # navigator.sendBeacon always sends with credentials. None are read here.
    (b"access-control-allow-credentials", b"true"),
    _VARY,
]


class Origins:
    """The web origins that may send; ``*`` is any."""

    def __init__(self, origins: Iterable[str]) -> None:
        names = {origin.rstrip("/").lower().encode() for origin in origins}
        self._any = b"*" in names
        self._names = names

    def allow(self, origin: bytes) -> bool:
        """Whether a request may come from this origin; one without is no page's."""
        return not origin or self._any or origin.lower() in self._names

    @staticmethod
    def headers(origin: bytes) -> Headers:
        """What an answer says to a page."""
        return [(b"access-control-allow-origin", origin), *_FIXED] if origin else [_VARY]

    def preflight(self, origin: bytes, asked: bytes) -> Headers:
        """The answer to a browser that asks before it sends.

        Args:
            origin: of the page.
            asked: the headers that it wants to send.
        """
        if not (origin and self.allow(origin)):
            return [_VARY]
        return [
            *self.headers(origin),
            (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
            (b"access-control-allow-headers", asked if _ASKED.fullmatch(asked) else _USUAL),
            (b"access-control-max-age", b"7200"),
        ]
