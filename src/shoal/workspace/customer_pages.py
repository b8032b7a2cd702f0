"""What pages of customers ask: who is meant, who came lately, how good identity is. Nothing here knows of a browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from shoal.customers.identity.normalise import Normaliser
from shoal.customers.privacy.person import form_of, identifying
from shoal.customers.story import steps
from shoal.sql.registry import Registry
from shoal.sql.subjects import survivors

if TYPE_CHECKING:
    from shoal.customers.identity.rules import IdentityRules
    from shoal.customers.privacy.person import Identifying
    from shoal.customers.story import Joined
    from shoal.sql.store import Store
    from shoal.workspace.live import Live

MOST = 50
SHORTEST = 2
"""Letters from which on beginnings are looked for."""


class Hit(NamedTuple):
    """A customer who was found: their id, and by what (``id``, a kind of identifier, or ``trait NAME``) and its value."""

    customer: str
    by: str
    value: str


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found.

    Args:
        exact: whom the text means as it stands.
        merged: whether it is an id that was merged into another.
        hits: those whose id or identifiers begin with it, and those who bear it as a trait.
        near: ids that are like it, where nobody was found.
        more: whether there are more hits.
    """

    exact: str | None
    merged: bool
    hits: tuple[Hit, ...]
    near: tuple[str, ...]
    more: bool = False


def search(live: Live, text: str, *, whole: bool = False) -> Search:
    """Who is meant by an id, ``KIND:VALUE``, any identifier, an address or number in a trait, or the beginning of one.

    Args:
        live: the workspace.
        text: as it was typed.
        whole: nobody is found by a part of what they bear.
    """
    wanted = text.strip()
    exact = named(live, wanted)
    if exact is not None:
        return Search(exact, _is_old(live, wanted, exact), (), ())
    rules = live.workspace.config.identity
    hits = live.read(lambda store: _by_trait(store, wanted, rules))
    if not whole and len(wanted) >= SHORTEST:
        hits += live.read(lambda store: _beginning(store, wanted))
    once = tuple({hit.customer: hit for hit in hits}.values())
    if len(once) == 1 and hits[0].by.startswith("trait "):
        return Search(once[0].customer, False, (), ())
    near = () if once or whole else live.read(lambda store: _near(store, wanted))
    return Search(None, False, once[:MOST], near, len(once) > MOST)


def named(live: Live, text: str) -> str | None:
    """Whom an identifier means, ``id:VALUE``, ``KIND:VALUE`` or any that they bear; None where nobody bears it."""
    kind, colon, value = text.partition(":")
    with live.lock:
        identities = live.core.identities
        found = identities.current(value.strip()) if colon and kind == "id" else None
        if found is None and colon:
            found = identities.find(kind, value.strip())
        return found or identities.find_any(text)


def _is_old(live: Live, text: str, standing: str) -> bool:
    """Whether a text is the id of somebody whom another stands for."""
    bare = text.removeprefix("id:").strip()
    with live.lock:
        return bare != standing and live.core.engine.state.people.known(bare) is not None


def _by_trait(store: Store, text: str, rules: IdentityRules) -> list[Hit]:
    """Those whose newest trait is an address or number of this form."""
    found, standing, normaliser = [], survivors(store), Normaliser(rules)
    for name, trait in _identifying(store, rules):
        wanted = form_of(trait.kind, text, normaliser)
        rows = store.rows(
            f"SELECT owner, {trait.text} FROM {trait.table} WHERE retired IS NULL AND lower(trim({trait.text})) IN (?, ?) "
            "LIMIT 1000",
            [text.casefold(), wanted.casefold()],
        )
        found += [(standing.get(owner, owner), name, value) for owner, value in rows]
    ids = dict(
        store.rows(
            "SELECT key, id FROM customers WHERE key IN (SELECT unnest(?::INTEGER[]))", [[k for k, _, _ in found]]
        )
    )
    return [Hit(ids[key], f"trait {name}", value) for key, name, value in found if key in ids]


def _identifying(store: Store, rules: IdentityRules) -> list[tuple[str, Identifying]]:
    registry = Registry.load(store)
    names = {trait.table: trait.name for trait in registry.traits.values()}
    return [(names[one.table], one) for one in identifying(registry, rules)]


