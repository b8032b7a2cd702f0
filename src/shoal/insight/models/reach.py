"""Reach: by which channel, at which local hour and on which weekday a customer is most likely to be there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf, isinf
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.model import Evidence, Judged, Measure, Model, Score
from shoal.insight.purchases import named
from shoal.insight.sales import local_hour
from shoal.insight.taste.credibility import strength_of_counts
from shoal.insight.taste.lines import fingerprint, fingerprint_of_each
from shoal.lang.calendar import WEEKDAYS
from shoal.lang.schema import Kind
from shoal.sql.encode import local_day, quoted
from shoal.stats.intervals import Moments, mean_interval
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.model import Settings
    from shoal.sql.registry import EventType

    Ints = npt.NDArray[np.int64]

HOUR, WEEKDAY, CHANNEL = "hour", "weekday", "channel"
WINDOW = 3
"""Hours of the window that is foretold: the best hour with the one before and the one after."""
DAYS = 730
MIN_CUSTOMERS = 50
MOST_CHANNELS = 20
_COMPANY = frozenset(
    (
        "sent", "delivered", "bounced", "dropped", "deferred", "scheduled", "queued", "refunded", "cancelled", "canceled",
        "shipped", "fulfilled", "failed", "expired", "issued", "suppressed",
    )
)  # fmt: skip
"""The last word of events that the company does, and not the customer."""
_SPOKEN = ("email", "e-mail", "sms", "push", "whatsapp", "mail", "phone", "call", "web", "page", "app", "store")
_ROWS = 100_000
_SAME = 0.95


@dataclass(frozen=True, slots=True)
class Habit:
    """What customers do by hour, weekday or channel.

    Args:
        way: hour, weekday or channel.
        values: its names: ``0`` to ``23``, Monday …, or channels.
        shares: the base's share of each.
        strength: how many days of a customer's own weigh as much as the base; infinite where customers don't differ.
    """

    way: str
    values: tuple[str, ...]
    shares: tuple[float, ...]
    strength: float

    def best(self, counts: Ints) -> Ints:
        """For each row of counts the place of the most likely value; of equal ones the first."""
        found = np.empty(len(counts), dtype=np.int64)
        weight = 1.0 if isinf(self.strength) else self.strength
        for start in range(0, len(counts), _ROWS):
            rows = slice(start, start + _ROWS)
            mine = 0.0 if isinf(self.strength) else counts[rows]
            likely = mine + weight * np.asarray(self.shares) + np.zeros((len(counts[rows]), 1))
            found[rows] = self.around(likely).argmax(axis=1)
        return found

    def around(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Of each place the sum over its window; only hours have one that is wider than the place."""
        if self.way != HOUR:
            return values
        window: npt.NDArray[Any] = values + np.roll(values, 1, axis=-1) + np.roll(values, -1, axis=-1)
        return window

    def hits(self, counts: Ints, places: Ints) -> npt.NDArray[np.float64]:
        """Of each row the share of its counts that falls into the window around a place."""
        inside = np.take_along_axis(self.around(counts), places[:, None], axis=1).ravel()
        return np.asarray(inside / counts.sum(axis=1), dtype=np.float64)


