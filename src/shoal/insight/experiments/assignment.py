"""Who is in which arm: by hashes alone, so that every machine and every release says the same, and nothing need be stored.

An arm is a range of ``bucket "experiment:SLUG"``, which the segment language knows: so an arm is a segment as well, on every
engine. A layer is a bucket of its own, of which each experiment takes a range: two experiments of a layer share nobody, and
experiments of different layers cross evenly. A holdout is the low end of a bucket; whoever is in it is in no experiment.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from shoal.errors import Refused
from shoal.lang.lex import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WHOLE = 1_000_000
"""Buckets are millionths."""
_DIGITS = 15
_NEAR = 1e-9


def place_of(salt: str, customer: str) -> int:
    """The bucket in millionths, as LANGUAGE.md defines it: the first 15 hex digits of SHA-256 of salt, a zero byte and the id.

    >>> place_of("spring-holdout", "c1"), place_of("spring-holdout", "c2")
    (649120, 6571)
    """
    digest = hashlib.sha256(salt.encode() + b"\0" + customer.encode()).hexdigest()
    return int(digest[:_DIGITS], 16) % WHOLE


class Span(NamedTuple):
    """A range of a bucket in millionths: from ``begin`` on, below ``end``."""

    begin: int
    end: int

    def holds(self, place: int) -> bool:
        """Whether a place lies in it."""
        return self.begin <= place < self.end

    def text(self, salt: str) -> str:
        """The condition in the segment language."""
        low, high = _decimal(self.begin), _decimal(self.end)
        parts = [f"bucket {quoted(salt)} >= {low}"] if self.begin else []
        parts += [f"bucket {quoted(salt)} < {high}"] if self.end < WHOLE else []
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class Slot:
    """The part of a layer that an experiment has.

    Args:
        layer: its name; experiments of one layer share nobody.
        span: of the layer's bucket. An experiment that grows takes more at the end: whoever is in stays where they are.
    """

    layer: str
    span: Span

    @property
    def salt(self) -> str:
        """Of the layer."""
        return f"layer:{self.layer}"


@dataclass(frozen=True, slots=True)
class Holdout:
    """Customers who are kept out, of one campaign or of all.

    Args:
        name: of the holdout.
        share: of all customers, above 0 and below 1.
    """

    name: str
    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise Refused(
                f"The holdout {self.name!r} takes {self.share:g} of all customers.", fix="Give it between 0 and 1."
            )

    @property
    def salt(self) -> str:
        """Of its bucket."""
        return f"holdout:{self.name}"

    @property
    def span(self) -> Span:
        """Of its bucket."""
        return Span(0, round(self.share * WHOLE))

    def holds(self, customer: str) -> bool:
        """Whether a customer is kept out."""
        return self.span.holds(place_of(self.salt, customer))


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is in which arm of an experiment.

    Args:
        experiment: its slug.
        weights: of the arms, the control first; they add up to 1, or are percents that add up to 100.
        slot: its part of a layer; by itself it has a layer of its own, whole.
        holdouts: whoever is in one of them is in no arm.

    Raises:
        Refused: fewer than two arms, or weights that aren't above 0 or don't add up.
    """

    experiment: str
    weights: Mapping[str, float]
    slot: Slot | None = None
    holdouts: Sequence[Holdout] = ()
    spans: Mapping[str, Span] = field(init=False)
    """The range of each arm in the experiment's bucket."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "spans", _spans(self.experiment, self.weights))

    @property
    def salt(self) -> str:
        """Of the experiment's bucket."""
        return f"experiment:{self.experiment}"

    def arm(self, customer: str) -> str | None:
        """The arm of a customer by the id of whoever survived merges; None where they take no part."""
        if self.slot is not None and not self.slot.span.holds(place_of(self.slot.salt, customer)):
            return None
        if any(holdout.holds(customer) for holdout in self.holdouts):
            return None
        place = place_of(self.salt, customer)
        return next(name for name, span in self.spans.items() if span.holds(place))

    def arms(self, customers: Iterable[str]) -> list[str | None]:
        """The arm of each."""
        return [self.arm(customer) for customer in customers]

    def condition(self, arm: str) -> str:
        """The arm's customers in the segment language, beside the population's own condition.

        >>> Assignment("mail", {"control": 0.5, "mail": 0.5}).condition("mail")
        'bucket "experiment:mail" >= 0.5'
        """
        parts = [] if self.slot is None else [self.slot.span.text(self.slot.salt)]
        parts += [f"not {holdout.span.text(holdout.salt)}" for holdout in self.holdouts]
        parts.append(self.spans[arm].text(self.salt))
        return " and ".join(part for part in parts if part)


def free(taken: Iterable[Span], share: float, layer: str) -> Span:
    """A range of a layer that nobody has, the first that is wide enough.

    Args:
        taken: by other experiments.
        share: of the layer that is wanted.
        layer: its name, for the refusal.

    Raises:
        Refused: no gap is wide enough, or the share lies outside (0, 1].
    """
    if not 0 < share <= 1:
        raise Refused(f"An experiment takes {share:g} of its layer.", fix="Give it above 0 and up to 1.")
    width, begin = round(share * WHOLE), 0
    for span in sorted(taken):
        if span.begin - begin >= width:
            break
        begin = max(begin, span.end)
    if begin + width > WHOLE:
        left = (WHOLE - begin) / WHOLE
        raise Refused(
            f"The layer {layer!r} has no {share:.0%} left in one piece; {left:.1%} is at its end.",
            fix="Take less, wait for an experiment to end, or use another layer.",
        )
    return Span(begin, begin + width)


def _spans(experiment: str, weights: Mapping[str, float]) -> dict[str, Span]:
    if len(weights) < 2:
        raise Refused(
            f"The experiment {experiment!r} has fewer than two arms.", fix="Name a control and what it is held against."
        )
    for name, weight in weights.items():
        if not weight > 0:
            raise Refused(f"The arm {name!r} has the weight {weight:g}.", fix="Give it above 0, or leave it out.")
    total = sum(weights.values())
    whole = next((one for one in (1.0, 100.0) if abs(total - one) <= _NEAR * one), None)
    if whole is None:
        raise Refused(
            f"The weights of {experiment!r} add up to {total:g}.",
            fix="They are shares that add up to 1, or percents up to 100.",
        )
    found, begin, sum_ = {}, 0, 0.0
    for name, weight in weights.items():
        sum_ += weight / whole
        end = round(sum_ * WHOLE)
        if end <= begin:
            raise Refused(f"The arm {name!r} is smaller than a millionth.", fix="Give it a larger weight.")
        found[name] = Span(begin, end)
        begin = end
    return found


def _decimal(place: int) -> str:
    return f"{place / WHOLE:.6f}".rstrip("0").rstrip(".")
