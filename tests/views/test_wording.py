"""How counts and dates are said, through what people read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from shop import make_shop

from shoal.insight.feedback.moods import Moods
from shoal.insight.feedback.themes import Themes
from shoal.insight.models.kinds import kind
from shoal.insight.models.model import Settings
from shoal.insight.texts.needs import Need, Needs
from shoal.stats.intervals import Interval
from shoal.wording import counted, noun
from shoal.workspace import open_workspace

LATE = datetime(2025, 6, 30, 22, 30, tzinfo=UTC)
"""Half past midnight on the first of July in Berlin, where the shop stands."""


def test_a_label_says_dates_as_people_read_them_in_the_shops_zone(tmp_path: Path) -> None:
    """Breaks when a label prints 2025-06-30, or the day of Greenwich where the report beside it has the shop's."""
    with open_workspace(make_shop(tmp_path / "shop")) as ws, ws.models.as_of(LATE) as known:
        assert known.dated(known.at) == "1 July 2025"
        model = kind("churn").fitted(known, Settings("churn", "churn", 30))
        first = known.dated(known.first_order or 0)
    assert model.evidence.label.endswith(f"learnt from {first} to 1 July 2025.")


@pytest.mark.parametrize("n", [0, 1, 2, 1_200])
def test_a_noun_goes_with_its_number(n: int) -> None:
    """Law: one is singular, all else is plural, and the number has separators."""
    said = counted(n, "category", "categories")
    assert said.split(" ", 1) == [f"{n:,}", "category" if n == 1 else "categories"]
    assert noun(n, "is", "are") == ("is" if n == 1 else "are")


def test_notes_of_feedback_count_one_as_one() -> None:
    """Breaks when somebody reads "1 texts are" or "1 English texts have"."""
    found = Moods("text", 3, 3, {"fr": 1}, 1, (), None)
    said = " ".join(found.notes())
    assert "1 text isn't scored for its language" in said
    assert "1 English text has no word" in said
    themes = Themes("text", 60, 61, "supported", 1, (), (), Needs((), ()))
    assert "1 text is left out for the language." in themes.notes()
    need = Need("diners", "slow, service", 1, 12, 2, 40, Interval(2, 1.1, 4), 0.01, 0.02, True)
    assert "1 of 12 unhappy people writes of it, 2 of 40 others" in need.sentence
