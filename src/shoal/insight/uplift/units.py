"""Who was in which arm of an experiment, what came of it, and what was known of them before it began.

Features are read through ``AsOf``: events and orders up to the instant before the exposure, traits up to the exposure itself,
since a file without dates is dated by the first thing that a customer did. Where exposures are spread over time, those of a
twelfth of it share the instant of the first of them: what is known is older for some, and never of later.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.errors import Refused
from shoal.insight.experiments.definition import InTrait, Viewed
from shoal.insight.experiments.exposures import exposures
from shoal.insight.metrics.units import of_units
from shoal.insight.models.features import Plan, features
from shoal.insight.models.learning.table import Table
from shoal.insight.models.learnt import Cases
from shoal.insight.uplift.balance import hold_alike, hold_sizes, hold_values
from shoal.insight.uplift.fit import Sample
from shoal.insight.uplift.kept import Layout
from shoal.sql.encode import quoted
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import numpy.typing as npt
    import pyarrow as pa

    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.exposures import Exposures
    from shoal.insight.experiments.state import State
    from shoal.insight.metrics.definition import Metric
    from shoal.insight.models.asof import AsOf

    Floats = npt.NDArray[np.float64]
    Whole = npt.NDArray[np.int64]

MOST = 200_000
"""So many units are learnt from at most, drawn by their ids: more of them tell no more, and cost in proportion."""
MOST_CUTS = 12
LOWER = "lower"
_SALT = "uplift"


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The units of an experiment, in an order that only their ids decide.

    Args:
        arms: names, the control first.
        weights: the share of each arm.
        counts: customers of each arm, before some are drawn.
        arm: the place of each unit's arm.
        outcome: what the metric says of each, NaN where it says nothing.
        lower: whether less is better.
        table: what was known before, one row a unit.
        plan: which columns.
        begin, end: of the exposures.
        notes: what to know.
    """

    arms: tuple[str, ...]
    weights: tuple[float, ...]
    counts: tuple[int, ...]
    arm: Whole
    outcome: Floats
    lower: bool
    table: Table
    plan: Plan
    begin: int
    end: int
    notes: tuple[str, ...]

    def treated(self, chosen: str | None = None) -> list[str]:
        """The arms that are held against the control, or the one that was asked for.

        Raises:
            UnknownName: there is no such arm.
            Refused: it is the control.
        """
        if chosen is None:
            return list(self.arms[1:])
        if chosen == self.arms[0]:
            raise Refused(f"{chosen!r} is the control: the other arms are held against it.", fix="Name another arm.")
        if chosen not in self.arms:
            from shoal.errors import UnknownName

            raise UnknownName("arm", chosen, self.arms[1:])
        return [chosen]

    def sample(self, arm: str) -> tuple[Sample, Layout]:
        """An arm's units with those of the control, and the columns of ``x``.

        Raises:
            Refused: the arms can't have been drawn at random, or there are too few units, or nothing is known of them.
        """
        place = self.arms.index(arm)
        both = (self.arm == 0) | (self.arm == place)
        pair = (0, place)
        hold_sizes((self.arms[0], arm), [self.counts[i] for i in pair], [self.weights[i] for i in pair])
        known = ~np.isnan(self.outcome)
        hold_values(known[both], self.arm[both] == place, arm)
        rows = np.flatnonzero(both & known)
        table = self.table.take(rows)
        layout = Layout.of(table)
        if not layout.columns:
            raise Refused(
                "Nothing is known of customers before they were exposed, so nothing tells them apart.",
                fix="Load traits, or what they did before.",
            )
        chance = self.weights[place] / (self.weights[0] + self.weights[place])
        y = -self.outcome[rows] if self.lower else self.outcome[rows]
        made = Sample(layout.matrix(table), self.arm[rows] == place, y, chance)
        hold_alike(made, layout.names)
        return made, layout


def read(
    known: AsOf,
    experiment: Experiment,
    state: State,
    metric: Metric,
    without: Collection[str] = (),
    *,
    most: int = MOST,
) -> Units:
    """The units of an experiment as of an instant.

    Args:
        known: the store as of it.
        experiment: the definition.
        state: how far it is.
        metric: the outcome.
        without: traits and events that are no features.
        most: units that are learnt from.

    Raises:
        Refused: a metric that says nothing of single customers; nobody was exposed; or see ``exposures``.
        UnknownName, DefinitionError, Unsupported: what the experiment or the metric names can't be asked.
    """
    _hold_metric(metric)
    if not experiment.randomised:
        raise Refused(
            f"Chance didn't draw the groups of {experiment.slug!r}: what sets them apart may be who is in them, so nobody's "
            "uplift can be learnt from them.",
            fix="Take an experiment whose arms were drawn by lot.",
        )
    with exposures(known, experiment, state) as exposed:
        rows = _rows(known, experiment, metric, exposed, most)
        notes = _notes(exposed)
    if not len(rows.who):
        raise Refused(f"Nobody was exposed to {experiment.slug!r} by then whose outcome is known.")
    table, plan = _known_before(known, rows, {*without, *_of_exposure(experiment)})
    if len(rows.who) == most < exposed.total:
        notes.append(f"Of {exposed.total:,} customers {most:,} are learnt from, drawn by their ids.")
    return Units(
        tuple(experiment.arms), tuple(experiment.arms.values()), tuple(exposed.counts.values()), rows.arm, rows.outcome,
        metric.better == LOWER, table, plan, int(rows.begin.min()), exposed.end, tuple(notes),
    )  # fmt: skip


