"""Who takes part: each customer once, from the first exposure on, and everybody else left out for a reason that is counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from shoal.clock import DAY
from shoal.customers.writer import write_records
from shoal.errors import ConfigError, Refused, UnknownName
from shoal.insight.experiments.assignment import Holdout, Slot, Span
from shoal.insight.experiments.definition import AtStart, Experiment, InFile, InTrait, Viewed
from shoal.insight.experiments.exposures import Exposures, exposures
from shoal.insight.experiments.sightings import assigned, place
from shoal.insight.experiments.state import State, start, state_of, stop
from shoal.insight.models.asof import AsOf
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.schema import Kind, PropertyType, Schema
from shoal.shapes import Event, RevenueRule, TraitChange
from shoal.sql.duck import DuckStore, create_store
from shoal.sql.registry import Registry, learned_schema
from shoal.sql.store import registered

BEGIN, END = 100 * DAY, 130 * DAY
MAIL = Experiment("mail", "Mail", {"control": 0.5, "mail": 0.5}, "revenue")
IDS = [f"c{i}" for i in range(40)]
ARMS = MAIL.assignment()


def seen(customer: str, at: int, arm: str | None = None, experiment: str = "mail") -> Event:
    """An exposure, to the arm that the customer was drawn into unless another is said."""
    said = {"experiment_id": experiment, "variation_id": arm or ARMS.arm(customer)}
    return Event(customer, "Experiment Viewed", at, said)


def write(store: DuckStore, records: list[Any]) -> None:
    assert write_records(store, records, zone="UTC", received=0).rejected == 0


@contextmanager
def asked(
    store: DuckStore, experiment: Experiment, state: State | None = None, at: int = END, **segments: Definition
) -> Iterator[Exposures]:
    traits, events = learned_schema(store)
    schema = Schema(traits=traits, events=events, segments=segments)
    with (
        AsOf(store, RevenueRule(), schema, at) as known,
        exposures(known, experiment, state or state_of(store, experiment)) as found,
    ):
        yield found


def rows(store: DuckStore, found: Exposures) -> dict[str, tuple[str, int, int]]:
    """By id: arm, first and last instant; ``k`` is held to be unique."""
    table = store.rows(f"SELECT c.id, e.k, e.arm, e.begin, e.t FROM {found.table} e JOIN customers c ON c.key = e.who")
    assert len({row[1] for row in table}) == len(table)
    return {row[0]: (found.arms[row[2]], row[3], row[4]) for row in table}


def reasons(found: Exposures) -> dict[str, int]:
    return {one.code: one.n for one in found.problems}


def test_each_customer_counts_once_from_the_first_exposure_on(store: DuckStore) -> None:
    """Breaks when a second exposure moves the begin, or counts a customer twice."""
    begun = start(store, MAIL, BEGIN)
    write(
        store,
        [seen("c1", BEGIN + DAY), seen("c1", BEGIN + 3 * DAY), seen("c2", BEGIN), seen("c2", END, "mail", "other")],
    )
    with asked(store, MAIL) as found:
        assert rows(store, found) == {
            "c1": (ARMS.arm("c1"), BEGIN + DAY, END),
            "c2": (ARMS.arm("c2"), BEGIN, END),
        }
        assert (found.total, found.begin, found.end, found.problems) == (2, BEGIN, END, ())
        kinds = store.arrow(f"SELECT * FROM {found.table} LIMIT 0").schema
        assert [str(kind) for kind in kinds.types] == ["int32", "int32", "int16", "int64", "int64"]
        table = found.table
    assert begun.stage == "running"
    assert not store.rows("SELECT 1 FROM duckdb_views() WHERE view_name = ?", [table])


def test_a_window_ends_so_long_after_the_exposure_or_with_the_data(store: DuckStore) -> None:
    """Breaks when a customer's metrics are counted beyond the window, the stop, or what is known."""
    mail = replace(MAIL, window=14 * DAY)
    start(store, mail, BEGIN)
    write(store, [seen("c1", BEGIN), seen("c2", END - DAY)])
    with asked(store, mail) as found:
        told = rows(store, found)
        assert told["c1"][2] == BEGIN + 14 * DAY - 1
        assert told["c2"][2] == END
        assert found.unfinished == 1
    stop(store, "mail", BEGIN + 2 * DAY)
    with asked(store, mail) as found:
        assert rows(store, found)["c1"][2] == BEGIN + 2 * DAY
        assert reasons(found) == {"after the stop": 1}


