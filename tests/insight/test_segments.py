"""Segments as a whole: contribution, overlap, distinctness, reach, duplicates, warnings.

Each figure is worked out again here from sets, so that a slip in a join or a product of matrices shows.
"""

from __future__ import annotations

import json
import random
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from orders import Memberships, instant, order

from shoal.customers.writer import write_records
from shoal.insight import overlap, segments, traits
from shoal.insight.distinct import differences
from shoal.insight.reach import reachable
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.schema import Basis, Schema
from shoal.shapes import ORDER_COMPLETED, ORDER_REFUNDED, ConsentChange, Event, Merge, RevenueRule, TraitChange
from shoal.sql.duck import create_store
from shoal.sql.registry import Registry
from shoal.stats.intervals import share_difference

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.sql.duck import DuckStore

AT = instant("2020-06-01")
RULE = RevenueRule()
COSTED = RevenueRule(cost={ORDER_COMPLETED: "cost"})


def definition(slug: str, where: str, **more: Any) -> Definition:
    return Definition(slug, slug.title(), parse(where), **more)


def test_table_adds_up(store: DuckStore, write: Callable[[list[Any]], None]) -> None:
    """Revenue is net of refunds, shares are of everyone's, the change is against the earlier evaluation."""
    write(
        [
            order("a", "2020-01-01", 100),
            Event("a", ORDER_REFUNDED, instant("2020-01-05"), {"revenue": -40}),
            order("b", "2020-02-01", 60),
            order("b", "2020-02-02", 80),
            Event("c", "Signed Up", instant("2020-02-01")),
        ]
    )
    before = Memberships(store, AT, {"x": {"a"}}, table="earlier")
    now = Memberships(store, AT, {"x": {"a", "c"}, "y": {"a", "b"}, "none": set()})
    named = {slug: definition(slug, 'did "Order Completed"') for slug in now.columns}
    table = segments.segment_table(store, now, named, RULE, previous=before)
    rows = {row.pop("slug"): row for row in table.to_pylist()}
    assert rows["x"] == {
        "name": "X", "size": 2, "share": 2 / 3, "revenue": 60.0, "revenue_share": 0.3, "orders": 1, "margin": None,
        "margin_share": None, "change": 1, "unscored_before": None,
    }  # fmt: skip
    assert (rows["y"]["revenue"], rows["y"]["orders"], rows["y"]["change"]) == (200.0, 3, None)
    assert (rows["none"]["size"], rows["none"]["revenue"]) == (0, 0.0)
    assert table.column_names[:4] == ["slug", "name", "size", "share"]


def test_margin_counts_known_costs_and_is_null_without_any(
    store: DuckStore, write: Callable[[list[Any]], None]
) -> None:
    """An order of unknown cost is left out of the margin; taking its cost for zero would be a lie."""
    write([order("a", "2020-01-01", 100, cost=70), order("a", "2020-01-02", 50), order("b", "2020-01-03", 10)])
    now = Memberships(store, AT, {"x": {"a"}, "y": {"b"}})
    rows = segments.segment_table(store, now, {}, COSTED).to_pylist()
    assert [(row["revenue"], row["margin"]) for row in rows] == [(150.0, 30.0), (10.0, None)]
    assert rows[0]["name"] == "x"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.frozensets(st.integers(0, 11)), max_size=5))
def test_overlaps_equal_those_of_sets(members: list[frozenset[int]]) -> None:
    with create_store(":memory:", zone="UTC", now=0, threads=1) as store:
        write_records(store, [Event(f"c{i}", "Seen", 1) for i in range(12)], zone="UTC", received=0)
        sets = {f"s{i}": {f"c{j}" for j in one} for i, one in enumerate(members)}
        found = overlap.overlaps(store, Memberships(store, AT, sets))
    assert found.sizes == {slug: len(ids) for slug, ids in sets.items()}
    assert found.in_none == 12 - len(set().union(*sets.values()))
    assert len(found.pairs) == len(list(combinations(sets, 2)))
    for pair in found.pairs:
        a, b = sets[pair.a], sets[pair.b]
        assert pair.both == len(a & b)
        assert pair.jaccard == (len(a & b) / len(a | b) if a | b else 0)
        if a and b:
            assert pair.lift == pytest.approx(len(a & b) * 12 / (len(a) * len(b)))
    assert sum(depth * n for depth, n in found.in_many.items()) == sum(len(ids) for ids in sets.values())


def test_same_condition_in_other_words_is_a_duplicate() -> None:
    """Order, double negation, comments and spelling don't tell segments apart; a list of theirs does."""
    written = {
        "one": 'city = "Oslo" and not (not age > 30) and did "Order Completed"',
        "two": 'did "Order Completed" and (30 < age and city in ("Oslo")) // twin',
        "three": 'count("Order Completed") >= 1 and age > 30 and age > 30 and city = "Oslo"',
        "other": 'did "Order Completed" or (age > 30 and city = "Oslo")',
    }
    given_ = {slug: definition(slug, where) for slug, where in written.items()}
    given_["never"] = definition("never", written["one"], never="staff")
    apart = overlap.Overlaps(9, dict.fromkeys(given_, 0), (), 9, {0: 9})
    found = {(d.a, d.b): d.reason for d in overlap.duplicates(apart, given_)}
    assert found == dict.fromkeys(combinations(("one", "two", "three"), 2), "The same condition, written twice.")


