"""What a dashboard is: a grid of twelve columns with tiles, each a question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS, TALLEST, LOWEST = 12, 12, 60
"""The grid's columns; the most rows of one tile; the lowest row on which one may begin."""
MOST = 40
"""So many tiles may a dashboard have."""
PERIOD = "last 12 months"
"""What is looked at where nobody says for how long."""

OPTIONS: dict[str, tuple[str, ...]] = {
    "figure": ("metric", "live"),
    "line": ("metrics", "segments", "by"),
    "bar": ("metric", "of", "segments", "by"),
    "table": ("metrics", "of", "segments", "rows"),
    "funnel": ("funnel", "steps", "within", "by"),
    "retention": ("born", "active", "mode", "as"),
    "rfm": (),
    "map": ("of",),
    "sankey": ("between", "after", "before", "steps"),
    "text": ("text",),
}
"""The kinds of tiles, each with the keys of its question."""
SHARED = ("kind", "title", "at", "segment", "period")
"""The keys that every tile may have."""
SIZES: dict[str, tuple[int, int]] = {
    "figure": (3, 2), "line": (6, 4), "bar": (6, 4), "table": (6, 4), "funnel": (6, 4), "retention": (6, 5), "rfm": (6, 5),
    "map": (6, 5), "sankey": (6, 5), "text": (12, 1),
}  # fmt: skip
"""Columns and rows of a new tile of each kind."""
LISTS = ("metrics", "segments", "steps")
"""The keys that hold several texts; in a sankey ``steps`` is a number."""
NUMBERS = ("rows",)
CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("bar", "of"): ("segments", "lifecycle"),
    ("table", "of"): ("segments", "campaigns", "feedback", "topics", "sources", "quarantine", "events", "alerts"),
    ("retention", "mode"): ("on", "on or after"),
    ("retention", "as"): ("cells", "curves"),
    ("sankey", "between"): ("rfm", "lifecycle"),
}
"""What may stand at some keys."""
LARGEST = "largest"
"""In the place of segments: the largest ones."""
LIVE = ("customers", "events", "events a minute", "delay")
"""What a figure can show as it changes, besides ``size of SEGMENT``."""
SIZE_OF = "size of "


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile.

    Args:
        kind: one of ``OPTIONS``.
        x: the column at which it begins, from 0.
        y: the row.
        w: how many columns it is wide.
        h: how many rows it is high at least.
        title: over it; empty: what the answer says.
        segment: whose members alone it is about, whatever the page is filtered by; empty for the page's.
        period: what it looks at, whatever the page is filtered by; empty for the page's.
        asks: the rest of its question, by key.
    """

    kind: str
    x: int = 0
    y: int = 0
    w: int = 6
    h: int = 4
    title: str = ""
    segment: str = ""
    period: str = ""
    asks: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As it stands in a file."""
        said = {key: getattr(self, key) for key in ("title", "segment", "period") if getattr(self, key)}
        return {"kind": self.kind, "at": [self.x, self.y, self.w, self.h], **said, **dict(self.asks)}

    def question(self) -> dict[str, Any]:
        """What it asks, whatever it is called and wherever it stands."""
        return {key: value for key, value in self.document().items() if key not in ("title", "at")}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard.

    Args:
        slug: the file's name.
        title: for people.
        description: what it is for.
        segment: the page's segment to begin with; empty for everyone.
        period: the page's period to begin with.
        tiles: in the order of the file.
        owner: who answers for it.
    """

    slug: str
    title: str
    description: str = ""
    segment: str = ""
    period: str = PERIOD
    tiles: tuple[Tile, ...] = ()
    owner: str = ""

    def placed(self) -> list[tuple[int, Tile]]:
        """The tiles with their numbers, as they are read: from above, and from the left."""
        return sorted(enumerate(self.tiles), key=lambda one: (one[1].y, one[1].x))

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        filters = {key: value for key, value in (("segment", self.segment), ("period", self.period)) if value}
        said = {key: getattr(self, key) for key in ("description", "owner") if getattr(self, key)}
        return {"title": self.title, **said, "filters": filters, "tiles": [tile.document() for tile in self.tiles]}
