"""What a mapping makes of rows, on small files. Breaks when a rule of the mapping isn't obeyed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from shoal.customers.values import point
from shoal.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from conftest import Shop
    from shoal.customers.load import LoadReport

LINES = """order;customer;day;sku;qty;price
A1;c1;2017-03-01 10:00;x;2;10.50
A1;c1;2017-03-01 10:00;y;1;4.00
A2;c2;2017-03-02 11:00;x;1;10.50
"""
ORDERS = """
orders:
  from: orders.csv
  types: {sku: text}
  derive: {total: "qty * price"}
  events:
    - event: Order Completed
      customer: customer
      at: day
      id: order
      group: order
      properties:
        order_id: order
        revenue: {sum: total}
        dearest: {max: price}
        cheapest: {min: price}
        lines: {count: sku}
        first_sku: sku
      items: {products: {sku: sku, quantity: qty}}
"""


def test_rows_become_one_event_with_items_and_aggregates(shop: Shop) -> None:
    shop.write("orders.csv", LINES)
    report = shop.load(ORDERS)
    first, second = shop.events("Order Completed")
    assert (first["customer"], first["ts"], first["id"]) == ("c1", "2017-03-01T10:00:00Z", "orders:A1")
    assert (first["revenue"], first["dearest"], first["cheapest"]) == (25, Decimal("10.5"), 4)
    assert (first["lines"], first["first_sku"], first["order_id"]) == (2, "x", "A1")
    assert first["products"] == [{"sku": "x", "quantity": 2}, {"sku": "y", "quantity": 1}]
    assert second["products"] == [{"sku": "x", "quantity": 1}]
    assert report.sources["orders"].events == {"Order Completed": 2}
    assert report.customers == 2


def test_a_load_leaves_no_temporary_table_behind(shop: Shop) -> None:
    shop.write("orders.csv", LINES)
    shop.load(ORDERS)
    assert shop.leftovers() == []


def test_items_stand_in_the_order_of_the_file(shop: Shop) -> None:
    rows = "".join(f"A1;c1;2017-03-01;s{i};1;1\n" for i in range(3000))
    shop.write("orders.csv", "order;customer;day;sku;qty;price\n" + rows)
    shop.load(ORDERS)
    assert [p["sku"] for p in shop.events("Order Completed")[0]["products"]] == [f"s{i}" for i in range(3000)]


def test_a_row_may_feed_several_events_each_with_its_own_id(shop: Shop) -> None:
    shop.write("orders.csv", "id,who,day,coupon\n1,c1,2017-03-01,SPRING\n2,c2,2017-03-02,\n")
    shop.load("""
orders:
  from: orders.csv
  events:
    - {event: Order Completed, customer: who, at: day, id: id}
    - {event: Coupon Used, when: coupon IS NOT NULL, customer: who, at: day, id: id, properties: {coupon: coupon}}
""")
    assert [e["id"] for e in shop.events("Order Completed")] == ["orders:1", "orders:2"]
    assert [e["coupon"] for e in shop.events("Coupon Used")] == ["SPRING"]


def test_without_an_id_file_and_line_are_the_identity(shop: Shop) -> None:
    shop.write("visits.csv", "who,at\nc1,2017-03-01T10:00:00Z\nc1,2017-03-01T11:00:00Z\n")
    shop.load("visits: {from: visits.csv, events: [{event: Visited, customer: who, at: at}]}")
    assert [(e["id"], e["origin"] & 0xFFFF) for e in shop.events("Visited")] == [(None, 2), (None, 3)]


def test_local_times_dates_and_offsets_become_instants(shop: Shop) -> None:
    shop.write("v.csv", "who,at\na,2017-07-01 10:00\nb,2017-07-01T10:00:00Z\n")
    shop.write("d.csv", "who,at\na,2017-07-01\n")
    shop.load("""
v: {from: v.csv, format: {timezone: Africa/Nairobi}, events: [{event: V, customer: who, at: at}]}
d: {from: d.csv, format: {timezone: Africa/Nairobi}, events: [{event: D, customer: who, at: at}]}
""")
    assert [e["ts"] for e in shop.events("V")] == ["2017-07-01T07:00:00Z", "2017-07-01T10:00:00Z"]
    assert [e["ts"] for e in shop.events("D")] == ["2017-06-30T21:00:00Z"]


def test_numbers_as_written_in_germany(shop: Shop) -> None:
    shop.write("o.csv", "wer;wann;betrag\na;01.02.2017;€ 1.234,50\nb;02.02.2017;-3,5\n")
    shop.load("""
