"""The RFM grid as it stands: how many are in each cell, and what they brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.errors import Refused
from shoal.insight import rfm
from shoal.lang import nodes as n
from shoal.workspace.exploring.conditions import among, both, equal
from shoal.workspace.exploring.ground import counted, slug_in, values_of

if TYPE_CHECKING:
    from shoal.workspace.opening import Workspace

TRAITS = {
    "r": "rfm_r",
    "fm": "rfm_fm",
    "money": "rfm_monetary",
    "orders": "rfm_frequency",
    "silent": "rfm_recency_days",
}


def grid(workspace: Workspace, *, segment: str | None = None) -> dict[str, Any]:
    """The cells of the grid and its groups, each with the text of its segment.

    Args:
        workspace: where.
        segment: only its members.

    Raises:
        Refused: nobody has a score.
        UnknownName: there is no such segment.
    """
    slug = slug_in(workspace, segment)
    with workspace.models.as_of() as known:
        if not set(TRAITS.values()) <= set(known.schema.traits):
            raise Refused(
                "There are no RFM scores yet.",
                fix=f"They need at least {rfm.LEAST_BUYERS} customers with an order: load orders, or send them as events.",
            )
        values: dict[str, n.Node] = {column: n.Trait(trait) for column, trait in TRAITS.items()}
        with values_of(known, values, slug) as table:
            rows = counted(
                known,
                "SELECT CAST(r AS INTEGER) AS r, CAST(fm AS INTEGER) AS fm, count(*) AS customers, "
                "CAST(sum(money) AS DOUBLE) AS revenue, CAST(sum(orders) AS BIGINT) AS orders, "
                "CAST(median(silent) AS DOUBLE) AS silent "
                f"FROM {table} WHERE r IS NOT NULL AND fm IS NOT NULL GROUP BY ALL ORDER BY 1 DESC, 2",
            )
        at = known.at
    cells = [row | {"group": rfm.group(row["r"], row["fm"]), "where": among(slug, _cell(row))} for row in rows]
    return {
        "as_of": clock.iso(at), "segment": segment, "n": sum(row["customers"] for row in rows), "cells": cells,
        "groups": _groups(cells, slug),
    }  # fmt: skip


def _cell(row: dict[str, Any]) -> str:
    return both(equal(TRAITS["r"], row["r"]), equal(TRAITS["fm"], row["fm"]))


def _groups(cells: list[dict[str, Any]], slug: str | None) -> list[dict[str, Any]]:
    """The named groups that anybody is in, in the order in which they are shown."""
    found = []
    for name in rfm.GROUPS:
        inside = [row for row in cells if row["group"] == name]
        if inside:
            sums = {key: sum(row[key] or 0 for row in inside) for key in ("customers", "revenue", "orders")}
            told = {"group": name, "meaning": rfm.MEANING[name], "where": among(slug, rfm.where(name))}
            found.append(told | sums)
    return found
