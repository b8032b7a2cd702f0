"""What customers do besides buying, and the channels that reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.insight.library.facts import Draft, Lack, by_value, name, slug_of, spoken
from shoal.insight.reach import ADDRESSES
from shoal.lang.lex import quoted
from shoal.lang.schema import Basis, Kind
from shoal.shapes import (
    CAMPAIGN_SENT,
    ORDER_CANCELLED,
    ORDER_REFUNDED,
    PRODUCT_VIEWED,
    SURVEY_ANSWERED,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.library.facts import Facts

_CART = ("Checkout Started", "Cart Updated", "Product Added", "Cart Viewed")
_VISIT = ("App Opened", "Session Started", "Page Viewed", "Logged In", PRODUCT_VIEWED)
_RESPONSE = ("Campaign Clicked", "Email Clicked", "Campaign Opened", "Email Opened")
_REDEEMED = ("Coupon Redeemed", "Coupon Applied", "Offer Redeemed")
MOST_OTHERS = 5


def behavioural(facts: Facts) -> Iterator[Draft | Lack]:
    """Browsing, carts, visits, campaigns, and every other event that the data holds."""
    order = facts.order if facts.has_orders else None
    yield from _browsing(facts, order)
    yield from _visits(facts)
    yield from _campaigns(facts)
    taken = {
        facts.rule.orders, ORDER_REFUNDED, ORDER_CANCELLED, PRODUCT_VIEWED, SURVEY_ANSWERED, CAMPAIGN_SENT,
        *_CART, *_VISIT, *_RESPONSE, *_REDEEMED,
    }  # fmt: skip
    for event in [e for e in sorted(facts.schema.events) if e not in taken][:MOST_OTHERS]:
        where = f"did {quoted(event)} in last 30 days"
        yield Draft(slug_of(event, "lately"), f"{event}, last 30 days", "They did it lately.", where)


def _browsing(facts: Facts, order: str | None) -> Iterator[Draft | Lack]:
    cart, viewed = facts.event(*_CART), facts.event(PRODUCT_VIEWED)
    if viewed and order:
        where = f"did {quoted(viewed)} in last 7 days and not did {order} in last 7 days"
        yield Draft("browsed-not-bought", "Browsed, didn't buy", "Interest of this week without an order.", where)
        keen = f"did {quoted(viewed)} at least 5 times in last 14 days and not did {order} in last 14 days"
        yield Draft("keen-browsers", "Keen browsers", "Five views or more in two weeks and no order.", keen)
    else:
        yield Lack("browsed-not-bought", f'There is no "{PRODUCT_VIEWED}" beside orders.')
    if cart and order:
        where = f"did {quoted(cart)} then not {order} within 1 hour in last 7 days and not did {order} in last 7 days"
        yield Draft("abandoned-cart", "Abandoned cart", "A filled cart without an order within an hour.", where)
    else:
        yield Lack("abandoned-cart", f"There is none of the events {', '.join(_CART)} beside orders.")


def _visits(facts: Facts) -> Iterator[Draft | Lack]:
    visit = facts.event(*_VISIT)
    if visit is None:
        yield Lack("frequent-visitors", f"There is none of the events {', '.join(_VISIT)}.")
        return
    event = quoted(visit)
    yield Draft(
        "frequent-visitors",
        "Frequent visitors",
        "On four days or more of four weeks.",
        f"active days({event} in last 28 days) >= 4",
    )
    stopped = f"did {event} in 28 days before last 28 days and not did {event} in last 28 days"
    yield Draft("stopped-visiting", "Stopped visiting", "There a month ago, not since.", stopped)
    yield Draft("first-visit", "First visit this week", "Welcome them.", f"did first {event} in last 7 days")


def _campaigns(facts: Facts) -> Iterator[Draft | Lack]:
    sent, response, redeemed = facts.event(CAMPAIGN_SENT), facts.event(*_RESPONSE), facts.event(*_REDEEMED)
    if redeemed:
        yield Draft("coupon-users", "Coupon users", "They redeemed a coupon at least once.", f"did {quoted(redeemed)}")
        often = f"did {quoted(redeemed)} at least 3 times"
        yield Draft("heavy-coupon-users", "Heavy coupon users", "Three coupons or more.", often)
    if sent is None:
        yield Lack("campaign-unmoved", f'There is no "{CAMPAIGN_SENT}".')
        return
    event = quoted(sent)
    yield Draft(
        "campaign-reached", "Got a campaign lately", "Mind how often you write.", f"did {event} in last 30 days"
    )
    yield Draft("never-contacted", "Never contacted", "Customers who never got a campaign.", f"not did {event}")
    answer = response or redeemed or (facts.rule.orders if facts.has_orders else None)
    if answer:
        where = f"did {event} at least 2 times in last 365 days and not did {quoted(answer)} in last 365 days"
        yield Draft("campaign-unmoved", "Unmoved by campaigns", f"Two campaigns or more in a year, no {answer}.", where)


_KNOWN = {
    "email": "An e-mail address is known.", "phone": "A phone number is known.", "push": "A device is known.",
    "post": "A postal address is known.",
}  # fmt: skip


def channels(facts: Facts) -> Iterator[Draft | Lack]:
    """The channel that customers prefer, those that can reach them, and what they consented to."""
    preferred = facts.trait("favourite_channel", "preferred_channel", "channel_preference", kind=Kind.TEXT)
    if preferred is not None:
        yield from by_value(facts, [preferred], "They prefer this channel: use it.")
    elif facts.property(facts.rule.orders, *facts.rule.purchases.channel, kind=Kind.TEXT) is None:
        yield Lack("channel-preference", "Neither orders nor customers name a channel.")
    for channel, names in ADDRESSES.items():
        trait = facts.trait(*names, kind=Kind.TEXT)
        if trait is None:
            yield Lack(f"reachable-by-{channel}", f"There is no trait {' or '.join(names[:2])}.")
        else:
            yield Draft(
                f"reachable-by-{channel}", f"Reachable by {channel}", _KNOWN[channel], f"{name(trait)} is known"
            )
    for purpose, basis in facts.schema.purposes.items():
        if basis is Basis.NONE:
            continue
        label = spoken(purpose)
        yield Draft(
            slug_of("agreed", purpose),
            f"Agreed to {label}",
            "They may be written to.",
            f"consents to {quoted(purpose)}",
        )
        yield Draft(
            slug_of("no", purpose),
            f"Didn't agree to {label}",
            "Ask for consent at the next contact.",
            f"not consents to {quoted(purpose)}",
        )
    yield from _sent_by_channel(facts)


def _sent_by_channel(facts: Facts) -> Iterator[Draft]:
    channel = facts.property(CAMPAIGN_SENT, "channel", kind=Kind.TEXT)
    response = facts.event(*_RESPONSE)
    if channel is None or response is None:
        return
    if facts.property(response, "channel", kind=Kind.TEXT) is None:
        return
    for value in ("email", "sms", "push"):
        where = f"did {quoted(response)} where channel = {quoted(value)} in last 90 days"
        yield Draft(f"answers-{value}", f"Answers {value}", f"They responded to {value} in the last 90 days.", where)
