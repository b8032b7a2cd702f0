"""A map of the segments: their centres on the two directions in which they differ most (principal components).

A plane shows only part of how customers differ, so that two segments that touch on it may lie apart; the share that it
shows comes with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shoal.insight.discovery.model import Model
    from shoal.insight.discovery.table import Floats, Ints

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


def _named(model: Model, direction: Floats) -> tuple[str, ...]:
    """The columns that weigh most in a direction, by the sum of squares of their dimensions."""
    weight: dict[str, float] = {}
    at = 0
    for column, _, width in model.plan.blocks:
        weight[column] = weight.get(column, 0.0) + float((direction[at : at + width] ** 2).sum())
        at += width
    return tuple(sorted((c for c in weight if weight[c] > 0), key=lambda c: (-weight[c], c))[:_NAMED])
