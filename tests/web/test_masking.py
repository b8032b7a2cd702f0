"""What is shown of a customer to whom: personal data never reaches who needn't see it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shoal.web.masking import HIDDEN, is_personal, masked, shown, shown_all, shown_id, shown_text
from shoal.workspace.people import ROLES, Person

VIEWER, OFFICER = (Person("1", "x", "", role, 0) for role in ("viewer", "privacy officer"))


@pytest.mark.parametrize(
    "name",
    [
        "email", "e-mail", "Email Address", "contactEmail", "phone", "phone_number", "mobile", "first_name", "lastName",
        "full name", "name", "Surname", "customer_name", "billing_address", "street", "postcode", "ZIP", "date_of_birth",
        "birthday", "dob", "username", "ipAddress",
    ],
)  # fmt: skip
def test_what_tells_who_somebody_is_is_hidden(name: str) -> None:
    """Breaks when a usual name of a trait that holds personal data isn't known for one."""
    assert shown(VIEWER, name, "Value 7") == HIDDEN
    assert shown(OFFICER, name, "Value 7") == "Value 7"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plan", "pro"),
        ("product_name", "Tea, black"),
        ("campaign_name", "Spring"),
        ("city", "Nairobi"),
        ("country", "KE"),
        ("email_verified", True),
        ("emails_sent", 12),
        ("address_count", Decimal(2)),
        ("name_days", 3),
        ("order_id", "2017-0001234567"),
        ("sku", "447400123456"),
        ("membership", "gold"),
        ("shipping", "express"),
        ("telling", "no"),
        ("when", date(2020, 1, 1)),
        ("revenue", Decimal("12.50")),
        ("nothing", None),
    ],
)
def test_what_segments_are_made_of_is_shown(name: str, value: Any) -> None:
    """Breaks when a viewer can't read what says nothing of who somebody is."""
    assert shown(VIEWER, name, value) == value


def test_personal_data_is_found_wherever_it_stands() -> None:
    """Breaks when an address in a nested property, in a list, in prose or in an id reaches who needn't see it."""
    told = {
        "note": "ann@shop.example",
        "to": {"contact": {"email": "ann@shop.example", "since": 2020}, "by": "+44 7400 123456"},
        "sent_to": ["ann@shop.example", "the shop"],
        "review": "Very good tea, thank you all. Write to ann@shop.example or call 0044 7400 123456 any time.",
    }
    assert shown_all(VIEWER, told) == {
        "note": HIDDEN,
        "to": {"contact": {"email": HIDDEN, "since": 2020}, "by": HIDDEN},
        "sent_to": [HIDDEN, "the shop"],
        "review": "Very good tea, thank you all. Write to [e-mail] or call [number] any time.",
    }
    assert shown_all(OFFICER, told) == told
    assert [shown_id(VIEWER, one) for one in ("C0042", "ann@shop.example")] == ["C0042", HIDDEN]
    assert shown_id(OFFICER, "ann@shop.example") == "ann@shop.example"
    assert "ann@" not in shown_text(VIEWER, "mine: ann@shop.example")
    assert (masked(None), masked(7)) == ("–", HIDDEN)


def test_a_telephone_number_is_one_as_a_number_too() -> None:
    """Breaks when a number is shown because it is stored as one."""
    assert is_personal("phone", 447400123456)
    assert shown(VIEWER, "mobile", Decimal(447400123456)) == HIDDEN


def test_those_who_need_it_see_it() -> None:
    """Breaks when a role is added and nobody says whether it sees personal data."""
    seen = {role: shown(Person("1", "x", "", role, 0), "email", "a@b.example") != HIDDEN for role in ROLES}
    assert seen == {"viewer": False, "editor": False, "admin": True, "privacy officer": True}
