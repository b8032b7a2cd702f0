"""Conversions and their value, shared out among channels by several models beside each other, with what each channel cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.insight.attribution.credit import MARKOV, MODELS, check_model, credits_of
from shoal.insight.attribution.removal import removal_effects
from shoal.insight.attribution.spread import ends_of, spread_of
from shoal.insight.spend import key_of
from shoal.stats.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from shoal.insight.attribution.paths import Paths
    from shoal.insight.spend import Spent
    from shoal.shapes import AttributionRule

CAVEAT = (
    "Attribution shares out what happened; models differ in how. What would have happened without a channel it doesn't say: "
    "an experiment with a holdout does."
)


class Share(NamedTuple):
    """What a model credits a channel with.

    Args:
        channel: its name.
        model: one of ``MODELS``.
        conversions: may be fractions; with the interval over customers, whose ends are NaN where there is none.
        value: the same of their value.
        roas: value / spend, of conversions on the days for which spend is known; None where nothing was spent on the channel.
    """

    channel: str
    model: str
    conversions: Interval
    value: Interval
    roas: Interval | None

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        roas = None if self.roas is None else _plain(self.roas)
        return {
            "channel": self.channel, "model": self.model, "conversions": _plain(self.conversions),
            "value": _plain(self.value), "roas": roas,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shared:
    """Conversions shared out.

    Args:
        rule: by which paths were read.
        by: what a channel is here: ``channel`` or ``campaign``.
        models: in the order that was asked for.
        channels: those with the most touches first.
        shares: a row a channel and model.
        touches: by channel, on all paths.
        removal: by channel, the removal effect; empty where Markov wasn't asked for.
        spend: by channel, what it cost; without those on which nothing was spent.
        unmatched: what was spent on names that no touch bears.
        conversions: those that followed a touch.
        value: of these.
        untouched: conversions without a touch, and their value.
        paths: how many there are with a touch, also those that led to nothing.
        spent_on: the first and the last local date of the spend that ROAS is of; None without any.
    """

    rule: AttributionRule
    by: str
    models: Sequence[str]
    channels: Sequence[str]
    shares: Sequence[Share]
    touches: Mapping[str, int]
    removal: Mapping[str, float]
    spend: Mapping[str, float]
    unmatched: Mapping[str, float]
    conversions: int
    value: float
    untouched: tuple[int, float]
    paths: int
    spent_on: tuple[date, date] | None = None

    def of(self, channel: str, model: str) -> Share:
        """What a model credits a channel with."""
        return next(one for one in self.shares if (one.channel, one.model) == (channel, model))

    def notes(self, *, unmatched: bool = True) -> list[str]:
        """What a reader must know to read the figures right.

        Args:
            unmatched: whether spend on what no touch bears the name of is told here, and not elsewhere.
        """
        return list(self._notes(unmatched))

    def _notes(self, unmatched: bool) -> Iterator[str]:
        if self.untouched[0]:
            n, all_ = self.untouched[0], self.untouched[0] + self.conversions
            yield (
                f"{n:,} of {all_:,} conversions follow no touch of the last {self.rule.days} days and are credited to no "
                f"{self.by}."
            )
        if self.spent_on is not None:
            first, last = self.spent_on
            yield f"Value per spend is of conversions from {first} to {last}, the days for which spend is known."
        if unmatched and self.unmatched:
            named = ", ".join(f"{name} ({amount:,.0f})" for name, amount in self.unmatched.items())
            yield f"Money was spent on what no touch bears the name of, so nothing can be credited to it: {named}."
        if any(np.isnan(one.value.low) for one in self.shares):
            yield "Where no interval stands, too few customers converted, or there are too many channels for Markov's."
        yield CAVEAT

    def rows(self) -> list[dict[str, Any]]:
        """A flat row a channel and model."""
        return [
            {
                "channel": one.channel, "model": one.model, **_flat("conversions", one.conversions),
                **_flat("value", one.value), "touches": self.touches[one.channel],
                "removal": self.removal.get(one.channel), "spend": self.spend.get(one.channel),
                **_flat("roas", one.roas),
            }
            for one in self.shares
        ]  # fmt: skip

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "by": self.by, "models": list(self.models), "days": self.rule.days, "half_life": self.rule.half_life,
            "conversion": self.rule.conversion, "conversions": self.conversions, "value": self.value,
            "untouched": {"conversions": self.untouched[0], "value": self.untouched[1]}, "paths": self.paths,
            "touches": dict(self.touches), "removal": dict(self.removal), "spend": dict(self.spend),
            "unmatched": dict(self.unmatched),
            "spent_on": None if self.spent_on is None else [str(day) for day in self.spent_on],
            "shares": [one.document() for one in self.shares],
            "notes": self.notes(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Paid:
    """What was spent, and the paths that it is held against.

    Args:
        spend: by ``spend.key_of`` of the channel.
        paths: to conversions of the same days.
        first: the first of these.
        last: the last.
    """

    spend: Mapping[str, Spent]
    paths: Paths
    first: date
    last: date


def share_out(
    paths: Paths,
    rule: AttributionRule,
    models: Sequence[str] = MODELS,
    *,
    paid: Paid | None = None,
    by: str = "channel",
) -> Shared:
    """Share out the conversions of some paths by each of some models.

    Args:
        paths: as ``paths_of`` reads them.
        rule: by which they were read.
        models: which.
        paid: what was spent; None where that isn't known.
        by: what a channel is here.

    Raises:
        UnknownName: a model that isn't one.
        Refused: no conversion follows a touch.
    """
    for model in models:
        check_model(model)
    paths = paths.trimmed()
    spend = paid.spend if paid else {}
    spent = {name: one for name in paths.names if (one := spend.get(key_of(name))) is not None and one.amount > 0}
    shares = [one for model in models for one in _shares(paths, rule, model)]
    if paid is not None and spent:
        roas = {pair: one for model in models for pair, one in _roas(paid.paths, rule, model, spent)}
        shares = [one._replace(roas=roas.get((one.channel, one.model))) for one in shares]
    touches = dict(zip(paths.names, np.bincount(paths.channel, minlength=len(paths.names)).tolist(), strict=True))
    channels = sorted(paths.names, key=lambda name: (-touches[name], name))
    place = {name: i for i, name in enumerate(channels)}
    bare = {key_of(name) for name in paths.names}
    unmatched = {one.name or "no name": one.amount for key, one in spend.items() if key not in bare and one.amount}
    removal = dict(zip(paths.names, removal_effects(paths).tolist(), strict=True)) if MARKOV in models else {}
    return Shared(
        rule, by, tuple(models), channels, sorted(shares, key=lambda one: place[one.channel]), touches, removal,
        {name: one.amount for name, one in spent.items()}, unmatched, int(paths.touched.sum()),
        float(paths.value[paths.touched].sum()), paths.untouched, int((paths.lengths > 0).sum()),
        (paid.first, paid.last) if paid is not None and spent else None,
    )  # fmt: skip


def _shares(paths: Paths, rule: AttributionRule, model: str) -> Iterator[Share]:
    drawn = spread_of(paths, model, half_life=rule.half_life)
    for i, one in enumerate(credits_of(paths, model, half_life=rule.half_life)):
        conversions, value = Interval(one.conversions, np.nan, np.nan), Interval(one.value, np.nan, np.nan)
        if drawn is not None:
            conversions = ends_of(one.conversions, drawn.conversions[:, i])
            value = ends_of(one.value, drawn.value[:, i])
        yield Share(one.channel, model, conversions, value, None)


def _roas(
    paths: Paths, rule: AttributionRule, model: str, spent: Mapping[str, Spent]
) -> Iterator[tuple[tuple[str, str], Interval]]:
    """Value per spend of each channel that cost something; 0 where none of its conversions fall on those days."""
    credited = {one.channel: one.value for one in _shares(paths, rule, model)} if paths.touched.any() else {}
    for name, cost in spent.items():
        value = credited.get(name, Interval(0.0, np.nan, np.nan))
        yield (name, model), Interval(*(end / cost.amount for end in value))


def in_words(model: str, rule: AttributionRule) -> str:
    """How a model shares a conversion out, with its window.

    >>> from shoal.shapes import AttributionRule
    >>> in_words("last", AttributionRule())
    'last touch: the last touch gets all; touches of the 30 days before'
    """
    how = {
        "last": "last touch: the last touch gets all",
        "first": "first touch: the first touch gets all",
        "linear": "linear: all touches of a path get the same",
        "position": "by position: the first and the last touch get 40 % each, those between the rest",
        "time-decay": f"time decay: a touch counts half as much for each {rule.half_life:g} days before",
        MARKOV: "Markov: in proportion to removal effects",
    }[model]
    return f"{how}; touches of the {rule.days} days before"


def _plain(found: Interval) -> dict[str, float | None]:
    return {key: _finite(end) for key, end in zip(("value", "low", "high"), found, strict=True)}


def _flat(name: str, found: Interval | None) -> dict[str, float | None]:
    if found is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: found.value, f"{name}_low": _finite(found.low), f"{name}_high": _finite(found.high)}


def _finite(end: float) -> float | None:
    return float(end) if np.isfinite(end) else None
