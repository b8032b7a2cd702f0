"""The state of an engine as named arrays and a small head of JSON, and back: what a snapshot on disk holds."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.lang.schema import Kind
from shoal.live.ids import Ids
from shoal.live.mids import Mids
from shoal.live.table import Table
from shoal.live.values import Day, Micro, Moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from shoal.live.columns import Column
    from shoal.live.engine import Engine
    from shoal.live.state import State

    Arrays = dict[str, npt.NDArray[Any]]

FORMAT = 1
_TAILS = ("run_row", "run_at", "run_count", "run_room", "run_base", "tail_ts", "tail_origin", "tail_mid", "sizes")
_TYPES: dict[str, Any] = {"Micro": Micro, "Day": Day, "Moment": Moment}
_GROUPS = ("events", "traits", "account_traits", "consents", "lists")


def frozen(engine: Engine) -> tuple[dict[str, Any], Arrays]:
    """The head and the arrays; the arrays are views that mustn't change while they are written."""
    state, evaluator = engine.state, engine.evaluator
    people = len(state.people)
    arrays: Arrays = {
        **_under("people", state.people.ids.arrays()),
        "first": state.people.first[:people],
        **_under("accounts", state.accounts.ids.arrays()),
        "bits": evaluator.bits.words,
        "dues": evaluator.dues.at[:people],
    }
    head: dict[str, Any] = {
        "format": FORMAT,
        "now": engine.now,
        "slots": evaluator.slots,
        "merges": list(state.people.merges.items()),
        "belonging": {account: sorted(rows) for account, rows in state.belonging.items()},
        "thresholds": [
            [value, rank, [[r.ts, str(r.number)] for r in refreshes]]
            for (value, rank), refreshes in state.thresholds.items()
        ],
        "tables": [],
        "published": [],
    }
    for number, (group, name, table) in enumerate(_tables(state)):
        head["tables"].append([group, name, _freeze_table(table, f"t{number}", arrays)])
    for number, ((segment, change), happened) in enumerate(state.published.items()):
        head["published"].append([segment, change])
        arrays[f"h{number}.rows"], arrays[f"h{number}.ts"] = happened.arrays()
    return head, arrays


def thaw(engine: Engine, head: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Fill an empty engine with what ``frozen`` gave.

    Raises:
        ValueError: the head is of another format.
    """
    if head.get("format") != FORMAT:
        raise ValueError(f"The snapshot has format {head.get('format')}; this release reads {FORMAT}.")
    state = engine.state
    engine.now = int(head["now"])
    state.people.fill(Ids.from_arrays(_below("people", arrays)), arrays["first"].astype(np.int64))
    state.people.join_all({int(gone): int(kept) for gone, kept in head["merges"]})
    state.accounts.fill(Ids.from_arrays(_below("accounts", arrays)), np.empty(0, np.int64))
    for account, rows in head["belonging"].items():
        state.belonging[account] = set(rows)
    for value, rank, refreshes in head["thresholds"]:
        for ts, number in refreshes:
            state.refresh(value, rank, ts, Fraction(number))
    for number, (group, name, described) in enumerate(head["tables"]):
        getattr(state, group)[name] = _thawed_table(name, described, f"t{number}", arrays)
    for number, (segment, change) in enumerate(head["published"]):
        state.published_table(segment, change).extend(arrays[f"h{number}.rows"], arrays[f"h{number}.ts"])


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


def _freeze_table(table: Table, prefix: str, arrays: Arrays) -> dict[str, Any]:
    arrays |= {f"{prefix}.{part}": getattr(table, part) for part in ("start", "ts", *_TAILS)}
    said = Ids.packed(table.said)
    arrays[f"{prefix}.said.bytes"], arrays[f"{prefix}.said.ends"] = said
    if table.mids.numbers is not None:
        arrays[f"{prefix}.mids"] = table.mids.numbers
    elif len(table.mids):
        arrays[f"{prefix}.mids.bytes"] = np.frombuffer(table.mids.raw, np.uint8)
        assert table.mids.ends is not None
        arrays[f"{prefix}.mids.ends"] = table.mids.ends
    columns = []
    for number, (name, column) in enumerate(table.columns.items()):
        arrays[f"{prefix}.c{number}"], arrays[f"{prefix}.c{number}.tail"] = column.base, column.tail
        words = None if column.words is None else _freeze_words(column, f"{prefix}.c{number}", arrays)
        columns.append([name, column.kind.value, column.unit, int(column.sign[0]), words])
    return {"unit": table.unit, "zero": table.zero, "ordered": table.ordered, "columns": columns}


def _freeze_words(column: Column, prefix: str, arrays: Arrays) -> str:
    assert column.words is not None
    texts = [json.dumps(_plain(value), ensure_ascii=False) for value in column.words.values]
    arrays[f"{prefix}.words.bytes"], arrays[f"{prefix}.words.ends"] = Ids.packed(texts)
    return "json"


def _thawed_table(name: str, described: Mapping[str, Any], prefix: str, arrays: Mapping[str, Any]) -> Table:
    kinds = {column: Kind(kind) for column, kind, *_ in described["columns"]}
    table = Table(name, kinds, ordered=described["ordered"])
    table.unit, table.zero = described["unit"], described["zero"]
    for part in ("start", "ts", *_TAILS):
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
        if words is not None:
            assert column.words is not None
            for text in Ids.unpacked(arrays[f"{place}.words.bytes"], arrays[f"{place}.words.ends"]):
                column.words.number(_typed(json.loads(text)))
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
