"""The definition files of a workspace: ``segments/*.yaml``. Files are the truth; the store keeps every version.

A save is: check, compare the file's hash with the one the change was based on, write beside and rename, then a new
version in the store. A file that can't be accepted keeps its last good version in force, and its fault is shown.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from shoal.errors import DefinitionError, ShoalError, UnknownName, unwritten
from shoal.lang.check import check_definition
from shoal.lang.files import (
    definition_document,
    definition_from_document,
    first_fault,
    read_definition,
    write_definition,
)
from shoal.lang.references import references

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from shoal.lang.nodes import Definition
    from shoal.lang.schema import Schema
    from shoal.sql.store import Store

KIND = "segment"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The definitions in force and the faults of those files that can't be accepted.

    Args:
        definitions: by slug, in the order of their files' names.
        faults: by slug; a slug may be in both, when an older version stays in force.
        hashes: of the files as they were read.
    """

    definitions: Mapping[str, Definition]
    faults: Mapping[str, ShoalError] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Definition:
        """The segment of a slug or display name.

        Raises:
            UnknownName: if there is none.
            DefinitionError: if several bear the name.
        """
        if name in self.definitions:
            return self.definitions[name]
        found = [d for d in self.definitions.values() if d.name == name]
        found = found or [d for d in self.definitions.values() if d.name.casefold() == name.casefold()]
        if len(found) == 1:
            return found[0]
        if found:
            raise DefinitionError(
                f"Several segments are called {name!r}: {', '.join(d.slug for d in found)}.", fix="Use the slug."
            )
        if name in self.faults:
            raise self.faults[name]
        known = [*self.definitions, *(d.name for d in self.definitions.values())]
        raise UnknownName("segment", name, known)


def folder_of(root: Path) -> Path:
    """Where a workspace keeps its segments."""
    return root / "segments"


def path_of(root: Path, slug: str) -> Path:
    """The file of a segment."""
    return folder_of(root) / f"{slug}.yaml"


def read_catalogue(root: Path, schema: Schema, last_good: Mapping[str, Definition] | None = None) -> Catalogue:
    """Read and check all definition files against the schema.

    Args:
        root: the workspace's folder.
        schema: what the definitions may name; its ``segments`` are replaced by what is read.
        last_good: versions that stay in force for files that can't be accepted now.
    """
    read: dict[str, Definition] = {}
    faults: dict[str, ShoalError] = {}
    texts: dict[str, str] = {}
    hashes: dict[str, str] = {}
    for path in sorted(folder_of(root).glob("*.yaml")):
        slug, place = path.stem, str(path.relative_to(root))
        try:
            held = _held(path, place)
            if held is None:
                continue
            hashes[slug] = _hash(held)
            texts[slug] = _decoded(held, place)
            read[slug] = read_definition(texts[slug], slug=slug, place=place)
        except ShoalError as error:
            faults[slug] = error
    return _checked(Catalogue(read, faults, hashes), schema, last_good or {}, root, texts)


