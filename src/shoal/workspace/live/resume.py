"""Starting from a snapshot: the resident state on disk, so that a start needs neither the store nor the whole log.

A snapshot is a cache and counts only where nothing can have come between: the store bears its token, which only a live
workspace puts there and which whoever else opens the store takes away; it is of this release and of these rules; the
store has all that it has; and the log has what came since. Anything else is told, deleted, and built from the store.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from hashlib import blake2b
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal import __version__
from shoal.clock import stopwatch
from shoal.customers.identity import columns as identity
from shoal.customers.learning import Types
from shoal.customers.seen import Seen
from shoal.errors import ShoalError
from shoal.lang.calendar import tzdata_version
from shoal.lang.files import definition_document, definition_from_document
from shoal.lang.schema import Kind, PropertyType
from shoal.live import freeze
from shoal.live.engine import Engine
from shoal.live.ids import Ids
from shoal.log import snapshot as disk
from shoal.sql.layout import set_meta
from shoal.sql.tables import LAYOUT
from shoal.workspace.live.core import Core, Counts
from shoal.workspace.opening import SNAPSHOT_TOKEN
from shoal.workspace.privacy import SNAPSHOTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import numpy.typing as npt

    from shoal.config import Config
    from shoal.customers.identity.graph import Identities
    from shoal.log import Log
    from shoal.sql.store import Store
    from shoal.workspace.opening import Workspace

    Array = npt.NDArray[Any]

FORMAT = 2
MOST_ENTRIES = 500_000
"""After so many entries a snapshot is due, however short the time was: they would have to be read again."""
LOOK = 0.5
"""Seconds between two looks whether a snapshot is due."""
PAUSE = 0.05
"""Seconds after every few megabytes that leave the disk to others."""
_SETTINGS = ("zone", "purposes", "identity")
"""What of ``shoal.yaml`` the resident state hangs on; types and thresholds are compared by themselves."""
_logger = logging.getLogger("shoal.live")


class Unusable(Exception):
    """Why a snapshot doesn't count; a few words."""


