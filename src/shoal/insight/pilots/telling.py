"""What a pilot came to, as rows of a table and of a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.wording import counted

if TYPE_CHECKING:
    from shoal.insight.pilots.measuring import Result
    from shoal.insight.pilots.money import Money
    from shoal.insight.pilots.scoreboard import Scoreboard
    from shoal.stats.intervals import Interval


def money_rows(found: Result) -> list[dict[str, Any]]:
    """One row for all (``segment`` None) and one a segment, each figure with its interval; ``drawn`` has chance taken off."""
    rows = [_row(found.money, None)]
    return rows + [_row(one, found.segments.drawn.get(one.segment or "")) for one in found.segments.each]


def _row(money: Money, drawn: Interval | None) -> dict[str, Any]:
    back = money.back
    each = None if money.each is None else (money.each.value, money.each.low, money.each.high)
    return {
        "segment": money.segment, "exposed": money.exposed, "holdout": money.holdout,
        **_ends("conversions", money.conversions), **_ends("revenue", money.revenue), **_ends("each", each),
        **_ends("drawn", drawn), **_ends("margin", money.margin), "spend": money.spend,
        **_ends("profit", back and back.profit), **_ends("roi", back and back.roi), **_ends("iroas", back and back.iroas),
        "refused": money.refused or None,
    }  # fmt: skip


def _ends(name: str, found: tuple[float, float, float] | None) -> dict[str, float | None]:
    value, low, high = (None, None, None) if found is None else tuple(found)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def waterfall(found: Result) -> tuple[list[dict[str, Any]], str, str]:
    """Rows of ``views.charts.experiments.roi_waterfall``, with a title and a subtitle.

    Raises:
        Refused: nobody said what it cost or no margin is known, or nothing can be told of money.
    """
    money, back = found.money, found.money.back
    if money.revenue is None:
        raise Refused(f"Nothing can be said of money. {money.refused}")
    if back is None or back.profit is None or money.margin is None:
        raise Refused("Cost or margin isn't known.", fix="Add cost: and margin: to the pilot's file before it begins.")
    goods = money.revenue.value - money.margin.value
    cost = found.pilot.cost
    rows = [
        {"step": "Incremental revenue", "amount": money.revenue.value, "total": False, "low": money.revenue.low,
         "high": money.revenue.high},
        {"step": "Cost of goods", "amount": -goods, "total": False, "low": None, "high": None},
    ]  # fmt: skip
    for step, amount in (("Contacts", cost.contact * money.exposed), ("Fixed cost", cost.fixed)):
        if amount:
            rows.append({"step": step, "amount": -amount, "total": False, "low": None, "high": None})
    rows.append(
        {"step": "Profit", "amount": back.profit.value, "total": True, "low": back.profit.low, "high": back.profit.high}
    )
    return rows, waterfall_says(found), _subtitle(found)


def waterfall_says(found: Result) -> str:
    """Whether it paid, in a sentence that claims no more than the interval."""
    back = found.money.back
    if back is None or back.profit is None or back.roi is None:
        return "What it came to"
    low, high = back.profit.low, back.profit.high
    if low > 0:
        return f"{found.pilot.name} paid: {_percent(back.roi.value)} on what was spent, beyond chance"
    if high < 0:
        return f"{found.pilot.name} didn't pay: {_percent(back.roi.value)} on what was spent, beyond chance"
    return f"Whether {found.pilot.name} paid can't be said: profit may be above or below nothing"


def _percent(share: float) -> str:
    return f"{100 * share:+,.0f} %".replace("-", "−")


def _subtitle(found: Result) -> str:
    n, m = found.money.exposed, found.money.holdout
    so_far = "" if found.over else "; so far"
    return f"{found.currency}, {n:,} customers against {m:,} held out by lot, with 95\u00a0% intervals{so_far}"


def board_says(found: Scoreboard) -> tuple[str, str]:
    """A title and a subtitle of ``views.charts.experiments.scoreboard_bars``: what may be said of the whole."""
    many = len(found.entries)
    if found.total is None:
        return "No campaign can be measured yet", ""
    low, high = found.total.low, found.total.high
    what = counted(many, "campaign")
    together = f"{what} together brought" if many > 1 else "The campaign brought"
    if low > 0:
        title = f"{together} {found.total.value:,.0f} {found.currency} more than would have come anyway"
    elif high < 0:
        title = f"{together} {-found.total.value:,.0f} {found.currency} less than would have come anyway"
    else:
        title = f"Nothing says that {what} brought more than would have come anyway"
    more = "; diamond: with chance taken off" if many > 1 else ""
    return (
        title,
        f"Incremental revenue, {found.currency}, against those held out by lot, with 95\u00a0% intervals{more}",
    )
