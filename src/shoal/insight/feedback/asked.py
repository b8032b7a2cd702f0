"""Where scores and words of customers stand: as ``feedback:`` in ``shoal.yaml`` says, or found by their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.customers.identity import merged
from shoal.errors import Refused
from shoal.insight.purchases import named
from shoal.lang.schema import Kind
from shoal.shapes import SURVEY_ANSWERED, FeedbackRule
from shoal.sql.registry import Registry
from shoal.sql.tables import MESSAGE_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.sql.registry import EventType
    from shoal.sql.store import Store

NPS, CSAT = "nps", "csat"
_SLIPS = 0.05
"""A larger share of answers off the scale is another scale, as stars from 1 to 10."""
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Scale:
    """How the answers to a question count.

    Args:
        low: the least answer there can be.
        high: the greatest.
        top: from here on an answer is a promoter's, or a satisfied one.
        middle: from here on it is passive; the same as ``top`` where there are no passive ones.
        names: properties and traits that are called so bear it.
        loose: properties that do in an event whose name speaks of surveys or reviews.
    """

    low: int
    high: int
    top: int
    middle: int
    names: tuple[str, ...]
    loose: tuple[str, ...] = ()


SCALES = {
    NPS: Scale(0, 10, 9, 7, ("nps", "nps_score"), ("likelihood_to_recommend", "would_recommend")),
    CSAT: Scale(1, 5, 4, 4, ("csat", "csat_score"), ("satisfaction", "rating", "stars")),
}
_TEXTS = ("comment", "comments", "feedback", "review", "review_text", "verbatim", "remark", "remarks", "free_text")
_LOOSE_TEXTS = (*_TEXTS, "answer", "text", "body", "message", "review_body")
_SPEAKS = re.compile(r"survey|review|feedback|rated|rating|comment|complain|ticket|nps|csat", re.IGNORECASE)
_ORDERLY = re.compile(r"\border\b|checkout|cart|shipment|delivery", re.IGNORECASE)
"""A comment on an order is a note for the driver."""


@dataclass(frozen=True, slots=True)
class Found:
    """One place where answers or texts stand: ``of`` an event (else it is a trait), in a column of a table."""

    name: str
    of: str | None
    table: str
    column: str

    @property
    def words(self) -> str:
        """As it is said: ``nps of "Survey Answered"``."""
        return f"the trait {self.name}" if self.of is None else f'{self.name} of "{self.of}"'

    def query(self, at: int) -> str:
        """SQL of customer, ts, mid (the message, for order) and value, up to an instant; merged customers aren't one yet."""
        owner, column = ("owner", "value") if self.of is None else ("customer", self.column)
        return (
            f"SELECT {owner} AS customer, ts, {MESSAGE_ID} AS mid, {column} AS value FROM {self.table} "
            f"WHERE retired IS NULL AND ts <= {at:d} AND {column} IS NOT NULL"
        )


@dataclass(frozen=True, slots=True)
class Question:
    """A question that customers were asked: its scale, and where the answers stand."""

    measure: str
    scale: Scale
    places: tuple[Found, ...]

    @property
    def words(self) -> str:
        """Where the answers stand, as it is said."""
        return " and ".join(place.words for place in self.places)

    def answers(self, store: Store, at: int) -> str:
        """SQL of customer, ts, mid and score (in millionths): all answers on the scale up to an instant."""
        inside = f"value BETWEEN {self.scale.low * MICRO} AND {self.scale.high * MICRO}"
        every = " UNION ALL ".join(place.query(at) for place in self.places)
        return merged(store, f"SELECT customer, ts, mid, value AS score FROM ({every}) WHERE {inside}")

    def newest(self, store: Store, at: int) -> str:
        """SQL of customer, ts and score: the newest answer of each customer up to an instant."""
        return (
            f"SELECT customer, ts, score FROM ({self.answers(store, at)}) "
            "QUALIFY row_number() OVER (PARTITION BY customer ORDER BY ts DESC, mid DESC) = 1"
        )

    def beyond(self, store: Store, at: int) -> int:
        """How many answers aren't on the scale, and count for nothing.

        Raises:
            Refused: they are so many that another scale was asked on.
        """
        outside = f"value NOT BETWEEN {self.scale.low * MICRO} AND {self.scale.high * MICRO}"
        every = " UNION ALL ".join(place.query(at) for place in self.places)
        ((off, total, most),) = store.rows(
            f"SELECT count(CASE WHEN {outside} THEN 1 END), count(*), max(value) FROM ({every})"
        )
        if off > _SLIPS * total:
            raise Refused(
                f"{off:,} of {total:,} answers of {self.words} aren't from {self.scale.low} to {self.scale.high} (the "
                f"highest is {most / MICRO:g}): that is another scale than that of {self.measure.upper()}.",
                fix="Bring them to the scale with derive: in shoal.yaml, or name other answers under feedback:",
            )
        return int(off)

    def fits(self, store: Store, at: int) -> bool:
        """Whether the answers are on the scale, but for a few slips."""
        try:
            self.beyond(store, at)
        except Refused:
            return False
        return True


