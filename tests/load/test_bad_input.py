"""Bad input and interruptions: one paragraph with place and fix, and the store as it was.

Breaks when a failed load leaves a trace, or the next load doesn't make up for it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shoal.errors import ConfigError, SourceError
from shoal.sql.duck import open_store

if TYPE_CHECKING:
    from conftest import Shop
    from shoal.customers.load import Progress

MAPPING = "o: {from: o.csv, events: [{event: O, customer: who, at: day, id: id}]}"


def test_dates_in_several_orders_are_refused_with_lines_that_show_it(shop: Shop) -> None:
    shop.write("o.csv", "id,who,day\n1,a,2017-01-02\n2,a,13/02/2017\n3,a,02/14/2017\n")
    before = shop.dump()
    with pytest.raises(SourceError, match="several orders") as caught:
        shop.load(MAPPING)
    said = str(caught.value)
    assert said.startswith("o.csv:4:")
    assert "'13/02/2017' in line 3" in said
    assert "dates: day-first" in said
    assert shop.dump() == before


def test_once_the_order_is_said_dates_of_another_order_are_put_aside(shop: Shop) -> None:
    shop.write("o.csv", "id,who,day\n1,a,2017-01-02\n2,a,13/02/2017\n3,a,02/14/2017\n")
    shop.load(MAPPING.replace("events:", "format: {dates: day-first}, events:"))
    assert [e["ts"] for e in shop.events("O")] == ["2017-01-02T00:00:00Z", "2017-02-13T00:00:00Z"]
    assert shop.quarantine() == [("o.csv", 4, "bad-time")]


def test_dates_that_could_be_either_are_not_guessed(shop: Shop) -> None:
    shop.write("o.csv", "id,who,day\n1,a,03/04/2017\n")
    with pytest.raises(SourceError, match="day first or month first"):
        shop.load(MAPPING)


def test_an_unused_column_of_doubtful_dates_harms_nobody(shop: Shop) -> None:
    shop.write("o.csv", "id,who,day,other\n1,a,2017-01-02,03/04/2017\n")
    shop.load(MAPPING)
    assert len(shop.events("O")) == 1


def test_a_text_file_that_grows_while_it_is_read_is_refused(shop: Shop) -> None:
    shop.write("o.csv", "id,who,day\n" + "".join(f"{i},a,2017-01-02\n" for i in range(1000)))
    before = shop.dump()

    def grow(step: Progress) -> None:
        if step.step == "reading":
            with (shop.root / "o.csv").open("a") as file:
                file.write("9999,a,2017-01-02\n")

    with pytest.raises(SourceError, match="changed while"):
        shop.load(MAPPING, progress=grow)
    assert shop.dump() == before
    shop.load()
    assert len(shop.events("O")) >= 1000


def test_a_parquet_file_that_changes_before_the_end_is_refused(shop: Shop) -> None:
    target = shop.root / "o.parquet"
    shop.store.execute(f"COPY (SELECT range AS id, 'a' AS who, DATE '2017-01-01' AS day FROM range(9)) TO '{target}'")
    before = shop.dump()

    def touch(step: Progress) -> None:
        if step.step == "writing":
            os.utime(target, (1, 1))

    with pytest.raises(SourceError, match="changed while"):
        shop.load(MAPPING.replace("o.csv", "o.parquet"), progress=touch)
    assert shop.dump() == before
    assert shop.leftovers() == []


SCRIPT = """
import signal, sys
from pathlib import Path
import yaml
from shoal.customers.load import load
from shoal.errors import ShoalError
from shoal.sources.mapping import parse_sources
from shoal.sql.duck import open_store

root = Path(sys.argv[1])
stop_at, limit, wait = sys.argv[2], int(sys.argv[3]), sys.argv[4] == "wait"
if limit:
    import resource
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sources = parse_sources(yaml.safe_load((root / "mapping.yaml").read_text()))

def tell(progress):
    if progress.step == stop_at:
        print("now", flush=True)
        if wait:
            sys.stdin.readline()

with open_store(root / "store.duckdb", threads=1) as store:
    try:
        report = load(store, sources, root=root, zone="UTC", currency="EUR", now=2_000_000_000_000_000, progress=tell)
    except KeyboardInterrupt:
        sys.exit(130)
    except ShoalError as error:
        print(error)
        sys.exit(error.exit_code)
print("loaded")
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Path:
    """A workspace on disk with one small file loaded, and a large one waiting."""
    from shoal.sql.duck import create_store

    (tmp_path / "load.py").write_text(textwrap.dedent(SCRIPT))
    (tmp_path / "mapping.yaml").write_text(MAPPING.replace("o.csv", '"o*.csv"'))
    (tmp_path / "o1.csv").write_text("id,who,day\n1,a,2017-01-02\n")
    create_store(tmp_path / "store.duckdb", zone="UTC", now=0).close()
    assert _run(tmp_path).returncode == 0
    rows = "".join(f"{i},customer-{i % 5000},2017-01-02\n" for i in range(100_000))
    (tmp_path / "o2.csv").write_text("id,who,day\n" + rows)
    return tmp_path


