"""What the report says in words is computed from the data: other data, another sentence; too little, none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from shoal.customers.quality import Measure, QualityReport
from shoal.insight.overlap import Duplicate
from shoal.views.report import Facts, Figure, Hint, Section, Table, groups, overview, sources, standing, trends
from shoal.views.report.compose import compose


def months(values: list[float], spread: float | None = None) -> list[dict[str, Any]]:
    """Rows of one KPI; the last month isn't over."""
    return [
        {"kpi": "revenue", "period": date(2025, 1 + i, 1), "value": v, "low": None if spread is None else v - spread,
         "high": None if spread is None else v + spread, "n": 100, "n_is": "orders", "unit": "share" if spread else "money",
         "better": "higher", "definition": "", "finished": i < len(values) - 1}
        for i, v in enumerate(values)
    ]  # fmt: skip


def text_of(section: Section) -> str:
    return " ".join(
        [section.lead, *(b if isinstance(b, str) else b.text for b in section.blocks if isinstance(b, str | Hint))]
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([100, 100, 100, 150, 150, 150, 9], "Revenue rose 50\xa0% over 3 months, against the 3 before"),
        ([100, 100, 100, 90, 90, 90, 900], "Revenue fell 10\xa0% over 3 months, against the 3 before"),
        ([100, 100, 100, 101, 101, 100, 1], "Revenue held steady over 3 months, against the 3 before"),
        ([100, 120, 9], "Revenue: €120.00 in the last finished month"),
        ([100], "Revenue: no month is over yet"),
    ],
)
def test_an_amount_is_compared_over_finished_months_only(values: list[float], said: str) -> None:
    """Breaks when the month that isn't over decides, or a wobble is called a rise."""
    assert trends.finding("revenue", months(values), "EUR", "month") == said


def test_an_estimate_moved_only_if_its_intervals_part() -> None:
    """Breaks when chance is sold as a change."""
    wide = trends.finding("repeat purchase rate", months([0.30, 0.30, 0.30, 0.36, 0.1], spread=0.05), "EUR", "month")
    sharp = trends.finding("repeat purchase rate", months([0.30, 0.30, 0.30, 0.36, 0.1], spread=0.01), "EUR", "month")
    assert wide == "Repeat purchase rate: 36\xa0%, within the noise of 30\xa0% before"
    assert sharp == "Repeat purchase rate rose from 30\xa0% to 36\xa0%"


def test_the_findings_are_three_to_six_and_follow_the_data(facts: Facts) -> None:
    """Breaks when a sentence is there whatever the data says."""
    said = overview.findings(facts)
    assert 3 <= len(said) <= 6
    rows = facts.concentration.to_pylist()
    flat = [row | {"share": row["percent"] / 100} for row in rows]
    even = overview.findings(replace(facts, concentration=pa.Table.from_pylist(flat)))
    assert any("rather evenly" in sentence for sentence in even)
    assert not any("rather evenly" in sentence for sentence in said)


def test_the_cards_match_the_kpis(facts: Facts) -> None:
    """Breaks when a card shows another period than it says, or leaves n or the interval out."""
    (cards,) = overview.at_a_glance(facts).blocks
    by_label = {card.label: card for card in cards}
    kpis = {row["kpi"]: row for row in facts.period.to_pylist()}
    assert by_label["Orders"].value == f"{kpis['orders']['value']:,.0f}"
    rate = by_label["Repeat purchase rate"]
    assert f"n = {kpis['repeat purchase rate']['n']}\xa0customers" in rate.more
    assert "95\xa0%:" in rate.more
    assert "before:" in rate.detail


def test_without_a_period_before_nothing_is_compared(facts: Facts) -> None:
    """Breaks when half a period passes for a whole one."""
    section = overview.at_a_glance(replace(facts, before=None))
    assert "doesn't reach back" in section.lead
    assert all("before:" not in card.detail for card in section.blocks[0])


def test_a_company_without_orders_is_told_what_to_do(facts: Facts) -> None:
    """Breaks when an empty store gives an empty or a crashing report."""
    none = replace(
        facts, span=None, rfm=None, cuts=None, rfm_moves=None, cohorts=facts.cohorts.slice(0, 0),
        concentration=facts.concentration.slice(0, 0), kpis=facts.kpis.slice(0, 0), months=facts.months.slice(0, 0),
    )  # fmt: skip
    page = compose(none)
    assert "no order yet" in page.findings[0]
    hints = {s.id: text_of(s) for s in page.sections if any(isinstance(b, Hint) for b in s.blocks)}
    assert {"rfm", "lifecycle", "retention", "migration", "kpis", "concentration"} <= set(hints)
    assert all("oad" in hint or "orders" in hint for hint in hints.values())


