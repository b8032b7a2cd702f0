"""Segments together: how they overlap, from the memberships of this moment, and how their KPIs differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.clock import iso
from shoal.views import words
from shoal.views.charts import overlap_grid
from shoal.views.charts.explored import kpi_dots, part_bars
from shoal.web.charts import answer
from shoal.web.explore.orders import grain_of
from shoal.web.explore.view import GRAINS, Chart, Field, Figure, Shown, Table, View, asked_of, in_words, label, picked
from shoal.web.tables import Column, listed
from shoal.workspace.exploring.beside import MOST_SEGMENTS
from shoal.workspace.exploring.overlap import MOST, Held, pairs, parts

if TYPE_CHECKING:
    from fastapi import Response

    from shoal.web.explore.view import Given, Ground, Told

MOST_GRID = 12
"""So many segments have room in the grid of pairs."""


class Overlap(View):
    """Which customers are in several segments at once."""

    name, title = "overlap", "Overlap"
    sub = "Which customers are in several segments at once, as of this moment"
    needs = "Two segments that are in force."
    list_label, most = "Segments whose parts are told", MOST

    def fields(self, ground: Ground) -> list[Field]:
        """It has no field but its segments."""
        return []

    def asked(self, given: Given) -> Told:
        """The segments."""
        return asked_of(segments=given.many("segments"))

    def usual(self, ground: Ground) -> list[str]:
        """The four largest."""
        return self._held(ground)[1]

    def _held(self, ground: Ground) -> tuple[Held, list[str], dict[str, str]]:
        """The memberships, the segments whose parts are told, and the names of all."""
        with ground.live.lock:
            held = Held.of(ground.live.core.engine)
        names = {slug: one.name for slug, one in ground.definitions.items() if slug in held.slots}
        given = [ground.segment(one).slug for one in ground.given.many("segments")]
        return held, list(dict.fromkeys(given))[:MOST] or _usual(held, list(names)), names

    def shown(self, ground: Ground) -> Shown:
        """What it shows."""
        held, chosen, names = self._held(ground)
        ranked = pairs(held, list(names))
        found = parts(held, chosen)
        in_several = sum(row["customers"] for row in found if len(row["inside"]) > 1)
        figures = [
            Figure("Segments", f"{len(names):,}", f"{len(ranked):,} pairs"),
            Figure("In one of the chosen", f"{sum(row['customers'] for row in found):,}", f"of {held.everyone:,}"),
            Figure("In several of them", f"{in_several:,}", term="overlap"),
        ]
        if ranked:
            top = ranked[0]
            figures.append(
                Figure("Most alike", words.share(top["jaccard"]), f"{names[top['a']]} and {names[top['b']]}")
            )
        columns = (
            Column("name", "Pair", note="other"), Column("both", "In both", "count", term="overlap"),
            Column("share_of_a", "Of the first", "bar"), Column("share_of_b", "Of the second", "bar"),
            Column("jaccard", "Of either", "bar"), Column("lift", "Against chance", "number", term="lift"),
        )  # fmt: skip
        rows = [
            row
            | {
                "name": names[row["a"]],
                "other": f"and {names[row['b']]}",
                "pair": f"{names[row['a']]} {names[row['b']]}",
            }
            for row in ground.leads(ranked)
        ]
        inside = (
            Column("said", "In exactly these"),
            Column("customers", "Customers", "count"),
            Column("share", "Share", "bar"),
        )
        shown = [
            row | {"said": " and ".join(names[one] for one in row["inside"]), "share": row["customers"] / held.everyone}
            for row in ground.leads(found)
        ]
        request = ground.request
        tables = [
            Table("Parts", listed(request, "parts", inside, shown, sort="-customers", label="parts", prefix="part-", size=16),
                  "Each customer of the chosen segments is in one part."),
            Table("All pairs", listed(
                request, "pairs", columns, rows, sort="-jaccard", label="pairs", search=("pair",), size=20)),
        ]  # fmt: skip
        charts = [Chart("parts", 200 + 26 * len(chosen)), Chart("pairs", 40 + 32 * min(len(names), MOST_GRID))]
        return Shown(figures, charts, tables, (), iso(held.at), f"{held.everyone:,} customers")

    def chart(self, ground: Ground, name: str, width: int) -> Response:
        """The parts, or the pairs."""
        held, chosen, names = self._held(ground)
        if name == "pairs":
            return _pair_grid(ground, held, names, width)
        found = ground.leads(parts(held, chosen))
        rows = [row | {"inside": [names[one] for one in row["inside"]]} for row in found]
        sizes = {slug: _size(held, slug) for slug in chosen}
        several = sum(row["customers"] for row in rows if len(row["inside"]) > 1)
        whole = sum(row["customers"] for row in rows) or 1
        title = f"{words.share(several / whole)} of those in any of these segments are in several"
        said = "Customers who are in exactly the segments that are marked; a click makes a segment"
        chart = part_bars(
            rows, [(names[slug], sizes[slug]) for slug in chosen], title=title, subtitle=said, width=width
        )
        shown = [
            {"segments": " and ".join(row["inside"]), "customers": row["customers"]}
            | ({"href": row["href"]} if "href" in row else {})
            for row in rows
        ]
        return answer(chart, shown, {"segments": "In exactly these"})


def _size(held: Held, slug: str) -> int:
    import numpy as np

    return int(np.bitwise_count(held.column(slug)).sum())


def largest(ground: Ground) -> list[str]:
    """The slugs of the four largest segments of this moment."""
    with ground.live.lock:
        held = Held.of(ground.live.core.engine)
    return _usual(held, [slug for slug in ground.definitions if slug in held.slots])


def _usual(held: Held, slugs: list[str]) -> list[str]:
    """The four largest segments that aren't everyone."""
    sizes = {slug: _size(held, slug) for slug in slugs}
    told = sorted((slug for slug in slugs if 0 < sizes[slug] < held.everyone), key=lambda slug: (-sizes[slug], slug))
    return told[:4] if len(told) > 1 else slugs[:4]


