"""What a call changed in the graph of identifiers, each change with its reason in plain words, for the merge log.

Reasons name kinds and numbers, never a value: a reason can be shown, and a log line can be kept, without personal data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias


@dataclass(frozen=True, slots=True)
class Linked:
    """An identifier belongs to a customer from now on. ``founding``: the customer was made for it."""

    kind: str
    value: str
    customer: str
    because: str
    ts: int
    received: int
    founding: bool = False


@dataclass(frozen=True, slots=True)
class Repointed:
    """An identifier belongs to ``customer`` from now on; what came with it before stays with ``before``."""

    kind: str
    value: str
    before: str
    customer: str
    because: str
    ts: int
    received: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """A value turned out to be shared by many; it says nothing of anybody from now on."""

    kind: str
    value: str
    before: str
    because: str
    ts: int
    received: int


@dataclass(frozen=True, slots=True)
class Merged:
    """Two customers are one: ``gone`` joins ``kept``."""

    kept: str
    gone: str
    because: str
    ts: int
    received: int


@dataclass(frozen=True, slots=True)
class Separated:
    """A merge was taken back; evidence doesn't bring these two together again, only ``alias`` or ``merge`` does."""

    kept: str
    gone: str
    because: str
    ts: int
    received: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """A rule kept an identifier from ``customer``; ``other`` bears it, None where nobody does. Told once."""

    kind: str
    value: str
    customer: str
    other: str | None
    because: str
    ts: int
    received: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """A value that identifies nobody; it is counted, not kept."""

    kind: str
    value: str
    because: str


Change: TypeAlias = Linked | Repointed | SetAside | Merged | Separated | Conflict | Ignored


class Resolution(NamedTuple):
    """Whose call it is.

    Args:
        customer: the id of the customer, None where no identifier is usable.
        changes: what the call changed, in order.
        new: whether the customer was made for this call.
    """

    customer: str | None
    changes: tuple[Change, ...] = ()
    new: bool = False


class Forgotten(NamedTuple):
    """What ``forget`` removed: the ids of the customer and of all merged into them, and their identifiers."""

    customers: tuple[str, ...]
    values: tuple[tuple[str, str], ...]