class Reach(Model):
    """Habits of customers, shrunk to the base's, so that one event doesn't decide."""

    title: ClassVar[str] = "the best channel, hour and weekday"
    by: ClassVar[str] = "hit"
    higher: ClassVar[bool] = True

    def __init__(self, settings: Settings, evidence: Evidence, habits: tuple[Habit, ...]) -> None:
        super().__init__(settings, evidence)
        self.habits = habits

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Reach:
        """Learn when and where the base is there, and how much customers differ in that.

        Raises:
            Refused: too few customers did anything.
        """
        habits, notes, marks, seen = [], [], [], 0
        for way in (HOUR, WEEKDAY, CHANNEL):
            source = _source(known, way, settings)
            if source is None:
                notes.append(_MISSING[way])
                continue
            names = _names(known, way, source)
            customers, counts = _counts(known, source, names)
            seen = max(seen, len(customers))
            if len(customers) < MIN_CUSTOMERS or len(names) < 2:
                notes.append(
                    f"Too little is known of the {way}: {counted(len(customers), 'customer')}, {len(names)} of it."
                )
                continue
            habit = Habit(way, names, tuple((counts.sum(axis=0) / counts.sum()).tolist()), strength_of_counts(counts))
            habits.append(habit)
            marks.append(fingerprint_of_each(np.arange(len(counts)), *counts.T))
            if isinf(habit.strength):
                notes.append(f"Customers don't differ by {way} more than chance makes them: all get the base's.")
        if not habits:
            raise Refused(
                f"To say when and where to reach customers, {MIN_CUSTOMERS} of them must have done something in the "
                f"last {DAYS} days; {seen} did. {' '.join(notes)}",
                fix="Load orders with their time, and opens, clicks or visits.",
            )
        return cls(settings, _evidence(known, habits, seen, marks, notes), tuple(habits))

    # ------------------------------------------------------------ scores

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """``best_hour``, ``best_weekday`` and ``best_channel`` of those who did anything; the others have none."""
        found = []
        for habit in self.habits:
            source = _source(known, habit.way, self.settings)
            if source is None:
                continue
            customers, counts = _counts(known, source, habit.values)
            places = habit.best(counts)
            if habit.way == HOUR:
                found.append(Score("best_hour", Kind.NUMBER, _SAYS[HOUR], customers, places.astype(np.float64)))
            else:
                words = [habit.values[place] for place in places.tolist()]
                found.append(Score(f"best_{habit.way}", Kind.TEXT, _SAYS[habit.way], customers, words))
        return tuple(found)

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """For each habit what the customer did, against the base."""
        said = []
        for habit in self.habits:
            source = _source(known, habit.way, self.settings)
            if source is not None:
                said.append(_reason(habit, _counts(known, source, habit.values, customer=customer)[1]))
        return tuple(said)

    # ------------------------------------------------------------ how well

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """Which share of what each customer did later fell into the window that was foretold; the mean over customers.

        Baselines: everyone's most frequent (``base``), the customer's latest (``last used``), and their own most
        frequent without shrinking (``own most frequent``). ``hit`` is the mean over hour, weekday and channel.

        Raises:
            Refused: nobody of whom something is foretold did anything afterwards.
        """
        hits: dict[str, dict[str, npt.NDArray[np.float64]]] = {}
        for habit in self.habits:
            picks = self._picks(habit, before)
            source = _source(after, habit.way, self.settings)
            if picks is None or source is None:
                continue
            came, counts = _counts(after, source, habit.values, since=before.today)
            customers, chosen = picks
            place = np.searchsorted(customers, came)
            there = np.append(customers, -1)[place] == came
            for who, places in chosen.items():
                hits.setdefault(who, {})[habit.way] = habit.hits(counts[there], places[place[there]])
        if not hits or not any(len(one) for one in hits["reach"].values()):
            raise Refused("Nobody of whom something was known did anything after the cut.")
        customers_seen = max(len(one) for one in hits["reach"].values())
        return Judged(customers_seen, tuple(m for who, ways in hits.items() for m in _measures(who, ways)))

    def _picks(self, habit: Habit, before: AsOf) -> tuple[npt.NDArray[np.int32], dict[str, Ints]] | None:
        source = _source(before, habit.way, self.settings)
        if source is None:
            return None
        customers, counts = _counts(before, source, habit.values)
        base = habit.best(np.zeros((1, len(habit.values)), dtype=np.int64))
        return customers, {
            "reach": habit.best(counts),
            "base": np.repeat(base, len(customers)),
            "last used": _latest(before, source, habit.values, customers),
            "own most frequent": habit.around(counts).argmax(axis=1),
        }

    def state(self) -> dict[str, Any]:
        """The habits of the base; an infinite strength as null."""
        return {"habits": [{**asdict(h), "strength": None if isinf(h.strength) else h.strength} for h in self.habits]}

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Reach:
        """The model of ``state``."""
        habits = (
            Habit(h["way"], tuple(h["values"]), tuple(h["shares"]), inf if h["strength"] is None else h["strength"])
            for h in state["habits"]
        )
        return cls(settings, evidence, tuple(habits))


