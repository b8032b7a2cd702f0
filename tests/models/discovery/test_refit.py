"""Refits: what stays, what moves, what is told of births, deaths, merges and splits; and the laws of all that."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from shoal.insight.discovery.choice import Settings
from shoal.insight.discovery.discover import Discovery, discover
from shoal.insight.discovery.identity import Members, identify
from shoal.insight.discovery.indices import adjusted_rand
from shoal.insight.discovery.kmeans import cluster
from shoal.insight.discovery.refit import Held, held_partition, resized
from shoal.insight.discovery.table import Table

QUICK = Settings(fewest=2, most=6, rows=600, silhouette_rows=400, bootstraps=4)
CENTRES = np.array([[0, 0, 0], [9, 0, 3], [0, 9, 6], [9, 9, 0], [18, 0, 0]], dtype=np.float64)


def drawn(groups: np.ndarray, centres: np.ndarray = CENTRES, seed: int = 1) -> Table:
    """Customers of planted groups, one standard deviation around their centre."""
    spots = centres[groups] + np.random.default_rng(seed).standard_normal((len(groups), centres.shape[1]))
    return Table(np.arange(len(groups)), {name: spots[:, i] for i, name in enumerate("abc")})


def cloud(n: int = 600, seed: int = 5) -> Table:
    """Customers without groups."""
    spots = np.random.default_rng(seed).standard_normal((n, 5)) @ np.triu(np.full((5, 5), 0.5))
    return Table(np.arange(n), {name: spots[:, i] for i, name in enumerate("abcde")})


def again(table: Table, before: Discovery, *, stays: bool = True, settings: Settings = QUICK) -> Discovery:
    """A refit with the groups of ``before`` in force."""
    return discover(table, settings, before=before.members, held=Held(before.model, table, stays))


@lru_cache
def four() -> tuple[Table, np.ndarray, Discovery]:
    groups = np.random.default_rng(0).integers(0, 4, 600)
    table = drawn(groups)
    return table, groups, discover(table, QUICK)


def ids(found: Discovery) -> np.ndarray:
    return np.array(found.model.segments)[found.places]


@pytest.mark.parametrize("stays", [True, False])
def test_a_refit_on_the_same_data_gives_the_same_ids(stays: bool) -> None:
    """Breaks when groups are named or cut anew though nothing has changed, frozen or not."""
    table, _, first = four()
    found = again(table, first, stays=stays)
    assert found.origin == ("kept" if stays else "moved")
    assert (ids(found) == ids(first)).all()
    assert {c.kind for c in found.changes} == {"kept"}


@pytest.mark.parametrize("seed", [0, 2])
def test_ids_persist_under_a_five_percent_change_of_data_without_groups(seed: int) -> None:
    """Breaks when a cut through a cloud, which k-means could make in many ways, is made in another way each time."""
    table = cloud()
    settings = replace(QUICK, fewest=4)
    first = discover(table, settings)
    rng = np.random.default_rng(seed)
    rows = rng.choice(table.size, table.size // 20, replace=False)
    numbers = {name: values.copy() for name, values in table.numbers.items()}
    for values in numbers.values():
        values[rows] = rng.choice(values, len(rows))
    for stays in (True, False):
        found = again(Table(table.ids, numbers), first, stays=stays, settings=settings)
        assert found.verdict == "constructive"
        assert set(found.model.segments) == set(first.model.segments)
        others = np.setdiff1d(np.arange(table.size), rows)
        assert (ids(found) == ids(first))[others].mean() > 0.8


def test_what_stays_is_the_frozen_partition_itself() -> None:
    """Breaks when a customer who hasn't changed is elsewhere after a refit that says that the groups stay."""
    table, _, first = four()
    found = again(table.take(np.arange(0, 600, 2)), first)
    assert found.origin == "kept"
    assert found.model.plan == first.model.plan
    place = [first.model.segments.index(one) for one in found.model.segments]
    assert np.array_equal(found.model.centres, first.model.centres[place])
    assert "stay as they are" in found.reason


def test_a_new_group_far_from_all_is_born_and_the_others_keep_their_ids() -> None:
    """Breaks when groups in force hide one that is plainly there now, or when finding it costs the others their names."""
    _, groups, first = four()
    more = np.concatenate([groups, np.full(200, 4)])
    found = again(drawn(more), first)
    assert found.k == 5
    assert found.verdict == "natural"
    assert adjusted_rand(more, found.places) >= 0.95
    born = [c for c in found.changes if c.kind == "born"]
    assert len(born) == 1
    assert born[0].after == ("m05",)
    assert born[0].customers == pytest.approx(200, abs=5)
    assert (ids(found)[:600] == ids(first)).mean() > 0.98