class Room:
    """Memory that was touched beforehand, so that copying into it is quick.

    Args:
        size: bytes; what goes beyond is copied into memory of its own.
    """

    def __init__(self, size: int) -> None:
        self._memory = np.full(size, 1, np.uint8)
        self.used = 0
        """Bytes that were asked for."""

    def copy(self, array: Array) -> Array:
        """A copy of an array."""
        begin = self.used
        self.used += -(-array.nbytes // 64) * 64
        if self.used > len(self._memory):
            return array.copy()
        place = self._memory[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
        np.copyto(place, array)
        return place


class _Measure(Room):
    """Tells how much room is needed."""

    def copy(self, array: Array) -> Array:
        self.used += -(-array.nbytes // 64) * 64
        return array


class Captured:
    """The state as it was at one entry. Copies are made at once, the rest when it is ``finished``.

    Args:
        core: nothing may change it while this runs.
        position: of the last entry that it has.
        room: where copies go.
    """

    def __init__(self, core: Core, position: int, room: Room) -> None:
        self.position = position
        self.token: str | None = None
        """Of whom the store was."""
        self._engine = freeze.captured(core.engine, room.copy)
        self._kinds, self._identity = identity.captured(core.identities, room.copy)
        self._texts, self._runs = core.seen.texts(), core.seen.runs
        self._definitions = list(core.engine.plan.definitions.values())
        self._types = {
            "traits": {name: kind.value for name, kind in core.types.traits.items()},
            "events": {
                name: {p: [t.kind.value, {f: k.value for f, k in t.fields.items()}] for p, t in known.items()}
                for name, known in core.types.events.items()
            },
        }

    def finished(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Head and arrays of the snapshot."""
        engine, arrays = self._engine.finished()
        found = {f"engine.{name}": array for name, array in arrays.items()}
        found |= {f"identity.{name}": array for name, array in self._identity.items()}
        found |= {f"seen.run{number}": run for number, run in enumerate(self._runs)}
        found["seen.bytes"], found["seen.ends"] = Ids.packed(self._texts)
        head = {
            "engine": engine, "kinds": self._kinds, "runs": len(self._runs), "types": self._types,
            "definitions": [definition_document(one) for one in self._definitions],
        }  # fmt: skip
        return head, found


def fingerprint(config: Config) -> str:
    """A number for the release and the settings that a state was made under."""
    settings = {name: _canonical(getattr(config, name)) for name in _SETTINGS}
    said = repr((__version__, LAYOUT, FORMAT, freeze.FORMAT, tzdata_version(), settings))
    return blake2b(said.encode(), digest_size=16).hexdigest()


def _canonical(value: Any) -> Any:
    """A value in a form whose text is the same in every process."""
    if is_dataclass(value) and not isinstance(value, type):
        return (type(value).__name__, [(f.name, _canonical(getattr(value, f.name))) for f in fields(value)])
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "items"):
        return [(str(key), _canonical(one)) for key, one in value.items()]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, map(_canonical, value)))
    if isinstance(value, list | tuple):
        return [_canonical(one) for one in value]
    return value


class Snapshots:
    """The snapshots of a workspace that is live, and when they are written.

    Args:
        workspace: open, and owned by this process.
        store: a connection for this alone.
        every: seconds between two snapshots.
    """

    def __init__(self, workspace: Workspace, store: Store, every: int) -> None:
        self._workspace, self._store, self._every = workspace, store, every
        self._folder = workspace.config.root / ".shoal" / SNAPSHOTS
        self._print = fingerprint(workspace.config)
        self._token: str | None = None
        self._writing = Lock()
        self._state = Condition()
        self._wanted: Room | None = None
        self._captured: Captured | None = None
        self._stopped = False
        self._thread: Thread | None = None
        self._size = 0
        self.position: int | None = None
        """The entry of the snapshot on disk; None where there is none that counts."""
        self.pause = 0.0
        """Seconds for which the newest one kept entries waiting."""
        self._last, self._at = 0, stopwatch()

    # ------------------------------------------------------------ reading

    def resume(
        self, log: Log, stored: int, make: Callable[[Engine, Identities, Types, Seen], Core],
        stored_among: Callable[[Sequence[str]], Collection[str]],
    ) -> Core | None:  # fmt: skip
        """The state as it was at the last entry that the store has, from the snapshot; None where none counts.

        Args:
            log: what came since the snapshot is read from it.
            stored: the position of that entry.
            make: puts a core together.
            stored_among: says which of some message ids the store has.
        """
        begun = stopwatch()
        token, self._workspace.snapshot_token = self._workspace.snapshot_token, None
        core, why = None, "the store was opened or changed since"
        found, reasons = disk.newest(self._folder)
        if found is None and not reasons:
            return None
        try:
            if found is None:
                raise Unusable(reasons[0])
            self._check(found, token, stored)
            core = self._restored(found, make, stored_among)
            self._replay(core, log, found.position, stored)
            self._compare(core)
        except Unusable as reason:
            core, why = None, str(reason)
        except Exception as error:
            # Whatever is odd about it, the store has all that it has.
            core, why = None, f"it can't be read ({type(error).__name__})"
            _logger.debug("the snapshot can't be read", exc_info=error)
        if core is None or found is None:
            _logger.warning("the snapshot isn't used: %s", why)
            self._drop()
            return None
        self._token, self.position, self._last = token, found.position, stored
        told = {"entry": found.position, "replayed": stored - found.position, "seconds": round(stopwatch() - begun, 2)}
        _logger.info("the state was read from the snapshot", extra=told)
        return core

    def _check(self, found: disk.Snapshot, token: str | None, stored: int) -> None:
        if token is None or found.head.get("token") != token:
            raise Unusable("the store was opened by something else since")
        if found.head.get("print") != self._print:
            raise Unusable("it is of another release, or of other settings")
        if found.position > stored:
            raise Unusable("the store doesn't have all that it has")

    def _restored(
        self,
        found: disk.Snapshot,
        make: Callable[[Engine, Identities, Types, Seen], Core],
        stored_among: Callable[[Sequence[str]], Collection[str]],
    ) -> Core:
        head, arrays = found.head, found.arrays
        # Those of the files may be others by now: the first look at them brings them in, as while it is served.
        definitions = {d["slug"]: definition_from_document(d) for d in head["definitions"]}
        types = _types(head["types"])
        schema = replace(self._workspace.schema, traits=types.traits, events=types.events)
        engine = Engine.from_arrays(head["engine"], _below("engine.", arrays), schema, definitions)
        people = identity.restored(self._workspace.config.identity, head["kinds"], _below("identity.", arrays))
        texts = Ids.unpacked(arrays["seen.bytes"], arrays["seen.ends"])
        seen = Seen.of(stored_among, texts, [np.array(arrays[f"seen.run{number}"]) for number in range(head["runs"])])
        return make(engine, people, types, seen)

    def _replay(self, core: Core, log: Log, position: int, stored: int) -> None:
        """Let the entries take effect that the store has and the snapshot hasn't."""
        extend, core.extend = core.extend, _refuse
        for entry in log.read(position) if position < stored else ():
            if entry.position > stored:
                break
            core.apply(entry.position, entry.kind, entry.payload)
        core.extend, core.counts, core.grown = extend, Counts(), 0

    def _compare(self, core: Core) -> None:
        """What opening the workspace may have changed: types by the tracking plan, thresholds by definitions of ranks."""
        schema = self._workspace.schema
        if (core.types.traits, core.types.events) != (schema.traits, schema.events):
            raise Unusable("the types of traits or properties have changed")
        ((known,),) = self._store.rows("SELECT count(*) FROM thresholds")
        if known != sum(map(len, core.engine.state.thresholds.values())):
            raise Unusable("the thresholds have changed")

    # ------------------------------------------------------------ whose the store is

    def own(self) -> None:
        """Say in the store that from now on only this live workspace changes it."""
        self._token = self._token or secrets.token_hex(16)
        self._print = fingerprint(self._workspace.config)
        set_meta(self._store, SNAPSHOT_TOKEN, self._token)

    def disown(self) -> None:
        """Let no snapshot count any more, before something else changes the store."""
        self._token = None  # One that is being written is given up.
        with self._writing:
            self._store.execute("DELETE FROM meta WHERE key = ?", [SNAPSHOT_TOKEN])
            self._drop()

    def _drop(self) -> None:
        self.position = None
        self._workspace.privacy.drop_snapshots()

    def needed(self, stored: int) -> int:
        """The entry up to which the log isn't needed any more, where the store has it up to ``stored``."""
        position = self.position
        return stored if position is None else min(stored, position)

    # ------------------------------------------------------------ writing

    def start(self, core: Core, applied: Callable[[], int], flush: Callable[[], bool]) -> None:
        """Begin to write snapshots in between.

        Args:
            core: the state, which nothing changes yet.
            applied: the position of the last entry that took effect.
            flush: makes the store have all that has taken effect.
        """
        self._capture(core, 0, _Measure(0))
        self._thread = Thread(target=self._run, args=(applied, flush), name="snapshots", daemon=True)
        self._thread.start()

    def take(self, core: Core, position: int, lock: Lock) -> None:
        """Capture the state, where that is wanted; the apply loop asks between two entries."""
        if self._wanted is None or core.engine.has_touched:
            return
        begun, captured = stopwatch(), None
        try:
            with lock:
                captured = self._capture(core, position, self._wanted)
        except Exception as error:
            self._gave_up(error)
        self.pause = stopwatch() - begun
        with self._state:
            self._wanted, self._captured = None, captured
            self._state.notify_all()

    def close(self, core: Core | None, position: int) -> None:
        """Write no more in between, and write the state as it is at the end.

        Args:
            core: the state, all of which the store has; None where something failed.
            position: of the last entry that it has.
        """
        with self._state:
            self._stopped = True
            self._state.notify_all()
        if self._thread is not None:
            self._thread.join()
        try:
            if core is not None and position != self.position and not core.engine.has_touched:
                self._write(self._capture(core, position, Room(0)), None)
        except Exception as error:
            self._gave_up(error)
        self._store.close()

    def _capture(self, core: Core, position: int, room: Room) -> Captured:
        captured = Captured(core, position, room)
        captured.token, self._size = self._token, room.used
        return captured

    def _run(self, applied: Callable[[], int], flush: Callable[[], bool]) -> None:
        while not self._stopped:
            with self._state:
                self._state.wait_for(lambda: self._stopped, LOOK)
            try:
                if not self._stopped and self._is_due(now := applied()):
                    self._last, self._at = now, stopwatch()
                    self._once(flush)
            except Exception as error:
                self._gave_up(error)

    def _gave_up(self, error: Exception) -> None:
        """A snapshot is a cache: what goes wrong with one mustn't stop the server, nor keep the log from being dropped."""
        self.position = None
        _logger.error("a snapshot can't be written: %s", type(error).__name__, exc_info=error)

    def _is_due(self, applied: int) -> bool:
        more = applied - self._last
        return more >= MOST_ENTRIES or (more > 0 and stopwatch() - self._at >= self._every)

    def _once(self, flush: Callable[[], bool]) -> None:
        room = Room(self._size * 5 // 4)
        with self._state:
            self._wanted, self._captured = room, None
            self._state.wait_for(lambda: self._wanted is None or self._stopped)
            self._wanted, captured = None, self._captured
            self._captured = None
        # It counts only when the store has all that it has, and the one before is deleted then.
        if captured is not None and flush():
            token = captured.token
            self._write(captured, lambda: self._breathe(token))

    def _breathe(self, token: str | None) -> None:
        """Leave the disk to the log for a moment; give up what won't count, or is followed by the one of the end."""
        with self._state:
            self._state.wait_for(lambda: self._stopped, PAUSE)
        if self._stopped or token != self._token:
            raise Unusable("it was given up")

    def _write(self, captured: Captured, between: Callable[[], object] | None) -> None:
        head, arrays = captured.finished()
        with self._writing:
            if captured.token is None or captured.token != self._token:
                return
            head |= {"token": captured.token, "print": self._print}
            try:
                disk.save(self._folder, captured.position, head, arrays, keep=1, between=between)
                self.position = captured.position
            except Unusable:
                return
            except ShoalError as error:
                # The log isn't kept for the one before: a disk that is full has to get room again.
                self.position = None
                _logger.error("%s", error)


def _types(said: Mapping[str, Any]) -> Types:
    events = {
        name: {
            p: PropertyType(Kind(kind), {f: Kind(k) for f, k in inner.items()}) for p, (kind, inner) in known.items()
        }
        for name, known in said["events"].items()
    }
    return Types({name: Kind(kind) for name, kind in said["traits"].items()}, events)


def _below(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _refuse(definitions: Mapping[str, Any]) -> None:
    """The store is ahead of the snapshot, so that what it would bring in is there already or still to come."""
    raise Unusable("a definition that came after it names what it doesn't hold")
