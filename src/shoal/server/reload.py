"""Changed settings and a changed tracking plan are taken in while the workspace is served; what is faulty changes nothing."""

from __future__ import annotations

import logging
from dataclasses import fields, replace
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Any

from shoal.config import FILE_NAME, PLAN_NAME, read_config
from shoal.errors import ConfigError, ShoalError
from shoal.server.plan import Plan
from shoal.server.settings import collecting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.config import Config
    from shoal.server.access import Access
    from shoal.server.collect import Collection
    from shoal.server.service import Service
    from shoal.workspace.live import Live

LOOK = 2.0
"""Seconds between two looks at the files."""
AT_START = {"zone": "timezone", "clock": "clock", "store": "store", "identity": "identity"}
"""What is read at the start alone: fields of the settings, and what people call them."""
ADDRESS = ("host", "port")
"""Of ``server:`` these are read at the start alone."""
_logger = logging.getLogger("shoal.server")


class Reload:
    """Looks at ``shoal.yaml`` and ``tracking-plan.yaml``, and puts in force what changed.

    Args:
        service: the served workspace.
        live: the same, live.
        app: takes calls by the settings and the plan.
        access: slows keys down by the settings.
        given: settings of the server that the command line fixed.
    """

    def __init__(self, service: Service, live: Live, app: Collection, access: Access, given: Mapping[str, Any]) -> None:
        self._service, self._live, self._app, self._access, self._given = service, live, app, access, dict(given)
        self._workspace = service.workspace
        self._plans = self._workspace.plan
        self._store = self._workspace.store.cursor()
        self._read: Config = self._workspace.config
        """What the file says, also of what is read at the start alone."""
        self._seen = self._stamps()
        self._grown: int | None = None
        self._wake, self._closing = Flag(), False
        self._thread = Thread(target=self._run, name="reload", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._check()
        self._thread.start()

    def now(self) -> None:
        """Look at the files at once, whether they seem to have changed or not."""
        self._seen = {}
        self._wake.set()

    def close(self) -> None:
        """Look no more."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._store.close()

    def _run(self) -> None:
        while not self._closing:
            try:
                self._look()
            except (ShoalError, OSError) as error:
                _logger.error("changed settings can't be taken in: %s", error)
            self._wake.wait(LOOK)
            self._wake.clear()

    def _look(self) -> None:
        live, stamps = self._live, self._stamps()
        if stamps != self._seen:
            self._seen = stamps
            other = self._config()
            before = self._plans.fault
            changed = self._plans.look(self._store, live.clock.now())
            self._check()
            self._tell_plan(changed, before)
            if live.ready and (other or self._plans.lacking(self._store)):
                live.exclusively(self._plans.declare)
        self._check()

    def _stamps(self) -> dict[str, tuple[int, int]]:
        found = {}
        for name in (FILE_NAME, PLAN_NAME):
            try:
                told = (self._workspace.config.root / name).stat()
            except FileNotFoundError:
                continue
            found[name] = (told.st_mtime_ns, told.st_size)
        return found

    def _check(self) -> None:
        """Hold calls against the plan of now: it grows with what is seen."""
        core = self._live.core
        grown = core.grown
        if grown != self._grown or self._app.plan is None or self._app.plan.tracking is not self._plans.current:
            self._grown = grown
            self._app.plan = Plan(core.schema, self._plans.current)

    def _config(self) -> bool:
        """Take in ``shoal.yaml``; says whether the engine has to be read anew for it."""
        workspace = self._workspace
        try:
            found = read_config(workspace.config.root)
        except ConfigError as error:
            self._service.faults[FILE_NAME] = error
            _logger.error("%s isn't accepted, and stays in force as it was: %s", FILE_NAME, error)
            return False
        self._service.faults.pop(FILE_NAME, None)
        changed = [f.name for f in fields(found) if getattr(found, f.name) != getattr(self._read, f.name)]
        if not changed:
            return False
        self._read, old = found, workspace.config
        started = {name: getattr(old, name) for name in AT_START}
        workspace.config = replace(found, **started)
        served = self._service.served or found.server
        settings = replace(found.server, **{name: getattr(served, name) for name in ADDRESS} | self._given)
        self._app.adopt(collecting(settings))
        self._access.per_second = settings.rate_per_second
        self._live.delays.most = settings.measured_segments
        self._service.restart = self._needs_restart(found, old)
        self._service.served = settings
        _logger.info("took in %s", FILE_NAME, extra={"changed": changed, "at_next_start": self._service.restart})
        return old.purposes != found.purposes

    def _needs_restart(self, found: Config, old: Config) -> list[str]:
        """What the file says otherwise, and which counts from the next start on."""
        waiting = [said for name, said in AT_START.items() if getattr(found, name) != getattr(old, name)]
        served = self._service.served
        return waiting + [
            f"server.{name}"
            for name in ADDRESS
            if name not in self._given and served is not None and getattr(found.server, name) != getattr(served, name)
        ]

    def _tell_plan(self, changed: bool, before: ConfigError | None) -> None:
        fault = self._plans.fault
        if fault is not None and str(fault) != str(before):
            _logger.error("%s isn't accepted, and its last good version stays in force: %s", PLAN_NAME, fault)
        elif changed:
            strict = self._plans.current is not None and self._plans.current.strict
            _logger.info("took in %s", PLAN_NAME, extra={"strict": strict})
        for conflict in self._plans.conflicts:
            _logger.warning("%s: %s", PLAN_NAME, conflict)
