"""What pages of segments ask: courses against history told one by one, moves against sets, uses, and what isn't live."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import shoal
from shoal.clock import DAY, HOUR
from shoal.errors import UnknownName
from shoal.insight.distinct import differences
from shoal.insight.standing import NEVER
from shoal.lang.calendar import zone
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.workspace.questions import answer
from shoal.workspace.segment_pages.apart import apart, behaviour
from shoal.workspace.segment_pages.beside import beside
from shoal.workspace.segment_pages.checks import checks
from shoal.workspace.segment_pages.courses import course, histories
from shoal.workspace.segment_pages.listing import members
from shoal.workspace.segment_pages.moves import moves
from shoal.workspace.segment_pages.personas import personas
from shoal.workspace.segment_pages.uses import uses
from shoal.workspace.segment_pages.worked_out import RANK, SCORE, unlive
from web.shop import copied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.workspace import Workspace

EPOCH = date(1970, 1, 1)


@pytest.fixture(scope="module")
def grocery(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    """A quarter of the households of a grocery chain; these tests only read."""
    folder = tmp_path_factory.mktemp("segment-pages") / "shop"
    copied(request.config.cache.mkdir("web-shop"), folder)
    with shoal.open(folder) as opened:
        yield opened


def member_set(ws: Workspace, slug: str, at: int | None = None) -> set[int]:
    """Who is in by the evaluation, as the store's numbers."""
    found = ws.segments.evaluate([slug], as_of=at)
    try:
        rows = ws.store.rows(f'SELECT customer FROM {found.table} WHERE "{found.columns[slug]}"')
    finally:
        found.close()
    return {key for (key,) in rows}


# ---------------------------------------------------------------- courses


def history(shop: Workspace, slug: str, days: int, changes: int) -> dict[date, Counter[str]]:
    """Publish a made-up history of a segment over days; gives what happened on each local day, and its size at the end."""
    rules, now, draw = zone(shop.config.zone), shop.now(), random.Random(7)
    shop.store.execute("DELETE FROM membership_changes WHERE segment = ?", [slug])
    inside = set(range(1, 31))
    first = now - days * DAY - HOUR
    rows = [(first, "entered", key, "segment added") for key in sorted(inside)]
    told: dict[date, Counter[str]] = {}
    for at in sorted(now - draw.randrange(days * DAY) for _ in range(changes)):
        key = draw.randrange(1, 90)
        what = "left" if key in inside else "entered"
        inside ^= {key}
        because = "definition changed" if draw.random() < 0.1 else f"event m{key}"
        rows.append((at, what, key, because))
        of_day = told.setdefault(EPOCH + timedelta(days=rules.day(at)), Counter())
        of_day["redefined" if because == "definition changed" else what] += 1
        of_day["size"] = len(inside)
    for seq, (at, what, key, because) in enumerate(rows, 10_000):
        shop.store.execute(
            "INSERT INTO membership_changes VALUES (?, ?, ?, ?, ?, ?, ?)", [seq, slug, key, what, at, at, because]
        )
    return told


def test_a_course_is_what_was_published_day_by_day(shop: Workspace) -> None:
    """Breaks when a day's size, who came and who went isn't what the history says, or a new definition counts as coming."""
    told = history(shop, "lapsed-vips", days=20, changes=300)
    found = {date.fromisoformat(one.day): one for one in course(shop, "Lapsed VIPs", days=84).points if one.published}
    assert len(told) >= 20
    for day, happened in told.items():
        one = found[day]
        assert one.size == happened["size"], day
        assert (one.entered, one.left) == (happened["entered"], happened["left"]), day
        assert one.redefined == happened["redefined"], day
    assert found[min(found)].size == 30 or min(found) in told


def test_before_it_was_published_a_course_is_by_todays_definition(grocery: Workspace) -> None:
    """Breaks when sizes of before the first publication are missing, or aren't those of the data of then."""
    found = course(grocery, "every-week")
    before = [one for one in found.points if not one.published]
    assert len(before) >= 6
    rules = zone(grocery.config.zone)
    for one in (before[0], before[-1]):
        assert one.entered is None
        assert one.left is None
        at = rules.starts((date.fromisoformat(one.day) - EPOCH).days + 1) - 1
        assert one.size == len(member_set(grocery, "every-week", at))


def test_histories_hold_every_segment(grocery: Workspace) -> None:
    """Breaks when a segment lacks its sizes of a week and a month ago, its line, or the instant of its definition."""
    told = histories(grocery)
    assert set(told) == set(grocery.definitions)
    rules = zone(grocery.config.zone)
    end = rules.starts(rules.day(grocery.now()) - 7 + 1) - 1
    for slug in ("champions", "weekend-only"):
        assert told[slug]["week"] == len(member_set(grocery, slug, end)), slug
    for one in told.values():
        assert one["month"] is not None
        assert len(one["line"]) >= 4
        assert one["versions"] == 1
        assert one["changed"]
    assert told["champions"]["known_since"] not in (None, NEVER)
    assert told["weekend-only"]["known_since"] is None


