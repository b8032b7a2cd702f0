"""Those who work with a workspace: who they are, what they may, their passwords. What customers are is elsewhere.

A password is kept as an argon2id hash and never told, logged or sent. Instants are of the real clock.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from functools import cache
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING

from shoal.errors import ConfigError, UnknownName, did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from argon2 import PasswordHasher

    from shoal.sql.store import Store

VIEWER, EDITOR, ADMIN, OFFICER = "viewer", "editor", "admin", "privacy officer"
ROLES: Mapping[str, str] = {
    VIEWER: "Sees everything but personal data.",
    EDITOR: "Makes and changes segments, dashboards and experiments; sees no personal data.",
    ADMIN: "May do everything, and says who may do what.",
    OFFICER: "Sees personal data, erases and exports persons; changes no segments.",
}
"""Each role, and what it is for."""
RIGHTS = ("view", "edit", "admin", "privacy")
_MAY: Mapping[str, frozenset[str]] = {
    VIEWER: frozenset({"view"}),
    EDITOR: frozenset({"view", "edit"}),
    ADMIN: frozenset(RIGHTS),
    OFFICER: frozenset({"view", "privacy"}),
}
LEAST, MOST = 12, 200
"""Letters of a password."""
_ADDRESS = re.compile(r"[^\s@<>,;:\"()]{1,64}@[^\s@<>,;:\"()]{1,190}\.[^\s@<>,;:\"().]{2,60}")
_AT_ONCE = 1
"""So many passwords are hashed at a time: each takes memory, and a core from those who take calls."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works with the workspace.

    Args:
        id: that nobody else gets.
        name: as the others see it.
        address: the e-mail address that they sign in with; empty until they gave one.
        role: one of ``ROLES``.
        created: when they were let in.
        removed: since when they aren't any more.
        chosen: whether they have a password.
    """

    id: str
    name: str
    address: str
    role: str
    created: int
    removed: int | None = None
    chosen: bool = False

    def may(self, right: str) -> bool:
        """Whether their role covers one of ``RIGHTS``."""
        return right in _MAY[self.role]

    @property
    def sees_personal(self) -> bool:
        """Whether personal data of customers is shown to them as it is."""
        return self.may("privacy")


class People:
    """The people of a workspace, held in memory, so that each request is answered without the store.

    Args:
        store: a connection that nobody else uses meanwhile.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._hashing = BoundedSemaphore(_AT_ONCE)
        self._all: dict[str, Person] = {}
        self._hashes: dict[str, str] = {}
        self._read()

    def reload(self) -> None:
        """Read them anew."""
        with self._lock:
            self._read()

    def _read(self) -> None:
        rows = self._store.rows(
            "SELECT id, name, coalesce(mailed, ''), role, created, removed, password NOT NULL FROM people "
            "ORDER BY created, id"
        )
        kept = self._store.rows("SELECT id, password FROM people WHERE password NOT NULL")
        self._hashes = dict(kept)
        self._all = {row[0]: Person(*row) for row in rows}

    def _changed(self) -> None:
        """Called whenever the store was changed."""
        self._read()

    def __iter__(self) -> Iterator[Person]:
        """Those in force, the oldest first."""
        return (one for one in self._all.values() if one.removed is None)

    def everybody(self) -> list[Person]:
        """Those who were removed as well."""
        return list(self._all.values())

    def get(self, person: str) -> Person | None:
        """The one of an id, those who were removed included."""
        return self._all.get(person)

    def of(self, address: str) -> Person | None:
        """Who signs in with an address."""
        wanted = address.strip().lower()
        return next((one for one in self if wanted and one.address == wanted), None)

    def find(self, told: str) -> Person:
        """Who is meant by an id, an address or a name.

        Raises:
            UnknownName: nobody in force.
        """
        found = [one for one in self if told in (one.id, one.name) or one.address == told.strip().lower()]
        if len(found) != 1:
            raise UnknownName("person", told, [one.address or one.id for one in self])
        return found[0]

    # ------------------------------------------------------------ changing

    def add(self, name: str, address: str, role: str, now: int) -> Person:
        """Let somebody in; they choose a password by a link.

        Raises:
            ConfigError: for a name, address or role that can't be, or an address that somebody has already.
        """
        kept = Person(secrets.token_hex(4), _named(name), _written(address) if address else "", _role(role), now)
        with self._lock:
            self._refuse_taken(kept.address)
            self._store.execute(
                "INSERT INTO people (id, mailed, name, role, created) VALUES (?, ?, ?, ?, ?)",
                [kept.id, kept.address or None, kept.name, kept.role, now],
            )
            self._changed()
        return kept

    def administrator(self, now: int) -> Person:
        """The first who may do all; where there is none they are made, without a password."""
        found = next((one for one in self if one.role == ADMIN), None)
        return found or self.add("Administrator", "", ADMIN, now)

    @property
    def begun(self) -> bool:
        """Whether somebody who may do all has chosen a password."""
        return any(one.role == ADMIN and one.chosen for one in self)

    def rename(self, person: str, name: str, address: str) -> Person:
        """Give somebody another name or address.

        Raises:
            ConfigError: as of ``add``.
        """
        told, written = _named(name), _written(address)
        with self._lock:
            self._in_force(person)
            self._refuse_taken(written, person)
            self._store.execute("UPDATE people SET name = ?, mailed = ? WHERE id = ?", [told, written, person])
            self._changed()
        return self._all[person]

    def put_in_role(self, person: str, role: str) -> Person:
        """Give somebody another role.

        Raises:
            ConfigError: there is no such role, or nobody would be left who may do all.
        """
        chosen = _role(role)
        with self._lock:
            if chosen != ADMIN:
                self._keep_one(self._in_force(person))
            self._store.execute("UPDATE people SET role = ? WHERE id = ?", [chosen, person])
            self._changed()
        return self._all[person]

    def remove(self, person: str, now: int) -> Person:
        """Let somebody in no more; their name stays with what they did, their address and password don't.

        Raises:
            ConfigError: nobody would be left who may do all.
        """
        with self._lock:
            self._keep_one(self._in_force(person))
            self._store.execute(
                "UPDATE people SET removed = ?, password = NULL, mailed = NULL WHERE id = ?", [now, person]
            )
            self._changed()
        return self._all[person]

    def _in_force(self, person: str) -> Person:
        found = self._all.get(person)
        if found is None or found.removed is not None:
            raise UnknownName("person", person, [one.id for one in self])
        return found

    def _keep_one(self, person: Person) -> None:
        if person.role == ADMIN and not any(one.role == ADMIN and one.id != person.id for one in self):
            raise ConfigError(
                f"{person.name} is the only administrator.",
                place="role",
                fix="Make somebody else an administrator first.",
            )

    def _refuse_taken(self, address: str, person: str | None = None) -> None:
        taken = self.of(address)
        if taken is not None and taken.id != person:
            raise ConfigError(
                "Somebody has this e-mail address already.", place="address", fix="Use another, or change theirs."
            )

    # ------------------------------------------------------------ passwords

    def choose(self, person: str, password: str) -> None:
        """Take a new password.

        Raises:
            ConfigError: it is too short or too easily guessed.
        """
        check_password(password, self._in_force(person))
        with self._hashing:
            made = _hasher().hash(password)
        self._keep(person, made)

    def _keep(self, person: str, made: str) -> None:
        with self._lock:
            self._store.execute("UPDATE people SET password = ? WHERE id = ?", [made, person])
            self._changed()

    def check(self, address: str, password: str) -> Person | None:
        """Who signs in; None for an unknown address as for a wrong password, after the same time."""
        from argon2.exceptions import InvalidHashError, VerificationError

        person = self.of(address)
        kept = self._hashes.get(person.id) if person is not None else None
        try:
            with self._hashing:
                _hasher().verify(kept or _nobodys(), password[: MOST + 1])
        except (VerificationError, InvalidHashError):
            return None
        if person is None or kept is None:
            return None
        if _hasher().check_needs_rehash(kept):
            with self._hashing:
                made = _hasher().hash(password)
            self._keep(person.id, made)
        return person

    def close(self) -> None:
        """Release the connection."""
        self._store.close()


