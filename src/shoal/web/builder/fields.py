"""The words and controls of a condition, in the order of its sentence: one writer a kind of node.

Asking for a kind without a writer is an error, so a part of the language that is new can't be left out in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, get_args

from shoal.lang import nodes as n
from shoal.lang.document import decimal_text
from shoal.lang.schema import Kind as Type
from shoal.web.builder import kinds
from shoal.web.builder.forms import Block, Control, Option, Piece, Word, item, options_of
from shoal.web.builder.moves import join_of
from shoal.web.builder.paths import at, path_text
from shoal.web.builder.reading import literal_text
from shoal.web.builder.slots import LITERALS, choices, compared_with, expected, inside, operators
from shoal.wording import noun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from shoal.lang.nodes import Node
    from shoal.lang.schema import Schema
    from shoal.web.builder.kinds import Kind
    from shoal.web.builder.paths import Path, Root

FIGURES = {
    "count": "how often",
    "sum": "total",
    "avg": "average",
    "min": "lowest",
    "max": "highest",
    "first": "first",
    "last": "last",
    "most frequent": "most frequent",
    "distinct": "number of different",
    "active days": "number of days with",
}
LOCAL = {"hour": "hour (0–23)", "weekday": "weekday", "date": "date"}
_SHAPES: dict[type[Node], str] = {n.Number: "number", n.Date: "date", n.Instant: "moment"}
_YES_NO = (Option("yes", "yes"), Option("no", "no"))


def pieces(root: Root, path: Path, schema: Schema) -> tuple[Piece, ...]:
    """The pieces of the condition at a place."""
    writer = _Writer(root, schema)
    writer.condition(path)
    return tuple(writer.out)


class _Writer:
    def __init__(self, root: Root, schema: Schema) -> None:
        self.root, self.schema = root, schema
        self.out: list[Piece] = []

    # ------------------------------------------------------------ small words

    def word(self, text: str, *, turn: bool = False) -> None:
        self.out.append(Word(text, turn))

    def put(self, path: Path, op: str, label: str, shape: str, value: str = "", **more: Any) -> None:
        self.out.append(Control(path_text(path), op, label, shape, value, **more))

    def choice(self, path: Path, label: str, value: str, options: Iterable[str], words: Mapping[str, str] = {}) -> None:
        found = tuple(Option(key, words.get(key, key)) for key in options)
        self.put(path, "set", label, "choice", value, options=found)

    def name(self, path: Path, label: str, value: str) -> None:
        shown = "" if value == kinds.NO_NAME else value
        self.put(path, "set", label, "name", shown, suggests=True)

    def whole(self, path: Path, label: str, value: int) -> None:
        self.put(path, "set", label, "whole", str(value))

    def decimal(self, path: Path, label: str, micro: int) -> None:
        self.put(path, "set", label, "number", decimal_text(micro))

    def begin(self, path: Path, words: str, *, rare: str = "") -> None:
        """A button that begins an optional part; ``rare`` is what it is of, where it is seldom needed."""
        label = f"{rare}: {words}" if rare else words
        self.put(path, "part", label, "button", "begin", words=label, rare=bool(rare))

    def drop(self, path: Path, words: str) -> None:
        """A button that takes something away."""
        self.put(path, "remove", words, "button", words=words)

    def kinds_menu(self, path: Path, label: str, offered: Mapping[str, Kind], value: str) -> None:
        if len(offered) > 1:
            self.put(path, "kind", label, "menu", value, options=options_of(offered))

    # ------------------------------------------------------------ conditions

    def condition(self, path: Path) -> None:
        node = at(self.root, path)
        if join_of(node) is not None:
            self.out.append(Block("", item(self.root, path, self.schema)))
            return
        _WRITERS[type(node)](self, node, path)

    def negated(self, node: n.Not, path: Path) -> None:
        self.word("not")
        self.condition((*path, "part"))

    def operator(self, node: Node, path: Path) -> None:
        offered = operators(self.root, path)
        found = tuple(Option(key, kind.label) for key, kind in offered.items())
        self.put(path, "operator", "How it is compared", "choice", kinds.operator_of(node), options=found)

    def compare(self, node: n.Compare, path: Path) -> None:
        self.value((*path, "left"))
        self.operator(node, path)
        self.value((*path, "right"))

    def between(self, node: n.Between, path: Path) -> None:
        self.value((*path, "value"))
        self.operator(node, path)
        self.value((*path, "low"))
        self.word("and")
        self.value((*path, "high"))

    def is_in(self, node: n.In, path: Path) -> None:
        self.value((*path, "value"))
        self.operator(node, path)
        self.listed((*path, "options"), len(node.options), "another value")

    def listed(self, path: Path, size: int, words: str) -> None:
        for i in range(size):
            self.value((*path, i))
            if size > 1:
                self.drop((*path, i), "take away")
        self.put(path, "add", f"Add {words}", "button", "", words=words)

    def match(self, node: n.Match, path: Path) -> None:
        self.value((*path, "value"))
        self.operator(node, path)
        if node.op.endswith(" of"):
            self.listed((*path, "operands"), len(node.operands), "another text")
        else:
            self.value((*path, "operands", 0))
        self.flag((*path, "ignoring_case"), "ignoring capitals", node.ignoring_case)

    def flag(self, path: Path, words: str, value: bool, *, of: str = "") -> None:
        label = f"{of}: {words}" if of and not value else words
        self.put(path, "set", label, "flag", "yes" if value else "no", words=label, rare=not value)

    def known(self, node: n.Known, path: Path) -> None:
        self.value((*path, "value"))
        self.operator(node, path)

    def any_item(self, node: n.AnyItem, path: Path) -> None:
        self.word("an item of")
        self.name((*path, "items"), "List in the event", node.items)
        self.block((*path, "where"), "for which")

    def block(self, path: Path, label: str) -> None:
        self.out.append(Block(label, item(self.root, path, self.schema)))

    def when(self, node: n.When, path: Path) -> None:
        self.trait((*path, "trait"))
        self.operator(node, path)
        self.window((*path, "window"))

    def ranked(self, node: n.Ranked, path: Path) -> None:
        self.value((*path, "value"))
        self.operator(node, path)
        self.decimal((*path, "percent"), "Share in per cent", node.percent)
        self.word("% of customers")

    def percentile(self, node: n.Percentile, path: Path) -> None:
        self.value((*path, "value"))
        self.operator(node, path)
        self.decimal((*path, "low"), "Lower percentile", node.low)
        self.word("and")
        self.decimal((*path, "high"), "Upper percentile", node.high)

    def anniversary(self, node: n.Anniversary, path: Path) -> None:
        self.word("the yearly day of")
        self.trait((*path, "trait"))
        self.word("comes in the next")
        self.whole((*path, "days"), "Days", node.days)
        self.word(noun(node.days, "day"))

    def distance(self, node: n.Distance, path: Path) -> None:
        self.word("the distance of")
        self.trait((*path, "trait"))
        self.word("to latitude")
        self.decimal((*path, "latitude"), "Latitude", node.latitude)
        self.word("and longitude")
        self.decimal((*path, "longitude"), "Longitude", node.longitude)
        signs = ("<", "<=", ">", ">=")
        self.choice((*path, "op"), "How far", node.op, signs, {key: kinds.OPERATORS[key].label for key in signs})
        self.decimal((*path, "radius"), "Distance", node.radius)
        self.choice((*path, "unit"), "Unit of distance", node.unit, ("m", "km", "mi"), {"mi": "miles"})

    # ------------------------------------------------------------ what was done

    def did(self, node: n.Did, path: Path) -> None:
        self.word("did")
        self.events((*path, "events"))
        if node.times is None:
            self.begin((*path, "times"), "a number of times")
        else:
            self.times(node.times, (*path, "times"))
            self.drop((*path, "times"), "once is enough")
        self.window((*path, "window"))

    def times(self, node: n.Times, path: Path) -> None:
        self.choice((*path, "op"), "At least, at most or exactly", node.op, ("at least", "at most", "exactly"))
        self.whole((*path, "n"), "Number of times", node.n)
        self.word(noun(node.n, "time"))

    def did_first(self, node: n.DidFirst, path: Path) -> None:
        self.word("did for the first time")
        self.events((*path, "events"))
        self.window((*path, "window"))

    def regularly(self, node: n.Regularly, path: Path) -> None:
        self.word("did")
        self.events((*path, "events"))
        self.word("at least")
        self.whole((*path, "times"), "Number of times", node.times)
        self.word(f"{noun(node.times, 'time')} in", turn=False)
        self.whole((*path, "periods"), "Number of periods", node.periods)
        self.word("of the last")
        self.whole((*path, "of_last"), "Out of how many periods", node.of_last)
        self.word("periods of")
        self.duration((*path, "length"))

    def not_after(self, node: n.NotAfter, path: Path) -> None:
        self.word("did")
        self.events((*path, "events"))
        self.word("without", turn=True)
        self.events((*path, "before"))
        self.word("in the")
        self.duration((*path, "within"))
        self.word("before it")
        self.window((*path, "window"))

    def sequence(self, node: n.Sequence, path: Path) -> None:
        self.word("did")
        self.events((*path, "first"))
        for i in range(len(node.steps)):
            self.step((*path, "steps", i))
        self.word("", turn=True)
        self.put((*path, "steps"), "add", "Add a step", "button", "", words="then …")
        self.window((*path, "window"), "the first of them")

    def step(self, path: Path) -> None:
        node: n.Step = at(self.root, path)
        self.word("", turn=True)
        options = (Option("no", "then"), Option("yes", "then not"))
        self.put(
            (*path, "absent"), "set", "Then, or then not", "choice", "yes" if node.absent else "no", options=options
        )
        self.events((*path, "events"))
        if node.within is None:
            self.begin((*path, "within"), "within a time")
        else:
            self.word("within")
            self.duration((*path, "within"))
            if not node.absent:
                self.drop((*path, "within"), "at any time")
        self._between_steps(node, path)
        self.drop(path, "take the step away")

    def _between_steps(self, node: n.Step, path: Path) -> None:
        if node.without is not None:
            self.word("without")
            self.events((*path, "without"))
            self.word("in between")
            self.drop((*path, "without"), "with anything in between")
        elif not node.absent:
            self.begin(
                (*path, "without"), "without something in between", rare=f"Before {node.events.name or 'the step'}"
            )
        if node.same:
            self.word("with the same")
        for i, name in enumerate(node.same):
            self.name((*path, "same", i), "Property that stays the same", name)
            self.drop((*path, "same", i), "take away")
        words = f"{node.events.name or 'The step'}: with the same …"
        self.put((*path, "same"), "add", words, "button", "", words=words, rare=True)

    # ------------------------------------------------------------ history, segments, permission

    def held(self, node: n.Held, path: Path) -> None:
        self.condition((*path, "condition"))
        self.word("and has been so for")
        self.duration((*path, "length"))

    def changed(self, node: n.Changed, path: Path) -> None:
        self.trait((*path, "trait"))
        self.word("changed")
        for name, word in (("before", "from"), ("after", "to")):
            if getattr(node, name) is None:
                self.begin((*path, name), f"{word} a value")
            else:
                self.word(word)
                self.value((*path, name))
                self.drop((*path, name), "any value")
        self.window((*path, "window"))

    def member_of(self, node: n.MemberOf, path: Path) -> None:
        self.word("is in the segment")
        self.name((*path, "segment"), "Segment", node.segment)

    def listed_in(self, node: n.ListedIn, path: Path) -> None:
        self.word("is on the list")
        self.name((*path, "name"), "List", node.name)

    def entered(self, node: n.Entered, path: Path) -> None:
        self.word("entered the segment")
        self.name((*path, "segment"), "Segment", node.segment)
        self.window((*path, "window"))

    def left(self, node: n.Left, path: Path) -> None:
        self.word("left the segment")
        self.name((*path, "segment"), "Segment", node.segment)
        self.window((*path, "window"))

    def consents(self, node: n.Consents, path: Path) -> None:
        self.word("agreed to")
        self.name((*path, "purpose"), "Purpose", node.purpose)

    # ------------------------------------------------------------ events

    def events(self, path: Path) -> None:
        node: n.Events = at(self.root, path)
        if node.newest is not None:
            self.word("of the newest")
            self.whole((*path, "newest"), "How many of the newest", node.newest)
        self.name((*path, "name"), "Event", node.name)
        if node.where is None:
            self.begin((*path, "where"), "where …")
        else:
            self.block((*path, "where"), "where")
        if node.newest is None:
            self.begin((*path, "newest"), "only the newest of them", rare=node.name or "The event")
        else:
            self.drop((*path, "newest"), "all of them")
        self.flag((*path, "of_account"), "by anyone in their account", node.of_account, of=node.name or "The event")

    # ------------------------------------------------------------ values

    def value(self, path: Path) -> None:
        """A value, and what else could stand there."""
        node = at(self.root, path)
        self.kinds_menu(path, "What stands here", choices(self.root, path), node.kind)
        if isinstance(node, LITERALS):
            self.literal(node, path)
        else:
            _WRITERS[type(node)](self, node, path)

    def literal(self, node: Node, path: Path) -> None:
        wanted = expected(self.root, path, self.schema)
        shown = literal_text(node)
        if isinstance(node, n.YesNo) or (wanted is Type.YESNO and shown in ("yes", "no", "")):
            self.put(path, "set", "Yes or no", "choice", shown, options=_YES_NO)
            return
        shape = _shape(node, wanted)
        about = compared_with(self.root, path)
        suggests = shape == "text" and isinstance(about, n.Trait | n.Property | n.LocalTime | n.Aggregate)
        self.put(path, "set", "Value", shape, shown, suggests=suggests)

    def trait_value(self, node: n.Trait, path: Path) -> None:
        if inside(self.root, path) == "filter":
            self.word("the customer's")
        self.trait(path)

    def trait(self, path: Path) -> None:
        self.name((*path, "name"), "What is known of them", at(self.root, path).name)

    def property(self, node: n.Property, path: Path) -> None:
        self.name((*path, "name"), "Property", node.name)

    def local(self, node: n.LocalTime, path: Path) -> None:
        self.choice((*path, "part"), "Local time", node.part, LOCAL, LOCAL)

    def aggregate(self, node: n.Aggregate, path: Path) -> None:
        self.choice((*path, "fn"), "Figure", node.fn, FIGURES, FIGURES)
        if node.of is not None:
            self.name((*path, "of"), "Property", node.of)
            self.word("of")
        self.events((*path, "events"))
        self.window((*path, "window"))

    def days_since_event(self, node: n.DaysSinceEvent, path: Path) -> None:
        self.word("days since the")
        self.choice((*path, "which"), "First or last", node.which, ("first", "last"))
        self.events((*path, "events"))

    def days_since(self, node: n.DaysSince, path: Path) -> None:
        self.word("days since")
        self.trait((*path, "trait"))

    def days_until(self, node: n.DaysUntil, path: Path) -> None:
        self.word("days until")
        self.trait((*path, "trait"))

    def bucket(self, node: n.Bucket, path: Path) -> None:
        self.word("their random number for")
        self.put((*path, "salt"), "set", "Name of the draw", "text", node.salt)

    def negative(self, node: n.Negative, path: Path) -> None:
        self.word("−(")
        self.value((*path, "value"))
        self.word(")")

    def arithmetic(self, node: n.Arithmetic, path: Path) -> None:
        self.word("(")
        self.value((*path, "left"))
        signs = {"+": "+", "-": "−", "*": "×", "/": "÷"}
        self.choice((*path, "op"), "Calculation", node.op, signs, signs)
        self.value((*path, "right"))
        self.word(")")

    # ------------------------------------------------------------ windows and durations

    def window(self, path: Path, of: str = "") -> None:
        node = at(self.root, path)
        offered = choices(self.root, path)
        if of and node is not None:
            self.word(of)
        found = options_of(offered)
        parent = at(self.root, path[:-1])
        if not isinstance(parent, n.When | n.DidFirst):
            found = (Option("", "at any time"), *found)
        self.put(path, "kind", "When", "choice", "" if node is None else node.kind, options=found)
        if node is not None:
            _WRITERS[type(node)](self, node, path)

    def last(self, node: n.Last | n.Next, path: Path) -> None:
        self.duration((*path, "length"))

    def before_last(self, node: n.BeforeLast, path: Path) -> None:
        self.word("of")
        self.duration((*path, "length"))
        self.word("before the last")
        self.duration((*path, "before"))

    def since(self, node: n.Since, path: Path) -> None:
        self.value((*path, "start"))

    def period(self, node: n.Period, path: Path) -> None:
        self.value((*path, "start"))
        self.word("until before")
        self.value((*path, "end"))

    def this(self, node: n.This, path: Path) -> None:
        self.choice((*path, "unit"), "Unit", node.unit, get_args(n.CalendarUnit))

    def last_calendar(self, node: n.LastCalendar, path: Path) -> None:
        self.whole((*path, "amount"), "How many", node.amount)
        self._unit((*path, "unit"), node.unit, node.amount, get_args(n.CalendarUnit))

    def duration(self, path: Path) -> None:
        node: n.Duration = at(self.root, path)
        self.whole((*path, "amount"), "How long", node.amount)
        self._unit((*path, "unit"), node.unit, node.amount, get_args(n.SlidingUnit))

    def _unit(self, path: Path, unit: str, amount: int, units: tuple[str, ...]) -> None:
        self.choice(path, "Unit", unit, units, {key: noun(amount, key) for key in units})


def _shape(node: Node, wanted: Type | None) -> str:
    """The form of a literal's field; what was typed in another form stays as it is, so that nothing of it is lost."""
    if type(node) in _SHAPES:
        return _SHAPES[type(node)]
    if wanted is Type.NUMBER:
        return "number"
    return "date" if wanted in (Type.DATE, Type.INSTANT) and node == n.Text("") else "text"


