"""The collection server put together, and the server that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.clock import Clock
from shoal.server.collect import Collection
from shoal.server.settings import CollectSettings

if TYPE_CHECKING:
    import uvicorn

    from shoal.server.body import App
    from shoal.server.intake import Intake, WriteKeys
    from shoal.server.plan import Plan

__all__ = ["collection_app", "server"]


def collection_app(
    intake: Intake,
    keys: WriteKeys,
    settings: CollectSettings | None = None,
    *,
    clock: Clock | None = None,
    plan: Plan | None = None,
    otherwise: App | None = None,
) -> Collection:
    """The ASGI app that takes tracking calls.

    It stands before any other app, so that calls pass no framework: give that one as ``otherwise`` and it gets every
    request, and the lifespan, that isn't the collection's own.

    Args:
        intake: keeps the calls.
        keys: the write keys.
        settings: limits, origins and filters; None for the defaults.
        clock: the workspace's; None for real time.
        plan: marks calls that it doesn't know; may be replaced later (``app.plan = …``).
        otherwise: the app for all other paths.
    """
    return Collection(
        intake, keys, settings or CollectSettings(), clock=clock or Clock(), plan=plan, otherwise=otherwise
    )


def server(app: App, *, host: str = "127.0.0.1", port: int = 8000) -> uvicorn.Server:
    """A uvicorn server for an app, with the fast parser and event loop where there are any. Start it with ``run()``."""
    import uvicorn

    from shoal.server.protocol import Protocol

    config = uvicorn.Config(
        app, host=host, port=port, http=Protocol, loop="auto", ws="none", access_log=False, server_header=False,
        proxy_headers=False, log_config=None, timeout_keep_alive=75, timeout_graceful_shutdown=10, backlog=2_048,
    )  # fmt: skip
    return uvicorn.Server(config)
