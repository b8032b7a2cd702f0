"""Funnels and paths: what customers do one after the other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from shoal.insight.funnels import Funnel, Step
from shoal.insight.paths import Flow, Path, Paths
from shoal.stats.intervals import Interval
from shoal.views import words
from shoal.views.charts import funnel_bars, path_flows
from shoal.web.charts import answer
from shoal.web.explore.view import Chart, Field, Figure, Shown, Table, View, asked_of, period_fields, picked
from shoal.web.tables import Column, listed

if TYPE_CHECKING:
    from fastapi import Response

    from shoal.web.explore.view import Given, Ground, Told

MOST_STEPS = 12
WITHIN = "30 days"


class FunnelView(View):
    """Of those who took a first step, how many took the next ones."""

    name, title = "funnel", "Funnel"
    sub = "Of those who took a first step, how many took the next ones, and how long it took them"
    needs = "Two events that customers take one after the other."

    def fields(self, ground: Ground) -> list[Field]:
        """The fields of its question; the steps are the page's own."""
        given = ground.given
        orders = (("in order", "in this order"), ("any", "in any order"))
        return [
            Field(
                "within", "Within", given.text("within"), placeholder=WITHIN, hint="From the first step to the last."
            ),
            Field("order", "Taken", given.one("order", ("in order", "any")), "select", orders, submits=True),
            Field("by", "Told apart by", given.text("by"), known="dimensions", placeholder="nothing"),
            ground.segment_field(),
            *period_fields(given),
        ]

    def asked(self, given: Given) -> Told:
        """The question's arguments."""
        return asked_of(
            steps=steps_of(given), within=given.text("within", WITHIN), any_order=given.text("order") == "any" or None,
            by=given.text("by"), segment=given.text("segment"), start=given.text("from"), end=given.text("to"),
        )  # fmt: skip

    def shown(self, ground: Ground) -> Shown:
        """What it shows."""
        told = ground.ask(self.asked(ground.given))
        done, last = told["converted"], told["steps"][-1]
        seconds = sum(step["median_seconds"] or 0 for step in told["steps"])
        interval = f"{words.share(done['low'])} to {words.share(done['high'])}"
        figures = [
            Figure(
                "Entered", f"{told['entered']:,}", f"{told['from']} to {told['to']}", href=ground.lead(told["steps"][0])
            ),
            Figure("Came through", words.share(done["value"]), f"95 % interval {interval}", "conversion"),
            Figure("Took all steps", f"{last['customers']:,}", href=ground.lead(last)),
            Figure("Time to convert", time_of(seconds), "sum of the steps' medians", "median"),
        ]
        tables = [Table("Steps", self._steps(ground, told["steps"], "steps"))]
        if told["groups"]:
            tables.append(Table(f"By {told['by']}", self._groups(ground, told)))
        if told["instead"]:
            columns = (
                Column("after", "Stopped after"),
                Column("event", "Did next"),
                Column("customers", "Customers", "count"),
            )
            rows = [
                row | {"after": f"Step {row['step']}", "event": row["event"] or "nothing more"}
                for row in told["instead"]
            ]
            tables.append(Table("What they did instead", listed(
                ground.request, "instead", columns, rows, sort="-customers", label="events", prefix="instead-")))  # fmt: skip
        notes = ["" if told["finished"] else "Some still have time to go on: the shares can still rise."]
        if any(row["where"] is None for row in told["steps"]) and ground.person.may("edit"):
            notes.append(
                "A condition can't bound the time from the first step to the third: from there on a click keeps those "
                "customers as a list, as they are now."
            )
        return Shown(
            figures, [Chart("bars", self._height(told))], tables, [note for note in notes if note],
            told["as_of"], f"{told['entered']:,} customers who took the first step",
        )  # fmt: skip

    def _height(self, told: Told) -> int:
        groups = min(6, len({row["group"] for row in told["groups"]}))
        steps = len(told["steps"])
        return 60 + (steps - 1) * (24 + 17 * groups) if groups else 40 + 46 * steps

    def _steps(self, ground: Ground, rows: list[Told], name: str) -> Any:
        columns = (
            Column("name", "Step"), Column("customers", "Customers", "count"), Column("overall", "Of the first", "bar"),
            Column("conversion", "Of the step before", "share", term="conversion"),
            Column("took", "Time since it", by="median_seconds"),
            Column("stopped_link", "Stopped here", "markup", term="drop-off"), Column("open", "Still has time", "count"),
        )  # fmt: skip
        shown = [
            row | {
                "name": f"{row['step']}. {row['name']}", "took": time_of(row["median_seconds"]),
                "stopped_link": self._stopped(ground, row),
            }
            for row in ground.leads(rows)
        ]  # fmt: skip
        return listed(ground.request, name, columns, shown, sort="name", label="steps", size=MOST_STEPS)

    def _stopped(self, ground: Ground, row: Told) -> Any:
        if row["stopped"] is None:
            return "–"
        href = ground.lead(row, "stopped_where", "stopped_mark")
        said = f"{row['stopped']:,}"
        return Markup('<a href="{}">{}</a>').format(href, said) if href else said

    def _groups(self, ground: Ground, told: Told) -> Any:
        columns = (
            Column("group", "Group"), Column("name", "Step"), Column("customers", "Customers", "count"),
            Column("overall", "Of the first", "bar"), Column("interval", "95 % interval"),
        )  # fmt: skip
        rows = [
            row | {"name": f"{row['step']}. {row['name']}",
                   "interval": f"{words.share(row['overall_low'])} to {words.share(row['overall_high'])}"}
            for row in ground.leads(_grouped(told["groups"]))
        ]  # fmt: skip
        return listed(
            ground.request, "by-group", columns, rows, sort="group", label="figures", prefix="group-", size=36,
            search=("group", "name"),
        )  # fmt: skip

    def chart(self, ground: Ground, name: str, width: int) -> Response:
        """The bars; by group, dots."""
        told = ground.ask(self.asked(ground.given))
        rows = ground.leads([*told["steps"], *_grouped(told["groups"])])
        leads = {(row.get("group"), row["step"]): row["href"] for row in rows if "href" in row}
        by = told["by"] if told["groups"] else None
        chart = funnel_bars(_funnel(told), said=told["said"], by=by, width=width, leads=leads)
        keys = (
            "group",
            "step",
            "name",
            "customers",
            "overall",
            "conversion",
            "low",
            "high",
            "median_seconds",
            "stopped",
        )
        heads = {
            "overall": "Of the first",
            "conversion": "Of the step before",
            "median_seconds": "Median seconds since it",
        }
        return answer(chart, picked(rows, *keys), heads)


