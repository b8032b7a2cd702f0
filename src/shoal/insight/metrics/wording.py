"""What the metrics that ship speak of in a workspace: its orders, its money, its answers, its contracts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.lang.schema import Kind
from shoal.shapes import FeedbackRule, RevenueRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.lang.schema import Schema
    from shoal.shapes import ContractRule

VISITS = ("Session", "Page Viewed", "Viewed Page", "Loaded a Page", "App Opened", "Screen Viewed", "Product Viewed")
DELIVERED = ("Email Delivered", "Email Sent", "Message Sent", "SMS Sent", "Push Notification Sent", "Campaign Sent")
CLICKED = (
    "Email Link Clicked", "Email Clicked", "SMS Clicked", "Push Notification Clicked", "Push Notification Tapped",
    "Campaign Clicked",
)  # fmt: skip
REFUNDS = ("Order Refunded", "Order Cancelled")
_EVER = "since 1970-01-01"
_VALUE = re.compile(r"value_(\d+)(d|w|m|y|p)$")
_SPANS = {"d": "day", "w": "week", "m": "month", "y": "year", "p": "period"}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a workspace is about, for the metrics that ship.

    Args:
        rule: what counts as revenue, as an order and as cost.
        silence: the days of silence after which a customer counts as gone.
        contracts: what says who is under contract; None where nothing does.
        feedback: where scores stand, with what was found by names.
    """

    rule: RevenueRule = field(default_factory=RevenueRule)
    silence: int = 90
    contracts: ContractRule | None = None
    feedback: FeedbackRule = field(default_factory=FeedbackRule)


def words(subject: Subject, schema: Schema) -> dict[str, str]:
    """The words that stand for ``$order``, ``$revenue`` and the like; what the data doesn't have is left out."""
    found = {"silence": str(subject.silence)}
    _trade(subject.rule, schema, found)
    _pick(found, schema, visit=VISITS, delivered=DELIVERED, clicked=CLICKED, refund=REFUNDS)
    if "order" in found:
        found["activity"] = found.get("visit", found["order"])
    _answers(subject.feedback, found)
    _contracts(subject.contracts, schema, found)
    return found


def horizons(schema: Schema) -> dict[str, dict[str, str]]:
    """By suffix of a slug, the words of each score of value that there is: ``$value`` and ``$horizon``."""
    told = {}
    for name in sorted(schema.scores):
        held = _VALUE.fullmatch(name)
        if held is not None and schema.traits.get(name) is Kind.NUMBER:
            many, unit = int(held[1]), _SPANS[held[2]]
            told[f"{held[1]}{held[2]}"] = {"value": name, "horizon": f"{many} {unit}{'' if many == 1 else 's'}"}
    return told


def quoted(name: str) -> str:
    """An event's name as the language writes it; a star in it is no wildcard.

    >>> quoted("Order Completed")
    '"Order Completed"'
    """
    return json.dumps(name.removesuffix("*") + "\\*" if name.endswith("*") else name, ensure_ascii=False)


def _named(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else f"`{name.replace('`', '``')}`"


def _trade(rule: RevenueRule, schema: Schema, found: dict[str, str]) -> None:
    if rule.orders in schema.events:
        found["order"] = quoted(rule.orders)
    bearing = {event: prop for event, prop in rule.events.items() if _number(schema, event, prop)}
    if bearing:
        found["revenue"] = _summed(bearing)
        found["revenue_ever"] = _summed(bearing, _EVER)
        found["revenue_words"] = ", ".join(f"{prop} of {quoted(event)}" for event, prop in bearing.items())
    if rule.orders in bearing:
        found["order_revenue"] = _summed({rule.orders: bearing[rule.orders]})
    cost = {event: prop for event, prop in rule.cost.items() if _number(schema, event, prop)}
    if cost and bearing:
        found["margin"], found["margin_ever"] = _margin(bearing, cost, ""), _margin(bearing, cost, _EVER)
    inside = "; ".join(f"{what}: {how}" for what, how in rule.includes.items())
    found["includes"] = f" {inside[0].upper()}{inside[1:]}." if inside else ""


def _number(schema: Schema, event: str, prop: str) -> bool:
    known = schema.events.get(event, {}).get(prop)
    return known is not None and known.kind is Kind.NUMBER


def _summed(bearing: Mapping[str, str], window: str = "", where: Mapping[str, str] | None = None) -> str:
    return " + ".join(
        f"sum({_named(prop)} of {_rows(event, (where or {}).get(event), window)})" for event, prop in bearing.items()
    )


def _rows(event: str, known: str | None, window: str) -> str:
    test = f" where {_named(known)} is known" if known else ""
    return f"{quoted(event)}{test}{' ' + window if window else ''}"


def _margin(bearing: Mapping[str, str], cost: Mapping[str, str], window: str) -> str:
    """Revenue less cost of what has a known cost; what isn't named as bearing cost costs nothing."""
    return f"{_summed(bearing, window, cost)} - ({_summed(cost, window)})"


def _pick(found: dict[str, str], schema: Schema, **known: Iterable[str]) -> None:
    for key, names in known.items():
        first = next((name for name in names if name in schema.events), None)
        if first is not None:
            found[key] = quoted(first)


def _answers(feedback: FeedbackRule, found: dict[str, str]) -> None:
    for key, where in (("nps", feedback.nps), ("csat", feedback.csat)):
        for event, properties in where.items():
            if properties:
                found[f"{key}_event"], found[key] = quoted(event), _named(properties[0])
                break


def _contracts(rule: ContractRule | None, schema: Schema, found: dict[str, str]) -> None:
    if rule is None:
        return
    if rule.left and schema.traits.get(rule.left) is Kind.YESNO:
        found["left"], found["under_contract"] = f"{_named(rule.left)} = yes", f"not {_named(rule.left)} = yes"
    elif rule.left and rule.left not in schema.traits:
        found["left"], found["under_contract"] = f"({rule.left})", f"not ({rule.left})"
    elif rule.start in schema.events and rule.end in schema.events:
        start, end = quoted(str(rule.start)), quoted(str(rule.end))
        found["left"] = f"did {end}"
        found["under_contract"] = f"count({start} {_EVER}) > count({end} {_EVER})"


__all__ = ["Subject", "horizons", "quoted", "words"]
