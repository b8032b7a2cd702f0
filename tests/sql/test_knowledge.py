"""As of and as known at; merges and what they join. A mix-up of the two times of a row turns these red."""

from __future__ import annotations

from collections.abc import Callable

from shoal.shapes import Event, ListChange, Merge, TraitChange

from .worlds import World, at

Make = Callable[..., World]


def test_as_of_and_as_known_at(world: Make) -> None:
    """A late event counts as of its time once it is here, and wasn't known before it came."""
    w = world()
    w.write(Event("x", "A", at("2024-01-01")), received=at("2024-01-01"))
    w.write(Event("x", "B", at("2024-01-02")), received=at("2024-01-10"))
    w.write(Event("late", "A", at("2024-01-01")), received=at("2024-01-10"))
    assert w.members('did "B"', "2024-01-05") == {"x"}
    assert w.members('did "B"', "2024-01-05", known_at=at("2024-01-05")) == set()
    assert w.members('did "B"', "2024-01-05", known_at=at("2024-01-10")) == {"x"}
    assert w.members('not did "B"', "2024-01-05", known_at=at("2024-01-05")) == {"x"}


def test_a_correction_takes_the_place_of_a_row(world: Make) -> None:
    """What was retired is out as of any time, and was still known before it was retired."""
    w = world()
    w.did("x", "A", "2024-01-01").did("x", "B", "2024-01-01")
    table = w.store.rows("SELECT id FROM event_types WHERE name = 'A'")[0][0]
    w.store.execute(f"UPDATE event_{table} SET retired = ?", [at("2024-02-01")])
    assert w.members('did "A"', "2024-03-01") == set()
    assert w.members('did "A"', "2024-03-01", known_at=at("2024-01-31")) == {"x"}
    assert w.members('did "A"', "2024-03-01", known_at=at("2024-02-01")) == set()


def test_merges_join_what_both_did(world: Make) -> None:
    """Chains resolve, ids that are gone are in no segment, and the survivor existed from the first record of all."""
    w = world(lists=frozenset({"staff"}))
    w.did("a", "A", "2024-01-03").did("b", "A", "2024-01-02").did("c", "B", "2024-01-01")
    w.has("b", "plan", "pro", "2024-01-02").has("a", "plan", "free", "2024-01-01T12:00:00")
    w.write(ListChange("staff", "c", True, at("2024-01-01")))
    w.write(Merge("b", "c", at("2024-02-01")), Merge("a", "b", at("2024-02-02")))
    assert w.members('did "A" exactly 2 times and did "B" then "A" then "A"', "2024-03-01") == {"a"}
    assert w.members('plan = "pro" and listed in "staff"', "2024-03-01") == {"a"}
    assert w.members('not did "A"', "2024-01-01") == {"a"}
    known = at("2024-02-01")
    assert w.members('did "A" exactly 1 times', "2024-03-01", known_at=known) == {"a", "b"}
    assert w.members('did "B"', "2024-03-01", known_at=known) == {"b"}


def test_unmerging_restores_both(world: Make) -> None:
    """A merge that was taken back is not in force today, and was while it lasted."""
    w = world()
    w.did("a", "A", "2024-01-01").did("b", "B", "2024-01-01")
    w.write(Merge("a", "b", at("2024-02-01"), undone=at("2024-03-01")))
    assert w.members('did "B"', "2024-04-01") == {"b"}
    assert w.members('did "B"', "2024-04-01", known_at=at("2024-02-15")) == {"a"}
    assert w.members('did "B"', "2024-04-01", known_at=at("2024-03-01")) == {"b"}


def test_published_history_is_read_as_recorded(world: Make) -> None:
    """``entered`` and ``left`` read rows, not definitions; rows received later were not known before."""
    w = world().did("x", "A", "2024-01-01").segment("vip", 'did "Nothing" or did "A"')
    w.did("x", "Nothing", "2024-01-01")
    for seq, change, day, received in ((1, "entered", "05", "05"), (2, "left", "08", "20")):
        row = [seq, "vip", change, at(f"2024-01-{day}"), at(f"2024-01-{received}")]
        w.store.execute("INSERT INTO membership_changes SELECT ?, ?, key, ?, ?, ?, 'test' FROM customers", row)
    assert w.members('entered "vip" in last 7 days', "2024-01-11T23:59:59.999999") == {"x"}
    assert w.members('entered "vip" in last 7 days', "2024-01-12") == set()
    assert w.members('left "vip"', "2024-01-08") == {"x"}
    assert w.members('left "vip"', "2024-01-08", known_at=at("2024-01-19")) == set()


def test_bucket_is_that_of_the_survivor(world: Make) -> None:
    """A merge doesn't move the surviving customer to another bucket."""
    w = world()
    w.has("a", "age", 1).has("b", "age", 1)
    found = [
        low
        for low in range(10)
        if w.members(f'bucket "s" between {low / 10} and {low / 10}99999', "2024-01-01") >= {"a"}
    ]
    w.write(Merge("a", "b", at("2024-02-01")))
    again = [
        low
        for low in range(10)
        if w.members(f'bucket "s" between {low / 10} and {low / 10}99999', "2024-01-01") >= {"a"}
    ]
    assert found == again
    assert len(found) == 1


def test_trait_order_uses_message_ids_beyond_ten_lines(world: Make) -> None:
    """Changes of one ts from a file follow its lines: line 10 after line 9, though "10" sorts before "9" as text."""
    w = world()
    w.write(*(TraitChange("x", "plan", f"v{i}", at("2024-01-01")) for i in range(12)))
    assert w.members('plan = "v11"', "2024-01-01") == {"x"}
    w.write(TraitChange("x", "plan", "named", at("2024-01-01"), message_id="z"))
    assert w.members('plan = "named"', "2024-01-01") == {"x"}
