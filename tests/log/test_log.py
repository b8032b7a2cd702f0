"""Appending, reading, rolling over and waiting, on real files."""

from __future__ import annotations

import random
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.errors import StoreError, StoreLocked
from shoal.log import Entry, Log

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where hundreds of examples needn't wait for a disk."""


def everything(log: Log, after: int = 0) -> list[tuple[int, int, bytes]]:
    return [tuple(entry) for entry in log.read(after)]


def test_entries_come_back_in_order_with_their_positions(tmp_path: Path) -> None:
    """Breaks if positions don't count 1, 2, 3, or kind or payload come back changed."""
    with Log.open(tmp_path / "a" / "b") as log:
        assert [log.append(7, b"one"), log.append(65535, b""), log.append(0, b"\x00" * 70_000)] == [1, 2, 3]
        assert log.wait(3, timeout=10)
        assert log.committed == 3
        assert list(log.read()) == [Entry(1, 7, b"one"), Entry(2, 65535, b""), Entry(3, 0, b"\x00" * 70_000)]
        assert [e.position for e in log.read(after=2)] == [3]
        assert list(log.read(after=3)) == list(log.read(after=99)) == []


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 65535), st.binary(max_size=300)),
        st.tuples(st.just("burst"), st.integers(1, 60), st.integers(0, 100)),
        st.tuples(st.sampled_from(["reopen", "quick", "wait", "read"])),
        st.tuples(st.just("drop"), st.integers(0, 60)),
        st.tuples(st.just("erase"), st.integers(1, 5)),
    ),
    max_size=30,
)


@given(segment_bytes=st.sampled_from([1, 100, 500, 4000, 64 << 20]), actions=ACTIONS)
@settings(max_examples=80)
def test_the_log_is_the_list_of_what_was_appended(segment_bytes: int, actions: list[tuple]) -> None:
    """Breaks if any sequence of appends, rolls, reopenings, drops and erasures loses, changes or reorders an entry."""
    model: dict[int, tuple[int, bytes]] = {}
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        log = Log.open(Path(folder), segment_bytes=segment_bytes)
        last = 0
        for name, *given_ in actions:
            if name == "append":
                last = log.append(*given_)
                model[last] = tuple(given_)
            elif name == "burst":
                for i in range(given_[0]):
                    last = log.append(i, bytes(given_[1]))
                    model[last] = (i, bytes(given_[1]))
            elif name in ("reopen", "quick"):
                log.close()
                log = Log.open(Path(folder), segment_bytes=segment_bytes, check_all=name == "reopen")
                assert log.cut_bytes == 0
                assert log.committed == last
            elif name == "wait":
                assert log.wait(last, 10)
            elif name == "drop":
                assert log.wait(last, 10)
                log.drop_before(given_[0])
                assert all(s.last >= given_[0] for s in log.segments[:-1])
                assert all(p < given_[0] or p >= log.first for p in model)
                model = {p: e for p, e in model.items() if p >= log.first}
            elif name == "erase":
                log.rewrite(lambda e, n=given_[0]: None if e.position % n == 0 else e.payload)
                model = {p: e for p, e in model.items() if p % given_[0]}
            elif name == "read":
                assert log.wait(last, 10)
                after = random.Random(last).randint(max(log.first - 1, 0), last)
                assert everything(log, after) == [(p, *e) for p, e in model.items() if p > after]
        log.close()
        with Log.open(Path(folder)) as again:
            assert everything(again) == [(p, *e) for p, e in model.items()]
            assert again.append(1, b"next") == last + 1


def test_files_follow_one_another_and_their_names_say_where_they_begin(tmp_path: Path) -> None:
    """Breaks if a file grows beyond its size, positions have a hole between files, or an entry larger than a file fails."""
    with Log.open(tmp_path, segment_bytes=2_000) as log:
        for i in range(50):
            log.append(1, bytes([i]) * 200)
        last = log.append(1, b"x" * 5_000)
        assert log.wait(last, 10)
        segments = log.segments
        assert len(segments) >= 8
        assert log.size == sum(s.size for s in segments)
        assert [s.first for s in segments[1:]] == [s.last + 1 for s in segments[:-1]]
        assert all(int(s.path.stem) == s.first and s.size <= 2_000 for s in segments[:-1])
        assert len(everything(log)) == 51


def test_waiting_ends_when_the_time_is_over_or_the_log_is_closed(tmp_path: Path) -> None:
    """Breaks if a wait for what never comes hangs, or says that it came."""
    log = Log.open(tmp_path)
    assert not log.wait(1, timeout=0.02)
    assert not log.wait(1, timeout=0)
    told: list[str] = []

    def waiting() -> None:
        try:
            log.wait(5)
        except StoreError as error:
            told.append(error.problem)

    thread = threading.Thread(target=waiting)
    thread.start()
    log.append(1, b"kept")
    log.close()
    log.close()
    thread.join(10)
    assert told == ["The log is closed."]
    assert log.wait(1)
    with pytest.raises(StoreError, match="closed"):
        log.append(1, b"")
    with pytest.raises(StoreError, match="closed"):
        log.rewrite(lambda entry: None)
    assert everything(log) == [(1, 1, b"kept")]


