"""The dashboards of a workspace: its files ``dashboards/*.yaml``, and those that ship."""

from __future__ import annotations

import hashlib
import importlib.resources
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from shoal.errors import ShoalError, UnknownName
from shoal.lang.files import file_text
from shoal.views.dashboards.reading import read_dashboard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shoal.views.dashboards.definition import Dashboard

READY = ("overview", "acquisition", "retention", "value", "segments", "campaigns", "feedback", "data-quality")
"""Those that ship, as they are listed."""


@dataclass(frozen=True, slots=True)
class Dashboards:
    """The dashboards there are.

    Args:
        definitions: by slug: those that ship, with the workspace's own of the same name in their place, then its others.
        faults: of files that can't be accepted, by slug.
        shipped: the slugs of those that ship and that no file stands in for.
        texts: of the workspace's files, by slug.
    """

    definitions: Mapping[str, Dashboard]
    faults: Mapping[str, ShoalError] = field(default_factory=dict)
    shipped: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Dashboard:
        """The dashboard of a slug or title.

        Raises:
            UnknownName: there is none, with the nearest known one.
            DefinitionError: its file has a fault.
        """
        if name in self.definitions:
            return self.definitions[name]
        if name in self.faults:
            raise self.faults[name]
        named = [one for one in self.definitions.values() if one.title.casefold() == name.casefold()]
        if len(named) == 1:
            return named[0]
        raise UnknownName("dashboard", name, list(self.definitions))

    def text(self, slug: str) -> str:
        """The text that a dashboard is read from: its file, or what ships."""
        return self.texts[slug] if slug in self.texts else shipped_text(slug)

    def mark(self, slug: str) -> str:
        """What tells the state of a file from every other; empty where there is no file."""
        return mark_of(self.texts[slug]) if slug in self.texts else ""


def mark_of(text: str) -> str:
    """A short hash of a file's text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def folder_of(root: Path) -> Path:
    """Where a workspace keeps its dashboards."""
    return root / "dashboards"


def read_dashboards(root: Path) -> Dashboards:
    """Read all dashboards of a workspace, and those that ship.

    Args:
        root: the workspace's folder.
    """
    found, texts = dict(_shipped()), dict[str, str]()
    faults: dict[str, ShoalError] = {}
    for path in sorted(folder_of(root).glob("*.yaml")):
        place = str(path.relative_to(root))
        try:
            texts[path.stem] = file_text(path, place)
            found[path.stem] = read_dashboard(texts[path.stem], slug=path.stem, place=place)
        except ShoalError as error:
            faults[path.stem] = error
            found.pop(path.stem, None)
    return Dashboards(found, faults, frozenset(set(READY) - set(texts) - set(faults)), texts)


def shipped_text(slug: str) -> str:
    """The text of one that ships."""
    folder = importlib.resources.files("shoal.views.dashboards") / "library"
    return (folder / f"{slug}.yaml").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Dashboard]:
    return {
        slug: read_dashboard(shipped_text(slug), slug=slug, place=f"the dashboard {slug}, which ships")
        for slug in READY
    }
