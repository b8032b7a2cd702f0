"""Loading again: what changed, and only that, takes effect.

Breaks when a repeated load counts anything twice, forgets a correction, or touches rows that stayed the same.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from shoal.errors import SourceError, StoreError

if TYPE_CHECKING:
    from conftest import Shop

EVENTS = """
o: {from: "o*.csv", events: [{event: O, customer: who, at: day, id: id, properties: {n: n}}]}
"""
NO_ID = """
o: {from: "o*.csv", duplicates: keep, events: [{event: O, customer: who, at: day, properties: {n: n}}]}
"""
GROUPED = """
o:
  from: "o*.csv"
  events: [{event: O, customer: who, at: day, group: id, properties: {n: {sum: n}, lines: {count: n}}}]
"""
HEAD = "id,who,day,n\n"


def numbers(shop: Shop, condition: str = "retired IS NULL") -> dict[str, int]:
    return {e["id"]: e["n"] for e in shop.events("O", condition)}


def test_an_unchanged_file_is_skipped_even_when_it_was_touched(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n")
    shop.load(EVENTS)
    before = shop.dump()
    assert shop.load().load is None
    assert shop.dump() == before
    os.utime(shop.root / "o.csv", (1, 1))
    report = shop.load()
    assert (report.load, report.sources["o"].skipped) == (None, 1)


def test_rows_that_stay_keep_their_receipt_and_others_are_replaced_or_retired(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n2,a,2017-01-02,2\n3,b,2017-01-03,3\n")
    first = shop.load(EVENTS)
    shop.write("o.csv", HEAD + "0,a,2017-01-01,0\n1,a,2017-01-01,1\n2,a,2017-01-02,22\n")
    second = shop.load()
    assert numbers(shop) == {"o:0": 0, "o:1": 1, "o:2": 22}
    received = {e["id"]: e["received"] for e in shop.events("O")}
    assert received == {"o:0": second.now, "o:1": first.now, "o:2": second.now}
    assert second.sources["o"].retired == 2
    # As it was known after the first load, nothing has changed.
    then = f"e.received <= {first.now} AND (retired IS NULL OR retired > {first.now})"
    assert numbers(shop, then) == {"o:1": 1, "o:2": 2, "o:3": 3}


def test_without_ids_rows_are_told_by_content_and_how_many_there_are(shop: Shop) -> None:
    shop.write("o.csv", "who,day,n\na,2017-01-01,1\na,2017-01-01,1\nb,2017-01-02,2\n")
    first = shop.load(NO_ID)
    shop.write("o.csv", "who,day,n\nb,2017-01-02,2\na,2017-01-01,1\na,2017-01-01,1\na,2017-01-01,1\n")
    second = shop.load()
    assert [(e["customer"], e["n"], e["received"]) for e in shop.events("O")] == [
        ("a", 1, first.now),
        ("a", 1, first.now),
        ("a", 1, second.now),
        ("b", 2, first.now),
    ]
    assert second.sources["o"].retired == 0


def test_equal_rows_without_ids_in_two_files_are_two_events(shop: Shop) -> None:
    shop.write("o1.csv", "who,day,n\na,2017-01-01,1\n")
    shop.load(NO_ID)
    shop.write("o2.csv", "who,day,n\na,2017-01-01,1\n")
    shop.load()
    assert len(shop.events("O")) == 2


def test_removed_keep_leaves_rows_that_vanished(shop: Shop) -> None:
    mapping = EVENTS.replace("events:", "removed: keep, events:")
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n2,a,2017-01-02,2\n")
    shop.load(mapping)
    shop.write("o.csv", HEAD + "2,a,2017-01-02,22\n")
    shop.load()
    assert numbers(shop) == {"o:1": 1, "o:2": 22}


def test_a_file_that_is_gone_leaves_its_rows(shop: Shop) -> None:
    shop.write("o1.csv", HEAD + "1,a,2017-01-01,1\n")
    shop.write("o2.csv", HEAD + "2,a,2017-01-02,2\n")
    shop.load(EVENTS)
    (shop.root / "o1.csv").unlink()
    shop.write("o3.csv", HEAD + "3,a,2017-01-03,3\n")
    report = shop.load()
    assert numbers(shop) == {"o:1": 1, "o:2": 2, "o:3": 3}
    assert any("o1.csv" in w for w in report.warnings)


def test_the_newest_file_corrects_an_id(shop: Shop) -> None:
    shop.write("o-1.csv", HEAD + "1,a,2017-01-01,1\n2,a,2017-01-02,2\n")
    shop.load(EVENTS)
    shop.write("o-2.csv", HEAD + "2,a,2017-01-02,22\n3,a,2017-01-03,3\n")
    report = shop.load()
    assert numbers(shop) == {"o:1": 1, "o:2": 22, "o:3": 3}
    assert report.sources["o"].retired == 1


def test_files_of_one_load_go_by_their_natural_order(shop: Shop) -> None:
    shop.write("o-10.csv", HEAD + "1,a,2017-01-01,10\n")
    shop.write("o-9.csv", HEAD + "1,a,2017-01-01,9\n")
    report = shop.load(EVENTS)
    assert numbers(shop) == {"o:1": 10}
    assert report.sources["o"].same_id == 1


def test_an_unchanged_row_of_a_file_read_again_does_not_undo_a_correction(shop: Shop) -> None:
    shop.write("o-1.csv", HEAD + "1,a,2017-01-01,1\n")
    shop.load(EVENTS)
    shop.write("o-2.csv", HEAD + "1,a,2017-01-01,2\n")
    shop.load()
    shop.write("o-1.csv", HEAD + "1,a,2017-01-01,1\n5,a,2017-01-05,5\n")
    shop.load()
    assert numbers(shop) == {"o:1": 2, "o:5": 5}
    shop.write("o-1.csv", HEAD + "1,a,2017-01-01,3\n5,a,2017-01-05,5\n")
    shop.load()
    assert numbers(shop) == {"o:1": 3, "o:5": 5}


def test_of_an_id_repeated_in_a_file_the_first_row_stands_and_advice_is_given(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n1,a,2017-01-01,2\n")
    report = shop.load(EVENTS)
    assert numbers(shop) == {"o:1": 1}
    assert report.sources["o"].same_id == 1
    assert any("add group:" in w for w in report.warnings)


def test_grouped_rows_of_a_changed_file_make_the_event_anew(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n1,a,2017-01-01,2\n2,b,2017-01-02,5\n")
    first = shop.load(GROUPED)
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n1,a,2017-01-01,4\n2,b,2017-01-02,5\n")
    shop.load()
    assert numbers(shop) == {"o:1": 5, "o:2": 5}
    assert next(e for e in shop.events("O") if e["id"] == "o:2")["received"] == first.now


def test_an_order_in_two_files_is_corrected_by_the_newer_one(shop: Shop) -> None:
    shop.write("o-1.csv", HEAD + "1,a,2017-01-01,1\n1,a,2017-01-01,2\n")
    shop.write("o-2.csv", HEAD + "1,a,2017-01-01,7\n")
    report = shop.load(GROUPED)
    assert numbers(shop) == {"o:1": 7}
    assert "write across_files: join" in report.warnings[0]


def test_an_order_whose_rows_are_spread_over_files_is_joined_where_the_mapping_says_so(shop: Shop) -> None:
    joined = GROUPED.replace("events:", "across_files: join\n  events:")
    shop.write("o-1.csv", HEAD + "1,a,2017-01-01,1\n2,b,2017-01-02,5\n")
    shop.write("o-2.csv", HEAD + "1,a,2017-01-01,2\n")
    first = shop.load(joined)
    assert numbers(shop) == {"o:1": 3, "o:2": 5}
    shop.write("o-3.csv", HEAD + "1,a,2017-01-01,4\n")
    shop.load()
    assert numbers(shop) == {"o:1": 7, "o:2": 5}
    assert next(e for e in shop.events("O") if e["id"] == "o:2")["received"] == first.now


def test_a_changed_mapping_reads_the_files_again(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n2,b,2017-01-02,2\n")
    shop.load(EVENTS)
    shop.load(EVENTS.replace("customer: who", "when: n > 1, customer: who"))
    assert numbers(shop) == {"o:2": 2}


def test_an_event_that_is_mapped_no_more_is_retired(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n")
    shop.load(EVENTS)
    shop.load(EVENTS.replace("event: O,", "event: P,"))
    assert (shop.events("O"), len(shop.events("P"))) == ([], 1)


def test_a_changed_lookup_reaches_the_events(shop: Shop) -> None:
    mapping = """
