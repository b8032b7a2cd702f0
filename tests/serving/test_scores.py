"""Scores of models beside a running server: through the log, while calls take effect, and there again after a kill."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from tests.models.frame.drawn import drawn_shop

import shoal
from shoal.insight.models.model import Score
from shoal.lang.schema import Kind
from shoal.workspace.live import scoring

from .served import Served, shop
from .served import shoal as cli

CHURN, VALUE = "churn_90d", "value_predicted_365d"
SEGMENTS = {"buyers": 'did "Order Completed"'}
ABOUT_SCORES = {
    "leaving": f"{CHURN} > 0.8",
    "worth-saving": f"{CHURN} > 0.8 and {VALUE} >= 100",
}


def columns(workspace: Any, churn: dict[str, float | None], value: dict[str, float | None]) -> list[Score]:
    """Two columns of scores by customers' ids."""
    keys = dict(workspace.store.rows("SELECT id, key FROM customers"))
    found = []
    for name, values in ((CHURN, churn), (VALUE, value)):
        owners = np.array([keys[who] for who in values], dtype=np.int32)
        numbers = np.array([np.nan if v is None else v for v in values.values()], dtype=np.float64)
        found.append(Score(name, Kind.NUMBER, f"Made for a test of {name}.", owners, numbers))
    return found


def put(folder: Path, churn: dict[str, float | None], value: dict[str, float | None], **more: Any) -> dict[str, int]:
    """Write scores as a run of models does, by the door that a command beside the server has."""
    with shoal.open(folder) as workspace:
        at = workspace.now()
        changed, skipped = workspace.models.put(
            "model test", columns(workspace, churn, value), at, {"version": 1}, **more
        )
        assert skipped == {}
        return changed


def test_scores_move_memberships_and_stand_in_the_store(served_shop: Served) -> None:
    """Breaks if scores written beside a server wait for a restart, aren't told, or differ between engine and store."""
    served = served_shop
    for who in ("ann", "bob", "cid"):
        served.track(who, "Order Completed", revenue=10)
    changed = put(served.folder, {"ann": 0.9, "bob": 0.95, "cid": 0.1}, {"ann": 250, "bob": 20.5, "cid": 1000})
    assert changed == {CHURN: 3, VALUE: 3}
    for slug, where in ABOUT_SCORES.items():
        with shoal.open(served.folder) as workspace:
            workspace.segments.add(slug, where)
    served.wait_for("leaving", {"ann", "bob"})
    served.wait_for("worth-saving", {"ann"})

    # What is the same again is no change, and what isn't said any more is cleared.
    assert put(served.folder, {"ann": 0.9, "bob": 0.2}, {"ann": 250, "bob": 20.5}) == {CHURN: 2, VALUE: 1}
    served.wait_for("leaving", {"ann"})
    causes = {c["because"] for c in served.changes() if c["segment"] == "leaving" and c["change"] == "left"}
    assert causes == {"scored"}
    profile = served.get("/v1/profiles/bob")
    assert profile["scores"][CHURN]["value"] == 0.2
    assert CHURN not in served.get("/v1/profiles/cid")["scores"]
    # Customers who aren't spoken of keep what they have where the columns don't speak for all.
    assert put(served.folder, {"cid": 0.99}, {"cid": 500}, whole=False, complete=False) == {CHURN: 1, VALUE: 1}
    served.wait_for("leaving", {"ann", "cid"})
    served.wait_for("worth-saving", {"ann", "cid"})

    served.stop(signal.SIGKILL)
    served.start()
    assert served.members("leaving") == {"ann", "cid"}
    served.stop()
    with shoal.open(served.folder) as workspace:
        sizes = {row["slug"]: row["size"] for row in workspace.segments.table().to_pylist()}
        assert (sizes["leaving"], sizes["worth-saving"]) == (2, 2)
        assert CHURN in workspace.schema.scores


