"""A person is erased while the server runs: from memory, log and store, and from every file when it has stopped."""

from __future__ import annotations

from .served import Served

MARK = "ann-the-only-one"


def test_nothing_of_a_forgotten_person_is_left(served: Served) -> None:
    """Breaks if erasure forgets a place, takes a neighbour along, or a retry of an old call brings the person back."""
    old = {
        "userId": MARK, "event": "Order Completed", "messageId": "first", "properties": {"revenue": 70, "note": MARK},
        "timestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    assert served.send(**old).status_code == 200
    served.send("identify", userId=MARK, anonymousId=f"{MARK}-visitor", traits={"email": f"{MARK}@example.org"})
    served.track("bob", "Order Completed", revenue=50)
    served.wait_for("buyers", {MARK, "bob"})
    export = served.get(f"/v1/profiles/{MARK}/export")
    assert f"{MARK}@example.org" in str(export)
    assert "bob" not in str(export)

    gone = served.http.delete(f"/v1/profiles/email:{MARK}@example.org", headers=served.bearer)
    assert gone.status_code == 200, gone.text
    assert gone.json()["removed"]
    served.wait_for("buyers", {"bob"})
    assert served.http.get(f"/v1/profiles/{MARK}", headers=served.bearer).status_code == 404
    assert served.send(**{**old, "messageId": "again"}).status_code == 200
    served.track("cat", "Order Completed", revenue=50)
    served.wait_for("buyers", {"bob", "cat"})
    assert served.stop() == 0
    holding = [
        path.relative_to(served.folder)
        for path in served.folder.rglob("*")
        if path.is_file() and MARK.encode() in path.read_bytes()
    ]
    assert holding == []
    served.start()
    assert served.members("buyers") == {"bob", "cat"}
