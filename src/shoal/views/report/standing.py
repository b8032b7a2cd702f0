"""Where customers stand and move: RFM, lifecycle, cohort retention, migration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.clock import DAY
from shoal.insight import lifecycle as cycles
from shoal.insight import rfm as groups
from shoal.stats.intervals import wilson
from shoal.views import charts
from shoal.views import words as w
from shoal.views.report.page import Column, Figure, Hint, Section, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.views.report.facts import Facts

_MOST_COHORTS, _NARROW_COHORTS, _LEAST_COHORT = 24, 12, 30
_MOVES = 8
_ADVICE = {
    "Prospect": "Make the first order easy.",
    "New": "Welcome them; the second order decides.",
    "Active": "Thank them and show them more.",
    "Won back": "Find out why they left, and keep them.",
    "At risk": "Remind them now, before habit is gone.",
    "Lapsed": "Win back the most valuable; let the others rest.",
}


def rfm(facts: Facts) -> Section:
    """The grid, and each group with its meaning and advice."""
    title = "RFM: recency, frequency, money"
    if facts.rfm is None or facts.cuts is None or not facts.rfm.num_rows:
        hint = f"RFM needs {groups.LEAST_BUYERS} customers with an order. Load more orders, then run: shoal recalibrate"
        return Section("rfm", title, "", (Hint(hint),))
    rows = facts.rfm.to_pylist()
    buyers, revenue = sum(r["customers"] for r in rows), sum(r["revenue"] for r in rows)
    found = [_group(name, [r for r in rows if r["name"] == name], buyers, revenue) for name in groups.GROUPS]
    table = [row for row in found if row["customers"]]
    best = max(table, key=lambda row: row["revenue"])
    said = f"{best['name']}: {w.share(best['share'])} of buyers, {w.share(best['revenue_share'])} of revenue"
    cells = _grid(facts, rows)
    figure = Figure(
        "rfm-grid",
        lambda width: charts.rfm_grid(
            cells, title=said, subtitle=f"Customers in each cell, {w.many(buyers, 'buyer')}, {w.day(_scored(facts), facts.zone)}",
            width=width,
        ),
        cells, said, facts.cuts.note,
    )  # fmt: skip
    lead = (
        "Who bought lately, often and for much. The upper right is the best; the lower right is what is being lost. The "
        "names are relative: they compare the buyers of this data with each other."
        f"{_when_scored(facts)}"
    )
    return Section("rfm", title, lead, (figure, Table("rfm-groups", _rfm_columns(facts.currency), table)))


def _scored(facts: Facts) -> int:
    return facts.at if facts.scored_at is None else facts.scored_at


def _when_scored(facts: Facts) -> str:
    """Says so where the groups aren't those that segments had on the report's day."""
    if facts.scored_at is None:
        return " No segment had scores on this date yet: the groups are worked out for this report, with the cut points of later."
    if facts.at - facts.scored_at > DAY:
        return f" The scores are those of {w.day(facts.scored_at, facts.zone)}, as in the segments."
    return ""


def _rfm_columns(currency: str) -> tuple[Column, ...]:
    return (
        Column("name", "Group", note="advice"), Column("customers", "Customers", "count"),
        Column("share", "Share", "share", "Of all buyers."),
        Column("revenue", f"Revenue, {currency}", "money", "Net of refunds, since the first order."),
        Column("revenue_share", "Of revenue", "bar"),
        Column("orders", "Orders each", "decimal", "Orders per customer."),
        Column("silent", "Days silent", "count", "Median of days since the newest order."),
    )  # fmt: skip


def _group(name: str, rows: list[dict[str, Any]], buyers: int, revenue: float) -> dict[str, Any]:
    customers, brought = sum(r["customers"] for r in rows), sum(r["revenue"] for r in rows)
    middle = sum(r["silent"] * r["customers"] for r in rows) / customers if customers else None
    return {
        "name": name, "customers": customers, "share": customers / buyers, "revenue": brought,
        "revenue_share": brought / revenue if revenue > 0 else None, "silent": middle,
        "orders": sum(r["orders"] for r in rows) / customers if customers else None, "advice": groups.MEANING[name],
    }  # fmt: skip


def _grid(facts: Facts, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every cell that a buyer could be in, the empty ones too."""
    there = {(r["r"], r["fm"]): r for r in rows}
    reached = range(1, 6) if facts.cuts is None or facts.cuts.bins == 5 else (1, 3, 5)
    return [
        {"r": r, "fm": fm, "group": groups.group(r, fm), "customers": there.get((r, fm), {}).get("customers", 0),
         "revenue": there.get((r, fm), {}).get("revenue", 0.0)}
        for r in reached for fm in range(1, 6)
    ]  # fmt: skip


