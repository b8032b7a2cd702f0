"""A made table whose outcome follows two numbers and a word, with gaps, an identifier and a constant beside them."""

from __future__ import annotations

import numpy as np

from shoal.insight.models.learning.table import Numbers, Table, Words

WORDS = ("north", "south", "west", None)


def made(n: int = 1200, seed: int = 1, level: float = -1.0) -> tuple[Table, np.ndarray]:
    random = np.random.default_rng(seed)
    recency, spend = random.exponential(40, n), random.lognormal(3, 1, n)
    region = random.integers(0, 4, n)
    log_odds = level + 0.02 * (recency - 40) - 0.3 * (np.log(spend) - 3) + np.array([0.0, 0.8, -0.5, 0.3])[region]
    outcome = (random.random(n) < 1 / (1 + np.exp(-log_odds))).astype(float)
    columns = [
        Numbers.of("recency", recency),
        Numbers.of("spend", np.where(random.random(n) < 0.1, np.nan, spend)),
        Words.of("region", [WORDS[i] for i in region]),
        Words.of("id", [f"c{i}" for i in range(n)]),
        Numbers.of("constant", np.ones(n)),
    ]
    return Table.of([f"k{i}" for i in range(n)], columns), outcome
