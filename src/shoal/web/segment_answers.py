"""Answers about segments that pages keep for a while: what happened weeks ago doesn't change with every event."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException

from shoal.clock import stopwatch
from shoal.server.api.app import live_of
from shoal.web.people import service_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from fastapi import Request

    from shoal.workspace.live import Live

FRESH = 60.0
"""Seconds for which an answer serves."""
LONG = 600.0
"""Seconds for which the sizes of past weeks serve."""
_MOST = 256


class Kept:
    """Answers by question and what was asked, of definitions as they are.

    Args:
        live: the workspace; where it is loaded anew, nothing is kept.
    """

    def __init__(self, live: Live) -> None:
        self.live = live
        self._lock = Lock()
        self._found: OrderedDict[Hashable, tuple[float, object, dict[str, Any]]] = OrderedDict()

    def get(self, key: Hashable, seconds: float) -> dict[str, Any] | None:
        """What is known still."""
        with self._lock:
            since, catalogue, found = self._found.get(key, (0.0, None, {}))
        fresh = catalogue is self.live.catalogue and stopwatch() - since < seconds
        return found if fresh else None

    def put(self, key: Hashable, found: dict[str, Any]) -> None:
        """Keep an answer."""
        with self._lock:
            self._found[key] = stopwatch(), self.live.catalogue, found
            self._found.move_to_end(key)
            while len(self._found) > _MOST:
                self._found.popitem(last=False)


def kept_of(request: Request) -> Kept:
    """The answers that are kept for the served workspace."""
    live, state = live_of(request), request.app.state
    found: Kept | None = getattr(state, "segment_answers", None)
    if found is None or found.live is not live:
        found = state.segment_answers = Kept(live)
    return found


def known(request: Request, name: str, seconds: float = LONG, **asked: Any) -> dict[str, Any] | None:
    """The answer to a question where it is kept; nothing is asked."""
    return kept_of(request).get(_key(name, asked), seconds)


def asked_of(request: Request, name: str, seconds: float = FRESH, **asked: Any) -> dict[str, Any]:
    """The answer to a question, asked where it isn't kept; what tells of single customers is asked with 0 seconds.

    Raises:
        ShoalError: as the question's door raises it.
    """
    kept = kept_of(request)
    found = kept.get(_key(name, asked), seconds)
    if found is None:
        asking = service_of(request).asking
        if asking is None:
            raise HTTPException(503, "The workspace isn't ready.", {"Retry-After": "1"})
        found = asking.ask(name, asked)
        if seconds:
            kept.put(_key(name, asked), found)
    return found


def _key(name: str, asked: dict[str, Any]) -> Hashable:
    return name, tuple(sorted(asked.items()))
