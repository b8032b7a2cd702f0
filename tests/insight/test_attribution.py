"""Credit of channels: a published example, laws of every rule, and paths read from a real workspace."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shoal
from shoal.errors import Refused, UnknownName
from shoal.insight.attribution import MODELS, Paths, credits_of, paths_of, removal_effects
from shoal.insight.attribution.spread import ends_of, spread_of

EXAMPLE = Paths.of([(["C1", "C2", "C3"], 1.0), (["C1"], None), (["C2", "C3"], None)])


def by_channel(paths: Paths, model: str) -> dict[str, float]:
    """Conversions by channel."""
    return {one.channel: one.conversions for one in credits_of(paths, model)}


def test_the_published_removal_effects() -> None:
    """Bryl's example of Markov attribution: .5, 1, 1 and so .2, .4, .4 of one conversion.

    Breaks when a removed channel's paths go on past it, or effects aren't shared out.
    """
    assert removal_effects(EXAMPLE).tolist() == pytest.approx([0.5, 1.0, 1.0])
    assert by_channel(EXAMPLE, "markov") == pytest.approx({"C1": 0.2, "C2": 0.4, "C3": 0.4})


@pytest.mark.parametrize(
    ("model", "credit"),
    [
        ("last", {"a": 0, "b": 0, "c": 0, "d": 1}),
        ("first", {"a": 1, "b": 0, "c": 0, "d": 0}),
        ("linear", {"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25}),
        ("position", {"a": 0.4, "b": 0.1, "c": 0.1, "d": 0.4}),
    ],
)
def test_rules_by_hand(model: str, credit: dict[str, float]) -> None:
    """Breaks when an end is the wrong one, or the middle's share isn't divided."""
    assert by_channel(Paths.of([(list("abcd"), 10.0)]), model) == pytest.approx(credit)


paths = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["mail", "ad", "search", "social"]), min_size=1, max_size=6),
        st.one_of(st.none(), st.floats(0.5, 100)),
    ),
    min_size=1, max_size=12,
).filter(lambda found: any(value is not None for _, value in found))  # fmt: skip


@given(paths, st.sampled_from(MODELS))
def test_credit_adds_up(found: list[tuple[list[str], float | None]], model: str) -> None:
    """Breaks when a model gives more than there was, or loses some."""
    told = credits_of(Paths.of(found), model)
    values = [value for _, value in found if value is not None]
    assert sum(one.conversions for one in told) == pytest.approx(len(values))
    assert sum(one.value for one in told) == pytest.approx(sum(values))
    assert all(one.conversions > -1e-9 for one in told)


@given(st.lists(st.sampled_from(["mail", "ad"]), min_size=1, max_size=9), st.sampled_from(MODELS))
def test_of_one_touch_each_all_models_agree(channels: list[str], model: str) -> None:
    """Breaks when a model needs two touches to tell anything."""
    found = by_channel(Paths.of([([name], 1.0) for name in channels]), model)
    assert found == pytest.approx({name: channels.count(name) for name in sorted(set(channels))})


SHOP = """
shoal: 1
name: Shop
clock: data-end
sources:
  visits:
    from: visits.csv
    events: [{event: Visit, customer: customer, at: at, properties: {channel: channel}}]
  mails:
    from: mails.csv
    events: [{event: Mail Opened, customer: customer, at: at}]
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at, properties: {revenue: revenue}}]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Paths of which each rule of reading decides one."""
    visits = [
        ("ann", "2026-03-01T10:00:00Z", "ad"), ("ann", "2026-03-05T10:00:00Z", "search"),
        # Of the second order: after the first one.
        ("ann", "2026-03-10T10:00:00Z", "social"),
        # Older than thirty days before the order, and so for nothing.
        ("bob", "2026-01-01T10:00:00Z", "ad"), ("bob", "2026-03-02T10:00:00Z", "search"),
        # No order follows.
        ("cyd", "2026-03-03T10:00:00Z", "ad"), ("cyd", "2026-03-04T10:00:00Z", "ad"),
        # The visit of the order's own instant.
        ("dan", "2026-03-06T09:00:00Z", "search"),
    ]  # fmt: skip
    orders = [
        ("ann", "2026-03-06T10:00:00Z", "40"), ("ann", "2026-03-11T10:00:00Z", "10"), ("bob", "2026-03-04T10:00:00Z", "20"),
        ("dan", "2026-03-06T09:00:00Z", "8"), ("eve", "2026-03-07T09:00:00Z", "5"),
    ]  # fmt: skip
    mails = [("bob", "2026-03-03T10:00:00Z")]
    for name, head, rows in (
        ("visits", "customer,at,channel", visits), ("orders", "customer,at,revenue", orders), ("mails", "customer,at", mails)
    ):  # fmt: skip
        lines = [head, *(",".join(row) for row in rows)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "shoal.yaml").write_text(SHOP, encoding="utf-8")
    return tmp_path


def test_paths_of_a_workspace(shop: Path) -> None:
    """Breaks when a touch counts for two orders, an old one or one without an order for any, or an order's own is lost."""
    with shoal.open(shop) as ws:
        ws.load()
        with ws.models.as_of() as known:
            found = paths_of(known, {"Visit": "channel", "Mail Opened": None}, "Order Completed", value="revenue")
            with pytest.raises(Refused, match="no number"):
                paths_of(known, {"Visit": "channel"}, "Order Completed", value="channel")
            with pytest.raises(UnknownName, match="Visits"):
                paths_of(known, {"Visits": "channel"}, "Order Completed")
    assert found.untouched == (1, 5.0)
    assert by_channel(found, "last") == pytest.approx({"Mail Opened": 1, "ad": 0, "search": 2, "social": 1})
    assert by_channel(found, "first") == pytest.approx({"Mail Opened": 0, "ad": 1, "search": 2, "social": 1})
    value = {one.channel: one.value for one in credits_of(found, "linear")}
    assert value == pytest.approx({"Mail Opened": 10, "ad": 20, "search": 38, "social": 10})
    touches = {one.channel: one.touches for one in credits_of(found, "linear")}
    assert touches == {"Mail Opened": 1, "ad": 4, "search": 3, "social": 1}
    decayed = by_channel(found, "time-decay")
    # Ann's ad was four days before her search, Bob's search one day before his mail.
    ad, search = 0.5 ** (4 / 7), 0.5 ** (1 / 7)
    assert decayed["ad"] == pytest.approx(ad / (1 + ad))
    assert decayed["search"] == pytest.approx(1 / (1 + ad) + search / (1 + search) + 1)


