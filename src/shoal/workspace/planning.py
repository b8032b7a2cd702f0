"""The tracking plan of an open workspace: which version is in force, its types in the store, a first one, what broke it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.clock import iso
from shoal.config import PLAN_NAME, PlannedEvent, TrackingPlan, parse_plan, read_plan, write_plan
from shoal.errors import ConfigError, StoreError, unwritten
from shoal.insight.definitions import write_atomically
from shoal.lang.schema import Kind, PropertyType
from shoal.shapes import ACCOUNT_PREFIX
from shoal.sql.registry import ACCOUNT, CUSTOMER, Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from shoal.config import Config
    from shoal.sql.registry import EventType
    from shoal.sql.store import Store
    from shoal.workspace.opening import Workspace

KIND = "plan"
SLUG = "tracking-plan"
ENOUGH = 100
"""So many events must bear a property, and none be without it, before it is proposed as required."""
_HEAD = """\
# What senders agreed on. Calls that don't fit are kept, marked and counted; with strict: true they are refused.
# A property may be written as {type: number, required: true}. What isn't named here may be of any type, save events.
"""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A type that the plan or ``traits:`` fixes; ``owner`` is the event's name, or the scope of a trait."""

    place: str
    owner: str
    name: str
    type: PropertyType

    @property
    def of_event(self) -> bool:
        """Whether it is a property, or with an empty name the event itself."""
        return self.place.startswith("events.")


class Plans:
    """The tracking plan of a workspace.

    Args:
        workspace: open.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace
        self.current: TrackingPlan | None = None
        """The plan in force, as of the last ``look``."""
        self.fault: ConfigError | None = None
        """Why the file can't be accepted, where it can't; its last good version is in force then."""
        self.conflicts: tuple[ConfigError, ...] = ()
        """Types of the plan that can't be, as of the last ``look``."""

    @property
    def path(self) -> Path:
        """Where the plan stands, whether it is there or not."""
        return self._ws.config.root / PLAN_NAME

    @property
    def faults(self) -> tuple[ConfigError, ...]:
        """All that isn't in force as it is written."""
        return (*((self.fault,) if self.fault is not None else ()), *self.conflicts)

    def look(self, store: Store | None = None, now: int | None = None) -> bool:
        """Read the file anew; says whether another plan is in force since. The last good version is kept in the store.

        Args:
            store: a connection that nobody else uses meanwhile; the workspace's own by default.
            now: the workspace's instant, asked for where it isn't given.
        """
        before, store = self.current, store or self._ws.store
        try:
            found = read_plan(self._ws.config.root)
        except ConfigError as error:
            self.fault = error
            self.current = before or _last_good(store)
        else:
            self.fault, self.current = None, found
            if self._ws.served is None:
                # Beside a server it is the server who keeps versions.
                _record(store, found, self._ws.now() if now is None else now)
        self.conflicts = tuple(self._wanted(Registry.load(store))[1])
        return self.current != before

    # ------------------------------------------------------------ types

    def lacking(self, store: Store | None = None) -> bool:
        """Whether the store has other types than the plan says, so that ``declare`` has something to do."""
        registry = Registry.load(store or self._ws.store)
        return any(_differs(registry, wanted) for wanted in self._wanted(registry)[0])

    def declare(self) -> bool:
        """Give the plan's types to the store, so that the first value that comes doesn't decide; says whether any was new.

        What is stored under another type is converted; what can't be becomes missing.
        """
        store = self._ws.store
        registry = Registry.load(store)
        lacking = [one for one in self._wanted(registry)[0] if _differs(registry, one)]
        if lacking:
            with store.transaction():
                for one in lacking:
                    if one.of_event:
                        registry.ensure_event(one.owner, {one.name: one.type} if one.name else {}, declared=True)
                    else:
                        registry.ensure_trait(one.name, one.type.kind, one.owner, declared=True)
            self._ws.refresh()
        return bool(lacking)

    def _wanted(self, registry: Registry) -> tuple[list[_Wanted], list[ConfigError]]:
        """The types to declare, and why others can't be."""
        plan, config = self.current or TrackingPlan(), self._ws.config
        found: list[_Wanted] = []
        conflicts: list[ConfigError] = []
        mapped = {(e, p.casefold()) for e, p in _typed_by_sources(config)}
        for name, event in plan.events.items():
            found.append(_Wanted(f"events.{name}", name, "", PropertyType(Kind.TEXT)))
            for prop, kind in event.properties.items():
                one = _Wanted(f"events.{name}.properties.{prop}", name, prop, kind)
                if (name, prop.casefold()) in mapped and _differs(registry, one):
                    conflicts.append(self._conflict(one, "types: of its source in shoal.yaml says another"))
                else:
                    found.append(one)
        for full, trait in {**config.traits, **plan.traits}.items():
            scope, bare = (
                (ACCOUNT, full.removeprefix(ACCOUNT_PREFIX)) if full.startswith(ACCOUNT_PREFIX) else (CUSTOMER, full)
            )
            one = _Wanted(f"{'accounts' if scope == ACCOUNT else 'traits'}.{bare}", scope, bare, PropertyType(trait))
            known = registry.trait(bare, scope)
            if known is not None and known.score and known.kind is not trait:
                conflicts.append(self._conflict(one, f"Shoal itself works this trait out, as {known.kind.value}"))
            elif ("", bare.casefold()) in mapped and _differs(registry, one):
                conflicts.append(self._conflict(one, "types: of its source in shoal.yaml says another"))
            else:
                found.append(one)
        return found, conflicts

    def _conflict(self, one: _Wanted, why: str) -> ConfigError:
        return ConfigError(
            f"{one.name!r} can't be of the type {one.type.kind.value}: {why}.",
            place=f"{self.path}: {one.place}",
            fix="Write the same type in both places.",
        )

    # ------------------------------------------------------------ a first plan

    def propose(self) -> str:
        """A first plan, as YAML: the events and traits that the workspace has seen, with their types.

        A property that none of at least 100 events is without is proposed as required.
        """
        registry = Registry.load(self._ws.store)
        events = {
            name: PlannedEvent(
                {n: p.type for n, p in sorted(event.properties.items())}, tuple(_always(self._ws.store, event))
            )
            for name, event in sorted(registry.events.items())
        }
        traits = {
            (ACCOUNT_PREFIX if scope == ACCOUNT else "") + name: trait.kind
            for (scope, name), trait in sorted(registry.traits.items())
            if not trait.score and not trait.unset and not (scope == CUSTOMER and name.startswith(ACCOUNT_PREFIX))
        }
        text = _HEAD + write_plan(TrackingPlan(events, traits))
        parse_plan(text)
        return text

    def write(self, text: str) -> Path:
        """Write the plan's file, which mustn't be there yet.

        Raises:
            ConfigError: there is one, or the text can't be accepted.
            StoreError: it can't be written.
        """
        if self.path.exists():
            raise ConfigError(
                "There is a tracking plan already.",
                place=str(self.path),
                fix="See a proposal with: shoal plan propose --print",
            )
        parse_plan(text)
        try:
            write_atomically(self.path, text)
        except OSError as error:
            raise unwritten(error, self.path) from error
        return self.path

    # ------------------------------------------------------------ what broke it

    def issues(self, store: Store | None = None) -> list[dict[str, Any]]:
        """What calls showed against the plan since the store was made, the most frequent first.

        Each with ``event``, ``property`` (None where it is about the event), ``problem``, ``times``, ``first``, ``last``
        and one ``sample``.
        """
        rows = (store or self._ws.store).rows(
            "SELECT event, property, problem, times, first, last, sample FROM issues_seen "
            "ORDER BY times DESC, event, property, problem"
        )
        head = ("event", "property", "problem", "times", "first", "last", "sample")
        found = [dict(zip(head, row, strict=True)) for row in rows]
        return [{**one, "first": iso(one["first"]), "last": iso(one["last"])} for one in found]


