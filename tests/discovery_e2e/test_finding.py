"""Micro-segments through the workspace's door: what must be found, what must not, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from shoal.errors import Refused
from shoal.insight.discovery.indices import adjusted_rand
from shoal.lang.parse import parse
from shoal.workspace import Workspace, open_workspace
from shoal.workspace.discovery import Discovered

from . import shops

Found = tuple[Path, Discovered, dict[str, int]]


def test_planted_groups_are_recovered_and_called_natural(discovered: Found) -> None:
    """Breaks when features, scales or weights drown the groups that are there."""
    root, done, truth = discovered
    with open_workspace(root) as shop:
        members = shops.segments_of(shop)
    assert members.keys() == truth.keys()
    who = sorted(truth)
    _, mine = np.unique([members[c] for c in who], return_inverse=True)
    assert adjusted_rand(np.array([truth[c] for c in who]), mine) >= 0.95
    assert (done.found.supported_k, done.found.k, done.found.verdict) == (4, 4, "natural")
    assert [s.id for s in done.found.segments] == ["m01", "m02", "m03", "m04"]
    assert all(s.standing == "natural" for s in done.found.segments)


def test_one_smooth_cloud_is_called_constructive_for_every_number_of_groups(tmp_path: Path) -> None:
    """Breaks when slices of one cloud are sold as groups because they come back."""
    root = shops.make(tmp_path / "smooth", shops.smooth())
    with open_workspace(root) as shop:
        found = shop.discovery.discover(groups=(2, 5), write=False).found
    assert found.supported_k == 1
    assert {one.verdict for one in found.looked} == {"constructive"}
    assert {s.standing for s in found.segments} <= {"distinct", "constructive"}


def test_a_rule_is_text_whose_members_the_engine_gives(shop: Workspace) -> None:
    """Breaks when a rule's text says something else than what its figures were measured on."""
    found = shop.discovery.found()
    members = shops.segments_of(shop)
    written = shop.discovery.write_segments()
    assert written.written == tuple(f"micro-{s.id}" for s in found.segments)
    evaluation = shop.segments.evaluate(list(written.written))
    try:
        for segment in found.segments:
            assert segment.rule.where is not None
            assert parse(segment.rule.where) == shop.segments[f"micro-{segment.id}"].where
            named = set(evaluation.members(f"micro-{segment.id}")["id"].to_pylist())
            true = {who for who, mine in members.items() if mine == segment.id}
            assert len(named & true) / len(named) == pytest.approx(segment.rule.precision)
            assert len(named & true) / len(true) == pytest.approx(segment.rule.recall)
            assert segment.rule.fidelity >= 0.9
    finally:
        evaluation.close()


def test_names_and_sentences_say_what_the_groups_were_planted_as(discovered: Found) -> None:
    """Breaks when a name is of something that isn't so, or two segments bear one name."""
    root, done, truth = discovered
    names = {s.name for s in done.found.segments}
    assert len(names) == 4
    with open_workspace(root) as shop:
        members = shops.segments_of(shop)
    of = {truth[who]: segment for who, segment in members.items()}
    by_id = {s.id: s for s in done.found.segments}
    assert "without an order" in by_id[of[3]].name
    assert by_id[of[3]].name.startswith("Lapsed")
    bought = {group: [s.figure.what for s in by_id[of[group]].persona.buys] for group in range(3)}
    assert {group: what[0] for group, what in bought.items()} == {0: "Tea", 1: "Furniture", 2: "Toys"}
    weekend = " ".join(s.text for s in by_id[of[2]].persona.reach)
    assert "in the evening more" in weekend


def test_each_sentence_carries_the_figure_that_it_prints(discovered: Found) -> None:
    """Breaks when words and figures part: a portrait that can't be checked."""
    _, done, _ = discovered
    total = 0.0
    for segment in done.found.segments:
        told = segment.persona
        assert told.portrait[0].figure.segment == segment.size
        assert f"{segment.size:,} customers" in told.portrait[0].text
        total += told.portrait[1].figure.segment or 0.0
        for sentence in told.different:
            figure = sentence.figure
            if figure.kind == "difference":
                assert f"{figure.value:+.1f} standard deviations" in sentence.text
                assert figure.low is not None
                assert figure.high is not None
                assert figure.low < (figure.value or 0.0) < figure.high
        for sentence in told.buys:
            assert sentence.figure.low is not None
            assert sentence.figure.low > 1
            assert f"{100 * (sentence.figure.segment or 0.0):.0f} %" in sentence.text
    with open_workspace(discovered[0]) as shop:
        (row,) = shop.sql(
            'SELECT CAST(sum(revenue) AS DOUBLE) AS money FROM "Order Completed" '
            f'WHERE epoch_us("at") > {done.found.at - done.found.window * 86_400_000_000}'
        ).to_pylist()
    assert total == pytest.approx(row["money"])


