"""How many a draft has, and of whom: exactly, from the engine in memory, for the whole base.

Sizes come first, since each change asks for them; reach, overlap and members are asked for afterwards, of the same bits.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import stopwatch
from shoal.insight.reach import ADDRESSES
from shoal.lang import nodes as n
from shoal.lang.rewrite import canonical
from shoal.lang.schema import Basis, Kind
from shoal.lang.show import flat
from shoal.live.preview import among, interpreted, leaves_of, rows_of, shared, trial, unranked, words_of
from shoal.live.why import draft_reason
from shoal.web.builder.paths import path_text
from shoal.workspace.holding import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from shoal.lang.nodes import Definition
    from shoal.lang.schema import Schema
    from shoal.live.preview import Part, Trial, Words
    from shoal.live.why import Reason
    from shoal.web.builder.draft import Kept
    from shoal.workspace.live import Live

PATIENCE = 15_000
"""So many questions of single customers are asked at once, a quarter of a second; what asks more waits for the store."""
SLOW_FRESH = 30.0
"""Seconds for which the bits of a condition that takes long are kept."""
QUICK_FRESH = 2.0
"""Seconds for which the bits of any other condition are kept: from one edit to the next."""
FRESH = 5.0
"""Seconds for which the bits of a draft are kept for the questions that follow its sizes."""
_MOST = 16
SIMILAR = 0.8
"""From this share of both on, two segments are told to be nearly the same."""
INSIDE = 0.9
"""From this share on, a draft's members are told to be in another segment already …"""
COMMON = 0.5
"""… unless more than this share of all customers is: that says nothing of the draft."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of one condition: how many it holds of by itself, and how many remain with it of those before it in its group."""

    alone: int
    remaining: int
    before: int
    """How many there were before it: those of the conditions before it in the same ``all of``, else everyone."""

    @property
    def lost(self) -> int:
        """How many are lost to it."""
        return self.before - self.remaining


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a draft.

    Args:
        at: the instant.
        everyone: how many customers there are.
        count: how many are in it.
        by_path: of each condition, by its place as text.
        steps: the places of the conditions that have to be true one after the other, in order; where people are lost.
        seconds: that the engine took.
    """

    at: int
    everyone: int
    count: int
    by_path: dict[str, Size]
    steps: tuple[str, ...]
    seconds: float

    @property
    def share(self) -> float:
        """Of all customers."""
        return self.count / self.everyone if self.everyone else 0.0


@dataclass(frozen=True, slots=True)
class Way:
    """How many of a draft can be reached in one way.

    Args:
        channel: an address is known, as ``email``; empty where any will do.
        purpose: consent allows it; empty where nobody is asked.
        customers: how many.
        share: of the draft.
    """

    channel: str
    purpose: str
    customers: int
    share: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """A segment that shares members with a draft."""

    slug: str
    name: str
    size: int
    both: int
    of_draft: float
    """The share of the draft's members that are in it."""
    of_segment: float
    """The share of its members that are in the draft."""
    of_base: float
    """The share of all customers that is in it."""
    same: bool = False
    """Whether it asks the same in other words."""

    @property
    def jaccard(self) -> float:
        """Those in both, of those in either."""
        either = self.both / self.of_draft + self.size - self.both if self.of_draft else 0.0
        return self.both / either if either else 0.0

    @property
    def warned_of(self) -> bool:
        """Whether the draft is little else than this segment."""
        inside = self.of_draft >= INSIDE and self.of_base <= COMMON
        return self.same or self.jaccard >= SIMILAR or inside


