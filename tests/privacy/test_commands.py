"""What commands of the log say of a person leaves them with the person."""

from __future__ import annotations

from shoal.customers.identity.rules import IdentityRules
from shoal.customers.privacy.calls import Traces, without_in_command
from shoal.customers.privacy.person import Person


def traces(*ids: str) -> Traces:
    person = Person(keys=tuple(range(len(ids))), ids=ids, texts=frozenset(ids))
    return Traces(person, frozenset(), IdentityRules())


def test_scores_leave_with_the_id_that_they_belong_to() -> None:
    """Breaks if an erased person's scores slip to the next customer, or stay."""
    body = {"by": "model churn", "customers": ["ann", "bob", "cid"], "rows": [{0: 1}, {0: 2, 1: 5}, {1: 3}]}
    assert without_in_command("score", body, traces("bob")) == {
        "by": "model churn",
        "customers": ["ann", "cid"],
        "rows": [{0: 1}, {1: 3}],
    }
    assert without_in_command("score", body, traces("dora")) is body
    assert without_in_command("score", body, traces("ann", "bob", "cid")) is None
