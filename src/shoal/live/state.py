"""The resident state: all that definitions may ask of customers, in memory, as tables of entries by customer and time."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.lang.schema import Basis, Kind
from shoal.live.changes import WHATS
from shoal.live.history import Happened
from shoal.live.people import People
from shoal.live.table import NOBODY, Entry, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from fractions import Fraction

    import numpy.typing as npt

    from shoal.lang.schema import Schema

    Ints = npt.NDArray[Any]

ACCOUNT_PREFIX = "account."
ACCOUNT_ID = "account_id"
GRANTED = {"granted": Kind.YESNO}
ADDED = {"added": Kind.YESNO}
_MOST_TOLD = 1 << 14
"""Changes of memberships that wait for their place in history at most."""


class Refresh(NamedTuple):
    """A threshold as it was refreshed at an instant."""

    ts: int
    number: Fraction


class State:
    """What is known of the customers of a workspace.

    Args:
        schema: the types of traits and properties, and the grounds of purposes.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.people = People()
        self.accounts = People()
        self.events: dict[str, Table] = {}
        self.traits: dict[str, Table] = {}
        self.account_traits: dict[str, Table] = {}
        self.consents: dict[str, Table] = {}
        self.lists: dict[str, Table] = {}
        self._published: dict[tuple[str, str], Happened] = {}
        self._told: list[tuple[Sequence[str], Ints, Ints, Ints]] = []
        self._waiting = 0
        self.thresholds: dict[tuple[str, str], list[Refresh]] = defaultdict(list)
        self.unread_events: set[str] = set()
        """Names of which the store has events that aren't held: a table of that name has only what came since."""
        self.unread_properties: dict[str, frozenset[str]] = {}
        """Of the other names, properties of which the store has values that aren't held."""
        self.unread_traits: set[str] = set()
        """The same of traits, those of accounts with their prefix."""
        self.belonging: dict[str, set[int]] = defaultdict(set)
        """For each account, the rows of all who ever were, or will be, of it."""

    # ------------------------------------------------------------ tables

    def event_table(self, name: str) -> Table:
        """The events of a name."""
        if name not in self.events:
            kinds = {p: t.kind for p, t in self.schema.events.get(name, {}).items()}
            self.events[name] = Table(name, kinds)
        return self.events[name]

    def new_event_table(
        self, name: str, properties: Iterable[str], fields: Mapping[str, frozenset[str]], *, ordered: bool
    ) -> Table:
        """An empty table of the events of a name, with some of their properties, in place of the one that was there.

        Args:
            name: of the events.
            properties: those that are held.
            fields: of properties that are lists of objects, the fields that are held.
            ordered: whether message ids are held.
        """
        kinds = {p: t.kind for p, t in self.schema.events.get(name, {}).items() if p in properties}
        table = self.events[name] = Table(name, kinds, ordered=ordered)
        table.fields = {p: fields.get(p, frozenset()) for p, kind in kinds.items() if kind is Kind.OBJECTS}
        return self.events[name]

    def new_trait_table(self, name: str) -> Table:
        """An empty table of the changes of a trait, in place of the one that was there."""
        tables = self.account_traits if name.startswith(ACCOUNT_PREFIX) else self.traits
        tables.pop(name, None)
        return self.trait_table(name)

    def trait_table(self, name: str) -> Table:
        """The changes of a trait; one of accounts bears its prefix."""
        tables = self.account_traits if name.startswith(ACCOUNT_PREFIX) else self.traits
        if name not in tables:
            tables[name] = Table(name, {"value": self.schema.traits.get(name, Kind.TEXT)})
        return tables[name]

    def consent_table(self, purpose: str) -> Table:
        """Who gave or withdrew consent for a purpose."""
        if purpose not in self.consents:
            self.consents[purpose] = Table(purpose, GRANTED)
        return self.consents[purpose]

    def list_table(self, name: str) -> Table:
        """Who was put on a list or taken off it."""
        if name not in self.lists:
            self.lists[name] = Table(name, ADDED)
        return self.lists[name]

    def published_table(self, segment: str, change: str) -> Happened:
        """When whom a segment was entered or left by, as it was published."""
        if (segment, change) not in self._published:
            self._published[segment, change] = Happened(segment)
        return self._published[segment, change]

    @property
    def published(self) -> dict[tuple[str, str], Happened]:
        """What was published of segments that anybody ever entered or left, by segment and change."""
        if self._told:
            self._sort_in()
        return self._published

    def tell(self, slugs: Sequence[str], rows: Ints, codes: Ints, at: Ints) -> None:
        """Record changes of memberships (see ``live.changes``); they are put in their places when somebody asks."""
        self._told.append((slugs, rows, codes, at))
        self._waiting += len(rows)
        if self._waiting > _MOST_TOLD:
            self._sort_in()

    def _sort_in(self) -> None:
        told, self._told, self._waiting = self._told, [], 0
        for _, parts in groupby(told, key=lambda each: id(each[0])):
            of_one = list(parts)
            rows, codes, at = (np.concatenate([each[place] for each in of_one]) for place in (1, 2, 3))
            order = np.lexsort((at, rows, codes))
            rows, codes, at = rows[order], codes[order], at[order]
            bounds = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
            for begin, end in pairwise(bounds):
                code = int(codes[begin])
                self.published_table(of_one[0][0][code >> 2], WHATS[code & 3]).add(rows[begin:end], at[begin:end])

    def joined_tables(self) -> Iterator[Table]:
        """The tables whose entries a merge joins, as if they had always been one customer's."""
        yield from self.events.values()
        yield from self.traits.values()

    def tables(self) -> Iterator[Table]:
        """All tables but the published history."""
        yield from self.joined_tables()
        yield from self.account_traits.values()
        yield from self.consents.values()
        yield from self.lists.values()

    def tables_of_people(self) -> Iterator[Table | Happened]:
        """All tables whose rows are customers."""
        yield from self.joined_tables()
        yield from self.consents.values()
        yield from self.lists.values()
        yield from self.published.values()

    # ------------------------------------------------------------ taking in

    def add(self, table: Table, row: int, ts: int, mid: str, values: Mapping[str, Any]) -> None:
        """Add a customer's event or change of a trait, and to who stands for them."""
        table.insert(row, ts, mid, values)
        self.people.seen(row, ts)
        standing = self.people.survivor(row)
        if standing != row:
            table.insert(standing, ts, mid, values, origin=row)

    def join(self, kept: int, gone: int) -> None:
        """Merge a customer into another."""
        before = self.people.members(gone)
        self.people.join(kept, gone)
        standing = self.people.survivor(gone)
        for table in self.joined_tables():
            for row in before:
                table.copy(row, standing)
        self._move_belonging(before)

    def separate(self, gone: int) -> int:
        """Take a merge back; returns who stood for the customer until now."""
        standing = self.people.survivor(gone)
        self.people.separate(gone)
        members = self.people.members(gone)
        staying = {NOBODY, *self.people.members(standing)}
        for table in self.joined_tables():
            table.drop(standing, staying.__contains__)
            for row in members[1:]:
                table.copy(row, gone)
        self._move_belonging(members)
        return standing

    def _move_belonging(self, rows: list[int]) -> None:
        table = self.traits.get(ACCOUNT_ID)
        for row in rows if table is not None else ():
            for entry in self.entries(table, row):
                self.belongs(self.people.survivor(row), entry.get("value"))

    def belong_again(self) -> None:
        """Note anew who is of which account."""
        self.belonging.clear()
        self._move_belonging(list(range(len(self.people))))

    def belongs(self, row: int, account: object) -> None:
        """Note that a customer is, was or will be of an account."""
        if isinstance(account, str):
            self.belonging[account].add(row)

    def refresh(self, value: str, rank: str, ts: int, number: Fraction) -> None:
        """Record a threshold."""
        insort(self.thresholds[value, rank], Refresh(ts, number), key=lambda r: r.ts)

    # ------------------------------------------------------------ asking

    def threshold(self, value: str, rank: str, t: int) -> tuple[Fraction | None, int | None]:
        """The threshold in force, None before the first; and the instant of the next one that is known."""
        refreshes = self.thresholds.get((value, rank), [])
        index = bisect_right(refreshes, t, key=lambda r: r.ts)
        following = refreshes[index].ts if index < len(refreshes) else None
        return (refreshes[index - 1].number if index else None), following

    def assumed(self, purpose: str) -> bool:
        """Whether someone of whom nothing is known consents."""
        return self.schema.purposes.get(purpose) is Basis.LEGITIMATE_INTEREST

    def entries(self, table: Table | Happened | None, row: int) -> list[Entry]:
        """A customer's entries in a table that may not be there."""
        return [] if table is None else table.entries(row)
