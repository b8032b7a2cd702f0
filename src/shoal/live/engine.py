"""The resident engine: memberships of all customers at its instant, as events come, definitions change and time passes."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import UnknownName
from shoal.lang.calendar import zone
from shoal.live.batches import Events, apply
from shoal.live.changes import LEFT, MERGED, NONE, UNMERGED, Changes
from shoal.live.evaluator import Evaluator
from shoal.live.freeze import frozen, thaw, thaw_memberships
from shoal.live.judge import Judge
from shoal.live.needs import Needs, lacking, needs
from shoal.live.plan import Touch, made_ready
from shoal.live.preview import Preview, preview
from shoal.live.state import ACCOUNT_ID, ACCOUNT_PREFIX, State
from shoal.live.values import FAR
from shoal.live.why import Reason, reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from fractions import Fraction
    from typing import Any

    import numpy.typing as npt

    from shoal.lang.nodes import Definition
    from shoal.lang.schema import Schema
    from shoal.live.evaluator import Flips

BY_TIME = "time"
_AHEAD = 1 << 13
"""Entries of a table that memory is touched for at a start."""
_LOOSE = 1 << 16
"""So many entries may stand loose in any table."""


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
        self.evaluator = Evaluator(self.state, self.zone, self.plan, recording)
        self._touched: dict[int, frozenset[str]] = {}
        self._touched_all: set[str] = set()
        self.behind = False
        """Whether customers are due still who weren't among those that ``advance`` let in."""
        self._caught = NONE
        """Changes by time of customers who couldn't wait for their turn."""

    # ------------------------------------------------------------ asking

    def members(self, slug: str) -> list[str]:
        """The ids of a segment's members, in the order of their rows."""
        return self.ids_of(self.member_rows(slug))

    def member_rows(self, slug: str) -> npt.NDArray[np.int64]:
        """The rows of a segment's members."""
        return self.evaluator.bits.rows(self._slot(slug))

    def ids_of(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """The ids of customers; safe while another thread changes the engine."""
        return self.state.people.ids.texts(rows)

    def size(self, slug: str) -> int:
        """How many members a segment has."""
        return self.evaluator.bits.count(self._slot(slug))

    def is_member(self, slug: str, customer: str) -> bool:
        """Whether a customer, by any of their ids, is in a segment."""
        return self.evaluator.bits.get(self.row(customer), self._slot(slug))

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
        if slug not in self.evaluator.slots:
            raise UnknownName("segment", slug, self.evaluator.slots)
        return self.evaluator.slots[slug]

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

    def preview(self, definition: Definition, sample: int = 10) -> Preview:
        """What a definition would give now: its count, the size of each condition alone and in place, some members."""
        return preview(self, definition, sample)

    def why(self, slug: str, customer: str, t: int | None = None) -> Reason:
        """Why a customer is in a segment or not, and until when; each condition for itself."""
        self._slot(slug)
        return reason(self, slug, self.row(customer), self.now if t is None else t)

    def since(self, slug: str, customer: str) -> int | None:
        """When the customer entered last, as it was published; None where that isn't known."""
        row = self.row(customer)
        table = self.state.published.get((slug, "entered"))
        self._slot(slug)
        if table is None:
            return None
        found = [at for one in self.state.people.members(row) for at in table.instants(one) if at <= self.now]
        return max(found, default=None)

    def next_due(self) -> int:
        """The next instant at which time alone may change a membership; FAR where there is none."""
        return self.evaluator.dues.next()

    def _judge(self, row: int, t: int) -> Judge:
        return Judge(self.plan, self.state, self.zone, row, t)

    # ------------------------------------------------------------ evaluating

    def build(self, *, quiet: bool = False) -> Changes:
        """Evaluate everything at ``now``.

        Args:
            quiet: whether what differs is neither told nor recorded as history.
        """
        for table in self.state.tables():
            table.compact()
        if not quiet:
            self._touched_all |= set(self.plan.definitions)
            return self.settle()
        self._touched_all, self._touched = set(), {}
        self.behind = False
        self.evaluator.ensure()
        rows = self.standing()
        self.evaluator.evaluate(rows, np.full(len(rows), self.now), self.plan.everything, whole=True, quiet=True)
        return self._let_go()

    def assume(self, members: Mapping[str, npt.NDArray[np.int64]]) -> None:
        """Take memberships, the rows of each segment, as they were published last; ``build`` tells what differs by now."""
        self.evaluator.ensure()
        bits, gone = self.evaluator.bits, self.state.people.gone_rows
        for slug, rows in members.items():
            if slug in self.evaluator.slots:
                new = rows[~np.isin(rows, gone)] if gone else rows
                slot = self.evaluator.slots[slug]
                bits.flip(new[~bits.gather(new, slot)], slot)

    def expect(self) -> None:
        """Work out when each customer is due, and leave memberships as they were published."""
        self.evaluator.ensure()
        self.evaluator.expect(self.standing(), self.now)

    def advance(self, t: int, most: int | None = None) -> Changes:
        """Let time pass; each change is of the very instant at which it was due.

        Where very many are due at once, as when a calendar day ends, ``most`` makes pieces: so many customers at most are judged,
        those first who are due first. ``now`` is ``t`` at once; while ``behind``, others wait for the next call, with the same
        instant or a later one. Whoever is touched meanwhile is brought up to date before that, so that each customer's changes
        are those of one call, in the same order.

        Args:
            t: until when.
            most: how many customers are judged at most; None for all, 0 for nobody yet.
        """
        if t <= self.now and not self.behind:
            return self._let_go()
        self.now = max(t, self.now)
        self.behind = False
        if self.evaluator.dues.next() > self.now:
            return self._let_go()
        self.evaluator.ensure()
        flips = [] if most == 0 else self._pass(self.evaluator.dues.by(self.now), most)
        self.behind = self.evaluator.dues.next() <= self.now
        return self._after(self.told(flips, BY_TIME, by_time=True))

    def _pass(self, due: npt.NDArray[np.int64], most: int | None = None) -> list[Flips]:
        """Judge who is due, each at the instant at which they are, and again until nobody of them is."""
        dues = self.evaluator.dues
        flips: list[Flips] = []
        left = len(self.state.people) if most is None else most
        while len(due) and left > 0:
            rows = due if most is None or len(due) <= left else self._earliest(due, left)
            flips += self.evaluator.evaluate(rows, dues.at[rows].copy(), self.plan.definitions, whole=True)
            left -= 0 if most is None else len(rows)
            due = due[dues.at[due] <= self.now]
        return flips

    def _earliest(self, due: npt.NDArray[np.int64], many: int) -> npt.NDArray[np.int64]:
        """So many of who is due first; of one instant, in an order that doesn't hang on where customers stand in memory."""
        at, ids = self.evaluator.dues.at[due], self.state.people.ids
        last = np.partition(at, many - 1)[many - 1]
        before, equal = due[at < last], due[at == last]
        if len(before) + len(equal) == many:
            return np.sort(np.concatenate((before, equal)))
        hashes = ids.hashes(equal)
        left = many - len(before)
        edge = np.partition(hashes, left - 1)[left - 1]
        sure, tied = equal[hashes < edge], equal[hashes == edge]
        names = ids.texts(tied)
        chosen = tied[sorted(range(len(tied)), key=names.__getitem__)[: left - len(sure)]]
        return np.sort(np.concatenate((before, sure, chosen)))

    def catch_up(self, rows: npt.NDArray[np.int64]) -> Changes:
        """Bring customers up to date who wait for their turn (see ``advance``); returns what changed."""
        if not self.behind:
            return self._let_go()
        dues = self.evaluator.dues.at
        due = np.unique(rows[rows < len(dues)])
        if self.evaluator.shares:
            due = self.evaluator.dues.by(self.now)
        return self._after(self.told(self._pass(due[dues[due] <= self.now]), BY_TIME, by_time=True))

    def _current(self, *rows: int) -> None:
        """Bring customers up to date before anything of theirs changes."""
        if self.behind:
            self._caught = self.catch_up(np.array([self.state.people.survivor(row) for row in rows], np.int64))

    def _all_current(self) -> None:
        """Bring everybody up to date."""
        if self.behind:
            self._caught = self.advance(self.now)

    def _let_go(self) -> Changes:
        """What changed of those who couldn't wait."""
        caught, self._caught = self._caught, NONE
        return caught

    def _after(self, changes: Changes) -> Changes:
        """Changes, behind those of who couldn't wait."""
        return Changes.joined((self._let_go(), changes)) if len(self._caught.rows) else changes

    def settle(self, because: str = "") -> Changes:
        """Evaluate what was touched since the last time, at ``now``."""
        everywhere, self._touched_all = self._touched_all, set()
        touched, self._touched = self._touched, {}
        self.evaluator.ensure()
        if everywhere:
            self._all_current()
            # The rest of what was touched is a part of these customers' segments.
            wanted = everywhere.union(*touched.values())
            return self._after(self.told(self._evaluate(self.standing(), wanted), because))
        self._current(*touched)
        groups: dict[frozenset[str], list[int]] = {}
        for row in sorted(touched):
            if not self.state.people.gone(row):
                groups.setdefault(touched[row], []).append(row)
        flips = [self._evaluate(np.array(rows, np.int64), slugs) for slugs, rows in groups.items()]
        return self._after(self.told(chain.from_iterable(flips), because))

    def warm(self) -> Changes:
        """Ask once of a single customer, and touch memory for what comes, before the first event waits for either."""
        for table in self.state.events.values():
            table.widen(len(self.state.people.exists))
            table.lengthen(table.used + _AHEAD)
            table.more_runs(table.runs + _AHEAD)
        rows = self.standing()
        if len(rows):
            self.mark(int(rows[0]), self.plan.definitions)
        return self.settle()

    def standing(self) -> npt.NDArray[np.int64]:
        """All customers who stand for themselves."""
        people = self.state.people
        rows = np.arange(len(people))
        return np.delete(rows, people.gone_rows) if people.gone_rows else rows

    def _evaluate(self, rows: npt.NDArray[np.int64], wanted: Collection[str]) -> list[Flips]:
        return self.evaluator.evaluate(rows, np.full(len(rows), self.now), wanted)

    def told(self, flips: Iterable[Flips], because: str, *, by_time: bool = False) -> Changes:
        """What changed, in order per customer; or in order of time, and then per customer."""
        found = list(flips)
        if not found:
            return NONE
        numbers = self.evaluator.numbers
        codes = np.concatenate([numbers[f.slug] << 2 | f.truth for f in found])
        rows, at = (np.concatenate(parts) for parts in zip(*((f.rows, f.at) for f in found), strict=True))
        order = np.lexsort((rows, at)) if by_time else np.argsort(rows, kind="stable")
        return Changes(rows[order], codes[order], at[order], self.evaluator.names, self.state.people.ids, (because,))

    def changed(self, found: npt.NDArray[np.int64], because: str) -> Changes:
        """What loops found (rows of customer, 4 · segment + truth, instant), as changes; and as history where it is kept."""
        names, ids = self.evaluator.names, self.state.people.ids
        changes = Changes(found[:, 0], found[:, 1], found[:, 2], names, ids, (because,))
        if self.evaluator.recording and len(found):
            self.state.tell(names, changes.rows, changes.codes, changes.at)
        return changes

    def _one(self, row: int, slugs: Sequence[str], what: int, because: str) -> Changes:
        """The same change of several memberships of one customer."""
        codes = np.array([self.evaluator.numbers[slug] << 2 | what for slug in slugs], np.int64)
        at = np.full(len(slugs), self.now)
        names, ids = self.evaluator.names, self.state.people.ids
        return Changes(np.full(len(slugs), row), codes, at, names, ids, (because,))

    # ------------------------------------------------------------ touching

    def _touch(self, row: int, touch: Touch) -> None:
        slugs = self.plan.touched_by(touch)
        row = self.state.people.survivor(row)
        self.mark(row, slugs)
        if self.plan.shared & slugs or (touch.kind == "trait" and touch.name == ACCOUNT_ID):
            self._touch_colleagues(row, self.plan.shared)

    def _touch_colleagues(self, row: int, slugs: frozenset[str]) -> None:
        for entry in self.state.entries(self.state.traits.get(ACCOUNT_ID), row):
            for other in self.state.belonging.get(entry.get("value"), ()):
                self.mark(self.state.people.survivor(other), slugs)

    def mark(self, row: int, slugs: Iterable[str]) -> None:
        """Segments of a customer are to be evaluated."""
        more = slugs if isinstance(slugs, frozenset) else frozenset(slugs)
        known = self._touched.get(row)
        if known is not more:
            self._touched[row] = more if known is None else known | more

    def _seen(self, row: int, ts: int) -> None:
        """Whoever is new, or is there from an earlier instant on, may be in any segment."""
        if ts < self.state.people.exists_from(self.state.people.survivor(row)):
            self.mark(self.state.people.survivor(row), self.plan.everything)

    # ------------------------------------------------------------ taking in

    def add_event(self, customer: str, name: str, ts: int, mid: str, properties: Mapping[str, Any]) -> None:
        """Take in an event; ``settle`` evaluates."""
        row = self.state.people.row(customer)
        self._current(row)
        self._seen(row, ts)
        self.state.add(self.state.event_table(name), row, ts, mid, properties)
        self._touch(row, Touch("event", name))

    def apply_events(self, events: Events, because: str = "") -> Changes:
        """Take in many events, and evaluate who is touched by them."""
        return apply(self, events, because)

    @property
    def has_touched(self) -> bool:
        """Whether anything waits for ``settle``."""
        return bool(self._touched or self._touched_all)

    def add_trait(self, owner: str, name: str, value: Any, ts: int, mid: str) -> None:
        """Take in a change of a trait; a name with the prefix ``account.`` is one of the account ``owner``."""
        if name.startswith(ACCOUNT_PREFIX):
            row = self.state.accounts.row(owner)
            self._all_current()
            self.state.trait_table(name).insert(row, ts, mid, {"value": value})
            for other in self.state.belonging.get(owner, ()):
                self._touch(other, Touch("trait", name))
            return
        row = self.state.people.row(owner)
        self._current(row)
        self._seen(row, ts)
        self.state.add(self.state.trait_table(name), row, ts, mid, {"value": value})
        if name == ACCOUNT_ID:
            self.state.belongs(self.state.people.survivor(row), value)
        self._touch(row, Touch("trait", name))

    def add_consent(self, customer: str, purpose: str, granted: bool, ts: int, mid: str) -> None:
        """Take in a word of consent."""
        row = self.state.people.row(customer)
        self._current(row)
        self.state.consent_table(purpose).insert(row, ts, mid, {"granted": granted})
        self._touch(row, Touch("consent", purpose))

    def add_listed(self, name: str, customer: str, added: bool, ts: int) -> None:
        """Put a customer on a list, or take them off."""
        row = self.state.people.row(customer)
        self._current(row)
        self.state.list_table(name).insert(row, ts, "", {"added": added})
        self._touch(row, Touch("list", name))

    def add_published(self, segment: str, customer: str, what: str, ts: int) -> None:
        """Take in recorded history of a segment."""
        row = self.state.people.row(customer)
        self._current(row)
        self.state.published_table(segment, what).insert(row, ts, "", {})
        standing = self.state.people.survivor(row)
        self.mark(standing, self.plan.dependents.get(segment, ()))

    def refresh(self, value: str, rank: str, ts: int, number: Fraction) -> None:
        """Take in a refreshed threshold."""
        self._all_current()
        self.state.refresh(value, rank, ts, number)
        self._touched_all |= self.plan.touched_by(Touch("threshold", ""))

    def merge(self, kept: str, gone: str) -> Changes:
        """``gone`` joins ``kept``; returns the memberships that went over. ``settle`` evaluates who is kept."""
        people = self.state.people
        one, other = people.row(kept), people.row(gone)
        self._current(one, other)
        caught = self._let_go()
        self._touch_colleagues(other, self.plan.shared)
        self.state.join(one, other)
        self.evaluator.ensure()
        changes = Changes.joined((caught, self._cleared(other, MERGED, "merged")))
        standing = people.survivor(one)
        self._touched.pop(other, None)
        self.mark(standing, self.plan.everything)
        self._touch_colleagues(standing, self.plan.shared)
        return changes

    def _cleared(self, row: int, what: int, because: str) -> Changes:
        """All memberships of a row taken away."""
        bits = self.evaluator.bits
        slugs = [slug for slug, slot in self.evaluator.slots.items() if bits.get(row, slot)]
        for slug in slugs:
            bits.put(row, self.evaluator.slots[slug], False)
        self.evaluator.dues.put(np.array([row]), FAR)
        return self._one(row, slugs, what, because)

    def unmerge(self, gone: str) -> Changes:
        """Take a merge back; returns the memberships that came back. ``settle`` evaluates who stood for them."""
        people = self.state.people
        row = people.row(gone)
        self._current(row)
        caught = self._let_go()
        standing = self.state.separate(row)
        self._touch_colleagues(standing, self.plan.shared)
        self._touch_colleagues(row, self.plan.shared)
        self.mark(standing, self.plan.everything)
        self.evaluator.ensure()
        judge, due, back = self._judge(row, self.now), FAR, []
        for slug, slot in self.evaluator.slots.items():
            truth, until = judge.segment(slug)
            due = min(due, until)
            if truth:
                self.evaluator.bits.put(row, slot, True)
                back.append(slug)
        self.evaluator.dues.put(np.array([row]), due)
        return Changes.joined((caught, self._one(row, back, UNMERGED, "unmerged")))

    def define(self, definitions: Mapping[str, Definition]) -> None:
        """Put other definitions in force; only what is new or says something else is evaluated anew."""
        self._all_current()
        old, slots = self.plan.definitions, self.evaluator.slots
        self.plan = made_ready(definitions)
        for slug in old.keys() - definitions.keys():
            self.evaluator.bits.clear(slots.pop(slug))
        free = sorted(set(range(len(slots) + len(definitions))) - set(slots.values()))
        changed = set()
        for slug, definition in self.plan.definitions.items():
            if slug not in slots:
                slots[slug] = free.pop(0)
            if old.get(slug) != definition or self.plan.dependents.get(slug):
                changed.add(slug)
        for slug in self.plan.definitions:
            if slug in changed:
                changed.update(self.plan.dependents.get(slug, ()))
        self.evaluator.plan_for(self.plan)
        self._touched_all |= changed

    # ------------------------------------------------------------ what is held

    @property
    def nbytes(self) -> int:
        """What customers take in memory."""
        state, people = self.state, self.state.people
        found = people.ids.nbytes + people.first.nbytes + self.evaluator.bits.nbytes + self.evaluator.dues.nbytes
        return found + sum(t.nbytes for t in state.tables()) + sum(h.nbytes for h in state.published.values())

    def arrays(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """All that it holds, as a small head for JSON and named arrays; settle first."""
        return frozen(self)

    @classmethod
    def from_arrays(
        cls,
        head: Mapping[str, Any],
        arrays: Mapping[str, npt.NDArray[Any]],
        schema: Schema,
        definitions: Mapping[str, Definition],
        *,
        recording: bool = True,
    ) -> Engine:
        """The engine of ``arrays``; a definition that differs from the one of then needs ``define`` afterwards.

        Raises:
            ValueError: the head is of another format.
        """
        engine = cls(schema, {}, int(head["now"]), recording=recording)
        thaw(engine, head, arrays)
        engine.define(definitions)
        thaw_memberships(engine, head, arrays)
        engine._touched_all = {slug for slug in definitions if slug not in head["slots"]}
        engine.behind = engine.next_due() <= engine.now
        return engine

    def learn(self, schema: Schema) -> None:
        """Take in traits, events and properties that are new; of types that are known nothing changes."""
        self.schema = self.state.schema = schema
        for name, properties in schema.events.items():
            table = self.state.events.get(name)
            if table is None:
                continue
            for prop, of in properties.items():
                if prop not in table.columns and prop not in self.state.unread_properties.get(name, ()):
                    table.add_column(prop, of.kind)

    def missing(self, definitions: Mapping[str, Definition]) -> Needs:
        """What definitions ask of the state that isn't held."""
        return lacking(needs(definitions, self.schema), self.state)

    def rebind(self) -> None:
        """Take up tables that were replaced."""
        self.evaluator.forget_filters()
        self.evaluator.plan_for(self.plan)

    def compact(self, *, idle: bool) -> bool:
        """Pack what came lately of one table into the rest, where it has grown; says whether one had.

        A million entries take about a tenth of a second. What packing can't rid a table of, as entries of merged customers,
        counts as packed: so that a table that nothing comes to is packed once and then left alone.

        Args:
            idle: whether nobody waits: then a quarter of what was there is enough, else it has to be several times as much.
        """
        for table in self.state.tables():
            packed = len(table.ts) + table.settled
            if table.loose > (_LOOSE + packed // 4 if idle else 16 * _LOOSE + 4 * packed):
                table.compact()
                return True
        return False

    def forget(self, customer: str) -> None:
        """Erase a customer: nothing of theirs stays in memory."""
        row = self.state.people.row(customer)
        for table in self.state.tables_of_people():
            table.clear(row)
        self._cleared(row, LEFT, "forgotten")
        self.state.people.forget(row)
        for rows in self.state.belonging.values():
            rows.discard(row)
