"""A served workspace: opened while the server answers already, closed when it ends."""

from __future__ import annotations

import gc
import logging
import os
import secrets
import signal
import socket
import sys
from dataclasses import fields
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from shoal.clock import stopwatch
from shoal.config import PLAN_NAME, located
from shoal.errors import ConfigError, ShoalError, StoreError
from shoal.server.access import Access
from shoal.server.api import api
from shoal.server.app import collection_app, server
from shoal.server.asking import Asking
from shoal.server.intake import Busy, Starting
from shoal.server.priority import put_python_first
from shoal.server.reload import Reload
from shoal.server.running import Running
from shoal.server.sessions import Sessions
from shoal.server.settings import collecting
from shoal.workspace.audit import Audit
from shoal.workspace.drafts import Drafts
from shoal.workspace.keys import Keys
from shoal.workspace.live import Live
from shoal.workspace.live.arms import Arms
from shoal.workspace.logs import configure
from shoal.workspace.people import People
from shoal.workspace.sign_ins import SignIns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from fastapi import FastAPI

    from shoal.config import ServerSettings
    from shoal.customers.tracking import Call
    from shoal.server.body import App
    from shoal.server.collect import Collection
    from shoal.server.settings import CollectSettings
    from shoal.workspace import Workspace
    from shoal.workspace.privacy import Forgotten
    from shoal.workspace.scheduling import Scheduler

    Pages: TypeAlias = Callable[["FastAPI", "Service", Access], App]
    """Adds the pages to the app of the HTTP interface; gives the app that stands before it then."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN = "token"
_logger = logging.getLogger("shoal.server")

COLLECTED = (20_000, 20, 50)
"""Objects after which cycles that nobody needs are looked for, as ``gc.set_threshold`` has it."""
SWITCH = 0.0001
"""Seconds that a thread works before another that waits gets its turn."""


class Service:
    """What the server serves; ``live`` is None until the workspace is ready.

    Args:
        workspace: open, and owned by this process.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.live: Live | None = None
        self.failure: Exception | None = None
        self.running: Running | None = None
        self.sessions: Sessions | None = None
        self.asking: Asking | None = None
        self.arms: Arms | None = None
        self.ending: Callable[[], bool] = lambda: False
        """Whether the server has been told to stop."""
        self.stop: Callable[[], None] = lambda: None
        """Tells the server to stop."""
        self._reload: Reload | None = None
        self.clock = workspace.clock
        self.keys = Keys(workspace.store.cursor())
        self.people = People(workspace.store.cursor())
        self.sign_ins = SignIns(workspace.store.cursor())
        self.audit = Audit(workspace.store.cursor())
        self.drafts = Drafts(workspace.store.cursor())
        self.faults: dict[str, ShoalError] = {}
        """What of the workspace's files isn't in force as it is written, by file; faults of definitions are elsewhere."""
        self.restart: list[str] = []
        """Settings that were changed and count from the next start on."""
        self.served: ServerSettings | None = None
        """Where and how it is served, once it is."""
        self._watchers: list[Callable[[Live], None]] = []

    @property
    def faulty(self) -> dict[str, ShoalError]:
        """All files that aren't in force as they are written, each with its fault."""
        found = dict(self.faults)
        for fault in self.workspace.plan.faults:
            found.setdefault(PLAN_NAME, fault)
        if self.live is not None:
            found |= {f"segments/{slug}.yaml": fault for slug, fault in self.live.catalogue.faults.items()}
        return found

    @property
    def strict(self) -> bool:
        """Whether the settings, or the command line, ask that what doesn't fit the plan be refused."""
        return (self.served or self.workspace.config.server).strict

    def begin(self) -> Thread:
        """Make the workspace live, on a thread of its own."""
        thread = Thread(target=self._begin, name="start", daemon=True)
        thread.start()
        return thread

    def on_ready(self, watcher: Callable[[Live], None]) -> None:
        """Call ``watcher`` once the workspace is live, before any call is taken."""
        self._watchers.append(watcher)

    def _begin(self) -> None:
        begun = stopwatch()
        try:
            if self.workspace.plan.declare():
                self.workspace.privacy.drop_snapshots()
            live = Live(self.workspace, Busy)
            live.delays.most = self.workspace.config.server.measured_segments
            live.start()
        except Exception as error:
            told = str(error) if isinstance(error, ShoalError) else type(error).__name__
            _logger.error("the workspace can't be made live: %s", told, exc_info=error)
            self.failure = error
            self.stop()
            return
        for watcher in self._watchers:
            watcher(live)
        # What stands by now stays: looking through it again and again for what nobody needs would hold calls up.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTED)
        put_python_first()
        self.live = live
        self.running = Running(self.workspace, live)
        self.running.start()
        self.sessions = Sessions(self, live)
        self.arms = Arms(live)
        self.asking = Asking(self.workspace.config.root, lambda: live.log.committed)
        held = {"population": len(live.core.engine.state.people), "segments": len(live.definitions)}
        _logger.info("ready", extra={"seconds": round(stopwatch() - begun, 3), "faults": sorted(self.faulty), **held})

    @property
    def scheduler(self) -> Scheduler:
        """Runs the jobs.

        Raises:
            StoreError: the workspace isn't live yet.
        """
        if self.running is None:
            raise StoreError("The workspace isn't ready.", fix="Try again.")
        return self.running.scheduler

    def submit(self, calls: Sequence[Call], done: Callable[[BaseException | None], None]) -> None:
        """The collection's intake: see ``server.intake.Intake``."""
        if self.live is None:
            raise Starting
        self.live.intake.submit(calls, done)

    def forget(self, identifier: str) -> Forgotten:
        """Erase a person from everything that the server holds; see ``Live.forget``.

        Raises:
            UnknownName: nobody bears the identifier.
            StoreError: the workspace isn't live yet.
        """
        if self.live is None:
            raise StoreError("The workspace isn't ready.", fix="Try again.")
        try:
            return self.live.forget(identifier)
        finally:
            if self.asking is not None:
                self.asking.renew()

    def reload_by(self, reload: Reload) -> None:
        """Let changed settings be taken in from now on."""
        self._reload = reload
        reload.start()

    def look_again(self) -> None:
        """Look at the settings and the tracking plan at once."""
        if self._reload is not None:
            self._reload.now()

    def close(self) -> None:
        """Finish what was taken, and release the workspace's files."""
        begun = stopwatch()
        _logger.info("stopping")
        gc.unfreeze()
        if self._reload is not None:
            self._reload.close()
        if self.asking is not None:
            self.asking.close()
        if self.sessions is not None:
            self.sessions.close()
        if self.running is not None:
            self.running.close()
        if self.live is not None:
            self.live.close()
            for each in (self.keys, self.people, self.sign_ins, self.audit, self.drafts):
                each.close()
            self.workspace.privacy.compact()
            if self.live.failure is not None:
                self.failure = StoreError(
                    f"The server stopped taking entries: {self.live.failure!r}.",
                    fix="What was acknowledged is in the log, and is read at the next start.",
                )
        _logger.info("stopped", extra={"seconds": round(stopwatch() - begun, 3)})


