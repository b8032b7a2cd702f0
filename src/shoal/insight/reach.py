"""Who can be reached: by an address that is known, and by consent to a purpose, segment by segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.customers.profiles import current_consents, current_values
from shoal.lang.schema import Basis, Kind
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.insight.evaluation import Evaluation
    from shoal.sql.store import Store

ADDRESSES: dict[str, tuple[str, ...]] = {
    "email": ("email", "email_address", "e_mail"),
    "phone": ("phone", "phone_number", "mobile", "msisdn"),
    "push": ("push_token", "device_token"),
    "post": ("street", "address", "postal_address"),
}
"""For each channel, the traits that would be its address."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How many of a segment's customers can be reached in one way.

    Args:
        by: ``channel`` (an address is known) or ``purpose`` (consent allows it).
        name: the channel or purpose.
        customers: how many.
        share: of the segment.
    """

    by: str
    name: str
    customers: int
    share: float


def reachable(
    store: Store, evaluation: Evaluation, purposes: Mapping[str, Basis], consent_at: int | None = None
) -> dict[str, list[Reach]]:
    """For each segment, how many customers each channel and each purpose reaches; empty where the data holds neither.

    Consent follows the purpose's basis: under ``consent`` unknown means no, under ``legitimate-interest`` it means yes
    until objected. A purpose for analysis only (``none``) reaches nobody, and isn't listed. Consent is that of the
    evaluation, or of the instant ``consent_at``, where a refusal on record counts even if its time is later.
    """
    ways = {("channel", name): test for name, test in _channels(store, evaluation.at).items()}
    ways |= {("purpose", name): test for name, test in _purposes(store, evaluation.at, consent_at, purposes).items()}
    if not ways or not evaluation.columns:
        return {slug: [] for slug in evaluation.columns}
    joins = " ".join(
        f"LEFT JOIN ({relation}) w{i} ON w{i}.customer = e.customer" for i, (relation, _) in enumerate(ways.values())
    )
    counts = ", ".join(
        f'count(CASE WHEN e."{column}" AND {test.format(f"w{i}")} THEN 1 END)'
        for column in evaluation.columns.values()
        for i, (_, test) in enumerate(ways.values())
    )
    (row,) = store.rows(f"SELECT {counts} FROM {evaluation.table} e {joins}")
    sizes, numbers = evaluation.sizes(), iter(row)
    return {
        slug: [
            Reach(by, name, n, n / sizes[slug] if sizes[slug] else 0.0)
            for (by, name), n in zip(ways, numbers, strict=False)
        ]
        for slug in evaluation.columns
    }


def _channels(store: Store, at: int) -> dict[str, tuple[str, str]]:
    """For each channel with an address among the traits: a relation (customer) and the test that it holds."""
    traits = {t.name.casefold(): t for t in Registry.load(store).traits.values() if t.scope == "customer"}
    found = {}
    for channel, names in ADDRESSES.items():
        trait = next((traits[n] for n in names if n in traits and traits[n].kind is Kind.TEXT), None)
        if trait is not None:
            values = current_values(store, trait, at)
            found[channel] = (
                f"SELECT owner AS customer FROM ({values}) WHERE value IS NOT NULL AND value <> ''",
                "{}.customer IS NOT NULL",
            )
    return found


def _purposes(
    store: Store, at: int, consent_at: int | None, purposes: Mapping[str, Basis]
) -> dict[str, tuple[str, str]]:
    """For each purpose a relation (customer, granted) and the test that follows from its basis."""
    found = {}
    for purpose, basis in purposes.items():
        if basis is Basis.NONE:
            continue
        unknown = "true" if basis is Basis.LEGITIMATE_INTEREST else "false"
        if consent_at is None:
            consents = current_consents(store, purpose, at)
        else:
            consents = current_consents(store, purpose, consent_at, refusals_ahead=True)
        found[purpose] = (consents, "coalesce({}.granted, " + unknown + ")")
    return found
