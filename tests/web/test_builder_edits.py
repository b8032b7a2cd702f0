"""Definitions are built, changed and moved about by edits of their text."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args, get_origin

import pytest
import trees
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.parse import parse
from shoal.lang.schema import Kind, PropertyType, Schema
from shoal.lang.show import show
from shoal.lang.tree import walk
from shoal.web.builder.edits import OPERATIONS, Edited, Setting, edited
from shoal.web.builder.forms import tree
from shoal.web.builder.paths import at, follow, locate, path_text, places, read_path
from shoal.web.builder.reading import literal
from shoal.web.builder.slots import expected, hints

from .building import Builder, controls, rows

SCHEMA = Schema(
    traits={"age": Kind.NUMBER, "country": Kind.TEXT, "signed_up": Kind.DATE, "vip": Kind.YESNO},
    events={"Order Completed": {"revenue": PropertyType(Kind.NUMBER), "coupon": PropertyType(Kind.TEXT)}},
)
WHOLE = r"""
country in ("KE", "UG") and age between 25 and 44 and country not in ("TZ")
count("Order Completed" where revenue > 100 in last 90 days) >= 3
sum(revenue of "Order Completed" in last 30 days) < 0.5 * sum(revenue of "Order Completed" in 30 days before last 30 days)
avg(a of "A" since 2024-01-01) = 1 or min(a of "A" between 2024-01-01 and 2024-02-01T10:00:00Z) != 2
max(a of "A" in this month) <= 3 and first(a of "A" in last 3 calendar months) > "x" and last(a of "A") = yes
most frequent(category of "Product Viewed") = "hats" or distinct(product_id of "Order Completed" in this year) >= 5
active days("App Opened" in last 28 days) >= 4 and -age < -(3 + 4) / 2 - 1
days since last "Order Completed" > 60 and days since first "Order Completed" > 60 and days since signed_up > 3
did "Order Completed" where any products (brand = "Acme" and price > 10) in last 30 days
did "Checkout Started" then not "Order Completed" with same cart_id within 1 hour in last 2 days
did "Email Opened" then "Product Viewed" within 3 days then "Order Completed" without "Email Sent" within 7 weeks
did "Order Completed" not after "Product Viewed" within 7 days in last 30 days
did first "Order Completed" in this week or did first "A" in this day or did first "A" in this quarter
did first "A" in last 1 calendar day or did first "A" in last 2 calendar weeks or did first "A" in last 2 calendar quarters
did first "A" in last 2 calendar years or did first "A" in this year or did first "A" in last 5 seconds
did "App Opened" at least 2 times in 3 of last 4 periods of 7 minutes
did "A" at most 2 times in last 4 hours and did "A" exactly 2 times and did "A" at least 3 times
count(last 5 "Email Sent" of account where opened = yes) = 0
held status = "onboarding" for 7 days and held plan is known for 1 week
changed plan from "free" to "pro" in last 7 days
signed_up in last 30 days and renewal_date in next 14 days and days until renewal_date <= 3
did "A" where (hour >= 8 and weekday = "Monday" and date < 2024-01-01 or city = trait home_city)
anniversary of birthday in next 7 days and name contains "a" and name starts with "b" ignoring case
name ends with "a" and name matches "b" and tags contains any of ("a", "b") and tags contains all of ("a")
distance of location to (-1.2864, 36.8172) < 10 km or distance of location to (1, 2) <= 10 m
distance of location to (1, 2) > 10 mi or distance of location to (1, 2) >= 10 m
churn_risk > 0.7 and clv in top 10% and clv in bottom 20% and clv between percentile 20 and 40
member of "vip" and not member of "unhappy" and not listed in "staff" and not not listed in "x"
entered "vip" in last 14 days and not left "trial" in last 30 days
not (consents to "email_marketing" or bucket "spring-holdout" < 0.05) and not (a is known and b is missing)
""".strip().splitlines()


def _words() -> set[tuple[str, str, str]]:
    """Each word that a field of a node may be."""
    found = set()
    for kind, cls in n.NODES.items():
        for spec in dataclasses.fields(cls):
            if get_origin(hints(cls).get(spec.name)) is Literal:
                found |= {(kind, spec.name, word) for word in get_args(hints(cls)[spec.name])}
    return found


@pytest.mark.parametrize("text", WHOLE)
def test_each_part_of_the_language_is_built_from_nothing_by_what_the_rows_offer(text: str) -> None:
    """Breaks when an operator, a window, a figure … can't be reached in the builder."""
    builder = Builder()
    builder.condition(parse(text))
    assert parse(builder.text) == parse(text)


