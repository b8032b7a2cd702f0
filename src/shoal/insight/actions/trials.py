"""The effect of a campaign whose receivers were drawn by lot: the only thing here that may be called a gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.clock import from_instant, iso
from shoal.errors import Refused
from shoal.insight.experiments.trials import drawn, measured
from shoal.stats.intervals import Interval
from shoal.wording import counted, dated, noun

if TYPE_CHECKING:
    from shoal.insight.models.asof import AsOf
    from shoal.shapes import Trial


@dataclass(frozen=True, slots=True)
class Effect:
    """What a trial measured.

    Args:
        trial: its name.
        action: what was done.
        days: for so many days spend was counted.
        since: the instant of the first who took part.
        treated: customers who got it.
        control: customers who didn't.
        both: customers of two arms, who are left out.
        each: what a customer spent more for it, with Welch's interval.
    """

    trial: str
    action: str
    days: int
    since: int
    treated: int
    control: int
    both: int
    each: Interval

    @property
    def sure(self) -> bool:
        """Whether chance doesn't explain it."""
        return self.each.excludes(0)

    @property
    def says(self) -> str:
        """The finding in words."""
        left = f"; {self.both:,} of both arms {noun(self.both, 'is', 'are')} left out" if self.both else ""
        return (
            f"Measured in {self.trial!r} of {dated(from_instant(self.since))}, drawn by lot ({self.treated:,} against "
            f"{counted(self.control, 'customer')}{left}): {self.each.value:+,.2f} a customer in {self.days} days "
            f"({self.each.low:+,.2f} to {self.each.high:+,.2f}), of all who took part."
        )

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "trial": self.trial, "action": self.action, "days": self.days, "since": iso(self.since),
            "treated": self.treated, "control": self.control, "in_both": self.both, "each": self.each._asdict(),
            "sure": self.sure, "says": self.says,
        }  # fmt: skip


def effect(known: AsOf, trial: Trial) -> Effect:
    """The difference in net spend after the campaign, between those who were drawn to get it and those who weren't.

    Raises:
        Refused: the event or its property isn't there, or an arm has fewer than a hundred customers.
    """
    with drawn(known, trial) as part:
        money = measured(known, trial, part)
    if money.each is None or part.since is None:
        raise Refused(f"The trial {trial.name!r} says nothing. {money.refused}")
    each = Interval(money.each.value, money.each.low, money.each.high)
    return Effect(trial.name, trial.action, trial.days, part.since, part.treated, part.control, part.both, each)
