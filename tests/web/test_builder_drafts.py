"""Drafts are read with their faults, sized exactly, and completed from the data; each person's are kept for them alone."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

import shoal
from shoal.errors import Refused
from shoal.lang import nodes as n
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.schema import Basis, Kind, PropertyType, Schema
from shoal.sql.duck import create_store
from shoal.web.builder.draft import read
from shoal.web.builder.paths import read_path
from shoal.web.builder.sizes import Sizer
from shoal.web.builder.suggest import Uncounted, at_cursor, fitting, for_field
from shoal.workspace.drafts import MOST, Drafts
from shoal.workspace.live import Live
from shoal.workspace.questions import answer

from .shop import copied

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SCHEMA = Schema(
    traits={
        "age": Kind.NUMBER, "country": Kind.TEXT, "signed_up": Kind.DATE, "vip": Kind.YESNO, "home": Kind.POINT,
    },
    events={
        "Order Completed": {
            "revenue": PropertyType(Kind.NUMBER),
            "coupon": PropertyType(Kind.TEXT),
            "products": PropertyType(Kind.OBJECTS, {"brand": Kind.TEXT, "price": Kind.NUMBER}),
        },
        "App Opened": {"os": PropertyType(Kind.TEXT)},
    },
    lists=frozenset({"staff"}),
    segments={"vip": Definition("vip", "Best customers", parse("age > 1"))},
    purposes={"email_marketing": Basis.CONSENT},
)  # fmt: skip


class Counted:
    """Counts as a store has them."""

    def events(self) -> Mapping[str, int]:
        return {"App Opened": 90, "Order Completed": 7}

    def values(self, name: str, event: str | None = None, items: str | None = None) -> Sequence[tuple[str, int]]:
        known = {
            ("country", None, None): [("KE", 5), ("UG", 2)],
            ("brand", "Order Completed", "products"): [("Acme", 3)],
        }
        return known.get((name, event, items), [])


# ---------------------------------------------------------------- faults and what counts


def test_what_isnt_finished_is_said_to_be_and_the_rest_counts() -> None:
    """Breaks when a row that is being filled in hides the size of the others, or an unfinished row looks like a wrong one."""
    found = read('age > 3 and did "" and (country = "KE" or `?` = "") and revenu > 3', SCHEMA)
    assert [(one.path, one.unfinished) for one in found.faults] == [
        ("parts.1", True), ("parts.2.parts.1", True), ("parts.3", False),
    ]  # fmt: skip
    assert [one.problem for one in found.faults[:2]] == ["Choose an event.", "Choose what is asked of them."]
    assert found.kept is not None
    assert found.kept.node == parse('age > 3 and country = "KE"')
    assert found.kept.parts[1].places == (("parts", 2), ("parts", 2, "parts", 0))
    assert not found.whole
    assert read("age > 3", SCHEMA).whole


def test_a_fault_in_a_filter_is_told_at_the_row_of_its_event() -> None:
    """Breaks when the error of a filter stands beside no row."""
    text = 'age > 3 and not did "Order Completed" where (revenue > 3 and coupn = "x")'
    (fault,) = read(text, SCHEMA).faults
    assert (fault.path, fault.place) == ("parts.1", "parts.1.part.events.where.parts.1.left")
    assert "coupon" in str(fault.fix)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('not (did "" or age > 3)', "not age > 3"),
        ('not did "" and age > 3', "age > 3"),
        ('did ""', None),
        ('(did "" or did "") and age > 3', "age > 3"),
        ('not not age > 3 and did ""', "not not age > 3"),
    ],
)
def test_groups_shrink_to_what_is_whole(text: str, kept: str | None) -> None:
    """Breaks when a group whose parts aren't finished counts as if it were true or false."""
    found = read(text, SCHEMA).kept
    assert (None if found is None else found.node) == (None if kept is None else parse(kept))


def test_a_text_that_cant_be_read_says_where() -> None:
    """Breaks when a slip in the text view isn't marked at its place."""
    found = read("age > > 3", SCHEMA)
    assert found.broken
    assert (found.faults[0].start, found.faults[0].end) == (6, 7)


# ---------------------------------------------------------------- suggestions


