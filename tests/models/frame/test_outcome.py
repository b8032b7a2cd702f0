"""Outcomes asked for in the segment language: churn under contract on the Telco table, and laws on a made shop."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import shoal
from models.frame.made_shop import DAYS, END, START, history, known, order, people, scores_of, store_of, write
from shoal.clock import DAY
from shoal.errors import ConfigError, Refused
from shoal.insight.models.features import Plan
from shoal.insight.models.learnt import Cases
from shoal.insight.models.model import Evidence, Settings
from shoal.insight.models.outcome import Asked, Outcome, cases_of, named
from shoal.lang.nodes import Definition, MemberOf
from shoal.lang.parse import parse
from shoal.lang.schema import Schema
from shoal.shapes import Event, TraitChange
from shoal.sql.duck import DuckStore, create_store
from shoal.workspace import Workspace

QUIET = 'not did "Order Completed" in last 60 days'
LAPSE = Settings("lapse", "outcome", 60, {"predict": QUIET, "for": 'did "Order Completed" in last 60 days'})


def telco_workspace(folder: Path, **models: Any) -> Path:
    """The Telco table as a user would have it: one file without a date, some of whose customers have left."""
    data = os.environ.get("SHOAL_TEST_DATA")
    if not data:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    source = Path(data) / "telco_churn" / "Telco-Customer-Churn.csv"
    shutil.copy(source, folder / source.name)
    columns = source.read_text(encoding="utf-8").splitlines()[0].split(",")[1:]
    take = {"churned" if c == "Churn" else c: c for c in columns}
    customers = {
        "from": source.name,
        "types": {"SeniorCitizen": "text"},
        "traits": [{"customer": "customerID", "take": take}],
    }
    told = {"shoal": 1, "name": "Telco", "timezone": "UTC", "currency": "USD", "sources": {"customers": customers}}
    (folder / "shoal.yaml").write_text(yaml.safe_dump({**told, "models": models}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def telco(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    leaving = {"kind": "outcome", "predict": "churned = yes", "at": "now"}
    later = {"kind": "outcome", "predict": "churned = yes", "horizon": "30 days"}
    with shoal.open(telco_workspace(tmp_path_factory.mktemp("telco"), leaving=leaving, later=later)) as workspace:
        workspace.load()
        workspace.models.predict(["leaving"])
        yield workspace


def test_telco_holds_the_gates_out_of_fold(telco: Workspace) -> None:
    """Breaks if contractual churn through the whole frame is worse than published, or so much better that it leaks."""
    measures = {
        (m.who, m.what): m.value for m in telco.models.backtest("leaving").periods[0].measures if m.value is not None
    }
    assert 0.84 <= measures["model", "auc"] <= 0.86
    assert measures["model", "ece"] <= 0.02
    assert measures["model", "brier"] <= 0.137
    assert measures["model", "lift@10%"] == pytest.approx(2.85, abs=0.12)
    rivals = {who: value for (who, what), value in measures.items() if what == "brier" and who != "model"}
    assert set(rivals) == {"tenure alone", "base rate"}
    assert rivals["base rate"] == pytest.approx(0.1949, abs=1e-4)
    assert measures["model", "brier"] < min(rivals.values())


def test_telco_never_reads_the_answer(telco: Workspace) -> None:
    """Breaks if the trait that the condition names is a feature, directly or through a segment."""
    evidence = telco.models.version("leaving").evidence
    assert "No feature are the traits of the condition itself: churned." in evidence.notes
    assert not any("nearly tells the outcome alone" in note for note in evidence.notes)
    with telco.models.as_of() as now:
        schema = now.schema

    inner = Definition("gone", "Gone", parse("churned = yes"))
    outer = Definition("lost", "Lost", MemberOf("gone"))
    with_segments = Schema(traits=schema.traits, events=schema.events, segments={"gone": inner, "lost": outer})
    assert named(parse('member of "lost"'), with_segments) == (frozenset({"churned"}), frozenset())


def test_telco_scores_those_who_are_still_here(telco: Workspace) -> None:
    """Breaks if those who left are told that they may leave, or a chance comes without its reasons."""
    ((scored, mean),) = telco.store.rows(
        "SELECT count(*), avg(value) / 1e6 FROM " + trait_table(telco, "leaving_now") + " WHERE value IS NOT NULL"
    )
    assert scored == 7043 - 1869
    assert 0.1 < mean < 0.2654  # Of those who stayed it is lower than of all.
    assert telco.segments.preview("leaving_now > 0.5 and churned = yes").size == 0
    assert telco.segments.preview("leaving_now is known and leaving_now_reason is missing").size == 0
    first = telco.models.reasons("7590-VHVEG", "leaving")["leaving"]
    assert first[0].startswith("Contract: Month-to-month (the odds are ")


def trait_table(workspace: Workspace, name: str) -> str:
    """The table of a trait."""
    ((number,),) = workspace.store.rows("SELECT id FROM traits WHERE name = ?", [name])
    return f"trait_{number}"


def test_a_table_without_history_is_refused_over_a_horizon(telco: Workspace) -> None:
    """Breaks if one instant passes for a history."""
    with pytest.raises(Refused, match="Customers known 60 days ago: 0"):
        telco.models.predict(["later"])


def test_settings_are_read(tmp_path: Path) -> None:
    """Breaks if a slip in shoal.yaml passes, or the default of `at` isn't the past."""
    folder = telco_workspace(tmp_path, x={"kind": "outcome", "predict": "churned = yes", "at": "later"})
    with pytest.raises(ConfigError, match=r"models\.x\.at"), shoal.open(folder):
        pass


