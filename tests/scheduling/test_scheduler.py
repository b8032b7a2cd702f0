"""Jobs as a workspace runs them: once each, caught up once, one at a time, with a history that says how it went."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scheduling.conftest import QUICK, Shop, at, scheduler, states
from shoal.cli import main
from shoal.clock import DAY, HOUR, Clock, StoppedClock, iso
from shoal.config import Job
from shoal.errors import ConfigError, ShoalError, UnknownName
from shoal.workspace import Workspace, open_workspace
from shoal.workspace.backup_restore import restore_backup
from shoal.workspace.scheduling import Scheduler

NIGHTLY = '  nightly: {run: load, every: "day at 06:00"}\n'
TWO = NIGHTLY + '  morning: {run: publish, every: "day at 06:00"}\n'


def test_a_new_job_doesnt_run_for_the_past_and_then_runs_once_a_day(shop: Shop) -> None:
    """Breaks when a job is run at first sight, twice for one day, or not at all."""
    shop.write(NIGHTLY)
    assert shop.run_due("2024-03-10T09:00:00") == []
    assert shop.run_due("2024-03-11T05:59:59") == []
    (run,) = shop.run_due("2024-03-11T06:00:00")
    assert (run.job, run.state, iso(run.due)) == ("nightly", "done", "2024-03-11T06:00:00Z")
    assert "2 Order Completed" in run.message
    assert shop.run_due("2024-03-11T06:00:01") == []
    assert shop.run_due("2024-03-11T23:59:59") == []
    assert len(shop.run_due("2024-03-12T06:10:00", work=QUICK)) == 1


def test_many_missed_runs_are_caught_up_by_one(shop: Shop) -> None:
    """Breaks when a machine that was off for a week loads seven times, or waits for the next morning."""
    shop.write(NIGHTLY)
    shop.run_due("2024-03-10T09:00:00", work=QUICK)
    (run,) = shop.run_due("2024-03-17T10:00:00", work=QUICK)
    assert iso(run.due) == "2024-03-17T06:00:00Z"
    assert shop.run_due("2024-03-17T10:01:00", work=QUICK) == []
    assert len(shop.run_due("2024-03-18T06:00:00", work=QUICK)) == 1


@pytest.mark.parametrize("date", ["2024-03-31", "2024-10-27"])
def test_a_night_of_change_runs_a_job_once(shop: Shop, date: str) -> None:
    """Breaks when the hour that is missing loses a run, or the one that comes twice doubles it."""
    shop.write('  night: {run: publish, every: "day at 01:30"}\n')
    start = at(f"{date}T00:00:00") - 6 * HOUR
    with shop.open() as workspace:
        jobs = Scheduler(workspace, clock=StoppedClock(instant=start), work=QUICK)
        jobs.due(start - DAY // 2)
        runs = [run for minutes in range(0, 24 * 60, 10) for run in jobs.run_due(start + minutes * 60_000_000)]
    assert len(runs) == 1


def test_next_due_is_when_the_next_one_runs_and_now_where_one_is_overdue(shop: Shop) -> None:
    """Breaks when the server's loop sleeps past a job, or spins."""
    shop.write(NIGHTLY + '  weekly: {run: recalibrate, every: "monday at 07:30"}\n')
    with shop.open() as workspace:
        jobs = scheduler(workspace, "2024-03-10T09:00:00", work=QUICK)
        assert jobs.next_due(at("2024-03-10T09:00:00")) == at("2024-03-11T06:00:00")
        assert jobs.next_due(at("2024-03-11T06:30:00")) == at("2024-03-11T06:30:00")
        jobs.run_due(at("2024-03-11T06:30:00"))
        assert jobs.next_due(at("2024-03-11T06:30:00")) == at("2024-03-11T07:30:00")
    shop.write("")
    with shop.open() as workspace:
        assert scheduler(workspace, "2024-03-11T06:00:00", work=QUICK).next_due(0) is None


def test_the_longest_overdue_comes_first_then_the_order_of_the_file(shop: Shop) -> None:
    """Breaks when a report is written before the load that stands above it."""
    shop.write('  late: {run: publish, every: "day at 07:00"}\n' + TWO)
    shop.run_due("2024-03-10T09:00:00", work=QUICK)
    assert [run.job for run in shop.run_due("2024-03-11T09:00:00", work=QUICK)] == ["nightly", "morning", "late"]


