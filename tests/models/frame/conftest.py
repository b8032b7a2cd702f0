"""What tests of the models in their frame share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.models.frame.buyers import Row, drawn, shop
from tests.models.frame.buyers import cdnow as cdnow_at

from shoal.workspace import Workspace


@pytest.fixture(scope="session")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """CDNOW's sample as a workspace, open; not to be changed."""
    with cdnow_at(tmp_path_factory.mktemp("cdnow")) as workspace:
        yield workspace


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A shop of 300 drawn customers over 500 days, open; not to be changed.

    60 of them have a twin who ordered the same, ``me`` and ``you`` ordered on known days, ``visitor`` never.
    """
    rows = drawn(1)
    twins: list[Row] = [(f"twin of {c}", *rest) for c, *rest in reversed(rows) if int(str(c)[1:]) < 60]
    known: list[Row] = [("me", 300, 10), ("me", 320, 30), ("me", 340, 20), ("me", 340, 20), ("you", 380, 5)]
    with shop(tmp_path_factory.mktemp("grown"), [*rows, *twins, *known, ("visitor", 3, 1, None, "view")]) as workspace:
        yield workspace
