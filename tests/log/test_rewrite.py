"""Erasure in the log: payloads go, positions stay, and a crash or a full disk on the way harms nothing."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from shoal.errors import StoreError
from shoal.log import Entry, Log

SECRET = b"ann@example.org"


def _filled(folder: Path, **options: int) -> Log:
    log = Log.open(folder, segment_bytes=2_000, **options)
    for i in range(60):
        log.append(i, SECRET + b" was here" if i % 10 == 3 else bytes([i]) * 80)
    assert log.wait(60, 10)
    return log


def _forget(entry: Entry) -> bytes | None:
    return None if SECRET in entry.payload else entry.payload


def _grep(folder: Path, what: bytes) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if what in p.read_bytes())


def test_what_is_forgotten_is_in_no_file_and_the_rest_stays_where_it_was(tmp_path: Path) -> None:
    """Breaks if a payload stays in a file, another entry changes, or a position moves."""
    with _filled(tmp_path) as log:
        before = list(log.read())
        log.append(1, SECRET)
        assert log.rewrite(_forget) > 1
        assert not _grep(tmp_path, SECRET)
        kept = [e for e in before if SECRET not in e.payload]
        assert list(log.read()) == kept
        assert [e.position for e in log.read(after=40)] == [e.position for e in kept if e.position > 40]
        assert log.append(1, b"next") == 62
    with Log.open(tmp_path) as log:
        assert [e.position for e in log.read()] == [e.position for e in kept] + [62]
        assert log.rewrite(_forget) == 0


def test_payloads_can_be_changed_and_files_without_a_change_arent_touched(tmp_path: Path) -> None:
    """Breaks if a changed payload loses its kind or place, or a rewrite writes what it needn't."""
    with _filled(tmp_path) as log:
        paths = [s.path for s in log.segments]
        nodes = [p.stat().st_ino for p in paths]
        assert log.rewrite(lambda e: b"longer " * 200 if e.position == 4 else e.payload) == 1
        assert [p.stat().st_ino for p in paths][1:] == nodes[1:]
        assert next(log.read(after=3)) == Entry(4, 3, b"longer " * 200)
        seen: list[int] = []
        log.rewrite(lambda e: seen.append(e.position) or e.payload)
        assert seen == list(range(1, 61))
    with Log.open(tmp_path) as log:
        assert next(log.read(after=3)).payload == b"longer " * 200


def test_an_error_in_the_middle_leaves_each_file_old_or_new(tmp_path: Path) -> None:
    """Breaks if a change that fails leaves half a file, a partial one, or a log that can't go on."""
    with _filled(tmp_path) as log:

        def fails(entry: Entry) -> bytes | None:
            if entry.position == 45:
                raise RuntimeError("the caller's own")
            return _forget(entry)

        with pytest.raises(RuntimeError):
            log.rewrite(fails)
        assert not list(tmp_path.glob("*.partial"))
        assert [e.position for e in log.read()] == [i for i in range(1, 61) if i % 10 != 4 or i > 40]
        assert log.wait(log.append(1, b"on"), 10)
        assert log.rewrite(_forget)
    assert not _grep(tmp_path, SECRET)


_KILLED = """
    import os, sys
    from pathlib import Path
    from shoal.log import Log

    def forget(entry):
        if entry.position == int(sys.argv[2]):
            # Some files are new, one is being written, the others are old.
            os.kill(os.getpid(), 9)
        return None if b"ann@" in entry.payload else entry.payload

    Log.open(Path(sys.argv[1]), segment_bytes=2_000).rewrite(forget)
"""


@pytest.mark.parametrize("position", [1, 30, 46, 60])
def test_a_crash_between_files_is_finished_by_doing_it_again(position: int, tmp_path: Path) -> None:
    """Breaks if a kill in a rewrite damages the log, loses an entry, or leaves the person in a forgotten partial file."""
    with _filled(tmp_path) as log:
        before = list(log.read())
    command = [sys.executable, "-c", textwrap.dedent(_KILLED), str(tmp_path), str(position)]
    assert subprocess.run(command, check=False).returncode == -9
    with Log.open(tmp_path) as log:
        assert not list(tmp_path.glob("*.partial"))
        kept = [e for e in before if SECRET not in e.payload]
        there = list(log.read())
        assert [e for e in there if SECRET not in e.payload] == kept
        log.rewrite(_forget)
        assert list(log.read()) == kept
    assert not _grep(tmp_path, SECRET)


def test_a_log_that_is_forgotten_whole_still_counts_on(tmp_path: Path) -> None:
    """Breaks if holes at the end let positions be given out again."""
    with _filled(tmp_path) as log:
        log.rewrite(lambda entry: None)
        assert list(log.read()) == []
    with Log.open(tmp_path) as log:
        assert log.append(1, b"x") == 61


def test_a_damaged_entry_stops_the_rewrite(tmp_path: Path) -> None:
    """Breaks if a rewrite gives damaged bytes a right checksum."""
    with _filled(tmp_path) as log:
        path = log.segments[1].path
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        path.write_bytes(data)
        with pytest.raises(StoreError, match="is damaged"):
            log.rewrite(_forget)
        assert path.read_bytes() == bytes(data)
        assert not list(tmp_path.glob("*.partial"))
