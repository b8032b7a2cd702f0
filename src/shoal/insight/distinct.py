"""What makes a segment different: its customers against all others, on variables that didn't take part in building it.

A segment of big spenders differs in spend by construction; that says nothing. So whatever its definition rests on, and
whatever is computed from that, is left out. Effects are on one scale: Cramér's V for words, the root of eta squared for
numbers.

What is known of an account is the same for all its customers, so that a hundred of them tell no more than one. For such
traits a group counts as many as it would have customers if each were of an account of its own (Kish's effective size).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING

from shoal.customers.profiles import current_values
from shoal.insight.overlap import named_segments
from shoal.lang.references import event_names, references
from shoal.lang.say import trait_words
from shoal.lang.schema import Kind
from shoal.shapes import ACCOUNT_ID, ACCOUNT_PREFIX
from shoal.sql.registry import CUSTOMER, Registry, scores
from shoal.stats.effects import cramers_v, eta_squared, lift
from shoal.stats.intervals import Interval, Moments, mean_difference, share_difference

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        variable: the trait; one of the account begins with ``account.``.
        level: the value that is over- or under-represented; None for a number.
        inside: the share of the level, or the mean, in the segment.
        outside: the same among all others.
        difference: inside less outside, with its interval.
        lift: inside over outside, for a level, with its interval.
        effect: 0 none … 1 all: Cramér's V, or the root of eta squared.
        n: customers in the segment whose value is known.
        label: the trait in words.
    """

    variable: str
    level: str | None
    inside: float
    outside: float
    difference: Interval
    lift: Interval | None
    effect: float
    n: int
    label: str = ""


def differences(
    store: Store,
    evaluation: Evaluation,
    definitions: Mapping[str, Definition],
    rule: RevenueRule,
    *,
    most: int = MOST_SHOWN,
    every_level: bool = False,
) -> dict[str, list[Difference]]:
    """For each segment the largest differences that chance doesn't explain, the largest first.

    The intervals shown are of 95 %. Which differences are shown is decided at 5 % over all variables of the segment
    together (Bonferroni), or with forty variables two would always be found.

    Args:
        store: the workspace's store.
        evaluation: who is in which segment.
        definitions: the segments by slug, to know what each is built of.
        rule: which events bear revenue: traits computed from them are left out with them.
        most: so many of a segment at most.
        every_level: tell each value of a variable that differs, and not only the one that differs most.
    """
    variables, computed = list(_variables(store, evaluation.at)), scores(store)
    barred = _barred(evaluation, definitions, computed, rule)
    found: dict[str, list[Difference]] = {slug: [] for slug in evaluation.columns}
    for variable in variables:
        asked = [slug for slug in evaluation.columns if variable.name not in barred[slug]]
        tests = {slug: sum(v.name not in barred[slug] for v in variables) for slug in asked}
        worth = _worth(store, evaluation, variable, asked)
        told = (
            _numbers(store, evaluation, variable, worth, tests)
            if variable.kind is Kind.NUMBER
            else _levels(store, evaluation, variable, worth, tests, every=every_level)
        )
        for slug, difference in told:
            label = trait_words(variable.name, computed).removeprefix("the ")
            found[slug].append(replace(difference, label=label))
    return {slug: sorted(all_, key=_rank)[:most] for slug, all_ in found.items()}


def _rank(found: Difference) -> tuple[float, float]:
    """The largest effect first; of the values of one variable, the one whose share differs most."""
    return -found.effect, -abs(found.difference.value)


@dataclass(frozen=True, slots=True)
class _Variable:
    """A trait of customers, or of their accounts: ``values`` is SQL that gives (customer, value, account)."""

    name: str
    kind: Kind
    values: str
    of_accounts: bool


_Worth = Mapping[str, tuple[float, float]]
"""For each segment what one of its customers counts, and one of all others: 1, or less where several share a value."""


