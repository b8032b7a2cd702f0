"""The parser: text of the segment language into its tree.

Operators bind, from loose to tight: ``or``, ``and``, ``not``, comparisons, ``+ −``, ``* /``, unary ``−``. One loop
reads them all by their power; it meets values and conditions alike and says which of them can't stand where. The words
with a grammar of their own are in ``parse_values``, ``parse_conditions`` and ``parse_comparisons``.

>>> from shoal.lang.show import show
>>> show(parse('not (age<=30)and country in("KE","UG")'))
'not age <= 30 and country in ("KE", "UG")'
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.comments import attach
from shoal.lang.depth import LESS_DEEP, MOST_DEPTH, TOO_DEEP, depth
from shoal.lang.parse_comparisons import COMPARERS, Comparisons
from shoal.lang.parse_values import COMPARE, Operand, is_condition

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from shoal.lang.nodes import Condition, Value

Root = TypeVar("Root", bound=n.Node)
_OR, _AND, _NOT, _SUM, _PRODUCT, _SIGN = 1, 2, 3, 5, 6, 7
_POWERS = {
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(COMPARERS, COMPARE),
    **dict.fromkeys("+-", _SUM),
    **dict.fromkeys("*/", _PRODUCT),
}
# A level of the tree costs two of these at most: an operator's right side and its parentheses.
_MOST_NESTED = 2 * MOST_DEPTH + 10


def parse(text: str, *, place: str | None = None, periodic: bool = False) -> Condition:
    """Read a definition.

    Args:
        text: the condition.
        place: the file that it comes from, for messages.
        periodic: it is a metric's: ``did first`` may be without a window, which is the metric's period then.

    Raises:
        DefinitionError: with the place of the fault and what to write instead.
    """
    try:
        parser = _Parser(text, place)
        parser.periodic = periodic
        return parser.whole()
    except RecursionError:
        # Only where the caller has used up most of the stack: the parser bounds its own depth.
        raise DefinitionError(TOO_DEEP, text=text, place=place, fix=LESS_DEEP) from None


def parse_value(text: str, *, place: str | None = None) -> Value:
    """Read a value, as ``sum(revenue of "Order Completed") / count("Order Completed")``, which a metric is made of.

    Args:
        text: the value.
        place: the file that it comes from, for messages.

    Raises:
        DefinitionError: with the place of the fault and what to write instead.

    >>> parse_value('count("Order Completed")').kind
    'aggregate'
    """
    try:
        return _Parser(text, place).whole_value()
    except RecursionError:
        raise DefinitionError(TOO_DEEP, text=text, place=place, fix=LESS_DEEP) from None


def parse_events(text: str, *, place: str | None = None) -> n.Events:
    """Read which events are meant, as ``"Product Viewed" where category = "shoes"``, which a step of a funnel is.

    Args:
        text: the event's name and its filter.
        place: the file that it comes from, for messages.

    Raises:
        DefinitionError: with the place of the fault and what to write instead.

    >>> parse_events('"Product Viewed" where price > 10').name
    'Product Viewed'
    """
    try:
        parser = _Parser(text, place)
        return parser.ended(parser.events())
    except RecursionError:
        raise DefinitionError(TOO_DEEP, text=text, place=place, fix=LESS_DEEP) from None


def as_step(text: str) -> str:
    """The text of a step for ``parse_events``, with the quotes about the event's name, which people may leave out.

    >>> as_step("Product Viewed where price > 10")
    '"Product Viewed" where price > 10'
    """
    text = text.strip()
    if text.startswith('"') or re.match(r"last \d", text):
        return text
    name, filtered, rest = text.partition(" where ")
    return f"{json.dumps(name.strip(), ensure_ascii=False)}{filtered}{rest}"


class _Parser(Comparisons):
    nested = 0

    def whole(self) -> Condition:
        """The condition that is the whole text."""
        if self.describes("end"):
            raise self.fault_here("There is no condition here.", 'Write one, as age >= 18 or did "Order Completed".')
        root = self.expression(0)
        return self.ended(root if is_condition(root) else self.bare(root))

    def whole_value(self) -> Value:
        """The value that is the whole text."""
        if self.describes("end"):
            raise self.fault_here("There is no value here.", 'Write one, as count("Order Completed").')
        root = self.expression(0)
        if is_condition(root):
            raise self.fault(
                "This is a condition, and here stands a value.",
                0,
                len(self.text),
                'Write a value, as count("Order Completed").',
            )
        return self.ended(root)

    def ended(self, root: Root) -> Root:
        """The root of the tree, after which nothing comes."""
        if not self.describes("end"):
            raise self.leftover()
        if len(self.tokens) > MOST_DEPTH and depth(root) > MOST_DEPTH:
            raise self.fault(TOO_DEEP, 0, len(self.text), LESS_DEEP)
        attach(root, self.comments, self.tokens)
        return root

    def leftover(self) -> DefinitionError:
        if self.token.key == ")":
            return self.fault_here("This parenthesis closes nothing.", "Take it away, or open one before.")
        if self.token.key == "," and self.tokens[self.index - 1].kind == "number":
            return self.fault_here("A comma can't stand here.", "Write numbers without commas, as 1000.")
        return self.loose_filter() or self.unexpected("and", "or")

    # ------------------------------------------------------------ operators

    def expression(self, floor: int) -> Operand:
        self.nested += 1
        if self.nested > _MOST_NESTED:
            raise self.fault_here(TOO_DEEP, LESS_DEEP)
        left = self.operand(floor)
        power = _POWERS.get(self.token.key, 0)
        while power > floor:
            left = self.infix(left, power)
            power = _POWERS.get(self.token.key, 0)
        self.nested -= 1
        return left

    def infix(self, left: Operand, power: int) -> Operand:
        if power <= _AND:
            return self.joined(left, power)
        if is_condition(left):
            raise self.misplaced(left)
        return self.comparison(left) if power == COMPARE else self.calculated(left, power)

    def joined(self, left: Operand, power: int) -> n.And | n.Or:
        """All the parts that one kind of word joins, left to right."""
        word = self.token.key
        parts = [left if is_condition(left) else self.bare(left)]
        start = parts[0].span[0] if parts[0].span else 0
        while self.take(word):
            part = self.expression(power)
            parts.append(part if is_condition(part) else self.bare(part))
        cls = n.And if power == _AND else n.Or
        return cls(tuple(parts), span=self.span(start))

    def calculated(self, left: Value, power: int) -> n.Arithmetic:
        start = left.span[0] if left.span else self.token.start
        op = cast("Literal['+', '-', '*', '/']", self.advance().key)
        right_start = self.token.start
        right = self.expression(power)
        if is_condition(right):
            raise self.fault("A condition can't be calculated with.", *self.span(right_start))
        return n.Arithmetic(left, op, right, span=self.span(start))

    # ------------------------------------------------------------ operands

    def operand(self, floor: int) -> Operand:
        literal = self.literal_here()
        if literal is not None:
            return literal
        token = self.token
        if token.key == "not" and floor < _NOT + 1:
            return self.negation()
        if token.kind == "name":
            return self.named()
        if token.kind != "word":
            return self.sign()
        function = self.function_here()
        if function:
            return self.aggregate(function)
        if token.key == "days" and self.peek().key in ("since", "until"):
            return self.days()
        reader = self.readers.get(token.key)
        if reader is None:
            return self.named()
        if self.in_filter and token.key not in ("any", "trait", "bucket"):
            self.hold_outside_filter(f"'{token.key}'")
        return reader(self)

    def sign(self) -> Operand:
        if self.token.key == "(":
            return self.group()
        if self.token.key == "-":
            return self.negative()
        raise self.fault_here(f"Expected a condition or a value here, not {self.shown()}.")

    def negation(self) -> n.Not:
        start = self.advance().start
        part = self.expression(_NOT)
        condition = part if is_condition(part) else self.bare(part)
        return n.Not(condition, span=self.span(start))

    def negative(self) -> n.Negative:
        start = self.advance().start
        value = self.expression(_SIGN)
        if is_condition(value):
            fix = "Write not before a condition."
            raise self.fault("A condition can't be calculated with.", *self.span(start), fix)
        return n.Negative(value, span=self.span(start))

    def group(self) -> Operand:
        start = self.advance().start
        inner = self.expression(0)
        self.close("and", "or")
        return replace(inner, span=self.span(start))

    readers: dict[str, Callable[[_Parser], Operand]] = {  # noqa: RUF012
        "did": Comparisons.did,
        "held": Comparisons.held,
        "changed": Comparisons.changed,
        "member": Comparisons.member_of,
        "listed": Comparisons.listed_in,
        "consents": Comparisons.consents_to,
        "entered": Comparisons.entered,
        "left": Comparisons.left,
        "anniversary": Comparisons.anniversary,
        "distance": Comparisons.distance,
        "bucket": Comparisons.bucket,
        "any": Comparisons.any_item,
        "trait": Comparisons.trait_word,
    }
