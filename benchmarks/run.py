"""Runs the benchmarks: ``python -m benchmarks.run [--quick] [--only NAMES]``; ``--help`` lists the names.

Writes one JSON file a benchmark and a table of all into ``benchmarks/results``. The made data lies in the folder that the
environment variable ``BENCH_DATA`` names, which is kept, or else in a temporary one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import btyd, discovering, evaluating, experimenting, figuring, loading, predicting, report
from benchmarks.generate import FULL, QUICK, TINY, Size, generate
from benchmarks.live import SEGMENTS, live
from benchmarks.measure import apart, surroundings
from benchmarks.serving import serving
from benchmarks.starting import serving as started
from benchmarks.starting import starting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Benchmark = Callable[[Path, Path, Size, Sequence[int]], dict[str, Any]]

SIZES = {"full": FULL, "quick": QUICK, "tiny": TINY}
RESULTS = Path(__file__).parent / "results"


def load(data: Path, work: Path, size: Size, counts: Sequence[int]) -> dict[str, Any]:
    """Loading, by the public door and by the bulk door, against DuckDB alone."""
    shutil.rmtree(work / "workspace", ignore_errors=True)
    with _emptied(work / "scratch") as scratch:
        alone = apart(loading.baseline, data, scratch)
        bulk = apart(loading.bulk, data, scratch)
        dropping = apart(loading.workspace, data, scratch / "dropping", "drop")
    load = apart(loading.workspace, data, work / "workspace")
    return {"baseline": alone, "bulk": bulk, "dropping": dropping, "load": load}


def segments(data: Path, work: Path, size: Size, counts: Sequence[int]) -> dict[str, Any]:
    """All segments together, each alone, and one query per segment; the answers must be equal."""
    store = _loaded(data, work)
    found: dict[str, Any] = {}
    for count in counts:
        ours = apart(evaluating.together, store, count)
        now, sizes = ours.pop("now"), ours.pop("sizes")
        found[str(count)] = {"together": ours, "members": sum(sizes)}
        for name, favoured in (("baseline", False), ("favoured", True)):
            theirs = apart(evaluating.one_by_one, store, count, now, favoured)
            if theirs.pop("sizes") != sizes:
                raise AssertionError(f"{count} segments have other members in the queries by hand ({name})")
            found[str(count)][name] = theirs
    alone = apart(evaluating.each_alone, store, counts[0], now)
    if alone.pop("sizes") != sizes[: counts[0]]:
        raise AssertionError("segments have other members when they are evaluated alone")
    found[str(counts[0])]["alone"] = alone
    return {"counts": found, "why": apart(evaluating.why, store)}


def served(data: Path, work: Path, size: Size, counts: Sequence[int]) -> dict[str, Any]:
    """A served workspace under load; it works on a copy, since what is sent stays."""
    with _emptied(work / "served") as scratch:
        shutil.copytree(_loaded(data, work), scratch / "workspace")
        return serving(scratch / "workspace", size.customers, SEGMENTS)


def start(data: Path, work: Path, size: Size, counts: Sequence[int]) -> dict[str, Any]:
    """Starting a process, and a server; it works on a copy."""
    with _emptied(work / "started") as scratch:
        shutil.copytree(_loaded(data, work), scratch / "workspace")
        return {"processes": starting(), "served": started(scratch / "workspace", size.customers, SEGMENTS)}


def predict(data: Path, work: Path, size: Size, counts: Sequence[int]) -> dict[str, Any]:
    """The purchase models on drawn customers, and value and churn of a whole store; on copies, since scores are written."""
    found: dict[str, Any] = {"drawn": btyd.measured(size.customers, predicting.SEED)}
    for name, action in (("store", predicting.whole), ("steps", predicting.by_step)):
        with _emptied(work / "predicted") as scratch:
            shutil.copytree(_loaded(data, work), scratch / "workspace")
            found[name] = apart(action, scratch / "workspace")
    return found


def discover(data: Path, work: Path, size: Size, counts: Sequence[int]) -> dict[str, Any]:
    """Discovery on drawn customers against a plain script, and on a whole store; it works on a copy."""
    found = {"ours": apart(discovering.ours, size.customers), "plain": apart(discovering.plain, size.customers)}
    with _emptied(work / "discovered") as scratch:
        shutil.copytree(_loaded(data, work), scratch / "workspace")
        found["store"] = apart(discovering.store, scratch / "workspace")
    return found


def experiments(data: Path, work: Path, size: Size, counts: Sequence[int]) -> dict[str, Any]:
    """A result of three arms and five metrics on ten exposures a customer of the size, beside pandas and statsmodels."""
    with _emptied(work / "experiments") as scratch:
        apart(experimenting.make, scratch, 10 * size.customers)
        ours, theirs = apart(experimenting.ours, scratch), experimenting.theirs(scratch)
    experimenting.hold_equal(ours, theirs)
    return {"ours": ours, "theirs": theirs}


def figures(data: Path, work: Path, size: Size, counts: Sequence[int]) -> dict[str, Any]:
    """Metrics over a year of months, against a query by hand for each; the figures must be equal."""
    store = _loaded(data, work)
    ours, theirs = apart(figuring.ours, store), apart(figuring.by_hand, store)
    mine, other = ours.pop("values"), theirs.pop("values")
    for slug, values in mine.items():
        # The first month has none before it in the queries by hand.
        for place, (one, two) in enumerate(zip(values, other[slug], strict=True)):
            if (place or slug != "retention-rate") and abs((one or 0) - (two or 0)) > 1e-6 * max(1.0, abs(one or 0)):
                raise AssertionError(f"{slug} is another in the query by hand: {one} and {two} in month {place}")
    return {"ours": ours, "by_hand": theirs}


BENCHMARKS: dict[str, Benchmark] = {
    "load": load, "segments": segments, "live": live, "serving": served, "start": start,
    "predict": predict, "discover": discover, "figures": figures, "experiments": experiments,
}  # fmt: skip


def run(size: str, only: Sequence[str], counts: Sequence[int], results: Path) -> str:
    """Run benchmarks and write what they found.

    Args:
        size: ``full``, ``quick`` or ``tiny``.
        only: which benchmarks.
        counts: how many segments, each number for itself.
        results: the folder for what is found.

    Returns:
        The table of all results of this size, in Markdown.
    """
    results.mkdir(parents=True, exist_ok=True)
    with _place() as place:
        data = Path(apart(_generated, place, SIZES[size])["data"])
        work = place / f"work-{size}"
        work.mkdir(exist_ok=True)
        for name in only:
            around = surroundings()
            found = BENCHMARKS[name](data, work, SIZES[size], counts)
            document = {"benchmark": name, "size": size, **around, "found": found}
            path = results / f"{size}-{name}.json"
            path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            print(report.section(document), flush=True)
    text = report.page(size, SIZES[size], [results / f"{size}-{name}.json" for name in BENCHMARKS])
    (results / f"{size}.md").write_text(text, encoding="utf-8")
    return text


def _generated(place: Path, size: Size) -> dict[str, Any]:
    """Make the data in a process of its own: what a process once held counts in the peaks of its children."""
    return {"data": str(generate(place, size))}


def _loaded(data: Path, work: Path) -> Path:
    """The workspace that ``load`` left, or a new one."""
    store = work / "workspace"
    if not (store / ".shoal" / "store.duckdb").exists():
        shutil.rmtree(store, ignore_errors=True)
        apart(loading.workspace, data, store)
    return store


@contextmanager
def _place() -> Iterator[Path]:
    kept = os.environ.get("BENCH_DATA")
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)
        return
    with tempfile.TemporaryDirectory(prefix="shoal-bench-") as folder:
        yield Path(folder)


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=(__doc__ or "").splitlines()[0])
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="50,000 customers and 1.5 million events")
    sizes.add_argument("--tiny", action="store_true", help="2,000 customers and 40,000 events: does it run?")
    parser.add_argument("--only", default=",".join(BENCHMARKS), help="some of: %(default)s")
    parser.add_argument("--segments", default="10,50,200", help="how many segments (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for what is found")
    given = parser.parse_args()
    size = "quick" if given.quick else "tiny" if given.tiny else "full"
    only = given.only.split(",")
    if unknown := set(only) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {min(unknown)!r}; there are {', '.join(BENCHMARKS)}")
    run(size, only, [int(count) for count in given.segments.split(",")], given.results)


if __name__ == "__main__":
    main()
