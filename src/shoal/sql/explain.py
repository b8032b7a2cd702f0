"""Why a customer is in a segment or not, and until when that stays so if nothing more is received.

The instants at which any leaf might change are found from what is recorded (``candidates``); the leaves are asked at each, and
the first instant at which a part differs from now is the part's answer. Values that grow with time itself cross in
between; those crossings are worked out exactly (``crossing``) and asked too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shoal.clock import from_instant, iso
from shoal.lang import nodes as n
from shoal.lang.references import uses_scores
from shoal.lang.show import show
from shoal.sql.evidence import Shown, evidence, worded
from shoal.sql.moments import ask
from shoal.sql.scopes import Scope
from shoal.sql.trees import leaf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from shoal.lang.schema import Schema
    from shoal.sql.plan import Plan


@dataclass(frozen=True, slots=True)
class Explanation:
    """One part of a definition, as it was written: its truth, what it rests on, and until when.

    Args:
        node: the condition.
        truth: whether it holds; at the top, whether the customer is in, lists and existence included.
        sentence: the condition in plain words.
        text: the condition as text.
        values: what it compares, by the text of each value; None is missing.
        until: the earliest instant after the question's at which the truth changes; None for never.
        unless_rescored: whether a score or the threshold of a rank takes part, which a new write may change at any time.
        parts: the parts of ``and``, ``or`` and ``not``, the condition of another segment, the lists of this one.
    """

    node: n.Node
    truth: bool
    sentence: str
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    until: int | None = None
    unless_rescored: bool = False
    parts: tuple[Explanation, ...] = ()

    @property
    def until_at(self) -> datetime | None:
        """``until`` as an aware datetime in UTC; None for never."""
        return None if self.until is None else from_instant(self.until)

    def __str__(self) -> str:
        """The tree: the truth of each part, its values, and until when it stays so."""
        return "\n".join(self._lines(0))

    def _lines(self, depth: int) -> Iterator[str]:
        margin = "  " * depth
        yield f"{margin}{'yes' if self.truth else 'no '}  {self.sentence}"
        facts = [self.shown, f"until {iso(self.until)}" if self.until is not None else ""]
        yield from (f"{margin}     {fact}" for fact in facts if fact)
        for part in self.parts:
            yield from part._lines(depth + 1)

    @property
    def shown(self) -> str:
        """The values in one line, missing ones said; empty where there is none."""
        return ", ".join(f"{label}: {worded(found)}" for label, found in self.values.items())


@dataclass(frozen=True)
class Part:
    """A condition above its leaves, in a form that Python can judge from the columns of a row."""

    node: n.Node
    judge: Callable[[dict[str, list[Any]], int], bool]
    leaf: str | None = None
    parts: tuple[Part, ...] = ()


class Parts:
    """Makes the parts of definitions, and remembers what is to be shown of each leaf."""

    def __init__(self, plan: Plan, definitions: Mapping[str, n.Definition]) -> None:
        self._plan = plan
        self._definitions = definitions
        self.leaves: dict[n.Node, str] = {}

    def of_definition(self, definition: n.Definition) -> Part:
        """(where or always) and not never; where there are lists, they are parts of their own."""
        where = self.of(definition.where)
        always, never = (self._list(name) for name in (definition.always, definition.never))

        def judge(columns: dict[str, list[Any]], row: int) -> bool:
            if never is not None and never.judge(columns, row):
                return False
            return where.judge(columns, row) or (always is not None and always.judge(columns, row))

        lists = tuple(part for part in (always, never) if part is not None)
        if not lists:
            return Part(definition.where, judge, where.leaf, where.parts)
        return Part(definition.where, judge, None, (where, *lists))

    def _list(self, name: str | None) -> Part | None:
        return None if name is None else self.of(n.ListedIn(name))

    def of(self, node: n.Node) -> Part:
        """The part of a condition."""
        match node:
            case n.And(parts) | n.Or(parts):
                inner = tuple(self.of(part) for part in parts)
                settle = all if isinstance(node, n.And) else any
                return Part(node, lambda columns, row: settle(p.judge(columns, row) for p in inner), parts=inner)
            case n.Not(part):
                negated = self.of(part)
                return Part(node, lambda columns, row: not negated.judge(columns, row), parts=(negated,))
            case n.MemberOf(slug):
                other = self.of_definition(self._definitions[slug])
                return Part(node, other.judge, parts=(other,))
        name = self.leaves[node] = leaf(self._plan, node)
        return Part(node, lambda columns, row: bool(columns[name][row]), name)


class Words:
    """Turns judged parts into explanations."""

    def __init__(self, plan: Plan, schema: Schema, who: int, at: int) -> None:
        self._schema = schema
        self._shown: dict[n.Node, list[Shown]] = {}
        self._plan = plan
        self._moment = (who, at)
        self._columns: dict[str, list[Any]] = {}

    def prepare(self, leaves: Mapping[n.Node, str]) -> None:
        """Read what is to be shown of the leaves."""
        plan = self._plan.anew()
        self._shown = {node: evidence(plan, node, Scope(plan)) for node in leaves}
        self._columns = ask(plan, [self._moment])

    def explain(self, part: Part, truths: Mapping[int, tuple[bool, int | None]]) -> Explanation:
        """The explanation of a part and all below it; ``truths`` by the identity of each part."""
        from shoal.lang.say import say

        truth, until = truths[id(part)]
        shown = self._shown.get(part.node, []) if part.leaf is not None else []
        return Explanation(
            node=part.node,
            truth=truth,
            sentence=say(part.node, self._schema),
            text=show(part.node),
            values={one.label: one.read(self._columns) for one in shown},
            until=until,
            unless_rescored=uses_scores(part.node, self._schema),
            parts=tuple(self.explain(inner, truths) for inner in part.parts),
        )
