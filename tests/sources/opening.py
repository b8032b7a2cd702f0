"""Ways to read a file whole through the public door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from shoal.sources import Format, Reading, discover, read

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path, fmt: Format | None = None, **keys: Any) -> Reading:
    """The reading of the one file at a path."""
    (file,) = discover(path.name, path.parent, (fmt or Format(**keys)).type)
    return read(file, fmt or Format(**keys))


def table(reading: Reading) -> pa.Table:
    """All rows of a reading."""
    return pa.Table.from_batches(list(reading.batches()), reading.schema)


def rows(path: Path, fmt: Format | None = None, **keys: Any) -> list[dict[str, Any]]:
    """All rows of the one file at a path, as plain objects."""
    return table(opened(path, fmt, **keys)).to_pylist()
