"""A YAML mapping whose every value knows its place in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from shoal.errors import DefinitionError, did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

Entry: TypeAlias = yaml.Node
"""A value with its place."""

_TAG = "tag:yaml.org,2002:"
# Numbers and dates in a tree's literals are kept as they are written, so that no digit is lost.
_AS_WRITTEN = ("value", "percent", "radius", "latitude", "longitude", "low", "high")


class _Loader(yaml.SafeLoader):
    """Composes nodes only. Anchors are refused: a definition has no use for them, and they can grow without bound."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "anchors and aliases (& and *) are not read", mark)
        return super().compose_node(parent, index)


class Sheet:
    """One YAML file that holds a mapping.

    Raises:
        DefinitionError: if it isn't YAML or no mapping.
    """

    def __init__(self, text: str, place: str) -> None:
        self.source = text
        self.place = place
        self.root = self._composed()

    def _composed(self) -> yaml.MappingNode:
        try:
            loader = _Loader(self.source)
            root = loader.get_single_node()
        except yaml.MarkedYAMLError as error:
            raise self._broken(error) from None
        except yaml.reader.ReaderError as error:
            raise self._at(
                f"A definition file can't hold U+{_code(error):04X}.", error.position, "Delete it."
            ) from None
        except RecursionError:
            raise DefinitionError(
                "The file is nested too deep.", place=self.place, fix="Write where as text."
            ) from None
        if not isinstance(root, yaml.MappingNode):
            raise DefinitionError("The file holds no 'key: value' lines.", place=self.place, fix="Begin with name: …")
        return root

    def _broken(self, error: yaml.MarkedYAMLError) -> DefinitionError:
        mark = error.problem_mark or error.context_mark
        problem = f"This is not YAML: {error.problem or error.context}."
        return self._at(problem, mark.index if mark else 0, _advice(self.source, mark.index if mark else 0))

    # ------------------------------------------------------------ faults

    def _at(self, problem: str, start: int, fix: str | None = None, end: int | None = None) -> DefinitionError:
        # The mark may lie on the line after the last.
        start = min(start, max(len(self.source) - 1, 0))
        line = self.source.count("\n", 0, start) + 1
        stop = min(end if end is not None else start + 1, _line_end(self.source, start))
        place = f"{self.place}:{line}"
        return DefinitionError(problem, start=start, end=max(stop, start + 1), text=self.source, place=place, fix=fix)

    def fault(self, problem: str, entry: Entry, fix: str | None = None) -> DefinitionError:
        """A fault at an entry."""
        return self._at(problem, entry.start_mark.index, fix, entry.end_mark.index)

    def moved(self, error: DefinitionError, entry: Entry, text: str) -> DefinitionError:
        """A fault in a text that an entry holds, shown at its place in the file."""
        start = self._offset(entry, text, error.start)
        if start is None:
            return self.fault(error.problem, entry, error.fix)
        length = max((error.end or 0) - (error.start or 0), 1)
        return self._at(error.problem, start, error.fix, start + length)

    def _offset(self, entry: Entry, text: str, start: int | None) -> int | None:
        """Where a character of an entry's text stands in the file, if it stands there as it is."""
        if start is None or not isinstance(entry, yaml.ScalarNode):
            return None
        if entry.style in ("|", ">"):
            return self._block_offset(entry, text, start)
        first = entry.start_mark.index + (1 if entry.style in ("'", '"') else 0)
        return first + start if self.source.startswith(text, first) else None

    def _block_offset(self, entry: yaml.ScalarNode, text: str, start: int) -> int | None:
        row, column = text.count("\n", 0, start), start - (text.rfind("\n", 0, start) + 1)
        wanted = text.split("\n")
        lines = self.source.splitlines(keepends=True)
        first = entry.start_mark.line + 1
        if row >= len(wanted) - 1 and not wanted[row]:
            # The end of the text: after the last character of its last line.
            rows = [i for i in range(row) if wanted[i]]
            row, column = (rows[-1], len(wanted[rows[-1]])) if rows else (0, 0)
        line = lines[first + row].rstrip("\r\n") if first + row < len(lines) else ""
        if not line.endswith(wanted[row]):
            return None
        indent = len(line) - len(wanted[row])
        return sum(map(len, lines[: first + row])) + indent + column

    # ------------------------------------------------------------ reading

    def entries(self, known: Iterable[str] | None, of: Entry | None = None) -> dict[str, Entry]:
        """The entries by key.

        Args:
            known: the keys that may stand there; None is any.
            of: the mapping whose entries are wanted; the file's own by default.

        Raises:
            DefinitionError: where there is no mapping, at an unknown key, with the nearest known one, and at a key that stands
                twice.
        """
        mapping = self.root if of is None else of
        if not isinstance(mapping, yaml.MappingNode):
            raise self.fault("Expected 'key: value' here.", mapping, "Write {key: value}, or one a line, indented.")
        known = None if known is None else list(known)
        found: dict[str, Entry] = {}
        for key, value in mapping.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if known is not None and name not in known:
                fix = did_you_mean(nearest(name, known)) or f"The keys are {', '.join(known)}."
                raise self.fault(f"A definition has no key {name!r}.", key, fix)
            if name in found:
                raise self.fault(f"The key '{name}' stands twice.", key, "Keep one of them.")
            found[name] = value
        return found

    def is_null(self, entry: Entry) -> bool:
        """Whether nothing stands there."""
        return str(entry.tag) == f"{_TAG}null"

    def is_mapping(self, entry: Entry) -> bool:
        """Whether it holds a mapping."""
        return isinstance(entry, yaml.MappingNode)

    def text(self, entry: Entry) -> str:
        """A text; nothing at all is the empty text.

        Raises:
            DefinitionError: if it is a number, yes or no, a date or a list.
        """
        if self.is_null(entry):
            return ""
        if isinstance(entry, yaml.ScalarNode) and entry.tag == f"{_TAG}str":
            return str(entry.value)
        if isinstance(entry, yaml.ScalarNode):
            raise self.fault("Expected a text here.", entry, f'Put it in quotes: "{entry.value}".')
        raise self.fault("Expected a text here, not a list or a mapping.", entry, "Write one text.")

    def texts(self, entry: Entry) -> tuple[str, ...]:
        """A list of texts; nothing at all is the empty list.

        Raises:
            DefinitionError: if it is something else.
        """
        if self.is_null(entry):
            return ()
        if not isinstance(entry, yaml.SequenceNode):
            raise self.fault("Expected a list here.", entry, "Write [one, two], or one a line after a hyphen.")
        return tuple(self.text(item) for item in entry.value)

    def tree(self, entry: Entry) -> Any:
        """Everything below an entry as plain Python objects, as JSON would give them.

        Raises:
            DefinitionError: at a key that stands twice.
        """
        if isinstance(entry, yaml.MappingNode):
            found: dict[str, Any] = {}
            for key, value in entry.value:
                name = str(key.value)
                if name in found:
                    raise self.fault(f"The key '{name}' stands twice.", key, "Keep one of them.")
                found[name] = self._written(value) if name in _AS_WRITTEN else self.tree(value)
            return found
        if isinstance(entry, yaml.SequenceNode):
            return [self.tree(item) for item in entry.value]
        return self._plain(entry)

    def _written(self, entry: Entry) -> Any:
        kept = isinstance(entry, yaml.ScalarNode) and entry.tag in {_TAG + t for t in ("int", "float", "timestamp")}
        return str(entry.value) if kept else self.tree(entry)

    def _plain(self, entry: Entry) -> Any:
        if entry.tag == f"{_TAG}bool":
            return entry.value.lower() in ("yes", "true", "on")
        if entry.tag == f"{_TAG}null":
            return None
        if entry.tag == f"{_TAG}int" and entry.value.isdecimal() and len(entry.value) < 30:
            return int(entry.value)
        return str(entry.value)


def _code(error: yaml.reader.ReaderError) -> int:
    return ord(error.character) if isinstance(error.character, str) else int(error.character)


def _line_end(source: str, start: int) -> int:
    end = source.find("\n", start)
    return len(source) if end < 0 else end


def _advice(source: str, at: int) -> str:
    """What is most often wrong with the line."""
    line = source[source.rfind("\n", 0, at) + 1 : _line_end(source, at)]
    if "\t" in line:
        return "Indent with spaces, not with a tab."
    if line.lstrip().startswith("where:") or "where: " in source:
        return "Write 'where: |' and the condition below it, indented by two spaces."
    return "Write 'key: value', with a space after the colon; put a text with a colon or a quote in quotes."
