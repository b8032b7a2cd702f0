"""An experiment from its file to its exposures, in a workspace on disk and by the commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import shoal
from shoal.config import parse_config
from shoal.errors import ConfigError, DefinitionError, Refused, UnknownName
from shoal.insight.experiments.assignment import Holdout
from shoal.workspace import Workspace

from .shops import MAIL, PEOPLE, document, experiment, printed, shop, written

LATER = "2024-07-20"


@pytest.fixture
def ws(tmp_path: Path) -> Any:
    """A shop whose experiment is planned."""
    with shop(tmp_path / "shop") as opened:
        yield opened


def drawn(ws: Workspace) -> dict[str, str | None]:
    """The arm of each of the shop's people."""
    return {c: one.arm for c, one in zip(PEOPLE, ws.experiments.assign_all("mail", PEOPLE), strict=True)}


def expose(ws: Workspace, at: str = "2024-07-02 09:00:00", **arms: str) -> None:
    """Load exposures of all who are drawn, each to their own arm unless another is said."""
    rows = [(c, at, "mail", arms.get(c, arm)) for c, arm in drawn(ws).items() if c in arms or arm]
    written(ws.config.root / "viewed.csv", ("customer", "at", "experiment", "arm"), rows)
    ws.load()


def test_an_experiment_from_plan_to_stop(ws: Workspace) -> None:
    """Breaks when a step doesn't follow from the one before."""
    door = ws.experiments
    assert [one.state.stage for one in door.standing()] == ["planned"]
    planned = door.plan("mail")
    begun = door.start("mail")
    assert begun.wanted == planned.wanted
    assert begun.wanted is not None
    assert begun.holdouts == (Holdout("global", 0.05),)
    expose(ws)
    with door.exposures("mail", as_of=LATER) as found:
        # 150 Kenyans, of whom four of five are in this part of the layer, less the holdout.
        assert 90 < found.total < 135
        assert set(found.counts) == {"control", "mail"}
        assert not found.problems
        rows = ws.store.rows(f"SELECT c.id, e.arm FROM {found.table} e JOIN customers c ON c.key = e.who")
        told = drawn(ws)
        assert all(found.arms[arm] == told[who] for who, arm in rows)
    over = door.stop("mail", because="enough")
    assert (over.stage, over.because) == ("stopped", "enough")
    after = door.assign("mail", "c1")
    assert (after.arm, after.because) == (None, "it is over")
    with pytest.raises(Refused, match="Copy its file under another name"):
        door.start("mail")


def test_each_arm_is_a_segment_of_those_whom_assignment_names(ws: Workspace) -> None:
    """Breaks when the condition that is printed and the arm that is said are two things."""
    ws.experiments.start("mail")
    conditions = ws.experiments.arms("mail")
    assert conditions["mail"].startswith('member of "kenyans" and ')
    for arm, condition in conditions.items():
        ws.segments.add(f"Arm {arm}", condition)
        members = ws.store.rows(
            "SELECT id FROM customers WHERE key IN (SELECT unnest(?::INTEGER[]))", [_members(ws, f"arm-{arm}")]
        )
        mine = {c for c, of in drawn(ws).items() if of == arm}
        assert {who for (who,) in members} == mine
        assert len(mine) > 30


def _members(ws: Workspace, slug: str) -> list[int]:
    found = ws.engine.evaluate({slug: ws.definitions[slug]}, ws.now())
    try:
        keys: list[int] = found.members(slug)["key"].to_pylist()
        return keys
    finally:
        found.close()


def test_who_takes_no_part_is_told_why(ws: Workspace) -> None:
    """Breaks when a customer of the holdout, of another country or of nowhere is put into an arm."""
    experiment(ws.config.root, "all", MAIL.replace("population: kenyans\n", "").replace("layer: messages\n", ""))
    door = ws.experiments
    with pytest.raises(Refused, match="hasn't begun yet"):
        door.assign("mail", "c1")
    for slug in ("mail", "all"):
        door.start(slug)
    asked = [*PEOPLE, "stranger"]
    told = {one: said.because for one, said in zip(asked, door.assign_all("mail", asked), strict=True)}
    assert [door.assign("mail", one).because for one in PEOPLE[:6]] == [told[one] for one in PEOPLE[:6]]
    held = Holdout("global", 0.05)
    for i, customer in enumerate(PEOPLE):
        if i % 4 == 0:
            assert told[customer] == "they aren't in the population"
        elif held.holds(customer):
            assert told[customer] == "they are held out"
    assert told["stranger"].startswith("nobody is known under that id")
    assert "another part of the layer is theirs" in told.values()
    # Without a population a visitor whom nobody knows yet can be drawn by the id that they will have.
    strangers = {one.arm for one in door.assign_all("all", [f"new{i}" for i in range(50)])}
    assert strangers == {"control", "mail", None}


