"""Figures that are kept: the same as worked out anew, whatever happened to the data in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from orders import instant, order

from shoal.customers import lists
from shoal.customers.corrections import erase_customer, retire_files
from shoal.customers.privacy.retention import Retention, expire
from shoal.customers.scores import Scores
from shoal.customers.writer import write_records
from shoal.insight.metrics.figures import Question, figures
from shoal.insight.metrics.kept import MOST, Grounds, Kept
from shoal.insight.metrics.periods import periods
from shoal.insight.metrics.reading import read_metric
from shoal.insight.models.asof import AsOf
from shoal.lang import nodes as n
from shoal.lang.parse import parse
from shoal.lang.schema import Basis, Kind, PropertyType, Schema
from shoal.shapes import ConsentChange, Event, ListChange, Merge, RevenueRule, TraitChange
from shoal.sql.duck import DuckStore
from shoal.sql.engine import SqlEngine
from shoal.sql.registry import Registry, learned_schema, scores

END = instant("2024-06-11")
SEGMENTS = {
    "pro": 'plan = "pro"',
    "listed": 'listed in "vip"',
    "consenting": 'consents to "mail"',
    "scored": "clv > 5",
    "large": 'sum(revenue of "Order Completed") in top 40%',
    "retail": 'account.industry = "retail"',
    "outer": 'member of "pro"',
    "came": 'entered "pro"',
}
METRICS = {
    "revenue": 'unit: money\nas: sum\nof: sum(revenue of "Order Completed")',
    "mean": 'unit: money\nas: mean\nof: sum(revenue of "Order Completed")\namong: did "Order Completed"',
    "kept": 'unit: share\nas: share\nof: did "Order Completed"\nbefore: did "Order Completed"',
    "median": 'unit: money\nas: quantile\nat: 0.5\nof: sum(revenue of "Order *")\namong: member of "outer"',
}
MEASURES = [read_metric(f"name: {s}\n{text}\n", slug=s, place=s) for s, text in METRICS.items()]


def door(store: DuckStore, **changed: str) -> AsOf:
    traits, events = learned_schema(store)
    made = {slug: n.Definition(slug, slug, parse(text)) for slug, text in (SEGMENTS | changed).items()}
    schema = Schema(
        traits=traits, events=events, segments=made, lists=frozenset(["vip"]), purposes={"mail": Basis.CONSENT},
        scores=scores(store),
    )  # fmt: skip
    return AsOf(store, RevenueRule(), schema, END)


def question(known: AsOf, last: date = date(2024, 4, 30)) -> Question:
    """All metrics for all segments in April, or until the month of another day."""
    start, end = ((day - date(1970, 1, 1)).days for day in (date(2024, 4, 1), last))
    found = periods(start, end, "month", known.zone, known.at)
    return Question(MEASURES, found, "month", list(known.schema.segments.values()))


def answered(
    store: DuckStore, kept: Kept | None, last: date = date(2024, 4, 30), **changed: str
) -> list[dict[str, Any]]:
    with door(store, **changed) as known:
        rows: list[dict[str, Any]] = figures(known, question(known, last), kept).to_pylist()
    return rows


def keys(store: DuckStore, **changed: str) -> set[str | None]:
    with door(store, **changed) as known:
        asked = question(known)
        grounds = Grounds(store, known, asked)
        return {grounds.key(m, asked.periods[0], s) for m in asked.metrics for s in (None, *known.schema.segments)}


def scored(store: DuckStore, value: int) -> None:
    with store.transaction():
        writing = Scores(store, instant("2024-04-02"), 5, by="test")
        writing.write("clv", Kind.NUMBER, f"SELECT key AS owner, {value * 1_000_000} AS value FROM customers", "x", {})
        writing.finish()


def ranked(store: DuckStore, at: str) -> None:
    with door(store) as known:
        SqlEngine(store, known.schema).refresh_thresholds(known.schema.segments, instant(at), 7)


def put(store: DuckStore, *records: Any, received: int = 0, load: int = 0) -> None:
    assert write_records(store, records, zone="UTC", received=received, load=load).rejected == 0


@pytest.fixture
def filled(store: DuckStore) -> DuckStore:
    """Five customers with orders in spring, and a row in each table that a figure may rest on."""
    records: list[Any] = []
    for at, who in enumerate("abcde"):
        records += [order(who, f"2024-0{month}-0{1 + at}", 10 * (at + 1)) for month in (3, 4, 5)]
        records.append(TraitChange(who, "plan", "pro" if at % 2 else "free", instant("2024-03-01")))
        records.append(TraitChange(who, "account_id", "acme", instant("2024-03-01")))
    put(store, *records)
    put(store, TraitChange("acme", "industry", "retail", instant("2024-03-02"), scope="account"))
    put(store, ConsentChange("a", "mail", True, instant("2024-03-02")))
    put(store, ListChange("vip", "b", True, instant("2024-03-02")))
    put(store, Event("a", "Order Refunded", instant("2024-04-04"), {"revenue": -3}))
    scored(store, 9)
    ranked(store, "2024-03-20")
    return store


CHANGES: dict[str, Callable[[DuckStore], object]] = {
    "a late event": lambda s: put(s, order("a", "2024-04-09", 7)),
    "an event of the same wildcard": lambda s: put(s, Event("b", "Order Begun", instant("2024-04-04"), {"revenue": 2})),
    "a new customer": lambda s: put(s, TraitChange("z", "plan", "pro", instant("2024-03-02"))),
    "a late trait": lambda s: put(s, TraitChange("a", "plan", "pro", instant("2024-04-02"))),
    "a trait of an account": lambda s: put(
        s, TraitChange("acme", "industry", "steel", instant("2024-04-02"), scope="account")
    ),
    "another account": lambda s: put(s, TraitChange("a", "account_id", "other", instant("2024-04-02"))),
    "a consent": lambda s: put(s, ConsentChange("b", "mail", True, instant("2024-04-02"))),
    "a list": lambda s: put(s, ListChange("vip", "c", True, instant("2024-04-02"))),
    "a list by hand": lambda s: lists.change(s, "vip", ["d"], added=True, now=instant("2024-04-02")),
    "a merge": lambda s: put(s, Merge("a", "b", 9)),
    "a correction": lambda s: retire_files(s, [0], received=9),
    "an erasure": lambda s: erase_customer(s, "b"),
    "retention": lambda s: expire(s, Retention(default=None, events={"Order Completed": 60 * 86_400_000_000}), END),
    "a score": lambda s: scored(s, 3),
    "a rank": lambda s: ranked(s, "2024-04-20"),
    "a type that was declared": lambda s: Registry.load(s).ensure_event(
        "Order Refunded", {"revenue": PropertyType(Kind.TEXT)}, declared=True
    ),
    "a publication": lambda s: s.execute("INSERT INTO membership_changes VALUES (1, 'pro', 1, 'entered', ?, 9, 'x')",
                                         [instant("2024-04-02")]),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_no_change_of_the_data_leaves_an_old_figure(filled: DuckStore, tmp_path: Path, what: str) -> None:
    """Breaks when figures of before are shown for data of after, in whichever way it came to change."""
    path = tmp_path / "figures.json"
    answered(filled, Kept(path, filled))
    before = keys(filled)
    CHANGES[what](filled)
    assert keys(filled) != before
    if what == "a type that was declared":
        # A figure of a text can't be: the metric is refused before anything is looked up.
        return
    assert answered(filled, Kept(path, filled)) == answered(filled, None)


def test_taking_back_a_merge_is_a_change_too(filled: DuckStore, tmp_path: Path) -> None:
    """Breaks when an unmerge, which changes a row in its place, leaves the figures of one customer."""
    path = tmp_path / "figures.json"
    first = answered(filled, Kept(path, filled))
    put(filled, Merge("a", "b", 9))
    answered(filled, Kept(path, filled))
    joined = keys(filled)
    put(filled, Merge("a", "b", 9, undone=10))
    assert keys(filled) != joined
    assert answered(filled, Kept(path, filled)) == answered(filled, None) == first


def test_as_many_rows_of_the_same_moment_are_another_content(filled: DuckStore, tmp_path: Path) -> None:
    """Breaks when numbers of rows and clocks stand for content: one customer's rows gone, another's come."""
    path = tmp_path / "figures.json"
    answered(filled, Kept(path, filled))
    before = keys(filled)
    erase_customer(filled, "e")
    rows = [order("f", f"2024-0{month}-05", 1) for month in (3, 4, 5)]
    put(filled, *rows, TraitChange("f", "plan", "free", instant("2024-03-01")))
    put(filled, TraitChange("f", "account_id", "acme", instant("2024-03-01")))
    assert not keys(filled) & before
    assert answered(filled, Kept(path, filled)) == answered(filled, None)


def test_another_definition_of_a_segment_that_is_named_is_another_figure(filled: DuckStore, tmp_path: Path) -> None:
    """Breaks when a segment's members change with the definition of one that it names, and its figures don't."""
    path = tmp_path / "figures.json"
    answered(filled, Kept(path, filled))
    changed = {"pro": 'plan = "free"'}
    assert answered(filled, Kept(path, filled), **changed) == answered(filled, None, **changed)
    before, after = keys(filled), keys(filled, **changed)
    assert len(before - after) > len(METRICS)


def test_only_what_is_over_is_kept_and_then_taken_from_there(filled: DuckStore, tmp_path: Path) -> None:
    """Breaks when nothing is reused, the running month is, or a broken file ends a question."""
    path = tmp_path / "figures.json"
    june = date(2024, 6, 1)
    first = answered(filled, Kept(path, filled), june)
    assert first == answered(filled, None, june)
    held = json.loads(path.read_text())
    assert len(held["figures"]) == sum(row["finished"] for row in first)
    for one in held["figures"].values():
        one[0] = 123_456.0
    path.write_text(json.dumps(held))
    again = answered(filled, Kept(path, filled), june)
    assert {row["value"] for row in again if row["finished"]} == {123_456.0}
    assert [row for row in again if not row["finished"]] == [row for row in first if not row["finished"]]
    for broken in ('{"format": 1, "figures": {"a": 3}}', '{"format": 1, "figures": []}', "\x00"):
        path.write_text(broken)
        assert answered(filled, Kept(path, filled), june) == first


def test_the_file_stays_small_and_whoever_was_erased_meanwhile_isnt_written(filled: DuckStore, tmp_path: Path) -> None:
    """Breaks when the file grows without end, or a question that began before an erasure brings a figure back after it."""
    path = tmp_path / "figures.json"
    kept = Kept(path, filled)
    for at in range(MOST + 5):
        kept.put(f"k{at}", (1.0, None, None, 1))
    kept.save()
    held = json.loads(path.read_text())["figures"]
    assert (len(held), "k4" in held, "k5" in held) == (MOST, False, True)
    path.unlink()
    kept.put("late", (1.0, None, None, 1))
    filled.execute("INSERT INTO tombstones VALUES ('hash', 1)")
    kept.save()
    assert not path.exists()


def test_figures_that_are_broken_down_arent_kept(filled: DuckStore, tmp_path: Path) -> None:
    """Breaks when a customer's value stands in a file, or a group of today in the figures of tomorrow."""
    from shoal.insight.metrics.grouping import dimension

    path = tmp_path / "figures.json"
    with door(filled) as known:
        asked = replace(question(known), by=dimension("plan", known.schema), segments=())
        figures(known, asked, Kept(path, filled))
    assert not path.exists()
