"""Started from a snapshot: the same state as one that is built from the store, and never a snapshot that doesn't count."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import SEGMENTS
from .served import SETTINGS, Served, shoal, shop, write_segment

USED, UNUSED = "the state was read from the snapshot", "the snapshot isn't used"
SOURCE = """\
sources:
  orders:
    from: orders.csv
    events:
      - {event: Order Completed, customer: customer, at: at, properties: {revenue: revenue}}
"""
MORE = {
    **SEGMENTS,
    "soon-gone": 'did "Order Completed" in last 6 seconds',
    "went": 'left "just-bought" in last 1 hour',
    "rich-firm": 'account.tier = "gold"',
    "reachable": 'consents to "email_marketing"',
}


def filled(folder: Path) -> Served:
    """A served shop with something of everything: merges taken back and not, accounts, consents, history, late events."""
    shop(folder, MORE)
    (folder / "shoal.yaml").write_text(SETTINGS + SOURCE)
    (folder / "orders.csv").write_text("customer,at,revenue\nzoe,2026-01-02T10:00:00Z,20\n")
    served = Served(folder).start()
    for number in range(30):
        served.track(f"c{number}", "Order Completed", revenue=10 * number)
        served.send(
            "identify", userId=f"c{number}", anonymousId=f"v{number}", traits={"plan": "pro" if number % 2 else "x"}
        )
    served.send(
        "track", anonymousId="stranger", event="Order Completed", properties={"revenue": 70, "tags": ["a", "é"]}
    )
    served.send("identify", userId="c1", anonymousId="stranger", context={"consent": {"email_marketing": True}})
    served.send("group", userId="c2", groupId="acme", traits={"tier": "gold"})
    served.send("alias", userId="c3", previousId="c4")
    served.send("track", userId="c5", event="Order Completed", messageId="once", properties={"revenue": 90})
    served.send(
        "track", userId="c6", event="Order Completed", timestamp="2026-01-01T00:00:00Z", properties={"revenue": 1}
    )
    served.wait_for("just-bought", set())
    served.track("timely", "Order Completed", revenue=1)
    return served


def state(served: Served) -> dict[str, Any]:
    """What can be seen of every customer and segment, apart from how long the server has been up."""
    names = sorted({member for slug in MORE for member in served.members(slug)} | {f"c{n}" for n in range(30)})
    found: dict[str, Any] = {slug: served.members(slug) for slug in MORE}
    for name in names[::3]:
        profile = served.get(f"/v1/profiles/{name}")
        found[name] = {key: profile[key] for key in ("id", "traits", "memberships", "identifiers") if key in profile}
        found[f"why {name}"] = _steady({slug: served.get(f"/v1/profiles/{name}/why/{slug}") for slug in MORE})
    return found


def _steady(reason: Any) -> Any:
    """Without what says at which instant it was asked."""
    if isinstance(reason, dict):
        return {key: _steady(one) for key, one in reason.items() if key not in ("now", "at", "as_of")}
    return [_steady(one) for one in reason] if isinstance(reason, list) else reason


def said(served: Served) -> str:
    """What the server has logged since it was started last."""
    return (served.folder / "serve.log").read_text().rpartition("Serving ")[2]


def rebuilt(served: Served) -> dict[str, Any]:
    """The state of the same workspace without its snapshot."""
    assert served.stop() == 0
    shutil.rmtree(served.folder / ".shoal" / "snapshots")
    served.start()
    assert USED not in said(served)
    return state(served)


def test_a_start_from_a_snapshot_is_as_one_from_the_store(tmp_path: Path) -> None:
    """Breaks if anything of the state isn't in the snapshot, or its clock doesn't go on where it stopped."""
    served = filled(tmp_path / "shop")
    try:
        before = served.changes()
        assert served.stop() == 0
        served.start()
        assert USED in said(served)
        # This customer has left both by time alone, at the very instants that were due.
        served.wait_for("soon-gone", set())
        due = {c["segment"]: c for c in served.changes() if c["customer"] == "timely" and c["because"] == "time"}
        entered = next(c for c in reversed(before) if (c["customer"], c["segment"]) == ("timely", "soon-gone"))
        assert set(due) == {"just-bought", "soon-gone", "went"}
        assert _seconds(due["soon-gone"]["at"]) - _seconds(entered["at"]) == pytest.approx(6, abs=0.5)
        # Copies of what came before are known, and so is who is who; what is new goes on from there.
        for message in ("once", "twice", "twice"):
            served.send("track", userId="c5", event="Order Completed", messageId=message, properties={"revenue": 4})
        served.send("track", anonymousId="stranger", event="Order Completed", properties={"revenue": 500})
        served.send("track", anonymousId="v29", event="Order Completed", properties={"revenue": 1})
        served.send("identify", userId="c2", traits={"plan": "pro"})
        served.wait_for("just-bought", set())
        served.wait_for("soon-gone", set())
        why = str(served.get("/v1/profiles/c5/why/big"))
        assert "144" in why, why
        assert served.get("/v1/profiles/anonymous_id:stranger")["id"] == "c1"
        assert served.get("/v1/profiles/c4")["id"] == served.get("/v1/profiles/c3")["id"]
        here = state(served)
        changes = served.changes()
        assert changes[: len(before)] == before
        assert rebuilt(served) == here
        assert served.changes() == changes
    finally:
        served.close()


def _seconds(instant: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(instant).timestamp()


def test_killed_after_a_snapshot_the_log_brings_the_rest(tmp_path: Path) -> None:
    """Breaks if a snapshot in between isn't whole, or the log is dropped, or read twice or not at all, from there on."""
    folder = tmp_path / "shop"
    served = filled(folder)
    try:
        assert served.stop() == 0
        (folder / "shoal.yaml").write_text(SETTINGS + SOURCE + "server: {snapshot_seconds: 1}\n")
        served.start()
        assert USED in said(served)
        served.track("c8", "Order Completed", revenue=3)
        first = _newest(folder)
        deadline = time.monotonic() + 20
        while _newest(folder) == first and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _newest(folder) != first
        for number in range(10):
            served.track(f"c{number}", "Order Completed", revenue=40)
        served.send("identify", userId="c9", anonymousId="nine", traits={"plan": "pro", "shoe": 43})
        served.send("alias", userId="c9", previousId="c10")
        write_segment(folder, "pros", 'plan = "pro"')
        served.members("big")
        served.stop(signal.SIGKILL)
        (folder / "segments" / "pros.yaml").unlink()
        served.start()
        assert USED in said(served)
        served.wait_for("just-bought", set())
        served.wait_for("soon-gone", set(), 15)
        changes = served.changes()
        assert len({c["id"] for c in changes}) == len(changes)
        here = state(served)
        assert rebuilt(served) == here
    finally:
        served.close()


