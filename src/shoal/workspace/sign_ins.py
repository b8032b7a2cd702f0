"""Browsers that are signed in, and the links that sign somebody in once. Secrets are kept as hashes.

Instants are of the real clock.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from shoal.clock import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.sql.store import Store

IDLE = 12 * HOUR
"""A browser that asks for nothing for so long is signed out."""
WHOLE = 7 * DAY
"""After so long everybody signs in anew."""
SIGN_IN, INVITATION = "sign in", "invitation"
VALID = {SIGN_IN: HOUR, INVITATION: 7 * DAY}
"""For how long a link of each kind does."""
_NOTED = 5 * MINUTE
"""The store learns so often that a browser is still used."""
_AGENT = 200


@dataclass(frozen=True, slots=True)
class SignIn:
    """A browser that is signed in.

    Args:
        hash: of its secret.
        person: the id of whose it is.
        created: when they signed in.
        used: when it last asked for anything.
        agent: how the browser calls itself.
    """

    hash: str
    person: str
    created: int
    used: int
    agent: str

    def holds(self, now: int) -> bool:
        """Whether it is signed in still."""
        return now < self.used + IDLE and now < self.created + WHOLE


@dataclass(frozen=True, slots=True)
class SignInLink:
    """A link that signs in once.

    Args:
        hash: of its secret.
        person: the id of whom.
        what: ``sign in`` or ``invitation``.
        created: when it was made.
        expires: when it is of no use any more.
    """

    hash: str
    person: str
    what: str
    created: int
    expires: int


class SignIns:
    """Who is signed in where.

    Args:
        store: a connection that nobody else uses meanwhile.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._all: dict[str, SignIn] = {}
        self._kept: dict[str, int] = {}
        """By hash, the ``used`` that the store knows."""
        self.reload()

    def reload(self) -> None:
        """Read them anew."""
        with self._lock:
            rows = self._store.rows("SELECT hash, person, created, used, agent FROM sign_ins")
            self._kept = {row[0]: row[3] for row in rows}
            self._all = {row[0]: SignIn(*row) for row in rows}

    def begin(self, person: str, agent: str, now: int) -> str:
        """Sign a browser in; returns its secret, which isn't kept."""
        secret = secrets.token_urlsafe(32)
        made = SignIn(digest(secret), person, now, now, agent[:_AGENT])
        with self._lock:
            self._drop_old(now)
            self._store.execute(
                "INSERT INTO sign_ins VALUES (?, ?, ?, ?, ?)", [made.hash, person, now, now, made.agent]
            )
            self._all[made.hash], self._kept[made.hash] = made, now
        return secret

    def of(self, secret: str, now: int) -> SignIn | None:
        """The browser that bears a secret, where it is signed in."""
        found = self._all.get(digest(secret))
        if found is None or not found.holds(now):
            return None
        with self._lock:
            if found.hash not in self._all:
                return None
            used = replace(found, used=max(now, found.used))
            self._all[found.hash] = used
            if now - self._kept[found.hash] >= _NOTED:
                self._store.execute("UPDATE sign_ins SET used = ? WHERE hash = ?", [now, found.hash])
                self._kept[found.hash] = now
        return used

    def lasts(self, hashed: str, now: int) -> bool:
        """Whether a browser is signed in still; unlike ``of`` this doesn't count as use."""
        found = self._all.get(hashed)
        return found is not None and found.holds(now)

    def of_person(self, person: str, now: int) -> list[SignIn]:
        """Where somebody is signed in, the newest first."""
        held = [one for one in self._all.values() if one.person == person and one.holds(now)]
        return sorted(held, key=lambda one: -one.created)

    def end(self, hashed: str) -> None:
        """Sign a browser out."""
        with self._lock:
            self._forget([hashed])

    def end_all(self, person: str, but: str | None = None) -> int:
        """Sign somebody out everywhere, or everywhere but in one browser; their links do no more either."""
        with self._lock:
            ended = [one.hash for one in self._all.values() if one.person == person and one.hash != but]
            self._forget(ended)
            self._store.execute("DELETE FROM sign_in_links WHERE person = ?", [person])
        return len(ended)

    def _forget(self, hashes: list[str]) -> None:
        self._store.execute("DELETE FROM sign_ins WHERE hash IN (SELECT unnest(?::VARCHAR[]))", [hashes])
        for one in hashes:
            self._all.pop(one, None)
            self._kept.pop(one, None)

    def _drop_old(self, now: int) -> None:
        self._forget([one.hash for one in self._all.values() if not one.holds(now)])
        self._store.execute("DELETE FROM sign_in_links WHERE expires <= ?", [now])

    # ------------------------------------------------------------ links

    def make_link(self, person: str, what: str, now: int) -> str:
        """Make a link for somebody; returns its secret, which isn't kept. Older ones of the kind do no more."""
        secret = secrets.token_urlsafe(32)
        with self._lock:
            self._store.execute("DELETE FROM sign_in_links WHERE person = ? AND what = ?", [person, what])
            self._store.execute(
                "INSERT INTO sign_in_links VALUES (?, ?, ?, ?, ?)",
                [digest(secret), person, what, now, now + VALID[what]],
            )
        return secret

    def link(self, secret: str, what: str, now: int) -> SignInLink | None:
        """The link of a secret, where it does still."""
        with self._lock:
            return next(self._links("hash = ? AND what = ? AND expires > ?", [digest(secret), what, now]), None)

    def use_link(self, secret: str, what: str, now: int) -> SignInLink | None:
        """Take a link, which does no more then; None where it didn't any more."""
        with self._lock:
            found = next(self._links("hash = ? AND what = ? AND expires > ?", [digest(secret), what, now]), None)
            if found is not None:
                self._store.execute("DELETE FROM sign_in_links WHERE hash = ?", [found.hash])
        return found

    def invitations(self, now: int) -> dict[str, SignInLink]:
        """Invitations that wait, by the id of who was invited."""
        with self._lock:
            return {one.person: one for one in self._links("what = ? AND expires > ?", [INVITATION, now])}

    def _links(self, where: str, values: list[object]) -> Iterator[SignInLink]:
        rows = self._store.rows(f"SELECT hash, person, what, created, expires FROM sign_in_links WHERE {where}", values)
        return (SignInLink(*row) for row in rows)

    def close(self) -> None:
        """Release the connection."""
        self._store.close()


def sign_everybody_out(store: Store) -> None:
    """End all sign-ins and links of a store, as of one that comes from a backup: some were ended since."""
    with store.transaction():
        store.execute("DELETE FROM sign_ins")
        store.execute("DELETE FROM sign_in_links")


def digest(secret: str) -> str:
    """The hash under which a secret is kept: it is random and long, so a quick one does."""
    return hashlib.sha256(secret.encode()).hexdigest()
