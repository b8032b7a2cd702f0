"""Definition files: what they hold, and that each fault names the file and the line.

That every definition reads back as it was written is in ``test_round_trips``.
"""

from __future__ import annotations

import re

import pytest

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.files import (
    definition_document,
    definition_from_document,
    read_definition,
    slug_of,
    write_definition,
)
from shoal.lang.parse import parse

FILE = """\
# Made by hand.
name: Lapsed VIPs
why: |-
  Win them back
  before they forget us.
where: |
  // those who spent
  sum(revenue of "Order Completed") > 500
  and not did "Order Completed" in last 60 days
purpose: newsletter
owner: "crm@example.com"
always: press
never: staff
tags: [retention, "a, b"]
"""


def read(text: str) -> n.Definition:
    return read_definition(text, slug="lapsed-vips", place="segments/lapsed-vips.yaml")


def fault(text: str) -> DefinitionError:
    with pytest.raises(DefinitionError) as caught:
        read(text)
    return caught.value


def test_a_file_holds_a_definition() -> None:
    definition = read(FILE)
    assert definition == n.Definition(
        slug="lapsed-vips",
        name="Lapsed VIPs",
        why="Win them back\nbefore they forget us.",
        where=parse('sum(revenue of "Order Completed") > 500 and not did "Order Completed" in last 60 days'),
        purpose="newsletter",
        owner="crm@example.com",
        always="press",
        never="staff",
        tags=("retention", "a, b"),
    )
    assert write_definition(definition) == FILE.split("\n", 1)[1]


def test_only_what_is_there_is_written() -> None:
    written = write_definition(n.Definition("x", "All: of them", parse("age >= 0")))
    assert written == 'name: "All: of them"\nwhere: |\n  age >= 0\n'


def test_empty_keys_are_as_good_as_none() -> None:
    definition = read("name: A\nwhere: age > 3\nwhy:\npurpose:\nowner: ''\nalways: ''\ntags:\n")
    assert definition == n.Definition("lapsed-vips", "A", parse("age > 3"))


# The faulty part stands between ‹ ›.
PLACES = [
    ('name: A\nwhere: |\n  age > 30\n  and nme ‹contians› "x"\n', 'Did you mean "contains"'),
    ("name: A\nwhere: |\n\n    age > 30\n\n    and plan ‹=›= 1\n", "Write one ="),
    ("name: A\nwhere: |\n  age >‹›\n", "the end of the text"),
    ("name: A\nwhere: age > 30 and ‹vip›\n", "vip = yes"),
    ("name: A\nwhere: 'age > 30 and ‹vip›'\n", "vip = yes"),
    ('name: A\nwhere: "age > 30 and ‹vip›"\n', "vip = yes"),
    ("name: A\r\nwhere: |\r\n  age > 30\r\n  and ‹vip›\r\n", "vip = yes"),
    ("name: A\n‹wher›: age > 3\n", 'Did you mean "where"'),
    ("name: A\n‹name›: B\nwhere: age > 3\n", "stands twice"),
    ("name: ‹3›\nwhere: age > 3\n", 'Put it in quotes: "3"'),
    ("name: ‹yes›\nwhere: age > 3\n", 'Put it in quotes: "yes"'),
    ("name: ‹''›\nwhere: age > 3\n", "The name is empty"),
    ("name: A\nwhere: age > 3\ntags: ‹a›\n", "Expected a list"),
    ("name: A\nwhere: age > 3\ntags: [a, ‹3›]\n", 'Put it in quotes: "3"'),
    ("name: A\nwhere: age > 3\nwhy: ‹[a]›\n", "not a list"),
]


