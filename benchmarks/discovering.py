"""Discovery on drawn customers, beside what one writes with scikit-learn for the same question.

Columns are of the kinds that customers have: skewed money, counts, shares, days since something with gaps, and
categories. Three in ten differ between planted groups, which overlap; the rest say nothing. Both ways get the same arrays.

The plain way is the usual script: missing numbers become the median, columns are standardised, categories become columns
of 0 and 1, k-means for each k of the range on all rows, the silhouette of a sample chooses k, and ten refits on rows drawn
with replacement say how stable the groups are. It has no test against a cloud without groups, no rule and no names.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measure import Cost

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from shoal.insight.discovery.choice import Settings
    from shoal.insight.discovery.table import Table

SEED = 11
GROUPS = 14
FEWEST, MOST = 12, 20
"""The range of k of both ways, which is the default of discovery."""
BOOTSTRAPS = 10
SILHOUETTE_ROWS = 10_000
NUMBERS = {"money": 10, "count": 10, "share": 6, "days": 6}
CATEGORIES = 8
COLUMNS = sum(NUMBERS.values()) + CATEGORIES
LEVELS = 6
MISSING = 0.1
"""The share of days that are missing: who never did something has no day of it."""
TELLING = 3
"""Of every ten columns, how many differ between groups."""


def groups_of(customers: int) -> NDArray[np.int64]:
    """The planted group of each customer, unequal in size."""
    random = np.random.default_rng([SEED, 0])
    share = np.linspace(2, 1, GROUPS)
    return random.choice(GROUPS, customers, p=share / share.sum())


def drawn(customers: int) -> Table:
    """The customers, equal on each call."""
    from shoal.insight.discovery.table import Categories, Table

    group = groups_of(customers)
    kinds = [kind for kind, many in NUMBERS.items() for _ in range(many)]
    numbers = {f"{kind}_{i}": _number(kind, i, group) for i, kind in enumerate(kinds)}
    levels = tuple(f"level {i}" for i in range(LEVELS))
    categories = {f"category_{i}": Categories(_codes(i, group), levels) for i in range(CATEGORIES)}
    return Table(np.arange(customers), numbers, categories)


def _shift(column: int, group: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float64]:
    """What the group adds to a column, in standard deviations; nothing to most columns."""
    of_group = random.normal(0, 2.0, GROUPS)
    return np.asarray(of_group[group] if column % 10 < TELLING else np.zeros(len(group)))


def _number(kind: str, column: int, group: NDArray[np.int64]) -> NDArray[np.float64]:
    random = np.random.default_rng([SEED, 1, column])
    normal = random.standard_normal(len(group)) + _shift(column, group, random)
    match kind:
        case "money":
            return np.asarray(np.round(np.exp(3.7 + 0.7 * normal), 2), dtype=np.float64)
        case "count":
            return random.poisson(np.exp(1 + 0.5 * normal)).astype(np.float64)
        case "share":
            return np.asarray(1 / (1 + np.exp(-normal)))
        case _:
            days = np.floor(np.exp(4 + 0.8 * normal))
            return np.asarray(np.where(random.random(len(group)) < MISSING, np.nan, days), dtype=np.float64)


def _codes(column: int, group: NDArray[np.int64]) -> NDArray[np.int32]:
    random = np.random.default_rng([SEED, 2, column])
    usual = random.integers(0, LEVELS, GROUPS)[group]
    other = random.integers(0, LEVELS, len(group))
    keeps = random.random(len(group)) < (0.7 if column % 10 < TELLING else 0)
    return np.where(keeps, usual, other).astype(np.int32)


def ours(customers: int, settings: Settings | None = None) -> dict[str, Any]:
    """``discover``, with its defaults by default: evidence, partition, outliers, profiles and rules."""
    from shoal.insight.discovery.choice import Settings
    from shoal.insight.discovery.discover import discover

    table, cost = drawn(customers), Cost()
    with cost.measured():
        found = discover(table, settings or Settings(FEWEST, MOST))
    return {
        **cost.document(),
        "k": found.k,
        "verdict": found.verdict,
        "rand": _agreement(found.places, customers),
        "customers": customers,
        "columns": COLUMNS,
    }


def store(folder: Path) -> dict[str, Any]:
    """``ws.discovery.discover`` on a workspace: reads the columns, finds segments, writes them."""
    import shoal

    cost = Cost()
    with shoal.open(folder) as ws:
        with cost.measured():
            found = ws.discovery.discover().found
        ((customers,),) = ws.store.rows("SELECT count(*) FROM customers")
    return {
        **cost.document(),
        "customers": customers,
        "columns": len({column for column, *_ in found.decisions}),
        "k": len(found.segments),
        "verdict": found.verdict,
    }


def plain(customers: int, ks: range = range(FEWEST, MOST + 1)) -> dict[str, Any]:
    """The usual script, on the same arrays."""
    table, cost, steps = drawn(customers), Cost(), {}
    with cost.measured():
        began = time.process_time()
        rows = _standardised(table)
        steps["prepare"] = time.process_time() - began
        began = time.process_time()
        labels = _best(rows, ks)
        steps["choose k"] = time.process_time() - began
        began = time.process_time()
        stable = _stability(rows, labels)
        steps["refits"] = time.process_time() - began
    return {
        **cost.document(),
        "steps_cpu_s": {step: round(seconds, 1) for step, seconds in steps.items()},
        "k": int(labels.max()) + 1,
        "stability": round(stable, 3),
        "rand": _agreement(labels, customers),
    }


def _standardised(table: Table) -> NDArray[np.float64]:
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = SimpleImputer(strategy="median").fit_transform(np.column_stack(list(table.numbers.values())))
    codes = np.column_stack([column.codes for column in table.categories.values()])
    flags = OneHotEncoder(sparse_output=False).fit_transform(codes)
    return np.hstack([StandardScaler().fit_transform(numbers), flags])


def _best(rows: NDArray[np.float64], ks: range) -> NDArray[np.int32]:
    """The labels of the k with the highest silhouette."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    found: list[tuple[float, NDArray[np.int32]]] = []
    for k in ks:
        labels = KMeans(k, random_state=SEED).fit_predict(rows)
        few = min(SILHOUETTE_ROWS, len(rows))
        found.append((silhouette_score(rows, labels, sample_size=few, random_state=SEED), labels))
    return max(found, key=lambda pair: pair[0])[1]


def _stability(rows: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """The mean adjusted Rand index between the labels and those of refits."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score
    from sklearn.utils import resample

    k, agreed = int(labels.max()) + 1, []
    for draw in range(BOOTSTRAPS):
        again = KMeans(k, random_state=draw).fit(resample(rows, random_state=draw))
        agreed.append(adjusted_rand_score(labels, again.predict(rows)))
    return float(np.mean(agreed))


def _agreement(labels: NDArray[Any], customers: int) -> float:
    """Adjusted Rand index with the planted groups."""
    from sklearn.metrics import adjusted_rand_score

    return round(float(adjusted_rand_score(groups_of(customers), labels)), 3)
