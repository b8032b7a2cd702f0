"""A new definition previewed, and one customer's why."""

from __future__ import annotations

import pytest

from shoal.errors import UnknownName
from shoal.lang import nodes as n
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.live.preview import among, rows_of, shared, trial
from shoal.live.values import Micro
from shoal.live.why import draft_reason

from .shop import DAY, NOW, SECOND, TEXTS, definitions, engine, filled, memberships


@pytest.mark.parametrize("slug", [slug for slug in TEXTS if slug != "came"])
def test_a_preview_is_what_the_definition_gives(slug: str) -> None:
    """Breaks if a preview counts others than the segment would have, or changes anything."""
    one = filled(engine(), 8)
    one.build()
    before = memberships(one)
    definition = Definition("new", "New", parse(TEXTS[slug]))
    found = one.preview(definition, sample=1_000)
    assert sorted(found.sample) == before[slug]
    assert found.count == len(before[slug])
    assert memberships(one) == before


def test_the_parts_of_a_preview() -> None:
    """Breaks if a condition's size alone, or what remains after it, is wrong."""
    one = filled(engine(), 9)
    one.build()
    found = one.preview(Definition("new", "New", parse('country = "DE" and did "order" where amount > 61')))
    german, ordered = found.parts.parts
    alone = one.preview(Definition("new", "New", parse('did "order" where amount > 61')))
    assert ordered.alone == alone.count
    assert german.alone == german.remaining
    assert ordered.remaining == found.count == found.parts.alone


def test_a_draft_is_held_against_conditions_and_against_segments() -> None:
    """Breaks if reach and overlap of a draft are counted over others than its members."""
    one = filled(engine(), 9)
    one.build()
    german, ordered = parse('country = "DE"'), parse('did "order" where amount > 61')
    found = trial(one, Definition("new", "New", german))
    both = one.preview(Definition("new", "New", n.And((german, ordered))))
    assert among(one, found.members, [ordered, german, ordered]) == [both.count, found.count, both.count]
    assert found.everyone == len(one.standing())
    members = set(one.ids_of(rows_of(found.members)))
    assert shared(one, found.members) == {
        slug: (len(ids), len(members.intersection(ids))) for slug, ids in memberships(one).items()
    }
    assert 0 < both.count < found.count


def test_lists_overrule_a_draft_as_they_do_a_segment() -> None:
    """Breaks when a draft's size leaves out who is always in, or counts who is never in."""
    one = filled(engine(), 9)
    one.build()
    german = one.preview(Definition("new", "New", parse('country = "DE"')), sample=1_000).sample
    other = next(one for one in one.ids_of(one.standing()) if one not in german)
    for name, who in (("in", other), ("out", german[0]), ("out", german[1]), ("in", german[1])):
        one.add_listed(name, who, True, NOW - DAY)
    one.settle()
    found = one.preview(Definition("new", "New", parse('country = "DE"'), always="in", never="out"), sample=1_000)
    assert set(found.sample) == {*german, other} - {german[0], german[1]}


def test_a_draft_says_why_somebody_would_be_in_it() -> None:
    """Breaks if a draft's reasons differ from those of the same segment in force."""
    one = engine({"often": TEXTS["often"]})
    for i in range(3):
        one.add_event("ada", "visit", NOW - i * DAY, f"m{i}", {})
    one.build()
    told = draft_reason(one, Definition("new", "New", parse(TEXTS["often"])), one.row("ada"), one.now)
    known = one.why("often", "ada")
    assert (told.truth, told.values, told.until) == (known.truth, known.values, known.until)


def test_why() -> None:
    """Breaks if a reason's truth, values or end aren't the customer's."""
    one = engine({"often": TEXTS["often"], "not": f"not ({TEXTS['often']}) and country is missing"})
    for i in range(3):
        one.add_event("ada", "visit", NOW - i * DAY, f"m{i}", {})
    one.build()
    told = one.why("often", "ada")
    assert told.truth
    assert told.until == NOW - 2 * DAY + 7 * DAY == one.until("often", "ada")
    assert told.values == {'count("visit" in last 7 days)': Micro(3 * SECOND)}
    other = one.why("not", "ada")
    assert not other.truth
    assert [part.truth for part in other.parts] == [False, True]
    assert isinstance(other.parts[0].node, n.Not)
    assert other.parts[0].until == told.until
    assert other.parts[1].until is None


def test_every_definition_has_a_why() -> None:
    """Breaks if some condition can't be explained, or its truth isn't the membership."""
    one = filled(engine(), 10)
    one.build()
    for slug in definitions():
        members = set(one.members(slug))
        for i in range(12):
            assert one.why(slug, f"c{i}").truth is (f"c{i}" in members), slug


def test_who_isnt_there_has_no_why() -> None:
    """Breaks if an unknown name is answered."""
    one = engine()
    with pytest.raises(UnknownName):
        one.why("often", "nobody")
    with pytest.raises(UnknownName):
        one.why("nothing", "nobody")