def test_money_is_told_as_mean_and_as_median(discovered: Found) -> None:
    """Breaks when the mean of skewed money stands alone as what "each" spends, or the median leaves out who spent nothing."""
    root, done, _ = discovered
    with open_workspace(root) as shop:
        members = shops.segments_of(shop)
        rows = shop.sql(
            'SELECT customer AS who, CAST(sum(revenue) AS DOUBLE) AS money FROM "Order Completed" '
            f'WHERE epoch_us("at") > {done.found.at - done.found.window * 86_400_000_000} GROUP BY ALL'
        ).to_pylist()
    spent = {row["who"]: row["money"] for row in rows}
    told = 0
    for segment in done.found.segments:
        mine = np.array([spent.get(who, 0.0) for who, one in members.items() if one == segment.id])
        if not mine.sum():
            continue
        whole, middle = segment.persona.portrait[1:3]
        assert f": a mean of {mine.mean():,.2f} " in whole.text
        assert (middle.figure.kind, middle.figure.n) == ("median", segment.size)
        assert middle.figure.segment == pytest.approx(float(np.median(mine)))
        assert middle.text in (
            f"The median is {middle.figure.segment:,.2f} EUR.",
            "Half of them or more spent nothing.",
        )
        told += 1
        for sentence in segment.persona.different:
            if sentence.figure.kind == "difference":
                assert ": median " in sentence.text
                assert ", of the others " in sentence.text
    assert told >= 3


def test_a_card_says_what_is_not_known(discovered: Found) -> None:
    """Breaks when what the data can't tell is taken for met."""
    _, done, _ = discovered
    for segment in done.found.segments:
        card = {c.name: c for c in segment.card}
        assert list(card) == ["substantial", "distinct", "stable", "responsive", "actionable"]
        assert card["responsive"].met is None
        assert card["responsive"].text == "Not known: no randomised campaign."
        assert card["stable"].met is True
        assert card["actionable"].figure.segment == 1.0, "legitimate interest reaches whoever hasn't objected"


def test_segments_that_did_the_same_afterwards_are_proposed_for_merging(discovered: Found) -> None:
    """Breaks when the test on held-out outcomes isn't made, or made of features of the later time."""
    found = discovered[1].found
    assert (found.held_out, found.window) == (90, 180)
    assert found.outcomes == ("bought", "orders", "spend")
    assert set(found.explained) == {"bought", "orders", "spend"}
    assert all(0 < share < 1 for share in found.explained.values())
    # Frequent tea, rare furniture and weekly toys differ in orders and money; who had lapsed had not, by then.
    assert len(found.distinct) >= 2
    assert all(s.distinct is not True for s in found.segments if any(s.id in ids for ids, _ in found.merges))


def test_the_future_changes_nothing_of_what_was_found_as_of_a_day(shop: Workspace, root: Path) -> None:
    """Breaks when a feature, an outcome or a figure knows what came after the instant that it is of."""
    day = "2024-05-01"
    before = shop.discovery.discover(as_of=day)
    rows, _ = shops.planted(seed=9)
    later = [
        (who, f"later-{order}", f"{int(at[:4]) + 3}{at[4:]}", "999.00", "Cards", "shop") for who, order, at, *_ in rows
    ]
    shops.put(root / "orders.csv", ("customer", "order", "at", "revenue", "category", "channel"), _all(root) + later)
    shop.load()
    after = shop.discovery.discover(as_of=day)
    assert json.dumps(after.found.document(), default=str) == json.dumps(before.found.document(), default=str)
    assert after.outliers == before.outliers
    assert before.version is None


