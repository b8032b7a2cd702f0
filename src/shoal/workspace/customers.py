"""Single customers of a workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.clock import from_instant
from shoal.customers import lists as kept
from shoal.customers.identity import key_of
from shoal.customers.profiles import Profile, profile
from shoal.insight.history import of_customer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace


@dataclass(frozen=True, slots=True)
class Membership:
    """A segment that a customer is in, and until when if nothing more is received (None: no end in sight)."""

    segment: str
    name: str
    until: int | None
    unless_rescored: bool

    @property
    def until_at(self) -> datetime | None:
        """``until`` as an aware datetime in UTC."""
        return None if self.until is None else from_instant(self.until)


class Customers:
    """Profiles of an open workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def __len__(self) -> int:
        (count,) = self._ws.store.rows("SELECT count(*) FROM customers")[0]
        return int(count)

    def __repr__(self) -> str:
        return f"Customers({len(self):,})"

    def profile(self, customer: str, *, as_of: When = None, newest: int = 20) -> Profile:
        """All that is known of a customer.

        Raises:
            UnknownName: if there is no such customer; the message offers near ids.
        """
        return profile(self._ws.store, key_of(self._ws.store, customer), self._ws.instant(as_of), newest=newest)

    def memberships(self, customer: str, *, as_of: When = None) -> list[Membership]:
        """The segments that a customer is in, each with its end; not those of ``segments.unscored``."""
        ws, key, at = self._ws, key_of(self._ws.store, customer), self._ws.instant(as_of)
        unknown = ws.segments.unscored(as_of=at)
        found = []
        for definition in ws.definitions.values():
            if definition.slug in unknown:
                continue
            reason = ws.engine.why(definition, key, at)
            if reason.truth:
                found.append(Membership(definition.slug, definition.name, reason.until, reason.unless_rescored))
        return found

    def history(self, customer: str) -> list[tuple[str, str, int, str]]:
        """The published changes of a customer: (segment, entered or left, instant, because)."""
        return of_customer(self._ws.store, key_of(self._ws.store, customer))


class Lists:
    """Hand-kept lists of an open workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def __repr__(self) -> str:
        return f"Lists({', '.join(self.sizes()) or 'none yet'})"

    def sizes(self) -> dict[str, int]:
        """How many customers are on each list."""
        return kept.sizes(self._ws.store)

    def members(self, name: str) -> list[str]:
        """The ids on a list.

        Raises:
            UnknownName: if there is no such list.
        """
        return kept.members(self._ws.store, name)

    def add(self, name: str, ids: Sequence[str]) -> int:
        """Put customers on a list, which is made where it is missing; returns how many weren't on it.

        Raises:
            UnknownName: if a customer isn't known; nothing is changed then.
        """
        return self._change(name, ids, added=True)

    def remove(self, name: str, ids: Sequence[str]) -> int:
        """Take customers off a list; returns how many were on it.

        Raises:
            UnknownName: if the list or a customer isn't known; nothing is changed then.
        """
        return self._change(name, ids, added=False)

    def _change(self, name: str, ids: Sequence[str], *, added: bool) -> int:
        with self._ws.changing():
            changed = kept.change(self._ws.store, name, ids, added=added, now=self._ws.now())
            self._ws.follow(f"list {name}")
        return changed
