"""What was found, as Markdown: every figure beside its baseline and the ratio to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from benchmarks.generate import Size


def page(size: str, made: Size, paths: Iterable[Path]) -> str:
    """All results of a size."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    head = f"# Benchmarks, {size}: {made.customers:,} customers, {made.events:,} events\n"
    return "\n".join([head, *(section(document) for document in documents)])


def section(document: dict[str, Any]) -> str:
    """One benchmark."""
    title, table = _TABLES[document["benchmark"]](document["found"])
    machine = f"{document['cpu']}, {document['cores']} cores, {document['memory_gb']} GB, load {document['load_1m']}"
    libraries = f"Python {document['python']}, DuckDB {document['duckdb']}, pyarrow {document['pyarrow']}"
    where = f"Commit {document['commit']}, {document['date']}; {machine}; {libraries}."
    return f"## {title}\n\n{where}\n\n{table}\n"


def _load(found: dict[str, Any]) -> tuple[str, str]:
    base, load = found["baseline"], found["load"]
    rows = [
        _costs("DuckDB alone: copy and sort (baseline)", base, base),
        _costs("Bulk door: `write_events` for each event type", found["bulk"], base),
        _costs("`ws.data.load` of the same file: staging, judging, writing", load, base),
        _costs("the same, with rows left out that repeat others exactly (the default)", found["dropping"], base),
    ]
    steps = ", ".join(f"{step} {seconds:.1f}" for step, seconds in load["steps_cpu_s"].items())
    return "Loading", _table(("", "CPU s", "ratio", "s", "peak MB"), rows) + f"\n\nSteps of the whole, CPU s: {steps}."


def _segments(found: dict[str, Any]) -> tuple[str, str]:
    rows = []
    for count, each in found["counts"].items():
        base = each["baseline"]
        rows.append(_costs(f"{count}: one query per segment, by hand (baseline)", base, base))
        rows.append(
            _costs(
                f"{count}: the same, favoured: traits in columns before, members only counted", each["favoured"], base
            )
        )
        rows.append(_costs(f"{count}: `SqlEngine.evaluate`, all together", each["together"], base))
        if "alone" in each:
            rows.append(_costs(f"{count}: `SqlEngine.evaluate`, each alone", each["alone"], base))
    why = found["why"]
    said = f"{why['cpu_ms']} ms CPU, {why['wall_ms']} ms; worst {why['worst_cpu_ms']} ms CPU"
    note = f"Why, for one customer and segment: median of {why['asked']}: {said}; peak {why['peak_mb']} MB."
    return "Evaluating segments", _table(("", "CPU s", "ratio", "s", "peak MB"), rows) + f"\n\n{note}"


def _live(found: dict[str, Any]) -> tuple[str, str]:
    base, engine, pieces = found["baseline"], found["engine"], found["wave"]["pieces"]
    both = {key: round(engine["load"][key] + engine["build"][key], 3) for key in ("cpu_s", "wall_s")}
    rows = [
        _costs("One query per segment, by hand (baseline)", base, base),
        _costs("Resident engine: load and evaluate all", {**both, "peak_mb": engine["peak_mb"]}, base),
        *(
            _costs(name, {**cost, "peak_mb": engine["peak_mb"]}, base)
            for name, cost in (
                ("of these, to evaluate all", engine["build"]),
                ("after an hour has passed", engine["refresh"]["hour"]),
                ("after a day has passed", engine["refresh"]["day"]),
            )
        ),
        _costs("start from a snapshot", {**found["snapshot"]["start"], "peak_mb": found["snapshot"]["peak_mb"]}, base),
        _costs(
            "a wave at a year's end, in one step", {**found["wave"]["whole"], "peak_mb": found["wave"]["peak_mb"]}, base
        ),
        _costs("the same in pieces, with events between", {**pieces, "peak_mb": found["wave"]["peak_mb"]}, base),
    ]
    preview, idle = engine["preview_ms"], engine["idle_us"]
    fed = [(many, each) for many, each in found["events"].items() if many.isdecimal()]
    notes = [
        f"Preview of a new definition: {preview['median']} ms CPU in the median, {preview['worst']} at worst.",
        f"An idle tick: {idle['p50']} µs, p99 {idle['p99']} µs. Memory: {engine['bytes_per_customer']} bytes a customer.",
        *(
            f"Events {many} at a time: {each['events_per_cpu_s']:,} a CPU second, p50 {each['us']['p50']} µs, "
            f"{_p90(each['us'])}p99 {each['us']['p99']} µs, {each['changes_per_event']} changes of memberships an event."
            f"{_held_up(each)}"
            for many, each in fed
        ),
        f"The wave changes {pieces['changes']:,} memberships in {pieces['steps']} steps: p50 {pieces['ms']['p50']} ms, "
        f"p99 {pieces['ms']['p99']} ms a step.",
    ]
    return "The resident engine", _table(("", "CPU s", "ratio", "s", "peak MB"), rows) + "\n\n" + "\n".join(notes)


