"""The command for what an experiment shows: the verdict first, then what it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shoal.cli.output import as_json, as_of_option, asked, count, opened, print_json, share, table, when

if TYPE_CHECKING:
    from shoal.insight.experiments.over_time import OverTime, Point
    from shoal.insight.experiments.responding import Dimension
    from shoal.insight.experiments.results import Comparison, Measured, Result

_COLOURS = {"better": "green", "worse": "red", "harm": "red", "blocked": "red"}


@click.command()
@click.argument("name")
@click.option("--by", multiple=True, metavar="NAME", help="A segment or trait: do its groups respond differently?")
@click.option("--strata", metavar="NAME", help="Post-stratify by a segment or trait, in the place of CUPED.")
@click.option(
    "--winsorise", type=float, default=0.999, show_default=True, help="Cut money above this quantile; 0: don't."
)
@click.option("--no-cuped", is_flag=True, help="Leave out what customers did before.")
@click.option(
    "--over-time", is_flag=True, help="Show the effect by the time since the exposure, however many there are."
)
@as_of_option
@as_json
@click.pass_context
def result(
    ctx: click.Context,
    name: str,
    by: tuple[str, ...],
    strata: str | None,
    winsorise: float,
    no_cuped: bool,
    over_time: bool,
    as_of: str | None,
    json_: bool,
) -> None:
    """Show what experiment NAME found, as its plan allows: verdict, sizes of arms, effects with intervals."""
    with opened(ctx) as ws:
        asked(ws, as_of)
        found = ws.experiments.result(
            name,
            by=by,
            strata=strata,
            winsorise=winsorise or None,
            cuped=not no_cuped,
            since_exposure=over_time or None,
            as_of=as_of,
        )
        if json_:
            print_json(found.document())
            return
        _say(found)


def _say(found: Result) -> None:
    verdict = found.verdict
    click.secho(f"{found.name}: {verdict.headline}", bold=True, fg=_COLOURS.get(verdict.kind))
    for line in (*(one.says for one in verdict.arms), *verdict.sentences):
        click.echo(line)
    click.echo()
    click.echo(f"Sizes of arms. {found.sample.says}")
    click.echo()
    _metrics(found)
    for dimension in found.dimensions:
        click.echo()
        _dimension(dimension)
    if found.over_time is not None:
        _course(found.over_time)
    click.echo()
    for note in _notes(found):
        click.echo(f"– {note}")
    click.echo(f"As of {when(found.at)}; since {when(found.began)}: {found.progress}.")


# --------------------------------------------------------------------------- metrics


def _metrics(found: Result) -> None:
    causal = found.randomised and not found.sample.fails
    rows, bayesian = [], any(c.chance is not None for m in found.metrics for c in m.comparisons)
    for metric in found.metrics:
        rows += _rows(metric, causal=causal)
    what = "Effect" if causal else "Difference"
    last = "Chance to be higher" if bayesian else "p, corrected"
    head = ("Metric", "Arm", "Customers", "Figure", what, "Relative", last)
    if rows:
        table(head, rows, right=(2, 3, 4, 5, 6), wraps=(0,))
    for metric in found.metrics:
        if metric.refused is not None:
            click.echo(f"– {metric.name}: {metric.refused}")


def _rows(metric: Measured, *, causal: bool) -> list[tuple[str, ...]]:
    from shoal.insight.experiments.telling import figure

    rows: list[tuple[str, ...]] = []
    told = {one.arm: one for one in metric.comparisons}
    for place, shown in enumerate(metric.figures):
        named = (metric.name, metric.role, "")[min(place, 2)]
        row = (named, shown.arm, count(shown.n), figure(shown.value, metric.unit))
        if (one := told.get(shown.arm)) is None:
            rows.append((*row, "", "", ""))
        else:
            rows += [(*row, *_effect(metric, one, causal=causal)), ("", "", "", "", *_ends(metric, one), "")]
    return rows


def _effect(metric: Measured, told: Comparison, *, causal: bool) -> tuple[str, ...]:
    from shoal.insight.experiments.telling import chance, difference, percent

    relative = "–" if told.relative is None else percent(told.relative.value)
    last = chance(told.corrected) if told.chance is None else share(told.chance)
    last = last if causal else "–"
    return difference(told.absolute.value, metric.unit), relative, last


def _ends(metric: Measured, told: Comparison) -> tuple[str, str]:
    """The intervals, a line below what they are of, so that the table stays narrow."""
    from shoal.insight.experiments.telling import span

    relative = "" if told.relative is None else span(told.relative, metric.unit)
    return span(told.absolute, metric.unit), relative


# --------------------------------------------------------------------------- segments and time


def _dimension(found: Dimension) -> None:
    from shoal.insight.experiments.telling import between, difference

    click.echo(found.says)
    rows = [
        (
            group.name,
            count(sum(group.n)),
            difference(group.effect.value, found.unit),
            difference(group.drawn.value, found.unit),
            between(group.drawn.low, group.drawn.high, found.unit),
        )
        for group in found.groups
    ]
    if rows:
        head = (found.dimension, "Customers", "Measured", "Chance taken off", "Interval of that")
        table(head, rows, right=(1, 2, 3, 4), wraps=(0,))
    if found.left_out:
        click.echo(f"Too small: {', '.join(found.left_out)}.")


def _course(found: OverTime) -> None:
    several = len({point.at for point in found.weeks}) > 1
    if found.says or several:
        click.echo()
    if found.says:
        click.echo(found.says)
    if several:
        _points(found, found.weeks, "Came in, week")
    if found.periods:
        _points(found, found.periods, "Since exposure, week" if found.period_days >= 7 else "Since exposure, day")


def _points(found: OverTime, points: tuple[Point, ...], name: str) -> None:
    from shoal.insight.experiments.telling import between, difference

    rows = [
        (
            str(one.at + 1),
            one.arm,
            count(one.n),
            difference(one.value, found.unit),
            between(one.low, one.high, found.unit),
        )
        for one in points
    ]
    table((name, "Arm", "Customers", "Effect", "95 %"), rows, right=(0, 2, 3, 4))


# --------------------------------------------------------------------------- notes


def _notes(found: Result) -> list[str]:
    notes = [found.plan]
    notes += list(dict.fromkeys(f"Corrected: {m.correction}." for m in found.metrics if m.correction))
    for metric in found.metrics:
        notes += _of_metric(metric)
    return [*notes, *found.notes]


def _of_metric(metric: Measured) -> list[str]:
    from shoal.insight.experiments.telling import between, difference, figure, span

    notes = []
    if metric.reduction is not None and any(one.adjusted != one.value for one in metric.figures):
        notes.append(
            f"{metric.name}: the effect is adjusted by what was known before, and so isn't just the difference of the figures; "
            f"that lowers its variance by {share(metric.reduction)}."
        )
    elif metric.reduction is not None:
        notes.append(f"{metric.name}: what customers did before tells nothing of it ({share(metric.reduction)}).")
    uncut = metric.uncut
    if uncut is not None:
        named = [one.arm for one in metric.comparisons]
        if uncut.cap is not None and uncut.quantile is not None:
            effects = "; ".join(
                f"{arm} {difference(e.value, metric.unit)} ({span(e, metric.unit)})"
                for arm, e in zip(named, uncut.effects, strict=True)
            )
            notes.append(
                f"{metric.name}: amounts above {figure(uncut.cap, metric.unit)}, the {100 * uncut.quantile:g} % quantile of all "
                f"arms together, count as that ({count(uncut.capped)} customers). Nothing cut: {effects}."
            )
        drawn = "; ".join(
            f"{arm} {between(one.low, one.high, metric.unit)}" for arm, one in zip(named, uncut.bootstrap, strict=True)
        )
        notes.append(f"{metric.name}: the bootstrap's intervals of 95 %: {drawn}.")
    return [*notes, *metric.notes]
