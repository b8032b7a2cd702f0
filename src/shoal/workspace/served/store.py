"""The store of a served workspace, over HTTP: a connection of our own in the server's process."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from shoal.errors import ShoalError, StoreError
from shoal.workspace.served.wire import table_bytes, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from shoal.workspace.served.link import Link


class ServedStore:
    """Implements ``sql.store.Store``. Closing it, or the end of this process, undoes what wasn't committed."""

    dialect = "duckdb"

    def __init__(self, link: Link, place: str) -> None:
        self.place = place
        self._link = link
        self._depth = 0
        self._stopped_by: KeyboardInterrupt | None = None

    def execute(self, sql: str, parameters: Iterable[object] | None = None) -> None:
        """Run one or more statements for their effect."""
        self._ask("execute", sql=sql, parameters=_listed(parameters))

    def rows(self, sql: str, parameters: Iterable[object] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return [tuple(row) for row in self._ask("rows", sql=sql, parameters=_listed(parameters))]

    def arrow(self, sql: str, parameters: Iterable[object] | None = None) -> pa.Table:
        """The result of a query as an Arrow table."""
        return table_of(self._ask("arrow", sql=sql, parameters=_listed(parameters)))

    def batches(self, sql: str, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """The result of a query in batches; until the last is read, the connection takes no other statement."""
        self._ask("batches", sql=sql, size=rows)
        try:
            while (found := self._ask("next")) is not None:
                yield from table_of(found).to_batches()
        finally:
            self._ask("done")

    def register(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        """Make an Arrow table readable in SQL under a name, until ``unregister``."""
        self._ask("register", name=name, table=table_bytes(table))

    def unregister(self, name: str) -> None:
        """Forget a registered table."""
        self._ask("unregister", name=name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside take effect together, or none; one inside another joins it."""
        if self._depth == 0:
            self._stopped_by = None
        self._ask("begin")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            with suppress(ShoalError):
                self._link.ask("end", whole=True, failed=True)
            raise
        self._depth -= 1
        self._ask("end", whole=self._depth == 0, failed=False)

    def cursor(self) -> ServedStore:
        """A second connection, for another thread."""
        return ServedStore(self._link.again(), self.place)

    def close(self) -> None:
        """End the connection."""
        self._link.close()

    def _ask(self, what: str, *, whole: bool = False, **said: Any) -> Any:
        try:
            return self._link.ask(what, whole=whole, **said)
        except KeyboardInterrupt as stop:
            self._stopped_by = stop
            raise
        except StoreError:
            if self._depth and self._stopped_by is not None:
                # Clearing up after what broke the transaction; that is what the reader has to know.
                raise self._stopped_by from None
            raise


def _listed(parameters: Iterable[object] | None) -> list[object] | None:
    return None if parameters is None else list(parameters)
