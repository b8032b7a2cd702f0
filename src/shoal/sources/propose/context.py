"""What the steps of a proposal share."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.lang.schema import Kind
from shoal.sources.propose.draft import Draft
from shoal.sources.propose.meaning import words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.sources.propose.keys import Join, Keys
    from shoal.sources.propose.look import Look


@dataclass(slots=True)
class Context:
    """A proposal in the making.

    Args:
        keys: answers about keys and joins.
        drafts: what was made so far, by the table's name.
        unsure: questions for the reader.
        moments: the columns that say when something happened, with their tables.
        customers: the columns that name the customers of events, with their tables.
        cost: the events that bear a cost.
        includes: what is known of revenue, for ``revenue: includes:``.
    """

    keys: Keys
    drafts: dict[str, Draft] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)
    moments: list[tuple[Look, str]] = field(default_factory=list)
    customers: list[tuple[Look, str]] = field(default_factory=list)
    cost: dict[str, str] = field(default_factory=dict)
    includes: dict[str, str] = field(default_factory=dict)

    @property
    def looks(self) -> list[Look]:
        """All tables."""
        return self.keys.looks

    @property
    def open(self) -> list[Look]:
        """The tables of which nothing was made yet."""
        return [look for look in self.looks if look.name not in self.drafts]

    def ask(self, question: str) -> None:
        """Note a question, once."""
        if question not in self.unsure:
            self.unsure.append(question)

    def happened(self, look: Look, at: str, customer: str) -> None:
        """Note where an event's time and customer stand."""
        self.moments.append((look, at))
        self.customers.append((look, customer))

    def customer(self, look: Look) -> str | None:
        """The column that names the customer: an id before an e-mail address, unless people are known by the latter."""
        found = look.means.first("customer", "email")
        for join in self.keys.joins(look):
            if join.column in (*look.means.all("customer"), *look.means.all("email")):
                return join.column
        return found

    def reference(self, look: Look, role: str = "only looked up") -> Draft:
        """The draft of a table that others look things up in."""
        if look.name not in self.drafts:
            self.drafts[look.name] = Draft(look, role, reference=True)
        return self.drafts[look.name]

    def look_up(self, draft: Draft, join: Join, take: dict[str, str]) -> None:
        """Let a draft fetch columns of another table, new name by column there."""
        if not take:
            return
        self.reference(join.parent)
        on = join.column if join.column == join.key else {join.column: join.key}
        same = all(name == column for name, column in take.items())
        draft.lookup.append({"from": join.parent.name, "on": on, "take": list(take) if same else take})

    def describe(self, draft: Draft, join: Join, depth: int = 2) -> list[str]:
        """Look up what describes the key of another table: names, categories, brands. The names of the new columns."""
        parent = join.parent
        inner = self.reference(parent)
        if depth and not inner.lookup:
            for further in self.keys.joins(parent):
                if further.parent is not draft.look and not inner_has(inner, further.parent):
                    self.describe(inner, further, depth - 1)
        fetched = [name for one in inner.lookup for name in one["take"]]
        own = [c for c in parent.columns if c != join.key and is_description(parent, c)][: 6 if depth == 2 else 1]
        taken = {n.casefold() for n in (*draft.look.columns, *(x for one in draft.lookup for x in one["take"]))}
        take: dict[str, str] = {}
        for column in [*own, *fetched]:
            name = _new_name(column, parent, {*taken, *(t.casefold() for t in take)})
            take[name] = column
        self.look_up(draft, join, take)
        return list(take)


def inner_has(draft: Draft, parent: Look) -> bool:
    """Whether a draft looks something up in a table already."""
    return any(one["from"] == parent.name for one in draft.lookup)


def is_description(look: Look, column: str) -> bool:
    """Whether a column says in words what a row is: a name, a category, a brand."""
    guess = look.columns[column]
    told = re.search(
        r"\b(name|title|category|department|brand|type|genre|class|group|segment|colou?r|size|family|line|collection|description)\b",
        words(column),
    )
    personal = re.search(r"\b(contact|first|last|user)\b", words(column))
    kept = guess.kind is Kind.TEXT and guess.missing < 0.5 and guess.looks != "free text"
    return kept and bool(told) and not personal


def _new_name(column: str, parent: Look, taken: Iterable[str]) -> str:
    """The name of a looked-up column: ``Name`` of tracks becomes ``track_name``."""
    table = singular(parent.name)
    vague = words(column) in ("name", "title", "type", "description", "category", "class", "group", "company name")
    name = f"{table}_{words(column).replace(' ', '_')}" if vague else column
    number = 2
    while name.casefold() in taken:
        name, number = f"{table}_{words(column).replace(' ', '_')}" + (f"_{number}" if number > 2 else ""), number + 1
    return name


def singular(table: str) -> str:
    """A table's name for one of its rows."""
    last = table.split("_")[-1]
    for plural, one in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ses", "se"), ("s", "")):
        if last.endswith(plural) and not last.endswith("ss"):
            return table.removesuffix(plural) + one
    return table