def test_no_segment_sees_half_of_what_a_customer_gets(served_shop: Served) -> None:
    """Breaks if one trait of a customer takes effect before another of the same run: memberships would flicker."""
    served = served_shop
    people = [f"c{i}" for i in range(700)]
    for begin in range(0, len(people), 100):
        batch = [
            {"type": "track", "userId": who, "event": "Order Completed", "properties": {"revenue": 1}}
            for who in people[begin : begin + 100]
        ]
        assert served.http.post("/v1/batch", json={"batch": batch}, auth=(served.write_key, "")).status_code == 200
    put(served.folder, dict.fromkeys(people, 0.1), dict.fromkeys(people, 1.0))
    with shoal.open(served.folder) as workspace:
        workspace.segments.add("torn", f"{CHURN} > 0.8 and {VALUE} < 10")
    put(served.folder, dict.fromkeys(people, 0.9), dict.fromkeys(people, 500.0))
    put(served.folder, dict.fromkeys(people, 0.1), dict.fromkeys(people, 1.0))
    assert [c for c in served.changes() if c["segment"] == "torn"] == []


def test_calls_take_effect_while_scores_are_written(served_shop: Served) -> None:
    """Breaks if writing the scores of many customers pauses the effect of calls, as a load of files does."""
    served = served_shop
    people = [f"c{i}" for i in range(4_000)]
    for begin in range(0, len(people), 500):
        batch = [{"type": "track", "userId": who, "event": "Page Viewed"} for who in people[begin : begin + 500]]
        assert served.http.post("/v1/batch", json={"batch": batch}, auth=(served.write_key, "")).status_code == 200
    done: list[dict[str, int]] = []
    r = np.random.default_rng(1)
    chance = {who: float(x) for who, x in zip(people, r.random(len(people)), strict=True)}
    writing = Thread(target=lambda: done.append(put(served.folder, chance, dict.fromkeys(people, 1.0))))
    writing.start()
    sent = 0
    while writing.is_alive():
        served.track(f"new{sent}", "Order Completed", revenue=1)
        served.wait_for_change("buyers", f"new{sent}", "entered", seconds=20)
        sent += 1
        time.sleep(0.02)
    writing.join()
    assert done == [{CHURN: 4_000, VALUE: 4_000}]
    assert sent >= 2, "the scores were written before a second call could be made"


def test_an_erased_person_leaves_the_scores_in_the_log(served_shop: Served) -> None:
    """Breaks if a person's id stays in the log beside their scores, or a replay brings them back."""
    served = served_shop
    for who in ("unmistakable-ann", "bob"):
        served.track(who, "Order Completed", revenue=10)
    put(served.folder, {"unmistakable-ann": 0.9, "bob": 0.8}, {"unmistakable-ann": 1.0, "bob": 2.0})
    with shoal.open(served.folder) as workspace:
        workspace.privacy.forget("unmistakable-ann")
    served.stop(signal.SIGKILL)
    served.start()
    served.stop()
    left = [
        str(path.relative_to(served.folder))
        for path in served.folder.rglob("*")
        if path.is_file() and path.name != "serve.log" and b"unmistakable-ann" in path.read_bytes()
    ]
    assert left == []
    with shoal.open(served.folder) as workspace:
        assert workspace.store.rows("SELECT id FROM customers") == [("bob",)]


def test_a_call_cant_say_what_a_model_says(served_shop: Served) -> None:
    """Breaks if anybody with the public write key sets their own score, or clears it by a value of another type."""
    served = served_shop
    served.track("ann", "Order Completed", revenue=10)
    put(served.folder, {"ann": 0.9}, {"ann": 250})
    for said in (0, "none", None):
        assert served.send("identify", userId="ann", traits={CHURN: said, "plan": "pro"}).status_code == 200
    profile = served.get("/v1/profiles/ann")
    assert profile["scores"][CHURN]["value"] == 0.9
    assert profile["traits"]["plan"] == "pro"
    with shoal.open(served.folder) as workspace:
        assert "is a score" in workspace.data.quarantine()[0]["reason"]


