"""Price: which share of their orders customers place with a discount, and who waits for one.

It is what was seen, not what would be: a customer who buys at a discount might have bought without it, so no elasticity
and no effect of a price follows from it. That takes an experiment.
"""

from __future__ import annotations

from math import inf, isinf
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.contest import Contest
from shoal.insight.models.model import Evidence, Judged, Measure, Model, Score
from shoal.insight.purchases import discounted, item_list, named
from shoal.insight.taste.credibility import strength
from shoal.insight.taste.lines import fingerprint_of_each
from shoal.lang.schema import Kind
from shoal.stats.intervals import Moments, mean_interval
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.model import Settings

    Floats = npt.NDArray[np.float64]
    Keys = npt.NDArray[np.int32]

MICRO = 1_000_000
MIN_CUSTOMERS = 50
LEAST_ORDERS = 3
HALF, QUARTER = 0.5, 0.25
_RISK = 0.05
_BINS = 10
_LEAST_SEEN = 20
WAITS, MIXED, FULL, UNKNOWN = "waits for discounts", "mixed", "pays full price", "unknown"


class Price(Model):
    """The share of each customer's orders with a discount, shrunk to the base's by credibility."""

    title: ClassVar[str] = "who waits for a discount"
    by: ClassVar[str] = "mae"
    higher: ClassVar[bool] = False

    def __init__(self, settings: Settings, evidence: Evidence, base: float, weight: float) -> None:
        super().__init__(settings, evidence)
        self.base, self.weight = base, weight

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Price:
        """Learn the base's share and how much customers differ in it.

        Raises:
            Refused: orders name no discount, all of them or none bear one, or there are too few customers.
        """
        customers, n, sums, squares = _held(known, _shares(known))
        if len(customers) < MIN_CUSTOMERS:
            raise Refused(
                f"{counted(len(customers), 'customer')} with orders {noun(len(customers), 'is', 'are')} too few to say "
                "who waits for a discount; "
                f"{MIN_CUSTOMERS} are needed.",
                fix="Wait for more customers.",
            )
        base = float(sums.sum() / n.sum())
        if not 0 < base < 1:
            raise Refused(
                f"{'None' if base == 0 else 'All'} of {counted(int(n.sum()), 'order')} bear a discount, so customers can't "
                "differ in it.",
                fix="Map the property that holds the discount, and name it under purchases: in shoal.yaml.",
            )
        weight = strength(n, squares, sums * sums / n, float(sums.sum() ** 2 / n.sum()))
        return cls(settings, _evidence(known, settings, customers, n, sums, weight, base), base, weight)

    # ------------------------------------------------------------ scores

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """``discount_share_…d`` and ``price_sensitivity`` of all who ordered."""
        customers, n, sums, _ = _held(known, _shares(known))
        share = self.foretold(n, sums)
        days = self.settings.horizon
        says = (
            f"The share of the customer's orders of the next {days} days that will bear a discount, as it is foretold."
        )
        words = (
            f"{WAITS}: at least half with a discount, and surely more than the base. {FULL}: at most a quarter, and surely "
            f"less than half. {UNKNOWN}: fewer than {LEAST_ORDERS} orders. Observed, not an effect of price."
        )
        return (
            Score(f"discount_share_{days}d", Kind.NUMBER, says, customers, share),
            Score("price_sensitivity", Kind.TEXT, words, customers, self.words(n, sums)),
        )

    def foretold(self, n: Floats, sums: Floats) -> Floats:
        """The share to come, from the number of orders and the sum of their shares with a discount."""
        if isinf(self.weight):
            return np.full(len(n), self.base)
        return (sums + self.weight * self.base) / (n + self.weight)

    def bounds(self, n: Floats, sums: Floats) -> tuple[Floats, Floats]:
        """The ends of the foretold share (90 %), of a beta distribution with the base as its prior."""
        from scipy.special import betaincinv

        weight = min(self.weight, 1e6)
        up, down = sums + weight * self.base, n - sums + weight * (1 - self.base)
        return betaincinv(up, down, _RISK), betaincinv(up, down, 1 - _RISK)

    def words(self, n: Floats, sums: Floats) -> list[str]:
        """``price_sensitivity`` from the number of orders and the sum of their shares with a discount."""
        share = self.foretold(n, sums)
        low, high = self.bounds(n, sums)
        known = (n >= LEAST_ORDERS) & (not isinf(self.weight))
        found = np.where(known, MIXED, UNKNOWN).astype(object)
        found[known & (share >= HALF) & (low > self.base)] = WAITS
        found[known & (share <= QUARTER) & (high < HALF)] = FULL
        return [str(word) for word in found.tolist()]

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """The customer's own orders, the base, and how they are weighed."""
        customers, n, sums, _ = _held(known, _shares(known), customer)
        if not len(customers):
            return ("The customer hasn't ordered yet.",)
        orders = counted(int(n[0]), "order")
        own = f"{sums[0] / n[0]:.0%} of the customer's {orders} bore a discount; {self.base:.0%} of all orders did."
        if isinf(self.weight):
            return (own, "Customers don't differ in that more than chance makes them differ, so the base is foretold.")
        low, high = self.bounds(n, sums)
        foretold = self.foretold(n, sums)[0]
        return (
            own,
            f"The base weighs as much as {self.weight:.1f} orders, which gives {foretold:.0%} ({low[0]:.0%} to {high[0]:.0%}).",
        )

    # ------------------------------------------------------------ how well

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """How far the foretold share is off the one that came, each customer counting the same.

        Baselines: the base's share for all (``base rate``), the last order (``last order``), the mean of the customer's
        orders without shrinking (``own share``).

        Raises:
            Refused: none of those who had ordered did so again.
        """
        customers, n, sums, _ = _held(before, _shares(before))
        later, m, came, _ = _held(after, f"SELECT * FROM ({_shares(after)}) WHERE ts > {before.at:d}")
        place = np.searchsorted(customers, later)
        there = np.append(customers, -1)[place] == later
        if not there.any():
            raise Refused("None of those who had ordered before the cut ordered after it.")
        place, came = place[there], (came / m)[there]
        foretold = self.foretold(n, sums)[place]
        rivals = {
            "price": foretold,
            "base rate": np.full(len(came), self.base),
            "last order": _last(before)[place],
            "own share": (sums / n)[place],
        }
        measures = [m for who, guess in rivals.items() for m in _errors(who, guess, came)]
        words = np.asarray(self.words(n, sums), dtype=object)[place]
        measures += [
            _came_of(word, came[words == word]) for word in (WAITS, MIXED, FULL) if (words == word).sum() >= _LEAST_SEEN
        ]
        contest = Contest.of_rows(later[there], {who: np.abs(guess - came) for who, guess in rivals.items()})
        return Judged(len(came), tuple(measures), {"calibration": _calibration(foretold, came)}, contest)

    def state(self) -> dict[str, Any]:
        """The base's share, and what it weighs in orders; null where it is all that counts."""
        return {"base": self.base, "weight": None if isinf(self.weight) else self.weight}

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Price:
        """The model of ``state``."""
        return cls(settings, evidence, state["base"], inf if state["weight"] is None else state["weight"])


