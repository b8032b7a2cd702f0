"""Whom a treatment moves, as a model that was learnt from an experiment and is kept: it scores customers who come later.

It is learnt by ``shoal uplift`` (``insight.uplift``), which needs an experiment and not only the store; from then on it is a
model like others: a version, a trait, reasons. It isn't fitted anew by itself, since an experiment isn't run anew by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.models import learnt as shared
from shoal.insight.models.features import Plan, features
from shoal.insight.models.model import Evidence, Model, Score
from shoal.insight.uplift.kept import Kept, Layout
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.learning.table import Floats, Table
    from shoal.insight.models.model import Backtest, Judged, Settings

_MOST = 6
_ELSEWHERE = "Uplift is learnt from an experiment, and is judged by those in it who weren't treated."


@dataclass(frozen=True, slots=True)
class Effects:
    """What is kept of a fitted learner.

    Args:
        plan: which columns are read.
        layout: how they are laid out for it.
        kept: its trees.
        mean: the mean effect of those whom it was learnt from, by models that didn't see them.
    """

    plan: Plan
    layout: Layout
    kept: Kept
    mean: float

    def of(self, table: Table) -> Floats:
        """The effect on each row."""
        return self.kept.effects(self.layout.matrix(table))

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "plan": self.plan.document(), "layout": self.layout.document(), "kept": self.kept.document(), "mean": self.mean,
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Effects:
        """What ``document`` gave, through JSON."""
        plan, layout = Plan.from_document(document["plan"]), Layout.from_document(document["layout"])
        return cls(plan, layout, Kept.from_document(document["kept"]), float(document["mean"]))


class Uplift(Model):
    """What a treatment would do to each customer.

    Args:
        settings: the experiment, the metric and the arm are among its options.
        evidence: what it rests on.
        effects: what was learnt.
    """

    title = "whom a treatment moves"
    by = "qini"
    higher = True

    def __init__(self, settings: Settings, evidence: Evidence, effects: Effects) -> None:
        super().__init__(settings, evidence)
        self.effects = effects

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Uplift:
        """It isn't learnt from the store alone.

        Raises:
            Refused: always, with the command that learns it.
        """
        raise Refused(_ELSEWHERE, fix=_again(settings))

    # ------------------------------------------------------------ scoring

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """The effect on everybody, if they were treated now."""
        rows = np.arange(len(known.customers))
        effect = np.empty(rows.size)
        for here, table in shared.tables(known, self.effects.plan, rows):
            effect[here] = self.effects.of(table)
        return (Score(self.settings.name, Kind.NUMBER, self.evidence.label, known.customers, effect),)

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """What the customer's effect is, and what moves it most against that of the average customer."""
        place, there = known.rows(np.array([customer], dtype=np.int32))
        if not there[0]:
            return ("The customer wasn't there yet.",)
        table = features(known, self.effects.plan, place)
        matrix = self.effects.layout.matrix(table)
        effect, moved = float(self.effects.kept.effects(matrix)[0]), self.effects.kept.moved(matrix)[0]
        names, values = self.effects.layout.names, matrix[0]
        order = sorted((i for i in range(len(names)) if moved[i]), key=lambda i: -abs(moved[i]))[:_MOST]
        said = (
            f"The effect is foretold to be {effect:+.4g}, where {self.effects.mean:+.4g} is the mean of the experiment."
        )
        return (said, *(f"{names[i]}: {_shown(values[i], names[i])} moves it by {moved[i]:+.2g}" for i in order))

    # ------------------------------------------------------------ judging

    @classmethod
    def horizon_of(cls, settings: Settings) -> int:
        """None: it isn't judged by what comes later, but by the experiment."""
        return 0

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """What came of customers says nothing of what a treatment did.

        Raises:
            Refused: always.
        """
        raise Refused(_ELSEWHERE, fix=_again(self.settings))

    @classmethod
    def backtest(cls, known: AsOf, settings: Settings, periods: int = 3) -> Backtest:
        """As ``judged``.

        Raises:
            Refused: always.
        """
        raise Refused(_ELSEWHERE, fix=_again(settings))

    # ------------------------------------------------------------ keeping

    def state(self) -> dict[str, Any]:
        """The plan, the layout and the trees."""
        return self.effects.document()

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Uplift:
        """The model of ``state``."""
        return cls(settings, evidence, Effects.from_document(state))


def _again(settings: Settings) -> str:
    experiment = settings.options.get("experiment", "EXPERIMENT")
    return f"Look at it, or learn it anew with --save: shoal uplift {experiment}"


def _shown(value: float, name: str) -> str:
    if np.isnan(value):
        return "not known"
    word = ": " in name and value in (0.0, 1.0)
    return ("yes" if value else "no") if word else f"{value:.6g}"
