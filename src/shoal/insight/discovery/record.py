"""What a discovery leaves: records that stand in the store as JSON, without any customer's data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Standing: TypeAlias = Literal["natural", "reproducible", "distinct", "constructive"]

STANDING: Mapping[str, str] = {
    "natural": "there are gaps around it, and it comes back in other samples",
    "reproducible": "it comes back in other samples, though it touches its neighbours",
    "distinct": "the data have no border around it, but its customers did something else afterwards than all others",
    "constructive": "it was made, not found: the data don't part it from its neighbours",
}
"""What is meant by each word; the first, second and last are those of Dolnicar, Grün and Leisch (2018)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What a sentence rests on.

    Args:
        what: the feature, category, purpose or measure.
        kind: ``size``, ``share``, ``median``, ``lift``, ``difference`` …: what ``value`` is.
        segment: the figure in the segment.
        others: the same of all other customers.
        value: how the two compare: a lift, or standard deviations; None where they aren't compared.
        low: the lower end of its 95 % interval.
        high: the upper end.
        n: customers, or orders, that it rests on.
    """

    what: str
    kind: str
    segment: float | None = None
    others: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a persona, with the figure behind it."""

    text: str
    figure: Figure

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Sentence:
        """From JSON."""
        return cls(document["text"], Figure(**document["figure"]))


@dataclass(frozen=True, slots=True)
class Persona:
    """A micro-segment as people speak of it.

    Args:
        portrait: who they are, in a few sentences.
        different: what sets them apart, the greatest difference first.
        buys: what they buy more than the others.
        reach: how and when to reach them.
    """

    portrait: tuple[Sentence, ...]
    different: tuple[Sentence, ...]
    buys: tuple[Sentence, ...]
    reach: tuple[Sentence, ...]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Persona:
        """From JSON."""
        return cls(*(tuple(Sentence.read(s) for s in document[key]) for key in cls.__slots__))


@dataclass(frozen=True, slots=True)
class Criterion:
    """One line of a quality card.

    Args:
        name: substantial, distinct, stable, responsive or actionable.
        met: None where it can't be known.
        text: why, with the figure.
        figure: the figure.
    """

    name: str
    met: bool | None
    text: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Rule:
    """A micro-segment said in the segment language.

    Args:
        where: the condition; None where no condition tells the segment.
        precision: of whom the rule names, the share that are members, by the engine over all customers of the fit.
        recall: of the members, the share that it names.
        fidelity: F1 of the two.
        unseen: the F1 on customers that the rule wasn't made from, by the engine too.
        conditions: how many comparisons it has.
        low: the lower end of the 95 % interval of ``unseen``.
        high: the upper end.
    """

    where: str | None
    precision: float | None
    recall: float | None
    fidelity: float
    unseen: float
    conditions: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class MicroSegment:
    """A micro-segment as a fit found it.

    Args:
        id: persistent across refreshes.
        name: what it is called; it may change with a refresh, the id doesn't.
        size: customers.
        share: of all customers of the fit.
        revenue: what they spent within the window of the fit; None where the data has no orders.
        revenue_share: of all revenue of the window.
        standing: natural, reproducible, distinct or constructive; see ``STANDING``.
        jaccard: mean bootstrap Jaccard.
        band: its word by Hennig.
        valley: the shallowest gap to a neighbour, 0 none … 1 empty.
        outlier_share: of its members.
        distinct: whether it differs from every other on a held-out outcome; None where none could be held out.
        rule: the segment in the language.
        persona: name, portrait, differences.
        card: the quality card.
    """

    id: str
    name: str
    size: int
    share: float
    revenue: float | None
    revenue_share: float | None
    standing: Standing
    jaccard: float
    band: str
    valley: float
    outlier_share: float
    distinct: bool | None
    rule: Rule
    persona: Persona
    card: tuple[Criterion, ...]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> MicroSegment:
        """From JSON."""
        card = tuple(Criterion(**{**c, "figure": Figure(**c["figure"])}) for c in document["card"])
        rest = {"rule": Rule(**document["rule"]), "persona": Persona.read(document["persona"]), "card": card}
        return cls(**{**document, **rest})