def steps_of(given: Given) -> list[str]:
    """The steps that say something, in their order; the same event may come twice."""
    return [step for step in given.each("step") if step]


def _grouped(rows: list[Told]) -> list[Told]:
    """The figures of groups; their marks name the group."""
    return [
        row | {key: f"{row[key]}:{row['group']}" if row[key] else None for key in ("mark", "stopped_mark")}
        for row in rows
    ]


def _funnel(told: Told) -> Funnel:
    """The funnel of an answer, as charts read it."""

    def steps(rows: list[Told]) -> tuple[Step, ...]:
        return tuple(
            Step(row["name"], row["customers"], Interval(row["overall"], row["overall_low"], row["overall_high"]),
                 Interval(row["conversion"], row["low"], row["high"]), row["median_seconds"], row["open"])
            for row in rows
        )  # fmt: skip

    groups: dict[str, list[Told]] = {}
    for row in told["groups"]:
        groups.setdefault(row["group"], []).append(row)
    return Funnel(
        steps(told["steps"]), {name: steps(rows) for name, rows in groups.items()}, (), 0, 0, 0,
        told["order"] == "in order", bool(told["finished"]),
    )  # fmt: skip


def time_of(seconds: float | None) -> str:
    """A time in its largest unit.

    >>> time_of(90), time_of(7_200), time_of(300_000), time_of(None)
    ('1.5 minutes', '2 hours', '3.5 days', '–')
    """
    if not seconds:
        return "–"
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            told = f"{seconds / size:.1f}".removesuffix(".0")
            return f"{told} {unit}{'' if told == '1' else 's'}"
    return f"{seconds:.1f} seconds"


