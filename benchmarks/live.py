"""The resident engine: built, refreshed, previewed, fed, stored and started, against one DuckDB query per segment.

``python -m benchmarks.live [full | quick | tiny]`` runs it alone and prints JSON; the data lies where ``BENCH_DATA`` names,
or else in a temporary folder. CPU seconds are of all threads of a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import evaluating, loading
from benchmarks.generate import FULL, PRICED, QUICK, TINY, TYPES, Size, generate
from benchmarks.measure import Cost, apart, surroundings, timed
from benchmarks.segments import draw, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from shoal.live.batches import Events
    from shoal.live.engine import Engine

HOUR = 3_600_000_000
DAY = 24 * HOUR
SEGMENTS = 200


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
    """An engine from the store, evaluated; compiled loops are warm then."""
    import shoal
    from shoal.insight.resident import load_engine

    definitions = evaluating._definitions(draw(SEGMENTS)) if definitions is None else definitions
    cost = Cost()
    with shoal.open(folder) as ws:
        with cost.measured():
            found = load_engine(ws.store, ws.schema, definitions, ws.now(), recording=False)
        found.build(quiet=True)
    return found, cost.document()


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
    import numpy as np

    lengths = []
    for _ in range(repeats):
        begun = time.perf_counter()
        action()
        lengths.append((time.perf_counter() - begun) * 1e6)
    return {"p50": round(float(np.percentile(lengths, 50)), 1), "p99": round(float(np.percentile(lengths, 99)), 1)}


def feeding(folder: Path) -> dict[str, Any]:
    """Events in micro-batches, and one by one, spread over customers as the history is; 1,000 a second of its time."""
    found, _ = _loaded(folder)
    documents = {}
    for many, batches in ((1_000, 200), (100, 500), (1, 10_000)):
        stream = _Stream(len(found.state.people), many)
        for _ in range(20):
            found.apply_events(stream.events(found.now, many))
        columns = [stream.events(found.now + (i + 1) * many * 1_000, many) for i in range(batches)]
        cost, lengths, changes = Cost(), [], 0
        with cost.measured():
            for events in columns:
                begun = time.perf_counter()
                found.advance(int(events.ts[-1]))
                changes += len(found.apply_events(events))
                lengths.append((time.perf_counter() - begun) * 1e6)
        lengths.sort()
        documents[str(many)] = {
            "events_per_cpu_s": round(many * batches / cost.cpu[0]), "changes_per_event": round(changes / many / batches, 3),
            "p50_us": round(lengths[len(lengths) // 2], 1), "p99_us": round(lengths[len(lengths) * 99 // 100], 1),
        }  # fmt: skip
    return documents


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

        rank = 1_000.0 * ((self.customers + 1_000.0) / 1_000.0) ** self.random.random(many) - 1_000.0
        names = [self.names[i] for i in self.random.choice(len(self.names), many, p=self.weights)]
        amounts = (np.exp(self.random.normal(3.7, 1.0, many)) * 100).astype(np.int64) * 10_000
        values = [int(a) if name in PRICED else None for a, name in zip(amounts, names, strict=True)]
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
    """Calendar windows of everyone end together at midnight, in steps of a microsecond's notice: the pause it makes."""
    from shoal.lang.nodes import Definition
    from shoal.lang.parse import parse

    texts = (
        'did "page_view" in last 30 calendar days',
        'count("search" in this month) >= 1',
        'did "visit" in this day',
    )
    definitions = {f"w{i}": Definition(f"w{i}", "Wave", parse(text)) for i, text in enumerate(texts)}
    found, _ = _loaded(folder, definitions)
    due = found.next_due()
    cost = Cost()
    with cost.measured():
        changes = found.advance(max(due, found.now) + DAY)
    return {**cost.document(), "changes": len(changes)}


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
