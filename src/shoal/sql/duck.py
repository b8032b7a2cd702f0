"""DuckDB as a store. The only file that imports ``duckdb``; its errors are translated here, at the edge."""

from __future__ import annotations

import os
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from shoal.errors import ShoalError, StatementError, StoreError, StoreLocked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

IN_MEMORY = ":memory:"
_OLDER = int(duckdb.__version__.split(".")[0]) < 2
NO_STORE, DAMAGED = "This is no Shoal store (no DuckDB database).", "The store is damaged."
_ABORTED = "Current transaction is aborted"
_KEPT = "Stopped, after the step that was under way had been completed: what it did is kept."
_INSTANT_OF = "CREATE OR REPLACE TEMP MACRO instant_of(x) AS epoch_us(TRY_CAST(x AS TIMESTAMPTZ))"
"""The microseconds of an ISO text that says its zone; NULL for anything else."""
_OLDER_INSTANT_OF = r"""CREATE OR REPLACE TEMP MACRO instant_of(x) AS epoch_us(TRY_CAST(
    regexp_replace(regexp_replace(x, '([+-]\d\d)(\d\d)$', '\1:\2'), '([T ]\d+:\d\d)(Z|[+-])', '\1:00\2')
    AS TIMESTAMPTZ))"""
"""DuckDB 1.5 knows neither a zone of four digits in a row nor one right after the minutes."""
_ROUND_EVEN = """CREATE OR REPLACE TEMP MACRO round_even(x, places) AS CASE
    WHEN round(x * 2, places) = x * 2 AND round(x, places) <> x THEN round(x * 0.5, places) * 2
    ELSE round(x, places) END"""
"""DuckDB 1.5 goes by way of floating point to round decimals half to even; this is exact, as 2.0 is by itself."""


