"""The resident engine: memberships of all customers at its instant, as events come, definitions change and time passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.errors import UnknownName
from shoal.lang.calendar import zone
from shoal.live.bits import Bits
from shoal.live.columns import grown
from shoal.live.judge import Judge
from shoal.live.plan import Touch, made_ready
from shoal.live.state import ACCOUNT_ID, ACCOUNT_PREFIX, State
from shoal.live.values import FAR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from fractions import Fraction
    from typing import Any

    import numpy.typing as npt

    from shoal.lang.nodes import Definition
    from shoal.lang.schema import Schema

BY_TIME = "time"


class Change(NamedTuple):
    """A membership that changed, once, in order per customer.

    ``what`` is ``entered`` or ``left``; ``merged``: the customer's membership went over to who stands for them now,
    ``unmerged``: it came back. ``at`` is the evaluation's instant, for a change by time the due one.
    """

    customer: str
    segment: str
    what: str
    at: int
    because: str


class Engine:
    """Who is in which segment, now.

    Args:
        schema: types of traits and properties, grounds of purposes, the time zone.
        definitions: by slug, checked against the schema.
        now: the instant at which it stands.
        recording: whether the changes that it finds are history that ``entered`` and ``left`` ask of.
    """

    def __init__(
        self, schema: Schema, definitions: Mapping[str, Definition], now: int, *, recording: bool = True
    ) -> None:
        self.recording = recording
        self.schema = schema
        self.now = now
        self.zone = zone(schema.zone)
        self.state = State(schema)
        self.plan = made_ready(definitions)
        self.bits = Bits()
        self.due: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._slots = {slug: slot for slot, slug in enumerate(self.plan.definitions)}
        self._touched: dict[int, set[str]] = {}
        self._touched_all: set[str] = set()

    # ------------------------------------------------------------ asking

    def members(self, slug: str) -> list[str]:
        """The ids of a segment's members, in the order of their rows."""
        rows = np.flatnonzero(self.bits.column(self._slot(slug)))
        return [self.state.people.ids[row] for row in rows]

    def size(self, slug: str) -> int:
        """How many members a segment has."""
        return int(np.count_nonzero(self.bits.column(self._slot(slug))))

    def is_member(self, slug: str, customer: str) -> bool:
        """Whether a customer, by any of their ids, is in a segment."""
        return self.bits.get(self.row(customer), self._slot(slug))

    def row(self, customer: str) -> int:
        """The row of who stands for a customer.

        Raises:
            UnknownName: there is no such customer.
        """
        row = self.state.people.known(customer)
        if row is None:
            raise UnknownName("customer", customer)
        return self.state.people.survivor(row)

    def _slot(self, slug: str) -> int:
        if slug not in self._slots:
            raise UnknownName("segment", slug, self._slots)
        return self._slots[slug]

    def until(self, slug: str, customer: str) -> int | None:
        """The earliest instant at which the membership changes if nothing more is received; None for never."""
        row, t = self.row(customer), self.now
        truth, certain = self._judge(row, t).segment(slug)
        while certain < FAR:
            t = certain
            found, certain = self._judge(row, t).segment(slug)
            if found != truth:
                return t
        return None

    def next_due(self) -> int:
        """The next instant at which time alone may change a membership; FAR where there is none."""
        return int(self.due.min()) if len(self.due) else FAR

    def _judge(self, row: int, t: int) -> Judge:
        return Judge(self.plan, self.state, self.zone, row, t)

    # ------------------------------------------------------------ evaluating

    def build(self) -> list[Change]:
        """Evaluate everything at ``now``."""
        self._touched_all |= set(self.plan.definitions)
        return self.settle()

    def advance(self, t: int) -> list[Change]:
        """Let time pass; each change is of the very instant at which it was due."""
        changes: list[Change] = []
        if t <= self.now:
            return changes
        for row in np.flatnonzero(self.due <= t).tolist():
            while (due := int(self.due[row])) <= t:
                self.due[row] = FAR
                changes += self._evaluate(row, due, self.plan.definitions.keys(), BY_TIME)
        self.now = t
        changes.sort(key=lambda change: change.at)
        return changes

    def settle(self, because: str = "") -> list[Change]:
        """Evaluate what was touched since the last time, at ``now``."""
        changes: list[Change] = []
        everywhere, self._touched_all = self._touched_all, set()
        touched, self._touched = self._touched, {}
        people = self.state.people
        self._ensure()
        rows = range(len(people)) if everywhere else sorted(touched)
        for row in rows:
            if not people.gone(row):
                changes += self._evaluate(row, self.now, touched.get(row, set()) | everywhere, because)
        return changes

    def _ensure(self) -> None:
        rows = len(self.state.people)
        self.due = grown(self.due, rows, FAR)
        self.bits.ensure(len(self.due), max(self._slots.values(), default=0) + 1)

    def _evaluate(self, row: int, t: int, wanted: Iterable[str], because: str) -> list[Change]:
        """Judge the wanted segments of one customer, and those that refer to what changes."""
        judge = self._judge(row, t)
        changes: list[Change] = []
        due, asked = int(self.due[row]), set(wanted)
        for slug in self.plan.definitions:
            if slug not in asked:
                continue
            truth, until = judge.segment(slug)
            due = min(due, until)
            if truth != self.bits.get(row, self._slots[slug]):
                asked.update(self.plan.dependents.get(slug, ()))
                changes.append(self._publish(row, slug, "entered" if truth else "left", t, because))
                self.bits.put(row, self._slots[slug], truth)
        self.due[row] = due
        return changes

    def _publish(self, row: int, slug: str, what: str, t: int, because: str) -> Change:
        if self.recording:
            self.state.published_table(slug, what).insert(row, t, "", {})
        return Change(self.state.people.ids[row], slug, what, t, because)

    # ------------------------------------------------------------ touching

    def _touch(self, row: int, touch: Touch) -> None:
        slugs = self.plan.touched_by(touch)
        row = self.state.people.survivor(row)
        self._touched.setdefault(row, set()).update(slugs)
        if self.plan.shared & slugs or (touch.kind == "trait" and touch.name == ACCOUNT_ID):
            self._touch_colleagues(row, self.plan.shared)

    def _touch_colleagues(self, row: int, slugs: frozenset[str]) -> None:
        for entry in self.state.entries(self.state.traits.get(ACCOUNT_ID), row):
            for other in self.state.belonging.get(entry.get("value"), ()):
                self._touched.setdefault(self.state.people.survivor(other), set()).update(slugs)

    def _seen(self, row: int, ts: int) -> None:
        """Whoever is new, or is there from an earlier instant on, may be in any segment."""
        if ts < self.state.people.exists_from(self.state.people.survivor(row)):
            self._touched.setdefault(self.state.people.survivor(row), set()).update(self.plan.definitions)

    # ------------------------------------------------------------ taking in

    def add_event(self, customer: str, name: str, ts: int, mid: str, properties: Mapping[str, Any]) -> None:
        """Take in an event; ``settle`` evaluates."""
        row = self.state.people.row(customer)
        self._seen(row, ts)
        self.state.add(self.state.event_table(name), row, ts, mid, properties)
        self._touch(row, Touch("event", name))

    def add_trait(self, owner: str, name: str, value: Any, ts: int, mid: str) -> None:
        """Take in a change of a trait; a name with the prefix ``account.`` is one of the account ``owner``."""
        if name.startswith(ACCOUNT_PREFIX):
            row = self.state.accounts.row(owner)
            self.state.trait_table(name).insert(row, ts, mid, {"value": value})
            for other in self.state.belonging.get(owner, ()):
                self._touch(other, Touch("trait", name))
            return
        row = self.state.people.row(owner)
        self._seen(row, ts)
        self.state.add(self.state.trait_table(name), row, ts, mid, {"value": value})
        if name == ACCOUNT_ID:
            self.state.belongs(self.state.people.survivor(row), value)
        self._touch(row, Touch("trait", name))

    def add_consent(self, customer: str, purpose: str, granted: bool, ts: int, mid: str) -> None:
        """Take in a word of consent."""
        row = self.state.people.row(customer)
        self.state.consent_table(purpose).insert(row, ts, mid, {"granted": granted})
        self._touch(row, Touch("consent", purpose))

    def add_listed(self, name: str, customer: str, added: bool, ts: int) -> None:
        """Put a customer on a list, or take them off."""
        row = self.state.people.row(customer)
        self.state.list_table(name).insert(row, ts, "", {"added": added})
        self._touch(row, Touch("list", name))

    def add_published(self, segment: str, customer: str, what: str, ts: int) -> None:
        """Take in recorded history of a segment."""
        row = self.state.people.row(customer)
        self.state.published_table(segment, what).insert(row, ts, "", {})
        standing = self.state.people.survivor(row)
        self._touched.setdefault(standing, set()).update(self.plan.dependents.get(segment, ()))

    def refresh(self, value: str, rank: str, ts: int, number: Fraction) -> None:
        """Take in a refreshed threshold."""
        self.state.refresh(value, rank, ts, number)
        self._touched_all |= self.plan.touched_by(Touch("threshold", ""))

    def merge(self, kept: str, gone: str) -> list[Change]:
        """``gone`` joins ``kept``; returns the memberships that went over. ``settle`` evaluates who is kept."""
        people = self.state.people
        one, other = people.row(kept), people.row(gone)
        self._touch_colleagues(other, self.plan.shared)
        self.state.join(one, other)
        self._ensure()
        changes = self._cleared(other, "merged")
        standing = people.survivor(one)
        self._touched.pop(other, None)
        self._touched.setdefault(standing, set()).update(self.plan.definitions)
        self._touch_colleagues(standing, self.plan.shared)
        return changes

    def _cleared(self, row: int, what: str) -> list[Change]:
        """All memberships of a row taken away."""
        changes = []
        for slug, slot in self._slots.items():
            if self.bits.get(row, slot):
                self.bits.put(row, slot, False)
                changes.append(Change(self.state.people.ids[row], slug, what, self.now, what))
        self.due[row] = FAR
        return changes

    def unmerge(self, gone: str) -> list[Change]:
        """Take a merge back; returns the memberships that came back. ``settle`` evaluates who stood for them."""
        people = self.state.people
        row = people.row(gone)
        standing = self.state.separate(row)
        self._touch_colleagues(standing, self.plan.shared)
        self._touch_colleagues(row, self.plan.shared)
        self._touched.setdefault(standing, set()).update(self.plan.definitions)
        self._ensure()
        changes = []
        judge = self._judge(row, self.now)
        due = FAR
        for slug, slot in self._slots.items():
            truth, until = judge.segment(slug)
            due = min(due, until)
            if truth:
                self.bits.put(row, slot, True)
                changes.append(Change(gone, slug, "unmerged", self.now, "unmerged"))
        self.due[row] = due
        return changes

    def define(self, definitions: Mapping[str, Definition]) -> None:
        """Put other definitions in force; only what is new or says something else is evaluated anew."""
        old = self.plan.definitions
        self.plan = made_ready(definitions)
        for slug in old.keys() - definitions.keys():
            self.bits.clear(self._slots.pop(slug))
        free = sorted(set(range(len(self._slots) + len(definitions))) - set(self._slots.values()))
        changed = set()
        for slug, definition in self.plan.definitions.items():
            if slug not in self._slots:
                self._slots[slug] = free.pop(0)
            if old.get(slug) != definition or self.plan.dependents.get(slug):
                changed.add(slug)
        for slug in self.plan.definitions:
            if slug in changed:
                changed.update(self.plan.dependents.get(slug, ()))
        self._touched_all |= changed

    def forget(self, customer: str) -> None:
        """Erase a customer: nothing of theirs stays in memory."""
        row = self.state.people.row(customer)
        for table in self.state.tables_of_people():
            table.clear(row)
        self._cleared(row, "left")
        self.state.people.forget(row)
        for rows in self.state.belonging.values():
            rows.discard(row)
