"""Scenarios of identity: who a call belongs to, when two become one, and when they don't."""

from __future__ import annotations

import pytest

from shoal.customers.identity.changes import Change, Conflict, Ignored, Linked, Merged, Repointed, Separated, SetAside
from shoal.customers.identity.graph import Identities
from shoal.customers.identity.rules import IdentityRules, KindRule
from shoal.errors import UnknownName


class Browser:
    """Calls in order, a second apart."""

    def __init__(self, rules: IdentityRules | None = None) -> None:
        self.graph = Identities(rules)
        self.at = 0
        self.changes: tuple[Change, ...] = ()

    def call(self, at: int | None = None, **identifiers: object) -> str | None:
        self.at += 1
        customer, self.changes, _ = self.graph.resolve(identifiers, self.at if at is None else at, self.at)
        return customer


@pytest.fixture
def site() -> Browser:
    return Browser()


def test_a_known_identifier_finds_its_customer_and_changes_nothing(site: Browser) -> None:
    """Breaks if a repeated call links or makes anything."""
    assert site.call(user_id="ann", anonymous_id="b1") == "ann"
    assert [type(change) for change in site.changes] == [Linked, Linked]
    for identifiers in ({"user_id": "ann"}, {"anonymous_id": "b1"}, {"anonymous_id": " b1 ", "email": None}):
        assert site.call(**identifiers) == "ann"
        assert site.changes == ()
    assert site.graph.identifiers("ann") == [("user_id", "ann"), ("anonymous_id", "b1")]


def test_late_identify(site: Browser) -> None:
    """Breaks if a visitor's past is lost at login, or the customer keeps a browser's id where they have a user id."""
    assert site.call(anonymous_id="b1") == "b1"
    assert site.call(anonymous_id="b1", email="Ann@x.org") == "b1"
    assert site.call(anonymous_id="b1", user_id="ann") == "ann"
    assert site.changes[-1] == Merged("ann", "b1", "user_id and anonymous_id came in one call", 3, 3)
    assert site.call(anonymous_id="b1") == site.call(email="ann@x.org") == "ann"
    assert (site.graph.current("b1"), site.graph.merged_ids("ann")) == ("ann", ["b1"])
    assert len(site.graph) == 1


def test_two_logins_on_one_browser(site: Browser) -> None:
    """Breaks if two users of one browser become one person, or the second one's visits go to the first."""
    site.call(anonymous_id="b1")
    site.call(anonymous_id="b1", user_id="ann")
    assert site.call(anonymous_id="b1", user_id="bob") == "bob"
    because = "together they would bear 2 of user_id, and the cap is 1"
    assert site.changes[1:] == (
        Conflict("anonymous_id", "b1", "bob", "ann", because, 3, 3),
        Repointed("anonymous_id", "b1", "ann", "bob", because, 3, 3),
    )
    assert site.call(anonymous_id="b1") == "bob"
    assert (site.graph.current("b1"), site.graph.current("ann")) == ("ann", "ann")
    assert site.call(anonymous_id="b1", user_id="ann") == "ann"
    assert site.call(anonymous_id="b1") == "ann"


def test_a_late_call_belongs_to_whom_the_browser_was_then(site: Browser) -> None:
    """Breaks if a call that was stuck on a phone goes to the user after, or takes the browser back."""
    site.call(at=10, anonymous_id="b1", user_id="ann")
    site.call(at=20, anonymous_id="b1", user_id="bob")
    assert site.call(at=15, anonymous_id="b1") == "ann"
    assert site.call(at=16, anonymous_id="b1", user_id="ann") == "ann"
    assert site.changes == ()
    assert site.call(at=17, anonymous_id="b1", user_id="cid") == "cid"
    assert not any(isinstance(change, Repointed) for change in site.changes)
    assert site.call(at=30, anonymous_id="b1") == "bob"