def test_whoever_cannot_count_is_left_out_with_the_reason(store: DuckStore) -> None:
    """Breaks when a fault of the exposures slips into an arm, or isn't told."""
    start(store, MAIL, BEGIN)
    other = {"control": "mail", "mail": "control"}
    write(
        store,
        [
            seen("c0", BEGIN + DAY),
            seen("early", BEGIN - 1), seen("early", BEGIN + DAY),
            seen("odd", BEGIN + DAY, "letter"),
            seen("both", BEGIN + DAY, "mail"), seen("both", BEGIN + 2 * DAY, "control"),
            seen("swapped", BEGIN + DAY, other[str(ARMS.arm("swapped"))]),
        ],
    )  # fmt: skip
    with asked(store, MAIL) as found:
        assert rows(store, found).keys() == {"c0"}
        assert reasons(found) == {"before the start": 1, "unknown arm": 1, "several arms": 1, "other arm": 1}
        said = {one.code: one.says for one in found.problems}
        assert "'letter'" in said["unknown arm"]
        assert said["before the start"] == "1 customer was exposed before the start."


def test_whoever_is_held_out_or_outside_the_layer_is_in_no_arm(store: DuckStore) -> None:
    """Breaks when a member of a global holdout gets into an arm, or an experiment leaves its part of the layer."""
    mail = replace(MAIL, layer="messages", share=0.5)
    everywhere = (Holdout("global", 0.3),)
    begun = start(store, mail, BEGIN, everywhere=everywhere)
    write(store, [seen(customer, BEGIN + DAY) for customer in IDS])
    drawn = {c: arm for c in IDS if (arm := begun.assignment(mail).arm(c))}
    held = sum(everywhere[0].holds(c) for c in IDS)
    assert 0 < len(drawn) < len(IDS) - held
    with asked(store, mail) as found:
        assert {c: row[0] for c, row in rows(store, found).items()} == drawn
        assert reasons(found) == {"held out": held, "not drawn": len(IDS) - held - len(drawn)}


def test_merged_customers_count_as_one(store: DuckStore) -> None:
    """Breaks when two ids of a person are two, or an arm drawn by the id of then counts as a wrong one."""
    one, two = next((a, b) for a in IDS for b in IDS if ARMS.arm(a) != ARMS.arm(b))
    same = next(c for c in IDS if ARMS.arm(c) == ARMS.arm(one) and c != one)
    start(store, MAIL, BEGIN)
    write(store, [seen(one, BEGIN + DAY), seen(same, BEGIN), Event(two, "Seen", BEGIN, {})])
    keys = dict(store.rows("SELECT id, key FROM customers"))
    # The survivor's own id was drawn into the other arm, and never seen.
    for gone in (one, same):
        store.execute("INSERT INTO merges VALUES (?, ?, 0, NULL, 'test')", [keys[two], keys[gone]])
    with asked(store, MAIL) as found:
        assert rows(store, found) == {two: (ARMS.arm(one), BEGIN, END)}
    write(store, [seen(two, BEGIN + 2 * DAY)])
    with asked(store, MAIL) as found:
        assert reasons(found) == {"several arms": 1}


def test_the_population_is_held_at_the_exposure_and_never_after(store: DuckStore) -> None:
    """Breaks when what a customer did after the exposure takes them out: the arms would differ by their effect."""
    mail = replace(MAIL, population=parse('member of "silent"'))
    silent = Definition("silent", "Silent", parse('not did "Order Completed" in last 30 days'))
    start(store, mail, BEGIN, segments={"silent": silent})
    order = "Order Completed"
    write(
        store,
        [
            seen("c1", BEGIN + DAY), Event("c1", order, BEGIN + 2 * DAY, {"revenue": 5}),
            seen("c2", BEGIN + DAY), Event("c2", order, BEGIN - DAY, {"revenue": 5}),
            seen("c3", BEGIN + 5 * DAY), Event("c3", order, BEGIN - 29 * DAY, {"revenue": 5}),
        ],
    )  # fmt: skip
    # The segment is another one by now; the experiment keeps the one that it began with.
    edited = replace(silent, where=parse('did "Order Completed"'))
    with asked(store, mail, silent=edited) as found:
        assert rows(store, found).keys() == {"c1", "c3"}
        assert reasons(found) == {"outside": 1}


