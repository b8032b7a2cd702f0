"""What an entry of the log does: identity, records, memberships. Deterministic, so that replay after a crash repeats it.

Nothing here asks for the time or touches a disk: the same state and the same entries give the same changes, with the same
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.customers import tracking
from shoal.customers.bulk import EARLIEST, LATEST
from shoal.customers.identity.changes import Merged, Separated
from shoal.customers.rows import NOTHING, EventRows
from shoal.customers.writer import reason_against
from shoal.insight.feeding import feed, together
from shoal.lang.files import definition_from_document
from shoal.lang.schema import Kind
from shoal.live.changes import NONE, Changes
from shoal.shapes import ConsentChange, Event, ListChange, TraitChange
from shoal.workspace.live.causes import because_of
from shoal.workspace.live.entries import CALLS, COMMAND, TICK, Command, decode_command, decode_tick
from shoal.workspace.live.issues import Issue, issues_of
from shoal.workspace.live.scoring import Scored, take
from shoal.workspace.models import SCORED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shoal.customers.identity.changes import Change as IdentityChange
    from shoal.customers.identity.graph import Identities
    from shoal.customers.learning import Types
    from shoal.customers.privacy import Tombstones
    from shoal.customers.seen import Seen
    from shoal.customers.tracking import Call
    from shoal.lang.nodes import Definition
    from shoal.lang.schema import Schema
    from shoal.live.changes import Change
    from shoal.live.engine import Engine

MOST_NAMES, MOST_PROPERTIES = 2_000, 1_000
"""So many names of events, and of properties of each, are learned from calls; what bears more is rejected and counted."""
MOST_BY_CALLS, MOST_BY_TICK = 200, 2_000
"""So many customers who are due are judged before calls take effect, and by one tick. Where a day's end makes a million due
at once, ticks follow each other, and calls go between them; whoever a call is of is brought up to date first."""
SHIFT = 24
"""A change's number is its entry's position shifted by so many bits, plus its place among the entry's changes; or the one
after the last number, where an entry or a load had more changes than that."""


class Refused(NamedTuple):
    """What couldn't be taken from a call, for quarantine: nothing is lost."""

    code: str
    reason: str
    content: str
    received: int


class Numbered(NamedTuple):
    """A change of a membership with its number, by which readers resume and know a change again."""

    seq: int
    change: Change


@dataclass(slots=True)
class Applied:
    """What an entry came to: for the store, and for whoever listens."""

    position: int
    at: int
    first: int = 0
    """The number of the first change."""
    events: dict[str, EventRows] = field(default_factory=dict)
    """Events by name."""
    records: list[Any] = field(default_factory=list)
    """What else is for the store."""
    identity: list[IdentityChange] = field(default_factory=list)
    changes: Changes = field(default_factory=lambda: NONE)
    refused: list[Refused] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    scores: list[Scored] = field(default_factory=list)
    """What models say of some customers."""
    definitions: list[dict[str, Any]] | None = None
    """The definitions that are in force from here on, where others were before."""

    @property
    def size(self) -> int:
        """How much there is to write, in records; a change takes a small part of the memory of one."""
        scored = sum(len(one.customers) for one in self.scores)
        return 1 + sum(map(len, self.events.values())) + len(self.records) + scored + len(self.changes) // 32

    @property
    def numbers(self) -> range:
        """The numbers of the changes."""
        return range(self.first, self.first + len(self.changes))

    def rows(self, name: str) -> EventRows:
        """The events of a name."""
        found = self.events.get(name)
        if found is None:
            found = self.events[name] = EventRows()
        return found


@dataclass(slots=True)
class Counts:
    """What became of calls, since the start."""

    calls: int = 0
    duplicates: int = 0
    unidentified: int = 0
    rejected: int = 0
    erased: int = 0
    changes: int = 0


