"""NPS and CSAT by segment from the newest answer of each customer, each segment against all others, and who answered."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import lgamma, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.clock import DAY
from shoal.insight.feedback.asked import MICRO, NPS
from shoal.sql.registry import Registry
from shoal.stats.intervals import (
    Interval,
    net_promoter,
    net_promoter_difference,
    share_difference,
    wilson,
    z_value,
)
from shoal.stats.multiple import holm
from shoal.wording import counted

if TYPE_CHECKING:
    from shoal.insight.evaluation import Evaluation
    from shoal.insight.feedback.asked import Question
    from shoal.insight.sales import Sales
    from shoal.sql.store import Store

DEFINITIONS = {
    "nps": "The share of answers of 9 or 10 less the share of 0 to 6, times 100; the newest answer of each customer.",
    "csat": "The share of answers of 4 or 5 on a scale of 1 to 5; the newest answer of each customer.",
}
LEAST = 10
"""Fewer answers than this in a segment, or outside of it, aren't compared."""
LEVEL = 0.05
SEEN = z_value(0.95) + z_value(0.6)
"""A difference of so many standard errors is found four times in five at 5 %."""
ACTIVE_DAYS = 90
_ASKED = ("Survey Sent", "Survey Requested", "Feedback Requested", "Review Requested")


class Against(NamedTuple):
    """A segment beside all other customers who answered.

    Attributes:
        difference: its score less theirs, in points of NPS or as a share, with its interval of 95 %.
        p: two-sided.
        adjusted: p after Holm's correction over all segments compared.
        detectable: the difference that would be found four times in five, before the correction.
    """

    difference: Interval
    p: float
    adjusted: float
    detectable: float

    @property
    def differs(self) -> bool:
        """Whether chance doesn't explain it, with so many segments looked at."""
        return self.adjusted <= LEVEL


@dataclass(frozen=True, slots=True)
class Standing:
    """The answers of a segment's customers.

    Args:
        slug: the segment's; None for everyone.
        up: promoters, or satisfied answers.
        middle: passive ones; none for CSAT.
        down: detractors, or the other answers.
        estimate: the score with its interval of 95 %: −100 … 100 for NPS, a share for CSAT.
        against: beside all others; None for everyone, and where either has fewer than ten answers.
    """

    slug: str | None
    up: int
    middle: int
    down: int
    estimate: Interval
    against: Against | None = None

    @property
    def n(self) -> int:
        """How many answered."""
        return self.up + self.middle + self.down

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "slug": self.slug, "n": self.n, "up": self.up, "middle": self.middle, "down": self.down,
            **self.estimate._asdict(), "against_others": against_document(self.against),
        }  # fmt: skip


def against_document(against: Against | None) -> dict[str, Any] | None:
    """JSON-ready."""
    if against is None:
        return None
    found = {**against._asdict(), "differs": against.differs}
    return {**found, "difference": against.difference._asdict()}


@dataclass(frozen=True, slots=True)
class Response:
    """Who answered, and when: what the scores can speak for.

    Args:
        customers: how many there are.
        answered: how many answered at least once.
        asked: how many were asked, where an event says so.
        share: those who answered, of the asked or else of all customers.
        active: of those who answered, the share with an order in the last 90 days.
        active_others: the same of those who didn't.
        gap: the difference of the two.
        oldest: the instant of the oldest of the newest answers.
        newest: the instant of the newest.
        median_age: days; half of the answers are older.
        after_order: days from the order before an answer to it, the median; None where nobody had ordered.
        off_scale: answers that aren't on the scale, and don't count.
    """

    customers: int
    answered: int
    asked: int | None
    share: float
    active: float
    active_others: float
    gap: Interval
    oldest: int
    newest: int
    median_age: float
    after_order: float | None
    off_scale: int

    def notes(self) -> list[str]:
        """What to know before trusting the scores, in words."""
        of = f"{self.asked:,} who were asked" if self.asked else counted(self.customers, "customer")
        said = [f"{self.answered:,} of {of} answered ({100 * self.share:.0f} %)."]
        if self.gap.excludes(0):
            said.append(
                f"Those who answer aren't like the others: {100 * self.active:.0f} % of them ordered in the last "
                f"{ACTIVE_DAYS} days, and {100 * self.active_others:.0f} % of the rest. The score speaks for the first."
            )
        when = f"Half of the answers are more than {counted(round(self.median_age), 'day')} old"
        if self.after_order is not None:
            when += f"; half came within {counted(max(1, round(self.after_order)), 'day')} of an order"
        said.append(f"{when}. An answer given soon after an order is about that order.")
        if self.off_scale:
            off = ("isn't", "doesn't") if self.off_scale == 1 else ("aren't", "don't")
            said.append(f"{counted(self.off_scale, 'answer')} {off[0]} on the scale, and {off[1]} count.")
        return said


