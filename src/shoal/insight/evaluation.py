"""What insight needs of an evaluation: a temporary table of everyone with a yes/no column for each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Container, Mapping


class Evaluation(Protocol):
    """Who is in which segment at an instant, laid out in the store.

    ``table`` has the column ``customer`` and the columns that ``columns`` names by slug, one row for each customer who
    exists at ``at``.
    """

    @property
    def at(self) -> int:
        """The instant."""

    @property
    def table(self) -> str:
        """The table, for a FROM clause."""

    @property
    def columns(self) -> Mapping[str, str]:
        """The column of each slug, unquoted."""

    def sizes(self) -> dict[str, int]:
        """How many customers are in each segment."""

    def base(self) -> int:
        """How many customers there are."""

    def close(self) -> None:
        """Drop the table."""


class Without:
    """An evaluation without some of its segments; closing it closes the whole."""

    def __init__(self, whole: Evaluation, slugs: Container[str]) -> None:
        self._whole = whole
        self.at, self.table = whole.at, whole.table
        self.columns: Mapping[str, str] = {s: column for s, column in whole.columns.items() if s not in slugs}

    def sizes(self) -> dict[str, int]:
        """How many customers are in each segment."""
        return {slug: size for slug, size in self._whole.sizes().items() if slug in self.columns}

    def base(self) -> int:
        """How many customers there are."""
        return self._whole.base()

    def close(self) -> None:
        """Drop the whole."""
        self._whole.close()
