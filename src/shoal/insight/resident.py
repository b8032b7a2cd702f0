"""The resident engine filled from the store: the columns that definitions name, in order, and what else they ask of."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.lang.schema import Kind
from shoal.live.changes import WHATS
from shoal.live.columns import BLOCK, MISSING
from shoal.live.engine import Engine
from shoal.live.ids import Ids
from shoal.live.mids import Mids
from shoal.live.needs import Needs, needs
from shoal.live.state import ACCOUNT_ID, ACCOUNT_PREFIX
from shoal.live.values import FAR, Day, Micro, Moment
from shoal.live.words import ITEM, Lists
from shoal.sql.registry import ACCOUNT, CUSTOMER, Registry
from shoal.sql.tables import MESSAGE_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from shoal.lang.nodes import Definition
    from shoal.lang.schema import Schema
    from shoal.live.columns import Column
    from shoal.live.people import People
    from shoal.live.table import Table
    from shoal.sql.registry import Field
    from shoal.sql.store import Store

_INTEGERS = (Kind.NUMBER, Kind.DATE, Kind.INSTANT, Kind.YESNO)


def load_engine(
    store: Store,
    schema: Schema,
    definitions: Mapping[str, Definition],
    now: int,
    recording: bool = True,
    *,
    wanted: Needs | None = None,
    published: bool = False,
) -> Engine:
    """An engine that holds what the store knows; ``build`` evaluates.

    Args:
        store: all of it in force today.
        schema: types of traits and properties, grounds of purposes, the time zone.
        definitions: by slug, checked against the schema.
        now: the instant at which it stands.
        recording: whether the changes that it finds are history that ``entered`` and ``left`` ask of.
        wanted: what to hold; None for what the definitions need.
        published: whether to take memberships as they were published last; ``build`` tells what differs by now.
    """
    loading = _Loading(store, Engine(schema, {}, now, recording=recording))
    loading.leave_all()
    loading.accounts()
    loading.hold(needs(definitions, schema) if wanted is None else wanted)
    members = loading.the_rest()
    loading.engine.define(definitions)
    if published:
        loading.engine.assume(members)
    return loading.engine


def extend_engine(engine: Engine, store: Store, definitions: Mapping[str, Definition]) -> bool:
    """Bring in what definitions need and the engine doesn't hold yet; says whether there was anything.

    Call it before ``define`` or ``preview`` of them. The store must hold all that the engine was given.
    """
    missing = engine.missing(definitions)
    if not missing:
        return False
    loading = _Loading(store, engine)
    loading.hold(missing)
    loading.join(missing)
    engine.rebind()
    return True


class _Loading:
    """Reads the store into an engine's state."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self.store, self.engine, self.state = store, engine, engine.state
        self.registry = Registry.load(store)
        found = store.arrow("SELECT key, id, first_ts FROM customers")
        if (np.diff(_integers(found.column(0).chunks)) < 0).any():
            found = found.sort_by("key")
        keys, ids = _keys(found.column(0)), _texts(found.column(1))
        if not len(self.state.people):
            self.state.people.fill(Ids.of_bytes(*ids), _integers(found.column(2).chunks, FAR).astype(np.int64))
            self._keys = _Keys(keys)
        else:
            # Those who came live got their rows as they came, and their keys as they were written.
            self._keys = _Keys(keys, _rows_of(found.column(1), ids, self.state.people))

    def leave_all(self) -> None:
        """Note that nothing of what the store has is held yet."""
        self.state.unread_events = set(self.registry.events)
        self.state.unread_traits = {
            name if scope == CUSTOMER else ACCOUNT_PREFIX + name for scope, name in self.registry.traits
        }

    def accounts(self) -> None:
        """The accounts."""
        for (account,) in self.store.rows("SELECT id FROM accounts ORDER BY key"):
            self.state.accounts.row(account)

    def hold(self, wanted: Needs) -> None:
        """Fill tables."""
        for name, properties in wanted.events.items():
            self._event(name, properties, wanted.fields.get(name, {}), name in wanted.ordered)
            stored = self.registry.events[name].properties if name in self.registry.events else ()
            self.state.unread_events.discard(name)
            self.state.unread_properties[name] = frozenset(stored) - self.state.events[name].columns.keys()
        for name in wanted.traits:
            self._trait(name)
            self.state.unread_traits.discard(name)

    def join(self, wanted: Needs) -> None:
        """Give those who stand for others their entries in tables that came later."""
        people = self.state.people
        tables = [self.state.events[name] for name in wanted.events]
        tables += [self.state.traits[name] for name in wanted.traits if name in self.state.traits]
        for standing in people.standing_rows:
            for row in people.members(standing)[1:]:
                for table in tables:
                    table.copy(row, standing)
        if ACCOUNT_ID in wanted.traits:
            self.state.belong_again()

    def the_rest(self) -> dict[str, npt.NDArray[np.int64]]:
        """Merges, consents, lists, thresholds and the published history; gives who is in each segment by that."""
        merges = self.store.rows("SELECT kept, gone FROM merges WHERE undone IS NULL ORDER BY received")
        for kept, gone in merges:
            self.state.join(*self._keys.rows_of([kept, gone]))
        self._consents()
        self._lists()
        for value, rank, num, den, ts in self.store.rows(
            "SELECT value, rank, num, den, ts FROM thresholds ORDER BY ts"
        ):
            self.state.refresh(value, rank, ts, Fraction(int(num), int(den)))
        return self._published()

    # ------------------------------------------------------------ tables

    def _event(self, name: str, properties: frozenset[str], asked: Mapping[str, frozenset[str]], ordered: bool) -> None:
        event = self.registry.events.get(name)
        table = self.state.new_event_table(name, properties, asked, ordered=ordered)
        if event is None:
            return
        known = {p: event.properties[p] for p in table.columns if p in event.properties}
        columns = [f"{found.col}" for found in known.values()]
        found = self._read(event.table, "customer", columns, ordered)
        fields = {
            p: {f.name: f for f in prop.fields.values() if f.name in table.fields.get(p, ())}
            for p, prop in known.items()
        }
        self._fill(table, found, list(known), ordered, self._keys, fields)

    def _trait(self, name: str) -> None:
        table = self.state.new_trait_table(name)
        scope = ACCOUNT if name.startswith(ACCOUNT_PREFIX) else CUSTOMER
        trait = self.registry.trait(name.removeprefix(ACCOUNT_PREFIX) if scope == ACCOUNT else name, scope)
        if trait is None:
            return
        found = self._read(trait.table, "owner", ["value"], True)
        keys = self._keys
        if scope == ACCOUNT:
            accounts = self.store.arrow("SELECT key, id FROM accounts ORDER BY key")
            keys = _Keys(_keys(accounts.column(0)), self.state.accounts.rows(accounts.column(1).to_pylist()))
        self._fill(table, found, ["value"], True, keys, {})
        if name == ACCOUNT_ID:
            for row in np.flatnonzero(np.diff(table.start.astype(np.int64))).tolist():
                for entry in table.entries(row):
                    self.state.belongs(row, entry.get("value"))

    def _read(self, table: str, owner: str, columns: Sequence[str], ordered: bool) -> pa.Table:
        """The rows in force: as they stand in the store, or by message id too where there are such."""
        what, order = ", ".join([owner, "ts", *columns]), ""
        if ordered and self._all_by_origin(table):
            what += ", origin AS mid"
        elif ordered:
            what, order = f"{what}, {MESSAGE_ID} AS mid", f" ORDER BY {owner}, ts, mid"
        where = " WHERE retired IS NULL" if self._has_any(table, "retired") else ""
        return self.store.arrow(f"SELECT {what} FROM {table}{where}{order}")

    def _all_by_origin(self, table: str) -> bool:
        """Whether no row has a message id of its own, so that ids are numbers of sixteen hex digits."""
        return not self._has_any(table, "message_id")

    def _has_any(self, table: str, column: str) -> bool:
        """Whether a column isn't missing throughout; the store's statistics tell mostly."""
        ((found,),) = self.store.rows(f"SELECT count({column}) FROM {table}")
        return bool(found)

    def _fill(
        self,
        table: Table,
        found: pa.Table,
        names: Sequence[str],
        ordered: bool,
        keys: _Keys,
        fields: Mapping[str, Mapping[str, Field]],
    ) -> None:
        rows, ts = keys.rows_of(_integers(found.column(0).chunks)), _integers(found.column(1).chunks)
        mids: Mids | list[str] = []
        if ordered:
            last = found.column(found.num_columns - 1)
            numeric = str(last.type) == "int64"
            mids = Mids(_integers(last.chunks).astype(np.uint64)) if numeric else last.to_pylist()
        columns: dict[str, Any] = {}
        for name, column in table.columns.items():
            if name in names:
                columns[name] = _stored(found.column(2 + list(names).index(name)), column, fields.get(name, {}))
            else:
                columns[name] = np.full(len(ts), column.missing, np.int64)
        order = _order(rows, ts, mids)
        if order is not None:
            rows, ts, mids = rows[order], ts[order], _taken(mids, order)
            columns = {name: _taken(column, order) for name, column in columns.items()}
        table.fill(rows, ts, mids, columns)

    # ------------------------------------------------------------ words, lists, history

    def _consents(self) -> None:
        rows = self.store.rows(
            f"SELECT customer, purpose, granted, ts, {MESSAGE_ID} FROM consents WHERE retired IS NULL ORDER BY ts"
        )
        for row, (_, purpose, granted, ts, mid) in zip(self._keys.rows_of([r[0] for r in rows]), rows, strict=True):
            self.state.consent_table(purpose).insert(int(row), ts, mid, {"granted": granted})

    def _lists(self) -> None:
        for (name,) in self.store.rows("SELECT name FROM lists"):
            self.state.list_table(name)
        rows = self.store.rows("SELECT customer, list, added, ts FROM list_changes ORDER BY ts, received")
        for row, (_, name, added, ts) in zip(self._keys.rows_of([r[0] for r in rows]), rows, strict=True):
            self.state.list_table(name).insert(int(row), ts, "", {"added": added})

    def _published(self) -> dict[str, npt.NDArray[np.int64]]:
        """One pass over all changes: there may be many times as many as customers."""
        known = self.store.rows("SELECT DISTINCT segment FROM membership_changes ORDER BY segment")
        names = [name for (name,) in known]
        found = self.store.arrow(
            "SELECT n.number::BIGINT << 32 | m.customer AS whose, list_position(?, m.change) AS what, m.ts, m.seq "
            "FROM membership_changes m JOIN (SELECT unnest(?::VARCHAR[]) AS segment, unnest(range(?)) AS number) n "
            "USING (segment)",
            [list(WHATS), names, len(names)],
        )
        whose, what, ts, seq = (_integers(column.chunks) for column in found.columns)
        order = np.lexsort((seq, whose))
        whose, what, ts = whose[order], what[order], ts[order]
        rows = self._keys.rows_of(whose & 0xFFFFFFFF)
        last = np.append(whose[1:] != whose[:-1], True)[: len(whose)]
        inside = last & np.isin(what, [1 + WHATS.index(change) for change in ("entered", "unmerged")])
        members, edges = {}, np.searchsorted(whose, np.arange(len(names) + 1) << 32)
        for number, name in enumerate(names):
            here = slice(edges[number], edges[number + 1])
            for change in ("entered", "left"):
                those = what[here] == 1 + WHATS.index(change)
                if those.any():
                    self.state.published_table(name, change).extend(rows[here][those], ts[here][those])
            members[name] = rows[here][inside[here]].astype(np.int64)
        return members


