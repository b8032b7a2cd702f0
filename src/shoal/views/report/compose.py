"""From facts to a page: which sections there are, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.clock import DAY
from shoal.views import words as w
from shoal.views.report import (
    actions,
    costs,
    experiments,
    feedback,
    funnels,
    groups,
    metrics,
    micro,
    overview,
    predictions,
    retention,
    sources,
    standing,
    trends,
    uplift,
)
from shoal.views.report.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.views.report.facts import Facts
    from shoal.views.report.page import Section

_SECTIONS: tuple[Callable[[Facts], Section | None], ...] = (
    overview.at_a_glance,
    groups.segments,
    groups.differences,
    standing.rfm,
    standing.lifecycle,
    standing.retention,
    standing.migration,
    trends.kpis_over_time,
    metrics.metrics,
    trends.concentration,
    funnels.funnels,
    costs.costs,
    predictions.predictions,
    retention.contracts,
    micro.micro_segments,
    actions.next_best_actions,
    experiments.scoreboard,
    experiments.pilots,
    experiments.experiments,
    uplift.uplift,
    groups.overlap,
    feedback.feedback,
    groups.reach,
    sources.data_quality,
)


def compose(facts: Facts) -> Page:
    """The report of the facts."""
    return Page(
        title=facts.name,
        subtitle=_subtitle(facts),
        findings=overview.findings(facts),
        sections=sections(facts),
        method=overview.method(facts),
        foot=(
            f"Made by Shoal from the data up to {w.stamp(facts.at, facts.zone)}. This file asks nothing of the network: "
            "it can be mailed and kept."
        ),
    )


_SILENT = 7 * DAY
"""Data that ends longer before the report's instant is spoken of: figures of "the last days" would mislead."""


def _subtitle(facts: Facts) -> str:
    said = f"As of {w.stamp(facts.at, facts.zone)}. {w.many(facts.customers, 'customer')}."
    if facts.at - facts.data_end <= _SILENT:
        return said
    return f"{said} The data ends on {w.day(facts.data_end, facts.zone)}: of the time after it nothing is known."


def sections(facts: Facts) -> list[Section]:
    """The sections of the report, in order."""
    found = (make(facts) for make in _SECTIONS)
    return [section for section in found if section is not None]
