"""Scores become traits: one recorded write of all that a model says, only where a value changed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.customers.physical import arrow_kind
from shoal.customers.scores import Scores
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from shoal.insight.models.model import Score
    from shoal.sql.store import Store

MICRO = 1_000_000
_WRITTEN = (Kind.NUMBER, Kind.DATE, Kind.TEXT, Kind.TEXTS, Kind.YESNO)
_numbers = itertools.count(1)


def write(
    store: Store,
    by: str,
    scores: Iterable[Score],
    at: int,
    received: int,
    note: Mapping[str, Any],
    *,
    whole: bool = True,
    complete: bool = True,
) -> tuple[dict[str, int], dict[str, str]]:
    """Write scores as traits, in one transaction.

    Args:
        store: the workspace's store.
        by: who says so, as ``model value``: what the same one wrote before and doesn't say any more is cleared.
        scores: the columns.
        at: the instant that they hold from.
        received: the clock's now.
        note: is kept with each trait, as the model's version.
        whole: the columns speak for all customers; else only for their owners.
        complete: they are all that the writer says; else its other traits stay as they are.

    Returns:
        By trait, how many customers got another value; and by trait, why it wasn't written.
    """
    changed: dict[str, int] = {}
    skipped: dict[str, str] = {}
    with store.transaction():
        writer = Scores(store, at, received, by=by)
        for score in scores:
            refusal = writer.refusal(score.name, score.kind)
            if refusal is not None:
                skipped[score.name] = refusal
                continue
            name = f"scores_{next(_numbers)}"
            store.register(name, stored(score))
            try:
                values = f"SELECT owner, value FROM {name}"
                changed[score.name] = writer.write(score.name, score.kind, values, score.says, note, whole=whole)
            finally:
                store.unregister(name)
        writer.finish(clear=complete)
    return changed, skipped


def stored(score: Score) -> pa.Table:
    """The column in the store's form: owner and value, a row an owner.

    Raises:
        ValueError: for a kind that no model writes.
    """
    import pyarrow as pa

    if score.kind not in _WRITTEN:
        raise ValueError(f"No model writes {score.kind.value}.")
    made = arrow_kind(score.kind)
    match score.kind:
        case Kind.NUMBER:
            values = _whole(np.asarray(score.values, dtype=np.float64) * MICRO, made)
        case Kind.DATE:
            values = _whole(np.asarray(score.values, dtype=np.float64), made)
        case Kind.TEXTS:
            values = pa.array([None if v is None else list(v) for v in score.values], made)
        case Kind.YESNO:
            values = pa.array([None if v is None else bool(v) for v in score.values], made)
        case _:
            values = pa.array(list(score.values), made)
    return pa.table({"owner": pa.array(np.asarray(score.owners, dtype=np.int32)), "value": values})


def _whole(values: np.ndarray[Any, Any], kind: Any) -> Any:
    """Whole numbers from floats; what isn't finite, or is too large to be kept, is no value."""
    import pyarrow as pa

    limit = 2.0**31 if kind == pa.int32() else 2.0**63
    sound = np.isfinite(values) & (np.abs(values) < limit)
    whole = np.where(sound, np.rint(np.where(sound, values, 0.0)), 0.0).astype(np.int64)
    return pa.array(whole, pa.int64(), mask=~sound).cast(kind)