o:
  from: o.csv
  format: {decimal: ",", thousands: ".", dates: day-first}
  events: [{event: O, customer: wer, at: wann, properties: {amount: betrag}}]
""")
    assert [(e["ts"], e["amount"]) for e in shop.events("O")] == [
        ("2017-02-01T00:00:00Z", Decimal("1234.5")),
        ("2017-02-02T00:00:00Z", Decimal("-3.5")),
    ]


def test_types_are_learned_and_codes_stay_text(shop: Shop) -> None:
    shop.write(
        "t.csv",
        "id,n,zip,flag,day,time,word\n1,1.5,01234,yes,2017-01-02,2017-01-02 10:00,a1\n"
        "2,2,99999,no,2017-01-03,2017-01-03 11:00,7\n",
    )
    shop.load(
        "t: {from: t.csv, traits: [{customer: id, take: {n: n, zip: zip, flag: flag, day: day, time: time, word: word}}]}"
    )
    kinds = dict(shop.store.rows("SELECT name, kind FROM traits"))
    assert kinds == {"n": "number", "zip": "text", "flag": "yes/no", "day": "date", "time": "instant", "word": "text"}


def test_a_cell_of_another_type_is_missing_and_counted(shop: Shop) -> None:
    shop.write("o.csv", "who,day,amount\na,2017-01-01,5\nb,2017-01-02,n/a\nc,2017-01-03,7\n")
    report = shop.load("""
o: {from: o.csv, types: {amount: number}, events: [{event: O, customer: who, at: day, properties: {amount: amount}}]}
""")
    assert [e["amount"] for e in shop.events("O")] == [5, None, 7]
    assert report.sources["o"].mistyped == {"amount": 1}
    assert report.quality.of("o", "amount")["validity"].value == pytest.approx(2 / 3)


def test_where_leaves_rows_out_and_counts_them(shop: Shop) -> None:
    shop.write("orders.csv", LINES)
    report = shop.load(ORDERS.replace("derive:", "where: qty > 1\n  derive:"))
    assert [e["revenue"] for e in shop.events("Order Completed")] == [21]
    assert report.sources["orders"].left_out == 2
    assert shop.quarantine() == []


def test_exact_repetitions_are_dropped_or_kept(shop: Shop) -> None:
    shop.write("orders.csv", LINES + "A2;c2;2017-03-02 11:00;x;1;10.50\n")
    dropped = shop.load(ORDERS)
    assert dropped.sources["orders"].repeated == 1
    assert shop.events("Order Completed")[1]["revenue"] == Decimal("10.5")
    assert (dropped.sources["orders"].dropped, copies_of(dropped)) == (1, 0.25)
    kept = shop.load(ORDERS.replace("derive:", "duplicates: keep\n  derive:"))
    assert shop.events("Order Completed")[1]["revenue"] == 21
    assert (kept.sources["orders"].repeated, kept.sources["orders"].dropped, copies_of(kept)) == (1, 0, 0.25)


def test_copies_that_are_kept_are_counted_or_said_not_to_be(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when quality says 0.0 % of a file full of copies, or when a threshold passes what wasn't counted."""
    monkeypatch.setattr("shoal.customers.load.prepare.COPIES_UP_TO", 3)
    shop.write("orders.csv", LINES + "A2;c2;2017-03-02 11:00;x;1;10.50\n")
    keep = ORDERS.replace("derive:", "duplicates: keep\n  derive:")
    assert copies_of(shop.load(keep)) is None
    judged = keep.replace("derive:", "quality: {warn: {duplicates: 0.2}}\n  derive:")
    shop.write("orders.csv", LINES + "A2;c2;2017-03-02 11:00;x;1;10.50\n" * 2)
    (measure,) = [m for m in shop.load(judged).quality.measures if m.measure == "duplicates"]
    assert (measure.value, measure.verdict) == (0.4, "warn")


def copies_of(report: LoadReport) -> float | None:
    (measure,) = [m for m in report.quality.measures if m.measure == "duplicates"]
    return measure.value


