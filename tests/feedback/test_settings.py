"""The sections ``feedback:`` and ``trials:`` of shoal.yaml: what is read, and how a slip is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoal.config import parse_config
from shoal.config.feedback import ACTIONS
from shoal.errors import ConfigError
from shoal.shapes import CAMPAIGN_SENT, FeedbackRule, Trial

BOTH = """
shoal: 1
feedback:
  nps: {Call Rated: would_recommend}
  texts: {Review Written: [title, body], Call Rated: said}
  words: {Sick: 1, cheap: -0.5}
trials:
  spring: {arm: group, control: [holdout, none], action: win-back, within: 30 days, only: {campaign: spring}}
"""


def test_both_sections_are_read() -> None:
    """Breaks when a name goes astray, one name isn't a list of one, or a word keeps its capital."""
    config = parse_config(BOTH, root=Path())
    assert config.feedback == FeedbackRule(
        nps={"Call Rated": ("would_recommend",)},
        texts={"Review Written": ("title", "body"), "Call Rated": ("said",)},
        words={"sick": 1.0, "cheap": -0.5},
    )
    assert config.trials == (
        Trial("spring", CAMPAIGN_SENT, "group", ("holdout", "none"), (), "win-back", 30, {"campaign": "spring"}),
    )


def test_without_them_nothing_is_said() -> None:
    config = parse_config("shoal: 1", root=Path())
    assert (config.feedback, config.trials) == (FeedbackRule(), ())


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("feedback: {npss: {A: b}}", "feedback.npss", "is not a setting"),
        ("feedback: {nps: [a]}", "feedback.nps", "Expected names"),
        ("feedback: {words: {good: best}}", "feedback.words.good", "no weight of a word"),
        ("feedback: {words: {good: 5}}", "feedback.words.good", "no weight of a word"),
        ("trials: {a: {arm: g, control: c, action: shout}}", "trials.a.action", "is not known here"),
        ("trials: {a: {arm: g, control: c}}", "trials.a", "`action` is missing"),
        ("trials: {a: {arm: g, action: thank}}", "trials.a", "`control` is missing"),
        ("trials: {a: {control: c, action: thank}}", "trials.a", "`arm` is missing"),
        ("trials: {a: {arm: g, control: c, treated: c, action: thank}}", "trials.a.treated", "got it and nothing"),
        ("trials: {a: {arm: g, control: c, action: thank, within: soon}}", "trials.a.within", "not a number of days"),
        ("trials: [a]", "trials", "Expected trials"),
    ],
)
def test_a_slip_is_named_with_its_place(text: str, place: str, problem: str) -> None:
    """Breaks when a slip is taken in silence, or its message doesn't say where it is."""
    with pytest.raises(ConfigError, match=problem) as caught:
        parse_config(f"shoal: 1\n{text}", root=Path())
    assert place in str(caught.value)


def test_settings_know_the_actions_that_there_are() -> None:
    """Breaks when an action is added and can't be tried, or a trial is of one that is no more."""
    from shoal.insight.actions import ACTIONS as KNOWN

    assert tuple(KNOWN) == ACTIONS
