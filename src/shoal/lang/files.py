"""Definition files: a segment as YAML, and as one JSON document.

    name: Lapsed VIPs
    why: Win them back before they forget us.
    where: |
      sum(revenue of "Order Completed") > 500
      and not did "Order Completed" in last 60 days
    purpose: newsletter
    owner: crm@example.com
    never: staff
    tags: [retention]

Every fault names the file and the line in it, a fault in ``where`` too.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from shoal.errors import DefinitionError, did_you_mean, nearest
from shoal.lang.document import from_document, to_document
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.parse_values import is_condition
from shoal.lang.show import show
from shoal.lang.slug import hold_slug, slug_of

if TYPE_CHECKING:
    from pathlib import Path

    from shoal.lang.nodes import Condition
    from shoal.lang.schema import Schema
    from shoal.lang.yaml_tree import Entry, Sheet

__all__ = [
    "definition_document", "definition_from_document", "file_text", "read_definition", "slug_of", "write_definition",
]  # fmt: skip

KEYS = ("name", "why", "where", "purpose", "owner", "always", "never", "tags")
"""The keys of a definition file, in the order in which they are written."""

_WIDTH = 96
_TEXTS = ("why", "owner")
_NAMES = ("purpose", "always", "never")
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[ -][A-Za-z0-9_]+)*")
_YAML_WORDS = ("y", "n", "yes", "no", "true", "false", "on", "off", "null")


# ---------------------------------------------------------------- YAML


def file_text(path: Path, place: str) -> str:
    """What a file that defines something holds.

    Args:
        path: of the file.
        place: as messages name it.

    Raises:
        DefinitionError: it can't be read, or isn't UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DefinitionError("The file isn't UTF-8.", place=place, fix="Save it in the encoding UTF-8.") from None
    except OSError as error:
        raise DefinitionError(
            f"It can't be read: {error.strerror}.", place=place, fix="Let the user who runs Shoal read it."
        ) from error


def read_definition(text: str, *, slug: str, place: str) -> Definition:
    """Read a definition file.

    Args:
        text: what the file holds.
        slug: the file's name without its ending.
        place: the file's path, for messages.

    Raises:
        DefinitionError: with the file and the line of the fault.
    """
    from shoal.lang.yaml_tree import Sheet

    hold_slug(slug, place)
    sheet = Sheet(text, place)
    entries = sheet.entries(KEYS)
    for key in ("name", "where"):
        if key not in entries:
            fix = "Add: where: |, and under it the condition, indented." if key == "where" else f"Add: {key}: …"
            raise DefinitionError(f"The definition has no '{key}'.", place=place, fix=fix)
    fields: dict[str, Any] = {"name": sheet.text(entries["name"])}
    if not fields["name"].strip():
        raise sheet.fault("The name is empty.", entries["name"], "Write the name that people should see.")
    fields |= {key: sheet.text(entries[key]) for key in _TEXTS if key in entries}
    # An empty name is no name: the key may stand there to be filled in.
    fields |= {key: sheet.text(entries[key]) or None for key in _NAMES if key in entries}
    if "tags" in entries:
        fields["tags"] = sheet.texts(entries["tags"])
    return Definition(slug=slug, where=_where(sheet, entries["where"]), **fields)


def first_fault(definition: Definition, schema: Schema, text: str, *, place: str) -> DefinitionError:
    """The first thing that is wrong with a definition by the schema, shown at its place in the file.

    Args:
        definition: what was read; it has a fault.
        schema: the names and types there are.
        text: what the file holds.
        place: the file's path.
    """
    from shoal.lang.check import definition_faults
    from shoal.lang.yaml_tree import Sheet

    sheet = Sheet(text, place)
    entries = sheet.entries(KEYS)
    where = entries["where"]
    condition = None if sheet.is_mapping(where) else sheet.text(where)
    error = definition_faults(definition, schema, text=condition)[0]
    if error.key != "where" or condition is None:
        return sheet.fault(error.problem, entries[error.key], error.fix)
    return sheet.moved(error, where, condition)


def _where(sheet: Sheet, entry: Entry) -> Condition:
    """The condition, as text or as a tree; a fault in the text is shown at its place in the file."""
    if sheet.is_mapping(entry):
        try:
            return condition_of(sheet.tree(entry))
        except DefinitionError as error:
            where = f"where.{error.place}: " if error.place and error.text is None else "where: "
            raise sheet.fault(where + error.problem, entry, error.fix) from None
    text = sheet.text(entry)
    try:
        return parse(text)
    except DefinitionError as error:
        raise sheet.moved(error, entry, text) from None


