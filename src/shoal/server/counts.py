"""What came in, counted. Names come from senders, so the number of different ones is bounded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.customers.tracking import Call

MOST_NAMES = 1_000
OTHER = "(other)"


@dataclass(slots=True)
class Counts:
    """Counters since the start of the process.

    Args:
        requests: by status of the answer.
        calls: those taken, by kind.
        refused: calls and requests that weren't, by code of the fault.
        bots: calls left out as a robot's.
        marks: by mark, without the name it bears.
        unknown_events: calls by the event name that the plan doesn't know.
        wrong_types: by ``EVENT.property`` or ``(traits).name``.
    """

    requests: Counter[int] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    bots: int = 0
    marks: Counter[str] = field(default_factory=Counter)
    unknown_events: Counter[str] = field(default_factory=Counter)
    wrong_types: Counter[str] = field(default_factory=Counter)

    def take(self, calls: Sequence[Call]) -> None:
        """Count calls that were taken, and their marks."""
        self.calls.update([call.kind for call in calls])
        for call in calls:
            if call.marks:
                self.mark(call.name, call.marks)

    def mark(self, name: str, marks: tuple[str, ...]) -> None:
        """Count the marks of a call of an event name (empty for traits)."""
        for mark in marks:
            head, _, rest = mark.partition(":")
            self.marks[head] += 1
            if head == "unknown-event":
                _bounded(self.unknown_events, name)
            elif head == "wrong-type":
                _bounded(self.wrong_types, f"{name or '(traits)'}.{rest}")


def _bounded(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < MOST_NAMES else OTHER] += 1