def test_what_is_asked_may_not_change_once_it_runs(ws: Workspace) -> None:
    """Breaks when weights, segment or metric can be edited under a running experiment."""
    root = ws.config.root
    metrics = root / "metrics"
    metrics.mkdir()
    spend = 'name: Spend\nunit: money\nas: mean\nof: sum(revenue of "Order Completed")\n'
    (metrics / "spend.yaml").write_text(spend, encoding="utf-8")
    experiment(root, "mail", MAIL.replace("primary: revenue", "primary: spend"))
    door = ws.experiments
    door.start("mail")
    before = drawn(ws)
    # A segment that is edited later is another one: the experiment keeps what it began with.
    (root / "segments" / "kenyans.yaml").write_text('name: Kenyans\nwhere: country = "UG"\n', encoding="utf-8")
    ws.refresh()
    assert drawn(ws) == before
    (root / "segments" / "kenyans.yaml").unlink()
    ws.refresh()
    assert drawn(ws) == before
    (metrics / "spend.yaml").write_text(
        'name: Spend\nunit: money\nas: mean\nof: count("Order Completed")\n', encoding="utf-8"
    )
    with pytest.raises(Refused, match="The metric 'spend' was edited after 'mail' began"):
        door.result("mail")
    experiment(
        root, "mail", MAIL.replace("primary: revenue", "primary: spend").replace("50%, mail: 50%", "40%, mail: 60%")
    )
    (metrics / "spend.yaml").write_text(spend, encoding="utf-8")
    for ask in (lambda: door.assign("mail", "c1"), lambda: door.arms("mail"), lambda: door.result("mail")):
        with pytest.raises(Refused, match=r"'mail' runs, and its file was edited: arms was .*0\.5.* and is .*0\.6"):
            ask()
    assert "arms was" in door.standing()[0].changed[0]
    door.stop("mail")
    with pytest.raises(Refused, match="is over, and its file was edited afterwards"):
        door.result("mail")


def test_exposures_from_before_the_assignment_are_left_out(ws: Workspace) -> None:
    """Breaks when whoever saw an arm before the start is measured from a later exposure on."""
    ws.experiments.start("mail")
    told = drawn(ws)
    early, fine = [c for c, arm in told.items() if arm][:2]
    rows = [(early, day, "mail", told[early]) for day in ("2024-06-01", "2024-07-02")]
    rows.append((fine, "2024-07-02", "mail", told[fine]))
    written(ws.config.root / "viewed.csv", ("customer", "at", "experiment", "arm"), rows)
    ws.load()
    with ws.experiments.exposures("mail", as_of=LATER) as found:
        assert found.total == 1
        assert [one.says for one in found.problems] == ["1 customer was exposed before the start."]


def test_what_was_sent_before_anybody_began_it_here_can_be_taken_in(tmp_path: Path) -> None:
    """Breaks when an experiment can be dated ahead, or one that is assigned at its start dated back."""
    viewed = [(c, "2024-06-20", "all", "mail" if i % 2 else "control") for i, c in enumerate(PEOPLE)]
    with shop(tmp_path / "shop", viewed) as ws:
        root = ws.config.root
        text = MAIL.replace("population: kenyans\n", "").replace("layer: messages\nshare: 80%\n", "")
        experiment(root, "all", text)
        experiment(root, "static", text + "exposure: at start\n")
        begun = ws.experiments.start("all", since="2024-06-15")
        assert begun.document()["started"] == "2024-06-15T00:00:00Z"
        with ws.experiments.exposures("all") as found:
            assert found.total + sum(one.n for one in found.problems) == 200
        with pytest.raises(Refused, match="can't be started ahead of time"):
            ws.experiments.start("mail", since="2024-08-01")
        with pytest.raises(Refused, match="nobody can say afterwards who that was"):
            ws.experiments.start("static", since="2024-06-15")
        ws.experiments.start("static")
        with ws.experiments.exposures("static", as_of=LATER) as found:
            held = sum(Holdout("global", 0.05).holds(c) for c in PEOPLE)
            assert found.total == 200 - held


def test_files_that_cannot_be_accepted_are_told_and_the_rest_stands(ws: Workspace, capsys: Any) -> None:
    """Breaks when one wrong file hides the others, or a metric that there isn't is only missed at the end."""
    root = ws.config.root
    experiment(root, "weights", MAIL.replace("mail: 50%", "mail: 40%"))
    experiment(root, "metric", MAIL.replace("[orders]", "[ordrs]"))
    experiment(root, "lacking", MAIL.replace("[orders]", "[nps]"))
    found = ws.experiments.catalogue()
    assert found.definitions.keys() == {"mail"}
    said = {slug: str(fault) for slug, fault in found.faults.items()}
    assert said["weights"].startswith("experiments/weights.yaml:4: The weights of 'weights' add up to 0.9.")
    assert said["metric"].startswith("experiments/metric.yaml:6: There is no metric 'ordrs'. Did you mean \"Orders\"?")
    assert "experiments/lacking.yaml:6" in said["lacking"]
    assert "doesn't stand on this data" in said["lacking"]
    with pytest.raises(DefinitionError, match="add up to"):
        ws.experiments.start("weights")
    with pytest.raises(UnknownName, match='Did you mean "mail"'):
        ws.experiments.start("mali")
    ws.close()
    text, code = printed(root, capsys, "experiment", "list")
    assert code == 1
    assert "Mail with free delivery" in text
    assert text.count("isn't accepted") == 3


