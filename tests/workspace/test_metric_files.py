"""Metric files of a workspace: tried on their cases, and their versions over time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shoal.cli import main
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
