"""What all readers of tables share: the check of column names, and lists of Python values as Arrow batches."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from shoal.errors import SourceError
from shoal.sources.reading import LINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shoal.sources.reading import Format


def check_names(names: Sequence[str], fmt: Format, place: str) -> tuple[str, ...]:
    """The names of the columns: cleaned of blanks and byte order marks, blank ones numbered, or those of ``columns:``.

    Names must differ by more than case, since the database doesn't tell ``Name`` from ``name``.

    Raises:
        SourceError: two columns of one name, or ``columns:`` of another number.
    """
    if fmt.columns is not None and len(fmt.columns) != len(names):
        raise SourceError(
            f"The table has {len(names)} columns, but columns: names {len(fmt.columns)}.",
            place=place,
            fix=f"Name all {len(names)}, in their order.",
        )
    clean = tuple(clean_name(name, i) for i, name in enumerate(fmt.columns or names, start=1))
    twice = [name for name, count in Counter(n.casefold() for n in clean).items() if count > 1]
    if twice:
        raise _double(clean, twice[0], place)
    if LINE in (name.casefold() for name in clean):
        raise SourceError(
            f"A column is named {LINE}, which Shoal keeps for itself.", place=place, fix=_rename_fix(clean)
        )
    return clean


def clean_name(name: str, position: int) -> str:
    """A column's name without blanks around it; ``column_3`` where it has none."""
    return " ".join(name.replace("\ufeff", "").split()) or f"column_{position}"


def _double(names: tuple[str, ...], folded: str, place: str) -> SourceError:
    positions = [i for i, name in enumerate(names, start=1) if name.casefold() == folded]
    spellings = sorted({names[i - 1] for i in positions})
    where = " and ".join(str(i) for i in positions)
    said = (
        f"Columns {where} are named {spellings[0]!r}."
        if len(spellings) == 1
        else f"The names of columns {where} differ only in case: {', '.join(map(repr, spellings))}."
    )
    return SourceError(said, place=place, fix=_rename_fix(names))


def _rename_fix(names: tuple[str, ...]) -> str:
    seen: Counter[str] = Counter()
    fresh = []
    for name in names:
        seen[name.casefold()] += 1
        count = seen[name.casefold()]
        fresh.append(name if count == 1 and name.casefold() != LINE else f"{name}_{count}")
    listed = ", ".join(fresh[:12]) + (", …" if len(fresh) > 12 else "")
    return f"Give your own names in the format of the source, as: columns: [{listed}]"


def to_batch(rows: Iterable[Sequence[Any]], lines: Sequence[int], schema: pa.Schema) -> pa.RecordBatch:
    """Rows of Python values as one Arrow batch, with their lines as the last column."""
    turned: list[Sequence[Any]] = list(zip(*rows, strict=True)) if lines else [[] for _ in range(len(schema) - 1)]
    arrays = [pa.array(values, field.type) for values, field in zip(turned, schema, strict=False)]
    return pa.RecordBatch.from_arrays([*arrays, pa.array(lines, pa.int64())], schema=schema)
