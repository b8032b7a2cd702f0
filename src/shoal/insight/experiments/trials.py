"""Campaigns that ``trials:`` in ``shoal.yaml`` says were drawn by lot: who took part, for all that ask.

Next best actions, the cards of micro-segments and the scoreboard read it here, and money is reckoned as of every other randomised
campaign, by ``insight.pilots.money``.
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.pilots.money import Terms, came
from shoal.lang.schema import Kind
from shoal.sql.encode import quoted
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shoal.insight.models.asof import AsOf
    from shoal.insight.pilots.money import Money
    from shoal.shapes import Trial

LEAST_ARM = 100
CONTROL, TREATED = "control", "treated"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Who took part in a trial.

    Args:
        table: a temporary relation of ``k`` and ``who`` (surviving customer's key), ``arm`` (1 for those who got it),
            ``begin`` and ``t``: from the instant after they took part to the end of the trial's days.
        treated: customers who got it.
        control: customers who didn't.
        both: customers of two arms, who are left out.
        since: the instant of the first who took part; None where nobody did.
    """

    table: str
    treated: int
    control: int
    both: int
    since: int | None


@contextmanager
def drawn(known: AsOf, trial: Trial) -> Iterator[Drawn]:
    """Lay out who took part: each customer from the first time on, and only once their days are over.

    Raises:
        Refused: the event or its property isn't there.
    """
    name = f"drawn_{next(_numbers)}"
    begin = f"SELECT who AS k, who, side AS arm, ts + 1 AS begin, ts + {trial.days * DAY:d} AS t"
    with known.temporary(f"{name}_all", _each(known, trial)) as every:
        ((both, since),) = _rows(known, f"SELECT count(*) FILTER (two), min(ts) FILTER (NOT two) FROM {every}")
        with known.temporary(name, f"{begin} FROM {every} WHERE NOT two") as table:
            sizes = dict(_rows(known, f"SELECT arm, count(*) FROM {table} GROUP BY arm"))
            yield Drawn(table, sizes.get(1, 0), sizes.get(0, 0), both, since)


def _rows(known: AsOf, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in known.arrow(sql).to_pylist()]


def _each(known: AsOf, trial: Trial) -> str:
    """One row a customer: ``who``, ``ts`` of the first time, ``side``, and whether they were on both (``two``)."""
    event = known.events.get(trial.event)
    columns = {} if event is None else {n: p for n, p in event.properties.items() if p.kind is Kind.TEXT}
    missing = [name for name in (trial.arm, *trial.only) if name not in columns]
    if event is None or missing:
        what = f'an event "{trial.event}"' if event is None else f'a text {missing[0]!r} of "{trial.event}"'
        raise Refused(f"The trial {trial.name!r} needs {what}, and there is none.")
    arm = columns[trial.arm].col
    only = "".join(f" AND {columns[name].col} = {quoted(v)}" for name, v in trial.only.items())
    treated = f"{arm} IN ({_listed(trial.treated)})" if trial.treated else f"{arm} NOT IN ({_listed(trial.control)})"
    sides = f"CASE WHEN {arm} IN ({_listed(trial.control)}) THEN 0 WHEN {treated} THEN 1 END"
    until = known.at - trial.days * DAY
    rows = (
        f"SELECT customer AS who, ts, {sides} AS side FROM ({known.event(trial.event)}) e WHERE {arm} IS NOT NULL{only}"
    )
    return (
        f"SELECT who, min(ts) AS ts, min(side) AS side, min(side) <> max(side) AS two FROM ({rows}) r "
        f"WHERE side IS NOT NULL AND ts <= {until:d} GROUP BY who"
    )


def measured(known: AsOf, trial: Trial, part: Drawn) -> Money:
    """What those who got it brought beyond the others.

    Raises:
        Refused: an arm has fewer than a hundred customers.
    """
    if min(part.treated, part.control) < LEAST_ARM:
        raise Refused(
            f"The trial {trial.name!r} has {counted(part.treated, 'customer')} who got it and {part.control:,} who didn't, "
            f"with {trial.days} days behind them; it takes {LEAST_ARM} of each."
        )
    return came(known, part.table, (CONTROL, TREATED)).of(TREATED, Terms())


def _listed(values: Iterable[str]) -> str:
    return ", ".join(quoted(value) for value in values)