def _newest(folder: Path) -> str:
    return max((path.name for path in (folder / ".shoal" / "snapshots").glob("*.snapshot")), default="")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, dict[str, set[str]]]]:
    """A shop that was stopped and has a snapshot, and who is in what."""
    served = filled(tmp_path_factory.mktemp("stopped") / "shop")
    try:
        served.wait_for("soon-gone", set(), 15)
        members = {slug: served.members(slug) for slug in MORE}
        assert served.stop() == 0
        yield served, members
    finally:
        served.close()


def _load(folder: Path) -> None:
    shoal(folder, "load")


def _rules(folder: Path) -> None:
    (folder / "shoal.yaml").write_text(SETTINGS + SOURCE + "identity: {blocked: {any: [nobody]}}\n")


def _purposes(folder: Path) -> None:
    (folder / "shoal.yaml").write_text(SETTINGS.replace("consent", "legitimate-interest") + SOURCE)


def _forget(folder: Path) -> None:
    shoal(folder, "forget", "c29", "--yes")


def _evaluated(folder: Path) -> None:
    shoal(folder, "segment", "publish")


def _file(folder: Path) -> Path:
    (path,) = (folder / ".shoal" / "snapshots").glob("*.snapshot")
    return path


def _torn(folder: Path) -> None:
    path = _file(folder)
    path.write_bytes(path.read_bytes()[:-100])


def _bitten(folder: Path) -> None:
    path = _file(folder)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _log_gone(folder: Path) -> None:
    """The store goes on under another token: what is put back beside it is of before."""
    aside = folder / "aside"
    shutil.copytree(folder / ".shoal" / "snapshots", aside)
    shoal(folder, "load")
    shutil.rmtree(folder / ".shoal" / "snapshots", ignore_errors=True)
    shutil.copytree(aside, folder / ".shoal" / "snapshots")


INVALID: dict[str, tuple[Callable[[Path], None], str]] = {
    "load": (_load, "opened"),
    "rules": (_rules, "settings"),
    "purposes": (_purposes, "settings"),
    "forget": (_forget, ""),
    "torn": (_torn, "cut off"),
    "bitten": (_bitten, "damaged"),
    "put back": (_log_gone, "opened"),
}


@pytest.mark.parametrize("what", INVALID)
def test_a_snapshot_that_does_not_count_is_told_and_deleted(
    what: str, stopped: tuple[Served, dict[str, set[str]]], tmp_path: Path
) -> None:
    """Breaks if a state is taken over that something else has changed since, or that is damaged."""
    change, why = INVALID[what]
    base, members = stopped
    folder = tmp_path / "shop"
    shutil.copytree(base.folder, folder)
    name = _newest(folder)
    change(folder)
    served = Served(folder, like=base)
    try:
        served.start()
        told = said(served)
        assert USED not in told
        assert why == "" or (UNUSED in told and why in told), told
        assert _newest(folder) != name
        expected = dict(members)
        if what in ("load", "put back"):
            expected["buyers"] = members["buyers"] | {"zoe"}
        elif what == "purposes":
            expected["reachable"] = served.members("buyers")
        elif what == "forget":
            expected = {slug: found - {"c29"} for slug, found in members.items()}
        assert {slug: served.members(slug) for slug in MORE} == expected
    finally:
        served.close()


def test_asking_in_between_changes_nothing(stopped: tuple[Served, dict[str, set[str]]], tmp_path: Path) -> None:
    """Breaks if a look at the workspace between stop and start costs a start from the store."""
    base, members = stopped
    folder = tmp_path / "shop"
    shutil.copytree(base.folder, folder)
    shoal(folder, "status")
    shoal(folder, "customer", "c1")
    served = Served(folder, like=base)
    try:
        served.start()
        assert USED in said(served)
        assert {slug: served.members(slug) for slug in MORE} == members
    finally:
        served.close()


def test_definitions_that_changed_meanwhile_are_brought_in(
    stopped: tuple[Served, dict[str, set[str]]], tmp_path: Path
) -> None:
    """Breaks if a changed file costs a start from the store, is overlooked, or names columns that stay empty."""
    base, members = stopped
    folder = tmp_path / "shop"
    shutil.copytree(base.folder, folder)
    write_segment(folder, "big", 'sum(revenue of "Order Completed" in last 30 days) >= 1000')
    write_segment(folder, "tagged", 'did "Order Completed" where tags contains "é"')
    served = Served(folder, like=base)
    try:
        served.start()
        assert USED in said(served)
        served.wait_for("big", set())
        served.wait_for("tagged", {"c1"})
        assert served.members("buyers") == members["buyers"]
    finally:
        served.close()
