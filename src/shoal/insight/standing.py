"""Where customers stand at an instant: the cells of the RFM grid, the lifecycle states, and a window of the sales."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shoal.clock import MINUTE
from shoal.insight import lifecycle, rfm
from shoal.insight.overlap import named_segments
from shoal.insight.sales import base
from shoal.lang import nodes as n
from shoal.lang.references import references
from shoal.lang.tree import walk
from shoal.sql.registry import CUSTOMER, Registry
from shoal.sql.subjects import in_force
from shoal.sql.thresholds import ranks_of, recorded, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from shoal.insight.sales import Sales
    from shoal.lang.nodes import Definition
    from shoal.sql.store import Store


def window(sales: Sales, after: int, until: int) -> Sales:
    """The lines with ``after`` < ts ≤ ``until``; closing it does nothing."""
    table = f"(SELECT * FROM {sales.before(until).table} WHERE ts > {after:d})"
    return replace(sales.before(until), table=table)


def rfm_cells(sales: Sales, cuts: rfm.CutPoints) -> pa.Table:
    """How many buyers are in each cell of the RFM grid, and what they bring.

    Returns:
        Columns: r, fm (1 to 5), name (of the group), customers, orders, revenue (net, since the first order), silent
        (median of whole days since the newest order). Cells without a customer are left out.
    """
    return sales.store.arrow(
        "SELECT r, CAST(fm AS INTEGER) AS fm, segment AS name, count(*) AS customers, "
        "CAST(sum(frequency) AS BIGINT) AS orders, sum(monetary) AS revenue, median(recency) AS silent "
        f"FROM {rfm.scores(sales, cuts)} GROUP BY ALL ORDER BY r, fm"
    )


def lifecycle_now(sales: Sales, cycle: lifecycle.Cycle) -> pa.Table:
    """How many customers are in each lifecycle state at the instant of ``sales``, and what they brought.

    Returns:
        Columns: state, customers, orders, revenue (net, since the first order); states without a customer are left out.
    """
    states = lifecycle.states(sales, cycle, sales.at, base(sales.store, sales.at))
    return sales.store.arrow(
        "SELECT s.state, count(*) AS customers, coalesce(CAST(sum(c.orders) AS BIGINT), 0) AS orders, "
        f"coalesce(CAST(sum(c.revenue) AS DOUBLE), 0) / 1e6 AS revenue FROM {states} s LEFT JOIN (SELECT customer, "
        "sum(revenue) AS revenue, sum(CASE WHEN is_order THEN 1 ELSE 0 END) AS orders "
        f"FROM {sales.table} GROUP BY customer) c ON c.customer = s.customer GROUP BY s.state ORDER BY customers DESC"
    )


def span(sales: Sales) -> tuple[int, int] | None:
    """The instants of the first and the last line; None without any."""
    first, last = sales.store.rows(f"SELECT min(ts), max(ts) FROM {sales.table}")[0]
    return None if first is None else (int(first), int(last))


NEVER = 1 << 62


def known_since(store: Store, definitions: Mapping[str, Definition], known_at: int | None = None) -> dict[str, int]:
    """For the segments that rest on computed traits or on thresholds, the instant from which all of these are known.

    Before it nobody is in such a segment, which says nothing about customers. ``NEVER`` where one isn't known yet.
    """
    scored = {t.name: t for t in Registry.load(store).traits.values() if t.score and t.scope == CUSTOMER}
    firsts: dict[str, int] = {}
    first_of: dict[str, list[int]] = {}
    for slug, definition in definitions.items():
        used = [scored[name] for name in references(definition).traits if name in scored]
        for trait in used:
            if trait.name not in firsts:
                first = store.rows(f"SELECT min(ts) FROM {trait.table} WHERE {in_force(known_at)}")[0][0]
                firsts[trait.name] = NEVER if first is None else first
        first_of[slug] = [*(firsts[trait.name] for trait in used), *_ranked_since(store, definition, known_at)]
    rests_on = named_segments(definitions.values(), list(definitions))
    found = {slug: [ts for other in slugs for ts in first_of.get(other, [])] for slug, slugs in rests_on.items()}
    return {slug: max(instants) for slug, instants in found.items() if instants}


def unscored(
    store: Store, definitions: Mapping[str, Definition], at: int, known_at: int | None = None
) -> dict[str, int]:
    """The segments that nothing can be said of at ``at``, and from when on: ``known_since`` lies after it.

    Not one whose score or rank nobody has to this day: that it is empty is the truth. The instants are rounded up to
    the minute, so that one can be asked for as it is shown.
    """
    found = known_since(store, definitions, known_at).items()
    return {slug: -(-since // MINUTE) * MINUTE for slug, since in found if at < since < NEVER}


def _ranked_since(store: Store, definition: Definition, known_at: int | None) -> Iterator[int]:
    for node in walk(definition.where):
        if isinstance(node, n.Ranked | n.Percentile):
            for rank in ranks_of(node):
                refreshed = recorded(store, value_text(node.value), rank, known_at)
                yield refreshed[0].ts if refreshed else NEVER