def _held(path: Path, place: str) -> bytes | None:
    """What a file holds; None where it has gone meanwhile, or is a link to nothing, as editors make to lock a file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DefinitionError(
            f"It can't be read: {error.strerror}.", place=place, fix="Let the user who runs Shoal read it."
        ) from error


def _decoded(held: bytes, place: str) -> str:
    try:
        return held.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = held.count(b"\n", 0, error.start) + 1
        raise DefinitionError(
            "The line isn't UTF-8.", place=f"{place}:{line}", fix="Save the file in the encoding UTF-8."
        ) from None


def _checked(
    found: Catalogue, schema: Schema, last_good: Mapping[str, Definition], root: Path, texts: Mapping[str, str]
) -> Catalogue:
    """Go back to the last good version of what doesn't pass the check, else drop it, until all that is left passes.

    One may name another. So only where no changed file is left to go back on is anything dropped: what fails because
    another file was changed, as in a circle, is sound again without that change.
    """
    definitions, faults = dict(found.definitions), dict(found.faults)
    definitions |= {slug: last_good[slug] for slug in faults if slug in last_good}
    while failing := _failing(definitions, schema):
        full = replace(schema, segments=dict(definitions))
        changed = [s for s in failing if s in last_good and not _same(definitions[s], last_good[s])]
        for slug in changed or failing:
            definition, place = definitions[slug], str(path_of(root, slug).relative_to(root))
            broken = sorted(references(definition.where).segments & (faults.keys() - definitions.keys()))
            if slug not in faults:
                faults[slug] = (
                    _follows(broken[0], place) if broken else first_fault(definition, full, texts[slug], place=place)
                )
            if changed:
                definitions[slug] = last_good[slug]
            else:
                del definitions[slug]
    return Catalogue(definitions, faults, found.hashes)


def _failing(definitions: Mapping[str, Definition], schema: Schema) -> list[str]:
    full = replace(schema, segments=definitions)
    return [slug for slug, definition in definitions.items() if not _passes(definition, full)]


def _passes(definition: Definition, schema: Schema) -> bool:
    try:
        check_definition(definition, schema)
    except DefinitionError:
        return False
    return True


def _same(one: Definition, other: Definition) -> bool:
    """Whether two say the same, however they are laid out and commented."""
    return definition_document(one) == definition_document(other)


def _follows(slug: str, place: str | None) -> DefinitionError:
    """The fault of a definition that names another one with a fault."""
    return DefinitionError(
        f'It names the segment "{slug}", which isn\'t accepted itself.', place=place, fix="Mend that one first."
    )


def save(root: Path, definition: Definition, schema: Schema, *, base: str | None, new: bool = False) -> Path:
    """Check a definition and write its file whole or not at all.

    Args:
        root: the workspace's folder.
        definition: what to save.
        schema: what it may name, ``segments`` included.
        base: hash of the file that the change was made on; None skips the comparison.
        new: refuse if there is a file of this slug already.

    Raises:
        DefinitionError: if it isn't accepted, exists already, or the file has changed meanwhile.
    """
    path = path_of(root, definition.slug)
    place = str(path.relative_to(root))
    if path.exists():
        if new:
            raise DefinitionError(
                f"There is a segment {definition.slug!r} already.",
                place=place,
                fix=f"Change it with: shoal segment edit {definition.slug} …, or choose another name.",
            )
        if base is not None and _hash(path.read_bytes()) != base:
            raise DefinitionError(
                "The file has changed since it was read.", place=place, fix="Look at it and try again."
            )
    others = {**schema.segments, definition.slug: definition}
    check_definition(definition, replace(schema, segments=others), place=place)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, write_definition(definition))
    return path


def remove(root: Path, slug: str, segments: Mapping[str, Definition]) -> None:
    """Delete a segment's file, unless another segment names it.

    Raises:
        DefinitionError: if another segment names it.
    """
    users = dependents(slug, segments)
    if users:
        raise DefinitionError(f"{slug!r} is used by {', '.join(users)}.", fix="Change or remove those first.")
    path_of(root, slug).unlink()


def dependents(slug: str, segments: Mapping[str, Definition]) -> list[str]:
    """The slugs of segments that name this one."""
    return sorted(s for s, d in segments.items() if s != slug and slug in references(d.where).segments)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file beside its place, flush it to disk, and rename it there.

    Raises:
        StoreError: it can't be written; what stood there before stands there still.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        beside.replace(path)
    except OSError as error:
        raise unwritten(error, path) from error
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def kept_or_put_back(path: Path) -> Iterator[None]:
    """Whatever ends what is done inside, a file then stands as it stood before, or isn't there as before.

    Raises:
        StoreError: there is no room to remember it; nothing was begun.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.before")
    there = path.exists()
    try:
        if there:
            shutil.copy2(path, beside)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise unwritten(error, path) from error
    try:
        yield
    except BaseException:
        if there:
            beside.replace(path)
        else:
            path.unlink(missing_ok=True)
        raise
    finally:
        beside.unlink(missing_ok=True)


def _hash(held: bytes) -> str:
    return hashlib.sha256(held).hexdigest()


def record(store: Store, catalogue: Catalogue, received: int) -> list[str]:
    """Append a version to the store for each definition that is new, changed or gone; returns their slugs."""
    known = _newest(store)
    changed: list[str] = []
    for slug, definition in catalogue.definitions.items():
        document = json.dumps(definition_document(definition), ensure_ascii=False, sort_keys=True)
        digest = _hash(document.encode())
        version, last, removed = known.get(slug, (0, "", False))
        if digest != last or removed:
            changed.append(slug)
            _append(store, slug, version + 1, document, digest, received, removed=False)
    for slug, (version, last, removed) in known.items():
        if not removed and slug not in catalogue.definitions and slug not in catalogue.faults:
            changed.append(slug)
            _append(store, slug, version + 1, "null", last, received, removed=True)
    return changed


def _newest(store: Store) -> dict[str, tuple[int, str, bool]]:
    rows = store.rows(
        "SELECT slug, max(version), arg_max(hash, version), arg_max(removed, version) FROM definitions "
        "WHERE kind = ? GROUP BY slug",
        [KIND],
    )
    return {slug: (version, digest, removed) for slug, version, digest, removed in rows}


def _append(store: Store, slug: str, version: int, document: str, digest: str, received: int, *, removed: bool) -> None:
    store.execute(
        "INSERT INTO definitions VALUES (?, ?, ?, ?, ?, ?, ?)",
        [KIND, slug, version, document, digest, received, removed],
    )


def known_at(store: Store, instant: int | None = None) -> dict[str, Definition]:
    """The definitions in force at an instant, as they were then; None is the newest."""
    rows = store.rows(
        "SELECT slug, arg_max(document, version), arg_max(removed, version) FROM definitions "
        "WHERE kind = ? AND (? IS NULL OR received <= ?) GROUP BY slug ORDER BY slug",
        [KIND, instant, instant],
    )
    return {slug: definition_from_document(json.loads(text)) for slug, text, removed in rows if not removed}
