"""The section of funnels: which period it is of, what it says of those who still have time, and what can't be told."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import shoal
from shoal.views.report import Figure, Hint, Table
from shoal.views.report.compose import compose
from shoal.views.report.page import Section, render

FUNNELS: dict[str, Any] = {
    "First order": {
        "steps": ["Page Viewed", "Product Viewed", "Order Completed"], "within": "20 days", "by": 'via of "Page Viewed"',
    },
    "gone": {"steps": ["Page Viewed", "Order Complete"]},
}  # fmt: skip


def shop(root: Path, days: int, each: int = 4) -> Path:
    """A shop in which some come each day from 1 January 2024 on; every second by mail, of whom more buy three days later."""
    with (root / "events.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("customer", "at", "event", "via", "revenue"))
        for n in range(days * each):
            who, via = f"c{n}", "mail" if n % 2 else "ad"
            then = datetime(2024, 1, 1, 9) + timedelta(days=n // each, minutes=n % each)
            out.writerow((who, then, "Page Viewed", via, ""))
            if n % 4:
                out.writerow((who, then + timedelta(minutes=5), "Product Viewed", via, ""))
            if n % 2 and then + timedelta(days=3) < datetime(2024, 1, 1) + timedelta(days=days):
                out.writerow((who, then + timedelta(days=3), "Order Completed", via, 20))
    kinds = ("Page Viewed", "Product Viewed", "Order Completed")
    events = [
        {"event": kind, "when": f"event = '{kind}'", "customer": "customer", "at": "at",
         "properties": {"via": "via", "revenue": "revenue"}}
        for kind in kinds
    ]  # fmt: skip
    settings = {
        "shoal": 1, "name": "Funnels", "timezone": "UTC", "currency": "EUR", "clock": "data-end",
        "purposes": {"analysis": "none"}, "default_purpose": "analysis", "funnels": FUNNELS,
        "sources": {"events": {"from": "events.csv", "events": events}},
    }  # fmt: skip
    (root / "shoal.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    with shoal.open(root) as opened:
        opened.load()
    return root


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of 130 days: until 9 May."""
    return shop(tmp_path_factory.mktemp("old"), 130)


def said(section: Section) -> str:
    return " ".join(block for block in section.blocks if isinstance(block, str))


def made(root: Path, as_of: str | None = None) -> Section:
    with shoal.open(root) as opened:
        page = compose(opened.reports.facts(as_of=as_of))
    assert "Funnels" in render(page)
    return next(one for one in page.sections if one.id == "funnels")


def test_the_newest_whole_month_is_told_as_the_command_tells_it(old: Path) -> None:
    """Breaks when the period isn't the one that is named, or report and command tell other figures."""
    section = made(old)
    with shoal.open(old) as opened:
        told = opened.journeys.funnel("First order", start="2024-04-01", end="2024-04-30")
        assert [name for name in opened.reports.names() if name.startswith("funnel")] == [
            "funnel-first-order", "funnel-first-order-groups",
        ]  # fmt: skip
    assert "In April\xa02024, the newest month that is over, 120\xa0customers entered; 50\xa0%" in said(section)
    steps, groups, instead = (block for block in section.blocks if isinstance(block, Table))
    assert [row["customers"] for row in steps.rows] == [step.customers for step in told.found.steps] == [120, 90, 60]
    assert [row["overall"].sort for row in steps.rows] == [1.0, 0.75, 0.5]
    assert steps.rows[2]["conversion"].sort == pytest.approx(2 / 3)
    assert str(steps.rows[1]["time"]) == "5 min"
    assert {row["group"]: row["s3"].sort for row in groups.rows} == {"ad": 0.0, "mail": 1.0}
    assert {row["after"] for row in instead.rows} == {"Page Viewed", "Product Viewed"}
    everyone, apart = (block for block in section.blocks if isinstance(block, Figure))
    assert [row["customers"] for row in everyone.rows] == [120, 90, 60]
    assert {row["group"] for row in apart.rows} == {"ad", "mail"}


def test_who_still_has_time_is_said(old: Path) -> None:
    """Breaks when April is told as the end of it while those of its last days may still buy, or May's data is used before."""
    # On 9 May those who came from 20 April on still have some of their 20 days.
    assert "still have time for the next step, so more may come through" in said(made(old))
    early = said(made(old, "2024-04-15"))
    assert "In March\xa02024" in early
    assert "So far unfinished: " in early
    # On 25 April all who came in March have had their 20 days.
    assert "So far unfinished" not in said(made(old, "2024-04-25"))


def test_a_young_shop_is_told_over_the_last_days(tmp_path: Path) -> None:
    """Breaks when a single day or week stands for a funnel, or the figures of a running day pass for its end."""
    text = said(made(shop(tmp_path, 40)))
    assert "to 9\xa0February\xa02024, the last 90\xa0days, 160\xa0customers entered" in text
    assert "today isn't over, so figures will still change" in text


def test_an_unknown_event_is_said_in_its_place(old: Path) -> None:
    """Breaks when one wrong name in shoal.yaml takes the report down, or is passed over."""
    (hint,) = (block for block in made(old).blocks if isinstance(block, Hint))
    assert 'Did you mean "Order Completed"?' in hint.text
