"""Erasing people: every row that is theirs, every text that names them, and a tombstone that keeps them out.

The bytes leave the file when the store is written anew: ``sql.backup.compact`` does that, and ``COMPACT_DUE`` in ``meta``
says that it is still to be done.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.customers.corrections import ERASED_KEY
from shoal.customers.identity.normalise import Normaliser
from shoal.customers.privacy.mentions import blank_mentions
from shoal.customers.privacy.person import form_of, identifying, person_of
from shoal.customers.privacy.policy import held
from shoal.customers.privacy.tombstones import Tombstones
from shoal.sql.encode import quoted
from shoal.sql.layout import meta, set_meta
from shoal.sql.registry import Registry
from shoal.sql.subjects import survivors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from shoal.customers.identity.rules import IdentityRules
    from shoal.customers.privacy.person import Person
    from shoal.sql.store import Store

    Columns = Mapping[str, Collection[str]]

COMPACT_DUE = "compact_due"
"""In ``meta``: rows were erased, and their bytes are in the file until it is written anew."""
QUARANTINE, LETTERS, SAMPLES, IDENTITY = "quarantine", "dead letters", "samples of issues", "identity changes"
MENTIONS = "mentions by others"
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure removed.

    Args:
        ids: of the customers who are gone.
        report: rows by what they were, as ``event Order Completed``, ``trait email`` or ``consents``.
        again: there was nobody any more: they had been erased before.
    """

    ids: tuple[str, ...]
    report: dict[str, int] = field(default_factory=dict)
    again: bool = False

    @property
    def rows(self) -> int:
        """All rows together."""
        return sum(self.report.values())


def preview(store: Store, person: Person, columns: Columns | None = None) -> dict[str, int]:
    """What ``forget`` would remove, by the same names; others' mentions of the person are found only by doing it."""
    found = {}
    for table, named, title in held(Registry.load(store)):
        ((found[title],),) = store.rows(f"SELECT count(*) FROM {table} WHERE {_is_theirs(named)}", _keys(named, person))
    found[QUARANTINE] = len(quarantined(store, person, columns))
    found[LETTERS] = sum(1 for _ in _letters(store, person))
    return {title: many for title, many in found.items() if many}


def forget(store: Store, person: Person, now: int, secret: bytes, columns: Columns | None = None) -> Erased:
    """Erase a person and put up their tombstones, in one transaction.

    Args:
        store: the workspace's store.
        person: whom ``find`` found.
        now: the workspace's instant.
        secret: for the tombstones.
        columns: by source, the columns of its files that hold ids of customers.

    Returns:
        What was removed.
    """
    with store.transaction():
        Tombstones(store, secret).add(person, now)
        removed = _erase(store, person, columns)
    return Erased(person.ids, {title: many for title, many in removed.items() if many})


def _erase(store: Store, person: Person, columns: Columns | None) -> dict[str, int]:
    removed: dict[str, int] = {}
    rows = [row for row, _, _, _ in quarantined(store, person, columns)]
    removed[QUARANTINE] = _changed(store, "DELETE FROM quarantine WHERE id IN (SELECT unnest(?::BIGINT[]))", [rows])
    removed[LETTERS] = _clean_letters(store, person)
    # A sample bears no owner, so nobody can say that it isn't this person's.
    removed[SAMPLES] = _changed(store, "UPDATE issues_seen SET sample = NULL WHERE sample NOT NULL")
    for table, named, title in held(Registry.load(store)):
        removed[title] = _changed(store, f"DELETE FROM {table} WHERE {_is_theirs(named)}", _keys(named, person))
    for kind, value in sorted(person.values):
        removed[IDENTITY] += _changed(store, "DELETE FROM identity_changes WHERE kind = ? AND value = ?", [kind, value])
    removed[MENTIONS] = blank_mentions(store, person.texts)
    last = int(meta(store).get(ERASED_KEY, "0"))
    set_meta(store, ERASED_KEY, str(max(last, *person.keys)))
    set_meta(store, COMPACT_DUE, "1")
    return removed


def _is_theirs(columns: tuple[str, ...]) -> str:
    return " OR ".join(f"{column} IN (SELECT unnest(?::INTEGER[]))" for column in columns)


def _keys(columns: tuple[str, ...], person: Person) -> list[object]:
    return [list(person.keys)] * len(columns)


def _changed(store: Store, sql: str, parameters: list[object] | None = None) -> int:
    return int(store.rows(sql, parameters)[0][0])


