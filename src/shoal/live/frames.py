"""Windows as numbers that a loop can use: bounds that move with the instant, and when an event goes out or comes in.

A frame is a row of integers, good for every instant of a stretch (without calendar windows: for all). The window at t is
[low, high) with low = low_mul · t + low_add and high = min(high_mul · t + high_add, cap). What stands at x in it goes out
at out_mul · x + out_add, and what stands at x beyond its end comes in at in_mul · x + in_add, never where x ≥ cap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.lang import nodes as n
from shoal.lang.calendar import literal_instant, unit_start
from shoal.live.values import FAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shoal.lang.calendar import Zone

Frame = tuple[int, int, int, int, int, int, int, int, int]
LOW_MUL, LOW_ADD, HIGH_MUL, HIGH_ADD, CAP, OUT_MUL, OUT_ADD, IN_MUL, IN_ADD = range(9)


class Stretch(NamedTuple):
    """The frames of some windows, and from when until when they hold."""

    frames: npt.NDArray[np.int64]
    begin: int
    end: int


def stretch(windows: Sequence[n.Window | None], t: int, zone: Zone) -> Stretch:
    """The frames of windows from ``t`` on: calendar windows stay as they are until the next date, or change of offset."""
    rows = [_frame(window, t, zone) for window in windows]
    end = FAR
    if any(isinstance(window, n.This | n.LastCalendar) for window in windows):
        end = zone.starts(zone.day(t) + 1)
        if end <= t:
            end = t + 1
        turns = [at for at, _ in zone.transitions(t, end)[1:]]
        end = min([end, *turns])
    return Stretch(np.array(rows, np.int64).reshape(len(rows), 9), t, end)


def _frame(window: n.Window | None, t: int, zone: Zone) -> Frame:
    match window:
        case None:
            return 0, -FAR, 1, 1, FAR, 0, FAR, 1, 0
        case n.Last(length):
            return 1, 1 - length.micros, 1, 1, FAR, 1, length.micros, 1, 0
        case n.BeforeLast(length, before):
            back = before.micros
            return 1, 1 - back - length.micros, 1, 1 - back, FAR, 1, back + length.micros, 1, back
        case n.Next(length):
            return 1, 1, 1, length.micros + 1, FAR, 1, 0, 1, -length.micros
        case n.Since(start):
            return 0, literal_instant(start, zone), 1, 1, FAR, 0, FAR, 1, 0
        case n.Period(start, last):
            return 0, literal_instant(start, zone), 1, 1, literal_instant(last, zone), 0, FAR, 1, 0
    return _calendar(window, t, zone)


def _calendar(window: n.This | n.LastCalendar, t: int, zone: Zone) -> Frame:
    """What goes out or comes in does so at the edge of a unit: the next one is the earliest."""
    today = zone.day(t)
    begin, edge = (zone.starts(unit_start(today, window.unit, back)) for back in (0, -1))
    if edge <= t:
        edge = t + 1
    if isinstance(window, n.This):
        return 0, begin, 1, 1, FAR, 0, edge, 1, 0
    first = zone.starts(unit_start(today, window.unit, window.amount))
    return 0, first, 0, begin, FAR, 0, edge, 0, edge
