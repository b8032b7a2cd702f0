"""A small line beside a number, drawn as SVG here, so that a table needs no script for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from shoal.views.words import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

INSET = 2.0
"""Pixels on each side, so that the dot at the end isn't cut off."""


def spark(values: Sequence[float | None], width: int = 80, height: int = 20) -> Markup:
    """A line over values in order, from the least to the largest, with a dot at the last one.

    Args:
        values: None leaves a gap.
        width: in pixels.
        height: in pixels.

    >>> spark([1, 2, 4])[:34], spark([])
    (Markup('<svg class="spark" role="img" aria'), Markup(''))
    """
    known = [value for value in values if value is not None]
    if not known:
        return Markup()
    points = _points(values, min(known), max(known), width, height)
    path = "".join(
        "" if point is None else f"{'L' if place and points[place - 1] else 'M'}{point[0]:.1f} {point[1]:.1f}"
        for place, point in enumerate(points)
    )
    last = next(point for point in reversed(points) if point is not None)
    said = f"From {plain(known[0])} to {plain(known[-1])}"
    return Markup(
        '<svg class="spark" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">'
        '<path d="{}"/><circle cx="{:.1f}" cy="{:.1f}" r="2"/></svg>'
    ).format(said, width, height, width, height, path, *last)


def _points(
    values: Sequence[float | None], least: float, most: float, width: int, height: int
) -> list[tuple[float, float] | None]:
    """Where each value lies; what never changes lies in the middle."""
    step = (width - 2 * INSET) / max(1, len(values) - 1)
    span, depth = most - least, height - 2 * INSET

    def down(value: float) -> float:
        return INSET + depth * ((most - value) / span if span else 0.5)

    return [None if value is None else (INSET + place * step, down(value)) for place, value in enumerate(values)]