def message_ids(store: Store, person: Person) -> frozenset[str]:
    """The message ids of all that is a person's, by which their calls are known in the log; ask before erasing."""
    found: set[str] = set()
    for table, named, title in held(Registry.load(store)):
        if title.startswith(("event ", "trait ")) or table == "consents":
            rows = store.rows(
                f"SELECT message_id FROM {table} WHERE ({_is_theirs(named)}) AND message_id NOT NULL",
                _keys(named, person),
            )
            found.update(message for (message,) in rows)
    return frozenset(found)


# --------------------------------------------------------------------------- loose texts


def quarantined(store: Store, person: Person, columns: Columns | None = None) -> list[tuple[int, str, str, str]]:
    """The rows in quarantine that name a person: id, source, reason, content."""
    words = sorted({*person.texts, *(one.lower() for one in person.ids)})
    found: dict[int, tuple[int, str, str, str]] = {}
    for begin in range(0, len(words), _AT_ONCE):
        held_in = " OR ".join(_contains("content", word) for word in words[begin : begin + _AT_ONCE])
        for row in store.rows(f"SELECT id, source, reason, content FROM quarantine WHERE {held_in}"):
            if person.is_named(row[3], None if columns is None else columns.get(row[1])):
                found[row[0]] = row
    return list(found.values())


def _contains(column: str, word: str) -> str:
    forms = {word, json.dumps(word, ensure_ascii=False)[1:-1]}
    return " OR ".join(f"contains(lower({column}), {quoted(form)})" for form in sorted(forms))


def _letters(store: Store, person: Person) -> Iterator[tuple[int, str | None]]:
    """The dead letters that speak of a person, each with its body without them; None where nothing is left."""
    ids = set(person.ids)
    for number, body in store.rows("SELECT id, body FROM dead_letters WHERE body NOT NULL"):
        if not any(one in body or json.dumps(one)[1:-1] in body for one in ids):
            if person.is_named(body, ()):
                yield number, None
            continue
        left = _without(body, ids)
        if left != body:
            yield number, left


def _without(body: str, ids: set[str]) -> str | None:
    try:
        document = json.loads(body)
        kept = [change for change in document["changes"] if change["customer"] not in ids]
        if len(kept) == len(document["changes"]):
            return body
    except (ValueError, KeyError, TypeError):
        return None
    return json.dumps({**document, "changes": kept}, ensure_ascii=False) if kept else None


def _clean_letters(store: Store, person: Person) -> int:
    changed = 0
    for number, left in list(_letters(store, person)):
        changed += 1
        if left is None:
            store.execute("DELETE FROM dead_letters WHERE id = ?", [number])
        else:
            store.execute("UPDATE dead_letters SET body = ? WHERE id = ?", [left, number])
    return changed


# --------------------------------------------------------------------------- after a restore


def reapply(store: Store, secret: bytes, rules: IdentityRules, columns: Columns | None = None) -> Erased:
    """Erase again all who have a tombstone and are in the store: a backup that is older than their erasure.

    Whoever came after their erasure isn't touched.

    Args:
        store: the store, which has its tombstones already.
        secret: that they were made with.
        rules: of identity.
        columns: by source, the columns that hold ids of customers.
    """
    tombstones = Tombstones(store, secret)
    keys = _covered(store, tombstones, rules) if len(tombstones) else set()
    if not keys:
        return Erased(())
    standing = survivors(store)
    person = person_of(store, sorted({standing.get(key, key) for key in keys}), rules)
    with store.transaction():
        removed = _erase(store, person, columns)
    return Erased(person.ids, {title: many for title, many in removed.items() if many})


def _covered(store: Store, tombstones: Tombstones, rules: IdentityRules) -> set[int]:
    """The keys of customers with a tombstone who were known before it."""
    normaliser = Normaliser(rules)
    found = set()
    for batch in store.batches("SELECT key, id, received FROM customers"):
        for key, text, received in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if tombstones.covers(text, at=received):
                found.add(key)
    named = "SELECT customer, kind, value, received FROM identifiers WHERE customer NOT NULL AND retired IS NULL"
    for trait in identifying(Registry.load(store), rules):
        named += (
            f" UNION SELECT owner, {quoted(trait.kind)}, {trait.text}, received FROM {trait.table} "
            "WHERE retired IS NULL AND value NOT NULL"
        )
    for batch in store.batches(named):
        for key, kind, text, received in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if tombstones.covers(form_of(kind, text, normaliser), kind, received):
                found.add(key)
    return found
