"""What the parser says of a faulty text: the place, what is wrong, and what to write instead.

Breaks when a fault is passed over, shown at another place, or leaves the reader without a way on.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trees import conditions

from shoal.errors import DefinitionError
from shoal.lang.lex import FUNCTIONS, RESERVED
from shoal.lang.parse import parse
from shoal.lang.parse_windows import CALENDAR
from shoal.lang.show import show

# The faulty part stands between ‹ ›; then what the message must say.
FAULTS = [
    # comparisons and logic
    ("‹›", "no condition here"),
    ("‹age›", "age = yes"),
    ("‹opted_in› and age > 3", "opted_in = yes"),
    ("not ‹opted_in›", "opted_in is known"),
    ("1 < age ‹<› 5", "never chained. Write x between a and b"),
    ("age > 30 ‹30›", "'and' or 'or'"),
    ("age > 30 ‹AND› x = 1", 'Did you mean "and"'),
    ("age > 30 and‹›", "Expected a condition or a value here, not the end"),
    ("name ‹contians› \"x\"", 'Did you mean "contains"'),
    ("‹nott› did \"A\"", 'Did you mean "not"'),
    ("‹Did› \"A\"", "small letters. Write did."),
    ("‹Not› did \"A\"", "small letters. Write not."),
    ("a = ‹not› b", "can't stand here"),
    ("x = ‹true›", "Write yes"),
    ("x = ‹null›", "is missing or is known"),
    ("x is ‹null›", "Write is missing"),
    ("x is ‹not missing›", "Write is known"),
    ("x is ‹not known›", "Write is missing"),
    ('x is ‹not "a"›', "Write !="),
    ('x is ‹in› ("a")', "Leave 'is' out"),
    ('x is ‹"a"›', "write ="),
    ("x ‹not between› 1 and 2", "not x between"),
    ('x ‹not contains› "a"', "not x contains"),
    ('x in ‹"a"›', 'in ("a"'),
    ("x in (‹)›", "Expected a value"),
    ("x matches ‹3›", '"3"'),
    ('x contains any of ‹"a"›', "Expected '('"),
    ("x between 1‹›", "Expected 'and'"),
    ("(x > 1‹›", "Expected ')'"),
    ("x > 1‹)›", "closes nothing"),
    ("x > ‹(a = 1)›", "can't be compared"),
    ("x + ‹(a = 1)› > 2", "can't be calculated"),
    ('did "A" ‹>› 3', "count("),
    # words and names
    ("‹where› = 1", "in backticks: `where`"),
    ("‹member› = yes", "in backticks: `member`"),
    ("‹left› > 3", "in backticks: `left`"),
    ("‹größe› > 1", "in backticks: `größe`"),
    ("‹averge›(x of \"A\") > 1", 'Did you mean "avg"'),
    ("sum(‹\"A\"›) > 1", "sum(revenue of"),
    ("count(‹x› of \"A\") > 1", "distinct("),
    # literals
    ("x = ‹'›a'", "double quotes"),
    ("x = ‹“›a”", "straight double quotes"),
    ('x = ‹"abc›', "not closed"),
    ("x = ‹`abc›", "not closed"),
    ('x = "a‹\n›b"', r"write \n"),
    (r'x = ‹"\q"›', "escape"),
    (r'x = ‹"\ud800"›', "half a character"),
    ("‹``› = 1", "can't be empty"),
    ("x ‹=›= 1", "Write one ="),
    ("x ‹<›> 1", "!="),
    ("x ‹≥› 1", "Write >="),
    ("x > 1‹,›000", "without commas"),
    ("x > ‹1e6›", "digits with an optional fraction"),
    ("x > ‹30d›", "a space before"),
    ("x > ‹.›5", "0.5"),
    ("x > ‹99999999999999›", "10^12"),
    ("d > ‹2017-13-01›", "no date"),
    ("d > ‹2017-09-01T00:00›", "with Z or an offset"),
    ("d > ‹2017-09-01T25:00:00Z›", "no instant"),
    # filters
    ('did "A" where ‹a = 1 and b = 2› in last 7 days', "Write where (a = 1 and b = 2)"),
    ('did "A" where ‹a = 1 or b = 2 and c in ("x")› since 2017-01-01', 'where (a = 1 or b = 2 and c in ("x"))'),
    ('did "A" where ‹a = 1 and b = 2› at least 3 times', "Write where (a = 1 and b = 2)"),
    ('did "A" where ‹a = 1 and b = 2› then "B"', "Write where (a = 1 and b = 2)"),
    ('did "A" then "B" where ‹a = 1 and b = 2› within 3 days', "Write where (a = 1 and b = 2)"),
    ('did "A" then "B" where ‹a = 1 and b = 2› with same k', "Write where (a = 1 and b = 2)"),
    ('did "A" then not "B" where ‹a = 1 and b = 2› within 3 days', "Write where (a = 1 and b = 2)"),
    ('count("A" where ‹a = 1 and b = 2› in last 7 days) > 1', "Write where (a = 1 and b = 2)"),
    ('count("A" where ‹a = 1 and b = 2›) > 1', "Write where (a = 1 and b = 2)"),
    ('did "A" where ‹not› a = 1', "Write where (not"),
    ('did "A" where category = ‹shoes›', '"shoes" for a text, or trait shoes'),
    ('did "A" where price * 2 > ‹cost + 1›', "a literal or trait x"),
    ('did "A" where ‹did› "B"', "speaks of one event"),
    ('did "A" where ‹count›("B") > 1', "speaks of one event"),
    ("‹any› products (x = 1)", "after 'where'"),
    ('did "A" where any products (‹x›)', "x = yes"),
    ('days since last "A" where ‹x = 1› > 60', "Write where (x = 1)"),
    # events and windows
    ("did ‹Order›", '"Order"'),
    ('did ‹not› "A"', "Write not did"),
    ('did "A" ‹wehre› x = 1', 'Did you mean "where"'),
    ('did "A" in ‹lst› 7 days', 'Did you mean "last"'),
    ('did "A" in last ‹3 months›', "Write last 90 days or last 3 calendar months"),
    ('did "A" in last ‹1 year›', "Write last 365 days or last 1 calendar year"),
    ("x in last ‹2 quarters›", "Write last 182 days or last 2 calendar quarters"),
    ("x in next ‹3 months›", "Write next 90 days"),
    ('did "A" then "B" within ‹1 month›', "Write 30 days"),
    ('did "A" in last ‹month›', "last 1 calendar month"),
    ('did "A" in last ‹0› days', "a whole number of 1 or more"),
    ('did "A" in last ‹1.5› days', "a whole number of 1 or more"),
    ('did "A" in last ‹99999999 weeks›', "10,000 years"),
    ('did "A" in 3 days‹›', "Write in last 3 days"),
    ('did "A" in ‹next› 3 days', "not known"),
    ('did "A" since ‹"2017-01-01"›', "without quotes"),
    ("x in this ‹months›", 'Did you mean "month"'),
    ('did "A" ‹within› 3 days', "write in last 7 days"),
    ('did "A" in last 7 days ‹at› least 3 times', "before the window"),
    ('did "A" in last 7 days ‹then› "B"', "before the window"),
    ("x in last 3 days ‹in› last 4 days", "one at most"),
    ("(a = 1) ‹in› last 4 days", "A window can't stand here"),
    ('did "A" at least ‹once›', "at least 1 time"),
    ('did "A" ‹then not "B"›', "needs 'within'"),
    ('did "A" then not "B" within 1 day ‹then› "C"', "the last step"),
    ('did "A" then "B" within 1 day ‹within› 2 days', "twice"),
    ('did "A" at least 2 times in ‹4› of last 3 periods of 7 days', "up to 3"),
    ('did "A" ‹at most 2 times› in 1 of last 3 periods of 7 days', "at least n times"),
    ('did first "A"‹›', "'in', 'since'"),
    ('days since last "A" ‹in› last 3 days > 1', "takes no window"),
    ('days since ‹"A"› > 1', 'days since last "A"'),
    # the rest
    ("member of ‹vip›", '"vip"'),
    ("held ‹x = y› for 3 days", "with literals"),
    ("held ‹did \"A\"› for 3 days", "one trait"),
    ("changed x to 1 ‹from› 2", "before 'to'"),
    ("x in top ‹0›%", "more than 0%"),
    ("x in top ‹101›%", "from 0 to 100"),
    ("x in top 10‹›", "'%'"),
    ("‹a + b› in top 10%", "Only a trait or an aggregate"),
    ("anniversary of b in next ‹400› days", "from 1 to 366"),
    ("distance of l to (‹91›, 3) < 3 km", "from -90 to 90"),
    ("distance of l to (1, 3) < 3 ‹miles›", "'mi'"),
    ("distance of l to (1, 3) ‹=› 3 km", "'<'"),
    ("x > 1 // why\nand ‹\"›", "not closed"),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "says"), FAULTS)
def test_a_fault_is_shown_at_its_place_with_the_way_on(marked: str, says: str) -> None:
    start, end = marked.index("‹"), marked.index("›") - 1
    text = re.sub("[‹›]", "", marked)
    with pytest.raises(DefinitionError) as caught:
        parse(text, place="segments/x.yaml")
    error = caught.value
    assert says.lower() in str(error).lower()
    assert (error.start, error.end) == (start, end)
    assert error.text == text
    assert error.place == "segments/x.yaml"


def test_a_fault_is_drawn_under_its_line() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse('age > 30\nand nme contians "x"')
    assert str(caught.value).endswith('\n  and nme contians "x"\n          ^^^^^^^^ line 2, column 9')


# ---------------------------------------------------------------- any text at all

_ODDITIES = ['"', "`", "//", "\n", "(", ")", "%", ",", "2017-09-01", "2017-09-01T00:00:00Z", "30", "0.5", '"A"', "-"]
_PIECES = [*RESERVED, *FUNCTIONS, *CALENDAR, *_ODDITIES, "last", "top", "times", "periods", "calendar", "<", ">=", "="]
quick = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def refusal(text: str) -> DefinitionError | None:
    """The fault of a text; what is no fault reads back as it is printed."""
    try:
        tree = parse(text)
    except DefinitionError as error:
        return error
    assert parse(show(tree)) == tree
    return None


def read(text: str) -> None:
    """Read a text. It may be a definition or a fault with its place, and nothing else."""
    error = refusal(text)
    if error is not None:
        assert error.start is None or 0 <= error.start <= (error.end or 0) <= len(text)
        assert str(error)


@quick
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    read(text)


@quick
@given(st.lists(st.sampled_from(sorted(set(_PIECES))), max_size=25).map(" ".join))
def test_any_words_of_the_language_are_read_or_refused(text: str) -> None:
    read(text)


@quick
@given(conditions, st.integers(0, 10**6), st.sampled_from(["", " ", ")", "(", '"', "x", " and ", "=", "\\", "9", "-"]))
def test_a_definition_with_a_slip_is_read_or_refused(tree: object, place: int, slip: str) -> None:
    text = show(tree, width=60)  # type: ignore[arg-type]
    at = place % len(text)
    read(text[:at] + slip + text[at + 1 :])
