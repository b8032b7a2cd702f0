"""Identifiers take one form; what identifies nobody is refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.customers.identity.normalise import Normaliser, Refused
from shoal.customers.identity.rules import IdentityRules

KINDS = ["user_id", "anonymous_id", "email", "phone", "device_id", "loyalty_card"]
READ = Normaliser(IdentityRules(region="GB")).read


@pytest.mark.parametrize(
    ("kind", "raw", "form"),
    [
        ("email", " Ann.Lee+news@Shop.Example. ", "ann.lee+news@shop.example"),
        ("email", "a.n.n@gmail.com", "a.n.n@gmail.com"),
        ("email", "jos\u0065\u0301@x.org", "jos\u00e9@x.org"),
        ("email", "ann@B\u00dcCHER.example", "ann@xn--bcher-kva.example"),
        ("email", "ann@stra\u00dfe.example", "ann@xn--strae-oqa.example"),
        ("phone", "07400 123456", "+447400123456"),
        ("phone", "+44 (0)7400 123-456", "+447400123456"),
        ("phone", "+1 650-253-0000", "+16502530000"),
        ("user_id", "  U1 ", "U1"),
        ("user_id", 4711, "4711"),
        ("loyalty_card", "e\u0301", "\u00e9"),
    ],
)
def test_a_value_takes_its_form(kind: str, raw: object, form: str) -> None:
    """Breaks if two spellings of one identifier stay two, or two identifiers become one (stra\u00dfe, strasse)."""
    assert READ(kind, raw) == form


@pytest.mark.parametrize(
    ("kind", "raw", "reason"),
    [
        ("user_id", "", "empty"),
        ("user_id", "   ", "empty"),
        ("user_id", None, "empty"),
        ("anonymous_id", "null", "unknown"),
        ("anonymous_id", "Undefined", "unknown"),
        ("device_id", "00000000-0000-0000-0000-000000000000", "unknown"),
        ("user_id", 0, "unknown"),
        ("email", "none", "unknown"),
        ("user_id", True, "not a text"),
        ("user_id", {"a": 1}, "not a text"),
        ("user_id", "x" * 257, "longer than 256"),
        ("user_id", "x" * 5000, "longer than 256"),
        ("user_id", "a\x00b", "control signs"),
        ("user_id", "\ud800", "valid Unicode"),
        ("email", "Test@shop.example", "blocked"),
        ("email", "noreply@shop.example", "blocked"),
        ("email", "ann", "not an e-mail"),
        ("email", "ann@localhost", "not an e-mail"),
        ("email", "ann lee@x.org", "not an e-mail"),
        ("email", "ann@-\u00fc.org", "can't exist"),
        ("phone", "12", "not a phone"),
        ("phone", "020 7031 3000 x12", "extension"),
    ],
)
def test_what_identifies_nobody_is_refused(kind: str, raw: object, reason: str) -> None:
    """Breaks if a placeholder brings thousands of strangers together."""
    found = READ(kind, raw)
    assert isinstance(found, Refused)
    assert reason in found.because


def test_a_number_without_a_country_needs_a_region() -> None:
    """Breaks if a national number is guessed to be some country's."""
    assert "no region is set" in Normaliser(IdentityRules()).read("phone", "07400 123456").because
    assert Normaliser(IdentityRules(region="DE")).read("phone", "030 901820") == "+4930901820"


def test_patterns_block_by_kind_and_for_all() -> None:
    """Breaks if a pattern matches a part, cares for letter case, or leaks into another kind."""
    rules = IdentityRules(blocked={"email": ("*@Shop.example",), "any": ("qa-*",)})
    read = Normaliser(rules).read
    assert isinstance(read("email", "ann@SHOP.example"), Refused)
    assert isinstance(read("email", "qa-1@x.org"), Refused)
    assert isinstance(read("user_id", "QA-7"), Refused)
    assert read("user_id", "x@shop.example") == "x@shop.example"
    assert read("email", "ann@shop.example.org") == "ann@shop.example.org"
    assert read("user_id", "aqa-7") == "aqa-7"


@given(st.sampled_from(KINDS), st.one_of(st.text(), st.emails(), st.from_regex(r"\+?[0-9 ]{5,14}"), st.integers()))
def test_a_value_in_its_form_stays_as_it_is(kind: str, raw: object) -> None:
    """Breaks if the graph, which looks a raw value up before it normalises, could miss or mistake one."""
    form = READ(kind, raw)
    if not isinstance(form, Refused):
        assert READ(kind, form) == form