# ---------------------------------------------------------------- figures


def test_moves_add_up_to_the_sizes_of_both_dates(grocery: Workspace) -> None:
    """Breaks when somebody who came, went or stayed is lost or counted twice, or money of another time is told."""
    told = moves(grocery, "champions", days=30)
    before, now = (member_set(grocery, "champions", told[at]) for at in ("before", "now"))
    rows = told["moves"]
    stayed = next(row for row in rows if row["source"] == row["target"] == "champions")
    came = [row for row in rows if row["target"] == "champions" and row is not stayed]
    went = [row for row in rows if row["source"] == "champions" and row is not stayed]
    assert stayed["customers"] == len(before & now)
    assert sum(row["customers"] for row in came) == len(now - before)
    assert sum(row["customers"] for row in went) == len(before - now)
    ids = dict(grocery.store.rows("SELECT key, id FROM customers"))
    who = {ids[key] for key in now - before}
    spent = sum(amount for one, at, amount in bought(grocery) if one in who and told["before"] < at <= told["now"])
    assert sum(row["revenue"] for row in came) == pytest.approx(spent)


def bought(ws: Workspace) -> Iterator[tuple[str, int, float]]:
    """The lines of the chain's own file: household, instant, money."""
    table = pq.read_table(ws.config.root / "data" / "transactions.parquet")
    instants = pc.cast(pc.cast(table["transaction_timestamp"], "timestamp[us]"), "int64").to_pylist()
    households = [str(one) for one in table["household_id"].to_pylist()]
    yield from zip(households, instants, table["sales_value"].to_pylist(), strict=True)


def test_figures_stand_beside_those_of_everyone(grocery: Workspace) -> None:
    """Breaks when a member's figures are held against another period's, or the verdict doesn't follow the intervals."""
    told = beside(grocery, "champions", "month")
    by = {one["slug"]: one for one in told["figures"]}
    assert told["period"] == "2017-11-01"
    assert told["ends"] == "2017-11-30"
    asked = grocery.metrics.figures(["revenue"], segments=["champions"], start="2017-11-05", end="2017-11-05")
    exact = {row["segment"]: row["value"] for row in asked.table().to_pylist()}
    assert by["revenue"]["mine"]["value"] == exact["champions"]
    assert by["revenue"]["all"]["value"] == exact[None]
    assert by["revenue"]["times"] == pytest.approx(exact["champions"] / exact[None])
    for one in told["figures"]:
        mine, all_ = one["mine"], one["all"]
        if one["verdict"] == "above":
            assert mine["low"] > all_["high"]
        elif one["verdict"] == "":
            assert None in (mine["low"], all_["low"])


def test_what_follows_from_the_definition_is_told_apart(grocery: Workspace) -> None:
    """Breaks when a difference that the definition makes certain stands among those that say something."""
    told = behaviour(grocery, "champions")
    built = {one["says"]: one["built"] for one in told["differences"]}
    assert built["Orders in 365 days"] is True
    assert built["Coupon Redeemed in 365 days"] is False
    effects = [abs(one["effect"]) for one in told["differences"]]
    assert effects == sorted(effects, reverse=True)
    for one in told["differences"]:
        neutral = 0 if one["kind"] == "difference" else 1
        assert not one["low"] <= neutral <= one["high"]


def test_every_value_that_differs_is_told(grocery: Workspace) -> None:
    """Breaks when only the value that differs most is told of a trait, or one that chance explains."""
    single = Definition("single", "Single", parse('household_size = "1"'))
    found = grocery.engine.evaluate({"single": single}, grocery.now())
    try:
        rule = grocery.config.revenue
        (every,) = differences(grocery.store, found, {"single": single}, rule, most=40, every_level=True).values()
        (most,) = differences(grocery.store, found, {"single": single}, rule, most=40).values()
    finally:
        found.close()
    assert {one.variable for one in every} == {one.variable for one in most}
    assert len(every) > len(most) >= 1
    assert "household_size" not in {one.variable for one in every}
    assert all(one.difference.excludes(0) for one in every)
    for one in most:
        gaps = [abs(other.difference.value) for other in every if other.variable == one.variable]
        assert abs(one.difference.value) == max(gaps) == gaps[0]


def test_traits_that_set_a_segment_apart_are_ranked(grocery: Workspace) -> None:
    """Breaks when what is told isn't in the order of its effect, or an interval holds no difference at all."""
    for slug in grocery.definitions:
        found = apart(grocery, slug)
        assert [one["effect"] for one in found] == sorted((one["effect"] for one in found), reverse=True)
        assert not any(one["difference"]["low"] <= 0 <= one["difference"]["high"] for one in found)