def test_margin_is_shown_where_cost_is_known_and_never_as_zero(facts: Facts) -> None:
    """Breaks when margin without cost data reads as 0."""
    table = next(b for b in groups.segments(facts).blocks if isinstance(b, Table))
    assert "margin" in [c.key for c in table.columns]
    assert all(row["margin"] > 0 for row in table.rows)
    blind = next(
        b for b in groups.segments(replace(facts, rule=replace(facts.rule, cost={}))).blocks if isinstance(b, Table)
    )
    assert "margin" not in [c.key for c in blind.columns]
    assert "no cost data" in blind.note


def test_a_segment_that_could_not_be_known_then_shows_no_change(facts: Facts) -> None:
    """Breaks when the first computation of a score looks like a rush of new members."""
    late = replace(facts, known_since={"berliners": facts.at})
    tables = [next(b for b in groups.segments(f).blocks if isinstance(b, Table)) for f in (facts, late)]
    before, after = ({row["slug"]: row["change"] for row in table.rows} for table in tables)
    assert before["berliners"] is not None
    assert after["berliners"] is None
    assert after["regulars"] == before["regulars"]


def test_near_duplicates_are_named_once(facts: Facts) -> None:
    """Breaks when the same warning stands in two sections."""
    twin = Duplicate("regulars", "berliners", "95% of the customers in either are in both.")
    words = "Regulars and Berliners are nearly the same: 95% of the customers in either are in both."
    twins = replace(facts, quality=replace(facts.quality, duplicates=(twin,), warnings=(words, "Regulars is empty.")))
    assert words in groups.overlap(twins).blocks
    assert groups.segments(twins).blocks[-1] == "To mend: Regulars is empty."


def test_retention_speaks_of_the_same_cohorts_at_both_ends(facts: Facts) -> None:
    """Breaks when later ages, that only older cohorts reached, are compared with all cohorts' first month."""

    def cohort(month: int, rates: list[float]) -> list[dict[str, Any]]:
        return [
            {"cohort": date(2025, month, 1), "age": age, "month": date(2025, month + age, 1), "size": 1000,
             "active": round(1000 * rate), "rate": rate, "low": rate, "high": rate, "finished": True}
            for age, rate in enumerate(rates, start=1)
        ]  # fmt: skip

    # Three old cohorts keep 60 %; three young ones have 20 % in their first month and no second.
    rows = [r for m in (1, 2, 3) for r in cohort(m, [0.6, 0.6, 0.6])] + [r for m in (4, 5, 6) for r in cohort(m, [0.2])]
    section = standing.retention(replace(facts, cohorts=pa.Table.from_pylist(rows)))
    curve = next(b for b in section.blocks if isinstance(b, Figure) and b.id == "cohort-curves")
    assert curve.alt == "Retention stays about level: 60\xa0% after one month, 60\xa0% after 3, in the same 3 cohorts"


def test_data_quality_names_the_weakest_source_and_its_worst_columns(facts: Facts) -> None:
    """Breaks when a bad column hides behind a good mean."""
    measures = [
        Measure("orders", None, "score", 0.99, 500),
        Measure("people", None, "score", 0.71, 90),
        Measure("people", "age", "score", 0.5, 90),
        Measure("people", "age", "completeness", 0.4, 90, "warn"),
        Measure("people", "city", "score", 1.0, 90),
    ]
    waiting = [{"source": "orders", "code": "no-date", "rows": 3, "example": "The date can't be read."}]
    section = sources.data_quality(replace(facts, data=QualityReport(measures), quarantine=waiting))
    assert section.lead == "2 sources; the weakest is people with 71\xa0%. 3\xa0rows wait in quarantine."
    tables = {block.id: block.rows for block in section.blocks if isinstance(block, Table)}
    assert [row["column"] for row in tables["columns"]] == ["age"]
    assert [(row["source"], row["verdict"]) for row in tables["sources"]] == [
        ("orders", "good"),
        ("people", "look at it"),
    ]
    assert tables["quarantine"] == waiting
    assert "tax: included" in section.blocks[-1]


def test_every_kpi_has_its_definition_in_the_method(facts: Facts) -> None:
    """Breaks when a figure stands without saying what it means."""
    terms = dict(overview.method(facts))
    for row in facts.kpis.to_pylist():
        assert row["definition"] == terms[row["kpi"][0].upper() + row["kpi"][1:]]
