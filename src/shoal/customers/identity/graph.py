"""The deterministic graph of identifiers: whose call it is, who is one customer, and how that is taken back.

A value belongs to one customer. Of a call's identifiers the one whose kind has the highest priority says whose call it
is; the rest follow it:

- a value that nobody bears is linked, unless the customer bears as many of its kind as the cap allows;
- a value of another customer merges the two, unless one of them would bear more of a kind than its cap, or a person
  took a merge of the two back. Then that is a conflict: a value whose kind moves (a browser, a device) belongs to the
  customer of the call from then on, if what forbids the merge is a kind of higher priority; any other stays. Calls of
  before then, however late they come, are still whose they were, and re-point nothing;
- a user id always names its customer: when it is first seen, a customer is made for it and others merge into that one.

Of two who merge the one stays who bears the kind of highest priority; then who was first received; then the lesser id.
The same calls in the same order give the same graph.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from shoal.customers.identity.bearers import ASIDE, NOBODY, Bearers, GraphState, conflict_mark
from shoal.customers.identity.changes import (
    Conflict,
    Forgotten,
    Ignored,
    Linked,
    Merged,
    Repointed,
    Resolution,
    Separated,
    SetAside,
)
from shoal.customers.identity.normalise import Normaliser, Refused
from shoal.customers.identity.rules import ANONYMOUS_ID, MOVE, USER_ID, IdentityRules, KindRule
from shoal.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.customers.identity.changes import Change

_TAKEN = {USER_ID: "user-", ANONYMOUS_ID: "anon-"}
"""What stands before an id that another customer already bears."""
_MOST_NEAR = 1 << 16
_MOVING = Merged | Repointed | Separated | SetAside
"""Changes after which identifiers that were somebody's may be another's."""


class _Given(NamedTuple):
    """An identifier of a call, in its form; ``row`` is -1 where nobody bears it."""

    rank: tuple[int, str]
    kind: str
    text: str
    row: int


class _Forbidden(NamedTuple):
    """Why two customers may not merge; ``kind`` is the kind whose cap says so, None where a person does."""

    because: str
    kind: str | None


class _Call:
    """One call on its way: when it was, and what it changed so far."""

    __slots__ = ("changes", "received", "ts")

    def __init__(self, ts: int, received: int) -> None:
        self.ts = ts
        self.received = received
        self.changes: list[Change] = []


class Identities:
    """Who bears which identifier, and who is one customer. Not shared between threads.

    Args:
        rules: the workspace's rules.
        state: what to begin with, as ``tables.read`` makes it; None for nothing.
    """

    def __init__(self, rules: IdentityRules | None = None, state: GraphState | None = None) -> None:
        self.rules = rules or IdentityRules()
        self.ignored: Counter[tuple[str, str]] = Counter()
        """How often a value was ignored, by kind and reason."""
        self._rank = {rule.name: index for index, rule in enumerate(self.rules.kinds)}
        self._rule: dict[str, KindRule] = {rule.name: rule for rule in self.rules.kinds}
        self._normaliser = Normaliser(self.rules)
        self._near: dict[tuple[tuple[str, object], ...], str] = {}
        """Whose identifiers that came lately are, as long as nothing moves."""
        self._state = state or GraphState(Bearers(self._rank))
        self._bearers = self._state.bearers

    @property
    def state(self) -> GraphState:
        """All that it remembers."""
        return self._state

    # ------------------------------------------------------------ asking

    def resolve(self, identifiers: Mapping[str, object], ts: int, received: int) -> Resolution:
        """Whose call it is, and what the call teaches.

        Args:
            identifiers: raw values by kind; None is no value.
            ts: when the call was so, microseconds.
            received: when it became known.
        """
        customer = self.known(identifiers)
        return self._settle(identifiers, _Call(ts, received)) if customer is None else Resolution(customer)

    def known(self, identifiers: Mapping[str, object]) -> str | None:
        """Whose call it is, where all its identifiers are one customer's already, in their form, as nearly all are.

        None where ``resolve`` has to look closer.
        """
        key = tuple(identifiers.items())
        try:
            found = self._near.get(key)
        except TypeError:
            return None
        if found is None:
            found = self._known_now(identifiers)
            if found is not None:
                if len(self._near) >= _MOST_NEAR:
                    self._near.clear()
                self._near[key] = found
        return found

    def _known_now(self, identifiers: Mapping[str, object]) -> str | None:
        bearers = self._bearers
        codes, owner, into, find = bearers.codes, bearers.owner, bearers.into, bearers.texts.find
        who = NOBODY
        for kind, value in identifiers.items():
            if value is None:
                continue
            if type(value) is not str or kind not in codes:
                return None
            row = find(codes[kind], value)
            here = owner[row] if row >= 0 else NOBODY
            if here < 0 or row in bearers.earlier:
                return None
            while into[here] >= 0:
                here = into[here]
            if who != here and who >= 0:
                return None
            who = here
        return bearers.id_of(who) if who >= 0 else None

    def normalised(self, kind: str, value: object) -> str | None:
        """An identifier in its form; None for one that says nothing of anybody."""
        text = self._normaliser.read(kind, value)
        return None if isinstance(text, Refused) else text

    def find(self, kind: str, value: object) -> str | None:
        """The customer who bears an identifier; None where nobody does."""
        text = self._normaliser.read(kind, value)
        code = self._bearers.codes.get(kind)
        if isinstance(text, Refused) or code is None:
            return None
        row = self._bearers.texts.find(code, text)
        owner = self._bearers.owner[row] if row >= 0 else NOBODY
        return self._id(self._bearers.root(owner)) if owner >= 0 else None

    def find_any(self, value: str) -> str | None:
        """The customer whom any text means: an id, old ones too, else an identifier, kinds in order of priority."""
        found = self.current(value)
        for kind in sorted(self._bearers.codes, key=self._order):
            if found is not None:
                break
            found = self.find(kind, value)
        return found

    def current(self, customer: str) -> str | None:
        """Who stands for an id today: itself, or whom it was merged into; None for an unknown id."""
        found = self._bearers.by_id(customer)
        return self._id(self._bearers.root(found)) if found >= 0 else None

    def identifiers(self, customer: str) -> list[tuple[str, str]]:
        """All (kind, value) that a customer bears, those of merged ids included, by priority and value.

        Raises:
            UnknownName: there is no such customer.
        """
        rows = self._bearers.rows(self._bearers.root(self._known(customer)))
        found = [(self._kind(row), self._bearers.texts.text(row)) for row in rows]
        return sorted(found, key=lambda pair: (self._order(pair[0]), pair[1]))

    def merged_ids(self, customer: str) -> list[str]:
        """The ids that were merged into a customer and stand no more, in order.

        Raises:
            UnknownName: there is no such customer.
        """
        root = self._bearers.root(self._known(customer))
        return sorted(self._id(member) for member in self._bearers.cluster(root) if member != root)

    def __len__(self) -> int:
        """How many customers there are, merged ones as one and forgotten ones not counted."""
        b = self._bearers
        return sum(1 for customer in range(len(b)) if b.into[customer] < 0 and b.is_named(customer))

    # ------------------------------------------------------------ telling

    def adopt(self, customers: Iterable[str], received: int) -> None:
        """Take in customers whom files or the API brought: their id is their user id. Known ids stay as they are."""
        code = self._bearers.codes[USER_ID]
        for customer in customers:
            if self._bearers.by_id(customer) >= 0:
                continue
            made = self._bearers.create(received)
            if self._normaliser.read(USER_ID, customer) == customer and self._bearers.texts.find(code, customer) < 0:
                self._bearers.link(code, customer, made)
            self._bearers.name(made, customer)

    def alias(self, previous: str, new: str, ts: int, received: int) -> Resolution:
        """The person known as ``previous`` is known as the user id ``new`` from now on, as Segment's ``alias`` says.

        Two user ids become one by this, since somebody says so. A previous id that is only a browser's is evidence like
        any other: one that belongs to another user is re-pointed. An unknown one is linked as an anonymous id.
        """
        self._near.clear()
        call = _Call(ts, received)
        said = self._read({USER_ID: new}, call)
        if not said:
            return Resolution(None, tuple(call.changes))
        lead = self._lead(said, call)
        text = self._normaliser.read(USER_ID, previous)
        if isinstance(text, Refused):
            self._ignore(USER_ID, previous, text.because, call)
            return Resolution(self._id(lead), tuple(call.changes), _founded(call))
        other = self._bearer(USER_ID, text)
        if other < 0:
            (item,) = self._read({ANONYMOUS_ID: text}, call) or (None,)
            lead = self._take(lead, item, said[0].kind, call) if item else lead
        elif other != lead:
            self._merge(lead, other, "alias says that they are one person", call)
        return Resolution(self._id(lead), tuple(call.changes), _founded(call))

    def merge(self, kept: str, gone: str, because: str, ts: int, received: int) -> tuple[Change, ...]:
        """Merge two customers since a person says so, whatever caps and earlier separations say.

        Raises:
            UnknownName: there is no such customer.
        """
        self._near.clear()
        call = _Call(ts, received)
        stays, goes = (self._bearers.root(self._known(one)) for one in (kept, gone))
        if stays != goes:
            self._merge(stays, goes, because, call)
        return tuple(call.changes)

    def unmerge(self, gone: str, ts: int, received: int, because: str = "it was taken back") -> tuple[Change, ...]:
        """Take the merge of ``gone`` into another back: each has again what was linked to it.

        What was linked after the merge stays with the one who was kept; who had been merged into ``gone`` stays with
        ``gone``. Evidence doesn't merge the two again.

        Returns:
            The change; nothing where ``gone`` isn't merged into anybody.

        Raises:
            UnknownName: there is no such customer.
        """
        self._near.clear()
        number = self._known(gone)
        if self._bearers.into[number] < 0:
            return ()
        kept = self._bearers.part(number)
        self._state.separate(kept, number)
        return (Separated(self._id(kept), self._id(number), because, ts, received),)

    def forget(self, customer: str) -> Forgotten:
        """Remove a customer, all merged into them, and all their identifiers; texts leave the memory too.

        Raises:
            UnknownName: there is no such customer.
        """
        self._near.clear()
        members = sorted(self._bearers.cluster(self._bearers.root(self._known(customer))))
        for row in [row for member in members for row in self._bearers.own_rows(member)]:
            self._state.crowd.pop(row, None)
        ids, values = self._bearers.forget(members)
        for member in members:
            for other in self._state.apart.pop(member, ()):
                self._state.apart.get(other, set()).discard(member)
        for crowd in self._state.crowd.values():
            crowd.difference_update(members)
        return Forgotten(tuple(ids), tuple(values))

    # ------------------------------------------------------------ one call

    def _settle(self, identifiers: Mapping[str, object], call: _Call) -> Resolution:
        given = self._read(identifiers, call)
        if not given:
            return Resolution(None, tuple(call.changes))
        lead = self._lead(given, call)
        for item in given:
            lead = self._take(lead, item, given[0].kind, call)
        if any(isinstance(change, _MOVING) for change in call.changes):
            self._near.clear()
        return Resolution(self._id(lead), tuple(call.changes), _founded(call))

    def _read(self, identifiers: Mapping[str, object], call: _Call) -> list[_Given]:
        """The usable identifiers by priority."""
        given = []
        for kind, value in identifiers.items():
            if value is None:
                continue
            text = self._normaliser.read(kind, value)
            if isinstance(text, Refused):
                self._ignore(kind, value, text.because, call)
                continue
            code = self._bearers.code(kind)
            row = self._bearers.texts.find(code, text) if code is not None else NOBODY
            if code is None or (row >= 0 and self._bearers.owner[row] == ASIDE):
                because = "there are too many kinds" if code is None else "it is shared by many and was set aside"
                self._ignore(kind, text, because, call)
                continue
            given.append(_Given(self._order(kind), kind, text, row))
        return sorted(given)

    def _lead(self, given: list[_Given], call: _Call) -> int:
        """The customer whom the first identifier means; a new one where it means nobody yet."""
        first = given[0]
        if first.row >= 0:
            return self._bearers.root(self._bearers.owner_at(first.row, call.ts))
        if first.kind != USER_ID:
            known = next((item for item in given if item.row >= 0), None)
            candidate = self._bearers.root(self._bearers.owner_at(known.row, call.ts)) if known else NOBODY
            if candidate >= 0 and self._has_room(candidate, first.kind):
                return candidate
        return self._create(given, call)

    def _create(self, given: list[_Given], call: _Call) -> int:
        first = given[0]
        made = self._bearers.create(call.received)
        anonymous = next((item for item in given if item.kind == ANONYMOUS_ID), None)
        name = self._free_id(first if first.kind == USER_ID or anonymous is None else anonymous, first)
        self._bearers.link(self._bearers.codes[first.kind], first.text, made)
        self._bearers.name(made, name)
        because = f"the first call with this {first.kind}"
        call.changes.append(Linked(first.kind, first.text, name, because, call.ts, call.received, founding=True))
        return made

    def _free_id(self, names: _Given, first: _Given) -> str:
        """An id that no customer bears: the user id, else the anonymous id, else a stable hash."""
        if names.kind in _TAKEN:
            for text in (names.text, _TAKEN[names.kind] + names.text):
                if self._bearers.by_id(text) < 0:
                    return text
        digest = blake2b(f"{first.kind}\0{first.text}".encode(), digest_size=10)
        while self._bearers.by_id(f"anon-{digest.hexdigest()}") >= 0:
            digest.update(b"\0")
        return f"anon-{digest.hexdigest()}"

    def _take(self, lead: int, item: _Given, by: str, call: _Call) -> int:
        """Bring one identifier to the customer of the call; returns who that is then."""
        code = self._bearers.codes[item.kind]
        row = self._bearers.texts.find(code, item.text)
        if row < 0:
            self._link(lead, item, code, by, call)
            return lead
        other = self._bearers.root(self._bearers.owner_at(row, call.ts))
        if other == lead:
            return lead
        forbidden = self._forbidden(lead, other)
        if forbidden is None:
            return self._merge_by_rule(lead, other, f"{by} and {item.kind} came in one call", call)
        self._conflict(lead, other, item, row, forbidden, call)
        return lead

    def _link(self, lead: int, item: _Given, code: int, by: str, call: _Call) -> None:
        if not self._has_room(lead, item.kind):
            because = f"the customer bears {self._cap(item.kind)} of {item.kind} already, and that is the cap"
            self._tell(Conflict(item.kind, item.text, self._id(lead), None, because, call.ts, call.received), call)
            return
        self._bearers.link(code, item.text, lead)
        because = f"it came with {by}" if by != item.kind else "it came with what the customer is known by"
        call.changes.append(Linked(item.kind, item.text, self._id(lead), because, call.ts, call.received))

    # ------------------------------------------------------------ merging

    def _forbidden(self, one: int, other: int) -> _Forbidden | None:
        """Why two customers may not merge; of several caps that of the highest priority."""
        if self._state.apart and self._are_apart(one, other):
            return _Forbidden("a merge of these two was taken back", None)
        first, second = self._counts(one), self._counts(other)
        for kind in sorted(first.keys() & second.keys(), key=self._order):
            if first[kind] + second[kind] > self._cap(kind):
                many = first[kind] + second[kind]
                return _Forbidden(f"together they would bear {many} of {kind}, and the cap is {self._cap(kind)}", kind)
        return None

    def _are_apart(self, one: int, other: int) -> bool:
        root = self._bearers.root
        return any(root(x) == other for member in self._bearers.cluster(one) for x in self._state.apart.get(member, ()))

    def _merge_by_rule(self, one: int, other: int, because: str, call: _Call) -> int:
        kept, gone = sorted((one, other), key=self._standing)
        self._join(kept, gone, because, call)
        return kept

    def _standing(self, customer: int) -> tuple[tuple[int, str], int, str]:
        """What decides who stays, the lesser first."""
        best = min((self._order(kind) for kind in self._counts(customer)), default=(len(self._rank) + 1, ""))
        return best, self._bearers.seen[customer], self._id(customer)

    def _merge(self, kept: int, gone: int, because: str, call: _Call) -> None:
        """Merge since somebody says so; that lifts what kept the two apart."""
        if self._state.apart:
            members = list(self._bearers.cluster(gone))
            for member in self._bearers.cluster(kept):
                self._state.apart.get(member, set()).difference_update(members)
                for other in members:
                    self._state.apart.get(other, set()).discard(member)
        self._join(kept, gone, because, call)

    def _join(self, kept: int, gone: int, because: str, call: _Call) -> None:
        self._bearers.join(gone, kept)
        call.changes.append(Merged(self._id(kept), self._id(gone), because, call.ts, call.received))

    # ------------------------------------------------------------ conflicts

    def _conflict(self, lead: int, other: int, item: _Given, row: int, forbidden: _Forbidden, call: _Call) -> None:
        because = forbidden.because
        name, before = self._id(lead), self._id(other)
        self._tell(Conflict(item.kind, item.text, name, before, because, call.ts, call.received), call)
        if self._is_shared(lead, other, item, row):
            limit = self._rule[item.kind].shared
            self._bearers.repoint(row, ASIDE, call.ts)
            self._state.crowd.pop(row)
            because = f"it came with more than {limit} user ids"
            call.changes.append(SetAside(item.kind, item.text, before, because, call.ts, call.received))
        elif self._moves(item, row, forbidden, call) and self._has_room(lead, item.kind):
            self._bearers.repoint(row, lead, call.ts)
            call.changes.append(Repointed(item.kind, item.text, before, name, because, call.ts, call.received))

    def _moves(self, item: _Given, row: int, forbidden: _Forbidden, call: _Call) -> bool:
        since = self._bearers.since(row)
        if (
            forbidden.kind is None
            or self._rules_of(item.kind).conflict != MOVE
            or (since is not None and call.ts < since)
        ):
            return False
        return self._order(forbidden.kind) < item.rank

    def _is_shared(self, lead: int, other: int, item: _Given, row: int) -> bool:
        """Whether a value was now seen with more users than its kind allows one to be shared by."""
        limit = self._rules_of(item.kind).shared
        if limit is None:
            return False
        crowd = self._state.crowd.setdefault(row, set())
        crowd.update(one for one in (lead, other) if USER_ID in self._counts(one))
        return len({self._bearers.root(one) for one in crowd}) > limit

    def _tell(self, conflict: Conflict, call: _Call) -> None:
        """Record a conflict, unless it was recorded before: a shared browser would fill the log with one line."""
        mark = conflict_mark(conflict.kind, conflict.value, conflict.customer, conflict.other)
        if mark not in self._state.told:
            self._state.told.add(mark)
            call.changes.append(conflict)

    def _ignore(self, kind: str, value: object, because: str, call: _Call) -> None:
        self.ignored[kind, because] += 1
        call.changes.append(Ignored(kind, str(value), because))

    # ------------------------------------------------------------ small words

    def _order(self, kind: str) -> tuple[int, str]:
        return self._rank.get(kind, len(self._rank)), kind

    def _rules_of(self, kind: str) -> KindRule:
        return self._rule.get(kind) or self._rule.setdefault(kind, KindRule(kind))

    def _cap(self, kind: str) -> int:
        return self._rules_of(kind).cap

    def _kind(self, row: int) -> str:
        return self._bearers.kinds[self._bearers.texts.kind(row)]

    def _counts(self, customer: int) -> Counter[str]:
        return Counter(self._kind(row) for row in self._bearers.rows(customer))

    def _has_room(self, customer: int, kind: str) -> bool:
        return self._counts(customer)[kind] < self._cap(kind)

    def _id(self, customer: int) -> str:
        return self._bearers.id_of(customer)

    def _bearer(self, kind: str, text: str) -> int:
        row = self._bearers.texts.find(self._bearers.codes[kind], text)
        owner = self._bearers.owner[row] if row >= 0 else NOBODY
        return self._bearers.root(owner) if owner >= 0 else NOBODY

    def _known(self, customer: str) -> int:
        found = self._bearers.by_id(customer)
        if found < 0:
            raise UnknownName("customer", customer)
        return found


def _founded(call: _Call) -> bool:
    return any(isinstance(change, Linked) and change.founding for change in call.changes)
