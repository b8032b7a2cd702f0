"""Excel and OpenDocument workbooks: one sheet."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from shoal.errors import SourceError, did_you_mean, nearest
from shoal.sources.archive import as_path
from shoal.sources.reading import Column, Format, Reading, SourceFile
from shoal.sources.tables import check_names, to_batch
from shoal.sources.values import looks_like_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROWS = 20_000
Row = tuple[int, list[Any]]
"""A row of the sheet with its number, from 1."""


def read(file: SourceFile, fmt: Format) -> Reading:
    """Open a sheet. A column of whole numbers, numbers, dates, times or yes/no has that type, any other is text.

    Raises:
        SourceError: it is no workbook, the sheet isn't there or empty, or its header can't be used.
    """
    name, rows = _sheet(file, fmt)
    head, body = _split(rows, fmt, f"{file.path}, sheet {name}")
    given = [_as_text(cell) or "" for cell in head[1]] if head else list(fmt.columns or _numbered(body))
    kept = [i for i, name in enumerate(given) if name or any(_is_filled(row[i]) for _, row in body if i < len(row))]
    place = f"{file.path}, sheet {name}" + (f", row {head[0]}" if head else "")
    names = check_names([given[i] for i in kept], fmt, place)
    missing = frozenset(fmt.missing_texts)
    cells = [(number, [_known(row[i], missing) for i in kept]) for number, row in body]
    types = [_column_type([row[i] for _, row in cells]) for i in range(len(kept))]
    return Reading(
        file=file,
        format=replace(fmt, sheet=name, header=head[0] if head else False),
        columns=tuple(Column(n, t) for n, t in zip(names, types, strict=True)),
        produce=lambda reading: _batches(reading, cells, fmt.cell_limit),
        rows=len(cells),
    )


def sheets(file: SourceFile) -> list[str]:
    """The names of the sheets that hold anything.

    Raises:
        SourceError: it is no workbook.
    """
    with as_path(file) as path:
        return _filled_sheets(_workbook(str(path), file))


def _workbook(path: str, file: SourceFile) -> CalamineWorkbook:
    try:
        return CalamineWorkbook.from_path(path)
    except (CalamineError, OSError, ValueError) as error:
        raise SourceError(
            f"This workbook can't be read ({error}).",
            place=file.path,
            fix="Open it, take any password off, and save it as .xlsx, or export the sheet as CSV.",
        ) from error


def _filled_sheets(workbook: CalamineWorkbook) -> list[str]:
    return [n for n in workbook.sheet_names if _has_cells(workbook, n)]


def _has_cells(workbook: CalamineWorkbook, name: str) -> bool:
    try:
        return bool(workbook.get_sheet_by_name(name).total_height)
    except CalamineError:
        # A sheet that holds a chart alone has no cells.
        return False


def _sheet(file: SourceFile, fmt: Format) -> tuple[str, list[Row]]:
    with as_path(file) as path:
        workbook = _workbook(str(path), file)
        name = fmt.sheet or _only_sheet(workbook, file)
        if name not in workbook.sheet_names:
            near = did_you_mean(nearest(name, workbook.sheet_names))
            fix = near or f"It holds: {', '.join(workbook.sheet_names)}."
            raise SourceError(f"There is no sheet {name!r}.", place=file.path, fix=fix)
        sheet = workbook.get_sheet_by_name(name)
        # Rows are numbered as the program shows them, from the first row of the sheet.
        table = sheet.to_python(skip_empty_area=False)
    rows = [(number, row) for number, row in enumerate(table, start=1) if _filled(row)]
    if not rows:
        raise SourceError("The sheet is empty.", place=f"{file.path}, sheet {name}", fix="Name another as sheet: NAME.")
    return name, rows


def _only_sheet(workbook: CalamineWorkbook, file: SourceFile) -> str:
    filled = _filled_sheets(workbook)
    if len(filled) > 1:
        raise SourceError(
            f"The workbook has {len(filled)} sheets.",
            place=file.path,
            fix=f"Say which one in the format, as sheet: NAME. It holds: {', '.join(filled) or 'nothing'}.",
        )
    return filled[0] if filled else workbook.sheet_names[0]


def _split(rows: list[Row], fmt: Format, place: str) -> tuple[Row | None, list[Row]]:
    """The header and the rows below it."""
    if fmt.header is False:
        return None, rows
    if fmt.header is None or fmt.header is True:
        return _find_header(rows, must=fmt.header is True)
    for index, row in enumerate(rows):
        if row[0] == fmt.header:
            return row, rows[index + 1 :]
    raise SourceError(
        f"Row {fmt.header}, which header: names, is empty.", place=place, fix="Write the row that holds the names."
    )


def _find_header(rows: list[Row], *, must: bool) -> tuple[Row | None, list[Row]]:
    widest = max(sum(_is_filled(cell) for cell in row) for _, row in rows[:200])
    for index, row in enumerate(rows):
        if sum(_is_filled(cell) for cell in row[1]) >= 0.6 * widest:
            names = all(isinstance(c, str) and not looks_like_value(c) for c in row[1] if _is_filled(c))
            return (row, rows[index + 1 :]) if names or must else (None, rows[index:])
    return None, rows


def _numbered(rows: Sequence[Row]) -> list[str]:
    width = max((len(row) for _, row in rows), default=1)
    return [f"column_{i}" for i in range(1, width + 1)]


def _filled(row: list[Any]) -> bool:
    return any(_is_filled(cell) for cell in row)


def _is_filled(cell: object) -> bool:
    return cell is not None and cell != ""


def _known(cell: Any, missing: frozenset[str]) -> Any:
    return None if cell is None or (isinstance(cell, str) and cell in missing) else cell


def _column_type(values: list[Any]) -> pa.DataType:
    kinds = {type(v) for v in values if v is not None}
    if kinds == {bool}:
        return pa.bool_()
    if kinds and kinds <= {int, float}:
        whole = all(float(v).is_integer() and abs(v) < 2**53 for v in values if v is not None)
        return pa.int64() if whole else pa.float64()
    if kinds == {date}:
        return pa.date32()
    if kinds and kinds <= {date, datetime}:
        return pa.timestamp("us")
    return pa.string()


def _batches(reading: Reading, cells: list[Row], limit: int) -> Iterator[pa.RecordBatch]:
    types = [column.type for column in reading.columns]
    for begin in range(0, len(cells), _ROWS):
        rows, lines = [], []
        for number, row in cells[begin : begin + _ROWS]:
            if any(isinstance(cell, str) and len(cell.encode()) > limit for cell in row):
                reason = f"A cell has more than {limit:,} bytes; raise cell_limit: if it is meant."
                reading.reject(number, "cell-too-long", reason, "\t".join(_as_text(c) or "" for c in row))
                continue
            rows.append([_typed(cell, kind) for cell, kind in zip(row, types, strict=True)])
            lines.append(number)
        if rows:
            yield to_batch(rows, lines, reading.schema)


def _typed(cell: Any, kind: pa.DataType) -> Any:
    if cell is None:
        return None
    if pa.types.is_string(kind):
        return _as_text(cell)
    if pa.types.is_int64(kind):
        return int(cell)
    if pa.types.is_timestamp(kind) and not isinstance(cell, datetime):
        return datetime.combine(cell, time())
    return cell


def _as_text(cell: Any) -> str | None:
    """A cell of a column of mixed kinds as text: whole numbers without decimals, dates and times in ISO form."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, date | datetime | time):
        return cell.isoformat(sep=" ") if isinstance(cell, datetime) else cell.isoformat()
    return str(cell.total_seconds()) if isinstance(cell, timedelta) else str(cell)
