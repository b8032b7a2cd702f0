"""What texts are about: topics of words that go together, as many as come again, and their share by segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.errors import Refused
from shoal.insight.taste.factors import MIN_ROWS, factors
from shoal.insight.texts.language import ENGLISH, languages, little_words
from shoal.insight.texts.words import is_word, tokens
from shoal.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from shoal.insight.taste.factors import Trial

# Words of more than this share of the texts tell nothing apart.
_COMMON = 0.5
_SEEN = 3
_SHORTEST = 3


@dataclass(frozen=True)
class Topic:
    """One topic.

    Attributes:
        name: its three telling words.
        terms: the words that set it apart, strongest first.
        texts: how many texts it is the main topic of.
    """

    name: str
    terms: tuple[str, ...]
    texts: int


@dataclass(frozen=True)
class Topics:
    """The topics of a set of texts.

    Attributes:
        topics: by the number of different texts, largest first.
        main: each text's main topic, −1 for none.
        loadings: texts × topics; a row sums to 1, or to 0 where the text has no topic.
        verdict: ``supported``, or ``constructive`` where no number of topics held against chance.
        trials: the numbers of topics that were tried.
        different: how many different texts they were learnt from; copies don't make a topic.
        other_languages: how many texts were left out for their language.
    """

    topics: tuple[Topic, ...]
    main: NDArray[Any]
    loadings: NDArray[Any]
    verdict: str
    trials: tuple[Trial, ...]
    different: int
    other_languages: int


class Share(NamedTuple):
    """How many people of a segment wrote about a topic.

    Attributes:
        segment: its slug.
        topic: the topic's name.
        people: those who wrote about it.
        of: those of the segment who wrote about any topic.
        share: with Wilson's interval; the shares of a segment may sum to more than 1.
    """

    segment: str
    topic: str
    people: int
    of: int
    share: Interval


def topics(
    texts: Sequence[str],
    *,
    counts: Sequence[int] = range(2, 11),
    seed: int = 0,
    language: str | None = ENGLISH,
    stop_words: Sequence[str] = (),
) -> Topics:
    """Topics by non-negative factors of TF-IDF, the number by stability and against chance (see ``factors``).

    E-mail addresses, links and numbers are masked before, so that no topic is named by somebody's address; names of
    people aren't known as such: pass them as ``stop_words``. The order of the texts doesn't matter.

    Args:
        texts: any texts.
        counts: the numbers of topics to try.
        seed: of the draws.
        language: only texts in it; None takes all, and may find languages for topics.
        stop_words: words to leave out besides the little words of the language.

    Raises:
        Refused: fewer than fifty different texts with words in common.
    """
    import numpy as np

    spoken = languages(texts) if language is not None else [language] * len(texts)
    # Too short to tell is taken in: it can't be shown to be foreign.
    mine = [language is None or s in (language, "und") for s in spoken]
    foreign = sum(not m and s != "" for m, s in zip(mine, spoken, strict=True))
    different = sorted({text.strip() for text, m in zip(texts, mine, strict=True) if m and text.strip()})
    if len(different) < MIN_ROWS:
        raise Refused(
            f"{len(different)} different texts are too few for topics ({MIN_ROWS} at least; {foreign} are in other "
            "languages)."
        )
    matrix, vocabulary = _tf_idf(
        different, little_words(language or ENGLISH) | {word.casefold() for word in stop_words}
    )
    found = factors(matrix, vocabulary, counts=counts, seed=seed, scale=False, joiner=", ")
    place = {text: i for i, text in enumerate(different)}
    rows = np.array([place.get(text.strip(), -1) if m else -1 for text, m in zip(texts, mine, strict=True)])
    main = np.where(rows >= 0, found.main[rows], -1)
    loadings = np.where(rows[:, None] >= 0, found.loadings[rows], 0.0)
    size = np.bincount(main[main >= 0], minlength=len(found.factors))
    named = tuple(Topic(f.name, f.items, int(size[i])) for i, f in enumerate(found.factors))
    return Topics(named, main, loadings, found.verdict, found.trials, len(different), foreign)


def _tf_idf(texts: Sequence[str], stop: frozenset[str]) -> tuple[Any, list[str]]:
    """Log frequency times inverse document frequency, each text of length 1 (Salton & Buckley 1988)."""
    import numpy as np
    from scipy import sparse

    found: list[dict[str, int]] = []
    seen: dict[str, int] = {}
    for text in texts:
        here: dict[str, int] = {}
        for token in tokens(text):
            if is_word(token) and len(token) >= _SHORTEST and token not in stop:
                here[token] = here.get(token, 0) + 1
        found.append(here)
        for token in here:
            seen[token] = seen.get(token, 0) + 1
    kept = sorted(token for token, n in seen.items() if _SEEN <= n <= max(_SEEN, _COMMON * len(texts)))
    if not kept:
        raise Refused("The texts have no words in common that tell them apart.")
    column = {token: j for j, token in enumerate(kept)}
    cells = [(i, column[t], n) for i, here in enumerate(found) for t, n in sorted(here.items()) if t in column]
    row, col, count = (np.array(part) for part in zip(*cells, strict=True))
    inverse = np.log((1 + len(texts)) / (1 + np.array([seen[token] for token in kept]))) + 1
    value = (1 + np.log(count)) * inverse[col]
    length = np.sqrt(np.bincount(row, weights=value**2, minlength=len(texts)))
    return sparse.csr_matrix((value / length[row], (row, col)), shape=(len(texts), len(kept))), kept


def topic_shares(found: Topics, authors: ArrayLike, segments: Mapping[str, ArrayLike]) -> list[Share]:
    """The share of each topic among the people of each segment who wrote; a person counts once a topic.

    Args:
        found: the topics of the texts.
        authors: who wrote each text.
        segments: for each slug, whether each text's author is a member.

    Raises:
        Refused: for lengths that differ.
    """
    import numpy as np

    who = np.asarray(authors)
    out: list[Share] = []
    for slug, members in segments.items():
        inside = np.asarray(members, dtype=bool)
        if not len(who) == len(inside) == len(found.main):
            raise Refused(f"Texts, authors and members of {slug!r} differ in length.")
        inside = inside & (found.main >= 0)
        of = len(np.unique(who[inside]))
        for i, topic in enumerate(found.topics):
            people = len(np.unique(who[inside & (found.main == i)]))
            out.append(Share(slug, topic.name, people, of, wilson(people, of)))
    return out
