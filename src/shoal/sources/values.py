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


def looks_like_value(text: str) -> bool:
    """Whether a text is rather a value than the name of a column: a number, a date or an e-mail address."""
    text = text.strip()
    return bool(NUMBER.fullmatch(text) or DATE_LIKE.fullmatch(text) or EMAIL.fullmatch(text))
