"""Migration: who moved from where to where between two dates, and what each transition brought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.views import words
from shoal.views.charts import migration_flows
from shoal.views.charts.explored import transition_grid
from shoal.web.charts import answer
from shoal.web.explore.together import largest
from shoal.web.explore.view import Chart, Field, Figure, Shown, Table, View, asked_of, picked
from shoal.web.tables import Column, listed
from shoal.workspace.exploring.moves import KINDS, MOST_SEGMENTS

if TYPE_CHECKING:
    from fastapi import Response

    from shoal.web.explore.view import Given, Ground, Told

_KINDS = (("lifecycle", "lifecycle states"), ("rfm", "RFM groups"), ("segments", "segments"))


class Migration(View):
    """Who was in which segment at the first date and where they are at the second."""

    name, title = "migration", "Migration"
    sub = "Where customers were at one date and where they are at another, with the revenue of each move"
    needs = "Orders, or segments that are in force."
    list_label, most = "Segments, the first that fits counts", MOST_SEGMENTS

    def fields(self, ground: Ground) -> list[Field]:
        """The fields of its question."""
        given = ground.given
        return [
            Field("of", "Between", given.one("of", KINDS), "select", _KINDS, submits=True),
            Field("from", "From the start of", given.text("from"), "date", hint="90 days before, if empty."),
            Field("to", "To the start of", given.text("to"), "date", hint="Now, if empty."),
        ]

    def asked(self, given: Given) -> Told:
        """The question's arguments."""
        of = given.one("of", KINDS)
        return asked_of(
            of=of,
            segments=given.many("segments") if of == "segments" else [],
            start=given.text("from"),
            end=given.text("to"),
        )

    def question(self, ground: Ground) -> Told:
        """The question's arguments, with the segments that it is about."""
        asked = self.asked(ground.given)
        if asked["of"] != "segments":
            return asked
        return asked | {"segments": asked.get("segments") or self.usual(ground)}

    def usual(self, ground: Ground) -> list[str]:
        """The four largest."""
        return largest(ground)

    def shown(self, ground: Ground) -> Shown:
        """What it shows."""
        told = ground.ask(self.question(ground))
        stayed, rows = told["stayed"], _rows(ground, told)
        moved = max(
            (row for row in rows if row["before"] != row["after"]), key=lambda row: row["customers"], default=None
        )
        revenue = sum(row["revenue"] for row in rows)
        figures = [
            Figure("Customers", f"{told['n']:,}", term="migration"),
            Figure(
                "Stayed where they were", words.share(stayed / told["n"]) if told["n"] else "–", f"{stayed:,} customers"
            ),
            Figure(
                "Revenue in between",
                ground.money(revenue),
                f"{_day(ground, told, 'from')} to {_day(ground, told, 'to')}",
            ),
        ]
        if moved is not None:
            figures.append(
                Figure(
                    "Largest move",
                    f"{moved['customers']:,}",
                    f"{moved['before']} → {moved['after']}",
                    href=moved.get("href", ""),
                )
            )
        columns = (
            Column("before", "From"), Column("after", "To"), Column("customers", "Customers", "count"),
            Column("share", "Of those there before", "bar"), Column("revenue", "Revenue", "money"),
            Column("revenue_before", "In as long before", "money"),
        )  # fmt: skip
        request = ground.request
        tables = [Table("Transitions", listed(
            request, "moves", columns, rows, sort="-customers", label="transitions", search=("before", "after"),
            size=20))]  # fmt: skip
        ends = (
            Column("name", "Where they are"),
            Column("customers", "Customers", "count"),
            Column("share", "Share", "bar"),
        )
        now = [row | {"share": row["customers"] / told["n"]} for row in ground.leads(told["after"])]
        tables.append(Table("At the later date", listed(
            request, "ends", ends, now, sort="-customers", label="states", prefix="end-")))  # fmt: skip
        notes = []
        if ground.person.may("edit"):
            notes.append(
                "No condition says where somebody was at an earlier date, so a click on a move keeps its customers as a list. "
                "Where they are now can be a segment, except of RFM groups, whose scores are those of the last computation."
            )
        return Shown(
            figures,
            [Chart("flows", 440), Chart("grid", 60 + 28 * len({row["source"] for row in rows}))],
            tables,
            notes,
            told["as_of"],
            f"{told['n']:,} customers",
        )

    def chart(self, ground: Ground, name: str, width: int) -> Response:
        """The ribbons, or the cells."""
        told = ground.ask(self.question(ground))
        rows, dates = _rows(ground, told), (_day(ground, told, "from"), _day(ground, told, "to"))
        title = f"{words.share(told['stayed'] / told['n'])} are where they were" if told["n"] else "Nobody was there"
        keys = ("before", "after", "customers", "share", "revenue", "revenue_before")
        shown = picked(rows, *keys)
        if name == "grid":
            chart = transition_grid(
                rows, order=told["order"], title="The same as cells", subtitle="Customers; darker: a larger share of those "
                "who were there before", dates=dates, width=width,
            )  # fmt: skip
            return answer(chart, shown)
        ends = {row["name"]: href for row in told["after"] if (href := ground.lead(row))}
        chart = migration_flows(
            rows, title=title, subtitle=f"Customers on {dates[0]} and on {dates[1]}", order=told["order"], dates=dates,
            width=width, ends=ends,
        )  # fmt: skip
        return answer(chart, shown)


def _rows(ground: Ground, told: Told) -> list[Told]:
    return ground.leads([row | {"before": row["source_name"], "after": row["target_name"]} for row in told["rows"]])


def _day(ground: Ground, told: Told, key: str) -> str:
    return ground.day(told[key]).replace("\xa0", " ")
