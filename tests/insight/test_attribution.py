"""Credit of channels: a published example, laws of every rule, and paths read from a real workspace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shoal
from shoal.errors import Refused, UnknownName
from shoal.insight.attribution import Paths, credits_of, paths_of, removal_effects

MODELS = ["last", "first", "linear", "position", "time-decay", "markov"]
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