def _serving(found: dict[str, Any]) -> tuple[str, str]:
    rows = []
    for pattern, base in found["baseline"].items():
        for name, each in (("an app that does nothing (baseline)", base), ("`shoal serve`", found["served"][pattern])):
            ratio = each["events_per_cpu_s"] / base["events_per_cpu_s"]
            applied = f"{each['applied_per_s']:,}" if "applied_per_s" in each else ""
            figures = (f"{each['events_per_s']:,}", applied, f"{each['events_per_cpu_s']:,}", f"{ratio:.2f}")
            rows.append((f"{pattern}: {name}", *figures, f"{each['p50_ms']}", f"{each['p99_ms']}"))
    head = ("", "acknowledged/s", "in effect/s", "events/CPU s", "ratio", "p50 ms", "p99 ms")
    notes = [
        f"Under half of what takes effect, {pattern}: {each['events_per_s']:,} a second, acknowledged within {each['p50_ms']} ms "
        f"(p50) and {each['p99_ms']} ms (p99); published within {each['published_ms']['p50']:g} ms (p50) and "
        f"{each['published_ms']['p99']:g} ms (p99), by the classes of the server's own histogram."
        for pattern, each in found["half"].items()
    ]
    notes += [
        f"At {each['events_per_s']:,} a second, {pattern}: acknowledged within {each['p50_ms']} ms (p50) and "
        f"{each['p99_ms']} ms (p99)."
        for pattern, each in found.get("floor", {}).items()
    ]
    soon, wave, fitting = found["expiry"], found["wave"], found.get("fitting")
    if fitting:
        notes.append(
            f"While a model of churn is fitted beside it and {fitting['scored'] or 0:,} scores are written "
            f"({fitting['seconds']:g} s, in a process that gives way), at half of the load, one event a request "
            f"({fitting['events_per_s']:,} a second): acknowledged within {fitting['p50_ms']} ms (p50) and "
            f"{fitting['p99_ms']} ms (the worst p99 of three seconds); published within {fitting['published_ms']['p50']:g} ms "
            f"(p50) and {fitting['published_ms']['p99']:g} ms (p99)."
        )
    notes += [
        f"From the exact end of a window until a reader of the stream has the change: p50 {soon['left_p50_ms']} ms, "
        f"p99 {soon['left_p99_ms']} ms; from a call on: p50 {soon['entered_p50_ms']} ms, p99 {soon['entered_p99_ms']} ms. "
        f"Idle: {found['idle_share']:.1%} of a core.",
        f"A wave of {wave['customers']:,} windows that end at one instant: all have left after {wave['all_left_s']} s; of "
        f"{wave['calls']:,} calls meanwhile half are published within {wave['published_ms']['p50']:g} ms, 99 of 100 within "
        f"{wave['published_ms']['p99']:g} ms. Ready after {found['start_s']} s.",
    ]
    title = f"Over HTTP, acknowledged after fsync, {found['segments']} segments, {found['customers']:,} customers"
    return title, _table(head, rows) + "\n\n" + "\n".join(notes)


