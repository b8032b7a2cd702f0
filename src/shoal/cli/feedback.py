"""The command for what customers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from shoal.cli.output import as_json, as_of_option, asked, count, opened, print_json, progress, share, table, when
from shoal.clock import iso
from shoal.errors import Refused
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from shoal.insight.feedback.link import Link
    from shoal.insight.feedback.moods import Moods
    from shoal.insight.feedback.scores import Against, Scores
    from shoal.insight.feedback.themes import Themes
    from shoal.stats.intervals import Interval
    from shoal.workspace import Workspace

PARTS = ("nps", "csat", "sentiment", "topics", "link")
_MOST_NEEDS = 10


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS), metavar="[nps|csat|sentiment|topics|link]...")
@click.option("--days", default=90, show_default=True, help="For so long after their answer customers are watched.")
@click.option("--write", is_flag=True, help="Write the mood of each customer's newest text as the trait sentiment.")
@as_of_option
@as_json
@click.pass_context
def feedback(
    ctx: click.Context, parts: tuple[str, ...], days: int, write: bool, as_of: str | None, json_: bool
) -> None:
    """Show what customers say, by segment: NPS, CSAT, moods, topics, and what they did after they answered.

    All that the data bears is shown, or the parts that are named.
    """
    with opened(ctx) as ws:
        if write:
            _write(ws, json_)
            return
        at = asked(ws, as_of)
        found, missing = _found(ws, parts, days, at)
        if not found:
            # Each reason ends with its fix, which may be a line of shoal.yaml.
            raise Refused("\n".join(["Nothing that customers say was found.", *dict.fromkeys(missing.values())]))
        if json_:
            documents = {name: one.document() for name, one in found.items()}
            print_json({"as_of": iso(at), "currency": ws.config.currency, **documents, "missing": missing})
            return
        names: dict[str | None, str] = {None: "Everyone", **{slug: one.name for slug, one in ws.definitions.items()}}
        for name, one in found.items():
            _PRINTERS[name](one, names)
            click.echo()
        for reason in missing.values() if parts else ():
            click.echo(f"– {reason}")
        click.echo(f"As of {when(at)}. Intervals are of 95 %.")


def _write(ws: Workspace, json_: bool) -> None:
    with progress() as step:
        done = ws.feedback.write(progress=step)
    if json_:
        print_json(done.document())
        return
    for name, n in done.changed.items():
        click.echo(f"{name}: {counted(n, 'customer')} {noun(n, 'has', 'have')} another value.")
    for name, reason in done.skipped.items():
        click.echo(f"– {name}: {reason}")
    click.echo(f"{done.entered:,} entered a segment by it, {done.left:,} left one.")


def _found(ws: Workspace, parts: tuple[str, ...], days: int, at: int) -> tuple[dict[str, Any], dict[str, str]]:
    """What the data bears, and why not the rest."""
    asked_for: Mapping[str, Callable[[], Any]] = {
        "nps": lambda: ws.feedback.nps(as_of=at),
        "csat": lambda: ws.feedback.csat(as_of=at),
        "sentiment": lambda: ws.feedback.sentiment(as_of=at),
        "topics": lambda: ws.feedback.topics(as_of=at),
        "link": lambda: _link(ws, days, at),
    }
    found, missing = {}, {}
    with progress() as step:
        for done, name in enumerate(parts or PARTS):
            step(f"looking at {name}", done, len(parts or PARTS))
            try:
                found[name] = asked_for[name]()
            except Refused as refusal:
                missing[name] = str(refusal)
    return found, missing


def _link(ws: Workspace, days: int, at: int) -> Link:
    """By NPS, or by CSAT where only that was asked."""
    try:
        return ws.feedback.link(days=days, as_of=at)
    except Refused as refusal:
        try:
            return ws.feedback.link(measure="csat", days=days, as_of=at)
        except Refused:
            raise refusal from None


# ------------------------------------------------------------ scores


def _print_scores(found: Scores, names: Mapping[str | None, str]) -> None:
    nps = found.measure == "nps"
    figure = _points if nps else share
    parts = ["Promoters", "Passives", "Detractors"] if nps else ["Satisfied", "Others"]
    head = ["Segment", "Answers", "Score", "95 %", *parts, "Against all others", ""]
    rows = []
    for standing in found.standings:
        counts = (standing.up, standing.middle, standing.down) if nps else (standing.up, standing.down)
        rows.append(
            [
                names.get(standing.slug, str(standing.slug)), count(standing.n), figure(standing.estimate.value),
                _ends(standing.estimate, figure), *(count(n) for n in counts), *_beside(standing.against, nps),
            ]
        )  # fmt: skip
    title = {"nps": "Net promoter score", "csat": "Satisfied customers (CSAT)"}[found.measure]
    table(head, rows, right=range(1, len(head) - 2), wraps=(0,), title=f"{title}, {found.where}")
    click.echo(found.definition)
    for note in found.response.notes():
        click.echo(note)


def _beside(against: Against | None, nps: bool) -> tuple[str, str]:
    if against is None:
        return "", ""
    scale, unit = (1, "") if nps else (100, " % points")
    value, low, high = (scale * end for end in against.difference)
    ends = f"{value:+.0f}{unit} ({low:+.0f} to {high:+.0f})"
    return ends, "differs" if against.differs else f"seen from {against.detectable * scale:.0f} on"


def _points(value: float) -> str:
    return f"{value:+.0f}"


def _ends(estimate: Interval, figure: Callable[[float], str]) -> str:
    return f"{figure(estimate.low)} to {figure(estimate.high)}"


# ------------------------------------------------------------ words


def _print_moods(found: Moods, names: Mapping[str | None, str]) -> None:
    head = ["Segment", "People", "Positive", "Unclear", "Negative", "Share negative", "95 %", "Against all others", ""]
    rows = [
        [
            names.get(mood.slug, str(mood.slug)), count(mood.n), count(mood.positive), count(mood.unclear),
            count(mood.negative), share(mood.unhappy.value), _ends(mood.unhappy, share), *_beside(mood.against, False),
        ]
        for mood in found.moods
    ]  # fmt: skip
    table(head, rows, right=range(1, 7), wraps=(0,), title=f"Mood of what they wrote, {found.where}")
    click.echo("Each person by their newest text that could be scored; English only.")
    for note in found.notes():
        click.echo(note)


def _print_themes(found: Themes, names: Mapping[str | None, str]) -> None:
    click.secho(f"What they write about, {found.where}", bold=True)
    for theme in found.themes:
        told = f"; unhappy: {share(theme.unhappy.value)} ({_ends(theme.unhappy, share)})" if theme.known else ""
        click.echo(f"{theme.name}: {counted(theme.people, 'person', 'people')}, {counted(theme.texts, 'text')}{told}")
        for quote in theme.quotes:
            click.echo(f"  “{quote}”")
    for note in found.notes():
        click.echo(note)
    for line in _needs(found, names):
        click.echo(line)


def _needs(found: Themes, names: Mapping[str | None, str]) -> Iterator[str]:
    unmet = [need for need in found.needs.needs if need.unmet][:_MOST_NEEDS]
    yield "Needs that are missed:" if unmet else "No need is shown to be missed in one segment more than elsewhere."
    for need in unmet:
        yield f"  {need._replace(segment=names.get(need.segment, need.segment)).sentence}"
    if found.needs.too_small:
        listed = ", ".join(names.get(slug, slug) for slug in found.needs.too_small)
        yield f"Too few unhappy people to tell: {listed}."


# ------------------------------------------------------------ what they did after


def _print_link(found: Link, names: Mapping[str | None, str]) -> None:
    days = found.days
    head = ["Answer", "Customers", f"Orders, {days} days after", "95 %", "before", f"Spend, {found.currency}", "95 %",
            "before", "Without an order"]  # fmt: skip
    rows = [
        [
            group.name.capitalize(), count(group.n), f"{group.after['orders'].value:.2f}",
            _ends(group.after["orders"], lambda v: f"{v:.2f}"), f"{group.before['orders']:.2f}",
            f"{group.after['spend'].value:,.0f}", _ends(group.after["spend"], lambda v: f"{v:,.0f}"),
            f"{group.before['spend']:,.0f}", share(group.after["silent"].value),
        ]
        for group in found.groups
        if group.after
    ]  # fmt: skip
    title = f"What they did after they answered ({found.measure.upper()})"
    if rows:
        table(head, rows, right=range(1, len(head)), title=title)
    else:
        click.secho(title, bold=True)
    for sentence in found.sentences():
        click.echo(sentence)


_PRINTERS: dict[str, Callable[[Any, Mapping[str | None, str]], None]] = {
    "nps": _print_scores,
    "csat": _print_scores,
    "sentiment": _print_moods,
    "topics": _print_themes,
    "link": _print_link,
}
