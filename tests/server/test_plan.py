"""The tracking plan: what it doesn't know is kept, marked and counted; in strict mode it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from shoal.lang.schema import Kind, PropertyType, Schema
from shoal.server.plan import Plan
from shoal.server.settings import CollectSettings

from .recording import Running, running

SCHEMA = Schema(
    traits={"plan": Kind.TEXT, "seen": Kind.INSTANT, "createdAt": Kind.INSTANT, "account.size": Kind.NUMBER},
    events={
        "Bought": {
            "revenue": PropertyType(Kind.NUMBER), "gift": PropertyType(Kind.YESNO), "day": PropertyType(Kind.DATE),
            "tags": PropertyType(Kind.TEXTS), "items": PropertyType(Kind.OBJECTS), "shop": PropertyType(Kind.POINT),
        }
    },
)  # fmt: skip
RIGHT: dict[str, Any] = {
    "revenue": 5, "gift": True, "day": "2026-01-01", "tags": ["a"], "items": [{"sku": "s"}], "new": "x",
    "shop": {"latitude": 0, "longitude": 36.8},
}  # fmt: skip
WRONG: dict[str, Any] = {
    "revenue": True, "gift": "yes", "day": "soon", "tags": "a", "items": ["s"], "shop": "Nairobi",
}  # fmt: skip


@pytest.fixture
def planned() -> Any:
    with running(plan=Plan(SCHEMA)) as live:
        yield live


def test_what_the_plan_knows_bears_no_mark(planned: Running) -> None:
    """Breaks when a value of the right type, a null or a new property is taken for wrong."""
    planned.post("/v1/track", {"userId": "u", "event": "Bought", "properties": RIGHT})
    planned.post("/v1/track", {"userId": "u", "event": "Bought", "properties": dict.fromkeys(WRONG)})
    planned.post("/v1/identify", {"userId": "u", "traits": {"plan": "pro", "createdAt": 1_700_000_000, "x": 1}})
    planned.post("/v1/group", {"userId": "u", "groupId": "g", "traits": {"size": 4, "plan": 7}})
    assert [call.marks for call in planned.intake.calls] == [()] * 4


def test_what_it_does_not_know_is_kept_marked_and_counted(planned: Running) -> None:
    """Breaks when a wrong call is lost without anyone being told, or passes in silence."""
    planned.post("/v1/track", {"userId": "u", "event": "Baught", "properties": RIGHT})
    for name, value in WRONG.items():
        planned.post("/v1/track", {"userId": "u", "event": "Bought", "properties": {name: value}})
    planned.post("/v1/identify", {"userId": "u", "traits": {"plan": 7, "seen": 1_700_000_000}})
    planned.post("/v1/group", {"userId": "u", "groupId": "g", "traits": {"size": "4"}})
    marks = [call.marks for call in planned.intake.calls]
    assert marks[0] == ("unknown-event",)
    assert marks[1:-2] == [(f"wrong-type:{name}",) for name in WRONG]
    assert marks[-2:] == [("wrong-type:plan", "wrong-type:seen"), ("wrong-type:size",)]
    assert planned.intake.calls[1].properties == {"revenue": True}
    counts = planned.app.counts
    assert counts.unknown_events == {"Baught": 1}
    assert counts.marks == {"unknown-event": 1, "wrong-type": len(WRONG) + 3}
    assert counts.wrong_types["Bought.gift"] == 1
    assert counts.wrong_types["(traits).plan"] == 1


def test_strict_mode_refuses_it_and_nothing_else() -> None:
    """Breaks when strict mode lets a wrong call in, or costs the right ones beside it."""
    with running(CollectSettings(strict=True), plan=Plan(SCHEMA)) as live:
        unknown = live.post("/v1/track", {"userId": "u", "event": "Baught"}).json()
        wrong = live.post("/v1/identify", {"userId": "u", "traits": {"plan": 7}}).json()
        assert (unknown["code"], unknown["place"]) == ("unknown-event", "event")
        assert (wrong["code"], wrong["place"]) == ("wrong-type", "traits.plan")
        good = {"type": "track", "userId": "u", "event": "Bought", "properties": RIGHT}
        bad = {**good, "properties": {"revenue": "5"}}
        answer = live.post("/v1/batch", {"batch": [good, bad, {"type": "page", "userId": "u"}]}).json()
        assert [error["place"] for error in answer["errors"]] == ["batch[1].properties.revenue", "batch[2].event"]
        assert len(live.intake.calls) == 1


def test_names_that_senders_make_up_do_not_fill_memory(planned: Running) -> None:
    """Breaks when each new event name costs memory for ever."""
    for start in range(0, 1_500, 500):
        batch = [{"type": "track", "userId": "u", "event": f"E{n}"} for n in range(start, start + 500)]
        assert planned.post("/v1/batch", {"batch": batch}).status_code == 200
    assert len(planned.app.counts.unknown_events) == 1_001
    assert planned.app.counts.unknown_events["(other)"] == 500
