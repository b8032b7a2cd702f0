"""Charts: rows in, an Altair chart out. The same chart serves notebook, report and file."""

from __future__ import annotations

from shoal.views.charts.actions import action_ranges
from shoal.views.charts.experiments import (
    cumulative_effect,
    effect_forest,
    roi_waterfall,
    sample_ratio_lines,
    scoreboard_bars,
    segment_effects,
)
from shoal.views.charts.flows import lifecycle_bars, migration_flows
from shoal.views.charts.grids import cohort_heatmap, overlap_grid, rfm_grid
from shoal.views.charts.groups import difference_grid, groups_evidence, segment_map, stability_dots
from shoal.views.charts.journeys import cohort_cells, funnel_bars, growth_bars, path_flows
from shoal.views.charts.lines import concentration_curve, interval_dots, kpi_lines, retention_curves, size_lines
from shoal.views.charts.models import (
    backtest_periods,
    calibration_curve,
    frequency_bars,
    gain_curve,
    lift_bars,
    value_histogram,
    week_lines,
)
from shoal.views.charts.render import to_png, to_spec, to_svg
from shoal.views.charts.segments import segment_flow, segment_size
from shoal.views.charts.survival import survival_curves

__all__ = [
    "action_ranges",
    "backtest_periods",
    "calibration_curve",
    "cohort_cells",
    "cohort_heatmap",
    "concentration_curve",
    "cumulative_effect",
    "difference_grid",
    "effect_forest",
    "frequency_bars",
    "funnel_bars",
    "gain_curve",
    "groups_evidence",
    "growth_bars",
    "interval_dots",
    "kpi_lines",
    "lifecycle_bars",
    "lift_bars",
    "migration_flows",
    "overlap_grid",
    "path_flows",
    "retention_curves",
    "rfm_grid",
    "roi_waterfall",
    "sample_ratio_lines",
    "scoreboard_bars",
    "segment_effects",
    "segment_flow",
    "segment_map",
    "segment_size",
    "size_lines",
    "stability_dots",
    "survival_curves",
    "to_png",
    "to_spec",
    "to_svg",
    "value_histogram",
    "week_lines",
]