@dataclass(frozen=True, slots=True)
class Event:
    """What became of a segment at a refresh: kept, born, died, merged or split.

    Args:
        kind: which of the five.
        before: ids of the last refresh.
        after: ids of this one.
        jaccard: of a kept segment: by members or by meaning, whichever is greater.
        members: of a kept segment: by the members that both refreshes know.
        shares: how much of each part went into a merge, or of the old one into each part of a split.
        customers: how many it is about.
    """

    kind: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    jaccard: float | None = None
    members: float | None = None
    shares: tuple[float, ...] = ()
    customers: int = 0

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Event:
        """From JSON."""
        lists = {key: tuple(document.get(key, ())) for key in ("before", "after", "shares")}
        return cls(**{**document, **lists})


@dataclass(frozen=True, slots=True)
class Looked:
    """What speaks for one number of groups."""

    k: int
    verdict: str
    silhouette: float
    without_groups: float
    rand: float
    p: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a discovery is to do, as ``discovery:`` in ``shoal.yaml`` says.

    Args:
        fewest: of the range of numbers of groups.
        most: of it.
        who: a condition in the segment language that names the population; None for everyone.
        without: features, traits, events or themes that are left out.
        horizon: days that are held out for the test of distinctness.
        seed: of every draw.
    """

    fewest: int = 12
    most: int = 20
    who: str | None = None
    without: tuple[str, ...] = ()
    horizon: int = 90
    seed: int = 0

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Asked:
        """From JSON."""
        return cls(**{**document, "without": tuple(document["without"])})


@dataclass(frozen=True, slots=True)
class Found:
    """A discovery: what the data support, and the micro-segments.

    Args:
        at: the instant that the customers were looked at.
        asked: what was to be done.
        customers: how many were looked at.
        window: days of behaviour.
        held_out: days of what came after, which the segments were tested on; 0 where there were none.
        outcomes: what was looked at of these days.
        supported_k: how many groups the data support; 1 is: none of their own.
        verdict: of the partition: natural, reproducible or constructive.
        k: how many there are.
        reason: why so many.
        notes: what was limited, replaced or left out.
        segments: the largest first.
        merges: ids of segments that no held-out outcome tells apart, with the reason.
        events: what became of the last refresh's segments.
        looked: the evidence for each number of groups.
        decisions: what was done with each column, in words.
        outliers: customers far from everything, who are in their nearest segment all the same.
        explained: by held-out outcome, the share of its variance that lies between the segments, 0 … 1.
        origin: ``kept``, ``moved`` or ``adapted`` from the groups in force, or ``fresh``.
    """

    at: int
    asked: Asked
    customers: int
    window: int
    held_out: int
    outcomes: tuple[str, ...]
    supported_k: int
    verdict: str
    k: int
    reason: str
    notes: tuple[str, ...]
    segments: tuple[MicroSegment, ...]
    merges: tuple[tuple[tuple[str, ...], str], ...]
    events: tuple[Event, ...]
    looked: tuple[Looked, ...]
    decisions: tuple[tuple[str, str, str], ...]
    outliers: int = 0
    explained: Mapping[str, float] = field(default_factory=dict)
    origin: str = "fresh"

    @property
    def distinct(self) -> tuple[str, ...]:
        """The ids of segments that differ from every other on a held-out outcome."""
        return tuple(s.id for s in self.segments if s.distinct)

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Found:
        """From JSON."""
        return cls(
            **{
                **document,
                "asked": Asked.read(document["asked"]),
                "outcomes": tuple(document["outcomes"]),
                "notes": tuple(document["notes"]),
                "segments": tuple(MicroSegment.read(s) for s in document["segments"]),
                "merges": tuple((tuple(ids), why) for ids, why in document["merges"]),
                "events": tuple(Event.read(e) for e in document["events"]),
                "looked": tuple(Looked(**{**e, "reasons": tuple(e["reasons"])}) for e in document["looked"]),
                "decisions": tuple((d[0], d[1], d[2]) for d in document["decisions"]),
            }
        )
