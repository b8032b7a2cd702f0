"""The layout of the store: making it, checking its version, bringing an older one up."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from shoal.clock import DAY, SECOND, from_instant
from shoal.errors import StoreError
from shoal.lang import calendar
from shoal.sql.tables import CREATE, LAYOUT, SINCE_LAYOUT_2, SINCE_LAYOUT_3

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import numpy.typing as npt

    from shoal.lang.calendar import Zone
    from shoal.sql.store import Store

_EPOCH = date(1970, 1, 1)
FIRST_DAY = (date(1800, 1, 1) - _EPOCH).days
LAST_DAY = (date(2200, 12, 31) - _EPOCH).days
"""The dates of the table ``calendar``; an event stamped outside them can't be stored."""


def _to_layout_2(store: Store) -> None:
    """Identifiers, and the tables of a running server."""
    for statement in SINCE_LAYOUT_2:
        store.execute(statement)
    set_meta(store, "log_position", "0")


def _to_layout_3(store: Store) -> None:
    """Who works with the workspace, and what they change."""
    for statement in SINCE_LAYOUT_3:
        store.execute(statement)


MIGRATIONS: dict[int, Callable[[Store], None]] = {1: _to_layout_2, 2: _to_layout_3}
"""What brings a store of layout n (the key) to n + 1."""


def create(store: Store, *, zone: str, now: int) -> None:
    """Make the tables of an empty database.

    Args:
        store: an empty database.
        zone: the IANA name of the workspace's time zone; it can't change later.
        now: the instant of creation, microseconds.

    Raises:
        ConfigError: there is no such time zone.
    """
    rules = calendar.zone(zone)
    with store.transaction():
        for statement in CREATE:
            store.execute(statement)
        _fill_calendar(store, rules)
        said = {
            "layout": str(LAYOUT),
            "zone": zone,
            "tzdata": calendar.tzdata_version(),
            "created": str(now),
            "clock_offset": "0",
            "api_line": "0",
            "log_position": "0",
        }
        marks = ", ".join(["(?, ?)"] * len(said))
        store.execute(f"INSERT INTO meta VALUES {marks}", [part for pair in said.items() for part in pair])


def meta(store: Store) -> dict[str, str]:
    """What the store says of itself: layout, zone, tzdata, created, clock_offset …"""
    return dict(store.rows("SELECT key, value FROM meta"))


def set_meta(store: Store, key: str, value: str) -> None:
    """Record one thing about the store."""
    store.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [key, value])


FOREIGN = "This database is no Shoal store."


def zone_of(store: Store) -> Zone:
    """The workspace's time zone."""
    return calendar.zone(meta(store)["zone"])


def layout_of(store: Store) -> int:
    """The layout's version.

    Raises:
        StoreError: the database holds no Shoal store.
    """
    there = store.rows("SELECT 1 FROM information_schema.tables WHERE table_schema = 'main' AND table_name = 'meta'")
    version = meta(store).get("layout") if there else None
    if version is None or not version.isdecimal():
        raise StoreError(FOREIGN, place=_place(store), fix="Check the path to the store.")
    return int(version)


def check_layout(store: Store) -> None:
    """Refuse a store whose layout isn't this release's.

    Raises:
        StoreError: it is older (and not migrated), newer, or no store at all.
    """
    version = layout_of(store)
    if version > LAYOUT:
        raise StoreError(
            f"The store has layout {version}, made by a newer release of Shoal; this one knows layouts up to {LAYOUT}.",
            place=_place(store),
            fix="Upgrade Shoal, or restore a backup made by this release.",
        )
    if version < LAYOUT:
        raise StoreError(
            f"The store has layout {version}, and this release works with layout {LAYOUT}.",
            place=_place(store),
            fix="Open it once for writing; that brings it up.",
        )


def migrate(
    store: Store, steps: Mapping[int, Callable[[Store], None]] | None = None, *, target: int = LAYOUT
) -> list[int]:
    """Bring an older store up to ``target``, each step in a transaction of its own, and refresh stale zone rules.

    Args:
        store: the store, open for writing.
        steps: what brings layout n to n + 1; None for this release's.
        target: the layout to reach.

    Returns:
        The layouts that were reached, in order; empty where there was nothing to do.

    Raises:
        StoreError: the store is of a newer release, or no step leads on from its layout.
    """
    steps = MIGRATIONS if steps is None else steps
    reached: list[int] = []
    for version in range(layout_of(store), target):
        if version not in steps:
            raise StoreError(
                f"No step leads from layout {version} to {version + 1}.",
                place=_place(store),
                fix="Open the store with an earlier release of Shoal first.",
            )
        with store.transaction():
            steps[version](store)
            set_meta(store, "layout", str(version + 1))
        reached.append(version + 1)
    if target == LAYOUT:
        check_layout(store)
        _refresh_zone_rules(store)
    return reached


def _refresh_zone_rules(store: Store) -> None:
    """Compute the calendar again where the store was made with other rules of time zones than are installed."""
    known = meta(store)
    if known.get("tzdata") == calendar.tzdata_version():
        return
    with store.transaction():
        store.execute("DELETE FROM calendar")
        _fill_calendar(store, calendar.zone(known["zone"]))
        set_meta(store, "tzdata", calendar.tzdata_version())


def _fill_calendar(store: Store, zone: Zone) -> None:
    import pyarrow as pa

    days, starts = _calendar(zone)
    store.register("calendar_rows", pa.table({"day": days, "starts": starts}))
    store.execute("INSERT INTO calendar SELECT day, starts FROM calendar_rows")
    store.unregister("calendar_rows")


@lru_cache(maxsize=16)
def _calendar(zone: Zone) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """All dates and their first instants; as ``zone.starts``, in one sweep over the zone's transitions."""
    import numpy as np

    days = np.arange(FIRST_DAY, LAST_DAY + 1, dtype=np.int64)
    midnights = days * DAY
    turns = _transitions(zone, int(midnights[0]) - DAY, len(days) + 2)
    at = np.array([turn for turn, _ in turns], dtype=np.int64)
    offsets = np.array([seconds for _, seconds in turns], dtype=np.int64)
    before = offsets[np.searchsorted(at, midnights - DAY, side="right") - 1]
    after = offsets[np.searchsorted(at, midnights + DAY, side="right") - 1]
    starts = midnights - before * SECOND
    for i in np.flatnonzero(before != after):
        starts[i] = zone.starts(int(days[i]))
    return days.astype(np.int32), starts


def _transitions(zone: Zone, low: int, days: int) -> list[tuple[int, int]]:
    """As ``zone.transitions``, for centuries: a lean look at each day, and an exact one only where the offset moved."""
    found = [(low, zone.offset(low))]
    moment, step = from_instant(low), timedelta(days=1)
    before = moment.astimezone(zone.rules).utcoffset()
    for day in range(1, days + 1):
        moment += step
        after = moment.astimezone(zone.rules).utcoffset()
        if after != before:
            found += zone.transitions(low + (day - 1) * DAY, low + day * DAY)[1:]
            before = after
    return found


def _place(store: Store) -> str | None:
    return getattr(store, "place", None)
