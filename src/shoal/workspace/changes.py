"""Changes of memberships as a Python iterator: of an opened workspace, and of a running server from anywhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from time import sleep
from typing import TYPE_CHECKING, Any

from shoal.clock import from_instant, stopwatch
from shoal.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import httpx

    from shoal.sql.store import Store

PAGE = 5_000
LOOK = 0.5
"""Seconds between two looks at a store for more."""
SILENCE = 40.0
"""Seconds without a sign of life after which a connection counts as lost; the server gives one every 15."""
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before connections are tried again; the last one is repeated."""


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """A change of a membership, told once.

    Args:
        id: its number: a reader that comes again says ``after`` which one. Numbers grow, with gaps.
        customer: whose membership.
        segment: the segment's slug.
        change: ``entered`` or ``left``; ``merged`` and ``unmerged`` where it went over to another id of the customer.
        at: when it became so, in UTC.
        because: what it came from.
    """

    id: int
    customer: str
    segment: str
    change: str
    at: datetime
    because: str


def stored(
    store: Store, *, after: int = 0, segments: Collection[str] = (), follow: bool = False, timeout: float | None = None
) -> Iterator[MembershipChange]:
    """The changes that a store has, in order; see ``Workspace.changes``."""
    heard = stopwatch()
    while True:
        rows = store.rows(
            "SELECT m.seq, c.id, m.segment, m.change, m.ts, m.because FROM membership_changes m "
            "JOIN customers c ON c.key = m.customer WHERE m.seq > ? ORDER BY m.seq LIMIT ?",
            [after, PAGE],
        )
        for number, customer, segment, change, ts, because in rows:
            after = number
            if not segments or segment in segments:
                yield MembershipChange(number, customer, segment, change, from_instant(ts), because)
                heard = stopwatch()
        if len(rows) == PAGE:
            continue
        if not follow or (timeout is not None and stopwatch() - heard > timeout):
            return
        sleep(LOOK)


def follow(
    url: str,
    key: str,
    *,
    after: int | None = None,
    segments: Collection[str] = (),
    timeout: float | None = None,
) -> Iterator[MembershipChange]:
    """The changes of a running server, as they happen. A lost connection is made again, and goes on where it was.

    Args:
        url: of the server, as ``https://data.shop.example``.
        key: one of the scope ``read``.
        after: the number of the last change that is known; 0 for all there were, None for those from now on.
        segments: the slugs whose changes are wanted; empty for all.
        timeout: end after so many seconds without a change; None to go on for ever.

    Raises:
        ConfigError: the server doesn't take the key, or there is no Shoal at the address.
        StoreError: with a ``timeout``, the server couldn't be reached in that time.
    """
    return _Reader(url, key, after, frozenset(segments), timeout).read()


class _Lost(Exception):
    """The connection has to be made again, after so many seconds."""

    def __init__(self, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__("lost")


class _Reader:
    """Reads server-sent events, and connects again."""

    def __init__(self, url: str, key: str, after: int | None, segments: frozenset[str], timeout: float | None) -> None:
        self._url, self._key = f"{url.rstrip('/')}/v1/changes/stream", key
        self._after, self._segments, self._timeout = after, segments, timeout
        self._heard = stopwatch()
        self._reached = False

    def read(self) -> Iterator[MembershipChange]:
        import httpx

        silence = SILENCE if self._timeout is None else min(SILENCE, self._timeout + 0.1)
        tries = 0
        with httpx.Client(timeout=httpx.Timeout(10.0, read=silence)) as client:
            while not self._is_over():
                wait: float | None = None
                try:
                    for change in self._connected(client):
                        tries = 0
                        self._heard = stopwatch()
                        yield change
                        self._heard = stopwatch()
                except httpx.TransportError:
                    pass
                except _Lost as lost:
                    wait = lost.wait
                if self._is_over():
                    break
                sleep(PAUSES[min(tries, len(PAUSES) - 1)] if wait is None else wait)
                tries += 1
        if not self._reached:
            raise StoreError(f"No Shoal answered at {self._url}.", fix="See that the server runs and can be reached.")

    def _is_over(self) -> bool:
        return self._timeout is not None and stopwatch() - self._heard > self._timeout

    def _connected(self, client: httpx.Client) -> Iterator[MembershipChange]:
        params = {} if self._after is None else {"after": self._after}
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "text/event-stream"}
        with client.stream("GET", self._url, params=params, headers=headers) as answer:
            self._refuse(answer)
            self._reached = True
            number, data = self._after, ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    number = int(value)
                elif name == "data":
                    data = value
                elif not line:
                    # The first event bears a number alone: from there on nothing is missed.
                    known, self._after = self._after, number
                    if data and number is not None and (known is None or number > known):
                        change = _change(number, json.loads(data))
                        if not self._segments or change.segment in self._segments:
                            yield change
                    data = ""
                if self._is_over():
                    return

    def _refuse(self, answer: httpx.Response) -> None:
        """What isn't a stream: some of it passes, some never will."""
        code = answer.status_code
        if code == 200:
            return
        if code in (401, 403):
            raise ConfigError(
                "The server doesn't take the key.",
                place=self._url,
                fix="Make one with: shoal keys create NAME --scope read",
            )
        if code == 429 or code >= 500:
            given = answer.headers.get("retry-after", "")
            raise _Lost(float(given) if given.isdecimal() else None)
        raise ConfigError(
            f"This is no Shoal: it answers {code}.", place=self._url, fix="Give the server's address, without a path."
        )


def _change(number: int, said: dict[str, Any]) -> MembershipChange:
    at = datetime.fromisoformat(said["at"])
    return MembershipChange(number, said["customer"], said["segment"], said["change"], at, said["because"])
