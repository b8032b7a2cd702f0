"""Members of a segment page by page, each with the instant from which on they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.insight.sales import open_sales

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.workspace.opening import Workspace

ORDERS: Mapping[str, str] = {
    "id": "id",
    "-id": "id DESC",
    "since": "since NULLS LAST, id",
    "-since": "since DESC NULLS LAST, id",
}
"""How members can be sorted."""


def members(
    ws: Workspace,
    segment: str,
    *,
    sort: str = "-since",
    search: str = "",
    whole: bool = False,
    page: int = 1,
    size: int = 50,
) -> dict[str, Any]:
    """One page of members, as they were published last.

    Args:
        ws: the workspace.
        segment: name or slug.
        sort: ``id``, ``since``, or with ``-`` the other way round.
        search: what the id holds; empty for all.
        whole: whether the search must be the whole id.
        page: from 1 on.
        size: of a page.

    Returns:
        ``total`` (members), ``found`` (those that the search fits), ``first`` (the segment's first published change) and
        ``rows``: each with id, since (None where they were in at the first change), orders, revenue (net, since the first
        order) and last (the instant of the last order).

    Raises:
        UnknownName: there is no such segment.
    """
    slug = ws.segments[segment].slug
    inside = (
        "WITH f AS (SELECT min(ts) AS first FROM membership_changes WHERE segment = ?), "
        "last AS (SELECT customer, arg_max(change, seq) AS change, arg_max(ts, seq) AS ts FROM membership_changes "
        "WHERE segment = ? GROUP BY customer), m AS (SELECT c.key, c.id, CASE WHEN l.ts > f.first THEN l.ts END AS since "
        "FROM last l JOIN customers c ON c.key = l.customer, f WHERE l.change = 'entered') "
    )
    fits = "true" if not search else "id = ?" if whole else "contains(lower(id), lower(?))"
    asked = [search] if search else []
    ((total, found, first),) = ws.store.rows(
        f"{inside} SELECT count(*), count(CASE WHEN {fits} THEN 1 END), (SELECT first FROM f) FROM m",
        [slug, slug, *asked],
    )
    rows = ws.store.rows(
        f"{inside} SELECT key, id, since FROM m WHERE {fits} ORDER BY {ORDERS.get(sort, ORDERS['-since'])} LIMIT ? OFFSET ?",
        [slug, slug, *asked, size, (page - 1) * size],
    )
    bought = _bought(ws, [key for key, _, _ in rows])
    return {
        "total": total,
        "found": found,
        "first": first,
        "rows": [{"id": one, "since": since, **bought.get(key, _NOTHING)} for key, one, since in rows],
    }


_NOTHING: Mapping[str, Any] = {"orders": 0, "revenue": None, "last": None}


def _bought(ws: Workspace, keys: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    """What customers bought."""
    if not keys:
        return {}
    among = f"(SELECT unnest([{', '.join(map(str, keys))}]::INTEGER[]) AS customer)"
    with open_sales(ws.store, ws.config.revenue, ws.now(), among=among) as sales:
        rows = ws.store.rows(
            "SELECT customer, count(CASE WHEN is_order THEN 1 END), CAST(sum(revenue) AS DOUBLE) / 1e6, "
            f"max(CASE WHEN is_order THEN ts END) FROM {sales.table} GROUP BY customer"
        )
    return {key: {"orders": orders, "revenue": revenue, "last": last} for key, orders, revenue, last in rows}