def _variables(store: Store, at: int) -> Iterator[_Variable]:
    registry = Registry.load(store)
    home = registry.trait(ACCOUNT_ID)
    for trait in filter(_is_variable, registry.traits.values()):
        values = current_values(store, trait, at)
        if trait.scope == CUSTOMER:
            query = f"SELECT owner AS customer, value, NULL AS account FROM ({values}) WHERE value IS NOT NULL"
            yield _Variable(trait.name, trait.kind, query, of_accounts=False)
        elif home is not None and home.kind is Kind.TEXT:
            query = (
                f"SELECT h.owner AS customer, v.value, v.owner AS account FROM ({current_values(store, home, at)}) h "
                f"JOIN accounts k ON k.id = h.value JOIN ({values}) v ON v.owner = k.key WHERE v.value IS NOT NULL"
            )
            yield _Variable(ACCOUNT_PREFIX + trait.name, trait.kind, query, of_accounts=True)


def _is_variable(trait: Trait) -> bool:
    """Whether a trait can tell customers apart. The scores of RFM only say again what value, orders and recency say."""
    again = trait.score and trait.name.startswith("rfm_") and trait.name != "rfm_recency_days"
    return trait.kind in _KINDS and not trait.unset and not again


def _barred(
    evaluation: Evaluation, definitions: Mapping[str, Definition], computed: frozenset[str], rule: RevenueRule
) -> dict[str, frozenset[str]]:
    """The traits that each segment is built of, or that are computed from the same."""
    rests_on = named_segments(definitions.values(), list(evaluation.columns))
    barred: dict[str, frozenset[str]] = {}
    for slug, slugs in rests_on.items():
        used = [references(definitions[s]) for s in slugs]
        traits = frozenset(t for refs in used for t in refs.traits)
        events = {e for refs in used for name in refs.events for e in event_names(name, rule.names)}
        barred[slug] = traits | (computed if events or traits & computed else frozenset())
    return barred


def _worth(store: Store, evaluation: Evaluation, variable: _Variable, slugs: list[str]) -> _Worth:
    """What a customer counts, by Kish: with n customers of each account, Σ n / Σ n²."""
    if not variable.of_accounts or not slugs:
        return dict.fromkeys(slugs, (1.0, 1.0))
    tests = [test for slug in slugs for test in _sides(evaluation, slug)]
    counts = ", ".join(f"CAST(count(CASE WHEN {test} THEN 1 END) AS DOUBLE) AS n{i}" for i, test in enumerate(tests))
    worths = ", ".join(f"coalesce(sum(n{i}) / nullif(sum(n{i} * n{i}), 0), 1)" for i in range(len(tests)))
    (row,) = store.rows(
        f"SELECT {worths} FROM (SELECT {counts} FROM {_joined(evaluation, variable)} GROUP BY v.account)"
    )
    return {slug: (row[2 * i], row[2 * i + 1]) for i, slug in enumerate(slugs)}


def _joined(evaluation: Evaluation, variable: _Variable) -> str:
    """The customers whose value is known: ``e`` their memberships, ``v`` the value."""
    return f"{evaluation.table} e JOIN ({variable.values}) v ON v.customer = e.customer"


def _sides(evaluation: Evaluation, slug: str) -> tuple[str, str]:
    """The tests of a customer inside a segment, and outside."""
    column = f'coalesce(e."{evaluation.columns[slug]}", false)'
    return column, f"NOT {column}"


# ------------------------------------------------------------ words and yes/no


def _levels(
    store: Store,
    evaluation: Evaluation,
    variable: _Variable,
    worth: _Worth,
    tests: Mapping[str, int],
    *,
    every: bool,
) -> Iterator[tuple[str, Difference]]:
    rows = _level_rows(store, evaluation, variable, list(worth))
    # More values than this: a name or an address, not a variable.
    if not 2 <= len(rows) <= MOST_LEVELS:
        return
    for index, (slug, counts) in enumerate(worth.items(), start=1):
        levels = [(value, n[index], n[0] - n[index]) for value, n in rows]
        yield from ((slug, found) for found in _telling(variable.name, levels, counts, tests[slug], every=every))


