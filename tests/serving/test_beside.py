"""The command line and ``shoal.open`` beside a running server: the same interface, answers of this moment, nothing stalled."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

import shoal as api
from shoal.errors import DefinitionError, StoreError, StoreLocked
from shoal.workspace import open_workspace
from shoal.workspace.lock import WorkspaceLock

from .served import SETTINGS, Served, shoal, shop

SLOW = "SELECT count(*) AS n FROM range(200000) a, range(200000) b WHERE (a.range * b.range) % 7 = 3"
FILES = """\
sources:
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at, properties: {revenue: amount}}]
jobs:
  nightly: {run: load, every: day at 06:00}
"""


def command(folder: Path, *args: str) -> list[str]:
    """A command line of the workspace."""
    return [sys.executable, "-m", "shoal.cli", "-w", str(folder), *args]


def run(folder: Path, *args: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """A command that may fail."""
    return subprocess.run(command(folder, *args), capture_output=True, text=True, check=False, timeout=120, **more)


def asked(folder: Path, *args: str) -> Any:
    """What a command says as JSON, whether or not all definitions can be accepted yet."""
    done = run(folder, *args, "--json")
    assert done.returncode in (0, 7), done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def loading(tmp_path: Path) -> Any:
    """A served shop with a file to load."""
    folder = shop(tmp_path / "shop", {"buyers": 'did "Order Completed"'})
    (folder / "shoal.yaml").write_text(SETTINGS + FILES)
    rows = "\n".join(f"f{i},{10 + i},2026-01-0{1 + i % 9}T10:00:00Z" for i in range(500))
    (folder / "orders.csv").write_text(f"customer,amount,at\n{rows}\n")
    found = Served(folder)
    try:
        yield found.start()
    finally:
        found.close()


def test_what_was_acknowledged_is_in_the_next_answer(served: Served) -> None:
    """Breaks if a command answers from what the store happened to have, and not as of this moment."""
    served.track("ann", "Order Completed", revenue=30)
    sizes = {row["slug"]: row["size"] for row in asked(served.folder, "segments")["segments"]}
    assert sizes["buyers"] == 1
    served.track("bob", "Order Completed", revenue=300)
    assert asked(served.folder, "why", "bob", "big")["truth"] is True
    assert {m["segment"] for m in asked(served.folder, "customer", "bob")["memberships"]} >= {"buyers", "big"}
    assert asked(served.folder, "sql", 'SELECT count(*) AS n FROM data."Order Completed"') == [{"n": 2}]
    served.send("identify", userId="bob", traits={"plan": "pro"})
    served.wait_for("big-pro", {"bob"})
    assert asked(served.folder, "status")["faults"] == []


def test_changes_by_command_take_effect_at_once_and_are_told_once(served: Served, tmp_path: Path) -> None:
    """Breaks if a definition or a list that a command changes waits for a restart, or two processes publish it."""
    served.send("identify", userId="bob", traits={"plan": "pro"})
    for who, revenue in (("ann", 30), ("bob", 300)):
        served.track(who, "Order Completed", revenue=revenue)
    where = 'sum(revenue of "Order Completed") > 20 and not listed in "staff"'
    assert run(served.folder, "list", "add", "staff", "ann").returncode == 0
    added = run(served.folder, "segment", "add", "Guests", "-", input=where)
    assert "1 of 2 customers" in added.stdout, added.stderr
    assert served.members("guests") == {"bob"}
    (tmp_path / "ids.txt").write_text("bob\n")
    assert "it has 2 customers" in run(served.folder, "list", "add", "staff", "--file", "ids.txt", cwd=tmp_path).stdout
    served.wait_for("guests", set())
    shoal(served.folder, "list", "remove", "staff", "ann", "bob")
    served.wait_for("guests", {"ann", "bob"})
    ranked = 'sum(revenue of "Order Completed") in top 50%'
    made = run(served.folder, "segment", "add", "Best", ranked)
    assert made.returncode == 0, made.stderr
    served.wait_for("best", {"bob"})
    shoal(served.folder, "segment", "edit", "guests", "--where", 'sum(revenue of "Order Completed") > 200')
    served.wait_for("guests", {"bob"})
    shoal(served.folder, "segment", "remove", "guests", "--yes")
    assert "guests" not in {one["slug"] for one in served.get("/v1/segments")["segments"]}
    told = [(c["customer"], c["change"]) for c in served.changes() if c["segment"] == "guests"]
    for who, changes in (("ann", ["entered", "left"]), ("bob", ["entered", "left", "entered"])):
        assert [change for one, change in told if one == who][: len(changes)] == changes
    refused = run(served.folder, "segment", "add", "Wrong", 'sum(revnue of "Order Completed") > 2')
    assert refused.returncode == 2
    assert not (served.folder / "segments" / "wrong.yaml").exists()


def test_a_load_beside_the_server_takes_files_and_loses_no_event(loading: Served) -> None:
    """Breaks if events that come while files are loaded are refused, lost, or never take effect."""
    sent, errors = [], []

    def send() -> None:
        while not done:
            who = f"live{len(sent)}"
            answer = loading.send(userId=who, event="Order Completed", properties={"revenue": 1})
            (sent if answer.status_code == 200 else errors).append(who)
            time.sleep(0.05)

    done = False
    thread = Thread(target=send)
    thread.start()
    try:
        loaded = run(loading.folder, "load")
    finally:
        done = True
        thread.join()
    assert loaded.returncode == 0, loaded.stderr
    assert "500 Order Completed" in loaded.stdout
    assert errors == []
    expected, deadline = {*(f"f{i}" for i in range(500)), *sent}, time.monotonic() + 20
    while loading.members("buyers") != expected:
        assert time.monotonic() < deadline, expected - loading.members("buyers")
        time.sleep(0.1)
    assert "Nothing has changed" in shoal(loading.folder, "load")
    told = [c["customer"] for c in loading.changes() if c["segment"] == "buyers"]
    assert sorted(told) == sorted({*told})


def test_jobs_are_run_by_the_server(loading: Served) -> None:
    """Breaks if a job that is asked for runs in two processes, or its history is lost."""
    listed = asked(loading.folder, "jobs")
    assert [one["name"] for one in listed] == ["nightly"]
    done = run(loading.folder, "jobs", "run", "nightly")
    assert done.returncode == 0, done.stderr
    assert "500 Order Completed" in done.stdout
    loading.wait_for("buyers", {f"f{i}" for i in range(500)})
    assert [one["state"] for one in asked(loading.folder, "jobs", "history")] == ["done"]
    assert asked(loading.folder, "run-due") == []
    assert run(loading.folder, "jobs", "run", "nightl").returncode == 2


def test_old_events_are_removed_beside_the_server(tmp_path: Path) -> None:
    """Breaks if `shoal retain` works on the store alone, and the server goes on with what is gone."""
    folder = shop(tmp_path / "shop", {"viewers": 'did "Page Viewed"'})
    (folder / "shoal.yaml").write_text(f"{SETTINGS}retention: {{Page Viewed: 5 days}}\n")
    found = Served(folder)
    try:
        found.start()
        now = datetime.now(UTC)
        for who, days in (("old", 9), ("new", 1)):
            at = (now - timedelta(days=days)).isoformat()
            assert found.send("page", userId=who, name="Home", timestamp=at).status_code == 200
        found.wait_for("viewers", {"old", "new"}, 60)
        assert asked(folder, "retain", "--dry-run")["events"] == {"Page Viewed": 1}
        assert asked(folder, "retain")["events"] == {"Page Viewed": 1}
        found.wait_for("viewers", {"new"})
        told = [(c["customer"], c["change"]) for c in found.changes()]
        assert sorted(told) == [("new", "entered"), ("old", "entered"), ("old", "left")]
        with api.open(folder) as ws:
            assert ws.segments.publish().total == 0
    finally:
        found.close()


def test_a_slow_question_stalls_no_event_and_ctrl_c_ends_it_in_the_server(served: Served) -> None:
    """Breaks if a reading command holds up memberships, or goes on in the server after its reader has left."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"}, 60)
    assert served.process is not None
    with subprocess.Popen(command(served.folder, "sql", SLOW), stderr=subprocess.PIPE, text=True) as slow:
        try:
            deadline = time.monotonic() + 60
            while not _is_busy(served.process.pid):
                assert time.monotonic() < deadline
            for i in range(5):
                served.track(f"c{i}", "Order Completed", revenue=30)
                begun = time.monotonic()
                served.wait_for("buyers", {"ann", *(f"c{j}" for j in range(i + 1))})
                assert time.monotonic() - begun < 1.0
            assert slow.poll() is None
            slow.send_signal(signal.SIGINT)
            assert slow.wait(20) == 130
            assert slow.stderr is not None
            assert "Stopped" in slow.stderr.read()
        finally:
            # The question has no end: what fails above would be waited for without one.
            slow.kill()
    assert not _is_busy(served.process.pid)


