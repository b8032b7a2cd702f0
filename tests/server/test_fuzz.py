"""Whatever anyone sends, the answer is never a 500: bytes, JSON of every shape, headers, and what is kept can be logged."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.clock import StoppedClock
from shoal.customers.tracking import records
from shoal.lang.schema import Basis, Kind, PropertyType, Schema
from shoal.server.plan import Plan
from shoal.server.routes import POSTS

from .recording import KEY, Running, running

SCHEMA = Schema(
    traits={"plan": Kind.TEXT, "born": Kind.DATE, "seen": Kind.INSTANT, "address.city": Kind.TEXT, "home": Kind.POINT},
    events={"E": {"at": PropertyType(Kind.INSTANT), "items": PropertyType(Kind.OBJECTS, {"day": Kind.DATE})}},
    purposes={"ads": Basis.CONSENT},
    zone="Africa/Nairobi",
)
TEXT = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ["E", "track", "page", "2026-01-01", "2026-01-01T00:00:00Z"]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.integers(min_value=10**18, max_value=10**60)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
FIELDS = [
    "type", "event", "userId", "anonymousId", "previousId", "groupId", "name", "category", "properties", "traits",
    "context", "timestamp", "originalTimestamp", "sentAt", "messageId", "integrations", "writeKey",
]  # fmt: skip
OBJECTS = st.dictionaries(
    TEXT | st.sampled_from(["at", "items", "plan", "born", "home", "latitude"]), VALUES, max_size=4
)
CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        "traits": OBJECTS,
        "device": OBJECTS,
        "consent": st.dictionaries(TEXT, VALUES),
        "page": VALUES,
        "ip": TEXT,
    },
)
SHAPES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "userId": st.just("u") | VALUES, "event": st.just("E") | VALUES,
        "type": st.sampled_from(["track", "identify", "page", "group"]),
    },
    optional={
        "properties": OBJECTS, "traits": OBJECTS, "context": CONTEXT | VALUES, "timestamp": VALUES, "sentAt": VALUES,
        "groupId": VALUES, "previousId": VALUES, "messageId": VALUES, "anonymousId": VALUES, "name": VALUES,
    },
)  # fmt: skip
CALLS = SHAPES | st.dictionaries(st.sampled_from(FIELDS) | TEXT, VALUES, max_size=8)
PATHS = st.sampled_from(sorted(POSTS))


@pytest.fixture(scope="module")
def served() -> Any:
    with running(clock=StoppedClock(instant=1_796_000_000_000_000), plan=Plan(SCHEMA)) as live:
        yield live


def never_500(live: Running, path: str, body: bytes, **more: Any) -> None:
    answer = live.post(path, body, **more)
    assert answer.status_code in (200, 400, 401, 413, 415), answer.text
    told = answer.json()
    assert told["success"] is (answer.status_code == 200)
    assert answer.status_code == 200 or {"code", "message", "place", "fix"} <= told.keys()
    for call in live.intake.calls:
        records(call, "c", SCHEMA)
    live.intake.calls.clear()


@settings(max_examples=150)
@given(path=PATHS, body=st.binary(max_size=300), packed=st.booleans())
def test_any_bytes(served: Running, path: str, body: bytes, packed: bool) -> None:
    """Breaks when bytes that nobody meant as a call make a 500."""
    never_500(served, path, gzip.compress(body) if packed else body)
    never_500(served, path, body, headers={"content-encoding": "gzip"})


@settings(max_examples=300)
@given(path=PATHS, call=CALLS)
def test_any_json(served: Running, path: str, call: dict[str, Any]) -> None:
    """Breaks when a call of an odd shape makes a 500, in the log, or in the records that it becomes."""
    never_500(served, path, json.dumps(call).encode())
    never_500(served, path, json.dumps({"batch": [call, {"type": "page", "userId": "u"}], "context": call}).encode())


@settings(max_examples=100)
@given(path=PATHS, body=VALUES, cut=st.integers(0, 40))
def test_any_batch(served: Running, path: str, body: object, cut: int) -> None:
    """Breaks when a batch of an odd shape, or one that is cut off, makes a 500."""
    whole = json.dumps({"batch": body, "sentAt": body, "writeKey": body}).encode()
    never_500(served, path, whole)
    never_500(served, path, whole[: len(whole) - cut])


@settings(max_examples=100)
@given(header=st.text(st.characters(min_codepoint=32, max_codepoint=126)), query=st.text(max_size=30))
def test_any_head(served: Running, header: str, query: str) -> None:
    """Breaks when an odd header or query makes a 500."""
    body = b'{"userId":"u","event":"E"}'
    for name in ("authorization", "content-encoding", "user-agent", "origin", "content-type", "x-forwarded-proto"):
        answer = served.http.post(
            served.address + "/v1/track",
            content=body,
            headers={name: header.strip()},
            params={"writeKey": KEY, "q": query},
        )
        assert answer.status_code in (200, 400, 401, 415)
