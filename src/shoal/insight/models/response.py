"""The chance that a customer answers a message of a type within the horizon, learnt from the messages that were sent.

What a message was answered by is an event of its own. Where both events say the same thing about the message, as its
campaign, an answer counts for the message that it names; else for every message sent less than a horizon before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.models import learnt as shared
from shoal.insight.models.features import Plan, Reader, days_since, features, recency
from shoal.insight.models.learning.table import Numbers, Table, Words
from shoal.insight.models.learnt import Cases, Learnt
from shoal.insight.models.model import Evidence, Judged, Measure, Model, Score
from shoal.insight.purchases import named
from shoal.lang.schema import Kind
from shoal.lang.slug import slug_of
from shoal.sql.encode import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.learning.table import Column, Floats, Whole
    from shoal.insight.models.model import Settings
    from shoal.sql.registry import EventType

SENT = (
    "Campaign Sent", "Message Sent", "Email Sent", "Offer Sent", "Offer Received", "Email Delivered", "SMS Sent",
    "Push Notification Sent",
)  # fmt: skip
ANSWERED = (
    "Campaign Answered", "Campaign Responded", "Coupon Redeemed", "Offer Completed", "Offer Accepted", "Message Clicked",
    "Email Clicked", "Email Link Clicked", "SMS Clicked", "Push Notification Clicked", "Push Notification Tapped",
)  # fmt: skip
TYPE = ("type", "campaign_type", "message_type", "offer_type", "channel", "kind")
SAME = ("message_id", "campaign", "campaign_id", "campaign_name", "offer", "offer_id", "email_id")
MOST_TYPES, LEAST_OF_A_TYPE = 8, 50
MOST_CUTS = 12
BLOCK = 7
"""Days of sends that share a cut: what is known of a customer is up to so many days old when the message goes out."""

TYPE_COLUMN = "type of message"
ANSWERS, MESSAGES, SHARE = "answers in all", "messages in all", "answers a message"
_EVERY = "message"


@dataclass(frozen=True, slots=True)
class Messages:
    """Which events are messages and answers, and how they belong together.

    Args:
        sent: the event of a message.
        answered: the event of an answer.
        kind: the column that says a message's type, None where all are of one.
        same: the columns of both events by which an answer names its message, None where none do.
        how: what an answer is, in words.
    """

    sent: EventType
    answered: EventType
    kind: str | None
    same: tuple[str, str] | None
    how: str

    @classmethod
    def of(cls, known: AsOf, settings: Settings) -> Messages:
        """By the settings, or by usual names.

        Raises:
            Refused: there is no event of a message or of an answer, or the message has no such property.
        """
        options = settings.options
        sent = _event(known, options.get("sent"), SENT, "sent", "a message")
        answered = _event(known, options.get("answered"), ANSWERED, "answered", "an answer")
        wanted = options.get("type")
        kind = named(sent.properties, [str(wanted)] if wanted else TYPE, Kind.TEXT)
        if wanted and kind is None:
            texts = ", ".join(p.name for p in sent.properties.values() if p.kind is Kind.TEXT)
            raise Refused(f'"{sent.name}" has no text {wanted!r}.', fix=f"It has: {texts or 'none'}.")
        same = _same(sent, answered)
        how = f'"{answered.name}"' + (f" with the same {same}" if same else " after it")
        columns = (sent.properties[same].col, answered.properties[same].col) if same else None
        return cls(sent, answered, sent.properties[kind].col if kind else None, columns, how)

    def sends(self, known: AsOf, since: int | None = None) -> str:
        """A query of the messages up to the instant: customer, ts, kind and what an answer names."""
        kind = self.kind or quoted(_EVERY)
        same = f"CAST({self.same[0]} AS VARCHAR)" if self.same else "''"
        after = "" if since is None else f" AND ts > {since:d}"
        return (
            f"SELECT customer, ts, {kind} AS kind, {same} AS same FROM ({known.event(self.sent.name)}) "
            f"WHERE {kind} IS NOT NULL{after}"
        )

    def answers(self, known: AsOf) -> str:
        """A query of the answers up to the instant: customer, ts and what they name."""
        same = f"CAST({self.same[1]} AS VARCHAR)" if self.same else "''"
        return f"SELECT customer, ts, {same} AS same FROM ({known.event(self.answered.name)})"

    def told(self, known: AsOf, horizon: int, since: int | None = None) -> str:
        """A query of the messages with whether each was answered within the horizon, as far as is known."""
        return (
            f"SELECT s.customer, s.ts, s.kind, bool_or(a.ts IS NOT NULL) AS answered, min(a.ts) AS answer_ts "
            f"FROM ({self.sends(known, since)}) s LEFT JOIN ({self.answers(known)}) a ON a.customer = s.customer "
            f"AND a.same = s.same AND a.ts > s.ts AND a.ts <= s.ts + {horizon * DAY} GROUP BY s.customer, s.ts, s.kind"
        )


def _event(known: AsOf, wanted: object, usual: Iterable[str], option: str, what: str) -> EventType:
    there = {name.casefold(): event for name, event in known.events.items()}
    for name in [str(wanted)] if wanted else usual:
        if name.casefold() in there:
            return there[name.casefold()]
    looked = f'There is no event "{wanted}".' if wanted else f"There is no event that is {what}: {', '.join(usual)}."
    raise Refused(looked, fix=f"Load one, or name yours in shoal.yaml: models: response: {{{option}: EVENT}}.")


def _same(sent: EventType, answered: EventType) -> str | None:
    """The first property of ``SAME`` that both events have with the same type."""
    for name in SAME:
        mine, other = sent.properties.get(name), answered.properties.get(name)
        if mine is not None and other is not None and mine.kind is other.kind:
            return name
    return None


class Response(Model):
    """The chance to answer a message of each type.

    Args:
        settings: what it was fitted with.
        evidence: what it rests on.
        plan: which columns are read beside those of messages.
        types: the types of messages, the most sent first.
        learnt: the classifier, one for all types, with its baselines.
    """

    title = "who answers a message"
    by = "brier"  # The chance is held against what a message costs, so it must be right.
    higher = False

    def __init__(
        self, settings: Settings, evidence: Evidence, plan: Plan, types: Sequence[str], learnt: Learnt
    ) -> None:
        super().__init__(settings, evidence)
        self.plan, self.types, self.learnt = plan, tuple(types), learnt

    @classmethod
    def horizon_of(cls, settings: Settings) -> int:
        """Twice the horizon: messages of the first one are judged, the last of which has the second one to be answered."""
        return 2 * settings.horizon

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Response:
        """Learn from the messages that had a horizon's time to be answered; see the base class."""
        messages = Messages.of(known, settings)
        types = _types(known, messages)
        cuts = _cuts(known, messages, settings.horizon)
        plan = Plan.of(known, shared.without(settings), since=cuts[0][0])
        parts = [_cases(known, plan, messages, types, settings.horizon, cut, until) for cut, until in cuts]
        cases = Cases.joined(parts)
        baselines = {"past response": SHARE, "recency": recency(plan), "type": TYPE_COLUMN}
        if len(types) == 1:
            del baselines["type"]
        taught = shared.teach(cases, settings, baselines, settings.horizon + BLOCK)
        label = (
            f'Whether a customer who is sent a message ("{messages.sent.name}") answers it by {messages.how} within '
            f"{settings.horizon} days, by type: {', '.join(types)}."
        )
        notes = (
            *taught.notes,
            *shared.undated(known, cuts[0][0], plan),
            "It learnt from customers who were sent messages; how others would answer, it draws from those who are like "
            "them. It says who answers, and not whom a message makes buy.",
        )
        customers = int(np.unique(cases.owners).size)
        print_ = taught.learnt.classifier.training.fingerprint
        fallback = taught.learnt.fallback
        evidence = Evidence(label, cuts[0][0], known.at, print_, customers, taught.measures, notes, fallback)
        return cls(settings, evidence, plan, types, taught.learnt)

    # ------------------------------------------------------------ scoring

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """A chance for each type of message, of everybody."""
        rows = np.arange(len(known.customers))
        names = traits_of(self.types, self.settings.horizon)
        past = _past(known, Messages.of(known, self.settings), self.settings.horizon, rows)
        chances = {kind: np.empty(rows.size) for kind in self.types}
        for here, table in shared.tables(known, self.plan, rows):
            for i, kind in enumerate(self.types):
                typed = _with(table, past, rows[here], self.types, np.full(len(table), i, dtype=np.int64))
                chances[kind][here] = self.learnt.chances(typed)
        return tuple(Score(names[k], Kind.NUMBER, self._says(k), known.customers, chances[k]) for k in self.types)

    def _says(self, kind: str) -> str:
        return (
            f"The chance, 0 to 1, that the customer answers a message of the type {kind} within {self.settings.horizon} "
            f"days of being sent it. {self.learnt.classifier.said}"
        )

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """What moves the chance of the type that the customer answers most probably."""
        place, there = known.rows(np.array([customer], dtype=np.int32))
        if not there[0]:
            return ("The customer wasn't there yet.",)
        past = _past(known, Messages.of(known, self.settings), self.settings.horizon, place)
        table = features(known, self.plan, place)
        here = np.zeros(1, dtype=np.int64)
        each = [_with(table, past, here, self.types, np.array([i], dtype=np.int64)) for i in range(len(self.types))]
        chances = [float(self.learnt.chances(one)[0]) for one in each]
        best = int(np.argmax(chances))
        because = shared.in_full(self.learnt.classifier.explain(each[best])[0])
        return (f"Most probably answered is {self.types[best]}, with a chance of {chances[best]:.0%}.", *because)

    # ------------------------------------------------------------ judging

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """Against the answers to the messages sent after ``before`` that had a horizon's time until ``after``."""
        horizon = self.settings.horizon
        messages, until = Messages.of(after, self.settings), after.at - horizon * DAY
        found = _sent(before, after, messages, self.types, horizon, until)
        y = found.outcome
        shared.hold_judgeable(y)
        past = _past(before, messages, horizon, found.rows)
        parts = np.array_split(np.arange(found.rows.size), -(-found.rows.size // shared.READ))
        chances = self.learnt.everywhere(
            _with(_features(before, self.plan, found.rows[part]), past, part, self.types, found.kinds[part])
            for part in parts
        )
        measures = [m for who, told in chances.items() for m in shared.measures_of(who, y, told)]
        measures += list(_by_type(found, self.types, chances[shared.MODEL]))
        contest = shared.contest_of(before.customers[found.rows], y, chances)
        frames = shared.frames_of(y, chances[shared.MODEL])
        return Judged(int(np.unique(found.rows).size), tuple(measures), frames, contest)

    # ------------------------------------------------------------ keeping

    def state(self) -> dict[str, Any]:
        """The plan, the types, and the classifier with its baselines."""
        return {"plan": self.plan.document(), "types": list(self.types), "learnt": self.learnt.document()}

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Response:
        """The model of ``state``."""
        learnt = Learnt.from_document(state["learnt"])
        return cls(settings, evidence, Plan.from_document(state["plan"]), state["types"], learnt)


def traits_of(types: Sequence[str], horizon: int) -> dict[str, str]:
    """The trait of each type of message; where two would have the same name, the later one bears a number."""
    found: dict[str, str] = {}
    used: dict[str, int] = {}
    for kind in types:
        slug = slug_of(kind).replace("-", "_")
        used[slug] = used.get(slug, 0) + 1
        found[kind] = f"p_response_{slug}{'' if used[slug] == 1 else f'_{used[slug]}'}_{horizon}d"
    return found


# ---------------------------------------------------------------- messages and answers


def _types(known: AsOf, messages: Messages) -> list[str]:
    """The types of which most were sent, those of a handful left out.

    Raises:
        Refused: fewer than 50 messages of each type were sent.
    """
    table = known.arrow(
        f"SELECT kind, count(*) AS n FROM ({messages.sends(known)}) GROUP BY kind HAVING n >= {LEAST_OF_A_TYPE} "
        f"ORDER BY n DESC, kind LIMIT {MOST_TYPES}"
    )
    found = [str(name) for name in table["kind"].to_pylist()]
    if not found:
        raise Refused(f'Fewer than {LEAST_OF_A_TYPE} of "{messages.sent.name}" are there of each type.')
    return found


def _cuts(known: AsOf, messages: Messages, horizon: int) -> list[tuple[int, int]]:
    """The newest weeks with messages that had a horizon's time: the cut just before, and the end of the week's sends.

    Raises:
        Refused: no message was sent that long ago.
    """
    until = known.at - horizon * DAY
    table = known.arrow(
        f"SELECT DISTINCT ts // {DAY} AS day, min(ts) AS first FROM ({messages.sends(known)}) WHERE ts <= {until:d} "
        "GROUP BY day ORDER BY day DESC"
    )
    found: list[tuple[int, int]] = []
    first = dict(zip(table["day"].to_pylist(), table["first"].to_pylist(), strict=True))
    days = list(first)
    while days and len(found) < MOST_CUTS:
        week = [day for day in days if day > days[0] - BLOCK]
        found.append((first[week[-1]] - 1, min(until, (week[0] + 1) * DAY - 1)))
        days = days[len(week) :]
    if not found:
        raise Refused(
            f'No "{messages.sent.name}" is older than {horizon} days, so nobody can say yet what was answered.',
            fix="Take a shorter horizon, or wait.",
        )
    return found[::-1]


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """Messages and what came of them: one row a customer and type.

    Args:
        rows: places in ``customers`` as of the cut.
        kinds: places in the types.
        outcome: 1 where any of them was answered within the horizon.
    """

    rows: Whole
    kinds: Whole
    outcome: Floats


def _sent(before: AsOf, after: AsOf, messages: Messages, types: Sequence[str], horizon: int, until: int) -> Sent:
    """The messages sent after ``before`` and up to ``until`` to who was there, with what is known at ``after``."""
    kinds = ", ".join(quoted(kind) for kind in types)
    table = after.arrow(
        f"SELECT customer, kind, bool_or(answered) AS answered FROM ({messages.told(after, horizon, before.at)}) "
        f"WHERE ts <= {until:d} AND kind IN ({kinds}) GROUP BY customer, kind ORDER BY customer, kind"
    )
    place, there = before.rows(np.asarray(table["customer"].to_numpy(), dtype=np.int32))
    at = {kind: i for i, kind in enumerate(types)}
    kind = np.array([at[name] for name in table["kind"].to_pylist()], dtype=np.int64)
    answered = np.asarray(table["answered"].to_numpy(zero_copy_only=False), dtype=np.float64)
    return Sent(place[there], kind[there], answered[there])


def _past(known: AsOf, messages: Messages, horizon: int, rows: Whole) -> tuple[Floats, ...]:
    """What the customers were sent and answered before: messages, answers, days since the last of each."""
    reader = Reader(known, rows)
    table = known.arrow(
        f"SELECT customer, count(*) AS n, count(*) FILTER (WHERE answered) AS answers, "
        f"{days_since('max(ts)', known)} AS since, {days_since('max(answer_ts)', known)} AS answer "
        f"FROM ({messages.told(known, horizon)}) GROUP BY customer"
    )
    zero = [reader.values(table, name, 0.0) for name in ("n", "answers")]
    return (*zero, reader.values(table, "since"), reader.values(table, "answer"))


def _features(known: AsOf, plan: Plan, rows: Whole) -> Table:
    """The shared columns of the rows, of which several may be of one customer."""
    each, place = np.unique(rows, return_inverse=True)
    return features(known, plan, each).take(place)


def _with(table: Table, past: tuple[Floats, ...], rows: Whole, types: Sequence[str], kinds: Whole) -> Table:
    """The shared columns with those of messages, of the rows' places in ``past``."""
    n, answers, since, answer = (column[rows] for column in past)
    levels = tuple(sorted(types))
    places = np.array([levels.index(kind) for kind in types], dtype=np.int64)
    columns: list[Column] = [
        Numbers(MESSAGES, n),
        Numbers(ANSWERS, answers),
        Numbers(SHARE, np.where(n > 0, answers / np.maximum(n, 1), np.nan)),
        Numbers("days since the last message", since),
        Numbers("days since the last answer", answer),
        Words(TYPE_COLUMN, levels, places[kinds]),
    ]
    keys = [f"{key}/{kind}" for key, kind in zip(table.keys, kinds.tolist(), strict=True)]
    return Table.of(keys, [*table.columns, *columns])


def _cases(
    known: AsOf, plan: Plan, messages: Messages, types: Sequence[str], horizon: int, cut: int, until: int
) -> Cases:
    """Rows of one cut: who was sent what in the week after it, and whether they answered."""
    with known.before(min(known.at, until + horizon * DAY)) as after, known.before(cut) as before:
        found = _sent(before, after, messages, types, horizon, until)
        kept = np.arange(found.rows.size)
        if kept.size > shared.MOST_ROWS // MOST_CUTS:
            kept = shared.drawn(
                before.customers[found.rows] * len(types) + found.kinds, kept, shared.MOST_ROWS // MOST_CUTS
            )
        rows, kinds = found.rows[kept], found.kinds[kept]
        table = _with(
            _features(before, plan, rows), _past(before, messages, horizon, rows), np.arange(rows.size), types, kinds
        )
        return Cases.of(table, found.outcome[kept], cut, before.customers[rows])


def _by_type(found: Sent, types: Sequence[str], chance: Floats) -> Iterable[Measure]:
    """The model's figures for each type that can be judged by itself."""
    for i, kind in enumerate(types):
        y, told = found.outcome[found.kinds == i], chance[found.kinds == i]
        if y.size >= shared.LEAST_JUDGED and 0 < y.sum() < y.size:
            for m in shared.measures_of(shared.MODEL, y, told):
                if m.what in ("brier", "auc"):
                    yield Measure(m.who, f"{m.what}, {kind}", m.value, m.low, m.high, m.n)
