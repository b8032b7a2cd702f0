"""Commands for metrics: the figures of the newest period, one metric over time, and the definitions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.alerts import alerts, targets
from shoal.cli.causes import why
from shoal.cli.kpi_definitions import history, test
from shoal.cli.output import as_json, as_of_option, asked, count, hint, money, opened, print_json, share, table, when

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from shoal.insight.metrics.definition import Metric
    from shoal.workspace.metrics import Figured

GRAINS = click.Choice(["day", "week", "month", "quarter", "year"])
_EMPTY = "–"


@click.group(invoke_without_command=True)
@click.option("--segment", "segments", multiple=True, metavar="SEGMENT", help="Show a segment beside everyone.")
@click.option("--grain", type=GRAINS, default="month", show_default=True, help="The length of a period.")
@as_of_option
@as_json
@click.pass_context
def kpi(ctx: click.Context, segments: tuple[str, ...], grain: Any, as_of: str | None, json_: bool) -> None:
    """Show the metrics of the newest whole period beside the one before.

    Definitions stand in metrics/*.yaml; those that ship need none.
    """
    if ctx.invoked_subcommand is not None:
        return
    with opened(ctx) as ws:
        asked(ws, as_of)
        found = ws.metrics.figures(segments=segments, grain=grain, as_of=as_of)
        if json_:
            print_json(found.document())
            return
        _overview(found)
        _say_faults(ws.metrics.catalogue().faults)


@kpi.command("show")
@click.argument("metrics", nargs=-1, required=True)
@click.option("--segment", "segments", multiple=True, metavar="SEGMENT", help="Show a segment beside everyone.")
@click.option(
    "--by", metavar="WHAT", help="Break down by a trait, as plan, or by events, as 'store of \"Order Completed\"'."
)
@click.option("--grain", type=GRAINS, default="month", show_default=True, help="The length of a period.")
@click.option("--from", "start", metavar="DATE", help="A date in the first period.")
@click.option("--to", "end", metavar="DATE", help="A date in the last period.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    help="Write the figures there: .csv, .parquet, .html, .svg or .png.",
)
@as_of_option
@as_json
@click.pass_context
def show(
    ctx: click.Context,
    metrics: tuple[str, ...],
    segments: tuple[str, ...],
    by: str | None,
    grain: Any,
    start: str | None,
    end: str | None,
    output: str | None,
    as_of: str | None,
    json_: bool,
) -> None:
    """Show METRICS over periods, each with the customers behind it and a 95 % interval where it is an estimate."""
    with opened(ctx) as ws:
        asked(ws, as_of)
        found = ws.metrics.figures(metrics, segments=segments, by=by, grain=grain, start=start, end=end, as_of=as_of)
        if output:
            found.write(Path(output))
            click.echo(f"Wrote {output}", err=json_)
        if json_:
            print_json(found.document())
        elif not output:
            for metric in found.metrics:
                _periods(found, metric)


@kpi.command("list")
@click.option("--all", "all_", is_flag=True, help="Also those that don't stand on this data, with what it lacks.")
@as_json
@click.pass_context
def listed(ctx: click.Context, all_: bool, json_: bool) -> None:
    """List metrics with their definitions."""
    from shoal.workspace.metrics import described

    with opened(ctx) as ws:
        found = ws.metrics.catalogue()
        if json_:
            print_json(
                {
                    "metrics": [described(m) | {"ships": m.slug in found.shipped} for m in found.definitions.values()],
                    "lacking": dict(found.lacking),
                    "faults": {slug: str(error) for slug, error in found.faults.items()},
                }
            )
        else:
            rows = [(m.slug, m.name, m.owner or ("ships" if m.slug in found.shipped else _EMPTY), m.definition)
                    for m in found.definitions.values()]  # fmt: skip
            table(("Slug", "Name", "Owner", "Definition"), rows, wraps=(1, 3))
            if found.lacking:
                many = len(found.lacking)
                click.echo(
                    f"{many} more ship and don't stand on this data{':' if all_ else hint(': shoal kpi list --all')}"
                )
            if all_:
                for slug, why in found.lacking.items():
                    click.echo(f"– {slug}: {why}.")
        _say_faults(found.faults)
        if found.faults:
            ctx.exit(1)


def _say_faults(faults: Any) -> None:
    for slug, error in faults.items():
        click.secho(f"The metric {slug} isn't accepted. {error}", fg="red", err=True)


# --------------------------------------------------------------------------- printing


def amount(metric: Metric, value: float | None) -> str:
    """A figure in its unit."""
    if value is None:
        return _EMPTY
    if metric.unit == "share":
        return share(value)
    if metric.unit == "count" and metric.how in ("sum", "count"):
        return count(round(value))
    if metric.unit == "money":
        return money(value) if abs(value) >= 1000 else f"{value:,.2f}"
    if metric.unit == "score" and metric.slug == "nps":
        return f"{value:+.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3g}"


def interval(metric: Metric, row: dict[str, Any]) -> str:
    """The interval of a figure."""
    if row["low"] is None and row["high"] is None:
        return ""
    return f"{amount(metric, row['low'])} to {amount(metric, row['high'])}"


def _overview(found: Figured) -> None:
    rows = found.found.to_pylist()
    whole = sorted({row["period"] for row in rows if row["finished"]})
    shown = whole[-2:] or sorted({row["period"] for row in rows})[-1:]
    newest, last = shown[-1], shown[0] if len(shown) > 1 else None
    several = len({row["segment"] for row in rows}) > 1
    head = ["Metric", *(["Segment"] if several else []), _span(rows, newest), "95 % interval", "Customers"]
    if last is not None:
        head += [_span(rows, last), "Change"]
    cells = []
    for metric in found.metrics:
        for row in (r for r in rows if r["metric"] == metric.slug and r["period"] == newest):
            cell = [metric.name, *([found.segments.get(row["segment"], "Everyone")] if several else [])]
            cell += [amount(metric, row["value"]), interval(metric, row), count(row["n"])]
            if last is not None:
                former = next(
                    r for r in rows
                    if r["metric"] == metric.slug and r["period"] == last and r["segment"] == row["segment"]
                )  # fmt: skip
                cell += [amount(metric, former["value"]), _change(metric, former["value"], row["value"])]
            cells.append(cell)
    table(head, cells, right=range(1 + several, len(head)), wraps=(0,))
    reached = max((at for at in found.reached.values() if at is not None), default=None)
    click.echo(
        f"As of {when(found.at)}; the newest event is of {when(reached)}. What each is: {hint('shoal kpi list')}"
    )


def _span(rows: Sequence[dict[str, Any]], first: date) -> str:
    last: date = next(row["ends"] for row in rows if row["period"] == first)
    return period_name(first, last)


def period_name(first: date, last: date) -> str:
    """A period as it is read.

    >>> from datetime import date
    >>> period_name(date(2017, 12, 1), date(2017, 12, 31)), period_name(date(2017, 10, 1), date(2017, 12, 31))
    ('Dec 2017', 'Q4 2017')
    """
    days = 1 + (last - first).days
    if days == 1:
        return f"{first:%-d %b %Y}"
    if days == 7:
        return f"{first:%-d %b %Y} on"
    if days <= 31:
        return f"{first:%b %Y}"
    return f"Q{(first.month + 2) // 3} {first.year}" if days <= 92 else str(first.year)


def _change(metric: Metric, last: float | None, now: float | None) -> str:
    """By how much it changed: shares and scores in points, else in per cent."""
    if last is None or now is None:
        return _EMPTY
    if metric.unit == "share":
        return f"{100 * (now - last):+.1f} points"
    if metric.unit == "score":
        return f"{now - last:+.3g}"
    return _EMPTY if last == 0 else f"{100 * (now - last) / abs(last):+.1f} %"


def _periods(found: Figured, metric: Metric) -> None:
    rows = [row for row in found.found.to_pylist() if row["metric"] == metric.slug]
    click.secho(metric.name, bold=True)
    click.echo(metric.definition)
    split = [key for key in ("segment", "group") if any(row[key] is not None for row in rows)]
    head = ["Period", *(("Segment" if key == "segment" else found.by or "") for key in split)]
    cells = [_line(found, metric, row, split) for row in rows if row["group"] is None or row["n"]]
    table([*head, metric.name, "95 % interval", "Customers"], cells, right=range(len(head), len(head) + 3), wraps=())
    reached = found.reached.get(metric.slug)
    newest = f"; the newest event behind it is of {when(reached)}" if reached is not None else ""
    click.echo(f"As of {when(found.at)}{newest}.\n")


def _line(found: Figured, metric: Metric, row: dict[str, Any], split: Sequence[str]) -> list[str]:
    period = period_name(row["period"], row["ends"]) + ("" if row["finished"] else " so far")
    whose = [found.segments.get(row[key], row[key]) or "Everyone" for key in split]
    return [period, *whose, amount(metric, row["value"]), interval(metric, row), count(row["n"])]


kpi.add_command(alerts)
kpi.add_command(why)
kpi.add_command(targets)
kpi.add_command(test)
kpi.add_command(history)
