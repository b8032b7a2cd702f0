"""Delimited text: what is detected, what a row becomes, and that the fast way and the tolerant way agree."""

from __future__ import annotations

import codecs
import csv
import io
import time

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opening import opened, rows, table

from shoal.errors import SourceError
from shoal.sources import Format, delimited, discover

SHOP = "order;customer;amount\n1;Zoë;1,50\n2;Ana;2,25\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", ":"])
def test_tells_the_delimiter(write, delimiter):
    path = write("a.csv", delimiter.join(["id", "name"]) + "\n" + delimiter.join(["1", "Ann"]) + "\n")
    assert rows(path) == [{"id": "1", "name": "Ann", "_line": 2}]


def test_decimal_comma_does_not_pass_for_a_delimiter(write):
    path = write("a.csv", SHOP)
    assert opened(path).format.delimiter == ";"
    assert rows(path)[0] == {"order": "1", "customer": "Zoë", "amount": "1,50", "_line": 2}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "time", ["2025-01-01T12:30:00+00:00", "2025-01-01 12:30:00.125-05:00", '"2025-01-01 12:30 +0200"']
)
@pytest.mark.parametrize("header", [True, False], ids=["named", "unnamed"])
def test_signs_in_times_are_no_delimiters(write, delimiter, time, header):
    """Breaks if a time with an offset, which has more colons than the row has delimiters, is split into cells."""
    lines = [delimiter.join([f"a{i}", time, f"{i}.50"]) for i in range(40)]
    text = "\n".join(([delimiter.join(["id", "at", "amount"])] if header else []) + lines) + "\n"
    reading = opened(write("a.csv", text))
    assert reading.format.delimiter == delimiter
    found = table(reading).to_pylist()
    assert len(found) == 40
    assert [*found[7].values()][:3] == ["a7", time.strip('"'), "7.50"]


@pytest.mark.parametrize("header", ["at\n", ""], ids=["named", "unnamed"])
def test_a_file_of_times_has_one_column(write, header):
    """Breaks if the colons of times, or the sign of their offset, make columns of a file that has one."""
    reading = opened(write("a.csv", header + "".join(f"2025-01-01T12:{i:02}:00+00:00\n" for i in range(40))))
    assert len(reading.columns) == 1
    assert next(iter(table(reading).to_pylist()[3].values())) == "2025-01-01T12:03:00+00:00"


def test_two_decimal_commas_in_a_row_are_no_delimiters(write):
    """Breaks if the names above don't tell between semicolons and commas that split all rows into as many cells."""
    path = write("a.csv", "id;net;tax\n" + "".join(f"{i};1,50;0,{i:02}\n" for i in range(40)))
    assert opened(path).format.delimiter == ";"
    assert rows(path)[3] == {"id": "3", "net": "1,50", "tax": "0,03", "_line": 5}


@pytest.mark.parametrize("row", ["{i}:{t}", "x{i}:{i}:{t}:/home/ann"])
def test_colons_still_separate_what_is_no_time(write, row):
    """Breaks if a file with colons between its cells, some of which look like minutes, has one column."""
    names = ":".join(f"name{n}" for n in range(row.count(":") + 1))
    path = write("a.csv", names + "\n" + "".join(row.format(i=i, t=i + 10) + "\n" for i in range(40)))
    assert len(rows(path)[0]) == row.count(":") + 2


def test_runs_of_blanks_separate_columns_of_fixed_width(write):
    path = write("cd.txt", " id  date     amount\r\n 00001 19970101  1.77\r\n 00002 19970112 12.00\r\n")
    assert rows(path)[1] == {"id": "00002", "date": "19970112", "amount": "12.00", "_line": 3}


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_tells_every_unicode_encoding(write, codec):
    # Would break if a byte order mark stayed in the first name, or if UTF-16 without a mark were taken for binary.
    path = write("a.csv", SHOP.encode(codec))
    reading = opened(path)
    assert [c.name for c in reading.columns] == ["order", "customer", "amount"]
    assert table(reading).column("customer").to_pylist() == ["Zoë", "Ana"]
    assert reading.warnings == []


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1252", "Müller;Straße\nGrün;Café\nJosé;Señor\nFrançois;Hôtel\n"),
        ("cp1251", "Иванов;Москва\nПетров;Казань\nСидорова;Новосибирск\n"),
    ],
)
def test_guesses_other_encodings_and_says_so(write, codec, text):
    path = write("a.csv", ("name;place\n" + text * 20).encode(codec))
    reading = opened(path)
    assert table(reading).column("name").to_pylist()[:3] == [line.split(";")[0] for line in text.split("\n")[:3]]
    assert "not UTF-8" in reading.warnings[0]


