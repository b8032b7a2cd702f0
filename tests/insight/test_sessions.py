"""Sessions from events: against a plain oracle, by KPIS.md's numbers, and as an event in values of the language."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import instant

from shoal.clock import MINUTE, SECOND, iso
from shoal.customers.writer import write_records
from shoal.errors import Refused, UnknownName
from shoal.insight import sessions
from shoal.insight.models.asof import AsOf
from shoal.lang import nodes as n
from shoal.lang.parse import parse, parse_value
from shoal.lang.schema import Schema
from shoal.shapes import Event, RevenueRule, SessionRule
from shoal.sql.duck import DuckStore, create_store
from shoal.sql.registry import learned_schema

Write = Callable[[Iterable[Any]], None]
START = instant("2024-03-01", 9)
USUAL = SessionRule()


def door(store: DuckStore, at: int = START + 90 * 24 * 60 * MINUTE) -> AsOf:
    """The store as of an instant after all that tests write."""
    traits, events = learned_schema(store)
    return AsOf(store, RevenueRule(), Schema(traits=traits, events=events), at)


def view(who: str, minutes: float, page: str, name: str = "Page Viewed", **more: Any) -> Event:
    """A page view, so many minutes after the start."""
    return Event(who, name, START + round(minutes * MINUTE), {"path": page, **more})


def rows(known: AsOf, rule: SessionRule = USUAL, since: int | None = None) -> list[dict[str, Any]]:
    """All sessions with the names of their properties, by customer's id and time."""
    with sessions.laid_out(known, rule, since) as table:
        shown = ", ".join(f"{column} AS {name}" for name, column in sessions.COLUMNS.items())
        return known.arrow(
            f"SELECT c.id AS who, s.ts, {shown} FROM {table} s JOIN customers c ON c.key = s.customer ORDER BY 1, 2"
        ).to_pylist()


def test_what_a_session_says_of_itself(store: DuckStore, write: Write) -> None:
    """Breaks when a gap, an end, a count or a flag of a session is the wrong one."""
    write([
        view("a", 0, "https://shop.example/?utm=x"), view("a", 1, "/shoes?size=4"),
        Event("a", "Order Completed", START + 20 * MINUTE, {"revenue": 5}),
        view("a", 40, "/shoes#top"), view("b", 0, "/"),
    ])  # fmt: skip
    known = door(store)
    first, second, third = rows(known)
    assert (first["seconds"], first["events"], first["page_views"]) == (60 * SECOND, 2_000_000, 2_000_000)
    assert (first["entry"], first["exit"], first["converted"], first["key_events"]) == ("/", "/shoes", True, 1_000_000)
    assert (second["entry"], second["engaged"], second["bounced"], second["single_page"]) == (
        "/shoes",
        False,
        True,
        True,
    )
    assert (third["who"], third["bounced"], third["converted"]) == ("b", True, False)


def test_the_gap_is_the_longest_break_within_a_session(store: DuckStore, write: Write) -> None:
    """Breaks when a break of exactly the gap ends a session, or one of a microsecond more doesn't."""
    write([view("a", 0, "/"), view("a", 30, "/b"), Event("a", "Page Viewed", START + 60 * MINUTE + 1, {"path": "/c"})])
    assert [(r["events"], r["exit"]) for r in rows(door(store))] == [(2_000_000, "/b"), (1_000_000, "/c")]


def test_any_one_of_three_engages(store: DuckStore, write: Write) -> None:
    """Breaks when ten seconds, two views or a key event alone don't engage, or less does."""
    app = {"path": "/"}
    write([
        view("short", 0, "/"), Event("short", "Button Pressed", START + 9_999_999, app),
        view("long", 0, "/"), Event("long", "Button Pressed", START + 10 * SECOND, app),
        view("views", 0, "/"), view("views", 0.01, "/b"),
        view("key", 0, "/"), Event("key", "Order Completed", START + SECOND, {"revenue": 5}),
    ])  # fmt: skip
    assert {r["who"]: r["engaged"] for r in rows(door(store))} == {
        "short": False, "long": True, "views": True, "key": True,
    }  # fmt: skip


def test_settings_are_kept(store: DuckStore, write: Write) -> None:
    """Breaks when the ten seconds, the views or the key events of the settings aren't what engages."""
    write([view("a", 0, "/"), view("a", 0.5, "/b"), view("b", 0, "/"), Event("b", "Signed Up", START + SECOND, {})])
    strict = SessionRule(seconds=31, page_views=3, key_events=("Signed Up",))
    assert [r["engaged"] for r in rows(door(store), strict)] == [False, True]


