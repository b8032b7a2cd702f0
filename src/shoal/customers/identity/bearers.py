"""Customers and the identifiers that they bear, as arrays: some 30 bytes a customer and 25 an identifier, texts aside.

A customer is a number from 0. A merge only points the one who goes at the one who stays, so taking it back restores
both exactly: nothing that either bears is rewritten.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from shoal.customers.identity.packed import BLANK, PackedTexts
from shoal.customers.identity.rules import ANONYMOUS_ID, USER_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOBODY = -1
ASIDE = -2
"""What stands for the owner of a row that was forgotten, and of one that was set aside."""

NAME_ONLY = 0
"""The kind of a row that is a customer's id and no identifier."""

_MOST_KINDS = BLANK - 1
_MOST_EARLIER = 20


class Bearers:
    """Who bears which identifier, and who stands for whom."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self.codes: dict[str, int] = {}
        self.kinds: list[str] = [""]
        for kind in (*kinds, USER_ID, ANONYMOUS_ID):
            self.code(kind)
        self.texts = PackedTexts()
        self.owner = array("i")
        self.into = array("i")
        self.seen = array("q")
        self._next = array("i")
        self._name = array("i")
        self._head = array("i")
        self._child = array("i")
        self._sibling = array("i")
        self.earlier: dict[int, tuple[tuple[int, int], ...]] = {}
        """By row: whose it was before it was re-pointed or set aside, and until which ts, oldest first."""

    def code(self, kind: str) -> int | None:
        """The number of a kind, a new one where it is new; None where there are too many."""
        found = self.codes.get(kind)
        if found is None and len(self.kinds) <= _MOST_KINDS:
            found = self.codes[kind] = len(self.kinds)
            self.kinds.append(kind)
        return found

    # ------------------------------------------------------------ customers

    def __len__(self) -> int:
        return len(self.into)

    def create(self, seen: int) -> int:
        """A new customer, without a name yet."""
        for column in (self.into, self._name, self._head, self._child, self._sibling):
            column.append(-1)
        self.seen.append(seen)
        return len(self.into) - 1

    def name(self, customer: int, text: str) -> None:
        """Give a customer their id; an identifier of theirs with the same text serves as its row."""
        for kind in (USER_ID, ANONYMOUS_ID):
            row = self.texts.find(self.codes[kind], text)
            if row >= 0 and self.owner[row] == customer:
                self._name[customer] = row
                return
        self._name[customer] = self._row(NAME_ONLY, text, customer)

    def id_of(self, customer: int) -> str:
        """The id of a customer."""
        return self.texts.text(self._name[customer])

    def by_id(self, text: str) -> int:
        """The customer of an id, merged away or not; ``NOBODY`` where there is none."""
        row = self.texts.find(NAME_ONLY, text)
        if row >= 0:
            return self.owner[row]
        for kind in (USER_ID, ANONYMOUS_ID):
            row = self.texts.find(self.codes[kind], text)
            first = self.first_owner(row) if row >= 0 else NOBODY
            if first >= 0 and self._name[first] == row:
                return first
        return NOBODY

    def root(self, customer: int) -> int:
        """Who stands for a customer."""
        into = self.into
        while into[customer] >= 0:
            customer = into[customer]
        return customer

    def cluster(self, customer: int) -> Iterator[int]:
        """A customer and all who were merged into them, directly or not."""
        waiting = [customer]
        while waiting:
            found = waiting.pop()
            yield found
            child = self._child[found]
            while child >= 0:
                waiting.append(child)
                child = self._sibling[child]

    def join(self, gone: int, kept: int) -> None:
        """Point one who stands alone at another."""
        self.into[gone] = kept
        self._sibling[gone] = self._child[kept]
        self._child[kept] = gone

    def part(self, gone: int) -> int:
        """Take a merge back; returns the one into whom it was."""
        kept = self.into[gone]
        if self._child[kept] == gone:
            self._child[kept] = self._sibling[gone]
        else:
            before = self._child[kept]
            while self._sibling[before] != gone:
                before = self._sibling[before]
            self._sibling[before] = self._sibling[gone]
        self.into[gone] = self._sibling[gone] = -1
        return kept

    # ------------------------------------------------------------ identifiers

    def _row(self, code: int, text: str, owner: int) -> int:
        row = self.texts.add(code, text)
        self.owner.append(owner)
        self._next.append(-1)
        return row

    def link(self, code: int, text: str, customer: int) -> int:
        """A new identifier of a customer."""
        row = self._row(code, text, customer)
        self._next[row] = self._head[customer]
        self._head[customer] = row
        return row

    def own_rows(self, customer: int) -> Iterator[int]:
        """The identifiers linked to a customer, without those of others merged into them; newest first."""
        row = self._head[customer]
        while row >= 0:
            yield row
            row = self._next[row]

    def rows(self, customer: int) -> Iterator[int]:
        """The identifiers of a customer and of all merged into them."""
        for member in self.cluster(customer):
            yield from self.own_rows(member)

    def first_owner(self, row: int) -> int:
        """Whose an identifier was at first."""
        earlier = self.earlier.get(row)
        return earlier[0][0] if earlier else self.owner[row]

    def owner_at(self, row: int, ts: int) -> int:
        """Whose an identifier was at an instant; ``ASIDE`` is for all times."""
        owner = self.owner[row]
        earlier = self.earlier.get(row)
        if earlier is None or owner < 0:
            return owner
        return next((before for before, until in earlier if ts < until), owner)

    def since(self, row: int) -> int | None:
        """The ts from which an identifier is its owner's; None where it was from the first."""
        earlier = self.earlier.get(row)
        return earlier[-1][1] if earlier else None

    def repoint(self, row: int, to: int, ts: int) -> None:
        """Give an identifier to another customer, or to ``ASIDE``, from an instant on."""
        before = self.owner[row]
        self._unlink(row, before)
        self.note_earlier(row, before, ts)
        self.owner[row] = to
        if to >= 0:
            self._next[row] = self._head[to]
            self._head[to] = row

    def note_earlier(self, row: int, owner: int, until: int) -> None:
        """Remember whose an identifier was; of very many the first and the newest."""
        earlier = (*self.earlier.get(row, ()), (owner, until))
        self.earlier[row] = earlier if len(earlier) <= _MOST_EARLIER else (earlier[0], *earlier[2:])

    def _unlink(self, row: int, owner: int) -> None:
        if self._head[owner] == row:
            self._head[owner] = self._next[row]
        else:
            before = self._head[owner]
            while self._next[before] != row:
                before = self._next[before]
            self._next[before] = self._next[row]
        self._next[row] = -1

    # ------------------------------------------------------------ in bulk

    def fill(self, *, seen: array[int], into: array[int]) -> None:
        """Make all customers of an empty graph at once."""
        none = array("i", [-1]) * len(seen)
        self.seen, self.into = seen, array("i", none)
        self._name, self._head, self._child, self._sibling = (array("i", none) for _ in range(4))
        for gone, kept in enumerate(into):
            if kept >= 0:
                self.join(gone, kept)

    def link_many(self, codes: list[int], texts: list[str], owners: list[int]) -> int:
        """Many new identifiers, or names, at once; returns the row of the first."""
        first = self.texts.add_many(codes, texts)
        self.owner.extend(owners)
        self._next.extend([-1] * len(owners))
        for row, (code, owner) in enumerate(zip(codes, owners, strict=True), first):
            if code == NAME_ONLY:
                self._name[owner] = row
            elif owner >= 0:
                self._next[row] = self._head[owner]
                self._head[owner] = row
        return first

    def name_by(self, customer: int, row: int) -> None:
        """Let an identifier's row serve as a customer's id."""
        self._name[customer] = row

    def is_named(self, customer: int) -> bool:
        """Whether a customer has an id yet (or still)."""
        return self._name[customer] >= 0

    # ------------------------------------------------------------ forgetting

    def forget(self, members: list[int]) -> tuple[list[str], list[tuple[str, str]]]:
        """Remove customers who belong together; returns their ids and identifiers."""
        ids = [self.id_of(member) for member in members]
        rows = [row for member in members for row in self.own_rows(member)]
        values = [(self.kinds[self.texts.kind(row)], self.texts.text(row)) for row in rows]
        gone = set(members)
        names = {self._name[m] for m in members if self.texts.kind(self._name[m]) == NAME_ONLY}
        for row in rows:
            self._save_name(row, gone)
            self.owner[row] = NOBODY
            self.earlier.pop(row, None)
        for row, owners in list(self.earlier.items()):
            self._drop_earlier(row, tuple(pair for pair in owners if pair[0] not in gone))
        for member in members:
            for column in (self.into, self._name, self._head, self._child, self._sibling):
                column[member] = -1
        for row in names:
            self.owner[row] = NOBODY
        self.texts.blank([*rows, *names])
        return ids, values

    def _drop_earlier(self, row: int, left: tuple[tuple[int, int], ...]) -> None:
        if left:
            self.earlier[row] = left
        else:
            del self.earlier[row]

    def _save_name(self, row: int, gone: set[int]) -> None:
        """An identifier that goes may be the id of somebody who stays: keep the id."""
        first = self.first_owner(row)
        if first >= 0 and first not in gone and self._name[first] == row:
            self._name[first] = self._row(NAME_ONLY, self.texts.text(row), first)


@dataclass(slots=True)
class GraphState:
    """All that a graph of identifiers remembers.

    Args:
        bearers: who bears what.
        apart: by customer, from whom they were separated.
        told: marks of the conflicts that were recorded.
        crowd: by row of a value that may be shared, the users whom it was seen with.
    """

    bearers: Bearers
    apart: dict[int, set[int]] = field(default_factory=dict)
    told: set[int] = field(default_factory=set)
    crowd: dict[int, set[int]] = field(default_factory=dict)

    def separate(self, one: int, other: int) -> None:
        """Remember that a merge of two was taken back."""
        self.apart.setdefault(one, set()).add(other)
        self.apart.setdefault(other, set()).add(one)


def conflict_mark(kind: str, value: str, customer: str, other: str | None) -> int:
    """What is kept of a conflict that was told: a number, which needs little memory; the same in every process."""
    said = "\0".join((kind, value, customer, "" if other is None else f"\0{other}"))
    digest = blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
