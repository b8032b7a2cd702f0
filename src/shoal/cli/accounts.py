"""Commands for the accounts of those who work with the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shoal.cli.output import as_json, opened, print_json, table, when
from shoal.clock import Clock

if TYPE_CHECKING:
    from shoal.workspace import Workspace

BY = "the command line"


def first_link(workspace: Workspace, base: str, person: str | None = None) -> str:
    """A link that signs somebody in, once, on this machine.

    Args:
        workspace: open.
        base: the address of its server, as this machine reaches it.
        person: a name, an address or an id; the first administrator by default, who is made where there is none.

    Raises:
        UnknownName: there is nobody of that name.
    """
    from shoal.workspace.sign_ins import SIGN_IN

    now = Clock().now()
    found = workspace.people.administrator(now) if person is None else workspace.people.find(person)
    secret = workspace.sign_ins.make_link(found.id, SIGN_IN, now)
    workspace.audit.note(BY, "sign-in link made", found.id, now=now)
    return f"{base}/sign-in/link/{secret}"


def _base(workspace: Workspace) -> str:
    """Where this machine reaches the workspace's server, or would if it ran."""
    from shoal.server.service import reached

    settings = workspace.config.server
    return workspace.served or f"http://{reached(settings.host)}:{settings.port}"


@click.group()
def accounts() -> None:
    """Manage who may open the web application."""


@accounts.command("link")
@click.argument("person", required=False)
@click.pass_context
def link(ctx: click.Context, person: str | None) -> None:
    """Make a link that signs PERSON in, or the first administrator: once, within an hour, on this machine."""
    with opened(ctx) as workspace:
        click.echo(first_link(workspace, _base(workspace), person))


@accounts.command("add")
@click.argument("name")
@click.argument("address")
@click.option("--role", default="viewer", show_default=True, help="viewer, editor, admin or privacy officer.")
@as_json
@click.pass_context
def add(ctx: click.Context, name: str, address: str, role: str, json_: bool) -> None:
    """Let NAME in, who signs in with the e-mail ADDRESS; prints a link with which they choose a password."""
    from shoal.workspace.sign_ins import INVITATION

    with opened(ctx) as workspace:
        now = Clock().now()
        person = workspace.people.add(name, address, role, now)
        secret = workspace.sign_ins.make_link(person.id, INVITATION, now)
        workspace.audit.note(BY, "person invited", person.id, f"{person.name}, {person.role}", now=now)
        base = workspace.config.server.address.rstrip("/") or _base(workspace)
    invitation = f"{base}/invitation/{secret}"
    if json_:
        print_json({"id": person.id, "name": person.name, "role": person.role, "invitation": invitation})
        return
    click.echo(invitation)
    click.echo(f"Pass the line above on to {person.name}; it is good for seven days, once.", err=True)


@accounts.command("list")
@as_json
@click.pass_context
def list_(ctx: click.Context, json_: bool) -> None:
    """List who may open the web application."""
    with opened(ctx) as workspace:
        found = list(workspace.people)
    if json_:
        print_json([
            {"id": p.id, "name": p.name, "address": p.address, "role": p.role, "created": p.created, "password": p.chosen}
            for p in found
        ])  # fmt: skip
    elif found:
        rows = [(p.id, p.name, p.address or "–", p.role, when(p.created), "yes" if p.chosen else "no") for p in found]
        table(("Id", "Name", "Address", "Role", "Since", "Password"), rows)
    else:
        click.echo("Nobody has an account yet. Make a link for the first administrator: shoal accounts link")


@accounts.command("role")
@click.argument("person")
@click.argument("role")
@click.pass_context
def role(ctx: click.Context, person: str, role: str) -> None:
    """Give PERSON (a name, address or id) another ROLE."""
    with opened(ctx) as workspace:
        before = workspace.people.find(person)
        found = workspace.people.put_in_role(before.id, role)
        told = f"{found.name}: {before.role} → {found.role}"
        workspace.audit.note(BY, "role changed", found.id, told, now=Clock().now())
    click.echo(f"{found.name} is {found.role} now.")


@accounts.command("remove")
@click.argument("person")
@click.pass_context
def remove(ctx: click.Context, person: str) -> None:
    """Let PERSON (a name, address or id) in no more, and sign them out everywhere."""
    with opened(ctx) as workspace:
        found = workspace.people.find(person)
        now = Clock().now()
        workspace.people.remove(found.id, now)
        workspace.sign_ins.end_all(found.id)
        workspace.audit.note(BY, "person removed", found.id, found.name, now=now)
    click.echo(f"{found.name} is let in no more.")
