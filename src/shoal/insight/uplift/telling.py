"""What was found of uplift, in sentences that don't overstate it."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from shoal.insight.uplift.judging import LEAST_GAIN
from shoal.wording import counted

if TYPE_CHECKING:
    from shoal.insight.metrics.definition import Unit
    from shoal.insight.uplift.judging import Found
    from shoal.insight.uplift.record import Outcome
    from shoal.stats.intervals import Interval


def headline(found: Found) -> str:
    """Whether it is worth choosing whom to treat.

    What is usable is beyond chance and large enough to act on; what is neither is said in as many words.
    """
    how = f"{_more(found)} (Qini {_interval(found)} on customers whom the models didn't see)"
    if found.code == "usable":
        return f"Usable: who responds to {found.arm} can be told. {how}."
    if found.code == "slight":
        return (
            f"No usable heterogeneity: customers differ in how they respond to {found.arm}, and too little to act on. {how}; "
            f"less than {LEAST_GAIN:.0%} isn't worth a rule. Treat everybody or nobody."
        )
    return (
        f"No usable heterogeneity: who responds to {found.arm} can't be told better than by chance (Qini {_interval(found)} "
        "on customers whom the models didn't see, which includes 0). Treat everybody or nobody."
    )


def _more(found: Found) -> str:
    if not isfinite(found.more):
        return "Treating all gets nothing, and the order tells whom it helps"
    return f"Its order gets {found.more:.0%} more than treating as many at random, on average over all shares"


def _interval(found: Found) -> str:
    qini = found.qini
    return f"{qini.value:.4g}, {100 * found.confidence:.4g} % interval {qini.low:.4g} to {qini.high:.4g}"


def effect_says(found: Found, metric: Outcome) -> str:
    """What the treatment did to all."""
    said = ranged(found.effect, metric.unit)
    sure = found.effect.low > 0 or found.effect.high < 0
    which = "improves" if found.effect.value > 0 else "worsens"
    if metric.better == "neither":
        which = "changes"
    verb = f"{found.arm} {which} it by" if sure else f"nothing says that {found.arm} moves it:"
    return f"{metric.name}, all {counted(found.n, 'customer')} against {found.control}: {verb} {said}."


def everybody_says(found: Found, metric: Outcome) -> str:
    """What treating everybody is worth."""
    gain = found.values[-1].gain
    sure = "" if gain.low > 0 or gain.high < 0 else ", which may be nothing"
    return f"{_price(found)} treating everybody gains {ranged(gain, unit_of_gain(found, metric))} per customer{sure}."


def _price(found: Found) -> str:
    money = found.money
    return f"At a cost of {money.cost:g} and a worth of {money.worth:g}" if money.cost else "Without a cost"


def policy_says(found: Found, metric: Outcome) -> str:
    """Whom to treat, and what that was worth on those who had no say in it."""
    price, policy = _price(found), found.policy
    if not policy.asked and policy.share <= 0:
        return f"{price} no share pays: treat nobody."
    if not policy.asked and policy.share >= 1:
        return f"{price} treating everybody gains most: nobody is worth sparing."
    value, unit = policy.value, unit_of_gain(found, metric)
    why = "as asked" if policy.asked else "the share that gains most"
    return (
        f"{price}, treating the best {policy.share:.0%} ({why}) gains {ranged(value.gain, unit)} per customer of all; "
        f"{_beyond(value.over_all, unit)} treating everybody, {_beyond(value.over_random, unit)} as many at random."
    )


def unit_of_gain(found: Found, metric: Outcome) -> Unit:
    """Of what a policy gains: the metric's where nothing is said of money."""
    return metric.unit if (found.money.worth, found.money.cost) == (1.0, 0.0) else "money"


def _beyond(one: Interval, unit: Unit) -> str:
    if one.low <= 0 <= one.high:
        return f"{ranged(one, unit)} against"
    return f"{ranged(one, unit)} more than" if one.value > 0 else f"{ranged(one, unit)} against"


def asleep_says(found: Found, metric: Outcome) -> str:
    """Those who are better left alone."""
    one = found.asleep
    if not one.n:
        return "Nobody is foretold to be harmed by it."
    who = f"{counted(one.n, 'customer')} ({one.share:.1%}) are foretold to be harmed by it (sleeping dogs)"
    if one.effect is None:
        return f"{who}: too few to measure."
    verdict = "leave them alone" if one.sure else "that it harms them isn't shown"
    if one.effect.low > 0:
        verdict = "it helped them all the same"
    return f"{who}; measured, it moved them by {ranged(one.effect, metric.unit)}: {verdict}."


def ranged(one: Interval, unit: Unit) -> str:
    """A difference with its interval.

    >>> from shoal.stats.intervals import Interval
    >>> ranged(Interval(0.0452, 0.0389, 0.0516), "share"), ranged(Interval(-1.5, -2, 0.25), "money")
    ('+4.52 points (+3.89 to +5.16)', '−1.5 (−2 to +0.25)')
    """
    if unit == "share":
        value, low, high = (f"{100 * x:+.2f}" for x in one)
        said = f"{value} points ({low} to {high})"
    else:
        value, low, high = (f"{x:+.3g}" for x in one)
        said = f"{value} ({low} to {high})"
    return said.replace("-", "−")


def sentences(found: Found, metric: Outcome) -> list[str]:
    """All of it, the verdict first."""
    return [
        headline(found),
        effect_says(found, metric),
        policy_says(found, metric) if found.usable else everybody_says(found, metric),
        asleep_says(found, metric),
        *found.notes,
    ]
