"""A dashboard as one HTML file that asks nothing of the network: it can be mailed and kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from shoal.views import words as w
from shoal.views.dashboards.markdown import to_lines
from shoal.views.dashboards.sheet import cell, titled
from shoal.views.report.page import Card, Column, Figure, Hint, Page, Section, Shown, Table, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.views.dashboards.answers import Answer, Filled
    from shoal.views.dashboards.definition import Dashboard, Tile
    from shoal.views.dashboards.sheet import Heading


def html(dashboard: Dashboard, filled: Filled, head: Heading) -> str:
    """The page of a dashboard with its answers: figures first in their line, then each tile a section."""
    answers = [(number, tile, filled.answers[number]) for number, tile in dashboard.placed()]
    defined = {one.title: one.definition for _, _, one in answers if one.definition}
    return render(Page(
        title=dashboard.title,
        subtitle=" ".join(part for part in (dashboard.description, f"{head.name}. {filled.filters}.") if part),
        findings=[],
        sections=list(_sections(answers, head)),
        method=[("As of", f"{w.stamp(head.at, head.zone)}. Only what happened up to then counts."), *defined.items()],
        foot="Made by Shoal. This file asks nothing of the network: it can be mailed and kept.",
    ))  # fmt: skip


def _sections(answers: list[tuple[int, Tile, Answer]], head: Heading) -> Iterator[Section]:
    cards: list[Card] = []
    for number, tile, answer in answers:
        if answer.figure is not None and not answer.missing:
            cards.append(_card(answer))
            continue
        if cards:
            yield Section(f"figures-{number}", "At a glance", "", (tuple(cards),))
            cards = []
        yield _section(number, tile, answer, head)
    if cards:
        yield Section("figures", "At a glance", "", (tuple(cards),))


def _card(answer: Answer) -> Card:
    one = answer.figure
    assert one is not None
    against = f"{one.change}; before: {one.before}" if one.change and one.before else one.before
    more = "; ".join(part for part in (answer.n, one.interval and f"95{w.HARD}%: {one.interval}", one.target) if part)
    return Card(answer.title, one.value, "; ".join(part for part in (answer.sub, against) if part), more)


def _section(number: int, tile: Tile, answer: Answer, head: Heading) -> Section:
    name, note = f"tile-{number}", ". ".join(part.rstrip(".") for part in (answer.n, answer.note) if part)
    if tile.kind == "text":
        return Section(name, tile.title or "Note", "", tuple(to_lines(tile.asks["text"])))
    if answer.missing:
        return Section(name, answer.title, "", (Hint(f"{answer.missing} {answer.fix}".strip()),))
    if answer.chart is None:
        return Section(name, answer.title, answer.sub, (_table(name, answer, note, head),))
    rows = [{one.head or one.key: row.get(one.key) for one in answer.heads} for row in answer.rows]
    safe = re.sub(r"\W+", "-", answer.title).strip("-").lower()[:40]

    def draw(width: int) -> Any:
        return titled(answer, width)

    return Section(name, answer.title, "", (Figure(f"{safe}-{number}", draw, rows, answer.title, note),))


_FORMS: dict[str, Any] = {"count": "count", "share": "share", "text": "text"}


def _table(name: str, answer: Answer, note: str, head: Heading) -> Table:
    columns = [Column(one.key, one.head, _FORMS.get(one.form, "figure")) for one in answer.heads]
    rows = []
    for row in answer.rows:
        told = dict(row)
        for one in answer.heads:
            value = row.get(one.key)
            if one.form not in _FORMS:
                number = value if isinstance(value, int | float) else 0.0
                told[one.key] = Shown(cell(value, one.form, head), float(number))
        rows.append(told)
    return Table(f"{name}-table", columns, rows, note=note)
