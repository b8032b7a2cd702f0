"""``identity:`` of shoal.yaml: what it says is taken, and a fault names its place and the near word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from shoal.customers.identity.rules import DEFAULT_KINDS, IdentityRules, rules_from
from shoal.errors import ConfigError


def test_nothing_said_gives_the_defaults() -> None:
    """Breaks if an empty section differs from none."""
    assert rules_from({}) == IdentityRules()
    assert [(rule.name, rule.cap) for rule in DEFAULT_KINDS] == [
        ("user_id", 1), ("email", 3), ("phone", 3), ("anonymous_id", 1000), ("device_id", 20),
    ]  # fmt: skip


def test_what_is_said_is_taken() -> None:
    """Breaks if a setting is lost, or the order of kinds isn't their priority."""
    rules = rules_from(
        {
            "kinds": {"loyalty_card": {"cap": 2}, "phone": {"cap": 1, "conflict": "move"}, "email": None},
            "blocked": {"email": ["*@shop.example"], "any": "qa-*"},
            "shared": {"device_id": 5, "anonymous_id": "never"},
            "region": "GB",
            "traits": {"e_mail": "email", "card": "loyalty_card"},
        }
    )
    names = ["user_id", "loyalty_card", "phone", "email", "anonymous_id", "device_id"]
    assert [rule.name for rule in rules.kinds] == names
    assert (rules.kind("loyalty_card").cap, rules.kind("phone").cap, rules.kind("phone").conflict) == (2, 1, "move")
    assert (rules.kind("device_id").shared, rules.kind("anonymous_id").shared) == (5, None)
    assert rules.blocked == {"email": ("*@shop.example",), "any": ("qa-*",)}
    assert (rules.region, rules.traits) == ("GB", {"e_mail": "email", "card": "loyalty_card"})
    assert rules_from({"blocked": ["qa-*"]}).blocked == {"any": ("qa-*",)}


@pytest.mark.parametrize(
    ("value", "place", "words"),
    [
        ([], "identity", "Expected settings"),
        ({"kind": {}}, "identity.kind", 'Did you mean "kinds"'),
        ({"kinds": {"e-mail": None}}, "identity.kinds.e-mail", 'Did you mean "email"'),
        ({"kinds": {"anonymousId": None}}, "identity.kinds.anonymousId", 'Did you mean "anonymous_id"'),
        ({"kinds": {"email": None, "user_id": None}}, "identity.kinds.user_id", "must come first"),
        ({"kinds": {"email": {"cap": 0}}}, "identity.kinds.email.cap", "1 or more"),
        ({"kinds": {"email": {"caps": 2}}}, "identity.kinds.email.caps", 'Did you mean "cap"'),
        ({"kinds": {"email": {"conflict": "mov"}}}, "identity.kinds.email.conflict", 'Did you mean "move"'),
        ({"shared": {"devise_id": 3}}, "identity.shared.devise_id", 'Did you mean "device_id"'),
        ({"shared": {"user_id": 3}}, "identity.shared.user_id", "not a kind"),
        ({"shared": {"device_id": "few"}}, "identity.shared.device_id", "whole number"),
        ({"blocked": {"mail": ["x"]}}, "identity.blocked.mail", 'Did you mean "email"'),
        ({"blocked": ["x", "*"]}, "identity.blocked[1]", "block every value"),
        ({"region": "gb"}, "identity.region", "as GB"),
        ({"region": False}, "identity.region", "quotes"),
        ({"traits": {"mail": "emial"}}, "identity.traits.mail", 'Did you mean "email"'),
    ],
)
def test_a_fault_names_its_place_and_the_fix(value: object, place: str, words: str) -> None:
    """Breaks if a slip in the file is taken silently, or the error doesn't help."""
    with pytest.raises(ConfigError) as caught:
        rules_from(value, "identity")
    assert caught.value.place == place
    assert words in str(caught.value)


def test_the_settings_on_the_page_are_read() -> None:
    """Breaks if docs/identity.md shows settings that are refused."""
    page = (Path(__file__).parents[2] / "docs" / "identity.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```\w+\n(identity:\n.*?)^```", page, re.MULTILINE | re.DOTALL)
    rules = rules_from(yaml.safe_load(block)["identity"])
    assert rules.kind("device_id").shared == 5
    assert rules.kind("anonymous_id").shared is None
