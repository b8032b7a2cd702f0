"""Long questions over HTTP: figures of metrics, results of experiments. No event waits for them.

Each is answered in a process of its own (``warm``), two at a time. Equal questions that are asked together share one answer, and
an answer serves again for some seconds while no call came in.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from concurrent.futures import Future
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.clock import stopwatch
from shoal.errors import ShoalError
from shoal.server.warm import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

AT_ONCE = 2
"""So many processes answer at a time."""
WAITING = 24
"""So many questions are under way or wait, as those of a few open pages; who comes then is asked to come again."""
KEPT, FRESH = 64, 60.0
"""So many answers are kept, and for how many seconds."""


class Busy(ShoalError):
    """Too many questions wait already."""


class _Kept(NamedTuple):
    position: int
    since: float
    answer: dict[str, Any]


class Asking:
    """Asks the workspace long questions.

    Args:
        root: the workspace's folder.
        position: gives how far the log is: an answer from before isn't one now.
    """

    def __init__(self, root: Path, position: Callable[[], int]) -> None:
        self._position = position
        self._pool = Pool(root, AT_ONCE)
        self._lock = Lock()
        self._running: dict[str, Future[dict[str, Any]]] = {}
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def ask(self, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one of ``workspace.questions``.

        Raises:
            Busy: too many questions wait.
            ShoalError: as the question's door raises it.
        """
        key = json.dumps([name, asked], sort_keys=True)
        position = self._position()
        with self._lock:
            self._drop_old(position)
            if key in self._kept:
                return self._kept[key].answer
            under_way = self._running.get(key)
            if under_way is None:
                if len(self._running) >= WAITING:
                    raise Busy("Too many questions wait already.", fix="Ask again in some seconds.")
                mine: Future[dict[str, Any]] = Future()
                self._running[key] = mine
        if under_way is not None:
            return under_way.result()
        return self._answered(key, position, name, asked, mine)

    def _answered(
        self, key: str, position: int, name: str, asked: Mapping[str, Any], mine: Future[dict[str, Any]]
    ) -> dict[str, Any]:
        begun = stopwatch()
        try:
            found: dict[str, Any] = json.loads(self._pool.ask(json.dumps({"name": name, "asked": asked}).encode()))
        except BaseException as error:
            with self._lock:
                del self._running[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._running[key]
            self._kept[key] = _Kept(position, begun, found)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        mine.set_result(found)
        return found

    def _drop_old(self, position: int) -> None:
        """Nothing of before the newest call is kept: it may tell of somebody who was erased by it."""
        now = stopwatch()
        for key, kept in list(self._kept.items()):
            if kept.position != position or now - kept.since >= FRESH:
                del self._kept[key]

    def change(self, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Ask what changes something: it is asked each time, and no answer of before it serves again.

        Raises:
            ShoalError: as the question's door raises it.
        """
        try:
            found: dict[str, Any] = json.loads(
                self._pool.ask(json.dumps({"name": name, "asked": asked}).encode(), again=False)
            )
        finally:
            self.forget()
        return found

    def forget(self) -> None:
        """Keep no answer of before, as after a file was changed."""
        with self._lock:
            self._kept.clear()

    def expect(self) -> None:
        """A question is likely to come soon, as of somebody who opened a page."""
        self._pool.expect()

    def renew(self) -> None:
        """Keep no answer and no process of before, as after somebody was erased."""
        with self._lock:
            self._kept.clear()
        self._pool.renew()

    def close(self) -> None:
        """End what is under way."""
        self._pool.close()
