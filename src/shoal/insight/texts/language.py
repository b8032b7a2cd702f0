"""English or not: by script, the little words of twelve languages, and words that English texts use.

A text is called English only where something speaks for it; a wrong "not English" costs a score, a wrong "English"
would give a wrong one.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from shoal.insight.texts.words import is_word, tokens

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

ENGLISH, UNKNOWN, EMPTY = "en", "und", ""

# The commonest words of each, those kept that tell it from its neighbours as well as those that don't: a word counts
# for each language that has it.
_LITTLE = {
    "en": """the be to of and a in that have i it for not on with he as you do at this but his by from they we say her
        she or an will my one all would there their what so up out if about who get which go me when make can like no
        just him know take into your good some could them see other than then now only its over also after use how our
        work first well way even new want because any these us is are was were has had been did does don't didn't isn't
        it's i'm wasn't very too great really never always more most much won't can't doesn't off before again""",
    "de": """der die das und ist nicht ich ein eine einen einem einer zu mit den dem des auf für von im sich auch es an
        so wie war sehr aber wir sie er hat haben habe bei nach aus noch nur wenn als oder kein keine mehr wird wurde
        werden schon gut leider alles ganz mir mich uns man sind gar nie immer wieder zum zur über vom am bin""",
    "fr": """le la les un une des et est pas je il elle nous vous ils de du que qui en dans pour sur avec ce cette ces
        mon ma mes son sa ses très plus mais ou où au aux ne se par sont été était fait tout tous bien comme j'ai c'est
        n'est suis avez merci trop rien jamais toujours à on leur sans même""",
    "es": """el la los las un una y es no de que en por para con su sus se lo le me mi muy más pero como al del este
        esta estos son fue ha he todo bien nada yo nos ni sin sobre ya hay está también cuando porque qué nunca
        siempre mal buen bueno muchas gracias""",
    "it": """il lo la i gli le un una e è non di che in per con su da del della dei delle al alla sono ho ha molto più
        ma come mi si ci questo questa tutto anche mio mia era nel nella bene mai sempre stato perché grazie troppo
        c'è due ottimo""",
    "pt": """o a os as um uma e é não de que em por para com do da dos das no na seu sua se muito mais mas como ao foi
        eu me meu minha este esta isso tudo bem nunca sempre já está são também quando porque ele ela nos obrigado""",
    "nl": """de het een en is niet ik van in op te dat met voor zijn er aan ook als maar om dan nog bij uit naar wel
        heb heeft was we je mijn geen zeer goed erg veel hebben worden wordt door over deze dit die nooit altijd
        alles weer""",
    "sv": """och det att i en jag som är på inte av för med ett den till har de var om så men vi kan mycket bra från
        min mig detta eller aldrig alltid när också hade var vad inget""",
    "da": """og det at i en jeg som er på ikke af for med et den til har de var om så men vi kan meget godt fra min
        mig dette eller aldrig altid når også havde hvad intet""",
    "pl": """i w nie na to się z do jest że jak ale o co za od po tak bardzo dla był była są mi już tylko mnie czy
        przez ten ta te jestem nigdy zawsze wszystko polecam""",
    "tr": """ve bir bu çok için da de ne ama ile daha gibi ben var yok değil olarak o en kadar sonra hiç her iyi güzel
        ürün teşekkürler aldım oldu""",
    "fi": """ja on ei se että oli en mutta kun niin hyvä minä tämä ovat myös vain kuin jos olen sen joka erittäin
        todella hyvin aina""",
}
_LITTLE_OF = {code: frozenset(words.split()) for code, words in _LITTLE.items()}
_LITTLE_ABROAD = frozenset().union(*(words for code, words in _LITTLE_OF.items() if code != ENGLISH))
_SCRIPTS = ("CYRILLIC", "GREEK", "ARABIC", "HEBREW", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "DEVANAGARI")
# Writing that is no Latin at all is told apart no further than its script.
_SCRIPT_CODE = "und-"
_KNOWN, _LITTLE_WORD = 0.5, 1.0


def language_of(text: str, english: Collection[str] = frozenset()) -> str:
    """The language of a text: ``en``, another two-letter code, ``und-`` with a script, ``und``, or ``""`` (no text).

    Emoji, numbers and marks aren't language: a text of nothing else is ``und``.

    Args:
        text: any text; only its beginning is read.
        english: words that English texts are known to use, for texts too short for little words ("great product").
    """
    found = tokens(text)
    if not text.strip():
        return EMPTY
    words = [token for token in found if is_word(token)]
    if not words:
        return UNKNOWN
    script = _script(words)
    if script is not None:
        return _SCRIPT_CODE + script
    return _latin(words, english)


def languages(texts: Sequence[str], english: Collection[str] = frozenset()) -> list[str]:
    """``language_of`` of each text."""
    return [language_of(text, english) for text in texts]


def little_words(code: str = ENGLISH) -> frozenset[str]:
    """The little words of a language, which are about nothing; empty for one that isn't known."""
    return _LITTLE_OF.get(code, frozenset())


def _script(words: list[str]) -> str | None:
    """The script of most letters where that isn't Latin."""
    letters = [letter for word in words[:200] for letter in word if letter.isalpha()]
    kinds = Counter(unicodedata.name(letter, "UNKNOWN").split(" ")[0].split("-")[0] for letter in letters)
    foreign = Counter({name: kinds[name] for name in _SCRIPTS if kinds[name]})
    if sum(foreign.values()) * 2 <= len(letters):
        return None
    return foreign.most_common(1)[0][0].lower()


def _latin(words: list[str], english: Collection[str]) -> str:
    score = dict.fromkeys(_LITTLE_OF, 0.0)
    for word in words:
        for code, little in _LITTLE_OF.items():
            if word in little:
                score[code] += _LITTLE_WORD
        # What another language has too ("a", "no") says nothing more for being known.
        if word in english and word not in _LITTLE_ABROAD:
            score[ENGLISH] += _KNOWN
        elif not word.isascii():
            score[ENGLISH] -= _KNOWN
    mine, other = score[ENGLISH], max((code for code in score if code != ENGLISH), key=lambda code: score[code])
    # A quarter of the words must speak for English, and more than for any other language.
    if mine > score[other] and mine >= 0.25 * len(words):
        return ENGLISH
    return other if score[other] >= max(1.0, 0.15 * len(words)) and score[other] > mine else UNKNOWN