def test_a_group_that_nobody_is_in_any_more_dies() -> None:
    """Breaks when an empty group stays in force, or its id goes to others."""
    table, groups, first = four()
    left = np.flatnonzero(groups != 2)
    gone = ids(first)[groups == 2][0]
    found = again(table.take(left), first)
    assert found.k == 3
    assert gone not in found.model.segments
    assert [c.before for c in found.changes if c.kind == "died"] == [(gone,)]
    assert (ids(found) == ids(first)[left]).mean() > 0.98


def test_groups_that_run_together_are_told_as_merged_with_their_shares() -> None:
    """Breaks when two groups that became one are told as a death alone."""
    _, groups, first = four()
    both = CENTRES.copy()
    both[1] = both[0]
    found = again(drawn(groups, both), first)
    assert found.k == 3
    merged = [c for c in found.changes if c.kind == "merged"]
    names = {ids(first)[groups == g][0] for g in (0, 1)}
    assert len(merged) == 0 or set(merged[0].before) == names
    by_members = identify(found.members.customers, found.members.places, 3, first.members)
    told = next(c for c in by_members.changes if c.kind == "merged")
    assert set(told.before) == names
    assert min(told.shares) > 0.9
    assert told.customers == pytest.approx((groups < 2).sum(), abs=10)


def test_a_group_that_falls_apart_is_told_as_split_with_its_shares() -> None:
    """Breaks when a split is told as births alone, or without how many went each way."""
    _, groups, first = four()
    apart = np.where((groups == 3) & (np.arange(600) % 3 == 0), 4, groups)
    centres = CENTRES.copy()
    centres[3], centres[4] = (9, 12, 0), (9, 9, 14)
    found = again(drawn(apart, centres), first)
    assert adjusted_rand(apart, found.places) >= 0.95
    by_members = identify(found.members.customers, found.members.places, found.k, first.members)
    told = next(c for c in by_members.changes if c.kind == "split")
    assert told.before == (ids(first)[groups == 3][0],)
    assert sorted(told.shares) == pytest.approx([1 / 3, 2 / 3], abs=0.05)


def test_a_group_whose_people_all_changed_is_the_same_by_meaning() -> None:
    """Breaks when a group of lapsed customers gets a new id because other people have lapsed."""
    before = Members(np.arange(100), np.repeat([0, 1], 50), ("m01", "m02"), 3)
    labels = np.repeat([1, 0], 50)
    moved = identify(np.arange(100), labels, 2, before, meaning=labels)
    assert moved.segments == ("m01", "m02")
    assert {(c.jaccard, c.members) for c in moved.changes} == {(1.0, 0.0)}
    assert identify(np.arange(100), labels, 2, before).segments == ("m02", "m01")


def test_other_numbers_of_groups_split_the_loosest_and_join_the_nearest() -> None:
    """Breaks when asking for one more group changes all of them, or fewer join what lies apart."""
    rng = np.random.default_rng(0)
    spots = np.array([[0, 0], [1, 0], [20, 0], [20, 9]], dtype=np.float64)
    groups = np.repeat(np.arange(4), 50)
    rows = (spots[groups] + 0.1 * rng.standard_normal((200, 2))).astype(np.float32)
    three = resized(rows, held_partition(rows, groups, 4), 3, 0)
    assert adjusted_rand(three.labels, np.where(groups == 1, 0, groups)) == 1.0
    four_again = resized(rows, resized(rows, three, 2, 0), 4, 0)
    assert four_again.k == 4
    assert cluster(rows, 3, 0).inertia == pytest.approx(three.inertia, rel=1e-6)


def test_equal_rows_can_t_be_split_further() -> None:
    """Breaks when a search for more groups than there are different customers doesn't end."""
    rows = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    assert resized(rows, held_partition(rows, np.repeat([0, 1], 20), 2), 5, 0).k == 2


def test_asking_for_another_number_keeps_the_ids_of_those_that_stay() -> None:
    """Breaks when a marketer who wants six groups in place of four loses all four names."""
    table, _, first = four()
    found = again(table, first, settings=replace(QUICK, fewest=6))
    assert found.k == 6
    assert found.origin == "adapted"
    assert len(set(found.model.segments) & set(first.model.segments)) >= 3


def test_a_search_afresh_takes_nothing_over_but_names() -> None:
    """Breaks when who asks for a search from nothing gets the old groups, or when equal groups lose their names by it."""
    table, _, first = four()
    held = Held(first.model, table, starts=False)
    found = discover(table, QUICK, before=first.members, held=held)
    assert found.origin == "fresh"
    assert (ids(found) == ids(first)).all()
