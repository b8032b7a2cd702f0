"""The command that says what a change of a metric is made of; it hangs below ``shoal kpi``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.output import as_json, as_of_option, count, opened, print_json, table, when
from shoal.wording import counted

if TYPE_CHECKING:
    from shoal.insight.metrics.causes import Causes, Split

_GRAINS = click.Choice(["day", "week", "month", "quarter", "year"])
_ROWS = 5


@click.command()
@click.argument("metric")
@click.option("--grain", type=_GRAINS, default="month", show_default=True, help="The length of a period.")
@click.option("--period", metavar="DATE", help="A day of the later period; by default the newest that is over.")
@click.option("--against", metavar="DATE", help="A day of the earlier period; by default the one before.")
@click.option("--by", multiple=True, metavar="WHAT", help="A trait, or a property as 'store of \"Order Completed\"'.")
@click.option("--segment", "segments", multiple=True, metavar="SEGMENT", help="Look at a segment's members too.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the picture there: .html, .svg or .png.")
@as_of_option
@as_json
@click.pass_context
def why(
    ctx: click.Context,
    metric: str,
    grain: Any,
    period: str | None,
    against: str | None,
    by: tuple[str, ...],
    segments: tuple[str, ...],
    output: str | None,
    as_of: str | None,
    json_: bool,
) -> None:
    """Say what a change of METRIC is made of: which groups changed otherwise than all others, by more than chance.

    By default all traits and properties with 2 to 50 values are looked at.
    """
    with opened(ctx) as ws:
        done = ws.metrics.causes(
            metric, grain=grain, period=period, against=against, by=by, segments=segments, as_of=as_of
        )
        if output:
            done.write(Path(output))
            click.echo(f"Wrote {output}", err=json_)
        if json_:
            print_json(done.document())
        elif not output:
            _say(done.found, when(done.at))


def _say(found: Causes, at: str) -> None:
    for sentence in found.sentences:
        click.echo(sentence)
    for split in found.splits:
        click.echo()
        _split(found, split)
    for name, reason in found.refused.items():
        click.echo(f"– {name}: {reason}")
    click.echo(f"As of {at}. Where a change sits isn't what brought it about.")


def _split(found: Causes, split: Split) -> None:
    out = {(cause.by, cause.group) for cause in found.causes}
    rows = [
        (group.name, found.moved(group.part.amount), found.moved(sum(e.otherwise for e in group.part.effects)),
         count(group.part.units), "stands out" if (split.by, group.name) in out else "")
        for group in split.groups[:_ROWS]
    ]  # fmt: skip
    left = split.groups[_ROWS:]
    if left:
        rest, like = sum(g.part.amount for g in left), sum(e.otherwise for g in left for e in g.part.effects)
        rows.append((counted(len(left), "smaller one"), found.moved(rest), found.moved(like), "", ""))
    head = (split.by[:1].upper() + split.by[1:], "Of the change", "As all others", "Customers", "")
    table(head, rows, right=(1, 2, 3), wraps=(0,))