def app_of(
    service: Service, access: Access, settings: CollectSettings | None = None, pages: Pages | None = None
) -> Collection:
    """The whole app: the collection first, everything else behind it."""
    behind = api(service, access)
    otherwise = behind if pages is None else pages(behind, service, access)
    app = collection_app(service, service.keys, settings, clock=service.clock, otherwise=otherwise)
    behind.state.collection = app
    return app


def serve(
    workspace: Workspace,
    settings: ServerSettings,
    begun: Callable[[], None] = lambda: None,
    pages: Pages | None = None,
) -> None:
    """Serve a workspace until a signal ends it.

    Args:
        workspace: open, and owned by this process.
        settings: where and how, from ``shoal.yaml`` and the command line.
        begun: is called once nothing speaks against it.
        pages: adds the pages for people; None serves programs alone.

    Raises:
        ConfigError: a public address, and nobody who may administer; or the first load is still to set the clock.
        ShoalError: the address can't be listened on.
    """
    service = Service(workspace)
    host, port = settings.host, settings.port
    _check(service, host, port)
    begun()
    token = workspace.config.root / ".shoal" / TOKEN
    access = Access(service.keys, write_token(token), settings.rate_per_second)
    configure()
    workspace.told(f"http://{reached(host)}:{port}")
    app = app_of(service, access, collecting(settings), pages)
    service.served = settings
    said = workspace.config.server
    given = {
        f.name: getattr(settings, f.name) for f in fields(said) if getattr(settings, f.name) != getattr(said, f.name)
    }
    service.on_ready(lambda live: service.reload_by(Reload(service, live, app, access, given)))
    # From here on the workspace's own connection belongs to the thread that makes it live.
    beginning = service.begin()
    # uvicorn raises the signal that ended it once more; by then only the workspace is left to be closed.
    handlers = {number: signal.signal(number, _heard) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda number, frame: service.look_again())
    try:
        running = server(app, host=host, port=port)
        service.ending = lambda: running.should_exit
        service.stop = partial(setattr, running, "should_exit", True)
        if service.failure is not None:
            service.stop()
        # Whoever answers a request waits for the interpreter at most so long while memberships are worked out.
        sys.setswitchinterval(SWITCH)
        running.run()
    finally:
        beginning.join()
        service.close()
        token.unlink(missing_ok=True)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if service.failure is not None:
        raise service.failure


def _check(service: Service, host: str, port: int) -> None:
    """Refuse what can't be served, before everything is read for it."""
    config = service.workspace.config
    if config.clock == "data-end" and not service.clock.offset:
        # What is taken by the real clock would lie years ahead once the data's end is "now".
        raise located(
            ConfigError(
                "Nothing is loaded yet, and clock: data-end takes the time from the first load.",
                place="clock",
                fix="Load first: shoal load; then serve. Or, if events come as they happen, write clock: now.",
            ),
            config.root,
        )
    if host not in LOOPBACK and not service.keys.administered and not service.people.begun:
        raise ConfigError(
            f"{host} can be reached from outside, and no key and nobody may administer this workspace.",
            fix="Make a key first: shoal keys create NAME --scope admin; or serve on 127.0.0.1 and sign in there.",
        )
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
    except OSError as error:
        # Not a fault of the settings alone: systemd tries again, as where the machine has no such address yet.
        raise ShoalError(
            f"Nobody can listen on port {port} of {host}: {error.strerror}.",
            fix="End what listens there, or take another: shoal serve --port NUMBER.",
        ) from error


def reached(host: str) -> str:
    """How a server that listens on a host is reached from its own machine."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{near}]" if ":" in near else near


def _heard(number: int, frame: object) -> None:
    """The signal was acted on already."""


def write_token(path: Path) -> str:
    """A fresh secret in a file that only its owner can read."""
    secret = secrets.token_urlsafe(32)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="ascii") as handle:
        handle.write(secret)
    return secret
