"""The head of the report: figures at a glance, findings in sentences, and the method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.insight.cohorts import DEFINITIONS as RETENTION
from shoal.insight.sales import NO_COST
from shoal.views import words as w
from shoal.views.report.facts import by_kpi
from shoal.views.report.page import Card, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shoal.views.report.facts import Facts

_CARDS = (
    ("Net revenue", "revenue", "order"),
    ("Orders", "orders", ""),
    ("Active customers", "active customers", ""),
    ("Average order value", "average order value", "order"),
    ("Repeat purchase rate", "repeat purchase rate", "customer"),
)
MOST_FINDINGS = 6
_WIDE_VALUE = 11


def at_a_glance(facts: Facts) -> Section:
    """The five figures of the period, each with the period before and n."""
    if not facts.has_orders:
        hint = f'There is no "{facts.rule.orders}" yet. Map a file of orders in shoal.yaml, then run: shoal load'
        cards = [Card("Customers", f"{facts.customers:,}", f"known on {w.day(facts.at, facts.zone)}")]
        return Section("glance", "At a glance", hint, (cards,))
    now = by_kpi(facts.period)
    before = by_kpi(facts.before) if facts.before is not None else {}
    cards = [_card(facts, label, now[kpi], before.get(kpi), noun) for label, kpi, noun in _CARDS]
    start, end = w.day(_start(facts), facts.zone), w.day(facts.at, facts.zone)
    if facts.before is None:
        lead = f"From {start} to {end}. The data doesn't reach back far enough to compare it with the period before."
    else:
        lead = f"The {w.many(facts.days(), 'day')} from {start} to {end}, each against the {facts.days()} days before."
    return Section("glance", "At a glance", lead, (cards,))


def _start(facts: Facts) -> int:
    """Where the period begins; no earlier than the data."""
    return max(facts.compare, facts.span[0]) if facts.span else facts.compare


def figure(row: dict[str, Any], currency: str) -> str:
    """A KPI's value as it is shown."""
    value = row["value"]
    if value is None:
        return "–"
    return {"money": lambda: w.money(value, currency), "share": lambda: w.share(value)}.get(
        row["unit"], lambda: f"{value:,.0f}"
    )()


def _card(facts: Facts, label: str, now: dict[str, Any], before: dict[str, Any] | None, noun: str) -> Card:
    value = figure(now, facts.currency)
    if now["unit"] == "money" and len(value) > _WIDE_VALUE:
        value = f"{w.money(now['value'] / 1e6, facts.currency)}{w.HARD}M"
    detail = "" if before is None else _against(facts, now, before)
    n = now["n"]
    more = f"n = {w.many(n, noun)}" if noun else ""
    if now["low"] is not None and now["high"] is not None:
        ends = (figure(now | {"value": end}, facts.currency) for end in (now["low"], now["high"]))
        more += f"; 95{w.HARD}%: {' to '.join(ends)}"
    return Card(label, value, detail, more)


def _against(facts: Facts, now: dict[str, Any], before: dict[str, Any]) -> str:
    if before["value"] is None or now["value"] is None:
        return "nothing to compare with"
    was = figure(before, facts.currency)
    if now["unit"] == "share":
        points = 100 * (now["value"] - before["value"])
        return f"{'+' if points >= 0 else '−'}{abs(points):.1f} points; before: {was}"
    by = w.change(before["value"], now["value"])
    return f"before: {was}" if by is None else f"{w.signed(by)}; before: {was}"


# ------------------------------------------------------------ findings


def findings(facts: Facts) -> list[str]:
    """Three to six sentences, the weightiest first; fewer where there is little to say."""
    said = (finding(facts) for finding in _FINDINGS)
    return [sentence for sentence in said if sentence][:MOST_FINDINGS]


