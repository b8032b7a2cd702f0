"""Which scores of models the table of actions rests on: the churn whose horizon is nearest, and the spend of the same."""

from __future__ import annotations

import json
from math import log
from typing import TYPE_CHECKING, NamedTuple

from shoal.insight.models.occasions import Pace, by_period
from shoal.insight.models.value import SHORT
from shoal.insight.models.versions import in_force
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.model import Settings
    from shoal.sql.store import Store

DAYS = 90
"""The horizon, where no model of churn says another."""
_WORSE = 1.1
"""A model whose error is more than a tenth above that of a plain rule isn't relied on."""


class Foretold(NamedTuple):
    """A score of churn.

    Attributes:
        name: the trait; empty where there is none.
        days: its horizon; of a number of periods the most days that they can have.
        looks: its horizon in words.
        period: the period in which it counts, with the number of them; None where it counts in days.
        doubt: why it isn't to be relied on, else empty.
    """

    name: str
    days: int
    looks: str
    period: Pace | None = None
    doubt: str = ""

    @property
    def far(self) -> float:
        """How many times as long as ``DAYS`` the horizon is, or as short; as a logarithm."""
        return abs(log(self.days / DAYS))


NONE = Foretold("", DAYS, f"{DAYS} days")


def churn(store: Store, known: AsOf) -> list[Foretold]:
    """The scores of churn that there are: those to be relied on first, then by how near their horizon is to ``DAYS``."""
    found = []
    for settings in _settings(store, "churn"):
        pace = Pace.of(settings) if by_period(settings) else None
        name = f"{settings.name}_{_suffix(settings)}"
        if _scored(known, name):
            since = f" from the end of the last {pace.period}" if pace else ""
            told = Foretold(name, settings.horizon, f"{settings.looks}{since}", pace)
            found.append(told._replace(doubt=doubt(store, name)))
    return sorted(found, key=lambda one: (bool(one.doubt), one.far, one.days, one.name))


def spend(store: Store, known: AsOf, over: Foretold) -> str:
    """The score of revenue to come over the horizon of ``over``; empty where there is none."""
    for settings in _settings(store, "value"):
        pace = Pace.of(settings) if by_period(settings) else None
        if settings.options.get("of") != "margin" and pace == over.period:
            for name in _revenue(settings, over):
                if _scored(known, name):
                    return name
    return ""


def _revenue(settings: Settings, over: Foretold) -> Iterator[str]:
    """The names of a value model's scores of revenue over a horizon."""
    if over.period is None and min(SHORT, settings.horizon) == over.days:
        prefix = "" if settings.name == "value" else f"{settings.name}_"
        yield f"{prefix}spend_expected_{over.days}d"
    if settings.horizon == over.days and not settings.options.get("discount"):
        yield f"{settings.name}_predicted_{_suffix(settings)}"


def _settings(store: Store, kind: str) -> list[Settings]:
    return [one.settings for one in in_force(store) if one.settings.kind == kind]


def _suffix(settings: Settings) -> str:
    return Pace.of(settings).suffix if by_period(settings) else f"{settings.horizon}d"


def _scored(known: AsOf, name: str) -> bool:
    found = known.registry.trait(name)
    return found is not None and found.score and found.kind is Kind.NUMBER


def doubt(store: Store, name: str) -> str:
    """Why a score isn't to be relied on: its model is a stand-in, or did worse than a plain rule. Else empty."""
    rows = store.rows("SELECT note FROM traits WHERE name = ? AND scope = 'customer' AND score", [name])
    model = json.loads(rows[0][0] or "{}").get("model") if rows else None
    held = next((v for v in in_force(store) if v.name == model), None)
    if held is None:
        return ""
    if held.evidence.fallback:
        return f"{name} isn't used: something simpler stands in for the model (shoal models show {model})."
    errors = {m.who: m.value for m in held.evidence.measures if m.what == "brier" and m.value is not None}
    mine, plain = errors.pop("model", None), min(errors.items(), key=lambda pair: pair[1], default=None)
    if mine is not None and plain is not None and mine > _WORSE * plain[1]:
        return f"{name} isn't used: {plain[0]} alone foretold better ({plain[1]:.3f} against {mine:.3f}, Brier)."
    return ""
