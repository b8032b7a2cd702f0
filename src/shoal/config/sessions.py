"""``sessions:`` in ``shoal.yaml``: what makes a session, and an engaged one."""

from __future__ import annotations

import re

from shoal.clock import DAY, HOUR, MINUTE, SECOND
from shoal.shapes import SessionRule
from shoal.sources.section import Section

_LENGTH = re.compile(r"(\d{1,6}) (second|minute|hour)s?")
_UNITS = {"second": SECOND, "minute": MINUTE, "hour": HOUR}
_TIME = ("seconds", "milliseconds")


def sessions_from(value: object, place: str = "sessions") -> SessionRule:
    """Read the section ``sessions:``.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    section = Section.of(value, place, {"events", "pages", "page", "gap", "engaged", "foreground"})
    usual = SessionRule()
    engaged = _inner(section, "engaged", {"seconds", "page_views", "key_events"})
    time = _inner(section, "foreground", {"property", "unit"})
    measured = ""
    if section.has("foreground"):
        measured = time.needed("property", "Name the property that measures it, as property: engagement_time_msec.")
    return SessionRule(
        events=section.texts("events") or (),
        pages=section.texts("pages") or (),
        page=section.text("page") or "",
        gap=_length(section, "gap") or usual.gap,
        seconds=engaged.whole("seconds") or usual.seconds,
        page_views=engaged.whole("page_views") or usual.page_views,
        key_events=engaged.texts("key_events") or (),
        foreground=measured,
        milliseconds=time.choice("unit", _TIME, "seconds") == "milliseconds",
    )


def _inner(section: Section, key: str, known: set[str]) -> Section:
    given = section.values.get(key)
    return Section.of({} if given is None else given, section.at(key), known)


def _length(section: Section, key: str) -> int | None:
    said = section.text(key)
    if said is None:
        return None
    match = _LENGTH.fullmatch(said.strip())
    length = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < length <= DAY:
        section.fail(key, f"{said!r} is not a time from 1 second to 24 hours.", "Write it as 30 minutes.")
    return length
