"""The report's section on costs and attribution: there where something was spent, with the figures of ``ws.costs``."""

from __future__ import annotations

from pathlib import Path

import shoal
from costs.test_costs import VECTOR, vector
from shoal.views.report import Figure
from shoal.views.report.compose import compose
from shoal.views.report.page import Hint, Section, Table, render


def section(ws: shoal.Workspace) -> Section | None:
    page = compose(ws.reports.facts())
    return next((one for one in page.sections if one.id == "costs"), None)


def test_the_section_shows_the_figures_and_both_pictures(lamps: shoal.Workspace) -> None:
    """Breaks when the table has other figures than ``ws.costs``, a picture can't be drawn, or a definition is lost."""
    page = compose(lamps.reports.facts())
    made = next(one for one in page.sections if one.id == "costs")
    (table,) = (block for block in made.blocks if isinstance(block, Table))
    found = lamps.costs(by="channel").found
    (search,) = found.find("roas", "Search")
    row = next(row for row in table.rows if row["name"] == "Search")
    assert row["roas"].sort == search.value
    assert row["roas-note"] == f"{search.low:.2f} to {search.high:.2f}; n {search.n}"
    assert [row["name"] for row in table.rows] == ["All", "Search", "Social", "TV", "Affiliate"]
    figures = [block for block in made.blocks if isinstance(block, Figure)]
    assert [one.id for one in figures] == ["attribution-conversions", "attribution-roas"]
    assert figures[0].alt == "All models credit search with the most"
    assert "not what the spend brought about" in made.lead
    text = render(page)
    assert "Return on ad spend (ROAS)" in text
    assert "an experiment with a holdout does" in text
    assert {"attribution-conversions", "attribution-roas"} <= set(lamps.reports.names())


def test_what_is_missing_is_said_in_its_place(tmp_path: Path) -> None:
    """Breaks when spend without touches, or touches without spend, takes the report down or leaves it out."""
    settings = VECTOR.replace("attribution: {touches: {Ad Clicked: channel}}\n", "")
    with shoal.open(vector(tmp_path, settings)) as ws:
        ws.load()
        made = section(ws)
    assert made is not None
    hints = [block.text for block in made.blocks if isinstance(block, Hint)]
    assert any("attribution: {touches:" in hint for hint in hints)
    other = tmp_path / "other"
    other.mkdir()
    with shoal.open(vector(other, VECTOR[: VECTOR.index("  ads:")])) as ws:
        ws.load()
        made = section(ws)
    assert made is not None
    assert any("spend: {day: date" in block.text for block in made.blocks if isinstance(block, Hint))
    assert [block.id for block in made.blocks if isinstance(block, Figure)] == ["attribution-conversions"]


def test_without_spend_and_touches_there_is_no_such_section(tmp_path: Path) -> None:
    """Breaks when a shop that doesn't advertise gets an empty section."""
    plain = VECTOR[: VECTOR.index("  ads:")].replace("attribution: {touches: {Ad Clicked: channel}}\n", "")
    with shoal.open(vector(tmp_path, plain)) as ws:
        ws.load()
        assert section(ws) is None
