"""The search for boxes: sets of rows as bits, so that all conditions are tried against a box in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.discovery.table import Bools, Floats, Ints

Bits: TypeAlias = npt.NDArray[np.uint64]

MOST_BOXES = 3
MOST_CONDITIONS = 4
GAIN = 0.003
"""F1 that one more condition must bring: a rule is to be read."""
READABLE = 3
FURTHER = 0.02
"""F1 that a fourth condition in a box must bring."""
_BEAM = 8
_ROUNDS = 4


def packed(rows: Bools) -> Bits:
    """Booleans (… × n) as bits, 64 to a word; the last word is filled with zeros."""
    lead, n = rows.shape[:-1], rows.shape[-1]
    wide = np.zeros((*lead, -(-n // 64) * 64), dtype=bool)
    wide[..., :n] = rows
    return np.packbits(wide, axis=-1).view(np.uint64)


def counted(bits: Bits) -> Ints:
    """How many rows are in each set (over the last axis)."""
    return np.asarray(np.bitwise_count(bits).sum(axis=-1, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes as places of conditions; a rule holds where one box does."""

    boxes: tuple[tuple[int, ...], ...]

    @property
    def conditions(self) -> int:
        """How many in all."""
        return sum(len(box) for box in self.boxes)

    def without(self, box: int, condition: int | None = None) -> Boxes:
        """Less a whole box, or one condition of it."""
        kept = list(self.boxes)
        if condition is None or len(kept[box]) == 1:
            kept.pop(box)
        else:
            kept[box] = tuple(c for i, c in enumerate(kept[box]) if i != condition)
        return Boxes(tuple(kept))


class Search:
    """A search for the rule of one segment.

    Args:
        conditions: c × words, the rows that meet each condition.
        member: words, the rows of the segment.
        kinds: of each condition; a box has one of a kind.
        length: of each condition, how many comparisons it takes to say it; 1 where it isn't said.
    """

    def __init__(self, conditions: Bits, member: Bits, kinds: Ints, length: Floats | None = None) -> None:
        self._all, self._member, self._kinds = conditions, member, kinds
        self._price = GAIN * (np.ones(len(kinds)) if length is None else length)
        self._inside, self._buffer = conditions & member, np.empty_like(conditions)
        self._many = int(counted(member))
        self._nothing = np.zeros_like(member)

    def rule(self) -> Boxes:
        """The boxes that tell the segment best, each further condition worth its place."""
        found = Boxes(())
        while len(found.boxes) < MOST_BOXES:
            box = self._grown(self._rows(found))
            if box is None:
                break
            more = self._mended(Boxes((*found.boxes, box)))
            if self._worth(more) <= self._worth(found):
                break
            found = more
        return found

    def f1(self, rule: Boxes) -> float:
        """Of the rows that a rule names and the segment."""
        rows = self._rows(rule)
        both = int(counted(rows & self._member))
        return 2 * both / max(int(counted(rows)) + self._many, 1)

    def cost(self, rule: Boxes) -> float:
        """The F1 that a rule's length must be worth."""
        return sum(self._cost(box) for box in rule.boxes)

    def _cost(self, box: Sequence[int]) -> float:
        return float(self._price[list(box)].sum()) + FURTHER * max(len(box) - READABLE, 0)

    def _worth(self, rule: Boxes) -> float:
        return self.f1(rule) - self.cost(rule) if rule.boxes else 0.0

    def _rows(self, rule: Boxes) -> Bits:
        rows = self._nothing
        for box in rule.boxes:
            rows = rows | self._box(box)
        return rows

    def _box(self, box: Sequence[int]) -> Bits:
        return np.asarray(np.bitwise_and.reduce(self._all[list(box)], axis=0))

    def _with(self, rows: Bits, covered: Bits) -> tuple[Floats, Floats]:
        """F1 of what is covered together with ``rows`` under each condition; and F½, which asks for precision."""
        left = rows & ~covered
        # Into one buffer: to ask the system for a new one each time costs five times the work itself.
        hits = counted(np.bitwise_and(self._inside, left, out=self._buffer)) + int(counted(covered & self._member))
        named = counted(np.bitwise_and(self._all, left, out=self._buffer)) + int(counted(covered))
        return 2 * hits / np.maximum(named + self._many, 1), 1.25 * hits / np.maximum(named + 0.25 * self._many, 1)

    def _barred(self, box: Sequence[int]) -> Bools:
        """Conditions that a box can't take: those it has, in other words too (the same column in the same direction)."""
        return np.isin(self._kinds, self._kinds[list(box)])

    def _grown(self, covered: Bits) -> tuple[int, ...] | None:
        """The box that adds most to what is covered, for its length."""
        beam: list[tuple[int, ...]] = [()]
        best, chosen = -np.inf, None
        for _ in range(MOST_CONDITIONS):
            tried: dict[tuple[int, ...], tuple[float, float]] = {}
            for box in beam:
                tried |= self._longer(box, covered)
            if not tried:
                break
            by_f1 = sorted(tried, key=lambda b: (-tried[b][0], b))
            by_precision = sorted(tried, key=lambda b: (-tried[b][1], b))
            beam = list(dict.fromkeys([*by_f1[:_BEAM], *by_precision[: _BEAM // 2]]))
            if tried[by_f1[0]][0] > best:
                best, chosen = tried[by_f1[0]][0], by_f1[0]
        return chosen

    def _longer(self, box: tuple[int, ...], covered: Bits) -> dict[tuple[int, ...], tuple[float, float]]:
        """The best boxes with one more condition: what each is worth by F1 and by F½."""
        scores, precise = self._with(self._box(box) if box else ~self._nothing, covered)
        dear = self._price + self._cost(box) + FURTHER * (len(box) >= READABLE)
        barred = np.where(self._barred(box), -np.inf, 0.0)
        found = {}
        for order in (scores - dear + barred, precise - dear + barred):
            for at in np.argsort(-order, kind="stable")[: 2 * _BEAM].tolist():
                if np.isfinite(order[at]):
                    found[tuple(sorted((*box, at)))] = float((scores - dear)[at]), float((precise - dear)[at])
        return found

    def _mended(self, rule: Boxes) -> Boxes:
        """Each condition is tried against all others, and dropped or added, until nothing is better."""
        best = self._worth(rule)
        for _ in range(_ROUNDS):
            before = best
            for at in range(len(rule.boxes)):
                rule, best = self._mended_box(rule, at, best)
            if best <= before + 1e-9:
                break
        return rule

    def _mended_box(self, rule: Boxes, at: int, best: float) -> tuple[Boxes, float]:
        covered = self._rows(rule.without(at))
        others = self.cost(rule.without(at))
        box = rule.boxes[at]
        for place in range(min(len(box) + 1, MOST_CONDITIONS)):
            rest = tuple(c for i, c in enumerate(box) if i != place)
            scores, _ = self._with(self._box(rest) if rest else ~self._nothing, covered)
            one = int(np.argmax(np.where(self._barred(rest), -np.inf, scores - self._price)))
            worth = float(scores[one]) - others - self._cost((*rest, one))
            if one not in rest and worth > best + 1e-9:
                box, best = (*rest, one), worth
            if rest and (fewer := self._worth(Boxes((*rule.without(at).boxes, rest)))) > best + 1e-9:
                box, best = rest, fewer
        kept = list(rule.boxes)
        kept[at] = box
        return Boxes(tuple(kept)), best
