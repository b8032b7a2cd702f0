"""The command for attribution: what each of several models credits each channel with, and what that is of its cost."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.output import as_json, as_of_option, asked, count, money, opened, print_json, share, table, when
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shoal.insight.attribution.sharing import Share, Shared
    from shoal.stats.intervals import Interval

_MODELS = ("last", "first", "linear", "position", "time-decay", "markov")


@click.command()
@click.option("--model", "models", multiple=True, type=click.Choice(_MODELS), help="Only this model; all by default.")
@click.option("--by", type=click.Choice(("channel", "campaign")), default="channel", show_default=True)
@click.option(
    "--touch", "touches", multiple=True, metavar="EVENT=PROPERTY", help="A touch, and the property of its channel."
)
@click.option("--conversion", metavar="EVENT", help="What is credited; orders by default.")
@click.option("--value", metavar="PROPERTY", help="Its money.")
@click.option("--days", type=click.IntRange(1, 3660), help="A touch counts so long before a conversion.")
@click.option("--start", metavar="DATE", help="Only conversions from this day on.")
@click.option("--end", metavar="DATE", help="Only conversions up to this day.")
@as_of_option
@as_json
@click.pass_context
def attribution(
    ctx: click.Context,
    /,
    touches: tuple[str, ...],
    as_of: str | None,
    json_: bool,
    **said: Any,
) -> None:
    """Show which channels conversions are credited to, by several models beside each other, and revenue per spend.

    What counts as a touch stands in shoal.yaml under attribution:, or is said here with --touch. Models share out what
    happened; none says what would have happened without a channel.
    """
    with opened(ctx) as workspace:
        told = {"campaigns" if said["by"] == "campaign" else "touches": dict(_touch(one) for one in touches)}
        told |= {"touches": told["campaigns"]} if told.get("campaigns") else {}
        done = workspace.attribution(**told, **said, as_of=asked(workspace, as_of))
        if json_:
            print_json(done.document())
            return
        _say(done.found, workspace.config.currency, when(done.at))


def _touch(said: str) -> tuple[str, str | None]:
    event, _, prop = said.partition("=")
    return event.strip(), prop.strip() or None


def _say(found: Shared, currency: str, at: str) -> None:
    click.secho(
        f'{counted(found.conversions, "conversion")} ("{found.rule.conversion}") after a touch of the {found.rule.days} days '
        f"before, worth {money(found.value)} {currency}. As of {at}.",
        bold=True,
    )
    _table(found, "Conversions credited", lambda one: one.conversions, lambda value: f"{value:,.1f}")
    _table(found, f"Value credited, {currency}", lambda one: one.value, money)
    if found.spend:
        _table(found, "Value per spend (ROAS)", lambda one: one.roas, lambda value: f"{value:,.2f}", paid=True)
    click.echo()
    for note in found.notes():
        click.echo(note)


def _table(
    found: Shared,
    title: str,
    of: Callable[[Share], Interval | None],
    shown: Callable[[float], str],
    *,
    paid: bool = False,
) -> None:
    """A row a channel and a column a model, with the 95 % interval of the model that the settings name, or of the first."""
    named = found.rule.model if found.rule.model in found.models else found.models[0]
    extra = ["Spend"] if paid else ["Touches", *(["Removal effect"] if found.removal else [])]
    head = [found.by.capitalize(), *(_title(model) for model in found.models), f"95 % ({named})", *extra]
    rows = []
    for channel in found.channels:
        if paid and channel not in found.spend:
            continue
        figures = [of(found.of(channel, model)) for model in found.models]
        ends = of(found.of(channel, named))
        more = [money(found.spend[channel])] if paid else _facts(found, channel)
        rows.append([channel, *(_cell(one, shown) for one in figures), _ends(ends, shown), *more])
    click.echo()
    table(head, rows, right=range(1, len(head)), wraps=(0,), title=title)


def _facts(found: Shared, channel: str) -> Sequence[str]:
    touches = count(found.touches[channel])
    return [touches, share(found.removal[channel])] if found.removal else [touches]


def _title(model: str) -> str:
    return model.replace("-", " ").capitalize()


def _cell(found: Interval | None, shown: Callable[[float], str]) -> str:
    return "–" if found is None else shown(found.value)


def _ends(found: Interval | None, shown: Callable[[float], str]) -> str:
    return "–" if found is None or isnan(found.low) else f"{shown(found.low)} to {shown(found.high)}"
