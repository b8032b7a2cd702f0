"""Every error that Shoal raises on purpose.

    ShoalError
    ├── DefinitionError      a segment (or other text in the language) that can't be accepted
    ├── ConfigError          shoal.yaml or another workspace file that can't be accepted
    ├── SourceError          a file, table or connection that can't be read
    ├── QualityStop          data quality below a threshold that says "stop"
    ├── StoreError           the store: locked, of another version, damaged, full
    │   ├── StoreLocked      another process owns the workspace
    │   └── StatementError   the database refuses a statement
    ├── UnknownName          a segment, customer, purpose or file that isn't there
    ├── MailError            a mail that wasn't taken
    │   ├── MailDeferred     … now: a later try may do
    │   └── MailRefused      … at all: another try would be refused again
    ├── PurposeError         members may not be handed out for this purpose
    ├── Refused              a figure, model or search that this data doesn't bear
    └── Unsupported          an engine says by name that it can't do this

An error is one paragraph: what is wrong, where, and how to mend it. ``place`` is a file and line, or a position in a
definition; ``fix`` is what the reader can do.
"""

from __future__ import annotations

import errno
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class ShoalError(Exception):
    """The root of all errors raised on purpose.

    Args:
        problem: what is wrong, one sentence.
        place: where it is: a file with its line, or a place in a definition.
        fix: what the reader can do about it.
    """

    exit_code = 1

    def __init__(self, problem: str, *, place: str | None = None, fix: str | None = None) -> None:
        self.problem = problem
        self.place = place
        self.fix = fix
        super().__init__(problem, place, fix)

    def __str__(self) -> str:
        head = f"{self.place}: {self.problem}" if self.place else self.problem
        return f"{head} {self.fix}" if self.fix else head


class DefinitionError(ShoalError):
    """A text in the segment language that can't be accepted.

    Args:
        problem: what is wrong.
        start: where in ``text`` the fault begins (0-based), if known.
        end: where it ends.
        text: the definition that was read.
        place: the file, if it came from one.
        fix: what to write instead.
        key: the key of a definition file whose value is at fault; by default the condition's.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        start: int | None = None,
        end: int | None = None,
        text: str | None = None,
        place: str | None = None,
        fix: str | None = None,
        key: str = "where",
    ) -> None:
        super().__init__(problem, place=place, fix=fix)
        self.start = start
        self.end = end
        self.text = text
        self.key = key

    def line_and_column(self) -> tuple[int, int] | None:
        """Where the fault begins, both counted from 1."""
        if self.start is None or self.text is None:
            return None
        before = self.text[: self.start]
        return before.count("\n") + 1, self.start - (before.rfind("\n") + 1) + 1

    def __str__(self) -> str:
        sentence = super().__str__()
        spot = self.line_and_column()
        if spot is None or self.text is None or self.start is None:
            return sentence
        line, column = spot
        width = max(1, min((self.end or self.start + 1) - self.start, 60))
        shown = self.text.split("\n")[line - 1]
        return f"{sentence}\n  {shown}\n  {' ' * (column - 1)}{'^' * width} line {line}, column {column}"


class ConfigError(ShoalError):
    """``shoal.yaml`` or another file of the workspace can't be accepted."""

    exit_code = 2


class SourceError(ShoalError):
    """A file, table or connection that can't be read."""

    exit_code = 3


class QualityStop(ShoalError):
    """Data quality fell below a threshold that says ``stop``; nothing was loaded."""

    exit_code = 4


class StoreError(ShoalError):
    """The store is of another version, damaged, or has no room."""

    exit_code = 5


class StoreLocked(StoreError):
    """Another process owns the workspace."""


class StatementError(StoreError):
    """The database refuses a statement; ``reason`` is what it says, without a stop at the end."""

    def __init__(self, reason: str, *, place: str | None = None) -> None:
        self.reason = reason
        super().__init__(f"The database refused a statement: {reason}.", place=place)


class UnknownName(ShoalError):
    """A name that isn't there; the message offers the nearest ones.

    Args:
        kind: what was looked for, as ``segment``.
        name: the name that was given.
        known: the names there are.
        place: where the name stands.
        otherwise: what to do where no name is near.
    """

    exit_code = 2

    def __init__(
        self, kind: str, name: str, known: Iterable[str] = (), *, place: str | None = None, otherwise: str | None = None
    ) -> None:
        self.kind = kind
        self.name = name
        near = nearest(name, known)
        super().__init__(f"There is no {kind} {name!r}.", place=place, fix=did_you_mean(near) or otherwise)


class PurposeError(ShoalError):
    """Members may not be handed out for the segment's purpose."""

    exit_code = 6


class MailError(ShoalError):
    """A mail that wasn't taken.

    Args:
        problem: what is wrong; it names no recipient.
        everyone: whether the next mail would meet the same, whoever it is for.
    """

    def __init__(
        self, problem: str, *, everyone: bool = False, place: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(problem, place=place, fix=fix)
        self.everyone = everyone


class MailDeferred(MailError):
    """The mail wasn't taken now; the same mail may be tried again later."""


class MailRefused(MailError):
    """The mail isn't taken, and another try would be refused again."""


class Refused(ShoalError):
    """A figure, a model or a search that can't be had of this data, or not in this way: it says what is missing.

    Nothing was computed or written.
    """

    exit_code = 2


class Unsupported(ShoalError):
    """An engine or format that says by name what it can't do."""

    exit_code = 2


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def unwritten(error: OSError, place: Path | str | None = None) -> StoreError:
    """The error for a file that couldn't be written or read, said as one paragraph."""
    where = place or error.filename
    at = None if where is None else str(where)
    if error.errno in _NO_ROOM:
        return StoreError("The disk is full.", place=at, fix="Free disk space and try again.")
    problem = f"{error.strerror or error}."
    return StoreError(problem, place=at, fix="Check the path, and who may read and write there.")


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names closest to ``name``, best first."""
    by_folded, folded = {k.casefold(): k for k in known}, name.casefold()
    near = get_close_matches(folded, by_folded, n=most, cutoff=0.6)
    # A part of a name is far from it by letters: "rfm" for "rfm-grid".
    near = near or [k for k in by_folded if len(folded) >= _PART and k.startswith(folded)][:most]
    return [by_folded[k] for k in near]


_PART = 2


def did_you_mean(near: list[str]) -> str | None:
    """``Did you mean "a" or "b"?``, or None where nothing is near."""
    if not near:
        return None
    return "Did you mean " + " or ".join(f'"{n}"' for n in near) + "?"
