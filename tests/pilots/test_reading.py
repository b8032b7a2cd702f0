"""Pilot files: what is read, and what is refused at its place in the file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from shoal.errors import DefinitionError, UnknownName
from shoal.insight.experiments.definition import Amount
from shoal.insight.pilots.definition import HELD_OUT, PILOT, Cost, Goal
from shoal.insight.pilots.reading import read_pilot, read_pilots
from shoal.lang.show import show

WHOLE = """name: Win back
why: They left.
owner: crm@example.com
segments: [lapsed, asleep]
holdout: 20%
kpis:
  - {metric: orders, gain: 5%}
  - {metric: revenue, gain: 0.5}
  - {metric: repeat-purchase-rate, reach: 25%}
  - active-customers
end: 2026-06-30
cost: {contact: 0.5, fixed: 1000}
margin: 40%
"""


def read(text: str = WHOLE) -> object:
    return read_pilot(text, slug="win-back", place="pilots/win-back.yaml")


def test_a_file_says_all_of_it() -> None:
    """Breaks when a key is lost, or a per cent is taken for a number."""
    pilot = read_pilot(WHOLE, slug="win-back", place="p")
    assert pilot.goals == (
        Goal("orders", Amount(0.05, True)), Goal("revenue", Amount(0.5, False)),
        Goal("repeat-purchase-rate", None, 0.25), Goal("active-customers"),
    )  # fmt: skip
    assert (pilot.ends, pilot.held_out, pilot.margin) == (date(2026, 6, 30), 0.2, 0.4)
    assert pilot.cost == Cost(0.5, 1000)
    assert pilot.cost.of(200) == 1100
    assert pilot.cost.of(200, fixed=False) == 100, "fixed costs are no segment's"


def test_a_holdout_of_its_own_is_an_experiment_whose_control_is_kept_out() -> None:
    """Breaks when those who are held out get it, or somebody outside of its segments takes part."""
    experiment = read_pilot(WHOLE, slug="win-back", place="p").own_experiment()
    assert experiment.control == HELD_OUT
    assert experiment.arms == pytest.approx({HELD_OUT: 0.2, PILOT: 0.8})
    assert experiment.population is not None
    assert show(experiment.population) == 'member of "lapsed" or member of "asleep"'
    assert experiment.assignment().condition(HELD_OUT) == 'bucket "experiment:pilot-win-back" < 0.2'


def test_without_lots_it_is_refused_and_says_how_to_get_them() -> None:
    """Breaks when a pilot may be judged by what would have come anyway."""
    with pytest.raises(DefinitionError, match="holds nobody out by lot") as refused:
        read(WHOLE.replace("holdout: 20%\n", ""))
    assert "holdout: 20%" in str(refused.value)
    assert "experiment:" in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("holdout: 20%", "holdout: 20%\nexperiment: mail", "held out already"),
        ("holdout: 20%", "holdout: 0%", "no share"),
        ("holdout: 20%", "holdout: all", "no number"),
        ("holdout: 20%", "holdout: 20%\narm: mail", "Only a pilot that rests on an experiment"),
        ("segments: [lapsed, asleep]\n", "", "for whom the pilot is"),
        ("gain: 5%", "gain: -5%", "none"),
        ("gain: 5%", "gain: much", "no number"),
        ("gain: 5%", "gain: 5%, reach: 3", "gains something or reaches"),
        ("gain: 5%", "again: 5%", "no key 'again'"),
        ("metric: revenue", "metric: orders", "stands twice"),
        ("  - active-customers\n", "  - {gain: 5%}\n", "no 'metric'"),
        ("end: 2026-06-30", "end: 2026-06-31", "no date"),
        ("end: 2026-06-30\n", "", "no 'end'"),
        ("owner: crm@example.com\n", "", "no 'owner'"),
        ("fixed: 1000", "fixed: -1", "below 0"),
        ("{contact: 0.5, fixed: 1000}", "cheap", "no text"),
        ("margin: 40%", "margin: 140%", "no share of revenue"),
        ("why:", "because:", "no key 'because'"),
    ],
)
def test_a_slip_is_named_at_its_place(old: str, new: str, problem: str) -> None:
    """Breaks when a fault passes, or is told without its line."""
    assert old in WHOLE
    with pytest.raises(DefinitionError, match=problem) as refused:
        read(WHOLE.replace(old, new, 1))
    assert refused.value.place is not None
    assert refused.value.place.startswith("pilots/win-back.yaml")


def test_a_file_with_a_fault_leaves_the_others_alone(tmp_path: Path) -> None:
    """Breaks when one bad file hides all pilots, or its name is answered as if it weren't there."""
    (tmp_path / "pilots").mkdir()
    (tmp_path / "pilots" / "good.yaml").write_text(WHOLE, encoding="utf-8")
    (tmp_path / "pilots" / "bad.yaml").write_text("name: x", encoding="utf-8")
    (tmp_path / "pilots" / "latin.yaml").write_bytes(b"name: \xe9")
    found = read_pilots(tmp_path)
    assert list(found.definitions) == ["good"]
    assert found.find("Win back").slug == "good"
    with pytest.raises(DefinitionError, match="no 'owner'"):
        found.find("bad")
    with pytest.raises(UnknownName, match="goods"):
        found.find("goods")
    assert "can't be read" in found.faults["pilots/latin.yaml"]


def test_the_version_is_of_what_is_promised() -> None:
    """Breaks when a new owner makes a new promise, or another goal doesn't."""
    one = read_pilot(WHOLE, slug="a", place="p")
    assert read_pilot(WHOLE.replace("crm@", "cmo@"), slug="a", place="p").version == one.version
    assert read_pilot(WHOLE.replace("gain: 5%", "gain: 4%"), slug="a", place="p").version != one.version
