"""Metric files: what they may say, and where a fault is shown."""

from __future__ import annotations

import pytest

from shoal.errors import DefinitionError
from shoal.insight.metrics.definition import Metric
from shoal.insight.metrics.reading import check_metric, read_metric
from shoal.lang.schema import Kind, PropertyType, Schema

SCHEMA = Schema(
    traits={"plan": Kind.TEXT, "age": Kind.NUMBER},
    events={"Order Completed": {"revenue": PropertyType(Kind.NUMBER), "store": PropertyType(Kind.TEXT)}},
)
GOOD = """name: Average order value
unit: money
better: higher
as: ratio
of: sum(revenue of "Order Completed")
per: count("Order Completed")
"""


def read(text: str) -> Metric:
    return read_metric(text, slug="aov", place="metrics/aov.yaml")


def test_a_metric_says_what_it_is() -> None:
    """Breaks when the definition in words, which stands beside each figure, doesn't say what was worked out."""
    found = read(GOOD)
    check_metric(found, SCHEMA, GOOD, "metrics/aov.yaml")
    assert found.definition == (
        'The sum of sum(revenue of "Order Completed"), divided by the sum of count("Order Completed"). '
        "What has no window of its own is looked at within the period."
    )


def test_the_version_is_of_the_meaning() -> None:
    """Breaks when a new name makes old figures another metric's, or a new meaning doesn't."""
    found = read(GOOD)
    assert read(GOOD.replace("Average order value", "AOV")).version == found.version
    assert read(GOOD.replace("Completed", "Refunded")).version != found.version
    assert read(GOOD + "among: age > 30\n").version != found.version


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("name: x\nunit: money\nas: sum\n", "has no 'of'", None),
        (GOOD.replace("as: ratio", "as: rato"), "'rato' can't stand here. Did you mean", 4),
        (GOOD.replace("as: ratio", "as: sum"), "Only a ratio has 'per'", 6),
        (GOOD.replace('per: count("Order Completed")\n', ""), "A ratio has 'per' too", 4),
        (GOOD + "at: 0.5\n", "Only a quantile has 'at'", 7),
        (GOOD.replace("unit: money", "unit: euro"), "'euro' can't stand here", 2),
        (GOOD.replace('count("Order Completed")', 'did "Order Completed"'), "This is a condition", 6),
        (GOOD.replace("as: ratio", "as: quantile").replace('per: count("Order Completed")', "at: 2"), "between 0 and 1", 6),
        (GOOD.replace('count("Order', 'cont("Order'), "cont", 6),
        (GOOD.replace("better: higher", "beter: higher"), "no key 'beter'", 3),
    ],
)  # fmt: skip
def test_a_fault_has_its_line(text: str, said: str, line: int | None) -> None:
    """Breaks when a marketer has to search the file for what is wrong."""
    with pytest.raises(DefinitionError) as caught:
        read(text)
    shown = str(caught.value)
    assert said in shown
    assert "metrics/aov.yaml" in shown
    assert line is None or f"metrics/aov.yaml:{line}" in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("Order Completed", "Order Complete"), "Order Completed"),
        (GOOD.replace("revenue", "revenu"), "revenue"),
        (GOOD.replace('sum(revenue of "Order Completed")', 'last(store of "Order Completed")'), "made of numbers"),
        (GOOD + "among: plann = \"pro\"\n", "plan"),
    ],
)  # fmt: skip
def test_names_are_held_against_the_data(text: str, said: str) -> None:
    """Breaks when a metric of an event that isn't there gives a figure from nowhere."""
    with pytest.raises(DefinitionError) as caught:
        check_metric(read(text), SCHEMA, text, "metrics/aov.yaml")
    assert said in str(caught.value)
    assert "metrics/aov.yaml" in str(caught.value)
