"""What is recorded of a few customers, read for the instants at which an answer may change. Future records too."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

from shoal.shapes import ACCOUNT_ID, ACCOUNT_PREFIX
from shoal.sql import terms as s
from shoal.sql.rows import types_named
from shoal.sql.traits import found_trait

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from shoal.lang import nodes as n
    from shoal.sql.plan import Plan

T = TypeVar("T")


class Facts:
    """The records of some surviving customers, those merged into them included, and of their accounts.

    Args:
        plan: the store, and which of its rows may be read.
        customers: the surviving customers.
        ids: for each merged-away customer, the surviving one.
    """

    def __init__(self, plan: Plan, customers: Iterable[int], ids: dict[int, int]) -> None:
        self._plan = plan
        self._who = {one: one for one in customers}
        self._who |= {gone: kept for gone, kept in ids.items() if kept in self._who}
        self._all = ids
        self._memo: dict[Hashable, Any] = {}

    @property
    def customers(self) -> list[int]:
        """The surviving customers."""
        return sorted(set(self._who.values()))

    def first_seen(self, query: str) -> dict[int, int]:
        """The instant from which each customer exists; ``query`` gives ``k`` and ``first_ts`` of everyone."""
        keys = ", ".join(map(str, self.customers)) or "NULL"
        rows = self._plan.store.rows(
            f"SELECT k, first_ts FROM ({query}) f WHERE k IN ({keys}) AND first_ts IS NOT NULL"
        )
        return dict(rows)

    def events(self, events: n.Events) -> dict[int, list[int]]:
        """The instants of all events of a name, whatever their properties; of the account's customers where asked."""
        return self._once(("events", events.name, events.of_account), lambda: self._events(events))

    def _events(self, events: n.Events) -> dict[int, list[int]]:
        known = self._plan.registry.events
        tables = [each.table for each in types_named(events.name, known)]
        found: dict[int, list[int]] = defaultdict(list)
        groups = self._colleagues() if events.of_account else {one: [who] for one, who in self._who.items()}
        for table in tables:
            for one, ts in self._read(table, "customer", "e.ts", list(groups)):
                for who in groups[one]:
                    found[who].append(ts)
        return found

    def trait(self, name: str) -> dict[int, list[tuple[int, Any]]]:
        """(ts, value) of all changes of a trait; of an account's trait, those of every account a customer ever had."""
        return self._once(("trait", name), lambda: self._trait(name))

    def _trait(self, name: str) -> dict[int, list[tuple[int, Any]]]:
        trait = found_trait(self._plan, name)
        if name.startswith(ACCOUNT_PREFIX):
            return self._account_trait(name)
        found: dict[int, list[tuple[int, Any]]] = defaultdict(list)
        if trait is not None:
            for one, ts, value in self._read(trait.table, "owner", "e.ts, e.value", list(self._who)):
                found[self._who[one]].append((ts, value))
        return found

    def _account_trait(self, name: str) -> dict[int, list[tuple[int, Any]]]:
        trait = found_trait(self._plan, name)
        found: dict[int, list[tuple[int, Any]]] = defaultdict(list)
        for who, stays in self.trait(ACCOUNT_ID).items():
            found[who] += [(ts, None) for ts, _ in stays]
            accounts = sorted({account for _, account in stays if account is not None})
            keys = [key for (key,) in self._accounts(accounts)]
            if trait is not None:
                found[who] += [(ts, value) for _, ts, value in self._read(trait.table, "owner", "e.ts, e.value", keys)]
        return found

    def _accounts(self, accounts: list[str]) -> list[tuple[int]]:
        if not accounts:
            return []
        marks = ", ".join("?" for _ in accounts)
        return self._plan.store.rows(f"SELECT key FROM accounts WHERE id IN ({marks})", accounts)

    def moves(self) -> dict[int, list[int]]:
        """When anyone moved into or out of an account that a customer ever had."""
        return self._once("moves", self._moves)

    def _moves(self) -> dict[int, list[int]]:
        trait = self._plan.registry.trait(ACCOUNT_ID)
        found: dict[int, list[int]] = defaultdict(list)
        groups = self._colleagues()
        if trait is not None:
            for one, ts in self._read(trait.table, "owner", "e.ts", list(groups)):
                for who in groups[one]:
                    found[who].append(ts)
        return found

    def _colleagues(self) -> dict[int, list[int]]:
        """For each customer key that ever shared an account with one of the customers, those customers."""
        return self._once("colleagues", self._shared)

    def _shared(self) -> dict[int, list[int]]:
        trait = self._plan.registry.trait(ACCOUNT_ID)
        if trait is None:
            return {}
        accounts = {
            who: {account for _, account in stays if account is not None}
            for who, stays in self.trait(ACCOUNT_ID).items()
        }
        named = sorted(set().union(*accounts.values()))
        marks = ", ".join("?" for _ in named) or "NULL"
        rows = self._plan.store.rows(f"SELECT DISTINCT owner, value FROM {trait.table} WHERE value IN ({marks})", named)
        members: dict[int, set[int]] = defaultdict(set)
        for owner, account in rows:
            members[self._all.get(owner, owner)] |= {who for who, had in accounts.items() if account in had}
        everyone = {one: kept for one, kept in self._all.items() if kept in members} | {k: k for k in members}
        return {one: sorted(members[kept]) for one, kept in everyone.items()}

    def published(self, segment: str, change: str) -> dict[int, list[int]]:
        """When a customer entered or left a segment, as it was published."""
        where = f"segment = {self._quoted(segment)} AND change = '{change}'"
        return self._recorded("membership_changes", where, retires=False)

    def listed(self, name: str) -> dict[int, list[int]]:
        """When a customer was put on a list or taken off it."""
        return self._recorded("list_changes", f"list = {self._quoted(name)}", retires=False)

    def consents(self, purpose: str) -> dict[int, list[int]]:
        """When a customer said something of a purpose."""
        return self._recorded("consents", f"purpose = {self._quoted(purpose)}", retires=True)

    def _quoted(self, text: str) -> str:
        return str(s.text(text).sql(dialect=self._plan.store.dialect))

    def _recorded(self, table: str, where: str, *, retires: bool) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for one, ts in self._read(table, "customer", "e.ts", list(self._who), where, retires=retires):
            found[self._who[one]].append(ts)
        return found

    def _read(
        self, table: str, owner: str, columns: str, keys: list[int], where: str = "true", *, retires: bool = True
    ) -> list[tuple[Any, ...]]:
        """Rows of a table for some owners, those that may be read."""
        if not keys:
            return []
        frame = self._plan.frame
        may = frame.in_force("e") if retires else frame.received("e") or s.true()
        listed = ", ".join(map(str, sorted(keys)))
        return self._plan.store.rows(
            f"SELECT e.{owner}, {columns} FROM {table} e WHERE e.{owner} IN ({listed}) AND {where} "
            f"AND ({may.sql(dialect=self._plan.store.dialect)})"
        )

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._memo:
            self._memo[key] = make()
        found: T = self._memo[key]
        return found