def _typed_by_sources(config: Config) -> Iterator[tuple[str, str]]:
    """Event (empty for traits) and name of what a source of ``shoal.yaml`` gives a type."""
    for spec in config.sources.values():
        typed = {column.casefold() for column in spec.types}
        for event in spec.events:
            yield from ((event.event, p) for p, take in event.properties.items() if take.column.casefold() in typed)
        for traits in spec.traits:
            yield from (("", name) for name, column in traits.take.items() if column.casefold() in typed)


def _differs(registry: Registry, one: _Wanted) -> bool:
    """Whether the store hasn't what is wanted, or has it otherwise."""
    if one.of_event:
        event = registry.events.get(one.owner)
        if event is None or not one.name:
            return event is None
        prop = event.properties.get(one.name)
        return prop is None or prop.kind is not one.type.kind or not one.type.fields.keys() <= prop.fields.keys()
    trait = registry.trait(one.name, one.owner)
    return trait is None or trait.unset or trait.kind is not one.type.kind


def _always(store: Store, event: EventType) -> Iterable[str]:
    """The properties that no event in force is without, where there are enough of them to say so."""
    properties = sorted(event.properties.values(), key=lambda p: p.name)
    counts = ", ".join(["count(*)", *(f"count({p.col})" for p in properties)])
    (row,) = store.rows(f"SELECT {counts} FROM {event.table} WHERE retired IS NULL")
    total, *held = row
    return [p.name for p, many in zip(properties, held, strict=True) if total >= ENOUGH and many == total]


# --------------------------------------------------------------------------- versions


def _newest(store: Store) -> tuple[int, str, bool]:
    rows = store.rows(
        "SELECT version, document, removed FROM definitions WHERE kind = ? AND slug = ? ORDER BY version DESC LIMIT 1",
        [KIND, SLUG],
    )
    return rows[0] if rows else (0, "null", True)


def _last_good(store: Store) -> TrackingPlan | None:
    _, document, removed = _newest(store)
    if removed:
        return None
    try:
        return parse_plan(json.loads(document))
    except (ConfigError, StoreError):
        return None


def _record(store: Store, plan: TrackingPlan | None, received: int) -> None:
    """Append a version where the plan is another than before, or is gone."""
    version, last, removed = _newest(store)
    document = "null" if plan is None else json.dumps(write_plan(plan), ensure_ascii=False)
    if (plan is None and removed) or (document == last and not removed):
        return
    digest = hashlib.sha256(document.encode()).hexdigest()
    store.execute(
        "INSERT INTO definitions VALUES (?, ?, ?, ?, ?, ?, ?)",
        [KIND, SLUG, version + 1, document, digest, received, plan is None],
    )
