"""Commands for micro-segments: finding them, one in full, assigning customers, what changed, accepting a refit."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

import click

from shoal.cli.output import as_json, as_of_option, count, hint, money, opened, print_json, progress, share, table, when
from shoal.clock import iso
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.discovery.record import Criterion, Event, Found, MicroSegment, Rule, Sentence
    from shoal.workspace import Workspace
    from shoal.workspace.discovery import Assigned, Discovered, WrittenSegments

_VERDICT = {
    "natural": "natural: there are gaps between the groups",
    "reproducible": "reproducible: the groups come back in other samples, though they touch",
    "constructive": "constructive: the data have no such groups of their own; they were made, which may still be useful",
}


@click.group(invoke_without_command=True)
@click.option("--groups", metavar="RANGE", help="How many groups, as 12-20 or 8; 12-20 where shoal.yaml says nothing.")
@click.option("--for", "among", metavar="SEGMENT", help="Only the members of a segment, or of a condition.")
@as_of_option
@click.option("--afresh", is_flag=True, help="Take what a search from nothing finds, whatever groups are in force.")
@click.option("--dry-run", is_flag=True, help="Look only; record nothing.")
@click.option("--write", is_flag=True, help="Write the micro-segments as files in segments/ too.")
@as_json
@click.pass_context
def discover(
    ctx: click.Context,
    groups: str | None,
    among: str | None,
    as_of: str | None,
    afresh: bool,
    dry_run: bool,
    write: bool,
    json_: bool,
) -> None:
    """Find micro-segments: groups of customers alike in behaviour, value, lifecycle, taste, channel and traits.

    It says first how many groups the data support. Every customer's micro-segment is recorded as the trait
    micro_segment. Groups in force stay unless there are materially better ones, and keep their ids.
    """
    if ctx.invoked_subcommand is not None:
        return
    if write and (dry_run or as_of is not None):
        raise click.UsageError("--write needs a discovery that is recorded: leave out --dry-run and --as-of.", ctx)
    from shoal.config.discovery import groups_of

    asked = None if groups is None else groups_of(groups, "--groups")
    with opened(ctx) as workspace:
        with progress() as step:
            done = workspace.discovery.discover(
                groups=asked, among=among, as_of=as_of, write=not dry_run, afresh=afresh, progress=step
            )
        files = workspace.discovery.write_segments() if write else None
        _tell(done, files, workspace.config.currency, json_)


def _tell(done: Discovered, files: WrittenSegments | None, currency: str, json_: bool) -> None:
    if json_:
        print_json(done.document() | ({} if files is None else {"written": files.written, "kept": files.kept}))
        return
    _say(done.found, currency)
    if done.version is None:
        click.echo(f"As of {when(done.found.at)}. Nothing was recorded.")
    else:
        what = "a micro_segment now" if all(not e.before for e in done.found.events) else "another micro_segment"
        click.echo(
            f"Recorded as version {done.version}: {counted(done.changed, 'customer')} "
            f"{noun(done.changed, 'has', 'have')} {what}; "
            f"{done.entered:,} entered a segment by that, {done.left:,} left one."
        )
    _say_outliers(done.outliers)
    if files is not None:
        _say_files(files)
    click.echo(hint("One in full, with its rule: shoal discover show ID"))


def _say(found: Found, currency: str) -> None:
    """First what the data support, then the segments."""
    click.secho(_supported(found), bold=True)
    click.echo(f"The partition into {found.k} is {_VERDICT[found.verdict]}. {_why_so_many(found.reason)}")
    click.echo(_tested(found))
    click.echo()
    _segments(found, currency)
    for ids, why in found.merges:
        click.echo(f"Proposed for merging: {', '.join(ids)}. {why}")
    _events(found.events)
    for note in found.notes:
        click.echo(f"Note: {note}")


def _supported(found: Found) -> str:
    if found.supported_k < 2:
        return f"The data support no groups of their own among {counted(found.customers, 'customer')}."
    return f"The data support {found.supported_k} groups of their own among {counted(found.customers, 'customer')}."


def _why_so_many(reason: str) -> str:
    """The reason without how many groups the data support, which stands in the line above."""
    _, supported, rest = reason.partition("; of ")
    return f"Of {rest}" if supported else reason


def _tested(found: Found) -> str:
    if not found.held_out:
        return "Whether they differ in what they do afterwards isn't known: the data has no later time to hold out."
    names = ", ".join(found.outcomes)
    made = [s.id for s in found.segments if s.standing == "constructive"]
    said = (
        f"{len(found.distinct)} of {found.k} differ from every other in what they did in the {found.held_out} days "
        f"after ({names})"
    )
    said += f": {', '.join(found.distinct)}." if found.distinct else "."
    if made:
        said += f" Constructive: {', '.join(made)}."
    told = ", ".join(
        f"{100 * found.explained[name]:.0f} % in {name}" for name in found.outcomes if name in found.explained
    )
    return f"{said}\nOf the differences between customers in that time they tell {told}." if told else said


def _segments(found: Found, currency: str) -> None:
    costs = any(s.revenue is not None for s in found.segments)
    head = ["Id", "Name", "Customers", "Share", f"Revenue, {currency}", "Share", "Standing", "Jaccard", "Rule, F1"]
    rows = [
        [
            s.id, s.name, count(s.size), share(s.share), money(s.revenue), share(s.revenue_share), s.standing,
            f"{s.jaccard:.2f}", f"{s.rule.fidelity:.2f}" if s.rule.where else "–",
        ]
        for s in found.segments
    ]  # fmt: skip
    if not costs:
        head, rows = [h for i, h in enumerate(head) if i not in (4, 5)], [[*r[:4], *r[6:]] for r in rows]
    right = (2, 3, 4, 5, 7, 8) if costs else (2, 3, 5, 6)
    table(head, rows, right=right, wraps=(1,))


def _events(events: Sequence[Event]) -> None:
    if not any(e.kind == "kept" for e in events) and all(not e.before for e in events):
        return
    for event in events:
        if event.kind != "kept":
            click.echo(_event(event))
    kept = sorted((e for e in events if e.kind == "kept"), key=lambda e: e.after)
    if len(kept) == len(events) and all(e.after[0] == _alike(e) for e in kept):
        click.echo("All keep their ids.")
    elif kept:
        click.echo(f"Kept: {', '.join(_alike(e) for e in kept)}.")


def _alike(event: Event) -> str:
    """A segment that kept its id, with how alike it is where it isn't quite the same."""
    same = event.jaccard is None or event.jaccard >= 0.995
    return event.after[0] if same else f"{event.after[0]} (Jaccard {event.jaccard:.2f})"


