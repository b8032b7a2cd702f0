"""``discover``: from a table of customers to micro-segments with their evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import Refused
from shoal.insight.discovery.choice import Choice, Evidence, Settings, Verdict, choose
from shoal.insight.discovery.identity import Change, Members, identify
from shoal.insight.discovery.kmeans import lloyd, squared_distances
from shoal.insight.discovery.model import Model, Outliers, spreads
from shoal.insight.discovery.outcomes import Distinctness, compare
from shoal.insight.discovery.prepare import make_plan
from shoal.insight.discovery.profile import Trait, profiles
from shoal.insight.discovery.refit import Held, Laid, Origin
from shoal.insight.discovery.rule import Rule, Rules, rules
from shoal.insight.discovery.stability import Band, band
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.insight.discovery.prepare import Decision, Plan
    from shoal.insight.discovery.table import Floats, Ints, Matrix, Table

LEAST_CUSTOMERS = 50
PER_GROUP = 10  # customers that a group needs on average
_PROFILED = 200_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A micro-segment.

    Args:
        id: persistent across refreshes.
        size: members.
        share: of all customers.
        kind: natural, reproducible or constructive, of this group alone.
        jaccard: mean bootstrap Jaccard, and its word by Hennig.
        band: that word.
        valley: the shallowest gap to a neighbouring group, 0 … 1.
        outlier_share: of its members.
        traits: what makes it different, the greatest effect first.
        rule: how to say it in conditions.
    """

    id: str
    size: int
    share: float
    kind: Verdict
    jaccard: float
    band: Band
    valley: float
    outlier_share: float
    traits: tuple[Trait, ...]
    rule: Rule


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found.

    Args:
        supported_k: how many groups the data support; 1 is: none of their own.
        verdict: of the partition that is given.
        notes: what was limited or replaced, in words.
        decisions: what was done with each column.
        evidence: for each k from 2.
        k, reason: the number chosen, and why.
        segments: the largest first.
        places: for each customer, in the order of the table that was given, the place in ``segments``.
        model: the frozen partition; its ids are in the order of ``segments``.
        outliers: by customer, in the order of the table.
        members: what the next refresh needs to keep ids.
        changes: what became of the last refresh's segments.
        distinctness: on held-out outcomes; None where none were given.
        origin: whether the groups in force stay as they are, moved or were adapted, or the groups are fresh. Those that
            stay keep their columns and their preparation too.
        judged: rows of the table that the rules weren't made from.
    """

    supported_k: int
    verdict: Verdict
    notes: tuple[str, ...]
    decisions: tuple[Decision, ...]
    evidence: tuple[Evidence, ...]
    k: int
    reason: str
    segments: tuple[Segment, ...]
    places: Ints
    model: Model
    outliers: Outliers
    members: Members
    changes: tuple[Change, ...]
    distinctness: Distinctness | None
    origin: Origin
    judged: Ints


def discover(
    table: Table,
    settings: Settings | None = None,
    *,
    before: Members | None = None,
    held: Held | None = None,
    outcomes: Mapping[str, Floats] | None = None,
) -> Discovery:
    """Find micro-segments.

    The order of rows doesn't matter: they are put in the order of their ids first. The same table and settings give the
    same result, and with ``before`` from it, the same ids.

    Args:
        table: the customers.
        settings: the range of k, the seed and how much work to do.
        before: ``members`` of the last refresh.
        held: the groups in force, which the search begins with; their ids are those of ``before``, in the same order.
        outcomes: held-out columns by name, one value per row of the table, NaN where it is missing.

    Raises:
        Refused: for fewer than 50 customers, or fewer than 10 for each group asked for, a customer in two rows,
            or no column that tells customers apart.
    """
    asked = settings or Settings()
    limited, notes = _limits(table.size, asked)
    order = table.order()
    rows_in_order = table.take(order)
    plan = make_plan(rows_in_order, limited.weights)
    rows = plan.apply(rows_in_order)
    drawn = np.random.default_rng([limited.seed, 11]).permutation(table.size)[: limited.rows].astype(np.int64)
    limited, more = _distinct_limit(rows[drawn], limited)
    old = None if held is None else _laid(held, order, drawn)
    begins = old[1] if held is not None and old is not None and held.starts else None
    choice = choose(rows[drawn], plan.blocks, limited, begins)
    model, labels, rank = _partition(rows, plan, choice)
    ground = rows_in_order
    if held is not None and old is not None and choice.origin == "kept":
        ground = held.table.take(order)
        model, labels, rank = _kept(held, ground, old[0])
    who = identify(rows_in_order.ids, labels, choice.k, before, meaning=None if old is None else old[0])
    model = replace(model, segments=who.segments)
    places = np.empty(table.size, dtype=np.int64)
    places[order] = labels
    # Whoever the groups are told to is in the order of the table that was given.
    outliers = model.outliers(table if ground is rows_in_order or held is None else held.table)
    said = rules(ground, model, labels, choice.k, limited.seed)
    return Discovery(
        choice.supported_k,
        choice.chosen.verdict,
        (*notes, *more),
        model.plan.decisions,
        choice.evidence,
        choice.k,
        choice.reason,
        _segments(ground, model, labels, outliers.rows[order], choice.chosen, rank, said),
        places,
        model,
        outliers,
        Members(rows_in_order.ids, labels, who.segments, who.next_number),
        who.changes,
        compare(places, who.segments, outcomes, limited.alpha) if outcomes else None,
        choice.origin,
        order[said.judged],
    )


def _laid(held: Held, order: Ints, drawn: Ints) -> tuple[Ints, Laid]:
    """The groups in force as labels of all rows in the order of their ids, and on the sample."""
    places = held.model.places(held.table)[order]
    return places, Laid(places[drawn], len(held.model.segments), held.stays)


def _kept(held: Held, ground: Table, places: Ints) -> tuple[Model, Ints, Ints]:
    """The frozen partition, the largest group of today first."""
    k = len(held.model.segments)
    rank = np.argsort(-np.bincount(places, minlength=k), kind="stable").astype(np.int64)
    labels, centres = np.argsort(rank)[places].astype(np.int64), held.model.centres[rank]
    away = squared_distances(held.model.plan.apply(ground), centres, labels)
    return Model(held.model.plan, centres, ("",) * k, spreads(away, labels, k)), labels, rank


def _limits(size: int, settings: Settings) -> tuple[Settings, list[str]]:
    needed = max(LEAST_CUSTOMERS, PER_GROUP * settings.fewest)
    if size < needed:
        fix = (
            f"Ask for at most {size // PER_GROUP} groups, or wait for more customers."
            if size >= LEAST_CUSTOMERS
            else f"Wait until there are {LEAST_CUSTOMERS}; use the segments of the library until then."
        )
        raise Refused(
            f"{counted(size, 'customer')} {noun(size, 'is', 'are')} too few for {settings.fewest} groups "
            f"or more: {needed:,} are needed.",
            fix=fix,
        )
    most = min(settings.most, size // PER_GROUP)
    if most == settings.most:
        return settings, []
    note = f"{counted(size, 'customer')}: looked for at most {most} groups, {PER_GROUP} customers for each, not {settings.most}."
    return replace(settings, most=most), [note]


def _distinct_limit(sample: Matrix, settings: Settings) -> tuple[Settings, list[str]]:
    """No more groups than places where customers are."""
    distinct = len(np.unique(sample, axis=0))
    if distinct >= settings.most:
        return settings, []
    if distinct < 2:
        raise Refused(
            "Customers differ in too little to tell groups apart.", fix="Add columns that vary between customers."
        )
    fewest = min(settings.fewest, distinct)
    note = f"Customers have only {distinct} different rows, so there can't be more groups."
    return replace(settings, fewest=fewest, most=distinct), [note]


def _partition(rows: Matrix, plan: Plan, choice: Choice) -> tuple[Model, Ints, Ints]:
    """All rows from the sample's centres on, the largest group first; and each group's place in the evidence."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # Sums of groups are a product of long sides and a small result: a second thread would only wait for the first.
    with threadpool_limits(1):
        partition = lloyd(rows, choice.partition.centres, iterations=30 if choice.ended else 1)
    sizes = np.bincount(partition.labels, minlength=choice.k)
    rank = np.lexsort((*partition.centres.T[::-1], -sizes))
    back = np.argsort(rank)
    labels, centres = back[partition.labels].astype(np.int64), partition.centres[rank]
    away = squared_distances(rows, centres, labels)
    return Model(plan, centres, ("",) * choice.k, spreads(away, labels, choice.k)), labels, rank


def _segments(
    table: Table,
    model: Model,
    labels: Ints,
    outlying: np.typing.NDArray[np.bool_],
    evidence: Evidence,
    rank: Ints,
    said: Rules,
) -> tuple[Segment, ...]:
    k = evidence.k
    sizes = np.bincount(labels, minlength=k)
    far = np.bincount(labels[outlying], minlength=k)
    few = np.arange(0, table.size, max(1, -(-table.size // _PROFILED)), dtype=np.int64)
    traits = profiles(table.take(few), model.plan, labels[few], k)
    return tuple(
        Segment(
            model.segments[i],
            int(sizes[i]),
            float(sizes[i] / table.size),
            evidence.kinds[rank[i]],
            evidence.jaccard[rank[i]],
            band(evidence.jaccard[rank[i]]),
            evidence.valley[rank[i]],
            float(far[i] / max(int(sizes[i]), 1)),
            traits[i],
            said.rules[i],
        )
        for i in range(k)
    )
