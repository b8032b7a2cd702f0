"""The value of a trait at an instant, its history, and dates as instants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang.schema import Kind
from shoal.shapes import ACCOUNT_ID, ACCOUNT_PREFIX
from shoal.sql import terms as s
from shoal.sql.plan import Plan, Provider
from shoal.sql.rows import in_order, message_id
from shoal.sql.tables import PHYSICAL
from shoal.sql.values import Value, stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlglot import exp

    from shoal.sql.registry import Trait
    from shoal.sql.terms import Sql


def trait_kind(plan: Plan, name: str) -> Kind:
    """The type of a trait, as the store has it or the schema declares it."""
    found = found_trait(plan, name)
    return found.kind if found else plan.schema.traits.get(name, Kind.TEXT)


def found_trait(plan: Plan, name: str) -> Trait | None:
    """Where the trait stands in the store; None where no value of it was ever stored."""
    if name.startswith(ACCOUNT_PREFIX):
        return plan.registry.trait(name.removeprefix(ACCOUNT_PREFIX), "account")
    return plan.registry.trait(name)


def trait_value(plan: Plan, name: str) -> Value:
    """The value at the instant, of the customer or of their account."""
    provider = trait_provider(plan, name)
    return stored(trait_kind(plan, name), provider.column("value"), trait_origin(plan, name))


def trait_origin(plan: Plan, name: str) -> tuple[exp.Query, ...]:
    """Where all values of a trait of text come from."""
    found = found_trait(plan, name)
    if found is None or found.kind not in (Kind.TEXT, Kind.TEXTS):
        return ()
    return (s.select([s.column("value")], s.table(found.table)),)


def trait_provider(plan: Plan, name: str) -> Provider:
    """The provider of a trait's values (column ``value``)."""
    return plan.provider(("trait", name), lambda alias: _value_provider(plan, name, alias))


def _value_provider(plan: Plan, name: str, alias: str) -> Provider:
    found = found_trait(plan, name)
    if found is None:
        return Provider(alias, lambda: nobody(plan, [s.named(s.null(PHYSICAL[trait_kind(plan, name)]), "value")]))
    if name.startswith(ACCOUNT_PREFIX):
        return account_trait_provider(plan, found, alias)
    provider = Provider(alias, lambda: _newest(plan, found))
    provider.of_few_values = found.kind is Kind.TEXT
    return provider


def nobody(plan: Plan, columns: list[exp.Alias]) -> exp.Select:
    """A query of the right columns without a row."""
    return s.select([s.column("k", "m"), *columns], s.table(plan.frame.subjects, "m"), s.false())


def own_changes(plan: Plan, trait: Trait) -> exp.Select:
    """The changes of a customer's own trait up to the instant: ``k``, ``ts``, ``mid``, ``value``."""
    return plan.frame.rows(trait.table, "owner", _change_columns(plan, trait), plan.frame.in_force("e"))


def _change_columns(plan: Plan, trait: Trait) -> list[exp.Alias]:
    return [
        s.named(s.column("ts", "e"), "ts"),
        s.named(message_id(plan, [trait.table], "e"), "mid"),
        s.named(s.column("value", "e"), "value"),
    ]


def _newest(plan: Plan, trait: Trait) -> exp.Select:
    changes = own_changes(plan, trait)
    order = in_order(plan, [trait.table], "c")
    value = s.call("arg_max_null", s.column("value", "c"), order)
    return s.select([s.column("k", "c"), s.named(value, "value")], s.sub(changes, "c")).group_by(
        s.column("k", "c"), copy=False
    )


def newest_at_each_instant(changes: exp.Select, *key: str) -> exp.Select:
    """The value after all changes of each ts: the key's columns, ``ts``, ``value``."""
    columns = [s.column(name, "c") for name in (*key, "ts")]
    value = s.call("arg_max_null", s.column("value", "c"), s.column("mid", "c"))
    return s.select([*columns, s.named(value, "value")], s.sub(changes, "c")).group_by(*columns, copy=False)


# ---------------------------------------------------------------- of the account


def account_of(plan: Plan) -> Provider:
    """The provider of the account's id at the instant (column ``value``)."""
    return trait_provider(plan, ACCOUNT_ID)


def account_changes(plan: Plan, trait: Trait, *, until_now: bool) -> exp.Select:
    """The changes of a trait of accounts: ``account`` (their id), ``ts``, ``mid``, ``value``."""
    frame = plan.frame
    query = s.select(
        [s.named(s.column("id", "c"), "account"), *_change_columns(plan, trait)], s.table(trait.table, "e")
    )
    query = s.joins(query, s.table("accounts", "c"), s.compared(s.column("key", "c"), "=", s.column("owner", "e")))
    limit = None
    if until_now and not frame.moments:
        limit = s.compared(s.column("ts", "e"), "<=", s.integer(frame.start))
    return query.where(s.all_of([frame.in_force("e"), limit]), copy=False)


def account_trait_provider(plan: Plan, trait: Trait, alias: str) -> Provider:
    """The values of a trait of the account that the customer belongs to at the instant."""
    accounts = account_of(plan)

    def query() -> exp.Select:
        changes = account_changes(plan, trait, until_now=True)
        row = in_order(plan, [trait.table], "v")
        value = s.call("arg_max_null", s.column("value", "v"), row)
        key = accounts.column("k")
        found = s.select([s.named(key, "k"), s.named(value, "value")], with_time(plan, accounts))
        on: list[Sql | None] = [s.compared(s.column("account", "v"), "=", accounts.column("value"))]
        if plan.frame.moments:
            found = s.joins(found, s.table(plan.frame.subjects, "m"), s.compared(s.column("k", "m"), "=", key))
            on.append(s.compared(s.column("ts", "v"), "<=", s.column("t", "m")))
        return s.joins(found, s.sub(changes, "v"), s.all_of(on)).group_by(key, copy=False)

    provider = Provider(alias, query)
    provider.needs[accounts.name] = accounts
    return provider


def with_time(plan: Plan, provider: Provider) -> exp.Table:
    """The provider's table, to stand in FROM."""
    return s.table(plan.table_of(provider), provider.name)


def converted(plan: Plan, name: str, how: str, convert: Callable[[int], int]) -> Sql:
    """The value of a date or instant trait, converted by the rules of time zones once per distinct value."""
    values = trait_provider(plan, name)
    found = found_trait(plan, name)
    if found is None:
        return s.null("BIGINT")
    table = plan.lookups.converted(found.table, how, convert)

    def query() -> exp.Select:
        chosen = s.select([values.column("k"), s.named(s.column("converted", "d"), "value")], with_time(plan, values))
        return s.joins(chosen, s.table(table, "d"), s.compared(s.column("value", "d"), "=", values.column("value")))

    def make(alias: str) -> Provider:
        provider = Provider(alias, query)
        provider.needs[values.name] = values
        return provider

    return plan.provider(("trait", name, how), make).column("value")
