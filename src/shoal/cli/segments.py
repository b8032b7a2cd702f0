"""Commands for segments."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.output import (
    NOTHING_LOADED,
    as_json,
    as_of_option,
    as_of_sentence,
    asked,
    asked_known,
    count,
    end_with_faults,
    hint,
    known_at_option,
    money,
    opened,
    plain,
    print_json,
    say_faults,
    say_unscored,
    share,
    signed,
    table,
    when,
    width,
)
from shoal.clock import iso, to_instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.sql.engine import Explanation
    from shoal.workspace import Workspace
    from shoal.workspace.segments import Preview

_DETAILS = [
    click.option("--why", help="Why the segment exists."),
    click.option("--purpose", help="The purpose that it serves, a name in shoal.yaml."),
    click.option("--owner", help="Who answers for it."),
    click.option("--always", help="Name of the list whose customers are always in."),
    click.option("--never", help="Name of the list whose customers are never in."),
]


def _details(function: Any) -> Any:
    for option in reversed(_DETAILS):
        function = option(function)
    return function


@click.command()
@as_of_option
@known_at_option
@as_json
@click.pass_context
def segments(ctx: click.Context, as_of: str | None, known_at: str | None, json_: bool) -> None:
    """List segments: name, size, share of customers, revenue, margin and change over 30 days."""
    with opened(ctx) as ws:
        at, known = asked_known(ws, as_of, known_at)
        rows = ws.segments.table(as_of=at, known_at=known).to_pylist()
        doubts = {d.slug: said for d in ws.segments if (said := [str(doubt) for doubt in ws.segments.doubts(d.where)])}
        if json_:
            faults = {slug: str(fault) for slug, fault in ws.catalogue.faults.items()}
            facts = {"segments": rows, "faults": faults, "warnings": doubts}
            print_json({"as_of": iso(at), **_known(known), "currency": ws.config.currency} | facts)
        else:
            _print_segments(ws, rows, at, known)
            say_faults(ws)
            for slug, said in doubts.items():
                _print_doubts(said, f"segment {slug}: ")
        end_with_faults(ctx, ws)


def _known(known_at: int | None) -> dict[str, str]:
    return {} if known_at is None else {"as_known_at": iso(known_at)}


def _print_doubts(doubts: Iterable[object], place: str = "") -> None:
    for doubt in doubts:
        click.echo(f"Warning: {place}{doubt}", err=True)


def _print_segments(ws: Workspace, rows: list[dict[str, Any]], at: int, known_at: int | None) -> None:
    if not rows and known_at is not None:
        click.echo(f"No segment was known at {when(known_at)}.")
        return
    if not rows and ws.catalogue.faults:
        click.echo("No segment is in force: none of the files in segments/ can be accepted.")
        return
    if not rows:
        click.echo(hint("There are no segments yet. See ready ones with: shoal library"))
        click.echo(hint('or write one: shoal segment add "Buyers" \'did "Order Completed" in last 90 days\''))
        return
    currency = ws.config.currency
    costs = any(row["margin"] is not None for row in rows)
    head = ["Segment", "Slug", "Customers", "Share", f"Revenue, {currency}", "Share", "Margin", "30 days"]
    lines = [
        [
            row["name"], row["slug"], count(row["size"]), share(row["share"]), money(row["revenue"]),
            share(row["revenue_share"]), money(row["margin"]), signed(row["change"]),
        ]
        for row in rows
    ]  # fmt: skip
    if not costs:
        head, lines = [*head[:6], head[7]], [[*line[:6], line[7]] for line in lines]
    table(head, lines, right=range(2, len(head)), wraps=(0,))
    no_cost = "" if costs else " No margin: there is no cost data."
    click.echo(f"{as_of_sentence(at, known_at)}. Revenue: net of refunds since each customer's first order.{no_cost}")
    say_unscored({row["name"]: to_instant(row["unscored_before"]) for row in rows if row["unscored_before"]})


@click.group()
def segment() -> None:
    """Add, change, test, show or remove a segment."""


@segment.command("add")
@click.argument("name")
@click.argument("where", required=False)
@click.option("--slug", help="The file's name; made from the name by default.")
@click.option("--template", help="Take the definition of a ready segment (see shoal library).")
@_details
@as_json
@click.pass_context
def add(
    ctx: click.Context,
    /,
    name: str,
    where: str | None,
    slug: str | None,
    template: str | None,
    json_: bool,
    **details: Any,
) -> None:
    """Save a new segment: NAME and its condition WHERE ("-" reads it from standard input).

    \b
    shoal segment add "Lapsed VIPs" 'sum(revenue of "Order Completed") > 500
        and not did "Order Completed" in last 60 days'
    """
    given = {k: v for k, v in details.items() if v is not None}
    with opened(ctx) as ws:
        if template is not None:
            found = ws.segments.template(template)
            where, given = found.where, {"why": found.why, **given}
        if where is None:
            raise click.UsageError("Give a condition, or --template.")
        text = sys.stdin.read() if where == "-" else where
        definition = ws.segments.add(name, text, slug=slug, **given)
        _print_saved(ws, definition.slug, "Added", json_)


@segment.command("edit")
@click.argument("name")
@click.option("--where", help="The new condition.")
@click.option("--name", "new_name", help="The new display name.")
@_details
@as_json
@click.pass_context
def edit(
    ctx: click.Context, /, name: str, where: str | None, new_name: str | None, json_: bool, **details: Any
) -> None:
    """Change a segment; what isn't given stays."""
    given = {k: v for k, v in details.items() if v is not None}
    if new_name:
        given["name"] = new_name
    with opened(ctx) as ws:
        definition = ws.segments.edit(name, where=where, **given)
        _print_saved(ws, definition.slug, "Changed", json_)


