"""RFM, lifecycle and cohorts: how customers stand by when, how often and for how much they bought."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.views import theme, words
from shoal.views.charts import cohort_heatmap, lifecycle_bars, retention_curves, rfm_grid
from shoal.views.charts.journeys import growth_says
from shoal.web.charts import answer
from shoal.web.explore.view import (
    GRAINS,
    Chart,
    Field,
    Figure,
    Shown,
    Table,
    View,
    asked_of,
    in_words,
    label,
    period_fields,
    picked,
)
from shoal.web.tables import Column, listed
from shoal.wording import noun

if TYPE_CHECKING:
    from fastapi import Response

    from shoal.web.explore.view import Given, Ground, Told

GRAIN_NAMES = ("month", "week", "quarter", "year", "day")
AGES = 13
"""So many periods after its own a cohort is followed in the picture; the table has all."""
COHORTS = 16


def grain_of(given: Given) -> str:
    """The length of a period."""
    return given.one("grain", GRAIN_NAMES)


class Rfm(View):
    """The grid of recency against frequency and money."""

    name, title = "rfm", "RFM grid"
    sub = "How lately, how often and for how much customers bought, in 5 × 5 cells"
    needs = "Orders of at least 30 customers."

    def fields(self, ground: Ground) -> list[Field]:
        """The fields of its question."""
        return [ground.segment_field()]

    def asked(self, given: Given) -> Told:
        """The question's arguments."""
        return asked_of(segment=given.text("segment"))

    def shown(self, ground: Ground) -> Shown:
        """What it shows."""
        told = ground.ask(self.asked(ground.given))
        groups = ground.leads(told["groups"])
        largest = max(groups, key=lambda row: row["customers"], default=None)
        money = sum(row["revenue"] for row in groups)
        figures = [Figure("Customers with an order", f"{told['n']:,}", term="RFM")]
        if largest is not None:
            share = words.share(largest["customers"] / told["n"])
            figures.append(Figure("Largest group", largest["group"], f"{largest['customers']:,}, {share}"))
            best = max(groups, key=lambda row: row["revenue"])
            figures.append(
                Figure(
                    "Brings most", best["group"], f"{words.share(best['revenue'] / money)} of revenue" if money else ""
                )
            )
        columns = (
            Column("group", "Group", note="meaning"), Column("customers", "Customers", "count"),
            Column("share", "Share", "bar"), Column("revenue", "Revenue", "money"), Column("orders", "Orders", "count"),
        )  # fmt: skip
        rows = [row | {"share": row["customers"] / told["n"], "colour": theme.GROUPS[row["group"]]} for row in groups]
        cells = [row | {"cell": f"R {row['r']}, FM {row['fm']}"} for row in ground.leads(told["cells"])]
        by_cell = (
            Column("cell", "Cell", note="group"), Column("customers", "Customers", "count"),
            Column("revenue", "Revenue", "money"), Column("orders", "Orders", "count"),
            Column("silent", "Days silent, median", "days"),
        )  # fmt: skip
        request = ground.request
        return Shown(
            figures, [Chart("grid", 440)],
            [Table("Groups", listed(request, "groups", columns, rows, sort="-customers", label="groups")),
             Table("Cells", listed(request, "cells", by_cell, cells, sort="-cell", label="cells", prefix="cell-"),
                   "R is the score of recency, FM that of frequency and money together: 5 is best.")],
            (), told["as_of"], f"{told['n']:,} customers with an order",
        )  # fmt: skip

    def chart(self, ground: Ground, name: str, width: int) -> Response:
        """The grid."""
        told = ground.ask(self.asked(ground.given))
        cells = ground.leads(told["cells"])
        sleeping = sum(r["customers"] for r in told["groups"] if r["group"] in ("At Risk", "Can't Lose"))
        title = f"{sleeping:,} of {told['n']:,} were good customers and have gone silent"
        chart = rfm_grid(cells, title=title, subtitle="Customers by cell; a click makes a segment", width=width)
        heads = {"r": "Recency", "fm": "Frequency and money", "silent": "Days silent, median"}
        rows = picked(cells, "group", "r", "fm", "customers", "revenue", "orders", "silent")
        return answer(chart, rows, heads)


