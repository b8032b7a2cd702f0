"""Cycles: which items are bought at regular intervals, how long each customer's is, and how far it is off.

All gaps are between local days on which a customer bought an item, in logarithms: a week too late for milk is a lot, and
for flour it isn't.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, pi
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

DRAWS = 19
Z_LEAST = 3.0
MOST_DRAWN = 200
LEAST_PAIRS = 10
_POINTS = 101
_STARTS = 21


class History(NamedTuple):
    """Days on which customers bought items, by pair and day.

    Attributes:
        pair: the pair of customer and item of each row, from 0 without holes, ascending.
        day: local dates, ascending within a pair, each once.
        customer: of each pair.
        item: of each pair, its place.
    """

    pair: Ints
    day: Ints
    customer: Ints
    item: Ints


class Gaps(NamedTuple):
    """The gaps of a history: the pair and the logarithm of the days of each, in the order of time."""

    pair: Ints
    log: Floats


def gaps(history: History) -> Gaps:
    """Days between neighbouring rows of a pair."""
    same = np.flatnonzero(history.pair[1:] == history.pair[:-1]) + 1
    return Gaps(history.pair[same], np.log((history.day[same] - history.day[same - 1]).astype(float)))


def medians(pair: Ints, log: Floats, pairs: int) -> Floats:
    """The median gap of each pair, in logarithms; NaN for one without gaps."""
    order = np.lexsort((log, pair))
    ordered = log[order]
    n = np.bincount(pair, minlength=pairs)
    first = np.cumsum(n) - n
    found = np.full(pairs, np.nan)
    some = np.flatnonzero(n)
    below, above = first[some] + (n[some] - 1) // 2, first[some] + n[some] // 2
    found[some] = (ordered[below] + ordered[above]) / 2
    return found


def regular(history: History, visits: tuple[Ints, Ints], items: int, seed: int = 0) -> npt.NDArray[np.bool_]:
    """Which items are bought more regularly than chance would: the spread of gaps against a null.

    The null deals each pair's purchases out to the customer's own order days between its first and its last, at random:
    what is left beyond it isn't due to when the customer comes. An item is regular where its spread lies three standard
    deviations of the draws below their mean.

    Args:
        history: of pairs with three purchases or more; 200 pairs of an item at most are drawn.
        visits: customers and local days of all their orders, by customer and day.
        items: how many there are.
        seed: of the draws.
    """
    history = _settled(history)
    rank = _rank_within(history.item)
    held = np.bincount(history.item, minlength=items)
    of = held[history.item]
    # Evenly over the pairs, from those of few purchases to those of many: the first ones alone would show the least.
    even = (of <= MOST_DRAWN) | ((rank + 1) * MOST_DRAWN // of > rank * MOST_DRAWN // of)
    chosen = even & (of >= LEAST_PAIRS)
    if not chosen.any():
        return np.zeros(items, dtype=bool)
    part = _of(history, chosen)
    inner = _between(part, visits)
    random = np.random.default_rng(seed)
    seen = _spread(part, items)
    drawn = np.stack([_spread(_dealt(part, inner, random), items) for _ in range(DRAWS)])
    with np.errstate(invalid="ignore", divide="ignore"):
        below = (drawn.mean(axis=0) - seen) / drawn.std(axis=0, ddof=1)
    return np.asarray(np.nan_to_num(below, nan=0.0, posinf=0.0, neginf=0.0) > Z_LEAST)


def _settled(history: History) -> History:
    """The same pairs in an order that their items and days decide: no draw may hang on the key of a customer."""
    pairs = len(history.customer)
    n = np.bincount(history.pair, minlength=pairs)
    days, squares = (np.bincount(history.pair, weights=history.day**power, minlength=pairs) for power in (1, 2))
    order = np.lexsort((squares, days, n, history.item))
    place = np.empty(pairs, dtype=np.int64)
    place[order] = np.arange(pairs)
    pair = place[history.pair]
    by_day = np.lexsort((history.day, pair))
    return History(pair[by_day], history.day[by_day], history.customer[order], history.item[order])


def _rank_within(item: Ints) -> Ints:
    order = np.argsort(item, kind="stable")
    n = np.bincount(item)
    rank = np.empty(len(item), dtype=np.int64)
    rank[order] = np.arange(len(item)) - np.repeat(np.cumsum(n) - n, n)
    return rank


def _of(history: History, pairs: npt.NDArray[np.bool_]) -> History:
    rows = pairs[history.pair]
    place = np.cumsum(pairs) - 1
    return History(place[history.pair[rows]], history.day[rows], history.customer[pairs], history.item[pairs])


def _between(history: History, visits: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """For each pair the customer's order days strictly between its first and last purchase: pair and day."""
    who, when = visits
    starts = np.flatnonzero(np.r_[True, history.pair[1:] != history.pair[:-1]])
    ends = np.r_[starts[1:], len(history.pair)] - 1
    # Customers and days as one ascending number, so that a pair's visits are one slice.
    width = int(max(when.max(), history.day.max())) - int(min(when.min(), history.day.min())) + 2
    origin = int(min(when.min(), history.day.min()))
    key = who.astype(np.int64) * width + (when - origin)
    mine = history.customer * width - origin
    low = np.searchsorted(key, mine + history.day[starts], "right")
    n = np.maximum(np.searchsorted(key, mine + history.day[ends], "left") - low, 0)
    pair = np.repeat(np.arange(len(n)), n)
    return pair, when[np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n) + low[pair]]


