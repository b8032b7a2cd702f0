"""What figures are broken down by: a trait of customers, or a property of the events that a metric counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shoal.errors import DefinitionError, Refused
from shoal.lang import nodes as n
from shoal.lang.check import type_of
from shoal.lang.nodes import MICRO
from shoal.lang.parse import parse_value
from shoal.lang.schema import Kind
from shoal.lang.show import show
from shoal.lang.tree import transform, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.figures import Question
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import Node
    from shoal.lang.schema import Schema

MOST = 20
"""So many groups are shown, the largest; the rest is one group."""
OTHER, UNKNOWN = "(other)", "(unknown)"
_KINDS = (Kind.TEXT, Kind.YESNO, Kind.NUMBER)


@dataclass(frozen=True, slots=True)
class Dimension:
    """What figures are broken down by.

    Args:
        name: as it was written: ``plan``, ``account.industry`` or ``store of "Order Completed"``.
        node: of customers, the trait; None for a property of events.
        events: of events, their name.
        prop: of events, the property.
        kind: the type of its values.
    """

    name: str
    node: Node | None
    events: str | None
    prop: str | None
    kind: Kind


def dimension(text: str, schema: Schema) -> Dimension:
    """Read what figures are to be broken down by.

    Raises:
        DefinitionError: an unknown name, with the nearest known one.
        Refused: its values can't be groups.
    """
    read = _read(text)
    kind = type_of(read, schema)  # type: ignore[arg-type]
    if kind not in _KINDS:
        raise Refused(f"{text} is {kind.value}: its values can't be groups.", fix="Take a text, a yes/no or a number.")
    if isinstance(read, n.Aggregate):
        return Dimension(f"{read.of} of {show(read.events)}", None, read.events.name, read.of, kind)
    return Dimension(show(read), read, None, None, kind)


def _read(text: str) -> Node:
    if " of " in text:
        found: Any = parse_value(f"last({text})")
        if isinstance(found, n.Aggregate) and found.events.where is None and found.window is None:
            return found
        raise DefinitionError(
            f"{text!r} is no property of events.",
            fix='Write it as store of "Order Completed", without a filter or window.',
        )
    found = parse_value(text)
    if not isinstance(found, n.Trait):
        raise DefinitionError(
            f"Figures can't be broken down by {text!r}.",
            fix='Name a trait, as plan, or a property, as store of "Order Completed".',
        )
    return found


@dataclass(frozen=True)
class Groups:
    """The groups of a question.

    Args:
        question: what is asked.
        by: what it is broken down by; None is nothing.
        values: the values that are groups of their own, the largest first, as the store has them.
    """

    question: Question
    by: Dimension | None
    values: tuple[Any, ...]

    @classmethod
    def of(cls, known: AsOf, question: Question) -> Groups:
        """The groups, by how many customers or events have each value now.

        Raises:
            Refused: a metric counts no such events.
        """
        by = question.by
        if by is None:
            return cls(question, None, ())
        if by.node is None:
            for metric in question.metrics:
                _hold(metric, by)
        return cls(question, by, tuple(_largest(known, by)))

    @property
    def node(self) -> Node | None:
        """The trait of customers that says a customer's group."""
        return None if self.by is None else self.by.node

    @property
    def known(self) -> list[str]:
        """The labels of customers' groups."""
        return [*map(label, self.values), OTHER, UNKNOWN]

    @property
    def labels(self) -> list[str | None]:
        """The labels of groups of events; one of nothing where events aren't broken down."""
        if self.by is None or self.by.node is not None:
            return [None]
        return [*map(label, self.values), OTHER]

    def place(self, found: str | None) -> int:
        """Where a group stands among the others."""
        known = [None, *self.known]
        return known.index(found)

    def sql(self, column: str) -> str:
        """The SQL of the label of a customer's group."""
        each = " ".join(f"WHEN {column} = {_literal(value)} THEN {_literal(label(value))}" for value in self.values)
        return f"CASE WHEN {column} IS NULL THEN '{UNKNOWN}' {each} ELSE '{OTHER}' END"

    def narrowed(self, metric: Metric, node: Node, found: str) -> Node:
        """The same value over the events of one group alone."""
        by = self.by
        assert by is not None
        names = dict(zip(map(label, self.values), self.values, strict=True))
        test = _test(by, [names[found]] if found in names else list(self.values), inside=found in names)

        def change(at: Node) -> Node:
            if not isinstance(at, n.Events) or at.name != by.events:
                return at
            where = test if at.where is None else n.And((at.where, test))
            return replace(at, where=where)

        return transform(node, change)

    def question_place(self, metric: Metric) -> int:
        """Which of the question's metrics it is."""
        return next(at for at, one in enumerate(self.question.metrics) if one is metric)


def _hold(metric: Metric, by: Dimension) -> None:
    for node in (metric.of, metric.per):
        if node is not None and any(at.name != by.events for at in walk(node) if isinstance(at, n.Events)):
            raise Refused(
                f'"{metric.name}" counts other events than "{by.events}", so it can\'t be broken down by {by.name}.',
                fix="Take a trait of customers, or a metric of these events.",
            )


def _largest(known: AsOf, by: Dimension) -> Sequence[Any]:
    if by.node is not None:
        with known.columns({"v": by.node}) as table:
            return _counted(known, f"SELECT v FROM {table}")
    event = known.events.get(by.events or "")
    held = None if event is None else event.properties.get(by.prop or "")
    if event is None or held is None:
        return ()
    shown = f"CAST({held.col} AS DOUBLE) / {MICRO}" if by.kind is Kind.NUMBER else held.col
    return _counted(known, f"SELECT {shown} AS v FROM ({known.event(event.name)})")


def _counted(known: AsOf, rows: str) -> Sequence[Any]:
    table = known.arrow(f"SELECT v FROM ({rows}) WHERE v IS NOT NULL GROUP BY v ORDER BY count(*) DESC, v LIMIT {MOST}")
    found: list[Any] = table["v"].to_pylist()
    return found


def label(value: Any) -> str:
    """A value as people read it.

    >>> label(3.0), label(True), label("north")
    ('3', 'yes', 'north')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value) if isinstance(value, float) else str(value)


def _test(by: Dimension, values: list[Any], *, inside: bool) -> n.Condition:
    """The filter of events whose property has one of some values, or none of them; a missing one has none."""
    prop = n.Property(by.prop or "")
    if not values:
        return n.Or((n.Known(prop), n.Known(prop, known=False)))
    test = n.In(prop, tuple(map(_node, values)))
    return test if inside else n.Not(test)


def _node(value: Any) -> n.Literal_:
    if isinstance(value, bool):
        return n.YesNo(value)
    return n.Number(round(value * MICRO)) if isinstance(value, float) else n.Text(value)