@dataclass(frozen=True, slots=True)
class Scores:
    """A question's answers by segment.

    Args:
        measure: ``nps`` or ``csat``.
        at: the instant.
        where: where the answers stand.
        definition: how the score is made.
        standings: everyone's first; segments without an answer are left out.
        response: who answered.
    """

    measure: str
    at: int
    where: str
    definition: str
    standings: tuple[Standing, ...]
    response: Response

    @property
    def everyone(self) -> Standing:
        """Of all customers: their own answers, never a mean over segments."""
        return self.standings[0]

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "measure": self.measure,
            "where": self.where,
            "definition": self.definition,
            "everyone": self.everyone.document(),
            "segments": [standing.document() for standing in self.standings[1:]],
            "response": asdict(self.response) | {"gap": self.response.gap._asdict(), "notes": self.response.notes()},
        }


def scores(store: Store, evaluation: Evaluation, sales: Sales, asked: Question) -> Scores | None:
    """The answers to a question by segment, and who gave them; None where nobody answered.

    Args:
        store: the workspace's store.
        evaluation: who is in which segment.
        sales: the orders up to the same instant.
        asked: the question.

    Raises:
        Refused: the answers are of another scale.
    """
    off = asked.beyond(store, evaluation.at)
    found = standings(store, evaluation, asked)
    if not found:
        return None
    definition = DEFINITIONS[asked.measure]
    answered = _response(store, evaluation, sales, asked, off)
    return Scores(asked.measure, evaluation.at, asked.words, definition, tuple(found), answered)


def standings(store: Store, evaluation: Evaluation, asked: Question) -> list[Standing]:
    """Everyone's answers and those of each segment, compared; empty where nobody answered."""
    tests = ["true", *(f'coalesce(e."{name}", false)' for name in evaluation.columns.values())]
    top, middle = asked.scale.top * MICRO, asked.scale.middle * MICRO
    parts = (f"score >= {top}", f"score >= {middle} AND score < {top}", f"score < {middle}")
    counts = ", ".join(f"count(CASE WHEN {test} AND {part} THEN 1 END)" for test in tests for part in parts)
    (row,) = store.rows(
        f"SELECT {counts} FROM {evaluation.table} e "
        f"JOIN ({asked.newest(store, evaluation.at)}) a ON a.customer = e.customer"
    )
    slugs: list[str | None] = [None, *evaluation.columns]
    answers = {slug: tuple(map(int, row[3 * i : 3 * i + 3])) for i, slug in enumerate(slugs)}
    return compared(asked.measure, {slug: (n[0], n[1], n[2]) for slug, n in answers.items() if sum(n)})


Counts = tuple[int, int, int]


def compared(measure: str, answers: dict[str | None, Counts]) -> list[Standing]:
    """Each segment's answers with its score, beside those of all others, corrected for the many.

    Args:
        measure: ``nps`` or ``csat``.
        answers: by slug (None: everyone) how many are up, in the middle and down.
    """
    everyone = answers.get(None, (0, 0, 0))
    rest = {
        slug: (everyone[0] - mine[0], everyone[1] - mine[1], everyone[2] - mine[2])
        for slug, mine in answers.items()
        if slug is not None
    }
    raw = {
        slug: _gap(measure, answers[slug], others)
        for slug, others in rest.items()
        if min(sum(answers[slug]), sum(others)) >= LEAST
    }
    adjusted = dict(zip(raw, holm([p for _, p, _ in raw.values()]).tolist(), strict=True))
    beside = {slug: Against(gap, p, adjusted[slug], seen) for slug, (gap, p, seen) in raw.items()}
    return [Standing(slug, *mine, _score(measure, mine), beside.get(slug or "")) for slug, mine in answers.items()]


