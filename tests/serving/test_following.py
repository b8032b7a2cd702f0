"""Changes as a Python iterator: of a running server over its crashes, and of an opened workspace."""

from __future__ import annotations

import signal
import time
from threading import Thread

import duckdb
import pytest

import shoal
from shoal.errors import ConfigError, StoreError

from .served import Served, free_port


def test_a_reader_goes_on_over_a_crash_and_takes_each_change_once(served: Served) -> None:
    """Breaks if a lost connection ends the reader, loses a change, or gives one twice."""
    taken: list[shoal.MembershipChange] = []
    url = f"http://127.0.0.1:{served.port}"

    def read() -> None:
        for change in shoal.follow(url, served.key, segments=["buyers"], timeout=60):
            taken.append(change)
            if len(taken) == 6:
                return

    reader = Thread(target=read, daemon=True)
    served.track("early", "Order Completed", revenue=1)
    served.wait_for("buyers", {"early"})
    reader.start()
    time.sleep(2)
    for who in ("a", "b", "c"):
        served.track(who, "Order Completed", revenue=1)
    served.wait_for("buyers", {"early", "a", "b", "c"})
    served.stop(signal.SIGKILL)
    served.start()
    for who in ("d", "e", "f"):
        served.track(who, "Order Completed", revenue=1)
    reader.join(60)
    told = [change for change in served.changes() if change["segment"] == "buyers" and change["customer"] != "early"]
    assert [str(change.id) for change in taken] == [change["id"] for change in told]
    assert [change.customer for change in taken] == list("abcdef")
    assert [change.at.isoformat().replace("+00:00", "Z") for change in taken] == [change["at"] for change in told]


def test_a_reader_says_after_which_change_it_goes_on(served: Served) -> None:
    """Breaks if a reader that comes again sees what it has seen, or silence never ends it."""
    served.track("ann", "Order Completed", revenue=1)
    served.wait_for("just-bought", {"ann"})
    served.wait_for("just-bought", set())
    url = f"http://127.0.0.1:{served.port}/"
    whole = list(shoal.follow(url, served.key, after=0, timeout=1))
    assert [str(change.id) for change in whole] == [change["id"] for change in served.changes()]
    assert list(shoal.follow(url, served.key, after=whole[1].id, timeout=1)) == whole[2:]
    begun = time.monotonic()
    assert list(shoal.follow(url, served.key, timeout=1)) == []
    assert time.monotonic() - begun < 10


def test_a_reader_is_told_what_will_never_work(served: Served) -> None:
    """Breaks if a wrong key or address is tried for ever in silence."""
    url = f"http://127.0.0.1:{served.port}"
    with pytest.raises(ConfigError, match="--scope read"):
        next(shoal.follow(url, "nonsense"))
    with pytest.raises(ConfigError, match="--scope read"):
        next(shoal.follow(url, served.write_key))
    with pytest.raises(ConfigError, match="404"):
        next(shoal.follow(f"{url}/elsewhere", served.key))
    with pytest.raises(StoreError, match="No Shoal"):
        next(shoal.follow(f"http://127.0.0.1:{free_port()}", served.key, timeout=1))


def test_an_opened_workspace_gives_its_history_in_pages_and_as_it_grows(served: Served) -> None:
    """Breaks if the stored history differs from what was published, or following it misses what comes."""
    for i in range(30):
        served.track(f"c{i}", "Order Completed", revenue=10 * i)
    served.wait_for("buyers", {f"c{i}" for i in range(30)})
    served.wait_for("just-bought", set())
    told = served.changes()
    with shoal.open(served.folder) as beside:
        seen = [(str(change.id), change.customer, change.segment, change.change) for change in beside.changes()]
        assert seen == [(c["id"], c["customer"], c["segment"], c["change"]) for c in told]
        following = beside.changes(int(told[-1]["id"]), segments=["buyers"], follow=True, timeout=30)
        served.track("late", "Order Completed", revenue=1)
        assert next(following).customer == "late"
    assert served.stop() == 0
    with shoal.open(served.folder) as workspace:
        assert [str(change.id) for change in workspace.changes()][: len(told)] == [c["id"] for c in told]
        last = int(told[9]["id"])
        assert [str(change.id) for change in workspace.changes(last)][:5] == [c["id"] for c in told[10:15]]
        assert list(workspace.changes(2**62, follow=True, timeout=0.1)) == []


def test_numbers_ascend_behind_more_changes_than_an_entry_has_numbers(served: Served) -> None:
    """Breaks if changes of a load beyond the range of one entry of the log stand after those that come later."""
    served.track("ann", "Order Completed", revenue=1)
    served.wait_for("buyers", {"ann"})
    served.stop()
    with duckdb.connect(str(served.folder / ".shoal" / "store.duckdb")) as store:
        store.execute("UPDATE membership_changes SET seq = seq + 1000000000000")
    served.start()
    served.track("bob", "Order Completed", revenue=1)
    served.wait_for("buyers", {"ann", "bob"})
    numbers = {change["customer"]: int(change["id"]) for change in served.changes() if change["segment"] == "buyers"}
    assert 1_000_000_000_000 < numbers["ann"] < numbers["bob"]
    served.stop(signal.SIGKILL)
    served.start()
    assert {c["customer"]: int(c["id"]) for c in served.changes() if c["segment"] == "buyers"} == numbers
    served.track("cleo", "Order Completed", revenue=1)
    served.wait_for("buyers", {"ann", "bob", "cleo"})
    told = [int(change["id"]) for change in served.changes()]
    assert told == sorted(set(told))
