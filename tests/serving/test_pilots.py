"""Pilots beside a running server: started by the command, read over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from .served import shoal

if TYPE_CHECKING:
    from .served import Served

PILOT = """\
name: Thank
owner: crm@example.com
segments: [buyers]
holdout: 50%
kpis: [orders]
end: {end}
cost: {{contact: 0.1}}
margin: 40%
"""


def test_a_pilot_is_started_and_read_beside_a_server(served: Served) -> None:
    """Breaks when a start is lost in the server's store, or HTTP tells another pilot than the command."""
    (served.folder / "pilots").mkdir()
    end = datetime.now(UTC).date() + timedelta(days=30)
    (served.folder / "pilots" / "thank.yaml").write_text(PILOT.format(end=end))
    people = {f"p{i}" for i in range(12)}
    for who in sorted(people):
        served.track(who, "Order Completed", revenue=30)
    served.wait_for("buyers", people)
    assert served.get("/v1/pilots")["pilots"][0]["state"] == "planned"
    begun = json.loads(shoal(served.folder, "pilot", "start", "thank", "--json"))
    (told,) = [one for one in begun["baseline"] if one["segment"] is None]
    assert (told["metric"], told["n"], told["value"]) == ("orders", 12, 1.0)
    served.track("p1", "Order Completed", revenue=50)
    listed = served.get("/v1/pilots")["pilots"][0]
    assert (listed["state"], listed["baseline"]) == ("running", begun["baseline"])
    result = served.get("/v1/pilots/thank/result")
    assert sum(result["customers"].values()) == 12
    assert result["verdict"]["kind"] == "can't be said"
    board = served.get("/v1/scoreboard")
    assert [one["name"] for one in [*board["campaigns"], *board["not_measurable"]]] == ["Thank"]
    assert served.http.get("/v1/pilots/nope/result", headers=served.bearer).status_code == 404
    assert served.http.get("/v1/scoreboard").status_code == 401
