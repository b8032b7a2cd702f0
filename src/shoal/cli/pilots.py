"""Commands for pilots, and for all campaigns side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shoal.cli.output import as_json, as_of_option, asked, count, hint, money, opened, print_json, share, table, when
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shoal.insight.pilots.measuring import Result
    from shoal.insight.pilots.money import Money
    from shoal.insight.pilots.scoreboard import Entry, Scoreboard
    from shoal.stats.intervals import Interval
    from shoal.workspace.pilots import Standing

_EMPTY = "–"
_MOST_UNMEASURED = 12


@click.group()
def pilot() -> None:
    """List pilots, start one with its baseline, and show what came of it.

    A pilot stands in pilots/SLUG.yaml: for which segments, who is held out by lot, what is promised, when it ends, what it
    costs. See docs/pilots.md.
    """


@pilot.command("list")
@as_of_option
@as_json
@click.pass_context
def list_(ctx: click.Context, as_of: str | None, json_: bool) -> None:
    """List pilots with their state, end and goals."""
    with opened(ctx) as ws:
        asked(ws, as_of)
        found, faults = ws.pilots.status(as_of=as_of), ws.pilots.catalogue().faults
        if json_:
            print_json({"pilots": [one.document() for one in found], "faults": dict(faults)})
            return
        if not found and not faults:
            click.echo("There is no pilot yet: write pilots/SLUG.yaml, as docs/pilots.md shows.")
        rows = [
            (one.pilot.slug, one.pilot.name, one.stage, str(one.pilot.ends), _goals(one), one.pilot.owner)
            for one in found
        ]
        if rows:
            table(("Pilot", "Name", "State", "Ends", "Goals", "Owner"), rows, wraps=(1, 4))
        for path, fault in faults.items():
            click.echo(f"– {path}: {fault}", err=True)


def _goals(one: Standing) -> str:
    return "; ".join(f"{goal.metric}: {goal.text}" for goal in one.pilot.goals)


@pilot.command()
@click.argument("name", metavar="PILOT")
@as_json
@click.pass_context
def start(ctx: click.Context, name: str, json_: bool) -> None:
    """Record what PILOT promises and how its KPIs stand now, and draw lots from this moment on.

    What is recorded can't be edited afterwards.
    """
    with opened(ctx) as ws:
        found = ws.pilots.start(name)
        if json_:
            print_json(found.document())
            return
        assert found.record is not None
        click.secho(
            f"{found.pilot.name} began {when(found.record.began)} and ends {when(found.record.ends)}.", bold=True
        )
        _baseline(found)
        if not found.pilot.experiment:
            slug = found.pilot.rests_on
            click.echo(f"Who gets it: those in its segments for whom this holds: {_drawn(found)} (experiment {slug}).")
        click.echo(hint(f"Next: shoal pilot result {found.pilot.slug}"))


def _drawn(found: Standing) -> str:
    from shoal.insight.pilots.definition import PILOT

    return found.pilot.own_experiment().assignment().condition(PILOT)


def _baseline(found: Standing) -> None:
    record = found.record
    if record is None:
        return
    rows = [(b.metric, b.segment or "all", count(b.n), *_figures(b.value, b.low, b.high)) for b in record.baseline]
    table(("Before the start", "Segment", "Customers", "Figure", "95 % interval"), rows, right=(2, 3, 4))


def _figures(value: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    if value is None or low is None or high is None:
        return _EMPTY, _EMPTY
    from shoal.insight.experiments.telling import plain

    return plain(value), f"{plain(low)} to {plain(high)}"


@pilot.command()
@click.argument("name", metavar="[PILOT]", required=False)
@as_of_option
@as_json
@click.pass_context
def status(ctx: click.Context, name: str | None, as_of: str | None, json_: bool) -> None:
    """Show how far PILOT is, or all: its goals, and how its KPIs stood before the start."""
    with opened(ctx) as ws:
        asked(ws, as_of)
        found = ws.pilots.status(name, as_of=as_of)
        if json_:
            print_json({"pilots": [one.document() for one in found]})
            return
        if not found:
            click.echo("There is no pilot yet: write pilots/SLUG.yaml, as docs/pilots.md shows.")
        for one in found:
            click.secho(f"{one.pilot.name} ({one.pilot.slug}): {one.stage}", bold=True)
            if one.record is not None:
                click.echo(f"Began {when(one.record.began)}, ends {when(one.record.ends)}.")
            click.echo(f"Goals: {_goals(one)}. Rests on: {one.pilot.rests_on}. Owner: {one.pilot.owner}.")
            _baseline(one)


@pilot.command()
@click.argument("name", metavar="PILOT")
@as_of_option
@as_json
@click.pass_context
def result(ctx: click.Context, name: str, as_of: str | None, json_: bool) -> None:
    """Show what came of PILOT against those who were held out: the verdict, its KPIs, and money by segment."""
    with opened(ctx) as ws:
        at = asked(ws, as_of)
        found = ws.pilots.result(name, as_of=at).found
        if json_:
            print_json(found.document())
            return
        _say(found)


def _say(found: Result) -> None:
    click.secho(f"{found.pilot.name}: {found.verdict.kind}", bold=True)
    click.echo(found.verdict.says)
    click.echo()
    for one in found.kpis:
        click.echo(f"{one.kind.upper()}  {one.says}")
    click.echo()
    _money(found)
    if found.segments.says:
        click.echo(found.segments.says)
    for note in found.notes:
        click.echo(f"Note: {note}")
    sizes = f"{count(found.n[1])} customers in {found.arm}, {count(found.n[0])} held out"
    click.echo(f"{sizes}. As of {when(found.at)}; intervals are of 95 %.")


def _money(found: Result) -> None:
    """What it brought in all, and by segment."""
    whole, back = found.money, found.money.back
    if whole.refused:
        click.echo(f"– Money: {whole.refused}")
        return
    rows = [
        ("More buyers", *_apart(whole.conversions)), (f"More revenue, {found.currency}", *_apart(whole.revenue)),
        ("More margin", *_apart(whole.margin)), ("Spend", _EMPTY if whole.spend is None else money(whole.spend), ""),
        ("Profit", *_apart(back and back.profit)), ("ROI", *_apart(back and back.roi, share)),
        ("iROAS", *_apart(back and back.iroas, "{:,.2f}".format)),
    ]  # fmt: skip
    table(("Against the holdout", "In all", "95 % interval"), rows, right=(1, 2))
    click.echo()
    if found.segments.each:
        head = ("Segment", "Customers", "More revenue", "A customer", "Chance taken off", "Profit")
        parts = [_row(one, found.segments.drawn.get(one.segment or "")) for one in found.segments.each]
        table(head, parts, right=range(1, len(head)))
    for one in found.segments.each:
        if one.refused:
            click.echo(f"– {one.segment}: {one.refused}")


def _apart(found: Interval | None, form: Callable[[float], str] = "{:,.0f}".format) -> tuple[str, str]:
    return (_EMPTY, "") if found is None else (form(found.value), f"{form(found.low)} to {form(found.high)}")


def _row(one: Money, drawn: Interval | None) -> Sequence[str]:
    each = None if one.each is None else (one.each.value, one.each.low, one.each.high)
    return (
        one.segment or "all", f"{count(one.exposed)} : {count(one.holdout)}", _ends(one.revenue), _ends(each, 2),
        _ends(drawn, 2), _ends(one.back and one.back.profit),
    )  # fmt: skip


def _ends(found: tuple[float, float, float] | None, digits: int = 0) -> str:
    if found is None:
        return _EMPTY
    value, low, high = (f"{end:,.{digits}f}" for end in found)
    return f"{value} ({low} to {high})"


@click.command()
@as_of_option
@as_json
@click.pass_context
def scoreboard(ctx: click.Context, as_of: str | None, json_: bool) -> None:
    """Show what every campaign brought that customers were held out of by lot, and which can't be measured.

    Pilots, experiments and trials: of shoal.yaml, the most revenue first; beside each figure the one with chance taken off.
    """
    with opened(ctx) as ws:
        at = asked(ws, as_of)
        found = ws.scoreboard(as_of=at).found
        if json_:
            print_json(found.document())
            return
        _board(found)


def _board(found: Scoreboard) -> None:
    head = (
        "Campaign",
        "Customers",
        "More buyers",
        f"More revenue, {found.currency}",
        "Chance taken off",
        "Profit",
        "p",
    )
    rows = [row for one in found.entries for row in _entry(one)]
    if rows:
        table(head, rows, right=range(1, len(head)), wraps=(0,))
    if found.total is not None and len(found.entries) > 1:
        click.secho(f"Together: {_ends(found.total)} {found.currency}.", bold=True)
    for line in found.says:
        click.echo(line)
    _unmeasured(found)


def _entry(one: Entry) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A campaign; its intervals stand a line below what they are of, so that the table stays narrow."""
    from shoal.insight.experiments.telling import chance

    profit = one.money.back and one.money.back.profit
    told = [_parted(found) for found in (one.money.conversions, one.money.revenue, profit)]
    (buyers, revenue, left), ends = zip(*told, strict=True)
    drawn = _EMPTY if one.drawn is None else money(one.drawn.value)
    sizes = f"{count(one.money.exposed)} : {count(one.money.holdout)}"
    kind = one.kind if one.over else f"{one.kind}, running"
    return (
        (one.name, sizes, buyers, revenue, drawn, left, chance(one.corrected)),
        (kind, "", ends[0], ends[1], "", ends[2], ""),
    )


def _parted(found: tuple[float, float, float] | None) -> tuple[str, str]:
    if found is None:
        return _EMPTY, ""
    value, low, high = (f"{end:,.0f}" for end in found)
    return value, f"{low} to {high}"


def _unmeasured(found: Scoreboard) -> None:
    """Reasons once each, with the campaigns that they are of."""
    reasons: dict[str, list[str]] = {}
    for one in found.unmeasured:
        many = "" if one.customers is None else f" ({counted(one.customers, 'customer')})"
        reasons.setdefault(one.why, []).append(f"{one.name}{many}")
    if reasons:
        click.echo()
        click.secho("Not measurable", bold=True)
    for why, names in reasons.items():
        shown = ", ".join(names[:_MOST_UNMEASURED])
        more = f" and {len(names) - _MOST_UNMEASURED} more" if len(names) > _MOST_UNMEASURED else ""
        click.echo(f"– {shown}{more}: {why}")
