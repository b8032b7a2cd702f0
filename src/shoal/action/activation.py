"""Members handed out: the consent of the segment's purpose is applied at that moment, and what was withheld is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.customers.profiles import current_consents
from shoal.errors import PurposeError, UnknownName
from shoal.lang.schema import Basis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.lang.nodes import Definition
    from shoal.sql.store import Store

NO_CONSENT = "no consent on record"
REFUSED = "consent refused or withdrawn"
OBJECTED = "objected"


@dataclass(frozen=True, slots=True)
class Reach:
    """How many members may be reached for a purpose, and why the others may not."""

    purpose: str
    basis: Basis
    members: int
    reachable: int
    withheld: Mapping[str, int]

    def sentence(self) -> str:
        """``120 members, 90 reachable for "email_marketing"; withheld: 30 (no consent on record)``."""
        members = "1 member" if self.members == 1 else f"{self.members:,} members"
        head = f'{members}, {self.reachable:,} reachable for "{self.purpose}"'
        reasons = ", ".join(f"{count:,} ({reason})" for reason, count in self.withheld.items())
        return f"{head}; withheld: {reasons}" if reasons else head


def purpose_of(definition: Definition, purposes: Mapping[str, Basis], asked: str | None = None) -> tuple[str, Basis]:
    """The purpose that members are handed out for, and its basis.

    Raises:
        PurposeError: if the segment serves none, or one that allows analysis only.
        UnknownName: if the purpose isn't in ``shoal.yaml``.
    """
    purpose = asked or definition.purpose
    if purpose is None:
        usable = [name for name, basis in purposes.items() if basis is not Basis.NONE]
        raise PurposeError(
            f"The segment {definition.slug!r} serves no purpose, so it is for analysis only.",
            fix=_mend(definition.slug, usable),
        )
    if purpose not in purposes:
        raise UnknownName("purpose", purpose, purposes, place="shoal.yaml")
    if purposes[purpose] is Basis.NONE:
        usable = [name for name, basis in purposes.items() if basis is not Basis.NONE]
        raise PurposeError(
            f"The purpose {purpose!r} allows analysis only (basis: none).", fix=_mend(definition.slug, usable)
        )
    return purpose, purposes[purpose]


def _mend(slug: str, usable: Sequence[str]) -> str:
    if not usable:
        return "Name one in shoal.yaml, as purposes: {email_marketing: consent}, and give it to the segment."
    return f"Give it one that allows it: shoal segment edit {slug} --purpose {usable[0]}"


def prepare(store: Store, relation: str, purpose: str, basis: Basis, at: int) -> Reach:
    """Split members into a temp table ``handed_out (customer, reason)``; a NULL reason means reachable.

    Args:
        store: the workspace's store.
        relation: SQL that gives the members' keys in a column ``customer``.
        purpose: what they are handed out for.
        basis: its basis.
        at: the moment of handing out; consent is read as of then. A refusal counts from when it is on record, even
            if its time is later.
    """
    unknown = "NULL" if basis is Basis.LEGITIMATE_INTEREST else f"'{NO_CONSENT}'"
    refused = OBJECTED if basis is Basis.LEGITIMATE_INTEREST else REFUSED
    consents = current_consents(store, purpose, at, refusals_ahead=True)
    store.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE handed_out AS
        SELECT m.customer, CASE WHEN c.granted IS NULL THEN {unknown} WHEN c.granted THEN NULL ELSE '{refused}' END
            AS reason
        FROM ({relation}) m LEFT JOIN ({consents}) c USING (customer)
        """
    )
    counts = dict(store.rows("SELECT reason, count(*) FROM handed_out GROUP BY reason ORDER BY count(*) DESC, reason"))
    withheld = {reason: count for reason, count in counts.items() if reason is not None}
    return Reach(purpose, basis, sum(counts.values()), counts.get(None, 0), withheld)
