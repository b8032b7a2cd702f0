"""What makes a segment different: its customers against all others, on variables that didn't take part in building it.

A segment of big spenders differs in spend by construction; that says nothing. So whatever its definition rests on, and
whatever is computed from that, is left out. Effects are on one scale: Cramér's V for words, the root of eta squared for
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from shoal.customers.profiles import current_values
from shoal.insight.overlap import named_segments
from shoal.lang.references import event_names, references
from shoal.lang.schema import Kind
from shoal.shapes import ACCOUNT_PREFIX
from shoal.sql.registry import CUSTOMER, Registry
from shoal.stats.effects import cramers_v, eta_squared, lift
from shoal.stats.intervals import Interval, Moments, mean_difference, share_difference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.insight.evaluation import Evaluation
    from shoal.lang.nodes import Definition
    from shoal.shapes import RevenueRule
    from shoal.sql.registry import Trait
    from shoal.sql.store import Store

MOST_LEVELS = 30
MOST_SHOWN = 3
LEAST_GROUP = 5
_KINDS = (Kind.TEXT, Kind.YESNO, Kind.NUMBER)


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a segment's customers differ from all others.

    Args:
        variable: the trait.
        level: the value that is over- or under-represented; None for a number.
        inside: the share of the level, or the mean, in the segment.
        outside: the same among all others.
        difference: inside less outside, with its interval.
        lift: inside over outside, for a level, with its interval.
        effect: 0 none … 1 all: Cramér's V, or the root of eta squared.
        n: customers in the segment whose value is known.
    """

    variable: str
    level: str | None
    inside: float
    outside: float
    difference: Interval
    lift: Interval | None
    effect: float
    n: int


def differences(
    store: Store, evaluation: Evaluation, definitions: Mapping[str, Definition], rule: RevenueRule
) -> dict[str, list[Difference]]:
    """For each segment the three largest differences that chance doesn't explain, the largest first.

    The intervals shown are of 95 %. Which differences are shown is decided at 5 % over all variables of the segment
    together (Bonferroni), or with forty variables two would always be found.

    Args:
        store: the workspace's store.
        evaluation: who is in which segment.
        definitions: the segments by slug, to know what each is built of.
        rule: which events bear revenue: traits computed from them are left out with them.
    """
    known = Registry.load(store).traits.values()
    variables = [t for t in known if _is_variable(t)]
    barred = _barred(evaluation, definitions, {t.name for t in known if t.score}, rule)
    found: dict[str, list[Difference]] = {slug: [] for slug in evaluation.columns}
    for trait in variables:
        asked = [slug for slug in evaluation.columns if trait.name not in barred[slug]]
        tests = {slug: sum(v.name not in barred[slug] for v in variables) for slug in asked}
        compare = _numbers if trait.kind is Kind.NUMBER else _levels
        for slug, difference in compare(store, evaluation, trait, asked, tests):
            found[slug].append(difference)
    return {slug: sorted(all_, key=lambda d: -d.effect)[:MOST_SHOWN] for slug, all_ in found.items()}


def _is_variable(trait: Trait) -> bool:
    """Whether a trait can tell customers apart. The scores of RFM only say again what value, orders and recency say."""
    again = trait.score and trait.name.startswith("rfm_") and trait.name != "rfm_recency_days"
    return trait.scope == CUSTOMER and trait.kind in _KINDS and not again


def _barred(
    evaluation: Evaluation, definitions: Mapping[str, Definition], computed: set[str], rule: RevenueRule
) -> dict[str, set[str]]:
    """The traits that each segment is built of, or that are computed from the same."""
    of_orders = {rule.orders, *rule.events, *rule.cost}
    rests_on = named_segments(definitions.values(), list(evaluation.columns))
    barred: dict[str, set[str]] = {}
    for slug, slugs in rests_on.items():
        used = [references(definitions[s]) for s in slugs]
        traits = {t for refs in used for t in refs.traits if not t.startswith(ACCOUNT_PREFIX)}
        events = {e for refs in used for name in refs.events for e in event_names(name, of_orders)}
        barred[slug] = traits | (computed if events or traits & computed else set())
    return barred


# ------------------------------------------------------------ words and yes/no


