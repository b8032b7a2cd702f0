"""How customers buy: the process of their orders, chosen by what it would have foretold, and what came after a cut.

The models of value and of churn rest on it. Orders are days with an order; a customer who never ordered isn't in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.models.asof import MICRO
from shoal.insight.models.btyd import (
    BetaGeometric,
    ModifiedBetaGeometric,
    Needs,
    NegativeBinomial,
    ParetoNBD,
    Purchases,
    RepeatModel,
    Split,
    by_frequency,
    choose,
    split,
    summarise,
    track,
)

EPOCH = date(1970, 1, 1).toordinal()

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.btyd import Choice

    Floats = NDArray[np.float64]
    Rows = list[dict[str, Any]]

WEEK = 7.0
LEAVING: tuple[type[RepeatModel], ...] = (ModifiedBetaGeometric, ParetoNBD, BetaGeometric)
"""In the order in which they are tried where nothing can be said from a holdout."""
ALL: tuple[type[RepeatModel], ...] = (*LEAVING, NegativeBinomial)
PROCESSES: dict[str, type[RepeatModel]] = {kind.name: kind for kind in ALL}
FEWEST = Needs(20, 5)
"""Below this nothing is foretold; below ``btyd.refusals.USUAL`` there is only the rate of each drawn to that of all."""
HALF_YEAR = 180
"""Days without any order after which a shop may still be one that closes for a season."""
TRIED_ON = 20_000
"""Processes are compared on so many customers at most; all of them are fitted on."""
LEAST_HOLDOUT = 28
TENTHS = 10


@dataclass(frozen=True)
class Buying:
    """The process that was chosen.

    Args:
        process: fitted, or of few customers pooled.
        notes: why this one.
        fallback: where no process in which customers leave could be fitted: why, and what stands in its place.
    """

    process: RepeatModel
    notes: tuple[str, ...] = ()
    fallback: str = ""

    @classmethod
    def fitted(cls, known: AsOf, seen: Purchases, horizon: int, wanted: str = "auto") -> Buying:
        """Choose by a holdout of the last days, where the history is long enough, and fit on all of it.

        Args:
            known: the store as of the end of the fit.
            seen: the histories of then.
            horizon: days that will be looked ahead; the holdout is as long, and at most a third of the history.
            wanted: the name of a process that is to be fitted whatever a holdout would say.

        Raises:
            Refused: there are too few customers, or too few who bought again; or nobody at all has ordered for long.
        """
        FEWEST.check(len(seen), int((seen.frequency > 0).sum()))
        _check_silence(seen, horizon)
        few = _too_few(seen)
        if few:
            return cls(NegativeBinomial.pooled(seen, FEWEST), (), f"{few} {_POOLED}")
        ranked = Ranked([wanted]) if wanted in PROCESSES else _ranked(known, horizon)
        process, reasons = _first(seen, ranked.order)
        if process is None or (process.name == NegativeBinomial.name and ranked.unfit):
            return _staying(seen, reasons or ranked.unfit)
        notes = [ranked.note] if ranked.note else []
        if process.name == NegativeBinomial.name:
            notes.append("Under the NBD nobody is taken to have left, however long ago the last order is.")
        return cls(process, tuple(notes))


def _check_silence(seen: Purchases, horizon: int) -> None:
    """Refuse histories that ended long ago: whether the customers left or only the data end, nothing says.

    Raises:
        Refused: the newest order of all is older than the horizon, and than half a year.
    """
    since = float(silence(seen).min(initial=np.inf))
    if np.isfinite(since) and since > max(horizon, HALF_YEAR):
        raise Refused(
            f"Nobody at all has ordered for {told_days(since)}: whether customers left or the data end, nothing says.",
            fix="Load newer orders; or for data of the past write clock: data-end in shoal.yaml.",
        )


@dataclass(frozen=True)
class Ranked:
    """In which order processes are to be fitted.

    Args:
        order: their names.
        note: what was tried, for people.
        unfit: where no process in which customers leave could be tried: why.
    """

    order: list[str]
    note: str = ""
    unfit: tuple[str, ...] = ()


_POOLED = (
    "So orders are foretold by each customer's own rate, drawn to the rate of all (NBD with a shape of 1): nobody is "
    "taken to have left, however long ago the last order is."
)
_STAYS = (
    "So orders are foretold by each customer's own rate, drawn to that of others (NBD): nobody is taken to have left, "
    "however long ago the last order is."
)


def _too_few(seen: Purchases) -> str:
    from shoal.insight.models.btyd.refusals import USUAL

    try:
        USUAL.check(len(seen), int((seen.frequency > 0).sum()))
    except Refused as refusal:
        return refusal.problem
    return ""


def _first(seen: Purchases, order: Sequence[str]) -> tuple[RepeatModel | None, list[str]]:
    """The first process whose fit is a maximum, and why those before it aren't."""
    reasons = []
    for name in order:
        try:
            found = PROCESSES[name].fitted(seen)
        except Refused as refusal:
            reasons.append(f"{name}: {refusal.problem}")
            continue
        if found.fit is not None and found.fit.converged:
            return found, reasons
        reasons.append(f"{name}: {found.fit.reason if found.fit else ''}")
    return None, reasons


