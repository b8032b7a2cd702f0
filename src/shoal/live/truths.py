"""Which values of a trait make a condition true: ranges of integers, or one truth for each distinct word."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from shoal.lang import nodes as n
from shoal.live.intervals import inside
from shoal.live.registry import answer
from shoal.live.scope import Scope

if TYPE_CHECKING:
    import numpy.typing as npt

    from shoal.lang.calendar import Zone
    from shoal.live.columns import Column
    from shoal.live.state import State
    from shoal.live.table import Table

_EVER = -(1 << 62)


class _Value:
    """Stands for the change of a trait that is in force."""

    def __init__(self, column: Column, code: int) -> None:
        self.ts, self.mid = _EVER, ""
        self._column, self._code = column, code

    def get(self, name: str) -> object:
        """The value."""
        return self._column.decode(self._code)


@dataclass(frozen=True, slots=True)
class Truth:
    """Which values make it true.

    Args:
        node: the condition.
        ranges: of integers; None where each word is asked of for itself.
        missing: whether a missing value does; None: as ``is missing`` says.
    """

    node: n.Node
    ranges: tuple[tuple[int, int], ...] | None
    missing: bool | None = None
    _words: list[npt.NDArray[np.uint8]] = field(
        default_factory=lambda: [np.zeros(0, np.uint8)], compare=False, hash=False
    )

    @property
    def of_missing(self) -> bool:
        """Whether a missing value makes it true."""
        if self.missing is not None:
            return self.missing
        return isinstance(self.node, n.Known) and not self.node.known

    def words(self, table: Table, column: Column, state: State, zone: Zone) -> npt.NDArray[np.uint8]:
        """The truth of each word that the column knows by now."""
        assert column.words is not None
        known, wanted = self._words[0], len(column.words)
        if len(known) < wanted:
            more = [judged(self.node, table, column, code, state, zone) for code in range(len(known), wanted)]
            self._words[0] = known = np.concatenate((known, np.array(more, np.uint8)))
        return known

    def of(
        self, stored: npt.NDArray[np.int64], table: Table, column: Column, state: State, zone: Zone
    ) -> npt.NDArray[np.bool_]:
        """Which of the values, as they stand in the tail, make it true."""
        known = stored != column.missing
        if column.words is not None and self.ranges is None:
            found = self.words(table, column, state, zone)
            truth = np.zeros(len(stored), np.bool_)
            truth[known] = found[stored[known]] != 0
        else:
            truth = inside(stored, list(self.ranges or ()))
        truth[~known] = self.of_missing
        return truth


def judged(node: n.Node, table: Table, column: Column, code: int, state: State, zone: Zone) -> bool:
    """Whether a value, as it stands in the tail, makes a condition of one trait true."""
    match node:
        case n.Compare(n.Trait(), "=", n.Text(value)):
            return bool(column.decode(code) == value)
        case n.In(n.Trait(), options, negated) if all(isinstance(option, n.Text) for option in options):
            return (column.decode(code) in {o.value for o in options if isinstance(o, n.Text)}) is not negated
    scope = Scope(state, 0, 0, zone, memo={id(table): [_Value(column, code)]})
    return answer(node, scope).truth
