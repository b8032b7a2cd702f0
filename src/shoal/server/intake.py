"""What the collection server needs from the part that keeps calls, and from the part that knows keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shoal.customers.tracking import Call


class Busy(Exception):
    """The intake has fallen behind: come again after so many seconds."""

    def __init__(self, retry_after_seconds: float = 1.0) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"busy for {retry_after_seconds} seconds")


class Starting(Exception):
    """The intake isn't ready yet: the workspace is being read from disk."""


class Intake(Protocol):
    """Takes calls and keeps them."""

    def submit(self, calls: Sequence[Call], done: Callable[[BaseException | None], None]) -> None:
        """Keep the calls.

        Args:
            calls: at least one.
            done: is called in the event loop once they are safe on disk, or with the error where they couldn't be kept. A
                callback and not a coroutine: one of these for each request costs as much as all the rest of it.

        Raises:
            Busy: none was taken, the sender should try again.
            Starting: none was taken, the server isn't ready.
        """


class WriteKeys(Protocol):
    """Which write keys there are. Asked for every request, so it must answer from memory."""

    def accepts(self, key: str) -> bool:
        """Whether a write key may send calls."""


class FixedKeys:
    """Write keys that are given once."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)

    def accepts(self, key: str) -> bool:
        """Whether it is one of them."""
        return key in self._keys
