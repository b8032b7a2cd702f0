"""Whether the arms are as large as they were to be: over all, in each segment, and at every moment on the way.

A mismatch says that something lost customers of one arm more than of another; then no effect can be trusted, and the verdict is
blocked until it is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shoal.stats.experiments.sample_ratio import LEVEL, sample_ratio
from shoal.stats.multiple import holm
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

WHERE = (
    "Look for what loses customers of one arm: redirects, slow pages or crashes of a variant, filters after the assignment, "
    "events that one variant doesn't send, bots, or two assignments at once."
)


@dataclass(frozen=True, slots=True)
class Day:
    """How many customers had come in by the end of a day.

    Args:
        day: counted from the start.
        n: of each arm, cumulative.
        surprise: the Bayes factor against the planned ratio.
    """

    day: int
    n: tuple[int, ...]
    surprise: float


@dataclass(frozen=True, slots=True)
class Part:
    """A group in which arms aren't as large as they were to be.

    Args:
        dimension: as a trait.
        group: its value.
        n: of each arm.
        p: corrected for all groups that were looked at.
    """

    dimension: str
    group: str
    n: tuple[int, ...]
    p: float


@dataclass(frozen=True, slots=True)
class SampleCheck:
    """What the check of sample ratios found.

    Args:
        fails: whether the verdict is blocked.
        arms: names.
        n: customers of each.
        expected: by weight; empty where nobody planned a ratio.
        p: of sizes at least as uneven; None where it can't be asked.
        days: on the way.
        first_day: on which the sequential test failed; None if it didn't.
        parts: groups whose ratio fails.
        looked_at: how many groups were.
        says: in words.
    """

    fails: bool
    arms: tuple[str, ...]
    n: tuple[int, ...]
    expected: tuple[float, ...]
    p: float | None
    days: tuple[Day, ...]
    first_day: int | None
    parts: tuple[Part, ...]
    looked_at: int
    says: str


def unchecked(arms: Sequence[str], n: Sequence[int], why: str) -> SampleCheck:
    """Where no ratio was planned."""
    return SampleCheck(False, tuple(arms), tuple(n), (), None, (), None, (), 0, why)


def check(
    arms: Mapping[str, float],
    daily: tuple[Ints, Ints],
    groups: Mapping[tuple[str, str], Sequence[int]] | None = None,
) -> SampleCheck:
    """Compare sizes with weights.

    Args:
        arms: the weight of each.
        daily: days, ascending, and days × arms: customers who came in on each.
        groups: by dimension and group, customers of each arm.

    Raises:
        Refused: no customer is in any arm.
    """
    days, came = daily
    weights = list(arms.values())
    n = [int(x) for x in came.sum(axis=0)] if len(came) else [0] * len(weights)
    whole = sample_ratio(n, weights)
    told = tuple(_days(days, came, weights))
    first = next((one.day for one in told if one.surprise > 1 / LEVEL), None)
    parts, looked_at = _parts(groups or {}, weights)
    fails = whole.fails or first is not None or bool(parts)
    says = _says(list(arms), n, whole.expected, whole.p, first, parts, looked_at, fails)
    return SampleCheck(fails, tuple(arms), tuple(n), whole.expected, whole.p, told, first, parts, looked_at, says)


def _days(days: Ints, came: Ints, weights: Sequence[float]) -> list[Day]:
    found = []
    for day, sizes in zip(days.tolist(), np.cumsum(came, axis=0).tolist(), strict=True):
        if sum(sizes):
            found.append(Day(int(day), tuple(int(x) for x in sizes), sample_ratio(sizes, weights).surprise))
    return found


def _parts(groups: Mapping[tuple[str, str], Sequence[int]], weights: Sequence[float]) -> tuple[tuple[Part, ...], int]:
    """Groups that fail after Holm's correction over all of them."""
    asked = {key: list(n) for key, n in groups.items() if _can_be_asked(n, weights)}
    if not asked:
        return (), 0
    corrected = holm([sample_ratio(n, weights).p for n in asked.values()]).tolist()
    failing = [
        Part(dimension, group, tuple(n), p)
        for ((dimension, group), n), p in zip(asked.items(), corrected, strict=True)
        if p < LEVEL
    ]
    return tuple(sorted(failing, key=lambda one: one.p)), len(asked)


_LEAST_EXPECTED = 5
"""With fewer expected units Pearson's statistic isn't chi-squared."""


def _can_be_asked(n: Sequence[int], weights: Sequence[float]) -> bool:
    return sum(n) * min(weights) / sum(weights) >= _LEAST_EXPECTED


def _says(
    arms: Sequence[str], n: Sequence[int], expected: Sequence[float], p: float, first: int | None,
    parts: Sequence[Part], looked_at: int, fails: bool,
) -> str:  # fmt: skip
    sizes = ", ".join(
        f"{arm} {size:,} (planned {plan:,.0f})" for arm, size, plan in zip(arms, n, expected, strict=True)
    )
    if not fails:
        also = f", nor in {counted(looked_at, 'group')}" if looked_at else ""
        return f"Nothing says that arms lost customers: {sizes}; p = {p:.3g}{also}."
    said = [f"Arms aren't as large as they were to be: {sizes}; p = {p:.3g}."]
    if p >= LEVEL and parts:
        said = [f"Over all, arms are as large as planned ({sizes}), and yet not everywhere."]
    if first is not None:
        said.append(f"It showed on day {first + 1} of the experiment.")
    if parts:
        named = "; ".join(f"{one.dimension} {one.group} ({' / '.join(f'{x:,}' for x in one.n)})" for one in parts[:3])
        said.append(f"Most uneven: {named}; of {counted(looked_at, 'group')} looked at.")
    return " ".join([*said, WHERE])
