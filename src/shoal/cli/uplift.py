"""The command for uplift: whom an experiment's treatments move, what choosing by that pays, and "who to treat" as a segment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shoal.cli.output import as_json, as_of_option, count, hint, opened, print_json, progress, table, when

if TYPE_CHECKING:
    from shoal.insight.metrics.definition import Metric
    from shoal.insight.uplift.judging import Found
    from shoal.workspace import Workspace
    from shoal.workspace.uplift import Saved, Uplifted

_SHOWN = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)


@click.command()
@click.argument("experiment")
@click.option("--metric", metavar="METRIC", help="The outcome; the experiment's primary metric unless it is said.")
@click.option("--arm", metavar="ARM", help="Only this arm against the control.")
@click.option("--value", "worth", type=float, metavar="V", help="What one of the outcome is worth.")
@click.option("--cost", type=float, default=0.0, metavar="C", help="What treating one customer costs.")
@click.option(
    "--share", "part", type=float, metavar="X", help="Treat this share, as 0.2, in the place of what pays most."
)
@click.option("--learner", default="auto", metavar="LEARNER", help="s, t, x or dr; auto (usual) chooses among them.")
@click.option("--without", multiple=True, metavar="NAME", help="A trait or event that is no feature.")
@click.option("--save", "slug", metavar="SLUG", help="Keep the model, score everybody, and write the segment SLUG.")
@click.option("--charts", type=click.Path(file_okay=False), metavar="FOLDER", help="Write the pictures there, as SVG.")
@as_of_option
@as_json
@click.pass_context
def uplift(
    ctx: click.Context,
    experiment: str,
    metric: str | None,
    arm: str | None,
    worth: float | None,
    cost: float,
    part: float | None,
    learner: str,
    without: tuple[str, ...],
    slug: str | None,
    charts: str | None,
    as_of: str | None,
    json_: bool,
) -> None:
    """Show whom the treatments of EXPERIMENT move, judged on customers whom the models didn't see.

    With --save, whom to treat becomes a segment: of one arm, where whom to choose pays.
    """
    with opened(ctx) as workspace:
        if slug is not None and arm is None:
            _hold_one_arm(workspace, experiment)
        with progress() as step:
            done = workspace.uplift(
                experiment, metric=metric, arm=arm, worth=worth, cost=cost, share=part, learner=learner, without=without,
                as_of=as_of, progress=step,
            )  # fmt: skip
        saved = None if slug is None else done.save(slug, arm)
        written = [] if charts is None else _drawn(done, Path(charts))
        if json_:
            print_json(done.document() | {"saved": None if saved is None else saved.document()})
            return
        for one in done.found:
            _say(one, done, when(done.at))
        for path in written:
            click.echo(f"Written: {path}")
        if saved is not None:
            _say_saved(saved)


def _hold_one_arm(workspace: Workspace, name: str) -> None:
    """Refuse to save for several arms, before all of them are learnt from."""
    from shoal.errors import Refused

    _, *arms = workspace.experiments.find(name).arms
    if len(arms) > 1:
        raise Refused(
            f"{name!r} has several arms beside the control: {', '.join(arms)}.",
            fix="Say whose segment it is: --arm ARM",
        )


def _say(found: Found, done: Uplifted, at: str) -> None:
    from shoal.insight.uplift.learners import LEARNERS
    from shoal.stats.uplift import DEFINITION

    verdict, *rest = done.sentences(found.arm)
    click.secho(
        f"{found.arm} against {found.control} in {done.experiment.slug}: {done.metric.name}. As of {at}.", bold=True
    )
    click.secho(verdict, bold=True)
    for line in rest:
        click.echo(line)
    click.echo()
    _groups(found, done.metric)
    if found.usable:
        click.echo()
        _values(found, done.metric)
    chosen = LEARNERS[found.kind].title
    how = f"{chosen}, chosen on folds of their own" if found.tried else chosen
    click.echo(f"\nLearner: {how}. {DEFINITION}\n")


def _groups(found: Found, metric: Metric) -> None:
    from shoal.insight.uplift.telling import ranged

    rows = [
        (f"{100 * g.begin:.0f} to {100 * g.end:.0f} %", count(g.n), ranged(g.effect, metric.unit)) for g in found.groups
    ]
    table(("Best scored", "Customers", "Measured effect (95 % interval)"), rows, right=(1, 2))


def _values(found: Found, metric: Metric) -> None:
    from shoal.insight.uplift.telling import ranged, unit_of_gain

    unit = unit_of_gain(found, metric)
    rows = [
        (f"{100 * v.share:.0f} %", ranged(v.gain, unit), ranged(v.over_random, unit), ranged(v.over_all, unit))
        for v in found.values if any(abs(v.share - s) < 0.01 for s in _SHOWN)
    ]  # fmt: skip
    table(("Treat the best", "Gain per customer", "Over random", "Over everybody"), rows, right=(1, 2, 3))


def _say_saved(saved: Saved) -> None:
    from shoal.lang.show import show

    click.echo(
        f"Saved: segments/{saved.segment.slug}.yaml, {show(saved.segment.where)}: {count(saved.members)} customers."
    )
    click.echo(
        hint(f"Score later customers: shoal predict {saved.model}. Why one has a score: shoal models why CUSTOMER")
    )


def _drawn(done: Uplifted, folder: Path) -> list[Path]:
    from shoal.errors import unwritten
    from shoal.lang.slug import slug_of
    from shoal.views.charts import to_svg
    from shoal.workspace.uplift import PICTURES

    written = []
    for one in done.found:
        for picture in PICTURES:
            path = folder / f"uplift-{slug_of(one.arm)}-{picture}.svg"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_text(to_svg(done.chart(picture, one.arm)), encoding="utf-8")
            except OSError as error:
                raise unwritten(error, path) from error
            written.append(path)
    return written
