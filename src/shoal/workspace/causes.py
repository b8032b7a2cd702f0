"""Why a metric of an open workspace changed; it is ``workspace.metrics.causes``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.errors import Refused
from shoal.workspace.frames import as_form

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import altair as alt

    from shoal.insight.metrics.causes import Causes
    from shoal.insight.metrics.periods import Period
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import CalendarUnit
    from shoal.workspace.frames import Form
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace


@dataclass(frozen=True, slots=True)
class Caused:
    """Why a metric changed, as of an instant.

    Args:
        at: the instant.
        found: the change, what it is made of, and what stands out.
    """

    at: int
    found: Causes

    @property
    def sentences(self) -> list[str]:
        """The same in words."""
        return self.found.sentences

    def table(self, form: Form = "arrow") -> Any:
        """One row a dimension and group: by, group, amount, before, after, customers; per dimension amounts sum to the change.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        import pyarrow as pa

        rows = [
            {"by": split.by, **{key: value for key, value in group.items() if key != "effects"}}
            for split, told in zip(self.found.splits, self.found.document()["splits"], strict=True)
            for group in told["groups"]
        ]
        kinds = (("by", pa.string()), ("group", pa.string()), ("amount", pa.float64()), ("before", pa.float64()),
                 ("after", pa.float64()), ("customers", pa.int64()))  # fmt: skip
        return as_form(pa.Table.from_pylist(rows, schema=pa.schema(kinds)), form)

    def chart(self, by: str | None = None, width: int | None = None) -> alt.Chart:
        """What each group of a dimension is of the change, beside what it would have been.

        Args:
            by: the dimension; by default that of the largest cause, or the first.
            width: in pixels.

        Raises:
            UnknownName: it wasn't looked at.
        """
        from shoal.views import theme
        from shoal.views.charts.causes import contribution_bars

        return contribution_bars(self.found, by, width=theme.WIDE if width is None else width)

    def write(self, path: Path, by: str | None = None) -> None:
        """Write the picture as ``.html``, ``.svg`` or ``.png``.

        Raises:
            Refused: for another ending.
            StoreError: it can't be written.
        """
        from shoal.views.charts.render import write_chart

        write_chart(path, lambda: self.chart(by), what="A picture isn't")

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"as_of": clock.iso(self.at), **self.found.document()}


def caused(
    workspace: Workspace,
    metric: str,
    *,
    grain: CalendarUnit = "month",
    period: When = None,
    against: When = None,
    by: Collection[str] = (),
    segments: Collection[str] = (),
    as_of: When = None,
) -> Caused:
    """Why a metric changed; see ``MetricsDoor.causes``."""
    from shoal.insight.metrics.causes import causes

    chosen = workspace.metrics.find(metric)
    found = [workspace.segments.known(as_of).find(name) for name in segments]
    with workspace.metrics.as_of(as_of) as known:
        later = _period(workspace, known, grain, period)
        earlier = _before(workspace, known, grain, later, against)
        if earlier.begin >= later.begin:
            raise Refused("The period to hold it against isn't an earlier one.", fix="Name a day before it.")
        told = causes(known, chosen, earlier, later, grain, by=by, segments=found, currency=workspace.config.currency)
        return Caused(known.at, told)


def _period(workspace: Workspace, known: AsOf, grain: CalendarUnit, day: When) -> Period:
    """The period that holds a day; by default the newest that is over."""
    from shoal.insight.metrics.periods import USUAL, before, period_of

    if grain not in USUAL:
        raise Refused(f"{grain!r} is no period.", fix=f"Take one of {', '.join(USUAL)}.")
    at = known.at if day is None else workspace.instant(day)
    if at > known.at:
        raise Refused("The period hasn't begun.", fix="Name an earlier day.")
    found = period_of(int(known.zone.day(at)), grain, known.zone, known.at)
    return before(found, grain, known.zone) if day is None and not found.finished else found


def _before(workspace: Workspace, known: AsOf, grain: CalendarUnit, later: Period, day: When) -> Period:
    from shoal.insight.metrics.periods import before

    return before(later, grain, known.zone) if day is None else _period(workspace, known, grain, day)
