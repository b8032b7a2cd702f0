"""What customers write about: topics with what some of them said, by segment, and the needs that are missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.customers.profiles import current_values
from shoal.insight.texts.needs import unmet_needs
from shoal.insight.texts.sentiment import NEGATIVE, POSITIVE
from shoal.insight.texts.topics import topic_shares, topics
from shoal.insight.texts.words import redacted
from shoal.lang.schema import Kind
from shoal.sql.registry import CUSTOMER, Registry
from shoal.stats.intervals import Interval, wilson
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from shoal.insight.feedback.members import Members
    from shoal.insight.feedback.texts import Texts
    from shoal.insight.texts.needs import Needs
    from shoal.insight.texts.sentiment import Sentiment
    from shoal.insight.texts.topics import Share, Topics
    from shoal.sql.store import Store

QUOTES, LONGEST = 3, 240
_NAMES = (
    "name", "first_name", "last_name", "full_name", "given_name", "family_name", "surname", "firstname", "lastname",
    "nickname", "username", "street", "address",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Theme:
    """A topic, who wrote about it, and what some of them said.

    Args:
        name: its three telling words.
        terms: the words that set it apart, strongest first.
        texts: how many texts it is the main topic of.
        people: how many people wrote them.
        unhappy: of the people whose mood about it is known, the share that is unhappy.
        known: how many people that is.
        quotes: what they said, with personal data blacked out.
    """

    name: str
    terms: tuple[str, ...]
    texts: int
    people: int
    unhappy: Interval
    known: int
    quotes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Themes:
    """Topics by segment, and the needs that are missed.

    Args:
        where: where the texts stand.
        read: how many texts were read.
        total: how many there are.
        verdict: ``supported``, or ``constructive`` where no number of topics held against chance.
        other_languages: texts left out for their language.
        themes: the topics, largest first.
        shares: how many people of each segment wrote about each.
        needs: what a segment's unhappy people write about more than all others.
    """

    where: str
    read: int
    total: int
    verdict: str
    other_languages: int
    themes: tuple[Theme, ...]
    shares: tuple[Share, ...]
    needs: Needs

    def notes(self) -> list[str]:
        """What to know before trusting the topics, in words."""
        said = [] if self.read == self.total else [f"Read: the newest {self.read:,} of {counted(self.total, 'text')}."]
        if self.other_languages:
            left = noun(self.other_languages, "is", "are")
            said.append(f"{counted(self.other_languages, 'text')} {left} left out for the language.")
        if self.verdict != "supported":
            said.append("No number of topics holds against chance: these part the texts usefully at best.")
        return said

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "where": self.where,
            "read": self.read,
            "total": self.total,
            "verdict": self.verdict,
            "topics": [
                {
                    "name": t.name, "terms": list(t.terms), "texts": t.texts, "people": t.people,
                    "unhappy": t.unhappy._asdict() | {"n": t.known}, "quotes": list(t.quotes),
                }
                for t in self.themes
            ],
            "segments": [s._asdict() | {"share": s.share._asdict()} for s in self.shares],
            "needs": [
                need._asdict() | {"lift": need.lift._asdict(), "says": need.sentence} for need in self.needs.needs
            ],
            "too_small_for_needs": list(self.needs.too_small),
            "notes": self.notes(),
        }  # fmt: skip


def unhappy(texts: Texts, found: Sequence[Sentiment]) -> list[bool | None]:
    """Of each text whether its writer is unhappy: by the score given with it, or else by its mood; None: not known."""
    by_mood = {NEGATIVE: True, POSITIVE: False}
    return [
        by_mood.get(one.label) if happy is None else not happy for one, happy in zip(found, texts.happy, strict=True)
    ]


def themes(store: Store, at: int, texts: Texts, found: Sequence[Sentiment], people: Members) -> Themes:
    """Find topics and unmet needs.

    Args:
        store: gives the writers' names, so that quotes don't show them.
        at: the instant.
        texts: the texts.
        found: the sentiment of each.
        people: who is in which segment.

    Raises:
        Refused: fewer than fifty different texts with words in common.
    """
    split = topics(texts.texts)
    sad = unhappy(texts, found)
    masks = people.of(texts.owners)
    names = [topic.name for topic in split.topics]
    quoted = [_picked(texts, split, i) for i in range(len(names))]
    own = _own_names(store, at, {int(texts.owners[i]) for rows in quoted for i in rows})
    told = [_theme(texts, split, sad, i, rows, own) for i, rows in enumerate(quoted)]
    return Themes(
        texts.where,
        len(texts.texts),
        texts.total,
        split.verdict,
        split.other_languages,
        tuple(told),
        tuple(topic_shares(split, texts.owners, masks)),
        unmet_needs(split.main, names, [one is True for one in sad], texts.owners, masks),
    )


def _theme(
    texts: Texts, split: Topics, sad: Sequence[bool | None], i: int, rows: Iterable[int], own: dict[int, list[str]]
) -> Theme:
    topic, here = split.topics[i], np.flatnonzero(split.main == i)
    rows_here = here.tolist()
    known = {int(texts.owners[row]) for row in rows_here if sad[row] is not None}
    bad = {int(texts.owners[row]) for row in rows_here if sad[row]}
    quotes = tuple(_quote(texts.texts[row], own.get(int(texts.owners[row]), [])) for row in rows)
    writers = len(np.unique(texts.owners[here]))
    return Theme(topic.name, topic.terms, topic.texts, writers, wilson(len(bad), len(known)), len(known), quotes)


def _picked(texts: Texts, split: Topics, i: int) -> list[int]:
    """The texts that are most of the topic and of little else: of different people, no two alike."""
    here = np.flatnonzero(split.main == i)
    loading: npt.NDArray[Any] = split.loadings[here, i]
    length = np.array([min(len(texts.texts[row]), LONGEST) for row in here])
    order = here[np.lexsort((here, -length, -np.round(loading, 2)))]
    picked: list[int] = []
    writers: set[int] = set()
    said: set[str] = set()
    for row in order.tolist():
        text, writer = texts.texts[row].strip().casefold(), int(texts.owners[row])
        if text in said or writer in writers:
            continue
        picked.append(row)
        said.add(text)
        writers.add(writer)
        if len(picked) == QUOTES:
            break
    return picked


def _quote(text: str, own: Iterable[str]) -> str:
    """One line of at most 240 letters, cut at a word, with personal data blacked out before the cut."""
    line = " ".join(redacted(text[: 4 * LONGEST], own).split())
    return line if len(line) <= LONGEST else line[:LONGEST].rsplit(" ", 1)[0] + " …"


def _own_names(store: Store, at: int, owners: set[int]) -> dict[int, list[str]]:
    """The words of the names and addresses that are known of some customers."""
    found: dict[int, list[str]] = {}
    if not owners:
        return found
    inside = ", ".join(map(str, sorted(owners)))
    for trait in Registry.load(store).traits.values():
        if trait.scope == CUSTOMER and trait.kind is Kind.TEXT and not trait.unset and trait.name.casefold() in _NAMES:
            values = current_values(store, trait, at)
            for owner, value in store.rows(f"SELECT owner, value FROM ({values}) WHERE owner IN ({inside})"):
                found.setdefault(owner, []).extend((value or "").replace(",", " ").split())
    return found