def test_an_order_alone_is_no_session(store: DuckStore, write: Write) -> None:
    """Breaks when an order from the till is a visit, or counts for one that was over long ago."""
    till = {"revenue": 9}
    write([
        Event("a", "Order Completed", START, till), view("a", 5, "/"),
        Event("a", "Order Completed", START + 36 * MINUTE, till),
    ])  # fmt: skip
    (only,) = rows(door(store))
    assert (only["ts"], only["converted"]) == (START + 5 * MINUTE, False)


def test_time_in_the_foreground_that_was_measured(store: DuckStore, write: Write) -> None:
    """Breaks when a window that stood open behind others counts as looked at."""
    write([view("a", 0, "/", engagement_time_msec=4_000), view("a", 20, "/", name="Ping", engagement_time_msec=5_500)])
    rule = SessionRule(pages=("Page Viewed",), foreground="engagement_time_msec", milliseconds=True)
    (only,) = rows(door(store), rule)
    assert (only["seconds"], only["engaged"]) == (9_500_000, False)


@contextmanager
def counted(known: AsOf, text: str) -> Iterator[list[float]]:
    """What each customer has of a value about sessions."""
    with sessions.derived(known, USUAL) as found:
        yield found.values({"v": parse_value(text)})["v"].to_pylist()