def question(store: Store, measure: str, rule: FeedbackRule) -> Question | None:
    """The question of a measure (``nps``, ``csat``), or None where nothing holds answers to it."""
    registry, scale = Registry.load(store), SCALES[measure]
    said: Mapping[str, tuple[str, ...]] = getattr(rule, measure)
    places = tuple(_said(registry, said, Kind.NUMBER)) if said else tuple(_scores(registry, scale))
    return Question(measure, scale, places) if places else None


def asked(store: Store, measure: str, rule: FeedbackRule) -> Question:
    """The question of a measure.

    Raises:
        Refused: if nothing holds answers to it; says which names would.
    """
    found = question(store, measure, rule)
    if found is None:
        scale = SCALES[measure]
        raise Refused(
            f"No event has a number {measure} ({scale.low} to {scale.high}), and no trait is called so.",
            fix=f'Say where the answers stand, in shoal.yaml, as feedback: {{{measure}: {{"{SURVEY_ANSWERED}": score}}}}',
        )
    return found


def text_places(store: Store, rule: FeedbackRule) -> list[Found]:
    """Where customers' own words stand."""
    registry = Registry.load(store)
    if rule.texts:
        return list(_said(registry, rule.texts, Kind.TEXT))
    return [place for event in registry.events.values() for place in _texts(event)]


def scores_beside(store: Store, place: Found, rule: FeedbackRule, at: int) -> dict[str, str]:
    """By measure, the column of the same event that holds the answer given with a text; of answers on the scale."""
    questions = {measure: question(store, measure, rule) for measure in SCALES}
    return {
        measure: other.column
        for measure, found in questions.items()
        for other in (found.places if found and found.fits(store, at) else ())
        if other.of == place.of
    }


def _said(registry: Registry, places: Mapping[str, tuple[str, ...]], kind: Kind) -> Iterator[Found]:
    """What ``shoal.yaml`` names and the data has with the right type."""
    for name, properties in places.items():
        event = registry.events.get(name)
        for prop in properties if event is not None else ():
            assert event is not None
            found = event.properties.get(prop)
            if found is not None and found.kind is kind:
                yield Found(prop, name, event.table, found.col)


def _scores(registry: Registry, scale: Scale) -> Iterator[Found]:
    """Events with a property of the name; a trait counts only where no event has one."""
    none = True
    for event in registry.events.values():
        names = (*scale.names, *scale.loose) if _SPEAKS.search(event.name) else scale.names
        name = named(event.properties, names, Kind.NUMBER)
        if name is not None:
            none = False
            yield Found(name, event.name, event.table, event.properties[name].col)
    for name in (*scale.names, *scale.loose) if none else ():
        trait = registry.trait(name)
        if trait is not None and trait.kind is Kind.NUMBER and not trait.score and not trait.unset:
            yield Found(name, None, trait.table, "value")
            return


def _texts(event: EventType) -> Iterator[Found]:
    if _ORDERLY.search(event.name) and not _SPEAKS.search(event.name):
        return
    names = _LOOSE_TEXTS if _SPEAKS.search(event.name) else _TEXTS
    for prop in event.properties.values():
        if prop.kind is Kind.TEXT and prop.name.casefold() in names:
            yield Found(prop.name, event.name, event.table, prop.col)
