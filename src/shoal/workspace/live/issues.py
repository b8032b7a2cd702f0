"""What calls showed against the tracking plan, on its way into the store: counted by event and property, with a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shoal.customers.tracking import Call
    from shoal.sql.store import Store

MOST = 2_000
"""So many different issues are counted apart: names come from senders."""
TRAITS, ACCOUNTS, OTHER = "(traits)", "(account traits)", "(other)"
"""What stands in the place of an event's name."""
LONGEST_SAMPLE = 200
_Key = tuple[str, str | None, str]


class Issue(NamedTuple):
    """One mark of a call."""

    event: str
    property: str | None
    problem: str
    at: int
    sample: str | None


def issues_of(call: Call) -> Iterator[Issue]:
    """The marks of a call as issues, each with the value that didn't fit, where it is one value."""
    about = call.name or (ACCOUNTS if call.kind == "group" else TRAITS)
    values = (call.properties if call.name else call.traits) or {}
    for mark in call.marks:
        problem, colon, name = mark.partition(":")
        value = values.get(name) if colon else None
        sample = None if value is None else msgspec.json.encode(value).decode()[:LONGEST_SAMPLE]
        yield Issue(about, name if colon else None, problem, call.received, sample)


class Issues:
    """Writes issues to the store, within the keeper's transactions.

    Args:
        store: the keeper's connection.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: set[_Key] | None = None

    def write(self, issues: Iterable[Issue]) -> None:
        """Count issues."""
        counted: dict[_Key, list[Issue]] = {}
        for issue in issues:
            counted.setdefault(self._key(issue), []).append(issue)
        for key, found in counted.items():
            first, last = min(i.at for i in found), max(i.at for i in found)
            sample = next((i.sample for i in found if i.sample is not None), None)
            self._store.execute(
                "UPDATE issues_seen SET times = times + ?, last = greatest(last, ?), sample = coalesce(sample, ?) "
                "WHERE event = ? AND property IS NOT DISTINCT FROM ? AND problem = ?",
                [len(found), last, sample, *key],
            ) if key in self._there else self._store.execute(
                "INSERT INTO issues_seen VALUES (?, ?, ?, ?, ?, ?, ?)", [*key, len(found), first, last, sample]
            )
            self._there.add(key)

    def _key(self, issue: Issue) -> _Key:
        key = issue.event, issue.property, issue.problem
        return key if key in self._there or len(self._there) < MOST else (OTHER, None, issue.problem)

    @property
    def _there(self) -> set[_Key]:
        if self._known is None:
            self._known = set(self._store.rows("SELECT event, property, problem FROM issues_seen"))
        return self._known
