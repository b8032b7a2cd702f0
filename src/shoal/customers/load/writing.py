"""Writing what was judged: events first, since traits without a time count from when their owner was first seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.customers.bulk import WriteSummary, admit, insert_events
from shoal.customers.load import events, groups, reconcile, spending, together, traits
from shoal.customers.writer import write_consents, write_events, write_traits
from shoal.lang import calendar
from shoal.sql.encode import offset_case
from shoal.sql.tables import MESSAGE_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shoal.customers.load.events import EventPlan
    from shoal.customers.load.prepare import Prepared
    from shoal.customers.load.traits import ConsentPlan, TraitPlan
    from shoal.lang.schema import PropertyType
    from shoal.sql.registry import EventType, Registry, Trait
    from shoal.sql.store import Store


@dataclass(frozen=True, slots=True)
class Pen:
    """What every write of a load bears."""

    store: Store
    registry: Registry
    zone: str
    now: int
    load: int


@dataclass(frozen=True, slots=True)
class _Pages:
    """A source's files: the earlier versions of those that were read again, and all others."""

    old: tuple[int, ...]
    others: tuple[int, ...]


def write(pen: Pen, prepared: Sequence[Prepared]) -> int:
    """Write all sources.

    Returns:
        How many customers were seen for the first time.
    """
    new = sum(_write_events(pen, one) for one in prepared)
    new += sum(_write_traits(pen, one) for one in prepared)
    for one in prepared:
        new += _write_consents(pen, one)
        _write_spend(pen, one)
    reconcile.refresh_first_seen(pen.store, pen.registry, pen.now)
    return new


def _pages(one: Prepared) -> _Pages:
    read = {f.file.path for f in one.rows.staged.files}
    old = tuple(v for f in one.state.files if f.file.path in read for v in f.versions)
    return _Pages(old, tuple(n for n in one.state.all_numbers if n not in old))


# ------------------------------------------------------------------- events


def _write_events(pen: Pen, one: Prepared) -> int:
    pages, new = _pages(one), 0
    by_name: dict[str, list[EventPlan]] = {}
    for plan in one.events:
        by_name.setdefault(plan.map.event, []).append(plan)
    for event in pen.registry.events.values():
        if event.name not in by_name:
            one.report.retired += reconcile.retire_all(pen.store, event.table, pages.old, pen.now)
    plain = [p for p in one.events if not (pages.old or p.identified) and p.days]
    fresh = [
        _fresh(pen, one, plans, pages)
        for named in by_name.values()
        if (plans := [p for p in named if all(p is not q for q in plain)])
    ]
    for name, written in [*(pair for pairs in fresh for pair in pairs), *_write_plain(pen, plain)]:
        one.report.events[name] = one.report.events.get(name, 0) + written.written
        one.report.same_id += written.duplicates
        new += written.customers
    if not pages.old:
        _count_mistyped(pen, one)
    return new


def _count_mistyped(pen: Pen, one: Prepared) -> None:
    """Note cells that aren't of their column's type, for each property that comes from the column."""
    wrong = {column.casefold(): many for column, many in one.report.mistyped.items()}
    for map_ in one.spec.events:
        for prop, take in map_.properties.items():
            many = wrong.get(take.column.casefold(), 0)
            if many and map_.event in pen.registry.events:
                pen.registry.count_mistyped(pen.registry.events[map_.event], prop, many)


