"""The DuckDB store keeps the promises of the ``Store`` protocol, and its errors are Shoal's, with place and fix."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from shoal.errors import ConfigError, StoreError, StoreLocked
from shoal.sql.duck import DuckStore, create_store, open_store

if TYPE_CHECKING:
    from pathlib import Path


def test_a_transaction_takes_effect_whole_or_not_at_all(store: DuckStore) -> None:
    """Breaks if a failed block leaves a part of its work behind."""
    store.execute("CREATE TABLE t (a INTEGER)")
    with store.transaction():
        store.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(ZeroDivisionError):
        _insert_and_fail(store)
    assert store.rows("SELECT a FROM t") == [(1,)]


def test_an_inner_transaction_joins_the_outer_one(store: DuckStore) -> None:
    """Breaks if the inner block commits by itself: the outer's failure must take both back."""
    store.execute("CREATE TABLE t (a INTEGER)")
    with store.transaction(), store.transaction():
        store.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(ZeroDivisionError):
        _insert_and_fail(store, inner=True)
    assert store.rows("SELECT a FROM t") == [(1,)]


def test_an_outer_transaction_cannot_commit_half_of_a_failed_inner_one(store: DuckStore) -> None:
    """Breaks if swallowing the inner error lets the outer block commit what the inner one half did."""
    store.execute("CREATE TABLE t (a INTEGER)")

    with pytest.raises(StoreError, match="nothing of it was kept"), store.transaction(), suppress(ZeroDivisionError):
        _insert_and_fail(store)
    assert store.rows("SELECT a FROM t") == []
    with store.transaction():
        store.execute("INSERT INTO t VALUES (3)")
    assert store.rows("SELECT a FROM t") == [(3,)]


def test_arrow_goes_in_and_out(store: DuckStore) -> None:
    """Breaks if registering, Arrow results or parameters stop working."""
    store.register("incoming", pa.table({"a": [1, 2, 3]}))
    assert store.arrow("SELECT a FROM incoming WHERE a > ? ORDER BY a", [1]).column("a").to_pylist() == [2, 3]
    store.unregister("incoming")
    with pytest.raises(StoreError, match="incoming"):
        store.rows("SELECT * FROM incoming")


def test_batches_come_in_pieces_and_free_the_connection(store: DuckStore) -> None:
    """Breaks if batches hold all rows at once, or an iterator that was left early blocks the connection."""
    pieces = list(store.batches("SELECT range AS a FROM range(10000)", rows=2048))
    assert len(pieces) > 1
    assert sum(piece.num_rows for piece in pieces) == 10_000
    left_early = iter(store.batches("SELECT range AS a FROM range(1000000)", rows=1000))
    next(left_early)
    with pytest.raises(StoreError, match="still reading"):
        store.rows("SELECT 1")
    left_early.close()  # type: ignore[attr-defined]
    assert store.rows("SELECT 1") == [(1,)]


def test_a_cursor_sees_what_is_committed_and_nothing_else(store: DuckStore) -> None:
    """Breaks if a second thread's connection reads half a transaction."""
    store.execute("CREATE TABLE t (a INTEGER)")
    second = store.cursor()
    with store.transaction():
        store.execute("INSERT INTO t VALUES (1)")
        assert second.rows("SELECT * FROM t") == []
    assert second.rows("SELECT * FROM t") == [(1,)]
    second.close()


@pytest.mark.parametrize("machine_zone", ["America/New_York", "Asia/Kathmandu"])
def test_the_machines_time_zone_plays_no_part(machine_zone: str) -> None:
    """Breaks if a connection or a cursor takes the zone from the machine's environment."""
    script = """
        from shoal.sql.duck import DuckStore
        store = DuckStore.open(":memory:")
        for connection in (store, store.cursor()):
            print(connection.rows("SELECT CAST(make_timestamptz(0) AS VARCHAR)")[0][0])
    """
    told = _python(script, TZ=machine_zone)
    assert told.stdout.split("\n")[:2] == ["1970-01-01 00:00:00+00"] * 2, told.stderr