class Sizer:
    """Sizes of drafts, of a live workspace.

    Args:
        live: the workspace.
        ask: asks a long question, in a process of its own.
    """

    def __init__(self, live: Live, ask: Callable[[str, Mapping[str, Any]], dict[str, Any]]) -> None:
        self._live = live
        self._ask = ask
        self._lock = Lock()
        self._trials: OrderedDict[Definition, tuple[float, Trial]] = OrderedDict()
        self._slow: OrderedDict[n.Condition, tuple[float, Words]] = OrderedDict()
        """The bits of conditions that take long, each with when it was worked out."""
        self._quick: dict[n.Condition, tuple[float, Words]] = {}
        """The bits of conditions of the edit before: most of them stand in the next one too."""
        self._engine = live.core.engine
        self.patience = PATIENCE

    def sizes(self, kept: Kept, details: Definition) -> Sizes:
        """Of what can be evaluated of a draft.

        Args:
            kept: the conditions, with their places.
            details: its slug and its lists.
        """
        begun = stopwatch()
        found = self._trial(kept, details)
        by_path: dict[str, Size] = {}
        _spread(kept, found.parts, found.everyone, by_path)
        steps = tuple(_steps(kept))
        return Sizes(found.at, found.everyone, found.count, by_path, steps, stopwatch() - begun)

    def waits(self, kept: Kept, details: Definition) -> list[n.Condition]:
        """The conditions that the store has to answer first: what takes long, and ranks that nobody has worked out."""
        definition = _drafted(kept, details)
        with self._live.lock:
            engine = self._live.ready_for(definition)
            many = len(engine.state.people)
            leaves = leaves_of(kept.node)
            slow = [leaf for leaf in leaves if interpreted(engine, leaf)]
            ranks = [leaf for leaf in leaves if unranked(engine, leaf)]
        waiting = dict.fromkeys([*ranks, *(slow if many * len(slow) > self.patience else ())])
        with self._lock:
            return [leaf for leaf in waiting if leaf not in self._fresh()]

    def _fresh(self) -> dict[n.Condition, Words]:
        """The conditions that take long and are known."""
        now = stopwatch()
        return {leaf: words for leaf, (since, words) in self._slow.items() if now - since < SLOW_FRESH}

    def work_out(self, conditions: Sequence[n.Condition]) -> None:
        """Have the store answer what takes long, all of it at once; nothing else waits meanwhile."""
        engine = self._live.core.engine
        told = self._ask("holding", {"conditions": [flat(one) for one in conditions], "at": engine.now})
        for condition, ids in zip(conditions, told["holding"], strict=True):
            find = engine.state.people.ids.find
            rows = np.fromiter(map(find, unpacked(ids)), np.int64)
            words = words_of(rows[rows >= 0], -(-len(engine.state.people) // 64))
            with self._lock:
                self._slow[condition] = stopwatch(), words
                while len(self._slow) > _MOST:
                    self._slow.popitem(last=False)

    def _trial(self, kept: Kept, details: Definition) -> Trial:
        definition = _drafted(kept, details)
        with self._lock:
            self._hold_engine()
            known = self._trials.get(definition)
            if known is not None and stopwatch() - known[0] < FRESH:
                return known[1]
        waiting = self.waits(kept, details)
        if waiting:
            self.work_out(waiting)
        with self._lock:
            words = self._fresh() | {leaf: found for leaf, (_, found) in self._quick.items()}
            there = set(words)
        with self._live.lock:
            found = trial(self._live.ready_for(definition), definition, words)
        with self._lock:
            now = stopwatch()
            self._quick |= {leaf: (now, words[leaf]) for leaf in words.keys() - there}
            self._trials[definition] = now, found
            self._trials.move_to_end(definition)
            while len(self._trials) > _MOST:
                self._trials.popitem(last=False)
        return found

    def _hold_engine(self) -> None:
        """Forget bits that are too old, and all of them where the customers were read anew."""
        engine, now = self._live.core.engine, stopwatch()
        if engine is not self._engine:
            self._engine = engine
            self._trials.clear()
            self._slow.clear()
            self._quick.clear()
        self._quick = {leaf: kept for leaf, kept in self._quick.items() if now - kept[0] < QUICK_FRESH}

    def reach(self, kept: Kept, details: Definition, schema: Schema) -> list[Way]:
        """By which channels and for which purposes its members can be reached; empty where the data knows neither."""
        found, ways = self._trial(kept, details), list(_ways(schema))
        if not ways:
            return []
        asked = _naming([condition for _, _, condition in ways])
        with self._live.lock:
            counts = among(self._live.ready_for(asked), found.members, [condition for _, _, condition in ways])
        size = found.count
        return [
            Way(channel, purpose, count, count / size if size else 0.0)
            for (channel, purpose, _), count in zip(ways, counts, strict=True)
        ]

    def overlaps(self, kept: Kept, details: Definition) -> list[Overlap]:
        """The segments that share members with it, the most alike first."""
        found = self._trial(kept, details)
        with self._live.lock:
            sizes = shared(self._live.core.engine, found.members)
            definitions = self._live.definitions
        size, meant = found.count, canonical(kept.node)
        everyone = found.everyone or 1
        overlaps = [
            Overlap(slug, definitions[slug].name, of_it, both, both / size, both / of_it, of_it / everyone,
                    canonical(definitions[slug].where) == meant)
            for slug, (of_it, both) in sizes.items()
            if slug != details.slug and both
        ]  # fmt: skip
        return sorted(overlaps, key=lambda one: (not one.same, -one.jaccard, one.slug))

    def members(self, kept: Kept, details: Definition, most: int) -> list[tuple[str, Reason | None]]:
        """Some members from all over the base, each with why they are in it; None where a rank is worked out when it is saved."""
        found, definition = self._trial(kept, details), _drafted(kept, details)
        rows = rows_of(found.members)
        chosen = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)] if len(rows) else rows
        with self._live.lock:
            engine = self._live.ready_for(definition)
            ids = engine.state.people.ids
            if any(unranked(engine, leaf) for leaf in leaves_of(kept.node)):
                return [(ids[row], None) for row in chosen.tolist()]
            return [(ids[row], draft_reason(engine, definition, row, engine.now)) for row in chosen.tolist()]

    def against(self, kept: Kept, details: Definition, slug: str, most: int) -> Difference:
        """Who would enter a segment that is in force, and who would leave it, if it were defined so."""
        found = self._trial(kept, details)
        with self._live.lock:
            engine = self._live.core.engine
            held = engine.member_rows(slug)
            ids = engine.state.people.ids
            mine = rows_of(found.members)
            enter, leave = np.setdiff1d(mine, held), np.setdiff1d(held, mine)
            some = [[ids[row] for row in rows[:most].tolist()] for rows in (enter, leave)]
        return Difference(len(held), len(mine), len(enter), len(leave), some[0], some[1])


