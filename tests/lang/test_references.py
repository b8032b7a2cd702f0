"""What a definition names, and the order of segments that name each other.

Breaks when a name is overlooked (a table would be missing, a rename would leave a loose end, a change would not be
followed by those who depend on it).
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from shop_schema import EXAMPLES, SHOP

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.references import (
    References,
    depends_on_time,
    event_names,
    in_order,
    references,
    rename_segment,
    uses_scores,
    walk,
)


def test_every_name_of_a_definition_is_found() -> None:
    where = parse(
        """
        account.industry = country and not listed in "press" and member of "vip"
        and did "Order Completed" where (revenue > trait clv and any products (brand = "Acme" and price > 3))
        and sum(length of "Video *" in last 3 days) > days since signed_up
        and did "Cart Updated" then "Order Completed" without "App Opened" with same cart_id within 1 day
        and (entered "trial" or left "unhappy" in last 3 days) and consents to "post" and held plan = "pro" for 1 day
        """
    )
    found = references(Definition("x", "X", where, purpose="email_marketing", always="staff"))
    assert found == References(
        traits=frozenset({"account.industry", "country", "clv", "signed_up", "plan"}),
        events={
            "Order Completed": frozenset({"revenue", "products", "cart_id"}),
            "Video *": frozenset({"length"}),
            "Cart Updated": frozenset({"cart_id"}),
            "App Opened": frozenset(),
        },
        fields={("Order Completed", "products"): frozenset({"brand", "price"})},
        segments=frozenset({"vip", "trial", "unhappy"}),
        lists=frozenset({"press", "staff"}),
        purposes=frozenset({"post", "email_marketing"}),
        account=True,
    )


def test_events_of_the_account_need_accounts_too() -> None:
    assert references(parse('did "App Opened" of account')).account
    assert not references(parse('did "App Opened"')).account


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Video *", ["Video Ended", "Video Started"]),
        ("Video Ended", ["Video Ended"]),
        ("Radio *", []),
        ("Stars\\*", ["Stars*"]),
        ("Star*", ["Stars", "Stars*"]),
        ("*", ["Stars", "Stars*", "Video Ended", "Video Started"]),
    ],
)
def test_a_final_star_stands_for_every_end_and_one_with_a_backslash_for_itself(name: str, found: list[str]) -> None:
    assert event_names(name, ["Video Started", "Video Ended", "Stars*", "Stars"]) == found


def definitions(**texts: str) -> list[Definition]:
    """Some segments by slug and text."""
    return [Definition(slug, slug, parse(text)) for slug, text in texts.items()]


def test_segments_come_after_those_they_refer_to() -> None:
    order = in_order(definitions(a='member of "c"', b='not entered "a"', c="age > 3", d='left "elsewhere"'))
    assert order == ["c", "a", "b", "d"]


def test_the_order_does_not_depend_on_the_order_given() -> None:
    some = definitions(a='member of "c" and member of "b"', b='member of "d"', c="age > 3", d="age > 4")
    assert in_order(some) == in_order(some[::-1]) == ["d", "b", "c", "a"]


def test_a_circle_is_shown() -> None:
    with pytest.raises(DefinitionError, match="in a circle: a → b → c → a"):
        in_order(definitions(a='member of "b"', b='entered "c"', c='left "a"', z='member of "a"'))


def test_a_rename_reaches_every_reference_and_keeps_comments() -> None:
    node = n.And(
        (
            n.MemberOf("vip", note="the big ones"),
            n.Not(n.Entered("vip", n.Last(n.Duration(3, "day")))),
            n.Or((n.Left("vip"), n.MemberOf("other"), n.ListedIn("vip"))),
        )
    )
    renamed = rename_segment(node, "vip", "best")
    assert references(renamed).segments == {"best", "other"}
    assert references(renamed).lists == {"vip"}
    assert next(walk(renamed.parts[0])).note == "the big ones"
    assert rename_segment(node, "nobody", "x") is node


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ('age > 3 and country in ("KE")', False),
        ("churn_risk > 0.5", False),
        ('listed in "staff" or consents to "post"', False),
        ('did "App Opened"', True),
        ("signed_up in last 3 days", True),
        ("days since signed_up > 3", True),
        ("age > 3 or anniversary of birthday in next 3 days", True),
        ('held plan = "pro" for 3 days', True),
        ('member of "vip"', True),
    ],
)
def test_what_changes_by_the_passing_of_time_is_known(text: str, moves: bool) -> None:
    assert depends_on_time(parse(text)) is moves


def test_scores_are_found_through_other_segments() -> None:
    schema = replace(
        SHOP, segments={d.slug: d for d in definitions(a='member of "b"', b='member of "c"', c="churn_risk > 0.5")}
    )
    assert uses_scores(parse('not member of "a"'), schema)
    assert uses_scores(parse('did "Order Completed" where revenue > trait churn_risk'), schema)
    assert not uses_scores(parse("clv > 0.5"), schema)


@pytest.mark.parametrize("text", EXAMPLES)
def test_everything_that_the_examples_name_is_in_the_shop(text: str) -> None:
    found = references(parse(text))
    assert found.traits <= set(SHOP.traits)
    assert set(found.events) <= set(SHOP.events)
    assert found.segments <= set(SHOP.segments)
