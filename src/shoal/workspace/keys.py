"""Keys for the HTTP interface: made once and shown once, kept as hashes, with scopes, revoked at any time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.errors import ConfigError, UnknownName, did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shoal.sql.store import Store

SCOPES = ("collect", "read", "write", "admin")
"""``collect`` sends tracking calls; ``read`` asks; ``write`` changes definitions, lists and identities; ``admin`` all."""
_INCLUDES = {"admin": frozenset(SCOPES), "write": frozenset({"write", "read"})}


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept: never its secret."""

    id: str
    name: str
    scopes: frozenset[str]
    created: int
    revoked: int | None = None

    def may(self, scope: str) -> bool:
        """Whether the key covers a scope; ``admin`` covers all, ``write`` reads too."""
        return any(scope == own or scope in _INCLUDES.get(own, ()) for own in self.scopes)


class Keys:
    """The keys of a workspace, held in memory, so that each request is answered without the store.

    Args:
        store: a connection that nobody else uses meanwhile.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_hash: dict[str, Key] = {}
        self._senders: set[str] = set()
        """Secrets that may send, as they were met: each request would hash its own again."""
        self.reload()

    def reload(self) -> None:
        """Read the keys anew."""
        self._senders = set()
        rows = self._store.rows("SELECT hash, id, name, scopes, created, revoked FROM api_keys ORDER BY created, id")
        self._by_hash = {
            digest: Key(one, name, frozenset(scopes.split()), created, revoked)
            for digest, one, name, scopes, created, revoked in rows
        }

    def __iter__(self) -> Iterator[Key]:
        return iter(self._by_hash.values())

    def create(self, name: str, scopes: Iterable[str], now: int) -> tuple[Key, str]:
        """Make a key; returns it and its secret, which isn't kept.

        Raises:
            ConfigError: for a scope that isn't there.
        """
        chosen = frozenset(scopes)
        for scope in chosen - set(SCOPES):
            raise ConfigError(
                f"There is no scope {scope!r}.",
                fix=did_you_mean(nearest(scope, SCOPES)) or f"Use {', '.join(SCOPES)}.",
            )
        if not chosen:
            raise ConfigError("A key needs a scope.", fix=f"Use one of {', '.join(SCOPES)}.")
        key = Key(secrets.token_hex(4), name, chosen, now)
        secret = f"shoal_{key.id}_{secrets.token_urlsafe(24)}"
        self._store.execute(
            "INSERT INTO api_keys (id, name, hash, scopes, created) VALUES (?, ?, ?, ?, ?)",
            [key.id, name, _digest(secret), " ".join(sorted(chosen)), now],
        )
        self.reload()
        return key, secret

    def revoke(self, key: str, now: int) -> None:
        """Take a key out of force.

        Raises:
            UnknownName: there is no such key.
        """
        if key not in {one.id for one in self._by_hash.values()}:
            raise UnknownName("key", key, [one.id for one in self._by_hash.values()])
        self._store.execute("UPDATE api_keys SET revoked = ? WHERE id = ? AND revoked IS NULL", [now, key])
        self.reload()

    def of(self, secret: str) -> Key | None:
        """The key in force of a secret."""
        found = self._by_hash.get(_digest(secret))
        return found if found is not None and found.revoked is None else None

    def accepts(self, key: str) -> bool:
        """Whether a secret may send tracking calls."""
        senders = self._senders
        if key in senders:
            return True
        found = self.of(key)
        if found is None or not found.may("collect"):
            return False
        senders.add(key)
        return True

    def close(self) -> None:
        """Release the connection."""
        self._store.close()

    @property
    def administered(self) -> bool:
        """Whether there is a key that may do all."""
        return any(key.revoked is None and key.may("admin") for key in self._by_hash.values())


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, told in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())
