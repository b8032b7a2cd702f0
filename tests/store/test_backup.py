"""Backup and restore: a copy equals the store, nothing half done stands in its place, and old logs aren't replayed."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from shoal.customers.writer import write_records
from shoal.errors import StoreError, StoreLocked
from shoal.shapes import Event, TraitChange
from shoal.sql.backup import backup, restore
from shoal.sql.duck import DuckStore, open_store
from shoal.sql.layout import set_meta
from shoal.sql.tables import LAYOUT
from shoal.sql.views import create_views

if TYPE_CHECKING:
    from pathlib import Path

ZONE = "Europe/London"


def fill(store: DuckStore, many: int = 50) -> None:
    """Some customers with events and traits."""
    events = [Event(f"c{i % 7}", "A", i, {"x": i, "items": [{"k": "v"}]}, f"m{i}") for i in range(many)]
    write_records(store, [*events, TraitChange("c1", "plan", "pro", 1)], zone=ZONE, received=1)


def held(store: DuckStore) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table and view."""
    tables = store.rows("SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL")
    return {name: store.rows(f'SELECT * FROM {schema}."{name}" ORDER BY ALL') for schema, name in tables}


def test_a_backup_opens_and_equals(path: Path, tmp_path: Path) -> None:
    """Breaks if a table, a view, an index or a row is lost on the way."""
    with open_store(path) as store:
        fill(store)
        create_views(store, at=100)
        copy = backup(store, tmp_path / "copy.duckdb")
        expected = held(store)
        write_records(store, [Event("later", "A", 1)], zone=ZONE, received=2)
    assert len(expected["A"]) == 50
    with open_store(copy) as opened:
        assert held(opened) == expected
        with pytest.raises(StoreError, match="Constraint"):
            opened.execute("INSERT INTO customers VALUES (1, 'twice', 0, 0)")
        assert write_records(opened, [Event("c1", "A", 3, {}, "m3")], zone=ZONE, received=2).duplicates == 1
    assert not list(tmp_path.glob("*.partial*"))


def test_a_store_in_memory_can_be_backed_up(store: DuckStore, tmp_path: Path) -> None:
    """Breaks if only files can be copied."""
    fill(store)
    with open_store(backup(store, tmp_path / "copy.duckdb")) as opened:
        assert held(opened) == held(store)


def test_a_backup_replaces_only_when_allowed(store: DuckStore, tmp_path: Path) -> None:
    """Breaks if yesterday's backup is lost by mistake."""
    copy = backup(store, tmp_path / "copy.duckdb")
    with pytest.raises(StoreError, match="already"):
        backup(store, copy)
    fill(store)
    backup(store, copy, replace=True)
    with open_store(copy) as opened:
        assert opened.rows("SELECT count(*) FROM event_1") == [(50,)]


def test_a_backup_sees_one_moment(path: Path, tmp_path: Path) -> None:
    """Breaks if what another thread has not committed gets into the copy."""
    with open_store(path) as store:
        fill(store)
        second = store.cursor()
        with second.transaction():
            second.execute("DELETE FROM event_1")
            copy = backup(store, tmp_path / "copy.duckdb")
        second.close()
    with open_store(copy) as opened:
        assert opened.rows("SELECT count(*) FROM event_1") == [(50,)]


def test_restore_brings_back_what_was_saved(path: Path, tmp_path: Path) -> None:
    """Breaks if the restored store differs, or the one it replaces is thrown away."""
    with open_store(path) as store:
        fill(store)
        copy = backup(store, tmp_path / "copy.duckdb")
        expected = held(store)
        store.execute("DELETE FROM event_1")
    with pytest.raises(StoreError, match="already"):
        restore(copy, path)
    restore(copy, path, replace=True)
    with open_store(path) as store:
        assert held(store) == expected
    with open_store(path.with_name(path.name + ".before")) as before:
        assert before.rows("SELECT count(*) FROM event_1") == [(0,)]