def test_a_changed_schedule_counts_from_when_it_was_changed(shop: Shop) -> None:
    """Breaks when moving a job to an hour that is over runs it at once, or an unchanged one is planned anew."""
    shop.write(NIGHTLY)
    shop.run_due("2024-03-10T09:00:00", work=QUICK)
    shop.run_due("2024-03-11T06:00:00", work=QUICK)
    shop.write('  nightly: {run: load, every: "day at 08:00"}\n')
    assert shop.run_due("2024-03-11T10:00:00", work=QUICK) == []
    assert len(shop.run_due("2024-03-12T08:00:00", work=QUICK)) == 1
    assert [state for _, state in shop.rows()] == ["planned", "done", "planned", "done"]


def test_rows_of_a_clock_that_went_ahead_dont_hold_jobs_up(shop: Shop) -> None:
    """Breaks when a machine that believed it was 2040 for a minute runs nothing until then."""
    shop.write(NIGHTLY)
    shop.run_due("2024-03-10T09:00:00", work=QUICK)
    assert len(shop.run_due("2040-01-01T09:00:00", work=QUICK)) == 1
    assert len(shop.run_due("2024-03-11T06:00:00", work=QUICK)) == 1


def test_a_failure_is_told_and_the_others_run(shop: Shop) -> None:
    """Breaks when one broken job stops the rest, hides why, or is tried again and again."""
    shop.write(TWO)
    (shop.root / "orders.csv").unlink()
    shop.run_due("2024-03-10T09:00:00")
    first, second = shop.run_due("2024-03-11T06:00:00")
    assert (first.state, second.state) == ("failed", "done")
    assert "orders.csv" in first.message
    assert shop.run_due("2024-03-11T06:30:00") == []
    with shop.open() as workspace:
        (nightly, _) = scheduler(workspace, "2024-03-11T07:00:00").table(at("2024-03-11T07:00:00"))
        assert nightly.last == first
        assert iso(nightly.due) == "2024-03-12T06:00:00Z"


def test_what_nobody_expected_is_told_without_its_text(shop: Shop) -> None:
    """Breaks when a fault in the code ends the server's loop, or its text (which may hold data) is kept."""

    def broken(workspace: Workspace, job: Job, when: int) -> str:
        raise KeyError("ann@shop.example")

    shop.write(NIGHTLY)
    shop.run_due("2024-03-10T09:00:00")
    (run,) = shop.run_due("2024-03-11T06:00:00", work={"load": broken})
    assert (run.state, run.message) == ("failed", "KeyError")


DIE = """
import os, sys
from pathlib import Path
from shoal.clock import StoppedClock
from shoal.workspace import open_workspace
from shoal.workspace.scheduling import Scheduler
now = int(sys.argv[2])
with open_workspace(Path(sys.argv[1])) as workspace:
    Scheduler(workspace, clock=StoppedClock(instant=now), work={"load": lambda *_: os._exit(9)}).run_due(now)
"""


def test_a_run_that_died_with_its_process_is_tried_once_more_and_no_more(shop: Shop) -> None:
    """Breaks when a kill loses a run, or a job that kills its process does so for ever."""
    shop.write(NIGHTLY)
    shop.run_due("2024-03-10T09:00:00", work=QUICK)
    for _ in range(2):
        now = str(at("2024-03-11T06:00:00"))
        assert subprocess.run([sys.executable, "-c", DIE, str(shop.root), now], check=False).returncode == 9
    assert shop.run_due("2024-03-11T06:10:00", work=QUICK) == []
    assert [state for _, state in shop.rows()] == ["planned", "interrupted", "interrupted"]
    assert len(shop.run_due("2024-03-12T06:00:00", work=QUICK)) == 1


def test_ctrl_c_stops_a_run_and_says_so(shop: Shop) -> None:
    """Breaks when a run that was stopped by hand stays ``running`` in the history."""

    def stopped(workspace: Workspace, job: Job, when: int) -> str:
        raise KeyboardInterrupt

    shop.write(NIGHTLY)
    with shop.open() as workspace:
        with pytest.raises(KeyboardInterrupt):
            scheduler(workspace, "2024-03-11T06:00:00", work={"load": stopped}).run("nightly")
        assert states(workspace.store) == [("nightly", "planned"), ("nightly", "interrupted")]


