"""The layout: its calendar is the zone's, older stores come up, newer ones are refused, frozen ones still open."""

from __future__ import annotations

import gzip
import json
import random
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shoal.errors import StoreError
from shoal.lang import calendar
from shoal.lang.schema import Kind, PropertyType
from shoal.sql.duck import DuckStore, create_store, open_store
from shoal.sql.layout import FIRST_DAY, LAST_DAY, MIGRATIONS, check_layout, layout_of, meta, migrate, set_meta, zone_of
from shoal.sql.registry import learned_schema
from shoal.sql.tables import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.sql.store import Store

FROZEN = Path(__file__).parents[1] / "frozen"
ENGINES = ("1.5", "2.0")
"""The versions of DuckDB that wrote the frozen examples."""
INSTALLED = ".".join(version("duckdb").split(".")[:2])

ODD = ["Pacific/Apia", "Africa/Monrovia", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]
"""Zones that skipped a date, lacked a midnight, or had offsets of odd seconds."""


@pytest.mark.parametrize("zone", ODD)
def test_the_calendar_holds_the_first_instant_of_each_date(zone: str) -> None:
    """Breaks if the sweep over transitions differs from the zone's own answer on any date near a transition."""
    rules = calendar.zone(zone)
    with create_store(":memory:", zone=zone, now=0, threads=1) as store:
        starts = dict(store.rows("SELECT day, starts FROM calendar"))
    assert (min(starts), max(starts), len(starts)) == (FIRST_DAY, LAST_DAY, LAST_DAY - FIRST_DAY + 1)
    turns = rules.transitions(FIRST_DAY * 86_400_000_000, 30_000 * 86_400_000_000)
    near = {rules.day(at) + shift for at, _ in turns for shift in (-1, 0, 1)}
    days = [day for day in near if day in starts] + random.Random(1).sample(sorted(starts), 500)
    assert {day: starts[day] for day in days} == {day: rules.starts(day) for day in days}


def test_a_new_store_says_what_it_is(path: Path) -> None:
    """Breaks if the store doesn't record its zone, layout or rules."""
    with open_store(path) as store:
        assert meta(store) == {
            "layout": str(LAYOUT),
            "zone": "Europe/London",
            "tzdata": calendar.tzdata_version(),
            "created": "0",
            "clock_offset": "0",
            "api_line": "0",
            "log_position": "0",
        }
        assert zone_of(store) is calendar.zone("Europe/London")


def test_a_store_of_a_newer_release_is_refused(path: Path) -> None:
    """Breaks if an old release writes into a layout that it doesn't know."""
    with DuckStore.open(path) as store:
        set_meta(store, "layout", str(LAYOUT + 1))
    for read_only in (False, True):
        with pytest.raises(StoreError, match="newer release") as caught:
            open_store(path, read_only=read_only)
        assert "Upgrade" in str(caught.value)


def test_an_older_store_comes_up_step_by_step(store: DuckStore) -> None:
    """Breaks if a step is left out, or steps run in another order."""
    steps: dict[int, Callable[[Store], None]] = {
        LAYOUT: lambda s: s.execute("ALTER TABLE lists ADD COLUMN colour VARCHAR"),
        LAYOUT + 1: lambda s: s.execute("UPDATE lists SET colour = 'blue'"),
    }
    store.execute("INSERT INTO lists VALUES ('vip', 0)")
    assert migrate(store, steps, target=LAYOUT + 2) == [LAYOUT + 1, LAYOUT + 2]
    assert layout_of(store) == LAYOUT + 2
    assert store.rows("SELECT colour FROM lists") == [("blue",)]
    assert migrate(store, steps, target=LAYOUT + 2) == []


def test_a_step_that_fails_leaves_the_store_as_it_was(store: DuckStore) -> None:
    """Breaks if half a migration stays."""

    def fails(s: Store) -> None:
        s.execute("ALTER TABLE lists ADD COLUMN colour VARCHAR")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        migrate(store, {LAYOUT: fails}, target=LAYOUT + 1)
    assert layout_of(store) == LAYOUT
    with pytest.raises(StoreError, match="colour"):
        store.rows("SELECT colour FROM lists")


