"""Commands for models: scores of all customers, versions, backtests, reasons, drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from shoal.cli.output import as_json, count, hint, opened, plain, print_json, progress, share, table, when
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.insight.models.contest import Lead
    from shoal.insight.models.model import Backtest, Measure
    from shoal.insight.models.versions import Version
    from shoal.workspace.models import Predicted

_SHORT, _LEAD = 4, 2
"""Digits of a measure, and of a difference of two."""


@click.command()
@click.argument("names", nargs=-1)
@click.option("--refit", is_flag=True, help="Fit anew; the new fit scores only if it foretells better, beyond chance.")
@as_json
@click.pass_context
def predict(ctx: click.Context, names: tuple[str, ...], refit: bool, json_: bool) -> None:
    """Score all customers: value, churn, next order, taste … All models, or those NAMES.

    What was never fitted is fitted first. Every score is a trait: segments may ask for it, as 'churn_90d > 0.8'.
    """
    with opened(ctx) as workspace:
        with progress() as step:
            done = workspace.models.predict(names or None, refit=refit, progress=step)
        if json_:
            print_json(done.document())
        else:
            _say(done)


def _say(done: Predicted) -> None:
    rows = [
        (name, str(v.number), "yes" if name in done.fitted else "no", count(v.evidence.customers), _standing(v))
        for name, v in done.versions.items()
    ]
    table(("Model", "Version", "Fitted now", "Learnt from", "How well"), rows, right=(1, 3), wraps=(4,))
    click.echo()
    changed = [(name, count(many)) for name, many in done.changed.items()]
    table(("Trait", "Customers with another value"), changed, right=(1,))
    click.echo(f"\n{done.entered:,} entered a segment by that, {done.left:,} left one.")
    for name, version in done.versions.items():
        if version.evidence.fallback:
            click.echo(f"{name}: {version.evidence.fallback}")
    for name, why in done.skipped.items():
        click.echo(f"Not written: {name}. {why}", err=True)
    for name, why in done.refused.items():
        click.echo(f"Not possible: {name}. {why}", err=True)
    for name, moved in done.drift.items():
        traits = ", ".join(one.trait for one in moved)
        click.echo(
            f"Drift: {traits} spread otherwise than at the fit. Consider: shoal predict {name} --refit", err=True
        )
    click.echo(hint("What a customer's scores rest on: shoal models why CUSTOMER"))


def _standing(version: Version) -> str:
    """The deciding measure of the model beside that of its best baseline."""
    from shoal.insight.models.kinds import kind

    made = kind(version.settings.kind)
    found = [m for m in version.evidence.measures if m.what == made.by and m.value is not None]
    if not found:
        return version.evidence.fallback or "not tried: see its notes"
    mine, *others = found
    pick = max if made.higher else min
    best = pick(others, key=lambda m: m.value or 0.0, default=None)
    said = f"{made.by} {_figure(mine)}"
    if best is None:
        return said
    lead = next((one for one in version.evidence.leads if (one.rival, one.what) == (best.who, made.by)), None)
    return f"{said}; {best.who} alone {_figure(best)}{'' if lead is None else f'; {_ahead(lead)}'}"


def _ahead(lead: Lead) -> str:
    """How far the model is ahead of a baseline, and whether chance alone could have made that."""
    if lead.low is None or lead.high is None:
        return "too few customers to say how surely"
    way, sign = ("behind", -1) if lead.value < 0 else ("ahead", 1)
    ends = sorted((sign * lead.low, sign * lead.high))
    said = f"{way} by {abs(lead.value):.{_LEAD}g} ({ends[0]:.{_LEAD}g} to {ends[1]:.{_LEAD}g})"
    return said if lead.sure or lead.behind else f"{said}, which may be chance"


def _figure(measure: Measure) -> str:
    if measure.value is None:
        return "–"
    said = f"{measure.value:.{_SHORT}g}"
    if measure.low is None or measure.high is None:
        return said
    return f"{said} ({measure.low:.{_SHORT}g} to {measure.high:.{_SHORT}g})"


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def models(ctx: click.Context, json_: bool) -> None:
    """List the models: what they foretell, which version scores, how well it does."""
    if ctx.invoked_subcommand is not None:
        return
    from shoal.insight.models.kinds import EVERY

    with opened(ctx) as workspace:
        held = {v.name: v for v in workspace.models.in_force()}
        settings = workspace.models.every()
        if json_:
            print_json([_document(name, one.document(), held.get(name)) for name, one in settings.items()])
            return
        rows = []
        for name, one in settings.items():
            v = held.get(name)
            fit = ("–", "–", "not fitted yet") if v is None else (str(v.number), when(v.fitted), _standing(v))
            rows.append((name, EVERY[one.kind].title, one.looks, *fit))
        table(("Model", "Foretells", "Horizon", "Version", "Fitted", "How well"), rows, right=(3,), wraps=(1, 5))
        click.echo(hint("Fit and score: shoal predict. One model in full: shoal models show NAME"))


def _document(name: str, settings: Mapping[str, Any], version: Version | None) -> dict[str, Any]:
    return {"model": name, **settings, "version": None if version is None else version.document()}


@models.command("show")
@click.argument("name")
@click.option("--version", "number", type=int, help="Another version than the one that scores.")
@as_json
@click.pass_context
def show(ctx: click.Context, name: str, number: int | None, json_: bool) -> None:
    """Show the model NAME: what it foretells, what it rests on, its measures, its versions."""
    with opened(ctx) as workspace:
        version = workspace.models.version(name, number)
        every = workspace.models.versions(name)
        if json_:
            print_json(version.document() | {"versions": [one.number for one in every]})
            return
        evidence = version.evidence
        click.secho(f"{name}, version {version.number}", bold=True)
        click.echo(evidence.label)
        click.echo(
            f"Learnt from {counted(evidence.customers, 'customer')}, {when(evidence.since)} to {when(evidence.until)}."
        )
        for note in (evidence.fallback, *evidence.notes):
            if note:
                click.echo(f"Note: {note}")
        click.echo()
        _measures(evidence.measures)
        _leads(evidence.leads)
        click.echo()
        rows = [
            (str(one.number), when(one.fitted), "scores" if one.in_force else "kept", _standing(one)) for one in every
        ]
        table(("Version", "Fitted", "State", "How well"), rows, right=(0,), wraps=(3,))


def _measures(measures: Sequence[Measure]) -> None:
    if not measures:
        click.echo("It wasn't tried on earlier data.")
        return
    names = list(dict.fromkeys(m.what for m in measures))
    rows = []
    for who in dict.fromkeys(m.who for m in measures):
        of = {m.what: m for m in measures if m.who == who}
        rows.append([who, *(_figure(of[what]) if what in of else "–" for what in names)])
    table(("", *names), rows, right=range(1, len(names) + 1))


def _leads(leads: Sequence[Lead]) -> None:
    """Against each baseline whether the model is better beyond chance, by the measure that decides and by rank."""
    if not leads:
        return
    for what in dict.fromkeys(lead.what for lead in leads):
        click.echo(f"\nThe model against each, by {what}, with the 95 % interval over customers:")
        for lead in (one for one in leads if one.what == what):
            click.echo(f"  {lead.rival}: {_ahead(lead)}")


@models.command("backtest")
@click.argument("name")
@click.option("--periods", default=3, show_default=True, type=click.IntRange(1, 36), help="How many cuts at most.")
@as_json
@click.pass_context
def backtest(ctx: click.Context, name: str, periods: int, json_: bool) -> None:
    """Try the model NAME at earlier dates: fit on what was known then, judge by what came, beside baselines."""
    with opened(ctx) as workspace:
        found = workspace.models.backtest(name, periods=periods)
        if json_:
            print_json(found.document())
        else:
            _say_backtest(found)


def _say_backtest(found: Backtest) -> None:
    click.echo(found.label)
    for period in found.periods:
        click.echo()
        click.secho(f"{when(period.cut)} to {when(period.until)}, {counted(period.customers, 'customer')}", bold=True)
        _measures(period.measures)
        _leads(period.leads)
    click.echo(f"\n{found.verdict()}")
    for note in found.notes:
        click.echo(f"Note: {note}")


@models.command("why")
@click.argument("customer")
@click.option("--model", "name", help="One model; all that are fitted by default.")
@as_json
@click.pass_context
def why(ctx: click.Context, customer: str, name: str | None, json_: bool) -> None:
    """Say what the scores of CUSTOMER rest on."""
    with opened(ctx) as workspace:
        found = workspace.models.reasons(customer, name)
        if json_:
            print_json({model: list(said) for model, said in found.items()})
            return
        if not found:
            click.echo(hint("No model is fitted yet: shoal predict"))
        for model, said in found.items():
            click.secho(model, bold=True)
            for sentence in said or ("Nothing is known that it could rest on.",):
                click.echo(f"  {plain(sentence)}")


@models.command("use")
@click.argument("name")
@click.argument("version", type=int)
@click.pass_context
def use(ctx: click.Context, name: str, version: int) -> None:
    """Let another VERSION of the model NAME score from the next run on."""
    with opened(ctx) as workspace:
        workspace.models.use(name, version)
        click.echo(f"Version {version} of {name} scores from the next run on: shoal predict {name}")


@models.command("drift")
@click.argument("name", required=False)
@as_json
@click.pass_context
def drift(ctx: click.Context, name: str | None, json_: bool) -> None:
    """Say whether scores spread over customers as they did at the fit. The exit code is 1 where one doesn't."""
    with opened(ctx) as workspace:
        found = workspace.models.drift(name)
        if json_:
            print_json({model: [one.document() for one in moved] for model, moved in found.items()})
        elif not any(found.values()):
            click.echo(hint("There is nothing to compare yet: no model is fitted, or its scores are all dates."))
        else:
            rows = [
                (model, one.trait, f"{one.drift.psi:.3f}", f"{one.drift.by_chance:.3f}", one.drift.verdict.value)
                for model, moved in found.items()
                for one in moved
            ]
            table(("Model", "Trait", "PSI", "By chance", "Verdict"), rows, right=(2, 3))
        if any(one.alarming for moved in found.values() for one in moved):
            ctx.exit(1)