def test_two_runs_never_overlap(shop: Shop) -> None:
    """Breaks when the loop starts a job while the API runs one."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(workspace: Workspace, job: Job, when: int) -> str:
        begun.set()
        assert go_on.wait(20)
        return "Slept."

    shop.write(NIGHTLY)
    with shop.open() as workspace:
        jobs = scheduler(workspace, "2024-03-11T06:00:00", work={"load": slow}, store=workspace.store.cursor())
        thread = threading.Thread(target=jobs.run, args=("nightly",))
        thread.start()
        assert begun.wait(20)
        assert jobs.run_due(at("2024-03-12T06:00:00")) == []
        with pytest.raises(ShoalError, match="Another job is running"):
            jobs.run("nightly")
        go_on.set()
        thread.join()
        assert [run.state for run in jobs.history()] == ["done"]
        assert jobs.due(at("2024-03-11T07:00:00")) == [], "a run by hand is as good as one by the clock"


def test_an_unknown_job_is_refused_with_the_nearest(shop: Shop) -> None:
    shop.write(NIGHTLY)
    with shop.open() as workspace, pytest.raises(UnknownName, match='Did you mean "nightly"'):
        scheduler(workspace, "2024-03-11T06:00:00").run("nighly")


def test_every_kind_of_work_does_what_it_says(shop: Shop, tmp_path: Path) -> None:
    """Breaks when a job is accepted in shoal.yaml and does nothing, or something else."""
    shop.write(
        "  a: {run: load, every: hour, only: orders}\n"
        "  b: {run: recalibrate, every: hour}\n"
        "  c: {run: publish, every: hour}\n"
        '  d: {run: report, every: hour, to: "reports/{date}.html"}\n'
        f"  e: {{run: backup, every: hour, to: {tmp_path / 'copies'}, keep: 2}}\n"
        "  f: {run: expire, every: hour}\n"
    )
    shop.run_due("2024-03-10T00:30:00")
    runs = {run.job: run for run in shop.run_due("2024-03-10T01:00:00")}
    assert {run.state for run in runs.values()} == {"done"}, [run.message for run in runs.values()]
    assert (shop.root / "reports" / "2024-03-10.html").read_text().startswith("<!doctype html>")
    assert runs["c"].message == "0 entered a segment, 0 left one."
    assert runs["f"].message == "No event is older than it may be."
    (copy,) = (tmp_path / "copies").iterdir()
    assert copy.name == "e-20240310T010000Z.zip"
    restore_backup(copy, tmp_path / "restored")
    with open_workspace(tmp_path / "restored") as restored:
        assert len(restored.customers) == 2
    shop.write("  f: {run: expire, every: hour}\nretention: {Order Completed: 200 days}\n")
    with shop.open() as workspace:
        assert scheduler(workspace, "2024-03-10T01:30:00").run("f").message == "Removed 2 Order Completed."


def test_a_job_writes_the_moods_of_texts_and_says_why_it_cannot(shop: Shop) -> None:
    """Breaks when moods can't be kept up to date by themselves, or a shop without texts is told that all is well."""
    shop.write("  moods: {run: feedback, every: hour}\n")
    with shop.open() as workspace:
        failed = scheduler(workspace, "2024-03-10T01:00:00").run("moods")
    assert failed.state == "failed"
    assert "own English words" in failed.message
    source = (
        "  texts:\n    from: texts.csv\n    events:\n"
        "      - {event: Review Written, customer: who, at: day, properties: {text: text}}\n"
    )
    (shop.root / "texts.csv").write_text(
        'who,day,text\nann,2024-03-02,Terrible and rude.\nbob,2024-03-03,"Great, I love it."\n'
    )
    shop.write("  moods: {run: feedback, every: hour}\n")
    settings = (shop.root / "shoal.yaml").read_text().replace("jobs:\n", f"{source}jobs:\n")
    (shop.root / "shoal.yaml").write_text(settings)
    with shop.open() as workspace:
        workspace.load()
        done = scheduler(workspace, "2024-03-10T02:00:00").run("moods")
        again = scheduler(workspace, "2024-03-10T03:00:00").run("moods")
        moods = {
            row["customer"]: row["sentiment"]
            for row in workspace.sql("SELECT customer, sentiment FROM data.customers").to_pylist()
        }
    assert done.message == "2 customers with another sentiment; 0 entered a segment by it, 0 left one."
    assert again.message.startswith("0 customers with another sentiment")
    assert moods["ann"] < 0 < moods["bob"]
    shop.write("  moods: {run: feedback, every: hour, models: [churn]}\n")
    with pytest.raises(ConfigError, match="'feedback' has no setting 'models'"):
        shop.open()