def test_reads_a_declared_encoding_without_a_warning(write):
    path = write("a.csv", SHOP.encode("latin-1"))
    reading = opened(path, encoding="latin-1")
    assert table(reading).column("customer").to_pylist() == ["Zoë", "Ana"]
    assert reading.warnings == []


def test_late_accents_in_a_large_file_count_too(write):
    # The first accent comes after the sample that everything else is told by.
    body = "id,name\n" + "1,Ann\n" * 300_000 + "2,Müller\n" * 5
    assert rows(write("a.csv", body.encode("cp1252")))[-1]["name"] == "Müller"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_all_ends_of_lines(write, end):
    path = write("a.csv", end.join(["a,b", "1,2", "3,4", ""]))
    assert rows(path) == [{"a": "1", "b": "2", "_line": 2}, {"a": "3", "b": "4", "_line": 3}]


def test_lines_are_counted_through_breaks_inside_quotes(write):
    path = write("a.csv", 'a,b\n1,"two\nlines"\n2,x\n\n3,"say ""hi"""\n')
    assert rows(path) == [
        {"a": "1", "b": "two\nlines", "_line": 2},
        {"a": "2", "b": "x", "_line": 4},
        {"a": "3", "b": 'say "hi"', "_line": 6},
    ]


def test_preamble_before_the_header_is_skipped(write):
    path = write("a.csv", "Sales report\nCreated,2020-01-01\n\nid,name,amount\n1,Ann,2\n2,Bob,3\n")
    reading = opened(path)
    assert reading.format.header == 4
    assert table(reading).to_pylist()[0] == {"id": "1", "name": "Ann", "amount": "2", "_line": 5}


def test_the_hint_that_excel_writes_is_no_row(write):
    assert rows(write("a.csv", "sep=|\na|b,c\n1|2\n")) == [{"a": "1", "b,c": "2", "_line": 3}]


def test_a_file_without_a_header_gets_numbered_columns_and_a_warning(write):
    reading = opened(write("a.csv", "1,2020-01-01,9.50\n2,2020-01-02,8.00\n"))
    assert [c.name for c in reading.columns] == ["column_1", "column_2", "column_3"]
    assert table(reading).num_rows == 2
    assert "no header" in reading.warnings[0]


def test_given_names_replace_those_of_the_file(write):
    path = write("a.csv", "x,x\n1,2\n")
    assert rows(path, header=1, columns=("a", "b")) == [{"a": "1", "b": "2", "_line": 2}]
    path = write("b.csv", "1,2\n3,4\n")
    assert rows(path, header=False, columns=("a", "b"))[0] == {"a": "1", "b": "2", "_line": 1}


def test_padded_and_blank_names(write):
    reading = opened(write("a.csv", " order id ,,total\n1,x,2\n"))
    assert [c.name for c in reading.columns] == ["order id", "column_2", "total"]


def test_two_columns_of_one_name_are_an_error_with_the_way_out(write):
    with pytest.raises(SourceError) as caught:
        opened(write("a.csv", "preamble\nid,date,date\n1,2,3\n"))
    assert caught.value.place == "a.csv:2"
    assert "Columns 2 and 3 are named 'date'" in str(caught.value)
    assert "columns: [id, date, date_2]" in str(caught.value)


def test_names_that_differ_only_in_case_are_an_error(write):
    with pytest.raises(SourceError, match="differ only in case"):
        opened(write("a.csv", "Name,name\n1,2\n"))


@pytest.mark.parametrize("text", ["a,b,\n1,2,\n3,4,\n", "a,b\n1,2,\n3,4,\n", "a,b,\n1,2\n3,4\n"])
def test_a_delimiter_at_the_end_makes_no_column(write, text):
    assert rows(write("a.csv", text)) == [{"a": "1", "b": "2", "_line": 2}, {"a": "3", "b": "4", "_line": 3}]


def test_more_cells_than_names_everywhere_is_a_broken_header(write):
    with pytest.raises(SourceError, match="header has 2 names, but the rows have 3 cells"):
        opened(write("a.csv", "a,b\n1,2,3\n4,5,6\n"))


def test_missing_texts_are_null_and_nothing_else_is(write):
    path = write("a.csv", 'a,b\nNA,""\n ,x\n')
    assert rows(path) == [{"a": "NA", "b": None, "_line": 2}, {"a": " ", "b": "x", "_line": 3}]
    assert rows(path, missing=("NA",)) == [{"a": None, "b": "", "_line": 2}, {"a": " ", "b": "x", "_line": 3}]


