"""Parts of the report as documents, so that a page shows what the report says, in the same words and charts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from shoal.views import theme
from shoal.views.charts.render import to_spec
from shoal.views.report.page import Brief, Card, Column, Figure, Fold, Head, Hint, Section, Table, cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shoal.views.report.facts import Facts
    from shoal.workspace.opening import Workspace

    Told = dict[str, Any]

_NUMERIC = frozenset({"count", "share", "money", "change", "bar", "decimal", "times", "figure", "spark"})


def facts_of(workspace: Workspace, at: int | None = None, **found: Any) -> Facts:
    """As much of a report's facts as one of its sections looks at; gathering all of them would take a minute.

    Args:
        workspace: names the currency and the zone.
        at: the instant; now by default.
        found: what the section looks at.
    """
    config = workspace.config
    said = {
        "name": config.name, "at": workspace.now() if at is None else at, "zone": config.zone, "rule": config.revenue,
        "currency": config.revenue.currency,
    }  # fmt: skip
    return cast("Facts", SimpleNamespace(**said, **found))


def told(section: Section | None) -> Told:
    """A section, JSON-ready, with its charts drawn for a desk and for a phone: what they rest on is worked out once.

    Args:
        section: of a report; None is an empty one.
    """
    if section is None:
        return {"title": "", "lead": "", "blocks": []}
    return {"title": section.title, "lead": section.lead, "blocks": blocks_of(section.blocks)}


def blocks_of(blocks: Iterable[Any]) -> list[Told]:
    """Parts of a report, JSON-ready."""
    return [_block(block) for block in blocks]


def drawn(chart: Any, rows: Sequence[Mapping[str, Any]] = (), heads: Mapping[str, str] | None = None) -> Told:
    """A chart's definition, with the rows behind it."""
    return {"spec": to_spec(chart), "rows": [dict(row) for row in rows], "heads": dict(heads or {})}


def _block(block: Any) -> Told:
    match block:
        case Figure():
            wide = block.draw(theme.HALF if block.half else theme.WIDE)
            return {
                "kind": "chart", "id": block.id, "alt": block.alt, "note": block.note, "half": block.half,
                "narrow": to_spec(block.draw(theme.NARROW)), **drawn(wide, block.rows),
            }  # fmt: skip
        case Table():
            return _table(block)
        case Hint():
            return {"kind": "hint", "text": block.text}
        case Head():
            return {"kind": "head", "text": block.text}
        case Fold():
            entries = [[name, list(said)] for name, said in block.entries]
            return {"kind": "fold", "summary": block.summary, "entries": entries}
        case str():
            return {"kind": "text", "text": block}
    return _group(block)


def _group(block: Sequence[Any]) -> Told:
    if block and isinstance(block[0], Card):
        cards = [{"label": c.label, "value": c.value, "detail": c.detail, "more": c.more} for c in block]
        return {"kind": "cards", "cards": cards}
    return {"kind": "briefs", "briefs": [_brief(one) for one in block if isinstance(one, Brief)]}


def _brief(one: Brief) -> Told:
    return {
        "title": one.title, "kicker": one.kicker, "figures": [list(pair) for pair in one.figures],
        "said": [list(pair) for pair in one.said], "rule": one.rule, "checks": list(one.checks),
    }  # fmt: skip


def _table(block: Table) -> Told:
    columns = [{"head": c.head, "number": c.form in _NUMERIC, "form": c.form, "hint": c.hint} for c in block.columns]
    rows = [[_cell(column, row) for column in block.columns] for row in block.rows]
    return {"kind": "table", "id": block.id, "columns": columns, "rows": rows, "empty": block.empty, "note": block.note}


def _cell(column: Column, row: Mapping[str, Any]) -> Told:
    value = row.get(column.key)
    note = "" if not column.note else str(row.get(column.note) or "")
    if column.form == "spark":
        return {"spark": [] if value is None else list(value), "note": note}
    return {"text": cell(value, column.form), "note": note}


__all__ = ["blocks_of", "drawn", "facts_of", "told"]
