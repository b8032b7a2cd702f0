"""What a leaf is printed from: words, places where a line may break, and blocks (the conditions inside filters).

Every kind of node has its printer here; a kind without one can't be overlooked, for asking it is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from shoal.clock import iso
from shoal.lang import nodes as n
from shoal.lang.document import date_text, decimal_text
from shoal.lang.lex import LOCAL_TIME, name_text, quoted
from shoal.lang.parse_windows import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shoal.lang.nodes import Node

BREAK = "\x00"
"""A space where a line may break. No word is this character alone: names that hold it have backticks."""

TURN = "\x01"
"""A space where a new line begins if the leaf doesn't fit on one."""

_SUM, _PRODUCT = 1, 2
_BINDS = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT}


@dataclass(frozen=True, slots=True)
class Block:
    """A condition inside a leaf; ``closed``: it stands in parentheses even on one line."""

    condition: Node
    closed: bool


Piece: TypeAlias = str | Block


def pieces(node: Node, *, in_filter: bool) -> list[Piece]:
    """The pieces of a leaf, a value, a window or another part.

    Args:
        node: any node but and, or, not.
        in_filter: whether the names in it are an event's.
    """
    printer = _Printer(in_filter)
    printer.put(node)
    return printer.out


class _Printer:
    def __init__(self, in_filter: bool) -> None:
        self.in_filter = in_filter
        self.out: list[Piece] = []

    def put(self, *parts: Node | str) -> None:
        """Add words and nodes, one after the other, without spaces between them."""
        for part in parts:
            if isinstance(part, str):
                self.out.append(part)
            else:
                _PRINTERS[type(part)](self, part)

    def listed(self, parts: Sequence[Node]) -> None:
        self.put("(")
        for i, part in enumerate(parts):
            if i:
                self.put(",", BREAK)
            self.put(part)
        self.put(")")

    # ------------------------------------------------------------ literals and windows

    def number(self, node: n.Number) -> None:
        self.put(decimal_text(node.micro))

    def text(self, node: n.Text) -> None:
        self.put(quoted(node.value))

    def yes_no(self, node: n.YesNo) -> None:
        self.put("yes" if node.value else "no")

    def date(self, node: n.Date) -> None:
        self.put(date_text(node.days))

    def instant(self, node: n.Instant) -> None:
        self.put(iso(node.micros))

    def duration(self, node: n.Duration) -> None:
        self.put(f"{node.amount} {plural(node.amount, node.unit)}")

    def last(self, node: n.Last) -> None:
        self.put("in last ", node.length)

    def before_last(self, node: n.BeforeLast) -> None:
        self.put("in ", node.length, " before last ", node.before)

    def since(self, node: n.Since) -> None:
        self.put("since ", node.start)

    def period(self, node: n.Period) -> None:
        self.put("between ", node.start, " and ", node.end)

    def this(self, node: n.This) -> None:
        self.put(f"in this {node.unit}")

    def last_calendar(self, node: n.LastCalendar) -> None:
        self.put(f"in last {node.amount} calendar {plural(node.amount, node.unit)}")

    def next(self, node: n.Next) -> None:
        self.put("in next ", node.length)

    def window(self, window: Node | None) -> None:
        if window is not None:
            self.put(BREAK, window)

    def closing_window(self, window: Node | None) -> None:
        if window is not None:
            self.put(TURN, window)

    # ------------------------------------------------------------ values

    def trait(self, node: n.Trait) -> None:
        self.put("trait " if self.in_filter else "", name_text(node.name))

    def property(self, node: n.Property) -> None:
        self.put(f"`{node.name}`" if node.name in LOCAL_TIME else name_text(node.name))

    def local(self, node: n.LocalTime) -> None:
        self.put(node.part)

    def events(self, node: n.Events, *, closed: bool = False) -> None:
        newest = "" if node.newest is None else f"last {node.newest} "
        self.put(newest, quoted(node.name), " of account" if node.of_account else "")
        if node.where is not None:
            self.put(BREAK, "where ")
            self.out.append(Block(node.where, closed or isinstance(node.where, n.And | n.Or | n.Not)))

    def aggregate(self, node: n.Aggregate) -> None:
        self.put(node.fn, "(", "" if node.of is None else name_text(node.of) + " of ", node.events)
        self.window(node.window)
        self.put(")")

    def days_since_event(self, node: n.DaysSinceEvent) -> None:
        self.put(f"days since {node.which} ")
        self.events(node.events, closed=True)

    def days_since(self, node: n.DaysSince) -> None:
        self.put("days since ", node.trait)

    def days_until(self, node: n.DaysUntil) -> None:
        self.put("days until ", node.trait)

    def bucket(self, node: n.Bucket) -> None:
        self.put("bucket ", quoted(node.salt))

    def negative(self, node: n.Negative) -> None:
        # A sign before digits is part of the number; parentheses keep the two apart.
        positive = isinstance(node.value, n.Number) and node.value.micro >= 0
        self.put("-")
        self.operand(node.value, positive or isinstance(node.value, n.Arithmetic))

    def arithmetic(self, node: n.Arithmetic) -> None:
        binds = _BINDS[node.op]
        self.operand(node.left, _looser(node.left, binds))
        self.put(BREAK, f"{node.op} ")
        self.operand(node.right, _looser(node.right, binds + 1))

    def operand(self, node: Node, closed: bool) -> None:
        if closed:
            self.put("(", node, ")")
        else:
            self.put(node)

    # ------------------------------------------------------------ comparisons

    def compare(self, node: n.Compare) -> None:
        self.put(node.left, TURN, f"{node.op} ", node.right)

    def between(self, node: n.Between) -> None:
        self.put(node.value, " between", BREAK, node.low, " and", BREAK, node.high)

    def is_in(self, node: n.In) -> None:
        self.put(node.value, " not in " if node.negated else " in ")
        self.listed(node.options)

    def match(self, node: n.Match) -> None:
        self.put(node.value, f" {node.op} ")
        if node.op.endswith(" of"):
            self.listed(node.operands)
        else:
            self.put(node.operands[0])
        if node.ignoring_case:
            self.put(" ignoring case")

    def known(self, node: n.Known) -> None:
        self.put(node.value, " is known" if node.known else " is missing")

    def any_item(self, node: n.AnyItem) -> None:
        self.put(f"any {name_text(node.items)} ")
        self.out.append(Block(node.where, True))

    def when(self, node: n.When) -> None:
        self.put(node.trait, " ")
        if isinstance(node.window, n.Period):
            # After a trait, "between" is the comparison, whose end belongs to it.
            self.put("since ", node.window.start, " until ", node.window.end)
        else:
            self.put(node.window)

    def ranked(self, node: n.Ranked) -> None:
        self.put(node.value, f" in {node.end} {decimal_text(node.percent)}%")

    def percentile(self, node: n.Percentile) -> None:
        self.put(node.value, f" between percentile {decimal_text(node.low)} and {decimal_text(node.high)}")

    def anniversary(self, node: n.Anniversary) -> None:
        self.put("anniversary of ", node.trait, f" in next {node.days} {plural(node.days, 'day')}")

    def distance(self, node: n.Distance) -> None:
        place = f"({decimal_text(node.latitude)}, {decimal_text(node.longitude)})"
        self.put("distance of ", node.trait, f" to {place} {node.op} {decimal_text(node.radius)} {node.unit}")

    # ------------------------------------------------------------ did

    def times(self, node: n.Times) -> None:
        self.put(f"{node.op} {node.n} {plural(node.n, 'time')}")

    def did(self, node: n.Did) -> None:
        self.put("did ", node.events)
        if node.times is not None:
            self.put(BREAK, node.times)
        self.closing_window(node.window)

    def sequence(self, node: n.Sequence) -> None:
        self.put("did ", node.first)
        for step in node.steps:
            self.put(TURN, step)
        self.closing_window(node.window)

    def step(self, node: n.Step) -> None:
        self.put("then not " if node.absent else "then ", node.events)
        if node.without is not None:
            self.put(BREAK, "without ", node.without)
        if node.same:
            self.put(BREAK, "with same ", ", ".join(name_text(name) for name in node.same))
        if node.within is not None:
            self.put(BREAK, "within ", node.within)

    def not_after(self, node: n.NotAfter) -> None:
        self.put("did ", node.events, TURN, "not after ", node.before, BREAK, "within ", node.within)
        self.closing_window(node.window)

    def did_first(self, node: n.DidFirst) -> None:
        self.put("did first ", node.events)
        self.window(node.window)

    def regularly(self, node: n.Regularly) -> None:
        self.put("did ", node.events, TURN, f"at least {node.times} {plural(node.times, 'time')}", BREAK)
        self.put(f"in {node.periods} of last {node.of_last} {plural(node.of_last, 'period')} of ", node.length)

    # ------------------------------------------------------------ history and membership

    def held(self, node: n.Held) -> None:
        self.put("held ", node.condition, " for ", node.length)

    def changed(self, node: n.Changed) -> None:
        self.put("changed ", node.trait)
        if node.before is not None:
            self.put(" from ", node.before)
        if node.after is not None:
            self.put(" to ", node.after)
        self.window(node.window)

    def member_of(self, node: n.MemberOf) -> None:
        self.put("member of ", quoted(node.segment))

    def listed_in(self, node: n.ListedIn) -> None:
        self.put("listed in ", quoted(node.name))

    def entered(self, node: n.Entered) -> None:
        self.put("entered ", quoted(node.segment))
        self.window(node.window)

    def left(self, node: n.Left) -> None:
        self.put("left ", quoted(node.segment))
        self.window(node.window)

    def consents(self, node: n.Consents) -> None:
        self.put("consents to ", quoted(node.purpose))

    def logic(self, node: Node) -> None:
        self.out.append(Block(node, False))


