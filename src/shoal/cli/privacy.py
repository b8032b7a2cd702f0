"""Commands for a person's rights: forget them, hand out what is kept, and how long events are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shoal.cli.output import as_json, opened, print_json, table
from shoal.errors import UnknownName

if TYPE_CHECKING:
    from shoal.workspace import Workspace
    from shoal.workspace.privacy import Forgotten


@click.command()
@click.argument("identifier")
@click.option("--yes", is_flag=True, help="Don't ask.")
@as_json
@click.pass_context
def forget(ctx: click.Context, identifier: str, yes: bool, json_: bool) -> None:
    """Erase the customer who bears IDENTIFIER, an id or as email:a.lee@example.com, for good and everywhere here."""
    from shoal.wording import counted

    with opened(ctx) as ws:
        if not json_ or not yes:
            _show(ws, identifier)
        if not yes:
            click.confirm("Erase all of it for good?", abort=True)
        done = ws.privacy.forget(identifier)
        if json_:
            print_json(_document(done))
            return
        if done.erased.again:
            click.echo("They were erased before; nothing was left.")
        else:
            click.echo(f"Erased {', '.join(done.erased.ids)}: {counted(done.erased.rows, 'row')}.")
        for copy in done.copies:
            click.echo(f"{copy} is a copy of the store and may hold them still; remove it.", err=True)


def _show(ws: Workspace, identifier: str) -> None:
    """What is about to go; on standard error, so that the answer stands alone."""
    try:
        person = ws.privacy.find(identifier)
    except UnknownName:
        if ws.privacy.is_erased(identifier):
            return
        raise
    merged = f", also known as {', '.join(person.ids[1:])}" if len(person.ids) > 1 else ""
    click.echo(f"Customer {person.ids[0]}{merged}:", err=True)
    for title, many in ws.privacy.preview(person).items():
        click.echo(f"  {many:>9,}  {title}", err=True)
    for kind, value in sorted(person.shared):
        click.echo(f"{kind} {value} is somebody else's too, and stays with them.", err=True)


def _document(done: Forgotten) -> dict[str, object]:
    return {
        "ids": list(done.erased.ids),
        "erased": done.erased.report,
        "again": done.erased.again,
        "log_files": done.segments,
        "snapshots": done.snapshots,
        "copies": [str(copy) for copy in done.copies],
    }


@click.command("export-person")
@click.argument("identifier")
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The ZIP to write."
)
@click.pass_context
def export_person(ctx: click.Context, identifier: str, output: Path) -> None:
    """Write all that is kept about the customer who bears IDENTIFIER: a page to read, JSON, and CSV files, as one ZIP."""
    with opened(ctx) as ws:
        document = ws.privacy.export_zip(identifier, output)
        parts = {
            name: len(rows) for name, rows in document.items() if isinstance(rows, list) and name != "ids" and rows
        }
        said = ", ".join(f"{many:,} {name}" for name, many in parts.items()) or "nothing but the id"
        click.echo(f"Wrote {output}: {said}.")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@as_json
@click.pass_context
def retain(ctx: click.Context, dry_run: bool, json_: bool) -> None:
    """Remove the events that retention: in shoal.yaml keeps no longer."""
    with opened(ctx) as ws:
        if dry_run:
            gone = ws.privacy.expire(dry_run=True)
        else:
            with ws.changing():
                gone = ws.privacy.expire()
                ws.privacy.compact()
                if gone:
                    ws.refresh()
                    ws.segments.publish(because="retention")
        for sentence in ws.config.retention.unknown(ws.schema.events):
            click.echo(sentence, err=True)
        if json_:
            print_json({"events": gone, "dry_run": dry_run})
        elif not ws.config.retention:
            click.echo("retention: in shoal.yaml says nothing, so all events are kept.")
        elif gone:
            head = ("Event", "Would go" if dry_run else "Gone")
            table(head, [[name, f"{many:,}"] for name, many in gone.items()], right=(1,))
        else:
            click.echo("No event is older than it may be.")
