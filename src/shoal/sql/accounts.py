"""``of account``: the events of all customers of the account that a customer belongs to at the instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.shapes import ACCOUNT_ID
from shoal.sql import terms as s
from shoal.sql.plan import Plan, Provider
from shoal.sql.rows import in_order, message_id
from shoal.sql.traits import account_of, found_trait, nobody, with_time

if TYPE_CHECKING:
    from sqlglot import exp

    from shoal.sql.registry import Trait
    from shoal.sql.terms import Sql


def colleagues(plan: Plan) -> Provider:
    """The provider of pairs: ``k``, and ``other``, a customer of the same account at the instant (they too)."""
    accounts = account_of(plan)

    def make(alias: str) -> Provider:
        provider = Provider(alias, lambda: _colleagues(plan, accounts))
        provider.needs[accounts.name] = accounts
        return provider

    return plan.provider("colleagues", make)


def _colleagues(plan: Plan, accounts: Provider) -> exp.Select:
    trait = found_trait(plan, ACCOUNT_ID)
    if trait is None:
        return nobody(plan, [s.named(s.null("INTEGER"), "other")])
    if not plan.frame.moments:
        same = s.compared(s.column("value", "o"), "=", accounts.column("value"))
        chosen = s.select([accounts.column("k"), s.named(s.column("k", "o"), "other")], with_time(plan, accounts))
        return s.joins(chosen, s.table(plan.table_of(accounts), "o"), same)
    return _at_moments(plan, accounts, trait)


def _at_moments(plan: Plan, accounts: Provider, trait: Trait) -> exp.Select:
    """At each moment, of all who were ever of an account, those who are of this one."""
    frame = plan.frame
    key = s.column("owner", "e")
    changes, who = frame.survivor(s.select([], s.table(trait.table, "e")), key)
    columns = [
        s.named(who, "other"),
        s.column("ts", "e"),
        s.named(message_id(plan, [trait.table], "e"), "mid"),
        s.column("value", "e"),
    ]
    changes = changes.select(*columns, copy=False).where(frame.in_force("e"), copy=False)
    ever = s.compared(s.column("value", "c"), "=", accounts.column("value"))
    pairs = s.select([accounts.column("k"), s.column("other", "c")], with_time(plan, accounts))
    pairs = s.joins(pairs, s.sub(changes, "c"), ever).distinct(copy=False)
    order = in_order(plan, [trait.table], "c")
    newest = s.named(s.call("arg_max_null", s.column("value", "c"), order), "value")
    pair: list[Sql] = [s.column("k", "p"), s.column("other", "p")]
    each = s.select([*pair, newest], s.sub(pairs, "p"))
    each = s.joins(each, s.table(frame.subjects, "m"), s.compared(s.column("k", "m"), "=", s.column("k", "p")))
    past = [
        s.compared(s.column("other", "c"), "=", s.column("other", "p")),
        s.compared(s.column("ts", "c"), "<=", s.column("t", "m")),
    ]
    each = s.joins(each, s.sub(changes, "c"), s.all_of(past)).group_by(*pair, copy=False)
    on = s.all_of(
        [
            s.compared(s.column("k", "d"), "=", accounts.column("k")),
            s.compared(s.column("value", "d"), "=", accounts.column("value")),
        ]
    )
    chosen = s.select([s.column("k", "d"), s.column("other", "d")], s.sub(each, "d"))
    return s.joins(chosen, with_time(plan, accounts), on)


def rows_of_colleagues(plan: Plan, table: str, columns: list[exp.Alias], where: Sql) -> exp.Select:
    """The events in a table of all customers of the account, as ``Frame.rows`` gives those of the customer."""
    frame, pairs = plan.frame, colleagues(plan)
    query, who = frame.survivor(s.select([], s.table(table, "e")), s.column("customer", "e"))
    events = s.sub(query.select(s.named(who, "who"), *columns, copy=False).where(where, copy=False), "e")
    names: list[Sql] = [s.column(c.alias, "e") for c in columns]
    on = s.compared(s.column("who", "e"), "=", pairs.column("other"))
    if not frame.moments:
        found = s.joins(s.select([pairs.column("k"), *names], with_time(plan, pairs)), events, on)
        return found.where(s.compared(s.column("ts", "e"), "<=", s.integer(frame.start)), copy=False)
    subjects = s.compared(s.column("k", "m"), "=", pairs.column("k"))
    found = s.joins(
        s.select([*frame.carried("m"), *names], with_time(plan, pairs)), s.table(frame.subjects, "m"), subjects
    )
    until = s.compared(s.column("ts", "e"), "<=", s.column("t", "m"))
    return s.joins(found, events, s.all_of([on, until]))