def _shares(known: AsOf) -> str:
    """The SQL of (customer, ts, share): of each order the share of its lines with a discount, in whole millionths.

    Where the items don't say what was taken off, an order bears a discount or it doesn't.

    Raises:
        Refused: nothing says whether an order bore a discount.
    """
    event, told = known.events.get(known.rule.orders), known.rule.purchases
    if event is None:
        raise Refused(f'There is no "{known.rule.orders}" yet.', fix="Load orders.")
    items = item_list(event, told)
    cut = named(items.fields, told.discount, Kind.NUMBER) if items is not None else None
    source = f"FROM ({known.event(event.name)})"
    if items is not None and cut is not None:
        with_one = f"len(list_filter({items.col}, lambda i: coalesce(i.{items.fields[cut].col}, 0) <> 0))"
        return (
            f"SELECT customer, ts, CAST(with_one * {MICRO} // lines AS BIGINT) AS share FROM ("
            f"SELECT customer, ts, {with_one} AS with_one, len({items.col}) AS lines {source}) WHERE lines > 0"
        )
    test = discounted(event, told)
    if test is None:
        raise Refused(
            f'"{event.name}" names neither a discount nor a coupon, so 0 of its orders can be told to bear one.',
            fix=f"Map one of {', '.join(told.discount[:3])}, or name it under purchases: in shoal.yaml.",
        )
    return f"SELECT customer, ts, CAST(CASE WHEN {test} THEN {MICRO} ELSE 0 END AS BIGINT) AS share {source}"


