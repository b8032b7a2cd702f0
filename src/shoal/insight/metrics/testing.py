"""A metric tried on the cases of its file: the same engine that works out its figures, over a store of those few rows."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from math import isclose
from typing import TYPE_CHECKING, Any

from shoal.clock import to_instant
from shoal.customers.values import kind_of
from shoal.customers.writer import write_records
from shoal.errors import DefinitionError, ShoalError, did_you_mean, nearest
from shoal.lang import calendar
from shoal.lang.references import event_names, references
from shoal.lang.schema import Kind
from shoal.shapes import ACCOUNT_PREFIX, Event, RevenueRule, SessionRule, TraitChange
from shoal.sql.duck import create_store
from shoal.sql.registry import ACCOUNT, CUSTOMER, Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shoal.customers.writer import Record
    from shoal.insight.metrics.cases import Case, CaseEvent
    from shoal.insight.metrics.definition import Metric
    from shoal.lang.calendar import Zone
    from shoal.lang.nodes import Node
    from shoal.lang.schema import Schema
    from shoal.sql.store import Store

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case.

    Args:
        metric: the slug of the metric.
        case: what was asked.
        value: the figure that was found.
        n: the customers behind it.
        fault: why the case couldn't be tried.
    """

    metric: str
    case: Case
    value: float | None = None
    n: int | None = None
    fault: ShoalError | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure is what the case says."""
        if self.fault is not None or (self.case.n is not None and self.case.n != self.n):
            return False
        if self.value is None or self.case.value is None:
            return self.value is None and self.case.value is None
        return isclose(self.value, self.case.value, rel_tol=1e-9, abs_tol=self.case.within)

    @property
    def sentence(self) -> str:
        """What was expected and what was found."""
        if self.fault is not None:
            return str(self.fault)
        asked = self.case.n is not None
        expected = _told(self.case.value, self.case.n if asked else None)
        return expected if self.holds else f"expected {expected}, found {_told(self.value, self.n if asked else None)}"

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "metric": self.metric, "name": self.case.name, "place": self.case.place, "holds": self.holds,
            "expected": {"value": self.case.value, "n": self.case.n},
            "found": None if self.fault else {"value": self.value, "n": self.n},
            "fault": None if self.fault is None else str(self.fault),
        }  # fmt: skip


def _told(value: float | None, n: int | None) -> str:
    figure = "no figure" if value is None else f"{value:.12g}"
    return figure if n is None else f"{figure} of {n} customers" if n != 1 else f"{figure} of 1 customer"


@dataclass(frozen=True, slots=True)
class Ground:
    """What cases are tried with: the workspace's names, types and rules, and none of its data.

    Args:
        schema: what metrics may name.
        zone: the IANA name of the time zone.
        revenue: what counts as revenue and as an order.
        sessions: what a session is.
    """

    schema: Schema
    zone: str
    revenue: RevenueRule
    sessions: SessionRule


def tried(metric: Metric, ground: Ground) -> Iterator[Outcome]:
    """A metric tried on each case of its file."""
    for case in metric.cases:
        try:
            yield _tried(metric, case, ground)
        except ShoalError as fault:
            yield Outcome(metric.slug, case, fault=fault)


def _tried(metric: Metric, case: Case, ground: Ground) -> Outcome:
    from shoal.insight.metrics.figures import Question, figures
    from shoal.insight.metrics.periods import period_of
    from shoal.insight.models.asof import AsOf
    from shoal.insight.sessions import NAME, derived

    zone = calendar.zone(ground.zone)
    records: list[Record] = [*_events(case, ground.schema, zone), *_traits(case, ground.schema, zone)]
    period = period_of((case.day - _EPOCH).days, case.grain, zone, 0)
    period = period_of(period.first, case.grain, zone, period.end)
    store = create_store(":memory:", zone=ground.zone, now=0, threads=1)
    with ExitStack() as stack:
        stack.callback(store.close)
        names = _names(metric, ground.schema)
        made = NAME in names and NAME not in {event.name for event in case.events}
        _teach(store, metric, names - ({NAME} if made else set()), case, ground.schema)
        write_records(store, records, zone=zone, received=0)
        known = stack.enter_context(AsOf(store, ground.revenue, ground.schema, period.end))
        if made:
            known = stack.enter_context(derived(known, ground.sessions))
        (row,) = figures(known, Question([metric], [period], case.grain)).to_pylist()
    return Outcome(metric.slug, case, row["value"], row["n"])


# --------------------------------------------------------------------------- types


def _parts(metric: Metric, schema: Schema) -> Iterator[Node]:
    """The values and conditions of a metric, and those of the segments that they name."""
    waiting = list(metric.nodes)
    seen: set[str] = set()
    while waiting:
        yield (node := waiting.pop())
        new = {slug for slug in references(node).segments if slug in schema.segments} - seen
        seen |= new
        waiting += [schema.segments[slug].where for slug in sorted(new)]


def _names(metric: Metric, schema: Schema) -> set[str]:
    found = (name for node in _parts(metric, schema) for name in references(node).events)
    return {name for written in found for name in event_names(written, schema.events)}


def _teach(store: Store, metric: Metric, names: set[str], case: Case, schema: Schema) -> None:
    """Make the tables of all that the metric and the case name, so that what didn't happen there is nothing, not unknown."""
    registry = Registry.load(store)
    with store.transaction():
        for name in sorted(names | {event.name for event in case.events}):
            registry.ensure_event(name, schema.events[name])
        traits = {name for node in _parts(metric, schema) for name in references(node).traits}
        traits |= {name for trait in case.traits for name in _full(trait.values, trait.scope)}
        for name in sorted(traits & schema.traits.keys()):
            of_account = name.startswith(ACCOUNT_PREFIX)
            registry.ensure_trait(
                name.removeprefix(ACCOUNT_PREFIX) if of_account else name,
                schema.traits[name],
                ACCOUNT if of_account else CUSTOMER,
                score=name in schema.scores,
            )


