"""How long it takes until memberships can be read and their changes are published: over all calls, and by segment.

Of an event the delay counts from the arrival of the call; of a window that ends, from the instant at which it was due.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import groupby
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shoal.clock import SECOND
from shoal.live.engine import BY_TIME
from shoal.workspace.live.entries import CALLS, COMMAND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import numpy.typing as npt

    from shoal.customers.tracking import Call
    from shoal.live.changes import Changes

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, inf)
"""Upper ends of the classes, in seconds."""
QUANTILES = (0.5, 0.95, 0.99)
WINDOW: Final = 300 * SECOND
"""Quantiles are of the last one to two of these spans."""
MOST = 200
"""So many segments are measured apart, unless said otherwise."""
OTHER = "(other)"
"""Stands for all segments beyond that."""
EVENT, TIME = "event", "time"
TOGETHER = 500
"""Entries whose delays are counted together."""
MANY = 1_000
"""Changes of one entry from which on instants are rounded."""
_ENDS = [bound * SECOND for bound in BOUNDS]
_OCTAVES = 40
_CLASSES = _OCTAVES << 3


class Histogram:
    """Delays since the start, in classes."""

    def __init__(self) -> None:
        self.classes = [0] * len(BOUNDS)
        self.total = 0
        """Microseconds."""
        self.count = 0

    def note(self, micros: int, many: int = 1) -> None:
        """Note so many delays of one length."""
        self.total += micros * many
        self.count += many
        self.classes[bisect_left(_ENDS, micros)] += many


class Sketch:
    """Delays of late, from which quantiles are told to within an eighth, upwards."""

    __slots__ = ("_before", "_now", "count", "total")

    def __init__(self) -> None:
        self._now = [0] * _CLASSES
        self._before: list[int] | None = None
        self.count = 0
        self.total = 0

    def note(self, place: int, total: int, many: int) -> None:
        """Note so many delays of one class, ``place_of(micros)``, and what they come to together."""
        self._now[place] += many
        self.count += many
        self.total += total

    def turn(self) -> None:
        """Begin another window."""
        self._before, self._now = self._now, [0] * _CLASSES

    def quantiles(self) -> list[float]:
        """The delays, in seconds, below which ``QUANTILES`` of the late ones lie; not a number where there were none."""
        before = self._before or [0] * len(self._now)
        held = [a + b for a, b in zip(self._now, before, strict=True)]
        whole = sum(held)
        if not whole:
            return [float("nan")] * len(QUANTILES)
        found, seen, place = [], 0, -1
        for share in QUANTILES:
            while seen < share * whole:
                place += 1
                seen += held[place]
            found.append(_upper_end(place) / SECOND)
        return found


def place_of(micros: int) -> int:
    """The class of a delay: eight to each doubling."""
    if micros < 8:
        return max(0, micros)
    bits = micros.bit_length()
    return min((bits << 3) | ((micros >> (bits - 4)) & 7), _CLASSES - 1)


def _upper_end(place: int) -> int:
    """The least delay beyond a class, in microseconds."""
    return place + 1 if place < 8 else (9 + (place & 7)) << ((place >> 3) - 4)


def _by_time(changes: Changes) -> npt.NDArray[np.bool_] | None:
    """Which of them time alone brought; None where none was."""
    if BY_TIME not in changes.causes:
        return None
    return np.equal(changes.places_of_causes, list(changes.causes).index(BY_TIME))


class Delays:
    """Delays of one live workspace, noted by the apply loop alone.

    Args:
        most: how many segments are measured apart.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.calls = Histogram()
        """From a call's arrival until its memberships can be read."""
        self.expiries = Histogram()
        """From the instant at which a membership was due to change until the change was published."""
        self._segments: dict[tuple[str, str], Sketch] = {}
        self._lock = Lock()
        self._waiting: list[tuple[Sequence[str], npt.NDArray[Any], int]] = []
        """Segments that events changed, and the delay, which aren't counted yet: counting many at once costs little more."""
        self._slugs: set[str] = set()
        self._turn = 0

    def note(self, kind: int, calls: Sequence[Call] | None, changes: Changes, now: int) -> None:
        """Note what an entry of the log came to, once it is published.

        Args:
            kind: of the entry; what commands change isn't measured.
            calls: of the entry.
            changes: that were published.
            now: the instant at which they were.
        """
        if kind == COMMAND:
            return
        delay = 0
        if kind == CALLS and calls:
            first = calls[0].received if len(calls) == 1 else min([call.received for call in calls])
            delay = max(0, now - first)
            self.calls.note(delay, len(calls))
        if not len(changes):
            return
        with self._lock:
            self._note(kind, delay, changes, now)

    def _note(self, kind: int, delay: int, changes: Changes, now: int) -> None:
        if now >= self._turn:
            self._turn_all(now)
        slugs, segments = changes.slugs, changes.segments
        by_time = _by_time(changes)
        late, others = (segments[:0], segments) if by_time is None else (segments[by_time], segments[~by_time])
        if len(late):
            # Counted first: at midnight a million may be due together. Of very many the instant counts to a millisecond.
            step = 1 if len(late) < MANY else 1_000
            due = Counter(zip(late.tolist(), (changes.at[by_time] // step).tolist(), strict=True))
            for (number, at), many in due.items():
                self._note_late(slugs[number], now - at * step, many)
        if kind == CALLS:
            self._waiting.append((slugs, others, delay))
            if len(self._waiting) >= TOGETHER:
                self._count()

    def _count(self) -> None:
        """Note the delays that wait."""
        waiting, self._waiting = self._waiting, []
        for _, of_one in groupby(waiting, key=lambda each: id(each[0])):
            each = list(of_one)
            slugs, lengths = each[0][0], [len(segments) for _, segments, _ in each]
            delays = np.repeat([delay for _, _, delay in each], lengths)
            places = np.repeat([place_of(delay) for _, _, delay in each], lengths)
            cells = np.concatenate([segments for _, segments, _ in each]) * _CLASSES + places
            found, which, counts = np.unique(cells, return_inverse=True, return_counts=True)
            totals = np.bincount(which, delays).astype(np.int64)
            for cell, many, total in zip(found.tolist(), counts.tolist(), totals.tolist(), strict=True):
                self._of(slugs[cell // _CLASSES], EVENT).note(cell % _CLASSES, total, many)

    def _note_late(self, slug: str, micros: int, many: int) -> None:
        late = max(0, micros)
        self.expiries.note(late, many)
        self._of(slug, TIME).note(place_of(late), late * many, many)

    def _of(self, slug: str, cause: str) -> Sketch:
        found = self._segments.get((slug, cause))
        if found is None:
            if slug not in self._slugs and len(self._slugs) >= self.most:
                slug = OTHER
            else:
                self._slugs.add(slug)
            found = self._segments.setdefault((slug, cause), Sketch())
        return found

    def _turn_all(self, now: int) -> None:
        self._count()
        idle = now >= self._turn + WINDOW
        self._turn = now + WINDOW
        for sketch in list(self._segments.values()):
            sketch.turn()
            if idle:
                sketch.turn()

    def segments(self, there: Collection[str], now: int) -> Iterator[tuple[str, str, Sketch]]:
        """Segment, cause (``event`` or ``time``) and delays, for the segments that are there still.

        Args:
            there: the slugs in force; others are forgotten.
            now: the instant.
        """
        with self._lock:
            if now >= self._turn:
                self._turn_all(now)
            self._count()
            for slug, cause in list(self._segments):
                if slug not in there and slug != OTHER:
                    self._segments.pop((slug, cause), None)
                    self._slugs.discard(slug)
            found = list(self._segments.items())
        yield from ((slug, cause, sketch) for (slug, cause), sketch in found)
