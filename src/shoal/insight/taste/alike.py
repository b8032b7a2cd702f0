"""Look-alikes of a segment from what the store knows: how customers buy, what they lean to, and their own traits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused, UnknownName
from shoal.insight.taste.affinity import HALF_LIFE_DAYS, SMOOTHING
from shoal.insight.taste.lines import CATEGORY, PRODUCT, largest, lines, taken
from shoal.insight.taste.lookalike import MIN_SEED, lookalikes
from shoal.lang.schema import Kind
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.taste.lookalike import Lookalikes
    from shoal.sql.registry import Trait

    Floats = npt.NDArray[np.float64]

MOST_ITEMS = 30
MOST_WORDS = 20
MICRO = 1_000_000
_BEHAVIOUR = ("orders", "spend", "recency", "tenure", "pace")


def lookalike(
    known: AsOf,
    members: npt.NDArray[np.bool_],
    *,
    without: Collection[str] = (),
    min_seed: int = MIN_SEED,
    seed: int = 0,
) -> Lookalikes:
    """Rank the customers outside a segment by their likeness to it, with similarity against reach.

    A segment that is defined by a feature is told by that feature: who is like it then is who nearly meets the definition.
    Leave the feature out to find who is like it in everything else.

    Args:
        known: the store as of an instant.
        members: who is in the segment: one yes/no for each of ``known.customers``.
        without: features to leave out: names of traits, ``behaviour`` or ``taste``.
        min_seed: refuse a smaller segment.
        seed: of the folds and samples.

    Raises:
        UnknownName: there is no such feature.
        Refused: the segment or the rest is too small, or nothing is known that tells customers apart.
    """
    from scipy import sparse

    if len(members) != len(known.customers):
        raise Refused(f"Of {counted(len(known.customers), 'customer')}, {len(members):,} were said to be in or out.")
    blocks = dict(_blocks(known))
    for name in without:
        if name not in blocks:
            raise UnknownName("feature", name, blocks)
    columns = [block for name, block in blocks.items() if name not in without]
    if not columns:
        raise Refused("Nothing is known that tells customers apart.", fix="Load orders or traits, or leave out less.")
    return lookalikes(known.customers, sparse.hstack(columns, format="csr"), members, seed=seed, min_seed=min_seed)


def features(known: AsOf) -> list[str]:
    """The names that ``without`` takes, of what there is."""
    return [name for name, _ in _blocks(known)]


def _blocks(known: AsOf) -> Iterator[tuple[str, Any]]:
    """By name, sparse blocks of customers × columns."""
    from scipy import sparse

    if known.first_order is not None:
        yield "behaviour", sparse.csr_matrix(_behaviour(known))
    tastes = _tastes(known)
    if tastes is not None:
        yield "taste", tastes
    for trait in sorted(known.traits, key=lambda t: t.name):
        block = _numbers(known, trait) if trait.kind in (Kind.NUMBER, Kind.DATE) else _words(known, trait)
        if block is not None:
            yield trait.name, block


def _behaviour(known: AsOf) -> Floats:
    """Orders, spend, days since the last and since the first, days between; logarithms, and 0 for who never ordered."""
    table = known.arrow(
        f"SELECT customer, CAST(count(DISTINCT day) AS DOUBLE) AS orders, CAST(sum(revenue) AS DOUBLE) / {MICRO} AS spend, "
        f"CAST({known.today} - max(day) AS DOUBLE) AS recency, CAST({known.today} - min(day) AS DOUBLE) AS tenure, "
        "CAST(max(day) - min(day) AS DOUBLE) / count(DISTINCT day) AS pace "
        f"FROM {known.sales.table} WHERE is_order GROUP BY customer"
    )
    owners = table["customer"].to_numpy()
    plain = [np.log1p(np.maximum(table[name].to_numpy(), 0.0)) for name in _BEHAVIOUR]
    return np.column_stack([known.aligned(owners, column, 0.0) for column in (*plain, np.ones(len(owners)))])


def _tastes(known: AsOf) -> Any | None:
    """The logarithm of the lift of what the base takes most; of what a customer took, so that the block is sparse."""
    from scipy import sparse

    source = lines(known, CATEGORY) or lines(known, PRODUCT)
    if source is None:
        return None
    items, amounts, total, _ = largest(known, source, HALF_LIFE_DAYS, MOST_ITEMS)
    if not items:
        return None
    held = taken(known, source, items, HALF_LIFE_DAYS)
    named = np.flatnonzero(held.column >= 0)
    row, column = held.row[named], held.column[named]
    expected = held.totals[row] * np.asarray(amounts)[column] / total
    lift = np.log((held.amount[named] + SMOOTHING) / (expected + SMOOTHING))
    place, there = known.rows(held.customers)
    cells = there[row]
    return sparse.csr_matrix(
        (lift[cells], (place[row[cells]], column[cells])), shape=(len(known.customers), len(items))
    )


def _numbers(known: AsOf, trait: Trait) -> Any:
    """A number by its rank among those who have it, 0 to 1, and whether there is one: long tails don't matter."""
    from scipy import sparse

    table = known.arrow(f"SELECT owner, value FROM ({known.trait(trait)}) WHERE value IS NOT NULL")
    values = np.asarray(table["value"].to_numpy(), dtype=np.int64)
    _, rank, n = np.unique(values, return_inverse=True, return_counts=True)
    below = np.cumsum(n) - n / 2
    place, there = known.rows(np.asarray(table["owner"].to_numpy()))
    shares = below[rank] / max(len(values), 1)
    rows = np.r_[place[there], place[there]]
    cells = np.r_[shares[there], np.ones(int(there.sum()))]
    columns = np.repeat([0, 1], int(there.sum()))
    return sparse.csr_matrix((cells, (rows, columns)), shape=(len(known.customers), 2))


def _words(known: AsOf, trait: Trait) -> Any | None:
    """A column for each of a trait's commonest words; None where almost everybody has another one, as a name."""
    from scipy import sparse

    if trait.kind not in (Kind.TEXT, Kind.YESNO):
        return None
    table = known.arrow(
        f"SELECT owner, CAST(value AS VARCHAR) AS value FROM ({known.trait(trait)}) WHERE value IS NOT NULL"
    )
    words, column, n = np.unique(
        np.asarray(table["value"].to_pylist(), dtype=str), return_inverse=True, return_counts=True
    )
    if not len(words) or (len(words) > MOST_WORDS and len(words) * 4 > len(column)):
        return None
    kept = np.lexsort((words, -n))[:MOST_WORDS]
    to = np.full(len(words), -1)
    to[kept] = np.arange(len(kept))
    place, there = known.rows(np.asarray(table["owner"].to_numpy()))
    cells = there & (to[column] >= 0)
    ones = np.ones(int(cells.sum()))
    return sparse.csr_matrix((ones, (place[cells], to[column][cells])), shape=(len(known.customers), len(kept)))
