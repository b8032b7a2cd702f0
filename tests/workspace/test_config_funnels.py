"""``funnels:`` in ``shoal.yaml``: what it means, and that a fault names line and fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoal.config import parse_config
from shoal.errors import ConfigError
from shoal.shapes import FunnelRule

WHOLE = """\
shoal: 1
funnels:
  checkout:
    steps: [Product Added, 'Checkout Started where channel = "web"', Order Completed]
    within: 7 days
    by: plan
    order: any
  First order: {steps: [Signed Up, Order Completed]}
"""


def test_a_whole_section_becomes_rules_by_name(tmp_path: Path) -> None:
    """Breaks when a setting is read into the wrong place or dropped, or what is left out isn't as usual."""
    found = parse_config(WHOLE, root=tmp_path).funnels
    steps = ("Product Added", 'Checkout Started where channel = "web"', "Order Completed")
    assert found == {
        "checkout": FunnelRule(steps, "7 days", "plan", any_order=True),
        "First order": FunnelRule(("Signed Up", "Order Completed"), "30 days", "", any_order=False),
    }
    assert list(found) == ["checkout", "First order"]
    assert parse_config("shoal: 1\n", root=tmp_path).funnels == {}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("funnels: [A, B]\n", 2, "Expected funnels by name"),
        ("funnels:\n  c: [A, B]\n", 3, "Expected settings"),
        ("funnels:\n  c: {step: [A, B]}\n", 3, 'Did you mean "steps"?'),
        ("funnels:\n  c: {within: 7 days}\n", 3, "2 to 12 steps, not 0"),
        ("funnels:\n  c:\n    steps: [A]\n", 4, "2 to 12 steps, not 1"),
        ("funnels:\n  c:\n    steps:\n      - A\n      - B where x >\n", 6, "steps.1.: "),
        ("funnels:\n  c:\n    steps: [A, '']\n", 4, "is empty"),
        ("funnels:\n  c:\n    steps: [A, B]\n    within: 7\n", 5, "Write it as 7 days"),
        ("funnels:\n  c:\n    steps: [A, B]\n    within: 0 days\n", 5, "'0 days' is not a time"),
        ("funnels:\n  c:\n    steps: [A, B]\n    order: free\n", 5, "strict, any"),
        ("funnels:\n  c:\n    steps: [A, B]\n    order: any\n    by: via of \"A\"\n", 6, "Take a trait"),
        ("funnels:\n  c:\n    steps: [A, '\"A\"']\n    order: any\n", 4, "Name each step once"),
        ("funnels:\n  c d: {steps: [A, B]}\n  c-d: {steps: [A, B]}\n", 4, "nearly one name"),
        ("funnels:\n  7: {steps: [A, B]}\n", 3, "no name for a funnel"),
    ],
)  # fmt: skip
def test_a_fault_names_the_line_and_the_fix(tmp_path: Path, text: str, line: int, said: str) -> None:
    """Breaks when a mistake is passed over, or its message doesn't lead to it."""
    with pytest.raises(ConfigError, match=f"(?s)shoal.yaml:{line}.*{said.replace('?', '[?]')}"):
        parse_config(f"shoal: 1\n{text}", root=tmp_path)
