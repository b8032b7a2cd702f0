"""What `from:` names, archives, and files that aren't whole: one-paragraph errors with file and fix, never a crash."""

from __future__ import annotations

import gzip
import os
import sys
import zipfile
from pathlib import Path

import pytest
from opening import opened, rows, table

from shoal.errors import SourceError
from shoal.sources import discover, read
from shoal.sources.files import ignored, without_secret

CSV = "id,name\n1,Ann\n"


def test_a_folder_gives_its_data_in_the_order_of_names(tmp_path, write):
    for name in (
        "b.csv",
        "a.parquet",
        "sub/c.json",
        "README.txt",
        ".hidden.csv",
        "notes.pdf",
        "d.csv.gz",
        ".git/x.csv",
    ):
        write(name, CSV)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    assert [(f.path, f.type) for f in discover(".", tmp_path)] == [
        ("a.parquet", "parquet"), ("b.csv", "csv"), ("d.csv.gz", "csv"), ("sub/c.json", "json"),
    ]  # fmt: skip
    assert [f.path for f in discover(".", tmp_path, "csv")] == ["b.csv", "d.csv.gz"]
    assert ignored(tmp_path) == ["notes.pdf"]


def test_globs_are_stable_and_paths_relative_to_the_root(tmp_path, write):
    for day in (3, 1, 2):
        write(f"exports/orders-{day}.csv", CSV)
    assert [f.path for f in discover("exports/orders-*.csv", tmp_path)] == [
        f"exports/orders-{d}.csv" for d in (1, 2, 3)
    ]
    assert discover(str(tmp_path / "exports" / "orders-1.csv"), tmp_path)[0].path == "exports/orders-1.csv"
    assert discover("../exports/orders-1.csv", tmp_path / "exports")[0].path == "orders-1.csv"


def test_a_missing_file_offers_near_names(tmp_path, write):
    write("exports/orders.csv", CSV)
    for wrong in ("exports/order.csv", "exports/oders-*.csv"):
        with pytest.raises(SourceError, match=r'Did you mean "orders\.csv"') as caught:
            discover(wrong, tmp_path)
        assert caught.value.place == wrong
    with pytest.raises(SourceError, match="There is no folder"):
        discover("export/orders.csv", tmp_path)
    with pytest.raises(SourceError, match="holds no file of type parquet"):
        discover("exports", tmp_path, "parquet")


def test_fingerprints_follow_the_content_and_stamps_the_file(tmp_path, write):
    write("a.csv", CSV)
    write("b.csv", CSV)
    first, second = discover(".", tmp_path)
    assert first.fingerprint() == second.fingerprint()
    before = first.fingerprint()
    os.utime(tmp_path / "a.csv", ns=(1, 1))
    touched = discover("a.csv", tmp_path)[0]
    assert touched.stamp != first.stamp
    assert touched.fingerprint() == before
    write("a.csv", CSV + "2,Bob\n")
    assert discover("a.csv", tmp_path)[0].fingerprint() != before


def test_gz(write):
    assert rows(write("a.csv.gz", gzip.compress(CSV.encode())))[0]["name"] == "Ann"
    # A gz whose name doesn't say so.
    assert rows(write("b.csv", gzip.compress(CSV.encode())))[0]["name"] == "Ann"


