"""Texts into words: emoji and smileys kept, personal data masked before anything is counted or named."""

from __future__ import annotations

import re
import unicodedata

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
