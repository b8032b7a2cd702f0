"""How far an experiment is: what is fixed at the start stays fixed, layers aren't shared, and over is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shoal.clock import DAY
from shoal.errors import Refused, StatementError
from shoal.insight.experiments.assignment import Holdout
from shoal.insight.experiments.definition import Amount, AtStart, Experiment, InTrait, Plan
from shoal.insight.experiments.state import changes, hold, hold_metrics, recorded, start, state_of, stop, taken
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.sql.duck import DuckStore

MAIL = Experiment("mail", "Mail", {"control": 0.5, "mail": 0.5}, "revenue")
CUSTOMERS = [f"c{i}" for i in range(3000)]


def test_what_was_begun_is_read_back_whole(store: DuckStore) -> None:
    """Breaks when a part of the record is lost between the store and who reads it."""
    vip = Definition("vip", "VIP", parse('member of "big" and age > 3'), why="w")
    big = Definition("big", "Big", parse("spend > 100"))
    mail = replace(MAIL, population=parse('member of "vip"'), layer="m", share=0.4, holdouts=(Holdout("spring", 0.1),))
    everywhere = (Holdout("global", 0.05),)
    others = {"vip": vip, "big": big, "other": Definition("other", "Other", parse("age > 9"))}
    begun = start(store, mail, 7 * DAY, everywhere=everywhere, segments=others, metrics={"revenue": "abc"}, wanted=1200)
    assert state_of(store, mail) == begun
    assert begun.segments == {"vip": vip, "big": big}
    assert begun.slot is not None
    assert begun.slot.span == (0, 400_000)
    assert (begun.wanted, begun.metrics) == (1200, {"revenue": "abc"})
    over = stop(store, "mail", 9 * DAY, "enough")
    assert state_of(store, mail) == over
    assert (over.started, over.stopped, over.because) == (7 * DAY, 9 * DAY, "enough")
    assert [version for (version,) in store.rows("SELECT version FROM definitions WHERE kind = 'experiment'")] == [1, 2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arms": {"control": 0.4, "mail": 0.6}}, "arms was"),
        ({"primary": "orders"}, "primary was revenue and is orders"),
        ({"population": parse("age > 3")}, "population was nothing and is"),
        ({"plan": Plan("always valid")}, "plan was"),
        ({"effect": Amount(0.1, True)}, "minimum_effect was nothing and is 10%"),
        ({"secondary": ("orders",)}, "secondary was nothing"),
        ({"window": DAY}, "window was nothing"),
        ({"exposure": AtStart()}, "exposure was"),
        ({"hypothesis": "as found"}, "hypothesis was nothing and is as found"),
    ],
)
def test_an_edited_experiment_is_refused_with_what_changed(store: DuckStore, change: dict[str, Any], said: str) -> None:
    """Breaks when weights, metrics or the question may be changed once the answer can be seen."""
    edited = replace(MAIL, **change)
    hold(edited, state_of(store, MAIL))
    start(store, MAIL, DAY)
    with pytest.raises(Refused, match="'mail' runs, and its file was edited") as caught:
        hold(edited, state_of(store, MAIL))
    assert said in str(caught.value)
    assert "stop it, and begin a new one" in str(caught.value)
    stop(store, "mail", 2 * DAY)
    with pytest.raises(Refused, match="is over, and its file was edited afterwards"):
        hold(edited, state_of(store, MAIL))
    assert [one.startswith(said) for one in changes(edited, state_of(store, MAIL))] == [True]


def test_names_may_be_corrected_at_any_time(store: DuckStore) -> None:
    start(store, MAIL, DAY)
    hold(replace(MAIL, name="The mail", why="so", owner="me"), state_of(store, MAIL))


def test_a_metric_that_was_edited_is_another_one(store: DuckStore) -> None:
    """Breaks when what is judged by may be chosen after the figures are seen."""
    begun = start(store, MAIL, DAY, metrics={"revenue": "abc"})
    hold_metrics(MAIL, begun, {"revenue": "abc"})
    with pytest.raises(Refused, match="The metric 'revenue' was edited after 'mail' began"):
        hold_metrics(MAIL, begun, {"revenue": "xyz"})


def test_an_experiment_is_begun_once_and_stopped_once(store: DuckStore) -> None:
    with pytest.raises(Refused, match="doesn't run"):
        stop(store, "mail", DAY)
    start(store, MAIL, DAY)
    with pytest.raises(Refused, match="runs already"):
        start(store, MAIL, 2 * DAY)
    stop(store, "mail", 2 * DAY)
    with pytest.raises(Refused, match="It was stopped at 1970-01-03"):
        stop(store, "mail", 3 * DAY)
    with pytest.raises(Refused, match="Copy its file under another name"):
        start(store, MAIL, 3 * DAY)
    with pytest.raises(Refused, match="Others drew the arms"):
        start(store, replace(MAIL, slug="old", exposure=InTrait("segment")), DAY)


def test_experiments_of_a_layer_share_nobody_while_they_run(store: DuckStore) -> None:
    """Breaks when a customer is in two running experiments of a layer, or a stopped one keeps its part."""
    runs = [replace(MAIL, slug=slug, layer="messages", share=share) for slug, share in (("a", 0.5), ("b", 0.3))]
    drawn = [start(store, one, DAY).assignment(one) for one in runs]
    for customer in CUSTOMERS:
        assert sum(one.arm(customer) is not None for one in drawn) <= 1
    third = replace(MAIL, slug="c", layer="messages", share=0.4)
    with pytest.raises(Refused, match="The layer 'messages' has no 40% left"):
        start(store, third, DAY)
    assert "c" not in recorded(store)
    stop(store, "a", 2 * DAY)
    again = start(store, third, 2 * DAY)
    assert taken(store, "messages") == {"b": (500_000, 800_000), "c": (0, 400_000)}
    assert again.slot is not None
    other = replace(MAIL, slug="d", layer="prices")
    crossing = start(store, other, DAY).assignment(other)
    both = sum(crossing.arm(c) is not None and drawn[1].arm(c) is not None for c in CUSTOMERS)
    assert both == sum(drawn[1].arm(c) is not None for c in CUSTOMERS)


def test_two_that_start_at_the_same_moment_do_not_get_the_same_customers(store: DuckStore) -> None:
    """Breaks when two connections each see the layer free, and both take its beginning."""
    one, two, three = (replace(MAIL, slug=slug, layer="messages", share=0.3) for slug in ("one", "two", "three"))
    beside = store.cursor()
    try:
        with pytest.raises(StatementError), store.transaction():
            _both(store, one, beside, two)
        assert taken(store, "messages") == {"two": (0, 300_000)}
        with store.transaction():
            start(store, one, DAY)
            with pytest.raises(Refused, match="starting at this very moment"):
                start(beside, three, DAY)
        start(beside, three, DAY)
        assert taken(store, "messages") == {"one": (300_000, 600_000), "two": (0, 300_000), "three": (600_000, 900_000)}
    finally:
        beside.close()


def _both(store: DuckStore, one: Experiment, beside: DuckStore, two: Experiment) -> None:
    start(store, one, DAY)
    start(beside, two, DAY)


def test_what_an_earlier_release_did_not_ask_is_no_edit(store: DuckStore) -> None:
    """Breaks when an upgrade stops every experiment that runs."""
    begun = start(store, MAIL, DAY)
    older = {key: value for key, value in begun.meaning.items() if key != "share"}
    hold(MAIL, replace(begun, version="another", meaning=older))


def test_members_of_a_holdout_are_in_no_experiment(store: DuckStore) -> None:
    """Breaks when a global or own holdout leaks into an arm, or a later one takes anybody out who is in."""
    everywhere = (Holdout("global", 0.1),)
    mail = replace(MAIL, holdouts=(Holdout("spring", 0.2),))
    drawn = start(store, mail, DAY, everywhere=everywhere).assignment(mail)
    for customer in CUSTOMERS:
        held = everywhere[0].holds(customer) or mail.holdouts[0].holds(customer)
        assert (drawn.arm(customer) is None) == held
    later = state_of(store, mail, (Holdout("global", 0.5),)).assignment(mail)
    assert later.arms(CUSTOMERS) == drawn.arms(CUSTOMERS)


def test_a_part_of_all_customers_needs_no_layer(store: DuckStore) -> None:
    small = replace(MAIL, share=0.1)
    drawn = start(store, small, DAY).assignment(small)
    taking = sum(arm is not None for arm in drawn.arms(CUSTOMERS))
    assert 220 < taking < 380
