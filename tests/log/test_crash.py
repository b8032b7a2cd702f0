"""What a crash or a bad disk leaves: unfinished writes are cut, damage to acknowledged entries is refused."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.errors import StoreError
from shoal.log import Log

KILLS = int(os.environ.get("SHOAL_KILLS", "6"))

_WRITER = """
    import os, random, sys, threading
    from pathlib import Path
    from shoal.log import Log

    log = Log.open(Path(sys.argv[1]), segment_bytes=300_000)
    draw = random.Random(int(sys.argv[2]))
    sizes = [draw.choice([0, 10, 300, 25_000, 100_000]) for _ in range(50)]
    print("open", log.committed, flush=True)

    def work():
        while True:
            for size in sizes:
                position = log.append(size % 7, b"")
                body = log.append(1, position.to_bytes(8, "little") * (size // 8 + 1))
                log.wait(body)
                # One write, so that threads don't mix their lines.
                os.write(1, f"{position} {body} {size}\\n".encode())

    for _ in range(4):
        threading.Thread(target=work).start()
"""


@pytest.mark.parametrize("seed", range(KILLS))
def test_kill_9_at_any_moment_loses_nothing_that_was_acknowledged(seed: int, tmp_path: Path) -> None:
    """Breaks if an acknowledged entry isn't there after a kill, one is changed, or the log doesn't open again."""
    draw = random.Random(seed)
    acknowledged: dict[int, int] = {}
    for life in range(3):
        told = _write_until_killed(tmp_path, seed * 10 + life, draw.randrange(0, 60), draw.uniform(0, 0.2))
        acknowledged |= told
        with Log.open(tmp_path) as log:
            entries = {e.position: e for e in log.read()}
            assert list(entries) == list(range(1, log.committed + 1))
        for body, before in acknowledged.items():
            payload = entries[body].payload
            assert payload == before.to_bytes(8, "little") * (len(payload) // 8)
            assert entries[before].payload == b""


def _write_until_killed(folder: Path, seed: int, lines: int, seconds: float) -> dict[int, int]:
    command = [sys.executable, "-c", textwrap.dedent(_WRITER), str(folder), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = b"".join(process.stdout.readline() for _ in range(lines + 1))
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
        told += process.stdout.read()
    assert process.returncode == -9, told
    # What the kill cut in the middle of a line was not told.
    words = [line.split() for line in told.decode().split("\n")[1:-1]]
    return {int(body): int(before) for before, body, _ in words}


def _three_groups(folder: Path) -> list[int]:
    """A log of six entries in three groups, as a killed process leaves it; returns where each group begins, and the end."""
    script = """
        import os, sys
        from pathlib import Path
        from shoal.log import Log

        log = Log.open(Path(sys.argv[1]))
        for group in range(3):
            print(log.size)
            log.append(1, b"a" * 100)
            log.wait(log.append(2, bytes([group + 65]) * 50))
        print(log.size, flush=True)
        os._exit(0)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(folder)], capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


def _file(folder: Path) -> Path:
    return folder / f"{1:020d}.log"


def test_an_end_cut_off_at_any_byte_leaves_the_entries_before_it(tmp_path: Path) -> None:
    """Breaks if a torn tail is guessed at, keeps the log from opening, or takes a whole entry with it."""
    _three_groups(tmp_path)
    path = _file(tmp_path)
    whole = path.read_bytes()
    with Log.open(tmp_path) as log:
        entries = list(log.read())
    ends = [32]
    for entry in entries:
        ends.append(whole.index(entry.payload, ends[-1]) + len(entry.payload))
    for size in range(32, len(whole), 5):
        path.write_bytes(whole[:size])
        with Log.open(tmp_path) as log:
            kept = list(log.read())
            assert kept == entries[: sum(end <= size for end in ends[1:])]
            assert log.append(9, b"goes on") == len(kept) + 1
        with Log.open(tmp_path) as log:
            assert [e.payload for e in log.read()][-1] == b"goes on"


def test_nothing_of_a_torn_tail_stays_in_a_file_that_another_follows(tmp_path: Path) -> None:
    """Breaks if what was cut is still there once the log has gone on in the next file, which then refuses to open."""
    _three_groups(tmp_path)
    whole = _file(tmp_path).read_bytes()
    _file(tmp_path).write_bytes(whole + bytes(5_000))
    for _ in range(2):
        with Log.open(tmp_path, segment_bytes=len(whole) + 10) as log:
            assert log.wait(log.append(1, b"in the next file"), 10)
    assert _file(tmp_path).stat().st_size < len(whole) + 100
    with Log.open(tmp_path) as log:
        assert [e.position for e in log.read()] == list(range(1, 9))


@given(data=st.data())
@settings(max_examples=60)
def test_a_flipped_bit_in_what_was_acknowledged_is_refused(data: st.DataObject, shared: tuple[Path, bytes]) -> None:
    """Breaks if damage passes for a torn tail and entries that were acknowledged are cut or read changed."""
    folder, whole = shared
    at = data.draw(st.integers(0, len(whole) - 25))
    bit = data.draw(st.integers(0, 7))
    # The bytes that stand for nothing yet are part of the checked bytes too.
    path = _file(folder)
    changed = bytearray(whole)
    changed[at] ^= 1 << bit
    path.write_bytes(changed)
    with pytest.raises(StoreError) as refused:
        Log.open(folder).close()
    assert path.read_bytes() == bytes(changed)
    text = str(refused.value)
    assert str(path) in text
    assert "byte" in text or "format" in text
    assert refused.value.fix


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A log as a killed process leaves it: every entry acknowledged and followed by a mark."""
    folder = tmp_path_factory.mktemp("flips")
    _three_groups(folder)
    return folder, _file(folder).read_bytes()


def test_the_error_says_which_entry_and_where(tmp_path: Path) -> None:
    """Breaks if whoever must repair it isn't told file, entry and byte."""
    _three_groups(tmp_path)
    path = _file(tmp_path)
    data = bytearray(path.read_bytes())
    begin = data.index(b"a" * 100) - 24
    data[begin + 60] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError) as refused:
        Log.open(tmp_path)
    assert str(refused.value) == (
        f"{path}, byte {begin}: Entry 1 is damaged: the checksum doesn't fit the bytes. "
        "Everything before it is whole. Check the disk and restore the log from a backup."
    )


