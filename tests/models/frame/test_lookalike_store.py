"""Look-alikes of a segment in a workspace on disk: who is hidden outside it is found, and a draw of lots is called one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from models.frame.made_shop import known
from models.frame.planted import END, GROUPS, baskets, order, store_of
from shoal.errors import Refused, UnknownName
from shoal.insight.taste.alike import features, lookalike
from shoal.shapes import TraitChange
from shoal.sql.duck import DuckStore
from shoal.sql.registry import Registry
from shoal.workspace import open_workspace
from shoal.workspace.proposing import propose_workspace

EXPORTS = Path(__file__).parents[3] / "examples" / "corner-shop" / "exports"


@pytest.fixture(scope="module")
def shop() -> DuckStore:
    """The planted groups, with a trait that says nothing and one that is everyone's own."""
    people = [f"c{i:03}" for i in range(400)]
    traits = [TraitChange(p, "town", "ABC"[i // 4 % 3], END - 1) for i, p in enumerate(people)]
    names = [TraitChange(p, "name", f"name of {p}", END - 1) for p in people]
    return store_of([*baskets(400), *traits, *names])


def members(store: DuckStore, known_: object, ids: set[str]) -> np.ndarray:
    names = dict(store.rows("SELECT key, id FROM customers"))
    return np.array([names[int(k)] in ids for k in known_.customers])


def test_who_is_like_the_segment_comes_first(shop: DuckStore) -> None:
    """Breaks if features stand in other rows than members: half of those who bake are in, the others are hidden outside."""
    bakers = [f"c{i:03}" for i in range(2, 400, 4)]
    with known(shop, END) as now:
        found = lookalike(now, members(shop, now, set(bakers[:60])))
        names = dict(shop.rows("SELECT key, id FROM customers"))
    first = {names[int(k)] for k in found.nearest(40)}
    assert found.different
    assert len(first & set(bakers[60:])) >= 36
    assert found.curve[-1].recall.value == 1
    assert found.curve[3].lift > 4


def test_names_are_no_feature_and_a_random_segment_is_called_one(shop: DuckStore) -> None:
    """Breaks if every customer's own name tells them apart, or chance is sold as likeness."""
    random = np.random.default_rng(3)
    with known(shop, END) as now:
        assert features(now) == ["behaviour", "taste", "town"]
        mask = np.zeros(len(now.customers), dtype=bool)
        mask[random.choice(len(mask), 100, replace=False)] = True
        assert not lookalike(now, mask).different


def test_what_is_left_out_is_not_compared(shop: DuckStore) -> None:
    """Breaks if ``without`` is read past: without taste nothing tells the groups apart."""
    with known(shop, END) as now:
        mask = members(shop, now, {f"c{i:03}" for i in range(0, 400, 4)})
        assert not lookalike(now, mask, without=["taste"]).different
        with pytest.raises(UnknownName):
            lookalike(now, mask, without=["haircolour"])
        with pytest.raises(Refused, match="Nothing is known that tells customers apart"):
            lookalike(now, mask, without=["taste", "behaviour", "town"])


def test_what_came_later_changes_nothing(shop: DuckStore) -> None:
    """Breaks if a feature reads past the instant."""
    bakers = {f"c{i:03}" for i in range(2, 200, 4)}
    people = [f"c{i:03}" for i in range(400)]
    traits = [TraitChange(p, "town", "ABC"[i // 4 % 3], END - 1) for i, p in enumerate(people)]
    names = [TraitChange(p, "name", f"name of {p}", END - 1) for p in people]
    late = [TraitChange("c001", "town", "Z", END + 1), order("c001", 361, items=[{"category": GROUPS["bake"][0]}])]
    later = store_of([*baskets(400), *traits, *names, *late])
    with known(shop, END) as now, known(later, END) as then:
        plain, again = lookalike(now, members(shop, now, bakers)), lookalike(then, members(later, then, bakers))
    assert (plain.customers == again.customers).all()
    assert np.allclose(plain.similarity, again.similarity)


def test_a_segment_of_a_workspace_by_name(tmp_path: Path) -> None:
    """Breaks if members are read for another instant or order of customers, or ids don't belong to the keys."""
    shutil.copytree(EXPORTS, tmp_path / "exports")
    propose_workspace(tmp_path / "shop", tmp_path / "exports")
    with open_workspace(tmp_path / "shop") as workspace:
        workspace.load()
        workspace.segments.add("Often", 'count("Order Completed") >= 12')
        with workspace.models.as_of() as now:
            (mask,) = now.holds({"often": workspace.segments["Often"]}).values()
            found = lookalike(now, mask)
        names = dict(workspace.store.rows("SELECT key, id FROM customers"))
        ids = [names[int(k)] for k in found.customers]
        orders = Registry.load(workspace.store).events["Order Completed"].table
        asked = f"SELECT id, count(*) FROM {orders} JOIN customers ON key = customer WHERE retired IS NULL GROUP BY id"
        counts = dict(workspace.store.rows(asked))
        inside = {customer for customer, n in counts.items() if n >= 12}
        assert not inside & set(ids)
        assert len(ids) == 180 - len(inside)
        assert found.different
        near, far = ([counts.get(one, 0) for one in some] for some in (ids[:20], ids[-20:]))
        assert np.mean(near) > np.mean(far) + 3
        alike = workspace.models.lookalike("often")
        assert (alike.members, alike.others) == (len(inside), len(ids))
        assert [len(alike.nearest(most)) for most in (0, 7)] == [0, 7]
        assert list(alike.nearest(10_000)) == ids
