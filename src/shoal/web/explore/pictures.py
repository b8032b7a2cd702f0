"""A small picture of each page, drawn in its own colours."""

from __future__ import annotations

from markupsafe import Markup

from shoal.views import theme


def _svg(body: str) -> Markup:
    # What is put in is made here, of numbers and of the theme's colours.
    return Markup(f'<svg class="picture" viewBox="0 0 96 48" aria-hidden="true" focusable="false">{body}</svg>')


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{colour}"/>'


def _grid() -> Markup:
    colours = list(theme.GROUPS.values())
    return _svg(
        "".join(_rect(18 + 12 * (i % 5), 4 + 8 * (i // 5), 11, 7, colours[(i * 7) % len(colours)]) for i in range(25))
    )


def _stacks() -> Markup:
    body = ""
    for at, (kept, back, new, gone) in enumerate(
        [(10, 4, 9, 5), (14, 5, 7, 6), (16, 6, 6, 8), (18, 5, 7, 7), (20, 4, 5, 9)]
    ):
        x, y = 12 + 15 * at, 34.0
        for height, state in ((kept, "Retained"), (back, "Resurrected"), (new, "New")):
            y -= height
            body += _rect(x, y, 11, height, theme.STATES[state])
        body += _rect(x, 35, 11, gone, theme.STATES["Dormant"])
    return _svg(body)


def _triangle() -> Markup:
    ramp = theme.SEQUENTIAL
    return _svg("".join(
        _rect(14 + 12 * j, 3 + 8 * i, 11, 7, ramp[max(1, 5 - j)]) for i in range(5) for j in range(6 - i)
    ))  # fmt: skip


def _bars() -> Markup:
    return _svg("".join(_rect(10, 5 + 14 * at, width, 9, theme.ACCENT) for at, width in enumerate((76, 46, 19))))


def _ribbon(y0: float, y1: float, height: float, colour: str, x: tuple[float, float] = (14, 82)) -> str:
    a, b = x
    m = (a + b) / 2
    there, back = (
        f"{m:g} {y0:g} {m:g} {y1:g} {b:g} {y1:g}",
        f"{m:g} {y1 + height:g} {m:g} {y0 + height:g} {a:g} {y0 + height:g}",
    )
    path = f"M{a:g} {y0:g}C{there}v{height:g}C{back}Z"
    return f'<path d="{path}" fill="{colour}" opacity=".55"/>'


def _flows() -> Markup:
    colours = theme.PALETTE
    body = _ribbon(4, 4, 14, colours[0]) + _ribbon(18, 30, 6, colours[0]) + _ribbon(28, 19, 8, colours[1])
    return _svg(
        body + _ribbon(37, 38, 6, colours[1]) + _rect(10, 4, 4, 40, theme.BASE) + _rect(82, 4, 4, 40, theme.BASE)
    )


def _paths() -> Markup:
    colours = theme.PALETTE
    body = _ribbon(6, 4, 12, colours[2], (14, 44)) + _ribbon(18, 28, 12, colours[4], (14, 44))
    body += _ribbon(4, 10, 10, colours[2], (48, 80)) + _ribbon(28, 26, 9, colours[4], (48, 80))
    return _svg(body + _rect(10, 6, 4, 26, theme.BASE) + _rect(44, 4, 4, 38, theme.BASE))


def _circles() -> Markup:
    circle = '<circle cx="{}" cy="24" r="18" fill="{}" opacity=".5"/>'
    return _svg(circle.format(38, theme.PALETTE[0]) + circle.format(58, theme.PALETTE[1]))


def _dots() -> Markup:
    body = f'<path d="M44 4v40" stroke="{theme.BASE}" stroke-dasharray="3 3"/>'
    for at, (x, width) in enumerate(((44, 12), (62, 20), (30, 14))):
        y = 11 + 13 * at
        colour = theme.INK if at == 0 else theme.PALETTE[at - 1]
        body += f'<path d="M{x - width / 2:g} {y}h{width}" stroke="{colour}" stroke-width="2"/>'
        body += f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>'
    return _svg(body)


def _map() -> Markup:
    dot = '<circle cx="{}" cy="{}" r="{}" fill="{}" opacity=".7"/>'
    places = ((22, 16, 3), (34, 26, 7), (46, 14, 4), (60, 30, 9), (74, 18, 5), (68, 40, 3))
    return _svg("".join(dot.format(x, y, r, theme.ACCENT) for x, y, r in places))


PICTURES: dict[str, Markup] = {
    "rfm": _grid(), "lifecycle": _stacks(), "cohorts": _triangle(), "funnel": _bars(), "paths": _paths(),
    "migration": _flows(), "overlap": _circles(), "compare": _dots(), "map": _map(),
}  # fmt: skip
