"""A shop in which one person, Anna Quist, is present everywhere, beside neighbours who look like her."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shoal.customers import tracking
from shoal.customers.identity import tables as identity
from shoal.customers.identity.graph import Identities
from shoal.customers.identity.tables import merges_of
from shoal.customers.tracking import Call
from shoal.customers.writer import write_records
from shoal.log import Log
from shoal.log.snapshot import save
from shoal.sql.layout import set_meta
from shoal.workspace import Workspace, create_workspace, open_workspace
from shoal.workspace.live.entries import CALLS, COMMAND, TICK, Command, encode_command, encode_tick

AT = 1_700_000_000_000_000
SECOND = 1_000_000
ANNA = (
    "anna-7731",
    "anna.quist@example.com",
    "Qvarnstedt",
    "+447400123456",
    "browser-aa11",
    "Rosengatan 5",
    "msg-anna-1",
)
"""What must be nowhere once she is forgotten."""
NEIGHBOUR = ("anna-7732", "joanna.quist@example.com", "+447400123457", "browser-bb22", "Rosendal", "msg-jo-1")
"""What must still be there."""

SETTINGS = """shoal: 1
timezone: UTC
purposes: {news: consent}
sources:
  people:
    from: ../files/people.csv
    traits:
      - {customer: customer, take: {email: email, phone: phone, surname: surname, street: street}}
    consent:
      - {customer: customer, granted: news, purpose: news}
  orders:
    from: ../files/orders.csv
    events:
      - event: Order Completed
        customer: customer
        at: at
        id: order
        properties: {revenue: revenue, invited: invited}
"""
PEOPLE = """customer,email,phone,surname,street,news
anna-7731,Anna.Quist@example.com,+44 7400 123456,Qvarnstedt,Rosengatan 5,yes
anna-7732,joanna.quist@example.com,+44 7400 123457,Nyberg,Rosendal,yes
7,seven@example.com,,Seven,Storgatan 7,no
,anna.quist@example.com,,Qvarnstedt,Rosengatan 5,yes
,nobody@example.com,,Nobody,Nowhere 7,yes
"""
ORDERS = """order,customer,at,revenue,invited
o1,anna-7731,2023-10-01T10:00:00Z,10,seven@example.com
o2,anna-7732,2023-10-02T10:00:00Z,20,anna.quist@example.com
o3,7,2023-10-03T10:00:00Z,30,
o4,anna-7731,no time at all,40,
o5,7,never,7,
"""


def _times(data: bytes, word: str) -> int:
    return data.count(word.lower().encode())


@dataclass
class Shop:
    """The shop's folder, the folder of its files (outside of it), and the backup from when Anna was there."""

    root: Path
    files: Path
    backup: Path

    def open(self) -> Workspace:
        """The workspace; the test closes it."""
        return open_workspace(self.root)

    def holding(self, *words: str) -> dict[str, list[str]]:
        """Which files under the workspace hold a word, as bytes."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                data = path.read_bytes().lower()
                for word in words:
                    if _times(data, word) > sum(_times(data, n) for n in NEIGHBOUR if word in n and n != word):
                        found.setdefault(word, []).append(path.name)
        return found


def calls() -> list[list[Call]]:
    """What came in live: each person as a browser first, then by name; and one call of another that speaks of Anna."""
    return [
        [
            Call("track", {"anonymous_id": "browser-aa11"}, AT, "msg-anna-0", AT, "Page Viewed", {"path": "/"}),
            Call("track", {"anonymous_id": "browser-bb22"}, AT, "msg-jo-0", AT, "Page Viewed", {"path": "/"}),
        ],
        [
            Call("identify", {"user_id": "anna-7731", "anonymous_id": "browser-aa11", "email": "Anna.Quist@Example.com",
                  "phone": "+447400123456"}, AT + 1, "msg-anna-1", AT + 1, traits={"surname": "Qvarnstedt"}),
            Call("identify", {"user_id": "anna-7732", "anonymous_id": "browser-bb22", "email": "joanna.quist@example.com",
                  "phone": "+447400123457"},
                 AT + 1, "msg-jo-1", AT + 1, traits={"surname": "Nyberg"}),
        ],
        [
            Call("track", {"user_id": "anna-7732"}, AT + 2, "msg-jo-2", AT + 2, "Friend Invited",
                 {"to": "anna.quist@example.com", "cards": ["anna.quist@example.com", "Rosendal"]}),
        ],
    ]  # fmt: skip


def take(ws: Workspace, batches: list[list[Call]]) -> None:
    """Let calls take effect as the server does, and keep them in the log."""
    graph = Identities(ws.privacy.rules)
    graph.adopt([i for (i,) in ws.store.rows("SELECT id FROM customers ORDER BY key")], AT)
    with Log.open(ws.config.root / ".shoal" / "log") as log:
        for batch in batches:
            changes, records = [], []
            for call in batch:
                told = graph.resolve(call.identifiers, call.ts, call.received)
                changes += told.changes
                records += tracking.records(call, told.customer or "", ws.schema)
            identity.write(ws.store, changes)
            write_records(ws.store, [*merges_of(changes), *records], zone="UTC", received=batch[-1].received)
            log.append(CALLS, tracking.encode(batch))
        log.append(TICK, encode_tick(AT))
        log.append(COMMAND, encode_command(Command("list", AT, {"list": "vip", "customers": ["anna-7731", "7"]})))
        last = log.append(COMMAND, encode_command(Command("unmerge", AT, {"gone": "browser-aa11"})))
        log.wait(last)
    set_meta(ws.store, "log_position", str(last))
    ws.refresh()


def scatter(ws: Workspace) -> None:
    """Dead letters, samples of issues and a snapshot that hold her."""
    change = {"segment": "all", "change": "entered", "at": "2023-11-14T22:13:20Z", "because": "msg"}
    both = [{"id": "1", "customer": "anna-7731", **change}, {"id": "2", "customer": "anna-7732", **change}]
    ws.store.execute(
        "INSERT INTO dead_letters VALUES (1, 'w', 2, ?, 'status 500', 8, ?, NULL), (2, 'w', 3, ?, 'x', 8, ?, NULL)",
        [json.dumps({"changes": both}), AT, json.dumps({"changes": both[:1]}), AT],
    )
    ws.store.execute(
        "INSERT INTO issues_seen VALUES ('Page Viewed', 'age', 'wrong type', 1, ?, ?, 'Qvarnstedt')", [AT, AT]
    )
    save(
        ws.config.root / ".shoal" / "snapshots", 3, {"who": "anna-7731"}, {"mail": np.array(["anna.quist@example.com"])}
    )


def made(folder: Path) -> Shop:
    """Everything loaded, live calls taken, a segment published, a backup made."""
    files, root = folder / "files", folder / "shop"
    files.mkdir()
    (files / "people.csv").write_text(PEOPLE)
    (files / "orders.csv").write_text(ORDERS)
    create_workspace(root, SETTINGS)
    with open_workspace(root) as ws:
        ws.load()
        take(ws, calls())
        ws.lists.add("vip", ["anna-7731", "7"])
        ws.segments.add("All", 'did "Order Completed"', why="Everybody.")
        scatter(ws)
        ws.backup(folder / "old.zip")
    return Shop(root, files, folder / "old.zip")
