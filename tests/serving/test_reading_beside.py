"""Files that are loaded beside a server: calls have effect while they are read, and what came first is found by then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import shoal
from shoal.customers.load import ingest

from .served import SETTINGS, Served, shop

FILES = """\
sources:
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at, properties: {revenue: amount}}]
"""


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[Served]:
    """A served shop with a file of 300 orders to load."""
    folder = shop(tmp_path / "shop", {"buyers": 'did "Order Completed"'})
    (folder / "shoal.yaml").write_text(SETTINGS + FILES)
    rows = "\n".join(f"f{i},{10 + i},2026-01-0{1 + i % 9}T10:00:00Z" for i in range(300))
    (folder / "orders.csv").write_text(f"customer,amount,at\n{rows}\n")
    found = Served(folder)
    try:
        yield found.start()
    finally:
        found.close()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], list[int]]:
    """Has something done, once, when the files of a load have been read; gives how often they were."""

    def when(work: Callable[[], None]) -> list[int]:
        times: list[int] = []
        prepare = ingest._prepare

        def then(*given: Any) -> Any:
            found = prepare(*given)
            times.append(len(times))
            if len(times) == 1:
                work()
            return found

        monkeypatch.setattr(ingest, "_prepare", then)
        return times

    return when


def counted(workspace: shoal.Workspace) -> int:
    (row,) = workspace.sql('SELECT count(*) AS n FROM data."Order Completed"').to_pylist()
    return int(row["n"])


def test_calls_have_effect_while_files_are_read(loading: Served, read: Any) -> None:
    """Breaks if the effect of calls waits for the reading of files, which nothing of theirs needs."""

    def live() -> None:
        loading.track("ann", "Order Completed", revenue=5)
        loading.wait_for("buyers", {"ann"})

    times = read(live)
    with shoal.open(loading.folder) as beside:
        done = beside.data.load()
        assert done.report.sources["orders"].events == {"Order Completed": 300}
        assert counted(beside) == 301
    assert times == [0]
    loading.wait_for("buyers", {"ann", *(f"f{i}" for i in range(300))})
    told = [(c["customer"], c["change"]) for c in loading.changes() if c["segment"] == "buyers"]
    assert sorted(told) == sorted({*told}), "nobody enters twice"
    assert told[0] == ("ann", "entered")


def test_two_loads_of_one_file_take_it_once(loading: Served, read: Any) -> None:
    """Breaks if a load goes by what the store had when it began to read, and takes what another has taken since."""
    others = []

    def other() -> None:
        with shoal.open(loading.folder) as second:
            others.append(second.data.load().report.load)

    read(other)
    with shoal.open(loading.folder) as beside:
        done = beside.data.load()
        assert (others, done.report.load) == ([1], None)
        assert "Nothing has changed" in str(done)
        assert counted(beside) == 300
    loading.wait_for("buyers", {f"f{i}" for i in range(300)})


def test_who_is_erased_while_files_are_read_does_not_come_back(loading: Served, read: Any) -> None:
    """Breaks if a load writes rows of somebody who was erased after they were read."""
    loading.track("f7", "Order Completed", revenue=5)
    loading.wait_for("buyers", {"f7"})

    def erase() -> None:
        gone = loading.http.delete("/v1/profiles/f7", headers=loading.bearer)
        assert gone.status_code == 200, gone.text

    times = read(erase)
    with shoal.open(loading.folder) as beside:
        done = beside.data.load()
        assert done.report.sources["orders"].erased == 1
    assert times == [0, 1], "what was read is read anew"
    loading.wait_for("buyers", {f"f{i}" for i in range(300) if i != 7})


def test_a_load_of_nothing_pauses_nobody(loading: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if a load that finds no changed file has the server read everything anew."""
    with shoal.open(loading.folder) as beside:
        assert beside.data.load().report.load == 1
    with shoal.open(loading.folder) as beside:

        def refuse(*_: object) -> None:
            raise AssertionError("the server was asked to let nobody else change the store")

        monkeypatch.setattr(beside, "_begin_alone", refuse)
        assert "Nothing has changed" in str(beside.data.load())