# ---------------------------------------------------------------- a made shop


@pytest.fixture(scope="module")
def shop() -> Iterator[DuckStore]:
    made = store_of(history())
    yield made
    made.close()


@pytest.fixture(scope="module")
def lapse(shop: DuckStore) -> Outcome:
    with known(shop, END) as now:
        return Outcome.fitted(now, LAPSE)


def test_it_does_better_than_recency_where_behaviour_decides(shop: DuckStore) -> None:
    """Breaks if the features of the cut, the outcome of after it, or the baselines are mixed up."""
    with known(shop, END) as now:
        found = Outcome.backtest(now, LAPSE, 2)
    assert found.who() == ["model", "recency", "frequency", "base rate"]
    assert found.mean("model", "auc") is not None
    assert 0.6 < (found.mean("model", "auc") or 0) < 0.95
    assert (found.mean("model", "brier") or 1) < (found.mean("base rate", "brier") or 0)
    assert set(found.frames) == {"calibration", "deciles"}
    assert [row["decile"] for row in found.frames["deciles"]] == list(range(1, 11))
    assert found.frames["deciles"][-1]["gain"] == pytest.approx(1)


def test_the_future_changes_neither_fit_nor_scores(lapse: Outcome) -> None:
    """Breaks if a model as of an instant knows anything of later."""
    store = store_of(history())
    write(store, [
        *(order(f"c{i:04}", END + (1 + i % 50) * DAY, 900, "Toys") for i in range(0, 400, 2)),
        *(TraitChange(f"c{i:04}", "left", True, END + DAY) for i in range(1, 400, 2)),
        *(Event(f"c{i:04}", "Complained", END + 1) for i in range(1, 400, 2)),
    ])  # fmt: skip
    with known(store, END) as then:
        again = Outcome.fitted(then, LAPSE)
    assert again.state() == lapse.state()
    assert again.evidence.fingerprint == lapse.evidence.fingerprint
    store.close()


def test_the_order_of_rows_is_no_matter(lapse: Outcome, shop: DuckStore) -> None:
    """Breaks if the order in which data came, and so the customers' keys, decides what is learnt."""
    store = create_store(":memory:", zone="UTC", now=0, threads=1)
    records = history()
    write(store, [records[i] for i in np.random.default_rng(9).permutation(len(records))])
    with known(store, END) as now:
        again = Outcome.fitted(now, LAPSE)
    assert scores_of(again, store, END) == scores_of(lapse, shop, END)
    store.close()


def test_equal_customers_have_equal_scores(lapse: Outcome) -> None:
    """Breaks if an id, a key or the place of a row takes part."""
    store = store_of(history())
    days = (3, 21, 50, 90, 140)
    write(store, [order(f"twin{i}", END - d * DAY, 20, "Wine") for i in range(3) for d in days])
    found = scores_of(lapse, store, END)
    for values in found.values():
        assert values["twin0"] == values["twin1"] == values["twin2"]
    store.close()


def test_it_is_kept_to_the_last_bit(lapse: Outcome, shop: DuckStore) -> None:
    """Breaks if a restored model scores otherwise than the one that was fitted."""
    state, evidence = (json.loads(json.dumps(x)) for x in (lapse.state(), lapse.evidence.document()))
    again = Outcome.restored(LAPSE, Evidence.from_document(evidence), state)
    assert scores_of(again, shop, END) == scores_of(lapse, shop, END)
    text = json.dumps(state)
    assert not any(who in text for who in ("c0001", "c0002", "badge c"))


def test_who_is_scored_and_how_it_is_called(lapse: Outcome, shop: DuckStore) -> None:
    """Breaks if those of whom it is so already, or whom the model isn't for, get a chance."""
    found = scores_of(lapse, shop, END)
    assert set(found) == {"lapse_60d", "lapse_60d_reason"}
    assert any(note.startswith("Nobody's value of plan has changed since ") for note in lapse.evidence.notes)
    recent = f"SELECT count(DISTINCT customer) FROM event_1 WHERE ts > {END - 60 * DAY} AND ts <= {END}"
    ((there,),) = shop.rows("SELECT id FROM event_types WHERE name = 'Order Completed'")
    assert len(found["lapse_60d"]) == shop.rows(recent.replace("event_1", f"event_{there}"))[0][0]
    assert all(0 < chance < 1 for chance in found["lapse_60d"].values())
    assert all("it)" in reason for reason in found["lapse_60d_reason"].values())
    silent = next(iter(set(dict(shop.rows("SELECT id, key FROM customers"))) - set(found["lapse_60d"])))
    with known(shop, END) as now:
        key = shop.rows("SELECT key FROM customers WHERE id = ?", [silent])[0][0]
        assert lapse.reasons(now, key)[0].startswith("It isn't foretold of this customer")


