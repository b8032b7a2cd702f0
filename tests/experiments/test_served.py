"""Experiments beside a running server: the same commands, and exposures that came over HTTP a moment ago."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import shoal
from serving.served import Served
from serving.served import shoal as command
from serving.served import shop as folder_of

from .shops import experiment

MAIL = """
name: Mail
arms: {control: 50%, mail: 50%}
primary: buying
layer: messages
share: 50%
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A shop with an experiment and no data, being served."""
    root = folder_of(tmp_path / "shop", {"buyers": 'did "Order Completed"'})
    (root / "metrics").mkdir()
    (root / "metrics" / "buying.yaml").write_text(
        'name: Buying\nunit: share\nas: share\nof: did "Order Completed"\n', encoding="utf-8"
    )
    experiment(root, "mail", MAIL)
    found = Served(root)
    try:
        yield found.start()
    finally:
        found.close()


def told(served: Served, *args: str) -> Any:
    return json.loads(command(served.folder, "experiment", *args, "--json"))


def test_an_experiment_runs_beside_a_server(served: Served) -> None:
    """Breaks when a command needs the store for itself, or what the server took isn't seen."""
    people = [f"c{i}" for i in range(12)]
    for who in people:
        served.track(who, "Order Completed", revenue=10)
    assert told(served, "start", "mail")["state"] == "running"
    arms = {one["customer"]: one["arm"] for one in told(served, "assign", "mail", *people)}
    taking = {who: arm for who, arm in arms.items() if arm}
    assert 0 < len(taking) < len(people)
    for who, arm in taking.items():
        served.track(who, "Experiment Viewed", experiment_id="mail", variation_id=arm)
    outsider = next(who for who in people if who not in taking)
    served.track(outsider, "Experiment Viewed", experiment_id="mail", variation_id="mail")
    found = told(served, "arms", "mail")
    assert found["exposed"]["arms"] == {arm: list(taking.values()).count(arm) for arm in ("control", "mail")}
    assert [one["reason"] for one in found["exposed"]["left_out"]] == ["not drawn"]
    with shoal.open(served.folder) as ws:
        assert ws.served
        assert ws.experiments.state("mail").stage == "running"
        with ws.experiments.exposures("mail") as seen:
            assert seen.total == len(taking)
        assert ws.experiments.stop("mail").stage == "stopped"
    served.stop()
    # What was begun and ended beside the server stands in the store that it leaves.
    (listed,) = told(served, "list")["experiments"]
    assert listed["state"] == "stopped"
