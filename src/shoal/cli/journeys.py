"""Commands for what customers do one after the other: funnels, paths, sessions, cohorts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.output import as_json, as_of_option, count, opened, print_json, share, table, when
from shoal.wording import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shoal.insight.funnels import Step
    from shoal.insight.session_figures import SessionFigures
    from shoal.workspace.journeys_told import Funnelled, Grown, Pathed, Retained, Sessions

_GRAINS = click.Choice(["day", "week", "month", "quarter", "year"])
_NONE = "–"
_PERIODS = 26
"""So many periods are printed; all of them with --json."""
_AGES = 12
"""So many ages of cohorts are printed; all of them with --json."""


def _period(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of whom and when."""
    for option in (
        click.option("--segment", metavar="SEGMENT", help="Only its members."),
        click.option("--to", "end", metavar="DATE", help="The last date; today by default."),
        click.option("--from", "start", metavar="DATE", help="The first date; 90 days back by default."),
    ):
        command = option(command)
    return command


_CHART = click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="Write the chart there: .svg, .png or .html."
)


@click.command()
@click.argument("steps", nargs=-1, required=True, metavar="NAME | STEP STEP …")
@click.option("--within", metavar="TIME", help="From the first step to the last; 30 days by default.")
@click.option("--any-order", is_flag=True, default=None, help="Steps may be taken in any order.")
@click.option(
    "--by", metavar="WHAT", help="Compare groups: a trait, or of the first step, as 'via of \"Page Viewed\"'."
)
@_period
@_CHART
@as_of_option
@as_json
@click.pass_context
def funnel(ctx: click.Context, /, steps: tuple[str, ...], output: str | None, json_: bool, **asked: Any) -> None:
    """Show how many customers go from step to step, in how much time, and where the others go.

    A step is an event, as "Product Viewed", with a filter if need be: 'Product Viewed where category = "shoes"'. A single
    NAME is a funnel of funnels: in shoal.yaml, which says its steps.
    """
    with opened(ctx) as ws:
        done = ws.journeys.funnel(*steps, **asked)
        _answer(done, output, json_, lambda: _say_funnel(done))


@click.command()
@click.option("--after", metavar="STEP", help="The event that paths start from; each customer's first by default.")
@click.option("--before", metavar="STEP", help="Or the event that they lead to.")
@click.option("--steps", type=click.IntRange(1, 10), default=4, show_default=True, help="How many steps beside it.")
@click.option("--within", metavar="TIME", help="For how long they go on; until a session would end by default.")
@click.option("--event", "events", multiple=True, metavar="NAME", help="An event that is a step; all by default.")
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many paths are shown.")
@_period
@_CHART
@as_of_option
@as_json
@click.pass_context
def paths(ctx: click.Context, /, output: str | None, json_: bool, **asked: Any) -> None:
    """Show the most common paths after an event, or before one."""
    with opened(ctx) as ws:
        done = ws.journeys.paths(**asked)
        _answer(done, output, json_, lambda: _say_paths(done))


@click.command()
@click.option("--grain", type=_GRAINS, default="month", show_default=True, help="The length of a period.")
@_period
@as_of_option
@as_json
@click.pass_context
def sessions(ctx: click.Context, /, json_: bool, **asked: Any) -> None:
    """Show sessions: how many, how engaged, and which pages they began with.

    What makes a session stands in shoal.yaml under sessions:.
    """
    with opened(ctx) as ws:
        done = ws.journeys.sessions(**asked)
        _answer(done, None, json_, lambda: _say_sessions(done))


@click.command()
@click.option("--born", metavar="WHAT", help="The event, or trait with a date, that makes a cohort; the first order.")
@click.option("--active", metavar="STEP", help="The event that counts as being back; the order.")
@click.option("--grain", type=_GRAINS, default="month", show_default=True, help="The length of a period.")
@click.option("--on-or-after", is_flag=True, help="Back in that period or any later one, not just on it.")
@click.option("--ages", type=click.IntRange(0, 1000), metavar="N", help="Follow each cohort so many periods.")
@click.option("--from", "start", metavar="DATE", help="A date in the first cohort.")
@click.option("--segment", metavar="SEGMENT", help="Only its members.")
@_CHART
@as_of_option
@as_json
@click.pass_context
def cohorts(ctx: click.Context, /, on_or_after: bool, output: str | None, json_: bool, **asked: Any) -> None:
    """Show who is back: of those who came in a period, how many in each period after."""
    with opened(ctx) as ws:
        done = ws.journeys.cohorts(mode="on or after" if on_or_after else "on", **asked)
        _answer(done, output, json_, lambda: _say_cohorts(done))


