"""What the data at hand holds, as the templates ask for it: names there are, frequent values, quantiles, the cycle."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from math import floor, log10
from typing import TYPE_CHECKING

from shoal.customers.profiles import current_values
from shoal.insight import traits as computed
from shoal.insight.lifecycle import Cycle, measure_cycle
from shoal.insight.purchases import named
from shoal.insight.sales import open_sales
from shoal.lang.calendar import zone
from shoal.lang.document import decimal_text
from shoal.lang.lex import name_text, quoted
from shoal.shapes import ACCOUNT_PREFIX
from shoal.sql.registry import ACCOUNT, CUSTOMER, Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shoal.lang.schema import Kind, Schema
    from shoal.shapes import RevenueRule
    from shoal.sql.store import Store

MOST_DISTINCT = 200
"""A text trait with more values than this is an address or a name, and makes no segments."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A template before its size is known."""

    slug: str
    name: str
    why: str
    where: str


@dataclass(frozen=True, slots=True)
class Lack:
    """A template that isn't offered, and why."""

    slug: str
    reason: str


def slug_of(*words: str) -> str:
    """A slug of words: lower-case letters and digits, joined by dashes.

    >>> slug_of("Income", "50-74K"), slug_of("Can't Lose")
    ('income-50-74k', 'cant-lose')
    """
    plain = " ".join(words).lower().replace("'", "")
    return "-".join("".join(c if c.isalnum() else " " for c in plain).split())


def spoken(name: str) -> str:
    """A trait's name as words.

    >>> spoken("account.employee_count"), spoken("homeOwner")
    ('account employee count', 'home owner')
    """
    return " ".join(re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name.replace(".", " ").replace("_", " ")).lower().split())


@dataclass
class Facts:
    """What a template may ask.

    Args:
        store: the workspace's store.
        schema: what definitions may name.
        rule: which event is an order.
        at: the instant that values are read at.
    """

    store: Store
    schema: Schema
    rule: RevenueRule
    at: int
    _tops: dict[str, list[tuple[str, int]]] = field(default_factory=dict)

    # ------------------------------------------------------------ names

    @property
    def order(self) -> str:
        """The quoted name of the event that is an order."""
        return quoted(self.rule.orders)

    @property
    def has_orders(self) -> bool:
        """Whether there is such an event."""
        return self.rule.orders in self.schema.events

    def trait(self, *names: str, kind: Kind | None = None) -> str | None:
        """The first of these traits that there is, whatever its letter case."""
        folded = {t.casefold(): t for t, k in self.schema.traits.items() if kind is None or k is kind}
        return next((folded[name] for name in names if name in folded), None)

    def computed(self, *names: str) -> bool:
        """Whether all these traits are there, and were computed rather than brought by the data with its own meaning."""
        registry = Registry.load(self.store)
        return all((known := registry.trait(name)) is not None and known.score for name in names)

    def traits_about(self, *words: str, kind: Kind) -> Iterator[str]:
        """The traits of a kind with one of these words in their name, in the order of the words."""
        wanted = {word: index for index, word in enumerate(words)}
        found = []
        for name, known in self.schema.traits.items():
            hits = [wanted[word] for word in spoken(name).split() if word in wanted]
            if known is kind and hits and not name.startswith(("rfm_", "interest_", "favourite_")):
                found.append((min(hits), name))
        return (name for _, name in sorted(found))

    def event(self, *names: str) -> str | None:
        """The first of these events that there is."""
        return next((name for name in names if name in self.schema.events), None)

    def property(self, event: str, *names: str, kind: Kind) -> str | None:
        """The first of these properties of an event that has the kind, whatever its letter case."""
        return named(self.schema.events.get(event, {}), names, kind)

    # ------------------------------------------------------------ values

    def values(self, trait: str) -> str | None:
        """SQL that gives the known values of a trait, as (value)."""
        scope = ACCOUNT if trait.startswith(ACCOUNT_PREFIX) else CUSTOMER
        known = Registry.load(self.store).trait(trait.removeprefix(ACCOUNT_PREFIX), scope)
        if known is None:
            return None
        return f"SELECT value FROM ({current_values(self.store, known, self.at)}) WHERE value IS NOT NULL"

    def top(self, trait: str, most: int = 3) -> list[tuple[str, int]]:
        """The most frequent values of a text trait with how often; none where nearly every value is its own."""
        if trait not in self._tops:
            self._tops[trait] = self._counted(trait)
        return self._tops[trait][:most]

    def _counted(self, trait: str) -> list[tuple[str, int]]:
        values = self.values(trait)
        if values is None:
            return []
        rows = self.store.rows(
            f"SELECT value, count(*) FROM ({values}) WHERE value <> '' GROUP BY value ORDER BY 2 DESC, 1 "
            f"LIMIT {MOST_DISTINCT + 1}"
        )
        distinct, largest = len(rows), rows[0][1] if rows else 0
        return [] if distinct > MOST_DISTINCT or (distinct > 1 and largest < 2) else rows

    def quantile(self, trait: str, share: float) -> str | None:
        """A quantile of a number trait as the text of a literal, to three significant digits."""
        values = self.values(trait)
        if values is None:
            return None
        rows = self.store.rows(f"SELECT quantile_disc(value, {share}) FROM ({values})")
        return None if rows[0][0] is None else decimal_text(_three_digits(int(rows[0][0])))

    @cached_property
    def begins(self) -> int | None:
        """The date of the earliest order, in days since 1970; None without orders."""
        event = Registry.load(self.store).events.get(self.rule.orders)
        if event is None:
            return None
        ((first,),) = self.store.rows(f"SELECT min(ts) FROM {event.table} WHERE retired IS NULL AND ts <= {self.at:d}")
        return None if first is None else zone(self.schema.zone).day(first)

    @cached_property
    def cycle(self) -> Cycle:
        """The repurchase cycle in force, or one measured now."""
        recorded = computed.cycle(self.store)
        if recorded is not None:
            return recorded
        with open_sales(self.store, self.rule, self.at) as sales:
            return measure_cycle(sales)


def _three_digits(number: int) -> int:
    return number if number == 0 else round(number, 2 - floor(log10(abs(number))))


def amount(literal: str) -> str:
    """A number of the language as people read it.

    >>> amount("49800"), amount("-0.25"), amount("1234.5")
    ('49,800', '-0.25', '1,234.5')
    """
    whole, point, rest = literal.removeprefix("-").partition(".")
    return f"{'-' if literal.startswith('-') else ''}{int(whole):,}{point}{rest}"


def name(trait: str) -> str:
    """A trait's name as the language writes it."""
    return name_text(trait)


def by_value(facts: Facts, traits: Iterable[str], why: str, most: int = 3) -> Iterator[Draft]:
    """A template for each of the most frequent values of each text trait."""
    for trait in traits:
        label = spoken(trait.removeprefix(ACCOUNT_PREFIX)).capitalize()
        for value, _ in facts.top(trait, most):
            where = f"{name(trait)} = {quoted(value)}"
            yield Draft(slug_of(trait, value), f"{label}: {value}", why.format(label=label.lower()), where)
