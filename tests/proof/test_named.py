"""Every trap that the language page names, as data, held against the naive evaluator and against the SQL engine.

If a case fails for one evaluator, that one has lost a rule of the language; if for both, read the page again.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby

import pytest

from shoal.errors import DefinitionError
from shoal.lang.check import check_definition
from shoal.lang.document import to_document
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.schema import Schema

from . import cases, naive, named_events, named_membership, named_traits, named_windows
from .product import product

CASES = (*named_windows.CASES, *named_events.CASES, *named_traits.CASES, *named_membership.CASES)


def world_of(case: cases.Case) -> cases.World:
    """The case's world; the product's parser reads its texts into the wire form."""
    return cases.world(case, {slug: to_document(parse(text)) for slug, text in cases.texts(case).items()})


def test_every_case_has_a_name_of_its_own() -> None:
    """Else a failure would point to the wrong one."""
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_naive(case: cases.Case) -> None:
    """The naive evaluator says what was written by hand."""
    world = world_of(case)
    for asked in case.asked:
        found = naive.members(world, world.segments["case"], asked.when, asked.known)
        assert found == set(asked.members.split()), asked


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sql(case: cases.Case) -> None:
    """The SQL engine says what was written by hand."""
    world = world_of(case)
    with product(world) as engine:
        for definition in engine.definitions.values():
            check_definition(definition, engine.schema)
        for asked in case.asked:
            found = engine.members(["case"], asked.when, asked.known)["case"]
            assert found == set(asked.members.split()), asked


@pytest.mark.parametrize(
    ("circle", "named"),
    [
        ({"a": 'member of "a"'}, "a"),
        ({"a": 'age > 1 and not member of "b"', "b": 'member of "a"'}, "b"),
        ({"a": 'member of "b"', "b": 'entered "c" in last 3 days', "c": 'not left "a"'}, "c"),
    ],
)
def test_circles_are_refused(circle: dict[str, str], named: str) -> None:
    """A definition that refers to itself through member of, entered or left would never come to an answer."""
    definitions = {slug: Definition(slug=slug, name=slug, where=parse(text)) for slug, text in circle.items()}
    schema = Schema(traits={"age": "number"}, segments=definitions)  # type: ignore[dict-item]
    with pytest.raises(DefinitionError, match=named):
        check_definition(definitions["a"], schema)


@pytest.mark.parametrize(
    ("values", "end", "q", "threshold"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "top", "10", 10),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "top", "10.1", 9),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "bottom", "25", 3),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "percentile", "0", 1),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "percentile", "100", 10),
        ([5, 5, 5, 1], "top", "25", 5),
        ([5, 5, 5, 1], "bottom", "50", 5),
        ([1, 1, 2, 2], "percentile", "50", 1),
        ([7], "top", "0.000001", 7),
        ([], "top", "10", None),
    ],
)
def test_ranks(values: list[int], end: str, q: str, threshold: int | None) -> None:
    """Thresholds by hand: the ⌈nq/100⌉-th largest or smallest, ties included, percentile 0 the smallest."""
    assert naive.rank_threshold([Fraction(v) for v in values], end, Fraction(q)) == threshold


def test_cases_cover_the_kinds_of_conditions() -> None:
    """Each kind of condition has a named case; a new kind without one fails here."""
    kinds = {node.kind for case in CASES for s in world_of(case).segments.values() for node in _below(s.condition)}
    missing = set(naive.CONDITIONS) - kinds
    assert not missing
    assert [k for k, _ in groupby(sorted(naive.VALUES)) if k not in kinds] == []


def _below(node: naive.Node) -> list[naive.Node]:
    found = [node]
    for part in node.fields.values():
        for one in part if isinstance(part, tuple) else (part,):
            if isinstance(one, naive.Node):
                found += _below(one)
    return found
