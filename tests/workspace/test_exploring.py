"""What is explored: each figure of real orders is as large as the segment that its text makes, or as the list of its mark."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import shoal
from shoal.errors import Refused, UnknownName
from shoal.insight import rfm
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.workspace.exploring import explored, members
from shoal.workspace.exploring.overlap import Held, pairs, parts
from web.shop import copied

from .test_journeys import workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from shoal.workspace import Workspace

SENT, ORDERED, REDEEMED = "Campaign Sent", "Order Completed", "Coupon Redeemed"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    """A quarter of the households of a grocery chain, and what they did in a year."""
    folder = tmp_path_factory.mktemp("exploring") / "shop"
    copied(request.config.cache.mkdir("web-shop"), folder)
    with shoal.open(folder) as opened:
        yield opened


def sizes(shop: Workspace, texts: Iterable[str]) -> list[int]:
    """How many customers each text has, as segments that are evaluated together."""
    made = {f"t{at}": Definition(f"t{at}", f"t{at}", parse(text)) for at, text in enumerate(texts)}
    with shop.models.as_of() as known:
        return [int(mask.sum()) for mask in known.holds(made).values()]


def hold(shop: Workspace, rows: list[dict[str, Any]], figure: str = "customers", where: str = "where") -> int:
    """Fail where a row's figure isn't the size of its segment; returns how many rows have one."""
    said = [row for row in rows if row[where] is not None]
    found = sizes(shop, [row[where] for row in said])
    assert [(row[where], size) for row, size in zip(said, found, strict=True)] == [
        (row[where], row[figure]) for row in said
    ]
    return len(said)


@pytest.mark.parametrize("segment", [None, "champions"])
def test_a_cell_of_the_grid_is_its_segment(shop: Workspace, segment: str | None) -> None:
    """Breaks when a cell, or a group of cells, counts others than those whom its click makes a segment of."""
    told = explored(shop, "rfm", {"segment": segment})
    assert hold(shop, told["cells"]) == len(told["cells"])
    assert hold(shop, told["groups"]) == len(told["groups"])
    assert (
        sum(row["customers"] for row in told["groups"]) == told["n"] == sum(row["customers"] for row in told["cells"])
    )
    assert all(row["group"] == rfm.group(row["r"], row["fm"]) for row in told["cells"])


@pytest.mark.parametrize(("grain", "segment"), [("month", None), ("week", "weekend-only"), ("quarter", None)])
def test_a_bar_of_the_lifecycle_is_its_segment(shop: Workspace, grain: str, segment: str | None) -> None:
    """Breaks when the segment of those won, kept, brought back or lost in a period holds others than its bar."""
    told = explored(shop, "lifecycle", {"grain": grain, "segment": segment})
    assert hold(shop, told["rows"][-24:]) > 10
    assert {row["state"] for row in told["rows"]} == {"New", "Retained", "Resurrected", "Dormant"}


@pytest.mark.parametrize("mode", ["on", "on or after"])
def test_a_cell_of_the_cohorts_is_its_segment(shop: Workspace, mode: str) -> None:
    """Breaks when the segment of a cell holds others than the cell counts, or a cohort's others than began in it."""
    told = explored(shop, "cohorts", {"mode": mode})
    assert hold(shop, told["cells"][:14] + told["cells"][-6:], "active") == 20
    assert hold(shop, told["cohorts"], "size") == len(told["cohorts"])
    by_other = explored(shop, "cohorts", {"born": SENT, "active": REDEEMED, "mode": mode, "segment": "champions"})
    assert hold(shop, by_other["cells"], "active") == len(by_other["cells"]) > 10


def test_a_step_of_a_funnel_is_its_segment_or_its_list(shop: Workspace) -> None:
    """Breaks when a step's segment or list holds others than its figure, or a step claims a segment that can't be."""
    asked = {"steps": [SENT, ORDERED, REDEEMED], "within": "30 days", "by": "age"}
    told = explored(shop, "funnel", asked)
    assert hold(shop, told["steps"]) == 2
    assert hold(shop, told["steps"], "stopped", "stopped_where") == 1
    assert hold(shop, told["groups"]) == 2 * len(told["groups"]) // 3
    third, stopped = told["steps"][2], told["steps"][1]
    assert third["where"] is None
    assert len(members(shop, "funnel", third["mark"], asked)["ids"]) == third["customers"] > 0
    assert len(members(shop, "funnel", stopped["stopped_mark"], asked)["ids"]) == stopped["stopped"] > 0
    group = next(row for row in told["groups"] if row["step"] == 3 and row["customers"])
    assert len(members(shop, "funnel", f"3:{group['group']}", asked)["ids"]) == group["customers"]


