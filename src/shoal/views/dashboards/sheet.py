"""A dashboard as one picture: SVG, and PNG and PDF of it, drawn without a browser and without the network.

The PDF has one page, as high as the dashboard.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.views import theme
from shoal.views import words as w
from shoal.views.charts.render import to_svg
from shoal.views.dashboards.definition import COLUMNS
from shoal.views.dashboards.markdown import to_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.views.dashboards.answers import Answer, Filled, Head
    from shoal.views.dashboards.definition import Dashboard, Tile

WIDTH, EDGE, GAP, ROW = 1240, 40, 24, 56
_COLUMN = (WIDTH - 2 * EDGE - (COLUMNS - 1) * GAP) / COLUMNS
_LINE, _TOP = 20, 108
_LETTER = 0.56
"""How wide a letter is, in font sizes, on average and at most."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands over the picture, and how its instants and money are written.

    Args:
        name: the workspace's.
        at: the instant at which it is made.
        zone: of dates.
        currency: of money.
    """

    name: str
    at: int
    zone: str
    currency: str


def width_of(tile: Tile) -> int:
    """The width in pixels of a tile in the picture."""
    return int(tile.w * _COLUMN + (tile.w - 1) * GAP)


def svg(dashboard: Dashboard, filled: Filled, head: Heading) -> str:
    """The picture of a dashboard with its answers."""
    drawn = {number: _tile(number, tile, filled.answers[number], head) for number, tile in dashboard.placed()}
    tops, height = _laid_out(dashboard, {number: high for number, (_, high) in drawn.items()})
    parts = [*_heading(dashboard, filled, head)]
    for number, tile in dashboard.placed():
        x = EDGE + tile.x * (_COLUMN + GAP)
        parts.append(f'<g transform="translate({x:.1f} {tops[number]:.1f})">{drawn[number][0]}</g>')
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    size = f'width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}"'
    paper = f'<rect width="100%" height="100%" fill="{theme.PAPER}"/>'
    title = f"<title>{html.escape(dashboard.title)}</title>"
    return f'<svg {spaces} {size} font-family="{html.escape(theme.FONT)}">{title}{paper}{"".join(parts)}</svg>'


def png(picture: str, scale: float = 2.0) -> bytes:
    """The picture as PNG; ``scale`` 2 suits screens of high density."""
    import vl_convert

    data: bytes = vl_convert.svg_to_png(picture, scale=scale)
    return data


def pdf(picture: str) -> bytes:
    """The picture as a PDF of one page."""
    import vl_convert

    data: bytes = vl_convert.svg_to_pdf(picture)
    return data


def _laid_out(dashboard: Dashboard, heights: Mapping[int, float]) -> tuple[dict[int, float], float]:
    """Where each tile begins, and how high all is: rows grow until what stands in them fits."""
    rows = [float(ROW)] * max((tile.y + tile.h for tile in dashboard.tiles), default=1)
    for number, tile in sorted(enumerate(dashboard.tiles), key=lambda one: (one[1].h, one[1].y)):
        there = sum(rows[tile.y : tile.y + tile.h]) + (tile.h - 1) * GAP
        rows[tile.y + tile.h - 1] += max(0.0, heights[number] - there)
    used = {row for tile in dashboard.tiles for row in range(tile.y, tile.y + tile.h)}
    starts, at = [], float(_TOP)
    for row, high in enumerate(rows):
        starts.append(at)
        at += high + GAP if row in used else 0.0
    return {number: starts[tile.y] for number, tile in enumerate(dashboard.tiles)}, at + EDGE / 2


def _heading(dashboard: Dashboard, filled: Filled, head: Heading) -> Iterator[str]:
    yield _text(EDGE, 46, dashboard.title, 24, weight=600)
    yield _text(EDGE, 70, f"{head.name} · {filled.filters}", 13, theme.MUTED)
    yield _text(WIDTH - EDGE, 46, f"As of {w.stamp(head.at, head.zone)}", 12, theme.MUTED, anchor="end")
    yield f'<rect x="{EDGE}" y="86" width="{WIDTH - 2 * EDGE}" height="1" fill="{theme.HAIRLINE}"/>'


def _text(
    x: float, y: float, said: str, size: float, colour: str = theme.INK, *, weight: int = 400, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}">'
        f"{html.escape(said)}</text>"
    )


def _tile(number: int, tile: Tile, answer: Answer, head: Heading) -> tuple[str, float]:
    """What stands in a tile, and how high it is."""
    width = width_of(tile)
    if tile.kind == "text":
        return _words(tile.asks["text"], width)
    if answer.chart is not None and not answer.missing:
        return _chart(number, answer, width)
    parts, y = [_text(0, 14, theme.clipped(answer.title, _fits(width, 15)), 15, weight=600)], 34.0
    for line in theme.wrapped(answer.sub, width, 12) if answer.sub else ():
        parts.append(_text(0, y, line, 12, theme.MUTED))
        y += 16
    if answer.missing:
        for line in theme.wrapped(f"{answer.missing} {answer.fix}", width, 12):
            parts.append(_text(0, y, line, 12))
            y += 16
    elif answer.figure is not None:
        return _figure(answer, parts, y, width)
    else:
        rows, y = _table(answer.heads, answer.rows, width, y + 6, head)
        parts += rows
    said, y = _foot(answer, width, y + 4)
    return "".join([*parts, *said]), y


def _fits(width: float, size: float) -> int:
    return max(8, int(width / (size * _LETTER)))


def _words(text: str, width: int) -> tuple[str, float]:
    lines = [line for said in to_lines(text) for line in theme.wrapped(said, width, 13)]
    return "".join(_text(0, 14 + at * _LINE, line, 13) for at, line in enumerate(lines)), 14.0 + _LINE * len(lines)


def _figure(answer: Answer, parts: list[str], y: float, width: int) -> tuple[str, float]:
    one = answer.figure
    assert one is not None
    parts.append(_text(0, y + 20, one.value, 26, weight=600))
    y += 40
    against = f"{one.change} against {one.before}" if one.change and one.before else one.before
    for line in (one.interval and f"95 %: {one.interval}", against, answer.n, one.target, one.alert):
        for said in theme.wrapped(line, width, 12) if line else ():
            parts.append(_text(0, y, said, 12, theme.MUTED))
            y += 16
    known = [value for value in one.trend if value is not None]
    if len(known) > 1:
        low, high = min(known), max(known)
        step = min(width, 220) / (len(known) - 1)
        points = " ".join(f"{at * step:.1f},{y + 24 - 22 * ((v - low) / (high - low) if high > low else 0.5):.1f}"
                          for at, v in enumerate(known))  # fmt: skip
        parts.append(f'<polyline points="{points}" fill="none" stroke="{theme.ACCENT}" stroke-width="1.5"/>')
        y += 32
    return "".join(parts), y


def titled(answer: Answer, width: int) -> dict[str, Any]:
    """The definition of an answer's chart with the tile's title over it."""
    assert answer.chart is not None
    spec = dict(answer.chart)
    title = {"text": theme.wrapped(answer.title, width, 16), "subtitle": theme.wrapped(answer.sub, width, 12)}
    return spec | {"title": title, "width": width}


def _chart(number: int, answer: Answer, width: int) -> tuple[str, float]:
    art = to_svg(titled(answer, width))
    art = re.sub(r"<\?xml[^>]*>|<!DOCTYPE[^>]*>", "", art).strip()
    # Names of clips are the same in each chart, and hold for the whole picture.
    art = re.sub(r'\bid="([^"]+)"', rf'id="t{number}-\1"', art)
    art = re.sub(r"url\(#([^)]+)\)", rf"url(#t{number}-\1)", art)
    art = re.sub(r'href="#([^"]+)"', rf'href="#t{number}-\1"', art)
    size = re.search(r'<svg[^>]*?\bheight="([\d.]+)"', art)
    high = float(size[1]) if size else 260.0
    said, y = _foot(answer, width, high + 16)
    return art + "".join(said), y


def _foot(answer: Answer, width: int, y: float) -> tuple[list[str], float]:
    said = ". ".join(part.rstrip(".") for part in (answer.n, answer.note) if part)
    lines = theme.wrapped(said, width, 11) if said else []
    return [_text(0, y + at * 14, line, 11, theme.MUTED) for at, line in enumerate(lines)], y + 14 * len(lines)


def _table(
    heads: Sequence[Head], rows: Sequence[Mapping[str, Any]], width: int, y: float, head: Heading
) -> tuple[list[str], float]:
    """A table: numbers at the right, texts cut to what fits."""
    cells = [[cell(row.get(one.key), one.form, head) for one in heads] for row in rows]
    if not heads or not cells:
        return [], y
    lengths = [max(len(one.head), *(len(row[at]) for row in cells)) for at, one in enumerate(heads)]
    shares = [min(length, 34) + 2 for length in lengths]
    widths = [width * share / sum(shares) for share in shares]
    parts = []
    for at, row in enumerate([[one.head for one in heads], *cells]):
        x = 0.0
        colour = theme.MUTED if at == 0 else theme.INK
        for one, text, wide in zip(heads, row, widths, strict=True):
            right = one.form not in ("text", "when")
            said = theme.clipped(text, _fits(wide - 8, 12))
            parts.append(
                _text(x + (wide - 8 if right else 0), y + 12, said, 12, colour, anchor="end" if right else "start")
            )
            x += wide
        parts.append(f'<rect x="0" y="{y + 18:.1f}" width="{width}" height="1" fill="{theme.HAIRLINE}" opacity="0.7"/>')
        y += 22
    return parts, y + 8


def cell(value: Any, form: str, head: Heading) -> str:
    """A value of a table as it is written."""
    if value is None:
        return "–"
    if form == "count":
        return f"{value:,.0f}"
    if form == "signed":
        return f"{value:+,.0f}".replace("-", "−") if value else "0"
    if form == "share":
        return w.share(value)
    if form == "money":
        return w.money(value, head.currency)
    if form == "number":
        return w.plain(value)
    if form == "when":
        return f"{w.day(value, head.zone)}, {w.time(value, head.zone)}"
    return str(value)


def tile_picture(tile: Tile, answer: Answer, head: Heading) -> str:
    """The picture of one tile, as SVG."""
    body, height = _tile(0, tile, answer, head)
    width = width_of(tile) + 2 * GAP
    size = f'width="{width}" height="{height + 2 * GAP:.0f}" viewBox="0 0 {width} {height + 2 * GAP:.0f}"'
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    paper = f'<rect width="100%" height="100%" fill="{theme.PAPER}"/>'
    body = f'<g transform="translate({GAP} {GAP})">{body}</g>'
    return f'<svg {spaces} {size} font-family="{html.escape(theme.FONT)}">{paper}{body}</svg>'
