"""From facts to a page: which sections there are, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.views.report import groups, overview, sources, standing, trends
from shoal.views.report import words as w
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
    trends.concentration,
    groups.overlap,
    groups.feedback,
    groups.reach,
    sources.data_quality,
)


def compose(facts: Facts) -> Page:
    """The report of the facts."""
    return Page(
        title=facts.name,
        subtitle=f"As of {w.stamp(facts.at, facts.zone)}. {w.many(facts.customers, 'customer')}.",
        findings=overview.findings(facts),
        sections=sections(facts),
        method=overview.method(facts),
        foot=(
            f"Made by Shoal from the data up to {w.stamp(facts.at, facts.zone)}. This file asks nothing of the network: "
            "it can be mailed and kept."
        ),
    )


def sections(facts: Facts) -> list[Section]:
    """The sections of the report, in order."""
    found = (make(facts) for make in _SECTIONS)
    return [section for section in found if section is not None]
