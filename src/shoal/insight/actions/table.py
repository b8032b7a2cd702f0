"""The table: for each segment the few actions that its profile suggests, by what is at stake.

An action is suggested where it fits a segment's customers clearly more often than all others: what fits everywhere alike says
nothing about a segment. Where none does, the one with most at stake of those that fit at least half is named alone.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shoal.clock import iso
from shoal.insight.actions.kinds import ACTIONS, LEAST, LOOKALIKES, TELLING, Stake, Suggested
from shoal.insight.reach import reachable
from shoal.stats.intervals import share_difference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    import numpy.typing as npt

    from shoal.insight.actions.trials import Effect
    from shoal.insight.actions.world import World
    from shoal.lang.schema import Basis
    from shoal.sql.store import Store

    Mask = npt.NDArray[np.bool_]

MOST = 3
_HALF = 0.5
_numbers = itertools.count(1)

AT_STAKE = "at stake, not a gain: nobody was drawn by lot, so what the action adds isn't known"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment to be acted on.

    Args:
        slug: the segment's, or ``micro:`` with a micro-segment's id.
        name: as people call it.
        inside: its customers, of all.
        purpose: what it serves, for consent; None where it serves none.
    """

    slug: str
    name: str
    inside: Mask
    purpose: str | None


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the table.

    Args:
        segment: its slug.
        segment_name: as people call it.
        size: customers of the segment.
        action: a key of ``ACTIONS``.
        title: as people call it.
        what: what it is about, as a category; empty where that needs no saying.
        fits: how many customers of the segment it fits.
        share: of the segment.
        elsewhere: the share of all other customers that it fits; None where that isn't what speaks for it.
        purpose: that consent was asked for.
        reachable: how many of those that it fits consent reaches; None where the segment's purpose hands nobody out.
        rests: the figures that it rests on, in sentences.
        stake: what is at stake; None where nothing can be said.
        effect: what a trial of this action measured; None where there was none.
    """

    segment: str
    segment_name: str
    size: int
    action: str
    title: str
    what: str
    fits: int
    share: float
    elsewhere: float | None
    purpose: str | None
    reachable: int | None
    rests: tuple[str, ...]
    stake: Stake | None
    effect: Effect | None

    @property
    def gain(self) -> tuple[float, float, float] | None:
        """The expected gain with its ends: the measured effect times those who can be reached; None without a trial."""
        if self.effect is None:
            return None
        n = self.fits if self.reachable is None else self.reachable
        value, low, high = (n * end for end in self.effect.each)
        return value, low, high

    @property
    def assumption(self) -> str:
        """What the figure assumes, in words."""
        if self.effect is not None:
            return f"{self.effect.says} Assumed: these react as those did."
        return AT_STAKE if self.stake is not None else "No money is put on it."

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        gain = self.gain
        return {
            "segment": self.segment,
            "segment_name": self.segment_name,
            "size": self.size,
            "action": self.action,
            "title": self.title,
            "what": self.what or None,
            "fits": self.fits,
            "share": self.share,
            "elsewhere": self.elsewhere,
            "purpose": self.purpose,
            "reachable": self.reachable,
            "rests_on": list(self.rests),
            "at_stake": self.stake and self.stake._asdict(),
            "expected_gain": gain and {"value": gain[0], "low": gain[1], "high": gain[2]},
            "effect": self.effect and self.effect.document(),
            "assumption": self.assumption,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """The actions of all segments.

    Args:
        at: the instant.
        days: the horizon of what is at stake.
        currency: of all money.
        actions: by segment, those with most at stake first; in each by what is at stake.
        without: names of segments that no action stands out for.
        notes: what is missing, and which command gives it.
    """

    at: int
    days: int
    currency: str
    actions: tuple[Action, ...]
    without: tuple[str, ...]
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "as_of": iso(self.at),
            "days": self.days,
            "currency": self.currency,
            "actions": [action.document() for action in self.actions],
            "without_action": list(self.without),
            "notes": list(self.notes),
        }


@dataclass(slots=True)
class _Fits:
    """An evaluation whose columns are actions of segments: so that reach is counted as it is for segments."""

    at: int
    table: str
    columns: dict[str, str]
    counts: dict[str, int] = field(default_factory=dict)
    everyone: int = 0

    def sizes(self) -> dict[str, int]:
        return self.counts

    def base(self) -> int:
        return self.everyone

    def close(self) -> None:
        """The table is registered, and forgotten by who registered it."""


def table(
    store: Store,
    world: World,
    segments: list[Segment],
    purposes: Mapping[str, Basis],
    effects: Mapping[str, Effect],
    *,
    consent_at: int | None = None,
    notes: tuple[str, ...] = (),
) -> Table:
    """The few actions of each segment.

    Args:
        store: the workspace's store, for consent.
        world: how customers stand.
        segments: whom to act on.
        purposes: each with its basis.
        effects: by action, what a trial measured.
        consent_at: the instant whose consent counts; that of ``world`` by default.
        notes: what is missing.
    """
    chosen = [(segment, kind, found) for segment in segments for kind, found in _few(world, segment)]
    reach = _reach(store, world, chosen, purposes, consent_at)
    rows = [
        _action(segment, kind, found, effects.get(kind), reach.get(f"{i}"))
        for i, (segment, kind, found) in enumerate(chosen)
    ]
    largest: dict[str, float] = {}
    for row in rows:
        largest[row.segment] = max(largest.get(row.segment, -1.0), _worth(row.stake))
    rows.sort(key=lambda row: (-largest[row.segment], row.segment, -_worth(row.stake)))
    bare = tuple(s.name for s in segments if s.slug not in largest)
    return Table(world.known.at, world.days, world.currency, tuple(rows), bare, notes)


def _few(world: World, segment: Segment) -> list[tuple[str, Suggested]]:
    """The actions that stand out for a segment, at most three, by the least that is at stake."""
    inside = segment.inside
    found = [(kind, made) for kind, (_, rule) in ACTIONS.items() if (made := rule(world, inside)) is not None]
    able = [(kind, made) for kind, made in found if int((made.fits & inside).sum()) >= LEAST]
    able.sort(key=lambda pair: -_worth(pair[1].stake))
    telling = [(kind, made) for kind, made in able if stands_out(made, inside)]
    half = [(kind, made) for kind, made in able if (made.fits & inside).sum() >= _HALF * inside.sum()]
    return telling[:MOST] or half[:1]


def stands_out(made: Suggested, inside: Mask) -> bool:
    """Whether an action fits the segment's customers clearly more often than all others."""
    if made.telling is not None:
        return made.telling
    n, mine = int(inside.sum()), int((made.fits & inside).sum())
    others, theirs = len(inside) - n, int((made.fits & ~inside).sum())
    if not others or not mine:
        return False
    return share_difference((mine, n), (theirs, others)).low > 0 and mine * others >= TELLING * theirs * n