def test_a_gap_in_the_steps_is_an_error(store: DuckStore) -> None:
    """Breaks if a store without a way up is treated as new."""
    with pytest.raises(StoreError, match=f"from layout {LAYOUT} to {LAYOUT + 1}"):
        migrate(store, {}, target=LAYOUT + 1)
    set_meta(store, "layout", str(LAYOUT - 1))
    with pytest.raises(StoreError, match="works with layout"):
        check_layout(store)


def test_this_release_can_bring_up_every_layout() -> None:
    """Breaks if the layout's number is raised without a migration and a frozen example of each engine."""
    assert sorted(MIGRATIONS) == list(range(1, LAYOUT))
    layouts = range(1, LAYOUT + 1)
    assert {file.name for file in FROZEN.glob("*.gz")} == {name(n, engine) for n in layouts for engine in ENGINES}


def name(layout: int, engine: str) -> str:
    """The frozen example of a layout that an engine wrote."""
    return f"layout_{layout}.duckdb-{engine}.gz"


def test_new_rules_of_time_zones_renew_the_calendar(path: Path) -> None:
    """Breaks if a store keeps local dates of outdated rules."""
    with DuckStore.open(path) as store:
        set_meta(store, "tzdata", "1999.1")
        store.execute("UPDATE calendar SET starts = starts + 1")
    with open_store(path) as store:
        assert meta(store)["tzdata"] == calendar.tzdata_version()
        day = 18_000
        assert store.rows("SELECT starts FROM calendar WHERE day = ?", [day]) == [(zone_of(store).starts(day),)]


def thawed(layout: int, engine: str, folder: Path) -> Path:
    """A frozen example, ready to be opened."""
    packed = FROZEN / name(layout, engine)
    assert packed.stat().st_size < 300_000
    place = folder / "old.duckdb"
    place.write_bytes(gzip.decompress(packed.read_bytes()))
    return place


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layout", range(1, LAYOUT + 1))
def test_a_frozen_store_of_each_layout_opens_and_holds_its_data(layout: int, engine: str, tmp_path: Path) -> None:
    """Breaks if this release can't read what an earlier one or an older engine wrote, or loses any of it.

    A file of an engine newer than the installed one can't be read, and the error says so.
    """
    place = thawed(layout, engine, tmp_path)
    if version_of(engine) > version_of(INSTALLED):
        with pytest.raises(StoreError, match=r"another version of the database engine.*pip install --upgrade duckdb"):
            open_store(place)
        return
    with open_store(place) as store:
        assert layout_of(store) == LAYOUT
        traits, events = learned_schema(store)
        assert traits == {"plan": Kind.TEXT, "age": Kind.NUMBER, "account_id": Kind.TEXT, "account.industry": Kind.TEXT}
        assert events["Order Completed"]["products"] == PropertyType(
            Kind.OBJECTS, {"sku": Kind.TEXT, "price": Kind.NUMBER}
        )
        for held in json.loads((FROZEN / f"layout_{layout}.json").read_text()).values():
            assert [list(row) for row in store.rows(held["query"])] == held["rows"], held["query"]


def version_of(engine: str) -> tuple[int, ...]:
    """The version as numbers that compare."""
    return tuple(map(int, engine.split(".")))


def test_the_frozen_example_has_the_tables_that_this_release_makes(tmp_path: Path, store: DuckStore) -> None:
    """Breaks if the tables change while the layout's number stays; before the release, run make_layout.py again."""
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
        "WHERE table_schema = 'main' AND NOT regexp_matches(table_name, '^(event|trait)_[0-9]+$') ORDER BY ALL"
    )
    readable = [engine for engine in ENGINES if version_of(engine) <= version_of(INSTALLED)]
    for engine in readable:
        with open_store(thawed(LAYOUT, engine, tmp_path)) as old:
            assert old.rows(columns) == store.rows(columns)
