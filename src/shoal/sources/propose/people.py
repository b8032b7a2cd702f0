"""Customers and accounts: their traits, since when they are there, and what they consented to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from shoal.lang.schema import Kind
from shoal.sources.propose.draft import Draft, described, sql_name
from shoal.sources.propose.meaning import words

if TYPE_CHECKING:
    from shoal.sources.propose.context import Context
    from shoal.sources.propose.look import Look

_MOST_TRAITS = 60
_CHANNELS = (
    (r"\b(sms|text message|mobile)\b", "sms_marketing"),
    (r"\b(phone|call|telephone)\b", "phone_marketing"),
    (r"\b(post|postal|direct mail|mailing|catalogue?)\b", "postal_marketing"),
    (r"\b(push|app)\b", "push_marketing"),
    (r"\b(profil\w*|personali\w*)\b", "personalization"),
)
_NOT_CUSTOMERS = (
    r"\b(employee|staff|supplier|vendor|seller|agent|sales ?(person|rep)|shipper|courier|driver|"
    r"deal|product|item|order|invoice|coupon|store)s?\b"
)
_PEOPLE = r"customer|client|people|person|contact|user|member|household|survey|respond|campaign"


def people_keys(context: Context, look: Look) -> list[str]:
    """The columns that tell people apart in a table of people, one row each; empty if it is no such table."""
    table = words(look.name)
    if re.search(_NOT_CUSTOMERS, table):
        return []
    named_so = [c for c in look.means.all("customer") if context.keys.unique(look, c)]
    emails = [c for c in look.means.all("email") if context.keys.unique(look, c)]
    bare = [c for c in look.columns if words(c) in ("id", "uid", "key", "record id", "hs object id")]
    personal = emails or re.search(_PEOPLE, table) or _referenced(context, look)
    return named_so + [c for c in bare if personal and context.keys.unique(look, c) and c not in named_so] + emails


_ASKED = r"survey|nps|csat|feedback|respon|answer|review|rating|questionnaire"
_OF_PEOPLE = (
    r"\b(country|city|region|state|zip|postal|postcode|age|birth\w*|dob|gender|sex|plan|tier|level|status|"
    r"first name|last name|full name|e ?mail|phone|language|company|segment|income|occupation|marital)\b"
)


def describes_people(context: Context, look: Look, customer: str) -> bool:
    """Whether a table with scores of a survey is one of people all the same.

    It has a row for each customer, tells no time but that since when they are customers, and describes them otherwise too.
    """
    means = look.means
    if re.search(_ASKED, words(look.name)) or means.first("survey", "answer"):
        return False
    if not context.keys.unique(look, customer) or not set(means.when) <= set(means.signed_up):
        return False
    told = [c for c in look.columns if c != customer and re.search(_OF_PEOPLE, words(c))]
    return len(told) + len(means.all("opt in")) + len(means.all("opt out")) >= 2


def _referenced(context: Context, look: Look) -> bool:
    """Whether the customers of other tables are looked up here."""
    return any(
        join.parent is look and join.column in other.means.all("customer")
        for other in context.looks
        for join in context.keys.joins(other)
    )


def draft_people(context: Context, look: Look) -> bool:
    """A table of people: traits, consent, and when they signed up."""
    keys = people_keys(context, look)
    if not keys:
        return False
    key = next((k for k in keys if _known_elsewhere(context, look, k)), None)
    if key is None:
        context.ask(
            f"{look.shown} seems to hold people, but its {keys[0]} is not found among the customers of the other tables, so it "
            "was left out. Map it if they are the same people."
        )
        return False
    draft = Draft(look, "a row is a customer")
    context.drafts[look.name] = draft
    flags = _draft_flags(context, draft, key)
    joined = look.means.signed_up[:1]
    if joined:
        draft.events.append({"event": "Signed Up", "customer": key, "at": joined[0]})
        context.moments.append((look, joined[0]))
        context.ask(f'Customers of {look.shown} count as "Signed Up" on their {joined[0]}. Is that right?')
    taken = {key, *flags}
    traits = [c for c in look.columns if c not in taken and is_trait(look, c)]
    if traits:
        draft.traits.append({"customer": key, "take": described(look, traits[:_MOST_TRAITS])})
    questions = any("?" in column for column in look.columns)
    if not look.means.when and (questions or look.means.first("nps", "csat", "answer")):
        context.ask(f"{look.shown} has no date, so its answers became traits rather than events.")
    if not (draft.traits or draft.events or draft.consent):
        draft.reference = True
    _account(context, draft, key)
    return True


def _known_elsewhere(context: Context, look: Look, key: str) -> bool:
    """Whether the people are customers of a table of events, or there is none yet."""
    return not context.customers or any(
        context.keys.share_found(other, column, look, key) >= 0.2
        or context.keys.share_found(look, key, other, column) >= 0.2
        for other, column in context.customers
    )


def is_trait(look: Look, column: str) -> bool:
    """Whether a column tells people apart: not empty and not the same for all."""
    guess = look.columns[column]
    constant = len(guess.examples) < 2 and guess.missing < 0.02
    return guess.missing < 0.99 and guess.kind is not Kind.OBJECTS and not (constant and look.sample.num_rows > 1)


def _draft_flags(context: Context, draft: Draft, key: str) -> set[str]:
    """Consent from columns such as accepts_marketing; the columns that were used."""
    look = draft.look
    changed = next((c for c in look.means.when if re.search(r"consent|opt|subscri|changed", words(c))), None)
    when = {"at": changed} if changed else {}
    for column in look.means.all("opt in"):
        _granted(context, draft, {"customer": key, "purpose": purpose(column), "granted": column} | when)
    for column in look.means.all("opt out"):
        name = draft.new_column(f"consents_{words(column).replace(' ', '_')}", f"NOT {sql_name(column)}")
        _granted(context, draft, {"customer": key, "purpose": purpose(column), "granted": name} | when)
        draft.types[column] = "yes/no"
        context.ask(f"{look.shown}: {column} was read as withdrawn consent. Is that right?")
    return {*look.means.all("opt in"), *look.means.all("opt out")}


def _granted(context: Context, draft: Draft, entry: dict[str, Any]) -> None:
    draft.consent.append(entry)
    column = entry["granted"]
    guess = draft.look.columns.get(column)
    if guess is None or guess.kind is Kind.YESNO:
        return
    draft.types[column] = "yes/no"
    odd = [e for e in guess.examples if e.casefold() not in _YES | _NO]
    if odd:
        yes = [
            e
            for e in guess.examples
            if re.search(r"^(?!.*\b(un|non|not|no|out|deni)).*(subscri|opt|in|grant|yes|active)", e, re.IGNORECASE)
        ]
        no = [e for e in guess.examples if e not in yes]
        draft.format |= {"yes": sorted({"yes", "true", "1", *yes}), "no": sorted({"no", "false", "0", *no})}
        rest = f"; {', '.join(no)} {'does' if len(no) == 1 else 'do'} not" if no else ""
        context.ask(
            f"{draft.look.shown}: in {column}, {', '.join(yes) or 'nothing'} counts as consent{rest}. Is that right?"
        )


_YES = {"yes", "y", "true", "t", "1", "on"}
_NO = {"no", "n", "false", "f", "0", "off"}


def purpose(column: str) -> str:
    """The purpose that a consent column speaks of, told from its name; e-mail where it doesn't say."""
    text = words(column)
    return next((name for pattern, name in _CHANNELS if re.search(pattern, text)), "email_marketing")


