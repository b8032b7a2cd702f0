"""What commands print: tables, JSON, progress. Colours and bars only on a terminal."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.clock import from_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shoal.workspace import Workspace

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON for machines.")
as_of_option = click.option("--as-of", metavar="WHEN", help="A date or instant, as 2017-09-01; now by default.")


@contextmanager
def opened(ctx: click.Context) -> Iterator[Workspace]:
    """The workspace that ``--workspace`` names, or the one at or above this folder."""
    from shoal.workspace import find_root, open_workspace

    given = ctx.find_root().obj
    with open_workspace(find_root(Path(given) if given else Path())) as workspace:
        yield workspace


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | Path):
        return str(value)
    if hasattr(value, "to_pylist"):
        return value.to_pylist()
    raise TypeError(type(value).__name__)


def when(instant: int | None) -> str:
    """``2017-12-31 23:59 UTC``, or a dash."""
    return "–" if instant is None else f"{from_instant(instant):%Y-%m-%d %H:%M} UTC"


def plain(value: object) -> str:
    """A value as people write it: no trailing zeros, instants to the minute."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value)


def money(value: Any, currency: str) -> str:
    """``1,234,567 USD``; a dash where there is none."""
    return "–" if value is None else f"{float(value):,.0f} {currency}"


def share(value: Any) -> str:
    """``12.3 %``; a dash where there is none."""
    return "–" if value is None else f"{100 * float(value):.1f} %"


def signed(value: int | None) -> str:
    """``+120``, ``-3``, ``0``; a dash where there is none."""
    return "–" if value is None else f"{value:+,}" if value else "0"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), title: str = "") -> None:
    """A table: ruled on a terminal, plain aligned columns elsewhere. ``right`` are the columns of numbers."""
    if not sys.stdout.isatty():
        _plain_table(head, rows, right, title)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for index, name in enumerate(head):
        out.add_column(name, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        out.add_row(*(Text(cell) for cell in row))
    Console().print(out)


def _plain_table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int], title: str) -> None:
    if title:
        click.echo(title)
    widths = [max(len(line[i]) for line in (head, *rows)) for i in range(len(head))]
    for line in (head, ["-" * w for w in widths], *rows):
        cells = [
            cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


@contextmanager
def progress(label: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, a line a step elsewhere. Call with (what, done, total); total 0 where it isn't known."""
    if not sys.stderr.isatty():
        yield _line_progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def step(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(f"{label} {what}", total=total or None)
            bar.update(tasks[what], completed=done, total=total or None)

        yield step


def _line_progress() -> Callable[[str, int, int], None]:
    seen: set[str] = set()

    def step(what: str, done: int, total: int) -> None:
        if what not in seen:
            seen.add(what)
            click.echo(f"  {what} …", err=True)

    return step