@click.command()
@click.option("--active", metavar="STEP", help="The event that makes a customer active; the order.")
@click.option("--grain", type=_GRAINS, default="month", show_default=True, help="The length of a period.")
@click.option("--segment", metavar="SEGMENT", help="Only its members.")
@_CHART
@as_of_option
@as_json
@click.pass_context
def lifecycle(ctx: click.Context, /, output: str | None, json_: bool, **asked: Any) -> None:
    """Show how many customers each period brought, kept, brought back and lost."""
    with opened(ctx) as ws:
        done = ws.journeys.lifecycle(**asked)
        _answer(done, output, json_, lambda: _say_lifecycle(done))


# ------------------------------------------------------------ answering


def _answer(done: Any, output: str | None, json_: bool, say: Callable[[], None]) -> None:
    if output:
        from shoal.views.charts.render import write_chart

        write_chart(Path(output), done.chart)
        click.echo(f"Wrote {output}", err=json_)
    if json_:
        print_json(done.document())
    elif not output:
        say()


def _apart(value: Any) -> str:
    return f"{share(value.low)} to {share(value.high)}"


# ------------------------------------------------------------ funnels


def _say_funnel(done: Funnelled) -> None:
    found, steps = done.found, len(done.found.steps)
    through = (
        f"{share(found.converted.value)} ({_apart(found.converted)}) took {'both' if steps == 2 else f'all {steps}'}"
    )
    click.secho(
        f"{count(found.entered)} customers entered from {done.span.first} to {done.span.last}; {through} steps within "
        f"{done.within}. As of {when(done.span.at)}.",
        bold=True,
    )
    click.echo()
    table(
        ("Step", "Customers", "Of all", "95 % interval", "Of the step before", "95 % interval", "Median time"),
        [_step_row(at, step) for at, step in enumerate(found.steps)], right=range(1, 7), wraps=(0,),
    )  # fmt: skip
    if found.groups:
        click.echo()
        _say_groups(done)
    if found.instead:
        click.echo()
        _say_instead(done)
    still = sum(step.open for step in found.steps)
    if still:
        click.echo(f"Note: {count(still)} customers who stopped on the way still have time for the next step.")


def _step_row(at: int, step: Step) -> tuple[str, ...]:
    if at == 0:
        return step.name, count(step.customers), share(1.0), "", "", "", ""
    took = _NONE if step.seconds is None else duration(step.seconds)
    return (
        step.name, count(step.customers), share(step.overall.value), _apart(step.overall), share(step.conversion.value),
        _apart(step.conversion), took,
    )  # fmt: skip


def _say_groups(done: Funnelled) -> None:
    names = [step.name for step in done.found.steps[1:]]
    rows = [
        (
            group,
            count(steps[0].customers),
            *(share(step.overall.value) for step in steps[1:]),
            _apart(steps[-1].overall),
        )
        for group, steps in done.found.groups.items()
    ]
    head = (str(done.by), "Entered", *names, "95 % interval")
    table(head, rows, right=range(1, len(head)), wraps=(0,))


def _say_instead(done: Funnelled) -> None:
    names = [step.name for step in done.found.steps]
    rows = [
        (names[one.step - 1], one.event or "nothing more", count(one.customers), share(one.share.value))
        for one in done.found.instead
    ]
    table(("Stopped after", "Then", "Customers", "Share"), rows, right=(2, 3), wraps=(0, 1))


# ------------------------------------------------------------ paths


