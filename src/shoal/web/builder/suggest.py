"""What may stand at a place: names and values that the data has, for fields of a row and for the cursor in the text.

What may follow in the text is asked of the reader of the language itself: a word is offered where the text, with it and a
typical end, can be read. So what is offered is always right, and a new word of the language is a line in a table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.calendar import WEEKDAYS
from shoal.lang.check.scope import property_names, property_types
from shoal.lang.lex import name_text, quoted
from shoal.lang.parse import parse
from shoal.lang.references import event_names
from shoal.lang.say import trait_words
from shoal.lang.schema import Kind
from shoal.web.builder.paths import at, locate
from shoal.web.builder.slots import compared_with, field_of, scope_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shoal.lang.schema import Schema
    from shoal.web.builder.paths import Path, Root

MOST = 50
"""So many suggestions at once."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something that may stand there.

    Args:
        value: what is written.
        label: what it means, where that isn't plain.
        count: how often the data has it; None where that isn't known.
        sort: ``event``, ``property``, ``trait``, ``segment``, ``list``, ``purpose``, ``value`` or ``word``.
    """

    value: str
    label: str = ""
    count: int | None = None
    sort: str = "word"


class Counts(Protocol):
    """What is known of how often the data has something."""

    def events(self) -> Mapping[str, int]:
        """How many events there are of each name, as far as they are counted."""

    def values(self, name: str, event: str | None = None, items: str | None = None) -> Sequence[tuple[str, int]]:
        """The most frequent values of a trait, of an event's property or of a field of its items."""


class Uncounted:
    """Nothing is counted."""

    def events(self) -> Mapping[str, int]:
        """Nothing."""
        return {}

    def values(self, name: str, event: str | None = None, items: str | None = None) -> Sequence[tuple[str, int]]:
        """Nothing."""
        return ()


# ---------------------------------------------------------------- fields of rows


def for_field(root: Root, path: Path, typed: str, schema: Schema, counts: Counts) -> list[Suggestion]:
    """What may stand in the field at a place, the nearest to what was typed first."""
    found = at(root, path)
    if isinstance(found, n.Text):
        return fitting(_values(root, path, schema, counts), typed)
    parent, name = field_of(root, path)
    return fitting(_names(root, path, parent, name, schema, counts), typed)


def fitting(all_: Iterable[Suggestion], typed: str) -> list[Suggestion]:
    """Those that hold what was typed, those that begin with it first; the order is kept otherwise."""
    folded = typed.strip().casefold()
    if not folded:
        return list(all_)[:MOST]
    held = [one for one in all_ if folded in one.value.casefold() or folded in one.label.casefold()]
    held.sort(key=lambda one: not one.value.casefold().startswith(folded))
    return held[:MOST]


def _names(root: Root, path: Path, parent: Any, name: str, schema: Schema, counts: Counts) -> Iterator[Suggestion]:
    match parent:
        case n.Events():
            yield from _events(schema, counts)
        case n.Trait():
            yield from _traits(schema, _wanted(root, path))
        case n.Property() | n.AnyItem():
            yield from _properties(root, path, schema, objects=isinstance(parent, n.AnyItem))
        case n.Aggregate():
            wanted = Kind.NUMBER if parent.fn in ("sum", "avg") else None
            known = event_names(parent.events.name, schema.events)
            # Where the event comes after its property, that of any event may be meant.
            yield from _of_event(parent.events.name if known else "*", schema, wanted)
        case n.Step():
            yield from _of_event(parent.events.name, schema, None)
        case n.MemberOf() | n.Entered() | n.Left():
            named = sorted(schema.segments.items(), key=lambda item: item[1].name.casefold())
            yield from (Suggestion(slug, one.name, None, "segment") for slug, one in named)
        case n.ListedIn():
            yield from (Suggestion(one, "", None, "list") for one in sorted(schema.lists))
        case n.Consents():
            yield from (Suggestion(one, "", None, "purpose") for one in sorted(schema.purposes))


