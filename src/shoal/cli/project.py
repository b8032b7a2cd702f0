"""Commands for the workspace as a whole: init, load, quality, report, backup."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shoal.cli.output import (
    NOTHING_LOADED,
    as_json,
    as_of_option,
    asked,
    end_with_faults,
    file_size,
    hint,
    opened,
    plain,
    print_json,
    progress,
    say_faults,
    table,
    when,
)
from shoal.clock import iso
from shoal.config import FILE_NAME

if TYPE_CHECKING:
    from shoal.workspace import Workspace
    from shoal.workspace.data import Loaded


QUALITY_HEAD = ("Source", "Score", "Rows", "Quarantined", "Repeated", "Newest row", "Verdict")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--from", "from_", type=click.Path(exists=True, path_type=Path), required=True, help="The folder of your files."
)
@click.option("--name", help="The workspace's display name; the folder's by default.")
@click.option("--dry-run", is_flag=True, help="Print the proposed shoal.yaml and write nothing.")
@as_json
def init(folder: Path, from_: Path, name: str | None, dry_run: bool, json_: bool) -> None:
    """Look at the files in a folder and propose a workspace FOLDER: shoal.yaml with a mapping, and what is unsure."""
    from shoal.wording import counted
    from shoal.workspace.proposing import propose_workspace

    made = propose_workspace(folder, from_, name=name, write=not dry_run)
    if json_:
        print_json({"path": str(made.path), "unsure": made.unsure, "sources": made.sources, "text": made.text})
        return
    if dry_run:
        click.echo(made.text)
    else:
        click.echo(f"Made {made.path}, with {counted(len(made.sources), 'source')}: {', '.join(made.sources)}.")
    if made.unsure:
        click.echo("\nPlease look at these; the lines in shoal.yaml are marked:")
        for question in made.unsure:
            click.echo(f"  - {question}")
    if not dry_run:
        click.echo(f"\nNext: shoal -w {shlex.quote(str(folder))} load")


@click.command()
@click.option("--only", multiple=True, metavar="SOURCE", help="Load just this source; may be repeated.")
@as_json
@click.pass_context
def load(ctx: click.Context, only: tuple[str, ...], json_: bool) -> None:
    """Load what is new or changed in the sources. Loading twice changes nothing; a failed load leaves all as it was."""
    with opened(ctx) as ws:
        with progress() as step:
            done = ws.data.load(only=only or None, progress=step)
        if json_:
            print_json(done.document())
        else:
            _print_loaded(done)
        end_with_faults(ctx, ws)


def _print_loaded(done: Loaded) -> None:
    for line in done.lines():
        click.echo(hint(line))
    if done.quality_rows:
        table(QUALITY_HEAD, done.quality_rows, right=(1, 2, 3, 4, 5))
    for note in done.notes:
        click.echo(hint(f"Note: {note}"))
    if done.quarantined:
        click.echo(hint("See what is in quarantine, and why: shoal quarantine list"))
    click.echo(hint(f"As of {when(done.at)}. Next: shoal segments, or shoal library for ready ones."))


@click.command()
@click.option("--source", help="Just this source, with each column.")
@as_json
@click.pass_context
def quality(ctx: click.Context, source: str | None, json_: bool) -> None:
    """Show how good the data is: per source, with --source per column, and what calls showed against the plan."""
    from shoal.workspace.data import figure

    with opened(ctx) as ws:
        card = ws.data.quality(source)
        if json_:
            print_json(card)
            return
        if source is None:
            _show_quality(ws)
            return
        if not card:
            click.echo(hint(NOTHING_LOADED))
            return
        rows = [[r["column"] or "(all)", r["measure"], figure(r["measure"], r["value"]), r["verdict"], r["note"] or ""]
                for r in card]  # fmt: skip
        table(["Column", "Measure", "Value", "Verdict", "Note"], rows, right=(2,), wraps=(4,))


def _show_quality(ws: Workspace) -> None:
    """A line a source, and what calls that came live showed."""
    from shoal.cli.plan import issues_table

    lines, issues = ws.data.quality_table(), ws.plan.issues()
    if lines:
        table(QUALITY_HEAD, lines, right=(1, 2, 3, 4, 5))
        click.echo(hint("Each measure and column of one source: shoal quality --source NAME"))
    if issues:
        click.echo(
            "\nCalls that didn't fit the tracking plan:" if lines else "Calls that didn't fit the tracking plan:"
        )
        issues_table(issues)
    if not lines and not issues:
        click.echo(hint(NOTHING_LOADED))


@click.group()
def quarantine() -> None:
    """Show rows that couldn't be read, and try them again."""