class _Keys:
    """Rows of the store's keys.

    Args:
        keys: in ascending order.
        rows: the row of each; None where they are the keys' order.
    """

    def __init__(self, keys: npt.NDArray[np.int64], rows: npt.NDArray[np.int64] | None = None) -> None:
        self._keys, self._rows = keys, rows
        self._first = int(keys[0]) if len(keys) else 0
        self._gapless = len(keys) > 0 and int(keys[-1]) - self._first == len(keys) - 1

    def rows_of(self, keys: Any) -> npt.NDArray[Any]:
        """The row of each key."""
        asked = np.asarray(keys)
        places = asked - self._first if self._gapless else np.searchsorted(self._keys, asked.astype(np.int64))
        return places if self._rows is None else self._rows[places]


def _keys(values: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return _integers(values.chunks).astype(np.int64)


def _integers(chunks: Sequence[pa.Array], missing: int = MISSING) -> npt.NDArray[Any]:
    """Integers out of arrow's memory; pyarrow's own ways import pandas, where that is at hand, which takes as long as a load."""
    parts: list[npt.NDArray[Any]] = []
    for chunk in chunks:
        known, content = chunk.buffers()
        here = slice(chunk.offset, chunk.offset + len(chunk))
        found = np.frombuffer(content, str(chunk.type))[here] if len(chunk) else np.zeros(0, np.int64)
        if chunk.null_count:
            bits = np.unpackbits(np.frombuffer(known, np.uint8), bitorder="little", count=here.stop)
            found = np.where(bits[here] != 0, found, missing)
        parts.append(found)
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _texts(values: pa.ChunkedArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Texts as one block of bytes, and where each ends."""
    import pyarrow as pa

    raw, ends, begin = [np.zeros(0, np.uint8)], [np.zeros(0, np.int64)], 0
    for chunk in values.cast(pa.large_string()).chunks:
        _, offsets, content = chunk.buffers()
        places = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        if content is not None and len(chunk):
            raw.append(np.frombuffer(content, np.uint8)[places[0] : places[-1]])
        ends.append(places[1:] - places[0] + begin)
        begin += int(places[-1] - places[0])
    return np.concatenate(raw), np.concatenate(ends)


def _rows_of(
    texts: pa.ChunkedArray, ids: tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]], people: People
) -> npt.NDArray[np.int64]:
    """The rows of ids; most stand where they stand among the people."""
    alike = people.ids.alike(*ids)
    return np.concatenate((np.arange(alike), people.rows(texts.slice(alike).to_pylist())))


def _order(rows: npt.NDArray[Any], ts: npt.NDArray[np.int64], mids: Mids | list[str]) -> npt.NDArray[np.int64] | None:
    """By customer, instant and message id; None where they stand so. Texts of message ids stand so already."""
    numbers = mids.numbers if isinstance(mids, Mids) else None
    if _stand_in_order(rows, ts, numbers):
        return None
    return np.lexsort((ts, rows) if numbers is None else (numbers, ts, rows))


def _stand_in_order(rows: npt.NDArray[Any], ts: npt.NDArray[np.int64], numbers: npt.NDArray[np.uint64] | None) -> bool:
    for begin in range(0, len(rows), BLOCK):
        here, there = slice(begin, begin + BLOCK), slice(begin + 1, begin + BLOCK + 1)
        r, s, t, u = rows[here][: len(rows[there])], rows[there], ts[here][: len(rows[there])], ts[there]
        before = (r < s) | ((r == s) & (t <= u))
        if not before.all():
            return False
        if numbers is not None:
            m, n = numbers[here][: len(rows[there])], numbers[there]
            if ((r == s) & (t == u) & (m > n)).any():
                return False
    return True


def _taken(values: Any, order: npt.NDArray[np.int64]) -> Any:
    """The values in another order."""
    if isinstance(values, np.ndarray):
        return values[order]
    if isinstance(values, Mids):
        return Mids(None if values.numbers is None else values.numbers[order])
    return [values[i] for i in order.tolist()] if len(values) else values


def _stored(values: pa.ChunkedArray, column: Column, fields: Mapping[str, Field]) -> npt.NDArray[np.int64] | list[Any]:
    """A column as it stands in the engine's tail."""
    import pyarrow as pa

    if column.kind in _INTEGERS:
        return _integers(values.cast(pa.int64()).chunks)
    if isinstance(column.words, Lists):
        return np.concatenate([_lists(chunk, column.words, fields) for chunk in values.chunks] or [_NOBODY])
    if column.kind is not Kind.TEXT:
        return [_value(value, column.kind) for value in values.to_pylist()]
    coded = values.dictionary_encode().combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0) if coded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    numbers = np.array([column.encode(word) for word in coded.dictionary.to_pylist()] + [-1], np.int64)
    stored: npt.NDArray[np.int64] = numbers[_integers([coded.indices], -1)]
    return stored


def _lists(values: pa.ListArray, words: Lists, fields: Mapping[str, Field]) -> npt.NDArray[np.int64]:
    """Lists of objects as numbers: first their items, each field by itself, and then each list by its items."""
    begins = np.asarray(values.offsets)
    items = values.values.slice(begins[0], begins[-1] - begins[0]) if len(begins) else values.values
    names, columns = list(fields), [_distinct(items.field(f.col), f.kind) for f in fields.values()]
    which = np.zeros(len(items), np.int64)
    for known, places in columns:
        which = np.unique(which * len(known) + places, return_inverse=True)[1]
    _, first = np.unique(which, return_index=True)
    numbers = np.array(
        [
            words.items.number({name: known[places[i]] for name, (known, places) in zip(names, columns, strict=True)})
            for i in first.tolist()
        ],
        ITEM,
    )
    raw, size = numbers[which].tobytes(), ITEM.itemsize
    edges = ((begins - begins[0]) * size).tolist() if len(begins) else []
    here = values.is_valid().to_pylist()
    found = [
        words.of_items(raw[begin:end]) if there else -1
        for begin, end, there in zip(edges, edges[1:], here, strict=False)
    ]
    return np.array(found, np.int64)


def _distinct(values: pa.Array, kind: Kind) -> tuple[list[Any], npt.NDArray[np.int64]]:
    """The distinct values as the engine holds them, with a missing one, and the place of each among them."""
    if kind is Kind.TEXTS:
        given = [None if value is None else tuple(value) for value in values.to_pylist()]
        held = list(dict.fromkeys(given)) or [None]
        at = {value: place for place, value in enumerate(held)}
        return held, np.array([at[value] for value in given], np.int64)
    coded = values.dictionary_encode()
    known = [_item(value, kind) for value in coded.dictionary.to_pylist()]
    places = _integers([coded.indices], len(known)).astype(np.int64)
    return [*known, None], places


_NOBODY = np.zeros(0, np.int64)


def _value(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind is Kind.TEXTS:
        return tuple(value)
    return value["x"], value["y"], value["z"]


def _item(value: Any, kind: Kind) -> Any:
    made = {Kind.NUMBER: Micro, Kind.DATE: Day, Kind.INSTANT: Moment}.get(kind)
    return value if value is None or made is None else made(value)