def test_a_backup_removes_only_old_copies_of_its_own(shop: Shop, tmp_path: Path) -> None:
    """Breaks when keeping two copies deletes what somebody else put into the folder."""
    copies = tmp_path / "copies"
    copies.mkdir()
    others = [copies / name for name in ("e-before.zip", "other-20200101T000000Z.zip", "notes.txt")]
    for path in others:
        path.touch()
    shop.write(f"  e: {{run: backup, every: hour, to: {copies}, keep: 2}}\n")
    for hour in range(4):
        shop.run_due(f"2024-03-10T0{hour}:00:00")
    own = sorted(path.name for path in copies.glob("e-2024*"))
    assert own == ["e-20240310T020000Z.zip", "e-20240310T030000Z.zip"]
    assert all(path.exists() for path in others)


def test_old_runs_are_forgotten_and_the_plan_isnt(shop: Shop) -> None:
    """Breaks when a job a minute fills the store, or forgetting makes a job look new."""
    shop.write('  often: {run: publish, every: "day"}\n')
    with shop.open() as workspace:
        first = at("2024-01-01T12:00:00")
        jobs = Scheduler(workspace, clock=StoppedClock(instant=first), work=QUICK)
        jobs.due(first)
        for day in range(1, 200):
            assert len(jobs.run_due(first + day * DAY)) == 1
        kept = states(workspace.store)
    assert kept[0] == ("often", "planned")
    assert 88 <= len(kept) <= 93


def run_cli(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def test_the_command_line_lists_runs_and_tells_failures(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when cron can't tell a failure by the exit code, or an operator can't see it."""
    there = ("-w", str(shop.root))
    assert "There are no jobs" in run_cli(capsys, *there, "jobs")[1]
    shop.write(TWO)
    code, out, _ = run_cli(capsys, *there, "jobs")
    assert code == 0
    assert "nightly" in out
    assert "day at 06:00" in out
    assert run_cli(capsys, *there, "run-due")[0] == 0
    assert json.loads(run_cli(capsys, *there, "run-due", "--json")[1]) == []
    code, out, _ = run_cli(capsys, *there, "jobs", "run", "nightly", "--json")
    (run,) = json.loads(out)
    assert (code, run["state"]) == (0, "done")
    (shop.root / "orders.csv").unlink()
    code, out, err = run_cli(capsys, *there, "jobs", "run", "nightly")
    assert (code, out) == (1, "")
    assert err.startswith("nightly: failed. ")
    code, out, _ = run_cli(capsys, *there, "jobs", "history", "--json")
    assert [one["state"] for one in json.loads(out)] == ["failed", "done"]
    assert "failed" in run_cli(capsys, *there, "jobs", "history", "nightly")[1]
    (nightly, _) = json.loads(run_cli(capsys, *there, "jobs", "--json")[1])
    assert nightly["last"]["state"] == "failed"
    assert run_cli(capsys, *there, "jobs", "run", "nothing")[0] == 2


def test_run_due_ends_with_one_where_a_job_failed(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when cron's mail of a failed night isn't sent."""
    shop.write(TWO)
    with shop.open() as workspace:
        yesterday = Clock().now() - 2 * DAY
        Scheduler(workspace, clock=StoppedClock(instant=yesterday)).due(yesterday)
    (shop.root / "orders.csv").unlink()
    code, out, err = run_cli(capsys, "-w", str(shop.root), "run-due")
    assert code == 1
    assert out.startswith("morning: done.")
    assert err.startswith("nightly: failed.")