def test_a_lookup_fetches_columns_and_counts_orphans(shop: Shop) -> None:
    shop.write("orders.csv", LINES)
    shop.write("products.csv", "code,kind,cost\nx,shoes,6\nz,hats,1\n")
    report = shop.load(
        ORDERS.replace(
            "derive: {",
            "lookup: [{from: products, on: {sku: code}, take: {kind: kind, cost: cost}}]\n  "
            "derive: {margin: 'total - qty * cost', ",
        ).replace("sku: sku, quantity", "kind: kind, margin: margin, quantity")
        + "products: {from: products.csv, reference: true}\n"
    )
    items = [p for e in shop.events("Order Completed") for p in e["products"]]
    assert [(p["kind"], p["margin"]) for p in items] == [("shoes", 9), (None, None), ("shoes", Decimal("4.5"))]
    assert report.sources["orders"].orphans == {"products": 1}


def test_ids_of_different_file_types_meet_in_a_lookup(shop: Shop) -> None:
    shop.store.execute(f"COPY (SELECT 7 AS sku, 'c1' AS who, DATE '2017-01-01' AS day) TO '{shop.root}/o.parquet'")
    shop.write("p.csv", "sku,kind\n7,shoes\n")
    shop.load("""
o:
  from: o.parquet
  lookup: [{from: p, on: sku, take: [kind]}]
  events: [{event: O, customer: who, at: day, properties: {kind: kind}}]
p: {from: p.csv, reference: true}
""")
    assert [e["kind"] for e in shop.events("O")] == ["shoes"]


def test_a_lookup_by_a_key_that_is_not_unique_is_refused(shop: Shop) -> None:
    shop.write("orders.csv", LINES)
    shop.write("products.csv", "sku,kind\nx,shoes\nx,boots\n")
    mapping = ORDERS.replace("derive:", "lookup: [{from: products, on: sku, take: [kind]}]\n  derive:")
    with pytest.raises(SourceError, match="key x") as caught:
        shop.load(mapping + "products: {from: products.csv, reference: true}\n")
    assert caught.value.place == "sources.orders.lookup[0]"


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("customer: customer", "customer: custmer", "sources.orders.events[0].customer", '"customer"'),
        ("qty * price", "qty * prise", "sources.orders.derive.total", '"price"'),
        ("qty * price", "qty *", "sources.orders.derive.total", "can't be evaluated"),
        ("quantity: qty", "quantity: qtty", "sources.orders.events[0].items.products.quantity", '"qty"'),
        ("qty * price", "1) FROM x; DROP TABLE meta; SELECT (1", "sources.orders.derive.total", "more than one"),
        ("at: day", "at: sku", "sources.orders.events[0].at", "not times"),
    ],
)
def test_a_name_that_is_not_there_is_an_error_with_place_and_near_names(
    shop: Shop, old: str, new: str, place: str, says: str
) -> None:
    shop.write("orders.csv", LINES)
    before = shop.dump()
    with pytest.raises(ConfigError) as caught:
        shop.load(ORDERS.replace(old, new))
    assert caught.value.place == place
    assert says in str(caught.value)
    assert shop.dump() == before


RATES = "date,currency,rate\n2017-01-01,USD,0.9\n2017-02-01,USD,0.8\n"
SALES = """
sales:
  from: sales.csv
  events:
    - event: O
      customer: who
      at: day
      id: n
      group: n
      currency: cur
      money: [revenue]
      properties: {revenue: {sum: amount}, n: n}
"""


def test_money_is_converted_by_the_rate_of_its_day(shop: Shop) -> None:
    shop.write("rates.csv", RATES)
    shop.write(
        "sales.csv",
        "who,day,n,cur,amount\na,2017-01-15,1,USD,10\na,2017-01-15,1,USD,0.333333\na,2017-02-15,2,usd,10\na,2017-02-15,3,EUR,10\n",
    )
    shop.load(SALES, rates=shop.root / "rates.csv")
    assert [e["revenue"] for e in shop.events("O")] == [Decimal("9.3"), 8, 10]


def test_money_without_a_rate_goes_to_quarantine(shop: Shop) -> None:
    shop.write("rates.csv", RATES)
    shop.write("sales.csv", "who,day,n,cur,amount\na,2016-12-31,1,USD,10\na,2017-02-15,2,GBP,10\na,2017-02-15,3,,10\n")
    shop.load(SALES, rates=shop.root / "rates.csv")
    assert shop.events("O") == []
    assert shop.quarantine() == [
        ("sales.csv", 2, "no-rate"),
        ("sales.csv", 3, "no-rate"),
        ("sales.csv", 4, "no-currency"),
    ]


