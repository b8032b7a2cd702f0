"""Many mappings of one source, judged in one pass, must say what each of them says alone.

Breaks when a bit is taken for another's, a fault sends the wrong mapping's row aside, or a cell is lost on the way.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Shop

KINDS = [f"k{i}" for i in range(14)]
ROWS = 400
PLAIN: list[dict[str, Any]] = [
    {"event": f"Kind {kind}", "when": f"kind = '{kind}'", "customer": "who", "at": "day", "properties": {"n": "amount"}}
    for kind in KINDS
]
OTHERS: list[dict[str, Any]] = [
    {"event": "All", "customer": "who", "at": "day", "properties": {"kind": "kind", "city": "city"}},
    {"event": "Later", "when": "amount > 3", "customer": "who", "at": "shipped", "properties": {"twice": "twice"}},
    {"event": "Whole", "when": "CAST(amount AS INTEGER) = amount", "customer": "who", "at": "day"},
    {"event": "Named", "when": "kind IN ('k1', 'k2')", "customer": "who", "at": "day", "id": "no"},
    {
        "event": "Order", "when": "kind >= 'k5'", "customer": "who", "at": "day", "group": "basket",
        "properties": {"total": {"sum": "twice"}, "first": "kind"}, "items": {"products": {"kind": "kind", "n": "amount"}},
    },
    {"event": "By Code", "customer": "code", "at": "day", "when": "code IS NOT NULL", "properties": {"flag": "flag"}},
]  # fmt: skip


def _rows() -> dict[str, list[Any]]:
    """Rows with faults of every sort, some of which concern only some mappings."""
    draw = random.Random(7)
    rows: dict[str, list[Any]] = {"no": [], "who": [], "kind": [], "day": [], "shipped": [], "amount": []}
    for i in range(ROWS):
        basket = i // 3
        rows["no"].append(None if draw.random() < 0.3 else f"n{i}")
        rows["who"].append(None if draw.random() < 0.03 else f"c{basket % 40}")
        rows["kind"].append(draw.choice([*KINDS, None]))
        rows["day"].append("1733-01-01" if draw.random() < 0.02 else f"2017-{i % 12 + 1:02}-{i % 27 + 1:02}")
        rows["shipped"].append(None if draw.random() < 0.1 else f"2017-{i % 12 + 1:02}-28 10:00:00")
        rows["amount"].append(2e12 if draw.random() < 0.03 else draw.choice([None, 1.0, 2.5, 3.25, 4.0, 0.1, 1 / 3]))
    rows["basket"] = [f"b{i // 3}" if draw.random() > 0.03 else None for i in range(ROWS)]
    rows["code"] = [draw.choice([None, 17, 18, 900_719_925_474]) for _ in range(ROWS)]
    rows["flag"] = [draw.choice(["yes", "no", "perhaps", None]) for _ in range(ROWS)]
    return rows


def _write(folder: Path, form: str) -> None:
    rows = _rows()
    table = pa.table(rows)
    if form == "parquet":
        days = [[None if v is None else v[:19] for v in rows[c]] for c in ("day", "shipped")]
        for name, values in zip(("day", "shipped"), days, strict=True):
            stamped = pa.array(
                [None if v is None else v.ljust(19, "0") if len(v) > 10 else f"{v} 00:00:00" for v in values]
            )
            table = table.set_column(table.column_names.index(name), name, stamped.cast(pa.timestamp("us")))
        parquet.write_table(table, folder / "rows.parquet", row_group_size=64)
    else:
        cells = [["" if v is None else str(v) for v in row] for row in zip(*rows.values(), strict=True)]
        lines = "\n".join(",".join(row) for row in [list(rows), *cells])
        (folder / "rows.csv").write_text(lines + "\n")
    (folder / "cities.csv").write_text("who,city\n" + "".join(f"c{i},{'ab'[i % 2]}\n" for i in range(35)))


def _load(shop: Shop, form: str, maps: list[dict[str, Any]]) -> tuple[dict[str, Any], set[Any], Any]:
    """What became of the rows: the events of each mapping, the rows put aside, and the quality in time."""
    mapping = {
        "cities": {"from": "cities.csv", "reference": True},
        "rows": {
            "from": f"rows.{form}",
            "types": {"basket": "text"},
            "derive": {"twice": "amount * 2"},
            "lookup": [{"from": "cities", "on": "who", "take": ["city"]}],
            "events": maps,
        },
    }
    report = shop.load(yaml.safe_dump(mapping))
    assert shop.leftovers() == []
    found = {m["event"]: shop.events(m["event"]) for m in maps}
    return found, set(shop.quarantine()), report.sources["rows"].events


@pytest.mark.parametrize(("form", "zone"), [("csv", "UTC"), ("parquet", "Europe/Berlin")])
def test_together_each_mapping_makes_the_events_that_it_makes_alone(
    form: str, zone: str, tmp_path: Path, new_shop: Callable[[str], Shop]
) -> None:
    """Twenty mappings, more than a word of bits holds, with other times, customers, ids, groups and looked-up values."""
    _write(tmp_path, form)
    maps = [*PLAIN, *OTHERS]
    together, aside, counts = _load(new_shop(zone), form, maps)
    alone: dict[str, Any] = {}
    put_aside: set[Any] = set()
    for at in range(0, len(maps), 2):  # two are judged one by one
        found, faulty, _ = _load(new_shop(zone), form, maps[at : at + 2])
        alone |= found
        put_aside |= faulty
    assert together == alone
    assert aside == put_aside
    assert counts == {name: len(found) for name, found in alone.items() if found}
    assert {code for _, _, code in aside} >= {"no-customer", "impossible-date", "out-of-range", "no-id", "no-group"}
    assert min(len(alone[name]) for name in ("All", "Later", "Whole", "Named", "Order", "By Code")) > 20


def test_an_expression_that_fails_on_some_rows_takes_the_others(shop: Shop) -> None:
    """Breaks if one cell that doesn't convert stops the load, or takes its row into an event."""
    shop.write("rows.csv", "who,day,size\nann,2017-01-01,10\nbob,2017-01-02,XL\ncid,2017-01-03,30\n")
    maps = "".join(
        f"    - {{event: E{i}, when: 'CAST(size AS INTEGER) > {i}', customer: who, at: day}}\n" for i in (5, 15, 40)
    )
    report = shop.load(f"rows:\n  from: rows.csv\n  types: {{size: text}}\n  events:\n{maps}")
    assert [[e["customer"] for e in shop.events(f"E{i}")] for i in (5, 15, 40)] == [["ann", "cid"], ["cid"], []]
    assert report.sources["rows"].events == {"E5": 2, "E15": 1, "E40": 0}
    assert shop.quarantine() == []


