"""Single values at the door: which type a Python value has, and its physical form in the store (see ``sql.tables``).

- Numbers become integers of a millionth, rounded half to even. A float stands for its shortest decimal text: 0.1 is a
  tenth. Beyond ± 10^12 a record is rejected.
- A point at latitude φ and longitude λ becomes its unit vector × 10^9, each part rounded half to even:
  x = cos φ · cos λ, y = cos φ · sin λ, z = sin φ.
- Nothing is coerced: a value that isn't of the type is missing, and counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeAlias

from shoal.clock import to_instant
from shoal.lang.schema import Kind
from shoal.shapes import Point

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 10**12
"""Numbers beyond ± this are rejected."""

Physical: TypeAlias = "str | int | bool | list[str] | dict[str, int] | None"

_SHORT = 10**9
"""A float below this and of at most six decimals has no more than fifteen digits."""
_MICRO = Decimal("0.000001")
_EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class MistypedError(ValueError):
    """The value isn't of the type: it is missing, and counted."""


def kind_of(value: object) -> Kind | None:
    """The type that a value shows at first sight; None where it shows none (None, an empty list, something foreign)."""
    match value:
        case None:
            return None
        case bool():
            return Kind.YESNO
        case str():
            return Kind.TEXT
        case datetime():
            return Kind.INSTANT
        case date():
            return Kind.DATE
        case Point():
            return Kind.POINT
        case list() | tuple():
            return _kind_of_list(value)
        case _:
            return Kind.NUMBER if _is_number(value) else None


def _kind_of_list(values: Iterable[object]) -> Kind | None:
    for item in values:
        if isinstance(item, str):
            return Kind.TEXTS
        if isinstance(item, Mapping):
            return Kind.OBJECTS
    return None


def encode(value: object, kind: Kind) -> Physical:
    """The physical form of a value of a type; None stays None.

    Raises:
        MistypedError: the value isn't of the type, or the type is a list of objects (see ``encode_objects``).
    """
    if value is None:
        return None
    match kind, value:
        case Kind.TEXT, str():
            return _text(value)
        case Kind.YESNO, bool():
            return value
        case Kind.INSTANT, datetime() if value.tzinfo is not None:
            return to_instant(value)
        case Kind.DATE, date() if not isinstance(value, datetime):
            return value.toordinal() - _EPOCH_ORDINAL
        case Kind.POINT, Point():
            return dict(zip("xyz", point(*value), strict=True))
        case Kind.TEXTS, list() | tuple() if all(isinstance(item, str) for item in value):
            return [_text(item) for item in value]
        case Kind.NUMBER, _ if _is_number(value):
            return millionths(value)
    raise MistypedError(f"{type(value).__name__} is not {kind.value}")


def millionths(value: object) -> int:
    """A number as an integer of a millionth, half to even.

    Raises:
        MistypedError: it is no number, or "not a number".
        OverflowError: it is beyond ± 10^12.
    """
    if type(value) is float and -_SHORT < value < _SHORT:
        # Nearly all: no more than six decimals, which fifteen digits tell from every other number.
        near = round(value * 1e6)
        if near / 1e6 == value:
            return near
    elif type(value) is int and -LIMIT <= value <= LIMIT:
        return value * 1_000_000
    if not _is_number(value):
        raise MistypedError(f"{type(value).__name__} is not a number")
    exact = _decimal(value)
    if exact.is_nan():
        raise MistypedError("not a number")
    if abs(exact) > LIMIT:
        raise OverflowError(_beyond(value))
    return int(exact.quantize(_MICRO, context=_EXACT).scaleb(6, context=_EXACT))


def point(latitude: float, longitude: float) -> tuple[int, int, int]:
    """The unit vector × 10^9 of a place in degrees, each part rounded half to even.

    Raises:
        MistypedError: outside ± 90 and ± 180 degrees.
    """
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise MistypedError("no place on earth")
    phi, lam = math.radians(latitude), math.radians(longitude)
    parts = math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)
    x, y, z = (round(part * 1e9) for part in parts)
    return x, y, z


def numbers_in(value: object) -> Iterable[object]:
    """The numbers in a value, those inside objects included."""
    if isinstance(value, list | tuple) and not isinstance(value, Point):
        for item in value:
            if isinstance(item, Mapping):
                yield from (v for v in item.values() if _is_number(v))
    elif _is_number(value):
        yield value


def beyond(value: object) -> str | None:
    """Why a number in the value can't be stored, or None."""
    for number in numbers_in(value):
        if _exceeds(number):
            return _beyond(number)
    return None


def storable(text: str) -> bool:
    """Whether a text is valid Unicode (half of a surrogate pair is not)."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _text(text: str) -> str:
    if not storable(text):
        raise MistypedError("not valid Unicode")
    return text


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def _exceeds(number: object) -> bool:
    exact = _decimal(number)
    return not exact.is_nan() and abs(exact) > LIMIT


def _decimal(number: object) -> Decimal:
    if isinstance(number, Decimal):
        return number
    return Decimal(int(number)) if isinstance(number, Integral) else Decimal(repr(float(number)))  # type: ignore[arg-type]


def _beyond(number: object) -> str:
    return f"the number {number} is beyond ± 10^12"
