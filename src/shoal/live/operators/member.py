"""Lists, consent, and the membership of other segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.live.registry import answers
from shoal.live.values import FAR, Answer

if TYPE_CHECKING:
    from shoal.live.scope import Scope
    from shoal.live.table import Table


def _states(table: Table | None, column: str, s: Scope) -> tuple[list[bool | None], int]:
    """The last word of each of the customer's ids, and until when none speaks again."""
    found: list[bool | None] = []
    until = FAR
    for row in s.state.people.members(s.row):
        last = None
        for entry in s.state.entries(table, row):
            if entry.ts > s.t:
                until = min(until, entry.ts)
                break
            last = entry.get(column)
        found.append(last)
    return found, until


@answers(n.ListedIn)
def listed(node: n.ListedIn, s: Scope) -> Answer:
    """Any of the customer's ids is on the list."""
    found, until = _states(s.state.lists.get(node.name), "added", s)
    return Answer(True in found, until)


@answers(n.Consents)
def consents(node: n.Consents, s: Scope) -> Answer:
    """A withdrawal by any id wins; of whom nothing is known, the purpose's ground speaks."""
    found, until = _states(s.state.consents.get(node.purpose), "granted", s)
    if False in found:
        return Answer(False, until)
    return Answer(True in found or s.state.assumed(node.purpose), until)
