"""``sessions:`` in ``shoal.yaml``: what it means, and that a fault names line and fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoal.clock import MINUTE
from shoal.config import parse_config
from shoal.errors import ConfigError
from shoal.shapes import SessionRule

WHOLE = """\
shoal: 1
sessions:
  events: [Page Viewed, "App *"]
  pages: Page Viewed
  page: path
  gap: 45 minutes
  engaged: {seconds: 15, page_views: 3, key_events: [Order Completed, Signed Up]}
  foreground: {property: engagement_time_msec, unit: milliseconds}
"""


def test_a_whole_section_becomes_one_rule(tmp_path: Path) -> None:
    """Breaks when a setting is read into the wrong place or dropped."""
    assert parse_config(WHOLE, root=tmp_path).sessions == SessionRule(
        ("Page Viewed", "App *"), ("Page Viewed",), "path", 45 * MINUTE, 15, 3, ("Order Completed", "Signed Up"),
        "engagement_time_msec", milliseconds=True,
    )  # fmt: skip


def test_what_is_left_out_is_as_usual(tmp_path: Path) -> None:
    """Breaks when the thirty minutes, ten seconds or two views aren't what holds without a word."""
    rule = parse_config("shoal: 1\nsessions: {events: Page Viewed}\n", root=tmp_path).sessions
    assert (rule.gap, rule.seconds, rule.page_views) == (30 * MINUTE, 10, 2)
    assert parse_config("shoal: 1\n", root=tmp_path).sessions == SessionRule()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("sessions:\n  gpa: 30 minutes\n", 3, 'Did you mean "gap"?'),
        ("sessions:\n  gap: 30\n", 3, "Write it as 30 minutes"),
        ("sessions:\n  gap: 2 days\n", 3, "Write it as 30 minutes"),
        ("sessions:\n  gap: 25 hours\n", 3, "not a time from 1 second to 24 hours"),
        ("sessions:\n  engaged:\n    seconds: ten\n", 4, "whole number of 1 or more"),
        ("sessions:\n  engaged:\n    page_view: 2\n", 4, 'Did you mean "page_views"?'),
        ("sessions:\n  engaged: [a]\n", 3, "Expected settings"),
        ("sessions:\n  foreground: {unit: seconds}\n", 3, "property: engagement_time_msec"),
        ("sessions:\n  foreground: {property: a, unit: hours}\n", 3, "seconds, milliseconds"),
        ("sessions: [Page Viewed]\n", 2, "Expected settings"),
    ],
)
def test_a_fault_names_the_line_and_the_fix(tmp_path: Path, text: str, line: int, said: str) -> None:
    """Breaks when a mistake is passed over, or its message doesn't lead to it."""
    with pytest.raises(ConfigError, match=f"(?s)shoal.yaml:{line}.*{said.replace('?', '[?]')}"):
        parse_config(f"shoal: 1\n{text}", root=tmp_path)