# ------------------------------------------------------------ lifecycle


def lifecycle(facts: Facts) -> Section:
    """Where customers stand now, and the months behind."""
    title = "Lifecycle"
    if facts.lifecycle is None or facts.cycle is None or not facts.has_orders:
        return Section(
            "lifecycle", title, "", (Hint("Load orders, and each customer's place from new to lapsed shows here."),)
        )
    rows = facts.lifecycle.to_pylist()
    revenue = sum(r["revenue"] for r in rows)
    by_state = {r["state"]: r for r in rows}
    table = [
        {"state": state, "customers": r["customers"], "share": r["customers"] / max(facts.customers, 1), "revenue": r["revenue"],
         "revenue_share": r["revenue"] / revenue if revenue > 0 else None,
         "meaning": f"{cycles.meaning(state, facts.cycle)} {_ADVICE[state]}"}
        for state in cycles.STATES if (r := by_state.get(state))
    ]  # fmt: skip
    columns = (
        Column("state", "State", note="meaning"), Column("customers", "Customers", "count"),
        Column("share", "Share", "bar", "Of all customers."),
        Column("revenue", f"Revenue, {facts.currency}", "money", "Net of refunds, since the first order."),
        Column("revenue_share", "Of revenue", "share"),
    )  # fmt: skip
    if facts.cycle.note:
        lead = f"{facts.cycle.note} So at risk means {facts.cycle.active} days of silence, lapsed {facts.cycle.lapse}."
    else:
        lead = (
            f"By the rhythm of this data: four in five returns happen within {facts.cycle.active} days, nineteen in "
            f"twenty within {facts.cycle.lapse}."
        )
    blocks: list[Any] = [Table("lifecycle-now", columns, table)]
    if facts.months.num_rows >= 2:
        blocks.append(_months(facts))
    return Section("lifecycle", title, lead, tuple(blocks))


def _months(facts: Facts) -> Figure:
    months = facts.months.to_pylist()
    drawn = [
        {"month": str(row["month"]), "state": state, "customers": row[state.lower()], "complete": row["finished"]}
        for row in months for state in ("New", "Retained", "Resurrected", "Dormant") if row[state.lower()] is not None
    ]  # fmt: skip
    done = [row for row in months if row["finished"]]
    said = _balance(done[-1]) if done else "New, retained and returned customers by month"
    subtitle = (
        "Customers with an order in the month, by month; below the line: with one in the month before and none in it"
    )
    return Figure(
        "lifecycle-months",
        lambda width: charts.lifecycle_bars(drawn, title=said, subtitle=subtitle, width=width),
        drawn, said, "New: first order in the month. Retained: ordered the month before too. Resurrected: back after a pause. "
        "Dormant: ordered the month before, not in this one. A month that isn't over is pale.",
    )  # fmt: skip


def _balance(row: dict[str, Any]) -> str:
    came, went = row["new"] + row["resurrected"], row["dormant"] or 0
    month = w.month(row["month"])
    if came == went:
        return f"{month}: as many customers came or came back as went silent ({came:,})"
    word = "more" if came > went else "fewer"
    return f"{month}: {abs(came - went):,} {word} customers came or came back ({came:,}) than went silent ({went:,})"


# ------------------------------------------------------------ cohorts