def _events(schema: Schema, counts: Counts) -> Iterator[Suggestion]:
    """The most frequent first."""
    known = counts.events()
    for name in sorted(schema.events, key=lambda one: (-known.get(one, 0), one)):
        written = name[:-1] + "\\*" if name.endswith("*") else name
        yield Suggestion(written, "", known.get(name), "event")


def _wanted(root: Root, path: Path) -> frozenset[Kind] | None:
    """The types that a trait may have at a place; None for all."""
    holder, _ = field_of(root, path[:-1]) if len(path) > 1 else (None, "")
    if isinstance(holder, n.When | n.Anniversary | n.DaysSince | n.DaysUntil):
        return frozenset({Kind.DATE, Kind.INSTANT})
    if isinstance(holder, n.Distance):
        return frozenset({Kind.POINT})
    return frozenset({Kind.NUMBER}) if isinstance(holder, n.Ranked | n.Percentile | n.Arithmetic) else None


def _traits(schema: Schema, wanted: frozenset[Kind] | None) -> Iterator[Suggestion]:
    for name, kind in sorted(schema.traits.items()):
        if wanted is None or kind in wanted:
            words = trait_words(name, schema.scores)
            yield Suggestion(name, f"{kind}" if words == name else f"{words} · {kind}", None, "trait")


def _properties(root: Root, path: Path, schema: Schema, *, objects: bool) -> Iterator[Suggestion]:
    scope = scope_at(root, path[:-1] if objects else path, schema)
    if scope.event is None:
        return
    if scope.items is not None and not objects:
        fields = {f: k for t in property_types(scope.event, scope.items, schema) for f, k in t.fields.items()}
        yield from (Suggestion(name, str(kind), None, "property") for name, kind in sorted(fields.items()))
        return
    yield from _of_event(scope.event, schema, Kind.OBJECTS if objects else None)


def _of_event(event: str, schema: Schema, wanted: Kind | None) -> Iterator[Suggestion]:
    for name in sorted(property_names(event, schema)):
        kinds = {one.kind for one in property_types(event, name, schema)}
        if wanted is None or wanted in kinds:
            yield Suggestion(name, " or ".join(sorted(kinds)), None, "property")


def _values(root: Root, path: Path, schema: Schema, counts: Counts) -> Iterator[Suggestion]:
    """The most frequent values of what a text is compared with."""
    about, scope = compared_with(root, path), scope_at(root, path, schema)
    found: Iterable[tuple[str, int | None]] = ()
    match about:
        case n.LocalTime("weekday"):
            found = [(day, None) for day in WEEKDAYS]
        case n.Trait(name):
            found = counts.values(name)
        case n.Property(name):
            found = counts.values(name, scope.event, scope.items)
        case n.Aggregate(of=str(name), events=events):
            found = counts.values(name, events.name)
    yield from (Suggestion(value, "", count, "value") for value, count in found)


# ---------------------------------------------------------------- the cursor in the text

