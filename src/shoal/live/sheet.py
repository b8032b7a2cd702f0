"""Some customers, each at an instant, and what is known of them already: the numbers of atoms, leaves and segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from shoal.lang import nodes as n
from shoal.lang.tree import walk
from shoal.live.forms import All, Leaf, Not, Some, Sort, atoms_of
from shoal.live.registry import answer
from shoal.live.scope import Scope, tables_named
from shoal.live.state import ACCOUNT_PREFIX
from shoal.live.values import FAR

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from shoal.live.forms import Form, Forms
    from shoal.live.frames import Stretch
    from shoal.live.plain import Plain
    from shoal.live.state import State
    from shoal.live.table import Table

    Ints: TypeAlias = npt.NDArray[np.int64]
    Bools: TypeAlias = npt.NDArray[np.bool_]

_FEW = 4_096
_PERSONAL = (n.Bucket, n.ListedIn, n.Consents, n.MemberOf)


class Sheet:
    """Numbers of customers (see ``forms``), each worked out once.

    Args:
        forms: atoms and windows.
        plain: works atoms out.
        rows: the customers.
        t: the instant of each.
        frames: of the windows; good for all of these instants.
    """

    def __init__(self, forms: Forms, plain: Plain, rows: Ints, t: Ints, frames: Stretch) -> None:
        self.forms, self.plain, self.rows, self.t, self.frames = forms, plain, rows, t, frames
        self._atoms: dict[int, tuple[Ints, Bools | None]] = {}
        self._leaves: dict[int, Ints] = {}
        self._scopes: dict[int, Scope] = {}
        exists = plain.state.people.exists[rows]
        self._exists = np.where(exists <= t, FAR, -np.where(exists >= FAR, FAR, exists - t))

    @property
    def state(self) -> State:
        """What is known."""
        return self.plain.state

    def segment(self, form: Form) -> Ints:
        """The numbers of a segment: nobody is in before they exist."""
        return np.minimum(self.number(form), self._exists)

    def number(self, form: Form) -> Ints:
        """The numbers of a tree."""
        match form:
            case All(parts):
                return _joined(np.minimum, [self.number(part) for part in parts])
            case Some(parts):
                return _joined(np.maximum, [self.number(part) for part in parts])
            case Not(part):
                return -self.number(part)
            case Leaf():
                return self._leaf(form)
        return self._atom(form)[0]

    def _leaf(self, leaf: Leaf) -> Ints:
        found = self._leaves.get(id(leaf))
        if found is None:
            found = self.number(leaf.form)
            odds = [odd for place in atoms_of(leaf.form) if (odd := self._atom(place)[1]) is not None]
            if odds:
                found = found.copy()
                places = np.flatnonzero(np.logical_or.reduce(odds))
                found[places] = self._asked(leaf.node, places)
            self._leaves[id(leaf)] = found
        return found

    def _atom(self, place: int) -> tuple[Ints, Bools | None]:
        if place not in self._atoms:
            atom = self.forms.atoms[place]
            if atom.sort is Sort.ASK:
                assert atom.node is not None
                self._atoms[place] = self._of_all(atom.node), None
            else:
                frame = self.frames.frames[atom.window] if atom.window >= 0 else None
                self._atoms[place] = self.plain.numbers(atom, self.rows, self.t, frame)
        return self._atoms[place]

    # ------------------------------------------------------------ the interpreter

    def _of_all(self, node: n.Node) -> Ints:
        """The interpreter's numbers; those of whom nothing that it asks for is known share one."""
        everyone = np.arange(len(self.rows))
        if isinstance(node, n.Entered | n.Left):
            return self._of_history(node)
        tables = None if len(self.rows) < 2 else list(self._asked_for(node))
        if tables is None or None in tables or (self.t != self.t[0]).any():
            return self._asked(node, everyone)
        known = np.zeros(len(self.rows), np.bool_)
        for table in tables:
            assert table is not None
            spans = table.spans(self.rows)
            known |= spans.end > spans.begin
        found = np.empty(len(self.rows), np.int64)
        found[known] = self._asked(node, everyone[known])
        others = everyone[~known]
        if len(others):
            found[others] = self._asked(node, others[:1])
        return found

    def _of_history(self, node: n.Entered | n.Left) -> Ints:
        change = "entered" if isinstance(node, n.Entered) else "left"
        found = np.full(len(self.rows), -FAR, np.int64)
        table = self.state.published.get((node.segment, change))
        if table is not None:
            known = np.isin(self.rows, table.customers()) | np.isin(self.rows, self.state.people.standing_rows)
            places = np.flatnonzero(known)
            found[places] = self._asked(node, places)
        return found

    def _asked_for(self, node: n.Node) -> Iterator[Table | None]:
        """The tables on which the answer depends; None where it depends on more."""
        for at in walk(node):
            if isinstance(at, _PERSONAL) or (isinstance(at, n.Events) and at.of_account):
                yield None
            elif isinstance(at, n.Events):
                yield from tables_named(at.name, self.state)
            elif isinstance(at, n.Trait):
                yield None if at.name.startswith(ACCOUNT_PREFIX) else self.state.trait_table(at.name)

    def _asked(self, node: n.Node, places: Ints) -> Ints:
        found = np.empty(len(places), np.int64)
        pairs = zip(self.rows[places].tolist(), self.t[places].tolist(), strict=True)
        for i, (row, t) in enumerate(pairs):
            truth, until = answer(node, self._scope(row, t))
            length = FAR if until >= FAR else until - t
            found[i] = length if truth else -length
        return found

    def _scope(self, row: int, t: int) -> Scope:
        """One for all leaves, where there are few customers."""
        found = self._scopes.get(row)
        if found is None:
            found = Scope(self.state, row, t, self.plain.zone, bit_of=self.forms.bit_of)
            if len(self.rows) <= _FEW:
                self._scopes[row] = found
        return found


def _joined(join: np.ufunc, parts: list[Ints]) -> Ints:
    found: Ints = join.reduce(parts)
    return found
