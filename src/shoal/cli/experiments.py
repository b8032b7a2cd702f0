"""Commands for experiments: what there is, how long one takes, its start and stop, and who is in which arm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shoal.cli.experiment_result import result
from shoal.cli.output import as_json, as_of_option, asked, count, hint, opened, print_json, share, table, when

if TYPE_CHECKING:
    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.planning import Planned
    from shoal.insight.experiments.state import State
    from shoal.workspace import Workspace
    from shoal.workspace.experiments import Assigned, Standing

_EMPTY = "–"


@click.group()
def experiment() -> None:
    """Plan, start and stop experiments, and draw customers into their arms.

    Definitions stand in experiments/*.yaml.
    """


@experiment.command("list")
@as_json
@click.pass_context
def listed(ctx: click.Context, json_: bool) -> None:
    """List experiments with how far they are."""
    with opened(ctx) as ws:
        found, faults = ws.experiments.standing(), ws.experiments.catalogue().faults
        if json_:
            documents = [one.document() for one in found]
            print_json({"experiments": documents, "faults": {slug: str(error) for slug, error in faults.items()}})
        elif found:
            table(("Slug", "Name", "State", "Arms", "Judged by", "Owner"), [_row(one) for one in found], wraps=(1, 3))
        elif not faults:
            click.echo("There is no experiment yet. Write one to experiments/….yaml; see docs/experiments.md.")
        if not json_:
            for one in found:
                for change in one.changed:
                    click.echo(f"– {one.slug} was edited after it began: {change}.")
        for slug, error in faults.items():
            click.secho(f"The experiment {slug} isn't accepted. {error}", fg="red", err=True)
        if faults:
            ctx.exit(1)


def _row(one: Standing) -> tuple[str, ...]:
    if one.experiment is None:
        return one.slug, _nameless(one), told(one.state), _EMPTY, _EMPTY, _EMPTY
    arms = ", ".join(f"{name} {100 * weight:.4g} %" for name, weight in one.experiment.arms.items())
    of = one.experiment
    return one.slug, of.name, told(one.state), arms, of.primary, of.owner or _EMPTY


def _nameless(one: Standing) -> str:
    from shoal.insight.pilots.definition import HELD_OUT, PILOT, PREFIX

    if one.slug.startswith(PREFIX) and set(dict(one.state.meaning.get("arms", ()))) == {HELD_OUT, PILOT}:
        return f"(the lots of the pilot {one.slug.removeprefix(PREFIX)})"
    return "(its file is gone, or isn't accepted)"


def told(state: State) -> str:
    """How far an experiment is, in words."""
    if state.stage == "running":
        return f"running since {when(state.started)}"
    if state.stage == "stopped":
        return f"stopped {when(state.stopped)}"
    return "planned" if state.stage == "planned" else "ran elsewhere"


# --------------------------------------------------------------------------- planning


@experiment.command()
@click.argument("name")
@as_of_option
@as_json
@click.pass_context
def plan(ctx: click.Context, name: str, as_of: str | None, json_: bool) -> None:
    """Show how many customers experiment NAME takes, how long that is, and what it can find.

    It is reckoned from what this workspace saw lately, as if the experiment had run then without any effect.
    """
    with opened(ctx) as ws:
        asked(ws, as_of)
        found = ws.experiments.plan(name, as_of=as_of)
        if json_:
            print_json(found.document())
            return
        _say_plan(found, ws.experiments.find(name))


def _say_plan(found: Planned, experiment: Experiment) -> None:
    from shoal.cli.kpi import amount

    metric, basis = found.metric, found.basis
    figure, spread = amount(metric, basis.metric.mean), amount(metric, basis.metric.variance**0.5)
    each = f" a customer (standard deviation {spread})" if metric.how in ("sum", "mean") else ""
    click.secho(f"{experiment.name}: {metric.name} is {figure}{each}, by the last {basis.days} days.", bold=True)
    if found.sizes is not None and found.effect is not None and experiment.effect is not None:
        size = amount(metric, found.effect)
        least = f"{experiment.effect.text} ({size})" if experiment.effect.relative else size
        arms = ", ".join(f"{name} {count(n)}" for name, n in zip(found.arms, found.sizes, strict=True))
        chance, level = share(experiment.plan.power), share(experiment.plan.alpha)
        click.echo(f"To show an effect of {least} with a chance of {chance}, at a level of {level}: {arms} customers.")
    if found.days is not None:
        weeks = -(-found.days // 7)
        click.echo(
            f"That takes {count(found.days)} days, as customers came and the figure grew lately. In whole weeks: "
            f"days: {weeks * 7}."
        )
    click.echo()
    rows = [
        (
            count(s.days),
            count(s.customers),
            amount(metric, s.metric.mean),
            amount(metric, s.detectable),
            share(s.relative),
        )
        for s in found.spans
    ]
    table(("Days", "Customers", "Figure", "Least effect found", "Relative"), rows, right=range(5))
    if found.reduction is not None:
        click.echo(
            f"What customers did before lowers the variance by {share(found.reduction)} (CUPED): so many fewer are needed."
        )
    for note in found.notes:
        click.echo(f"– {note}")
    click.echo(f"As of {when(found.at)}.")


# --------------------------------------------------------------------------- starting and stopping


@experiment.command()
@click.argument("name")
@click.option("--since", metavar="WHEN", help="An earlier instant, where exposures were sent before.")
@as_json
@click.pass_context
def start(ctx: click.Context, name: str, since: str | None, json_: bool) -> None:
    """Begin experiment NAME: its arms are drawn from now on, and its file mustn't change any more."""
    with opened(ctx) as ws:
        begun = ws.experiments.start(name, since=since)
        if json_:
            print_json({"experiment": begun.slug, **begun.document()})
            return
        click.secho(f"{begun.slug} runs since {when(begun.started)}.", bold=True)
        if begun.slot is not None:
            low, high = (place / 1_000_000 for place in begun.slot.span)
            click.echo(f"It has {share(high - low)} of the layer {begun.slot.layer}, from {low:g} to {high:g}.")
        for one in begun.holdouts:
            click.echo(f"{share(one.share)} of all customers are in no experiment (holdout {one.name}).")
        if begun.wanted is not None:
            click.echo(f"It takes {count(begun.wanted)} customers for the effect that matters.")
        click.echo(hint(f"Who is in which arm: shoal experiment assign {begun.slug} CUSTOMER"))


@experiment.command()
@click.argument("name")
@click.option("--because", default="", metavar="TEXT", help="Why, for those who look at it later.")
@as_json
@click.pass_context
def stop(ctx: click.Context, name: str, because: str, json_: bool) -> None:
    """End experiment NAME. It can't be begun again; its part of the layer is free."""
    with opened(ctx) as ws:
        over = ws.experiments.stop(name, because=because)
        if json_:
            print_json({"experiment": over.slug, **over.document()})
            return
        click.secho(f"{over.slug} is over since {when(over.stopped)}.", bold=True)


# --------------------------------------------------------------------------- arms


@experiment.command()
@click.argument("name")
@click.argument("customers", nargs=-1, required=True)
@as_json
@click.pass_context
def assign(ctx: click.Context, name: str, customers: tuple[str, ...], json_: bool) -> None:
    """Say the arm of experiment NAME that CUSTOMERS, by id, are drawn into: the same at every asking."""
    with opened(ctx) as ws:
        found = ws.experiments.assign_all(name, customers)
        if json_:
            print_json([one.document() for one in found])
            return
        for one in found:
            click.echo(f"{one.customer}: {_arm(one)}")


def _arm(one: Assigned) -> str:
    return one.arm if one.arm is not None else f"in no arm, since {one.because}"


@experiment.command()
@click.argument("name")
@as_json
@click.pass_context
def arms(ctx: click.Context, name: str, json_: bool) -> None:
    """Show each arm of experiment NAME as a condition, and how many are in it now or were exposed to it."""
    with opened(ctx) as ws:
        state = ws.experiments.state(name)
        conditions = {} if state.stage == "elsewhere" else dict(ws.experiments.arms(name))
        exposed = None if state.stage == "planned" else _exposed(ws, name)
        if json_:
            print_json({"experiment": state.slug, **state.document(), "conditions": conditions, "exposed": exposed})
            return
        for arm, condition in conditions.items():
            click.echo(f"{arm}: {condition}")
        if exposed is not None:
            _say_exposed(exposed)


def _exposed(ws: Workspace, name: str) -> dict[str, object] | None:
    """Who was exposed; None where nothing that says so has come yet."""
    from shoal.errors import UnknownName
    from shoal.insight.experiments.sightings import Unexposed

    try:
        with ws.experiments.exposures(name) as found:
            return found.document()
    except (UnknownName, Unexposed):
        return None


def _say_exposed(exposed: dict[str, object]) -> None:
    arms, left = exposed["arms"], exposed["left_out"]
    assert isinstance(arms, dict)
    assert isinstance(left, list)
    click.echo(f"Exposed: {', '.join(f'{name} {count(n)}' for name, n in arms.items())} customers.")
    for one in left:
        click.echo(f"– Left out: {one['says']}")
    notes = exposed["notes"]
    assert isinstance(notes, list)
    for note in notes:
        click.echo(f"– {note}")


# --------------------------------------------------------------------------- what came of it

experiment.add_command(result)
