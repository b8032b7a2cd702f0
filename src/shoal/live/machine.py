"""Segments of many customers by compiled loops: gives the loops addresses of all that they read and write."""

from __future__ import annotations

from functools import lru_cache
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from shoal.live import layout as at
from shoal.live.forms import Sort, atoms_of
from shoal.live.program import Program
from shoal.live.room import Room
from shoal.live.table import MOVES
from shoal.live.work import Work, is_backward, work_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shoal.lang.calendar import Zone
    from shoal.live.bits import Bits
    from shoal.live.columns import Column
    from shoal.live.dues import Dues
    from shoal.live.filters import Filter
    from shoal.live.forms import Atom, Form, Forms
    from shoal.live.frames import Stretch
    from shoal.live.state import State
    from shoal.live.table import Table

    Ints: TypeAlias = npt.NDArray[np.int64]

LANES = at.LANES
FEW = LANES
"""Fewer customers are judged one by one."""
_MOST_FLIPS = 1 << 16
_DATES = (-40_000, 80_000)
"""From 1860 to 2189; others are left to the interpreter."""
_YEARS = (315_532_800_000_000, 2_840_140_800_000_000)
"""From 1980 to 2060."""


class Orders(NamedTuple):
    """Where a property stands among the columns of each table.

    Args:
        places: −1 where a table doesn't have it.
        known: the same, only of those that have it.
        words: whether some table holds it by the number of its word.
    """

    places: Ints
    known: dict[int, int]
    words: bool

    @classmethod
    def of(cls, name: str, tables: Sequence[Table]) -> Orders:
        """Of some tables."""
        orders = [list(table.columns).index(name) if name in table.columns else -1 for table in tables]
        known = {place: order for place, order in enumerate(orders) if order >= 0}
        words = any(tables[place].columns[name].words is not None for place in known)
        return cls(np.array(orders, np.int64), known, words)


