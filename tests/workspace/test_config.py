"""``shoal.yaml``: what it accepts, and that every fault names file, line and fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoal.config import parse_config, read_config
from shoal.errors import ConfigError
from shoal.lang.schema import Basis, Kind
from shoal.shapes import PurchaseRule

WHOLE = """\
shoal: 1
name: My shop
timezone: Africa/Nairobi
currency: KES
clock: data-end
purposes: {email_marketing: consent, service: legitimate-interest, analysis: none}
default_purpose: email_marketing
revenue:
  orders: Order Completed
  events: {Order Completed: revenue, Order Refunded: revenue}
  cost: {Order Completed: cost}
  includes: {tax: included}
traits: {vip: yes/no, tier: text}
store: {memory: 2GB, threads: 2}
"""


def test_a_whole_file_becomes_one_typed_record(tmp_path: Path) -> None:
    """Breaks when a setting is read into the wrong place or dropped."""
    config = parse_config(WHOLE, root=tmp_path)
    assert (config.name, config.zone, config.currency, config.clock) == ("My shop", "Africa/Nairobi", "KES", "data-end")
    assert config.purposes["service"] is Basis.LEGITIMATE_INTEREST
    assert config.default_purpose == "email_marketing"
    assert config.revenue.cost == {"Order Completed": "cost"}
    assert config.revenue.currency == "KES"
    assert config.traits == {"vip": Kind.YESNO, "tier": Kind.TEXT}
    assert (config.store.memory, config.store.threads) == ("2GB", 2)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("shoal: 1\ntimezon: UTC\n", 2, 'Did you mean "timezone"?'),
        ("shoal: 1\ntimezone: Europe/Londn\n", 2, 'Did you mean "Europe/London"'),
        ("shoal: 1\ncurrency: euro\n", 2, "three letters, as EUR"),
        ("shoal: 1\nclock: tomorrow\n", 2, "now or data-end"),
        ("shoal: 1\npurposes:\n  mail: consent\n  ads: maybe\n", 4, "consent, legitimate-interest, none"),
        ("shoal: 1\nname: a\nname: b\n", 3, "stands twice, in lines 2 and 3"),
        ("shoal: 1\nname: [a\n", 3, "This is not YAML"),
        ("shoal: 1\nname: a\n\tcurrency: EUR\n", 3, "This is not YAML"),
        ("shoal: 2\n", 1, "Write shoal: 1"),
        ("shoal: 1\nstore:\n  memory: lots\n", 3, "Write it as 4GB"),
        ("shoal: 1\nrevenue:\n  cots: {}\n", 3, "'cots' is not a setting"),
        ("shoal: 1\ntraits:\n  vip: maybe\n", 3, "is not a type"),
        ("shoal: 1\ndefault_purpose: mail\n", 2, "Name it under purposes"),
        ("shoal: 1\nsources:\n  orders:\n    from: a.csv\n    evnts: []\n", 5, "events"),
    ],
)
def test_a_fault_names_the_line_and_the_fix(tmp_path: Path, text: str, line: int, said: str) -> None:
    """Breaks when a fault points at another line, or doesn't say how to mend it."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, root=tmp_path, place="shoal.yaml")
    assert f"shoal.yaml:{line}" in str(caught.value)
    assert said in str(caught.value)


ORDERS = """\
shoal: 1
purchases: {PURCHASES}
sources:
  orders:
    from: {FROM}
    events:
      - event: Order Completed
        customer: who
        at: day
        properties: {{rebate: rebate, total: total}}
        {ITEMS}
"""
LINES = "items: {products: {sub_category: kind, maker: maker}}"


def test_what_was_bought_is_said_by_the_names_given_or_by_the_usual_ones(tmp_path: Path) -> None:
    """Breaks when a name is dropped, read as letters, or the usual names of other keys are lost."""
    given = "{category: sub_category, brand: [label, Maker], coupon: none, items: products}"
    text = ORDERS.format(PURCHASES=given.replace("label, ", ""), FROM="a.csv", ITEMS=LINES)
    rule = parse_config(text, root=tmp_path).revenue.purchases
    assert (rule.category, rule.brand, rule.coupon, rule.items) == (("sub_category",), ("Maker",), (), ("products",))
    assert rule.discount == PurchaseRule().discount


@pytest.mark.parametrize(
    ("given", "items", "said"),
    [
        (
            "{category: sub_categry}",
            LINES,
            'a field of an item of "Order Completed" in the sources. Did you mean "sub_',
        ),
        ("{brand: [maker, label]}", LINES, "'label' is neither"),
        ("{discount: price}", "", "There are: rebate, total."),
        ("{items: rebate}", LINES, "is no list of items"),
        ("{kategory: sub_category}", LINES, 'Did you mean "category"?'),
        ("{category: {a: b}}", LINES, "a list of names, or none"),
        ("{category: []}", LINES, "a list of names, or none"),
    ],
)
def test_a_name_that_no_order_bears_is_refused_with_line_and_fix(
    tmp_path: Path, given: str, items: str, said: str
) -> None:
    """A slip of the pen would otherwise mean: no favourites, and nobody says why."""
    with pytest.raises(ConfigError) as fault:
        parse_config(ORDERS.format(PURCHASES=given, FROM="a.csv", ITEMS=items), root=tmp_path)
    assert said in str(fault.value)
    assert fault.value.place == "shoal.yaml:2"


def test_names_inside_nested_data_are_left_to_the_load(tmp_path: Path) -> None:
    """JSON may bring a list of objects whose fields no mapping names."""
    text = ORDERS.format(PURCHASES="{category: kind}", FROM="a.jsonl", ITEMS="")
    assert parse_config(text, root=tmp_path).revenue.purchases.category == ("kind",)


def test_what_is_left_out_of_the_store_s_settings_has_its_default(tmp_path: Path) -> None:
    assert parse_config("shoal: 1\nstore: {threads: 2}\n", root=tmp_path).store.memory == "4GB"


def test_a_folder_without_the_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shoal init"):
        read_config(tmp_path)


def test_a_file_of_another_encoding_is_refused_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "shoal.yaml").write_bytes("shoal: 1\nname: Café\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_config(tmp_path)