def _event(event: Event) -> str:
    before, after = ", ".join(event.before), ", ".join(event.after)
    many = f" ({event.customers:,} customers)" if event.customers else ""
    match event.kind:
        case "born":
            return f"Born: {after}{many}."
        case "died":
            return f"Died: {before}{many}."
        case "merged":
            return f"Merged: {_parts(event.before, event.shares)} into {after}{many}."
        case "split":
            return f"Split: {before}{many} into {_parts(event.after, event.shares)}."
    return f"Kept: {after}."


def _parts(ids: Sequence[str], shares: Sequence[float]) -> str:
    """Ids, each with the share of its customers that went in, or that went there."""
    if len(shares) != len(ids):
        return ", ".join(ids)
    return ", ".join(f"{one} ({100 * part:.0f} %)" for one, part in zip(ids, shares, strict=True))


def _say_outliers(outliers: Sequence[str]) -> None:
    if outliers:
        first = ", ".join(outliers[:5])
        more = ", …" if len(outliers) > 5 else ""
        click.echo(
            f"{counted(len(outliers), 'customer')} {noun(len(outliers), 'is', 'are')} far from every group, and in the nearest "
            f"all the same: {first}{more}."
        )


def _say_files(files: WrittenSegments) -> None:
    if files.written:
        click.echo(f"Written to segments/: {', '.join(files.written)}.")
    for slug, why in files.kept.items():
        click.echo(f"Left as it is: {slug}. {why}", err=True)


# ---------------------------------------------------------------- one in full


@discover.command("show")
@click.argument("segment", required=False, metavar="[ID]")
@as_json
@click.pass_context
def show(ctx: click.Context, segment: str | None, json_: bool) -> None:
    """Show the micro-segments in force, or one of them by its id or name: portrait, rule, quality card."""
    from dataclasses import asdict

    with opened(ctx) as workspace:
        if segment is None:
            found = workspace.discovery.found()
            if json_:
                print_json(found.document())
            else:
                _say(found, workspace.config.currency)
                _say_proposal(workspace)
            return
        one = workspace.discovery.persona(segment)
    if json_:
        print_json(asdict(one))
    else:
        _say_one(one)


def _say_one(one: MicroSegment) -> None:
    from shoal.insight.discovery.record import STANDING

    click.secho(f"{one.id}  {one.name}", bold=True)
    click.echo(f"{one.standing.capitalize()}: {STANDING[one.standing]}.")
    told = one.persona
    for title, sentences in (
        ("Who they are", told.portrait),
        ("What sets them apart", told.different),
        ("What they buy", told.buys),
        ("How to reach them", told.reach),
    ):
        _sentences(title, sentences)
    click.secho("\nQuality", bold=True)
    for criterion in one.card:
        click.echo(_criterion(criterion))
    _rule(one)


def _sentences(title: str, sentences: Sequence[Sentence]) -> None:
    if sentences:
        click.secho(f"\n{title}", bold=True)
        for sentence in sentences:
            click.echo(f"- {sentence.text}")


def _criterion(criterion: Criterion) -> str:
    if criterion.met is None:
        return f"- {criterion.name}: {criterion.text[:1].lower()}{criterion.text[1:]}"
    return f"- {criterion.name}: {'yes' if criterion.met else 'no'}. {criterion.text}"


def _rule(one: MicroSegment) -> None:
    click.secho("\nRule", bold=True)
    if one.rule.where is None:
        click.echo(
            hint(f'No condition tells them from the others. Ask for them by the trait: micro_segment = "{one.id}"')
        )
        return
    click.echo(indent(one.rule.where, "  "))
    click.echo(
        f"Of whom it names, {share(one.rule.precision)} are members; of the members it names {share(one.rule.recall)} "
        f"(F1 {one.rule.fidelity:.2f}; {one.rule.unseen:.2f}{_within(one.rule)} on customers that it wasn't made from)."
    )


