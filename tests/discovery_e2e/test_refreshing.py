"""Micro-segments over time: ids that last, customers who move only when it is clear, drift that proposes."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from shoal.cli import main
from shoal.errors import DefinitionError, Refused, UnknownName
from shoal.workspace import Workspace, open_workspace

from . import shops

HEAD = ("customer", "order", "at", "revenue", "category", "channel")


def orders_of(root: Path) -> list[shops.Row]:
    """The orders in the file."""
    with (root / "orders.csv").open(encoding="utf-8", newline="") as handle:
        return [(a, b, c, d, e, f) for a, b, c, d, e, f in list(csv.reader(handle))[1:]]


def test_the_same_data_give_the_same_ids_and_members(shop: Workspace) -> None:
    """Breaks when a refit names groups anew, or cuts them otherwise."""
    before = shops.segments_of(shop)
    again = shop.discovery.discover()
    assert shops.segments_of(shop) == before
    assert again.changed == 0
    assert {e.kind for e in again.found.events} == {"kept"}
    assert [v.number for v in shop.discovery.history()] == [2, 1]


def test_ids_persist_where_one_in_twenty_customers_changed(root: Path, discovered: tuple[Path, object, object]) -> None:
    """Breaks when a small change of data makes new segments of old ones."""
    rows = orders_of(root)
    rng = np.random.default_rng(3)
    drawn = rng.choice([f"c{i:04d}" for i in range(400)], 20, replace=False)
    into = {who: shops.GROUPS[int(rng.integers(4))] for who in drawn}
    fresh = [row for who, group in into.items() for row in shops._orders(who, group, rng)]
    shops.put(root / "orders.csv", HEAD, [row for row in rows if row[0] not in into] + fresh)
    with open_workspace(root) as shop:
        before = shops.segments_of(shop)
        shop.load()
        found = shop.discovery.discover().found
        after = shops.segments_of(shop)
    assert {s.id for s in found.segments} == {"m01", "m02", "m03", "m04"}
    kept = [before[who] == after[who] for who in before if who not in into]
    assert np.mean(kept) > 0.98
    assert len([e for e in found.events if e.kind == "kept"]) == 4


def test_a_segment_that_ends_leaves_its_id_to_nobody(root: Path) -> None:
    """Breaks when an id is given twice: a history would join two groups that have nothing to do with each other."""
    with open_workspace(root) as shop:
        shop.discovery.write_segments()
        coarse = shop.discovery.discover(groups=(2, 2)).found
        left = shop.discovery.write_segments().kept
        assert set(left) == {f"micro-m0{i}" for i in range(1, 5)} - {f"micro-{s.id}" for s in coarse.segments}
        assert all("has ended" in why for why in left.values())
        fine = shop.discovery.discover(groups=(4, 4)).found
        assert len({s.id for s in fine.segments}) == 4
        born = {e.after[0] for e in fine.events if e.kind == "born"}
        assert born.isdisjoint({"m01", "m02", "m03", "m04"} - {s.id for s in coarse.segments})
        assert {e.kind for e in coarse.events} >= {"died", "merged"}
        assert "split" in {e.kind for e in fine.events}
        moved = shop.discovery.migration(shop.discovery.history()[1].found.at).to_pylist()
        assert sum(row["customers"] for row in moved) == 400


def test_between_fits_customers_are_assigned_by_their_events(root: Path) -> None:
    """Breaks when a lapsed customer who buys again stays where they were, or a newcomer is in no segment."""
    with open_workspace(root) as shop:
        before = shops.segments_of(shop)
        tea, lapsed = "c0000", "c0003"
        assert before[tea] != before[lapsed]
        rows = orders_of(root)
        like = [row for row in rows if row[0] == tea]
        again = [(who, f"{who}-x{i}", *row[2:]) for who in (lapsed, "new") for i, row in enumerate(like)]
        shops.put(root / "orders.csv", HEAD, [*rows, *again])
        shop.load()
        done = shop.discovery.assign()
        after = shops.segments_of(shop)
    assert after[lapsed] == after["new"] == before[tea]
    assert (done.new, done.moved, done.gone, done.proposal) == (1, 1, 0, None)
    assert {who for who in before if before[who] != after[who]} == {lapsed}


def test_a_second_look_at_the_same_data_moves_nobody(shop: Workspace) -> None:
    """Breaks when looks that come one upon the other count as two: what was seen twice would be one thing."""
    before = shops.segments_of(shop)
    for _ in range(3):
        done = shop.discovery.assign()
        assert (done.new, done.moved) == (0, 0)
    assert shops.segments_of(shop) == before


def test_time_alone_is_no_drift(root: Path) -> None:
    """Breaks when a refit is proposed because everybody has become a month older."""
    from shoal.insight.discovery import drifting
    from shoal.insight.discovery.keeping import version
    from shoal.insight.discovery.reading import read

    with open_workspace(root) as shop:
        held = version(shop.store)
        month = shop.now() - 30 * 86_400_000_000
        with shop.models.as_of() as now, now.before(month) as before:
            past = read(before, held.features)
            shifts = drifting.shifts(held.references, past.table, held.model.places(past.table))
    first = next(s for s in shifts if s.column == "days since first order")
    assert first.verdict == "stable"


def test_drift_proposes_and_only_accepting_it_changes_the_groups(root: Path) -> None:
    """Breaks when customers who have all changed are cut by groups of the past without a word, or cut anew unasked."""
    with open_workspace(root) as shop:
        with pytest.raises(Refused, match="Nothing is proposed"):
            shop.discovery.accept()
        assert shop.discovery.proposal() is None
        rows = orders_of(root)
        end = shops.END
        sold = [
            (f"c{i:04d}", f"sale-{i}-{n}", (end - timedelta(days=n, hours=3)).isoformat(), "400.00", "Cards", "shop")
            for i in range(400)
            for n in range(12)
        ]
        shops.put(root / "orders.csv", HEAD, [*rows, *sold])
        shop.load()
        done = shop.discovery.assign()
        assert done.proposal is not None
        assert any("PSI" in why for why in done.proposal.reasons)
        assert [v.number for v in shop.discovery.history()] == [1]
        assert shop.discovery.proposal() == done.proposal
        accepted = shop.discovery.accept()
        assert accepted.version == 2
        assert accepted.found.asked == shop.discovery.found(1).asked
        assert shop.discovery.proposal() is None


def test_a_file_that_somebody_changed_is_left_as_it_is(shop: Workspace, root: Path) -> None:
    """Breaks when a refresh undoes what a person wrote."""
    shop.discovery.write_segments()
    shop.segments.edit("micro-m02", where='city = "Bonn"')
    path = root / "segments" / "micro-m02.yaml"
    mine = path.read_text(encoding="utf-8")
    done = shop.discovery.write_segments()
    assert done.written == ("micro-m01", "micro-m03", "micro-m04")
    assert done.kept == {"micro-m02": "Somebody has changed it since it was written."}
    assert path.read_text(encoding="utf-8") == mine
    with pytest.raises(UnknownName, match="m77"):
        shop.discovery.write_segments(["m77"])


def test_an_unknown_micro_segment_is_answered_with_those_there_are(shop: Workspace) -> None:
    """Breaks when a wrong id ends in "there is none", so that the next step is a guess."""
    with pytest.raises(UnknownName, match='Did you mean "m02"'):
        shop.discovery.persona("M02x")
    name = shop.discovery.found().segments[0].name
    with pytest.raises(UnknownName) as near:
        shop.discovery.persona(name[:-2])
    assert f'"{name}"' in str(near.value)
    with pytest.raises(UnknownName) as caught:
        shop.discovery.persona("the loyal ones")
    for one in shop.discovery.found().segments:
        assert f"{one.id} ({one.name})" in str(caught.value)


def test_a_segment_may_ask_for_the_trait(shop: Workspace) -> None:
    """Breaks when the recorded trait isn't one that definitions can name."""
    shop.segments.add("Second group", 'micro_segment = "m02"')
    size = next(s.size for s in shop.discovery.found().segments if s.id == "m02")
    assert shop.segments.preview('member of "second-group"').size == size