class Lifecycle(View):
    """Customers won, kept, brought back and lost by period."""

    name, title = "lifecycle", "Lifecycle"
    sub = "How many customers each period brought, kept, brought back and lost"
    needs = "An event that customers repeat, such as orders."

    def fields(self, ground: Ground) -> list[Field]:
        """The fields of its question."""
        given = ground.given
        return [
            Field("active", "Active with", given.text("active"), known="events", placeholder=ground.order),
            Field("grain", "By", grain_of(given), "select", GRAINS, submits=True),
            ground.segment_field(),
            *period_fields(given),
        ]

    def asked(self, given: Given) -> Told:
        """The question's arguments."""
        return asked_of(active=given.text("active"), grain=grain_of(given), segment=given.text("segment"))

    def shown(self, ground: Ground) -> Shown:
        """What it shows."""
        told = ground.ask(self.asked(ground.given))
        grain, rows = grain_of(ground.given), ground.leads(_within(told["rows"], ground.given))
        over = [row for row in _within(told["periods"], ground.given) if row["finished"]]
        figures = []
        if over:
            newest = over[-1]
            figures = [
                Figure(head, words_of(newest[key]), in_words(newest["period"], grain), href=_href(rows, newest["period"], state))
                for head, key, state in (
                    ("New", "new", "New"), ("Kept", "retained", "Retained"), ("Brought back", "resurrected", "Resurrected"),
                    ("Gone silent", "dormant", "Dormant"),
                )
            ]  # fmt: skip
        columns = (
            Column("named", "Period"), Column("state", "State"), Column("customers", "Customers", "count"),
            Column("over", "Over", "state"),
        )  # fmt: skip
        shown = [
            row
            | {
                "over": ("over", "") if row["finished"] else ("still running", "warn"),
                "named": label(row["period"], grain),
                "colour": theme.STATES[row["state"]],
            }
            for row in rows
        ]
        listing = listed(ground.request, "periods", columns, shown, sort="-named", label="figures", size=24)
        return Shown(
            figures, [Chart("bars", 300)], [Table("By period", listing)], _unsayable(told["rows"]), told["as_of"],
            f"{told['n']:,} customers who were ever active",
        )  # fmt: skip

    def chart(self, ground: Ground, name: str, width: int) -> Response:
        """The bars."""
        told = ground.ask(self.asked(ground.given))
        asked = _within(told["rows"], ground.given)
        grain, newest = grain_of(ground.given), sorted({row["period"] for row in asked})[-26:]
        rows = [
            row | {"month": row["period"], "complete": row["finished"]}
            for row in ground.leads(asked) if row["period"] in newest
        ]  # fmt: skip
        periods = [
            row | {"period": date.fromisoformat(row["period"])} for row in _within(told["periods"], ground.given)
        ]
        dates = {"month": "%b %y", "quarter": "%b %y", "year": "%Y"}.get(grain, "%d %b")
        said = [f"Customers by {grain}, active with {told['active']}", "Pale: not over yet"]
        chart = lifecycle_bars(rows, title=growth_says(periods, grain), subtitle=said, width=width, dates=dates)
        keys = ("period", "state", "customers", "finished")
        return answer(chart, picked(rows, *keys))


