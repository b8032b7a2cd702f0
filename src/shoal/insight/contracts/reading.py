"""How long each customer has been under contract, and whether they left: from two traits, or from dates and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.errors import DefinitionError, Refused, UnknownName
from shoal.lang.check import check
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from shoal.insight.models.asof import AsOf
    from shoal.shapes import ContractRule
    from shoal.sql.registry import Trait

    Floats = NDArray[np.float64]
    Days = NDArray[np.int64]
    Keys = NDArray[np.int32]
    Mask = NDArray[np.bool_]

MICRO = 1_000_000
CHURN = "For customers who just order, see who will buy nothing more: shoal predict churn"
"""Where those without a contract are foretold."""
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7}


@dataclass(frozen=True)
class Spells:
    """How long each customer's contract ran.

    Args:
        customers: keys, ascending.
        time: for how many periods, up to the end or to the instant.
        left: whether it ended.
        period: the length of a period, one of ``shapes.PERIODS``.
        says: what this was read from, to stand after "by".
        notes: who was left out, and why.
    """

    customers: Keys
    time: Floats
    left: Mask
    period: str
    says: str
    notes: tuple[str, ...] = ()


def read(known: AsOf, rule: ContractRule) -> Spells:
    """The contracts of a workspace at an instant.

    Raises:
        UnknownName: there is no such event or trait.
        Refused: what is named can't say when a contract ends, or nobody has a contract.
    """
    found = _by_traits(known, rule) if rule.tenure else _by_dates(known, rule)
    if not found.customers.size:
        raise Refused(f"Nobody has a contract by {found.says}. {' '.join(found.notes)}".strip(), fix="Load contracts.")
    return found


# ------------------------------------------------------------ from two traits


def _by_traits(known: AsOf, rule: ContractRule) -> Spells:
    """A customer without a tenure, or of whom it isn't known whether they left, is left out."""
    tenure = _own(known, rule.tenure)
    if tenure.kind is not Kind.NUMBER:
        raise Refused(
            f"{rule.tenure} is {tenure.kind.value}, so it can't say for how many periods a customer has stayed.",
            fix="Name a trait with a number under tenure; where there are dates, name them under start and end.",
        )
    owners, values = _values(known, tenure)
    time = known.aligned(owners, values.astype(np.float64) / MICRO)
    left, unsure = _left(known, rule.left)
    with np.errstate(invalid="ignore"):
        below = time < 0
    sound = np.isfinite(time) & ~below & ~unsure
    notes = (
        _told(int((unsure & np.isfinite(time)).sum()), f"of {{}} it isn't known whether they left ({rule.left})."),
        _told(int(below.sum()), f"{{}} {{have}} a {rule.tenure} below 0."),
    )
    left_out = tuple(f"Left out: {note}" for note in notes if note)
    says = f"{rule.tenure} and {rule.left}"
    return Spells(known.customers[sound], time[sound], left[sound], rule.period, says, left_out)


def _left(known: AsOf, text: str) -> tuple[Mask, Mask]:
    """Who left, and of whom it isn't known: a yes/no trait, or a condition of the segment language."""
    trait = known.registry.trait(text)
    if trait is None:
        return _holds(known, text), np.zeros(len(known.customers), dtype=bool)
    if trait.kind is not Kind.YESNO:
        raise Refused(
            f"{text} is {trait.kind.value}, so it doesn't say yes or no.",
            fix=f"Write which of its values says that a customer left, as left: '{text} = \"Yes\"'.",
        )
    owners, values = _values(known, _own(known, text))
    said = known.aligned(owners, values.astype(np.float64))
    return said == 1, np.isnan(said)


def _holds(known: AsOf, text: str) -> Mask:
    try:
        where = parse(text)
        check(where, known.schema, text=text)
    except DefinitionError as error:
        raise Refused(f"`left` isn't a yes/no trait, and no condition: {error.problem}", fix=error.fix) from error
    return known.holds({"left": Definition("left", "left", where)})["left"]


