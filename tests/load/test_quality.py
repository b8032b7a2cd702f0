"""How good the rows are, in numbers, and what thresholds do.

Breaks when a measure counts wrongly, or a threshold lets a load through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shoal.customers.quality import read_report, read_thresholds
from shoal.errors import ConfigError, QualityStop

if TYPE_CHECKING:
    from conftest import Shop
    from shoal.customers.quality import Measure

MAPPING = """
o:
  from: o.csv
  types: {n: number}
  events: [{event: O, customer: who, at: day, id: id, properties: {n: n, note: note}}]
"""
HEAD = "id,who,day,n,note\n"
ROWS = [
    "1,a,2017-01-01,10,x",
    "2,a,2017-01-02,11,",
    "3,b,2017-01-05,oops,y",
    "4,b,2017-01-05,12,",
    "4,b,2017-01-05,12,",
    "5,,2017-01-06,9,z",
]


def measures(shop: Shop, column: str | None = None, **settings: Any) -> dict[str, Measure]:
    shop.write("o.csv", HEAD + "\n".join(ROWS) + "\n")
    return shop.load(MAPPING, **settings).quality.of("o", column)


def test_measures_of_a_column(shop: Shop) -> None:
    found = measures(shop, "n")
    assert (found["completeness"].value, found["validity"].value, found["validity"].n) == (1, 0.8, 5)
    assert found["score"].value == pytest.approx(0.8)
    note = shop.load(MAPPING.replace("types", "duplicates: keep\n  types")).quality.of("o", "note")
    assert (note["completeness"].value, note["score"].value) == (0.5, 0.75)


def test_measures_of_a_source(shop: Shop) -> None:
    found = measures(shop)
    assert (found["rows"].value, found["duplicates"].value) == (6, pytest.approx(1 / 6))
    assert (found["quarantined"].value, found["quarantined"].note) == (pytest.approx(1 / 6), "no-customer: 1")
    assert (found["gaps"].value, found["gaps"].note) == (2, "The longest are 2 days after 2017-01-02.")
    # The score is the mean over the columns in use × (1 − quarantined) × (1 − duplicates).
    columns = (1 + 0.9 + 1 + 0.8 + 0.8) / 5
    assert found["score"].value == pytest.approx(columns * 5 / 6 * 5 / 6)


def test_freshness_is_the_age_of_the_newest_event(shop: Shop) -> None:
    day = 86_400_000_000
    found = measures(shop, now=17171 * day + 3 * day)
    assert found["freshness"].value == 3.0


def test_freshness_of_spend_is_the_time_since_its_newest_day_ended(shop: Shop) -> None:
    """Breaks when a source of spend has no age, so that a connector that stopped isn't noticed."""
    day = 86_400_000_000
    shop.write("ads.csv", "day,cost\n2017-01-04,5\n2017-01-05,6\n2031-01-05,6\n")
    load = shop.load("ads: {from: ads.csv, spend: {day: day, amount: cost}}", now=17_171 * day + 4 * day)
    assert load.quality.of("ads")["freshness"].value == 3.0


def test_uniqueness_of_ids(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "1,a,2017-01-01,1,x\n1,a,2017-01-01,2,x\n2,a,2017-01-01,2,x\n")
    found = shop.load(MAPPING).quality.of("o", "id")["uniqueness"]
    assert (found.value, found.note) == (pytest.approx(2 / 3), "1 cells repeat a key.")


def test_outliers_are_beyond_three_times_the_middle_half(shop: Shop) -> None:
    rows = "".join(f"{i},a,2017-01-01,{10 + i % 5},x\n" for i in range(99))
    shop.write("o.csv", HEAD + rows + "99,a,2017-01-01,666666,x\n")
    found = shop.load(MAPPING).quality.of("o", "n")["outliers"]
    assert found.value == 0.01
    assert "666,666" in (found.note or "")


def test_impossible_dates_are_shown_but_possible_events_are_kept(shop: Shop) -> None:
    shop.write("o.csv", "who,day,born\na,2017-01-01,1985-05-05\nb,2017-01-02,1066-10-14\nc,2150-01-01,1985-05-05\n")
    report = shop.load("o: {from: o.csv, events: [{event: O, customer: who, at: day, properties: {born: born}}]}")
    assert report.quality.of("o", "born")["impossible"].value == pytest.approx(1 / 3)
    assert report.quality.of("o", "day")["impossible"].value == pytest.approx(1 / 3)
    assert len(shop.events("O")) == 3


def test_orphans_are_rows_whose_key_is_not_found(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "\n".join(ROWS[:4]) + "\n")
    shop.write("p.csv", "note,kind\nx,shoes\n")
    mapping = MAPPING.replace("types:", "lookup: [{from: p, on: note, take: [kind]}]\n  types:")
    report = shop.load(mapping + "p: {from: p.csv, reference: true}\n")
    assert report.quality.of("o")["orphans"].value == 0.5
    assert report.sources["o"].orphans == {"p": 1}


def test_a_threshold_stops_the_load_and_nothing_is_kept(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "\n".join(ROWS) + "\n")
    before = shop.dump()
    with pytest.raises(QualityStop, match=r"quarantined of o is 0\.167") as caught:
        shop.load(MAPPING, quality={"stop": {"quarantined": 0.1}})
    assert (caught.value.place, caught.value.exit_code) == ("sources.o", 4)
    assert shop.dump() == before
    assert shop.leftovers() == []