def _full(names: Iterable[str], scope: str) -> list[str]:
    return [ACCOUNT_PREFIX + name if scope == ACCOUNT else name for name in names]


# --------------------------------------------------------------------------- rows


def _events(case: Case, schema: Schema, zone: Zone) -> Iterator[Event]:
    for event in case.events:
        known = schema.events.get(event.name)
        if known is None:
            raise _unknown(case, "event", event.name, schema.events, event.line)
        typed = {name: _property(case, event, name, value, schema, zone) for name, value in event.properties.items()}
        yield Event(event.customer, event.name, _instant(event.at, zone), typed)


def _property(case: Case, event: CaseEvent, name: str, value: Any, schema: Schema, zone: Zone) -> Any:
    known = schema.events[event.name]
    if name not in known:
        raise _unknown(case, f'property of "{event.name}"', name, known, event.line)
    return _typed(case, name, value, known[name].kind, event.line, zone)


def _traits(case: Case, schema: Schema, zone: Zone) -> Iterator[TraitChange]:
    for trait in case.traits:
        for name, full in zip(trait.values, _full(trait.values, trait.scope), strict=True):
            if full not in schema.traits:
                raise _unknown(case, "trait", full, schema.traits, trait.line)
            value = _typed(case, full, trait.values[name], schema.traits[full], trait.line, zone)
            yield TraitChange(trait.owner, name, value, _instant(trait.since, zone), scope=trait.scope)


def _unknown(case: Case, what: str, name: str, known: Mapping[str, Any], line: int) -> DefinitionError:
    return case.fault(f"There is no {what} {name!r}.", line, did_you_mean(nearest(name, known)))


def _typed(case: Case, name: str, value: Any, kind: Kind, line: int, zone: Zone) -> Any:
    """A value in the form in which records bear it; a value of another type would be missing in silence."""
    if kind is Kind.INSTANT and isinstance(value, date):
        value = _aware(value, zone)
    shown = kind_of(value)
    if shown is None and value in (None, []):
        return value
    if shown is not kind:
        said = "a value of no type" if shown is None else shown.value
        fix = f'Put it in quotes: "{value}".' if kind is Kind.TEXT else None
        raise case.fault(f"{name!r} is {kind.value}, and this is {said}.", line, fix)
    return value


def _aware(moment: date | datetime, zone: Zone) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone.rules)


def _instant(moment: date | datetime, zone: Zone) -> int:
    if isinstance(moment, datetime):
        return int(to_instant(_aware(moment, zone)))
    return zone.starts((moment - _EPOCH).days)


__all__ = ["Ground", "Outcome", "tried"]