def _revenue(facts: Facts) -> str | None:
    if not facts.has_orders:
        return (
            f"{w.many(facts.customers, 'customer')} are known, and no order yet: load orders to see value, "
            "lifecycle and retention."
        )
    now = by_kpi(facts.period)["revenue"]
    orders, active = by_kpi(facts.period)["orders"]["value"], by_kpi(facts.period)["active customers"]["value"]
    by = w.change(by_kpi(facts.before)["revenue"]["value"], now["value"]) if facts.before is not None else None
    amount = w.money(now["value"], facts.currency)
    base = f"{w.many(active or 0, 'customer')} brought {amount} in {w.many(orders or 0, 'order')}"
    if by is None:
        return f"Since {w.day(_start(facts), facts.zone)}, {base}."
    against = "the same as" if abs(by) < w.STEADY else f"{w.share(abs(by))} {'more' if by > 0 else 'less'} than"
    about = "about " if abs(by) < w.STEADY else ""
    return f"In the last {facts.days()} days {base}: {about}{against} in the {facts.days()} days before."


def _concentration(facts: Facts) -> str | None:
    rows = {row["percent"]: row for row in facts.concentration.to_pylist()}
    if 20 not in rows or rows[20]["share"] is None:
        return None
    best = rows[20]
    words = ((0.6, "revenue hangs on few customers"), (0.4, "a usual spread"), (0.0, "revenue is spread rather evenly"))
    rest = next(word for least, word in words if best["share"] >= least or least == 0)
    return f"The best fifth of buyers ({best['customers']:,}) bring {w.share(best['share'])} of all revenue: {rest}."


def _slipping(facts: Facts) -> str | None:
    if facts.rfm is None:
        return None
    rows = facts.rfm.to_pylist()
    total = sum(row["revenue"] for row in rows)
    slipping = [row for row in rows if row["name"] in ("At Risk", "Can't Lose")]
    customers, revenue = sum(r["customers"] for r in slipping), sum(r["revenue"] for r in slipping)
    if not customers or total <= 0:
        return None
    return (
        f"{w.many(customers, 'good customer')} of the past {'is' if customers == 1 else 'are'} going silent "
        f"(At Risk and Can't Lose). They brought {w.money(revenue, facts.currency)} so far, "
        f"{w.share(revenue / total)} of all revenue: the first to win back."
    )


def _lapsed(facts: Facts) -> str | None:
    if facts.lifecycle is None or facts.cycle is None or facts.cycle.note:
        return None
    sizes = {row["state"]: row["customers"] for row in facts.lifecycle.to_pylist()}
    buyers = sum(n for state, n in sizes.items() if state != "Prospect")
    gone = sizes.get("Lapsed", 0)
    if not buyers:
        return None
    return (
        f"{w.share(gone / buyers)} of all buyers are lapsed by the rhythm of this data: silent for "
        f"{facts.cycle.lapse} days or more, longer than nineteen in twenty returns take."
    )


def _retention(facts: Facts) -> str | None:
    from shoal.stats.intervals import wilson

    rows = [r for r in facts.cohorts.to_pylist() if r["age"] == 1 and r["finished"]]
    size, active = sum(r["size"] for r in rows), sum(r["active"] for r in rows)
    if size < 30:
        return None
    _, low, high = wilson(active, size)
    return (
        f"Of the {w.many(size, 'customer')} whose first month is over, {w.share(active / size)} ordered again in the "
        f"month after it (95{w.HARD}%: {w.share(low)} to {w.share(high)})."
    )


def _feedback(facts: Facts) -> str | None:
    found = facts.heard.scores.get("nps")
    if found is None:
        return None
    value, low, high = found.everyone.estimate
    return f"The net promoter score is {value:+.0f} (95{w.HARD}%: {low:+.0f} to {high:+.0f}; n = {found.everyone.n:,})."


def _coverage(facts: Facts) -> str | None:
    found = facts.quality.overlaps
    if not found.sizes or not found.base:
        return None
    share = found.in_none / found.base
    if share < 0.05:
        return None
    which = _none_of(len(found.sizes))
    if facts.quality.unscored:
        which += f" that can be told for this date ({len(facts.quality.unscored)} weren't scored by then)"
    return f"{w.share(share)} of customers ({found.in_none:,}) are in {which}: nobody has decided yet what they should get."


def _none_of(segments: int) -> str:
    return f"none of the {segments} segments" if segments > 1 else "no segment"


