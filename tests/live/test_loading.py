"""The engine filled from a store names the members that the naive evaluator names."""

from __future__ import annotations

import pytest

from proof import draw, naive
from proof.product import product
from shoal.insight.resident import extend_engine, load_engine


@pytest.mark.parametrize("seed", [1, 2])
def test_a_loaded_engine_names_the_members(seed: int) -> None:
    """Breaks if a table is read out of order, a column is left out or a message id is missing where ties need it."""
    batch = draw.batch(seed)
    at = next(at for at, known_at in batch.questions if known_at is None)
    slugs = sorted(batch.world.segments)
    with product(batch.world) as evaluator:
        store, schema, all_ = evaluator.engine.store, evaluator.schema, evaluator.definitions
        engine = load_engine(store, schema, {}, at, recording=False)
        assert not engine.state.events
        assert extend_engine(engine, store, all_)
        assert not engine.missing(all_)
        engine.define(all_)
        engine.build()
        whole = load_engine(store, schema, all_, at, recording=False)
        whole.build(quiet=True)
        for slug in slugs:
            wanted = sorted(naive.members(batch.world, batch.world.segments[slug], at))
            assert sorted(engine.members(slug)) == wanted, slug
            assert sorted(whole.members(slug)) == wanted, slug