def test_many_threads_share_a_sync(tmp_path: Path) -> None:
    """Breaks if each append asks the disk by itself, a position is given twice, or an acknowledged entry isn't there."""
    acknowledged: dict[int, bytes] = {}

    with Log.open(tmp_path, segment_bytes=100_000) as log:

        def work(name: int) -> None:
            for i in range(60):
                payload = f"{name}/{i}/".encode() * 20
                position = log.append(name, payload)
                assert log.wait(position, 30)
                assert position not in acknowledged
                acknowledged[position] = payload

        threads = [threading.Thread(target=work, args=[n]) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(acknowledged) == 16 * 60
        assert log.syncs < len(acknowledged) / 2
        assert {e.position: e.payload for e in log.read()} == acknowledged


def test_readers_see_a_growing_beginning_while_others_append_and_erase(tmp_path: Path) -> None:
    """Breaks if a reader sees a part of an entry, one out of order, or stops at a file that is being replaced."""
    faults: list[BaseException] = []
    finished = threading.Event()
    with Log.open(tmp_path, segment_bytes=20_000) as log:

        def read() -> None:
            try:
                after = 0
                while not (finished.is_set() and after == log.committed):
                    for entry in log.read(after):
                        assert entry.position == after + 1
                        assert entry.payload in (entry.position.to_bytes(8, "big") * 20, b"changed")
                        after = entry.position
            except BaseException as error:
                faults.append(error)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for i in range(1, 1_501):
            position = log.append(1, i.to_bytes(8, "big") * 20)
            if i % 300 == 0:
                assert log.wait(position, 10)
            if i % 500 == 0:
                log.rewrite(lambda e: b"changed" if e.position % 7 == 0 else e.payload)
        assert log.wait(1_500, 10)
        finished.set()
        for reader in readers:
            reader.join(30)
        assert not faults, faults


def test_watchers_are_told_of_each_commit_in_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Breaks if a commit is told before it is durable, out of order or not at all, or one bad watcher stops the log."""
    told: list[int] = []
    with Log.open(tmp_path) as log:

        def bad(position: int) -> None:
            raise ValueError("a watcher's own fault")

        log.on_commit(bad)
        end = log.on_commit(lambda position: told.append(position) if position <= log.committed else None)
        for i in range(200):
            last = log.append(1, bytes(i))
            if i % 50 == 49:
                assert log.wait(last, 10)
        assert log.wait(last, 10)
    assert told == sorted(set(told))
    assert told[-1] == 200
    assert "a watcher's own fault" in caplog.text
    end()


def test_appending_waits_for_a_disk_that_is_far_behind(tmp_path: Path) -> None:
    """Breaks if the queue grows without bound, or an append that waited for room never comes back."""
    with Log.open(tmp_path, most_waiting=100_000) as log:
        seen = 0
        for _ in range(100):
            last = log.append(1, bytes(30_000))
            seen = max(seen, log.waiting)
        assert log.wait(last, 30)
        assert seen <= 100_000 + 30_100
        assert log.waiting == 0
        assert len(everything(log)) == 100


def test_dropping_takes_whole_files_and_never_the_last(tmp_path: Path) -> None:
    """Breaks if an entry at or after the position goes, the files have a hole, or reading on from dropped ones is silent."""
    with Log.open(tmp_path, segment_bytes=1_000) as log:
        for i in range(40):
            log.append(1, bytes([i]) * 100)
        assert log.wait(40, 10)
        files = log.segments
        assert log.drop_before(files[2].first) == [files[0].path, files[1].path]
        assert not files[0].path.exists()
        assert log.first == files[2].first
        assert log.drop_before(files[3].last) == [files[2].path]
        assert [e.position for e in log.read()] == list(range(files[3].first, 41))
        assert [e.position for e in log.read(files[3].first - 1)] == list(range(files[3].first, 41))
        with pytest.raises(StoreError, match=rf"Entries 3 to {files[3].first - 1} were dropped"):
            log.read(after=2)
        assert len(log.drop_before(1_000)) == len(files) - 4
        assert log.segments[-1].last == 40
    with Log.open(tmp_path) as log:
        assert log.append(1, b"") == 41


def test_a_reader_of_a_file_that_is_dropped_finishes_it_and_then_says_so(tmp_path: Path) -> None:
    """Breaks if entries vanish silently under a reader."""
    with Log.open(tmp_path, segment_bytes=1_000) as log:
        for i in range(40):
            log.append(1, bytes([i]) * 100)
        assert log.wait(40, 10)
        files = log.segments
        entries = log.read()
        assert next(entries).position == 1
        log.drop_before(files[2].first)
        assert [next(entries).position for _ in range(files[0].last - 1)][-1] == files[0].last
        with pytest.raises(StoreError, match="were dropped"):
            next(entries)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """Breaks if a second opening cuts the tail of a log that is being written."""
    with Log.open(tmp_path), pytest.raises(StoreLocked, match="open already"):
        Log.open(tmp_path)
    Log.open(tmp_path).close()


def test_an_empty_log_can_begin_anywhere(tmp_path: Path) -> None:
    """Breaks if a log made beside a store that knows positions already gives them out again."""
    with Log.open(tmp_path, first=1_000) as log:
        assert log.committed == 999
        assert log.append(1, b"x") == 1_000
    with Log.open(tmp_path, first=5) as log:
        assert everything(log) == [(1_000, 1, b"x")]


@pytest.mark.parametrize("kind", [-1, 65536])
def test_a_kind_that_has_no_room_is_refused(kind: int, tmp_path: Path) -> None:
    """Breaks if a kind is cut to fit."""
    with Log.open(tmp_path) as log:
        with pytest.raises(ValueError, match="65535"):
            log.append(kind, b"")
        assert log.append(0, bytearray(b"copied")) == 1
