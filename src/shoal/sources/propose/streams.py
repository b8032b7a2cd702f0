"""What customers did besides ordering: web events, campaign sends, survey answers, redemptions; and what was spent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from shoal.lang.schema import Kind
from shoal.shapes import CAMPAIGN_SENT, ORDER_COMPLETED, PRODUCT_VIEWED, SURVEY_ANSWERED
from shoal.sources.propose.context import singular
from shoal.sources.propose.draft import Draft, described, named, sql_name, sql_text
from shoal.sources.propose.meaning import words
from shoal.sources.propose.people import describes_people

if TYPE_CHECKING:
    from shoal.sources.propose.context import Context
    from shoal.sources.propose.keys import Join
    from shoal.sources.propose.look import Look

_EVENT_NAMES = {
    "page view": "Page Viewed", "pageview": "Page Viewed", "screen view": "Screen Viewed", "view item": PRODUCT_VIEWED,
    "product view": PRODUCT_VIEWED, "view product": PRODUCT_VIEWED, "view content": PRODUCT_VIEWED, "view": PRODUCT_VIEWED,
    "view item list": "Product List Viewed", "add to cart": "Product Added", "cart": "Product Added",
    "addtocart": "Product Added", "remove from cart": "Product Removed", "view cart": "Cart Viewed",
    "begin checkout": "Checkout Started", "checkout": "Checkout Started", "initiate checkout": "Checkout Started",
    "add payment info": "Payment Info Entered", "add shipping info": "Checkout Step Completed",
    "purchase": ORDER_COMPLETED, "transaction": ORDER_COMPLETED, "order completed": ORDER_COMPLETED,
    "refund": "Order Refunded", "add to wishlist": "Product Added to Wishlist", "search": "Products Searched",
    "view search results": "Products Searched", "login": "Logged In", "log in": "Logged In", "sign in": "Logged In",
    "logout": "Logged Out", "sign up": "Signed Up", "signup": "Signed Up", "register": "Signed Up",
    "session start": "Session Started", "first visit": "First Visited", "click": "Link Clicked",
    "email sent": "Email Sent", "sent": "Email Sent", "email open": "Email Opened", "open": "Email Opened",
    "opened": "Email Opened", "email opened": "Email Opened", "email click": "Email Clicked", "clicked": "Email Clicked",
    "bounce": "Email Bounced", "unsubscribe": "Unsubscribed", "share": "Product Shared",
}  # fmt: skip
_BY_TABLE = (
    (r"redemption|redeem", "Coupon Redeemed"),
    (r"refund|return", "Order Returned"),
    (r"page ?view|visit|hit", "Page Viewed"),
    (r"product ?view|view", PRODUCT_VIEWED),
    (r"open", "Email Opened"),
    (r"click", "Email Clicked"),
    (r"bounce", "Email Bounced"),
    (r"login|session", "Session Started"),
    (r"cart|basket", "Cart Updated"),
    (r"ticket|case|complaint|support", "Ticket Opened"),
    (r"review|rating", "Review Written"),
    (r"subscription", "Subscription Started"),
    (r"call", "Call Made"),
    (r"search", "Products Searched"),
)  # fmt: skip
_MOST_NAMES = 40


def draft_event_stream(context: Context, look: Look) -> bool:
    """A table with a column that names what happened: one mapping a name."""
    column, customer = look.means.first("event"), context.customer(look)
    if column is None or customer is None or not look.means.when or customer == column:
        return False
    names = [str(v) for v in pc.unique(look.known(column)).to_pylist()]
    if not 1 <= len(names) <= _MOST_NAMES:
        return False
    draft = Draft(look, f"a row is an event, named in {column}")
    at = look.means.when[0]
    taken = {column, customer, at, *(j.column for j in context.keys.joins(look) if j.column == customer)}
    rest = described(look, _properties(look, taken))
    order, amount = look.means.first("order"), look.means.first("amount")
    for name in sorted(names):
        event: dict[str, Any] = {
            "event": _EVENT_NAMES.get(words(name), name if " " in name else words(name).title()),
            "when": f"{sql_name(column)} = {sql_text(name)}",
            "customer": customer,
            "at": at,
        }
        properties = dict(rest)
        if event["event"] == ORDER_COMPLETED:
            event |= {"money": ["revenue"]} if amount else {}
            own = {"order_id": order, "revenue": amount}
            properties = {k: v for k, v in own.items() if v} | {k: v for k, v in rest.items() if v not in own.values()}
        draft.events.append(event | ({"properties": properties} if properties else {}))
    _merge_same(draft)
    context.drafts[look.name] = draft
    context.happened(look, at, customer)
    if any(e["event"] == ORDER_COMPLETED for e in draft.events) and _has_orders(context, draft):
        context.ask(
            f"{look.shown} has purchases, and so has another table. If they are the same orders, take one of them out, "
            "or each order counts twice."
        )
    return True


def _merge_same(draft: Draft) -> None:
    """One mapping for several words of one event."""
    merged: dict[str, dict[str, Any]] = {}
    for event in draft.events:
        known = merged.setdefault(event["event"], event)
        if known is not event:
            known["when"] += f" OR {event['when']}"
    draft.events = list(merged.values())


def _has_orders(context: Context, besides: Draft) -> bool:
    drafts = [d for d in context.drafts.values() if d is not besides]
    return any(e["event"] == ORDER_COMPLETED for d in drafts for e in d.events)


def draft_spend(context: Context, look: Look) -> bool:
    """What was spent on advertising by day: no customer, but costs with a channel, a campaign or impressions."""
    means = look.means
    cost = means.first("cost", "amount")
    about = {m: means.first(m) for m in ("channel", "campaign", "impressions", "clicks")}
    if context.customer(look) or means.first("order") or not (cost and means.when and any(about.values())):
        return False
    draft = Draft(look, "what was spent on advertising")
    draft.spend = [{"day": means.when[0], "amount": cost} | {k: v for k, v in about.items() if v}]
    context.drafts[look.name] = draft
    return True


def draft_survey(context: Context, look: Look) -> bool:
    """Answers to surveys: scores and comments of customers at a time."""
    means = look.means
    customer = context.customer(look)
    asked = means.first("nps", "csat") or (means.first("survey") and means.first("answer"))
    if not (customer and asked and means.when) or describes_people(context, look, customer):
        return False
    draft = Draft(look, "a row is an answer to a survey")
    properties: dict[str, Any] = {}
    survey = means.first("survey")
    if survey is None:
        survey = draft.new_column("survey_name", sql_text(look.name))
    properties["survey"] = survey
    for name in ("nps", "csat", "answer"):
        if column := means.first(name):
            properties[name] = column
    taken = {customer, means.when[0], *properties.values()}
    properties |= described(look, _properties(look, taken), properties)
    event = {"event": SURVEY_ANSWERED, "customer": customer, "at": means.when[0], "properties": properties}
    draft.events.append(event)
    context.drafts[look.name] = draft
    context.happened(look, means.when[0], customer)
    return True


def draft_sends(context: Context, look: Look) -> bool:
    """Who was sent which campaign; a table without a date takes that of the campaign."""
    customer, campaign = context.customer(look), look.means.first("campaign")
    told = _told_by_name(look)
    if customer is None or campaign is None or (told and look.means.when) or context.keys.unique(look, customer):
        return False
    draft = Draft(look, "which customer was sent which campaign")
    join = next((j for j in context.keys.joins(look) if j.column == campaign), None)
    at = look.means.when[0] if look.means.when else None
    properties: dict[str, Any] = {"campaign": campaign}
    if join is not None:
        at, fetched = _from_campaigns(context, draft, join, at)
        properties |= named(fetched, properties)
    if at is None:
        return False
    channel = look.means.first("channel")
    if channel:
        properties["channel"] = channel
    properties |= described(look, _properties(look, {customer, campaign, at, channel or ""}), properties)
    draft.events.append({"event": CAMPAIGN_SENT, "customer": customer, "at": at, "properties": properties})
    context.drafts[look.name] = draft
    if at not in look.columns and join is not None:
        context.ask(f"{look.shown} has no date, so campaigns count as sent on their {at}. Is that right?")
    elif at in look.columns:
        context.happened(look, at, customer)
    return True


def _from_campaigns(context: Context, draft: Draft, join: Join, at: str | None) -> tuple[str | None, list[str]]:
    """Look up what kind of campaign it was and, where needed, when it began."""
    parent = join.parent
    start = sorted(parent.means.when, key=lambda c: not re.search(r"start|begin|sent|launch", words(c)))
    take = {
        c: c for c in parent.columns if _is_kind_or_name(parent, c) and c != join.key and c not in draft.look.columns
    }
    fetched = list(take)
    if at is None and start:
        at = start[0]
        take[at] = at
    context.look_up(draft, join, take)
    return at, fetched


def _is_kind_or_name(look: Look, column: str) -> bool:
    return look.columns[column].kind is Kind.TEXT and look.columns[column].looks != "free text"


def draft_other_events(context: Context, look: Look) -> bool:
    """Anything else that a customer did at a time; the table's name says what."""
    customer = context.customer(look)
    if customer is None or not look.means.when or context.keys.unique(look, customer):
        return False
    at = look.means.when[0]
    name = _told_by_name(look) or singular(look.name).replace("_", " ").title()
    draft = Draft(look, "a row is something that a customer did")
    properties = described(look, _properties(look, {customer, at}))
    event: dict[str, Any] = {"event": name, "customer": customer, "at": at}
    draft.events.append(event | ({"properties": properties} if properties else {}))
    context.drafts[look.name] = draft
    context.happened(look, at, customer)
    context.ask(f'The rows of {look.shown} became the event "{name}". Give it a better name if that is not what it is.')
    return True


def _told_by_name(look: Look) -> str | None:
    """What happened, told from the names of the table and of its times."""
    text = f"{words(look.name)} {' '.join(words(c) for c in look.means.when)}"
    return next((event for pattern, event in _BY_TABLE if re.search(pattern, text)), None)


def _properties(look: Look, taken: set[str]) -> list[str]:
    """The columns that may be properties: not taken, not empty, not the number of a row."""
    return [
        column
        for column, guess in look.columns.items()
        if column not in taken and guess.missing < 0.99 and column not in look.means.all("line")
    ][:20]
