"""Reading comparisons: what stands after a value and makes it a condition."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, cast

from shoal.errors import did_you_mean, nearest
from shoal.lang import nodes as n
from shoal.lang.nodes import MICRO
from shoal.lang.parse_conditions import Conditions
from shoal.lang.parse_values import COMPARE, WINDOW_WORDS, is_condition

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from shoal.errors import DefinitionError
    from shoal.lang.nodes import CompareOp, Condition, Literal_, MatchOp, Value

SIGNS = ("=", "!=", "<", "<=", ">", ">=")
_LITERALS = (n.Number, n.Text, n.YesNo, n.Date, n.Instant)
COMPARERS = (*SIGNS, "between", "in", "not", "is", "contains", "starts", "ends", "matches", "since")
_WORDS = tuple(w for w in COMPARERS if w not in SIGNS)
_STARTS = ("not", "did", "held", "changed", "member", "listed", "entered", "left", "consents", "anniversary")
_KNOWN = {"known": True, "missing": False}
_SAME_AS_MISSING = ("null", "none", "empty", "unknown", "unset", "blank", "nothing")


class Comparisons(Conditions):
    """Reads the rest of a comparison whose left side has been read."""

    def comparison(self, left: Value) -> Condition:
        """The rest of a comparison, by the word or sign that stands here."""
        key = self.token.key
        if key in SIGNS:
            return self.compare(left)
        reader = self.comparers.get(key)
        if reader is None:
            return self.bare(left)
        return reader(self, left)

    def bare(self, value: Value) -> Condition:
        """Refuse a value where a condition should stand."""
        start, end = value.span or (0, 0)
        shown = self.shown_value(value)
        near = nearest(self.token.key, _WORDS, most=2) if self.token.kind == "word" else []
        if near:
            raise self.fault_here(f"Expected a comparison of {shown} here, not {self.shown()}.", did_you_mean(near))
        joined = self.token.key in ("and", "or")
        if isinstance(value, n.Trait) and self.token.kind in ("word", "text"):
            small = value.name.casefold()
            if small in _STARTS and small != value.name:
                problem = "The words of the language are written in small letters."
                raise self.fault(problem, start, end, f"Write {small}.")
        meant = get_close_matches(value.name, _STARTS, 1, 0.75) if isinstance(value, n.Trait) and not joined else []
        if meant and self.token.kind in ("word", "text"):
            raise self.fault(f"{shown} begins no condition.", start, end, did_you_mean(meant))
        if self.token.key not in ("", "and", "or", ")", ",") or self.token.kind in ("text", "number", "name"):
            fix = f"Compare it, as {shown} = …, or join conditions with and, or."
            raise self.loose_filter() or self.fault_here(f"Expected a comparison here, not {self.shown()}.", fix)
        if isinstance(value, n.Trait | n.Property):
            fix = f"Write {shown} = yes, or {shown} is known."
            raise self.fault(f"A name alone, {shown}, is not a condition.", start, end, fix)
        raise self.fault("A value alone is not a condition.", start, end, f"Compare it: {shown} > …")

    # ------------------------------------------------------------ the right side

    def right_side(self) -> Value:
        """The right side: an arithmetic value, in a filter a literal or ``trait x``."""
        start = self.token.start
        if self.token.key in ("true", "false", "null"):
            raise self.fault_here(f"'{self.token.key}' is not a word of the language.", self.literal_advice())
        value = self.expression(COMPARE)
        if is_condition(value):
            raise self.fault("A condition can't be compared.", *self.span(start), "Join conditions with and, or.")
        if self.in_filter and not isinstance(value, (*_LITERALS, n.Trait)):
            raise self.filter_right(value)
        return value

    def filter_right(self, value: Value) -> DefinitionError:
        start, end = value.span or (0, 0)
        shown = self.shown_value(value)
        named = isinstance(value, n.Property | n.LocalTime)
        fix = f'Write "{shown}" for a text, or trait {shown} for the customer\'s trait.' if named else None
        return self.fault("In a filter the right side is a literal or trait x.", start, end, fix)

    def compare(self, left: Value) -> n.Compare:
        start = left.span[0] if left.span else self.token.start
        op = cast("CompareOp", self.advance().key)
        right = self.right_side()
        return n.Compare(left, op, right, span=self.span(start))

    def between(self, left: Value) -> n.Between | n.Percentile:
        start = left.span[0] if left.span else self.token.start
        self.advance()
        if self.token.key == "percentile":
            return self.percentile(left, start)
        low = self.right_side()
        self.need("and")
        high = self.right_side()
        return n.Between(left, low, high, span=self.span(start))

    def percentile(self, left: Value, start: int) -> n.Percentile:
        ranked = self.rankable(left)
        self.advance()
        low = self.need_number("a percentile", 0, 100 * MICRO)
        self.need("and")
        high = self.need_number("a percentile", 0, 100 * MICRO)
        return n.Percentile(ranked, low, high, span=self.span(start))

    def rankable(self, value: Value) -> n.Trait | n.Aggregate:
        if isinstance(value, n.Trait | n.Aggregate):
            return value
        start, end = value.span or (0, 0)
        raise self.fault("Only a trait or an aggregate can be ranked among customers.", start, end)

    # ------------------------------------------------------------ in

    def is_in(self, left: Value) -> n.In | n.When | n.Ranked:
        start = left.span[0] if left.span else self.token.start
        opening = self.advance().start
        if self.at("("):
            return n.In(left, self.options(), span=self.span(start))
        if self.token.kind in ("text", "date", "instant"):
            fix = f"Write in ({self.text[self.token.start : self.token.end]}, …), or = for a single value."
            raise self.fault_here("A list of values stands in parentheses.", fix)
        if self.at("top", "bottom"):
            return self.ranked(left, start)
        trait = self.dated(left, opening)
        window = self.in_window(opening, of_trait=True)
        return n.When(trait, window, span=self.span(start))

    def ranked(self, left: Value, start: int) -> n.Ranked:
        value = self.rankable(left)
        end = cast("Literal['top', 'bottom']", self.advance().key)
        token = self.token
        percent = self.need_number("a share in percent", 0, 100 * MICRO)
        if percent == 0:
            raise self.fault("The share is more than 0%.", token.start, token.end)
        self.need("%")
        return n.Ranked(value, end, percent, span=self.span(start))

    def dated(self, value: Value, start: int) -> n.Trait:
        """What may stand before a window: a trait."""
        if isinstance(value, n.Trait) and not self.in_filter:
            return value
        problem = "A window stands after an event, or after a trait that holds a date."
        raise self.fault(problem, start, self.token.end, "Write signed_up in last 30 days.")

    def since_moment(self, left: Value) -> n.When:
        start = left.span[0] if left.span else self.token.start
        opening = self.advance().start
        trait = self.dated(left, opening)
        window = self.since(opening)
        return n.When(trait, window, span=self.span(start))

    def options(self) -> tuple[Literal_, ...]:
        """``("KE", "UG")``."""
        self.need("(")
        found = [self.need_literal("a value")]
        while self.take(","):
            found.append(self.need_literal("a value"))
        self.need(")")
        return tuple(found)

    def negated(self, left: Value) -> n.In:
        start = left.span[0] if left.span else self.token.start
        word = self.advance()
        if self.token.key in COMPARERS and self.token.key != "in":
            shown = self.shown_value(left)
            fix = f"Write not {shown} {self.token.key} …"
            raise self.fault("'not' stands before the whole comparison.", word.start, self.token.end, fix)
        self.need("in")
        if not self.at("("):
            shown = self.shown_value(left)
            raise self.fault("'not in' takes a list.", word.start, self.token.end, f"Write not {shown} in ….")
        return n.In(left, self.options(), True, span=self.span(start))

    # ------------------------------------------------------------ is, contains …

    def is_known(self, left: Value) -> n.Known:
        start = left.span[0] if left.span else self.token.start
        self.advance()
        key = self.token.key
        if key == "not":
            raise self.is_not()
        if key in _SAME_AS_MISSING:
            raise self.fault_here(f"'is {key}' is not a comparison.", "Write is missing.")
        if key in COMPARERS:
            raise self.fault_here(f"'is {key}' is not a comparison.", "Leave 'is' out.")
        if not self.at("known", "missing"):
            error = self.unexpected()
            raise self.fault_here(error.problem, error.fix or "To compare with a value, write =.")
        self.advance()
        return n.Known(left, _KNOWN[key], span=self.span(start))

    def is_not(self) -> DefinitionError:
        wrong = self.peek()
        fix = "Write !=."
        if wrong.key in ("missing", *_SAME_AS_MISSING):
            fix = "Write is known."
        elif wrong.key == "known":
            fix = "Write is missing."
        elif wrong.key == "in":
            fix = "Write not in."
        shown = self.text[wrong.start : wrong.end]
        return self.fault(f"'is not {shown}' is not a comparison.", self.token.start, wrong.end, fix)

    def contains(self, left: Value) -> n.Match:
        start = left.span[0] if left.span else self.token.start
        self.advance()
        if self.token.key in ("any", "all"):
            op = cast("MatchOp", f"contains {self.advance().key} of")
            self.need("of")
            return self.match(left, op, self.texts(), start)
        return self.match(left, "contains", (self.one_text("contains"),), start)

    def texts(self) -> tuple[n.Text, ...]:
        self.need("(")
        found = [self.one_text("contains")]
        while self.take(","):
            found.append(self.one_text("contains"))
        self.need(")")
        return tuple(found)

    def begins(self, left: Value) -> n.Match:
        """``starts with``, ``ends with`` and ``matches``."""
        start = left.span[0] if left.span else self.token.start
        word = self.advance().key
        if word != "matches":
            self.need("with")
            word += " with"
        return self.match(left, cast("MatchOp", word), (self.one_text(word),), start)

    def one_text(self, word: str) -> n.Text:
        literal = self.need_literal("a text")
        if isinstance(literal, n.Text):
            return literal
        start, end = literal.span or (0, 0)
        raise self.fault(f"'{word}' takes a text.", start, end, f'Write it in double quotes: "{self.text[start:end]}".')

    def match(self, left: Value, op: MatchOp, operands: tuple[n.Text, ...], start: int) -> n.Match:
        folded = self.take("ignoring")
        if folded:
            self.need("case")
        return n.Match(left, op, operands, folded, span=self.span(start))

    comparers: dict[str, Callable[[Comparisons, Value], Condition]] = {  # noqa: RUF012
        "between": between,
        "in": is_in,
        "not": negated,
        "is": is_known,
        "contains": contains,
        "starts": begins,
        "ends": begins,
        "matches": begins,
        "since": since_moment,
    }

    # ------------------------------------------------------------ after a comparison

    def misplaced(self, left: Condition) -> DefinitionError:
        """A comparison or a window that follows what is a condition already."""
        loose = self.loose_filter() if isinstance(left, n.Compare | n.Between | n.In | n.Match | n.Known) else None
        if loose:
            return loose
        if self.token.key in WINDOW_WORDS:
            fix = "A window follows an event, a segment's name or a trait that holds a date; there is one at most."
            return self.fault_here("A window can't stand here.", fix)
        if isinstance(left, n.Compare | n.Between):
            fix = "Write x between a and b, or join two comparisons with and."
            return self.fault_here("Comparisons are never chained.", fix)
        fix = "Join conditions with and, or."
        if isinstance(left, n.Did):
            fix = 'To compare how often, write count("…") >= 3.'
        return self.fault_here("A condition can't be compared or calculated with.", fix)
