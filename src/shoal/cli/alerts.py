"""The commands for what is watched: alerts and targets of metrics. They hang below ``shoal kpi``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shoal.cli.output import as_json, as_of_option, hint, opened, print_json, share, table, when
from shoal.clock import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.insight.metrics.alerts import Alert
    from shoal.insight.metrics.targets import Progress
    from shoal.workspace import Workspace

_NONE = "No alert is open."


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@as_json
@click.pass_context
def alerts(ctx: click.Context, everything: bool, json_: bool) -> None:
    """List the alerts that go on: what was out of order at the last check, and what became of it."""
    if ctx.invoked_subcommand is not None:
        return
    with opened(ctx) as ws:
        found = ws.metrics.alerts().listed(everything=everything)
        if json_:
            print_json({"alerts": [alert.document() for alert in found]})
        else:
            _listed(found, _names(ws))


@alerts.command()
@click.option("--dry-run", is_flag=True, help="Only say what is found: nothing is recorded, nobody is told.")
@click.option("--mail/--no-mail", default=False, help="Tell those whom the metrics name under mail:.")
@as_of_option
@as_json
@click.pass_context
def check(ctx: click.Context, dry_run: bool, mail: bool, as_of: str | None, json_: bool) -> None:
    """Look at all that is watched; raise what is out of order, and end what is over.

    With --as-of it is what a check would have said then; that is never recorded.
    """
    with opened(ctx) as ws:
        door = ws.metrics.alerts()
        done = door.check(record=not dry_run and as_of is None, as_of=as_of)
        posted = door.tell(()) if mail and not dry_run and as_of is None else None
        if json_:
            print_json(done.document() | ({} if posted is None else {"mailed": posted}))
            return
        groups = (("New", done.followed.raised), ("Over", done.followed.resolved), ("Going on", done.followed.going_on))
        for title, some in groups:
            for alert in some:
                click.secho(f"{title}: ", bold=True, nl=False)
                click.echo(f"{alert.sentence}  [{alert.id}]")
        for progress in done.targets:
            click.echo(progress.sentence)
        for reason in done.refused:
            click.echo(f"– {reason}")
        click.echo(done.sentence)
        if posted is not None:
            click.echo(f"{posted} mailed.")


@alerts.command()
@click.argument("alert")
@click.option("--note", default="", metavar="TEXT", help="What to remember of it.")
@as_json
@click.pass_context
def ack(ctx: click.Context, alert: str, note: str, json_: bool) -> None:
    """Say that somebody is at ALERT: no more mail of it until it is over."""
    with opened(ctx) as ws:
        _changed(ws.metrics.alerts().acknowledge(alert, note), json_)


@alerts.command()
@click.argument("alert")
@click.option("--until", metavar="WHEN", help="A date or instant; --days is the other way to say it.")
@click.option("--days", type=click.IntRange(1, 366), help="For so many days from now.")
@click.option("--note", default="", metavar="TEXT", help="What to remember of it.")
@as_json
@click.pass_context
def snooze(ctx: click.Context, alert: str, until: str | None, days: int | None, note: str, json_: bool) -> None:
    """Keep ALERT quiet for a while; if it goes on after that, it is told anew."""
    if (until is None) == (days is None):
        raise click.UsageError("Say --until or --days.", ctx)
    with opened(ctx) as ws:
        at = ws.instant(until) if days is None else ws.now() + days * DAY
        _changed(ws.metrics.alerts().snooze(alert, at, note), json_)


@click.command()
@as_of_option
@as_json
@click.pass_context
def targets(ctx: click.Context, as_of: str | None, json_: bool) -> None:
    """Show how far each target is: what is reached, what the pace asks for, and what is to be expected by the date."""
    with opened(ctx) as ws:
        found = ws.metrics.alerts().targets(as_of=as_of)
        if json_:
            print_json({"targets": [one.document() for one in found]})
            return
        head = ("Metric", "Target", "By", "Reached", "Pace", "As it goes", "Chance", "")
        table(head, [_row(one) for one in found], right=(1, 3, 4, 5, 6), wraps=(0,))
        for one in found:
            if one.why:
                click.echo(f"– {one.metric.name}: {one.why}")


def _row(one: Progress) -> tuple[str, ...]:
    from shoal.insight.metrics.watching import shown

    def say(value: float) -> str:
        return shown(value, one.metric.unit, one.currency)

    ends = "–" if one.forecast is None else f"{say(one.forecast.low)} to {say(one.forecast.high)}"
    chance = "–" if one.chance is None else share(one.chance)
    return (
        one.metric.name, say(one.target.value), str(one.target.by), say(one.value), say(one.pace), ends, chance,
        one.verdict,
    )  # fmt: skip


def _names(ws: Workspace) -> dict[str, str]:
    return {slug: metric.name for slug, metric in ws.metrics.catalogue().definitions.items()}


def _listed(found: Iterable[Alert], names: Mapping[str, str]) -> None:
    rows = [
        (alert.id, names.get(alert.metric, alert.metric), _state(alert), when(alert.raised), alert.sentence)
        for alert in found
    ]
    if not rows:
        click.echo(hint(f"{_NONE} Look with: shoal kpi alerts check"))
        return
    table(("Alert", "Metric", "State", "Raised", "What"), rows, wraps=(4,))


def _state(alert: Alert) -> str:
    until = "" if alert.until is None else f" until {when(alert.until)}"
    note = f" ({alert.note})" if alert.note else ""
    return f"{alert.state}{until}{note}"


def _changed(alert: Alert, json_: bool) -> None:
    if json_:
        print_json(alert.document())
    else:
        click.echo(f"{alert.id} is {_state(alert)}: {alert.sentence}")
