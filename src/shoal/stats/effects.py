"""Effect sizes: how much a group differs, on scales that compare across variables."""

from __future__ import annotations

from math import exp, inf, log, sqrt
from typing import TYPE_CHECKING

from shoal.stats.intervals import CONFIDENCE, Interval, z_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.stats.intervals import Moments


def cramers_v(table: Sequence[Sequence[float]], *, corrected: bool = False) -> float:
    """Cramér's V of a table of counts: 0 no association, 1 one variable tells the other.

    Args:
        table: counts, one row a level of the first variable; empty rows and columns are left out.
        corrected: take off what chance alone gives in small samples (Bergsma 2013).

    >>> cramers_v([[10, 0], [0, 10]]), cramers_v([[5, 5], [5, 5]])
    (1.0, 0.0)
    """
    rows, columns, n, chi2 = _chi_squared(table)
    if min(rows, columns) < 2:
        return 0.0
    if not corrected:
        return min(1.0, sqrt(chi2 / n / (min(rows, columns) - 1)))
    if n < 2:
        return 0.0
    phi2 = max(0.0, chi2 / n - (rows - 1) * (columns - 1) / (n - 1))
    levels = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1))
    return min(1.0, sqrt(phi2 / (levels - 1))) if levels > 1 else 0.0


def _chi_squared(table: Sequence[Sequence[float]]) -> tuple[int, int, float, float]:
    """Rows and columns that hold anything, the total and Pearson's chi squared."""
    rows = [row for row in table if sum(row)]
    columns = [column for column in zip(*rows, strict=True) if sum(column)]
    down = [sum(column) for column in columns]
    across = [sum(row) for row in rows]
    n = sum(down)
    chi2 = sum(
        (value - across[i] * total / n) ** 2 / (across[i] * total / n)
        for column, total in zip(columns, down, strict=True)
        for i, value in enumerate(column)
    )
    return len(rows), len(columns), n, chi2


def eta_squared(groups: Sequence[Moments]) -> float:
    """The share of a number's variance that lies between the groups: 0 none, 1 all.

    >>> from shoal.stats.intervals import Moments
    >>> eta_squared([Moments(2, 0.0, 0.0), Moments(2, 1.0, 0.0)])
    1.0
    """
    filled = [group for group in groups if group.n]
    n = sum(group.n for group in filled)
    if n == 0:
        return 0.0
    grand = sum(group.n * group.mean for group in filled) / n
    between = sum(group.n * (group.mean - grand) ** 2 for group in filled)
    total = between + sum((group.n - 1) * group.variance for group in filled)
    return between / total if total > 0 else 0.0


def lift(a: tuple[float, float], b: tuple[float, float], confidence: float = CONFIDENCE) -> Interval:
    """How many times as common something is in the first group, with the log interval (Katz 1978).

    Half a case is added to each group where one has none, for the interval alone.

    Args:
        a: (hits, n) of the group.
        b: (hits, n) of what it is compared with.
        confidence: the two-sided level.

    Raises:
        ValueError: for an empty group.

    >>> lift((20, 100), (10, 100)).value
    2.0
    """
    (hits_a, n_a), (hits_b, n_b) = a, b
    if min(n_a, n_b) <= 0:
        raise ValueError("a lift needs customers in both groups")
    value = (hits_a / n_a) / (hits_b / n_b) if hits_b else (inf if hits_a else 1.0)
    extra = 0.5 if min(hits_a, hits_b) == 0 else 0.0
    x, m, y, k = hits_a + extra, n_a + extra, hits_b + extra, n_b + extra
    half = z_value(confidence) * sqrt(max(1 / x - 1 / m + 1 / y - 1 / k, 0.0))
    centre = log(x / m) - log(y / k)
    low = 0.0 if hits_a == 0 else exp(centre - half)
    return Interval(value, low, inf if hits_b == 0 else exp(centre + half))


def jaccard(both: int, a: int, b: int) -> float:
    """The overlap of two sets as a share of their union; two empty sets give 0.

    >>> jaccard(50, 100, 100)
    0.3333333333333333
    """
    union = a + b - both
    return both / union if union else 0.0