def test_engagement_and_bounce_of_the_reference(store: DuckStore, write: Write) -> None:
    """KPIS.md: 1,300 of 2,000 sessions engaged are 65 %, and the bounce rate is 35 %.

    Breaks when metrics can't speak of sessions as of any event.
    """
    made = [view(f"c{i % 500}", 60 * (i // 500), "/") for i in range(2_000)]
    made += [view(f"c{i % 500}", 60 * (i // 500) + 1, "/b") for i in range(1_300)]
    write(made)
    known = door(store)
    totals = {}
    for name, text in {
        "all": 'count("Session")', "engaged": 'count("Session" where engaged = yes)',
        "bounced": 'count("Session" where bounced = yes)',
    }.items():  # fmt: skip
        with counted(known, text) as found:
            totals[name] = sum(found)
    assert totals == {"all": 2_000, "engaged": 1_300, "bounced": 700}
    assert totals["engaged"] / totals["all"] == 0.65
    assert totals["bounced"] / totals["all"] == 0.35


def test_values_segments_and_columns_may_name_sessions(store: DuckStore, write: Write) -> None:
    """Breaks when a form of the language doesn't reach a derived event: windows, filters, conditions, moments."""
    write([view("a", 0, "/"), view("a", 1, "/b"), view("a", 200, "/"), view("b", 0, "/")])
    known = door(store)
    definition = n.Definition("x", "X", parse('did "Session" where (engaged = yes and page_views >= 2)'))
    with sessions.derived(known, USUAL) as found:
        assert found.holds({"x": definition})["x"].tolist() == [True, False]
        table = found.values({"w": parse_value(f'max(seconds of "Session" since {iso(START)})')})
        assert table["w"].to_pylist() == [60, 0]
        nodes = {"m0": parse_value('count("Session")'), "m1": parse('did first "Session" since 2024-01-01')}
        with found.columns(nodes) as name:
            assert found.arrow(f"SELECT m0, m1 FROM {name} ORDER BY k")["m0"].to_pylist() == [2, 1]


def test_a_wildcard_counts_what_was_sent(store: DuckStore, write: Write) -> None:
    """Breaks when "*" counts sessions beside the events that they were made of."""
    write([view("a", 0, "/"), view("a", 1, "/b")])
    with counted(door(store), 'count("*")') as every, counted(door(store), 'count("Se*")') as some:
        assert (every, some) == ([2], [0])


def test_an_event_of_that_name_stays_what_it_is(store: DuckStore, write: Write) -> None:
    """Breaks when the word means one thing in segments and another in metrics."""
    write([view("a", 0, "/"), Event("a", "Session", START, {"length": 4})])
    known = door(store)
    with sessions.derived(known, USUAL) as found:
        assert found is known
        assert found.values({"v": parse_value('sum(length of "Session")')})["v"].to_pylist() == [4]
    assert sessions.taught(known.schema) is known.schema


def test_nothing_of_it_is_left(store: DuckStore, write: Write) -> None:
    """Breaks when tables pile up, or a door that leads back has no sessions, or those that began after it."""
    write([view("a", 0, "/"), view("a", 90, "/")])
    known = door(store)
    counts = {"v": parse_value('count("Session")')}
    with sessions.derived(known, USUAL) as found, found.before(START) as back, found.only(["a"]) as some:
        assert [each.values(counts)["v"].to_pylist() for each in (found, back, some)] == [[2], [1], [2]]
    assert not store.rows("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'sessions_%'")
    assert "Session" not in known.events


def test_a_merged_customer_has_one_session(store: DuckStore, write: Write) -> None:
    """Breaks when what somebody did before and after signing in are two sessions."""
    write([view("a", 0, "/"), view("b", 5, "/b")])
    keys = dict(store.rows("SELECT id, key FROM customers"))
    store.execute("INSERT INTO merges VALUES (?, ?, 0, NULL, 'test')", [keys["a"], keys["b"]])
    (only,) = rows(door(store))
    assert (only["who"], only["events"]) == ("a", 2_000_000)


def test_what_is_refused(store: DuckStore, write: Write) -> None:
    """Breaks when sessions are made of events that say no page, or a slip of the pen goes unseen."""
    write([Event("a", "Order Completed", START, {"revenue": 5}), Event("a", "Product Viewed", START, {"sku": "x"})])
    known = door(store)
    with pytest.raises(Refused, match="No event says a page or screen"):
        rows(known)
    with pytest.raises(UnknownName, match="Product Veiwed"):
        rows(known, SessionRule(events=("Product Veiwed",)))
    with pytest.raises(UnknownName, match="Signed Up"):
        rows(known, SessionRule(events=("Product Viewed",), key_events=("Signed Up",)))
    assert [r["entry"] for r in rows(known, SessionRule(events=("Product *",)))] == ["Product Viewed"]


# ---------------------------------------------------------------- the oracle


@dataclass(frozen=True)
class Did:
    """A drawn event: seconds after the start, in steps that meet the gap and the ten seconds exactly."""

    who: str
    ts: int
    name: str
    place: str


NAMES = ("Page Viewed", "Tapped", "Order Completed")
dids = st.lists(
    st.builds(
        Did, st.sampled_from("ab"), st.sampled_from([0, 5, 10, 15, 1_800, 1_805, 3_600, 3_605, 5_405]),
        st.sampled_from(NAMES), st.sampled_from(["/", "/x"]),
    ),
    min_size=1, max_size=14,
)  # fmt: skip


def expected(found: Sequence[Did]) -> list[tuple[Any, ...]]:
    """Sessions as the page of KPIs has them, one event at a time."""
    made = []
    for who in sorted({d.who for d in found}):
        runs: list[list[Did]] = []
        for did in sorted((d for d in found if d.who == who and d.name != "Order Completed"), key=lambda d: d.ts):
            if runs and did.ts - runs[-1][-1].ts <= 1_800:
                runs[-1].append(did)
            else:
                runs.append([did])
        keys: dict[int, int] = defaultdict(int)
        for order in (d for d in found if d.who == who and d.name == "Order Completed"):
            begun = [i for i, run in enumerate(runs) if run[0].ts <= order.ts]
            if begun and order.ts <= runs[begun[-1]][-1].ts + 1_800:
                keys[begun[-1]] += 1
        for i, run in enumerate(runs):
            seconds, views = run[-1].ts - run[0].ts, sum(d.name == "Page Viewed" for d in run)
            engaged = seconds >= 10 or views >= 2 or keys[i] > 0
            made.append((who, START + run[0].ts * SECOND, seconds * SECOND, len(run), views, engaged, keys[i]))
    return made


@contextmanager
def fresh_store() -> Iterator[DuckStore]:
    """A store of its own for each example."""
    made = create_store(":memory:", zone="UTC", now=0, threads=1)
    try:
        yield made
    finally:
        made.close()


@given(dids, st.sampled_from([0, 10, 1_800, 3_600]))
@settings(max_examples=30)
def test_sessions_since_an_instant_are_those_of_all(found: list[Did], since: int) -> None:
    """Breaks when a session that goes on over the instant is cut there, and its second half counts as one."""
    made = [Event(d.who, d.name, START + d.ts * SECOND, {"path": d.place}) for d in found]
    rule, cut = SessionRule(events=("*",), pages=("Page Viewed",)), START + since * SECOND
    with fresh_store() as store:
        write_records(store, made, zone="UTC", received=0)
        known = door(store)
        every = [row for row in rows(known, rule) if row["ts"] >= cut]
        assert rows(known, rule, cut) == every


@given(dids)
@settings(max_examples=60)
def test_sessions_are_those_of_the_oracle(found: list[Did]) -> None:
    """Breaks when SQL parts or judges a session differently from a loop over each customer's events."""
    events = tuple({d.name for d in found} - {"Order Completed"})
    if not events:
        return
    made = [Event(d.who, d.name, START + d.ts * SECOND, {"path": d.place}) for d in found]
    with fresh_store() as store:
        write_records(store, made, zone="UTC", received=0)
        got = [
            (r["who"], r["ts"], r["seconds"], r["events"] // 1_000_000, r["page_views"] // 1_000_000, r["engaged"],
             r["key_events"] // 1_000_000)
            for r in rows(door(store), SessionRule(events=events, pages=("Page Viewed",)))
        ]  # fmt: skip
        assert got == expected(found)
