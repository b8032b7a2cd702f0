"""``attribution:`` and ``costs:`` in ``shoal.yaml``: what they accept, and that a fault names its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoal.config import parse_config
from shoal.config.costs import MODELS as IN_SETTINGS
from shoal.errors import ConfigError
from shoal.insight.attribution import HALF_LIFE, MODELS, WINDOW
from shoal.shapes import AttributionRule, CostRule

WHOLE = """\
shoal: 1
attribution:
  touches: {Ad Clicked: channel, Mail Opened: }
  campaigns: {Ad Clicked: campaign}
  conversion: Signed Up
  value: worth
  within: 14 days
  model: time-decay
  half_life: 3 days
costs:
  acquisition: {channels: [search, social], campaigns: spring}
  lead: Lead Created
  within: 60 days
"""


def test_both_sections_are_read_into_rules() -> None:
    """Breaks when a setting is read into the wrong place or dropped."""
    config = parse_config(WHOLE, root=Path())
    assert config.attribution == AttributionRule(
        {"Ad Clicked": "channel", "Mail Opened": None},
        {"Ad Clicked": "campaign"},
        "Signed Up",
        "worth",
        14,
        "time-decay",
        3,
    )
    assert config.costs == CostRule(("search", "social"), ("spring",), "Lead Created", 60)
    listed = parse_config("shoal: 1\nattribution: {touches: [Mail Opened]}\n", root=Path()).attribution
    assert listed == AttributionRule({"Mail Opened": None})
    assert parse_config("shoal: 1\n", root=Path()).attribution is None


def test_what_the_settings_name_is_what_there_is() -> None:
    """Breaks when the settings know other models or other usual values than attribution does."""
    assert IN_SETTINGS == MODELS
    assert (AttributionRule().days, AttributionRule().half_life) == (WINDOW, HALF_LIFE)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("attribution:\n  model: last\n", 2, "touches: {Ad Clicked: channel}"),
        ("attribution:\n  touches: {Ad: channel}\n  model: lst\n", 4, 'Did you mean "last"'),
        ("attribution:\n  touches: {Ad: channel}\n  within: soon\n", 4, "Write it as 90 days"),
        ("attribution:\n  touches: {Ad: channel}\n  windw: 3 days\n", 4, "'windw' is not a setting"),
        ("attribution:\n  touches:\n    Ad: [channel]\n", 4, "Write it in quotes"),
        ("costs:\n  acquisition:\n    channel: search\n", 4, 'Did you mean "channels"'),
        ("costs:\n  acquisition: {}\n", 3, "without it all spend is"),
        ("costs:\n  within: 0 days\n", 3, "is not a number of days"),
    ],
)
def test_a_fault_names_its_line_and_the_way_out(text: str, line: int, said: str) -> None:
    """Breaks when a wrong setting is taken, or its place is lost."""
    with pytest.raises(ConfigError) as caught:
        parse_config(f"shoal: 1\n{text}", root=Path(), place="shoal.yaml")
    assert caught.value.place == f"shoal.yaml:{line}"
    assert said in str(caught.value)
