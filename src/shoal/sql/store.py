"""What an engine needs of a database that holds a workspace. A driver implements this in a file of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    import pyarrow as pa


class Store(Protocol):
    """A database that holds one workspace. Not shared between threads; ``cursor`` gives a second one."""

    dialect: str
    """The SQLGlot name of its SQL, as ``duckdb``."""

    def execute(self, sql: str, parameters: Iterable[object] | None = None) -> None:
        """Run a statement for its effect."""

    def rows(self, sql: str, parameters: Iterable[object] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query."""

    def arrow(self, sql: str, parameters: Iterable[object] | None = None) -> pa.Table:
        """The result of a query as an Arrow table."""

    def batches(self, sql: str, rows: int = 100_000) -> Iterable[pa.RecordBatch]:
        """The result of a query in batches, so that memory stays bounded."""

    def register(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        """Make an Arrow table readable in SQL under a name, until ``unregister``."""

    def unregister(self, name: str) -> None:
        """Forget a registered table."""

    def transaction(self) -> AbstractContextManager[None]:
        """All statements inside take effect together, or none."""

    def cursor(self) -> Store:
        """A second connection to the same database, for another thread."""

    def close(self) -> None:
        """Release the database."""


@contextmanager
def registered(store: Store, name: str, table: pa.Table) -> Iterator[str]:
    """Make an Arrow table readable in SQL for a moment; gives its name."""
    store.register(name, table)
    try:
        yield name
    finally:
        store.unregister(name)
