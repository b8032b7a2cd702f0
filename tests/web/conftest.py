"""The web application, served on real data, with people signed in and a browser to look at it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import hatch_build
import httpx
import pytest

from serving.served import Served

from .browsing import Web
from .shop import PASSWORD, ROLES, address, copied

if TYPE_CHECKING:
    from collections.abc import Iterator


class Shop(NamedTuple):
    """A served workspace."""

    served: Served
    secrets: dict[str, str]
    """Of each one's browser, by their role."""


@pytest.fixture(scope="session")
def web_shop(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """The server of this process's tests, and who is signed in; what a test changes stays changed."""
    hatch_build.build()
    folder = tmp_path_factory.mktemp("web") / "shop"
    served = Served(folder, like=copied(request.config.cache.mkdir("web-shop"), folder))
    try:
        served.start()
        yield Shop(served, {role: signed_in(served, role) for role in ROLES})
    finally:
        served.close()


def signed_in(served: Served, role: str) -> str:
    """The secret of a browser in which somebody of a role has just signed in."""
    with httpx.Client(base_url=f"http://127.0.0.1:{served.port}", timeout=30) as client:
        token = re.search(r'name="token" (?:value|content)="([^"]+)"', client.get("/sign-in").text)
        assert token is not None
        form = {"token": token[1], "address": address(role), "password": PASSWORD}
        answer = client.post("/sign-in", data=form)
        assert answer.status_code == 303, answer.text
        return answer.cookies["shoal_session"]


@pytest.fixture
def web(web_shop: Shop, browser: Any) -> Iterator[Web]:
    """The application with browsers of its own; the test fails where a page complains or asks for anything elsewhere."""
    shots = os.environ.get("SHOAL_SHOTS")
    found = Web(web_shop.served, browser, web_shop.secrets, Path(shots) if shots else None)
    yield found
    found.close()


@pytest.fixture
def page(web: Web) -> Any:
    """A page in which the administrator is signed in."""
    return web.page()