def test_a_conflict_is_told_once(site: Browser) -> None:
    """Breaks if one shared address fills the merge log."""
    site.call(user_id="ann", email="home@x.org")
    assert site.call(user_id="bob", email="home@x.org") == "bob"
    assert [type(change) for change in site.changes] == [Linked, Conflict]
    assert site.call(user_id="bob", email="home@x.org") == "bob"
    assert site.changes == ()
    assert site.call(email="home@x.org") == "ann", "an address stays with whom it was linked to first"


def test_a_kiosk_is_set_aside() -> None:
    """Breaks if a device that everybody uses goes on saying who somebody is."""
    rules = IdentityRules(kinds=(KindRule("user_id", 1), KindRule("device_id", 20, "move", shared=3)))
    site = Browser(rules)
    for user in ("u1", "u2", "u3"):
        assert site.call(user_id=user, device_id="kiosk") == user
    assert site.call(device_id="kiosk") == "u3"
    assert site.call(user_id="u4", device_id="kiosk") == "u4"
    assert isinstance(site.changes[-1], SetAside)
    assert site.call(device_id="kiosk") is None
    assert site.changes == (Ignored("device_id", "kiosk", "it is shared by many and was set aside"),)
    assert site.call(user_id="u5", device_id="kiosk") == "u5"
    assert site.graph.identifiers("u5") == [("user_id", "u5")]


def test_one_user_on_many_visits_makes_no_kiosk() -> None:
    """Breaks if the same two users are counted anew at each change."""
    site = Browser(IdentityRules(kinds=(KindRule("user_id", 1), KindRule("device_id", 20, "move", shared=2))))
    for turn in range(10):
        user = f"u{turn % 2}"
        assert site.call(user_id=user, device_id="tablet") == user
    assert site.call(device_id="tablet") == "u1"


def test_caps_hold_for_links() -> None:
    """Breaks if a customer gathers more of a kind than the rules allow."""
    site = Browser()
    for n in range(4):
        site.call(user_id="ann", email=f"ann{n}@x.org")
    assert isinstance(site.changes[0], Conflict)
    assert "the cap" in site.changes[0].because
    assert [value for kind, value in site.graph.identifiers("ann") if kind == "email"] == [
        "ann0@x.org", "ann1@x.org", "ann2@x.org",
    ]  # fmt: skip
    other = site.call(email="ann3@x.org")
    assert other != "ann"
    assert site.call(user_id="ann", email="ann3@x.org") == "ann"
    assert site.graph.current(str(other)) == other


def test_a_kind_of_lower_priority_never_moves_a_higher_one(site: Browser) -> None:
    """Breaks if a cap on browsers gives a browser away, or an address decides against a user id."""
    site.call(user_id="ann", email="a@x.org")
    assert site.call(user_id="bob", email="a@x.org", anonymous_id="b9") == "bob"
    assert site.call(anonymous_id="b9") == "bob"
    assert site.call(email="a@x.org", anonymous_id="b9") == "ann", "the address says whose call it is"
    assert site.call(anonymous_id="b9") == "ann"


def test_who_stays_is_stated(site: Browser) -> None:
    """Breaks if the survivor depends on the order within a call."""
    site.call(anonymous_id="z")
    site.call(anonymous_id="a", email="a@x.org")
    assert site.call(email="a@x.org", anonymous_id="z") == "a", "the higher kind stays"
    site.call(anonymous_id="first", device_id="d1")
    site.call(anonymous_id="earlier", device_id="d2")
    assert site.call(anonymous_id="earlier", device_id="d1") == "first", "else who came first stays"
    graph = Identities()
    for one in ("y", "x"):
        graph.resolve({"anonymous_id": one, "device_id": f"d-{one}"}, 0, 0)
    assert graph.resolve({"anonymous_id": "y", "device_id": "d-x"}, 0, 0).customer == "x", "else the lesser id"