def test_already_so_is_left_out_or_kept(shop: DuckStore) -> None:
    """Breaks if `already: keep` changes nothing, or who is left out isn't said."""
    plain = Settings("again", "outcome", 60, {"predict": 'did "Order Completed" in last 60 days'})
    keep = Settings("again", "outcome", 60, {**plain.options, "already": "keep"})
    with known(shop, END) as now:
        left, kept = Outcome.fitted(now, plain), Outcome.fitted(now, keep)
        assert left.evidence.label.endswith("those of whom it is so already are left out.")
        assert kept.evidence.label.endswith("those of whom it is so already are kept.")
        assert len(kept.scores(now)[0].owners) == len(now.customers) > len(left.scores(now)[0].owners)


def test_a_trait_that_is_written_with_the_outcome_is_told() -> None:
    """Breaks if a column that only reads the answer passes in silence, or can't be left out."""
    store = store_of(history(200, seed=4))
    gone = [i for i in range(200) if i % 3 == 0]
    write(store, [TraitChange(f"c{i:04}", "status", "gone" if i in gone else "here", START) for i in range(200)])
    write(store, [TraitChange(f"c{i:04}", "exit_note", "by phone" if i % 2 else "by mail", START) for i in gone])
    options = {"predict": 'status = "gone"', "at": "now"}
    with known(store, END) as now:
        model = Outcome.fitted(now, Settings("x", "outcome", 90, options))
        assert any(n.startswith("exit_note nearly tells the outcome alone") for n in model.evidence.notes)
        honest = Outcome.fitted(now, Settings("x", "outcome", 90, {**options, "without": ["exit_note"]}))
        assert not any("nearly tells" in n for n in honest.evidence.notes)
        assert "exit_note" not in {t.name for t in honest.plan.traits}
    store.close()


def test_few_cases_give_a_fallback_that_says_so() -> None:
    """Breaks if a model is made of a handful of cases, or a simpler one stands in without a word."""
    store = store_of(history(70, seed=6))
    with known(store, END) as now:
        model = Outcome.fitted(now, Settings("x", "outcome", 90, {"predict": QUIET}))
    assert "a model needs 100 or more" in model.evidence.fallback
    assert "So this is" in model.evidence.fallback
    store.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"predict": 'plann = "gold"'}, "`predict` of the model x: .*plann"),
        ({"predict": QUIET, "for": "age >"}, "`for` of the model x: "),
        ({"predict": 'plan = "silver"'}, "it came true of nobody"),
        ({"predict": QUIET, "without": ["nothing"]}, "There is no trait or event 'nothing'"),
    ],
)
def test_what_can_not_be_foretold_is_refused(shop: DuckStore, options: dict[str, Any], says: str) -> None:
    """Breaks if a slip or an outcome that never comes gives a number."""
    with known(shop, END) as now, pytest.raises(Refused, match=says):
        Outcome.fitted(now, Settings("x", "outcome", 60, options))


def test_one_customer_is_refused() -> None:
    """Breaks if one customer gets a number from nowhere."""
    store = store_of([order("ann", START + d * DAY, 5, "Wine") for d in range(0, DAYS, 30)])
    with known(store, END) as now, pytest.raises(Refused, match="Customers known 120 days ago: 1"):
        Outcome.fitted(now, LAPSE)
    store.close()


def test_rows_can_not_be_repeated_to_balance_outcomes(shop: DuckStore) -> None:
    """Breaks if rows that were copied, as SMOTE and its kin do, can enter a fit: .987 instead of .84 on the Telco table."""
    with known(shop, END) as now:
        asked = Asked.of(LAPSE, now.schema)
        cut = END - 60 * DAY
        part = cases_of(now, asked, Plan.of(now, since=cut), cut, 1)
        with pytest.raises(Refused, match="rows must not be repeated to balance the outcomes"):
            Cases.joined([part, part])


def test_a_model_of_one_instant_is_judged_by_what_came_later() -> None:
    """Breaks if a model that was learnt across customers can't be held against time, or is judged by what it had seen."""
    store = store_of(history(300, seed=4))
    slow = sorted(people(300, 4), key=lambda p: -p.every)
    gone, going = slow[:100:2], slow[1:100:2]
    write(store, [TraitChange(p.id, "status", "here", START) for p in slow])
    write(store, [TraitChange(p.id, "status", "gone", START + 100 * DAY) for p in gone])
    write(store, [TraitChange(p.id, "status", "gone", END - 30 * DAY) for p in going])
    options = {"predict": 'status = "gone"', "at": "now"}
    with known(store, END) as now, now.before(END - 60 * DAY) as before:
        model = Outcome.fitted(before, Settings("left", "outcome", 60, options))
        assert [s.name for s in model.scores(before)] == ["left_now", "left_now_reason"]
        judged = model.judged(before, now)
    assert judged.customers == 250
    value = {(m.who, m.what): m.value for m in judged.measures}
    assert (value["model", "auc"] or 0) > 0.6
    assert value["base rate", "auc"] == 0.5
    store.close()
