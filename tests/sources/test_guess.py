"""What columns hold. Would break if one odd value decided, or if a doubt were kept silent."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.lang.schema import Kind
from shoal.sources.dates import day_of
from shoal.sources.guess import guess_column


def guess(*values: object, name: str = "x"):
    return guess_column(name, pa.array(list(values)))


@pytest.mark.parametrize(
    ("values", "dates"),
    [
        (["2020-01-31", "2020-02-01"], "iso"),
        (["31/01/2020", "01/02/2020"], "day-first"),
        (["01/31/2020", "01/02/2020"], "month-first"),
        (["05.06.2020", "07.08.2020"], "day-first"),
        (["5 Jan 2020", "Feb 7, 2020"], "iso"),
        (["20200131", "20200201"], "%Y%m%d"),
    ],
)
def test_the_order_of_dates_is_decided_over_the_whole_column(values, dates):
    found = guess(*values, name="order date")
    assert (found.kind, found.pattern.dates, found.unsure) == (Kind.DATE, dates, None)


def test_an_order_that_nothing_tells_is_unsure():
    found = guess("1/2/2020", "3/4/2020")
    assert (found.kind, found.pattern.dates) == (Kind.DATE, None)
    assert found.unsure == "1/2/2020 may have the day or the month first, and no date in the column tells which."


def test_both_orders_in_one_column_are_told():
    assert (
        "stand in both orders: 13/2/2020 has the day first, 2/14/2020 the month"
        in guess("13/2/2020", "2/14/2020").unsure
    )


def test_three_formats_in_one_column_are_told():
    found = guess("2020-01-01", "13/01/2020", "5 Jan 2020", "6 Jan 2020")
    assert found.kind is Kind.DATE
    assert found.unsure == "Its dates stand in three formats: 5 Jan 2020 (50%), 2020-01-01 (25%), 13/01/2020 (25%)."


def test_times_make_instants_and_zones_are_seen():
    assert guess("2020-01-01 10:00").kind is Kind.INSTANT
    assert not guess("2020-01-01 10:00").pattern.zoned
    assert guess("2020-01-01T10:00:00Z", "2020-01-01T10:00:00+02:00").pattern.zoned
    assert guess("1/31/20 3:15 PM").pattern.dates == "month-first"


@pytest.mark.parametrize(
    ("values", "decimal", "thousands", "currency"),
    [
        (["1.5", "20"], ".", "", None),
        (["1,5", "20,25"], ",", "", None),
        (["1.234,50", "7,00"], ",", ".", None),
        (["1,234.50", "1,234,567.00"], ".", ",", None),
        (["€ 1.234,50", "€ 7,00"], ",", ".", "EUR"),
        (["$1,200.00", "($3.50)"], ".", ",", "USD"),
        (["12.50 CHF", "3.00 CHF"], ".", "", "CHF"),
        (["1 234,50", "12,00"], ",", " ", None),
        (["1'234.50", "12.00"], ".", "'", None),
        (["1.234.567", "2.000"], ",", ".", None),
    ],
)
def test_signs_in_numbers(values, decimal, thousands, currency):
    found = guess(*values)
    assert found.kind is Kind.NUMBER
    assert (found.pattern.decimal, found.pattern.thousands, found.pattern.currency) == (decimal, thousands, currency)
    assert found.unsure is None


def test_a_comma_before_three_digits_may_be_either():
    assert "may be a number with three decimals" in guess("1,234", "5,678").unsure


def test_decimal_commas_and_points_together_are_told():
    assert "Some numbers have a decimal comma" in guess("1,5", "2.75").unsure


@pytest.mark.parametrize("values", [["00123", "12345"], ["12345678901234567", "1"], ["536365"] * 99 + ["C536379"]])
def test_codes_are_no_numbers(values):
    found = guess(*values)
    assert (found.kind, found.looks) == (Kind.TEXT, "code")


def test_words_for_yes_and_no():
    found = guess("Yes", "no", "NO", None, "")
    assert (found.kind, found.pattern.yes, found.pattern.no) == (Kind.YESNO, ("Yes",), ("NO", "no"))
    assert found.missing == pytest.approx(0.4)
    assert guess("0", "1").kind is Kind.NUMBER


def test_words_for_missing_do_not_decide():
    found = guess("NA", "1", "2", "n/a", "-")
    assert (found.kind, found.pattern.missing) == (Kind.NUMBER, ("-", "NA", "n/a"))
    assert found.high == 2


def test_what_texts_look_like():
    assert guess("a@b.co", "c@d.org").looks == "email"
    assert guess("+44 20 7946 0000", "(020) 7946-0001").looks == "phone"
    assert guess("https://x.com/a", "https://x.com/b").looks == "url"
    assert guess(*[f"u-{i}x" for i in range(99)]).looks == "id"
    assert (
        guess(
            *["a long sentence that somebody wrote about a purchase", "and another one, which is as long as that"] * 2
        ).looks
        == "free text"
    )


def test_native_types_are_taken_as_they_are():
    assert guess(1, 2, None).looks == "whole"
    assert guess(1.5).kind is Kind.NUMBER
    assert guess(True, False).kind is Kind.YESNO
    assert guess(date(2020, 1, 1)).kind is Kind.DATE
    assert guess(datetime(2020, 1, 1)).kind is Kind.INSTANT
    assert guess(["a"], ["b"]).kind is Kind.TEXTS
    assert guess([{"a": 1}]).kind is Kind.OBJECTS
    assert guess(20200131, 20200201, name="order_date").kind is Kind.DATE
    assert guess(20200131, 20200201, name="amount").kind is Kind.NUMBER
    assert guess(1_690_000_000, name="created_at").kind is Kind.INSTANT


def test_nothing_known_is_no_type():
    found = guess_column("x", pa.array([None, None], pa.string()))
    assert (found.kind, found.missing, found.examples) == (Kind.TEXT, 1.0, ())
    assert guess_column("x", pa.array([], pa.string())).missing == 1.0


WRITTEN = {"iso": "%Y-%m-%d", "day-first": "%d/%m/%Y", "month-first": "%m/%d/%Y", "%Y%m%d": "%Y%m%d"}


@given(st.lists(st.dates(date(1950, 1, 1), date(2049, 12, 31)), min_size=1), st.sampled_from(list(WRITTEN)))
def test_a_column_of_dates_in_one_way_is_told_or_doubted(days, way):
    """Whatever the dates, the way is found, or said to be unclear; never the wrong one."""
    texts = [d.strftime(WRITTEN[way]) for d in days]
    found = guess_column("date", pa.array(texts))
    assert found.kind is Kind.DATE
    assert found.pattern.dates == way or (found.pattern.dates is None and found.unsure)
    if found.pattern.dates:
        assert [day_of(t, found.pattern.dates) for t in texts] == days


@given(st.lists(st.decimals(-99999, 99999, places=2), min_size=1), st.sampled_from([(".", ","), (",", ".")]))
def test_a_column_of_numbers_with_two_decimals_is_told(numbers, signs):
    decimal, thousands = signs
    texts = [f"{n:,.2f}".replace(",", "~").replace(".", decimal).replace("~", thousands) for n in numbers]
    found = guess_column("x", pa.array(texts))
    assert found.kind is Kind.NUMBER
    assert found.pattern.decimal == decimal
    assert found.unsure is None
