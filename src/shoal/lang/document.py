"""The JSON form of the language: an object per node, ``{"node": kind, field: value, …}``.

Fields bear the names of the dataclass in ``nodes``; fields at their default may be left out, comments stand in
``note``, places in the text are not kept. Literals are written so that no reader loses a digit: numbers (and everything
counted in millionths) as decimal text, dates and instants in ISO 8601.

>>> from shoal.lang.nodes import Compare, Number, Trait
>>> to_document(Compare(Trait("age"), ">", Number(30_500_000)))
{'node': 'compare', 'left': {'node': 'trait', 'name': 'age'}, 'op': '>', 'right': {'node': 'number', 'value': '30.5'}}
"""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import date, timedelta
from decimal import Context, Decimal, InvalidOperation
from functools import cache
from typing import Any

from shoal.clock import iso, to_instant
from shoal.errors import DefinitionError, did_you_mean, nearest
from shoal.lang import nodes as n
from shoal.lang.depth import LESS_DEEP, MOST_DEPTH, TOO_DEEP
from shoal.lang.nodes import MICRO, NODES, Node

_EPOCH_DAY = date(1970, 1, 1)
_LONGEST = 400
_EXACT = Context(prec=2 * _LONGEST)
# Fields counted in millionths, written as decimal text.
_DECIMALS = {"latitude", "longitude", "radius", "percent"}
_PERCENTILE = {"low", "high"}


def decimal_text(micro: int) -> str:
    """The shortest decimal text of a number of millionths.

    >>> decimal_text(-1_500_000), decimal_text(3_000_000)
    ('-1.5', '3')
    """
    whole, part = divmod(abs(micro), MICRO)
    text = f"{whole}.{part:06d}".rstrip("0").rstrip(".") if part else str(whole)
    return "-" + text if micro < 0 else text


def micro_of(text: str) -> int:
    """Millionths of a decimal text, rounded half to even.

    Raises:
        DefinitionError: if the text isn't a decimal number.
    """
    try:
        number = Decimal(text)
        # Bounded before it is scaled, exact while it is: neither 1e999999999 nor a long fraction may get further.
        if len(text) <= _LONGEST and number.is_finite() and abs(number.adjusted()) <= _LONGEST:
            return int(number.scaleb(6, _EXACT).to_integral_value("ROUND_HALF_EVEN", _EXACT))
    except (InvalidOperation, ValueError):
        pass
    raise DefinitionError(f"{text[:40]!r} is not a number.", fix="Write digits with an optional fraction.")


def date_text(days: int) -> str:
    """The ISO form of a date given in days since 1970-01-01."""
    return (_EPOCH_DAY + timedelta(days=days)).isoformat()


def days_of(text: str) -> int:
    """Days since 1970-01-01 of an ISO date.

    Raises:
        DefinitionError: if there is no such date.
    """
    try:
        return (date.fromisoformat(text) - _EPOCH_DAY).days
    except ValueError:
        raise DefinitionError(f"{text!r} is not a date.", fix="Write it as 2017-09-01.") from None


def micros_of(text: str) -> int:
    """The instant of an ISO text with Z or an offset.

    Raises:
        DefinitionError: if it isn't one.
    """
    from datetime import datetime

    try:
        return to_instant(datetime.fromisoformat(text))
    except ValueError:
        raise DefinitionError(
            f"{text!r} is not an instant.", fix="Write it as 2017-09-01T00:00:00Z, with Z or an offset."
        ) from None


def to_document(node: Node) -> dict[str, Any]:
    """The JSON-ready form of a tree."""
    document: dict[str, Any] = {"node": node.kind}
    match node:
        case n.Number():
            document["value"] = decimal_text(node.micro)
        case n.Date():
            document["value"] = date_text(node.days)
        case n.Instant():
            document["value"] = iso(node.micros)
        case _:
            for spec in _data_fields(node.kind):
                value = getattr(node, spec.name)
                if spec.default is dataclasses.MISSING or value != spec.default:
                    document[spec.name] = _out(node, spec.name, value)
    if node.note is not None:
        document["note"] = node.note
    return document


def from_document(document: object) -> Node:
    """The tree of a JSON form.

    Raises:
        DefinitionError: where the form isn't one of the language; it names the path, as ``parts[1].left``.
    """
    _hold_depth(document)
    return _read(document, "")