def test_initial_blanks_go_if_asked(write):
    path = write("a.csv", "a, b\n1, x y\n2,  NA\n")
    assert [r["b"] for r in rows(path, skip_initial_space=True, missing=("NA",))] == ["x y", None]
    assert rows(path)[0]["b"] == " x y"


def test_single_quotes(write):
    assert rows(write("a.csv", "'a','b'\n'1','x, y'\n"))[0] == {"a": "1", "b": "x, y", "_line": 2}


BAD = (
    b"id,name\n"
    b"1,Ann\n"
    b"2\n"  # line 3
    b"3,Bob,extra\n"  # line 4
    b"4,Zo\xeb\n"  # line 5
    b"5,nul\x00byte\n"  # line 6
    b'6,"open\n'  # line 7
    b'7,"a" b\n'  # line 8
    b'8,5" pipe\n'
    b"9,Eve\n"
)


def test_bad_rows_are_put_aside_with_line_and_reason(write):
    # Would break if one stray quote swallowed the rows behind it, or if one bad row stopped the file.
    path = write("a.csv", BAD + b"".join(b"%d,x\n" % i for i in range(10, 60)))
    reading = opened(path, encoding="utf-8")
    good = table(reading).to_pylist()
    assert [r["id"] for r in good[:3]] == ["1", "8", "9"]
    assert good[1] == {"id": "8", "name": '5" pipe', "_line": 9}
    assert len(good) == 53
    assert [(r.line, r.code) for r in reading.rejects] == [
        (3, "ragged"), (4, "ragged"), (5, "encoding"), (6, "nul"), (7, "quote"), (8, "quote"),
    ]  # fmt: skip
    assert reading.rejects[1].content == "3,Bob,extra"
    assert reading.rejects[0].reason == "The row has 1 cells, the header 2."
    assert all(r.path == "a.csv" for r in reading.rejects)


def test_a_reading_can_be_read_again(write):
    reading = opened(write("a.csv", BAD + b"10,x\n" * 60), encoding="utf-8")
    assert table(reading).equals(table(reading))
    assert len(reading.rejects) == 6


def test_ten_megabytes_in_one_cell_are_a_rejected_row(write):
    path = write("a.csv", "id,name\n1,Ann\n2," + "x" * 10_000_000 + "\n3,Eve\n")
    reading = opened(path)
    assert [r["id"] for r in table(reading).to_pylist()] == ["1", "3"]
    assert [(r.line, r.code) for r in reading.rejects] == [(3, "cell-too-long")]
    assert len(reading.rejects[0].content) <= 10_000
    assert len(rows(path, cell_limit=20_000_000)[1]["name"]) == 10_000_000


def test_ten_megabytes_in_quotes_with_line_breaks_are_one_row(write):
    path = write("a.csv", 'id,name\n1,Ann\n2,"' + "1,x\n" * 2_500_000 + '"\n3,Eve\n')
    reading = opened(path)
    assert [r["id"] for r in table(reading).to_pylist()] == ["1", "3"]
    assert [r.code for r in reading.rejects] == ["cell-too-long"]


def test_records_that_span_blocks_stay_whole(write, monkeypatch):
    # Small blocks put every kind of cut between two of them.
    text = "id,name\n" + "".join(f'{i},"line {i}\n""second"", x"\n' if i % 3 else f"{i},plain\n" for i in range(500))
    path = write("a.csv", text)
    whole = table(opened(path))
    assert whole.num_rows == 500
    for size in (16, 61, 64, 257, 1000):
        monkeypatch.setattr(delimited, "BLOCK", size)
        assert table(opened(path)).combine_chunks().equals(whole.combine_chunks())


@pytest.mark.parametrize("content", [b"", b"\n\n \n", codecs.BOM_UTF8])
def test_an_empty_file_is_an_error(write, content):
    with pytest.raises(SourceError, match="is empty"):
        opened(write("a.csv", content))


def test_a_header_alone_is_no_rows(write):
    reading = opened(write("a.csv", "id,name\n"))
    assert [c.name for c in reading.columns] == ["id", "name"]
    assert table(reading).num_rows == 0


def test_a_wrong_encoding_is_an_error_with_the_right_one(write):
    with pytest.raises(SourceError) as caught:
        opened(write("a.csv", ("name;place\n" + "Müller;Köln\n" * 40).encode("cp1252")), encoding="utf-8")
    assert caught.value.place == "a.csv:2"
    assert "encoding: cp125" in str(caught.value)


