"""Those who work with a workspace: passwords, roles, sign-ins and links, on a real store, with time as an argument."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import shoal
from shoal.clock import DAY, HOUR, MINUTE
from shoal.errors import ConfigError, StoreError, UnknownName
from shoal.sql.duck import DuckStore, create_store
from shoal.web.limits import FORGOTTEN, FREE, LONGEST, Attempts
from shoal.workspace import open_workspace
from shoal.workspace.audit import Audit
from shoal.workspace.backup_restore import restore_backup
from shoal.workspace.people import ADMIN, People
from shoal.workspace.sign_ins import IDLE, INVITATION, SIGN_IN, WHOLE, SignIns

NOW = 1_800_000_000 * 1_000_000
WORD = "four words that fit"


@pytest.fixture
def store() -> Iterator[DuckStore]:
    """An empty store."""
    with create_store(":memory:", zone="UTC", now=0, threads=1) as made:
        yield made


def test_who_is_known_survives_a_new_start(store: DuckStore) -> None:
    """Breaks when something of an account is in memory alone, or a password stands in the store as it is."""
    people = People(store)
    ann = people.add("  Ann   Lee ", "Ann@Shop.example", "editor", NOW)
    people.choose(ann.id, WORD)
    again = People(store)
    assert [(p.name, p.address, p.role, p.chosen) for p in again] == [("Ann Lee", "ann@shop.example", "editor", True)]
    assert again.check(" ANN@shop.example", WORD) == again.get(ann.id)
    assert again.check("ann@shop.example", WORD + "x") is None
    ((kept,),) = store.rows("SELECT password FROM people")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert WORD not in kept


def test_a_hash_of_before_is_renewed(store: DuckStore) -> None:
    """Breaks when an account keeps a hash that was cheap to guess once the parameters are raised."""
    from argon2 import PasswordHasher

    people = People(store)
    ann = people.add("Ann", "ann@shop.example", "viewer", NOW)
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(WORD)
    store.execute("UPDATE people SET password = ? WHERE id = ?", [weak, ann.id])
    people.reload()
    assert people.check("ann@shop.example", WORD) is not None
    ((kept,),) = store.rows("SELECT password FROM people")
    assert "m=19456" in kept
    assert people.check("ann@shop.example", WORD) is not None


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "at least 12"),
        ("a" * 201, "at most 200"),
        ("ababababababab", "same few letters"),
        ("xx-ann.lee-99", "part of your name"),
        ("lee12345678!", "part of your name"),
    ],
)
def test_what_is_easily_guessed_is_no_password(store: DuckStore, password: str, why: str) -> None:
    """Breaks when an account can be had by guessing, or a refusal doesn't say why."""
    people = People(store)
    ann = people.add("Ann Leeward", "ann.leeward@shop.example", "viewer", NOW)
    if "lee" in password:
        password = password.replace("lee", "leeward")
    with pytest.raises(ConfigError, match=why) as caught:
        people.choose(ann.id, password)
    assert caught.value.place == "password"
    assert password not in str(caught.value)
    assert not people.find("Ann Leeward").chosen


def test_the_first_administrator_is_made_once(store: DuckStore) -> None:
    """Breaks when each start makes another, or one without a password counts as a beginning."""
    people = People(store)
    first = people.administrator(NOW)
    assert people.administrator(NOW) == first
    assert (first.role, people.begun) == (ADMIN, False)
    people.rename(first.id, "Ada", "ada@shop.example")
    people.choose(first.id, WORD)
    assert people.begun


def test_who_was_removed_leaves_their_name_alone(store: DuckStore) -> None:
    """Breaks when an address stays taken, a password does still, or the audit can't say who it was."""
    people = People(store)
    people.administrator(NOW)
    ann = people.add("Ann", "ann@shop.example", "viewer", NOW)
    people.choose(ann.id, WORD)
    people.remove(ann.id, NOW)
    assert store.rows("SELECT mailed, password FROM people WHERE id = ?", [ann.id]) == [(None, None)]
    assert people.check("ann@shop.example", WORD) is None
    gone = people.get(ann.id)
    assert gone is not None
    assert (gone.name, gone.removed) == ("Ann", NOW)
    people.add("Ann again", "ann@shop.example", "viewer", NOW)
    for act in (lambda: people.remove(ann.id, NOW), lambda: people.put_in_role(ann.id, "editor")):
        with pytest.raises(UnknownName):
            act()


def test_a_sign_in_lasts_while_it_is_used_and_no_longer_than_a_week(store: DuckStore) -> None:
    """Breaks when an idle browser is never signed out, one that is used is, or one lasts forever by being used."""
    signs = SignIns(store)
    secret = signs.begin("p1", "a browser", NOW)
    at = NOW
    while at + IDLE - 1 < NOW + WHOLE:
        at += IDLE - 1
        assert signs.of(secret, at) is not None
    assert signs.of(secret, NOW + WHOLE) is None
    other = signs.begin("p1", "a browser", NOW)
    assert signs.of(other, NOW + IDLE) is None
    assert signs.of("nothing", NOW) is None


