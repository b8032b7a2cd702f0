"""Columns as a matrix: what is worth keeping is learnt from the rows given, and nothing else.

Constant columns are left out, and so are columns of words none of which is common: an identifier teaches nothing.
Words that are rare, or weren't there when the plan was made, count as missing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.learning.table import Numbers, Words, mixed

if TYPE_CHECKING:
    from shoal.insight.models.learning.table import Column, Floats, Table, Whole

LEAST_OF_A_WORD = 20
MOST_WORDS = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """One column that is kept.

    Args:
        name: the column.
        levels: its common words, ascending; None for numbers.
        centre: the mean of the known numbers, 0 for words.
        spread: their standard deviation, 1 where it would be 0.
        gaps: whether values were missing.
        low: the least number that was there.
        high: the greatest.
    """

    name: str
    levels: tuple[str, ...] | None
    centre: float = 0.0
    spread: float = 1.0
    gaps: bool = False
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class Encoder:
    """What is kept of a table.

    Args:
        plans: the columns that are kept, by name.
        dropped: the columns that aren't, each with its reason.
    """

    plans: tuple[Plan, ...]
    dropped: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, table: Table) -> Encoder:
        """Make the plan from these rows."""
        made = [(c.name, _number_plan(c) if isinstance(c, Numbers) else _word_plan(c)) for c in table.columns]
        kept = tuple(plan for _, plan in made if isinstance(plan, Plan))
        return cls(kept, tuple((name, reason) for name, reason in made if isinstance(reason, str)))

    def codes(self, table: Table) -> Floats:
        """A column each: the numbers, and the words' codes; NaN is missing.

        Raises:
            UnknownName: for a column that isn't there.
            Refused: for words where numbers were learnt, or the other way round.
        """
        columns = [_codes(plan, _fitting(plan, table)) for plan in self.plans]
        return np.column_stack(columns) if columns else np.empty((len(table), 0))

    def terms(self, table: Table) -> tuple[Floats, Whole]:
        """Standardised numbers (the missing at the mean), a 0/1 column for each word and one for the missing.

        A number beyond those that were there counts as the nearest of them: a straight line knows nothing out there.

        Returns:
            The matrix, and for each of its columns the place of its plan.

        Raises:
            UnknownName: for a column that isn't there.
            Refused: for words where numbers were learnt, or the other way round.
        """
        parts, owners = [], []
        for i, plan in enumerate(self.plans):
            part = _terms(plan, _codes(plan, _fitting(plan, table)))
            parts.append(part)
            owners += [i] * part.shape[1]
        matrix = np.hstack(parts) if parts else np.empty((len(table), 0))
        return matrix, np.array(owners, dtype=np.int64)

    def shown(self, table: Table, plan: int, row: int) -> str:
        """A value as a person would read it."""
        column = table.column(self.plans[plan].name)
        if isinstance(column, Words):
            return column.levels[int(column.codes[row])] if column.codes[row] >= 0 else "missing"
        value = float(column.values[row])
        return "missing" if np.isnan(value) else f"{value:.6g}"

    def reasons(self) -> str:
        """Why columns were left out, in a sentence."""
        said = "; ".join(f"{name}: {reason}" for name, reason in self.dropped[:5])
        return f"Left out were {said}." if said else "Give at least one column."

    def as_json(self) -> dict[str, Any]:
        """Plain values to be saved."""
        return {"plans": [asdict(p) for p in self.plans], "dropped": [list(d) for d in self.dropped]}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Encoder:
        """What ``as_json`` gave."""
        plans = tuple(Plan(**{**p, "levels": p["levels"] and tuple(p["levels"])}) for p in saved["plans"])
        return cls(plans, tuple((name, reason) for name, reason in saved["dropped"]))


def canonical_order(codes: Floats, outcome: Floats) -> Whole:
    """An order of rows that their content alone decides, so that sums of floats come out the same for any order."""
    hashes = mixed(outcome.view(np.uint64))
    for i in range(codes.shape[1]):
        plain = np.where(np.isnan(codes[:, i]), np.nan, codes[:, i] + 0.0)
        hashes = mixed(hashes ^ plain.view(np.uint64))
    return np.argsort(hashes, kind="stable")


def _number_plan(column: Numbers) -> Plan | str:
    known = np.sort(column.values[~np.isnan(column.values)])  # sorted: the sum must not depend on the rows' order
    gaps = known.size < len(column)
    if not known.size:
        return "no value is known"
    if known[0] == known[-1] and not gaps:
        return "all values are equal"
    return Plan(
        column.name, None, float(known.mean()), float(known.std()) or 1.0, gaps, float(known[0]), float(known[-1])
    )


def _word_plan(column: Words) -> Plan | str:
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
    common = [i for i in np.argsort(-counts, kind="stable")[:MOST_WORDS].tolist() if counts[i] >= LEAST_OF_A_WORD]
    if not common:
        return f"no word has {LEAST_OF_A_WORD} rows"
    if len(common) == 1 and counts[common[0]] == len(column):
        return "all values are equal"
    rest = int(counts[common].sum()) < len(column)
    return Plan(column.name, tuple(column.levels[i] for i in sorted(common)), gaps=rest)


def _fitting(plan: Plan, table: Table) -> Column:
    column = table.column(plan.name)
    if isinstance(column, Words) != (plan.levels is not None):
        kind = "numbers" if plan.levels is None else "words"
        raise Refused(f"The model learnt {kind} in the column {plan.name!r}, and that isn't what it has now.")
    return column


def _codes(plan: Plan, column: Column) -> Floats:
    if isinstance(column, Numbers):
        return column.values
    codes = column.recoded(plan.levels or ())
    return np.where(codes >= 0, codes, np.nan).astype(np.float64)


def _terms(plan: Plan, codes: Floats) -> Floats:
    missing = np.isnan(codes)
    if plan.levels is None:
        scaled = np.where(missing, 0.0, (np.clip(codes, plan.low, plan.high) - plan.centre) / plan.spread)
        return np.column_stack([scaled, missing]) if plan.gaps else scaled[:, None]
    return np.column_stack([*(codes == i for i in range(len(plan.levels))), *([missing] if plan.gaps else [])]).astype(
        np.float64
    )
