"""Sessions of this machine's command line and of ``shoal.open``: a connection to the store each, and what only a server can do.

A session is one at a time on a thread of its own, so that a long statement holds up neither the event loop nor other
requests. It ends with the connection of its client; then what wasn't committed is undone, and calls have effect again.
"""

from __future__ import annotations

import logging
import secrets
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from shoal.errors import ShoalError, StoreError
from shoal.sql.backup import backup
from shoal.workspace.live.scoring import Scored
from shoal.workspace.served.wire import decode, encode, encode_error, table_bytes, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future

    import pyarrow as pa

    from shoal.server.service import Service
    from shoal.sql.store import Store
    from shoal.workspace.live import Live

_logger = logging.getLogger("shoal.sessions")


class Lease:
    """The time in which a client changes the store by itself: calls have no effect yet."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._entered, self._over = Flag(), Flag()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._hold, name="lease", daemon=True)
        self._thread.start()

    def _hold(self) -> None:
        try:
            self._live.exclusively(self._wait)
        except BaseException as error:
            self._failure = error
        finally:
            self._entered.set()

    def _wait(self) -> None:
        self._entered.set()
        self._over.wait()

    def wait(self, stopped: Flag) -> None:
        """Wait until it begins, after whatever else changes the store.

        Raises:
            StoreError: it was stopped before.
        """
        while not self._entered.wait(0.05):
            if stopped.is_set():
                self._over.set()
                raise StoreError("Stopped before it began; nothing was changed.")

    def end(self) -> None:
        """Let calls have effect again, when everything is read anew."""
        self._over.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure


class Session:
    """One client.

    Args:
        service: what is served.
        live: the live workspace.
        store: a connection of the session's own.
    """

    def __init__(self, service: Service, live: Live, store: Store) -> None:
        self.id = secrets.token_hex(8)
        self._service, self._live, self._store = service, live, store
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"session-{self.id}")
        self._open: list[AbstractContextManager[None]] = []
        self._reading: Iterator[pa.RecordBatch] | None = None
        self._lease: Lease | None = None
        self._stopped = Flag()

    def begin(self, what: str, body: bytes) -> Future[tuple[bool, bytes]]:
        """Begin to do something; gives whether it went well, and the answer or the error."""
        return self._worker.submit(self._done, what, body)

    def interrupt(self) -> None:
        """Stop what is under way."""
        self._stopped.set()
        self._store.interrupt()  # type: ignore[attr-defined]

    def close(self) -> None:
        """Stop what is under way, and undo what wasn't committed."""
        ending = self._worker.submit(self._end)
        while not ending.done():
            self.interrupt()
            wait([ending], timeout=0.05)
        self._worker.shutdown()

    def _end(self) -> None:
        while self._open:
            self._leave(failed=True)
        with suppress(ShoalError):
            self._stop_reading()
        if self._lease is not None:
            lease, self._lease = self._lease, None
            try:
                lease.end()
            except BaseException as error:  # nobody is left to be told
                _logger.exception("after a client's changes", exc_info=error)
        self._store.close()

    def _done(self, what: str, body: bytes) -> tuple[bool, bytes]:
        self._stopped.clear()
        try:
            do = _OPERATIONS.get(what)
            if do is None:
                raise StoreError(f"The server doesn't know {what!r}.", fix="Use the same release on both sides.")
            return True, encode(do(self, **decode(body)))
        except ShoalError as error:
            return False, encode_error(error)
        except Exception as error:
            # The client has to learn of it, and the session goes on.
            _logger.exception("a session's %s", what, exc_info=error)
            return False, encode_error(
                StoreError(f"The server met what it didn't expect: {type(error).__name__}.", fix="Look at its log.")
            )

    # ------------------------------------------------------------ statements

    def _execute(self, sql: str, parameters: list[object] | None) -> None:
        self._store.execute(sql, parameters)

    def _rows(self, sql: str, parameters: list[object] | None) -> list[tuple[Any, ...]]:
        return self._store.rows(sql, parameters)

    def _arrow(self, sql: str, parameters: list[object] | None) -> bytes:
        return table_bytes(self._store.arrow(sql, parameters))

    def _batches(self, sql: str, size: int) -> None:
        self._reading = iter(self._store.batches(sql, size))

    def _next(self) -> bytes | None:
        import pyarrow as pa

        batch = None if self._reading is None else next(self._reading, None)
        return None if batch is None else table_bytes(pa.Table.from_batches([batch]))

    def _stop_reading(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.close()  # type: ignore[attr-defined]

    def _register(self, name: str, table: bytes) -> None:
        self._store.register(name, table_of(table))

    def _unregister(self, name: str) -> None:
        self._store.unregister(name)

    def _enter(self) -> None:
        transaction = self._store.transaction()
        transaction.__enter__()
        self._open.append(transaction)

    def _leave(self, *, failed: bool) -> None:
        transaction = self._open.pop()
        if failed:
            error = _Failed()
            with suppress(_Failed):
                transaction.__exit__(_Failed, error, None)
        else:
            transaction.__exit__(None, None, None)

    # ------------------------------------------------------------ what a server can do

    def _settle(self) -> int:
        self._live.settle()
        return self._live.core.grown

    def _look(self) -> None:
        with self._undisturbed():
            self._live.look_now()

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Wait until nobody changes the store by itself: calls and commands have no effect before."""
        while not self._live.own.acquire(timeout=0.05):
            if self._stopped.is_set():
                raise StoreError("Stopped before it began; nothing was changed.")
        try:
            yield
        finally:
            self._live.own.release()

    def _exclusive(self) -> None:
        lease = Lease(self._live)
        lease.wait(self._stopped)
        self._lease = lease

    def _release(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.end()

    def _list(self, name: str, ids: list[str], *, added: bool) -> None:
        with self._undisturbed():
            self._live.command("list", list=name, customers=ids, added=added)

    def _score(self, body: dict[str, Any]) -> None:
        with self._undisturbed():
            position = self._live.score(Scored.of(body))
        if position is not None:
            self._live.wait_for(position)

    def _forget(self, identifier: str) -> dict[str, Any]:
        done = self._service.forget(identifier)
        erased = done.erased
        return {
            "ids": erased.ids,
            "report": erased.report,
            "again": erased.again,
            "segments": done.segments,
            "snapshots": done.snapshots,
        }

    def _keys(self) -> None:
        self._service.keys.reload()

    def _people(self) -> None:
        self._service.people.reload()
        self._service.sign_ins.reload()

    def _copy(self, path: str) -> None:
        with self._undisturbed():
            self._live.settle(None)
        backup(self._store, Path(path))  # type: ignore[arg-type]

    # ------------------------------------------------------------ jobs

    def _jobs(self, now: int) -> list[tuple[Any, ...]]:
        return [
            (one.job.name, one.due, None if one.last is None else astuple(one.last))
            for one in self._service.scheduler.table(now)
        ]

    def _run(self, name: str) -> tuple[Any, ...]:
        return astuple(self._service.scheduler.run(name))

    def _run_due(self, now: int) -> list[tuple[Any, ...]]:
        return [astuple(run) for run in self._service.scheduler.run_due(now)]

    def _history(self, job: str | None, limit: int) -> list[tuple[Any, ...]]:
        return [astuple(run) for run in self._service.scheduler.history(job, limit)]


class _Failed(Exception):
    """What a transaction of a client is ended with that didn't go well there."""


_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "execute": Session._execute,
    "rows": Session._rows,
    "arrow": Session._arrow,
    "batches": Session._batches,
    "next": Session._next,
    "done": Session._stop_reading,
    "register": Session._register,
    "unregister": Session._unregister,
    "begin": Session._enter,
    "end": Session._leave,
    "settle": Session._settle,
    "look": Session._look,
    "exclusive": Session._exclusive,
    "release": Session._release,
    "list": Session._list,
    "score": Session._score,
    "forget": Session._forget,
    "keys": Session._keys,
    "people": Session._people,
    "copy": Session._copy,
    "jobs": Session._jobs,
    "run": Session._run,
    "run_due": Session._run_due,
    "history": Session._history,
}


class Sessions:
    """All sessions of a server.

    Args:
        service: what is served.
        live: the live workspace, just made.
    """

    def __init__(self, service: Service, live: Live) -> None:
        self._service, self._live = service, live
        # Connections are made of this one: the workspace's own may be at work on another thread.
        self._source = live.workspace.store.cursor()
        self._all: dict[str, Session] = {}
        self._turn = Lock()

    def begin(self) -> Session:
        """A new session."""
        with self._turn:
            session = Session(self._service, self._live, self._source.cursor())
            self._all[session.id] = session
        return session

    def find(self, session: str) -> Session | None:
        """The session of an id, None where it has ended."""
        return self._all.get(session)

    def end(self, session: Session) -> None:
        """End a session."""
        with self._turn:
            known = self._all.pop(session.id, None)
        if known is not None:
            known.close()

    def close(self) -> None:
        """End all sessions."""
        for session in list(self._all.values()):
            self.end(session)
        self._source.close()
