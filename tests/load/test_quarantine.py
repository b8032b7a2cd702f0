"""Rows put aside: with their code, reason, file, line and content; tried again after a fix.

Breaks when a bad row is lost without trace, stays in quarantine after it was mended, or is stored twice.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shop

MAPPING = """
o:
  from: o.csv
  types: {n: number}
  events: [{event: O, customer: who, at: day, id: id, properties: {n: n}}]
"""
HEAD = "id,who,day,n\n"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("1,,2017-01-01,1", "no-customer"),
        ("1,  ,2017-01-01,1", "no-customer"),
        ("1,a,,1", "no-time"),
        ("1,a,2017-13-01,1", "bad-time"),
        ("1,a,1816-01-01,1", "impossible-date"),
        ("1,a,2816-01-01,1", "impossible-date"),
        (",a,2017-01-01,1", "no-id"),
        ("1,a,2017-01-01,1000000000001", "out-of-range"),
        ("1,a,2017-01-01,1,2", "ragged"),
    ],
)
def test_a_bad_row_is_put_aside_with_its_code(shop: Shop, row: str, code: str) -> None:
    shop.write("o.csv", f"{HEAD}0,a,2017-01-01,0\n{row}\n9,b,2017-01-02,9\n")
    report = shop.load(MAPPING)
    assert [e["id"] for e in shop.events("O")] == ["o:0", "o:9"]
    assert shop.quarantine() == [("o.csv", 3, code)]
    assert report.sources["o"].quarantined == {code: 1}


def test_reason_and_content_tell_what_to_mend(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,soon,5\n2,b,2017-01-01,7\n")
    shop.load(MAPPING)
    ((reason, content),) = shop.store.rows("SELECT reason, content FROM quarantine")
    assert "day" in reason
    assert "dates:" in reason
    assert json.loads(content) == {"id": "1", "who": "a", "day": "soon", "n": "5"}


def test_a_row_whose_group_names_another_customer_is_put_aside(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n1,b,2017-01-01,2\n1,a,2017-01-01,4\n")
    shop.load(MAPPING.replace("id: id, properties: {n: n}", "group: id, properties: {n: {sum: n}}"))
    assert [(e["customer"], e["n"]) for e in shop.events("O")] == [("a", 5)]
    assert shop.quarantine() == [("o.csv", 3, "mixed-group")]


def test_a_mended_file_resolves_its_rows(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,,2017-01-01,1\n2,b,never,2\n")
    shop.load(MAPPING)
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n2,b,never,2\n")
    report = shop.retry()
    assert [e["id"] for e in shop.events("O")] == ["o:1"]
    assert report.resolved == 1
    assert shop.quarantine() == [("o.csv", 3, "bad-time")]
    assert shop.quarantine("resolved IS NOT NULL") == [("o.csv", 2, "no-customer")]


def test_a_mended_mapping_resolves_rows_and_leaves_the_good_ones_alone(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n2,b,13/01/2017,2\n3,b,14/01/2017,2\n")
    first = shop.load(MAPPING.replace("types:", "format: {dates: iso}\n  types:"))
    assert len(shop.quarantine()) == 2
    shop.retry(MAPPING.replace("types:", "format: {dates: day-first}\n  types:"))
    assert shop.quarantine() == []
    assert [(e["id"], e["received"] == first.now) for e in shop.events("O")] == [
        ("o:1", True),
        ("o:2", False),
        ("o:3", False),
    ]


def test_trying_again_without_a_fix_changes_nothing(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,,2017-01-01,1\n")
    shop.load(MAPPING)
    before = shop.dump()
    assert shop.retry().load is None
    assert shop.dump() == before


def test_with_an_empty_quarantine_there_is_nothing_to_try(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1\n")
    shop.load(MAPPING)
    assert shop.retry().load is None


def test_a_row_that_feeds_several_things_is_put_aside_once_for_each_code(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,,2017-01-01,1\n")
    shop.load(MAPPING + "  traits: {customer: who, at: day, take: {n: n}}\n")
    assert shop.quarantine() == [("o.csv", 2, "no-customer")]


GROUPED = """
o:
  from: {file}
  types: {{n: number}}
  events: [{{event: O, customer: who, at: day, group: id, properties: {{n: {{sum: n}}}}}}]