def test_a_log_left_by_a_crash_is_not_replayed_onto_the_backup(path: Path, tmp_path: Path) -> None:
    """Breaks if the old store's log is applied to the restored one."""
    with open_store(path) as store:
        copy = backup(store, tmp_path / "copy.duckdb")
    crash = textwrap.dedent(f"""
        import os
        from shoal.sql.duck import open_store
        store = open_store({str(path)!r})
        store.execute("INSERT INTO lists VALUES ('vip', 0)")
        os._exit(1)
    """)
    subprocess.run([sys.executable, "-c", crash], check=False, timeout=60)
    assert path.with_name(path.name + ".wal").exists()
    path.write_bytes(b"torn")
    restore(copy, path, replace=True)
    with open_store(path) as store:
        assert store.rows("SELECT * FROM lists") == []


def test_a_store_in_use_is_not_replaced(path: Path, tmp_path: Path) -> None:
    """Breaks if a running server loses its file."""
    with open_store(path) as store:
        copy = backup(store, tmp_path / "copy.duckdb")
    holder = textwrap.dedent(f"""
        import sys
        from shoal.sql.duck import open_store
        store = open_store({str(path)!r})
        print("open", flush=True)
        sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(StoreLocked, match=f"process {process.pid}"):
            restore(copy, path, replace=True)
        process.communicate("")


def test_a_broken_or_newer_backup_is_refused_and_the_store_stays(path: Path, tmp_path: Path) -> None:
    """Breaks if a restore finds out too late that the backup can't be used."""
    with open_store(path) as store:
        fill(store, 5000)
        good = backup(store, tmp_path / "good.duckdb")
        newer = backup(store, tmp_path / "newer.duckdb")
    with DuckStore.open(newer) as opened:
        set_meta(opened, "layout", str(LAYOUT + 1))
    damaged = tmp_path / "damaged.duckdb"
    content = bytearray(good.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    damaged.write_bytes(content)
    before = path.read_bytes()
    for bad, reason in ((newer, "newer release"), (damaged, "damaged"), (tmp_path / "none", "no backup")):
        with pytest.raises(StoreError, match=reason) as caught:
            restore(bad, path, replace=True)
        assert caught.value.place == str(bad)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.partial*"))


def test_a_damaged_backup_is_told_as_one_and_not_to_be_mended_by_a_restore(path: Path, tmp_path: Path) -> None:
    """Breaks if the reader, who is just restoring, is told to restore the last backup."""
    with open_store(path) as store:
        good = backup(store, tmp_path / "good.duckdb")
    damaged, foreign, junk = (tmp_path / f"{name}.duckdb" for name in ("damaged", "foreign", "junk"))
    content = bytearray(good.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    damaged.write_bytes(content)
    DuckStore.open(foreign).close()
    junk.write_bytes(b"junk" * 5000)
    for bad, reason in ((damaged, "The backup is damaged"), (foreign, "no backup of"), (junk, "no backup of")):
        with pytest.raises(StoreError, match=reason) as caught:
            restore(bad, path, replace=True)
        assert "Restore the last backup" not in str(caught.value)
        assert "nothing was changed" in str(caught.value)


def test_every_store_that_was_replaced_is_kept(path: Path, tmp_path: Path) -> None:
    """Breaks if a second restore throws the first old store away."""
    with open_store(path) as store:
        copy = backup(store, tmp_path / "copy.duckdb")
        fill(store)
    restore(copy, path, replace=True)
    restore(copy, path, replace=True)
    restore(copy, path, replace=True)
    for name, held_then in ((".before", True), (".before.2", False), (".before.3", False)):
        with open_store(path.with_name(path.name + name)) as kept:
            assert bool(kept.rows("SELECT 1 FROM event_types")) is held_then


def test_a_full_disk_leaves_no_half_backup(path: Path, tmp_path: Path) -> None:
    """Breaks if a backup that didn't fit stands there as if it were one. A limit on file size plays the full disk."""
    with open_store(path) as store:
        fill(store, 2000)
    script = textwrap.dedent(f"""
        import resource, signal
        from shoal.errors import StoreError
        from shoal.sql.backup import backup
        from shoal.sql.duck import open_store
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = open_store({str(path)!r})
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
        try:
            backup(store, {str(tmp_path / "copy.duckdb")!r})
        except StoreError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(store.rows("SELECT count(*) FROM event_1"))
    """)
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert told.stdout.startswith(f"{tmp_path / 'copy.duckdb'}: The disk is full"), told.stdout + told.stderr
    assert told.stdout.count("\n") == 2
    assert "[(2000,)]" in told.stdout
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name]
    assert os.path.getsize(path) > 600_000
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