def _own(known: AsOf, name: str) -> Trait:
    """A trait of customers that was loaded.

    Raises:
        UnknownName: there is none.
        Refused: a model or a computation writes it.
    """
    trait = known.registry.trait(name)
    if trait is None:
        raise UnknownName("trait", name, [t.name for t in known.traits])
    if trait.score:
        raise Refused(
            f"{name} is worked out, mostly from orders, and says nothing of a contract: who ordered last may order again.",
            fix=CHURN,
        )
    return trait


def _values(known: AsOf, trait: Trait) -> tuple[Keys, NDArray[Any]]:
    """Owners and stored values, where there is one."""
    table = known.arrow(f"SELECT owner, value FROM ({known.trait(trait)}) WHERE value IS NOT NULL")
    return (
        np.asarray(table["owner"].to_numpy(), dtype=np.int32),
        np.asarray(table["value"].to_numpy(zero_copy_only=False)),
    )


def _told(count: int, text: str) -> str:
    """A sentence about so many customers; empty for none."""
    if not count:
        return ""
    many = f"{count:,} {'customer' if count == 1 else 'customers'}"
    return text.replace("{have}", "has" if count == 1 else "have").replace("{}", many)


# ------------------------------------------------------------ from dates and events


@dataclass(frozen=True)
class _Moments:
    """When something happened, a row each: days since 1970, and instants where they are known."""

    owners: Keys
    days: Days
    instants: Days | None


def _by_dates(known: AsOf, rule: ContractRule) -> Spells:
    """A customer's first contract: from the first start to the first end from then on."""
    if rule.end == known.rule.orders:
        raise Refused(
            f"{known.rule.orders} doesn't end a contract: who ordered last may order again, and nobody says good-bye.",
            fix=f"Name the event or date that ends a contract, as a cancellation. {CHURN}",
        )
    if rule.start == rule.end:
        raise Refused(f"{rule.start} can't both begin and end a contract.", fix="Name what ends it under end.")
    starts, ends = _moments(known, rule.start), _moments(known, rule.end)
    exact = starts.instants is not None and ends.instants is not None
    begun, ended = (m.instants if exact and m.instants is not None else m.days for m in (starts, ends))
    late = starts.days > known.today
    first = _first(known, starts.owners[~late], begun[~late])
    since, there = _at(known, first, ends.owners)
    passed = (ends.days <= known.today) & there & (ended >= since)
    last = _first(known, ends.owners[passed], ended[passed])
    has, gone = first < _NEVER, last < _NEVER
    start, end = (_days(known, values, exact) for values in (first[has], np.where(gone, last, 0)[has]))
    time = elapsed(start, np.where(gone[has], end, known.today), rule.period)
    notes = _date_notes(known, rule, (starts, ends), (first, last), (begun, late))
    return Spells(known.customers[has], time, gone[has], rule.period, f"{rule.start} and {rule.end}", notes)


_NEVER = np.iinfo(np.int64).max


def _moments(known: AsOf, name: str) -> _Moments:
    """When an event came, or which date a trait says."""
    if name in known.events:
        table = known.arrow(f"SELECT customer, ts FROM ({known.event(name)})")
        owners = np.asarray(table["customer"].to_numpy(), dtype=np.int32)
        instants = np.asarray(table["ts"].to_numpy(), dtype=np.int64)
        return _Moments(owners, _local(known, instants), instants)
    if known.registry.trait(name) is None:
        raise UnknownName("event or trait", name, [*known.events, *(t.name for t in known.traits)])
    trait = _own(known, name)
    if trait.kind not in (Kind.DATE, Kind.INSTANT):
        raise Refused(
            f"{name} is {trait.kind.value}, so it doesn't say when.", fix="Name an event, or a trait with a date."
        )
    owners, values = _values(known, trait)
    stored = values.astype(np.int64)
    return (
        _Moments(owners, stored, None) if trait.kind is Kind.DATE else _Moments(owners, _local(known, stored), stored)
    )


