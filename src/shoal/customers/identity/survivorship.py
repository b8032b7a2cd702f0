"""Which change of which id gives a trait of a merged profile its value, and why.

There is one rule, the language's: a merge joins the changes of a trait as if they had always been one customer's. So
the latest change wins, whichever id it came under; of several at one instant that of the greater message id; and a
latest change that clears the trait leaves it without a value. No setting changes this, or a segment would depend on
where it is evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.clock import iso
from shoal.errors import UnknownName
from shoal.sql.registry import CUSTOMER, Registry
from shoal.sql.subjects import survivors
from shoal.sql.tables import MESSAGE_ID

if TYPE_CHECKING:
    from shoal.sql.store import Store


@dataclass(frozen=True, slots=True)
class Candidate:
    """The latest change of a trait under one id.

    Args:
        customer: the id under which it came.
        value: in stored form; None clears the trait.
        ts: when it was so.
        message_id: the message that brought it, or what stands for one.
        origin: the file and line, as the store's rows bear it.
    """

    customer: str
    value: Any
    ts: int
    message_id: str
    origin: int


@dataclass(frozen=True, slots=True)
class Survival:
    """Why a trait has its value.

    Args:
        trait: its name.
        kind: its type.
        winner: the change that counts; None where no id has any.
        others: the latest changes under the other ids, newest first.
        because: the reason in plain words.
    """

    trait: str
    kind: str
    winner: Candidate | None
    others: tuple[Candidate, ...]
    because: str


def explain(store: Store, key: int, trait: str, at: int) -> Survival:
    """Which change gives a trait of a customer its value at an instant.

    Args:
        store: the workspace's store.
        key: of the surviving customer.
        trait: one of the customers' own traits.
        at: the instant.

    Raises:
        UnknownName: there is no such trait.
    """
    registry = Registry.load(store)
    found = registry.trait(trait)
    if found is None:
        raise UnknownName("trait", trait, [t.name for t in registry.traits.values() if t.scope == CUSTOMER])
    keys = [key, *(gone for gone, kept in survivors(store).items() if kept == key)]
    rows = store.rows(
        f"SELECT c.id, value, ts, {MESSAGE_ID} AS message, origin FROM {found.table} JOIN customers AS c ON c.key = owner "
        "WHERE owner IN (SELECT unnest(?::INTEGER[])) AND retired IS NULL AND ts <= ? "
        "QUALIFY row_number() OVER (PARTITION BY owner ORDER BY ts DESC, message DESC) = 1 ORDER BY ts DESC, message DESC",
        [keys, at],
    )
    candidates = [Candidate(*row) for row in rows]
    winner = candidates[0] if candidates else None
    return Survival(trait, found.kind, winner, tuple(candidates[1:]), _because(candidates, len(keys)))


def _because(candidates: list[Candidate], ids: int) -> str:
    if not candidates:
        return "No change of it is known." if ids == 1 else f"None of the {ids} ids has a change of it."
    first = candidates[0]
    cleared = ", and it clears the trait" if first.value is None else ""
    if len(candidates) == 1:
        only = "" if ids == 1 else f" Of {ids} merged ids only {first.customer} has it."
        return f"The latest change, of {iso(first.ts)}, counts{cleared}.{only}"
    second = candidates[1]
    if first.ts == second.ts:
        tie = f"{first.customer} and {second.customer} changed it at the same instant, {iso(first.ts)}"
        return f"{tie}; the greater message id, {first.message_id}, counts{cleared}."
    later = f"{first.customer} changed it at {iso(first.ts)}, later than {second.customer} at {iso(second.ts)}"
    return f"{later}; the latest change counts{cleared}."