@dataclass(frozen=True, slots=True)
class Difference:
    """What another definition does to a segment: its size now and then, who would enter and leave, and some of them."""

    now: int
    then: int
    enter: int
    leave: int
    entering: list[str]
    leaving: list[str]


def _naming(conditions: list[n.Condition]) -> Definition:
    """A definition that names all that some conditions name."""
    return n.Definition("\0asked", "asked", n.Or(tuple(conditions)) if len(conditions) > 1 else conditions[0])


def _drafted(kept: Kept, details: Definition) -> Definition:
    return n.Definition(details.slug, details.slug, kept.node, always=details.always, never=details.never)


def _spread(kept: Kept, part: Part, before: int, found: dict[str, Size]) -> None:
    """The sizes of a part and of all below it, by place."""
    for place in kept.places:
        found[path_text(place)] = Size(part.alone, part.remaining, before)
    joined = isinstance(part.node, n.And)
    left = before
    for inner, of_it in zip(kept.parts, part.parts, strict=True):
        _spread(inner, of_it, left if joined else before, found)
        left = of_it.remaining


def _steps(kept: Kept) -> Iterator[str]:
    """The places of the conditions that all have to be true, in their order."""
    parts = kept.parts if isinstance(kept.node, n.And) else (kept,)
    yield from (path_text(part.places[0]) for part in parts)


def _ways(schema: Schema) -> Iterator[tuple[str, str, n.Condition]]:
    """Channel, purpose, and the condition under which somebody is reached so."""
    addresses = dict(_channels(schema))
    purposes = [name for name, basis in sorted(schema.purposes.items()) if basis is not Basis.NONE]
    for channel, known in addresses.items():
        yield channel, "", known
        for purpose in purposes:
            if channel in purpose or (channel == "phone" and "sms" in purpose):
                yield channel, purpose, n.And((known, n.Consents(purpose)))
    yield from (("", purpose, n.Consents(purpose)) for purpose in purposes)


def _channels(schema: Schema) -> Iterator[tuple[str, n.Condition]]:
    folded = {name.casefold(): name for name, kind in schema.traits.items() if kind is Kind.TEXT}
    for channel, names in ADDRESSES.items():
        name = next((folded[one] for one in names if one in folded), None)
        if name is not None:
            yield channel, n.Compare(n.Trait(name), "!=", n.Text(""))
