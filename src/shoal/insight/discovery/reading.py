"""The store as of an instant as the table that discovery reads, and what customers did afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.discovery.table import Categories, Floats, Ints, Table
from shoal.insight.experiments import trials
from shoal.insight.models.asof import MICRO
from shoal.lang.nodes import Definition, Known
from shoal.lang.parse import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from shoal.insight.discovery.features import Feature
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import Node
    from shoal.shapes import Trial

MOST_OUTCOMES = 3


@dataclass(frozen=True, slots=True)
class Read:
    """Customers with their columns.

    Args:
        table: under the ids that people know, which don't hang on the order in which they were loaded.
        owners: the key of each row.
    """

    table: Table
    owners: Ints


def read(known: AsOf, features: Sequence[Feature], who: str | None = None) -> Read:
    """The customers who existed, or those of them for whom a condition held, with their features.

    Args:
        known: the store as of an instant.
        features: the columns.
        who: a condition in the segment language; None for everyone.

    Raises:
        Refused: a column can't be had any more, since an event or trait is gone.
        DefinitionError: the condition isn't accepted.
    """
    chosen = np.ones(len(known.customers), dtype=bool) if who is None else holds(known, who)
    found = known.values({f.name: value_of(f.text) for f in features})
    rows = np.flatnonzero(chosen)
    numbers, categories = {}, {}
    for feature in features:
        column = found[feature.name].combine_chunks().take(_indices(rows))
        if feature.is_category:
            categories[feature.name] = _categories(column)
        else:
            values = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
            numbers[feature.name] = values if feature.cap is None else np.minimum(values, feature.cap)
    owners = known.customers[rows].astype(np.int64)
    return Read(Table(names_of(known, owners), numbers, categories), owners)


def value_of(text: str) -> Node:
    """The node of a value's text."""
    node = parse(f"{text} is known")
    assert isinstance(node, Known)
    return node.value


def holds(known: AsOf, where: str) -> np.typing.NDArray[np.bool_]:
    """For each of ``known.customers`` whether a condition held.

    Raises:
        DefinitionError: it isn't accepted.
    """
    from shoal.lang.check import check

    condition = parse(where)
    check(condition, known.schema, text=where)
    return known.holds({"asked": Definition("asked", "asked", condition)})["asked"]


def names_of(known: AsOf, owners: Ints) -> np.typing.NDArray[np.str_]:
    """The ids that people know customers by."""
    if not len(owners):
        return np.zeros(0, dtype=np.str_)
    table = known.arrow("SELECT key, id FROM customers ORDER BY key")
    keys = np.asarray(table["key"].to_numpy(), dtype=np.int64)
    found = table["id"].combine_chunks().take(_indices(np.searchsorted(keys, owners)))
    return np.array(found.to_pylist(), dtype=np.str_)


def _indices(rows: Any) -> pa.Array:
    import pyarrow as pa

    return pa.array(rows, pa.int64())


def _categories(column: pa.Array) -> Categories:
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = pa.DictionaryArray.from_arrays(column.cast(pa.int8()), pa.array(["no", "yes"]))
    words = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    levels = words.dictionary.to_pylist()
    order = sorted(range(len(levels)), key=lambda i: levels[i])
    place = np.empty(len(levels) + 1, dtype=np.int32)
    place[order], place[-1] = np.arange(len(levels)), -1
    codes = np.asarray(words.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    return Categories(place[codes], tuple(levels[i] for i in order))


def outcomes(before: AsOf, after: AsOf, owners: Ints) -> dict[str, Floats]:
    """What customers did between two instants: bought at all, orders, spend; without orders, their commonest events.

    Args:
        before: the store as of the features.
        after: the store as of a later instant.
        owners: keys of the customers, in the order of the columns that come back.

    Returns:
        By name a column, 0 for who did nothing; none where nothing happened in between.
    """
    since = f"ts > {before.at:d}"
    if after.first_order is not None:
        found = after.arrow(
            "SELECT customer, count(*) FILTER (WHERE is_order) AS orders, "
            f"CAST(coalesce(sum(revenue), 0) AS DOUBLE) / {MICRO} AS spend FROM {after.sales.table} WHERE {since} "
            "GROUP BY customer"
        )
        columns = {name: _aligned(owners, found, name) for name in ("orders", "spend")}
        columns["bought"] = (columns["orders"] > 0).astype(np.float64)
    else:
        columns = dict(_of_events(after, since, owners))
    return {name: column for name, column in columns.items() if bool(np.ptp(column) if len(column) else 0)}


def _of_events(after: AsOf, since: str, owners: Ints) -> Any:
    counted = []
    for name in sorted(after.events):
        query = f"SELECT customer, count(*) AS n FROM ({after.event(name)}) WHERE {since} GROUP BY customer"
        counted.append((name, _aligned(owners, after.arrow(query), "n")))
    counted.sort(key=lambda one: (-float(one[1].sum()), one[0]))
    yield from counted[:MOST_OUTCOMES]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Who took part in a campaign whose receivers were drawn by lot.

    Args:
        name: the campaign's.
        begun: the instant of its first event.
        owners: keys of those whose days of outcome are over.
        treated: whether each was drawn to get it; else to get nothing.
        ordered: whether each ordered within its days.
    """

    name: str
    begun: int
    owners: Ints
    treated: np.typing.NDArray[np.bool_]
    ordered: np.typing.NDArray[np.bool_]


def drawn(known: AsOf, trial: Trial) -> Drawn | None:
    """The parts of a trial; None where the data has no such event, no order, or nobody in one of the arms."""
    if known.first_order is None:
        return None
    try:
        with trials.drawn(known, trial) as part:
            found = known.arrow(
                "SELECT t.who, any_value(t.arm) AS arm, count(s.ts) > 0 AS ordered "
                f"FROM {part.table} t LEFT JOIN {known.sales.table} s ON s.customer = t.who AND s.is_order "
                'AND s.ts >= t."begin" AND s.ts <= t.t GROUP BY t.who ORDER BY t.who'
            )
    except Refused:
        return None
    if not (part.treated and part.control) or part.since is None:
        return None
    owners = np.asarray(found["who"].to_numpy(), dtype=np.int64)
    treated, ordered = (np.asarray(found[name].to_numpy(zero_copy_only=False)) for name in ("arm", "ordered"))
    return Drawn(trial.name, part.since, owners, treated == 1, ordered.astype(bool))


def _aligned(owners: Ints, found: pa.Table, column: str) -> Floats:
    out = np.zeros(len(owners))
    if not len(owners):
        return out
    keys = np.asarray(found["customer"].to_numpy(), dtype=np.int64)
    order = np.argsort(owners)
    place = np.minimum(np.searchsorted(owners[order], keys), len(owners) - 1)
    mine = owners[order][place] == keys
    out[order[place[mine]]] = np.asarray(found[column].to_numpy(), dtype=np.float64)[mine]
    return out