def run(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    told = capsys.readouterr()
    assert not ended.value.code, told.err
    return told.out


def test_the_commands_say_what_the_workspace_knows(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when a command prints other than what is in force, or its JSON isn't JSON."""
    shop = ("-w", str(root), "discover")
    out = run(capsys, *shop, "show")
    first = out.splitlines()[0]
    assert first == "The data support 4 groups of their own among 400 customers."
    assert "natural: there are gaps between the groups" in out
    one = run(capsys, *shop, "show", "m03")
    for said in ("Who they are", "What sets them apart", "What they buy", "How to reach them", "Quality", "Rule"):
        assert said in one
    assert json.loads(run(capsys, *shop, "show", "m01", "--json"))["id"] == "m01"
    assert json.loads(run(capsys, *shop, "assign", "--json"))["customers"] == 400
    assert "Nothing is proposed." in run(capsys, *shop, "proposal")
    assert "the first" in run(capsys, *shop, "history")
    assert "400 customers" in run(capsys, *shop, "--dry-run", "--groups", "3")
    rows = json.loads(run(capsys, *shop, "migration", "2024-06-01", "--json"))
    assert {row["from"] for row in rows} == {None}
    assert sum(row["customers"] for row in rows) == 400


@pytest.mark.parametrize("said", ["20-12", "1-5", "many", "5-99"])
def test_a_range_that_is_none_is_refused(shop: Workspace, said: str) -> None:
    from shoal.config.discovery import groups_of
    from shoal.errors import ConfigError

    with pytest.raises(ConfigError, match="isn't a range"):
        groups_of(said)
    with pytest.raises(DefinitionError):
        shop.discovery.discover(among="nonsense and more", write=False)


def test_a_refit_begins_with_the_groups_in_force_and_says_so(shop: Workspace) -> None:
    """Breaks when a refit cuts anew what is as good as before, or doesn't say why groups stay."""
    before = shops.segments_of(shop)
    again = shop.discovery.discover().found
    assert again.origin == "kept"
    assert "stay as they are" in again.reason
    assert [e.jaccard for e in again.events] == [1.0] * 4
    afresh = shop.discovery.discover(afresh=True).found
    assert afresh.origin == "fresh"
    assert shops.segments_of(shop) == before


def test_columns_that_are_left_out_now_don_t_stay_in_the_groups(root: Path) -> None:
    """Breaks when groups that may not be made from a column any more go on being made from it, since they stay."""
    held = (root / "shoal.yaml").read_text(encoding="utf-8")
    (root / "shoal.yaml").write_text(held.replace("groups: 2-5", "groups: 2-5, without: [city]"), encoding="utf-8")
    with open_workspace(root) as again:
        assert "city" in {f.name for f in again.discovery.history()[0].features}
        found = again.discovery.discover().found
        assert found.origin == "moved"
        assert "city" not in {f.name for f in again.discovery.history()[0].features}
        assert {s.id for s in found.segments} == {"m01", "m02", "m03", "m04"}


def test_an_earlier_version_may_be_put_in_force_again(shop: Workspace) -> None:
    """Breaks when a refit that doesn't please can't be undone, or an id of the undone one is given to others later."""
    before = shops.segments_of(shop)
    coarse = shop.discovery.discover(groups=(2, 2))
    assert shops.segments_of(shop) != before
    done = shop.discovery.use(1)
    assert shops.segments_of(shop) == before
    assert done.version == 1
    assert [(v.number, v.in_force) for v in shop.discovery.history()] == [(2, False), (1, True)]
    with pytest.raises(Refused, match="in force already"):
        shop.discovery.use(1)
    with pytest.raises(UnknownName, match=r"'7'\. Kept are: 2, 1\."):
        shop.discovery.use(7)
    later = shop.discovery.discover(groups=(5, 5)).found
    new = {s.id for s in later.segments} - set(before.values())
    assert new.isdisjoint({s.id for s in coarse.found.segments})


def test_a_rule_says_how_sure_its_fidelity_is(shop: Workspace, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when the interval isn't one around the figure of the customers that the rule wasn't made from."""
    for segment in shop.discovery.found().segments:
        assert segment.rule.low is not None
        assert segment.rule.high is not None
        assert segment.rule.low <= segment.rule.unseen <= segment.rule.high
    shop.close()
    assert "95 % interval" in run(capsys, "-w", str(root), "discover", "show", "m01")
    assert "All keep their ids." in run(capsys, "-w", str(root), "discover", "--groups", "2-5")
    assert "the same 4 groups, looked at again" in run(capsys, "-w", str(root), "discover", "history")
    assert "Version 1 is in force." in run(capsys, "-w", str(root), "discover", "use", "1")
