"""Commands for a live workspace: serve it, and the keys of those who may send and ask."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from shoal.cli.output import as_json, opened, print_json, table, when
from shoal.clock import Clock


@click.command()
@click.option("--host", help="The address to listen on; 127.0.0.1 where shoal.yaml says nothing else.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port; 8000 where shoal.yaml says nothing else.")
@click.option("--origin", "origins", multiple=True, help="A web origin whose pages may send; any by default.")
@click.option("--strict", is_flag=True, help="Refuse calls that the tracking plan doesn't know.")
@click.pass_context
def serve(ctx: click.Context, host: str | None, port: int | None, origins: tuple[str, ...], strict: bool) -> None:
    """Serve the web application; take events live, keep memberships of this moment, and publish their changes."""
    from shoal.cli.accounts import first_link
    from shoal.server.service import reached
    from shoal.server.service import serve as serve_workspace
    from shoal.web.app import pages

    with opened(ctx, alone=True) as workspace:
        said = workspace.config.server
        settings = replace(
            said, host=host or said.host, port=port or said.port, origins=origins or said.origins,
            strict=strict or said.strict,
        )  # fmt: skip

        base = f"http://{reached(settings.host)}:{settings.port}"
        link = None if workspace.people.begun else first_link(workspace, base)

        def begun() -> None:
            root, place = workspace.config.root, f"http://{settings.host}:{settings.port}"
            click.echo(f"Serving {root} on {place}; end it with Ctrl-C.")
            if link is not None:
                click.echo(f"Sign in, once and within an hour, on this machine: {link}")
            sys.stdout.flush()

        serve_workspace(workspace, settings, begun, pages)
        click.echo("Stopped; everything that was taken is in the store.")


@click.group()
def keys() -> None:
    """Keys for the HTTP interface: who may send, ask and change."""


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="collect, read, write or admin; several are fine."
)
@as_json
@click.pass_context
def create(ctx: click.Context, name: str, scopes: tuple[str, ...], json_: bool) -> None:
    """Make a key called NAME. Its secret is shown this once."""
    with opened(ctx) as workspace:
        key, secret = workspace.keys.create(name, scopes, Clock().now())
    if json_:
        print_json({"id": key.id, "name": key.name, "scopes": sorted(key.scopes), "secret": secret})
        return
    click.echo(secret)
    click.echo(f"Key {key.id} ({', '.join(sorted(key.scopes))}). Keep the line above; it isn't shown again.", err=True)


@keys.command("list")
@as_json
@click.pass_context
def list_(ctx: click.Context, json_: bool) -> None:
    """List the keys, without their secrets."""
    with opened(ctx) as workspace:
        found = list(workspace.keys)
        rows = [(k.id, k.name, ", ".join(sorted(k.scopes)), when(k.created), when(k.revoked)) for k in found]
    if json_:
        print_json(
            [
                {"id": k.id, "name": k.name, "scopes": sorted(k.scopes), "created": k.created, "revoked": k.revoked}
                for k in found
            ]
        )
    elif rows:
        table(("Key", "Name", "Scopes", "Made", "Revoked"), rows)
    else:
        click.echo("There are no keys yet. Make one: shoal keys create NAME --scope collect")


@keys.command("revoke")
@click.argument("key")
@click.pass_context
def revoke(ctx: click.Context, key: str) -> None:
    """Take a key out of force at once."""
    with opened(ctx) as workspace:
        workspace.keys.revoke(key, Clock().now())
    click.echo(f"Revoked {key}.")