def _hold_metric(metric: Metric) -> None:
    if metric.how in ("ratio", "quantile"):
        raise Refused(
            f"The metric {metric.slug!r} is a {metric.how}: it says nothing of a single customer, so nobody's uplift can be "
            "learnt from it.",
            fix="Take a sum, a mean or a share; for a ratio, what stands above its line.",
        )


def _of_exposure(experiment: Experiment) -> Iterator[str]:
    """The event or trait that says the arm: no feature."""
    if isinstance(experiment.exposure, Viewed):
        yield experiment.exposure.event
    elif isinstance(experiment.exposure, InTrait):
        yield experiment.exposure.trait


def _notes(exposed: Exposures) -> list[str]:
    notes = [f"Left out: {one.says}" for one in exposed.problems] + list(exposed.notes)
    if exposed.unfinished:
        n = exposed.unfinished
        notes.append(f"Left out: {counted(n, 'customer')} whose time to respond isn't over.")
    return notes


# ------------------------------------------------------------ who, and what came


class _Rows(NamedTuple):
    """Units in an order that only their ids decide."""

    who: npt.NDArray[np.int32]
    arm: Whole
    begin: Whole
    outcome: Floats


def _rows(known: AsOf, experiment: Experiment, metric: Metric, exposed: Exposures, most: int) -> _Rows:
    over = "" if experiment.window is None else f'WHERE e.t >= e."begin" + {experiment.window - 1:d}'
    drawn = (
        f"SELECT e.*, row_number() OVER (ORDER BY md5(c.id || {quoted(_SALT)}), c.id) AS nth FROM {exposed.table} e "
        f"JOIN customers c ON c.key = e.who {over} QUALIFY nth <= {most:d}"
    )
    with (
        known.temporary(f"{exposed.table}_drawn", drawn) as units,
        of_units(known, [metric], units) as values,
    ):
        column = values.columns[metric.slug].value
        table: pa.Table = known.arrow(
            f'SELECT e.who, e.arm, e."begin", v.{column} AS outcome FROM {units} e JOIN {values.table} v USING (k) ORDER BY e.nth'
        )
    return _Rows(
        np.asarray(table["who"].to_numpy(), dtype=np.int32),
        np.asarray(table["arm"].to_numpy(), dtype=np.int64),
        np.asarray(table["begin"].to_numpy(), dtype=np.int64),
        np.asarray(table["outcome"].to_numpy(zero_copy_only=False), dtype=np.float64),
    )


# ------------------------------------------------------------ what was known before


def _known_before(known: AsOf, rows: _Rows, without: Collection[str]) -> tuple[Table, Plan]:
    """What was known of each unit before it was exposed, in the order of ``rows``."""
    cuts = _cuts(rows.begin)
    last = int(cuts.max())
    with known.before(last) as at, known.before(last - 1) as before:
        first = int(cuts.min())
        traits = Plan.of(at, without, since=first)
        plan = replace(Plan.of(before, without, since=first), traits=traits.traits, dropped=traits.dropped)
    parts, places = [], []
    for cut in np.unique(cuts).tolist():
        here = np.flatnonzero(cuts == cut)
        here = here[np.argsort(rows.who[here])]
        table = _table(known, plan, rows.who[here], int(cut))
        parts.append(Cases.of(table, rows.outcome[here], int(cut), rows.who[here]))
        places.append(here)
    back = np.argsort(np.concatenate(places))
    return Cases.joined(parts).table.take(back), plan


def _cuts(begin: Whole) -> Whole:
    """By unit, the first exposure of its twelfth of the time over which they are spread."""
    width = max(1, -(-int(np.ptp(begin) + 1) // MOST_CUTS))
    block = (begin - begin.min()) // width
    first = np.full(int(block.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, block, begin)
    return np.asarray(first[block], dtype=np.int64)


def _table(known: AsOf, plan: Plan, who: npt.NDArray[np.int32], cut: int) -> Table:
    with _of(known, who, cut) as at, _of(known, who, cut - 1) as before:
        traits = replace(plan, orders=False, categories=(), events=())
        done = features(before, replace(plan, traits=()))
        return Table.of(done.keys, [*done.columns, *features(at, traits).columns])


@contextmanager
def _of(known: AsOf, who: npt.NDArray[np.int32], at: int) -> Iterator[AsOf]:
    """The store as of an instant, for these customers, ascending: nothing is known of those who came later, not even that."""
    with known.before(at) as door:
        door.customers = who
        yield door
