"""Parquet, JSON, Excel and SQLite: types, nesting, sheets, lines, and what isn't whole."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from opening import opened, rows, table

from shoal.errors import SourceError
from shoal.sources import jsonfile, sqlite


def test_parquet_keeps_types_and_can_be_scanned(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": [1, 2], "at": [datetime(2020, 1, 1), None]}), path)
    reading = opened(path)
    assert reading.scan == str(path)
    assert reading.rows == 2
    assert table(reading).to_pylist()[1] == {"id": 2, "at": None, "_line": 2}


def test_a_cut_off_parquet_is_an_error(tmp_path, write):
    pq.write_table(pa.table({"id": list(range(1000))}), tmp_path / "whole.parquet")
    path = write("a.parquet", (tmp_path / "whole.parquet").read_bytes()[:-20])
    with pytest.raises(SourceError, match="not a whole Parquet file"):
        opened(path)


def test_json_array_with_nesting(write):
    data = [
        {"id": 1, "customer": {"name": "Ann", "address": {"city": "Rome"}}, "tags": ["a", "b"], "total": 9},
        {"id": 2, "lines": [{"sku": "x", "qty": 1, "price": {"amount": 2.5}}, {"sku": "y", "qty": 2}], "total": 1.5},
        {"id": 3, "total": None, "tags": [], "lines": []},
    ]
    got = rows(write("a.json", json.dumps(data, indent=1)))
    assert got[0] == {
        "id": 1, "customer.name": "Ann", "customer.address.city": "Rome", "tags": ["a", "b"], "total": 9.0,
        "lines": None, "_line": 1,
    }  # fmt: skip
    assert got[1]["lines"] == [
        {"sku": "x", "qty": 1, "price.amount": 2.5},
        {"sku": "y", "qty": 2, "price.amount": None},
    ]
    assert got[2] == dict.fromkeys(got[0], None) | {"id": 3, "tags": [], "lines": [], "_line": 3}


def test_json_lines_know_their_line_and_put_bad_ones_aside(write):
    path = write("a.jsonl", '{"a": 1}\n\n{"a": \n[1]\n{"a": 2, "b": "x\\u0000"}\n{"a": 3}\n')
    reading = opened(path)
    assert table(reading).column("_line").to_pylist() == [1, 6]
    assert [(r.line, r.code) for r in reading.rejects] == [(3, "json"), (4, "json"), (5, "nul")]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}\n{"a": 2}\n',
        '[{"a": 1},\n {"a": 2}]',
        '{"data": [{"a": 1}, {"a": 2}], "next": null}',
        '{"data": [\n{"a": 1},\n{"a": 2}]}\n',
    ],
)
def test_every_way_to_write_rows_in_json(write, text):
    assert [r["a"] for r in rows(write("a.json", text))] == [1, 2]


def test_mixed_kinds_become_text_and_nothing_is_lost(write):
    got = rows(write("a.json", '[{"a": 1, "b": true}, {"a": "x", "b": null}, {"a": {"k": 1}}, {"a": [1, "y"]}]'))
    assert [r["a"] for r in got] == ["1", "x", None, '[1, "y"]']
    assert [r.get("a.k") for r in got] == [None, None, 1, None]
    assert got[0]["b"] is True


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_json_is_read_in_pieces_of_any_size(write, monkeypatch, size):
    # Would break if a number, a text or a character were cut where a piece ends.
    monkeypatch.setattr(jsonfile, "_READ", size)
    data = [{"n": 123456 + i, "text": "€ü" * 9, "x": [{"k": -1.5e3}]} for i in range(30)]
    path = write("a.json", json.dumps(data, ensure_ascii=False))
    assert [(r["n"], r["text"]) for r in rows(path)] == [(d["n"], d["text"]) for d in data]


def test_a_cut_off_array_is_an_error_with_its_line(write):
    with pytest.raises(SourceError) as caught:
        opened(write("a.json", '[{"a": 1},\n{"a": 2},\n{"a":'))
    assert caught.value.place == "a.json:3"


def test_a_fault_in_the_middle_of_an_array_is_found_at_once(write):
    text = '[{"a": 1},\n{"a": oops},\n' + '{"a": 2},\n' * 100_000 + "{}]"
    with pytest.raises(SourceError) as caught:
        opened(write("a.json", text))
    assert caught.value.place == "a.json:2"


def test_a_long_value_in_json_is_a_rejected_row(write):
    reading = opened(write("a.jsonl", json.dumps({"a": "x" * 2_000_000}) + '\n{"a": "y"}\n'))
    assert table(reading).num_rows == 1
    assert reading.rejects[0].code == "cell-too-long"


def workbook(path: Path, sheets: dict[str, list[list[str]]]) -> Path:
    """Write a minimal .xlsx from the XML of its cells."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    listed = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(sheets, 1))
    links = "".join(
        f'<Relationship Id="r{i}" Type="{office}/worksheet" Target="worksheets/s{i}.xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    formats = "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 22))
    styles = f'<styleSheet xmlns="{main}"><cellXfs>{formats}</cellXfs></styleSheet>'
    links += f'<Relationship Id="st" Type="{office}/styles" Target="styles.xml"/>'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"/>')
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument"'
            ' Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>'
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{links}</Relationships>'
        )
        archive.writestr("xl/styles.xml", styles)
        for i, table_ in enumerate(sheets.values(), 1):
            body = "".join(f'<row r="{r}">{"".join(cells)}</row>' for r, cells in enumerate(table_, 1) if cells)
            archive.writestr(
                f"xl/worksheets/s{i}.xml", f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
            )
    return path