def test_a_fixed_foreign_currency_needs_rates(shop: Shop) -> None:
    shop.write("sales.csv", "who,day,n,cur,amount\na,2017-01-01,1,USD,10\n")
    with pytest.raises(ConfigError, match="rates"):
        shop.load(SALES.replace("currency: cur", "currency: USD"))


def test_a_bad_rate_is_an_error_with_its_line(shop: Shop) -> None:
    shop.write("rates.csv", RATES + "2017-03-01,USD,zero\n")
    shop.write("sales.csv", "who,day,n,cur,amount\na,2017-01-01,1,USD,10\n")
    with pytest.raises(SourceError) as caught:
        shop.load(SALES, rates=shop.root / "rates.csv")
    assert caught.value.place == "rates.csv:4"


def test_consent_comes_by_column_or_by_name(shop: Shop) -> None:
    shop.write("c.csv", "who,email,sms,at\na,yes,no,2017-01-01\nb,no,,2017-01-02\nc,perhaps,no,2017-01-03\n")
    shop.load("""
c:
  from: c.csv
  consent:
    - {customer: who, purpose: email_marketing, granted: email, at: at}
    - {customer: who, purpose: sms_marketing, granted: sms, at: at}
""")
    rows = shop.store.rows(
        "SELECT c.id, purpose, granted FROM consents JOIN customers AS c ON c.key = customer WHERE retired IS NULL ORDER BY ALL"
    )
    assert rows == [
        ("a", "email_marketing", True),
        ("a", "sms_marketing", False),
        ("b", "email_marketing", False),
        ("c", "sms_marketing", False),
    ]
    assert shop.quarantine() == [("c.csv", 4, "bad-consent")]


def test_the_purpose_may_stand_in_a_column(shop: Shop) -> None:
    shop.write("c.csv", "who,purpose,email,at\na,email,yes,2017-01-01\nb,,no,2017-01-02\n")
    shop.load("c: {from: c.csv, consent: {customer: who, purpose: {column: purpose}, granted: email, at: at}}")
    assert shop.store.rows("SELECT purpose, granted FROM consents") == [("email", True)]
    assert shop.quarantine() == [("c.csv", 3, "no-purpose")]


def test_spend_has_its_own_table(shop: Shop) -> None:
    shop.write("s.csv", "day,cost,channel,views\n2017-01-01,10.5,search,1000\n2017-01-02,oops,search,5\n")
    report = shop.load("s: {from: s.csv, spend: {day: day, amount: cost, channel: channel, impressions: views}}")
    assert shop.store.rows("SELECT source, day, amount, channel, impressions, clicks FROM spend") == [
        ("s", 17167, 10_500_000, "search", 1000, None)
    ]
    assert (report.sources["s"].spend, shop.quarantine()) == (1, [("s.csv", 3, "no-amount")])


ADS = """
ads:
  from: ads.csv
  spend: {day: day, amount: cost, channel: channel, campaign: campaign, impressions: views, clicks: clicks, currency: cur}
"""


def test_spend_is_converted_by_the_rate_of_its_day_exactly(shop: Shop) -> None:
    """Breaks when spend in another currency is taken for the workspace's, as it was, or the day's rate is another day's."""
    shop.write("rates.csv", RATES)
    shop.write(
        "ads.csv",
        "day,cost,channel,campaign,views,clicks,cur\n2017-01-31,10.333333,search,a,9,1,USD\n"
        "2017-02-01,10,search,a,9,1,usd\n2017-02-01,10,tv,b,,,EUR\n2017-01-15,0.01,tv,b,0,0,USD\n"
        "2016-12-31,5,tv,b,0,0,USD\n2017-01-15,5,tv,b,0,0,\n",
    )
    report = shop.load(ADS, rates=shop.root / "rates.csv")
    assert shop.store.rows("SELECT day, amount FROM spend ORDER BY origin") == [
        (17_197, 9_300_000), (17_198, 8_000_000), (17_198, 10_000_000), (17_181, 9_000)
    ]  # fmt: skip
    assert shop.quarantine() == [("ads.csv", 6, "no-rate"), ("ads.csv", 7, "no-currency")]
    assert report.sources["ads"].spend == 4
    assert shop.leftovers() == []


