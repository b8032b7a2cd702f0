"""The section of feedback, from real sentences of reviews: scores, moods, topics and needs, and what it says without them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shop import make_shop
from voices import SOURCES

from shoal.insight.feedback.heard import Heard
from shoal.shapes import Event
from shoal.views.report import Facts, Figure, Hint, Table, feedback, render
from shoal.views.report.compose import compose
from shoal.views.report.page import Section
from shoal.workspace import open_workspace


@pytest.fixture(scope="module")
def spoken(voices: Path) -> Facts:
    with open_workspace(voices) as ws:
        return ws.reports.facts()


def block(section: Section, kind: type, name: str) -> Any:
    (found,) = [one for one in section.blocks if isinstance(one, kind) and one.id == name]
    return found


def hints(section: Section) -> list[str]:
    return [one.text for one in section.blocks if isinstance(one, Hint)]


def prose(section: Section) -> Iterator[str]:
    return (one for one in section.blocks if isinstance(one, str))


@pytest.mark.parametrize("measure", ["nps", "csat"])
def test_the_chart_shows_what_the_workspace_answers(voices: Path, spoken: Facts, measure: str) -> None:
    """Breaks when the report and ``shoal feedback`` give two scores, intervals or numbers of answers for one segment."""
    figure = block(feedback.feedback(spoken), Figure, f"feedback-{measure}")
    with open_workspace(voices) as ws:
        said = {s.slug: s for s in getattr(ws.feedback, measure)().standings}
        names = {None: "Everyone", **{slug: one.name for slug, one in ws.definitions.items()}}
    shown = {row["name"]: (row["value"], row["low"], row["high"], row["n"]) for row in figure.rows}
    assert shown == {names[slug]: (*s.estimate, s.n) for slug, s in said.items()}
    assert len(shown) == 1 + len(SOURCES)


def test_a_title_names_only_segments_that_chance_does_not_explain(spoken: Facts) -> None:
    """Diners were planted as less content, and stars are half good everywhere. Breaks when a title calls chance a difference."""
    section = feedback.feedback(spoken)
    nps, csat = (block(section, Figure, f"feedback-{measure}") for measure in ("nps", "csat"))
    differing = {row["name"] for row in nps.rows if row["differs"]}
    assert "Diners" in differing
    assert all(name in nps.alt.split(". ")[0] for name in differing)
    assert not any(row["differs"] for row in csat.rows)
    assert "no segment can be told from all others" in csat.alt


def test_topics_come_with_how_many_are_unhappy_and_what_one_said(voices: Path, spoken: Facts) -> None:
    """Breaks when a topic's share is of texts, its interval is another's, or nobody is quoted."""
    table = block(feedback.feedback(spoken), Table, "feedback-topics")
    assert spoken.heard.themes is not None
    for row, theme in zip(table.rows, spoken.heard.themes.themes, strict=True):
        assert (row["name"], row["people"], row["known"]) == (theme.name, theme.people, theme.known)
        assert row["unhappy"] == theme.unhappy.value
        assert row["quote"] == f"“{theme.quotes[0]}”"
    sentences = " ".join(prose(feedback.feedback(spoken)))
    assert "agree with it" in sentences, "how far moods can be trusted is said"


def test_needs_that_are_missed_are_those_of_the_test(spoken: Facts) -> None:
    """Breaks when a pair that the correction didn't pass is shown as a need."""
    assert spoken.heard.themes is not None
    unmet = [need for need in spoken.heard.themes.needs.needs if need.unmet]
    table = block(feedback.feedback(spoken), Table, "feedback-needs")
    assert [(row["topic"], row["people"]) for row in table.rows] == [(n.topic, n.people) for n in unmet][:12]
    assert all(row["share"] > row["others"] for row in table.rows)


def test_charts_are_at_hand_in_python(voices: Path) -> None:
    with open_workspace(voices) as ws:
        assert {"feedback-nps", "feedback-csat", "feedback-moods"} <= set(ws.reports.names())
        ws.reports.chart("feedback-moods", width=358).to_dict(validate=True)


def test_what_is_missing_is_said_with_what_to_load(voices: Path, spoken: Facts) -> None:
    """Breaks when somebody without a survey, or without texts, sees an empty page and no way on."""
    nobody = feedback.feedback(replace(spoken, heard=Heard(missing={"nps": "a", "csat": "b", "sentiment": "c"})))
    assert [("nps" in text, "csat" in text, "comments" in text) for text in hints(nobody)] == [(True, True, True)]
    heard = spoken.heard
    silent = feedback.feedback(
        replace(spoken, heard=replace(heard, moods=None, themes=None, missing={"sentiment": "No words."}))
    )
    assert hints(silent) == ["No words. Load reviews or comments, and what customers write about shows here."]
    few = feedback.feedback(replace(spoken, heard=replace(heard, themes=None, missing={"topics": "Too few texts."})))
    assert hints(few) == ["Too few texts."]
    only_texts = feedback.feedback(
        replace(spoken, heard=replace(heard, scores={}, missing={"nps": "Nobody was asked."}))
    )
    assert hints(only_texts) == ["Nobody was asked. Load answers to a survey, and they show here by segment."]


def test_answers_of_another_scale_are_told_and_not_drawn(tmp_path: Path) -> None:
    """Stars of 1 to 10 alone. Breaks when they become a CSAT, or the reader isn't told why nothing shows."""
    from shop import END

    from shoal.clock import to_instant
    from shoal.customers.writer import write_records

    root = make_shop(tmp_path / "shop", customers=30, days=60)
    with open_workspace(root) as ws:
        at = to_instant(END) - 1
        stars = [Event(f"C{i:04d}", "Review Written", at, {"stars": 1 + i % 10}) for i in range(30)]
        assert write_records(ws.store, stars, zone=ws.config.zone, received=to_instant(END)).rejected == 0
        ws.refresh()
        section = feedback.feedback(ws.reports.facts())
    assert section.lead == ""
    (said,) = hints(section)
    assert "another scale" in said


def test_a_report_of_an_earlier_day_knows_no_later_answer(voices: Path) -> None:
    """Breaks when the report of a past day counts what was said after it."""
    with open_workspace(voices) as ws:
        then = ws.reports.facts(as_of="2025-05-15")
        answered = ws.feedback.nps(as_of="2025-05-15").everyone.n
        assert then.heard.scores["nps"].everyone.n == answered < ws.feedback.nps().everyone.n


def test_words_of_customers_cannot_break_the_page(spoken: Facts) -> None:
    """Breaks when what somebody wrote is run by the browser of whoever reads the report."""
    assert spoken.heard.themes is not None
    first, *rest = spoken.heard.themes.themes
    hostile = replace(first, name="<b>", quotes=("<script>alert(1)</script>",))
    themes = replace(spoken.heard.themes, themes=(hostile, *rest))
    facts = replace(spoken, heard=replace(spoken.heard, themes=themes))
    text = render(replace(compose(facts), sections=[feedback.feedback(facts)]))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
