"""Scores and ranks begin at some instant: what rests on them is unknown before it, and that is said, never 0."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from shoal.cli import main
from shoal.clock import DAY
from shoal.errors import DefinitionError
from shoal.workspace import Workspace, open_workspace

SPENDERS = 'sum(revenue of "Order Completed") in top 20%'
LONG_AGO = "2024-12-31"


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.mark.parametrize(
    ("where", "size"),
    [(SPENDERS, 36), (f"not {SPENDERS}", 144), ('sum(revenue of "Order Completed") between percentile 0 and 100', 180)],
)
def test_a_rank_is_tried_out_before_it_is_saved(shop: Workspace, where: str, size: int) -> None:
    """Breaks when a preview of a rank says 0 since its threshold isn't recorded yet, or when trying records one."""
    assert shop.segments.preview(where).size == size
    assert shop.store.rows("SELECT count(*) FROM thresholds") == [(0,)]
    shop.segments.add("Best", where)
    assert shop.segments.evaluate(["best"]).sizes() == {"best": size}


def test_a_rank_is_tried_out_at_a_past_day(shop: Workspace) -> None:
    """A fifth of those who existed then, by what they had then."""
    found = shop.segments.preview(SPENDERS, as_of="2024-06-01")
    assert found.size == pytest.approx(found.base / 5, abs=1)


def test_a_rank_in_a_file_written_by_hand_needs_no_load(root: Path) -> None:
    """Breaks when a definition gets its thresholds only where it came in through ``segment add``."""
    (root / "segments" / "best.yaml").write_text(f"name: Best\nwhere: |\n  {SPENDERS}\n", encoding="utf-8")
    with open_workspace(root) as shop:
        sizes = {row["slug"]: row["size"] for row in shop.segments.table().to_pylist()}
    assert sizes["best"] == 36


@pytest.fixture
def scored(shop: Workspace) -> Workspace:
    """The shop with a segment on a score, one on a rank, and one that is a member of the first."""
    shop.segments.add("Champions", 'rfm_segment = "Champions"')
    shop.segments.add("Best", SPENDERS)
    shop.segments.add("Others", 'not member of "champions"')
    return shop


SCORED = {"champions", "best", "others"}


def test_the_table_says_nothing_of_the_time_before_scores(scored: Workspace) -> None:
    """Breaks when an unscored past day reads as an empty segment, or the first score as growth."""
    rows = {row["slug"]: row for row in scored.segments.table(as_of=LONG_AGO).to_pylist()}
    assert {slug for slug, row in rows.items() if row["size"] is None} == SCORED
    assert {slug for slug, row in rows.items() if row["unscored_before"]} == SCORED
    assert rows["lapsed-vips"]["size"] > 0
    first = scored.segments.unscored(as_of=LONG_AGO)["champions"]
    day = {row["slug"]: row for row in scored.segments.table(as_of=first + DAY).to_pylist()}
    assert day["champions"]["size"] > 0
    assert day["champions"]["change"] is None, "nobody knows how many there were 30 days before"
    assert day["lapsed-vips"]["change"] is not None
    later = {row["slug"]: row for row in scored.segments.table().to_pylist()}
    assert all(row["change"] is not None and row["unscored_before"] is None for row in later.values())


def test_a_segment_whose_rank_nobody_has_is_empty_and_not_unknown(shop: Workspace) -> None:
    """Nobody has a value, so nobody is in the top: 0 is the truth."""
    shop.segments.add("Nobody", 'avg(nps of "Survey Answered" where nps > 99) in top 10%')
    assert shop.segments.unscored() == {}
    assert [row["size"] for row in shop.segments.table().to_pylist() if row["slug"] == "nobody"] == [0]