def test_the_commands_say_what_the_door_does(ws: Workspace, capsys: Any) -> None:
    root = ws.config.root
    ws.close()
    told = document(root, capsys, "experiment", "plan", "mail")
    assert told["customers"] == sum(told["arms"].values())
    text, _ = printed(root, capsys, "experiment", "plan", "mail")
    assert f"control {told['arms']['control']:,}, mail {told['arms']['mail']:,} customers" in text
    text, code = printed(root, capsys, "experiment", "start", "mail")
    assert code == 0, text
    assert "It has 80.0 % of the layer messages, from 0 to 0.8." in text
    assert "holdout global" in text
    text, code = printed(root, capsys, "experiment", "start", "mail")
    assert code == 2
    assert "runs already" in text
    (listed,) = document(root, capsys, "experiment", "list")["experiments"]
    assert (listed["state"], listed["customers_wanted"]) == ("running", told["customers"])
    told = document(root, capsys, "experiment", "assign", "mail", *PEOPLE)
    with shoal.open(root) as again:
        assert [one["arm"] for one in told] == list(drawn(again).values())
    text, _ = printed(root, capsys, "experiment", "assign", "mail", "c0")
    assert text == "c0: in no arm, since they aren't in the population\n"
    arms = document(root, capsys, "experiment", "arms", "mail")
    assert arms["conditions"].keys() == {"control", "mail"}
    text, _ = printed(root, capsys, "experiment", "arms", "mail")
    assert f"mail: {arms['conditions']['mail']}" in text
    over = document(root, capsys, "experiment", "stop", "mail", "--because", "enough")
    assert (over["state"], over["because"]) == ("stopped", "enough")
    (root / "experiments" / "mail.yaml").unlink()
    text, _ = printed(root, capsys, "experiment", "list")
    assert "its file is gone" in text


def test_an_experiment_whose_file_is_gone_can_be_stopped(ws: Workspace) -> None:
    """Breaks when a deleted file holds its part of the layer for ever."""
    ws.experiments.start("mail")
    shutil.rmtree(ws.config.root / "experiments")
    assert [one.experiment for one in ws.experiments.standing()] == [None]
    ws.experiments.stop("mail")
    experiment(ws.config.root, "next", MAIL)
    assert ws.experiments.start("next").slot is not None


def test_a_backup_takes_what_was_begun_along(ws: Workspace, tmp_path: Path, capsys: Any) -> None:
    """Breaks when a restored workspace lacks experiments or metrics, or begins an experiment anew."""
    (ws.config.root / "metrics").mkdir()
    metric = 'name: Spend\nunit: money\nas: mean\nof: sum(revenue of "Order Completed")\n'
    (ws.config.root / "metrics" / "spend.yaml").write_text(metric, encoding="utf-8")
    ws.experiments.start("mail")
    before = drawn(ws)
    ws.backup(tmp_path / "kept.backup")
    root = ws.config.root
    ws.close()
    from shoal.cli import main

    with pytest.raises(SystemExit):
        main(["restore", str(tmp_path / "kept.backup"), str(tmp_path / "again")])
    capsys.readouterr()
    for kept in ("experiments/mail.yaml", "metrics/spend.yaml"):
        assert (tmp_path / "again" / kept).read_bytes() == (root / kept).read_bytes()
    with shoal.open(tmp_path / "again") as again:
        assert drawn(again) == before


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("{global: 5}", "holdouts.global", "'?5'? is no share"),
        ("{global: 0%}", "holdouts.global", "is no share"),
        ("{global: half}", "holdouts.global", "is no share"),
        ("{global: yes}", "holdouts.global", "is no share"),
        ("[global]", "holdouts", "Expected a share of customers by name"),
    ],
)
def test_holdouts_are_shares_of_all_customers(text: str, place: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        parse_config(f"shoal: 1\nholdouts: {text}\n", root=Path())
    assert str(caught.value).startswith(f"shoal.yaml:2: {place}: ")
    told = parse_config("shoal: 1\nholdouts: {global: 5%, old: 0.1}\n", root=Path()).holdouts
    assert told == (Holdout("global", 0.05), Holdout("old", 0.1))


def test_documents_are_json(ws: Workspace) -> None:
    ws.experiments.start("mail")
    expose(ws)
    with ws.experiments.exposures("mail", as_of=LATER) as found:
        json.dumps(found.document())
    json.dumps([one.document() for one in ws.experiments.standing()])
    json.dumps(ws.experiments.plan("mail").document())