_WRITERS = cast(
    "dict[type[Node], Callable[[_Writer, Node, Path], None]]",
    {
        n.Not: _Writer.negated,
        n.Compare: _Writer.compare,
        n.Between: _Writer.between,
        n.In: _Writer.is_in,
        n.Match: _Writer.match,
        n.Known: _Writer.known,
        n.AnyItem: _Writer.any_item,
        n.When: _Writer.when,
        n.Ranked: _Writer.ranked,
        n.Percentile: _Writer.percentile,
        n.Anniversary: _Writer.anniversary,
        n.Distance: _Writer.distance,
        n.Did: _Writer.did,
        n.DidFirst: _Writer.did_first,
        n.Regularly: _Writer.regularly,
        n.NotAfter: _Writer.not_after,
        n.Sequence: _Writer.sequence,
        n.Held: _Writer.held,
        n.Changed: _Writer.changed,
        n.MemberOf: _Writer.member_of,
        n.ListedIn: _Writer.listed_in,
        n.Entered: _Writer.entered,
        n.Left: _Writer.left,
        n.Consents: _Writer.consents,
        n.Trait: _Writer.trait_value,
        n.Property: _Writer.property,
        n.LocalTime: _Writer.local,
        n.Aggregate: _Writer.aggregate,
        n.DaysSinceEvent: _Writer.days_since_event,
        n.DaysSince: _Writer.days_since,
        n.DaysUntil: _Writer.days_until,
        n.Bucket: _Writer.bucket,
        n.Negative: _Writer.negative,
        n.Arithmetic: _Writer.arithmetic,
        n.Last: _Writer.last,
        n.Next: _Writer.last,
        n.BeforeLast: _Writer.before_last,
        n.Since: _Writer.since,
        n.Period: _Writer.period,
        n.This: _Writer.this,
        n.LastCalendar: _Writer.last_calendar,
    },
)
