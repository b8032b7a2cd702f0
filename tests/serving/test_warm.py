"""Processes that answer long questions: kept for the next one, replaced when they die, gone with the server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from shoal.errors import ShoalError, StoreError
from shoal.server import question, warm
from shoal.server.warm import Pool

from .served import Served, shop

METRICS = b'{"name": "metrics", "asked": {}}'


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A shop with an order, being served."""
    found = Served(shop(tmp_path_factory.mktemp("warm") / "shop", {}))
    try:
        found.start()
        found.track("ann", "Order Completed", revenue=12)
        yield found
    finally:
        found.close()


@pytest.fixture
def pool(standing: Served) -> Iterator[Pool]:
    """Processes of our own that ask the served shop."""
    made = Pool(standing.folder, 2)
    yield made
    made.close()


def children(process: int) -> set[int]:
    """The processes that one started and that are at work, not merely waiting to be noticed as dead."""
    found = set()
    for task in Path(f"/proc/{process}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has ended meanwhile
            found |= {int(one) for one in (task / "children").read_text().split()}
    return {one for one in found if named(one)}


def named(process: int) -> str:
    """What a process was started as; empty once it is dead."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""


def ask(served: Served) -> None:
    """A long question that no kept answer serves."""
    served.track("ann", "Order Completed", revenue=1)
    assert served.get("/v1/metrics")["metrics"]


def test_the_next_question_goes_to_the_same_process(standing: Served) -> None:
    """Breaks when each question starts Python and its libraries anew, which costs a second of a core."""
    assert standing.process is not None
    ask(standing)
    (first,) = children(standing.process.pid)
    before = cpu(first)
    for _ in range(3):
        ask(standing)
    assert children(standing.process.pid) == {first}
    assert (cpu(first) - before) / 3 < 0.3


def cpu(process: int) -> float:
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_dead_process_is_replaced(standing: Served) -> None:
    """Breaks when a process that the system ended leaves every later question without an answer."""
    assert standing.process is not None
    ask(standing)
    (first,) = children(standing.process.pid)
    os.kill(first, signal.SIGKILL)
    while named(first):
        time.sleep(0.01)
    ask(standing)
    assert first not in children(standing.process.pid)


def test_a_changed_file_is_seen_by_the_next_question(standing: Served) -> None:
    """Breaks when a process answers by settings or definitions that it read for a question before."""
    ask(standing)
    (standing.folder / "metrics").mkdir(exist_ok=True)
    file = standing.folder / "metrics" / "orders-of-late.yaml"
    file.write_text('name: Orders of late\nunit: count\nvalue: count("Order Completed")\n')
    try:
        standing.track("ann", "Order Completed", revenue=1)
        told = standing.get("/v1/metrics")
        assert "orders-of-late" in {one["slug"] for one in told["metrics"]} | set(told["faults"])
    finally:
        file.unlink()


def test_two_are_answered_at_a_time(pool: Pool) -> None:
    """Breaks when questions wait for one another although two may be answered, or more than two are."""
    with ThreadPoolExecutor(4) as threads:
        assert len(list(threads.map(pool.ask, [METRICS] * 4))) == 4
    assert 1 <= len(pool._free) <= 2
    assert not pool._busy


def test_an_error_leaves_its_process_for_the_next_question(pool: Pool) -> None:
    """Breaks when a mistake in a question ends the process, or is told as anything but the mistake."""
    with pytest.raises(ShoalError, match="There is no question 'nope'"):
        pool.ask(b'{"name": "nope", "asked": {}}')
    (kept,) = pool._free
    pool.ask(METRICS)
    assert pool._free == [kept]


def test_a_process_is_ready_when_a_question_is_expected(pool: Pool) -> None:
    """Breaks when whoever opens a page waits for Python to start."""
    pool.expect()
    pool.expect()
    until = time.monotonic() + 20
    while not pool._free and time.monotonic() < until:
        time.sleep(0.01)
    (ready,) = pool._free
    pool.ask(METRICS)
    assert pool._free == [ready]


def test_idle_processes_end(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when memory is held for questions that nobody asks."""
    monkeypatch.setattr(warm, "IDLE", 0.2)
    pool.ask(METRICS)
    (kept,) = pool._free
    until = time.monotonic() + 20
    while pool._free and time.monotonic() < until:
        time.sleep(0.01)
    assert not pool._free
    kept._process.wait(10)


def test_none_outlives_an_erasure(pool: Pool) -> None:
    """Breaks when a process that read of somebody goes on after they were erased."""
    pool.ask(METRICS)
    (kept,) = pool._free
    pool.renew()
    assert not kept.lives
    pool.ask(METRICS)
    assert kept not in pool._free


def test_one_that_is_at_work_ends_with_the_pool(pool: Pool) -> None:
    """Breaks when the server waits for a long answer before it can stop."""
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(pool.ask, METRICS)
        while not pool._busy:
            time.sleep(0.001)
        pool.close()
        with pytest.raises(StoreError, match="ended with code"):
            asked.result(20)


def test_a_question_without_end_is_given_up(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when a question takes a process, and whoever asks, forever."""
    monkeypatch.setattr(warm, "SECONDS", 0.05)
    with pytest.raises(StoreError, match="took longer"):
        pool.ask(METRICS)
    assert not pool._free
    monkeypatch.undo()
    pool.ask(METRICS)


def test_old_and_large_processes_answer_no_more() -> None:
    """Breaks when what a library leaks grows without end."""
    assert not question._is_spent(1)
    assert question._is_spent(question.MOST)


def test_a_killed_server_takes_them_along(tmp_path: Path) -> None:
    """Breaks when a server that dies leaves processes behind, each with the memory of its libraries."""
    served = Served(shop(tmp_path / "shop", {}))
    try:
        served.start()
        served.get("/v1/metrics")
        assert served.process is not None
        (kept,) = children(served.process.pid)
        served.stop(signal.SIGKILL)
        until = time.monotonic() + 10
        while named(kept) and time.monotonic() < until:
            time.sleep(0.02)
        assert not named(kept)
    finally:
        served.close()