def _print_saved(ws: Workspace, slug: str, verb: str, json_: bool) -> None:
    from shoal.lang.say import say
    from shoal.wording import counted

    definition = ws.segments[slug]
    preview = ws.segments.preview(definition.where)
    if json_:
        print_json({"slug": slug, "purpose": definition.purpose} | _preview_document(preview))
        return
    click.echo(f"{verb} segments/{slug}.yaml: {say(definition.where, ws.schema)}.")
    click.echo(f"{preview.size:,} of {counted(preview.base, 'customer')}, as of {when(preview.at)}.")
    _print_doubts(preview.doubts)
    for other in ws.segments.similar(slug):
        click.echo(f"Note: it is much like the segment {other!r}.")


def _preview_document(found: Preview) -> dict[str, Any]:
    facts = {"size": found.size, "base": found.base, "sentence": found.sentence, "as_of": iso(found.at)}
    return facts | {"warnings": [str(doubt) for doubt in found.doubts]}


@segment.command("test")
@click.argument("where")
@as_of_option
@known_at_option
@as_json
@click.pass_context
def test(ctx: click.Context, where: str, as_of: str | None, known_at: str | None, json_: bool) -> None:
    """Say how many customers a condition holds for, without saving it."""
    from shoal.wording import counted

    with opened(ctx) as ws:
        at, known = asked_known(ws, as_of, known_at)
        found = ws.segments.preview(where, as_of=at, known_at=known)
        if json_:
            print_json(_preview_document(found) | _known(known))
            return
        instants = as_of_sentence(found.at, known)
        click.echo(
            f"{found.sentence}: {found.size:,} of {counted(found.base, 'customer')}, {instants[:1].lower()}{instants[1:]}."
        )
        _print_doubts(found.doubts)


@segment.command("show")
@click.argument("name")
@as_json
@click.pass_context
def show(ctx: click.Context, name: str, json_: bool) -> None:
    """Show a segment's definition in text and in plain words."""
    from shoal.lang.files import definition_document, write_definition
    from shoal.lang.say import say

    with opened(ctx) as ws:
        definition = ws.segments[name]
        sentence = say(definition.where, ws.schema)
        if json_:
            print_json(definition_document(definition) | {"sentence": sentence})
            return
        click.echo(write_definition(definition).rstrip())
        click.echo(f"\nIn words: {sentence}.")


