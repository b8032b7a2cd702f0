"""Migration: who moved from where to where between two dates, with what they bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shoal.customers.profiles import current_values
from shoal.insight import lifecycle, rfm
from shoal.insight.sales import base
from shoal.lang.schema import Kind
from shoal.sql.encode import quoted
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from shoal.insight.evaluation import Evaluation
    from shoal.insight.sales import Sales
    from shoal.sql.store import Store

NOT_YET = "Not yet a customer"
NEVER_ORDERED = "Never ordered"
IN_NONE = "In none"


class Sides(NamedTuple):
    """Where customers are at two dates: relations (customer, state) for a FROM clause.

    Args:
        then: the states at the earlier date.
        now: the states at the later date.
        absent: the name for customers who had no state yet.
    """

    then: str
    now: str
    absent: str


def lifecycle_sides(sales: Sales, cycle: lifecycle.Cycle, before: int) -> Sides:
    """Lifecycle states at an earlier instant and at that of ``sales``."""
    then, now = (lifecycle.states(sales, cycle, at, base(sales.store, at)) for at in (before, sales.at))
    return Sides(then, now, NOT_YET)


def rfm_sides(sales: Sales, cuts: rfm.CutPoints, before: int) -> Sides:
    """RFM groups with the same cut points at both dates."""
    then, now = (
        f"(SELECT customer, segment AS state FROM {rfm.scores(told, cuts)})" for told in (sales.before(before), sales)
    )
    return Sides(then, now, NEVER_ORDERED)


def segment_sides(before: Evaluation, now: Evaluation, slugs: Sequence[str]) -> Sides:
    """Segments that may overlap: each customer counts for the first of ``slugs`` that they are in."""
    return Sides(_first_of(before, slugs), _first_of(now, slugs), NOT_YET)


def of_lifecycle(sales: Sales, cycle: lifecycle.Cycle, before: int) -> pa.Table:
    """Migration between lifecycle states, from ``before`` to the instant of ``sales``; columns as of ``migration``."""
    return migration(sales, before, *lifecycle_sides(sales, cycle, before))


def of_rfm(sales: Sales, cuts: rfm.CutPoints, before: int) -> pa.Table:
    """Migration between RFM groups with the same cut points at both dates; columns as of ``migration``."""
    return migration(sales, before, *rfm_sides(sales, cuts, before))


def of_segments(sales: Sales, before: Evaluation, now: Evaluation, slugs: Sequence[str]) -> pa.Table:
    """Migration between segments that may overlap; columns as of ``migration``."""
    return migration(sales, before.at, *segment_sides(before, now, slugs))


def of_trait(sales: Sales, trait: str, before: int) -> pa.Table | None:
    """Migration between the values of a trait of texts, as it was recorded; columns as of ``migration``.

    Returns:
        None where there is no such trait.
    """
    known = Registry.load(sales.store).trait(trait)
    if known is None or known.kind is not Kind.TEXT:
        return None
    then, now = (
        f"(SELECT owner AS customer, value AS state FROM ({current_values(sales.store, known, at)}) WHERE value IS NOT NULL)"
        for at in (before, sales.at)
    )
    return migration(sales, before, then, now, IN_NONE)


def _first_of(evaluation: Evaluation, slugs: Sequence[str]) -> str:
    arms = " ".join(f"""WHEN "{evaluation.columns[s]}" THEN '{s.replace("'", "''")}'""" for s in slugs)
    state = f"CASE {arms} ELSE '{IN_NONE}' END" if arms else f"'{IN_NONE}'"
    return f"(SELECT customer, {state} AS state FROM {evaluation.table})"


def migration(sales: Sales, before: int, then: str, now: str, absent: str) -> pa.Table:
    """The matrix of transitions between two relations (customer, state).

    Args:
        sales: reaches to the later date.
        before: the earlier instant.
        then: the states at the earlier date, for a FROM clause.
        now: the states at the later date.
        absent: the name for customers who had no state yet.

    Returns:
        Columns: source, target, customers, share (of the source's customers), revenue (net, between the two dates),
        revenue_before (net, in as long a time before the earlier date).
    """
    length = sales.at - before
    return sales.store.arrow(
        f"WITH m AS ({_pairs(then, now, absent)}), "
        f"r AS (SELECT customer, sum(CASE WHEN ts > {before:d} THEN revenue END) AS during, "
        f"sum(CASE WHEN ts <= {before:d} THEN revenue END) AS earlier FROM {sales.table} "
        f"WHERE ts > {before - length:d} GROUP BY customer) "
        "SELECT source, target, count(*) AS customers, count(*) / sum(count(*)) OVER (PARTITION BY source) AS share, "
        "coalesce(CAST(sum(during) AS DOUBLE), 0) / 1e6 AS revenue, "
        "coalesce(CAST(sum(earlier) AS DOUBLE), 0) / 1e6 AS revenue_before "
        "FROM m LEFT JOIN r ON r.customer = m.customer GROUP BY source, target ORDER BY customers DESC, source, target"
    )


def movers(sales: Sales, then: str, now: str, absent: str, source: str, target: str) -> list[int]:
    """The keys of those who went from one state to another, ascending; the arguments are those of ``migration``."""
    told = sales.store.arrow(
        f"SELECT customer FROM ({_pairs(then, now, absent)}) WHERE source = {quoted(source)} AND target = {quoted(target)} "
        "ORDER BY customer"
    )
    return [int(key) for key in told["customer"].to_pylist()]


def _pairs(then: str, now: str, absent: str) -> str:
    return (
        f"SELECT coalesce(t.state, '{absent}') AS source, coalesce(n.state, '{absent}') AS target, "
        f"coalesce(t.customer, n.customer) AS customer FROM {then} t FULL JOIN {now} n ON n.customer = t.customer"
    )


def flows(store: Store, before: Evaluation, now: Evaluation) -> pa.Table:
    """For each segment of both evaluations, how many stayed, entered and left between them.

    Returns:
        Columns: slug, stayed, entered, left.
    """
    import pyarrow as pa

    slugs = [slug for slug in now.columns if slug in before.columns]
    counts = ", ".join(
        f'count(CASE WHEN b."{before.columns[s]}" AND n."{now.columns[s]}" THEN 1 END), '
        f'count(CASE WHEN n."{now.columns[s]}" AND NOT coalesce(b."{before.columns[s]}", false) THEN 1 END), '
        f'count(CASE WHEN b."{before.columns[s]}" AND NOT coalesce(n."{now.columns[s]}", false) THEN 1 END)'
        for s in slugs
    )
    row: tuple[int, ...] = ()
    if slugs:
        (row,) = store.rows(f"SELECT {counts} FROM {before.table} b FULL JOIN {now.table} n ON n.customer = b.customer")
    return pa.table(
        {
            "slug": pa.array(slugs, pa.string()),
            **{name: pa.array(row[i::3], pa.int64()) for i, name in enumerate(("stayed", "entered", "left"))},
        }
    )
