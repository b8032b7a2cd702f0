"""Finding a person by any identifier, and what is theirs alone: ids, identifiers, and texts that tell of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.customers.identity.normalise import Normaliser, Refused, email
from shoal.customers.identity.rules import EMAIL, PHONE, USER_ID
from shoal.errors import ShoalError, UnknownName
from shoal.lang.schema import Kind
from shoal.sql.registry import CUSTOMER, Registry
from shoal.sql.subjects import survivors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.customers.identity.rules import IdentityRules
    from shoal.sql.store import Store

ID = "id"
"""The kind of a customer's id; a user id is one."""
_INSIDE = "IN (SELECT unnest(?::INTEGER[]))"
_BREAKS = re.compile(r"[\s,;|\"'<>()\[\]{}=\\]+")
_NAMED = ((re.compile("mail", re.IGNORECASE), EMAIL), (re.compile("phone|mobile", re.IGNORECASE), PHONE))
_LONG = 8


class Ambiguous(ShoalError):
    """An identifier that several customers bear."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Person:
    """One person, or several who are to be forgotten together.

    Args:
        keys: of all customers who are the person, merged ones included.
        ids: of the same, the one who stands for the others first.
        values: (kind, value) of identifiers that nobody else bears or ever bore.
        shared: of identifiers that somebody else bears too; those are no trace of this person alone.
        texts: what tells of the person wherever it stands, in lower case: ids and identifiers that can't be anything else.
    """

    keys: tuple[int, ...]
    ids: tuple[str, ...]
    values: frozenset[tuple[str, str]] = frozenset()
    shared: frozenset[tuple[str, str]] = frozenset()
    texts: frozenset[str] = frozenset()

    def is_named(self, content: str, columns: Iterable[str] | None = None) -> bool:
        """Whether a text, or a row as JSON, names the person.

        Args:
            content: the text.
            columns: which cells of a row hold ids of customers, by any letter case; None where nobody knows.
        """
        cells = _cells(content)
        if cells is not None:
            known = None if columns is None else {c.casefold() for c in columns}
            told = [v for c, v in cells.items() if known is None or c.casefold() in known]
            if any(str(v).strip() in self.ids for v in told if v is not None):
                return True
        return any(part in self.texts for part in parts(content))


def _cells(content: str) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def parts(content: str) -> set[str]:
    """The words of a text, and the cells of a row as JSON, in lower case: what may be an identifier."""
    found = set(_BREAKS.split(content.casefold()))
    for value in (_cells(content) or {}).values():
        if isinstance(value, str):
            found |= {value.strip().casefold(), *_BREAKS.split(value.casefold())}
    return {word.strip(".:") for word in found} | found


def is_telling(text: str) -> bool:
    """Whether a text can't well be anything but an identifier: ``7`` may be a quantity, ``a.lee@example.com`` not."""
    if "@" in text or (text.startswith("+") and len(text) >= _LONG):
        return True
    return len(text) >= _LONG and any(c.isdigit() for c in text) and any(c.isalpha() for c in text)


# --------------------------------------------------------------------------- finding


def find(store: Store, identifier: str, rules: IdentityRules) -> Person:
    """The person whom an identifier means.

    Args:
        store: the workspace's store.
        identifier: an id, or ``KIND:VALUE`` as ``email:a.lee@example.com``; without a kind ids come first.
        rules: of identity.

    Raises:
        UnknownName: nobody bears it; the message offers near ones.
        Ambiguous: several customers bear it.
    """
    kind, value = split(store, identifier, rules)
    keys = _found(store, kind, value, rules)
    standing = survivors(store)
    roots = sorted({standing.get(key, key) for key in keys})
    if not roots:
        raise UnknownName("customer", identifier, _near(store, kind, value))
    if len(roots) > 1:
        names = [i for (i,) in store.rows(f"SELECT id FROM customers WHERE key {_INSIDE} ORDER BY id LIMIT 5", [roots])]
        raise Ambiguous(
            f"{len(roots)} customers bear {identifier!r}: {', '.join(names)}{' …' if len(roots) > 5 else ''}.",
            fix=f"Name one of them, as id:{names[0]}.",
        )
    return person_of(store, roots, rules)


def split(store: Store, identifier: str, rules: IdentityRules) -> tuple[str | None, str]:
    """The kind and the value of ``KIND:VALUE``; a colon after no known kind belongs to an id."""
    kind, colon, value = identifier.partition(":")
    kinds = {ID, *(rule.name for rule in rules.kinds)} if colon else set()
    if colon and kind not in kinds:
        kinds |= {k for (k,) in store.rows("SELECT DISTINCT kind FROM identifiers")}
    return (kind, value.strip()) if kind in kinds else (None, identifier)


def _found(store: Store, kind: str | None, value: str, rules: IdentityRules) -> set[int]:
    """The keys of those who bear a value."""
    found: set[int] = set()
    if kind in (None, ID, USER_ID, EMAIL):
        found = _keys(store.rows("SELECT key FROM customers WHERE id = ?", [value]))
    if kind == ID or (kind is None and found):
        return found
    normaliser = Normaliser(rules)
    kinds = [kind] if kind else sorted({k for (k,) in store.rows("SELECT DISTINCT kind FROM identifiers")})
    for each in kinds:
        form = normaliser.read(each, value)
        found |= _keys(
            store.rows(
                "SELECT customer FROM identifiers WHERE kind = ? AND value = ? AND retired IS NULL AND customer NOT NULL",
                [each, value if isinstance(form, Refused) else form],
            )
        )
    for trait in identifying(Registry.load(store), rules):
        if kind in (None, trait.kind):
            found |= _with_trait(store, trait, value, normaliser)
    return found


