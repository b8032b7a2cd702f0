"""Answers to messages by channel, hour and weekday: how much of what a customer was sent by each they answered.

A customer was sent few messages, so their rates are drawn to the base's by empirical Bayes, twice: how gladly they answer at
all, and how far one channel, hour or weekday differs from that. Both follow a beta-binomial law whose strength is learnt
from how much customers differ (moments; Kleinman 1973, doi:10.1080/01621459.1973.10481332).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isinf
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.models.response import ANSWERED, SAME, SENT
from shoal.insight.purchases import named
from shoal.insight.sales import local_hour
from shoal.lang.calendar import WEEKDAYS
from shoal.lang.schema import Kind
from shoal.sql.encode import local_day, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.model import Settings
    from shoal.sql.registry import EventType

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

HOUR, WEEKDAY, CHANNEL = "hour", "weekday", "channel"
FIXED: Mapping[str, tuple[str, ...]] = {HOUR: tuple(str(hour) for hour in range(24)), WEEKDAY: WEEKDAYS}
"""What there is of a way whoever is asked; channels are those that were used."""
OPENED = ("Email Opened", "Message Opened", "SMS Opened", "Push Notification Opened")
"""What counts as an answer where nothing weightier is recorded: mail programs open mails by themselves."""
WITHIN = 7
LEAST_SENT, LEAST_DAYS = 50, 10
"""Fewer messages by a channel, hour or weekday, or all of them on fewer days, say nothing of it: a campaign of one morning says
more of itself than of mornings."""
_SPOKEN = ("email", "e-mail", "sms", "push", "whatsapp", "mail", "phone", "call", "web", "page", "app", "store")
_ALIKE = {"page": "web", "e-mail": "email"}
_ROWS = 100_000
_SAME = 0.95
_LEAST = 0.01


def around(way: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Of each place the sum over its window; only hours have one that is wider than the place."""
    if way != HOUR:
        return values
    window: npt.NDArray[Any] = values + np.roll(values, 1, axis=-1) + np.roll(values, -1, axis=-1)
    return window


def channel_of(known: AsOf, event: EventType) -> str | None:
    """The SQL of an event's channel: a property of the usual names, or what the event's own name begins with."""
    column = named(event.properties, known.rule.purchases.channel, Kind.TEXT)
    if column is not None:
        return f"nullif(trim({event.properties[column].col}), '')"
    first = event.name.split()[0].casefold()
    return quoted(_ALIKE.get(first, first)) if first in _SPOKEN else None


def weekday_of() -> str:
    """The SQL of the local weekday of a row's ts, as a word."""
    # 1970-01-01 was a Thursday.
    day = local_day("ts", "offset_s")
    return f"list_extract([{', '.join(map(quoted, WEEKDAYS))}], (({day} + 3) % 7 + 7) % 7 + 1)"


def has_time(known: AsOf, event: EventType) -> bool:
    """Whether an event bears times and not dates alone, whose hour would be midnight or the time of the import."""
    seconds = "((ts // 1000000 + offset_s) % 86400 + 86400) % 86400"
    table = known.arrow(
        f"SELECT max(n) AS most, sum(n) AS n FROM (SELECT {seconds} AS second, count(*) AS n "
        f"FROM ({known.event(event.name)}) GROUP BY second)"
    )
    most, n = table["most"][0].as_py(), table["n"][0].as_py()
    return bool(n) and most < _SAME * float(n)


@dataclass(frozen=True, slots=True)
class Touches:
    """Which events are messages and which answers.

    Args:
        sent: messages.
        answered: answers.
        within: days in which an answer counts.
    """

    sent: tuple[EventType, ...]
    answered: tuple[EventType, ...]
    within: int

    @classmethod
    def of(cls, known: AsOf, settings: Settings) -> Touches | None:
        """By the settings, or by usual names; None where no event is a message or none an answer.

        Raises:
            Refused: the settings name an event that isn't there.
        """
        options = settings.options
        sent = _events(known, options.get("sent"), SENT, "sent")
        answered = _events(known, options.get("answered"), ANSWERED, "answered")
        if not options.get("answered") and not answered:
            answered = _events(known, None, OPENED, "answered")
        return cls(sent, answered, int(options.get("within") or WITHIN)) if sent and answered else None

    @property
    def words(self) -> str:
        """What an answer is."""
        return " or ".join(f'"{event.name}"' for event in self.answered)

    def told(self, known: AsOf) -> str:
        """The SQL of (customer, ts, hour, weekday, channel, answered) of the messages that had their time by the instant.

        Where both events say the same thing about a message, as its campaign, an answer counts for the message that it names;
        else for every message of its channel that was sent so many days before it at most.
        """
        key = f"told {'/'.join(e.name for e in self.sent)} {'/'.join(e.name for e in self.answered)} {self.within}"
        rows = known.laid_out(
            key, lambda first: " UNION ALL ".join(f"({self._of(first, event)})" for event in self.sent)
        )
        return f"SELECT * FROM ({rows}) WHERE ts <= {known.at - self.within * DAY:d}"

    def _of(self, known: AsOf, event: EventType) -> str:
        same = next((n for n in SAME if any(_alike(event, a, n) for a in self.answered)), None)
        answers = [a for a in self.answered if same is None or _alike(event, a, same)]
        body = " UNION ALL ".join(
            f"SELECT customer, ts, {_text(a, same)} AS same, {channel_of(known, a) or 'NULL'} AS channel "
            f"FROM ({known.event(a.name)})"
            for a in answers
        )
        channel = channel_of(known, event) or "CAST(NULL AS VARCHAR)"
        # Of dates without a time the hour would be midnight.
        hour = f"CAST({local_hour()} AS VARCHAR)" if has_time(known, event) else "CAST(NULL AS VARCHAR)"
        agree = "a.same = s.same" if same else "(a.channel IS NULL OR lower(a.channel) = lower(s.channel))"
        return (
            "SELECT s.customer, s.ts, s.hour, s.weekday, s.channel, bool_or(a.ts IS NOT NULL) AS answered FROM ("
            f"SELECT customer, ts, {hour} AS hour, {weekday_of()} AS weekday, {channel} AS channel, "
            f"{_text(event, same)} AS same FROM ({known.event(event.name)})) s LEFT JOIN ({body}) a "
            f"ON a.customer = s.customer AND {agree} AND a.ts > s.ts AND a.ts <= s.ts + {self.within * DAY} "
            "GROUP BY s.customer, s.ts, s.hour, s.weekday, s.channel"
        )