def test_a_population_that_cannot_be_held_at_each_exposure_is_said(store: DuckStore) -> None:
    """Breaks when customers are left out by a condition that was never looked at, or that is kept quiet."""
    mail = replace(MAIL, population=parse('did "Experiment Viewed" in this month'))
    start(store, mail, BEGIN)
    write(store, [seen("c1", BEGIN)])
    with asked(store, mail) as found:
        assert found.total == 1
        assert "Nobody was held against the population" in found.notes[0]


def test_assigned_at_the_start_all_of_the_population_take_part(store: DuckStore) -> None:
    """Breaks when somebody who came later is in, what came to light later moves anybody, or an arm isn't the assigned one."""
    mail = replace(MAIL, exposure=AtStart(), population=parse('country = "KE"'))
    write(store, [TraitChange(c, "country", "KE" if i % 2 else "UG", BEGIN - DAY) for i, c in enumerate(IDS)])
    begun = start(store, mail, BEGIN)
    write(store, [TraitChange("late", "country", "KE", BEGIN + DAY)])
    late = TraitChange(IDS[0], "country", "KE", BEGIN - 2)
    assert write_records(store, [late], zone="UTC", received=BEGIN + DAY).rejected == 0
    with asked(store, mail) as found:
        assert rows(store, found) == {c: (ARMS.arm(c), BEGIN, END) for i, c in enumerate(IDS) if i % 2}
        assert not found.problems
    everybody = replace(MAIL, slug="all", exposure=AtStart())
    with pytest.raises(Refused, match="hasn't begun"), asked(store, everybody):
        pass
    start(store, everybody, BEGIN)
    with asked(store, everybody) as found:
        assert found.total == len(IDS)
    assert begun.started == BEGIN


def test_an_experiment_that_ran_elsewhere_comes_from_a_file(store: DuckStore, tmp_path: Path) -> None:
    """Breaks when ids, arms or instants of a file are misread, or its faults aren't counted."""
    write(store, [Event(c, "Seen", 0, {}) for c in IDS[:4]])
    (tmp_path / "spring.csv").write_text(
        "id;group;sent\nc0;0;1970-04-11\nc1;1;1970-04-11T02:00:00+02:00\nc2;2;1970-04-12 06:00\nc3;1;soon\n"
        "who;1;1970-04-11\nc1;1;1970-04-13\n",
        encoding="utf-8",
    )
    values = (("0", "control"), ("1", "mail"))
    told = InFile("spring.csv", "id", "group", "sent", values, tmp_path)
    with asked(store, replace(MAIL, exposure=told)) as found:
        assert rows(store, found) == {"c0": ("control", BEGIN, END), "c1": ("mail", BEGIN, END)}
        assert reasons(found) == {"unknown arm": 1, "stranger": 1, "undated": 1}
    table = pa.table(
        {"customer": [1, 2], "arm": ["control", "mail"], "at": pa.array([BEGIN, BEGIN], pa.timestamp("us"))}
    )
    parquet.write_table(table, tmp_path / "spring.parquet")
    write(store, [Event("1", "Seen", 0, {})])
    with asked(store, replace(MAIL, exposure=InFile("spring.parquet", root=tmp_path))) as found:
        assert rows(store, found) == {"1": ("control", BEGIN, END)}
    with (
        pytest.raises(UnknownName, match="no column 'groep'"),
        asked(store, replace(MAIL, exposure=replace(told, arm="groep"))),
    ):
        pass
    autumn = replace(MAIL, exposure=InFile("autumn.csv", root=tmp_path))
    with pytest.raises(ConfigError, match=r"There is no file autumn\.csv"), asked(store, autumn):
        pass


def test_a_trait_or_another_event_may_say_the_arm(store: DuckStore) -> None:
    """Breaks when arms drawn elsewhere are held against our own, or a number or yes/no can't name an arm."""
    write(
        store,
        [
            TraitChange("c0", "group", 1, BEGIN), TraitChange("c0", "mailed", False, BEGIN),
            TraitChange("c1", "group", 2, BEGIN), TraitChange("c1", "mailed", True, BEGIN),
            Event("c0", "Campaign Sent", BEGIN + DAY, {"kind": "mail", "campaign": "spring"}),
            Event("c1", "Campaign Sent", BEGIN + DAY, {"kind": "control", "campaign": "spring"}),
            Event("c2", "Campaign Sent", BEGIN + DAY, {"kind": "control", "campaign": "autumn"}),
        ],
    )  # fmt: skip
    by_number = InTrait("group", (("1", "control"), ("2", "mail")))
    by_truth = InTrait("mailed", (("no", "control"), ("yes", "mail")))
    for exposure in (by_number, by_truth):
        with asked(store, replace(MAIL, exposure=exposure)) as found:
            assert rows(store, found) == {"c0": ("control", BEGIN, END), "c1": ("mail", BEGIN, END)}
    sent = Viewed("Campaign Sent", ("kind",), (("campaign", ("spring",)),), elsewhere=True)
    with asked(store, replace(MAIL, exposure=sent)) as found:
        assert {c: row[0] for c, row in rows(store, found).items()} == {"c0": "mail", "c1": "control"}
    for exposure, said in (
        (InTrait("grup"), "There is no trait 'grup'. Did you mean \"group\"?"),
        (Viewed("Campaign Send", ("kind",), elsewhere=True), 'Did you mean "Campaign Sent"?'),
        (Viewed("Campaign Sent", ("sort",), elsewhere=True), "There is no property of \"Campaign Sent\" 'sort'"),
        (replace(sent, only=(("campain", ("x",)),)), 'Did you mean "campaign"?'),
    ):
        with pytest.raises(UnknownName, match=re.escape(said)), asked(store, replace(MAIL, exposure=exposure)):
            pass


