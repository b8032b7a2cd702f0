"""Whether a regular expression is valid RE2: the only file here that imports the library that knows."""

from __future__ import annotations

import re
from functools import lru_cache

_SIMPLE = re.compile(r"[\w \-@]*\Z")


@lru_cache(maxsize=1_000)
def pattern_problem(pattern: str) -> str | None:
    """Why RE2 doesn't accept a pattern, or None where it does.

    >>> pattern_problem("^(gold|silver)$")
    >>> pattern_problem("(gold")
    'missing ): (gold'
    """
    if _SIMPLE.match(pattern):
        return None
    import pyarrow
    import pyarrow.compute

    try:
        pyarrow.compute.match_substring_regex(pyarrow.array([""]), pattern=pattern)
    except pyarrow.ArrowInvalid as error:
        return str(error).removeprefix("Invalid regular expression: ")
    return None
