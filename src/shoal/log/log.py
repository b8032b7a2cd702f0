"""An append-only log: entries get a position at once, and are durable as soon as a group of them is on disk."""

from __future__ import annotations

import logging
import os
import zlib
from bisect import bisect_right
from contextlib import ExitStack
from pathlib import Path
from threading import Condition, Lock, Thread, current_thread
from typing import TYPE_CHECKING

from shoal.clock import stopwatch
from shoal.errors import StoreError
from shoal.log.frames import FRAME, MOST_KIND, MOST_PAYLOAD, Damage, Role, damaged, frame_head, frames
from shoal.log.losses import Losses, again
from shoal.log.opening import dropped_error, free, load, make, refused, take
from shoal.log.rewrite import Entry, rewrite
from shoal.log.segments import PARTIAL, Segment, SegmentInfo, sync_folder
from shoal.log.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

SEGMENT_BYTES = 64 << 20
MOST_WAITING = 64 << 20
PACE = 0.001
"""Seconds between the beginnings of two syncs; only a disk that is quicker than this has to wait, and only under load."""

_RETRY_AFTER = 0.2
_ROOM_BESIDES = 64 << 10
_logger = logging.getLogger("shoal.log")


class Log:
    """A folder of files that hold numbered entries; see ``Log.open``.

    All methods may be called from any thread, readers beside writers. One thread of the log's own puts on disk what was
    appended, as much at a time as came while the disk was busy with the time before.

    An entry whose group can't be written is lost, and ``wait`` says so; its position isn't given to another. After a disk
    that was full the log goes on by itself. What wasn't durable when the process died was acknowledged to nobody, and its
    positions are given out again. After a failed sync nobody knows what the disk has: the log takes nothing more
    until it is opened anew, and an entry that it refused then may turn out to be there.
    """

    def __init__(self, folder: Path, lock: int, segments: list[Segment], segment_bytes: int, most_waiting: int) -> None:
        self.folder = folder
        self.cut_bytes = 0
        self._folder_lock = lock
        self._segments = segments
        self._seed = segments[-1].seed
        self._most_waiting = most_waiting
        self._writer = Writer(segments[-1], segment_bytes)
        self._committed = segments[-1].following - 1
        # The position of the first frame in the queue. The next one is counted from it, never kept beside it: an interrupt
        # between two statements must not leave them different.
        self._queue_first = segments[-1].following
        self._queue: list[bytes] = []
        self._idle = False
        self._waiting = 0
        self._losses = Losses()
        self._refusing: StoreError | None = None
        self._retry_at = 0.0
        self._closing = False
        self._closed = False
        self._watchers: list[tuple[Callable[[int], None], Callable[[int, StoreError], None] | None]] = []
        self._state = Lock()
        self._work = Condition(self._state)
        self._done = Condition(self._state)
        # The file at the end, and which files there are: held by a commit while it writes, and by whoever rolls.
        self._files = Lock()
        # One rewrite or drop at a time.
        self._shaping = Lock()
        self._thread = Thread(target=self._commit_all, name=f"log {folder.name}", daemon=True)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        most_waiting: int = MOST_WAITING,
        first: int = 1,
        check_all: bool = True,
    ) -> Log:
        """Open the log in a folder, which is made where there is none; what a crash left unfinished at the end is cut.

        Args:
            folder: its own folder; one process at a time may have it open.
            segment_bytes: a file that would grow beyond this is followed by the next.
            most_waiting: bytes that may wait for the disk before ``append`` waits too.
            first: the position of the first entry of a log that is empty as yet.
            check_all: read every file now. Without it, only the last one is, and the others when they are read.

        Raises:
            StoreLocked: another process, or this one, has it open.
            StoreError: the log is damaged, of a newer format, or the disk refuses.
        """
        folder = Path(folder)
        with ExitStack() as undo:
            try:
                make(folder)
                lock = take(folder)
                undo.callback(os.close, lock)
                segments, cut = load(folder, first, check_all)
                log = cls(folder, lock, segments, segment_bytes, most_waiting)
            except OSError as error:
                raise refused(folder, error) from error
            undo.pop_all()
        log.cut_bytes = cut
        log._thread.start()
        return log

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- appending ----------------------------------------------------------------------------------------------------

    def append(self, kind: int, payload: bytes) -> int:
        """Give an entry its position; it is durable once ``committed`` reaches it.

        Where the disk is far behind, this waits until there is room in the queue (see ``waiting``).

        Args:
            kind: the caller's, 0 to 65535.
            payload: up to 1 GB.

        Raises:
            StoreError: the log is closed, the disk is full, or a sync failed.
        """
        if not 0 <= kind <= MOST_KIND or len(payload) > MOST_PAYLOAD:
            raise ValueError("a kind is a number from 0 to 65535, and a payload has at most 1 GB")
        payload = bytes(payload)
        checksum = zlib.crc32(payload, self._seed)
        with self._state:
            self._admit(len(payload))
            position = self._queue_first + len(self._queue)
            head = frame_head(Role.ENTRY, kind, position, len(payload), checksum)
            self._queue.append(head + payload)
            self._waiting += FRAME.size + len(payload)
            if self._idle:
                self._work.notify()
        return position

    def wait(self, position: int, timeout: float | None = None) -> bool:
        """Block until an entry is durable.

        Args:
            position: what ``append`` gave.
            timeout: seconds; 0 asks without waiting.

        Returns:
            False when the time is over.

        Raises:
            StoreError: the entry is lost, because the disk was full, a sync failed, or the log was closed.
        """
        with self._state:
            reached = self._done.wait_for(lambda: self._settled(position), timeout)
            loss = self._losses.of(position)
            if loss is not None:
                raise again(loss)
            if position > self._committed and reached:
                raise self._no_more()
            return reached

    def on_commit(
        self, committed: Callable[[int], None], *, failed: Callable[[int, StoreError], None] | None = None
    ) -> Callable[[], None]:
        """Be told of each commit, in order, by the log's own thread; whoever is told must be quick and not wait for the log.

        Args:
            committed: gets the last durable position after each sync.
            failed: gets a position and the error: what was appended up to there and isn't durable by now is lost.

        Returns:
            A function that ends it.
        """
        watcher = (committed, failed)
        with self._state:
            self._watchers = [*self._watchers, watcher]

        def end() -> None:
            with self._state:
                self._watchers = [w for w in self._watchers if w is not watcher]

        return end

    @property
    def committed(self) -> int:
        """The last durable position; what isn't an entry that was lost is there up to this."""
        return self._committed

    @property
    def first(self) -> int:
        """The first position that wasn't dropped."""
        return self._segments[0].first

    @property
    def waiting(self) -> int:
        """Bytes that were appended and aren't durable yet."""
        return self._waiting

    @property
    def refusing(self) -> StoreError | None:
        """Why the log takes nothing at present, or None."""
        return self._refusing

    @property
    def size(self) -> int:
        """Bytes on disk."""
        with self._state:
            return sum(s.end for s in self._segments)

    @property
    def segments(self) -> list[SegmentInfo]:
        """The files, oldest first; entries go to the last one."""
        with self._state:
            return [s.info() for s in self._segments]

    @property
    def syncs(self) -> int:
        """How often the disk was asked to keep entries."""
        return self._writer.syncs

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self, after: int = 0) -> Iterator[Entry]:
        """The entries after a position that are durable at this moment; erased and lost ones are left out.

        Args:
            after: the last position that is known already; 0 begins with the oldest entry there is.

        Raises:
            StoreError: entries after ``after`` were dropped, or one is damaged.
        """
        with self._state:
            last, first = self._committed, self._segments[0].first
        if after and after + 1 < first:
            raise dropped_error(self.folder, after, first)
        return self._entries(max(after + 1, first), last)

    def _entries(self, position: int, last: int) -> Iterator[Entry]:
        while position <= last:
            with self._state:
                segment, descriptor = self._opened(position)
                (begin, offset), end, after = segment.before(position), segment.end, segment.following
            try:
                for frame in frames(descriptor, offset, end, segment.seed, begin):
                    if frame.position > last:
                        break
                    if frame.role == Role.ENTRY and frame.position >= position:
                        yield Entry(frame.position, frame.kind, frame.payload)
            except Damage as damage:
                raise damaged(segment.path, damage.offset, f"Entry {damage.position}") from None
            except OSError as error:
                raise refused(segment.path, error) from error
            finally:
                os.close(descriptor)
            position = after

    def _opened(self, position: int) -> tuple[Segment, int]:
        at = bisect_right(self._segments, position, key=lambda s: s.first) - 1
        if at < 0:
            raise dropped_error(self.folder, position - 1, self._segments[0].first)
        path = self._segments[at].path
        try:
            return self._segments[at], os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise refused(path, error) from error

    # -- shaping ------------------------------------------------------------------------------------------------------

    def rewrite(self, change: Callable[[Entry], bytes | None]) -> int:
        """Change or erase payloads in everything that was appended before this call, file by file.

        Each file is replaced in one step, so after a crash some are new and some old, and doing it again finishes it.
        What is appended meanwhile isn't seen. Readers that are in the middle of a file finish it as it was.

        Args:
            change: gets an entry and returns its new payload, the same one, or None to leave a hole.

        Returns:
            How many files changed.

        Raises:
            StoreError: an entry is damaged, or the disk is full or refuses.
        """
        with self._shaping:
            self._settle()
            try:
                return sum([self._replace(s, change) for s in self._closed_off()])
            except OSError as error:
                raise refused(self.folder, error) from error

    def drop_before(self, position: int) -> list[Path]:
        """Delete the files in which every position is below ``position``, except the last file.

        Returns:
            The files that are gone, oldest first.

        Raises:
            StoreError: the disk refuses.
        """
        dropped: list[Path] = []
        with self._shaping:
            with self._state:
                self._open_or_raise()
            try:
                while (gone := self._take_oldest(position)) is not None:
                    # One at a time and oldest first: a crash must not leave a hole between files.
                    gone.path.unlink()
                    sync_folder(self.folder)
                    dropped.append(gone.path)
            except OSError as error:
                raise refused(self.folder, error) from error
        return dropped

    def _settle(self) -> None:
        with self._state:
            self._open_or_raise()
            last = self._last()
            self._done.wait_for(lambda: self._settled(last))
            self._open_or_raise()

    def _closed_off(self) -> list[Segment]:
        """The files that nothing more is appended to, after beginning a new one if the last has anything."""
        with self._files:
            if self._writer.segment.following > self._writer.segment.first:
                self._roll()
        with self._state:
            return self._segments[:-1]

    def _replace(self, segment: Segment, change: Callable[[Entry], bytes | None]) -> bool:
        made = rewrite(segment, change)
        if made is None:
            return False
        with self._state:
            made.path.with_name(made.path.name + PARTIAL).replace(made.path)
            self._segments[self._segments.index(segment)] = made
        sync_folder(self.folder)
        return True

    def _take_oldest(self, position: int) -> Segment | None:
        with self._state:
            if len(self._segments) > 1 and self._segments[0].following <= position:
                return self._segments.pop(0)
        return None

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Put on disk what is waiting and let go of the folder; a second time does nothing."""
        with self._shaping:
            with self._state:
                if self._closing:
                    return
                self._closing = True
                self._work.notify()
                self._done.notify_all()
            self._thread.join()
            with self._files, self._state:
                self._closed = True
                self._writer.close()
                os.close(self._folder_lock)
                self._done.notify_all()

    # -- the log's own thread -----------------------------------------------------------------------------------------

    def _commit_all(self) -> None:
        while taken := self._take():
            started = stopwatch()
            with self._files:
                self._commit(*taken)
            with self._state:
                pause = started + PACE - stopwatch()
                if pause > 0 and self._queue and not self._closing:
                    self._work.wait(pause)

    def _take(self) -> tuple[int, list[bytes]] | None:
        """The queue and its first position, or None when the log is closed and nothing is left."""
        with self._state:
            self._idle = True
            self._work.wait_for(lambda: self._queue or self._closing)
            self._idle = False
            return self._emptied() if self._queue else None

    def _commit(self, first: int, queue: list[bytes]) -> None:
        at = 0
        while at < len(queue):
            try:
                if self._writer.must_roll(len(queue[at])):
                    self._roll()
                after = self._writer.fit(queue, at)
                offset = self._writer.offset
                group = queue[at:after]
                self._writer.put(first + at, group)
            except StoreError as error:
                self._fail(error)
                return
            self._confirm(sum(map(len, group)), offset)
            at = after

    def _roll(self) -> None:
        segment = self._writer.roll()
        with self._state:
            self._segments.append(segment)

    def _confirm(self, size: int, offset: int) -> None:
        """Make a group of ``size`` bytes known as durable; what was written with it begins at ``offset``."""
        writer = self._writer
        if not self._queue:
            writer.mark()
        last = writer.following - 1
        with self._state:
            segment = self._segments[-1]
            segment.note(segment.following, offset)
            segment.following, segment.end = writer.following, writer.offset
            self._committed = last
            self._waiting -= size
            self._done.notify_all()
            watchers = self._watchers
        for committed, _ in watchers:
            _tell(committed, last)

    def _fail(self, error: StoreError) -> None:
        with self._state:
            last = self._last()
            self._losses.add(self._committed + 1, last, error)
            self._emptied()
            self._waiting = 0
            self._refusing, self._retry_at = error, stopwatch() + _RETRY_AFTER
            self._done.notify_all()
            watchers = self._watchers
        for _, failed in watchers:
            if failed is not None:
                _tell(failed, last, error)

    # -- under the lock of the state ----------------------------------------------------------------------------------

    def _last(self) -> int:
        return self._queue_first + len(self._queue) - 1

    def _emptied(self) -> tuple[int, list[bytes]]:
        first, queue = self._queue_first, self._queue
        self._queue, self._queue_first = [], first + len(queue)
        return first, queue

    def _admit(self, size: int) -> None:
        if current_thread() is not self._thread:
            self._done.wait_for(lambda: self._waiting < self._most_waiting or self._stopped())
        self._open_or_raise()
        if self._refusing is None:
            return
        if stopwatch() >= self._retry_at:
            self._retry_at = stopwatch() + _RETRY_AFTER
            if free(self.folder) >= size + _ROOM_BESIDES:
                # There may be room again; whether there is, the disk says when it gets this entry.
                self._refusing = None
                return
        raise again(self._refusing)

    def _stopped(self) -> bool:
        return self._closing or self._writer.broken or self._refusing is not None

    def _settled(self, position: int) -> bool:
        known = position <= self._committed or self._losses.of(position) is not None
        return known or self._closed or self._writer.broken

    def _open_or_raise(self) -> None:
        if self._closing or self._writer.broken:
            raise self._no_more()

    def _no_more(self) -> StoreError:
        if self._writer.broken and self._refusing is not None:
            return again(self._refusing)
        if self._writer.broken:
            return StoreError(
                "The disk failed to keep what was written; whether it has it is unknown.",
                place=str(self.folder),
                fix="Check the disk, then open the log again: it keeps what is whole.",
            )
        return StoreError("The log is closed.", place=str(self.folder), fix="Open it again.")


def _tell(watcher: Callable[..., None], *told: object) -> None:
    try:
        watcher(*told)
    except Exception:  # whatever a watcher does wrong, others still wait for the commit thread
        _logger.exception("A watcher of the log failed.")