_SAYS = {
    HOUR: f"The local hour, 0 to 23, in the middle of the {WINDOW} hours in which the customer is most likely to be there.",
    WEEKDAY: "The weekday on which the customer is most likely to be there.",
    CHANNEL: "The channel by which the customer acts most. One that they were never offered can't be it.",
}
_MISSING = {
    HOUR: "No event bears a time of day, so there is no best hour.",
    WEEKDAY: "No event is a customer's own, so there is no best weekday.",
    CHANNEL: "Neither an order nor an open, click or visit says its channel, so there is no best channel.",
}


def acts(known: AsOf, settings: Settings) -> list[EventType]:
    """The events that customers do themselves: those that the settings name, or all whose name doesn't say otherwise."""
    chosen = settings.options.get("events")
    if chosen:
        return [known.events[name] for name in chosen if name in known.events]
    return [event for name, event in sorted(known.events.items()) if _last_word(name) not in _COMPANY]


def _last_word(name: str) -> str:
    return name.casefold().rpartition(" ")[2]


def _source(known: AsOf, way: str, settings: Settings) -> str | None:
    """The SQL of (customer, day, value, ts): what customers did of which the hour, weekday or channel is known."""
    selects = []
    for event in acts(known, settings):
        value = _value(known, way, event)
        if value is not None:
            day = local_day("ts", "offset_s")
            selects.append(f"SELECT customer, ts, {day} AS day, {value} AS value FROM ({known.event(event.name)})")
    if not selects:
        return None
    first = known.today - DAYS
    return f"SELECT * FROM ({' UNION ALL '.join(selects)}) WHERE value IS NOT NULL AND day > {first}"


def _value(known: AsOf, way: str, event: EventType) -> str | None:
    """The SQL of an event's hour, weekday or channel as text; None where it doesn't say."""
    if way == HOUR:
        return f"CAST({local_hour()} AS VARCHAR)" if _has_time(known, event) else None
    if way == WEEKDAY:
        # 1970-01-01 was a Thursday.
        day = local_day("ts", "offset_s")
        return f"list_extract([{', '.join(map(quoted, WEEKDAYS))}], (({day} + 3) % 7 + 7) % 7 + 1)"
    column = named(event.properties, known.rule.purchases.channel, Kind.TEXT)
    if column is not None:
        return f"nullif(trim({event.properties[column].col}), '')"
    first = event.name.split()[0].casefold()
    return quoted({"page": "web", "e-mail": "email"}.get(first, first)) if first in _SPOKEN else None


def _has_time(known: AsOf, event: EventType) -> bool:
    """Whether an event bears times and not dates alone, whose hour would be midnight or the time of the import."""
    seconds = "((ts // 1000000 + offset_s) % 86400 + 86400) % 86400"
    table = known.arrow(
        f"SELECT max(n) AS most, sum(n) AS n FROM (SELECT {seconds} AS second, count(*) AS n "
        f"FROM ({known.event(event.name)}) GROUP BY second)"
    )
    most, n = table["most"][0].as_py(), table["n"][0].as_py()
    return bool(n) and most < _SAME * float(n)


def _names(known: AsOf, way: str, source: str) -> tuple[str, ...]:
    if way == HOUR:
        return tuple(str(hour) for hour in range(24))
    if way == WEEKDAY:
        return WEEKDAYS
    table = known.arrow(
        f"SELECT value FROM (SELECT DISTINCT customer, day, value FROM ({source})) GROUP BY value "
        f"ORDER BY count(*) DESC, value LIMIT {MOST_CHANNELS}"
    )
    return tuple(table["value"].to_pylist())


