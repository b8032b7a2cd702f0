"""What may be said of a micro-segment: no sentence and no name stands on a handful of customers."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoal.insight.discovery.personas import LEAST_KNOWN, LEAST_KNOWN_SHARE
from shoal.insight.discovery.record import MicroSegment
from shoal.workspace import open_workspace

from . import shops

FEW = 3


def found_with(root: Path, known: int) -> MicroSegment:
    """The micro-segment of the first planted group, of which so many have a known city; of the others all have."""
    orders, truth = shops.planted()
    mine = [who for who, group in truth.items() if group == 0]
    people = [(who, "Rome") for who in mine[:known]] + [(who, "Oslo") for who, group in truth.items() if group]
    shops.make(root, orders, people)
    with open_workspace(root) as shop:
        found = shop.discovery.discover(groups=(4, 4)).found
        members = shops.segments_of(shop)
    of = {members[who] for who in mine}
    assert len(of) == 1, "the planted group is one segment, whatever is known of cities"
    return next(s for s in found.segments if s.id in of)


@pytest.fixture(scope="module")
def of_few(tmp_path_factory: pytest.TempPathFactory) -> MicroSegment:
    return found_with(tmp_path_factory.mktemp("few") / "shop", FEW)


def test_three_customers_make_no_sentence_and_no_name(of_few: MicroSegment) -> None:
    """Breaks when "city Rome: 100 % of them" is said of a hundred customers of whom three have a city."""
    assert of_few.size == 100
    assert "Rome" not in of_few.name
    assert [s.text for s in of_few.persona.different if "city" in s.figure.what.lower()] == []


def test_what_most_are_known_for_is_said_with_its_number(tmp_path: Path) -> None:
    """Breaks when the guard silences what is well known."""
    segment = found_with(tmp_path / "shop", 60)
    (told,) = [s for s in segment.persona.different if s.figure.what == "city: Rome"]
    assert told.figure.n == 60


def test_no_sentence_stands_on_less_than_the_guard(of_few: MicroSegment) -> None:
    """Breaks when a difference, a purchase or a time is told of fewer values than can tell a half from a quarter."""
    told = of_few.persona
    assert told.different
    assert told.reach
    for sentence in told.different:
        assert sentence.figure.n >= LEAST_KNOWN
        assert sentence.figure.n >= LEAST_KNOWN_SHARE * of_few.size
    times = [s.figure for s in told.reach if s.figure.kind == "share of orders"]
    assert all(figure.n >= LEAST_KNOWN for figure in times)
    # The number behind a share of orders is that of all orders which the share is of.
    assert all(figure.n >= of_few.size for figure in times)


def test_a_group_of_fewer_customers_gets_its_size_and_no_portrait_of_habits(tmp_path: Path) -> None:
    """Eighty customers in four groups of twenty. Breaks when twenty are described as if they were a crowd."""
    orders, truth = shops.planted(customers=80)
    root = shops.make(tmp_path / "shop", orders)
    with open_workspace(root) as shop:
        found = shop.discovery.discover(groups=(3, 4)).found
    small = [s for s in found.segments if s.size < LEAST_KNOWN]
    assert small
    assert len(truth) == 80
    for segment in small:
        assert segment.persona.portrait[0].figure.segment == segment.size
        assert segment.persona.different == segment.persona.buys == ()
        assert len(segment.name.split()) > 1, "what is known of most of them still makes a name"
