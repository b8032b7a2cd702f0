"""A chart as SVG, PNG or its Vega-Lite definition, without a browser and without the network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused, unwritten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import altair as alt

    Form = Callable[[], bytes]


def to_spec(chart: alt.Chart | dict[str, Any]) -> dict[str, Any]:
    """The Vega-Lite definition, with its data."""
    if isinstance(chart, dict):
        return chart
    # Altair validates against the whole schema here, which takes longer than drawing; the tests validate each chart.
    spec: dict[str, Any] = chart.to_dict(validate=False)
    return spec


def to_svg(chart: alt.Chart | dict[str, Any]) -> str:
    """The chart, or its definition, as SVG text with a viewBox, so that a page can scale it."""
    import vl_convert

    text: str = vl_convert.vegalite_to_svg(json.dumps(to_spec(chart)))
    return text


def to_png(chart: alt.Chart, *, scale: float = 2.0) -> bytes:
    """The chart as a PNG picture; ``scale`` 2 suits screens of high density."""
    import vl_convert

    data: bytes = vl_convert.vegalite_to_png(json.dumps(to_spec(chart)), scale=scale)
    return data


def write_chart(
    path: Path, draw: Callable[[], Any], *, what: str = "A chart isn't", also: Mapping[str, Form] | None = None
) -> None:
    """Write a chart as ``.html``, ``.svg`` or ``.png``, whichever the file's name ends in.

    Args:
        path: the file.
        draw: makes the chart.
        what: begins the refusal of another ending.
        also: by ending, what else may be written there.

    Raises:
        Refused: for another ending.
        StoreError: it can't be written.
    """
    forms: dict[str, Form] = {
        **(also or {}),
        ".svg": lambda: to_svg(draw()).encode(),
        ".png": lambda: to_png(draw()),
        ".html": lambda: str(draw().to_html(inline=True)).encode(),
    }
    made = forms.get(path.suffix.lower())
    if made is None:
        raise Refused(f"{what} written as {path.suffix or path.name!r}.", fix=f"End the name in {', '.join(forms)}.")
    try:
        path.write_bytes(made())
    except OSError as error:
        raise unwritten(error, path) from error