o:
  from: o.csv
  lookup: [{from: p, on: n, take: [kind]}]
  events: [{event: O, customer: who, at: day, id: id, properties: {kind: kind}}]
p: {from: p.csv, reference: true}
"""
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n2,a,2017-01-01,2\n")
    shop.write("p.csv", "n,kind\n1,shoes\n2,hats\n")
    first = shop.load(mapping)
    shop.write("p.csv", "n,kind\n1,boots\n2,hats\n")
    second = shop.load()
    assert [(e["kind"], e["received"]) for e in shop.events("O")] == [("boots", second.now), ("hats", first.now)]


def test_a_declared_type_overrules_what_was_learned_before(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,001\n")
    shop.load(EVENTS)
    assert numbers(shop) == {"o:1": "001"}
    declared = EVENTS.replace("{from", "{types: {n: number}, from")
    if version("duckdb") < "2":
        with pytest.raises(StoreError, match="can't change a column's type"):
            shop.load(declared)
        assert numbers(shop) == {"o:1": "001"}
        return
    shop.load(declared)
    assert numbers(shop) == {"o:1": 1}


def test_what_was_learned_of_a_column_stays(shop: Shop) -> None:
    shop.write("o1.csv", HEAD + "1,a,2017-01-01,5\n")
    shop.load(EVENTS)
    shop.write("o2.csv", HEAD + "2,a,2017-01-02,many\n")
    report = shop.load()
    assert numbers(shop) == {"o:1": 5, "o:2": None}
    assert report.sources["o"].mistyped == {"n": 1}


def test_since_when_a_customer_exists_follows_corrections(shop: Shop) -> None:
    def first_seen() -> dict[str, int | None]:
        return dict(shop.store.rows("SELECT id, first_ts FROM customers"))

    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n2,a,2017-01-05,2\n3,b,2017-01-01,1\n")
    shop.load(EVENTS)
    before = first_seen()
    shop.write("o.csv", HEAD + "2,a,2017-01-05,2\n")
    shop.load()
    after = first_seen()
    assert (after["a"] or 0) - (before["a"] or 0) == 4 * 86_400_000_000
    assert after["b"] is None


TRAITS = "t: {from: t.csv, traits: [{customer: who, take: {plan: plan}}]}"


def test_a_snapshot_of_traits_changes_now_and_only_where_it_differs(shop: Shop) -> None:
    shop.write("t.csv", "who,plan\na,free\nb,pro\nc,\n")
    first = shop.load(TRAITS)
    shop.write("t.csv", "who,plan\na,pro\nb,pro\nc,free\n")
    second = shop.load()
    values = [(owner, value) for owner, value, _ in shop.trait("plan")]
    assert values == [("a", "free"), ("a", "pro"), ("b", "pro"), ("c", "free")]
    times = shop.store.rows("SELECT DISTINCT ts, received FROM trait_1 ORDER BY 1")
    assert times == [(first.now, first.now), (second.now, second.now)]


def test_a_value_gone_from_a_snapshot_clears_and_an_owner_gone_is_retired(shop: Shop) -> None:
    shop.write("t.csv", "who,plan\na,free\nb,pro\n")
    shop.load(TRAITS)
    shop.write("t.csv", "who,plan\na,\n")
    shop.load()
    assert [(owner, value) for owner, value, _ in shop.trait("plan")] == [("a", "free"), ("a", None)]


def test_a_trait_is_known_from_the_first_event_of_its_customer(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n")
    shop.write("t.csv", "who,plan\na,free\nb,pro\n")
    report = shop.load(TRAITS + EVENTS)
    times = {owner: ts for owner, _, ts in shop.trait("plan")}
    assert times["a"] == "2017-01-01T00:00:00Z"
    assert report.now == shop.now
    assert times["b"] == "2017-07-15T02:40:00Z"


def test_a_snapshot_of_consent_changes_only_what_differs(shop: Shop) -> None:
    mapping = """
