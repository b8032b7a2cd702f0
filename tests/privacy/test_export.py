"""The export holds everything about the person and nothing of others, and is the same in every form."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import TYPE_CHECKING

from tests.privacy.everywhere import ANNA, AT, NEIGHBOUR

from shoal.customers.writer import write_records
from shoal.shapes import Event, Merge, Point

if TYPE_CHECKING:
    from pathlib import Path

    from tests.privacy.everywhere import Shop


def test_everything_about_the_person_is_there(shop: Shop) -> None:
    """Breaks when a part of what is kept is left out."""
    with shop.open() as ws:
        found = ws.privacy.export("email:anna.quist@example.com")
    assert json.loads(json.dumps(found)) == found
    assert found["ids"] == ["anna-7731", "browser-aa11"]
    text = json.dumps(found, ensure_ascii=False).casefold()
    for word in ANNA:
        assert word.casefold() in text, word
    assert [(e["event"], e["properties"]) for e in found["events"]] == [
        ("Order Completed", {"revenue": 10, "invited": "seven@example.com"}),
        ("Page Viewed", {"path": "/"}),
    ]
    assert found["events"][0]["from"] == "../files/orders.csv:2"
    assert [t["value"] for t in found["traits"] if t["trait"] == "surname"] == ["Qvarnstedt", "Qvarnstedt"]
    assert {t["from"] for t in found["traits"] if t["trait"] == "value"} == {"computed"}
    assert [(c["purpose"], c["granted"]) for c in found["consents"]] == [("news", True)]
    assert [(row["list"], row["added"]) for row in found["lists"]] == [("vip", True)]
    assert [(row["segment"], row["change"]) for row in found["memberships"]] == [("all", "entered")]
    assert {(i["kind"], i["value"]) for i in found["identifiers"]} == {
        ("anonymous_id", "browser-aa11"), ("email", "anna.quist@example.com"), ("phone", "+447400123456"),
    }  # fmt: skip
    assert "merged" in {i["what"] for i in found["identity"]}
    assert len(found["quarantine"]) == 2


def test_nothing_of_others_is_there(shop: Shop) -> None:
    """Breaks when an export gives away somebody else: their rows, or their id in a merge that was taken back."""
    with shop.open() as ws:
        merge = Merge("anna-7732", "anna-7731", AT + 9, "a slip", undone=AT + 10)
        write_records(ws.store, [merge], zone="UTC", received=AT + 9)
        found = ws.privacy.export("anna-7731")
    text = json.dumps(found)
    for word in NEIGHBOUR:
        assert word not in text, word
    assert found["identity"][-1]["customer"] == "somebody else"
    assert found["identity"][-1]["because"] == "a slip"


def test_values_of_every_type_are_plain(shop: Shop) -> None:
    """Breaks when a type has no form in JSON, or a number is handed out in millionths."""
    from datetime import UTC, date, datetime

    values = {
        "n": 1.25, "whole": 3, "yes": True, "day": date(2020, 2, 29), "at": datetime(2020, 1, 1, tzinfo=UTC),
        "tags": ["a", "b"], "where": Point(59.3293, 18.0686), "lines": [{"sku": "x", "qty": 2}],
    }  # fmt: skip
    with shop.open() as ws:
        write_records(ws.store, [Event("anna-7731", "Odd", AT + 5, values, "msg-odd")], zone="UTC", received=AT + 5)
        found = ws.privacy.export("anna-7731")
    (odd,) = (e for e in found["events"] if e["event"] == "Odd")
    assert odd["properties"] == {
        **values, "day": "2020-02-29", "at": "2020-01-01T00:00:00Z", "where": {"latitude": 59.3293, "longitude": 18.0686},
    }  # fmt: skip
    assert odd["message_id"] == "msg-odd"


def test_the_archive_can_be_read_by_people_and_machines(shop: Shop, tmp_path: Path) -> None:
    """Breaks when the page runs what a customer typed, or the parts of the archive say different things."""
    with shop.open() as ws:
        write_records(
            ws.store, [Event("anna-7731", "Typed", AT + 5, {"text": "<script>alert(1)</script>"}, "m-t")],
            zone="UTC", received=AT + 5,
        )  # fmt: skip
        found = ws.privacy.export_zip("anna-7731", tmp_path / "person.zip")
    with zipfile.ZipFile(tmp_path / "person.zip") as archive:
        page = archive.read("index.html").decode()
        assert json.loads(archive.read("person.json")) == found
        for name, rows in found.items():
            if isinstance(rows, list) and name != "ids":
                read = list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode())))
                assert len(read) == len(rows), name
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page, "the page needs nothing from elsewhere"
    for title in ("What you did", "What you agreed to", "Groups that you were in"):
        assert title in page
