"""A rule as text of the segment language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang.document import decimal_text
from shoal.lang.lex import quoted
from shoal.lang.parse import parse
from shoal.lang.show import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.insight.discovery.features import Feature
    from shoal.insight.discovery.rule import Condition, Rule

MICRO = 1_000_000


def where(rule: Rule, features: Mapping[str, Feature]) -> str | None:
    """The condition that a rule is, in the layout of a definition file; None for a rule that says nothing.

    Args:
        rule: the surrogate of a segment.
        features: by name, every column that it may name.
    """
    if not rule.branches:
        return None
    parts = [" and ".join(condition(c, features[c.column]) for c in branch) for branch in rule.branches]
    # The language's own layout: a rule reads as one that a person has saved.
    return show(parse(" or ".join(f"({part})" for part in parts)))


def condition(asked: Condition, feature: Feature) -> str:
    """One comparison as text.

    >>> from shoal.insight.discovery.features import Feature
    >>> from shoal.insight.discovery.rule import Condition
    >>> visits = Feature("visits", "behaviour", 'count("Visit" in last 90 days)', "count", "Visits")
    >>> condition(Condition("visits", ">", 2.5), visits)
    'count("Visit" in last 90 days) > 2.5'
    >>> condition(Condition("plan", "not in", ("pro",), or_missing=True), Feature("plan", "value", "plan", "word", ""))
    '(plan != "pro" or plan is missing)'
    """
    text = _compared(asked, feature)
    return f"({text} or {feature.text} is missing)" if asked.or_missing else text


def _compared(asked: Condition, feature: Feature) -> str:
    if asked.op in ("is missing", "is known"):
        return f"{feature.text} {asked.op}"
    if isinstance(asked.value, tuple):
        return _among(asked.value, feature, inside=asked.op == "in")
    return f"{feature.text} {asked.op} {number(asked.value or 0.0)}"


def _among(levels: tuple[str, ...], feature: Feature, *, inside: bool) -> str:
    if feature.unit == "yes/no":
        if len(levels) == 1:
            return f"{feature.text} {'=' if inside else '!='} {levels[0]}"
        # Both words: whoever has a value is among them, and nobody is not.
        return f"{feature.text} is known" if inside else f"({feature.text} = yes and {feature.text} = no)"
    if len(levels) == 1:
        return f"{feature.text} {'=' if inside else '!='} {quoted(levels[0])}"
    options = ", ".join(quoted(level) for level in levels)
    return f"{feature.text} {'in' if inside else 'not in'} ({options})"


def number(value: float) -> str:
    """A number as a literal of the language, to its six decimals.

    >>> number(20.0), number(-0.25), number(1e-9)
    ('20', '-0.25', '0')
    """
    return decimal_text(round(value * MICRO))
