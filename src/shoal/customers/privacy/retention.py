"""How long events are kept: rules by event type, and the removal of what is older."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.clock import DAY, HOUR, WEEK
from shoal.customers.corrections import recompute_first_ts
from shoal.customers.privacy.forget import COMPACT_DUE
from shoal.errors import ConfigError, did_you_mean, nearest
from shoal.sql.layout import set_meta
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.sql.store import Store

DEFAULT, NONE = "default", "none"
_UNITS = {"hour": HOUR, "day": DAY, "week": WEEK}
_SPAN = re.compile(r"(\d+)\s*([A-Za-z]+)")
_MOST = 400 * 366 * DAY


@dataclass(frozen=True, slots=True)
class Retention:
    """How long events are kept, in microseconds; None is for ever.

    Args:
        events: by the event's name.
        default: of all other events.
    """

    events: Mapping[str, int | None] = field(default_factory=dict)
    default: int | None = None

    def __bool__(self) -> bool:
        return self.default is not None or any(span is not None for span in self.events.values())

    def of(self, event: str) -> int | None:
        """How long an event is kept."""
        return self.events.get(event, self.default)

    def unknown(self, known: Mapping[str, object]) -> list[str]:
        """A sentence for each rule that no event is called after: it keeps nothing from growing old."""
        found = []
        for name in self.events:
            if name not in known:
                near = did_you_mean(nearest(name, known))
                found.append(f'retention: no event is called "{name}" as yet.{f" {near}" if near else ""}')
        return found


def retention_from(value: object, place: str = "retention") -> Retention:
    """Read the section ``retention:``.

    Args:
        value: what stands there: the span of each event, as ``400 days``, or ``none``; ``default`` is of all others.
        place: the path of the section, which errors begin with.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    if not isinstance(value, dict):
        raise ConfigError(
            "Expected a span for each event.",
            place=place,
            fix='Write them below, a line each, as "Page Viewed": 400 days',
        )
    spans = {str(name): _span(said, f"{place}.{name}") for name, said in value.items()}
    default = spans.pop(DEFAULT, None)
    return Retention(spans, default)


def _span(said: object, place: str) -> int | None:
    if said is None or said == NONE:
        return None
    found = _SPAN.fullmatch(said.strip()) if isinstance(said, str) else None
    if found is None:
        fix = (
            f"Write {said} days."
            if isinstance(said, int) and not isinstance(said, bool)
            else "Write 400 days, or none."
        )
        raise ConfigError(f"{said!r} is no span of time.", place=place, fix=fix)
    many, word = int(found[1]), found[2].lower()
    unit = _UNITS.get(word.removesuffix("s"))
    if unit is None:
        advice = {"month": 31, "year": 366}.get(word.removesuffix("s"))
        fix = f"Write {many * advice} days." if advice else "Use hours, days or weeks."
        raise ConfigError(
            f"{said!r} isn't in hours, days or weeks, which are always of one length.", place=place, fix=fix
        )
    if not 0 < many * unit <= _MOST:
        raise ConfigError(f"{said!r} is out of range.", place=place, fix="Write 1 hour to 400 years of days, or none.")
    return many * unit


def expire(store: Store, rules: Retention, now: int, *, dry_run: bool = False) -> dict[str, int]:
    """Remove the events that are older than their span; one that is exactly as old stays.

    Args:
        store: the workspace's store.
        rules: how long.
        now: the workspace's instant.
        dry_run: only count.

    Returns:
        How many rows are gone, or would be, by the event's name; events without any are left out.
    """
    found: dict[str, int] = {}
    registry = Registry.load(store)
    with store.transaction():
        store.execute("CREATE OR REPLACE TEMP TABLE expired (customer INTEGER)")
        for event in registry.events.values():
            span = rules.of(event.name)
            if span is None:
                continue
            old = f"{event.table} WHERE ts < {now - span}"
            ((many,),) = store.rows(f"SELECT count(*) FROM {old}")
            if many:
                found[event.name] = int(many)
            if many and not dry_run:
                store.execute(f"INSERT INTO temp.expired SELECT DISTINCT customer FROM {old}")
                store.execute(f"DELETE FROM {old}")
        if found and not dry_run:
            recompute_first_ts(store, "temp.expired")
            set_meta(store, COMPACT_DUE, "1")
        store.execute("DROP TABLE temp.expired")
    return found
