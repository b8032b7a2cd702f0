"""The six kinds of actions: whom each fits, what that rests on, and what is at stake.

What is at stake is never what an action would gain. It is read off the chances that models foretell, or off those who stood a
horizon ago where these customers stand now; both say what happens unaided.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.insight.actions.standing import YEAR
from shoal.stats.intervals import Interval, Moments, mean_interval, net_promoter, share_difference, wilson
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from shoal.insight.actions.world import World

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

LEAST = 10
"""An action that fits fewer customers of a segment isn't suggested."""
LOOKALIKES = 30
"""With fewer customers who stood so before, nothing is said of what is at stake."""
DUE_DAYS = 14
LIKELY_GONE = 0.5
TELLING = 1.25
"""What is less than so many times as common in a segment as elsewhere says little about it, however sure it is."""
_SEVERAL = 3
_BAND, _NEARLY = (0.1, 0.9), 1.25


class Stake(NamedTuple):
    """What is at stake over the horizon, in the workspace's currency, and how that was read off."""

    low: float
    high: float
    says: str


class Suggested(NamedTuple):
    """An action for one segment.

    Attributes:
        fits: whom it fits, of all customers.
        what: what it is about, as a category; empty where that needs no saying.
        rests: the figures that it rests on, in sentences.
        stake: what is at stake; None where nothing can be said.
        telling: whether the segment's profile speaks for it; None: told by how often it fits here and elsewhere.
    """

    fits: Mask
    what: str
    rests: tuple[str, ...]
    stake: Stake | None
    telling: bool | None = None


def _usual(world: World) -> Floats:
    """What each customer spends in a horizon, by the last year, or by the time since the first order where that is less."""
    days = np.clip(world.now.tenure, world.days, YEAR)
    return np.asarray(np.maximum(world.now.yearly, 0.0) / days * world.days)


def _silent_stake(world: World, mine: Mask, lookalikes: Mask) -> Stake | None:
    """What goes if these fall silent as foretold, or as those did who stood so a horizon ago."""
    chance = world.churn
    if chance is not None:
        known = mine & np.isfinite(chance)
        whole = float((chance[known] * _usual(world)[known]).sum())
        ends, said = (
            [whole],
            f"the chance of each to buy nothing in {world.looks} times what each usually spends in that time",
        )
        if world.value is not None:
            valued = known & np.isfinite(world.value)
            ends.append(float((chance[valued] * world.value[valued]).sum()))
            said += f", or what is foretold that each will spend ({world.value_name})"
        return Stake(min(ends), max(ends), f"Summed over them: {said}.")
    return _observed_stake(world, mine, lookalikes)


def _observed_stake(world: World, mine: Mask, lookalikes: Mask) -> Stake | None:
    if world.then is None or lookalikes.sum() < LOOKALIKES:
        return None
    came, k = world.after.orders[lookalikes] > 0, int(lookalikes.sum())
    back = wilson(int(came.sum()), k)
    usual = float(_usual(world)[mine].sum())
    says = (
        f"Of {counted(k, 'customer')} who stood so {world.days} days ago, {_percent(back.value)} ordered again within "
        f"{world.days} days ({_percent(back.low)} to {_percent(back.high)}). If as many of these do, the others' usual spend "
        "is missing."
    )
    return Stake((1 - back.high) * usual, (1 - back.low) * usual, says)


def win_back(world: World, inside: Mask) -> Suggested | None:
    """Those who are likely gone, and bought within the year."""
    recent = world.now.yearly > 0
    if world.churn is not None:
        fits = recent & (np.nan_to_num(world.churn, nan=0.0) >= LIKELY_GONE)
        mine = fits & inside
        least = _percent(LIKELY_GONE)
        said = f"{{n}} have a chance of at least {least} to buy nothing in {world.looks} ({world.churn_name})."
    else:
        fits = recent & world.now.lapsing
        mine = fits & inside
        said = "{n} are silent for more than twice their usual gap between orders."
    silent = world.now.silent[mine]
    rests = [said.format(n=_people(mine))]
    if silent.size:
        rests.append(f"Half of them haven't ordered for {np.median(silent):.0f} days or more.")
    return Suggested(fits, "", tuple(rests), _silent_stake(world, mine, _as_silent(world, silent)))


def _as_silent(world: World, silent: Floats) -> Mask:
    """Who had been silent for about as long a horizon ago: who has been for longer comes back more rarely."""
    then = world.then
    if then is None or not silent.size:
        return np.zeros(0, bool)
    low, high = np.quantile(silent, _BAND)
    been = np.nan_to_num(then.silent, nan=-1.0)
    return np.asarray(then.lapsing & (then.yearly > 0) & (been >= low / _NEARLY) & (been <= high * _NEARLY))


