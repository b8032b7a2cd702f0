"""The graph of identifiers read back from the store: the one that wrote the changes, as far as they were written."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from shoal.customers.identity.bearers import ASIDE, NAME_ONLY, NOBODY, Bearers, GraphState, conflict_mark
from shoal.customers.identity.graph import Identities
from shoal.customers.identity.normalise import Normaliser
from shoal.customers.identity.rules import ANONYMOUS_ID, USER_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from shoal.customers.identity.rules import IdentityRules
    from shoal.sql.store import Store


def read(store: Store, rules: IdentityRules) -> Identities:
    """The graph as the store holds it.

    A customer for whom no identifier was recorded came from files or the API: their id is their user id. Values that
    the rules block by now are left out.

    Args:
        store: the workspace's store.
        rules: today's rules.
    """
    return Identities(rules, _Reading(store, rules).state())


class _Reading:
    """One reading: customers are numbered in the order of their keys."""

    def __init__(self, store: Store, rules: IdentityRules) -> None:
        self._store = store
        self._rules = rules
        self._normaliser = Normaliser(rules)
        self._bearers = Bearers(rule.name for rule in rules.kinds)
        self._keys: npt.NDArray[np.int32]

    def state(self) -> GraphState:
        """Everything, in an order in which each step finds what it needs."""
        state = GraphState(self._bearers)
        self._customers()
        ((many,),) = self._store.rows("SELECT (SELECT count(*) FROM identifiers) + (SELECT count(*) FROM customers)")
        self._bearers.texts.reserve(many)
        self._in_force()
        self._earlier()
        self._implied()
        self._names()
        self._apart(state)
        self._conflicts(state)
        return state

    def _numbers(self, keys: object) -> npt.NDArray[np.int64]:
        """The numbers of customers; ``NOBODY`` for a key that is no customer's any more."""
        import numpy as np

        wanted = np.asarray(keys)
        if not len(self._keys):
            return np.full(len(wanted), NOBODY)
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.where(self._keys[at] == wanted, at, NOBODY)

    def _customers(self) -> None:
        import numpy as np

        table = self._store.arrow(
            "SELECT key, coalesce(f.received, c.received) AS seen FROM customers AS c LEFT JOIN "
            "(SELECT customer, min(received) AS received FROM identifiers WHERE founding GROUP BY customer) AS f "
            "ON f.customer = key ORDER BY key"
        )
        self._keys = table["key"].to_numpy().astype(np.int32)
        seen = array("q")
        seen.frombytes(table["seen"].to_numpy().astype(np.int64).tobytes())
        into = array("i", [-1]) * len(seen)
        rows = self._store.rows("SELECT gone, kept FROM merges WHERE undone IS NULL ORDER BY received")
        if rows:
            for gone, kept in zip(
                self._numbers([g for g, _ in rows]), self._numbers([k for _, k in rows]), strict=True
            ):
                if gone >= 0 and kept >= 0:
                    into[gone] = kept
        self._bearers.fill(seen=seen, into=into)

    def _in_force(self) -> None:
        """Identifiers that belong to somebody now, and those set aside; most customers are named by one of theirs."""
        batches = self._store.batches(
            "SELECT i.kind, value, coalesce(customer, -1) AS bearer, "
            f"i.kind IN ('{USER_ID}', '{ANONYMOUS_ID}') AND value = c.id AND moved.kind IS NULL AS names "
            "FROM identifiers AS i LEFT JOIN customers AS c ON c.key = customer "
            "LEFT JOIN (SELECT DISTINCT kind, value FROM identifiers WHERE retired IS NOT NULL) AS moved USING (kind, value) "
            "WHERE retired IS NULL AND (customer IS NULL OR c.key IS NOT NULL) ORDER BY seq"
        )
        for batch in batches:
            kinds, texts, keys, names = (column.to_pylist() for column in batch.columns)
            owners = [n if k >= 0 else ASIDE for n, k in zip(self._numbers(keys).tolist(), keys, strict=True)]
            codes = [self._bearers.code(kind) for kind in kinds]
            good = [i for i, code in enumerate(codes) if code is not None and self._is_allowed(kinds[i], texts[i])]
            first = self._bearers.link_many(
                [codes[i] or 0 for i in good], [texts[i] for i in good], [owners[i] for i in good]
            )
            for row, i in enumerate(good, first):
                if names[i]:
                    self._bearers.name_by(owners[i], row)

    def _is_allowed(self, kind: str, text: str) -> bool:
        return not self._rules.blocked or self._normaliser.read(kind, text) == text

    def _earlier(self) -> None:
        """Whose re-pointed identifiers were before; the next row of the same value says until when."""
        rows = self._store.rows(
            "SELECT kind, value, customer, until FROM (SELECT *, lead(linked) OVER (PARTITION BY kind, value ORDER BY seq) "
            "AS until FROM identifiers) WHERE retired IS NOT NULL AND customer IS NOT NULL AND until IS NOT NULL "
            "ORDER BY seq"
        )
        if not rows:
            return
        for (kind, value, _, until), number in zip(rows, self._numbers([key for _, _, key, _ in rows]), strict=True):
            row = self._row(kind, value)
            if row >= 0 and number >= 0:
                self._bearers.note_earlier(row, int(number), until)

    def _implied(self) -> None:
        """Customers of files: the id is a user id, if it can be one."""
        code = self._bearers.codes[USER_ID]
        batches = self._store.batches(
            "SELECT key, id FROM customers ANTI JOIN (SELECT customer AS key FROM identifiers WHERE founding) USING (key) "
            "ORDER BY key"
        )
        for batch in batches:
            keys, ids = batch.columns[0].to_numpy(), batch.columns[1].to_pylist()
            find, read = self._bearers.texts.find, self._normaliser.read
            pairs = [
                (number, text)
                for number, text in zip(self._numbers(keys).tolist(), ids, strict=True)
                if find(code, text) < 0 and read(USER_ID, text) == text
            ]
            first = self._bearers.link_many([code] * len(pairs), [t for _, t in pairs], [n for n, _ in pairs])
            for row, (number, _) in enumerate(pairs, first):
                self._bearers.name_by(number, row)

    def _names(self) -> None:
        """The ids of those who aren't named by an identifier that they bear."""
        missing = [n for n in range(len(self._bearers)) if not self._bearers.is_named(n)]
        for begin in range(0, len(missing), 10_000):
            some = missing[begin : begin + 10_000]
            keys = ", ".join(str(self._keys[n]) for n in some)
            rows = self._store.rows(f"SELECT id FROM customers WHERE key IN ({keys}) ORDER BY key")
            for number, (text,) in zip(some, rows, strict=True):
                self._name(number, text)

    def _name(self, number: int, text: str) -> None:
        for kind in (USER_ID, ANONYMOUS_ID):
            row = self._row(kind, text)
            if row >= 0 and self._bearers.first_owner(row) == number:
                self._bearers.name_by(number, row)
                return
        self._bearers.link_many([NAME_ONLY], [text], [number])

    def _apart(self, state: GraphState) -> None:
        rows = self._store.rows(
            "SELECT kept, gone FROM merges WHERE undone IS NOT NULL EXCEPT SELECT kept, gone FROM merges WHERE undone IS NULL"
        )
        for kept, gone in self._pairs(rows):
            if self._bearers.root(kept) != self._bearers.root(gone):
                state.separate(kept, gone)

    def _conflicts(self, state: GraphState) -> None:
        shared = {rule.name for rule in self._rules.kinds if rule.shared is not None}
        rows = self._store.rows(
            "SELECT kind, value, customer, other, c.id, o.id FROM identity_changes JOIN customers AS c ON c.key = customer "
            "LEFT JOIN customers AS o ON o.key = other WHERE what = 'conflict'"
        )
        if not rows:
            return
        users = set(self._users())
        for kind, value, customer, other, name, other_name in rows:
            state.told.add(conflict_mark(kind, value, name, other_name))
            row = self._row(kind, value)
            if other is not None and kind in shared and row >= 0 and self._bearers.owner[row] >= 0:
                seen = [
                    n for n in self._numbers([customer, other]).tolist() if n >= 0 and self._bearers.root(n) in users
                ]
                state.crowd.setdefault(row, set()).update(seen)

    def _users(self) -> Iterator[int]:
        """Customers with a user id, who alone make a value shared."""
        code = self._bearers.codes[USER_ID]
        texts, owner = self._bearers.texts, self._bearers.owner
        return (
            self._bearers.root(owner[row]) for row in range(len(texts)) if texts.kind(row) == code and owner[row] >= 0
        )

    def _pairs(self, rows: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        if not rows:
            return
        first, second = self._numbers([a for a, _ in rows]).tolist(), self._numbers([b for _, b in rows]).tolist()
        yield from ((a, b) for a, b in zip(first, second, strict=True) if a >= 0 and b >= 0)

    def _row(self, kind: str, value: str) -> int:
        code = self._bearers.codes.get(kind)
        return NOBODY if code is None else self._bearers.texts.find(code, value)
