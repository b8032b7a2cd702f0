"""An open workspace whose store a running server owns: the same interface, with the server's help where the store isn't all."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shoal.clock import stopwatch
from shoal.config import located
from shoal.customers.lists import pending
from shoal.customers.privacy import Erased
from shoal.errors import ConfigError, StoreError, UnknownName
from shoal.insight.definitions import Catalogue, known_at, read_catalogue
from shoal.insight.ranks import ranked
from shoal.workspace.customers import Lists
from shoal.workspace.data import Data
from shoal.workspace.keys import Keys
from shoal.workspace.opening import STATE, STORE, Workspace
from shoal.workspace.people import People
from shoal.workspace.privacy import Forgotten, Privacy
from shoal.workspace.served.jobs import ServedJobs
from shoal.workspace.served.link import Link, NotReached
from shoal.workspace.served.store import ServedStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from shoal.config import Config
    from shoal.lang.nodes import Definition
    from shoal.lang.schema import Schema
    from shoal.sql.store import Store
    from shoal.workspace.data import Loaded, Step
    from shoal.workspace.models import Models
    from shoal.workspace.scheduling import Jobs

TOKEN = "token"
_FRESH = 0.2
"""Seconds for which what is known of events and traits isn't asked for again."""


def reach(config: Config, address: str) -> ServedWorkspace:
    """The workspace of a running server.

    Raises:
        NotReached: it can't be talked to: it is starting still, or its token may be read by somebody else alone.
    """
    try:
        token = (config.root / STATE / TOKEN).read_text(encoding="ascii").strip()
    except OSError as error:
        raise NotReached(f"the token can't be read: {error.strerror}") from error
    return ServedWorkspace(config, Link.open(address, token))


class ServedWorkspace(Workspace):
    """A client of a running server. What is asked is answered as of this moment, with all that was acknowledged."""

    def __init__(self, config: Config, link: Link) -> None:
        self.config = config
        self.served = link.address
        self._link = link
        self._leases = 0
        self._grown, self._settled = -1, stopwatch()
        self.store = ServedStore(link, str(config.root / STATE / STORE))
        try:
            self._check_zone()
            self._settle()
        except BaseException:
            self.close()
            raise

    def now(self) -> int:
        """The current instant; what the server has acknowledged by now is in the store when this returns."""
        at = super().now()
        self._settle()
        return at

    @property
    def schema(self) -> Schema:
        """What definitions may name, with what came for the first time just now."""
        if stopwatch() - self._settled > _FRESH:
            self._settle()
        return super().schema

    def _settle(self) -> None:
        if self._leases:
            return
        grown = self._link.ask("settle")
        self._settled = stopwatch()
        if grown != self._grown:
            # Events and properties may have come that weren't known before.
            self._grown = grown
            self.refresh()

    def _read_catalogue(self) -> Catalogue:
        """The definitions as their files say; it is the server who records versions."""
        if self._leases:
            return super()._read_catalogue()
        return read_catalogue(self.config.root, self._learned, known_at(self.store))

    # ------------------------------------------------------------ changing

    @contextmanager
    def changing(self) -> Iterator[None]:
        """While this lasts calls are taken and have no effect yet; at its end the server reads everything anew."""
        if self._leases == 0:
            self._begin_alone()
        self._leases += 1
        try:
            yield
        finally:
            self._leases -= 1
            if self._leases == 0:
                self._link.ask("release", whole=True)
                self.refresh()

    def _begin_alone(self) -> None:
        try:
            self._link.ask("exclusive")
        except BaseException:
            # It may have begun just as the waiting was ended.
            with suppress(StoreError):
                self._link.ask("release", whole=True)
            raise

    @contextmanager
    def changing_definitions(self, definition: Definition | None = None) -> Iterator[None]:
        """A changed file needs no pause, unless it asks for ranks, which are worked out by reading everything."""
        if definition is not None and ranked([definition]):
            with self.changing():
                yield
        else:
            yield

    def follow(self, because: str | None) -> None:
        """Put changed definitions in force at the server, which publishes what that changes."""
        if self._leases:
            super().follow(because)
        else:
            self.refresh()
            self._link.ask("look", kept=True)

    # ------------------------------------------------------------ nouns

    @cached_property
    def data(self) -> Data:
        """Loading, data quality and quarantine."""
        return _Data(self)

    @cached_property
    def models(self) -> Models:
        """Models; their scores go through the log of the server, which isn't held up."""
        from shoal.workspace.served.models import ServedModels

        return ServedModels(self, self._link)

    @cached_property
    def lists(self) -> Lists:
        """Hand-kept lists of customers."""
        return _Lists(self, self._link)

    @cached_property
    def privacy(self) -> Privacy:
        """A person's rights: erasure, export; and how long events are kept."""
        return _Privacy(self, self._link)

    @cached_property
    def keys(self) -> Keys:
        """Keys for the HTTP interface; the server knows of a change at once."""
        return _Keys(self.store, self._link)

    @cached_property
    def people(self) -> People:
        """Those who work with the workspace; the server knows of a change at once."""
        return _People(self.store, self._link)

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs, which the server runs."""
        return ServedJobs(self.config.jobs, self._link)

    # ------------------------------------------------------------ files

    def copy_store(self, path: Path) -> None:
        """Write a copy of the store, with all that the server has acknowledged by now."""
        self._link.ask("copy", path=str(path.absolute()))

    def compact(self) -> None:
        """The server writes its store anew when it stops."""

    def told(self, address: str) -> None:
        """Nothing is to be told: the server has said where it serves."""

    def close(self) -> None:
        """End the session at the server."""
        self._link.close()


class _Data(Data):
    def load(self, *, only: Iterable[str] | None = None, progress: Step | None = None) -> Loaded:
        """Load what is new or changed; the server's clock was read when it started."""
        ws = self._ws
        if ws.config.clock == "data-end" and not ws.clock.offset:
            raise located(
                ConfigError(
                    "The first load sets the clock of clock: data-end, and the running server works by another.",
                    place="clock",
                    fix="Stop the server, then: shoal load, and start it anew. Or leave clock: now.",
                ),
                ws.config.root,
            )
        return super().load(only=only, progress=progress)


