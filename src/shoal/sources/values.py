"""What a text looks like: a number, a date, an instant. Regular expressions that readers and guesses share."""

from __future__ import annotations

import re

NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)?|\d{1,3}([.,' \u00a0\u202f]\d{3})+([.,]\d+)?|[.,]\d+)([eE][+-]?\d+)?")
DATE_LIKE = re.compile(
    r"(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}[- ][A-Za-z]{3,9}\.?[- ,]+\d{2,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4})"
    r"([T ].*)?"
)
EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[A-Za-z]{2,}")

PHONE = re.compile(r"[+(]?\d[\d ()./-]{5,}\d")
URL = re.compile(r"(https?://|www\.|/)\S*")

MINUS = str.maketrans("−–", "--")
"""Dashes that people write for a minus."""
CURRENCY_SIGNS = "€£¥₹₽₺₩₪$"
_BESIDE = str.maketrans("", "", CURRENCY_SIGNS + "₦₴₫฿%   '")


def number_in(text: str, decimal: str = ".", thousands: str = "") -> float | None:
    """The number that a text stands for, as people write it: € 1.234,50 or (1,234.50) or 12.50-; None for none.

    >>> number_in("−€5.00"), number_in("1.234,50-", ",", "."), number_in("(EUR 7,00)", ","), number_in("seven")
    (-5.0, -1234.5, -7.0, None)
    """
    bare = text.strip().translate(MINUS).translate(_BESIDE)
    around = bare.startswith("(") and bare.endswith(")")
    bare = re.sub(r"^([+-]?)[A-Z]{3}|[A-Z]{3}$", r"\1", bare[1:-1] if around else bare)
    behind = bare.endswith("-")
    bare = bare.removesuffix("-").replace(thousands, "") if thousands else bare.removesuffix("-")
    bare = bare.replace(",", ".") if decimal == "," and "." not in bare else bare
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", bare):
        return None
    return -float(bare) if around or behind else float(bare)


def looks_like_value(text: str) -> bool:
    """Whether a text is rather a value than the name of a column: a number, a date or an e-mail address."""
    text = text.strip()
    return bool(NUMBER.fullmatch(text) or DATE_LIKE.fullmatch(text) or EMAIL.fullmatch(text))
