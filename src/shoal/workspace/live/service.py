"""A workspace that is live: the log, who is who, memberships, the background writer and the changes, on their threads.

Everything that changes memberships goes through the log, the passing of time too: a membership that is due gets a tick in
the log, and its change is published when the tick is on disk. So a crash loses nothing that was acknowledged, and what is
published again bears the number that it had.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from os import scandir
from threading import Event as Flag
from threading import Lock, RLock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from shoal.clock import SECOND, stopwatch
from shoal.customers.identity.reading import read as read_identities
from shoal.customers.learning import Types
from shoal.customers.seen import Seen
from shoal.errors import StoreError
from shoal.insight.definitions import known_at, read_catalogue, record
from shoal.insight.resident import extend_engine, load_engine
from shoal.lang.calendar import zone
from shoal.lang.files import definition_document
from shoal.live.warming import warm_up
from shoal.log import Log
from shoal.sql.layout import meta, set_meta
from shoal.workspace.live.core import Core, Numbered
from shoal.workspace.live.delays import Delays
from shoal.workspace.live.entries import COMMAND, TICK, Command, decode_command, encode_command, encode_tick
from shoal.workspace.live.intake import Acknowledgements, LiveIntake, Queue
from shoal.workspace.live.keeper import LIVE_DEFINITIONS, LIVE_NOW, LOG_POSITION, Keeper
from shoal.workspace.live.rescoring import Rescoring
from shoal.workspace.live.resume import Snapshots
from shoal.workspace.live.stored import defined_in, newest_change, stored_among, stored_changes, stored_hashes
from shoal.workspace.live.stream import Stream
from shoal.workspace.live.webhooks import Webhooks
from shoal.workspace.privacy import Forgotten, cleaned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from shoal.customers.identity.graph import Identities
    from shoal.customers.tracking import Call
    from shoal.insight.definitions import Catalogue
    from shoal.lang.nodes import Definition
    from shoal.live.engine import Engine
    from shoal.live.preview import Preview
    from shoal.sql.store import Store
    from shoal.workspace.live.core import Applied
    from shoal.workspace.live.scoring import Scored
    from shoal.workspace.opening import Workspace

T = TypeVar("T")
LOG_FOLDER = "log"
MOST_WAITING = 200_000
"""Calls that may wait for the apply loop before senders are asked to come again."""
MOST_UNWRITTEN = 1_000_000
"""Records that may wait for the store before senders are asked to come again."""
STARTING = 600.0
"""Seconds that the first evaluation of everything may take."""
TAKING = 30.0
"""Seconds that a command may take."""
LOOK = 2.0
"""Seconds between two looks at the definition files."""
_MOMENT = 0.05
"""Seconds in which calls take effect, unless something that changes the store by itself is under way."""
TURN = 0.05
"""Seconds that calls may take effect before time gets its turn."""
QUIET = 3.0
"""Seconds without a call after which nobody is expected to wait."""
IDLE = 0.25
"""Seconds that the apply loop sleeps at most."""
_logger = logging.getLogger("shoal.live")


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits where."""

    calls: int
    records: int
    bytes: int


