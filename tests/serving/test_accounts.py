"""Accounts over HTTP: traits, who belongs to them page by page, and the account in a customer's profile."""

from __future__ import annotations

from .served import Served


def join(served: Served, who: str, account: str, **traits: object) -> None:
    assert served.send("group", userId=who, groupId=account, traits=traits).status_code == 200


def test_an_account_has_traits_and_customers_who_come_and_go(served: Served) -> None:
    """Breaks if an account's traits or members aren't those of this moment, or pages leave somebody out."""
    for i in range(5):
        join(served, f"c{i}", "acme", seats=5 + i, industry="tools")
    join(served, "else", "other", seats=1)
    found = served.get("/v1/accounts/acme", limit=2)
    assert found == {
        "id": "acme", "traits": {"seats": 9, "industry": "tools"}, "size": 5, "members": ["c0", "c1"], "next": "c1",
    }  # fmt: skip
    pages, after = [], ""
    while after is not None:
        page = served.get("/v1/accounts/acme/members", after=after, limit=2)
        pages.append(page["members"])
        after = page["next"]
    assert pages == [["c0", "c1"], ["c2", "c3"], ["c4"]]
    join(served, "c2", "other")
    assert served.get("/v1/accounts/acme")["members"] == ["c0", "c1", "c3", "c4"]
    assert served.get("/v1/accounts") == {"accounts": ["acme", "other"], "next": None}
    assert served.get("/v1/accounts", limit=1) == {"accounts": ["acme"], "next": "acme"}
    (held,) = served.get("/v1/profiles/c2")["accounts"]
    assert (held["id"], held["traits"]) == ("other", {"seats": 1})
    assert held["since"]


def test_whoever_is_merged_belongs_once_and_leaves_with_who_stands_for_them(served: Served) -> None:
    """Breaks if a visitor and the customer they turned out to be count as two."""
    assert served.send("group", anonymousId="v1", groupId="acme").status_code == 200
    join(served, "ann", "acme")
    assert served.get("/v1/accounts/acme")["size"] == 2
    served.send("identify", userId="ann", anonymousId="v1", traits={"plan": "pro"})
    assert served.get("/v1/accounts/acme")["members"] == ["ann"]


def test_accounts_ask_for_a_key_and_are_described(served: Served) -> None:
    """Breaks if accounts can be read without the scope, or the interface's description leaves them out."""
    assert served.http.get("/v1/accounts/acme").status_code == 401
    sender = {"Authorization": f"Bearer {served.write_key}"}
    assert served.http.get("/v1/accounts/acme", headers=sender).status_code == 403
    answer = served.http.get("/v1/accounts/acme", headers=served.bearer)
    assert answer.status_code == 404
    assert "acme" in answer.json()["error"]["problem"]
    paths = served.get("/v1/openapi.json")["paths"]
    assert {"/v1/accounts", "/v1/accounts/{account_id}", "/v1/accounts/{account_id}/members"} <= paths.keys()


def test_a_membership_says_why_where_that_is_asked(served: Served) -> None:
    """Breaks if a profile can't explain itself in one request."""
    served.track("ann", "Order Completed", revenue=150)
    served.wait_for("big", {"ann"})
    plain = served.get("/v1/profiles/ann")["memberships"]
    assert all("why" not in one for one in plain)
    held = {one["segment"]: one["why"] for one in served.get("/v1/profiles/ann", why=True)["memberships"]}
    assert held["big"]["truth"]
    assert 150 in held["big"]["values"].values()