def retention(facts: Facts) -> Section:
    """The triangle and the curves."""
    rows = [r for r in facts.cohorts.to_pylist() if r["age"] > 0]
    title = "Cohort retention"
    if not any(r["finished"] for r in rows):
        wait = "A month after the first one must be over before retention can be seen. Come back next month."
        hint = wait if facts.has_orders else "Load orders, and who comes back in later months shows here."
        return Section("retention", title, "", (Hint(hint),))
    drawn = [
        {"cohort": f"{r['cohort']:%Y-%m}", "size": r["size"], "period": r["age"], "active": r["active"], "rate": r["rate"],
         "low": r["low"], "high": r["high"], "complete": r["finished"]}
        for r in rows
    ]  # fmt: skip
    pooled = list(_pooled(drawn))
    lead = (
        "Of the customers whose first order fell in a month, the share who ordered in each month after. Hatched cells "
        "belong to the month that isn't over and will still grow; compare only full ones."
    )
    return Section("retention", title, lead, (_triangle(drawn, pooled), *_curves(drawn, pooled)))


def _triangle(drawn: list[dict[str, Any]], pooled: list[dict[str, Any]]) -> Figure:
    from shoal.views import theme

    first = pooled[0]
    said = f"In the month after their first order, {w.share(first['rate'])} of customers order again"
    cohorts = sorted({row["cohort"] for row in drawn})
    most = {False: set(cohorts[-_MOST_COHORTS:]), True: set(cohorts[-_NARROW_COHORTS:])}

    def draw(width: int) -> Any:
        narrow = width <= theme.NARROW
        span = _NARROW_COHORTS if narrow else _MOST_COHORTS
        rows = [row for row in drawn if row["cohort"] in most[narrow] and row["period"] <= span]
        subtitle = "Customers with an order in the month, per cent of the cohort (its size in brackets)"
        return charts.cohort_heatmap(rows, title=said, subtitle=subtitle, width=width)

    left_out = f"The newest {_MOST_COHORTS} cohorts; the CSV holds all." if len(cohorts) > _MOST_COHORTS else ""
    note = f"n = {first['size']:,} customers in finished cohorts. {left_out}".strip()
    return Figure("cohort-map", draw, drawn, said, note)


def _curves(drawn: list[dict[str, Any]], pooled: list[dict[str, Any]]) -> Iterator[Figure]:
    """The curves, where there are at least three points to make one."""
    if len(pooled) < 3:
        return
    whole = [row for row in drawn if row["complete"]]
    said = _course(whole)
    subtitle = (
        "Share of the cohort with an order in the month; thick: all finished cohorts together, with its 95 % interval"
    )
    yield Figure(
        "cohort-curves",
        lambda width: charts.retention_curves([*whole, *pooled], title=said, subtitle=subtitle, width=width),
        [*whole, *pooled], said, "Later points rest on older cohorts alone, so the curve isn't one group's path.",
    )  # fmt: skip


def _course(whole: list[dict[str, Any]]) -> str:
    """How retention goes on: the same cohorts at their first month and at the last that several of them reached."""
    reached = {age: {r["cohort"] for r in whole if r["period"] == age} for age in {r["period"] for r in whole}}
    several = min(3, len(reached[1]))
    last = max(age for age, cohorts in reached.items() if len(cohorts) >= several)
    sides = []
    for age in (1, last):
        cells = [r for r in whole if r["period"] == age and r["cohort"] in reached[last]]
        sides.append(wilson(sum(r["active"] for r in cells), sum(r["size"] for r in cells)))
    first, later = sides
    word = "falls" if later.high < first.low else "rises" if later.low > first.high else "stays about level"
    which = "the same cohort" if several == 1 else f"the same {len(reached[last])} cohorts"
    return f"Retention {word}: {w.share(first.value)} after one month, {w.share(later.value)} after {last}, in {which}"


