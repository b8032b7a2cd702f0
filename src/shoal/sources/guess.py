"""What a column holds, told from a sample: its type, how its numbers and dates are written, and what is unclear."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from shoal.lang.schema import Kind
from shoal.sources.dates import DateStyle, describe, judge_dates
from shoal.sources.values import EMAIL, MINUS, PHONE, URL, number_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHARE = 0.98
"""The share of known values that must be of a kind for the column to be of it."""

_MOST = 0.75
"""The share that will do where the column's name says the same; the others are asked about."""

_SPEAKS_OF_TIME = re.compile(
    r"date|day|time|stamp|_at$|datum|fecha|jour|_ts$|^ts$|[a-z]At$|[a-z]Dt$|^dt_", re.IGNORECASE
)
_SPEAKS_OF_AMOUNTS = re.compile(
    r"amount|total|price|revenue|sales|turnover|value|paid|spen[dt]|cost|fee|tax|discount|quantity|qty|units|umsatz|"
    r"betrag|importe|menge",
    re.IGNORECASE,
)

_DISTINCT_LOOKED_AT = 20_000
_WORDS = {
    "yes": "no", "y": "n", "true": "false", "t": "f", "ja": "nein", "oui": "non", "si": "no", "sí": "no", "sim": "não",
    "on": "off", "opted in": "opted out", "subscribed": "unsubscribed", "granted": "denied",
}  # fmt: skip
_MISSING = {"na", "n/a", "null", "none", "nan", "nil", "-", "--", "?", "#n/a", "\\n", "(null)", "(not set)", "(none)"}
_CURRENCIES = {
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "₽": "RUB",
    "₺": "TRY",
    "₩": "KRW",
    "₪": "ILS",
    "$": "USD",
}
_MONEY = re.compile(r"^(?P<sign>[(+-]?)\s*(?P<before>[€£¥₹₽₺₩₪$]|[A-Z]{3})?\s*(?P<inner>[+-]?[\d.,' \u00a0\u202f]*\d)\s*(?P<after>[€£¥₹₽₺₩₪$%]|[A-Z]{3})?\)?-?$")  # fmt: skip # noqa: E501
_PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?P<sep>[.,' \u00a0\u202f])\d{3}((?P=sep)\d{3})*((?P<dec>[.,])\d+)?")
_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, slots=True)
class Pattern:
    """How the values of a column are written.

    Args:
        dates: ``iso``, ``day-first``, ``month-first``, a strptime pattern; None where there are no dates, or it can't
            be told.
        zoned: whether instants bear their zone.
        decimal: the sign before decimals, where that can be told.
        thousands: the sign between groups of digits, empty for none.
        currency: a code, told from signs such as € or codes beside the numbers.
        yes: the words for yes, as written.
        no: the words for no.
        missing: words that stand for "not known" among values of another kind.
    """

    dates: str | None = None
    zoned: bool = False
    decimal: str | None = None
    thousands: str = ""
    currency: str | None = None
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnGuess:
    """What a column seems to hold.

    Args:
        name: the column.
        kind: its type.
        pattern: how its values are written.
        looks: ``id``, ``email``, ``phone``, ``url``, ``code``, ``category``, ``free text`` for texts, ``whole`` for
            whole numbers; empty for others.
        missing: the share of rows without a value, 0 to 1.
        distinct: the share of distinct values among the known ones of the sample, 0 to 1.
        unsure: what can't be told and why, one sentence; None if nothing.
        examples: a few values as text, the most frequent first.
        low: the smallest number, where all are numbers.
        high: the largest.
        odd: the share of the known values that aren't of the kind, 0 to 1.
    """

    name: str
    kind: Kind
    pattern: Pattern = field(default_factory=Pattern)
    looks: str = ""
    missing: float = 0.0
    distinct: float = 0.0
    unsure: str | None = None
    examples: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    odd: float = 0.0


def guess_columns(sample: pa.Table) -> list[ColumnGuess]:
    """The guess for each column of a sample; the column ``_line`` is left out."""
    return [guess_column(n, sample.column(n)) for n in sample.column_names if n != "_line"]


def guess_column(name: str, column: pa.ChunkedArray | pa.Array) -> ColumnGuess:
    """What a column holds.

    Args:
        name: its name, which helps where values alone don't tell (20200131 in "date" is a date).
        column: a sample of its values, of any Arrow type.

    >>> guess_column("paid", pa.array(["1.234,50 €", "7,00 €"])).pattern
    Pattern(dates=None, zoned=False, decimal=',', thousands='.', currency='EUR', yes=(), no=(), missing=())
    """
    counted = _counted(column)
    known = sum(counted.values())
    share = 1 - known / len(column) if len(column) else 1.0
    guess = ColumnGuess(
        name=name,
        kind=Kind.TEXT,
        missing=share,
        distinct=len(counted) / known if known else 0.0,
        examples=tuple(str(v) for v, _ in counted.most_common(5)),
    )
    kind = _native(column.type)
    if kind is Kind.NUMBER:
        return _of_numbers(guess, counted)
    if kind is not None:
        return replace(guess, kind=kind, pattern=Pattern(zoned=getattr(column.type, "tz", None) is not None))
    return _of_texts(guess, counted)


