"""Thresholds of ranks: written at a refresh, read by every engine, so that all agree on who is in the top."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.document import decimal_text
from shoal.lang.show import flat
from shoal.lang.tree import without_notes

if TYPE_CHECKING:
    from shoal.sql.store import Store


@dataclass(frozen=True, slots=True)
class Threshold:
    """One refreshed threshold: the value of ``num / den`` from ``ts`` on."""

    num: int
    den: int
    ts: int


@dataclass(frozen=True, slots=True)
class Measured:
    """A threshold as it was worked out: the value and the rank by their texts, ``num / den``, and of how many."""

    value: str
    rank: str
    num: int
    den: int
    count: int


def value_text(value: n.Node) -> str:
    """The canonical text that names the left side of a rank in the table ``thresholds``.

    >>> value_text(n.Trait("clv"))
    'clv'
    """
    return flat(without_notes(value))


def ranks_of(node: n.Ranked | n.Percentile) -> list[str]:
    """The ranks that a node asks for, as they stand in the table.

    >>> ranks_of(n.Ranked(n.Trait("clv"), "top", 10_000_000)), ranks_of(n.Percentile(n.Trait("clv"), 0, 2_500_000))
    (['top 10'], ['percentile 0', 'percentile 2.5'])
    """
    if isinstance(node, n.Ranked):
        return [f"{node.end} {decimal_text(node.percent)}"]
    return [f"percentile {decimal_text(node.low)}", f"percentile {decimal_text(node.high)}"]


def position(rank: str, count: int) -> int:
    """Which of ``count`` values, counted from 1 in ascending order, is the threshold of a rank.

    >>> position("top 10", 25), position("bottom 10", 25), position("percentile 0", 25)
    (23, 3, 1)
    """
    end, percent = rank.split(" ")
    k = max(1, -(-count * Fraction(percent) // 100))
    return int(count + 1 - k if end == "top" else k)


def recorded(store: Store, value: str, rank: str, known_at: int | None) -> list[Threshold]:
    """All refreshes of one threshold, in the order of their instants; of one instant the last that was received."""
    rows = store.rows(
        "SELECT ts, arg_max(num, received), arg_max(den, received) FROM thresholds "
        "WHERE value = ? AND rank = ? AND (?::BIGINT IS NULL OR received <= ?) GROUP BY ts ORDER BY ts",
        [value, rank, known_at, known_at],
    )
    return [Threshold(num, den, ts) for ts, num, den in rows]