def test_members_of_an_earlier_day_are_no_segment_of_today(shop: Workspace) -> None:
    """Breaks when a funnel of those who were members in the past offers those who are members now."""
    asked = {
        "steps": [SENT, ORDERED],
        "within": "7 days",
        "segment": "champions",
        "end": "2017-10-31",
        "start": "2017-08-01",
    }
    told = explored(shop, "funnel", asked)
    assert [row["where"] for row in told["steps"]] == [None, None]
    assert len(members(shop, "funnel", "2", asked)["ids"]) == told["steps"][1]["customers"] > 0
    alone = explored(shop, "funnel", {key: value for key, value in asked.items() if key != "segment"})
    assert hold(shop, alone["steps"]) == 2


@pytest.mark.parametrize("side", [{"after": SENT}, {"before": REDEEMED}])
def test_a_path_is_its_list(shop: Workspace, side: dict[str, str]) -> None:
    """Breaks when a path's or a flow's list holds others than it counts, however it is drawn."""
    asked = side | {"steps": 3, "within": "30 days"}
    told = explored(shop, "paths", asked)
    assert hold(shop, [{"where": told["where"], "customers": told["n"]}]) == 1
    marks = [(row["customers"], row["path"]) for row in told["paths"][:3] if row["path"]]
    marks += [(flow["customers"], flow) for flow in told["flows"][:2] + told["flows"][-2:]]
    for customers, mark in marks:
        assert len(members(shop, "paths", json.dumps(mark), asked)["ids"]) == customers > 0
    with pytest.raises(Refused, match="No path is named"):
        members(shop, "paths", "[1]", asked)


@pytest.mark.parametrize(("of", "said"), [("lifecycle", True), ("rfm", False), ("segments", True)])
def test_a_transition_is_its_list_and_an_end_its_segment(shop: Workspace, of: str, said: bool) -> None:
    """Breaks when a transition's list, or the segment of those who are somewhere now, holds others than are counted."""
    segments = ["champions", "Coupon users", "weekend-only"] if of == "segments" else []
    asked = {"of": of, "segments": segments}
    told = explored(shop, "migration", asked)
    assert (hold(shop, told["after"]) == len(told["after"])) is said
    for row in told["rows"][:3]:
        assert len(members(shop, "migration", row["mark"], asked)["ids"]) == row["customers"]
    assert sum(row["customers"] for row in told["rows"]) == told["n"]
    earlier = explored(shop, "migration", asked | {"end": "2017-11-01"})
    assert all(row["where"] is None for row in earlier["after"])


def test_migration_refuses_what_it_cannot_tell(shop: Workspace) -> None:
    """Breaks when dates the wrong way round, no segments, or a page that isn't there give figures."""
    with pytest.raises(Refused, match="isn't before"):
        explored(shop, "migration", {"start": "2017-12-01", "end": "2017-11-01"})
    with pytest.raises(Refused, match="1 to 8 segments"):
        explored(shop, "migration", {"of": "segments"})
    with pytest.raises(UnknownName):
        explored(shop, "nowhere", {})


def test_a_channel_is_its_segment(shop: Workspace) -> None:
    """Breaks when a channel counts customers at whom it isn't the most frequent."""
    told = explored(shop, "map", {})
    assert told["by"] == f'channel of "{SENT}"'
    assert hold(shop, told["rows"]) == len(told["rows"]) > 0
    with pytest.raises(UnknownName):
        explored(shop, "map", {"by": "age"})


def test_kpis_of_segments_are_those_of_the_metrics(shop: Workspace) -> None:
    """Breaks when a compared KPI isn't the metric's, of another period, or is called apart where intervals touch."""
    told = explored(shop, "compare", {"segments": ["champions", "Coupon users"], "metrics": ["revenue-per-customer"]})
    (one,) = told["metrics"]
    assert (told["period"], told["ends"], told["finished"]) == ("2017-11-01", "2017-11-30", True)
    found = shop.metrics.figures(
        ["revenue-per-customer"], segments=["champions", "coupon-users"], start="2017-11-01", end="2017-11-01"
    )
    plain = {row["segment"]: (row["value"], row["low"], row["high"], row["n"]) for row in found.table().to_pylist()}
    assert {row["slug"]: (row["value"], row["low"], row["high"], row["n"]) for row in one["rows"]} == plain
    everyone = plain[None]
    for row in one["rows"][1:]:
        assert row["apart"] == ("above" if row["low"] > everyone[2] else "below" if row["high"] < everyone[1] else "")
    with pytest.raises(Refused, match="Up to 5 segments"):
        explored(shop, "compare", {"segments": list(shop.definitions)[:6]})
    earlier = explored(shop, "compare", {"segments": [], "day": "2017-05-20", "grain": "quarter"})
    assert (earlier["period"], earlier["ends"]) == ("2017-04-01", "2017-06-30")