def _native(kind: pa.DataType) -> Kind | None:
    """The type that an Arrow type is; None for text, where the values tell."""
    if pa.types.is_boolean(kind):
        return Kind.YESNO
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Kind.NUMBER
    if pa.types.is_timestamp(kind):
        return Kind.INSTANT
    if pa.types.is_date(kind):
        return Kind.DATE
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return Kind.OBJECTS if pa.types.is_struct(kind.value_type) else Kind.TEXTS
    return None


def _counted(column: pa.ChunkedArray | pa.Array) -> Counter[Any]:
    """How often each known value occurs; blank texts aren't known."""
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return Counter({str(i): 1 for i in range(len(column) - column.null_count)})
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    found = Counter(
        {pair["values"]: pair["counts"] for pair in pc.value_counts(column).to_pylist() if pair["values"] is not None}
    )
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return found
    texts: Counter[str] = Counter()
    for value, count in found.items():
        if value.strip():
            texts[value.strip()] += count
    return texts


def _of_numbers(guess: ColumnGuess, counted: Counter[Any]) -> ColumnGuess:
    numbers = [v for v in counted if v == v]
    if not numbers:
        return replace(guess, kind=Kind.NUMBER)
    low, high = float(min(numbers)), float(max(numbers))
    whole = all(float(v).is_integer() for v in numbers[:_DISTINCT_LOOKED_AT])
    guess = replace(guess, kind=Kind.NUMBER, looks="whole" if whole else "", low=low, high=high)
    return _date_in_digits(guess, [str(int(v)) for v in numbers[:1000]]) if whole else guess


