"""Reach: by which channel, at which local hour and on which weekday to reach a customer.

Where messages and answers to them are recorded, it is where customers answer (see ``answers``); else where they act by
themselves, which is another thing, and the evidence says so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf, isinf
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from shoal.errors import Refused
from shoal.insight.models import answers
from shoal.insight.models.answers import (
    CHANNEL,
    FIXED,
    HOUR,
    WEEKDAY,
    Answering,
    Touches,
    around,
    channel_of,
    has_time,
    weekday_of,
)
from shoal.insight.models.contest import Contest
from shoal.insight.models.model import Evidence, Judged, Measure, Model, Score
from shoal.insight.sales import local_hour
from shoal.insight.taste.credibility import strength_of_counts
from shoal.insight.taste.lines import fingerprint, fingerprint_of_each
from shoal.lang.schema import Kind
from shoal.sql.encode import local_day, quoted
from shoal.stats.bootstrap import Tally
from shoal.stats.intervals import Moments, mean_interval
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.model import Settings
    from shoal.sql.registry import EventType

    Ints = npt.NDArray[np.int64]
    Way: TypeAlias = "Habit | Answering"
    _Hit = Callable[[Ints, npt.NDArray[np.bool_]], npt.NDArray[np.float64]]

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
_ROWS = 100_000


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
        return around(self.way, values)

    def hits(self, counts: Ints, places: Ints) -> npt.NDArray[np.float64]:
        """Of each row the share of its counts that falls into the window around a place."""
        inside = np.take_along_axis(self.around(counts), places[:, None], axis=1).ravel()
        return np.asarray(inside / counts.sum(axis=1), dtype=np.float64)


class Reach(Model):
    """Where customers answer, or else act: shrunk to the base's, so that one event doesn't decide.

    Args:
        settings: what it was fitted with.
        evidence: what it rests on.
        habits: of hours, weekdays and channels, in this order, those that can be told.
    """

    title: ClassVar[str] = "the best channel, hour and weekday"
    by: ClassVar[str] = "hit"
    higher: ClassVar[bool] = True

    def __init__(self, settings: Settings, evidence: Evidence, habits: tuple[Way, ...]) -> None:
        super().__init__(settings, evidence)
        self.habits = habits

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Reach:
        """Learn when and where the base is there, and how much customers differ in that.

        Raises:
            Refused: too few customers did anything.
        """
        habits: list[Way] = []
        notes, marks, seen = [], [], 0
        touches = Touches.of(known, settings)
        for way in (HOUR, WEEKDAY, CHANNEL):
            found = None if touches is None else _answering(known, touches, way)
            if touches is not None and found is not None:
                habits.append(found[0])
                marks.append(found[1])
                seen = max(seen, found[2])
                notes.append(_of_answers(found[0], touches))
                continue
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
        """``best_hour``, ``best_weekday`` and ``best_channel`` of those who did, or were sent, anything; others have none."""
        found = []
        for habit in self.habits:
            picks = self._picks(habit, known)
            if picks is None:
                continue
            customers, places, says = picks[0], picks[1]["reach"], _says(habit)
            if habit.way == HOUR:
                found.append(Score("best_hour", Kind.NUMBER, says, customers, places.astype(np.float64)))
            else:
                words = [habit.values[place] for place in places.tolist()]
                found.append(Score(f"best_{habit.way}", Kind.TEXT, says, customers, words))
        return tuple(found)

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """For each habit what the customer did, against the base."""
        said = []
        for habit in self.habits:
            if isinstance(habit, Answering):
                said.append(self._answer(habit, known, customer))
                continue
            source = _source(known, habit.way, self.settings)
            if source is not None:
                said.append(_reason(habit, _counts(known, source, habit.values, customer=customer)[1]))
        return tuple(said)

    # ------------------------------------------------------------ how well

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """Which share of what each customer did later fell into the window that was foretold; the mean over customers.

        Where it is told from answers: which share they answered of the messages that were sent in that window, by that
        channel; who was sent none of them isn't judged by it.

        Baselines: everyone's best (``base``), the customer's latest (``last used``), and their own best without shrinking
        (``own most frequent``). ``hit`` is the mean over hour, weekday and channel.

        Raises:
            Refused: nobody of whom something is foretold did anything afterwards.
        """
        came: dict[str, dict[str, _Hits]] = {}
        for habit in self.habits:
            picks, later = self._picks(habit, before), self._later(habit, before, after)
            if picks is None or later is None:
                continue
            customers, chosen = picks
            owners, hits = later
            place = np.searchsorted(customers, owners)
            there = np.append(customers, -1)[place] == owners
            for who, places in chosen.items():
                found = np.full(len(owners), np.nan)
                found[there] = hits(places[place[there]], there)
                came.setdefault(who, {})[habit.way] = _Hits(owners[~np.isnan(found)], found[~np.isnan(found)])
        if not came or not any(len(one.owners) for one in came["reach"].values()):
            raise Refused("Nobody of whom something was known did anything after the cut.")
        seen = max(len(one.owners) for one in came["reach"].values())
        measures = tuple(m for who, ways in came.items() for m in _measures(who, {w: h.hits for w, h in ways.items()}))
        return Judged(seen, measures, contest=_contest(came))

    def _picks(self, habit: Way, before: AsOf) -> tuple[npt.NDArray[np.int32], dict[str, Ints]] | None:
        """Of whom something can be foretold, and the places that the model and each baseline choose."""
        if isinstance(habit, Answering):
            source = self._told(before)
            if source is None:
                return None
            found = answers.counted(before, source, habit.way, habit.values)
            return found.customers, {
                "reach": habit.best(found.sent, found.answers),
                "base": np.full(len(found.customers), habit.base),
                "last used": _last_answered(before, source, habit, found.customers),
                "own most frequent": habit.own(found.sent, found.answers),
            }
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

    def _later(self, habit: Way, before: AsOf, after: AsOf) -> tuple[npt.NDArray[np.int32], _Hit] | None:
        """Who did, or was sent, something after the cut, and how much of it falls to some places of theirs."""
        if isinstance(habit, Answering):
            source = self._told(after)
            if source is None:
                return None
            found = answers.counted(after, source, habit.way, habit.values, f"ts > {before.at:d}")
            return found.customers, lambda places, there: habit.rates_at(
                places, found.sent[there], found.answers[there]
            )
        source = _source(after, habit.way, self.settings)
        if source is None:
            return None
        came, counts = _counts(after, source, habit.values, since=before.at)
        return came, lambda places, there: habit.hits(counts[there], places)

    def _told(self, known: AsOf) -> str | None:
        touches = Touches.of(known, self.settings)
        return None if touches is None else touches.told(known)

    def _answer(self, habit: Answering, known: AsOf, customer: int) -> str:
        source = self._told(known)
        nothing = np.zeros((1, len(habit.values)), np.int64)
        none = answers.Counts(np.zeros(1, np.int32), nothing, nothing, nothing[0])
        found = none
        if source is not None:
            found = answers.counted(known, source, habit.way, habit.values, f"customer = {customer:d}")
        if not len(found.customers):
            found = none
        place = int(habit.best(found.sent, found.answers)[0])
        n, a = (int(around(habit.way, counts)[0, place]) for counts in (found.sent, found.answers))
        return (
            f"{_where(habit.way, habit.values[place], place)}: {a} of {n} messages to the customer were answered; of the base's "
            f"{habit.rates[place] or 0:.1%}."
        )

    def state(self) -> dict[str, Any]:
        """The habits and answers of the base; an infinite strength as null."""
        return {"habits": [{k: None if v == inf else v for k, v in asdict(h).items()} for h in self.habits]}

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Reach:
        """The model of ``state``."""
        return cls(settings, evidence, tuple(_way_of(document) for document in state["habits"]))


def _way_of(document: Mapping[str, Any]) -> Way:
    numbers = {k: inf if document[k] is None else document[k] for k in ("strength", "level") if k in document}
    way, values = document["way"], tuple(document["values"])
    if "rates" in document:
        rates = tuple(document["rates"])
        return Answering(way, values, rates, numbers["level"], numbers["strength"], document["sent"])
    return Habit(way, values, tuple(document["shares"]), numbers["strength"])


@dataclass(frozen=True, slots=True, eq=False)
class _Hits:
    """Of customers, by key, ascending, how much of what came fell to what was chosen."""

    owners: npt.NDArray[np.int32]
    hits: npt.NDArray[np.float64]


def _contest(came: Mapping[str, Mapping[str, _Hits]]) -> Contest:
    """By customer, with a part for each of hour, weekday and channel."""
    ways = [way for way in came["reach"] if all(len(by[way].owners) for by in came.values())]
    owners = np.unique(
        np.concatenate([by[way].owners for by in came.values() for way in ways] or [np.zeros(0, np.int32)])
    )
    tallies = {}
    for who, by in came.items():
        sums, counts = (np.zeros((len(owners), len(ways))) for _ in range(2))
        for part, way in enumerate(ways):
            place = np.searchsorted(owners, by[way].owners)
            sums[place, part], counts[place, part] = by[way].hits, 1.0
        tallies[who] = Tally(sums, counts)
    return Contest(owners, tallies)


def _answering(known: AsOf, touches: Touches, way: str) -> tuple[Answering, str, int] | None:
    """What answers say of a way, with a mark of what they are and how many customers were sent anything."""
    source = touches.told(known)
    names = answers.named_values(known, source, way, MOST_CHANNELS)
    if len(names) < 2:
        return None
    found = answers.counted(known, source, way, names)
    learnt = Answering.learnt(way, names, found) if len(found.customers) >= MIN_CUSTOMERS else None
    if learnt is None:
        return None
    rows = np.arange(len(found.customers))
    return learnt, fingerprint_of_each(rows, *found.sent.T, *found.answers.T), len(rows)


def _of_answers(found: Answering, touches: Touches) -> str:
    """What the base does by a way that answers tell."""
    best = sorted(
        ((rate, name) for rate, name in zip(found.rates, found.values, strict=True) if rate is not None), reverse=True
    )
    said = ", ".join(f"{name} {rate:.1%}" for rate, name in best[:3])
    same = " Customers don't differ in that more than chance makes them: all get the base's best." if found.same else ""
    return (
        f"The {found.way} is told from {found.sent:,} messages, answered by {touches.words} within {touches.within} days: "
        f"{said}. Who was sent what wasn't drawn at random.{same}"
    )


def _last_answered(known: AsOf, source: str, habit: Answering, customers: npt.NDArray[np.int32]) -> Ints:
    """For each customer the place of the message that they answered last; the base's best for one without an answer."""
    table = known.arrow(
        f"SELECT customer, arg_max({habit.way}, (ts, {habit.way})) AS value FROM ({source}) "
        f"WHERE answered AND {habit.way} IN ({', '.join(map(quoted, habit.values))}) GROUP BY customer ORDER BY customer"
    )
    found = np.full(len(customers), habit.base, dtype=np.int64)
    found[np.searchsorted(customers, table["customer"].to_numpy())] = _places(table["value"].to_pylist(), habit.values)
    return found