def test_a_last_group_that_a_power_cut_wrote_in_part_is_cut_whole_from_the_gap_on(tmp_path: Path) -> None:
    """Breaks if pages of an unfinished group that came to disk out of order are taken for damage of what was acknowledged."""
    begins = _three_groups(tmp_path)
    path = _file(tmp_path)
    data = bytearray(path.read_bytes())
    # The last group without the mark that followed it, and its first entry never written.
    last = data.index(b"a" * 100, begins[2])
    del data[len(data) - 24 :]
    data[last - 24 : last + 60] = bytes(84)
    path.write_bytes(data)
    with Log.open(tmp_path) as log:
        assert [e.position for e in log.read()] == [1, 2, 3, 4]
        assert log.cut_bytes > 0


def test_a_payload_that_looks_like_a_mark_doesnt_make_a_torn_tail_pass_for_damage(tmp_path: Path) -> None:
    """Breaks if a client who knows the format can keep a log from opening after a crash."""
    _three_groups(tmp_path)
    data = _file(tmp_path).read_bytes()
    with Log.open(tmp_path / "other") as log:
        # A mark of another log: the same bytes but for the seed.
        log.wait(log.append(1, b"first"))
        log.wait(log.append(1, data[-24:] * 10))
    path = _file(tmp_path / "other")
    torn = path.read_bytes()[:-24]
    path.write_bytes(torn[: torn.index(data[-24:]) - 10] + b"?" + torn[torn.index(data[-24:]) - 9 :])
    with Log.open(tmp_path / "other") as log:
        assert [e.payload for e in log.read()] == [b"first"]


def _rolled(folder: Path) -> list[Path]:
    with Log.open(folder, segment_bytes=1_000) as log:
        for i in range(30):
            log.append(1, bytes([i]) * 100)
        log.wait(30)
        return [s.path for s in log.segments]


def test_an_earlier_file_must_be_whole(tmp_path: Path) -> None:
    """Breaks if a file that others follow may end early, be damaged or be gone without an error that names it."""
    paths = _rolled(tmp_path)
    whole = paths[1].read_bytes()
    changes = {
        "is damaged": whole[:-10],
        "is damaged: ": whole + bytes(40),
        "are missing: the next file begins with": whole[:32],
        "isn't a log file": whole[:20],
        "which its name doesn't say": paths[0].read_bytes(),
    }
    for said, bytes_ in changes.items():
        paths[1].write_bytes(bytes_)
        with pytest.raises(StoreError, match=said) as refused:
            Log.open(tmp_path)
        assert str(paths[1]) in str(refused.value)
    paths[1].unlink()
    with pytest.raises(StoreError, match=r"are missing|is damaged"):
        Log.open(tmp_path)


def test_what_opening_quickly_doesnt_check_is_checked_when_it_is_read(tmp_path: Path) -> None:
    """Breaks if ``check_all=False`` lets damaged entries through."""
    paths = _rolled(tmp_path)
    data = bytearray(paths[1].read_bytes())
    data[-5] ^= 4
    paths[1].write_bytes(data)
    with Log.open(tmp_path, check_all=False) as log:
        entries = log.read()
        assert next(entries).position == 1
        with pytest.raises(StoreError, match=r"Entry \d+ is damaged"):
            list(entries)
        with pytest.raises(StoreError, match=r"Entry \d+ is damaged"):
            log.rewrite(lambda entry: None if entry.position > 10 else entry.payload)


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    """Breaks if a log of a newer release is called damaged, or cut."""
    import struct
    import zlib

    _three_groups(tmp_path)
    data = bytearray(_file(tmp_path).read_bytes())
    data[8:12] = struct.pack("<I", 2)
    data[28:32] = struct.pack("<I", zlib.crc32(data[:28]))
    _file(tmp_path).write_bytes(data)
    with pytest.raises(StoreError, match="format 2; this release knows format 1"):
        Log.open(tmp_path)
