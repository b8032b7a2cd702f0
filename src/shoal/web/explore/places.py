"""Where customers are, and which channel they are at home on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.views import words
from shoal.views.charts.explored import place_bars, place_map
from shoal.web.charts import answer
from shoal.web.explore.view import Chart, Field, Figure, Shown, Table, View, asked_of, picked
from shoal.web.tables import Column, listed
from shoal.workspace.exploring.places import MOST, choices

if TYPE_CHECKING:
    from fastapi import Response

    from shoal.web.explore.view import Given, Ground, Told


class Map(View):
    """How many customers each place or channel has."""

    name, title = "map", "Places and channels"
    sub = "Where customers are, and on which channel they are at home"
    needs = "A trait such as country or city, a point, or events with a channel."

    def fields(self, ground: Ground) -> list[Field]:
        """The fields of its question."""
        found = choices(ground.schema)
        words_of = {"place": "place", "point": "point on the map", "channel": "channel"}
        options = [(one, f"{one} ({words_of[kind]})") for kind, names in found.items() for one in names]
        fields = [Field("by", "By", ground.given.text("by"), "select", options, submits=True)] if options else []
        return [*fields, ground.segment_field()]

    def asked(self, given: Given) -> Told:
        """The question's arguments."""
        return asked_of(by=given.text("by"), segment=given.text("segment"))

    def shown(self, ground: Ground) -> Shown:
        """What it shows."""
        told = ground.ask(self.asked(ground.given))
        rows = _rows(ground, told)
        top = max(rows, key=lambda row: row["customers"], default=None)
        figures = [
            Figure(
                "Customers of whom it is known",
                f"{told['n']:,}",
                f"{told['missing']:,} unknown" if told["missing"] else "",
            ),
            Figure("Different ones", f"{told['kinds']:,}", f"the {MOST} largest are told" if told["rest"] else ""),
        ]
        if top is not None:
            figures.append(Figure("Most are", top["name"], f"{top['customers']:,}", href=top.get("href", "")))
        columns = [
            Column("name", told["by"]),
            Column("customers", "Customers", "count"),
            Column("share", "Share", "bar"),
        ]
        if told["form"] == "values":
            columns.append(Column("interval", "95 % interval"))
        listing = listed(
            ground.request, "places", columns, rows, sort="-customers", label="places", search=("name",), size=30
        )
        notes = []
        if told["form"] == "points":
            notes.append(
                "A dot is a square of one degree; the language has no squares, so a click keeps its customers as a list."
            )
        elif " of " in told["by"]:
            notes.append("Of each customer the most frequent value counts; of two as frequent ones the later.")
        height = 400 if told["form"] == "points" else 60 + 26 * len(rows)
        return Shown(
            figures, [Chart("places", height)], [Table("The same as a table", listing)], notes, told["as_of"],
            f"{told['n']:,} customers of whom it is known",
        )  # fmt: skip

    def chart(self, ground: Ground, name: str, width: int) -> Response:
        """Bars, or dots."""
        told = ground.ask(self.asked(ground.given))
        rows = _rows(ground, told)
        if told["form"] == "points":
            chart = place_map(rows, title=f"{told['n']:,} customers by {told['by']}", subtitle="a dot a square of one degree; "
                              "its area is the number of customers", width=width)  # fmt: skip
        else:
            top = rows[0] if rows else None
            title = f"{words.share(top['share'])} are {top['name']}" if top else "Nothing is known of anybody"
            said = f"Customers by {told['by']}, with 95 % intervals; n = {told['n']:,}"
            chart = place_bars(rows, title=title, subtitle=said, width=width)
        keys = ("name", "customers", "share", "low", "high")
        return answer(chart, picked(rows, *keys), {"name": told["by"]})


def _rows(ground: Ground, told: Told) -> list[Told]:
    if told["form"] == "values":
        return [
            row | {"name": row["value"], "interval": f"{words.share(row['low'])} to {words.share(row['high'])}"}
            for row in ground.leads(told["rows"])
        ]
    return [
        row | {"name": f"{row['latitude']:g}°, {row['longitude']:g}°", "share": row["customers"] / told["n"]}
        for row in ground.leads(told["rows"])
    ]
