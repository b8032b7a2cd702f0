"""Look-alikes: the hidden half of a planted group is found, a random seed is called what it is."""

from __future__ import annotations

import numpy as np
import pytest

from shoal.errors import Refused
from shoal.insight.taste.lookalike import lookalikes


def planted(n: int = 3000, seed: int = 2):
    """A tenth of the customers is of another kind; half of those are in the segment."""
    random = np.random.default_rng(seed)
    kind = np.zeros(n, dtype=bool)
    kind[: n // 10] = True
    features = random.normal(size=(n, 6))
    features[kind, :2] += 2.5
    members = np.zeros(n, dtype=bool)
    members[: n // 20] = True
    return np.arange(n), features, members, kind


def test_the_hidden_half_comes_first() -> None:
    ids, features, members, kind = planted()
    found = lookalikes(ids, features, members)
    assert found.different
    hidden = kind & ~members
    assert hidden[found.nearest(int(hidden.sum()))].mean() > 0.8
    assert not members[found.customers].any()
    assert len(found.customers) == (~members).sum()
    assert (np.diff(found.similarity) <= 0).all()


def test_the_curve_falls_and_its_recall_is_honest() -> None:
    """The recall of a held-out seed must agree with what is really found of the hidden half."""
    ids, features, members, kind = planted()
    found = lookalikes(ids, features, members)
    recall = [p.recall.value for p in found.curve]
    assert recall == sorted(recall)
    assert recall[-1] == 1
    assert found.curve[-1].lift == pytest.approx(1)
    similarity = [p.similarity for p in found.curve]
    assert similarity == sorted(similarity, reverse=True)
    hidden = np.flatnonzero(kind & ~members)
    for point in found.curve[2:5]:
        truly = np.isin(hidden, found.customers[: point.customers]).mean()
        assert abs(truly - point.recall.value) < 0.1


@pytest.mark.parametrize("seed", range(4))
def test_a_random_segment_does_not_differ_from_the_base(seed: int) -> None:
    random = np.random.default_rng(seed)
    members = np.zeros(2000, dtype=bool)
    members[random.choice(2000, 150, replace=False)] = True
    found = lookalikes(np.arange(2000), random.normal(size=(2000, 40)), members)
    assert not found.different
    assert "draw of lots" in found.verdict
    assert not len(found.nearest(100))


def test_order_does_not_matter_and_equal_customers_are_equally_similar() -> None:
    ids, features, members, _ = planted(1200)
    features[1000] = features[1001]
    plain = lookalikes(ids, features, members)
    order = np.random.default_rng(0).permutation(len(ids))
    mixed = lookalikes(ids[order], features[order], members[order])
    assert (plain.customers == mixed.customers).all()
    assert np.allclose(plain.similarity, mixed.similarity)
    score = dict(zip(plain.customers.tolist(), plain.similarity.tolist(), strict=True))
    assert score[1000] == pytest.approx(score[1001], abs=1e-12)


def test_bad_input_is_refused() -> None:
    ids, features, members, _ = planted(600)
    few = np.arange(600) < 10
    with pytest.raises(Refused, match="has 10 customers"):
        lookalikes(ids, features, few)
    with pytest.raises(Refused, match="nobody to find"):
        lookalikes(ids, features, ~few)
    with pytest.raises(Refused, match="No feature varies"):
        lookalikes(ids, np.ones((600, 3)), np.arange(600) < 100)
    with pytest.raises(Refused, match="twice"):
        lookalikes(ids * 0, features, members)
    with pytest.raises(Refused, match="missing"):
        lookalikes(ids, features * np.nan, members)
    with pytest.raises(Refused, match="length"):
        lookalikes(ids[1:], features, members)
