"""The resident engine: built, refreshed, previewed, fed, stored and started, against one DuckDB query per segment.

``python -m benchmarks.live [full | quick | tiny]`` runs it alone and prints JSON; the data lies where ``BENCH_DATA`` names,
or else in a temporary folder. CPU seconds are of all threads of a process of its own.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import evaluating, loading
from benchmarks.generate import FULL, PRICED, QUICK, TINY, TYPES, Size, generate
from benchmarks.measure import Cost, apart, surroundings, timed
from benchmarks.segments import draw, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from shoal.live.batches import Events
    from shoal.live.engine import Engine

HOUR = 3_600_000_000
DAY = 24 * HOUR
SEGMENTS = 200
PIECE = 10_000
"""Customers who are judged between two batches of events, where very many are due."""


def live(data: Path, work: Path, size: Size, counts: Sequence[int]) -> dict[str, Any]:
    """Everything of the resident engine; the memberships are those of the queries by hand, or this fails."""
    store = work / "workspace"
    if not (store / ".shoal" / "store.duckdb").exists():
        apart(loading.workspace, data, store)
    ours = apart(engine, store)
    theirs = apart(evaluating.one_by_one, store, SEGMENTS, ours["now"])
    if theirs.pop("sizes") != ours.pop("sizes"):
        raise AssertionError("segments have other members in the queries by hand")
    found = {"baseline": theirs, "engine": ours, "events": apart(feeding, store), "snapshot": apart(snapshot, store)}
    return {**found, "wave": apart(wave, store)}


def _loaded(folder: Path, definitions: Any = None) -> tuple[Engine, dict[str, Any]]:
    """An engine from the store, evaluated; compiled loops are warm then. A process's start isn't measured: numba's either."""
    import numpy as np

    import shoal
    from shoal.live.caching import has_numba

    if has_numba():
        from shoal.live.table import Table

        Table("warm").fill(np.zeros(1, np.int32), np.zeros(1, np.int64), [], {})
    from shoal.insight.resident import load_engine

    definitions = evaluating._definitions(draw(SEGMENTS)) if definitions is None else definitions
    cost = Cost()
    with shoal.open(folder) as ws:
        with cost.measured():
            found = load_engine(ws.store, ws.schema, definitions, ws.now(), recording=False)
        found.build(quiet=True)
        found.warm()
    return found, cost.document()


