"""The mood of what customers wrote: by segment, beside all others, and as a trait of each customer.

English is scored, and nothing else: a text of another language is counted and said, never guessed at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.insight.feedback.asked import text_places
from shoal.insight.feedback.scores import LEAST, Against, against_document, share_gap
from shoal.insight.feedback.texts import texts_query
from shoal.insight.models.model import Score
from shoal.insight.texts.language import EMPTY, ENGLISH
from shoal.insight.texts.sentiment import NEGATIVE, POSITIVE, UNSCORED, accuracy, sentiment, shipped
from shoal.lang.schema import Kind
from shoal.stats.intervals import Interval, wilson
from shoal.stats.multiple import holm
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shoal.insight.feedback.members import Members
    from shoal.insight.feedback.texts import Texts
    from shoal.insight.texts.sentiment import Accuracy, Sentiment, Weights
    from shoal.shapes import FeedbackRule
    from shoal.sql.store import Store

TRAIT = "sentiment"
SAYS = "The mood of the newest English text that the customer wrote, from -1 (negative) to 1 (positive)."
_LEAST_LABELLED = 30


@dataclass(frozen=True, slots=True)
class Mood:
    """The mood of a segment's people, each by their newest text that could be scored.

    Args:
        slug: the segment's; None for everyone.
        positive: people.
        unclear: people whose text says both or neither.
        negative: people.
        unhappy: the share of negative ones, with Wilson's interval.
        against: beside all others who wrote; None for everyone, and where either has fewer than ten.
    """

    slug: str | None
    positive: int
    unclear: int
    negative: int
    unhappy: Interval
    against: Against | None = None

    @property
    def n(self) -> int:
        """How many people wrote something that could be scored."""
        return self.positive + self.unclear + self.negative

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "slug": self.slug, "n": self.n, "positive": self.positive, "unclear": self.unclear,
            "negative": self.negative, "negative_share": self.unhappy._asdict(),
            "against_others": against_document(self.against),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moods:
    """The moods of the newest texts.

    Args:
        where: where the texts stand.
        read: how many texts were read.
        total: how many there are.
        languages: by language, how many texts of it were left unscored; ``und``: the language can't be told.
        wordless: English texts without a word that says something about a mood.
        moods: everyone's first; segments of which nobody wrote are left out.
        agreement: how the moods agree with the scores given in the same answer; None where fewer than thirty were.
    """

    where: str
    read: int
    total: int
    languages: Mapping[str, int]
    wordless: int
    moods: tuple[Mood, ...]
    agreement: Accuracy | None

    def notes(self) -> list[str]:
        """What to know before trusting the moods, in words."""
        said = [] if self.read == self.total else [f"Read: the newest {self.read:,} of {counted(self.total, 'text')}."]
        if self.languages:
            told = ", ".join(f"{_language(code)} {n:,}" for code, n in self.languages.items())
            many = sum(self.languages.values())
            of = noun(many, "isn't scored for its", "aren't scored for their")
            said.append(f"{counted(many, 'text')} {of} language: {told}.")
        if self.wordless:
            has = noun(self.wordless, "has", "have")
            said.append(f"{counted(self.wordless, 'English text')} {has} no word that tells a mood.")
        if self.agreement is not None:
            right = self.agreement.right
            said.append(
                f"Of the texts whose writer gave a score too, and whose mood was told, {100 * right.value:.0f} % agree "
                f"with it ({100 * right.low:.0f} to {100 * right.high:.0f} %; n = {self.agreement.decided:,}; naming "
                f"always the commoner one: {100 * self.agreement.always:.0f} %)."
            )
        else:
            said.append("Too few texts have a score beside them, so nothing says how well the moods do here.")
        return said

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        agreement = self.agreement and asdict(self.agreement) | {"right": self.agreement.right._asdict()}
        return {
            "where": self.where,
            "read": self.read,
            "total": self.total,
            "unscored_languages": dict(self.languages),
            "without_a_telling_word": self.wordless,
            "segments": [mood.document() for mood in self.moods],
            "agreement_with_scores": agreement or None,
            "notes": self.notes(),
        }


def _language(code: str) -> str:
    return "not to be told" if code == "und" else code


def weights_of(rule: FeedbackRule) -> Weights:
    """The weights that ship, with the words of the trade as ``shoal.yaml`` has them."""
    return shipped().with_words(rule.words) if rule.words else shipped()


def scored(texts: Texts, rule: FeedbackRule) -> list[Sentiment]:
    """The sentiment of each text."""
    weights = weights_of(rule)
    return [sentiment(text, weights) for text in texts.texts]


def moods(texts: Texts, found: Sequence[Sentiment], people: Members) -> Moods:
    """Moods by segment.

    Args:
        texts: the texts, newest first.
        found: the sentiment of each.
        people: who is in which segment.
    """
    foreign = Counter(one.language for one in found if one.label == UNSCORED and one.language not in (ENGLISH, EMPTY))
    wordless = sum(one.label == UNSCORED and one.language == ENGLISH for one in found)
    owners, labels = _by_person(texts, found)
    masks = {slug: np.asarray(mask) for slug, mask in people.of(owners).items()}
    return Moods(
        texts.where,
        len(texts.texts),
        texts.total,
        dict(sorted(foreign.items(), key=lambda pair: (-pair[1], pair[0]))),
        wordless,
        tuple(_compared(labels, masks)),
        _agreement(texts, found),
    )


def _by_person(texts: Texts, found: Sequence[Sentiment]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Each person who wrote something that could be scored, with the label of the newest."""
    newest: dict[int, str] = {}
    for owner, one in zip(texts.owners.tolist(), found, strict=True):
        if one.label != UNSCORED:
            newest.setdefault(owner, one.label)
    return np.array(list(newest), dtype=np.int64), np.array(list(newest.values()), dtype=object)


