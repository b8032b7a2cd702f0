"""The personas of a segment: which micro-segments its members belong to, or whose file it is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from shoal.workspace.segment_pages.personas import personas

from . import shops

if TYPE_CHECKING:
    from shoal.workspace import Workspace


def test_members_are_counted_in_the_micro_segments_that_they_belong_to(shop: Workspace) -> None:
    """Breaks when a member counts for another micro-segment than their own, or a micro-segment's own file isn't known."""
    groups = shops.segments_of(shop)
    largest, _ = Counter(groups.values()).most_common(1)[0]
    shop.segments.add("Largest", f'micro_segment = "{largest}"')
    shop.segments.add("Buyers", 'did "Order Completed"')
    (only,) = personas(shop, "largest")["groups"]
    assert (only["id"], only["share"], only["others"], only["own"]) == (largest, 1.0, 0.0, False)
    told = personas(shop, "buyers")
    everyone = Counter(groups.values())
    assert {one["id"]: one["customers"] for one in told["groups"]} == dict(everyone)
    assert sum(one["share"] for one in told["groups"]) == pytest.approx(1)
    assert all(one["portrait"] for one in told["groups"])
    shop.discovery.write_segments()
    own = personas(shop, f"micro-{largest}")["groups"][0]
    assert (own["id"], own["own"], own["slug"]) == (largest, True, f"micro-{largest}")
