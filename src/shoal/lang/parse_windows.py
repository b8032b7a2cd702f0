"""Reading durations, windows, dates and literals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.cursor import Cursor
from shoal.lang.nodes import UNIT_MICROSECONDS

if TYPE_CHECKING:
    from shoal.errors import DefinitionError
    from shoal.lang.nodes import CalendarUnit, Literal_, SlidingUnit, Window

SLIDING: dict[str, SlidingUnit] = {
    "second": "second", "seconds": "second", "minute": "minute", "minutes": "minute", "hour": "hour", "hours": "hour",
    "day": "day", "days": "day", "week": "week", "weeks": "week",
}  # fmt: skip
CALENDAR: dict[str, CalendarUnit] = {
    "day": "day", "days": "day", "week": "week", "weeks": "week", "month": "month", "months": "month",
    "quarter": "quarter", "quarters": "quarter", "year": "year", "years": "year",
}  # fmt: skip
IN_DAYS = {"month": 30, "quarter": 91, "year": 365}
"""What a calendar unit comes to in days, for advice only."""
_LONGEST = 10_000 * 366 * UNIT_MICROSECONDS["day"]


class Windows(Cursor):
    """Reads windows and the literals in them."""

    def duration(self, what: str, calendar: str = "") -> n.Duration:
        """``7 days``. ``calendar`` is how the calendar form begins where there is one, as ``last``."""
        start = self.token.start
        if not self.describes("number"):
            raise self.fault_here(f"Expected {what} here, as 7 days, not {self.shown()}.", self.numberless(calendar))
        amount = self.need_whole(what, 1)
        unit = SLIDING.get(self.token.key)
        if unit is None:
            raise self.not_sliding(start, amount, calendar)
        self.advance()
        node = n.Duration(amount, unit, span=self.span(start))
        if node.micros > _LONGEST:
            raise self.fault("A duration reaches up to 10,000 years.", start, self.span(start)[1])
        return node

    def numberless(self, calendar: str) -> str | None:
        unit = CALENDAR.get(self.token.key)
        if unit is None:
            return None
        sliding = f"1 {unit}" if unit in SLIDING else f"{IN_DAYS[unit]} days"
        return f"Write {calendar} {sliding}".replace("  ", " ") + (
            f", or {calendar} 1 calendar {unit}." if calendar == "last" else "."
        )

    def not_sliding(self, start: int, amount: int, calendar: str) -> DefinitionError:
        """A month, a quarter or a year has no fixed length: show both ways to say what was meant."""
        unit = CALENDAR.get(self.token.key)
        if unit is None:
            self.expected = list(SLIDING)[1::2]
            return self.unexpected()
        days = f"{calendar} {amount * IN_DAYS[unit]} days".strip()
        other = f" or {calendar} {amount} calendar {plural(amount, unit)}" if calendar == "last" else ""
        problem = f"'{amount} {self.token.key}' has no fixed length."
        return self.fault(problem, start, self.token.end, f"Write {days}{other}.")

    def window(self, *, of_trait: bool = False) -> Window | None:
        """The window that begins here, or None."""
        if self.at("in"):
            start = self.advance().start
            return self.in_window(start, of_trait=of_trait)
        if self.at("since"):
            return self.since(self.advance().start)
        if not of_trait and self.at("between"):
            return self.between_dates(self.advance().start)
        return None

    def in_window(self, start: int, *, of_trait: bool) -> Window:
        """The rest of a window after ``in``."""
        if self.at("last"):
            return self.in_last(start)
        if self.at("this"):
            return self.in_this(start)
        if self.at("next"):
            return self.in_next(start, of_trait=of_trait)
        if self.describes("number"):
            length = self.duration("a duration")
            if not self.take("before"):
                said = " ".join(self.text[length.span[0] : length.span[1]].split()) if length.span else "…"
                raise self.fault_here(f"Expected 'before' here, not {self.shown()}.", f"Write in last {said}.")
            if not self.at("last"):
                raise self.unexpected()
            self.advance()
            before = self.duration("a duration")
            return n.BeforeLast(length, before, span=self.span(start))
        raise self.unexpected("a duration")

    def in_last(self, start: int) -> n.Last | n.LastCalendar:
        self.advance()
        if self.describes("number") and self.peek().key == "calendar":
            amount = self.need_whole("how many", 1, 100_000)
            self.advance()
            unit = self.calendar_unit()
            return n.LastCalendar(amount, unit, span=self.span(start))
        length = self.duration("a duration", "last")
        return n.Last(length, span=self.span(start))

    def calendar_unit(self) -> CalendarUnit:
        unit = CALENDAR.get(self.token.key)
        if unit is None:
            raise self.unexpected("days", "weeks", "months", "quarters", "years")
        self.advance()
        return unit

    def in_this(self, start: int) -> n.This:
        self.advance()
        unit = CALENDAR.get(self.token.key)
        if unit is None or self.token.key != unit:
            raise self.unexpected("day", "week", "month", "quarter", "year")
        self.advance()
        return n.This(unit, span=self.span(start))

    def in_next(self, start: int, *, of_trait: bool) -> n.Next:
        if not of_trait:
            fix = "'in next' is for a trait that holds a date, as renewal_date in next 14 days."
            raise self.fault_here("What has yet to happen is not known.", fix)
        self.advance()
        length = self.duration("a duration", "next")
        return n.Next(length, span=self.span(start))

    def since(self, start: int) -> n.Since | n.Period:
        """``since D``, or ``since D until E``, which is another way to write a period."""
        first = self.moment()
        if self.take("until"):
            end = self.moment()
            return n.Period(first, end, span=self.span(start))
        return n.Since(first, span=self.span(start))

    def between_dates(self, start: int) -> n.Period:
        first = self.moment()
        self.need("and")
        end = self.moment()
        return n.Period(first, end, span=self.span(start))

    def moment(self) -> n.Date | n.Instant:
        """A date or an instant."""
        literal = self.literal_here() if self.token.kind in ("date", "instant") else None
        if isinstance(literal, n.Date | n.Instant):
            return literal
        fix = "Write dates without quotes." if self.describes("text") else None
        problem = f"Expected a date (2017-09-01) or an instant (2017-09-01T00:00:00Z) here, not {self.shown()}."
        raise self.fault_here(problem, fix)

    # ------------------------------------------------------------ literals

    def literal_here(self) -> Literal_ | None:
        """The literal that begins here, or None."""
        token = self.token
        if token.key == "-" and self.peek().kind == "number":
            self.advance()
            number = self.advance()
            return n.Number(-int(number.value), span=(token.start, number.end))
        literal = self.plain_literal()
        if literal is not None:
            self.advance()
        return literal

    def plain_literal(self) -> Literal_ | None:
        token = self.token
        span = (token.start, token.end)
        match token.kind:
            case "number":
                return n.Number(int(token.value), span=span)
            case "text":
                return n.Text(str(token.value), span=span)
            case "date":
                return n.Date(int(token.value), span=span)
            case "instant":
                return n.Instant(int(token.value), span=span)
            case "word" if token.key in ("yes", "no"):
                return n.YesNo(token.key == "yes", span=span)
        return None

    def need_literal(self, what: str) -> Literal_:
        """A literal, which must stand here."""
        literal = self.literal_here()
        if literal is not None:
            return literal
        fix = self.literal_advice()
        raise self.fault_here(f"Expected {what} here, not {self.shown()}.", fix)

    def literal_advice(self) -> str | None:
        """What to write instead of a word where a literal is wanted."""
        instead = {"true": "Write yes.", "false": "Write no.", "null": "Ask with is missing or is known."}
        if self.token.key in instead:
            return instead[self.token.key]
        if self.token.kind in ("word", "name"):
            return f'Texts stand in double quotes: "{self.token.value}".'
        return None


def plural(amount: int, unit: str) -> str:
    """``day`` for one, ``days`` for more."""
    return unit if amount == 1 else unit + "s"
