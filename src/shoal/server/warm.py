"""Processes that answer long questions, kept for the next one: starting Python and its libraries costs more than most answers.

Each question opens the workspace anew, so an answer rests on settings and definitions as they are then, and a process keeps
nothing of what it read. A process ends with the server, when nobody has asked for a while, when it has grown large or old,
and when somebody was erased.
"""

from __future__ import annotations

import os
import select
import struct
import subprocess
import sys
from threading import BoundedSemaphore, Lock, Thread, Timer
from typing import TYPE_CHECKING

from shoal.clock import stopwatch
from shoal.errors import StoreError
from shoal.workspace.served.wire import decode_error

if TYPE_CHECKING:
    from pathlib import Path

IDLE = 240.0
"""Seconds after which a process that nobody asks ends."""
SECONDS = 300.0
"""A question that takes longer is given up, with its process."""
_ENDING = 5.0
"""Seconds that a process gets to end."""
HEAD = struct.Struct(">cI")
"""Before a question or an answer: a letter, and the length of what follows."""
ASKED, FINE, FAULT = b"?", b"+", b"-"
LAST_FINE, LAST_FAULT = b"P", b"M"
"""Of a process's last answer, after which it ends."""


class _Gone(StoreError):
    """The process ended before it had answered; ``waited`` says whether it had been at other questions before."""

    waited = False


class Warm:
    """One process.

    Args:
        root: the workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        command = [sys.executable, "-m", "shoal.server.question", str(root)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.since = stopwatch()
        self.lasts = True
        """Whether it answers further questions."""
        self.used = False
        """Whether it has answered one."""

    @property
    def lives(self) -> bool:
        """Whether the process is there."""
        return self.lasts and self._process.poll() is None

    def ask(self, question: bytes) -> bytes:
        """The answer to a question.

        Raises:
            ShoalError: as the question's door raises it.
            StoreError: the process ended, or took too long.
        """
        assert self._process.stdin is not None
        until = stopwatch() + SECONDS
        try:
            self._process.stdin.write(HEAD.pack(ASKED, len(question)) + question)
            kind, length = HEAD.unpack(self._read(HEAD.size, until))
            body = self._read(length, until)
        except TimeoutError:  # which is an OSError
            self.end()
            raise StoreError(
                f"The question took longer than {SECONDS:.0f} seconds.", fix="Ask for fewer periods or metrics."
            ) from None
        except (OSError, EOFError):
            raise self._ended() from None
        self.since, self.used = stopwatch(), True
        self.lasts = kind in (FINE, FAULT)
        if kind in (FINE, LAST_FINE):
            return body
        raise decode_error(body)

    def _read(self, length: int, until: float) -> bytes:
        assert self._process.stdout is not None
        place, found = self._process.stdout.fileno(), bytearray()
        while len(found) < length:
            ready, _, _ = select.select([place], [], [], max(0.0, until - stopwatch()))
            if not ready:
                raise TimeoutError
            part = os.read(place, min(1 << 20, length - len(found)))
            if not part:
                raise EOFError
            found += part
        return bytes(found)

    def _ended(self) -> StoreError:
        self.end(broken=True)
        return _Gone(
            f"The process that answers ended with code {self._process.returncode}.",
            fix="Look at the server's log; a process that is short of memory is ended by the system.",
        )

    def end(self, *, broken: bool = False) -> None:
        """End the process."""
        self.lasts = False
        try:
            # Where its pipe has broken it is ending by itself, and its code says why.
            self._process.wait(0 if self._process.poll() is None and not broken else _ENDING)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            try:
                self._process.wait(_ENDING)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def stop(self) -> None:
        """Tell the process to end; who waits for its answer learns of it."""
        self._process.terminate()


class Pool:
    """So many processes at most; they are started when they are needed.

    Args:
        root: the workspace's folder.
        most: how many.
    """

    def __init__(self, root: Path, most: int) -> None:
        self._root = root
        self._turn = BoundedSemaphore(most)
        self._lock = Lock()
        self._free: list[Warm] = []
        self._busy: set[Warm] = set()
        self._expected = False
        self._closed = False
        self._timer: Timer | None = None

    def ask(self, question: bytes, *, again: bool = True) -> bytes:
        """The answer to a question, after those who wait already.

        Args:
            question: as JSON.
            again: it changes nothing, so it may be asked a second time where its process is found dead.

        Raises:
            ShoalError: as ``Warm.ask`` has it.
        """
        with self._turn:
            try:
                return self._asked(question)
            except _Gone as gone:
                if not gone.waited or not again:
                    raise
            # It ended while it waited for a question, or just as one came.
            return self._asked(question)

    def _asked(self, question: bytes) -> bytes:
        warm = self._taken()
        try:
            return warm.ask(question)
        except _Gone as gone:
            gone.waited = warm.used and not self._closed
            raise
        finally:
            self._give_back(warm)

    def expect(self) -> None:
        """A question is likely to come: let a process be ready for it."""
        with self._lock:
            if self._expected or self._closed or self._free or self._busy:
                return
            self._expected = True
        Thread(target=self._prepare, name="asking", daemon=True).start()

    def _prepare(self) -> None:
        made = Warm(self._root)
        with self._lock:
            self._expected = False
            self._busy.add(made)
        self._give_back(made)

    def _taken(self) -> Warm:
        """A process that is ready, or a new one. The one used last comes first, so that others grow idle."""
        with self._lock:
            while self._free:
                warm = self._free.pop()
                if warm.lives:
                    self._busy.add(warm)
                    return warm
                warm.end()
        warm = Warm(self._root)
        with self._lock:
            self._busy.add(warm)
            closed = self._closed
        if closed:
            warm.stop()
        return warm

    def _give_back(self, warm: Warm) -> None:
        with self._lock:
            # Whoever isn't among them was to end meanwhile.
            stays = warm in self._busy and warm.lives and not self._closed
            self._busy.discard(warm)
            if stays:
                self._free.append(warm)
                self._look_later()
        if not stays:
            warm.end()

    def _look_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = Timer(IDLE, self._end_idle)
        self._timer.daemon = True
        self._timer.start()

    def _end_idle(self) -> None:
        now = stopwatch()
        with self._lock:
            idle = [warm for warm in self._free if now - warm.since >= IDLE or not warm.lives]
            self._free = [warm for warm in self._free if warm not in idle]
            if self._free and not self._closed:
                self._look_later()
        for warm in idle:
            warm.end()

    def renew(self) -> None:
        """End the processes that are free, and those that are asked once they have answered."""
        with self._lock:
            free, self._free = self._free, []
            self._busy.clear()
        for warm in free:
            warm.end()

    def close(self) -> None:
        """End all of them, whatever they are at."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
            if self._timer is not None:
                self._timer.cancel()
            for warm in self._busy:
                warm.stop()
        for warm in free:
            warm.end()
