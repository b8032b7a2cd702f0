"""The first look: each step leads somewhere, and says what is so."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest

from .conftest import Shop


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_each_step_leads_to_a_page_that_its_reader_may_open(web_shop: Shop, role: str) -> None:
    """Breaks if a step leads nowhere, or a viewer is sent to what only others may open."""
    address = f"http://127.0.0.1:{web_shop.served.port}"
    with httpx.Client(base_url=address, cookies={"shoal_session": web_shop.secrets[role]}, timeout=60) as client:
        text = client.get("/first-look").text
        steps = re.search(r'<ol class="walk">(.*?)</ol>', text, re.S)
        assert steps is not None
        assert "Why, and until when" in steps[1]
        links = [unescape(link) for link in re.findall(r'href="([^"]+)"', steps[1])]
        assert ("/people" in links) == (role == "admin")
        assert any(link.startswith("/segments/new?where=") for link in links) == (role == "admin")
        for link in links:
            assert client.get(link, follow_redirects=True).status_code == 200, link