def _beginning(store: Store, text: str) -> list[Hit]:
    standing = survivors(store)
    rows = store.rows(
        "SELECT key, id, 'id', id FROM customers WHERE starts_with(lower(id), lower(?)) ORDER BY id LIMIT ?",
        [text, MOST + 1],
    ) + store.rows(
        "SELECT c.key, c.id, i.kind, i.value FROM identifiers i JOIN customers c ON c.key = i.customer WHERE i.retired IS NULL "
        "AND starts_with(lower(i.value), lower(?)) ORDER BY i.value LIMIT ?",
        [text, MOST + 1],
    )
    gone = sorted({standing[key] for key, _, _, _ in rows if key in standing})
    ids = dict(store.rows("SELECT key, id FROM customers WHERE key IN (SELECT unnest(?::INTEGER[]))", [gone]))
    return [Hit(ids.get(standing.get(key, key), name), by, value) for key, name, by, value in rows]


def _near(store: Store, text: str) -> tuple[str, ...]:
    most = max(2, len(text) // 3)
    rows = store.rows(
        "SELECT id FROM customers WHERE abs(length(id) - length(?)) <= ? AND levenshtein(lower(id), lower(?)) <= ? "
        "ORDER BY levenshtein(lower(id), lower(?)), id LIMIT 5",
        [text, most, text, most, text],
    )
    return tuple(one for (one,) in rows)


# ------------------------------------------------------------ who came lately


class Lately(NamedTuple):
    """A customer who did something lately: their id, what, when, and since when they are known."""

    customer: str
    event: str
    ts: int
    known_since: int | None


def lately(live: Live, most: int = 25) -> list[Lately]:
    """Those who did something last, the newest first, each once."""
    return live.read(lambda store: _lately(store, live.core.engine.now, most))


def _lately(store: Store, at: int, most: int) -> list[Lately]:
    heads = []
    for event in Registry.load(store).events.values():
        rows = store.rows(
            f"SELECT ts, customer FROM {event.table} WHERE retired IS NULL AND ts <= ? ORDER BY ts DESC LIMIT ?",
            [at, most * 2],
        )
        heads += [(ts, event.name, customer) for ts, customer in rows]
    standing = survivors(store)
    newest: dict[int, tuple[int, str]] = {}
    for ts, event_name, customer in sorted(heads, reverse=True):
        newest.setdefault(standing.get(customer, customer), (ts, event_name))
    keys = list(newest)[:most]
    known = {
        key: (name, since)
        for key, name, since in store.rows(
            "SELECT key, id, first_ts FROM customers WHERE key IN (SELECT unnest(?::INTEGER[]))", [keys]
        )
    }
    return [Lately(known[k][0], newest[k][1], newest[k][0], known[k][1]) for k in keys if k in known]


# ------------------------------------------------------------ identity


class Cluster(NamedTuple):
    """A customer for whom several ids stand: how many, and how many identifiers they bear together."""

    customer: str
    ids: int
    identifiers: int


class Alike(NamedTuple):
    """Customers who stand apart and bear the same address or number in a trait."""

    trait: str
    value: str
    customers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IdentityQuality:
    """How identity does.

    Args:
        customers: how many there are, merged ones as one.
        merged: how many ids were merged into others, in force.
        undone: how many merges were taken back.
        conflicts: how many merges were refused by a rule.
        aside: how many values are set aside since too many bear them.
        nobody: how many calls had no identifier that can say who sent them.
        merges: the newest merges and separations.
        refused: the newest conflicts, with whether the two stand apart still.
        clusters: the largest.
        alike: customers who may be one.
        moved: the newest identifiers that went over to another customer, or were set aside.
        ignored: since the server started, values that identify nobody: kind, why, how often.
    """

    customers: int
    merged: int
    undone: int
    conflicts: int
    aside: int
    nobody: int
    merges: tuple[Joined, ...]
    refused: tuple[tuple[Joined, bool], ...]
    clusters: tuple[Cluster, ...]
    alike: tuple[Alike, ...]
    moved: tuple[Joined, ...]
    ignored: tuple[tuple[str, str, int], ...]


def identity_quality(live: Live, most: int = 50) -> IdentityQuality:
    """How identity does at present."""
    with live.lock:
        identities = live.core.identities
        customers = len(live.core.engine.standing())
        ignored = tuple((kind, why, n) for (kind, why), n in identities.ignored.most_common(most))
    rules = live.workspace.config.identity
    return live.read(lambda store: _quality(store, customers, ignored, rules, most))


def merges_by_month(live: Live) -> list[tuple[str, int]]:
    """How many merges in force became known in each month that has any, as ``2026-03``, in order."""
    zone = live.workspace.config.zone
    return live.read(lambda store: _by_month(store, zone))


def _quality(
    store: Store, customers: int, ignored: tuple[tuple[str, str, int], ...], rules: IdentityRules, most: int
) -> IdentityQuality:
    ((merged, undone),) = store.rows("SELECT count(*) FILTER (undone IS NULL), count(undone) FROM merges")
    ((conflicts,),) = store.rows("SELECT count(*) FROM identity_changes WHERE what = 'conflict'")
    ((aside,),) = store.rows("SELECT count(*) FROM identifiers WHERE customer IS NULL AND retired IS NULL")
    ((nobody,),) = store.rows("SELECT count(*) FROM quarantine WHERE code = 'nobody'")
    return IdentityQuality(
        customers, merged, undone, conflicts, aside, nobody,
        tuple(steps(store, ("merged", "separated"), most)), tuple(_refused(store, most)), tuple(_clusters(store, most)),
        tuple(_alike(store, rules, most)), tuple(steps(store, ("repointed", "set aside"), most)), ignored,
    )  # fmt: skip


def _by_month(store: Store, zone: str) -> list[tuple[str, int]]:
    return [
        (month, many)
        for month, many in store.rows(
            "SELECT strftime(timezone(?, make_timestamptz(received)), '%Y-%m') AS month, count(*) FROM merges "
            "WHERE undone IS NULL GROUP BY month ORDER BY month",
            [zone],
        )
    ]


def _refused(store: Store, most: int) -> list[tuple[Joined, bool]]:
    """Conflicts, each with whether two customers stand apart because of it."""
    standing = survivors(store)
    found = []
    for one in steps(store, ("conflict",), most):
        apart = one.customer is not None and one.other is not None
        if apart:
            pair = [k for (k,) in store.rows("SELECT key FROM customers WHERE id IN (?, ?)", [one.customer, one.other])]
            apart = len({standing.get(key, key) for key in pair}) > 1
        found.append((one, apart))
    return found


def _clusters(store: Store, most: int) -> list[Cluster]:
    sizes: dict[int, list[int]] = {}
    for gone, kept in survivors(store).items():
        sizes.setdefault(kept, [kept]).append(gone)
    largest = sorted(sizes.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:most]
    found = []
    for kept, members in largest:
        ((name,),) = store.rows("SELECT id FROM customers WHERE key = ?", [kept])
        ((many,),) = store.rows(
            "SELECT count(*) FROM identifiers WHERE retired IS NULL AND customer IN (SELECT unnest(?::INTEGER[]))",
            [members],
        )
        found.append(Cluster(name, len(members), many))
    return found


def _alike(store: Store, rules: IdentityRules, most: int) -> list[Alike]:
    """Those whose newest address or number is the same, and who stand apart."""
    standing, found = survivors(store), []
    for name, trait in _identifying(store, rules):
        rows = store.rows(
            f"SELECT any_value(text), list(DISTINCT owner) FROM (SELECT owner, {trait.text} AS text FROM {trait.table} "
            "WHERE retired IS NULL AND value IS NOT NULL QUALIFY row_number() OVER (PARTITION BY owner ORDER BY ts DESC) = 1) "
            f"GROUP BY lower(trim(text)) HAVING count(DISTINCT owner) > 1 LIMIT {most:d}"
        )
        for value, owners in rows:
            apart = sorted({standing.get(owner, owner) for owner in owners})
            if len(apart) > 1:
                names = store.rows(
                    "SELECT id FROM customers WHERE key IN (SELECT unnest(?::INTEGER[])) ORDER BY id", [apart]
                )
                found.append(Alike(name, value, tuple(one for (one,) in names)))
    return found[:most]