def test_blocked_values_are_ignored_and_counted(site: Browser) -> None:
    """Breaks if a placeholder identifies, raises, or vanishes without a trace."""
    assert site.call(user_id="null", email="test@x.org") is None
    assert [change.because for change in site.changes] == [
        "it stands for an unknown value",
        "it is blocked by the rules",
    ]
    assert site.call(user_id="undefined", anonymous_id="b1") == "b1"
    assert site.call() is None
    assert site.graph.ignored == {
        ("user_id", "it stands for an unknown value"): 2,
        ("email", "it is blocked by the rules"): 1,
    }


def test_ids_are_named_after_what_is_known(site: Browser) -> None:
    """Breaks if an id that somebody bears is given again, or an address becomes an id."""
    assert site.call(email="ann@x.org", anonymous_id="b1") == "b1"
    by_address = site.call(email="bob@x.org")
    assert by_address is not None
    assert by_address.startswith("anon-")
    assert "bob" not in by_address
    assert Identities().resolve({"email": "bob@x.org"}, 5, 5).customer == by_address
    assert site.call(anonymous_id="same") == "same"
    assert site.call(user_id="same") == "user-same"
    assert site.call(user_id="other") == "other"
    assert site.call(anonymous_id="other") == "anon-other"
    assert site.call(user_id="same") == "user-same"


def test_customers_of_files_are_found_by_their_id(site: Browser) -> None:
    """Breaks if a login makes a second customer of one whom the files know."""
    site.graph.adopt(["C1", "null", "C1"], 1)
    assert site.call(user_id="C1", anonymous_id="b1") == "C1"
    assert site.call(anonymous_id="b1") == "C1"
    assert site.graph.current("null") == "null"
    assert site.graph.identifiers("null") == []
    assert len(site.graph) == 2


def test_alias_joins_two_user_ids(site: Browser) -> None:
    """Breaks if a renamed account stays two customers."""
    site.call(user_id="ann@x.org", anonymous_id="b1")
    site.call(user_id="u-1")
    assert site.graph.alias("ann@x.org", "u-1", 9, 9).customer == "u-1"
    assert site.call(user_id="ann@x.org") == site.call(anonymous_id="b1") == "u-1"
    site.call(anonymous_id="b2")
    assert site.call(user_id="u-1", anonymous_id="b2") == "u-1", "who bears two user ids still takes in browsers"
    assert site.graph.alias("ann@x.org", "u-1", 10, 10).changes == ()


def test_alias_of_a_browser_is_evidence_like_any_other(site: Browser) -> None:
    """Breaks if a second user's sign-up on a shared browser swallows the first user."""
    site.call(user_id="ann", anonymous_id="b1")
    found = site.graph.alias("b1", "bob", 5, 5)
    assert (found.customer, found.new) == ("bob", True)
    assert site.graph.current("ann") == "ann"
    assert site.call(at=6, anonymous_id="b1") == "bob"
    site.call(anonymous_id="b2")
    assert site.graph.alias("b2", "bob", 6, 6).customer == "bob"
    assert site.graph.current("b2") == "bob"
    assert site.graph.alias("b3", "bob", 7, 7).changes[0] == Linked(
        "anonymous_id", "b3", "bob", "it came with user_id", 7, 7
    )
    assert site.graph.alias("null", "bob", 8, 8).customer == "bob"
    assert site.graph.alias("b3", "null", 8, 8).customer is None


def test_unmerge_restores_both(site: Browser) -> None:
    """Breaks if identifiers stay where the merge brought them, or later ones leave."""
    site.call(anonymous_id="b1", device_id="d1")
    site.call(user_id="ann")
    site.call(user_id="ann", anonymous_id="b1")
    site.call(user_id="ann", email="ann@x.org")
    site.call(anonymous_id="b1", phone="+447400123456")
    assert site.graph.unmerge("b1", 9, 9) == (Separated("ann", "b1", "it was taken back", 9, 9),)
    assert site.graph.identifiers("b1") == [("anonymous_id", "b1"), ("device_id", "d1")]
    assert site.graph.identifiers("ann") == [("user_id", "ann"), ("email", "ann@x.org"), ("phone", "+447400123456")]
    assert site.graph.unmerge("b1", 10, 10) == ()
    assert (site.call(anonymous_id="b1"), site.call(device_id="d1"), site.graph.current("b1")) == ("b1", "b1", "b1")


