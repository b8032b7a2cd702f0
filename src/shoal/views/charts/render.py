"""A chart as SVG, PNG or its Vega-Lite definition, without a browser and without the network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt


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
