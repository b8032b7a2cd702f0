"""Attempts to sign in are slowed down: by the network address that they come from, and by the account that they are for."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from shoal.clock import stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import Request

FREE: Mapping[str, int] = {"from": 20, "for": 5}
"""So many failures in a row cost nothing: many may share a network address."""
LONGEST: Mapping[str, float] = {"from": 900.0, "for": 60.0}
"""The longest wait, in seconds: short for an account, or whoever knows an address could lock its owner out."""
FORGOTTEN = 3_600.0
"""Seconds after which failures don't count any more."""
_HELD = 20_000
_NEAR = ("127.0.0.1", "::1")
_OF_PROXIES = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")


class Attempts:
    """Counts failures, in memory.

    Args:
        clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = stopwatch) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def begin(self, peer: str, account: str) -> float:
        """Begin an attempt: it counts as a failure until ``succeeded`` says otherwise, so that many at once don't slip by.

        Args:
            peer: the network address that it comes from.
            account: the e-mail address that it is for, whether somebody has it or not.

        Returns:
            How many seconds have to pass before it is looked at; 0 where it may come now.
        """
        now = self._clock()
        keys = (("from", peer), ("for", account))
        with self._lock:
            wait = max(self._wait(key, now) for key in keys)
            if wait:
                return wait
            for key in keys:
                self._failures[key] = (self._many(key, now) + 1, now)
                self._failures.move_to_end(key)
            while len(self._failures) > _HELD:
                self._failures.popitem(last=False)
        return 0.0

    def _many(self, key: tuple[str, str], now: float) -> int:
        many, last = self._failures.get(key, (0, now))
        return 0 if now - last > FORGOTTEN else many

    def _wait(self, key: tuple[str, str], now: float) -> float:
        many, (kind, _) = self._many(key, now), key
        if many < FREE[kind]:
            return 0.0
        return max(0.0, self._failures[key][1] + min(LONGEST[kind], 2.0 ** min(60, many - FREE[kind] + 1)) - now)

    def succeeded(self, peer: str, account: str) -> None:
        """The attempt was none of guessing: failures for the account are forgotten, and this one from the address."""
        with self._lock:
            self._failures.pop(("for", account), None)
            many, last = self._failures.get(("from", peer), (1, self._clock()))
            self._failures[("from", peer)] = (max(0, many - 1), last)


def peer_of(request: Request) -> str:
    """The network address that a request comes from; of a proxy on this machine, the one that it saw."""
    peer = request.client.host if request.client is not None else ""
    seen = request.headers.get("x-forwarded-for", "")
    return seen.rpartition(",")[2].strip() if seen and peer in _NEAR else peer


def is_near(request: Request) -> bool:
    """Whether a request comes from this machine and by no proxy, under an address that is this machine's own."""
    peer = request.client.host if request.client is not None else ""
    here = (*_NEAR, str((request.scope.get("server") or ("",))[0]))
    passed_on = any(name in request.headers for name in _OF_PROXIES)
    return peer in here and not passed_on and (request.url.hostname or "") in (*here, "localhost")