class Cohorts(View):
    """Of those who came in a period, how many were back in each period after."""

    name, title = "cohorts", "Cohort retention"
    sub = "Of those who came in a period, how many were back in each period after"
    needs = "An event that customers repeat, over more than one period."

    def fields(self, ground: Ground) -> list[Field]:
        """The fields of its question."""
        given = ground.given
        modes = (("on", "in that very period"), ("on or after", "in that period or later"))
        return [
            Field("born", "Began with the first", given.text("born"), known="starts", placeholder=ground.order),
            Field("active", "Back with", given.text("active"), known="events", placeholder=ground.order),
            Field("grain", "By", grain_of(given), "select", GRAINS, submits=True),
            Field("mode", "Back", _mode(given), "select", modes, submits=True),
            ground.segment_field(),
            *period_fields(given, until=False),
        ]

    def asked(self, given: Given) -> Told:
        """The question's arguments."""
        return asked_of(
            born=given.text("born"), active=given.text("active"), grain=grain_of(given), mode=_mode(given),
            segment=given.text("segment"), start=given.text("from"),
        )  # fmt: skip

    def shown(self, ground: Ground) -> Shown:
        """What it shows."""
        told = ground.ask(self.asked(ground.given))
        grain = grain_of(ground.given)
        pooled = {row["age"]: row for row in told["pooled"]}
        figures = [Figure("Cohorts", f"{len(told['cohorts']):,}", f"{told['n']:,} customers", "cohort")]
        for age in (1, 3, 6, 12):
            if age in pooled:
                one = pooled[age]
                interval = f"{words.share(one['low'])} to {words.share(one['high'])}, n = {one['size']:,}"
                figures.append(
                    Figure(f"Back after {words.many(age, grain)}", words.share(one["rate"]), interval, "retention")
                )
        columns = (
            Column("named", "Cohort"), Column("age", f"{grain.capitalize()}s after", "count"), Column("active", "Back", "count"),
            Column("size", "Of", "count"), Column("rate", "Share", "bar"), Column("interval", "95 % interval"),
            Column("over", "Over", "state"),
        )  # fmt: skip
        rows = [
            row | {
                "interval": f"{words.share(row['low'])} to {words.share(row['high'])}",
                "over": ("over", "") if row["finished"] else ("still running", "warn"),
                "named": label(row["cohort"], grain),
            }
            for row in ground.leads(told["cells"])
        ]  # fmt: skip
        sizes = listed(
            ground.request, "sizes", (Column("named", "Cohort"), Column("size", "Customers", "count")),
            [row | {"named": label(row["cohort"], grain)} for row in ground.leads(told["cohorts"])], sort="-named",
            label="cohorts", prefix="size-", size=24,
        )  # fmt: skip
        cells = listed(ground.request, "figures", columns, rows, sort="-named", label="figures", size=24)
        return Shown(
            figures, [Chart("cells", 60 + 24 * min(COHORTS, len(told["cohorts"]))), Chart("curves", 280)],
            [Table("Cohorts", sizes), Table("Each cell", cells)],
            [told["definition"], *_unsayable(told["cells"])], told["as_of"], f"{told['n']:,} customers",
        )  # fmt: skip

    def chart(self, ground: Ground, name: str, width: int) -> Response:
        """The cells, or the curves."""
        told = ground.ask(self.asked(ground.given))
        grain = grain_of(ground.given)
        title = _cohorts_say(told, grain)
        said = f"Share of those with {told['born']} who were back with {told['active']}"
        if name == "curves":
            return _curves(told, grain, title, said, width)
        newest = sorted({row["cohort"] for row in told["cells"]})[-COHORTS:]
        rows = [
            row | {"period": row["age"], "complete": row["finished"], "cohort": label(row["cohort"], grain)}
            for row in ground.leads(told["cells"]) if row["cohort"] in newest and 0 < row["age"] <= AGES
        ]  # fmt: skip
        chart = cohort_heatmap(
            rows, title=title, subtitle=f"{said}, per cent; hatched: not over yet", width=width, axis=f"{grain}s since"
        )
        keys = ("cohort", "age", "size", "active", "rate", "low", "high", "finished")
        return answer(chart, picked(rows, *keys), {"active": "Back"})


def _curves(told: Told, grain: str, title: str, said: str, width: int) -> Response:
    over = [row for row in told["cells"] if row["finished"] and row["age"] <= AGES]
    rows: list[dict[str, Any]] = [
        {"cohort": row["cohort"], "period": row["age"], "rate": row["rate"], "low": row["low"], "high": row["high"]}
        for row in over
    ]
    rows += [
        {"cohort": None, "period": row["age"], "rate": row["rate"], "low": row["low"], "high": row["high"]}
        for row in told["pooled"] if row["age"] <= AGES
    ]  # fmt: skip
    subtitle = f"{said}: each cohort, and all together with their 95 % interval; periods that are over"
    chart = retention_curves(rows, title=title, subtitle=subtitle, width=width, axis=f"{grain}s since")
    shown = [row | {"cohort": row["cohort"] or "all together"} for row in rows]
    return answer(chart, shown, {"period": f"{grain.capitalize()}s since"})


def _cohorts_say(told: Told, grain: str) -> str:
    pooled = {row["age"]: row for row in told["pooled"]}
    if 1 not in pooled:
        return f"No {grain} after a cohort's own is over yet"
    last = max(age for age, row in pooled.items() if row["cohorts"] > 1 or age == 1)
    first = f"{words.share(pooled[1]['rate'])} were back one {grain} after"
    return first if last == 1 else f"{first}, {words.share(pooled[last]['rate'])} after {last} {noun(last, grain)}"


def _within(rows: list[Told], given: Given) -> list[Told]:
    """The rows whose period begins within the dates that are asked for.

    Raises:
        Refused: none does.
    """
    first, last = given.text("from"), given.text("to", "9999")
    found = [row for row in rows if first <= row["period"] <= last]
    if rows and not found:
        raise Refused(
            f"No period begins within these dates: the data has {rows[0]['period']} to {rows[-1]['period']}.",
            fix="Take other dates.",
        )
    return found


def _mode(given: Given) -> str:
    return given.one("mode", ("on", "on or after"))


def _href(rows: list[Told], period: str, state: str) -> str:
    return next((row.get("href", "") for row in rows if (row["period"], row["state"]) == (period, state)), "")


def words_of(value: int | None) -> str:
    """A count, or a dash."""
    return "–" if value is None else f"{value:,}"


def _unsayable(rows: list[Told]) -> list[str]:
    """What to say where the marks lead nowhere."""
    if rows and all(row["where"] is None for row in rows):
        return [
            "Sessions are worked out from other events, so segments can't name them: choose an event to make a segment of."
        ]
    return []