def test_an_unknown_encoding_offers_the_nearest(write):
    with pytest.raises(SourceError, match='Did you mean "latin-1"'):
        opened(write("a.csv", "a\n1\n"), encoding="latin1-x")


def test_a_header_line_that_is_not_there(write):
    with pytest.raises(SourceError, match="No names can be read in line 9"):
        opened(write("a.csv", "a,b\n1,2\n"), header=9)


def both_ways(path, fmt: Format) -> tuple[pa.Table, pa.Table, list, list]:
    (file,) = discover(path.name, path.parent)
    fast, slow = delimited.read(file, fmt), delimited.read(file, fmt, fast=False)
    return table(fast).combine_chunks(), table(slow).combine_chunks(), fast.rejects, slow.rejects


CELL = st.lists(st.sampled_from([*'abé€,;" \n\t1x', "\r\n"]), max_size=6).map("".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=12)),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([delimited.BLOCK, 32]),
)
def test_both_ways_give_what_was_written(tmp_path, cells, delimiter, end, quote_all, block):
    """Whatever Python's csv writes, both ways read back: the fast one by Arrow, the tolerant one record by record."""
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    names = [f"n{i}" for i in range(len(cells[0]))]
    writer.writerows([names, *cells])
    path = tmp_path / "a.csv"
    path.write_bytes(out.getvalue().encode())
    fmt = Format(delimiter=delimiter, header=1, missing=(), encoding="utf-8", quote='"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BLOCK", block)
        fast, slow, fast_rejects, slow_rejects = both_ways(path, fmt)
    assert fast.equals(slow)
    assert fast_rejects == slow_rejects == []
    # A line of nothing but blanks is no row, and a single column can't tell it from one.
    kept = [row for row in cells if len(row) > 1 or row[0].strip(" \t") or row[0] == "" or quote_all]
    assert [list(r.values())[:-1] for r in fast.to_pylist()] == kept


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=80).map(lambda b: bytes(b'a,"\n\r;\x00\xffx 1'[c % 11] for c in b)),
    st.sampled_from([1 << 24, 16]),
)
def test_both_ways_agree_on_garbage(tmp_path, noise, block):
    """Any bytes at all: the same rows, the same rejects, never a crash."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"n,m\n" + b"1,2\n" * 100 + noise)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BLOCK", block)
        fmt = Format(delimiter=",", header=1, encoding="latin-1", quote='"', missing=("", "x"))
        fast, slow, fast_rejects, slow_rejects = both_ways(path, fmt)
    assert fast.equals(slow)
    assert fast_rejects == slow_rejects


@pytest.mark.slow
def test_the_fast_way_is_at_least_five_times_faster(write):
    line = '{},"Smith, Ann",ann{}@example.com,2020-01-{:02d},19.99,blue\n'
    path = write(
        "a.csv", "id,name,email,day,amount,colour\n" + "".join(line.format(i, i, i % 28 + 1) for i in range(400_000))
    )
    (file,) = discover(path.name, path.parent)

    def seconds(*, fast: bool) -> float:
        began = time.process_time()
        assert sum(b.num_rows for b in delimited.read(file, Format(), fast=fast).batches()) == 400_000
        return time.process_time() - began

    seconds(fast=True)
    quick, slow = min(seconds(fast=True) for _ in range(3)), seconds(fast=False)
    assert slow >= 5 * quick, f"{slow:.2f} s against {quick:.2f} s"


@pytest.mark.parametrize("quote", ['"', ""])
@pytest.mark.parametrize("sign", ["~", "#", "*", "\\"])
def test_unusual_delimiters_are_found(write, sign, quote):
    """Breaks if only the usual signs are looked for, and the file seems to have one column."""
    lines = [
        ["order_id", "customer", "ordered_at"],
        ["1", "a: b, c", "2024-01-01 10:00"],
        ["2", "d", "2024-01-02 11:00"],
    ]
    path = write("o.csv", "".join(sign.join(f"{quote}{c}{quote}" for c in line) + "\n" for line in lines))
    reading = opened(path)
    assert [c.name for c in reading.columns] == lines[0]
    assert [row["customer"] for row in rows(path)] == ["a: b, c", "d"]
    assert reading.warnings == []


def test_one_column_with_signs_in_its_name_is_doubted(write):
    """Breaks if nothing speaks of delimiters where the file's isn't found, or a plain list of names is doubted."""
    assert "delimiter:" in opened(write("o.csv", "id@@customer@@day\n1@@a@@x\n")).warnings[0]
    assert opened(write("p.csv", "customer_id\na\nb\n")).warnings == []
    assert opened(write("q.csv", "customer id\na\nb\n")).warnings == []
