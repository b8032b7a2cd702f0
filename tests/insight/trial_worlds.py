"""Experiments made up for tests: who was shown which arm when, what they bought before and after, in a real store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from shoal.clock import DAY
from shoal.customers.bulk import write_events
from shoal.customers.writer import write_records
from shoal.insight.experiments.analysis import Asked
from shoal.insight.experiments.definition import Experiment, Viewed
from shoal.insight.experiments.looking import result_of
from shoal.insight.experiments.results import Result
from shoal.insight.experiments.state import State, state_of
from shoal.insight.metrics.definition import Metric
from shoal.insight.metrics.reading import read_metric
from shoal.insight.models.asof import AsOf
from shoal.lang.nodes import Definition
from shoal.lang.schema import Kind, PropertyType, Schema
from shoal.shapes import RevenueRule, TraitChange
from shoal.sql.duck import DuckStore
from shoal.sql.registry import learned_schema

BEGIN = 400 * DAY
ARMS = {"control": 0.5, "mail": 0.5}
TEXTS = {
    "bought": 'name: Bought\nunit: share\nbetter: higher\nas: share\nof: did "order"\n',
    "spend": 'name: Spend\nunit: money\nbetter: higher\nas: sum\nof: sum(revenue of "order")\n',
    "orders": 'name: Orders\nunit: count\nbetter: higher\nas: sum\nof: count("order")\n',
    "basket": 'name: Basket\nunit: money\nbetter: higher\nas: ratio\nof: sum(revenue of "order")\nper: count("order")\n',
    "middle": (
        'name: Middle\nunit: number\nbetter: neither\nas: quantile\nat: 0.5\namong: did "order"\nof: sum(revenue of "order")\n'
    ),
    "complaints": 'name: Complaints\nunit: share\nbetter: lower\nas: share\nof: did "complaint"\n',
    "before": 'name: Came back\nunit: share\nas: share\nof: did "order"\nbefore: did "order"\n',
}
METRICS: dict[str, Metric] = {slug: read_metric(text, slug=slug, place=slug) for slug, text in TEXTS.items()}
Numbers = np.ndarray[Any, Any]


@dataclass
class World:
    """A store in which an experiment ran.

    Args:
        store: an empty one.
        arm: of each customer, a place among the arms.
        begin: when each was shown it.
        arms: names with their weights.
    """

    store: DuckStore
    arm: Numbers
    begin: Numbers
    arms: dict[str, float] = field(default_factory=lambda: dict(ARMS))

    def __post_init__(self) -> None:
        who = np.arange(len(self.arm))
        self.events("seen", who, self.begin, arm=np.array(list(self.arms))[self.arm])

    @classmethod
    def even(
        cls, store: DuckStore, n: int, seed: int = 1, *, days: int = 1, arms: dict[str, float] | None = None
    ) -> World:
        """Customers who are dealt to arms at random and come in evenly over some days."""
        random = np.random.default_rng(seed)
        weights = dict(arms or ARMS)
        arm = random.choice(len(weights), n, p=np.array(list(weights.values())) / sum(weights.values()))
        return cls(store, arm, BEGIN + random.integers(0, days * DAY, n), weights)

    def events(self, name: str, who: Numbers, ts: Numbers, **properties: Numbers) -> None:
        """Write events; customers are numbers."""
        held: dict[str, Any] = {
            "customer_id": pa.array([f"c{i}" for i in who.tolist()]),
            "ts": pa.array(np.asarray(ts, np.int64)),
            "message_id": pa.nulls(len(who), pa.string()),
            "origin": pa.array(np.arange(len(who), dtype=np.int64)),
        }
        kinds = {}
        for key, values in properties.items():
            text = values.dtype.kind == "U"
            held[key] = pa.array(values.tolist() if text else np.round(values * 1e6).astype(np.int64))
            kinds[key] = (PropertyType(Kind.TEXT if text else Kind.NUMBER), key)
        self.store.register("incoming", pa.table(held))
        write_events(self.store, name, "incoming", kinds, zone="UTC", received=0)
        self.store.unregister("incoming")

    def orders(self, who: Numbers, after: Numbers, revenue: Numbers) -> None:
        """Orders of some customers so many microseconds after they were shown the arm."""
        self.events("order", who, self.begin[who] + after, revenue=revenue)

    def trait(self, name: str, values: Sequence[str], at: int) -> None:
        """A trait of every customer from an instant on."""
        rows = [TraitChange(f"c{i}", name, value, at) for i, value in enumerate(values)]
        assert write_records(self.store, rows, zone="UTC", received=0).rejected == 0

    def experiment(self, primary: str = "spend", **more: Any) -> Experiment:
        """The experiment as it would stand in a file."""
        exposure = Viewed("seen", ("arm",), elsewhere=True)
        return Experiment("mail", "Mail", self.arms, primary, **{"exposure": exposure, **more})

    def known(self, at: int, segments: dict[str, Definition] | None = None) -> AsOf:
        traits, events = learned_schema(self.store)
        return AsOf(self.store, RevenueRule(), Schema(traits=traits, events=events, segments=segments or {}), at)

    def result(
        self, experiment: Experiment | None = None, *, at: int | None = None, state: State | None = None,
        segments: dict[str, Definition] | None = None, **asked: Any,
    ) -> Result:  # fmt: skip
        """What it shows; by default as of thirty days after the last customer came in."""
        one = experiment or self.experiment()
        with self.known(int(self.begin.max()) + 30 * DAY if at is None else at, segments) as known:
            metrics = {slug: METRICS[slug] for slug in one.metrics}
            told = {"since_exposure": False, **asked}
            return result_of(
                known, one, state or state_of(self.store, one), metrics, asked=Asked(**told), segments=segments
            )
