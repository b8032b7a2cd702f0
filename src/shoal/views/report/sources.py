"""Data quality: a line a source, the worst columns, what waits in quarantine, and what revenue holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import words as w
from shoal.views.report.overview import revenue_words
from shoal.views.report.page import Column, Hint, Section, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.customers.quality import Measure, QualityReport
    from shoal.views.report.facts import Facts

_WORST = 10
_BELOW = 0.9
_VERDICTS = {"ok": "good", "warn": "look at it", "stop": "stop"}


def data_quality(facts: Facts) -> Section:
    """How far the data can be trusted."""
    report = facts.data
    money = f"Revenue is in {facts.currency}. It is {_rule(facts)}. {revenue_words(facts)}"
    if not report.measures:
        empty = "Nothing was measured yet: run shoal load, and each source gets its score here."
        return Section("data", "Data quality", "How far the figures below can be trusted.", (Hint(empty), money))
    blocks: list[str | Table] = [_sources(report)]
    worst = list(_worst(report))
    if worst:
        blocks += ["Columns that need a look, the worst first:", _columns(worst)]
    else:
        blocks.append(f"Every column that the mapping uses is at least {w.share(_BELOW)} complete and valid.")
    if facts.quarantine:
        blocks += ["Rows that couldn't be read, by reason. After mending them: shoal quarantine retry", _waiting(facts)]
    return Section("data", "Data quality", _lead(facts), (*blocks, money))


def _rule(facts: Facts) -> str:
    return "the sum of " + w.listed([f"{prop} of “{event}”" for event, prop in facts.rule.events.items()])


def _lead(facts: Facts) -> str:
    scores = {name: score for name, score in facts.data.sources().items() if score is not None}
    if not scores:
        return "How far the figures below can be trusted."
    name = min(scores, key=lambda source: scores[source])
    waiting = sum(row["rows"] for row in facts.quarantine)
    tail = f" {w.many(waiting, 'row')} wait in quarantine." if waiting else " No row is in quarantine."
    if len(scores) == 1:
        return f"{name} scores {w.share(scores[name])}.{tail}"
    return f"{len(scores)} sources; the weakest is {name} with {w.share(scores[name])}.{tail}"


def _sources(report: QualityReport) -> Table:
    columns = (
        Column("source", "Source"),
        Column("score", "Score", "bar", "Validity × (1 + completeness) / 2 over the mapped columns, less bad rows."),
        Column("rows", "Rows", "count"),
        Column("duplicates", "Repeated", "share", "Rows that repeat an earlier one exactly."),
        Column("quarantined", "Quarantined", "share", "Rows put aside since they can't be read."),
        Column("orphans", "Orphans", "share", "Rows whose key a lookup didn't find."),
        Column("freshness", "Days old", "count", "Days from the newest event to now."),
        Column("verdict", "Verdict"),
    )
    rows = [_source(report, name) for name in report.sources()]
    shown = tuple(
        c for c in columns if c.key in ("source", "score", "verdict") or any(r[c.key] is not None for r in rows)
    )
    return Table("sources", shown, rows)


def _source(report: QualityReport, name: str) -> dict[str, Any]:
    measures = report.of(name)
    verdicts = [m.verdict for m in report.measures if m.source == name]
    worst = next((v for v in ("stop", "warn") if v in verdicts), "ok")
    values = {key: measures[key].value if key in measures else None
              for key in ("score", "rows", "duplicates", "quarantined", "orphans", "freshness")}  # fmt: skip
    if values["rows"] is None and "score" in measures:
        values["rows"] = measures["score"].n
    return {"source": name, "verdict": _VERDICTS[worst], **values}


def _worst(report: QualityReport) -> Iterator[dict[str, Measure]]:
    """The measures of the columns that score low or are beyond a threshold."""
    found = [report.of(source, column) for source in report.sources() for column in report.columns(source)]
    bad = [of for of in found if _score(of) < _BELOW or any(m.verdict != "ok" for m in of.values())]
    yield from sorted(bad, key=_score)[:_WORST]


def _score(of: dict[str, Measure]) -> float:
    if "score" in of and of["score"].value is not None:
        return of["score"].value
    values = [of[k].value for k in ("completeness", "validity") if k in of]
    return min((v for v in values if v is not None), default=1.0)


def _columns(worst: list[dict[str, Measure]]) -> Table:
    columns = (
        Column("column", "Column"), Column("source", "Source"), Column("completeness", "Complete", "bar"),
        Column("validity", "Valid", "share", "Cells of the column's type among those that hold something."),
        Column("outliers", "Outliers", "share", "Numbers far beyond the quartiles (three times their distance)."),
        Column("note", "Note"),
    )  # fmt: skip
    rows = []
    for of in worst:
        any_ = next(iter(of.values()))
        values = {key: of[key].value if key in of else None for key in ("completeness", "validity", "outliers")}
        notes = [m.note for m in of.values() if m.note and m.measure != "distinct"]
        rows.append({"column": any_.column, "source": any_.source, "note": " ".join(notes) or None, **values})
    return Table("columns", columns, rows)


def _waiting(facts: Facts) -> Table:
    columns = (
        Column("source", "Source"), Column("code", "Reason"), Column("rows", "Rows", "count"),
        Column("example", "For example"),
    )  # fmt: skip
    return Table("quarantine", columns, list(facts.quarantine))