def _p90(us: dict[str, float]) -> str:
    # Results of before have none.
    return f"p90 {us['p90']} µs, " if "p90" in us else ""


def _held_up(each: dict[str, Any]) -> str:
    if "machine_us" not in each:
        return ""
    machine = each["machine_us"]
    return f" The machine makes of empty slices of {machine['p50']} µs {machine['p90']} (p90) and {machine['p99']} µs (p99)."


def _start(found: dict[str, Any]) -> tuple[str, str]:
    # Results of before had the processes alone.
    processes, served = found.get("processes", found), found.get("served")
    base = processes["python -c pass"]
    rows = [
        (f"`{name}`", f"{each['cpu_s']:.3f}", f"{each['cpu_s'] / base['cpu_s']:.1f}", f"{each['wall_s']:.3f}")
        for name, each in processes.items()
    ]
    table = _table(("", "CPU s", "ratio", "s"), rows)
    return "Starting (medians; the first row is the baseline)", table + ("" if served is None else _served(served))


def _served(found: dict[str, Any]) -> str:
    base = found["store"]
    rows = [
        _costs("from the store (baseline)", base, base),
        _costs("from the snapshot that a stop wrote", found["snapshot"], base),
        _costs(f"from it and the log, killed after {found['events']:,} events more", found["killed"], base),
    ]
    note = (
        f"A stop takes {found['store']['stop_s']:.1f} s with its snapshot of {found['snapshot_mb']:,} MB. "
        f"{found['segments']} segments."
    )
    return f"\n\n`shoal serve` until it is ready:\n\n{_table(('', 'CPU s', 'ratio', 's', 'peak MB'), rows)}\n\n{note}"


def _predict(found: dict[str, Any]) -> tuple[str, str]:
    drawn, store = found["drawn"], found["store"]
    ours, base = _both(drawn["ours"]), _both(drawn.get("lifetimes", drawn["plain"]))
    named = "`lifetimes`" if "lifetimes" in drawn else "scipy, the plain way"
    rows = [_costs(f"BG/NBD, spend and scores: {named} (baseline)", base, base)]
    if "lifetimes" in drawn:
        rows.append(_costs("BG/NBD and expected orders alone: scipy, the plain way", _both(drawn["plain"]), base))
    rows.append(_costs("BG/NBD, spend and scores: `insight.models.btyd`", ours, base))
    rows += [
        _costs(f"of these, to {step}", {**drawn["ours"], **drawn["ours"][step]}, base) for step in ("fit", "score")
    ]
    whole = [
        (f"`ws.models.predict`, {name}", f"{each['cpu_s']:.2f}", f"{each['wall_s']:.1f}", f"{store['peak_mb']:,}")
        for name, each in (
            ("fitted, tried on earlier data, scored, written", store["fitted"]),
            ("again", store["again"]),
        )
    ]
    steps = ", ".join(f"{step} {seconds:.1f}" for step, seconds in found["steps"]["steps_cpu_s"].items())
    note = (
        f"{store['buyers']:,} customers of the store have an order; {store['changed']:,} values were written. Steps, "
        f"CPU s: {steps}."
    )
    head = _table(("", "CPU s", "ratio", "s", "peak MB"), rows)
    parts = (
        head,
        f"Value and churn of the store of {store['customers']:,} customers:",
        _table(("", "CPU s", "s", "peak MB"), whole),
        note,
    )
    return f"Predicting: {drawn['customers']:,} drawn customers, and a store", "\n\n".join(parts)


def _both(way: dict[str, Any]) -> dict[str, Any]:
    """Fit and score together."""
    return {**way, **{key: round(way["fit"][key] + way["score"][key], 3) for key in ("cpu_s", "wall_s")}}