def test_what_was_unmerged_stays_apart_until_somebody_says_otherwise(site: Browser) -> None:
    """Breaks if the next call of the same browser redoes what a person took back."""
    site.call(anonymous_id="b1")
    site.call(user_id="ann", anonymous_id="b1")
    site.graph.unmerge("b1", 5, 5)
    assert site.call(user_id="ann", anonymous_id="b1") == "ann"
    assert isinstance(site.changes[0], Conflict)
    assert site.call(anonymous_id="b1") == "b1"
    site.call(anonymous_id="b1", device_id="d1")
    assert site.call(user_id="ann", device_id="d1") == "ann"
    assert site.graph.current("b1") == "b1"
    assert [type(c) for c in site.graph.merge("ann", "b1", "a person says so", 7, 7)] == [Merged]
    assert site.call(anonymous_id="b1") == "ann"


def test_chains_of_merges_are_taken_apart_link_by_link(site: Browser) -> None:
    """Breaks if an unmerge in the middle frees those below, or leaves them behind."""
    site.call(anonymous_id="c", device_id="d1")
    site.call(anonymous_id="b", email="b@x.org")
    site.call(email="b@x.org", device_id="d1")
    site.call(user_id="a", email="b@x.org")
    assert [site.graph.current(one) for one in "abc"] == ["a", "a", "a"]
    site.graph.unmerge("b", 9, 9)
    assert [site.graph.current(one) for one in "abc"] == ["a", "b", "b"]
    site.graph.unmerge("c", 9, 9)
    assert [site.graph.current(one) for one in "abc"] == ["a", "b", "c"]
    assert site.call(user_id="a", device_id="d1") == "a", "c was never separated from a"
    assert site.graph.current("c") == "a"


def test_forget_removes_everything_of_a_person(site: Browser) -> None:
    """Breaks if a value, an old id or a text in memory outlives the person."""
    site.call(anonymous_id="b1", email="ann.secret@x.org")
    site.call(user_id="ann", anonymous_id="b1")
    site.call(user_id="bob", anonymous_id="b2")
    gone = site.graph.forget("b1")
    assert set(gone.customers) == {"ann", "b1"}
    assert set(gone.values) == {("user_id", "ann"), ("anonymous_id", "b1"), ("email", "ann.secret@x.org")}
    assert [site.graph.current(one) for one in ("ann", "b1", "bob")] == [None, None, "bob"]
    assert site.graph.find_any("ann.secret@x.org") is None
    assert len(site.graph) == 1
    with pytest.raises(UnknownName):
        site.graph.forget("ann")
    assert site.call(anonymous_id="b1") == "b1"
    assert isinstance(site.changes[0], Linked), "they come back as a stranger"


def test_forget_keeps_the_id_of_another_whose_browser_moved(site: Browser) -> None:
    """Breaks if the id of one who stays goes with the browser of one who leaves."""
    site.call(anonymous_id="b1")
    site.call(user_id="ann", anonymous_id="b1")
    site.call(user_id="bob", anonymous_id="b1")
    site.graph.forget("bob")
    assert (site.graph.current("b1"), site.graph.merged_ids("ann")) == ("ann", ["b1"])
    assert site.call(anonymous_id="b1") not in ("ann", "bob", None)


def test_any_text_finds_a_customer(site: Browser) -> None:
    """Breaks if the profile page can't be reached by what the reader has at hand."""
    site.call(user_id="ann", email="ann@x.org", phone="+447400123456", card="77")
    for text in ("ann", " ANN@x.org", "+44 7400 123456", "77"):
        assert site.graph.find_any(text) == "ann"
    assert site.graph.find("card", "77") == "ann"
    assert site.graph.find("badge", "77") is None
    with pytest.raises(UnknownName):
        site.graph.identifiers("nobody")
