"""One refresh: from the store as of an instant to micro-segments with names, rules, cards and the ids that they had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.errors import DefinitionError, Refused, UnknownName
from shoal.insight.discovery import cards, drifting, record
from shoal.insight.discovery.choice import Settings
from shoal.insight.discovery.discover import LEAST_CUSTOMERS, discover
from shoal.insight.discovery.features import features as features_of
from shoal.insight.discovery.features import span_of, weights
from shoal.insight.discovery.identity import Members
from shoal.insight.discovery.observing import observed
from shoal.insight.discovery.outcomes import compare
from shoal.insight.discovery.personas import names, persona
from shoal.insight.discovery.reading import Read, drawn, names_of, outcomes, read
from shoal.insight.discovery.refit import Held
from shoal.insight.discovery.rule import f1_interval
from shoal.insight.discovery.wording import where
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.stats.effects import eta_squared
from shoal.stats.intervals import Moments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from shoal.insight.discovery.discover import Discovery, Segment
    from shoal.insight.discovery.features import Feature, Span
    from shoal.insight.discovery.model import Model
    from shoal.insight.discovery.observing import Observed
    from shoal.insight.discovery.record import Asked, Found
    from shoal.insight.discovery.table import Bools, Floats, Ints
    from shoal.insight.models.asof import AsOf
    from shoal.lang.schema import Basis
    from shoal.shapes import Trial
    from shoal.stats.intervals import Interval

    Step = Callable[[str, int, int], None]

TRAIT, CANDIDATE = "micro_segment", "micro_segment_next"
"""The recorded trait, and the segment that was nearer at the last look: the customer moves if it is so again."""
MARGIN, TIMES, AT_ONCE = 0.1, 2, 0.35
"""Hysteresis: nearer by a tenth of the distance at two looks in a row, or by a third at one, and a customer moves."""
STEPS = 5


@dataclass(frozen=True, slots=True)
class Fit:
    """A discovery with what is needed to assign customers by it.

    Args:
        found: what is told of it.
        features: its columns.
        model: the frozen partition.
        references: the distributions at the fit, for drift.
        next_number: of the next segment to be born.
        owners: keys of the customers that it looked at.
        places: the segment of each.
        outliers: who of them is far from everything, by id.
    """

    found: Found
    features: tuple[Feature, ...]
    model: Model
    references: Mapping[str, Any]
    next_number: int
    owners: Ints
    places: Ints
    outliers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a refresh needs of the workspace.

    Args:
        consents: the store as of the instant whose consent counts.
        purposes: with their basis.
        purpose: whose reachable share counts on the card.
        currency: of money.
        trials: campaigns whose receivers were drawn by lot.
    """

    consents: AsOf
    purposes: Mapping[str, Basis]
    purpose: str | None
    currency: str
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class Before:
    """The version in force, which a refresh begins with.

    Args:
        members: who is recorded in which of its segments, in the order of ``model.segments``.
        model: its frozen partition.
        features: its columns.
        asked: what it was asked for.
        starts: whether the search begins with its groups; else they only give their ids to fresh ones.
    """

    members: Members
    model: Model
    features: tuple[Feature, ...]
    asked: Asked
    starts: bool = True


def fitted(known: AsOf, asked: Asked, setting: Setting, before: Before | None, step: Step) -> Fit:
    """Find micro-segments as of an instant.

    Args:
        known: the store.
        asked: what is to be done.
        setting: what else the workspace says.
        before: the version in force, so that its groups and ids stay unless there is something materially better.
        step: is called with (what, done, total).

    Raises:
        Refused: too few customers, or no column that tells them apart.
        DefinitionError: the condition of the population isn't accepted.
    """
    step("reading features", 0, STEPS)
    span = span_of(known, asked.horizon)
    features, left_out = features_of(known, span, asked.without)
    mine = read(known, features, asked.who)
    step("looking for groups", 1, STEPS)
    settings = Settings(asked.fewest, asked.most, asked.seed, weights=weights(features))
    held = None if before is None else _held(known, asked, before, features, mine)
    result = discover(mine.table, settings, before=None if before is None else before.members, held=held)
    if held is not None and before is not None and result.origin == "kept":
        # What stays is told and assigned by its own columns.
        features, mine = before.features, Read(held.table, mine.owners)
    step("testing on what came after", 2, STEPS)
    looked = _Looked(result, mine, features, span, asked.who)
    afterwards = _later(known, looked)
    step("evaluating rules", 3, STEPS)
    rules = _rules(known, looked)
    step("writing portraits", 4, STEPS)
    segments = _segments(known, setting, looked, afterwards, rules)
    found = _found(known, asked, span, result, segments, afterwards, (*result.notes, *left_out))
    outliers = tuple(str(c) for c in mine.table.ids[result.outliers.rows])
    references = drifting.references(mine.table, result.places, result.k, {f.name for f in features if f.ages})
    number = result.members.next_number
    return Fit(found, features, result.model, references, number, mine.owners, result.places, outliers)


