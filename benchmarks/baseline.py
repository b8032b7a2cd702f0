"""One query per segment: how segments are usually worked out, written by hand and straight, over the store's own tables.

The queries have what helps them: the store's tables of events, one an event type, sorted by customer; one pass over each
that a segment needs, with only the rows of its longest window, and only the traits that it names. Two baselines:

- *members*: reads the same tables as Shoal's engine and leaves what it leaves, the members in a table;
- *favoured*: reads traits from a table with a column a trait that is made before the clock starts, and only counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.segments import Age, All, Among, Behaved, Measure, Not, SignedUp, Some, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.segments import Tree
    from shoal.sql.registry import Registry

DAY = 86_400_000_000
TRAITS = ("country", "plan", "age", "signup")


def traits_of(tree: Tree) -> list[str]:
    """The traits that a segment names."""
    named = {Age: "age", SignedUp: "signup"}
    found = {leaf.trait if isinstance(leaf, Among) else named.get(type(leaf)) for leaf in leaves(tree)}
    return [name for name in TRAITS if name in found]


def wide(registry: Registry, names: Iterable[str], now: int) -> str:
    """A query with a row a customer and a column a trait, of the values at the instant."""
    joins, columns = "", ""
    for name in names:
        trait = registry.trait(name)
        assert trait is not None
        known = f"retired IS NULL AND ts <= {now}"
        newest = f"SELECT owner, arg_max(value, ts) AS {name} FROM {trait.table} WHERE {known} GROUP BY owner"
        joins += f" LEFT JOIN ({newest}) AS of_{name} ON of_{name}.owner = c.key"
        columns += f", {name}"
    return f"SELECT c.key{columns} FROM customers AS c{joins} WHERE c.first_ts <= {now}"


def query(tree: Tree, tables: Mapping[str, tuple[str, str | None]], now: int, people: str, chosen: str) -> str:
    """The query of a segment's members.

    Args:
        tree: the segment.
        tables: the table and the column of the amount of each event type.
        now: the instant.
        people: a relation of customers with their traits.
        chosen: what to select.
    """
    measures: dict[Measure, str] = {}
    for leaf in leaves(tree):
        if isinstance(leaf, Behaved):
            measures.setdefault(leaf.measure, f"m{len(measures)}")
    joins = ""
    for event in {measure.event: None for measure in measures}:
        asked = {measure: name for measure, name in measures.items() if measure.event == event}
        joins += f" LEFT JOIN ({_grouped(asked, tables[event], now)}) AS {event} ON {event}.customer = wide.key"
    return f"SELECT {chosen} FROM {people} AS wide{joins} WHERE {_condition(tree, measures, now)}"


def _grouped(asked: Mapping[Measure, str], place: tuple[str, str | None], now: int) -> str:
    """One pass over the events of a type; only what all measures need is filtered before."""
    table, amount = place
    days = [measure.days for measure in asked]
    where = f"retired IS NULL AND ts <= {now}"
    longest = None if None in days else max(day for day in days if day is not None)
    if longest is not None:
        where += f" AND ts > {now - longest * DAY}"
    limits = {measure.over for measure in asked}
    if len(limits) == 1 and None not in limits:
        where += f" AND {amount} > {limits.pop()}000000"
    columns = ", ".join(f"{_aggregate(measure, amount, longest, now)} AS {name}" for measure, name in asked.items())
    return f"SELECT customer, {columns} FROM {table} WHERE {where} GROUP BY customer"


def _aggregate(measure: Measure, amount: str | None, longest: int | None, now: int) -> str:
    value = "count(*)" if measure.fn == "count" else f"sum({amount})"
    tests = [] if measure.over is None else [f"{amount} > {measure.over}000000"]
    if measure.days is not None and measure.days != longest:
        tests.append(f"ts > {now - measure.days * DAY}")
    return f"{value} FILTER (WHERE {' AND '.join(tests)})" if tests else value


def _condition(tree: Tree, measures: Mapping[Measure, str], now: int) -> str:
    match tree:
        case All(parts):
            return " AND ".join(f"({_condition(part, measures, now)})" for part in parts)
        case Some(parts):
            return " OR ".join(f"({_condition(part, measures, now)})" for part in parts)
        case Not(part):
            return f"NOT coalesce({_condition(part, measures, now)}, false)"
        case Among(trait, words):
            return f"{trait} IN ({', '.join(repr(word) for word in words)})"
        case Age(operator, limit):
            return f"age {operator} {limit}000000"
        case SignedUp(days):
            return f"signup > {now - days * DAY} AND signup <= {now}"
        case Behaved(measure, operator, limit):
            scale = "" if measure.fn == "count" else "000000"
            return f"coalesce({measures[measure]}, 0) {operator} {limit}{scale}"