def _staying(seen: Purchases, reasons: Sequence[str]) -> Buying:
    found, more = _first(seen, [NegativeBinomial.name])
    why = "; ".join(reason.rstrip(".") for reason in (*reasons, *more))
    told = f"It can't be seen in these orders how customers leave ({why})."
    if found is not None:
        return Buying(found, (), f"{told} {_STAYS}")
    return Buying(NegativeBinomial.pooled(seen, FEWEST), (), f"{told} {_POOLED}")


def _ranked(known: AsOf, horizon: int) -> Ranked:
    """The processes that a holdout could try, best first, and what it said."""
    usual = [kind.name for kind in LEAVING]
    who, day, _ = known.days_with_orders()
    days = min(horizon, (known.today - int(day.min())) // 3)
    if days < LEAST_HOLDOUT:
        why = f"the history is too short to hold {LEAST_HOLDOUT} days of it back."
        return Ranked(usual, f"{usual[0]} was taken untried: {why}")
    try:
        tried = choose(_some(split(who, day, cut=known.today - days, end=known.today)), ALL)
    except Refused as refusal:
        return Ranked(usual, f"{usual[0]} was taken untried: {refusal.problem}")
    return _by_score(tried, days)


def _by_score(tried: Choice, days: int) -> Ranked:
    scored = [(s.log_score, s.name) for s in tried.scores if s.log_score is not None]
    scored.sort(key=lambda pair: -pair[0])
    order = [name for _, name in scored]
    if order == [NegativeBinomial.name]:
        return Ranked(order, unfit=tuple(f"{s.name}: {s.reason}" for s in tried.scores if s.reason))
    told = ", ".join(f"{name} {score:.4f}" for score, name in scored)
    note = (
        f"The process of orders is the one that gave what came in the last {days} days the greatest probability "
        f"(mean log: {told})."
    )
    # A process that couldn't be fitted before the cut may be fitted on all of the history.
    return Ranked(order + [kind.name for kind in LEAVING if kind.name not in order], note)


def _some(held: Split, most: int = TRIED_ON) -> Split:
    """So many customers at most, in even steps through all of them by history, whatever the order of rows."""
    if len(held.before) <= most:
        return held
    before = held.before
    order = np.lexsort((held.orders, before.recency, before.frequency, before.age))
    rows = order[:: -(-len(order) // most)]
    return Split(before.take(rows), held.orders[rows], held.horizon)


# ------------------------------------------------------------ what came


@dataclass(frozen=True)
class Outcome:
    """What customers who were there before did between two instants.

    Args:
        before: their histories at the first instant.
        orders: further days with an order.
        money: revenue or margin, less refunds; in the currency.
        days: between the instants.
    """

    before: Purchases
    orders: Floats
    money: Floats
    days: float

    @classmethod
    def between(cls, before: AsOf, after: AsOf, *, margin: bool = False) -> Outcome:
        """Compare the store at both instants.

        Raises:
            Refused: there was no order before, or no time lies between.
        """
        if after.at <= before.at:
            raise Refused("No time lies between the cut and its judgement.", fix="Judge at a later instant.")
        seen, later = before.purchases(margin=margin), after.purchases(margin=margin)
        earned = money(after, seen, margin=margin) - money(before, seen, margin=margin)
        grown = _at(seen, later.customers, later.frequency) - seen.frequency
        return cls(seen, grown, earned, (after.at - before.at) / DAY)

    @property
    def split(self) -> Split:
        """The same for ``btyd.holdout``."""
        return Split(self.before, self.orders, self.days / WEEK)


def _at(seen: Purchases, owners: NDArray[Any] | None, values: Floats) -> Floats:
    """A value for each customer of ``seen``, 0 where there is none."""
    assert seen.customers is not None
    assert owners is not None
    found = np.zeros(len(seen))
    if len(owners):
        place = np.minimum(np.searchsorted(owners, seen.customers), len(owners) - 1)
        there = owners[place] == seen.customers
        found[there] = values[place[there]]
    return found


def money(known: AsOf, seen: Purchases, *, margin: bool = False) -> Floats:
    """Revenue, or margin, of each customer up to the instant, less refunds on whichever day."""
    what = "revenue - cost" if margin else "revenue"
    table = known.arrow(
        f"SELECT customer, CAST(coalesce(sum({what}), 0) AS DOUBLE) / {MICRO} AS money FROM {known.sales.table} "
        "GROUP BY customer ORDER BY customer"
    )
    return _at(seen, table["customer"].to_numpy(), np.asarray(table["money"].to_numpy(), dtype=np.float64))


def money_since(known: AsOf, seen: Purchases, days: float, *, margin: bool = False) -> Floats:
    """The same over the last days."""
    with known.before(known.at - round(days * DAY)) as earlier:
        return money(known, seen, margin=margin) - money(earlier, seen, margin=margin)


def history_of(known: AsOf, customer: int, *, margin: bool = False) -> Purchases | None:
    """One customer's history; None where they have no order."""
    what = "revenue - cost" if margin else "revenue"
    table = known.arrow(
        f"SELECT day, CAST(coalesce(sum({what}), 0) AS DOUBLE) / {MICRO} AS amount FROM {known.sales.table} "
        f"WHERE customer = {customer:d} GROUP BY day HAVING bool_or(is_order) ORDER BY day"
    )
    day = np.asarray(table["day"].to_numpy(), dtype=np.int64)
    if not day.size:
        return None
    amount = np.maximum(np.asarray(table["amount"].to_numpy(), dtype=np.float64), 0.0)
    return summarise(np.full(day.size, customer), day, amount, end=known.today, unit="weeks")


def silence(seen: Purchases) -> Floats:
    """Days since the last order."""
    return (seen.age - seen.recency) * WEEK


def gap(seen: Purchases) -> Floats:
    """Mean days between two orders; NaN where there is but one."""
    with np.errstate(invalid="ignore"):
        return np.where(seen.frequency > 0, seen.recency * WEEK / seen.frequency, np.nan)


def told_days(days: float) -> str:
    """A number of days in words.

    >>> told_days(0.9), told_days(12.2)
    ('1 day', '12 days')
    """
    whole = max(1, round(days))
    return f"{whole:,} {'day' if whole == 1 else 'days'}"


def recent(frequency: float, since: float, usual: float) -> str:
    """When somebody ordered last, against their own habit; no sentence yet, begins small.

    >>> recent(4, 120, 25), recent(0, 3, float("nan"))
    ('last order 120 days ago, where 25 days lie between orders usually', 'one order only, 3 days ago')
    """
    return _order_of(frequency, "today" if since < 0.5 else f"{told_days(since)} ago", usual)


def last_order(frequency: float, day: int, usual: float) -> str:
    """The same by the date of the last order, in days since 1970.

    >>> last_order(4, 17225, 25), last_order(0, 17225, float("nan"))
    ('last order on 2017-02-28, where 25 days lie between orders usually', 'one order only, on 2017-02-28')
    """
    return _order_of(frequency, f"on {date.fromordinal(EPOCH + day)}", usual)


def _order_of(frequency: float, when: str, usual: float) -> str:
    if frequency == 0:
        return f"one order only, {when}"
    lie = "lies" if round(usual) <= 1 else "lie"
    return f"last order {when}, where {told_days(usual)} {lie} between orders usually"


# ------------------------------------------------------------ evidence


def fingerprint(seen: Purchases) -> str:
    """Names the histories: the same for the same ones in any order, 16 hexadecimal digits."""
    columns = [seen.age, seen.frequency, seen.recency]
    columns += [c for c in (seen.spend, seen.spend_orders, seen.total) if c is not None]
    order = np.lexsort(columns)
    found = sha256()
    for column in columns:
        found.update(np.ascontiguousarray(column[order]).tobytes())
    return found.hexdigest()[:16]


def weeks(process: RepeatModel, outcome: Outcome, after: AsOf) -> Rows:
    """The frame ``weeks``: repeat orders of the customers who were there at the cut, foretold and as they came."""
    who, day, _ = after.days_with_orders()
    assert outcome.before.customers is not None
    kept = np.isin(who, outcome.before.customers)
    try:
        found = track(process, who[kept], day[kept], end=after.today)
    except Refused:
        return []
    columns = (found.end, found.expected, found.actual, found.expected_sum, found.actual_sum)
    names = ("week", "foretold", "came", "foretold_sum", "came_sum")
    return [dict(zip(names, row, strict=True)) for row in np.column_stack(columns).tolist()]


def frequencies(process: RepeatModel, outcome: Outcome) -> Rows:
    """The frame ``frequency``: orders to come by repeat orders before; the last row is of 7 and more."""
    found = by_frequency(process, outcome.split)
    rows = zip(
        found.frequency.tolist(), found.customers.tolist(), found.expected.tolist(), found.actual.tolist(), strict=True
    )
    return [{"frequency": int(f), "customers": int(n), "foretold": e, "came": a} for f, n, e, a in rows]


def deciles(foretold: Floats, came: Floats) -> Rows:
    """The frame ``deciles``, from the highest of ``foretold`` down; equal ones across an edge are shared out.

    It is empty for fewer than ten customers, and where nothing came: there is no lift over nothing.
    """
    if len(foretold) < TENTHS or not came.sum():
        return []
    order = np.argsort(-foretold, kind="stable")
    last = np.append(np.flatnonzero(np.diff(foretold[order])), len(order) - 1)
    steps = np.append(0, last + 1)
    edges = np.round(np.arange(TENTHS + 1) * len(order) / TENTHS)
    size = np.diff(edges)
    sums = [np.interp(edges, steps, np.append(0.0, np.cumsum(column[order])[last])) for column in (foretold, came)]
    said, held = (np.diff(total) / size for total in sums)
    columns = np.column_stack([size, said, held, held / came.mean(), sums[1][1:] / sums[1][-1]]).tolist()
    names = ("n", "foretold", "came", "lift", "gain")
    return [{"decile": i + 1, **dict(zip(names, row, strict=True)), "n": int(row[0])} for i, row in enumerate(columns)]


# ------------------------------------------------------------ keeping


def kept(process: RepeatModel) -> dict[str, Any]:
    """A process, JSON-ready."""
    return {"name": process.name, "values": process.values().tolist(), "unit": process.unit}


def process_of(document: Mapping[str, Any]) -> RepeatModel:
    """The process of ``kept``."""
    made: Any = PROCESSES[document["name"]]
    found: RepeatModel = made(*document["values"], unit=document["unit"])
    return found
