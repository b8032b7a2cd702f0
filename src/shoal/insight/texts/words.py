"""Texts into words: emoji and smileys kept, personal data masked before anything is counted or named."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Beyond this a text is a document: its beginning speaks for it.
MAX_CHARACTERS = 20_000

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_LINK = re.compile(r"(?:https?://|www\.)\S{1,2000}", re.IGNORECASE)
_DIGITS = re.compile(r"\+?\d(?:[\d ().,/-]{0,30}\d)?")
_TOKEN = re.compile(
    r"[^\W\d_]+(?:['’][^\W\d_]+)*"  # words, with it's and n't in one piece
    r"|[:;=]['’]?-?[()DPp/|*]|<3"
    r"|[!?]"
    r"|[\U0001F1E6-\U0001FAFF\u2600-\u27BF\u2B50\u2B55]"
)


def masked(text: str) -> str:
    """The text without e-mail addresses, links and numbers (telephone, order, card), each replaced by a blank.

    >>> masked("mail me: ann@example.org or +1 212-555-0100, order 4711")
    'mail me:   or  , order  '
    """
    for pattern in (_EMAIL, _LINK, _DIGITS):
        text = pattern.sub(" ", text)
    return text


_HANDLE = re.compile(r"(?<![\w@])@\w{2,30}")
_LEAST_DIGITS = 5  # Shorter numbers are amounts, days and sizes: they say what the text is about.


def redacted(text: str, names: Iterable[str] = ()) -> str:
    """The text to be shown: e-mail addresses, links, handles, long numbers and the given names are blacked out.

    Args:
        text: any text.
        names: words to black out wherever they stand, as the author's own names; of fewer than two letters they stay.

    >>> redacted("Call Ann Lee, 2 days late! ann@example.org or 212-555-0100", ["Ann", "Lee"])
    'Call [name] [name], 2 days late! [e-mail] or [number]'
    """
    text = _HANDLE.sub("[handle]", _LINK.sub("[link]", _EMAIL.sub("[e-mail]", text)))
    text = _DIGITS.sub(lambda m: "[number]" if sum(c.isdigit() for c in m[0]) >= _LEAST_DIGITS else m[0], text)
    words = sorted({re.escape(name) for name in names if len(name) > 1}, key=lambda w: (-len(w), w))
    if not words:
        return text
    return re.sub(rf"(?<![\w\[]){'(?:' + '|'.join(words) + ')'}(?!\w)", "[name]", text, flags=re.IGNORECASE)


def tokens(text: str) -> list[str]:
    """Words in small letters, smileys, emoji, ``!`` and ``?``, in their order; personal data masked.

    >>> tokens("Isn’t GREAT :-) 😡 call 555-0100!!")
    ["isn't", 'great', ':-)', '😡', 'call', '!', '!']
    """
    plain = unicodedata.normalize("NFC", masked(text[:MAX_CHARACTERS]))
    return [token.casefold().replace("’", "'") for token in _TOKEN.findall(plain)]


def is_word(token: str) -> bool:
    """Whether a token is made of letters."""
    return token[0].isalpha()