@segment.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_context
def remove(ctx: click.Context, name: str, yes: bool) -> None:
    """Delete a segment's file; its history and its versions stay in the store."""
    with opened(ctx) as ws:
        slug = ws.segments.slug(name)
        if not yes:
            click.confirm(f"Remove the segment {slug!r}?", abort=True)
        ws.segments.remove(slug)
        click.echo(f"Removed segments/{slug}.yaml. Its history and versions stay in the store.")


@click.command()
@click.argument("customer")
@click.argument("name", metavar="SEGMENT")
@as_of_option
@known_at_option
@as_json
@click.pass_context
def why(ctx: click.Context, customer: str, name: str, as_of: str | None, known_at: str | None, json_: bool) -> None:
    """Say why CUSTOMER is in SEGMENT or not: each part's value and truth, and until when."""
    with opened(ctx) as ws:
        at, known = asked_known(ws, as_of, known_at)
        definition = ws.segments.known(at, known).find(name)
        found = ws.segments.why(customer, name, as_of=at, known_at=known)
        if json_:
            asked_of = {"customer": customer, "segment": definition.slug, "as_of": iso(at), **_known(known)}
            print_json(asked_of | _why_document(found))
            return
        verdict = "is in" if found.truth else "is not in"
        instants = as_of_sentence(at, known)
        click.echo(f"{customer} {verdict} {definition.name!r}, {instants[:1].lower()}{instants[1:]}.")
        _print_why(found, 0)
        if known is None:
            click.echo(_until_sentence(found, past=as_of is not None and at < ws.now()))


def _until_sentence(found: Explanation, *, past: bool) -> str:
    """Until when it stays so. For a past day that rests on what came later too, as far as it is stored."""
    given = "By what is stored today" if past else "If nothing more happens"
    unless = ", unless rescored" if found.unless_rescored else ""
    if found.until is None:
        return f"{given}, this doesn't change{unless}."
    change = "leaves" if found.truth else "enters"
    return f"{given}, the customer {change} at {when(found.until)}{unless}."


def _print_why(found: Explanation, depth: int) -> None:
    """A part with its truth; below it its values and its end, and its own parts, each further to the right."""
    from textwrap import wrap

    mark = click.style("yes", fg="green") if found.truth else click.style("no ", fg="red")
    margin, room = "  " * depth, width()
    left = len(margin) + len("  yes  ")
    sentence = [found.sentence] if room is None else wrap(found.sentence, max(room - left, 24))
    click.echo(f"  {margin}{mark}  " + f"\n{' ' * left}".join(sentence))
    until = f"until {when(found.until)}" if found.until is not None and depth else ""
    facts = [*([found.shown] if found.shown else []), *([until] if until else [])]
    for fact in facts:
        click.echo(" " * left + click.style(fact, dim=True))
    for part in found.parts:
        _print_why(part, depth + 1)


def _why_document(found: Explanation) -> dict[str, Any]:
    return {
        "truth": found.truth,
        "sentence": found.sentence,
        "text": found.text,
        "values": {k: _value(v) for k, v in found.values.items()},
        "until": None if found.until is None else iso(found.until),
        "unless_rescored": found.unless_rescored,
        "parts": [_why_document(part) for part in found.parts],
    }


