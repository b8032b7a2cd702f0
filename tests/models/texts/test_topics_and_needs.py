"""Topics and unmet needs: what was planted comes back, what wasn't isn't claimed."""

from __future__ import annotations

import numpy as np
import pytest

from shoal.errors import Refused
from shoal.insight.texts.needs import unmet_needs
from shoal.insight.texts.topics import topic_shares, topics

WORDS = {
    "delivery": [
        "parcel",
        "courier",
        "late",
        "delivery",
        "tracking",
        "driver",
        "shipped",
        "doorstep",
        "arrived",
        "waiting",
    ],
    "battery": ["battery", "charger", "charge", "screen", "power", "drains", "phone", "overnight", "cable", "percent"],
    "fit": ["size", "sleeve", "tight", "waist", "fabric", "jacket", "trousers", "stretch", "colour", "washed"],
    "staff": [
        "waiter",
        "staff",
        "rude",
        "friendly",
        "manager",
        "table",
        "reservation",
        "greeted",
        "polite",
        "reception",
    ],
}
FILLER = ["really", "thing", "today", "people", "house", "because", "without", "family", "month", "always"]


def texts(n: int = 400, seed: int = 4) -> tuple[list[str], np.ndarray]:
    random = np.random.default_rng(seed)
    kind = random.integers(0, 4, n)
    pools = list(WORDS.values())
    made = [" ".join([*random.choice(pools[k], 5), *random.choice(FILLER, 3), "it was the"]) for k in kind]
    return made, kind


def test_planted_topics_are_recovered_in_number_and_members() -> None:
    from sklearn.metrics import adjusted_rand_score

    made, kind = texts()
    found = topics(made, counts=range(3, 7))
    assert found.verdict == "supported"
    assert len(found.topics) == 4
    assert adjusted_rand_score(kind, found.main) == 1.0
    homes = [{k for k, pool in WORDS.items() if set(topic.terms[:3]) <= set(pool)} for topic in found.topics]
    assert sorted(map(tuple, homes)) == [("battery",), ("delivery",), ("fit",), ("staff",)]
    assert sum(topic.texts for topic in found.topics) == len(made)


def test_neither_the_order_of_texts_nor_copies_matter() -> None:
    made, _ = texts(200)
    order = np.random.default_rng(1).permutation(200)
    plain, mixed = topics(made, counts=(3, 4)), topics([made[i] for i in order], counts=(3, 4))
    assert plain.topics == mixed.topics
    assert (plain.main[order] == mixed.main).all()
    copied = topics(made + [made[0]] * 500, counts=(3, 4))
    assert [t.terms for t in copied.topics] == [t.terms for t in plain.topics]
    assert copied.different == plain.different


def test_random_words_are_called_constructive() -> None:
    random = np.random.default_rng(2)
    pool = [f"{a}{b}{c}" for a in "bdfgk" for b in ("ana", "oro", "imi", "ulu") for c in ("ban", "tor")]
    made = [" ".join(random.choice(pool, 8)) for _ in range(300)]
    assert topics(made, counts=(2, 4), language=None).verdict == "constructive"


def test_empty_foreign_and_emoji_texts_have_no_topic() -> None:
    made, _ = texts(100)
    found = topics([*made, "", "😀😀", "Das Paket kam nicht und die Lieferung war zu spät."], counts=(3, 4))
    assert found.main[-3:].tolist() == [-1, -1, -1]
    assert found.other_languages == 1


@pytest.mark.parametrize("given_texts", [[], [""], ["Good phone"], ["Good phone"] * 1000, ["😀"] * 100])
def test_too_few_different_texts_are_refused(given_texts: list[str]) -> None:
    with pytest.raises(Refused, match="different texts are too few"):
        topics(given_texts)


def test_texts_without_common_words_are_refused() -> None:
    letters = "abcdefghijklmnop"
    alone = [f"{letters[i % 16] * 4}{letters[i // 16] * 3}" for i in range(100)]
    with pytest.raises(Refused, match="no words in common"):
        topics(alone, language=None)


def test_personal_data_never_name_a_topic() -> None:
    made, _ = texts(150)
    marked = [f"{t} write ann.lee{i % 2}@example.org or call 212-555-0100" for i, t in enumerate(made)]
    terms = {term for topic in topics(marked, counts=(3, 4)).topics for term in topic.terms}
    assert not {t for t in terms if "@" in t or "example" in t or "ann" in t or t.isdigit()}


