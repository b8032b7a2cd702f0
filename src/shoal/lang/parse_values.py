"""Reading values: names, events with their filters, aggregates, days since and until, buckets."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeAlias, cast, get_args

from shoal.errors import DefinitionError, did_you_mean, nearest
from shoal.lang import nodes as n
from shoal.lang.lex import FUNCTIONS, LOCAL_TIME, RESERVED
from shoal.lang.nodes import Condition, Value
from shoal.lang.parse_windows import Windows

if TYPE_CHECKING:
    from typing import Literal

    from typing_extensions import TypeIs

    from shoal.lang.lex import Token
    from shoal.lang.nodes import AggregateFn

Operand: TypeAlias = Value | Condition
CONDITIONS: tuple[type[n.Node], ...] = get_args(Condition)
COMPARE = 4
"""How tightly comparisons bind; see ``parse``."""

# Aggregates that look at events as such, not at a property of theirs.
_OF_EVENTS = ("count", "active days")
WINDOW_WORDS = ("in", "since", "between", "then", "with", "within", "without", "at", "exactly")


class Values(Windows):
    """Reads values."""

    # Whether names stand for properties of an event just now.
    in_filter = False
    # Whether this is a metric's condition, whose period stands in for windows.
    periodic = False
    # The last filter without parentheses: where it begins in the text, and which token follows it.
    loose: tuple[int, int] | None = None

    @abstractmethod
    def expression(self, floor: int) -> Operand:
        """A value or a condition of operators that bind more tightly than ``floor``."""

    @abstractmethod
    def operand(self, floor: int) -> Operand:
        """A value or a condition without operators, or with one before it."""

    @abstractmethod
    def comparison(self, left: Value) -> Condition:
        """The rest of a comparison whose left side has been read."""

    # ------------------------------------------------------------ names

    def named(self) -> Value:
        """A bare name, or one in backticks: a trait, or in a filter a property or the event's local time."""
        token = self.token
        span = (token.start, token.end)
        if token.kind == "word":
            if self.peek().key == "(":
                raise self.no_function(token)
            if token.key in RESERVED:
                raise self.reserved(token)
        self.advance()
        if not self.in_filter:
            return n.Trait(str(token.value), span=span)
        if token.key in LOCAL_TIME:
            return n.LocalTime(cast("Literal['hour', 'weekday', 'date']", token.key), span=span)
        return n.Property(str(token.value), span=span)

    def no_function(self, token: Token) -> DefinitionError:
        if token.key in RESERVED:
            return self.reserved(token)
        fix = did_you_mean(nearest(token.key, FUNCTIONS)) or f"There are {', '.join(FUNCTIONS)}."
        return self.fault_here(f"There is no function '{token.key}'.", fix)

    def trait(self) -> n.Trait:
        """The name of a trait."""
        start = self.token.start
        name = self.need_name("the name of a trait")
        return n.Trait(name, span=self.span(start))

    def trait_word(self) -> n.Trait:
        """``trait x``: in a filter, the trait of that name."""
        start = self.advance().start
        name = self.need_name("the name of a trait")
        return n.Trait(name, span=self.span(start))

    # ------------------------------------------------------------ events and their filters

    def events(self, *, closed: bool = False) -> n.Events:
        """``[last 5] "A" [of account] [where …]``. ``closed``: the filter must stand in parentheses."""
        self.loose = None
        start = self.token.start
        newest = None
        if self.at("last"):
            self.advance()
            newest = self.need_whole("how many of the newest events", 1)
        name = self.need_text("the name of an event")
        account = self.of_account()
        where = None
        if self.at("where"):
            self.advance()
            where = self.filter(closed=closed)
        account = account or self.of_account()
        return n.Events(name, where, newest, account, span=self.span(start))

    def of_account(self) -> bool:
        if not self.take("of"):
            return False
        self.need("account")
        return True

    def filter(self, *, closed: bool = False) -> Condition:
        """What stands after ``where``: one comparison, or several in parentheses."""
        outer, self.in_filter = self.in_filter, True
        start, opened = self.token.start, self.token.key == "("
        if self.token.key == "not":
            raise self.fault_here("Without parentheses, 'where' takes one comparison.", "Write where (not …).")
        left = self.operand(COMPARE) if closed and opened else self.expression(COMPARE)
        condition = left if is_condition(left) else self.comparison(left)
        self.in_filter = outer
        if closed and not (opened and condition is left):
            raise self.needs_parentheses(start)
        self.loose = None if condition is left else (start, self.index)
        return condition

    def needs_parentheses(self, start: int) -> DefinitionError:
        _, end = self.span(start)
        inner = self.text[start:end]
        fix = f"Write where ({inner})."
        return self.fault("The filter of 'days since' stands in parentheses.", start, end, fix)

    def loose_filter(self) -> DefinitionError | None:
        """The fault of ``where a = 1 and b = 2 in last 7 days``, if that is what stands here."""
        if self.loose is None or self.token.key not in (*WINDOW_WORDS, ")"):
            return None
        start, after = self.loose
        if self.tokens[after].key not in ("and", "or") or after >= self.index:
            return None
        end = self.tokens[self.index - 1].end
        return self.second_comparison(start, end)

    def loose_filter_goes_on(self) -> bool:
        """Whether ``and`` or ``or`` follows a filter without parentheses."""
        return self.loose is not None and self.loose[1] == self.index and self.token.key in ("and", "or")

    def wider_filter(self) -> DefinitionError:
        """The fault of a filter that goes on where nothing but a filter can: read it to its end to show it whole."""
        start, self.in_filter = (self.loose or (0, 0))[0], True
        end = self.token.end
        try:
            while self.token.key in ("and", "or"):
                self.advance()
                part = self.expression(COMPARE)
                if not is_condition(part):
                    self.comparison(part)
                end = self.span(start)[1]
        except DefinitionError:
            # What follows has a fault of its own; the first one is enough.
            return self.fault("Without parentheses, 'where' takes one comparison.", start, end, "Write where (…).")
        return self.second_comparison(start, end)

    def second_comparison(self, start: int, end: int) -> DefinitionError:
        inner = " ".join(self.text[start:end].split())
        problem = "Without parentheses, 'where' takes one comparison."
        return self.fault(problem, start, end, f"Write where ({inner}) so that all of it speaks of the same event.")

    def any_item(self) -> n.AnyItem:
        """``any products ( … )``."""
        if not self.in_filter:
            problem = "'any' looks into a list of objects of an event, so it stands after 'where'."
            raise self.fault_here(problem, 'Write did "…" where any products (…).')
        start = self.advance().start
        items = self.need_name("the name of a list of objects")
        self.need("(")
        inner = self.expression(0)
        where = inner if is_condition(inner) else self.bare(inner)
        self.close()
        return n.AnyItem(items, where, span=self.span(start))

    @abstractmethod
    def bare(self, value: Value) -> Condition:
        """Refuse a value where a condition should stand."""

    def close(self, *more: str) -> None:
        """The closing parenthesis."""
        if not self.at(")"):
            raise self.loose_filter() or self.unexpected(*more)
        self.advance()
        self.loose = None

    # ------------------------------------------------------------ values of their own

    def function_here(self) -> str | None:
        """The function word that stands here, which it is only before ``(``."""
        key, ahead = self.token.key, self.peek()
        if ahead.key == "(":
            return key if key in FUNCTIONS else None
        pair = f"{key} {ahead.key}"
        return pair if pair in FUNCTIONS and self.peek(2).key == "(" else None

    def aggregate(self, name: str) -> n.Aggregate:
        """``sum(revenue of "Order Completed" in last 30 days)``."""
        self.hold_outside_filter("An aggregate")
        start = self.token.start
        for _ in name.split():
            self.advance()
        self.need("(")
        of = self.property_of(name)
        events = self.events()
        if self.loose_filter_goes_on():
            raise self.wider_filter()
        window = self.window()
        self.close()
        return n.Aggregate(cast("AggregateFn", name), events, of, window, span=self.span(start))

    def property_of(self, name: str) -> str | None:
        here, ahead = self.token, self.peek()
        counted = name in _OF_EVENTS
        if here.kind == "text" or (here.key == "last" and ahead.kind == "number"):
            if counted:
                return None
            problem = f"'{name}' needs a property of the event."
            raise self.fault_here(problem, f"Write {name}(revenue of {self.text[here.start : here.end]} …).")
        if not counted:
            of = self.need_name("the name of a property")
            self.need("of")
            return of
        if here.kind in ("word", "name") and ahead.key == "of":
            fix = "Leave the property out, or write distinct(…) for the number of different values."
            raise self.fault_here(f"'{name}' counts events, not a property of theirs.", fix)
        return None

    def days(self) -> Value:
        """``days since signed_up``, ``days since last "A"`` or ``days until renewal_date``."""
        self.hold_outside_filter("'days'")
        start = self.advance().start
        until = self.advance().key == "until"
        if not until and self.since_event():
            which: Literal["first", "last"] = "first" if self.advance().key == "first" else "last"
            events = self.events(closed=True)
            node: Value = n.DaysSinceEvent(which, events, span=self.span(start))
        else:
            trait = self.days_trait(until=until)
            node = n.DaysUntil(trait, span=self.span(start)) if until else n.DaysSince(trait, span=self.span(start))
        if self.token.key == "in" and self.peek().key in ("last", "this", "next"):
            raise self.fault_here("'days since' takes no window.", "Compare it: days since … < 30.")
        return node

    def days_trait(self, *, until: bool) -> n.Trait:
        if self.describes("text") and not until:
            event = self.text[self.token.start : self.token.end]
            fix = f"Write days since last {event}, or days since first {event}."
            raise self.fault_here("Which of the events?", fix)
        return self.trait()

    def since_event(self) -> bool:
        if self.token.key not in ("first", "last"):
            return False
        return self.peek().kind == "text" or (self.peek().key == "last" and self.peek(2).kind == "number")

    def bucket(self) -> n.Bucket:
        """``bucket "salt"``."""
        self.hold_outside_filter("'bucket'")
        start = self.advance().start
        salt = self.need_text("the salt of the bucket")
        return n.Bucket(salt, span=self.span(start))

    def hold_outside_filter(self, what: str) -> None:
        """Refuse what speaks of the customer where only the event is spoken of."""
        if self.in_filter:
            fix = "Compare its properties with literals or with trait x; ask the rest outside the filter."
            raise self.fault_here(f"{what} can't stand in a filter, which speaks of one event.", fix)

    def shown_value(self, value: Value) -> str:
        """A value as it stands in the text."""
        start, end = value.span or (0, 0)
        return " ".join(self.text[start:end].split())


def is_condition(operand: n.Node) -> TypeIs[Condition]:
    """Whether it answers yes or no."""
    return isinstance(operand, CONDITIONS)
