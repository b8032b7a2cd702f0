"""The command line: what it prints for people and machines, and that its exit codes mean something."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from shoal.cli import main


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def json_of(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    code, out, err = run(capsys, *args, "--json")
    assert code == 0, err
    return json.loads(out)


def test_segments_for_people_and_machines_agree(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json_of(capsys, "-w", str(root), "segments")
    (row,) = found["segments"]
    assert row["slug"] == "lapsed-vips"
    assert found["currency"] == "USD"
    code, out, _ = run(capsys, "-w", str(root), "segments")
    assert code == 0
    assert "Lapsed VIPs" in out
    assert f"{row['size']:,}" in out
    assert "\x1b" not in out, "colours only on a terminal"


def test_why_explains_each_part(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "-w", str(root), "why", "C0012", "Lapsed VIPs")
    assert code == 0
    assert "C0012 is not in 'Lapsed VIPs'" in out
    assert "1334.35" in out
    assert "enters at 2025-08-" in out
    document = json_of(capsys, "-w", str(root), "why", "C0012", "lapsed-vips")
    assert document["truth"] is False
    assert [part["truth"] for part in document["parts"]] == [True, False]


def test_what_holds_for_nobody_is_saved_with_a_warning(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reversed range is a slip of the pen that gives an empty segment; silence would look like an answer."""
    reversed_ = 'sum(revenue of "Order Completed") between 500 and 100'
    said = "The first end of this range is above the second. Write the lower end first."
    code, out, err = run(capsys, "-w", str(root), "segment", "add", "Middling", reversed_)
    assert (code, "Added segments/middling.yaml" in out) == (0, True)
    assert err.startswith(f"Warning: {said}\n  {reversed_}\n  ^^^^")
    for words in (["edit", "middling", "--why", "A slip"], ["test", reversed_]):
        (warning,) = json_of(capsys, "-w", str(root), "segment", *words)["warnings"]
        assert warning.startswith(said)
    assert set(json_of(capsys, "-w", str(root), "segments")["warnings"]) == {"middling"}
    assert f"Warning: segment middling: {said}" in run(capsys, "-w", str(root), "segments")[2]
    assert json_of(capsys, "-w", str(root), "segment", "test", 'did "Order Completed"')["warnings"] == []


def test_a_workspace_without_segments_says_what_to_do_next(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "-w", str(root), "segment", "remove", "lapsed-vips", "--yes")[0] == 0
    _, out, _ = run(capsys, "-w", str(root), "segments")
    assert f"shoal -w {root} library" in out


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["segment", "add", "Typo", 'did "Order Complete"'], 2, 'Did you mean "Order Completed"'),
        (["segment", "add", "Typo", "country = KE"], 2, "line 1, column"),
        (["why", "C12", "Lapsed VIPs"], 2, "C0012"),
        (["why", "C0012", "Lapsed VIP"], 2, "Lapsed VIPs"),
        (["members", "lapsed-vips", "--purpose", "resale"], 2, "no purpose 'resale'"),
        (["members", "lapsed-vips", "-o", "x.docx"], 2, ".csv, .parquet or .jsonl"),
        (["segments", "--as-of", "yesterday"], 2, "is not"),
        (["sql", "DELETE FROM customers"], 2, "single SELECT"),
        (["sql", "SELECT nope FROM customers"], 2, "can't be run"),
        (["quality", "--source", "ordrs"], 2, "no source 'ordrs'"),
        (["segment", "ad", "x"], 2, "No such command"),
        (["init"], 2, "See: shoal init --help"),
        (["librarry"], 2, 'Did you mean "library"'),
        (["load", "--only", "ordrs"], 2, "ordrs"),
    ],
)
def test_a_mistake_is_one_paragraph_with_a_fix(
    root: Path, capsys: pytest.CaptureFixture[str], args: list[str], code: int, said: str
) -> None:
    """Breaks when an error is a traceback, or its exit code says another thing than docs/cli.md."""
    got, out, err = run(capsys, "-w", str(root), *args)
    assert (got, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_a_folder_without_a_workspace_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "-w", str(tmp_path), "segments")
    assert code == 2
    assert "shoal init" in err


