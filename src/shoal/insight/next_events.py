"""What those did next who went no further in a funnel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.insight.pages import label, pages, plain_events, stream
from shoal.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from shoal.insight.models.asof import AsOf
    from shoal.shapes import SessionRule


@dataclass(frozen=True, slots=True)
class Instead:
    """What some of those who stopped after a step did next, within the funnel's time.

    Args:
        step: the step that they took last, from 1.
        event: what they did, with the page where it says one; None: nothing more.
        customers: how many.
        share: of all who stopped there, with its 95 % interval (Wilson).
    """

    step: int
    event: str | None
    customers: int
    share: Interval


def next_events(known: AsOf, best: str, many: int, rule: SessionRule, top: int) -> list[Instead]:
    """The most common next events by step, the most common first, and who did nothing more.

    Args:
        known: the door to the store.
        best: the table of chains: ``k``, ``t0`` …, ``depth``, ``until``.
        many: how many steps the funnel has.
        rule: says which property says a page.
        top: how many events a step.
    """
    every = plain_events(known)
    places = " ".join(f"WHEN {at} THEN t{at - 1}" for at in range(1, many))
    stopped = f"SELECT k, depth, until, CASE depth {places} END AS ts FROM {best} WHERE depth < {many}"
    rows = (
        f"SELECT customer, ts, {label(pages(every, rule))} AS label FROM ({stream(known, every, rule)}) s "
        f"WHERE customer IN (SELECT k FROM {best} WHERE depth < {many})"
    )
    # Several events of one instant: the first by name, so that the answer doesn't hang on where rows stand.
    firsts = f"SELECT customer, ts, min(label) AS label FROM ({rows}) r GROUP BY customer, ts"
    found = known.arrow(
        f"SELECT d.depth, CASE WHEN f.ts <= d.until THEN f.label END AS label, count(*) AS n FROM ({stopped}) d "
        f"ASOF LEFT JOIN ({firsts}) f ON d.k = f.customer AND d.ts < f.ts GROUP BY ALL ORDER BY depth, n DESC, label"
    ).to_pylist()
    told = []
    for step in range(1, many):
        here = [(row["label"], int(row["n"])) for row in found if row["depth"] == step]
        whole = sum(n for _, n in here)
        named = [(name, n) for name, n in here if name is not None][:top]
        nothing = [(name, n) for name, n in here if name is None]
        told += [Instead(step, name, n, wilson(n, whole)) for name, n in [*named, *nothing]]
    return told
