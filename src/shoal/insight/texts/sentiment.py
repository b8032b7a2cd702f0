"""Sentiment of English texts: a small logistic model that ships with the package; other languages stay unscored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from itertools import pairwise
from math import exp, sqrt
from typing import TYPE_CHECKING

from shoal.errors import Refused
from shoal.insight.texts.language import EMPTY, ENGLISH, language_of
from shoal.insight.texts.words import is_word, tokens
from shoal.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

POSITIVE, NEGATIVE, UNCLEAR, UNSCORED = "positive", "negative", "unclear", "unscored"
# Between these the two sides are about even: the label says so instead of guessing.
_LOW, _HIGH = 0.4, 0.6
_REACH = 3
_NEGATIONS = frozenset(
    {
        *("not", "no", "never", "cannot", "without", "nothing", "nor", "neither", "hardly", "barely"),
        *("dont", "didnt", "doesnt", "wont", "isnt", "wasnt", "cant", "couldnt", "wouldnt"),
    }
)
_TURNS = frozenset({"but", "however", "although", "yet"})
# The texts that were learnt from have no emoji, so these are set by hand, as strong as a strong word.
_FACES = dict.fromkeys(
    [":)", ":-)", ";)", ":D", ":d", ":-d", "<3", *"😀😃😄😁😊🙂😍🥰😘😎🤩👍👏🙌💪❤💕💖🎉🔥⭐✨💯"], 3.0
) | (dict.fromkeys([":(", ":-(", ":/", ":-/", *"🙁😞😠😡🤬😢😭😤😒😩😫🤮🤢👎💔😖😣😔😕"], -3.0))
_WEIGHTS_FILE = "english_sentiment.tsv"


@dataclass(frozen=True)
class Sentiment:
    """What one text says.

    Attributes:
        label: ``positive``, ``negative``, ``unclear`` (about even) or ``unscored``.
        score: −1 (negative) … 1 (positive), None where unscored.
        language: as ``language_of`` tells it.
        reason: the words that tip the score, or why there is none.
    """

    label: str
    score: float | None
    language: str
    reason: str


@dataclass(frozen=True)
class Weights:
    """A logistic model over the marks of a text.

    Attributes:
        bias: the log-odds of a text without any known mark.
        of: the weight of each mark; see ``marks``.
    """

    bias: float
    of: Mapping[str, float]

    @cached_property
    def words(self) -> frozenset[str]:
        """The plain words it knows: English ones, all of them."""
        return frozenset(mark for mark in self.of if mark.isalpha() or (mark[0].isalpha() and "'" in mark))

    def with_words(self, own: Mapping[str, float]) -> Weights:
        """The same model with the weights of some words replaced: the terms of a trade ("cheap", "sick", "light").

        Args:
            own: −1 (negative) … 1 (positive) a word; 0 takes a word out of the account. A negation turns them round.

        Raises:
            Refused: for a weight outside −1 … 1.
        """
        changed = dict(self.of)
        for word, weight in own.items():
            if not -1 <= weight <= 1:
                raise Refused(f"The weight of {word!r} is {weight:g}.", fix="Use a number from −1 to 1.")
            folded = word.casefold()
            changed[folded] = weight * _OWN_SCALE
            changed["~" + folded] = -2 * weight * _OWN_SCALE
            changed |= dict.fromkeys((mark for mark in _pieces(folded) if mark in changed), 0.0)
        return Weights(self.bias, changed)

    def dumps(self) -> str:
        """As tab-separated text, one mark a line, by name; the first line is the bias."""
        lines = [f"{mark}\t{weight:.2f}" for mark, weight in sorted(self.of.items())]
        return "\n".join([f"\t{self.bias:.3f}", *lines, ""])


# As strong as the strongest words that were learnt.
_OWN_SCALE = 6.0


def loads(text: str) -> Weights:
    """Weights from what ``Weights.dumps`` wrote.

    Raises:
        Refused: naming the line that isn't a mark, a tab and a number.
    """
    found: dict[str, float] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        mark, tab, weight = line.rpartition("\t")
        try:
            found[mark] = float(weight)
        except ValueError:
            tab = ""
        if not tab:
            raise Refused("This isn't a mark, a tab and a weight.", place=f"line {number}")
    if "" not in found:
        raise Refused("The bias (a line that begins with a tab) is missing.")
    return Weights(found.pop(""), found)


@cache
def shipped() -> Weights:
    """The weights in the package; WEIGHTS.md beside them says what they were learnt from and how well they do."""
    learnt = loads(resources.files(__package__).joinpath(_WEIGHTS_FILE).read_text(encoding="utf-8"))
    return Weights(learnt.bias, {**learnt.of, **_FACES})


def marks(text: str) -> list[str]:
    """The distinct marks of a text: words, words after a negation (``~good``), pairs, pieces of words (``#<disa``).

    >>> [mark for mark in marks("Not good!") if mark[0] != "#"]
    ['!', 'good', 'good !', 'not', 'not good', '~!', '~good']
    """
    words = tokens(text)
    found = {*words, *(f"{a} {b}" for a, b in pairwise(words))}
    left = 0
    for word in words:
        if word in _TURNS:
            left = 0
        if left:
            found.add("~" + word)
        left = max(0, left - 1)
        if word in _NEGATIONS or word.endswith("n't"):
            left = _REACH
        if is_word(word):
            found |= set(_pieces(word))
    return sorted(found)


def _pieces(word: str) -> list[str]:
    """Runs of four and five letters of a longer word, so that "disappointingly" is near "disappointing"."""
    if not 4 < len(word) <= 30:
        return []
    edged = f"<{word}>"
    return ["#" + edged[i : i + n] for n in (4, 5) for i in range(len(edged) - n + 1)]


def sentiment(text: str, weights: Weights | None = None, language: str | None = None) -> Sentiment:
    """The sentiment of one text; never of one that isn't English.

    A text counts as a whole, a long one by its first 20,000 characters. Sarcasm isn't seen, and words of a trade may
    mean something else: ``accuracy`` tells on labelled texts of your own, ``with_words`` mends.

    Args:
        text: any text.
        weights: by default the shipped ones.
        language: where it is known; else it is told from the text.
    """
    model = weights or shipped()
    spoken = language if language is not None else language_of(text, model.words)
    if spoken == EMPTY:
        return Sentiment(UNSCORED, None, spoken, "There is no text.")
    if spoken != ENGLISH and not (spoken == "und" and _only_faces(text)):
        what = f"The language is {spoken!r}" if spoken != "und" else "The language can't be told"
        return Sentiment(UNSCORED, None, spoken, f"{what}; only English is scored.")
    present = marks(text)
    known = [mark for mark in present if mark in model.of]
    if not known:
        return Sentiment(UNSCORED, None, spoken, "It has no word that says something about sentiment.")
    chance = _chance(model, known)
    label = POSITIVE if chance > _HIGH else NEGATIVE if chance < _LOW else UNCLEAR
    return Sentiment(label, 2 * chance - 1, spoken, _why(model, known, label))


def sentiments(texts: Iterable[str], weights: Weights | None = None) -> list[Sentiment]:
    """``sentiment`` of each text."""
    return [sentiment(text, weights) for text in texts]


def _only_faces(text: str) -> bool:
    """Whether a text is of smileys and emoji alone: they need no language."""
    found = tokens(text)
    return bool(found) and not any(is_word(token) for token in found)


def _chance(model: Weights, known: Sequence[str]) -> float:
    """The chance of a positive text; the marks count as a unit vector, as they did in learning."""
    log_odds = model.bias + sum(model.of[mark] for mark in known) / sqrt(len(known))
    return 1 / (1 + exp(-max(-30.0, min(30.0, log_odds))))


def _why(model: Weights, known: Sequence[str], label: str) -> str:
    words = [mark for mark in known if mark[0] != "#"] or list(known)
    best = sorted(words, key=lambda mark: (-abs(model.of[mark]), mark))
    sides = {
        sign: [mark.replace("~", "not … ") for mark in best if (model.of[mark] > 0) == sign and model.of[mark]][:3]
        for sign in (True, False)
    }
    for_, against = ", ".join(sides[True]), ", ".join(sides[False])
    if label == UNCLEAR:
        return f"Both sides: {for_ or 'nothing'} for it, {against or 'nothing'} against it."
    return f"Because of: {for_ if label == POSITIVE else against}."


@dataclass(frozen=True)
class Accuracy:
    """How the model does on labelled texts.

    Attributes:
        right: the share of decided texts whose label is right, with Wilson's interval.
        decided: how many were called positive or negative.
        unclear: how many were too even.
        unscored: how many weren't scored (another language, no known word).
        always: what always naming the commoner label would get: the least that is worth something.
        forced: the share right of all, an unclear one counting by its side and an unscored one as wrong.
    """

    right: Interval
    decided: int
    unclear: int
    unscored: int
    always: float
    forced: float


def accuracy(found: Sequence[Sentiment], positive: Sequence[bool]) -> Accuracy:
    """Measure sentiments against labels that people gave.

    Raises:
        Refused: for different lengths, or nothing to measure.
    """
    if len(found) != len(positive) or not found:
        raise Refused(f"There are {len(positive)} labels for {len(found)} texts.", fix="Give one label a text.")
    pairs = list(zip(found, positive, strict=True))
    decided = [(s.label == POSITIVE) == truth for s, truth in pairs if s.label in (POSITIVE, NEGATIVE)]
    side = sum((s.score > 0) == truth for s, truth in pairs if s.score is not None)
    up = sum(map(bool, positive))
    return Accuracy(
        wilson(sum(decided), len(decided)),
        len(decided),
        sum(s.label == UNCLEAR for s in found),
        sum(s.label == UNSCORED for s in found),
        max(up, len(found) - up) / len(found),
        side / len(found),
    )
