"""A load is one step: rows, computed traits, thresholds and published members come together, or none of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from shoal.errors import StoreError
from shoal.workspace import Workspace, open_workspace
from shoal.workspace.proposing import propose_workspace

EXPORTS = Path(__file__).parents[2] / "examples" / "corner-shop" / "exports"
STEPS = ["computing traits", "evaluating segments"]


def _state(shop: Workspace) -> dict[str, Any]:
    counted = {
        table: shop.store.rows(f"SELECT count(*) FROM {table}")[0][0]
        for table in ("loads", "customers", "traits", "thresholds", "membership_changes", "quality")
    }
    with_orders = shop.sql("SELECT count(orders) AS n FROM customers").to_pylist()
    status = shop.data.status()
    return counted | {"with orders": with_orders, "events": status["events"], "last": status["last_load"]}


def _stopping(at: str, error: BaseException) -> Any:
    def tell(step: str, done: int, total: int) -> None:
        if step == at:
            raise error

    return tell


def _new_customers(root: Path) -> None:
    file = root.parent / "exports" / "order_lines.csv"
    head, *rows = file.read_text().splitlines()
    fresh = [row.replace("C0", "N0").replace("O", "N", 1) for row in rows]
    file.write_text("\n".join([head, *rows, *fresh]) + "\n")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), StoreError("The disk is full.")])
def test_what_stops_a_load_late_leaves_all_as_it_was(root: Path, step: str, error: BaseException) -> None:
    """Breaks if new orders are kept without the traits and members that follow from them, and the message denies it."""
    with open_workspace(root) as shop:
        shop.segments.add("Many orders", "orders > 3")
        shop.segments.add("Best", "value in top 10%")
        before = _state(shop)
        _new_customers(root)
        with pytest.raises(type(error)):
            shop.load(progress=_stopping(step, error))
        assert _state(shop) == before
    with open_workspace(root) as shop:
        assert _state(shop) == before
        done = shop.load()
        assert done.report.customers > 0
        assert done.entered > 0, "the next load does all of it, and says so"
        assert _state(shop)["with orders"] != before["with orders"]


def test_a_first_load_that_stops_late_leaves_the_clock_unset(tmp_path: Path) -> None:
    """Breaks if a workspace without data stands at the end of data that it doesn't hold."""
    shutil.copytree(EXPORTS, tmp_path / "exports")
    propose_workspace(tmp_path / "shop", tmp_path / "exports")
    yaml = tmp_path / "shop" / "shoal.yaml"
    yaml.write_text(yaml.read_text().replace("clock: real", "clock: data-end"))
    with open_workspace(tmp_path / "shop") as shop:
        now = shop.clock
        with pytest.raises(KeyboardInterrupt):
            shop.load(progress=_stopping("evaluating segments", KeyboardInterrupt()))
        assert shop.clock == now
        assert shop.data.status()["last_load"] is None
        assert len(shop.customers) == 0
        assert shop.load().report.load == 1


def test_new_cut_points_and_the_members_by_them_come_together(shop: Workspace) -> None:
    """Breaks if a recalibration that can't publish leaves cut points that no published member was judged by."""
    before = shop.store.rows("SELECT kind, slug, max(version) FROM definitions GROUP BY ALL ORDER BY ALL")
    shop.store.execute("ALTER TABLE membership_changes RENAME TO elsewhere")
    with pytest.raises(StoreError):
        shop.data.recalibrate()
    after = shop.store.rows("SELECT kind, slug, max(version) FROM definitions GROUP BY ALL ORDER BY ALL")
    assert after == before