_STARTS = [
    ("did ", '"A"'), ("not ", "a = 1"), ("count(", '"A") > 1'), ("sum(", 'a of "A") > 1'), ("avg(", 'a of "A") > 1'),
    ("min(", 'a of "A") > 1'), ("max(", 'a of "A") > 1'), ("first(", 'a of "A") > 1'), ("last(", 'a of "A") > 1'),
    ("most frequent(", 'a of "A") > 1'), ("distinct(", 'a of "A") > 1'), ("active days(", '"A") > 1'),
    ("days since last ", '"A" > 1'), ("days since first ", '"A" > 1'), ("days since ", "a > 1"),
    ("days until ", "a > 1"), ("held ", "a = 1 for 1 day"), ("changed ", "a"), ("member of ", '"a"'),
    ("listed in ", '"a"'), ("entered ", '"a"'), ("left ", '"a"'), ("consents to ", '"a"'),
    ("anniversary of ", "a in next 1 day"), ("distance of ", "a to (1, 2) < 1 km"), ("bucket ", '"a" < 1'),
    ("did first ", '"A" in last 1 day'), ("any ", "a (b = 1)"), ("trait ", "a"), ("yes", ""), ("no", ""),
]  # fmt: skip
"""Words that stand where a name may stand, each with what could end a condition after it."""
_LOCAL = ("hour ", "weekday ", "date ")
_GOES_ON = [
    ("where ", "a = 1"), ("where (", "a = 1)"), ("and ", "a = 1"), ("or ", "a = 1"), ("= ", "1"), ("!= ", "1"),
    ("< ", "1"), ("<= ", "1"), ("> ", "1"), (">= ", "1"), ("between ", "1 and 2"), ("between percentile ", "1 and 2"),
    ("in (", "1)"), ("not in (", "1)"), ("in last ", "1 day"), ("in next ", "1 day"), ("in this ", "day"),
    ("in top ", "1%"), ("in bottom ", "1%"), ("since ", "2024-01-01"), ("until ", "2024-01-01"), ("is known", ""),
    ("is missing", ""), ("contains ", '"a"'), ("contains any of (", '"a")'), ("contains all of (", '"a")'),
    ("starts with ", '"a"'), ("ends with ", '"a"'), ("matches ", '"a"'), ("ignoring case", ""), ("then ", '"A"'),
    ("then not ", '"A" within 1 day'), ("not after ", '"A" within 1 day'), ("within ", "1 day"), ("without ", '"A"'),
    ("with same ", "a"), ("at least ", "1 time"), ("at most ", "1 time"), ("exactly ", "1 time"), ("times", ""),
    ("of account", ""), ("of ", '"A"'), ("for ", "1 day"), ("from ", "1"), ("to ", "1"), ("before last ", "1 day"),
    ("seconds", ""), ("minutes", ""), ("hours", ""), ("days", ""), ("weeks", ""), ("calendar ", "days"),
    ("months", ""), ("quarters", ""), ("years", ""), ("month", ""), ("quarter", ""), ("year", ""), ("week", ""),
    ("day", ""), ("periods of ", "1 day"), ("first ", '"A" in last 1 day'), ("km", ""), ("m", ""), ("mi", ""), ("%", ""),
]  # fmt: skip
"""Words that stand where no name may stand."""
_JOIN = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|//[^\n]*|\b(?:and|or)\b|[()]')
_ENDS = ("", " = 1", " in next 1 day", " > 1", ' of "A"', " for 1 day", " within 1 day", " in last 1 day",
         " = 1 for 1 day", " to (1, 2) < 1 km", " (b = 1)", " and 1", " time", " times in 1 of last 1 period of 1 day",
         "%", " last 1 day", " 1 day")  # fmt: skip
"""What could end a condition after a name, a text or a word."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What may stand at the cursor, instead of what stands between two places of the text."""

    start: int
    end: int
    options: tuple[Suggestion, ...]


def at_cursor(text: str, cursor: int, schema: Schema, counts: Counts) -> Completion:
    """What may stand at the cursor: words of the language, names, and values that the data has."""
    before = text[:cursor]
    start, typed, opened = _word_before(before)
    head = before[_unfinished(before[:start]) : start]
    if opened:
        return Completion(start, cursor, tuple(_texts(head, typed, schema, counts)))
    tree = _tried(head, _SENTINEL)
    names = [] if tree is None else _bare(tree, head, typed, schema)
    words = _words(head, typed, tree, schema)
    texts = [] if typed else _texts(head, "", schema, counts)
    return Completion(start, cursor, tuple([*texts[:MOST], *names, *words][: 2 * MOST]))


def _unfinished(head: str) -> int:
    """Where the condition begins in which a text ends: whole ones before it, joined by and or or, don't matter."""
    for join in reversed(list(_joins(head))):
        if not isinstance(_read(head[: join.start()]), DefinitionError):
            return join.end()
    return 0


def _joins(head: str) -> Iterator[re.Match[str]]:
    """Each ``and`` and ``or`` that stands outside texts and parentheses."""
    depth = 0
    for found in _JOIN.finditer(head):
        piece = found.group()
        depth += (piece == "(") - (piece == ")")
        if depth == 0 and piece in ("and", "or"):
            yield found


