"""Texts that match: ``contains`` and its kin, as patterns of one library (RE2, as it comes with Arrow).

Every engine reads what this library says, once per distinct value; so case is folded alike everywhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoal.lang import nodes as n

_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


def pattern_of(op: n.MatchOp, operand: str, *, ignoring_case: bool, whole: bool) -> str:
    """The RE2 pattern that says the same.

    Args:
        op: ``contains``, ``starts with``, ``ends with`` or ``matches``.
        operand: the text, or for ``matches`` the pattern.
        ignoring_case: simple Unicode folding.
        whole: ``contains`` asks for an element of a list, which is a whole text.
    """
    if op == "matches":
        return f"(?i:{operand})" if ignoring_case else operand
    quoted = _SPECIAL.sub(r"\\\1", operand).replace("\0", r"\x00")
    begin = r"\A" if op == "starts with" or whole else ""
    end = r"\z" if op == "ends with" or whole else ""
    return f"{begin}(?i:{quoted}){end}" if ignoring_case else f"{begin}{quoted}{end}"


def matches(op: n.MatchOp, text: str, operand: str, *, ignoring_case: bool, whole: bool) -> bool:
    """Whether one text matches (see ``pattern_of``).

    >>> matches("starts with", "Straße", "sTR", ignoring_case=True, whole=False)
    True
    """
    if op != "matches" and not ignoring_case:
        if whole:
            return text == operand
        found = {"contains": operand in text, "starts with": text.startswith(operand)}
        return found.get(op, text.endswith(operand))
    import pyarrow as pa
    import pyarrow.compute as pc

    pattern = pattern_of(op, operand, ignoring_case=ignoring_case, whole=whole)
    return bool(pc.match_substring_regex(pa.scalar(text), pattern=pattern).as_py())
