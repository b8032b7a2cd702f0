"""The command for what to do next."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import click

from shoal.cli.output import as_json, as_of_option, asked, count, hint, opened, print_json, share, table, when
from shoal.wording import counted

if TYPE_CHECKING:
    from shoal.insight.actions import Action, Table


@click.command()
@click.argument("segments", nargs=-1)
@click.option("--why", is_flag=True, help="Show below each action what it rests on, and how its figure came about.")
@as_of_option
@as_json
@click.pass_context
def actions(ctx: click.Context, segments: tuple[str, ...], why: bool, as_of: str | None, json_: bool) -> None:
    """Suggest what to do next with each segment, or with SEGMENTS, by what is at stake.

    A figure at stake is what goes or comes unaided; a gain is only named where a trial with a control group measured it.
    """
    with opened(ctx) as ws:
        at = asked(ws, as_of)
        found = ws.actions.table(segments, as_of=at if as_of else None)
        if json_:
            print_json(found.document())
            return
        _print(found, why or len(segments) == 1)


def _print(found: Table, why: bool) -> None:
    head = [
        "Segment",
        "What to do",
        "Fits",
        "Of it",
        "Elsewhere",
        "Reachable",
        f"At stake, {found.currency}",
        "Measured gain",
    ]
    if not found.actions:
        click.echo("No action stands out for any segment.")
    elif why:
        for _, rows in groupby(found.actions, key=lambda action: action.segment):
            _print_why(list(rows), found.currency)
    else:
        cells = [_row(action) for action in found.actions]
        # A segment is named in its first row alone.
        shown = [[row[0] if i == 0 or cells[i - 1][0] != row[0] else "", *row[1:]] for i, row in enumerate(cells)]
        table(head, shown, right=range(2, len(head)), wraps=(0, 1))
    click.echo(
        f"As of {when(found.at)}, over {found.days} days. At stake is what goes or comes unaided: no gain, since nobody was "
        "drawn by lot."
    )
    if found.without:
        click.echo(f"Nothing stands out for: {', '.join(found.without)}.")
    for note in found.notes:
        click.echo(hint(f"– {note}"))
    if not why and found.actions:
        click.echo(hint("What an action rests on: shoal actions --why"))


def _row(action: Action) -> list[str]:
    what = f"{action.title}: {action.what}" if action.what else action.title
    reach = "–" if action.reachable is None else share(action.reachable / action.fits)
    return [
        action.segment_name, what, count(action.fits), share(action.share), share(action.elsewhere), reach,
        _stake(action), _gain(action),
    ]  # fmt: skip


def _stake(action: Action) -> str:
    if action.stake is None:
        return "–"
    low, high = f"{action.stake.low:,.0f}", f"{action.stake.high:,.0f}"
    return low if low == high else f"{low} to {high}"


def _gain(action: Action) -> str:
    if action.gain is None:
        return "–"
    value, low, high = action.gain
    return f"{value:+,.0f} ({low:+,.0f} to {high:+,.0f})"


def _print_why(rows: list[Action], currency: str) -> None:
    from shoal.insight.actions.table import lines

    click.secho(f"{rows[0].segment_name} ({counted(rows[0].size, 'customer')})", bold=True)
    for action in rows:
        _, what, _, of, elsewhere, reach, stake, gain = _row(action)
        there = "" if action.elsewhere is None else f"; elsewhere {elsewhere}"
        click.echo(f"  {what}: {counted(action.fits, 'customer')} ({of}{there}); reachable: {reach}")
        if action.stake is not None:
            click.echo(f"    At stake: {stake} {currency}, which is no gain.")
        if action.gain is not None:
            click.echo(f"    Measured gain: {gain} {currency}")
        for line in lines(action, currency):
            click.echo(f"    {line}")
    click.echo()
