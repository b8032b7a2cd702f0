"""Comparisons of one typed value with literals, as closed ranges of the integers that a column holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from shoal.lang import nodes as n
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    import numpy.typing as npt

    from shoal.lang.calendar import Zone

Range: TypeAlias = tuple[int, int]
LEAST, MOST = -(2**63) + 1, 2**63 - 1
TURNED: dict[str, n.CompareOp] = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
INTEGERS = (Kind.NUMBER, Kind.DATE, Kind.INSTANT)


def literal(node: n.Node) -> int | None:
    """The millionths of a number that is written out."""
    match node:
        case n.Number(micro):
            return micro
        case n.Negative(n.Number(micro)):
            return -micro
    return None


def ranges(node: n.Node, subject: n.Node, kind: Kind, zone: Zone) -> list[Range] | None:
    """Where ``subject`` makes a condition true; None where the condition isn't of this form. Missing makes it false."""
    match node:
        case n.Compare(left, op, right):
            if left == subject:
                return _compared(op, right, kind, zone)
            return _compared(TURNED[op], left, kind, zone) if right == subject else None
        case n.Between(value, low, high) if value == subject:
            begin, end = _compared(">=", low, kind, zone), _compared("<=", high, kind, zone)
            return None if begin is None or end is None else [(begin[0][0], end[0][1])]
        case n.In(value, options, negated) if value == subject:
            found = [_compared("=", option, kind, zone) for option in options]
            known = [one for each in found if each is not None for one in each]
            if None in found:
                return None
            return outside(known) if negated else known
        case n.Known(value, True) if value == subject:
            return [(LEAST, MOST)]
    return None


def _compared(op: str, other: n.Node, kind: Kind, zone: Zone) -> list[Range] | None:
    """All of one literal stand equal; an instant is equal to a date all day long."""
    same = _same(other, kind, zone)
    if same is None:
        return None
    low, high = same
    match op:
        case "=":
            return [(low, high)]
        case "!=":
            return outside([(low, high)])
        case "<":
            return [(LEAST, low - 1)]
        case "<=":
            return [(LEAST, high)]
        case ">":
            return [(high + 1, MOST)]
    return [(low, MOST)]


def _same(other: n.Node, kind: Kind, zone: Zone) -> Range | None:
    if kind is Kind.NUMBER:
        micro = literal(other)
        return None if micro is None else (micro, micro)
    match kind, other:
        case Kind.DATE, n.Date(days):
            return days, days
        case Kind.INSTANT, n.Instant(micros):
            return micros, micros
        case Kind.INSTANT, n.Date(days):
            return zone.starts(days), zone.starts(days + 1) - 1
        case Kind.DATE, n.Instant(micros):
            day = zone.day(micros)
            while zone.starts(day) > micros:
                day -= 1
            while zone.starts(day + 1) <= micros:
                day += 1
            return day, day
    return None


def outside(found: list[Range]) -> list[Range]:
    """All numbers that stand in none of the ranges."""
    rest, begin = [], LEAST
    for low, high in sorted(found):
        if low > high:
            continue
        if begin < low:
            rest.append((begin, low - 1))
        begin = max(begin, high + 1)
    if begin <= MOST:
        rest.append((begin, MOST))
    return rest


def inside(values: npt.NDArray[np.int64], found: list[Range]) -> npt.NDArray[np.bool_]:
    """Which of the values stand in one of the ranges."""
    truth = np.zeros(len(values), np.bool_)
    for low, high in found:
        truth |= (values >= low) & (values <= high)
    return truth
