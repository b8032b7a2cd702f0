"""Charts in pages: a route answers the Vega-Lite definition, the page draws it. The same chart serves report and notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
from fastapi import Query, Response
from pydantic import AfterValidator

from shoal.views import theme
from shoal.views.charts.render import to_spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import altair as alt

NARROWEST, WIDEST = 280, 1600


def _clamped(width: int) -> int:
    return max(NARROWEST, min(WIDEST, width))


ChartWidth: TypeAlias = Annotated[int, Query(), AfterValidator(_clamped)]
"""A parameter of a chart's route: the width in pixels of its place in the page, which the page adds to the address."""


def answer(
    chart: alt.Chart | dict[str, Any],
    rows: Sequence[Mapping[str, Any]] | None = None,
    heads: Mapping[str, str] | None = None,
) -> Response:
    """A chart's definition, as ``ui.chart`` fetches it.

    A row of the chart's own data that has ``href``, a path of this application, is a link where it is drawn.

    Args:
        chart: made by a function of ``views.charts`` with ``width=`` as the page asked.
        rows: the figures as a reader wants them, for the table beside the chart and for CSV; without them the largest of
            the chart's own sets of data is shown. ``href`` leads from a row to what is behind it.
        heads: what each key of the rows is called.
    """
    spec = dict(to_spec(chart))
    if rows is not None:
        spec["usermeta"] = {"rows": [dict(row) for row in rows], "heads": dict(heads or {})}
    return Response(msgspec.json.encode(spec), media_type="application/json")


def empty(said: str, width: int = theme.WIDE) -> Response:
    """A chart of nothing, which says so in its place.

    Args:
        said: what is missing, and what to do about it.
        width: in pixels.
    """
    text = {"type": "text", "color": theme.MUTED, "fontSize": 13, "align": "left", "x": 0, "lineBreak": "\n"}
    lines = "\n".join(theme.wrapped(said, width, 13))
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json", "width": width, "height": 40,
        "description": said, "data": {"values": [{"said": lines}]}, "mark": text,
        "encoding": {"text": {"field": "said"}}, "config": theme.config(), "usermeta": {"rows": [], "heads": {}},
    }  # fmt: skip
    return answer(spec)