def test_what_cannot_be_credited_is_refused() -> None:
    """Breaks when nothing is shared out as if it were something."""
    with pytest.raises(Refused, match="No conversion follows"):
        credits_of(Paths.of([(["ad"], None)]), "linear")
    with pytest.raises(UnknownName, match="lst"):
        credits_of(EXAMPLE, "lst")
    with pytest.raises(Refused, match="half-life"):
        credits_of(EXAMPLE, "time-decay", half_life=0)
    assert np.isfinite(removal_effects(EXAMPLE)).all()


# ------------------------------------------------------------ removal, worked out in another way


def removed_by_walking(found: list[tuple[list[str], float | None]]) -> dict[str, float]:
    """Removal effects by walking: mass goes from state to state until hardly any is left, with a channel's moves cut off."""
    moves: dict[str, Counter[str]] = defaultdict(Counter)
    for channels, value in found:
        stops = ["start", *channels, "nothing" if value is None else "won"]
        for here, there in itertools.pairwise(stops):
            moves[here][there] += 1

    def won(without: str | None) -> float:
        mass, total = {"start": 1.0}, 0.0
        for _ in range(400):
            ahead: dict[str, float] = defaultdict(float)
            for here, much in mass.items():
                out = sum(moves[here].values())
                for there, times in moves[here].items():
                    if there == "won":
                        total += much * times / out
                    elif there not in ("nothing", without):
                        ahead[there] += much * times / out
            mass = ahead
        return total

    names = sorted({name for channels, _ in found for name in channels})
    return {name: 1 - won(name) / won(None) for name in names}


