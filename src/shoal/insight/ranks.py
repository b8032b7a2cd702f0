"""Ranks that were never worked out: of a definition that is new, by whatever way it came into the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.clock import DAY
from shoal.lang.nodes import Percentile, Ranked
from shoal.lang.tree import walk
from shoal.sql.thresholds import value_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.lang.nodes import Definition
    from shoal.sql.engine import SqlEngine

BACKFILL_DAYS = (90, 60, 30)
"""Days before now at which traits and thresholds are worked out too when they are new, so that change can be shown."""


def ranked(definitions: Iterable[Definition]) -> set[str]:
    """The values, as text, by which definitions rank customers."""
    return {
        value_text(node.value)
        for definition in definitions
        for node in walk(definition.where)
        if isinstance(node, Ranked | Percentile)
    }


def rank_new(engine: SqlEngine, definitions: Mapping[str, Definition], at: int) -> bool:
    """Record the thresholds at ``at`` and some earlier days if a value is ranked that was never ranked before.

    Returns:
        Whether there was one.
    """
    values = ranked(definitions.values())
    if not values or values <= {value for (value,) in engine.store.rows("SELECT DISTINCT value FROM thresholds")}:
        return False
    for days in (*BACKFILL_DAYS, 0):
        engine.refresh_thresholds(definitions, at - days * DAY, at)
    return True
