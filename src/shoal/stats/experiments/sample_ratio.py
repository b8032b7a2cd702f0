"""Whether arms are as large as they were to be: where they aren't, something lost units, and no effect can be trusted.

About six in a hundred experiments of a mature platform fail it (Fabijan et al. 2019, doi:10.1145/3292500.3330722).
"""

from __future__ import annotations

from math import exp, lgamma, log
from typing import TYPE_CHECKING, NamedTuple

from shoal.errors import Refused
from shoal.stats.drift import chi_squared_tail

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL = 0.001
"""A p-value below it blocks the verdict: with so few false alarms each is worth a search."""


class SampleRatio(NamedTuple):
    """What the check found.

    Args:
        p: of sizes at least as uneven, where assignment is as planned.
        expected: the size of each arm by its weight.
        surprise: the Bayes factor for another assignment, which may be watched over time: under the plan it exceeds 1/α
            at any moment with chance α at most.
    """

    p: float
    expected: tuple[float, ...]
    surprise: float

    @property
    def fails(self) -> bool:
        """Whether the sizes can't be the plan's."""
        return self.p < LEVEL


def sample_ratio(observed: Sequence[int], weights: Sequence[float]) -> SampleRatio:
    """Pearson's test of the sizes, and the one that may be watched (Lindon & Malek 2022, arXiv:2011.03567).

    Args:
        observed: units of each arm.
        weights: of each arm, in any scale.

    Raises:
        Refused: fewer than two arms, weights that aren't above 0, or no units.

    >>> f"{sample_ratio([821588, 815482], [1, 1]).p:.3g}"
    '1.82e-06'
    """
    if len(observed) < 2 or len(observed) != len(weights):
        raise Refused("A ratio needs the sizes and weights of two arms at least.")
    if min(weights) <= 0 or min(observed) < 0:
        raise Refused("Weights of arms are above 0, and sizes aren't below.")
    n, total = sum(observed), float(sum(weights))
    if n == 0:
        raise Refused("No unit is in any arm.", fix="Wait until the experiment has begun.")
    shares = [w / total for w in weights]
    expected = tuple(n * share for share in shares)
    chi2 = sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True))
    return SampleRatio(chi_squared_tail(chi2, len(observed) - 1), expected, _surprise(observed, shares))


def _surprise(observed: Sequence[int], shares: Sequence[float]) -> float:
    """Dirichlet-multinomial against multinomial; the prior is centred on the plan with a strength of 10,000 units."""
    strength = 10_000.0
    before = [strength * share for share in shares]
    after = [a + o for a, o in zip(before, observed, strict=True)]
    told = _constant(after) - _constant(before)
    told -= sum(o * log(share) for o, share in zip(observed, shares, strict=True))
    return exp(min(told, 700.0))


def _constant(values: Sequence[float]) -> float:
    return sum(map(lgamma, values)) - lgamma(sum(values))