def town(store: DuckStore, people: int = 400) -> set[str]:
    """Buyers who are mostly from Oslo and old, beside others who are neither; a random colour means nothing."""
    random_ = random.Random(4)
    records: list[Any] = []
    for i in range(people):
        buyer = i % 2 == 0
        city = "Oslo" if random_.random() < (0.8 if buyer else 0.2) else "Bergen"
        records += [
            TraitChange(f"c{i}", "city", city, 1),
            TraitChange(f"c{i}", "age", random_.gauss(60 if buyer else 40, 8), 1),
            TraitChange(f"c{i}", "colour", random_.choice(["red", "blue", "green"]), 1),
            TraitChange(f"c{i}", "email", f"c{i}@example.com", 1),
        ]
        records += [order(f"c{i}", "2020-01-01", random_.uniform(5, 50))] if buyer else []
    write_records(store, records, zone="UTC", received=0)
    return {f"c{i}" for i in range(0, people, 2)}


def test_differences_leave_out_what_the_segment_is_built_of(store: DuckStore) -> None:
    """Buyers differ in orders by construction, which says nothing; so does what is computed from orders."""
    buyers = town(store)
    traits.compute_traits(store, RULE, AT, received=AT)
    rich = {i for (i,) in store.rows("SELECT id FROM customers JOIN event_1 ON customer = key WHERE p1 > 27000000")}
    now = Memberships(store, AT, {"buyers": buyers, "oslo": buyers, "twice": buyers, "rich": rich, "red": rich})
    named = {
        "buyers": definition("buyers", 'did "Order Completed"'),
        "oslo": definition("oslo", 'city = "Oslo"'),
        "rich": definition("rich", 'sum(revenue of "Order Completed") > 27'),
        "red": definition("red", 'colour = "red"'),
        "twice": definition("twice", 'member of "oslo" and value > 3'),
    }
    found = differences(store, now, named, RULE)
    assert [d.variable for d in found["buyers"]] == ["age", "city"]
    age, city = found["buyers"]
    assert age.difference.low > 15
    assert age.difference.high < 25
    assert city.level in ("Oslo", "Bergen")
    assert city.lift is not None
    assert city.lift.excludes(1)
    assert "city" not in {d.variable for d in found["oslo"]}
    assert {d.variable for d in found["twice"]} == {"age"}
    assert {d.variable for d in found["rich"]} <= {"age", "city", "colour"}
    assert {"value", "aov"} <= {d.variable for d in found["red"]}, "where orders took no part, spend may differ"


def test_a_random_segment_shows_no_difference(store: DuckStore) -> None:
    """Chance always finds something among many variables; the bar is raised by their number."""
    town(store)
    random_ = random.Random(11)
    groups = {f"r{k}": {f"c{i}" for i in range(400) if random_.random() < 0.5} for k in range(20)}
    named = {slug: definition(slug, f'bucket "{slug}" < 0.5') for slug in groups}
    found = differences(store, Memberships(store, AT, groups), named, RULE)
    assert sum(len(f) for f in found.values()) <= 2


def firms(store: DuckStore, accounts: int = 60, people: int = 20) -> list[str]:
    """Accounts with a random industry, head count and plan, each with so many customers; the accounts' ids."""
    random_ = random.Random(5)
    records: list[Any] = []
    for a in range(accounts):
        facts = {"industry": random_.choice(["Retail", "Banking", "Health"]), "employees": random_.gauss(500, 90)}
        records += [TraitChange(f"A{a}", name, value, 1, scope="account") for name, value in facts.items()]
        records += [TraitChange(f"c{a}-{i}", "account_id", f"A{a}", 1) for i in range(people)]
    write_records(store, records, zone="UTC", received=0)
    return [f"A{a}" for a in range(accounts)]


def staff(store: DuckStore, accounts: set[str]) -> set[str]:
    """The customers of accounts."""
    table = Registry.load(store).traits["customer", "account_id"].table
    rows = store.rows(f"SELECT k.id, t.value FROM {table} t JOIN customers k ON k.key = t.owner")
    return {customer for customer, account in rows if account in accounts}


