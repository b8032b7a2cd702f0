"""The state of an engine as named arrays and a small head of JSON, and back: what a snapshot on disk holds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.lang.schema import Kind
from shoal.live.history import Happened
from shoal.live.ids import Ids
from shoal.live.mids import Mids
from shoal.live.table import Table
from shoal.live.values import Day, Micro, Moment
from shoal.live.words import Lists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from shoal.live.engine import Engine
    from shoal.live.history import Run
    from shoal.live.state import State

    Arrays = dict[str, npt.NDArray[Any]]

FORMAT = 4
_RUNS = ("run_row", "run_at", "run_count", "run_room", "run_base")
_TAILS = ("tail_ts", "tail_origin", "tail_mid")
_TYPES: dict[str, Any] = {"Micro": Micro, "Day": Day, "Moment": Moment}
_GROUPS = ("events", "traits", "account_traits", "consents", "lists")


@dataclass(slots=True)
class Captured:
    """What an engine held at one instant. What changes in place is copied; the rest is only ever replaced by another.

    Args:
        head: as far as it is known.
        arrays: those that are ready.
        texts: what is still to be packed, by the arrays' prefix; values of columns in JSON.
        history: of what was published, the runs and what stood loose, by the arrays' prefix.
        belonging: the rows of each account.
    """

    head: dict[str, Any]
    arrays: Arrays = field(default_factory=dict)
    texts: dict[str, Sequence[Any]] = field(default_factory=dict)
    history: dict[str, tuple[tuple[Run, ...], Mapping[int, tuple[int, ...]]]] = field(default_factory=dict)
    belonging: Sequence[tuple[int, ...]] = ()

    def finished(self) -> tuple[dict[str, Any], Arrays]:
        """The head and the arrays; the engine may have gone on meanwhile."""
        for prefix, texts in self.texts.items():
            if prefix.endswith(".words"):
                texts = [json.dumps(_plain(value), ensure_ascii=False) for value in texts]
            self.arrays[f"{prefix}.bytes"], self.arrays[f"{prefix}.ends"] = Ids.packed(texts)
        for prefix, (runs, late) in self.history.items():
            found = Happened(prefix)
            found.runs = runs
            rows = np.array([row for row, instants in late.items() for _ in instants], np.int32)
            found.extend(rows, np.array([ts for instants in late.values() for ts in instants], np.int64))
            self.arrays[f"{prefix}.rows"], self.arrays[f"{prefix}.ts"] = found.arrays()
        members = np.array([row for rows in self.belonging for row in rows], np.int32)
        self.arrays["belonging.ends"] = np.cumsum(np.fromiter(map(len, self.belonging), np.int64, len(self.belonging)))
        self.arrays["belonging.rows"] = members
        return self.head, self.arrays


def copied(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy of an array."""
    return array.copy()


def captured(engine: Engine, copy: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] = copied) -> Captured:
    """All that an engine holds; settle first. It takes as long as copying some hundred bytes a customer.

    Args:
        engine: nothing may change it while this runs.
        copy: how arrays are copied.
    """
    state, evaluator = engine.state, engine.evaluator
    people = len(state.people)
    found = Captured(
        {
            "format": FORMAT,
            "now": engine.now,
            "slots": dict(evaluator.slots),
            "thresholds": [
                [value, rank, [[r.ts, str(r.number)] for r in refreshes]]
                for (value, rank), refreshes in state.thresholds.items()
            ],
            "published": [list(key) for key in state.published],
            "unread": {
                "events": sorted(state.unread_events),
                "properties": {name: sorted(found) for name, found in state.unread_properties.items()},
                "traits": sorted(state.unread_traits),
            },
        }
    )
    merges = state.people.merges
    found.arrays = {
        "merges.gone": np.fromiter(merges, np.int32, len(merges)),
        "merges.kept": np.fromiter(merges.values(), np.int32, len(merges)),
        **_under("people", state.people.ids.arrays(copy)),
        "first": copy(state.people.first[:people]),
        **_under("accounts", state.accounts.ids.arrays(copy)),
        "bits": copy(evaluator.bits.words),
        "dues": copy(evaluator.dues.at[:people]),
    }
    found.texts["belonging.of"] = list(state.belonging)
    found.belonging = [tuple(rows) for rows in state.belonging.values()]
    found.head["tables"] = [
        [group, name, _capture_table(table, f"t{number}", found, copy)]
        for number, (group, name, table) in enumerate(_tables(state))
    ]
    for number, happened in enumerate(state.published.values()):
        found.history[f"h{number}"] = happened.runs, happened.late()
    return found


def frozen(engine: Engine) -> tuple[dict[str, Any], Arrays]:
    """The head and the arrays of an engine; settle first."""
    return captured(engine).finished()


