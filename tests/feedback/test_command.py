"""``shoal feedback`` and ``ws.feedback`` on real workspaces on disk: what a user reads, and the trait that is written."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import shoal
from shoal.cli import app
from shoal.errors import Refused
from shoal.workspace.proposing import propose_workspace

EXPORTS = Path(__file__).parents[2] / "examples" / "corner-shop" / "exports"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The corner shop after init and load, with one segment."""
    shutil.copytree(EXPORTS, tmp_path / "exports")
    propose_workspace(tmp_path / "shop", tmp_path / "exports")
    with shoal.open(tmp_path / "shop") as ws:
        ws.load()
        ws.segments.add("Regulars", 'count("Order Completed" in last 365 days) >= 6')
    return tmp_path / "shop"


def run(folder: Path, *args: str) -> str:
    done = CliRunner().invoke(app, ["-w", str(folder), "feedback", *args], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def by_hand(measure: str = "nps") -> dict[str, list[int]]:
    with (EXPORTS / "survey.csv").open(encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["answered_at"])
    return {row["customer_id"]: [int(row[measure])] for row in rows}


def test_the_figures_are_those_of_the_file(shop: Path) -> None:
    """Breaks when an answer is lost between the file and the screen."""
    answers = [score for scores in by_hand().values() for score in scores]
    found = json.loads(run(shop, "--json"))
    everyone = found["nps"]["everyone"]
    up, down = sum(a >= 9 for a in answers), sum(a <= 6 for a in answers)
    assert (everyone["up"], everyone["down"], everyone["n"]) == (up, down, len(answers))
    assert everyone["value"] == pytest.approx(100 * (up - down) / len(answers))
    assert [s["slug"] for s in found["nps"]["segments"]] == ["regulars"]
    assert "too few for topics" in found["missing"]["topics"]


def test_what_is_printed_names_segments_figures_and_limits(shop: Path) -> None:
    text = run(shop)
    for words in (
        "Net promoter score",
        "Everyone",
        "Regulars",
        "95 %",
        "customers answered",
        "Mood of what they wrote",
    ):
        assert words in text
    assert "inf" not in text


def test_one_part_that_cannot_be_had_is_an_error(shop: Path) -> None:
    with pytest.raises(Refused, match="too few for topics"):
        run(shop, "topics")


def test_the_trait_is_written_once_and_can_be_asked(shop: Path) -> None:
    """Breaks when writing again changes something, the trait can't be used in a segment, or a model's writing clears it."""
    assert "customers have another value" in run(shop, "--write")
    with shoal.open(shop) as ws:
        assert ws.feedback.write().changed == {"sentiment": 0}
        sad = ws.segments.add("Grumblers", "sentiment < 0")
        members = ws.segments.table().to_pylist()
        size = next(row["size"] for row in members if row["slug"] == sad.slug)
        moods = {m.slug: m for m in ws.feedback.sentiment().moods}
        assert size == moods[None].negative > 0
        assert moods["grumblers"].n == moods["grumblers"].negative == size
        with pytest.raises(Refused, match="isn't asked in a survey"):
            ws.feedback.link(measure="ces")


def test_an_erased_customer_leaves_no_words(shop: Path) -> None:
    """Breaks when a text or a mood outlives its writer."""
    run(shop, "--write")
    with shoal.open(shop) as ws:
        before = ws.feedback.sentiment().total
        who: Any = next(iter(by_hand()))
        ws.privacy.forget(who)
        assert ws.feedback.sentiment().total == before - 1


def test_a_survey_without_scores_or_words_is_refused(tmp_path: Path, real_data: Path) -> None:
    """1,040 answers of an etiquette survey: choices only. Breaks when one of them is taken for a score."""
    propose_workspace(tmp_path / "fly", real_data / "survey_flying_etiquette")
    with shoal.open(tmp_path / "fly") as ws:
        ws.load()
        assert len(ws.customers) == 1040
        for ask in (ws.feedback.nps, ws.feedback.csat, ws.feedback.sentiment, ws.feedback.link):
            with pytest.raises(Refused):
                ask()


def test_settings_decide_which_words_count(shop: Path) -> None:
    """Breaks when shoal.yaml isn't followed."""
    file = shop / "shoal.yaml"
    file.write_text(file.read_text() + "\nfeedback:\n  texts: {Survey Answered: survey}\n")
    with shoal.open(shop) as ws:
        assert ws.feedback.sentiment().where == 'survey of "Survey Answered"'