def test_the_driver_prints_no_progress_of_its_own() -> None:
    """Breaks if a long statement in a notebook or `python -c`, where the driver takes a person to look on, prints a bar."""
    script = (
        "from shoal.sql.duck import DuckStore; store = DuckStore.open(':memory:'); asked = "
        "\"SELECT current_setting('enable_progress_bar')\"; print(store.rows(asked), store.cursor().rows(asked))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == "[(False,)] [(False,)]\n"


def test_sql_cannot_reach_pythons_variables(store: DuckStore) -> None:
    """Breaks if a misspelt table silently reads a variable of the same name."""
    secret = pa.table({"a": [1]})
    with pytest.raises(StoreError, match="secret"):
        store.rows("SELECT * FROM secret")
    assert secret.num_rows == 1


def test_a_locked_store_names_the_process_that_holds_it(path: Path) -> None:
    """Breaks if a second writer gets the driver's error, or gets in."""
    with open_store(path):
        told = _python(f"""
            from shoal.errors import StoreLocked
            from shoal.sql.duck import open_store
            try:
                open_store({str(path)!r})
            except StoreLocked as error:
                print(error)
        """)
    assert f"process {os.getpid()}" in told.stdout, told.stderr
    assert str(path) in told.stdout
    assert "\n" not in told.stdout.strip()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Breaks if a stray file is taken for a store, or is changed."""
    stray = tmp_path / "stray.duckdb"
    stray.write_bytes(b"customer,total\n" * 1000)
    with pytest.raises(StoreError, match="no Shoal store") as caught:
        open_store(stray)
    assert caught.value.place == str(stray)
    assert caught.value.fix
    assert stray.read_bytes() == b"customer,total\n" * 1000


def test_a_database_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Breaks if any DuckDB file passes for a store."""
    other = tmp_path / "other.duckdb"
    with DuckStore.open(other) as made:
        made.execute("CREATE TABLE meta (key VARCHAR, value VARCHAR)")
    with pytest.raises(StoreError, match="no Shoal store"):
        open_store(other)


def test_a_damaged_store_says_so(path: Path) -> None:
    """Breaks if damage shows as the driver's text without what to do."""
    content = bytearray(path.read_bytes())
    for i in range(12288, len(content), 97):
        content[i] ^= 0x5A
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged") as caught:
        open_store(path)
    assert "backup" in str(caught.value)
    assert caught.value.place == str(path)


def test_a_store_opened_for_reading_refuses_to_write(path: Path) -> None:
    """Breaks if reading only isn't."""
    with open_store(path, read_only=True) as store, pytest.raises(StoreError, match="reading only"):
        store.execute("INSERT INTO lists VALUES ('vip', 0)")


def test_where_there_is_no_store_none_is_made(tmp_path: Path) -> None:
    """Breaks if a typo in a path makes an empty store."""
    with pytest.raises(StoreError, match="There is no store"):
        open_store(tmp_path / "typo.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_store_is_not_written_over(path: Path) -> None:
    """Breaks if creating twice destroys the first."""
    with pytest.raises(StoreError, match="already"):
        create_store(path, zone="UTC", now=0)
    open_store(path).close()


def test_a_store_that_cannot_be_made_leaves_no_file(tmp_path: Path) -> None:
    """Breaks if a wrong zone leaves half a store behind."""
    with pytest.raises(ConfigError, match="no time zone"):
        create_store(tmp_path / "shop.duckdb", zone="Africa/Nairoby", now=0)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_and_a_closed_store_say_what_to_do(tmp_path: Path, store: DuckStore) -> None:
    """Breaks if these show the driver's text."""
    with pytest.raises(StoreError, match="not there"):
        create_store(tmp_path / "none" / "shop.duckdb", zone="UTC", now=0)
    second = store.cursor()
    second.close()
    with pytest.raises(StoreError, match="closed"):
        second.rows("SELECT 1")


def test_too_little_memory_names_the_setting() -> None:
    """Breaks if running out of memory isn't told as such, or takes the store with it."""
    with DuckStore.open(":memory:", memory="60MB", threads=1) as small:
        small.execute("CREATE TABLE t (a INTEGER)")
        with pytest.raises(StoreError, match="memory") as caught:
            small.execute("CREATE TABLE big AS SELECT range, random() AS r FROM range(30000000) ORDER BY r")
        assert "memory setting" in str(caught.value)
        assert small.rows("SELECT count(*) FROM t") == [(0,)]


def test_a_wrong_statement_is_one_sentence(store: DuckStore) -> None:
    """Breaks if analysts see a stack of the driver's lines."""
    with pytest.raises(StoreError) as caught:
        store.rows("SELECT nothing FROM customers")
    assert "nothing" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ctrl_c_stops_a_long_statement_and_leaves_nothing(path: Path) -> None:
    """Breaks if Ctrl-C waits for a load to end, leaves a part of it, or the connection is of no use afterwards."""
    told = _python(f"""
        import os, signal, threading, time
        from shoal.sql.duck import open_store
        store = open_store({str(path)!r}, threads=1)
        threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
        begun = time.monotonic()
        try:
            with store.transaction():
                store.execute("INSERT INTO lists VALUES ('vip', 0)")
                store.execute("CREATE TABLE big AS SELECT max(hash(a.range + b.range)) FROM range(200000) a, range(200000) b")
        except KeyboardInterrupt:
            print(time.monotonic() - begun < 30)
        print(store.rows("SELECT count(*) FROM lists"))
    """)
    assert told.stdout.split("\n")[:2] == ["True", "[(0,)]"], told.stderr


def test_clearing_up_after_ctrl_c_does_not_hide_it(path: Path) -> None:
    """Breaks if a statement that clears up inside the broken transaction ends in an error of its own, exit 5 for 130."""
    told = _python(f"""
        import os, signal, threading
        from shoal.sql.duck import open_store
        store = open_store({str(path)!r}, threads=1)
        threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
        try:
            with store.transaction():
                store.execute("CREATE TEMP TABLE scratch (x INTEGER)")
                try:
                    store.execute("INSERT INTO scratch SELECT max(a.range + b.range) FROM range(900000) a, range(900000) b")
                finally:
                    store.execute("DROP TABLE scratch")
        except KeyboardInterrupt:
            print("stopped")
        print(store.rows("SELECT 1"))
    """)
    assert told.stdout.split("\n")[:2] == ["stopped", "[(1,)]"], told.stderr


def test_the_first_fault_of_a_transaction_is_the_one_that_is_told(store: DuckStore) -> None:
    """Breaks if a full disk is reported as 'current transaction is aborted' since something was cleared up after it."""

    def fail_and_clear_up() -> None:
        with store.transaction():
            try:
                store.rows("SELECT CAST('no number' AS INTEGER)")
            finally:
                store.execute("SELECT 1")

    with pytest.raises(StoreError, match="no number"):
        fail_and_clear_up()
    assert store.rows("SELECT 1") == [(1,)]


def test_a_commit_under_way_is_not_broken_off_and_told_as_kept(path: Path) -> None:
    """Breaks if Ctrl-C during a commit says that nothing was changed, though all was."""
    told = _python(f"""
        import os, signal
        from shoal.sql.duck import open_store
        store = open_store({str(path)!r}, threads=1)
        class Slow:
            def __init__(self, real): self.real = real
            def __getattr__(self, name): return getattr(self.real, name)
            def commit(self):
                os.kill(os.getpid(), signal.SIGINT)
                import time; time.sleep(0.3)
                return self.real.commit()
        store._connection = Slow(store._connection)
        try:
            with store.transaction():
                store.execute("INSERT INTO lists VALUES ('vip', 0)")
        except KeyboardInterrupt as stop:
            print(stop)
        print(store.rows("SELECT count(*) FROM lists"))
    """)
    assert "is kept" in told.stdout.split("\n")[0], told.stderr
    assert told.stdout.split("\n")[1] == "[(1,)]", told.stderr


def test_a_lock_is_a_store_error() -> None:
    """Breaks if callers that handle StoreError miss a locked store."""
    assert issubclass(StoreLocked, StoreError)


def _insert_and_fail(store: DuckStore, *, inner: bool = False) -> None:
    with store.transaction():
        with store.transaction() if inner else nullcontext():
            store.execute("INSERT INTO t VALUES (2)")
        raise ZeroDivisionError


def _python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        timeout=60,
    )