def _fresh(pen: Pen, one: Prepared, plans: list[EventPlan], pages: _Pages) -> list[tuple[str, WriteSummary]]:
    """Write the events of one name; straight from the rows where nothing has to be compared."""
    several = len(one.rows.staged.files) > 1 and any(p.identified for p in plans)
    known = bool(pages.old) or (bool(pages.others) and any(p.identified for p in plans))
    if not several and not known:
        return [(p.map.event, _write_straight(pen, p)) for p in plans]
    relations = []
    for plan in plans:
        relations.append((plan, f"load_events_{plan.number}"))
        event = events.build(pen.store, plan, pen.registry, relations[-1][1])
    table = f"load_fresh_{plans[0].number}"
    _gather(pen.store, event, relations, table)
    one.report.same_id += reconcile.newest_only(pen.store, table)
    target = reconcile.event_target(pen.store, event.table)
    keep = one.spec.removed == "keep"
    stay = ""
    if pages.old and groups.spare(pen.store, plans, "load_spared"):
        stay = f"message_id IN (SELECT message_id FROM load_spared EXCEPT SELECT message_id FROM {table})"
    one.report.retired += reconcile.keep_unchanged(
        pen.store, target, table, pages.old, now=pen.now, keep=keep, stay=stay
    )
    tables = [e.table for e in pen.registry.events.values()]
    one.report.retired += reconcile.correct_others(pen.store, target, table, pages.old, pages.others, tables, pen.now)
    columns = {name: (p.type, p.col) for name, p in event.properties.items()}
    return [(event.name, _write(pen, event.name, table, columns))]


def _write_straight(pen: Pen, plan: EventPlan) -> WriteSummary:
    relation = f"load_events_{plan.number}"
    events.build(pen.store, plan, pen.registry, relation)
    return _write(pen, plan.map.event, relation, plan.columns)


def _write_plain(pen: Pen, plans: list[EventPlan]) -> Iterator[tuple[str, WriteSummary]]:
    """Write rows that were judged and have no message id, without looking at them again."""
    made = [(plan, events.build(pen.store, plan, pen.registry, f"load_events_{plan.number}")) for plan in plans]
    crowds = _crowds(plans)
    for table, crowd in crowds.items():
        customer = crowd[0].customer
        pen.store.execute(
            f"CREATE OR REPLACE TEMP TABLE {table}_seen AS SELECT customer_raw, ts, CAST(customer_raw AS VARCHAR) AS id "
            f"FROM (SELECT {customer} AS customer_raw, min({crowd[0].instant}) AS ts FROM {crowd[0].relation} "
            f"WHERE {together.taken(crowd)} GROUP BY customer_raw)"
        )
    seen = " UNION ALL ".join(f"SELECT id, ts FROM {table}_seen" for table in crowds)
    new = admit(pen.store, f"({seen})", "id", str(pen.now)) if plans else 0
    for table in crowds:
        pen.store.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT s.customer_raw AS id_, c.key AS key_ "
            f"FROM {table}_seen AS s JOIN customers AS c USING (id)"
        )
    keys = {id(plan): table for table, crowd in crowds.items() for plan in crowd}
    for plan, event in made:
        yield event.name, WriteSummary(_insert_plain(pen, plan, event, keys[id(plan)]), customers=new)
        new = 0


def _crowds(plans: list[EventPlan]) -> dict[str, list[EventPlan]]:
    """Plans whose rows, customers and times come from the same columns are looked through together."""
    found: dict[tuple[str, str, str], list[EventPlan]] = {}
    for plan in plans:
        found.setdefault((plan.relation, plan.customer, plan.instant), []).append(plan)
    return {f"load_keys_{crowd[0].number}": crowd for crowd in found.values()}


def _insert_plain(pen: Pen, plan: EventPlan, event: EventType, keys: str) -> int:
    low, high = min(first for _, first, _, _ in plan.days), max(last for _, _, last, _ in plan.days)
    return insert_events(
        pen.store,
        event,
        f"load_events_{plan.number}",
        {event.properties[name].col: sql for name, (_, sql) in plan.columns.items()},
        offset=offset_case(calendar.zone(pen.zone), "ts", low, high),
        received=str(pen.now),
        load=pen.load,
        keys=f"{keys} ON id_ = customer_raw",
        named=False,
    )


def _write(pen: Pen, event: str, relation: str, columns: dict[str, tuple[PropertyType, str]]) -> WriteSummary:
    return write_events(pen.store, event, relation, columns, zone=pen.zone, received=pen.now, load=pen.load)