def _pooled(drawn: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All finished cells of an age together, while they rest on enough customers."""
    for age in sorted({row["period"] for row in drawn}):
        cells = [row for row in drawn if row["period"] == age and row["complete"]]
        size, active = sum(r["size"] for r in cells), sum(r["active"] for r in cells)
        if not cells or (age > 1 and (size < _LEAST_COHORT or len(cells) < 2)):
            return
        rate, low, high = wilson(active, size)
        yield {"cohort": None, "size": size, "period": age, "active": active, "rate": rate, "low": low, "high": high,
               "complete": True}  # fmt: skip


# ------------------------------------------------------------ migration


def migration(facts: Facts) -> Section:
    """Who moved between the two dates, and what it did to revenue."""
    title = "Migration"
    moves, order, what = _moves(facts)
    if not facts.has_orders:
        return Section("migration", title, "", (Hint("Load orders, and who moved between two dates shows here."),))
    if not moves or len({m["source"] for m in moves}) < 2:
        hint = (
            f"Nobody was a customer on {w.day(facts.compare, facts.zone)} yet, so nobody can have moved since. Choose "
            "a later date with: shoal report --compare"
        )
        return Section("migration", title, "", (Hint(hint),))
    later = _scored(facts) if what == "RFM group" else facts.at
    dates = (w.day(facts.compare, facts.zone), w.day(later, facts.zone))
    there = [m for m in moves if m["source"] not in _ABSENT]
    stayed = sum(m["customers"] for m in there if m["source"] == m["target"]) / sum(m["customers"] for m in there)
    said = f"{w.share(stayed)} of customers are in the {what} they were in on {dates[0]}"
    flows = [
        {"before": m["source"], "after": m["target"], "customers": m["customers"], "revenue": m["revenue"]}
        for m in moves
    ]
    figure = Figure(
        "migration-flows",
        lambda width: charts.migration_flows(
            flows, title=said, subtitle=f"Customers by {what}, {dates[0]} and {dates[1]}", order=order, dates=dates, width=width
        ),
        flows, said, f"{w.many(sum(m['customers'] for m in moves), 'customer')}",
    )  # fmt: skip
    lead = (
        "Where customers stood on the two dates, and what those who moved brought. Part of every move is chance: the "
        "best fall back and the worst recover by themselves, so judge an action against a group that didn't get it."
    )
    return Section("migration", title, lead, (figure, _largest_moves(facts, moves)))


_ABSENT = ("Not yet a customer", "Never ordered")


def _moves(facts: Facts) -> tuple[list[dict[str, Any]], list[str], str]:
    if facts.rfm_moves is not None and facts.rfm_moves.num_rows:
        return facts.rfm_moves.to_pylist(), [*groups.GROUPS, *_ABSENT], "RFM group"
    if facts.lifecycle_moves is not None:
        order = ["Active", "New", "Won back", "At risk", "Lapsed", "Prospect", *_ABSENT]
        return facts.lifecycle_moves.to_pylist(), order, "state"
    return [], [], "group"


def _largest_moves(facts: Facts, moves: list[dict[str, Any]]) -> Table:
    moved = [
        m | {"delta": m["revenue"] - m["revenue_before"], "each": (m["revenue"] - m["revenue_before"]) / m["customers"]}
        for m in moves
        if m["source"] != m["target"] and m["source"] not in _ABSENT
    ]
    rows = sorted(moved, key=lambda m: -abs(m["delta"]))[:_MOVES]
    days = facts.days()
    columns = (
        Column("source", "From"), Column("target", "To"), Column("customers", "Customers", "count"),
        Column("share", "Of the first", "share", "Of the customers who were in the first group."),
        Column("revenue_before", f"Before, {facts.currency}", "money", f"Net revenue in the {days} days before the first date."),
        Column("revenue", f"During, {facts.currency}", "money", f"Net revenue in the {days} days between the dates."),
        Column("delta", "Change", "change"),
        Column("each", "Each", "change", "The change per customer."),
    )  # fmt: skip
    return Table("moves", columns, rows, "Nobody moved.", note="The moves that changed revenue most.")
