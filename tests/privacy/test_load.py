"""Loads leave out erased people in every form of mapping, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from shoal.customers.identity.rules import IdentityRules
from shoal.customers.load import load
from shoal.customers.privacy import Tombstones, find, forget
from shoal.customers.writer import write_records
from shoal.shapes import Event, TraitChange
from shoal.sources.mapping import parse_sources
from shoal.sql.duck import create_store

NOW = 1_700_000_000_000_000
SECRET = bytes(32)
FORMS = {
    "many mappings by a word": """
      log:
        from: log.csv
        events:
          - {event: A, when: "what = 'a'", customer: who, at: at}
          - {event: B, when: "what = 'b'", customer: who, at: at}
          - {event: C, when: "what IN ('c', 'd')", customer: who, at: at}
    """,
    "one mapping of all rows": "log: {from: log.csv, events: [{event: A, customer: who, at: at, id: number}]}",
    "groups": "log: {from: log.csv, events: [{event: A, customer: who, at: at, group: number}]}",
    "traits and consent": """
      log:
        from: log.csv
        traits: [{customer: who, take: {what: what}}]
        consent: [{customer: who, granted: yes_no, purpose: news}]
    """,
    "the customer is looked up": """
      heads: {from: heads.csv, reference: true}
      log:
        from: log.csv
        lookup: [{from: heads, on: {number: number}, take: {owner: owner}}]
        events: [{event: A, customer: owner, at: at}]
    """,
}
LOG = """number,who,what,at,yes_no
1,erased-1,a,2023-01-01,yes
2,other-1,b,2023-01-02,yes
3,erased-1,c,2023-01-03,no
4,other-2,a,2023-01-04,no
"""
HEADS = "number,owner\n1,erased-1\n2,other-1\n3,erased-1\n4,other-2\n"


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_the_erased_are_left_out_and_counted(form: str, tmp_path: Path) -> None:
    """Breaks when one way through the load isn't told of tombstones, or puts such rows into quarantine."""
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "heads.csv").write_text(HEADS)
    sources = parse_sources(yaml.safe_load(FORMS[form]))
    with create_store(":memory:", zone="UTC", now=0, threads=1) as store:
        write_records(store, [Event("erased-1", "A", 1, {}, "m")], zone="UTC", received=NOW)
        forget(store, find(store, "erased-1", IdentityRules()), NOW, SECRET)
        report = load(
            store, sources, root=tmp_path, zone="UTC", currency="USD", now=NOW, erased=Tombstones(store, SECRET)
        )
        assert report.sources["log"].erased == 2
        assert report.document()["sources"]["log"]["erased"] == 2
        assert [i for (i,) in store.rows("SELECT id FROM customers ORDER BY id")] == ["other-1", "other-2"]
        assert store.rows("SELECT count(*) FROM quarantine") == [(0,)]


def test_cells_of_lists_and_objects_lose_what_they_say_of_the_erased() -> None:
    """Breaks when an address in a list of objects of another customer's order survives, or more than it goes."""
    lines = [{"sku": "gift", "for": "Gone@Example.com", "qty": 1}, {"sku": "tea", "for": None, "qty": 2}]
    with create_store(":memory:", zone="UTC", now=0, threads=1) as store:
        write_records(
            store,
            [
                TraitChange("gone-1", "email", "gone@example.com", 1, "t"),
                Event("other", "Order", 2, {"lines": lines, "to": ["x", "gone@example.com"], "note": "for gone"}, "m"),
                TraitChange("other", "best_friend", "gone@example.com", 3, "f"),
                TraitChange("acme", "contact", "gone@example.com", 3, "g", scope="account"),
            ],
            zone="UTC", received=NOW,
        )  # fmt: skip
        erased = forget(store, find(store, "gone-1", IdentityRules()), NOW, SECRET)
        assert erased.report["mentions by others"] == 3
        ((found, to, note),) = store.rows("SELECT p1, p2, p3 FROM event_1")
        assert [(i["f1"], i["f2"], i["f3"]) for i in found] == [("gift", None, 1_000_000), ("tea", None, 2_000_000)]
        assert (to, note) == (["x"], "for gone")


def test_an_erased_browser_is_no_erased_customer() -> None:
    """Breaks when a customer's id is taken for erased since somebody's browser bore the same text."""
    from shoal.customers.privacy.person import Person

    with create_store(":memory:", zone="UTC", now=0, threads=1) as store:
        tombstones = Tombstones(store, SECRET)
        assert not tombstones.covers("7")
        person = Person((1,), ("gone",), frozenset({("anonymous_id", "42"), ("email", "gone@example.com")}))
        tombstones.add(person, NOW)
        assert tombstones.covers("42", "anonymous_id")
        assert not tombstones.covers("42")
        assert tombstones.covers(" gone ")
        assert tombstones.covers("GONE@example.com"), "an address may be the id in another file"
        assert tombstones.covers("gone", at=NOW)
        assert not tombstones.covers("gone", at=NOW + 1)