def test_places_are_traits_that_say_a_place(tmp_path: Path) -> None:
    """Breaks when a country counts customers of another, the unknown are left out silently, or nothing is said of nothing."""
    people = [("a", "KE", "2024-03-01"), ("b", "KE", "2024-03-01"), ("c", "UG", "2024-03-02"), ("d", "", "2024-03-02")]
    rows = [(who, "2024-03-03T09:00:00", "Seen", "/", "", "1") for who in "abcd"]
    with workspace(tmp_path / "with", rows, people) as shop:
        told = explored(shop, "map", {})
        assert [(row["value"], row["customers"]) for row in told["rows"]] == [("KE", 2), ("UG", 1)]
        assert hold(shop, told["rows"]) == 2
        assert (told["n"], told["missing"]) == (3, 1)
        with pytest.raises(Refused, match="no RFM scores"):
            explored(shop, "rfm", {})
        joined = explored(shop, "cohorts", {"born": "joined", "active": "Seen", "grain": "day"})
        assert hold(shop, joined["cells"], "active") == len(joined["cells"]) > 2
        assert hold(shop, joined["cohorts"], "size") == 2


def test_a_square_of_the_map_is_its_list(tmp_path: Path) -> None:
    """Breaks when a square holds customers who live elsewhere, or loses who lives south or west of the middle of the earth."""
    homes = {"a": (-1.2, 36.8), "b": (-1.9, 36.1), "c": (-1.2, 37.2), "d": (40.7, -74.0), "e": (0.5, 0.5)}
    tmp_path.joinpath("shop").mkdir()
    rows = "".join(f"{who},{latitude},{longitude}\n" for who, (latitude, longitude) in homes.items())
    tmp_path.joinpath("shop", "homes.csv").write_text(f"customer,latitude,longitude\n{rows}", encoding="utf-8")
    take = {"customer": "customer", "take": {"home": ["latitude", "longitude"]}}
    form = {"delimiter": ",", "header": 1}
    sources = {
        "homes": {"from": "homes.csv", "format": form, "traits": [take]},
        "events": {"from": "events.csv", "format": form, "events": [
            {"event": "Seen", "customer": "customer", "at": "at"}]},
    }  # fmt: skip
    seen = [(who, "2024-03-03T09:00:00", "Seen", "", "", "") for who in homes]
    with workspace(tmp_path / "shop", seen, sources=sources, traits={}) as shop:
        told = explored(shop, "map", {})
        squares = {(row["latitude"], row["longitude"]): row for row in told["rows"]}
        assert {square: row["customers"] for square, row in squares.items()} == {
            (-1.5, 36.5): 2, (-1.5, 37.5): 1, (40.5, -73.5): 1, (0.5, 0.5): 1,
        }  # fmt: skip
        assert {row["where"] for row in told["rows"]} == {None}
        found = members(shop, "map", squares[-1.5, 36.5]["mark"], {"by": "home"})["ids"]
        assert found == sorted(found)
        assert len(found) == 2
        shop.segments.add("South", "distance of home to (-1.5, 36.5) < 200 km")
        inside = explored(shop, "map", {"segment": "south"})
        assert sum(row["customers"] for row in inside["rows"]) == 3


def bits(inside: Any) -> Held:
    """Memberships as an engine holds them, of a yes/no a customer and segment."""
    packed = np.packbits(np.ascontiguousarray(inside.T), axis=1, bitorder="little").view(np.uint64)
    return Held(0, len(inside), {"a": 0, "b": 1, "c": 2}, np.ascontiguousarray(packed.T))


def test_parts_and_pairs_are_what_a_plain_count_gives() -> None:
    """Breaks when a part counts who is in another one too, leaves some out, or a pair isn't those in both."""
    inside = np.random.default_rng(5).random((640, 3)) < (0.5, 0.3, 0.1)
    held = bits(inside)
    told = {tuple(row["inside"]): row["customers"] for row in parts(held, ["a", "b", "c"])}
    plain: dict[tuple[str, ...], int] = {}
    for row in inside[inside.any(axis=1)]:
        key = tuple(name for name, is_in in zip("abc", row, strict=True) if is_in)
        plain[key] = plain.get(key, 0) + 1
    assert told == plain
    for row in pairs(held, ["a", "b", "c"]):
        one, two = (inside[:, held.slots[row[key]]] for key in ("a", "b"))
        assert (row["both"], row["size_a"], row["size_b"]) == ((one & two).sum(), one.sum(), two.sum())
        assert math.isclose(row["jaccard"], (one & two).sum() / (one | two).sum())
    with pytest.raises(Refused):
        parts(held, ["a"])
