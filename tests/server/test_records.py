"""What a call becomes: the log's bytes, and records that the store takes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from shoal.customers.tracking import Call, decode, encode, flat, records
from shoal.customers.writer import write_records
from shoal.errors import StoreError
from shoal.lang.schema import Basis, Kind, PropertyType, Schema
from shoal.shapes import ConsentChange, Event, Point, TraitChange
from shoal.sql.duck import create_store

NAIROBI = Schema(
    traits={
        "born": Kind.DATE, "seen": Kind.INSTANT, "note": Kind.TEXT, "address.city": Kind.TEXT, "address.zip": Kind.TEXT,
        "account.since": Kind.DATE,
    },
    events={
        "Bought": {
            "at": PropertyType(Kind.INSTANT), "code": PropertyType(Kind.TEXT),
            "items": PropertyType(Kind.OBJECTS, {"due": Kind.TEXT}),
        }
    },
    purposes={"ads": Basis.CONSENT},
    zone="Africa/Nairobi",
)  # fmt: skip


def call(kind: str, **more: Any) -> Call:
    return Call(kind, {"user_id": "u1"}, 100, "m1", 200, **more)


# --------------------------------------------------------------------------- the log


FROZEN = bytes.fromhex(
    "01919ba5747261636b81a7757365725f6964a2753164a26d31ccc8a6426f7567687481a7726576656e7565cb4029000000000000c0c0c090"
)
WITHOUT_DEFAULTS = bytes.fromhex("019195a5747261636b81a7757365725f6964a2753164a26d31ccc8")


def test_the_bytes_of_a_first_version_are_read_for_ever() -> None:
    """Breaks when a change of ``Call`` makes older logs unreadable."""
    assert decode(FROZEN) == [call("track", name="Bought", properties={"revenue": 12.5})]
    assert decode(WITHOUT_DEFAULTS) == [call("track")]


def test_calls_come_back_from_their_bytes() -> None:
    """Breaks when a field isn't written, or a number that no log can hold stops the log."""
    calls = [
        call("track", name="E", properties={"a": [{"b": 1}], "c": None, "d": "é"}, marks=("clock",)),
        call("group", traits={"x": True}, group="g", consents={"ads": False}),
    ]
    assert decode(encode(calls)) == calls
    huge = call("track", name="E", properties={"a": 10**40, "b": [-(10**400)], "c": 5})
    assert decode(encode([huge]))[0].properties == {"a": 1e300, "b": [-1e300], "c": 5}


@pytest.mark.parametrize("payload", [b"", b"\x02\x90", b"\x01", b"\x01\x91", b"\x01\x91\x91\x05"])
def test_other_bytes_are_refused(payload: bytes) -> None:
    """Breaks when an entry of another version is guessed at."""
    with pytest.raises(StoreError):
        decode(payload)


# --------------------------------------------------------------------------- flat values


def test_nested_objects_become_dotted_names() -> None:
    """Breaks when a part of an object can't be named in the language, or a shape without a type is kept in silence."""
    odd: list[str] = []
    place = {"latitude": -1.28, "longitude": 36.8}
    values = {
        "a": {"b": {"c": 1}, "d": None}, "home": place, "far": {"latitude": 91, "longitude": 0}, "ids": [1, "x", True, None, 0.5],
        "items": [{"sku": "s", "size": {"w": 2}, "tags": ["t"]}], "mixed": [1, {"a": 2}], "lists": [[1]], "none": [], "empty": {},
        "deep": {"1": {"2": {"3": {"4": {"5": {"6": 1}}}}}},
    }  # fmt: skip
    assert flat(values, odd) == {
        "a.b.c": 1, "a.d": None, "home": place, "far.latitude": 91, "far.longitude": 0, "ids": ["1", "x", "true", "0.5"],
        "items": [{"sku": "s", "size.w": 2}], "none": [],
    }  # fmt: skip
    assert odd == ["shape:mixed", "shape:lists", "shape:deep.1.2.3.4.5"]
    plain = {"a": 1, "b": None}
    assert flat(plain, odd) is plain


# --------------------------------------------------------------------------- records


