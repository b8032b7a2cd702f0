"""The experiment files of a workspace: ``experiments/*.yaml``, and the faults of those that can't be accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.errors import DefinitionError, ShoalError, UnknownName
from shoal.insight.experiments.reading import check_experiment, read_experiment
from shoal.lang.files import file_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.metrics.definition import Metric
    from shoal.lang.schema import Schema


@dataclass(frozen=True, slots=True)
class Experiments:
    """The experiments there are.

    Args:
        definitions: by slug, in the order of their files' names.
        faults: of files that can't be accepted, by slug.
    """

    definitions: Mapping[str, Experiment]
    faults: Mapping[str, ShoalError] = field(default_factory=dict)

    def find(self, name: str) -> Experiment:
        """The experiment of a slug or display name.

        Raises:
            UnknownName: there is none, with the nearest.
            DefinitionError: its file can't be accepted; or several bear the name.
        """
        if name in self.definitions:
            return self.definitions[name]
        if name in self.faults:
            raise self.faults[name]
        found = [one for one in self.definitions.values() if one.name.casefold() == name.casefold()]
        if len(found) > 1:
            raise DefinitionError(
                f"Several experiments are called {name!r}: {', '.join(one.slug for one in found)}.", fix="Use the slug."
            )
        if not found:
            raise UnknownName("experiment", name, [*self.definitions, *(d.name for d in self.definitions.values())])
        return found[0]


def folder_of(root: Path) -> Path:
    """Where a workspace keeps its experiments."""
    return root / "experiments"


def path_of(root: Path, slug: str) -> Path:
    """The file of an experiment."""
    return folder_of(root) / f"{slug}.yaml"


def read_experiments(root: Path, schema: Schema, find: Callable[[str], Metric] | None = None) -> Experiments:
    """Read and check all experiment files.

    Args:
        root: the workspace's folder.
        schema: what a population may name.
        find: gives the metric of a slug, or raises; without it metrics aren't looked for.
    """
    definitions: dict[str, Experiment] = {}
    faults: dict[str, ShoalError] = {}
    for path in sorted(folder_of(root).glob("*.yaml")):
        place = str(path.relative_to(root))
        try:
            text = file_text(path, place)
            read = read_experiment(text, slug=path.stem, place=place, schema=schema, root=root)
            if find is not None:
                check_experiment(read, find, text, place=place)
            definitions[path.stem] = read
        except ShoalError as error:
            faults[path.stem] = error
    return Experiments(definitions, faults)
