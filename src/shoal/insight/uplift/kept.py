"""A fitted learner that can be kept: trees as text, whose answers add up to the effect of each customer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.learning.table import Numbers, Words
from shoal.insight.uplift.learners import Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.insight.models.learning.table import Column, Floats, Table
    from shoal.insight.uplift.learners import Learner


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that learners see: a number each, and 0 or 1 for each word. What is missing is NaN, of words all 0.

    Args:
        columns: names of a table's columns, each with the word that is asked for; None of a number.
    """

    columns: tuple[tuple[str, str | None], ...]

    @classmethod
    def of(cls, table: Table) -> Layout:
        """All columns that aren't the same in every row."""
        named = [(c.name, word) for c in table.columns for word in _words(c)]
        made = cls(tuple(named))
        matrix = made.matrix(table)
        return cls(tuple(one for i, one in enumerate(named) if not _constant(matrix[:, i])))

    def matrix(self, table: Table) -> Floats:
        """A row each and a column each.

        Raises:
            UnknownName: for a column that isn't there.
        """
        found = np.empty((len(table), len(self.columns)))
        for i, (name, word) in enumerate(self.columns):
            found[:, i] = _values(table.column(name), word)
        return found

    @property
    def names(self) -> list[str]:
        """Of the columns, for people."""
        return [name if word is None else f"{name}: {word}" for name, word in self.columns]

    def document(self) -> list[list[str | None]]:
        """JSON-ready."""
        return [[name, word] for name, word in self.columns]

    @classmethod
    def from_document(cls, document: Sequence[Sequence[Any]]) -> Layout:
        """What ``document`` gave, through JSON."""
        return cls(tuple((name, word) for name, word in document))


def _words(column: Column) -> Sequence[str | None]:
    return column.levels if isinstance(column, Words) else (None,)


def _values(column: Column, word: str | None) -> Floats:
    if isinstance(column, Numbers):
        return column.values if word is None else np.full(len(column), np.nan)
    place = column.levels.index(word) if word in column.levels else len(column.levels)
    return np.asarray(column.codes == place, dtype=np.float64)


def _constant(values: Floats) -> bool:
    known = values[~np.isnan(values)]
    return not known.size or (known.size == values.size and bool(np.ptp(known) == 0))


@dataclass(frozen=True)
class Kept:
    """Trees whose weighted answers add up to an effect; the same to the last bit as when they were fitted.

    Args:
        parts: weight, LightGBM's text, and what stands in the column of the treatment (None: there is no such column).
    """

    parts: tuple[tuple[float, str, float | None], ...]

    @classmethod
    def of(cls, learner: Learner) -> Kept:
        """Of a fitted learner.

        Raises:
            Refused: it is built on other models than LightGBM's.
        """
        found = []
        for part in learner.parts():
            booster = getattr(part.model, "booster_", None)
            if booster is None:
                raise Refused(
                    f"A {type(part.model).__name__} can't be kept: only trees of LightGBM are.",
                    fix="Leave make= out to keep a learner.",
                )
            found.append((part.weight, str(booster.model_to_string()), part.treated))
        return cls(tuple(found))

    @cached_property
    def _boosters(self) -> list[tuple[Part, Any]]:
        import lightgbm

        boosters = [lightgbm.Booster(model_str=text) for _, text, _ in self.parts]
        return [(Part(w, b, t), b) for (w, _, t), b in zip(self.parts, boosters, strict=True)]

    def effects(self, x: Floats) -> Floats:
        """The effect of each unit, in the outcome's unit."""
        found = np.zeros(len(x))
        if len(x):
            for part, booster in self._boosters:
                found += part.weight * np.asarray(booster.predict(part.seen(x), num_threads=1))
        return found

    def moved(self, x: Floats) -> Floats:
        """What each column adds to each unit's effect, beside what the average unit has (SHAP values; Lundberg 2020)."""
        found = np.zeros(x.shape)
        for part, booster in self._boosters:
            told = np.asarray(booster.predict(part.seen(x), pred_contrib=True, num_threads=1))
            found += part.weight * told[:, : x.shape[1]]
        return found

    def document(self) -> list[dict[str, Any]]:
        """JSON-ready."""
        return [{"weight": weight, "text": text, "treated": treated} for weight, text, treated in self.parts]

    @classmethod
    def from_document(cls, document: Sequence[Mapping[str, Any]]) -> Kept:
        """What ``document`` gave, through JSON."""
        return cls(tuple((float(one["weight"]), str(one["text"]), one["treated"]) for one in document))