class DuckStore:
    """One DuckDB database that holds a workspace. Implements ``Store``; open it with ``open`` or ``create_store``.

    Not shared between threads: ``cursor`` gives each thread a connection of its own.
    """

    dialect = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection, place: str) -> None:
        self.place = place
        self._connection = connection
        self._depth = 0
        self._doomed = False
        self._stopped_by: BaseException | None = None
        self._reading = False
        self._run(lambda: _prepare(connection))

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        memory: str = "4GB",
        threads: int | None = None,
        temporary: str | Path | None = None,
        read_only: bool = False,
    ) -> DuckStore:
        """Open the database in a file, or a new one in memory.

        Args:
            path: the file; it is made where absent, unless ``read_only``. ``":memory:"`` keeps all in memory.
            memory: the most memory that the database may use, as ``"4GB"``; beyond it, it works on disk.
            threads: how many threads it may use; None for all the machine has.
            temporary: the folder for work on disk; None for ``<path>.tmp`` beside the file, and none in memory.
            read_only: refuse all writing; several processes may then read at the same time.

        Raises:
            StoreLocked: another process has the file open.
            StoreError: the file is damaged, of another version, or can't be reached.
        """
        place = str(path)
        beside = "" if place == IN_MEMORY else f"{place}.tmp"
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "temp_directory": str(temporary) if temporary is not None else beside,
            # Extensions would be fetched from the network, and names in SQL looked up among Python's variables.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
        if threads is not None:
            config["threads"] = threads
        try:
            connection = duckdb.connect(place, read_only=read_only, config=config)
        except duckdb.Error as error:
            raise translated(error, place) from error
        return cls(connection, place)

    def execute(self, sql: str, parameters: Iterable[object] | None = None) -> None:
        """Run one or more statements for their effect."""
        self._run(lambda: _completed(self._connection.execute(sql, _listed(parameters))))

    def rows(self, sql: str, parameters: Iterable[object] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        found: list[tuple[Any, ...]] = self._run(lambda: self._connection.execute(sql, _listed(parameters)).fetchall())
        return found

    def arrow(self, sql: str, parameters: Iterable[object] | None = None) -> pa.Table:
        """The result of a query as an Arrow table."""
        return self._run(lambda: self._connection.sql(sql, params=_listed(parameters)).to_arrow_table())

    def batches(self, sql: str, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """The result of a query in batches of ``rows`` rows.

        Until the last batch is read or the iterator is closed, the connection takes no other statement: use a
        ``cursor`` for those.
        """
        reader = self._run(lambda: self._connection.sql(sql).to_arrow_reader(rows))
        self._reading = True
        try:
            while (batch := self._waited(lambda: next(iter(reader), None))) is not None:
                yield batch
        finally:
            self._reading = False
            reader.close()

    def register(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        """Make an Arrow table readable in SQL under a name, until ``unregister``. Cursors don't see it."""
        self._run(lambda: self._connection.register(name, table))

    def unregister(self, name: str) -> None:
        """Forget a registered table."""
        self._run(lambda: self._connection.unregister(name))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside take effect together, or none.

        A transaction inside another joins it: the outermost commits. Where an inner one failed, the outer can't commit
        any more, even if the error was caught in between.
        """
        if self._depth == 0:
            self._begin()
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            self._give_up()
            raise
        self._depth -= 1
        if self._depth == 0:
            self._commit()

    def cursor(self) -> DuckStore:
        """A second connection to the same database, for another thread."""
        return DuckStore(self._waited(self._connection.cursor), self.place)

    def interrupt(self) -> None:
        """Stop the statement that another thread runs on this connection."""
        self._connection.interrupt()

    def close(self) -> None:
        """Release the database; closing twice does no harm."""
        self._connection.close()

    def __enter__(self) -> DuckStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        self._doomed, self._stopped_by = False, None
        try:
            self._run(self._connection.begin)
        except KeyboardInterrupt:
            self._rollback()
            raise

    def _commit(self) -> None:
        if self._doomed:
            self._rollback()
            raise StoreError(
                "A part of this transaction failed before, so nothing of it was kept.",
                place=self.place,
                fix="Let the first error end the whole transaction.",
            )
        try:
            self._run(self._connection.commit, whole=True)
        except KeyboardInterrupt as stop:
            if not stop.args:
                self._rollback()
            raise
        except ShoalError:
            self._rollback()
            raise

    def _give_up(self) -> None:
        self._doomed = True
        if self._depth == 0:
            self._rollback()

    def _rollback(self) -> None:
        try:
            self._connection.rollback()
        except duckdb.Error:
            # The first error stands; a failed commit has often rolled back by itself.
            return

    def _run(self, action: Callable[[], Any], *, whole: bool = False) -> Any:
        if self._reading:
            # DuckDB 1.5 would end the open result without a word, and its reader would take that for all there is.
            raise StoreError(
                "The connection is still reading another result.",
                place=None if self.place == IN_MEMORY else self.place,
                fix="Read that result to its end or close it first, or use another cursor.",
            )
        return self._waited(action, whole=whole)

    def _waited(self, action: Callable[[], Any], *, whole: bool = False) -> Any:
        try:
            if threading.current_thread() is threading.main_thread():
                return self._interruptible(action, whole=whole)
            return action()
        except KeyboardInterrupt as stop:
            self._stopped_by = stop
            raise
        except duckdb.Error as error:
            if self._depth and self._stopped_by is not None and _ABORTED in str(error):
                # Clearing up after what broke the transaction; that is what the reader has to know.
                raise self._stopped_by from None
            self._stopped_by = translated(error, self.place)
            raise self._stopped_by from error

    def _interruptible(self, action: Callable[[], Any], *, whole: bool) -> Any:
        """Run on another thread and wait: DuckDB looks at Ctrl-C only when a statement that writes has come to its end.

        What has to be ``whole`` is waited for: a commit that was kept must not be told as one that wasn't.
        """
        running: Future[Any] = Future()
        try:
            _worker(os.getpid()).submit(_fulfil, running, action)
            return running.result()
        except KeyboardInterrupt:
            if running.cancel():
                raise
            while not running.done():
                with suppress(KeyboardInterrupt):
                    if not whole:
                        # Again and again: an interrupt that comes before the statement has begun is lost.
                        self._connection.interrupt()
                    wait([running], timeout=0.05)
            if whole and running.exception() is None:
                raise KeyboardInterrupt(_KEPT) from None
            raise


def create_store(
    path: str | Path,
    *,
    zone: str,
    now: int,
    memory: str = "4GB",
    threads: int | None = None,
    temporary: str | Path | None = None,
) -> DuckStore:
    """Make a new store in a file that isn't there yet, or in memory (``":memory:"``).

    Args:
        path: the file to make.
        zone: the IANA name of the workspace's time zone.
        now: the instant that counts as the store's creation, microseconds.
        memory: as for ``DuckStore.open``, like the other settings.

    Raises:
        StoreError: the file exists already.
        ConfigError: there is no such time zone.
    """
    from shoal.sql.layout import create

    if str(path) != IN_MEMORY and Path(path).exists():
        raise StoreError(
            "There is a store already.", place=str(path), fix="Open it, or choose a path where there is no file yet."
        )
    store = DuckStore.open(path, memory=memory, threads=threads, temporary=temporary)
    try:
        create(store, zone=zone, now=now)
    except BaseException:
        store.close()
        if str(path) != IN_MEMORY:
            Path(path).unlink(missing_ok=True)
        raise
    return store


def open_store(
    path: str | Path,
    *,
    memory: str = "4GB",
    threads: int | None = None,
    temporary: str | Path | None = None,
    read_only: bool = False,
) -> DuckStore:
    """Open an existing store and bring its layout up to this release's; read-only, it must have that layout already.

    Raises:
        StoreLocked: another process has it open.
        StoreError: there is none, it is damaged, no Shoal store, or of a newer release.
    """
    from shoal.sql.layout import check_layout, migrate

    if not Path(path).is_file():
        raise StoreError("There is no store.", place=str(path), fix="Make a workspace with `shoal init`.")
    store = DuckStore.open(path, memory=memory, threads=threads, temporary=temporary, read_only=read_only)
    try:
        if not read_only:
            migrate(store)
        check_layout(store)
    except BaseException:
        store.close()
        raise
    return store


# (pattern in the driver's message, problem, fix); the first that matches speaks. {0} is the pattern's group.
_TRANSLATIONS: tuple[tuple[str, str, str], ...] = (
    (
        r"failed to offload|max_temp_directory_size",
        "The disk space for intermediate results ran out; nothing was changed.",
        "Free disk space, or set the temporary folder to a larger disk.",
    ),
    (
        r"no space left|disk (?:is )?full|file too large|out of disk|quota exceeded",
        "The disk is full; nothing was changed.",
        "Free disk space and try again.",
    ),
    (
        r"out of memory|could not allocate",
        "The store needs more memory than it may use; nothing was changed.",
        "Raise the store's memory setting, or use fewer threads.",
    ),
    (
        r"version number|newer version|different version|storage version|serialization version|unsupported version",
        "The file was written by another version of the database engine (DuckDB), which the installed one can't read.",
        "Upgrade the engine (pip install --upgrade duckdb): a newer one reads what an older one wrote, not the other way.",
    ),
    (
        r"not a valid duckdb database",
        NO_STORE,
        "Give the path of the workspace's store, or restore a backup over it.",
    ),
    (
        r"corrupt|checksum|failed to (?:load|read) (?:metadata|block)|could not read enough|deserializ|replaying wal",
        DAMAGED,
        "Restore the last backup, then load the files that came after it again.",
    ),
    (
        r"another transaction has altered this table",
        "DuckDB before 2.0 can't change a column's type together with the rows; nothing was changed.",
        "Upgrade the engine (pip install --upgrade duckdb), or declare the type before the first load of a new workspace.",
    ),
    (
        r"has been invalidated",
        "The store stopped after an earlier error and takes no more statements.",
        "Close it and open it again; what was committed is safe.",
    ),
    (
        r"read-only mode!",
        "The store was opened for reading only.",
        "Open it for writing.",
    ),
    (r"permission denied", "The store can't be opened: permission denied.", "Check who may read and write this file."),
    (
        r"no such file or directory|does not exist$",
        "The file can't be opened: it is not there.",
        "Check the path; the folder must exist.",
    ),
    (r"connection already closed", "The store has been closed.", "Open it again."),
)


def translated(error: duckdb.Error, path: str) -> StoreError:
    """The store's error for a driver's error: one paragraph with the place and the fix."""
    place = None if path == IN_MEMORY else path
    said = " ".join(str(error).split())
    lock = re.search(r"could not set lock|conflicting lock", said, re.IGNORECASE)
    if lock:
        holder = re.search(r"PID (\d+)", said)
        who = f"process {holder[1]}" if holder else "another process"
        return StoreLocked(
            f"The store is in use by {who}.", place=place, fix="Close that program, or talk to the running server."
        )
    for pattern, problem, fix in _TRANSLATIONS:
        if re.search(pattern, said, re.IGNORECASE):
            return StoreError(problem, place=place, fix=fix)
    first = " ".join(str(error).split("\n\n")[0].split())
    return StatementError(first.removesuffix("."), place=place)


def _fulfil(running: Future[Any], action: Callable[[], Any]) -> None:
    """Run an action for a future, unless that was cancelled: the caller has a hold of it before it can begin."""
    if not running.set_running_or_notify_cancel():
        return
    try:
        running.set_result(action())
    except BaseException as error:
        running.set_exception(error)


@lru_cache(maxsize=1)
def _worker(process: int) -> ThreadPoolExecutor:
    """The thread that runs the main thread's statements; a forked process, whose number differs, has to have its own."""
    return ThreadPoolExecutor(1, thread_name_prefix=f"duckdb-{process}")


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """What every connection needs, a cursor too."""
    _completed(connection.execute("SET TimeZone = 'UTC'"))
    for macro in (_OLDER_INSTANT_OF, _ROUND_EVEN) if _OLDER else (_INSTANT_OF,):
        _completed(connection.execute(macro))
    # In a notebook without ipywidgets, DuckDB can show no bar, and takes no word about it.
    with suppress(duckdb.InvalidInputException):
        _completed(connection.execute("SET enable_progress_bar = false"))


def _completed(statement: duckdb.DuckDBPyConnection) -> None:
    """Wait until a statement has run to its end. DuckDB 2.0 may hand it back before that; 1.5 has no such word."""
    if not _OLDER:
        statement.complete()


def _listed(parameters: Iterable[object] | None) -> list[object] | None:
    return None if parameters is None else list(parameters)
