"""The kinds of models there are, each imported when it is asked for: their libraries take seconds to import."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from shoal.errors import Refused, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.models.model import Model


INSTALL = "Install it: pip install 'shoal[models]'"


class Known(NamedTuple):
    """A kind of model.

    Args:
        where: module and class.
        title: what it foretells, for lists.
        horizon: days that it looks ahead unless the workspace says otherwise.
        usual: whether a workspace has one of it without asking.
    """

    where: str
    title: str
    horizon: int
    usual: bool = True


KINDS: dict[str, Known] = {
    "value": Known("value:CustomerValue", "value, orders and spend to come, and the next order", 365),
    "churn": Known("churn:Churn", "who will buy nothing more", 90),
    "category": Known("category:Category", "who will buy of a category", 90),
    "response": Known("response:Response", "who answers a message", 30),
    "reach": Known("reach:Reach", "the best channel, hour and weekday to reach a customer", 90),
    "price": Known("price:Price", "who waits for a discount", 90),
    "replenish": Known("replenish:Replenish", "which product is used up, and when", 90),
    "taste": Known("taste:Taste", "what customers lean to", 90),
    "needs": Known("needs:Needs", "the needs behind what customers buy", 90),
    "outcome": Known("outcome:Outcome", "an outcome that is asked for in the segment language", 90, usual=False),
}
"""By the name that ``kind:`` takes. A usual kind is also the name of the model that a workspace has of it."""

TAUGHT: dict[str, Known] = {
    "uplift": Known("uplift:Uplift", "whom a treatment moves, as an experiment taught", 0, usual=False),
}
"""Kinds that aren't fitted from the store alone, so that they don't stand in ``shoal.yaml``."""
EVERY = KINDS | TAUGHT


def kind(name: str) -> type[Model]:
    """The class of a kind.

    Raises:
        UnknownName: there is none of this name.
        Refused: a library that it needs isn't installed.
    """
    if name not in EVERY:
        raise UnknownName("kind of model", name, EVERY)
    module, _, made = EVERY[name].where.partition(":")
    with needing():
        found: type[Model] = getattr(importlib.import_module(f"shoal.insight.models.{module}"), made)
    return found


@contextmanager
def needing() -> Iterator[None]:
    """What is imported in here needs the extra ``models``.

    Raises:
        Refused: a library of it isn't installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise Refused(f"This needs {error.name}, which isn't installed.", fix=INSTALL) from error