def test_shares_count_people_with_wilsons_interval() -> None:
    made, _ = texts(200)
    found = topics(made, counts=(4,))
    authors = np.arange(200) // 2
    shares = topic_shares(found, authors, {"everyone": np.ones(200, bool), "nobody": np.zeros(200, bool)})
    assert [(s.people, s.of) for s in shares if s.segment == "nobody"] == [(0, 0)] * 4
    for share, topic in zip(shares[:4], range(4), strict=True):
        assert share.people == len(set(authors[found.main == topic]))
        assert share.of == 100
        assert share.share.low < share.share.value < share.share.high
    with pytest.raises(Refused, match="length"):
        topic_shares(found, authors[:5], {"everyone": np.ones(200, bool)})


def population(people: int = 1200, seed: int = 6):
    """Four topics, three segments; a third of the people is unhappy."""
    random = np.random.default_rng(seed)
    topic, segment = random.integers(0, 4, people), random.integers(0, 3, people)
    unhappy = random.random(people) < 1 / 3
    return topic, segment, unhappy, np.arange(people), random


def segments(segment: np.ndarray) -> dict[str, np.ndarray]:
    return {name: segment == i for i, name in enumerate(("young", "family", "senior"))}


def test_a_planted_need_is_found_in_its_segment() -> None:
    """In each of ten bases; of what is found elsewhere, no more than the false discovery rate allows."""
    elsewhere = 0
    for seed in range(10):
        topic, segment, unhappy, who, random = population(seed=seed)
        here = unhappy & (segment == 1)
        topic = np.where(here & (random.random(len(topic)) < 0.35), 2, topic)
        found = unmet_needs(topic, list("abcd"), unhappy, who, segments(segment))
        need = found.needs[0]
        assert (need.segment, need.topic, need.unmet) == ("family", "c", True)
        assert 1 < need.lift.low < need.lift.value < need.lift.high
        assert need.people == int((here & (topic == 2)).sum())
        assert need.sentence.startswith(f"c is missed in family: {need.people} of {need.of} unhappy people")
        elsewhere += sum(n.unmet for n in found.needs[1:])
    assert elsewhere <= 2


def test_without_a_need_few_are_claimed() -> None:
    """Twenty bases without any need, twelve tests each: uncorrected, about twelve would be claimed."""
    claims = 0
    for seed in range(20):
        topic, segment, unhappy, who, _ = population(seed=seed)
        claims += sum(n.unmet for n in unmet_needs(topic, list("abcd"), unhappy, who, segments(segment)).needs)
    assert claims <= 3


def test_one_who_complains_a_hundred_times_is_one() -> None:
    topic, segment, unhappy, who, _ = population()
    loud = int(np.flatnonzero(unhappy & (segment == 0))[0])
    more = [np.r_[x, [v] * 100] for x, v in ((topic, 3), (segment, 0), (unhappy, True), (who, who[loud]))]
    found = unmet_needs(more[0], list("abcd"), more[2], more[3], segments(more[1]))
    assert not any(need.unmet for need in found.needs)
    (need,) = (n for n in found.needs if n.segment == "young" and n.topic == "d")
    assert need.people <= int((unhappy & (segment == 0) & (topic == 3)).sum()) + 1


def test_small_segments_are_named_not_tested() -> None:
    topic, segment, unhappy, who, _ = population()
    few = np.arange(len(topic)) < 9
    found = unmet_needs(topic, list("abcd"), unhappy, who, {"few": few, **segments(segment)})
    assert found.too_small == ("few",)
    assert {n.segment for n in found.needs} == {"young", "family", "senior"}
    assert unmet_needs([], [], [], [], {"none": []}) == ((), ("none",))
    with pytest.raises(Refused, match="no name"):
        unmet_needs(topic, ["a"], unhappy, who, {})
    with pytest.raises(Refused, match="length"):
        unmet_needs(topic, list("abcd"), unhappy[1:], who, {})
    with pytest.raises(Refused, match="length"):
        unmet_needs(topic, list("abcd"), unhappy, who, {"few": few[1:]})