def test_a_source_that_vanished_is_named_and_nothing_is_done(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json_of(capsys, "-w", str(root), "status")["events"]
    (root.parent / "exports" / "order_lines.csv").unlink()
    code, _, err = run(capsys, "-w", str(root), "load")
    assert code == 3
    assert "order_lines.csv" in err
    assert json_of(capsys, "-w", str(root), "status")["events"] == before


def test_hints_can_be_run_as_they_are_printed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when a hint leaves out the workspace that the command was called with."""
    said = f"shoal -w {root} "
    assert f"Next: {said}segments, or {said}library" in run(capsys, "-w", str(root), "load")[1]
    assert f"{said}library --all" in run(capsys, "-w", str(root), "library")[1]
    run(capsys, "-w", str(root), "segment", "remove", "lapsed-vips", "--yes")
    assert f"with: {said}library" in run(capsys, "segments", "-w", str(root))[1]
    run(capsys, "-w", str(root), "segment", "add", "Buyers", 'did "Order Completed"')
    assert (
        f"Change it with: {said}segment edit buyers"
        in run(capsys, "-w", str(root), "segment", "add", "Buyers", 'did "Order Completed"')[2]
    )


def test_a_hint_without_a_workspace_said_has_none(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    assert "Next: shoal segments, or shoal library" in run(capsys, "load")[1]


@pytest.mark.parametrize("words", [["segments"], ["segment", "show", "lapsed-vips"], ["quarantine", "list"]])
def test_the_workspace_may_be_said_after_the_command(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    before = run(capsys, "-w", str(root), *words)
    after = run(capsys, *words, "-w", str(root))
    assert before[0] == after[0] == 0
    assert re.sub(r"\d\d:\d\d(:\d\d)?", "", before[1]) == re.sub(r"\d\d:\d\d(:\d\d)?", "", after[1])


@pytest.mark.parametrize("words", [[], ["segment"], ["list"], ["quarantine"]])
def test_a_bare_word_shows_what_there_is(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """Breaks when a newcomer's first word is answered like a mistake."""
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: shoal")
    assert "See: shoal" not in out


def test_times_are_those_of_the_workspace_s_zone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when the command line says UTC where the report says the local time."""
    exports = Path(__file__).parents[2] / "examples" / "corner-shop" / "exports"
    run(capsys, "init", str(tmp_path / "shop"), "--from", str(exports))
    file = tmp_path / "shop" / "shoal.yaml"
    file.write_text(re.sub("timezone: .*", "timezone: America/New_York", file.read_text()))
    loaded = run(capsys, "-w", str(tmp_path / "shop"), "load")[1]
    assert re.search(r"As of 2025-06-30 ..:.. EDT\.", loaded)
    assert "known since 2024-03-06 00:00 EST" in run(capsys, "-w", str(tmp_path / "shop"), "customer", "C0012")[1]


def test_until_of_a_past_day_owns_up_to_what_came_later(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when later orders that are stored are called "nothing more"."""
    past = run(capsys, "-w", str(root), "why", "C0012", "Lapsed VIPs", "--as-of", "2025-01-01")[1]
    assert "By what is stored today, " in past
    assert "If nothing more happens" not in past
    who = json_of(capsys, "-w", str(root), "members", "Lapsed VIPs", "--as-of", "2025-01-01")["customers"][0]
    told = run(capsys, "-w", str(root), "customer", who["customer_id"], "--as-of", "2025-01-01")[1]
    assert "Until, by what is stored today" in told
    now = run(capsys, "-w", str(root), "why", "C0012", "Lapsed VIPs")[1]
    assert re.search(r"If nothing more happens, the customer enters at 2025-08-\d\d \d\d:\d\d UTC\.", now)


def test_a_workspace_in_use_is_waited_for_in_so_many_words(root: Path) -> None:
    """Breaks when a command hangs for ten seconds without a word."""
    holds = "import sys, shoal; shop = shoal.open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holds, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "open\n"
        asks = [sys.executable, "-m", "shoal.cli", "-w", str(root), "status"]
        with subprocess.Popen(asks, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asker:
            assert asker.stderr is not None
            assert asker.stderr.readline().startswith(f"The workspace is in use by process {owner.pid} on ")
            owner.communicate("")
            out, _ = asker.communicate(timeout=30)
            assert asker.returncode == 0
            assert "customers:" in out


def test_a_backup_over_a_file_offers_what_can_be_done(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when the fix names an option that the command doesn't have."""
    place = root.parent / "copy.zip"
    assert run(capsys, "-w", str(root), "backup", str(place))[0] == 0
    code, _, err = run(capsys, "-w", str(root), "backup", str(place))
    assert (code, err.endswith("There is a file already. Choose another name, or remove it first.\n")) == (5, True)
    place.unlink()
    assert run(capsys, "-w", str(root), "backup", str(place))[0] == 0


def test_ctrl_c_in_a_load_leaves_the_store_as_it_was(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when a stopped load leaves half of its rows, or a lock."""
    before = json_of(capsys, "-w", str(root), "sql", 'SELECT count(*) AS n FROM "Order Completed"')
    file = root.parent / "exports" / "order_lines.csv"
    head, *rows = file.read_text().splitlines()
    file.write_text("\n".join([head, *(row.replace("C0", "D0") for _ in range(30) for row in rows)]) + "\n")
    command = [sys.executable, "-m", "shoal.cli", "-w", str(root), "load"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as loading:
        assert loading.stderr is not None
        for line in loading.stderr:
            if "hecking order_lines" in line or "riting" in line:
                break
        time.sleep(0.05)
        loading.send_signal(signal.SIGINT)
        told = loading.stderr.read()
        assert loading.wait(timeout=60) == 130, told
    assert "nothing was changed" in told
    after = json_of(capsys, "-w", str(root), "sql", 'SELECT count(*) AS n FROM "Order Completed"')
    assert after == before


def test_library_adds_a_template(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "-w", str(root), "segment", "add", "Best", "--template", "rfm-champions")
    assert code == 0
    assert "Added segments/best.yaml" in out
    templates = {t["slug"]: t for t in json_of(capsys, "-w", str(root), "library")["templates"]}
    (best,) = [s for s in json_of(capsys, "-w", str(root), "segments")["segments"] if s["slug"] == "best"]
    assert best["size"] == templates["rfm-champions"]["size"]


def test_quality_and_quarantine_speak_of_the_faulty_rows(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = json_of(capsys, "-w", str(root), "quarantine", "list")["rows"]
    aside = {("no-customer", 46), ("bad-time", 64), ("no-number", 302), ("incomplete", 303)}
    assert {(row["code"], row["line"]) for row in rows} == aside
    measures = {row["measure"] for row in json_of(capsys, "-w", str(root), "quality")}
    assert {"score", "rows", "duplicates", "freshness", "quarantined"} <= measures
    file = root.parent / "exports" / "order_lines.csv"
    file.write_text(file.read_text().replace("2025-02-30", "2025-02-28"))
    done = json_of(capsys, "-w", str(root), "quarantine", "retry")
    assert done["resolved"] == 1
    assert {r["code"] for r in json_of(capsys, "-w", str(root), "quarantine", "list")["rows"]} == {
        "no-customer",
        "no-number",
        "incomplete",
    }


def test_a_quarantined_row_is_found_from_where_the_reader_stands(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when the place is told from the workspace's folder, where the reader needn't be."""
    monkeypatch.chdir(root.parent)
    rows = json_of(capsys, "-w", root.name, "quarantine", "list")["rows"]
    assert rows
    assert {row["path"] for row in rows} == {"exports/order_lines.csv"}
    assert all(Path(row["path"]).exists() for row in rows)


def test_a_small_file_has_a_size(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(r"Wrote .*report.html \(\d+(\.\d)? [kM]B\)", run(capsys, "-w", str(root), "report", "-o",
                                                                        str(root / "report.html"))[1])  # fmt: skip


def test_a_customer_is_shown_with_where_each_value_came_from(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json_of(capsys, "-w", str(root), "customer", "C0012")
    traits = {t["name"]: t for t in found["traits"]}
    assert traits["country"]["from"].endswith("customers.csv:13")
    assert traits["rfm_r"]["from"] == "computed"
    assert found["consents"]["email_marketing"]["granted"] is True
    assert len(found["events"]) == 10


def test_a_terminal_of_80_columns_keeps_ids_and_numbers_whole(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when a slug or a number is broken over two lines, where it can't be copied or read."""
    monkeypatch.setattr("shoal.cli.output.width", lambda: 80)
    _, out, _ = run(capsys, "-w", str(root), "library")
    templates = json_of(capsys, "-w", str(root), "library")["templates"]
    for template in templates:
        assert f"  {template['slug']} " in out
    assert max(len(line) for line in out.splitlines() if "shoal" not in line) <= 80


def test_a_reader_who_wants_no_colours_gets_none(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when NO_COLOR is overlooked on a terminal."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" in run(capsys, "-w", str(root), "why", "C0012", "lapsed-vips")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run(capsys, "-w", str(root), "why", "C0012", "lapsed-vips")[1]


def test_what_is_not_shown_is_counted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when a short list looks like the whole."""
    _, out, _ = run(capsys, "-w", str(root), "members", "lapsed-vips", "--limit", "1")
    assert "1 of 3 are shown" in out
    _, out, _ = run(capsys, "-w", str(root), "sql", "SELECT customer FROM customers", "--limit", "2")
    assert "2 of 180 rows are shown" in out


def test_a_workspace_without_data_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when an empty workspace answers with empty tables, or writes an empty report without a word."""
    exports = Path(__file__).parents[2] / "examples" / "corner-shop" / "exports"
    shop = str(tmp_path / "shop")
    assert run(capsys, "init", shop, "--from", str(exports))[0] == 0
    for args in (["library"], ["quality"], ["recalibrate"]):
        assert f"shoal -w {shop} load" in run(capsys, "-w", shop, *args)[1]
    assert f"shoal -w {shop} library" in run(capsys, "-w", shop, "overlap")[1]
    assert f"shoal -w {shop} list add" in run(capsys, "-w", shop, "list", "show")[1]
    assert json_of(capsys, "-w", shop, "status")["last_load"] is None
    code, _, err = run(capsys, "-w", shop, "report", "-o", str(tmp_path / "report.html"))
    assert (code, "it is empty" in err) == (0, True)