def write_definition(definition: Definition) -> str:
    """A definition as a file; ``read_definition`` reads the same from it."""
    lines = [_entry("name", definition.name)]
    if definition.why:
        lines.append(_block("why", "|-", definition.why) if "\n" in definition.why else _entry("why", definition.why))
    lines.append(_block("where", "|", show(definition.where, width=_WIDTH)))
    for key in ("purpose", "owner", "always", "never"):
        value = getattr(definition, key)
        if value:
            lines.append(_entry(key, value))
    if definition.tags:
        lines.append(f"tags: [{', '.join(map(_scalar, definition.tags))}]")
    return "\n".join(lines) + "\n"


def _scalar(value: str) -> str:
    """A text as a YAML scalar: bare where that reads back as the same text, else in double quotes."""
    if _BARE.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    return "".join(map(_escaped, json.dumps(value, ensure_ascii=False)))


def _escaped(character: str) -> str:
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _entry(key: str, value: str) -> str:
    return f"{key}: {_scalar(value)}"


def _block(key: str, style: str, text: str) -> str:
    """A text of several lines as it is, indented, if YAML reads back every character of it."""
    lines = text.split("\n")
    if not all(line.isprintable() for line in lines) or text != text.strip():
        return _entry(key, text)
    return f"{key}: {style}\n" + "\n".join(f"  {line}" if line else "" for line in lines)


# ---------------------------------------------------------------- JSON


def definition_document(definition: Definition) -> dict[str, Any]:
    """The JSON form of a definition: its fields, ``where`` as a tree. Empty fields are left out."""
    fields = {key: getattr(definition, key) for key in KEYS if key != "where"}
    document: dict[str, Any] = {"slug": definition.slug}
    document |= {
        key: list(value) if key == "tags" else value for key, value in fields.items() if value or key == "name"
    }
    document["where"] = to_document(definition.where)
    return document


def definition_from_document(document: object) -> Definition:
    """The definition of a JSON form; ``where`` may be a tree or a text.

    Raises:
        DefinitionError: where the form isn't a definition.
    """
    if not isinstance(document, dict):
        raise DefinitionError("A definition is an object with 'slug', 'name' and 'where'.")
    for key in document:
        if key not in (*KEYS, "slug"):
            raise DefinitionError(f"A definition has no {key!r}.", fix=did_you_mean(nearest(str(key), KEYS)))
    fields = {key: _text_field(document, key) for key in ("slug", "name")}
    hold_slug(fields["slug"])
    if not fields["name"].strip():
        raise DefinitionError("The name is empty.", place="name", fix="Write the name that people should see.")
    optional = {key: _text_field(document, key) for key in (*_TEXTS, *_NAMES) if document.get(key) not in (None, "")}
    return Definition(**fields, **optional, where=_where_field(document), tags=_tags(document.get("tags")))


def _text_field(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise DefinitionError(f"'{key}' must be a text.", place=key, fix=f'Write "{key}": "…".')
    return value


def _where_field(document: dict[str, Any]) -> Condition:
    where = document.get("where")
    if isinstance(where, str):
        return parse(where)
    try:
        return condition_of(where)
    except DefinitionError as error:
        if error.place is not None:
            error.place = f"where.{error.place}"
        raise


def _tags(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(tag, str) for tag in value):
        raise DefinitionError("'tags' must be a list of texts.", place="tags", fix='Write "tags": ["…"].')
    return tuple(value)


def condition_of(document: object) -> Condition:
    """The condition of a JSON tree, held to be one that the language can say.

    The tree's types allow more than the grammar does (an ``and`` of one part, a window of no event). What the printer
    writes of it has to read back as the same tree.

    Raises:
        DefinitionError: if the form isn't a tree, or the tree isn't a condition of the language.
    """
    node = from_document(document)
    if not is_condition(node):
        raise DefinitionError(f"A {node.kind!r} is not a condition.", fix="Compare it, as an object of node 'compare'.")
    return _held(node)


def _held(node: Condition) -> Condition:
    text = show(node)
    try:
        read = parse(text)
    except DefinitionError as error:
        raise DefinitionError(
            f"This tree says nothing in the language. {error.problem}",
            start=error.start,
            end=error.end,
            text=error.text,
            fix=error.fix,
        ) from None
    if read != node:
        raise DefinitionError(
            "This tree has a form that the language doesn't have.", fix=f"In the language it would read: {text}"
        )
    return node