def _compared(labels: np.ndarray[Any, Any], masks: Mapping[str, np.ndarray[Any, Any]]) -> list[Mood]:
    counts: dict[str | None, tuple[int, int, int]] = {None: _counts(labels)}
    counts |= {slug: _counts(labels[mask]) for slug, mask in masks.items() if mask.any()}
    everyone = counts[None]
    n = sum(everyone)
    if not n:
        return []
    raw = {
        slug: share_gap((mine[2], sum(mine)), (everyone[2] - mine[2], n - sum(mine)))
        for slug, mine in counts.items()
        if slug is not None and min(sum(mine), n - sum(mine)) >= LEAST
    }
    adjusted = dict(zip(raw, holm([p for _, p, _ in raw.values()]).tolist(), strict=True))
    beside = {slug: Against(gap, p, adjusted[slug], seen) for slug, (gap, p, seen) in raw.items()}
    return [
        Mood(slug, *mine, wilson(mine[2], sum(mine)), beside.get(slug) if slug else None)
        for slug, mine in counts.items()
    ]


def _counts(labels: np.ndarray[Any, Any]) -> tuple[int, int, int]:
    up, down = int((labels == POSITIVE).sum()), int((labels == NEGATIVE).sum())
    return up, len(labels) - up - down, down


def _agreement(texts: Texts, found: Sequence[Sentiment]) -> Accuracy | None:
    pairs = [(one, happy) for one, happy in zip(found, texts.happy, strict=True) if happy is not None]
    told = [pair for pair in pairs if pair[0].label in (POSITIVE, NEGATIVE)]
    if len(told) < _LEAST_LABELLED:
        return None
    return accuracy([one for one, _ in pairs], [happy for _, happy in pairs])


# ------------------------------------------------------------ the trait


def sentiment_scores(
    store: Store, at: int, rule: FeedbackRule, progress: Callable[[str, int, int], None] | None = None
) -> Score | None:
    """The trait ``sentiment``: of each customer the newest text that can be scored; None where nobody wrote one."""
    places = text_places(store, rule)
    if not places:
        return None
    query = texts_query(store, at, rule, places)
    ((total,),) = store.rows(f"SELECT count(*) FROM ({query})")
    weights, found, done = weights_of(rule), dict[int, float](), 0

    @lru_cache(maxsize=50_000)
    def score(text: str) -> float | None:
        return sentiment(text, weights).score

    for batch in store.batches(f"SELECT customer, text FROM ({query}) ORDER BY customer, ts DESC, mid DESC"):
        for owner, text in zip(batch["customer"].to_pylist(), batch["text"].to_pylist(), strict=True):
            if owner not in found and (value := score(text)) is not None:
                found[owner] = value
        done += batch.num_rows
        if progress is not None:
            progress("reading texts", done, total)
    if not found:
        return None
    return Score(TRAIT, Kind.NUMBER, SAYS, np.array(list(found), np.int32), np.array(list(found.values())))
