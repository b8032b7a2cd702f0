"""A metric: what is counted or summed, per what, of whom. Its parts are values and conditions of the segment language."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from shoal.lang import nodes as n
from shoal.lang.show import show
from shoal.lang.tree import rebuild

if TYPE_CHECKING:
    from shoal.insight.metrics.cases import Case
    from shoal.insight.metrics.watching_reading import AlertRule, Target
    from shoal.lang.nodes import Condition, Node, Window

How: TypeAlias = Literal["sum", "count", "mean", "share", "ratio", "quantile"]
Unit: TypeAlias = Literal["money", "count", "share", "score", "days", "number"]
Better: TypeAlias = Literal["higher", "lower", "neither"]

_WINDOWED = (n.Aggregate, n.Did, n.DidFirst, n.NotAfter, n.Sequence, n.Changed, n.Entered, n.Left)
"""Nodes whose window may be left out in the text; a metric's period stands in for it."""


@dataclass(frozen=True)
class Metric:
    """A metric.

    Args:
        slug: the file's name.
        name: for people.
        unit: of its figures.
        better: which way is better.
        how: ``sum`` of ``of`` over customers, ``count`` of those for whom it holds, ``mean`` of it a customer, ``share`` of
            customers for whom it holds, ``ratio`` of the sums of ``of`` and ``per``, ``quantile`` of it over customers.
        of: a value; of a count or a share, a condition.
        per: of a ratio, what it is per.
        among: who counts; None is everyone.
        before: who counts must have fulfilled this in the period before, of the same length; None is no such thing.
        at: of a quantile, which: 0.5 is the median.
        why: what it is for.
        owner: who answers for it.
        told: its definition in the words of its owner; ``definition`` makes them otherwise.
        target: what is to be reached by when; None is nothing.
        alert: what is worth a word; None is nothing.
        cases: what it must come to, on which it can be tried.
    """

    slug: str
    name: str
    unit: Unit
    better: Better
    how: How
    of: Node
    per: Node | None = None
    among: Condition | None = None
    before: Condition | None = None
    at: float | None = None
    why: str = ""
    owner: str = ""
    told: str = ""
    target: Target | None = None
    alert: AlertRule | None = None
    cases: tuple[Case, ...] = ()

    @cached_property
    def version(self) -> str:
        """A short hash of what it means: names and owners may change, and figures stay comparable."""
        parts = [self.how, self.at, *(None if one is None else show(one) for one in self._parts)]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    @property
    def _parts(self) -> tuple[Node | None, ...]:
        return self.of, self.per, self.among, self.before

    @property
    def nodes(self) -> list[Node]:
        """All values and conditions that it is made of."""
        return [one for one in self._parts if one is not None]

    @property
    def estimated(self) -> bool:
        """Whether its figures are estimates with an interval, and not plain sums."""
        return self.how not in ("sum", "count")

    @property
    def definition(self) -> str:
        """What it is, in words."""
        if self.told:
            return self.told
        of = show(self.of, width=10_000)
        said = {
            "sum": f"The sum of {of} over customers",
            "count": f"How many customers there are of whom this holds: {of}",
            "mean": f"The mean of {of} a customer",
            "share": f"The share of customers of whom this holds: {of}",
            "ratio": f"The sum of {of}, divided by the sum of {'' if self.per is None else show(self.per, width=10_000)}",
            "quantile": f"The {_ordinal(self.at)} of {of} over customers",
        }[self.how]
        if self.among is not None:
            said += f"; among those of whom this holds: {show(self.among, width=10_000)}"
        if self.before is not None:
            said += f"; and in the period before, this: {show(self.before, width=10_000)}"
        return said + ". What has no window of its own is looked at within the period."


def _ordinal(at: float | None) -> str:
    return "median" if at == 0.5 else f"{100 * (at or 0):g} % quantile"


def within(node: Node, window: Window) -> Node:
    """The same value or condition with a window wherever none was written.

    >>> from shoal.lang.parse import parse_value
    >>> show(within(parse_value('count("Order Completed")'), n.Since(n.Date(0))))
    'count("Order Completed" since 1970-01-01)'
    """
    placed = rebuild(node, lambda child: within(child, window))
    if isinstance(placed, _WINDOWED) and placed.window is None:
        from dataclasses import replace

        return replace(placed, window=window)
    return placed
