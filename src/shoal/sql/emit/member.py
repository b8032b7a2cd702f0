"""Lists and consent. ``member of`` stands in the tree itself (see ``trees``): it is a whole segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.schema import Basis
from shoal.sql import terms as s
from shoal.sql.emit.registry import emits_condition
from shoal.sql.members import Consent, Listed

if TYPE_CHECKING:
    from shoal.sql.plan import Plan
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql


def on_list(plan: Plan, name: str) -> Sql:
    """Whether the customer is on a list."""
    return s.settled(plan.provider(("list", name), lambda alias: Listed(plan, alias, name)).column("hit"))


@emits_condition(n.ListedIn)
def listed_in(node: n.ListedIn, scope: Scope) -> Sql:
    """``listed in "staff"``."""
    return on_list(scope.plan, node.name)


@emits_condition(n.Consents)
def consents(node: n.Consents, scope: Scope) -> Sql:
    """``consents to "…"``: unknown means no, or yes where the purpose rests on legitimate interest."""
    plan = scope.plan
    provider = plan.provider(node, lambda alias: Consent(plan, alias, node.purpose))
    unknown = plan.schema.purposes.get(node.purpose) is Basis.LEGITIMATE_INTEREST
    return s.coalesce(provider.column("granted"), s.true() if unknown else s.false())
