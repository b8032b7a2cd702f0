"""How long it takes from a call's arrival until its memberships can be read: a histogram."""

from __future__ import annotations

from math import inf

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, inf)
"""Upper ends of the classes, in seconds."""


class Delays:
    """Delays since the start, in microseconds."""

    def __init__(self) -> None:
        self.classes = [0] * len(BOUNDS)
        self.total = 0
        self.calls = 0

    def note(self, micros: int, calls: int) -> None:
        """Note the delay of an entry with so many calls."""
        self.total += micros * calls
        self.calls += calls
        seconds = micros / 1_000_000
        self.classes[next(i for i, bound in enumerate(BOUNDS) if seconds <= bound)] += calls