def thaw(engine: Engine, head: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Fill an empty engine with what ``frozen`` gave.

    Raises:
        ValueError: the head is of another format.
    """
    if head.get("format") != FORMAT:
        raise ValueError(f"The snapshot has format {head.get('format')}; this release reads {FORMAT}.")
    state = engine.state
    engine.now = int(head["now"])
    unread = head["unread"]
    state.unread_events, state.unread_traits = set(unread["events"]), set(unread["traits"])
    state.unread_properties = {name: frozenset(found) for name, found in unread["properties"].items()}
    state.people.fill(Ids.from_arrays(_below("people", arrays)), arrays["first"].astype(np.int64))
    state.people.join_all(dict(zip(arrays["merges.gone"].tolist(), arrays["merges.kept"].tolist(), strict=True)))
    state.accounts.fill(Ids.from_arrays(_below("accounts", arrays)), np.empty(0, np.int64))
    accounts, begin = Ids.unpacked(arrays["belonging.of.bytes"], arrays["belonging.of.ends"]), 0
    for account, end in zip(accounts, arrays["belonging.ends"].tolist(), strict=True):
        state.belonging[account] = set(arrays["belonging.rows"][begin:end].tolist())
        begin = end
    for value, rank, refreshes in head["thresholds"]:
        for ts, number in refreshes:
            state.refresh(value, rank, ts, Fraction(number))
    for number, (group, name, described) in enumerate(head["tables"]):
        getattr(state, group)[name] = _thawed_table(name, described, f"t{number}", arrays)
    for number, (segment, change) in enumerate(head["published"]):
        happened = state.published_table(segment, change)
        if len(arrays[f"h{number}.rows"]):
            happened.runs = ((np.array(arrays[f"h{number}.rows"]), np.array(arrays[f"h{number}.ts"])),)


def thaw_memberships(engine: Engine, head: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Take memberships and dues of the definitions that are in force still; the engine has its definitions already."""
    evaluator = engine.evaluator
    evaluator.ensure()
    words, slots = arrays["bits"], head["slots"]
    for slug, slot in evaluator.slots.items():
        if slug in slots:
            many = min(len(words), len(evaluator.bits.words))
            evaluator.bits.words[:many, slot] = words[:many, slots[slug]]
    rows = np.arange(len(engine.state.people))
    evaluator.dues.put(rows, arrays["dues"])


def _tables(state: State) -> Iterator[tuple[str, str, Table]]:
    for group in _GROUPS:
        for name, table in getattr(state, group).items():
            yield group, name, table


def _capture_table(
    table: Table, prefix: str, found: Captured, copy: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
) -> dict[str, Any]:
    arrays = found.arrays
    arrays |= {f"{prefix}.ts": table.ts, f"{prefix}.start": copy(table.start), f"{prefix}.sizes": table.sizes.copy()}
    arrays |= {f"{prefix}.{part}": copy(getattr(table, part)[: table.runs]) for part in _RUNS}
    arrays |= {f"{prefix}.{part}": copy(getattr(table, part)[: table.used]) for part in _TAILS}
    found.texts[f"{prefix}.said"] = list(table.said)
    if table.mids.numbers is not None:
        arrays[f"{prefix}.mids"] = table.mids.numbers
    elif len(table.mids):
        arrays[f"{prefix}.mids.bytes"] = np.frombuffer(table.mids.raw, np.uint8)
        assert table.mids.ends is not None
        arrays[f"{prefix}.mids.ends"] = table.mids.ends
    columns = []
    for number, (name, column) in enumerate(table.columns.items()):
        place = f"{prefix}.c{number}"
        arrays[place], arrays[f"{place}.tail"] = column.base, copy(column.tail[: table.used])
        if isinstance(column.words, Lists):
            found.texts[f"{place}.words"] = column.words.items.values()
            arrays[f"{place}.items"], arrays[f"{place}.ends"] = column.words.packed()
        elif column.words is not None:
            found.texts[f"{place}.words"] = column.words.values()
        columns.append([name, column.kind.value, column.unit, int(column.sign[0]), column.words is not None])
    held = {name: sorted(fields) for name, fields in table.fields.items()}
    return {"unit": table.unit, "zero": table.zero, "ordered": table.ordered, "columns": columns, "fields": held}


def _thawed_table(name: str, described: Mapping[str, Any], prefix: str, arrays: Mapping[str, Any]) -> Table:
    kinds = {column: Kind(kind) for column, kind, *_ in described["columns"]}
    table = Table(name, kinds, ordered=described["ordered"])
    table.unit, table.zero = described["unit"], described["zero"]
    table.fields = {column: frozenset(fields) for column, fields in described["fields"].items()}
    for part in ("start", "ts", "sizes", *_RUNS, *_TAILS):
        setattr(table, part, np.array(arrays[f"{prefix}.{part}"]))
    table.flags = np.zeros(len(table.ts), np.uint8)
    table.tail_flags = np.zeros(len(table.tail_ts), np.uint64)
    table.said = Ids.unpacked(arrays[f"{prefix}.said.bytes"], arrays[f"{prefix}.said.ends"])
    if f"{prefix}.mids" in arrays:
        table.mids = Mids(np.array(arrays[f"{prefix}.mids"]))
    elif f"{prefix}.mids.ends" in arrays:
        ends = np.array(arrays[f"{prefix}.mids.ends"])
        table.mids = Mids(None, arrays[f"{prefix}.mids.bytes"].tobytes(), ends)
    for number, (column_name, _, unit, sign, words) in enumerate(described["columns"]):
        column, place = table.columns[column_name], f"{prefix}.c{number}"
        column.base, column.tail = np.array(arrays[place]), np.array(arrays[f"{place}.tail"])
        column.unit, column.sign[0] = unit, sign
        if words:
            texts = Ids.unpacked(arrays[f"{place}.words.bytes"], arrays[f"{place}.words.ends"])
            values = (_typed(json.loads(text)) for text in texts)
            if isinstance(column.words, Lists):
                column.words.fill(values, arrays[f"{place}.items"], arrays[f"{place}.ends"])
                continue
            assert column.words is not None
            for value in values:
                column.words.number(value)
    return table


def _plain(value: Any) -> Any:
    """A value as JSON that ``_typed`` gives back."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {"items": [[key, _plain(one)] for key, one in value.items()]}
    if type(value).__name__ in _TYPES:
        return {type(value).__name__: int(value)}
    return value


def _typed(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_typed(one) for one in value)
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "items":
        return {key: _typed(one) for key, one in inner}
    return _TYPES[kind](inner)


def _under(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def _below(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