def test_spend_of_one_foreign_currency_needs_rates(shop: Shop) -> None:
    """Breaks when a currency that can't be converted is added up with the workspace's."""
    shop.write("ads.csv", "day,cost,channel,campaign,views,clicks\n2017-01-31,10,search,a,9,1\n")
    with pytest.raises(ConfigError, match="rates"):
        shop.load(ADS.replace("currency: cur", "currency: USD"))


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("2017-01-01,5,x,a,many,1", "bad-count"), ("2017-01-01,5,x,a,10,-1", "bad-count"),
        ("2017-01-01,5,x,a,10.5,1", "bad-count"), ("1017-01-01,5,x,a,10,1", "impossible-date"),
        ("someday,5,x,a,10,1", "bad-time"), (",5,x,a,10,1", "no-time"), ("2017-01-01,,x,a,10,1", "no-amount"),
        ("2017-01-01,5000000000000,x,a,10,1", "out-of-range"),
    ],
)  # fmt: skip
def test_a_row_of_spend_that_cant_be_used_says_why(shop: Shop, row: str, code: str) -> None:
    """Breaks when a count or an amount that is none counts as nothing, or as zero."""
    shop.write("ads.csv", f"day,cost,channel,campaign,views,clicks\n2017-01-02,3,x,a,10,1\n{row}\n2017-01-03,3,x,a,,\n")
    shop.load(ADS.replace(", currency: cur", ""))
    assert shop.quarantine() == [("ads.csv", 3, code)]
    assert shop.store.rows("SELECT amount, impressions, clicks FROM spend ORDER BY day") == [
        (3_000_000, 10, 1), (3_000_000, None, None)
    ]  # fmt: skip


def test_a_file_of_spend_that_changed_takes_the_old_ones_place(shop: Shop) -> None:
    """Breaks when a second load adds up what was there already: ad platforms mend their figures for days."""
    head, mapping = "day,cost,channel,campaign,views,clicks\n", ADS.replace(", currency: cur", "")
    shop.write("ads.csv", f"{head}2017-01-01,5,x,a,10,1\n2017-01-02,6,x,a,10,1\n")
    shop.load(mapping)
    shop.load(mapping)
    shop.write("ads.csv", f"{head}2017-01-01,5,x,a,10,1\n2017-01-02,6.5,x,a,11,1\n2017-01-03,7,x,a,10,1\n")
    shop.load(mapping)
    assert shop.store.rows("SELECT day - 17166, amount FROM spend WHERE retired IS NULL ORDER BY day") == [
        (1, 5_000_000), (2, 6_500_000), (3, 7_000_000)
    ]  # fmt: skip
    shop.write("ads.csv", f"{head}2017-01-01,5,x,a,10,1\n")
    shop.load(mapping)
    assert shop.store.rows("SELECT sum(amount), count(*) FROM spend WHERE retired IS NULL") == [(5_000_000, 1)]


def test_traits_of_accounts_and_the_account_of_a_customer(shop: Shop) -> None:
    shop.write("o.csv", "who,firm,day\na,F1,2017-01-05\nb,F1,2017-01-03\n")
    shop.write("f.csv", "firm,industry\nF1,Retail\nF2,Mining\n")
    shop.load("""
o: {from: o.csv, events: [{event: O, customer: who, account: firm, at: day}]}
f: {from: f.csv, traits: [{account: firm, take: {industry: industry}}]}
""")
    assert shop.trait("account_id") == [("a", "F1", "2017-01-05T00:00:00Z"), ("b", "F1", "2017-01-03T00:00:00Z")]
    first, second = shop.trait("industry", "account")
    assert first == ("F1", "Retail", "2017-01-03T00:00:00Z")
    assert second[:2] == ("F2", "Mining")


def test_traits_with_a_time_are_changes_and_of_one_time_the_last_row_stands(shop: Shop) -> None:
    shop.write(
        "t.csv", "who,at,plan\na,2017-01-01,free\na,2017-01-03,\na,2017-01-02,basic\na,2017-01-02,pro\nb,2017-01-01,\n"
    )
    shop.load("t: {from: t.csv, traits: [{customer: who, at: at, take: {plan: plan}}]}")
    assert shop.trait("plan") == [
        ("a", "free", "2017-01-01T00:00:00Z"),
        ("a", "pro", "2017-01-02T00:00:00Z"),
        ("a", None, "2017-01-03T00:00:00Z"),
    ]