def _hold_depth(document: object) -> None:
    """Refuse what is nested so deep that reading it would exhaust the stack; found without recursion."""
    ahead = [(document, 0)]
    while ahead:
        value, level = ahead.pop()
        if level > MOST_DEPTH:
            raise DefinitionError(TOO_DEEP, fix=LESS_DEEP)
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        ahead.extend((v, level + isinstance(v, dict)) for v in inner)


def _out(node: Node, name: str, value: object) -> object:
    if isinstance(value, Node):
        return to_document(value)
    if isinstance(value, tuple):
        return [to_document(v) if isinstance(v, Node) else v for v in value]
    if _is_decimal(node.kind, name) and isinstance(value, int):
        return decimal_text(value)
    return value


def _is_decimal(kind: str, name: str) -> bool:
    return name in _DECIMALS or (kind == "percentile" and name in _PERCENTILE)


@cache
def _data_fields(kind: str) -> tuple[dataclasses.Field[Any], ...]:
    return tuple(f for f in dataclasses.fields(NODES[kind]) if f.name not in ("note", "span"))


@cache
def _hints(kind: str) -> dict[str, Any]:
    return typing.get_type_hints(NODES[kind])


def _fault(path: str, problem: str, fix: str | None = None) -> DefinitionError:
    return DefinitionError(problem, place=path.lstrip(".") or "definition", fix=fix)


def _read(document: object, path: str) -> Node:
    if not isinstance(document, dict):
        raise _fault(path, "Expected an object with a 'node'.")
    kind = document.get("node")
    if not isinstance(kind, str) or kind not in NODES:
        raise _fault(path, f"{kind!r} is not a kind of node.", did_you_mean(nearest(str(kind), NODES)))
    cls = NODES[kind]
    note = document.get("note")
    if note is not None and not isinstance(note, str):
        raise _fault(path + ".note", "A note is text.")
    if cls in (n.Number, n.Date, n.Instant):
        return _read_literal(cls, document, path, note)
    given = {k: v for k, v in document.items() if k not in ("node", "note")}
    known = {f.name for f in _data_fields(kind)}
    for name in given.keys() - known:
        raise _fault(path, f"{kind!r} has no {name!r}.", did_you_mean(nearest(name, known)))
    values: dict[str, Any] = {}
    for spec in _data_fields(kind):
        if spec.name in given:
            values[spec.name] = _field(cls, spec.name, given[spec.name], f"{path}.{spec.name}")
        elif spec.default is dataclasses.MISSING:
            raise _fault(path, f"{kind!r} needs {spec.name!r}.")
    return cls(**values, note=note)


def _read_literal(cls: type[Node], document: dict[str, Any], path: str, note: str | None) -> Node:
    value = document.get("value")
    if not isinstance(value, str) or document.keys() - {"node", "note", "value"}:
        raise _fault(path, f"{cls.kind!r} needs just a 'value', as text.")
    try:
        if cls is n.Number:
            return n.Number(micro_of(value), note=note)
        return n.Date(days_of(value), note=note) if cls is n.Date else n.Instant(micros_of(value), note=note)
    except DefinitionError as error:
        raise _fault(path, error.problem, error.fix) from None


def _field(cls: type[Node], name: str, value: object, path: str) -> object:
    if _is_decimal(cls.kind, name):
        if not isinstance(value, str):
            raise _fault(path, "Expected a decimal number as text.")
        return micro_of(value)
    return _shaped(_hints(cls.kind)[name], value, path)


def _shaped(hint: Any, value: object, path: str) -> object:
    """Hold a value against the field's type: nodes, tuples of nodes, words out of a fixed set, plain values."""
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise _fault(path, "Expected a list.")
        (inner, _) = typing.get_args(hint)
        return tuple(_shaped(inner, v, f"{path}[{i}]") for i, v in enumerate(value))
    if origin is typing.Literal:
        words = typing.get_args(hint)
        if value not in words:
            raise _fault(path, f"{value!r} is not one of {', '.join(map(repr, words))}.")
        return value
    options = typing.get_args(hint) if origin in (typing.Union, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    classes = tuple(o for o in options if isinstance(o, type) and issubclass(o, Node))
    if classes:
        node = _read(value, path)
        if not isinstance(node, classes):
            raise _fault(path, f"A {node.kind!r} can't stand here.")
        return node
    rest = [o for o in options if o is not type(None)]
    if len(rest) == 1 and typing.get_origin(rest[0]) in (tuple, typing.Literal):
        return _shaped(rest[0], value, path)
    for plain in rest:
        if type(value) is plain:
            return value
    raise _fault(path, f"{value!r} can't stand here.")