def _keys(rows: list[tuple[int]]) -> set[int]:
    return {key for (key,) in rows}


class Identifying(NamedTuple):
    """A trait that holds identifiers: its table, their kind, and the SQL of its value as text."""

    table: str
    kind: str
    text: str


def identifying(registry: Registry, rules: IdentityRules) -> list[Identifying]:
    """The traits that hold identifiers: those that the rules name, and those so called."""
    found = []
    for trait in registry.traits.values():
        kind = rules.traits.get(trait.name) or next((k for word, k in _NAMED if word.search(trait.name)), None)
        if trait.scope == CUSTOMER and kind is not None:
            if trait.kind is Kind.TEXT:
                found.append(Identifying(trait.table, kind, "value"))
            elif trait.kind is Kind.NUMBER and kind == PHONE:
                # A column of phone numbers without a sign beside the digits is taken for one of numbers.
                found.append(Identifying(trait.table, kind, "('+' || CAST(value // 1000000 AS VARCHAR))"))
    return found


def _with_trait(store: Store, trait: Identifying, value: str, normaliser: Normaliser) -> set[int]:
    """Whose trait is such a value: today's if anybody's is, else an earlier one."""
    digits = re.sub(r"\D", "", value)[-6:]
    if trait.kind == PHONE and digits:
        alike = f"ends_with(regexp_replace({trait.text}, '\\D', '', 'g'), '{digits}')"
        parameters: list[object] = []
    else:
        alike, parameters = f"lower(trim({trait.text})) = lower(?)", [value.strip()]
    wanted = form_of(trait.kind, value, normaliser)
    rows = store.rows(
        f"SELECT owner, {trait.text} AS text, ts = max(ts) OVER (PARTITION BY owner) AS current FROM {trait.table} "
        f"WHERE retired IS NULL QUALIFY {alike}",
        parameters,
    )
    same = [(owner, current) for owner, text, current in rows if form_of(trait.kind, text, normaliser) == wanted]
    return {owner for owner, current in same if current} or {owner for owner, _ in same}


def form_of(kind: str, value: str, normaliser: Normaliser) -> str:
    """The form that a value is compared in; also of one that identifies nobody."""
    form = normaliser.read(kind, value)
    if isinstance(form, Refused) and kind == EMAIL:
        form = email(value.strip())
    return value.strip().casefold() if isinstance(form, Refused) else form


def _near(store: Store, kind: str | None, value: str) -> list[str]:
    near = [] if kind not in (None, ID, USER_ID) else store.rows(
        "SELECT id FROM customers ORDER BY levenshtein(id, ?), id LIMIT 3", [value]
    )  # fmt: skip
    others = store.rows(
        "SELECT kind || ':' || value FROM identifiers WHERE retired IS NULL AND (? IS NULL OR kind = ?) "
        "ORDER BY levenshtein(value, ?), value LIMIT 3",
        [kind, kind, value],
    )
    return [name for (name,) in [*near, *others]]


# --------------------------------------------------------------------------- what is theirs


def person_of(store: Store, roots: Iterable[int], rules: IdentityRules) -> Person:
    """The person, or the persons together, for whom some surviving customers stand.

    Args:
        store: the workspace's store.
        roots: keys of customers who are merged into nobody.
        rules: of identity.
    """
    wanted = list(roots)
    chosen = set(wanted)
    keys = wanted + [gone for gone, kept in survivors(store).items() if kept in chosen]
    ids: Mapping[int, str] = dict(store.rows(f"SELECT key, id FROM customers WHERE key {_INSIDE}", [keys]))
    named = [ids[key] for key in keys if key in ids]
    values, shared = _identifiers(store, keys)
    raw = set()
    normaliser = Normaliser(rules)
    for trait in identifying(Registry.load(store), rules):
        kind = trait.kind
        mine, others = _trait_values(store, trait, keys, normaliser)
        raw |= {text for form, texts in mine.items() if form not in others for text in texts}
        values |= {(kind, form) for form in mine if form not in others}
        shared |= {(kind, form) for form in mine if form in others}
    alone = values - shared
    told = {text.casefold() for text in (*named, *raw, *(v for _, v in alone)) if is_telling(text)}
    told -= {v.casefold() for _, v in shared}
    return Person(tuple(keys), tuple(named), frozenset(alone), frozenset(shared), frozenset(told))


def _identifiers(store: Store, keys: list[int]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    rows = store.rows(
        f"SELECT kind, value, bool_or(customer IS NULL OR NOT customer {_INSIDE}) FROM identifiers SEMI JOIN "
        f"(SELECT kind, value FROM identifiers WHERE customer {_INSIDE}) USING (kind, value) GROUP BY kind, value",
        [keys, keys],
    )
    return {(k, v) for k, v, others in rows if not others}, {(k, v) for k, v, others in rows if others}


def _trait_values(
    store: Store, trait: Identifying, keys: list[int], normaliser: Normaliser
) -> tuple[dict[str, set[str]], set[str]]:
    """The values of an identifying trait, by their form, and the forms that somebody else's trait has too."""
    mine: dict[str, set[str]] = {}
    query = f"SELECT DISTINCT {trait.text} AS text FROM {trait.table}"
    for (text,) in store.rows(f"{query} WHERE owner {_INSIDE} AND value NOT NULL", [keys]):
        mine.setdefault(form_of(trait.kind, text, normaliser), set()).add(text.strip())
    if not mine:
        return mine, set()
    everything = [text.lower() for texts in mine.values() for text in texts]
    rows = store.rows(
        f"{query} WHERE NOT owner {_INSIDE} AND lower(trim({trait.text})) IN (SELECT unnest(?::VARCHAR[]))",
        [keys, everything],
    )
    return mine, {form_of(trait.kind, text, normaliser) for (text,) in rows}
