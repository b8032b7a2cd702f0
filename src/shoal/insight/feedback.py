"""Feedback by segment: NPS and CSAT from the newest answer of each customer, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.customers.identity import merged
from shoal.insight.sales import number_column
from shoal.shapes import SURVEY_ANSWERED
from shoal.sql.registry import Registry
from shoal.sql.tables import MESSAGE_ID
from shoal.stats.intervals import net_promoter, wilson

if TYPE_CHECKING:
    import pyarrow as pa

    from shoal.insight.evaluation import Evaluation
    from shoal.sql.store import Store

PROMOTER_FROM, PASSIVE_FROM, SATISFIED_FROM = 9, 7, 4
_MICRO = 1_000_000

DEFINITIONS = {
    "nps": "The share of answers of 9 or 10 less the share of 0 to 6, times 100; the newest answer of each customer.",
    "csat": "The share of answers of 4 or 5 on a scale of 1 to 5; the newest answer of each customer.",
}


def feedback(store: Store, evaluation: Evaluation) -> pa.Table:
    """NPS and CSAT of every segment and of everyone, each from its own answers (never averaged over segments).

    Returns:
        Columns: measure (``nps`` or ``csat``), slug (NULL: everyone), n (answers), value, low, high (95 %: adjusted
        Wald for NPS, Wilson for CSAT), definition. Segments without an answer are left out; no rows without surveys.
    """
    import pyarrow as pa

    event = Registry.load(store).events.get(SURVEY_ANSWERED)
    records: list[dict[str, Any]] = []
    for measure in DEFINITIONS:
        column = number_column(event, measure) if event is not None else None
        if event is not None and column is not None:
            records += _answers(store, evaluation, measure, event.table, column)
    text, number = pa.string(), pa.float64()
    fields = [
        ("measure", text),
        ("slug", text),
        ("n", pa.int64()),
        ("value", number),
        ("low", number),
        ("high", number),
        ("definition", text),
    ]
    return pa.Table.from_pylist(records, schema=pa.schema(fields))


def _answers(store: Store, evaluation: Evaluation, measure: str, table: str, column: str) -> list[dict[str, Any]]:
    answers = merged(
        store,
        f"SELECT customer, ts, {MESSAGE_ID} AS mid, {column} AS score FROM {table} "
        f"WHERE retired IS NULL AND ts <= {evaluation.at:d} AND {column} IS NOT NULL",
    )
    tests = ["true", *(f'coalesce(e."{name}", false)' for name in evaluation.columns.values())]
    high, low = (PROMOTER_FROM, PASSIVE_FROM) if measure == "nps" else (SATISFIED_FROM, SATISFIED_FROM)
    best, rest = f"score >= {high * _MICRO}", f"score >= {low * _MICRO} AND score < {high * _MICRO}"
    counts = ", ".join(
        f"count(CASE WHEN {test} AND {part} THEN 1 END)"
        for test in tests
        for part in (best, rest, f"score < {low * _MICRO}")
    )
    (row,) = store.rows(
        f"SELECT {counts} FROM {evaluation.table} e JOIN (SELECT customer, score FROM ({answers}) "
        "QUALIFY row_number() OVER (PARTITION BY customer ORDER BY ts DESC, mid DESC) = 1) a ON a.customer = e.customer"
    )
    slugs: list[str | None] = [None, *evaluation.columns]
    return [
        _figure(measure, slug, *row[3 * i : 3 * i + 3]) for i, slug in enumerate(slugs) if sum(row[3 * i : 3 * i + 3])
    ]


def _figure(measure: str, slug: str | None, up: int, middle: int, down: int) -> dict[str, Any]:
    n = up + middle + down
    estimate = net_promoter(up, middle, down) if measure == "nps" else wilson(up, n)
    return {"measure": measure, "slug": slug, "n": n, **estimate._asdict(), "definition": DEFINITIONS[measure]}
