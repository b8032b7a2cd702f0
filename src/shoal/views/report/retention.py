"""Retention of contracts: who stays how long, groups compared, and what goes on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import words as w
from shoal.views.charts.survival import retention_says, survival_curves
from shoal.views.report.page import Column, Figure, Hint, Section, Shown, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.contracts import Group, Retention
    from shoal.stats.survival import LogRank
    from shoal.views.report.facts import Facts

_TITLE = "Retention of contracts"
_SMALL = 1e-4


def contracts(facts: Facts) -> Section | None:
    """The curve of all and of each group; None where ``contracts:`` says nothing."""
    found = facts.contracts
    if found is None:
        return None
    if isinstance(found, str):
        return Section("contracts", _TITLE, "", (Hint(found),))
    lead = (
        f"{w.many(found.customers, 'customer')} under contract by {found.says}: {w.many(found.left, 'customer')} left. Who "
        "is still here counts for as long as they were seen; beyond that the curve says nothing."
    )
    return Section("contracts", _TITLE, lead, tuple(_blocks(found)))


def _blocks(found: Retention) -> Iterator[Any]:
    yield _figure(found, "contracts", grouped=False)
    if found.groups:
        yield _figure(found, "contracts-groups", grouped=True)
        yield _table(found)
    yield _projected(found)
    yield from found.notes


def _figure(found: Retention, name: str, *, grouped: bool) -> Figure:
    rows = [row for row in found.rows() if (row["group"] is not None) == grouped]
    said = retention_says(found, grouped=grouped)
    followed = next((s for s in reversed(found.steps) if s.followed >= _ENOUGH), found.steps[0])
    note = (
        f"{w.many(found.customers, 'customer')}; {followed.followed:,} were followed for {followed.period} "
        f"{found.period}{'' if followed.period == 1 else 's'}"
    )
    if grouped and found.test is not None:
        note = _tested(found.test)
    half = bool(found.groups)
    return Figure(name, lambda width: survival_curves(found, grouped=grouped, width=width), rows, said, note, half=half)


_ENOUGH = 30


def _tested(test: LogRank) -> str:
    differ = "Groups differ beyond chance" if test.p < 0.05 else "Nothing says that groups differ"
    p = f"p < {_SMALL:.4f}" if test.p < _SMALL else f"p = {test.p:.4f}"
    return f"{differ}: log-rank chi squared {test.chi2:,.1f}, df {test.df}, {p}"


def _table(found: Retention) -> Table:
    last = min(group.steps[-1].period for group in found.groups)
    periods = sorted({max(1, last // 4), max(1, last // 2), max(1, last)})
    columns = (
        Column("name", found.by[:1].upper() + found.by[1:]), Column("customers", "Customers", "count"),
        Column("left", "Left", "count"),
        *(Column(f"after_{p}", f"After {p} {found.period}{'' if p == 1 else 's'}", "share") for p in periods),
        Column("half", "Half left after", "figure", f"In {found.period}s; a dash where more than half are still here."),
    )  # fmt: skip
    return Table("contracts-by-group", columns, [_row(group, periods) for group in found.groups])


def _row(group: Group, periods: list[int]) -> dict[str, Any]:
    shares = {f"after_{p}": group.steps[p].here.value for p in periods if p < len(group.steps)}
    empty = {f"after_{p}": None for p in periods}
    median = group.curve.median()
    half = None if median is None else Shown(f"{median:.3g}", median)
    return {"name": group.name, "customers": group.customers, "left": group.left, **empty, **shares, "half": half}


def _projected(found: Retention) -> str:
    held = found.projection
    if held is None:
        return f"There is no projection. {found.why_no_projection}"
    said = held.verdict(found.period).replace(" %", f"{w.HARD}%")
    return f"How far a projection can be trusted ({held.model.name}). {said}"
