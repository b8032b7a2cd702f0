"""What a report is made of, and how it becomes one HTML file without any external request."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from shoal.destinations.files import defuse
from shoal.views import theme
from shoal.views.charts.render import to_spec, to_svg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import altair as alt

Form: TypeAlias = Literal["text", "count", "share", "money", "change", "bar", "decimal", "times", "figure", "spark"]


class Shown(NamedTuple):
    """A value that is written in its own way, with the number that it is sorted by."""

    text: str
    sort: float

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Card:
    """A figure that stands on its own, with what it was before.

    Args:
        label: what it is.
        value: as it is shown.
        detail: what it was before.
        more: n and interval.
    """

    label: str
    value: str
    detail: str = ""
    more: str = ""


@dataclass(frozen=True, slots=True)
class Brief:
    """What is known of one thing, as a model or a persona, on a card: each sentence with the figure behind it.

    Args:
        title: its name.
        kicker: what stands small above it.
        figures: label and value of what it is measured by.
        said: sentences, each with the figure that it rests on, or an empty text.
        rule: a definition in the segment language, if there is one.
        checks: the reasons behind the figures, to be opened.
    """

    title: str
    kicker: str = ""
    figures: Sequence[tuple[str, str]] = ()
    said: Sequence[tuple[str, str]] = ()
    rule: str = ""
    checks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its key in the rows, its head, and how its values are written.

    ``bar`` writes a share with a bar below it, ``spark`` draws a list of numbers as a small line. ``hint`` explains a
    term, one hover away; ``note`` is the key of a text that stands small below the value.
    """

    key: str
    head: str
    form: Form = "text"
    hint: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be sorted and exported; ``note`` stands below it."""

    id: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    empty: str = "There is nothing to show yet."
    note: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """A head over the blocks that follow, within a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Fold:
    """Details that are opened by a click: a summary, and what each thing in it is, with sentences."""

    summary: str
    entries: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Hint:
    """What to do next, in the place of something that can't be shown yet."""

    text: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart, drawn wide for a desk and paper and narrow for a phone.

    Args:
        id: names the exported files.
        draw: gives the chart for a plot width in pixels.
        rows: the data behind it, for the CSV.
        alt: what the picture shows, for those who don't see it.
        note: a line below it: n, definition, until when the data reaches.
        half: two such figures stand side by side.
    """

    id: str
    draw: Callable[[int], alt.Chart]
    rows: Sequence[Mapping[str, Any]]
    alt: str
    note: str = ""
    half: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report. ``blocks`` are figures, tables, hints, heads, folds, groups of cards or briefs, and paragraphs."""

    id: str
    title: str
    lead: str = ""
    blocks: Sequence[Figure | Table | Hint | Head | Fold | Sequence[Card] | Sequence[Brief] | str] = field(
        default_factory=tuple
    )


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report."""

    title: str
    subtitle: str
    findings: Sequence[str]
    sections: Sequence[Section]
    method: Sequence[tuple[str, str]]
    foot: str


def render(page: Page, progress: Callable[[str, int, int], None] | None = None) -> str:
    """The HTML of a report.

    Args:
        page: what to show.
        progress: is told (what, done, total) as charts are drawn.
    """
    figures = [b for s in page.sections for b in s.blocks if isinstance(b, Figure)]
    drawn: dict[str, dict[str, Any]] = {}
    for index, figure in enumerate(figures):
        drawn[figure.id] = _drawn(figure)
        if progress:
            progress("drawing charts", index + 1, len(figures))
    text: str = _environment().get_template("report.html").render(page=page, drawn=drawn, theme=theme)
    return text


@dataclass(frozen=True, slots=True)
class Alone:
    """A card on its own, for notebooks, which draw it.

    Args:
        title: its name.
        html: its text, with its own style.
    """

    title: str
    html: str

    def __repr__(self) -> str:
        return f"Alone({self.title!r})"

    def _repr_html_(self) -> str:
        return self.html


def alone(brief: Brief) -> Alone:
    """One card outside of a report."""
    return Alone(brief.title, str(_environment().get_template("card.html").render(brief=brief, theme=theme)))


def _drawn(figure: Figure) -> dict[str, Any]:
    wide = to_spec(figure.draw(theme.HALF if figure.half else theme.WIDE))
    return {
        "wide": to_svg(wide),
        "narrow": to_svg(figure.draw(theme.NARROW)),
        "spec": _script_safe(json.dumps(wide, ensure_ascii=False, separators=(",", ":"))),
        "csv": _script_safe(json.dumps(csv_text(figure.rows), ensure_ascii=False)),
    }


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV text with a head."""
    if not rows:
        return ""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({key: defuse(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _script_safe(text: str) -> str:
    """JSON that can stand in a script element, whatever customers or segments are called."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").replace("\u2028", "\\u2028")


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=PackageLoader("shoal.views.report", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters["cell"] = cell
    made.filters["sort_value"] = sort_value
    made.filters["spark"] = lambda values: Markup(sparkline(values))
    made.tests["figure"] = lambda block: isinstance(block, Figure)
    made.tests["sheet"] = lambda block: isinstance(block, Table)
    made.tests["hint"] = lambda block: isinstance(block, Hint)
    made.tests["fold"] = lambda block: isinstance(block, Fold)
    made.tests["head"] = lambda block: isinstance(block, Head)
    made.tests["briefs"] = lambda block: isinstance(block, list | tuple) and bool(block) and isinstance(block[0], Brief)
    made.tests["paragraph"] = lambda block: isinstance(block, str)
    made.filters["raw_svg"] = Markup
    made.filters["raw_json"] = Markup
    return made


def cell(value: Any, form: Form) -> str:
    """A table's value as it is shown; a dash where there is none.

    >>> cell(1234.5, "count"), cell(0.1234, "share"), cell(None, "money"), cell(12, "change"), cell(3.14159, "decimal")
    ('1,234', '12.3 %', '–', '+12', '3.14')
    >>> cell(0.0002, "share"), cell(0, "share")
    ('< 0.1 %', '0.0 %')
    """
    if value is None:
        return "–"
    return _WAYS.get(form, str)(value)


def _change(value: float) -> str:
    return f"{value:+,.0f}".replace("-", "−") if round(value) else "0"


def _share(value: float) -> str:
    """In per cent; a little is never a false zero."""
    return "< 0.1 %" if 0 < value < 0.0005 else f"{100 * value:.1f} %".replace("-", "−")


_WAYS: dict[str, Callable[[Any], str]] = {
    "count": lambda value: f"{float(value):,.0f}",
    "money": lambda value: f"{float(value):,.0f}".replace("-", "−"),
    "share": lambda value: _share(float(value)),
    "bar": lambda value: _share(float(value)),
    "change": lambda value: _change(float(value)),
    "decimal": lambda value: f"{float(value):,.2f}",
    "times": lambda value: f"{float(value):,.1f} ×",
}


def sort_value(value: Any) -> Any:
    """What a cell is sorted and exported by: the number where there is one."""
    if value is None:
        return ""
    if isinstance(value, Shown):
        return value.sort
    return value[-1] if isinstance(value, list) else value


def sparkline(values: Sequence[float]) -> str:
    """A line of 84 × 22 pixels from zero, with a dot at its end, as SVG."""
    top = max(values) or 1
    step = 76 / max(len(values) - 1, 1)
    points = [(round(3 + step * i, 1), round(19 - 15 * v / top, 1)) for i, v in enumerate(values)]
    path = " ".join(f"{x},{y}" for x, y in points)
    x, y = points[-1]
    return (
        f'<svg class="spark" width="84" height="22" viewBox="0 0 84 22" role="img" '
        f'aria-label="from {values[0]:,.0f} to {values[-1]:,.0f}">'
        f'<polyline points="{path}" fill="none" stroke="{theme.ACCENT}" stroke-width="1.4"/>'
        f'<circle cx="{x}" cy="{y}" r="2.2" fill="{theme.ACCENT}"/></svg>'
    )