@pytest.mark.parametrize(("marked", "says"), PLACES)
def test_a_fault_is_shown_at_its_place_in_the_file(marked: str, says: str) -> None:
    start, end = marked.index("‹"), marked.index("›") - 1
    text = re.sub("[‹›]", "", marked)
    error = fault(text)
    assert says in str(error)
    assert error.text == text
    assert error.start == start
    assert error.end == max(end, start + 1)
    assert error.place == f"segments/lapsed-vips.yaml:{text.count(chr(10), 0, start) + 1}"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("name: A\n\twhere: age > 3\n", 2, "not with a tab"),
        ('name: A\nwhere: "KE" = country\n', 2, "Write 'where: |'"),
        ("name: A: B\nwhere: age > 3\n", 1, "not YAML"),
        ("name: A\nwhere: age > 3\nowner: 'x\n", 3, "not YAML"),
        ("name: &a A\nwhy: *a\nwhere: age > 3\n", 2, "aliases"),
        ("name: A\nwhere: >\n  age > 3\n  and vip\n", 2, "vip = yes"),
        ('name: A\nwhere: "age > 3\\nand vip"\n', 2, "vip = yes"),
        ("name: A\nwhere: {node: compar, left: {node: trait, name: x}}\n", 2, 'Did you mean "compare"'),
        ("name: A\nwhere: {node: trait, name: x}\n", 2, "not a condition"),
        ("name: A\nwhere: {node: and, parts: [{node: member of, segment: x}]}\n", 2, 'would read: member of "x"'),
        ("name: A\nwhere: {node: member of, segment: x, segment: y}\n", 2, "stands twice"),
        ("name: A\nwhy: a\x01b\nwhere: age > 3\n", 2, "U+0001"),
    ],
)
def test_a_fault_of_the_file_names_its_line(text: str, line: int, says: str) -> None:
    error = fault(text)
    assert says in str(error)
    assert error.place == f"segments/lapsed-vips.yaml:{line}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no 'key: value' lines"),
        ("- a\n- b\n", "no 'key: value' lines"),
        ("name: A\n", "no 'where'"),
        ("where: age > 3\n", "no 'name'"),
        ("[" * 3000, ""),
        ("name: A\nwhere: " + "[" * 3000, ""),
        ("name: A\nwhere: " + "{a: " * 3000 + "}" * 3000, "deep"),
    ],
)
def test_a_fault_of_the_whole_file_names_the_file(text: str, says: str) -> None:
    error = fault(text)
    assert says in str(error)
    assert (error.place or "").startswith("segments/lapsed-vips.yaml")


def test_numbers_and_dates_of_a_tree_keep_their_digits() -> None:
    """YAML would make a float of the one and a date of the other."""
    definition = read(
        "name: A\nwhere:\n  node: and\n  parts:\n"
        "  - {node: compare, left: {node: trait, name: x}, op: '>', right: {node: number, value: 0.300000}}\n"
        "  - {node: compare, left: {node: trait, name: d}, op: '=', right: {node: date, value: 2017-09-01}}\n"
        "  - {node: ranked, value: {node: trait, name: x}, end: top, percent: 10}\n"
        "  - {node: compare, left: {node: trait, name: v}, op: '=', right: {node: yesno, value: true}}\n"
        "  - {node: anniversary, trait: {node: trait, name: b}, days: 7}\n"
    )
    assert definition.where == parse(
        "x > 0.3 and d = 2017-09-01 and x in top 10% and v = yes and anniversary of b in next 7 days"
    )


# ---------------------------------------------------------------- JSON and slugs


def test_the_json_form_leaves_out_what_is_empty() -> None:
    document = definition_document(n.Definition("x", "X", parse('member of "y"')))
    assert document == {"slug": "x", "name": "X", "where": {"node": "member of", "segment": "y"}}
    assert definition_from_document({**document, "where": 'member of "y"'}) == definition_from_document(document)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nam": "x"}, 'Did you mean "name"'),
        ({"name": 3}, "'name' must be a text"),
        ({"name": " "}, "empty"),
        ({"slug": "A b"}, "as a-b"),
        ({"tags": "x"}, "list of texts"),
        ({"purpose": 3}, "'purpose' must be a text"),
        ({"where": "age >"}, "line 1, column 6"),
        ({"where": {"node": "not", "part": {"node": "did"}}}, "where.part"),
        ({"where": None}, "Expected an object"),
        ({"where": {"node": "member of", "segment": "\ud800"}}, "half a character"),
        ({"where": {"node": "known", "value": {"node": "trait", "name": ""}}}, "can't be empty"),
    ],
)
def test_a_faulty_json_form_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        definition_from_document({"slug": "x", "name": "X", "where": "age > 3", **change})
    assert says in str(caught.value)


def test_what_is_no_object_is_refused() -> None:
    for document in (None, [], "x", 3):
        with pytest.raises(DefinitionError, match="is an object"):
            definition_from_document(document)


def test_a_document_nested_too_deep_is_refused() -> None:
    document: dict[str, object] = {"node": "member of", "segment": "x"}
    for _ in range(5000):
        document = {"node": "not", "part": document}
    with pytest.raises(DefinitionError, match="100 deep"):
        definition_from_document({"slug": "x", "name": "X", "where": document})


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Lapsed VIPs", "lapsed-vips"),
        ("  Über 500 € / Jahr!  ", "uber-500-jahr"),
        ("x" * 100, "x" * 64),
        ("a" * 63 + " b", "a" * 63),
    ],
)
def test_a_name_makes_a_slug(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_a_name_without_latin_letters_gets_a_slug_of_its_own() -> None:
    one, other = slug_of("顧客"), slug_of("常客")
    assert one != other
    assert one == slug_of("顧客")
    assert re.fullmatch(r"segment-[0-9a-f]{8}", one)


@pytest.mark.parametrize("slug", ["", "A", "-a", "a_b", "a b", "x" * 65, "a\n", "../a"])
def test_a_file_name_that_is_no_slug_is_refused(slug: str) -> None:
    with pytest.raises(DefinitionError, match="small letters"):
        read_definition(FILE, slug=slug, place="segments/x.yaml")