def test_members_and_why_refuse_to_answer_for_that_time(scored: Workspace) -> None:
    """Breaks when an empty file or a "no" is handed out where nobody can know."""
    since = scored.segments.unscored(as_of=LONG_AGO)
    for ask in (
        lambda: scored.segments.members("Champions", as_of=LONG_AGO),
        lambda: scored.segments.why("C0012", "Champions", as_of=LONG_AGO),
    ):
        with pytest.raises(DefinitionError, match=r"weren't worked out before 2025-0.-.. ..:.. UTC.*later\."):
            ask()
    # What the message names can be asked for.
    scored.segments.why("C0012", "Champions", as_of=since["champions"])
    assert {m.segment for m in scored.customers.memberships("C0012", as_of=LONG_AGO)} <= {"lapsed-vips"}


def test_the_card_leaves_out_what_it_can_t_judge(scored: Workspace) -> None:
    """Breaks when "Champions is empty" is among what should be mended."""
    card = scored.segments.quality(as_of=LONG_AGO)
    assert set(card.names) == {"lapsed-vips"}
    assert set(card.unscored) == SCORED
    assert not any("Champions" in warning for warning in card.warnings)


def test_commands_say_from_when_on_there_are_scores(
    scored: Workspace, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scored.close()
    code, out, _ = run(capsys, "-w", str(root), "segments", "--as-of", LONG_AGO)
    assert code == 0
    assert re.search(r"^Champions +champions +–", out, re.MULTILINE)
    assert re.search(r"^– .*Champions.*: not scored before 2025-04-01 ..:.. UTC\.$", out, re.MULTILINE)
    (row,) = [
        row
        for row in json.loads(run(capsys, "-w", str(root), "segments", "--as-of", LONG_AGO, "--json")[1])["segments"]
        if row["slug"] == "champions"
    ]
    assert (row["size"], row["unscored_before"][:7]) == (None, "2025-04")
    code, _, err = run(capsys, "-w", str(root), "members", "Champions", "--as-of", LONG_AGO)
    assert (code, "weren't worked out before" in err) == (2, True)
    assert "not scored before" in run(capsys, "-w", str(root), "customer", "C0012", "--as-of", LONG_AGO)[1]


def test_a_day_to_come_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when figures of 2030 look like knowledge."""
    for words in (["segments"], ["segment", "test", 'did "Signed Up"'], ["why", "C0012", "Lapsed VIPs"]):
        code, _, err = run(capsys, "-w", str(root), *words, "--as-of", "2030-01-01")
        assert code == 0
        assert "2030-01-01 00:00 UTC is after now, 2025-06-30" in err
        assert "is after now" not in run(capsys, "-w", str(root), *words, "--as-of", "2025-06-01")[2]


def test_the_report_of_such_a_day_doesn_t_contradict_itself(scored: Workspace) -> None:
    """Breaks when the table calls Champions empty beside an RFM grid that has some."""
    facts = scored.reports.facts(as_of=LONG_AGO)
    html = scored.reports.html(as_of=LONG_AGO)
    assert {row["slug"] for row in facts.segments.to_pylist() if row["size"] is None} == SCORED
    assert "Champions is empty" not in html
    assert "not scored before 1\u00a0April\u00a02025" in html
    assert "No segment had scores on this date yet" in html
    assert {"champions", "best", "others"}.isdisjoint(facts.quality.reach)
    assert sum(row["customers"] for row in facts.rfm.to_pylist() if row["name"] == "Champions") > 0


def test_the_report_of_a_day_to_come_holds_to_the_scores_there_are(scored: Workspace) -> None:
    """Breaks when the grid is worked out for 2030 while segments have the groups of the last load."""
    facts: Any = scored.reports.facts(as_of="2030-01-01")
    in_grid = sum(row["customers"] for row in facts.rfm.to_pylist() if row["name"] == "Champions")
    (in_segment,) = [row["size"] for row in facts.segments.to_pylist() if row["slug"] == "champions"]
    assert in_grid == in_segment > 0
    assert "The data ends on 30\u00a0June\u00a02025" in scored.reports.html(as_of="2030-01-01")
    assert "The data ends on" not in scored.reports.html()
