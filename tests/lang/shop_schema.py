"""The schema of a small shop that the tests of the language check and say definitions against."""

from __future__ import annotations

from shoal.lang.nodes import Definition, Known, Trait
from shoal.lang.schema import Basis, Kind, PropertyType, Schema


def of(kind: Kind, **fields: Kind) -> PropertyType:
    """The type of a property; ``fields`` for a list of objects."""
    return PropertyType(kind, fields)


def segment(slug: str, name: str) -> Definition:
    """A segment that refers to nothing else."""
    return Definition(slug, name, Known(Trait("age")))


SHOP = Schema(
    traits={
        "account_id": Kind.TEXT,
        "age": Kind.NUMBER,
        "birthday": Kind.DATE,
        "churn_risk": Kind.NUMBER,
        "clv": Kind.NUMBER,
        "country": Kind.TEXT,
        "interests": Kind.TEXTS,
        "last_seen": Kind.INSTANT,
        "location": Kind.POINT,
        "nps": Kind.NUMBER,
        "plan": Kind.TEXT,
        "renewal_date": Kind.DATE,
        "signed_up": Kind.DATE,
        "status": Kind.TEXT,
        "subscribed": Kind.YESNO,
        "account.employees": Kind.NUMBER,
        "account.industry": Kind.TEXT,
    },
    events={
        "App Opened": {},
        "Cart Updated": {"cart_id": of(Kind.TEXT)},
        "Checkout Started": {},
        "Email Opened": {"cart_id": of(Kind.NUMBER)},
        "Email Sent": {"opened": of(Kind.YESNO)},
        "Logged In": {},
        "Order Completed": {
            "cart_id": of(Kind.TEXT),
            "paid_at": of(Kind.INSTANT),
            "product_id": of(Kind.TEXT),
            "products": of(Kind.OBJECTS, brand=Kind.TEXT, price=Kind.NUMBER),
            "revenue": of(Kind.NUMBER),
            "tags": of(Kind.TEXTS),
        },
        "Product Viewed": {"category": of(Kind.TEXT), "price": of(Kind.NUMBER)},
        "Video Ended": {"length": of(Kind.NUMBER), "title": of(Kind.TEXT)},
        "Video Started": {"length": of(Kind.TEXT), "title": of(Kind.TEXT)},
    },
    lists=frozenset({"staff", "press"}),
    segments={
        "vip": segment("vip", "Very Important"),
        "trial": segment("trial", "On trial"),
        "unhappy": segment("unhappy", "Unhappy"),
    },
    purposes={"email_marketing": Basis.CONSENT, "post": Basis.LEGITIMATE_INTEREST},
    scores=frozenset({"churn_risk"}),
)
EXAMPLES = tuple(
    r"""
country in ("KE", "UG") and age between 25 and 44
count("Order Completed" where revenue > 100 in last 90 days) >= 3
sum(revenue of "Order Completed" in last 30 days) < 0.5 * sum(revenue of "Order Completed" in 3 days before last 3 days)
did "Product Viewed" where category = "shoes" in last 7 days and not did "Order Completed" in last 7 days
did "Product Viewed" where (category = "shoes" and price >= 50) at least 3 times in last 7 days
did "Order Completed" where any products (brand = "Acme" and price > 10) in last 30 days
did "Checkout Started" then not "Order Completed" within 1 hour in last 2 days
did "Cart Updated" then not "Order Completed" with same cart_id within 1 hour in last 2 days
did "Email Opened" then "Product Viewed" within 3 days then "Order Completed" without "Email Sent" within 7 days
did "Order Completed" not after "Product Viewed" within 7 days in last 30 days
did first "Order Completed" in last 30 days
did "App Opened" at least 2 times in 3 of last 4 periods of 7 days
count(last 5 "Email Sent" where opened = yes) = 0
held status = "onboarding" for 7 days
changed plan from "free" to "pro" in last 7 days
signed_up in last 30 days and renewal_date in next 14 days and days until renewal_date <= 3
last(category of "Product Viewed") = "shoes" and most frequent(category of "Product Viewed") = "hats"
distinct(product_id of "Order Completed" in this year) >= 5
days since last "Order Completed" > 60
active days("App Opened" in last 28 days) >= 4
anniversary of birthday in next 7 days
distance of location to (-1.2864, 36.8172) < 10 km
account.industry = "Retail" and account.employees >= 50 and count("Logged In" of account in last 7 days) >= 10
churn_risk > 0.7 and clv in top 10%
member of "vip" and not member of "unhappy" and not listed in "staff"
entered "vip" in last 14 days and not left "trial" in last 30 days
consents to "email_marketing"
bucket "spring-holdout" < 0.05
nps is known and nps <= 6
""".strip().splitlines()
)
"""The page of the language shows these."""
