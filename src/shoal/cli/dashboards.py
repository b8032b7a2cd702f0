"""Commands for dashboards: the list, one with its figures, and one as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.output import as_json, count, hint, money, opened, plain, print_json, share, table, when

if TYPE_CHECKING:
    from shoal.views.dashboards.answers import Answer, Head
    from shoal.views.dashboards.definition import Tile

_ROWS = 12
"""So many rows of a tile are printed; all of them with --json."""
_FILE = "Ending in .html, .pdf, .png, .svg, .json or .yaml."
_segment = click.option("--segment", metavar="SEGMENT", help="Look at its members alone.")
_period = click.option(
    "--period", default="", metavar="PERIOD", help="As 'last 12 months', or '2017-01-01 to 2017-06-30 by week'."
)


@click.group()
def dashboard() -> None:
    """Show dashboards: those that ship, and the workspace's own, dashboards/*.yaml."""


@dashboard.command("list")
@as_json
@click.pass_context
def listed(ctx: click.Context, json_: bool) -> None:
    """List all dashboards."""
    with opened(ctx) as workspace:
        found = workspace.dashboards.catalogue()
        if json_:
            print_json({
                "dashboards": [
                    {"slug": slug, **one.document(), "ships": slug in found.shipped} for slug, one in found.definitions.items()
                ],
                "faults": {slug: str(error) for slug, error in found.faults.items()},
            })  # fmt: skip
        else:
            rows = [
                (slug, d.title, count(len(d.tiles)), d.owner or ("ships" if slug in found.shipped else "–"), d.description)
                for slug, d in found.definitions.items()
            ]  # fmt: skip
            table(("Slug", "Title", "Tiles", "Owner", "What it is for"), rows, right=(2,), wraps=(4,))
        for slug, error in found.faults.items():
            click.secho(f"The dashboard {slug} isn't accepted. {error}", fg="red", err=True)
        if found.faults:
            ctx.exit(1)


@dashboard.command("show")
@click.argument("name")
@_segment
@_period
@as_json
@click.pass_context
def show(ctx: click.Context, name: str, segment: str | None, period: str, json_: bool) -> None:
    """Show the dashboard NAME: each tile with its figures, what they rest on, and what the data lacks."""
    with opened(ctx) as workspace:
        one, filled = workspace.dashboards.fill(name, segment=segment, period=period)
        if json_:
            print_json(workspace.dashboards.document(one, filled))
            return
        click.secho(f"{one.title}: {filled.filters}", bold=True)
        for number, tile in one.placed():
            click.echo()
            _say(tile, filled.answers[number])


def _say(tile: Tile, answer: Answer) -> None:
    if tile.kind == "text":
        click.echo(str(tile.asks["text"]))
        return
    click.secho(answer.title, bold=True)
    if answer.missing:
        click.echo(f"{answer.missing} {answer.fix}".strip())
        return
    if answer.sub:
        click.echo(answer.sub)
    if answer.figure is not None:
        one = answer.figure
        said = [
            one.value,
            one.interval and f"95 %: {one.interval}",
            one.change and f"{one.change} against {one.before}",
        ]
        click.echo("; ".join(part for part in [*said, one.target, one.alert] if part))
    elif answer.rows:
        _rows(answer)
    click.echo("; ".join(part for part in (answer.n, f"as of {when(answer.at)}", answer.note) if part))


def _rows(answer: Answer) -> None:
    cells = [[_cell(row.get(head.key), head) for head in answer.heads] for row in answer.rows[:_ROWS]]
    right = [at for at, head in enumerate(answer.heads) if head.form not in ("text", "when")]
    table([head.head for head in answer.heads], cells, right=right, wraps=(0,))
    if len(answer.rows) > _ROWS:
        click.echo(f"{count(len(answer.rows) - _ROWS)} more rows{hint(': --json has all')}")


def _cell(value: Any, head: Head) -> str:
    if value is None:
        return "–"
    written = {"count": count, "share": share, "money": money, "when": when}.get(head.form)
    return str(written(value)) if written is not None else plain(value) if head.form != "number" else f"{value:.3g}"


@dashboard.command("export")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help=_FILE,
)
@_segment
@_period
@as_json
@click.pass_context
def export(ctx: click.Context, name: str, output: str, segment: str | None, period: str, json_: bool) -> None:
    """Write the dashboard NAME with its figures to a file.

    HTML is one page that asks nothing of the network; a PDF has one page, as high as the dashboard.
    """
    with opened(ctx) as workspace:
        path = workspace.dashboards.export(name, Path(output), segment=segment, period=period)
        if json_:
            print_json(
                {"dashboard": workspace.dashboards.find(name).slug, "file": str(path), "bytes": path.stat().st_size}
            )
        else:
            click.echo(f"Wrote {path}")
