"""What stands in the navigation. A page adds its own line to the section that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoal.workspace.people import Person


@dataclass(frozen=True, slots=True)
class Entry:
    """A page.

    Args:
        title: one or two words.
        path: where it is.
        right: who doesn't have it doesn't see the entry.
    """

    title: str
    path: str
    right: str = "view"


@dataclass(frozen=True, slots=True)
class Section:
    """Pages that belong together; the title is empty for those that stand alone."""

    title: str
    entries: tuple[Entry, ...]


SECTIONS: tuple[Section, ...] = (
    Section(
        "",
        (
            Entry("Overview", "/overview"),
            Entry("Dashboards", "/dashboards"),
            Entry("Segments", "/segments"),
            Entry("Customers", "/customers"),
            Entry("Identity", "/customers/identity"),
            Entry("Explore", "/explore"),
            Entry("First look", "/first-look"),
        ),
    ),
    Section(
        "Measure",
        (
            Entry("KPIs", "/kpis"),
            Entry("Experiments", "/experiments"),
            Entry("Predictions", "/predictions"),
            Entry("Groups found", "/discovery"),
            Entry("Pilots", "/pilots"),
            Entry("Feedback", "/feedback"),
        ),
    ),
    Section(
        "Workspace",
        (
            Entry("Data", "/data"),
            Entry("Delivery", "/delivery"),
            Entry("Jobs", "/jobs"),
            Entry("Privacy", "/privacy"),
            Entry("People", "/people", "admin"),
            Entry("Keys", "/keys", "admin"),
            Entry("Audit", "/audit", "admin"),
        ),
    ),
)  # fmt: skip


def navigation(person: Person | None) -> list[Section]:
    """The sections with the entries that somebody may open."""
    if person is None:
        return []
    shown = [Section(s.title, tuple(e for e in s.entries if person.may(e.right))) for s in SECTIONS]
    return [section for section in shown if section.entries]


def current(path: str) -> str:
    """The path of the entry that a page belongs to: the longest that its own begins with."""
    entries = [e.path for s in SECTIONS for e in s.entries]
    return max((one for one in entries if path == one or path.startswith(f"{one}/")), key=len, default="")