def _gather(store: Store, event: EventType, relations: list[tuple[EventPlan, str]], table: str) -> None:
    """The events of several mappings in one table with the physical columns of the event's table."""
    types = {str(row[0]): str(row[1]) for row in store.rows(f"DESCRIBE {event.table}")}
    parts = []
    for plan, relation in relations:
        chosen = []
        for name, prop in event.properties.items():
            sql = plan.columns[name][1] if name in plan.columns else "NULL"
            chosen.append(f", CAST({sql} AS {types[prop.col]}) AS {prop.col}")
        parts.append(
            f"SELECT customer_id, customer_id AS owner_id, ts, message_id, origin{''.join(chosen)} FROM {relation}"
        )
    store.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {' UNION ALL '.join(parts)}")


# ------------------------------------------------------------------- traits


def _write_traits(pen: Pen, one: Prepared) -> int:
    pages = _pages(one)
    mapped = {(plan.map.scope, name) for plan in one.traits for name in plan.map.take}
    for trait in list(pen.registry.traits.values()):
        if (trait.scope, trait.name) not in mapped:
            one.report.retired += reconcile.retire_all(pen.store, trait.table, pages.old, pen.now)
    by_trait: dict[tuple[str, str, bool], list[TraitPlan]] = {}
    for plan in one.traits:
        for name in plan.map.take:
            if traits.is_empty(plan, name) and pen.registry.trait(name, plan.map.scope) is None:
                continue
            by_trait.setdefault((plan.map.scope, name, plan.map.at is not None), []).append(plan)
    return sum(_write_trait(pen, one, plans, name, pages) for (_, name, _), plans in by_trait.items())


def _write_trait(pen: Pen, one: Prepared, plans: list[TraitPlan], name: str, pages: _Pages) -> int:
    map_ = plans[0].map
    kind, declared = traits.trait_kind(next((p for p in plans if not traits.is_empty(p, name)), plans[0]), name)
    trait = pen.registry.ensure_trait(name, kind, map_.scope, declared=declared)
    table = "load_trait"
    traits.build_trait(pen.store, plans, name, trait, table)
    keep = one.spec.removed == "keep"
    target = reconcile.trait_target(trait.table, trait.scope)
    spared = traits.spared(pen.store, plans, target.owners, "load_spared") if pages.old else ""
    if map_.at:
        stay = reconcile.unsaid(target, table, spared)
        one.report.retired += reconcile.keep_unchanged(
            pen.store, target, table, pages.old, now=pen.now, keep=keep, stay=stay
        )
    else:
        one.report.retired += _settle_trait_snapshot(pen, trait, table, () if keep else pages.old, spared)
    _drop_needless_nulls(pen, trait, table)
    done = write_traits(pen.store, name, trait.kind, table, received=pen.now, load=pen.load, scope=map_.scope)
    shown = f"account.{name}" if map_.scope == "account" else name
    one.report.traits[shown] = one.report.traits.get(shown, 0) + done.written
    return done.customers


def _settle_trait_snapshot(pen: Pen, trait: Trait, table: str, old: tuple[int, ...], spared: str) -> int:
    """Reduce a snapshot to what it changes, give each change its time, and retire owners that vanished."""
    owners = "accounts" if trait.scope == "account" else "customers"
    there = f"owner NOT IN (SELECT o.key FROM {owners} AS o JOIN {table} AS f ON f.owner_id = o.id)"
    there += f" AND owner NOT IN ({spared})" if spared else ""
    retired = reconcile.retire_all(pen.store, trait.table, old, pen.now, there)
    first = traits.first_seen(pen.registry, trait.scope)
    pen.store.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT f.owner_id, CASE WHEN c.owner_id IS NULL "
        f"THEN least(coalesce(s.first_ts, {pen.now}), {pen.now}) ELSE greatest({pen.now}, c.ts) END AS ts, "
        f"f.message_id, f.origin, f.value FROM {table} AS f "
        f"LEFT JOIN ({traits.current_trait(trait)}) AS c ON c.owner_id = f.owner_id "
        f"LEFT JOIN ({first}) AS s ON s.owner_id = f.owner_id WHERE f.value IS DISTINCT FROM c.value"
    )
    return retired


