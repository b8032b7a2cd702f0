"""Metrics tried on cases: what ships against the numbers of the pages that define it, and faults at their lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shoal.errors import DefinitionError
from shoal.insight.metrics.catalogue import read_metrics
from shoal.insight.metrics.definition import Metric
from shoal.insight.metrics.reading import check_metric, read_metric
from shoal.insight.metrics.testing import Ground, Outcome, tried
from shoal.insight.metrics.wording import Subject
from shoal.insight.sessions import taught
from shoal.lang import nodes as n
from shoal.lang.parse import parse
from shoal.lang.schema import Kind, PropertyType, Schema
from shoal.shapes import ContractRule, FeedbackRule, RevenueRule, SessionRule

NUMBER, TEXT = PropertyType(Kind.NUMBER), PropertyType(Kind.TEXT)
ORDER = {"revenue": NUMBER, "cost": NUMBER, "store": TEXT, "due": PropertyType(Kind.INSTANT)}
SCHEMA = taught(
    Schema(
        traits={"plan": Kind.TEXT, "age": Kind.NUMBER, "account.industry": Kind.TEXT},
        events={
            "Order Completed": ORDER,
            "Order Refunded": {"revenue": NUMBER},
            "Survey Answered": {"nps": NUMBER, "csat": NUMBER},
            "Campaign Sent": {"campaign": TEXT},
            "Campaign Clicked": {"campaign": TEXT},
            "Subscribed": {},
            "Cancelled": {},
            "Page Viewed": {"path": TEXT},
        },
        segments={"pro": n.Definition("pro", "Pro", parse('plan = "pro"'))},
    )
)
GROUND = Ground(SCHEMA, "Europe/Berlin", RevenueRule(cost={"Order Completed": "cost"}), SessionRule())
SUBJECT = Subject(
    GROUND.revenue,
    30,
    ContractRule(start="Subscribed", end="Cancelled", period="month"),
    FeedbackRule(nps={"Survey Answered": ("nps",)}, csat={"Survey Answered": ("csat",)}),
)
HEAD = 'name: Orders\nunit: count\nas: sum\nof: count("Order Completed")\n'


def of_file(text: str) -> Metric:
    found = read_metric(text, slug="orders", place="metrics/orders.yaml")
    check_metric(found, SCHEMA, text, "metrics/orders.yaml")
    return found


def outcomes(text: str) -> list[Outcome]:
    return list(tried(of_file(text), GROUND))


def events(name: str, *rows: tuple[str, str, dict[str, Any]]) -> str:
    lines = []
    for who, at, more in rows:
        said = "".join(f", {key}: {value}" for key, value in more.items())
        lines.append(f"      - {{customer: {who}, event: {name}, at: {at}{said}}}\n")
    return "".join(lines)


ORDERS = events(
    "Order Completed",
    ("ann", "2025-01-05", {"revenue": 20, "cost": 5}),
    ("ann", "2025-01-20", {"revenue": 40, "cost": 10}),
    ("bob", "2025-01-31 23:59", {"revenue": 30, "cost": 30}),
    ("cid", "2024-12-31 23:59", {"revenue": 70, "cost": 7}),
    ("ann", "2024-12-01", {"revenue": 10, "cost": 1}),
    ("dan", "2025-02-01", {"revenue": 99, "cost": 9}),
) + events("Order Refunded", ("bob", "2025-01-31", {"revenue": -12}))
SCORES = events(
    "Survey Answered",
    *((f"p{i}", "2025-01-05", {"nps": 9}) for i in range(70)),
    *((f"q{i}", "2025-01-05", {"nps": 8}) for i in range(10)),
    *((f"d{i}", "2025-01-05", {"nps": 6}) for i in range(20)),
    *((f"c{i}", "2025-01-06", {"csat": score}) for i, score in enumerate((5, 4, 3, 1))),
)
CONTRACTS = events("Subscribed", *((f"old{i}", "2024-11-10", {}) for i in range(10)), ("new", "2025-01-03", {}))
CONTRACTS += events("Cancelled", ("old1", "2025-01-10", {}), ("old2", "2024-12-10", {}), ("new", "2025-01-20", {}))
MAILS = events(
    "Campaign Sent", *((who, "2025-01-05", {"campaign": "a"}) for who in ("ann", "bob", "cid", "dan"))
) + events("Campaign Clicked", *(("ann", "2025-01-06", {"campaign": "a"}) for _ in range(3)))

PUBLISHED = [
    ("revenue", ORDERS, "78", 2),
    ("margin", ORDERS, "33", 2),
    ("orders", ORDERS, "3", 2),
    ("active-customers", ORDERS, "2", 2),
    ("new-customers", ORDERS, "1", 1),
    ("average-order-value", ORDERS, "30", 2),
    ("repeat-purchase-rate", ORDERS, "1/2", 2),
    ("returning-customer-rate", ORDERS, "1/2", 2),
    ("retention-rate", ORDERS, "1/2", 2),
    ("orders-per-customer", ORDERS, "1.5", 2),
    ("nps", SCORES, "50", 100),
    ("csat", SCORES, "1/2", 4),
    ("csat-mean", SCORES, "3.25", 4),
    ("click-through-rate", MAILS, "3/4", 4),
    ("click-through-rate-unique", MAILS, "1/4", 4),
    ("churn-contractual", CONTRACTS, "1/9", 9),
]
"""KPIS.md: each metric with the figure that its definition gives; the denominators are what goes wrong."""


@pytest.mark.parametrize(("slug", "rows", "value", "many"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_what_ships_comes_to_what_the_page_says(tmp_path: Path, slug: str, rows: str, value: str, many: int) -> None:
    """Breaks when a KPI that ships counts refunds as orders, takes a wrong denominator, or leaves the time zone out."""
    (tmp_path / "metrics").mkdir()
    case = f"tests:\n  - events:\n{rows}    period: 2025-01\n    value: {value}\n    n: {many}\n"
    (tmp_path / "metrics" / f"{slug}.yaml").write_text(case, encoding="utf-8")
    found = read_metrics(tmp_path, SCHEMA, SUBJECT)
    assert not found.faults
    (outcome,) = tried(found.find(slug), GROUND)
    assert outcome.holds, outcome.sentence


def test_traits_segments_and_accounts_count_as_of_the_period() -> None:
    """Breaks when a trait's instant, an account's trait or a segment that a metric names is lost in a case."""
    among = HEAD + 'among: member of "pro" and account.industry = "retail"\n'
    text = among + (
        "tests:\n  - traits:\n"
        "      - {customer: ann, plan: pro, since: 2025-01-03}\n"
        "      - {customer: bob, plan: pro, since: 2025-02-01}\n"
        "      - {account: acme, industry: retail}\n"
        "    events:\n" + ORDERS + "    period: 2025-01\n    value: 0\n"
    )
    assert [one.holds for one in outcomes(text)] == [True]
    alone = text.replace(' and account.industry = "retail"', "").replace("value: 0", "value: 2\n    n: 1")
    assert [one.sentence for one in outcomes(alone)] == ["2 of 1 customer"]


def test_periods_and_figures_as_they_may_be_written() -> None:
    """Breaks when a week, a quarter or a day is another one, or "no figure" passes for 0."""
    forms = [
        ("period: 2025", "4"), ("period: 2025-Q1", "4"), ("period: 2025-W01", "2"), ("period: 2025-01-05", "1"),
        ("grain: week\n    date: 2025-01-05", "2"), ("grain: month\n    date: 2024-12-31", "2"),
    ]  # fmt: skip
    for period, value in forms:
        text = f"{HEAD}tests:\n  - events:\n{ORDERS}    {period}\n    value: {value}\n"
        assert [one.sentence for one in outcomes(text)] == [value], period
    mean = 'name: m\nunit: money\nas: mean\nof: avg(revenue of "Order Completed")\ntests: [{period: 2030, value: %s}]\n'
    assert [one.holds for value in ("null", "0") for one in outcomes(mean % value)] == [True, False]


def test_what_doesnt_hold_says_what_was_found() -> None:
    """Breaks when a failing case passes, or a reader has to work out the figure themself."""
    text = f"{HEAD}tests:\n  - events:\n{ORDERS}    period: 2025-01\n    value: 4\n    n: 3\n"
    (outcome,) = outcomes(text)
    assert not outcome.holds
    assert outcome.sentence == "expected 4 of 3 customers, found 3 of 2 customers"
    assert [one.holds for one in outcomes(text.replace("value: 4\n    n: 3", "value: 3.4\n    within: 0.5"))] == [True]
    assert [one.holds for one in outcomes(text.replace("value: 4", "value: 3"))] == [False]


def test_sessions_are_worked_out_from_the_pages_of_a_case() -> None:
    """Breaks when a case of a metric of sessions is answered from nothing."""
    pages = events("Page Viewed", *(("ann", f"2025-01-05 10:{m}", {"path": "x"}) for m in ("00", "20", "55")))
    text = (
        f"{HEAD.replace('Order Completed', 'Session')}tests:\n  - events:\n{pages}    period: 2025-01\n    value: 2\n"
    )
    assert [one.sentence for one in outcomes(text)] == ["2"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{customer: ann, event: Order Complted, at: 2025-01-05}", "no event 'Order Complted'. Did you mean"),
        ("{customer: ann, event: Order Completed, at: 2025-01-05, revenu: 3}", "'revenu'. Did you mean"),
        ("{customer: ann, event: Order Completed, at: 2025-01-05, revenue: '3'}", "'revenue' is number, and this is text"),
        ("{customer: ann, event: Order Completed, at: 2025-01-05, store: 3}", 'Put it in quotes: "3"'),
    ],
)  # fmt: skip
def test_a_case_that_cannot_be_says_where(row: str, said: str) -> None:
    """Breaks when a typing error in a case makes its event nothing, so that the case fails, or holds, for no reason."""
    text = (
        f"{HEAD}tests:\n  - events:\n      - {{customer: b, event: Order Completed, at: 2025-01-05}}\n      - {row}\n"
    )
    (outcome,) = outcomes(text + "    period: 2025-01\n    value: 1\n")
    assert not outcome.holds
    assert "metrics/orders.yaml:8" in outcome.sentence
    assert said in outcome.sentence


@pytest.mark.parametrize(
    ("case", "line", "said"),
    [
        ("- value: 3", 6, "no 'period'"),
        ("- {period: 2025-01}", 6, "no 'value'"),
        ("- {period: 2025-13, value: 3}", 6, "'2025-13' is no period"),
        ("- {period: 2025-01, value: many}", 6, "Expected a number"),
        ("- {period: 2025-01, value: 1, n: 1.5}", 6, "number of customers"),
        ("- {period: 2025-01, grain: day, value: 1}", 6, "says it already"),
        ("- {period: 2025-01, vale: 1}", 6, "no key 'vale'"),
        (
            "- period: 2025-01\n    value: 1\n    events:\n      - {customer: a, event: x, at: soon}",
            9,
            "a date or a time",
        ),
        ("- period: 2025-01\n    value: 1\n    events:\n      - {customer: a, at: 2025-01-01}", 9, "no 'event'"),
        ("- period: 2025-01\n    value: 1\n    traits:\n      - {customer: a}", 9, "says no trait"),
        ("- period: 2025-01\n    value: 1\n    events: x", 8, "a list"),
    ],
)
def test_a_fault_of_the_file_has_its_line(case: str, line: int, said: str) -> None:
    """Breaks when whoever writes a test has to search for what is wrong with it."""
    with pytest.raises(DefinitionError, match=said) as fault:
        of_file(f"{HEAD}tests:\n  {case}\n")
    assert f"metrics/orders.yaml:{line}" in str(fault.value)


def test_tests_are_no_part_of_the_meaning() -> None:
    """Breaks when a new test makes yesterday's figures another metric's."""
    assert of_file(HEAD).version == of_file(HEAD + "tests: [{period: 2025, value: 0}]\n").version
