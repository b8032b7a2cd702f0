"""Sentiment: what is measured on real labelled texts, what ships, and what a text's answer says."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from models.texts.samples import sentences, snippets
from shoal.errors import Refused
from shoal.insight.texts.learning import folds, learn
from shoal.insight.texts.sentiment import accuracy, loads, sentiment, sentiments, shipped


def labelled() -> tuple[list[str], list[bool], list[str]]:
    """All texts with a clear label, and the group that must stay together."""
    rows = [(t, y, f"{s}{i}") for s, pairs in sentences().items() for i, (t, y) in enumerate(pairs)]
    rows += [(text, rating > 0, f"s{review}") for review, rating, text in snippets() if abs(rating) >= 0.5]
    first: dict[str, str] = {}
    return [r[0] for r in rows], [r[1] for r in rows], [first.setdefault(r[0].casefold(), r[2]) for r in rows]


def test_the_data_are_what_they_are_said_to_be() -> None:
    """The published facts of both data sets."""
    assert {s: (len(p), sum(y for _, y in p)) for s, p in sentences().items()} == dict.fromkeys(
        ("amazon_cells", "yelp", "imdb"), (1000, 500)
    )
    ratings = np.array([rating for _, rating, _ in snippets()])
    assert len(ratings) == 3708
    assert ratings.mean() == pytest.approx(0.3823, abs=5e-5)
    assert (ratings > 0).mean() == pytest.approx(0.5739, abs=5e-5)


def test_accuracy_on_texts_that_were_not_seen() -> None:
    """One of five folds with reviews kept whole; WEIGHTS.md has all five (0.859 of the decided, 0.813 of all)."""
    texts, positive, groups = labelled()
    held = folds(groups) == 0
    model = learn([t for t, h in zip(texts, held, strict=True) if not h], np.array(positive)[~held])
    found = sentiments([t for t, h in zip(texts, held, strict=True) if h], model)
    measured = accuracy(found, np.array(positive)[held])
    assert measured.right.value > 0.83
    assert measured.forced > 0.79
    assert measured.always < 0.6
    assert measured.unscored < 0.02 * len(found)


def test_accuracy_on_a_source_that_was_not_seen() -> None:
    """Restaurants, by a model of phones, films and products: lower than within sources, and far above chance."""
    texts, positive, groups = labelled()
    unseen = np.array([g.startswith("yelp") for g in groups])
    model = learn([t for t, u in zip(texts, unseen, strict=True) if not u], np.array(positive)[~unseen])
    measured = accuracy(sentiments([t for t, u in zip(texts, unseen, strict=True) if u], model),
                        np.array(positive)[unseen])  # fmt: skip
    assert measured.right.low > 0.8
    assert measured.forced > 0.78


def test_the_shipped_weights_are_those_of_the_data() -> None:
    """Anyone with the data gets the same file, whatever the order of the texts; and it is small."""
    texts, positive, _ = labelled()
    order = np.random.default_rng(0).permutation(len(texts))
    again = learn([texts[i] for i in order], [positive[i] for i in order])
    path = resources.files("shoal.insight.texts").joinpath("english_sentiment.tsv")
    kept = loads(path.read_text(encoding="utf-8"))
    assert kept.of.keys() == again.of.keys()
    assert max(abs(kept.of[mark] - again.of[mark]) for mark in kept.of) < 0.02
    assert len(path.read_bytes()) <= 300_000


def test_the_weights_carry_no_rare_phrase_of_the_texts() -> None:
    """Each mark is at most two words, so no text can be read out of the file."""
    assert max(mark.count(" ") for mark in shipped().of) == 1


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The service was excellent and the food was delicious.", "positive"),
        ("Terrible quality, it broke after two days. What a waste of money.", "negative"),
        ("I love it! 😍", "positive"),
        ("It works great, highly recommended :)", "positive"),
        ("Not good. I am very disappointed.", "negative"),
        ("👍", "positive"),
        ("😡😡😡", "negative"),
    ],
)
def test_plain_cases(text: str, label: str) -> None:
    found = sentiment(text)
    assert found.label == label, found
    assert (found.score > 0) == (label == "positive")


def test_the_reason_names_the_words() -> None:
    assert "excellent" in sentiment("The service was excellent.").reason
    assert "waste" in sentiment("What a waste of money.").reason


def test_negation_turns() -> None:
    assert sentiment("This is not good.").score < sentiment("This is good.").score


def test_empty_texts_are_unscored_with_the_reason() -> None:
    for text in ("", "   ", "\n\t"):
        assert sentiment(text).reason == "There is no text."
        assert sentiment(text).score is None
    assert sentiment("12345").label == "unscored"
    assert sentiments([]) == []


def test_equal_texts_have_equal_sentiment() -> None:
    assert len(set(sentiments(["Great value, works well."] * 50))) == 1


def test_words_of_a_trade_can_be_set() -> None:
    """Breaks when the pieces of a word bring back what the override took out."""
    text = "The jacket is wicked"
    own = shipped().with_words({"wicked": 1.0})
    assert sentiment(text, own).score > sentiment(text).score
    assert sentiment(text, own).label == "positive"
    assert sentiment("The jacket isn't wicked", own).score < 0
    with pytest.raises(Refused, match="−1 to 1"):
        shipped().with_words({"x": 3})


def test_accuracy_is_counted_by_hand() -> None:
    found = sentiments(
        ["The food was excellent.", "Horrible, a waste of money.", "", "Das ist nicht gut und nicht neu"]
    )
    measured = accuracy(found, [True, True, True, False])
    assert (measured.right.value, measured.decided, measured.unscored, measured.always) == (0.5, 2, 2, 0.75)
    assert measured.forced == 0.25


def test_bad_input_is_refused() -> None:
    with pytest.raises(Refused, match="1 positive and 1 negative"):
        learn(["good", "bad"], [True, False])
    with pytest.raises(Refused, match="300 positive and 0 negative"):
        learn(["good"] * 300, [True] * 300)
    with pytest.raises(Refused, match="labels"):
        learn(["good"], [])
    with pytest.raises(Refused, match="folds"):
        folds(["a", "b"])
    with pytest.raises(Refused, match="line 2"):
        loads("\t0.1\nnonsense\n")
    with pytest.raises(Refused, match="bias"):
        loads("good\t1\n")
    with pytest.raises(Refused, match="labels"):
        accuracy([], [])


def test_weights_come_back_as_they_were_written() -> None:
    assert loads(shipped().dumps()).of == {mark: round(weight, 2) for mark, weight in shipped().of.items()}
