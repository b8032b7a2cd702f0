"""Robots by their user agent: a short list of words that those who say what they are use of themselves."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# CUBOT makes phones. Libraries and headless browsers aren't in the list: servers and tests send with them on purpose.
_WORDS = (
    r"(?<!cu)bot\b", "bot/", "crawl", "spider", "slurp", "facebookexternalhit", "embedly", "quora link preview",
    "outbrain", "pinterest/0", "vkshare", "w3c_validator", "lighthouse", "pingdom", "uptimerobot", "statuscake",
    "google-inspectiontool", "googleother", "mediapartners-google", "bingpreview", "ia_archiver", "prerender",
    "chatgpt-user", "perplexity-user", "site24x7", "bytespider",
)  # fmt: skip
_LONGEST = 400


def robots(more: tuple[str, ...] = ()) -> Callable[[str], bool]:
    """A test of user agents, with the answers of late remembered.

    Args:
        more: further words, in any letter case.
    """
    pattern = re.compile("|".join([*_WORDS, *(re.escape(word.lower()) for word in more if word)]))

    @lru_cache(maxsize=4_096)
    def is_robot(agent: str) -> bool:
        return pattern.search(agent[:_LONGEST].lower()) is not None

    return is_robot
