"""Making and opening a workspace, and what it holds."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

from shoal.clock import Clock, stopwatch
from shoal.config import FILE_NAME, Config, read_config
from shoal.errors import ConfigError, DefinitionError, StatementError, StoreError, StoreLocked, unwritten
from shoal.insight.definitions import Catalogue, known_at, read_catalogue, record, write_atomically
from shoal.lang.schema import Schema
from shoal.workspace.doors import Doors
from shoal.workspace.frames import Form, as_form
from shoal.workspace.lock import Served, WorkspaceLock
from shoal.workspace.moments import When, instant_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from shoal.lang.nodes import Definition
    from shoal.sql.duck import DuckStore
    from shoal.sql.engine import SqlEngine
    from shoal.sql.store import Store
    from shoal.workspace.changes import MembershipChange

STATE = ".shoal"
STORE = "store.duckdb"
SNAPSHOT_TOKEN = "snapshot_token"
"""In ``meta``: what ties snapshots of the resident state to the store; see ``workspace.live.resume``."""
IGNORED = "# Shoal's store and lock; the definitions beside them belong in git.\n.shoal/\n.env\n*.secret\n"


def find_root(start: Path) -> Path:
    """The nearest folder at or above ``start`` that holds a ``shoal.yaml``.

    Raises:
        ConfigError: if there is none.
    """
    for folder in (start, *start.resolve().parents):
        if (folder / FILE_NAME).exists():
            return folder
    raise ConfigError(
        f"There is no {FILE_NAME} in {start} or above it.",
        fix="Go to a workspace, name one with --workspace, or make one: shoal init my-shop --from FOLDER",
    )


def create_workspace(root: Path, text: str) -> Path:
    """Make a workspace's folder with its ``shoal.yaml``, an empty ``segments/`` and a ``.gitignore``.

    Raises:
        ConfigError: if there is one already.
        StoreError: if it can't be written; nothing of it is left then.
    """
    path, ignore = root / FILE_NAME, root / ".gitignore"
    if path.exists():
        raise ConfigError("There is a workspace here already.", place=str(path), fix="Choose another folder.")
    absent = [folder for folder in (root / "segments", root, *root.parents) if not folder.exists()]
    written = [] if ignore.exists() else [ignore]
    try:
        (root / "segments").mkdir(parents=True, exist_ok=True)
        if written:
            write_atomically(ignore, IGNORED)
        # The settings come last: where they stand, the workspace is whole.
        write_atomically(path, text)
    except BaseException as error:
        for file in written:
            file.unlink(missing_ok=True)
        for folder in absent:
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise unwritten(error, path) from error
        raise
    return path


def open_workspace(path: str | Path = ".", *, wait: float = 10.0, alone: bool = False) -> Workspace:
    """Open the workspace in a folder; its store is made on first use.

    Where a server has it open, this is a client of that server, with the same interface (see ``workspace.served``).

    Args:
        path: the folder.
        wait: seconds to wait for another process, and for a server that is starting.
        alone: this process must own it; a server that has it open is refused.

    Raises:
        ConfigError: if ``shoal.yaml`` is missing or can't be accepted.
        StoreLocked: if another process has it open.
    """
    root = Path(path)
    config = read_config(root)
    begun = stopwatch()
    while True:
        left = wait - (stopwatch() - begun)
        try:
            lock = WorkspaceLock(root / STATE / "lock", wait=max(0.0, left))
            break
        except Served as taken:
            found = None if alone else _beside(config, taken)
            if isinstance(found, Workspace):
                return found
            if alone or left <= 0:
                raise found or taken from None
            sleep(0.1)
    try:
        return Workspace(config, lock)
    except BaseException:
        lock.release()
        raise


def _beside(config: Config, taken: Served) -> Workspace | StoreLocked | None:
    """The workspace as a client of the server that has it open; or why not yet; None where it can't be talked to."""
    from shoal.workspace.served.link import NotReached
    from shoal.workspace.served.workspace import reach

    try:
        return reach(config, taken.address)
    except NotReached as gone:
        if not gone.starting:
            return None
        problem = f"The server at {taken.address} is starting still: it reads what it answers from."
        return StoreLocked(problem, place=taken.place, fix="Ask again in a moment; its /healthz says when it is ready.")


def _refuse_changes(query: str) -> None:
    import sqlglot
    from sqlglot import exp

    try:
        found = sqlglot.parse(query, read="duckdb")
    except sqlglot.ParseError as error:
        raise DefinitionError(
            f"This is not SQL: {str(error).splitlines()[0]}", fix=_quoted_at(query) or "Write one SELECT."
        ) from None
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        raise DefinitionError(
            "Only a single SELECT can be run here.", fix="Change data through sources and shoal load."
        )


