"""Evaluating: all segments together, against one query per segment over the same tables; and why for one customer."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks import baseline
from benchmarks.measure import Cost, timed
from benchmarks.segments import draw, written

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.segments import Tree
    from shoal.lang.nodes import Definition


def _definitions(trees: list[Tree]) -> dict[str, Definition]:
    from shoal.lang.nodes import Definition
    from shoal.lang.parse import parse

    return {f"s{i}": Definition(f"s{i}", f"Segment {i}", parse(written(tree))) for i, tree in enumerate(trees)}


def together(folder: Path, count: int, repeats: int = 1) -> dict[str, Any]:
    """``SqlEngine.evaluate`` of so many segments, and counting the members of each."""
    import shoal

    definitions = _definitions(draw(count))
    sizes: dict[str, int] = {}
    with shoal.open(folder) as ws:
        engine, now = ws.engine, ws.now()

        def evaluate() -> None:
            found = engine.evaluate(definitions, now)
            sizes.update(found.sizes())
            found.close()

        return {**timed(evaluate, repeats), "sizes": list(sizes.values()), "now": now}


def one_by_one(folder: Path, count: int, now: int, favoured: bool = False) -> dict[str, Any]:
    """One query per segment, written by hand; ``favoured`` as ``benchmarks.baseline`` says."""
    import shoal
    from shoal.sql.registry import Registry

    trees = draw(count)
    with shoal.open(folder) as ws:
        store, registry = ws.store, Registry.load(ws.store)
        tables = {
            name: (event.table, event.properties["amount"].col if "amount" in event.properties else None)
            for name, event in registry.events.items()
        }
        if favoured:
            store.execute(f"CREATE TEMP TABLE people AS {baseline.wide(registry, baseline.TRAITS, now)}")
            queries = [baseline.query(tree, tables, now, "people", "count(*)") for tree in trees]
        else:
            people = (f"({baseline.wide(registry, baseline.traits_of(tree), now)})" for tree in trees)
            queries = [
                f"CREATE TEMP TABLE s{number} AS {baseline.query(tree, tables, now, each, 'wide.key')}"
                for number, (tree, each) in enumerate(zip(trees, people, strict=True))
            ]
        cost = Cost()
        with cost.measured():
            sizes = [int(store.rows(text)[0][0]) for text in queries]
        return {**cost.document(), "sizes": sizes}


def each_alone(folder: Path, count: int, now: int) -> dict[str, Any]:
    """Shoal's own engine, asked for one segment after another."""
    import shoal

    sizes: list[int] = []
    with shoal.open(folder) as ws:
        engine = ws.engine

        def evaluate() -> None:
            for slug, definition in _definitions(draw(count)).items():
                found = engine.evaluate({slug: definition}, now)
                sizes.append(found.sizes()[slug])
                found.close()

        return {**timed(evaluate), "sizes": sizes}


def why(folder: Path, count: int = 12) -> dict[str, Any]:
    """Why one customer is in a segment or not, and until when: the median over some customers and segments."""
    import shoal

    definitions = list(_definitions(draw(count)).values())
    with shoal.open(folder) as ws:
        now = ws.now()
        ((customers,),) = ws.store.rows("SELECT count(*) FROM customers")
        seconds, cpu = [], []
        for index, definition in enumerate(definitions):
            wall, process = time.perf_counter(), time.process_time()
            ws.engine.why(definition, 1 + index * (customers - 1) // count, now)
            seconds.append(time.perf_counter() - wall)
            cpu.append(time.process_time() - process)
    return {
        "cpu_ms": round(statistics.median(cpu) * 1000, 1),
        "wall_ms": round(statistics.median(seconds) * 1000, 1),
        "worst_cpu_ms": round(max(cpu) * 1000, 1),
        "asked": count,
    }