def test_an_event_keeps_its_properties_and_gets_its_dates() -> None:
    """Breaks when an ISO text isn't a date where the schema says so or nothing is known, or is one where text is known."""
    properties = {
        "at": "2026-01-05", "code": "2026-01-05", "first": "2026-01-05", "when": "2026-01-05T10:00:00Z",
        "local": "2026-01-05T10:00", "not": "2026-02-30", "plain": "x", "n": 1, "home": {"latitude": 0, "longitude": 36.8},
        "items": [{"due": "2026-01-05", "new": "2026-01-05"}], "tags": ["2026-01-05"],
    }  # fmt: skip
    (event,) = records(call("track", name="Bought", properties=properties), "c1", NAIROBI)
    assert event == Event("c1", "Bought", 100, event.properties, "m1", 200)  # type: ignore[union-attr]
    assert event.properties == {  # type: ignore[union-attr]
        "at": datetime(2026, 1, 4, 21, tzinfo=UTC), "code": "2026-01-05", "first": date(2026, 1, 5),
        "when": datetime(2026, 1, 5, 10, tzinfo=UTC), "local": "2026-01-05T10:00", "not": "2026-02-30", "plain": "x", "n": 1,
        "home": Point(0.0, 36.8), "items": [{"due": "2026-01-05", "new": date(2026, 1, 5)}], "tags": ["2026-01-05"],
    }  # fmt: skip
    (other,) = records(call("track", name="Bought", properties={"at": "2026-01-05T10:00:00"}), "c1", NAIROBI)
    assert other.properties["at"] == datetime(2026, 1, 5, 7, tzinfo=UTC)  # type: ignore[union-attr]


def test_traits_become_one_change_each() -> None:
    """Breaks when a trait is lost, isn't cleared by null, or a reserved name isn't of its type."""
    traits = {
        "plan": "pro", "born": "1990-05-01T00:00:00.000Z", "createdAt": 1_700_000_000, "created_at": 1_700_000_000_000,
        "birthday": "1990-05-01", "note": None, "address": None, "unknown": None, "account.x": 1,
    }  # fmt: skip
    found = records(call("identify", traits=traits), "c1", NAIROBI)
    assert all(isinstance(r, TraitChange) and r.owner == "c1" and r.scope == "customer" for r in found)
    moment = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert {r.name: r.value for r in found} == {  # type: ignore[union-attr]
        "plan": "pro", "born": date(1990, 5, 1), "createdAt": moment, "created_at": moment, "birthday": date(1990, 5, 1),
        "note": None, "address.city": None, "address.zip": None, "unknown": None,
    }  # fmt: skip


def test_a_group_joins_the_customer_and_tells_of_the_account() -> None:
    """Breaks when the account's traits fall on the customer, or share a message id with the customer's."""
    found = records(call("group", group="acme", traits={"since": "2020-01-01", "name": "Acme"}), "c1", NAIROBI)
    assert found == [
        TraitChange("c1", "account_id", "acme", 100, "m1", 200),
        TraitChange("acme", "since", date(2020, 1, 1), 100, "m1#account", 200, "account"),
        TraitChange("acme", "name", "Acme", 100, "m1#account", 200, "account"),
    ]


def test_consent_is_taken_for_known_purposes_and_an_alias_says_nothing_else() -> None:
    """Breaks when a category that is no purpose makes one up."""
    consents = {"ads": False, "C0002": True}
    assert records(call("alias", consents=consents), "c1", NAIROBI) == [
        ConsentChange("c1", "ads", False, 100, "m1", 200)
    ]


def test_the_store_takes_all_of_it_and_no_message_twice(tmp_path: Path) -> None:
    """Breaks when the records of a call, applied again after a crash, are refused or doubled."""
    calls = [
        Call("track", {}, 10**15, "m1", 10**15, "Bought", {"revenue": 5, "home": {"latitude": 0, "longitude": 1}}),
        Call("identify", {}, 10**15, "m2", 10**15, traits={"plan": "pro", "born": "1990-01-01", "gone": None}),
        Call(
            "group", {}, 10**15, "m3", 10**15, traits={"size": 5, "name": "Acme"}, group="acme", consents={"ads": True}
        ),
    ]
    made = [record for c in calls for record in records(c, "c1", NAIROBI)]
    assert len(made) == 8
    with create_store(tmp_path / "store.duckdb", zone="UTC", now=0, memory="1GB", threads=1) as store:
        first = write_records(store, made, zone="UTC", received=10**15)
        again = write_records(store, made, zone="UTC", received=10**15)
    assert (first.written, first.duplicates, first.mistyped, first.rejected) == (8, 0, 0, 0)
    assert (again.written, again.duplicates) == (0, 8)
