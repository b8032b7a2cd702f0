"""What customers wrote: moods, topics, quotes and needs, from real reviews in a real store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedback.answers import Held, answer, at, order
from models.texts.samples import FOREIGN
from shoal.errors import Refused
from shoal.insight.feedback.asked import text_places
from shoal.insight.feedback.members import members
from shoal.insight.feedback.moods import Moods, moods, scored, sentiment_scores
from shoal.insight.feedback.texts import read_texts
from shoal.insight.feedback.themes import Themes, themes
from shoal.insight.texts.words import redacted
from shoal.shapes import Event, FeedbackRule, TraitChange
from shoal.sql.duck import DuckStore

Write = Callable[[list[Any]], None]
RULE = FeedbackRule()
SOURCES = ("amazon_cells", "yelp", "imdb")


def review(customer: str, day: float, text: str, **properties: Any) -> Event:
    return Event(customer, "Review Written", at(day), {"text": text, **properties})


def moods_of(store: DuckStore, by_slug: dict[str, set[str]], rule: FeedbackRule = RULE, day: float = 100) -> Moods:
    texts = read_texts(store, at(day), rule)
    return moods(texts, scored(texts, rule), members(store, Held(store, at(day), by_slug)))


def themes_of(store: DuckStore, by_slug: dict[str, set[str]], day: float = 100) -> Themes:
    texts = read_texts(store, at(day), RULE)
    return themes(store, at(day), texts, scored(texts, RULE), members(store, Held(store, at(day), by_slug)))


def reviews(real_data: Path) -> list[Event]:
    """Three thousand real sentences of reviews, half of them good; each of a customer of their own."""
    found = []
    for source in SOURCES:
        lines = (real_data / "uci_sentiment_sentences" / f"{source}_labelled.txt").read_text("utf-8").split("\n")
        for i, line in enumerate(filter(None, lines)):
            text, _, good = line.rpartition("\t")
            found.append(review(f"{source}-{i}", i % 90, text, stars=5 if good == "1" else 1))
    return found


def of(source: str, events: list[Event]) -> set[str]:
    return {e.customer for e in events if e.customer.startswith(source)}


# ------------------------------------------------------------ moods


def test_moods_of_real_reviews_agree_with_their_stars(store: DuckStore, write: Write, real_data: Path) -> None:
    """3,000 sentences, 1,500 good. The shipped weights learnt from these very texts, so this shows that texts, stars and
    people are brought together rightly, and says nothing of how well moods do elsewhere (WEIGHTS.md does)."""
    events = reviews(real_data)
    write(events)
    found = moods_of(store, {source: of(source, events) for source in SOURCES})
    assert (found.read, found.total) == (3000, 3000)
    assert found.agreement is not None
    assert found.agreement.right.value > 0.95
    assert sum(m.n for m in found.moods[1:]) == found.moods[0].n
    assert sum(found.languages.values()) + found.wordless + found.moods[0].n == 3000
    assert all(abs(m.unhappy.value - 0.5) < 0.1 for m in found.moods)


def test_other_languages_are_counted_and_never_scored(store: DuckStore, write: Write) -> None:
    """Breaks when a foreign text gets a mood, or is dropped in silence."""
    abroad = [text for texts in FOREIGN.values() for text in texts]
    write([review(f"f{i}", 1, text) for i, text in enumerate(abroad)] + [review("e", 1, "I love it, great quality.")])
    found = moods_of(store, {"abroad": {f"f{i}" for i in range(len(abroad))}})
    assert [m.slug for m in found.moods] == [None]
    assert found.moods[0].n == 1
    assert sum(found.languages.values()) == len(abroad)
    assert any("aren't scored for their language" in note for note in found.notes())


def test_words_of_the_trade_are_taken_from_the_settings(store: DuckStore, write: Write) -> None:
    write([review(f"c{i}", 1, "This wheel is sick and wicked") for i in range(3)])
    plain = moods_of(store, {}).moods[0]
    told = moods_of(store, {}, FeedbackRule(words={"sick": 1.0, "wicked": 1.0})).moods[0]
    assert told.positive == 3
    assert told.positive > plain.positive


def test_a_segment_of_unhappy_people_is_found(store: DuckStore, write: Write) -> None:
    """Breaks when a mood is counted by text: one who writes ten times is one."""
    write([review(f"g{i}", 1, "Great service, I love it.") for i in range(40)])
    write([review(f"b{i}", 1, "Terrible and rude, what a waste.") for i in range(20)])
    write([review("b0", 2 + k, "Terrible and rude, what a waste.") for k in range(30)])
    found = {m.slug: m for m in moods_of(store, {"sad": {f"b{i}" for i in range(20)}}).moods}
    assert (found["sad"].negative, found["sad"].n, found[None].n) == (20, 20, 60)
    assert found["sad"].against is not None
    assert found["sad"].against.differs


def test_a_note_on_an_order_is_no_review(store: DuckStore, write: Write) -> None:
    write([Event("a", "Order Completed", at(1), {"revenue": 5, "comment": "Ring twice"}), order("b", 1)])
    assert text_places(store, RULE) == []
    with pytest.raises(Refused, match="own words"):
        read_texts(store, at(10), RULE)


# ------------------------------------------------------------ the trait


def test_the_trait_is_of_the_newest_text_that_can_be_scored(store: DuckStore, write: Write) -> None:
    """Breaks when an older text wins, a foreign one clears the mood, or tomorrow's is known today."""
    write(
        [
            review("a", 1, "Terrible, rude and slow."), review("a", 2, "Great, I love it now."),
            review("b", 1, "I love it."), review("b", 2, "Das ist leider nicht gut und kam zu spät an."),
            review("c", 1, "Muy malo, no lo compro nunca más."), review("d", 50, "I love it."),
        ]
    )  # fmt: skip
    score = sentiment_scores(store, at(10), RULE)
    assert score is not None
    keys = dict(store.rows("SELECT key, id FROM customers"))
    found = {keys[k]: v for k, v in zip(score.owners.tolist(), np.asarray(score.values).tolist(), strict=True)}
    assert found.keys() == {"a", "b"}
    assert found["a"] > 0.2
    assert found["b"] > 0.2


