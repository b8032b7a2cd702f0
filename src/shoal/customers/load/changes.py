"""Which files have to be read: new ones, changed ones, and all of a source whose mapping, lookups or rates changed."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from shoal.sources import SourceFile, discover

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from shoal.sources.mapping import SourceSpec
    from shoal.sql.store import Store

REVISION = 2
"""Raise it when the same files and mapping would give other rows than before: all files are read again then."""


@dataclass(frozen=True, slots=True)
class FileState:
    """A file, and what is known of it.

    Args:
        file: the file.
        content: the fingerprint of its content.
        known: the fingerprint under which its newest version was loaded, None for a new file.
        number: of its newest version.
        versions: the numbers of all versions of it.
        size_before: the bytes of its newest version, 0 for a new file.
    """

    file: SourceFile
    content: str
    known: str | None = None
    number: int = 0
    versions: tuple[int, ...] = ()
    size_before: int = 0


@dataclass(slots=True)
class SourceState:
    """A source's files, and the fingerprint of everything else that its rows depend on."""

    spec: SourceSpec
    files: list[FileState]
    context: str = ""
    all_numbers: tuple[int, ...] = ()
    seen: list[str] = field(default_factory=list)

    def changed(self, state: FileState) -> bool:
        """Whether a file has to be read."""
        return not state.content or state.known != f"{state.content}/{self.context}"

    @property
    def to_read(self) -> list[FileState]:
        """The files that have to be read; all of them where the rows of several belong together and one changed."""
        found = [f for f in self.files if self.changed(f)]
        return list(self.files) if found and self.spec.across_files == "join" else found


def look(
    store: Store, sources: Mapping[str, SourceSpec], names: Iterable[str], root: Path, surroundings: object
) -> dict[str, SourceState]:
    """Look at the files of some sources and of those they look up in.

    Args:
        store: the store that knows what was loaded.
        sources: all sources.
        names: those that are wanted.
        root: where relative paths start.
        surroundings: what else rows depend on: zone, currency, rates.

    Raises:
        SourceError: nothing is there.
    """
    states: dict[str, SourceState] = {}
    for wanted in names:
        for one in with_references(sources, wanted):
            if one not in states:
                states[one] = _state(store, sources[one], root)
    for state in states.values():
        state.context = _context(state.spec, states, surroundings)
    return states


def with_references(sources: Mapping[str, SourceSpec], wanted: str) -> list[str]:
    """A source and those that it looks up in, those first."""
    found: list[str] = []
    for lookup in sources[wanted].lookup:
        found += [name for name in with_references(sources, lookup.source) if name not in found]
    return [*found, wanted]


def _state(store: Store, spec: SourceSpec, root: Path) -> SourceState:
    rows = store.rows(
        "SELECT path, no, fingerprint, size, modified FROM files WHERE source = ? ORDER BY no", [spec.name]
    )
    versions: dict[str, list[tuple[int, str, int, int]]] = {}
    for path, number, fingerprint, size, modified in rows:
        versions.setdefault(path, []).append((number, fingerprint, size, modified))
    files = sorted(discover(spec.from_, root, spec.format.type), key=lambda f: _natural(f.path))
    return SourceState(
        spec,
        [_file_state(file, versions.get(file.path, [])) for file in files],
        all_numbers=tuple(number for _, number, *_ in rows),
        seen=sorted(versions),
    )


def _file_state(file: SourceFile, versions: list[tuple[int, str, int, int]]) -> FileState:
    if not versions:
        return FileState(file, file.fingerprint())
    number, known, size, modified = versions[-1]
    untouched = file.stamp and (size, modified) == (file.size, file.modified)
    content = known.partition("/")[0] if untouched else file.fingerprint()
    return FileState(file, content, known, number, tuple(v[0] for v in versions), size)


def _natural(path: str) -> list[tuple[int, str]]:
    """Orders part-10 after part-2."""
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", path) if p]


def _context(spec: SourceSpec, states: Mapping[str, SourceState], surroundings: object) -> str:
    looked_up = [
        [name, [f.content for f in states[name].files], _document(states[name].spec)]
        for name in with_references({s.spec.name: s.spec for s in states.values()}, spec.name)
        if name != spec.name
    ]
    text = json.dumps([REVISION, _document(spec), looked_up, surroundings], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _document(spec: SourceSpec) -> dict[str, object]:
    """What of a source's settings its rows depend on."""
    return {key: value for key, value in asdict(spec).items() if key not in ("quality", "place", "from_")}