@quarantine.command("list")
@click.option("--source", help="Just this source.")
@click.option("--limit", default=20, show_default=True, help="How many rows to show.")
@as_json
@click.pass_context
def quarantined(ctx: click.Context, source: str | None, limit: int, json_: bool) -> None:
    """The rows in quarantine: where from, why, and what they hold."""
    with opened(ctx) as ws:
        counts = ws.data.quarantine_counts(source)
        rows = [row | {"path": _from_here(ws, row["path"])} for row in ws.data.quarantine(source, limit=limit)]
        if json_:
            print_json({"counts": counts, "rows": rows})
            return
        if not counts:
            click.echo("No rows are in quarantine.")
            return
        table(["Source", "Code", "Rows", "Example"], [[c["source"], c["code"], f"{c['rows']:,}", c["example"]] for c in counts],
              right=(2,), wraps=(3,))  # fmt: skip
        click.echo()
        table(["Where", "Code", "Content"], [[f"{r['path']}:{r['line']}", r["code"], r["content"][:120]] for r in rows],
              wraps=(2,))  # fmt: skip
        waiting = sum(c["rows"] for c in counts)
        if waiting > len(rows):
            click.echo(f"{len(rows):,} of {waiting:,} rows are shown; --limit shows more.")
        click.echo(hint("After mending the file or the mapping: shoal quarantine retry"))


def _from_here(ws: Workspace, path: str) -> str:
    """A source's file as it is reached from the folder that the reader stands in; what is no file stays as it is."""
    file = ws.config.root / path
    return os.path.relpath(file) if file.exists() else path


@quarantine.command("retry")
@click.option("--source", help="Just this source.")
@as_json
@click.pass_context
def retry(ctx: click.Context, source: str | None, json_: bool) -> None:
    """Try the rows in quarantine again with today's mapping."""
    with opened(ctx) as ws:
        with progress() as step:
            done = ws.data.retry_quarantine(source, progress=step)
        print_json(done.document()) if json_ else _print_loaded(done)
        end_with_faults(ctx, ws)


@click.command()
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default="report.html", show_default=True
)
@as_of_option
@click.option("--compare", metavar="WHEN", help="The earlier date of the migration; 90 days before by default.")
@click.pass_context
def report(ctx: click.Context, output: Path, as_of: str | None, compare: str | None) -> None:
    """Write the report: one self-contained HTML file that can be read on a phone and printed."""
    with opened(ctx) as ws:
        asked(ws, as_of)
        with progress() as step:
            made = ws.reports.write(output, as_of=as_of, compare=compare, progress=step)
        click.echo(f"Wrote {made} ({file_size(made)}). Open it in a browser.")
        if not len(ws.customers):
            click.echo(hint(f"Note: it is empty. {NOTHING_LOADED}"), err=True)
        say_faults(ws)


@click.command()
@click.argument("query")
@click.option("--limit", default=100, show_default=True, help="How many rows to print.")
@as_json
@click.pass_context
def sql(ctx: click.Context, query: str, limit: int, json_: bool) -> None:
    """Run one SELECT over the views of schema data: one per event name, and customers."""
    with opened(ctx) as ws:
        found = ws.sql(query)
        if json_:
            print_json(found.to_pylist())
            return
        rows = [[_cell(v) for v in row.values()] for row in found.slice(0, limit).to_pylist()]
        table(found.column_names, rows)
        if found.num_rows > limit:
            click.echo(f"{limit:,} of {found.num_rows:,} rows are shown; --limit shows more.")


_WIDEST = 60


