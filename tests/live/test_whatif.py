"""What is foreseen of one customer is what then happens to them in the whole workspace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from shoal.customers.identity.graph import Identities
from shoal.customers.learning import Types
from shoal.customers.seen import Seen
from shoal.customers.tracking import Call
from shoal.errors import Refused
from shoal.lang.schema import Kind
from shoal.live.engine import Engine
from shoal.workspace.live.core import Core
from shoal.workspace.live.entries import CALLS, COMMAND, TICK, Command, encode_command, encode_tick
from shoal.workspace.live.whatif import FURTHEST, foreseen

from .shop import DAY, NOW, SCHEMA, SECOND, TEXTS, definitions, event, filled, memberships

WITH_ACCOUNTS = replace(SCHEMA, traits={**SCHEMA.traits, "account_id": Kind.TEXT, "account.plan": Kind.TEXT})
"""Customers of the shop may be of companies."""
SEGMENTS = TEXTS | {
    "company": 'count("order" of account in last 30 days) >= 3',
    "planned": 'account.plan = "pro" and did "visit" in last 10 days',
    "steady": 'did "visit" at least 1 times in 2 of last 3 periods of 7 days',
    "top": 'count("visit") in top 20%',
    "went": 'left "big" in last 7 days',
}


def core(seed: int) -> Core:
    """The shop with random customers, some of companies, some merged."""
    engine = filled(Engine(WITH_ACCOUNTS, definitions(SEGMENTS), NOW), seed)
    random = Random(seed)
    for i in range(0, 40, 2):
        engine.add_trait(f"c{i}", "account_id", random.choice(["acme", "bolt"]), NOW - 20 * DAY, f"x{i}")
    engine.add_trait("acme", "account.plan", "pro", NOW - 20 * DAY, "p1")
    engine.refresh('count("visit")', "top 20", NOW - DAY, Fraction(4))
    engine.build()
    identities = Identities()
    identities.adopt([f"c{i}" for i in range(40)], NOW)
    types = Types(WITH_ACCOUNTS.traits, WITH_ACCOUNTS.events)
    made = Core(engine, identities, types, Seen(lambda messages: ()), WITH_ACCOUNTS)
    for kept, gone in (("c1", "c2"), ("c1", "c3"), ("c10", "c4")):
        body = {"kept": kept, "gone": gone, "because": "a test says so"}
        made.apply(1, COMMAND, encode_command(Command("merge", NOW, body)))
    return made


def call(random: Random, number: int, now: int) -> tuple[str, Call]:
    """A call of somebody, as they would send it."""
    customer, name, ts, message, values = event(random, 50_000 + number, now)
    properties: dict[str, Any] = {p: float(v) / SECOND if isinstance(v, int) else v for p, v in values.items()}
    identifiers = {"user_id": customer}
    if random.random() < 0.3:
        traits = {"country": random.choice(["DE", "FR", None]), "age": random.randrange(18, 60)}
        return customer, Call("identify", identifiers, min(ts, now), message, now, traits=traits)
    return customer, Call("track", identifiers, ts, message, now, name=name, properties=properties)


def went(whole: Core, standing: str, calls: list[Call], until: int) -> list[tuple[str, str, int, str]]:
    """What really happens to a customer when the calls come and time goes on."""
    found = list(whole.apply(2, CALLS, b"", calls).changes)
    while whole.engine.now < until or whole.engine.behind:
        found += whole.apply(3, TICK, encode_tick(until)).changes
    return in_order((c.segment, c.what, c.at, c.because) for c in found if c.customer == standing)


def in_order(changes: Iterable[tuple[str, str, int, str]]) -> list[tuple[str, str, int, str]]:
    """Of one instant in the order of segments."""
    return sorted(changes, key=lambda change: (change[2], change))


@pytest.mark.parametrize("seed", range(2))
def test_what_is_foreseen_is_what_happens(seed: int) -> None:
    """Breaks when the copy of a customer lacks anything that memberships rest on, or goes on otherwise than the whole."""
    whole, random, seen = core(seed), Random(100 + seed), 0
    for step in range(40):
        now = whole.engine.now + random.randrange(DAY // 4)
        who, one = call(random, step, now)
        until = now + random.choice([0, DAY // 3, 4 * DAY])
        standing = whole.identities.current(who)
        assert standing is not None
        while whole.engine.now < now or whole.engine.behind:
            whole.apply(2, TICK, encode_tick(now))
        found = foreseen(whole, who, [one], now=now, until=until)
        before = {slug for slug in SEGMENTS if whole.engine.is_member(slug, who)}
        happened = went(whole, standing, [one], until)
        assert in_order((c.segment, c.change, c.at, c.because) for c in found.changes) == happened, (step, who)
        after = {slug: whole.engine.until(slug, who) for slug in SEGMENTS if whole.engine.is_member(slug, who)}
        assert {s.segment for s in found.before} == before
        assert {s.segment: s.until for s in found.after} == after
        assert all(change.turned for change in found.changes), "each change says which condition turned"
        seen += len(happened)
    assert seen > 20


def test_nothing_of_it_is_kept() -> None:
    """Breaks when asking changes the engine, the types or the identities that were asked."""
    whole = core(7)
    before = memberships(whole.engine), whole.engine.next_due(), len(whole.engine.state.people), whole.grown
    properties = {"colour": "red", "amount": 500}
    one = Call("track", {"user_id": "c1"}, NOW, "m", NOW, name="order", properties=properties)
    new = Call("track", {"user_id": "c1"}, NOW, "n", NOW, name="never seen", properties={"x": 1})
    found = foreseen(whole, "c3", [one, new], now=NOW, until=NOW + 40 * DAY)
    assert found.customer == "c1", "an id that was merged away means who stands for it"
    assert found.changes
    assert (memberships(whole.engine), whole.engine.next_due(), len(whole.engine.state.people), whole.grown) == before
    assert "never seen" not in whole.types.events
    assert "colour" not in whole.types.events["order"]


def test_each_change_says_what_turned() -> None:
    """Breaks when the condition that decided isn't named, or its values of before and after are the same."""
    whole = core(3)
    who = next(f"c{i}" for i in range(5, 40) if not whole.engine.is_member("big", f"c{i}"))
    one = Call("track", {"user_id": who}, NOW, "m", NOW, name="order", properties={"amount": 9_000})
    found = foreseen(whole, who, [one], now=NOW, until=NOW + 40 * DAY)
    first = next(c for c in found.changes if c.segment == "big")
    assert (first.change, first.because, first.turned[0].truth) == ("entered", "event order", True)
    assert first.turned[0].before != first.turned[0].after
    last = [c for c in found.changes if c.segment == "big"][-1]
    assert (last.change, last.because, last.turned[0].truth) == ("left", "time", False)
    assert NOW + 30 * DAY <= last.at <= NOW + 33 * DAY


def test_too_much_is_refused() -> None:
    """Breaks when a question can keep the engine busy for minutes."""
    whole = core(1)
    with pytest.raises(Refused, match="too far"):
        foreseen(whole, "c5", now=NOW, until=NOW + FURTHEST + 1)
    many = [Call("track", {"user_id": "c5"}, NOW, f"m{i}", NOW, name="visit") for i in range(21)]
    with pytest.raises(Refused, match="21 events"):
        foreseen(whole, "c5", many, now=NOW)