def text_cell(at: str, text: str) -> str:
    return f'<c r="{at}" t="inlineStr"><is><t>{text}</t></is></c>'


def number_cell(at: str, value: float, style: int = 0) -> str:
    return f'<c r="{at}" s="{style}"><v>{value}</v></c>'


SALES = [
    [text_cell("B1", "Sales of March")],
    [],
    [text_cell("B3", "Order"), text_cell("C3", "Amount"), text_cell("D3", "Day"), text_cell("E3", "Code")],
    [number_cell("B4", 1), number_cell("C4", 2.5), number_cell("D4", 43831, 1), number_cell("E4", 7)],
    [number_cell("B5", 2), number_cell("C5", 3), number_cell("D5", 43832, 1), text_cell("E5", "A1")],
]


def test_a_sheet_with_preamble_types_and_its_own_row_numbers(tmp_path):
    reading = opened(workbook(tmp_path / "a.xlsx", {"March": SALES}))
    assert reading.format.sheet == "March"
    got = table(reading).to_pylist()
    assert got[0]["Order"] == 1
    assert got[0]["Amount"] == 2.5
    assert got[0]["Day"] in (date(2020, 1, 1), datetime(2020, 1, 1))
    assert [r["Code"] for r in got] == ["7", "A1"]
    assert [r["_line"] for r in got] == [4, 5]
    assert len(reading.columns) == 4


def test_a_workbook_of_several_sheets_asks_which(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"March": SALES, "April": SALES, "Empty": []})
    with pytest.raises(
        SourceError, match=r"has 2 sheets\. Say which one in the format, as sheet: NAME\. It holds: March, April"
    ):
        opened(path)
    assert table(opened(path, sheet="April")).num_rows == 2
    with pytest.raises(SourceError, match=r"no sheet 'Marsh'\. Did you mean \"March\""):
        opened(path, sheet="Marsh")


def test_a_workbook_that_is_named_csv_is_still_a_workbook(tmp_path):
    assert opened(workbook(tmp_path / "a.csv", {"March": SALES})).file.type == "excel"


def test_a_broken_workbook_is_an_error(write):
    with pytest.raises(SourceError, match="workbook can't be read"):
        opened(write("a.xlsx", b"PK\x03\x04[Content_Types].xml broken"))


@pytest.fixture
def database(tmp_path) -> Path:
    path = tmp_path / "a #1.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        CREATE TABLE orders (id INTEGER, amount NUMERIC, note TEXT, mixed);
        INSERT INTO orders VALUES (1, 2.5, 'a', 1), (2, 3, NULL, 'x'), (3, NULL, '', 1.5);
        CREATE TABLE "my table" ("a b" TEXT);
        """
    )
    connection.close()
    return path


def test_sqlite_types_come_from_all_values(database):
    got = rows(database, table="orders")
    assert got[0] == {"id": 1, "amount": 2.5, "note": "a", "mixed": "1", "_line": 1}
    assert [r["mixed"] for r in got] == ["1", "x", "1.5"]
    assert got[2]["note"] == ""


def test_sqlite_queries_and_names(database):
    assert rows(database, query="SELECT sum(amount) AS total FROM orders;")[0]["total"] == 5.5
    assert opened(database, table="MY TABLE").columns[0].name == "a b"
    with pytest.raises(SourceError, match='Did you mean "orders"'):
        opened(database, table="order")
    with pytest.raises(SourceError, match="holds 2 tables"):
        opened(database)
    with pytest.raises(SourceError, match="named 'id'"):
        opened(database, query="SELECT id, id FROM orders")
    assert sqlite.tables(opened(database, table="orders").file) == ["my table", "orders"]


def test_sqlite_is_read_only(database):
    before = database.read_bytes()
    with pytest.raises(SourceError):
        opened(database, query="DELETE FROM orders RETURNING id")
    assert database.read_bytes() == before


def test_what_is_no_database_is_an_error(write):
    with pytest.raises(SourceError, match="database can't be read"):
        opened(write("a.sqlite", b"SQLite format 3\x00" + b"junk" * 100), table="x")
