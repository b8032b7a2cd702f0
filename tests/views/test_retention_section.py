"""The section of contracts: it is there where shoal.yaml says what a contract is, and says what the curves say."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml

import shoal
from shoal.views.report import Figure
from shoal.views.report.compose import compose
from shoal.views.report.page import Hint, Section, Table, render

PEOPLE = 600


def workspace(root: Path, contracts: dict[str, str] | None) -> Path:
    """600 customers with months, of whom those on the plan basic leave twice as readily."""
    random = np.random.default_rng(5)
    with (root / "people.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("id", "plan", "months", "gone"))
        for number in range(PEOPLE):
            plan = "basic" if number % 2 else "full"
            stays = random.geometric(random.beta(1.0, 6.0 if plan == "basic" else 14.0))
            seen = random.integers(1, 30)
            out.writerow((f"p{number}", plan, min(stays, seen), "yes" if stays <= seen else "no"))
    traits = {"customer": "id", "take": ["plan", "months", "gone"]}
    settings = {
        "shoal": 1, "name": "Contracts", "timezone": "UTC", "currency": "EUR", "purposes": {"analysis": "none"},
        "default_purpose": "analysis", "sources": {"people": {"from": "people.csv", "traits": [traits]}},
    } | ({"contracts": contracts} if contracts else {})  # fmt: skip
    (root / "shoal.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    with shoal.open(root) as opened:
        opened.load()
    return root


def section(root: Path) -> Section | None:
    with shoal.open(root) as opened:
        page = compose(opened.reports.facts())
    return next((one for one in page.sections if one.id == "contracts"), None)


def test_curves_groups_and_the_projection_are_shown(tmp_path: Path) -> None:
    """Breaks when the section's figures aren't those of ``ws.models.retention``, or a chart can't be drawn."""
    root = workspace(tmp_path, {"tenure": "months", "left": "gone", "by": "plan"})
    with shoal.open(root) as opened:
        found = opened.models.retention().found
        page = compose(opened.reports.facts())
        assert [name for name in opened.reports.names() if name.startswith("contracts")] == [
            "contracts", "contracts-groups",
        ]  # fmt: skip
    made = next(one for one in page.sections if one.id == "contracts")
    figures = [block for block in made.blocks if isinstance(block, Figure)]
    (table,) = (block for block in made.blocks if isinstance(block, Table))
    assert {row["name"]: row["customers"] for row in table.rows} == {"basic": 300, "full": 300}
    assert figures[0].rows == [row for row in found.rows() if row["group"] is None]
    assert "Groups differ beyond chance" in figures[1].note
    assert "full are still here" in figures[1].alt
    assert any(str(block).startswith("How far a projection can be trusted (sBG).") for block in made.blocks)
    text = render(page)
    assert "Retention of contracts" in text
    assert "contracts-by-group" in text


@pytest.mark.parametrize("rule", [{"tenure": "plan", "left": "gone"}, {"start": "Signed Up", "end": "Gone"}])
def test_what_can_not_be_read_is_said_in_its_place(tmp_path: Path, rule: dict[str, str]) -> None:
    """Breaks when one wrong name in shoal.yaml takes the whole report down."""
    made = section(workspace(tmp_path, rule))
    assert made is not None
    (hint,) = made.blocks
    assert isinstance(hint, Hint)
    assert "plan is text" in hint.text or "Signed Up" in hint.text


def test_without_contracts_there_is_no_such_section(tmp_path: Path) -> None:
    assert section(workspace(tmp_path, None)) is None
