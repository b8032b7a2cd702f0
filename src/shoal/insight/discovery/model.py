"""The frozen partition: how later rows find their segment, and how one keeps it until a move is meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.discovery.kmeans import nearest, squared_distances
from shoal.insight.discovery.prepare import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from shoal.insight.discovery.table import Bools, Floats, Ints, Table

_VERSION = 1
OUTLYING = 3.5  # modified z of log distance to the own centre (Iglewicz & Hoaglin 1993)
_FEW = 20  # members below which a segment's own spread of distances isn't known


@dataclass(frozen=True, slots=True)
class Outliers:
    """Rows far from everything, named and kept.

    Args:
        rows: which they are.
        extreme: those of them with a single number beyond the clip; the rest are far from their centre.
        farthest: each row's largest robust standard distance in one column.
    """

    rows: Bools
    extreme: Bools
    farthest: Floats


@dataclass(frozen=True, slots=True)
class Model:
    """Preparation and centres; the same row finds the same segment before and after it was saved.

    Args:
        plan: the preparation.
        centres: k × d.
        segments: the persistent id of each centre.
        spreads: of each centre, median and robust spread of the log distance of its members.
    """

    plan: Plan
    centres: Floats
    segments: tuple[str, ...]
    spreads: Floats

    def places(self, table: Table) -> Ints:
        """For each row, the place of its nearest centre in ``segments``."""
        return nearest(self.plan.apply(table), self.centres)

    def assign(self, table: Table) -> npt.NDArray[np.str_]:
        """The id of each row's segment, without hysteresis."""
        return np.array(self.segments)[self.places(table)]

    def outliers(self, table: Table) -> Outliers:
        """Rows with an extreme number, or far from their own centre for a member."""
        rows = self.plan.apply(table)
        labels = nearest(rows, self.centres)
        extreme, farthest = self.plan.extremes(table)
        logs = _log_distances(squared_distances(rows, self.centres, labels))
        far = (logs - self.spreads[labels, 0]) / self.spreads[labels, 1] > OUTLYING
        return Outliers(extreme | far, extreme, farthest)

    def document(self) -> tuple[dict[str, Any], dict[str, Floats]]:
        """Plain values for JSON, and arrays to store beside them."""
        values = {"version": _VERSION, "plan": self.plan.document(), "segments": list(self.segments)}
        return values, {"centres": self.centres, "spreads": self.spreads}

    @classmethod
    def read(cls, values: Mapping[str, Any], arrays: Mapping[str, Floats]) -> Model:
        """The model that ``document`` wrote.

        Raises:
            Refused: if it is of another version, or its parts don't fit each other.
        """
        if values.get("version") != _VERSION:
            raise Refused(
                f"The model is of version {values.get('version')}, not {_VERSION}.", fix="Run the discovery again."
            )
        plan, segments = Plan.read(values["plan"]), tuple(values["segments"])
        centres, spreads = (np.asarray(arrays[name], dtype=np.float64) for name in ("centres", "spreads"))
        if centres.shape != (len(segments), plan.width) or spreads.shape != (len(segments), 2):
            raise Refused("The model's centres don't fit its columns.", fix="Run the discovery again.")
        return cls(plan, centres, segments, spreads)


def spreads(squared: Floats, labels: Ints, k: int) -> Floats:
    """Median and robust spread of log distances for each of k groups; of all rows where a group has few members."""
    logs = _log_distances(squared)
    everyone = _median_and_spread(logs)
    members = (logs[labels == i] for i in range(k))
    return np.array([_median_and_spread(mine) if len(mine) >= _FEW else everyone for mine in members])


def _median_and_spread(values: Floats) -> tuple[float, float]:
    middle = float(np.median(values))
    return middle, max(1.4826 * float(np.median(np.abs(values - middle))), 0.05)


def _log_distances(squared: Floats) -> Floats:
    # Rows on their centre are no outliers; a floor keeps them from having no logarithm.
    return np.asarray(np.log(np.sqrt(squared) + 0.1))


@dataclass(frozen=True, slots=True)
class Standing:
    """Where each customer stands between fits, as places in ``Model.segments``.

    Args:
        segment: the recorded one; −1 for a customer who has none yet.
        rival: the segment that was nearer at the last look, −1 where none was.
        times: how often in a row it was.
    """

    segment: Ints
    rival: Ints
    times: Ints

    @classmethod
    def new(cls, size: int) -> Standing:
        """Customers without a segment."""
        return cls(np.full(size, -1, np.int64), np.full(size, -1, np.int64), np.zeros(size, np.int64))


def reassign(
    model: Model,
    table: Table,
    standing: Standing,
    *,
    margin: float = 0.1,
    times: int = 2,
    at_once: float = 1.0,
    counts: bool = True,
) -> Standing:
    """Look at customers again; one moves only if the new centre is nearer by ``margin``, ``times`` times in a row.

    A customer on the border between two segments would otherwise change with each event. Who has no segment gets the
    nearest at once, and so does who is nearer to another by ``at_once``.

    Args:
        model: the frozen partition.
        table: the customers as they are now, one row for each place of ``standing``.
        standing: where they stood.
        margin: the share of the distance to the own centre by which the other must be nearer, 0 ≤ margin < 1.
        times: looks in a row, at least 1.
        at_once: the share of the distance by which the other is so near that one look does; 1 is never.
        counts: whether this look counts; one that comes too soon after the last moves only who moves at once.

    Raises:
        Refused: for a margin or a number of times out of range, or a standing of another length.
    """
    if not 0 <= margin < 1 or times < 1:
        raise Refused(f"A margin of {margin:g} and {times} times can't be.", fix="Use 0 ≤ margin < 1 and times ≥ 1.")
    if len(standing.segment) != table.size:
        raise Refused(
            f"{len(standing.segment)} standings for {table.size} customers.", fix="Give one standing per customer."
        )
    rows = model.plan.apply(table)
    near = nearest(rows, model.centres)
    new = (standing.segment < 0) | (standing.segment >= len(model.segments))
    held = np.where(new, near, standing.segment)
    there = np.sqrt(squared_distances(rows, model.centres, near))
    here = np.sqrt(squared_distances(rows, model.centres, held))
    rivals = (near != held) & (there <= (1 - margin) * here)
    streak = np.where(rivals, np.where(standing.rival == near, standing.times, 0) + int(counts), 0)
    moves = (streak >= times) | (rivals & (at_once < 1) & (there <= (1 - at_once) * here))
    return Standing(
        np.where(moves, near, held),
        np.where((streak > 0) & ~moves, near, -1),
        np.where(moves, 0, streak),
    )
