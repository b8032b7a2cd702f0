"""Metric files of a workspace: tried on their cases, and their versions over time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shoal.cli import main
from shoal.errors import DefinitionError
from shoal.workspace import Workspace

LARGE = 'name: Large orders\nunit: count\nas: sum\nof: count("Order Completed" where revenue > 50)\n'
CASES = """tests:
  - name: Fifty isn't large
    events:
      - {customer: ann, event: Order Completed, at: 2025-01-05, revenue: 50}
      - {customer: bob, event: Order Completed, at: 2025-01-05, revenue: 51}
    period: 2025-01
    value: %s
"""


def write(root: Path, slug: str, text: str) -> None:
    (root / "metrics").mkdir(exist_ok=True)
    (root / "metrics" / f"{slug}.yaml").write_text(text, encoding="utf-8")


def run(root: Path, capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["--workspace", str(root), "kpi", *args])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_the_command_ends_with_1_where_a_case_fails(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when a pipeline that runs the tests of metrics goes on though one fails, or a file isn't accepted."""
    assert run(root, capsys, "test")[:2] == (0, "No metric has tests. Write them in its file, under tests:.\n")
    write(root, "large", LARGE + CASES % 1)
    code, out, _ = run(root, capsys, "test", "Large orders")
    assert (code, out) == (0, "holds  large: Fifty isn't large\n1 test: 1 hold, 0 fail.\n")
    write(root, "large", LARGE + CASES % 2)
    code, out, _ = run(root, capsys, "test")
    assert code == 1
    assert out == (
        "FAILS  large: Fifty isn't large\n       metrics/large.yaml:6: expected 2, found 1\n1 test: 0 hold, 1 fail.\n"
    )
    code, out, _ = run(root, capsys, "test", "--json")
    told: dict[str, Any] = json.loads(out)
    assert (code, told["failed"], told["tests"][0]["found"]) == (1, 1, {"value": 1.0, "n": 1})
    write(root, "large", LARGE + CASES % "soon")
    code, _, err = run(root, capsys, "test")
    assert code == 1
    assert "metrics/large.yaml:11" in err


def test_a_case_looks_at_none_of_the_data(shop: Workspace, root: Path) -> None:
    """Breaks when a case is answered from the workspace's customers, or leaves its own there."""
    write(root, "orders", "tests:\n  - {period: 2025-05, value: 0}\n" + CASES.removeprefix("tests:\n") % 2)
    before = shop.metrics.figures(["orders"]).found
    assert [one.holds for one in shop.metrics.test()] == [True, True]
    assert shop.metrics.figures(["orders"]).found.equals(before)
    assert before["value"].to_pylist()[0] > 0


def test_each_meaning_is_recorded_once(shop: Workspace, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when a change of what a metric means leaves no trace, or a new name, test or question passes for one."""
    store = shop.store
    assert shop.metrics.history("revenue") == []
    shop.metrics.figures(["revenue"])
    assert [one.changed for one in shop.metrics.history("revenue")] == [()]
    write(root, "large", LARGE)
    shop.metrics.figures(["large"])
    write(root, "large", LARGE.replace("Large orders", "Big") + CASES % 1)
    shop.metrics.figures(["large"])
    assert len(shop.metrics.history("Big")) == 1
    write(root, "large", LARGE.replace("> 50", "> 80") + 'among: country = "DE"\n')
    shop.metrics.figures(["large"])
    write(root, "large", LARGE)
    found = shop.metrics.history("large")
    assert [one.number for one in found] == [1, 2, 3]
    assert found[1].changed == (
        '\'of\' was count("Order Completed" where revenue > 50) and is count("Order Completed" where revenue > 80)',
        "'among' was nothing and is country = \"DE\"",
    )
    assert found[0].version == found[2].version == shop.metrics.find("large").version
    assert found[0].since <= found[1].since <= found[2].since <= shop.now()
    before = store.rows("SELECT count(*) FROM definitions")
    shop.metrics.figures(["large", "revenue"])
    assert store.rows("SELECT count(*) FROM definitions") == before
    (root / "metrics" / "large.yaml").unlink()
    assert len(shop.metrics.history("large")) == 3


def test_the_history_is_shown_in_words(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when nobody can see why a KPI jumped though the data didn't."""
    code, out, _ = run(root, capsys, "history", "revenue")
    assert (code, "first figure" in out) == (0, True)
    write(root, "large", LARGE)
    run(root, capsys, "show", "large", "--grain", "year")
    write(root, "large", LARGE.replace("as: sum", "as: mean"))
    code, out, _ = run(root, capsys, "history", "Large orders", "--json")
    versions = json.loads(out)["versions"]
    assert [one["changed"] for one in versions] == [[], ["'as' was sum and is mean"]]
    assert "'as' was sum and is mean" in run(root, capsys, "history", "large")[1]


def test_what_is_kept_is_what_would_be_worked_out(shop: Workspace, root: Path) -> None:
    """Breaks when a corrected file, or a longer one, leaves the figures of the month before as they were."""
    kept = root / ".shoal" / "figures.json"

    def asked() -> Any:
        return shop.metrics.figures(["revenue", "orders", "average-order-value"], segments=["lapsed-vips"]).found

    first = asked()
    assert kept.exists()
    assert asked().equals(first)
    orders = root.parent / "exports" / "order_lines.csv"
    lines = orders.read_text(encoding="utf-8").splitlines(keepends=True)
    for left in (lines[:-400], [*lines[:1], *lines[300:]]):
        orders.write_text("".join(left), encoding="utf-8")
        shop.load()
        again = asked()
        kept.unlink()
        assert again.equals(asked())
        assert not again.equals(first)
        first = again


def test_a_file_that_adds_to_a_metric_which_doesnt_stand_says_what_is_lacking(shop: Workspace, root: Path) -> None:
    """Breaks when who sets a target for a KPI of data that isn't loaded is told that the file has no name."""
    lacking = shop.metrics.catalogue().lacking
    assert "csat" in lacking
    write(root, "csat", "owner: support\n")
    with pytest.raises(DefinitionError, match="doesn't stand on this data") as said:
        shop.metrics.catalogue().find("csat")
    assert lacking["csat"] in said.value.problem
    assert said.value.place == "metrics/csat.yaml"
