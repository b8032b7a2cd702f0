"""What a tile shows: the answer to its question, JSON-ready, since it may come from another process."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WHERE = "where"
"""The key of a row's condition: it holds for the customers behind the mark."""
OPENS = "opens"
"""The key of a row that has a page of its own: ``segment:SLUG`` or ``metric:SLUG``."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Args:
        label: what it is.
        value: as it is written.
        interval: its 95 % interval as it is written; empty where it is no estimate.
        change: against the period before, as it is written.
        good: whether the change is for the better; None where nobody can say.
        before: what it was before.
        target: how far its target is, in words.
        alert: what is out of order, in words.
        trend: its values over the periods.
        live: the key of the live line, where it changes by itself.
        where: the condition of the customers behind it.
    """

    label: str
    value: str
    interval: str = ""
    change: str = ""
    good: bool | None = None
    before: str = ""
    target: str = ""
    alert: str = ""
    trend: Sequence[float | None] = ()
    live: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """A column of the rows: its key, what it is called, and how its values are written.

    Forms: text, count, share, money, number, when, days.
    """

    key: str
    head: str
    form: str = "text"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a tile's question.

    Args:
        title: the finding, or what it is.
        sub: measure, unit and period.
        figure: of a figure tile.
        chart: the Vega-Lite definition; None where it isn't drawn.
        heads: the columns of the rows.
        rows: the figures behind it; ``where`` and ``opens`` lead on from a row.
        n: how many it rests on, in words; empty where it rests on nothing that can be counted.
        at: the instant that it is as of.
        reached: the instant of the newest event that it looks at.
        missing: what the data lacks for it; empty where it lacks nothing.
        fix: what to do about that.
        note: what to know before trusting it.
        definition: what the measure is.
        html: of a text tile.
    """

    title: str
    sub: str = ""
    figure: Figure | None = None
    chart: dict[str, Any] | None = None
    heads: Sequence[Head] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    n: str = ""
    at: int = 0
    reached: int | None = None
    missing: str = ""
    fix: str = ""
    note: str = ""
    definition: str = ""
    html: str = ""

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Answer:
        """The answer that a document holds."""
        figure = document.get("figure")
        heads = [Head(**one) for one in document.get("heads", ())]
        rest = {key: value for key, value in document.items() if key not in ("figure", "heads")}
        return cls(**rest, figure=Figure(**figure) if figure else None, heads=heads)


@dataclass(frozen=True, slots=True)
class Filled:
    """A dashboard with all its answers: what an export shows.

    Args:
        answers: by the number of the tile.
        filters: what it is filtered by, in words.
    """

    answers: Mapping[int, Answer] = field(default_factory=dict)
    filters: str = ""
