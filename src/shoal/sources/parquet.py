"""Parquet: plain files are left to DuckDB to scan; packed ones and single reads go through Arrow."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shoal.errors import SourceError
from shoal.sources.archive import as_path
from shoal.sources.reading import Column, Format, Reading, SourceFile
from shoal.sources.tables import check_names

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 131_072


def read(file: SourceFile, fmt: Format) -> Reading:
    """Open a Parquet file.

    Raises:
        SourceError: it is cut off, damaged, or no Parquet.
    """
    with _opened(file) as parquet:
        schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
    names = check_names(schema.names, fmt, file.path)
    return Reading(
        file=file,
        format=replace(fmt, columns=None),
        columns=tuple(Column(name, kind) for name, kind in zip(names, schema.types, strict=True)),
        produce=_batches,
        scan=file.location if file.compression is None and fmt.columns is None else None,
        rows=rows,
    )


@contextmanager
def _opened(file: SourceFile) -> Iterator[pq.ParquetFile]:
    with as_path(file) as path:
        try:
            with pq.ParquetFile(path) as parquet:
                yield parquet
        except (pa.ArrowInvalid, OSError) as error:
            raise SourceError(
                f"This is not a whole Parquet file ({str(error).splitlines()[0][:200]}).",
                place=file.path,
                fix="Fetch or export the file again.",
            ) from error


def _batches(reading: Reading) -> Iterator[pa.RecordBatch]:
    schema, line = reading.schema, 1
    with _opened(reading.file) as parquet:
        for batch in parquet.iter_batches(batch_size=BATCH):
            lines = pa.array(np.arange(line, line + batch.num_rows, dtype=np.int64))
            yield pa.RecordBatch.from_arrays([*batch.columns, lines], schema=schema)
            line += batch.num_rows
