"""Commands for single customers and for hand-kept lists."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.output import as_json, as_of_option, asked, hint, opened, plain, print_json, say_unscored, table, when
from shoal.clock import iso

if TYPE_CHECKING:
    from shoal.workspace.customers import Membership


@click.command()
@click.argument("customer_id")
@as_of_option
@click.option("--events", "newest", default=10, show_default=True, help="How many of the newest events to show.")
@as_json
@click.pass_context
def customer(ctx: click.Context, customer_id: str, as_of: str | None, newest: int, json_: bool) -> None:
    """Show CUSTOMER_ID: traits with their origin, consent, lists, memberships with their end, newest events."""
    with opened(ctx) as ws:
        at = asked(ws, as_of)
        found = ws.customers.profile(customer_id, as_of=at, newest=newest)
        memberships = ws.customers.memberships(customer_id, as_of=at)
        if json_:
            print_json(_document(found, memberships))
            return
        click.echo(f"Customer {found.id}, known since {when(found.known_since)}, as of {when(at)}.")
        if found.merged_ids:
            click.echo(f"Also known as: {', '.join(found.merged_ids)}.")
        table(["Trait", "Value", "Since", "From"],
              [[t.name, plain(t.value), when(t.since), t.origin] for t in found.traits], wraps=(1, 3))  # fmt: skip
        for purpose, (granted, since) in found.consents.items():
            click.echo(f"Consent to {purpose}: {'yes' if granted else 'no'}, since {when(since)}.")
        if found.lists:
            click.echo(f"On the lists: {', '.join(found.lists)}.")
        if memberships:
            until = "by what is stored today" if as_of is not None and at < ws.now() else "if nothing more happens"
            table(["In the segment", f"Until, {until}"], [[m.name, _until(m)] for m in memberships])
        else:
            click.echo("In no segment.")
        say_unscored({ws.segments[slug].name: since for slug, since in ws.segments.unscored(as_of=at).items()})
        table(["Event", "When", "What"], [[e.event, when(e.ts), _properties(e.properties)] for e in found.timeline],
              wraps=(2,))  # fmt: skip


def _until(membership: Membership) -> str:
    unless = ", unless rescored" if membership.unless_rescored else ""
    return (when(membership.until) if membership.until is not None else "no end in sight") + unless


def _properties(properties: dict[str, Any]) -> str:
    return ", ".join(f"{name} {plain(value)}" for name, value in properties.items())


def _document(found: Any, memberships: list[Any]) -> dict[str, Any]:
    return {
        "id": found.id,
        "as_of": iso(found.at),
        "known_since": found.known_since and iso(found.known_since),
        "merged_ids": found.merged_ids,
        "traits": [{"name": t.name, "value": t.value, "since": iso(t.since), "from": t.origin} for t in found.traits],
        "consents": {p: {"granted": granted, "since": iso(ts)} for p, (granted, ts) in found.consents.items()},
        "lists": found.lists,
        "memberships": [
            {"segment": m.segment, "until": m.until and iso(m.until), "unless_rescored": m.unless_rescored}
            for m in memberships
        ],
        "events": [
            {"event": e.event, "at": iso(e.ts), "properties": e.properties, "from": e.origin} for e in found.timeline
        ],
    }


@click.group()
def lists() -> None:
    """Manage hand-kept lists, which ``listed in``, ``always`` and ``never`` name."""


@lists.command("show")
@click.argument("name", required=False)
@as_json
@click.pass_context
def show(ctx: click.Context, name: str | None, json_: bool) -> None:
    """All lists with their size, or the customers on one."""
    with opened(ctx) as ws:
        if name is None:
            sizes = ws.lists.sizes()
            if json_:
                print_json(sizes)
            else:
                if not sizes:
                    click.echo(hint("There are no lists yet. Make one: shoal list add NAME CUSTOMER …"))
                    return
                table(["List", "Customers"], [[n, f"{size:,}"] for n, size in sizes.items()], right=(1,))
            return
        ids = ws.lists.members(name)
        print_json(ids) if json_ else click.echo("\n".join(ids))


@lists.command("add")
@click.argument("name")
@click.argument("customers", nargs=-1)
@click.option("--file", "file_", type=click.Path(exists=True, dir_okay=False, allow_dash=True), help="Ids, one a line.")
@click.pass_context
def add(ctx: click.Context, name: str, customers: tuple[str, ...], file_: str | None) -> None:
    """Put customers on the list NAME; it is made where it is missing."""
    from shoal.wording import counted

    with opened(ctx) as ws:
        changed = ws.lists.add(name, _ids(customers, file_))
        size = counted(ws.lists.sizes()[name], "customer")
        click.echo(f"Put {changed:,} on {name!r}; it has {size} now.")


@lists.command("remove")
@click.argument("name")
@click.argument("customers", nargs=-1)
@click.option("--file", "file_", type=click.Path(exists=True, dir_okay=False, allow_dash=True), help="Ids, one a line.")
@click.pass_context
def remove(ctx: click.Context, name: str, customers: tuple[str, ...], file_: str | None) -> None:
    """Take customers off the list NAME; that they were on it stays known."""
    from shoal.wording import counted

    with opened(ctx) as ws:
        changed = ws.lists.remove(name, _ids(customers, file_))
        size = counted(ws.lists.sizes()[name], "customer")
        click.echo(f"Took {changed:,} off {name!r}; it has {size} now.")


def _ids(customers: tuple[str, ...], file_: str | None) -> list[str]:
    ids = list(customers)
    if file_:
        text = sys.stdin.read() if file_ == "-" else Path(file_).read_text(encoding="utf-8")
        ids += [line.strip() for line in text.splitlines() if line.strip()]
    if not ids:
        raise click.UsageError("Name the customers, or give --file.")
    return ids