def _value(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


@click.command()
@click.argument("name", metavar="SEGMENT")
@as_of_option
@known_at_option
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="File: .csv, .parquet or .jsonl.")
@click.option("--format", "format_", type=click.Choice(["csv", "parquet", "jsonl"]), help="If the name doesn't tell.")
@click.option("--purpose", help="Hand out for another purpose than the segment's own.")
@click.option("--with", "traits", multiple=True, help="A trait to write beside each id; may be repeated.")
@click.option("--limit", default=20, show_default=True, help="How many to print where no file is given.")
@as_json
@click.pass_context
def members(
    ctx: click.Context, name: str, as_of: str | None, known_at: str | None, output: str | None, format_: str | None,
    purpose: str | None, traits: tuple[str, ...], limit: int, json_: bool,
) -> None:  # fmt: skip
    """Hand out SEGMENT's members: those whose consent allows the segment's purpose, with what was withheld and why."""
    from shoal.wording import counted

    with opened(ctx) as ws:
        at, known = asked_known(ws, as_of, known_at)
        past: dict[str, Any] = {"as_of": at, "known_at": known, "purpose": purpose}
        if output:
            done = ws.segments.export(name, output, traits=traits, format=format_, **past)
            rows: list[dict[str, Any]] = []
        else:
            done = ws.segments.reach(name, **past)
            rows = ws.segments.members(name, traits=traits, **past).to_pylist()
        facts = {
            "segment": done.segment, "as_of": iso(done.at), "purpose": done.reach.purpose,
            "members": done.reach.members, "reachable": done.reach.reachable, "withheld": dict(done.reach.withheld),
            **_known(known),
        }  # fmt: skip
        if json_:
            print_json(facts | ({"file": output, "rows": done.rows} if output else {"customers": rows}))
            return
        if output:
            click.echo(f"Wrote {counted(done.rows, 'row')} to {output}.")
        elif rows:
            table(list(rows[0]), [[plain(v) for v in row.values()] for row in rows[:limit]])
            if len(rows) > limit:
                click.echo(f"{limit:,} of {len(rows):,} are shown; -o FILE writes them all.")
        click.echo(f"{done.reach.sentence()}. {as_of_sentence(done.at, known)}.")


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also those that don't fit, with the reason.")
@as_json
@click.pass_context
def library(ctx: click.Context, everything: bool, json_: bool) -> None:
    """List ready segments that fit the data at hand, with their size; add one with shoal segment add --template."""
    with opened(ctx) as ws:
        at = ws.now()
        fits, rest = ws.segments.library(as_of=at)
        if json_:
            print_json({"as_of": iso(at), "templates": [_template(t) for t in fits], "without_data": dict(rest)})
            return
        if not len(ws.customers):
            click.echo(hint(NOTHING_LOADED))
        rows = [[t.name, t.slug, f"{t.size:,}", share(t.share), t.why] for t in fits]
        for kind in dict.fromkeys(t.category for t in fits):
            of_kind = [row for row, t in zip(rows, fits, strict=True) if t.category == kind]
            table([kind, "Template", "Customers", "Share", "Why"], of_kind, right=(2, 3), wraps=(0, 4))
            click.echo()
        click.echo(hint(f"As of {when(at)}. Add one with: shoal segment add NAME --template TEMPLATE"))
        if everything and rest:
            table(["Not offered", "Reason"], [[slug, reason] for slug, reason in rest.items()], wraps=(1,))
        elif rest:
            click.echo(hint(f"{len(rest)} more need other data: shoal library --all"))


def _template(template: Any) -> dict[str, Any]:
    return {k: getattr(template, k) for k in ("slug", "name", "category", "why", "where", "size", "share")}


@click.command()
@as_of_option
@as_json
@click.pass_context
def overlap(ctx: click.Context, as_of: str | None, json_: bool) -> None:
    """Compare segments: the overlap of every pair, near-duplicates, and customers in none."""
    with opened(ctx) as ws:
        card = ws.segments.quality(as_of=None if as_of is None else asked(ws, as_of))
        if json_:
            print_json(card.document())
            return
        if not len(ws.segments):
            click.echo(hint("There are no segments yet. See ready ones with: shoal library"))
            return
        for line in card.lines():
            click.echo(hint(line))
        say_unscored({ws.segments[slug].name: since for slug, since in card.unscored.items()})
        say_faults(ws)
