"""The check of definitions: what is refused when a segment is saved, with which words, and what is let through.

Each row of a table is one rule. Breaks when a rule is lost (the definition would fail or lie when it runs), when a rule
grows too strict, or when the message loses the fault or the way to mend it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from shop_schema import EXAMPLES, SHOP

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.check import check, check_definition, definition_faults, doubts, faults, type_of
from shoal.lang.nodes import MICRO
from shoal.lang.parse import parse
from shoal.lang.schema import Kind, Schema


def problems(text: str, schema: Schema = SHOP) -> list[str]:
    """All faults of a definition as sentences with their fix, without the place."""
    return [f"{f.problem} {f.fix or ''}".strip() for f in faults(parse(text), schema, text=text)]


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_language_page_pass(text: str) -> None:
    assert problems(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "last_seen = 2017-09-01",
        "last_seen between 2017-09-01 and 2017-09-30",
        "last_seen in (2017-09-01, 2017-09-02T10:00:00Z)",
        "2017-09-01 <= signed_up",
        'country < "M"',
        "subscribed = yes",
        "interests is missing and location is known",
        'interests contains "hats" ignoring case',
        'interests contains any of ("hats", "shoes")',
        'did "Order Completed" where tags contains "new"',
        'did "Order Completed" where product_id = trait plan',
        'did "Order Completed" where revenue > -5',
        'did "App Opened" where (hour >= 18 and weekday in ("Saturday", "Sunday") and date > 2017-09-01)',
        'did "Video *" where title = "Up"',
        'max(paid_at of "Order Completed") > 2017-09-01',
        'distinct(tags of "Order Completed") > 3',
        'sum(revenue of "Order Completed") / count("Order Completed") > 3',
        '(sum(revenue of "Order Completed") - 5) / count("Order Completed") > clv',
        'avg(revenue of "Order Completed") > 1.5 * avg(revenue of "Order Completed" in last 30 days)',
        "clv * age > 10",
        "clv between percentile 20 and 40",
        'count("App Opened" in last 28 days) in top 10%',
        "held age between 3 and 5 for 1 day",
        "changed interests in last 7 days",
        'country matches "^(KE|UG)$"',
        'did "App Opened" at most 0 times in last 3 calendar months',
        "anniversary of last_seen in next 366 days",
    ],
)
def test_what_the_language_allows_passes(text: str) -> None:
    assert problems(text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("aeg > 3", 'There is no trait "aeg". Did you mean "age"?'),
        ('industry = "Retail"', 'There is no trait "industry". Accounts have it: write "account.industry".'),
        ('did "Order Complete"', 'There is no event "Order Complete". Did you mean "Order Completed"?'),
        ('did "Vidio *"', 'There is no event whose name begins with "Vidio ".'),
        (
            'sum(revenu of "Order Completed") > 1',
            'no property "revenu" of the event "Order Completed". Did you mean "revenue"?',
        ),
        ('did "Order Completed" where revenu > 1', 'There is no property "revenu" of the event'),
        (
            'did "Order Completed" where any products (prise > 1)',
            'no field "prise" in the items of "products". Did you mean "price"?',
        ),
        ('did "Order Completed" where any product (price > 1)', 'There is no property "product" of the event'),
        ('did "Order Completed" where revenue > trait aeg', 'There is no trait "aeg". Did you mean "age"?'),
        ('listed in "staf"', 'There is no list "staf". Did you mean "staff"?'),
        ('member of "vp"', 'There is no segment "vp". Did you mean "vip"?'),
        ('entered "vp"', 'There is no segment "vp". Did you mean "vip"?'),
        ('member of "Very Important"', '"Very Important" is the display name of a segment. Use its slug: "vip".'),
        ("country = KE", 'There is no trait "KE". A text stands in quotes: "KE".'),
        ("country = plna", 'A text stands in quotes: "plna". Did you mean "plan"?'),
        ('consents to "email"', 'There is no purpose "email". Did you mean "email_marketing"?'),
    ],
)
def test_unknown_names_are_refused_with_the_nearest_known_one(text: str, problem: str) -> None:
    (found,) = problems(text)
    assert problem in found


def test_where_nothing_is_near_some_known_names_are_shown() -> None:
    assert problems('listed in "zzz"') == ['There is no list "zzz". Known: "press", "staff".']
    assert problems("zzz > 1", Schema()) == [
        'There is no trait "zzz". None is known yet: load data first, or declare it.'
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('age > "30"', "A number doesn't compare with text. A number stands without quotes, as 25."),
        ("country = 254", 'Text doesn\'t compare with a number. Text stands in quotes, as "KE".'),
        ("country = plan and age = country", "A number doesn't compare with text."),
        (
            "signed_up > 2017-09-01T10:00:00Z",
            "A date doesn't compare with an instant. A date is written 2017-09-01, without quotes.",
        ),
        ("last_seen > signed_up", "An instant doesn't compare with a date."),
        ("subscribed > no", "Yes/no has no order. Write = yes or = no."),
        ("subscribed = 1", "Yes/no doesn't compare with a number. Write = yes or = no."),
        (
            'interests = "hats"',
            "This is a list of text, which doesn't compare with another value. Ask a list with contains",
        ),
        ("location = 3", "This is a geo point, which doesn't compare with another value. Ask how far away it is"),
        (
            'did "Order Completed" where products = "a"',
            "This is a list of objects, which doesn't compare with another value.",
        ),
        ('age between 3 and "x"', "A number doesn't compare with text."),
        ('age in (3, "x")', "A number doesn't compare with text."),
        ('age contains "3"', '"contains" is for text, and this is a number.'),
        ('country contains any of ("KE", "UG")', '"contains any of" is for lists, and this is text.'),
        ('interests starts with "ha"', '"starts with" is for text, and this is a list of text.'),
        ('country matches "(KE"', "This pattern can't be used: missing ): (KE."),
        ('country matches "(?=KE)"', "This pattern can't be used"),
        ("age + country > 3", "Arithmetic needs numbers, and this is text."),
        ("signed_up + 3 > 3", "Arithmetic needs numbers, and this is a date. Use days since or days until"),
        ("-signed_up > 3", "Arithmetic needs numbers, and this is a date."),
        ('sum(cart_id of "Order Completed") > 3', '"sum" needs a number, and "cart_id" is text.'),
        (
            'min(cart_id of "Order Completed") > "a"',
            '"min" needs a number, a date or an instant, and "cart_id" is text.',
        ),
        ('last(tags of "Order Completed") is known', '"last" needs a single value, and "tags" is a list of text.'),
        ('distinct(products of "Order Completed") > 1', '"distinct" needs a single value or a list of text'),
        ('first(cart_id of "Order Completed") > 3', "Text doesn't compare with a number."),
        ('sum(length of "Video *") > 3', 'The property "length" is a number and text among the events "Video *".'),
        ('did "Video *" where length > 3', 'The property "length" is a number and text among the events "Video *".'),
        ("country in last 3 days", '"country" is text, and here stands a date or an instant.'),
        ("days since country > 3", '"country" is text, and here stands a date or an instant.'),
        ("anniversary of age in next 3 days", '"age" is a number, and here stands a date or an instant.'),
        ("distance of country to (1, 1) < 3 km", '"country" is text, and distance needs a geo point.'),
        ("country in top 10%", "Customers are ranked by a number, and this is text."),
        ("changed plan to 3 in last 3 days", '"plan" is text, and this is a number.'),
        ('changed interests to "hats" in last 3 days', '"interests" is a list of text, which has no single value'),
        ('did "App Opened" where weekday = "monday"', '"monday" is not a weekday. Did you mean "Monday"?'),
        ('did "App Opened" where weekday > "Monday"', "Weekdays have no order here."),
        (
            'did "Order Completed" where any tags (price > 1)',
            '"any" looks into a list of objects, and "tags" is a list of text.',
        ),
        (
            'did "Email Opened" then "Cart Updated" with same cart_id',
            '"cart_id" is a number of "Email Opened" and text of "Cart Updated".',
        ),
        (
            'did "Order Completed" then "Order Completed" with same tags',
            '"with same" needs a single value, and "tags" is a list of text.',
        ),
    ],
)
def test_values_that_do_not_suit_are_refused(text: str, problem: str) -> None:
    (found, *more) = problems(text)
    assert not more
    assert problem in found


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        (n.Did(n.Events("App Opened"), None, n.Next(n.Duration(3, "day"))), '"in next" looks ahead'),
        (n.Did(n.Events("App Opened"), None, n.Last(n.Duration(0, "day"))), "A duration is 1 or more."),
        (n.Did(n.Events("App Opened"), None, n.Last(n.Duration(60_000, "week"))), "more than 1,000 years"),
        (
            n.Did(n.Events("App Opened"), None, n.LastCalendar(0, "month")),
            "The number of calendar periods is 1 or more.",
        ),
        (n.Did(n.Events("App Opened"), None, n.LastCalendar(1_001, "year")), "more than 1,000 years"),
        (n.Did(n.Events("App Opened"), n.Times("at least", 0)), 'after "at least" goes from 1'),
        (n.Did(n.Events("App Opened"), n.Times("at most", -1)), 'after "at most" goes from 0'),
        (n.Did(n.Events("App Opened", newest=0)), "The number of newest events is 1 or more."),
        (n.DidFirst(n.Events("App Opened", newest=2), n.This("year")), "but not put in order"),
        (n.Entered("vip", n.Next(n.Duration(3, "day"))), '"in next" looks ahead'),
        (n.Anniversary(n.Trait("birthday"), 367), "in the next 1 to 366 days"),
        (n.Anniversary(n.Trait("birthday"), 0), "in the next 1 to 366 days"),
        (n.Regularly(n.Events("App Opened"), 0, 1, 2, n.Duration(1, "day")), "The number of times goes from 1"),
        (n.Regularly(n.Events("App Opened"), 1, 0, 2, n.Duration(1, "day")), "At least 1 of the periods"),
        (n.Regularly(n.Events("App Opened"), 1, 3, 2, n.Duration(1, "day")), "3 of the last 2 periods can never hold."),
        (n.Ranked(n.Trait("clv"), "top", 0), "more than 0% and at most 100%"),
        (n.Ranked(n.Trait("clv"), "top", 100 * MICRO + 1), "more than 0% and at most 100%"),
        (n.Percentile(n.Trait("clv"), 40 * MICRO, 20 * MICRO), "Percentiles go from 0 to 100, the lower one first."),
        (n.Distance(n.Trait("location"), 91 * MICRO, 0, "<", MICRO, "km"), "A latitude goes from -90 to 90."),
        (n.Distance(n.Trait("location"), 0, 181 * MICRO, "<", MICRO, "km"), "A longitude goes from -180 to 180."),
        (n.Distance(n.Trait("location"), 0, 0, "<", 0, "km"), "A distance is more than 0"),
        (n.Distance(n.Trait("location"), 0, 0, "<", 20_016 * MICRO, "km"), "at most 20,015 km"),
        (n.Compare(n.Trait("age"), ">", n.Number(10**18 + 1)), "Numbers go from -1,000,000,000,000"),
        (n.In(n.Trait("age"), ()), "This list of values is empty"),
        (n.And((n.Known(n.Trait("age")),)), '"and" joins two conditions or more.'),
        (n.Compare(n.Property("price"), ">", n.Number(1)), "properties are only known inside a filter"),
        (n.Compare(n.LocalTime("hour"), ">", n.Number(1)), '"hour" is the local time of an event.'),
        (n.AnyItem("products", n.Known(n.Property("price"))), "so it stands in a filter"),
        (n.Match(n.Trait("country"), "contains", ()), '"contains" takes one text, and 0 are given.'),
        (n.Match(n.Trait("interests"), "contains any of", ()), "takes at least one text"),
        (n.Compare(n.Aggregate("count", n.Events("App Opened"), "x"), ">", n.Number(1)), "takes no property"),
        (n.Compare(n.Aggregate("sum", n.Events("App Opened")), ">", n.Number(1)), '"sum" needs a property.'),
        (n.Held(n.Compare(n.Trait("age"), ">", n.Trait("nps")), n.Duration(1, "day")), "one trait with literals"),
        (n.Sequence(n.Events("App Opened"), ()), "A sequence has two steps or more."),
    ],
    ids=lambda value: value.kind if isinstance(value, n.Node) else "",
)
def test_what_the_tree_can_hold_but_the_language_not_is_refused(condition: n.Condition, problem: str) -> None:
    """Such trees come from JSON and Python, where no parser stands before the check."""
    (found, *more) = faults(condition, SHOP)
    assert not more
    assert problem in found.problem


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        (n.Did(n.Events("App Opened")), "A filter speaks of one event"),
        (n.Compare(n.Trait("age"), ">", n.Number(1)), "The left side of a filter is a property"),
        (
            n.Compare(n.Property("revenue"), ">", n.Property("revenue")),
            "The right side of a filter is a literal or a trait.",
        ),
        (n.AnyItem("products", n.AnyItem("products", n.Known(n.Property("price")))), "can't stand inside another"),
        (
            n.AnyItem("products", n.Compare(n.LocalTime("hour"), ">", n.Number(1))),
            '"hour" is the local time of an event.',
        ),
    ],
)
def test_a_filter_speaks_of_its_event_alone(where: n.Condition, problem: str) -> None:
    (found,) = faults(n.Did(n.Events("Order Completed", where)), SHOP)
    assert problem in found.problem


def test_an_absence_is_last_and_knows_how_long_to_wait() -> None:
    """``then not`` without ``within`` would never become true; in the middle it has no event to go on from."""
    gone = n.Step(n.Events("Order Completed"), absent=True)
    after = n.Step(n.Events("App Opened"), within=n.Duration(1, "day"))
    found = [f.problem for f in faults(n.Sequence(n.Events("Cart Updated"), (gone, after)), SHOP)]
    assert found == ['"then not" needs a time to wait for.', '"then not" is the last step of a sequence.']


def test_all_faults_are_found_in_the_order_of_the_text() -> None:
    text = 'did "Nothing" where x > 3 and aeg > 3 and member of "vp"'
    found = faults(parse(text), SHOP, text=text)
    assert [f.problem for f in found] == [
        'There is no event "Nothing".',
        'There is no trait "aeg".',
        'There is no segment "vp".',
    ]


def test_the_error_shows_the_place_in_the_text_and_the_file() -> None:
    text = 'country = "KE" and\n  aeg > 3'
    with pytest.raises(DefinitionError) as caught:
        check(parse(text), SHOP, text=text, place="segments/young.yaml")
    assert caught.value.line_and_column() == (2, 3)
    assert str(caught.value).splitlines() == [
        'segments/young.yaml: There is no trait "aeg". Did you mean "age"?',
        "    aeg > 3",
        "    ^^^ line 2, column 3",
    ]


def with_segments(**texts: str) -> Schema:
    """The shop with some segments, by slug and text."""
    extra = {slug: n.Definition(slug, slug, parse(text)) for slug, text in texts.items()}
    return replace(SHOP, segments={**SHOP.segments, **extra})


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ('sum(revnue of "Order Completed") > 500', "revnue"),
        ('not member of "Lapsed VIP"', '"Lapsed VIP"'),
        ('did "Order Complted" where revenue > 5', '"Order Complted"'),
        ('did "Order Completed" where revnue > 5', "revnue"),
        ('did "App Opened" then "Order Completed" with same sesion within 1 day', "sesion"),
        ('count("Order Completed") > 2 and listed in "stuff"', '"stuff"'),
    ],
)
def test_a_name_that_is_not_there_is_marked_by_itself(text: str, marked: str) -> None:
    """Breaks when the carets run below a whole comparison, and the reader has to look for the slip."""
    (fault, *_) = faults(parse(text), SHOP, text=text)
    assert text[fault.start : fault.end] == marked
    shown, carets = str(fault).splitlines()[-2:]
    assert shown[carets.index("^") :][: carets.count("^")] == marked


@pytest.mark.parametrize("word", ["member of", "entered", "left"])
def test_a_segment_that_refers_to_itself_is_refused_with_the_circle(word: str) -> None:
    schema = with_segments(big=f'{word} "vip"')
    with pytest.raises(DefinitionError, match="in a circle: vip → big → vip"):
        check(parse('age > 3 and member of "big"'), schema, slug="vip")


def test_a_new_segment_that_names_itself_is_a_circle_not_an_unknown_name() -> None:
    found = [f.problem for f in faults(parse('member of "fresh"'), SHOP, slug="fresh")]
    assert found == ["Segments refer to each other in a circle: fresh → fresh."]


def test_a_circle_further_down_is_found_too_and_a_diamond_is_none() -> None:
    schema = with_segments(a='member of "b"', b='left "a"', top='member of "vip"', side='member of "vip"')
    assert [f.problem for f in faults(parse('member of "a"'), schema, slug="new")] == [
        "Segments refer to each other in a circle: a → b → a."
    ]
    assert faults(parse('member of "top" and entered "side"'), schema, slug="new") == []


def test_a_whole_definition_is_checked_with_its_lists_and_purpose() -> None:
    definition = n.Definition("x", "X", parse("age > 3"), purpose="emial_marketing", always="stuff", never="press")
    assert [str(f) for f in definition_faults(definition, SHOP)] == [
        'segment x: The list "stuff" after "always" isn\'t there. Did you mean "staff"?',
        'segment x: The purpose "emial_marketing" isn\'t there. Did you mean "email_marketing"?',
    ]
    with pytest.raises(DefinitionError, match="stuff"):
        check_definition(definition, SHOP)
    check_definition(replace(definition, purpose=None, always=None), SHOP)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("age between 44 and 25", "The first end of this range is above the second."),
        ("age between 4 and -5", "The first end of this range is above the second."),
        ('did "App Opened" between 2017-10-01 and 2017-09-01', "This window ends before it begins"),
        ('changed plan from "pro" to "pro" in last 3 days', "these are the same"),
        ("clv / 0 > 3", "A division by 0 is always missing."),
    ],
)
def test_what_can_hold_for_nobody_is_doubted_but_not_refused(text: str, problem: str) -> None:
    assert problems(text) == []
    (doubt,) = doubts(parse(text), SHOP, text=text)
    assert problem in doubt.problem


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_raise_no_doubt(text: str) -> None:
    assert doubts(parse(text), SHOP) == []


@pytest.mark.parametrize(
    ("value", "event", "kind"),
    [
        (n.Trait("signed_up"), None, Kind.DATE),
        (n.Property("title"), "Video *", Kind.TEXT),
        (n.LocalTime("date"), "App Opened", Kind.DATE),
        (n.Aggregate("max", n.Events("Order Completed"), "paid_at"), None, Kind.INSTANT),
        (n.Aggregate("distinct", n.Events("Order Completed"), "tags"), None, Kind.NUMBER),
        (n.Bucket("x"), None, Kind.NUMBER),
        (n.YesNo(True), None, Kind.YESNO),
    ],
)
def test_the_type_of_a_value_is_known(value: n.Value, event: str | None, kind: Kind) -> None:
    assert type_of(value, SHOP, event) is kind


def test_the_type_of_an_unknown_name_is_an_error() -> None:
    with pytest.raises(DefinitionError, match="Did you mean"):
        type_of(n.Property("titel"), SHOP, "Video *")


def test_a_tree_that_is_too_deep_is_refused_and_not_walked_to_the_end() -> None:
    """A tree from JSON or Python may be deeper than Python's own stack."""
    condition: n.Condition = n.Known(n.Trait("age"))
    for _ in range(5_000):
        condition = n.Not(condition)
    (found,) = faults(condition, SHOP)
    assert "nested more than" in found.problem