def test_a_threshold_that_stops_names_the_first_row_of_each_reason(shop: Shop) -> None:
    """Breaks if a load is refused for rows that are shown nowhere, since nothing was put in quarantine."""
    rows = [f"{i},{'' if i in (7, 9) else 'a'},2017-01-02,1\n" for i in range(20)]
    rows[4] = "4,a,2017-13-45,1\n"
    shop.write("o.csv", "id,who,day,n\n" + "".join(rows))
    mapping = "o: {from: o.csv, events: [{event: O, customer: who, at: day, id: id}]}"
    with pytest.raises(QualityStop) as caught:
        shop.load(mapping, quality={"stop": {"quarantined": 0.1}})
    said = str(caught.value)
    assert "o.csv:9: No customer: who is empty" in said
    assert "(2 rows)" in said
    assert "o.csv:6: " in said
    assert "(1 row)." in said
    assert "\n" not in said
    with pytest.raises(QualityStop) as caught:
        shop.load(mapping, quality={"stop": {"freshness": 0.0001}})
    assert "o.csv:" not in str(caught.value), "the rows are not what is at fault"


def test_a_threshold_warns_and_the_load_goes_on(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "\n".join(ROWS) + "\n")
    report = shop.load(MAPPING, quality={"warn": {"completeness": 0.9}})
    assert report.quality.of("o", "note")["completeness"].verdict == "warn"
    assert any("completeness of the column 'note'" in w for w in report.warnings)


def test_a_source_has_thresholds_of_its_own(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "\n".join(ROWS) + "\n")
    shop.load(MAPPING + "  quality: {stop: {quarantined: 0.5}}\n", quality={"stop": {"quarantined": 0.1}})
    assert len(shop.events("O")) == 4


def test_measures_are_stored_and_read_back(shop: Shop) -> None:
    shop.write("o.csv", HEAD + "\n".join(ROWS) + "\n")
    report = shop.load(MAPPING)
    assert read_report(shop.store).measures == report.quality.measures
    assert read_report(shop.store, 1).score == report.quality.score


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"halt": {}}, "quality.halt"),
        ({"stop": 1}, "quality.stop"),
        ({"stop": {"scor": 1}}, "quality.stop.scor"),
        ({"warn": {"score": "high"}}, "quality.warn.score"),
    ],
)
def test_a_faulty_threshold_names_its_place(given: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_thresholds(given, "quality")
    assert caught.value.place == place


def test_an_export_that_broke_off_takes_nothing_back(shop: Shop) -> None:
    """Breaks if a file with its head alone retires all customers, or one that lost a few rows is refused."""
    rows = [f"{i},c{i},2017-01-{i % 28 + 1:02},{i}\n" for i in range(200)]
    head = "id,who,day,n\n"
    shop.write("o.csv", head + "".join(rows))
    mapping = "o: {from: o.csv, events: [{event: O, customer: who, at: day, id: id, properties: {n: n}}]}"
    shop.load(mapping)
    before = shop.dump()
    shop.write("o.csv", head)
    with pytest.raises(QualityStop, match=r"shrinkage of o is 0\.99.*as if an export was cut off") as caught:
        shop.load()
    assert "stop: {shrinkage: …}" in str(caught.value)
    assert shop.dump() == before
    shop.write("o.csv", head + "".join(rows[:150]))
    report = shop.load()
    assert 0.2 < (report.quality.of("o")["shrinkage"].value or 0) < 0.3
    assert len(shop.events("O")) == 150
    shop.write("o.csv", head)
    shop.load(quality={"stop": {"shrinkage": 1}})
    assert shop.events("O") == []


def test_a_file_whose_rows_can_no_longer_be_read_takes_nothing_back(shop: Shop) -> None:
    """Breaks if a bad export (dates of another form) retires what is known, or one that never was better is refused."""
    head = "id,who,day,n\n"
    good = [f"{i},c{i},2017-01-{i % 28 + 1:02},{i}\n" for i in range(100)]
    bad = [f"{i},c{i},the {i % 28 + 1}th,{i}\n" for i in range(100)]
    mapping = "o: {from: o.csv, types: {day: date}, events: [{event: O, customer: who, at: day, id: id}]}"
    shop.write("o.csv", head + "".join(good))
    shop.load(mapping)
    before = shop.dump()
    shop.write("o.csv", head + "".join([*bad[:80], *good[80:]]))
    with pytest.raises(
        QualityStop, match=r"loss of o is 0\.800.*80 rows more than before.*bad-time, as in o\.csv:2"
    ) as caught:
        shop.load()
    assert "stop: {loss: …}" in str(caught.value)
    assert shop.dump() == before
    shop.write("o.csv", head + "".join([*bad[:30], *good[30:]]))
    assert shop.load().quality.of("o")["loss"].value == pytest.approx(0.3)
    shop.write("o.csv", head + "".join([*bad[:60], *good[60:]]))
    assert shop.load().quality.of("o")["loss"].value == pytest.approx(0.3), "what was in quarantine counts once"
    shop.write("p.csv", head + "".join(bad))
    shop.load("p: {from: p.csv, types: {day: date}, events: [{event: P, customer: who, at: day}]}")
    shop.write("p.csv", head + "".join([*bad, "100,c,2017-01-01,5\n"]))
    assert shop.load().quality.of("p")["loss"].value == 0