def thank(world: World, inside: Mask) -> Suggested | None:
    """The best, and promoters among those who buy."""
    best = world.now.best
    fits, rests = best, []
    if world.nps is not None:
        promoters = (world.nps >= 9) & world.now.active
        fits = (best | promoters) & ~world.detractors
    mine = fits & inside
    rests.append(f"{_people(mine & best)} {_are(mine & best)} of the fifth that spent most in a year.")
    if world.nps is not None:
        rests.append(f"{_people(mine & (world.nps >= 9))} {_are(mine & (world.nps >= 9))} promoters.")
    rests += _left_out(world, best & inside)
    stood = world.then.best if world.then is not None else np.zeros(0, bool)
    return Suggested(fits, "", tuple(rests), _silent_stake(world, mine, stood))


def replenish(world: World, inside: Mask) -> Suggested | None:
    """Those whose next order is due, by a model or by their own rhythm."""
    product, on = world.text("replenish_product"), world.number("replenish_on")
    said = f"{{n}} use something up within {DUE_DAYS // 2} days, or did in the last {DUE_DAYS // 2} (replenish_on)."
    if on is None:
        product, on = None, world.number("next_order_on")
        said = f"{{n}} have the likeliest day of their next order within {DUE_DAYS // 2} days of today (next_order_on)."
    if on is None:
        fits, said = world.now.due, "{n} are due by their own usual gap between orders."
    else:
        fits = np.abs(np.nan_to_num(on, nan=np.inf) - world.today) <= DUE_DAYS // 2
    mine = fits & inside
    due = mine & world.now.due
    rests = [said.format(n=_people(mine))]
    if on is not None:
        rests.append(f"{_people(due)} of them {_are(due)} due by their own usual gap between orders too.")
    what = _commonest(product[mine]) if product is not None and mine.any() else ""
    return Suggested(fits, what, tuple(rests), _due_stake(world, world.now.basket[due]))


def _due_stake(world: World, basket: Floats) -> Stake | None:
    """Of those who are due by their own rhythm, as those were who stood so a horizon ago."""
    n, basket = len(basket), basket[np.isfinite(basket)]
    stood = world.then.due if world.then is not None else np.zeros(0, bool)
    if stood.sum() < LOOKALIKES or basket.size < _SEVERAL:
        return None
    k = int(stood.sum())
    came = wilson(int((world.soon.orders[stood] > 0).sum()), k)
    each = _mean(basket)
    says = (
        f"Of {counted(k, 'customer')} who were due by their own gap {world.days} days ago, {_percent(came.value)} ordered within "
        f"{DUE_DAYS} days ({_percent(came.low)} to {_percent(came.high)}). If as many of these {n:,} do, the others' order "
        f"of {_money(each.value, world)} is missing or late."
    )
    return Stake(n * (1 - came.high) * max(0.0, each.low), n * (1 - came.low) * max(0.0, each.high), says)


def cross_sell(world: World, inside: Mask) -> Suggested | None:
    """A category that the segment likes more than most, for its active customers who didn't buy of it in a year."""
    shelves = world.shelves
    if shelves is None or world.then is None:
        return None
    open_to = world.now.active & ~world.detractors
    best: tuple[float, int] | None = None
    for c in range(len(shelves.names)):
        lacking = int((open_to & inside & ~shelves.bought[c]).sum())
        weight = _liking(world, inside, c) * shelves.natural[c].value * lacking
        if weight > 0 and lacking >= LEAST and (best is None or weight > best[0]):
            best = (weight, c)
    if best is None:
        return None
    c, name = best[1], shelves.names[best[1]]
    fits = open_to & ~shelves.bought[c]
    mine = fits & inside
    share, base = (
        shelves.bought[c][inside & world.now.active].mean(),
        shelves.bought[c][~inside & world.now.active].mean(),
    )
    began = shelves.began[c]
    rests = [
        f"{_percent(share)} of its active customers bought {name} in a year, and {_percent(base)} of all others.",
        f"{int(mine.sum()):,} of its active customers didn't.",
        *_left_out(world, world.now.active & inside & ~shelves.bought[c]),
    ]
    chance = world.chance_of(name)
    n = int(mine.sum())
    if chance is not None:
        expected, who = float(np.nansum(chance[mine])), f"the chance of each to buy of it ({world.chance_name(name)})"
        low = high = expected
    else:
        low, high = n * began.low, n * began.high
        who = (
            f"{_percent(began.value)} of {shelves.could[c]:,} who hadn't bought of it began to within {world.days} days"
        )
    each = shelves.spent[c]
    says = (
        f"What such customers come to spend on it unaided in {world.days} days: {who}, and those who began spent "
        f"{_money(each.value, world)} ({_money(max(0.0, each.low), world)} to {_money(each.high, world)})."
    )
    return Suggested(fits, name, tuple(rests), Stake(low * max(0.0, each.low), high * max(0.0, each.high), says), True)