def _dealt(history: History, inner: tuple[Ints, Ints], random: np.random.Generator) -> History:
    """The same pairs, each with its first and last day, and as many days between at random of the customer's visits."""
    pair, day = inner
    n = np.bincount(history.pair, minlength=len(history.customer))
    held = np.bincount(pair, minlength=len(n))
    wanted = np.minimum(n - 2, held)
    # Each visit's draw behind the number of its pair, as one whole number: sorting numbers is a tenth of sorting rows, and
    # of each pair the draws up to the last wanted one are kept, in the order of days in which they stand.
    bits = 63 - len(n).bit_length()
    drawn = (pair << bits) | (random.random(len(pair)) * (1 << bits)).astype(np.int64)
    last = np.append(np.sort(drawn), 0)[np.cumsum(held) - held + wanted - 1]
    kept = drawn <= np.where(wanted > 0, last, -1)[pair]
    size = wanted + 2
    starts = np.cumsum(size) - size
    days = np.empty(int(size.sum()), dtype=np.int64)
    ends = np.zeros(len(days), dtype=bool)
    ends[starts] = ends[starts + size - 1] = True
    first = np.cumsum(n) - n
    days[starts], days[starts + size - 1] = history.day[first], history.day[first + n - 1]
    days[~ends] = day[kept]
    return History(np.repeat(np.arange(len(n)), size), days, history.customer, history.item)


def _spread(history: History, items: int) -> Floats:
    """By item the variance of log gaps within pairs."""
    found = gaps(history)
    pairs = len(history.customer)
    n = np.bincount(found.pair, minlength=pairs)
    total = np.bincount(found.pair, weights=found.log, minlength=pairs)
    squares = np.bincount(found.pair, weights=found.log**2, minlength=pairs)
    within = np.where(n > 0, squares - total * total / np.maximum(n, 1), 0.0)
    spare = np.bincount(history.item, weights=np.maximum(n - 1, 0), minlength=items)
    spread = np.bincount(history.item, weights=within, minlength=items)
    return np.asarray(spread / np.where(spare > 0, spare, np.nan))


