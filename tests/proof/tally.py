"""How often each operator was true, false and flipped: whether the proof has tried what it claims to prove."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from .naive import CONDITIONS, Scope
from .wire import Node
from .world import Segment

LEAST = 0.05
"""An operator that is true, or false, less often than this proves little."""
CONNECTIVES = ("and", "or", "not")


class Tally:
    """Counts the truths of leaves, by operator."""

    def __init__(self) -> None:
        self.truths: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._seen: dict[tuple[str, int, str], set[bool]] = {}
        self._flips: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def trace(self, node: Node, s: Scope, truth: bool) -> None:
        """Note one truth; the naive evaluator calls it."""
        for operator in labels(node, s.event is not None):
            self.truths[operator][truth] += 1
            if s.event is None:
                self._seen.setdefault((operator, id(node), s.customer), set()).add(truth)

    def next_world(self) -> None:
        """Count the leaves whose truth differed between two instants of the world that ends here."""
        for (operator, _, _), truths in self._seen.items():
            self._flips[operator][len(truths) > 1] += 1
        self._seen = {}

    def rows(self) -> Iterator[tuple[str, int, float, float, float]]:
        """For each operator: how often it was evaluated, its share of true and of false, and of leaves that flipped."""
        for operator in sorted(self.truths):
            false, true = self.truths[operator]
            still, flipped = self._flips.get(operator, (0, 0))
            yield (
                operator,
                true + false,
                true / (true + false),
                false / (true + false),
                flipped / max(1, still + flipped),
            )

    def table(self) -> str:
        """The rows as text."""
        lines = [f"{'operator':44} {'tried':>8} {'true':>7} {'false':>7} {'flipped':>8}"]
        for operator, n, true, false, flipped in self.rows():
            lines.append(f"{operator:44} {n:8} {true:7.1%} {false:7.1%} {flipped:8.1%}")
        return "\n".join(lines)

    def weak(self) -> list[str]:
        """The operators that were hardly ever true, or hardly ever false."""
        return [operator for operator, _, true, false, _ in self.rows() if min(true, false) < LEAST]


def labels(node: Node, in_filter: bool) -> Iterator[str]:
    """The operators that a condition puts to the test."""
    if in_filter:
        yield f"where {_verb(node)}"
        return
    yield _verb(node)
    if node.kind == "match" and node.ignoring_case:
        yield "ignoring case"
    if node.kind in CONNECTIVES:
        return
    for part in _parts(node):
        if part.kind == "aggregate":
            yield f"value {part.fn}"
        elif part.kind in ("days since event", "days since", "days until", "bucket", "negative"):
            yield f"value {part.kind}"
        elif part.kind == "arithmetic":
            yield f"value {part.op}"
        elif part.kind == "trait" and part.name.startswith("account."):
            yield "value account trait"
        if part.kind == "events":
            yield from _of_events(part)
    window = node.fields.get("window")
    if window is not None:
        yield f"window {window.kind}"


def operators(segment: Segment) -> set[str]:
    """All operators that a definition speaks of, those in its filters and its lists among them."""
    found = {name for name in ("always", "never") if getattr(segment, name) is not None}
    return found | set(_all(segment.condition, in_filter=False))


def _all(node: Node, in_filter: bool) -> Iterator[str]:
    if node.kind in CONDITIONS:
        yield from labels(node, in_filter)
    for name, value in node.fields.items():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Node):
                yield from _all(part, in_filter or name == "where")


def _of_events(events: Node) -> Iterator[str]:
    if events.name.endswith("*") and not events.name.endswith("\\*"):
        yield "events of any end"
    if events.newest is not None:
        yield "events newest"
    if events.of_account:
        yield "events of account"


def _verb(node: Node) -> str:
    if node.kind == "compare":
        return f"compare {node.op}"
    if node.kind == "match":
        return f"match {node.op}"
    if node.kind == "in":
        return "not in" if node.negated else "in"
    if node.kind == "known":
        return "is known" if node.known else "is missing"
    if node.kind == "did":
        return "did" if node.times is None else f"did {node.times.op}"
    if node.kind == "ranked":
        return f"in {node.end}"
    if node.kind == "sequence":
        step = node.steps[-1]
        extra = " with same" if step.same else ""
        return ("then not" if step.absent else "then without" if step.without is not None else "then") + extra
    return node.kind


def _parts(node: Node) -> Iterator[Node]:
    """The nodes below a leaf, filters left out: they are counted by themselves."""
    for name, value in node.fields.items():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Node) and name != "where":
                yield part
                yield from _parts(part)
