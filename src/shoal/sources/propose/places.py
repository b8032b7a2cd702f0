"""Time zone and currency by country, as a hint where nearly all of the data comes from one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoal.sources.propose.look import Look

_BY_COUNTRY: dict[str, tuple[str, str]] = {
    "united kingdom": ("Europe/London", "GBP"),
    "great britain": ("Europe/London", "GBP"),
    "ireland": ("Europe/Dublin", "EUR"),
    "germany": ("Europe/Berlin", "EUR"),
    "austria": ("Europe/Vienna", "EUR"),
    "switzerland": ("Europe/Zurich", "CHF"),
    "france": ("Europe/Paris", "EUR"),
    "spain": ("Europe/Madrid", "EUR"),
    "italy": ("Europe/Rome", "EUR"),
    "netherlands": ("Europe/Amsterdam", "EUR"),
    "belgium": ("Europe/Brussels", "EUR"),
    "portugal": ("Europe/Lisbon", "EUR"),
    "poland": ("Europe/Warsaw", "PLN"),
    "sweden": ("Europe/Stockholm", "SEK"),
    "norway": ("Europe/Oslo", "NOK"),
    "denmark": ("Europe/Copenhagen", "DKK"),
    "finland": ("Europe/Helsinki", "EUR"),
    "united states": ("America/New_York", "USD"),
    "united states of america": ("America/New_York", "USD"),
    "usa": ("America/New_York", "USD"),
    "canada": ("America/Toronto", "CAD"),
    "mexico": ("America/Mexico_City", "MXN"),
    "brazil": ("America/Sao_Paulo", "BRL"),
    "australia": ("Australia/Sydney", "AUD"),
    "new zealand": ("Pacific/Auckland", "NZD"),
    "japan": ("Asia/Tokyo", "JPY"),
    "india": ("Asia/Kolkata", "INR"),
    "singapore": ("Asia/Singapore", "SGD"),
    "south africa": ("Africa/Johannesburg", "ZAR"),
    "kenya": ("Africa/Nairobi", "KES"),
    "nigeria": ("Africa/Lagos", "NGN"),
}
_CODES = {
    "gb": "united kingdom", "uk": "united kingdom", "ie": "ireland", "de": "germany", "at": "austria",
    "ch": "switzerland", "fr": "france", "es": "spain", "it": "italy", "nl": "netherlands", "be": "belgium",
    "pt": "portugal", "pl": "poland", "se": "sweden", "no": "norway", "dk": "denmark", "fi": "finland",
    "us": "united states", "ca": "canada", "mx": "mexico", "br": "brazil", "au": "australia", "nz": "new zealand",
    "jp": "japan", "in": "india", "sg": "singapore", "za": "south africa", "ke": "kenya", "ng": "nigeria",
}  # fmt: skip
_SEVERAL_ZONES = {"United States", "Canada", "Mexico", "Brazil", "Australia"}
_MOST = 0.8


def main_country(looks: list[Look]) -> str | None:
    """The country that nearly all rows bear, as it is written most; None where there is none."""
    counted: Counter[str] = Counter()
    for look in looks:
        for column in look.columns:
            if "country" in column.lower():
                counted.update(str(v).strip() for v in look.known(column).to_pylist())
    total = sum(counted.values())
    return next((c for c, n in counted.most_common(1) if n >= _MOST * total), None)


def zone_and_currency(country: str) -> tuple[str, str] | None:
    """The zone (of most people, where a country has several) and currency; None for a country that isn't listed."""
    folded = country.casefold().strip()
    return _BY_COUNTRY.get(_CODES.get(folded, folded))


def has_several_zones(country: str) -> bool:
    """Whether the zone is only the likeliest of the country's."""
    folded = country.casefold().strip()
    return _CODES.get(folded, folded).title() in _SEVERAL_ZONES or folded in ("usa", "united states of america")
