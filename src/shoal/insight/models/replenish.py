"""Replenishment: the product that a customer buys at regular intervals and will need next, and when."""

from __future__ import annotations

from math import inf, isinf
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.contest import Contest
from shoal.insight.models.model import Evidence, Judged, Measure, Model, Score
from shoal.insight.taste.cycles import LEAST_PAIRS, Cycles, History, learn, regular
from shoal.insight.taste.lines import (
    BOUGHT,
    CATEGORY,
    PRODUCT,
    field_of,
    fingerprint_of_each,
    first_of,
    lines,
    parts,
)
from shoal.lang.schema import Kind
from shoal.sql.encode import local_day
from shoal.stats.intervals import Moments, mean_interval, wilson
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.model import Settings
    from shoal.insight.taste.lines import Source

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Pairs = tuple[Ints, Ints, Ints, Ints, Floats]

LEAST_PURCHASES = 3
MOST_ITEMS = 1_000
MOST_ROWS = 2_000_000
MIN_CUSTOMERS = 50
LAPSED = 0.8
"""Where so many gaps would be over by now, the customer has given the item up."""
INSIDE = 0.8
"""The share of next purchases that a window is to hold, of customers who go on buying the item."""


class Due(NamedTuple):
    """What customers need next: one row a customer, by key."""

    customer: Ints
    item: Ints
    purchases: Ints
    last: Ints
    gap: Floats
    on: Ints
    since: Ints
    until: Ints

    def of(self, rows: Ints) -> Due:
        """Only these rows."""
        c, i, n, last, gap, on, since, until = self
        return Due(c[rows], i[rows], n[rows], last[rows], gap[rows], on[rows], since[rows], until[rows])