def _within(rule: Rule) -> str:
    return "" if rule.low is None or rule.high is None else f", 95 % interval {rule.low:.2f} to {rule.high:.2f},"


# ---------------------------------------------------------------- between fits


@discover.command("assign")
@as_json
@click.pass_context
def assign(ctx: click.Context, json_: bool) -> None:
    """Look at all customers again by the frozen groups, and record who is in another one now."""
    with opened(ctx) as workspace:
        done = workspace.discovery.assign()
        if json_:
            print_json(done.document())
            return
        _say_assigned(done)
        _say_proposal(workspace)


def _say_assigned(done: Assigned) -> None:
    click.echo(
        f"{counted(done.customers, 'customer')} looked at by version {done.version}: {done.new:,} new, {done.moved:,} moved, "
        f"{done.watched:,} nearer to another group and moved if it is so at the next look, {done.gone:,} gone."
    )
    click.echo(f"As of {when(done.at)}; {done.entered:,} entered a segment by that, {done.left:,} left one.")


def _say_proposal(workspace: Workspace) -> None:
    proposal = workspace.discovery.proposal()
    if proposal is None:
        return
    click.echo(f"Proposed since {when(proposal.at)}: discover anew, as customers have changed.")
    for why in proposal.reasons:
        click.echo(f"- {why}")
    click.echo(hint("Nothing changes until you do: shoal discover accept"))


@discover.command("proposal")
@as_json
@click.pass_context
def proposal(ctx: click.Context, json_: bool) -> None:
    """Show what drift proposes, if anything."""
    with opened(ctx) as workspace:
        held = workspace.discovery.proposal()
        if json_:
            print_json(None if held is None else held.document())
        elif held is None:
            click.echo("Nothing is proposed.")
        else:
            _say_proposal(workspace)


@discover.command("accept")
@as_json
@click.pass_context
def accept(ctx: click.Context, json_: bool) -> None:
    """Discover anew, as proposed, with the settings of the version in force."""
    with opened(ctx) as workspace:
        with progress() as step:
            done = workspace.discovery.accept(progress=step)
        _tell(done, None, workspace.config.currency, json_)


@discover.command("use")
@click.argument("version", type=click.IntRange(min=1))
@as_json
@click.pass_context
def use(ctx: click.Context, version: int, json_: bool) -> None:
    """Put another version in force, as the one before a refit, and assign all customers by it."""
    with opened(ctx) as workspace:
        done = workspace.discovery.use(version)
        if json_:
            print_json(done.document())
            return
        click.echo(
            f"Version {version} is in force. {done.new + done.moved:,} of {done.customers:,} customers are in another "
            f"micro_segment than before; {done.entered:,} entered a segment by that, {done.left:,} left one."
        )
        _say_proposal(workspace)


@discover.command("history")
@as_json
@click.pass_context
def history(ctx: click.Context, json_: bool) -> None:
    """List the versions, and what was born, merged, split and died with each."""
    with opened(ctx) as workspace:
        held = workspace.discovery.history()
        if json_:
            print_json(
                [
                    {"version": v.number, "in_force": v.in_force, "fitted": iso(v.fitted), **v.found.document()}
                    for v in held
                ]
            )
            return
        if not held:
            click.echo(hint("No micro-segments were discovered yet. Begin with: shoal discover"))
            return
        rows = [
            (
                str(v.number), "yes" if v.in_force else "no", when(v.found.at), count(v.found.customers),
                str(v.found.k), str(v.found.supported_k), v.found.verdict, _changed(v.found),
            )
            for v in held
        ]  # fmt: skip
        head = ("Version", "In force", "As of", "Customers", "Groups", "Supported", "Verdict", "What changed")
        table(head, rows, right=(0, 3, 4, 5), wraps=(7,))


def _changed(found: Found) -> str:
    kept = sum(e.kind == "kept" for e in found.events)
    if not kept and not any(e.before for e in found.events):
        return "the first"
    if found.origin == "kept":
        return f"the same {found.k} groups, looked at again"
    other = " ".join(_event(e) for e in found.events if e.kind != "kept")
    return f"{kept} kept. {other}".strip()


@discover.command("migration")
@click.argument("start", metavar="FROM")
@click.argument("end", metavar="TO", required=False)
@as_json
@click.pass_context
def migration(ctx: click.Context, start: str, end: str | None, json_: bool) -> None:
    """Count who was in which micro-segment at FROM and at TO (now where it isn't said)."""
    with opened(ctx) as workspace:
        rows = workspace.discovery.migration(start, end).to_pylist()
    if json_:
        print_json(rows)
    elif not rows:
        click.echo("Nobody was in a micro-segment at either time.")
    else:
        lines = [(r["from"] or "–", r["to"] or "–", count(r["customers"])) for r in rows]
        table(("From", "To", "Customers"), lines, right=(2,))
