"""As known at: what an answer would have been then, before late and corrected data came and definitions were changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shoal.cli import main
from shoal.customers.writer import write_records
from shoal.shapes import Merge
from shoal.workspace import Workspace, open_workspace

WHERE = 'sum(revenue of "Order Completed") > 800'


def _answers(shop: Workspace, **past: Any) -> dict[str, Any]:
    why = shop.segments.why("C0012", "lapsed-vips", **past)
    preview = shop.segments.preview(WHERE, **past)
    follows = shop.segments.preview('member of "lapsed-vips" and orders > 2', **past)
    ranked = shop.segments.preview("value in top 10%", **past)
    return {
        "table": shop.segments.table(**past).to_pylist(),
        "members": shop.segments.members("lapsed-vips", traits=["orders", "country"], **past).to_pylist(),
        "reach": shop.segments.reach("lapsed-vips", **past).reach,
        "why": (why.truth, why.text, [part.values for part in why.parts]),
        "previews": [(p.size, p.base) for p in (preview, follows, ranked)],
    }


@pytest.fixture
def changed(root: Path) -> tuple[Path, int, dict[str, Any]]:
    """A workspace whose data and definition were changed since; the instant before, and the answers of then."""
    with open_workspace(root) as shop:
        then = shop.now()
        before = _answers(shop, as_of=then)
    file = root.parent / "exports" / "order_lines.csv"
    head, *rows = file.read_text().splitlines()
    more = [row.replace("C0", "N0").replace("O", "N", 1) for row in rows]
    file.write_text("\n".join([head, *[r.replace(",1,59.00,", ",9,59.00,") for r in rows], *more]) + "\n")
    with open_workspace(root) as shop:
        shop.load()
        shop.segments.edit("Lapsed VIPs", where="orders > 1")
    return root, then, before


def test_every_question_can_be_asked_as_known_at(changed: tuple[Path, int, dict[str, Any]]) -> None:
    """Breaks if a correction or a later definition shows in what is said to have been known before it."""
    root, then, before = changed
    with open_workspace(root) as shop:
        assert _answers(shop, known_at=then) == before
        assert _answers(shop, known_at=shop.now())["table"] == shop.segments.table().to_pylist()
        of_then = shop.segments.table(as_of=then).to_pylist()
        assert of_then != before["table"], "as of asks today's definitions of today's data"


def test_commands_take_as_known_at(
    changed: tuple[Path, int, dict[str, Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Breaks if only Python can ask."""
    root, then, before = changed

    def told(*args: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["-w", str(root), *args, "--as-known-at", str(_iso(then))])
        assert not ended.value.code, capsys.readouterr().err
        return capsys.readouterr().out

    found = json.loads(told("segments", "--json"))
    assert found["segments"][0]["size"] == before["table"][0]["size"]
    assert found["as_known_at"] == _iso(then)
    assert ", as known at " in told("segments")
    assert json.loads(told("segment", "test", WHERE, "--json"))["size"] == before["previews"][0][0]
    assert json.loads(told("why", "C0012", "lapsed-vips", "--json"))["text"] == before["why"][1]
    assert json.loads(told("members", "lapsed-vips", "--json"))["members"] == before["reach"].members
    told("members", "lapsed-vips", "-o", str(tmp_path / "out.csv"))
    assert len((tmp_path / "out.csv").read_text().splitlines()) == before["reach"].reachable + 1
    assert "not in" in told("why", "C0012", "lapsed-vips")


def test_before_anything_was_known_there_is_no_segment(changed: tuple[Path, int, dict[str, Any]]) -> None:
    root, *_ = changed
    with open_workspace(root) as shop:
        assert shop.segments.table(known_at="1980-01-01").num_rows == 0
        assert shop.segments.preview(WHERE, known_at="1980-01-01").base == 0


def test_who_was_merged_since_is_counted_apart_and_handed_out_as_one(root: Path) -> None:
    """Breaks if a refusal of today doesn't reach the id under which somebody was known."""
    with open_workspace(root) as shop:
        shop.segments.add("Everyone", "orders >= 1")
        then, now = shop.now(), shop.now() + 1
        ids = [row["customer_id"] for row in shop.segments.members("Everyone").to_pylist()]
        size = shop.segments.preview("orders >= 1").size
        buyers = shop.sql("SELECT customer FROM customers WHERE orders >= 1 ORDER BY 1").to_pylist()
        gone, refused = ids[0], next(row["customer"] for row in buyers if row["customer"] not in ids)
        write_records(shop.store, [Merge(refused, gone, now, "test")], zone="UTC", received=now)
        assert shop.segments.preview("orders >= 1", known_at=then).size == size
        handed = [row["customer_id"] for row in shop.segments.members("Everyone", known_at=then).to_pylist()]
        assert gone not in handed
        assert shop.segments.why(gone, "Everyone", known_at=then).truth


def _iso(instant: int) -> str:
    from shoal.clock import iso

    return iso(instant)
