"""Reading the conditions that begin with a word of their own: did, held, changed, member of …"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

from shoal.lang import nodes as n
from shoal.lang.nodes import MICRO
from shoal.lang.parse_values import COMPARE, Values, is_condition

if TYPE_CHECKING:
    from typing import Literal

    from typing_extensions import TypeIs

    from shoal.errors import DefinitionError
    from shoal.lang.nodes import Condition, Literal_, Value

_LITERALS = (n.Number, n.Text, n.YesNo, n.Date, n.Instant)
_TIMES = {"once": "1 time", "twice": "2 times"}
_UNITS = ("m", "km", "mi")
Plain: TypeAlias = n.Compare | n.Between | n.In | n.Match | n.Known
"""What ``held`` may speak of."""


class Conditions(Values):
    """Reads conditions that begin with a word of their own."""

    # ------------------------------------------------------------ did

    def did(self) -> Condition:
        """``did A …`` in all its forms."""
        start = self.advance().start
        if self.token.key == "first":
            return self.did_first(start)
        if self.token.key == "not":
            raise self.fault_here("'not' stands before 'did'.", 'Write not did "…".')
        events = self.events()
        if self.token.key == "not" and self.peek().key == "after":
            return self.not_after(start, events)
        if self.at("then"):
            return self.sequence(start, events)
        times = self.times()
        if times and self.token.key == "in" and self.peek(2).key == "of":
            return self.regularly(start, events, times)
        window = self.window()
        self.hold_order(window is not None)
        return n.Did(events, times, window, span=self.span(start))

    def did_first(self, start: int) -> n.DidFirst:
        self.advance()
        events = self.events()
        window = self.window()
        if window is None and not self.periodic:
            raise self.loose_filter() or self.unexpected()
        return n.DidFirst(events, window, span=self.span(start))

    def times(self) -> n.Times | None:
        """``at least 3 times``."""
        start = self.token.start
        if self.at("at"):
            self.advance()
            if not self.at("least", "most"):
                raise self.unexpected()
            op = f"at {self.advance().key}"
        elif self.at("exactly"):
            op = self.advance().key
        else:
            return None
        if self.token.key in _TIMES:
            raise self.fault_here("Expected a number of times here.", f"Write {op} {_TIMES[self.token.key]}.")
        count = self.need_whole("a number of times", 0)
        if not self.take("times"):
            self.need("time")
        return n.Times(cast("Literal['at least', 'at most', 'exactly']", op), count, span=self.span(start))

    def regularly(self, start: int, events: n.Events, times: n.Times) -> n.Regularly:
        """The rest of ``at least 2 times in 3 of last 4 periods of 7 days``."""
        if times.op != "at least" or times.n < 1:
            low, high = times.span or (start, start)
            raise self.fault("Periods are counted with 'at least', once or more.", low, high, "Write at least n times.")
        self.advance()
        counted = self.token
        periods = self.need_whole("a number of periods", 1)
        self.advance()
        self.need("last")
        of_last = self.need_whole("a number of periods", 1, 10_000)
        if periods > of_last:
            problem = f"{periods} of the last {of_last} periods can't be."
            raise self.fault(problem, counted.start, counted.end, f"Write a number up to {of_last}.")
        if not self.take("periods"):
            self.need("period")
        self.need("of")
        length = self.duration("the length of a period")
        return n.Regularly(events, times.n, periods, of_last, length, span=self.span(start))

    def not_after(self, start: int, events: n.Events) -> n.NotAfter:
        """The rest of ``not after B within W``."""
        self.advance()
        self.advance()
        before = self.events()
        if not self.at("within"):
            raise self.loose_filter() or self.unexpected()
        self.advance()
        within = self.duration("a duration")
        window = self.window()
        return n.NotAfter(events, before, within, window, span=self.span(start))

    def sequence(self, start: int, first: n.Events) -> n.Sequence:
        """The steps after the first event, and the window at the end."""
        steps: list[n.Step] = []
        while self.at("then"):
            if steps and steps[-1].absent:
                raise self.fault_here("'then not' is the last step.", "Join a second condition with and.")
            steps.append(self.step())
        window = self.window()
        self.hold_order(window is not None)
        return n.Sequence(first, tuple(steps), window, span=self.span(start))

    def step(self) -> n.Step:
        """``then [not] B [without C] [with same K] [within W]``."""
        start = self.advance().start
        absent = self.take("not")
        events = self.events()
        without: n.Events | None = None
        same: tuple[str, ...] = ()
        within: n.Duration | None = None
        seen: list[str] = []
        while self.at("without", "with", "within"):
            if self.token.key in seen:
                raise self.fault_here(f"'{self.token.key}' stands twice in this step.")
            seen.append(self.advance().key)
            if seen[-1] == "without":
                without = self.events()
            elif seen[-1] == "with":
                same = self.same()
            else:
                within = self.duration("a duration")
        node = n.Step(events, within, absent, without, same, span=self.span(start))
        self.hold_absent(node, start)
        return node

    def same(self) -> tuple[str, ...]:
        self.need("same")
        names = [self.need_name("the name of a property")]
        while self.take(","):
            names.append(self.need_name("the name of a property"))
        return tuple(names)

    def hold_absent(self, step: n.Step, start: int) -> None:
        if not step.absent:
            return
        if step.within is None:
            stop = self.span(start)[1]
            if self.loose_filter_goes_on():
                wider = self.wider_filter()
                if self.token.key in ("within", "with"):
                    raise wider
            problem = "'then not' needs 'within': after how long without it?"
            raise self.fault(problem, start, stop, "Add within 1 hour, say.")
        if step.without is not None:
            problem = "'without' doesn't go with 'then not'."
            raise self.fault(problem, start, self.span(start)[1], "Join a second condition with and.")

    def hold_order(self, windowed: bool) -> None:
        """Refuse what belongs before the window, and what belongs to a step."""
        if self.at("within", "without", "with") and not windowed and not self.loose:
            fix = "For a window write in last 7 days; for a second event add then."
            raise self.fault_here(f"'{self.token.key}' follows a step, as in then \"B\" within 1 day.", fix)
        if windowed and self.at("at", "exactly", "then", "where", "within", "without", "with"):
            raise self.fault_here(f"'{self.token.key}' stands before the window.", "Move the window to the end.")

    # ------------------------------------------------------------ history of traits

    def held(self) -> n.Held:
        """``held status = "onboarding" for 7 days``."""
        start = self.advance().start
        left = self.expression(COMPARE)
        condition = left if is_condition(left) else self.comparison(left)
        if not is_plain(condition):
            raise self.not_held(condition)
        self.need("for")
        length = self.duration("a duration")
        return n.Held(condition, length, span=self.span(start))

    def not_held(self, condition: Condition) -> DefinitionError:
        start, end = condition.span or (0, 0)
        fix = 'Write held status = "onboarding" for 7 days.'
        return self.fault("'held' takes a comparison of one trait with literals.", start, end, fix)

    def changed(self) -> n.Changed:
        """``changed plan from "free" to "pro" in last 7 days``."""
        start = self.advance().start
        trait = self.trait()
        before: Literal_ | None = self.need_literal("the value before") if self.take("from") else None
        after: Literal_ | None = self.need_literal("the value after") if self.take("to") else None
        if after is not None and before is None and self.token.key == "from":
            raise self.fault_here("'from' stands before 'to'.", "Write changed plan from … to ….")
        window = self.window()
        return n.Changed(trait, before, after, window, span=self.span(start))

    # ------------------------------------------------------------ segments, lists, consent

    def member_of(self) -> n.MemberOf:
        """``member of "vip"``."""
        start = self.word_pair("of")
        name = self.need_text("the name of a segment")
        return n.MemberOf(name, span=self.span(start))

    def listed_in(self) -> n.ListedIn:
        """``listed in "staff"``."""
        start = self.word_pair("in")
        name = self.need_text("the name of a list")
        return n.ListedIn(name, span=self.span(start))

    def consents_to(self) -> n.Consents:
        """``consents to "email_marketing"``."""
        start = self.word_pair("to")
        name = self.need_text("the name of a purpose")
        return n.Consents(name, span=self.span(start))

    def word_pair(self, second: str) -> int:
        """Two words that belong together, as ``member of``."""
        first = self.token
        if self.peek().key != second:
            fix = f"Write {first.key} {second} …; if it is a name, write it in backticks: `{first.key}`."
            raise self.fault_here(f"'{first.key}' is followed by '{second}'.", fix)
        self.advance()
        self.advance()
        return first.start

    def entered(self) -> n.Entered:
        """``entered "vip" in last 14 days``."""
        start = self.segment_word()
        name = self.need_text("the name of a segment")
        window = self.window()
        return n.Entered(name, window, span=self.span(start))

    def left(self) -> n.Left:
        """``left "trial" in last 30 days``."""
        start = self.segment_word()
        name = self.need_text("the name of a segment")
        window = self.window()
        return n.Left(name, window, span=self.span(start))

    def segment_word(self) -> int:
        """``entered`` or ``left``, which the name of a segment follows."""
        if self.peek().kind in ("sign", "end") or self.peek().key in ("is", "in"):
            raise self.reserved(self.token)
        return self.advance().start

    # ------------------------------------------------------------ dates and places

    def anniversary(self) -> n.Anniversary:
        """``anniversary of birthday in next 7 days``."""
        start = self.word_pair("of")
        trait = self.trait()
        self.need("in")
        self.need("next")
        days = self.need_whole("a number of days", 1, 366)
        if not self.take("days"):
            self.need("day")
        return n.Anniversary(trait, days, span=self.span(start))

    def distance(self) -> n.Distance:
        """``distance of location to (-1.2864, 36.8172) < 10 km``."""
        start = self.word_pair("of")
        trait = self.trait()
        self.need("to")
        self.need("(")
        latitude = self.degrees("the latitude", 90)
        self.need(",")
        longitude = self.degrees("the longitude", 180)
        self.need(")")
        if not self.at("<", "<=", ">", ">="):
            raise self.unexpected()
        op = cast("Literal['<', '<=', '>', '>=']", self.advance().key)
        radius = self.need_number("a distance")
        if not self.at(*_UNITS):
            raise self.unexpected()
        unit = cast("Literal['m', 'km', 'mi']", self.advance().key)
        return n.Distance(trait, latitude, longitude, op, radius, unit, span=self.span(start))

    def degrees(self, what: str, most: int) -> int:
        sign = -1 if self.take("-") else 1
        token = self.token
        micro = self.need_number(what)
        if micro > most * MICRO:
            raise self.fault(f"Expected {what} here: from -{most} to {most}.", token.start, token.end)
        return sign * micro


def is_plain(condition: Condition) -> TypeIs[Plain]:
    """Whether it compares one trait with literals, as ``held`` wants it."""
    match condition:
        case n.Compare(left, _, right):
            sides: tuple[Value, ...] = (left, right)
        case n.Between(value, low, high):
            sides = (value, low, high)
        case n.In() | n.Match() | n.Known():
            sides = (condition.value,)
        case _:
            return False
    return isinstance(sides[0], n.Trait) and all(isinstance(s, _LITERALS) for s in sides[1:])