def test_objects_in_json_become_items(shop: Shop) -> None:
    order = {"who": "a", "at": "2017-01-01T10:00:00Z", "tags": ["x", "y"], "products": [{"sku": "s", "price": 2.5}]}
    shop.write("o.jsonl", json.dumps(order) + "\n")
    shop.load(
        "o: {from: o.jsonl, events: [{event: O, customer: who, at: at, properties: {tags: tags, products: products}}]}"
    )
    (event,) = shop.events("O")
    assert event["tags"] == ["x", "y"]
    assert event["products"] == [{"sku": "s", "price": Decimal("2.5")}]


def test_the_newest_event_is_now_where_the_clock_begins_at_the_end_of_the_data(shop: Shop) -> None:
    shop.write("orders.csv", LINES)
    shop.write("t.csv", "who,plan\nzz,free\n")
    report = shop.load(ORDERS + "t: {from: t.csv, traits: [{customer: who, take: {plan: plan}}]}\n", now=None)
    assert report.now == 1488452400000000
    assert shop.trait("plan") == [("zz", "free", "2017-03-02T11:00:00Z")]
    assert {e["received"] for e in shop.events("Order Completed")} == {report.now}


def test_progress_ends_at_the_whole_and_names_the_steps(shop: Shop) -> None:
    shop.write("orders.csv", LINES)
    shop.load(ORDERS)
    assert [p.step for p in shop.seen if p.step != "reading"] == ["judging", "writing"]
    assert (shop.seen[-1].done, shop.seen[-1].rows) == (len(LINES), 3)
    assert shop.seen[-1].total == len(LINES)


def test_expressions_may_hold_comments_text_with_semicolons_and_failures(shop: Shop) -> None:
    shop.write("orders.csv", LINES)
    shop.load(
        ORDERS.replace(
            '"qty * price"',
            """\n      "qty * price -- of a line"\n    note: "';' || sku"\n    bad: "CAST(sku AS INTEGER)"\n  """,
        )
        .replace("derive: {total: ", "derive:\n    total: ")
        .replace("  }\n  events", "  events")
        .replace("first_sku: sku", "first_sku: note\n        bad: bad")
    )
    first = shop.events("Order Completed")[0]
    assert (first["revenue"], first["first_sku"], first["bad"]) == (25, ";x", None)


def test_columns_with_awkward_names(shop: Shop) -> None:
    shop.write("o.csv", 'Who,"At ""noon""",select,rate,currency\na,2017-01-15,5,7,EUR\n')
    shop.load("""
o:
  from: o.csv
  events:
    - {event: O, customer: who, at: 'at "noon"', currency: currency, money: [n], properties: {n: select, rate: RATE}}
""")
    assert [(e["n"], e["rate"]) for e in shop.events("O")] == [(5, 7)]


def test_a_file_with_names_only_brings_nothing(shop: Shop) -> None:
    shop.write("orders.csv", LINES.splitlines()[0] + "\n")
    report = shop.load(ORDERS)
    assert (shop.events("Order Completed"), report.sources["orders"].rows) == ([], 0)
    shop.write("orders.csv", LINES)
    shop.load()
    assert len(shop.events("Order Completed")) == 2


def test_lists_of_objects_are_only_for_properties_of_events(shop: Shop) -> None:
    shop.write("o.jsonl", json.dumps({"who": "a", "products": [{"sku": "s"}]}) + "\n")
    with pytest.raises(ConfigError, match="lists of objects"):
        shop.load("o: {from: o.jsonl, traits: [{customer: who, take: {products: products}}]}")


@pytest.mark.parametrize("form", ["csv", "jsonl", "comma"])
def test_a_place_on_earth_comes_from_two_columns(shop: Shop, form: str) -> None:
    """Breaks if `distance of location to …` can't be reached from a source, or the point is another than that of a call."""
    if form == "jsonl":
        shop.write(
            "p.jsonl",
            '{"who": "a", "lat": -1.2071292104473113, "lon": 36.918402269302476}\n{"who": "b", "lat": 91.5, "lon": 1}\n',
        )
    elif form == "csv":
        shop.write("p.csv", "who,lat,lon\na,-1.2071292104473113,36.918402269302476\nb,91.5,1\nc,,2\n")
    else:
        shop.write("p.csv", "who;lat;lon\na;-1,2071292104473113;36,918402269302476\nb;91,5;1\n")
    made = "events: [{event: Seen, customer: who, at: day, properties: {spot: [lat, lon]}}], derive: {day: DATE '2017-01-01'}"
    decimal = 'format: {decimal: ","}, ' if form == "comma" else ""
    shop.load(
        f"p: {{from: p.{form.replace('comma', 'csv')}, {decimal}traits: {{customer: who, take: {{home: [lat, lon]}}}}, {made}}}"
    )
    place = dict(zip("xyz", point(-1.2071292104473113, 36.918402269302476), strict=True))
    assert [(who, value) for who, value, _ in shop.trait("home")] == [("a", place)]
    assert [e["spot"] for e in shop.events("Seen")][:2] == [place, None]