def _is_busy(process: int) -> bool:
    """Whether a process works all the time, as with a statement; not so one that only waits for calls."""
    before = _cpu(process)
    time.sleep(1)
    return _cpu(process) - before > 0.5


def _cpu(process: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


CHANGING = """
import sys, time, shoal
with shoal.open(sys.argv[1]) as shop, shop.changing(), shop.store.transaction():
    shop.store.execute("INSERT INTO lists VALUES ('half', 0)")
    print("changing", flush=True)
    time.sleep(60)
"""


def test_a_client_that_is_killed_leaves_nothing_behind(served: Served) -> None:
    """Breaks if a client that dies in the middle keeps calls without effect for ever, or half of its work stays."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"}, 60)
    with subprocess.Popen(
        [sys.executable, "-c", CHANGING, str(served.folder)], stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "changing\n"
        served.track("bob", "Order Completed", revenue=30)
        time.sleep(0.5)
        assert served.members("buyers") == {"ann"}
        client.kill()
    served.wait_for("buyers", {"ann", "bob"})
    assert asked(served.folder, "list", "show") == {}


def test_keys_count_at_once(served: Served) -> None:
    """Breaks if a revoked key goes on to work until the server is started anew."""
    made = asked(served.folder, "keys", "create", "board", "--scope", "read")
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    assert served.http.get("/v1/segments", headers=bearer).status_code == 200
    shoal(served.folder, "keys", "revoke", made["id"])
    assert served.http.get("/v1/segments", headers=bearer).status_code == 401


def test_a_session_is_for_the_owner_of_the_token_alone(served: Served) -> None:
    """Breaks if an administrator's key, which travels, is enough to run statements on the store."""
    assert served.http.get("/v1/session", headers=served.bearer).status_code == 403
    assert served.http.get("/v1/session").status_code == 403
    token = (served.folder / ".shoal" / "token").read_text()
    unknown = served.http.post("/v1/session/0/rows", headers={"Authorization": f"Bearer {token}"})
    assert unknown.status_code == 410
    assert "/v1/session" not in str(served.get("/v1/openapi.json")["paths"])


def test_python_works_beside_the_server_as_without_it(served: Served, tmp_path: Path) -> None:
    """Breaks if notebooks have to stop the server, or get other types, errors or transactions from it."""
    served.send("identify", userId="ann", traits={"plan": "pro", "born": "1990-02-03"})
    served.track("ann", "Order Completed", revenue=30)
    with api.open(served.folder) as ws:
        assert ws.served == f"http://127.0.0.1:{served.port}"
        assert ws.segments.preview('did "Order Completed"').size == 1
        served.track("bob", "Order Completed", revenue=20.5, coupon="MAY")
        assert ws.segments.preview('did "Order Completed" where coupon = "MAY"').size == 1
        values = ws.store.rows(
            "SELECT 1, 'a', 1.5::DECIMAL(9, 2), DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05', [1, NULL], "
            "{'x': 1}, 170141183460469231731687303715884105727::HUGEINT, 'b'::BLOB, NULL, true, INTERVAL 3 DAYS"
        )
        with _apart(tmp_path) as other:
            assert values == other.store.rows(
                "SELECT 1, 'a', 1.5::DECIMAL(9, 2), DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05', [1, NULL], "
                "{'x': 1}, 170141183460469231731687303715884105727::HUGEINT, 'b'::BLOB, NULL, true, INTERVAL 3 DAYS"
            )
        assert sum(batch.num_rows for batch in ws.store.batches("SELECT range FROM range(250000)", 100_000)) == 250_000
        with pytest.raises(DefinitionError, match="There is no event"):
            ws.segments.preview('did "Order Complete"')
        with pytest.raises(StoreError, match="nowhere"):
            ws.store.rows("SELECT * FROM nowhere")
        with suppress(ZeroDivisionError), ws.store.transaction():
            ws.store.execute("INSERT INTO lists VALUES ('never', 0)")
            raise ZeroDivisionError
        assert ws.lists.sizes() == {}
        assert ws.lists.add("vip", ["ann"]) == 1
        assert ws.lists.members("vip") == ["ann"]
    assert served.stop() == 0
    with api.open(served.folder) as ws:
        assert ws.served is None
        assert ws.lists.members("vip") == ["ann"]


def _apart(folder: Path) -> Any:
    shop(folder / "apart", {})
    return api.open(folder / "apart")


def test_a_client_says_so_when_the_server_is_gone(served: Served) -> None:
    """Breaks if a client of a server that was killed hangs, or speaks of sockets."""
    ws = api.open(served.folder)
    assert served.stop(signal.SIGKILL) != 0
    with pytest.raises(StoreError, match="is gone"):
        ws.store.rows("SELECT 1")
    ws.close()
    with api.open(served.folder) as again:
        assert again.served is None


def test_an_idle_client_does_not_keep_the_server_from_stopping(served: Served) -> None:
    """Breaks if a notebook that was left open holds up a restart until everything is cancelled."""
    with api.open(served.folder):
        begun = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - begun < 8


def test_a_token_that_does_not_fit_is_told_as_in_use(served: Served) -> None:
    """Breaks if somebody without the token gets in, or isn't told who has the workspace open."""
    token = served.folder / ".shoal" / "token"
    right = token.read_text()
    token.write_text("wrong")
    with pytest.raises(StoreLocked, match=re.escape(f"http://127.0.0.1:{served.port}")):
        api.open(served.folder, wait=0.2)
    token.write_text(right)
    assert httpx.get(f"http://127.0.0.1:{served.port}/healthz").status_code == 200


def test_a_person_is_forgotten_by_command_while_it_is_served(served: Served) -> None:
    """Breaks if erasure by command waits for the server to stop."""
    served.track("ann", "Order Completed", revenue=30)
    served.track("bob", "Order Completed", revenue=30)
    done = run(served.folder, "forget", "ann", "--yes")
    assert done.returncode == 0, done.stderr
    assert "Erased ann" in done.stdout
    served.wait_for("buyers", {"bob"})
    assert "erased before" in shoal(served.folder, "forget", "ann", "--yes")


def test_a_server_on_the_newer_loopback_is_found_too(tmp_path: Path) -> None:
    """Breaks if the address that a server tells can't be read by its clients."""
    found = Served(shop(tmp_path / "shop", {}))
    found.http = httpx.Client(base_url=f"http://[::1]:{found.port}", timeout=30)
    try:
        found.start("--host", "::1")
        found.track("ann", "Order Completed", revenue=30)
        assert asked(found.folder, "status")["customers"] == 1
    finally:
        found.close()


class _Starting(BaseHTTPRequestHandler):
    """Answers as a server does that isn't ready."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_of_a_server_that_is_starting_nobody_is_told_to_stop_it(tmp_path: Path) -> None:
    """Breaks if who asks while a server reads its store is told to end it, or the workspace is opened twice."""
    folder = shop(tmp_path / "shop", {"buyers": 'did "Order Completed"'})
    (folder / ".shoal").mkdir(exist_ok=True)
    (folder / ".shoal" / "token").write_text("secret")
    lock = WorkspaceLock(folder / ".shoal" / "lock")
    with HTTPServer(("127.0.0.1", 0), _Starting) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        lock.tell(f"http://127.0.0.1:{server.server_port}")
        try:
            with pytest.raises(StoreLocked, match="is starting still") as said:
                open_workspace(folder, wait=0.3)
            assert "Ask again" in said.value.fix
            with pytest.raises(StoreLocked, match="Stop that server first"):
                open_workspace(folder, wait=0.3, alone=True)
        finally:
            server.shutdown()
            lock.release()
