"""Uplift beside a running server: learnt without holding it up, and its segment is in force there."""

from __future__ import annotations

import json
from pathlib import Path

from uplift.worlds import planted

from .served import Served, shoal


def test_who_to_treat_is_in_force_at_the_server(tmp_path: Path) -> None:
    """Breaks when the command needs the store for itself, says other figures beside a server, or its scores wait."""
    folder = planted(tmp_path / "offer", n=1_600)
    shoal(folder, "load")
    options = ("uplift", "offer", "--value", "10", "--cost", "1", "--learner", "t", "--json")
    alone = json.loads(shoal(folder, *options))
    served = Served(folder)
    try:
        served.start()
        beside = json.loads(shoal(folder, *options, "--save", "who-to-treat"))
        assert [one["qini"] for one in beside["arms"]] == [one["qini"] for one in alone["arms"]]
        assert beside["saved"]["members"] > 400
        assert len(served.members("who-to-treat")) == beside["saved"]["members"]
        assert (
            "uplift_who_to_treat" in served.get(f"/v1/profiles/{sorted(served.members('who-to-treat'))[0]}")["scores"]
        )
    finally:
        served.close()