def test_a_trait_that_data_bring_first_stays_theirs(served_shop: Served) -> None:
    """Breaks if scores and a call that name a new trait in the same moment stop the writer, or one takes the other's."""
    served = served_shop
    served.track("ann", "Order Completed", revenue=10)
    served.send("identify", userId="ann", traits={CHURN: "high"})
    served.wait_for("buyers", {"ann"})
    with shoal.open(served.folder) as workspace:
        at = workspace.now()
        made = columns(workspace, {"ann": 0.9}, {"ann": 250})
        changed, skipped = workspace.models.put("model test", made, at, {})
        assert list(changed) == [VALUE]
        assert "comes from your data" in skipped[CHURN]
    profile = served.get("/v1/profiles/ann")
    assert profile["traits"][CHURN] == "high"
    assert profile["scores"][VALUE]["value"] == 250


def test_who_was_erased_meanwhile_doesnt_come_back_into_the_log(served_shop: Served) -> None:
    """Breaks if scores that were worked out before an erasure bring the person's id into the log after it."""
    served = served_shop
    for who in ("unmistakable-ann", "bob"):
        served.track(who, "Order Completed", revenue=10)
    with shoal.open(served.folder) as workspace:
        at = workspace.now()
        made = columns(workspace, {"unmistakable-ann": 0.9, "bob": 0.8}, {"unmistakable-ann": 1.0, "bob": 2.0})
        found = scoring.changed(workspace.store, "model test", made, at, {})
        workspace.privacy.forget("unmistakable-ann")
        for piece in found.pieces():
            workspace.models._link.ask("score", body=piece.body())
    assert served.get("/v1/profiles/bob")["scores"][CHURN]["value"] == 0.8
    left = [p for p in (served.folder / ".shoal").rglob("*") if p.is_file() and b"unmistakable-ann" in p.read_bytes()]
    assert [p for p in left if "log" in str(p)] == []


def test_an_order_changes_what_a_model_says_of_the_customer(tmp_path: Path) -> None:
    """Breaks if closed-form scores wait for the next run of the models though the customer has just bought."""
    folder = drawn_shop(tmp_path / "shop", customers=300)
    with shoal.open(folder) as workspace:
        workspace.load()
        workspace.models.predict(["churn"])
        rows = workspace.sql(
            f"SELECT customer, {CHURN} FROM data.customers ORDER BY {CHURN} DESC, customer"
        ).to_pylist()
        workspace.segments.add("leaving", f"{CHURN} > 0.6")
    who, before = rows[0]["customer"], float(rows[0][CHURN])
    assert before > 0.6
    other, untouched = rows[1]["customer"], float(rows[1][CHURN])
    served = Served(folder)
    try:
        served.start()
        assert who in served.members("leaving")
        served.track(who, "Order Completed", revenue=30)
        served.wait_for_change("leaving", who, "left")
        after = served.get(f"/v1/profiles/{who}")["scores"][CHURN]
        assert after["value"] < 0.6
        assert served.get(f"/v1/profiles/{other}")["scores"][CHURN]["value"] == pytest.approx(untouched, abs=1e-9)
        assert [c["because"] for c in served.changes() if c["customer"] == who][-1] == "scored"
        # A run beside the server says the same of them, to the little that time has changed.
        done = json.loads(cli(folder, "predict", "churn", "--json"))
        assert done["models"]["churn"]["version"] == 1
        assert served.get(f"/v1/profiles/{who}")["scores"][CHURN]["value"] == pytest.approx(after["value"], abs=0.01)
    finally:
        served.close()


@pytest.fixture
def served_shop(tmp_path: Path) -> Any:
    """A shop with one segment, being served."""
    found = Served(shop(tmp_path / "shop", SEGMENTS))
    try:
        yield found.start()
    finally:
        found.close()
