"""What a change is made of: the parts sum to it, what was planted is found, and where nothing is nothing is found."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.stats.contributions import Both, Part, by_unit, change, contributions, peeled
from shoal.stats.multiple import benjamini_hochberg

SHARES = [0.4, 0.3, 0.2, 0.07, 0.03]
TIMES = 200
amounts = st.floats(-1e4, 1e4).map(lambda x: round(x, 2))
counts = st.integers(0, 9).map(float)


def customers(
    random: np.random.Generator, size: int, group: int | None = None, *, visits: float = 1.0, size_of: float = 1.0
) -> tuple[Both, np.ndarray]:
    """Orders and their skewed amounts in two periods; the later one has a tenth less, and one group another share of both."""
    groups = random.choice(len(SHARES), size, p=SHARES)
    liking = random.gamma(1, 1, size)
    there = np.where(groups == group, visits, 1.0)
    orders = [random.poisson(liking), random.poisson(0.9 * liking * there)]
    money = [np.array([random.lognormal(3, 1, k).sum() for k in period]) for period in orders]
    money[1] *= np.where(groups == group, size_of, 1.0)
    return Both(money[0], money[1], orders[0].astype(float), orders[1].astype(float)), groups


def found(parts: list[Part]) -> list[tuple[int, str]]:
    """The groups and kinds that stand out after correction."""
    told = [(part.group, effect.kind, effect.p) for part in parts for effect in part.effects if effect.p is not None]
    q = benjamini_hochberg([p for _, _, p in told])
    return [(group, kind) for (group, kind, _), one in zip(told, q, strict=True) if one < 0.05]


@given(st.lists(st.tuples(amounts, amounts, st.integers(0, 3)), min_size=1, max_size=60))
def test_parts_of_a_sum_are_the_change(rows: list[tuple[float, float, int]]) -> None:
    """Breaks when something of the change is in no group, or in two."""
    before, after, groups = (np.array(column) for column in zip(*rows, strict=True))
    both = Both(before, after)
    parts = contributions(both, by_unit(both, groups, 4))
    assert sum(part.amount for part in parts) == pytest.approx(after.sum() - before.sum(), abs=1e-6)


@given(
    st.lists(st.tuples(amounts, counts, amounts, counts, st.integers(0, 3)), min_size=1, max_size=60).filter(
        lambda rows: sum(r[1] for r in rows) > 0 and sum(r[3] for r in rows) > 0
    )
)
def test_parts_of_a_ratio_are_the_change(rows: list[tuple[float, float, float, float, int]]) -> None:
    """Breaks when mix and rate of all groups leave something of the change, also where a group came or went."""
    before, below, after, beneath, groups = (np.array(column) for column in zip(*rows, strict=True))
    # Who has nothing below has nothing above.
    both = Both(np.where(below > 0, before, 0), np.where(beneath > 0, after, 0), below, beneath)
    first, last = both.figures()
    parts = contributions(both, by_unit(both, groups, 4))
    assert sum(part.amount for part in parts) == pytest.approx(last - first, abs=1e-6)
    assert sum(effect.amount for part in parts for effect in part.effects) == pytest.approx(last - first, abs=1e-6)


def test_simpsons_change_is_all_mix() -> None:
    """Breaks when each group's ratio stays and the whole's falls, and it isn't told as a shift of weights."""
    groups = np.repeat([0, 1], 100)
    below = [np.where(groups == 0, 8.0, 2.0), np.where(groups == 0, 2.0, 8.0)]
    ratio = np.where(groups == 0, 50.0, 10.0)
    both = Both(ratio * below[0], ratio * below[1], below[0], below[1])
    assert both.figures() == (42.0, 18.0)
    parts = contributions(both, by_unit(both, groups, 2))
    rate, mix = ([part.effects[i].amount for part in parts] for i in (0, 1))
    assert rate == pytest.approx([0, 0])
    assert mix == pytest.approx([-12, -12])


def test_mix_and_rate_by_hand() -> None:
    """Breaks when the midpoint decomposition isn't what the page of its author says: Σ w̄ Δv and Σ Δw (v̄ − V̄)."""
    groups = np.repeat([0, 1], 50)
    below = [np.where(groups == 0, 1.0, 3.0), np.where(groups == 0, 2.0, 2.0)]
    tops = [np.where(groups == 0, 0.4, 0.6), np.where(groups == 0, 1.0, 0.6)]
    both = Both(tops[0], tops[1], below[0], below[1])
    # w: .25 .75 → .5 .5; v: .4 .2 → .5 .3; V: .25 → .4.
    assert both.figures() == pytest.approx((0.25, 0.4))
    first, second = contributions(both, by_unit(both, groups, 2))
    assert [effect.amount for effect in first.effects] == pytest.approx([0.375 * 0.1, 0.25 * (0.45 - 0.325)])
    assert [effect.amount for effect in second.effects] == pytest.approx([0.625 * 0.1, -0.25 * (0.25 - 0.325)])


