"""Members in files: every format holds the same rows, formulas are defused, and nothing half written stays."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoal.destinations.files import write_table
from shoal.errors import ShoalError, Unsupported

TABLE = pa.table(
    {
        "customer_id": ["1", "=cmd|' /C calc'!A0", "+254 700", "-5", "@x", "\tx", "ok"],
        "spend": pa.array([Decimal("1.50"), None, Decimal("-3.000000"), *[None] * 4], pa.decimal128(38, 6)),
        "joined": pa.array([date(2017, 9, 1), *[None] * 6], pa.date32()),
        "seen": pa.array([datetime(2017, 9, 1, tzinfo=UTC), *[None] * 6], pa.timestamp("us", "UTC")),
        "vip": [True, False, None, None, None, None, None],
    }
)


def write(path: Path) -> int:
    return write_table(path, TABLE.schema, TABLE.to_batches(max_chunksize=3))


def test_csv_defuses_formulas_and_leaves_numbers_alone(tmp_path: Path) -> None:
    """Breaks when a spreadsheet would run a customer's name, or a negative number becomes text."""
    assert write(tmp_path / "a.csv") == 7
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    assert rows[0] == ["customer_id", "spend", "joined", "seen", "vip"]
    assert rows[1] == ["1", "1.5", "2017-09-01", "2017-09-01T00:00:00Z", "yes"]
    assert [row[0] for row in rows[2:]] == ["'=cmd|' /C calc'!A0", "'+254 700", "'-5", "'@x", "'\tx", "ok"]
    assert rows[3][1] == "-3"


def test_parquet_and_json_lines_hold_the_same_rows(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet")
    write(tmp_path / "a.jsonl")
    assert pq.read_table(tmp_path / "a.parquet").equals(TABLE)
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["customer_id"] for row in rows] == TABLE["customer_id"].to_pylist()
    assert rows[0]["spend"] == "1.5"


def test_another_format_is_refused_with_the_ones_there_are(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"\.csv, \.parquet or \.jsonl"):
        write(tmp_path / "a.docx")


def test_a_failed_write_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    """Breaks when an export that fails half way destroys the one before."""
    path = tmp_path / "a.csv"
    path.write_text("old")

    def torn() -> object:
        yield TABLE.to_batches()[0]
        raise ShoalError("The store went away.")

    with pytest.raises(ShoalError):
        write_table(path, TABLE.schema, torn())  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
