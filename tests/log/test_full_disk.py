"""Disks that refuse: one that is full, and one that fails to keep what it was given. Both are real file systems."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from shoal.errors import StoreError
from shoal.log import Log, snapshot

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 4 MB."""
    place = tmp_path / "small"
    place.mkdir()
    _mount("-t", "tmpfs", "-o", "size=4m", "none", str(place))
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(log: Log) -> tuple[int, list[int], StoreError]:
    """Append until the disk is full: the last durable position, the lost ones, and what was said."""
    error: StoreError | None = None
    positions: list[int] = []
    while error is None:
        try:
            positions.append(log.append(1, b"x" * 50_000))
            log.wait(positions[-1], 10)
        except StoreError as told:
            error = told
    return log.committed, [p for p in positions if p > log.committed], error


def test_a_full_disk_refuses_until_there_is_room_and_then_goes_on(small: Path) -> None:
    """Breaks if an entry that wasn't kept is acknowledged, an earlier one is lost, or the log needs a restart to go on."""
    ballast = small / "ballast"
    ballast.write_bytes(bytes(1_500_000))
    failed: list[tuple[int, str]] = []
    with Log.open(small / "log", segment_bytes=1_000_000) as log:
        log.on_commit(lambda position: None, failed=lambda position, error: failed.append((position, error.problem)))
        kept, lost, error = _fill(log)
        assert lost
        # Nothing of what was refused is left behind what was kept.
        assert all(s.path.stat().st_size == s.size for s in log.segments)
        assert failed[0][0] >= lost[-1]
        assert "No space left on device" in failed[0][1]
        assert "Free disk space; the log goes on by itself." in str(error)
        assert str(small) in str(error)
        for position in lost:
            with pytest.raises(StoreError, match="No space left"):
                log.wait(position)
        for _ in range(3):
            with pytest.raises(StoreError, match="No space left"):
                log.append(1, b"x" * 50_000)
        assert log.refusing is not None
        assert [e.position for e in log.read()] == list(range(1, kept + 1))
        ballast.unlink()
        again = _append_when_possible(log)
        assert again > max(lost)
        assert log.refusing is None
        with pytest.raises(StoreError, match="No space left"):
            log.wait(lost[0])
        positions = [*range(1, kept + 1), again]
        assert [e.position for e in log.read()] == positions
    with Log.open(small / "log") as log:
        assert [e.position for e in log.read()] == positions
        assert [e.position for e in log.read(after=kept)] == [again]
        assert log.append(1, b"") == again + 1


def _append_when_possible(log: Log) -> int:
    for _ in range(100):
        try:
            position = log.append(1, b"there is room")
            assert log.wait(position, 10)
            return position
        except StoreError:
            time.sleep(0.05)
    raise AssertionError("the log didn't go on")


def test_waiting_threads_are_all_told_that_the_disk_is_full(small: Path) -> None:
    """Breaks if one of many waiters hangs, or is told that its lost entry is there."""
    outcomes: dict[int, bool] = {}
    with Log.open(small / "log", segment_bytes=1_000_000) as log:

        def work() -> None:
            for _ in range(30):
                try:
                    position = log.append(1, os.urandom(30_000))
                except StoreError:
                    return
                try:
                    outcomes[position] = log.wait(position, 30)
                except StoreError:
                    outcomes[position] = False

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        assert False in outcomes.values()
        assert {e.position for e in log.read()} == {p for p, kept in outcomes.items() if kept}


def test_erasing_without_room_says_so_and_changes_nothing(small: Path) -> None:
    """Breaks if a rewrite on a full disk damages the file that it should have replaced."""
    with Log.open(small / "log", segment_bytes=1_000_000) as log:
        _fill(log)
        before = list(log.read())
        with pytest.raises(StoreError, match="No space left"):
            log.rewrite(lambda entry: entry.payload[:-1])
        assert not list((small / "log").glob("*.partial"))
        assert list(log.read()) == before
        dropped = log.drop_before(log.segments[-1].first)
        assert dropped
        assert _append_when_possible(log)


def test_a_snapshot_without_room_leaves_the_one_before(small: Path) -> None:
    """Breaks if a snapshot that doesn't fit takes the last good one with it, or leaves a part."""
    snapshot.save(small, 1, {"n": 1}, {"a": np.arange(100_000)})
    with pytest.raises(StoreError, match="No space left"):
        snapshot.save(small, 2, {}, {"a": np.arange(1_000_000)})
    found, reasons = snapshot.newest(small)
    assert found is not None
    assert (found.position, reasons) == (1, [])
    assert [p.name for p in small.iterdir()] == [f"{1:020d}.snapshot"]


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A file system of 64 MB on a device that can hold 8: writing succeeds, and the sync that should keep it fails.

    Yields where it is, and the folder of its device, which ``mount -o remount,size=`` mends.
    """
    if not shutil.which("mkfs.ext4"):
        pytest.skip("needs mkfs.ext4")
    device, place = tmp_path / "device", tmp_path / "failing"
    device.mkdir()
    place.mkdir()
    _mount("-t", "tmpfs", "-o", "size=8m", "none", str(device))
    try:
        with (device / "image").open("wb") as image:
            image.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", str(device / "image")], check=True)
        _mount("-o", "loop,errors=continue", str(device / "image"), str(place))
        try:
            yield place, device
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(device)], check=True)


def test_a_failed_sync_is_told_to_every_waiter_and_nothing_more_is_taken(failing: tuple[Path, Path]) -> None:
    """Breaks if an entry is acknowledged that the disk hasn't got, also by a later sync that succeeds."""
    place, device = failing
    outcomes: dict[int, str] = {}
    failed: list[int] = []
    log = Log.open(place / "log")
    log.on_commit(lambda position: None, failed=lambda position, error: failed.append(position))

    def work() -> None:
        with suppress(StoreError):
            while True:
                position = log.append(1, os.urandom(300_000))
                try:
                    outcomes[position] = "kept" if log.wait(position, 60) else "hung"
                except StoreError as error:
                    outcomes[position] = str(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
        assert not thread.is_alive()
    kept = log.committed
    told = {p: said for p, said in outcomes.items() if said != "kept"}
    assert kept
    assert told
    assert sorted(told) == list(range(kept + 1, len(outcomes) + 1))
    assert all("whether it has it is unknown" in t and "open the log again" in t for t in told.values())
    assert failed[0] >= max(told)
    # The disk is well again, and the log still takes nothing: only opening it anew can tell what is there.
    subprocess.run(["mount", "-o", "remount,size=100m", str(device)], check=True)
    time.sleep(0.3)
    with pytest.raises(StoreError, match="unknown"):
        log.append(1, b"")
    with pytest.raises(StoreError, match="unknown"):
        log.rewrite(lambda entry: None)
    log.close()
    with Log.open(place / "log") as log:
        there = [e.position for e in log.read()]
        assert there == list(range(1, len(there) + 1))
        assert len(there) >= kept
        assert log.wait(log.append(1, b"well again"), 60)
