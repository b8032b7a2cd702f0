"""What customers buy: purchase history, lifecycle, RFM and the needs that orders betray."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.insight import lifecycle, rfm
from shoal.insight.library.facts import Draft, Lack, amount, by_value, name, slug_of
from shoal.lang.document import date_text
from shoal.lang.lex import quoted
from shoal.lang.schema import Kind
from shoal.shapes import ACCOUNT_PREFIX, ORDER_REFUNDED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.library.facts import Facts


_HELD = ("contract", "plan", "subscription", "product", "service", "membership", "payment")
"""Words in the names of traits that say what a customer holds."""


def lifecycle_states(facts: Facts) -> Iterator[Draft | Lack]:
    """The six states, with windows from the repurchase cycle."""
    if not facts.has_orders:
        yield Lack("lifecycle", _no_orders(facts))
        return
    for state in lifecycle.STATES:
        where = lifecycle.where(state, facts.cycle, facts.rule.orders)
        yield Draft(slug_of(state), state, lifecycle.meaning(state, facts.cycle), where)


def rfm_groups(facts: Facts) -> Iterator[Draft | Lack]:
    """The eleven groups."""
    if not facts.computed("rfm_r", "rfm_fm"):
        yield Lack("rfm", "There are no RFM scores: too few buyers, or traits weren't computed.")
        return
    for group in rfm.GROUPS:
        yield Draft(f"rfm-{slug_of(group)}", group, rfm.MEANING[group], rfm.where(group))


def purchase_history(facts: Facts) -> Iterator[Draft | Lack]:
    """How often, how much, what, and how it changes."""
    if not facts.has_orders:
        yield Lack("purchase-history", _no_orders(facts))
        return
    yield from _counts(facts)
    yield from _amounts(facts)
    yield from _trend(facts)
    yield from _refunds(facts)
    yield from by_value(facts, _present(facts, "favourite_category"), "They spend most of their money on it.")
    yield from by_value(facts, _present(facts, "favourite_store"), "Local news and offers of their store.")
    yield from _products(facts)
    yield from _anniversary(facts)


def _anniversary(facts: Facts) -> Iterator[Draft]:
    """A year since the first order; whoever ordered right when the data begins may have been a customer for long."""
    begins = facts.begins
    if begins is None or not facts.computed("first_order_at", "tenure_days"):
        return
    since = date_text(begins + facts.cycle.lapse)
    where = f"anniversary of first_order_at in next 7 days and first_order_at >= {since} and tenure_days >= 300"
    yield Draft("order-anniversary", "A year since the first order, again", "Say thank you on the day.", where)


def _counts(facts: Facts) -> Iterator[Draft]:
    order, cycle = facts.order, facts.cycle
    yield Draft(
        "one-time-buyers", "One-time buyers", "The second order is the hardest: help with it.", f"count({order}) = 1"
    )
    yield Draft("repeat-buyers", "Repeat buyers", "They came back: the base of the business.", f"count({order}) >= 2")
    due = f"count({order}) = 1 and days since last {order} between {_half(cycle)} and {cycle.lapse}"
    yield Draft("second-order-due", "Second order due", "One order, and it is about time for the next.", due)
    window = max(90, 3 * cycle.active)
    often = f"did {order} at least 1 times in 3 of last 3 periods of {_third(window)} days"
    yield Draft(
        "regulars", "Regular buyers", f"They ordered in each third of the last {_third(window) * 3} days.", often
    )
    weekend = f'count({order} where weekday in ("Saturday", "Sunday")) > 0.5 * count({order})'
    yield Draft("weekend-buyers", "Weekend buyers", "Send on Friday.", f"count({order}) >= 2 and {weekend}")
    if facts.computed("favourite_hour"):
        yield Draft("evening-buyers", "Evening buyers", "Send after work.", "favourite_hour >= 18")
        yield Draft("morning-buyers", "Morning buyers", "Send before breakfast.", "favourite_hour between 5 and 10")


def _amounts(facts: Facts) -> Iterator[Draft | Lack]:
    """Top and bottom by money, at the quantiles of today as plain numbers."""
    wanted = (
        ("top-spenders", "Top tenth by spend", "value", 0.9, ">=", "They carry the revenue: keep them close."),
        ("big-spenders", "Top fifth by spend", "value", 0.8, ">=", "The best fifth by net revenue."),
        ("low-spenders", "Lowest fifth by spend", "value", 0.2, "<=", "Little spent: no costly contact."),
        ("frequent-buyers", "Most frequent buyers", "orders", 0.8, ">=", "The fifth with most orders."),
        ("large-baskets", "Large baskets", "aov", 0.8, ">=", "The fifth with the largest orders."),
        ("small-baskets", "Small baskets", "aov", 0.2, "<=", "Bundles and free shipping from an amount."),
        ("long-standing", "Customers for longest", "tenure_days", 0.9, ">=", "Loyalty deserves a word."),
    )
    for slug, label, trait, share, operator, why in wanted:
        bound = facts.quantile(trait, share) if facts.computed(trait) else None
        if bound is None:
            yield Lack(slug, f"The trait {trait} isn't computed.")
        else:
            yield Draft(
                slug,
                f"{label} ({'from' if operator == '>=' else 'up to'} {amount(bound)})",
                why,
                f"{trait} {operator} {bound}",
            )


def _trend(facts: Facts) -> Iterator[Draft | Lack]:
    event, revenue = facts.rule.orders, facts.rule.events.get(facts.rule.orders, "revenue")
    if facts.property(event, revenue, kind=Kind.NUMBER) is None:
        yield Lack("spend-falling", f'"{event}" has no number {revenue}.')
        return
    days = max(30, 2 * facts.cycle.active)
    now = f"sum({name(revenue)} of {facts.order} in last {days} days)"
    before = f"sum({name(revenue)} of {facts.order} in {days} days before last {days} days)"
    falling = f"{before} > 0 and {now} < 0.5 * {before}"
    rising = f"{before} > 0 and {now} > 1.5 * {before}"
    yield Draft("spend-falling", "Spend halved", f"Half as much as in the {days} days before: ask why.", falling)
    yield Draft(
        "spend-rising", "Spend up by half", f"Half as much again as in the {days} days before: reward it.", rising
    )
    high = facts.quantile("value", 0.8) if facts.computed("value") else None
    lapsed = f"sum({name(revenue)} of {facts.order}) > {high or 500}"
    where = f"{lapsed} and not did {facts.order} in last {facts.cycle.lapse} days"
    yield Draft("lapsed-vips", "Lapsed VIPs", "The best fifth by spend, silent for long: win them back.", where)


def _refunds(facts: Facts) -> Iterator[Draft | Lack]:
    if ORDER_REFUNDED not in facts.schema.events:
        yield Lack("returners", f'There is no "{ORDER_REFUNDED}".')
        return
    refund = quoted(ORDER_REFUNDED)
    yield Draft(
        "returners", "Returned lately", "Ask what was wrong before the next offer.", f"did {refund} in last 90 days"
    )
    heavy = f"count({refund}) >= 2 and count({refund}) > 0.3 * count({facts.order})"
    yield Draft(
        "serial-returners", "Serial returners", "More than three returns in ten orders: they may cost money.", heavy
    )


def _products(facts: Facts) -> Iterator[Draft | Lack]:
    """Who bought from the largest categories lately, where orders bear one as a property."""
    event = facts.rule.orders
    category = facts.property(event, *facts.rule.purchases.category, kind=Kind.TEXT)
    if category is None:
        return
    window = facts.cycle.lapse
    for value, _ in facts.top("favourite_category"):
        where = f"did {facts.order} where {name(category)} = {quoted(value)} in last {window} days"
        yield Draft(slug_of("bought", value), f"Bought {value}", f"In the last {window} days.", where)


def needs(facts: Facts) -> Iterator[Draft | Lack]:
    """What customers seem to need, from what they hold and how they buy."""
    held = [t for t in facts.traits_about(*_HELD, kind=Kind.TEXT) if not t.startswith(ACCOUNT_PREFIX)]
    yield from by_value(facts, held[:4], "They chose this {label}: offer what goes with it.")
    if not facts.has_orders:
        yield Lack("needs", _no_orders(facts))
        return
    order = facts.order
    if facts.computed("order_gap_days", "aov"):
        due = f"days since last {order} >= 0.8 * order_gap_days and days since last {order} <= 1.2 * order_gap_days"
        yield Draft(
            "due-to-reorder",
            "Due to reorder",
            "By their own rhythm the next order is due now.",
            f"order_gap_days >= 1 and {due}",
        )
        late = f"days since last {order} > 2 * order_gap_days"
        yield Draft(
            "overdue",
            "Overdue by their own rhythm",
            "Silent for twice their usual gap.",
            f"order_gap_days >= 1 and {late}",
        )
        yield from _missions(facts)
    else:
        yield Lack("due-to-reorder", "Nobody ordered on three days yet.")
    if facts.computed("discount_share", "orders"):
        deal = "discount_share >= 0.5 and orders >= 2"
        yield Draft(
            "deal-seekers",
            "Deal seekers",
            "Half of their orders bear a discount or coupon: spare others the discount.",
            deal,
        )
        full = "discount_share < 0.1 and orders >= 2"
        yield Draft("full-price", "Full-price buyers", "They buy without discounts: don't teach them otherwise.", full)
    else:
        yield Lack("deal-seekers", "Orders bear no discount or coupon.")
    gifts = f"did {order} in 30 days before last 335 days and not did {order} in last 300 days"
    yield Draft(
        "seasonal-buyers", "Bought this season last year", "They ordered at this time last year and not since.", gifts
    )


def _missions(facts: Facts) -> Iterator[Draft]:
    """Stocking up or topping up: large and rare against small and often."""
    large, small = facts.quantile("aov", 0.7), facts.quantile("aov", 0.3)
    rare, often = facts.quantile("order_gap_days", 0.5), facts.quantile("order_gap_days", 0.3)
    if None not in (large, rare):
        where = f"aov >= {large} and order_gap_days >= {rare}"
        yield Draft("stock-up", "Stock-up shoppers", "Large orders with long gaps: bulk packs and delivery.", where)
    if None not in (small, often):
        where = f"aov <= {small} and order_gap_days <= {often}"
        yield Draft("top-up", "Top-up shoppers", "Small orders, often: convenience and nearness.", where)


def _present(facts: Facts, *names: str) -> list[str]:
    return [name for name in names if facts.trait(name, kind=Kind.TEXT)]


def _no_orders(facts: Facts) -> str:
    return f'There is no "{facts.rule.orders}".'


def _half(cycle: lifecycle.Cycle) -> int:
    return max(1, cycle.active // 2)


def _third(days: int) -> int:
    return max(1, days // 3)
