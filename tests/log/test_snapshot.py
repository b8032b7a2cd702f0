"""Snapshots come back as they were, or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shoal.log import snapshot

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where hundreds of examples needn't wait for a disk."""

TYPES = st.one_of(
    hnp.integer_dtypes(endianness="<"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="<", sizes=(32, 64)),
    hnp.boolean_dtypes(),
    hnp.byte_string_dtypes(min_len=1, max_len=9),
    hnp.unicode_string_dtypes(min_len=1, max_len=5, endianness="<"),
    st.just(np.dtype("<M8[us]")),
)
ARRAYS = st.dictionaries(
    st.text(min_size=1, max_size=8),
    TYPES.flatmap(lambda t: hnp.arrays(t, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))),
    max_size=5,
)


@given(arrays=ARRAYS, head=st.dictionaries(st.text(), st.one_of(st.integers(), st.text(), st.none())))
@settings(max_examples=80)
def test_arrays_and_head_come_back_as_they_were(arrays: dict[str, np.ndarray], head: dict[str, object]) -> None:
    """Breaks if any type, shape, name or value is changed by saving and loading."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = snapshot.save(Path(folder) / "new", 12, head, arrays)
        loaded, reason = snapshot.load(path)
        assert loaded is not None, reason
        assert (loaded.position, loaded.head, list(loaded.arrays)) == (12, head, list(arrays))
        for name, array in arrays.items():
            back = loaded.arrays[name]
            assert (back.dtype, back.shape) == (array.dtype, array.shape)
            assert back.tobytes() == array.tobytes()
            assert array.size == 0 or back.ctypes.data % 16 == 0


def test_arrays_of_several_blocks_in_any_order_of_memory(tmp_path: Path) -> None:
    """Breaks if a block's checksum is wrong where an array crosses its edge, or a view is written in its own order."""
    big = np.arange(5_000_000, dtype=np.int64)
    turned = np.arange(12).reshape(3, 4).T
    loaded, reason = snapshot.load(snapshot.save(tmp_path, 1, {}, {"big": big, "turned": turned, "every": big[::7]}))
    assert loaded is not None, reason
    assert np.array_equal(loaded.arrays["big"], big)
    assert np.array_equal(loaded.arrays["turned"], turned)
    assert np.array_equal(loaded.arrays["every"], big[::7])


def test_a_loaded_state_can_be_changed_and_the_file_stays(tmp_path: Path) -> None:
    """Breaks if the engine can't work in the arrays where they lie, or its work reaches the file."""
    path = snapshot.save(tmp_path, 1, {}, {"a": np.arange(1000)})
    first, _ = snapshot.load(path)
    assert first is not None
    first.arrays["a"][:] = 7
    snapshot.prune(tmp_path, keep=0)
    assert first.arrays["a"].sum() == 7000
    path = snapshot.save(tmp_path, 1, {}, {"a": np.arange(1000)})
    again, _ = snapshot.load(path)
    assert again is not None
    assert again.arrays["a"][3] == 3


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    folder = tmp_path_factory.mktemp("snapshots")
    path = snapshot.save(folder, 5, {"as of": "now"}, {"a": np.arange(60), "b": np.ones(3, bool)})
    return path, path.read_bytes()


@given(data=st.data())
@settings(max_examples=80)
def test_a_changed_or_missing_byte_refuses_the_whole(data: st.DataObject, saved: tuple[Path, bytes]) -> None:
    """Breaks if a damaged snapshot is read, in part or as something else, or if the reason isn't told."""
    path, whole = saved
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    for content in (bytes(changed), whole[:at], whole + b"\0"):
        path.write_bytes(content)
        loaded, reason = snapshot.load(path)
        assert loaded is None
        assert reason.startswith(f"{path}: it")
        assert reason.endswith(".")


def test_a_snapshot_that_isnt_there_has_a_reason(tmp_path: Path) -> None:
    """Breaks if a first start, without any snapshot, fails."""
    loaded, reason = snapshot.load(tmp_path / "none.snapshot")
    assert loaded is None
    assert "No such file" in reason
    assert snapshot.newest(tmp_path / "nowhere") == (None, [])


def test_the_newest_that_is_whole_is_used_and_old_ones_go(tmp_path: Path) -> None:
    """Breaks if a damaged newest keeps an older one from being used, or old and unfinished ones pile up."""
    for position in (9, 10, 100):
        snapshot.save(tmp_path, position, {}, {"at": np.array([position])})
    assert [int(p.stem) for p in sorted(tmp_path.iterdir())] == [10, 100]
    newest = sorted(tmp_path.iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    found, reasons = snapshot.newest(tmp_path)
    assert found is not None
    assert found.position == 10
    assert len(reasons) == 1
    assert str(newest) in reasons[0]
    (tmp_path / f"{7:020d}.snapshot.partial").write_bytes(b"unfinished")
    assert len(snapshot.prune(tmp_path, keep=0)) == 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("array", [np.array([{}]), np.zeros(2, [("a", "i4")])])
def test_what_a_snapshot_cant_hold_is_refused_by_name(array: np.ndarray, tmp_path: Path) -> None:
    """Breaks if an array of objects is written as addresses."""
    with pytest.raises(TypeError, match="'odd'"):
        snapshot.save(tmp_path, 1, {}, {"odd": array})
    assert not list(tmp_path.iterdir())
