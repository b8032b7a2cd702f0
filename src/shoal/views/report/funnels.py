"""Funnels that have a name: how many come through, in how much time, and where the others go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from shoal.lang.slug import slug_of
from shoal.views import words as w
from shoal.views.charts.journeys import funnel_bars, funnel_says
from shoal.views.report.page import Column, Figure, Head, Hint, Section, Shown, Table
from shoal.wording import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from shoal.insight.funnels import Funnel, Step
    from shoal.stats.intervals import Interval
    from shoal.views.report.facts import Facts

_TITLE = "Funnels"


@dataclass(frozen=True, slots=True)
class Named:
    """A funnel of ``funnels:`` over a period.

    Args:
        name: that it has in ``shoal.yaml``.
        found: the funnel, or why it can't be told.
        within: the time from the first step to the last, in words.
        by: what groups are told apart by; None for none.
        first: the first date on which it is entered; None where it can't be told.
        last: the last one.
        whole: the unit of the calendar that the period is; None where it is the last days.
    """

    name: str
    found: Funnel | str
    within: str = ""
    by: str | None = None
    first: date | None = None
    last: date | None = None
    whole: Literal["month", "quarter"] | None = None


def funnels(facts: Facts) -> Section | None:
    """Each funnel that ``shoal.yaml`` names; None without any."""
    if not facts.funnels:
        return None
    lead = (
        "Of the customers who took a first step, how many took the next ones. A customer counts once; what groups differ in may "
        "be who they are, and not what was done."
    )
    return Section("funnels", _TITLE, lead, tuple(b for one in facts.funnels for b in _funnel(one)))


def _funnel(one: Named) -> Iterator[Any]:
    yield Head(one.name)
    if isinstance(one.found, str):
        yield Hint(one.found)
        return
    found, slug = one.found, slug_of(one.name)
    yield _says(one, found)
    grouped = one.by is not None and len(found.groups) > 1
    yield _figure(one, found, f"funnel-{slug}", grouped=False, half=grouped)
    if grouped:
        yield _figure(one, found, f"funnel-{slug}-groups", grouped=True, half=True)
    yield _steps(found, f"funnel-{slug}-steps")
    if grouped:
        yield _groups(found, str(one.by), f"funnel-{slug}-by-group")
    if found.instead:
        yield _instead(found, f"funnel-{slug}-instead")


def _says(one: Named, found: Funnel) -> str:
    through, many = found.converted, len(found.steps)
    how = "" if found.ordered else ", in any order"
    said = (
        f"{_period(one)} {w.many(found.entered, 'customer')} entered; {w.share(through.value)} ({_range(through)}) took "
        f"{'both' if many == 2 else f'all {many}'} steps within {one.within}{how}."
    )
    return f"{said}{_unfinished(found)}"


def _period(one: Named) -> str:
    if one.first is None or one.last is None:
        return ""
    if one.whole == "month":
        return f"In {w.month(one.first)}, the newest month that is over,"
    span = f"From {w.day(one.first)} to {w.day(one.last)}"
    if one.whole == "quarter":
        return f"{span}, the newest quarter that is over,"
    return f"{span}, the last {(one.last - one.first).days + 1}{w.HARD}days,"


def _unfinished(found: Funnel) -> str:
    """Who still has time, and whether more may enter: what stands there isn't the end of it."""
    still = sum(step.open for step in found.steps)
    if found.finished:
        return ""
    parts = []
    if still:
        has = "has" if still == 1 else "have"
        parts.append(f"{w.many(still, 'customer')} who stopped on the way still {has} time for the next step")
    if not found.over:
        parts.append("today isn't over")
    rest = "more may come through" if found.over else "figures will still change"
    return f" So far unfinished: {w.listed(parts)}, so {rest}."


def _figure(one: Named, found: Funnel, name: str, *, grouped: bool, half: bool) -> Figure:
    by = one.by if grouped else None
    rows = [row for row in found.rows() if (row["group"] is not None) == grouped]
    # A half is narrow: what the sentence above says isn't said again.
    said = f"Share of those who entered, within {one.within}"

    def draw(width: int) -> Any:
        return funnel_bars(found, said=said, by=by, width=width)

    return Figure(name, draw, rows, f"{funnel_says(found, by)}. {said}", f"n = {found.entered:,} customers", half=half)


# ------------------------------------------------------------ tables


def _steps(found: Funnel, name: str) -> Table:
    columns = (
        Column("step", "Step"), Column("customers", "Customers", "count"),
        Column("overall", "Of all", "figure", "Of those who entered; below it the 95 % interval.", "overall_range"),
        Column("conversion", "Of the step before", "figure", "With its 95 % interval.", "range"),
        Column("time", "Median time", "figure", "Since the step before, of those who took this one."),
        Column("open", "Still have time", "count", "Took the step before, not this one, and the time isn't over."),
    )  # fmt: skip
    return Table(name, columns, [_step(at, step) for at, step in enumerate(found.steps)])


def _step(at: int, step: Step) -> dict[str, Any]:
    told: dict[str, Any] = {"step": step.name, "customers": step.customers}
    if not at:
        empty = dict.fromkeys(("conversion", "time", "open"))
        return told | {"overall": _share(step.overall), "overall_range": "", "range": "", **empty}
    time = None if step.seconds is None else Shown(duration(step.seconds), step.seconds)
    return told | {
        "overall": _share(step.overall), "overall_range": _range(step.overall), "conversion": _share(step.conversion),
        "range": _range(step.conversion), "time": time, "open": step.open,
    }  # fmt: skip


def _groups(found: Funnel, by: str, name: str) -> Table:
    last = f"s{len(found.steps)}"
    columns = (
        Column("group", by[:1].upper() + by[1:]), Column("entered", "Entered", "count"),
        *(Column(f"s{at}", step.name, "figure", note="range" if f"s{at}" == last else "")
          for at, step in enumerate(found.steps[1:], 2)),
    )  # fmt: skip
    return Table(name, columns, [_group(group, steps) for group, steps in found.groups.items()],
                 note=f"Shares of those of the group who entered; the last with its 95{w.HARD}% interval.")  # fmt: skip


def _group(group: str, steps: Sequence[Step]) -> dict[str, Any]:
    shares = {f"s{at}": _share(step.overall) for at, step in enumerate(steps[1:], 2)}
    return {"group": group, "entered": steps[0].customers, **shares, "range": _range(steps[-1].overall)}


def _instead(found: Funnel, name: str) -> Table:
    columns = (
        Column("after", "Stopped after"), Column("then", "Then"), Column("customers", "Customers", "count"),
        Column("share", "Share of those who stopped there", "figure", "With its 95 % interval.", "range"),
    )  # fmt: skip
    rows = [
        {"after": found.steps[one.step - 1].name, "then": one.event or "nothing more", "customers": one.customers,
         "share": _share(one.share), "range": _range(one.share)}
        for one in found.instead
    ]  # fmt: skip
    return Table(name, columns, rows, note="What they did next, within the funnel's time.")


def _share(one: Interval) -> Shown:
    return Shown(w.share(one.value), one.value)


def _range(one: Interval) -> str:
    return f"{w.share(one.low)} to {w.share(one.high)}"
