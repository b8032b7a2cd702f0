"""Why somebody is in a draft, as short lines for people: the conditions that decide it, with the values that they saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.lang import nodes as n
from shoal.lang.document import date_text, decimal_text
from shoal.live.values import Day, Micro, Moment
from shoal.views.words import day, time
from shoal.web.masking import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.live.why import Reason
    from shoal.workspace.people import Person


@dataclass(frozen=True, slots=True)
class Line:
    """A condition that was looked at.

    Args:
        sentence: in plain words.
        truth: whether it holds.
        values: what it saw, as pairs of name and value.
        until: the instant up to which that is certain; None where it stays.
    """

    sentence: str
    truth: bool
    values: tuple[tuple[str, str], ...]
    until: int | None


def lines(reason: Reason, person: Person, zone: str) -> list[Line]:
    """The conditions that make the answer what it is."""
    return [Line(r.sentence, r.truth, tuple(_values(r, person, zone)), r.until) for r in _deciding(reason)]


def _deciding(reason: Reason) -> Iterator[Reason]:
    """Of what has to hold altogether, those that decide: all that hold, or those that don't."""
    if not isinstance(reason.node, n.And | n.Or) or not reason.parts:
        yield reason
        return
    wanted = [part for part in reason.parts if part.truth is reason.truth] or list(reason.parts)
    for part in wanted:
        yield from _deciding(part)


def _values(reason: Reason, person: Person, zone: str) -> Iterator[tuple[str, str]]:
    seen = reason.parts[0] if isinstance(reason.node, n.Not) and reason.parts else reason
    for name, value in seen.values.items():
        yield name, value_text(shown(person, name, value), zone)


def value_text(value: Any, zone: str) -> str:
    """A value of the engine, as it is read.

    >>> (
    ...     value_text(Micro(1_500_000), "UTC"),
    ...     value_text(True, "UTC"),
    ...     value_text(None, "UTC"),
    ...     value_text(("a", "b"), "UTC"),
    ... )
    ('1.5', 'yes', 'not known', 'a, b')
    """
    match value:
        case None:
            return "not known"
        case bool():
            return "yes" if value else "no"
        case Micro():
            return decimal_text(value)
        case Day():
            return date_text(value)
        case Moment():
            return f"{day(value, zone)}, {time(value, zone)}"
        case tuple() | list():
            return ", ".join(value_text(one, zone) for one in value)
    return str(value)
