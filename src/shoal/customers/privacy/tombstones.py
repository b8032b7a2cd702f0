"""Tombstones: keyed hashes of the identifiers of erased people, by which a reload or a backup knows to leave them out.

Who has the store alone can't tell from a hash whose it is: the secret lies in a file of its own, beside the store.
"""

from __future__ import annotations

import hmac
import os
import secrets
from typing import TYPE_CHECKING

from shoal.customers.identity.normalise import Refused, email
from shoal.customers.identity.rules import EMAIL, USER_ID
from shoal.customers.privacy.person import ID, is_telling, parts
from shoal.errors import StoreError
from shoal.sql.layout import meta, set_meta

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from shoal.customers.privacy.person import Person
    from shoal.sql.store import Store

CHECK = "tombstone_check"
"""In ``meta``: says whether a secret is the one that the hashes were made with."""
_ANYWHERE = ""
"""The kind of a text that tells of a person wherever it stands."""
_BYTES = 32


class Tombstones:
    """The tombstones of a store.

    Args:
        store: the store.
        secret: that the hashes are made with.

    Raises:
        StoreError: they were made with another secret.
    """

    def __init__(self, store: Store, secret: bytes) -> None:
        self._store = store
        self._secret = secret
        self._marks: dict[str, int] = dict(store.rows("SELECT hash, received FROM tombstones"))
        made = meta(store).get(CHECK)
        if self._marks and made is not None and made != self._hash("", CHECK):
            raise StoreError(
                "The tombstones of erased people were made with another secret.",
                place=getattr(store, "place", None),
                fix="Put the file tombstone.key back that belongs to this store.",
            )

    def __len__(self) -> int:
        return len(self._marks)

    def covers(self, value: str, kind: str = ID, at: int | None = None) -> bool:
        """Whether an identifier is that of an erased person.

        Args:
            value: as it comes.
            kind: ``id``, ``email``, ``phone`` (in E.164) or another kind; a ``user_id`` is an id.
            at: when what bears it became known: what came after the erasure isn't covered. None covers it always.
        """
        return bool(self._marks) and any(self._is_marked(h, at) for h in self._hashes(kind, value))

    def mentioned(self, text: str) -> bool:
        """Whether a text, or a row as JSON, holds an identifier of an erased person that can't be anything else."""
        return bool(self._marks) and any(
            self._is_marked(self._hash(_ANYWHERE, part), None) for part in parts(text) if is_telling(part)
        )

    def add(self, person: Person, now: int) -> int:
        """Put up tombstones for all that is a person's alone; returns how many are new."""
        hashes = {self._hash(ID, one.strip()) for one in person.ids}
        hashes |= {self._hash(_kind(kind), value) for kind, value in person.values}
        hashes |= {self._hash(_ANYWHERE, text) for text in person.texts}
        return self.carry((one, now) for one in sorted(hashes))

    def carry(self, marks: Iterable[tuple[str, int]]) -> int:
        """Take in tombstones of an earlier state of this store; of two the later stands. Returns how many are new."""
        before = len(self._marks)
        for one, received in marks:
            if received > self._marks.get(one, received - 1):
                self._marks[one] = received
                self._store.execute(
                    "INSERT INTO tombstones VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET received = excluded.received",
                    [one, received],
                )
        if self._marks:
            set_meta(self._store, CHECK, self._hash("", CHECK))
        return len(self._marks) - before

    def _is_marked(self, one: str, at: int | None) -> bool:
        received = self._marks.get(one)
        return received is not None and (at is None or at <= received)

    def _hashes(self, kind: str, value: str) -> Iterator[str]:
        text = value.strip()
        yield self._hash(_kind(kind), text)
        if "@" in text and kind in (ID, USER_ID, EMAIL):
            form = email(text)
            if not isinstance(form, Refused):
                yield self._hash(EMAIL, form)

    def _hash(self, kind: str, text: str) -> str:
        return hmac.digest(self._secret, f"{kind}\0{text}".encode("utf-8", "surrogatepass"), "sha256").hex()


def _kind(kind: str) -> str:
    return ID if kind == USER_ID else kind


def has_tombstones(store: Store) -> bool:
    """Whether anybody was ever erased from a store."""
    return bool(store.rows("SELECT 1 FROM tombstones LIMIT 1"))


def marks_of(store: Store) -> list[tuple[str, int]]:
    """The tombstones of a store, for another that takes its place."""
    return store.rows("SELECT hash, received FROM tombstones ORDER BY hash")


# --------------------------------------------------------------------------- files beside the store


def read_secret(path: Path) -> bytes | None:
    """The secret in a file, None where there is none.

    Raises:
        StoreError: the file holds no secret.
    """
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        text = ""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != _BYTES:
        raise StoreError("The file holds no secret.", place=str(path), fix="Put the right file back from a copy of it.")
    return found


def ensure_secret(path: Path) -> bytes:
    """The secret in a file, which only its owner can read; it is made where there is none."""
    found = read_secret(path)
    if found is None:
        found = secrets.token_bytes(_BYTES)
        _write(path, found.hex() + "\n")
    return found


def write_marks(path: Path, marks: Iterable[tuple[str, int]]) -> None:
    """Keep a copy of tombstones beside the store, so that the loss of the store doesn't lose them."""
    _write(path, "".join(f"{one} {received}\n" for one, received in marks))


def read_marks(path: Path) -> list[tuple[str, int]]:
    """The copy of tombstones beside the store; lines that a crash cut off are passed over."""
    if not path.exists():
        return []
    lines = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    return [(words[0], int(words[1])) for words in lines if len(words) == 2 and words[1].isdecimal()]


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