def _telling(
    variable: str, levels: list[tuple[str, int, int]], worth: tuple[float, float], tests: int, *, every: bool
) -> Iterator[Difference]:
    """The level that differs most, or each, of (value, customers inside, outside); none that chance would do."""
    n = sum(level[1] for level in levels)
    weighed = [(value, a * worth[0], b * worth[1]) for value, a, b in levels]
    inside, outside = sum(level[1] for level in weighed), sum(level[2] for level in weighed)
    if min(inside, outside) < LEAST_GROUP:
        return
    effect = cramers_v([[a, b] for _, a, b in weighed], corrected=True)
    # The best of several values was picked, which counts as so many looks.
    looks = tests * max(1, len(levels) - 1)
    ranked = sorted(weighed, key=lambda level: -abs(level[1] / inside - level[2] / outside))
    for value, hits, others in ranked if every else ranked[:1]:
        a, b = (min(hits, inside), inside), (min(others, outside), outside)
        if effect and share_difference(a, b, 1 - 0.05 / looks).excludes(0):
            gap = share_difference(a, b)
            yield Difference(variable, value, hits / inside, others / outside, gap, lift(a, b), effect, n)


def _level_rows(
    store: Store, evaluation: Evaluation, variable: _Variable, slugs: list[str]
) -> list[tuple[str, list[int]]]:
    """For each value the number of customers, and of those in each segment."""
    sums = "".join(f", count(CASE WHEN {_sides(evaluation, slug)[0]} THEN 1 END)" for slug in slugs)
    value = "v.value" if variable.kind is Kind.TEXT else "CASE WHEN v.value THEN 'yes' ELSE 'no' END"
    rows = store.rows(
        f"SELECT {value}, count(*){sums} FROM {_joined(evaluation, variable)} "
        f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_LEVELS + 1}"
    )
    return [(value, list(counts)) for value, *counts in rows]


# ------------------------------------------------------------ numbers


def _numbers(
    store: Store, evaluation: Evaluation, variable: _Variable, worth: _Worth, tests: Mapping[str, int]
) -> Iterator[tuple[str, Difference]]:
    row = _moments_row(store, evaluation, variable, list(worth))
    for index, (slug, counts) in enumerate(worth.items()):
        whole = [Moments(n, mean or 0.0, variance or 0.0) for n, mean, variance in _triples(row, index)]
        a, b = (_weighed(sample, share) for sample, share in zip(whole, counts, strict=True))
        if min(a.n, b.n) < LEAST_GROUP or a.variance + b.variance == 0:
            continue
        if mean_difference(a, b, 1 - 0.05 / tests[slug]).excludes(0):
            effect, n = sqrt(eta_squared(whole)), int(whole[0].n)
            yield slug, Difference(variable.name, None, a.mean, b.mean, mean_difference(a, b), None, effect, n)


def _weighed(sample: Moments, worth: float) -> Moments:
    """The moments of as many customers as a clustered sample is worth."""
    n = sample.n * worth
    if worth == 1 or n <= 1:
        return sample._replace(n=n)
    # The variance about the mean of n independent values: the clustered one comes out too small.
    return Moments(n, sample.mean, sample.variance * (sample.n - 1) / sample.n * n / (n - 1))


def _triples(row: tuple[float | None, ...], index: int) -> list[tuple[int, float | None, float | None]]:
    """The size, mean and variance inside a segment and outside."""
    start = 6 * index
    return [(int(row[i] or 0), row[i + 1], row[i + 2]) for i in (start, start + 3)]


def _moments_row(
    store: Store, evaluation: Evaluation, variable: _Variable, slugs: list[str]
) -> tuple[float | None, ...]:
    parts = []
    for test in (side for slug in slugs for side in _sides(evaluation, slug)):
        x = f"CASE WHEN {test} THEN v.value / 1e6 END"
        parts.append(f"count({x}), avg({x}), var_samp({x})")
    if not parts:
        return ()
    (row,) = store.rows(f"SELECT {', '.join(parts)} FROM {_joined(evaluation, variable)}")
    return row