@pytest.mark.parametrize("kind", ["sum", "ratio"])
def test_where_all_change_alike_nothing_stands_out(kind: str, record_property: Callable[[str, object], None]) -> None:
    """Breaks when groups that changed as all others did are called causes more often than the correction allows."""
    random = np.random.default_rng(17)
    false, single = 0, []
    for _ in range(TIMES):
        both, groups = customers(random, 800)
        whole = both if kind == "ratio" else Both(both.before, both.after)
        parts = peeled(whole, by_unit(whole, groups, len(SHARES)))
        false += bool(found(parts))
        plain = contributions(whole, by_unit(whole, groups, len(SHARES)))
        single += [effect.p < 0.05 for part in plain for effect in part.effects if effect.p is not None]
    error = sqrt(0.05 * 0.95 / TIMES)
    record_property(
        "shown: groups called causes where there is none, of 5 %",
        f"{kind:6} any after correction {false / TIMES:.3f} ± {1.96 * error:.3f} of {TIMES}; "
        f"single tests {np.mean(single):.3f} of {len(single)}",
    )
    assert false / TIMES <= 0.05 + 3 * error
    assert 0.02 <= np.mean(single) <= 0.08


def test_a_group_that_fell_is_found_and_no_other() -> None:
    """Breaks when a group whose orders fell by half isn't told, or the rest is told in its place."""
    random, hits, others = np.random.default_rng(5), 0, 0
    for _ in range(40):
        both, groups = customers(random, 3000, 2, visits=0.5)
        whole = Both(both.before, both.after)
        out = found(peeled(whole, by_unit(whole, groups, len(SHARES))))
        hits += (2, "sum") in out
        others += any(group != 2 for group, _ in out)
    assert hits >= 38
    assert others <= 4


def test_peeling_only_takes_back() -> None:
    """Breaks when a group is called a cause after another was taken off that wasn't one before, or parts don't sum."""
    random = np.random.default_rng(4)
    for _ in range(20):
        both, groups = customers(random, 1500, int(random.integers(0, 5)), visits=0.6, size_of=1.2)
        for whole in (both, Both(both.before, both.after)):
            split = by_unit(whole, groups, len(SHARES))
            plain, other = contributions(whole, split), peeled(whole, split)
            assert [part.amount for part in other] == pytest.approx([part.amount for part in plain])
            for mine, theirs in zip(plain, other, strict=True):
                for a, b in zip(mine.effects, theirs.effects, strict=True):
                    assert (a.p is None) == (b.p is None)
                    assert a.p is None or (b.p is not None and b.p >= a.p)


def test_a_group_whose_baskets_grew_is_a_rate_and_one_that_came_oftener_is_a_mix() -> None:
    """Breaks when what customers spend an order and how often they come are taken for each other."""
    random, rates, mixes = np.random.default_rng(8), 0, 0
    for _ in range(25):
        both, groups = customers(random, 3000, 1, size_of=1.4)
        out = found(peeled(both, by_unit(both, groups, len(SHARES))))
        rates += (1, "rate") in out and (1, "mix") not in out
        both, groups = customers(random, 3000, 1, visits=1.5)
        out = found(peeled(both, by_unit(both, groups, len(SHARES))))
        mixes += (1, "mix") in out and (1, "rate") not in out
    assert rates >= 22
    assert mixes >= 22


def test_a_handful_of_customers_is_no_evidence() -> None:
    """Breaks when a group of ten, or one whose sum a single customer carries, gets a p-value."""
    random = np.random.default_rng(3)
    both, _ = customers(random, 500)
    whole = Both(both.before, both.after)
    few = np.zeros(500, dtype=np.int64)
    few[np.flatnonzero(both.before)[:10]] = 1
    assert contributions(whole, by_unit(whole, few, 2))[1].effects[0].p is None
    whale = both.after.copy()
    whale[0] = 1e9
    one = Both(both.before, whale)
    groups = np.repeat([0, 1], 250)
    assert all(part.effects[0].p is None for part in contributions(one, by_unit(one, groups, 2)))


def test_groups_of_what_customers_did_may_share_customers() -> None:
    """Breaks when a customer who bought in two stores counts as two independent ones."""
    random, false = np.random.default_rng(21), []
    for _ in range(150):
        taste = random.dirichlet([1, 1, 1], 600)
        liking = random.gamma(1, 1, 600)
        each = [
            [random.poisson(3 * f * liking * taste[:, store]).astype(float) for f in (1.0, 0.8)] for store in range(3)
        ]
        groups = [Both(before, after) for before, after in each]
        whole = Both(sum(g.before for g in groups), sum(g.after for g in groups))  # type: ignore[arg-type]
        parts = contributions(whole, groups)
        assert sum(part.amount for part in parts) == pytest.approx(change(whole).value)
        false += [part.effects[0].p < 0.05 for part in parts if part.effects[0].p is not None]
    assert 0.02 <= np.mean(false) <= 0.085


def test_the_interval_of_the_whole_change_holds_it() -> None:
    """Breaks when the change of a sum or ratio has an interval that is too narrow for skewed money."""
    random = np.random.default_rng(2)
    held = 0
    for _ in range(TIMES):
        both, _ = customers(random, 1000)
        held += not change(both).excludes(0.0)  # the mean amount an order is the same in both periods
    assert held / TIMES >= 0.95 - 3 * sqrt(0.95 * 0.05 / TIMES)
