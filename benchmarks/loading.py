"""Loading: a file of events into the store, against DuckDB copying and sorting the same file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.generate import PRICED, TYPES
from benchmarks.measure import Cost, timed

if TYPE_CHECKING:
    from pathlib import Path

MEMORY = "4GB"
ZONE = "Europe/Berlin"


def settings(data: Path, duplicates: str = "keep") -> str:
    """The ``shoal.yaml`` of a workspace over the made files; ``duplicates: drop`` looks for rows that repeat others."""
    head = f"""\
shoal: 1
name: benchmark
timezone: {ZONE}
currency: USD
clock: data-end
store: {{memory: {MEMORY}}}
revenue:
  orders: purchase
  events: {{purchase: amount}}
sources:
  customers:
    from: {data / "customers.parquet"}
    traits:
      - {{customer: customer_id, take: {{country: country, plan: plan, age: age, signup: signup}}}}
  events:
    from: {data / "events.parquet"}
    format: {{timezone: UTC}}
    duplicates: {duplicates}
    events:
"""
    return head + "".join(_mapping(event) for event in TYPES)


def _mapping(event: str) -> str:
    properties = ", properties: {amount: amount}" if event in PRICED else ""
    return f"      - {{event: {event}, when: \"event = '{event}'\", customer: customer_id, at: ts{properties}}}\n"


def baseline(data: Path, folder: Path) -> dict[str, Any]:
    """DuckDB alone: copy the file into a table, sorted by customer and time, and check-point."""
    from shoal.sql.duck import DuckStore

    with DuckStore.open(folder / "baseline.duckdb", memory=MEMORY) as store:

        def copy() -> None:
            source = f"read_parquet('{data / 'events.parquet'}')"
            store.execute(f"CREATE OR REPLACE TABLE events AS SELECT * FROM {source} ORDER BY customer_id, ts")
            store.execute("CHECKPOINT")

        return timed(copy)


def workspace(data: Path, folder: Path, duplicates: str = "keep") -> dict[str, Any]:
    """``shoal load`` of the events, as the baseline: staging, judging, writing. The rest follows; the store stays.

    The rest is what a load goes on to do: the computed traits and the published segments; then the customers' own data.
    """
    import shoal
    from shoal.customers.load import load

    folder.mkdir(parents=True)
    (folder / "shoal.yaml").write_text(settings(data, duplicates), encoding="utf-8")
    (folder / "segments").mkdir()
    cost = Cost()
    with shoal.open(folder) as ws:
        steps = _Steps()
        with cost.measured():
            options = ws.data._settings(True, steps)
            report = load(ws.store, ws.config.sources, only=["events"], then=lambda report: None, **options)
            steps("committing", 0, 0)
            ws.store.execute("CHECKPOINT")
        ws.data.load(progress=steps)
        steps("", 0, 0)
    return {
        **cost.document(),
        "steps_cpu_s": steps.cpu,
        "events": sum(sum(source.events.values()) for source in report.sources.values()),
    }


class _Steps:
    """A progress callback that notes the CPU seconds of each step."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = {}
        self._step, self._since = "opening files", time.process_time()

    def __call__(self, step: str, done: int, total: int) -> None:
        now = time.process_time()
        self.cpu[self._step] = round(self.cpu.get(self._step, 0) + now - self._since, 2)
        self._step, self._since = step, now


def bulk(data: Path, folder: Path) -> dict[str, Any]:
    """The bulk door of the writer: a relation an event type, no mapping and no judgement."""
    from shoal.clock import DAY
    from shoal.customers.bulk import write_events
    from shoal.lang.schema import Kind, PropertyType
    from shoal.sql.duck import create_store

    number = {"amount": (PropertyType(Kind.NUMBER), "amount")}
    with create_store(folder / "bulk.duckdb", zone=ZONE, now=0, memory=MEMORY) as store:

        def write() -> None:
            store.execute(
                "CREATE OR REPLACE TEMP TABLE staged AS SELECT event, CAST(customer_id AS VARCHAR) AS customer_id, "
                "epoch_us(ts) AS ts, CAST(NULL AS VARCHAR) AS message_id, (1::BIGINT << 40) + file_row_number AS origin, "
                f"CAST(amount * 1e6 AS BIGINT) AS amount FROM read_parquet('{data / 'events.parquet'}', "
                "file_row_number = true)"
            )
            with store.transaction():
                for event in TYPES:
                    store.execute(f"CREATE OR REPLACE TEMP VIEW incoming AS FROM staged WHERE event = '{event}'")
                    properties = number if event in PRICED else {}
                    write_events(store, event, "incoming", properties, zone=ZONE, received=800 * DAY)
            store.execute("CHECKPOINT")

        return timed(write)
