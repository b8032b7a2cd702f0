"""The command for retention of contracts: who stays how long, by group, and what that foretells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shoal.cli.output import as_json, as_of_option, count, opened, print_json, share, table, when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.contracts import Retention, Step
    from shoal.stats.survival import LogRank

_LINES = 13
"""So many periods of a curve are printed; all of them with --json."""
_AHEAD = 4
_SMALL = 1e-4


@click.command()
@click.option("--by", metavar="TRAIT", help="Compare the values of a trait.")
@click.option("--segment", "segments", multiple=True, metavar="SEGMENT", help="Compare a segment with everybody else.")
@click.option("--start", metavar="NAME", help="The event, or the trait with a date, that begins a contract.")
@click.option("--end", metavar="NAME", help="The event, or the trait with a date, that ends it.")
@click.option("--tenure", metavar="TRAIT", help="For how many periods each has been, or was, under contract.")
@click.option("--left", metavar="CONDITION", help="Who left: a yes/no trait, or a condition.")
@click.option("--period", metavar="PERIOD", help="day, week, month (usual), quarter or year.")
@click.option("--ahead", type=click.IntRange(1, 1000), metavar="N", help="Project so many periods.")
@as_of_option
@as_json
@click.pass_context
def retention(
    ctx: click.Context,
    /,
    by: str | None,
    segments: tuple[str, ...],
    ahead: int | None,
    as_of: str | None,
    json_: bool,
    **rule: str | None,
) -> None:
    """Show how long customers under contract stay: survival curves, groups compared, and a projection.

    What begins and ends a contract stands in shoal.yaml under contracts:, or is said here: --start and --end, or --tenure
    and --left.
    """
    with opened(ctx) as workspace:
        done = workspace.models.retention(by=by, segments=segments, ahead=ahead, as_of=as_of, **rule)
        if json_:
            print_json(done.document())
            return
        _say(done.found, when(done.at))


def _say(found: Retention, at: str) -> None:
    click.secho(
        f"{count(found.customers)} customers under contract by {found.says}: {count(found.left)} left, "
        f"{count(found.customers - found.left)} are still here. As of {at}.",
        bold=True,
    )
    click.echo(_half(found.curve.median(), found))
    click.echo()
    _curve(found)
    if found.groups:
        click.echo()
        _groups(found)
    click.echo()
    _projection(found)
    for note in found.notes:
        click.echo(f"Note: {note}")


def _half(median: float | None, found: Retention) -> str:
    if median is None:
        return f"More than half were still here after the longest time, {found.curve.followed:.3g} {found.period}s."
    return f"Half had left after {median:.3g} {found.period}s."


def _curve(found: Retention) -> None:
    rows = [
        (str(s.period), share(s.here.value), f"{share(s.here.low)} to {share(s.here.high)}", count(s.followed))
        for s in _spread(found.steps)
    ]
    table((f"{found.period.capitalize()}s", "Still here", "95 % interval", "Followed so long"), rows, right=range(4))


def _spread(steps: Sequence[Step]) -> list[Step]:
    """Some of many, in even steps, with the last one."""
    every = -(-(len(steps) - 1) // (_LINES - 1)) or 1
    return [step for step in steps if step.period % every == 0 or step is steps[-1]]


def _groups(found: Retention) -> None:
    periods = _marks(found)
    head = [found.by.capitalize(), "Customers", "Left", *(f"After {p}" for p in periods), "Half left after"]
    compared = found.by == "segments"
    rows = []
    for group in found.groups:
        shares = [share(group.steps[p].here.value) if p < len(group.steps) else "–" for p in periods]
        median = group.curve.median()
        half = "–" if median is None else f"{median:.3g}"
        row = [group.name, count(group.customers), count(group.left), *shares, half]
        rows.append([*row, _p(group.p)] if compared else row)
    table([*head, "Against others"] if compared else head, rows, right=range(1, len(head) + compared), wraps=(0,))
    if found.test is not None:
        click.echo(_tested(found.test))


def _marks(found: Retention) -> list[int]:
    """A quarter, half and all of the way to where the shortest of the groups ends."""
    last = min(group.steps[-1].period for group in found.groups)
    return sorted({max(1, last // 4), max(1, last // 2), max(1, last)})


def _p(p: float | None) -> str:
    return "–" if p is None else f"p < {_SMALL:.4f}" if p < _SMALL else f"p = {p:.4f}"


def _tested(test: LogRank) -> str:
    differ = "Groups differ" if test.p < 0.05 else "Nothing says that groups differ"
    return f"{differ}: log-rank chi squared {test.chi2:,.2f}, df {test.df}, {_p(test.p)}."


def _projection(found: Retention) -> None:
    held = found.projection
    if held is None:
        click.echo(f"No projection. {found.why_no_projection}")
        return
    click.echo(f"Projection ({held.model.name}). {held.verdict(found.period)}")
    if not held.useful:
        return
    every = -(-len(held.ahead) // _AHEAD)
    told = [f"{share(here)} after {period}" for period, here in held.ahead[every - 1 :: every]]
    if told:
        click.echo(f"Still here from the start, if it goes on so: {', '.join(told)}.")
