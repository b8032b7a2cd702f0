"""All that the rules of actions look at, read once: how customers stand, how they stood, what came after, what models say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.insight.actions import foretold
from shoal.insight.actions.standing import YEAR, After, Standing, after, standing, trait
from shoal.insight.feedback.asked import CSAT, MICRO, NPS, question
from shoal.lang.schema import Kind
from shoal.lang.slug import slug_of
from shoal.sql.encode import quoted
from shoal.stats.intervals import Interval, Moments, mean_interval, wilson

if TYPE_CHECKING:
    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.shapes import FeedbackRule
    from shoal.sql.store import Store

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

MOST_CATEGORIES = 40
_LEAST_BEGAN = 5


@dataclass(frozen=True, eq=False)
class Shelves:
    """The largest categories.

    Args:
        names: of the categories.
        bought: for each category, who of today's customers bought of it within a year.
        could: for each, how many active customers hadn't bought of it in the year before the cut.
        began: for each, the share of them who did within the horizon after it.
        spent: for each, what those spent on it in the horizon.
        natural: for each, what a customer who hadn't bought of it came to spend: ``began`` times ``spent``.
    """

    names: tuple[str, ...]
    bought: tuple[Mask, ...]
    could: tuple[int, ...]
    began: tuple[Interval, ...]
    spent: tuple[Interval, ...]
    natural: tuple[Interval, ...]


@dataclass(frozen=True, eq=False)
class World:
    """What rules look at. Arrays have a value for each of the customers of ``known``.

    Args:
        known: the store at the instant.
        days: the horizon.
        currency: of all money.
        now: how customers stand.
        then: how they stood a horizon ago; None where the orders don't reach back for two horizons.
        after: what they did in the horizon since.
        soon: what they did in the first fortnight of it.
        shelves: categories; None where no order names one, or ``then`` is None.
        churn: the chance to buy nothing in the horizon, where a model foretells it.
        churn_name: the trait that says so.
        looks: over what it is foretold, in words.
        value: the spend foretold for the horizon, where a model does.
        value_name: the trait that says so.
        nps: the newest answer of each, NaN for none; None where nobody was asked.
        answered_lately: who answered a survey within a year.
        answering: the share of all customers who ever answered.
        doubts: scores that aren't used, each with the reason.
    """

    known: AsOf
    days: int
    currency: str
    now: Standing
    then: Standing | None
    after: After
    soon: After
    shelves: Shelves | None
    churn: Floats | None
    churn_name: str
    looks: str
    value: Floats | None
    value_name: str
    nps: Floats | None
    answered_lately: Mask
    answering: float
    doubts: tuple[str, ...] = ()
    _read: dict[str, Any] = field(default_factory=dict)

    @property
    def today(self) -> int:
        """The local date, in days since 1970."""
        return self.known.today

    @cached_property
    def detractors(self) -> Mask:
        """Whose newest answer is 6 or less; nobody where nobody was asked."""
        if self.nps is None:
            return np.zeros(len(self.known.customers), dtype=bool)
        return np.asarray(self.nps < 7)

    def number(self, name: str) -> Floats | None:
        """A trait of numbers or dates; None where there is none."""
        return self._of(name, (Kind.NUMBER, Kind.DATE))

    def text(self, name: str) -> npt.NDArray[np.object_] | None:
        """A trait of texts; None where there is none."""
        return self._of(name, (Kind.TEXT,))

    def _of(self, name: str, kinds: tuple[Kind, ...]) -> npt.NDArray[Any] | None:
        found = self.known.registry.trait(name)
        if found is None or found.kind not in kinds:
            return None
        if name not in self._read:
            self._read[name] = trait(self.known, name)
        read: npt.NDArray[Any] | None = self._read[name]
        return read

    def chance_name(self, category: str) -> str:
        """The trait that foretells who buys of a category in the horizon; empty where there is none."""
        slug = slug_of(category).replace("-", "_")
        # A long name is cut in the trait's; two that were cut alike bear a number, and can't be told apart here.
        wanted = re.compile(rf"p_buy_(\w+)_{self.days}d")
        found = [
            t.name for t in self.known.registry.traits.values() if (m := wanted.fullmatch(t.name)) and m[1] == slug
        ]
        return found[0] if found else ""

    def chance_of(self, category: str) -> Floats | None:
        """The chance of each to buy of a category, where a model foretells it."""
        name = self.chance_name(category)
        return self.number(name) if name else None


def world(store: Store, known: AsOf, feedback: FeedbackRule) -> World:
    """Read everything at the instant of ``known``."""
    held = foretold.churn(store, known)
    nearest = held[0] if held else foretold.NONE
    days = nearest.days
    with known.before(known.at - days * DAY) as before:
        first = known.first_order
        enough = first is not None and first <= before.at - days * DAY
        then = standing(before, days) if enough else None
        nothing = After(np.zeros(len(before.customers)), np.zeros(len(before.customers)))
        done = after(known, before, days) if enough else nothing
        soon = after(known, before, 14) if enough else nothing
        now = standing(known, days)
        shelves = _shelves(known, before, then, now) if then is not None else None
    nps, lately, answering = _answers(store, known, feedback)
    spend = foretold.spend(store, known, nearest)
    unsure = foretold.doubt(store, spend) if spend else ""
    churn = trait(known, nearest.name) if nearest.name and not nearest.doubt else None
    value = trait(known, spend) if spend and not unsure else None
    doubts = tuple(filter(None, (*(one.doubt for one in held if one.far <= nearest.far), unsure)))
    return World(
        known, days, known.rule.currency, now, then, done, soon, shelves, churn, nearest.name, nearest.looks, value, spend,
        nps, lately, answering, doubts,
    )  # fmt: skip


def _answers(store: Store, known: AsOf, feedback: FeedbackRule) -> tuple[Floats | None, Mask, float]:
    lately, ever = np.zeros(len(known.customers), dtype=bool), np.zeros(len(known.customers), dtype=bool)
    nps: Floats | None = None
    for measure in (NPS, CSAT):
        asked = question(store, measure, feedback)
        if asked is None or not asked.fits(store, known.at):
            continue
        table = known.arrow(asked.newest(store, known.at))
        owners = np.asarray(table["customer"].to_numpy())
        score = np.asarray(table["score"].to_numpy(), np.float64) / MICRO
        when = known.aligned(owners, np.asarray(table["ts"].to_numpy(), np.float64))
        ever |= np.isfinite(when)
        lately |= np.nan_to_num(when, nan=-np.inf) > known.at - YEAR * DAY
        if measure == NPS:
            nps = known.aligned(owners, score)
    return nps, lately, float(ever.mean()) if ever.size else 0.0


# ------------------------------------------------------------ categories


def _shelves(known: AsOf, before: AsOf, then: Standing, now: Standing) -> Shelves | None:
    lines = known.lines
    if lines is None or not lines.has_category or not lines.by_money:
        return None
    since = known.at - YEAR * DAY
    names = [
        str(name)
        for (name,) in zip(
            known.arrow(
                f"SELECT category FROM {lines.table} WHERE category IS NOT NULL AND ts > {since:d} "
                f"GROUP BY category ORDER BY count(DISTINCT customer) DESC, category LIMIT {MOST_CATEGORIES}"
            )["category"].to_pylist(),
            strict=True,
        )
    ]
    found = [_shelf(known, before, then, lines.table, name, then.days) for name in names]
    kept = [(name, shelf) for name, shelf in zip(names, found, strict=True) if shelf is not None]
    if not kept:
        return None
    columns = zip(*(shelf for _, shelf in kept), strict=True)
    return Shelves(tuple(name for name, _ in kept), *(tuple(column) for column in columns))


def _shelf(
    known: AsOf, before: AsOf, then: Standing, table: str, name: str, days: int
) -> tuple[Mask, int, Interval, Interval, Interval] | None:
    """Who bought of a category, and what came of those who hadn't; None where too few began to."""
    of, cut = f"SELECT customer, ts, weight FROM {table} WHERE category = {quoted(name)}", before.at
    rows = known.arrow(
        f"SELECT customer, bool_or(ts > {known.at - YEAR * DAY:d}) AS year, "
        f"bool_or(ts > {cut - YEAR * DAY:d} AND ts <= {cut:d}) AS earlier, bool_or(ts > {cut:d}) AS later, "
        f"CAST(coalesce(sum(CASE WHEN ts > {cut:d} THEN weight END), 0) AS DOUBLE) / {MICRO} AS spent "
        f"FROM ({of}) GROUP BY customer"
    )
    owners = np.asarray(rows["customer"].to_numpy())
    year, earlier, later = (
        np.asarray(rows[column].to_numpy(zero_copy_only=False), dtype=bool) for column in ("year", "earlier", "later")
    )
    could = then.active & ~before.aligned(owners, earlier, False)
    began = could & before.aligned(owners, later, False)
    n, k = int(could.sum()), int(began.sum())
    if k < _LEAST_BEGAN:
        return None
    spent = before.aligned(owners, np.asarray(rows["spent"].to_numpy(), np.float64), 0.0)[began]
    share, each = wilson(k, n), mean_interval(Moments(k, float(spent.mean()), float(spent.var(ddof=1))))
    natural = Interval(share.value * each.value, share.low * max(0.0, each.low), share.high * each.high)
    return known.aligned(owners, year, False), n, share, each, natural