class _Lists(Lists):
    def __init__(self, workspace: Workspace, link: Link) -> None:
        super().__init__(workspace)
        self._link = link

    def _change(self, name: str, ids: Sequence[str], *, added: bool) -> int:
        """A list takes an entry in the log and no pause, unless merged ids have to be taken off it."""
        self._ws.now()
        found = pending(self._ws.store, name, ids, added=added)
        if found is None:
            return super()._change(name, ids, added=added)
        if found:
            self._link.ask("list", kept=True, name=name, ids=found, added=added)
            self._ws.now()
            self._ws.refresh()
        return len(found)


class _Privacy(Privacy):
    def __init__(self, workspace: Workspace, link: Link) -> None:
        super().__init__(workspace)
        self._link = link

    def forget(self, identifier: str) -> Forgotten:
        """Erase a person from everything; the bytes leave the store's file when the server stops."""
        self._ws.now()
        try:
            self.find(identifier)
        except UnknownName:
            if not self.is_erased(identifier):
                raise
            return Forgotten(Erased((), again=True), 0, 0, self.copies())
        said: dict[str, Any] = self._link.ask("forget", leave=True, identifier=identifier)
        erased = Erased(tuple(said["ids"]), said["report"], said["again"])
        self._ws.refresh()
        return Forgotten(erased, said["segments"], said["snapshots"], self.copies())

    def compact(self) -> bool:
        return False


class _Keys(Keys):
    def __init__(self, store: Store, link: Link) -> None:
        self._link = link
        super().__init__(store)

    def reload(self) -> None:
        super().reload()
        self._link.ask("keys")


class _People(People):
    def __init__(self, store: Store, link: Link) -> None:
        self._link = link
        super().__init__(store)

    def _changed(self) -> None:
        super()._changed()
        self._link.ask("people")