def _discover(found: dict[str, Any]) -> tuple[str, str]:
    ours, base, store = found["ours"], found["plain"], found["store"]
    rows = [
        _costs("scikit-learn: scaled, k-means for each k, silhouette of a sample, ten refits (baseline)", base, base),
        _costs("`discover`: with a test against a cloud without groups, rules and outliers", ours, base),
    ]
    steps = ", ".join(f"{step} {seconds:.1f}" for step, seconds in base["steps_cpu_s"].items())
    notes = [
        f"Fourteen groups were planted. The script found {base['k']}, adjusted Rand index {base['rand']} with them, and its "
        f"refits agree by {base['stability']}; `discover` {ours['k']} ({ours['verdict']}), {ours['rand']}.",
        f"Steps of the script, CPU s: {steps}.",
        f"`ws.discovery.discover` on the store of {store['customers']:,} customers, {store['columns']} columns read from "
        f"events and traits: {store['cpu_s']:.1f} CPU s, {store['wall_s']:.1f} s, peak {store['peak_mb']:,} MB; "
        f"{store['k']} groups, {store['verdict']}.",
    ]
    title = f"Discovery: {ours['customers']:,} drawn customers, {ours['columns']} columns"
    return title, _table(("", "CPU s", "ratio", "s", "peak MB"), rows) + "\n\n" + "\n".join(notes)


def _figures(found: dict[str, Any]) -> tuple[str, str]:
    ours, base = found["ours"], found["by_hand"]
    mine, theirs = ours["compared"] | {"peak_mb": ours["peak_mb"]}, base["queries"] | {"peak_mb": base["peak_mb"]}
    rows = [
        _costs("a query by hand for each metric and month (baseline)", theirs, theirs),
        _costs("`ws.metrics.figures`, the same, with intervals", mine, theirs),
    ]
    every = ours["all"]
    note = (
        f"The same figures. All {ours['metrics']} metrics that stand on the data, over the same months: {every['cpu_s']:.1f} "
        f"CPU s, {every['wall_s']:.1f} s; asked again, as those of finished months are kept, {ours['again']['cpu_s']:.1f} CPU s."
    )
    return f"Figures of 9 metrics over {ours['periods']} months", _table(
        ("", "CPU s", "ratio", "s", "peak MB"), rows
    ) + f"\n\n{note}"


def _experiments(found: dict[str, Any]) -> tuple[str, str]:
    ours, theirs = found["ours"], found["theirs"]
    rows, note = [], f"No baseline: {theirs.get('refused')}."
    if "refused" not in theirs:
        rows.append(_costs(f"{theirs['version']}, from Parquet (baseline)", theirs, theirs))
        note = "Both found the same effects and standard errors."
    rows.append(_costs("`ws.experiments.result`", ours, ours if "refused" in theirs else theirs))
    title = f"A result of 3 arms and 5 metrics on {ours['exposures']:,} exposures"
    return title, _table(("", "CPU s", "ratio", "s", "peak MB"), rows) + f"\n\n{note}"


_TABLES = {
    "load": _load,
    "segments": _segments,
    "live": _live,
    "serving": _serving,
    "start": _start,
    "predict": _predict,
    "discover": _discover,
    "figures": _figures,
    "experiments": _experiments,
}


def _costs(name: str, cost: dict[str, Any], base: dict[str, Any]) -> tuple[str, ...]:
    wall = "" if cost["wall_s"] is None else f"{cost['wall_s']:.1f}"
    return name, f"{cost['cpu_s']:.2f}", f"{cost['cpu_s'] / base['cpu_s']:.2f}", wall, f"{cost['peak_mb']:,}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    line = "| --- |" + " ---: |" * (len(head) - 1)
    return "\n".join(["| " + " | ".join(head) + " |", line, *("| " + " | ".join(row) + " |" for row in rows)])
