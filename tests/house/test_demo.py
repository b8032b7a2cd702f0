"""The demo's web application: begun in the background, ended by one command."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from serving.served import shop

FILE = Path(__file__).parents[2] / "examples" / "grocery" / "application.py"


@pytest.fixture
def application() -> ModuleType:
    """The file as a module."""
    spec = importlib.util.spec_from_file_location("demo_application", FILE)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_demos_application_is_ready_signs_in_and_ends(application: ModuleType, tmp_path: Path) -> None:
    """Breaks if the link signs nobody in, the server is told ready before it is, or goes on after its end."""
    folder = shop(tmp_path / "shop", {"buyers": 'did "Order Completed"'})
    assert not application.stop(folder)
    link = application.start(folder)
    try:
        with httpx.Client(follow_redirects=True, timeout=30) as client:
            seen = client.get(link)
            assert seen.status_code == 200
            assert seen.url.path == "/overview"
            assert "Sign out" in seen.text
    finally:
        assert application.stop(folder)
    with pytest.raises(httpx.TransportError):
        httpx.get(link)
    assert not application.stop(folder)