@contextmanager
def _settled() -> Iterator[None]:
    """What stands for good isn't looked through again and again for garbage."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def engine(folder: Path) -> dict[str, Any]:
    """Load, build, let time pass, preview; what it takes in memory."""
    from shoal.lang.nodes import Definition
    from shoal.lang.parse import parse

    found, loaded = _loaded(folder)
    build = timed(lambda: found.build(quiet=True), 3)
    sizes = [found.size(slug) for slug in sorted(found.plan.definitions, key=lambda slug: int(slug[1:]))]
    now = found.now
    trees = draw(SEGMENTS + 13)[SEGMENTS:]
    definitions = [Definition(f"new{i}", "New", parse(written(tree))) for i, tree in enumerate(trees)]
    found.preview(definitions[0])
    previews = [timed(lambda one=one: found.preview(one))["cpu_s"] for one in definitions[1:]]
    idle = _microseconds(lambda: found.advance(found.now + 1), 200)
    refresh = {name: timed(lambda step=step: found.advance(found.now + step)) for name, step in _STEPS.items()}
    return {
        "load": loaded, "build": build, "refresh": refresh, "idle_us": idle, "sizes": sizes, "now": now,
        "preview_ms": {"median": round(sorted(previews)[len(previews) // 2] * 1e3), "worst": round(max(previews) * 1e3)},
        "bytes_per_customer": round(found.nbytes / len(found.state.people)),
    }  # fmt: skip


_STEPS = {"hour": HOUR, "day": DAY}


def _microseconds(action: Any, repeats: int) -> dict[str, float]:
    lengths = []
    for _ in range(repeats):
        begun = time.perf_counter()
        action()
        lengths.append((time.perf_counter() - begun) * 1e6)
    return _percentiles(lengths)


def feeding(folder: Path) -> dict[str, Any]:
    """Events in micro-batches, and one by one, spread over customers as the history is; 1,000 a second of its time."""
    found, _ = _loaded(folder)
    documents = {}
    for many, batches in ((1_000, 200), (100, 500), (1, 10_000)):
        stream = _Stream(len(found.state.people), many)
        for _ in range(20):
            found.apply_events(stream.events(found.now, many))
        columns = [stream.events(found.now + (i + 1) * many * 1_000, many) for i in range(batches)]
        cost, taken, cpu, changes = Cost(), [], [], 0
        with _settled(), cost.measured():
            for events in columns:
                begun, busy = time.perf_counter(), time.thread_time()
                found.advance(int(events.ts[-1]))
                changes += len(found.apply_events(events))
                cpu.append((time.thread_time() - busy) * 1e6)
                taken.append((time.perf_counter() - begun) * 1e6)
        documents[str(many)] = {
            "events_per_cpu_s": round(many * batches / cost.cpu[0]), "changes_per_event": round(changes / many / batches, 3),
            "us": _percentiles(taken), "cpu_us": _percentiles(cpu),
        }  # fmt: skip
    documents["1"]["machine_us"] = _held_up(documents["1"]["us"]["p50"])
    return documents


def _held_up(us: float, slices: int = 10_000) -> dict[str, float]:
    """What the machine makes of slices of so many microseconds in which nothing is done but to count.

    Interrupts and other processes hit these as they hit events: what is late here would be late whatever Shoal did.
    """
    many = 10_000
    begun = time.perf_counter()
    for _ in range(many):
        pass
    steps = range(round(many * us / 1e6 / (time.perf_counter() - begun)))
    lengths = []
    for _ in range(slices):
        begun = time.perf_counter()
        for _ in steps:
            pass
        lengths.append((time.perf_counter() - begun) * 1e6)
    return _percentiles(lengths)


def _percentiles(lengths: Sequence[float]) -> dict[str, float]:
    import numpy as np

    return {f"p{part}": round(float(np.percentile(lengths, part)), 1) for part in (50, 90, 99)}


class _Stream:
    """Draws events as ``generate`` does."""

    def __init__(self, customers: int, seed: int) -> None:
        import numpy as np

        self.random, self.customers = np.random.default_rng(seed), customers
        self.who = np.random.default_rng(42).permutation(customers)
        self.names = list(TYPES)
        self.weights = np.array(list(TYPES.values())) / sum(TYPES.values())

    def events(self, begin: int, many: int) -> Events:
        import numpy as np

        from shoal.live.batches import Events
        from shoal.live.columns import MISSING

        rank = 1_000.0 * ((self.customers + 1_000.0) / 1_000.0) ** self.random.random(many) - 1_000.0
        names = [self.names[i] for i in self.random.choice(len(self.names), many, p=self.weights)]
        amounts = (np.exp(self.random.normal(3.7, 1.0, many)) * 100).astype(np.int64) * 10_000
        values = np.where([name in PRICED for name in names], amounts, MISSING)
        rows: np.ndarray[Any, Any] = self.who[np.minimum(rank.astype(np.int64), self.customers - 1)]
        ts = begin - np.arange(many, dtype=np.int64)[::-1] * 1_000
        return Events(rows.astype(np.int64), names, ts, (), {"amount": values})


def snapshot(folder: Path) -> dict[str, Any]:
    """Start from a snapshot on disk: mapped, checked, and an engine with its definitions."""
    from shoal.live.engine import Engine
    from shoal.log import snapshot as disk

    found, _ = _loaded(folder)
    definitions, schema = found.plan.definitions, found.schema
    with tempfile.TemporaryDirectory() as place:
        head, arrays = found.arrays()
        saved = timed(lambda: disk.save(Path(place), 1, head, arrays))

        def start() -> None:
            read, reasons = disk.newest(Path(place))
            assert read is not None, reasons
            Engine.from_arrays(read.head, read.arrays, schema, definitions).size("s0")

        return {"save": saved, "start": timed(start, 3)}


def wave(folder: Path) -> dict[str, Any]:
    """Calendar windows of everyone end together, as a year ends: in one go, and in pieces with events between them."""
    from shoal.lang.nodes import Definition
    from shoal.lang.parse import parse

    texts = (
        'did "page_view" in last 30 calendar days',
        'count("search" in this month) >= 1',
        'did "visit" in this day',
        'did "page_view" in this year',
    )
    definitions = {f"w{i}": Definition(f"w{i}", "Wave", parse(text)) for i, text in enumerate(texts)}
    documents: dict[str, Any] = {}
    for most in (None, PIECE):
        found, _ = _loaded(folder, definitions)
        due, stream = max(found.next_due(), found.now), _Stream(len(found.state.people), 1)
        found.apply_events(stream.events(found.now, 10))
        events = [stream.events(due, 10) for _ in range(1_000)]
        cost, waits, cpu, changes = Cost(), [], [], 0
        with _settled(), cost.measured():
            for batch in events if most else events[:1]:
                begun, busy = time.perf_counter(), time.thread_time()
                changes += len(found.advance(due, most)) + len(found.apply_events(batch))
                cpu.append((time.thread_time() - busy) * 1e3)
                waits.append((time.perf_counter() - begun) * 1e3)
                if not found.behind:
                    break
        documents["whole" if most is None else "pieces"] = {
            **cost.document(), "changes": changes, "steps": len(waits), "ms": _percentiles(waits),
            "cpu_ms": _percentiles(cpu),
        }  # fmt: skip
    return documents


def main() -> None:
    """The command line."""
    size = sys.argv[1] if len(sys.argv) > 1 else "tiny"
    with tempfile.TemporaryDirectory() as spare:
        place = Path(os.environ.get("BENCH_DATA") or spare)
        data = generate(place, {"full": FULL, "quick": QUICK, "tiny": TINY}[size])
        work = place / f"work-{size}"
        work.mkdir(exist_ok=True)
        print(json.dumps({**surroundings(), "found": live(data, work, FULL, [SEGMENTS])}, indent=2))


if __name__ == "__main__":
    main()
