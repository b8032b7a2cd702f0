"""A crash or a full disk at any moment: each batch is in the store whole, or not at all."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from shoal.sql.duck import create_store, open_store

if TYPE_CHECKING:
    from pathlib import Path

BATCH = 400
"""Events in a batch; each batch also changes one trait of each of its customers."""

_WRITER = """
    import sys
    from shoal.customers.writer import write_records
    from shoal.shapes import Event, TraitChange
    from shoal.sql.duck import open_store

    def batch(number):
        for i in range({batch}):
            yield Event(f"b{{number}}-c{{i % 20}}", "A", number * 1000 + i, {{"batch": number, "text": "x" * (i % 90)}})
        for i in range(20):
            yield TraitChange(f"b{{number}}-c{{i}}", "batch", number, number * 1000)

    store = open_store({path!r}, threads=1)
    for number in range({first}, {first} + 100_000):
        with store.transaction():
            records = list(batch(number))
            write_records(store, records[:200], zone="UTC", received=number)
            write_records(store, records[200:], zone="UTC", received=number)
        if number % 3 == 0:
            store.execute("CHECKPOINT")
        print(number, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_at_any_moment_leaves_whole_batches(seed: int, tmp_path: Path) -> None:
    """Breaks if a killed process leaves half a batch, loses one that was acknowledged, or a store that won't open."""
    path = tmp_path / "shop.duckdb"
    create_store(path, zone="UTC", now=0, threads=1).close()
    draw = random.Random(seed)
    acknowledged: list[int] = []
    for life in range(3):
        acknowledged += _write_until_killed(
            path, first=life * 1000, batches=draw.randrange(1, 5), seconds=draw.uniform(0, 0.3)
        )
        stored = _whole_batches(path)
        assert set(acknowledged) <= stored
        # At most the batch of each life that was committed but not yet told.
        assert len(stored) <= len(acknowledged) + life + 1


def _write_until_killed(path: Path, first: int, batches: int, seconds: float) -> list[int]:
    """The batches that a process acknowledged before it was killed, some ``seconds`` after it had told of ``batches``."""
    script = textwrap.dedent(_WRITER).format(path=str(path), first=first, batch=BATCH)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = "".join(process.stdout.readline() for _ in range(batches))
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
        told += process.stdout.read()
    assert process.returncode == -9, told
    # What the kill cut in the middle of a line was not told.
    return [int(line) for line in told.split("\n")[:-1]]


def _whole_batches(path: Path) -> set[int]:
    """The batches in a store, after asserting that each is whole and the tables agree with each other."""
    with open_store(path, threads=1) as store:
        if not store.rows("SELECT 1 FROM event_types"):
            assert store.rows("SELECT * FROM customers") == []
            return set()
        events = dict(store.rows("SELECT p1 // 1000000, count(*) FROM event_1 GROUP BY ALL"))
        traits = dict(store.rows("SELECT value // 1000000, count(*) FROM trait_1 GROUP BY ALL"))
        number = "CAST(split_part(id, '-', 1)[2:] AS BIGINT)"
        people = dict(store.rows(f"SELECT {number}, count(*) FROM customers GROUP BY ALL"))
        assert store.rows(f"SELECT id FROM customers WHERE first_ts <> {number} * 1000") == []
        assert store.rows("SELECT origin FROM event_1 GROUP BY origin HAVING count(*) > 1") == []
    assert events == dict.fromkeys(events, BATCH)
    assert traits == people == dict.fromkeys(events, 20)
    return set(events)


_FULL_DISK = """
    import resource, signal
    from shoal.customers.writer import write_events
    from shoal.errors import StoreError
    from shoal.lang.schema import Kind, PropertyType
    from shoal.sql.duck import open_store

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = open_store({path!r}, threads=1, memory={memory!r})

    def load(many):
        store.execute(
            "CREATE OR REPLACE TEMP VIEW incoming AS SELECT 'c' || hash(range) AS customer_id, range AS ts, "
            f"NULL::VARCHAR AS message_id, range AS origin, hash(range + 1)::VARCHAR AS note FROM range({{many}})"
        )
        columns = {{"note": (PropertyType(Kind.TEXT), "note")}}
        return write_events(store, "A", "incoming", columns, zone="UTC", received=1).written

    print(load(1000))
    store.execute("CHECKPOINT")
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY))
    try:
        load(400_000)
    except StoreError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.close()
"""


@pytest.mark.parametrize("memory", ["1GB", "90MB"])
def test_a_full_disk_leaves_the_store_as_it_was(memory: str, tmp_path: Path) -> None:
    """Breaks if a load that didn't fit leaves a part behind, or its error is no paragraph with place and fix.

    A limit on the size of files plays the full disk; with little memory it is met while working, with much at the end.
    """
    path = tmp_path / "shop.duckdb"
    create_store(path, zone="UTC", now=0, threads=1).close()
    script = textwrap.dedent(_FULL_DISK).format(path=str(path), memory=memory)
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    lines = told.stdout.strip().split("\n")
    assert lines[0] == "1000", told.stderr
    assert len(lines) == 2, told.stdout + told.stderr
    assert lines[1].startswith(f"{path}: The disk is full; nothing was changed."), told.stdout
    assert "Free disk space" in lines[1]
    with open_store(path, threads=1) as store:
        assert store.rows("SELECT count(*), count(DISTINCT customer) FROM event_1") == [(1000, 1000)]
        assert store.rows("SELECT count(*) FROM customers") == [(1000,)]
        assert store.rows("SELECT name FROM properties") == [("note",)]
