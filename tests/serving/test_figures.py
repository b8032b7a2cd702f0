"""The figures for Prometheus say what was measured: of each segment, of calls and of windows that end."""

from __future__ import annotations

import re

from .served import Served

LINE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")


def figures(served: Served) -> dict[tuple[str, frozenset[str]], float]:
    """Name and labels, and the figure; each line must be one that Prometheus reads."""
    text = served.http.get("/metrics", headers=served.bearer).text
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            parts = LINE.fullmatch(line)
            assert parts is not None, line
            labels = frozenset(re.findall(r'[a-z_]+="[^"]*"', parts[2] or ""))
            assert (parts[1], labels) not in found, line
            found[parts[1], labels] = float(parts[3])
    return found


def of(segment: str, cause: str, **more: str) -> frozenset[str]:
    labels = {"segment": segment, "cause": cause, **more}
    return frozenset(f'{name}="{value}"' for name, value in labels.items())


def test_delays_are_told_by_segment_for_events_and_for_time(served: Served) -> None:
    """Breaks if a segment's delay isn't that of its own changes, or a window's counts from the event that opened it."""
    served.track("warm", "Order Completed", revenue=30)
    served.wait_for("just-bought", {"warm"})
    served.wait_for("just-bought", set())
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("just-bought", {"ann"})
    served.wait_for("just-bought", set())
    found = figures(served)
    name = "shoal_segment_delay_seconds"
    told = [c for c in served.changes() if c["because"] != "definition changed"]
    for cause in ("event", "time"):
        many = sum(c["segment"] == "just-bought" and (c["because"] == "time") == (cause == "time") for c in told)
        assert found[f"{name}_count", of("just-bought", cause)] == many > 0
        p50, p99 = (found[name, of("just-bought", cause, quantile=q)] for q in ("0.5", "0.99"))
        assert 0 < p50 <= p99
        # The window is of two seconds: counted from the event, the delay would be more than that.
        assert p50 < 2
    assert (f"{name}_count", of("buyers", "time")) not in found
    assert found["shoal_membership_delay_seconds_count", frozenset()] == 2
    assert found["shoal_expiry_delay_seconds_count", frozenset()] == 2
    assert found["shoal_lag_seconds", frozenset()] == 0
    assert found["process_resident_memory_bytes", frozenset()] > found["shoal_state_bytes", frozenset()] > 0


def test_many_segments_share_one_figure_beyond_the_bound(served: Served) -> None:
    """Breaks if each of thousands of segments adds series to Prometheus."""
    with (served.folder / "shoal.yaml").open("a") as settings:
        settings.write("server: {measured_segments: 1}\n")
    assert served.stop() == 0
    served.start()
    served.track("warm", "Order Completed", revenue=200)
    served.wait_for("big", {"warm"})
    served.track("ann", "Order Completed", revenue=200)
    served.wait_for("big", {"warm", "ann"})
    told = {
        label for name, labels in figures(served) if name == "shoal_segment_delay_seconds_count" for label in labels
    }
    assert len(told & {f'segment="{slug}"' for slug in ("buyers", "big", "just-bought")}) == 1
    assert 'segment="(other)"' in told