def _says(habit: Way) -> str:
    if not isinstance(habit, Answering):
        return _SAYS[habit.way]
    what = {
        HOUR: f"The local hour, 0 to 23, in the middle of the {WINDOW} hours in which the customer",
        WEEKDAY: "The weekday on which the customer",
        CHANNEL: "The channel by which the customer",
    }[habit.way]
    return f"{what} most probably answers a message: the share answered of what they were sent, shrunk to the base's."


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
        return f"CAST({local_hour()} AS VARCHAR)" if has_time(known, event) else None
    return weekday_of() if way == WEEKDAY else channel_of(known, event)


def _names(known: AsOf, way: str, source: str) -> tuple[str, ...]:
    if way in FIXED:
        return FIXED[way]
    table = known.arrow(
        f"SELECT value FROM (SELECT DISTINCT customer, day, value FROM ({source})) GROUP BY value "
        f"ORDER BY count(*) DESC, value LIMIT {MOST_CHANNELS}"
    )
    return tuple(table["value"].to_pylist())


def _counts(
    known: AsOf, source: str, names: Sequence[str], *, since: int | None = None, customer: int | None = None
) -> tuple[npt.NDArray[np.int32], Ints]:
    """On how many days each customer did something at each value, after an instant: keys, ascending, and customers × values."""
    after = "" if since is None else f"AND ts > {since:d} "
    table = known.arrow(
        f"SELECT customer, value, count(DISTINCT day) AS n FROM ({source}) WHERE true {after}"
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


def _evidence(known: AsOf, habits: Sequence[Way], seen: int, marks: Sequence[str], notes: Sequence[str]) -> Evidence:
    told, acted = ([h.way for h in habits if isinstance(h, Answering) is answered] for answered in (True, False))
    label = [
        f"At which {_and(told)} customers answer messages, of those that they were sent up to now." if told else "",
        f"At which {_and(acted)} customers are there: days on which they did something, of the last {DAYS} days."
        if acted else "",
    ]  # fmt: skip
    instead = (
        f"No answers to messages tell the {_and(acted)}, so it is when and where customers act by themselves."
        if acted else ""
    )  # fmt: skip
    same = "Customers don't differ more than chance makes them differ: all get the base's."
    alike = same if all(isinf(h.strength) for h in habits) else ""
    return Evidence(
        label=" ".join(filter(None, label)),
        since=max(known.first_order or 0, known.at - DAYS * 86_400_000_000),
        until=known.at,
        fingerprint=fingerprint(list(marks)),
        customers=seen,
        notes=tuple(notes),
        fallback=" ".join(filter(None, (instead, alike))),
    )


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _reason(habit: Habit, counts: Ints) -> str:
    total = int(counts.sum())
    if not total:
        return f"Nothing is known of the customer's {habit.way}."
    place = habit.best(counts)[0]
    mine, base = (int(habit.around(counts)[0, place]), float(habit.around(np.asarray(habit.shares))[place]))
    name = habit.values[place]
    where = _where(habit.way, name, place)
    if isinf(habit.strength):
        return (
            f"{where} the base is there most ({base:.0%}); customers don't differ in that more than chance makes them."
        )
    return (
        f"{where}: {mine} of the customer's {counted(total, 'time')}; the base {base:.0%}. "
        f"The base weighs as much as {habit.strength:.0f} times of their own."
    )


def _where(way: str, name: str, place: int) -> str:
    return {
        HOUR: f"From {(place - 1) % 24} to {(place + 2) % 24} o'clock",
        WEEKDAY: f"On {name}s",
        CHANNEL: f"By {name}",
    }[way]