@click.command()
@click.argument("segment")
@click.option("--without", multiple=True, help="Leave a feature out: a trait, behaviour or taste. May be repeated.")
@click.option("--take", type=click.IntRange(1), help="Put the so many most similar customers on a list.")
@click.option("--list", "name", help="The list for --take; made from the segment's name by default.")
@as_json
@click.pass_context
def lookalike(
    ctx: click.Context, segment: str, without: tuple[str, ...], take: int | None, name: str | None, json_: bool
) -> None:
    """Find customers outside SEGMENT who are most like its members, with similarity against reach.

    A segment that is defined by a trait is told by that trait: leave it out to find who is like its members in all else.
    """
    with opened(ctx) as workspace:
        found = workspace.models.lookalike(segment, without=without)
        listed = name or f"like {found.segment}"
        if take is not None:
            workspace.lists.add(listed, found.nearest(take))
        if json_:
            print_json(found.document() | ({"list": listed} if take is not None else {}))
            return
        click.echo(f"{counted(found.members, 'member')}, {counted(found.others, 'other')}. {found.found.verdict}")
        rows = [
            (share(p.share), count(p.customers), f"{p.similarity:.2f}", share(p.recall.value), f"{p.lift:.1f} ×")
            for p in found.curve
        ]
        table(("Reach", "Customers", "Least similarity", "Held-out members found", "Lift"), rows, right=range(5))
        if take is None:
            click.echo(hint(f"Put the nearest on a list: shoal lookalike {found.segment} --take 500"))
        else:
            click.echo(f'They are on the list "{listed}": segments ask for it with listed in "{listed}".')