class PathsView(View):
    """What customers did after an event, or before it."""

    name, title = "paths", "Paths"
    sub = "What customers did next, or what led them to an event"
    needs = "Events of several kinds."

    def fields(self, ground: Ground) -> list[Field]:
        """The fields of its question."""
        given = ground.given
        ways = (("after", "from"), ("before", "that lead to"))
        steps = [(str(many), f"{many}") for many in range(1, 9)]
        return [
            Field("way", "Paths", _way(given), "select", ways, submits=True),
            Field("event", "This event", given.text("event"), known="events",
                  placeholder=ground.order if _way(given) == "before" else "each one's first"),
            Field("steps", "Steps", given.one("steps", _STEPS), "select", steps, submits=True),
            Field("within", "Within", given.text("within"), placeholder="until a break"),
            Field("only", "Only these events", given.text("only"), known="events", placeholder="all"),
            ground.segment_field(),
            *period_fields(given),
        ]  # fmt: skip

    def asked(self, given: Given) -> Told:
        """The question's arguments."""
        way = _way(given)
        return asked_of(
            **{way: given.text("event")}, steps=int(given.one("steps", _STEPS)), within=given.text("within"),
            events=[one.strip() for one in given.text("only").split(",") if one.strip()], segment=given.text("segment"),
            start=given.text("from"), end=given.text("to"),
        )  # fmt: skip

    def question(self, ground: Ground) -> Told:
        """The question's arguments; paths that lead to an event lead to the order where none is named."""
        asked = self.asked(ground.given)
        return {"before": ground.order} | asked if _way(ground.given) == "before" else asked

    def shown(self, ground: Ground) -> Shown:
        """What it shows."""
        told = ground.ask(self.question(ground))
        best = told["paths"][0]
        figures = [
            Figure(
                "Customers with a path", f"{told['n']:,}", f"{told['from']} to {told['to']}", href=ground.lead(told)
            ),
            Figure("Different paths", f"{told['kinds']:,}"),
            Figure("The most common", words.share(best["share"]), f"{best['customers']:,} customers"),
        ]
        columns = (
            Column("said", "Path"), Column("customers", "Customers", "count"), Column("share", "Share", "bar"),
            Column("interval", "95 % interval"),
        )  # fmt: skip
        rows = [
            row | {"said": " → ".join(row["path"]) if row["path"] else "all other paths",
                   "interval": f"{words.share(row['low'])} to {words.share(row['high'])}"}
            for row in ground.leads([row | _mark(row["path"]) for row in told["paths"]])
        ]  # fmt: skip
        flows = (
            Column("source", "From"), Column("target", "To"), Column("place", "Step", "number"),
            Column("customers", "Customers", "count"),
        )  # fmt: skip
        went = [
            row | {"source": row["source"] or "nothing before", "target": row["target"] or "nothing more"}
            for row in ground.leads([row | _mark({k: row[k] for k in _FLOW}) for row in told["flows"]])
        ]
        notes = [
            "No condition says what happened between two events, so a path can't be a segment of its own: a click keeps its "
            "customers as a list, as they are now."
        ]
        request = ground.request
        return Shown(
            figures, [Chart("flows", 420)],
            [Table("The most common paths", listed(request, "paths", columns, rows, sort="-customers", label="paths")),
             Table("From step to step", listed(request, "flows", flows, went, sort="-customers", label="flows",
                                               search=("source", "target"), prefix="flow-", size=20))],
            notes if ground.person.may("edit") else (), told["as_of"], f"{told['n']:,} customers with a path",
        )  # fmt: skip

    def chart(self, ground: Ground, name: str, width: int) -> Response:
        """The ribbons."""
        told = ground.ask(self.question(ground))
        found = Paths(
            told["customers"],
            tuple(Path(tuple(row["path"]), row["customers"], Interval(row["share"], row["low"], row["high"]))
                  for row in told["paths"] if row["path"]),
            told["rest"], told["kinds"], tuple(Flow(**{key: row[key] for key in (*_FLOW, "customers")}) for row in told["flows"]),
            told["back"], 0, 0, None,
        )  # fmt: skip
        leads = {}
        for row in told["flows"]:
            href = ground.keep(json.dumps({key: row[key] for key in _FLOW}))
            if href:
                leads[tuple(row[key] for key in _FLOW)] = href
        chart = path_flows(found, said=told["said"], width=width, leads=leads)
        rows = [
            {**row, "source": row["source"] or "nothing before", "target": row["target"] or "nothing more"}
            | ({"href": leads[key]} if (key := tuple(row[one] for one in _FLOW)) in leads else {})
            for row in told["flows"]
        ]  # fmt: skip
        return answer(chart, rows, {"place": "Step", "source": "From", "target": "To"})


_STEPS = ("4", "1", "2", "3", "5", "6", "7", "8")
_FLOW = ("place", "source", "target")


def _way(given: Given) -> str:
    return given.one("way", ("after", "before"))


def _mark(said: Any) -> dict[str, str | None]:
    return {"mark": json.dumps(said) if said else None}
