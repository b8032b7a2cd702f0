"""Models in a workspace: fitting, scoring, versions, champions, drift, and what a user gets from the commands."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import shoal
from shoal.errors import Refused, UnknownName
from shoal.insight.models import versions
from shoal.insight.models.churn import Churn
from shoal.workspace import Workspace
from shoal.workspace.models import restored

from .drawn import SETTINGS, drawn_orders, drawn_shop, write_orders

CHURN, WHY = "churn_90d", "churn_90d_reason"


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with churn fitted once."""
    folder = drawn_shop(tmp_path_factory.mktemp("drawn") / "shop")
    with shoal.open(folder) as workspace:
        workspace.load()
        workspace.models.predict(["churn"])
    return folder


@pytest.fixture
def shop(predicted: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of it, open."""
    shutil.copytree(predicted, tmp_path / "shop")
    with shoal.open(tmp_path / "shop") as workspace:
        yield workspace


def scores(workspace: Workspace, trait: str = CHURN) -> dict[str, float]:
    rows = workspace.store.rows(
        f"SELECT c.id, t.value FROM trait_{_number(workspace, trait)} t JOIN customers c ON c.key = t.owner "
        "QUALIFY row_number() OVER (PARTITION BY t.owner ORDER BY t.ts DESC, t.origin DESC) = 1"
    )
    return {who: value / 1e6 for who, value in rows if value is not None}


def _number(workspace: Workspace, trait: str) -> int:
    ((number,),) = workspace.store.rows("SELECT id FROM traits WHERE name = ?", [trait])
    return int(number)


def test_a_score_is_a_trait_that_segments_ask_for(shop: Workspace) -> None:
    """Breaks if a score can't be asked in the language, isn't said to be unless rescored, or moves nobody."""
    found = scores(shop)
    assert len(found) == 500
    assert 0 <= min(found.values()) < max(found.values()) <= 1
    definition = shop.segments.add("Leaving", f"{CHURN} > 0.8")
    assert shop.segments.preview(f"{CHURN} > 0.8").size == sum(value > 0.8 for value in found.values())
    who = max(found, key=lambda one: found[one])
    reason = shop.segments.why(who, definition.slug)
    assert reason.truth
    assert reason.unless_rescored
    (said,) = shop.models.reasons(who, "churn").values()
    assert any("order" in sentence for sentence in said)


def test_the_same_run_again_changes_nothing(shop: Workspace) -> None:
    """Breaks if a score is written though it is the same, or a model is fitted again without being asked."""
    before = [v.number for v in shop.models.versions("churn")]
    done = shop.models.predict(["churn"])
    assert done.fitted == ()
    assert dict(done.changed) == {CHURN: 0, WHY: 0}
    assert [v.number for v in shop.models.versions("churn")] == before
    assert (done.entered, done.left) == (0, 0)


def test_other_settings_are_fitted_anew_and_what_isnt_said_any_more_is_cleared(shop: Workspace) -> None:
    """Breaks if a score of an old horizon stands beside the new one for ever."""
    root = shop.config.root
    shop.close()
    (root / "shoal.yaml").write_text(SETTINGS.replace("models:\n", "models:\n  churn: {horizon: 60 days}\n"))
    with shoal.open(root) as again:
        done = again.models.predict(["churn"])
        assert done.fitted == ("churn",)
        assert again.models.version("churn").number == 2
        assert again.models.version("churn").settings.horizon == 60
        assert scores(again) == {}
        assert len(scores(again, "churn_60d")) == 500
        # The older version is kept, and may score again.
        assert [v.number for v in again.models.versions("churn")] == [2, 1]
        again.models.use("churn", 1)
        assert again.models.version("churn").settings.horizon == 90


def test_evidence_has_the_model_and_its_baselines(shop: Workspace) -> None:
    """Breaks if a fit doesn't say what it foretells, what it rests on, and what a plain way would have done."""
    evidence = shop.models.version("churn").evidence
    assert "90 days" in evidence.label
    assert evidence.customers > 0
    assert evidence.since < evidence.until
    whos = {m.who for m in evidence.measures}
    assert {"recency", "frequency"} <= {who.split(",")[0].split(" ")[0] for who in whos}
    mine = next(m for m in evidence.measures if m.what == "brier")
    assert mine.value is not None
    assert 0 < mine.value < 0.25
    assert shop.models.version("churn").frames["calibration"]


def test_refit_keeps_a_challenger_or_a_new_champion(shop: Workspace) -> None:
    """Breaks if a refit is lost, or two versions are in force at once."""
    write_orders(shop.config.root, drawn_orders(500, 1, days=660))
    shop.load()
    shop.models.predict(["churn"], refit=True)
    every = shop.models.versions("churn")
    assert [v.number for v in every] == [2, 1]
    assert sum(v.in_force for v in every) == 1
    with pytest.raises(UnknownName, match="version of churn"):
        shop.models.use("churn", 9)


def test_a_challenger_scores_only_if_it_is_better_beyond_chance(tmp_path: Path) -> None:
    """Breaks if a new fit that is better by chance at most takes the place of the one in force, or a better one never."""
    world = drawn_orders(500, 1, days=760)
    folder = drawn_shop(tmp_path / "shop")
    write_orders(folder, [row for row in world if row[1] <= 540])
    with shoal.open(folder) as shop:
        shop.load()
        shop.models.predict(["churn"])
        write_orders(folder, world)
        shop.load()
        shop.store.execute(
            "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 220 * 86400000000 AS VARCHAR) WHERE key = 'clock_offset'"
        )
        shop.models.predict(["churn"], refit=True)
        # The same world goes on: what a fit on more of it knows better, chance could have given.
        assert [(v.number, v.in_force) for v in shop.models.versions("churn")] == [(2, False), (1, True)]

        held = shop.models.version("churn")
        state = dict(restored(held).state())
        # The same law with a hundred times the time between orders.
        state["process"] = {**state["process"], "values": [v * (100 if i == 1 else 1) for i, v in
                            enumerate(state["process"]["values"])]}  # fmt: skip
        with shop.store.transaction():
            versions.keep(shop.store, Churn.restored(held.settings, held.evidence, state), shop.now(), in_force=True)
        assert shop.models.version("churn").number == 3
        shop.models.predict(["churn"], refit=True)
        assert shop.models.version("churn").number != 3


def test_a_load_works_closed_forms_out_anew(shop: Workspace) -> None:
    """Breaks if a customer who has just bought is still about to leave until somebody runs the models."""
    found = scores(shop)
    who = max((one for one in found), key=lambda one: (found[one], one))
    end = max(day for _, day, _ in drawn_orders(500, 1))
    write_orders(shop.config.root, [*drawn_orders(500, 1), (who, end, 30.0)])
    shop.load()
    assert scores(shop)[who] < found[who]
    assert shop.models.version("churn").number == 1


def test_drift_is_seen_when_the_base_changes(shop: Workspace) -> None:
    """Breaks if scores that spread quite otherwise than at the fit go unnoticed, or the same base is called changed."""
    assert not any(one.alarming for one in shop.models.drift("churn")["churn"])
    end = max(day for _, day, _ in drawn_orders(500, 1))
    write_orders(shop.config.root, [*drawn_orders(500, 1), ("newcomer", end + 300, 5.0)])
    root = shop.config.root
    shop.close()
    with shoal.open(root) as later:
        later.load()
        later.store.execute(
            "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 300 * 86400000000 AS VARCHAR) WHERE key = 'clock_offset'"
        )
        moved = {one.trait: one for one in later.models.drift("churn")["churn"]}
        assert moved[CHURN].alarming
        done = later.models.predict(["churn"])
        assert [one.trait for one in done.drift["churn"]].count(CHURN) == 1


def test_what_the_data_doesnt_bear_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """Breaks if a handful of customers gets scores from nowhere, or a refusal leaves something behind."""
    folder = drawn_shop(tmp_path / "shop", customers=3)
    with shoal.open(folder) as workspace:
        workspace.load()
        before = workspace.store.rows("SELECT count(*) FROM traits")
        with pytest.raises(Refused, match="customers"):
            workspace.models.predict(["churn"])
        assert workspace.store.rows("SELECT count(*) FROM traits") == before
        assert versions.versions(workspace.store) == []
        with pytest.raises(Refused, match="isn't fitted yet"):
            workspace.models.version("churn")
        with pytest.raises(UnknownName, match="churm"):
            workspace.models.predict(["churm"])


def test_the_commands_tell_people_and_machines(shop: Workspace) -> None:
    """Breaks if a command of models fails, hides the baseline, or its JSON can't be read."""
    root = shop.config.root
    shop.close()

    def run(*args: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "shoal.cli", "-w", str(root), *args], capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    assert "churn_90d" in run("predict", "churn")
    assert "churn" in run("models")
    shown = run("models", "show", "churn")
    assert "brier" in shown
    assert "recency" in shown
    assert "95 % interval over customers" in shown
    assert json.loads(run("models", "show", "churn", "--json"))["in_force"] is True
    tried = run("models", "backtest", "churn", "--periods", "2")
    assert "The model did" in tried
    assert len(json.loads(run("models", "backtest", "churn", "--periods", "2", "--json"))["periods"]) >= 1
    assert "churn" in run("models", "why", "c0001")
    assert "stable" in run("models", "drift")
    assert "isn't fitted yet" in run("models", "show", "value", code=2)
    assert 'Did you mean "churn"?' in run("predict", "churm", code=2)
