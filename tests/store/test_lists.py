"""Hand-kept lists: who is on them, through additions, removals and merges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shoal.customers import lists
from shoal.customers.writer import write_records
from shoal.errors import UnknownName
from shoal.shapes import Event, Merge

if TYPE_CHECKING:
    from shoal.sql.duck import DuckStore


@pytest.fixture
def people(store: DuckStore) -> DuckStore:
    """A store that knows a, b, c and d."""
    write_records(store, [Event(who, "Seen", 1) for who in "abcd"], zone="UTC", received=0)
    return store


def test_only_those_who_change_are_counted_and_an_unknown_id_changes_nothing(people: DuckStore) -> None:
    """Breaks if the known half of a file of ids is written before the unknown one is found."""
    assert lists.change(people, "staff", ["a", "b", "a"], added=True, now=5) == 2
    assert lists.change(people, "staff", ["b", "c"], added=True, now=6) == 1
    with pytest.raises(UnknownName, match="'e'"):
        lists.change(people, "staff", ["d", "e"], added=True, now=7)
    assert lists.change(people, "staff", ["a", "d"], added=False, now=8) == 1
    assert lists.members(people, "staff") == ["b", "c"]
    assert lists.sizes(people) == {"staff": 2}
    with pytest.raises(UnknownName, match="'stuff'"):
        lists.change(people, "stuff", ["a"], added=False, now=9)


def test_merged_customers_stand_on_a_list_once_and_can_be_taken_off(people: DuckStore) -> None:
    """Lists are united: a removal must reach the id that was put on, or the customer would stay on for ever."""
    lists.change(people, "staff", ["b", "c"], added=True, now=5)
    write_records(people, [Merge("a", "b", received=6), Merge("d", "c", received=6)], zone="UTC", received=6)
    assert lists.members(people, "staff") == ["a", "d"]
    assert lists.change(people, "staff", ["b", "a"], added=True, now=7) == 0
    assert lists.change(people, "staff", ["a"], added=False, now=8) == 1
    assert lists.members(people, "staff") == ["d"]
    assert lists.sizes(people) == {"staff": 1}
