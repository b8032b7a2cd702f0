"""What customers say and like: feedback from surveys, and interests from answers and purchases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.insight.library.facts import Draft, Lack, amount, by_value, name, slug_of, spoken
from shoal.lang.lex import quoted
from shoal.lang.schema import Kind
from shoal.shapes import ACCOUNT_PREFIX, SURVEY_ANSWERED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.library.facts import Facts

_ATTITUDE = (
    "interest", "interests", "hobby", "attitude", "lifestyle", "style", "preference", "opinion", "values", "motivation",
    "how", "do", "would", "often", "favorite", "favourite",
)  # fmt: skip
_OF_THE_BODY = {"tall", "height", "weight", "old", "age", "big", "many", "much", "far", "long"}
"""Words in a question that asks for a fact, not for an attitude."""
_SPENT = ("spend", "spent", "spending", "mnt")
"""Words in the names of traits that are amounts spent on something."""
_COMPLAINT = ("Complaint Received", "Complaint Filed", "Ticket Opened", "Support Requested")


def psychographic(facts: Facts) -> Iterator[Draft | Lack]:
    """Interests by what is bought, brands, and the answers to questions of attitude."""
    interests = [t for t, kind in facts.schema.traits.items() if t.startswith("interest_") and kind is Kind.NUMBER]
    for trait in interests[:6]:
        bound = facts.quantile(trait, 0.8)
        if bound is None:
            continue
        label = spoken(trait.removeprefix("interest_"))
        why = f"The fifth that spends the largest share on {label} (from {100 * float(bound):.0f} %)."
        yield Draft(slug_of("fans", label), f"{label.capitalize()} fans", why, f"{name(trait)} >= {bound}")
    if not interests:
        yield Lack("interests", "No order names a category, so there are no interest scores.")
    brands = [t for t in ("favourite_brand",) if facts.trait(t, kind=Kind.TEXT)]
    yield from by_value(facts, brands, "They choose this brand.")
    for trait in list(facts.traits_about(*_SPENT, kind=Kind.NUMBER))[:6]:
        bound = facts.quantile(trait, 0.8)
        if bound is not None and float(bound) > 0:
            label = spoken(trait)
            why = f"The fifth with the highest {label}."
            yield Draft(
                slug_of("high", trait), f"High {label} (from {amount(bound)})", why, f"{name(trait)} >= {bound}"
            )
    attitudes = [
        t for t in facts.traits_about(*_ATTITUDE, kind=Kind.TEXT)
        if not t.startswith(ACCOUNT_PREFIX) and not set(spoken(t).split()) & _OF_THE_BODY
    ]  # fmt: skip
    yield from by_value(facts, attitudes[:4], "They said so themselves.")


def feedback(facts: Facts) -> Iterator[Draft | Lack]:
    """Promoters, passives, detractors, the unhappy and the silent."""
    yield from _nps(facts)
    yield from _csat(facts)
    complaint = facts.event(*_COMPLAINT)
    if complaint is None:
        yield Lack("complained", f"There is none of the events {', '.join(_COMPLAINT)}.")
    else:
        why = "Mend it before you sell again."
        yield Draft("complained", "Complained lately", why, f"did {quoted(complaint)} in last 30 days")
    if SURVEY_ANSWERED in facts.schema.events:
        event = quoted(SURVEY_ANSWERED)
        yield Draft("never-asked", "Never answered a survey", "Ask them, but not all at once.", f"not did {event}")


def _nps(facts: Facts) -> Iterator[Draft | Lack]:
    score = _answer(facts, "nps", "nps_score")
    if score is None:
        yield Lack("promoters", f'There is no score nps, as a property of "{SURVEY_ANSWERED}" or a trait.')
        return
    yield Draft("promoters", "Promoters", "9 or 10: ask for a review or a friend.", f"{score} >= 9")
    yield Draft("passives", "Passives", "7 or 8: find out what is missing.", f"{score} between 7 and 8")
    yield Draft("detractors", "Detractors", "6 or less: call before you sell.", f"{score} <= 6")


def _csat(facts: Facts) -> Iterator[Draft | Lack]:
    score = _answer(facts, "csat", "satisfaction", "rating")
    if score is None:
        yield Lack("unhappy", f'There is no score csat, as a property of "{SURVEY_ANSWERED}" or a trait.')
        return
    yield Draft("unhappy", "Unhappy", "Newest answer 1 or 2 of 5: mend it first.", f"{score} <= 2")
    yield Draft("satisfied", "Satisfied", "Newest answer 4 or 5 of 5.", f"{score} >= 4")


def _answer(facts: Facts, *names: str) -> str | None:
    """The newest answer as a value of the language, from the survey's events or a trait."""
    prop = facts.property(SURVEY_ANSWERED, *names, kind=Kind.NUMBER)
    if prop is not None:
        return f"last({name(prop)} of {quoted(SURVEY_ANSWERED)})"
    trait = facts.trait(*names, kind=Kind.NUMBER)
    return None if trait is None else name(trait)
