"""Windows and durations: their lengths, and which may stand where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.nodes import UNIT_MICROSECONDS

if TYPE_CHECKING:
    from shoal.errors import DefinitionError
    from shoal.lang.check.scope import Faults, Scope

YEARS = 1_000
LONGEST = YEARS * 366 * UNIT_MICROSECONDS["day"]
"""The longest time that a window reaches back, so that every bound stays an instant that can be written."""
_PER_YEAR = {"day": 366, "week": 53, "month": 12, "quarter": 4, "year": 1}


def duration_faults(length: n.Duration, scope: Scope, times: int = 1) -> Faults:
    """A duration is a whole number from 1 up, and ``times`` of it stay below a thousand years."""
    if length.amount < 1:
        yield scope.fault(length, "A duration is 1 or more.", f"Write it as 7 {length.unit}s.")
    elif length.micros * times > LONGEST:
        yield too_long(length, scope)


def too_long(node: n.Node, scope: Scope) -> DefinitionError:
    """The error for a window that reaches back too far."""
    problem = f"This reaches over more than {YEARS:,} years."
    return scope.fault(node, problem, "Leave the window out to look at all time.")


def window_faults(window: n.Window | None, scope: Scope, *, ahead: bool = False) -> Faults:
    """Faults of a window; ``in next …`` only where ``ahead``, which is for traits."""
    match window:
        case n.Last(length):
            yield from duration_faults(length, scope)
        case n.BeforeLast(length, before):
            yield from duration_faults(length, scope)
            yield from duration_faults(before, scope)
        case n.LastCalendar(amount, unit):
            if amount < 1:
                problem = "The number of calendar periods is 1 or more."
                yield scope.fault(window, problem, f"Write last 3 calendar {unit}s.")
            elif amount > YEARS * _PER_YEAR[unit]:
                yield too_long(window, scope)
        case n.Next(length):
            yield from duration_faults(length, scope)
            if not ahead:
                yield scope.fault(
                    window,
                    '"in next" looks ahead, and events lie in the past.',
                    'Use "in last", or ask a date trait, as renewal_date in next 14 days.',
                )
