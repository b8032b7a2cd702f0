"""Commands of journeys beside a running server: they tell what was collected a moment ago."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .served import shoal

if TYPE_CHECKING:
    from .served import Served


def test_journeys_of_what_was_collected(served: Served) -> None:
    """Breaks when a command can't work beside the server, or lags behind what it acknowledged."""
    for who in ("ann", "bob", "eve"):
        served.track(who, "Page Viewed", url="https://shop.example/?a")
    for who in ("ann", "bob"):
        served.track(who, "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann", "bob"})
    folder = served.folder
    funnel = json.loads(
        shoal(folder, "funnel", "Page Viewed", "Order Completed", "--by", 'url of "Page Viewed"', "--json")
    )
    assert [step["customers"] for step in funnel["steps"]] == [3, 2]
    paths = json.loads(shoal(folder, "paths", "--before", "Order Completed", "--json"))
    assert [(one["path"], one["customers"]) for one in paths["paths"]] == [(["/", "Order Completed"], 2)]
    sessions = json.loads(shoal(folder, "sessions", "--json"))
    assert (sessions["whole"]["sessions"], sessions["whole"]["converted"]["value"]) == (3, 2 / 3)
    assert "Order Completed" in shoal(folder, "cohorts", "--segment", "buyers")