def _levels(
    store: Store, evaluation: Evaluation, trait: Trait, slugs: list[str], tests: Mapping[str, int]
) -> Iterator[tuple[str, Difference]]:
    rows = _level_rows(store, evaluation, trait, slugs)
    # More values than this: a name or an address, not a variable.
    if not 2 <= len(rows) <= MOST_LEVELS:
        return
    for index, slug in enumerate(slugs, start=1):
        found = _largest(trait.name, [(value, n[index], n[0] - n[index]) for value, n in rows], tests[slug])
        if found is not None:
            yield slug, found


def _largest(variable: str, levels: list[tuple[str, int, int]], tests: int) -> Difference | None:
    """The level that differs most, of (value, customers inside, outside), or None where chance would do."""
    inside, outside = sum(level[1] for level in levels), sum(level[2] for level in levels)
    if min(inside, outside) < LEAST_GROUP:
        return None
    effect = cramers_v([[a, b] for _, a, b in levels], corrected=True)
    value, hits, others = max(levels, key=lambda level: abs(level[1] / inside - level[2] / outside))
    a, b = (hits, inside), (others, outside)
    # The best of several values was picked, which counts as so many looks.
    looks = tests * max(1, len(levels) - 1)
    if effect == 0 or not share_difference(a, b, 1 - 0.05 / looks).excludes(0):
        return None
    gap = share_difference(a, b)
    return Difference(variable, value, hits / inside, others / outside, gap, lift(a, b), effect, inside)


def _level_rows(store: Store, evaluation: Evaluation, trait: Trait, slugs: list[str]) -> list[tuple[str, list[int]]]:
    """For each value the number of customers, and of those in each segment."""
    sums = "".join(f', CAST(sum(CASE WHEN e."{evaluation.columns[s]}" THEN 1 ELSE 0 END) AS BIGINT)' for s in slugs)
    value = "v.value" if trait.kind is Kind.TEXT else "CASE WHEN v.value THEN 'yes' ELSE 'no' END"
    rows = store.rows(
        f"SELECT {value}, count(*){sums} FROM {evaluation.table} e "
        f"JOIN ({current_values(store, trait, evaluation.at)}) v ON v.owner = e.customer "
        f"WHERE v.value IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_LEVELS + 1}"
    )
    return [(value, list(counts)) for value, *counts in rows]


# ------------------------------------------------------------ numbers


def _numbers(
    store: Store, evaluation: Evaluation, trait: Trait, slugs: list[str], tests: Mapping[str, int]
) -> Iterator[tuple[str, Difference]]:
    row = _moments_row(store, evaluation, trait, slugs)
    for index, slug in enumerate(slugs):
        a, b = (Moments(n, mean or 0.0, variance or 0.0) for n, mean, variance in _triples(row, index))
        if min(a.n, b.n) < LEAST_GROUP or a.variance + b.variance == 0:
            continue
        if mean_difference(a, b, 1 - 0.05 / tests[slug]).excludes(0):
            effect = sqrt(eta_squared([a, b]))
            yield slug, Difference(trait.name, None, a.mean, b.mean, mean_difference(a, b), None, effect, a.n)


def _triples(row: tuple[float | None, ...], index: int) -> list[tuple[int, float | None, float | None]]:
    """The size, mean and variance inside a segment and outside."""
    start = 6 * index
    return [(int(row[i] or 0), row[i + 1], row[i + 2]) for i in (start, start + 3)]


def _moments_row(store: Store, evaluation: Evaluation, trait: Trait, slugs: list[str]) -> tuple[float | None, ...]:
    parts = []
    for slug in slugs:
        column = f'coalesce(e."{evaluation.columns[slug]}", false)'
        for test in (column, f"NOT {column}"):
            x = f"CASE WHEN {test} THEN v.value / 1e6 END"
            parts.append(f"count({x}), avg({x}), var_samp({x})")
    if not parts:
        return ()
    (row,) = store.rows(
        f"SELECT {', '.join(parts)} FROM {evaluation.table} e "
        f"JOIN ({current_values(store, trait, evaluation.at)}) v ON v.owner = e.customer WHERE v.value IS NOT NULL"
    )
    return row
