"""Named cases of traits: missing values, text, what held and what changed, places and buckets."""

from __future__ import annotations

from .cases import Case, after, became, before, did, merged, q, there

JAN = "2024-01-01"


def plans(who: str, *steps: tuple[str, str | None]) -> tuple[object, ...]:
    """A customer's plan as it changed."""
    return tuple(became(who, "plan", value, ts) for ts, value in steps)


CASES = (
    # ---------------------------------------------------------------- two-valued logic
    Case(
        "a comparison with a missing value is false, and not flips just that",
        "not age <= 30",
        (became("ann", "age", 31, JAN), became("bob", "age", 30, JAN), there("cat"), became("dan", "age", None, JAN)),
        (q("2024-02-01", "ann cat dan"),),
    ),
    Case(
        "the opposite comparison leaves the unknown out",
        "age > 30",
        (became("ann", "age", 31, JAN), became("bob", "age", 30, JAN), there("cat"), became("dan", "age", None, JAN)),
        (q("2024-02-01", "ann"),),
    ),
    Case(
        "!= and not in are false for the unknown",
        'plan != "pro" and plan not in ("pro", "free")',
        (plans("ann", (JAN, "Pro")), plans("bob", (JAN, "free")), there("cat"), plans("dan", (JAN, ""))),
        (q("2024-02-01", "ann dan"),),
    ),
    Case(
        "not = is true for the unknown",
        'not plan = "pro" and not plan in ("free")',
        (plans("ann", (JAN, "Pro")), plans("bob", (JAN, "free")), there("cat"), plans("dan", (JAN, ""))),
        (q("2024-02-01", "ann cat dan"),),
    ),
    Case(
        "De Morgan holds with missing values: not (a or b) is not a and not b",
        'not (age > 30 or plan = "pro") and not age > 30 and not plan = "pro"',
        (became("ann", "age", 31, JAN), plans("bob", (JAN, "pro")), there("cat"), became("dan", "age", 5, JAN)),
        (q("2024-02-01", "cat dan"),),
    ),
    Case(
        "between holds both ends, and is false when any of the three is missing",
        "age between 25 and 44 or not clv between age and 10",
        (
            became("ann", "age", 25, JAN),
            became("bob", "age", 44, JAN),
            became("bob", "clv", 45, JAN),
            became("cat", "age", 5, JAN),
            became("cat", "clv", 7, JAN),
            became("dan", "clv", 7, JAN),
        ),
        (q("2024-02-01", "ann bob dan"),),
    ),
    Case(
        "empty text is known, null is missing and clears",
        'plan is known and plan = ""',
        (
            plans("ann", (JAN, "")),
            plans("bob", (JAN, None)),
            there("cat"),
            plans("dan", (JAN, "x"), ("2024-01-05", "")),
        ),
        (q("2024-01-03", "ann"), q("2024-01-05", "ann dan")),
    ),
    Case(
        "an empty list is known and contains nothing",
        'interests is known and not interests contains "shoes" and not interests contains any of ("shoes", "hats")',
        (
            became("ann", "interests", [], JAN),
            became("bob", "interests", None, JAN),
            became("cat", "interests", ["shoes"], JAN),
        ),
        (q("2024-02-01", "ann"),),
    ),
    Case(
        "contains of a list is for whole elements; all of needs each",
        'interests contains "shoe" or interests contains all of ("a", "b")',
        (
            became("ann", "interests", ["shoes"], JAN),
            became("bob", "interests", ["b", "a"], JAN),
            became("cat", "interests", ["a"], JAN),
            became("dan", "interests", ["shoe"], JAN),
        ),
        (q("2024-02-01", "bob dan"),),
    ),
    Case(
        "contains all of needs each, ignoring case too",
        'interests contains all of ("HATS", "shoes") ignoring case and not interests contains all of ("HATS") ',
        (
            became("ann", "interests", ["Shoes", "hats"], JAN),
            became("bob", "interests", ["Shoes"], JAN),
            became("cat", "interests", ["hats", "hat"], JAN),
        ),
        (q("2024-02-01", "ann"),),
    ),
    Case(
        "yes/no: no is known, and differs from missing",
        "subscribed = no and subscribed != yes",
        (became("ann", "subscribed", False, JAN), became("bob", "subscribed", None, JAN), there("cat")),
        (q("2024-02-01", "ann"),),
    ),
    Case(
        "a value of another type is missing",
        "age is missing and plan is missing",
        (became("ann", "age", "31", JAN), became("ann", "plan", 5, JAN), became("bob", "age", 31, JAN)),
        (q("2024-02-01", "ann"),),
    ),
    # ---------------------------------------------------------------- text
    Case(
        "text compares by code point: capitals before small letters, ä after z",
        'plan < "a" or plan > "z"',
        (plans("ann", (JAN, "Z")), plans("bob", (JAN, "ä")), plans("cat", (JAN, "z")), plans("dan", (JAN, ""))),
        (q("2024-02-01", "ann bob dan"),),
    ),
    Case(
        "beyond the basic plane too: code points, not UTF-16 units",
        'plan > "\uff5e"',
        (plans("ann", (JAN, "\U0001f600")), plans("bob", (JAN, "\uff5d")), plans("cat", (JAN, "\uff5e"))),
        (q("2024-02-01", "ann"),),
    ),
    Case(
        "every known text contains the empty one",
        'plan contains "" and plan starts with "" and plan ends with ""',
        (plans("ann", (JAN, "")), plans("bob", (JAN, "x")), plans("cat", (JAN, None)), there("dan")),
        (q("2024-02-01", "ann bob"),),
    ),
    Case(
        "contains takes %, _ and \\ as they are",
        'plan contains "%_\\\\"',
        (plans("ann", (JAN, "100%_\\")), plans("bob", (JAN, "100% \\")), plans("cat", (JAN, "abc"))),
        (q("2024-02-01", "ann"),),
    ),
    Case(
        "ignoring case folds simply: ẞ is ß, K (Kelvin) is k, but ß isn't ss",
        'plan contains "straße" ignoring case or plan starts with "k1" ignoring case',
        (
            plans("ann", (JAN, "STRAẞE")),
            plans("bob", (JAN, "STRASSE")),
            plans("cat", (JAN, "\u212a1")),
            plans("dan", (JAN, "Straße 5")),
        ),
        (q("2024-02-01", "ann cat dan"),),
    ),
    Case(
        "without ignoring case, case counts",
        'plan starts with "pro" or plan ends with "RO"',
        (plans("ann", (JAN, "Pro")), plans("bob", (JAN, "prone")), plans("cat", (JAN, "PRO"))),
        (q("2024-02-01", "bob cat"),),
    ),
    Case(
        "matches looks anywhere unless anchored",
        'plan matches "r.$" or plan matches "^x"',
        (
            plans("ann", (JAN, "pro")),
            plans("bob", (JAN, "prone")),
            plans("cat", (JAN, "xr")),
            plans("dan", (JAN, None)),
        ),
        (q("2024-02-01", "ann cat"),),
    ),
    Case(
        "matches ignoring case; an empty pattern is in every known text",
        'plan matches "^PR(O|A)$" ignoring case or country matches ""',
        (plans("ann", (JAN, "pra")), plans("bob", (JAN, "prone")), became("cat", "country", "", JAN), there("dan")),
        (q("2024-02-01", "ann cat"),),
    ),
    # ---------------------------------------------------------------- traits over time
    Case(
        "changes go by ts, then message id, whatever the order of receipt",
        'plan = "pro"',
        (
            became("ann", "plan", "pro", "2024-01-05", mid="b"),
            became("ann", "plan", "free", "2024-01-05", mid="a"),
            became("bob", "plan", "free", "2024-01-05", mid="d"),
            became("bob", "plan", "pro", "2024-01-05", mid="c"),
            became("cat", "plan", "pro", "2024-01-05", mid="e"),
            became("cat", "plan", "free", "2024-01-01", mid="f", received="2024-02-01"),
        ),
        (q("2024-02-01", "ann cat"),),
    ),
    Case(
        "a future change counts from its ts on",
        'plan = "pro"',
        (became("ann", "plan", "free", JAN), became("ann", "plan", "pro", "2024-05-01", received="2024-02-01")),
        (q(before("2024-05-01")), q("2024-05-01", "ann")),
    ),
    Case(
        "held: true at exactly W, and writing the same value again doesn't restart the clock",
        'held plan = "pro" for 7 days',
        (plans("ann", ("2024-01-01", "pro"), ("2024-01-05", "pro"), ("2024-01-20", "free"))),
        (q(before("2024-01-08")), q("2024-01-08", "ann"), q(before("2024-01-20"), "ann"), q("2024-01-20")),
    ),
    Case(
        "held: a break restarts the clock, however short; another value that satisfies too doesn't",
        'held plan != "free" for 7 days',
        (
            plans("ann", ("2024-01-01", "pro"), ("2024-01-05", "max"), ("2024-01-06", "pro")),
            plans("bob", ("2024-01-01", "pro"), ("2024-01-05", "free")),
            became("bob", "plan", "pro", after("2024-01-05")),
            plans("cat", ("2024-01-01", "pro"), ("2024-01-05", None), ("2024-01-06", "pro")),
        ),
        (
            q("2024-01-08", "ann"),
            q("2024-01-12", "ann"),
            q(after("2024-01-12"), "ann bob"),
            q("2024-01-13", "ann bob cat"),
        ),
    ),
    Case(
        "held: the value at an instant is the one after all changes of that ts",
        'held plan = "pro" for 7 days',
        (
            became("ann", "plan", "pro", "2024-01-01", mid="a"),
            became("ann", "plan", "free", "2024-01-05", mid="b"),
            became("ann", "plan", "pro", "2024-01-05", mid="c"),
            became("bob", "plan", "pro", "2024-01-01", mid="d"),
            became("bob", "plan", "pro", "2024-01-05", mid="e"),
            became("bob", "plan", "free", "2024-01-05", mid="f"),
        ),
        (q("2024-01-08", "ann"),),
    ),
    Case(
        "held is missing: a trait that was never written has been missing all along",
        "held plan is missing for 7 days",
        (did("ann", "App Opened", "2024-01-10"), plans("bob", ("2024-01-10", "pro"), ("2024-01-12", None))),
        (q("2024-01-10", "ann"), q("2024-01-19", "ann bob")),
    ),
    Case(
        "changed from a to b: such a change of value, at its instant",
        'changed plan from "free" to "pro" in last 7 days',
        (
            plans("ann", ("2024-01-01", "free"), ("2024-01-05", "pro")),
            plans("bob", ("2024-01-01", "free"), ("2024-01-05", "max"), ("2024-01-06", "pro")),
            plans("cat", ("2024-01-05", "pro")),
        ),
        (q(before("2024-01-05")), q("2024-01-05", "ann"), q(before("2024-01-12"), "ann"), q("2024-01-12")),
    ),
    Case(
        "changed: the same value again, or changes that undo each other on one ts, are no change",
        "changed plan in last 7 days",
        (
            plans("ann", ("2024-01-01", "free"), ("2024-01-20", "free")),
            became("bob", "plan", "free", "2024-01-01", mid="a"),
            became("bob", "plan", "pro", "2024-01-20", mid="b"),
            became("bob", "plan", "free", "2024-01-20", mid="c"),
            plans("cat", ("2024-01-01", "free"), ("2024-01-20", "pro")),
        ),
        (q("2024-01-21", "cat"),),
    ),
    Case(
        "changed: the first value and a clearing change the value too",
        "changed plan in last 7 days",
        (
            plans("ann", ("2024-01-20", "free")),
            plans("bob", ("2024-01-01", "free"), ("2024-01-20", None)),
            plans("cat", ("2024-01-20", None)),
        ),
        (q("2024-01-21", "ann bob"),),
    ),
    Case(
        "changed: a late change in between makes two changes of one",
        'changed plan from "free" to "pro"',
        (
            plans("ann", ("2024-01-01", "free"), ("2024-01-05", "pro")),
            became("ann", "plan", "max", "2024-01-03", received="2024-01-07"),
        ),
        (q("2024-01-06", "ann", known="2024-01-06"), q("2024-01-07", "", known="2024-01-07"), q("2024-01-06", "")),
    ),
    Case(
        "account traits follow the account that the customer has at t",
        "account.employees >= 50",
        (
            became("acme", "account.employees", 50, JAN),
            became("acme", "account.employees", 40, "2024-01-20"),
            became("globex", "account.employees", 60, JAN),
            became("ann", "account_id", "acme", "2024-01-05"),
            became("bob", "account_id", "acme", "2024-01-05"),
            became("bob", "account_id", "globex", "2024-01-10"),
            there("cat"),
        ),
        (q("2024-01-04"), q("2024-01-05", "ann bob"), q("2024-01-20", "bob")),
    ),
    Case(
        "held and changed follow a customer from one account to another",
        "held account.employees >= 50 for 7 days or changed account.employees from 60 to 40 in last 1 day",
        (
            became("acme", "account.employees", 50, "2023-12-01"),
            became("globex", "account.employees", 60, "2023-12-01"),
            became("small", "account.employees", 40, "2023-12-01"),
            became("ann", "account_id", "acme", "2024-01-05"),
            became("ann", "account_id", "globex", "2024-01-08"),
            became("ann", "account_id", "small", "2024-01-20"),
            became("bob", "account_id", "acme", "2024-01-05"),
            became("bob", "account_id", None, "2024-01-09"),
            became("bob", "account_id", "acme", "2024-01-10"),
        ),
        (
            q(before("2024-01-12"), ""),
            q("2024-01-12", "ann"),
            q("2024-01-17", "ann bob"),
            q("2024-01-20", "ann bob"),
            q("2024-01-21", "bob"),
        ),
    ),
    # ---------------------------------------------------------------- places and buckets
    Case(
        "distance: London to Paris is 343.5 km",
        "distance of location to (48.8566, 2.3522) < 344 km "
        "and distance of location to (48.8566, 2.3522) > 343 km "
        "and distance of location to (48.8566, 2.3522) > 213 mi "
        "and distance of location to (48.8566, 2.3522) < 344000 m",
        (
            became("ann", "location", (51.5074, -0.1278), JAN),
            became("bob", "location", (51.0, -0.1278), JAN),
            there("cat"),
        ),
        (q("2024-02-01", "ann"),),
    ),
    Case(
        "distance goes over the date line and the pole",
        "distance of location to (0, -179.9) < 23 km or distance of location to (90, 0) < 200 km",
        (
            became("ann", "location", (0.0, 179.9), JAN),
            became("bob", "location", (88.9, 123.0), JAN),
            became("cat", "location", (0.0, 179.8), JAN),
        ),
        (q("2024-02-01", "ann bob"),),
    ),
    Case(
        "bucket: the first 15 hex digits of SHA-256(salt, zero byte, id), mod a million, in millionths",
        'bucket "spring-holdout" = 0.744275 or bucket "ü" = 0.46519',
        (there("ann", "bob", "cat"),),
        (q("2024-02-01", "ann bob"),),
    ),
    Case(
        "bucket: the surviving id counts after a merge",
        'bucket "spring-holdout" in (0.744275, 0.139983)',
        (there("ann", "bob"), merged("bob", "ann", "2024-01-15", undone="2024-01-20")),
        (
            q("2024-02-01", "ann bob", known=before("2024-01-15")),
            q("2024-02-01", "bob", known="2024-01-15"),
            q("2024-02-01", "bob", known=before("2024-01-20")),
            q("2024-02-01", "ann bob", known="2024-01-20"),
            q("2024-02-01", "ann bob"),
        ),
    ),
)
