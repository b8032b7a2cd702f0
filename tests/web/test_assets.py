"""What is shipped to browsers: how it is built, how large it is, how it is served, and under which licences."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hatch_build
import pytest

from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from .browsing import Web

ROOT = Path(__file__).parents[2]
ASSETS, STATIC = hatch_build.ASSETS, hatch_build.STATIC
OWN, PAGE = 15_000, 300_000
"""Bytes, compressed: of our own scripts of every page, and of a page without what draws charts."""


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    hatch_build.build()


@pytest.fixture
def client(web: Web) -> Iterator[httpx.Client]:
    with web.http() as made:
        yield made


def manifest() -> dict[str, str]:
    found: dict[str, str] = json.loads((STATIC / "manifest.json").read_text())["files"]
    return found


def test_nothing_is_run_where_all_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when an install without Node or network fails though everything is there already."""
    monkeypatch.setenv("PATH", "")
    before = (STATIC / "manifest.json").stat().st_mtime_ns
    hatch_build.build()
    assert (STATIC / "manifest.json").stat().st_mtime_ns == before


def test_who_has_no_registry_is_told_what_to_do(tmp_path: Path) -> None:
    """Breaks when a build without a network ends in a trace of npm's alone."""
    if hatch_build.installed_node() is None:
        pytest.skip("There is no Node. Install it with: apt-get install nodejs npm")
    (tmp_path / "src" / "shoal" / "web").mkdir(parents=True)
    shutil.copy(ROOT / "hatch_build.py", tmp_path)
    kept = shutil.ignore_patterns("node_modules")
    shutil.copytree(ASSETS, tmp_path / "src" / "shoal" / "web" / "assets", ignore=kept)
    away = {
        "npm_config_registry": "http://127.0.0.1:9",
        "npm_config_fetch_retries": "0",
        "npm_config_cache": str(tmp_path / "c"),
    }
    done = subprocess.run(
        [sys.executable, "hatch_build.py"],
        cwd=tmp_path,
        env={**os.environ, **away},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "npm can't install the packages that the pages' scripts are made of." in done.stderr
    assert "copy src/shoal/web/static from where it was built" in done.stderr
    assert not (tmp_path / "src" / "shoal" / "web" / "static").exists()


def test_node_of_the_machine_is_taken_where_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when an old Node is taken and fails in the middle, or a fresh one is downloaded needlessly."""
    for version, taken in (("v18.19.0", False), (f"v{hatch_build.OLDEST}.0.0", True), ("v30.1.0", True)):
        for name in ("node", "npm"):
            (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
        assert (hatch_build.installed_node() is not None) is taken


def test_the_lock_holds_no_address() -> None:
    """Breaks when a lock file ties the build to one registry."""
    lock = (ASSETS / "package-lock.json").read_text()
    assert "://" not in lock
    assert '"resolved"' not in lock
    packages = json.loads(lock)["packages"]
    assert all("integrity" in part for name, part in packages.items() if name)
    assert packages[""]["dependencies"] == json.loads((ASSETS / "package.json").read_text())["dependencies"]


def test_each_bundled_package_has_its_licence_beside_it() -> None:
    """Breaks when a package is shipped without the text that its licence asks for."""
    told = (STATIC / "LICENCES.txt").read_text()
    for name in ("htmx.org", "vega", "vega-lite", "vega-interpreter", "d3-scale"):
        assert re.search(rf"^{re.escape(name)} [\d.]+ \(.+\)$", told, re.MULTILINE), name
    assert "axe-core" not in told
    assert "GPL" not in re.findall(r"^\S+ [\d.]+ \((.+)\)$", told, re.MULTILINE)


def test_our_own_scripts_are_small(tmp_path: Path) -> None:
    """Breaks when what every page loads grows: 15 kB compressed are ours at most."""
    node, _ = hatch_build.node_tools()
    esbuild = hatch_build.packages() / "esbuild" / "bin" / "esbuild"
    made = tmp_path / "own.js"
    subprocess.run(
        [*node, str(esbuild), "main.ts", "--bundle", "--minify", "--format=esm", "--external:htmx.org", "--external:./chart",
         f"--outfile={made}"],
        cwd=ASSETS, check=True, capture_output=True,
    )  # fmt: skip
    assert len(gzip.compress(made.read_bytes())) < OWN


def test_a_page_is_small(web: Web) -> None:
    """Breaks when a page, all that it loads included, is over 300 kB compressed besides what draws charts."""
    page = web.page()
    sizes: dict[str, int] = {}

    def note(response: object) -> None:
        sizes[response.url] = response.request.sizes()["responseBodySize"]  # type: ignore[attr-defined]

    page.on("requestfinished", lambda request: note(request.response()))
    with web.expecting("404"):
        page.goto("/style")
        page.wait_for_selector('[data-line][data-state="live"]')
    without = {url: size for url, size in sizes.items() if "/chart-" not in url}
    assert any("main" in url for url in without)
    assert sum(without.values()) < PAGE


@pytest.mark.parametrize(("asked", "encoding"), [("br, gzip", "br"), ("gzip;q=1", "gzip"), ("identity", None)])
def test_a_script_is_sent_as_it_was_compressed_at_the_build(
    client: httpx.Client, asked: str, encoding: str | None
) -> None:
    """Breaks when each visitor has the server compress the same file anew, or gets what their browser can't read."""
    name = manifest()["main.js"]
    with client.stream("GET", f"/static/{name}", headers={"Accept-Encoding": asked}) as answer:
        body = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == encoding
    assert body == (STATIC / (name + {"br": ".br", "gzip": ".gz", None: ""}[encoding])).read_bytes()
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "Accept-Encoding" in answer.headers["vary"]


def test_a_script_that_is_known_is_not_sent_again(client: httpx.Client) -> None:
    """Breaks when a browser that asks whether a file has changed gets all of it."""
    path = f"/static/{manifest()['main.css']}"
    again = client.get(path, headers={"If-None-Match": client.get(path).headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["../pages/style.py", "..%2f..%2fpyproject.toml", "%2e%2e/app.py", "nothing.js", "", "/etc/passwd"]
)
def test_nothing_else_is_served(client: httpx.Client, name: str) -> None:
    """Breaks when a path leads out of the folder."""
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 404
    assert b"import" not in answer.content


def test_the_pages_and_the_charts_share_their_colours() -> None:
    """Breaks when a chart's ink, accent or paper isn't that of the page around it."""
    css = (ASSETS / "css" / "tokens.css").read_text()
    dark = json.loads((ASSETS / "dark.json").read_text())
    for name, colour in (("ink", theme.INK), ("muted", theme.MUTED), ("hair", theme.HAIRLINE), ("paper", theme.PAPER),
                         ("accent", theme.ACCENT), ("base", theme.BASE)):  # fmt: skip
        assert f"--{name}: light-dark({colour}, {dark[colour]});" in css
    assert theme.FONT.replace("'", '"') in css


def test_the_page_for_contributors_names_every_part() -> None:
    """Breaks when a macro is added and nobody is told that it is there."""
    told = (ROOT / "docs" / "web-development.md").read_text()
    macros = re.findall(r"{% macro (\w+)\(([^)]*)", (ROOT / "src/shoal/web/templates/_parts.html").read_text())
    public = [name for name, _ in macros if not name.startswith("_")]
    assert len(public) > 12
    assert [name for name in public if f"`{name}(" not in told] == []