def _looser(node: Node, binds: int) -> bool:
    """Whether an operand needs parentheses beside an operator that binds so."""
    return isinstance(node, n.Arithmetic) and _BINDS[node.op] < binds


_PRINTERS = cast(
    "dict[type[Node], Callable[[_Printer, Node], None]]",
    {
        n.Number: _Printer.number,
        n.Text: _Printer.text,
        n.YesNo: _Printer.yes_no,
        n.Date: _Printer.date,
        n.Instant: _Printer.instant,
        n.Duration: _Printer.duration,
        n.Last: _Printer.last,
        n.BeforeLast: _Printer.before_last,
        n.Since: _Printer.since,
        n.Period: _Printer.period,
        n.This: _Printer.this,
        n.LastCalendar: _Printer.last_calendar,
        n.Next: _Printer.next,
        n.Trait: _Printer.trait,
        n.Property: _Printer.property,
        n.LocalTime: _Printer.local,
        n.Events: _Printer.events,
        n.Aggregate: _Printer.aggregate,
        n.DaysSinceEvent: _Printer.days_since_event,
        n.DaysSince: _Printer.days_since,
        n.DaysUntil: _Printer.days_until,
        n.Bucket: _Printer.bucket,
        n.Negative: _Printer.negative,
        n.Arithmetic: _Printer.arithmetic,
        n.Compare: _Printer.compare,
        n.Between: _Printer.between,
        n.In: _Printer.is_in,
        n.Match: _Printer.match,
        n.Known: _Printer.known,
        n.AnyItem: _Printer.any_item,
        n.When: _Printer.when,
        n.Ranked: _Printer.ranked,
        n.Percentile: _Printer.percentile,
        n.Anniversary: _Printer.anniversary,
        n.Distance: _Printer.distance,
        n.Times: _Printer.times,
        n.Did: _Printer.did,
        n.Sequence: _Printer.sequence,
        n.Step: _Printer.step,
        n.NotAfter: _Printer.not_after,
        n.DidFirst: _Printer.did_first,
        n.Regularly: _Printer.regularly,
        n.Held: _Printer.held,
        n.Changed: _Printer.changed,
        n.MemberOf: _Printer.member_of,
        n.ListedIn: _Printer.listed_in,
        n.Entered: _Printer.entered,
        n.Left: _Printer.left,
        n.Consents: _Printer.consents,
        n.And: _Printer.logic,
        n.Or: _Printer.logic,
        n.Not: _Printer.logic,
    },
)