@dataclass(frozen=True, slots=True)
class Cycles:
    """The cycles of regular items.

    Args:
        items: their names.
        typical: the logarithm of each one's typical gap in days: the median of customers' medians.
        weight: how many gaps of a customer's own weigh as much as the typical one.
        off: 101 quantiles of how far the next gap is from the one that is foretold, in logarithms.
    """

    items: tuple[str, ...]
    typical: tuple[float, ...]
    weight: float
    off: tuple[float, ...]

    def foretold(self, n: Ints, median: Floats, place: Ints) -> Floats:
        """The next gap in logarithms: the customer's own median, shrunk to the item's.

        Args:
            n: gaps of each pair.
            median: of their logarithms.
            place: of the item.
        """
        typical = np.asarray(self.typical)[place]
        if self.weight == inf:
            return typical
        return np.asarray((n * median + self.weight * typical) / (n + self.weight))

    def past(self, foretold: Floats, elapsed: Ints) -> Floats:
        """The share of gaps that would be over after so many days."""
        off = np.log(np.maximum(elapsed, 0.5)) - foretold
        return np.interp(off, np.asarray(self.off), np.linspace(0, 1, _POINTS), left=0.0, right=1.0)

    def window(self, foretold: Floats, past: Floats, mass: float) -> tuple[Floats, Floats]:
        """The shortest span of days that holds a share ``mass`` of the gaps that aren't over yet."""
        best_low = self.days(foretold, past, 0.0)
        best_high = self.days(foretold, past, mass)
        for start in np.linspace(0, 1 - mass, _STARTS)[1:]:
            low, high = self.days(foretold, past, float(start)), self.days(foretold, past, float(start) + mass)
            shorter = high - low < best_high - best_low
            best_low, best_high = np.where(shorter, low, best_low), np.where(shorter, high, best_high)
        return best_low, best_high

    def days(self, foretold: Floats, past: Floats, p: float) -> Floats:
        """The gap in days that a share ``p`` of those that aren't over yet won't exceed."""
        at = past + (1 - past) * p
        return np.asarray(np.exp(foretold + np.interp(at, np.linspace(0, 1, _POINTS), np.asarray(self.off))))


def learn(history: History, names: tuple[str, ...], kept: npt.NDArray[np.bool_]) -> Cycles:
    """Cycles of the regular items, from pairs with three purchases or more.

    How much a customer's own median weighs follows from the variance of gaps within pairs and between them: the median of
    n gaps has about π/2 times the variance of their mean. How far a forecast is off comes of each pair's last gap,
    foretold from those before it.

    Args:
        history: of all items.
        names: of the items.
        kept: which of them are regular; at least one.
    """
    part = _of(history, kept[history.item])
    place = (np.cumsum(kept) - 1)[part.item]
    found, pairs = gaps(part), len(part.customer)
    own, n = medians(found.pair, found.log, pairs), np.bincount(found.pair, minlength=pairs)
    typical = medians(place, own, int(kept.sum()))
    spread = np.bincount(found.pair, weights=(found.log - own[found.pair]) ** 2, minlength=pairs)
    # Sums in the order of what is added: the last digit of a weight could shift a window by a day.
    within = float(np.sort(spread).sum() / max((n - 1).sum(), 1)) * pi / 2
    between = float(np.sort((own - typical[place]) ** 2).mean() - np.sort(within / n).mean())
    weight = within / between if between > 0 else inf
    items = tuple(name for name, keep in zip(names, kept, strict=True) if keep)
    plain = Cycles(items, tuple(typical.tolist()), weight, (0.0,) * _POINTS)
    return Cycles(items, plain.typical, weight, _off(plain, found, place, pairs))


def _off(cycles: Cycles, found: Gaps, place: Ints, pairs: int) -> tuple[float, ...]:
    """Quantiles of the last gap of each pair less what the gaps before it foretell."""
    last = np.r_[found.pair[1:] != found.pair[:-1], True]
    before = Gaps(found.pair[~last], found.log[~last])
    n = np.bincount(before.pair, minlength=pairs)
    some = n > 0
    foretold = cycles.foretold(n[some], medians(before.pair, before.log, pairs)[some], place[some])
    off = np.full(pairs, np.nan)
    off[found.pair[last]] = found.log[last]
    return tuple(np.quantile(off[some] - foretold, np.linspace(0, 1, _POINTS)).tolist())
