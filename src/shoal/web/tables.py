"""Tables whose state is in the address: how they are sorted, what is searched for, which page is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlencode

from shoal.views.words import many

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import Request

Row: TypeAlias = "Mapping[str, Any]"
Form: TypeAlias = Literal[
    "text", "count", "signed", "share", "bar", "money", "days", "number", "figure", "when", "day", "ago", "spark", "tags",
    "state", "live", "markup",
]  # fmt: skip
_NUMERIC = frozenset({"count", "signed", "share", "bar", "money", "days", "number", "figure", "spark", "live"})
_UNSORTED = frozenset({"spark", "tags", "markup"})
_UNBROKEN = frozenset({"when", "day", "ago", "state"})
PAGE = 50


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Args:
        key: of the value in a row.
        head: its head.
        form: how a value is written. ``bar``: a share with a bar. ``spark``: a list of numbers. ``tags``: a list of
            texts. ``state``: words and their kind (good, warn, bad, accent). ``live``: the key of the live line, and
            the number of now. ``figure``: a number as text, sorted ``by`` another key. ``markup``: a template's own.
        term: of the glossary, which the head explains.
        note: the key of a text that stands small below the value.
        by: the key that it is sorted by, where that isn't the value's; empty texts leave the form to decide.
    """

    key: str
    head: str
    form: Form = "text"
    term: str = ""
    note: str = ""
    by: str = ""

    @property
    def numeric(self) -> bool:
        """Whether values stand at the right."""
        return self.form in _NUMERIC

    @property
    def look(self) -> str:
        """The class of its cells."""
        return "number" if self.numeric else "tight" if self.form in _UNBROKEN else ""

    @property
    def sort(self) -> bool:
        """Whether the table can be sorted by it."""
        return bool(self.by) or self.form not in _UNSORTED

    def rank(self, row: Row) -> Any:
        """What a row is sorted by."""
        value = row[self.by or self.key]
        if self.by or value is None or self.form not in ("state", "live"):
            return value
        return value[0] if self.form == "state" else value[1]


@dataclass(frozen=True, slots=True)
class Names:
    """The parameters of a table in the address."""

    sort: str
    search: str
    page: str


class Listing:
    """What ``ui.table`` shows.

    Args:
        name: the id of the element in the page.
        columns: from left to right; the first one bears the link of a row's ``href``, and the swatch of its ``colour``.
        rows: of this page, in order.
        state: the address: its path and its parameters.
        total: how many rows there are without a search.
        found: how many there are with it.
        label: what the rows are, in the plural: ``segments``.
    """

    def __init__(
        self,
        name: str,
        columns: Sequence[Column],
        rows: Sequence[Row],
        state: State,
        *,
        total: int,
        found: int,
        label: str,
    ) -> None:
        self.id, self.columns, self.label = name, columns, label
        self.rows = [_Kept(row) for row in rows]
        self.total, self.found = total, found
        self.names, self.path = state.names, state.path
        self.sort, self.down, self.search, self.searchable = state.sort, state.down, state.search, state.searchable
        self.page, self._size, self._state = state.page, state.size, state

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.found // self._size))

    @property
    def first(self) -> int:
        """The number of the first row that is shown."""
        return (self.page - 1) * self._size + 1

    @property
    def last(self) -> int:
        """The number of the last row that is shown."""
        return min(self.found, self.page * self._size)

    @property
    def told(self) -> str:
        """How many there are, in words."""
        one = self.label.removesuffix("s")
        whole = many(self.total, one, self.label)
        return f"{self.found:,} of {whole}" if self.search else whole

    @property
    def others(self) -> list[tuple[str, str]]:
        """The parameters that a search keeps."""
        return [(k, v) for k, v in self._state.parameters if k not in (self.names.search, self.names.page)]

    @property
    def all(self) -> str:
        """The address without a search."""
        return self._state.link({self.names.search: None, self.names.page: None})

    def sorted_by(self, column: Column) -> str:
        """The address that is sorted by a column: numbers from the largest on, and the other way round at a second click."""
        down = not self.down if self.sort == column.key else column.numeric
        return self._state.link({self.names.sort: f"-{column.key}" if down else column.key, self.names.page: None})

    def at(self, page: int) -> str:
        """The address of another page."""
        return self._state.link({self.names.page: None if page == 1 else str(page)})