class Core:
    """The state that the log moves.

    Args:
        engine: memberships.
        identities: who is who.
        types: of traits and properties.
        seen: the message ids that are known.
        schema: zone and purposes; its traits and events are those of ``types``.
        tombstones: who was erased; None where nobody ever was.
        extend: brings in what definitions name and the engine doesn't hold yet.
    """

    def __init__(
        self,
        engine: Engine,
        identities: Identities,
        types: Types,
        seen: Seen,
        schema: Schema,
        tombstones: Tombstones | None = None,
        extend: Callable[[Mapping[str, Definition]], None] = lambda definitions: None,
    ) -> None:
        self.extend = extend
        self.tombstones = tombstones
        self.engine = engine
        self.identities = identities
        self.types = types
        self.seen = seen
        self.schema = replace(schema, traits=types.traits, events=types.events)
        self.counts = Counts()
        self.last = 0
        """The number of the last change that was published."""
        self.grown = 0
        """How often something unknown came and the types grew."""
        self._commands: dict[str, Callable[[Command, Applied], Changes]] = {
            "start": self._start,
            "define": self._define,
            "list": self._list,
            "merge": self._merge,
            "unmerge": self._unmerge,
            "refresh": self._refresh,
            "score": self._score,
        }

    def schema_with(self, definitions: Mapping[str, Definition]) -> Schema:
        """What definitions may name at present, these segments among it."""
        lists = frozenset(self.engine.state.lists) | self.schema.lists
        return replace(self.schema.fixed(), segments=definitions, lists=lists)

    def apply(self, position: int, kind: int, payload: bytes, calls: Sequence[Call] | None = None) -> Applied:
        """Let an entry take effect.

        Args:
            position: of the entry.
            kind: of the entry.
            payload: of the entry.
            calls: the decoded calls, where they are at hand still.
        """
        if kind == CALLS:
            applied = self._calls(position, tracking.decode(payload) if calls is None else calls)
        elif kind == TICK:
            at = decode_tick(payload)
            applied = Applied(position, at)
            self._number(applied, self.engine.advance(at, MOST_BY_TICK))
        else:
            assert kind == COMMAND
            command = decode_command(payload)
            applied = Applied(position, max(command.at, self.engine.now))
            self._number(applied, self.engine.advance(applied.at))
            self._number(applied, self._commands[command.what](command, applied))
        if len(applied.changes):
            applied.first = max(position << SHIFT, self.last + 1)
            self.last = applied.numbers[-1]
            self.counts.changes += len(applied.changes)
        return applied

    def _number(self, applied: Applied, changes: Changes) -> None:
        """Put changes behind those that are there, in an order that doesn't hang on where customers stand in memory."""
        if len(changes):
            found = changes.ordered()
            applied.changes = Changes.joined((applied.changes, found)) if len(applied.changes) else found

    # ------------------------------------------------------------ calls

    def _calls(self, position: int, calls: Sequence[Call]) -> Applied:
        at = max([self.engine.now, *(call.received for call in calls)])
        applied = Applied(position, at)
        self._number(applied, self.engine.advance(at, 0 if self.engine.behind else MOST_BY_CALLS))
        self.counts.calls += len(calls)
        if self.tombstones is not None:
            kept = [call for call in calls if not self.is_erased(call)]
            self.counts.erased += len(calls) - len(kept)
            calls = kept
        changes: list[Changes] = []
        known, fits, groups = self.identities.known, self.types.fits, applied.events
        for call, new in zip(calls, self.seen.add_all([call.message_id for call in calls]), strict=True):
            if not new:
                self.counts.duplicates += 1
                continue
            if call.marks:
                applied.issues += issues_of(call)
            # An event as nearly all are: of somebody known, of known types, and nothing else in the call.
            name = call.name
            if name and not call.consents and EARLIEST <= call.ts < LATEST and fits(name, call.properties or NOTHING):
                customer = known(call.identifiers)
                if customer is not None:
                    rows = groups.get(name)
                    if rows is None:
                        rows = applied.rows(name)
                    rows.customers.append(customer)
                    rows.bearers.append(call)
                    continue
            changes += self._call(call, applied)
        found = self._settled(applied)
        self._number(applied, Changes.joined((*changes, found)) if changes else found)
        return applied

    def _settled(self, applied: Applied) -> Changes:
        if not applied.events:
            return because_of(applied, self.engine.settle(), None, self.engine)
        events = together(self.engine, applied.events, self.types.events)
        return because_of(applied, self.engine.apply_events(events), events, self.engine)

    def is_erased(self, call: Call) -> bool:
        """Whether it is an old call of somebody who was erased since: a retry, or one that waited."""
        if self.tombstones is None:
            return False
        read = self.identities.normalised
        return any(
            self.tombstones.covers(value, kind, at=call.ts)
            for kind, raw in self._identifiers(call).items()
            if (value := read(kind, raw)) is not None
        )

    def _call(self, call: Call, applied: Applied) -> list[Changes]:
        if call.kind == "alias":
            resolution = self.identities.alias(
                call.identifiers[tracking.PREVIOUS_ID],
                call.identifiers.get(tracking.USER_ID, ""),
                call.ts,
                call.received,
            )
        else:
            resolution = self.identities.resolve(self._identifiers(call), call.ts, call.received)
        changes = self._identity(list(resolution.changes), applied)
        if resolution.customer is None:
            self.counts.unidentified += 1
            self._refuse(call, "nobody", "no identifier of the call can say who it is of", applied)
            return changes
        records = []
        for record in tracking.records(call, resolution.customer, self.schema):
            if self._is_known(record):
                continue
            reason = reason_against(record) or self._no_room(record) or self._of_a_model(record)
            if reason is None:
                records.append(record)
            else:
                self.counts.rejected += 1
                self._refuse(call, "rejected", reason, applied)
        self._take(records, applied)
        return changes

    def _identifiers(self, call: Call) -> Mapping[str, Any]:
        """What a call names its sender by: its identifiers, and the traits that the rules take for such."""
        if call.kind != "identify" or not call.traits:
            return call.identifiers
        traits = call.traits
        named = {kind: traits[trait] for trait, kind in self.identities.rules.traits.items() if trait in traits}
        return {**named, **call.identifiers} if named else call.identifiers

    def _is_known(self, record: Any) -> bool:
        """Whether it says again what the customer's consent is: banners send it with every call."""
        if not isinstance(record, ConsentChange):
            return False
        row = self.engine.state.people.known(record.customer)
        table = self.engine.state.consents.get(record.purpose)
        told = [] if row is None or table is None else table.entries(row)
        return bool(told) and told[-1].get("granted") is record.granted

    def _no_room(self, record: Any) -> str | None:
        """Why there is no room for what is new: write keys are public, and each name of an event becomes a table."""
        if not isinstance(record, Event):
            return None
        known = self.types.events.get(record.name)
        if known is None:
            return f"there are {MOST_NAMES} names of events already" if len(self.types.events) >= MOST_NAMES else None
        if len(known) >= MOST_PROPERTIES and any(name not in known for name in record.properties):
            return f"the event has {MOST_PROPERTIES} properties already"
        return None

    def _of_a_model(self, record: Any) -> str | None:
        """Why a call can't say it: write keys are public, and a score is what a model says."""
        if not isinstance(record, TraitChange) or record.scope != "customer" or record.name not in self.schema.scores:
            return None
        return f"{record.name} is a score, which models and computations write"

    def _refuse(self, call: Call, code: str, reason: str, applied: Applied) -> None:
        applied.refused.append(Refused(code, reason, tracking.readable(call), call.received))

    def _identity(self, changes: list[IdentityChange], applied: Applied) -> list[Changes]:
        applied.identity += changes
        found: list[Changes] = []
        for change in changes:
            if isinstance(change, Merged):
                found.append(self.engine.merge(change.kept, change.gone))
            elif isinstance(change, Separated):
                found.append(self.engine.unmerge(change.gone))
        return found

    def _take(self, records: list[Any], applied: Applied) -> None:
        if self.types.learn(records):
            self.grown += 1
            self.engine.learn(self.schema)
        for record in records:
            if isinstance(record, Event):
                rows = applied.rows(record.name)
                rows.customers.append(record.customer)
                rows.bearers.append(record if record.received else replace(record, received=applied.at))
            else:
                feed(self.engine, record, self.types.traits, self.types.events)
                applied.records.append(record)

    # ------------------------------------------------------------ commands

    def _start(self, command: Command, applied: Applied) -> Changes:
        """The server started: whatever time and files changed meanwhile is published now.

        Where the state was read from a snapshot, the entry itself let time pass, and nothing else can have changed.
        """
        if command.body.get("resumed"):
            return self.engine.warm()
        return Changes.joined((self.engine.build(), self.engine.warm()))

    def _define(self, command: Command, applied: Applied) -> Changes:
        """Other definitions are in force."""
        applied.definitions = command.body["definitions"]
        definitions = {d["slug"]: definition_from_document(d) for d in command.body["definitions"]}
        self.extend(definitions)
        self.engine.define(definitions)
        return self.engine.settle("definition changed")

    def _list(self, command: Command, applied: Applied) -> Changes:
        """Customers were put on a list, or taken off it."""
        body = command.body
        records = [ListChange(body["list"], one, body["added"], applied.at, applied.at) for one in body["customers"]]
        self._take(records, applied)
        return self.engine.settle(f"list {body['list']}")

    def _merge(self, command: Command, applied: Applied) -> Changes:
        """A person says that two customers are one."""
        body = command.body
        changes = self.identities.merge(body["kept"], body["gone"], body["because"], applied.at, applied.at)
        return Changes.joined((*self._identity(list(changes), applied), self.engine.settle("merged")))

    def _unmerge(self, command: Command, applied: Applied) -> Changes:
        """A merge is taken back."""
        changes = self.identities.unmerge(command.body["gone"], applied.at, applied.at)
        return Changes.joined((*self._identity(list(changes), applied), self.engine.settle("unmerged")))

    def _refresh(self, command: Command, applied: Applied) -> Changes:
        """Thresholds were worked out anew."""
        for value, rank, num, den in command.body["thresholds"]:
            self.engine.refresh(value, rank, applied.at, Fraction(int(num), int(den)))
        return self.engine.settle("threshold refreshed")

    def _score(self, command: Command, applied: Applied) -> Changes:
        """A model says of some customers what isn't what it said before."""
        scored = Scored.of(command.body).fitting(self.types, self.schema.scores)
        fresh = {one.name: Kind(one.kind) for one in scored.columns if one.name not in self.types.traits}
        names = frozenset(one.name for one in scored.columns)
        if fresh or not names <= self.schema.scores:
            self.types.traits.update(fresh)
            self.schema = replace(self.schema, scores=self.schema.scores | names)
            self.grown += 1
            self.engine.learn(self.schema)
        take(scored, self.engine, applied.position)
        applied.scores.append(scored)
        return self.engine.settle(SCORED)
