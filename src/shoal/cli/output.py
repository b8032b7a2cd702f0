"""What commands print: tables, JSON, progress. Colours and bars only on a terminal."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from shoal.clock import stopwatch, to_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from shoal.workspace import Workspace

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON for machines.")
as_of_option = click.option("--as-of", metavar="WHEN", help="A date or instant, as 2017-09-01; now by default.")


known_at_option = click.option(
    "--as-known-at", "known_at", metavar="WHEN", help="By what was known then, and the definitions of then."
)

HINTED: ContextVar[str | None] = ContextVar("HINTED", default=None)
"""The folder that ``--workspace`` named, if it was said: commands that are offered say it too, so that they run as printed."""


def hint(text: str) -> str:
    """A text whose commands can be run as they stand: ``shoal load`` with the workspace that was said.

    >>> said = HINTED.set("my shop")
    >>> hint("Next: shoal segments"), hint("shoal init x --from y"), hint("Ask shoal people")
    ("Next: shoal -w 'my shop' segments", 'shoal init x --from y', 'Ask shoal people')
    >>> HINTED.reset(said)
    """
    from shoal.cli import COMMANDS

    folder = HINTED.get()
    if folder is None:
        return text
    names = "|".join(name for name in COMMANDS if name != "init")
    return re.sub(rf"\bshoal (?=(?:{names})\b)", lambda _: f"shoal -w {shlex.quote(folder)} ", text)


NOTHING_LOADED = "Nothing was loaded yet. Begin with: shoal load"


WITH_FAULTS = 7
"""The exit code of a command that did its work, though not all files say what can be accepted."""


def say_faults(workspace: Workspace) -> None:
    """What isn't in force as it was written, on standard error."""
    for fault in workspace.data.faults():
        click.echo(hint(fault), err=True)


def end_with_faults(ctx: click.Context, workspace: Workspace) -> None:
    """Let a script know by the exit code that something isn't in force as it was written."""
    if workspace.data.faults():
        ctx.exit(WITH_FAULTS)


@contextmanager
def opened(ctx: click.Context, *, alone: bool = False) -> Iterator[Workspace]:
    """The workspace that ``--workspace`` names, or the one at or above this folder.

    Where a server has it open, it is worked with through that server, unless it is needed ``alone``.
    """
    from shoal.workspace import find_root

    given = ctx.find_root().obj
    with _waiting(find_root(Path(given) if given else Path()), alone) as workspace:
        ctx.meta[_ZONE] = workspace.config.zone
        yield workspace


_AT_ONCE, _PATIENT = 1.0, 9.0
"""Seconds to wait for another process in silence, and then with a line that says so."""


def _waiting(root: Path, alone: bool) -> Workspace:
    """Open the workspace; whoever has it open is waited for, and named."""
    from shoal.errors import StoreLocked
    from shoal.workspace import open_workspace
    from shoal.workspace.lock import Served

    try:
        return open_workspace(root, wait=_AT_ONCE, alone=alone)
    except StoreLocked as taken:
        if alone and isinstance(taken, Served):
            raise
        click.echo(f"{taken.problem} Waiting for it …", err=True)
        return open_workspace(root, wait=_PATIENT, alone=alone)


def say_unscored(names: Mapping[str, int]) -> None:
    """Which segments nothing can be said of, and from when on; those of one instant together."""
    for since in sorted(set(names.values())):
        which = ", ".join(name for name, ts in names.items() if ts == since)
        click.echo(f"– {which}: not scored before {when(since)}.")


def asked(workspace: Workspace, as_of: str | None) -> int:
    """The instant that ``--as-of`` names; one that is yet to come is told on standard error."""
    at, now = workspace.instant(as_of), workspace.now()
    if as_of is not None and at > now:
        click.echo(
            f"Note: {when(at)} is after now, {when(now)}: this is as if nothing more happened until then.", err=True
        )
    return at


def asked_known(workspace: Workspace, as_of: str | None, known_at: str | None) -> tuple[int, int | None]:
    """The instants that ``--as-of`` and ``--as-known-at`` name; the first is the second's by default."""
    if known_at is None:
        return asked(workspace, as_of), None
    known = workspace.instant(known_at)
    return known if as_of is None else asked(workspace, as_of), known