def test_before_the_start_nothing_is_asked(store: DuckStore) -> None:
    write(store, [seen("c1", BEGIN)])
    with pytest.raises(Refused, match="hasn't begun yet"), asked(store, MAIL):
        pass
    start(store, MAIL, BEGIN)
    with pytest.raises(Refused, match="after the instant that is asked of"), asked(store, MAIL, at=BEGIN - 1):
        pass


moments = st.integers(BEGIN - 3 * DAY, END + 3 * DAY)
sights = st.lists(
    st.tuples(st.sampled_from(IDS[:6]), moments, st.sampled_from(["control", "mail", "letter"])), max_size=25
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sights, st.booleans())
def test_every_customer_who_was_seen_counts_or_has_one_reason(shown: list[tuple[str, int, str]], stopped: bool) -> None:
    """Breaks when somebody is lost, counts twice, or counts though a plain reading of the rules leaves them out."""
    store = create_store(":memory:", zone="UTC", now=0, threads=1)
    Registry.load(store).ensure_event(
        "Experiment Viewed", {name: PropertyType(Kind.TEXT) for name in ("experiment_id", "variation_id")}
    )
    start(store, MAIL, BEGIN)
    high = BEGIN + 10 * DAY if stopped else END
    if stopped:
        stop(store, "mail", high)
    write(store, [seen(customer, at, arm) for customer, at, arm in shown])
    try:
        with asked(store, MAIL) as found:
            told = {c: row[:2] for c, row in rows(store, found).items()}
            left_out = sum(one.n for one in found.problems)
    finally:
        store.close()
    known = [(c, at, arm) for c, at, arm in shown if at <= END]
    assert len(told) + left_out == len({c for c, _, _ in known})
    assert told == dict(_plainly(known, high))


def _plainly(shown: list[tuple[str, int, str]], high: int) -> Iterator[tuple[str, tuple[str, int]]]:
    for customer in {c for c, _, _ in shown}:
        mine = [(at, arm) for c, at, arm in shown if c == customer]
        valid = [(at, arm) for at, arm in mine if arm != "letter" and BEGIN <= at <= high]
        arms = {arm for _, arm in valid}
        if min(mine)[0] >= BEGIN and arms == {ARMS.arm(customer)}:
            yield customer, (arms.pop(), min(valid)[0])


def test_the_database_draws_as_the_golden_file_says(store: DuckStore) -> None:
    """Breaks when SQL and Python put a customer of any script into different arms: all would be left out as wrong ones."""
    told = json.loads(Path(__file__).with_name("assignment.json").read_text(encoding="utf-8"))
    spring = Experiment(
        "spring", "Spring", {"control": 0.5, "mail": 0.3, "letter": 0.2}, "revenue", holdouts=(Holdout("spring", 0.1),)
    )
    begun = State(
        "spring", "running", 0, slot=Slot("messages", Span(100_000, 700_000)), holdouts=(Holdout("global", 0.05),)
    )
    ids = pa.table({"id": [one["customer"] for one in told]})
    with registered(store, "golden", ids):
        found = store.rows(
            f"SELECT id, {place('experiment:spring', 'id')}, {assigned(spring, begun, 'id')} FROM golden"
        )
    by_id = {who: (at, arm) for who, at, arm in found}
    names = tuple(spring.arms)
    for one in told:
        at, arm = by_id[one["customer"]]
        assert at == one["place"]
        assert (None if arm is None else names[arm]) == one["arm"]
