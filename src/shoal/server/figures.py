"""The server's figures in the text form of Prometheus."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.clock import SECOND
from shoal.workspace.live.delays import BOUNDS, QUANTILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.server.counts import Counts
    from shoal.workspace.live import Live
    from shoal.workspace.live.delays import Histogram


def figures(live: Live, counts: Counts) -> Iterator[str]:
    """The lines.

    Args:
        live: the workspace.
        counts: what came in over HTTP.
    """
    yield from _of_calls(live, counts)
    yield from _of_waiting(live)
    yield from _of_state(live)
    delays = live.delays
    yield from _histogram(
        "shoal_membership_delay_seconds", "From a call's arrival until its memberships can be read.", delays.calls
    )
    yield from _histogram(
        "shoal_expiry_delay_seconds",
        "From the instant a change by time was due until it was published.",
        delays.expiries,
    )
    yield from _of_segments(live)


def _of_calls(live: Live, counts: Counts) -> Iterator[str]:
    done = live.core.counts
    yield from _one("shoal_calls_total", "counter", "Calls that took effect.", done.calls)
    yield from _one("shoal_duplicates_total", "counter", "Copies of known messages.", done.duplicates)
    yield from _one("shoal_unidentified_total", "counter", "Calls that name nobody.", done.unidentified)
    yield from _one("shoal_rejected_total", "counter", "Records that can't be stored.", done.rejected)
    yield from _one("shoal_changes_total", "counter", "Changes of memberships.", done.changes)
    yield from _one("shoal_bots_total", "counter", "Calls left out as a robot's.", counts.bots)
    yield from _many("shoal_requests_total", "Requests with calls, by status of the answer.", "status", counts.requests)
    yield from _many("shoal_refused_total", "Calls and requests refused, by reason.", "code", counts.refused)
    yield from _many("shoal_marked_total", "Calls kept with a mark, by mark.", "mark", counts.marks)


def _of_waiting(live: Live) -> Iterator[str]:
    backlog, now, oldest = live.backlog, live.clock.now(), live.queue.oldest
    with live.lock:
        due = live.core.engine.next_due()
    yield from _one("shoal_waiting_calls", "gauge", "Calls on disk that haven't taken effect.", backlog.calls)
    yield from _one("shoal_waiting_records", "gauge", "Records that the store hasn't yet.", backlog.records)
    yield from _one("shoal_waiting_bytes", "gauge", "Bytes that the disk hasn't acknowledged yet.", backlog.bytes)
    lag = 0 if oldest is None else max(0, now - oldest)
    yield from _one("shoal_lag_seconds", "gauge", "How long the oldest waiting call has waited.", lag / SECOND)
    late = max(0, now - due)
    yield from _one("shoal_expiry_lag_seconds", "gauge", "How overdue the next change by time is.", late / SECOND)
    yield from _one("shoal_dead_letters", "gauge", "Deliveries to webhooks that were given up.", live.webhooks.dead)


def _of_state(live: Live) -> Iterator[str]:
    with live.lock:
        engine = live.core.engine
        customers, size = len(engine.state.people), engine.nbytes
    yield from _one("shoal_log_bytes", "gauge", "Bytes of the log on disk.", live.log.size)
    yield from _one("shoal_customers", "gauge", "Customers in memory.", customers)
    yield from _one("shoal_segments", "gauge", "Segments in force.", len(live.definitions))
    yield from _one("shoal_state_bytes", "gauge", "Memory of customers and memberships.", size)
    yield from _one(
        "shoal_snapshot_pause_seconds", "gauge", "How long entries waited for the last snapshot.", live.snapshots.pause
    )
    resident = _resident()
    if resident is not None:
        yield from _one("process_resident_memory_bytes", "gauge", "Memory of the whole process.", resident)
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield from _one("process_cpu_seconds_total", "counter", "Time of processors.", used.ru_utime + used.ru_stime)


def _of_segments(live: Live) -> Iterator[str]:
    name = "shoal_segment_delay_seconds"
    yield f"# HELP {name} By segment and cause: from a call's arrival, or the due instant, until changes are published."
    yield f"# TYPE {name} summary"
    for slug, cause, sketch in live.delays.segments(live.definitions, live.clock.now()):
        labels = f'segment="{_escaped(slug)}",cause="{cause}"'
        for share, value in zip(QUANTILES, sketch.quantiles(), strict=True):
            said = "NaN" if value != value else f"{value:g}"
            yield f'{name}{{{labels},quantile="{share}"}} {said}'
        yield f"{name}_sum{{{labels}}} {sketch.total / SECOND}"
        yield f"{name}_count{{{labels}}} {sketch.count}"


def _one(name: str, kind: str, said: str, value: Any) -> Iterator[str]:
    yield f"# HELP {name} {said}"
    yield f"# TYPE {name} {kind}"
    yield f"{name} {value}"


def _many(name: str, said: str, label: str, values: Mapping[Any, int]) -> Iterator[str]:
    yield f"# HELP {name} {said}"
    yield f"# TYPE {name} counter"
    for key, value in sorted(dict(values).items()):
        yield f'{name}{{{label}="{_escaped(str(key))}"}} {value}'


def _histogram(name: str, said: str, held: Histogram) -> Iterator[str]:
    total = 0
    yield f"# HELP {name} {said}"
    yield f"# TYPE {name} histogram"
    for bound, number in zip(BOUNDS, held.classes, strict=True):
        total += number
        yield f'{name}_bucket{{le="{"+Inf" if bound == BOUNDS[-1] else bound}"}} {total}'
    yield f"{name}_sum {held.total / SECOND}"
    yield f"{name}_count {total}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _resident() -> int | None:
    """Bytes of the process in memory; None where the system doesn't say."""
    if not sys.platform.startswith("linux"):
        return None
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()