def _events(known: AsOf, wanted: object, usual: Sequence[str], option: str) -> tuple[EventType, ...]:
    there = {name.casefold(): event for name, event in known.events.items()}
    names = [str(one) for one in wanted] if isinstance(wanted, list | tuple) and wanted else []
    lack = [name for name in names if name.casefold() not in there]
    if lack:
        raise Refused(
            f'There is no event "{lack[0]}", which models: reach: {option}: names.',
            fix=f"There are: {', '.join(sorted(known.events))}.",
        )
    return tuple(there[name.casefold()] for name in names or usual if name.casefold() in there)


def _alike(a: EventType, b: EventType, name: str) -> bool:
    mine, other = a.properties.get(name), b.properties.get(name)
    return mine is not None and other is not None and mine.kind is other.kind


def _text(event: EventType, same: str | None) -> str:
    return f"CAST({event.properties[same].col} AS VARCHAR)" if same else "''"


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """What customers were sent and answered.

    Args:
        customers: keys, ascending.
        sent: customers × values.
        answers: of those, how many were answered.
        days: of each value, on how many days anything was sent.
    """

    customers: npt.NDArray[np.int32]
    sent: Ints
    answers: Ints
    days: Ints


def counted(known: AsOf, source: str, way: str, names: Sequence[str], where: str = "true") -> Counts:
    """Messages and answers by customer and channel, hour or weekday.

    Args:
        known: the store as of an instant.
        source: of ``Touches.told``.
        way: hour, weekday or channel.
        names: of the columns.
        where: SQL that holds for the rows that are asked for.
    """
    table = known.arrow(
        f"SELECT customer, {way} AS value, count(*) AS sent, count(*) FILTER (WHERE answered) AS answers FROM ({source}) "
        f"WHERE {way} IN ({', '.join(map(quoted, names))}) AND {where} GROUP BY customer, value ORDER BY customer, value"
    )
    who, row = np.unique(np.asarray(table["customer"].to_numpy(), dtype=np.int32), return_inverse=True)
    place = {name: at for at, name in enumerate(names)}
    column = np.fromiter((place[value] for value in table["value"].to_pylist()), dtype=np.int64, count=len(row))
    found = []
    for what in ("sent", "answers"):
        counts = np.zeros((len(who), len(names)), dtype=np.int64)
        counts[row, column] = table[what].to_numpy()
        found.append(counts)
    days = known.arrow(f"SELECT {way} AS value, count(DISTINCT ts // {DAY}) AS days FROM ({source}) GROUP BY value")
    by_value = dict(zip(days["value"].to_pylist(), days["days"].to_pylist(), strict=True))
    return Counts(who, found[0], found[1], np.array([by_value.get(name, 0) for name in names], dtype=np.int64))


def named_values(known: AsOf, source: str, way: str, most: int) -> tuple[str, ...]:
    """The hours, the weekdays, or the channels of which most was sent."""
    if way in FIXED:
        return FIXED[way]
    table = known.arrow(
        f"SELECT channel FROM ({source}) WHERE channel IS NOT NULL GROUP BY channel "
        f"HAVING count(*) >= {LEAST_SENT} ORDER BY count(*) DESC, channel LIMIT {most:d}"
    )
    return tuple(str(name) for name in table["channel"].to_pylist())


