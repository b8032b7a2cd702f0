"""Killed at any moment under load: what was acknowledged is there, nothing is told twice, live equals a rebuild."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from threading import Thread

import httpx
import pytest

import shoal

from .conftest import SEGMENTS
from .served import Served, shop

KILLS = int(os.environ.get("SHOAL_KILLS", "2"))


class Sender(Thread):
    """Sends batches until it is stopped; a batch is sent again until it is acknowledged."""

    def __init__(self, served: Served, number: int) -> None:
        super().__init__(daemon=True)
        self.served, self.number = served, number
        self.acknowledged: list[str] = []
        self.stopped = False

    def run(self) -> None:
        r, sent = random.Random(self.number), 0
        with httpx.Client(base_url=str(self.served.http.base_url), timeout=5) as http:
            while not self.stopped:
                batch = [self._call(r, f"{self.number}-{sent + i}") for i in range(r.choice((1, 5, 20)))]
                sent += len(batch)
                while not self.stopped:
                    try:
                        answer = http.post("/v1/batch", json={"batch": batch}, auth=(self.served.write_key, ""))
                    except httpx.TransportError:
                        time.sleep(0.05)
                        continue
                    if answer.status_code == 200:
                        self.acknowledged += [call["messageId"] for call in batch]
                        break
                    time.sleep(0.05)

    def _call(self, r: random.Random, message: str) -> dict[str, object]:
        number = r.randrange(40)
        who, visitor = f"c{number}", f"v{number}"
        if r.random() < 0.1:
            return {
                "type": "identify",
                "userId": who,
                "messageId": message,
                "traits": {"plan": r.choice(("pro", "free"))},
            }
        if r.random() < 0.1:
            return {"type": "identify", "userId": who, "anonymousId": visitor, "messageId": message, "traits": {"n": 1}}
        named = {"userId": who} if r.random() < 0.7 else {"anonymousId": visitor}
        revenue = r.randrange(60)
        return {
            "type": "track",
            "event": "Order Completed",
            "messageId": message,
            "properties": {"revenue": revenue},
            **named,
        }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_under_load(seed: int, tmp_path: Path) -> None:
    """Breaks if an acknowledged call is lost or counted twice, or a change is told again under another number."""
    served = Served(shop(tmp_path / "shop", SEGMENTS))
    r = random.Random(seed)
    senders = [Sender(served, number) for number in range(3)]
    told: dict[str, dict[str, object]] = {}
    try:
        served.start()
        for sender in senders:
            sender.start()
        for _ in range(2):
            time.sleep(r.uniform(0.5, 2.5))
            for change in served.changes():
                told[str(change["id"])] = change
            served.stop(signal.SIGKILL)
            served.start()
        time.sleep(1.0)
        for sender in senders:
            sender.stopped = True
            sender.join(15)
        time.sleep(2.5)  # the last windows of two seconds run out
        everything = served.changes()
        live = {slug: served.members(slug) for slug in SEGMENTS}
        assert served.stop() == 0
    finally:
        served.close()
    by_id = {str(change["id"]): change for change in everything}
    assert len(by_id) == len(everything), "a number was given twice"
    assert {number: by_id.get(number) for number in told} == told, (
        "what was told before the crash is told otherwise now"
    )
    _adds_up(everything, live)
    _is_stored(served.folder, [m for sender in senders for m in sender.acknowledged], live)


def _adds_up(changes: list[dict[str, object]], live: dict[str, set[str]]) -> None:
    found: dict[str, set[str]] = {slug: set() for slug in live}
    for change in changes:
        members = found[str(change["segment"])]
        if change["change"] in ("entered", "unmerged"):
            assert change["customer"] not in members, change
            members.add(str(change["customer"]))
        else:
            assert change["customer"] in members, change
            members.remove(str(change["customer"]))
    assert found == live


def _is_stored(folder: Path, acknowledged: list[str], live: dict[str, set[str]]) -> None:
    """Every acknowledged message is in the store once, and SQL names the members that the server named."""
    with shoal.open(folder) as ws:
        stored = Counter(m for (m,) in ws.store.rows(_messages(ws)))
        assert [m for m in acknowledged if m not in stored] == []
        assert max(stored.values(), default=1) == 1
        found = ws.segments.evaluate()
        try:
            for slug, members in live.items():
                column = found.columns[slug]
                rows = ws.store.rows(
                    f'SELECT c.id FROM {found.table} e JOIN customers c ON c.key = e.customer WHERE e."{column}"'
                )
                assert {customer for (customer,) in rows} == members, slug
        finally:
            found.close()


def _messages(ws: shoal.Workspace) -> str:
    """The message ids of all events and trait changes."""
    names = ws.store.rows(
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'message_id' AND "
        "(table_name LIKE 'event_%' OR table_name LIKE 'trait_%')"
    )
    return " UNION ALL ".join(f"SELECT message_id FROM {name}" for (name,) in names)