def _pair_grid(ground: Ground, held: Held, names: dict[str, str], width: int) -> Response:
    sizes = {slug: _size(held, slug) for slug in names}
    shown = sorted(names, key=lambda slug: (-sizes[slug], slug))[:MOST_GRID]
    rows = []
    for pair in ground.leads(pairs(held, shown)):
        href = {"href": pair["href"]} if "href" in pair else {}
        for a, b, share in ((pair["a"], pair["b"], pair["share_of_a"]), (pair["b"], pair["a"], pair["share_of_b"])):
            rows.append({"a": names[a], "b": names[b], "both": pair["both"], "share": share or 0.0} | href)
    rows.sort(key=lambda row: [names[slug] for slug in shown].index(str(row["a"])))
    said = "Of the customers in the row's segment, how many are in the column's too, per cent"
    if len(names) > len(shown):
        said += f"; the {len(shown)} largest of {len(names)} segments"
    chart = overlap_grid(rows, title="Every pair of segments", subtitle=said, width=width)
    return answer(chart, rows, {"a": "Segment", "b": "Also in", "both": "In both", "share": "Share of the segment"})


class Compare(View):
    """KPIs of a few segments, beside everyone's."""

    name, title = "compare", "Compare"
    sub = "KPIs of up to five segments beside everyone's, with their intervals"
    needs = "Segments, and orders that KPIs can be worked out from."
    list_label, most = "Segments", MOST_SEGMENTS

    def fields(self, ground: Ground) -> list[Field]:
        """The fields of its question."""
        given = ground.given
        return [
            Field("grain", "In a", grain_of(given), "select", GRAINS, submits=True),
            Field("from", "That holds the", given.text("from"), "date", hint="The newest that is over, if empty."),
            Field(
                "kpi",
                "KPIs",
                given.text("kpi"),
                known="kpis",
                placeholder="the usual ones",
                hint="With commas between.",
            ),
        ]

    def asked(self, given: Given) -> Told:
        """The question's arguments."""
        named = [one.strip() for one in given.text("kpi").split(",")]
        return asked_of(
            segments=given.many("segments"), metrics=[one for one in named if one], grain=grain_of(given),
            day=given.text("from"),
        )  # fmt: skip

    def usual(self, ground: Ground) -> list[str]:
        """The three largest."""
        return largest(ground)[:3]

    def question(self, ground: Ground) -> Told:
        """The question's arguments, with the segments that it is about."""
        asked = self.asked(ground.given)
        named = asked.get("segments") or self.usual(ground)
        return asked | {"segments": [ground.segment(one).slug for one in named]}

    def shown(self, ground: Ground) -> Shown:
        """What it shows."""
        told = ground.ask(self.question(ground))
        columns = (
            Column("name", "Segment"), Column("kpi", "KPI"), Column("said", "Value", by="value"),
            Column("interval", "95 % interval"), Column("n", "n", "count", term="n"),
            Column("apart", "Against everyone", "state"),
        )  # fmt: skip
        rows = [
            row | {"kpi": one["name"], "apart": _against(row, one["better"])} | _page_of(ground, row["slug"])
            for one in told["metrics"] for row in one["rows"] if row["value"] is not None
        ]  # fmt: skip
        listing = listed(
            ground.request, "kpis", columns, rows, sort="kpi", label="figures", size=60, search=("name", "kpi")
        )
        height = 40 + 26 * (1 + len(told["segments"]))
        charts = [Chart(one["slug"], height, one["name"], _in(told)) for one in told["metrics"]]
        notes = [
            "Who is a member at the end of the period counts in a segment; an interval that doesn't touch everyone's is marked."
        ]
        if not told["finished"]:
            notes.append("The period isn't over yet: sums and counts can still grow.")
        figures = [
            Figure("Segments", f"{len(told['segments'])}"),
            Figure("Period", label(told["period"], told["grain"]), in_words(told["period"], told["grain"])),
        ]
        return Shown(
            figures,
            charts,
            [Table("All figures", listing)],
            notes,
            told["as_of"],
            "customers as each row says",
            half=True,
            names={"kpis": told["every"]},
        )

    def chart(self, ground: Ground, name: str, width: int) -> Response:
        """One KPI."""
        told = ground.ask(self.question(ground))
        one = next(metric for metric in told["metrics"] if metric["slug"] == name)
        rows = [row | {"all": row["slug"] is None} | _page_of(ground, row["slug"]) for row in one["rows"]]
        chart = kpi_dots(rows, title=one["name"], subtitle=_in(told), unit=one["unit"], width=width)
        keys = ("name", "said", "value", "low", "high", "n")
        return answer(chart, picked(rows, *keys), {"said": "In words"})


def _in(told: Told) -> str:
    return f"{in_words(told['period'], told['grain'])}, with 95 % intervals"


def _against(row: Told, better: str) -> tuple[str, str] | None:
    if not row["apart"]:
        return None
    good = (row["apart"] == "above") == (better == "higher")
    return row["apart"], "good" if good else "bad"


def _page_of(ground: Ground, slug: str | None) -> dict[str, str]:
    """A segment's own page is where its customers are."""
    there = slug is not None and any(getattr(r, "path", "") == "/segments/{slug}" for r in ground.request.app.routes)
    return {"href": f"/segments/{slug}"} if there else {}