def _worth(stake: Stake | None) -> float:
    return -1.0 if stake is None else stake.low


def _action(
    segment: Segment, kind: str, found: Suggested, effect: Effect | None, reach: Mapping[str, int] | None
) -> Action:
    n, mine = int(segment.inside.sum()), int((found.fits & segment.inside).sum())
    others = len(segment.inside) - n
    told = others and found.telling is None
    elsewhere = int((found.fits & ~segment.inside).sum()) / others if told else None
    reached = (reach or {}).get(segment.purpose) if segment.purpose else None
    return Action(
        segment.slug, segment.name, n, kind, ACTIONS[kind][0], found.what, mine, mine / n, elsewhere, segment.purpose,
        reached, found.rests, found.stake, effect,
    )  # fmt: skip


def _reach(
    store: Store,
    world: World,
    chosen: list[tuple[Segment, str, Suggested]],
    purposes: Mapping[str, Basis],
    consent_at: int | None,
) -> dict[str, dict[str, int]]:
    """For each row, how many of those that it fits each purpose reaches."""
    import pyarrow as pa

    masks = {f"{i}": found.fits & segment.inside for i, (segment, _, found) in enumerate(chosen)}
    name = f"actions_{next(_numbers)}"
    columns = {row: f"a{row}" for row in masks}
    held = {"customer": pa.array(world.known.customers), **{columns[row]: pa.array(m) for row, m in masks.items()}}
    counts = {row: int(mask.sum()) for row, mask in masks.items()}
    store.register(name, pa.table(held))
    try:
        found = reachable(
            store, _Fits(world.known.at, name, columns, counts, len(world.known.customers)), purposes, consent_at
        )
    finally:
        store.unregister(name)
    return {row: {one.name: one.customers for one in ways if one.by == "purpose"} for row, ways in found.items()}


def lines(action: Action, currency: str) -> Iterator[str]:
    """What stands below a row, for people."""
    yield from action.rests
    if action.stake is None and action.effect is None and action.action != "ask":
        yield f"Fewer than {LOOKALIKES} customers stood so before, so nothing is said of what is at stake."
    if action.effect is None and action.stake is not None:
        yield action.stake.says
    elif action.effect is not None:
        yield action.assumption
