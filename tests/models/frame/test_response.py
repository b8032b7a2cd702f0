"""The chance to answer a message of each type, on a made shop where three in ten answer gladly."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from models.frame.made_shop import END, START, history, known, order, people, scores_of, store_of, write
from shoal.clock import DAY, HOUR
from shoal.errors import Refused
from shoal.insight.models.model import Evidence, Settings
from shoal.insight.models.response import Messages, Response
from shoal.shapes import Event
from shoal.sql.duck import DuckStore, create_store

SETTINGS = Settings("response", "response", 20, {})


@pytest.fixture(scope="module")
def shop() -> Iterator[DuckStore]:
    made = store_of(history(300, messages=True))
    yield made
    made.close()


@pytest.fixture(scope="module")
def model(shop: DuckStore) -> Response:
    with known(shop, END) as now:
        return Response.fitted(now, SETTINGS)


def test_it_finds_who_answers_and_what(model: Response, shop: DuckStore) -> None:
    """Breaks if answers are counted for the wrong message, customer or type: offers are answered twice as often."""
    found = scores_of(model, shop)
    assert set(found) == {"p_response_offer_20d", "p_response_news_20d"}
    gladly = [p.id for p in people(300, 1) if p.answers > 0.5]
    hardly = [p.id for p in people(300, 1) if p.answers < 0.5]
    mean = {(t, len(g)): float(np.mean([found[f"p_response_{t}_20d"][i] for i in g]))
            for t in ("offer", "news") for g in (gladly, hardly)}  # fmt: skip
    assert mean["offer", len(gladly)] == pytest.approx(0.6, abs=0.1)
    assert mean["news", len(gladly)] == pytest.approx(0.3, abs=0.1)
    assert mean["offer", len(hardly)] == pytest.approx(0.05, abs=0.04)
    assert mean["news", len(hardly)] == pytest.approx(0.025, abs=0.03)


def test_its_backtest_has_its_baselines(shop: DuckStore) -> None:
    """Breaks if a baseline is missing, or an answer is known before it was given."""
    with known(shop, END) as now:
        found = Response.backtest(now, SETTINGS, 2)
    assert found.who() == ["model", "past response", "recency", "type", "base rate"]
    assert (found.periods[0].until - found.periods[0].cut) == 40 * DAY
    assert 0.7 < (found.mean("model", "auc") or 0) < 0.97
    assert (found.mean("model", "brier") or 1) < (found.mean("recency", "brier") or 0)
    assert (found.mean("past response", "auc") or 0) > 0.7
    assert found.mean("model", "auc, offer") is not None


def test_the_future_changes_nothing(model: Response) -> None:
    """Breaks if a fit or its scores know of messages or answers after their instant."""
    store = store_of(history(300, messages=True))
    write(store, [
        *(Event(f"c{i:04}", "Message Sent", END + DAY, {"message_id": "late", "type": "late"}) for i in range(300)),
        *(Event(f"c{i:04}", "Message Clicked", END + 2 * DAY, {"message_id": f"m{i % 20}"}) for i in range(300)),
    ])  # fmt: skip
    with known(store, END) as then:
        assert Response.fitted(then, SETTINGS).state() == model.state()
    store.close()


def test_it_is_kept_and_equal_customers_are_equal(model: Response) -> None:
    """Breaks if a restored model scores otherwise, or two customers of one history differ."""
    state, evidence = (json.loads(json.dumps(x)) for x in (model.state(), model.evidence.document()))
    again = Response.restored(SETTINGS, Evidence.from_document(evidence), state)
    store = store_of(history(60, messages=True))
    write(store, [order(f"twin{i}", END - d * DAY, 20, "Wine") for i in range(3) for d in (5, 30)])
    found = scores_of(model, store)
    assert scores_of(again, store) == found
    for values in found.values():
        assert values["twin0"] == values["twin1"] == values["twin2"]
    store.close()


def test_an_answer_counts_for_the_message_that_it_names(shop: DuckStore) -> None:
    """Breaks if an answer to one message counts for another, or one that came too late counts at all."""
    store = create_store(":memory:", zone="UTC", now=0, threads=1)
    sent = [Event("ann", "Message Sent", START + d * DAY, {"message_id": f"m{d}", "type": "a"}) for d in (0, 1, 2)]
    write(store, [
        *sent, Event("ann", "Message Clicked", START + 3 * DAY, {"message_id": "m1"}),
        Event("ann", "Message Clicked", START + 40 * DAY, {"message_id": "m2"}),
    ])  # fmt: skip
    with known(store, END) as now:
        messages = Messages.of(now, SETTINGS)
        rows = now.arrow(f"SELECT ts, answered FROM ({messages.told(now, 20)}) ORDER BY ts").to_pylist()
    assert messages.how == '"Message Clicked" with the same message_id'
    assert [r["answered"] for r in rows] == [False, True, False]
    store.close()


def test_without_a_name_an_answer_counts_for_what_was_sent_before_it() -> None:
    """Breaks if answers that name no message are lost."""
    store = store_of([
        Event("ann", "Email Sent", START), Event("ann", "Email Sent", START + 30 * DAY),
        Event("ann", "Coupon Redeemed", START + 5 * DAY), Event("ann", "Coupon Redeemed", START + 30 * DAY - HOUR),
    ])  # fmt: skip
    with known(store, END) as now:
        messages = Messages.of(now, SETTINGS)
        rows = now.arrow(f"SELECT kind, answered FROM ({messages.told(now, 20)}) ORDER BY ts").to_pylist()
    assert [(r["kind"], r["answered"]) for r in rows] == [("message", True), ("message", False)]
    store.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "There is no event that is a message: Campaign Sent, "),
        ({"sent": "Order Completed"}, "There is no event that is an answer: "),
        ({"sent": "Nothing"}, 'There is no event "Nothing"'),
        ({"sent": "Order Completed", "answered": "Page Viewed", "type": "kind"}, "has no text 'kind'"),
        ({"sent": "Order Completed", "answered": "Page Viewed"}, ""),
    ],
)
def test_what_is_missing_is_said(options: dict[str, str], says: str) -> None:
    """Breaks if a shop without messages gets chances from nowhere, or isn't told what it lacks."""
    store = store_of(history(60))
    settings = Settings("response", "response", 20, options)
    with known(store, END) as now:
        if says:
            with pytest.raises(Refused, match=says):
                Response.fitted(now, settings)
        else:
            assert Response.fitted(now, settings).types == ("message",)
    store.close()


def test_messages_too_new_to_be_answered_are_refused() -> None:
    """Breaks if a message of yesterday counts as unanswered."""
    store = store_of([
        *(order(f"c{i}", START + i * DAY, 5, "Wine") for i in range(60)),
        *(Event(f"c{i}", "Message Sent", END - DAY, {"message_id": "m", "type": "a"}) for i in range(60)),
        Event("c0", "Message Clicked", END - HOUR, {"message_id": "m"}),
    ])  # fmt: skip
    with known(store, END) as now, pytest.raises(Refused, match='No "Message Sent" is older than 20 days'):
        Response.fitted(now, SETTINGS)
    store.close()
