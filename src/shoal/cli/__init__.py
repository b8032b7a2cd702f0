"""The command line: ``shoal``. Commands are imported when they are called, so that ``shoal --help`` stays quick."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click
from click.core import ParameterSource

from shoal import __version__
from shoal.errors import ShoalError, unwritten

# name: (module, function, one line for --help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("shoal.cli.project", "init", "Look at a folder of files and propose a workspace."),
    "load": ("shoal.cli.project", "load", "Load what is new or changed; report its quality."),
    "segments": ("shoal.cli.segments", "segments", "List segments with size, share, revenue and change."),
    "segment": ("shoal.cli.segments", "segment", "Add, change, test, show or remove a segment."),
    "why": ("shoal.cli.segments", "why", "Say why a customer is in a segment or not, and until when."),
    "members": ("shoal.cli.segments", "members", "Hand out a segment's members, under consent."),
    "library": ("shoal.cli.segments", "library", "List ready segments that fit your data, with their size."),
    "overlap": ("shoal.cli.segments", "overlap", "Compare segments: overlap, near-duplicates, coverage."),
    "kpi": ("shoal.cli.kpi", "kpi", "Show metrics: the newest period, one over time, by segment and group."),
    "dashboard": ("shoal.cli.dashboards", "dashboard", "List dashboards; show one; write one to a file."),
    "experiment": ("shoal.cli.experiments", "experiment", "Plan, start and stop experiments; say who is in which arm."),
    "actions": ("shoal.cli.actions", "actions", "Suggest what to do next with each segment, by what is at stake."),
    "feedback": ("shoal.cli.feedback", "feedback", "Show what customers say: NPS, CSAT, moods, topics, and after."),
    "discover": ("shoal.cli.discovery", "discover", "Find micro-segments, with the evidence for them."),
    "customer": ("shoal.cli.customers", "customer", "Show a customer: traits, consent, timeline, memberships."),
    "list": ("shoal.cli.customers", "lists", "Manage hand-kept lists of customers."),
    "report": ("shoal.cli.project", "report", "Write the report, one self-contained HTML file."),
    "quality": ("shoal.cli.project", "quality", "Show how good the loaded data is."),
    "quarantine": ("shoal.cli.project", "quarantine", "Show rows that couldn't be read, and try them again."),
    "sql": ("shoal.cli.project", "sql", "Run a read-only SQL query on the loaded data."),
    "predict": ("shoal.cli.models", "predict", "Score all customers: value, churn, next order, taste."),
    "models": ("shoal.cli.models", "models", "List models; show, try, explain and choose their versions."),
    "lookalike": ("shoal.cli.models", "lookalike", "Find customers who are most like a segment's members."),
    "attribution": (
        "shoal.cli.attribution",
        "attribution",
        "Show which channels conversions are credited to, by model.",
    ),
    "costs": ("shoal.cli.costs", "costs", "Show spend against what came: CPA, ROAS, ROI, clicks, close rate."),
    "funnel": ("shoal.cli.journeys", "funnel", "Show how many go from step to step, and where the others go."),
    "paths": ("shoal.cli.journeys", "paths", "Show the most common paths after an event, or before one."),
    "sessions": ("shoal.cli.journeys", "sessions", "Show sessions: how many, how engaged, where they began."),
    "cohorts": ("shoal.cli.journeys", "cohorts", "Show who is back: cohorts by day, week, month, quarter or year."),
    "lifecycle": ("shoal.cli.journeys", "lifecycle", "Show how many customers each period brought, kept and lost."),
    "retention": ("shoal.cli.retention", "retention", "Show how long customers under contract stay, by group."),
    "pilot": ("shoal.cli.pilots", "pilot", "Start a pilot with its baseline; show what came of it."),
    "scoreboard": ("shoal.cli.pilots", "scoreboard", "Show what each campaign brought, against those held out by lot."),
    "uplift": ("shoal.cli.uplift", "uplift", "Show whom a treatment moves, and make whom to treat a segment."),
    "recalibrate": ("shoal.cli.project", "recalibrate", "Work out the cut points of RFM and lifecycle anew."),
    "serve": ("shoal.cli.live", "serve", "Serve the web application; take events live."),
    "accounts": ("shoal.cli.accounts", "accounts", "Manage who may open the web application."),
    "keys": ("shoal.cli.live", "keys", "Manage keys for the HTTP interface."),
    "plan": ("shoal.cli.plan", "plan", "Propose and check a tracking plan; list what calls showed against it."),
    "jobs": ("shoal.cli.jobs", "jobs", "List what is done by itself; run a job now; show its history."),
    "run-due": ("shoal.cli.jobs", "run_due", "Run all jobs that are due, for cron."),
    "mail": ("shoal.cli.jobs", "mail", "Try the mail settings."),
    "forget": ("shoal.cli.privacy", "forget", "Erase a customer for good, everywhere in the workspace."),
    "export-person": ("shoal.cli.privacy", "export_person", "Write all that is kept about a customer to a ZIP."),
    "retain": ("shoal.cli.privacy", "retain", "Remove events that are older than they may be."),
    "status": ("shoal.cli.project", "status", "Show the workspace: clock, sources, last load, faults."),
    "backup": ("shoal.cli.project", "backup", "Write store, log and definitions to one file, also while serving."),
    "restore": ("shoal.cli.project", "restore", "Make a folder the workspace of a backup, or replace the one here."),
}


class _Commands(click.Group):
    """Knows the commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), function)
        if cmd_name != "init":
            _take_workspace(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from shoal.errors import did_you_mean, nearest

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            advice = did_you_mean(nearest(args[0], COMMANDS)) or ""
            raise click.UsageError(f"There is no command {args[0]!r}. {advice}".rstrip())
        return super().resolve_command(ctx, args)


def _workspace_option(**more: Any) -> click.Option:
    kind = click.Path(file_okay=False)
    return click.Option(["-w", "--workspace"], type=kind, help="The workspace's folder.", **more)


def _take_workspace(command: click.Command) -> None:
    """Let a command and those below it take ``--workspace`` too: it is said before the command or after it."""
    if not any(option.name == "workspace" for option in command.params):
        command.params.append(_workspace_option(expose_value=False, callback=_said_after))
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        _take_workspace(below)


def _said_after(ctx: click.Context, option: click.Parameter, folder: str | None) -> None:
    if folder is not None:
        _work_in(ctx, folder)


def _work_in(ctx: click.Context, folder: str) -> None:
    from shoal.cli.output import HINTED

    ctx.find_root().obj = folder
    HINTED.set(folder)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="shoal %(version)s")