def test_those_definitions_hold_every_kind_of_node_and_every_word_of_the_language() -> None:
    """Breaks when the language gets a part that the test above doesn't build."""
    nodes = [node for text in WHOLE for node in walk(parse(text))]
    assert {node.kind for node in nodes} == set(n.NODES)
    there = {
        (node.kind, spec.name, getattr(node, spec.name))
        for node in nodes
        for spec in dataclasses.fields(node)
        if isinstance(getattr(node, spec.name), str)
    }
    assert _words() <= there
    fields = {(node.kind, spec.name) for node in nodes for spec in dataclasses.fields(node) if getattr(node, spec.name)}
    everything = {(kind, spec.name) for kind, cls in n.NODES.items() for spec in dataclasses.fields(cls)}
    assert everything - fields == {(kind, "note") for kind in n.NODES}


def _written(target: n.Node) -> bool:
    """Whether each text stands where a text is wanted; the check refuses the others, and the builder reads what fits."""
    texts = ((path, node) for path, node in places(target) if isinstance(node, n.Text) and path)
    return all(literal(node.value, node, expected(target, path, Schema())) == node for path, node in texts)


@given(trees.conditions)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_definition_is_built_from_nothing_by_what_the_rows_offer(target: n.Condition) -> None:
    """Breaks when some nesting can't be reached, or an edit writes what reads back as something else."""
    assume(_written(target))
    builder = Builder()
    builder.condition(target)
    assert parse(builder.text) == target


@given(trees.conditions, st.randoms())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_row_offers_gives_a_definition_or_says_why_not(target: n.Condition, random: object) -> None:
    """Breaks when a button leads to a definition that can't be written, or to an error that says nothing."""
    text = show(target)
    found = controls(tree(parse(text), Schema()))
    for control in random.sample(found, min(6, len(found))):  # type: ignore[attr-defined]
        keys = [option.key for option in control.options] or [control.value]
        found_or_not = _tried(text, control.op, control.path, random.choice(keys))  # type: ignore[attr-defined]
        if isinstance(found_or_not, DefinitionError):
            assert found_or_not.problem.endswith(".")
        elif found_or_not.root is None:
            assert found_or_not.text == ""
        else:
            assert parse(found_or_not.text) == found_or_not.root
            at(found_or_not.root, found_or_not.focus)


def _tried(text: str, op: str, path: str, value: str) -> Edited | DefinitionError:
    try:
        return edited(text, op, read_path(path), value)
    except DefinitionError as error:
        return error


@given(trees.conditions)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_condition_has_a_row_of_its_own(target: n.Condition) -> None:
    """Breaks when a condition has no row, so that it can be neither reached nor deleted."""
    found = {row.path for row in rows(tree(target, Schema()))}
    for path, node in places(target):
        if isinstance(node, n.Compare | n.Did | n.AnyItem | n.MemberOf) and "condition" not in path:
            whole = path
            while whole and whole[-1] == "part":
                whole = whole[:-1]
            assert (
                path_text(path) in found
                or path_text(whole) in found
                or any(path_text(whole[:i]) in found for i in range(len(whole)) if "part" in whole[i:])
            )


# ---------------------------------------------------------------- single edits


def done(text: str, op: str, path: str, value: str = "") -> str:
    return edited(text, op, read_path(path), value, Setting(SCHEMA, 19_000)).text


@pytest.mark.parametrize(
    ("before", "op", "path", "value", "after"),
    [
        ("", "add", "", "did", 'did ""'),
        ("age > 3", "add", "", "member of", 'age > 3 and member of ""'),
        ("age > 3", "add", "", "none", 'age > 3 and not (`?` = "" or `?` = "")'),
        ("age > 3 and age < 9", "kind", "parts.1", "any", 'age > 3 and (age < 9 or `?` = "")'),
        ("age > 3 and age < 9", "remove", "parts.0", "", "age < 9"),
        ("age > 3", "remove", "", "", ""),
        ("a = 1 and (b = 2 or c = 3)", "remove", "parts.1.parts.0", "", "a = 1 and c = 3"),
        ("a = 1 and not (b = 2 or c = 3)", "remove", "parts.1.part.parts.0", "", "a = 1 and not c = 3"),
        ("a = 1 and b = 2", "up", "parts.1", "", "b = 2 and a = 1"),
        ("a = 1 and (b = 2 or c = 3)", "up", "parts.1.parts.0", "", "a = 1 and b = 2 and c = 3"),
        ("a = 1 and (b = 2 or c = 3)", "in", "parts.0", "", "a = 1 or b = 2 or c = 3"),
        ("a = 1 and (b = 2 or c = 3) and d = 4", "in", "parts.0", "", "(a = 1 or b = 2 or c = 3) and d = 4"),
        ("a = 1 and (b = 2 or c = 3 or d = 4)", "out", "parts.1.parts.1", "", "a = 1 and (b = 2 or d = 4) and c = 3"),
        ("a = 1 and (b = 2 and c = 3)", "unwrap", "parts.1", "", "a = 1 and b = 2 and c = 3"),
        ("a = 1", "duplicate", "", "", "a = 1 and a = 1"),
        ("a = 1", "negate", "", "", "not a = 1"),
        ("not a = 1", "negate", "", "", "a = 1"),
        ("a = 1 or b = 2", "join", "", "none", "not (a = 1 or b = 2)"),
        ("not (a = 1 or b = 2)", "join", "", "all", "a = 1 and b = 2"),
        ("age > 3", "operator", "", "between", "age between 3 and 3"),
        ("age between 3 and 9", "operator", "", "in", "age in (3, 9)"),
        ('did "A" in last 7 days', "kind", "", "sequence", 'did "A" then "" in last 7 days'),
        ('did "A" then "B" in last 7 days', "remove", "steps.0", "", 'did "A" in last 7 days'),
        ('did "A"', "kind", "window", "since", 'did "A" since 2022-01-08'),
        ('did "A" where a = 1', "remove", "events.where", "", 'did "A"'),
        ('did "A" where a = 1', "add", "events.where", "property", 'did "A" where (a = 1 and `?` = "")'),
        ("// why\nage > 3", "set", "right", "4", "// why\nage > 4"),
        ('sum(a of "A") > 3', "set", "left.fn", "count", 'count("A") > 3'),
        ('count("A") > 3', "set", "left.fn", "sum", 'sum(`?` of "A") > 3'),
    ],
)  # fmt: skip
def test_an_edit_changes_what_it_says_and_nothing_else(before: str, op: str, path: str, value: str, after: str) -> None:
    """Breaks when a row is lost, moved elsewhere, or its comment or its sides don't stay."""
    assert done(before, op, path, value) == after


