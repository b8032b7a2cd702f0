"""How values, tables and errors travel between a server and the processes beside it: msgpack, and Arrow within it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from shoal import errors
from shoal.errors import ShoalError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

_SMALL = 1 << 63
_PLAIN = (str, bytes, float, bool, type(None))
# (type, number on the wire, to text, from text); a datetime is a date too, so it comes first.
_KINDS: tuple[tuple[type, int, Callable[[Any], str], Callable[[str], Any]], ...] = (
    (int, 1, str, int),
    (Decimal, 2, str, Decimal),
    (datetime, 3, datetime.isoformat, datetime.fromisoformat),
    (date, 4, date.isoformat, date.fromisoformat),
    (time, 5, time.isoformat, time.fromisoformat),
    (timedelta, 6, lambda d: f"{d.days} {d.seconds} {d.microseconds}", lambda text: timedelta(*map(int, text.split()))),
    (UUID, 7, str, UUID),
)
_READERS = {number: read for _, number, _, read in _KINDS}


def encode(value: Any) -> bytes:
    """A value as bytes: None, numbers, texts, times, lists and dicts of them.

    Raises:
        TypeError: for what can't travel.
    """
    return msgspec.msgpack.encode(_packed(value))


def decode(body: bytes) -> Any:
    """The value of ``encode``; tuples come back as lists."""
    return msgspec.msgpack.decode(body, ext_hook=lambda code, data: _READERS[code](bytes(data).decode()))


def _packed(value: Any) -> Any:
    if isinstance(value, _PLAIN) or (type(value) is int and -_SMALL <= value < _SMALL):
        return value
    if isinstance(value, list | tuple):
        return [_packed(one) for one in value]
    if isinstance(value, dict):
        return {_packed(name): _packed(one) for name, one in value.items()}
    for kind, number, write, _ in _KINDS:
        if isinstance(value, kind):
            return msgspec.msgpack.Ext(number, write(value).encode())
    if hasattr(value, "tolist"):
        return _packed(value.tolist())  # a number of numpy, or an array
    raise TypeError(f"{type(value).__name__} can't be sent to a server")


def table_bytes(table: pa.Table | pa.RecordBatchReader) -> bytes:
    """An Arrow table in Arrow's stream format."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches() if isinstance(table, pa.Table) else table:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def table_of(body: bytes) -> pa.Table:
    """The table of ``table_bytes``."""
    import pyarrow as pa

    return pa.ipc.open_stream(body).read_all()


def encode_error(error: ShoalError) -> bytes:
    """An error with what it says."""
    said = {name: value for name, value in vars(error).items() if isinstance(value, str | int | type(None))}
    return encode({"kinds": [kind.__name__ for kind in type(error).__mro__], "said": said})


def decode_error(body: bytes) -> ShoalError:
    """The error of ``encode_error``, of its own class or the nearest that all know."""
    try:
        found = decode(body)
        kinds, said = found["kinds"], found["said"]
    except (ValueError, TypeError, KeyError):
        return StoreError("The server answered what can't be read.", fix="Look at its log.")
    kind = next(k for name in kinds if isinstance(k := getattr(errors, name, None), type) and issubclass(k, ShoalError))
    error: ShoalError = kind.__new__(kind)
    error.args = (said["problem"], said["place"], said["fix"])
    vars(error).update(said)
    return error