c:
  from: c.csv
  consent:
    - {customer: who, purpose: email, granted: email}
    - {customer: who, purpose: sms, granted: sms}
"""
    shop.write("c.csv", "who,email,sms\na,yes,yes\nb,no,yes\n")
    shop.load(mapping)
    shop.write("c.csv", "who,email,sms\na,no,yes\nb,no,yes\n")
    assert shop.load().sources["c"].consents == 1
    rows = shop.store.rows(
        "SELECT c.id, purpose, granted FROM consents JOIN customers c ON c.key = customer ORDER BY ts, 1, 2"
    )
    assert rows == [
        ("a", "email", True),
        ("a", "sms", True),
        ("b", "email", False),
        ("b", "sms", True),
        ("a", "email", False),
    ]


def test_a_column_that_vanished_is_an_error_and_nothing_is_done(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n")
    shop.load(EVENTS)
    before = shop.dump()
    shop.write("o.csv", "id,who,day\n1,a,2017-01-01\n2,a,2017-01-02\n")
    with pytest.raises(SourceError, match="'n'") as caught:
        shop.load()
    assert caught.value.place == "o.csv"
    assert "shoal.yaml" in str(caught.value)
    assert shop.dump() == before


def test_a_column_that_only_older_files_lack_is_missing_there(shop: Shop) -> None:
    shop.write("o-1.csv", "id,who,day\n1,a,2017-01-01\n")
    shop.write("o-2.csv", HEAD + "2,a,2017-01-02,2\n")
    shop.load(EVENTS)
    assert numbers(shop) == {"o:1": None, "o:2": 2}


def test_only_the_named_sources_are_loaded(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n")
    shop.write("t.csv", "who,plan\na,free\n")
    report = shop.load(TRAITS + EVENTS, only=["t"])
    assert (list(report.sources), shop.events("O")) == (["t"], [])


def test_a_column_that_was_empty_at_first_gets_its_type_later(shop: Shop) -> None:
    shop.write("o1.csv", HEAD + "1,a,2017-01-01,\n")
    shop.write("t.csv", "who,plan,since\na,,\n")
    traits = "t: {from: t.csv, traits: [{customer: who, take: {plan: plan, since: since}}]}"
    shop.load(EVENTS + traits)
    assert shop.store.rows("SELECT name FROM properties UNION ALL SELECT name FROM traits") == []
    shop.write("o2.csv", HEAD + "2,a,2017-01-02,5\n")
    shop.write("t.csv", "who,plan,since\na,free,2017-01-05\n")
    shop.load()
    assert numbers(shop) == {"o:1": None, "o:2": 5}
    kinds = "SELECT name, kind FROM properties UNION ALL SELECT name, kind FROM traits ORDER BY 1"
    assert shop.store.rows(kinds) == [("n", "number"), ("plan", "text"), ("since", "date")]


def test_a_file_that_is_gone_is_told_even_if_nothing_else_changed(shop: Shop) -> None:
    """Breaks if "nothing has changed" is all that is said of a folder that lost a file."""
    shop.write("o1.csv", HEAD + "1,a,2017-01-01,1\n")
    shop.write("o2.csv", HEAD + "2,a,2017-01-02,2\n")
    shop.load(EVENTS)
    (shop.root / "o1.csv").unlink()
    report = shop.load()
    assert report.load is None
    (warning,) = report.warnings
    assert "o1.csv" in warning
    assert "stays in force" in warning