def _word_before(before: str) -> tuple[int, str, bool]:
    """Where the word that is being typed begins, what there is of it, and whether it is a text that isn't closed."""
    quotes = [i for i, letter in enumerate(before) if letter == '"' and (i == 0 or before[i - 1] != "\\")]
    if len(quotes) % 2:
        return quotes[-1], before[quotes[-1] + 1 :], True
    start = len(before)
    while start and (before[start - 1].isalnum() or before[start - 1] in "_.`"):
        start -= 1
    return start, before[start:], False


def _closing(head: str) -> str:
    """The parentheses that are still open; those inside texts don't count."""
    depth, inside = 0, False
    for i, letter in enumerate(head):
        if letter == '"' and (i == 0 or head[i - 1] != "\\"):
            inside = not inside
        elif not inside:
            depth += (letter == "(") - (letter == ")")
    return ")" * max(depth, 0)


@lru_cache(maxsize=1_000)
def _read(text: str) -> Any:
    """The tree of a text, or the fault for which it can't be read."""
    try:
        return parse(text)
    except DefinitionError as fault:
        return fault


def _tried(head: str, piece: str) -> Any:
    """The tree of a text that goes on with a piece and ends somehow; None where it never can be read."""
    closing = _closing(head)
    for end in _ENDS:
        for tail in dict.fromkeys((end + closing, f"{end}{closing} > 1", closing + end)):
            found = _read(f"{head}{piece}{tail}")
            if not isinstance(found, DefinitionError):
                return found
            if _misplaced(found, len(head)):
                return None
    return None


def _misplaced(fault: DefinitionError, at_: int) -> bool:
    """Whether what stands at a place of the text is what can't be read, however the text goes on."""
    alone = fault.problem.startswith(("A name alone", "A value alone"))
    return fault.start == at_ and not alone


def _words(head: str, typed: str, tree: Any, schema: Schema) -> Iterator[Suggestion]:
    """Words of the language that the text can go on with."""
    spaced = head if not head or head[-1].isspace() or head[-1] == "(" else f"{head} "
    if tree is not None and _of_event_itself(tree, head, schema):
        yield from (Suggestion(word) for word in _LOCAL if word.startswith(typed))
    for word, tail in _GOES_ON if tree is None else _STARTS:
        if word.startswith(typed) and _ends_well(spaced, word + tail):
            yield Suggestion(word)


def _of_event_itself(tree: Any, head: str, schema: Schema) -> bool:
    """Whether a name at the end of a text would be a property of an event, not of an item in it."""
    path = locate(tree, len(head), len(head) + len(_SENTINEL))
    return isinstance(at(tree, path), n.Property) and scope_at(tree, path, schema).items is None


def _ends_well(head: str, piece: str) -> bool:
    closing = _closing(head + piece)
    for end in (
        closing,
        f"{closing} > 1",
        f" for 1 day{closing}",
        f" in last 1 day{closing}",
        f" within 1 day{closing}",
    ):
        found = _read(head + piece + end)
        if not isinstance(found, DefinitionError):
            return True
        if _misplaced(found, len(head)):
            return False
    return False


_SENTINEL = "zzz_name"


def _bare(root: Any, head: str, typed: str, schema: Schema) -> list[Suggestion]:
    """Names without quotes: of traits, or of properties where the text speaks of an event."""
    path = locate(root, len(head), len(head) + len(_SENTINEL))
    found = at(root, path)
    field = "name" if isinstance(found, n.Trait | n.Property) else "of"
    names = _names(root, (*path, field), found, field, schema, Uncounted())
    return [Suggestion(name_text(o.value), o.label, o.count, o.sort) for o in fitting(names, typed.strip("`"))]


def _texts(head: str, typed: str, schema: Schema, counts: Counts) -> list[Suggestion]:
    """Names and values in quotes, for what a text would be at this place."""
    root = _tried(head, f'"{_SENTINEL}"')
    if root is None:
        return []
    path = locate(root, len(head), len(head) + len(_SENTINEL) + 2)
    found = at(root, path)
    if isinstance(found, n.Text):
        options = _values(root, path, schema, counts)
    else:
        options = _names(root, (*path, "name"), found, "name", schema, counts)
    return [Suggestion(quoted(o.value), o.label, o.count, o.sort) for o in fitting(options, typed)]