@pytest.mark.parametrize(
    ("before", "path", "typed", "after"),
    [
        ('age > ""', "right", "30", "age > 30"),
        ("age > 30", "right", "1,250.5", "age > 1250.5"),
        ("age > 30", "right", "thirty", 'age > "thirty"'),
        ('country = ""', "right", "30", 'country = "30"'),
        ('vip = ""', "right", "no", "vip = no"),
        ('signed_up > ""', "right", "2024-02-03", "signed_up > 2024-02-03"),
        ('did "Order Completed" where revenue > ""', "events.where.right", "5", 'did "Order Completed" where revenue > 5'),
        ('did "Order Completed" where coupon = ""', "events.where.right", "5", 'did "Order Completed" where coupon = "5"'),
        ("age > 30", "left.name", "", "`?` > 30"),
        ('did "A" in last 7 days', "window.length.amount", "14", 'did "A" in last 14 days'),
        ('did "A" in 1 of last 2 periods of 7 days'.replace("in 1", "at least 1 time in 1"), "periods", "3",
         'did "A" at least 1 time in 3 of last 3 periods of 7 days'),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_what_is_wanted_there_and_is_kept_otherwise(
    before: str, path: str, typed: str, after: str
) -> None:
    """Breaks when a number is kept as text where the data has numbers, or when what was typed is lost."""
    assert done(before, "set", path, typed) == after


@pytest.mark.parametrize(
    ("before", "op", "path", "value", "problem"),
    [
        ('did "A" in last 7 days', "set", "window.length.amount", "two", "not a whole number"),
        ('did "A" in last 7 days', "set", "window.length.amount", "0", "1 or more"),
        ('did "A" since 2024-01-01', "set", "window.start", "yesterday", "Expected a date"),
        ("age > 3", "up", "", "", "nowhere"),
        ("age > 3", "kind", "", "nonsense", "can't stand here"),
        ("age > 3", "nonsense", "", "", "nothing to do"),
        ("age > 3", "set", "parts.7.left", "x", "isn't there any more"),
        ("age > 3", "set", "__class__.x", "x", "isn't there any more"),
        ("signed_up in last 7 days", "kind", "window", "", "can't be left out"),
        ('did first "A" in last 7 days', "kind", "window", "", "Expected"),
    ],
)
def test_what_cant_be_written_is_refused_with_the_reason(
    before: str, op: str, path: str, value: str, problem: str
) -> None:
    """Breaks when a wrong number or a stale place breaks the page, or reaches what is no part of the definition."""
    with pytest.raises(DefinitionError, match=problem):
        done(before, op, path, value)


def test_a_fault_is_found_at_its_row_and_a_row_is_followed_through_an_edit() -> None:
    """Breaks when an error is marked beside another row than its own."""
    text = 'age > 3 and (country = "KE" or did "Ordr")'
    root = parse(text)
    start = text.index('"Ordr"')
    assert path_text(locate(root, start, start + 6)) == "parts.1.parts.1.events"
    moved = edited(text, "up", ("parts", 1))
    before = parse(text)
    assert follow(before, before, ("parts", 1)) == ("parts", 1)
    assert moved.focus == ("parts", 0)


def test_every_operation_is_offered_by_some_row() -> None:
    """Breaks when an operation is left without a button or a field."""
    offered = {c.op for text in WHOLE for c in controls(tree(parse(text), Schema()))}
    offered |= {c.op for c in controls(tree(parse("a = 1 or (b = 2 and c = 3)"), Schema()))}
    assert offered == set(OPERATIONS)