def test_traits_of_accounts_set_segments_apart_but_not_those_built_of_them(store: DuckStore) -> None:
    """Business customers differ by who they work for; the segment by industry mustn't be told by its industry."""
    firms(store)
    retail = Registry.load(store).traits["account", "industry"].table
    accounts = {
        i for (i,) in store.rows(f"SELECT id FROM {retail} JOIN accounts ON key = owner WHERE value = 'Retail'")
    }
    inside = staff(store, accounts)
    now = Memberships(store, AT, {"callers": inside, "retail": inside})
    named = {
        "callers": definition("callers", 'did "Called"'),
        "retail": definition("retail", 'account.industry = "Retail"'),
    }
    found = differences(store, now, named, RULE)
    (industry,) = found["callers"]
    assert (industry.variable, industry.level, industry.inside, industry.outside) == (
        "account.industry",
        "Retail",
        1,
        0,
    )
    assert industry.n == len(inside)
    effective, others = len(accounts), 60 - len(accounts)
    assert industry.difference == share_difference((effective, effective), (0, others))
    assert found["retail"] == []


def test_customers_of_one_account_count_as_one_for_what_they_share() -> None:
    """Twenty colleagues say one thing twenty times: counted as twenty, chance would pass for a difference."""
    random_ = random.Random(3)
    chosen = {f"r{k}": {f"A{a}" for a in range(60) if random_.random() < 0.5} for k in range(40)}
    named = {slug: definition(slug, f'bucket "{slug}" < 0.5') for slug in chosen}
    told = []
    for people in (1, 20):
        with create_store(":memory:", zone="UTC", now=0, threads=1) as store:
            firms(store, people=people)
            groups = {slug: staff(store, accounts) for slug, accounts in chosen.items()}
            found = differences(store, Memberships(store, AT, groups), named, RULE)
        told.append([(slug, d.variable, d.level, d.difference) for slug, all_ in found.items() for d in all_])
    alone, together = told
    assert 0 < len(alone) < 8
    assert [line[:3] for line in together] == [line[:3] for line in alone]
    for (*_, one), (*_, other) in zip(alone, together, strict=True):
        assert other == pytest.approx(one)


def test_reach_follows_the_basis_of_the_purpose_and_the_address(
    store: DuckStore, write: Callable[[list[Any]], None]
) -> None:
    """Unknown consent means no under consent and yes under legitimate interest; a refusal of a merged id stays."""
    write(
        [
            *(TraitChange(c, "email", f"{c}@example.com", 1) for c in "abd"),
            Event("c", "Seen", 1),
            ConsentChange("a", "news", True, 2),
            ConsentChange("b", "news", True, 2),
            ConsentChange("b", "news", False, 3),
            ConsentChange("c", "offers", False, 2),
            ConsentChange("d", "news", False, 2),
            ConsentChange("a", "news", False, AT + 5),
        ]
    )
    purposes = {"news": Basis.CONSENT, "offers": Basis.LEGITIMATE_INTEREST, "study": Basis.NONE}
    found = reachable(store, Memberships(store, AT, {"all": set("abc")}), purposes)["all"]
    assert {(r.by, r.name): r.customers for r in found} == {
        ("channel", "email"): 2, ("purpose", "news"): 1, ("purpose", "offers"): 2,
    }  # fmt: skip
    assert found[0].share == pytest.approx(2 / 3)
    write([Merge("a", "d", received=0)])
    found = reachable(store, Memberships(store, AT, {"all": set("abc")}), purposes)["all"]
    assert {r.name: r.customers for r in found}["news"] == 0


def test_card_warns_and_speaks(store: DuckStore) -> None:
    buyers = town(store)
    everyone = {f"c{i}" for i in range(400)}
    now = Memberships(
        store, AT, {"buyers": buyers, "again": buyers, "few": {"c1"}, "nobody": set(), "everyone": everyone}
    )
    texts = {
        "buyers": 'did "Order Completed"', "again": 'did "Order Completed" and age > 0', "few": "age > 99",
        "nobody": "age > 200", "everyone": "age is known",
    }  # fmt: skip
    named = {slug: definition(slug, where) for slug, where in texts.items()}
    card = segments.quality(store, now, named, Schema(), RULE, manageable=4)
    said = "\n".join(card.lines())
    assert "400 customers, 5 segments; 0 (0.0 %) in none." in said
    assert "5 segments are too many to manage" in said
    assert "Buyers and Again are nearly the same: 100% of the customers in either are in both." in said
    assert "Few has 1 customer: too few" in said
    assert "Nobody is empty." in said
    assert "Everyone holds everyone" in said
    document = json.loads(json.dumps(card.document()))
    assert document["segments"]["buyers"]["size"] == 200
    assert document["coverage"] == 1.0
    assert len(document["pairs"]) == 10


def test_a_workspace_without_segments_has_a_table_and_a_card(
    store: DuckStore, write: Callable[[list[Any]], None]
) -> None:
    write([order("a", "2020-01-01", 100)])
    none = Memberships(store, AT, {})
    assert segments.segment_table(store, none, {}, RULE).num_rows == 0
    card = segments.quality(store, none, {}, Schema(purposes={"news": Basis.CONSENT}), RULE)
    assert list(card.lines()) == ["1 customer, 0 segments; 1 (100.0 %) in none."]
