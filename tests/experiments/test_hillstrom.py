"""An experiment that ran elsewhere: Hillstrom's e-mails, said by a file, by events and by a trait, are the same experiment."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import shoal
from shoal.errors import Refused
from shoal.stats.experiments.sample_ratio import sample_ratio
from shoal.workspace import Workspace

from .shops import experiment, written

SETTINGS = """
shoal: 1
name: Hillstrom
clock: data-end
purposes: {analysis: none}
default_purpose: analysis
sources:
  sent:
    from: sent.csv
    events:
      - {event: Campaign Sent, customer: customer, at: at, properties: {campaign: campaign, kind: arm}}
    traits: [{customer: customer, take: {mailing: arm, newbie: newbie}, at: at}]
  visits:
    from: visits.csv
    events: [{event: Site Visited, customer: customer, at: at}]
"""
COMMON = """
name: E-mails of spring
arms: {nothing: 33.34%, men: 33.33%, women: 33.33%}
primary: visits
"""
ARMS = "arms: {No E-Mail: nothing, Mens E-Mail: men, Womens E-Mail: women}"
WAYS = {
    "by-file": f"exposure: {{file: assigned.csv, at: day, {ARMS}}}",
    "by-event": f"exposure: {{event: Campaign Sent, arm: kind, only: {{campaign: spring}}, assigned: elsewhere, {ARMS}}}",
    "by-trait": f"exposure: {{trait: mailing, {ARMS}}}",
}
SIZES = {"nothing": 21_306, "men": 21_307, "women": 21_387}
VISITS = {"nothing": 2_262, "men": 3_894, "women": 3_238}


@pytest.fixture(scope="module")
def hillstrom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """64,000 customers of three arms, who visited or didn't."""
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    root = tmp_path_factory.mktemp("hillstrom")
    with (Path(folder) / "hillstrom" / "hillstrom.csv").open(encoding="utf-8") as file:
        people = list(csv.DictReader(file))
    arms = [(f"c{i}", "2008-03-01", "spring", row["segment"], row["newbie"]) for i, row in enumerate(people)]
    written(root / "sent.csv", ("customer", "at", "campaign", "arm", "newbie"), arms)
    written(root / "assigned.csv", ("customer", "day", "arm"), [(who, day, arm) for who, day, _, arm, _ in arms])
    came = [(f"c{i}", "2008-03-08") for i, row in enumerate(people) if row["visit"] == "1"]
    written(root / "visits.csv", ("customer", "at"), [*came, ("late", "2008-04-30")])
    (root / "shoal.yaml").write_text(SETTINGS, encoding="utf-8")
    (root / "metrics").mkdir()
    visits = 'name: Visits\nunit: share\nas: share\nof: did "Site Visited"\n'
    (root / "metrics" / "visits.yaml").write_text(visits, encoding="utf-8")
    for slug, way in WAYS.items():
        experiment(root, slug, f"{COMMON}{way}\n")
    with shoal.open(root) as ws:
        ws.load()
        yield ws


@pytest.mark.parametrize("way", WAYS)
def test_sizes_and_visits_are_those_that_were_published(hillstrom: Workspace, way: str) -> None:
    """MODELS.md, section 6: arms of 21,306, 21,307 and 21,387 with 2,262, 3,894 and 3,238 visits; sizes pass (p .904).

    Breaks when an import loses customers, swaps arms, or reads its days in another zone.
    """
    with hillstrom.experiments.exposures(way) as found:
        assert found.arms == ("nothing", "men", "women")
        assert found.counts == SIZES
        assert not found.problems
        came = hillstrom.store.rows(
            f"SELECT e.arm, count(*) FROM {found.table} e WHERE e.who IN (SELECT customer FROM event_2) GROUP BY e.arm"
        )
        assert {found.arms[arm]: n for arm, n in came} == VISITS
        assert found.document()["first"] == "2008-03-01T00:00:00Z"
    assert sample_ratio(list(SIZES.values()), [1, 1, 1]).p == pytest.approx(0.9037, abs=1e-4)


def test_an_import_is_neither_planned_nor_started(hillstrom: Workspace) -> None:
    """Breaks when arms that others drew are drawn anew."""
    door = hillstrom.experiments
    assert {one.state.stage for one in door.standing()} == {"elsewhere"}
    for ask in (door.start, door.plan, door.arms):
        with pytest.raises(Refused, match="Others drew the arms of 'by-file'"):
            ask("by-file")
    with pytest.raises(Refused, match="nobody is assigned here"):
        door.assign("by-file", "c1")


def test_a_population_leaves_out_whoever_is_not_in_it(hillstrom: Workspace) -> None:
    """Breaks when an import's population isn't looked at: 32,144 of the 64,000 were new customers."""
    text = (hillstrom.config.root / "experiments" / "by-event.yaml").read_text(encoding="utf-8")
    experiment(hillstrom.config.root, "new", text.replace("primary:", "population: newbie = 1\nprimary:"))
    try:
        with hillstrom.experiments.exposures("new") as found:
            assert found.total == 32_144
            assert [(one.code, one.n) for one in found.problems] == [("outside", 64_000 - 32_144)]
    finally:
        (hillstrom.config.root / "experiments" / "new.yaml").unlink()
