"""A chart as SVG, PNG or its Vega-Lite definition, without a browser and without the network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt


def to_spec(chart: alt.Chart) -> dict[str, Any]:
    """The Vega-Lite definition, with its data."""
    spec: dict[str, Any] = chart.to_dict()
    return spec


def to_svg(chart: alt.Chart) -> str:
    """The chart as SVG text with a viewBox, so that a page can scale it."""
    import vl_convert

    text: str = vl_convert.vegalite_to_svg(json.dumps(to_spec(chart)))
    return text


def to_png(chart: alt.Chart, *, scale: float = 2.0) -> bytes:
    """The chart as a PNG picture; ``scale`` 2 suits screens of high density."""
    import vl_convert

    data: bytes = vl_convert.vegalite_to_png(json.dumps(to_spec(chart)), scale=scale)
    return data