class _Kept(dict[str, Any]):
    """A row of which a template may ask for what isn't there, as ``row.href``."""

    def __missing__(self, key: str) -> None:
        return None


class State:
    """How a table is asked for.

    Args:
        request: its address holds the state.
        columns: by which it may be sorted.
        sort: the key of the column to begin with, ``-key`` for the largest first.
        size: rows of a page.
        searchable: whether it can be searched.
        prefix: of the parameters, where a page has several tables.
    """

    def __init__(
        self, request: Request, columns: Sequence[Column], sort: str, *, size: int = PAGE, searchable: bool = True,
        prefix: str = "",
    ) -> None:  # fmt: skip
        self.path, self.size, self.searchable = request.url.path, size, searchable
        self.parameters = list(request.query_params.multi_items())
        self.names = Names(f"{prefix}sort", f"{prefix}search", f"{prefix}page")
        given = dict(self.parameters)
        wanted = given.get(self.names.sort, sort)
        if wanted.removeprefix("-") not in {column.key for column in columns if column.sort}:
            wanted = sort
        self.sort, self.down = wanted.removeprefix("-"), wanted.startswith("-")
        self.search = given.get(self.names.search, "").strip() if searchable else ""
        page = given.get(self.names.page, "1")
        self.page = max(1, int(page)) if page.isdecimal() and len(page) < 9 else 1

    def link(self, changes: Mapping[str, str | None]) -> str:
        """The address with other parameters; None takes one away."""
        kept = [(name, value) for name, value in self.parameters if name not in changes]
        said = kept + [(name, value) for name, value in changes.items() if value is not None]
        return f"{self.path}?{urlencode(said)}" if said else self.path


def listed(
    request: Request, name: str, columns: Sequence[Column], rows: Sequence[Row], *, sort: str, label: str,
    search: Sequence[str] = (), size: int = PAGE, prefix: str = "",
) -> Listing:  # fmt: skip
    """A table of rows that are all at hand: searched, sorted and cut as the address says.

    Args:
        request: its address holds the state.
        name: the id of the element in the page.
        columns: from left to right.
        rows: all of them, each with the keys of the columns; ``href`` and ``colour`` may be among them.
        sort: the key to begin with, ``-key`` for the largest first.
        label: what the rows are, in the plural.
        search: the keys of the texts that a search looks into; none: there is no search.
        size: rows of a page.
        prefix: of the parameters, where a page has several tables.
    """
    state = State(request, columns, sort, size=size, searchable=bool(search), prefix=prefix)
    words = state.search.casefold().split()
    found = [row for row in rows if all(word in _text(row, search) for word in words)] if words else list(rows)
    column = next((c for c in columns if c.key == state.sort), None)
    if column is not None:
        found = ranked(found, column, down=state.down)
    state.page = min(state.page, max(1, -(-len(found) // size)))
    shown = found[(state.page - 1) * size : state.page * size]
    return Listing(name, columns, shown, state, total=len(rows), found=len(found), label=label)


def ranked(rows: Sequence[Row], column: Column, *, down: bool) -> list[Row]:
    """Rows in the order of a column; those without a value come last either way."""
    known = [row for row in rows if column.rank(row) is not None]
    missing = [row for row in rows if column.rank(row) is None]

    def key(row: Row) -> Any:
        rank = column.rank(row)
        return rank.casefold() if isinstance(rank, str) else rank

    return sorted(known, key=key, reverse=down) + missing


def _text(row: Row, keys: Sequence[str]) -> str:
    values = (row.get(key) for key in keys)
    return " ".join(" ".join(map(str, v)) if isinstance(v, (list, tuple)) else str(v or "") for v in values).casefold()