def _run(root: Path, limit: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "load.py"), str(root), "", str(limit), "wait"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def _counts(root: Path) -> dict[str, int]:
    tables = ["event_1", "customers", "files", "loads", "quarantine", "quality"]
    with open_store(root / "store.duckdb", threads=1) as store:
        found = {t: store.rows(f"SELECT count(*) FROM {t}")[0][0] for t in tables}
        return found | {"in force": store.rows("SELECT count(*) FROM event_1 WHERE retired IS NULL")[0][0]}


@pytest.mark.parametrize("step", ["reading", "judging", "writing"])
def test_ctrl_c_leaves_the_store_as_it_was_and_the_next_load_makes_up_for_it(workshop: Path, step: str) -> None:
    before = _counts(workshop)
    command = [sys.executable, str(workshop / "load.py"), str(workshop), step, "0", "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 130
    assert _counts(workshop) == before
    assert _run(workshop).stdout == "loaded\n"
    assert _counts(workshop)["in force"] == 100_000


def test_ctrl_c_in_the_middle_of_writing_leaves_all_or_nothing(workshop: Path) -> None:
    before = _counts(workshop)
    command = [sys.executable, str(workshop / "load.py"), str(workshop), "writing", "0", "go on"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=120)
    assert code in (0, 130)
    if code == 130:
        assert _counts(workshop) == before
        assert _run(workshop).stdout == "loaded\n"
    assert _counts(workshop)["in force"] == 100_000


def test_a_full_disk_leaves_the_store_as_it_was(workshop: Path) -> None:
    before = _counts(workshop)
    # Far less than the rows need, whatever of the file the engine could use again.
    done = _run(workshop, limit=1_000_000)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "disk is full" in done.stdout
    assert _counts(workshop) == before
    assert _run(workshop).stdout == "loaded\n"
    assert _counts(workshop)["in force"] == 100_000


def test_a_nul_in_the_header_and_a_file_that_is_no_text_are_named_and_the_store_is_not_blamed(shop: Shop) -> None:
    """Breaks if a file that was damaged is reported as a fault of the store, without its name."""
    (shop.root / "o.csv").write_bytes(b"id,wh\0o,day\n1,a,2017-01-02\n2,b,2017-01-02\n")
    with pytest.raises(SourceError) as caught:
        shop.load(MAPPING)
    assert str(caught.value).startswith("o.csv:1: The header holds a NUL byte.")
    (shop.root / "o.csv").write_bytes(bytes(range(256)) * 400)
    with pytest.raises(SourceError) as caught:
        shop.load(MAPPING)
    assert str(caught.value).startswith("o.csv:1: This is not text.")
    (shop.root / "o.jsonl").write_text('{"id": 1, "who": "a", "day": "2017-01-02", "a\\u0000b": 1}\n')
    with pytest.raises(SourceError, match="NUL byte") as caught:
        shop.load(MAPPING.replace("o.csv", "o.jsonl"))
    assert str(caught.value).startswith("o.jsonl: ")


def test_a_control_character_that_parts_the_cells_is_no_sign_of_a_binary_file(shop: Shop) -> None:
    (shop.root / "o.csv").write_bytes(b"id\x01who\x01day\n1\x01a\x012017-01-02\n")
    shop.load(MAPPING.replace("events:", r'format: {delimiter: "\x01"}, events:'))
    assert len(shop.events("O")) == 1


def test_json_lines_that_break_off_are_refused(shop: Shop) -> None:
    """Breaks if an export that was cut in mid-line takes back the rows that it lost; a line that is wrong is put aside."""
    lines = [f'{{"id": "{i}", "who": "a", "day": "2017-01-02"}}\n' for i in range(5)]
    mapping = MAPPING.replace("o.csv", "o.jsonl")
    shop.write("o.jsonl", "".join(lines))
    shop.load(mapping)
    before = shop.dump()
    for cut in (3, 12, len(lines[2]) - 2):
        shop.write("o.jsonl", "".join(lines[:2]) + lines[2][:cut])
        with pytest.raises(SourceError, match="cut off") as caught:
            shop.load()
        assert str(caught.value).startswith("o.jsonl:3:")
        assert shop.dump() == before
    shop.write("o.jsonl", "".join(lines) + '{"id": oops, "who": "a", "day": "2017-01-02"}')
    shop.load()
    assert shop.quarantine() == [("o.jsonl", 6, "json")]
    shop.write("o.jsonl", "".join(lines).rstrip("\n"))
    shop.load()
    assert len(shop.events("O")) == 5


def test_a_delimiter_that_is_not_found_is_spoken_of(shop: Shop) -> None:
    """Breaks if a column is missed without a hint at the sign between the cells."""
    shop.write("o.csv", "id@@who@@day\n1@@a@@2017-01-01\n")
    with pytest.raises(ConfigError, match="delimiter:"):
        shop.load(MAPPING)