def zipped(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_zip_is_a_folder(tmp_path):
    zipped(
        tmp_path / "a.zip",
        {
            "x/orders-2.csv": CSV,
            "x/orders-1.csv": CSV,
            "people.json": '[{"a": 1}]',
            "README.md": "",
            "__MACOSX/._x.csv": "",
        },
    )
    found = discover("a.zip", tmp_path)
    assert [f.path for f in found] == ["a.zip!people.json", "a.zip!x/orders-1.csv", "a.zip!x/orders-2.csv"]
    assert table(read(found[0])).to_pylist() == [{"a": 1, "_line": 1}]
    assert [f.member for f in discover("a.zip!x/orders-*.csv", tmp_path)] == ["x/orders-1.csv", "x/orders-2.csv"]
    assert found[1].fingerprint() == found[2].fingerprint() != found[0].fingerprint()
    with pytest.raises(SourceError, match=r'Did you mean "people\.json"'):
        discover("a.zip!peopel.json", tmp_path)


def test_packed_databases_and_parquet_are_unpacked_and_nothing_is_left(tmp_path, write):
    import sqlite3
    import tempfile

    connection = sqlite3.connect(tmp_path / "x.db")
    connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    connection.close()
    before = set(Path(tempfile.gettempdir()).glob("shoal-*"))
    assert rows(write("y.db.gz", gzip.compress((tmp_path / "x.db").read_bytes())), table="t") == [{"a": 1, "_line": 1}]
    assert set(Path(tempfile.gettempdir()).glob("shoal-*")) <= before


def test_a_truncated_gz_is_an_error_wherever_it_is_cut(write):
    whole = gzip.compress(("id,name\n" + "".join(f"{i},{i * 7919 % 10007}\n" for i in range(400_000))).encode())
    for cut in (5, 100, len(whole) // 2, len(whole) - 4):
        with pytest.raises(SourceError) as caught:
            table(opened(write("a.csv.gz", whole[:cut])))
        assert (
            str(caught.value) == "a.csv.gz: The gz file ends too early: it was cut off. Fetch or export the file again."
        )


def test_damaged_archives_are_errors(tmp_path, write):
    packed = bytearray(gzip.compress(CSV.encode() * 100))
    packed[-6] ^= 1
    with pytest.raises(SourceError, match="gz file is damaged"):
        table(opened(write("a.csv.gz", bytes(packed))))
    with pytest.raises(SourceError, match="not a gz file"):
        opened(write("b.csv.gz", CSV))
    with pytest.raises(SourceError, match="not a zip file"):
        opened(write("c.zip", CSV))
    path = zipped(tmp_path / "d.zip", {"a.csv": CSV * 1000})
    broken = bytearray(path.read_bytes())
    broken[60] ^= 0xFF
    path.write_bytes(bytes(broken))
    with pytest.raises(SourceError, match="zip file is damaged"):
        table(opened(path))


def test_a_file_that_grows_while_it_is_read_is_an_error(write):
    path = write("a.csv", CSV + "2,Bob\n" * 100)
    reading = opened(path)
    batches = reading.batches()
    next(batches)
    with path.open("a") as more:
        more.write("3,Eve\n")
    with pytest.raises(
        SourceError, match=r"a\.csv: The file changed while it was being read, so nothing of it was taken"
    ):
        list(batches)


def test_a_file_that_changed_or_vanished_before_reading_is_an_error(write):
    path = write("a.csv", CSV)
    reading = opened(path)
    path.write_text("id,name\n1,Zoe\n9,x\n")
    with pytest.raises(SourceError, match="changed"):
        table(reading)
    path.unlink()
    with pytest.raises(SourceError, match="can't be read any more"):
        table(reading)


@pytest.fixture
def locked(tmp_path, write):
    """A folder with a file that may not be read. Look with the eyes of an ordinary user, since root may read everything."""
    write("a.csv", CSV).chmod(0)
    if os.geteuid() != 0:
        yield tmp_path
        return
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    os.seteuid(65534)
    yield tmp_path
    os.seteuid(0)


def test_a_file_that_may_not_be_read_is_an_error(locked):
    with pytest.raises(SourceError, match=r"a\.csv: The file can't be read \(Permission denied\)\. Give yourself"):
        discover("a.csv", locked)


def test_secrets_are_taken_out_of_addresses():
    assert without_secret("postgresql://me:p@ss:w@host:5432/db?password=x") == "postgresql://me@host:5432/db"
    assert without_secret("postgres://host/db") == "postgres://host/db"


def test_importing_the_readers_loads_no_driver():
    # Would break the start of the command line, which only needs the interface.
    import subprocess

    drivers = ("pyarrow", "python_calamine", "psycopg", "sqlite3", "charset_normalizer")
    code = f"import shoal.sources, sys; print([m for m in {drivers} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