class Live:
    """An open workspace that takes calls and keeps memberships of the present moment.

    Args:
        workspace: open, and owned by this process.
        busy: makes the exception that tells a sender to come again after so many seconds.
    """

    def __init__(self, workspace: Workspace, busy: Callable[[float], BaseException]) -> None:
        self.workspace = workspace
        self.lock = Lock()
        """Held by whoever reads or changes the engine."""
        self.own = Lock()
        """Held by whoever uses the workspace's own connection while it is live."""
        self._paused = Lock()
        self._looking = RLock()
        self.clock = workspace.clock
        self.delays = Delays()
        self.failure: BaseException | None = None
        self._busy = busy
        self._stop, self._work = Flag(), Flag()
        self._reading = workspace.store.cursor()
        self._files = workspace.store.cursor()
        self._looked_at: dict[str, tuple[int, int]] | None = None
        self._names: frozenset[str] = frozenset()
        self._gone: frozenset[str] = frozenset()
        self.catalogue: Catalogue = workspace.catalogue
        said = meta(self._reading)
        self._position = int(said.get(LOG_POSITION, "0"))
        # Where nobody else has opened the store since, what was published is of the definitions of then.
        definitions = defined_in(said) if workspace.snapshot_token is not None else None
        self.log = Log.open(workspace.config.root / ".shoal" / LOG_FOLDER, first=self._position + 1)
        if self.log.committed < self._position:
            self.log.close()
            raise StoreError(
                f"The store has taken the log's entries up to {self._position}, and the log ends at {self.log.committed}.",
                place=str(self.log.folder),
                fix="Put the log's newest files back; or, if they are lost, empty the folder: the store has what it took.",
            )
        self._end_work = self.log.on_commit(lambda position: self._work.set())
        self.queue = Queue(self.log)
        self.acknowledgements = Acknowledgements(self.log)
        self.intake = LiveIntake(self.queue, self.acknowledgements, self._refusal, self._kept)
        self.stream = Stream(self._older)
        self._hooks = workspace.store.cursor()
        self._asking = workspace.store.cursor()
        self._asked = Lock()
        self.webhooks = Webhooks(self._hooks, self.stream, self.clock)
        self.snapshots = Snapshots(workspace, workspace.store.cursor(), workspace.config.server.snapshot_seconds)
        resumed = self.snapshots.resume(self.log, self._position, self._made, self._stored)
        self.resumed = resumed is not None
        """Whether the state was read from a snapshot rather than from the store."""
        self.core = resumed or self._core(int(said[LIVE_NOW]) if LIVE_NOW in said else None, definitions)
        self.snapshots.own()
        self.keeper = Keeper(
            workspace.store.cursor(), zone(workspace.config.zone), self.core.types.events, self._position, self._failed
        )
        self.rescoring = Rescoring(
            workspace.store.cursor(),
            workspace.config.revenue,
            self.clock,
            lambda: self.core,
            self.keeper.flush,
            workspace.config.models,
            self._score_undisturbed,
            lambda: self.keeper.stored,
        )
        self._applied = self._position
        self._rolled_at: int | None = None
        self._busy_at = stopwatch()
        self._thread = Thread(target=self._run, name="apply", daemon=True)
        self._grown = Flag()
        self._alone = False
        self._looker = Thread(target=self._watch, name="look", daemon=True)

    # ------------------------------------------------------------ starting and stopping

    def start(self) -> None:
        """Read what the log has beyond the store, publish what time and files changed meanwhile, and begin."""
        warm_up()
        self.core.last = newest_change(self._reading)
        self.stream.begin(self.core.last)
        self.keeper.start()
        for entry in self.log.read(self._position):
            self._let(entry.position, entry.kind, entry.payload, None)
        position = self._order("start", **({"resumed": True} if self.resumed else {}))
        self.snapshots.start(self.core, lambda: self._applied, self.keeper.flush)
        self._thread.start()
        self._wait_for(position, STARTING)
        self._looker.start()
        self.webhooks.start()
        self.rescoring.start()

    def close(self) -> None:
        """Finish what was taken, write it to the store, and stop."""
        self.rescoring.close()
        self._stop.set()
        self._work.set()
        self._grown.set()
        for thread in (self._looker, self._thread):
            if thread.is_alive():
                thread.join()
        self.stream.close()
        self.webhooks.close()
        self.keeper.close()
        whole = self.failure is None and self.keeper.stored == self._applied
        self.snapshots.close(self.core if whole else None, self._applied)
        self._end_work()
        self.queue.close()
        self.acknowledgements.close()
        self.log.drop_before(self.snapshots.needed(self.keeper.stored) + 1)
        self.log.close()
        for cursor in (self._reading, self._files, self._hooks, self._asking):
            cursor.close()

    def _core(self, now: int | None, definitions: Mapping[str, Definition] | None = None) -> Core:
        """The state as it was at the last entry that the store has.

        Args:
            now: the instant of that entry; None where there is none.
            definitions: those in force there; None for those of the files.
        """
        ws = self.workspace
        definitions = ws.definitions if definitions is None else definitions
        documents = [definition_document(one) for one in definitions.values()]
        set_meta(self._reading, LIVE_DEFINITIONS, json.dumps(documents))
        schema = ws.schema
        types = Types(schema.traits, schema.events)
        full = replace(schema, traits=types.traits, events=types.events)
        at = self._begun() if now is None else now
        engine = load_engine(self._reading, full, definitions, at, published=True)
        if now is not None:
            # What was published up to there is what held there; time that has passed since is published by the start.
            engine.expect()
        seen = Seen(self._stored)
        seen.fill(stored_hashes(self._reading))
        return self._made(engine, read_identities(self._reading, ws.config.identity), types, seen)

    def _made(self, engine: Engine, identities: Identities, types: Types, seen: Seen) -> Core:
        ws = self.workspace
        return Core(engine, identities, types, seen, ws.schema, ws.privacy.tombstones, self._extend)

    def _begun(self) -> int:
        """The instant at which a log that the store hasn't taken anything of begins: that of the first start."""
        for entry in self.log.read(self._position):
            if entry.kind == COMMAND:
                return decode_command(entry.payload).at
        return self.clock.now()

    def _extend(self, definitions: Mapping[str, Definition]) -> None:
        """Bring in the columns that definitions name and the engine doesn't hold; the store must have all that came."""
        engine = self.core.engine
        if engine.missing(definitions):
            self.keeper.flush()
            extend_engine(engine, self._reading, definitions)

    def preview(self, definition: Definition, sample: int) -> Preview:
        """What a definition would give now: see ``live.preview``."""
        with self.lock:
            return self.ready_for(definition).preview(definition, sample=sample)

    def ready_for(self, definition: Definition) -> Engine:
        """The engine with all columns that a definition names; the lock must be held."""
        engine = self.core.engine
        self._extend({**engine.plan.definitions, definition.slug: definition})
        return engine

    # ------------------------------------------------------------ the apply loop

    def _run(self) -> None:
        try:
            looked = stopwatch()
            while True:
                with self._paused:
                    worked = self._take_all()
                    if self._stop.is_set() and not worked:
                        return
                    self._tick()
                    self.snapshots.take(self.core, self._applied, self.lock)
                    if stopwatch() - looked > LOOK:
                        self.log.drop_before(self.snapshots.needed(self.keeper.stored) + 1)
                        self._compact(idle=stopwatch() - self._busy_at > QUIET)
                        looked = stopwatch()
                if worked:
                    self._busy_at = stopwatch()
                else:
                    self._sleep()
        except BaseException as error:
            self._failed(error)

    def _compact(self, *, idle: bool) -> None:
        with self.lock:
            self.core.engine.compact(idle=idle)

    def _sleep(self) -> None:
        due = self.core.engine.next_due() - self.clock.now()
        self._work.wait(max(0.0, min(IDLE, due / SECOND)))
        self._work.clear()

    def _take_all(self) -> bool:
        """Let entries take effect for a while: under load that never ends, time must pass too."""
        worked, begun = False, stopwatch()
        while stopwatch() - begun < TURN and (entry := self.queue.take()) is not None:
            applied = self._let(*entry)
            self.delays.note(entry[1], entry[3], applied.changes, self.clock.now())
            worked = True
        return worked

    def _let(self, position: int, kind: int, payload: bytes, calls: Sequence[Call] | None) -> Applied:
        """Let an entry take effect, publish what it changed, and hand it to the background writer."""
        known = self.core.grown
        with self.lock:
            applied = self.core.apply(position, kind, payload, calls)
        if self.core.grown != known:
            # A definition that named what wasn't known yet may be accepted now.
            self._looked_at = None
            self._grown.set()
        self._applied = position
        if position > self.keeper.stored:
            self.stream.put(applied.numbers, applied.changes)
        # Before the writer has it: it frees what it has written.
        self.rescoring.note(applied)
        self.keeper.take(applied)
        self._seal(position)
        return applied

    def _seal(self, position: int) -> None:
        """Let message ids that the store has by now shrink to their hashes."""
        if self._rolled_at is None:
            if self.core.seen.roll():
                self._rolled_at = position
        elif self.keeper.stored >= self._rolled_at:
            self._rolled_at = None
            Thread(target=self.core.seen.seal, name="seal", daemon=True).start()

    def _tick(self) -> None:
        """Write a tick where a membership is due; its change comes when the tick is on disk."""
        now = self.clock.now()
        if self.core.engine.next_due() <= now and not self._stop.is_set():
            self.log.wait(self.queue.append(TICK, encode_tick(now)))

    def _watch(self) -> None:
        """Look at the definition files now and then: on a thread of its own, since hundreds take half a second to read."""
        try:
            while not self._stop.is_set():
                with self._looking:
                    if not self._alone:
                        self._look()
                self._grown.wait(LOOK)
                self._grown.clear()
        except BaseException as error:
            self._failed(error)

    def _look(self, always: bool = False) -> int | None:
        """Take in definition files that have changed; one with a fault keeps its last good version.

        Returns:
            The position of the command that puts them in force, None where there is nothing to do.
        """
        with self._looking:
            root = self.workspace.config.root
            found = _stamps(root / "segments")
            if found == self._looked_at and not always:
                return None
            if not always and (gone := self._names - found.keys()) != self._gone:
                # A file that git or an editor writes anew is gone for a moment: what is gone must be so at two looks.
                self._gone = gone
                return None
            self._looked_at, self._names, self._gone = found, frozenset(found), frozenset()
            with self.lock:
                schema = replace(self.core.schema.fixed(), lists=frozenset(self.core.engine.state.lists))
            self.catalogue = read_catalogue(root, schema, known_at(self._files))
            record(self._files, self.catalogue, self.clock.now())
            if self.catalogue.definitions == self.core.engine.plan.definitions:
                return None
            documents = [definition_document(d) for d in self.catalogue.definitions.values()]
            return self._order("define", definitions=documents)

    def _order(self, what: str, **body: Any) -> int:
        """Append a command; returns its position."""
        position = self.queue.append(COMMAND, encode_command(Command(what, self.clock.now(), body)))
        self._work.set()
        return position

    def command(self, what: str, timeout: float = TAKING, **body: Any) -> int:
        """Give a command and wait until it has taken effect; returns its position.

        Raises:
            StoreError: the disk refused it, or the apply loop has stopped.
        """
        position = self._order(what, **body)
        self.log.wait(position)
        self._wait_for(position, timeout)
        return position

    def score(self, scored: Scored) -> int | None:
        """Put scores into the log; whoever calls holds ``own``, so that nobody is erased in between.

        Returns:
            The position of the entry; None where none of the customers is there any more.
        """
        with self.lock:
            kept = scored.among(self.core.engine)
        return self._order("score", **kept.body()) if kept.customers else None

    def wait_for(self, position: int) -> None:
        """Wait until an entry is on disk and has taken effect."""
        self.log.wait(position)
        self._wait_for(position, TAKING)

    def _score_undisturbed(self, scored: Scored, stopped: Flag) -> None:
        while not self.own.acquire(timeout=0.05):
            if stopped.is_set():
                return
        try:
            position = self.score(scored)
        finally:
            self.own.release()
        if position is not None:
            self.log.wait(position)

    def _wait_for(self, position: int, timeout: float) -> None:
        begun = stopwatch()
        while self._applied < position:
            if self.failure is not None or stopwatch() - begun > timeout:
                raise StoreError("The server has stopped taking entries.", fix="Look at its log, and start it anew.")
            self._stop.wait(0.002)

    def look_now(self) -> None:
        """Take in changed definition files at once rather than at the next look, and wait until they are in force."""
        position = self._look(always=True)
        if position is not None:
            self.log.wait(position)
            self._wait_for(position, TAKING)

    def exclusively(self, work: Callable[[], T]) -> T:
        """Do work that changes the store by itself, as a load of files, and read everything anew afterwards.

        Calls are taken and acknowledged meanwhile; they take effect when the work is done.
        """
        with self.own, self._paused:
            self.keeper.flush()
            self.snapshots.disown()
            now = self.core.engine.now
            last = newest_change(self._reading)
            with self._looking:
                self._alone = True
            try:
                return work()
            finally:
                found = stored_changes(self._reading, last, -1)
                self.stream.put([n.seq for n in found], [n.change for n in found])
                self.workspace.refresh()
                core = self._core(now)
                core.last = newest_change(self._reading)
                with self.lock:
                    core.counts, core.grown = self.core.counts, self.core.grown + 1
                    self.core, self.keeper.types = core, core.types.events
                self.stream.let_go()
                self.snapshots.own()
                self.catalogue = self.workspace.catalogue
                self._looked_at, self._alone = None, False
                self._order("start")

    def forget(self, identifier: str) -> Forgotten:
        """Erase a person from log, snapshots, store and memory; what they send again under an old call is dropped.

        The bytes leave the store's file when the server stops, which writes it anew.

        Raises:
            UnknownName: nobody bears the identifier.
        """
        privacy = self.workspace.privacy

        def work() -> Forgotten:
            person = privacy.find(identifier)
            segments = self.log.rewrite(cleaned(privacy.traces(person)))
            snapshots = privacy.drop_snapshots()
            erased = privacy.erase(self.workspace.store, person)
            self.stream.forget(frozenset(person.ids))
            return Forgotten(erased, segments, snapshots, privacy.copies())

        return self.exclusively(work)

    # ------------------------------------------------------------ asking

    @property
    def definitions(self) -> dict[str, Definition]:
        """The definitions in force."""
        return dict(self.core.engine.plan.definitions)

    def read(self, work: Callable[[Store], T]) -> T:
        """What the store says, with all in it that was acknowledged by now."""
        self.settle()
        with self._asked:
            return work(self._asking)

    def settle(self, seconds: float | None = 60.0) -> None:
        """Let what is acknowledged by now take effect and reach the store.

        Args:
            seconds: so long is waited at most, and not at all while files are loaded: calls have no effect then. None waits
                for it, however long it takes.

        Raises:
            StoreError: the store doesn't take it.
        """
        begun, position = stopwatch(), self.log.committed
        most = STARTING if seconds is None else seconds
        while self.keeper.stored < position and self.failure is None and stopwatch() - begun < most:
            if seconds is not None and self.own.locked() and stopwatch() - begun > _MOMENT:
                return
            if self._applied >= position:
                self.keeper.flush(most)
            else:
                self._stop.wait(0.001)
        if seconds is None and self.keeper.stored < position:
            raise StoreError("The store doesn't take what was acknowledged.", fix="Look at the server's log.")

    @property
    def backlog(self) -> Backlog:
        """What waits for the apply loop, for the store and for the disk."""
        return Backlog(self.queue.waiting_calls, self.keeper.backlog, self.log.waiting)

    @property
    def ready(self) -> bool:
        """Whether calls are taken and memberships are of this moment."""
        return self.failure is None and self._thread.is_alive() and not self._stop.is_set()

    def _refusal(self) -> BaseException | None:
        backlog = self.backlog
        if self.failure is not None:
            return self._busy(10.0)
        if backlog.calls > MOST_WAITING or backlog.records > MOST_UNWRITTEN:
            return self._busy(1.0)
        return None

    def _kept(self, calls: Sequence[Call]) -> Sequence[Call]:
        """The calls without those of people who were erased: they mustn't even reach the log."""
        core = self.core
        return calls if core.tombstones is None else [call for call in calls if not core.is_erased(call)]

    def _failed(self, error: BaseException) -> None:
        self.failure = error
        _logger.error("stopped: %s", type(error).__name__, exc_info=error)
        self._work.set()

    def _stored(self, messages: Sequence[str]) -> set[str]:
        return stored_among(self._reading, messages)

    def _older(self, seq: int, most: int) -> list[Numbered]:
        # What was published has taken effect already; waiting for calls here could wait for who asks.
        self.keeper.flush()
        with self._asked:
            return stored_changes(self._asking, seq, most)


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """By definition file when it was changed and how large it is; without those that have gone by the time of the look."""
    found = {}
    with suppress(FileNotFoundError), scandir(folder) as there:
        for entry in there:
            if entry.name.endswith(".yaml"):
                with suppress(FileNotFoundError):
                    told = entry.stat()
                    found[entry.name] = told.st_mtime_ns, told.st_size
    return found
