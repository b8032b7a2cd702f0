"""Erasure: nothing of the person is left in any file, nothing of others is touched, and nothing brings them back."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.privacy.everywhere import ANNA, AT, NEIGHBOUR, calls, take

from shoal.cli import main
from shoal.customers import tracking
from shoal.customers.privacy.person import Ambiguous
from shoal.errors import StoreError, UnknownName
from shoal.log import Log
from shoal.sql.layout import set_meta
from shoal.workspace import open_workspace
from shoal.workspace.backup_restore import restore_backup
from shoal.workspace.live.entries import CALLS, COMMAND, decode_command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.privacy.everywhere import Shop


def everything(shop: Shop, who: str) -> list[object]:
    """All that the store has of a customer, and the log's calls of theirs."""
    with shop.open() as ws:
        document = ws.privacy.export(who)
    document.pop("exported")
    with Log.open(shop.root / ".shoal" / "log") as log:
        kept = [c for e in log.read() if e.kind == CALLS for c in tracking.decode(e.payload)]
    return [document, [c for c in kept if c.identifiers.get("user_id") == who]]


def test_nothing_of_the_person_is_left_in_any_file(shop: Shop) -> None:
    """Breaks when a table, the log, a snapshot, a dead letter or a free block of the store's file keeps her."""
    assert set(shop.holding(*ANNA)) == set(ANNA), "the test must see her before"
    figures = shop.root / ".shoal" / "figures.json"
    with shop.open() as ws:
        before = ws.metrics.figures(["revenue"], grain="year", start="2023-01-01", end="2023-12-31")
        assert figures.exists()
        done = ws.privacy.forget("anna-7731")
        assert not figures.exists()
        after = ws.metrics.figures(["revenue"], grain="year", start="2023-01-01", end="2023-12-31")
        assert after.found["n"].to_pylist() < before.found["n"].to_pylist()
    assert shop.holding(*ANNA) == {}
    assert set(shop.holding(*NEIGHBOUR)) == set(NEIGHBOUR)
    assert (done.segments, done.snapshots, done.copies) == (1, 1, [])
    assert set(done.erased.ids) == {"anna-7731", "browser-aa11"}
    told = done.erased.report
    assert told["event Order Completed"] == 1
    assert told["event Page Viewed"] == 1
    assert told["consents"] == 1
    assert told["list changes"] == 1
    assert told["membership changes"] == 1
    assert told["customers"] == 2
    assert told["quarantine"] == 2
    assert told["dead letters"] == 2
    assert told["merges"] == 1
    assert told["identifiers"] == 3
    assert told["mentions by others"] == 2


def test_neighbours_are_untouched(shop: Shop) -> None:
    """Breaks when a name that only looks like hers, or a short id that is also a quantity, takes others' rows along."""
    seven, before = everything(shop, "7"), everything(shop, "anna-7732")
    with shop.open() as ws:
        ws.privacy.forget("email:anna.quist@example.com")
        assert [row["content"] for row in ws.data.quarantine()] != []
    after = everything(shop, "anna-7732")
    # Only the cells that were her address are empty now.
    for event in before[0]["events"]:  # type: ignore[index]
        event["properties"].pop("to", None), event["properties"].pop("invited", None)
        event["properties"].get("cards", []).remove("anna.quist@example.com") if "cards" in event[
            "properties"
        ] else None
    assert after[0] == before[0]
    assert [c.message_id for c in after[1]] == [c.message_id for c in before[1]]  # type: ignore[attr-defined]
    assert everything(shop, "7") == seven


def test_a_short_id_takes_only_rows_that_name_it_as_the_customer(shop: Shop) -> None:
    """Breaks when forgetting customer 7 removes faulty rows in which 7 is a price or a house number."""
    with shop.open() as ws:
        before = {row["content"] for row in ws.data.quarantine()}
        ws.privacy.forget("7")
        gone = before - {row["content"] for row in ws.data.quarantine()}
        assert len(gone) == 1
        assert '"o5"' in gone.pop()
        assert "anna-7731" in ws.lists.members("vip")


