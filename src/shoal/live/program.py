"""Segments as steps over a stack: what compiled loops follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.live import layout as at
from shoal.live.forms import All, Atom, Form, Leaf, Not, Some, Sort

if TYPE_CHECKING:
    from collections.abc import Sequence

_COSTS = {Sort.ALWAYS: 0, Sort.TRAIT: 1, Sort.WHEN: 1, Sort.TRAIT_AGE: 1, Sort.FIRST: 2, Sort.KTH: 2, Sort.TOTAL: 6}


class Program:
    """Steps of one tree after another.

    Args:
        atoms: the atoms that trees name by their places.
    """

    def __init__(self, atoms: Sequence[Atom]) -> None:
        self._atoms = atoms
        self.steps: list[tuple[int, int]] = []
        self.depth = 1

    def add(self, form: Form) -> tuple[int, int]:
        """Append a tree; returns where its steps begin and end."""
        begin = len(self.steps)
        self._add(form, 1)
        return begin, len(self.steps)

    def _add(self, form: Form, depth: int) -> None:
        self.depth = max(self.depth, depth)
        match form:
            case All(parts):
                self._join(parts, at.AND, at.UNLESS_FALSE, depth)
            case Some(parts):
                self._join(parts, at.OR, at.UNLESS_TRUE, depth)
            case Not(part):
                self._add(part, depth)
                self.steps.append((at.NOT, 0))
            case Leaf(_, part):
                self._add(part, depth)
            case _:
                self.steps.append((at.PUSH, form))

    def _join(self, parts: tuple[Form, ...], op: int, unless: int, depth: int) -> None:
        """The cheap parts first: where one decides for good, the rest is left out."""
        first, *rest = sorted(parts, key=self._cost)
        self._add(first, depth)
        jumps = []
        for part in rest:
            jumps.append(len(self.steps))
            self.steps.append((unless, 0))
            self._add(part, depth + 1)
            self.steps.append((op, 0))
        for jump in jumps:
            self.steps[jump] = (unless, len(self.steps))

    def _cost(self, form: Form) -> int:
        match form:
            case All(parts) | Some(parts):
                return sum(self._cost(part) for part in parts)
            case Not(part) | Leaf(_, part):
                return self._cost(part)
        atom = self._atoms[form]
        return _COSTS.get(atom.sort, 4) + (3 if atom.flag >= 0 else 0)