def _account(context: Context, draft: Draft, key: str) -> None:
    """The company of a customer, where companies have a table of their own."""
    account = draft.look.means.first("account")
    join = next((j for j in context.keys.joins(draft.look) if j.column == account), None)
    if account and join is not None and draft.traits:
        take = draft.traits[0]["take"]
        draft.traits[0]["take"] = {"account_id": account} | {k: v for k, v in take.items() if v != account}


def draft_accounts(context: Context, look: Look) -> bool:
    """A table of companies that customers belong to."""
    key = look.means.first("account") or next((c for c in look.columns if words(c) == "id"), None)
    used = any(
        j.parent is look for other in context.looks if context.customer(other) for j in context.keys.joins(other)
    )
    told = re.search(r"account|compan|organi[sz]ation|firm|business", words(look.name))
    if key is None or context.customer(look) or not told or not used or not context.keys.unique(look, key):
        return False
    draft = Draft(look, "a row is a company that customers belong to")
    traits = [c for c in look.columns if c != key and is_trait(look, c)]
    draft.traits.append({"account": key, "take": described(look, traits)})
    context.drafts[look.name] = draft
    return True


def draft_consent(context: Context, look: Look) -> bool:
    """A table of consents: who, for which purpose, granted or not, and when."""
    customer, granted = context.customer(look), look.means.first("opt in")
    named_purpose = look.means.first("purpose", "channel")
    if (
        customer is None
        or granted is None
        or not (named_purpose or re.search("consent|permission|opt", words(look.name)))
    ):
        return False
    if len(look.columns) > 8:
        return False
    draft = Draft(look, "a row is a consent given or withdrawn")
    about: Any = {"column": named_purpose} if named_purpose else purpose(granted)
    entry = {"customer": customer, "purpose": about, "granted": granted}
    when = look.means.when[:1]
    context.drafts[look.name] = draft
    _granted(context, draft, entry | ({"at": when[0]} if when else {}))
    return True


def purposes(context: Context) -> list[str]:
    """The purposes that the drafts speak of, sorted."""
    found: set[str] = set()
    for draft in context.drafts.values():
        for entry in draft.consent:
            about = entry["purpose"]
            if isinstance(about, dict):
                found |= {str(v) for v in pc.unique(draft.look.known(about["column"])).to_pylist()[:20]}
            else:
                found.add(about)
    return sorted(found)
