"""What columns mean, told from their names and what they hold: the vocabulary of shops, tills and marketing tools."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shoal.sources.guess import ColumnGuess

_ID = r"( (id|no|nr|num|number|code|key|uuid|guid|ref|reference|identifier))"
_SOMEBODY = (
    "customer|client|cust|household|member|shopper|buyer|user|subscriber|contact|respondent|participant|person|guest|"
    "visitor|donor|patron|kunden?|klant|cliente|user pseudo|cdnow customer|account holder"
)
_ORDER = "order|invoice|basket|transaction|trans|receipt|purchase|sale|sales|booking|bill|bon|auftrag|rechnung|pedido"
_PRODUCT = "product|item|sku|article|stock|upc|asin|variant|plu|ean|isbn|material|artikel|lineitem"


_LONGEST = 48


def _number(guess: ColumnGuess) -> bool:
    return guess.kind is Kind.NUMBER


def _text(guess: ColumnGuess) -> bool:
    return guess.kind is Kind.TEXT


def _moment(guess: ColumnGuess) -> bool:
    return guess.kind in (Kind.DATE, Kind.INSTANT)


def _key(guess: ColumnGuess) -> bool:
    whole = guess.kind is Kind.NUMBER and guess.looks == "whole"
    return whole or (guess.kind is Kind.TEXT and guess.looks not in ("free text", "url"))


def _flag(guess: ColumnGuess) -> bool:
    bits = guess.kind is Kind.NUMBER and (guess.low, guess.high) in ((0, 1), (0, 0), (1, 1))
    words = guess.kind is Kind.TEXT and bool(guess.examples) and len(guess.examples) <= 4 and guess.looks == "category"
    return guess.kind is Kind.YESNO or bits or words


def _between(low: float, high: float) -> Callable[[ColumnGuess], bool]:
    def test(guess: ColumnGuess) -> bool:
        inside = guess.low is not None and guess.high is not None and guess.low >= low and guess.high <= high
        return guess.kind is Kind.NUMBER and guess.looks == "whole" and inside

    return test


_RULES: tuple[tuple[str, str, Callable[[ColumnGuess], bool]], ...] = (
    ("email", r"(.* )?e ?mail( address| id)?( \d)?|.*\bemail address\b.*", lambda g: g.looks in ("email", "")),
    ("customer", rf"({_SOMEBODY}){_ID}|({_SOMEBODY})|user pseudo id|record id( contact)?|panelist id|profile id", _key),
    ("order", rf"({_ORDER}){_ID}|order name|order|invoice|basket|transaction|receipt", _key),
    ("line", rf"(row|line|lineitem|line item|order line|order item|invoice line|order detail){_ID}", _key),
    ("product", rf"({_PRODUCT}|product sku|lineitem sku|item sku){_ID}?|stock code|sku", _key),
    ("product name", r"(product|item|lineitem|line item|article|track) (name|title|description)|description", _text),
    ("account", rf"(account|company|organi[sz]ation|org|employer|firm|business){_ID}|associated company( id)?s?", _key),
    ("event", r"event( name| type| action)?|action|activity( type| name)?|interaction( type)?", _text),
    ("quantity", r"(.* )?(quantity|qty|pieces)( .*)?|units( sold)?|number of (items|units|pieces|cds|products)|menge", _number),
    ("discount", r".*\b(discount|disc|rebate|markdown)s?\b.*", _number),
    ("tax", r".*\b(tax|taxes|vat|gst|mwst)\b.*", _number),
    ("shipping", r".*\b(shipping|freight|postage|delivery (fee|cost|charge))\b.*", _number),
    ("refunded", r"(.* )?refund(ed)?( amount| total| value)?", _number),
    ("price", r"((unit|item|lineitem|line item|list|selling|retail|product) )?price( each| per unit| unit)?|item cost", _number),
    ("impressions", r"impr(essions?)?|views", _number),
    ("clicks", r"(link )?clicks?( all)?", _number),
    ("profit", r"(gross |net )?(profit|margin)( amount)?", _number),
    ("cost", r"(unit |total |product |item )?(cost|cogs)( price| of goods( sold)?| amount)?|(amount |ad |media )?(spend|spent)( .{3})?|cost .{3}", _number),  # noqa: E501
    ("amount", r"(.* )?(amount|total|value|revenue|sales|subtotal|turnover|umsatz|betrag|importe|paid)( .{3}| amount| value| price| sum| due)?|dollar value|sales value|price paid|amount spent", _number),  # noqa: E501
    ("currency", r"(.* )?currency( code)?", _text),
    ("status", r"((order|financial|fulfillment|payment|invoice|transaction) )?(status|state)", _text),
    ("opt out", r".*\b(opt(ed)? ?out|unsubscribed?|do not (e ?mail|contact|mail|call))\b.*", _flag),
    ("opt in", r"(.* )?(e ?mails?|sms|texts?|phone|calls?|push|post|mail|marketing|contact) (ok|okay|allowed|permitted|permission|agreed)|(may|can) (e ?mail|call|text|contact)|.*\b(opt(ed)? ?in|optin|consents?|accepts (e ?mail |sms )?marketing|granted|subscribed|subscription status|newsletter|marketing (allowed|permission)|gdpr)\b.*", _flag),  # noqa: E501
    ("purpose", r"((consent|permission) )?(purpose|topic)( name)?|consent type|permission type|list name", _text),
    ("nps", r"nps( score)?|.*\bnet promoter\b.*|.*\blikel\w*\b.*\brecommend\w*\b.*", _between(0, 10)),
    ("csat", r"csat( score)?|.*\bsatisf\w*\b.*|(.* )?(rating|stars?)", _between(0, 10)),
    ("survey", r"survey( (id|name|title))?|questionnaire", lambda g: True),
    ("answer", r"(.* )?(comments?|feedback|verbatim|answer|review|remarks?|response text|free text)( text)?", _text),
    ("campaign", rf"(utm )?campaign({_ID}| name)?|mailing( id| name)?|email campaign( name| id)?", lambda g: True),
    ("email", r".*", lambda g: g.looks == "email"),
    ("channel", r"((utm|marketing|acquisition|traffic|session) )?(channel|medium|source|media|source medium)|platform", _text),
)  # fmt: skip

_NOT_WHEN = r"\b(required|ship\w*|due|deliver\w*|updated?|modified|birth\w*|dob|expir\w*|end|until|cancel\w*|closed|renewal|next|last|fulfilled|valid|process\w* end)\b"  # noqa: E501
_WHEN = (
    r"(order|invoice|purchase|transaction|trans|sales?|basket|booking|payment|paid|event|sent|send|redemption|answered|"
    r"submitted|completed|changed|visit|review)( (date|time|timestamp|datetime|day|at|on|placed at|ts))*( utc| gmt)?",
    r"(processed|placed|bought|purchased|sent|occurred|received|responded|viewed|visited|redeemed|granted) (at|on|date|time)",
    r"(event )?(timestamp|datetime|date time|ts|time stamp)( utc| gmt| micros)?",
    r"(created|creation)( (at|on|date|time))?|create date",
    r"(.* )?(date|day|time|datum|fecha|dt|at)( .{3})?",
)
_SIGNED_UP = r".*\b(sign(ed)? ?up|regist\w*|joined|join|enrol\w*|created|create|creation|customer since|member since|since|dt customer|onboard\w*|first seen)\b.*"  # noqa: E501


@dataclass(frozen=True, slots=True)
class Meanings:
    """The columns of a table by what they mean; the best one first.

    Args:
        by: the columns of each meaning.
        when: date and time columns that may say when something happened, the likeliest first.
        signed_up: date and time columns that may say since when somebody is a customer.
    """

    by: Mapping[str, list[str]] = field(default_factory=dict)
    when: list[str] = field(default_factory=list)
    signed_up: list[str] = field(default_factory=list)

    def first(self, *meanings: str) -> str | None:
        """The best column of the first meaning that any has."""
        return next((columns[0] for m in meanings if (columns := self.by.get(m))), None)

    def all(self, meaning: str) -> list[str]:
        """All columns of a meaning."""
        return list(self.by.get(meaning, ()))

    def of(self, column: str) -> str | None:
        """What a column means."""
        return next((meaning for meaning, columns in self.by.items() if column in columns), None)


def words(name: str) -> str:
    """A column's name as lower-case words: ``InvoiceNo`` and ``invoice_no`` are both ``invoice no``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.sub(r"[\W_]+", " ", parted.replace("'", "")).lower().split())


