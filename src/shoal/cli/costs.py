"""The command for cost KPIs: what was spent against what came."""

from __future__ import annotations

from datetime import date, timedelta
from math import isnan
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.output import as_json, as_of_option, asked, count, money, opened, print_json, share, table, when

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.insight.metrics.closing import Closing
    from shoal.insight.metrics.costs import CostFigure, CostKpi, Costs
    from shoal.insight.metrics.periods import Period

_EPOCH = date(1970, 1, 1)
_MODELS = ("last", "first", "linear", "position", "time-decay", "markov")
_GRAINS = ("day", "week", "month", "quarter", "year")


@click.command()
@click.option("--by", type=click.Choice(("channel", "campaign")), help="Break figures down.")
@click.option("--grain", type=click.Choice(_GRAINS), help="By period; one span by default.")
@click.option("--start", metavar="DATE", help="From this day on; the first day of spend by default.")
@click.option("--end", metavar="DATE", help="Up to this day; the last day of spend by default.")
@click.option("--model", type=click.Choice(_MODELS), help="Of attribution; as shoal.yaml says by default.")
@as_of_option
@as_json
@click.pass_context
def costs(ctx: click.Context, /, as_of: str | None, json_: bool, **said: Any) -> None:
    """Show what was spent against what came: cost per acquisition, ROAS, marketing ROI, clicks, close rate, sales cycle.

    Spend comes from sources with spend: in shoal.yaml. Revenue and margin are attributed: shared out among touches by a
    model that is named, and not what the spend brought about.
    """
    with opened(ctx) as workspace:
        done = workspace.costs(**said, as_of=asked(workspace, as_of))
        if json_:
            print_json(done.document())
            return
        _say(done.found, workspace.config.currency)
        click.echo()
        if done.closing is not None:
            _closing(done.closing)
        else:
            click.echo(f"No close rate. {done.why_not}")
        click.echo(f"As of {when(done.found.at)}. Intervals are of 95 %, over customers.")


_ADS, _CAME = ("ad-click-through-rate", "cost-per-click"), ("cost-per-acquisition", "roas", "marketing-roi")
_SHORT = {
    "ad-click-through-rate": "CTR", "cost-per-click": "Per click", "cost-per-acquisition": "Per new customer",
    "roas": "ROAS", "marketing-roi": "ROI",
}  # fmt: skip
_BEHIND = {
    "ad-click-through-rate": "Impressions", "cost-per-click": "Clicks", "cost-per-acquisition": "New customers",
    "roas": "Conversions",
}  # fmt: skip


def _say(found: Costs, currency: str) -> None:
    first, last = (_dated(day) for day in found.reaches)
    spans = {one.period.first: one.period for one in found.figures}
    click.secho(f"What was spent is known from {first} to {last}. Money is in {currency}.", bold=True)
    for span in sorted(spans.values(), key=lambda one: one.first):
        _span(found, span)
    click.echo()
    for kpi in found.kpis.values():
        click.echo(f"{kpi.name}: {kpi.definition}")
    for slug, why in found.missing.items():
        click.echo(f"– {slug}: {why}")
    for note in found.notes:
        click.echo(note)


def _span(found: Costs, span: Period) -> None:
    """All KPIs of a span: a row a group."""
    here = {(one.group, one.metric): one for one in found.figures if one.period.first == span.first}
    head = [(found.by or "all").capitalize(), "Spend"]
    head += [name for slug in _ADS if slug in found.kpis for name in (_BEHIND[slug], _SHORT[slug])]
    for slug in (slug for slug in _CAME if slug in found.kpis):
        head += [*([_BEHIND[slug]] if slug in _BEHIND else []), _SHORT[slug], "95 %"]
    groups = dict.fromkeys(group for group, _ in here)
    rows = [[group or "All", *_cells(found, here, group)] for group in groups]
    open_ = "" if span.finished else "; not finished"
    click.echo()
    table(
        head, rows, right=range(1, len(head)), wraps=(0,), title=f"{_dated(span.first)} to {_dated(span.last)}{open_}"
    )


def _cells(found: Costs, here: Mapping[tuple[str | None, str], CostFigure], group: str | None) -> Iterator[str]:
    for slug in ("spend", *_ADS, *_CAME):
        kpi, one = found.kpis.get(slug), here.get((group, slug))
        if kpi is None:
            continue
        if slug in _BEHIND:
            yield count(one.n) if one and one.value is not None else "–"
        yield _shown(kpi, one.value) if one else "–"
        if slug in _CAME:
            yield _ends(kpi, one) if one else ""


def _shown(kpi: CostKpi, value: float | None) -> str:
    if value is None:
        return "–"
    if kpi.unit == "share":
        return share(value)
    return money(value) if kpi.slug == "spend" else f"{value:,.2f}"


def _ends(kpi: CostKpi, one: CostFigure) -> str:
    if one.low is None and one.high is None:
        return ""
    return f"{_shown(kpi, one.low)} to {_shown(kpi, one.high)}"


def _closing(found: Closing) -> None:
    rate = f"{share(found.rate.value)} ({share(found.rate.low)} to {share(found.rate.high)})"
    click.echo(f"Close rate: {rate}, {count(found.closed)} of {count(found.leads)} leads.")
    told = [f"{_name(p)} {one.value:.1f}{_of(one.low, one.high)}" for p, one in found.days.items()]
    if told:
        click.echo(f"Sales cycle, days: {'; '.join(told)}.")
    click.echo(found.definition)
    if found.young:
        click.echo(f"{count(found.young)} younger leads aren't counted: they may yet close.")


def _name(p: float) -> str:
    return "half of them after" if p == 0.5 else f"{100 * p:.0f} % after"


def _of(low: float, high: float) -> str:
    return "" if isnan(low) else f" ({low:.1f} to {high:.1f})"


def _dated(day: int) -> date:
    return _EPOCH + timedelta(days=day)