def _all(root: Path) -> list[shops.Row]:
    import csv

    with (root / "orders.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))[1:]
    return [(a, b, c, d, e, f) for a, b, c, d, e, f in rows]


def test_the_order_in_which_rows_were_loaded_changes_nothing(discovered: Found, tmp_path: Path) -> None:
    """Breaks when keys of the store, which follow the order of the file, decide who is drawn into the sample."""
    rows, truth = shops.planted()
    people = [(who, ("Bonn", "Kiel", "Jena")[number % 3]) for number, who in enumerate(truth)]
    shuffled = [rows[i] for i in np.random.default_rng(7).permutation(len(rows))]
    found = []
    for root in (discovered[0], shops.make(tmp_path / "other", shuffled, people[::-1])):
        with open_workspace(root) as shop:
            found.append(shop.discovery.discover(groups=(3, 5), as_of="2024-06-30", afresh=True).found.segments)
    assert [(s.name, s.size, s.rule.where, s.jaccard) for s in found[0]] == [
        (s.name, s.size, s.rule.where, s.jaccard) for s in found[1]
    ]


def test_a_version_holds_nothing_of_a_single_customer(shop: Workspace) -> None:
    """Breaks when a version in the store names customers: erasure would leave them there."""
    (text,) = (text for (text,) in shop.store.rows("SELECT document FROM definitions WHERE kind = 'discovery'"))
    assert not [who for who in shops.segments_of(shop) if f'"{who}"' in text]


def test_only_the_members_of_a_segment_are_parted_where_one_is_named(shop: Workspace) -> None:
    """Breaks when the population isn't that of the segment or of the condition."""
    shop.segments.add("Lately", 'did "Order Completed" in last 180 days')
    found = shop.discovery.discover(groups=(2, 4), among="Lately", write=False).found
    assert found.customers == 300
    assert found.asked.who == 'member of "lately"'
    again = shop.discovery.discover(groups=(2, 4), among='city = "Bonn"', write=False).found
    assert again.customers == 134


@pytest.mark.parametrize("customers", [1, 30])
def test_too_few_customers_are_refused_with_how_many_are_needed(tmp_path: Path, customers: int) -> None:
    """Breaks when a handful of customers is cut into groups of one."""
    rows, _ = shops.planted(customers=customers)
    with open_workspace(shops.make(tmp_path / "few", rows)) as shop:
        with pytest.raises(Refused, match=f"{customers} customers? (are|is) too few"):
            shop.discovery.discover(groups=(2, 4))
        assert shop.discovery.history() == []
        assert "micro_segment" not in shop.schema.traits


def test_a_trait_of_the_same_name_in_the_data_is_left_alone(tmp_path: Path) -> None:
    """Breaks when what the data says is overwritten by what was found."""
    rows, truth = shops.planted(customers=80)
    settings = "  own:\n    from: own.csv\n    traits: [{customer: customer, take: {micro_segment: group}}]\n"
    root = tmp_path / "own"
    root.mkdir()
    shops.put(root / "own.csv", ("customer", "group"), [(who, "ours") for who in truth])
    with open_workspace(shops.make(root, rows, settings=settings)) as shop:
        with pytest.raises(Refused, match="micro_segment can't be written"):
            shop.discovery.discover(groups=(2, 4))
        assert set(shops.segments_of(shop).values()) == {"ours"}
        assert shop.discovery.history() == []


def test_traits_alone_are_enough_and_nothing_later_is_said_to_be_known(tmp_path: Path) -> None:
    """Breaks where a workspace has no order: a shop's features would be asked of data that has none."""
    rng = np.random.default_rng(0)
    root = tmp_path / "people"
    root.mkdir()
    people = [
        (f"p{i}", f"{rng.normal(25 + 40 * (i % 2), 4):.3f}", ("basic", "pro")[i % 2], "same", f"{i}@example.org")
        for i in range(200)
    ]
    shops.put(root / "people.csv", ("customer", "age", "plan", "land", "email"), people)
    (root / "shoal.yaml").write_text(
        "shoal: 1\nname: People\ntimezone: UTC\ncurrency: EUR\nsources:\n  people:\n    from: people.csv\n"
        "    traits: [{customer: customer, take: {age: age, plan: plan, land: land, email: email}}]\n",
        encoding="utf-8",
    )
    with open_workspace(root) as shop:
        shop.load()
        found = shop.discovery.discover(groups=(2, 4)).found
    assert (found.supported_k, found.verdict, found.held_out) == (2, "natural", 0)
    assert all(s.distinct is None and s.revenue is None for s in found.segments)
    dropped = {column for column, action, _ in found.decisions if action == "dropped"}
    assert dropped == {"land"}
    assert "email" not in {column for column, _, _ in found.decisions}
    assert {s.rule.fidelity for s in found.segments} == {1.0}
