"""Why a customer is in a segment or not, and until when: each condition with its truth and the values that it compares."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from shoal.lang import nodes as n
from shoal.lang.document import decimal_text
from shoal.lang.places import METRES, metres_between
from shoal.lang.references import uses_scores
from shoal.lang.say import say
from shoal.lang.show import flat, show
from shoal.live.curve import Curve, at
from shoal.live.judge import Judge
from shoal.live.operators.history import held_since
from shoal.live.operators.regular import counted
from shoal.live.registry import value
from shoal.live.scope import Scope, pool
from shoal.live.values import FAR, Answer, Micro, Moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.live.engine import Engine

_LITERALS = (n.Number, n.Text, n.YesNo, n.Date, n.Instant)


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of a definition, as it was written: its truth, what it rests on, and until when.

    Args:
        node: the condition.
        truth: whether it holds; at the top, whether the customer is in, lists and existence included.
        sentence: the condition in plain words.
        text: the condition as text.
        values: what it compares, by the text of each value, as ``live.values`` has them; None is missing.
        until: the earliest instant after the question's at which the truth changes; None for never.
        unless_rescored: whether a score takes part, which a new write may change at any time.
        parts: the parts of ``and``, ``or`` and ``not``, the condition of another segment, the lists of this one.
    """

    node: n.Node
    truth: bool
    sentence: str
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    until: int | None = None
    unless_rescored: bool = False
    parts: tuple[Reason, ...] = ()


def reason(engine: Engine, slug: str, row: int, t: int) -> Reason:
    """Why a customer is in a segment at an instant or not."""
    return _Asking(engine, row, t).definition(engine.plan.definitions[slug])


def draft_reason(engine: Engine, definition: n.Definition, row: int, t: int) -> Reason:
    """Why a customer would be in a definition that isn't in force or not; it may refer to those that are."""
    return _Asking(engine, row, t).condition(definition.where)


class _Asking:
    """Questions of one customer at one instant."""

    def __init__(self, engine: Engine, row: int, t: int) -> None:
        self.engine, self.row, self.t = engine, row, t
        self._judges: dict[int, Judge] = {}

    def judge(self, t: int) -> Judge:
        """The customer at an instant."""
        if t not in self._judges:
            engine = self.engine
            self._judges[t] = Judge(engine.plan, engine.state, engine.zone, self.row, t)
        return self._judges[t]

    def definition(self, definition: n.Definition) -> Reason:
        """A whole segment; where it has lists, they are parts of their own."""
        where = self.condition(definition.where)
        lists = tuple(
            self.condition(n.ListedIn(name)) for name in (definition.always, definition.never) if name is not None
        )
        parts = (where, *lists) if lists else where.parts
        return self._reason(definition.where, definition.slug, parts, {} if lists else where.values)

    def condition(self, node: n.Node) -> Reason:
        """One condition and all below it."""
        match node:
            case n.And(inner) | n.Or(inner):
                return self._reason(node, None, tuple(self.condition(part) for part in inner), {})
            case n.Not(part):
                return self._reason(node, None, (self.condition(part),), {})
            case n.MemberOf(slug):
                return self._reason(node, slug, (self.definition(self.engine.plan.definitions[slug]),), {})
        return self._reason(node, None, (), self._values(node))

    def _reason(self, node: n.Node, slug: str | None, parts: tuple[Reason, ...], values: Mapping[str, Any]) -> Reason:
        truth, until = self._until(node, slug)
        schema = self.engine.schema
        rescored = uses_scores(node, schema)
        return Reason(node, truth, say(node, schema), show(node), values, until, rescored, parts)

    def _until(self, node: n.Node, slug: str | None) -> tuple[bool, int | None]:
        """The truth, and the first instant at which it is another."""
        truth, certain = self._answer(node, slug, self.t)
        while certain < FAR:
            found, after = self._answer(node, slug, certain)
            if found != truth:
                return truth, certain
            certain = after
        return truth, None

    def _answer(self, node: n.Node, slug: str | None, t: int) -> Answer:
        judge = self.judge(t)
        return judge.segment(slug) if slug is not None else judge.condition(node)

    # ------------------------------------------------------------ values

    def _values(self, leaf: n.Node) -> dict[str, Any]:
        scope = Scope(self.engine.state, self.row, self.t, self.engine.zone)
        return {label: self._plain(found) for label, found in _shown(leaf, scope)}

    def _plain(self, found: Any) -> Any:
        """A quotient as the number that it is now, rounded to six places."""
        if not isinstance(found, Curve):
            return found
        return Micro(round(Fraction(at(found.num, self.t), at(found.den, self.t)) * n.MICRO))


def _shown(leaf: n.Node, scope: Scope) -> Iterator[tuple[str, Any]]:
    for node in _sides(leaf):
        if isinstance(leaf, n.Distance):
            yield f"distance of {flat(node)} in {leaf.unit}", _away(value(node, scope).value, leaf)
        elif not isinstance(node, _LITERALS):
            yield flat(node), value(node, scope).value
    match leaf:
        case n.Held():
            since = held_since(leaf, scope)
            yield "since", None if since is None else Moment(since)
        case n.DidFirst(events, _):
            past = [event.ts for event in pool(events, scope).events if event.ts <= scope.t]
            yield f"first {flat(events)}", Moment(past[0]) if past else None
        case n.Regularly():
            enough = [count for count in counted(leaf, scope)[0] if count >= leaf.times]
            yield "periods with enough", Micro(len(enough) * n.MICRO)
        case n.Ranked() | n.Percentile():
            for rank in _ranks(leaf):
                limit, _ = scope.state.threshold(flat(leaf.value), rank, scope.t)
                yield f"threshold {rank}", None if limit is None else Micro(round(limit * n.MICRO))


def _ranks(leaf: n.Ranked | n.Percentile) -> list[str]:
    if isinstance(leaf, n.Ranked):
        return [f"{leaf.end} {decimal_text(leaf.percent)}"]
    return [f"percentile {decimal_text(part)}" for part in (leaf.low, leaf.high)]


def _sides(leaf: n.Node) -> list[n.Node]:
    """The values that a leaf compares."""
    match leaf:
        case n.Compare(left, _, right):
            return [left, right]
        case n.Between(inner, low, high):
            return [inner, low, high]
        case n.In(inner) | n.Match(inner) | n.Known(inner) | n.Ranked(inner) | n.Percentile(inner):
            return [inner]
        case n.When(trait) | n.Anniversary(trait) | n.Distance(trait) | n.Changed(trait):
            return [trait]
        case n.Held(n.Compare(inner) | n.Between(inner) | n.In(inner) | n.Match(inner) | n.Known(inner)):
            return [inner]
        case n.Did(events=events, window=window) | n.NotAfter(events=events, window=window):
            return [n.Aggregate("count", events, window=window)]
        case n.Sequence(first, _, window):
            return [n.Aggregate("count", first, window=window)]
    return []


def _away(found: Any, node: n.Distance) -> Micro | None:
    """How far away, in the unit of the node, to three places."""
    if found is None:
        return None
    metres = metres_between(found, node.latitude, node.longitude) / float(METRES[node.unit])
    return Micro(round(metres * 1_000) * 1_000)
