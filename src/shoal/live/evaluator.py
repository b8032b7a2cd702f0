"""Evaluates segments of many customers: what changed, and when each is due again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from shoal.live.bits import Bits
from shoal.live.caching import has_numba
from shoal.live.dues import Dues
from shoal.live.forms import Form, Forms
from shoal.live.frames import Stretch, stretch
from shoal.live.machine import Machine
from shoal.live.plain import Plain
from shoal.live.sheet import Sheet
from shoal.live.values import FAR

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import numpy.typing as npt

    from shoal.lang.calendar import Zone
    from shoal.live.plan import Plan
    from shoal.live.state import State

    Ints: TypeAlias = npt.NDArray[np.int64]

_MANY_FILTERS = 40
BLOCK = 1 << 14
"""Customers that are evaluated together: what is known of them stays in the cache."""


class Flips(NamedTuple):
    """Memberships that changed, of one segment."""

    slug: str
    rows: Ints
    truth: npt.NDArray[np.bool_]
    at: Ints


class Evaluator:
    """Memberships and dues of all customers.

    Args:
        state: what is known.
        zone: of local time.
        plan: the definitions.
        recording: whether what changes is history that ``entered`` and ``left`` ask of.
        only: the segments to evaluate; None for all.
        filters: those that are bits of events already.
    """

    def __init__(
        self,
        state: State,
        zone: Zone,
        plan: Plan,
        recording: bool,
        *,
        only: frozenset[str] | None = None,
        filters: dict[Any, Any] | None = None,
    ) -> None:
        self.state, self.zone, self.recording = state, zone, recording
        self.bits, self.dues = Bits(), Dues()
        self._wide = -1
        self.slots = {slug: slot for slot, slug in enumerate(plan.definitions) if only is None or slug in only}
        self.slots = {slug: slot for slot, slug in enumerate(self.slots)}
        self.plain = Plain(state, zone)
        self._stretch: Stretch | None = None
        self.filters: dict[Any, Any] = {} if filters is None else filters
        self.plan_for(plan)

    def forget_filters(self) -> None:
        """Tables were replaced: their filters have to be worked out anew."""
        self.filters.clear()
        self.plain.forget()
        for table in self.state.events.values():
            table.drop_filters()

    def plan_for(self, plan: Plan) -> None:
        """Put definitions in force; the slots are the caller's matter."""
        self.plan = plan
        if any(len(table.filters) > _MANY_FILTERS for table in self.state.events.values()):
            self.forget_filters()
        self.forms = Forms(self.state, self.zone, self.filters)
        self.segments: dict[str, Form] = {
            slug: self.forms.segment(slug, plan) for slug in plan.definitions if slug in self.slots
        }
        self._stretch = None
        self._divisions: dict[frozenset[str], tuple[frozenset[str], frozenset[str]]] = {}
        self.machine = self._machine()
        fast = [] if self.machine is None else self.machine.slugs
        self.names = [
            *fast,
            *(slug for slug in self.segments if self.machine is None or slug not in self.machine.places),
        ]
        """The segments by their numbers; those that loops can judge have the same there."""
        self.numbers = {slug: number for number, slug in enumerate(self.names)}
        followed = [n for n, slug in enumerate(self.names) if self.machine is not None and self.slow_dependents(slug)]
        self.followed = np.array(followed, np.int64)
        """The numbers of the segments after which others are to be judged that loops can't judge."""

    def _machine(self) -> Machine | None:
        if not has_numba():
            return None
        return Machine(self.state, self.forms, self.segments, self.bits, self.dues, self.slots)

    def ensure(self) -> None:
        """Make room for all customers and segments."""
        rows = len(self.state.people)
        if rows <= len(self.dues.at) and rows <= 64 * len(self.bits.words) and self._wide == len(self.slots):
            return
        self._wide = len(self.slots)
        self.dues.ensure(rows)
        self.bits.ensure(len(self.dues.at), max(self.slots.values(), default=0) + 1)

    # ------------------------------------------------------------ evaluating

    def evaluate(
        self, rows: Ints, t: Ints, wanted: Collection[str], *, whole: bool = False, quiet: bool = False
    ) -> list[Flips]:
        """Judge segments of customers who stand for themselves, set their memberships and dues.

        Args:
            rows: the customers, each once.
            t: the instant of each.
            wanted: which segments; those that refer to what changes are judged too.
            whole: whether these are all segments, so that what was known of dues is replaced.
            quiet: whether what changes is neither told nor recorded.

        Returns:
            What changed.
        """
        slugs = wanted if isinstance(wanted, frozenset) else frozenset(wanted)
        if whole:
            self.dues.at[rows] = FAR
        judge = self._judged if self.machine is None else self._run
        flips = judge(rows, t, slugs, quiet)
        self.dues.refresh(rows)
        return flips

    def _judged(self, rows: Ints, t: Ints, wanted: frozenset[str], quiet: bool) -> list[Flips]:
        """By numpy and the interpreter."""
        flips: list[Flips] = []
        for sheet in self.sheets(rows, t):
            flips += self._judge(sheet, set(wanted), quiet)
        return flips

    def _run(self, rows: Ints, t: Ints, wanted: frozenset[str], quiet: bool) -> list[Flips]:
        """By compiled loops what has that form, then the rest."""
        machine = self.machine
        assert machine is not None
        fast, slow = self.divided(wanted)
        flips: list[Flips] = []
        plain = [(rows, t, slow)] if slow else []
        if fast:
            some, at, odd, odd_at = self._by_oddness(machine, rows, t)
            if len(odd):
                plain.append((odd, odd_at, fast))
            while len(some):
                frames = self.frames(int(at.min()))
                now: Any = at < frames.end
                now = slice(None) if now.all() else now
                found, asked = machine.judge(some[now], at[now], fast, frames, quiet)
                if len(asked):
                    plain.append((asked, at[now][np.isin(some[now], asked)], fast))
                    machine.forget_truths()
                flips += self.flips_of(found)
                if isinstance(now, slice):
                    break
                some, at = some[~now], at[~now]
        for each in () if quiet else flips:
            self.record(each)
            if more := frozenset(self.plan.dependents.get(each.slug, ())) - fast - slow:
                plain.append((each.rows, each.at, more))
        for who, when, slugs in plain:
            flips += self._judged(who, when, slugs, quiet)
        return flips

    def divided(self, wanted: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """The segments that loops can judge, with those that refer to them, and the others."""
        found = self._divisions.get(wanted)
        if found is None:
            assert self.machine is not None
            all_, more = set(wanted), list(wanted)
            while more:
                more = [slug for one in more for slug in self.plan.dependents.get(one, ()) if slug not in all_]
                all_.update(more)
            fast = frozenset(slug for slug in all_ if slug in self.machine.places)
            found = self._divisions[wanted] = fast, wanted - fast
        return found

    def slow_dependents(self, slug: str) -> frozenset[str]:
        """The segments that refer to one and that loops can't judge."""
        assert self.machine is not None
        return frozenset(self.plan.dependents.get(slug, ())) - self.machine.places.keys()

    @property
    def shares(self) -> bool:
        """Whether what one customer does touches others."""
        return bool(self.plan.shared)

    def _by_oddness(self, machine: Machine, rows: Ints, t: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Whom loops can judge, and whose lists and consents are of several ids."""
        standing = self.state.people.standing_rows if machine.single_ids else []
        if not standing:
            return rows, t, rows[:0], t[:0]
        odd = np.isin(rows, standing)
        return rows[~odd], t[~odd], rows[odd], t[odd]

    def flips_of(self, found: Ints) -> list[Flips]:
        """What loops found, by segment."""
        machine = self.machine
        assert machine is not None
        if not len(found):
            return []
        if len(found) == 1:
            return [Flips(machine.slugs[int(found[0, 1]) >> 2], found[:, 0], (found[:, 1] & 1) != 0, found[:, 2])]
        found = found[np.argsort(found[:, 1] >> 2, kind="stable")]
        segments, begins = np.unique(found[:, 1] >> 2, return_index=True)
        ends = [*begins[1:].tolist(), len(found)]
        return [
            Flips(machine.slugs[s], found[b:e, 0], (found[b:e, 1] & 1) != 0, found[b:e, 2])
            for s, b, e in zip(segments.tolist(), begins.tolist(), ends, strict=True)
        ]

    def sheets(self, rows: Ints, t: Ints) -> Iterator[Sheet]:
        """The customers in blocks, each within one stretch of calendar windows."""
        for begin in range(0, len(rows), BLOCK):
            some, at = rows[begin : begin + BLOCK], t[begin : begin + BLOCK]
            while len(some):
                frames = self.frames(int(at.min()))
                now = at < frames.end
                yield Sheet(self.forms, self.plain, some[now], at[now], frames)
                some, at = some[~now], at[~now]

    def frames(self, t: int) -> Stretch:
        """The frames of all windows at ``t``."""
        known = self._stretch
        if known is None or not known.begin <= t < known.end or len(known.frames) != len(self.forms.windows):
            known = self._stretch = stretch(self.forms.windows, t, self.zone)
        return known

    def _judge(self, sheet: Sheet, asked: set[str], quiet: bool) -> list[Flips]:
        rows, flips = sheet.rows, []
        shortest = np.full(len(rows), FAR, np.int64)
        for slug in self.plan.definitions:
            if slug not in asked or slug not in self.segments:
                continue
            number = sheet.segment(self.segments[slug])
            shortest = np.minimum(shortest, np.abs(number))
            slot = self.slots[slug]
            changed = np.flatnonzero((number > 0) != self.bits.gather(rows, slot))
            if len(changed):
                found = Flips(slug, rows[changed], number[changed] > 0, sheet.t[changed])
                self.bits.flip(found.rows, slot)
                if not quiet:
                    self.record(found)
                asked.update(self.plan.dependents.get(slug, ()))
                flips.append(found)
        due = np.where(shortest >= FAR, FAR, sheet.t + shortest)
        self.dues.at[rows] = np.minimum(self.dues.at[rows], due)
        return flips

    def record(self, flips: Flips) -> None:
        """Keep what changed as history, where that is wanted."""
        if not self.recording:
            return
        codes = self.numbers[flips.slug] << 2 | flips.truth
        self.state.tell(self.names, flips.rows, codes, flips.at)

    def expect(self, rows: Ints, t: int) -> None:
        """Work out when customers are due, and leave their memberships as they are."""
        held = self.bits.words.copy()
        self.evaluate(rows, np.full(len(rows), t), frozenset(self.segments), whole=True, quiet=True)
        self.bits.words[:] = held
        if self.machine is not None:
            self.machine.forget_truths()