def _quoted_at(query: str) -> str | None:
    """Events have a column that SQL takes for a word of its own."""
    bare = re.search(r'(?<!["\w])at(?!["\w])(?!\s+time\s+zone)', query, re.IGNORECASE)
    return 'Write the column at in quotes: "at".' if bare else None


def _open_store(config: Config) -> DuckStore:
    """The workspace's store; it is made where there is none."""
    from shoal.sql.duck import create_store, open_store

    path = config.root / STATE / STORE
    settings: dict[str, Any] = {"memory": config.store.memory, "threads": config.store.threads}
    if path.exists():
        return open_store(path, **settings)
    return create_store(path, zone=config.zone, now=Clock().now(), **settings)


class Workspace(Doors):
    """An open workspace. Use it as a context manager, or ``close`` it."""

    served: str | None = None
    """The address of the server that has it open, where this is a client of one."""

    def __init__(self, config: Config, lock: WorkspaceLock) -> None:
        self.config = config
        self._lock = lock
        self._duck = _open_store(config)
        self.store: Store = self._duck
        try:
            self._check_zone()
            self.snapshot_token = self._take_token()
        except BaseException:
            self.store.close()
            raise

    def _check_zone(self) -> None:
        from shoal.sql.layout import zone_of

        made_for = zone_of(self.store).name
        if made_for != self.config.zone:
            raise StoreError(
                f"The store was made for the time zone {made_for}, and shoal.yaml says {self.config.zone}.",
                place=str(self.config.root / FILE_NAME),
                fix="Put the old zone back, or remove the folder .shoal and load again.",
            )

    def _take_token(self) -> str | None:
        """Take the token of snapshots out of the store: whoever opens it may change it. ``close`` puts it back otherwise."""
        from shoal.sql.layout import meta

        token = meta(self.store).get(SNAPSHOT_TOKEN)
        if token is not None:
            self.store.execute("DELETE FROM meta WHERE key = ?", [SNAPSHOT_TOKEN])
            self._untouched = self._stamps()
        return token

    def _put_back_token(self) -> None:
        from shoal.sql.layout import set_meta

        if self.snapshot_token is not None and self._stamps() == self._untouched:
            set_meta(self.store, SNAPSHOT_TOKEN, self.snapshot_token)

    def _stamps(self) -> list[tuple[int, int]]:
        """Size and time of the store's files, which every change changes."""
        place = self.config.root / STATE / STORE
        found = (file.stat() for file in (place, place.with_name(f"{STORE}.wal")) if file.exists())
        return [(told.st_size, told.st_mtime_ns) for told in found]

    # ------------------------------------------------------------ time

    @property
    def clock(self) -> Clock:
        """The workspace's clock: real time, or with ``clock: data-end`` the data's end, running on from there."""
        from shoal.sql.layout import meta

        return Clock(int(meta(self.store).get("clock_offset", "0")))

    def now(self) -> int:
        """The current instant by the workspace's clock, in microseconds since 1970 UTC."""
        return self.clock.now()

    def instant(self, when: When) -> int:
        """An instant from a date (its first instant in the workspace's zone), a time, an ISO text, or None for now.

        Raises:
            DefinitionError: for what is neither a date nor an instant.
        """
        if when is not None:
            return instant_of(when, self.config.zone)
        _ = self.catalogue  # Ranks of new definitions are worked out at some now, which has to be before this one.
        return self.now()

    def moment(self) -> int:
        """The instant whose consent counts when members are handed out: that of the real clock.

        A clock at the data's end stands still for analysis, not for people: who has withdrawn since isn't handed out.
        """
        return max(self.now(), Clock().now())

    # ------------------------------------------------------------ what there is

    @cached_property
    def _learned(self) -> Schema:
        from shoal.sql.registry import learned_schema, scores

        traits, events = learned_schema(self.store)
        return Schema(
            traits=traits,
            events=events,
            lists=frozenset(name for (name,) in self.store.rows("SELECT name FROM lists")),
            purposes=self.config.purposes,
            zone=self.config.zone,
            scores=scores(self.store),
        )

    @cached_property
    def catalogue(self) -> Catalogue:
        """The segments in force, and the faults of files that can't be accepted."""
        return self._read_catalogue()

    def _read_catalogue(self) -> Catalogue:
        found = read_catalogue(self.config.root, self._learned, known_at(self.store))
        record(self.store, found, self.now())
        self._rank_new(found)
        return found

    def _rank_new(self, found: Catalogue) -> None:
        """Work out ranks that a definition asks for the first time: its file may have been written by hand."""
        from dataclasses import replace

        from shoal.insight.ranks import rank_new
        from shoal.sql.engine import SqlEngine

        definitions = dict(found.definitions)
        rank_new(SqlEngine(self.store, replace(self._learned, segments=definitions)), definitions, self.now())

    @property
    def definitions(self) -> dict[str, Definition]:
        """The segments in force, by slug."""
        return dict(self.catalogue.definitions)

    @property
    def schema(self) -> Schema:
        """What definitions may name: traits, events, lists, segments, purposes."""
        from dataclasses import replace

        return replace(self._learned, segments=self.definitions)

    @property
    def engine(self) -> SqlEngine:
        """The engine that evaluates definitions on the store."""
        from shoal.sql.engine import SqlEngine

        return SqlEngine(self.store, self.schema)

    def refresh(self) -> None:
        """Forget what was read of files and types, after either has changed."""
        self.__dict__.pop("_learned", None)
        self.__dict__.pop("catalogue", None)

    # ------------------------------------------------------------ changing

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Held by whoever changes what the store holds: a server that has it open waits meanwhile."""
        yield

    @contextmanager
    def changing_definitions(self, definition: Definition | None = None) -> Iterator[None]:
        """Held by whoever changes the file of a definition."""
        yield

    def follow(self, because: str | None) -> None:
        """Take in changed files of definitions, and publish what that changes; None where one is gone."""
        self.refresh()
        if because is None:
            _ = self.catalogue
        else:
            self.segments.publish(because=because)

    # ------------------------------------------------------------ shortcuts

    def load(self, **options: Any) -> Any:
        """See ``data.load``."""
        return self.data.load(**options)

    def sql(self, query: str, *, form: Form = "arrow") -> Any:
        """The result of a read-only SQL query over the readable views of schema ``data``.

        Raises:
            DefinitionError: if the query can't be run or isn't a single SELECT.
        """
        from shoal.sql.views import create_views

        _refuse_changes(query)
        create_views(self.store, at=self.now())
        self.store.execute("SET search_path = 'data'")
        try:
            return as_form(self.store.arrow(query), form)
        except StatementError as error:
            fix = _quoted_at(query) if "Parser Error" in error.reason else None
            raise DefinitionError(f"The query can't be run. {error.reason}.", fix=fix) from None
        finally:
            self.store.execute("RESET search_path")

    def changes(
        self,
        after: int = 0,
        *,
        segments: Iterable[str] = (),
        follow: bool = False,
        timeout: float | None = None,
    ) -> Iterator[MembershipChange]:
        """The published changes of memberships, in order, each once.

        Args:
            after: the ``id`` of the last change that is known; 0 for all.
            segments: the slugs whose changes are wanted; empty for all.
            follow: wait for more at the end, instead of ending.
            timeout: with ``follow``, end after so many seconds without a change.
        """
        from shoal.workspace.changes import stored

        return stored(self.store, after=after, segments=frozenset(segments), follow=follow, timeout=timeout)

    def backup(self, path: str | Path) -> Path:
        """Write store, log and definitions as they are at this moment to one file that isn't there yet.

        Raises:
            StoreError: if there is a file already, or no room; nothing is left behind then.
        """
        from shoal.workspace.backup import write_backup

        return write_backup(self, path)

    def copy_store(self, path: Path) -> None:
        """Write a copy of the store, as it is at this moment, to a file of its own."""
        from shoal.sql.backup import backup

        backup(self._duck, path)

    def compact(self) -> None:
        """Write the store anew without what was deleted; cursors must be closed before, and be made again after."""
        from shoal.sql.backup import compact

        self._duck.close()
        try:
            compact(self.config.root / STATE / STORE)
        finally:
            self._duck = _open_store(self.config)
            self.store = self._duck

    def told(self, address: str) -> None:
        """Let those who find the workspace in use know where it is served."""
        self._lock.tell(address)

    def close(self) -> None:
        """Release the store and let other processes in."""
        self._put_back_token()
        self._duck.close()
        self._lock.release()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        from shoal.wording import counted

        held = f"{counted(len(self.customers), 'customer')}, {counted(len(self.definitions), 'segment')}"
        return f"Workspace({str(self.config.root)!r}: {held})"
