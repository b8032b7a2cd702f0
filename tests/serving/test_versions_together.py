"""Two processes beside one server that keep versions of the same model at the same moment."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

from tests.models.frame.drawn import drawn_shop

import shoal
from shoal.insight.models import versions
from shoal.workspace.models import restored

from .served import Served

FITS = 15
PATIENCE = 120


def keep_many(folder: Path, who: str, ready: Barrier) -> None:
    """Keep fits of the model, each at the moment at which the other process keeps one."""
    with shoal.open(folder) as workspace:
        model = restored(workspace.models.version("churn"))
        evidence = model.evidence
        for fit in range(FITS):
            model.evidence = replace(evidence, notes=(f"Fit {fit} of {who}.",))
            ready.wait(PATIENCE / 4)
            versions.keep(workspace.store, model, workspace.now(), in_force=True)


def test_two_runs_that_keep_a_fit_at_once_both_keep_it(tmp_path: Path) -> None:
    """Breaks if the second of two runs fails after its fit, or one takes the other's number."""
    folder = drawn_shop(tmp_path / "shop", customers=200)
    with shoal.open(folder) as workspace:
        workspace.load()
        workspace.models.predict(["churn"])
    served = Served(folder)
    try:
        served.start()
        spawn = multiprocessing.get_context("spawn")
        ready = spawn.Barrier(2)
        both = [spawn.Process(target=keep_many, args=(folder, who, ready)) for who in ("one", "two")]
        for process in both:
            process.start()
        for process in both:
            process.join(PATIENCE)
        assert [process.exitcode for process in both] == [0, 0]
        with shoal.open(folder) as workspace:
            kept = workspace.models.versions("churn")
            assert [v.number for v in kept] == list(range(2 * FITS + 1, 0, -1))
            notes = {v.evidence.notes for v in kept}
            assert {(f"Fit {fit} of {who}.",) for fit in range(FITS) for who in ("one", "two")} <= notes
            assert workspace.models.version("churn").evidence.notes[0].startswith("Fit")
    finally:
        served.close()