def test_that_a_browser_is_used_survives_a_new_start(store: DuckStore) -> None:
    """Breaks when a restart signs people out, or each click writes to the store."""
    signs = SignIns(store)
    secret = signs.begin("p1", "a browser", NOW)
    signs.of(secret, NOW + MINUTE)
    assert store.rows("SELECT used FROM sign_ins") == [(NOW,)]
    signs.of(secret, NOW + HOUR)
    assert store.rows("SELECT used FROM sign_ins") == [(NOW + HOUR,)]
    assert SignIns(store).of(secret, NOW + HOUR + IDLE - 1) is not None
    assert secret not in str(store.rows("SELECT * FROM sign_ins"))


def test_old_sign_ins_and_links_leave_the_store(store: DuckStore) -> None:
    """Breaks when the tables grow with everybody who ever signed in."""
    signs = SignIns(store)
    signs.begin("p1", "", NOW)
    signs.make_link("p1", SIGN_IN, NOW)
    signs.begin("p2", "", NOW + WHOLE)
    assert store.rows("SELECT person FROM sign_ins") == [("p2",)]
    assert store.rows("SELECT count(*) FROM sign_in_links") == [(0,)]


def test_a_link_does_once_in_its_time_and_for_its_purpose(store: DuckStore) -> None:
    """Breaks when a link does twice, too late, in the place of another kind, or beside a newer one."""
    signs = SignIns(store)
    first = signs.make_link("p1", SIGN_IN, NOW)
    second = signs.make_link("p1", SIGN_IN, NOW)
    invitation = signs.make_link("p1", INVITATION, NOW)
    assert signs.use_link(first, SIGN_IN, NOW) is None
    assert signs.use_link(second, INVITATION, NOW) is None
    assert signs.use_link(second, SIGN_IN, NOW + HOUR) is None
    assert signs.use_link(second, SIGN_IN, NOW + HOUR - 1) is not None
    assert signs.use_link(second, SIGN_IN, NOW) is None
    assert list(signs.invitations(NOW + 7 * DAY - 1)) == ["p1"]
    assert signs.link(invitation, INVITATION, NOW + 7 * DAY) is None
    signs.end_all("p1")
    assert signs.link(invitation, INVITATION, NOW) is None


def test_entries_of_the_audit_stay_in_order(store: DuckStore) -> None:
    """Breaks when entries made at once get one number, or a page leaves one out."""
    audit = Audit(store)
    threads = [
        threading.Thread(target=lambda: [audit.note("p1", "did", f"x{n}", now=NOW) for n in range(10)])
        for _ in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    seqs = [entry.seq for entry in audit.entries(most=1_000)]
    assert seqs == list(range(40, 0, -1))
    assert [entry.seq for entry in audit.entries(before=30, most=3)] == [29, 28, 27]
    assert len(audit.entries("did x7")) == 4
    assert audit.entries("nothing", people=["p1"], most=1)[0].seq == 40


class _Seconds:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_wait_grows_and_ends() -> None:
    """Breaks when guessing stays as quick as before, or an address is locked out for good."""
    clock = _Seconds()
    attempts = Attempts(clock)
    waits = []
    for n in range(40):
        wait = attempts.begin(f"10.0.0.{n}", "ann")
        if wait:
            waits.append(wait)
            clock.now += wait
            assert attempts.begin(f"10.0.0.{n}", "ann") == 0
    assert waits[:3] == [2, 4, 8]
    assert max(waits) == LONGEST["for"]
    clock.now += FORGOTTEN + 1
    assert attempts.begin("10.0.0.1", "ann") == 0


def test_many_accounts_from_one_address_are_slowed_down_too() -> None:
    """Breaks when one password can be tried on every account as fast as it goes."""
    attempts = Attempts(_Seconds())
    waits = [attempts.begin("10.0.0.1", f"who{n}") for n in range(FREE["from"] + 1)]
    assert waits == [0.0] * FREE["from"] + [2.0]
    assert attempts.begin("10.0.0.2", "who1") == 0


def test_attempts_at_the_same_moment_all_count() -> None:
    """Breaks when guesses that come together are all looked at before the first of them counts."""
    attempts = Attempts(_Seconds())
    assert [attempts.begin(f"a{n}", "ann") for n in range(8)].count(0.0) == FREE["for"]


def test_a_restored_backup_signs_nobody_in(tmp_path: Path) -> None:
    """Breaks when a session or a link that was ended since does again after an older backup is put back."""
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "shoal.yaml").write_text("shoal: 1\nname: shop\n")
    with shoal.open(shop) as ws:
        ann = ws.people.add("Ann", "ann@shop.example", ADMIN, NOW)
        secret = ws.sign_ins.begin(ann.id, "", NOW)
        link = ws.sign_ins.make_link(ann.id, INVITATION, NOW)
        ws.backup(tmp_path / "backup")
    restore_backup(tmp_path / "backup", tmp_path / "again")
    with open_workspace(tmp_path / "again") as ws:
        assert [one.name for one in ws.people] == ["Ann"]
        assert ws.sign_ins.of(secret, NOW) is None
        assert ws.sign_ins.link(link, INVITATION, NOW) is None
    with pytest.raises(StoreError, match="workspace already"):
        restore_backup(tmp_path / "backup", tmp_path / "again")