def _score(measure: str, answers: Counts) -> Interval:
    return net_promoter(*answers) if measure == NPS else wilson(answers[0], sum(answers))


def _gap(measure: str, mine: Counts, others: Counts) -> tuple[Interval, float, float]:
    """The difference, its p-value, and the one that would have been seen."""
    if measure == NPS:
        gap, p = net_promoter_difference(mine, others)
        return gap, p, SEEN * (gap.high - gap.low) / (2 * z_value())
    a, b = (mine[0], sum(mine)), (others[0], sum(others))
    return share_gap(a, b)


def share_gap(a: tuple[int, int], b: tuple[int, int]) -> tuple[Interval, float, float]:
    """The difference of two shares, (hits, n) each: with its interval, p, and the difference that would be seen."""
    both = (a[0] + b[0] + 1) / (a[1] + b[1] + 2)
    error = sqrt(both * (1 - both) * (1 / a[1] + 1 / b[1]))
    return share_difference(a, b), fisher(a, b), SEEN * error


def fisher(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Fisher's exact test of two shares, two-sided: the chance of a table no likelier than this one (Fisher 1922).

    >>> round(fisher((8, 10), (1, 6)), 4)
    0.035
    """
    import numpy as np

    hits, n = a[0] + b[0], a[1] + b[1]
    mean = hits * a[1] / n
    # Tables farther than this from the mean weigh nothing: a million answers needn't a million terms.
    far = int(40 * sqrt(mean * (1 - hits / n) * b[1] / max(1, n - 1))) + 40
    least, most = max(0, hits - b[1], int(mean) - far), min(hits, a[1], int(mean) + far)
    if not least <= a[0] <= most:
        return 0.0
    x = np.arange(least, most + 1)
    logs = _log_choose(a[1], x) + _log_choose(b[1], hits - x) - _log_choose(n, np.array([hits]))
    mine = logs[a[0] - least]
    return float(min(1.0, np.exp(logs[logs <= mine + 1e-9]).sum()))


def _log_choose(n: int, k: Any) -> Any:
    import numpy as np

    table = np.array([lgamma(i + 1) for i in k.tolist()]) + np.array([lgamma(n - i + 1) for i in k.tolist()])
    return lgamma(n + 1) - table


# ------------------------------------------------------------ who answered


def _response(store: Store, evaluation: Evaluation, sales: Sales, asked: Question, off: int) -> Response:
    at = evaluation.at
    newest = f"({asked.newest(store, at)})"
    active = f"SELECT DISTINCT customer FROM {sales.table} WHERE is_order AND ts > {at - ACTIVE_DAYS * DAY:d}"
    (row,) = store.rows(
        f"SELECT count(*), count(n.customer), count(CASE WHEN n.customer IS NOT NULL THEN a.customer END), "
        f"count(a.customer), min(n.ts), max(n.ts), median(n.ts) FROM {evaluation.table} e "
        f"LEFT JOIN {newest} n ON n.customer = e.customer LEFT JOIN ({active}) a ON a.customer = e.customer"
    )
    customers, answered, active_in, active_all, oldest, latest, middle = row
    ((wait,),) = store.rows(
        f"SELECT median(wait) FROM (SELECT n.ts - max(s.ts) AS wait FROM {newest} n JOIN {sales.table} s "
        "ON s.customer = n.customer AND s.is_order AND s.ts <= n.ts GROUP BY n.customer, n.ts)"
    )
    others = customers - answered
    gap = share_difference((active_in, answered), (active_all - active_in, others)) if others else Interval(0, 0, 0)
    invited = _invited(store, at)
    return Response(
        customers, answered, invited, answered / (max(invited, answered) if invited else customers),
        active_in / answered, (active_all - active_in) / others if others else 0.0, gap,
        int(oldest), int(latest), (at - middle) / DAY, None if wait is None else wait / DAY,
        off,
    )  # fmt: skip


def _invited(store: Store, at: int) -> int | None:
    """How many customers an event says were asked."""
    events = Registry.load(store).events
    tables = [events[name].table for name in _ASKED if name in events]
    if not tables:
        return None
    every = " UNION ".join(f"SELECT customer FROM {table} WHERE retired IS NULL AND ts <= {at:d}" for table in tables)
    return int(store.rows(f"SELECT count(*) FROM ({every})")[0][0]) or None