def _held(known: AsOf, asked: Asked, before: Before, features: Sequence[Feature], mine: Read) -> Held | None:
    """The groups in force on the customers of today; None where their columns can't be read any more."""
    if tuple(before.features) == tuple(features):
        table = mine.table
    else:
        try:
            table = read(known, before.features, asked.who).table
        except (Refused, UnknownName, DefinitionError):
            return None
    same = (before.asked.who, sorted(before.asked.without)) == (asked.who, sorted(asked.without))
    return Held(before.model, table, same and _columns(before.features) == _columns(features), before.starts)


def _columns(features: Iterable[Feature]) -> set[tuple[str, str]]:
    """What groups are made from but for tastes: which categories tell most changes with each month, and means little."""
    return {(f.name, f.text) for f in features if f.theme != "taste"}


def members(known: AsOf, segments: Sequence[str], next_number: int) -> Members:
    """Who is recorded in which segment as of an instant."""
    owners, values = recorded(known, TRAIT)
    place = {segment: i for i, segment in enumerate(segments)}
    places = np.array([place.get(v, -1) for v in values], dtype=np.int64)
    inside = places >= 0
    return Members(names_of(known, owners[inside]), places[inside], tuple(segments), next_number)


def recorded(known: AsOf, trait: str) -> tuple[Ints, list[str]]:
    """The owners and values of a recorded trait as of an instant; empty where it was never written."""
    there = known.registry.trait(trait)
    if there is None:
        return np.zeros(0, dtype=np.int64), []
    found = known.arrow(f"SELECT owner, value FROM ({known.trait(there)}) WHERE value IS NOT NULL ORDER BY owner")
    return np.asarray(found["owner"].to_numpy(), dtype=np.int64), found["value"].to_pylist()


# ---------------------------------------------------------------- what came after


def _later(known: AsOf, looked: _Looked) -> cards.Later | None:
    """The segments as they would have been a horizon ago, by features of then alone, on what was done since."""
    span, result, mine = looked.span, looked.result, looked.read
    if not span.horizon:
        return None
    with known.before(known.at - span.horizon * DAY) as then:
        past = read(then, looked.features, looked.who)
        if past.table.size < LEAST_CUSTOMERS:
            return None
        places = result.model.places(past.table)
        came = outcomes(then, known, past.owners)
    if not came:
        return None
    k = result.k
    means = {name: _means(values, places, k) for name, values in came.items()}
    return cards.Later(
        span.horizon,
        compare(places, result.model.segments, came),
        means,
        {name: _explained(values, places, k) for name, values in came.items()},
        _stayed(past.owners, places, mine.owners, result.places, k),
        means.get("bought", np.full(k, np.nan)),
    )


def _means(values: Floats, places: Ints, k: int) -> Floats:
    counts = np.bincount(places, minlength=k)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.bincount(places, values, minlength=k) / counts)


def _explained(values: Floats, places: Ints, k: int) -> float:
    counts = np.bincount(places, minlength=k)
    sums, squares = (np.bincount(places, v, minlength=k) for v in (values, values**2))
    groups = [Moments.of_sums(*one) for one in zip(counts.tolist(), sums.tolist(), squares.tolist(), strict=True)]
    return eta_squared(groups)


def _stayed(then: Ints, before: Ints, now: Ints, after: Ints, k: int) -> Floats:
    _, old, new = np.intersect1d(then, now, return_indices=True)
    return _means((before[old] == after[new]).astype(np.float64), before[old], k)


# ---------------------------------------------------------------- rules


def _rules(known: AsOf, looked: _Looked) -> list[record.Rule]:
    """Each rule as text, and how well it names the members by the engine that will evaluate it."""
    result, owners = looked.result, looked.read.owners
    texts = [where(segment.rule, looked.by_name) for segment in result.segments]
    asked = {s.id: text for s, text in zip(result.segments, texts, strict=True) if text is not None}
    named = known.holds({slug: Definition(slug, slug, parse(text)) for slug, text in asked.items()}) if asked else {}
    place, _ = known.rows(owners)
    out = []
    for at, (segment, text) in enumerate(zip(result.segments, texts, strict=True)):
        member = result.places == at
        hits = named[segment.id][place] if segment.id in named else np.zeros(len(owners), dtype=bool)
        both = int((hits & member).sum())
        precision = both / int(hits.sum()) if hits.any() else None
        recall = both / int(member.sum()) if text is not None and member.any() else None
        unseen = _f1(hits[result.judged], member[result.judged])
        out.append(_rule(segment, text, precision, recall, unseen))
    return out


def _f1(named: Bools, member: Bools) -> Interval:
    return f1_interval(int((named & member).sum()), int(named.sum()), int(member.sum()))


def _rule(
    segment: Segment, text: str | None, precision: float | None, recall: float | None, unseen: Interval
) -> record.Rule:
    p, r = precision or 0.0, recall or 0.0
    fidelity = 2 * p * r / (p + r) if p + r else 0.0
    ends = (unseen.low, unseen.high) if text is not None else (None, None)
    return record.Rule(text, precision, recall, fidelity, unseen.value, segment.rule.conditions, *ends)


