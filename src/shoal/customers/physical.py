"""Values as columns of the store have them, and the Arrow types of those columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.customers.values import MistypedError, encode, kind_of, millionths
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from shoal.sql.registry import Field, Property


def encoded(kind: Kind, fields: Mapping[str, Field], value: Any) -> tuple[Any, int]:
    """A value in physical form, and how many values in it weren't of their type and are missing.

    Args:
        kind: of the column.
        fields: of a list of objects.
        value: any; None is missing.
    """
    if kind is not Kind.OBJECTS:
        try:
            return encode(value, kind), 0
        except MistypedError:
            return None, 1
    if value is None:
        return None, 0
    if not isinstance(value, list | tuple) or (value and kind_of(list(value)) is not Kind.OBJECTS):
        return None, 1
    if not all(hasattr(item, "items") for item in value):
        return None, 1
    found, mistyped = [], 0
    for item in value:
        made = {f.col: encoded(f.kind, {}, item.get(f.name)) for f in fields.values()}
        found.append({col: physical for col, (physical, _) in made.items()})
        mistyped += sum(odd for _, odd in made.values())
    return found, mistyped


def column_of(column: Property, values: Sequence[Any]) -> tuple[pa.Array, int]:
    """Values of one property as an Arrow array, and how many weren't of its type and are missing."""
    import pyarrow as pa

    made = arrow_type(column)
    try:
        if column.kind is Kind.TEXT or column.kind is Kind.YESNO:
            return pa.array(values, made), 0
        if column.kind is Kind.NUMBER:
            return pa.array([None if v is None else millionths(v) for v in values], made), 0
    except (MistypedError, pa.ArrowException, TypeError, UnicodeError):
        pass
    each = [encoded(column.kind, column.fields, value) for value in values]
    return pa.array([physical for physical, _ in each], made), sum(odd for _, odd in each)


def arrow_type(column: Property) -> pa.DataType:
    """The Arrow type of a property's column."""
    import pyarrow as pa

    if column.kind is not Kind.OBJECTS:
        return arrow_kind(column.kind)
    fields = [(f.col, arrow_kind(f.kind)) for f in column.fields.values()]
    # Arrow has structs without a field, DuckDB hasn't: f0 stands in (see the registry).
    return pa.list_(pa.struct(fields or [("f0", pa.bool_())]))


def arrow_kind(kind: Kind) -> pa.DataType:
    """The Arrow type of single values of a type."""
    import pyarrow as pa

    number, text = pa.int64(), pa.string()
    return {
        Kind.TEXT: text,
        Kind.NUMBER: number,
        Kind.YESNO: pa.bool_(),
        Kind.DATE: pa.int32(),
        Kind.INSTANT: number,
        Kind.TEXTS: pa.list_(text),
        Kind.POINT: pa.struct([("x", number), ("y", number), ("z", number)]),
    }[kind]
