"""Metrics of units that each have their own time, against the same question asked of each alone."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from orders import instant

from shoal.clock import DAY
from shoal.errors import DefinitionError, Refused, Unsupported
from shoal.insight.metrics.definition import Metric, within
from shoal.insight.metrics.reading import read_metric
from shoal.insight.metrics.units import of_units
from shoal.insight.models.asof import AsOf
from shoal.lang import nodes as n
from shoal.lang.parse_values import is_condition
from shoal.lang.schema import Schema
from shoal.shapes import Event, RevenueRule, TraitChange
from shoal.sql.registry import learned_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shoal.sql.duck import DuckStore

START = instant("2024-01-01")
END = instant("2024-04-01")
METRICS = {
    "spend": 'as: sum\nof: sum(revenue of "Order Completed")',
    "orders": 'as: mean\nof: count("Order Completed" where revenue >= 20)',
    "first": 'as: share\nof: did first "Order Completed"',
    "viewed-then-bought": 'as: share\nof: did "Viewed" then "Order Completed" within 3 days',
    "aov": 'as: ratio\nof: sum(revenue of "Order Completed")\nper: count("Order Completed")\namong: plan = "pro"',
    "kinds": 'as: mean\nof: distinct(kind of "Viewed")',
    "newest": 'as: mean\nof: last(revenue of "Order Completed")',
    "recent": 'as: share\nof: did "Order Completed" in last 5 days and not member of "pro"',
    "days": 'as: mean\nof: active days("Viewed")',
    "usual": 'as: share\nof: most frequent(kind of "Viewed") = "a"',
    "no-view-before": 'as: share\nof: did "Order Completed" not after "Viewed" within 2 days',
}


def metric(slug: str) -> Metric:
    return read_metric(f"name: {slug}\nunit: number\n{METRICS[slug]}\n", slug=slug, place=f"metrics/{slug}.yaml")


@pytest.fixture
def known(store: DuckStore, write: Callable[[Iterable[Any]], None]) -> AsOf:
    """Eighteen customers with orders, views and plans over a quarter, some of them at one instant."""
    drawn = random.Random(7)
    records: list[Any] = []
    for number in range(18):
        who = f"c{number}"
        for _ in range(drawn.randint(0, 12)):
            ts = START + drawn.randint(0, 88) * DAY + drawn.choice([0, DAY // 2])
            records.append(Event(who, "Order Completed", ts, {"revenue": drawn.randint(1, 60)}))
        for _ in range(drawn.randint(0, 12)):
            ts = START + drawn.randint(0, 88) * DAY + drawn.choice([0, DAY // 2])
            records.append(Event(who, "Viewed", ts, {"kind": drawn.choice("abc")}))
        records.append(TraitChange(who, "plan", drawn.choice(["pro", "free"]), START + drawn.randint(0, 60) * DAY))
    write(records)
    traits, events = learned_schema(store)
    from shoal.lang.parse import parse

    pro = n.Definition("pro", "Pro", parse('plan = "pro"'))
    return AsOf(store, RevenueRule(), Schema(traits=traits, events=events, segments={"pro": pro}), END)


def drawn_units(known: AsOf) -> pa.Table:
    """Some customers once, some twice, each over a time of its own."""
    drawn = random.Random(11)
    rows = []
    for who in [*known.customers.tolist(), *known.customers[:7].tolist()]:
        begin = START + drawn.randint(0, 80) * DAY
        rows.append((len(rows), who, begin, min(begin + drawn.choice([1, 7, 20]) * DAY, END) - 1))
    k, who, begin, t = zip(*rows, strict=True)
    types = [pa.int32(), pa.int32(), pa.int64(), pa.int64()]
    columns = [pa.array(c, kind) for c, kind in zip((k, who, begin, t), types, strict=True)]
    return pa.table(columns, names=["k", "who", "begin", "t"])


def alone(known: AsOf, found: Metric, who: int, begin: int, t: int) -> tuple[Any, Any]:
    """The same for one customer and one time, by the batch engine at that instant."""
    window = n.Since(n.Instant(begin))
    asked = {"of": within(found.of, window)}
    if found.per is not None:
        asked["per"] = within(found.per, window)
    if found.among is not None:
        asked["among"] = within(found.among, window)
    with known.before(t) as then, then.columns(asked) as table:
        rows = then.arrow(f"SELECT * FROM {table} WHERE k = {who}").to_pylist()
    if not rows:
        return ((0.0 if is_condition(found.of) or found.slug in ("spend", "orders", "kinds", "days") else None), None)
    row = rows[0]
    if found.among is not None and not row["among"]:
        return (None, None)
    return (None if row["of"] is None else float(row["of"]), row.get("per"))


@pytest.mark.parametrize("slug", METRICS)
def test_a_unit_has_what_its_customer_has_in_its_time(known: AsOf, slug: str) -> None:
    """Breaks when a unit's window, instant or customer gets mixed up with another's, for each form of the language."""
    found, units = metric(slug), drawn_units(known)
    with known.beside(units) as name, of_units(known, [found], name) as values:
        columns = values.columns[slug]
        told = {r["k"]: r for r in known.arrow(f"SELECT * FROM {values.table}").to_pylist()}
    assert len(told) == units.num_rows
    for unit in units.to_pylist():
        row = told[unit["k"]]
        expected = alone(known, found, unit["who"], unit["begin"], unit["t"])
        assert (row[columns.value], row[columns.per] if columns.per else None) == pytest.approx(expected), unit


def test_prior_is_the_time_before(known: AsOf) -> None:
    """Breaks when what came after the unit began is taken for what was before, which CUPED can't be given."""
    found, units = metric("spend"), drawn_units(known)
    with known.beside(units) as name, of_units(known, [found, metric("aov")], name, prior=14 * DAY) as values:
        columns = values.columns["spend"]
        told = {r["k"]: r for r in known.arrow(f"SELECT * FROM {values.table}").to_pylist()}
    assert values.columns["aov"].prior_per is not None
    for unit in units.to_pylist():
        before = alone(known, found, unit["who"], unit["begin"] - 14 * DAY, unit["begin"] - 1)[0]
        assert told[unit["k"]][columns.prior] == pytest.approx(before)


def test_what_units_cannot_be_asked(known: AsOf) -> None:
    """Breaks when a calendar window of one instant is silently used for all units, or the future is read."""
    month = read_metric(
        'name: m\nunit: count\nas: sum\nof: count("Viewed" in this month)', slug="m", place="metrics/m.yaml"
    )
    before = read_metric(
        'name: b\nunit: share\nas: share\nof: did "Viewed"\nbefore: did "Viewed"', slug="b", place="metrics/b.yaml"
    )
    with known.beside(drawn_units(known)) as name:
        with pytest.raises(Unsupported, match="calendar window"), of_units(known, [month], name):
            pass
        with pytest.raises(DefinitionError, match="period before"), of_units(known, [before], name):
            pass
        with known.before(START) as early, pytest.raises(Refused), of_units(early, [metric("spend")], name):
            pass