def as_of_sentence(at: int, known_at: int | None) -> str:
    """Which data an answer is of, without a full stop."""
    return f"As of {when(at)}" if known_at is None else f"As of {when(at)}, as known at {when(known_at)}"


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
    """``2017-12-31 18:59 EST``, in the time zone of the open workspace, or a dash."""
    from shoal.workspace.moments import local_stamp

    return "–" if instant is None else local_stamp(instant, _zone())


def _zone() -> str:
    ctx = click.get_current_context(silent=True)
    return "UTC" if ctx is None else str(ctx.meta.get(_ZONE, "UTC"))


_ZONE = "shoal.zone"


def plain(value: object) -> str:
    """A value as people write it: no trailing zeros, instants to the minute.

    >>> plain(Decimal("51.000000")), plain(12.0), plain(True), plain("51.000")
    ('51', '12', 'yes', '51.000')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, list):
        return ", ".join(plain(one) for one in value)
    if isinstance(value, datetime):
        return when(to_instant(value)) if value.tzinfo else f"{value:%Y-%m-%d %H:%M}"
    return "" if value is None else str(value)


def file_size(path: Path) -> str:
    """``1.2 MB``; in kB where that says more."""
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"


def colourless() -> bool:
    """Whether the reader asked for no colours, or has a terminal that knows none (see no-color.org)."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def width() -> int | None:
    """How many columns a line may take on a terminal; None elsewhere, where lines aren't broken."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def count(value: int | None) -> str:
    """``1,234``; a dash where there is none."""
    return "–" if value is None else f"{value:,}"


def money(value: Any) -> str:
    """``1,234,567``; a dash where there is none."""
    return "–" if value is None else f"{float(value):,.0f}"


def share(value: Any) -> str:
    """``12.3 %``; a dash where there is none."""
    return "–" if value is None else f"{100 * float(value):.1f} %"


def signed(value: int | None) -> str:
    """``+120``, ``-3``, ``0``; a dash where there is none."""
    return "–" if value is None else f"{value:+,}" if value else "0"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    wraps: Sequence[int] = (),
    title: str = "",
) -> None:
    """A table in aligned columns. On a terminal that is too narrow, the cells of some columns run over several lines.

    Args:
        head: the names of the columns.
        rows: the cells.
        right: the columns of numbers.
        wraps: the columns of prose; what must be copied or compared, as ids and numbers, is never broken.
        title: a line above.
    """
    if title:
        click.secho(title, bold=True)
    widths = [max((len(line[i]) for line in (head, *rows)), default=0) for i in range(len(head))]
    _narrow(widths, wraps, width())
    for number, line in enumerate((head, ["─" * w if sys.stdout.isatty() else "-" * w for w in widths], *rows)):
        for cells in _folded(line, widths):
            padded = [
                c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))
            ]
            click.secho("  ".join(padded).rstrip(), bold=True if number == 0 else None)


_LEAST = 12
"""The fewest columns in which prose can be read."""


def _narrow(widths: list[int], wraps: Sequence[int], room: int | None) -> None:
    """Take from the widest columns of prose what is too much for the line."""
    if room is None or not wraps:
        return
    over = sum(widths) + 2 * (len(widths) - 1) - room
    while over > 0:
        widest = max(wraps, key=lambda i: widths[i])
        if widths[widest] <= _LEAST:
            return
        widths[widest] -= 1
        over -= 1


def _folded(line: Sequence[str], widths: Sequence[int]) -> Iterator[list[str]]:
    """The lines that a row takes."""
    parts = [wrap(cell, w) if len(cell) > w else [cell] for cell, w in zip(line, widths, strict=True)]
    for part in zip_longest(*parts, fillvalue=""):
        yield list(part)


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """One bar on a terminal; elsewhere at most a line a second.

    Call with (what, done, total); total 0 where it isn't known.
    """
    if not sys.stderr.isatty():
        yield _line_progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    console = Console(stderr=True, no_color=colourless())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        seen = ""

        def step(what: str, done: int, total: int) -> None:
            nonlocal seen
            if what != seen:
                bar.reset(task, total=None)
                seen = what
            bar.update(task, description=_capital(what), completed=done, total=total or None)

        yield step


_PATIENCE = 1.0
"""Seconds between the lines of a log that say what goes on."""


def _line_progress() -> Callable[[str, int, int], None]:
    told, since = "", stopwatch()

    def step(what: str, done: int, total: int) -> None:
        nonlocal told, since
        if what != told and stopwatch() - since > _PATIENCE:
            told, since = what, stopwatch()
            click.echo(f"  {_capital(what)} …", err=True)

    return step


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