class Replenish(Model):
    """Cycles of the items that are bought more regularly than chance would have it."""

    title: ClassVar[str] = "which product is used up, and when"
    # A wider window is hit more often, so that hits can't decide between two fits, nor between items of unlike cycles.
    by: ClassVar[str] = "days off"
    higher: ClassVar[bool] = False

    def __init__(self, settings: Settings, evidence: Evidence, way: str, cycles: Cycles) -> None:
        super().__init__(settings, evidence)
        self.way, self.cycles = way, cycles

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Replenish:
        """Learn which items have a cycle; products, or categories where products are bought again too seldom.

        Raises:
            Refused: orders name neither, nobody buys an item often enough, or no item is bought regularly.
        """
        asked = settings.options.get("of")
        tried: list[str] = []
        for way in (asked,) if asked else _ways(known):
            source = lines(known, way, only=BOUGHT)
            if source is None:
                tried.append(f"No order names a {way}.")
                continue
            names, history, share = _history(known, source)
            customers = len(np.unique(history.customer))
            if customers < MIN_CUSTOMERS:
                tried.append(
                    f"{counted(customers, 'customer')} bought the same {way} on {LEAST_PURCHASES} days or more; "
                    f"{MIN_CUSTOMERS} are needed."
                )
                continue
            kept = regular(history, _visits(known, share), len(names))
            if kept.any():
                cycles = learn(history, names, kept)
                return cls(settings, _evidence(known, way, cycles, history, len(names), tried), way, cycles)
            tried.append(f"None of {len(names)} {_many(way)} is bought more regularly than chance would have it.")
        raise Refused(
            " ".join(tried), fix="Map the items of orders with a product or category, or wait for more history."
        )

    # ------------------------------------------------------------ scores

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """``replenish_product``, ``replenish_on`` and its window, of those who need something within the horizon."""
        due = self._due(known)
        names = [self.cycles.items[place] for place in due.item.tolist()]
        what = f"The {self.way} that the customer buys at regular intervals and needs next, within {self.settings.horizon} days"
        when = "the day on which the customer's next purchase of replenish_product is foretold"
        inside = "of customers who go on buying the item, four in five do so within the shortest window there is"
        return (
            Score("replenish_product", Kind.TEXT, f"{what}.", due.customer, names),
            Score("replenish_on", Kind.DATE, f"{when.capitalize()}: half come earlier.", due.customer, due.on),
            Score("replenish_from", Kind.DATE, f"The window begins; {inside}.", due.customer, due.since),
            Score("replenish_until", Kind.DATE, f"The window ends; {inside}.", due.customer, due.until),
        )

    def _due(self, known: AsOf, customer: int | None = None) -> Due:
        """What each customer needs next: of all items that aren't given up, the one that is foretold first."""
        return self._of(_pairs(known, self._source(known, customer), self.cycles.items, customer), known.today)

    def _of(self, pairs: Pairs, today: int) -> Due:
        """The same from what customers bought three times or more; see ``_pairs``."""
        who, item, n, last, median = pairs
        foretold = self.cycles.foretold(n - 1, median, item)
        past = self.cycles.past(foretold, today - last)
        middle = self.cycles.days(foretold, past, 0.5)
        first, end = self.cycles.window(foretold, past, INSIDE)
        on, since, until = (np.maximum(last + np.rint(d).astype(np.int64), today) for d in (middle, first, end))
        wanted = np.flatnonzero((past < LAPSED) & (on <= today + self.settings.horizon))
        best = wanted[first_of(who[wanted], (on[wanted], until[wanted], -n[wanted], item[wanted]), 1)]
        return Due(who[best], item[best], n[best], last[best], foretold[best], on[best], since[best], until[best])

    def _source(self, known: AsOf, customer: int | None = None) -> Source:
        source = lines(known, self.way, only=BOUGHT, customer=customer)
        if source is None:
            raise Refused(f"No order names a {self.way} any more.", fix="Fit the model anew.")
        return source

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """The item's own history with the customer, and the cycle it is weighed with."""
        due = self._due(known, customer)
        if not len(due.customer):
            return (
                f"The customer buys no {self.way} at regular intervals that is due within {self.settings.horizon} days.",
            )
        place = int(due.item[0])
        name, typical = self.cycles.items[place], float(np.exp(self.cycles.typical[place]))
        return (
            f"{name}: bought on {int(due.purchases[0])} days, the last one "
            f"{counted(known.today - int(due.last[0]), 'day')} ago; the next "
            f"purchase is foretold {float(np.exp(due.gap[0])):.0f} days after the last.",
            f"Customers buy {name} every {typical:.0f} days; that weighs as much as "
            + (
                "all own gaps."
                if isinf(self.cycles.weight)
                else f"{self.cycles.weight:.1f} gaps of the customer's own."
            ),
        )

    # ------------------------------------------------------------ how well

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """How far the day is off where the item was bought again, and whether it was bought within the window.

        Who didn't buy it again by the end of the horizon counts as a miss, and not in the days. Only windows that end
        within the horizon count. Baselines have windows of the same length, around the item's typical cycle after the last
        purchase (``item's cycle``), the customer's own median gap (``own gap``), and, for the item that the customer bought
        on most days, their own gap between orders (``most bought``).

        Raises:
            Refused: no window ended within the horizon.
        """
        pairs = _pairs(before, self._source(before), self.cycles.items, None)
        due = self._of(pairs, before.today)
        chosen = np.flatnonzero(due.until <= after.today)
        if not len(chosen):
            raise Refused("No window for a next purchase ended within the horizon.")
        due = due.of(chosen)
        who, item, _, last, median = pairs
        place = _find(who, item, due.customer, due.item)
        typical = last[place] + np.exp(np.asarray(self.cycles.typical)[due.item])
        own = last[place] + np.exp(median[place])
        bought = _next(after, self._source(after), before.at, self.cycles.items, due.customer, due.item)
        measures = _hits("replenish", due.since, due.until, due.on, bought)
        off = {"replenish": np.abs(bought - due.on)}
        for name, guess in {"item's cycle": typical, "own gap": own}.items():
            window = _window(due, np.rint(guess).astype(np.int64), before.today)
            measures += _hits(name, *window, bought)
            off[name] = np.abs(bought - window[2])
        other, on = self._most_bought(before, after, due)
        measures += _hits("most bought", *_window(due, on, before.today), other)
        off["most bought"] = np.abs(other - np.maximum(on, before.today))
        return Judged(len(chosen), tuple(measures), contest=Contest.of_rows(due.customer, off))

    def _most_bought(self, before: AsOf, after: AsOf, due: Due) -> tuple[Floats, Ints]:
        """The baseline that knows nothing of cycles: the item of most days, at the customer's own gap between orders.

        Returns:
            The day on which each customer of ``due`` bought it next, NaN for none, and the day that is foretold.
        """
        source = self._source(before)
        table = before.arrow(
            f"SELECT customer, name AS item FROM (SELECT customer, arg_max(item, (n, latest, item)) AS item FROM ("
            f"SELECT customer, item, count(DISTINCT day) AS n, max(day) AS latest FROM ({source.rows}) GROUP BY customer, item) "
            f"GROUP BY customer) JOIN ({source.names}) USING (item) ORDER BY customer"
        )
        place = np.searchsorted(np.asarray(table["customer"].to_numpy()), due.customer)
        items = np.asarray(table["item"].to_pylist(), dtype=object)[place]
        names, item = np.unique(items.astype(str), return_inverse=True)
        who, when = _visits(before)
        gap = np.diff(when)[np.diff(who) == 0]
        pair = who[1:][np.diff(who) == 0]
        owners, row = np.unique(pair, return_inverse=True)
        order = np.lexsort((gap, row))
        n = np.bincount(row)
        middle = np.asarray(gap)[order][np.cumsum(n) - n + (n - 1) // 2]
        latest = when[np.searchsorted(who, due.customer, "right") - 1]
        on = latest + middle[np.searchsorted(owners, due.customer)]
        return _next(after, self._source(after), before.at, tuple(names.tolist()), due.customer, item), on

    def state(self) -> dict[str, Any]:
        """The cycles of items; an infinite weight as null."""
        cycles = self.cycles
        return {
            "way": self.way,
            "items": list(cycles.items),
            "typical": list(cycles.typical),
            "weight": None if isinf(cycles.weight) else cycles.weight,
            "off": list(cycles.off),
        }

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Replenish:
        """The model of ``state``."""
        weight = inf if state["weight"] is None else state["weight"]
        cycles = Cycles(tuple(state["items"]), tuple(state["typical"]), weight, tuple(state["off"]))
        return cls(settings, evidence, state["way"], cycles)


def _ways(known: AsOf) -> tuple[str, str]:
    """Products first where they have names; a bare number tells nobody what is needed, so then categories are."""
    events = [part for part in parts(known) if part.counts == BOUGHT]
    named_ = any((found := field_of(part, known, PRODUCT)) and part.fields[found].kind is Kind.TEXT for part in events)
    return (PRODUCT, CATEGORY) if named_ else (CATEGORY, PRODUCT)


def _many(way: str) -> str:
    return "categories" if way == CATEGORY else f"{way}s"


def _history(known: AsOf, source: Source) -> tuple[tuple[str, ...], History, int]:
    """The items that most customers bought on three days or more, the days of those pairs, and of how many customers one.

    Where there are many rows a share of the customers stands for all: memory stays bounded, whatever the base.
    """
    days = f"SELECT DISTINCT customer, item, day FROM ({source.rows})"
    pairs = f"SELECT customer, item, count(*) AS n FROM ({days}) GROUP BY customer, item HAVING n >= {LEAST_PURCHASES}"
    chosen = known.arrow(
        f"SELECT name, n FROM (SELECT item, CAST(sum(n) AS BIGINT) AS n, count(*) AS pairs FROM ({pairs}) GROUP BY item "
        f"HAVING pairs >= {LEAST_PAIRS}) JOIN ({source.names}) USING (item) ORDER BY pairs DESC, name LIMIT {MOST_ITEMS}"
    )
    names = tuple(chosen["name"].to_pylist())
    parts = -(-sum(chosen["n"].to_pylist()) // MOST_ROWS)
    table = known.arrow(
        f"SELECT customer, place, day FROM (SELECT * FROM ({days}) d JOIN ({source.places(names)}) p USING (item) "
        f"WHERE {_one_of(parts)}) "
        f"QUALIFY count(*) OVER (PARTITION BY customer, place) >= {LEAST_PURCHASES} ORDER BY customer, place, day"
    )
    customer, place, day = (np.asarray(table[c].to_numpy(), dtype=np.int64) for c in ("customer", "place", "day"))
    starts = np.r_[True, (customer[1:] != customer[:-1]) | (place[1:] != place[:-1])] if len(day) else np.zeros(0, bool)
    return names, History(np.cumsum(starts) - 1, day, customer[starts], place[starts]), parts


def _one_of(parts: int) -> str:
    return f"hash(customer) % {parts} = 0" if parts > 1 else "true"


def _visits(known: AsOf, parts: int = 1) -> tuple[Ints, Ints]:
    """Customers and local days with an order, by customer and day; of one in so many customers."""
    table = known.arrow(
        f"SELECT DISTINCT customer, {local_day('ts', 'offset_s')} AS day FROM ({known.event(known.rule.orders)}) "
        f"WHERE {_one_of(parts)} ORDER BY customer, day"
    )
    customer, day = (np.asarray(table[c].to_numpy(), dtype=np.int64) for c in ("customer", "day"))
    return customer, day


def _pairs(known: AsOf, source: Source, items: tuple[str, ...], customer: int | None) -> Pairs:
    """Of customers and items with three purchases or more: customer, item's place, purchases, last day, median log gap."""
    one = "" if customer is None else f"WHERE customer = {customer:d}"
    table = known.arrow(
        f"SELECT customer, place, count(*) AS n, max(day) AS latest, quantile_cont(ln(gap), 0.5) AS median FROM ("
        f"SELECT customer, place, day, day - lag(day) OVER (PARTITION BY customer, place ORDER BY day) AS gap FROM ("
        f"SELECT DISTINCT customer, place, day FROM ({source.rows}) JOIN ({source.places(items)}) p USING (item) {one})) "
        f"GROUP BY customer, place HAVING n >= {LEAST_PURCHASES} ORDER BY customer, place"
    )
    who, item, n, last = (np.asarray(table[c].to_numpy(), dtype=np.int64) for c in ("customer", "place", "n", "latest"))
    return who, item, n, last, np.asarray(table["median"].to_numpy(), dtype=np.float64)


def _next(known: AsOf, source: Source, at: int, items: tuple[str, ...], customer: Ints, item: Ints) -> Floats:
    """For pairs of customer and item the local day of the first purchase of it after the instant; NaN for none."""
    table = known.arrow(
        f"SELECT customer, place, min(day) AS day FROM ({source.rows}) JOIN ({source.places(items)}) p USING (item) "
        f"WHERE ts > {at:d} GROUP BY customer, place ORDER BY customer, place"
    )
    who, place, when = (np.asarray(table[c].to_numpy(), dtype=np.int64) for c in ("customer", "place", "day"))
    found = np.full(len(customer), np.nan)
    row = _find(who, place, customer, item)
    there = (np.append(who, -1)[row] == customer) & (np.append(place, -1)[row] == item)
    found[there] = when[row[there]]
    return found


def _find(who: Ints, item: Ints, customer: Ints, wanted: Ints) -> Ints:
    """Where pairs stand among pairs that are ordered by customer and item."""
    width = int(max(item.max(initial=0), wanted.max(initial=0))) + 1
    return np.searchsorted(who * width + item, customer * width + wanted)


def _window(due: Due, on: Ints, today: int) -> tuple[Ints, Ints, Ints]:
    """A window of the model's length around another day, moved so that it lies ahead."""
    since = np.maximum(on - (due.on - due.since), today)
    return since, since + (due.until - due.since), np.maximum(on, today)


def _hits(who: str, since: Ints, until: Ints, on: Ints, bought: Floats) -> list[Measure]:
    hit = int(((bought >= since) & (bought <= until)).sum())
    off = np.abs(bought - on)[~np.isnan(bought)]
    found = [Measure(who, "hit", *wilson(hit, len(bought)), n=len(bought))]
    if len(off) > 1:
        mae = mean_interval(Moments.of_sums(len(off), float(off.sum()), float((off * off).sum())))
        found.append(Measure(who, "days off", *mae, n=len(off)))
    return found


def _evidence(known: AsOf, way: str, cycles: Cycles, history: History, items: int, tried: list[str]) -> Evidence:
    return Evidence(
        label=f"Which {way} a customer buys next of those that are bought at regular intervals, and on which day.",
        since=known.first_order or known.at,
        until=known.at,
        fingerprint=fingerprint_of_each(history.pair, history.day, history.item[history.pair]),
        customers=len(np.unique(history.customer)),
        notes=(
            f"{len(cycles.items)} of {items} {_many(way)} are bought more regularly than by dealing the purchases out to the "
            "customers' own order days at random.",
            "The window holds the next gap in four of five cases where there is one; who has given an item up isn't in it.",
        ),
        fallback=f"{' '.join(tried)} {_many(way).capitalize()} stand in their place." if tried else "",
    )