def test_what_parquet_files_say_of_themselves_spares_no_faulty_row(shop: Shop) -> None:
    """Breaks if the first file's minimum and count of missing cells are taken for those of all files."""
    columns = "id BIGINT, day TIMESTAMP, amount DOUBLE, size BIGINT"
    good = "(1, TIMESTAMP '2017-01-01', 1.5, 4), (2, TIMESTAMP '2017-01-02', 2.5, 5)"
    bad = (
        "(NULL, TIMESTAMP '2017-01-01', 1.5, 4), (3, TIMESTAMP '1717-01-01', 1, 4), (4, NULL, 1, 4), "
        "(5, TIMESTAMP '2017-01-03', 1e13, 4), (6, TIMESTAMP '2017-01-03', 1, 9000000000000), "
        "(7, TIMESTAMP '2017-01-04', 'nan', 4)"
    )
    for file, rows in (("a", good), ("b", bad)):
        shop.store.execute(f"CREATE OR REPLACE TEMP TABLE made ({columns}); INSERT INTO made VALUES {rows}")
        shop.store.execute(f"COPY made TO '{shop.root}/{file}.parquet'")
    shop.store.execute("DROP TABLE made")
    maps = "".join(
        f"    - {{event: E{i}, customer: id, at: day, properties: {{amount: amount, size: size}}}}\n" for i in range(3)
    )
    shop.load(f"rows:\n  from: '*.parquet'\n  events:\n{maps}")
    for i in range(3):
        assert [(e["customer"], e["amount"], e["size"]) for e in shop.events(f"E{i}")] == [
            ("1", Decimal("1.5"), 4), ("2", Decimal("2.5"), 5), ("7", None, 4),
        ]  # fmt: skip
    assert shop.quarantine() == [
        ("b.parquet", 1, "no-customer"), ("b.parquet", 2, "impossible-date"), ("b.parquet", 3, "no-time"),
        ("b.parquet", 4, "out-of-range"), ("b.parquet", 5, "out-of-range"),
    ]  # fmt: skip
