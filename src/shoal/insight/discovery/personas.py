"""Micro-segments as people speak of them: a name and a few sentences, each with the figure that it rests on."""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING

from shoal.insight.discovery.record import Figure, Persona, Sentence
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.insight.discovery.discover import Segment
    from shoal.insight.discovery.features import Feature, Unit
    from shoal.insight.discovery.observing import Bought, Observed, Time, Way
    from shoal.insight.discovery.profile import Trait

NAMED_FROM = 0.5
"""An effect (standard deviations, or Cohen's h) from which a difference stands in a name."""
TOLD_FROM = 0.3
LEAST_KNOWN = 30
"""A sentence rests on so many customers (or orders) at least: with 30, the 95 % interval of a share is about ± 18 points
wide, which tells a half from a quarter or from three quarters; with three it tells nothing."""
LEAST_KNOWN_SHARE = 0.2
"""And on a fifth of the group at least: of whom a value is known is seldom drawn by lot, so that few don't speak for all."""
MOST_DIFFERENCES = 5
TIMES_FROM = 1.15


# ---------------------------------------------------------------- names


def names(segments: Sequence[Segment], features: Mapping[str, Feature]) -> list[str]:
    """A name for each segment, of what sets it apart most; no two alike.

    Args:
        segments: with their traits, the greatest effect first.
        features: by name.
    """
    taken: set[str] = set()
    out = []
    for segment in segments:
        chosen = next(name for name in _candidates(segment, features) if name not in taken)
        taken.add(chosen)
        out.append(chosen)
    return out


def _candidates(segment: Segment, features: Mapping[str, Feature]) -> Iterator[str]:
    """Names with more and more said, and at last with the id."""
    adjectives = list(_words(segment, features, "adjective"))
    tails = list(_words(segment, features, "tail"))
    noun = _noun(segment, features)
    for many, more in ((2, 1), (3, 1), (2, 2), (3, 2), (3, 3)):
        yield _joined(adjectives[:many], noun, tails[:more])
    yield f"{_joined(adjectives[:2], noun, tails[:1])} ({segment.id})"


def _joined(adjectives: Sequence[str], noun: str, tails: Sequence[str]) -> str:
    text = " ".join([", ".join(adjectives), noun, " ".join(tails)]).strip()
    text = " ".join(text.split())
    return text[:1].upper() + text[1:]


def well_known(known: int, size: int) -> bool:
    """Whether so many known values can speak for a group.

    >>> well_known(30, 150), well_known(29, 29), well_known(30, 151)
    (True, False, False)
    """
    return known >= LEAST_KNOWN and known >= LEAST_KNOWN_SHARE * size


def _noun(segment: Segment, features: Mapping[str, Feature]) -> str:
    if "orders" not in features:
        return "customers"
    orders = next((t.segment for t in segment.traits if t.column == "orders"), None)
    return "customers without an order" if orders == 0 else "buyers"


def _words(segment: Segment, features: Mapping[str, Feature], place: str) -> Iterator[str]:
    """What may be said in one place of the name: one word a theme, but of levels and tastes one a column.

    What people do says more of a segment than who they are, so that traits of the person come last.
    """
    themes: set[str] = set()
    for trait in sorted(segment.traits, key=lambda t: features[t.column].theme == "demographics"):
        feature = features[trait.column]
        if abs(trait.effect) < NAMED_FROM or feature.place != place or trait.segment is None:
            continue
        # A name must be given to small groups too: there it is of what is known of most of them.
        if not well_known(trait.known, segment.size) and 2 * trait.known < segment.size:
            continue
        word = _level_word(trait, feature, segment.size) if trait.level is not None else _number_word(trait, feature)
        key = trait.column if feature.theme in ("taste", "demographics") else feature.theme
        if word and key not in themes:
            themes.add(key)
            yield word


def _number_word(trait: Trait, feature: Feature) -> str:
    return feature.word(trait.segment or 0.0, high=trait.effect > 0)


def _level_word(trait: Trait, feature: Feature, size: int) -> str:
    """Only what most of them are known to be is said of them."""
    if trait.effect < 0 or (trait.segment or 0.0) * trait.known < 0.5 * size:
        return ""
    if feature.unit == "yes/no":
        return f"with {feature.says.lower()}" if trait.level == "yes" else f"without {feature.says.lower()}"
    return f"({feature.says.lower()} {trait.level})"


# ---------------------------------------------------------------- sentences


def persona(
    segment: Segment, features: Mapping[str, Feature], seen: Observed, customers: int, window: int, currency: str
) -> Persona:
    """Who they are, what sets them apart, what they buy, and how to reach them.

    Args:
        segment: with its traits.
        features: by name.
        seen: what it did.
        customers: of the fit.
        window: days that ``seen`` is of.
        currency: of money.
    """
    told = [t for t in segment.traits if abs(t.effect) >= TOLD_FROM and well_known(t.known, segment.size)]
    enough = well_known(segment.size, segment.size)
    return Persona(
        tuple(_portrait(segment, seen, customers, window, currency)),
        tuple(_difference(t, features[t.column], currency) for t in told[:MOST_DIFFERENCES]),
        # Of purchases all members are known: who bought nothing counts.
        tuple(_purchase(b) for b in seen.bought if enough),
        (*(_when(t) for t in seen.times if _orders(t) >= LEAST_KNOWN), *(_way(w) for w in seen.ways)),
    )