def test_equal_texts_give_equal_moods_in_any_order(store: DuckStore, write: Write) -> None:
    events = [review(f"c{i}", i, ["Bad, broken.", "Works great!"][i % 2]) for i in range(20)]
    write(events[::-1])
    score = sentiment_scores(store, at(100), RULE)
    assert score is not None
    assert len(set(np.asarray(score.values).tolist())) == 2


# ------------------------------------------------------------ topics, quotes, needs


def test_topics_of_real_reviews_tell_food_from_phones_and_films(
    store: DuckStore, write: Write, real_data: Path
) -> None:
    """Breaks when topics, people and segments are joined wrongly: each source writes most of its own matter."""
    events = reviews(real_data)[::3]
    write(events)
    found = themes_of(store, {source: of(source, events) for source in SOURCES})
    assert len(found.themes) >= 3
    for source, word in (("amazon_cells", "phone"), ("yelp", "food"), ("imdb", "movie")):
        topic = next(t.name for t in found.themes if word in t.terms)
        shares = {s.segment: s.share.value for s in found.shares if s.topic == topic}
        assert max(shares, key=lambda slug: shares[slug]) == source
    quotes = [quote for theme in found.themes for quote in theme.quotes]
    assert len(quotes) == len(set(quotes)) == 3 * len(found.themes)
    assert not found.needs.too_small


def test_a_need_of_one_segment_is_found(store: DuckStore, write: Write) -> None:
    """Families miss a seat for the child; others who are unhappy miss other things. Breaks when segments are mixed up."""
    lots = np.random.default_rng(5)
    matters = {
        "seat": ["child seat", "seat belt", "booster seat", "baby chair", "child strap"],
        "price": ["price", "costly invoice", "expensive fee", "price per month", "hidden fee"],
        "delivery": ["late parcel", "courier", "delivery delay", "lost parcel", "driver"],
    }
    events, families = [], set()
    for i in range(600):
        family = i % 3 == 0
        matter = (
            "seat"
            if family and lots.random() < 0.6
            else str(lots.choice(["price", "delivery", "seat"], p=[0.45, 0.45, 0.1]))
        )
        words = " and ".join(lots.choice(matters[matter], 3, replace=False))
        events.append(
            answer(f"c{i}", i % 90, nps=int(lots.integers(0, 5)), answer=f"The {words} number {i} is a problem")
        )
        families |= {f"c{i}"} if family else set()
    write(events)
    found = themes_of(store, {"families": families, "others": {f"c{i}" for i in range(600)} - families})
    unmet = [(need.segment, need.topic) for need in found.needs.needs if need.unmet]
    assert len([one for one in unmet if one[0] == "families"]) == 1
    assert any(word in unmet[0][1] for word in ("seat", "child", "baby", "chair", "belt"))


def test_quotes_show_no_personal_data(store: DuckStore, write: Write) -> None:
    """Breaks when an address, a number or the writer's own name gets out with a quote."""
    texts = [
        f"The sound of speaker number {i} is {w}, ask Faith Juma at faith.juma.{i}@example.org or +1 212-555-01{i:02d}"
        for i, w in ((i, ["clear", "tinny", "loud", "flat"][i % 4]) for i in range(60))
    ]
    write([review(f"c{i}", 1, text) for i, text in enumerate(texts)])
    write([TraitChange(f"c{i}", "name", "Faith Juma", at(0)) for i in range(60)])
    quotes = [quote for theme in themes_of(store, {}).themes for quote in theme.quotes]
    assert quotes
    for quote in quotes:
        assert "@" not in quote
        assert "555" not in quote
        assert "faith" not in quote.casefold()
        assert "juma" not in quote.casefold()
        assert "[name] [name] at [e-mail] or [number]" in quote


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Wait of 20 days, 3.5 stars", "Wait of 20 days, 3.5 stars"),
        ("card 4111 1111 1111 1111 please", "card [number] please"),
        ("see https://x.example/u?id=7 or @ann_lee", "see [link] or [handle]"),
        ("ANN's sister Annabel, ann.", "[name]'s sister Annabel, [name]."),
    ],
)
def test_what_is_blacked_out_and_what_is_not(text: str, shown: str) -> None:
    assert redacted(text, ["Ann", "A"]) == shown


def test_too_few_texts_are_refused(store: DuckStore, write: Write) -> None:
    write([review("a", 1, "Good."), review("b", 1, "Bad.")])
    with pytest.raises(Refused, match="too few for topics"):
        themes_of(store, {})
