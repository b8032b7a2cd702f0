"""Slugs: the immutable names of segments, which are also the names of their files."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from shoal.errors import DefinitionError

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def slug_of(name: str) -> str:
    """A slug made of a display name; a name without a single Latin letter or digit gets one made of its hash.

    >>> slug_of("Lapsed VIPs (über 500 €)")
    'lapsed-vips-uber-500'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].rstrip("-")
    return words or "segment-" + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]


def hold_slug(slug: str, place: str | None = None) -> None:
    """Refuse what isn't a slug.

    Raises:
        DefinitionError: with a slug near to it.
    """
    if not _SLUG.fullmatch(slug):
        raise DefinitionError(
            f"{slug!r} can't be the name of a segment's file.",
            place=place,
            fix=f"Use small letters, digits and hyphens, 64 at most, as {slug_of(slug)}.",
        )
