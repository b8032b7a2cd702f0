"""Computed traits: what is worked out of a customer's events and written as traits, so that segments stay plain text.

Every trait is written as changes at the instant of the computation, and only where the value changed. How it was
computed stands in the trait's ``note`` as JSON; cut points are versions of the kind ``cutpoints`` (see
``calibration``) and stay frozen until ``recalibrate``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY
from shoal.customers.identity import merged
from shoal.customers.scores import Scores
from shoal.errors import Unsupported
from shoal.insight import calibration, lifecycle, rfm
from shoal.insight.purchases import discounted, named, open_purchases
from shoal.insight.sales import open_sales
from shoal.lang.schema import Kind
from shoal.sql.encode import quoted
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shoal.insight.purchases import Purchases
    from shoal.insight.sales import Sales
    from shoal.shapes import RevenueRule
    from shoal.sql.store import Store

MOST_INTERESTS = 12
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Computed:
    """A trait to be written.

    Args:
        name: the trait's name.
        kind: its type.
        values: SQL that gives (owner, value) in the stored form, one row an owner.
        says: how it is computed, for people.
        note: more for the trait's note, as cut points.
    """

    name: str
    kind: Kind
    values: str
    says: str
    note: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Computation:
    """What a computation wrote.

    Args:
        at: its instant.
        changed: by trait, how many customers got another value.
        skipped: by trait, why it wasn't computed.
        advice: what the reader should know, as that cut points are from a smaller base.
    """

    at: int
    changed: Mapping[str, int]
    skipped: Mapping[str, str]
    advice: tuple[str, ...] = ()


def compute_traits(
    store: Store, rule: RevenueRule, at: int, received: int, *, recalibrate: bool = False
) -> Computation:
    """Work out all computed traits at an instant and write what changed, in one transaction.

    Args:
        store: the workspace's store.
        rule: what counts as revenue and as an order.
        at: the instant; events up to it count, and the changes bear it as their ts.
        received: the clock's now.
        recalibrate: take new cut points, a new repurchase cycle and the largest categories of now instead of the
            recorded ones.
    """
    with store.transaction(), open_sales(store, rule, at) as sales:
        work = _Work(store, rule, at, received, recalibrate)
        for trait in work.of_sales(sales):
            work.write(trait)
        bought = open_purchases(store, rule, at)
        if bought is None:
            work.skip(("favourite_category", "favourite_brand"), "No order names a category or brand.")
        else:
            with bought:
                for trait in work.of_purchases(bought):
                    work.write(trait)
        work.scores.finish()
    return Computation(at, work.changed, work.skipped, tuple(work.advice))


def cut_points(store: Store) -> rfm.CutPoints | None:
    """The RFM cut points in force, or None before the first computation."""
    document = calibration.recorded(store, "rfm")
    return None if document is None else rfm.CutPoints.from_document(document)


def cycle(store: Store) -> lifecycle.Cycle | None:
    """The repurchase cycle in force, or None before the first computation."""
    document = calibration.recorded(store, "lifecycle")
    return None if document is None else lifecycle.Cycle.from_document(document)


class _Work:
    """One computation: what it has written so far, and what it left out."""

    def __init__(self, store: Store, rule: RevenueRule, at: int, received: int, recalibrate: bool) -> None:
        self.store, self.rule, self.at, self.received, self.recalibrate = store, rule, at, received, recalibrate
        self.scores = Scores(store, at, received)
        self.changed: dict[str, int] = {}
        self.skipped: dict[str, str] = {}
        self.advice: list[str] = []

    def skip(self, names: tuple[str, ...], reason: str) -> None:
        self.skipped.update(dict.fromkeys(names, reason))

    def write(self, trait: Computed) -> None:
        refusal = self.scores.refusal(trait.name, trait.kind)
        if refusal is not None:
            self.skip((trait.name,), refusal)
            return
        self.changed[trait.name] = self.scores.write(trait.name, trait.kind, trait.values, trait.says, trait.note)

    # ------------------------------------------------------------ orders and money

    def of_sales(self, sales: Sales) -> Iterator[Computed]:
        if not self.store.rows(f"SELECT 1 FROM {sales.table} WHERE is_order LIMIT 1"):
            self.skip(
                ("orders", "value", "rfm_segment", "lifecycle_cycle_days"), f'There is no "{self.rule.orders}" yet.'
            )
            return
        yield from _money(sales)
        yield from self._rfm(sales)
        yield self._cycle(sales)
        yield from self._order_properties(sales)

    def _rfm(self, sales: Sales) -> Iterator[Computed]:
        names = ("rfm_recency_days", "rfm_frequency", "rfm_monetary", *(f"rfm_{s}" for s in ("r", "f", "m", "fm")))
        try:
            cuts, version = self._cut_points(sales)
        except Unsupported as refusal:
            self.skip((*names, "rfm_cell", "rfm_segment"), refusal.problem)
            return
        note = {"cut_points": cuts.to_document(), "version": version, "empty_scores": cuts.empty_scores()}
        scored = "computed_scores"
        self.store.execute(f"CREATE OR REPLACE TEMP TABLE {scored} AS SELECT * FROM {rfm.scores(sales, cuts)}")
        for name, column in zip(names, (*rfm.MEASURES, "r", "f", "m", "fm"), strict=True):
            value = f"CAST(round({column} * {MICRO}::BIGINT) AS BIGINT)"
            yield Computed(
                name, Kind.NUMBER, f"SELECT customer AS owner, {value} AS value FROM {scored}", _RFM[name], note
            )
        cell = f"SELECT customer AS owner, r || '-' || fm AS value FROM {scored}"
        yield Computed("rfm_cell", Kind.TEXT, cell, "R and FM with a dash, as 5-4.", note)
        named_ = f"SELECT customer AS owner, segment AS value FROM {scored}"
        yield Computed("rfm_segment", Kind.TEXT, named_, "The group of the cell in the table of 5 × 5.", note)
        self.store.execute(f"DROP TABLE {scored}")

    def _cut_points(self, sales: Sales) -> tuple[rfm.CutPoints, int]:
        known = None if self.recalibrate else cut_points(self.store)
        if known is None:
            fresh = rfm.calibrate(sales)
            if fresh.note:
                self.advice.append(fresh.note)
            return fresh, calibration.record(self.store, "rfm", fresh.to_document(), self.received)
        (buyers,) = self.store.rows(f"SELECT count(DISTINCT customer) FROM {sales.table} WHERE is_order")[0]
        if known.bins < 5 and buyers >= rfm.FULL_BUYERS:
            self.advice.append(f"RFM still uses {known.bins} scores; with {buyers} buyers recalibrating may give five.")
        return known, calibration.record(self.store, "rfm", known.to_document(), self.received)

    def _cycle(self, sales: Sales) -> Computed:
        found = (None if self.recalibrate else cycle(self.store)) or lifecycle.measure_cycle(sales)
        if found.note:
            self.advice.append(found.note)
        version = calibration.record(self.store, "lifecycle", found.to_document(), self.received)
        days = f"CAST({found.active * MICRO} AS BIGINT)"
        values = f"SELECT DISTINCT customer AS owner, {days} AS value FROM {sales.table} WHERE is_order"
        says = "The workspace's repurchase cycle: four in five returns happen within so many days."
        return Computed(
            "lifecycle_cycle_days", Kind.NUMBER, values, says, {"cycle": found.to_document(), "version": version}
        )

    # ------------------------------------------------------------ properties of orders

    def _order_properties(self, sales: Sales) -> Iterator[Computed]:
        event, told = Registry.load(self.store).events[self.rule.orders], self.rule.purchases
        for name, names in {"favourite_channel": told.channel, "favourite_store": told.store}.items():
            found = named(event.properties, names, Kind.TEXT)
            if found is None:
                self.skip((name,), f'"{event.name}" has none of the properties {", ".join(names)}.')
                continue
            body = merged(
                self.store,
                f"SELECT customer, ts, {event.properties[found].col} AS value FROM {self._in_force(event.table)}",
            )
            yield Computed(
                name,
                Kind.TEXT,
                _favourite(body),
                f"The {found} of most of the customer's orders; ties go to the latest.",
            )
        yield from self._hour(sales)
        yield from self._discounts()

    def _hour(self, sales: Sales) -> Iterator[Computed]:
        (hours,) = self.store.rows(f"SELECT count(DISTINCT hour) FROM {sales.table} WHERE is_order")[0]
        if hours < 2:
            self.skip(("favourite_hour",), "Orders bear dates without a time.")
            return
        body = f"SELECT customer, ts, hour * {MICRO}::BIGINT AS value FROM {sales.table} WHERE is_order"
        yield Computed(
            "favourite_hour", Kind.NUMBER, _favourite(body), "The local hour of most orders; ties go to the latest."
        )

    def _discounts(self) -> Iterator[Computed]:
        event = Registry.load(self.store).events[self.rule.orders]
        test = discounted(event, self.rule.purchases)
        if test is None:
            self.skip(("discount_share",), f'"{event.name}" names neither a discount nor a coupon.')
            return
        body = merged(
            self.store, f"SELECT customer, CASE WHEN {test} THEN 1 ELSE 0 END AS cut FROM {self._in_force(event.table)}"
        )
        values = (
            f"SELECT customer AS owner, CAST(round(sum(cut) * {MICRO} / count(*)) AS BIGINT) AS value "
            f"FROM ({body}) GROUP BY customer"
        )
        yield Computed(
            "discount_share", Kind.NUMBER, values, "The share of the customer's orders with a discount or coupon."
        )

    def _in_force(self, table: str) -> str:
        return f"{table} WHERE retired IS NULL AND ts <= {self.at:d}"

    # ------------------------------------------------------------ what was bought

    def of_purchases(self, bought: Purchases) -> Iterator[Computed]:
        measure = "most money" if bought.by_money else "most items"
        for name, there in {"category": bought.has_category, "brand": bought.has_brand}.items():
            if not there:
                self.skip((f"favourite_{name}",), f"No order names a {name}.")
                continue
            body = f"SELECT customer, ts, {name} AS value, weight FROM {bought.table}"
            says = f"The {name} with {measure} in the {bought.where}; ties go to the latest."
            yield Computed(f"favourite_{name}", Kind.TEXT, _favourite(body, "sum(weight)"), says)
        if bought.has_category:
            yield from _interests(bought, measure, self._categories(bought))

    def _categories(self, bought: Purchases) -> list[str]:
        """The categories to score: those that are scored already, and the largest up to the most there can be.

        Once drawn they stay, or a trait would end because another category has grown; recalibrating adds to them.
        """
        notes = self.store.rows("SELECT note FROM traits WHERE score AND starts_with(name, 'interest_') ORDER BY id")
        known = [category for (note,) in notes if (category := json.loads(note or "{}").get("category"))]
        largest = [
            category
            for (category,) in self.store.rows(
                f"SELECT category FROM {bought.table} WHERE category IS NOT NULL AND weight > 0 GROUP BY category "
                f"ORDER BY sum(weight) DESC, category LIMIT {MOST_INTERESTS}"
            )
        ]
        if self.recalibrate:
            return [*known, *largest]
        fresh = [category for category in largest if category not in known]
        return known + fresh[: max(0, MOST_INTERESTS - len(known))]


_RFM = {
    "rfm_recency_days": "Whole local days since the newest order, at the computation.",
    "rfm_frequency": "How many orders.",
    "rfm_monetary": "Net revenue.",
    "rfm_r": "Recency as a score, 5 the most recent.",
    "rfm_f": "Frequency as a score, 5 the most orders.",
    "rfm_m": "Net revenue as a score, 5 the most.",
    "rfm_fm": "The mean of the scores F and M, rounded up.",
}


def _money(sales: Sales) -> Iterator[Computed]:
    store, at, buyers = sales.store, sales.at, "computed_buyers"
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {buyers} AS SELECT customer, sum(revenue) AS revenue, "
        "sum(CASE WHEN is_order THEN 1 ELSE 0 END) AS orders, min(CASE WHEN is_order THEN ts END) AS first, "
        f"max(CASE WHEN is_order THEN ts END) AS last FROM {sales.table} GROUP BY customer "
        "HAVING max(CASE WHEN is_order THEN 1 ELSE 0 END) = 1"
    )

    def of(value: str) -> str:
        return f"SELECT customer AS owner, CAST({value} AS BIGINT) AS value FROM {buyers}"

    yield Computed("orders", Kind.NUMBER, of(f"orders * {MICRO}"), "How many orders.")
    yield Computed("value", Kind.NUMBER, of("revenue"), "Net revenue since the first order.")
    yield Computed("aov", Kind.NUMBER, of("round(revenue / orders)"), "Net revenue by order.")
    yield Computed("first_order_at", Kind.INSTANT, of("first"), "The time of the first order.")
    yield Computed("last_order_at", Kind.INSTANT, of("last"), "The time of the newest order.")
    tenure = of(f"({at:d} - first) // {DAY} * {MICRO}")
    yield Computed("tenure_days", Kind.NUMBER, tenure, "Whole days since the first order, at the computation.")
    store.execute(f"DROP TABLE {buyers}")
    gaps = (
        f"SELECT customer AS owner, CAST(round(quantile_cont(gap, 0.5) * {MICRO}) AS BIGINT) AS value FROM ("
        "SELECT customer, day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS gap FROM "
        f"(SELECT DISTINCT customer, day FROM {sales.table} WHERE is_order)) WHERE gap IS NOT NULL GROUP BY customer "
        "HAVING count(*) >= 2"
    )
    says = "The customer's own usual gap: the median of days between order days, from three order days on."
    yield Computed("order_gap_days", Kind.NUMBER, gaps, says)


def _favourite(body: str, measure: str = "count(*)") -> str:
    """(owner, value): for each customer the value with the largest measure; ties to the latest, then the greatest."""
    return (
        "SELECT customer AS owner, value FROM ("
        f"SELECT customer, value, {measure} AS score, max(ts) AS latest FROM ({body}) "
        "WHERE value IS NOT NULL GROUP BY customer, value) "
        "QUALIFY row_number() OVER (PARTITION BY customer ORDER BY score DESC, latest DESC, value DESC) = 1"
    )


def _interests(bought: Purchases, measure: str, categories: Iterable[str]) -> Iterator[Computed]:
    """For each category, its share of what the customer bought."""
    chosen: dict[str, str] = {}
    for category in categories:
        chosen.setdefault(interest_name(category), category)
    # One pass over the lines for all categories.
    sums = "".join(
        f", sum(CASE WHEN category = {quoted(category)} THEN weight ELSE 0 END) AS i{index}"
        for index, category in enumerate(chosen.values())
    )
    shares = "computed_interests"
    bought.store.execute(
        f"CREATE OR REPLACE TEMP TABLE {shares} AS SELECT customer, sum(weight) AS total{sums} FROM {bought.table} "
        "WHERE weight > 0 GROUP BY customer"
    )
    for index, (name, category) in enumerate(chosen.items()):
        values = (
            f"SELECT customer AS owner, CAST(round(i{index} * {MICRO} / total) AS BIGINT) AS value FROM {shares} "
            f"WHERE i{index} > 0"
        )
        says = f"The share of {category} in the customer's {bought.where}, 0 to 1, by {measure.removeprefix('most ')}."
        yield Computed(name, Kind.NUMBER, values, says, {"category": category})
    bought.store.execute(f"DROP TABLE {shares}")


def interest_name(category: str) -> str:
    """The name of the trait that scores the interest in a category.

    >>> interest_name("FROZEN GROCERY"), interest_name("Café & Tea")
    ('interest_frozen_grocery', 'interest_café_tea')
    """
    plain = "".join(c if c.isalnum() else " " for c in category.lower())
    return "interest_" + "_".join(plain.split())