def _drop_needless_nulls(pen: Pen, trait: Trait, table: str) -> None:
    """A missing value clears a trait; where there was none before, there is nothing to clear."""
    pen.store.execute(
        f"DELETE FROM {table} WHERE value IS NULL AND rowid IN (SELECT f.rid FROM (SELECT rowid AS rid, owner_id, "
        "ts, min(CASE WHEN value IS NOT NULL THEN ts END) OVER (PARTITION BY owner_id) AS first_known "
        f"FROM {table}) AS f LEFT JOIN (SELECT owner_id, min(ts) AS ts FROM ({traits.current_trait(trait)}) GROUP BY 1) "
        "AS c USING (owner_id) WHERE c.owner_id IS NULL AND (f.first_known IS NULL OR f.ts < f.first_known))"
    )


# ------------------------------------------------------------------- consent and spend


def _write_consents(pen: Pen, one: Prepared) -> int:
    pages, new = _pages(one), 0
    if not one.consents:
        one.report.retired += reconcile.retire_all(pen.store, "consents", pages.old, pen.now)
    by_form: dict[bool, list[ConsentPlan]] = {}
    for plan in one.consents:
        by_form.setdefault(plan.map.at is not None, []).append(plan)
    old = () if one.spec.removed == "keep" else pages.old
    for dated, plans in by_form.items():
        table = "load_consent"
        traits.build_consents(pen.store, plans, table)
        spared = traits.spared(pen.store, plans, "customers", "load_spared") if pages.old else ""
        if dated:
            stay = reconcile.unsaid(reconcile.CONSENTS, table, spared)
            one.report.retired += reconcile.keep_unchanged(
                pen.store, reconcile.CONSENTS, table, pages.old, now=pen.now, keep=not old, stay=stay
            )
        else:
            one.report.retired += _settle_consent_snapshot(pen, table, old, spared)
        done = write_consents(pen.store, table, received=pen.now, load=pen.load)
        one.report.consents += done.written
        new += done.customers
    return new


def _settle_consent_snapshot(pen: Pen, table: str, old: tuple[int, ...], spared: str) -> int:
    """As for traits: only what changed, from when the customer was first seen or else from now."""
    there = (
        f"(customer, purpose) NOT IN (SELECT (o.key, f.purpose) FROM customers AS o JOIN {table} AS f "
        "ON f.customer_id = o.id)"
    )
    there += f" AND customer NOT IN ({spared})" if spared else ""
    retired = reconcile.retire_all(pen.store, "consents", old, pen.now, there)
    current = (
        "SELECT o.id AS customer_id, t.purpose, t.granted, t.ts FROM consents AS t JOIN customers AS o "
        "ON o.key = t.customer WHERE t.retired IS NULL QUALIFY row_number() OVER (PARTITION BY t.customer, t.purpose "
        f"ORDER BY t.ts DESC, {MESSAGE_ID} DESC) = 1"
    )
    pen.store.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT f.customer_id, f.purpose, f.granted, f.message_id, f.origin, "
        f"CASE WHEN c.customer_id IS NULL THEN least(coalesce(s.first_ts, {pen.now}), {pen.now}) "
        f"ELSE greatest({pen.now}, c.ts) END AS ts FROM {table} AS f LEFT JOIN ({current}) AS c "
        "ON c.customer_id = f.customer_id AND c.purpose = f.purpose "
        f"LEFT JOIN ({traits.first_seen(pen.registry, 'customer')}) AS s ON s.owner_id = f.customer_id "
        "WHERE f.granted IS DISTINCT FROM c.granted"
    )
    return retired


def _write_spend(pen: Pen, one: Prepared) -> None:
    pages = _pages(one)
    if not one.spend:
        one.report.retired += reconcile.retire_all(pen.store, "spend", pages.old, pen.now)
        return
    table, keep = "load_spend", one.spec.removed == "keep"
    spending.build(pen.store, one.spend, table)
    one.report.retired += reconcile.keep_unchanged(pen.store, reconcile.SPEND, table, pages.old, now=pen.now, keep=keep)
    ((written,),) = pen.store.rows(
        "INSERT INTO spend (source, day, amount, channel, campaign, impressions, clicks, origin, received, load) "
        f"SELECT source, day, amount, channel, campaign, impressions, clicks, origin, {pen.now}, {pen.load} "
        f"FROM {table} ORDER BY day"
    )
    one.report.spend = int(written)