def check_password(password: str, person: Person) -> None:
    """Refuse a password that is easily guessed.

    Raises:
        ConfigError: with what is wrong with it.
    """
    lower = password.lower()
    known = [part for part in re.split(r"[\s@.]+", f"{person.name} {person.address}".lower()) if len(part) > 3]
    if len(password) < LEAST:
        problem, fix = f"A password has at least {LEAST} letters.", "Four words that don't belong together do well."
    elif len(password) > MOST:
        problem, fix = f"A password has at most {MOST} letters.", "Take a shorter one."
    elif len(set(lower)) < 5:
        problem, fix = "It repeats the same few letters.", "Four words that don't belong together do well."
    elif any(part in lower for part in known) and len(password) < 20:
        problem, fix = "It holds a part of your name or address.", "Take one that nobody guesses who knows you."
    else:
        return
    raise ConfigError(problem, place="password", fix=fix)


@cache
def _hasher() -> PasswordHasher:
    """Argon2id with what OWASP asks for: 19 MiB, two passes, one lane."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@cache
def _nobodys() -> str:
    """A hash that no password has, so that asking for an unknown address takes as long."""
    return _hasher().hash(secrets.token_urlsafe(32))


def _named(name: str) -> str:
    told = " ".join(name.split())
    if not 1 <= len(told) <= 100 or not told.isprintable():
        raise ConfigError("A name has 1 to 100 letters.", place="name", fix="Write it as the others shall see it.")
    return told


def _written(address: str) -> str:
    told = address.strip().lower()
    if not _ADDRESS.fullmatch(told):
        raise ConfigError("This is no e-mail address.", place="address", fix="Write it as ann@shop.example.")
    return told


def _role(role: str) -> str:
    if role not in ROLES:
        raise ConfigError(
            f"There is no role {role!r}.",
            place="role",
            fix=did_you_mean(nearest(role, ROLES)) or f"Use {', '.join(ROLES)}.",
        )
    return role
