"""The plain-words sentences, which marketers decide by; ``sentences.txt`` holds those of definitions and their ``not``.

Breaks when a sentence says something else than the tree: a negation that forgets customers whose value is missing, a
window with another edge, two definitions that read the same.
"""

from __future__ import annotations

import typing
from pathlib import Path

import pytest
from shop_schema import EXAMPLES, SHOP

from shoal.lang import nodes as n
from shoal.lang.nodes import NODES
from shoal.lang.parse import parse
from shoal.lang.say import DENIALS, PHRASES, say

BLOCKS = Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8").strip().split("\n\n")[1:]
SAID = [block.split("\n") for block in BLOCKS]


@pytest.mark.parametrize(("text", "sentence", "negation"), SAID, ids=[row[0] for row in SAID])
def test_a_definition_and_its_negation_are_said(text: str, sentence: str, negation: str) -> None:
    condition = parse(text)
    assert say(condition, SHOP) == sentence
    assert say(n.Not(condition), SHOP) == negation
    assert say(n.Not(n.Not(condition)), SHOP) == sentence


def test_every_node_has_words_and_every_condition_its_own_negation() -> None:
    assert set(PHRASES) == set(NODES.values())
    assert set(DENIALS) == set(typing.get_args(n.Condition))


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (n.Duration(1, "week"), "1 week"),
        (n.Duration(1_500, "minute"), "1,500 minutes"),
        (n.Times("at least", 1), "at least once"),
        (n.LastCalendar(1, "day"), "yesterday"),
        (n.LastCalendar(1, "month"), "in the calendar month before this month"),
        (n.This("quarter"), "this quarter (so far)"),
        (
            n.Step(n.Events("A"), without=n.Events("B"), same=("x", "y_z")),
            "then later “A” with the same x and y z without “B” in between",
        ),
        (n.Instant(1_500_000), "1 January 1970 at 00:00:01.500000 UTC"),
        (n.Trait("Größe in cm"), "“Größe in cm”"),
        (n.Number(-1_000_500_000), "-1,000.5"),
        (n.Property("cart_id"), "cart id"),
        (n.Events("A", n.Known(n.Property("x")), 1), "“A” (the newest, if x is known)"),
    ],
)
def test_the_parts_are_said_too(node: n.Node, words: str) -> None:
    assert say(node) == words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(age > 1 and nps > 2) or clv > 3", "age > 1 and (nps > 2 or clv > 3)"),
        ("not (age > 1 and nps > 2)", "not age > 1 and nps > 2"),
        ("clv - (age - nps) > 3", "clv - age - nps > 3"),
        ("not age <= 30", "age > 30"),
        ('did "App Opened" in last 7 days', 'did "App Opened" in last 7 calendar days'),
        ('did "App Opened" in last 1 day', 'did "App Opened" in last 1 calendar day'),
        ('did "Video *"', r'did "Video \\*"'),
        (
            'did "Order Completed" where (revenue > 1 and cart_id = "a" or cart_id = "b")',
            'did "Order Completed" where (revenue > 1 and (cart_id = "a" or cart_id = "b"))',
        ),
        ('plan = "pro" or plan = "free"', 'plan in ("pro", "free")'),
    ],
)
def test_definitions_that_differ_read_differently(one: str, other: str) -> None:
    assert say(parse(one), SHOP) != say(parse(other), SHOP)


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_sentence_begins_large_closes_its_brackets_and_shows_no_code(text: str) -> None:
    sentence = say(parse(text), SHOP)
    assert sentence[0].isupper()
    assert sentence.count("(") == sentence.count(")")
    assert not any(mark in sentence for mark in ("_id", "None", "  ", ">", "<", '"'))


def test_without_a_schema_the_slug_stands_for_the_name() -> None:
    assert say(parse('member of "vip"')) == "Is in the segment “vip”"
