"""Commands for the tracking plan: a first one, whether it can be accepted, and what calls showed against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from shoal.cli.output import as_json, hint, opened, print_json, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@click.group()
def plan() -> None:
    """What senders agreed on, in tracking-plan.yaml: propose one, check it, see which calls didn't fit."""


@plan.command("propose")
@click.option("--print", "print_", is_flag=True, help="Print it instead of writing tracking-plan.yaml.")
@click.pass_context
def propose(ctx: click.Context, print_: bool) -> None:
    """Write a first plan from the events and traits that the workspace has seen."""
    with opened(ctx) as workspace:
        text = workspace.plan.propose()
        if print_:
            click.echo(text, nl=False)
            return
        click.echo(
            f"Wrote {workspace.plan.write(text)}. Take out what nobody should send, and put strict: true when it fits."
        )


@plan.command("check")
@as_json
@click.pass_context
def check(ctx: click.Context, json_: bool) -> None:
    """Say whether tracking-plan.yaml can be accepted. The exit code is 7 where it can't."""
    from shoal.cli.output import WITH_FAULTS
    from shoal.config import TrackingPlan
    from shoal.wording import counted

    with opened(ctx) as workspace:
        found, faults = workspace.plan.current, workspace.plan.faults
        held = found or TrackingPlan()
        counts = {"events": len(held.events), "traits": len(held.traits)}
        if json_:
            said = {"plan": found is not None, **counts, "strict": held.strict, "faults": [str(f) for f in faults]}
            print_json(said)
        elif found is None and not faults:
            click.echo(hint("There is no tracking plan; what was seen is the plan. Write one with: shoal plan propose"))
        elif found is not None:
            how = "refused" if found.strict else "kept and marked"
            many = " and ".join(counted(n, what.removesuffix("s")) for what, n in counts.items())
            click.echo(f"In force: {many}. What doesn't fit is {how}.")
        for fault in () if json_ else faults:
            click.echo(str(fault), err=True)
        if faults:
            ctx.exit(WITH_FAULTS)


@plan.command("issues")
@as_json
@click.pass_context
def issues(ctx: click.Context, json_: bool) -> None:
    """List what calls showed against the plan, with how often and one sample."""
    with opened(ctx) as workspace:
        found = workspace.plan.issues()
        if json_:
            print_json(found)
            return
        if not found:
            click.echo("No call was marked so far.")
            return
        issues_table(found)


def issues_table(found: Sequence[Mapping[str, Any]]) -> None:
    """Print issues, the most frequent first."""
    rows = [
        (i["event"], i["property"] or "–", i["problem"], f"{i['times']:,}", i["last"], i["sample"] or "–")
        for i in found
    ]
    table(("Event", "Property", "Problem", "Times", "Last", "Sample"), rows, right=(3,), wraps=(5,))
