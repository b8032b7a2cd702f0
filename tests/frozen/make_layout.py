"""Makes the frozen example of the store's current layout: ``python tests/frozen/make_layout.py``.

Run it with each engine (``.venv/bin/python``, ``.venv-engines/bin/python``) when a release raises the layout, and commit
what it writes; never again for an older layout. It takes the file as the engine wrote it, so the suite proves that later
engines and releases still open it.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path

from shoal.customers.identity.changes import Linked, Repointed
from shoal.customers.identity.tables import write as write_identity
from shoal.customers.writer import retire_origins, write_events, write_records
from shoal.lang.schema import Kind, PropertyType
from shoal.shapes import ConsentChange, Event, ListChange, Merge, Point, TraitChange
from shoal.sql.duck import create_store
from shoal.sql.tables import LAYOUT

ZONE = "Europe/London"
SECOND = 1_000_000
START = 1_500_000_000 * SECOND

HAS = {
    "customers": "SELECT id, first_ts FROM customers ORDER BY id",
    "orders": "SELECT id, ts, offset_s, message_id, e.received, retired, p1 FROM event_1 AS e JOIN customers ON key = "
    "customer ORDER BY ALL",
    "products": "SELECT ts, item.f1, item.f2 FROM (SELECT ts, unnest(p2) AS item FROM event_1) ORDER BY ALL",
    "plan": "SELECT id, ts, value FROM trait_1 JOIN customers ON key = owner ORDER BY ALL",
    "industry": "SELECT id, ts, value FROM trait_4 JOIN accounts ON key = owner ORDER BY ALL",
    "views": "SELECT e.ts, p3, p4, p5, p1, p2 FROM event_2 AS e ORDER BY ALL",
    "consents": "SELECT purpose, granted, ts FROM consents ORDER BY ALL",
    "lists": "SELECT list, added FROM list_changes ORDER BY ALL",
    "merges": "SELECT received, undone, because FROM merges ORDER BY ALL",
    "identifiers": "SELECT kind, value, id, linked, i.received, retired, founding, seq FROM identifiers AS i JOIN customers "
    "ON key = customer ORDER BY ALL",
    "identity_changes": "SELECT seq, what, c.id, o.id, kind, value, because, ts, i.received FROM identity_changes AS i JOIN "
    "customers AS c ON c.key = customer LEFT JOIN customers AS o ON o.key = other ORDER BY ALL",
    "job_runs": "SELECT * FROM job_runs",
    "people": "SELECT id, mailed, name, role, password, created, removed FROM people ORDER BY id",
    "sign_ins": "SELECT hash, person, created, used, agent FROM sign_ins",
    "sign_in_links": "SELECT hash, person, what, created, expires FROM sign_in_links",
    "audit": "SELECT seq, ts, person, action, about, id, detail FROM audit LEFT JOIN customers ON key = who ORDER BY seq",
    "drafts": "SELECT id, person, kind, about, document, created, changed FROM drafts",
    "issues_seen": "SELECT event, property, problem, times, first, last, sample FROM issues_seen",
    "calendar": "SELECT count(*), min(day), max(day) FROM calendar",
    "meta": "SELECT key, value FROM meta WHERE key IN ('zone', 'created', 'clock_offset', 'log_position') ORDER BY key",
}
"""What the example holds, each as a query that stands with its answer in ``layout_<n>.json``."""

RECORDS = [
    Event("ann", "Order Completed", START, {"revenue": 12.5, "products": [{"sku": "A1", "price": 12.5}]}, "m1"),
    Event("ann", "Order Completed", START + SECOND, {"revenue": 3, "products": [{"sku": "B2", "price": 3}]}, "m2"),
    Event("bob", "Product Viewed", START, {"at": Point(-1.2864, 36.8172), "when": datetime(2020, 1, 1, tzinfo=UTC)}),
    Event("bob", "Product Viewed", START + 1, {"day": date(2020, 1, 1), "tags": ["new", ""], "seen": True}),
    TraitChange("ann", "plan", "free", START),
    TraitChange("ann", "plan", "pro", START + SECOND),
    TraitChange("ann", "age", 44, START),
    TraitChange("ann", "account_id", "acme", START),
    TraitChange("acme", "industry", "Retail", START, scope="account"),
    ConsentChange("ann", "email_marketing", True, START),
    ListChange("vip", "ann", True, START),
    Merge("ann", "bob", START + 5 * SECOND, "same phone"),
]

IDENTITY = [
    Linked("user_id", "dan", "dan", "the first call with this user_id", START, START + SECOND, founding=True),
    Linked("anonymous_id", "b-7", "dan", "it came with user_id", START, START + SECOND),
    Linked("user_id", "eve", "eve", "the first call with this user_id", START + 2, START + 2 * SECOND, founding=True),
    Repointed(
        "anonymous_id", "b-7", "dan", "eve", "together they would bear 2 of user_id", START + 2, START + 2 * SECOND
    ),
]

SIGNED = [
    f"INSERT INTO people VALUES ('p1', 'ann@shop.example', 'Ann', 'admin', 'x', {START}, NULL)",
    f"INSERT INTO people VALUES ('p2', NULL, 'Bob', 'viewer', NULL, {START}, {START + SECOND})",
    f"INSERT INTO sign_ins VALUES ('h1', 'p1', {START}, {START + SECOND}, 'a browser')",
    f"INSERT INTO sign_in_links VALUES ('h2', 'p1', 'invitation', {START}, {START + SECOND})",
    f"INSERT INTO drafts VALUES ('d1', 'p1', 'segment', 'vip', '{{}}', {START}, {START + SECOND})",
    f"INSERT INTO audit VALUES (1, {START}, 'p1', 'signed in', '', NULL, ''), "
    f"(2, {START}, 'p1', 'customer seen', '', (SELECT key FROM customers WHERE id = 'dan'), 'their page')",
]


def main() -> None:
    """Write the packed store and what it holds, beside this file."""
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "store.duckdb"
        with create_store(place, zone=ZONE, now=START, threads=1) as store:
            write_records(store, RECORDS, zone=ZONE, received=START + 9 * SECOND)
            store.execute(
                "CREATE TEMP TABLE loaded AS SELECT 'cid' AS customer_id, ts, NULL::VARCHAR AS message_id, "
                f"(1::BIGINT << 40) + 1 AS origin, 7000000 AS revenue FROM (SELECT {START} AS ts)"
            )
            columns = {"revenue": (PropertyType(Kind.NUMBER), "revenue")}
            write_events(store, "Order Completed", "loaded", columns, zone=ZONE, received=START + 10 * SECOND, load=1)
            retire_origins(store, 1, received=START + 11 * SECOND)
            write_identity(store, IDENTITY)
            store.execute(f"INSERT INTO job_runs VALUES ('refresh', {START}, {START}, {START + SECOND}, 'done', NULL)")
            store.execute(
                f"INSERT INTO issues_seen VALUES ('Order Completed', 'revenue', 'type', 3, {START}, {START}, 'x')"
            )
            for statement in SIGNED:
                store.execute(statement)
            held = {name: {"query": query, "rows": store.rows(query)} for name, query in HAS.items()}
        packed = gzip.compress(place.read_bytes(), 9, mtime=0)
    engine = ".".join(version("duckdb").split(".")[:2])
    (here / f"layout_{LAYOUT}.duckdb-{engine}.gz").write_bytes(packed)
    (here / f"layout_{LAYOUT}.json").write_text(json.dumps(held, indent=1) + "\n")


if __name__ == "__main__":
    main()
