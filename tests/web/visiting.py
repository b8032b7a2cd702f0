"""A small shop with an account of each role, and visitors who ask its server for pages without a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx

import shoal
from serving.served import Served, shop
from shoal.clock import Clock

from .shop import PASSWORD, ROLES, address

if TYPE_CHECKING:
    from pathlib import Path

_TOKEN = re.compile(r'name="token" (?:value|content)="([^"]+)"')


def peopled(folder: Path, more: str = "") -> Path:
    """A workspace without data in which each role has somebody.

    Args:
        folder: where.
        more: for ``shoal.yaml``.
    """
    shop(folder, {})
    with (folder / "shoal.yaml").open("a") as file:
        file.write(more)
    with shoal.open(folder) as workspace:
        for role, name in ROLES.items():
            person = workspace.people.add(name, address(role), role, Clock().now())
            workspace.people.choose(person.id, PASSWORD)
    return folder


class Visitor(httpx.Client):
    """Somebody with a browser of their own, who isn't signed in yet."""

    def __init__(self, served: Served) -> None:
        super().__init__(base_url=f"http://127.0.0.1:{served.port}", timeout=30)

    def token(self, path: str = "/sign-in") -> str:
        """The token of a page."""
        found = _TOKEN.search(self.get(path, follow_redirects=True).text)
        assert found is not None
        return found[1]

    def fill(self, path: str, **form: Any) -> httpx.Response:
        """Send a form of a page, with its token."""
        return self.post(path, data={"token": self.token("/account"), **form})

    def sign_in(self, who: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        """Sign in with an address."""
        form = {"token": self.token(), "address": who, "password": password, **more}
        return self.post("/sign-in", data=form)

    @property
    def is_in(self) -> bool:
        """Whether they are signed in."""
        return self.get("/account").status_code == 200


def signed_in(served: Served, role: str) -> Visitor:
    """Somebody of a role, signed in."""
    made = Visitor(served)
    answer = made.sign_in(address(role))
    assert answer.status_code == 303, answer.text
    return made