def _say_paths(done: Pathed) -> None:
    found = done.found
    click.secho(
        f"{done.words()}: {count(found.customers)} customers, {count(found.kinds)} different paths. "
        f"As of {when(done.span.at)}.", bold=True,
    )  # fmt: skip
    click.echo()
    rows = [
        (" → ".join(one.steps), count(one.customers), share(one.share.value), _apart(one.share)) for one in found.paths
    ]
    if found.rest:
        rows.append((f"{count(found.kinds - len(found.paths))} other paths", count(found.rest),
                     share(found.rest / found.customers), ""))  # fmt: skip
    table(("Path", "Customers", "Share", "95 % interval"), rows, right=(1, 2, 3), wraps=(0,))


# ------------------------------------------------------------ sessions


def _say_sessions(done: Sessions) -> None:
    whole = done.found.whole
    if whole is None:
        click.echo(f"No session began from {done.span.first} to {done.span.last}.")
        return
    rule = done.rule
    click.secho(
        f"{count(whole.sessions)} sessions of {count(whole.customers)} customers from {done.span.first} to {done.span.last}. "
        f"As of {when(done.span.at)}.", bold=True,
    )  # fmt: skip
    click.echo(
        f"Engaged: {rule.seconds} seconds, {rule.page_views} page views or a key event. Intervals are over customers, whose "
        f"sessions aren't independent. * the {done.grain} isn't over."
    )
    click.echo()
    rows = [
        (f"{first}{'' if done.finished(first) else '*'}", *_session_row(one))
        for first, one in done.found.periods.items()
    ]
    head = (
        "Sessions",
        "Customers",
        "Engaged",
        "Bounce rate",
        "95 % interval",
        "Single page",
        "Converted",
        "Pages",
        "Time",
    )
    table(("From", *head), [*rows, ("All", *_session_row(whole))], right=range(1, 10))
    click.echo()
    entries = [(name, count(one.sessions), share(one.sessions / whole.sessions), share(one.bounced.value),
                _apart(one.bounced), share(one.converted.value)) for name, one in done.found.entries.items()]  # fmt: skip
    table(("Began with", "Sessions", "Share", "Bounce rate", "95 % interval", "Converted"), entries, right=range(1, 6),
          wraps=(0,))  # fmt: skip


def _session_row(one: SessionFigures) -> tuple[str, ...]:
    return (
        count(one.sessions), count(one.customers), share(one.engaged.value), share(one.bounced.value), _apart(one.bounced),
        share(one.single_page.value), share(one.converted.value), f"{one.page_views:.2f}", duration(one.seconds),
    )  # fmt: skip


# ------------------------------------------------------------ cohorts and lifecycle


def _say_lifecycle(done: Grown) -> None:
    click.secho(f"Customers by {done.grain}, active with {done.active}. As of {when(done.at)}.", bold=True)
    click.echo(
        f"Retained: active in the {done.grain} before too. Resurrected: active before, but not in that one. Dormant: active "
        f"in that one, and no more. * the {done.grain} isn't over."
    )
    click.echo()
    rows = [
        (f"{row['period']}{'' if row['finished'] else '*'}", count(row["active"]), count(row["new"]),
         count(row["retained"]), count(row["resurrected"]), _NONE if row["dormant"] is None else count(row["dormant"]))
        for row in done.found.to_pylist()[-_PERIODS:]
    ]  # fmt: skip
    table(("From", "Active", "New", "Retained", "Resurrected", "Dormant"), rows, right=range(1, 6))


def _say_cohorts(done: Retained) -> None:
    found = done.found
    click.secho(f"Back with {done.active}, by {found.grain} of {done.born}. As of {when(done.at)}.", bold=True)
    click.echo(f"{found.definition} * the {found.grain} isn't over.")
    click.echo()
    rows = found.found.to_pylist()
    ages = range(min(_AGES, max(row["age"] for row in rows)) + 1)
    cells = {(row["cohort"], row["age"]): share(row["rate"]) + ("" if row["finished"] else "*") for row in rows}
    sizes = {row["cohort"]: row["size"] for row in rows}
    lines: list[Sequence[str]] = [
        (str(cohort), count(size), *(cells.get((cohort, age), "") for age in ages)) for cohort, size in sizes.items()
    ]
    pooled = {row["age"]: share(row["rate"]) for row in found.pooled()}
    lines.append(("All", count(sum(sizes.values())), *(pooled.get(age, "") for age in ages)))
    table((f"{found.grain.capitalize()} of", "Customers", *map(str, ages)), lines, right=range(1, len(ages) + 2))
