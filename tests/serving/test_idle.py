"""What a live workspace does when nothing comes: it packs what came once, and then only waits."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from shoal.customers.tracking import Call
from shoal.live import engine as engine_module
from shoal.live.table import Table
from shoal.workspace.live import Live, service

from .served import shop
from .test_score_ties import alive

PEOPLE, EACH = 60, 5


def calls(live: Live) -> list[Call]:
    """Events of people who are unknown at first and say later who they are, so that each becomes one of two customers."""
    now = live.clock.now()
    found = []
    for number in range(PEOPLE * EACH):
        who = number % PEOPLE
        names = {"anonymous_id": f"a{who}"} if number < PEOPLE * EACH // 2 else {"user_id": f"u{who}"}
        found.append(Call("track", names, now, f"m{number}", now, "Seen", {"page": f"p{number % 7}"}))
    both = [
        Call("identify", {"anonymous_id": f"a{who}", "user_id": f"u{who}"}, now, f"i{who}", now, traits={"plan": "pro"})
        for who in range(PEOPLE)
    ]
    return found + both


async def send(live: Live, what: list[Call]) -> None:
    done: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
    live.intake.submit(what, done.set_result)
    assert await done is None


def test_a_quiet_server_packs_what_came_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if an idle server goes on packing the same entries, as those of merged customers, at every look."""
    monkeypatch.setattr(service, "LOOK", 0.02)
    monkeypatch.setattr(service, "QUIET", 0.1)
    monkeypatch.setattr(service, "IDLE", 0.01)
    monkeypatch.setattr(engine_module, "_LOOSE", 5)
    packed: list[str] = []
    looks: list[bool] = []
    compact, look = Table.compact, engine_module.Engine.compact

    def counted(table: Table) -> None:
        packed.append(table.name)
        compact(table)

    def looked(engine: engine_module.Engine, *, idle: bool) -> bool:
        found = look(engine, idle=idle)
        looks.append(idle)
        return found

    monkeypatch.setattr(Table, "compact", counted)
    monkeypatch.setattr(engine_module.Engine, "compact", looked)
    folder = shop(tmp_path / "shop", {"often": 'did "Seen" at least 3 times in last 7 days'})
    with alive(folder) as live:
        asyncio.run(send(live, calls(live)))
        live.settle()
        assert len(live.core.engine.state.people.merges) == PEOPLE
        assert live.core.engine.size("often") == PEOPLE
        looks.clear()
        wait_for(looks, 40)
        table = live.core.engine.state.events["Seen"]
        assert "Seen" in packed
        assert (table.loose, table.settled > 0) == (0, True), "what is of merged customers stays beside the base"
        packed.clear()
        looks.clear()
        wait_for(looks, 80)
        assert packed == []
        assert all(looks), "nothing came, so that nobody is waited for"
        assert live.core.engine.size("often") == PEOPLE


def wait_for(looks: list[bool], many: int) -> None:
    deadline = time.monotonic() + 60
    while len(looks) < many:
        assert time.monotonic() < deadline
        time.sleep(0.02)
