"""The contest of a model with its baselines, and of one version with another: who is ahead, and beyond chance or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.stats.bootstrap import LEAST_UNITS, Tally, difference
from shoal.stats.scoring import auc_difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from shoal.stats.intervals import Interval


AUC = "auc"


@dataclass(frozen=True, slots=True)
class Lead:
    """How far a model is ahead of a rival in the measure that decides, on the same customers.

    Args:
        rival: the baseline, or the version.
        what: the measure.
        value: of the model against the rival; above 0 the model is better, whichever way the measure points.
        low: the lower end of the 95 % interval, of a bootstrap over customers; None where they are too few.
        high: the upper end.
        n: how many customers it rests on.
    """

    rival: str
    what: str
    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def sure(self) -> bool:
        """Whether the model is better beyond chance: the interval lies above 0."""
        return self.low is not None and self.low > 0

    @property
    def behind(self) -> bool:
        """Whether the model is worse beyond chance."""
        return self.high is not None and self.high < 0


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Of a yes-or-no outcome that is foretold once a customer, how each contender ranks them.

    Args:
        outcome: 0 or 1.
        scores: by contender, the model first: the higher, the more probable.
    """

    outcome: npt.NDArray[Any]
    scores: Mapping[str, npt.NDArray[Any]]

    def leads(self) -> tuple[Lead, ...]:
        """How far the model's AUC is ahead of each other, with DeLong's paired interval; none where one outcome is missing."""
        n = len(self.outcome)
        if not 0 < self.outcome.sum() < n:
            return ()
        (_, mine), *rivals = self.scores.items()
        gaps = {who: auc_difference(self.outcome, mine, other) for who, other in rivals}
        few = n < LEAST_UNITS
        return tuple(
            Lead(who, AUC, gap.value, None if few else gap.low, None if few else gap.high, n)
            for who, gap in gaps.items()
        )


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """What the model and its baselines scored of each customer in the measure that decides.

    Args:
        owners: keys of customers, ascending, each once.
        tallies: by contender, the model first.
        ranking: how they rank customers, where that is another question.
    """

    owners: npt.NDArray[Any]
    tallies: Mapping[str, Tally]
    ranking: Ranking | None = None

    @classmethod
    def of_rows(
        cls, owners: npt.NDArray[Any], values: Mapping[str, npt.NDArray[Any]], ranking: Ranking | None = None
    ) -> Contest:
        """Of rows, of which a customer may have several.

        Args:
            owners: the customer of each row, in any order.
            values: by contender one value a row: an error, or whether it hit; NaN where the row doesn't count.
            ranking: kept with it.
        """
        who, unit = np.unique(owners, return_inverse=True)
        return cls(who, {name: Tally.by(unit, column, len(who)) for name, column in values.items()}, ranking)

    @property
    def mine(self) -> Tally:
        """What the model scored."""
        return next(iter(self.tallies.values()))

    def leads(self, what: str, *, higher: bool) -> tuple[Lead, ...]:
        """How far the model is ahead of each baseline, in the measure that decides and then in ranking.

        Args:
            what: the measure that decides.
            higher: whether more of it is better.
        """
        rivals = list(self.tallies.items())[1:]
        found = (_lead(name, what, self.mine, other, higher=higher) for name, other in rivals)
        decided = tuple(lead for lead in found if not np.isnan(lead.value))
        return decided if self.ranking is None else (*decided, *self.ranking.leads())


def against(new: Contest, old: Contest, what: str, *, higher: bool) -> Lead | None:
    """How far one version is ahead of another that was judged by the same time; None where they can't be compared.

    Args:
        new: of the version that may take over.
        old: of the one in force.
        what: the measure that decides.
        higher: whether more of it is better.
    """
    if new.mine.sums.shape[1] != old.mine.sums.shape[1]:
        return None
    owners = np.union1d(new.owners, old.owners)
    lead = _lead("the version in force", what, *(_aligned(one, owners) for one in (new, old)), higher=higher)
    return None if np.isnan(lead.value) else lead


def _aligned(contest: Contest, owners: npt.NDArray[Any]) -> Tally:
    """The model's tally of these customers; those that it has nothing of count nothing."""
    place, mine = np.searchsorted(owners, contest.owners), contest.mine
    sums, counts = (np.zeros((len(owners), mine.sums.shape[1])) for _ in range(2))
    sums[place], counts[place] = mine.sums, mine.counts
    return Tally(sums, counts)


def _lead(rival: str, what: str, mine: Tally, other: Tally, *, higher: bool) -> Lead:
    found = difference(mine, other) if higher else difference(other, mine)
    n = int(((mine.counts > 0) | (other.counts > 0)).any(axis=1).sum())
    return Lead(rival, what, found.value, *_ends(found), n)


def _ends(found: Interval) -> tuple[float | None, float | None]:
    return (None, None) if np.isnan(found.low) else (found.low, found.high)
