"""A served workspace: opened while the server answers already, closed when it ends."""

from __future__ import annotations

import logging
import os
import secrets
import signal
from threading import Thread
from typing import TYPE_CHECKING

from shoal.errors import ConfigError, ShoalError, StoreError
from shoal.server.access import Access
from shoal.server.api import api
from shoal.server.app import collection_app, server
from shoal.server.intake import Busy, Starting
from shoal.server.plan import Plan
from shoal.server.running import Running
from shoal.server.sessions import Sessions
from shoal.server.settings import CollectSettings
from shoal.workspace.keys import Keys
from shoal.workspace.live import Live
from shoal.workspace.logs import configure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from shoal.config import ServerSettings
    from shoal.customers.tracking import Call
    from shoal.server.collect import Collection
    from shoal.workspace import Workspace
    from shoal.workspace.scheduling import Scheduler

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN = "token"
_logger = logging.getLogger("shoal.server")


class Service:
    """What the server serves; ``live`` is None until the workspace is ready.

    Args:
        workspace: open, and owned by this process.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.live: Live | None = None
        self.failure: ShoalError | None = None
        self.running: Running | None = None
        self.sessions: Sessions | None = None
        self.ending: Callable[[], bool] = lambda: False
        """Whether the server has been told to stop."""
        self.clock = workspace.clock
        self.keys = Keys(workspace.store.cursor())
        self._watchers: list[Callable[[Live], None]] = []

    def begin(self) -> Thread:
        """Make the workspace live, on a thread of its own."""
        thread = Thread(target=self._begin, name="start", daemon=True)
        thread.start()
        return thread

    def on_ready(self, watcher: Callable[[Live], None]) -> None:
        """Call ``watcher`` once the workspace is live."""
        self._watchers.append(watcher)

    def _begin(self) -> None:
        try:
            live = Live(self.workspace, Busy)
            live.start()
        except ShoalError as error:
            self.failure = error
            _logger.error("the workspace can't be made live: %s", error)
            return
        self.live = live
        self.running = Running(self.workspace, live)
        self.running.start()
        self.sessions = Sessions(self, live)
        for watcher in self._watchers:
            watcher(live)

    @property
    def scheduler(self) -> Scheduler:
        """Runs the jobs.

        Raises:
            StoreError: the workspace isn't live yet.
        """
        if self.running is None:
            raise StoreError("The workspace isn't ready.", fix="Try again.")
        return self.running.scheduler

    async def submit(self, calls: Sequence[Call]) -> None:
        """The collection's intake: see ``server.intake.Intake``."""
        if self.live is None:
            raise Starting
        await self.live.intake.submit(calls)

    def close(self) -> None:
        """Finish what was taken, and release the workspace's files."""
        if self.sessions is not None:
            self.sessions.close()
        if self.running is not None:
            self.running.close()
        if self.live is not None:
            self.live.close()
            self.keys.close()
            self.workspace.privacy.compact()
            if self.live.failure is not None:
                self.failure = StoreError(
                    f"The server stopped taking entries: {self.live.failure!r}.",
                    fix="What was acknowledged is in the log, and is read at the next start.",
                )


def app_of(service: Service, access: Access, settings: CollectSettings | None = None) -> Collection:
    """The whole app: the collection first, everything else behind it."""
    app = collection_app(service, service.keys, settings, clock=service.clock, otherwise=api(service, access))
    service.on_ready(lambda live: setattr(app, "plan", Plan(live.core.schema)))
    return app


def serve(workspace: Workspace, settings: ServerSettings) -> None:
    """Serve a workspace until a signal ends it.

    Args:
        workspace: open, and owned by this process.
        settings: where and how, from ``shoal.yaml`` and the command line.

    Raises:
        ConfigError: a public address, and nobody who may administer.
    """
    service = Service(workspace)
    host, port = settings.host, settings.port
    if host not in LOOPBACK and not service.keys.administered:
        raise ConfigError(
            f"{host} can be reached from outside, and no key may administer this workspace.",
            fix="Make one first: shoal keys create NAME --scope admin; or serve on 127.0.0.1.",
        )
    token = workspace.config.root / ".shoal" / TOKEN
    access = Access(service.keys, write_token(token), settings.rate_per_second)
    configure()
    workspace.told(f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}")
    app = app_of(service, access, _collecting(settings))
    # From here on the workspace's own connection belongs to the thread that makes it live.
    beginning = service.begin()
    # uvicorn raises the signal that ended it once more; by then only the workspace is left to be closed.
    handlers = {number: signal.signal(number, _heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        running = server(app, host=host, port=port)
        service.ending = lambda: running.should_exit
        running.run()
    finally:
        beginning.join()
        service.close()
        token.unlink(missing_ok=True)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if service.failure is not None:
        raise service.failure


def _collecting(settings: ServerSettings) -> CollectSettings:
    names = ("origins", "strict", "keep_ip", "drop_bots", "address")
    return CollectSettings(**{name: getattr(settings, name) for name in names})


def _heard(number: int, frame: object) -> None:
    """The signal was acted on already."""


def write_token(path: Path) -> str:
    """A fresh secret in a file that only its owner can read."""
    secret = secrets.token_urlsafe(32)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="ascii") as handle:
        handle.write(secret)
    return secret