def _date_in_digits(guess: ColumnGuess, digits: list[str]) -> ColumnGuess:
    """The same guess, or that of a date or instant if all digits are one and the name speaks of time."""
    if not _SPEAKS_OF_TIME.search(guess.name):
        return guess
    if all(re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", d) for d in digits):
        return replace(guess, kind=Kind.DATE, pattern=Pattern(dates="%Y%m%d"), looks="")
    if all(re.fullmatch(r"1\d{9}|1\d{12}|1\d{15}", d) for d in digits):
        return replace(guess, kind=Kind.INSTANT, pattern=Pattern(zoned=True), looks="")
    return guess


def _of_texts(guess: ColumnGuess, counted: Counter[str]) -> ColumnGuess:
    absent = tuple(sorted(v for v in counted if v.casefold() in _MISSING))
    values = Counter({v: n for v, n in counted.most_common(_DISTINCT_LOOKED_AT) if v not in absent})
    if not values:
        return replace(guess, pattern=Pattern(missing=absent))
    for judge in (_yes_no, _dates, _numbers):
        found = judge(guess, values)
        if found is not None:
            return replace(found, pattern=replace(found.pattern, missing=absent))
    return replace(guess, looks=_looks(guess, values))


def _yes_no(guess: ColumnGuess, values: Counter[str]) -> ColumnGuess | None:
    folded = {v.casefold() for v in values}
    for yes, no in _WORDS.items():
        if folded <= {yes, no} and len(yes) + len(folded) > 2:
            words = {word: tuple(sorted(v for v in values if v.casefold() == word)) for word in (yes, no)}
            return replace(guess, kind=Kind.YESNO, pattern=Pattern(yes=words[yes], no=words[no]))
    return None


def _dates(guess: ColumnGuess, values: Counter[str]) -> ColumnGuess | None:
    styles: Counter[DateStyle] = Counter()
    for value, count in values.items():
        style = describe(value)
        if style is not None:
            styles[style] += count
    least = _MOST if _SPEAKS_OF_TIME.search(guess.name) else _SHARE
    if not styles or sum(styles.values()) < least * sum(values.values()):
        return None
    verdict = judge_dates(styles, values)
    found = replace(
        guess,
        kind=Kind.INSTANT if any(style.timed for style in styles) else Kind.DATE,
        pattern=Pattern(dates=verdict.dates, zoned=all(style.zoned for style in styles)),
        unsure=verdict.unsure,
    )
    return _doubting(found, values, [v for v in values if describe(v) is None])


def _doubting(guess: ColumnGuess, values: Counter[str], others: list[str]) -> ColumnGuess:
    """The guess with the share of values that aren't of its kind, and what is to be said of them where they are many."""
    if guess.kind is Kind.TEXT or not others:
        return guess
    odd = sum(values[v] for v in others) / sum(values.values())
    if odd <= 1 - _SHARE:
        return replace(guess, odd=odd)
    example = max(others, key=lambda v: (values[v], v))
    what = "numbers" if guess.kind is Kind.NUMBER else "dates"
    said = f"{100 * odd:.0f} % of its values are no {what}, as {example[:40]!r}; they can't be used."
    return replace(guess, odd=odd, unsure=" ".join(filter(None, (guess.unsure, said))))


def _numbers(guess: ColumnGuess, values: Counter[str]) -> ColumnGuess | None:
    total = sum(values.values())
    least = _MOST if _SPEAKS_OF_AMOUNTS.search(guess.name) else _SHARE
    plain = {v: n for v, n in values.items() if _PLAIN.fullmatch(v)}
    inner = {v: m for v in values if (m := _MONEY.match(v.translate(MINUS)))}
    written = sum(values[v] for v in inner)
    if sum(plain.values()) >= _SHARE * total or (sum(plain.values()) >= max(least * total, written)):
        # 536365 beside C536365 is a code, however few bear the letter.
        coded = any(re.fullmatch(r"[A-Za-z]+[-_#]?\d+|\d+[A-Za-z]+", v) for v in values if v not in plain)
        found = replace(guess, looks="code") if coded else _plain_numbers(guess, plain)
        return _doubting(found, values, [v for v in values if v not in plain])
    if not inner or written < least * total:
        return None
    texts = Counter({m["inner"].strip(): values[v] for v, m in inner.items()})
    decimal, thousands, unsure = _separators(texts)
    if decimal is None and unsure is None:
        return None
    signs = Counter(m["before"] or m["after"] for m in inner.values() if (m["before"] or m["after"] or "%") != "%")
    currency = _CURRENCIES.get(signs.most_common(1)[0][0], signs.most_common(1)[0][0]) if signs else None
    pattern = Pattern(decimal=decimal, thousands=thousands, currency=currency)
    numbers = [number for v in inner if (number := number_in(v, decimal or ".", thousands)) is not None] or [0.0]
    found = replace(guess, kind=Kind.NUMBER, pattern=pattern, unsure=unsure, low=min(numbers), high=max(numbers))
    return _doubting(found, values, [v for v in values if v not in inner])


def _plain_numbers(guess: ColumnGuess, values: Mapping[str, int]) -> ColumnGuess:
    if any(re.match(r"[+-]?(0\d|\d{16})", v) for v in values):
        dated = _date_in_digits(guess, list(values)) if all(v.isdigit() for v in values) else guess
        return dated if dated.kind is not Kind.TEXT else replace(guess, looks="code")
    numbers = [float(v) for v in values]
    whole = all(v.lstrip("+-").isdigit() for v in values)
    found = replace(guess, kind=Kind.NUMBER, low=min(numbers), high=max(numbers), looks="whole" if whole else "")
    if whole:
        return _date_in_digits(found, list(values))
    return replace(found, pattern=Pattern(decimal=".") if any("." in v for v in values) else Pattern())


def _separators(texts: Mapping[str, int]) -> tuple[str | None, str, str | None]:
    """The sign before decimals, that between thousands, and what is unclear; three times nothing for no numbers."""
    fits = [t for t in texts if _PLAIN.fullmatch(t) or _GROUPED.fullmatch(t) or _COMMA.fullmatch(t)]
    if len(fits) < len(texts):
        return None, "", None
    grouped = [m for t in texts if (m := _GROUPED.fullmatch(t))]
    both = {(m["sep"], m["dec"]) for m in grouped if m["dec"] and m["dec"] != m["sep"]}
    if len(both) > 1:
        return None, "", "Some numbers have a decimal comma, others a decimal point."
    if both:
        ((sep, dec),) = both
        return dec, sep, None
    commas = [t for t in texts if _COMMA.fullmatch(t) and not _GROUPED.fullmatch(t)]
    points = [t for t in texts if "." in t and not _GROUPED.fullmatch(t)]
    if commas and points:
        return None, "", "Some numbers have a decimal comma, others a decimal point."
    seps = {m["sep"] for m in grouped}
    if commas:
        return ",", "." if "." in seps else "", None
    if points:
        return ".", next(iter(seps - {"."}), ""), None
    return _grouped_only(seps, [m[0] for m in grouped])


def _grouped_only(seps: set[str], examples: Iterable[str]) -> tuple[str | None, str, str | None]:
    """Where all separators stand before three digits: several groups are thousands, one may be decimals too."""
    if not seps:
        return ".", "", None
    sep = min(seps)
    example = min(examples)
    if sep not in ",." or any(e.count(sep) > 1 for e in examples):
        return "," if sep == "." else ".", sep, None
    shown = example.replace(sep, "")
    return ("." if sep == "," else ","), sep, f"{example} was read as {shown}; it may be a number with three decimals."


def _looks(guess: ColumnGuess, values: Counter[str]) -> str:
    some = list(values)[:1000]

    def mostly(pattern: re.Pattern[str]) -> bool:
        return sum(bool(pattern.fullmatch(v)) for v in some) >= 0.9 * len(some)

    for word, pattern in (("email", EMAIL), ("url", URL), ("phone", PHONE)):
        if mostly(pattern):
            return word
    length = sum(len(v) for v in some) / len(some)
    spaces = sum(" " in v for v in some) / len(some)
    if length > 40 and spaces > 0.8:
        return "free text"
    if guess.distinct > 0.9 and spaces < 0.1 and length < 64:
        return "id"
    return "category" if len(values) <= 50 or guess.distinct < 0.05 else ""
