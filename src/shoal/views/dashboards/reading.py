"""Dashboard files: ``dashboards/SLUG.yaml`` read, each fault at its place in the file.

title: Our shop
filters: {segment: champions, period: last 12 months}
tiles:
  - {kind: figure, metric: revenue, at: [0, 0, 3, 2]}
  - {kind: line, metrics: [revenue], at: [3, 0, 9, 4]}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from shoal.errors import DefinitionError, Refused, did_you_mean, nearest
from shoal.lang.slug import hold_slug
from shoal.lang.yaml_tree import Sheet
from shoal.views.dashboards.definition import (
    CHOICES,
    COLUMNS,
    LISTS,
    LIVE,
    LOWEST,
    MOST,
    NUMBERS,
    OPTIONS,
    PERIOD,
    SHARED,
    SIZE_OF,
    SIZES,
    TALLEST,
    Dashboard,
    Tile,
)
from shoal.views.dashboards.periods import read_period

if TYPE_CHECKING:
    from shoal.lang.yaml_tree import Entry

KEYS = ("title", "description", "owner", "filters", "tiles")
FILTERS = ("segment", "period")
_MOST_ROWS = 100


def read_dashboard(text: str, *, slug: str, place: str) -> Dashboard:
    """Read a dashboard's file.

    Args:
        text: what the file holds.
        slug: the file's name without its ending.
        place: the file's path, for messages.

    Raises:
        DefinitionError: with the file and the line of the fault.
    """
    hold_slug(slug, place)
    sheet = Sheet(text, place)
    entries = sheet.entries(KEYS)
    title = sheet.text(entries["title"]).strip() if "title" in entries else ""
    if not title:
        raise DefinitionError("The dashboard has no title.", place=place, fix="Add: title: …")
    filters = sheet.entries(FILTERS, entries["filters"]) if "filters" in entries else {}
    said = {key: sheet.text(entries[key]).strip() for key in ("description", "owner") if key in entries}
    return Dashboard(
        slug,
        title,
        segment=sheet.text(filters["segment"]).strip() if "segment" in filters else "",
        period=_period(sheet, filters["period"]) if "period" in filters else PERIOD,
        tiles=_tiles(sheet, entries["tiles"]) if "tiles" in entries else (),
        **said,
    )


def read_tile(document: dict[str, Any], place: str = "tile") -> Tile:
    """A tile of a form or a program, checked as one of a file is.

    Raises:
        DefinitionError: with what is wrong.
    """
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    sheet = Sheet(text, place)
    try:
        return _tile(sheet, sheet.root, 0)
    except DefinitionError as error:
        # The text that it was read from is made up: its lines say nothing to anybody.
        raise DefinitionError(error.problem, place=place, fix=error.fix, key=error.key) from None


def _tiles(sheet: Sheet, entry: Entry) -> tuple[Tile, ...]:
    if sheet.is_null(entry):
        return ()
    if not isinstance(entry, yaml.SequenceNode):
        raise sheet.fault("Expected a list of tiles.", entry, "Write one a line after a hyphen: - {kind: figure, …}")
    if len(entry.value) > MOST:
        raise sheet.fault(f"These are more than {MOST} tiles.", entry, "Make a second dashboard of some of them.")
    found: list[Tile] = []
    for item in entry.value:
        below = max((tile.y + tile.h for tile in found), default=0)
        found.append(_tile(sheet, item, below))
    return tuple(found)


def _tile(sheet: Sheet, entry: Entry, below: int) -> Tile:
    kind = _kind(sheet, entry)
    known = (*SHARED, *OPTIONS[kind])
    entries = sheet.entries(known, entry)
    asks = {key: _value(sheet, kind, key, entries[key]) for key in OPTIONS[kind] if key in entries}
    said: dict[str, str] = {key: sheet.text(entries[key]).strip() for key in ("title", "segment") if key in entries}
    if "period" in entries:
        said["period"] = _period(sheet, entries["period"])
    width, height = SIZES[kind]
    x, y, w, h = _place(sheet, entries["at"]) if "at" in entries else (0, min(below, LOWEST), width, height)
    tile = Tile(kind, x, y, w, h, asks={key: value for key, value in asks.items() if value not in ("", ())}, **said)
    _hold(sheet, entry, tile)
    return tile


def _kind(sheet: Sheet, entry: Entry) -> str:
    entries = sheet.entries(None, entry)
    if "kind" not in entries:
        raise sheet.fault("The tile has no kind.", entry, f"Add kind: one of {', '.join(OPTIONS)}.")
    return _choice(sheet, entries["kind"], tuple(OPTIONS))


def _choice(sheet: Sheet, entry: Entry, words: tuple[str, ...]) -> str:
    # YAML 1.1 takes a bare "on" for true.
    text = "on" if str(getattr(entry, "value", "")) == "on" else sheet.text(entry)
    if text not in words:
        fix = did_you_mean(nearest(text, words)) or f"Take one of: {', '.join(words)}."
        raise sheet.fault(f"{text!r} is not known here.", entry, fix)
    return text


def _value(sheet: Sheet, kind: str, key: str, entry: Entry) -> Any:
    if (kind, key) in CHOICES:
        return _choice(sheet, entry, CHOICES[kind, key])
    if key in NUMBERS or (kind, key) == ("sankey", "steps"):
        return _whole(sheet, entry, 1, _MOST_ROWS if key in NUMBERS else 8)
    if key in LISTS:
        return sheet.texts(entry) if isinstance(entry, yaml.SequenceNode) else (sheet.text(entry),)
    text = sheet.text(entry)
    if key == "live" and text not in LIVE and not text.startswith(SIZE_OF):
        fix = did_you_mean(nearest(text, LIVE)) or f"Take one of {', '.join(LIVE)}, or size of SEGMENT."
        raise sheet.fault(f"{text!r} isn't live.", entry, fix)
    return text


def _period(sheet: Sheet, entry: Entry) -> str:
    text = sheet.text(entry).strip()
    try:
        read_period(text)
    except Refused as refusal:
        raise sheet.fault(refusal.problem, entry, refusal.fix) from None
    return text


def _whole(sheet: Sheet, entry: Entry, least: int, most: int) -> int:
    text = str(getattr(entry, "value", ""))
    if not (isinstance(entry, yaml.ScalarNode) and text.isdecimal() and least <= int(text) <= most):
        raise sheet.fault(f"Expected a whole number from {least} to {most}.", entry)
    return int(text)


def _place(sheet: Sheet, entry: Entry) -> tuple[int, int, int, int]:
    fix = f"Write [column, row, columns wide, rows high], as [0, 0, 6, 4]; there are {COLUMNS} columns, from 0."
    if not isinstance(entry, yaml.SequenceNode) or len(entry.value) != 4:
        raise sheet.fault("Expected four numbers.", entry, fix)
    bounds = ((0, COLUMNS - 1), (0, LOWEST), (1, COLUMNS), (1, TALLEST))
    x, y, w, h = (_whole(sheet, item, *bound) for item, bound in zip(entry.value, bounds, strict=True))
    if x + w > COLUMNS:
        raise sheet.fault(f"The tile ends at column {x + w}, and the grid has {COLUMNS}.", entry, fix)
    return x, y, w, h


_ONE_OF: dict[str, tuple[tuple[str, ...], str]] = {
    "figure": (("metric", "live"), "metric: revenue, or live: customers"),
    "line": (("metrics",), "metrics: [revenue]"),
    "bar": (("metric", "of"), "metric: revenue with by: or segments:, or of: segments"),
    "table": (("metrics", "of"), "metrics: [revenue, orders], or of: segments"),
    "funnel": (("funnel", "steps"), "funnel: NAME, or steps: [Product Viewed, Order Completed]"),
    "sankey": (("between", "after", "before"), "between: rfm, or after: Product Viewed"),
    "text": (("text",), "text: some words"),
}


def _hold(sheet: Sheet, entry: Entry, tile: Tile) -> None:
    """Refuse a tile that asks nothing, or two things at once."""
    if tile.kind in _ONE_OF:
        keys, example = _ONE_OF[tile.kind]
        given = [key for key in keys if key in tile.asks]
        if not given:
            raise sheet.fault(f"The {tile.kind} doesn't say what it shows.", entry, f"Add {example}.")
        if len(given) > 1:
            raise sheet.fault(f"The {tile.kind} shows one thing: {given[0]} or {given[1]}.", entry, "Keep one of them.")
    if tile.kind == "bar" and "metric" in tile.asks and not {"by", "segments"} & set(tile.asks):
        raise sheet.fault("The bar doesn't say what it tells apart.", entry, "Add by: a trait, or segments: [largest].")
    if tile.kind == "funnel" and len(tile.asks.get("steps", ("", ""))) < 2:
        raise sheet.fault("A funnel has two steps or more.", entry, "Add one: steps: [Product Viewed, Order Completed]")