def _data(facts: Facts) -> str | None:
    waiting = sum(row["rows"] for row in facts.quarantine)
    if not waiting:
        return None
    return f"{w.many(waiting, 'row')} of the sources couldn't be read and wait in quarantine; no figure counts them."


_FINDINGS: tuple[Callable[[Facts], str | None], ...] = (
    _revenue, _concentration, _slipping, _lapsed, _retention, _feedback, _coverage, _data,
)  # fmt: skip


# ------------------------------------------------------------ method


def method(facts: Facts) -> list[tuple[str, str]]:
    """What each figure means, in this workspace."""
    parts = (_of_data, _of_kpis, _of_calibration, _of_comparisons)
    return [entry for part in parts for entry in part(facts)]


def revenue_words(facts: Facts) -> str:
    """What of tax, shipping and discount is in revenue; says so where nobody wrote it down."""
    if not facts.rule.includes:
        return (
            "What of tax, shipping and discount is in it, nobody has written down yet; the place is includes, under "
            "revenue in shoal.yaml."
        )
    return "It holds: " + "; ".join(f"{what}: {how}" for what, how in facts.rule.includes.items()) + "."


def _of_data(facts: Facts) -> Iterator[tuple[str, str]]:
    yield (
        "As of",
        (
            f"{w.stamp(facts.at, facts.zone)}. Only what happened up to then counts. Days begin in this zone; weeks begin "
            "on Monday."
        ),
    )
    if facts.span:
        first, last = (w.day(at, facts.zone) for at in facts.span)
        yield "Data", f"Orders and refunds from {first} to {last}."


def _of_kpis(facts: Facts) -> Iterator[tuple[str, str]]:
    seen = {row["kpi"]: row["definition"] for row in facts.kpis.to_pylist()}
    for kpi, definition in seen.items():
        if kpi != "margin" or facts.rule.cost:
            yield kpi[0].upper() + kpi[1:], definition
    if not facts.rule.cost:
        yield (
            "Margin",
            f"{NO_COST.capitalize()}: shoal.yaml names no event that bears cost. Margin is never shown as zero.",
        )
    if not facts.rule.includes:
        yield "Revenue includes", revenue_words(facts)
    yield (
        "n and 95 %",
        (
            "n is the number that a figure rests on. Where a figure is an estimate, the range holds the true value in 95 "
            "of 100 such samples."
        ),
    )


def _of_calibration(facts: Facts) -> Iterator[tuple[str, str]]:
    if facts.cycle:
        measured = (
            f"Four in five returns happen within {facts.cycle.active} days, nineteen in twenty within "
            f"{facts.cycle.lapse} days. Measured on {facts.cycle.gaps:,} gaps between order days of "
            f"{facts.cycle.returning:,} customers who came back; every customer has one vote."
        )
        yield "Repurchase cycle", facts.cycle.note or measured
    if facts.cuts:
        taken = w.day(facts.cuts.at, facts.zone)
        yield (
            "RFM",
            (
                "Recency, frequency and money, each scored 1 to 5 at the quantiles of all buyers; equal values get equal "
                f"scores. FM is the mean of F and M, rounded up. The cut points were taken on {taken} from "
                f"{w.many(facts.cuts.buyers, 'buyer')} and stay until: shoal recalibrate. {facts.cuts.note}".strip()
            ),
        )


def _of_comparisons(facts: Facts) -> Iterator[tuple[str, str]]:
    yield "Cohort retention", f"{RETENTION['on']} A cohort is everyone whose first order fell in the month."
    yield "Overlap", "Of the customers in one segment, the share that is in the other too."
    yield (
        "What makes a segment different",
        (
            "Its customers against all others, on variables that its definition doesn't rest on. Shown are differences "
            "that chance explains in fewer than 5 of 100 cases, over all variables of the segment together (Bonferroni)."
        ),
    )
    yield (
        "Migration",
        (
            f"Each customer's place on {w.day(facts.compare, facts.zone)} and on {w.day(facts.at, facts.zone)}, with the "
            "same cut points. Revenue during is net and between the two dates; revenue before is that of as long a time "
            "before. Some movement is chance: extreme groups drift towards the middle by themselves."
        ),
    )
    for measure, scores in facts.heard.scores.items():
        yield measure.upper(), scores.definition