def _local(known: AsOf, instants: Days) -> Days:
    """The local date of each instant, in days since 1970."""
    if not instants.size:
        return instants
    steps = known.zone.transitions(int(instants.min()), int(instants.max()) + 1)
    since, ahead = (np.array(column, dtype=np.int64) for column in zip(*steps, strict=True))
    place = np.maximum(np.searchsorted(since, instants, "right") - 1, 0)
    return (instants + ahead[place] * MICRO) // DAY


def _days(known: AsOf, values: Days, exact: bool) -> Days:
    return _local(known, values) if exact else values


def _first(known: AsOf, owners: Keys, when: Days) -> Days:
    """The first of each of ``known.customers``, ``_NEVER`` where there is none."""
    place, there = known.rows(owners)
    found = np.full(len(known.customers), _NEVER, dtype=np.int64)
    np.minimum.at(found, place[there], when[there])
    return found


def _at(known: AsOf, values: Days, owners: Keys) -> tuple[Days, Mask]:
    """A customer's value for each owner, and whether the owner is there."""
    place, there = known.rows(owners)
    return (values[place] if values.size else np.zeros(len(owners), dtype=np.int64)), there


def _date_notes(
    known: AsOf,
    rule: ContractRule,
    moments: tuple[_Moments, _Moments],
    firsts: tuple[Days, Days],
    starts: tuple[Days, Mask],
) -> tuple[str, ...]:
    (begins, ends), (first, last), (begun, late) = moments, firsts, starts
    end, there = _at(known, last, begins.owners)
    again = np.unique(begins.owners[there & (begun > end) & ~late])
    place, there = known.rows(ends.owners)
    lost = np.unique(place[there & (first[place] == _NEVER)]) if first.size else np.zeros(0)
    ahead = np.unique(begins.owners[late & ~np.isin(begins.owners, begins.owners[~late])])
    notes = (
        _told(again.size, "{} came back after leaving; the first contract of each counts."),
        _told(lost.size, f"Left out: {{}} {{have}} an end ({rule.end}) without a start ({rule.start})."),
        _told(ahead.size, "Left out: {} begin after this day."),
    )
    return tuple(note for note in notes if note)


# ------------------------------------------------------------ the calendar


def elapsed(start: ArrayLike, end: ArrayLike, period: str) -> Floats:
    """Periods between two days, parts of one included.

    Months, quarters and years are counted by the calendar: a contract of 31 January is renewed on the last of February,
    and the part of a period that has passed is a share of its own days.

    Args:
        start: days since 1970.
        end: days since 1970, not before ``start``.
        period: one of ``shapes.PERIODS``.

    >>> elapsed([0], [31], "month").tolist(), elapsed([0], [7], "week").tolist(), elapsed([0], [365], "year").tolist()
    ([1.0], [1.0], [1.0])
    """
    since, until = np.asarray(start, dtype=np.int64), np.asarray(end, dtype=np.int64)
    if period in _DAYS:
        return np.asarray((until - since) / _DAYS[period])
    step = _MONTHS[period]
    born = since.astype("datetime64[D]").astype("datetime64[M]")
    months = (until.astype("datetime64[D]").astype("datetime64[M]") - born).astype(np.int64) // step
    months -= _renewal(since, born, months * step) > until
    before, after = (_renewal(since, born, (months + more) * step) for more in (0, 1))
    return np.asarray(months + (until - before) / (after - before))


def _renewal(since: Days, born: NDArray[Any], months: Days) -> Days:
    """The day so many months after the first one, or the last of its month where there is no such day."""
    month = born + months.astype("timedelta64[M]")
    first = month.astype("datetime64[D]").astype(np.int64)
    last = (month + np.timedelta64(1, "M")).astype("datetime64[D]").astype(np.int64) - 1
    day = since - born.astype("datetime64[D]").astype(np.int64)
    return np.asarray(np.minimum(first + day, last))
