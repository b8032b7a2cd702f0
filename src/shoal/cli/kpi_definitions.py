"""Commands for what metrics mean: their files tried on their own cases, and what they meant before.

They hang below ``shoal kpi``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from shoal.cli.output import as_json, opened, print_json, table, when

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.insight.metrics.testing import Outcome


@click.command()
@click.argument("metrics", nargs=-1)
@as_json
@click.pass_context
def test(ctx: click.Context, metrics: tuple[str, ...], json_: bool) -> None:
    """Try METRICS, or all, on the cases under tests: in their files; none of the workspace's data is looked at.

    Ends with code 1 where one doesn't hold, or a file isn't accepted.
    """
    with opened(ctx) as ws:
        found = ws.metrics.test(*metrics)
        faults = {} if metrics else dict(ws.metrics.catalogue().faults)
    failed = sum(not one.holds for one in found)
    if json_:
        print_json(
            {
                "tests": [one.document() for one in found],
                "failed": failed,
                "faults": {slug: str(error) for slug, error in faults.items()},
            }
        )
    else:
        _say(found, failed)
        for slug, error in faults.items():
            click.secho(f"The metric {slug} isn't accepted. {error}", fg="red", err=True)
    if failed or faults:
        ctx.exit(1)


def _say(found: Sequence[Outcome], failed: int) -> None:
    if not found:
        click.echo("No metric has tests. Write them in its file, under tests:.")
        return
    for one in found:
        click.secho("holds  " if one.holds else "FAILS  ", fg="green" if one.holds else "red", nl=False)
        click.echo(f"{one.metric}: {one.case.name or one.case.place}")
        if not one.holds:
            click.echo(f"       {one.case.place}: {one.sentence}" if one.fault is None else f"       {one.sentence}")
    many = f"{len(found)} tests" if len(found) != 1 else "1 test"
    click.echo(f"{many}: {len(found) - failed} hold, {failed} fail.")


@click.command()
@click.argument("metric")
@as_json
@click.pass_context
def history(ctx: click.Context, metric: str, json_: bool) -> None:
    """Show what METRIC meant since when, and what changed; a new name, owner or test changes nothing of it."""
    with opened(ctx) as ws:
        found = ws.metrics.history(metric)
        if json_:
            print_json({"metric": metric, "versions": [one.document() for one in found]})
            return
        if not found:
            click.echo("It wasn't used yet: its first figure fixes its first version.")
            return
        rows = [
            (str(one.number), when(one.since), one.version, ". ".join(one.changed) or _first(one.parts))
            for one in found
        ]
        table(("", "Since", "Version", "What changed"), rows, right=(0,), wraps=(3,))


def _first(parts: Mapping[str, Any]) -> str:
    return "; ".join(f"{key}: {value}" for key, value in parts.items())
