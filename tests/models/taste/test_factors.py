"""Factors: planted needs come back, chance is called chance, the draw is repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from shoal.errors import Refused
from shoal.insight.taste.factors import factors

NAMES = np.array([f"{need}-{i}" for need in ("bake", "pets", "baby", "wine") for i in range(6)] + ["milk", "bread"])


def planted(rows: int = 600, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Four needs of six items each, and two items that everyone buys."""
    random = np.random.default_rng(seed)
    need = random.integers(0, 4, rows)
    rate = np.full((rows, 26), 0.05)
    for i in range(4):
        rate[need == i, 6 * i : 6 * i + 6] = 1.2
    rate[:, 24:] = 4.0
    return random.poisson(rate), need


def test_planted_needs_are_recovered_and_named_from_their_own_items() -> None:
    """Breaks when best sellers name the factors, or when the number is wrong."""
    from sklearn.metrics import adjusted_rand_score

    matrix, need = planted()
    found = factors(matrix, NAMES, counts=range(2, 8))
    assert found.verdict == "supported"
    kinds = [{item.split("-")[0] for item in f.items[:3]} for f in found.factors]
    assert {"bake", "pets", "baby", "wine"} <= {next(iter(k)) for k in kinds if len(k) == 1}
    assert not any("milk" in f.name or "bread" in f.name for f in found.factors if "-" in f.name)
    assert adjusted_rand_score(need, found.main) >= 0.9
    assert np.allclose(found.loadings.sum(1)[found.main >= 0], 1)
    assert [f.share for f in found.factors] == sorted((f.share for f in found.factors), reverse=True)
    assert sum(f.share for f in found.factors) == pytest.approx((found.main >= 0).mean())


def test_structureless_purchases_are_called_constructive() -> None:
    """Popular and rare items without anything that goes together."""
    random = np.random.default_rng(5)
    matrix = random.poisson(np.exp(random.normal(-1, 1, 20)), size=(500, 20))
    assert factors(matrix, [f"i{i}" for i in range(20)], counts=range(2, 6)).verdict == "constructive"


def test_the_same_seed_gives_the_same_factors() -> None:
    matrix, _ = planted(200)
    one, two = (factors(matrix, NAMES, counts=(3, 4), seed=9) for _ in range(2))
    assert one.factors == two.factors
    assert (one.loadings == two.loadings).all()
    assert one.trials == two.trials


def test_a_customer_without_purchases_has_no_factor() -> None:
    matrix, _ = planted(200)
    matrix[7] = 0
    found = factors(matrix, NAMES, counts=(3, 4))
    assert found.main[7] == -1
    assert found.loadings[7].sum() == 0


def test_bad_input_is_refused() -> None:
    with pytest.raises(Refused, match="too few"):
        factors(np.ones((3, 5)), list("abcde"))
    with pytest.raises(Refused, match="too few"):
        factors(np.ones((100, 1)), ["a"])
    with pytest.raises(Refused, match="0 rows"):
        factors(np.zeros((100, 5)), list("abcde"))
    with pytest.raises(Refused, match="negative"):
        factors(-np.ones((100, 5)), list("abcde"))
    with pytest.raises(Refused, match="negative"):
        factors(np.full((100, 5), np.nan), list("abcde"))
    with pytest.raises(Refused, match="names"):
        factors(np.ones((100, 5)), ["a"])


def test_constant_columns_give_no_support() -> None:
    assert factors(np.ones((100, 6)), list("abcdef"), counts=(2, 3)).verdict == "constructive"