def snake(name: str) -> str:
    """A column's name as the name of a property or trait: short, lower case, with underscores."""
    text = re.sub(r"[^a-z0-9_]", "", "_".join(words(name).split())) or "value"
    short = text if len(text) <= _LONGEST else text[: _LONGEST + 1].rpartition("_")[0] or text[:_LONGEST]
    return f"_{short}" if short[0].isdigit() else short


def meanings(columns: Mapping[str, ColumnGuess]) -> Meanings:
    """What the columns of a table mean."""
    by: dict[str, list[str]] = {}
    ranked: list[tuple[int, str]] = []
    signed: list[str] = []
    for name, guess in columns.items():
        text = words(name)
        if _moment(guess):
            if not re.search(_NOT_WHEN, text):
                rank = next((i for i, pattern in enumerate(_WHEN) if re.fullmatch(pattern, text)), len(_WHEN))
                ranked.append((rank + len(_WHEN) * (guess.missing > 0.02), name))
            if re.fullmatch(_SIGNED_UP, text):
                signed.append(name)
            continue
        meaning = next((m for m, pattern, test in _RULES if re.fullmatch(pattern, text) and test(guess)), None)
        if meaning:
            by.setdefault(meaning, []).append(name)
    for found in by.values():
        # An id before a bare word: customer_id before customer.
        found.sort(key=lambda n: not re.search(r"\b(id|no|number|code|key|score)\b", words(n)))
    return Meanings(by, [name for _, name in sorted(ranked, key=lambda pair: pair[0])], signed)
