"""What the frozen centres tell of the segments: a map, and how much each has of each column. No customer is needed.

The map lays the centres on the two directions in which they differ most (principal components). A plane shows only part
of how customers differ, so that two segments that touch on it may lie apart; the share that it shows comes with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shoal.insight.discovery.model import Model
    from shoal.insight.discovery.table import Floats, Ints

MISSING, OTHER = "missing", "other"
_NAMED = 2


@dataclass(frozen=True, slots=True)
class Projection:
    """Segments on a plane.

    Args:
        places: k × 2, in the order of ``Model.segments``.
        shown: the share of how the segments differ that the plane shows, 0 … 1.
        axes: for each direction the columns that weigh most in it, those that grow along it first.
    """

    places: Floats
    shown: float
    axes: tuple[tuple[str, ...], tuple[str, ...]]


def project(model: Model, sizes: Ints) -> Projection:
    """The centres of a frozen partition on their first two principal components, each weighing as many as its members.

    No customer's row is needed. The sign of a component means nothing; the column that weighs most grows along it.

    Args:
        model: the partition.
        sizes: members of each segment, in the order of ``Model.segments``.
    """
    weights = sizes / max(int(sizes.sum()), 1)
    away = model.centres - weights @ model.centres
    _, spread, directions = np.linalg.svd(away * np.sqrt(weights)[:, None], full_matrices=False)
    two = np.zeros((2, away.shape[1]))
    two[: min(2, len(directions))] = directions[:2]
    strongest = np.abs(two).argmax(axis=1)
    two *= np.where(two[[0, 1], strongest] < 0, -1.0, 1.0)[:, None]
    total = float((spread**2).sum())
    shown = float((spread[:2] ** 2).sum()) / total if total > 0 else 0.0
    return Projection(away @ two.T, shown, (_named(model, two[0]), _named(model, two[1])))


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a segment lies from the mean of all other customers in one column, or in one level of it.

    Args:
        place: of the segment in ``Model.segments``.
        column: the original column.
        level: of a category; None of a number, "missing" where the gap is of customers without a value.
        effect: of numbers, in the plan's standard units of all customers; of levels, Cohen's h of the two shares.
        segment: of levels the share in the segment, of numbers the mean in standard units.
        others: the same of all others.
    """

    place: int
    column: str
    level: str | None
    effect: float
    segment: float
    others: float


def gaps(model: Model, sizes: Ints) -> list[Gap]:
    """The gap of each segment in each column, from the centres: of numbers and of the levels of categories."""
    units = _units(model)
    held = model.centres / np.array([weight for _, _, weight in units])
    total = sizes @ held
    rest = np.maximum(int(sizes.sum()) - sizes, 1)[:, None]
    others = (total - sizes[:, None] * held) / rest
    return [
        Gap(i, column, level, _effect(level, held[i, at], others[i, at]), float(held[i, at]), float(others[i, at]))
        for i in range(len(held))
        for at, (column, level, _) in enumerate(units)
    ]


def _effect(level: str | None, mine: float, others: float) -> float:
    if level is None:
        return float(mine - others)
    a, b = (2 * np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))) for share in (mine, others))
    return float(a - b)


def _units(model: Model) -> list[tuple[str, str | None, float]]:
    """Of each dimension of the prepared space: its column, the level that it stands for, and its weight."""
    found: list[tuple[str, str | None, float]] = []
    for number in model.plan.numbers:
        found.append((number.column, None, number.weight))
        if number.flag:
            found.append((number.column, MISSING, number.flag))
    for category in model.plan.categories:
        levels = [*category.levels, *([OTHER] if category.other else []), *([MISSING] if category.missing else [])]
        found += [(category.column, level, category.weight) for level in levels]
    return found


def _named(model: Model, direction: Floats) -> tuple[str, ...]:
    """The columns that weigh most in a direction, by the sum of squares of their dimensions."""
    weight: dict[str, float] = {}
    at = 0
    for column, _, width in model.plan.blocks:
        weight[column] = weight.get(column, 0.0) + float((direction[at : at + width] ** 2).sum())
        at += width
    return tuple(sorted((c for c in weight if weight[c] > 0), key=lambda c: (-weight[c], c))[:_NAMED])
