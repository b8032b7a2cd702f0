"""From the store to what the statistics need: sums by arm and group, taken in SQL. Rows don't leave the store.

Values are centred before they are squared, so that large ones (money in cents, instants) lose no digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import Refused
from shoal.stats.experiments.arms import LEAST, Arm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.units import Columns, UnitValues
    from shoal.insight.models.asof import AsOf

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

WINSOR = 0.999
"""Of money, what exceeds this quantile of all arms together counts as the quantile."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a metric's columns are read.

    Args:
        metric: what is measured.
        columns: of the table of units.
        centre: of each column, subtracted before squares are summed.
        cap: a value above it counts as the cap; None is no such thing.
        capped: for how many units it does.
        past: whether the columns before the exposure vary, so that they can tell anything.
    """

    metric: Metric
    columns: Columns
    centre: tuple[float, ...]
    cap: float | None = None
    capped: int = 0
    past: bool = False

    @property
    def read(self) -> list[str]:
        """The columns that are summed: the value, what it is per, and both before, where they vary."""
        now = [self.columns.value] + ([self.columns.per] if self.columns.per else [])
        then = [self.columns.prior, self.columns.prior_per] if self.past else []
        return [*now, *(one for one in then if one)]

    def uncapped(self) -> Reading:
        """The same without its cap."""
        return Reading(self.metric, self.columns, self.centre, past=self.past)

    @property
    def counts(self) -> str:
        """The SQL of whether a unit counts."""
        here = f"u.{self.columns.value} IS NOT NULL"
        return f"({here} OR u.{self.columns.per} IS NOT NULL)" if self.columns.per else f"({here})"

    def sql(self) -> list[str]:
        """One expression a column: centred, NULL where the unit doesn't count."""
        found = []
        for place, (name, centre) in enumerate(zip(self.read, self.centre, strict=True)):
            value = f"u.{name}" if place == 0 and not self.columns.per else f"coalesce(u.{name}, 0)"
            if place == 0 and self.cap is not None:
                value = f"least({value}, {self.cap!r})"
            # What isn't known of a unit's past is the mean, which is 0 here.
            if place > 0 and name not in (self.columns.value, self.columns.per):
                value = f"coalesce(u.{name}, {centre!r})"
            found.append(f"CASE WHEN {self.counts} THEN {value} - {centre!r} END")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Sums of a metric by cell: an arm and, where asked for, groups within it.

    Args:
        arm: of each cell.
        groups: cells × groupings, whole numbers.
        n: units that count, of each cell.
        sums: cells × columns, centred.
        products: cells × columns × columns, centred.
        centre: of each column.
    """

    arm: Ints
    groups: Ints
    n: Ints
    sums: Floats
    products: Floats
    centre: Floats

    def of(self, which: Bools) -> Arm:
        """The cells together.

        Raises:
            Refused: fewer than two units.
        """
        n = int(self.n[which].sum())
        arm = Arm.of_sums(n, self.sums[which].sum(axis=0), self.products[which].sum(axis=0))
        # Rounding may leave a variance a hair below 0 where nothing varies.
        spread = np.where(np.abs(arm.covariance) < 1e-12 * np.abs(self.products[which].sum(axis=0)), 0, arm.covariance)
        return Arm(n, arm.means + self.centre, spread)

    def arms(self, count: int, which: Bools | None = None) -> list[Arm]:
        """The arms, each over all of its cells or over some.

        Raises:
            Refused: an arm has fewer than two units.
        """
        kept = np.ones(len(self.arm), dtype=bool) if which is None else which
        return [self.of(kept & (self.arm == arm)) for arm in range(count)]

    def sizes(self, count: int, which: Bools | None = None) -> list[int]:
        """How many units of each arm count."""
        kept = np.ones(len(self.arm), dtype=bool) if which is None else which
        return [int(self.n[kept & (self.arm == arm)].sum()) for arm in range(count)]

    def enough(self, count: int, which: Bools) -> bool:
        """Whether each arm has a variance there."""
        return min(self.sizes(count, which)) >= LEAST


def readings(
    known: AsOf, values: UnitValues, metrics: Sequence[Metric], *, winsor: float | None = WINSOR
) -> dict[str, Reading]:
    """How each metric is read: the centre of its columns, and the cap of money, both over all arms together.

    Args:
        known: the store.
        values: of the units.
        metrics: which; quantiles are read elsewhere.
        winsor: the quantile above which money is cut; None cuts nothing.
    """
    asked = [metric for metric in metrics if metric.how != "quantile"]
    if not asked:
        return {}
    shown: dict[str, list[str]] = {}
    for metric in asked:
        columns = values.columns[metric.slug]
        quantile = f"quantile_cont({columns.value}, {winsor!r})" if _is_cut(metric, winsor) else "NULL"
        averages = [f"avg({name})" for name in columns.names]
        priors = [one for one in (columns.prior, columns.prior_per) if one]
        moves = " OR ".join(f"min({name}) <> max({name})" for name in priors) or "false"
        shown[metric.slug] = [*averages, quantile, moves]
    (row,) = known.arrow(_named([sql for one in shown.values() for sql in one], f"FROM {values.table}")).to_pylist()
    cells = iter(row.values())
    found = {}
    for metric in asked:
        columns = values.columns[metric.slug]
        names = columns.names
        means = dict(zip(names, (float(next(cells) or 0.0) for _ in names), strict=True))
        cap, past = next(cells), bool(next(cells))
        now = [means[name] for name in (columns.value, columns.per) if name]
        then = [means[name] for name in (columns.prior, columns.prior_per) if name] if past else []
        found[metric.slug] = Reading(
            metric, columns, (*now, *then), None if not cap or cap <= 0 else float(cap), 0, past
        )
    return _with_capped(known, values, found)


def _is_cut(metric: Metric, winsor: float | None) -> bool:
    return winsor is not None and metric.unit == "money" and metric.how in ("sum", "mean")


def _with_capped(known: AsOf, values: UnitValues, found: dict[str, Reading]) -> dict[str, Reading]:
    """With the number of units above the cap; a cap that nothing exceeds is none."""
    cut = [one for one in found.values() if one.cap is not None]
    if not cut:
        return found
    counts = [f"count(*) FILTER (WHERE {one.columns.value} > {one.cap!r})" for one in cut]
    (row,) = known.arrow(_named(counts, f"FROM {values.table}")).to_pylist()
    for one, above in zip(cut, row.values(), strict=True):
        cap = one.cap if above else None
        found[one.metric.slug] = Reading(one.metric, one.columns, one.centre, cap, int(above), one.past)
    return found


def cells(
    known: AsOf, source: str | None, values: UnitValues, read: Iterable[Reading], by: Mapping[str, str] | None = None
) -> list[Cells]:
    """The sums of some metrics by arm and group, in one pass.

    Args:
        known: the store.
        source: the SQL after FROM of rows with ``k`` and ``arm``, under the name ``e``, and of what ``by`` names; None where
            the values keep all of that themselves, under the name ``u``.
        values: of the units.
        read: the metrics.
        by: SQL of whole numbers by name, to group by.

    Returns:
        One of each metric, in their order.
    """
    wanted, grouped = list(read), dict(by or {})
    rows = f"{values.table} u" if source is None else f"{source} JOIN {values.table} u ON u.k = e.k"
    inner = [
        "u.arm AS arm" if source is None else "e.arm AS arm",
        *(f"{sql} AS {name}" for name, sql in grouped.items()),
    ]
    outer = ["arm", *grouped]
    for i, one in enumerate(wanted):
        names = [f"x{i}_{j}" for j in range(len(one.read))]
        inner += [f"{sql} AS {name}" for sql, name in zip(one.sql(), names, strict=True)]
        outer.append(f"count({names[0]}) AS n{i}")
        outer += [f"sum({name}) AS s{name}" for name in names]
        outer += [f"sum({a} * {b}) AS p{a}_{k}" for j, a in enumerate(names) for k, b in enumerate(names[: j + 1])]
    table = known.arrow(
        f"SELECT {', '.join(outer)} FROM (SELECT {', '.join(inner)} FROM {rows}) "
        f"GROUP BY {', '.join(['arm', *grouped])} ORDER BY ALL"
    )
    held = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    arm = held["arm"].astype(np.int64)
    groups = np.column_stack([held[name] for name in grouped]).astype(np.int64) if grouped else np.zeros((len(arm), 0))
    return [_cells(held, i, one, arm, groups.astype(np.int64)) for i, one in enumerate(wanted)]


def _cells(held: Mapping[str, npt.NDArray[np.generic]], i: int, read: Reading, arm: Ints, groups: Ints) -> Cells:
    many = len(read.read)
    sums = np.column_stack([np.nan_to_num(held[f"sx{i}_{j}"].astype(np.float64)) for j in range(many)])
    products = np.zeros((len(arm), many, many))
    for j in range(many):
        for k in range(j + 1):
            products[:, j, k] = products[:, k, j] = np.nan_to_num(held[f"px{i}_{j}_{k}"].astype(np.float64))
    return Cells(arm, groups, held[f"n{i}"].astype(np.int64), sums, products, np.array(read.centre))


def order_statistics(
    known: AsOf, source: str, values: UnitValues, column: str, wanted: Mapping[int, Sequence[int]], sizes: Sequence[int]
) -> dict[int, list[float]]:
    """The values at some places of each arm, in the order of their size.

    Args:
        known: the store.
        source: as for ``cells``.
        values: of the units.
        column: of the metric.
        wanted: by arm, places counted from 0.
        sizes: of each arm, how many have a value.
    """
    found = {}
    for arm, places in wanted.items():
        # The discrete quantile at (place + ½) / n is the value at that place.
        points = ", ".join(repr((place + 0.5) / sizes[arm]) for place in places)
        table = known.arrow(
            f"SELECT quantile_disc(u.{column}, [{points}]) AS found FROM {source} JOIN {values.table} u ON u.k = e.k "
            f"WHERE e.arm = {arm:d}"
        )
        told = table["found"].to_pylist()[0]
        if told is None:
            raise Refused("An arm has no value of the metric.", fix="Wait, or choose another metric.")
        found[arm] = [float(value) for value in told]
    return found


def _named(shown: Sequence[str], rest: str) -> str:
    return f"SELECT {', '.join(f'{sql} AS c{i}' for i, sql in enumerate(shown))} {rest}"