@settings(max_examples=30)
@given(paths)
def test_removal_effects_are_those_of_walking(found: list[tuple[list[str], float | None]]) -> None:
    """Breaks when the closed form of the chain isn't the chain: loops, ends and other ways round count."""
    told = removal_effects(Paths.of(found))
    assert dict(zip(Paths.of(found).names, told, strict=True)) == pytest.approx(removed_by_walking(found), abs=1e-6)


# ------------------------------------------------------------ how surely


def drawn_paths(customers: int, seed: int) -> Paths:
    """Up to three paths a customer, over three channels."""
    random, made, owners = np.random.default_rng(seed), [], []
    for customer in range(customers):
        for _ in range(random.integers(1, 4)):
            channels = random.choice(["mail", "ad", "search"], random.integers(1, 4), p=[0.5, 0.3, 0.2]).tolist()
            made.append((channels, float(random.gamma(2, 20)) if random.random() < 0.4 else None))
            owners.append(customer)
    return replace(Paths.of(made), customer=np.array(owners))


@pytest.mark.parametrize("model", ["linear", "markov"])
def test_intervals_hold_what_another_sample_of_the_same_world_gives(model: str) -> None:
    """Breaks when paths are drawn where customers should be, or a draw isn't shared out anew.

    Of 120 samples, the interval of a channel's credit holds the mean credit of the world in about 95 of 100.
    """
    worlds = [drawn_paths(150, seed) for seed in range(120)]
    told = np.array([[one.value for one in credits_of(world, model)] for world in worlds])
    truth, held = told.mean(axis=0), 0
    for value, world in zip(told, worlds, strict=True):
        found = spread_of(world, model, draws=200)
        assert found is not None
        ends = [ends_of(value[i], found.value[:, i]) for i in range(3)]
        held += sum(one.low <= truth[i] <= one.high for i, one in enumerate(ends))
    assert 0.90 <= held / 360 <= 0.99


@pytest.mark.parametrize("model", MODELS)
def test_the_draws_lie_around_the_credit(model: str) -> None:
    """Breaks when draws share out other conversions than those with a touch, or groups of customers lose some."""
    world = drawn_paths(4_000, 1)
    told = {one.channel: one for one in credits_of(world, model)}
    found = spread_of(world, model, draws=300)
    assert found is not None
    for i, name in enumerate(world.names):
        assert found.conversions[:, i].mean() == pytest.approx(told[name].conversions, rel=0.01)
        assert found.value[:, i].mean() == pytest.approx(told[name].value, rel=0.01)


def test_of_few_customers_there_is_no_interval() -> None:
    """Breaks when two buyers give an interval, which would be far too narrow."""
    assert spread_of(Paths.of([(["ad"], 1.0)] * 19), "last") is None
    assert spread_of(Paths.of([(["ad"], 1.0)] * 20), "last") is not None


def test_a_span_of_time_and_first_conversions_are_parts_of_the_whole(shop: Path) -> None:
    """Breaks when a part of the paths takes touches of others along, or a conversion without a touch is lost."""
    with shoal.open(shop) as ws:
        ws.load()
        with ws.models.as_of() as known:
            found = paths_of(known, {"Visit": "channel"}, "Order Completed", value="revenue")
    day = ws.instant("2026-03-06")
    early, late = found.between(None, day), found.between(day, None)
    assert by_channel(early, "last") == pytest.approx({"ad": 0, "search": 1, "social": 0})
    assert early.untouched == (0, 0.0)
    assert late.untouched == (1, 5.0)
    first = found.only(found.turn == 0)
    assert by_channel(first, "last") == pytest.approx({"ad": 0, "search": 3, "social": 0})
    whole, parts = credits_of(found, "linear"), [credits_of(part, "linear") for part in (early, late)]
    assert [one.value for one in whole] == pytest.approx(
        [sum(pair) for pair in zip(*([c.value for c in p] for p in parts), strict=True)]
    )