def _counts(
    known: AsOf, source: str, names: Sequence[str], *, since: int | None = None, customer: int | None = None
) -> tuple[npt.NDArray[np.int32], Ints]:
    """On how many days each customer did something at each value: keys, ascending, and customers × values."""
    first = known.today - DAYS if since is None else since
    table = known.arrow(
        f"SELECT customer, value, count(DISTINCT day) AS n FROM ({source}) WHERE day > {first} "
        f"{'' if customer is None else f'AND customer = {customer:d} '}"
        f"AND value IN ({', '.join(map(quoted, names))}) GROUP BY customer, value ORDER BY customer"
    )
    who, row = np.unique(np.asarray(table["customer"].to_numpy(), dtype=np.int32), return_inverse=True)
    counts = np.zeros((len(who), len(names)), dtype=np.int64)
    counts[row, _places(table["value"].to_pylist(), names)] = table["n"].to_numpy()
    return who, counts


def _places(values: Sequence[str], names: Sequence[str]) -> Ints:
    place = {name: at for at, name in enumerate(names)}
    return np.fromiter((place[value] for value in values), dtype=np.int64, count=len(values))


def _latest(known: AsOf, source: str, names: Sequence[str], customers: npt.NDArray[np.int32]) -> Ints:
    """For each customer the place of the value that they used last."""
    table = known.arrow(
        f"SELECT customer, arg_max(value, (ts, value)) AS value FROM ({source}) "
        f"WHERE value IN ({', '.join(map(quoted, names))}) GROUP BY customer ORDER BY customer"
    )
    found = np.zeros(len(customers), dtype=np.int64)
    found[np.searchsorted(customers, table["customer"].to_numpy())] = _places(table["value"].to_pylist(), names)
    return found


def _measures(who: str, ways: Mapping[str, npt.NDArray[np.float64]]) -> list[Measure]:
    means = {way: float(one.mean()) for way, one in ways.items() if len(one)}
    found = [Measure(who, "hit", sum(means.values()) / len(means), n=max(len(one) for one in ways.values()))]
    for way in means:
        one = ways[way]
        interval = mean_interval(Moments.of_sums(len(one), float(one.sum()), float((one * one).sum())))
        found.append(Measure(who, f"{way} hit", *interval, n=len(one)))
    return found


def _evidence(known: AsOf, habits: Sequence[Habit], seen: int, marks: Sequence[str], notes: Sequence[str]) -> Evidence:
    ways = " and ".join(filter(None, [", ".join(h.way for h in habits[:-1]), habits[-1].way]))
    same = "Customers don't differ more than chance makes them differ: all get the base's."
    return Evidence(
        label=f"At which {ways} customers are there: days on which they did something, of the last {DAYS} days.",
        since=max(known.first_order or 0, known.at - DAYS * 86_400_000_000),
        until=known.at,
        fingerprint=fingerprint(list(marks)),
        customers=seen,
        notes=tuple(notes),
        fallback=same if all(isinf(h.strength) for h in habits) else "",
    )


def _reason(habit: Habit, counts: Ints) -> str:
    total = int(counts.sum())
    if not total:
        return f"Nothing is known of the customer's {habit.way}."
    place = habit.best(counts)[0]
    mine, base = (int(habit.around(counts)[0, place]), float(habit.around(np.asarray(habit.shares))[place]))
    name = habit.values[place]
    where = {
        HOUR: f"From {(place - 1) % 24} to {(place + 2) % 24} o'clock",
        WEEKDAY: f"On {name}s",
        CHANNEL: f"By {name}",
    }[habit.way]
    if isinf(habit.strength):
        return (
            f"{where} the base is there most ({base:.0%}); customers don't differ in that more than chance makes them."
        )
    return (
        f"{where}: {mine} of the customer's {counted(total, 'time')}; the base {base:.0%}. "
        f"The base weighs as much as {habit.strength:.0f} times of their own."
    )