def test_commands_and_positions_of_the_log_stay(shop: Shop) -> None:
    """Breaks when a rewrite drops a command that names others too, or gives a position away."""
    with shop.open() as ws:
        ws.privacy.forget("anna-7731")
    with Log.open(shop.root / ".shoal" / "log") as log:
        entries = list(log.read())
        assert log.committed == 6
    assert [e.position for e in entries] == [1, 2, 3, 4, 5]
    (command,) = (decode_command(e.payload) for e in entries if e.kind == COMMAND)
    assert command.body == {"list": "vip", "customers": ["7"]}


@pytest.mark.parametrize(
    "identifier",
    ["id:anna-7731", "user_id:anna-7731", "email: ANNA.quist@example.com", "phone:+44 7400 123456", "browser-aa11",
     "anonymous_id:browser-aa11", "anna.quist@example.com"],
)  # fmt: skip
def test_any_identifier_finds_the_person(shop: Shop, identifier: str) -> None:
    """Breaks when a kind isn't looked up, or its form isn't that of the store."""
    with shop.open() as ws:
        assert ws.privacy.find(identifier).ids[0] == "anna-7731"


def test_who_came_from_files_alone_is_found_by_address_and_phone(shop: Shop) -> None:
    """Breaks when traits that hold identifiers aren't looked at: no live call ever named this customer's phone."""
    with shop.open() as ws:
        assert ws.privacy.find("phone:+447400123457").ids == ("anna-7732", "browser-bb22")
        assert ws.privacy.find("email:SEVEN@example.com").ids == ("7",)


def test_a_wrong_identifier_is_refused_with_near_names(shop: Shop) -> None:
    """Breaks when a slip of the finger passes without a word, or erases the nearest."""
    with shop.open() as ws:
        with pytest.raises(UnknownName, match="anna-7731"):
            ws.privacy.forget("anna-7713")
        with pytest.raises(UnknownName, match=r"email:anna\.quist@example\.com"):
            ws.privacy.forget("email:anna.qvist@example.com")
        assert len(ws.customers) == 5


def test_an_address_that_several_bear_is_refused(shop: Shop) -> None:
    """Breaks when a household's address erases one of them, or both."""
    with (shop.files / "people.csv").open("a") as file:
        file.write("twin-1,home@example.com,,A,,no\ntwin-2,home@example.com,,B,,no\n")
    with shop.open() as ws:
        ws.load()
        with pytest.raises(Ambiguous, match="twin-1, twin-2"):
            ws.privacy.find("email:home@example.com")
        ws.privacy.forget("id:twin-1")
        # What the other one bears too stays, and is no tombstone.
        assert ws.privacy.find("email:home@example.com").ids == ("twin-2",)
        assert ws.privacy.is_erased("twin-1")
        assert not ws.privacy.is_erased("email:home@example.com")


def test_a_second_time_finishes_and_says_so(shop: Shop) -> None:
    """Breaks when a repeated request is an error, or what a crash left over isn't finished by it."""
    with shop.open() as ws:
        ws.privacy.erase(ws.store, ws.privacy.find("anna-7731"))
    assert "Qvarnstedt" in shop.holding("Qvarnstedt"), "the bytes are in the file until it is written anew"
    with shop.open() as ws:
        done = ws.privacy.forget("email:anna.quist@example.com")
        assert done.erased.again
        assert done.erased.report == {}
        with pytest.raises(UnknownName):
            ws.privacy.forget("email:nobody.ever@example.com")
    assert not [files for files in shop.holding(*ANNA).values() if "store.duckdb" in files]