def _cell(value: object) -> str:
    """A value as people write it; lists of objects briefly, with their names but once: ``--json`` has all of it."""
    objects = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
    if not objects:
        return plain(value)
    said = "; ".join(", ".join(f"{k} {plain(v)}" for k, v in one.items() if v is not None) for one in objects)
    return said if len(said) <= _WIDEST else said[: _WIDEST - 1] + "…"


@click.command()
@as_json
@click.pass_context
def recalibrate(ctx: click.Context, json_: bool) -> None:
    """Work out the cut points of RFM and lifecycle anew from today's data; until then they stay as they are."""
    with opened(ctx) as ws:
        notes = ws.data.recalibrate()
        if json_:
            print_json({"notes": notes, "as_of": iso(ws.now())})
            return
        if not len(ws.customers):
            click.echo(hint(NOTHING_LOADED))
            return
        for note in notes:
            click.echo(hint(note))
        click.echo(f"Worked out anew, as of {when(ws.now())}.")


@click.command()
@as_json
@click.pass_context
def status(ctx: click.Context, json_: bool) -> None:
    """Show the workspace: its clock, what was loaded, how many segments, and files that can't be accepted."""
    from shoal.wording import counted

    with opened(ctx) as ws:
        facts = ws.data.status()
        if json_:
            print_json(facts)
            end_with_faults(ctx, ws)
            return
        last = facts["last_load"]
        lines = {
            "workspace": facts["workspace"],
            "now": f"{facts['now']} (clock: {facts['clock']}, time zone {facts['timezone']})",
            "last load": f"number {last['number']} at {last['at']}" if last else "none yet: shoal load",
            "customers": f"{facts['customers']:,}, with {counted(facts['traits'], 'trait')}",
            "segments": f"{facts['segments']:,}",
            "quarantined": counted(facts["quarantined"], "row")
            + (": shoal quarantine list" if facts["quarantined"] else ""),
        }
        if spent := facts["spend"]:
            lines["spend"] = (
                f"{spent['amount']:,.2f} {spent['currency']} from {spent['from']} to {spent['until']}, "
                f"in {counted(spent['lines'], 'line')}: shoal costs"
            )
        if facts["untaken"]:
            waiting = counted(facts["untaken"], "entry", "entries")
            lines["log"] = f"{waiting} acknowledged that the store hasn't yet; the server takes them over: shoal serve"
        for name, said in lines.items():
            click.echo(hint(f"{name + ':':13}{said}"))
        if facts["events"]:
            click.echo()
            table(["Event", "Count", "Newest"], [[n, f"{e['count']:,}", e["newest"] or "–"] for n, e in facts["events"].items()],
                  right=(1,))  # fmt: skip
        for fault in facts["faults"]:
            click.echo(hint(f"\n{fault}"))
        end_with_faults(ctx, ws)


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_context
def backup(ctx: click.Context, path: Path) -> None:
    """Write store, log and definitions, as they are at this moment, to one FILE; also while the workspace is served."""
    with opened(ctx) as ws:
        made = ws.backup(path)
        click.echo(f"Wrote {made} ({file_size(made)}).")


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Don't ask before a workspace is replaced.")
@click.pass_context
def restore(ctx: click.Context, path: Path, folder: Path | None, yes: bool) -> None:
    """Make FOLDER the workspace of the backup FILE; without FOLDER, put it in the place of the workspace here.

    What a workspace held before is set aside in its .shoal. Whoever was erased there stays erased.
    """
    from shoal.workspace import find_root
    from shoal.workspace.backup_restore import restore_backup
    from shoal.workspace.opening import STATE

    given = ctx.find_root().obj
    root = folder or find_root(Path(given) if given else Path())
    there = any((root / name).exists() for name in (FILE_NAME, STATE))
    if there and not yes:
        click.confirm(f"Replace the workspace {root} by {path}?", abort=True)
    done = restore_backup(path, root, replace=there)
    said = f" What was there is kept: {', '.join(map(str, done.kept))}." if done.kept else ""
    click.echo(f"Restored {path} to {root}.{said}")
