"""Files of a workspace that can't be accepted or written: the last good version holds, nothing is left half done."""

from __future__ import annotations

import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shoal.errors import DefinitionError, StoreError
from shoal.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAWS = {
    "an unknown trait": "where: ordrs > 3",
    "another type": 'where: orders > "many"',
    "an unknown purpose": "purpose: newsleter\nwhere: orders > 3",
    "a circle with itself": 'where: member of "many"',
    "a segment that isn't there": 'where: member of "nope"',
    "grammar": "where: orders > > 3",
}


def _write(root: Path, slug: str, text: str) -> None:
    (root / "segments" / f"{slug}.yaml").write_text(f"name: {slug}\n{text}\n", encoding="utf-8")


def _sizes(shop: Workspace) -> dict[str, int]:
    return {row["slug"]: row["size"] for row in shop.segments.table().to_pylist()}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_file_that_fails_the_check_keeps_its_last_good_version_too(root: Path, flaw: str) -> None:
    """Breaks if a wrong name in an editor takes a segment, and those that name it, out of force; a wrong comma doesn't."""
    with open_workspace(root) as shop:
        shop.segments.add("Many", "orders > 3", slug="many")
        shop.segments.add("Some of them", 'member of "many" and country = "KE"', slug="some")
        before = _sizes(shop)
    _write(root, "many", FLAWS[flaw])
    for _ in range(2):  # Also once it has been seen.
        with open_workspace(root) as shop:
            assert _sizes(shop) == before
            assert list(shop.catalogue.faults) == ["many"]
            (said,) = shop.data.faults()
            assert "segments/many.yaml:" in said
            assert "Its last good version stays in force." in said.splitlines()[0]


def test_a_circle_is_the_fault_of_the_file_that_was_changed(root: Path) -> None:
    """Breaks if the segment that was sound falls with the one that was bent to name it."""
    with open_workspace(root) as shop:
        shop.segments.add("Many", "orders > 3", slug="many")
        shop.segments.add("Some of them", 'member of "many"', slug="a-few")
        before = _sizes(shop)
    _write(root, "many", 'where: orders > 3 and not member of "a-few"')
    with open_workspace(root) as shop:
        assert list(shop.catalogue.faults) == ["many"]
        assert "circle" in str(shop.catalogue.faults["many"])
        assert _sizes(shop) == before


def test_a_file_that_is_not_utf_8_is_a_fault_with_its_line(root: Path) -> None:
    """Breaks if a segment is accepted with its letters replaced, and then asks for what nobody has."""
    (root / "segments" / "latin.yaml").write_bytes('name: Latin\nwhy: x\nwhere: country = "Perú"\n'.encode("latin-1"))
    with open_workspace(root) as shop:
        assert "latin" not in shop.definitions
        assert str(shop.catalogue.faults["latin"]).startswith("segments/latin.yaml:3: The line isn't UTF-8.")


@pytest.mark.parametrize("command", [["segments"], ["status"], ["load"], ["segments", "--json"], ["status", "--json"]])
def test_a_script_learns_of_faults_by_the_exit_code(root: Path, command: list[str]) -> None:
    """Breaks if a nightly load with a segment that isn't in force as it was written looks like any other."""
    from shoal.cli import main

    def code() -> object:
        with pytest.raises(SystemExit) as ended:
            main(["-w", str(root), *command])
        return ended.value.code

    assert code() == 0
    _write(root, "typo", "where: ordrs > 3")
    assert code() == 7


def test_no_segment_in_force_is_not_told_as_none_written(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from shoal.cli import main

    (root / "segments" / "lapsed-vips.yaml").unlink()
    _write(root, "typo", "where: ordrs > 3")
    with pytest.raises(SystemExit):
        main(["-w", str(root), "segments"])
    told = capsys.readouterr()
    assert "no segments yet" not in told.out
    assert "typo.yaml:2" in told.err


@contextmanager
def _no_room() -> Iterator[None]:
    """No file can grow, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_segment_that_finds_no_room_leaves_nothing(shop: Workspace) -> None:
    """Breaks if a full disk ends in a traceback, or half a file stays behind."""
    folder = shop.config.root / "segments"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with _no_room(), pytest.raises(StoreError, match="The disk is full"):
        shop.segments.add("Many", "orders > 3")
    with _no_room(), pytest.raises(StoreError, match="The disk is full"):
        shop.segments.edit("Lapsed VIPs", where="orders > 3")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(shop.definitions) == ["lapsed-vips"]


def test_a_segment_whose_members_can_t_be_published_is_not_saved(shop: Workspace) -> None:
    """Breaks if the message says that nothing was changed, and the file stays."""
    folder = shop.config.root / "segments"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    shop.store.execute("ALTER TABLE membership_changes RENAME TO elsewhere")
    with pytest.raises(StoreError):
        shop.segments.add("Many", "orders > 3")
    with pytest.raises(StoreError):
        shop.segments.edit("Lapsed VIPs", where="orders > 3")
    shop.store.execute("ALTER TABLE elsewhere RENAME TO membership_changes")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert shop.store.rows("SELECT slug, max(version) FROM definitions WHERE kind = 'segment' GROUP BY slug") == [
        ("lapsed-vips", 1)
    ]
    with pytest.raises(DefinitionError, match="There is a segment"):
        shop.segments.add("Lapsed VIPs", "orders > 3")


def test_init_on_a_full_disk_says_so_and_can_be_tried_again(root: Path, tmp_path: Path) -> None:
    """Breaks if an empty shoal.yaml is left, and the next try finds a workspace there already."""
    target = tmp_path / "new" / "shop"
    command = [sys.executable, "-B", "-m", "shoal.cli", "init", str(target), "--from", str(root.parent / "exports")]
    limits = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **limits)  # type: ignore[call-overload]
    assert done.returncode == 5, done.stderr
    assert "The disk is full." in done.stderr
    assert "Traceback" not in done.stderr
    assert not target.parent.exists()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