def concentration(answers: Floats, sent: Floats, mean: Floats) -> float:
    """How many messages of a customer's own weigh as much as what is expected of them: α + β of a beta-binomial, by moments.

    Args:
        answers: of each cell.
        sent: of each cell; cells of fewer than two say nothing of it.
        mean: the expected rate of each cell.

    Returns:
        Above 0; infinity where cells don't differ from what is expected more than chance makes them.
    """
    told = sent > 1
    n, m = sent[told], mean[told]
    variance = m * (1 - m)
    # Var(a) = n m (1 − m) (1 + (n − 1) ρ), with ρ = 1 / (α + β + 1); sorted, so that no order of customers shows.
    over = np.sort((answers[told] - n * m) ** 2 - n * variance).sum()
    spare = np.sort(n * (n - 1) * variance).sum()
    rho = float(over / spare) if spare > 0 else 0.0
    return max(1 / min(rho, 1.0) - 1, _LEAST) if rho > 0 else inf


@dataclass(frozen=True, slots=True)
class Answering:
    """How customers answer by channel, hour or weekday.

    Args:
        way: hour, weekday or channel.
        values: its names.
        rates: the base's share of answers of each, over its window; None where too little was sent.
        level: how many messages weigh as much as the base, for how gladly a customer answers at all.
        strength: how many messages by one channel, hour or weekday weigh as much as what the customer's own level and the
            base's rate give together.
        sent: messages that it was learnt from.
    """

    way: str
    values: tuple[str, ...]
    rates: tuple[float | None, ...]
    level: float
    strength: float
    sent: int

    @classmethod
    def learnt(cls, way: str, values: tuple[str, ...], counts: Counts) -> Answering | None:
        """From what was sent and answered; None where fewer than two values were used enough, or nothing was answered."""
        totals = [around(way, column.sum(axis=0)) for column in (counts.sent, counts.answers)]
        told = (totals[0] >= LEAST_SENT) & (around(way, counts.days) >= LEAST_DAYS)
        rates = tuple(float(a / n) if t else None for n, a, t in zip(*totals, told, strict=True))
        if sum(rate is not None for rate in rates) < 2 or not any(rates):
            return None
        plain = cls(way, values, rates, inf, inf, int(counts.sent.sum()))
        n, a, base = plain._told(counts.sent, counts.answers)
        total = n.sum(axis=1)
        expected = np.divide((n * base).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
        level = concentration(a.sum(axis=1), total, np.clip(expected, 0, 1))
        halfway = cls(way, values, rates, level, inf, plain.sent)
        mean = halfway._expected(n, a, base)
        return cls(way, values, rates, level, concentration(a.ravel(), n.ravel(), mean.ravel()), plain.sent)

    @property
    def same(self) -> bool:
        """Whether customers don't differ by it more than chance makes them: then all have the base's best."""
        return isinf(self.strength)

    def best(self, sent: Ints, answers: Ints) -> Ints:
        """For each row the place of the value whose messages the customer answers most probably; of equal ones the first."""
        found = np.empty(len(sent), dtype=np.int64)
        for start in range(0, len(sent), _ROWS):
            rows = slice(start, start + _ROWS)
            found[rows] = self.likely(sent[rows], answers[rows]).argmax(axis=1)
        return found

    def likely(self, sent: Ints, answers: Ints) -> Floats:
        """The chance of an answer by each value, customers × values; −1 where too little was sent to say."""
        n, a, base = self._told(sent, answers)
        mean = self._expected(n, a, base)
        found = mean if self.same else (a + self.strength * mean) / (n + self.strength)
        return np.where([rate is not None for rate in self.rates], found, -1.0)

    def _told(self, sent: Ints, answers: Ints) -> tuple[Floats, Floats, Floats]:
        """Messages, answers and the base's rate, of windows that enough was sent in; 0 in others."""
        enough = np.array([rate is not None for rate in self.rates])
        n, a = (np.where(enough, around(self.way, counts), 0).astype(np.float64) for counts in (sent, answers))
        return n, a, np.array([rate or 0.0 for rate in self.rates])

    def _expected(self, n: Floats, a: Floats, base: Floats) -> Floats:
        """The base's rates, raised or lowered by how gladly each customer answers at all."""
        if isinf(self.level):
            return np.broadcast_to(base, n.shape)
        total, usual = n.sum(axis=1), (n * base).sum(axis=1)
        ratio = np.divide(a.sum(axis=1), usual, out=np.ones_like(usual), where=usual > 0)
        lift = (total * ratio + self.level) / (total + self.level)
        return np.asarray(np.clip(lift[:, None] * base, 0.0, 1.0))

    def rates_at(self, places: Ints, sent: Ints, answers: Ints) -> Floats:
        """Of each row the share that was answered of what was sent in the window around a place; NaN where nothing was."""
        n, a = (np.take_along_axis(around(self.way, c), places[:, None], axis=1).ravel() for c in (sent, answers))
        found: Floats = np.divide(a, n, out=np.full(len(n), np.nan), where=n > 0)
        return found

    def own(self, sent: Ints, answers: Ints) -> Ints:
        """The baseline that doesn't shrink: the place of each row's highest own rate, and the base's best without answers."""
        n, a, _ = self._told(sent, answers)
        rate = np.divide(a, n, out=np.full(n.shape, -1.0), where=n > 0)
        return np.where(a.any(axis=1), rate.argmax(axis=1), self.base)

    @property
    def base(self) -> int:
        """The place of the base's best rate."""
        return int(np.argmax([-1.0 if rate is None else rate for rate in self.rates]))