"""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("2,b,2017-99-01,20", "bad-time"),
        ("2,,2017-01-01,20", "no-customer"),
        ("2,b,2017-01-01,1000000000001", "out-of-range"),
        ("2,b,2017-01-01,twenty", "no-number"),
        ("2,b,2017-01-01,20,9", "ragged"),
    ],
)
def test_a_group_waits_as_a_whole_for_the_row_that_cannot_be_used(shop: Shop, line: str, code: str) -> None:
    """Breaks if an order is counted with the lines that happen to be readable: 40 instead of 60."""
    shop.write("o.csv", f"{HEAD}1,a,2017-01-01,7\n2,b,2017-01-01,40\n{line}\n3,c,2017-01-02,5\n")
    shop.load(GROUPED.format(file="o.csv"))
    assert [(e["id"], e["n"]) for e in shop.events("O")] == [("o:1", 7), ("o:3", 5)]
    assert shop.quarantine() == [("o.csv", 3, "incomplete"), ("o.csv", 4, code)]
    ((reason,),) = shop.store.rows("SELECT reason FROM quarantine WHERE code = 'incomplete'")
    assert "o.csv:4" in reason
    shop.write("o.csv", f"{HEAD}1,a,2017-01-01,7\n2,b,2017-01-01,40\n2,b,2017-01-01,20\n3,c,2017-01-02,5\n")
    shop.retry()
    assert [(e["id"], e["n"]) for e in shop.events("O")] == [("o:1", 7), ("o:2", 60), ("o:3", 5)]
    assert shop.quarantine() == []


@pytest.mark.parametrize("line", ["2,b,never,20", "2,b,2017-01-01,20,9"])
def test_a_row_that_cannot_be_used_is_no_correction(shop: Shop, line: str) -> None:
    """Breaks if an order that was known is taken back, or made smaller, by a line that broke in a later export."""
    rows = [f"{i},c{i},2017-01-01,7\n" for i in range(3, 13)]
    shop.write("o.csv", f"{HEAD}2,b,2017-01-01,40\n2,b,2017-01-01,20\n" + "".join(rows))
    shop.load(GROUPED.format(file="o.csv"))
    shop.write("o.csv", f"{HEAD}2,b,2017-01-01,40\n{line}\n" + "".join(rows[1:]))
    report = shop.load()
    found = {e["id"]: e["n"] for e in shop.events("O")}
    assert found["o:2"] == 60
    assert "o:3" not in found, "what is gone from the file is taken back as ever"
    assert report.sources["o"].retired == 1
    shop.write("o.csv", f"{HEAD}2,b,2017-01-01,40\n2,b,2017-01-01,21\n" + "".join(rows[1:]))
    shop.load()
    assert {e["id"]: e["n"] for e in shop.events("O")}["o:2"] == 61


def test_a_group_over_several_files_waits_where_its_parts_are_joined(shop: Shop) -> None:
    """Breaks if the place of the bad row is that of another file, or the other file's rows are counted alone."""
    shop.write("o-1.csv", f"{HEAD}2,b,2017-01-01,40\n3,c,2017-01-01,1\n")
    shop.write("o-2.csv", f"{HEAD}2,b,never,20\n")
    shop.load(GROUPED.format(file="o-*.csv").replace("types:", "across_files: join\n  types:"))
    assert [e["id"] for e in shop.events("O")] == ["o:3"]
    assert shop.quarantine() == [("o-1.csv", 2, "incomplete"), ("o-2.csv", 2, "bad-time")]
    ((reason,),) = shop.store.rows("SELECT reason FROM quarantine WHERE code = 'incomplete'")
    assert "o-2.csv:2" in reason


def test_numbers_that_a_derived_sum_is_made_of_must_be_numbers(shop: Shop) -> None:
    """Breaks if a line whose price can't be read is summed up as nothing."""
    shop.write("o.csv", f"{HEAD}1,a,2017-01-01,7\n2,b,2017-01-01,40\n2,b,2017-01-01,?\n")
    mapping = (
        GROUPED.format(file="o.csv")
        .replace("sum: n", "sum: twice")
        .replace("events:", "derive: {twice: n * 2}\n  events:")
    )
    shop.load(mapping)
    assert [(e["id"], e["n"]) for e in shop.events("O")] == [("o:1", 14)]


@pytest.mark.parametrize("dated", ["", "at: day, "])
def test_consent_and_traits_stay_where_a_row_cannot_be_used_any_more(shop: Shop, dated: str) -> None:
    """Breaks if a customer's objection, or what is known of them, is forgotten since their row broke in a later export."""
    mapping = "p: {from: p.csv, types: {n: number, ok: yes/no}, traits: {customer: who, AT take: {n: n}}, "
    mapping = (mapping + "consent: {customer: who, AT purpose: mail, granted: ok}}").replace("AT ", dated)
    rest = "".join(f"c{i},2017-01-01,{i},yes\n" for i in range(9))
    shop.write("p.csv", "who,day,n,ok\na,2017-01-01,1,no\nb,2017-01-01,2,no\nc,2017-01-01,3,no\n" + rest)
    shop.load(mapping)
    bad = "a,2017-01-01,1000000000001,no\nb,2017-01-01,2,nope\n"
    shop.write("p.csv", "who,day,n,ok\n" + bad + rest)
    shop.load()
    kept = {owner: value for owner, value, _ in shop.trait("n") if value is not None}
    assert (kept["a"], kept["b"], "c" in kept) == (1, 2, False)
    held = "SELECT o.id, t.granted FROM consents AS t JOIN customers AS o ON o.key = t.customer WHERE t.retired IS NULL"
    granted = dict(shop.store.rows(held))
    assert (granted["a"], granted["b"], "c" in granted) == (False, False, False)
    shop.write("p.csv", "who,day,n,ok\na,2017-01-01,7,yes\n" + rest)
    shop.load()
    assert {owner: value for owner, value, _ in shop.trait("n")}["a"] == 7
    assert dict(shop.store.rows(held + " ORDER BY t.ts"))["a"] is True
    assert "b" not in dict(shop.store.rows(held))
