"""Charts: rows in, an Altair chart out. The same chart serves notebook, report and file."""

from __future__ import annotations

from shoal.views.charts.flows import lifecycle_bars, migration_flows
from shoal.views.charts.grids import cohort_heatmap, overlap_grid, rfm_grid
from shoal.views.charts.lines import concentration_curve, interval_dots, kpi_lines, retention_curves, size_lines
from shoal.views.charts.render import to_png, to_spec, to_svg

__all__ = [
    "cohort_heatmap",
    "concentration_curve",
    "interval_dots",
    "kpi_lines",
    "lifecycle_bars",
    "migration_flows",
    "overlap_grid",
    "retention_curves",
    "rfm_grid",
    "size_lines",
    "to_png",
    "to_spec",
    "to_svg",
]