def _held(known: AsOf, shares: str, customer: int | None = None) -> tuple[Keys, Floats, Floats, Floats]:
    """By customer, ascending: how many orders, the sum of their shares, and the sum of the squares."""
    one = "" if customer is None else f"WHERE customer = {customer:d} "
    # Whole numbers, so that the sums don't depend on the order of adding.
    table = known.arrow(
        f"SELECT customer, CAST(count(*) AS DOUBLE) AS n, CAST(sum(share) AS DOUBLE) / {MICRO} AS sums, "
        f"CAST(sum(share * share // {MICRO}) AS DOUBLE) / {MICRO} AS squares FROM ({shares}) {one}"
        "GROUP BY customer ORDER BY customer"
    )
    n, sums, squares = (np.asarray(table[c].to_numpy(), dtype=np.float64) for c in ("n", "sums", "squares"))
    return np.asarray(table["customer"].to_numpy(), dtype=np.int32), n, sums, squares


def _last(known: AsOf) -> Floats:
    """The share of each customer's last order, by ascending key; of orders at the same instant the greatest."""
    table = known.arrow(
        f"SELECT customer, CAST(max(share) AS DOUBLE) / {MICRO} AS share FROM (SELECT * FROM ({_shares(known)}) "
        "QUALIFY ts = max(ts) OVER (PARTITION BY customer)) GROUP BY customer ORDER BY customer"
    )
    return np.asarray(table["share"].to_numpy(), dtype=np.float64)


def _errors(who: str, guess: Floats, came: Floats) -> tuple[Measure, Measure]:
    error = np.abs(guess - came)
    mae = mean_interval(Moments.of_sums(len(error), float(error.sum()), float((error * error).sum())))
    return Measure(who, "mae", *mae, n=len(error)), Measure(
        who, "rmse", float(np.sqrt((error * error).mean())), n=len(error)
    )


def _came_of(word: str, came: Floats) -> Measure:
    return Measure("price", f"share that came of {word}", *_mean_share(came), n=len(came))


def _mean_share(came: Floats) -> tuple[float, float, float]:
    value, low, high = mean_interval(Moments.of_sums(len(came), float(came.sum()), float((came * came).sum())))
    return value, max(0.0, low), min(1.0, high)


def _calibration(foretold: Floats, came: Floats) -> Sequence[Mapping[str, Any]]:
    """The mean share foretold and the one that came, in tenths of customers; equal shares stay together."""
    edges = np.unique(np.quantile(foretold, np.arange(1, _BINS) / _BINS))
    at = np.searchsorted(edges, foretold, side="right")
    rows = []
    for place in np.unique(at):
        mine, truth = foretold[at == place], came[at == place]
        value, low, high = _mean_share(truth)
        rows.append({"foretold": float(mine.mean()), "came": value, "low": low, "high": high, "n": len(mine)})
    return rows


def _evidence(
    known: AsOf, settings: Settings, customers: Keys, n: Floats, sums: Floats, weight: float, base: float
) -> Evidence:
    notes = ["It is what was seen: that a customer bought at a discount doesn't say that they wouldn't have without."]
    if not QUARTER <= base <= 1 - QUARTER:
        notes.append(f"{base:.0%} of all orders bear a discount, so that it tells customers apart only a little.")
    return Evidence(
        label=f"The share of a customer's orders of the next {settings.horizon} days that bear a discount.",
        since=known.first_order or known.at,
        until=known.at,
        fingerprint=fingerprint_of_each(np.arange(len(n)), n, sums),
        customers=len(customers),
        notes=tuple(notes),
        fallback="Customers don't differ more than chance makes them differ: all get the base's share."
        if isinf(weight)
        else "",
    )
