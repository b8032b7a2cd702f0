"""Who customers are: demographic, geographic and firmographic templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.insight.library.facts import Draft, Lack, amount, by_value, name, slug_of, spoken
from shoal.lang.schema import Kind
from shoal.shapes import ACCOUNT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.library.facts import Facts

_DEMOGRAPHIC = (
    "age", "gender", "sex", "generation", "income", "salary", "marital", "household", "family", "home", "kids",
    "children", "dependents", "education", "occupation", "job", "language", "senior", "homeowner",
)  # fmt: skip
_PLACES = ("country", "state", "region", "province", "county", "city", "market", "district")
_FIRM = ("industry", "sector", "company", "plan", "tier", "segment", "country", "size")
_OWN_FIRM = ("industry", "sector", "company size", "company type", "customer segment", "segment", "business type")
"""Traits of customers themselves that speak of a company."""
_BANDS = ((0, 25), (25, 35), (35, 50), (50, 65), (65, None))
MOST_TRAITS = 8
_UNITS = 10**9
_NEAR_KM = 25


def demographic(facts: Facts) -> Iterator[Draft | Lack]:
    """Age bands, birthdays, and the most frequent values of what is known of people."""
    own = [t for t in facts.traits_about(*_DEMOGRAPHIC, kind=Kind.TEXT) if not t.startswith(ACCOUNT_PREFIX)]
    yield from by_value(facts, own[:MOST_TRAITS], "Speak to people by their {label}.")
    yield from _age(facts)
    yield from _birthday(facts)
    for trait in list(facts.traits_about(*_DEMOGRAPHIC, kind=Kind.YESNO))[:MOST_TRAITS]:
        label = spoken(trait).capitalize()
        yield Draft(
            slug_of(trait, "yes"), f"{label}: yes", f"Speak to people by {label.lower()}.", f"{name(trait)} = yes"
        )
    yield from _children(facts)
    income = next(facts.traits_about("income", "salary", kind=Kind.NUMBER), None)
    if income is not None and (bound := facts.quantile(income, 0.8)) is not None:
        why = "The fifth with the highest income: room for premium offers."
        yield Draft("high-income", f"High income (from {amount(bound)})", why, f"{name(income)} >= {bound}")
    if not own and income is None and facts.trait("age") is None:
        yield Lack("demographic", "No trait tells age, gender, income, household or the like.")


def _children(facts: Facts) -> Iterator[Draft]:
    for trait in list(facts.traits_about("kids", "children", "dependents", "kidhome", "teenhome", kind=Kind.NUMBER))[
        :2
    ]:
        label = spoken(trait).capitalize()
        yield Draft(
            slug_of("with", trait), f"{label}: one or more", "Families need other things.", f"{name(trait)} >= 1"
        )
        yield Draft(slug_of("without", trait), f"{label}: none", "Households without them.", f"{name(trait)} = 0")


def _age(facts: Facts) -> Iterator[Draft | Lack]:
    age = facts.trait("age", kind=Kind.NUMBER)
    if age is None:
        if facts.trait("age") is None:
            yield Lack("age-bands", "There is no trait age.")
        return
    for low, high in _BANDS:
        if high is None:
            yield Draft(f"age-{low}-and-over", f"{low} and over", "Speak to an age group.", f"{name(age)} >= {low}")
        else:
            label = f"Under {high}" if low == 0 else f"{low} to {high - 1}"
            where = f"{name(age)} >= {low} and {name(age)} < {high}"
            yield Draft(slug_of("age", label), f"Age {label.lower()}", "Speak to an age group.", where)


def _birthday(facts: Facts) -> Iterator[Draft | Lack]:
    names = ("birthday", "birth_date", "date_of_birth", "birthdate", "dob")
    born = facts.trait(*names, kind=Kind.DATE) or facts.trait(*names, kind=Kind.INSTANT)
    if born is None:
        yield Lack("birthday-soon", "There is no date of birth (a trait birthday or birth_date).")
    else:
        where = f"anniversary of {name(born)} in next 7 days"
        yield Draft("birthday-soon", "Birthday within a week", "Congratulate, with a gift.", where)


def geographic(facts: Facts) -> Iterator[Draft | Lack]:
    """The most frequent places, and near the middle of all customers."""
    places = [t for t in facts.traits_about(*_PLACES, kind=Kind.TEXT) if not t.startswith(ACCOUNT_PREFIX)]
    yield from by_value(facts, places[:4], "Local offers, delivery and opening hours.")
    point = next((t for t, kind in facts.schema.traits.items() if kind is Kind.POINT), None)
    if not places and point is None:
        yield Lack("geographic", "No trait tells a country, region, city or location.")
    if point is not None and (middle := _middle(facts, point)) is not None:
        where = f"distance of {name(point)} to ({middle[0]:.4f}, {middle[1]:.4f}) < {_NEAR_KM} km"
        why = "Close to the middle of your customers: events and same-day delivery."
        yield Draft("near-the-middle", f"Within {_NEAR_KM} km of the middle", why, where)


def _middle(facts: Facts, point: str) -> tuple[float, float] | None:
    """The latitude and longitude of the mean direction of all locations."""
    from math import atan2, degrees, hypot

    values = facts.values(point)
    rows = facts.store.rows(f"SELECT avg(value.x), avg(value.y), avg(value.z) FROM ({values})") if values else []
    if not rows or rows[0][0] is None:
        return None
    x, y, z = (axis / _UNITS for axis in rows[0])
    return degrees(atan2(z, hypot(x, y))), degrees(atan2(y, x))


def firmographic(facts: Facts) -> Iterator[Draft | Lack]:
    """Industries, sizes and plans of the companies that customers belong to."""
    texts = [
        t for t, kind in facts.schema.traits.items()
        if kind is Kind.TEXT and (t.startswith(ACCOUNT_PREFIX) or spoken(t) in _OWN_FIRM)
    ]  # fmt: skip
    about = [t for t in texts if set(spoken(t).split()) & set(_FIRM)]
    firms = [t for t in about if t.startswith(ACCOUNT_PREFIX)]
    yield from by_value(facts, firms[:4], "Speak to companies by their {label}.")
    own = [t for t in about if t not in firms]
    yield from by_value(facts, own[: 4 - len(firms[:4])], "Speak to them by their {label}.")
    staff = next(facts.traits_about("employees", "headcount", kind=Kind.NUMBER), None)
    if staff is not None:
        for slug, label, where in (
            ("small-companies", "Small companies (under 50)", f"{name(staff)} < 50"),
            ("mid-size-companies", "Mid-size companies (50 to 249)", f"{name(staff)} >= 50 and {name(staff)} < 250"),
            ("large-companies", "Large companies (250 and over)", f"{name(staff)} >= 250"),
        ):
            yield Draft(slug, label, "Sales effort by size of the company.", where)
    if not about and staff is None:
        yield Lack("firmographic", "No account has an industry, a size or a plan.")
