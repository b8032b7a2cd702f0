"""The faces of the language convert into each other without loss: text, tree, JSON, YAML, Python objects.

Breaks when the printer leaves out a parenthesis or writes what the parser reads otherwise, when a face lacks a kind of
node, or when a comment is lost.
"""

from __future__ import annotations

import json
import os
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rebuild import condition
from trees import conditions, definitions, values

from shoal.lang import nodes as n
from shoal.lang.document import from_document, to_document
from shoal.lang.files import definition_document, definition_from_document, read_definition, write_definition
from shoal.lang.parse import parse
from shoal.lang.show import flat, show
from shoal.lang.tree import rebuild, walk

EXAMPLES = int(os.environ.get("SHOAL_LANG_EXAMPLES", "100"))
quick = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def test_the_trees_hold_every_kind_of_node() -> None:
    """Were a kind never drawn, the properties below would say nothing of it."""
    found: set[str] = set()

    @settings(quick, derandomize=True, max_examples=400, phases=[Phase.generate])
    @given(conditions)
    def draw(tree: n.Condition) -> None:
        found.update(node.kind for node in walk(tree))

    draw()
    assert found == set(n.NODES)


@quick
@given(conditions, st.sampled_from([30, 60, 100, 100_000]))
def test_text_reads_back_as_the_same_tree(tree: n.Condition, width: int) -> None:
    text = show(tree, width=width)
    assert parse(text) == tree
    assert show(parse(text), width=width) == text


@quick
@given(conditions)
def test_json_reads_back_as_the_same_tree(tree: n.Condition) -> None:
    assert from_document(json.loads(json.dumps(to_document(tree)))) == tree


@quick
@given(conditions)
def test_python_objects_build_the_same_tree(tree: n.Condition) -> None:
    assert condition(tree).node == tree


@quick
@given(definitions)
def test_a_file_reads_back_as_the_same_definition(definition: n.Definition) -> None:
    written = write_definition(definition)
    assert read_definition(written, slug=definition.slug, place="segments/x.yaml") == definition


@quick
@given(definitions)
def test_a_file_may_hold_the_tree_form(definition: n.Definition) -> None:
    """``where`` takes the JSON form, as any YAML writer sets it down."""
    fields = {"name": definition.name, "where": to_document(definition.where)}
    read = read_definition(yaml.safe_dump(fields), slug="x", place="segments/x.yaml")
    assert read.where == definition.where


@quick
@given(definitions)
def test_the_json_form_of_a_definition_reads_back_as_the_same(definition: n.Definition) -> None:
    assert definition_from_document(json.loads(json.dumps(definition_document(definition)))) == definition


@quick
@given(values)
def test_values_have_a_text_of_their_own(value: Any) -> None:
    """Engines use it as the key of equal values, so it must tell different ones apart."""
    compared = parse(f"{flat(value)} is known")
    assert isinstance(compared, n.Known)
    assert compared.value == value


# ---------------------------------------------------------------- parentheses


@quick
@given(conditions)
def test_there_is_no_parenthesis_too_many(tree: n.Condition) -> None:
    """Whoever takes a pair of grouping parentheses away reads another tree, or none."""
    text = show(tree, width=100_000)
    for start, end in _groups(text):
        shorter = text[:start] + " " + text[start + 1 : end] + " " + text[end + 1 :]
        try:
            assert parse(shorter) != tree, f"{text[start : end + 1]} needs no parentheses in {text}"
        except Exception as error:
            if isinstance(error, AssertionError):
                raise


def _groups(text: str) -> list[tuple[int, int]]:
    """Pairs of parentheses, but those of functions, lists and filters, as the tokens tell them apart."""
    from shoal.lang.lex import read_tokens

    tokens, _ = read_tokens(text)
    found: list[tuple[int, int]] = []
    ahead: list[tuple[int, bool]] = []
    for before, token in zip([tokens[0], *tokens], tokens, strict=False):
        if token.key == "(":
            grouping = before.key in ("(", "and", "or", "not", "+", "-", "*", "/", "=", "<", ">") or before is token
            ahead.append((token.start, grouping))
        elif token.key == ")":
            start, grouping = ahead.pop()
            if grouping:
                found.append((start, token.start))
    return found


# ---------------------------------------------------------------- comments

_notes = st.none() | st.none() | st.lists(st.text('abc /*"`', max_size=8), min_size=1, max_size=2).map("\n".join)


@st.composite
def noted(draw: st.DrawFn) -> n.Condition:
    """A condition with comments beside some of its nodes."""
    import dataclasses

    def change(node: n.Node) -> n.Node:
        return dataclasses.replace(rebuild(node, change), note=draw(_notes))

    return change(draw(conditions))  # type: ignore[return-value]


def comments(tree: n.Node) -> list[str]:
    """All comment lines of a tree."""
    lines = [line.strip() for node in walk(tree) if node.note is not None for line in node.note.split("\n")]
    return sorted(lines)


@quick
@given(noted(), st.sampled_from([40, 100]))
def test_comments_survive(tree: n.Condition, width: int) -> None:
    text = show(tree, width=width)
    read = parse(text)
    assert read == tree
    assert comments(read) == comments(tree)
    assert show(read, width=width) == text


@quick
@given(noted())
def test_comments_survive_json_and_files(tree: n.Condition) -> None:
    assert comments(from_document(to_document(tree))) == comments(tree)
    definition = n.Definition("x", "X", tree)
    read = read_definition(write_definition(definition), slug="x", place="x.yaml")
    assert comments(read.where) == comments(tree)
