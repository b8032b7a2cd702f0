"""Named cases of membership: lists, consent, references, recorded history, ranks and merges."""

from __future__ import annotations

from fractions import Fraction

from .cases import Case, after, became, before, consented, did, instant, listed, merged, q, recorded, there
from .vocabulary import node
from .world import Threshold

JAN = "2024-01-01"
CLV = node("trait", name="clv")


def threshold(rank: str, number: str, ts: str) -> Threshold:
    """A refreshed threshold of the trait clv."""
    return Threshold(CLV, rank, Fraction(number), instant(ts), instant(ts))


def clv(**values: float) -> tuple[object, ...]:
    """Customers with a clv."""
    return tuple(became(who, "clv", value, JAN) for who, value in values.items())


CASES = (
    # ---------------------------------------------------------------- lists
    Case(
        "never wins over always, and always over the condition",
        "age > 30",
        (
            became("ann", "age", 40, JAN),
            became("bob", "age", 20, JAN),
            became("cat", "age", 20, JAN),
            became("dan", "age", 40, JAN),
            listed("vip list", "bob", True, "2024-01-05"),
            listed("vip list", "cat", True, "2024-01-05"),
            listed("blocked", "cat", True, "2024-01-06"),
            listed("blocked", "dan", True, "2024-01-06"),
            listed("blocked", "dan", False, "2024-01-08"),
        ),
        (
            q("2024-01-04", "ann dan"),
            q("2024-01-05", "ann bob cat dan"),
            q("2024-01-06", "ann bob"),
            q("2024-01-08", "ann bob dan"),
        ),
        always="vip list",
        never="blocked",
    ),
    Case(
        "member of includes the other segment's lists",
        'member of "vip" and not listed in "staff"',
        (
            clv(ann=10, bob=0, cat=10, dan=0),
            listed("vip list", "bob", True, "2024-01-05"),
            listed("vip list", "dan", True, "2024-01-05"),
            listed("staff", "dan", True, "2024-01-05"),
            listed("blocked", "cat", True, "2024-01-05"),
        ),
        (q("2024-01-06", "ann bob"),),
        others={"vip": ("clv >= 10", "vip list", "blocked")},
    ),
    Case(
        "nobody is in before they exist, a list notwithstanding",
        "age > 30",
        (did("ann", "App Opened", "2024-01-10"), listed("vip list", "ann", True, "2024-01-05")),
        (q("2024-01-09", ""), q("2024-01-10", "ann")),
        always="vip list",
    ),
    Case(
        "nested and negated references",
        'not member of "both" and not member of "neither"',
        (clv(ann=10, bob=0), became("ann", "age", 40, JAN), became("cat", "age", 40, JAN), there("dan")),
        (q("2024-01-06", "cat"),),
        others={
            "rich": "clv >= 10",
            "old": "age > 30",
            "both": 'member of "rich" and member of "old"',
            "neither": 'not (member of "rich" or member of "old")',
        },
    ),
    Case(
        "De Morgan through references, for the unknown too",
        'member of "neither" and not (not member of "not rich" or not member of "not old")',
        (clv(ann=10, bob=0), became("ann", "age", 40, JAN), became("cat", "age", 40, JAN), there("dan")),
        (q("2024-01-06", "bob dan"),),
        others={
            "neither": "not (clv >= 10 or age > 30)",
            "not rich": "not clv >= 10",
            "not old": "not age > 30",
        },
    ),
    # ---------------------------------------------------------------- consent
    Case(
        "consent: unknown means no",
        'consents to "email"',
        (
            there("ann", "bob", "cat"),
            consented("ann", "email", True, "2024-01-05"),
            consented("ann", "email", False, "2024-01-10"),
            consented("bob", "email", False, "2024-01-05"),
        ),
        (q("2024-01-04"), q("2024-01-05", "ann"), q("2024-01-10", "")),
    ),
    Case(
        "legitimate interest: unknown means yes until objected",
        'consents to "post"',
        (
            there("ann", "bob", "cat"),
            consented("ann", "post", False, "2024-01-05"),
            consented("ann", "post", True, "2024-01-10"),
            consented("bob", "email", False, "2024-01-05"),
        ),
        (q("2024-01-04", "ann bob cat"), q("2024-01-05", "bob cat"), q("2024-01-10", "ann bob cat")),
    ),
    # ---------------------------------------------------------------- recorded history
    Case(
        "entered and left read what was published, not what the condition says now",
        'entered "vip" in last 7 days and not left "vip" in last 7 days',
        (
            clv(ann=10, bob=0, cat=10),
            recorded("vip", "bob", "entered", "2024-01-05"),
            recorded("vip", "cat", "entered", "2024-01-05"),
            recorded("vip", "cat", "left", "2024-01-07"),
            recorded("vip", "cat", "entered", "2024-01-15"),
        ),
        (
            q("2024-01-05", "bob cat"),
            q("2024-01-07", "bob"),
            q(before("2024-01-12"), "bob"),
            q("2024-01-12", ""),
            q("2024-01-14", ""),
            q("2024-01-15", "cat"),
        ),
        others={"vip": "clv >= 10"},
    ),
    # ---------------------------------------------------------------- ranks
    Case(
        "in top: at the threshold is in; before the first refresh nobody",
        "clv in top 10%",
        (
            clv(ann=10, bob=9, cat=11),
            there("dan"),
            threshold("top 10", "10", "2024-01-05"),
            threshold("top 10", "9", "2024-01-10"),
        ),
        (q(before("2024-01-05"), ""), q("2024-01-05", "ann cat"), q("2024-01-10", "ann bob cat")),
    ),
    Case(
        "in bottom: at the threshold is in; the unranked are not",
        "clv in bottom 25%",
        (clv(ann=10, bob=9, cat=11), there("dan"), threshold("bottom 25", "29/3", "2024-01-05")),
        (q("2024-01-06", "bob"),),
    ),
    Case(
        "between percentiles: both ends in, both needed",
        "clv between percentile 20 and 80",
        (
            clv(ann=10, bob=9, cat=11, dan=12),
            threshold("percentile 20", "10", "2024-01-05"),
            threshold("percentile 80", "11", "2024-01-06"),
        ),
        (q("2024-01-05", ""), q("2024-01-06", "ann cat")),
    ),
    # ---------------------------------------------------------------- merges
    Case(
        "a merge joins events and trait changes as if they had always been one; unmerge restores both",
        'count("App Opened") = 2 and plan = "pro"',
        (
            did("ann", "App Opened", "2024-01-02"),
            did("bob", "App Opened", "2024-01-03"),
            became("ann", "plan", "pro", "2024-01-05"),
            became("bob", "plan", "free", "2024-01-04"),
            merged("bob", "ann", "2024-01-10", undone="2024-01-20"),
            merged("dan", "cat", "2024-01-10"),
            did("cat", "App Opened", "2024-01-02"),
            did("dan", "App Opened", "2024-01-03"),
            became("cat", "plan", "pro", "2024-01-04"),
        ),
        (
            q("2024-01-05", "dan"),
            q("2024-01-05", "", known="2024-01-09"),
            q("2024-01-05", "bob dan", known="2024-01-10"),
            q("2024-01-05", "dan", known="2024-01-20"),
        ),
    ),
    Case(
        "a merged customer exists from the earlier of the two, and the gone id is nobody",
        'not did "Order Completed"',
        (
            did("ann", "App Opened", "2024-01-02"),
            did("bob", "App Opened", "2024-01-05"),
            merged("bob", "ann", "2024-02-01"),
        ),
        (
            q("2024-01-02", "bob"),
            q(before("2024-01-02"), ""),
            q("2024-01-02", "ann", known="2024-01-31"),
            q("2024-01-05", "ann bob", known="2024-01-31"),
        ),
    ),
    Case(
        "merges go on: gone into kept into another",
        'count("App Opened") = 3',
        (
            did("ann", "App Opened", "2024-01-02"),
            did("bob", "App Opened", "2024-01-02"),
            did("cat", "App Opened", "2024-01-02"),
            merged("bob", "ann", "2024-02-01"),
            merged("cat", "bob", "2024-02-02"),
        ),
        (q("2024-01-02", "cat"), q("2024-01-02", "", known="2024-02-01"), q("2024-01-02", "cat", known="2024-02-02")),
    ),
    Case(
        "a duplicate message of two merged customers counts once",
        'count("App Opened") = 1',
        (
            did("ann", "App Opened", "2024-01-02", mid="m1"),
            did("bob", "App Opened", "2024-01-02", mid="m1", received="2024-01-03"),
            there("bob"),
            merged("bob", "ann", "2024-02-01"),
        ),
        (q("2024-01-04", "bob"), q("2024-01-04", "ann", known="2024-01-05")),
    ),
    Case(
        "after a merge withdrawn consent wins, whichever is later, and never wins",
        'consents to "email"',
        (
            there("ann", "bob", "cat", "dan"),
            consented("ann", "email", False, "2024-01-05"),
            consented("bob", "email", True, "2024-01-10"),
            merged("bob", "ann", "2024-02-01"),
            consented("cat", "email", True, "2024-01-05"),
            merged("dan", "cat", "2024-02-01"),
        ),
        (q("2024-01-15", "dan"), q("2024-01-15", "bob cat", known="2024-01-31")),
    ),
    Case(
        "after a merge the lists are united, and never wins",
        'age > 30 or listed in "staff"',
        (
            became("ann", "age", 40, JAN),
            there("bob", "cat", "dan"),
            listed("blocked", "bob", True, "2024-01-05"),
            merged("bob", "ann", "2024-02-01"),
            listed("staff", "cat", True, "2024-01-05"),
            merged("dan", "cat", "2024-02-01"),
        ),
        (q("2024-01-15", "dan"), q("2024-01-15", "ann cat", known="2024-01-31")),
        never="blocked",
    ),
    Case(
        "after a merge the recorded history is united",
        'entered "vip" in last 7 days',
        (
            there("ann", "bob"),
            recorded("vip", "ann", "entered", "2024-01-05"),
            merged("bob", "ann", "2024-02-01"),
        ),
        (q("2024-01-06", "bob"), q("2024-01-06", "ann", known="2024-01-31")),
        others={"vip": "clv >= 10"},
    ),
    Case(
        "a merge joins the runs of a held value",
        'held plan = "pro" for 7 days',
        (
            became("ann", "plan", "pro", "2024-01-01"),
            became("bob", "plan", "pro", "2024-01-05"),
            merged("bob", "ann", "2024-01-06"),
        ),
        (q("2024-01-08", "bob"), q(before("2024-01-08"), ""), q(after("2024-01-12"), "ann bob", known="2024-01-05")),
    ),
    Case(
        "a merge moves the events of an account",
        'count("App Opened" of account) = 2',
        (
            became("ann", "account_id", "acme", JAN),
            became("bob", "account_id", "acme", JAN),
            did("ann", "App Opened", "2024-01-02"),
            did("cat", "App Opened", "2024-01-02"),
            merged("bob", "cat", "2024-01-06"),
        ),
        (q("2024-01-03", "ann bob"), q("2024-01-03", "", known="2024-01-05")),
    ),
)
