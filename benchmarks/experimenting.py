"""The result of an experiment on millions of exposures, beside pandas and statsmodels that do the same from files.

Three arms and five metrics: two shares, a count, money (with its cap and bootstrap) and a ratio, each adjusted by the time before
the exposure. The other way has all of it as Parquet before the clock starts, reads it, counts per customer, joins, and tests. It
runs in an interpreter of its own, which the environment variable ``STATSMODELS_PYTHON`` names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measure import Cost

if TYPE_CHECKING:
    import pyarrow as pa

INTERPRETER = "STATSMODELS_PYTHON"
ARMS = ("control", "offer", "bundle")
DAYS = 28
BEGIN = 1_704_067_200_000_000
DAY = 86_400_000_000
SEED = 11
_CHUNK = 2_000_000
SETTINGS = """\
shoal: 1
name: benchmark
clock: data-end
store: {memory: 8GB}
revenue:
  orders: purchase
  events: {purchase: amount}
"""
METRICS = {
    "visited": 'name: Visited\nunit: share\nbetter: higher\nas: share\nof: did "visit"\n',
    "bought": 'name: Bought\nunit: share\nbetter: higher\nas: share\nof: did "purchase"\n',
    "orders": 'name: Orders\nunit: count\nbetter: higher\nas: sum\nof: count("purchase")\n',
    "spent": 'name: Spent\nunit: money\nbetter: higher\nas: sum\nof: sum(amount of "purchase")\n',
    "basket": 'name: Basket\nunit: money\nbetter: higher\nas: ratio\nof: sum(amount of "purchase")\nper: count("purchase")\n',
}
EXPERIMENT = """\
name: Bench
arms: {control: 33.333334%, offer: 33.333333%, bundle: 33.333333%}
primary: spent
secondary: [visited, bought, orders, basket]
plan: {kind: fixed, days: 28}
exposure: {event: seen, arm: arm, assigned: elsewhere}
"""


def make(folder: Path, exposures: int) -> dict[str, Any]:
    """A workspace whose store holds so many exposures and some four times as many other events, and the same as Parquet.

    Customers come in over two weeks; they visit and buy before and after, and an offer raises buying by a twentieth.
    """
    from shoal.clock import DAY as A_DAY
    from shoal.customers.bulk import write_events
    from shoal.lang.schema import Kind, PropertyType
    from shoal.sql.duck import create_store

    for name in ("metrics", "experiments", "segments", ".shoal"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "shoal.yaml").write_text(SETTINGS, encoding="utf-8")
    for slug, text in METRICS.items():
        (folder / "metrics" / f"{slug}.yaml").write_text(text, encoding="utf-8")
    (folder / "experiments" / "bench.yaml").write_text(EXPERIMENT, encoding="utf-8")
    text, number = {"arm": (PropertyType(Kind.TEXT), "arm")}, {"amount": (PropertyType(Kind.NUMBER), "amount")}
    counts = {}
    with create_store(folder / ".shoal" / "store.duckdb", zone="UTC", now=0, memory="8GB") as store:
        for event, properties in (("seen", text), ("visit", {}), ("purchase", number)):
            store.execute(f"CREATE TEMP TABLE {event}_made AS {_frame(event)}")
            for first in range(0, exposures, _CHUNK):
                table = _drawn(event, first, min(_CHUNK, exposures - first))
                store.register("drawn", table)
                store.execute(f"INSERT INTO {event}_made SELECT * FROM drawn")
                store.unregister("drawn")
            store.execute(
                f"COPY (SELECT * EXCLUDE (message_id, origin) FROM {event}_made) TO '{folder / event}.parquet' (FORMAT parquet)"
            )
            store.execute(
                "CREATE OR REPLACE TEMP VIEW incoming AS SELECT * REPLACE (CAST(customer_id AS VARCHAR) AS customer_id) "
                f"FROM {event}_made"
            )
            with store.transaction():
                write_events(store, event, "incoming", properties, zone="UTC", received=BEGIN + 60 * A_DAY)
            ((counts[event],),) = store.rows(f"SELECT count(*) FROM {event}_made")
            store.execute(f"DROP TABLE {event}_made CASCADE")
        store.execute("CHECKPOINT")
    return {"events": counts}


def _frame(event: str) -> str:
    more = {"seen": ", '' AS arm", "purchase": ", 0::BIGINT AS amount"}.get(event, "")
    return f"SELECT 0::BIGINT AS customer_id, 0::BIGINT AS ts, ''::VARCHAR AS message_id, 0::BIGINT AS origin{more} LIMIT 0"


def _drawn(event: str, first: int, count: int) -> pa.Table:
    """Events of some customers; the same customers have the same arms and exposures whatever event is drawn."""
    import pyarrow as pa

    random = np.random.default_rng([SEED, first])
    arm = random.integers(0, len(ARMS), count)
    exposed = BEGIN + random.integers(0, 14 * DAY, count)
    often = random.gamma(0.7, 1.2, count)
    if event == "seen":
        who, ts, more = np.arange(count), exposed, {"arm": pa.array(np.array(ARMS)[arm])}
    else:
        rate = often * (1.6 if event == "visit" else 0.6)
        before, after = random.poisson(rate), random.poisson(rate * (1 + 0.05 * (arm == 1)))
        who = np.repeat(np.arange(count), before + after)
        position = np.arange(len(who)) - np.repeat(np.cumsum(before + after) - (before + after), before + after)
        past = position < before[who]
        span = np.where(past, -random.integers(1, DAYS * DAY, len(who)), random.integers(1, 14 * DAY, len(who)))
        ts, more = exposed[who] + span, {}
        if event == "purchase":
            amount = np.exp(random.normal(3.0, 1.0, len(who))) * np.exp(0.3 * (often[who] - 0.84))
            more = {"amount": pa.array((np.round(amount, 2) * 1e6).astype(np.int64))}
    base = {"customer_id": pa.array(who + first), "ts": pa.array(ts)}
    empty = {
        "message_id": pa.nulls(len(who), pa.string()),
        "origin": pa.array(np.arange(len(who), dtype=np.int64) + (1 << 40)),
    }
    return pa.table({**base, **empty, **more})


def ours(folder: Path) -> dict[str, Any]:
    """The result as a command asks for it; the course since the exposure is left out, as the other way doesn't have it."""
    import shoal

    whole = Cost()
    with shoal.open(folder) as ws, whole.measured():
        found = ws.experiments.result("bench", since_exposure=False)
    rows = [(m.metric, c.arm, c.absolute.value, c.absolute.se) for m in found.metrics for c in m.comparisons]
    return {**whole.document(), "exposures": sum(found.n.values()), "effects": rows, "verdict": found.verdict.kind}


def hold_equal(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Both ways must have found the same.

    Raises:
        AssertionError: an effect differs by more than a hundredth of its standard error, or that by more than a hundredth.
    """
    if "refused" in theirs:
        return
    mine = {(metric, arm): (value, se) for metric, arm, value, se in ours["effects"]}
    for metric, arm, value, se in theirs["effects"]:
        found, error = mine[metric, arm]
        if abs(found - value) > 0.01 * se or abs(error - se) > 0.01 * se:
            raise AssertionError(f"{metric}, {arm}: {found} ± {error} in Shoal, {value} ± {se} in statsmodels")


def theirs(folder: Path) -> dict[str, Any]:
    """pandas and statsmodels, in an interpreter that has them."""
    python = os.environ.get(INTERPRETER, sys.executable)
    script = Path(__file__).parent / "statsmodels_alone.py"
    done = subprocess.run([python, str(script), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"refused": (done.stderr.strip().splitlines() or ["it failed"])[-1]}
    told: dict[str, Any] = json.loads(done.stdout)
    return told