@pytest.mark.parametrize(
    ("text", "offered", "refused"),
    [
        ("", ["age", "did ", "not ", "count(", "member of "], ["and ", "in last ", '"KE"']),
        ("age ", ["= ", "between ", "is known", "in top "], ["and ", "did ", "then "]),
        ("country = ", ['"KE"', '"UG"', "country"], ["and ", "days"]),
        ('country = "K', ['"KE"'], ['"UG"']),
        ("did ", ['"App Opened"', '"Order Completed"', "first "], ["age", "= "]),
        ('did "Order Completed" ', ["where ", "in last ", "then ", "at least ", "and "], ["= ", "within "]),
        ('did "Order Completed" where ', ["revenue", "coupon", "any ", "hour "], ["age", "did ", "os"]),
        ('did "Order Completed" where any products (', ["brand", "price"], ["revenue", "hour "]),
        ('did "Order Completed" where any products (brand = ', ['"Acme"'], ['"KE"']),
        ('did "A" then not "B" ', ["within ", "where "], ["and "]),
        ('did "A" in last 3 ', ["days", "weeks", "calendar "], ["months", "and "]),
        ("sum(", ["revenue"], ["coupon", "age"]),
        ('avg(revenue of ', ['"Order Completed"'], ["age"]),
        ("member of ", ['"vip"'], ['"staff"']),
        ("listed in ", ['"staff"'], ['"vip"']),
        ("consents to ", ['"email_marketing"'], ['"vip"']),
        ("anniversary of ", ["signed_up"], ["age"]),
        ('held country = "KE" ', ["for "], ["and "]),
        ("age > 3 a", ["and "], ["avg("]),
    ],
)  # fmt: skip
def test_what_may_follow_in_the_text_is_what_the_language_and_the_data_have(
    text: str, offered: list[str], refused: list[str]
) -> None:
    """Breaks when the text view offers what can't stand there, or leaves out what can."""
    found = {one.value for one in at_cursor(text, len(text), SCHEMA, Counted()).options}
    assert set(offered) <= found
    assert not set(refused) & found


def test_completion_is_quick_in_a_long_text() -> None:
    """Breaks when whoever types waits: half of the completions take more than 50 ms."""
    long = " and ".join(['did "Order Completed" where (revenue > 3 and coupon = "x") in last 30 days'] * 6)
    taken = []
    for end in (" and ", " and age ", " and country = ", ' and did "', " and sum("):
        begun = perf_counter()
        at_cursor(long + end, len(long + end), SCHEMA, Counted())
        taken.append(perf_counter() - begun)
    assert median(taken) < 0.05, taken


@pytest.mark.parametrize(
    ("text", "path", "typed", "first"),
    [
        ('did ""', "events.name", "", ["App Opened", "Order Completed"]),
        ('did ""', "events.name", "ord", ["Order Completed"]),
        ('did "Order Completed" where `?` = ""', "events.where.left.name", "", ["coupon", "products", "revenue"]),
        ('did "Order Completed" where any products (`?` = "")', "events.where.where.left.name", "", ["brand", "price"]),
        ('did "Order Completed" where any products (brand = "")', "events.where.where.right", "", ["Acme"]),
        ('sum(`?` of "Order Completed") > 3', "left.of", "", ["revenue"]),
        ('did "App Opened" then "Order Completed" with same `?`', "steps.0.same.0", "", ["coupon", "products", "revenue"]),
        ('country = ""', "right", "", ["KE", "UG"]),
        ("`?` in last 3 days", "trait.name", "", ["signed_up"]),
        ("distance of `?` to (1, 2) < 3 km", "trait.name", "", ["home"]),
        ("`?` in top 10%", "value.name", "", ["age"]),
        ('member of ""', "segment", "best", ["vip"]),
        ('listed in ""', "name", "", ["staff"]),
        ('consents to ""', "purpose", "", ["email_marketing"]),
        ('did "A" where weekday = ""', "events.where.right", "s", ["Saturday", "Sunday"]),
    ],
)  # fmt: skip
def test_a_field_offers_what_suits_it(text: str, path: str, typed: str, first: list[str]) -> None:
    """Breaks when a field offers names of another kind, of another event, or of a type that doesn't fit."""
    root = parse(text)
    assert isinstance(root, n.Node)
    found = for_field(root, read_path(path), typed, SCHEMA, Counted())
    assert [one.value for one in found][: len(first)] == first


def test_what_begins_with_what_was_typed_comes_first() -> None:
    """Breaks when the nearest suggestion isn't the first."""
    found = list(for_field(parse('did ""'), ("events", "name"), "e", SCHEMA, Uncounted()))
    assert [one.value for one in found] == ["App Opened", "Order Completed"]
    assert [one.value for one in fitting(found, "order")] == ["Order Completed"]


# ---------------------------------------------------------------- kept drafts


@pytest.fixture
def drafts(tmp_path: Path) -> Iterator[Drafts]:
    with create_store(tmp_path / "store.duckdb", zone="UTC", now=0, threads=1) as store:
        kept = Drafts(store.cursor())
        yield kept
        kept.close()


