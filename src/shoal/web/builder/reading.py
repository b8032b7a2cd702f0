"""What was typed into a field, as a value; what doesn't have the form that is wanted is kept as the text that it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shoal.clock import iso
from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.document import date_text, days_of, decimal_text, micro_of, micros_of
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.lang.nodes import Literal_, Node

_YES = {"yes": True, "no": False, "true": True, "false": False}


def whole_of(raw: str) -> int:
    """A whole number.

    Raises:
        DefinitionError: it isn't one.
    """
    tidy = _tidy(raw)
    if not re.fullmatch(r"-?[0-9]{1,15}", tidy):
        raise DefinitionError(f"{raw!r} is not a whole number.", fix="Write digits alone, as 30.")
    return int(tidy)


def number_of(raw: str) -> int:
    """Millionths of a decimal number.

    Raises:
        DefinitionError: it isn't one.
    """
    tidy = _tidy(raw)
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", tidy):
        raise DefinitionError(f"{raw!r} is not a number.", fix="Write digits with an optional fraction, as 12 or 0.5.")
    return micro_of(tidy)


def _tidy(raw: str) -> str:
    """Without spaces about it, and without commas between thousands."""
    return re.sub(r"(?<=[0-9]),(?=[0-9]{3}(\D|$))", "", raw.strip()).replace("\u2212", "-")


def _yes_no(raw: str) -> n.YesNo:
    if raw.strip().casefold() not in _YES:
        raise DefinitionError(f"{raw!r} is neither yes nor no.")
    return n.YesNo(_YES[raw.strip().casefold()])


def moment_of(raw: str) -> n.Date | n.Instant:
    """A date, or an instant with its zone.

    Raises:
        DefinitionError: it is neither.
    """
    tidy = raw.strip()
    return n.Instant(micros_of(tidy)) if "T" in tidy else n.Date(days_of(tidy))


_BY_KIND: dict[Kind, Callable[[str], Literal_]] = {
    Kind.NUMBER: lambda raw: n.Number(number_of(raw)),
    Kind.YESNO: _yes_no,
    Kind.DATE: lambda raw: n.Date(days_of(raw.strip())),
    Kind.INSTANT: moment_of,
    Kind.TEXT: n.Text,
    Kind.TEXTS: n.Text,
}
_BY_CLASS: dict[type[Node], Kind] = {
    n.Number: Kind.NUMBER,
    n.YesNo: Kind.YESNO,
    n.Date: Kind.INSTANT,
    n.Instant: Kind.INSTANT,
    n.Text: Kind.TEXT,
}


def literal(raw: str, old: Node, wanted: Kind | None) -> Literal_:
    """The literal of what was typed: of the type that is wanted there, else of that which stood there.

    What has neither form is kept as text, where dates don't have to stand: the check says then what is wrong with it.

    Args:
        raw: what was typed.
        old: the literal that stood there.
        wanted: the type of what it is compared with, where it is known.
    """
    for kind in (wanted, _BY_CLASS.get(type(old))):
        if kind in _BY_KIND:
            try:
                return _BY_KIND[kind](raw)
            except (DefinitionError, OverflowError):
                continue
    return n.Text(raw)


def literal_text(node: Node) -> str:
    """What a field shows of a literal."""
    match node:
        case n.Number(micro):
            return decimal_text(micro)
        case n.YesNo(value):
            return "yes" if value else "no"
        case n.Date(days):
            return date_text(days)
        case n.Instant(micros):
            return iso(micros)
        case n.Text(value):
            return value
    raise TypeError(node.kind)