def test_members_are_paged_in_order(grocery: Workspace) -> None:
    """Breaks when a member is missing, stands on two pages, or a search finds another."""
    size = len(member_set(grocery, "champions"))
    pages = [members(grocery, "champions", sort="id", page=page, size=50) for page in range(1, size // 50 + 2)]
    ids = [row["id"] for one in pages for row in one["rows"]]
    assert len(ids) == len(set(ids)) == size == pages[0]["total"] == pages[0]["found"]
    assert ids == sorted(ids)
    part = members(grocery, "champions", search=ids[3][:2], size=500)
    assert {row["id"] for row in part["rows"]} == {one for one in ids if ids[3][:2] in one}
    whole = members(grocery, "champions", search=ids[3], whole=True)
    assert [row["id"] for row in whole["rows"]] == [ids[3]]
    assert all(row["orders"] > 0 and row["revenue"] > 0 for row in whole["rows"])


# ---------------------------------------------------------------- use and quality


def test_uses_are_found_wherever_a_segment_is_named(shop: Workspace) -> None:
    """Breaks when a segment, metric, pilot or dashboard that names a segment isn't told, or one that doesn't is."""
    shop.segments.add("Of them", 'member of "lapsed-vips" and did "Order Completed"')
    root = shop.config.root
    (root / "metrics").mkdir(exist_ok=True)
    (root / "metrics" / "vip-share.yaml").write_text(
        'name: VIP share\nunit: share\nas: share\nof: member of "lapsed-vips"\n'
    )
    (root / "metrics" / "other.yaml").write_text('name: Other\nunit: share\nas: share\nof: did "Order Completed"\n')
    (root / "dashboards").mkdir(exist_ok=True)
    (root / "dashboards" / "mine.yaml").write_text("name: Mine\nfilters: {segment: lapsed-vips}\ntiles: []\n")
    (root / "dashboards" / "broken.yaml").write_text("name: [unclosed\n")
    found = {(one["kind"], one["slug"]) for one in uses(shop, "lapsed-vips")}
    assert found == {("segment", "of-them"), ("metric", "vip-share"), ("dashboard", "mine")}
    assert uses(shop, "of-them") == []


def test_the_quality_card_says_what_to_mend(shop: Workspace) -> None:
    """Breaks when an empty segment, a value that nobody has, or a twin goes without a word."""
    shop.segments.add("Nobody", 'count("Order Completed") > 100000')
    shop.segments.add("Twin", 'not did "Order Completed" in last 60 days and sum(revenue of "Order Completed") > 500')
    told = {one["what"]: one for one in checks(shop, "nobody")["checks"]}
    assert told["Size"]["state"] == "bad"
    twins = [one for one in checks(shop, "twin")["checks"] if one["what"] == "Of its own"]
    assert twins == [{"what": "Of its own", "state": "warn", "found": twins[0]["found"]}]
    assert "Lapsed VIPs" in twins[0]["found"]
    alike = next(one for one in checks(shop, "twin")["overlaps"] if one["slug"] == "lapsed-vips")
    assert alike["of_mine"] == alike["of_other"] == 1.0


def test_what_is_not_live_is_named_through_other_segments(shop: Workspace) -> None:
    """Breaks when a rank or score is taken for live, or one in a segment that this one names."""
    best = shop.segments.add("Best", 'sum(revenue of "Order Completed") in top 20% and did "Order Completed"')
    through = shop.segments.add("Through", 'member of "best" or did "Order Completed" in last 3 days')
    found = unlive(best, shop.definitions, shop.schema)
    assert [one.why for one in found] == [RANK]
    assert "top 20%" in found[0].condition
    assert [(one.why, one.through) for one in unlive(through, shop.definitions, shop.schema)] == [(RANK, "Best")]
    assert unlive(shop.segments["lapsed-vips"], shop.definitions, shop.schema) == []


def test_scores_are_not_live(grocery: Workspace) -> None:
    """Breaks when a segment of scores is told to follow each event."""
    found = unlive(grocery.segments["champions"], grocery.definitions, grocery.schema)
    assert {one.why for one in found} == {SCORE}


def test_without_micro_segments_there_are_no_personas(grocery: Workspace) -> None:
    """Breaks when a workspace in which nothing was discovered can't be asked."""
    assert personas(grocery, "champions") == {"found": None, "groups": []}


QUESTIONS: dict[str, dict[str, Any]] = {
    "segment course": {"days": 30}, "segment moves": {"days": 7}, "segment personas": {}, "segment uses": {},
    "segment members": {"size": 3}, "segment checks": {},
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_segment_that_is_not_there_is_refused(grocery: Workspace, name: str) -> None:
    """Breaks when a question of a segment that isn't there answers something, or isn't asked by its name."""
    assert answer(grocery, name, {"segment": "champions", **QUESTIONS[name]})
    with pytest.raises(UnknownName):
        answer(grocery, name, {"segment": "nowhere", **QUESTIONS[name]})
