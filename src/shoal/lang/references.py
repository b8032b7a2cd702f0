"""What a definition names, the order in which definitions depend on each other, and the renaming of a segment.

``References`` feeds the check, the store (which tables a question needs) and the workspace (what has to be evaluated
again when something changes).
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.tree import children, transform, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeVar

    from shoal.lang.schema import Schema

    T = TypeVar("T", bound=n.Node)

__all__ = [
    "References",
    "circle_from",
    "depends_on_time",
    "event_names",
    "in_order",
    "is_wildcard",
    "plain_event_name",
    "references",
    "rename_segment",
    "uses_scores",
    "walk",
]

ACCOUNT = "account."
_SEGMENTS = (n.MemberOf, n.Entered, n.Left)
# What can change its answer although nothing is received: a window moves, an instant comes due.
_TIMED = (
    n.Aggregate,
    n.DaysSinceEvent,
    n.DaysSince,
    n.DaysUntil,
    n.When,
    n.Anniversary,
    n.Did,
    n.Sequence,
    n.NotAfter,
    n.DidFirst,
    n.Regularly,
    n.Held,
    n.Changed,
    *_SEGMENTS,
)


@dataclass(frozen=True, slots=True)
class References:
    """The names in a definition.

    Args:
        traits: names of traits, those of accounts with their prefix ``account.``.
        events: for each event name as written (a wildcard stays one), the properties used.
        fields: for each (event name, list of objects), the fields used inside ``any``.
        segments: slugs after ``member of``, ``entered`` and ``left``.
        lists: names after ``listed in``, and a definition's ``always`` and ``never``.
        purposes: names after ``consents to``, and a definition's purpose.
        account: whether traits or events of the customer's account are used.
    """

    traits: frozenset[str] = frozenset()
    events: Mapping[str, frozenset[str]] = field(default_factory=dict)
    fields: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    segments: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    account: bool = False


def references(subject: n.Node | n.Definition) -> References:
    """All that a tree, or a whole definition with its lists and purpose, names."""
    if isinstance(subject, n.Definition):
        found = references(subject.where)
        lists = {name for name in (subject.always, subject.never) if name}
        purposes = {subject.purpose} if subject.purpose else set()
        return dataclasses.replace(found, lists=found.lists | lists, purposes=found.purposes | purposes)
    nodes = list(walk(subject))
    traits = frozenset(at.name for at in nodes if isinstance(at, n.Trait))
    properties, fields = _event_references(nodes)
    return References(
        traits=traits,
        events=properties,
        fields=fields,
        segments=frozenset(at.segment for at in nodes if isinstance(at, _SEGMENTS)),
        lists=frozenset(at.name for at in nodes if isinstance(at, n.ListedIn)),
        purposes=frozenset(at.purpose for at in nodes if isinstance(at, n.Consents)),
        account=any(name.startswith(ACCOUNT) for name in traits)
        or any(isinstance(at, n.Events) and at.of_account for at in nodes),
    )


def _event_references(
    nodes: list[n.Node],
) -> tuple[dict[str, frozenset[str]], dict[tuple[str, str], frozenset[str]]]:
    properties: defaultdict[str, set[str]] = defaultdict(set)
    fields: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for at in nodes:
        if isinstance(at, n.Events):
            properties[at.name] |= _filter_names(at, fields)
        elif isinstance(at, n.Aggregate) and at.of is not None:
            properties[at.events.name].add(at.of)
        elif isinstance(at, n.Sequence):
            for name, key in _keys(at):
                properties[name].add(key)
    return {k: frozenset(v) for k, v in properties.items()}, {k: frozenset(v) for k, v in fields.items()}


def _filter_names(events: n.Events, fields: defaultdict[tuple[str, str], set[str]]) -> set[str]:
    """The properties in a filter; those inside ``any`` are fields of the items and go to ``fields``."""
    names: set[str] = set()

    def visit(node: n.Node, items: str | None) -> None:
        if isinstance(node, n.Property):
            (names if items is None else fields[events.name, items]).add(node.name)
        elif isinstance(node, n.AnyItem):
            names.add(node.items)
            items = node.items
        for child in children(node):
            visit(child, items)

    if events.where is not None:
        visit(events.where, None)
    return names


def _keys(sequence: n.Sequence) -> Iterator[tuple[str, str]]:
    """Both ends of each ``with same``: the property is read on the step and on the one before."""
    before = sequence.first
    for step in sequence.steps:
        for key in step.same:
            yield before.name, key
            yield step.events.name, key
        before = step.events


def is_wildcard(name: str) -> bool:
    """Whether an event name stands for all with its beginning: it ends in a star without a backslash."""
    return name.endswith("*") and not name.endswith("\\*")


def plain_event_name(name: str) -> str:
    r"""The name that events bear, or the beginning that a wildcard asks for.

    >>> plain_event_name("Video *"), plain_event_name(r"Rated 5\*")
    ('Video ', 'Rated 5*')
    """
    return (name[:-1] if is_wildcard(name) else name).replace("\\*", "*")


def event_names(name: str, known: Iterable[str]) -> list[str]:
    """The known event names that ``name`` stands for, sorted; empty where there is none."""
    plain = plain_event_name(name)
    if is_wildcard(name):
        return sorted(event for event in known if event.startswith(plain))
    return [plain] if plain in set(known) else []


def in_order(definitions: Iterable[n.Definition]) -> list[str]:
    """The slugs with each segment after those that it refers to, otherwise by name.

    Raises:
        DefinitionError: if segments refer to each other in a circle; it shows the circle.
    """
    needs = {d.slug: references(d).segments for d in definitions}
    ordered: dict[str, None] = {}
    for slug in sorted(needs):
        circle = _visit(slug, lambda at: needs.get(at, frozenset()), [], ordered)
        if circle:
            raise circle_error(circle)
    return [slug for slug in ordered if slug in needs]


def circle_from(slug: str, segments_of: Callable[[str], Iterable[str]]) -> list[str] | None:
    """The first circle that is met on the ways from ``slug``, as ``["vip", "big", "vip"]``, or None."""
    return _visit(slug, segments_of, [], {})


def circle_error(
    circle: list[str],
    *,
    start: int | None = None,
    end: int | None = None,
    text: str | None = None,
    place: str | None = None,
) -> DefinitionError:
    """The error that shows a circle of segments."""
    shown = " → ".join(circle)
    return DefinitionError(
        f"Segments refer to each other in a circle: {shown}.",
        start=start,
        end=end,
        text=text,
        place=place,
        fix="Write out in one of them what it takes from the other.",
    )


def _visit(
    slug: str, segments_of: Callable[[str], Iterable[str]], path: list[str], done: dict[str, None]
) -> list[str] | None:
    """Depth first; ``done`` gathers what is finished, dependencies before what needs them."""
    if slug in done:
        return None
    if slug in path:
        return [*path[path.index(slug) :], slug]
    for other in sorted(segments_of(slug)):
        circle = _visit(other, segments_of, [*path, slug], done)
        if circle:
            return circle
    done[slug] = None
    return None


def rename_segment(node: T, old: str, new: str) -> T:
    """The tree with every reference to the segment ``old`` made one to ``new``; comments stay."""

    def change(at: n.Node) -> n.Node:
        return dataclasses.replace(at, segment=new) if isinstance(at, _SEGMENTS) and at.segment == old else at

    return transform(node, change)  # type: ignore[return-value]


def depends_on_time(node: n.Node) -> bool:
    """Whether the answer can change by the passing of time alone: a window, an event, a count of days, another segment.

    A bare trait doesn't: between recorded changes it is constant.
    """
    return any(isinstance(at, _TIMED) for at in walk(node))


def uses_scores(node: n.Node, schema: Schema) -> bool:
    """Whether a trait that models write or a rank takes part, here or in a segment that this one refers to."""
    seen: set[str] = set()

    def visit(at: n.Node) -> bool:
        found = references(at)
        if found.traits & schema.scores or any(isinstance(part, n.Ranked | n.Percentile) for part in walk(at)):
            return True
        new = sorted(slug for slug in found.segments - seen if slug in schema.segments)
        seen.update(new)
        return any(visit(schema.segments[slug].where) for slug in new)

    return visit(node)
