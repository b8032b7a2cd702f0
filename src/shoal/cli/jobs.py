"""Commands for what is done by itself: jobs, and mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shoal.cli.output import as_json, opened, print_json, table, when

if TYPE_CHECKING:
    from shoal.workspace.scheduling import Run

NO_JOBS = "There are no jobs. Name some under jobs: in shoal.yaml, as nightly: {run: load, every: day at 06:00}."


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def jobs(ctx: click.Context, json_: bool) -> None:
    """List the jobs of shoal.yaml: what they do, when they are due, how they went last."""
    if ctx.invoked_subcommand is not None:
        return
    from shoal.clock import Clock

    with opened(ctx) as workspace:
        found = workspace.jobs.table(Clock().now())
        if json_:
            print_json([standing.document() for standing in found])
            return
        if not found:
            click.echo(NO_JOBS)
            return
        rows = [(s.job.name, s.job.run, s.job.every.text, when(s.due), *_last(s.last)) for s in found]
        table(("Job", "Runs", "Every", "Next due", "Last run", "State"), rows)


def _last(run: Run | None) -> tuple[str, str]:
    return ("–", "–") if run is None else (when(run.started), run.state)


@jobs.command("run")
@click.argument("name")
@as_json
@click.pass_context
def run(ctx: click.Context, name: str, json_: bool) -> None:
    """Run the job NAME now. The exit code is 1 where it fails."""
    with opened(ctx) as workspace:
        _told(ctx, [workspace.jobs.run(name)], json_)


@jobs.command("history")
@click.argument("name", required=False)
@click.option("--limit", default=20, show_default=True, help="How many runs to show.")
@as_json
@click.pass_context
def history(ctx: click.Context, name: str | None, limit: int, json_: bool) -> None:
    """Show the newest runs of all jobs, or of the job NAME."""
    with opened(ctx) as workspace:
        found = workspace.jobs.history(name, limit)
        if json_:
            print_json([one.document() for one in found])
        elif not found:
            click.echo("No job has run yet.")
        else:
            rows = [(one.job, when(one.due), when(one.started), one.state, one.message) for one in found]
            table(("Job", "Due", "Began", "State", "What it said"), rows, wraps=(4,))


@click.command("run-due")
@as_json
@click.pass_context
def run_due(ctx: click.Context, json_: bool) -> None:
    """Run all jobs that are due, for cron. The exit code is 1 where one fails.

    A job is planned from when it was first seen; one that was missed runs once.
    """
    from shoal.clock import Clock

    with opened(ctx) as workspace:
        _told(ctx, workspace.jobs.run_due(Clock().now()), json_)


def _told(ctx: click.Context, runs: list[Run], json_: bool) -> None:
    if json_:
        print_json([one.document() for one in runs])
    for one in runs if not json_ else ():
        click.echo(f"{one.job}: {one.state}. {one.message}", err=one.state != "done")
    if any(one.state != "done" for one in runs):
        ctx.exit(1)


@click.group()
def mail() -> None:
    """The mail server of shoal.yaml."""


@mail.command("test")
@click.argument("address")
@click.pass_context
def test(ctx: click.Context, address: str) -> None:
    """Send one mail to ADDRESS, to see that the settings are right."""
    from pathlib import Path

    from shoal.config import read_config
    from shoal.destinations.mail import Mail, Mailer
    from shoal.errors import ConfigError
    from shoal.workspace import find_root

    given = ctx.find_root().obj
    # Only the settings are needed, so it works beside a server that has the workspace open.
    config = read_config(find_root(Path(given) if given else Path()))
    settings = config.mail
    if settings is None:
        raise ConfigError("There is no mail server.", fix="Name it under mail: in shoal.yaml; see docs/operations.md.")
    said = f"This is a test of the mail settings of {config.name}. It came through {settings.host}."
    html = "<!doctype html><p>This is a test of the mail settings of Shoal. The HTML part arrived, too.</p>"
    with Mailer(settings) as mailer:
        mailer.send(Mail(address, "Test of Shoal's mail settings", f"{said}\n", html))
    click.echo(f"{settings.host} took the mail. Whether it arrives in the inbox is for you to see.")
