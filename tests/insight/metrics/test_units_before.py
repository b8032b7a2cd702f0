"""The time before a unit begins: asked in the same pass where a metric is of events alone, and in a pass of its own otherwise."""

from __future__ import annotations

import numpy as np
from trial_worlds import BEGIN, METRICS, World

from shoal.clock import DAY, HOUR
from shoal.insight.metrics.reading import read_metric
from shoal.insight.metrics.units import of_units
from shoal.sql.duck import DuckStore

LOYAL = read_metric(
    'name: Loyal\nunit: share\nbetter: higher\nas: share\nof: tier = "gold" and did "order"\n',
    slug="loyal",
    place="loyal",
)


def test_both_ways_read_the_same_past(store: DuckStore) -> None:
    """Breaks when the one pass takes rows of now for rows of before, drops the first ones, or counts those before them."""
    world = World.even(store, 300, days=20)
    random = np.random.default_rng(5)
    who = random.integers(0, 300, 3000)
    world.orders(who, random.integers(-90 * DAY, 20 * DAY, 3000), np.round(random.gamma(2, 10, 3000), 2))
    edges = np.arange(300)
    world.orders(edges, np.zeros(300, np.int64), np.full(300, 1000.0))
    world.orders(edges, np.full(300, -1), np.full(300, 5000.0))
    world.orders(edges, np.full(300, -14 * DAY), np.full(300, 20_000.0))
    world.orders(edges, np.full(300, -14 * DAY - 1), np.full(300, 1e6))
    world.trait("tier", random.choice(["gold", "tin"], 300).tolist(), BEGIN - DAY)
    asked = [METRICS[slug] for slug in ("spend", "bought", "orders", "basket")]
    end = BEGIN + 40 * DAY
    with world.known(end) as known:
        exposed = known.event("seen")
        units = f"SELECT customer AS k, customer AS who, ts AS begin, ts + {10 * DAY} AS t FROM ({exposed}) e"
        with known.temporary("some_units", units) as name:
            with of_units(known, asked, name, prior=14 * DAY) as values:
                once = known.arrow(f"SELECT * FROM {values.table} ORDER BY k").to_pydict()
                columns = dict(values.columns)
            with of_units(known, [*asked, LOYAL], name, prior=14 * DAY) as values:
                twice = known.arrow(f"SELECT * FROM {values.table} ORDER BY k").to_pydict()
                assert dict(values.columns) | columns == dict(values.columns)
    for metric in asked:
        for column in columns[metric.slug].names:
            assert once[column] == twice[column], column
    spent = np.array(once[columns["spend"].prior or ""])
    assert (spent >= 25_000).all()
    assert (spent < 1e6).all()


def test_a_trait_of_later_is_not_the_past(store: DuckStore) -> None:
    """Breaks when the past of a metric that reads a trait has the trait as it became after the unit began."""
    world = World.even(store, 50)
    who = np.arange(50)
    world.orders(who, np.full(50, -HOUR), np.full(50, 5.0))
    world.orders(who, np.full(50, HOUR), np.full(50, 5.0))
    world.trait("tier", ["gold"] * 50, BEGIN + 5 * DAY)
    with world.known(BEGIN + 40 * DAY) as known:
        units = (
            f"SELECT customer AS k, customer AS who, ts AS begin, ts + {10 * DAY} AS t FROM ({known.event('seen')}) e"
        )
        with known.temporary("some_units", units) as name, of_units(known, [LOYAL], name, prior=14 * DAY) as values:
            told = known.arrow(f"SELECT * FROM {values.table}").to_pydict()
    columns = values.columns["loyal"]
    assert set(told[columns.value]) == {1.0}
    assert set(told[columns.prior or ""]) == {0.0}
