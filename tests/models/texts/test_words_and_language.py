"""Words: what is masked and kept. Language: English is told from others, and others are never called English."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.texts.samples import FOREIGN, sentences
from shoal.insight.texts.language import language_of
from shoal.insight.texts.sentiment import sentiment, shipped
from shoal.insight.texts.words import tokens


def test_personal_data_are_masked_and_emoji_kept() -> None:
    """Breaks when an address or number can become the name of a topic, or when emoji are lost (as in a strip)."""
    text = "Ann@example.org rang +1 (212) 555-0100, see https://example.org/u/ann?x=1 😍 card 4111 1111 1111 1111"
    assert tokens(text) == ["rang", "see", "😍", "card"]


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, texts in FOREIGN.items() for text in texts])
def test_other_languages_are_not_called_english_and_never_scored(code: str, text: str) -> None:
    found = sentiment(text)
    assert found.language != "en"
    assert found.score is None
    assert found.label == "unscored"
    assert "only English is scored" in found.reason


def test_most_languages_are_named() -> None:
    pairs = [(code, text) for code, texts in FOREIGN.items() for text in texts]
    right = sum(language_of(text, shipped().words) == code for code, text in pairs)
    assert right >= 0.9 * len(pairs)


def test_english_sentences_are_english() -> None:
    texts = [text for pairs in sentences().values() for text, _ in pairs]
    assert sum(language_of(text, shipped().words) == "en" for text in texts) >= 0.99 * len(texts)
    # Without any known words the little ones alone carry most.
    assert sum(language_of(text) == "en" for text in texts) >= 0.85 * len(texts)


@pytest.mark.parametrize(("text", "code"), [("", ""), ("  \n", ""), ("😀😀", "und"), ("12345", "und"), ("!!!", "und")])
def test_what_is_no_language(text: str, code: str) -> None:
    assert language_of(text) == code


@given(st.text(max_size=300))
def test_any_text_has_some_answer(text: str) -> None:
    found = sentiment(text)
    assert (found.score is None) == (found.label == "unscored")
    assert found.score is None or -1 <= found.score <= 1
    assert found.reason


@pytest.mark.parametrize("piece", ["a", "1", "1 ", "a@", "http://", "a'", "😀", "not good "])
def test_a_very_long_text_takes_no_long_time(piece: str) -> None:
    began = time.thread_time()
    sentiment(piece * (3_000_000 // len(piece)))
    assert time.thread_time() - began < 2