def _liking(world: World, inside: Mask, c: int) -> float:
    """How many times as common the category is in the segment as elsewhere; 0 where that isn't shown.

    The interval is that of so many categories looked at (Bonferroni).
    """
    assert world.shelves is not None
    bought, active = world.shelves.bought[c], world.now.active
    here, there = bought[inside & active], bought[~inside & active]
    if not here.size or not there.any():
        return 0.0
    confidence = 1 - 0.05 / len(world.shelves.names)
    gap = share_difference((int(here.sum()), here.size), (int(there.sum()), there.size), confidence)
    times = float(here.mean() / there.mean())
    return times if gap.low > 0 and times >= TELLING else 0.0


def upsell(world: World, inside: Mask) -> Suggested | None:
    """Frequent buyers whose basket is below the segment's median, those who wait for discounts left out."""
    now = world.now
    several = now.orders >= _SEVERAL
    basket = np.where(np.isfinite(now.basket), now.basket, np.inf)
    if (several & inside).sum() < LEAST:
        return None
    median = float(np.median(basket[several & inside]))
    fits = several & (basket < median) & ~world.detractors
    rests = []
    price = world.text("price_sensitivity")
    if price is not None:
        waits = price == "waits for discounts"
        left = fits & waits & inside
        if left.any():
            who = noun(int(left.sum()), "waits", "wait")
            rests.append(f"{_people(left)} who {who} for discounts {_are(left)} left out (price_sensitivity).")
        fits = fits & ~waits
    mine = fits & inside
    gap = np.where(mine, median - basket, 0.0)
    rests = [
        f"{_people(mine)} ordered {_SEVERAL} times or more in {world.days} days, for less than "
        f"{_money(median, world)} an order, the segment's median.",
        *rests, *_left_out(world, several & inside & (basket < median)),
    ]  # fmt: skip
    return Suggested(fits, "", tuple(rests), _basket_stake(world, mine, gap, median))


def _basket_stake(world: World, mine: Mask, gap: Floats, median: float) -> Stake | None:
    """From those whose baskets grew unaided to that median, to all."""
    if world.then is None:
        return None
    then, after = world.then, world.after
    with np.errstate(divide="ignore", invalid="ignore"):
        came = np.where(after.orders > 0, after.spend / after.orders, np.nan)
    stood = (then.orders >= _SEVERAL) & (np.nan_to_num(then.basket, nan=np.inf) < median) & np.isfinite(came)
    if stood.sum() < LOOKALIKES:
        return None
    grew = wilson(int((came[stood] >= median).sum()), int(stood.sum()))
    whole = float((gap * world.now.orders).sum())
    says = (
        f"Orders of these {world.days} days, were they of the median: all of it at most; unaided, {_percent(grew.value)} of "
        f"{int(stood.sum()):,} such customers reached it in {world.days} days ({_percent(grew.low)} to {_percent(grew.high)})."
    )
    return Stake(grew.low * whole, whole, says)


def ask(world: World, inside: Mask) -> Suggested | None:
    """Active customers who haven't answered within a year."""
    fits = world.now.active & ~world.answered_lately
    mine = fits & inside
    if world.nps is None:
        rests = [f"{_people(mine)} are active, and no survey has asked them for a score of 0 to 10."]
        return Suggested(fits, "", tuple(rests), None)
    scores = world.nps[inside & np.isfinite(world.nps)]
    rests = [f"{_people(mine)} are active and haven't answered within a year; {scores.size:,} of the segment ever did."]
    if scores.size:
        up, down = int((scores >= 9).sum()), int((scores < 7).sum())
        now = net_promoter(up, scores.size - up - down, down)
        more = 1 + world.answering * float(mine.sum()) / scores.size
        half = (now.high - now.low) / 2
        rests.append(
            f"Their NPS is known to ± {half:.0f}; if {_percent(world.answering)} of them answer, as of all customers, to "
            f"about ± {half / more**0.5:.0f}."
        )
    return Suggested(fits, "", tuple(rests), None)


def _left_out(world: World, would: Mask) -> list[str]:
    n = int((would & world.detractors).sum())
    return [f"{n:,} detractors are left out: mend first, sell later."] if n else []


def _commonest(words: npt.NDArray[np.object_]) -> str:
    found = Counter(str(word) for word in words.tolist() if word)
    return min(found, key=lambda word: (-found[word], word)) if found else ""


def _mean(values: Floats) -> Interval:
    return mean_interval(Moments(len(values), float(values.mean()), float(values.var(ddof=1))))


def _are(mask: Mask) -> str:
    return "is" if mask.sum() == 1 else "are"


def _people(mask: Mask) -> str:
    return counted(int(mask.sum()), "customer")


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _money(value: float, world: World) -> str:
    return f"{value:,.2f} {world.currency}" if abs(value) < 100 else f"{value:,.0f} {world.currency}"


ACTIONS: dict[str, tuple[str, Callable[[World, Mask], Suggested | None]]] = {
    "win-back": ("Win back", win_back),
    "cross-sell": ("Offer another category", cross_sell),
    "upsell": ("Offer more in an order", upsell),
    "replenish": ("Remind of what is due", replenish),
    "thank": ("Thank", thank),
    "ask": ("Ask for feedback", ask),
}
"""By name: its title, and the rule that says whom it fits."""
