"""Identity in the store: what is written, read back, joined with files' customers, and explained."""

from __future__ import annotations

import pytest

from shoal.customers.identity.graph import Identities
from shoal.customers.identity.reading import read
from shoal.customers.identity.rules import IdentityRules
from shoal.customers.identity.survivorship import explain
from shoal.customers.identity.tables import merges_of, write
from shoal.customers.writer import write_records
from shoal.errors import UnknownName
from shoal.shapes import Event, TraitChange
from shoal.sql.duck import DuckStore
from shoal.sql.subjects import survivors


def test_the_merge_log_says_what_and_why(store: DuckStore) -> None:
    """Breaks if a change has no line, its reason is lost, or a re-pointed row isn't ended."""
    graph = Identities()
    for received, said in enumerate(
        [
            {"anonymous_id": "b1"},
            {"user_id": "ann", "anonymous_id": "b1"},
            {"user_id": "bob", "anonymous_id": "b1", "email": "null"},
        ]
    ):
        write(store, graph.resolve(said, received * 10, received).changes)
    log = store.rows(
        "SELECT seq, what, c.id, o.id, kind, value, ts FROM identity_changes JOIN customers AS c ON c.key = customer "
        "LEFT JOIN customers AS o ON o.key = other ORDER BY seq"
    )
    assert log == [
        (1, "linked", "b1", None, "anonymous_id", "b1", 0),
        (2, "linked", "ann", None, "user_id", "ann", 10),
        (3, "merged", "ann", "b1", None, None, 10),
        (4, "linked", "bob", None, "user_id", "bob", 20),
        (5, "conflict", "bob", "ann", "anonymous_id", "b1", 20),
        (6, "repointed", "bob", "ann", "anonymous_id", "b1", 20),
    ]
    assert all(because for (because,) in store.rows("SELECT because FROM identity_changes"))
    borne = store.rows(
        "SELECT kind, value, id, linked, i.received, retired, founding FROM identifiers AS i JOIN customers ON key = customer "
        "ORDER BY seq"
    )
    assert borne == [
        ("anonymous_id", "b1", "b1", 0, 0, 2, True),
        ("user_id", "ann", "ann", 10, 1, None, True),
        ("user_id", "bob", "bob", 20, 2, None, True),
        ("anonymous_id", "b1", "bob", 20, 2, None, False),
    ]
    assert write(store, []) == 0


def test_merges_and_unmerges_reach_the_table_that_evaluation_reads(store: DuckStore) -> None:
    """Breaks if segments see other merges than the graph, or an unmerge is forgotten at the next start."""
    graph = Identities()
    changes = [
        *graph.resolve({"anonymous_id": "b1"}, 1, 1).changes,
        *graph.resolve({"anonymous_id": "b1", "user_id": "ann"}, 2, 2).changes,
    ]
    write(store, changes)
    write_records(store, merges_of(changes), zone="UTC", received=2)
    keys = dict(store.rows("SELECT id, key FROM customers"))
    assert survivors(store) == {keys["b1"]: keys["ann"]}
    back = graph.unmerge("b1", 3, 3)
    write(store, back)
    write_records(store, merges_of(back), zone="UTC", received=3)
    assert survivors(store) == {}
    again = read(store, IdentityRules())
    assert again.resolve({"anonymous_id": "b1", "user_id": "ann"}, 4, 4).customer == "ann"
    assert again.current("b1") == "b1"


def test_customers_of_files_bear_their_id_as_user_id(store: DuckStore) -> None:
    """Breaks if live calls don't find whom the files brought, after an identifier was added to them too."""
    write_records(store, [Event("C1", "Seen", 5), Event("unknown", "Seen", 5)], zone="UTC", received=5)
    for _ in range(2):
        graph = read(store, IdentityRules())
        found = graph.resolve({"user_id": "C1", "email": "c1@x.org"}, 6, 6)
        assert (found.customer, found.new) == ("C1", False)
        write(store, found.changes)
    assert graph.resolve({"user_id": "unknown"}, 6, 6).customer is None
    assert graph.current("unknown") == "unknown"
    assert len(graph) == 2


def test_what_is_blocked_by_now_identifies_nobody(store: DuckStore) -> None:
    """Breaks if a pattern that was added later doesn't reach values from before."""
    graph = Identities()
    write(store, graph.resolve({"user_id": "ann", "device_id": "demo-1"}, 1, 1).changes)
    again = read(store, IdentityRules(blocked={"device_id": ("demo-*",)}))
    assert again.resolve({"device_id": "demo-1"}, 2, 2).customer is None
    assert again.identifiers("ann") == [("user_id", "ann")]


def test_a_trait_of_a_merged_profile_says_which_change_won(store: DuckStore) -> None:
    """Breaks if the reason on the profile page differs from the value that segments see."""
    records = [
        TraitChange("ann", "plan", "free", 10, "m1"),
        TraitChange("b1", "plan", "pro", 20, "m2"),
        TraitChange("b1", "plan", "trial", 5, "m0"),
        TraitChange("b1", "city", "Bath", 7, "m3"),
        TraitChange("ann", "tier", "x", 9, "m4"),
        TraitChange("b1", "tier", None, 9, "m5"),
    ]
    write_records(store, records, zone="UTC", received=30)
    graph = read(store, IdentityRules())
    write_records(store, merges_of(graph.merge("ann", "b1", "one person", 30, 30)), zone="UTC", received=30)
    ((key,),) = store.rows("SELECT key FROM customers WHERE id = 'ann'")
    plan = explain(store, key, "plan", 100)
    assert plan.winner is not None
    assert (plan.winner.customer, plan.winner.value, [c.value for c in plan.others]) == ("b1", "pro", ["free"])
    assert plan.because == (
        "b1 changed it at 1970-01-01T00:00:00.000020Z, later than ann at 1970-01-01T00:00:00.000010Z; "
        "the latest change counts."
    )
    before = explain(store, key, "plan", 15)
    assert before.winner is not None
    assert before.winner.value == "free"
    assert "Of 2 merged ids only b1 has it" in explain(store, key, "city", 100).because
    tie = explain(store, key, "tier", 100)
    assert "the greater message id, m5, counts, and it clears the trait" in tie.because
    assert explain(store, key, "city", 1).because == "None of the 2 ids has a change of it."
    with pytest.raises(UnknownName, match="plan"):
        explain(store, key, "plann", 100)