def _portrait(segment: Segment, seen: Observed, customers: int, window: int, currency: str) -> Iterator[Sentence]:
    yield Sentence(
        f"{counted(segment.size, 'customer')}, {percent(segment.share, 1)} of {customers:,}.",
        Figure("customers", "size", segment.size, customers, segment.share, n=segment.size),
    )
    if seen.revenue is not None and seen.revenue_share is not None:
        each = seen.revenue / segment.size
        yield Sentence(
            f"They spent {seen.revenue:,.0f} {currency} in {window} days, {percent(seen.revenue_share, 1)} of all: "
            f"a mean of {each:,.2f} {currency} each.",
            Figure("revenue", "amount", seen.revenue, None, seen.revenue_share, n=segment.size),
        )
    # A few big spenders carry the mean, so that alone it describes nobody.
    if seen.middle is not None and seen.revenue and well_known(segment.size, segment.size):
        half = (
            "Half of them or more spent nothing" if seen.middle == 0 else f"The median is {seen.middle:,.2f} {currency}"
        )
        yield Sentence(f"{half}.", Figure("revenue of a customer", "median", seen.middle, n=segment.size))
    if segment.outlier_share >= 0.01:
        yield Sentence(
            f"{percent(segment.outlier_share, 1)} of them lie far from every group, and were put to the nearest.",
            Figure("outliers", "share", segment.outlier_share, n=segment.size),
        )


def _difference(trait: Trait, feature: Feature, currency: str) -> Sentence:
    value = trait.value
    figure = Figure(
        trait.column if trait.level is None else f"{trait.column}: {trait.level}",
        trait.kind,
        trait.segment,
        trait.others,
        None if value is None else float(value.value),
        None if value is None else float(value.low),
        None if value is None else float(value.high),
        trait.known,
    )
    if trait.level is not None:
        return Sentence(_of_level(trait, feature, figure), figure)
    mine, other = (_capped(v or 0.0, feature, currency) for v in (trait.segment, trait.others))
    spread = f"{figure.value:+.1f} standard deviations, {figure.low:+.1f} to {figure.high:+.1f}"
    return Sentence(f"{feature.says}: median {mine}, of the others {other} ({spread}).", figure)


def _capped(value: float, feature: Feature, currency: str) -> str:
    more = " or more" if feature.cap is not None and value >= feature.cap else ""
    return f"{shown(value, feature.unit, currency)}{more}"


def _of_level(trait: Trait, feature: Feature, figure: Figure) -> str:
    head = f"{feature.says} {trait.level}: {percent(trait.segment)} of them, {percent(trait.others)} of the others"
    if figure.value is None:
        return f"{head}."
    return f"{head} ({figure.value:.2g} times as common, {figure.low:.2g} to {figure.high:.2g})."


def shown(value: float, unit: Unit, currency: str) -> str:
    """A figure as people write it.

    >>> shown(0.3141, "share", "USD"), shown(1234.5, "money", "USD"), shown(12.04, "days", "USD")
    ('31 %', '1,234.50 USD', '12')
    """
    match unit:
        case "share":
            return percent(value)
        case "money":
            return f"{value:,.2f} {currency}"
        case "days":
            return f"{value:,.0f}"
    return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def percent(value: float | None, places: int = 0) -> str:
    """A share as people write it.

    >>> percent(0.3141), percent(0.3141, 1)
    ('31 %', '31.4 %')
    """
    return f"{100 * (value or 0.0):.{places}f} %"


def _purchase(bought: Bought) -> Sentence:
    times = bought.lift
    head = f"{percent(bought.share)} of them bought {bought.what}"
    if isinf(times.value):
        figure = Figure(bought.what, "lift", bought.share, 0.0, None, times.low, None, bought.buyers)
        return Sentence(f"{head}, and none of the others.", figure)
    return Sentence(
        f"{head}, {times.value:.2g} times as many as of the others ({times.low:.2g} to {times.high:.2g}).",
        Figure(bought.what, "lift", bought.share, bought.others, times.value, times.low, times.high, bought.buyers),
    )


def _orders(time: Time) -> int:
    """All orders of the segment: what the share is of."""
    return round(time.orders / time.share) if time.share > 0 else 0


def _when(time: Time) -> Sentence:
    figure = Figure(time.when, "share of orders", time.share, time.others, n=_orders(time))
    on = f"on {time.when}s" if time.when[0].isupper() else time.when
    if time.share < TIMES_FROM * time.others:
        return Sentence(f"They order {on} about as often as the others: {percent(time.share)} of their orders.", figure)
    return Sentence(
        f"They order {on} more: {percent(time.share)} of their orders, {percent(time.others)} of the others'.", figure
    )


def _way(way: Way) -> Sentence:
    figure = Figure(way.name, "share", way.share, way.others, n=way.customers)
    if way.by == "purpose":
        return Sentence(
            f"{percent(way.share)} may be reached for {way.name} ({counted(way.customers, 'customer')}).", figure
        )
    return Sentence(
        f"{percent(way.share)} have an address for {way.name} ({counted(way.customers, 'customer')}).", figure
    )