def test_a_reload_of_the_files_leaves_them_out(shop: Shop) -> None:
    """Breaks when a source that is read again brings the person back, as customer, trait, consent or faulty row."""
    with shop.open() as ws:
        ws.privacy.forget("anna-7731")
    with (shop.files / "people.csv").open("a") as file:
        file.write("new-1,new@example.com,,New,,no\n")
    with (shop.files / "orders.csv").open("a") as file:
        file.write("o6,new-1,2023-10-05T10:00:00Z,60,\no7,anna-7731,2023-10-06T10:00:00Z,70,\n")
    with shop.open() as ws:
        loaded = ws.load()
        assert loaded.report.sources["orders"].erased == 3
        assert loaded.report.sources["people"].erased == 1
        assert any("3 rows of erased persons left out" in line for line in loaded.lines())
        assert ws.privacy.find("new-1").ids == ("new-1",)
        found = ws.store.rows("SELECT content FROM quarantine WHERE resolved IS NULL ORDER BY content")
        assert len(found) == 2
    # The address stands in a row of another customer, which is what the shop's own file says.
    assert set(shop.holding(*ANNA)) <= {"anna.quist@example.com"}


def test_a_restored_backup_leaves_them_out(shop: Shop) -> None:
    """Breaks when a backup from before the erasure brings the person back, or loses the tombstones."""
    with shop.open() as ws:
        ws.privacy.forget("anna-7731")
    kept = restore_backup(shop.backup, shop.root, replace=True).kept
    assert shop.holding(*ANNA) == {}
    assert set(shop.holding(*NEIGHBOUR)) == set(NEIGHBOUR)
    with shop.open() as ws:
        assert ws.privacy.is_erased("email:anna.quist@example.com")
        assert {*ws.privacy.copies()} == {path for path in kept if ".before" in path.name}
        assert len(ws.customers) == 3
    assert [p.name for p in (shop.root / ".shoal").glob("*.restoring*")] == []


def test_tombstones_outlive_the_store(shop: Shop) -> None:
    """Breaks when a backup is restored because the store is lost, and the erased come back with it."""
    with shop.open() as ws:
        ws.privacy.forget("anna-7731")
    (shop.root / ".shoal" / "store.duckdb").write_bytes(b"damaged")
    restore_backup(shop.backup, shop.root, replace=True)
    assert shop.holding(*ANNA) == {}


def test_whoever_comes_back_after_the_erasure_is_kept_by_a_restore(shop: Shop, tmp_path: Path) -> None:
    """Breaks when a restore erases a customer who signed up anew, of their own will, after they had been erased."""
    with shop.open() as ws:
        ws.privacy.forget("anna-7731")
        call = tracking.Call("identify", {"user_id": "anna-7731"}, 0, "m", 0, traits={"plan": "new"})
        from shoal.customers.writer import write_records

        write_records(ws.store, tracking.records(call, "anna-7731", ws.schema), zone="UTC", received=ws.now() + 1)
        ws.store.execute("UPDATE customers SET received = ? WHERE id = 'anna-7731'", [ws.now() + 1])
        later = ws.backup(tmp_path / "later.zip")
    restore_backup(later, shop.root, replace=True)
    with shop.open() as ws:
        assert ws.privacy.find("anna-7731").ids == ("anna-7731",)


def test_the_secret_is_beside_the_store_and_not_in_it(shop: Shop) -> None:
    """Breaks when a thief of the store could try addresses against the tombstones, or a lost secret goes unnoticed."""
    with shop.open() as ws:
        ws.privacy.forget("anna-7731")
    key = shop.root / ".shoal" / "tombstone.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert shop.holding(key.read_text().strip()) == {key.read_text().strip(): ["tombstone.key"]}
    secret = key.read_text()
    key.unlink()
    with shop.open() as ws, pytest.raises(StoreError, match="secret"):
        ws.load()
    key.write_text("00" * 32 + "\n")
    with shop.open() as ws, pytest.raises(StoreError, match="another secret"):
        ws.load()
    key.write_text("not a secret")
    with shop.open() as ws, pytest.raises(StoreError, match="holds no secret"):
        ws.load()
    key.write_text(secret)
    with shop.open() as ws:
        ws.load()


