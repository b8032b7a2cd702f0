"""The segment library: ready segments that fit the data at hand, each with its size, and why others aren't offered.

A template is plain text of the language, drawn up from what the store holds: the traits, events and properties there
are, their most frequent values, the quantiles of amounts, the data's own repurchase cycle. Each file beside this one
draws up one kind; a template that would be empty or needs absent data is left out with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from shoal.errors import DefinitionError
from shoal.insight.library import behaviour, buying, people, voice
from shoal.insight.library.facts import Draft, Facts, Lack
from shoal.lang.check import check
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from shoal.insight.evaluation import Evaluation
    from shoal.lang.schema import Schema
    from shoal.shapes import RevenueRule
    from shoal.sql.store import Store

__all__ = ["CATEGORIES", "Evaluator", "Template", "library"]


class Evaluator(Protocol):
    """The part of an engine that the library needs."""

    def evaluate(self, definitions: Mapping[str, Definition], at: int) -> Evaluation:
        """Who is in which segment at an instant."""


@dataclass(frozen=True, slots=True)
class Template:
    """A ready segment.

    Args:
        slug: its name in the library, and the slug that a saved segment would get.
        name: the display name.
        category: the kind of segmentation, one of ``CATEGORIES``.
        why: what it is good for.
        where: the condition, as text.
        size: how many customers are in it.
        share: of all customers.
    """

    slug: str
    name: str
    category: str
    why: str
    where: str
    size: int = 0
    share: float = 0.0


_DRAWN: dict[str, Callable[[Facts], Iterator[Draft | Lack]]] = {
    "Demographic": people.demographic,
    "Geographic": people.geographic,
    "Firmographic": people.firmographic,
    "Psychographic": voice.psychographic,
    "Behavioural": behaviour.behavioural,
    "Purchase history": buying.purchase_history,
    "Lifecycle": buying.lifecycle_states,
    "RFM": buying.rfm_groups,
    "Needs": buying.needs,
    "Feedback": voice.feedback,
    "Channel": behaviour.channels,
}
_TELLS_LITTLE, _NEARLY_ALL = 0.9, "Here that is nearly everyone, so it tells few apart."
CATEGORIES = tuple(_DRAWN)
"""The kinds of segmentation, in the order in which they are shown."""


def library(
    store: Store, schema: Schema, engine: Evaluator, at: int, *, rule: RevenueRule
) -> tuple[list[Template], dict[str, str]]:
    """The templates that fit the data, with their sizes, and the others with the reason.

    Args:
        store: the workspace's store.
        schema: what definitions may name.
        engine: evaluates them all together.
        at: the instant of the sizes.
        rule: which event is an order.
    """
    fits, missing = _drawn(Facts(store, schema, rule, at))
    definitions = {slug: Definition(slug, t.name, parse(t.where)) for slug, t in fits.items()}
    evaluation = engine.evaluate(definitions, at)
    try:
        sizes, everyone = evaluation.sizes(), evaluation.base()
    finally:
        evaluation.close()
    filled = []
    for slug, template in fits.items():
        if sizes[slug]:
            share = sizes[slug] / everyone
            why = f"{template.why} {_NEARLY_ALL}" if share >= _TELLS_LITTLE else template.why
            filled.append(replace(template, size=sizes[slug], share=share, why=why))
        else:
            missing[slug] = f"Nobody is in it today ({template.name})."
    return filled, missing


def _drawn(facts: Facts) -> tuple[dict[str, Template], dict[str, str]]:
    """Every template by slug that the schema accepts, and why the others aren't there."""
    fits: dict[str, Template] = {}
    missing: dict[str, str] = {}
    for category, draw in _DRAWN.items():
        for found in draw(facts):
            if isinstance(found, Lack):
                missing[found.slug] = found.reason
                continue
            try:
                check(parse(found.where), facts.schema, text=found.where)
            except DefinitionError as fault:
                # The data bears the name with a type that the template can't use.
                missing[found.slug] = f"{fault.problem} It would read: {found.where}"
                continue
            fits.setdefault(found.slug, Template(found.slug, found.name, category, found.why, found.where))
    return fits, {slug: reason for slug, reason in missing.items() if slug not in fits}