class Machine:
    """Runs compiled loops over the state.

    Args:
        state: what is known.
        forms: the atoms of all segments.
        segments: the form of each.
        bits: memberships.
        dues: when each is due.
        slots: the place of each segment in ``bits``.
    """

    def __init__(
        self, state: State, forms: Forms, segments: dict[str, Form], bits: Bits, dues: Dues, slots: dict[str, int]
    ) -> None:
        from shoal.live import loops

        self.loops = loops
        self.state, self.forms, self.bits, self.dues, self.slots = state, forms, bits, dues, slots
        self.slugs = [slug for slug, form in segments.items() if self._is_fast(form)]
        self.places = {slug: place for place, slug in enumerate(self.slugs)}
        self._forms = [segments[slug] for slug in self.slugs]
        self.single_ids = any(atom.single for atom in forms.atoms)
        self._program()
        self._alive: list[Any] = []
        self.tables: list[Table] = []
        self._sizes: tuple[int, int] = (-1, -1)
        self._token: tuple[int, int, int] | None = None
        self._bound: tuple[Any, ...] = (None,) * 5
        self._versions: list[int] = []
        self._known_parts: list[tuple[int, int]] = []
        self.slow_of_events: dict[str, frozenset[str]] = {}
        """Of each event the segments that it touches and that loops don't judge."""
        self.has_slow = len(self.slugs) < len(segments)
        self._room: Room | None = None
        self.context = np.zeros(at.CONTEXT_WIDTH, np.int64)
        self._out = np.empty((_MOST_FLIPS, 3), np.int64)
        self._filled = np.zeros(1, np.int64)
        self._values = np.zeros(len(forms.atoms) + 1, np.int64)
        self._stamps = np.zeros(len(forms.atoms) + 1, np.int64)
        self._lists: dict[frozenset[str], int] = {}
        self._works: dict[int, Work] = {}
        self._list = np.zeros(0, np.int64)
        self._bounds = np.zeros(1, np.int64)

    def _is_fast(self, form: Form) -> bool:
        return all(self.forms.atoms[place].sort is not Sort.ASK for place in atoms_of(form))

    def _program(self) -> None:
        program = Program(self.forms.atoms)
        self._begins = np.array([program.add(form)[0] for form in self._forms] + [len(program.steps)], np.int64)
        self._code = np.array(program.steps, np.int32).reshape(-1, 2)
        self._depth = program.depth + 1
        self._thin = np.zeros(self._depth, np.int64)

    # ------------------------------------------------------------ what loops read

    def is_bound(self, now: int) -> bool:
        """Whether all arrays stand where they stood at the last ``bind``, and its frames hold at an instant."""
        words, dues, exists, first, frames = self._bound
        people = self.state.people
        return (
            self._token == (MOVES[0], len(people.ids), len(self.state.events))
            and words is self.bits.words
            and dues is self.dues.at
            and exists is people.exists
            and first is people.first
            and frames.begin <= now < frames.end
        )

    def bind(self, frames: Stretch) -> None:
        """Take up where arrays stand now, if any has moved."""
        self._take_up(frames)
        self._token = MOVES[0], len(self.state.people.ids), len(self.state.events)

    def _take_up(self, frames: Stretch) -> None:
        state = self.state
        # Held, and not told by their ids: another array may get the id of one that is gone.
        arrays = (self.bits.words, self.dues.at, state.people.exists, state.people.first, frames)
        versions = [table.version for table in self.tables]
        sizes = len(state.events), len(self.forms.atoms)
        if self._sizes == sizes and all(map(is_, self._bound, arrays)):
            if versions == self._versions:
                return
            if self._parts() == self._known_parts:
                for place, table in enumerate(self.tables):
                    if versions[place] != self._versions[place]:
                        self._describe_again(place, table)
                self._versions = versions
                return
        self._bound, self._sizes = arrays, sizes
        self._frames = frames.frames if len(frames.frames) else np.zeros((1, 9), np.int64)
        self._choose_tables()
        self._bind_tables()
        self._bind_atoms()
        self._bind_masks()
        self._bind_rest()
        self._known_parts, self._room = self._parts(), None

    def _parts(self) -> list[tuple[int, int]]:
        return [(len(table.columns), len(table.filters)) for table in self.tables]

    def _describe_again(self, place: int, table: Table) -> None:
        """A table's arrays have moved."""
        row = self._tables[place]
        _describe(table, row)
        for number, column in enumerate(table.columns.values(), int(row[at.FIRST_COLUMN])):
            _describe_column(column, self._column_rows[number])

    def _choose_tables(self) -> None:
        found = {id(table): table for table in self.state.events.values()}
        found |= {id(atom.table): atom.table for atom in self.forms.atoms if atom.table is not None}
        self.tables = list(found.values())
        self._place_of = {id(table): place for place, table in enumerate(self.tables)}
        self.place_of_event = {table.name: self._place_of[id(table)] for table in self.state.events.values()}

    def _bind_tables(self) -> None:
        self._columns: list[Column] = []
        self._column_place: dict[tuple[int, str], int] = {}
        filters: list[tuple[int, int, int, int]] = []
        self.asked_filters: dict[int, list[tuple[int, Filter]]] = {}
        self._tables = np.zeros((max(1, len(self.tables)), at.TABLE_WIDTH), np.int64)
        for place, table in enumerate(self.tables):
            row, first = self._tables[place], len(self._columns)
            for name, column in table.columns.items():
                self._column_place[place, name] = len(self._columns)
                self._columns.append(column)
            row[at.FIRST_FILTER] = len(filters)
            filters += self._simple_filters(place, table)
            row[at.LAST_FILTER] = len(filters)
            _describe(table, row)
            row[at.FIRST_COLUMN], row[at.MANY_COLUMNS] = first, len(table.columns)
        self._column_rows = np.zeros((max(1, len(self._columns)), at.COLUMN_WIDTH), np.int64)
        for number, column in enumerate(self._columns):
            _describe_column(column, self._column_rows[number])
        self._filters = np.array(filters or [(0, 0, 1, 0)], np.int64)
        self._versions = [table.version for table in self.tables]
        self.ordered = {place for place, table in enumerate(self.tables) if table.ordered}
        self._orders: dict[str, Orders] = {}

    def orders_of(self, name: str) -> Orders:
        """Where a property stands in each table."""
        found = self._orders.get(name)
        if found is None:
            found = self._orders[name] = Orders.of(name, self.tables)
        return found

    def room_for(self, many: int) -> Room:
        """Room for a batch of events."""
        if self._room is None or len(self._room.rows) < many:
            wide = max([1, *(len(table.columns) for table in self.tables)])
            masks, atoms = self.masks.shape[1], len(self.forms.atoms)
            self._room = Room(max(1024, many), wide, masks, atoms, self._depth)
        return self._room

    def _simple_filters(self, place: int, table: Table) -> list[tuple[int, int, int, int]]:
        """Those that are ranges of one number, as (bit, column, low, high); the rest is asked of each event."""
        found, order = [], list(table.columns)
        for bit in range(len(table.filters)):
            made = self.forms.filter_of(table, bit)
            simple = made.simple()
            if simple is None:
                self.asked_filters.setdefault(place, []).append((bit, made))
            else:
                found += [(bit, order.index(simple[0]), low, high) for low, high in simple[1]]
        return found

    def _bind_atoms(self) -> None:
        self._alive = []
        self._rows_of_atoms = np.zeros((max(1, len(self.forms.atoms)), at.ATOM_WIDTH), np.int64)
        for place, atom in enumerate(self.forms.atoms):
            self._describe_atom(atom, self._rows_of_atoms[place])
            self._rows_of_atoms[place, at.BACKWARD] = is_backward(self._rows_of_atoms[place], self._frames)
        self._works.clear()

    def _describe_atom(self, atom: Atom, row: Ints) -> None:
        row[at.SORT], row[at.FLAG], row[at.WINDOW], row[at.K] = atom.sort, atom.flag, max(0, atom.window), atom.k
        if atom.table is None:
            return
        place = row[at.TABLE] = self._place_of[id(atom.table)]
        row[at.MAY_ASK] = atom.sort is Sort.DAYS
        if atom.column is None:
            return
        column = atom.table.columns[atom.column]
        row[at.COLUMN] = self._column_place[int(place), atom.column]
        if atom.sort is Sort.TOTAL:
            row[at.MAY_ASK] = 1
        elif atom.truth is not None:
            row[at.OF_MISSING] = atom.truth.of_missing
            self._describe_truth(atom, column, row)
        elif column.kind == "date":
            starts = _starts(self.forms.zone)
            row[at.TRUTH], row[at.MANY], row[at.OF_MISSING] = starts.ctypes.data, len(starts), _DATES[0]
            row[at.MAY_ASK] = 1

    def _describe_truth(self, atom: Atom, column: Column, row: Ints) -> None:
        truth = atom.truth
        assert truth is not None
        assert atom.table is not None
        if truth.ranges is None:
            words = truth.words(atom.table, column, self.state, self.forms.zone)
            row[at.WORDS], row[at.MAY_ASK] = 1, 1
        else:
            words = np.array(truth.ranges or [(1, 0)], np.int64)
        self._alive.append(words)
        row[at.TRUTH], row[at.MANY] = words.ctypes.data, len(words)

    def _bind_masks(self) -> None:
        """The atoms of each table, and of each atom the segments that hang on it."""
        tables = self._rows_of_atoms[:, at.TABLE]
        with_table = [a for a, atom in enumerate(self.forms.atoms) if atom.table is not None]
        order = sorted(with_table, key=lambda a: int(tables[a]))
        self._table_atoms = np.array(order or [0], np.int64)
        self._atom_starts = np.searchsorted(tables[order], np.arange(len(self.tables) + 1)).astype(np.int64)
        self.masks = np.zeros((len(self._rows_of_atoms), len(self.slugs) // 64 + 1), np.uint64)
        self._tables_of = np.zeros(len(self.slugs) + 1, np.uint64)
        for s, form in enumerate(self._forms):
            for a in atoms_of(form):
                self.masks[a, s >> 6] |= np.uint64(1 << (s & 63))
                self._tables_of[s] |= np.uint64(1 << (int(tables[a]) & 63))

    def _bind_rest(self) -> None:
        x = self.context
        people = self.state.people
        self._slot_row = np.array([self.slots[slug] for slug in self.slugs] or [0], np.int64)
        self._zone = self._turns() if any(atom.sort is Sort.DAYS for atom in self.forms.atoms) else _NO_ZONE
        for pointer, array in (
            (at.X_TABLES, self._tables),
            (at.X_COLUMNS, self._column_rows),
            (at.X_ATOMS, self._rows_of_atoms),
            (at.X_FRAMES, self._frames),
            (at.X_ZONE, self._zone),
            (at.X_CODE, self._code),
            (at.X_ATOM_STARTS, self._atom_starts),
            (at.X_TABLE_ATOMS, self._table_atoms),
            (at.X_MASKS, self.masks),
            (at.X_TABLES_OF, self._tables_of),
        ):
            x[pointer] = array.ctypes.data
        x[at.X_STARTS], x[at.X_SLOTS] = self._begins.ctypes.data, self._slot_row.ctypes.data
        x[at.X_BITS], x[at.N_SLOTS] = self.bits.words.ctypes.data, self.bits.words.shape[1]
        x[at.X_DUES], x[at.X_LEAST] = self.dues.at.ctypes.data, self.dues.least.ctypes.data
        x[at.X_EXISTS], x[at.X_FIRST] = people.exists.ctypes.data, people.first.ctypes.data
        x[at.X_FILTERS] = self._filters.ctypes.data
        x[at.N_TABLES] = len(self.tables)
        x[at.N_ATOMS], x[at.N_SEGMENTS], x[at.N_MASKS] = len(self.forms.atoms), len(self.slugs), self.masks.shape[1]

    def _turns(self) -> Ints:
        turns = self.forms.zone.transitions(*_YEARS)
        rows = [(turn, seconds * 1_000_000) for turn, seconds in turns]
        return np.array([(len(rows) + 1, 0), *rows, (_YEARS[1], 0)], np.int64)

    def forget_truths(self) -> None:
        """Ask anew which words make which condition true: there may be new ones."""
        self._sizes, self._token = (-1, -1), None

    # ------------------------------------------------------------ running

    def take(self, room: Room, many: int, now: int) -> bool:
        """Take in a batch of events; see ``loops.take``."""
        done: bool = self.loops.take(self.context, room.addresses, many, now)
        return done

    def alone(self, room: Room, row: int, which: int, ts: int, mid: int, now: int) -> int:
        """Take in one event; see ``loops.alone``."""
        found: int = self.loops.alone(self.context, room.addresses, row, which, ts, mid, now)
        return found

    def list_of(self, slugs: frozenset[str]) -> int:
        """The number of a list of segments."""
        found = self._lists.get(slugs)
        if found is None:
            found = self._lists[slugs] = len(self._lists)
            more = np.array([place for slug, place in self.places.items() if slug in slugs], np.int64)
            self._list = np.concatenate((self._list, more))
            self._bounds = np.append(self._bounds, len(self._list))
        return found

    def _work_of(self, number: int, segments: Ints) -> Work:
        """What a list of segments asks for."""
        found = self._works.get(number)
        if found is None:
            places = {a for s in segments.tolist() for a in atoms_of(self._forms[s])}
            found = self._works[number] = work_of(sorted(places), self._rows_of_atoms, self._frames)
        return found

    def _lanes(self, work: Work) -> tuple[Ints, Ints]:
        """Room for the lanes of atoms, marks and the stack, and for where those of the stack stand."""
        many = len(self.forms.atoms) + len(work.wanted) + 1 + self._depth
        return np.zeros(many * LANES, np.int64), np.zeros(self._depth, np.int64)

    def judge(self, rows: Ints, t: Ints, wanted: frozenset[str], frames: Stretch, quiet: bool) -> tuple[Ints, Ints]:
        """Judge segments of customers.

        Returns:
            What changed, as rows of (customer, 4 · segment + truth, instant), and who has to be judged otherwise.
        """
        self.bind(frames)
        number = self.list_of(wanted)
        odd = np.zeros(len(rows), np.bool_)
        found = []
        begin = 0
        segments = self._list[self._bounds[number] : self._bounds[number + 1]]
        wide = len(rows) >= FEW
        if wide:
            work = self._work_of(number, segments)
            lanes, tops = self._lanes(work)
        else:
            which = np.full(len(rows), number, np.int64)
        while begin < len(rows):
            self._filled[0] = 0
            if wide:
                done = self.loops.block(
                    self.context, segments, *work, lanes, tops, rows[begin:], t[begin:], odd[begin:], self._out,
                    self._filled, quiet,
                )  # fmt: skip
            else:
                done = self.loops.single(
                    self.context, self._list, self._bounds, rows[begin:], which[begin:], t[begin:], self._values,
                    self._stamps, self._thin, self._out, self._filled, odd[begin:],
                )  # fmt: skip
            begin += done
            if self._filled[0]:
                found.append(self._out[: self._filled[0]].copy())
        flips = np.concatenate(found) if found else self._out[:0]
        return flips, rows[odd]


@lru_cache(maxsize=8)
def _starts(zone: Zone) -> Ints:
    """The first instant of each date."""
    return np.array([zone.starts(day) for day in range(*_DATES)], np.int64)


def _describe(table: Table, row: Ints) -> None:
    for place, array in (
        (at.START, table.start), (at.TS, table.ts), (at.FLAGS, table.flags), (at.RUN_ROW, table.run_row),
        (at.RUN_AT, table.run_at), (at.RUN_COUNT, table.run_count), (at.RUN_ROOM, table.run_room),
        (at.RUN_BASE, table.run_base), (at.TAIL_TS, table.tail_ts), (at.TAIL_ORIGIN, table.tail_origin),
        (at.TAIL_MID, table.tail_mid), (at.TAIL_FLAGS, table.tail_flags), (at.SIZES, table.sizes),
    ):  # fmt: skip
        row[place] = array.ctypes.data
    row[at.ROWS], row[at.TS_SIZE], row[at.UNIT], row[at.ZERO] = len(table), table.ts.itemsize, table.unit, table.zero
    row[at.FLAG_SIZE], row[at.TAIL_ROOM], row[at.RUNS_ROOM] = (
        table.flags.itemsize,
        len(table.tail_ts),
        len(table.run_at),
    )
    row[at.ORDERED], row[at.HAS_MIDS] = table.ordered, len(table.mids) > 0


def _describe_column(column: Column, row: Ints) -> None:
    row[at.BASE], row[at.SIZE], row[at.COLUMN_UNIT] = column.base.ctypes.data, column.base.itemsize, column.unit
    row[at.BASE_MISSING], row[at.TAIL] = column.base_missing, column.tail.ctypes.data
    row[at.TAIL_MISSING], row[at.SIGNED] = column.missing, column.sign.ctypes.data


_NO_ZONE = np.zeros((1, 2), np.int64)