@click.option(
    "-w", "--workspace", envvar="SHOAL_WORKSPACE", type=click.Path(file_okay=False), help="The workspace's folder."
)
@click.pass_context
def app(ctx: click.Context, workspace: str | None) -> None:
    """Customer segmentation on the data that you have.

    Begin with: shoal init my-shop --from FOLDER, then shoal -w my-shop load.
    """
    from shoal.cli.output import colourless

    ctx.obj = workspace
    if workspace is not None and ctx.get_parameter_source("workspace") is ParameterSource.COMMANDLINE:
        _work_in(ctx, workspace)
    if colourless():
        ctx.color = False


def main(args: list[str] | None = None) -> None:
    """Run a command; errors raised on purpose become one paragraph and an exit code (see docs/cli.md)."""
    from shoal.cli.output import HINTED

    HINTED.set(None)
    try:
        code: Any = app.main(args=args, prog_name="shoal", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(0)
    except ShoalError as error:
        _fail(str(error), error.exit_code)
    except click.UsageError as error:
        more = f" See: {error.ctx.command_path} --help" if error.ctx else ""
        _fail(error.format_message() + more, error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort) as stop:
        # Click makes an Abort of Ctrl-C; the store says with it where a step was kept.
        said = next((str(e) for e in (stop, stop.__cause__) if isinstance(e, KeyboardInterrupt) and e.args), None)
        _fail(said or "Stopped; nothing was changed by the step that was under way.", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        known = unwritten(error)
        _fail(str(known), known.exit_code)


def _fail(message: str, code: int) -> None:
    from shoal.cli.output import colourless, hint

    click.secho(f"shoal: {hint(message)}", fg="red" if sys.stderr.isatty() and not colourless() else None, err=True)
    sys.exit(code)
