"""Named cases of events: aggregates, filters, sequences, absences, duplicates."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from .cases import Case, after, became, before, did, q, there

DAY1 = "2024-03-01T12:00:00"
N = Decimal
ABANDONED = 'did "Product Viewed" then not "Order Completed" with same cart_id within 1 hour in last 2 days'

CASES = (
    # ---------------------------------------------------------------- aggregates
    Case(
        "over no event count, sum, distinct and active days are 0",
        'count("Order Completed") = 0 and sum(revenue of "Order Completed") = 0 '
        'and distinct(coupon of "Order Completed") = 0 and active days("Order Completed") = 0',
        (there("ann"), did("bob", "Order Completed", "2024-03-01", revenue=0, coupon="x")),
        (q("2024-03-02", "ann"),),
    ),
    Case(
        "more than one is two at least",
        'count("App Opened" in last 2 days) > 1',
        (
            did("ann", "App Opened", "2024-03-01"),
            did("ann", "App Opened", "2024-03-02"),
            did("bob", "App Opened", "2024-03-02"),
            there("cat"),
        ),
        (q("2024-03-02", "ann"),),
    ),
    Case(
        "a number on the left: both sides may be equal",
        '1 <= distinct(revenue of "Order Completed") and 2 >= distinct(revenue of "Order Completed")',
        (
            did("ann", "Order Completed", "2024-03-01", revenue=10),
            did("bob", "Order Completed", "2024-03-01", revenue=10),
            did("bob", "Order Completed", "2024-03-01", revenue=20),
            there("cat"),
        ),
        (q("2024-03-02", "ann bob"),),
    ),
    Case(
        "over no event avg, min, max, first, last, most frequent and days since are missing",
        'avg(revenue of "Order Completed") is known or min(revenue of "Order Completed") is known '
        'or max(revenue of "Order Completed") is known or first(coupon of "Order Completed") is known '
        'or last(coupon of "Order Completed") is known or most frequent(coupon of "Order Completed") is known '
        'or days since last "Order Completed" is known',
        (there("ann"), did("bob", "App Opened", "2024-03-01"), did("cat", "Order Completed", "2024-03-01")),
        (q("2024-03-02", "cat"),),
    ),
    Case(
        "a comparison with a missing aggregate is false, != included; not flips it",
        'not avg(revenue of "Order Completed") != 10 and not avg(revenue of "Order Completed") = 10',
        (there("ann"), did("bob", "Order Completed", "2024-03-01", revenue=10)),
        (q("2024-03-02", "ann"),),
    ),
    Case(
        "aggregates look at the events on which the property is known",
        'avg(revenue of "Order Completed") = 10 and count("Order Completed") = 3',
        (
            did("ann", "Order Completed", "2024-03-01", revenue=10),
            did("ann", "Order Completed", "2024-03-02", revenue=None),
            did("ann", "Order Completed", "2024-03-03"),
        ),
        (q("2024-03-04", "ann"),),
    ),
    Case(
        "a value of another type is missing, nothing is coerced",
        'sum(revenue of "Order Completed") = 5 and count("Order Completed" where revenue is missing) = 3',
        (
            did("ann", "Order Completed", "2024-03-01", revenue="10"),
            did("ann", "Order Completed", "2024-03-01", revenue=5),
            did("ann", "Order Completed", "2024-03-02", revenue=True),
            did("ann", "Order Completed", "2024-03-02", revenue=dt.date(2024, 3, 1)),
        ),
        (q("2024-03-04", "ann"),),
    ),
    Case(
        "numbers are exact: an average of thirds times three",
        'avg(revenue of "Order Completed") * 3 = 1 and avg(revenue of "Order Completed") < 0.333334 '
        'and avg(revenue of "Order Completed") > 0.333333',
        tuple(did("ann", "Order Completed", f"2024-03-0{i + 1}", revenue=r) for i, r in enumerate((1, 0, 0))),
        (q("2024-03-04", "ann"),),
    ),
    Case(
        "numbers are exact: tenths add up",
        'sum(revenue of "Order Completed") = 0.3',
        tuple(did("ann", "Order Completed", f"2024-03-0{i + 1}", revenue=0.1) for i in range(3)),
        (q("2024-03-04", "ann"),),
    ),
    Case(
        "numbers are rounded half to even at the door",
        'sum(revenue of "Order Completed") = 0.000002',
        (
            did("ann", "Order Completed", "2024-03-01", revenue=N("0.0000005")),
            did("ann", "Order Completed", "2024-03-02", revenue=N("0.0000015")),
            did("bob", "Order Completed", "2024-03-02", revenue=N("0.0000025")),
            did("cat", "Order Completed", "2024-03-02", revenue=N("-0.0000015")),
        ),
        (q("2024-03-04", "ann bob"),),
    ),
    Case(
        "the largest numbers add up without overflow",
        'sum(revenue of "Order Completed") / 3 = 1000000000000',
        tuple(did("ann", "Order Completed", f"2024-03-0{i + 1}", revenue=10**12) for i in range(3)),
        (q("2024-03-04", "ann"),),
    ),
    Case(
        "refunds reduce a sum, which falls below a bound again",
        'sum(revenue of "Order Completed" in last 7 days) >= 100',
        (
            did("ann", "Order Completed", "2024-03-01", revenue=-50),
            did("ann", "Order Completed", "2024-03-03", revenue=120),
        ),
        (q("2024-03-03", ""), q(before("2024-03-08"), ""), q("2024-03-08", "ann"), q("2024-03-10", "")),
    ),
    Case(
        "÷ 0 is missing, and so is arithmetic with a missing operand",
        'count("Product Viewed") / count("Order Completed") < 1000 or age + 1 > 0',
        (
            did("ann", "Product Viewed", "2024-03-01"),
            did("bob", "Product Viewed", "2024-03-01"),
            did("bob", "Order Completed", "2024-03-01"),
            became("cat", "age", -2, "2024-03-01"),
            became("dan", "age", 0, "2024-03-01"),
        ),
        (q("2024-03-04", "bob dan"),),
    ),
    Case(
        "a divisor below zero turns no comparison around",
        "10 / age < 1",
        (
            became("ann", "age", -5, "2024-03-01"),
            became("bob", "age", 5, "2024-03-01"),
            became("cat", "age", 20, "2024-03-01"),
            became("dan", "age", 0, "2024-03-01"),
        ),
        (q("2024-03-04", "ann cat"),),
    ),
    Case(
        "two sums are held against each other exactly",
        'sum(revenue of "Order Completed" in last 30 days) '
        '< 0.5 * sum(revenue of "Order Completed" in 30 days before last 30 days)',
        (
            did("ann", "Order Completed", "2024-01-20", revenue=20),
            did("ann", "Order Completed", "2024-02-20", revenue=N("9.999999")),
            did("bob", "Order Completed", "2024-01-20", revenue=20),
            did("bob", "Order Completed", "2024-02-20", revenue=10),
        ),
        (q("2024-03-01", "ann"),),
    ),
    Case(
        "first and last go by ts, then message id, whatever the order of receipt",
        'last(coupon of "Order Completed") = "b" and first(coupon of "Order Completed") = "a"',
        (
            did("ann", "Order Completed", "2024-03-01", mid="m2", coupon="b"),
            did("ann", "Order Completed", "2024-03-01", mid="m1", coupon="a"),
            did("bob", "Order Completed", "2024-03-01", mid="m3", coupon="b"),
            did("bob", "Order Completed", "2024-03-01", mid="m4", coupon="a"),
        ),
        (q("2024-03-01", "ann"),),
    ),
    Case(
        "last looks for the last known value",
        'last(coupon of "Order Completed") = "a"',
        (
            did("ann", "Order Completed", "2024-03-01", coupon="a"),
            did("ann", "Order Completed", "2024-03-02", coupon=None),
            did("bob", "Order Completed", "2024-03-01", coupon="a"),
            did("bob", "Order Completed", "2024-03-02", coupon=""),
        ),
        (q("2024-03-03", "ann"),),
    ),
    Case(
        "most frequent: ties go to the latest, then to the greatest",
        'most frequent(category of "Product Viewed") = "b"',
        (
            did("ann", "Product Viewed", "2024-03-01", category="b"),
            did("ann", "Product Viewed", "2024-03-02", category="a"),
            did("bob", "Product Viewed", "2024-03-02", category="a", mid="z"),
            did("bob", "Product Viewed", "2024-03-02", category="b", mid="y"),
            *(did("cat", "Product Viewed", f"2024-03-0{i}", category=c) for i, c in ((1, "b"), (2, "b"), (3, "c"))),
        ),
        (q("2024-03-04", "bob cat"),),
    ),
    Case(
        "distinct of a list counts its elements",
        'distinct(tags of "Order Completed") = 3',
        (
            did("ann", "Order Completed", "2024-03-01", tags=["a", "b", "a"]),
            did("ann", "Order Completed", "2024-03-02", tags=["b", "c"]),
            did("ann", "Order Completed", "2024-03-02", tags=[]),
            did("bob", "Order Completed", "2024-03-02", tags=["a", "b"]),
        ),
        (q("2024-03-04", "ann"),),
    ),
    Case(
        "distinct counts empty text, and upper case apart",
        'distinct(category of "Product Viewed") = 3',
        tuple(
            did("ann", "Product Viewed", f"2024-03-0{i + 1}", category=c)
            for i, c in enumerate(("", "a", "A", None, "a"))
        ),
        (q("2024-03-06", "ann"),),
    ),
    Case(
        "last n picks the newest, then filters",
        'count(last 2 "Email Opened" where opened = yes) = 0',
        (
            did("ann", "Email Opened", "2024-03-01", opened=True),
            did("ann", "Email Opened", "2024-03-02", opened=False),
            did("ann", "Email Opened", "2024-03-03", opened=False),
            did("bob", "Email Opened", "2024-03-02", opened=True),
            did("bob", "Email Opened", "2024-03-03", opened=False),
        ),
        (q("2024-03-02", ""), q("2024-03-03", "ann")),
    ),
    Case(
        "last n with a window: the newest of all are picked, then the window is held against them",
        'count(last 2 "Email Opened" in 7 days before last 7 days) = 1',
        (
            did("ann", "Email Opened", "2024-03-01"),
            did("ann", "Email Opened", "2024-03-03"),
            did("bob", "Email Opened", "2024-03-01"),
            did("bob", "Email Opened", "2024-03-03"),
            did("bob", "Email Opened", "2024-03-12"),
            did("bob", "Email Opened", "2024-03-13"),
        ),
        (q("2024-03-12", "bob"), q("2024-03-13", "")),
    ),
    Case(
        "trait x in a filter is that of the customer who is asked about, of account too",
        'did "Product Viewed" of account where category = trait plan',
        (
            became("ann", "account_id", "acme", "2024-01-01"),
            became("bob", "account_id", "acme", "2024-01-01"),
            became("bob", "plan", "shoes", "2024-01-01"),
            did("ann", "Product Viewed", "2024-03-01", category="shoes"),
        ),
        (q("2024-03-02", "bob"),),
    ),
    Case(
        "of account: the events of all customers of the account, as it stands at t",
        'count("App Opened" of account in last 7 days) >= 2',
        (
            *(became(who, "account_id", "acme", "2024-01-01") for who in ("ann", "bob", "cat")),
            became("cat", "account_id", "globex", "2024-03-03"),
            did("ann", "App Opened", "2024-03-01"),
            did("bob", "App Opened", "2024-03-02"),
            did("cat", "App Opened", "2024-03-02T06:00:00"),
            did("dan", "App Opened", "2024-03-02"),
        ),
        (q("2024-03-02", "ann bob cat"), q("2024-03-03", "ann bob"), q("2024-03-08", "")),
    ),
    Case(
        "without an account there are no events of the account",
        'count("App Opened" of account) = 0',
        (
            there("ann"),
            did("bob", "App Opened", "2024-03-01"),
            became("cat", "account_id", "acme", "2024-03-01"),
            did("cat", "App Opened", "2024-03-01"),
        ),
        (q("2024-03-02", "ann bob"),),
    ),
    Case(
        "min and max of dates and instants",
        'min(due of "Order Completed") = 2024-03-05 and max(paid_at of "Order Completed") > 2024-03-06',
        (
            did(
                "ann",
                "Order Completed",
                "2024-03-01",
                due=dt.date(2024, 3, 5),
                paid_at=dt.datetime(2024, 3, 7, tzinfo=dt.UTC),
            ),
            did(
                "ann",
                "Order Completed",
                "2024-03-01",
                due=dt.date(2024, 3, 9),
                paid_at=dt.datetime(2024, 3, 1, tzinfo=dt.UTC),
            ),
            did(
                "bob",
                "Order Completed",
                "2024-03-01",
                due=dt.date(2024, 3, 5),
                paid_at=dt.datetime(2024, 3, 6, 23, tzinfo=dt.UTC),
            ),
        ),
        (q("2024-03-02", "ann"),),
    ),
    Case(
        "did n times is the count, at most 0 times included",
        'did "App Opened" at most 0 times in last 7 days or did "App Opened" exactly 2 times in last 7 days',
        (there("ann"), did("bob", "App Opened", "2024-03-01"), did("bob", "App Opened", "2024-03-02")),
        (q("2024-03-01", "ann"), q("2024-03-02", "ann bob"), q("2024-03-08", "ann"), q("2024-03-09", "ann bob")),
    ),
    # ---------------------------------------------------------------- filters
    Case(
        "any: all inside holds for the same item",
        'did "Order Completed" where any products (brand = "Acme" and price > 10)',
        (
            did(
                "ann",
                "Order Completed",
                "2024-03-01",
                products=[{"brand": "Acme", "price": 5}, {"brand": "Zeta", "price": 20}],
            ),
            did("bob", "Order Completed", "2024-03-01", products=[{"brand": "Acme", "price": 11}]),
            did("cat", "Order Completed", "2024-03-01", products=[]),
            did("dan", "Order Completed", "2024-03-01"),
        ),
        (q("2024-03-02", "bob"),),
    ),
    Case(
        "not any holds without items; a missing field of an item compares false",
        'did "Order Completed" where (not any products (price != 10))',
        (
            did("ann", "Order Completed", "2024-03-01", products=[{"brand": "Acme"}, {"price": 10}]),
            did("bob", "Order Completed", "2024-03-01", products=[{"price": 11}, {"price": 10}]),
            did("cat", "Order Completed", "2024-03-01", products=[]),
            did("dan", "Order Completed", "2024-03-01", products=None),
        ),
        (q("2024-03-02", "ann cat dan"),),
    ),
    Case(
        "a filter may hold a property against a trait, as it is at t",
        'did "Product Viewed" where price > trait age',
        (
            did("ann", "Product Viewed", "2024-03-01", price=10),
            became("ann", "age", 5, "2024-03-02"),
            became("ann", "age", 15, "2024-03-04"),
            did("bob", "Product Viewed", "2024-03-01", price=10),
        ),
        (q("2024-03-01"), q("2024-03-02", "ann"), q("2024-03-04")),
    ),
    Case(
        "missing, empty and null text in filters",
        'did "Product Viewed" where category = "" and not did "Product Viewed" where category is missing',
        (
            did("ann", "Product Viewed", "2024-03-01", category=""),
            did("bob", "Product Viewed", "2024-03-01", category=None),
            did("bob", "Product Viewed", "2024-03-01", category=""),
            did("cat", "Product Viewed", "2024-03-01"),
            did("dan", "Product Viewed", "2024-03-01", category="x"),
        ),
        (q("2024-03-02", "ann"),),
    ),
    Case(
        "!= and not in are false for a missing property, and not = is true",
        'count("Product Viewed" where category != "shoes") = 1 '
        'and count("Product Viewed" where category not in ("shoes")) = 1 '
        'and count("Product Viewed" where (not category = "shoes")) = 2',
        (
            did("ann", "Product Viewed", "2024-03-01", category="hats"),
            did("ann", "Product Viewed", "2024-03-01", category=None),
            did("ann", "Product Viewed", "2024-03-01", category="shoes"),
        ),
        (q("2024-03-02", "ann"),),
    ),
    Case(
        "a name that ends with a star stands for every event name with that beginning",
        'count("Video *" where title = "up") = 2',
        (
            did("ann", "Video Started", "2024-03-01", title="up"),
            did("ann", "Video Ended", "2024-03-01", title="up"),
            did("bob", "Video Started", "2024-03-01", title="up"),
            did("cat", "Video Started", "2024-03-01", title="up"),
            did("cat", "Video Ended", "2024-03-01", title="down"),
        ),
        (q("2024-03-02", "ann"),),
    ),
    Case(
        "a star that is meant is escaped",
        'did "Star\\\\*"',
        (did("ann", "Star*", "2024-03-01", price=1), did("bob", "App Opened", "2024-03-01")),
        (q("2024-03-02", "ann"),),
    ),
    Case(
        "a message id that comes again is dropped, whatever it says; the copy first acknowledged stays",
        'count("App Opened") = 1 and sum(revenue of "Order Completed") = 10',
        (
            did("ann", "App Opened", "2024-03-01", mid="m1"),
            did("ann", "App Opened", "2024-03-02", mid="m1", received="2024-03-02"),
            did("ann", "Order Completed", "2024-03-01", mid="m2", received="2024-03-02", revenue=10),
            did("ann", "Order Completed", "2024-02-01", mid="m2", received="2024-03-03", revenue=99),
            did("bob", "App Opened", "2024-03-01", mid="m1", received="2024-03-04"),
            did("bob", "Order Completed", "2024-03-01", revenue=10),
        ),
        (q("2024-03-05", "ann"),),
    ),
    Case(
        "a message id is unique over events and trait changes",
        "age = 30",
        (
            did("ann", "App Opened", "2024-03-01", mid="m1"),
            became("ann", "age", 30, "2024-03-02", mid="m1"),
            became("bob", "age", 30, "2024-03-02", mid="m2"),
        ),
        (q("2024-03-05", "bob"),),
    ),
    # ---------------------------------------------------------------- sequences
    Case(
        "then: strictly later, and at most W later",
        'did "Product Viewed" then "Order Completed" within 1 hour',
        (
            did("ann", "Product Viewed", DAY1),
            did("ann", "Order Completed", DAY1),
            did("bob", "Product Viewed", DAY1),
            did("bob", "Order Completed", after(DAY1)),
            did("cat", "Product Viewed", DAY1),
            did("cat", "Order Completed", "2024-03-01T13:00:00"),
            did("dan", "Product Viewed", DAY1),
            did("dan", "Order Completed", after("2024-03-01T13:00:00")),
        ),
        (q(DAY1, ""), q(after(DAY1), "bob"), q("2024-03-01T13:00:00", "bob cat"), q("2024-03-02", "bob cat")),
    ),
    Case(
        "the window at the end bounds the first event",
        'did "Product Viewed" then "Order Completed" in last 2 days',
        (did("ann", "Product Viewed", "2024-03-01"), did("ann", "Order Completed", "2024-03-02T23:00:00")),
        (q("2024-03-02T23:00:00", "ann"), q(before("2024-03-03"), "ann"), q("2024-03-03")),
    ),
    Case(
        "a chain goes on from any choice that makes it hold whole",
        'did "Email Opened" then "Product Viewed" within 3 days then "Order Completed" within 1 day',
        (
            did("ann", "Email Opened", "2024-03-01"),
            did("ann", "Product Viewed", "2024-03-02"),
            did("ann", "Product Viewed", "2024-03-04"),
            did("ann", "Order Completed", "2024-03-05"),
            did("bob", "Email Opened", "2024-03-01"),
            did("bob", "Product Viewed", "2024-03-02"),
            did("bob", "Product Viewed", after("2024-03-04")),
            did("bob", "Order Completed", "2024-03-05"),
        ),
        (q("2024-03-06", "ann"),),
    ),
    Case(
        "without: no such event strictly between the two; on the same instant it doesn't disturb",
        'did "Product Viewed" then "Order Completed" without "Email Opened" within 7 days',
        (
            did("ann", "Product Viewed", "2024-03-01"),
            did("ann", "Email Opened", "2024-03-02"),
            did("ann", "Order Completed", "2024-03-03"),
            did("bob", "Product Viewed", "2024-03-01"),
            did("bob", "Email Opened", "2024-03-01"),
            did("bob", "Email Opened", "2024-03-03"),
            did("bob", "Order Completed", "2024-03-03"),
            did("cat", "Product Viewed", "2024-03-01"),
            did("cat", "Email Opened", "2024-03-02"),
            did("cat", "Product Viewed", "2024-03-02"),
            did("cat", "Order Completed", "2024-03-03"),
        ),
        (q("2024-03-04", "bob cat"),),
    ),
    Case(
        "with same: known on both steps and equal",
        'did "Product Viewed" then "Order Completed" with same cart_id within 1 day',
        (
            did("ann", "Product Viewed", "2024-03-01", cart_id="c1"),
            did("ann", "Order Completed", "2024-03-01T01:00:00", cart_id="c2"),
            did("bob", "Product Viewed", "2024-03-01"),
            did("bob", "Order Completed", "2024-03-01T01:00:00"),
            did("cat", "Product Viewed", "2024-03-01", cart_id=""),
            did("cat", "Order Completed", "2024-03-01T01:00:00", cart_id=""),
        ),
        (q("2024-03-02", "cat"),),
    ),
    Case(
        "without looks at no key: any such event in between spoils the pair",
        'did "Product Viewed" then "Order Completed" without "Product Viewed" with same cart_id within 1 day',
        (
            did("ann", "Product Viewed", "2024-03-01T01:00:00", cart_id="c1"),
            did("ann", "Product Viewed", "2024-03-01T02:00:00", cart_id="c2"),
            did("ann", "Order Completed", "2024-03-01T03:00:00", cart_id="c1"),
            did("bob", "Product Viewed", "2024-03-01T01:00:00", cart_id="c1"),
            did("bob", "Order Completed", "2024-03-01T03:00:00", cart_id="c1"),
        ),
        (q("2024-03-02", "bob"),),
    ),
    Case(
        "then not: true by the passing of time alone, at exactly ts + W; an answer at exactly ts + W counts",
        'did "Product Viewed" then not "Order Completed" within 1 hour',
        (
            did("ann", "Product Viewed", DAY1),
            did("bob", "Product Viewed", DAY1),
            did("bob", "Order Completed", "2024-03-01T13:00:00"),
            did("cat", "Product Viewed", DAY1),
            did("cat", "Order Completed", DAY1),
            did("dan", "Product Viewed", DAY1),
            did("dan", "Order Completed", after("2024-03-01T13:00:00")),
        ),
        (q(before("2024-03-01T13:00:00")), q("2024-03-01T13:00:00", "ann cat dan"), q("2024-03-05", "ann cat dan")),
    ),
    Case(
        "keyed absence: only the same key answers, and without a key nothing does",
        ABANDONED,
        (
            did("ann", "Product Viewed", DAY1, cart_id="c1"),
            did("ann", "Order Completed", "2024-03-01T12:30:00", cart_id="c1"),
            did("bob", "Product Viewed", DAY1, cart_id="c1"),
            did("bob", "Order Completed", "2024-03-01T12:30:00", cart_id="c2"),
            did("cat", "Product Viewed", DAY1),
            did("cat", "Order Completed", "2024-03-01T12:30:00"),
        ),
        (q("2024-03-01T13:00:00", "bob cat"), q(before("2024-03-03T12:00:00"), "bob cat"), q("2024-03-03T12:00:00")),
    ),
    Case(
        "a late answer takes an absence back",
        ABANDONED,
        (
            did("ann", "Product Viewed", DAY1, cart_id="c1"),
            did("ann", "Order Completed", "2024-03-01T12:59:00", received="2024-03-02", cart_id="c1"),
        ),
        (
            q("2024-03-01T14:00:00", "ann", known="2024-03-01T14:00:00"),
            q("2024-03-02", "", known="2024-03-02"),
            q("2024-03-01T14:00:00", ""),
        ),
    ),
    Case(
        "an absence counts from the step before, in a chain",
        'did "Email Opened" then "Product Viewed" within 1 day then not "Order Completed" within 1 hour',
        (
            did("ann", "Email Opened", "2024-03-01"),
            did("ann", "Product Viewed", DAY1),
            did("bob", "Email Opened", "2024-03-01"),
            did("bob", "Product Viewed", DAY1),
            did("bob", "Order Completed", "2024-03-01T12:20:00"),
            did("cat", "Product Viewed", DAY1),
        ),
        (q(before("2024-03-01T13:00:00")), q("2024-03-01T13:00:00", "ann")),
    ),
    Case(
        "not after: no B in [ts − W, ts)",
        'did "Order Completed" not after "Product Viewed" within 1 hour',
        (
            did("ann", "Order Completed", DAY1),
            did("ann", "Product Viewed", "2024-03-01T11:00:00"),
            did("bob", "Order Completed", DAY1),
            did("bob", "Product Viewed", before("2024-03-01T11:00:00")),
            did("cat", "Order Completed", DAY1),
            did("cat", "Product Viewed", DAY1),
            did("dan", "Order Completed", DAY1),
            did("dan", "Product Viewed", before(DAY1)),
        ),
        (q("2024-03-02", "bob cat"),),
    ),
)