def test_questions_of_the_past_still_work(shop: Shop) -> None:
    """Breaks when what is left can't be evaluated at an earlier instant, or as it was known."""
    with shop.open() as ws:
        ws.privacy.forget("anna-7731")
        past = ws.segments.preview('did "Order Completed"', as_of="2023-10-02T12:00:00Z")
        assert past.size == 1
        assert ws.segments.evaluate(["all"], as_of="2023-10-05", known_at=ws.now()).sizes() == {"all": 2}
        assert ws.customers.profile("anna-7732", as_of="2023-10-03").timeline[0].event == "Order Completed"
        ws.segments.publish(because="test")


def test_no_later_customer_gets_the_key_of_an_erased_one(shop: Shop) -> None:
    """Breaks when somebody new would appear in what was published about the erased."""
    with shop.open() as ws:
        ((last,),) = ws.store.rows("SELECT max(key) FROM customers")
        newest = ws.store.rows("SELECT id FROM customers WHERE key = ?", [last])[0][0]
        ws.privacy.forget(newest)
        take(ws, [[tracking.Call("identify", {"user_id": "fresh-1"}, AT, "m-fresh", AT, traits={"surname": "F"})]])
        assert ws.store.rows("SELECT key > ? FROM customers WHERE id = 'fresh-1'", [last]) == [(True,)]


def test_a_log_ahead_of_the_store_is_refused(shop: Shop) -> None:
    """Breaks when calls that no one has resolved yet would bring the person back at the next start."""
    with shop.open() as ws:
        set_meta(ws.store, "log_position", "2")
        with pytest.raises(StoreError, match="shoal serve"):
            ws.privacy.forget("anna-7731")
        assert ws.privacy.find("anna-7731")


def run(shop: Shop, *arguments: str, answer: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shoal.cli", "-w", str(shop.root), *arguments],
        capture_output=True, text=True, check=False, input=answer,
    )  # fmt: skip


def test_the_command_shows_asks_and_erases(shop: Shop) -> None:
    """Breaks when the command erases without showing and asking, or a refusal isn't one."""
    no = run(shop, "forget", "phone:+447400123456", answer="n\n")
    assert no.returncode == 130
    assert "Customer anna-7731, also known as browser-aa11:" in no.stderr
    assert "event Order Completed" in no.stderr
    yes = run(shop, "forget", "phone:+447400123456", answer="y\n")
    assert yes.returncode == 0, yes.stderr
    assert "Erased anna-7731, browser-aa11" in yes.stdout
    again = run(shop, "forget", "anna-7731", "--yes")
    assert (again.returncode, again.stdout) == (0, "They were erased before; nothing was left.\n")
    unknown = run(shop, "forget", "anna-7733", "--yes")
    assert unknown.returncode == 2
    assert 'Did you mean "anna-7732"' in unknown.stderr
    assert shop.holding(*ANNA) == {}


def test_a_workspace_in_use_is_refused(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when erasure runs beside a server that owns the workspace."""
    with shop.open(), pytest.raises(StoreError, match="in use"):
        open_workspace(shop.root, wait=0)
    with pytest.raises(SystemExit):
        main(["forget", "--help"])
    assert "IDENTIFIER" in capsys.readouterr().out


def test_calls_are_cleaned_only_where_they_name_the_person(shop: Shop) -> None:
    """Breaks when a batch without the person is encoded anew, or others' calls lose more than her identifiers."""
    from shoal.customers.privacy.calls import without

    with shop.open() as ws:
        traces = ws.privacy.traces(ws.privacy.find("anna-7731"))
    first, second, third = calls()
    assert [c.message_id for c in without(first, traces) or ()] == ["msg-jo-0"]
    assert without([first[0]], traces) is None
    assert [c.message_id for c in without(second, traces) or ()] == ["msg-jo-1"]
    (invited,) = without(third, traces) or ()
    assert invited.properties == {"cards": ["Rosendal"]}
    only = [second[1]]
    assert without(only, traces) is only
