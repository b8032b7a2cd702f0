"""How a trait's value went over time: one row for each instant at which it was written, with the value after that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from shoal.shapes import ACCOUNT_ID, ACCOUNT_PREFIX
from shoal.sql import terms as s
from shoal.sql.plan import Plan, Provider
from shoal.sql.tables import PHYSICAL
from shoal.sql.traits import (
    account_changes,
    found_trait,
    newest_at_each_instant,
    nobody,
    own_changes,
    trait_kind,
    trait_origin,
)
from shoal.sql.values import stored

if TYPE_CHECKING:
    from shoal.lang import nodes as n
    from shoal.sql.registry import Trait
    from shoal.sql.terms import Sql


def points(plan: Plan, name: str) -> exp.Select:
    """``k``, ``ts``, ``value`` of a trait of the customer, or of the account that they belonged to at each instant."""
    found = found_trait(plan, name)
    if found is None:
        empty = [s.named(s.null("BIGINT"), "ts"), s.named(s.null(PHYSICAL[trait_kind(plan, name)]), "value")]
        return nobody(plan, empty)
    if name.startswith(ACCOUNT_PREFIX):
        return _of_account(plan, found)
    return newest_at_each_instant(own_changes(plan, found), "k")


def _of_account(plan: Plan, trait: Trait) -> exp.Select:
    """The customer's accounts one after another, and within each stay the changes of the account's trait."""
    account = plan.registry.trait(ACCOUNT_ID)
    if account is None:
        return nobody(plan, [s.named(s.null("BIGINT"), "ts"), s.named(s.null(PHYSICAL[trait.kind]), "value")])
    stays = _stays(newest_at_each_instant(own_changes(plan, account), "k"))
    changes = newest_at_each_instant(account_changes(plan, trait, until_now=True), "account")
    both = exp.union(_begun(stays), _during(plan, stays, changes), distinct=False)
    on = s.all_of(
        [
            s.compared(s.column("account", "c"), "=", s.column("account", "b")),
            s.compared(s.column("ts", "b"), ">=", s.column("ts", "c")),
        ]
    )
    chosen = s.select([s.column("k", "b"), s.column("ts", "b"), s.column("value", "c")], s.sub(both, "b"))
    return s.joins(chosen, s.sub(changes, "c"), on, left=True, as_of=True)


def _stays(accounts: exp.Select) -> exp.Select:
    until = _over("lead", s.column("ts", "p"))
    columns = [
        s.column("k", "p"),
        s.column("ts", "p"),
        s.named(s.column("value", "p"), "account"),
        s.named(until, "until"),
    ]
    return s.select(columns, s.sub(accounts, "p"))


def _begun(stays: exp.Select) -> exp.Select:
    return s.select([s.column(c, "a") for c in ("k", "ts", "account")], s.sub(stays, "a"))


def _during(plan: Plan, stays: exp.Select, changes: exp.Select) -> exp.Select:
    columns = [s.column("k", "a"), s.column("ts", "c"), s.column("account", "a")]
    open_end = [s.is_null(s.column("until", "a")), s.compared(s.column("ts", "c"), "<", s.column("until", "a"))]
    on: list[Sql] = [
        s.compared(s.column("account", "c"), "=", s.column("account", "a")),
        s.compared(s.column("ts", "c"), ">", s.column("ts", "a")),
        s.any_of(open_end),
    ]
    query = s.joins(s.select(columns, s.sub(stays, "a")), s.sub(changes, "c"), s.all_of(on))
    return _until_moment(plan, query, s.column("k", "a"), s.column("ts", "c"))


def _until_moment(plan: Plan, query: exp.Select, key: Sql, ts: Sql) -> exp.Select:
    if not plan.frame.moments:
        return query
    at = s.all_of([s.compared(s.column("k", "m"), "=", key), s.compared(ts, "<=", s.column("t", "m"))])
    return s.joins(query, s.table(plan.frame.subjects, "m"), at)


def _over(function: str, value: Sql) -> exp.Window:
    order = exp.Order(expressions=[exp.Ordered(this=s.column("ts", "p"), nulls_first=False)])
    return exp.Window(this=s.call(function, value), partition_by=[s.column("k", "p")], order=order)


class HeldSince(Provider):
    """Since when a condition on a trait has been true without a break.

    Columns: ``holds`` at the newest write, ``begun`` (the first write after the last at which it was false, NULL where
    it never was false) and ``first`` (the first write of all).
    """

    def __init__(self, plan: Plan, name: str, node: n.Held, trait: str) -> None:
        from shoal.sql.emit.registry import condition
        from shoal.sql.scopes import OfValue

        super().__init__(name)
        self._plan, self._trait = plan, trait
        value = stored(trait_kind(plan, trait), s.column("value", "p"), trait_origin(plan, trait))
        self._condition = s.settled(condition(node.condition, OfValue(plan, value)))

    def query(self) -> exp.Select:
        """Judge each write, then look at what came after the last false one."""
        judged = s.select(
            [
                s.column("k", "p"),
                s.column("ts", "p"),
                s.named(self._condition, "holds"),
                s.named(_over("lead", s.column("ts", "p")), "next"),
            ],
            s.sub(points(self._plan, self._trait), "p"),
        )
        after_false = s.when(s.not_(s.column("holds", "h")), s.column("next", "h"))
        return s.select(
            [
                s.column("k", "h"),
                s.named(s.call("arg_max", s.column("holds", "h"), s.column("ts", "h")), "holds"),
                s.named(s.call("max", after_false), "begun"),
                s.named(s.call("bool_and", s.column("holds", "h")), "always"),
                s.named(s.call("min", s.column("ts", "h")), "first"),
            ],
            s.sub(judged, "h"),
        ).group_by(s.column("k", "h"), copy=False)


class Changes(Provider):
    """Whether a trait's value changed, from one value to another, in a window (``hit``)."""

    def __init__(self, plan: Plan, name: str, node: n.Changed) -> None:
        from shoal.sql.emit.registry import value as emitted
        from shoal.sql.scopes import Scope
        from shoal.sql.values import compare

        super().__init__(name)
        self._plan, self._node = plan, node
        kind = trait_kind(plan, node.trait.name)
        wanted: list[Sql] = [_distinct(s.column("value", "c"), s.column("before", "c"))]
        for literal, column in ((node.before, "before"), (node.after, "value")):
            if literal is not None:
                limit = emitted(literal, Scope(plan))
                wanted.append(compare(stored(kind, s.column(column, "c")), "=", limit, plan.frame.zone))
        self._wanted = s.all_of(wanted)
        self._bounds = plan.frame.bounds(node.window, "m")

    def query(self) -> exp.Select:
        """Each write beside the value before it."""
        plan = self._plan
        before = s.named(_over("lag", s.column("value", "p")), "before")
        columns = [s.column("k", "p"), s.column("ts", "p"), s.column("value", "p"), before]
        each = s.select(columns, s.sub(points(plan, self._node.trait.name), "p"))
        query = s.select([s.column("k", "c"), s.named(s.true(), "hit")], s.sub(each, "c"))
        if plan.frame.moments:
            on = s.compared(s.column("k", "m"), "=", s.column("k", "c"))
            query = s.joins(query, s.table(plan.frame.subjects, "m"), on)
        inside = s.within(s.column("ts", "c"), *self._bounds)
        return query.where(s.all_of([self._wanted, inside]), copy=False).distinct(copy=False)


def _distinct(one: Sql, other: Sql) -> Sql:
    return exp.NullSafeNEQ(this=one, expression=other)
