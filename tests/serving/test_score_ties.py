"""Two customers become one between two entries of one run of the models: which of their scores counts.

Both hold from the same instant, so the later row of the run does. A naive reading of that rule, the SQL engine, the live
engine, and one that is read anew, from the store or a snapshot, must name the same members after every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import numpy as np
import pytest

import shoal
from shoal.insight.models.model import Score
from shoal.lang.schema import Kind
from shoal.workspace.live import Live
from shoal.workspace.live.scoring import Changed, changed

from .served import shop

CUSTOMERS = [f"c{i}" for i in range(9)]
RISKS = range(4)
SEGMENTS = {f"risk-{n}": f"risk = {n}" for n in RISKS} | {"torn": "risk = 1 and twin != 1"}


@contextmanager
def alive(folder: Path) -> Iterator[Live]:
    """A live workspace in this process."""
    with shoal.open(folder) as workspace:
        live = Live(workspace, RuntimeError)
        live.start()
        try:
            yield live
        finally:
            live.close()


class Story:
    """Runs of a model, and customers who are merged and taken apart again while a run is written.

    Args:
        seed: of the draw.
    """

    def __init__(self, seed: int) -> None:
        self.r = Random(seed)
        self.told: dict[str, tuple[tuple[int, int], int]] = {}
        """By customer, where their newest score stands, and its value."""
        self.gone: dict[str, str] = {}
        self.run = 0

    def score(self, live: Live) -> Iterator[None]:
        """Score everybody, an entry a customer, and something between two entries."""
        self.run += 1
        pieces = list(self._drawn(live).pieces())
        rows = [(piece, i) for piece in pieces for i in range(len(piece.customers))]
        for nth, (piece, i) in enumerate(rows):
            who = piece.customers[i]
            position = live.score(piece._replace(customers=[who], rows=[piece.rows[i]]))
            assert position is not None
            live.wait_for(position)
            self.told[who] = ((self.run, nth), piece.rows[i][0] // 1_000_000)
            if self.r.random() < 0.35:
                self._change_who_is_who(live)
            yield

    def _drawn(self, live: Live) -> Changed:
        """Scores of those who stand for themselves; a value that is written anew, so that every row is a change."""
        live.settle()
        ws = live.workspace
        keys = dict(ws.store.rows("SELECT id, key FROM customers"))
        standing = [who for who in CUSTOMERS if who not in self.gone]
        owners = np.array([keys[who] for who in standing], dtype=np.int32)
        current = {who: self.told.get(who, (0, -1))[1] for who in standing}
        values = np.array([self.r.choice([n for n in RISKS if n != current[who]]) for who in standing], dtype=float)
        columns = [Score(name, Kind.NUMBER, "Drawn.", owners, values) for name in ("risk", "twin")]
        return changed(ws.store, "model drawn", columns, ws.now(), {}, whole=False, complete=False)

    def _change_who_is_who(self, live: Live) -> None:
        standing = [who for who in CUSTOMERS if who not in self.gone]
        if self.gone and self.r.random() < 0.4:
            gone = self.r.choice(sorted(self.gone))
            live.command("unmerge", gone=gone)
            del self.gone[gone]
        elif len(standing) > 2:
            kept, gone = self.r.sample(standing, 2)
            if gone in self.gone.values():
                return
            live.command("merge", kept=kept, gone=gone, because="a test says so")
            self.gone[gone] = kept

    def wanted(self) -> dict[str, set[str]]:
        """The members by the rule, read from nothing but what was told."""
        newest: dict[str, tuple[tuple[int, int], int]] = {}
        for who, told in self.told.items():
            standing = self.gone.get(who, who)
            newest[standing] = max(told, newest.get(standing, told))
        return {f"risk-{n}": {who for who, (_, value) in newest.items() if value == n} for n in RISKS} | {"torn": set()}


def by_engine(live: Live) -> dict[str, set[str]]:
    """The members of this moment."""
    with live.lock:
        return {slug: set(live.core.engine.members(slug)) for slug in SEGMENTS}


def by_sql(live: Live) -> dict[str, set[str]]:
    """The members of this moment, asked of the store."""
    live.settle()
    ws = live.workspace
    with live.own:
        ws.refresh()
        with closing(ws.segments.evaluate()) as found:
            return {slug: set(found.members(slug)["id"].to_pylist()) for slug in SEGMENTS}


@pytest.mark.parametrize("numba", ["1", "0"])
@pytest.mark.parametrize("seed", [0, 3])
def test_all_choose_the_same_score(seed: int, numba: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if one engine takes the score of the one who went and another that of the one who stayed."""
    monkeypatch.setenv("SHOAL_NUMBA", numba)
    folder = shop(tmp_path / "shop", {})
    (folder / "people.csv").write_text("id,plan\n" + "".join(f"{who},basic\n" for who in CUSTOMERS))
    with (folder / "shoal.yaml").open("a") as settings:
        settings.write("sources:\n  people:\n    from: people.csv\n    traits: [{customer: id, take: {plan: plan}}]\n")
    with shoal.open(folder) as workspace:
        workspace.load()
    story = Story(seed)
    with alive(folder) as live:
        for _ in story.score(live):
            pass
        live.settle()
    with shoal.open(folder) as workspace:
        for slug, where in SEGMENTS.items():
            workspace.segments.add(slug, where)
    for _ in range(3):
        with alive(folder) as live:
            assert by_engine(live) == story.wanted()
            for step in story.score(live):
                live.settle()
                assert by_engine(live) == by_sql(live) == story.wanted(), step
