"""Backups of a served workspace: one point in time under load, whole after a restore, and without the erased."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from .conftest import SEGMENTS
from .served import SETTINGS, Served, shoal, shop

MARK = "ann-7731-only"


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A workspace being served."""
    found = Served(folder)
    try:
        yield found.start()
    finally:
        found.close()


def test_a_backup_under_load_is_of_one_point_in_time(served: Served, tmp_path: Path) -> None:
    """Breaks if a backup lacks what was acknowledged before it, or holds a later event without an earlier one."""
    served.track("u0", "Order Completed", revenue=150)
    served.wait_for("big", {"u0"}, 60)
    acknowledged, over = [0], Event()

    def send() -> None:
        while not over.is_set():
            number = acknowledged[-1] + 1
            served.track(f"u{number}", "Order Completed", revenue=150)
            acknowledged.append(number)

    sender = Thread(target=send)
    sender.start()
    try:
        time.sleep(2)
        before = acknowledged[-1]
        shoal(served.folder, "backup", str(tmp_path / "copy.zip"))
        after = acknowledged[-1] + 1
        time.sleep(1)
    finally:
        over.set()
        sender.join()
    assert after > before + 10
    shoal(served.folder, "restore", str(tmp_path / "copy.zip"), str(tmp_path / "again"))
    with serving(tmp_path / "again") as again:
        buyers = again.members("buyers")
        assert before < len(buyers) <= after + 1
        assert buyers == {f"u{number}" for number in range(len(buyers))}
        assert again.members("big") == buyers
        told = [c["customer"] for c in again.changes() if (c["segment"], c["change"]) == ("big", "entered")]
        assert sorted(told) == sorted(buyers)
        again.track("new", "Order Completed", revenue=150)
        again.wait_for("big", {*buyers, "new"})


def test_a_restored_workspace_is_as_it_was(served: Served, tmp_path: Path) -> None:
    """Breaks if anything is lost between a backup and its restore: profiles, lists, definitions, numbers of changes."""
    served.send("identify", userId="bob", anonymousId="visitor", traits={"plan": "pro", "email": "Bob@Example.org"})
    for who, revenue in (("ann", 30), ("bob", 300)):
        served.track(who, "Order Completed", revenue=revenue)
    shoal(served.folder, "list", "add", "vip", "ann")
    shoal(served.folder, "segment", "add", "Vip", 'listed in "vip"')
    served.wait_for("just-bought", set(), 60)
    copy = tmp_path / "copy.zip"
    shoal(served.folder, "backup", str(copy))
    expected = _state(served)
    shoal(served.folder, "segment", "remove", "vip", "--yes")
    served.track("cat", "Order Completed", revenue=300)
    served.wait_for("buyers", {"ann", "bob", "cat"})
    assert served.stop() == 0
    said = shoal(served.folder, "restore", str(copy), "--yes")
    assert "store.duckdb.before" in said
    served.start()
    assert _state(served) == expected
    served.track("cat", "Order Completed", revenue=300)
    served.wait_for("buyers", {"ann", "bob", "cat"})


def _state(served: Served) -> dict[str, object]:
    """All that clients can know."""
    slugs = [one["slug"] for one in served.get("/v1/segments")["segments"]]
    profiles = {who: served.get(f"/v1/profiles/{who}") for who in ("ann", "bob", "visitor", "email:bob@example.org")}
    for profile in profiles.values():
        profile.pop("now")
    return {"members": {slug: served.members(slug) for slug in slugs}, "profiles": profiles, "told": served.changes()}


def test_after_a_crash_the_log_is_in_the_backup(served: Served, tmp_path: Path) -> None:
    """Breaks if a backup between a crash and the next start lacks events that were acknowledged."""
    served.track("u0", "Order Completed", revenue=150)
    served.wait_for("buyers", {"u0"}, 60)
    time.sleep(1.5)
    for number in range(1, 30):
        served.track(f"u{number}", "Order Completed", revenue=150)
    served.track(MARK, "Order Completed", revenue=150, note=MARK)
    served.stop(signal.SIGKILL)
    copy = tmp_path / "copy.zip"
    shoal(served.folder, "backup", str(copy))
    everybody = {MARK, *(f"u{number}" for number in range(30))}
    shoal(served.folder, "restore", str(copy), str(tmp_path / "again"))
    with serving(tmp_path / "again") as again:
        again.wait_for("buyers", everybody)
        assert again.stop() == 0
    served.start()
    served.wait_for("buyers", everybody)
    shoal(served.folder, "forget", MARK, "--yes")
    assert served.stop() == 0
    shoal(served.folder, "restore", str(copy), "--yes")
    assert _holding(served.folder) == []
    served.start()
    served.wait_for("buyers", everybody - {MARK})


def test_the_erased_stay_erased_after_an_older_backup(served: Served, tmp_path: Path) -> None:
    """Breaks if a backup from before the erasure brings a person back, by its rows or by a retry of an old call."""
    call = {
        "userId": MARK, "event": "Order Completed", "messageId": "first", "properties": {"revenue": 70, "note": MARK},
        "timestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    assert served.send(**call).status_code == 200
    served.track("bob", "Order Completed", revenue=50, friend=MARK)
    served.wait_for("buyers", {MARK, "bob"}, 60)
    old = tmp_path / "old.zip"
    shoal(served.folder, "backup", str(old))
    shoal(served.folder, "forget", MARK, "--yes")
    served.wait_for("buyers", {"bob"})
    new = tmp_path / "new.zip"
    shoal(served.folder, "backup", str(new))
    assert served.stop() == 0
    shoal(served.folder, "restore", str(old), "--yes")
    assert _holding(served.folder) == []
    served.start()
    assert served.members("buyers") == {"bob"}
    assert served.send(**{**call, "messageId": "again"}).status_code == 200
    served.track("cat", "Order Completed", revenue=50)
    served.wait_for("buyers", {"bob", "cat"})
    # The newer backup brings the tombstones, and the secret of them, to a machine that never knew the person.
    shoal(served.folder, "restore", str(new), str(tmp_path / "elsewhere"))
    with serving(tmp_path / "elsewhere") as elsewhere:
        assert elsewhere.send(**{**call, "messageId": "once more"}).status_code == 200
        elsewhere.track("dan", "Order Completed", revenue=50)
        elsewhere.wait_for("buyers", {"bob", "dan"})


def _holding(folder: Path) -> list[str]:
    """The files of a workspace that hold the person's name, save what a restore has set aside."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and ".before" not in str(path) and MARK.encode() in path.read_bytes()
    ]


@pytest.fixture
def copying(tmp_path: Path) -> Iterator[Served]:
    """A served shop with a job that makes copies."""
    folder = shop(tmp_path / "shop", {"buyers": SEGMENTS["buyers"]})
    job = f"jobs:\n  copy: {{run: backup, every: day at 03:00, to: {tmp_path / 'copies'}, keep: 2}}\n"
    (folder / "shoal.yaml").write_text(SETTINGS + job)
    with serving(folder) as found:
        yield found


def test_the_job_makes_the_same_backup(copying: Served, tmp_path: Path) -> None:
    """Breaks if the nightly copy lacks the last second, or can't be restored."""
    copying.track("ann", "Order Completed", revenue=30)
    assert "Wrote" in shoal(copying.folder, "jobs", "run", "copy")
    (copy,) = (tmp_path / "copies").iterdir()
    shoal(copying.folder, "restore", str(copy), str(tmp_path / "again"))
    sizes = {
        row["slug"]: row["size"] for row in json.loads(shoal(tmp_path / "again", "segments", "--json"))["segments"]
    }
    assert sizes == {"buyers": 1}