# ---------------------------------------------------------------- segments


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was found, with what it was found in."""

    result: Discovery
    read: Read
    features: tuple[Feature, ...]
    span: Span
    who: str | None

    @property
    def by_name(self) -> Mapping[str, Feature]:
        return {f.name: f for f in self.features}


def _segments(
    known: AsOf, setting: Setting, looked: _Looked, afterwards: cards.Later | None, rules: Sequence[record.Rule]
) -> tuple[record.MicroSegment, ...]:
    result, window, by_name = looked.result, looked.span.window, looked.by_name
    owners = looked.read.owners
    seen = observed(known, setting.consents, owners, result.places, result.k, window, setting.purposes)
    responded = _responses(known, setting.trials, looked)
    called = names(result.segments, by_name)
    out = []
    for at, segment in enumerate(result.segments):
        card = cards.card(segment, at, rules[at], seen[at], afterwards, responded, setting.purpose)
        told = persona(segment, by_name, seen[at], len(owners), window, setting.currency)
        out.append(_segment(segment, called[at], seen[at], afterwards, rules[at], told, card))
    return tuple(out)


def _segment(
    segment: Segment,
    name: str,
    seen: Observed,
    afterwards: cards.Later | None,
    rule: record.Rule,
    told: record.Persona,
    card: tuple[record.Criterion, ...],
) -> record.MicroSegment:
    tested = afterwards is not None and segment.id not in afterwards.distinctness.untested
    distinct = segment.id in afterwards.distinctness.distinct if tested and afterwards is not None else None
    return record.MicroSegment(
        id=segment.id,
        name=name,
        size=segment.size,
        share=segment.share,
        revenue=seen.revenue,
        revenue_share=seen.revenue_share,
        standing=standing(segment.kind, bool(distinct)),
        jaccard=segment.jaccard,
        band=segment.band,
        valley=segment.valley,
        outlier_share=segment.outlier_share,
        distinct=distinct,
        rule=rule,
        persona=told,
        card=card,
    )


def standing(kind: str, distinct: bool) -> record.Standing:
    """What a segment is called: by the structure of the data, else by what its customers did afterwards."""
    if kind == "natural":
        return "natural"
    if kind == "reproducible":
        return "reproducible"
    return "distinct" if distinct else "constructive"


def _responses(known: AsOf, trials: Sequence[Trial], looked: _Looked) -> cards.Responses | None:
    """How the segments responded to the campaign that most customers were drawn for; None where there was none.

    Segments are those of the moment before it began: a campaign changes what people do, and so where they belong.
    """
    parts = [part for trial in trials if (part := drawn(known, trial)) is not None]
    if not parts:
        return None
    part = max(parts, key=lambda p: len(p.owners))
    with known.before(part.begun - 1) as then:
        past = read(then, looked.features, looked.who)
    _, mine, theirs = np.intersect1d(past.owners, part.owners, return_indices=True)
    places = looked.result.model.places(past.table)[mine]
    treated, ordered = part.treated[theirs], part.ordered[theirs]
    return cards.responses(part.name, treated, ~treated, ordered, places, looked.result.k)


def _found(
    known: AsOf,
    asked: Asked,
    span: Span,
    result: Discovery,
    segments: tuple[record.MicroSegment, ...],
    afterwards: cards.Later | None,
    notes: tuple[str, ...],
) -> Found:
    merges = () if afterwards is None else afterwards.distinctness.merges
    return record.Found(
        known.at,
        asked,
        len(result.places),
        span.window,
        0 if afterwards is None else afterwards.days,
        () if afterwards is None else tuple(sorted(afterwards.means)),
        result.supported_k,
        result.verdict,
        result.k,
        result.reason,
        notes,
        segments,
        tuple((m.segments, m.reason) for m in merges),
        tuple(
            record.Event(c.kind, c.before, c.after, c.jaccard, c.members, c.shares, c.customers) for c in result.changes
        ),
        tuple(
            record.Looked(e.k, e.verdict, e.silhouette, e.null_silhouette, e.rand, e.p, e.reasons)
            for e in result.evidence
        ),
        tuple((d.column, d.action, d.reason) for d in result.decisions),
        int(result.outliers.rows.sum()),
        {} if afterwards is None else afterwards.explained,
        result.origin,
    )


# ---------------------------------------------------------------- between fits


def standing_of(known: AsOf, owners: Ints, segments: Sequence[str]) -> tuple[Ints, Ints]:
    """For each customer the places of the recorded segment and of the rival at the last look; −1 for none."""
    place = {segment: i for i, segment in enumerate(segments)}
    columns = []
    for trait in (TRAIT, CANDIDATE):
        who, values = recorded(known, trait)
        at = np.full(len(owners), -1, dtype=np.int64)
        if len(owners):
            order = np.argsort(owners)
            spot = np.minimum(np.searchsorted(owners[order], who), len(owners) - 1)
            mine = owners[order][spot] == who
            found = np.array([place.get(v, -1) for v in values], dtype=np.int64)
            at[order[spot[mine]]] = found[mine]
        columns.append(at)
    return columns[0], columns[1]