def test_a_place_on_earth_needs_two_columns_of_degrees(shop: Shop) -> None:
    """Breaks if a fault in it is told without its place."""
    shop.write("p.csv", "who,lat,lon\na,here,36.9\n")
    with pytest.raises(ConfigError, match=r"takes two: \[latitude, longitude\]"):
        shop.load("p: {from: p.csv, traits: {customer: who, take: {home: [lat, lon, who]}}}")
    with pytest.raises(ConfigError, match=r"p.traits\[0\].take.home.*no column 'lng'"):
        shop.load("p: {from: p.csv, traits: {customer: who, take: {home: [lat, lng]}}}")


@pytest.mark.parametrize("form", ["", "format: {dates: day-first},"])
@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["10,50", "7", "3,25"], ["10.5", "7", "3.25"]),
        (["1.234,50", "2.000", "0,5"], ["1234.5", "2000", "0.5"]),
        (["1,234.50", "2,000", "0.5"], ["1234.5", "2000", "0.5"]),
        (["€ 1.234,50", "(7,00 €)", "5,25-"], ["1234.5", "-7", "-5.25"]),
    ],
)
def test_what_the_format_does_not_say_of_numbers_is_looked_at(
    shop: Shop, form: str, cells: list[str], numbers: list[str]
) -> None:
    """Breaks if a decimal comma has to be declared, or is overlooked as soon as anything else of the format is said."""
    lines = [f"{i};c;31.01.2017;{cell}\n" for i, cell in enumerate(cells)]
    shop.write("o.csv", "id;who;day;total\n" + "".join(lines))
    mapping = "o: {from: o.csv, FORM events: [{event: O, customer: who, at: day, id: id, money: [revenue], "
    mapping += "properties: {revenue: total, total: total}}]}"
    report = shop.load(mapping.replace("FORM", form))
    assert [(str(e["revenue"]), str(e["total"])) for e in shop.events("O")] == [
        (str(Decimal(n).normalize() if "." in n else int(n)),) * 2 for n in numbers
    ]
    assert report.warnings == []
    shop.write("o.csv", "id;who;day;total\n" + "".join(lines) + "9;c;01.02.2017;8,75\n")
    if "," in cells[-1]:
        shop.load()
        assert shop.events("O")[-1]["revenue"] == Decimal("8.75"), "what was learned stays"


def test_numbers_that_may_be_read_in_two_ways_are_told(shop: Shop) -> None:
    """Breaks if 1,234 is taken for one of its two meanings without a word."""
    shop.write("o.csv", "id;who;day;total\n1;c;2017-01-01;1,234\n2;c;2017-01-01;5,678\n")
    mapping = (
        "o: {from: o.csv, events: [{event: O, customer: who, at: day, id: id, money: [n], properties: {n: total}}]}"
    )
    (warning,) = shop.load(mapping).warnings
    assert "column total" in warning
    assert "three decimals" in warning
    assert "decimal:" in warning
    assert [e["n"] for e in shop.events("O")] == [1234, 5678]


def test_money_that_is_hardly_ever_a_number_is_warned_of(shop: Shop) -> None:
    """Breaks if all revenue is missing and the verdict is ok; other columns of text harm nobody."""
    shop.write("o.csv", "id,who,day,total,note\n1,c,2017-01-01,ten,x\n2,c,2017-01-01,five,y\n")
    mapping = "o: {from: o.csv, events: [{event: O, customer: who, at: day, id: id, money: [n], "
    mapping += "properties: {n: total, m: note}}]}"
    (warning,) = shop.load(mapping).warnings
    assert "The validity of the column 'total' of o is 0.000." in warning