def test_a_draft_is_its_makers_alone(drafts: Drafts) -> None:
    """Breaks when somebody reads, changes or discards another's draft."""
    made = drafts.keep("ann", "segment", "", {"text": "age > 3", "name": "Größe"}, 10)
    assert drafts.keep("ann", "segment", "", {"text": "age > 4"}, 20, made) == made
    assert drafts.get(made, "bob") is None
    theirs = drafts.keep("bob", "segment", "", {"text": "stolen"}, 30, made)
    assert theirs != made
    drafts.discard(made, "bob")
    (kept,) = drafts.of("ann", "segment")
    assert (kept.document, kept.created, kept.changed) == ({"text": "age > 4"}, 10, 20)
    drafts.discard(made, "ann")
    assert drafts.of("ann", "segment") == []


def test_nobody_fills_the_store_with_drafts(drafts: Drafts) -> None:
    """Breaks when a page that keeps anew each time grows the store without end."""
    for i in range(MOST):
        drafts.keep("ann", "segment", "", {}, i)
    with pytest.raises(Refused):
        drafts.keep("ann", "segment", "", {}, 999)
    assert len(drafts.of("ann", "segment")) == MOST


# ---------------------------------------------------------------- sizes


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Live]:
    """A live workspace on real data."""
    folder = tmp_path_factory.mktemp("sizes") / "shop"
    copied(request.config.cache.mkdir("web-shop"), folder)
    with shoal.open(folder) as workspace:
        found = Live(workspace, RuntimeError)
        found.start()
        try:
            yield found
        finally:
            found.close()


def sizer(live: Live, patience: int) -> Sizer:
    """A sizer that asks so many customers one by one at most, and the store beyond that."""

    def ask(name: str, asked: Mapping[str, object]) -> dict[str, object]:
        with live.own:
            return answer(live.workspace, name, asked)

    made = Sizer(live, ask)
    made.patience = patience
    return made


LONG = (
    'did "Order Completed" then not "Order Completed" within 30 days and value > 100 and '
    'not (count("Order Completed" in last 30 days) > 1.5 * count("Order Completed" in 30 days before last 30 days) '
    'or member of "champions")'
)


def test_what_takes_long_is_asked_of_the_store_and_comes_to_the_same(live: Live) -> None:
    """Breaks when a sequence of many customers counts others in the store than the engine in memory finds."""
    schema = live.core.schema_with(live.definitions)
    kept, details = read(LONG, schema).kept, Definition("new", "", parse("a is known"))
    assert kept is not None
    quick, patient = sizer(live, 10**9), sizer(live, 0)
    assert [one.kind for one in patient.waits(kept, details)] == ["sequence", "compare"]
    one, other = quick.sizes(kept, details), patient.sizes(kept, details)
    assert patient.waits(kept, details) == []
    assert (one.count, one.by_path, one.everyone) == (other.count, other.by_path, other.everyone)
    assert 0 < one.count == live.preview(Definition("new", "", kept.node), 1).count
    assert one.by_path["parts.2"].before == one.by_path["parts.1"].remaining
    assert patient.overlaps(kept, details) == quick.overlaps(kept, details)
    assert len(patient.members(kept, details, 3)) == 3
    assert all(reason is not None and reason.truth for _, reason in patient.members(kept, details, 3))


def test_ranks_that_nobody_has_worked_out_yet_are_counted_all_the_same(live: Live) -> None:
    """Breaks when the highest tenth has nobody in it until the segment is saved."""
    schema = live.core.schema_with(live.definitions)
    kept, details = (
        read("value in top 20% and value between percentile 80 and 90", schema).kept,
        Definition("new", "", parse("a is known")),
    )
    assert kept is not None
    found = sizer(live, 10**9)
    sizes = found.sizes(kept, details)
    top, between = sizes.by_path["parts.0"].alone, sizes.by_path["parts.1"].alone
    valued = live.preview(Definition("new", "", parse("value is known")), 1).count
    assert abs(top - valued / 5) <= 2
    assert abs(between - valued / 10) <= 3
    assert [reason for _, reason in found.members(kept, details, 2)] == [None, None]


def test_who_would_enter_and_leave_is_told_against_the_segment_in_force(live: Live) -> None:
    """Breaks when the difference of a change isn't that of its members."""
    schema = live.core.schema_with(live.definitions)
    kept = read("rfm_r >= 4 and rfm_fm >= 3", schema).kept
    assert kept is not None
    found = sizer(live, 10**9).against(kept, Definition("champions", "", parse("a is known")), "champions", 5)
    assert found.now == live.core.engine.size("champions")
    assert found.leave == 0 < found.enter == found.then - found.now
    assert len(found.entering) == min(5, found.enter)
