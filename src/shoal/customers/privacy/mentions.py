"""What other people's rows say of an erased person: cells that are nothing but one of their identifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shoal.lang.schema import Kind
from shoal.sql.encode import quoted
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from shoal.sql.registry import Property
    from shoal.sql.store import Store

_AT_ONCE = 500


class _Cell(NamedTuple):
    """A column of text: whether its cell has a word, and what is left of the cell then."""

    column: str
    has: str
    left: str


def blank_mentions(store: Store, texts: Collection[str]) -> int:
    """Empty the cells of events and traits that are one of some texts, whatever the letter case, as ``invited: a@b.c``.

    Args:
        store: the store.
        texts: in lower case.

    Returns:
        How many rows had one.
    """
    words, changed = sorted(texts), 0
    for begin in range(0, len(words), _AT_ONCE):
        some = ", ".join(quoted(word) for word in words[begin : begin + _AT_ONCE])
        for table, cells in _tables(Registry.load(store), some):
            said = " OR ".join(cell.has for cell in cells)
            if store.rows(f"SELECT 1 FROM {table} WHERE {said} LIMIT 1"):
                new = ", ".join(f"{c.column} = CASE WHEN {c.has} THEN {c.left} ELSE {c.column} END" for c in cells)
                changed += int(store.rows(f"UPDATE {table} SET {new} WHERE {said}")[0][0])
    return changed


def _tables(registry: Registry, words: str) -> Iterator[tuple[str, list[_Cell]]]:
    """Each table with its columns of text."""
    for event in registry.events.values():
        cells = [cell for prop in event.properties.values() if (cell := _property(prop, words))]
        if cells:
            yield event.table, cells
    for trait in registry.traits.values():
        value = _plain("value", trait.kind, words)
        if value:
            yield trait.table, [value]


def _plain(column: str, kind: Kind, words: str) -> _Cell | None:
    if kind is Kind.TEXT:
        return _Cell(column, _is_word(column, words), "NULL")
    if kind is Kind.TEXTS:
        has = f"len(coalesce(list_filter({column}, lambda x: {_is_word('x', words)}), [])) > 0"
        return _Cell(column, has, f"list_filter({column}, lambda x: NOT {_is_word('x', words)})")
    return None


def _is_word(value: str, words: str) -> str:
    return f"coalesce(lower(trim({value})) IN ({words}), false)"


def _property(prop: Property, words: str) -> _Cell | None:
    texts = {f.col: _is_word(f"x.{f.col}", words) for f in prop.fields.values() if f.kind is Kind.TEXT}
    if prop.kind is not Kind.OBJECTS or not texts:
        return _plain(prop.col, prop.kind, words)
    fields = ", ".join(
        f"{f.col} := " + (f"CASE WHEN {texts[f.col]} THEN NULL ELSE x.{f.col} END" if f.col in texts else f"x.{f.col}")
        for f in prop.fields.values()
    )
    has = f"len(coalesce(list_filter({prop.col}, lambda x: {' OR '.join(texts.values())}), [])) > 0"
    return _Cell(prop.col, has, f"list_transform({prop.col}, lambda x: struct_pack({fields}))")
