"""Jobs of a served workspace: the long ones in a process of their own, which gives way and whose faults are told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from .served import SETTINGS, Served, shop, write_segment
from .test_beside import asked, run

JOBS = """\
sources:
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at, properties: {revenue: amount}}]
jobs:
  nightly: {run: load, every: day at 06:00}
  morning: {run: report, every: day at 07:00, to: report.html}
"""


@pytest.fixture
def working(tmp_path: Path) -> Iterator[Served]:
    """A served shop with two long jobs, and no file to load yet."""
    folder = shop(tmp_path / "shop", {"buyers": 'did "Order Completed"'})
    (folder / "shoal.yaml").write_text(SETTINGS + JOBS)
    (folder / "orders.csv").write_text("customer,amount,at\nc1,10,2026-01-02T10:00:00Z\n")
    found = Served(folder)
    try:
        yield found.start()
    finally:
        found.close()


def test_a_long_job_works_in_a_process_that_gives_way(working: Served) -> None:
    """Breaks if a job works in the server's own process, where events would wait for it, or isn't of low priority."""
    assert run(working.folder, "jobs", "run", "nightly").returncode == 0
    working.wait_for("buyers", {"c1"})
    seen: set[int] = set()
    asking = Thread(target=lambda: run(working.folder, "jobs", "run", "morning"))
    asking.start()
    while asking.is_alive():
        seen |= {_nice(p) for p in _children("shoal.server.child")}
        time.sleep(0.02)
    assert seen - {None} == {10} or seen - {None} == {0, 10}
    assert "<html" in (working.folder / "report.html").read_text(encoding="utf-8")
    assert [one["state"] for one in asked(working.folder, "jobs", "history")] == ["done", "done"]


def test_what_a_long_job_meets_is_told_as_the_command_tells_it(working: Served) -> None:
    """Breaks if a job's failure is only an exit code of a process, or changes something half."""
    (working.folder / "orders.csv").write_text("customer,amount\nc1,10\n")
    done = run(working.folder, "jobs", "run", "nightly")
    assert done.returncode == 1
    (last,) = asked(working.folder, "jobs", "history")
    assert last["state"] == "failed"
    assert "The source orders has no column 'at'" in last["message"]
    assert working.track("ann", "Order Completed", revenue=1) is None
    working.wait_for("buyers", {"ann"})


def test_a_stop_ends_a_long_job(working: Served) -> None:
    """Breaks if a stop waits for a load, or leaves its process behind with half of it in the store."""
    rows = "".join(f"c{n},{n % 90},2026-01-02T10:00:00Z\n" for n in range(400_000))
    (working.folder / "orders.csv").write_text("customer,amount,at\n" + rows)
    asking = Thread(target=lambda: run(working.folder, "jobs", "run", "nightly"))
    asking.start()
    while not _children("shoal.server.child"):
        time.sleep(0.01)
    time.sleep(0.3)
    assert working.stop() == 0
    asking.join(30)
    assert _children("shoal.server.child") == []
    listed = asked(working.folder, "segments")["segments"]
    assert {row["slug"]: row["size"] for row in listed}.get("buyers", 0) in (0, 400_000)


def test_moods_beside_a_server_go_through_its_log(tmp_path: Path) -> None:
    """Breaks if the job writes to the store past the server, so that profiles and memberships don't hear of a mood, or calls
    wait for it."""
    folder = shop(tmp_path / "shop", {"writers": 'did "Review Written"'})
    (folder / "shoal.yaml").write_text(SETTINGS + "jobs:\n  moods: {run: feedback, every: day at 05:00}\n")
    found = Served(folder)
    try:
        found.start()
        found.track("ann", "Review Written", text="Terrible, rude and slow.")
        found.track("bob", "Review Written", text="I love it, great quality.")
        found.wait_for("writers", {"ann", "bob"})
        done = run(folder, "jobs", "run", "moods")
        assert done.returncode == 0, done.stderr
        (last,) = asked(folder, "jobs", "history")
        assert last["message"] == "2 customers with another sentiment; 0 entered a segment by it, 0 left one."
        moods = {who: found.get(f"/v1/profiles/{who}")["scores"]["sentiment"]["value"] for who in ("ann", "bob")}
        assert moods["ann"] < 0 < moods["bob"]
        write_segment(folder, "unhappy", "sentiment < 0")
        found.wait_for("unhappy", {"ann"})
        found.track("bob", "Review Written", text="Awful, it broke, what a waste of money.")
        assert run(folder, "jobs", "run", "moods").returncode == 0
        found.wait_for("unhappy", {"ann", "bob"})
        assert [c["because"] for c in found.changes() if (c["customer"], c["segment"]) == ("bob", "unhappy")] == [
            "scored"
        ]
        assert asked(folder, "jobs", "history")[0]["message"].startswith("1 customer with another sentiment; 1 entered")
        assert asked(folder, "feedback", "--write")["changed"] == {"sentiment": 0}
    finally:
        found.close()


def _children(what: str) -> list[Path]:
    """The processes whose command line has a word."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if what.encode() in (place / "cmdline").read_bytes().split(b"\0"):
                found.append(place)
        except OSError:
            continue
    return found


def _nice(place: Path) -> int | None:
    try:
        return int((place / "stat").read_text().rpartition(")")[2].split()[16])
    except OSError:
        return None
