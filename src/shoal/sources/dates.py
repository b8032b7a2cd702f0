"""How dates are written: ISO, day first, month first, months as words, digits; and which it is over a whole column."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_TIME = (
    r"(?P<time>[T ,]+\d{1,2}[:.h]\d{2}([:.]\d{2}([.,]\d+)?)?(\s*[ap]\.?m\.?)?)?"
    r"(?P<zone>\s*(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?))?"
)
_DATES = {
    "iso": r"(19|20)\d\d(?P<sep>[-/.])(0?[1-9]|1[0-2])(?P=sep)(0?[1-9]|[12]\d|3[01])" + _TIME,
    "slashed": r"(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(\d{4}|\d{2})" + _TIME,
    "worded": rf"(\d{{1,2}}[ -])?({_MONTHS})[a-z]*\.?[ -](\d{{1,2}},? ?)?-?(\d{{4}}|\d{{2}})" + _TIME,
    "digits": r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?P<time>)(?P<zone>)",
}
_SHAPES = {shape: re.compile(pattern, re.IGNORECASE) for shape, pattern in _DATES.items()}


@dataclass(frozen=True, slots=True)
class DateStyle:
    """A way to write a date.

    Args:
        shape: ``iso``, ``slashed`` (numbers whose order must be told), ``worded`` or ``digits``.
        separator: the sign between the numbers.
        order: ``day-first`` or ``month-first`` where the numbers of this one date tell.
        timed: whether a time follows.
        zoned: whether the time bears its zone.
    """

    shape: str
    separator: str = ""
    order: str | None = None
    timed: bool = False
    zoned: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a column's dates are to be read, and what is unclear about it."""

    dates: str | None
    unsure: str | None = None


def describe(text: str) -> DateStyle | None:
    """The way in which a date is written; None for what is no date.

    >>> describe("31/01/2020 10:15").order
    'day-first'
    """
    for shape, pattern in _SHAPES.items():
        match = pattern.fullmatch(text)
        if match:
            separator = match.groupdict().get("sep") or ""
            timed, zoned = bool(match["time"]), bool(match["time"]) and bool(match["zone"])
            if shape != "slashed":
                return DateStyle(shape, separator, None, timed, zoned)
            order = _order(int(match["a"]), int(match["b"]))
            return None if order == "none" else DateStyle(shape, separator, order, timed, zoned)
    return None


def _order(first: int, second: int) -> str | None:
    day, month = 1 <= first <= 31 and 1 <= second <= 12, 1 <= first <= 12 and 1 <= second <= 31
    if day and month:
        return None
    return "day-first" if day else "month-first" if month else "none"


_DAYS = {
    "iso": ("%Y-%m-%d",),
    "day-first": ("%d-%m-%Y", "%d-%m-%y"),
    "month-first": ("%m-%d-%Y", "%m-%d-%y"),
    "worded": ("%d-%b-%Y", "%b-%d-%Y", "%d-%B-%Y", "%B-%d-%Y", "%d-%b-%y"),
    "digits": ("%Y%m%d",),
}


def day_of(text: str, order: str | None) -> date | None:
    """The date in a text that ``describe`` knows, or in seconds and their parts since 1970; None elsewhere.

    Args:
        text: the date.
        order: ``day-first`` or ``month-first``, for numbers that don't tell it themselves.

    >>> day_of("31/01/2020 10:15", "day-first")
    datetime.date(2020, 1, 31)
    """
    if re.fullmatch(r"1\d{9}|1\d{12}|1\d{15}", text):
        return datetime.fromtimestamp(int(text[:10]), UTC).date()
    style = describe(text)
    if style is None:
        return None
    ways = style.order or order or "" if style.shape == "slashed" else style.shape
    plain = re.sub(r"[\s./,-]+", "-", re.split(r"[T ,]+\d{1,2}[:.h]\d{2}", text)[0].strip())
    for pattern in _DAYS.get(ways, ()):
        try:
            return datetime.strptime(plain, pattern).date()
        except ValueError:
            continue
    return None


def judge_dates(styles: Counter[DateStyle], values: Mapping[str, int]) -> Verdict:
    """The way that fits all dates of a column, or why none does.

    Args:
        styles: how many values are written in each way.
        values: the values with their counts, for examples.
    """
    orders = {style.order for style in styles if style.order}
    slashed = [style for style in styles if style.shape == "slashed"]
    families = Counter({_family(style): 0 for style in styles})
    for style, count in styles.items():
        families[_family(style)] += count
    if len(orders) == 2:
        day, month = (_example(values, order) for order in ("day-first", "month-first"))
        return Verdict(None, f"Its dates stand in both orders: {day} has the day first, {month} the month.")
    order = next(iter(orders), None)
    if slashed and order is None and all(style.separator == "." for style in slashed):
        order = "day-first"
    doubt = _several(families, values) if len(families) > 1 else None
    if slashed and order is None:
        example = next(v for v in values if (s := describe(v)) and s.shape == "slashed")
        return Verdict(None, f"{example} may have the day or the month first, and no date in the column tells which.")
    if set(families) == {"digits"}:
        return Verdict("%Y%m%d", None)
    return Verdict(order or "iso", doubt)


def _family(style: DateStyle) -> str:
    return "slashed " + style.separator if style.shape == "slashed" else style.shape


def _example(values: Mapping[str, int], order: str) -> str:
    return next(v for v in values if (s := describe(v)) and s.order == order)


def _several(families: Counter[str], values: Mapping[str, int]) -> str:
    total = sum(families.values())
    shown = []
    for family, count in families.most_common():
        example = next(v for v in values if (s := describe(v)) and _family(s) == family)
        shown.append(f"{example} ({count / total:.0%})")
    number = {2: "two", 3: "three", 4: "four"}.get(len(shown), str(len(shown)))
    return f"Its dates stand in {number} formats: {', '.join(shown)}."
